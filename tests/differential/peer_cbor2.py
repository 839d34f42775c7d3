"""cbor2: what it makes of items; repeated keys refused, because a dict would lose them.

With the argument `canonical` it writes its deterministic form, otherwise its usual one. Tags that it leaves alone are
printed as they are; the runner folds those that weir has kinds for.
"""
import datetime
import io
import sys
from importlib import metadata

from peer import Draw, Pairs, hexadecimal, missing, neutral, serve

try:
    import cbor2
except ImportError:
    missing("cbor2 is not installed")

IS_CANONICAL = sys.argv[1:] == ["canonical"]
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def decode(data):
    stream = io.BytesIO(data)
    value = cbor2.CBORDecoder(stream, allow_duplicate_keys=False).decode()
    if stream.tell() != len(data):
        raise ValueError("data behind the item")
    return value


def encode(value):
    return cbor2.dumps(value, canonical=IS_CANONICAL)


def special(value):
    if value is cbor2.undefined:
        return {"$undefined": True}
    if isinstance(value, (dict, cbor2.frozendict)):
        return neutral(Pairs(value.items()), special)
    if isinstance(value, cbor2.CBORTag):
        return {"$tag": [value.tag, neutral(value.value, special)]}
    if isinstance(value, cbor2.CBORSimpleValue):
        return {"$simple": [value.value, None]}
    if isinstance(value, datetime.datetime):
        return {"$time": (value - EPOCH) // datetime.timedelta(microseconds=1) * 1000}
    return {"$python": [type(value).__name__, str(value)]}


def own(draw, depth):
    """What JSON has not."""
    choice = draw.random.randrange(4)
    if choice == 0:
        return cbor2.undefined
    if choice == 1:
        return cbor2.CBORSimpleValue(draw.random.choice([0, 19, 32, 255]))
    if choice == 2:
        return cbor2.CBORTag(draw.random.choice([10, 1000000, 2 ** 32, 2 ** 64 - 1]), draw.value(min(depth - 1, 0)))
    # The last of six digits is none of the zeros that cbor2 writes at the end of a fraction and weir does not.
    tens = draw.random.randrange(-2 ** 48, 2 ** 48)
    return EPOCH + datetime.timedelta(microseconds=tens * 10 + draw.random.randrange(1, 10))


def generate(seed):
    draw = Draw(seed, ["none", "bool", "integer", "bigint", "wild", "text", "bytes", "decimal", "own"], own=own)
    if not IS_CANONICAL:  # whose order of other keys is another than weir's
        draw.name = lambda: draw.integer() + 2 if draw.random.random() < 0.2 else draw.text()
    return draw.value()


serve("cbor2 " + metadata.version("cbor2"), decode, encode, generate, special)
