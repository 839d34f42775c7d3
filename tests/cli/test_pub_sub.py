"""weir pub and weir sub: their fixed forms on each transport."""
import json
import os
import signal
import struct
import subprocess

import pytest

from conftest import COMMAND, port_of, until


def received(weir, process, code=0):
    out, _ = weir.finish(process, code)
    return [json.loads(line) for line in out.splitlines()]


def test_message_arrives_with_all_its_parts(weir, place):
    sub = weir.start("sub", place("lab/a"), "-n", "1")
    weir.run("pub", place("lab/a", "?readers=1"), '{"x":[1,2.5,null]}', "--op", "reading", "--meta", '{"unit":"V"}')
    (message,) = received(weir, sub)
    assert list(message) == ["v", "seq", "time", "op", "meta", "data"]
    assert (message["v"], message["seq"], message["op"]) == (1, 1, "reading")
    assert message["meta"] == {"unit": "V"}
    assert message["data"] == {"x": [1, 2.5, None]}
    assert message["time"] > 1_600_000_000_000_000_000


def test_message_without_data(weir, place):
    sub = weir.start("sub", place("lab/a"), "-n", "1", "--json")
    weir.run("pub", place("lab/a", "?readers=1"), "--op", "tick")
    (message,) = received(weir, sub)
    assert (message["op"], message["meta"], message["data"]) == ("tick", None, None)


@pytest.mark.parametrize("codec", ["json", "cbor", "smile", "bson"])
def test_raw_gives_the_bytes_of_the_codec(weir, place, codec):
    sub = weir.start("sub", place("lab/a"), "-n", "1", "--raw")
    weir.run("pub", place("lab/a", "?readers=1"), "[1, 2]", "--codec", codec)
    out, _ = sub.communicate(timeout=60)
    bson = "1f000000 0424726f6f7400 13000000 103000 01000000 103100 02000000 00 00"
    assert out == {"json": b"[1,2]", "cbor": b"\x82\x01\x02", "smile": b":)\n\x01\xf8\xc2\xc4\xf9",
                   "bson": bytes.fromhex(bson)}[codec]


def test_pretty_is_indented_json(weir, place):
    sub = weir.start("sub", place("lab/a"), "-n", "1", "--pretty")
    weir.run("pub", place("lab/a", "?readers=1"), '{"a":{"b":1}}')
    out, _ = weir.finish(sub)
    assert json.loads(out)["data"] == {"a": {"b": 1}}
    assert out.count("\n") > 5


@pytest.mark.parametrize("type_, data, packed", [
    ("f64[3]", "[0.1,0.2,9.8]", struct.pack("<3d", 0.1, 0.2, 9.8)),
    ("f32", "1.5", struct.pack("<f", 1.5)),
    ("i16[2]", "[-32768,32767]", struct.pack("<2h", -32768, 32767)),
    ("u64[1]", "[18446744073709551615]", struct.pack("<Q", 2**64 - 1)),
    ("u8[2,3]", "[[1,2,3],[4,5,6]]", bytes([1, 2, 3, 4, 5, 6])),
    ("u8[2,3]:col", "[[1,2,3],[4,5,6]]", bytes([1, 4, 2, 5, 3, 6])),
    ("u8[2,2]", "[1,2,3,4]", bytes([1, 2, 3, 4])),
])
def test_typed_data_is_sent_raw(weir, place, type_, data, packed):
    sub = weir.start("sub", place("lab/a"), "-n", "1", "--raw")
    weir.run("pub", place("lab/a", "?readers=1"), data, "--type", type_)
    out, _ = sub.communicate(timeout=60)
    assert out == packed


@pytest.mark.parametrize("type_, data", [
    ("u8[2]", "[1,256]"), ("u8[2]", "[1,-1]"), ("i8", "128"), ("u8[2]", "[1]"), ("u8[2,2]", "[[1,2],[3]]"),
    ("f64[2]", '["a","b"]'), ("f64[2]", "5"), ("u32[1]", "[1.5]"), ("f65[2]", "[1,2]"), ("f64[2", "[1,2]"),
    ("f64[2]x", "[1,2]"), ("f64[]", "[]"),
])
def test_data_that_does_not_fit_its_type(weir, type_, data):
    assert "weir: " in weir.error(5, "pub", "lab/a", data, "--type", type_)


