"""tcp:// from outside: who may use which address, listeners that go, IPv6, names; and TLS with right and wrong keys and certificates."""
import json
import os
import signal
import socket
import ssl
import subprocess

import pytest

from conftest import DEADLINE_S, port_of, until


def address(weir, options="", name="a", host=None):
    place = port_of(weir, name)
    if host:
        place = host + ":" + place.split(":")[1]
    return "tcp://%s%s" % (place, options)


def numbers(weir, process):
    out, _ = weir.finish(process)
    return [json.loads(line)["data"] for line in out.splitlines()]


def exchange(weir, pub_address, sub_address=None):
    """One message through, from one process to another."""
    sub = weir.start("sub", sub_address or pub_address, "-n", "1", "--json")
    weir.until_end("reader", sub)
    weir.run("pub", pub_address, "7")
    assert numbers(weir, sub) == [7]


@pytest.mark.parametrize("bad, says", [
    ("tcp://127.0.0.1", "tcp://HOST:PORT"), ("tcp://127.0.0.1:0", "1 to 65535"),
    ("tcp://127.0.0.1:65536", "1 to 65535"),
    ("tcp://127.0.0.1:http", "1 to 65535"), ("tcp://:5555", "tcp://HOST:PORT"), ("tcp://::1:5555", "brackets"),
    ("tcp://192.0.2.1:5555", "psk=FILE"), ("tcp://192.0.2.1:5555", "insecure=1"), ("tcp://0.0.0.0:5555", "insecure=1"),
    ("tcp://[2001:db8::1]:5555", "beyond this machine"), ("tcp://127.0.0.1:5555?psk=relative", "absolute path"),
    ("tcp://127.0.0.1:5555?psk=/a&cert=/b", "leave it out"), ("tcp://127.0.0.1:5555?key=/a", "cert=FILE"),
    ("tcp://127.0.0.1:5555?allow=uid:0", "has no option"), ("unix:///tmp/a?psk=/a", "has no option"),
])
def test_addresses_that_are_refused(weir, bad, says):
    assert says in weir.error(2, "pub", bad, "1")


def test_a_host_that_is_not_there(weir):
    assert "no-such-host.invalid" in weir.error(2, "pub", "tcp://no-such-host.invalid:5555", "1")


def test_names_and_numbers_meet(weir):
    exchange(weir, address(weir, host="localhost"), address(weir, host="127.0.0.1"))


def test_ipv6(weir):
    if not socket.has_ipv6 or not os.path.exists("/proc/net/if_inet6"):
        pytest.skip("this machine has no IPv6")
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as problem:
        pytest.skip("no [::1] here: %s" % problem)
    exchange(weir, address(weir, host="[::1]"))


def test_insecure_beyond_loopback(weir):
    """The machine's every address, with the word that says so."""
    exchange(weir, address(weir, "?insecure=1", host="0.0.0.0"))


def test_a_port_that_somebody_else_has(weir):
    host, port = port_of(weir, "a").split(":")
    with socket.create_server((host, int(port))):
        assert "listens" in weir.error(1, "serve", address(weir), "--op", "x", "--command", "cat")


def test_info_names_who_listens(weir):
    sub = weir.start("sub", address(weir))
    weir.until_end("reader", sub)
    found = json.loads(weir.out("info", address(weir), "--json"))
    assert (found["state"], found["security"], found["listener"]["pid"]) == ("live", "none", sub.pid)
    weir.error(3, "info", address(weir, name="nobody"))


@pytest.mark.parametrize("first", ["sub", "pub"])
def test_the_listener_is_killed_and_the_rest_go_on(weir, first):
    """Whoever came first listens; when it is killed the others meet again, and it may come back."""
    def start(verb):
        return weir.start("sub", address(weir), "--json") if verb == "sub" else \
            weir.start("pub", address(weir), "1", "-n", "1000000", "--rate", "200")
    one = start(first)
    weir.until_end("reader" if first == "sub" else "writer", one)
    subs = [start("sub") for _ in range(2)]
    for sub in subs:
        weir.until_end("reader", sub)
    pub = start("pub")
    weir.until_end("writer", pub)
    for sub in subs:
        assert json.loads(sub.stdout.readline())["data"] == 1
    for _ in range(3):
        one.send_signal(signal.SIGKILL)
        one.wait()
        one = start(first)
        weir.until_end("reader" if first == "sub" else "writer", one)
        for sub in subs:
            seen = json.loads(sub.stdout.readline())["seq"]
            until(lambda: json.loads(sub.stdout.readline())["seq"] > seen, "more messages")


def test_a_listener_that_goes_loses_nothing(weir):
    """It takes what has been sent to it, and the writer keeps the rest for the next one."""
    count = 3000
    first = weir.start("sub", address(weir), "-n", "500", "--json")
    weir.until_end("reader", first)
    second = weir.start("sub", address(weir), "-n", str(count), "--json")
    weir.until_end("reader", second)
    pub = weir.start("pub", address(weir, "?readers=2"), "1", "-n", str(count))
    assert len(numbers(weir, first)) == 500
    out, _ = weir.finish(second)
    assert [json.loads(line)["seq"] for line in out.splitlines()] == list(range(1, count + 1))
    weir.finish(pub)


