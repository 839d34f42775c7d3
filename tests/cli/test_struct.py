"""Raw structs through the command: sent as C lays them out, shown as objects, checked by type, converted both ways."""
import json
import os
import struct

import pytest

READING = "{t: i64, accel: f64[3], temp: f32}"
VALUE = '{"t":1,"accel":[1.0,2.0,3.0],"temp":2.5}'
PACKED = struct.pack("<q3df4x", 1, 1, 2, 3, 2.5)


def test_a_struct_goes_as_bytes_and_comes_as_an_object(weir, place):
    raw = weir.start("sub", place("lab/x"), "-n", "1", "--raw")
    seen = weir.start("sub", place("lab/x"), "-n", "1", "--json", "--type", READING)
    weir.run("pub", place("lab/x", "?readers=2"), VALUE, "--type", READING)
    assert raw.communicate(timeout=60)[0] == PACKED
    out, _ = weir.finish(seen)
    assert json.loads(out)["data"] == json.loads(VALUE)


def test_keys_in_any_order_and_blanks_in_the_type(weir):
    weir.run("pub", "lab/x", '{"temp":2.5,"t":1,"accel":[1,2,3]}', "--type", "{t:i64 , accel:f64[3],temp:f32}")
    assert weir.out("get", "lab/x") == VALUE + "\n"
    assert weir.out("get", "lab/x", "--type", READING) == VALUE + "\n"


def test_arrays_of_structs(weir):
    value = '[{"n":1,"p":[{"x":0.5,"y":1.0},{"x":2.0,"y":3.0}]},{"n":2,"p":[{"x":4.0,"y":5.0},{"x":6.0,"y":7.0}]}]'
    weir.run("pub", "lab/x", value, "--type", "{n: u16, p: {x: f32, y: f32}[2]}[2]")
    assert weir.out("get", "lab/x") == value + "\n"


@pytest.mark.parametrize("type_, data, word", [
    ("{a: u8, b: u8}", '{"a":1}', "b: the field is missing"), ("{a: u8}", '{"a":1,"z":2}', "'z'"),
    ("{a: u8}", '{"a":256}', "a: 256 does not fit u8"), ("{a: {b: u8}[2]}", '{"a":[{"b":1},{"b":-1}]}', "a.1.b: -1"),
    ("{a: u8", "{}", "byte 6"), ("{a: u8, a: u8}", "{}", "same name"), ("{}", "{}", "name: type"),
])
def test_what_does_not_fit_is_named(weir, type_, data, word):
    assert word in weir.error(5, "pub", "lab/x", data, "--type", type_)


def test_another_type_ends_with_5_and_says_who_writes(weir, place):
    address = place("lab/temp")
    sub = weir.start("sub", address, "--type", "f32[4]")
    pub = weir.start("pub", place("lab/temp", "?readers=1"), "[1,2,3]", "--type", "f64[3]", "--rate", "50")
    out, said = weir.finish(sub, code=5)
    assert out == ""
    assert address in said and ": the writer sends f64[3], you asked for f32[4] (writer pid %d, user " % pub.pid in said


def test_get_checks_the_type(weir):
    weir.run("pub", "lab/x", VALUE, "--type", READING)
    said = weir.error(5, "get", "lab/x", "--type", "f32")
    assert "lab/x: the writer sends %s, you asked for f32 (writer " % READING in said
    weir.run("pub", "lab/x", "1")
    assert "the writer sends cbor data, you asked for f32" in weir.error(5, "get", "lab/x", "--type", "f32")


def test_stdin_in_both_forms(weir, place):
    sub = weir.start("sub", place("lab/x"), "-n", "4", "--json")
    lines = VALUE + "\n" + VALUE + "\n"
    weir.run("pub", place("lab/x", "?readers=1"), "--stdin", "json", "--type", READING, stdin=lines)
    weir.run("pub", place("lab/x"), "--stdin", "raw", "--type", READING, stdin=PACKED * 2)
    out, _ = weir.finish(sub)
    assert [json.loads(line)["data"] for line in out.splitlines()] == [json.loads(VALUE)] * 4


def test_convert_to_raw_and_back(weir):
    bytes_ = weir.run("convert", "--from", "json", "--to", "raw", "--type", READING, stdin=VALUE).stdout
    assert bytes_ == PACKED
    plain = weir.out("convert", "--from", "raw", "--to", "json", "--plain", "--type", READING, stdin=PACKED)
    assert plain == VALUE + "\n"
    cbor = weir.run("convert", "--from", "raw", "--to", "cbor", "--type", READING, stdin=PACKED).stdout
    assert weir.run("convert", "--from", "cbor", "--to", "raw", "--type", READING, stdin=cbor).stdout == PACKED
    lossless = weir.out("convert", "--from", "raw", "--to", "json", "--type", READING, stdin=PACKED)
    assert weir.run("convert", "--from", "json", "--to", "raw", "--type", READING, stdin=lossless).stdout == PACKED


def test_convert_sequences_of_structs(weir):
    lines = "".join('{"a":%d,"b":%d}\n' % (i, i * i) for i in range(10))
    packed = b"".join(struct.pack("<BxH", i, i * i) for i in range(10))
    options = ["--sequence", "--type", "{a: u8, b: u16}"]
    assert weir.run("convert", "--from", "json", "--to", "raw", *options, stdin=lines).stdout == packed
    assert weir.out("convert", "--from", "raw", "--to", "json", *options, stdin=packed) == lines
    assert "item 11" in weir.error(5, "convert", "--from", "raw", "--to", "json", *options, stdin=packed + b"abc")


def test_convert_rounds_unless_strict(weir):
    options = ["--from", "json", "--to", "raw", "--type", "{a: f32}"]
    assert weir.run("convert", *options, stdin='{"a":0.1}').stdout == struct.pack("<f", 0.1)
    assert "a: 0.1" in weir.error(5, "convert", *options, "--strict", stdin='{"a":0.1}')


@pytest.mark.parametrize("options", [
    ["--from", "json", "--to", "cbor", "--type", "u8"], ["--from", "raw", "--to", "json", "--sequence"],
    ["--from", "raw", "--to", "json", "--sequence", "--type", "u8[0]"],
])
def test_convert_usage(weir, options):
    assert "--type" in weir.error(2, "convert", *options, stdin="1")


def test_the_example_in_the_specification(weir):
    """docs/spec/raw.md shows a frame of a struct: the bytes of its data are those that are sent."""
    with open(os.path.join(os.environ["WEIR_SOURCE"], "docs", "spec", "raw.md"), encoding="utf-8") as file:
        text = file.read()
    line = next(line for line in text.splitlines() if line.startswith("`weir pub lab/raw?stamp=0 {"))
    data, type_ = line.split("?stamp=0 ", 1)[1].split("`", 1)[0].split(" --type ")
    block = text[text.index(line):].split("```")[1]
    shown = bytes.fromhex("".join(row[6:45] for row in block.splitlines() if row >= "0040"))
    weir.run("pub", "lab/raw?stamp=0", data, "--type", type_)
    sub = weir.run("sub", "lab/raw", "--from", "oldest", "-n", "1", "--raw")
    assert sub.stdout == shown
