"""Clients and servers."""

import signal
import threading
import time

import numpy as np
import pytest
import weir


def double(request):
    return request.data * 2


def refuse(request):
    raise weir.RemoteError("not today", 17)


def stumble(request):
    return {}["missing"]


@pytest.fixture
def served(address):
    """A server in a thread, with some operations; stops when asked to."""
    server = weir.server(address)

    def stop(request):
        request.reply("bye")
        raise SystemExit

    def run():
        try:
            server.serve({"double": double, "refuse": refuse, "stumble": stumble, "stop": stop,
                          "echo": lambda q: q.reply(q.data, meta=q.meta), "nothing": lambda q: None,
                          "unsendable": lambda q: object()})
        except SystemExit:
            server.close()

    thread = threading.Thread(target=run)
    thread.start()
    client = weir.client(address)
    yield client
    client.call("stop", timeout=20)
    client.close()
    thread.join()


def test_calls(served):
    assert served.call("double", 21, timeout=20).data == 42
    assert served.call("double", [1, 2], timeout=20).data == [1, 2, 1, 2]
    assert served.call("nothing", timeout=20).data is None
    reply = served.call("echo", {"a": 1}, timeout=20, unit="V")
    assert reply.data == {"a": 1} and reply.meta == {"unit": "V"} and reply.id != 0


def test_arrays(served):
    x = np.asfortranarray(np.random.default_rng(2).random((30, 40)))
    y = served.call("double", x, timeout=20).array
    assert np.array_equal(y, 2 * x)


def test_errors(served):
    with pytest.raises(weir.RemoteError, match="^not today$") as info:
        served.call("refuse", timeout=20)
    assert info.value.remote_code == 17 and info.value.code == weir.EREMOTE
    with pytest.raises(weir.RemoteError, match="KeyError: 'missing'"):
        served.call("stumble", timeout=20)
    with pytest.raises(weir.RemoteError, match="no operation 'sing' here; known: double, echo"):
        served.call("sing", timeout=20)
    with pytest.raises(weir.RemoteError, match="cannot be sent"):
        served.call("unsendable", timeout=20)
    assert served.call("double", 1, timeout=20).data == 2


def test_a_call_in_two_halves(served):
    served.send("double", 4)
    assert served.fileno() >= 0
    assert served.receive(timeout=20).data == 8
    with pytest.raises(weir.InvalidArgument):
        served.receive(timeout=0)


def test_many_under_way(served):
    """Replies by id, and to whichever is next, each once."""
    ids = [served.send("double", i) for i in range(50)]
    assert len(set(ids)) == 50 and served.under_way == 50
    for i in (30, 3, 49):
        reply = served.receive(timeout=20, id=ids[i])
        assert (reply.data, reply.id) == (2 * i, ids[i])
        with pytest.raises(weir.InvalidArgument):
            served.receive(timeout=0, id=ids[i])
    left = {id: 2 * i for i, id in enumerate(ids) if i not in (30, 3, 49)}
    while left:
        reply = served.receive(20)
        assert left.pop(reply.id) == reply.data
        assert served.under_way == len(left)
    for wrong, kind in ((0, ValueError), (-1, OverflowError), ("x", TypeError), (2**64, OverflowError)):
        with pytest.raises(kind):
            served.receive(0, wrong)
        with pytest.raises(kind):
            served.cancel(wrong)


def test_an_error_says_whose_it_is(served):
    good, bad = served.send("double", 1), served.send("refuse")
    assert served.call("double", 2, timeout=20).data == 4
    with pytest.raises(weir.RemoteError, match="not today") as info:
        served.receive(timeout=20, id=bad)
    assert info.value.id == bad
    assert served.receive(timeout=20).id == good
    other = served.send("refuse")
    with pytest.raises(weir.RemoteError) as info:
        served.receive(timeout=20)
    assert info.value.id == other and weir.RemoteError("x").id == 0


def test_a_server_that_dies_is_told_for_each(address, run):
    server = run("import sys, weir; s = weir.server(sys.argv[1]); print('ready', flush=True); input()", address)
    assert server.stdout.readline() == "ready\n"
    with weir.client(address) as client:
        ids = [client.send("x", i) for i in range(3)]
        with pytest.raises(weir.Timeout):
            client.receive(timeout=0.2)
        server.kill()
        server.wait()
        for id in ids:
            with pytest.raises(weir.PeerDied) as info:
                client.receive(timeout=20)
            assert info.value.id == id
        assert client.under_way == 0


def await_cancelled(request):
    deadline = time.monotonic() + 20
    while not request.cancelled:
        assert time.monotonic() < deadline
        time.sleep(0.002)


