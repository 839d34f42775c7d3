"""Arrays: every element type and order, without copies where that is safe, and never a view of memory that is gone."""

import array
import ctypes
import gc
import re

import numpy as np
import pytest
import weir

TYPES = ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f4", "f8"]


@pytest.fixture
def ends(address):
    with weir.writer(address) as w, weir.reader(address) as r:
        w.wait_readers(1, timeout=10)
        yield w, r


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(5,), (4, 3), (2, 3, 4), (1, 1), (0,), (3, 0, 2), (2,) * 15])
@pytest.mark.parametrize("kind", TYPES)
def test_round_trip(shm, kind, shape, order):
    count = int(np.prod(shape))
    x = (np.arange(count) % 100).astype(kind).reshape(shape, order=order)
    with weir.writer(shm) as w, weir.reader(shm) as r:
        w.send(x)
        m = r.next(timeout=10)
    assert m.array.dtype == x.dtype and m.array.shape == x.shape
    assert np.array_equal(m.array, x) and np.array_equal(m.data, x)
    if count and len(shape) > 1:
        assert m.array.flags.f_contiguous == x.flags.f_contiguous
        assert m.array.flags.c_contiguous == x.flags.c_contiguous


def test_across(ends):
    w, r = ends
    x = np.random.default_rng(1).random((4, 256))
    w.send(x, op="spectrum", unit="V")
    m = r.next(timeout=10)
    assert (m.op, m.meta, m.type, m.codec) == ("spectrum", {"unit": "V"}, "f64[4,256]", "raw")
    assert np.array_equal(m.array, x)


def test_what_is_not_dense_is_copied(shm):
    x = np.arange(24.0).reshape(4, 6)
    with weir.writer(shm) as w, weir.reader(shm) as r:
        for part in (x[::2], x[:, 1:4], x[::-1], x.T[::2], np.broadcast_to(x[0], (3, 6))):
            w.send(part)
            m = r.next(timeout=10)
            assert np.array_equal(m.array, part) and m.array.shape == part.shape


def test_other_byte_order(shm):
    """Raw data is in the machine's order; what cannot be sent so still arrives with its values."""
    x = np.arange(6, dtype=">i4").reshape(2, 3)
    with weir.writer(shm) as w, weir.reader(shm) as r:
        w.send(x)
        m = r.next(timeout=10)
        assert np.array_equal(m.array, x)
        w.send({"inside": x})
        assert np.array_equal(r.next(timeout=10).data["inside"], x)


def test_any_buffer(shm):
    buffers = [array.array("d", [1, 2, 3]), (ctypes.c_int32 * 4)(1, 2, 3, 4), memoryview(array.array("h", [5, 6]))]
    with weir.writer(shm) as w, weir.reader(shm) as r:
        for buffer in buffers:
            w.send(buffer)
            assert r.next(timeout=10).array.tolist() == list(buffer)


def test_bytes_are_bytes(shm):
    with weir.writer(shm) as w, weir.reader(shm) as r:
        for content in (b"abc", bytearray(b"abc"), memoryview(b"abc"), bytes(100000)):
            w.send(content)
            assert r.next(timeout=10).data == bytes(content)
        w.send(np.frombuffer(b"abc", dtype="u1"))
        assert r.next(timeout=10).type == "u8[3]"


def test_numpy_numbers(shm):
    with weir.writer(shm) as w, weir.reader(shm) as r:
        for number in (np.float64(1.5), np.float32(0.5), np.int64(-3), np.uint8(200), np.array(7)):
            w.send(number)
            assert r.next(timeout=10).data == number
        w.send({"x": np.float32(0.1), "list": [np.int16(1)]})
        assert r.next(timeout=10).data == {"x": np.float32(0.1), "list": [1]}


@pytest.mark.parametrize("kind", ["bool", "complex128", "float16", "U3", "i4,U3", "O"])
def test_other_elements_are_refused(shm, kind):
    with weir.writer(shm) as w:
        with pytest.raises((TypeError, ValueError), match="cannot be sent|buffer"):
            w.send(np.zeros(3, dtype=kind))
        assert w.seq == 0


