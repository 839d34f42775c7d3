"""Who may do what with a channel in shared memory, tried as other users: by the command, and by hand on its files."""
import json
import os
import signal
import subprocess

import pytest

from conftest import COMMAND, until

GROUP, MEMBER, STRANGER = 61001, 61002, 61003
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="becoming other users needs root")

BY_HAND = """
import fcntl, os, struct, sys
name = sys.argv[2]
try:
    if sys.argv[1] == "read":
        os.read(os.open(name, os.O_RDONLY), 16)
    elif sys.argv[1] == "write":
        os.open(name, os.O_RDWR)
    elif sys.argv[1] == "cut":
        os.truncate(name, 4096)
    elif sys.argv[1] == "make":
        os.close(os.open(os.path.join(name, "lane.9.1"), os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    elif sys.argv[1] == "remove":
        os.unlink(name)
    elif sys.argv[1] == "widen":
        os.chmod(name, 0o666)
    elif sys.argv[1] == "lock":
        fcntl.fcntl(os.open(name, os.O_RDONLY), 36, struct.pack("hhqqi", fcntl.F_RDLCK, 0, 0, 1, 0))
except PermissionError:
    sys.exit(13)
"""


class Others:
    """The command, and plain system calls, as another user."""

    def __init__(self, weir):
        self.weir = weir
        os.chmod(weir.folder, 0o755)

    def run(self, uid, arguments):
        groups = [GROUP] if uid == MEMBER else []
        return subprocess.run(arguments, capture_output=True, text=True, user=uid, group=uid, extra_groups=groups,
                              env=self.weir.environment, timeout=60, cwd="/")

    def command(self, uid, *arguments):
        return self.run(uid, [COMMAND, *arguments]).returncode

    def may(self, uid, action, path):
        done = self.run(uid, ["/usr/bin/python3", "-c", BY_HAND, action, path])
        assert done.returncode in (0, 13), done.stderr
        return done.returncode == 0


@pytest.fixture
def others(weir):
    found = Others(weir)
    try:
        can_run = found.command(STRANGER, "--version") == 0
    except PermissionError:
        can_run = False
    if not can_run:
        pytest.skip("another user may not run the command where it was built")
    return found


def folder(weir, name):
    return os.path.join(weir.folder, "weir-0", name.replace("/", "~"))


# uid, mode -> exit codes of: get, observe, read with a slot, write. 6: permission.
@pytest.mark.parametrize("mode, uid, get, observe, read, write", [
    ("0600", MEMBER, 6, 6, 6, 6),
    ("0600", STRANGER, 6, 6, 6, 6),
    ("0640", MEMBER, 0, 0, 6, 6),
    ("0640", STRANGER, 6, 6, 6, 6),
    ("0660", MEMBER, 0, 0, 0, 0),
    ("0660", STRANGER, 6, 6, 6, 6),
    ("0644", STRANGER, 0, 0, 6, 6),
    ("0666", STRANGER, 0, 0, 0, 0),
])
def test_who_may_do_what(weir, others, mode, uid, get, observe, read, write):
    weir.run("pub", "lab/a?mode=%s&group=%d" % (mode, GROUP), "1")
    address = "~0/lab/a"
    assert others.command(uid, "get", address) == get
    assert others.command(uid, "sub", address + "?from=oldest&observe=1", "-n", "1") == observe
    assert others.command(uid, "sub", address + "?from=oldest", "-n", "1") == read
    assert others.command(uid, "pub", address, "2") == write
    assert others.command(uid, "info", address) == get
    assert others.command(uid, "get", "~0/lab/none") == (6 if mode == "0600" else 3)


