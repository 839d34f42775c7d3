"""Ends inside an event loop."""

import asyncio

import pytest
import weir


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 60))


def test_async_for(address):
    async def main():
        seen = []
        with weir.reader(address) as r, weir.writer(address) as w:
            w.wait_readers(1, timeout=10)

            async def send():
                for i in range(100):
                    w.send(i)
                    if i % 10 == 0:
                        await asyncio.sleep(0.001)

            task = asyncio.create_task(send())
            async for m in r:
                seen.append(m.data)
                if len(seen) == 100:
                    break
            await task
        return seen

    assert run(main()) == list(range(100))


def test_anext_with_a_timeout(address):
    async def main():
        with weir.reader(address) as r:
            with pytest.raises(weir.Timeout):
                await r.anext(timeout=0.05)
            with pytest.raises(weir.Timeout):
                await r.anext(timeout=0)

    run(main())


def test_the_loop_goes_on_meanwhile(address):
    async def main():
        with weir.reader(address) as r, weir.writer(address) as w:
            w.wait_readers(1, timeout=10)
            waiting = asyncio.create_task(r.anext())
            for _ in range(20):
                await asyncio.sleep(0.001)
            assert not waiting.done()
            w.send("x")
            assert (await waiting).data == "x"

    run(main())


def test_a_cancelled_wait_leaves_nothing_behind(address):
    async def main():
        with weir.reader(address) as r, weir.writer(address) as w:
            w.wait_readers(1, timeout=10)
            for _ in range(3):
                waiting = asyncio.create_task(r.anext())
                await asyncio.sleep(0.01)
                waiting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiting
            w.send(1)
            assert (await r.anext(timeout=20)).data == 1

    run(main())


def test_one_task_per_end(address):
    async def main():
        with weir.reader(address) as r:
            first = asyncio.create_task(r.anext())
            await asyncio.sleep(0.01)
            with pytest.raises(RuntimeError, match="two tasks"):
                await r.anext()
            first.cancel()

    run(main())


def test_calls(address):
    async def slow(request):
        await asyncio.sleep(0.01)
        return request.data + 1

    async def main():
        with weir.server(address) as server, weir.client(address) as client:
            serving = asyncio.create_task(server.aserve({"double": lambda q: 2 * q.data, "slow": slow}))
            assert (await client.acall("double", 21, timeout=20)).data == 42
            assert (await client.acall("slow", 1, timeout=20)).data == 2
            with pytest.raises(weir.RemoteError, match="known: double, slow"):
                await client.acall("other", timeout=20)
            serving.cancel()
            with pytest.raises(weir.Timeout):
                await client.acall("double", 1, timeout=0.1)
            with pytest.raises(asyncio.CancelledError):
                await serving

    run(main())


def test_many_channels(store):
    async def main():
        readers = [weir.reader(f"test/{i}") for i in range(5)]
        writers = [weir.writer(f"test/{i}") for i in range(5)]
        tasks = [asyncio.create_task(r.anext(timeout=20)) for r in readers]
        await asyncio.sleep(0.01)
        for i, w in enumerate(writers):
            w.send(i)
        assert [m.data for m in await asyncio.gather(*tasks)] == list(range(5))
        for end in (*readers, *writers):
            end.close()

    run(main())