def test_stdin_lines(weir, place):
    sub = weir.start("sub", place("lab/a"), "-n", "3", "--json")
    weir.run("pub", place("lab/a", "?readers=1"), "--stdin", "lines", stdin="one\n\nlast ünended")
    assert [m["data"] for m in received(weir, sub)] == ["one", "", "last ünended"]


def test_stdin_json(weir, place):
    sub = weir.start("sub", place("lab/a"), "-n", "2", "--json")
    weir.run("pub", place("lab/a", "?readers=1"), "--stdin", "json", stdin='{"a":1}\n[true]\n')
    assert [m["data"] for m in received(weir, sub)] == [{"a": 1}, [True]]


def test_a_line_that_comes_alone_leaves_at_once(weir, place):
    """Lines are sent in batches, but none waits for the next."""
    sub = weir.start("sub", place("lab/a"), "--json")
    pub = weir.start("pub", place("lab/a", "?readers=1"), "--stdin", "lines", stdin=subprocess.PIPE)
    for text in ("one", "two", "half a "):
        pub.stdin.write(text.encode() + (b"" if text == "half a " else b"\n"))
        pub.stdin.flush()
        if text != "half a ":
            assert json.loads(sub.stdout.readline())["data"] == text
    pub.communicate(b"line\n", timeout=60)
    assert json.loads(sub.stdout.readline())["data"] == "half a line" and pub.returncode == 0


def test_many_lines_through_little_room(weir, place):
    """A block of lines is more than the channel holds: the batch does not wait for itself."""
    count = 30000
    with open(os.path.join(weir.folder, "found"), "w+") as out:
        sub = weir.start("sub", place("lab/a"), "-n", str(count), "--json", stdout=out)
        text = "".join("%d\n" % i for i in range(count))
        weir.run("pub", place("lab/a", "?readers=1&capacity=64K"), "--stdin", "json", stdin=text)
        weir.finish(sub)
        out.seek(0)
        found = [json.loads(line) for line in out]
    assert [m["data"] for m in found] == list(range(count)) and [m["seq"] for m in found] == list(range(1, count + 1))


def test_what_came_before_a_bad_line_is_sent(weir):
    weir.run("pub", "lab/a", "--stdin", "json", stdin="1\n2\n{\n3\n", code=5)
    out = weir.out("sub", "lab/a", "--from", "oldest", "-n", "2")
    assert [json.loads(line)["data"] for line in out.splitlines()] == [1, 2]
    assert weir.out("get", "lab/a") == "2\n"


def test_stdin_raw_in_pieces(weir, place):
    sub = weir.start("sub", place("lab/a"), "-n", "2", "--json")
    weir.run("pub", place("lab/a", "?readers=1"), "--stdin", "raw", "--type", "f64[2]",
             stdin=struct.pack("<4d", 1, 2, 3, 4))
    assert [m["data"] for m in received(weir, sub)] == [[1.0, 2.0], [3.0, 4.0]]


def test_stdin_raw_as_one_message(weir, place):
    content = bytes(range(256)) * 1000
    sub = weir.start("sub", place("lab/a"), "-n", "1", "--raw")
    weir.run("pub", place("lab/a", "?readers=1"), "--stdin", "raw", stdin=content)
    assert sub.communicate(timeout=60)[0] == content


def test_stdin_raw_that_ends_in_the_middle(weir):
    said = weir.error(5, "pub", "lab/a", "--stdin", "raw", "--type", "f64", stdin=b"123456789012")
    assert "4 of 8 bytes" in said


def test_bad_line_names_its_number(weir):
    assert "line 2 of standard input" in weir.error(5, "pub", "lab/a", "--stdin", "json", stdin="1\n{\n")
    said = weir.error(5, "pub", "lab/b", "--stdin", "lines", stdin=b"ok\n\xff\n")
    assert "line 2 of standard input" in said and "--stdin raw" in said


