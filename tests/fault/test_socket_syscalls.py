"""System calls of a socket's ends fail one after the other, as strace makes them.

What passes (a signal, no descriptor for a moment, a full socket) must not show; what does not must end in one
sentence that names the address, and leave nothing behind.
"""
import os
import shutil
import subprocess
import sys
import tempfile

import pytest

PEER = os.path.join(os.environ.get("WEIR_BUILD", "."), "tests", "interop", "peer")
COUNT = 30

# Of the listener, a writer that waits for its reader.
PASSING = [
    "accept4:error=EMFILE:when=1..3",
    "accept4:error=ECONNABORTED:when=1",
    "accept4:error=EPERM:when=1..3",
    "accept4:error=EINTR:when=1",
    "epoll_wait:error=EINTR:when=1+3",
    "poll:error=EINTR:when=1+3",
    "sendmsg:error=EINTR:when=1+3",
    "sendmsg:error=EAGAIN:when=2+3",
    "sendmsg:error=ENOBUFS:when=2+3",
    "recvfrom:error=EINTR:when=2+3",
    "recvfrom:error=EAGAIN:when=2+3",
    "renameat2:error=EINVAL",
    "ftruncate:error=EIO",
    "pwrite64:error=ENOSPC",
]

# Of the reader, who connects.
PASSING_CONNECTED = [
    "connect:error=EAGAIN:when=1..3",
    "connect:error=ECONNREFUSED:when=1",
    "epoll_wait:error=EINTR:when=1+3",
    "ppoll:error=EINTR:when=1+2",
    "recvfrom:error=EINTR:when=2+3",
    "sendto:error=EPIPE:when=2",
]

FAILING = [
    "socket:error=EMFILE",
    "bind:error=EROFS",
    "listen:error=EADDRINUSE",
    "renameat2:error=EIO",
    "fchmod:error=EPERM",
    "chmod:error=EPERM",
    "epoll_create1:error=EMFILE",
    "eventfd2:error=EMFILE",
    "clone3:error=EAGAIN",
    "fcntl:error=ENOLCK",
]


@pytest.fixture
def place():
    for program in ("strace", PEER):
        if not shutil.which(program):
            pytest.skip(f"{program} is not there")
    probe = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, text=True)
    if probe.returncode:
        pytest.skip(f"strace may not trace here: {probe.stderr.strip()}")
    with tempfile.TemporaryDirectory(prefix="weir-fault-") as directory:
        os.environ["WEIR_SHM_DIR"] = directory + "/shm"
        os.mkdir(directory + "/shm")
        yield directory


def injected(inject, *args):
    name = inject.split(":")[0]
    command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={name}", "-e", f"inject={inject}", PEER, *args]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def plain(*args):
    return subprocess.Popen([PEER, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def left(directory):
    return [name for name in os.listdir(directory) if name != "shm"]


def check_pair(directory, writer, reader):
    heard, complaint = reader.communicate(timeout=40)
    _, said = writer.communicate(timeout=40)
    assert (reader.returncode, complaint) == (0, "")
    assert (writer.returncode, said) == (0, "")
    lines = heard.splitlines()
    assert lines[0] == "ready"
    assert [line.split("\t")[0] for line in lines[1:]] == [str(i + 1) for i in range(COUNT)]
    assert {line.split("\t")[1] for line in lines[1:]} == {"0"}
    assert left(directory) == []


@pytest.mark.parametrize("inject", PASSING)
def test_what_passes_does_not_show_at_the_listener(place, inject):
    address = f"unix://{place}/s"
    writer = injected(inject, "write", address + "?listen=1&readers=1&timeout=20s", str(COUNT))
    assert writer.stdout.readline() == "ready\n"
    check_pair(place, writer, plain("read", address, str(COUNT)))


@pytest.mark.parametrize("inject", PASSING_CONNECTED)
def test_what_passes_does_not_show_at_who_connects(place, inject):
    address = f"unix://{place}/s"
    writer = plain("write", address + "?listen=1&readers=1&timeout=20s", str(COUNT))
    assert writer.stdout.readline() == "ready\n"
    check_pair(place, writer, injected(inject, "read", address + "?connect=1", str(COUNT)))


@pytest.mark.parametrize("inject", FAILING)
def test_what_does_not_pass_is_told(place, inject):
    writer = injected(inject, "write", f"unix://{place}/s", "1")
    _, said = writer.communicate(timeout=30)
    assert writer.returncode == 2
    assert said.startswith("WEIR_E") and f"unix://{place}/s" in said and said.count("\n") == 1, said
    # Only who holds the lock may remove its file.
    assert left(place) == (["s.lock"] if inject.startswith("fcntl") else [])


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
