"""Programs that know nothing of weir at the other end of a socket: nc, and a few lines of Python, with JSON lines, CBOR,
Smile, BSON and JSON-RPC, on unix and tcp alike."""
import json
import os
import socket
import struct
import subprocess
import threading
import time

import pytest

from conftest import DEADLINE_S, port_of, until


class Door:
    """A socket's address, as weir and as others spell it."""

    def __init__(self, weir, kind, name="plain"):
        self.kind = kind
        if kind == "unix":
            self.place = os.path.join(weir.folder, name + ".sock")
            self.address = "unix://" + self.place
            self.nc = ["nc", "-U", self.place]
        else:
            host, port = port_of(weir, name).split(":")
            self.place = (host, int(port))
            self.address = "tcp://%s:%s" % (host, port)
            self.nc = ["nc", host, port]

    def connect(self):
        connection = socket.socket(socket.AF_UNIX if self.kind == "unix" else socket.AF_INET)
        connection.settimeout(DEADLINE_S)
        connection.connect(self.place)
        return connection

    def said(self, data, halves=True):
        """Say something, end, and give all that comes back."""
        with self.connect() as connection:
            connection.sendall(data)
            if halves:
                connection.shutdown(socket.SHUT_WR)
            return rest(connection)


def rest(connection):
    got = b""
    while True:
        try:
            piece = connection.recv(65536)
        except ConnectionResetError:
            return got
        if not piece:
            return got
        got += piece


@pytest.fixture(params=["unix", "tcp"])
def door(request, weir):
    return Door(weir, request.param)


def messages(weir, process, count):
    out, error = weir.finish(process)
    found = [json.loads(line) for line in out.splitlines()]
    assert len(found) == count, (out, error)
    return found


def reader(weir, door, count, options=""):
    process = weir.start("sub", door.address + options, "-n", str(count), "--json")
    weir.until_end("reader", process)
    return process


def server(weir, door):
    process = weir.start("serve", door.address, "--op", "double", "--command", "jq -c '.*2'")
    weir.until_end("server", process)
    return process


def line(connection):
    got = b""
    while not got.endswith(b"\n"):
        piece = connection.recv(1)
        assert piece, got
        got += piece
    return json.loads(got)


def test_nc_is_a_writer(weir, door):
    sub = reader(weir, door, 3)
    for text in ('{"op":"x","data":1}\n', '{"temp":3}', '\n\n[1,2]\n'):  # the second without its newline
        subprocess.run([*door.nc[:1], "-N", *door.nc[1:]], input=text.encode(), check=True, timeout=DEADLINE_S)
    found = messages(weir, sub, 3)
    assert [(m["op"], m["data"]) for m in found] == [("x", 1), (None, {"temp": 3}), (None, [1, 2])]
    assert all(m["time"] for m in found)


