"""Other spellings, refusals and canonical forms in BSON. OFFSET is the first byte that cannot be right: a length that
does not fit where it stands, the end of the document that something is cut off by, the size of the input that is cut
off."""

import struct

import bson


def line(data, *rest):
    return " ".join([data.hex() or "-", *map(str, rest)]) + "\n"


def whole(body):
    return struct.pack("<i", len(body) + 5) + body + b"\0"


def element(kind, data, name=b"a\0"):
    """A document of one element, whose value begins at byte 7."""
    return whole(bytes([kind]) + name + data)


ROOT = b"$root\0"


def accepted():
    return [
        (element(0x12, bytes(8), ROOT), "int64-0", "64 bits for a small integer"),
        (element(0x12, b"\xff" * 8, ROOT), "int64-minus-1", "64 bits for a small integer"),
        (element(0x04, whole(b"\x10x\0" + bytes(4)), ROOT), "array-1", "names in an array do not matter"),
        (element(0x04, whole(b"\x10\0" + bytes(4)), ROOT), "array-1", "an empty name in an array"),
        (element(0x03, whole(b"\x02$numberBig\0\x02\0\0\x000\0"), ROOT), "int64-0",
         "the wrapper of a big integer that is none"),
        (element(0x03, whole(b"\x04$obj\0" + whole(b"\x040\0" + whole(b"\x020\0\3\0\0\0k0\0\x101\0\0\0\0\0"))), ROOT),
         "map-1", "pairs, and a root that needs no wrapper"),
        (whole(b"\x10k0\0\0\0\0\0"), "map-1", "as always"),
    ]


def strings():
    out = []
    for kind, name in ((0x02, "a string"), (0x0D, "a code"), (0x0E, "a symbol")):
        out += [
            (element(kind, b"\0\0\0\0b\0"), "always", 7, name + " without a length"),
            (element(kind, b"\xff\xff\xff\xffb\0"), "always", 7, name + " of negative length"),
            (element(kind, b"\3\0\0\0b\0"), "always", 7, name + " beyond its document"),
            (element(kind, b"\2\0\0\0bc"), "always", 12, name + " without a NUL"),
            (element(kind, b"\2\0\0\0\xe9\0"), "always", 11, name + " that is not UTF-8"),
            (element(kind, b"\1\0\0\0"), "always", 11, name + " that is cut off"),
        ]
    return out


def documents():
    out = []
    for kind, name in ((0x03, "a document"), (0x04, "an array")):
        out += [
            (element(kind, b"\6\0\0\0\0"), "always", 7, name + " beyond the one around"),
            (element(kind, b"\4\0\0\0\0"), "always", 7, name + " of less than 5 bytes"),
            (element(kind, b"\xff\xff\xff\xff\0"), "always", 7, name + " of negative size"),
            (element(kind, b"\5\0\0\0\1"), "always", 11, name + " without a NUL"),
            (element(kind, b"\5\0\0"), "always", 10, name + " that is cut off"),
            (element(kind, b"\6\0\0\0\0\0"), "always", 11, name + " with a NUL before its end"),
        ]
    return out


def fixed():
    sizes = {0x01: ("a double", 8), 0x07: ("an ObjectId", 12), 0x09: ("a datetime", 8), 0x10: ("an int32", 4),
             0x11: ("a timestamp", 8), 0x12: ("an int64", 8), 0x13: ("a decimal128", 16), 0x08: ("a bool", 1)}
    return [(element(kind, b"\1" * (size - 1)), "always", 6 + size, name + " that is cut off")
            for kind, (name, size) in sizes.items()]


def codes():
    def code(size, text=b"\2\0\0\0c\0", scope=b"\5\0\0\0\0"):
        return element(0x0F, struct.pack("<i", size) + text + scope)
    return [
        (code(0), "always", 7, "a code with scope of size 0"),
        (code(-1), "always", 7, "a code with scope of negative size"),
        (code(16), "always", 7, "a code with scope beyond its document"),
        (code(14), "always", 11, "a code with scope that cuts its text"),
        (code(15, scope=b"\6\0\0\0\0"), "always", 17, "a scope of another size than is left"),
        (code(15, text=b"\3\0\0\0c\0"), "always", 11, "a text that takes its scope"),
        (code(15, text=b"\0\0\0\0c\0"), "always", 11, "a text without a length"),
        (code(16, scope=b"\6\0\0\0\0\0"), "always", 21, "a scope with a NUL before its end"),
        (element(0x0F, b"\x0a\0\0\0\1\0\0\0\0"), "always", 16, "no scope"),
    ]


