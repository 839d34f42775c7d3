"""JSON-RPC 2.0 clients that others wrote, against `weir serve` on unix and tcp: results, errors, notifications,
batches."""
import pytest

from conftest import needed, node_with, python_with, script

COMMAND = "jq -c '(if type == \"array\" then .[0] else . end) * 2'"
NO_METHOD, INVALID_REQUEST, PARSE_ERROR = -32601, -32600, -32700
JQ_FAILED = 1005  # of weir serve: 1000 and the command's exit code


@pytest.fixture
def server(weir, place):
    needed("jq")
    process = weir.start("serve", place.address, "--op", "double", "--command", COMMAND)
    weir.until_end("server", process)
    return place.plain


def ok(result, name):
    return {"jsonrpc": "2.0", "result": result, "id": name}


def test_jsonrpcclient_and_json_rpc(server, peers):
    python = python_with("jsonrpcclient, jsonrpc")
    found = peers.run([python, script("rpc.py")], server)
    assert found == [
        {"ok": 42, "id": "a"},
        {"code": NO_METHOD, "id": 2},
        {"code": JQ_FAILED, "id": 3},
        [{"ok": 0, "id": 0}, {"ok": 2, "id": 1}, {"ok": 4, "id": 2}],
        8,
        sorted([ok(8, 5), ok(10, "six")], key=str),
        {"code": INVALID_REQUEST, "id": 7},
        {"code": INVALID_REQUEST, "id": None},
        {"code": PARSE_ERROR, "id": None},
        "",
    ]


def test_jayson(server, peers):
    command, environment = node_with("jayson")
    found = peers.run([*command, script("rpc.cjs")], server, **environment)
    assert found == [ok(42, "a"), {"code": NO_METHOD, "id": 2}, {"code": JQ_FAILED, "id": 3}, True,
                     [ok(2, 1), ok(6, "three")]]


def test_json_rpc_2_0(server, peers):
    command, environment = node_with("json-rpc-2.0")
    found = peers.run([*command, script("rpc.mjs")], server, **environment)
    assert found == [42, [2, 4, 6], NO_METHOD, JQ_FAILED, [8, NO_METHOD]]
