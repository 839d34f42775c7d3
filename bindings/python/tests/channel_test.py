"""Writers and readers: what a message carries, waiting, limits, threads, forks and signals."""

import os
import signal
import threading
import time

import pytest
import weir


@pytest.fixture
def ends(address):
    with weir.writer(address) as w, weir.reader(address) as r:
        w.wait_readers(1, timeout=10)
        yield w, r


def test_a_message(ends):
    w, r = ends
    before = time.time()
    w.send({"a": [1, 2]}, op="hello", meta={"unit": "A", "rate": 50}, unit="V", from_="here")
    m = r.next(timeout=10)
    assert m.op == "hello" and m.data == {"a": [1, 2]} and m.seq == w.seq == 1 and m.gap == 0
    assert m.meta == {"unit": "V", "rate": 50, "from_": "here"}
    assert before - 1 < m.time < time.time() + 1 and m.time_ns == pytest.approx(m.time * 1e9)
    assert 0 <= m.age < 10 and m.id == 0 and m.codec == "cbor" and m.type == ""
    assert weir.decode(m.bytes) == m.data
    assert m.json().startswith('{"v":1,"seq":1,') and '"op":"hello"' in m.json()
    assert repr(m) == f"<weir.Message seq=1 op='hello' cbor, {len(m.bytes)} bytes>"
    assert m.data is m.data


def test_an_empty_message(ends):
    w, r = ends
    w.send()
    m = r.next(timeout=10)
    assert m.op == "" and m.data is None and m.meta == {}


def test_null_is_sent_as_no_data(ends):
    w, r = ends
    w.send(None, op="x")
    assert r.next(timeout=10).data is None


def test_arguments_are_checked(shm):
    with weir.writer(shm) as w:
        with pytest.raises(TypeError, match="positional"):
            w.send(1, "op")
        with pytest.raises(TypeError, match="twice"):
            w.send(1, data=2)
        with pytest.raises(TypeError, match="op is a str"):
            w.send(1, op=2)
        with pytest.raises(TypeError, match="meta is a dict"):
            w.send(1, meta=[])
        with pytest.raises(ValueError, match="NUL"):
            w.send(1, op="a\0b")
        with pytest.raises(weir.Error):
            w.send(1, op="x" * 300)
        with pytest.raises(TypeError):
            weir.writer(5)
        assert w.seq == 0


def test_timeouts(ends):
    w, r = ends
    start = time.monotonic()
    with pytest.raises(weir.Timeout) as info:
        r.next(timeout=0.25)
    assert time.monotonic() - start >= 0.25
    assert isinstance(info.value, TimeoutError) and info.value.name == "WEIR_ETIMEOUT"
    with pytest.raises(weir.Timeout):
        r.next(timeout=0)
    for bad in (-1, float("nan")):
        with pytest.raises(ValueError):
            r.next(timeout=bad)


def test_loops(ends):
    w, r = ends
    for i in range(5):
        w.send(i)
    assert [m.data for m in r.messages(timeout=0.2)] == [0, 1, 2, 3, 4]
    for i in range(3):
        w.send(i)
    seen = []
    for m in r:
        seen.append(m.data)
        if len(seen) == 3:
            break
    assert seen == [0, 1, 2]


def test_history_and_latest(shm):
    with weir.writer(shm) as w:
        for i in range(10):
            w.send(i)
        with weir.reader(shm, from_="oldest") as r:
            assert r.next(timeout=10).data == 0
            assert r.latest().data == 9
            assert r.latest(copy=False).data == 9
        assert weir.latest(shm).data == 9
    assert weir.get(shm).data == 9, "a channel outlives its writer"
    with pytest.raises(weir.NotFound, match="no message|no channel|not"):
        weir.get("test/nothing")


def test_max_age(shm):
    with weir.writer(shm) as w:
        w.send(1)
        assert weir.get(shm, max_age=60).data == 1
        with pytest.raises(weir.Stale, match="old") as info:
            weir.get(shm, max_age=0)
        assert info.value.last.data == 1 and isinstance(info.value, weir.NotFound)
    with weir.writer("test/unstamped", stamp=0) as w:
        w.send(1)
        m = weir.get("test/unstamped")
        assert m.time is None and m.age is None and m.time_ns is None
        with pytest.raises(weir.Stale, match="time"):
            weir.get("test/unstamped", max_age=60)


