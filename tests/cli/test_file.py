"""Logs and state files from the shell, beside programs that know nothing of weir: jq, echo, other languages' codecs."""
import importlib
import json
import os
import shutil
import subprocess

import pytest

from conftest import COMMAND, until


def address(weir, name, options=""):
    return "file://%s/%s%s" % (weir.folder, name, options)


@pytest.mark.parametrize("name", ["a.weir", "a.jsonl", "a.cborseq", "a.smile", "a.bson"])
def test_pub_get_sub(weir, name):
    place = address(weir, name)
    for number in ("1", "2.5", '{"a":[1,"b"]}'):
        weir.run("pub", place, number, "--op", "reading", "--meta", '{"unit":"V"}')
    assert weir.out("get", place) == '{"a":[1,"b"]}\n'
    lines = [json.loads(line) for line in weir.out("sub", place, "--from", "oldest", "-n", "3").splitlines()]
    assert [line["seq"] for line in lines] == [1, 2, 3]
    assert [line["data"] for line in lines] == [1, 2.5, {"a": [1, "b"]}]
    assert {line["op"] for line in lines} == {"reading"} and lines[0]["meta"] == {"unit": "V"}
    assert os.listdir(weir.folder).count(name + ".lock") == 0


@pytest.mark.parametrize("name", ["a.weir", "a.jsonl"])
def test_follow(weir, name):
    sub = weir.start("sub", address(weir, name), "-n", "3")
    weir.until_end("reader", sub)
    for number in "123":
        weir.run("pub", address(weir, name), number)
    out, _ = weir.finish(sub)
    assert [json.loads(line)["data"] for line in out.splitlines()] == [1, 2, 3]


def test_numbers_in_arrays_come_back(weir):
    weir.run("pub", address(weir, "a.jsonl"), "[[1,2],[3,4]]", "--type", "f32[2,2]")
    assert json.loads(weir.out("get", address(weir, "a.jsonl"))) == [[1, 2], [3, 4]]
    assert weir.run("sub", address(weir, "a.jsonl"), "--from", "last", "-n", "1", "--type", "f32[2,2]").returncode == 0


def test_ls_and_info(weir):
    place = address(weir, "a.weir")
    weir.run("pub", place, "1")
    sub = weir.start("sub", place)
    weir.until_end("reader", sub)
    assert [channel["address"] for channel in weir.channels()] == [place]
    info = json.loads(weir.out("info", place, "--json"))
    assert (info["state"], info["last_seq"], info["readers_holding"], info["framing"]) == ("live", 1, 1, "weir")
    assert info["writers"] == [] and info["torn_bytes"] == 0
    lines = [line.split("\t") for line in weir.out("info", place).splitlines()]
    assert lines[0][:4] == ["channel", place, "file", "live"]
    log = next(line for line in lines if line[0] == "log")
    assert (log[1], log[3], log[5:10]) == ("weir", "1", ["0", "1", "0", "-", "1"])
    weir.stop_all()
    assert json.loads(weir.out("info", place, "--json"))["state"] == "idle"
    weir.run("gc")
    assert weir.out("get", place) == "1\n"


def test_no_such_log(weir):
    assert "a.weir" in weir.error(3, "get", address(weir, "a.weir"))
    weir.error(3, "info", address(weir, "a.weir"))
    assert os.listdir(weir.folder) == []


@pytest.mark.parametrize("name", ["c.weir", "c.jsonl"])
def test_calls(weir, name):
    place = address(weir, name)
    server = weir.start("serve", place, "--op", "double", "--command", "sed s/1/2/")
    weir.until_end("server", server)
    assert weir.out("call", place, "double", "21", "--timeout", "15s") == "22\n"
    weir.stop_all()
    assert "nobody serves" in weir.error(4, "call", place, "double", "21", "--timeout", "50ms")


def test_a_call_by_hand(weir):
    """Ten characters of shell are a client."""
    place, path = address(weir, "c.jsonl"), weir.folder + "/c.jsonl"
    server = weir.start("serve", place, "--op", "double", "--command", "sed s/1/2/")
    weir.until_end("server", server)
    with open(path, "a") as file:
        file.write('{"id":7,"op":"double","data":1}\n')
    reply = until(lambda: [line for line in map(json.loads, open(path)) if line.get("re") == 7], "a reply")
    assert reply[0]["data"] == 2


