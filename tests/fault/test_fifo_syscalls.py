"""System calls of a pipe's ends fail one after the other, as strace makes them.

What passes (a signal, a full pipe, a short write) must not show; what does not must end in one sentence that names the
address, and leave nothing behind.
"""
import sys

import pytest

from syscalls import COUNT, check_pair, injected, left, plain

# Of the writer.
PASSING = [
    "writev:error=EINTR:when=1+3",
    "writev:error=EAGAIN:when=2+3",
    "poll:error=EINTR:when=1+2",
    "mknod,mknodat:error=EEXIST:when=1",
]
# A short write that the kernel did not make: 5 bytes are said to be taken, and none were. A packet is sent again; a
# plain stream would have lost them.
PASSING_FRAMED = PASSING + ["writev:retval=5:when=2+5"]

PASSING_READER = [
    "read:error=EINTR:when=5+3",
    "ppoll:error=EINTR:when=1+2",
    "ppoll:error=EINTR:when=1+1",
    "flock:error=EINTR:when=1",
]

FAILING = [
    "link,linkat:error=EIO",
    "chmod,fchmodat:error=EPERM",
    "mknod,mknodat:error=EROFS",
    "mknod,mknodat:error=ENOSPC",
    "fcntl:error=ENOLCK",
]


@pytest.mark.parametrize("framing, inject", [("weir", inject) for inject in PASSING_FRAMED] +
                         [("jsonl", inject) for inject in PASSING])
def test_what_passes_does_not_show_at_the_writer(place, framing, inject):
    address = f"fifo://{place}/p?keep=0"
    writer = injected(inject, "write", f"{address}&readers=1&timeout=30s&framing={framing}", str(COUNT))
    assert writer.stdout.readline() == "ready\n"
    check_pair(place, writer, plain("read", address, str(COUNT)))


@pytest.mark.parametrize("inject", PASSING_READER)
def test_what_passes_does_not_show_at_the_reader(place, inject):
    address = f"fifo://{place}/p?keep=0"
    writer = plain("write", address + "&readers=1&timeout=30s", str(COUNT))
    assert writer.stdout.readline() == "ready\n"
    check_pair(place, writer, injected(inject, "read", address, str(COUNT)))


@pytest.mark.parametrize("inject", FAILING)
def test_what_does_not_pass_is_told(place, inject):
    writer = injected(inject, "write", f"fifo://{place}/p", "1")
    _, said = writer.communicate(timeout=60)
    assert writer.returncode == 2
    assert said.startswith("WEIR_E") and f"fifo://{place}/p" in said and said.count("\n") == 1, said
    # A pipe that was made stays, as one does that has no end any more.
    assert left(place) == (["p"] if inject.startswith("fcntl") else [])


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
