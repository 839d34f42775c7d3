"""weir info of readers that are behind: how far, what they have lost for good, and whom that holds up; on all
transports, where a reader may be stopped and its messages lie in lanes, queues, pipes or files."""
import fcntl
import json
import os
import re
import signal
import socket
import struct
import subprocess

import pytest

from conftest import on_terminal, port_of, until

F_OFD_SETLK = 37
LONG = json.dumps("x" * 40)


def info(weir, address):
    return json.loads(weir.out("info", address, "--json"))


def table(weir, address):
    """What it says on a terminal."""
    return on_terminal(weir, "info", address, NO_COLOR="1").replace("\r", "")


def stopped(weir, address, role="reader"):
    sub = weir.start("sub", address, stdout=subprocess.DEVNULL)
    weir.until_end(role, sub)
    until(lambda: end_of(weir, address.split("?")[0], sub)["waits"] > 1, "the reader waits")
    sub.send_signal(signal.SIGSTOP)
    until(lambda: end_of(weir, address.split("?")[0], sub)["is_stopped"], "it is stopped")
    return sub


def end_of(weir, address, process):
    return next(end for end in info(weir, address)["ends"] if end["pid"] == process.pid)


# ---- shared memory ----

@pytest.mark.parametrize("how", ["", "&observe=1"])
@pytest.mark.parametrize("scheme", ["shm", "sysv"])
def test_overwritten_before_it_was_read(weir, how, scheme):
    """Under full=drop-oldest nobody is held back, and what is gone for good is told before the reader learns of it."""
    address = "lab/a" if scheme == "shm" else "sysv://" + weir.key("a")
    weir.run("pub", address + "?capacity=64K&full=drop-oldest", LONG, "-n", "3")
    sub = stopped(weir, address + "?create=0" + how, "observer" if how else "reader")
    weir.run("pub", address + "?capacity=64K&full=drop-oldest", LONG, "-n", "5000")
    found = info(weir, address)
    (reader,), (lane,) = found["readers"], found["lanes"]
    (lag,) = reader["lags"]
    assert reader["is_stopped"] and not reader["is_holding"] and reader["gaps"] == 0
    assert lane["seq"] == 5003 and lag["full"] == lane["full"] == "drop-oldest"
    assert lag["lost"] == lane["oldest_seq"] - 4 > 1000 and lag["messages"] == 5003 - lane["oldest_seq"] + 1
    text = table(weir, address)
    assert "holds writers back" not in text and "holds nothing back" in text
    assert "and %d more that it cannot get any more" % lag["lost"] in text
    sub.send_signal(signal.SIGCONT)
    until(lambda: info(weir, address)["readers"][0]["gaps"] == lag["lost"], "it learns of just that")
    assert info(weir, address)["readers"][0]["lags"][0]["lost"] == 0


def test_nothing_is_lost_where_it_has_read(weir):
    """What it had before, and what it passed over to begin where it began, is not lost."""
    weir.run("pub", "lab/a?capacity=64K&full=drop-oldest", LONG, "-n", "700")
    oldest = info(weir, "lab/a")["lanes"][0]["oldest_seq"]
    assert oldest > 1
    for begin, behind in (("now", 0), ("last", 1), ("oldest", 700 - oldest + 1), ("seq:650", 51)):
        sub = weir.start("sub", "lab/a?observe=1&from=" + begin, "-n", "1000", stdout=subprocess.DEVNULL)
        weir.until_end("observer", sub)
        until(lambda: info(weir, "lab/a")["readers"][0]["messages"] == behind, "it has read what it wants")
        (lag,) = info(weir, "lab/a")["readers"][0]["lags"]
        assert (lag["messages"], lag["lost"]) == (0, 0)
        sub.terminate()
        sub.wait()
        until(lambda: not info(weir, "lab/a")["readers"], "its place is free")


@pytest.mark.parametrize("full, words", [("block", "holds writers back"), ("fail", "makes sends fail"),
                                         ("drop-newest", "makes writers drop what is new")])
def test_what_a_slow_reader_does_to_writers(weir, full, words):
    stopped(weir, "lab/a")
    pub = weir.start("pub", "lab/a?full=" + full, "1", "--rate", "20")
    weir.until_end("writer", pub)
    until(lambda: info(weir, "lab/a")["lanes"], "a lane")
    (reader,) = info(weir, "lab/a")["readers"]
    assert reader["is_holding"] and reader["lags"][0]["full"] == full
    assert words in table(weir, "lab/a")


# ---- sockets ----

