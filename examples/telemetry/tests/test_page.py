"""The page: its first paint, its live values, its controls, its fallbacks; on shared memory and on sockets."""
import itertools
import re
import time

import pytest

from conftest import DEADLINE_S, EXAMPLE, Events, until

SOURCES = ["host", "jitter", "spectrum", "vitals", "recent"]
ALL_LIVE = {name: "live" for name in SOURCES + ["vitals.jitter"]}


def open_page(browser, demo, **options):
    browser.do("open", url=demo.url + "/", options=options)
    browser.until_states(ALL_LIVE, "every value to be live")


def test_first_paint_has_numbers(demo):
    """Without scripts: the server writes the values into the page."""
    def painted():
        answer = demo.get("/")
        assert answer.status == 200 and "weir" in answer.text
        fields = dict(re.findall(r'data-field="([\w-]+)">([^<]*)<', answer.text))
        return fields if fields["late"] != "–" else None
    fields = until(painted, "numbers in the page")
    assert re.fullmatch(r"\d+\.\d", fields["load"]) and re.fullmatch(r"\d+\.\d", fields["memory"]), fields
    assert re.search(r"[1-9]", fields["late"]), fields
    assert fields["window"] in ("1\u202f024", "1024")


def test_nothing_from_elsewhere(demo, browser):
    """No file of the page names another host, and the browser asks none."""
    for file in [*EXAMPLE.glob("web/*.js"), *EXAMPLE.glob("web/*.css"), *EXAMPLE.glob("page/*.php")]:
        elsewhere = re.findall(r"(?:https?:)?//[a-z0-9-]+\.[a-z.]+", re.sub(r"https\?://", "", file.read_text()))
        assert not elsewhere, (file, elsewhere)
    open_page(browser, demo)
    assert [host for host in browser.do("hosts") if host.split(":")[0] != "127.0.0.1"] == []


def test_security_headers(demo):
    answer = demo.get("/")
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_latest(demo):
    def complete():
        latest = demo.get("/api/latest").json()
        return latest if all(latest["channels"][name] for name in SOURCES) else None
    latest = until(complete, "a value in every channel")
    for name, message in latest["channels"].items():
        assert message["name"] == name and message["seq"] > 0 and message["age"] < DEADLINE_S
        assert abs(message["time"] / 1e9 - time.time()) < DEADLINE_S
    assert latest["channels"]["host"]["data"]["load"] >= 0
    assert len(latest["channels"]["jitter"]["data"]) == 256


def test_stream_gives_changing_data(demo):
    events = Events(demo)
    assert events.status == 200 and events.headers["content-type"].startswith("text/event-stream")
    seen = {}
    for number, message in events.messages():
        assert number and {"name", "seq", "time", "data"} <= message.keys()
        seen.setdefault(message["name"], []).append(message)
        if all(len(seen.get(name, [])) >= 3 for name in SOURCES):
            break
    events.close()
    for name in SOURCES:
        seqs = [message["seq"] for message in seen[name]]
        assert seqs == sorted(set(seqs)), "each message once, in order"
        times = [message["time"] for message in seen[name]]
        assert times == sorted(set(times))
    assert seen["jitter"][0]["data"] != seen["jitter"][1]["data"]


def test_stream_says_when_to_come_back(demo):
    events = Events(demo)
    assert next(events.blocks()) == {"retry": "300"}
    events.close()


def test_stream_goes_on_after_last_event_id(demo):
    """Who comes back with an id is not sent again what it has seen."""
    events = Events(demo)
    for number, message in events.messages():
        if {"host", "jitter", "spectrum", "vitals", "recent"} <= {part.split("=")[0] for part in number.split("&")}:
            break
    events.close()
    had = {part.split("=")[0]: int(part.split("=")[1]) for part in number.split("&")}
    events = Events(demo, Last_Event_ID=number)
    for _, message in itertools.islice(events.messages(), 12):
        assert message["seq"] > had[message["name"]]
    events.close()


def test_stream_is_capped(demo):
    """A stream never sends one channel more often than 15 times a second, whatever the sensor does."""
    events = Events(demo)
    times = [time.monotonic() for _, message in itertools.islice(events.messages(), 120) if message["name"] == "host"]
    events.close()
    assert len(times) / (times[-1] - times[0]) < 25


