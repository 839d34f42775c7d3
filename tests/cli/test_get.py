"""weir get: the newest message, its age, and channels that have none."""
import json


def test_data_alone_is_json(weir):
    weir.run("pub", "lab/temp", "1.5")
    weir.run("pub", "lab/temp", '{"a":[1,"b"]}')
    assert weir.out("get", "lab/temp") == '{"a":[1,"b"]}\n'


def test_numbers_are_plain_arrays(weir):
    weir.run("pub", "lab/temp", "[[1,2],[3,4]]", "--type", "f32[2,2]")
    assert json.loads(weir.out("get", "lab/temp")) == [[1, 2], [3, 4]]


def test_json_is_the_whole_message(weir):
    weir.run("pub", "lab/temp", "1", "--op", "reading")
    message = json.loads(weir.out("get", "lab/temp", "--json"))
    assert (message["v"], message["seq"], message["op"], message["data"]) == (1, 1, "reading", 1)


def test_newest_of_a_later_writer(weir):
    for number in ("1", "2", "3"):
        weir.run("pub", "lab/temp", number)
    assert weir.out("get", "lab/temp") == "3\n"


def test_no_such_channel(weir):
    said = weir.error(3, "get", "lab/nobody")
    assert "lab/nobody" in said


def test_no_such_socket(weir):
    assert weir.folder in weir.error(3, "get", "unix://%s/nobody.sock" % weir.folder)


def test_newest_of_a_socket_while_its_writer_lives(weir, place):
    pub = weir.start("pub", place("lab/temp"), "7", "--rate", "20")
    weir.until_end("writer", pub)
    sub = weir.run("sub", place("lab/temp"), "-n", "1")
    assert json.loads(sub.stdout)["data"] == 7
    assert weir.out("get", place("lab/temp")) == "7\n"


def test_age(weir):
    weir.run("pub", "lab/temp", "1")
    assert weir.out("get", "lab/temp", "--max-age", "1h") == "1\n"
    assert "old" in weir.error(4, "get", "lab/temp", "--max-age", "0s")
    weir.run("pub", "lab/temp?stamp=0", "2")
    assert "no time" in weir.error(4, "get", "lab/temp", "--max-age", "1h")
