"""weir: channels between programs in different languages.

    with weir.writer("lab/spectrum") as w:
        w.send(numpy.random.rand(4, 256), op="spectrum", unit="V")

    for m in weir.reader("lab/spectrum"):
        print(m.op, m.meta["unit"], m.array.mean())

An address names the channel and chooses the mechanism: "lab/imu" or "shm://lab/imu" is shared memory,
"unix:///run/imu.sock" a local socket. Options stand in the address or are given as keywords:
weir.writer("lab/imu", capacity="4M").

Ends are context managers. One end is used by one thread at a time. A wait gives other threads their turn and can be
interrupted by Ctrl-C; after a fork the child opens its own ends. Every failure raises a subclass of weir.Error with the
library's sentence.
"""

from . import constants, core
from .constants import *  # noqa: F401,F403 - the library's numbers: weir.ETIMEOUT, weir.CODEC_CBOR, weir.F64, ...
from .core import Message, Request, clean, convert, decode, directory, encode, info, latest, remove, version, wait
from .ends import Client, Reader, Server, Writer
from .errors import (AccessError, AddressError, Again, Busy, Closed, Corrupt, EncodeError, Error, Fenced, Forked,
                     InvalidArgument, LimitError, NoSpace, NotFound, NotSupported, OutOfMemory, ParseError, PeerDied,
                     RemoteError, Stale, SystemFailure, Timeout, TooBig, TypeMismatch, VersionMismatch)
from .structs import dtype, type_of
from .types import Tagged, Time, undefined

__version__ = constants.VERSION

__all__ = [
    "AccessError", "AddressError", "Again", "Busy", "Client", "Closed", "Corrupt", "EncodeError", "Error", "Fenced",
    "Forked", "InvalidArgument", "LimitError", "Message", "NoSpace", "NotFound", "NotSupported", "OutOfMemory",
    "ParseError", "PeerDied", "Reader", "RemoteError", "Request", "Server", "Stale", "SystemFailure", "Tagged", "Time",
    "Timeout", "TooBig", "TypeMismatch", "VersionMismatch", "Writer", "clean", "client", "convert", "decode",
    "directory", "dtype", "encode", "get", "info", "latest", "reader", "remove", "server", "type_of", "undefined",
    "version", "wait", "writer",
]


def with_options(address, options):
    """The address with options given as keywords: capacity="4M" becomes capacity=4M."""
    for key, value in options.items():
        if isinstance(value, bool):
            value = int(value)
        elif not isinstance(value, (int, float, str)):
            raise TypeError(f"{key}= is a str or a number, not {type(value).__name__}")
        separator = "&" if "?" in address else "?"
        address = f"{address}{separator}{key.rstrip('_')}={value}"
    return address


def writer(address, **options):
    """Open a writer. from_= stands for from=, which is a word of Python."""
    return Writer(with_options(address, options))


def reader(address, **options):
    """Open a reader. The channel need not be there yet."""
    return Reader(with_options(address, options))


def client(address, **options):
    """Open a client. The server need not be there yet."""
    return Client(with_options(address, options))


def server(address, **options):
    """Open a server: one per address."""
    return Server(with_options(address, options))


def get(address, max_age=None):
    """The latest message of a channel, without opening a reader. Raises NotFound when there is none, and Stale, which
    has it as .last, when it is more than @max_age seconds old."""
    message = latest(address)
    if max_age is not None:
        age = message.age
        if age is None:
            raise Stale(f"{address}: its messages carry no time: max_age= needs a writer without stamp=0", message)
        if age > max_age:
            raise Stale(f"{address}: the latest message is {age:.3f} s old, more than {max_age:g} s; does its writer "
                        "still run?", message)
    return message