def test_viewers_are_limited(demo, browser):
    """Places are taken, refused with a sentence, and free again when a viewer goes."""
    browser.do("open", url="about:blank")  # the page of an earlier test is a viewer too
    viewers = []

    def take_all():
        viewer = Events(demo)  # refused while a viewer of an earlier test is just going
        if viewer.status == 200:
            viewers.append(viewer)
        else:
            viewer.close()
        return len(viewers) == 8
    until(take_all, "all eight places")
    for viewer in viewers:
        next(viewer.messages())
    refused = Events(demo)
    assert refused.status == 503 and "8 places" in refused.file.readline()
    refused.close()
    assert demo.get("/api/latest").status == 200, "others are still served"
    for viewer in viewers:
        viewer.close()

    def free():
        again = Events(demo)
        again.close()
        return again.status == 200
    until(free, "a place to be free again")


def test_page_is_live(demo, browser):
    open_page(browser, demo)
    until(lambda: browser.link() == "live", "the stream")
    first = browser.text('[data-seq-of="host"]')
    until(lambda: browser.text('[data-seq-of="host"]') != first, "a new message in the table")
    # The load alone may stay what it is for long on a machine where much goes on.
    fields = ['[data-field="%s"]' % name for name in ("load", "memory")]
    before = [browser.text(field) for field in fields]
    until(lambda: [browser.text(field) for field in fields] != before, "another load, or other memory")
    assert browser.do("complaints") == []


def test_charts_are_drawn(demo, browser):
    """Each chart's canvas has pixels that are not the background's."""
    open_page(browser, demo)
    code = """[...document.querySelectorAll('.chart canvas')].map(c => {
        const data = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        return new Set(Array.from({length: data.length / 4}, (_, i) => data.slice(4 * i, 4 * i + 4).join())).size; })"""
    until(lambda: len(browser.eval(code)) == 3 and min(browser.eval(code)) > 20, "three charts with lines")


def test_history_fills_the_charts(demo):
    """What the channels still hold is there at once. Sockets hold nothing."""
    history = until(lambda: (found := demo.get("/api/history").json()) and (len(found["host"]) > 3 or demo.transport == "unix") and found,
                    "history")
    if demo.transport == "shm":
        assert [m["seq"] for m in history["host"]] == sorted(m["seq"] for m in history["host"])
        assert all(set(message["data"]) == {"load", "cores"} for message in history["host"])


def test_theme_can_be_switched(demo, browser):
    open_page(browser, demo, colorScheme="light")
    light = browser.eval("getComputedStyle(document.body).backgroundColor")
    browser.do("click", selector="#theme")
    assert browser.eval("getComputedStyle(document.body).backgroundColor") != light


def test_fits_a_phone(demo, browser):
    open_page(browser, demo, viewport={"width": 360, "height": 740})
    assert browser.eval("document.documentElement.scrollWidth") <= 360


# ---- controls ----


def set_value(browser, field, text):
    browser.do("fill", selector=f"#{field}", text=text)
    browser.do("press", key="Enter")


