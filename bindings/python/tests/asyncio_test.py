"""Ends inside an event loop."""

import asyncio
import subprocess
import sys

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


def test_calls_of_many_tasks(address):
    """One client; the server answers in another order, some with errors, and one not at all."""
    async def answer(request):
        await asyncio.sleep(0.001 * (request.data % 7))
        if request.data % 10 == 9:
            request.fail("no nines", code=request.data)
        elif request.data != 50:
            request.reply(2 * request.data)

    async def serve(server, tasks):
        async for request in server:
            tasks.append(asyncio.create_task(answer(request)))

    async def ask(client, i):
        try:
            return (await client.acall("double", i, timeout=2 if i == 50 else 60)).data
        except (weir.RemoteError, weir.Timeout) as error:
            return type(error)

    async def main():
        with weir.server(address) as server, weir.client(address) as client:
            tasks = []
            serving = asyncio.create_task(serve(server, tasks))
            mine = client.send("double", 1)
            answers = await asyncio.gather(*(ask(client, i) for i in range(100)))
            expected = [weir.RemoteError if i % 10 == 9 else 2 * i for i in range(100)]
            expected[50] = weir.Timeout
            assert answers == expected
            assert client.under_way == 1 and client.receive(timeout=20, id=mine).data == 2
            answers = await asyncio.gather(*(ask(client, i) for i in range(8)))
            assert answers == [2 * i for i in range(8)] and client.under_way == 0
            serving.cancel()
            await asyncio.gather(*tasks)

    run(main())


def test_a_cancelled_call_is_taken_back(address):
    """The server hears of it while it waits for the next request, and misses none."""
    async def main():
        with weir.server(address) as server, weir.client(address) as client:
            waiting = asyncio.create_task(client.acall("first"))
            request = await server.anext(timeout=20)
            next_one = asyncio.create_task(server.anext(timeout=20))
            await asyncio.sleep(0.01)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert client.under_way == 0
            second = asyncio.create_task(client.acall("second", timeout=20))
            for _ in range(10000):
                if request.cancelled:
                    break
                await asyncio.sleep(0.001)
            assert request.cancelled
            request.reply("in vain")
            (await next_one).reply(2)
            assert (await second).data == 2

    run(main())


def test_a_server_that_comes_later_and_dies(address, run):
    async def main():
        with weir.client(address) as client:
            calls = [asyncio.create_task(client.acall("x", i, timeout=30)) for i in range(3)]
            await asyncio.sleep(0.01)
            server = start("import os, sys, weir; s = weir.server(sys.argv[1])\n"
                           "s.next().reply(7); s.next(); os.kill(os.getpid(), 9)", address)
            answers = await asyncio.gather(*calls, return_exceptions=True)
            assert answers[0].data == 7
            assert [type(a) for a in answers[1:]] == [weir.PeerDied] * 2
            assert client.under_way == 0
            server.wait()

    start = run
    asyncio.run(asyncio.wait_for(main(), 60))


def test_closing_a_client_ends_its_calls(address):
    async def main():
        client = weir.client(address)
        call = asyncio.create_task(client.acall("x", timeout=30))
        await asyncio.sleep(0.01)
        client.close()
        with pytest.raises(ValueError, match="closed"):
            await call

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


def test_who_has_no_loop_does_not_import_asyncio():
    """It takes longer than the rest of the package."""
    done = subprocess.run([sys.executable, "-c", "import sys, weir; print('asyncio' in sys.modules)"], capture_output=True, text=True,
                          check=True)
    assert done.stdout == "False\n"
