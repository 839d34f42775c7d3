"""System calls of a log's writer fail one after the other, as strace makes them, and a small file system is full.

What passes (a signal, a short write that goes on) must not show. What does not must end in one sentence that names the address, and
leave the log as it was: every line of it whole, and the next writer goes on.
"""
import json
import os
import subprocess
import sys
import time

import pytest

from syscalls import COMMAND, traced

PASSING = [
    ("write:error=EINTR:when=1", ".jsonl", ""),
    ("pwrite64:error=EINTR:when=2+2", ".weir", ""),
    ("pread64:error=EINTR:when=1+2", ".weir", ""),
    ("fcntl:error=EAGAIN:when=1..40", ".jsonl", ""),
    ("fcntl:error=EAGAIN:when=1..40", ".weir", ""),
]

# What is told, and with sync what is known of the disk: a failed sync is no lost message, but nothing is written after it.
FAILING = [
    ("write:error=ENOSPC", ".jsonl", "full=fail", "no room"),
    ("write:error=EDQUOT", ".bson", "full=fail", "no room"),
    ("write:error=EIO", ".jsonl", "", "writing failed"),
    ("fdatasync:error=EIO", ".jsonl", "sync=always", "to the disk failed"),
    ("fdatasync:error=EIO", ".weir", "sync=interval:0s", "to the disk failed"),
    ("rename:error=EIO", ".json", "state=1", "cannot be put in place"),
    ("fsync:error=EIO", ".json", "state=1", "the old one stays"),
]


def run(*args, inject=None, only=None, code=None):
    trace = traced(inject, *(["-P", only] if only else [])) if inject else []
    done = subprocess.run([*trace, COMMAND, *args], capture_output=True, text=True, timeout=60)
    assert code is None or done.returncode == code, done.stderr
    return done


def numbers(address):
    out = run("sub", address, "--from", "oldest", "--json", "--timeout", "100ms", code=4).stdout
    return [json.loads(line)["data"] for line in out.splitlines()]


@pytest.mark.parametrize("inject,extension,options", PASSING)
def test_what_passes_does_not_show(place, inject, extension, options):
    address = f"file://{place}/log{extension}"
    run("pub", address, "1", code=0)
    done = run("pub", f"{address}?{options}" if options else address, "2", inject=inject, only=f"{place}/log{extension}")
    assert (done.returncode, done.stderr) == (0, "")
    run("pub", address, "3", code=0)
    assert numbers(address) == [1, 2, 3]


@pytest.mark.parametrize("inject,extension,options,says", FAILING)
def test_what_does_not_pass_is_told(place, inject, extension, options, says):
    path = f"{place}/log{extension}"
    address = f"file://{path}?{options}"
    plain = f"file://{path}" + ("?state=1" if "state" in options else "")
    run("pub", plain, "1", code=0)
    with open(path, "rb") as file:
        before = file.read()
    traced = path if inject.startswith(("write", "fdatasync")) else None
    done = run("pub", address, "2", inject=inject, only=traced)
    assert done.returncode == 1
    assert says in done.stderr and done.stderr.count("\n") == 1, done.stderr
    with open(path, "rb") as file:
        after = file.read()
    assert after == before or (inject.startswith("fdatasync") and after.startswith(before))
    assert not [name for name in os.listdir(place) if name.endswith((".new", ".lock"))]
    run("pub", plain, "3", code=0)
    assert json.loads(run("get", plain, code=0).stdout) == 3


# The log is opened at first, and then after each rotation: the writer goes on after one that failed.
ROTATING = """
import sys
import weir
writer = weir.Writer(sys.argv[1] + "?rotate=64K")
for number in range(200):
    try:
        writer.send({"number": number, "filler": "x" * 1000})
    except weir.Error as error:
        print(number, error)
writer.close()
"""