def test_a_reader_by_hand(weir, others):
    """Who may read cannot change, cut, lock, replace or add anything, whatever it calls."""
    weir.run("pub", "lab/a?mode=0640&group=%d" % GROUP, "1")
    place = folder(weir, "lab/a")
    for name in ("channel", "lane.0.1", "members.lock"):
        assert others.may(MEMBER, "read", os.path.join(place, name))
        for action in ("write", "cut", "remove", "widen"):
            assert not others.may(MEMBER, action, os.path.join(place, name)), (name, action)
    for name in ("cursors", "writers.lock", "readers.lock"):
        for action in ("read", "write", "cut", "remove", "widen", "lock"):
            assert not others.may(MEMBER, action, os.path.join(place, name)), (name, action)
    assert not others.may(MEMBER, "make", place)
    for name in ("channel", "cursors", "lane.0.1", "writers.lock", "members.lock"):
        assert not others.may(STRANGER, "read", os.path.join(place, name)), name
    assert weir.out("get", "lab/a") == "1\n"


def test_a_stranger_cannot_list_a_private_store(weir, others):
    weir.run("pub", "lab/a", "1")
    done = others.run(STRANGER, ["ls", os.path.join(weir.folder, "weir-0")])
    assert done.returncode != 0 and done.stdout == ""


def test_a_store_that_somebody_planted_is_refused(weir, others):
    os.mkdir(os.path.join(weir.folder, "weir-0"), 0o777)
    os.chown(os.path.join(weir.folder, "weir-0"), STRANGER, STRANGER)
    assert "WEIR_SHM_DIR" in weir.error(6, "pub", "lab/a", "1")


def test_a_writer_of_another_user_is_named_by_the_kernel(weir, others):
    weir.run("pub", "lab/a?mode=0660&group=%d" % GROUP, "1")
    assert others.command(MEMBER, "pub", "~0/lab/a", "2") == 0
    lanes = json.loads(weir.out("info", "lab/a", "--json"))["lanes"]
    assert sorted(lane["uid"] for lane in lanes) == [0, MEMBER]


# ---- allow= ----

@pytest.mark.parametrize("allow, uid, may", [
    ("uid:%d" % MEMBER, MEMBER, True),
    ("uid:%d" % MEMBER, STRANGER, False),
    ("group:%d" % GROUP, MEMBER, True),
    ("group:%d" % GROUP, STRANGER, False),
    ("uid:1,uid:2,group:%d,uid:%d" % (GROUP, STRANGER), STRANGER, True),
    ("uid:root", STRANGER, False),
])
def test_who_is_let_in(weir, others, allow, uid, may):
    """The same words on shared memory and sockets: who is on the list reads the one and does all on the other; nobody else anything."""
    weir.run("pub", "lab/a?allow=" + allow, "1")
    assert others.command(uid, "get", "~0/lab/a") == (0 if may else 6)
    assert others.command(uid, "sub", "~0/lab/a?from=oldest&observe=1", "-n", "1") == (0 if may else 6)
    assert others.command(uid, "sub", "~0/lab/a?from=oldest", "-n", "1") == 6
    assert others.command(uid, "pub", "~0/lab/a", "2") == 6
    assert others.command(uid, "pub", "~0/lab/a?allow=uid:%d" % uid, "2") == 6
    weir.run("pub", "lab/a?capacity=4M", "3")  # a new segment lets in the same
    assert others.command(uid, "get", "~0/lab/a") == (0 if may else 6)
    address = "unix://%s/a.sock" % weir.folder
    pub = weir.start("pub", address + "?allow=" + allow, "1", "--rate", "50")
    weir.until_end("writer", pub)
    assert others.command(uid, "get", address) == (0 if may else 6)
    assert others.command(uid, "sub", address, "-n", "1") == (0 if may else 6)
    assert others.command(uid, "pub", address, "2") == (0 if may else 6)
    (end,) = weir.ends("writer")
    assert end["refused"] == (0 if may else 3)
    assert weir.out("get", address) in ("1\n", "2\n")


def test_who_is_refused_is_told_the_way_out(weir, others):
    address = "unix://%s/a.sock" % weir.folder
    pub = weir.start("pub", address + "?allow=uid:%d" % MEMBER, "1", "--rate", "50")
    weir.until_end("writer", pub)
    done = others.run(STRANGER, [COMMAND, "get", address])
    assert done.returncode == 6 and done.stdout == ""
    assert "uid %d may not connect" % STRANGER in done.stderr and "allow=uid:%d" % STRANGER in done.stderr
    weir.run("pub", "lab/a", "1")
    assert "allow=, or make it anew (weir gc first) with mode= and group=" in others.run(STRANGER, [COMMAND, "get", "~0/lab/a"]).stderr