NUMBERS = np.ma.array([1.5, -999.0, 3.0], mask=[0, 1, 0])
REFUSED = {
    "masked": (NUMBERS, "filled"),
    "masked with nothing masked": (np.ma.array([1, 2]), "filled"),
    "masked constant": (np.ma.masked, "filled"),
    "masked structs": (np.ma.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]), "filled"),
    "one masked struct": (np.ma.array([(1, 2.0)], mask=[(1, 0)], dtype=[("a", "i4"), ("b", "f8")])[0], "filled"),
    "objects": (np.array([1, "a", None], dtype=object), "tolist"),
    "dates": (np.array(["2020-01-01", "NaT"], dtype="M8[s]"), "astype..datetime64.ns.*int64.*NaT"),
    "one date": (np.datetime64("2020-01-01T00:00:00"), "from_ns.*NaT"),
    "no date": (np.datetime64("NaT"), "from_ns.*NaT"),
    "durations": (np.array([1, 2], dtype="m8[s]"), "astype..timedelta64.ns"),
    "one duration": (np.timedelta64(5, "s"), "astype..timedelta64.ns"),
    "dates in structs": (np.array([(1, "2020-01-01")], dtype=[("n", "i8"), ("t", "M8[D]")]), "datetime64"),
    "texts in structs": (np.array([(1, "ab")], dtype=[("n", "i8"), ("t", "U4")]), "<U4"),
    "objects in structs": (np.array([(1, "ab")], dtype=[("n", "i8"), ("t", "O")]), "object"),
    "truths in structs": (np.array([(1, True)], dtype=[("n", "i8"), ("t", "?")]), "bool"),
    "halves": (np.array([0.1], dtype="f2"), "astype..float32"),
    "one half": (np.float16(0.1), "astype..float32"),
    "long doubles": (np.array([0.1], dtype="g"), "astype..float64.*rounds"),
    "one long double": (np.longdouble("0.1"), "astype..float64.*rounds"),
    "complex": (np.array([1 + 2j]), "view..float64"),
    "complex of floats": (np.array([1 + 2j], dtype="c8"), "view..float32"),
    "one complex": (np.complex128(1 + 2j), "view..float64"),
    "truths": (np.array([True, False]), "view..uint8"),
    "texts": (np.array(["ab", "c"]), "tolist"),
    "bytes of a size": (np.array([b"ab", b"c"]), "tolist"),
    "void": (np.void(b"abc"), "view..uint8"),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("what", REFUSED)
def test_nothing_is_lost_in_silence(shm, what):
    """What a channel cannot carry is refused, everywhere, with a sentence that names the way out."""
    value, way_out = REFUSED[what]
    with weir.writer(shm) as w, weir.client(shm) as client:
        for send in (lambda: w.send(value), lambda: w.send({"inside": [value]}), lambda: w.send(1, meta={"x": value}),
                     lambda: weir.encode(value), lambda: client.send("op", value)):
            with pytest.raises(TypeError, match="cannot be sent") as refusal:
                send()
            assert re.search(way_out, str(refusal.value))
        if what.startswith(("masked", "one d", "no d")):
            for send in (lambda: w.send_bytes(value, "raw"), lambda: w.send_many([b"a", value], "raw")):
                with pytest.raises(TypeError, match="cannot be sent"):
                    send()
        assert w.seq == 0 and client.under_way == 0


EXACT = {
    "what the sentence says of masks": NUMBERS.filled(np.nan),
    "the data beside the mask": NUMBERS.data,
    "a mask": NUMBERS.mask.view("u1"),
    "dates as numbers": np.array(["2020-01-01", "NaT"], dtype="M8[s]").astype("M8[ns]").astype("i8"),
    "complex as floats": np.array([1 + 2j, 3 - 4j]).view("f8"),
    "halves as floats": np.array([0.1, 65504, np.inf], dtype="f2").astype("f4"),
    "the other byte order": np.array([1.5, -2.25], dtype=">f8"),
    "integers of the other byte order": np.array([[1, -2], [300, 4]], dtype=">i2"),
    "every second column": np.arange(12.0).reshape(3, 4)[:, ::2],
    "backwards": np.arange(5)[::-1],
    "columns": np.arange(6.0).reshape(2, 3).T,
    "one number many times": np.broadcast_to(np.float32(3), (2, 3)),
    "a diagonal": np.arange(9).reshape(3, 3).diagonal(),
    "nothing": np.zeros((0, 3)),
    "not a number, of any kind": np.array([np.nan, -np.nan, np.inf, -0.0]),
    "not aligned": np.frombuffer(b"x" + np.arange(4.0).tobytes(), dtype="f8", offset=1),
    "the largest": np.array([2**64 - 1, 2**63], dtype="u8"),
}


