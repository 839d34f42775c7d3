"""What the tests share: the command in a store of its own (tests/cli/conftest.py), places, and the peers, which are
skipped with a reason where they are not there."""
import importlib.util
import json
import os
import shutil
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE, BUILD = os.environ["WEIR_SOURCE"], os.environ["WEIR_BUILD"]
FETCHED, DIFFERENTIAL = os.path.join(BUILD, "foreign"), os.path.join(BUILD, "differential")
HINT = "`make test-foreign` installs it"


def cli_conftest():
    spec = importlib.util.spec_from_file_location("cli_conftest", os.path.join(SOURCE, "tests", "cli", "conftest.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


cli = cli_conftest()
COMMAND, DEADLINE_S, until, port_of, weir = cli.COMMAND, cli.DEADLINE_S, cli.until, cli.port_of, cli.weir


class Place:
    """A socket, as weir and as others spell it."""

    def __init__(self, weir_, kind, name="a"):
        self.kind = kind
        self.plain = port_of(weir_, name) if kind == "tcp" else os.path.join(weir_.folder, name + ".sock")
        self.address = kind + "://" + self.plain
        self.socat = ("TCP:" if kind == "tcp" else "UNIX-CONNECT:") + self.plain


@pytest.fixture(params=["unix", "tcp"])
def place(request, weir):  # noqa: F811 - a fixture
    return Place(weir, request.param)


def series(index):
    return {"op": "reading", "meta": {"unit": "V"}, "data": {
        "i": index, "big": 9007199254740993 + index, "half": index + 0.5, "text": 'zwölf €𝄞 "%d"' % index,
        "list": [None, True, [index]]}}


def needed(program):
    found = shutil.which(program)
    if not found:
        pytest.skip("%s is not there; tools/setup test installs it" % program)
    return found


def python_with(module):
    """The first of those that may have it."""
    for folder in (DIFFERENTIAL, FETCHED):
        candidate = os.path.join(folder, "venv", "bin", "python")
        if os.path.exists(candidate) and can_import(candidate, module):
            return candidate
    for candidate in ("/usr/bin/python3", sys.executable):
        if can_import(candidate, module):
            return candidate
    pytest.skip("no Python here has %s; %s" % (module, HINT))
    return None


def can_import(python, module):
    return subprocess.run([python, "-c", "import " + module], capture_output=True, check=False).returncode == 0


def jackson():
    needed("javac")
    jars = os.path.join(DIFFERENTIAL, "jars")
    if not os.path.isdir(jars):
        pytest.skip("Jackson's jars are not there; " + HINT)
    return ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", os.path.join(jars, "*"), script("Smile.java")]


def node_with(package):
    node = needed("node")
    modules = os.path.join(FETCHED, "npm", "node_modules")
    if not os.path.isdir(os.path.join(modules, package)):
        pytest.skip("npm's %s is not there; %s" % (package, HINT))
    return [node], {"NODE_PATH": modules, "FOREIGN_MODULES": modules}


def script(name):
    return os.path.join(HERE, "peers", name)


class Peers:
    """Starts peers, and ends those that are still there."""

    def __init__(self):
        self.started = []

    def start(self, command, *arguments, **more):
        process = subprocess.Popen([*command, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env={**os.environ, **more})
        self.started.append(process)
        return process

    def finish(self, process):
        """The values it printed, one a line."""
        out, said = process.communicate(timeout=60)
        assert process.returncode == 0, said.decode()
        return [json.loads(line) for line in out.splitlines()]

    def run(self, command, *arguments, **more):
        return self.finish(self.start(command, *arguments, **more))

    def stop(self):
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.fixture
def peers():
    started = Peers()
    yield started
    started.stop()