def test_a_reader_on_the_list_by_hand(weir, others):
    """Who is on the list can read three kinds of files, and nothing else; the owner's group gains nothing."""
    weir.run("pub", "lab/a?allow=uid:%d" % MEMBER, "1")
    place = folder(weir, "lab/a")
    for name in ("channel", "lane.0.1", "members.lock"):
        assert others.may(MEMBER, "read", os.path.join(place, name))
        for action in ("write", "cut", "remove", "widen"):
            assert not others.may(MEMBER, action, os.path.join(place, name)), (name, action)
        assert not others.may(STRANGER, "read", os.path.join(place, name))
        done = subprocess.run(["cat", os.path.join(place, name)], user=STRANGER, group=0, extra_groups=[],
                              capture_output=True, cwd="/")
        assert done.returncode != 0 and done.stdout == b"", name
    for name in ("cursors", "writers.lock", "readers.lock"):
        for action in ("read", "write", "cut", "remove", "widen", "lock"):
            assert not others.may(MEMBER, action, os.path.join(place, name)), (name, action)
    assert not others.may(MEMBER, "make", place)
    assert weir.out("get", "lab/a") == "1\n"


def test_the_newest_list_counts(weir, others):
    """A later end of the owner with another list changes who may, also in what is there already; without one nothing changes."""
    weir.run("pub", "lab/a", "1")
    assert [others.command(uid, "get", "~0/lab/a") for uid in (MEMBER, STRANGER)] == [6, 6]
    weir.run("pub", "lab/a?allow=uid:%d" % MEMBER, "2")
    assert [others.command(uid, "get", "~0/lab/a") for uid in (MEMBER, STRANGER)] == [0, 6]
    weir.run("pub", "lab/a", "3")
    assert [others.command(uid, "get", "~0/lab/a") for uid in (MEMBER, STRANGER)] == [0, 6]
    weir.run("pub", "lab/a?allow=uid:%d" % STRANGER, "4")
    assert [others.command(uid, "get", "~0/lab/a") for uid in (MEMBER, STRANGER)] == [6, 0]
    found = json.loads(weir.out("info", "lab/a", "--json"))
    assert found["allow"] == ["uid:%d" % STRANGER] and found["mode"] == "0640"


# ---- sealed=1 ----

def test_a_sealed_channel_by_the_command(weir, others):
    """The owner writes; who is on the list reads, follows and takes the latest; nobody else does anything."""
    pub = weir.start("pub", "lab/a?sealed=1&allow=uid:%d" % MEMBER, "1", "--rate", "100")
    weir.until_end("writer", pub)
    assert weir.out("get", "lab/a") == weir.out("get", "lab/a?sealed=1") == "1\n"
    for address in ("~0/lab/a", "~0/lab/a?sealed=1"):
        assert others.command(MEMBER, "get", address) == 0
        assert others.command(STRANGER, "get", address) == 6
    assert others.command(MEMBER, "sub", "~0/lab/a?from=oldest", "-n", "3") == 0
    assert others.command(STRANGER, "sub", "~0/lab/a?from=oldest", "-n", "3") == 6
    for uid in (MEMBER, STRANGER):
        assert others.command(uid, "pub", "~0/lab/a", "2") == 6
    assert "unix://" in weir.error(1, "call", "lab/a", "op", "1")
    found = json.loads(weir.out("info", "lab/a", "--json"))
    assert found["sealed"] is True and found["allow"] == ["uid:%d" % MEMBER] and found["state"] == "live"
    assert found["writers"] == [{"number": 0, "state": "live"}]
    assert [channel["address"] for channel in weir.channels()] == ["shm://lab/a"]
    pub.send_signal(signal.SIGKILL)
    pub.wait()
    assert weir.run("get", "lab/a", code=3)
    weir.run("pub", "lab/b?sealed=1", "1")
    weir.run("gc")
    assert not os.path.exists(folder(weir, "lab/a")) and not os.path.exists(folder(weir, "lab/b"))