def test_count_and_rate_send_so_many(weir, place):
    sub = weir.start("sub", place("lab/a"), "-n", "5", "--json")
    out = weir.out("pub", place("lab/a", "?readers=1"), "7", "-n", "5", "--rate", "1000", "--json")
    assert [json.loads(line) for line in out.splitlines()] == [{"v": 1, "seq": n} for n in range(1, 6)]
    assert [m["seq"] for m in received(weir, sub)] == [1, 2, 3, 4, 5]


def test_count_limits_stdin(weir):
    out = weir.out("pub", "lab/a", "--stdin", "lines", "-n", "2", "--json", stdin="a\nb\nc\nd\n")
    assert len(out.splitlines()) == 2


def test_negative_number_is_data(weir):
    weir.run("pub", "lab/a", "-5")
    assert weir.out("get", "lab/a") == "-5\n"


def test_from_oldest_and_from_last(weir):
    weir.run("pub", "lab/a", "--stdin", "json", stdin="1\n2\n3\n")
    out = weir.out("sub", "lab/a", "--from", "oldest", "-n", "3")
    assert [json.loads(line)["data"] for line in out.splitlines()] == [1, 2, 3]
    assert json.loads(weir.out("sub", "lab/a", "--from", "last", "-n", "1"))["data"] == 3
    assert json.loads(weir.out("sub", "lab/a", "--from", "seq:2", "-n", "1"))["data"] == 2
    assert json.loads(weir.out("sub", "lab/a", "--from", "-10m", "-n", "1"))["data"] == 1


def test_sub_times_out(weir, place):
    address = place("lab/nobody")
    said = weir.error(4, "sub", address, "--timeout", "50ms")
    assert address in said and "50ms" in said


def test_full_channel_times_out(weir):
    """A writer that must wait for a reader gives up when the address says so."""
    said = weir.error(4, "pub", "lab/a?readers=1&timeout=50ms", "1")
    assert "lab/a" in said


LARGE = '"%s"' % ("x" * 1000)


def said_at_end(pub, count):
    """What it says when it has waited in vain for room for so many lines."""
    _, said = pub.communicate((LARGE + "\n").encode() * count, timeout=60)
    assert pub.returncode == 4, said
    return said.decode()


@pytest.mark.parametrize("address", ["lab/x", "sysv", "shm://lab/x?sealed=1", "unix", "tcp", "fifo"])
def test_who_is_in_the_way_is_named(weir, address):
    """A reader that is stopped, under full=block and full=fail: which one, and that it is stopped."""
    plain = {"sysv": "sysv://" + weir.key("x"), "unix": "unix://%s/x.sock" % weir.folder,
             "fifo": "fifo://%s/x.fifo" % weir.folder, "tcp": "tcp://" + port_of(weir, "x")}.get(address, address)
    question = "&" if "?" in plain else "?"
    pub = weir.start("pub", "%s%sreaders=1&capacity=64K&timeout=500ms" % (plain, question), "--stdin", "lines", stdin=subprocess.PIPE)
    weir.until_end("writer", pub)
    sub = weir.start("sub", plain.partition("?")[0])
    pub.stdin.write(b"first\n")
    pub.stdin.flush()
    assert json.loads(sub.stdout.readline())["data"] == "first"
    sub.send_signal(signal.SIGSTOP)
    until(lambda: open("/proc/%d/stat" % sub.pid).read().rpartition(")")[2].split()[0] == "T", "it is stopped")
    said = said_at_end(pub, 3000)
    stopped = "" if address == "tcp" else ", stopped"  # of another machine nobody knows
    assert "no room, because the reader weir (pid %d%s) is not reading" % (sub.pid, stopped) in said
    if address in ("lab/x", "sysv"):
        said = weir.error(1, "pub", plain + "?full=fail&capacity=64K", LARGE, "-n", "3000")
        assert "because the reader weir (pid %d, stopped) is not reading fast enough; full=block waits" % sub.pid in said


