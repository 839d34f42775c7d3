"""Help, version, and what the command says to things that cannot be: what, who, and the way out."""
import os
import re
import subprocess

import pytest

from conftest import COMMAND

SOURCE = os.environ["WEIR_SOURCE"]
VERBS = ["pub", "sub", "get", "call", "serve", "ls", "info", "gc", "convert", "dump", "guess", "exec", "record",
         "play", "demo"]


def test_version(weir):
    with open(os.path.join(SOURCE, "include", "weir", "base.h")) as file:
        version = ".".join(re.findall(r"#define WEIR_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", file.read()))
    assert weir.out("--version") == "weir %s\n" % version


def test_help_lists_every_command(weir):
    text = weir.out("help")
    assert weir.out("--help") == text
    for verb in VERBS:
        assert re.search(r"^  %s +\w" % verb, text, re.M), verb


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_command(weir, verb):
    text = weir.out("help", verb)
    assert weir.out(verb, "--help") == text
    assert "usage: weir %s" % verb in text and "examples:" in text


@pytest.mark.parametrize("verb", VERBS)
def test_man_page_names_every_option(weir, verb):
    options = re.findall(r"^  (--?[\w-]+) ", weir.out("help", verb), re.M)
    with open(os.path.join(SOURCE, "docs", "man", "weir-%s.1" % verb)) as file:
        page = file.read()
    documented = set(re.findall(r"^\.It Fl (\S+)", page, re.M))
    assert {option[1:] for option in options} == documented
    assert page.index(".Sh EXAMPLES") < page.index(".Sh DESCRIPTION")


def test_man_page_names_every_address_option(weir):
    """An unknown option is refused with the list of those that a transport has; unknown transports likewise."""
    schemes = re.findall(r"(\w+)://", weir.run("get", "nothing://x", code=2).stderr.decode().split("there are:")[1])
    options = set()
    for scheme in schemes:
        place = {"shm": "lab/a"}.get(scheme, "/tmp/a")
        said = weir.run("get", f"{scheme}://{place}?nothing=1", code=2).stderr.decode()
        options |= set(said.split("it has:")[1].split())
    with open(os.path.join(SOURCE, "docs", "man", "weir-address.7")) as file:
        page = file.read()
    assert options == set(re.findall(r"\bCm (\w+) Ns = ", page))
    assert set(schemes) <= set(re.findall(r"^\.It Li (\w+)://", page, re.M))


@pytest.mark.parametrize("verb", sorted(set(VERBS) - {"convert", "dump", "guess", "demo"}))
def test_man_pages_lead_to_the_addresses(weir, verb):
    with open(os.path.join(SOURCE, "docs", "man", "weir-%s.1" % verb)) as file:
        assert ".Xr weir-address 7" in file.read().split(".Sh SEE ALSO")[1]


def test_no_command(weir):
    done = weir.run(code=2)
    assert done.stdout == b"" and b"usage: weir COMMAND" in done.stderr


def test_unknown_command(weir):
    said = weir.error(2, "publish")
    assert '"publish"' in said and " pub " in said
    weir.error(2, "help", "publish")


@pytest.mark.parametrize("arguments, words", [
    (["pub", "lab/a", "1", "--opp", "x"], ["--opp", "--op", "--meta"]),
    (["pub", "lab/a", "1", "-x"], ["-x"]),
    (["pub"], ["usage: weir pub ADDR"]),
    (["pub", "lab/a", "1", "2"], ['"2"', "usage: weir pub"]),
    (["pub", "lab/a", "1", "--op"], ["--op", "needs a value"]),
    (["pub", "lab/a", "1", "-n", "many"], ["-n many"]),
    (["pub", "lab/a", "1", "-n", "0"], ["-n 0"]),
    (["demo", "--port", "65536"], ["--port 65536"]),
    (["pub", "lab/a", "1", "--rate", "0"], ["--rate 0"]),
    (["pub", "lab/a", "1", "--json=yes"], ["--json"]),
    (["pub", "lab/a", "--stdin", "xml"], ["lines, json and raw"]),
    (["pub", "lab/a", "1", "--stdin", "json"], ["exclude each other"]),
    (["pub", "lab/a", "--type", "f64"], ["--type"]),
    (["sub", "lab/a", "--timeout", "soon"], ["--timeout soon", "1.5s"]),
    (["sub", "lab/a", "--json", "--raw"], ["exclude each other"]),
    (["serve", "lab/a", "--op", "x"], ["--command"]),
    (["call", "lab/a"], ["usage: weir call ADDR OP"]),
    (["ls", "lab/a"], ["one argument too many"]),
])
def test_usage_errors(weir, arguments, words):
    said = weir.error(2, *arguments)
    for word in words:
        assert word in said


