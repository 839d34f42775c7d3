"""weir call and weir serve, on each transport."""
import json
import os
import signal
import socket

import pytest

from conftest import port_of, until


@pytest.fixture
def serve(weir, place):
    """Start a server and wait until it is there; gives the address to call."""
    def start(*options):
        process = weir.start("serve", place("lab/server"), *options)
        weir.until_end("server", process)
        start.process = process
        return place("lab/server")
    return start


def test_reply_is_json(weir, serve):
    address = serve("--op", "sum", "--command", "jq -c add")
    assert weir.out("call", address, "sum", "[1,2,3.5]") == "6.5\n"
    assert weir.out("call", address, "sum", '["a","b"]') == '"ab"\n'


def test_reply_that_is_no_json_is_text(weir, serve):
    address = serve("--op", "who", "--command", "printf 'operation %s' \"$WEIR_OP\"")
    assert weir.out("call", address, "who") == '"operation who"\n'


def test_no_reply_data(weir, serve):
    assert weir.out("call", serve("--op", "x", "--command", "true"), "x", "1") == "null\n"


def test_whole_reply(weir, serve):
    address = serve("--op", "x", "--command", "cat")
    reply = json.loads(weir.out("call", address, "x", '{"a":1}', "--json", "--meta", '{"who":"me"}'))
    assert reply["v"] == 1 and reply["data"] == {"a": 1}


def test_large_request_and_reply(weir, serve):
    numbers = list(range(20000))
    address = serve("--op", "echo", "--command", "cat")
    assert json.loads(weir.out("call", address, "echo", json.dumps(numbers))) == numbers


def test_command_that_does_not_read_its_input(weir, serve):
    address = serve("--op", "x", "--command", "echo 1")
    assert weir.out("call", address, "x", json.dumps("x" * 100000)) == "1\n"


def test_failing_command_fails_the_call_with_its_last_words(weir, serve):
    address = serve("--op", "x", "--command", "echo first >&2; echo the disk is gone >&2; exit 9")
    assert "the disk is gone" in weir.error(1, "call", address, "x")
    silent = weir.error(1, "call", address, "x")
    assert "first" not in silent


def test_silent_failure_names_the_exit_code(weir, serve):
    assert "ended with 7" in weir.error(1, "call", serve("--op", "x", "--command", "exit 7"), "x")


def test_other_operation_is_refused(weir, serve):
    said = weir.error(1, "call", serve("--op", "sum", "--command", "cat"), "product")
    assert '"product"' in said and '"sum"' in said


def test_serve_ends_after_n(weir, serve):
    address = serve("--op", "x", "--command", "cat", "-n", "2", "--json")
    weir.run("call", address, "x", "1")
    weir.run("call", address, "y", code=1)
    out, _ = weir.finish(serve.process)
    served = [json.loads(line) for line in out.splitlines()]
    assert served == [{"v": 1, "op": "x", "status": 0}, {"v": 1, "op": "y", "status": 404}]


def test_workers_run_at_the_same_time(weir, serve, tmp_path):
    """Each of three commands waits until all three have begun: one after the other they would never end."""
    command = (f"touch {tmp_path}/$(cat); while [ $(ls {tmp_path} | wc -l) -lt 3 ]; do sleep 0.05; done; "
               'printf %s "$WEIR_OP"')
    address = serve("--command", command, "--workers", "3", "-n", "3")
    calls = [weir.start("call", address, f"op{i}", str(i), "--timeout", "30s") for i in range(3)]
    assert [weir.finish(call)[0] for call in calls] == [f'"op{i}"\n' for i in range(3)]
    weir.finish(serve.process)
    assert sorted(os.listdir(tmp_path)) == ["0", "1", "2"]


@pytest.mark.parametrize("how", ["timeout", "interrupt", "kill"])
def test_a_call_that_is_given_up_ends_its_command(weir, serve, tmp_path, how):
    address = serve("--command", f"echo $$ > {tmp_path}/shell; sleep 60")
    calling = weir.start("call", address, "x", *(["--timeout", "3s"] if how == "timeout" else []))
    until(lambda: (tmp_path / "shell").exists() and (tmp_path / "shell").read_text().strip(), "the command to run")
    group = os.getpgid(int((tmp_path / "shell").read_text()))
    if how == "interrupt":
        calling.send_signal(signal.SIGINT)
    elif how == "kill":
        calling.kill()
    calling.communicate()
    assert calling.returncode == {"timeout": 4, "interrupt": 130, "kill": -signal.SIGKILL}[how]
    until(lambda: not group_members(group), "the command to end")
    (tmp_path / "shell").unlink()
    again = weir.start("call", address, "x", "--timeout", "60s")
    until(lambda: (tmp_path / "shell").exists(), "the next command to run")
    again.send_signal(signal.SIGINT)
    again.communicate()


def test_retry_asks_the_next_server(weir, serve, tmp_path):
    address = serve("--command", f"echo > {tmp_path}/runs; sleep 60")
    waiting = weir.start("call", address, "x", "1", "--retry", "--timeout", "60s")
    until((tmp_path / "runs").exists, "the command to run")
    serve.process.kill()
    serve.process.wait(timeout=60)
    serve("--command", "cat")
    assert weir.finish(waiting)[0] == "1\n"


