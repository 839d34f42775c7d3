"""Nothing piles up: memory, references, descriptors, mappings."""

import asyncio
import gc
import os
import sys
import tracemalloc

import numpy as np
import pytest
import weir


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def mappings():
    with open("/proc/self/maps") as file:
        return sum(1 for _ in file)


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def grows(work, rounds=5, count=300):
    """Python's own allocations that a piece of work leaves behind, in bytes per call, after warming up."""
    for _ in range(20):
        work()
    gc.collect()
    tracemalloc.start()
    try:
        least = None
        for _ in range(rounds):
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(count):
                work()
            gc.collect()
            grown = (tracemalloc.get_traced_memory()[0] - before) / count
            least = grown if least is None else min(least, grown)
        return least
    finally:
        tracemalloc.stop()


@pytest.fixture
def ends(address):
    with weir.writer(address) as w, weir.reader(address) as r:
        w.wait_readers(1, timeout=10)
        yield w, r


def exchange(w, r, data, use):
    def work():
        w.send(data, op="x", meta={"a": 1}, unit="V")
        use(r.next(timeout=10))
    return work


@pytest.mark.parametrize("use", [lambda m: m.data, lambda m: m.meta, lambda m: m.json(), repr, lambda m: m.copy().data],
                         ids=["data", "meta", "json", "repr", "copy"])
def test_values(ends, use):
    data = {"list": [1, 2.5, "x", b"y", None, 2**70], "array": np.arange(10.0), "map": {"k": "v"}}
    assert grows(exchange(*ends, data, use)) < 8


@pytest.mark.parametrize("use", [lambda m: m.array.sum(), lambda m: m.data[0], lambda m: m.view().release()],
                         ids=["array", "data", "view"])
def test_arrays(ends, use):
    assert grows(exchange(*ends, np.arange(100.0), use)) < 8


def test_lent(ends):
    w, r = ends

    def work():
        w.send(np.arange(100.0))
        assert r.next(timeout=10, copy=False).array[99] == 99

    assert grows(work) < 8


def test_large_arrays_are_freed(ends):
    """The copies of messages lie outside Python's allocator: look at the process."""
    w, r = ends
    x = np.zeros(100_000)
    for _ in range(20):
        w.send(x)
        assert r.next(timeout=10).array[0] == 0
    before = resident()
    for _ in range(200):
        w.send(x)
        assert r.next(timeout=10).data[0] == 0
    assert resident() - before < 40 * x.nbytes


def test_errors(ends):
    w, r = ends

    def work():
        with pytest.raises(weir.Timeout):
            r.next(timeout=0)
        with pytest.raises(TypeError):
            w.send([1, object()])
        with pytest.raises(TypeError):
            w.send(1, op=3, x=2)
        with pytest.raises(weir.ParseError):
            weir.decode(b"\xff")

    assert grows(work, count=100) < 64  # pytest keeps a little of its own


def test_reservations(ends):
    w, r = ends

    def work():
        with w.reserve("f64", 3) as memory:
            memory[0] = memory[1] = memory[2] = 1.0
        r.next(timeout=10)
        with pytest.raises(KeyError):
            with w.reserve("f64", 3):
                raise KeyError
        w.reserve("f64", 3).__enter__()  # dropped inside its block: given back

    assert grows(work, count=100) < 64


def test_codecs():
    data = {"list": [1, 2.5, "x", b"y", None, 2**70], "array": np.arange(10.0)}
    for codec in ("cbor", "json"):
        assert grows(lambda: weir.decode(weir.encode(data, codec), codec)) < 8


def test_references():
    """Objects that are sent are given back."""
    things = ["text" * 1000, bytes(5000), bytearray(5000), np.zeros(1000), {"k": "v"}, [1], 2**70]
    before = [sys.getrefcount(thing) for thing in things]
    with weir.writer("test/references") as w:
        for _ in range(10):
            w.send(things, op="x", meta={"m": things[0]})
            for thing in things:
                w.send(thing)
            with pytest.raises(TypeError):
                w.send([things, object()])
    del thing
    assert [sys.getrefcount(thing) for thing in things] == before
    things[2].extend(b"x")  # no export is left that would pin it


def test_ends(address):
    def work():
        with weir.reader(address) as r, weir.writer(address) as w:
            w.wait_readers(1, timeout=10)
            w.send(1)
            r.next(timeout=10)
        with weir.server(address + "2"), weir.client(address + "2"):
            pass
        with pytest.raises(weir.AddressError):
            weir.writer("nonsense://x")

    for _ in range(3):
        work()
    gc.collect()
    before = descriptors(), mappings()
    for _ in range(30):
        work()
    gc.collect()
    assert descriptors() == before[0]
    assert mappings() <= before[1] + 5  # the allocator may map a little for itself


def test_event_loops(address):
    async def main():
        with weir.reader(address) as r:
            for _ in range(3):
                with pytest.raises(weir.Timeout):
                    await r.anext(timeout=0.001)

    asyncio.run(main())
    before = descriptors()
    for _ in range(10):
        asyncio.run(main())
    assert descriptors() == before
