"""The same programs on every transport, and a recording of them: only addresses differ, and the page is live."""
import json
import os
import signal
import subprocess

import pytest

from conftest import WEIR, until, until_nothing_left

SENT = {"shm": "shm://demo/host", "sysv": "sysv://0x", "unix": "unix:///", "tcp": "tcp://127.0.0.1:", "fifo": "fifo:///", "file": "file:///"}


def is_live(demo):
    """Every channel of the page has a value of just now that changes."""
    def values():
        channels = demo.get("/api/latest").json()["channels"]
        return channels if all(message and message["age"] < 2.5 for message in channels.values()) else None
    before = until(values, "a fresh value in every channel")
    until(lambda: all(message["seq"] > before[name]["seq"] for name, message in (values() or before).items()), "newer values")
    return True


def segments():
    """System V segments and semaphores of the machine."""
    found = []
    for kind in ("shm", "sem"):
        with open("/proc/sysvipc/" + kind, encoding="ascii") as file:
            found += [kind + line.split()[0] for line in file.readlines()[1:]]
    return set(found)


def left_of_the_demo(before):
    return segments() - before


@pytest.mark.parametrize("transport", ["sysv", "tcp", "fifo", "file"])
def test_on_every_transport(start_demo, transport):
    before = segments()
    demo = start_demo("--transport", transport)
    assert is_live(demo)
    channels = [json.loads(line) for line in demo.weir("ls", "--json").splitlines()]
    host = next(channel for channel in channels
                if any(end["role"] == "writer" and end["pid"] == demo.part("host") for end in channel["ends"]))
    assert host["address"].startswith(SENT[transport]), host
    assert demo.stop() == 0
    assert demo.left() == []
    if transport == "sysv":
        until(lambda: not left_of_the_demo(before), "no segments of the demo")


@pytest.mark.parametrize("transport", ["sysv", "tcp", "fifo", "file"])
def test_sensors_killed_on_every_transport(start_demo, transport):
    """kill -9 of a sensor: it comes back, and goes on in the same channel."""
    demo = start_demo("--transport", transport, "--restart-after", "200ms")
    assert is_live(demo)
    for part in ("host", "jitter"):
        pid = demo.part(part)
        os.kill(pid, signal.SIGKILL)
        until(lambda: demo.part(part) not in (None, pid), f"{part} to be back")
    assert is_live(demo)
    demo.process.kill()
    demo.process.wait()
    until_nothing_left(demo)


def test_a_recording_of_the_demo(start_demo):
    """Record it, kill -9 the recorder: play gives all that was in the log, with the same bytes."""
    demo = start_demo()
    assert is_live(demo)
    log, names = demo.folder + "/run/demo.weir", ("host", "jitter", "spectrum", "vitals", "recent")
    recorder = subprocess.Popen([WEIR, "record", "-o", log, *("demo/%s?observe=1" % name for name in names)], env=demo.environment)

    def recorded(command="--timeout", *more):
        lines = demo.weir("sub", "file://" + log, "--from", "oldest", command, *(more or ("100ms",))).splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]
    until(lambda: os.path.exists(log) and len(recorded()) > 60, "some seconds of the demo")
    acknowledged = len(recorded())
    recorder.kill()
    recorder.wait()
    assert demo.stop() == 0
    lines = recorded()
    assert len(lines) >= acknowledged and {line["meta"]["from"] for line in lines} == {"shm://demo/" + name for name in names}
    maps = [word for name in names for word in ("--map", "demo/%s=again/%s?capacity=16M" % (name, name))]
    done = subprocess.run([WEIR, "play", log, "--speed", "max", "--stamp", "original", *maps], env=demo.environment, capture_output=True,
                          text=True, check=True, timeout=60)
    assert done.stderr == ""
    for name in names:
        wanted = [line for line in lines if line["meta"]["from"] == "shm://demo/" + name]
        told = demo.weir("sub", "again/" + name, "--from", "oldest", "-n", str(len(wanted)), "--timeout", "20s").splitlines()
        again = [json.loads(line) for line in told]
        assert [(line["op"], line["time"], line["data"], line["meta"]) for line in again] == \
            [(line["op"], line["meta"]["time"], line["data"], line["meta"].get("meta")) for line in wanted]
    os.unlink(log)
