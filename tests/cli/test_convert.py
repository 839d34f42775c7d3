"""weir convert: every fixed form, and input that cannot be."""
import glob
import json
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


CODECS = ["json", "cbor", "smile", "bson"]
DOCUMENT = (b'{"n":null,"u":18446744073709551615,"nan":{"$numberDouble":"NaN"},'
            b'"b":{"$binary":{"base64":"AP8=","subType":"00"}},'
            b'"t":{"$time":"2023-11-14T22:13:20.123456789Z"},"d":{"$numberDecimal":"1.50"},"f":{"$f32":"0.1"},'
            b'"a":{"$array":{"dtype":"f64le","dims":[1,1],"order":"row","base64":"AAAAAAAA8D8="}},'
            b'"i":{"$oid":"0102030405060708090a0b0c"},"m":{"$map":[[1,{"$undefined":true}]]}}\n')


@pytest.mark.parametrize("source", CODECS)
@pytest.mark.parametrize("target", CODECS)
def test_every_pair(weir, source, target):
    """One document and a sequence of them, from each codec to each other and back, and canonically."""
    for data, options in ((DOCUMENT, []), (DOCUMENT * 3, ["--sequence"]), (DOCUMENT, ["--canonical"])):
        first = convert(weir, data, "--from", "json", "--to", source, *options)
        second = convert(weir, first, "--from", source, "--to", target, *options)
        if "--canonical" not in options or target != "cbor" or source == "cbor":  # its floats get shorter
            assert convert(weir, second, "--from", target, "--to", source, *options) == first
        if "--canonical" not in options:
            assert convert(weir, second, "--from", target, "--to", "json", *options) == data


@pytest.mark.parametrize("target", CODECS)
def test_plain_of_every_codec(weir, target):
    plain = convert(weir, DOCUMENT, "--from", "json", "--to", target, "--plain")
    value = json.loads(convert(weir, plain, "--from", target, "--to", "json", "--plain"))
    assert value["a"] == [[1.0]] and value["m"] == {"1": None} and value["b"] == "AP8="
    assert value["u"] == 2**64 - 1 and value["d"] == 1.5 and abs(value["f"] - 0.1) < 1e-7 and value["n"] is None
    assert value["t"].startswith("2023-11-14T22:13:20.123")


@pytest.mark.parametrize("target, fits", [
    ("json", ['[1,2.5,"x",null,18446744073709551616]']),
    ("cbor", ['{"a":{"$f32":"1.5"}}', '{"$time":"2023-11-14T22:13:20Z"}', '{"$tag":[32,"u"]}']),
    ("smile", ['{"a":{"$f32":"1.5"}}', '[18446744073709551616,{"$numberDecimal":"1.50"}]', '{"$obj":[["$x",1]]}']),
    ("bson", ['{"a":{"$oid":"0102030405060708090a0b0c"}}', '{"a":{"$undefined":true}}',
              '{"a":{"$numberDecimal":"1.5"}}']),
])
def test_strict_takes_what_is_native(weir, target, fits):
    for text in fits:
        convert(weir, text.encode(), "--from", "json", "--to", target, "--strict")


@pytest.mark.parametrize("target, refused", [
    ("json", ['{"$undefined":true}', '{"$f32":"1.5"}', '{"$map":[[1,2]]}']),
    ("cbor", ['{"$oid":"0102030405060708090a0b0c"}', '{"$minKey":1}']),
    ("smile", ['{"$undefined":true}', '{"$time":"2023-11-14T22:13:20Z"}', '{"$tag":[32,"u"]}', '{"$map":[[1,2]]}']),
    ("bson", ['[1]', '{"a":18446744073709551615}', '{"a":{"$f32":"1.5"}}', '{"a\\u0000":1}']),
])
def test_strict_refuses_what_would_be_wrapped(weir, target, refused):
    for text in refused:
        weir.error(5, "convert", "--from", "json", "--to", target, "--strict", stdin=text)


def through_all(weir, text):
    """The document through all codecs, as one writes it in a shell, and straight to JSON."""
    data = convert(weir, text, "--from", "json", "--to", "smile")
    for source, target in (("smile", "bson"), ("bson", "cbor"), ("cbor", "json")):
        data = convert(weir, data, "--from", source, "--to", target)
    return data, convert(weir, text, "--from", "json", "--to", "json")


def source(*parts):
    return os.path.join(os.environ["WEIR_SOURCE"], *parts)


