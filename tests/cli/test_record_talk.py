"""What weir record says to a person who sits at a terminal, and only to him; and sentences about files that are no
logs."""
import json
import os
import pty
import resource
import select
import signal
import subprocess
import time

import pytest

from conftest import COMMAND, DEADLINE_S, until


def log(weir, name="r.weir"):
    return weir.folder + "/" + name


class Terminal:
    """A command whose standard error is a terminal."""

    def __init__(self, weir, *arguments):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen([COMMAND, *arguments], stderr=slave, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, env=weir.environment)
        os.close(slave)
        weir.started.append(self.process)
        self.text = ""

    def read(self, wanted=None):
        """Until @wanted was said; without, until it has ended."""
        end = time.monotonic() + DEADLINE_S
        while wanted is None or wanted not in self.text:
            ready, _, _ = select.select([self.master], [], [], max(0, end - time.monotonic()))
            assert ready, "in vain for %d s: %r; so far %r" % (DEADLINE_S, wanted, self.text)
            try:
                block = os.read(self.master, 65536)
            except OSError:
                break
            if not block:
                break
            self.text += block.decode().replace("\r", "")
        return self.text


def test_a_terminal_is_told(weir):
    terminal = Terminal(weir, "record", "-o", log(weir), "lab/a", "lab/b")
    assert terminal.read("until Ctrl-C\n") == ("weir: recording shm://lab/a to %s\n"
                                               "weir: recording shm://lab/b to %s until Ctrl-C\n" % ((log(weir),) * 2))
    weir.run("pub", "lab/a?readers=1", "1", "-n", "2")
    weir.run("pub", "lab/b?readers=1", "1")
    until(lambda: sum(end["messages"] for end in weir.ends("reader")) == 3, "they are read")
    terminal.process.send_signal(signal.SIGINT)
    said = terminal.read()
    assert terminal.process.wait(DEADLINE_S) == 130
    assert said.endswith("weir: %s: 2 messages of shm://lab/a\nweir: %s: 1 message of shm://lab/b\n"
                         % ((log(weir),) * 2))


@pytest.mark.parametrize("verbose", [[], ["-v"]])
def test_without_a_terminal_only_v_makes_it_talk(weir, verbose):
    record = weir.start("record", "-o", log(weir), "lab/a", "-n", "1", *verbose)
    weir.until_end("reader", record)
    weir.run("pub", "lab/a?readers=1", "1")
    _, said = weir.finish(record)
    assert said == ("weir: recording shm://lab/a to %s\nweir: %s: 1 message of shm://lab/a\n" % ((log(weir),) * 2)
                    if verbose else "")


def test_no_message_in_time(weir):
    assert weir.error(4, "record", "-o", log(weir), "lab/a", "--timeout", "50ms") == (
        "weir: shm://lab/a: no message for 50ms, after 0 messages; weir ls shows who is there\n")
    said = weir.error(4, "record", "-o", log(weir), "lab/a", "lab/b", "lab/c", "--timeout", "50ms")
    assert said.startswith("weir: shm://lab/a and 2 more: no message for 50ms")


@pytest.mark.parametrize("what", [("play", "PATH"), ("pub", "URI", "1"), ("sub", "URI", "-n", "1"), ("get", "URI"),
                                  ("sub", "URI?from=last", "-n", "1"), ("sub", "URI", "--from", "oldest"),
                                  ("sub", "URI", "--from", "-1h"), ("record", "-o", "PATH", "lab/a", "-n", "1"),
                                  ("serve", "URI", "--op", "x", "--command", "cat"), ("call", "URI", "x")])
def test_a_file_that_is_no_log_is_named(weir, what):
    with open(log(weir), "wb") as file:
        file.write(bytes(range(7, 207)) * 20)
    arguments = [{"PATH": log(weir), "URI": "file://" + log(weir)}.get(a, a).replace("URI", "file://" + log(weir))
                 for a in what]
    said = weir.error(1, *arguments)
    assert said == ("weir: file://%s: this is no weir log, as its beginning shows; choose another path, or say "
                    "framing= if it is of another kind\n" % log(weir))
    with open(log(weir), "rb") as file:
        assert file.read() == bytes(range(7, 207)) * 20


def test_a_log_that_takes_no_more_ends_the_recording_and_says_what_it_holds(weir):
    """A limit of the file's size stands for the full disk, which is only waited for longer."""
    record = weir.start("record", "-o", log(weir), "lab/a")
    weir.until_end("writer", record)
    weir.run("pub", "lab/a", "1")
    until(lambda: os.path.getsize(log(weir)) > 128, "a message in the log")
    resource.prlimit(record.pid, resource.RLIMIT_FSIZE, (20000, 20000))
    weir.run("pub", "lab/a", '"%s"' % (1000 * "x"), "-n", "50")
    out, said = weir.finish(record, 4)
    held = json.loads(weir.out("info", "file://" + log(weir), "--json"))["last_seq"]
    lines = said.splitlines()
    assert len(lines) == 2 and out == ""
    assert lines[0].startswith("weir: file://%s: no room for " % log(weir))
    assert lines[1] == "weir: %s: recording is over; the log ends with message %d" % (log(weir), held)
    assert 1 <= held < 51


def test_a_log_is_not_played_into_itself(weir):
    record = weir.start("record", "-o", log(weir), "lab/a", "-n", "2")
    weir.until_end("writer", record)
    weir.run("pub", "lab/a", "1", "-n", "2")
    weir.finish(record)
    size = os.path.getsize(log(weir))
    os.link(log(weir), log(weir, "other.weir"))
    for name in ("r.weir", "other.weir", "r.weir?sync=none"):
        said = weir.error(2, "play", log(weir), "--speed", "max", "--map", "lab/a=file://" + log(weir, name))
        assert said == ("weir: play: %s cannot be played into itself; send what came from shm://lab/a elsewhere with "
                        "--map\n" % log(weir))
    assert os.path.getsize(log(weir)) == size
    weir.run("play", log(weir), "--speed", "max", "--map", "lab/a=file://" + log(weir, "copy.weir"))
    assert weir.out("get", "file://" + log(weir, "copy.weir")) == "1\n"
