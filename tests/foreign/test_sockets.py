"""Writers, readers and clients that know nothing of weir, on unix and tcp."""
import json
import os
import subprocess

import pytest

from conftest import COMMAND, DEADLINE_S, Place, jackson, needed, python_with, script, series, until

COUNT = 20
LINES = {
    "python": lambda: [needed("python3"), script("lines.py")],
    "node": lambda: [needed("node"), script("lines.mjs")],
    "php": lambda: [needed("php"), "-n", script("lines.php")],
}
BINARY = {
    "cbor2": (lambda: [python_with("cbor2"), script("binary.py"), "cbor"], "cborseq"),
    "pymongo": (lambda: [python_with("bson"), script("binary.py"), "bson"], "bson"),
    "jackson": (jackson, "smile"),
}
ALL = {**{name: (start, "") for name, start in LINES.items()}, **BINARY}


@pytest.fixture(params=ALL)
def other(request):
    """A peer: its name, how it is started, what weir must be told that is said to those who are silent."""
    start, framing = ALL[request.param]
    return request.param, start(), "&framing=" + framing if framing else ""


def wanted(name, index):
    message = series(index)
    if name == "node":
        message["data"]["big"] = "9007199254740993"
    return message


def taken(weir, process):
    out, _ = weir.finish(process)
    found = [json.loads(line) for line in out.splitlines()]
    return [{key: m[key] for key in ("op", "meta", "data")} for m in found], [m["seq"] for m in found]


def test_a_writer(weir, place, peers, other):
    name, command, _ = other
    sub = weir.start("sub", place.address, "-n", str(COUNT), "--json")
    weir.until_end("reader", sub)
    assert peers.run(command, "write", place.plain, COUNT) == []
    assert taken(weir, sub) == ([wanted(name, i) for i in range(COUNT)], list(range(1, COUNT + 1)))


def test_a_reader(weir, place, peers, other):
    name, command, framing = other
    pub = weir.start("pub", place.address + "?readers=1" + framing, "--stdin", "json", "--op", "reading", "--meta",
                     '{"unit":"V"}', stdin=subprocess.PIPE)
    weir.until_end("writer", pub)
    reader = peers.start(command, "read", place.plain, COUNT)
    text = "".join(json.dumps(wanted(name, i)["data"]) + "\n" for i in range(COUNT))
    pub.communicate(text.encode(), timeout=DEADLINE_S)
    assert peers.finish(reader) == [wanted(name, i) for i in range(COUNT)] and pub.returncode == 0


def test_a_client(weir, place, peers, other):
    _, command, _ = other
    server = weir.start("serve", place.address, "--op", "double", "--command", "jq -c '.*2'")
    weir.until_end("server", server)
    assert peers.run(command, "call", place.plain, 5) == [0, 2, 4, 6, 8]


def test_writers_of_every_kind_at_once(weir, place, peers):
    """What each says comes in its order, and nothing of it is lost or mixed."""
    commands = {name: start() for name, start in LINES.items()}
    sub = weir.start("sub", place.address, "-n", str(3 * COUNT), "--json")
    weir.until_end("reader", sub)
    started = [peers.start(command, "write", place.plain, COUNT) for command in commands.values()]
    out, _ = weir.finish(sub)
    for process in started:
        peers.finish(process)
    found = {}
    for line in out.splitlines():
        message = json.loads(line)
        found.setdefault(message["data"]["i"], []).append(message["data"]["big"])
    assert found == {i: found[i] for i in range(COUNT)}
    assert {i: sorted(map(str, bigs)) for i, bigs in found.items()} == {
        i: sorted([str(9007199254740993 + i)] * 2 + ["9007199254740993"]) for i in range(COUNT)}


# ---- socat and nc ----

