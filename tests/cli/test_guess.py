"""weir guess: readings of known bytes, their order, their JSON, and input that cannot be."""
import json
import struct
import uuid

import pytest


def guess(weir, *arguments, **more):
    """Readings as dicts, the likely ones first."""
    found = [json.loads(line) for line in weir.out("guess", "--json", *arguments, **more).splitlines()]
    likelihoods = [reading["likelihood"] for reading in found]
    assert likelihoods == sorted(likelihoods, reverse=True)
    assert all(reading["v"] == 1 and reading["why"] and reading["level"] for reading in found)
    names = [reading["reading"] for reading in found]
    assert len(names) == len(set(names)) or any(name.startswith("time") for name in names), names
    return found


def by_name(found, name):
    return next(reading for reading in found if reading["reading"] == name)


def test_the_example(weir):
    found = guess(weir, "7A")
    assert [reading["reading"] for reading in found[:2]] == ["u8", "char"]
    assert by_name(found, "u8")["value"] == 122 and by_name(found, "char")["value"] == "z"
    assert by_name(found, "bits")["value"] == "01111010"
    cbor = by_name(found, "CBOR")
    assert cbor["level"] == "unlikely" and "text" in cbor["why"] and "4 bytes" in cbor["why"]
    assert by_name(found, "JSON")["level"] == "no"
    said = weir.out("guess", "7A")
    assert said.startswith("1 byte: 7a\n") and "'z'" in said and "cut short" in said and "likely" in said


@pytest.mark.parametrize("data, name, value", [
    (struct.pack("<f", 1.0), "f32, little-endian", 1.0),
    (struct.pack(">d", 21.5), "f64, big-endian", 21.5),
    (struct.pack("<i", 7), "u32, little-endian", 7),
    (struct.pack("<q", -3), "i64, little-endian", -3),
    (struct.pack(">4H", 1, 2, 3, 4), "u16[4], big-endian", [1, 2, 3, 4]),
    (struct.pack("<3d", 0.5, 1.5, -2), "f64[3], little-endian", None),
    (b"hello, world", "text", "hello, world"),
    ("grün".encode(), "text", "grün"),
    (b"hello\0", "text, with a NUL", "hello"),
    ("hello".encode("utf-16-le"), "UTF-16, little-endian", "hello"),
    (struct.pack("<q", 1700000000123456789), "time in ns, i64", "2023-11-14T22:13:20.123456789Z"),
    (struct.pack(">q", 1700000000123), "time in ms, i64", "2023-11-14T22:13:20.123Z"),
    (uuid.UUID("550e8400-e29b-41d4-a716-446655440000").bytes, "UUID", "550e8400-e29b-41d4-a716-446655440000"),
    (bytes([192, 168, 1, 20]), "IPv4 address", "192.168.1.20"),
    (b'{"a":[1,2]}', "JSON", {"a": [1, 2]}),
    (b"\xa1\x61a\x82\x01\x02", "CBOR", {"a": [1, 2]}),
    (b"\xa1\x01\x02\xa1\x03\x04", "CBOR sequence", None),
])
def test_first_reading(weir, data, name, value):
    found = guess(weir, data.hex())
    assert found[0]["reading"] == name, found[:3]
    assert value is None or found[0]["value"] == value


@pytest.mark.parametrize("data, name, value", [
    (bytes.fromhex("3a290a01fa8061c2fb"), "Smile", {"a": 1}),
    (bytes.fromhex("0c0000001061000100000000"), "BSON", {"a": 1}),
])
def test_codecs_of_the_library(weir, data, name, value):
    """Those that are built in come first; one that is not is not among the readings."""
    known = weir.error(2, "convert", "--from", "xml", "--to", "json", stdin="1")
    found = guess(weir, data.hex())
    if name.lower() not in known.split("the known ones are")[1]:
        pytest.skip("the codec %s is not built into this library" % name)
    assert found[0]["reading"] == name and found[0]["value"] == value


def test_frame(weir):
    data = struct.pack("<IBBBBQ", 20, 0x11, 1, 1, 0, 1) + b"x[1]"
    assert guess(weir, data.hex())[0]["reading"] == "frame"


@pytest.mark.parametrize("arguments", [["0x7a", "01"], ["7a01"], ["7a:01"], ["0x7A,0x01"], ["\\x7a\\x01"], ["7a-01"]])
def test_ways_to_write_bytes(weir, arguments):
    assert by_name(guess(weir, *arguments), "u16, big-endian")["value"] == 0x7A01


def test_standard_input(weir):
    found = guess(weir, "-", stdin=b"\0" * 100000 + b"\xff")
    assert by_name(found, "u8[100001]")["value"][0] == 0
    assert by_name(guess(weir, "-", stdin=b"1\n"), "JSON")["value"] == 1


@pytest.mark.parametrize("arguments, word", [
    (["7"], "07"), (["7a1"], "half a byte"), (["xyz"], "'x'"), (["7a", "-"], "alone"), ([], "usage"), ([""], "no byte"),
])
def test_usage(weir, arguments, word):
    assert word in weir.error(2, "guess", *arguments)


def test_control_characters_do_not_reach_the_terminal(weir):
    assert "\033" not in weir.out("guess", "-", stdin=b"\033[1mred and more")