@pytest.mark.parametrize("form", ["unix://%s/y.sock", "tcp"])
def test_who_is_in_the_way_listens(weir, form):
    plain = form % weir.folder if "%" in form else "tcp://" + port_of(weir, "y")
    sub = weir.start("sub", plain + "?capacity=64K")
    weir.until_end("reader", sub)
    pub = weir.start("pub", plain + "?readers=1&capacity=64K&timeout=500ms", "--stdin", "lines", stdin=subprocess.PIPE)
    pub.stdin.write(b"first\n")
    pub.stdin.flush()
    assert json.loads(sub.stdout.readline())["data"] == "first"
    sub.send_signal(signal.SIGSTOP)
    said = said_at_end(pub, 3000 if form != "tcp" else 20000)
    assert "no room, because the reader weir (pid %d" % sub.pid in said


def test_what_is_queued_is_waited_for_at_close(weir):
    """The reader takes nothing until the writer has sent all of it and waits for him, much longer than one of its slices."""
    place = "unix://%s/a.sock" % weir.folder
    sub = weir.start("sub", place + "?capacity=64K", "-n", "3000")
    weir.until_end("reader", sub)
    pub = weir.start("pub", place + "?capacity=16M&timeout=60s&readers=1", '"%s"' % ("x" * 1000), "-n", "3000")
    until(lambda: [end for end in weir.ends("writer") if end["pid"] == pub.pid and end["messages"] == 3000],
          "all of it is sent")
    with pytest.raises(subprocess.TimeoutExpired):
        pub.wait(1)
    out, _ = weir.finish(sub)
    assert [json.loads(line)["seq"] for line in out.splitlines()] == list(range(1, 3001))
    weir.finish(pub)


def test_ctrl_c_ends_a_close_that_waits(weir):
    place = "unix://%s/a.sock" % weir.folder
    sub = weir.start("sub", place + "?capacity=64K")
    weir.until_end("reader", sub)
    pub = weir.start("pub", place + "?capacity=16M&timeout=60s&readers=1", '"%s"' % ("x" * 1000), "-n", "3000")
    until(lambda: [end for end in weir.ends("writer") if end["pid"] == pub.pid and end["messages"] == 3000],
          "all of it is sent")
    with pytest.raises(subprocess.TimeoutExpired):
        pub.wait(1)
    pub.send_signal(signal.SIGINT)
    weir.finish(pub, code=130)


def test_input_that_nobody_asked_for(weir):
    """Who pipes data into pub and forgets --stdin is told, and no empty message goes. Without input there is none to miss."""
    weir.run("pub", "lab/x", '"kept"')
    for stdin in ("21.5\n", b"\x00"):
        said = weir.error(2, "pub", "lab/x", stdin=stdin)
        assert "--stdin lines, json or raw" in said
    path = os.path.join(weir.folder, "input")
    with open(path, "w") as file:
        file.write("1\n2\n")
    with open(path) as file:
        done = subprocess.run([COMMAND, "pub", "lab/x"], stdin=file, env=weir.environment, capture_output=True)
        assert done.returncode == 2 and b"--stdin" in done.stderr
        file.read()
        done = subprocess.run([COMMAND, "pub", "lab/x", "--op", "at the end"], stdin=file, env=weir.environment, capture_output=True)
        assert (done.returncode, done.stderr) == (0, b"")
    assert '"op":"at the end"' in weir.out("get", "lab/x", "--json")


def test_input_of_a_loop_is_not_touched(weir):
    """With an operation there is a message, which goes: the input may be that of the loop around."""
    script = "printf '1\\n2\\n3\\n' | while read line; do '%s' pub lab/x --op tick; done" % COMMAND
    done = subprocess.run(["sh", "-c", script], env=weir.environment, capture_output=True, text=True)
    assert done.returncode == 0 and "standard input is not sent" in done.stderr
    assert weir.out("sub", "lab/x", "--from", "oldest", "-n", "3").count('"op":"tick"') == 3


