"""Waiting inside an asyncio event loop: on the descriptor that every end has, without a thread.

What must stay true: an end is polled until it has nothing more before its descriptor is waited on, as the library asks;
and the loop watches a descriptor only while somebody waits, so an end can be closed at any other time.
"""

import asyncio

from .errors import Timeout


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
    try:
        await future
    finally:
        loop.remove_reader(descriptor)
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