def test_socat_writes(weir, place):
    socat = needed("socat")
    sub = weir.start("sub", place.address, "-n", "2", "--json")
    weir.until_end("reader", sub)
    subprocess.run([socat, "-u", "-", place.socat], input=b'{"op":"x","data":1}\n[2]\n', check=True, timeout=DEADLINE_S)
    assert taken(weir, sub) == ([{"op": "x", "meta": None, "data": 1}, {"op": None, "meta": None, "data": [2]}], [1, 2])


def test_socat_reads(weir, place, peers):
    socat = needed("socat")
    pub = weir.start("pub", place.address + "?readers=1", "--stdin", "lines", "--op", "line", stdin=subprocess.PIPE)
    weir.until_end("writer", pub)
    reader = peers.start([socat, "-u", place.socat, "-"])
    pub.communicate(b"one\ntwo\n", timeout=DEADLINE_S)
    assert [(m["seq"], m["op"], m["data"]) for m in peers.finish(reader)] == [(1, "line", "one"), (2, "line", "two")]


def test_socat_asks(weir, place):
    socat = needed("socat")
    server = weir.start("serve", place.address, "--op", "double", "--command", "jq -c '.*2'")
    weir.until_end("server", server)
    done = subprocess.run([socat, "-t", "10", "-", place.socat], capture_output=True, check=True, timeout=DEADLINE_S,
                          input=b'{"id":"q","op":"double","data":4}\n{"id":2,"op":"double","data":[1]}\n')
    first, second = [json.loads(line) for line in done.stdout.splitlines()]
    assert first == {"re": "q", "op": "double", "data": 8}
    assert (second["re"], set(second["error"])) == (2, {"code", "text"})


def test_socat_listens(weir, peers):
    """Where another program has the socket, weir's ends connect and speak its language."""
    socat, path = needed("socat"), os.path.join(weir.folder, "theirs.sock")
    listener = peers.start([socat, "-u", "UNIX-LISTEN:" + path, "-"])
    until(lambda: os.path.exists(path), "socat's socket")
    weir.run("pub", "unix://%s?connect=1&framing=jsonl" % path, '{"volts":1.5}', "--op", "reading")
    (message,) = peers.finish(listener)
    assert (message["op"], message["data"]) == ("reading", {"volts": 1.5})


ISSUE = {
    "sub": "weir sub unix:///tmp/a.sock --json -n 1",
    "nc": r"""printf '{"op":"x","data":1}\n' | nc -U -N /tmp/a.sock""",
}


def shell(weir, text):
    environment = {**weir.environment, "PATH": os.path.dirname(COMMAND) + ":" + os.environ["PATH"]}
    return subprocess.Popen(["bash", "-c", text.replace("/tmp/", weir.folder + "/")], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=environment, start_new_session=True)


def test_the_two_lines_with_nc(weir):
    needed("nc")
    sub = shell(weir, ISSUE["sub"])
    until(lambda: weir.ends("reader"), "the reader")
    assert shell(weir, ISSUE["nc"]).wait(timeout=DEADLINE_S) == 0
    message = json.loads(sub.communicate(timeout=DEADLINE_S)[0])
    assert message == {"v": 1, "seq": 1, "time": message["time"], "op": "x", "meta": None, "data": 1}


def test_the_two_lines_the_other_way_round(weir):
    needed("nc")
    pub = shell(weir, """weir pub 'unix:///tmp/a.sock?readers=1' 1 --op x""")
    until(lambda: weir.ends("writer"), "the writer")
    nc = shell(weir, "nc -U -N /tmp/a.sock < /dev/null & nc -U /tmp/a.sock")
    assert pub.wait(timeout=DEADLINE_S) == 0
    message = json.loads(nc.communicate(timeout=DEADLINE_S)[0])
    assert message == {"seq": 1, "time": message["time"], "op": "x", "data": 1}


def test_a_socket_in_a_place_of_its_own(weir):
    """Both kinds of Place name what weir lists."""
    for kind in ("unix", "tcp"):
        place = Place(weir, kind, "listed")
        sub = weir.start("sub", place.address)
        weir.until_end("reader", sub)
        assert place.address in [channel["address"] for channel in weir.channels()]
