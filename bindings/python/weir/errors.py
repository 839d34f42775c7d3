"""The exceptions of weir: one class for each code of the library, all below Error.

Each carries the library's sentence as its text, and code, name ("WEIR_ETIMEOUT"), sys_errno and offset as attributes.
Where Python has a built-in exception with the same meaning, the class is one of those too, so `except TimeoutError`
works.
"""

from . import constants


class Error(Exception):
    """What every failure of the library raises."""

    code = 0  # enum weir_err
    name = "WEIR_OK"
    sys_errno = 0  # errno of the system call behind it, or 0
    offset = 0  # bytes into the input, for ParseError


class Again(Error, BlockingIOError):
    """Nothing there now, or no room now (full=fail)."""


class Timeout(Error, TimeoutError):
    """The deadline passed."""


class Closed(Error, ConnectionError):
    """The channel was taken away, or the other end has closed the connection."""


class TooBig(Error, ValueError):
    """A message beyond the channel's limit."""


class NotFound(Error, LookupError):
    """No such channel, no message in it yet, or no value at a path."""


class Stale(NotFound):
    """The latest message of a channel is older than max_age; it is .last."""

    def __init__(self, sentence="", last=None):
        super().__init__(sentence)
        self.last = last


class TypeMismatch(Error, TypeError):
    """A value of another type than asked for."""


class RemoteError(Error):
    """The server answered with an error. The text is the server's, remote_code the number it gave, id the request's.

    Raised in a function of server.serve, it is what the client gets: RemoteError("no such sensor", 404)."""

    id = 0

    def __init__(self, sentence="", remote_code=0):
        super().__init__(sentence)
        self.sys_errno = remote_code

    @property
    def remote_code(self):
        return self.sys_errno


class PeerDied(Error, ConnectionError):
    """The other end died; id is the request that will not be answered."""

    id = 0


class Busy(Error):
    """Somebody else holds it: a second server, an exclusive channel, no free place."""


class InvalidArgument(Error, ValueError):
    """An argument that cannot be right."""


class AddressError(Error, ValueError):
    """An address with an unknown scheme or option, or a name that is not allowed."""


class AccessError(Error, PermissionError):
    """The system refuses, or the owner is not who it should be."""


class ParseError(Error, ValueError):
    """Bytes that are not what their codec says; offset says where."""


class EncodeError(Error, ValueError):
    """A value that the codec cannot say."""


class LimitError(Error, ValueError):
    """A named limit was reached: depth, bytes, values."""


class OutOfMemory(Error, MemoryError):
    """Out of memory."""


class NoSpace(Error, OSError):
    """The store (/dev/shm, a disk) is full."""


class SystemFailure(Error, OSError):
    """A system call failed; see sys_errno."""


class Corrupt(Error):
    """Shared bytes that no writer of this library would have left."""


class VersionMismatch(Error):
    """The other end speaks another version."""


class NotSupported(Error, NotImplementedError):
    """This transport or codec cannot do it."""


class Forked(Error, RuntimeError):
    """Used in the child of a fork; open it again there."""


class Fenced(Error, RuntimeError):
    """Stopped for so long that another took the place; open it again."""


CLASSES = {
    constants.EAGAIN: Again,
    constants.ETIMEOUT: Timeout,
    constants.ECLOSED: Closed,
    constants.ETOOBIG: TooBig,
    constants.ENOENT: NotFound,
    constants.ETYPE: TypeMismatch,
    constants.EREMOTE: RemoteError,
    constants.EPEER: PeerDied,
    constants.EBUSY: Busy,
    constants.EINVAL: InvalidArgument,
    constants.EADDRESS: AddressError,
    constants.EACCESS: AccessError,
    constants.EPARSE: ParseError,
    constants.EENCODE: EncodeError,
    constants.ELIMIT: LimitError,
    constants.ENOMEM: OutOfMemory,
    constants.ENOSPC: NoSpace,
    constants.ESYSTEM: SystemFailure,
    constants.ECORRUPT: Corrupt,
    constants.EVERSION: VersionMismatch,
    constants.ENOTSUP: NotSupported,
    constants.EFORKED: Forked,
    constants.EFENCED: Fenced,
}

for number, kind in CLASSES.items():
    kind.code = number
    kind.name = constants.ERROR_NAMES[number]
    kind.__module__ = "weir"
Error.__module__ = Stale.__module__ = "weir"
del number, kind


def make(code, sys_errno, sentence, offset):
    """The exception for a failure; a code that this version does not know becomes a plain Error."""
    error = CLASSES.get(code, Error)(sentence)
    error.code = code
    error.sys_errno = sys_errno
    error.offset = offset
    if isinstance(error, OSError) and sys_errno:
        error.errno = sys_errno
    return error
