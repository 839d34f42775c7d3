"""System calls of a socket's ends fail one after the other, as strace makes them.

What passes (a signal, no descriptor for a moment, a full socket) must not show; what does not must end in one
sentence that names the address, and leave nothing behind.
"""
import sys

import pytest

from syscalls import COUNT, check_pair, injected, left, plain

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
