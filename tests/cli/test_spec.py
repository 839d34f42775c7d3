"""The example in docs/spec/shm.md, a reader made from the specification alone, sees what the library writes."""
import glob
import json
import os
import re
import subprocess
import sys

import pytest

LATEST = os.path.join(os.environ["WEIR_SOURCE"], "docs", "spec", "latest.py")


def latest(weir, name):
    """What the example prints of a channel: seq, op, data in hexadecimal."""
    (folder,) = glob.glob(os.path.join(weir.folder, "weir-*", name.replace("/", "~")))
    done = subprocess.run([sys.executable, LATEST, folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    seq, op, data = done.stdout.rstrip("\n").split(" ")
    return int(seq), op, bytes.fromhex(data)


def test_latest(weir):
    weir.run("pub", "lab/temp?capacity=64K", '{"celsius":21.5}', "--op", "reading", "--meta", '{"sensor":"t1"}')
    assert latest(weir, "lab/temp") == (1, "reading", bytes.fromhex("a16763656c73697573fb4035800000000000"))
    weir.run("pub", "lab/temp", "[1,2,3]", "--type", "u8[3]")
    assert latest(weir, "lab/temp") == (2, "", bytes([1, 2, 3]))


@pytest.mark.parametrize("size", [100, 5000, 30000])
def test_latest_when_the_ring_goes_round(weir, size):
    lines = "".join("%05d" % number * (size // 5) + "\n" for number in range(300))
    weir.run("pub", "lab/log?capacity=64K&codec=json", "--stdin", "lines", stdin=lines)
    assert latest(weir, "lab/log") == (300, "", json.dumps("00299" * (size // 5)).encode())


def test_latest_when_the_lane_has_grown(weir):
    weir.run("pub", "lab/big?capacity=64K", "1")
    weir.run("pub", "lab/big?capacity=1M", "--stdin", "raw", stdin=b"x" * 400000)
    weir.run("pub", "lab/big?capacity=4M", "2")
    assert latest(weir, "lab/big") == (3, "", b"\2")


def rows(name, heading):
    """The rows of the table in docs/spec/NAME whose heading is given, as tuples of the code in their cells."""
    with open(os.path.join(os.environ["WEIR_SOURCE"], "docs", "spec", name), encoding="utf-8") as file:
        lines = file.read().split("\n")
    at = lines.index(heading) + 2
    found = []
    while lines[at].startswith("| `"):
        found.append(tuple(re.findall(r"`([^`]*)`", lines[at])))
        at += 1
    assert len(found) > 5
    return found


EXAMPLES = rows("mapping.md", "| JSON | CBOR | Smile, behind `3a290a01` | BSON |")


@pytest.mark.parametrize("text,cbor,smile,bson", EXAMPLES)
def test_mapping_in_both_directions(weir, text, cbor, smile, bson):
    for codec, encoded in (("cbor", cbor), ("smile", "3a290a01" + smile), ("bson", bson)):
        assert weir.run("convert", "--from", "json", "--to", codec, stdin=text).stdout.hex() == encoded
        assert weir.out("convert", "--from", codec, "--to", "json", stdin=bytes.fromhex(encoded)) == text + "\n"
    assert weir.out("convert", "--from", "json", "--to", "json", stdin=text) == text + "\n"


@pytest.mark.parametrize("text,written", rows("mapping.md", "| JSON | as |"))
def test_mapping_spells_anew(weir, text, written):
    assert weir.out("convert", "--from", "json", "--to", "json", stdin=text) == written + "\n"


def test_bson_numbers_that_are_none(weir):
    assert weir.run("convert", "--from", "json", "--to", "cbor", stdin='{"$bson":[1535,0]}').stdout.hex() == \
        "db77656972000005ff00"
    for number in (256, 1279, 1536):  # not a tag, so the map that it is
        text = '{"$bson":[%d,0]}' % number
        shown = '{"$obj":[["$bson",[%d,0]]]}\n' % number
        assert weir.out("convert", "--from", "json", "--to", "json", stdin=text) == shown
        weir.error(5, "convert", "--from", "json", "--to", "json", "--strict", stdin=text)
