"""The command on named pipes: with the shell's own tools at the other end, other users, and ends that go away."""
import json
import os
import signal
import subprocess

import pytest

from conftest import COMMAND, DEADLINE_S, until
from test_access import GROUP, MEMBER, STRANGER, Others, others  # noqa: F401 (a fixture)


@pytest.fixture
def pipe(weir):
    return os.path.join(weir.folder, "p.fifo")


def lines(weir, process, count):
    out, error = weir.finish(process)
    found = [json.loads(line) for line in out.splitlines()]
    assert len(found) == count, (out, error)
    return found


def shell(weir, command):
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=weir.environment,
                          timeout=DEADLINE_S)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_pub_waits_for_its_reader(weir, pipe):
    """As the shell's > does: a pipe keeps nothing for who comes later."""
    address = "fifo://" + pipe
    writer = weir.start("pub", address, '{"x":1}', "--op", "hi")
    reader = weir.start("sub", address, "-n", "1")
    assert lines(weir, reader, 1)[0]["data"] == {"x": 1}
    weir.finish(writer)
    said = weir.error(4, "pub", address + "?timeout=50ms", "1")
    assert address in said and "waited in vain for 1 reader, 0 are there" in said


def test_echo_is_a_writer(weir, pipe):
    reader = weir.start("sub", "fifo://" + pipe, "-n", "3")
    weir.until_end("reader", reader)
    shell(weir, "echo '{\"op\":\"x\",\"data\":1}' > %s" % pipe)
    shell(weir, "printf '%%s\\n' '{\"op\":\"y\",\"meta\":{\"unit\":\"V\"},\"data\":[1,2.5]}' '\"text\"' > %s" % pipe)
    found = lines(weir, reader, 3)
    assert [(m["op"], m["data"]) for m in found] == [("x", 1), ("y", [1, 2.5]), (None, "text")]
    assert found[1]["meta"] == {"unit": "V"}
    assert [m["seq"] for m in found] == [1, 2, 3]


def test_cat_and_jq_are_readers(weir, pipe):
    os.mkfifo(pipe)
    cat = subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True)
    weir.run("pub", "fifo://%s?framing=jsonl" % pipe, '{"celsius":21.5}', "--op", "reading")
    out, _ = cat.communicate(timeout=DEADLINE_S)  # it ends when the writer closes
    message = json.loads(out)
    assert (message["op"], message["data"], message["seq"]) == ("reading", {"celsius": 21.5}, 1)
    jq = subprocess.Popen(["jq", "-c", ".data", pipe], stdout=subprocess.PIPE, text=True)
    weir.run("pub", "fifo://%s?framing=jsonl" % pipe, "--stdin", "lines", stdin="a\nb\nc\n")
    assert jq.communicate(timeout=DEADLINE_S)[0] == '"a"\n"b"\n"c"\n'


