"""A full disk under full=block: Python waits for room as C does, for as long as the writer's timeout says, and Ctrl-C
ends the wait. Each case runs in a mount namespace of its own, on a small file system that a thread makes room on."""

import os
import shutil
import subprocess
import sys

import pytest

BEGIN = """
import asyncio, errno, os, signal, subprocess, sys, threading, time, weir
disk = sys.argv[1]
if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", disk]).returncode:
    sys.exit(99)
def fill(ballast=128 << 10):
    with open(disk + "/ballast", "wb") as file:
        file.write(bytes(ballast))
    with open(disk + "/rest", "wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError as error:
            assert error.errno == errno.ENOSPC
def free():
    os.remove(disk + "/ballast")
freed = []
def free_soon():
    def later():
        time.sleep(0.5)
        freed.append(time.monotonic())
        free()
    threading.Thread(target=later, daemon=True).start()
large = bytes(20000)
"""

# Each waits until there is room: what was sent, and when the call came back.
WAITS = {
    "send": "w.send(large)",
    "send_bytes": "w.send_bytes(large, 'raw')",
    "send_many": "assert w.send_many([large] * 3, 'raw') == 3",
    "uncork": "b.__exit__(None, None, None)",
    "reserve": "r.__exit__(None, None, None)",
    "asend": "asyncio.run(both())",
    "state": "s.send(large)",
}
PREPARED = """
async def both():
    ticks = 0
    async def tick():
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.01)
    other = asyncio.create_task(tick())
    await w.asend(large)
    other.cancel()
    assert ticks > 10, ticks
    assert w.timeout == 60
w = weir.writer(f"file://{disk}/log.weir?timeout=60s")
w.send(1)
s = weir.writer(f"file://{disk}/state.weir?timeout=60s&state=1")
b = w.batch()
r = w.reserve("u8", 20000)
what = sys.argv[2]
if what == "uncork":
    b.__enter__()
    w.send(large)
if what == "reserve":
    memory = r.__enter__()
    memory[:] = large
    del memory
fill()
"""


@pytest.fixture
def on_disk(tmp_path):
    """Run @text on a file system of its own. Skips, with the reason, where nothing can be mounted."""

    def start(text, *arguments):
        if not shutil.which("unshare"):
            pytest.skip("there is no unshare(1) here")
        command = ["unshare", "-m" if os.geteuid() == 0 else "-rm", sys.executable, "-c", BEGIN + text]
        process = subprocess.Popen([*command, str(tmp_path), *arguments], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        out, err = process.communicate(timeout=120)
        if process.returncode == 99 or "unshare:" in err:
            pytest.skip(f"no file system can be mounted here: {err.strip()}")
        assert process.returncode == 0, err
        return out

    return start


@pytest.mark.parametrize("what", WAITS)
def test_room_is_waited_for(on_disk, what):
    out = on_disk(PREPARED + f"""
free_soon()
{WAITS[what]}
assert freed and time.monotonic() >= freed[0], "it did not wait"
w.close()
s.close()
reader = weir.reader(f"file://{{disk}}/" + ("state.weir?state=1" if what == "state" else "log.weir?from=oldest"))
print([len(bytes(m.data)) for m in reader.messages(0) if m.codec == "raw" or m.data != 1])
""", what)
    assert out == f"{[20000] * (3 if what == 'send_many' else 1)}\n"


def test_the_time_is_over(on_disk):
    on_disk(PREPARED + """
w.timeout = 0.3
start = time.monotonic()
for call in (lambda: w.send(large), lambda: w.send_many([large], "raw"), lambda: asyncio.run(w.asend(large))):
    try:
        call()
        assert False
    except weir.Timeout as error:
        assert error.errno == error.sys_errno == errno.ENOSPC, error
        assert "no room for" in str(error) and "free some there" in str(error) and "timeout=" in str(error), error
assert time.monotonic() - start >= 0.9
w.timeout = 0
try:
    w.send(large)
    assert False
except weir.Timeout:
    pass
b.__enter__()
w.send(large)
try:
    b.__exit__(None, None, None)
    assert False
except weir.Timeout:
    pass
free()
w.uncork()
fill(32 << 10)
try:
    weir.writer(f"file://{disk}/log.weir?full=fail").send(large)
    assert False
except weir.NoSpace as error:
    assert error.errno == errno.ENOSPC and "full=block" in str(error), error
w.close()
# 1, what send_many says it has taken (as after uncork, it goes later), and the batch.
assert len(list(weir.reader(f"file://{disk}/log.weir?from=oldest").messages(0))) == 3
""", "")


@pytest.mark.parametrize("what", WAITS)
def test_ctrl_c_ends_the_wait(on_disk, what):
    on_disk(PREPARED + f"""
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
start = time.monotonic()
try:
    {WAITS[what]}
    assert False
except KeyboardInterrupt:
    pass
assert time.monotonic() - start < 30
free()
w.send(2)
w.close()
s.close()
""", what)


def test_what_is_queued_is_waited_for_at_close(store, run):
    """A socket's reader that is slow: close waits as long as the timeout says, though Python waits in slices."""
    import weir

    r = weir.reader(f"unix://{store}/x.sock?capacity=64K")
    writer = run("""
import sys, weir
with weir.writer(sys.argv[1] + "?timeout=60s&capacity=16M") as w:
    w.wait_readers(1, timeout=60)
    for i in range(3000):
        w.send("x" * 1000)
print("done", flush=True)
""", f"unix://{store}/x.sock")
    first = r.next(timeout=60)
    assert first.seq == 1
    assert sum(1 for _ in zip(range(2999), r.messages(timeout=60))) == 2999 and r.gaps == 0
    assert writer.communicate(timeout=60)[0] == "done\n"
