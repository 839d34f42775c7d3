"""The share examples: two Python programs, a Fortran program and a PHP page have one array of 8 MB, without a copy."""
import json
import os
import re
import threading

from hello_test import LIMIT, command, environment, page, started  # noqa: F401

ROWS = 1000  # of 1000 float64: 8 MB
MESSAGES = 50
MEGABYTE = 1 << 20


def share(language, part):
    """A part of share; hello's test knows what each language needs."""
    hello = {"python": "read", "fortran": "read", "php": "page"}[language]
    *words, program = command(language, hello)
    return [*words, program.replace("/hello/", "/share/").replace(hello, part)]


def status_of(process, name, file="status"):
    with open("/proc/%d/%s" % (process.pid, file)) as text:
        return int(re.search(r"^%s:\s+(\d+)" % name, text.read(), re.M)[1])


def figures(process):
    """Private memory, and bytes that went through system calls since the program began."""
    io = sum(status_of(process, name, "io") for name in ("rchar", "wchar"))
    return status_of(process, "RssAnon") * 1024, io


def line_of(process):
    """The next line that it prints; one that prints nothing for long is ended, and tells why."""
    guard = threading.Timer(LIMIT, process.kill)
    guard.start()
    line = process.stdout.readline()
    guard.cancel()
    assert line, process.communicate()[1]
    return line


def follow(process, check):
    """Read a watcher's lines until it has told of so many images; check(seq, number) holds for each."""
    for _ in range(MESSAGES):
        seq, number = line_of(process).split()
        assert check(int(seq), float(number)), (seq, number)
    return int(seq)


def run_all(environment, rows):
    """All four, for so many images. Gives the figures of each program, and how many images were sent."""
    web_words = share("php", "page")
    with started(share("python", "watch"), environment) as watch, started(share("fortran", "total"), environment) as total, \
            started([*web_words[:-1], "-S", "127.0.0.1:0", web_words[-1]], environment) as web:
        url = re.search(r"http://127\.0\.0\.1:[1-9]\d*", web.stderr.readline())[0]
        with started([*share("python", "write"), str(rows)], environment) as write:
            middle = rows // 2
            follow(watch, lambda seq, mean: mean == middle * 1000 + 499.5 + seq - 1)
            sent = follow(total, lambda seq, most: most == rows * 1000 - 1 + seq - 1)
            for _ in range(5):
                code, body = page(url)
                shown = json.loads(body)
                assert code == 200 and shown["middle"] == middle * 1000 + 500 + shown["seq"] - 1, body
                assert 0 <= shown["age"] < LIMIT
            return {name: figures(process)
                    for name, process in (("write", write), ("watch", watch), ("total", total), ("page", web))}, sent


def test_one_array_in_four_programs(environment, tmp_path):  # noqa: F811
    """Each program's own memory is the same for images of 8 kB and of 8 MB: they are read where they lie. The writer has its ramp."""
    small, _ = run_all(environment, 1)
    elsewhere = {**environment, "WEIR_SHM_DIR": str(tmp_path / "large")}
    (tmp_path / "large").mkdir()
    large, sent = run_all(elsewhere, ROWS)
    assert sent >= MESSAGES
    for program, (memory, transferred) in large.items():
        own = 8 * MEGABYTE if program == "write" else 0
        assert memory - small[program][0] - own < 4 * MEGABYTE, (program, memory, small)
        assert transferred < 8 * MEGABYTE, (program, transferred, "the %d images have %d MB" % (sent, 8 * sent))
