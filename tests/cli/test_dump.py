"""weir dump: what it says of each format, where it stops at bytes that are wrong, and its JSON. That it agrees with the
decoders on every byte is cli/dump_test.c's."""
import json
import os
import struct

import pytest

SOURCE = os.environ["WEIR_SOURCE"]


def dump(weir, data, *options, **more):
    return weir.out("dump", *options, stdin=data, **more)


def tokens(weir, data, *options, code=0):
    return [json.loads(line) for line in dump(weir, data, "--json", *options, code=code).splitlines()]


def covered(found, data):
    """Every byte stands in one token, in order."""
    at = 0
    for token in found:
        assert token["v"] == 1 and token["offset"] == at, token
        at += token["size"]
    assert at == len(data)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def frame(data, codec, op=b"temp", type=b"", meta=b"\xa1\x64unit\x61V", flags=1 | 8 | 64):
    """One frame as docs/spec/frame.md has it."""
    flags |= 16 | 32 if type else 0
    fields = struct.pack("<Qq", 7, 1700000000123456789) + struct.pack("<I", len(meta))
    fields += struct.pack("<H", len(type)) if type else b""
    body = fields + op + type + meta
    body += b"\0" * (-(8 + len(body)) % 64 if type else 0) + data
    head = struct.pack("<IBBBB", 8 + len(body) + 4, 0x11, codec, len(op), flags)
    return head + body + struct.pack("<I", crc32c(head + body))


# What each input is taken for, and words that its explanation must have.
EXAMPLES = [
    (b'{"a": [1, -2.5e3, "x\\n"]}\n', "json", [
        "object begins", 'key "a" (text of 1 byte)', "':': the value follows (and 1 blank)", "integer 1",
        "float64 -2.5e3",
        'text of 3 bytes: "x\\n" (1 escape)', "array ends, with 3 items", "object ends, with 1 pair"]),
    (bytes.fromhex("a3 6474656d70 fb4035800000000000 617a 3903e7 6174 c11a6553f100"), "cbor", [
        "map of 3 pairs", 'key "temp" (text of 4 bytes)', "float64 21.5", "integer -1000",
        "tag 1 (a time in seconds since 1970)", "integer 1700000000 (2023-11-14T22:13:20Z)"]),
    (bytes.fromhex("9f 5f4261624163ff 7f6161ff f93e00 f7 e0 f8ff 1800 c249010000000000000000 ff"), "cbor", [
        "array, until a break", "bytes in chunks", "chunk: 2 bytes: 61 62", "break: the string of bytes ends",
        "text in chunks", "float16 1.5", "undefined", "simple value, of no known meaning, 255",
        "integer 0 (in more bytes than needed)", "tag 2 (a big integer)", "9 bytes 18446744073709551616",
        "break: the array ends, with 8 items"]),
    (b"\xd8\x56\x58\x50" + struct.pack("<10d", *range(10)), "cbor", [
        "tag 86 (array of float64, little-endian)", "0.0, 1.0, 2.0", "4 more (10 x float64)"]),
    (bytes.fromhex("3a290a03 fa 8374656d70 240d94 8061 4468656c6c6f 40 01 fb"), "smile", [
        'header: ":)"', "names shared, values shared", "object begins, until fb",
        'key "temp" (ASCII text of 4 bytes, now shared name 0)', "int32 426 (varint 852, zigzag)",
        'key "a" (ASCII text of 1 byte, now shared name 1)', 'ASCII text of 5 bytes: "hello" (now shared value 0)',
        'key "temp" (shared name 0)', 'shared value 0: "hello"', "object ends"]),
    (bytes.fromhex("3a290a00 f8 2900401a40000000000000 c6 21 fd820102 e882004002 f9"), "smile", [
        "array begins, until f9", "float64 21.0 (7 bits in each byte)", "integer 3 (zigzag in the low 5 bits)", "null",
        "2 bytes: 01 02 (raw", "2 bytes: 01 02 (7 bits in each of 3)", "array ends"]),
    (b"\x30\0\0\0" b"\x02a\0\3\0\0\0hi\0" b"\x04b\0\x10\0\0\0\x100\0\7\0\0\0\x081\0\1\0"
     b"\x09c\0" + struct.pack("<q", 1702000000123) + b"\x0ad\0\0", "bson", [
        "document of 48 bytes", 'key "a" (text, type 02)', 'text of 2 bytes: "hi" (length 3 with the NUL)',
        'key "b" (array, type 04)', "array of 16 bytes", 'array index "0" (int32, type 10)', "int32 7", "bool true",
        "end of the array, with 2 elements", "time in ms since 1970: 1702000000123 (2023-12-08T01:46:40.123Z)",
        'key "d" (null, type 0a)', "end of the document, with 4 elements"]),
]