@pytest.mark.parametrize("address, words", [
    ("ftp://lab/a", ["ftp", "shm://", "unix://"]),
    ("lab/a?colour=red", ["colour", "capacity"]),
    ("lab/a?capacity=much", ["capacity=much"]),
    ("lab/a?full", ["full", "option=value"]),
    ("lab/../a", [".."]),
    ("../a", [".."]),
    ("", ["address"]),
    ("unix://relative.sock", ["relative.sock"]),
])
@pytest.mark.parametrize("verb", ["pub", "sub", "get", "call", "serve", "info"])
def test_addresses_that_cannot_be(weir, verb, address, words):
    rest = {"pub": ["1"], "call": ["op"], "serve": ["--op", "x", "--command", "true"]}.get(verb, [])
    said = weir.error(2, verb, address, *rest)
    for word in words:
        assert word in said


@pytest.mark.parametrize("data", ["hello", "{", "[1,]", "01", "'a'", "", "1 2", "nul"])
def test_data_that_is_no_json(weir, data):
    said = weir.error(5, "pub", "lab/a", data)
    assert "DATA is no JSON" in said and "'\"hello\"'" in said and "--stdin lines" in said


def test_meta_that_is_no_object(weir):
    assert "--meta" in weir.error(5, "pub", "lab/a", "1", "--meta", "[1]")
    said = weir.error(5, "pub", "lab/a", "1", "--meta", "unit")
    assert "--meta is no JSON" in said and '{"unit":"V"}' in said


def test_unknown_codec(weir):
    assert "codec" in weir.error(2, "pub", "lab/a", "1", "--codec", "xml")


def test_channel_that_must_be_there(weir):
    weir.error(3, "sub", "lab/a?create=0", "--timeout", "1s")


def test_control_characters_in_arguments_do_not_reach_the_terminal(weir):
    said = weir.error(2, "pub", "lab/a", "1", "--\033[31mred")
    assert "\033" not in said


def test_full_store(weir):
    """A store without room refuses a channel, says so, and leaves nothing behind."""
    script = ('mount -t tmpfs -o size=16k none "$WEIR_SHM_DIR" || exit 99\n'
              '"$0" pub lab/a "1"; code=$?; find "$WEIR_SHM_DIR" -type f -size +0 >&2; exit $code')
    unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    done = subprocess.run(unshare + ["sh", "-c", script, COMMAND], capture_output=True, text=True, env=weir.environment)
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip("cannot mount a small file system here: " + done.stderr.strip())
    assert done.returncode == 1, done.stderr
    said = done.stderr.splitlines()
    assert len(said) == 1 and said[0].startswith("weir: ") and "lab/a" in said[0], said


@pytest.mark.parametrize("words", ["sub lab/a -n 1 --timeout 5s", "sub 'lab/a?observe=1' -n 1 --timeout 5s",
                                   "record -o \"$WEIR_SHM_DIR/../a.weir\" lab/a -n 1"])
def test_a_reader_of_a_full_store(weir, words):
    """It is told why no place can be had, and the way out, as a writer is."""
    script = ('mkdir "$WEIR_SHM_DIR/store"; mount -t tmpfs -o size=2m none "$WEIR_SHM_DIR/store" || exit 99\n'
              'export WEIR_SHM_DIR="$WEIR_SHM_DIR/store"; "$0" pub "lab/a?capacity=64K" 1 || exit 98\n'
              'head -c 4M /dev/zero > "$WEIR_SHM_DIR/full" 2> /dev/null\nexec "$0" ' + words)
    unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    done = subprocess.run(unshare + ["sh", "-c", script, COMMAND], capture_output=True, text=True, env=weir.environment)
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip("cannot mount a small file system here: " + done.stderr.strip())
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
    assert re.search(r"shm://lab/a needs \d+ bytes and the store has 0 left; free some \(weir gc, weir ls\)", done.stderr)
    assert "set WEIR_SHM_DIR" in done.stderr


