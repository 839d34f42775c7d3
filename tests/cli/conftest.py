"""What the command's tests share: a store of their own per test, the command run to its end or started, addresses of each transport.

Nothing waits by sleeping: `until` polls with a deadline, and writers that must not be early say readers=1."""
import ctypes
import hashlib
import json
import os
import pty
import shutil
import signal
import subprocess
import tempfile
import time
import zlib

import pytest

CLONE_NEWIPC = 0x08000000
# System V names are the whole machine's: where we may, have some of our own, so that no other test's are listed.
ctypes.CDLL(None).unshare(CLONE_NEWIPC)

COMMAND = os.path.join(os.environ["WEIR_BUILD"], "bin", "weir")
DEADLINE_S = 60


def until(condition, what):
    """Poll until condition() is true, and return what it gave."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError("in vain for %d s: %s" % (DEADLINE_S, what))


class Weir:
    """The command in one test's scratch store."""

    def __init__(self, folder):
        self.folder, self.started, self.keys = folder, [], set()
        self.environment = {**os.environ, "WEIR_SHM_DIR": folder}
        self.environment.pop("NO_COLOR", None)

    def run(self, *arguments, stdin=b"", code=0):
        """Run to the end; check the exit code. Gives the CompletedProcess with bytes."""
        stdin = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run([COMMAND, *arguments], input=stdin, capture_output=True, env=self.environment,
                              timeout=DEADLINE_S)
        assert done.returncode == code, "%s: %d\n%s" % (" ".join(arguments), done.returncode, done.stderr.decode())
        return done

    def out(self, *arguments, **options):
        return self.run(*arguments, **options).stdout.decode()

    def error(self, code, *arguments, **options):
        """The one sentence that a failure says."""
        done = self.run(*arguments, code=code, **options)
        said = done.stderr.decode()
        assert said.startswith("weir: ") and said.endswith("\n") and said.count("\n") == 1, said
        assert done.stdout == b""
        return said

    def start(self, *arguments, **options):
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, **options}
        process = subprocess.Popen([COMMAND, *arguments], env=self.environment, **options)
        self.started.append(process)
        return process

    def finish(self, process, code=0):
        """What a started command printed, as (out, error) texts."""
        out, error = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == code, "%s: %d\n%s" % (process.args, process.returncode, (error or b"").decode())
        return (out or b"").decode(), (error or b"").decode()

    def channels(self):
        return [json.loads(line) for line in self.out("ls", "--json").splitlines()]

    def ends(self, role):
        return [end for channel in self.channels() for end in channel["ends"] if end["role"] == role]

    def until_end(self, role, process):
        """Wait until a started command has its end open."""
        def is_there():
            assert process.poll() is None, process.communicate()
            return [end for end in self.ends(role) if end["pid"] == process.pid]
        return until(is_there, "a %s of process %d" % (role, process.pid))

    def stop_all(self):
        for process in self.started:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.communicate()


    def key(self, name):
        """The System V key of a name: another in each test."""
        key = "0x%x" % (zlib.crc32((self.folder + name).encode()) or 1)
        self.keys.add(key)
        return key

    def keys_remove(self):
        for key in self.keys:
            subprocess.run(["ipcrm", "-M", key, "-S", key], stderr=subprocess.DEVNULL, check=False)
        if self.keys:
            self.run("gc")


def on_terminal(weir, *arguments, **environment):
    """What the command prints when its output is a terminal."""
    master, slave = pty.openpty()
    subprocess.run([COMMAND, *arguments], stdout=slave, env={**weir.environment, **environment}, check=True)
    os.close(slave)
    text = b""
    try:
        while block := os.read(master, 65536):
            text += block
    except OSError:
        pass  # the end of a terminal
    os.close(master)
    return text.decode()


@pytest.fixture
def weir():
    folder = tempfile.mkdtemp(prefix="weir-cli-", dir="/dev/shm")
    command = Weir(folder)
    yield command
    command.stop_all()
    command.keys_remove()
    shutil.rmtree(folder, ignore_errors=True)


def port_of(weir, name):
    """HOST:PORT of a name in this test's place. All of 127.0.0.0/8 is loopback, so no two tests meet."""
    digest = hashlib.sha256((weir.folder + "/" + name).encode()).digest()
    return "127.%d.%d.%d:%d" % (1 + digest[0] % 250, digest[1], 1 + digest[2] % 250,
                                10000 + int.from_bytes(digest[3:5], "big") % 20000)


@pytest.fixture(params=["shm", "sysv", "unix", "tcp"])
def place(request, weir):
    """A function from a name to its address in this test's place, for each transport."""
    if request.param == "tcp":
        return lambda name, options="": "tcp://%s%s" % (port_of(weir, name), options)
    if request.param == "shm":
        return lambda name, options="": "shm://%s%s" % (name, options)
    if request.param == "sysv":
        return lambda name, options="": "sysv://%s%s" % (weir.key(name), options)
    return lambda name, options="": "unix://%s/%s.sock%s" % (weir.folder, name.replace("/", "-"), options)