@pytest.mark.parametrize("what", EXACT)
def test_all_else_is_exact(shm, what):
    x = np.asarray(EXACT[what])
    with weir.writer(shm) as w, weir.reader(shm) as r:
        w.send(EXACT[what])
        got = np.asarray(r.next(timeout=10).array)
        w.send({"inside": EXACT[what]})
        inside = np.asarray(r.next(timeout=10).data["inside"])
    for y in (got, inside, np.asarray(weir.decode(weir.encode(EXACT[what])))):
        assert y.shape == x.shape and y.dtype.newbyteorder("=") == x.dtype.newbyteorder("=")
        assert y.astype(y.dtype.newbyteorder("=")).tobytes() == x.astype(x.dtype.newbyteorder("=")).tobytes()


SCALARS = [(np.bool_(True), True), (np.bool_(False), False), (np.array(True), True), (np.str_("äb"), "äb"),
           (np.bytes_(b"a\0b"), b"a\0b"), (np.array(5.5), 5.5), (np.array(-7), -7), (np.array(7, dtype=">i4"), 7),
           (np.uint64(2**64 - 1), 2**64 - 1), (np.float32(0.1), float(np.float32(0.1)))]


@pytest.mark.parametrize("sent, wanted", SCALARS, ids=lambda x: repr(x))
def test_scalars_are_exact(shm, sent, wanted):
    with weir.writer(shm) as w, weir.reader(shm) as r:
        w.send(sent)
        w.send([sent])
        got, inside = r.next(timeout=10).data, r.next(timeout=10).data[0]
    assert got == inside == wanted and type(got) is type(inside) is type(wanted)


def test_structs_in_any_layout_are_exact(shm):
    x = np.array([(1, 2.5, 3), (4, 5.5, 6)], dtype=[("a", "u1"), ("b", ">f8"), ("c", "i4")])
    overlapping = np.array([0x01020304, 5], dtype="u4").view(
        np.dtype({"names": ["all", "low"], "formats": ["u4", "u1"], "offsets": [0, 0], "itemsize": 4}))
    with weir.writer(shm) as w, weir.reader(shm) as r:
        for part in (x, x[["c", "a"]], x[::-1], x.reshape(2, 1), overlapping, x[0]):
            w.send(part)
            m = r.next(timeout=10)
            assert m.array.shape == part.shape and m.array.dtype.names == part.dtype.names
            for name in part.dtype.names:
                assert np.array_equal(m.array[name], part[name])


def test_arrays_inside_values(shm):
    x, y = np.arange(6.0).reshape(2, 3), np.asfortranarray(np.arange(4000, dtype="i4").reshape(40, 100))
    with weir.writer(shm) as w, weir.reader(shm) as r:
        w.send({"x": x, "list": [y, 1]})
        m = r.next(timeout=10)
    assert np.array_equal(m.data["x"], x) and np.array_equal(m.data["list"][0], y)
    assert m.data["list"][0].flags.f_contiguous
    with pytest.raises(weir.TypeMismatch, match="map"):
        m.array


@pytest.mark.parametrize("codec", ["cbor", "json"])
def test_encoded_arrays(codec):
    x = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    back = weir.decode(weir.encode(x, codec), codec)
    assert np.array_equal(back, x) and back.flags.f_contiguous


# ---- life times ----


def test_a_message_keeps_its_arrays(ends):
    """Arrays outlive the message, the reader and the writer."""
    w, r = ends
    kept = []
    for i in range(20):
        w.send(np.full(1000, i))
        kept.append(r.next(timeout=10).array)
    r.close()
    w.close()
    gc.collect()
    for i, x in enumerate(kept):
        assert (x == i).all()
    kept[0][:] = 7  # its own copy may be written
    assert kept[0][999] == 7


def test_lent_messages_end_with_the_next_call(ends):
    w, r = ends
    for i in range(3):
        w.send(np.full(100, i, dtype="f8"))
    m = r.next(timeout=10, copy=False)
    with m.view() as view:
        assert view.format == "d" and view.shape == (100,) and view[0] == 0 and view.readonly
    copy = m.copy()
    assert r.next(timeout=10).array[0] == 1
    for use in (lambda: m.op, lambda: m.data, lambda: m.array, m.view, m.copy, m.json):
        with pytest.raises(ValueError, match="copy=False"):
            use()
    assert copy.array[0] == 0
    assert "given back" in repr(m)


def test_a_lent_array_stops_the_reader(ends):
    w, r = ends
    for i in range(2):
        w.send(np.full(100, i, dtype="f8"))
    x = r.next(timeout=10, copy=False).array
    assert not x.flags.writeable
    for call in (r.next, r.latest, r.release, r.close, lambda: weir.wait([r], 0)):
        with pytest.raises(BufferError, match="delete it"):
            call()
    assert (x == 0).all()
    del x
    assert r.next(timeout=10).array[0] == 1