def test_options():
    with weir.writer("test/options", capacity="64K", full="fail", keep=False, exclusive=True) as w:
        assert w.address == "test/options?capacity=64K&full=fail&keep=0&exclusive=1"
        with pytest.raises(weir.Busy):
            weir.writer("test/options")
    with pytest.raises(weir.AddressError, match="flavour"):
        weir.writer("test/options", flavour="red")
    with pytest.raises(TypeError):
        weir.writer("test/options", capacity=[1])


def test_times_that_are_not_the_clock_s(ends):
    w, r = ends
    assert w.time_ns is None
    w.time_ns = 1_700_000_000_123_456_789
    w.send(1)
    w.send_bytes(b"2", "json")
    w.time_ns = 0
    w.send(3)
    w.time_ns = None
    w.send(4)
    found = [r.next(timeout=10) for _ in range(4)]
    assert [m.time_ns for m in found[:3]] == [1_700_000_000_123_456_789] * 2 + [None]
    assert 0 <= found[3].age < 10
    for bad in (1.5, "now", 2**63, -(2**63)):
        with pytest.raises((TypeError, OverflowError)):
            w.time_ns = bad
    assert w.time_ns is None
    w.close()
    with pytest.raises(ValueError, match="closed"):
        w.time_ns = 1


def test_remove(shm):
    with weir.writer(shm) as w:
        w.send(1)
        with pytest.raises(weir.Busy, match="pid %d" % os.getpid()):
            weir.remove(shm)
    assert len(weir.remove(shm, dry_run=True)) == 1 and weir.get(shm).data == 1
    (gone,) = weir.remove(shm)
    assert gone["what"] == "idle channel" and not os.path.exists(gone["path"])
    with pytest.raises(weir.NotFound):
        weir.remove(shm)
    with pytest.raises(weir.NotSupported):
        weir.remove("file:///tmp/a.weir")


def test_gaps(shm):
    with weir.writer(shm, capacity="64K", full="drop-oldest") as w, weir.reader(shm, observe=1) as r:
        for i in range(200):
            w.send(bytes(2000), i=i)
        m = r.next(timeout=10)
        assert m.gap > 0 and r.gaps == m.gap and m.meta["i"] == m.gap


def test_a_full_channel(shm):
    with weir.reader(shm) as r:
        with weir.writer(shm, capacity="64K", max="32K", full="fail") as w:
            with pytest.raises(weir.Again):
                for _ in range(1000):
                    w.send(bytes(2000))
            with pytest.raises(weir.TooBig):
                w.send(bytes(100000))
        assert r.next(timeout=10).data == bytes(2000)


def test_a_blocked_send_waits(shm):
    with weir.reader(shm) as r, weir.writer(shm, capacity="64K", timeout="300ms") as w:
        assert w.timeout == 0.3
        start = time.monotonic()
        with pytest.raises(weir.Timeout):
            while True:
                start = time.monotonic()
                w.send(bytes(2000))
        assert time.monotonic() - start >= 0.29
        w.timeout = None
        assert w.timeout is None
        thread = threading.Thread(target=lambda: [r.next(timeout=10) for _ in range(20)])
        thread.start()
        w.send(bytes(2000))  # goes through when the other thread has read: the wait leaves the interpreter free
        thread.join()


def test_batch(ends):
    w, r = ends
    with w.batch():
        for i in range(100):
            w.send(i)
    assert [m.data for m in r.messages(timeout=0.2)] == list(range(100))


def test_send_bytes(ends):
    w, r = ends
    w.send_bytes(b'{"x":1}', "json", op="a", unit="V")
    w.send_bytes(bytes(16), "raw", type="f64[2]")
    w.send_bytes(b"abc", "raw")
    m = r.next(timeout=10)
    assert (m.data, m.codec, m.op, m.meta) == ({"x": 1}, "json", "a", {"unit": "V"})
    assert r.next(timeout=10).array.tolist() == [0, 0]
    assert r.next(timeout=10).type == "u8[3]"
    w.send_bytes(b"{nonsense", "json")
    m = r.next(timeout=10)
    with pytest.raises(weir.ParseError):
        m.data
    with pytest.raises(weir.InvalidArgument):
        w.send_bytes(bytes(7), "raw", type="f64[2]")


