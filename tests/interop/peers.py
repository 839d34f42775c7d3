"""Where each language's peer is, and what a transport's addresses look like. A new language or transport is one line
here.

A peer whose binding was not built is left out with its reason, which the runner prints: a language is never dropped
silently.
"""

import hashlib
import os
import pathlib
import subprocess
import zlib

SOURCE = pathlib.Path(os.environ.get("WEIR_SOURCE", pathlib.Path(__file__).resolve().parent.parent.parent))
BUILD = pathlib.Path(os.environ.get("WEIR_BUILD", SOURCE / "build"))
PYTHON = os.environ.get("WEIR_PYTHON") or "/usr/bin/python3"
PHP = os.environ.get("WEIR_PHP") or "php"

# What starts a peer, what must be there for it, and what it needs in its environment.
PEERS = {
    "c": ([BUILD / "tests/interop/peer"], {}),
    "cpp": ([BUILD / "bindings/cpp/peer"], {}),
    "fortran": ([BUILD / "bindings/fortran/peer"], {}),
    "python": ([PYTHON, BUILD / "bindings/python/peer.py"], {"PYTHONPATH": str(BUILD / "bindings/python")}),
    "php": ([PHP, "-n", "-d", f"extension={BUILD / 'php/weir.so'}", SOURCE / "bindings/php/peer.php"], {}),
}
NEEDS = {"php": BUILD / "php/weir.so"}


def port_of(folder):
    """HOST:PORT for a scratch folder. All of 127.0.0.0/8 is loopback, so no two folders meet."""
    digest = hashlib.sha256(str(folder).encode()).digest()
    port = 10000 + int.from_bytes(digest[3:5], "big") % 20000
    return f"127.{1 + digest[0] % 250}.{digest[1]}.{1 + digest[2] % 250}:{port}"


# An address in a scratch folder, for options to be appended to.
TRANSPORTS = {
    "shm": lambda folder: "shm://interop/channel",
    "sysv": lambda folder: f"sysv://0x{zlib.crc32(folder.encode()) or 1:x}",
    "unix": lambda folder: f"unix://{folder}/channel.sock",
    "tcp": lambda folder: f"tcp://{port_of(folder)}",
    "file": lambda folder: f"file://{folder}/channel.weir",
    "lines": lambda folder: f"file://{folder}/channel.jsonl",
}


def missing(language):
    """What keeps a language's peer from running; None when nothing does."""
    needed = NEEDS.get(language, PEERS[language][0][-1])
    return None if os.path.exists(needed) else f"no {needed}: its binding was not built"


class Peer:
    """A running peer. Its pipes are read without a buffer: what is there after the first line is left for lines()."""

    def __init__(self, language, *arguments):
        command, environment = PEERS[language]
        self.process = subprocess.Popen([*map(str, command), *map(str, arguments)], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, bufsize=0, env=os.environ | environment)
        self.command = f"{language} peer {' '.join(map(str, arguments))}"

    def ready(self):
        line = self.process.stdout.readline()
        assert line == b"ready\n", f"{self.command}: {line!r} {self.process.stderr.read().decode()}"
        return self

    def finish(self, timeout=60):
        """Its status, and what it printed after the first line."""
        out, errors = self.process.communicate(timeout=timeout)
        return self.process.returncode, out.decode(), errors.decode()

    def lines(self, status=0):
        """What it prints until it ends; it must end with @status."""
        code, out, errors = self.finish()
        assert code == status, f"{self.command} ended with {code}: {errors}"
        return out.splitlines()

    def kill(self):
        self.process.kill()
        self.process.communicate()
