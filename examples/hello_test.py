"""The hello examples, every language's with every other's: what stands in the READMEs runs, and runs together."""
import contextlib
import itertools
import os
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request

import pytest

SOURCE = os.environ["WEIR_SOURCE"]
BUILD = os.environ["WEIR_BUILD"]
LIMIT = 30
PHP = ["-n", "-d", "extension=" + os.path.join(BUILD, "php", "weir.so")]


def compiled(language):
    return lambda part: [os.path.join(BUILD, "examples", language, "hello", part)]


def php(part):
    return [shutil.which("php") or "php", *PHP, os.path.join(SOURCE, "examples", "php", "hello", part + ".php")]


def python(part):
    """The interpreter that the binding was built for; it finds the package in the build tree (environment)."""
    interpreter = os.environ.get("WEIR_PYTHON") or "/usr/bin/python3"
    return [interpreter, os.path.join(SOURCE, "examples", "python", "hello", part + ".py")]


COMMANDS = {"c": compiled("c"), "cpp": compiled("cpp"), "fortran": compiled("fortran"), "php": php, "python": python}
PACKAGE = os.path.join(BUILD, "bindings", "python")


def command(language, part):
    """The command line of a part of hello, or a skip that says what is missing."""
    words = COMMANDS[language](part)
    built = {"php": PHP[-1].removeprefix("extension="), "python": os.path.join(PACKAGE, "weir")}
    needed = built.get(language, words[0])
    if not os.path.exists(needed):
        pytest.skip(needed + " is not built")
    return words


@pytest.fixture
def environment(tmp_path):
    return {**os.environ, "WEIR_SHM_DIR": str(tmp_path), "PYTHONPATH": PACKAGE}


@contextlib.contextmanager
def started(words, environment):
    process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=LIMIT)


def ended(words, environment):
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=LIMIT)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("writer,reader", list(itertools.product(COMMANDS, repeat=2)))
def test_a_spectrum_is_written_and_read(writer, reader, environment):
    with started(command(reader, "read"), environment) as reading, started(command(writer, "write"), environment):
        lines = [reading.stdout.readline() for _ in range(3)]
    words = [line.split() for line in lines]
    first = int(words[0][0])
    for expected, (seq, kind, top) in enumerate(words, first):
        assert (int(seq), kind) == (expected, "f64[4,256]")
        assert abs(float(top) - (expected - 1)) <= 0.001 * expected, "message n has n - 1 times a sine"


def read_by(reading):
    """Three spectra as the program that reads them prints them: (seq, type, greatest number)."""
    words = [reading.stdout.readline().split() for _ in range(3)]
    return [(int(seq), kind, float(top)) for seq, kind, top in words]


@pytest.mark.parametrize("writer,reader", [(("python", "reserve"), ("python", "lend")),
                                           (("fortran", "reserve"), ("fortran", "view"))])
def test_a_spectrum_without_a_copy(writer, reader, environment):
    with started(command(*reader), environment) as reading, started(command(*writer), environment):
        for seq, kind, top in read_by(reading):
            assert kind == "f64[4,256]" and abs(top - (seq - 1)) <= 0.001 * seq


@pytest.mark.parametrize("language", ["fortran", "python"])
def test_the_latest_spectrum_and_its_age(language, environment):
    status, out, errors = ended(command(language, "latest"), environment)
    assert (status, out) == (1, "") and "no such channel" in errors
    with started(command("c", "write"), environment) as writer:
        with started(command("c", "read"), environment) as reading:
            read_by(reading)
        status, out, errors = ended(command(language, "latest"), environment)
        assert (status, errors) == (0, "") and re.fullmatch(r"\d*\.\d{3} s ago: +\d+\.\d+\n", out)
        writer.kill()
        status = 0
        deadline = time.monotonic() + LIMIT
        while status == 0 and time.monotonic() < deadline:
            status, out, errors = ended(command(language, "latest"), environment)
    assert (status, out) == (1, "") and "old" in errors


@pytest.mark.parametrize("language", ["fortran", "python"])
def test_an_event_loop_follows_and_answers(language, environment):
    with started(command(language, "loop"), environment) as loop:
        with started(command("c", "write"), environment):
            for _ in range(2):
                assert loop.stdout.readline().endswith(" f64[4,256]\n")
            assert ended(command("cpp", "call") + ["double", "4"], environment) == (0, "8\n", "")
            assert loop.stdout.readline().endswith(" f64[4,256]\n")


@pytest.mark.parametrize("server,client", list(itertools.product(("cpp", "fortran", "php", "python"), repeat=2)))
def test_the_calculator_answers(server, client, environment):
    with started(command(server, "serve"), environment):
        status, out, errors = ended(command(client, "call") + ["double", "20.5"], environment)
        assert (status, float(out), errors) == (0, 41, "")
        refused = ended(command(client, "call") + ["halve"], environment)
        assert refused == (1, "", "error 42: no operation halve here\n")


def page(url):
    try:
        with urllib.request.urlopen(url, timeout=LIMIT) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


def test_the_page_shows_the_latest_and_says_when_there_is_none(environment):
    words = command("php", "page")
    with started([*words[:-1], "-S", "127.0.0.1:0", words[-1]], environment) as web:
        line = web.stderr.readline()
        url = re.search(r"http://127\.0\.0\.1:[1-9]\d*", line)
        assert url, line
        status, body = page(url[0])
        assert status == 503 and b"no such channel" in body
        with started(command("php", "write"), environment):
            with started(command("php", "read"), environment) as reading:
                reading.stdout.readline()
            status, body = page(url[0])
        assert status == 200 and body.startswith(b'{"v":1,"seq":') and b'"op":"spectrum"' in body


def test_the_latest_in_php_without_the_extension(environment):
    words = [command("php", "pure")[0], "-n", os.path.join(SOURCE, "examples", "php", "hello", "pure.php")]
    with started(words, environment) as none:
        assert "no such channel" in none.communicate(timeout=LIMIT)[1] and none.returncode == 1
    with started(command("php", "write"), environment):
        with started(command("php", "read"), environment) as reading:
            reading.stdout.readline()
        with started(words, environment) as shown:
            text, _ = shown.communicate(timeout=LIMIT)
    assert re.fullmatch(r"spectrum, \d+\.\d{3} s ago, 1024 numbers\n", text), text