def test_a_stopped_writer_goes_on(weir):
    """However long it was stopped, nobody waited for it and nothing of it is lost or written over."""
    sub = weir.start("sub", "lab/a", "--json", "-n", "60")
    weir.until_end("reader", sub)
    first = weir.start("pub", "lab/a", '"first"', "-n", "30", "--rate", "50")
    until(lambda: [l for l in json.loads(weir.out("info", "lab/a", "--json"))["lanes"] if l["seq"] > 3], "it has begun")
    first.send_signal(signal.SIGSTOP)
    weir.run("pub", "lab/a", '"second"', "-n", "30")  # another lane: nobody gives the first one's away
    first.send_signal(signal.SIGCONT)
    weir.finish(first)
    out, _ = weir.finish(sub)
    messages = [json.loads(line) for line in out.splitlines()]
    for name in ("first", "second"):
        assert [m["seq"] for m in messages if m["data"] == name] == list(range(1, 31))


# ---- logs and pipes: who it is of, and the way out ----

@pytest.fixture
def logs(weir, others):
    path = os.path.join(weir.folder, "logs")
    os.mkdir(path, 0o755)
    return path


def refused(others, uid, *arguments):
    done = others.run(uid, [COMMAND, *arguments])
    assert done.returncode == 6 and done.stdout == "" and done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize("name", ["a.weir", "a.jsonl", "a.json?state=1"])
def test_a_log_of_another_user(weir, others, logs, name):
    address, file = "file://%s/%s" % (logs, name), name.partition("?")[0]
    weir.run("pub", address, "1")
    path = os.path.join(logs, file)
    for verb, words in (("read", ("get", address)), ("read", ("sub", address)), ("write", ("pub", address, "1"))):
        said = refused(others, STRANGER, *words)
        assert "%s is of user root, group root (mode 0600), and user %d may not %s it" % (path, STRANGER, verb) in said
        assert "its owner can chmod it, or make it anew with mode= and group=" in said
    os.chmod(path, 0o644)
    assert others.run(STRANGER, [COMMAND, "get", address]).stdout == "1\n"
    assert "(mode 0644), and user %d may not write it" % STRANGER in refused(others, STRANGER, "pub", address, "1")


def test_a_lock_file_of_another_user(weir, others, logs):
    address = "file://%s/a.weir" % logs
    weir.run("pub", address + "?mode=0666", "1")
    os.chmod(logs, 0o777)
    open(logs + "/a.weir.lock", "w").close()
    os.chmod(logs + "/a.weir.lock", 0o600)
    said = refused(others, STRANGER, "pub", address, "1")
    assert "its lock file %s/a.weir.lock is of user root, group root (mode 0600)" % logs in said


def test_a_folder_of_another_user(weir, others, logs):
    for address in ("file://%s/a.weir" % logs, "fifo://%s/a.fifo" % logs):
        said = refused(others, STRANGER, "pub", address, "1")
        assert "user %d may not make files in the folder %s, of user root, group root (mode 0755)" % (STRANGER, logs) in said
    weir.run("pub", "file://%s/b.weir" % logs, "1")
    os.chmod(logs, 0o700)
    for words in (("pub", "file://%s/b.weir" % logs, "1"), ("sub", "file://%s/b.weir" % logs)):
        assert "may not enter the folder %s, of user root, group root (mode 0700)" % logs in refused(others, STRANGER, *words)


def test_a_pipe_of_another_user(weir, others, logs):
    os.mkfifo(logs + "/a.fifo", 0o600)
    for verb, words in (("write", ("pub", "fifo://%s/a.fifo" % logs, "1")), ("read", ("sub", "fifo://%s/a.fifo" % logs))):
        said = refused(others, STRANGER, *words)
        assert "a.fifo is of user root, group root (mode 0600), and user %d may not %s it" % (STRANGER, verb) in said
