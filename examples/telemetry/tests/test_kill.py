"""kill -9 of each part in turn, in the demo as a person starts it: the page says stale within three seconds while everything else
goes on, and live again when the supervisor has started the part anew. Nothing is ever left behind."""
import os
import signal
import time

import pytest

from conftest import EXAMPLE, Dying, children_of, until, until_nothing_left

STALE_WITHIN_S = 3
ALL = ["host", "jitter", "spectrum", "vitals", "recent"]
LOST_WITH = {"host": ["host"], "jitter": ["jitter", "spectrum", "vitals.jitter"], "analyse": ["spectrum", "vitals", "recent"]}


@pytest.fixture(scope="module")
def page(demo, browser):
    browser.do("open", url=demo.url + "/", options={})
    return browser


def until_live(page):
    page.until_states({name: "live" for name in ALL + ["vitals.jitter"]}, "every value to be live")
    until(lambda: page.link() == "live", "the stream")


@pytest.mark.parametrize("part", ["host", "jitter", "analyse"])
def test_part(demo, page, part):
    until_live(page)
    pid = demo.part(part)
    others = {name: demo.part(name) for name in ("host", "jitter", "analyse", "page") if name != part}
    page.watch_ages()
    os.kill(pid, signal.SIGKILL)
    page.until_stale(LOST_WITH[part], STALE_WITHIN_S, f"what {part} gave to be stale")
    if os.environ.get("WEIR_TEST_PICTURES"):
        page.do("screenshot", path=os.path.join(os.environ["WEIR_TEST_PICTURES"], f"stale-{part}.png"))
    page.until_states({name: "live" for name in ALL if name not in LOST_WITH[part]}, "everything else to go on")
    page.until_states({name: "live" for name in LOST_WITH[part]}, f"{part} to be back")
    assert demo.part(part) not in (None, pid)
    assert {name: demo.part(name) for name in others} == others, "the others are the same processes"
    assert f"{part} (pid {pid}) was ended by signal 9" in demo.said()


@pytest.mark.parametrize("which", ["first process", "worker"])
def test_page_server(demo, page, which):
    """The page itself cannot be told by its server then: it notices."""
    until_live(page)
    others = {name: demo.part(name) for name in ("host", "jitter", "analyse")}
    server = demo.part("page")
    page.watch_ages()
    os.kill(server if which == "first process" else children_of(server)[0], signal.SIGKILL)
    page.until_stale(ALL, STALE_WITHIN_S, "every value to be stale")
    until(lambda: page.link() == "lost", "the page to say that the connection is lost")
    assert "no longer live" in page.text("#lost")
    if os.environ.get("WEIR_TEST_PICTURES"):
        page.do("screenshot", path=os.path.join(os.environ["WEIR_TEST_PICTURES"], "lost.png"))
    until_live(page)
    assert page.eval("document.getElementById('lost').hidden")
    assert demo.part("page") != server
    assert {name: demo.part(name) for name in others} == others


def test_guard(demo, page):
    until_live(page)
    guard = demo.guard()
    os.kill(guard, signal.SIGKILL)
    until(lambda: demo.guard() not in (None, guard), "another guard")
    until_live(page)


def test_stopped_part_is_stale_too(demo, page):
    """A part that hangs is not dead: nobody restarts it, but its values are no longer live."""
    until_live(page)
    pid = demo.part("jitter")
    page.watch_ages()
    os.kill(pid, signal.SIGSTOP)
    page.until_stale(["jitter"], STALE_WITHIN_S, "jitter to be stale")
    page.until_states({"jitter": "stale", "host": "live", "vitals": "live"}, "only jitter to be stale")
    os.kill(pid, signal.SIGCONT)
    until_live(page)
    assert demo.part("jitter") == pid


@pytest.mark.parametrize("transport", ["shm", "unix"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_nothing_is_left(start_demo, transport, number):
    demo = start_demo("--transport", transport)
    until(lambda: all(demo.get("/api/latest").json()["channels"].values()), "values in every channel")
    assert demo.stop(number) == (0 if number == signal.SIGINT else 128 + number)
    assert demo.left() == []


@pytest.mark.parametrize("transport", ["shm", "unix"])
def test_nothing_is_left_by_a_killed_supervisor(start_demo, transport):
    demo = start_demo("--transport", transport)
    until(lambda: all(demo.get("/api/latest").json()["channels"].values()), "values in every channel")
    demo.process.kill()
    demo.process.wait()
    until_nothing_left(demo)


def test_nothing_is_left_by_a_part_that_dies_slowly(start_demo):
    """As on a machine where much goes on: the kernel lets it end only three seconds after it was killed."""
    demo = start_demo()
    until(lambda: all(demo.get("/api/latest").json()["channels"].values()), "values in every channel")
    dying = Dying(demo.part("host"))
    demo.process.kill()
    demo.process.wait()
    until(lambda: demo.part("host") is None, "the supervisor to be gone")
    time.sleep(3)
    assert not dying.has_ended() and demo.left() != []
    dying.end()
    until_nothing_left(demo)


def test_nothing_is_left_while_a_browser_looks(start_demo, browser):
    demo = start_demo()
    browser.do("open", url=demo.url + "/", options={})
    until_live(browser)
    assert demo.stop() == 0
    assert demo.left() == []
    until(lambda: browser.link() == "lost", "the page to notice")


def test_a_part_that_cannot_start_says_why(start_demo, tmp_path):
    """Its last words are told, and the others run."""
    demo = start_demo("--dir", str(tmp_path / "mine"), "--restart-after", "200ms")
    (tmp_path / "mine/sensors/host.py").write_text("raise SystemExit('no sensor here')\n")
    os.kill(demo.part("host"), signal.SIGKILL)
    until(lambda: "no sensor here" in demo.said(), "the reason")
    (tmp_path / "mine/sensors/host.py").write_text((EXAMPLE / "sensors/host.py").read_text())

    def is_back():
        message = demo.get("/api/latest").json()["channels"]["host"]
        return message and message["age"] < 1
    until(is_back, "the repaired sensor")