# ---- TLS ----

def key_file(weir, name, content=os.urandom(32), mode=0o600):
    path = os.path.join(weir.folder, name)
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, mode)
    return path


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=DEADLINE_S)


class Authority:
    """Certificates, made by openssl."""

    def __init__(self, weir, name="ca"):
        self.weir, self.name = weir, name
        self.key, self.cert = self.path(name + ".key"), self.path(name + ".pem")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.key,
                "-out", self.cert, "-subj", "/CN=" + name, "-days", "30")

    def path(self, name):
        return os.path.join(self.weir.folder, name)

    def sign(self, name, subject="IP:127.0.0.1,DNS:localhost", days="30"):
        """The options cert= and key= for a new certificate."""
        key, request, cert, extensions = (self.path(name + end) for end in (".key", ".csr", ".pem", ".ext"))
        with open(extensions, "w") as file:
            file.write("subjectAltName=" + subject)
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out",
                request,
                "-subj", "/CN=" + name)
        openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial", "-out", cert,
                "-days", days, "-extfile", extensions)
        return "cert=%s&key=%s" % (cert, key)


def at(weir, options):
    return address(weir, "?" + options, host="127.0.0.1")


def listening(weir, options):
    sub = weir.start("sub", at(weir, options + "&listen=1"), "-n", "1", "--json")
    weir.until_end("reader", sub)
    return sub


def refused(weir, options):
    """What an end is told that is not let in."""
    return weir.error(6, "pub", at(weir, options + "&connect=1&timeout=5s"), "1")


def test_a_secret(weir):
    secret = key_file(weir, "psk")
    exchange(weir, at(weir, "psk=" + secret))
    text = key_file(weir, "hex", open(secret, "rb").read().hex().encode() + b"\n")
    exchange(weir, at(weir, "psk=" + secret), at(weir, "psk=" + text))
    serve = weir.start("serve", at(weir, "psk=" + secret), "--op", "double", "--command", "jq '.*2'")
    weir.until_end("server", serve)
    assert weir.out("call", at(weir, "psk=" + secret), "double", "21").strip() == "42"


def test_a_wrong_secret(weir):
    sub = listening(weir, "psk=" + key_file(weir, "right", b"r" * 32))
    assert "another key" in refused(weir, "psk=" + key_file(weir, "wrong", b"w" * 32))
    ca = Authority(weir)
    refused(weir, ca.sign("end") + "&ca=" + ca.cert)
    weir.run("pub", at(weir, "psk=" + os.path.join(weir.folder, "right")), "7")
    assert numbers(weir, sub) == [7]


@pytest.mark.parametrize("content, mode, code, says", [
    (b"x" * 32, 0o640, 6, "chmod 600"), (b"x" * 32, 0o604, 6, "chmod 600"), (b"x" * 31, 0o600, 2, "32 bytes"),
    (b"z" * 64, 0o600, 2, "64 hexadecimal digits"), (b"", 0o600, 2, "32 bytes"), (b"0" * 66, 0o600, 2, "32 bytes")])
def test_secrets_that_are_none(weir, content, mode, code, says):
    path = key_file(weir, "psk", content, mode)
    said = weir.error(code, "pub", at(weir, "psk=" + path), "1")
    assert says in said and path in said


def test_certificates(weir):
    ca = Authority(weir)
    options = ca.sign("one") + "&ca=" + ca.cert
    exchange(weir, at(weir, options))
    exchange(weir, at(weir, options), at(weir, ca.sign("two") + "&ca=" + ca.cert))
    # Without ca= at the listener nobody else needs a certificate.
    sub = listening(weir, ca.sign("three"))
    weir.run("pub", at(weir, "ca=" + ca.cert), "7")
    assert numbers(weir, sub) == [7]
    assert "who listens needs a certificate" in weir.error(2, "sub", at(weir, "ca=%s&listen=1" % ca.cert))


def test_certificates_that_are_not_good(weir):
    ca, other = Authority(weir), Authority(weir, "other")
    trust = "&ca=" + ca.cert
    good = ca.sign("good") + trust
    sub = listening(weir, good)
    assert "wants a certificate" in refused(weir, "ca=" + ca.cert)
    assert "does not know who has signed" in refused(weir, other.sign("stranger") + trust)
    assert "not valid here" in refused(weir, ca.sign("mine") + "&ca=" + other.cert)
    assert "expired" in refused(weir, ca.sign("old", days="-1") + trust)
    weir.run("pub", at(weir, good), "7")
    assert numbers(weir, sub) == [7]
    sub = listening(weir, ca.sign("elsewhere", "DNS:elsewhere.example") + trust)
    assert "IP address mismatch" in refused(weir, good)
    sub.kill()
    sub.wait()
    sub = listening(weir, ca.sign("old2", days="-1") + trust)
    assert "expired" in refused(weir, good)
    sub.kill()


