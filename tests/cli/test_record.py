"""weir record and weir play: what comes out again is what went in, through kills, damage, rotation, at any speed."""
import json
import os
import signal
import time

import pytest

from conftest import until

CODECS = ["json", "cbor", "smile", "bson"]


def log(weir, name="a.weir"):
    return os.path.join(weir.folder, name)


def lines_of(weir, address, count, *options):
    return [json.loads(line) for line in
            weir.out("sub", address, "--from", "oldest", "-n", str(count), "--timeout", "15s", *options).splitlines()]


def last_seq(weir, path):
    """The number of the last message that is in the log; 0 while there is none."""
    if not os.path.exists(path):
        return 0
    found = weir.out("sub", "file://" + path, "--from", "last", "-n", "1", "--timeout", "50ms") \
        if os.path.getsize(path) > 128 else ""
    return json.loads(found)["seq"] if found else 0


def recording(weir, *arguments, readers=1, **options):
    process = weir.start("record", "-o", log(weir), *arguments, **options)
    until(lambda: len([end for role in ("reader", "observer") for end in weir.ends(role) if end["pid"] == process.pid]) == readers, "readers")
    weir.until_end("writer", process)
    return process


def filled(weir, count=4):
    """A recording of two channels, one with all codecs, one with arrays."""
    process = recording(weir, "lab/maps", "lab/arrays", "-n", str(2 * count), readers=2)
    for i in range(count):
        weir.run("pub", "lab/maps", json.dumps({"i": i}), "--codec", CODECS[i % 4], "--op", "map", "--meta",
                 '{"unit":"V"}')
        weir.run("pub", "lab/arrays", json.dumps([i, 2.5]), "--type", "f32[2]", "--op", "array")
    assert weir.finish(process)[1] == ""
    return log(weir)


def test_what_a_recording_is(weir):
    path = filled(weir)
    lines = lines_of(weir, "file://" + path, 8)
    assert [line["meta"]["from"] for line in lines] == ["shm://lab/maps", "shm://lab/arrays"] * 4
    assert [line["meta"]["seq"] for line in lines if line["op"] == "map"] == [1, 2, 3, 4]
    assert all(line["meta"]["time"] <= line["time"] for line in lines)
    assert [line["data"] for line in lines[:2]] == [{"i": 0}, [0, 2.5]]
    assert lines[0]["meta"]["meta"] == {"unit": "V"} and "meta" not in lines[1]["meta"]


@pytest.mark.parametrize("codec", CODECS + ["raw"])
def test_every_byte_and_the_time_come_back(weir, codec, place):
    """On each transport, in each codec: what a reader of the original saw, a reader of the replay sees."""
    here, there = place("lab/here"), place("lab/there")
    how = ["--type", "f64[2]"] if codec == "raw" else ["--codec", codec]
    process = recording(weir, here, "-n", "3")
    originals = [weir.start("sub", here, "-n", "3", *raw) for raw in ([], ["--raw"])]
    for one in originals:
        weir.until_end("reader", one)
    weir.run("pub", here + "?readers=3", "[1.5,2]", *how, "-n", "3", "--op", "x", "--meta", '{"a":[1]}')
    weir.finish(process)
    replays = [weir.start("sub", there, "-n", "3", *raw) for raw in ([], ["--raw"])]
    for one in replays:
        weir.until_end("reader", one)
    weir.run("play", log(weir), "--map", "%s=%s" % (here, there), "--readers", "2", "--stamp", "original")
    printed = [one.communicate(timeout=60)[0] for one in originals]
    assert [one.communicate(timeout=60)[0] for one in replays] == printed and all(printed)


def test_killed_while_recording(weir):
    """Everything that the log held before the kill, and nothing half, comes out again."""
    process = recording(weir, "lab/a?max=4M", "lab/b", readers=2)
    writers = [weir.start("pub", "lab/a", '{"x":"%s"}' % ("a" * 3000), "--rate", "2000", "-n", "100000", "--codec",
                          "bson"),
               weir.start("pub", "lab/b", "[1,2,3]", "--type", "u16[3]", "--rate", "2000", "-n", "100000")]
    before = until(lambda: last_seq(weir, log(weir)) > 200 and last_seq(weir, log(weir)), "messages in the log")
    process.send_signal(signal.SIGKILL)
    process.wait()
    for writer in writers:
        writer.send_signal(signal.SIGKILL)
    count = last_seq(weir, log(weir))
    assert count >= before
    recorded = lines_of(weir, "file://" + log(weir), count)
    for name in ("a", "b"):
        mine = [line["meta"]["seq"] for line in recorded if line["meta"]["from"].endswith(name)]
        assert mine == list(range(mine[0], mine[0] + len(mine))) and mine
    targets = [weir.start("sub", "lab/%s2" % name) for name in "ab"]
    for target in targets:
        weir.until_end("reader", target)
    weir.run("play", log(weir), "--speed", "max", "--map", "lab/a=lab/a2", "--map", "lab/b=lab/b2")
    played = []
    for target, name in zip(targets, "ab"):
        wanted = [line["data"] for line in recorded if line["meta"]["from"].endswith(name)]
        played.append([json.loads(target.stdout.readline())["data"] for _ in wanted])
        assert played[-1] == wanted
    assert sum(map(len, played)) == count


