"""weir info: what it says of channels that are idle, live, stuck, left by the dead, or of other users."""
import json
import os
import signal
import subprocess

import pytest

from conftest import COMMAND, on_terminal, until

NOBODY = 65534


def info(weir, address):
    return json.loads(weir.out("info", address, "--json"))


def lines(weir, address, what):
    return [line.split("\t") for line in weir.out("info", address).splitlines() if line.startswith(what + "\t")]


def test_channel_that_is_not_there(weir, place):
    assert "lab/none" in weir.error(3, "info", "lab/none")
    weir.error(3, "info", place("none"))
    weir.error(3, "info", "~%d/lab/none" % NOBODY)


def test_idle_channel(weir):
    weir.run("pub", "lab/a?capacity=128K", "1", "-n", "3")
    found = info(weir, "lab/a")
    (lane,) = found["lanes"]
    assert (found["v"], found["address"], found["state"], found["keep"]) == (1, "shm://lab/a", "idle", True)
    assert found["path"] == "%s/weir-%d/lab~a" % (weir.folder, os.geteuid()) and os.path.isdir(found["path"])
    assert (found["mode"], found["server"], found["readers"], found["ends"]) == ("0600", None, [], [])
    assert (lane["state"], lane["pid"], lane["capacity"], lane["used"]) == ("free", None, 131072, 3 * 64)
    assert (lane["messages"], lane["oldest_seq"], lane["seq"], lane["writers_so_far"]) == (3, 1, 3, 1)
    assert lane["oldest"] <= lane["newest"] and lane["copied"] is None and lane["error"] is None


def test_keep_0(weir):
    pub = weir.start("pub", "lab/a?keep=0&full=drop-oldest", "1", "--rate", "20")
    weir.until_end("writer", pub)
    assert info(weir, "lab/a")["keep"] is False
    pub.send_signal(signal.SIGKILL)
    pub.wait()
    found = info(weir, "lab/a")  # looking does not take it away
    assert found["state"] == "idle" and found["lanes"][0]["state"] == "free"
    weir.run("gc")
    weir.error(3, "info", "lab/a")


def test_channel_without_a_writer(weir):
    sub = weir.start("sub", "lab/a?wait=poll")
    weir.until_end("reader", sub)
    found = info(weir, "lab/a")
    (reader,) = found["readers"]
    assert (found["state"], found["keep"], found["lanes"]) == ("live", None, [])
    assert (reader["pid"], reader["role"], reader["wait"], reader["lags"]) == (sub.pid, "reader", "poll", [])


def test_stopped_reader_in_the_way(weir):
    """A full lane: whose fault it is, and how far behind he is."""
    sub = weir.start("sub", "lab/a", stdout=subprocess.DEVNULL)
    weir.until_end("reader", sub)
    sub.send_signal(signal.SIGSTOP)
    pub = weir.start("pub", "lab/a?capacity=64K&timeout=forever", json.dumps("x" * 900), "-n", "1000")
    blocked = until(lambda: [l for l in info(weir, "lab/a")["lanes"] if l["is_blocked"]], "a writer that waits")
    found = info(weir, "lab/a")
    (reader,), (lane,) = found["readers"], found["lanes"]
    assert blocked[0]["pid"] == lane["pid"] == pub.pid and lane["state"] == "held"
    assert (reader["pid"], reader["state"], reader["is_stopped"]) == (sub.pid, "live", True)
    assert reader["is_holding"] and reader["is_in_the_way"] and reader["copied"] is None
    (lag,) = reader["lags"]
    assert lag["messages"] == lane["seq"] > 10
    assert lag["bytes"] == lane["unread"] == lane["used"] == lag["messages"] * 960
    assert [end["options"]["full"] for end in found["ends"] if end["role"] == "writer"] == ["block"]
    sub.send_signal(signal.SIGCONT)
    weir.finish(pub)
    until(lambda: info(weir, "lab/a")["readers"][0]["lags"][0]["messages"] == 0, "the reader has caught up")


def test_dead_writer_and_dead_reader(weir):
    sub = weir.start("sub", "lab/a")
    weir.until_end("reader", sub)
    pub = weir.start("pub", "lab/a", "1", "--rate", "50")
    weir.until_end("writer", pub)
    until(lambda: info(weir, "lab/a")["readers"][0]["messages"], "the reader has read")
    for process in (sub, pub):
        process.send_signal(signal.SIGKILL)
        process.wait()
    found = info(weir, "lab/a")
    (reader,), (lane,) = found["readers"], found["lanes"]
    assert (found["state"], found["ends"]) == ("idle", [])
    assert (lane["state"], lane["pid"]) == ("free", None) and lane["seq"] > 0
    assert (reader["state"], reader["pid"], reader["program"], reader["gaps"]) == ("dead", sub.pid, None, None)


def test_why_messages_are_copied(weir):
    observer = weir.start("sub", "lab/a?observe=1")
    weir.until_end("observer", observer)
    pub = weir.start("pub", "lab/a?full=drop-oldest", "1", "--rate", "50")
    weir.until_end("writer", pub)
    found = info(weir, "lab/a")
    (reader,), (lane,) = found["readers"], found["lanes"]
    assert reader["role"] == "observer" and not reader["is_holding"]
    assert [lag["lane"] for lag in reader["lags"]] == [0] and reader["lags"][0]["bytes"] is None
    assert "overwritten" in reader["copied"] and lane["is_lossy"] and "drop-oldest" in lane["copied"]
    assert lane["unread"] is None


