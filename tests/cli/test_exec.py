"""weir exec: programs that know nothing of weir as nodes between channels."""
import json
import os
import signal
import sys

import pytest

from conftest import COMMAND, until


def data_of(weir, address, count):
    """The data of so many messages, from the oldest on."""
    lines = weir.out("sub", address, "--from", "oldest", "-n", str(count), "--timeout", "10s").splitlines()
    return [json.loads(line).get("data") for line in lines]


def through(weir, feed, take, values, *program, codec="cbor", options=()):
    """Send values through a program; its messages' data."""
    node = weir.start("exec", "-i", "lab/in?from=oldest", "-o", "lab/out", "--in", feed, "--out", take, "-n",
                      str(len(values)), *options, "--", *program)
    for value in values:
        weir.run("pub", "lab/in", json.dumps(value), "--codec", codec)
    _, said = weir.finish(node)
    return said


def test_lines(weir):
    assert through(weir, "lines", "lines", ["a b", 7, {"x": [1]}], "sed", "s/^/> /") == ""
    assert data_of(weir, "lab/out", 3) == ["> a b", "> 7", '> {"x":[1]}']


def test_json(weir):
    assert through(weir, "json", "json", ["a", [1, 2.5], {"x": None}], "cat") == ""
    assert data_of(weir, "lab/out", 3) == ["a", [1, 2.5], {"x": None}]


CSV = [[1, 2.5, "a"], ["1", "", 'say "x", y', None], 7, "text", [[1, 2], [3, 4]], {"t": 1, "u": "b"}]


def test_csv(weir):
    assert through(weir, "csv", "csv", CSV, "cat") == ""
    assert data_of(weir, "lab/out", 7) == [[1, 2.5, "a"], ["1", "", 'say "x", y', None], [7], ["text"], [1, 2], [3, 4],
                                           [1, "b"]]


def test_csv_of_arrays_of_numbers(weir):
    node = weir.start("exec", "-i", "lab/in", "-o", "lab/out", "--in", "csv", "--out", "json", "-n", "1", "--", "awk",
                      "-F,", "{print ($1+$2+$3)/3}")
    weir.until_end("reader", node)
    weir.run("pub", "lab/in", "[1,2,6]", "--type", "f64[3]")
    weir.finish(node)
    assert data_of(weir, "lab/out", 1) == [3]


def test_raw(weir):
    node = weir.start("exec", "-i", "lab/in", "-o", "lab/out", "--in", "raw", "--out", "raw", "--type", "u16[2]",
                      "-n", "2",
                      "--op", "pair", "--", "cat")
    weir.until_end("reader", node)
    weir.run("pub", "lab/in", "[1,2,3,4]", "--type", "u16[4]", "-n", "2")
    weir.finish(node)
    lines = [json.loads(line) for line in weir.out("sub", "lab/out", "--from", "oldest", "-n", "4").splitlines()]
    assert [(line["op"], line["data"]) for line in lines] == [("pair", [1, 2]), ("pair", [3, 4])] * 2


def test_what_is_not_its_form_is_told_and_passed_over(weir):
    said = through(weir, "lines", "json", ["1", "{no", "3"], "cat")
    assert "line 2 of cat is no json and was passed over" in said and said.count("\n") == 1
    assert data_of(weir, "lab/out", 2) == [1, 3]
    node = weir.start("exec", "-o", "lab/half", "--out", "raw", "--type", "u16", "--", "printf", "abc")
    assert "1 of 2 bytes" in weir.finish(node, 5)[1]


def test_a_last_line_without_an_end_and_bytes(weir):
    weir.run("exec", "-o", "lab/out", "--", "printf", r"one\ntwo\377")
    assert data_of(weir, "lab/out", 2) == ["one", "dHdv/w=="]  # bytes, which JSON shows in base64


def test_one_side_alone(weir):
    weir.run("pub", "lab/in", '"hello"')
    assert weir.out("exec", "-i", "lab/in", "--from", "last", "-n", "1", "--", "cat") == "hello\n"
    weir.run("exec", "-o", "lab/out", "--", "cat", stdin="a\nb\n")
    assert data_of(weir, "lab/out", 2) == ["a", "b"]


def test_exit_codes(weir):
    assert weir.run("exec", "-o", "lab/out", "--", "sh", "-c", "exit 3", code=3).stderr == b""
    assert "no-such-program" in weir.error(127, "exec", "-o", "lab/out", "--", "no-such-program")
    assert "-i ADDR" in weir.error(2, "exec", "--", "cat")
    assert "--type" in weir.error(2, "exec", "-o", "lab/out", "--out", "raw", "--", "cat")
    assert "csv" in weir.error(2, "exec", "-o", "lab/out", "--out", "xml", "--", "cat")


def test_silence_ends_the_input(weir):
    weir.run("exec", "-i", "lab/in", "-o", "lab/out", "--timeout", "100ms", "--", "cat")


def test_back_pressure(weir):
    """A program that does not read holds writers up; nothing is lost when it reads again."""
    program = "import sys, time; time.sleep(1); sys.stdout.writelines(sys.stdin)"
    node = weir.start("exec", "-i", "lab/in?capacity=64K", "-o", "lab/out?capacity=64M", "-n", "5000", "--", sys.executable, "-c",
                      program)
    weir.until_end("reader", node)
    weir.run("pub", "lab/in?capacity=64K", '"%s"' % ("x" * 200), "-n", "5000")
    weir.finish(node)
    assert data_of(weir, "lab/out", 5000) == ["x" * 200] * 5000


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_program_ends_with_us(weir, number):
    node = weir.start("exec", "-i", "lab/in", "-o", "lab/out", "--", "sh", "-c", "echo $$; sleep 100; true")
    pid = int(data_of(weir, "lab/out", 1)[0])
    node.send_signal(number)
    assert node.wait(timeout=60) == (-number if number == signal.SIGKILL else 128 + number)

    def is_gone():
        try:
            with open("/proc/%d/stat" % pid) as file:
                return file.read().rsplit(")", 1)[1].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True
    until(is_gone, "end of the program")
