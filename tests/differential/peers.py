"""The runner's side of the peers: the table of them, the processes, and the frames to and from them (README.md)."""
import os
import shutil
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.environ.get("WEIR_SOURCE", os.path.dirname(os.path.dirname(HERE)))
BUILD = os.environ.get("WEIR_BUILD", os.path.join(SOURCE, "build", "release"))
PROGRAMS = os.path.join(BUILD, "tests", "differential")
FETCHED = os.path.join(BUILD, "differential")  # where fetch-peers put what registries have
HINT = "`make test-differential` installs it"

PLAIN, CANONICAL = 1, 4  # enum weir_codec_flags
NAMED, POLITE, FINITE, MILLISECONDS, NEAR_DECIMALS = 1, 2, 4, 8, 16  # enum manners of peer_weir.c
ASSIGNED, PLAIN_FLOATS, SHORT_DECIMALS = 32, 64, 128
CODECS = {"json": 1, "cbor": 2, "smile": 3, "bson": 4}
KINDS = ("null undefined bool int64 uint64 bigint float32 float64 decimal text bytes time array map ndarray "
         "tagged").split()


def kinds(*names):
    return sum(2 << KINDS.index(name) for name in names)


ALL = kinds(*KINDS)
COMMON = kinds("null", "bool", "int64", "float64", "text", "array", "map")


class Missing(Exception):
    """Why a peer cannot be started."""


class Peer:
    """One line of the table.

    codec, kinds, manners: the documents that weir makes for it. flags: how weir encodes them.
    same_bytes: the peer writes what it reads from weir byte for byte, and the other way round.
    folds: what the format or the peer does not tell apart, names of fold.py.
    wraps: the format holds other kinds as wrappers, which the peer reads as what they are made of.
    """

    def __init__(self, name, command, codec, carried, manners=0, flags=0, same_bytes=False, folds=(),
                 wraps=False):
        self.name, self.command, self.codec, self.kinds, self.manners = name, command, codec, carried, manners
        self.flags, self.same_bytes, self.folds, self.wraps = flags, same_bytes, set(folds), wraps

    def start(self):
        return Process(self.name, self.command())


def program(name):
    def command():
        path = os.path.join(PROGRAMS, name)
        if not os.path.exists(path):
            raise Missing("%s is not built: its library's -dev package was not there; %s" % (name, HINT))
        return [path]
    return command


def python(name, *arguments):
    def command():
        own = os.path.join(FETCHED, "venv", "bin", "python")
        return [own if os.path.exists(own) else sys.executable, os.path.join(HERE, name), *arguments]
    return command


def java(name, *arguments):
    def command():
        if not shutil.which("java") or not shutil.which("javac"):
            raise Missing("there is no JDK; " + HINT)
        jars = os.path.join(FETCHED, "jars")
        if not os.path.isdir(jars):
            raise Missing("Jackson's jars are not there; " + HINT)
        return ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", os.path.join(jars, "*"),
                os.path.join(HERE, name), *arguments]
    return command


JACKSON = COMMON | kinds("uint64", "bigint", "float32", "decimal", "bytes")
# What peers do otherwise with well-formed bytes, and how it is kept out of the documents:
#   cbor2 has one time in two tags, with microseconds: weir's are whole milliseconds.
#   cbor2's canonical form sorts keys by length first (RFC 7049 3.9), which is weir's order (RFC 8949 4.2.1) for texts.
#   libcbor 0.8 knows no tags 6 to 20 nor simple values (ASSIGNED), and writes subnormal halves and odd NaNs as other
#   halves (PLAIN_FLOATS).
#   Jackson 2.21 reads the bytes of CBOR's tags 2 and 3 as signed, so that those without a leading zero, which RFC 8949
#   3.4.3 prefers, come out as other numbers: no bignums, and SHORT_DECIMALS. Scales beyond 30 bits are too long for
#   its Smile: NEAR_DECIMALS.
#   Jackson's CBOR and cbor2 have one NaN for those of halves.
#   pymongo has no undefined and no symbols (fold "poor").
PEERS = [
    Peer("json", python("peer_json.py"), "json", COMMON | kinds("uint64", "bigint"), NAMED | FINITE, wraps=True),
    Peer("cbor2", python("peer_cbor2.py"), "cbor", ALL, POLITE | MILLISECONDS,
         folds=["widths", "nans", "tags", "times"]),
    Peer("cbor2-canonical", python("peer_cbor2.py", "canonical"), "cbor", COMMON | kinds(
        "undefined", "uint64", "bigint", "float32", "decimal", "bytes"), NAMED, CANONICAL, True,
        ["widths", "nans", "tags", "times"]),
    Peer("libcbor", program("peer_libcbor"), "cbor", ALL, ASSIGNED | PLAIN_FLOATS, folds=["tags"], same_bytes=True),
    Peer("jackson-cbor", java("Jackson.java", "cbor"), "cbor", JACKSON & ~kinds("bigint"),
         NAMED | NEAR_DECIMALS | SHORT_DECIMALS, folds=["nans"]),
    Peer("jackson-smile", java("Jackson.java", "smile"), "smile", JACKSON, NAMED | NEAR_DECIMALS, same_bytes=True,
         wraps=True),
    Peer("bson", python("peer_bson.py"), "bson", COMMON | kinds("bytes", "time"), NAMED | MILLISECONDS,
         same_bytes=True, folds=["own", "poor"], wraps=True),
    Peer("libbson", program("peer_libbson"), "bson", COMMON | kinds("undefined", "bytes", "time"),
         NAMED | MILLISECONDS, same_bytes=True, folds=["own"], wraps=True),
]


class Process:
    """A peer that runs. Its answers are (text, bytes) or a refusal."""

    def __init__(self, name, command):
        self.name = name
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        hello = self.receive()
        if isinstance(hello, Refusal):
            self.close()
            raise Missing("%s; %s" % (hello, HINT))
        self.hello = hello[0].decode()

    def ask(self, *parts):
        request = b"".join(parts)
        try:
            self.process.stdin.write(struct.pack(">I", len(request)) + request)
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # receive says so
        return self.receive(request)

    def receive(self, request=b""):
        head = self.process.stdout.read(4)
        if len(head) < 4:
            raise AssertionError("%s ended with status %s after the request %s" % (self.name, self.process.wait(),
                                                                                   request.hex()))
        frame = self.process.stdout.read(struct.unpack(">I", head)[0])
        if frame[:1] == b"n":
            return Refusal(frame[1:].decode(errors="replace"))
        size = struct.unpack(">I", frame[1:5])[0]
        return frame[5:5 + size], frame[5 + size:]

    def decode(self, data):
        return self.ask(b"d", data)

    def generate(self, seed):
        return self.ask(b"g", struct.pack(">Q", seed))

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


class Weir(Process):
    """weir's own peer, which is told the codec and more with each request."""

    def __init__(self):
        super().__init__("weir", program("peer_weir")())

    def decode(self, data, codec, flags):
        return self.ask(b"d", struct.pack(">II", CODECS[codec], flags), data)

    def generate(self, seed, codec, flags, kinds, manners):
        return self.ask(b"g", struct.pack(">IIIIQ", CODECS[codec], flags, kinds, manners, seed))


class Refusal(str):
    """The sentence of one who refused."""