@pytest.mark.parametrize("way", ["null", "closed", "idle pipe", "ended pipe"])
def test_no_input_is_no_error(weir, way):
    """cron, a service without standard input, a supervisor's pipe, and a pipeline that gave nothing."""
    reading, writing = os.pipe()
    if way == "ended pipe":
        os.close(writing)
    stdin = {"null": subprocess.DEVNULL, "closed": None}.get(way, reading)
    command = ["sh", "-c", '"$@" <&-', "sh"] if way == "closed" else []
    done = subprocess.run([*command, COMMAND, "pub", "lab/x"], stdin=stdin, env=weir.environment, capture_output=True,
                          timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert weir.out("get", "lab/x") == "null\n"
    os.close(reading)
    if way != "ended pipe":
        os.close(writing)


def test_ctrl_c_ends_sub_with_130(weir, place):
    sub = weir.start("sub", place("lab/a"))
    weir.until_end("reader", sub)
    sub.send_signal(signal.SIGINT)
    assert weir.finish(sub, 130) == ("", "")


def test_ctrl_c_ends_a_waiting_pub_with_130(weir, place):
    pub = weir.start("pub", place("lab/a", "?readers=1&timeout=forever"), "1")
    weir.until_end("writer", pub)
    pub.send_signal(signal.SIGINT)
    assert weir.finish(pub, 130) == ("", "")


def test_ctrl_c_ends_an_endless_pub(weir):
    pub = weir.start("pub", "lab/a?full=drop-oldest", "1", "--rate", "50")
    weir.until_end("writer", pub)
    pub.send_signal(signal.SIGINT)
    weir.finish(pub, 130)


def test_sub_into_a_closed_pipe_ends_quietly(weir, place):
    sub = weir.start("sub", place("lab/a"))
    weir.until_end("reader", sub)
    sub.stdout.close()
    pub = weir.start("pub", place("lab/a", "?readers=1&full=drop-oldest"), "1", "--rate", "50")
    assert sub.wait(timeout=60) == 0
    assert sub.stderr.read() == b""
    assert pub.poll() is None


def test_output_that_cannot_be_written_is_told(weir):
    weir.run("pub", "lab/a", "1")
    with open("/dev/full", "wb") as full:
        process = weir.start("get", "lab/a", stdout=full)
        _, said = weir.finish(process, 1)
    assert "standard output" in said


def lose_messages(weir, *options):
    """A stopped observer misses what a small channel forgets."""
    sub = weir.start("sub", "lab/a?observe=1", *options)
    weir.until_end("observer", sub)
    sub.send_signal(signal.SIGSTOP)
    weir.run("pub", "lab/a?capacity=4K&full=drop-oldest", '"%s"' % ("x" * 200), "-n", "500")
    sub.send_signal(signal.SIGCONT)
    return sub


def test_loss_ends_a_strict_sub_with_7(weir):
    sub = lose_messages(weir, "--strict")
    _, said = weir.finish(sub, 7)
    assert "messages lost before seq" in said


def test_loss_is_told_and_shown_without_strict(weir):
    sub = lose_messages(weir, "-n", "2")
    out, said = weir.finish(sub)
    first = json.loads(out.splitlines()[0])
    assert first["gap"] > 0 and first["seq"] == first["gap"] + 1
    assert "%d messages lost before seq %d" % (first["gap"], first["seq"]) in said


@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_a_message_that_nobody_on_a_socket_gets_is_told(weir, kind):
    address = "unix://%s/a.sock" % weir.folder if kind == "unix" else "tcp://" + port_of(weir, "a")
    told = ("weir: %s: nobody was there, and a socket keeps nothing; start who reads first, or wait for one with "
            "readers=1\n" % address)
    assert weir.run("pub", address, "1").stderr.decode() == told
    for reader in ("sub", "record"):
        options = ["-n", "1"] if reader == "sub" else ["-n", "1", "-o", weir.folder + "/a.weir"]
        process = weir.start(reader, *options, address)
        weir.until_end("reader", process)
        assert weir.run("pub", address, "2").stderr == b""
        weir.finish(process)
    waiting = weir.start("pub", address + "?readers=1", "3")
    weir.until_end("writer", waiting)
    assert json.loads(weir.out("sub", address, "-n", "1"))["data"] == 3
    assert weir.finish(waiting)[1] == ""