def test_vectors_through_all_codecs(weir):
    """Back as written; only a time of whole ms may be told in ms, as BSON has no other unit."""
    paths = sorted(glob.glob(source("tests", "conformance", "vectors", "*.json")))
    assert len(paths) > 200
    for path in paths:
        if os.path.getsize(path) > 100000 or "-deep" in path:
            continue
        came, text = through_all(weir, open(path, "rb").read())
        if came != text:
            assert b"$time" in text and b"$date" in came, path
            assert convert(weir, came, "--from", "json", "--to", "smile", "--canonical") == \
                convert(weir, text, "--from", "json", "--to", "smile", "--canonical")


def test_json_corpus_through_all_codecs(weir):
    folder = os.environ.get("WEIR_CORPORA", source("..", "shared", "corpora"))
    paths = sorted(glob.glob(os.path.join(folder, "json", "test_parsing", "y_*.json")))
    if not paths:
        pytest.skip("no corpora at %s; set WEIR_CORPORA" % folder)
    for path in paths:
        came, text = through_all(weir, open(path, "rb").read())
        assert came == text, path


def test_pretty(weir):
    out = convert(weir, b'{"a":[1,{"b":2}]}', "--from=json", "--to=pretty")
    assert out.count(b"\n") >= 5 and out.endswith(b"}\n")
    assert convert(weir, out, "--from", "json", "--to", "json") == b'{"a":[1,{"b":2}]}\n'


def test_canonical_sorts_keys(weir):
    assert convert(weir, b'{"b":1,"a":2}', "--from", "json", "--to", "json", "--canonical") == b'{"a":2,"b":1}\n'
    assert convert(weir, b'{"b":1,"a":2}', "--from", "json", "--to", "cbor", "--canonical") == b"\xa2\x61a\x02\x61b\x01"


@pytest.mark.parametrize("target", CODECS)
def test_canonical_order_of_keys_that_are_maps(weir, target):
    """By what they are when they are sorted themselves; a round trip changes nothing."""
    text = b'{"$map":[[{"b":1,"a":2},0],[{"b":0,"a":3},1],["t",2]]}'
    once = convert(weir, text, "--from", "json", "--to", target, "--canonical")
    assert convert(weir, once, "--from", target, "--to", target, "--canonical") == once
    shown = convert(weir, once, "--from", target, "--to", "json", "--canonical")
    assert shown == b'{"$map":[["t",2],[{"a":2,"b":1},0],[{"a":3,"b":0},1]]}\n'


def test_plain_decimal_of_the_least_exponent_inside_a_tag(weir):
    """It has no form of its own in Smile, plain or not."""
    text = b'{"$tag":[1000,{"$numberDecimal":"1E-2147483648"}]}'
    plain = convert(weir, text, "--from", "json", "--to", "smile", "--plain")
    assert convert(weir, plain, "--from", "smile", "--to", "json") == b'{"$numberDecimal":"1E-2147483648"}\n'


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


def full_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    return disk


def test_a_full_disk_leaves_out_as_it_was(weir, tmp_path):
    disk = full_disk(tmp_path)
    large = json.dumps("x" * 100000).encode()
    try:
        out = disk / "out.cbor"
        assert "No space" in weir.error(1, "convert", "--from", "json", "--to", "cbor", "-", str(out), stdin=large)
        assert os.listdir(disk) == []
        convert(weir, b"1", "--from", "json", "--to", "cbor", "-", str(out))
        weir.error(1, "convert", "--from", "json", "--to", "cbor", "-", str(out), stdin=large)
        assert os.listdir(disk) == ["out.cbor"] and out.read_bytes() == b"\x01"
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_out_keeps_what_it_is(weir, tmp_path):
    """The mode of a file, a link that leads to it, a device, a pipe."""
    out, link = tmp_path / "out.json", tmp_path / "link.json"
    out.write_text("old")
    os.chmod(out, 0o640)
    link.symlink_to(out)
    convert(weir, b"1", "--from", "json", "--to", "json", "-", str(link))
    assert out.read_text() == "1\n" and link.is_symlink() and stat.S_IMODE(out.stat().st_mode) == 0o640
    convert(weir, b"2", "--from", "json", "--to", "json", "-", "/dev/null")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE)
    convert(weir, b"3", "--from", "json", "--to", "json", "-", str(pipe))
    assert reader.communicate(timeout=60)[0] == b"3\n" and stat.S_ISFIFO(pipe.stat().st_mode)
    assert sorted(os.listdir(tmp_path)) == ["link.json", "out.json", "pipe"]


def test_a_new_out_has_the_mode_that_umask_leaves(weir, tmp_path):
    before = os.umask(0o027)
    try:
        convert(weir, b"1", "--from", "json", "--to", "json", "-", str(tmp_path / "new.json"))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new.json").stat().st_mode) == 0o640


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
