"""Raw structs: numpy's structured arrays as they lie in memory, types from dtypes and back, and maps for those without
numpy."""

import ctypes
import gc
import sys

import numpy as np
import pytest
import weir

READING = "{t: i64, accel: f64[3], temp: f32}"
FIELDS = [("t", "i8"), ("accel", "f8", 3), ("temp", "f4")]


def readings(count, align=True):
    x = np.zeros(count, np.dtype(FIELDS, align=align))
    x["t"] = np.arange(count)
    x["accel"] = np.arange(3 * count).reshape(count, 3)
    x["temp"] = 2.5
    return x


@pytest.fixture
def ends(address):
    with weir.writer(address) as w, weir.reader(address) as r:
        w.wait_readers(1, timeout=10)
        yield w, r


def test_a_structured_array_arrives_as_one(ends):
    w, r = ends
    x = readings(4)
    w.send(x, op="readings", unit="K")
    m = r.next(timeout=10)
    assert (m.op, m.meta, m.codec, m.type) == ("readings", {"unit": "K"}, "raw", READING + "[4]")
    assert m.array.shape == (4,) and np.array_equal(m.array["accel"], x["accel"]) and m.array["temp"][3] == 2.5
    assert m.data[3]["t"] == 3 and np.array_equal(m.data[2]["accel"], [6, 7, 8])
    assert m.bytes == x.tobytes()


def test_it_is_not_copied(shm):
    with weir.writer(shm) as w, weir.reader(shm) as r:
        w.send(readings(4))
        m = r.next(timeout=10)
        assert m.array.ctypes.data % 64 == 0 and m.array.ctypes.data == m.array["t"].ctypes.data
        assert m.array.ctypes.data == m.raw(m.type).ctypes.data  # each time the message's own memory
        m.array["t"][1] = 99
        assert m.array["t"][1] == 99
        w.send(readings(4))
        lent = r.next(timeout=10, copy=False)
        shown = lent.array
        with pytest.raises(ValueError):
            shown["t"] = 1
        with pytest.raises(BufferError):
            r.next(timeout=0)
        del shown
        gc.collect()
        with pytest.raises(weir.Timeout):
            r.next(timeout=0)


def test_one_struct(shm):
    with weir.writer(shm) as w, weir.reader(shm) as r:
        for one in (readings(3)[2], np.array(readings(3)[2])):
            w.send(one)
            m = r.next(timeout=10)
            assert m.type == READING and m.array.shape == () and m.array["t"] == 2
            assert m.data["t"] == 2 and m.data["temp"] == 2.5 and list(m.data) == ["t", "accel", "temp"]


@pytest.mark.parametrize("x", [
    readings(5, align=False), readings(6)[::2], readings(6).reshape(2, 3), readings(6).reshape(2, 3, order="F"),
    readings(5).astype(np.dtype(FIELDS, align=True).newbyteorder(">")), readings(0),
    readings(3)[["t", "temp"]],
], ids=["packed", "strided", "matrix", "column", "big-endian", "empty", "some fields"])
def test_what_lies_otherwise_is_laid_as_in_c(shm, x):
    with weir.writer(shm) as w, weir.reader(shm) as r:
        w.send(x)
        m = r.next(timeout=10)
    assert m.array.shape == x.shape and m.array.dtype.names == x.dtype.names
    for name in x.dtype.names:
        assert np.array_equal(m.array[name], x[name])
    if x.ndim == 2:
        assert m.array.flags.f_contiguous == x.flags.f_contiguous
        assert m.data[1][2]["t"] == x[1, 2]["t"]


def test_nested_structs(shm):
    point = np.dtype([("x", "f4"), ("y", "f4")])
    x = np.zeros(2, np.dtype([("n", "u2"), ("p", point, (2,)), ("m", "i2", (2, 3))]))
    x["p"]["y"] = [[1, 2], [3, 4]]
    x["m"][1] = [[1, 2, 3], [4, 5, 6]]
    with weir.writer(shm) as w, weir.reader(shm) as r:
        w.send(x)
        m = r.next(timeout=10)
    assert m.type == "{n: u16, p: {x: f32, y: f32}[2], m: i16[2,3]}[2]"
    assert np.array_equal(m.array["p"]["y"], x["p"]["y"]) and np.array_equal(m.array["m"], x["m"])
    assert m.data[1]["p"][0] == {"x": 0.0, "y": 3.0} and m.data[1]["m"][1][2] == 6


