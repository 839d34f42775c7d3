"""Logs and pipes that programs without weir read and write, while weir does."""
import json
import os
import subprocess

import pytest

from conftest import COMMAND, DEADLINE_S, jackson, needed, python_with, script, series, until

COUNT = 20
BINARY = {
    "cbor2": (lambda: [python_with("cbor2"), script("binary.py"), "cbor"], ".cborseq"),
    "pymongo": (lambda: [python_with("bson"), script("binary.py"), "bson"], ".bson"),
    "jackson": (jackson, ".smile"),
}


@pytest.fixture(params=BINARY)
def log(request, weir):
    start, extension = BINARY[request.param]
    return start(), os.path.join(weir.folder, "log" + extension)


def stripped(out):
    return [{key: m[key] for key in ("op", "meta", "data")} for m in map(json.loads, out.splitlines())]


def test_a_log_is_written(weir, peers, log):
    command, path = log
    weir.run("pub", "file://" + path, "0", "--op", "first")
    assert peers.run(command, "append", path, COUNT) == []
    weir.run("pub", "file://" + path, "1", "--op", "last")
    found = stripped(weir.out("sub", "file://" + path, "--from", "oldest", "-n", str(COUNT + 2)))
    assert found == [{"op": "first", "meta": None, "data": 0}] + [series(i) for i in range(COUNT)] + [
        {"op": "last", "meta": None, "data": 1}]
    assert json.loads(weir.out("info", "file://" + path, "--json"))["last_seq"] == COUNT + 2


def test_a_log_is_read(weir, peers, log):
    command, path = log
    text = "".join(json.dumps(series(i)["data"]) + "\n" for i in range(COUNT))
    weir.run("pub", "file://" + path, "--stdin", "json", "--op", "reading", "--meta", '{"unit":"V"}', stdin=text)
    assert peers.run(command, "load", path, COUNT) == [series(i) for i in range(COUNT)]


def test_a_log_is_followed_while_another_writes_it(weir, peers, log):
    command, path = log
    sub = weir.start("sub", "file://" + path, "-n", str(2 * COUNT), "--json")
    weir.until_end("reader", sub)
    for _ in range(2):
        peers.run(command, "append", path, COUNT)
    out, said = weir.finish(sub)
    assert stripped(out) == [series(i) for i in range(COUNT)] * 2 and said == ""


def test_jq_reads_while_it_is_written(weir):
    """Whatever moment it looks at, it sees whole lines, from the first one on."""
    jq, path = needed("jq"), os.path.join(weir.folder, "log.jsonl")
    pub = weir.start("pub", "file://" + path, "--stdin", "json", stdin=subprocess.PIPE)
    seen = 0
    for i in range(300):
        pub.stdin.write(b"%d\n" % i)
        pub.stdin.flush()
        if i % 20 == 19:
            until(lambda: os.path.exists(path) and os.path.getsize(path) > 0, "the log")
            done = subprocess.run([jq, ".data", path], capture_output=True, check=True, timeout=DEADLINE_S)
            found = list(map(int, done.stdout.split()))
            assert found == list(range(len(found))) and len(found) >= seen
            seen = len(found)
    pub.communicate(timeout=DEADLINE_S)
    done = subprocess.run([jq, ".data", path], capture_output=True, check=True, timeout=DEADLINE_S)
    assert list(map(int, done.stdout.split())) == list(range(300))


def test_tail_and_jq_follow(weir):
    jq, tail, path = needed("jq"), needed("tail"), os.path.join(weir.folder, "log.jsonl")
    weir.run("pub", "file://" + path, "0")
    follow = subprocess.Popen("exec %s -n +1 -f %s | %s --unbuffered .data" % (tail, path, jq), shell=True,
                              stdout=subprocess.PIPE, start_new_session=True)
    try:
        weir.run("pub", "file://" + path, "--stdin", "json", stdin="1\n[2]\n")
        lines = [follow.stdout.readline() for _ in range(3)]
        assert lines == [b"0\n", b"1\n", b"[\n"]
    finally:
        os.killpg(follow.pid, 9)
        follow.communicate()


