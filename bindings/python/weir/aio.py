"""Waiting inside an asyncio event loop: on the descriptor that every end has, without a thread.

What must stay true: an end is polled until it has nothing more before its descriptor is waited on, as the library asks,
and again after whatever else was done with it meanwhile, which may have emptied the descriptor; and the loop watches a
descriptor only while somebody waits, so an end can be closed at any other time.
"""

import contextlib
import functools
import importlib

from .errors import Error, PeerDied, RemoteError, Timeout


class Later:
    """asyncio, imported when it is used: that takes longer than the whole package, and most programs have no loop."""

    def __getattr__(self, name):
        return getattr(importlib.import_module("asyncio"), name)


asyncio = Later()

LOOK_S = 0.05  # a client's descriptor says nothing of a server that comes or dies


def wake(future):
    if not future.done():
        future.set_result(None)


async def readable(end, watched):
    """Wait until the end's descriptor is readable. One waiter at a time."""
    descriptor = end.fileno()
    loop = asyncio.get_running_loop()
    if end in watched:
        raise RuntimeError(f"two tasks wait on {end.address}: give each task an end of its own")
    watched.add(end)
    future = loop.create_future()
    loop.add_reader(descriptor, wake, future)
    has_waker = hasattr(end, "_waker")
    if has_waker:
        end._waker = functools.partial(wake, future)
    try:
        await future
    finally:
        loop.remove_reader(descriptor)
        if has_waker:
            end._waker = None
        watched.discard(end)


watched = set()


async def poll(end, take, timeout):
    """Call take(0) until it gives something, waiting in between; raises Timeout after @timeout seconds."""
    loop = asyncio.get_running_loop()
    deadline = None if timeout is None else loop.time() + timeout
    while True:
        try:
            return take(0)
        except Timeout:
            left = None if deadline is None else deadline - loop.time()
            if left is not None and left <= 0:
                raise
        try:
            await asyncio.wait_for(readable(end, watched), left)
        except asyncio.TimeoutError:
            pass  # take(0) has the last word, and the sentence


NAP_MIN_S, NAP_MAX_S = 0.001, 0.02


async def send(writer, attempt):
    """Call attempt() until there is room, for as long as the writer's timeout says. No descriptor tells of room."""
    loop = asyncio.get_running_loop()
    timeout = writer.timeout
    deadline = None if timeout is None else loop.time() + timeout
    nap = NAP_MIN_S
    while True:
        patience, writer.timeout = writer.timeout, 0
        try:
            return attempt()
        except Timeout:
            left = nap if deadline is None else deadline - loop.time()
            if left <= 0:
                raise
        finally:
            if not writer.closed:
                writer.timeout = patience
        await asyncio.sleep(min(nap, left))
        nap = min(2 * nap, NAP_MAX_S)


# ---- calls ----


class Replies:
    """Hands the replies of one client to the tasks that wait for them. Lives while there is such a task."""

    def __init__(self, client):
        self.client = client
        self.loop = asyncio.get_running_loop()
        self.waiting = {}  # id: the future of its outcome, a message or an exception
        self.descriptor = client.fileno()
        self.loop.add_reader(self.descriptor, self.look)
        self.tick()

    def tick(self):
        self.timer = self.loop.call_later(LOOK_S, self.tick)
        self.look()

    def close(self):
        self.timer.cancel()
        self.loop.remove_reader(self.descriptor)

    def settle(self, id, outcome):
        future = self.waiting.get(id)
        if future is not None and not future.done():
            future.set_result(outcome)

    def take(self, id=None):
        """Receive one reply, to the request or to any. False when none is there."""
        try:
            message = self.client.receive(0, id)
            self.settle(message.id, message)
        except Timeout:
            return False
        except (RemoteError, PeerDied) as error:
            self.settle(error.id, error)
        return True

    def look(self):
        """Take what has come. Replies to requests of others, who use send() and receive(), are left to them."""
        open_ids = [id for id, future in self.waiting.items() if not future.done()]
        try:
            if self.client.under_way == len(open_ids):
                while self.client.under_way and self.take():
                    pass
            else:
                for id in open_ids:
                    self.take(id)
        except (Error, ValueError, RuntimeError) as error:  # of the client itself: nobody gets a reply any more
            for id in open_ids:
                self.settle(id, error)


replies_of = {}  # by client


async def reply(client, id, timeout):
    """The reply to a request that was sent. Without it in the end, for whatever reason, the request is taken back."""
    replies = replies_of.get(client) or replies_of.setdefault(client, Replies(client))
    if replies.loop is not asyncio.get_running_loop():
        raise RuntimeError(f"two event loops use the client of {client.address}: give each one of its own")
    future = replies.waiting[id] = replies.loop.create_future()
    try:
        replies.look()
        await asyncio.wait([future], timeout=timeout)
        if not future.done():
            return client.receive(0, id)  # has the last word, and the sentence
        outcome = future.result()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome
    finally:
        del replies.waiting[id]
        if not replies.waiting:
            replies.close()
            del replies_of[client]
        with contextlib.suppress(ValueError):  # it has ended, or the client is closed
            client.cancel(id)