def test_a_killed_recorder_goes_on_in_the_same_log(weir):
    for round_ in range(2):
        process = recording(weir, "lab/a", stderr=None)
        weir.run("pub", "lab/a?readers=1", str(round_))
        until(lambda: last_seq(weir, log(weir)) == round_ + 1, "the message in the log")
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert [line["data"] for line in lines_of(weir, "file://" + log(weir), 2)] == [0, 1]


def test_history_of_two_channels_is_sorted(weir):
    for name in ("lab/a", "lab/b", "lab/a", "lab/b"):
        weir.run("pub", name, '"%s"' % name)
    weir.run("record", "-o", log(weir), "lab/a", "lab/b", "--from", "oldest", "-n", "4")
    assert [line["data"] for line in lines_of(weir, "file://" + log(weir), 4)] == ["lab/a", "lab/b", "lab/a", "lab/b"]


def test_losses_are_told_and_recorded(weir):
    process = recording(weir, "lab/a?observe=1", "-n", "2")
    weir.run("pub", "lab/a?capacity=4K", "0")
    until(lambda: last_seq(weir, log(weir)) == 1, "the first message")
    process.send_signal(signal.SIGSTOP)
    weir.run("pub", "lab/a?capacity=4K", '"%s"' % ("x" * 1000), "-n", "200")
    process.send_signal(signal.SIGCONT)
    assert "lost before seq" in weir.finish(process)[1]
    second = lines_of(weir, "file://" + log(weir), 2)[1]["meta"]
    assert second["gap"] == second["seq"] - 2 > 0


def test_ends(weir):
    assert "no message for" in weir.run("record", "-o", log(weir), "lab/a", "--timeout", "50ms", code=4).stderr.decode()
    process = recording(weir, "lab/a")
    process.send_signal(signal.SIGINT)
    weir.finish(process, 130)


def test_default_name(weir):
    weir.run("pub", "lab/a", "1")
    process = weir.start("record", "lab/a", "--from", "oldest", "-n", "1", cwd=weir.folder)
    _, said = weir.finish(process)
    names = [name for name in os.listdir(weir.folder) if name.endswith(".weir")]
    assert len(names) == 1 and "recording to " + names[0] in said
    assert lines_of(weir, "file://%s/%s" % (weir.folder, names[0]), 1)[0]["data"] == 1


def test_rotation_and_sync(weir):
    weir.run("pub", "lab/a?capacity=4M", '"%s"' % ("x" * 1000), "-n", "2000")
    weir.run("record", "-o", log(weir), "lab/a", "--from", "oldest", "-n", "2000", "--rotate", "64K", "--files", "40",
             "--sync", "always", "--age", "1h")
    assert os.path.exists(log(weir) + ".3")
    weir.run("play", log(weir), "--speed", "max", "--map", "lab/a=lab/b?capacity=4M")
    assert len(lines_of(weir, "lab/b", 2000)) == 2000


def test_refusals(weir):
    assert ".weir" in weir.error(2, "record", "-o", "a.jsonl", "lab/a")
    assert "twice" in weir.error(2, "record", "-o", log(weir), "lab/a", "shm://lab/a?observe=1")
    assert "itself" in weir.error(2, "record", "-o", log(weir), "file://" + log(weir))
    assert "sync=soon" in weir.error(2, "record", "-o", log(weir), "lab/a", "--sync", "soon")
    assert "question mark" in weir.error(2, "record", "-o", "a?.weir", "lab/a")
    weir.error(3, "record", "-o", log(weir), "lab/a?create=0")
    assert not os.path.exists(log(weir))
    assert "FROM=TO" in weir.error(2, "play", log(weir), "--map", "lab/b")
    assert "--speed 0" in weir.error(2, "play", log(weir), "--speed", "0")
    assert "now and original" in weir.error(2, "play", log(weir), "--stamp", "then")
    assert weir.error(3, "play", log(weir)) == (
        "weir: %s: there is no such recording; weir record -o %s CHANNEL makes it\n" % (log(weir), log(weir)))


# ---- play ----

def paced(weir, seconds):
    """A recording of three messages, the last so many seconds after the first."""
    start = time.time_ns()
    for i in range(3):
        meta = {"from": "shm://lab/a", "seq": i + 1, "time": start + int(i * seconds * 0.5e9)}
        weir.run("pub", "file://" + log(weir), str(i), "--meta", json.dumps(meta))
    return log(weir)


def played_for(weir, *options):
    begin = time.monotonic()
    weir.run("play", log(weir), *options)
    return time.monotonic() - begin