def test_store_that_cannot_be(weir):
    weir.environment["WEIR_SHM_DIR"] = os.path.join(weir.folder, "missing")
    for arguments in (["pub", "lab/a", "1"], ["sub", "lab/a"], ["get", "lab/a"], ["info", "lab/a"], ["ls"], ["gc"]):
        said = weir.error(2, *arguments)
        assert "missing" in said and "WEIR_SHM_DIR" in said
    weir.environment["WEIR_SHM_DIR"] = "/etc/passwd"
    assert weir.error(2, "pub", "lab/a", "1") == (
        "weir: /etc/passwd is not a directory; set WEIR_SHM_DIR to a directory of your own\n")
    weir.environment["WEIR_SHM_DIR"] = "/etc/passwd/x"
    assert "there is no directory /etc/passwd/x; make it" in weir.error(2, "pub", "lab/a", "1")
    weir.environment["WEIR_SHM_DIR"] = "here"
    for arguments in (["pub", "lab/a", "1"], ["get", "lab/a"], ["ls"]):
        assert '"here"' in weir.error(2, *arguments)


@pytest.mark.parametrize("arguments, name", [
    (["pub"], "ADDR"), (["sub"], "ADDR"), (["get"], "ADDR"), (["call"], "ADDR"), (["call", "lab/a"], "OP"),
    (["serve"], "ADDR"), (["info"], "ADDR"), (["guess"], "HEX"), (["exec"], "PROGRAM"), (["record"], "ADDR"),
    (["play"], "LOG")])
def test_what_is_missing_is_named(weir, arguments, name):
    assert weir.error(2, *arguments).startswith("weir: %s: %s is missing; usage: weir %s " % (
        arguments[0], name, arguments[0]))


def test_an_empty_address(weir):
    assert weir.error(2, "pub", "", "1") == (
        "weir: the address is empty; write a name such as lab/imu, or SCHEME://NAME\n")


def test_what_is_not_there_is_said_once(weir):
    """Without the system's words for it behind the sentence."""
    for arguments in (["get", "file://%s/a.weir"], ["info", "file://%s/a.weir"], ["info", "unix://%s/a.sock"],
                      ["get", "fifo://%s/a.fifo"], ["info", "fifo://%s/a.fifo"], ["pub", "file://%s/no/a.weir", "1"],
                      ["pub", "unix://%s/no/a.sock", "1"], ["sub", "fifo://%s/no/a.fifo"],
                      ["sub", "file://%s/no/a.weir"]):
        said = weir.error(3, *[a % weir.folder if "%s" in a else a for a in arguments])
        assert "No such file" not in said and "; " in said, said


def test_a_program_is_not_fed_with_what_it_says(weir):
    for pair in (["lab/a", "lab/a"], ["lab/a", "shm://lab/a"], ["lab/a?from=last", "lab/a?capacity=1M"]):
        said = weir.error(2, "exec", "-i", pair[0], "-o", pair[1], "--", "cat")
        assert said.startswith("weir: exec: -i and -o are one channel, %s: " % pair[1])


def test_conversions_name_their_input(weir):
    path = weir.folder + "/a.json"
    with open(path, "w", encoding="utf-8") as file:
        file.write("nothing")
    assert weir.error(5, "convert", "--from", "json", "--to", "cbor", path).startswith("weir: %s: json: " % path)
    assert weir.error(5, "convert", "--from", "json", "--to", "json").startswith("weir: standard input: json: ")


def test_data_that_does_not_fit_its_type(weir):
    said = weir.error(5, "pub", "lab/a", "[1,2]", "--type", "f64[3]")
    assert said.startswith("weir: DATA does not fit --type f64[3]: ")


def test_play_wants_a_recording(weir):
    assert weir.error(2, "play", "a.txt") == (
        "weir: play: a.txt: a recording is a binary log, and its name ends in .weir\n")
