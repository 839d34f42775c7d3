"""What the tests of the telemetry example share: the demo running in scratch folders of its own, and a real browser.

Nothing waits by sleeping: `until` polls with a deadline. The one promise about time that is tested is the page's: stale within
three seconds, by the page's own clock (`Browser.watch_ages`). Every process of a demo carries the scratch folder's name in its environment, which is how a test knows what is left."""
import ctypes
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

import pytest

WEIR = os.path.join(os.environ["WEIR_BUILD"], "bin", "weir")
EXAMPLE = pathlib.Path(__file__).resolve().parent.parent
DEADLINE_S = 60
CLONE_NEWIPC = 0x08000000
# System V names are the whole machine's: where we may, have some of our own, so that no other test's are found.
ctypes.CDLL(None).unshare(CLONE_NEWIPC)


def until(condition, what, seconds=DEADLINE_S):
    """Poll until condition() is true, and return what it gave."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, "in vain for %g s: %s" % (seconds, what)
        time.sleep(0.02)


def scratch_environment(folder):
    """Places of its own for everything that the demo leaves anywhere."""
    environment = {**os.environ, "WEIR_SHM_DIR": folder + "/shm", "XDG_RUNTIME_DIR": folder + "/run"}
    environment.pop("WEIR_DEMO_DIR", None)
    return environment


def processes_of(folder):
    """Pids whose environment names the folder: what a demo has started, wherever it hangs in the tree."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and folder.encode() in pathlib.Path("/proc", entry, "environ").read_bytes():
                found.append(int(entry))
        except (PermissionError, FileNotFoundError, ProcessLookupError):
            continue
    return found


def command_line(pid):
    try:
        return pathlib.Path("/proc", str(pid), "cmdline").read_bytes().decode().split("\0")[:-1]
    except (FileNotFoundError, ProcessLookupError):
        return []


def children_of(pid):
    try:
        return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


class Answer:
    def __init__(self, status, headers, text):
        self.status, self.headers, self.text = status, headers, text

    def json(self):
        return json.loads(self.text)


class Demo:
    """`weir demo` in a folder of its own."""

    def __init__(self, *arguments):
        self.folder = tempfile.mkdtemp(prefix="weir-demo-test-", dir="/dev/shm")
        os.makedirs(self.folder + "/shm", mode=0o700)
        os.makedirs(self.folder + "/run", mode=0o700)
        self.environment = scratch_environment(self.folder)
        self.talk = open(self.folder + "/talk", "w+", encoding="utf-8")
        self.process = subprocess.Popen([WEIR, "demo", "--port", "0", *arguments], env=self.environment, stdin=subprocess.DEVNULL,
                                        stdout=self.talk, stderr=subprocess.STDOUT, start_new_session=True)
        self.url = until(self.find_url, "the demo's page")

    def said(self):
        return pathlib.Path(self.folder, "talk").read_text(encoding="utf-8")

    def find_url(self):
        assert self.process.poll() is None, self.said()
        words = [word for word in self.said().split() if word.startswith("http://")]
        return words[0].rstrip("/") if words and "Ctrl-C" in self.said() else None

    def get(self, path, data=None, **headers):
        request = urllib.request.Request(self.url + path, data, {name.replace("_", "-"): text for name, text in headers.items()})
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
                return Answer(answer.status, answer.headers, answer.read().decode())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.headers, error.read().decode())

    def weir(self, *arguments):
        done = subprocess.run([WEIR, *arguments], env=self.environment, capture_output=True, text=True,
                              timeout=DEADLINE_S)
        return done.stdout or done.stderr

    def part(self, name):
        """The pid of a part's first process; None while it is down."""
        mark = {"page": "router.php", "analyse": "/analyse"}.get(name, "/%s.py" % name)
        for pid in children_of(self.process.pid):
            if any(word.endswith(mark) for word in command_line(pid)):
                return pid
        return None

    def guard(self):
        """The supervisor's second self: a child with its command line."""
        return next((pid for pid in children_of(self.process.pid) if command_line(pid)[1:2] == ["demo"]), None)

    def left(self):
        """What is still there: processes, files of channels, files of the runtime folder."""
        files = [os.path.join(path, name) for top in ("/shm", "/run")
                 for path, folders, names in os.walk(self.folder + top)
                 for name in folders + names]
        return [(pid, command_line(pid)) for pid in processes_of(self.folder)] + files

    def stop(self, number=signal.SIGINT):
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout=DEADLINE_S)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.talk.close()
        until(lambda: not processes_of(self.folder), "the demo's processes to end")
        shutil.rmtree(self.folder, ignore_errors=True)


def until_nothing_left(demo):
    """The kernel and the guard end everything of a demo whose supervisor was killed."""
    left = []

    def is_clean():
        left[:] = demo.left()
        return not left
    try:
        until(is_clean, "nothing to be left")
    except AssertionError as error:
        raise AssertionError(f"{error}: {left}") from None


class Dying:
    """A process that, when it is killed, does not end before end() is called: it is traced, and stops at its exit."""

    SEIZE, CONT, TRACE_EXIT = 0x4206, 7, 0x40

    def __init__(self, pid):
        self.pid = pid
        if self.ptrace(self.SEIZE, self.TRACE_EXIT) != 0:
            pytest.skip("processes may not be traced here")

    def ptrace(self, request, data):
        call = ctypes.CDLL(None).ptrace
        call.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        return call(request, self.pid, None, data)

    def has_ended(self):
        return pathlib.Path("/proc", str(self.pid), "stat").read_text().rpartition(")")[2].split()[0] in "ZX"

    def end(self):
        self.ptrace(self.CONT, None)
        os.waitpid(self.pid, 0)