def test_pauses(weir):
    paced(weir, 3)
    target = weir.start("sub", "lab/a", "-n", "3")
    weir.until_end("reader", target)
    assert played_for(weir) >= 3
    times = [json.loads(line)["time"] for line in weir.finish(target)[0].splitlines()]
    assert times[2] - times[0] >= 2.9e9 and times[1] - times[0] >= 1.4e9


def test_speed(weir):
    paced(weir, 1000)
    assert 2 <= played_for(weir, "--speed", "500") < 15
    assert played_for(weir, "--speed", "max") < 15


def test_late_is_made_up_for(weir):
    """The moments are counted from the first message: what was held up does not hold up what comes later."""
    paced(weir, 3)
    target = weir.start("sub", "lab/a", "-n", "3")
    weir.until_end("reader", target)
    process = weir.start("play", log(weir))
    until(lambda: weir.ends("writer"), "a writer")
    process.send_signal(signal.SIGSTOP)
    time.sleep(3.5)  # all are due by then
    process.send_signal(signal.SIGCONT)
    weir.finish(process)
    times = [json.loads(line)["time"] for line in weir.finish(target)[0].splitlines()]
    assert times[2] - times[1] < 1.4e9, "the last two go out together, not with a pause between"


def test_loop(weir):
    paced(weir, 0)
    target = weir.start("sub", "lab/a", "-n", "9")
    weir.until_end("reader", target)
    process = weir.start("play", log(weir), "--loop", "--speed", "max")
    assert [json.loads(line)["data"] for line in weir.finish(target)[0].splitlines()] == [0, 1, 2] * 3
    process.send_signal(signal.SIGINT)
    weir.finish(process, 130)


def test_only_and_map(weir):
    path = filled(weir)
    weir.run("play", path, "--speed", "max", "--only", "lab/maps", "--map", "shm://lab/maps=lab/new?codec=json")
    assert [line["data"] for line in lines_of(weir, "lab/new", 4)] == [{"i": i} for i in range(4)]
    assert len(lines_of(weir, "lab/arrays", 4)) == 4
    said = weir.run("play", path, "--speed", "max", "--only", "lab/map", "--map", "lab/x=lab/y", code=3).stderr.decode()
    assert "--only lab/map: there is nothing" in said and "--map lab/x=lab/y" in said and "nothing to play" in said


def test_from(weir):
    path = filled(weir)
    weir.run("play", path, "--speed", "max", "--from", "seq:7", "--map", "lab/maps=lab/m", "--map", "lab/arrays=lab/n")
    assert lines_of(weir, "lab/m", 1)[0]["data"] == {"i": 3}
    assert lines_of(weir, "lab/n", 1)[0]["data"] == [3, 2.5]


def test_readers_are_waited_for(weir):
    path = filled(weir)
    process = weir.start("play", path, "--readers", "1", "--only", "lab/maps", "--map", "lab/maps=lab/m")
    weir.until_end("writer", process)
    assert process.poll() is None
    target = weir.start("sub", "lab/m", "-n", "4")
    weir.finish(process)
    assert [json.loads(line)["data"]["i"] for line in weir.finish(target)[0].splitlines()] == [0, 1, 2, 3]


def test_damage_is_told_and_passed_over(weir):
    path = filled(weir, 20)
    with open(path, "r+b") as file:
        content = file.read()
        at = content.index(b"\x61\x69\x05")  # {"i": 5} in CBOR, sent as the sixth map
        file.seek(at + 2)
        file.write(b"\x18")
    mapped = ["--map", "lab/maps=lab/m", "--map", "lab/arrays=lab/n"]
    said = weir.run("play", path, "--speed", "max", *mapped).stderr.decode()
    assert path in said and "1 message lost before seq" in said
    assert [line["data"]["i"] for line in lines_of(weir, "lab/m", 19)] == [i for i in range(20) if i != 5]
    assert len(lines_of(weir, "lab/n", 20)) == 20


def test_what_is_no_recording_is_passed_over(weir):
    path = filled(weir)
    weir.run("pub", "file://" + path, "1")
    weir.run("pub", "file://" + path, "1", "--meta", '{"from":"shm://lab/maps","seq":1,"meta":7}')
    said = weir.run("play", path, "--speed", "max").stderr.decode()
    assert "2 messages that weir record has not made: passed over" in said
    weir.run("pub", "file://" + log(weir, "b.weir"), "1")
    assert "nothing to play" in weir.run("play", log(weir, "b.weir"), code=3).stderr.decode()


def test_messages_without_time_or_data(weir):
    process = recording(weir, "lab/a", "-n", "2")
    weir.run("pub", "lab/a?stamp=0", "1", "-n", "2", "--op", "x")
    weir.finish(process)
    weir.run("play", log(weir), "--stamp", "original", "--map", "lab/a=lab/b")
    lines = lines_of(weir, "lab/b", 2)
    assert [line["time"] for line in lines] in ([0, 0], [None, None]) and lines[0]["op"] == "x"