@pytest.mark.parametrize("data, name, words", EXAMPLES, ids=range(len(EXAMPLES)))
def test_words(weir, data, name, words):
    said = dump(weir, data)
    assert said.startswith("%s, %d bytes, as " % (name, len(data)))
    rest = said
    for word in words:
        assert word in rest, "%r is not in, or not behind the one before in\n%s" % (word, said)
        rest = rest[rest.index(word):]
    covered(tokens(weir, data), data)


def test_lines_have_offset_bytes_and_depth(weir):
    assert dump(weir, b"\xa1\x61a\x82\x01\x02").splitlines()[1:] == [
        "    0  a1                       map of 1 pair",
        '    1  61 61                      key "a" (text of 1 byte)',
        "    3  82                         array of 2 items",
        "    4  01                           integer 1",
        "    5  02                           integer 2"]


def test_frames(weir):
    data = frame(struct.pack("<2d", 0.5, -2), 5, op=b"spectrum", type=b"f64[2]") + frame(b'{"celsius":21.5}', 1)
    said = dump(weir, data)
    for word in ["frame of ", "version 1, kind 1: message", "codec 5: raw", "flags 79", "seq: 7",
                 "time in ns since 1970: 1700000000123456789 (2023-11-14T22:13:20.123456789Z)", 'op: "spectrum"',
                 'type: "f64[2]"', 'key "unit"', "padding: the data begins at byte 64",
                 "raw data, f64[2], 2 numbers: 0.5, -2.0",
                 "right: CRC-32C", "codec 1: JSON", 'key "celsius"', "float64 21.5"]:
        assert word in said, "%s\n%s" % (word, said)
    found = tokens(weir, data)
    covered(found, data)
    assert {token["codec"] for token in found} == {"frame", "cbor", "raw", "json"}


def test_wrong_checksum_of_a_frame(weir):
    data = bytearray(frame(b"[1]", 1))
    data[-6] ^= 1
    done = weir.run("dump", stdin=bytes(data), code=5)
    assert b"checksum" in done.stderr and ("byte %d" % (len(data) - 4)).encode() in done.stderr


def test_data_of_a_frame_that_is_wrong(weir):
    data = frame(b"[1,]", 1)
    done = weir.run("dump", stdin=data, code=5)
    assert ("byte %d: json: " % (len(data) - 5)).encode() in done.stderr
    covered(tokens(weir, data, code=5), data)


@pytest.mark.parametrize("codec, data, offset, word", [
    ("json", b'{"a": 1,}', 8, "name"),
    ("json", b"[1 2]", 3, "','"),
    ("json", b"[01]", 2, "leading zero"),
    ("json", b'["\xff"  ]', 2, "UTF-8"),
    ("cbor", b"\x82\x01\xfc", 2, "reserved"),
    ("cbor", b"\x82\x01", 2, "end inside an array"),
    ("cbor", b"\x65hel", 4, "end inside text of 5 bytes"),
    ("cbor", b"\x01\xff", 1, "break"),
    ("smile", b":)\n\x11\x21", 3, "version"),
    ("smile", b":)\n\x01\xfa\x40", 5, "shared name 0"),
    ("bson", b"\x0c\0\0\0\x10a\0\1\0\0\0\1", 11, "NUL"),
    ("bson", b"\x09\0\0\0\x08a\0\2\0", 7, "bool"),
    ("frame", b"\x10\0\0\0\x21\0\0\0\1\0\0\0\0\0\0\0", 4, "version 2"),
])
def test_wrong_bytes(weir, codec, data, offset, word):
    done = weir.run("dump", "--codec", codec, stdin=data, code=5)
    said = done.stderr.decode()
    assert said.count("\n") == 1 and "byte %d: %s: " % (offset, codec) in said and word in said, said
    assert b"<-- here: " in done.stdout
    found = tokens(weir, data, "--codec", codec, code=5)
    covered(found, data)
    assert found[-1]["offset"] == offset and found[-1]["what"].startswith("wrong: ")