def group_members(group):
    """The processes of a group that live: a zombie is dead, and only waits for its parent."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            with open(f"/proc/{int(entry)}/stat") as file:
                state, _, its_group = file.read().rpartition(")")[2].split()[:3]
        except (ValueError, OSError):
            continue
        if int(its_group) == group and state != "Z":
            found.append(int(entry))
    return found


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("command", ["sleep 60 | cat", "trap '' TERM; sleep 60 | cat"], ids=["willing", "stubborn"])
def test_what_a_command_started_ends_with_the_server(weir, serve, tmp_path, how, command):
    """The shell, and what it started: none may live on when the server is told to end, or killed; not even who ignores SIGTERM."""
    address = serve("--op", "x", "--command", f"echo $$ > {tmp_path}/shell; {command}")
    waiting = weir.start("call", address, "x")
    until(lambda: (tmp_path / "shell").exists() and (tmp_path / "shell").read_text().strip(), "the command to run")
    shell = int((tmp_path / "shell").read_text())
    group = os.getpgid(shell)
    assert group != os.getpgid(serve.process.pid)
    assert shell in group_members(group)
    serve.process.send_signal(how)
    serve.process.wait(timeout=60)
    until(lambda: not group_members(group), "the command's processes to end")
    waiting.kill()
    waiting.communicate()


def test_a_killed_server_leaves_its_channel_free(weir, serve, tmp_path):
    """What its command started holds nothing of the server's: the next one can serve at once."""
    address = serve("--op", "x", "--command", f"trap '' TERM; echo > {tmp_path}/runs; sleep 60")
    waiting = weir.start("call", address, "x")
    until((tmp_path / "runs").exists, "the command to run")
    serve.process.kill()
    serve.process.wait(timeout=60)
    serve("--op", "x", "--command", "cat")
    assert weir.out("call", address, "x", "1") == "1\n"
    waiting.kill()
    waiting.communicate()


def test_nobody_serves(weir, place):
    address = place("lab/nobody")
    assert address in weir.error(4, "call", address, "x", "--timeout", "50ms")


def test_second_server_is_refused(weir, serve):
    address = serve("--op", "x", "--command", "cat")
    said = weir.error(1, "serve", address, "--op", "x", "--command", "cat")
    assert ("listens" if address.startswith("tcp") else "serve") in said


def test_server_that_dies_ends_the_call_with_8(weir, serve):
    mark = os.path.join(weir.folder, "mark")
    os.mkfifo(mark)
    address = serve("--op", "x", "--command", "echo here > %s; sleep 60" % mark)
    call = weir.start("call", address, "x", "--timeout", "20s")
    with open(mark) as file:
        assert file.read() == "here\n"
    serve.process.send_signal(signal.SIGKILL)
    _, said = weir.finish(call, 8)
    assert said.startswith("weir: ")


def test_ctrl_c_ends_serve_and_call_with_130(weir, serve):
    mark = os.path.join(weir.folder, "mark")
    os.mkfifo(mark)
    address = serve("--op", "x", "--command", "echo here > %s; exec sleep 60" % mark)
    call = weir.start("call", address, "x", "--timeout", "forever")
    with open(mark) as file:
        assert file.read() == "here\n"
    call.send_signal(signal.SIGINT)
    weir.finish(call, 130)
    serve.process.send_signal(signal.SIGINT)
    weir.finish(serve.process, 130)


def test_bad_data_and_meta(weir):
    said = weir.error(5, "call", "lab/x", "op", "{")
    assert "DATA is no JSON" in said and "'\"hello\"'" in said and "--stdin" not in said  # which is an option of pub's
    assert "--meta" in weir.error(5, "call", "lab/x", "op", "1", "--meta", "[1]")


# ---- no server, or nobody but one ----

def test_a_call_where_nobody_serves(weir, place):
    """A reader is no server that died: the call waits for one, says who is there where that is known, and loses nothing."""
    address = place("lab/server")
    sub = weir.start("sub", address)
    weir.until_end("reader", sub)
    said = weir.error(4, "call", address, "double", "1", "--timeout", "400ms")
    assert "nobody serves there" in said and "died" not in said
    if address.startswith(("unix:", "tcp:")):
        assert "a reader listens (weir, pid %d)" % sub.pid in said
    call = weir.start("call", address, "x", "[7]", "--timeout", "15s")
    weir.until_end("client", call)
    sub.kill()
    sub.wait()
    weir.start("serve", address, "--op", "x", "--command", "cat")
    assert weir.finish(call)[0] == "[7]\n"


def test_a_message_where_only_a_server_is(weir, place):
    """Refused where the two cannot meet; in shared memory the message stays, and the command says who is there."""
    address = place("lab/server")
    server = weir.start("serve", address, "--op", "x", "--command", "cat")
    weir.until_end("server", server)
    if address.startswith(("unix:", "tcp:")):
        for words in (("pub", address, "1"), ("sub", address)):
            said = weir.error(1, *words)
            assert "(pid %d) refuses: a server listens there already" % server.pid in said and "weir call" in said
        return
    done = weir.run("pub", address, "1")
    assert "only a server is there (weir, pid %d)" % server.pid in done.stderr.decode()
    assert weir.out("get", address) == "1\n"
    done = weir.run("sub", address, "--timeout", "300ms", code=4)
    assert "only a server is there (weir, pid %d)" % server.pid in done.stderr.decode()
    sub = weir.start("sub", address, "-n", "1")
    weir.until_end("reader", sub)
    assert weir.run("pub", address, "2").stderr == b""
    out, said = weir.finish(sub)
    assert json.loads(out)["data"] == 2 and "only a server" in said
    assert weir.out("call", address, "x", "3") == "3\n"


def test_a_call_where_a_program_listens_that_says_nothing(weir):
    """Whether that is a busy server of weir or anything else cannot be known at a port; that it is no answer can."""
    address = "tcp://" + port_of(weir, "silent")
    host, port = address[len("tcp://"):].split(":")
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, int(port)))
        listener.listen(8)
        said = weir.error(4, "call", address, "x", "1", "--timeout", "400ms")
    assert said == ("weir: %s: a program listens there and has not answered as weir does: a server that is busy or "
                    "stopped, or no end of weir; see who it is, or choose another path\n" % address)