def test_nc_is_a_reader(weir, door):
    pub = weir.start("pub", door.address + "?readers=1", "--stdin", "json", stdin=subprocess.PIPE)
    weir.until_end("writer", pub)
    nc = subprocess.Popen(door.nc, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    pub.communicate(b'{"volts":1.5}\n"text"\n', timeout=DEADLINE_S)
    assert pub.returncode == 0
    found = [json.loads(text) for text in nc.communicate(timeout=DEADLINE_S)[0].splitlines()]
    assert [m["data"] for m in found] == [{"volts": 1.5}, "text"]
    assert [m["seq"] for m in found] == [1, 2]


def test_one_that_was_silent_may_speak(weir, door):
    """A reader who then speaks is both, and does not hear himself."""
    sub = reader(weir, door, 2)
    with door.connect() as connection:
        until(lambda: len(weir.ends("reader")) == 1, "the reader")
        time.sleep(0.6)  # longer than the moment after which silence says what he is
        connection.sendall(b'{"op":"mine","data":1}\n')
        weir.run("pub", door.address, "2", "--op", "theirs")
        heard = line(connection)
        assert (heard["op"], heard["data"]) == ("theirs", 2)
    assert sorted(m["op"] for m in messages(weir, sub, 2)) == ["mine", "theirs"]


BINARY = {
    "cborseq": bytes.fromhex("a2626f70617864646174611902a6"),
    "bson": struct.pack("<i", 25) + b"\x02op\0\x02\0\0\0x\0\x10data\0" + struct.pack("<i", 678) + b"\0",
}


@pytest.mark.parametrize("framing", ["cborseq", "bson", "jsonl", "smile"])
def test_each_framing_is_recognised_byte_by_byte(weir, door, framing):
    """The bytes of one message, one at a time: what they are must not depend on how they come."""
    data = BINARY.get(framing)
    if data is None:
        codec = {"jsonl": "json", "smile": "smile"}[framing]
        data = weir.run("convert", "--from", "json", "--to", codec, stdin='{"op":"x","data":678}').stdout
        data = data.rstrip(b"\n") + (b"\n" if framing == "jsonl" else b"")
    for forced in ("", "?framing=" + framing):
        place = Door(weir, door.kind, "forced" if forced else "plain")
        sub = reader(weir, place, 1, forced)
        with place.connect() as connection:
            if door.kind == "tcp":
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in data:
                connection.sendall(bytes([byte]))
                time.sleep(0.002)
            found = messages(weir, sub, 1)[0]
        assert (found["op"], found["data"]) == ("x", 678)


def test_a_reader_of_cbor(weir, door):
    """framing= says what a silent reader gets."""
    pub = weir.start("pub", door.address + "?readers=1&framing=cborseq", "678", "--op", "x")
    weir.until_end("writer", pub)
    with door.connect() as connection:
        assert b"\x62op\x61x" in rest(connection)
    weir.finish(pub)


def test_calls(weir, door):
    server(weir, door)
    with door.connect() as connection:
        for name in (1, "q-7", None, [1, {"a": 2}], 2**60):
            connection.sendall(json.dumps({"id": name, "op": "double", "data": 21}).encode() + b"\n")
            assert line(connection) == {"re": name, "op": "double", "data": 42}
        connection.sendall(b'{"id":5,"op":"nope"}\n')
        answer = line(connection)
        assert answer["re"] == 5 and answer["error"]["code"] == 404 and "double" in answer["error"]["text"]
    # Many at once, and the answers after our end has said all.
    asked = b"".join(b'{"id":%d,"op":"double","data":%d}\n' % (i, i) for i in range(1, 21))
    answers = [json.loads(text) for text in door.said(asked).splitlines()]
    assert [(a["re"], a["data"]) for a in answers] == [(i, 2 * i) for i in range(1, 21)]
    # A client of weir beside it.
    assert weir.out("call", door.address, "double", "4").strip() == "8"


NO_REQUESTS = [{"op": 5}, {"op": "x" * 256}, {"op": "double", "extra": 1}, {"op": "double", "meta": 5},
               {"op": "double", "cancel": 1}]


def test_who_asks_wrongly_is_told(weir, door):
    """He waits for an answer, whatever he sent."""
    server(weir, door)
    with door.connect() as connection:
        for name in (1, "q-7"):
            for wrong in NO_REQUESTS:
                connection.sendall(json.dumps({"id": name, "data": 21, **wrong}).encode() + b"\n")
                answer = line(connection)
                assert answer["re"] == name and answer["error"]["code"] == 10, (wrong, answer)
        connection.sendall(b'{"id":2,"op":"double","data":3}\n')
        assert line(connection) == {"re": 2, "op": "double", "data": 6}


@pytest.mark.parametrize("name", [1, "q-7", None, -1, {"a": 2}])
def test_a_request_is_the_same_whatever_its_id_is(weir, door, name):
    """An array of a type is one."""
    process = weir.start("serve", door.address, "--command", "cat")
    weir.until_end("server", process)
    array = {"dtype": "f64le", "dims": [2], "order": "row", "base64": "AAAAAAAA8D8AAAAAAAAAQA=="}
    asked = {"id": name, "op": "x", "meta": {"unit": "V"}, "data": {"$array": array}}
    with door.connect() as connection:
        connection.sendall(json.dumps(asked).encode() + b"\n")
        assert line(connection) == {"re": name, "op": "x", "data": [1.0, 2.0]}


def test_a_failure_s_number_is_none_of_the_library(weir, door):
    """5, which jq ends with, would be read as: there is no such operation."""
    process = weir.start("serve", door.address, "--command", "echo broken >&2; exit 5")
    weir.until_end("server", process)
    answer = door.said(b'{"id":1,"op":"x"}\n{"jsonrpc":"2.0","method":"x","id":2}\n')
    assert [json.loads(text) for text in answer.splitlines()] == [
        {"re": 1, "op": "x", "error": {"code": 1005, "text": "broken"}},
        {"jsonrpc": "2.0", "error": {"code": 1005, "message": "broken"}, "id": 2}]


def test_a_silent_client_of_a_server_may_take_his_time(weir, door):
    server(weir, door)
    with door.connect() as connection:
        time.sleep(0.6)
        connection.sendall(b'{"id":1,"op":"double","data":1}\n')
        assert line(connection)["data"] == 2
    with door.connect() as connection:
        time.sleep(0.6)
        connection.sendall(bytes.fromhex("a362696401626f7066646f75626c65646461746115"))
        assert connection.recv(100) == bytes.fromhex("a362726501626f7066646f75626c656464617461182a")


def test_json_rpc(weir, door):
    server(weir, door)
    with door.connect() as connection:
        connection.sendall(b'{"jsonrpc":"2.0","method":"double","params":21,"id":"a"}\n')
        assert line(connection) == {"jsonrpc": "2.0", "result": 42, "id": "a"}
        connection.sendall(b'{"jsonrpc":"2.0","method":"nope","id":7}\n')
        error = line(connection)
        assert (error["error"]["code"], error["id"]) == (-32601, 7)
        connection.sendall(b'{"jsonrpc":"2.0","method":"double","params":1}\n')  # a notification has no answer
        connection.sendall(b'[{"jsonrpc":"2.0","method":"double","params":2,"id":1},'
                           b'{"jsonrpc":"2.0","method":"double","params":3},7,'
                           b'{"jsonrpc":"2.0","method":"double","params":4,"id":2}]\n')
        batch = line(connection)
        assert {a["id"]: a.get("result") for a in batch} == {None: None, 1: 4, 2: 8}
        assert [a["error"]["code"] for a in batch if "error" in a] == [-32600]
        connection.sendall(b'[]\n')
        assert line(connection)["error"]["code"] == -32600
        connection.sendall(b'{"jsonrpc":"2.0","method":1,"id":3}\n')
        assert line(connection)["error"]["code"] == -32600
        connection.sendall(b'[{"jsonrpc":"2.0","method":"double","params":1}]\n'  # all notifications: no answer at all
                           b'{"jsonrpc":"2.0","method":"double","params":5,"id":1.5}\n')
        assert line(connection) == {"jsonrpc": "2.0", "result": 10, "id": 1.5}
        connection.sendall(b'{"jsonrpc":"2.0","method"\n')
        error = line(connection)
        assert (error["error"]["code"], error["id"]) == (-32700, None)
        assert rest(connection) == b""


def test_json_rpc_where_nobody_serves(weir, door):
    """A notification is a message; a call is told that nobody serves."""
    sub = reader(weir, door, 1)
    with door.connect() as connection:
        connection.sendall(b'{"jsonrpc":"2.0","method":"reading","params":{"volts":1},"id":1}\n')
        assert line(connection)["error"]["code"] == -32601
        connection.sendall(b'{"id":9,"op":"x"}\n')
        assert line(connection)["re"] == 9
        connection.sendall(b'{"jsonrpc":"2.0","method":"reading","params":{"volts":1}}\n')
        found = messages(weir, sub, 1)[0]
    assert (found["op"], found["data"]) == ("reading", {"volts": 1})


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n\r\n",
                                     b'POST / HTTP/1.1\r\nHost: a\r\n\r\n{"op":"x","data":1}\n',
                                     b"hello\n", b'{"op":\n{"op":"x","data":1}\n', b"\x16\x03\x01\x02\x00\x01\x00",
                                     b"{]\n" * 5000, b"\xff" * 100])