def test_values_in_json(weir):
    text = "ä" * 500
    data = b"\x84\x79\x03\xe8" + text.encode() + b"\x58\x64" + b"\x01" * 100 + b"\xf9\x7c\x00\x18\x2a"
    values = [token["value"] for token in tokens(weir, data)]
    assert values == [None, text, "01" * 100, "Infinity", 42]
    assert "…" in dump(weir, data)


def test_control_characters_do_not_reach_the_terminal(weir):
    said = weir.run("dump", "--codec", "cbor", stdin=b"\x64\x1b[1m").stdout
    assert b"\x1b" not in said and b"\\u001b" in said


def test_deep_nesting(weir):
    """Hostile nesting costs lines, not the stack; far too much of it ends with a sentence."""
    done = weir.run("dump", "--codec", "cbor", stdin=b"\x81" * 1000, code=5)
    assert done.stdout.count(b"\n") == 1002 and b"[depth 999]" in done.stdout
    assert b"levels inside each other" in weir.run("dump", "--codec", "cbor", stdin=b"\x81" * 200000, code=1).stderr


def test_files_and_usage(weir, tmp_path):
    path = tmp_path / "x.cbor"
    path.write_bytes(b"\x01")
    assert "integer 1" in weir.out("dump", "--codec", "cbor", str(path))
    assert "missing" in weir.error(1, "dump", str(tmp_path / "missing"))
    assert "frame" in weir.error(2, "dump", "--codec", "xml")
    assert "empty" in weir.error(5, "dump", stdin=b"")


def test_reader_that_goes_away(weir, tmp_path):
    """`weir dump | head -1` ends at once and without noise, however much there is."""
    path = tmp_path / "long"
    path.write_bytes(b"\x01" * 20000000)
    process = weir.start("dump", "--codec", "cbor", str(path))
    process.stdout.close()
    assert process.wait(20) == 0 and process.stderr.read() == b""


def test_corpora(weir):
    """A few files of each corpus, as a whole command."""
    folder = os.path.join(SOURCE, "..", "shared", "corpora")
    if not os.path.isdir(folder):
        pytest.skip("no ../shared/corpora beside the checkout")
    with open(os.path.join(folder, "smile", "lit-hnvre.smile"), "rb") as file:
        data = file.read()
    covered(tokens(weir, data, "--codec", "smile"), data)
    with open(os.path.join(folder, "cbor", "appendix_a.json")) as file:
        for entry in json.load(file):
            if entry.get("rfc8949") != "malformed":
                data = bytes.fromhex(entry["hex"])
                covered(tokens(weir, data, "--codec", "cbor"), data)


def test_a_log_is_named(weir):
    """Its records are no message; who has the file is told what reads it."""
    path = weir.folder + "/a.weir"
    weir.run("pub", "file://" + path, "5")
    sentence = "weir: %s is a weir log; weir sub file://%s --from oldest reads it\n" % (path, path)
    assert weir.error(5, "dump", path) == sentence
    assert weir.error(5, "convert", "--from", "cbor", "--to", "json", path) == sentence
    os.rename(path, path + ".1")
    said = weir.error(5, "dump", path + ".1")
    assert said == "weir: %s.1 is a weir log; weir sub 'file://%s.1?framing=weir' --from oldest reads it\n" % (path, path)
    line = weir.out("sub", "file://%s.1?framing=weir" % path, "--from", "oldest", "-n", "1")
    assert json.loads(line)["data"] == 5
    with open(path + ".1", "rb") as file:
        data = file.read()
    assert weir.error(5, "dump", stdin=data).startswith("weir: standard input is a weir log; ")
    assert weir.run("dump", "--codec", "cbor", stdin=data, code=5).stdout  # who says what it is, is believed
    first = json.loads(weir.out("guess", "--json", "-", stdin=data).splitlines()[0])
    assert first["reading"] == "weir log" and first["level"] == "likely" and "weir sub" in first["why"]
