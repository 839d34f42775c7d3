"""What a person sees: tables, colour and shortened values on a terminal only, and nothing that commands it."""
import os
import pty
import re
import subprocess

from conftest import COMMAND


def shown(weir, *arguments, code=0, **environment):
    """Run with a terminal as stdout; gives what it shows."""
    master, slave = pty.openpty()
    process = subprocess.Popen([COMMAND, *arguments], stdin=subprocess.DEVNULL, stdout=slave, stderr=subprocess.PIPE,
                               env={**weir.environment, "TERM": "xterm", **environment})
    os.close(slave)
    pieces = []
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # Linux says EIO when the last user of the slave has closed it
            break
        if not piece:
            break
        pieces.append(piece)
    os.close(master)
    process.communicate(timeout=60)
    assert process.returncode == code
    return b"".join(pieces).decode()


def test_progress_on_a_terminal(weir, tmp_path):
    """A large file's progress is shown where stderr is a terminal, and wiped out."""
    big = tmp_path / "big.jsonl"
    big.write_bytes(b'{"text":"%s"}\n' % (b"x" * 1000) * 9000)
    arguments = [COMMAND, "convert", "--from", "json", "--to", "smile", "--sequence", str(big), str(tmp_path / "out")]
    master, slave = pty.openpty()
    assert subprocess.run(arguments, stderr=slave, stdout=subprocess.PIPE, timeout=60).stdout == b""
    os.close(slave)
    said = os.read(master, 65536).decode()
    os.close(master)
    assert re.match(r"\rweir: +0% of 8.7M ", said), said
    assert said.endswith(" \r") and "\n" not in said
    assert subprocess.run(arguments, capture_output=True, timeout=60).stderr == b""


def test_json_of_strangers_commands_no_terminal(weir):
    """JSON lets U+009B stand, which many terminals take for the beginning of a command."""
    weir.run("pub", "lab/a", '"a\u009b2Jb\u007f"', "--op", "x\u009b")
    assert shown(weir, "get", "lab/a") == '"a\\u009b2Jb\\u007f"\r\n'
    for form in ("--json", "--pretty"):
        assert "\u009b" not in line_of(weir, form)
    assert weir.out("get", "lab/a") == '"a\u009b2Jb\u007f"\n'


def line_of(weir, *options, **environment):
    return shown(weir, "sub", "lab/a", "--from", "last", "-n", "1", *options, **environment)


def test_errors_command_no_terminal(weir):
    """A sentence may quote a key; what could command a terminal is two bytes in UTF-8."""
    key = r'"é\u001b[2J\u009b31m"'
    text = ("{%s:1,%s:2}" % (key, key)).encode()
    said = weir.error(5, "convert", "--from", "json", "--to", "json", "--strict", stdin=text)
    assert '"é?[2J??31m" again' in said, said
    long = b'{"a%s":1,"a%s":2}' % ("é".encode() * 60, "é".encode() * 60)
    said = weir.error(5, "convert", "--from", "json", "--to", "json", "--strict", stdin=long)
    assert '"a%s" again' % ("é" * 39) in said, said


def test_convert_shows_only_json_on_a_terminal(weir, tmp_path):
    path = tmp_path / "x.json"
    path.write_text('["\u009b2J\u007f\\u001b"]')
    convert = ["convert", "--from", "json", "--to"]
    assert shown(weir, *convert, "json", str(path)) == '["\\u009b2J\\u007f\\u001b"]\r\n'
    assert shown(weir, *convert, "pretty", str(path), "-") == '[\r\n  "\\u009b2J\\u007f\\u001b"\r\n]\r\n'
    for codec in ("cbor", "smile", "bson", "raw"):
        assert shown(weir, *convert, codec, str(path), code=2) == ""
    assert shown(weir, *convert, "cbor", str(path), str(tmp_path / "x.cbor")) == ""
    assert (tmp_path / "x.cbor").read_bytes().startswith(b"\x81")


def test_readable_line(weir):
    weir.run("pub", "lab/a", '{"temp":21.5,"name":"t1","list":[1,2,3]}', "--op", "reading")
    line = line_of(weir, NO_COLOR="1")
    assert re.fullmatch(r' +1 +\S+ reading \{temp: 21.5, name: "t1", list: \[1, 2, 3\]\}\r\n', line), line


def test_colour_unless_forbidden(weir):
    weir.run("pub", "lab/a", "1")
    assert "\033[" in line_of(weir)
    assert "\033[" not in line_of(weir, NO_COLOR="1")
    assert "\033[" not in line_of(weir, TERM="dumb")


def test_long_arrays_are_shortened(weir):
    numbers = ",".join(str(n) for n in range(1024))
    weir.run("pub", "lab/a", "[%s]" % numbers)
    assert "… 1016 more]" in line_of(weir, NO_COLOR="1")
    weir.run("pub", "lab/a", "[%s]" % numbers, "--type", "f64[4,256]")
    assert "f64[4,256] 0/511.5/1023" in line_of(weir, NO_COLOR="1")
    weir.run("pub", "lab/a", "[1,2,4]", "--type", "i16[3]")
    assert "i16[3] 1 2 4" in line_of(weir, NO_COLOR="1")


def test_text_cannot_command_the_terminal(weir):
    weir.run("pub", "lab/a", r'{"k\u001b[2J":"\u001b]0;owned\u0007\u009b31m\u007f"}', "--op", "a\033[31mb")
    line = line_of(weir, NO_COLOR="1")
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", line)
    assert "\\u001b[2J" in line and "a\\u001b[31mb" in line


def test_json_also_on_a_terminal(weir):
    weir.run("pub", "lab/a", "1")
    assert line_of(weir, "--json").startswith('{"v":1,')


def test_ls_is_a_table(weir):
    assert shown(weir, "ls") == ""
    weir.run("pub", "lab/a", "1", "-n", "3")
    lines = shown(weir, "ls", NO_COLOR="1").splitlines()
    assert lines[0].split() == ["STATE", "MESSAGES", "LAST", "SIZE", "ENDS", "ADDRESS"]
    fields = lines[1].split()
    assert fields[:2] == ["idle", "3"] and fields[-3:] == ["0w", "0r", "shm://lab/a"]


def test_dump_and_guess_have_colour_on_a_terminal_only(weir, tmp_path):
    path = tmp_path / "x.cbor"
    path.write_bytes(b"\xa1\x61a\x01")
    for arguments in (["dump", str(path)], ["guess", "a1", "61", "61", "01"]):
        assert "\033[" in shown(weir, *arguments)
        assert "\033" not in shown(weir, *arguments, NO_COLOR="1")
        assert "\033" not in weir.out(*arguments)
