"""Clients and servers."""

import threading

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


def test_nobody_serves(address):
    with weir.client(address) as client:
        with pytest.raises(weir.Timeout):
            client.call("x", timeout=0.1)
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
    for use in (lambda: client.call("x"), client.fileno, server.next, server.fileno, lambda: request.reply(1)):
        with pytest.raises(ValueError, match="closed"):
            use()