def test_keys_that_do_not_fit(weir):
    ca = Authority(weir)
    one, two = ca.sign("one"), ca.sign("two")
    mixed = one.split("&")[0] + "&" + two.split("&")[1]
    assert "is not the key of" in weir.error(2, "pub", at(weir, mixed), "1")
    os.chmod(os.path.join(weir.folder, "one.key"), 0o644)
    assert "chmod 600" in weir.error(6, "pub", at(weir, one), "1")
    assert "no certificate that can be used" in weir.error(2, "pub", at(weir, "cert=" + key_file(weir, "junk", b"junk")), "1")
    assert "/nowhere" in weir.error(3, "pub", at(weir, two + "&ca=/nowhere"), "1")


def test_who_does_not_speak_tls(weir):
    secret = "psk=" + key_file(weir, "psk")
    sub = listening(weir, secret)
    assert "speaks TLS" in weir.error(6, "pub", at(weir, "connect=1&timeout=5s"), "1")
    host, port = at(weir, "").split("//")[1].split("?")[0].split(":")
    with socket.create_connection((host, int(port)), DEADLINE_S) as connection:
        connection.sendall(b'{"op":"x","data":1}\n')
        assert "speaks TLS" in json.loads(connection.makefile().readline())["error"]["text"]
    weir.run("pub", at(weir, secret), "7")
    assert numbers(weir, sub) == [7]
    sub = listening(weir, "keep=1")
    assert "does not speak TLS" in refused(weir, secret)
    sub.kill()


def test_plain_peers_inside_tls(weir):
    """JSON lines of Python's ssl, with a certificate of its own."""
    ca = Authority(weir)
    serve = weir.start("serve", at(weir, ca.sign("server") + "&ca=" + ca.cert), "--op", "double", "--command", "jq -c '.*2'")
    weir.until_end("server", serve)
    context = ssl.create_default_context(cafile=ca.cert)
    mine = dict(pair.split("=") for pair in ca.sign("python").split("&"))
    context.load_cert_chain(mine["cert"], mine["key"])
    host, port = at(weir, "").split("//")[1].split("?")[0].split(":")
    plain = socket.create_connection((host, int(port)), DEADLINE_S)
    with context.wrap_socket(plain, server_hostname=host) as connection:
        assert connection.version() == "TLSv1.3"
        connection.sendall(b'{"jsonrpc":"2.0","method":"double","params":21,"id":1}\n')
        assert json.loads(connection.makefile().readline()) == {"jsonrpc": "2.0", "result": 42, "id": 1}


def test_who_cuts_the_connection_does_not_shorten_a_message(weir):
    """The last line may lack its end, but only if its sender says that this was all, which who cuts the connection cannot."""
    ca = Authority(weir)
    sub = weir.start("sub", at(weir, ca.sign("server") + "&ca=" + ca.cert + "&framing=jsonl"), "-n", "3", "--json")
    weir.until_end("reader", sub)
    context = ssl.create_default_context(cafile=ca.cert)
    mine = dict(pair.split("=") for pair in ca.sign("python").split("&"))
    context.load_cert_chain(mine["cert"], mine["key"])
    host, port = at(weir, "").split("//")[1].split("?")[0].split(":")
    for text, is_cut in ((b'{"data":1}\n12345', True), (b'{"data":2}\n3', False)):
        connection = context.wrap_socket(socket.create_connection((host, int(port)), DEADLINE_S), server_hostname=host)
        connection.sendall(text)
        bare = socket.socket(fileno=connection.detach()) if is_cut else connection.unwrap()
        bare.settimeout(DEADLINE_S)
        bare.shutdown(socket.SHUT_WR)
        while bare.recv(4096):
            pass
        bare.close()
    assert numbers(weir, sub) == [1, 2, 3]


def test_handshakes_that_do_not_end(weir):
    """Silence, half a handshake and a flood of bytes before it: closed in time, and nobody else waits."""
    secret = "psk=" + key_file(weir, "psk")
    sub = listening(weir, secret)
    host, port = at(weir, "").split("//")[1].split("?")[0].split(":")
    hello = bytes.fromhex("1603010200010001fc0303") + b"\0" * 100
    quiet = [socket.create_connection((host, int(port)), DEADLINE_S) for _ in range(3)]
    quiet[1].sendall(hello)
    quiet[2].sendall(b"\x16\x03\x01\x40\x00" + b"\0" * 16384)
    with socket.create_connection((host, int(port)), DEADLINE_S) as flood:
        try:
            for _ in range(100):
                flood.sendall(b"\x16\x03\x01\x40\x00" + b"\x01" * 16384)
            flood.recv(100)
        except OSError:
            pass
    weir.run("pub", at(weir, secret), "7")
    assert numbers(weir, sub) == [7]
    for connection in quiet:
        connection.close()


def test_a_lot_through_tls_while_ends_come_and_go(weir):
    secret = "psk=" + key_file(weir, "psk")
    count = 20000
    sub = weir.start("sub", at(weir, secret + "&capacity=64K"), "-n", str(count), "--json")
    weir.until_end("reader", sub)
    pubs = [weir.start("pub", at(weir, secret), "1", "-n", str(count // 4)) for _ in range(4)]
    assert len(numbers(weir, sub)) == count
    for pub in pubs:
        weir.finish(pub)
