"""What a vector means: the typed JSON of docs/spec/mapping.md, read into values that encoders walk.

What must stay true: nothing here comes from the library. None, bool, int, str, bytes and list are themselves; the other
kinds are the classes below. The text that a wrapper holds for a number or a time is kept, as encoders write it into
theirs.
"""

import base64
import collections
import datetime
import json
import re
import struct

Undefined = collections.namedtuple("Undefined", "")
F64 = collections.namedtuple("F64", "bits")
F32 = collections.namedtuple("F32", "bits text")
Decimal = collections.namedtuple("Decimal", "unscaled exponent text")
Time = collections.namedtuple("Time", "ns text")  # text None: written in ms
Map = collections.namedtuple("Map", "pairs")
Array = collections.namedtuple("Array", "dtype dims order data")
Tag = collections.namedtuple("Tag", "space number content")


class Pairs(list):
    """A JSON object: its pairs in their order."""


def float_bits(text, code, size):
    """The bits of "1.5", "NaN", "-Infinity", "NaN(7ff8...)"."""
    named = re.fullmatch(r"NaN\(([0-9a-f]+)\)", text)
    if named:
        return int(named.group(1), 16)
    if text == "NaN":
        return 0x7FF8 << 48 if size == 8 else 0x7FC00000
    return int.from_bytes(struct.pack("<" + code, float(text.replace("Infinity", "inf"))), "little")


def decimal(text):
    special = {"NaN": 0x7C << 120, "Infinity": 0x78 << 120, "-Infinity": 0xF8 << 120}
    if text in special:
        return Tag("bson", 0x13, special[text].to_bytes(16, "little"))
    digits, _, power = text.partition("E")
    whole, _, fraction = digits.partition(".")
    exponent = int(power or 0) - len(fraction)
    if whole.startswith("-") and int(whole + fraction) == 0:
        return Tag("bson", 0x13, (1 << 127 | exponent + 6176 << 113).to_bytes(16, "little"))
    return Decimal(int(whole + fraction), exponent, text)


def time(text):
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?Z", text)
    at = datetime.datetime.strptime(match.group(1), "%Y-%m-%dT%H:%M:%S") - datetime.datetime(1970, 1, 1)
    seconds = at.days * 86400 + at.seconds
    return Time(seconds * 10**9 + int((match.group(2) or "0").ljust(9, "0")), text)


def date(content):
    ms = int(dict(content)["$numberLong"])
    return Time(ms * 10**6, None) if -(2**63) <= ms * 10**6 < 2**63 else Tag("bson", 9, ms)


def binary(content):
    content = dict(content)
    data, subtype = base64.b64decode(content["base64"]), int(content["subType"], 16)
    return data if subtype == 0 else Tag("bson", 0x500 + subtype, data)


def array(content):
    content = dict(content)
    return Array(content["dtype"], content["dims"], content["order"], base64.b64decode(content["base64"]))


def pairs_of(content):
    return Map([(value_of(key), value_of(value)) for key, value in content])


def tag(space):
    return lambda content: Tag(space, content[0], value_of(content[1]))


def identity(content):
    return bytes.fromhex(dict(content)["$oid"])


WRAPPERS = {
    "$undefined": lambda content: Undefined(),
    "$numberDouble": lambda content: F64(float_bits(content, "d", 8)),
    "$f32": lambda content: F32(float_bits(content, "f", 4), content),
    "$numberDecimal": decimal,
    "$date": date,
    "$time": time,
    "$binary": binary,
    "$array": array,
    "$map": pairs_of,
    "$obj": pairs_of,
    "$tag": tag("cbor"),
    "$simple": tag("simple"),
    "$bson": tag("bson"),
    "$oid": lambda content: Tag("bson", 7, bytes.fromhex(content)),
    "$regularExpression": lambda content: Tag("bson", 11, [dict(content)["pattern"], dict(content)["options"]]),
    "$dbPointer": lambda content: Tag("bson", 12, [dict(content)["$ref"], identity(dict(content)["$id"])]),
    "$code": lambda content: Tag("bson", 13, content),
    "$symbol": lambda content: Tag("bson", 14, content),
    "$timestamp": lambda content: Tag("bson", 17, dict(content)["t"] << 32 | dict(content)["i"]),
    "$minKey": lambda content: Tag("bson", 255, None),
    "$maxKey": lambda content: Tag("bson", 127, None),
}