def test_window_changes_the_spectrum(demo, browser):
    open_page(browser, demo)
    for window in ("256", "2048", "1024"):
        set_value(browser, "window", window)
        until(lambda: f"window {window}" in browser.text("#answer"), "the answer")
        wanted = str(int(window) // 2 + 1)
        until(lambda: browser.eval("document.getElementById('spectrum-note').dataset.length") == wanted, "a spectrum of another length")


def test_wrong_values_show_the_servers_sentence(demo, browser):
    open_page(browser, demo)
    for field, text, sentence in [("window", "1000", "the window must be a power of two from 64 to 4096, not 1000"),
                                  ("window", "8192", "the window must be a power of two from 64 to 4096, not 8192"),
                                  ("window", "wide", 'the window must be a power of two from 64 to 4096, not "wide"'),
                                  ("window", "", "the window must be a power of two from 64 to 4096, not nothing"),
                                  ("threshold", "-1", "the threshold must be a number of deviations above 0, not -1")]:
        set_value(browser, field, text)
        until(lambda: browser.text("#answer") == sentence, sentence)
        assert browser.eval("document.getElementById('answer').getAttribute('role')") == "alert"
    assert browser.text('output[data-field="window"]') == "1024", "nothing has changed"


def test_pause_and_resume(demo, browser):
    open_page(browser, demo)
    browser.do("click", selector="#pause-button")
    browser.until_states({"spectrum": "paused", "vitals": "live"}, "the spectrum to pause")
    until(lambda: browser.text("#pause-button") == "Resume", "the button to offer the way back")
    browser.do("click", selector="#pause-button")
    browser.until_states({"spectrum": "live"}, "the spectrum to go on")


def test_threshold_raises_alarms(demo, browser):
    """With a threshold that ordinary values pass, alarms come; they show and are kept for who comes late."""
    open_page(browser, demo)
    set_value(browser, "threshold", "0.5")
    until(lambda: browser.eval("document.querySelectorAll('#alarms tr').length") > 0, "an alarm in the list")
    set_value(browser, "threshold", "12")
    until(lambda: "threshold 12" in browser.text("#answer"), "the answer")
    assert demo.get("/api/latest").json()["channels"]["recent"]["data"]["alarms"]
    assert '<td>jitter</td>' in demo.get("/").text or '<td>load</td>' in demo.get("/").text


def test_form_works_without_scripts(demo):
    answer = demo.get("/control", b"op=set_window&value=512", Content_Type="application/x-www-form-urlencoded")
    assert answer.status == 200 and "Done: window 512" in answer.text and "<!doctype html>" in answer.text
    answer = demo.get("/control", b"op=set_window&value=513", Content_Type="application/x-www-form-urlencoded")
    assert answer.status == 422 and "not 513" in answer.text
    answer = demo.get("/control", b"op=set_window&value=1024", Accept="application/json")
    assert answer.json() == {"settings": {"window": 1024, "threshold": 12.0, "paused": False}}


def test_text_of_strangers_is_escaped(demo):
    answer = demo.get("/control", b"op=set_window&value=%3Cscript%3Ealert(1)%3C/script%3E")
    assert answer.status == 422 and "<script>alert" not in answer.text and "&lt;script&gt;" in answer.text


def test_other_sites_do_not_steer(demo):
    answer = demo.get("/control", b"op=pause", Origin="http://elsewhere.example", Accept="application/json")
    assert answer.status == 403
    answer = demo.get("/control", b"op=status", Origin=demo.url, Accept="application/json")
    assert answer.status == 200 and answer.json()["settings"]["paused"] is False


def test_wrong_paths_and_methods(demo):
    assert demo.get("/assets/../page/lib.php").status == 404
    assert demo.get("/page/lib.php").status == 404
    assert demo.get("/nothing").status == 404 and "/api/latest" in demo.get("/nothing").text
    assert demo.get("/control").status == 405
    assert demo.get("/stream", b"x").status == 405


# ---- when something is wrong ----


def test_polling_when_there_is_no_stream(demo, browser):
    browser.do("open", url=demo.url + "/", options={}, blocked="**/stream")
    until(lambda: browser.link() == "asking", "the page to ask instead")
    browser.until_states(ALL_LIVE, "values by asking")
    until(lambda: "places" in browser.text("#lost"), "a sentence that says why")


def test_foreign_messages_do_no_harm(demo, browser):
    """Anybody may write to a channel. What is not understood is passed over by the computation and by the page."""
    open_page(browser, demo)
    pid = demo.part("analyse")
    address = "demo/host" if demo.transport == "shm" else f"unix://{demo.environment['XDG_RUNTIME_DIR']}"
    if demo.transport == "unix":
        folder = next(EXAMPLE.__class__(demo.environment["XDG_RUNTIME_DIR"]).iterdir())
        address = f"unix://{folder}/host.sock"
    for data in ('{}', '"text"', '{"load":"<b>x","cores":7,"memory":null}', "[1,2,3]"):
        demo.weir("pub", address, data)
        assert demo.get("/").status == 200
    browser.until_states(ALL_LIVE, "every value to be live")
    assert demo.part("analyse") == pid


@pytest.mark.parametrize("name", SOURCES)
def test_odd_message_is_passed_over(demo, browser, name):
    """Anybody may send to a channel: a message of another shape stops neither an open page nor one that begins with it.
    Comes last: what it sends stays in the channels."""
    open_page(browser, demo)
    if demo.transport == "shm" or name not in ("host", "jitter"):
        for data in ('{"load": 99}', '[]', '"x"', 'null'):
            demo.weir("pub", f"demo/{name}", data)
    browser.do("open", url=demo.url + "/", options={})
    browser.until_states(ALL_LIVE, "every value to be live in spite of it")
    first = browser.text('[data-seq-of="host"]')
    until(lambda: browser.text('[data-seq-of="host"]') != first, "the page to go on")