def test_lane_that_has_grown(weir):
    """Lags are right over the segments of a lane."""
    sub = weir.start("sub", "lab/a")
    weir.until_end("reader", sub)
    sub.send_signal(signal.SIGSTOP)
    weir.run("pub", "lab/a?capacity=64K", "1", "-n", "10")
    weir.run("pub", "lab/a?capacity=64K", json.dumps("x" * 100000))
    found = info(weir, "lab/a")
    (reader,), (lane,) = found["readers"], found["lanes"]
    assert (lane["segment"], lane["segments"], lane["oldest_seq"], lane["seq"]) == (2, 2, 1, 11)
    assert reader["lags"][0]["messages"] == 11 and reader["lags"][0]["bytes"] == lane["used"]


def test_server_and_client(weir, place):
    serve = weir.start("serve", place("call"), "--op", "echo", "--command", "cat")
    weir.until_end("server", serve)
    found = info(weir, place("call"))
    assert found["state"] == "live" and [end["role"] for end in found["ends"]] == ["server"]
    who = found["listener" if found["transport"] in ("unix", "tcp") else "server"]
    assert (who["pid"], who["program"], who["is_stopped"]) == (serve.pid, "weir", False)
    if found["transport"] not in ("unix", "tcp"):
        assert [reader["role"] for reader in found["readers"]] == ["server"]


def test_socket(weir):
    address = "unix://%s/a.sock" % weir.folder
    sub = weir.start("sub", address + "?mode=0660")
    weir.until_end("reader", sub)
    pub = weir.start("pub", address + "?full=drop-oldest", "1", "--rate", "20")
    weir.until_end("writer", pub)
    found = info(weir, address)
    assert found["listener"]["pid"] == sub.pid and found["mode"] == "0660"
    assert {end["pid"]: end["role"] for end in found["ends"]} == {sub.pid: "reader", pub.pid: "writer"}
    for process in (sub, pub):
        process.send_signal(signal.SIGKILL)
        process.wait()
    found = info(weir, address)
    assert (found["state"], found["listener"], found["ends"]) == ("idle", None, [])


def test_damaged_channel(weir):
    weir.run("pub", "lab/a", "1")
    folder = info(weir, "lab/a")["path"]
    with open(folder + "/lane.0.1", "r+b") as file:
        file.write(b"not weir")
    (lane,) = info(weir, "lab/a")["lanes"]
    assert lane["error"] and "state" not in lane
    assert "damaged" in lines(weir, "lab/a", "lane")[0][-1]
    with open(folder + "/channel", "r+b") as file:
        file.write(b"not weir")
    assert "lab/a" in weir.error(1, "info", "lab/a")


def test_numbers_that_lie(weir):
    """Whatever the shared words say, the answer comes and nothing breaks."""
    weir.run("pub", "lab/a?capacity=64K", "1", "-n", "20")
    folder = info(weir, "lab/a")["path"]
    for offset in range(4096, 4096 + 192, 8):
        for word in (b"\xff" * 8, b"\x01" + b"\0" * 7, b"\0" * 7 + b"\x80"):
            with open(folder + "/lane.0.1", "r+b") as file:
                file.seek(offset)
                before = file.read(8)
                file.seek(offset)
                file.write(word)
                file.flush()
                assert len(info(weir, "lab/a")["lanes"]) == 1
                file.seek(offset)
                file.write(before)
    with open(folder + "/cursors", "r+b") as file:
        file.seek(64)
        file.write(b"\xff" * 4096)
    assert len(info(weir, "lab/a")["readers"]) == 64


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
def test_channels_of_another_user(weir):
    os.chmod(weir.folder, 0o755)
    weir.run("pub", "lab/private", "1")
    weir.run("pub", "lab/shown?mode=0644", "1")

    def stranger(name):
        return subprocess.run([COMMAND, "info", "~0/" + name, "--json"], capture_output=True, text=True, user=NOBODY,
                              group=NOBODY, extra_groups=[], env=weir.environment)

    if os.access(COMMAND, os.X_OK) and stranger("lab/shown").returncode == 126:
        pytest.skip("another user may not run the command where it was built")
    shown = stranger("lab/shown")
    assert shown.returncode == 0, shown.stderr
    found = json.loads(shown.stdout)
    assert (found["owner"], found["mode"], found["readers"], found["ends"]) == ("root", "0644", None, [])
    assert found["lanes"][0]["seq"] == 1
    private = stranger("lab/private")
    assert private.returncode == 6 and private.stdout == ""
    assert private.stderr == ("weir: shm://~0/lab/private is closed to you; its owner can let you in with allow=, or "
                              "make it anew (weir gc first) with mode= and group=\n")


def test_pipe_form(weir):
    sub = weir.start("sub", "lab/a")
    weir.until_end("reader", sub)
    weir.run("pub", "lab/a", "1")
    (channel,) = lines(weir, "lab/a", "channel")
    assert channel[1:4] == ["shm://lab/a", "shm", "live"] and channel[7:] == ["0600", "true"]
    (lane,) = lines(weir, "lab/a", "lane")
    assert lane[1:6] == ["0", "free", "-", "-", "-"] and len(lane) == 17
    (reader,) = lines(weir, "lab/a", "reader")
    assert reader[1:5] == ["0", "reader", "live", str(sub.pid)] and len(reader) == 14
    (end,) = lines(weir, "lab/a", "end")
    assert end[1:3] == ["reader", str(sub.pid)] and end[-1] == "lab/a" and len(end) == 17
    assert len(lines(weir, "lab/a", "lag")) == 1


def test_terminal_form(weir):
    """On a terminal it is a table for people, with colour unless NO_COLOR says otherwise."""
    weir.run("pub", "lab/a", "1")

    def shown(**environment):
        return on_terminal(weir, "info", "lab/a", TERM="xterm", **environment)

    assert "\033[1m" in shown() and "\t" not in shown()
    plain = shown(NO_COLOR="1")
    assert "\033" not in plain and "LANE STATE" in plain and "no writer" in plain and "mode 0600" in plain