def test_garbage_gets_one_line_and_is_closed(weir, door, garbage):
    sub = reader(weir, door, 1)
    answer = json.loads(door.said(garbage, halves=False))
    assert answer["error"]["code"] == 13 and answer["error"]["text"]
    weir.run("pub", door.address, "2", "--op", "after")
    assert messages(weir, sub, 1)[0]["op"] == "after"  # nothing of it got through


def test_what_came_before_garbage_counts(weir, door):
    sub = reader(weir, door, 2)
    answer = door.said(b'{"op":"a","data":1}\n{"op":"b","data":2}\nno\n{"op":"c","data":3}\n')
    assert json.loads(answer)["error"]["code"] == 13
    assert [m["op"] for m in messages(weir, sub, 2)] == ["a", "b"]


def test_lines_have_a_limit(weir, door):
    sub = reader(weir, door, 1, "?max=64K")
    answer = json.loads(door.said(b'"' + b"a" * 200000, halves=False))
    assert "error" in answer
    door.said(b'["' + b"a" * 60000 + b'"]\n')
    assert len(messages(weir, sub, 1)[0]["data"][0]) == 60000


def test_a_writer_that_is_faster_than_its_reader_waits(weir, door):
    """What nobody takes is not read from the socket either, and nothing is lost."""
    count = 20000
    sub = weir.start("sub", door.address + "?capacity=64K", "-n", str(count), "--json")
    weir.until_end("reader", sub)
    with door.connect() as connection:
        text = b"".join(b'{"data":%d}\n' % i for i in range(count))
        sending = threading.Thread(target=connection.sendall, args=(text,))
        sending.start()
        out, _ = weir.finish(sub)
        sending.join()
    assert [json.loads(text)["data"] for text in out.splitlines()] == list(range(count))