def value_of(node):
    if isinstance(node, Pairs):
        if len(node) == 1 and node[0][0] in WRAPPERS:
            return WRAPPERS[node[0][0]](node[0][1])
        if [key for key, _ in node] == ["$code", "$scope"]:
            return Tag("bson", 15, [node[0][1], value_of(node[1][1])])
        return Map([(key, value_of(value)) for key, value in node])
    if isinstance(node, list):
        return [value_of(item) for item in node]
    return node


def read(text):
    number = lambda digits: F64(float_bits(digits, "d", 8))
    return value_of(json.loads(text, object_pairs_hook=Pairs, parse_float=number))


# ---- what Smile and BSON have no form for: maps with one key ----


def array_wrapper(value):
    content = [("dtype", value.dtype), ("dims", value.dims), ("order", value.order), ("data", value.data)]
    return Map([("$array", Map(content))])


def tag_wrapper(value):
    """The wrapper of a tag that holds no values, by the names of Extended JSON; None for another."""
    number, content = value.number, value.content
    if value.space != "bson" or not is_native(value):
        return None
    if number >= 0x500:
        return Map([("$binary", Map([("data", content), ("subType", "%02x" % (number - 0x500))]))])
    simple = {7: ("$oid", lambda: content.hex()), 9: ("$date", lambda: content), 13: ("$code", lambda: content),
              14: ("$symbol", lambda: content), 255: ("$minKey", lambda: 1), 127: ("$maxKey", lambda: 1),
              11: ("$regularExpression", lambda: Map([("pattern", content[0]), ("options", content[1])])),
              12: ("$dbPointer", lambda: Map([("$ref", content[0]), ("$id", Map([("$oid", content[1].hex())]))])),
              17: ("$timestamp", lambda: Map([("t", content >> 32), ("i", content & 0xFFFFFFFF)]))}
    if number in simple:
        name, made = simple[number]
        return Map([(name, made())])
    return Map([("$numberDecimal", special_decimal(content))]) if number == 0x13 and special_decimal(content) else None


def special_decimal(data):
    bits = int.from_bytes(data, "little")
    names = {0x7C << 120: "NaN", 0x78 << 120: "Infinity", 0xF8 << 120: "-Infinity"}
    if bits in names:
        return names[bits]
    exponent = (bits >> 113 & 0x3FFF) - 6176
    if bits >> 127 == 0 or bits & (1 << 113) - 1 or exponent > 6111:
        return None
    if -6 <= exponent <= 0:
        return "-0" + ("." + "0" * -exponent if exponent else "")
    return "-0E%+d" % exponent


def is_native(value):
    """Whether a tag of the BSON space is what an element type is read as."""
    number, content = value.number, value.content
    if number > 0x500:
        is_vector = number == 0x509 and content[:2] in (b"\x03\0",
                                                        b"\x27\0") and (content[0] == 3 or len(content) % 4 == 2)
        return isinstance(content, bytes) and not is_vector
    is_texts = isinstance(content, list) and len(content) == 2 and isinstance(content[0], str)
    checks = {
        7: lambda: isinstance(content, bytes) and len(content) == 12,
        9: lambda: type(content) is int and not -(2**63) <= content * 10**6 < 2**63,
        11: lambda: is_texts and isinstance(content[1], str) and "\0" not in content[0] + content[1],
        12: lambda: is_texts and isinstance(content[1], bytes) and len(content[1]) == 12,
        13: lambda: isinstance(content, str),
        14: lambda: isinstance(content, str),
        15: lambda: is_texts and isinstance(content[1], Map),
        17: lambda: type(content) is int and 0 <= content < 2**64,
        19: lambda: isinstance(content, bytes) and len(content) == 16,
        127: lambda: content is None,
        255: lambda: content is None,
    }
    return number in checks and checks[number]()