# ---- other programs ----

def test_jq_while_it_is_written(weir):
    if not shutil.which("jq"):
        pytest.skip("jq is not there")
    path = weir.folder + "/a.jsonl"
    pub = weir.start("pub", address(weir, "a.jsonl"), '{"t":1}', "-n", "100", "--rate", "200")
    until(lambda: os.path.exists(path) and os.path.getsize(path) > 200, "lines")
    for _ in range(5):
        jq = subprocess.run(["jq", "-c", ".data.t", path], capture_output=True, text=True)
        assert jq.returncode == 0, jq.stderr
        assert set(jq.stdout.split()) == {"1"}
    weir.finish(pub)


def test_lines_that_the_shell_appends(weir):
    sub = weir.start("sub", address(weir, "a.jsonl"), "-n", "3")
    weir.until_end("reader", sub)
    subprocess.run("echo '{\"data\":1}' >> a.jsonl; echo '{oops' >> a.jsonl; echo 2 >> a.jsonl; echo '{\"op\":\"x\",\"data\":3}' >> a.jsonl",
                   shell=True, check=True, cwd=weir.folder)
    out, said = weir.finish(sub)
    found = [(line["op"], line["data"]) for line in map(json.loads, out.splitlines())]
    assert found == [(None, 1), (None, 2), ("x", 3)]
    assert "line 2" in said