@pytest.mark.parametrize("nth", [3, 4])
@pytest.mark.parametrize("extension", [".weir", ".jsonl"])
def test_a_new_file_that_cannot_be_opened_spoils_none(place, extension, nth):
    binding = f"{os.environ['WEIR_BUILD']}/bindings/python"
    if not os.path.isdir(f"{binding}/weir"):
        pytest.skip("the Python binding is not built")
    address = f"file://{place}/log{extension}"
    run("pub", address, "{}", code=0)
    trace = traced(f"openat:error=EMFILE:when={nth}", "-P", f"{place}/log{extension}")
    done = subprocess.run([*trace, sys.executable, "-c", ROTATING, address],
                          env={**os.environ, "PYTHONPATH": binding}, capture_output=True, text=True, timeout=60)
    told = [line for line in done.stdout.splitlines() if "cannot be opened" in line]
    assert (done.returncode, done.stderr, len(told)) == (0, "", 1), done.stdout
    lost = int(told[0].split()[0])
    assert 0 < lost < 199
    assert [value.get("number") for value in numbers(address)] == [None, *(n for n in range(200) if n != lost)]


class Idle:
    """A writer that is given lines and then nothing, while strace writes down its syncs."""

    def __init__(self, place, address, inject=None):
        self.trace = f"{place}/trace"
        open(self.trace, "w").close()
        more = ["-e", f"inject={inject}"] if inject else []
        self.process = subprocess.Popen(["strace", "-f", "-qq", "-o", self.trace, "-e", "trace=fdatasync", *more, COMMAND, "pub", address,
                                         "--stdin", "json"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def send(self, value):
        self.process.stdin.write(f"{value}\n")
        self.process.stdin.flush()

    def syncs(self):
        with open(self.trace) as file:
            return sum("fdatasync(" in line for line in file)

    def await_syncs(self, count):
        until = time.monotonic() + 60
        while self.syncs() < count:
            assert time.monotonic() < until and self.process.poll() is None, f"{self.syncs()} syncs, {count} are wanted"
            time.sleep(0.02)

    def end(self):
        _, said = self.process.communicate(timeout=60)
        return self.process.returncode, said


@pytest.mark.parametrize("extension", [".weir", ".jsonl"])
def test_interval_syncs_what_was_sent_last(place, extension):
    run("pub", f"file://{place}/log{extension}", "0", code=0)  # a new log is synced when it is made
    writer = Idle(place, f"file://{place}/log{extension}?sync=interval:50ms")
    for round_ in range(1, 4):
        before = writer.syncs()
        writer.send(round_)
        writer.await_syncs(before + 1)
    assert writer.end() == (0, "")
    assert numbers(f"file://{place}/log{extension}") == [0, 1, 2, 3]


def test_interval_tells_that_the_sync_failed(place):
    run("pub", f"file://{place}/log.weir", "0", code=0)
    writer = Idle(place, f"file://{place}/log.weir?sync=interval:50ms", inject="fdatasync:error=EIO")
    writer.send(1)
    writer.await_syncs(1)
    for value in range(2, 200):
        if writer.process.poll() is not None:
            break
        try:
            writer.send(value)
        except BrokenPipeError:
            break
        time.sleep(0.02)
    code, said = writer.end()
    assert code == 1 and "to the disk failed" in said, said


@pytest.mark.parametrize("extension", [".weir", ".jsonl", ".cborseq"])
def test_a_small_file_system(place, extension):
    disk = f"{place}/disk"
    os.mkdir(disk)
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", disk], capture_output=True, text=True)
    if mount.returncode:
        pytest.skip(f"no file system can be mounted here: {mount.stderr.strip()}")
    try:
        address = f"file://{disk}/log{extension}"
        text = json.dumps("x" * 5000)
        sent = 0
        while sent < 200:
            done = run("pub", f"{address}?full=fail", text)
            if done.returncode:
                break
            sent += 1
        assert 10 < sent < 100
        assert "no room" in done.stderr
        assert len(numbers(address)) == sent
        # The part that still went in was taken back at once.
        assert json.loads(run("info", address, "--json", code=0).stdout)["torn_bytes"] == 0
        # With files that were put aside, drop-oldest makes room for itself.
        for _ in range(60):
            run("pub", f"{address}?rotate=64K&files=100&full=drop-oldest", text, code=0)
        assert 10 < len(numbers(address)) < sent + 60
    finally:
        subprocess.run(["umount", disk], check=True)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