@pytest.mark.parametrize("scheme", ["unix", "tcp"])
def test_who_is_connected_and_what_waits(weir, scheme):
    address = "unix://%s/a.sock" % weir.folder if scheme == "unix" else "tcp://" + port_of(weir, "a")
    listener = weir.start("sub", address, stdout=subprocess.DEVNULL)
    weir.until_end("reader", listener)
    reader = stopped(weir, address)
    pub = weir.start("pub", address + "?timeout=forever", json.dumps("x" * 1000), "-n", "20000")
    weir.until_end("writer", pub)

    def waits():
        found = info(weir, address)
        peers = {peer["pid"]: peer for peer in found["peers"]}
        return found if reader.pid in peers and pub.pid in peers and peers[pub.pid]["is_paused"] else None
    found = until(waits, "the reader's queue is full")
    peers = {peer["pid"]: peer for peer in found["peers"]}
    assert set(peers) == {reader.pid, pub.pid} and found["peers_unseen"] == 0
    assert peers[reader.pid]["role"] == "reader" and peers[reader.pid]["is_stopped"]
    assert peers[reader.pid]["program"] == "weir" and peers[reader.pid]["user"] == found["ends"][0]["user"]
    assert peers[pub.pid]["role"] == "writer" and peers[pub.pid]["full"] == "block"
    assert 500000 < peers[reader.pid]["queued"] <= peers[reader.pid]["capacity"] == 1 << 20
    ends = {end["pid"]: end for end in found["ends"]}
    assert ends[listener.pid]["is_listening"] and not ends[reader.pid]["is_listening"]
    assert ends[reader.pid]["behind"]["messages"] == ends[pub.pid]["messages"] > 500
    assert ends[pub.pid]["behind"] is None and found["copies"].startswith("3: ")
    text = table(weir, address)
    assert "CONNECTED TO WHO LISTENS" in text and "its next message waits for room with a reader" in text
    assert "stopped)" in text and "messages behind" in text
    reader.send_signal(signal.SIGCONT)
    weir.finish(pub)
    until(lambda: {p["pid"] for p in info(weir, address)["peers"]} == {reader.pid}, "the writer has gone")
    until(lambda: info(weir, address)["peers"][0]["queued"] == 0, "nothing waits any more")


def test_plain_peer(weir):
    """Who speaks JSON lines is listed like the others."""
    path = weir.folder + "/a.sock"
    sub = weir.start("sub", "unix://" + path, stdout=subprocess.DEVNULL)
    weir.until_end("reader", sub)
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(path)
        peer.sendall(b'{"data":1}\n')
        (seen,) = until(lambda: info(weir, "unix://" + path)["peers"], "the peer is let in")
        assert (seen["role"], seen["is_plain"], seen["pid"]) == ("writer", True, os.getpid())
    until(lambda: not info(weir, "unix://" + path)["peers"], "it has gone")


def test_more_peers_than_are_told(weir):
    path = weir.folder + "/a.sock"
    sub = weir.start("sub", "unix://" + path, stdout=subprocess.DEVNULL)
    weir.until_end("reader", sub)
    peers = []
    for _ in range(43):
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(path)
        peer.sendall(b'{"data":1}\n')
        peers.append(peer)
    found = until(lambda: (lambda f: f if len(f["peers"]) + f["peers_unseen"] == 43 else None)(
        info(weir, "unix://" + path)), "all are let in")
    assert len(found["peers"]) == 40
    assert "and 3 more" in table(weir, "unix://" + path)
    for peer in peers:
        peer.close()
    until(lambda: (lambda f: not f["peers"] and f["peers_unseen"] == 0)(info(weir, "unix://" + path)), "all have gone")


# ---- pipes ----

def test_what_is_in_a_pipe(weir):
    address = "fifo://%s/a.fifo" % weir.folder
    sub = stopped(weir, address)
    pub = weir.start("pub", address + "?timeout=forever&capacity=64K", json.dumps("x" * 1000), "-n", "500")
    found = until(lambda: (lambda f: f if f["inside"] and len(f["ends"]) == 2 and f["ends"][0]["waits"] > 1 and
                           f["ends"][1]["waits"] > 1 else None)(info(weir, address)), "the pipe is full")
    assert 10000 < found["inside"] <= found["pipe_size"]
    assert found["reader"]["pid"] == sub.pid and found["reader"]["is_stopped"] and not found["writer"]["is_stopped"]
    ends = {end["role"]: end for end in found["ends"]}
    assert ends["reader"]["behind"]["messages"] == ends["writer"]["messages"] > 10
    assert " inside\n" in table(weir, address)
    sub.send_signal(signal.SIGCONT)
    weir.finish(pub)


def test_a_pipe_that_nobody_of_ours_has_is_left_alone(weir):
    """To look into a pipe is to open it, which must not let go who waits for a reader (the shell's >)."""
    path = weir.folder + "/a.fifo"
    os.mkfifo(path, 0o600)
    waiting = subprocess.Popen(["sh", "-c", "echo hello > " + path])
    assert info(weir, "fifo://" + path)["inside"] is None
    assert waiting.poll() is None
    assert subprocess.check_output(["cat", path]) == b"hello\n"
    waiting.wait()


# ---- logs ----

