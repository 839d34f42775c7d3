"""weir convert: every fixed form, and input that cannot be."""
import os
import stat
import subprocess

import pytest

from conftest import COMMAND


def convert(weir, data, *options, **more):
    return weir.run("convert", *options, stdin=data, **more).stdout


def test_json_to_cbor_and_back(weir):
    text = b'{"a":[1,-2,2.5,"\xc3\xbc",null,true],"b":{}}'
    cbor = convert(weir, text, "--from", "json", "--to", "cbor")
    assert cbor[:3] == b"\xa2\x61a"
    assert convert(weir, cbor, "--from", "cbor", "--to", "json") == text + b"\n"


def test_smile_and_back(weir):
    text = b'{"a":[1,-2,2.5,"\xc3\xbc",null,true],"b":{"a":"x"}}'
    smile = convert(weir, text, "--from", "json", "--to", "smile")
    assert smile == (b":)\n\x01\xfa\x80a\xf8\xc2\xc3\x29" + bytes.fromhex("00400200000000000000") +
                     b"\x80\xc3\xbc\x21\x23\xf9\x80b\xfa\x40\x40x\xfb\xfb")
    assert convert(weir, smile, "--from", "smile", "--to", "json") == text + b"\n"
    cbor = convert(weir, smile, "--from", "smile", "--to", "cbor")
    assert convert(weir, cbor, "--from", "cbor", "--to", "smile") == smile


def test_smile_stream_shares_names(weir):
    """As Jackson writes one: a header, then values that refer to the names of those before them."""
    stream = b":)\n\x01\xfa\x80a\xc2\xfb\xfa\x40\xc4\xfb\xff"
    assert convert(weir, stream, "--from", "smile", "--to", "json", "--sequence") == b'{"a":1}\n{"a":2}\n'
    weir.error(5, "convert", "--from", "smile", "--to", "json", stdin=stream)
    ours = convert(weir, b'{"a":1}{"a":2}', "--from", "json", "--to", "smile", "--sequence")
    assert ours == b":)\n\x01\xfa\x80a\xc2\xfb:)\n\x01\xfa\x80a\xc4\xfb"
    assert convert(weir, ours, "--from", "smile", "--to", "json", "--sequence") == b'{"a":1}\n{"a":2}\n'


def test_bson_and_back(weir):
    text = b'{"a":[1,-2,2.5,"\xc3\xbc",null,true],"b":{"a":5000000000}}'
    bson = convert(weir, text, "--from", "json", "--to", "bson")
    assert bson == bytes.fromhex("4a0000000461002f00000010300001000000103100feffffff01320000000000000004400233000300"
                                 "0000c3bc000a340008350001000362001000000012610000f2052a010000000000")
    for codec in ["json", "cbor", "smile"]:
        other = convert(weir, bson, "--from", "bson", "--to", codec)
        assert convert(weir, other, "--from", codec, "--to", "bson") == bson


def test_bson_of_other_roots(weir):
    for text in [b"1", b"[1,[2]]", b'"x"', b"18446744073709551615", b'{"$f32":"0.5"}', b'{"$obj":[["$root",1]]}']:
        bson = convert(weir, text, "--from", "json", "--to", "bson")
        assert int.from_bytes(bson[:4], "little") == len(bson)
        assert convert(weir, bson, "--from", "bson", "--to", "json") == text + b"\n"
    weir.error(5, "convert", "--from", "json", "--to", "bson", "--strict", stdin=b"[1]")


def test_types_of_bson_in_json(weir):
    """As Extended JSON v2 names them, with names of ours where it has none."""
    text = (b'{"id":{"$oid":"56e1fc72e0c917e9c4714161"},"at":{"$timestamp":{"t":5,"i":1}},'
            b'"re":{"$regularExpression":{"pattern":"a","options":"i"}},"js":{"$code":"f","$scope":{"x":1}},'
            b'"d":{"$numberDecimal":"-Infinity"},"far":{"$date":{"$numberLong":"253402300800000"}},'
            b'"min":{"$minKey":1},"v":{"$array":{"dtype":"i8","dims":[2],"order":"row","base64":"AQI="}}}')
    bson = convert(weir, text, "--from", "json", "--to", "bson", "--strict")
    assert convert(weir, bson, "--from", "bson", "--to", "json") == text + b"\n"
    cbor = convert(weir, bson, "--from", "bson", "--to", "cbor")
    assert convert(weir, cbor, "--from", "cbor", "--to", "bson") == bson
    assert b'"re":["a","i"]' in convert(weir, bson, "--from", "bson", "--to", "json", "--plain")


def test_bson_one_after_another(weir):
    """As mongodump writes it."""
    bson = convert(weir, b'{"a":1}{"a":2}', "--from", "json", "--to", "bson", "--sequence")
    assert len(bson) == 24
    assert convert(weir, bson, "--from", "bson", "--to", "json", "--sequence") == b'{"a":1}\n{"a":2}\n'
    assert "item 2" in weir.error(5, "convert", "--from", "bson", "--to", "json", "--sequence", stdin=bson[:-1])