def request_of(server, client):
    """The server's next request; over a socket the two meet only while both do something."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            return server.next(timeout=0.05)
        except weir.Timeout:
            with pytest.raises(weir.Timeout):
                client.receive(0)
    raise AssertionError("no request came")


def test_a_late_reply_is_nobody_elses(address):
    with weir.server(address) as server, weir.client(address) as client:
        first = client.send("first")
        late = request_of(server, client)
        with pytest.raises(weir.Timeout):
            client.call("second", timeout=0.05)
        assert client.under_way == 1
        second = server.next(timeout=20)
        assert second.op == "second" and not late.cancelled
        await_cancelled(second)
        second.reply("too late")
        third = client.send("third")
        late.reply("the first")
        server.next(timeout=20).reply("the third")
        assert client.receive(timeout=20, id=third).data == "the third"
        reply = client.receive(timeout=20)
        assert (reply.id, reply.data) == (first, "the first")
        assert client.under_way == 0


def test_cancel(address):
    with weir.server(address) as server, weir.client(address) as client:
        ids = [client.send("x", i) for i in range(3)]
        request = request_of(server, client)
        assert request.id == ids[0] and not request.cancelled
        client.cancel(ids[0])
        await_cancelled(request)
        with pytest.raises(weir.InvalidArgument):
            client.cancel(ids[0])
        request.reply("in vain")
        for id in ids[1:]:
            request = server.next(timeout=20)
            assert request.id == id and not request.cancelled
            request.reply(request.data)
        assert [client.receive(timeout=20).data for _ in range(2)] == [1, 2]


def test_an_interrupted_call_is_taken_back(address):
    class Alarm(Exception):
        pass

    def ring(number, frame):
        raise Alarm

    before = signal.signal(signal.SIGALRM, ring)
    try:
        with weir.server(address) as server, weir.client(address) as client:
            client.send("meet")
            request_of(server, client).reply(None)
            client.receive(timeout=20)
            with pytest.raises(Alarm):
                signal.setitimer(signal.ITIMER_REAL, 0.3)
                client.call("wait", timeout=60)
            assert client.under_way == 0
            try:  # taken back before the server asked: not handed out at all
                request = server.next(timeout=0.2)
                await_cancelled(request)
            except weir.Timeout:
                pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_workers(address):
    """Each request is answered once; none answers its first before all have one, so all are at work at a time."""
    count, answered, lock, all_have_one = 200, [], threading.Lock(), threading.Barrier(3, timeout=60)

    def work(server, number):
        with server:
            for turn in range(count + 1):
                request = server.next(timeout=60)
                if request.op == "end":
                    return request.reply(number)
                if turn == 0:
                    all_have_one.wait()
                with lock:
                    answered.append((number, request.data))
                request.reply(number)

    first = weir.server(address)
    servers = [first] + [first.worker() for _ in range(2)]
    assert all(type(s) is weir.Server and s.address == first.address for s in servers)
    threads = [threading.Thread(target=work, args=(s, i), daemon=True) for i, s in enumerate(servers)]
    for thread in threads:
        thread.start()
    with weir.client(address) as client:
        ids = {client.send("work", i) for i in range(count)}
        by = set()
        for _ in range(count):
            reply = client.receive(timeout=60)
            ids.remove(reply.id)
            by.add(reply.data)
        assert by == {0, 1, 2}
        for _ in threads:
            client.call("end", timeout=60)
    for thread in threads:
        thread.join()
    assert sorted(data for _, data in answered) == list(range(count))


def test_a_worker_is_made_by_who_is_not_in_use(address):
    with weir.server(address) as server:
        waiting = threading.Thread(target=lambda: pytest.raises(weir.Timeout, server.next, timeout=2))
        waiting.start()
        deadline = time.monotonic() + 20
        while True:  # until the thread waits
            try:
                server.worker().close()
            except RuntimeError as error:
                assert "in use" in str(error)
                break
            assert time.monotonic() < deadline
        waiting.join()
    with pytest.raises(ValueError, match="closed"):
        server.worker()


def test_nobody_serves(address):
    with weir.client(address) as client:
        with pytest.raises(weir.Timeout):
            client.call("x", timeout=0.1)
        assert client.under_way == 0
        with pytest.raises(TypeError, match="operation"):
            client.call()


def test_one_server_per_address(address):
    with weir.server(address):
        with pytest.raises(weir.Busy):
            weir.server(address)


def test_answers_can_wait(address):
    """Requests are answered out of order, each once."""
    with weir.server(address) as server:
        clients = [weir.client(address) for _ in range(2)]
        for i, client in enumerate(clients):
            client.send("hold", i)
        requests = [server.next(timeout=20) for _ in clients]
        assert not requests[0].answered
        for request in reversed(requests):
            request.reply(request.data + 100)
            assert request.answered
            with pytest.raises(RuntimeError, match="once|already"):
                request.reply(0)
            with pytest.raises(RuntimeError, match="already"):
                request.fail("x")
        for i, client in enumerate(clients):
            assert client.receive(timeout=20).data == 100 + i
            client.close()


def test_a_loop_over_a_server(address):
    with weir.server(address) as server, weir.client(address) as client:
        client.send("a", 1)
        for request in server:
            assert request.op == "a"
            request.fail("no", code=3)
            break
        with pytest.raises(weir.RemoteError) as info:
            client.receive(timeout=20)
        assert (str(info.value), info.value.remote_code) == ("no", 3)


def test_serve_ends_when_nobody_asks(address):
    with weir.server(address) as server:
        server.serve({}, timeout=0.05)
        with pytest.raises(weir.Timeout):
            server.next(timeout=0)


def test_closed(address):
    client, server = weir.client(address), weir.server(address)
    client.send("x")
    request = server.next(timeout=20)
    client.close()
    server.close()
    assert client.closed and server.closed
    for use in (lambda: client.call("x"), client.fileno, server.next, server.fileno, lambda: request.reply(1),
                lambda: client.cancel(1), lambda: client.under_way, lambda: request.cancelled, server.worker):
        with pytest.raises(ValueError, match="closed"):
            use()