def codec_of(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        pytest.skip("python has no %s" % name)


def test_cbor2_reads_and_writes(weir):
    cbor2 = codec_of("cbor2")
    place, path = address(weir, "a.cborseq"), weir.folder + "/a.cborseq"
    weir.run("pub", place, "[1,2]", "--op", "x")
    with open(path, "ab") as file:
        cbor2.dump({"data": {"k": b"\x01"}}, file)
        cbor2.dump(42, file)
    weir.run("pub", place, "3")
    with open(path, "rb") as file:
        items = [cbor2.load(file) for _ in range(4)]
    assert (items[0]["op"], items[0]["data"], items[3]["data"], items[3]["seq"]) == ("x", [1, 2], 3, 4)
    lines = [json.loads(line) for line in weir.out("sub", place, "--from", "oldest", "-n", "4").splitlines()]
    assert [line["seq"] for line in lines] == [1, 2, 3, 4] and lines[2]["data"] == 42


def test_pymongo_reads_and_writes(weir):
    bson = codec_of("bson")
    place, path = address(weir, "a.bson"), weir.folder + "/a.bson"
    weir.run("pub", place, "[1,2]", "--op", "x")
    with open(path, "ab") as file:
        file.write(bson.encode({"temp": 3}))
    with open(path, "rb") as file:
        items = bson.decode_all(file.read())
    assert items[0]["op"] == "x" and items[0]["data"] == [1, 2]
    assert weir.out("get", place) == '{"temp":3}\n'


# ---- rotation, and one value ----

def test_rotation(weir):
    place = address(weir, "a.jsonl", "?rotate=64K&files=20")
    sub = weir.start("sub", address(weir, "a.jsonl"), "-n", "3000")
    weir.until_end("reader", sub)
    weir.run("pub", place, '"%s"' % ("x" * 60), "-n", "3000")
    out, said = weir.finish(sub)
    assert [json.loads(line)["seq"] for line in out.splitlines()] == list(range(1, 3001)) and said == ""
    assert {"a.jsonl", "a.jsonl.1", "a.jsonl.2", "a.jsonl.3"} <= set(os.listdir(weir.folder))
    assert weir.out("sub", place, "--from", "seq:2990", "-n", "1").startswith('{"v":1,"seq":2990,')


def test_a_configuration(weir):
    place, path = address(weir, "conf.json", "?state=1"), weir.folder + "/conf.json"
    with open(path, "w") as file:
        file.write('{\n  "rate": 10\n}\n')
    assert weir.out("get", place) == '{"rate":10}\n'
    sub = weir.start("sub", place, "-n", "3")
    weir.until_end("reader", sub)
    lines = []
    for text in ('{"rate":20}', '{"rate":30}'):
        lines.append(json.loads(sub.stdout.readline()))
        weir.run("pub", place, text)
    lines.append(json.loads(sub.stdout.readline()))
    assert [line["data"]["rate"] for line in lines] == [10, 20, 30]
    assert json.load(open(path)) == {"rate": 30}
    assert sorted(name for name in os.listdir(weir.folder) if name.startswith("conf")) == ["conf.json"]


def test_a_folder_is_no_log(weir):
    os.mkdir(weir.folder + "/logs")
    os.mkdir(weir.folder + "/logs.weir")
    for name in ("logs", "logs/"):
        for words in (("pub", address(weir, name), "1"), ("sub", address(weir, name)), ("info", address(weir, name))):
            said = weir.error(2, *words)
            assert "that is a folder; name a file in it, as %s/NAME.weir" % address(weir, "logs") in said
    for words in (("pub", address(weir, "logs.weir"), "1"), ("sub", address(weir, "logs.weir"))):
        assert "a folder is there; name a file in it" in weir.error(2, *words)


def test_a_full_disk_is_waited_for(weir):
    """full=block: until somebody makes room, or timeout= has passed."""
    script = """
        mount -t tmpfs -o size=200k none "$2" || exit 99
        head -c 190000 /dev/zero >"$2/ballast"
        cat /dev/zero >"$2/rest" 2>/dev/null
        (sleep 0.7; rm "$2/ballast") &
        "$1" pub "file://$2/a.jsonl?timeout=60s" "$3" || exit 1
        wait
        cat /dev/zero >"$2/rest" 2>/dev/null
        "$1" pub "file://$2/a.jsonl?full=fail" "$3" 2>"$2.said"
        [ $? -eq 1 ] && grep -q "wait for room with full=block" "$2.said" || { cat "$2.said"; exit 98; }
        "$1" pub "file://$2/a.jsonl?timeout=400ms" "$3"
    """
    unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    done = subprocess.run(unshare + ["sh", "-c", script, "sh", COMMAND, str(weir.folder), '"%s"' % ("x" * 50000)],
                          capture_output=True, text=True, env=weir.environment)
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip("no mounts here")
    assert done.returncode == 4, done.stderr
    assert done.stderr.count("weir: ") == 1 and "no room for" in done.stderr
    assert "KB left for user " in done.stderr and "raise timeout=" in done.stderr


def test_a_json_file_is_a_value_or_a_log_only_when_that_is_said(weir):
    """A line behind somebody's configuration would ruin it, so the name alone does not do."""
    path = weir.folder + "/conf.json"
    with open(path, "w", encoding="utf-8") as file:
        file.write('{"a": 1}\n')
    for command in (["pub", "ADDRESS", "5"], ["sub", "ADDRESS"], ["get", "ADDRESS"]):
        said = weir.error(2, *[a.replace("ADDRESS", "file://" + path) for a in command])
        assert "state=1 for a value" in said and "framing=jsonl for a log" in said
    with open(path, encoding="utf-8") as file:
        assert file.read() == '{"a": 1}\n'
    assert weir.out("get", "file://%s?state=1" % path) == '{"a":1}\n'
    weir.run("pub", address(weir, "log.json", "?framing=jsonl"), "5")
    assert weir.out("get", address(weir, "log.json", "?framing=jsonl")) == "5\n"


def test_lines_that_are_no_json_are_not_nothing(weir):
    path = weir.folder + "/hosts"
    with open(path, "w", encoding="utf-8") as file:
        file.write("127.0.0.1 a\n127.0.0.2 b\n")
    said = weir.error(1, "get", "file://%s?framing=jsonl" % path)
    assert said.startswith("weir: file://%s: of its 2 lines none can be read as JSON; " % path)
    open(path, "w", encoding="utf-8").close()
    assert weir.error(3, "get", "file://%s?framing=jsonl" % path).endswith(": there is no message yet\n")
