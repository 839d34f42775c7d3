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


def test_messages_of_writers_that_are_gone(weir):
    """A socket counts nothing; what its reader has seen is known."""
    address = "unix://%s/a.sock" % weir.folder
    sub = weir.start("sub", address)
    weir.until_end("reader", sub)
    for _ in range(3):
        weir.run("pub", address, "1")
    until(lambda: weir.channels()[0]["messages"] == 3, "three messages")
    assert weir.out("ls").split("\t")[2] == "3"


def test_what_nobody_can_open_is_listed_and_stays(weir):
    for name, at, byte in (("lab/damaged", 0, b"x"), ("lab/newer", 8, b"\x07")):
        weir.run("pub", name, "1")
        folder = os.path.join(weir.folder, "weir-%d" % os.geteuid(), name.replace("/", "~"))
        with open(os.path.join(folder, "channel"), "r+b") as file:
            file.seek(at)
            file.write(byte)
            file.seek(4104)
            file.write(bytes(4))  # what would be keep=0
    channels = {channel["address"]: channel for channel in weir.channels()}
    assert channels["shm://lab/damaged"]["state"] == channels["shm://lab/newer"]["state"] == "bad"
    assert "damaged" in channels["shm://lab/damaged"]["problem"] and "version" in channels["shm://lab/newer"]["problem"]
    for name in ("lab/damaged", "lab/newer"):
        assert "weir gc shm://" + name in weir.error(1, "info", name)
    assert "weir gc shm://lab/newer" in weir.error(1, "get", "lab/newer")
    assert weir.out("gc") == "" and len(weir.channels()) == 2
    weir.run("gc", "lab/damaged")
    weir.run("gc", "lab/newer")
    assert weir.channels() == []


def test_gc_of_one_channel(weir):
    weir.run("pub", "lab/a", "1")
    sysv = "sysv://" + weir.key("a")
    weir.run("pub", sysv, "1")
    for address in ("lab/a", sysv):
        sub = weir.start("sub", address)
        weir.until_end("reader", sub)
        assert "reader weir (pid %d)" % sub.pid in weir.error(1, "gc", address)
        sub.send_signal(signal.SIGKILL)
        sub.wait()
        assert weir.out("gc", address, "--dry-run") and weir.out("get", address) == "1\n"
        assert "idle channel" in weir.out("gc", address)
        weir.error(3, "get", address)
        weir.error(3, "gc", address)
    assert "rm" in weir.error(1, "gc", "file://%s/a.weir" % weir.folder)


def test_gc_takes_the_socket_of_a_killed_listener(weir):
    path = os.path.join(weir.folder, "a.sock")
    for arguments in (["gc"], ["gc", "unix://" + path]):
        serve = weir.start("serve", "unix://" + path, "--op", "x", "--command", "cat")
        weir.until_end("server", serve)
        assert "pid %d" % serve.pid in weir.error(1, "gc", "unix://" + path)
        serve.send_signal(signal.SIGKILL)
        serve.wait()
        assert weir.channels() == []  # looking takes nothing away, nor the way to it
        assert os.path.exists(path) and path in weir.out(*arguments)
        assert not os.path.exists(path) and not os.path.exists(path + ".lock")


def test_a_mistyped_call_leaves_nothing(weir):
    files = [scheme + "/tpyo" + name for scheme, name in
             (("unix://", ".sock"), ("fifo://", ".fifo"), ("file://", ".jsonl"), ("file://", ".weir"))]
    for address in ["lab/tpyo", "sysv://" + weir.key("tpyo")] + [a.replace("//", "//" + weir.folder) for a in files]:
        weir.run("call", address, "x", "1", "--timeout", "0.1", code=4)
    assert weir.channels() == [] and os.listdir(weir.folder) == []


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