def test_send_many(ends):
    w, r = ends
    assert w.send_many((b"%d" % i for i in range(5)), "json", op="count", unit="V") == 5
    assert w.send_many([bytes(8), bytearray(8)], "raw", type="f64") == 2
    assert w.send_many([], "json") == 0
    got = []
    while len(got) < 7:
        some = r.next_many(3, timeout=10)
        assert 1 <= len(some) <= 3
        got += some
    assert [m.data for m in got[:5]] == list(range(5))
    assert [m.seq for m in got] == list(range(1, 8))
    assert all((m.op, m.meta) == ("count", {"unit": "V"}) for m in got[:5])
    assert [m.type for m in got[5:]] == ["f64", "f64"]
    with pytest.raises(weir.Timeout):
        r.next_many(timeout=0)
    with pytest.raises(weir.InvalidArgument) as caught:
        w.send_many([bytes(8), bytes(7)], "raw", type="f64")
    assert caught.value.sent == 1
    assert len(r.next_many(timeout=10)) == 1
    with pytest.raises(TypeError):
        w.send_many(["text"], "json")
    with pytest.raises(weir.InvalidArgument):
        r.next_many(0)


def test_send_many_goes_on_where_there_is_room(shm):
    with weir.reader(shm, capacity="64K") as r, weir.writer(shm, capacity="64K", timeout=0.05) as w:
        with pytest.raises(weir.Timeout) as caught:
            w.send_many([b"[%d]" % i + b" " * 1000 for i in range(200)], "json")
        sent = caught.value.sent
        assert 10 < sent < 200
        got = []
        while len(got) < sent:
            got += r.next_many(timeout=10)
        assert [m.data for m in got] == [[i] for i in range(sent)]


def test_wait_for_readers(shm):
    with weir.writer(shm) as w:
        with pytest.raises(weir.Timeout):
            w.wait_readers(1, timeout=0.05)
        with weir.reader(shm):
            w.wait_readers(timeout=10)


def test_wait_on_many(store):
    names = [f"test/{i}" for i in range(3)]
    writers = [weir.writer(name) for name in names]
    readers = [weir.reader(name) for name in names]
    pipe = os.pipe()
    server = weir.server("test/server")
    everything = [*readers, server, pipe[0]]
    assert weir.wait(everything, 0.05) == []
    writers[1].send(1)
    assert weir.wait(everything, 10) == [readers[1]]
    os.write(pipe[1], b"x")
    assert set(map(id, weir.wait(everything, 10))) == {id(readers[1]), id(everything[4])}
    assert readers[1].next(timeout=0).data == 1
    for end in (*writers, *readers, server):
        end.close()
    with pytest.raises(ValueError, match="closed"):
        weir.wait(readers, 0)
    os.close(pipe[0])
    os.close(pipe[1])


def test_closed_ends(ends):
    w, r = ends
    w.close()
    w.close()
    assert w.closed and "closed" in repr(w)
    for use in (lambda: w.send(1), lambda: w.seq, w.cork, lambda: w.wait_readers()):
        with pytest.raises(ValueError, match="closed"):
            use()
    r.close()
    for use in (r.next, r.latest, r.fileno, lambda: r.gaps, r.release):
        with pytest.raises(ValueError, match="closed"):
            use()


def test_threads_need_ends_of_their_own(shm):
    with weir.reader(shm) as r:
        failures = []
        started = threading.Event()

        def wait():
            started.set()
            try:
                r.next(timeout=20)
            except weir.Error as error:
                failures.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        started.wait()
        deadline = time.monotonic() + 10
        seen = None
        while seen is None and time.monotonic() < deadline:
            try:
                r.next(timeout=0)
            except weir.Timeout:
                continue  # the other thread is not waiting yet
            except RuntimeError as error:
                seen = error
        assert "another call" in str(seen)
        with weir.writer(shm) as w:
            w.send(1)
        thread.join()
        assert not failures


def test_other_threads_run_while_one_waits(shm):
    with weir.reader(shm) as r:
        ticks = []
        stop = threading.Event()

        def count():
            while not stop.is_set():
                ticks.append(time.monotonic())
                time.sleep(0.005)

        thread = threading.Thread(target=count)
        thread.start()
        with pytest.raises(weir.Timeout):
            r.next(timeout=0.5)
        stop.set()
        thread.join()
        assert len(ticks) > 5


