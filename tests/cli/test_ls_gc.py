"""weir ls and weir gc."""
import json
import os
import signal

from conftest import until


def test_nothing_there(weir):
    assert weir.out("ls", "--json") == "" and weir.out("ls") == ""
    assert weir.out("gc") == ""


def test_live_and_idle_channels(weir):
    weir.run("pub", "lab/idle", "1", "-n", "3")
    pub = weir.start("pub", "lab/live?full=drop-oldest", "1", "--rate", "20")
    weir.until_end("writer", pub)
    channels = {channel["address"]: channel for channel in weir.channels()}
    assert sorted(channels) == ["shm://lab/idle", "shm://lab/live"]
    idle, live = channels["shm://lab/idle"], channels["shm://lab/live"]
    assert (idle["v"], idle["state"], idle["messages"], idle["ends"]) == (1, "idle", 3, [])
    assert live["state"] == "live" and live["bytes"] > 0
    (end,) = live["ends"]
    assert (end["role"], end["pid"], end["program"]) == ("writer", pub.pid, "weir")


def test_pipe_form_is_tab_separated(weir):
    weir.run("pub", "lab/a", "1", "-n", "2")
    (line,) = weir.out("ls").splitlines()
    fields = line.split("\t")
    assert fields[:3] == ["shm://lab/a", "idle", "2"] and fields[5:] == ["0", "0", "0", "0"]


def test_socket_is_listed_while_somebody_has_it(weir):
    address = "unix://%s/a.sock" % weir.folder
    sub = weir.start("sub", address)
    weir.until_end("reader", sub)
    (channel,) = weir.channels()
    assert (channel["address"], channel["state"], channel["transport"]) == (address, "live", "unix")
    pub = weir.start("pub", address, "1", "-n", "3", "--rate", "100")
    pub.wait()
    weir.start("pub", address, "1", "--rate", "100")
    until(lambda: weir.channels()[0]["messages"] > 3, "messages of a writer on a socket")


def test_gc_takes_what_a_killed_program_left(weir):
    pub = weir.start("pub", "lab/gone?keep=0&full=drop-oldest", "1", "--rate", "20")
    weir.until_end("writer", pub)
    weir.run("pub", "lab/kept", "1")
    pub.send_signal(signal.SIGKILL)
    pub.wait()
    planned = [json.loads(line) for line in weir.out("gc", "--dry-run", "--json").splitlines()]
    assert planned and all(item["v"] == 1 and item["removed"] is False for item in planned)
    assert all(os.path.exists(item["path"]) for item in planned)
    removed = [json.loads(line) for line in weir.out("gc", "--json").splitlines()]
    assert [item["path"] for item in removed] == [item["path"] for item in planned]
    assert not any(os.path.exists(item["path"]) for item in removed)
    assert [channel["address"] for channel in weir.channels()] == ["shm://lab/kept"]
    assert weir.out("gc") == ""


def test_gc_lets_the_living_be(weir):
    pub = weir.start("pub", "lab/live?keep=0&full=drop-oldest", "1", "--rate", "20")
    weir.until_end("writer", pub)
    assert weir.out("gc") == ""
    assert len(weir.ends("writer")) == 1