def test_lent_data_is_copied(ends):
    w, r = ends
    w.send({"x": np.arange(1000.0), "text": "a"})
    data = r.next(timeout=10, copy=False).data
    with pytest.raises(weir.Timeout):
        r.next(timeout=0)
    assert data["x"][999] == 999 and data["text"] == "a"


def test_a_lent_array_keeps_the_memory(ends):
    """Dropping every name but the array's leaves the reader open below it."""
    w, r = ends
    w.send(np.arange(1000.0))
    reader = weir.reader(r.address, from_="oldest")
    x = None
    try:
        x = reader.next(timeout=10, copy=False).array
    except weir.Timeout:
        assert r.address.startswith("unix")  # a socket keeps no history for late readers
        return
    del reader
    gc.collect()
    assert x.sum() == 499500


def test_messages_without_copies(ends):
    w, r = ends
    for i in range(10):
        w.send(np.full(10, i))
    total = 0
    for m in r.messages(timeout=0.2, copy=False):
        total += int(m.array.sum())
    assert total == 450


# ---- reservations ----


def test_reserve(ends):
    w, r = ends
    with w.reserve("f64", (4, 3), op="in place", meta={"unit": "V"}) as memory:
        assert memory.shape == (4, 3) and not memory.readonly
        np.asarray(memory)[:] = np.arange(12).reshape(4, 3)
    m = r.next(timeout=10)
    assert (m.op, m.meta, m.type) == ("in place", {"unit": "V"}, "f64[4,3]")
    assert m.array[3, 2] == 11
    with w.reserve("i16", 5, "column") as memory:
        memory[:] = array.array("h", [1, 2, 3, 4, 5])
    assert r.next(timeout=10).array.tolist() == [1, 2, 3, 4, 5]


def test_an_exception_sends_nothing(ends):
    w, r = ends
    with pytest.raises(KeyError):
        with w.reserve("f64", 3):
            raise KeyError("x")
    w.send(1)
    m = r.next(timeout=10)
    assert m.data == 1 and m.gap == 0


def test_a_reservation_does_not_outlive_its_block(ends):
    w, r = ends
    with pytest.raises(BufferError, match="nothing was sent"):
        with w.reserve("f64", 3) as memory:
            x = np.asarray(memory)
    for call in (lambda: w.send(1), w.close, lambda: w.reserve("f64", 3).__enter__()):
        with pytest.raises(BufferError, match="delete it"):
            call()
    del x
    w.send(2)
    assert r.next(timeout=10).data == 2
    with pytest.raises(ValueError):
        memory[0]


def test_one_reservation_at_a_time(ends):
    w, r = ends
    with w.reserve("f64", 3) as memory:
        memory[0] = memory[1] = memory[2] = 1.0
        with pytest.raises(RuntimeError, match="reservation"):
            w.send(1)
    assert r.next(timeout=10).array.tolist() == [1, 1, 1]


def test_reserve_checks_its_arguments(shm):
    with weir.writer(shm) as w:
        with pytest.raises(ValueError, match="f64"):
            w.reserve("double", 3)
        with pytest.raises(ValueError, match="order"):
            w.reserve("f64", 3, "diagonal")
        with pytest.raises(ValueError, match="sizes"):
            w.reserve("f64", ())
        with pytest.raises(OverflowError):
            w.reserve("f64", (2**40, 2**40))
        with pytest.raises((OverflowError, TypeError, ValueError)):
            w.reserve("f64", -1)


# ---- without numpy ----

WITHOUT_NUMPY = """
import sys
sys.modules["numpy"] = None
import weir, array
with weir.writer("test/bare") as w, weir.reader("test/bare") as r:
    w.send(memoryview(array.array("d", [1, 2, 3, 4, 5, 6])).cast("B").cast("d", [2, 3]), op="x")
    m = r.next(timeout=10)
    assert isinstance(m.array, memoryview) and m.array.shape == (2, 3) and m.array.format == "d", m.array
    assert m.array.tolist() == [[1, 2, 3], [4, 5, 6]] and m.data[1, 2] == 6
column = bytes.fromhex("d9041082820203d8") + bytes.fromhex("40") + b"\\x46" + bytes(range(6))
x = weir.decode(column)
assert x.tolist() == [[0, 2, 4], [1, 3, 5]] and x.strides == (1, 2), x.tolist()
big = weir.decode(bytes.fromhex("d842") + b"\\x48" + (1).to_bytes(4, "big") + (2).to_bytes(4, "big"))
assert big.tolist() == [1, 2], big.tolist()
print("good")
"""


def test_without_numpy(run):
    out, err = run(WITHOUT_NUMPY).communicate(timeout=60)
    assert out == "good\n", err