INTERRUPTED = """
import sys, weir
{setup}
try:
    print("ready", flush=True)
    {call}
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""

WAITS = {
    "next": ("r = weir.reader('test/x')", "r.next()"),
    "loop": ("r = weir.reader('test/x')", "list(r)"),
    "send": ("r = weir.reader('test/x'); w = weir.writer('test/x', capacity='64K', timeout='forever')",
             "[w.send(bytes(2000)) for _ in range(1000)]"),
    "readers": ("w = weir.writer('test/x')", "w.wait_readers()"),
    "call": ("c = weir.client('test/x')", "c.call('x', timeout=None)"),
    "serve": ("s = weir.server('test/x')", "s.next()"),
    "wait": ("r = weir.reader('test/x')", "weir.wait([r])"),
}


def await_sleep(pid):
    """Until the process waits for something."""
    deadline = time.monotonic() + 20
    state = ""
    while state != "S" and time.monotonic() < deadline:
        with open(f"/proc/{pid}/stat") as file:
            state = file.read().rpartition(")")[2].split()[0]
    assert state == "S"


@pytest.mark.parametrize("wait", WAITS)
def test_ctrl_c(run, wait):
    setup, call = WAITS[wait]
    process = run(INTERRUPTED.format(setup=setup, call=call))
    assert process.stdout.readline() == "ready\n", process.stderr.read()
    await_sleep(process.pid)
    process.send_signal(signal.SIGINT)
    start = time.monotonic()
    out, err = process.communicate(timeout=30)
    assert out == "interrupted\n", err
    assert time.monotonic() - start < 10


def test_a_signal_handler_cannot_close_what_waits(run):
    text = """
import signal, weir
r = weir.reader("test/x")
def handler(*_):
    try:
        r.close()
    except RuntimeError as error:
        print(error, flush=True)
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.2)
try:
    r.next(timeout=0.6)
except weir.Timeout:
    print("timeout", flush=True)
"""
    out, err = run(text).communicate(timeout=60)
    assert "in use by another call" in out and out.endswith("timeout\n"), err


def test_a_forked_child_must_open_its_own(ends):
    w, r = ends
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        names = []
        for use in (lambda: w.send(1), lambda: r.next(timeout=0)):
            try:
                use()
                names.append("nothing")
            except weir.Error as error:
                names.append(error.name)
        os.write(writing, " ".join(names).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        assert pipe.read() == "WEIR_EFORKED WEIR_EFORKED"
    assert os.waitpid(child, 0)[1] == 0
    w.send("still here")
    assert r.next(timeout=10).data == "still here"


def test_the_reader_is_there_first(address):
    with weir.reader(address) as r:
        with weir.writer(address) as w:
            w.wait_readers(1, timeout=10)
            w.send("late")
            assert r.next(timeout=10).data == "late"


def test_another_process(run, address):
    text = """
import sys, weir
with weir.writer(sys.argv[1], readers=1) as w:
    for i in range(1000):
        w.send({"i": i}, op="count")
"""
    with weir.reader(address) as r:
        process = run(text, address)
        for i in range(1000):
            assert r.next(timeout=20).data == {"i": i}
        assert r.gaps == 0
        assert process.wait(timeout=20) == 0


def test_directory(shm):
    with weir.writer(shm), weir.reader(shm):
        entry = next(e for e in weir.directory() if "test/channel" in e["address"])
        assert entry["state"] == "live"
        assert {end["role"] for end in entry["ends"]} == {"writer", "reader"}
        assert {end["pid"] for end in entry["ends"]} == {os.getpid()}
    assert isinstance(weir.clean(dry_run=True), list)


def test_info(shm):
    with weir.writer(shm) as w, weir.reader(shm) as r:
        w.send(1)
        info = weir.info(shm)
        (reader,), (lane,) = info["readers"], info["lanes"]
        assert (info["state"], lane["state"], lane["pid"], lane["seq"]) == ("live", "held", os.getpid(), 1)
        assert reader["is_holding"] and reader["lags"] == [{"lane": lane["lane"], "bytes": 64, "messages": 1,
                                                       "full": "block", "lost": 0}]
        assert r.next(timeout=20).data == 1
    with pytest.raises(weir.Error) as caught:
        weir.info("test/nothing-there")
    assert caught.value.name == "WEIR_ENOENT"


def test_version():
    assert weir.version() == weir.__version__