# ---- pipes ----

@pytest.mark.parametrize("write", ["echo '{\"op\":\"x\",\"data\":1}' > %s", "jq -nc '{op: \"x\", data: 1}' > %s",
                                   "echo '{\"op\":\"x\",\"data\":1}' | socat -u - OPEN:%s,wronly"],
                         ids=["echo", "jq", "socat"])
def test_writers_of_a_pipe(weir, write):
    for program in ("jq", "socat"):
        if program in write:
            needed(program)
    path = os.path.join(weir.folder, "a.fifo")
    sub = weir.start("sub", "fifo://" + path, "-n", "1", "--json")
    weir.until_end("reader", sub)
    subprocess.run(["bash", "-c", write % path], check=True, timeout=DEADLINE_S)
    assert stripped(weir.finish(sub)[0]) == [{"op": "x", "meta": None, "data": 1}]


@pytest.mark.parametrize("read", ["cat %s", "jq -c . %s", "python3 -c 'print(open(\"%s\").read(), end=\"\")'",
                                  "php -n -r 'fpassthru(fopen(\"%s\", \"r\"));'"],
                         ids=["cat", "jq", "python", "php"])
def test_readers_of_a_pipe(weir, read):
    needed(read.split()[0])
    path = os.path.join(weir.folder, "a.fifo")
    os.mkfifo(path)
    reader = subprocess.Popen(["bash", "-c", read % path], stdout=subprocess.PIPE)
    weir.run("pub", "fifo://%s?framing=jsonl" % path, "--stdin", "json", "--op", "x", stdin="1\n[2]\n")
    found = [json.loads(line) for line in reader.communicate(timeout=DEADLINE_S)[0].splitlines()]
    assert [(m["seq"], m["op"], m["data"]) for m in found] == [(1, "x", 1), (2, "x", [2])]


@pytest.mark.parametrize("framing", ["cborseq", "bson", "smile"])
def test_binary_pipes(weir, peers, framing):
    command = {"cborseq": BINARY["cbor2"], "bson": BINARY["pymongo"], "smile": BINARY["jackson"]}[framing][0]()
    path = os.path.join(weir.folder, "a.fifo")
    os.mkfifo(path)
    reader = peers.start(command, "load", path, COUNT)
    text = "".join(json.dumps(series(i)["data"]) + "\n" for i in range(COUNT))
    weir.run("pub", "fifo://%s?framing=%s" % (path, framing), "--stdin", "json", "--op", "reading", "--meta",
             '{"unit":"V"}', stdin=text)
    assert peers.finish(reader) == [series(i) for i in range(COUNT)]
    sub = weir.start("sub", "fifo://" + path, "-n", str(COUNT), "--json")
    weir.until_end("reader", sub)
    peers.run(command, "append", path, COUNT)
    assert stripped(weir.finish(sub)[0]) == [series(i) for i in range(COUNT)]


def test_a_call_by_hand_in_a_log(weir):
    """A client that can append a line and look for another."""
    jq, path = needed("jq"), os.path.join(weir.folder, "calls.jsonl")
    server = weir.start("serve", "file://" + path, "--op", "sum", "--command", "jq add")
    weir.until_end("server", server)
    with open(path, "a", encoding="utf-8") as file:
        file.write('{"id": 1, "op": "sum", "data": [4, 5]}\n')
    select = [jq, "-c", "select(.re == 1).data", path]
    until(lambda: subprocess.run(select, capture_output=True, check=False).stdout == b"9\n", "the reply")
    assert subprocess.run([COMMAND, "call", "file://" + path, "sum", "[1,2]"], capture_output=True, check=True,
                          env=weir.environment, timeout=DEADLINE_S).stdout == b"3\n"