def test_pretty(weir):
    out = convert(weir, b'{"a":[1,{"b":2}]}', "--from=json", "--to=pretty")
    assert out.count(b"\n") >= 5 and out.endswith(b"}\n")
    assert convert(weir, out, "--from", "json", "--to", "json") == b'{"a":[1,{"b":2}]}\n'


def test_canonical_sorts_keys(weir):
    assert convert(weir, b'{"b":1,"a":2}', "--from", "json", "--to", "json", "--canonical") == b'{"a":2,"b":1}\n'
    assert convert(weir, b'{"b":1,"a":2}', "--from", "json", "--to", "cbor", "--canonical") == b"\xa2\x61a\x02\x61b\x01"


def test_typed_array_survives_json_unless_plain(weir):
    cbor = b"\xd8\x56\x50" + bytes.fromhex("000000000000f03f0000000000000040")  # tag 86: float64, little-endian
    json_text = convert(weir, cbor, "--from", "cbor", "--to", "json")
    assert convert(weir, json_text, "--from", "json", "--to", "cbor") == cbor
    assert convert(weir, cbor, "--from", "cbor", "--to", "json", "--plain") == b"[1.0,2.0]\n"


def test_strict_refuses_repeated_keys(weir):
    text = b'{"a":1,"a":2}'
    assert convert(weir, text, "--from", "json", "--to", "json") == text + b"\n"
    weir.error(5, "convert", "--from", "json", "--to", "json", "--strict", stdin=text)


def test_sequences(weir):
    cbor = convert(weir, b' 1\n[2]\n{"a":3} ', "--from", "json", "--to", "cbor", "--sequence")
    assert cbor == b"\x01\x81\x02\xa1\x61a\x03"
    assert convert(weir, cbor, "--from", "cbor", "--to", "json", "--sequence") == b'1\n[2]\n{"a":3}\n'
    assert convert(weir, b"", "--from", "cbor", "--to", "json", "--sequence") == b""
    assert convert(weir, b" \n", "--from", "json", "--to", "json", "--sequence") == b""


def test_bad_item_of_a_sequence_is_named(weir):
    said = weir.error(5, "convert", "--from", "json", "--to", "json", "--sequence", stdin="1\n2\n{]\n")
    assert "item 3" in said and "byte 4" in said


def test_files(weir, tmp_path):
    source, target = tmp_path / "in.json", tmp_path / "out.cbor"
    source.write_text("[1]")
    assert convert(weir, b"", "--from", "json", "--to", "cbor", str(source)) == b"\x81\x01"
    assert convert(weir, b"", "--from", "json", "--to", "cbor", str(source), str(target)) == b""
    assert target.read_bytes() == b"\x81\x01"
    assert convert(weir, b"[2]", "--from", "json", "--to", "cbor", "-", str(target)) == b""
    assert target.read_bytes() == b"\x81\x02"


def test_bad_input_leaves_the_output_alone(weir, tmp_path):
    target = tmp_path / "out.cbor"
    target.write_bytes(b"precious")
    said = weir.error(5, "convert", "--from", "json", "--to", "cbor", "-", str(target), stdin="[1,")
    assert "byte 3" in said
    assert target.read_bytes() == b"precious"


def test_no_such_file(weir, tmp_path):
    missing = str(tmp_path / "missing")
    assert missing in weir.error(1, "convert", "--from", "json", "--to", "json", missing)


def test_file_of_somebody_else(weir, tmp_path):
    """Ends with 6. Root may read everything, so as root it is tried as another user."""
    secret = tmp_path / "secret"
    secret.write_text("1")
    os.chmod(secret, 0)
    arguments = [COMMAND, "convert", "--from", "json", "--to", "json", str(secret)]
    options = {}
    if os.geteuid() == 0:
        for folder in [tmp_path, *tmp_path.parents]:
            mode = os.stat(folder).st_mode
            if not mode & stat.S_IXOTH and os.stat(folder).st_uid == 0 and "pytest" in str(folder):
                os.chmod(folder, mode | stat.S_IXOTH)
        options = {"user": 65534, "group": 65534, "extra_groups": []}
    if os.geteuid() == 0 and not reachable(COMMAND):
        pytest.skip("another user cannot reach the build folder")
    done = subprocess.run(arguments, capture_output=True, text=True, cwd="/", **options)
    assert done.returncode == 6, done.stderr
    assert "ermission denied" in done.stderr


def reachable(path):
    done = subprocess.run(["test", "-x", path], user=65534, group=65534, extra_groups=[], cwd="/")
    return done.returncode == 0


@pytest.mark.parametrize("options, word", [
    (["--to", "json"], "--from"), (["--from", "json"], "--to"), (["--from", "xml", "--to", "json"], "xml"),
    (["--from", "json", "--to", "yaml"], "yaml"),
])
def test_usage(weir, options, word):
    assert word in weir.error(2, "convert", *options, stdin="1")