@pytest.mark.parametrize("name", ["a.weir", "a.jsonl", "a.cborseq", "a.smile", "a.bson"])
def test_how_far_a_reader_of_a_log_is_behind(weir, name):
    address = "file://%s/%s" % (weir.folder, name)
    weir.run("pub", address, LONG, "-n", "10")
    sub = stopped(weir, address)
    assert end_of(weir, address, sub)["behind"] == {"messages": 0, "bytes": 0}
    before = os.stat(weir.folder + "/" + name).st_size
    weir.run("pub", address, LONG, "-n", "25")
    size = os.stat(weir.folder + "/" + name).st_size
    found = info(weir, address)
    end = end_of(weir, address, sub)
    assert end["is_stopped"] and end["behind"] == {"messages": 25, "bytes": size - before}
    assert (found["first_seq"], found["last_seq"], found["size"], found["bytes"]) == (1, 35, size, size)
    assert found["first"] <= found["last"] and found["disk_bytes"] % 512 == 0 and found["copies"]
    text = table(weir, address)
    assert "messages 1 to 35" in text and "1 reader, 0 observers" in text and "25 messages behind" in text
    sub.send_signal(signal.SIGCONT)
    until(lambda: end_of(weir, address, sub)["behind"] == {"messages": 0, "bytes": 0}, "it has caught up")
    assert end_of(weir, address, sub)["messages"] == 25


def test_behind_over_files_that_were_put_aside(weir):
    address = "file://%s/a.weir" % weir.folder
    sub = stopped(weir, address)
    weir.run("pub", address + "?rotate=64K&sync=interval:2s", LONG, "-n", "2000")
    found = info(weir, address)
    assert len(found["rotated"]) >= 2 and found["state"] == "live" and found["readers_holding"] == 1
    assert end_of(weir, address, sub)["behind"] == {"messages": 2000, "bytes": found["bytes"]}
    assert (found["first_seq"], found["last_seq"]) == (1, 2000)
    pub = weir.start("pub", address + "?rotate=64K&age=1h&sync=interval:2s", LONG, "--rate", "5")
    weir.until_end("writer", pub)
    options = end_of(weir, address, pub)["options"]
    assert (options["sync"], options["sync_interval"], options["rotate"]) == ("interval", 2000000000, 65536)
    assert (options["age"], options["files"]) == (3600000000000, 4)
    assert "sync=interval:2.0s rotate=64K age=60m files=4" in table(weir, address)


def test_state_file(weir):
    address = "file://%s/a.json?state=1" % weir.folder
    weir.run("pub", address, "1")
    found = info(weir, address)
    assert found["is_state"] and found["last"] and "last_seq" not in found
    assert "one value, put there" in table(weir, address)


def test_ls_counts_what_a_log_holds(weir):
    """Also when nobody writes it any more."""
    address = "file://%s/a.weir" % weir.folder
    weir.run("pub", address, LONG, "-n", "12")
    sub = weir.start("sub", address, stdout=subprocess.DEVNULL)
    weir.until_end("reader", sub)
    (channel,) = [json.loads(line) for line in weir.out("ls", "--json").splitlines()]
    assert channel["messages"] == 12 and channel["last"] and channel["bytes"] > 0


def test_one_of_each_is_said_as_one(weir):
    address = "file://%s/a.weir" % weir.folder
    weir.run("pub", address, LONG)
    sub = weir.start("sub", address + "?from=oldest", stdout=subprocess.DEVNULL)
    weir.until_end("reader", sub)
    until(lambda: end_of(weir, address, sub)["messages"] == 1, "it has read")
    text = table(weir, address)
    assert "1 reader," in text and ": 1 message," in text and not re.search(r"\b1 [a-z]+s\b(?!=)", text), text


# ---- sealed ----

def test_sealed_reader(weir):
    pub = weir.start("pub", "lab/s?sealed=1&timeout=forever", "1", "--rate", "50")
    weir.until_end("writer", pub)
    sub = stopped(weir, "lab/s?sealed=1")
    end = until(lambda: (lambda e: e if (e["behind"]["messages"] or 0) > 5 else None)(end_of(weir, "lab/s", sub)),
                "it falls behind")
    assert end["is_stopped"] and info(weir, "lab/s")["copies"]
    assert "messages behind" in table(weir, "lab/s") and "pid -" not in table(weir, "lab/s")


# ---- records ----

def test_record_of_an_older_version(weir):
    """One that ends in front of what ends tell of themselves is of an end that tells nothing."""
    sub = weir.start("sub", "lab/a", stdout=subprocess.DEVNULL)
    weir.until_end("reader", sub)
    ends = "%s/weir-%d/~ends/" % (weir.folder, os.geteuid())
    (name,) = os.listdir(ends)
    with open(ends + name, "rb") as file, open(ends + "1-1", "wb") as older:
        older.write(file.read()[:920])
        older.flush()
        fcntl.fcntl(older, F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 1, 0))
        found = info(weir, "lab/a")["ends"]
    assert [end["pid"] for end in found] == [sub.pid] * 2
    assert [end["queued"] for end in found] == [0, 0] and not found[0]["is_listening"]