def test_another_type_says_both_and_who_writes(ends):
    w, r = ends
    w.send(np.zeros(3))
    m = r.next(timeout=10)
    assert np.array_equal(m.raw("f64[3]"), [0, 0, 0])
    with pytest.raises(weir.TypeMismatch, match=r"sends f64\[3\], you asked for f32\[4\] \(writer pid \d+, user "):
        m.raw("f32[4]")
    with pytest.raises(weir.InvalidArgument):
        m.raw("f32[")
    with pytest.raises(TypeError):
        m.raw(3)
    w.send({"a": 1})
    with pytest.raises(weir.TypeMismatch, match="the writer sends cbor data"):
        r.next(timeout=10).raw(READING)


def test_reserve(shm):
    with weir.writer(shm) as w, weir.reader(shm) as r:
        with w.reserve(READING + "[3]", op="r") as memory:
            x = np.asarray(memory).view(weir.dtype(READING))
            x["temp"] = [1, 2, 3]
            del x
        m = r.next(timeout=10)
        assert m.op == "r" and m.type == READING + "[3]" and list(m.array["temp"]) == [1, 2, 3]
        for wrong in (("f64",), (READING, 3)):
            with pytest.raises(TypeError):
                w.reserve(*wrong)
        with pytest.raises(weir.InvalidArgument), w.reserve("{t: i65}"):
            pass
        w.send(1)
        assert r.next(timeout=10).data == 1


def test_inside_of_containers_and_in_calls(shm):
    with weir.writer(shm) as w, weir.reader(shm) as r:
        w.send({"list": [1, readings(2)]})
        assert r.next(timeout=10).data["list"][1][1]["t"] == 1
    with weir.server("shm://test/call") as s, weir.client("shm://test/call") as c:
        c.send("ask", readings(2))
        request = s.next(timeout=10)
        assert request.data[1]["t"] == 1
        request.reply(readings(3)[2])
        assert c.receive(timeout=10).data["t"] == 2


def test_structs_of_other_programs(shm):
    """ctypes lays structs as C does."""

    class Reading(ctypes.Structure):
        _fields_ = [("t", ctypes.c_int64), ("accel", ctypes.c_double * 3), ("temp", ctypes.c_float)]

    with weir.writer(shm) as w, weir.reader(shm) as r:
        w.send_bytes(bytes(Reading(7, (1, 2, 3), 2.5)), "raw", type="{t:i64,accel:f64[3],temp:f32}")
        m = r.next(timeout=10)
        assert m.type == READING and m.array["t"] == 7 and m.data["temp"] == 2.5
        seen = Reading.from_buffer_copy(m.view())
        assert (seen.t, list(seen.accel), seen.temp) == (7, [1, 2, 3], 2.5)


# ---- types ----

@pytest.mark.parametrize("text", [
    READING, "{a: u8, b: u16, c: u8}", "{a: {x: f32, y: i8}[2,3], b: u8[2,2]}", "{a: {b: {c: u64}}, d: i8}",
    "{a: u8, b: u16, c: u32, d: u64, e: i8, f: i16, g: i32, h: i64, i: f32, j: f64}",
])
def test_types_and_dtypes_say_the_same(text):
    dtype = weir.dtype(text)
    assert weir.type_of(dtype) == text
    aligned = weir.structs.described(dtype)[1]  # by numpy's align=True
    assert aligned == dtype and aligned.itemsize == dtype.itemsize
    assert [aligned.fields[n][1] for n in aligned.names] == [dtype.fields[n][1] for n in dtype.names]


def test_dtypes_without_structs():
    assert weir.dtype("f64[3]") == np.dtype("f8") and weir.type_of("u2") == "u16"