def test_much_goes_through_cat(weir, pipe):
    """More than a pipe holds, into a reader that knows nothing of us."""
    os.mkfifo(pipe)
    count = 20000
    cat = subprocess.Popen(["bash", "-c", "cat %s | jq .data | awk '{s+=$1} END {print NR, s}'" % pipe],
                           stdout=subprocess.PIPE, text=True)
    weir.run("pub", "fifo://%s?framing=jsonl&capacity=64K" % pipe, "--stdin", "json",
             stdin="".join("%d\n" % i for i in range(count)))
    assert cat.communicate(timeout=60)[0] == "%d %d\n" % (count, count * (count - 1) // 2)


def test_garbage_is_skipped_with_a_sentence(weir, pipe):
    reader = weir.start("sub", "fifo://" + pipe, "-n", "2")
    weir.until_end("reader", reader)
    shell(weir, "head -c 500 /dev/zero | tr '\\0' '\\377' > %s" % pipe)
    # The line begins anew: the reader may not have seen yet that the one before has closed.
    shell(weir, "printf '\\n{\"op\":\"a\",\"data\":1}\\n' > %s" % pipe)
    shell(weir, "echo '{\"op\":\"b\",\"data\":' > %s" % pipe)
    shell(weir, "echo '{\"op\":\"c\",\"data\":3}' > %s" % pipe)
    out, error = weir.finish(reader)
    found = [json.loads(line)["op"] for line in out.splitlines()]
    assert found == ["a", "c"]
    assert "fifo://" + pipe in error and "skipped" in error


def test_a_second_end_is_told_who_is_there(weir, pipe):
    address = "fifo://" + pipe
    reader = weir.start("sub", address)
    weir.until_end("reader", reader)
    said = weir.error(1, "sub", address)
    assert "pid %d" % reader.pid in said and "weir" in said and "reads there" in said
    writer = weir.start("pub", address, "--stdin", "lines", stdin=subprocess.PIPE)
    weir.until_end("writer", writer)
    said = weir.error(1, "pub", address, "1")
    assert "pid %d" % writer.pid in said and "writes there" in said
    info = json.loads(weir.out("info", address, "--json"))
    assert (info["writer"]["pid"], info["reader"]["pid"], info["state"]) == (writer.pid, reader.pid, "live")
    assert "writer\t%d" % writer.pid in weir.out("info", address)


def test_get_looks_without_taking(weir, pipe):
    address = "fifo://" + pipe
    assert "nobody has made a pipe there" in weir.error(3, "get", address)
    writer = weir.start("pub", address + "?readers=0", "--stdin", "json", stdin=subprocess.PIPE)
    writer.stdin.write(b"1\n2\n")
    writer.stdin.flush()
    weir.until_end("writer", writer)
    until(lambda: subprocess.run([COMMAND, "get", address], env=weir.environment, capture_output=True).stdout == b"2\n",
          "the second message")
    assert weir.out("get", address) == "2\n"
    out = weir.out("sub", address, "-n", "2")
    assert [json.loads(line)["data"] for line in out.splitlines()] == [1, 2]
    assert "weir sub -n 1" in weir.error(3, "get", address)


def test_calls(weir, pipe):
    address = "fifo://" + pipe
    server = weir.start("serve", address, "--op", "double", "--command", 'jq ".*2"')
    weir.until_end("server", server)
    assert weir.out("call", address, "double", "21") == "42\n"
    assert "serves there" in weir.error(1, "pub", address, "1")
    server.send_signal(signal.SIGTERM)
    server.communicate(timeout=DEADLINE_S)
    assert sorted(name for name in os.listdir(weir.folder) if name.startswith("p.")) == ["p.fifo"]


# ---- a peer written from docs/spec/fifo.md and frame.md alone ----

WRITER = """
import fcntl, os, struct, sys
hold = os.open(sys.argv[1], os.O_RDONLY | os.O_NONBLOCK)
pipe = os.open(sys.argv[1], os.O_WRONLY | os.O_NONBLOCK)
fcntl.fcntl(pipe, fcntl.F_SETFL, os.O_NONBLOCK | os.O_DIRECT)
stream, ends = b"", []
for seq, size in ((1, 5), (2, 9000), (3, 30)):
    op, data = b"text", b'"' + b"x" * size + b'"'
    frame = struct.pack("<IBBBBQ", 16 + len(op) + len(data), 0x11, 1, len(op), 0, seq) + op + data
    ends.append(len(stream))
    stream += frame
count = 0
for start in range(0, len(stream), 4080):
    piece = stream[start:start + 4080]
    inside = [end - start + 16 for end in ends if start <= end < start + len(piece)]
    head = struct.pack("<HHII", 16 + len(piece), inside[0] if inside else 0, 77, count)
    os.write(pipe, b"\\xfeWP\\xf1" + head + piece)
    count += 1
"""

READER = """
import os, struct, sys
pipe, stream, seqs = os.open(sys.argv[1], os.O_RDONLY), b"", []
while len(seqs) < 3:
    packet = os.read(pipe, 4096)
    magic, size, first, session, count = struct.unpack_from("<IHHII", packet)
    assert (magic, size) == (0xF15057FE, len(packet))
    stream += packet[16:]
    while len(stream) >= 16 and len(stream) >= struct.unpack_from("<I", stream)[0]:
        size, kind, codec, op_size, flags, seq = struct.unpack_from("<IBBBBQ", stream)
        seqs.append((seq, size, stream[16 + 8 * (flags & 1):][:op_size].decode()))
        stream = stream[size:]
print(seqs)
"""


def test_a_peer_written_from_the_specification(weir, pipe):
    address = "fifo://" + pipe
    reader = weir.start("sub", address, "-n", "3")
    weir.until_end("reader", reader)
    subprocess.run(["python3", "-c", WRITER, pipe], check=True, timeout=DEADLINE_S)
    assert [(m["seq"], m["op"], len(m["data"])) for m in lines(weir, reader, 3)] == [
        (1, "text", 5), (2, "text", 9000), (3, "text", 30)]
    peer = subprocess.Popen(["python3", "-c", READER, pipe], stdout=subprocess.PIPE, text=True)
    weir.run("pub", address, "--stdin", "lines", "--op", "line", stdin="a\n%s\nc\n" % ("b" * 9000))
    assert peer.communicate(timeout=DEADLINE_S)[0] == "[(1, 30, 'line'), (2, 9031, 'line'), (3, 30, 'line')]\n"


# ---- other users ----

# mode, uid -> exit codes of reading (sub) and of writing (pub). 6: permission; 4: nobody came in time; 3: nobody reads.
@pytest.mark.parametrize("mode, uid, sub, pub", [
    ("0600", MEMBER, 6, 6),
    ("0600", STRANGER, 6, 6),
    ("0640", MEMBER, 4, 6),
    ("0640", STRANGER, 6, 6),
    ("0660", MEMBER, 4, 4),
    ("0644", STRANGER, 4, 6),
    ("0666", STRANGER, 4, 4),
    ("0622", STRANGER, 6, 3),
])
def test_who_may_do_what(weir, others, pipe, mode, uid, sub, pub):  # noqa: F811
    address = "fifo://" + pipe
    made = weir.start("sub", "%s?mode=%s&group=%d" % (address, mode, GROUP), "--timeout", "10ms")
    made.communicate(timeout=DEADLINE_S)
    assert others.command(uid, "sub", address, "--timeout", "10ms") == sub
    assert others.command(uid, "pub", address + "?timeout=50ms", "1") == pub


def test_a_reader_of_another_user(weir, others, pipe):  # noqa: F811
    """Who may only read does, again and again, and the writer goes on."""
    address = "fifo://" + pipe
    writer = weir.start("pub", "%s?mode=0640&group=%d" % (address, GROUP), "7", "--rate", "200")
    weir.until_end("writer", writer)
    for _ in range(3):
        done = others.run(MEMBER, [COMMAND, "sub", address, "-n", "5"])
        assert done.returncode == 0, done.stderr
        assert [json.loads(line)["data"] for line in done.stdout.splitlines()] == [7] * 5
    assert writer.poll() is None


def test_a_writer_of_another_user_who_may_only_write(weir, others, pipe):  # noqa: F811
    address = "fifo://" + pipe
    reader = weir.start("sub", address + "?mode=0622", "-n", "2")
    weir.until_end("reader", reader)
    assert others.command(STRANGER, "pub", address, '"from outside"') == 0
    assert others.run(STRANGER, ["/bin/sh", "-c", "echo '\"by hand\"' > %s" % pipe]).returncode == 0
    assert [m["data"] for m in lines(weir, reader, 2)] == ["from outside", "by hand"]


def test_a_call_of_another_user(weir, others, pipe):  # noqa: F811
    address = "fifo://" + pipe
    server = weir.start("serve", address + "?mode=0622", "--op", "double", "--command", 'jq ".*2"')
    weir.until_end("server", server)
    done = others.run(STRANGER, [COMMAND, "call", address, "double", "21"])
    assert done.returncode == 6 and "the replies come through a pipe beside it" in done.stderr  # it may not make a pipe in that directory
    os.chmod(weir.folder, 0o777)
    done = others.run(STRANGER, [COMMAND, "call", address, "double", "21"])
    assert (done.returncode, done.stdout) == (0, "42\n"), done.stderr


def test_a_pipe_that_somebody_planted_is_refused(weir, others, pipe):  # noqa: F811
    os.chmod(weir.folder, 0o1777)
    assert others.run(STRANGER, ["mkfifo", "-m", "666", pipe]).returncode == 0
    assert os.stat(pipe).st_uid == STRANGER
    done = others.run(MEMBER, [COMMAND, "pub", "fifo://" + pipe, "1"])
    assert done.returncode == 6 and "directory" in done.stderr
    assert others.command(MEMBER, "sub", "fifo://" + pipe, "-n", "1") == 6


def test_other_users_are_told_who_holds_it(weir, others, pipe):  # noqa: F811
    address = "fifo://" + pipe
    reader = weir.start("sub", address + "?mode=0644")
    weir.until_end("reader", reader)
    done = others.run(STRANGER, [COMMAND, "sub", address])
    assert done.returncode == 1 and "pid %d" % reader.pid in done.stderr and "root" in done.stderr