def test_a_thousand_connections(weir, door):
    """Each says one message and stays until all have."""
    count = 1000
    sub = reader(weir, door, count)
    connections = []
    try:
        for i in range(count):
            connections.append(door.connect())
            connections[-1].sendall(b'{"data":%d}\n' % i)
        found = messages(weir, sub, count)
    finally:
        for connection in connections:
            connection.close()
    assert sorted(m["data"] for m in found) == list(range(count))


def plain_listener(door):
    listener = socket.socket(socket.AF_UNIX if door.kind == "unix" else socket.AF_INET)
    listener.settimeout(DEADLINE_S)
    listener.bind(door.place)
    listener.listen()
    return listener


def accepted(listener):
    connection = listener.accept()[0]
    connection.settimeout(DEADLINE_S)
    return connection


def test_weir_speaks_plainly_where_the_address_says_so(weir, door):
    """A listener that is ten lines of Python: weir's ends connect to it."""
    options = "?framing=jsonl&connect=1"
    place = Door(weir, door.kind, "first")
    with plain_listener(place) as listener:
        pub = weir.start("pub", place.address + options, '{"a":1}', "--op", "hi")
        with accepted(listener) as connection:
            heard = line(connection)
            weir.finish(pub)
    assert (heard["op"], heard["data"]) == ("hi", {"a": 1})
    place = Door(weir, door.kind, "second")
    with plain_listener(place) as listener:
        sub = weir.start("sub", place.address + options, "-n", "1", "--json")
        with accepted(listener) as connection:
            connection.sendall(b'{"op":"there","data":[1]}\n')
            assert messages(weir, sub, 1)[0]["op"] == "there"
    place = Door(weir, door.kind, "third")
    with plain_listener(place) as listener:
        call = weir.start("call", place.address + options, "add", "[1,2]")
        with accepted(listener) as connection:
            asked = line(connection)
            assert (asked["op"], asked["data"]) == ("add", [1, 2])
            connection.sendall(json.dumps({"re": asked["id"], "data": 3}).encode() + b"\n")
            assert weir.finish(call)[0].strip() == "3"
