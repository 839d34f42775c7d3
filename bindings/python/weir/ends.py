"""The ends of channels and calls, as Python uses them: the C classes with context managers, loops and asyncio."""

import functools

from . import aio, core
from .errors import Error, NotFound, RemoteError, Timeout


class End:
    """What all ends share."""

    __slots__ = ()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.close()

    def __repr__(self):
        state = "closed " if self.closed else ""
        return f"<weir.{type(self).__name__} {state}{self.address!r}>"


class Batch:
    """Between enter and exit a writer holds its messages back, so that all are published at once."""

    __slots__ = ("writer",)

    def __init__(self, writer):
        self.writer = writer

    def __enter__(self):
        self.writer.cork()
        return self.writer

    def __exit__(self, kind, error, trace):
        self.writer.uncork()


class Writer(End, core.Writer):
    """The sending end of a channel."""

    __slots__ = ()

    def batch(self):
        """A with block whose messages are published, and readers woken, at once."""
        return Batch(self)

    async def asend(self, data=None, *, op=None, meta=None, **entries):
        """As send(), without blocking the event loop while it waits for room."""
        await aio.send(self, functools.partial(self.send, data, op=op, meta=meta, **entries))


class Reader(End, core.Reader):
    """The receiving end of a channel. A loop over it waits for each message and ends when the channel is taken away."""

    __slots__ = ()

    def messages(self, timeout=None, *, copy=True):
        """Messages until none came for @timeout seconds. With copy=False each shows the channel itself and lives until
        the next step of the loop; no array of it may be kept."""
        while True:
            try:
                message = self.next(timeout, copy=copy)
            except Timeout:
                return
            yield message
            del message

    def __aiter__(self):
        return self

    async def __anext__(self):
        return await aio.poll(self, self.next, None)

    async def anext(self, timeout=None):
        """As next(), without blocking the event loop."""
        return await aio.poll(self, self.next, timeout)


class Client(End, core.Client):
    """The asking end of a call."""

    __slots__ = ()

    async def acall(self, op, data=None, *, meta=None, timeout=10.0, **entries):
        """As call(), without blocking the event loop; tasks of one loop may each have calls under way."""
        return await aio.reply(self, self.send(op, data, meta=meta, **entries), timeout)


class Answering:
    """A with block that answers a request: an error that leaves it is what the client gets to see."""

    __slots__ = ("request",)

    def __init__(self, request):
        self.request = request

    def __enter__(self):
        return self.request

    def __exit__(self, kind, error, trace):
        if not isinstance(error, Exception) or self.request.answered:
            return False
        sentence = str(error) if isinstance(error, Error) else f"{kind.__name__}: {error}"
        self.request.fail(sentence, error.remote_code if isinstance(error, RemoteError) else 0)
        return True


def operation(request, operations):
    """The function that answers the request."""
    function = operations.get(request.op)
    if function is None:
        known = ", ".join(sorted(operations)) or "none"
        raise NotFound(f"there is no operation {request.op!r} here; known: {known}")
    return function


class Server(End, core.Server):
    """The answering end of a call. A loop over it waits for each request."""

    __slots__ = ()

    def serve(self, operations, timeout=None):
        """Answer requests by a table {"op": function}. function(request) returns the reply's data; what it raises is
        given to the client, with a number when it is RemoteError. Returns when no request came for @timeout seconds."""
        while True:
            try:
                request = self.next(timeout)
            except Timeout:
                return
            with Answering(request):
                result = operation(request, operations)(request)
                if not request.answered:
                    request.reply(result)

    async def aserve(self, operations):
        """As serve(), without end, inside an event loop; a function may be a coroutine."""
        async for request in self:
            with Answering(request):
                result = operation(request, operations)(request)
                if hasattr(result, "__await__"):
                    result = await result
                if not request.answered:
                    request.reply(result)

    def __aiter__(self):
        return self

    async def __anext__(self):
        return await aio.poll(self, self.next, None)

    async def anext(self, timeout=None):
        """As next(), without blocking the event loop."""
        return await aio.poll(self, self.next, timeout)