class Events:
    """A reader of /stream, event by event."""

    def __init__(self, demo, **headers):
        host, port = demo.url.removeprefix("http://").split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=DEADLINE_S)
        more = "".join("%s: %s\r\n" % (name.replace("_", "-"), text) for name, text in headers.items())
        self.socket.sendall(f"GET /stream HTTP/1.0\r\nHost: {host}:{port}\r\n{more}\r\n".encode())
        self.file = self.socket.makefile("r", encoding="utf-8", newline="\n")
        self.status = int(self.file.readline().split()[1])
        self.headers = {}
        while (line := self.file.readline().strip()):
            name, text = line.split(": ", 1)
            self.headers[name.lower()] = text

    def blocks(self):
        """Each event or comment as a list of (field, text)."""
        block = []
        for line in self.file:
            line = line.rstrip("\n")
            if line:
                field, _, text = line.partition(":")
                block.append((field, text.strip()))
            elif block:
                yield dict(block)
                block = []

    def messages(self):
        """(id, message) of each event."""
        for block in self.blocks():
            if "data" in block:
                yield block.get("id"), json.loads(block["data"])

    def close(self):
        self.file.close()
        self.socket.close()


# Notes in the page the age at which each value is first called stale, and how long the page's timers were kept waiting.
WATCH = """(() => {
    const watch = window.ageWatch = { ages: {}, late: 0 };
    let last = performance.now();
    setInterval(() => {
        const now = performance.now();
        watch.late += Math.max(now - last - 250, 0) / 1000;
        last = now;
    }, 200);
    new MutationObserver((changes) => {
        for (const { target: badge } of changes)
            if (badge.dataset.state === "stale" && badge.dataset.ageOf)
                watch.ages[badge.dataset.ageOf] ??= parseFloat(badge.textContent.replace(/^\\D+/, ""));
    }).observe(document.body, { subtree: true, attributes: true, attributeFilter: ["data-state"] });
})()"""


class Navigated(Exception):
    """The page was left while it was asked."""


class Browser:
    def __init__(self, chromium, core):
        self.process = subprocess.Popen(["node", str(EXAMPLE / "tests" / "browser.mjs"), chromium, core], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def do(self, command, **more):
        self.process.stdin.write(json.dumps({"do": command, **more}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the browser is gone"
        answer = json.loads(line)
        if "Execution context was destroyed" in answer.get("error", ""):
            raise Navigated
        assert "error" not in answer, answer["error"]
        return answer["value"]

    def eval(self, code):
        """What the page says; of the next page, where it is left at this moment."""
        while True:
            try:
                return self.do("eval", code=code)
            except Navigated:
                continue

    def text(self, selector):
        return self.eval(f"document.querySelector({json.dumps(selector)})?.textContent.trim()")

    def states(self):
        """live, stale, paused or none of each source that has a badge."""
        return self.eval("Object.fromEntries([...document.querySelectorAll('[data-age-of]')].map(b => [b.dataset.ageOf, b.dataset.state]))")

    def link(self):
        return self.eval("document.getElementById('link').dataset.state")

    def until_states(self, wanted, what, seconds=DEADLINE_S):
        return until(lambda: all(self.states().get(name) == state for name, state in wanted.items()), what, seconds)

    def watch_ages(self):
        """From now on the page notes how old a value is when it is first called stale."""
        self.eval(WATCH)

    def until_stale(self, names, within, what):
        """Each has become stale, at an age of at most @within seconds; what the machine kept the page waiting comes on top."""
        self.until_states({name: "stale" for name in names}, what)
        watch = self.eval("window.ageWatch")
        assert all(watch["ages"][name] <= within + watch["late"] for name in names), watch

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def why_no_demo():
    for program in (WEIR, os.path.join(os.environ["WEIR_BUILD"], "examples/telemetry/processing/analyse")):
        if not os.path.exists(program):
            return "%s is not built" % program
    if not shutil.which("php"):
        return "there is no php (apt install php-cli)"
    if not (EXAMPLE / "web/node_modules/uplot").exists():
        return "uPlot is not installed (tools/setup demo)"
    return None


@pytest.fixture(scope="session", autouse=True)
def needs():
    reason = why_no_demo()
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def browser():
    core = EXAMPLE / "web/node_modules/playwright-core"
    chromium = shutil.which("chromium")
    if not chromium or not core.exists() or not shutil.which("node"):
        pytest.skip("no browser: needs chromium, node and playwright-core (tools/setup test)")
    shown = Browser(chromium, str(core))
    yield shown
    shown.close()


@pytest.fixture(scope="module", params=["shm", "unix"])
def demo(request):
    running = Demo("--transport", request.param)
    running.transport = request.param
    yield running
    running.close()


@pytest.fixture
def start_demo():
    """A function that starts a demo of the test's own."""
    started = []

    def start(*arguments):
        started.append(Demo(*arguments))
        return started[-1]
    yield start
    for one in started:
        one.close()