def refused():
    return [
        (b"", "always", 0, "no document"),
        (b"\5\0\0", "always", 3, "a size that is cut off"),
        (b"\4\0\0\0\0", "always", 0, "less than 5 bytes"),
        (b"\0\0\0\0\0", "always", 0, "no size"),
        (b"\xff\xff\xff\xff\0", "always", 0, "a negative size"),
        (b"\6\0\0\0\0", "always", 5, "it ends before its size"),
        (b"\5\0\0\0\1", "always", 4, "no NUL at the end"),
        (b"\5\0\0\0\0\0", "always", 5, "bytes behind the document"),
        (whole(b"\0"), "always", 4, "a NUL before the end"),
        *[(element(kind, b""), "always", 4, "no such type") for kind in (0x14, 0x20, 0x7E, 0x80, 0xFE)],
        (whole(b"\x0aa"), "always", 6, "a name that ends with its document"),
        (element(0x0A, b"", b"\xff\0"), "always", 5, "a name that is not UTF-8"),
        (element(0x0A, b"", b"long name \xc3\0"), "always", 15, "a name that is not UTF-8"),
        (element(0x08, b"\2"), "always", 7, "a bool of 2"),
        (element(0x08, b"\xff"), "always", 7, "a bool of 255"),
        *strings(), *documents(), *fixed(),
        (element(0x05, b"\xff\xff\xff\xff\0"), "always", 7, "a binary of negative length"),
        (element(0x05, b"\1\0\0\0\0"), "always", 7, "a binary beyond its document"),
        (element(0x05, b"\0\0\0\0"), "always", 11, "a binary without a subtype"),
        (element(0x05, b"\6\0\0\0\2\3\0\0\0\xff\xff"), "always", 12, "subtype 2 with two lengths that disagree"),
        (element(0x05, b"\3\0\0\0\2\0\0\0"), "always", 12, "subtype 2 without its length"),
        (element(0x0B, b"ab\0"), "always", 10, "a regular expression without options"),
        (element(0x0B, b"ab"), "always", 9, "a pattern without a NUL"),
        (element(0x0B, b"\xff\0\0"), "always", 7, "a pattern that is not UTF-8"),
        (element(0x0B, b"a\0\xff\0"), "always", 9, "options that are not UTF-8"),
        (element(0x0C, b"\2\0\0\0b\0" + bytes(11)), "always", 24, "a DBPointer of 11 bytes"),
        (element(0x0C, b"\0\0\0\0b\0" + bytes(12)), "always", 7, "a DBPointer whose name has no length"),
        *codes(),
        (whole(b"\x10a\0\1\0\0\0\x10a\0\2\0\0\0"), "strict", "-", "the key \"a\" twice"),
    ]


def canonical():
    keys = bson.document([("", bson.number(4)), ("a", bson.number(3)), ("aa", bson.number(2)), ("b", bson.number(1))])
    repeated = bson.document([("a", bson.number(1)), ("a", bson.number(3)), ("b", bson.number(2))])
    return [
        (keys, "map-order", "keys by their bytes"),
        (repeated, "map-repeated-keys", "equal keys keep their order"),
        (element(0x01, struct.pack("<Q", 0x7FF8 << 48), ROOT), "float64-nan-payload", "one NaN"),
        (element(0x10, bytes(4), ROOT), "int64-0", "the shortest integer"),
        (element(0x0B, b"^a\0im\0", ROOT), "bson-regex", "options in order"),
    ]


def all_lists():
    return {
        "accept": "# Other bytes that mean what a vector means: HEX NAME WHY. Written by tools/gen-vectors.\n" +
                  "".join(line(*entry) for entry in accepted()),
        "reject": "# Bytes that are refused: HEX MODE OFFSET WHY, as in cbor.reject. Written by tools/gen-vectors.\n" +
                  "".join(line(*entry) for entry in refused()),
        "canonical": "# The canonical form: HEX NAME WHY. Written by tools/gen-vectors.\n" +
                     "".join(line(*entry) for entry in canonical()),
    }
