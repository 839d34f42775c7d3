"""pymongo's bson: documents as pairs, so that names may repeat; times as milliseconds of any size.

Its own types are printed as weir keeps them: the element type and what its bytes say.
"""
import re
from collections.abc import MutableMapping

from peer import Draw, Pairs, hexadecimal, missing, neutral, serve

try:
    import bson
    import pymongo
    from bson import binary, code, codec_options, datetime_ms, dbref, decimal128, int64, max_key, min_key, objectid
    from bson import regex, timestamp
except ImportError:
    missing("pymongo is not installed")


class Document(MutableMapping):
    """What the decoder fills and the encoder walks: a mapping by its methods, pairs in fact."""

    def __init__(self, pairs=()):
        self.pairs = list(pairs)

    def __setitem__(self, key, value):
        self.pairs.append((key, value))

    def __getitem__(self, key):
        return dict(self.pairs)[key]

    def __delitem__(self, key):
        raise TypeError("nothing is taken out")

    def __iter__(self):
        return (key for key, _ in self.pairs)

    def __len__(self):
        return len(self.pairs)

    def items(self):
        return self.pairs


OPTIONS = codec_options.CodecOptions(
    document_class=Document, datetime_conversion=codec_options.DatetimeConversion.DATETIME_MS,
    uuid_representation=binary.UuidRepresentation.UNSPECIFIED)


def special(value):
    tagged = lambda number, content: {"$bson": [number, neutral(content, special)]}
    if isinstance(value, (Document, dict)):
        return neutral(Pairs(value.items()), special)
    if isinstance(value, int64.Int64):
        return int(value)
    if isinstance(value, binary.Binary):
        return tagged(0x500 + value.subtype, bytes(value))
    if isinstance(value, objectid.ObjectId):
        return tagged(7, value.binary)
    if isinstance(value, datetime_ms.DatetimeMS):
        return {"$ms": int(value)}
    if isinstance(value, regex.Regex):
        return tagged(11, [value.pattern, letters(value.flags)])
    if isinstance(value, dbref.DBRef):
        return tagged(12, [value.collection, value.id.binary])
    if isinstance(value, code.Code):
        return tagged(13, str(value)) if value.scope is None else tagged(15, [str(value), value.scope])
    if isinstance(value, timestamp.Timestamp):
        return tagged(17, value.time << 32 | value.inc)
    if isinstance(value, decimal128.Decimal128):
        return hexadecimal("decimal128", value.bid)
    if isinstance(value, (max_key.MaxKey, min_key.MinKey)):
        return tagged(127 if isinstance(value, max_key.MaxKey) else 255, None)
    return {"$python": [type(value).__name__, str(value)]}


def letters(flags):
    """The options of a regular expression, in their order."""
    return "".join(c for c, flag in (("i", re.I), ("l", re.L), ("m", re.M), ("s", re.S), ("u", re.U), ("x", re.X))
                   if flags & flag)


def own(draw, depth):
    number = draw.random.randrange
    plain = draw.text().replace("\0", "")
    return [lambda: objectid.ObjectId(draw.random.randbytes(12)), lambda: regex.Regex(plain, "imsx"[:number(5)]),
            lambda: code.Code(draw.text()), lambda: code.Code(draw.text(), {"x": draw.integer()}),
            lambda: timestamp.Timestamp(number(2 ** 32), number(2 ** 32)), max_key.MaxKey, min_key.MinKey,
            lambda: decimal128.Decimal128.from_bid(draw.random.randbytes(16)),
            lambda: decimal128.Decimal128(draw.decimal()), lambda: int64.Int64(draw.integer()),
            lambda: datetime_ms.DatetimeMS(draw.integer()),
            lambda: binary.Binary(draw.bytes(), draw.random.choice([1, 2, 4, 5, 8, 128, 255]))][number(12)]()


def generate(seed):
    draw = Draw(seed, ["none", "bool", "integer", "wild", "text", "bytes", "own", "own"], own=own)
    draw.name = lambda: draw.text().replace("\0", "")
    return draw.map(6)


serve("bson of pymongo " + pymongo.version, lambda data: bson.decode(data, OPTIONS),
      lambda value: bson.encode(value, codec_options=OPTIONS), generate, special)
