"""Every language writes, reads, asks and serves with every other, over every transport. README.md is the contract.

The lines that are expected are worked out here, in no language's binding.
"""

import json
import os
import shutil
import subprocess
import tempfile

import pytest

from peers import BUILD, PEERS, TRANSPORTS, Peer, missing

ROUNDS = 2  # times nine messages
COUNT = 9 * ROUNDS


@pytest.fixture
def folder(monkeypatch):
    path = tempfile.mkdtemp(prefix="weir-interop.", dir="/dev/shm")
    monkeypatch.setenv("WEIR_SHM_DIR", path)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(params=TRANSPORTS)
def address(request, folder):
    place = TRANSPORTS[request.param](folder)
    yield place
    if request.param == "sysv":
        key = place.removeprefix("sysv://")
        subprocess.run(["ipcrm", "-M", key, "-S", key], stderr=subprocess.DEVNULL, check=False)
        subprocess.run([BUILD / "bin/weir", "gc"], stdout=subprocess.DEVNULL, check=True)


@pytest.fixture
def start():
    """Start peers that are gone when the test is over."""
    peers = []

    def start_one(language, verb, *arguments):
        reason = missing(language)
        if reason:
            pytest.skip(f"{language}: {reason}")
        peer = Peer(language, verb, *arguments)
        peers.append(peer)
        return peer if verb == "latest" else peer.ready()

    yield start_one
    for peer in peers:
        peer.kill()


# ---- what is expected ----


def text(value):
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def check(values):
    return int(sum(4 * (k + 1) * x for k, x in enumerate(values)))


def expected_data(i):
    return [
        ("map", lambda: text({"half": i + 0.5, "i": i, "name": "zwölf €𝄞", "none": None, "on": i % 2 == 0})),
        ("text", lambda: text(f'tick\t{i} "quoted" \\ back')),
        ("matrix", lambda: f"f64[2,3] row {check(i + r + c / 4 for r in range(2) for c in range(3))}"),
        ("vector", lambda: f"i32[5] row {check(10 * i - k for k in range(5))}"),
        ("column", lambda: f"f64[3,2] column {check(i + r - c / 4 for r in range(3) for c in range(2))}"),
        ("integers", lambda: text([0, -1, 2**53 + 1, 2**63 - 1, -(2**63)])),
        ("empty", lambda: "-"),
        ("nested", lambda: text({"a": [1, [2, [3, {"b": []}]]], "i": i})),
        ("blob", lambda: f"u8[100000] row {check((i + 7 * k) % 251 for k in range(100000))}"),
    ][i % 9]


def expected_line(i):
    op, data = expected_data(i)
    meta = "-" if op == "empty" else text({"i": i, "unit": "V"})
    return f"{i + 1}\t0\t{op}\t{meta}\t{data()}"


EXPECTED = [expected_line(i) for i in range(COUNT)]

# ---- the tests ----

pairs = pytest.mark.parametrize("other", PEERS)
each = pytest.mark.parametrize("language", PEERS)


@pairs
@each
@pytest.mark.parametrize("codec", ["cbor", "json", "smile", "bson"])
def test_messages(start, address, language, other, codec):
    """@language writes, @other reads."""
    reader = start(other, "read", address, COUNT)
    writer = start(language, "write", f"{address}?readers=1&codec={codec}", COUNT)
    assert reader.lines() == EXPECTED
    assert writer.lines() == []


@each
def test_the_writer_comes_first(start, address, language):
    writer = start(language, "write", f"{address}?readers=1", COUNT)
    reader = start(language, "read", address, COUNT)
    assert reader.lines() == EXPECTED
    assert writer.lines() == []


@each
def test_readers_of_all_languages_at_once(start, address, language):
    there = [other for other in PEERS if missing(other) is None]
    readers = [start(other, "read", address, COUNT) for other in there]
    start(language, "write", f"{address}?readers={len(there)}", COUNT)
    for reader in readers:
        assert reader.lines() == EXPECTED, reader.command


@each
def test_raw_structs_are_maps(start, address, language):
    """The command sends a C struct; every language sees its fields, numbers and structs in arrays."""
    data = {"big": 2**63 - 1, "half": -0.5, "in": [{"a": 1, "b": -2}, {"a": 255, "b": 300}], "t": {"deep": {"n": -7}}}
    type_ = "{half: f64, big: i64, in: {a: u8, b: i16}[2], t: {deep: {n: i8}}}"
    reader = start(language, "read", address, 1)
    subprocess.run([os.path.join(os.environ["WEIR_BUILD"], "bin", "weir"), "pub", f"{address}?readers=1", text(data),
                    "--type", type_, "--op", "struct", "--meta", '{"i":0}'], check=True, timeout=20)
    assert reader.lines() == [f'1\t0\tstruct\t{{"i":0}}\t{text(data)}']


@pairs
@each
def test_history_and_latest(start, folder, language, other):
    """What shared memory keeps after its writer is gone; a socket keeps nothing."""
    address = TRANSPORTS["shm"](folder)
    assert start(other, "latest", address).lines(status=3) == []
    start(language, "write", address, COUNT).lines()
    assert start(other, "latest", address).lines() == EXPECTED[-1:]
    assert start(other, "read", f"{address}?from=oldest", COUNT).lines() == EXPECTED


CALLS = ['{"a":[1,2.5,"x"],"b":null}', "21", "[]", '"zwölf"', "true", ""]


@pairs
@each
def test_calls(start, address, language, other):
    """@language asks, @other answers."""
    server = start(other, "serve", address, "echo", len(CALLS) + 1)
    for call in CALLS:
        answer = text(json.loads(call)) if call else "-"
        assert start(language, "call", address, "echo", call).lines() == [f"ok\t{answer}"]
    assert start(language, "call", address, "sing", "1").lines(status=1) == ["error\t42\tno operation sing here"]
    assert server.lines() == []


@each
def test_a_bad_address(start, language):
    reason = missing(language)
    if reason:
        pytest.skip(f"{language}: {reason}")
    code, out, errors = Peer(language, "read", "shm://interop/x?flavour=red", 1).finish()
    assert (code, out) == (2, "")
    name, _, sentence = errors.strip().partition(": ")
    assert name == "WEIR_EADDRESS" and "flavour" in sentence