@pytest.mark.parametrize("kind", [[("a", kind)] for kind in ("S3", "?", "c16", "f2", "M8[s]", "O")])
def test_fields_that_cannot_be_sent(shm, kind):
    with pytest.raises(TypeError, match="cannot be sent"):
        weir.type_of(kind)
    with weir.writer(shm) as w, pytest.raises((TypeError, ValueError)):
        w.send(np.zeros(2, kind))


def test_names_that_are_none(shm):
    with weir.writer(shm) as w:
        for name in ("a b", "ä", "1"):
            with pytest.raises(weir.InvalidArgument):
                w.send(np.zeros(2, [(name, "f8")]))


def test_column_order_inside_of_structs_is_read_as_data(shm):
    with weir.writer(shm) as w, weir.reader(shm) as r:
        w.send_bytes(bytes(range(4)), "raw", type="{a: u8[2,2]:col}")
        m = r.next(timeout=10)
        with pytest.raises(weir.TypeMismatch, match="column order"):
            m.array
        assert m.data["a"].tolist() == [[0, 2], [1, 3]]
        w.send_bytes(bytes(range(6)), "raw", type="{a: u8}[2,3]:col")
        assert r.next(timeout=10).array["a"].tolist() == [[0, 2, 4], [1, 3, 5]]


# ---- without a channel ----

def test_encode_decode_convert():
    value = {"a": 1, "b": [1, 2.5]}
    raw = weir.encode(value, "raw", type="{a: u8, b: f32[2]}")
    assert raw == b"\1\0\0\0\0\0\x80\x3f\0\0\x20\x40"
    seen = weir.decode(raw, "raw", type="{a:u8,b:f32[2]}")
    assert seen["a"] == 1 and seen["b"].tolist() == [1, 2.5]
    assert weir.convert(raw, "raw", "json", plain=True, type="{a: u8, b: f32[2]}") == b'{"a":1,"b":[1.0,2.5]}'
    assert weir.convert('{"b":[1,2.5],"a":1}', "json", "raw", type="{a: u8, b: f32[2]}") == raw
    assert weir.encode(readings(2), "raw", type=READING + "[2]") == readings(2).tobytes()
    assert weir.encode(0.1, "raw", type="f32") == np.float32(0.1).tobytes()
    with pytest.raises(weir.EncodeError, match="0.1"):
        weir.encode(0.1, "raw", type="f32", strict=True)
    with pytest.raises(weir.EncodeError, match=r"b: the field is missing"):
        weir.encode({"a": 1}, "raw", type="{a: u8, b: u8}")
    with pytest.raises(weir.ParseError):
        weir.decode(raw[1:], "raw", type="{a: u8, b: f32[2]}")
    for function, *arguments in ((weir.encode, 1), (weir.decode, b"\1"), (weir.convert, b"\1", "cbor", "json")):
        with pytest.raises(ValueError, match="raw"):
            function(*arguments, type="u8")


def test_nothing_leaks(shm):
    x, name = readings(3), "a" * 40
    weir.dtype(READING)
    with weir.writer(shm) as w, weir.reader(shm) as r:
        def once():
            w.send(x)
            m = r.next(timeout=10)
            m.array["t"], m.data, m.raw(m.type), weir.encode({name: 1}, "raw", type="{%s: u8}" % name)
            with pytest.raises(TypeError):
                w.send(np.zeros(2, [("a", "S3")]))
        once()
        gc.collect()
        before, counts = len(gc.get_objects()), (sys.getrefcount(x), sys.getrefcount(name))
        for _ in range(50):
            once()
        gc.collect()
        assert len(gc.get_objects()) - before < 50
        assert (sys.getrefcount(x), sys.getrefcount(name)) == counts


def test_without_numpy(store, run):
    process = run("""
import sys
sys.modules["numpy"] = None
import weir
with weir.writer("shm://test/none") as w, weir.reader("shm://test/none") as r:
    w.send_bytes(bytes(8), "raw", type="{a: u8, b: u32}")
    m = r.next(timeout=10)
    assert m.data == {"a": 0, "b": 0}
    assert len(m.view()) == 8
    try:
        m.array
    except weir.TypeMismatch as error:
        print(error)
""")
    out, err = process.communicate(timeout=60)
    assert "numpy" in out, err
