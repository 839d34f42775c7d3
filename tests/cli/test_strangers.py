"""What the command says where a program listens that is no end of weir, or one that is stopped: who it is, and the way
out."""
import os
import signal
import socket
import subprocess
import threading

import pytest

from conftest import until

WAY = ("if it speaks JSON lines, CBOR, Smile or BSON, say framing=jsonl, cborseq, smile or bson, else choose another "
       "path\n")


class Stranger:
    """A program (this one) that listens at a path and says what it is told to say to whoever connects."""

    def __init__(self, path, says):
        self.path, self.says, self.peers = path, says, []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(16)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            self.peers.append(peer)
            if self.says:
                peer.sendall(self.says)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for peer in self.peers:
            peer.close()
        self.thread.join()


@pytest.fixture
def stranger(weir):
    made = []

    def make(says):
        made.append(Stranger("%s/%d.sock" % (weir.folder, len(made)), says))
        return made[-1].path
    yield make
    for each in made:
        each.close()


def who():
    with open("/proc/self/comm", encoding="utf-8") as file:
        return "%s (pid %d)" % (file.read().strip(), os.getpid())


@pytest.mark.parametrize("command", [("sub", "-n", "1"), ("pub", "1"), ("call", "x")])
def test_one_that_answers_garbage(weir, stranger, command):
    path = stranger(b"220 hello, this is not weir\r\n" * 20)
    said = weir.error(1, command[0], "unix://" + path, *command[1:])
    assert said == "weir: unix://%s: %s listens there and does not answer as weir does; %s" % (path, who(), WAY)


@pytest.mark.parametrize("command", [("sub", "-n", "1"), ("pub", "1"), ("get",)])
def test_one_that_says_nothing(weir, stranger, command):
    path = stranger(b"")
    said = weir.error(4, command[0], "unix://" + path, *command[1:])
    assert said == "weir: unix://%s: %s listens there, is no end of weir and says nothing; %s" % (path, who(), WAY)


def test_the_way_out_that_is_named_works(weir, stranger):
    """With its framing such a listener is one like others."""
    path = stranger(b'{"data":"from a stranger"}\n')
    assert weir.out("sub", "unix://%s?framing=jsonl" % path, "-n", "1", "--json").count("from a stranger") == 1


@pytest.mark.parametrize("command", [("serve", "--op", "x", "--command", "cat"), ("sub", "-n", "1")])
def test_a_path_that_is_to_be_taken_over(weir, stranger, command):
    path = stranger(b"")
    options = "" if command[0] == "serve" else "?listen=1"
    said = weir.error(1, command[0], "unix://" + path + options, *command[1:])
    assert said == "weir: unix://%s: %s listens there and is no end of weir; end it, or choose another path\n" % (
        path, who())


def test_a_listener_of_weir_that_is_stopped(weir):
    address = "unix://%s/a.sock" % weir.folder
    listener = weir.start("sub", address, stdout=subprocess.DEVNULL)
    weir.until_end("reader", listener)
    listener.send_signal(signal.SIGSTOP)
    until(lambda: open("/proc/%d/stat" % listener.pid).read().rsplit(")", 1)[1].split()[0] == "T", "it is stopped")
    said = weir.error(4, "pub", address, "1")
    assert said == ("weir: %s: weir (pid %d) listens there and is stopped; let it go on with kill -CONT %d, or end it\n"
                    % (address, listener.pid, listener.pid))
