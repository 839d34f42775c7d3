"""What the peers in Python share: frames on stdin and stdout, the neutral text (README.md), random values.

A peer gives `serve` its hello and four functions; a module that is missing is said as the hello, and the runner skips.
"""
import decimal
import json
import random
import struct
import sys

sys.set_int_max_str_digits(0)
sys.setrecursionlimit(5000)


class Pairs(list):
    """A map as [name, value] pairs, for decoders that would keep only the last of repeated names."""


def hexadecimal(name, data):
    return {"$" + name: bytes(data).hex()}


def neutral(value, special):
    """A tree that json can write; @special has what the peer's own types become."""
    if value is None or isinstance(value, bool):
        return value
    if type(value) in (int, str):
        return value
    if isinstance(value, float):
        return hexadecimal("f64", struct.pack(">d", value))
    if type(value) is bytes:
        return hexadecimal("bin", value)
    if isinstance(value, decimal.Decimal) and value.is_finite():
        sign, digits, exponent = value.as_tuple()
        return {"$decimal": ["-" * sign + "".join(map(str, digits)), -exponent]}
    if isinstance(value, Pairs):
        return {"$obj": [[neutral(k, special), neutral(v, special)] for k, v in value]}
    if type(value) in (list, tuple):
        return [neutral(item, special) for item in value]
    return special(value)


class Draw:
    """Random values of the types named in @kinds, with many borders among them, from a seed."""

    def __init__(self, seed, kinds, name=None, own=None):
        self.random, self.kinds, self.own = random.Random(seed), kinds, own
        self.name = name or self.text

    def integer(self, bits=63):
        number = (1 << self.random.randrange(bits + 1)) + self.random.randrange(-1, 2)
        if self.random.random() < 0.5:
            number = self.random.getrandbits(self.random.randrange(1, bits + 1))
        number = min(number, (1 << bits) - 1)
        return -1 - number if self.random.random() < 0.5 else number

    def bigint(self):
        return self.integer(300)

    def float(self):
        borders = [0.0, -0.0, 1.0, 0.1, 1e22, 1e-7, 65504.0, 65520.0, 5e-324, 1.7976931348623157e308, 2.0 ** -24]
        bits = struct.unpack(">d", self.random.randbytes(8))[0]
        finite = bits if bits - bits == 0 else 0.5
        single = struct.unpack(">f", struct.pack(">f", max(min(finite, 3e38), -3e38)))[0]
        return self.random.choice([self.random.choice(borders), self.integer() / 8, finite, single])

    def wild(self):
        """Also floats that are no numbers."""
        return self.random.choice([float("inf"), float("-inf"), float("nan"), self.float()])

    def text(self):
        letters = "abcXYZ019 \"\\/\b\n\x00\x1f\x7f\x80é€\ufffd\U0001f30d\U0010ffff"
        size = self.random.choice([0, 1, 5, 23, 24, 31, 32, 33, 63, 64, 65, 255, 256, self.random.randrange(12)])
        some = letters[:self.random.choice([6, 9, len(letters)])]
        return "".join(self.random.choices(some, k=size))

    def bytes(self):
        return self.random.randbytes(self.random.choice([0, 1, 6, 7, 8, 23, 24, 255, 256, self.random.randrange(40)]))

    def decimal(self):
        digits = tuple(self.random.randrange(10) for _ in range(self.random.randrange(1, 34)))
        digits = (self.random.randrange(1, 10),) + digits
        return decimal.Decimal((self.random.randrange(2), digits, self.random.randrange(-3000, 3000)))

    def map(self, depth):
        return {self.name(): self.value(depth - 1) for _ in range(self.random.randrange(6))}

    def value(self, depth=6):
        if depth > 0 and self.random.random() < (0.9 if depth == 6 else 0.3):
            if self.random.random() < 0.5:
                return [self.value(depth - 1) for _ in range(self.random.randrange(6))]
            return self.map(depth)
        kind = self.random.choice(self.kinds)
        if kind == "none":
            return None
        if kind == "bool":
            return self.random.random() < 0.5
        if kind == "own":
            return self.own(self, depth)
        return getattr(self, kind)()


def read(size):
    data = sys.stdin.buffer.read(size)
    if len(data) != size:
        sys.exit(0 if not data else "peer: a request is cut off")
    return data


def send(kind, *parts):
    frame = kind + b"".join(parts)
    sys.stdout.buffer.write(struct.pack(">I", len(frame)) + frame)
    sys.stdout.buffer.flush()


def send_value(value, again, special):
    """The value in the neutral text, and what the peer encodes it to: nothing when it cannot."""
    text = json.dumps(neutral(value, special), separators=(",", ":")).encode()
    send(b"y", struct.pack(">I", len(text)), text, again)


def missing(problem):
    """Say as the hello that this peer cannot be: the runner skips it with these words."""
    send(b"n", str(problem).encode())
    sys.exit(0)


def encoded(encode, value):
    try:
        return encode(value)
    except Exception:  # a value that this peer reads but does not write
        return b""


def serve(hello, decode, encode, generate, special):
    """Answer until stdin ends."""
    send(b"y", struct.pack(">I", len(hello)), hello.encode())
    while True:
        request = read(struct.unpack(">I", read(4))[0])
        if request[:1] == b"g":
            value = generate(int.from_bytes(request[1:9], "big"))
            send_value(value, encode(value), special)
            continue
        try:
            value = decode(request[1:])
        except Exception as problem:  # each library refuses with types of its own, and Python's
            send(b"n", ("%s: %s" % (type(problem).__name__, problem)).encode(errors="replace"))
        else:
            send_value(value, encoded(encode, value), special)
