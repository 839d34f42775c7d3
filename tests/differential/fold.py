"""Neutral texts as trees that can be compared: what a format or a peer does not tell apart becomes the same.

This is a second implementation of what docs/spec/mapping.md says of CBOR tags and BSON types, in another language than
the library's and from the specification only.
"""
import datetime
import fractions
import json
import re
import struct
import sys

sys.set_int_max_str_digits(0)
sys.setrecursionlimit(5000)

BSON_TAGS = 0x7765697200000000
ELEMENTS = {64: "u8", 65: "u16be", 66: "u32be", 67: "u64be", 69: "u16le", 70: "u32le", 71: "u64le", 72: "i8",
            73: "i16be", 74: "i32be", 75: "i64be", 77: "i16le", 78: "i32le", 79: "i64le", 81: "f32be", 82: "f64be",
            85: "f32le", 86: "f64le"}
TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|[+-]00:00)", re.ASCII)
EPOCH = datetime.datetime(1970, 1, 1)


def parse(text, folds):
    """The tree of a neutral text. A text that is not UTF-8 keeps its bytes as escapes."""
    return fold(json.loads(text.decode(errors="surrogateescape")), folds)


def fold(tree, folds):
    if isinstance(tree, list):
        return [fold(item, folds) for item in tree]
    if not isinstance(tree, dict):
        return tree
    (name, value), = tree.items()
    if name in ("$tag", "$simple", "$bson", "$obj", "$ndarray"):
        value = fold(value, folds)
    rule = RULES.get(name)
    return rule(value, folds) if rule else {name: value}


def float32(bits, folds):
    value, = struct.unpack(">f", bytes.fromhex(bits))
    if value != value and "nans" in folds:
        return {"$f64" if "widths" in folds else "$f32": "nan"}
    return {"$f64": struct.pack(">d", value).hex()} if "widths" in folds else {"$f32": bits}


def float64(bits, folds):
    value, = struct.unpack(">d", bytes.fromhex(bits))
    return {"$f64": "nan" if value != value and "nans" in folds else bits}


def decimal(value, folds):
    """The sign of 0 and leading zeros are not carried."""
    return {"$decimal": [str(int(value[0])), value[1]]}


def difference(one, two, path="value"):
    """Where two trees first differ, for people; "" for nowhere."""
    if type(one) is type(two) and isinstance(one, (list, dict)) and len(one) == len(two):
        keys = range(len(one)) if isinstance(one, list) else one
        if isinstance(one, list) or set(one) == set(two):
            return next(filter(None, (difference(one[k], two[k], "%s[%s]" % (path, k)) for k in keys)), "")
    return "" if one == two and type(one) is type(two) else "%s: %.300r | %.300r" % (path, one, two)


def is_kind(value, name):
    return isinstance(value, dict) and name in value


def is_integer(value):
    return isinstance(value, int) and not isinstance(value, bool)


# ---- CBOR ----

def tag(value, folds):
    number, content = value
    if "tags" not in folds:
        return {"$tag": value}
    if number == 0 and "times" in folds and isinstance(content, str):  # weir keeps texts that it would write otherwise
        content = re.sub(r"(\.\d*?)0+(?=Z|\+)", r"\1", content).replace(".Z", "Z").replace("+00:00", "Z")
    if BSON_TAGS <= number <= BSON_TAGS + 0x5ff:
        return {"$bson": [number - BSON_TAGS, content]}
    found = TAGS.get(number, typed_array if number in ELEMENTS else None)
    known = found(number, content) if found else None
    return {"$tag": value} if known is None else known


def bignum(number, content):
    if not is_kind(content, "$bin"):
        return None
    magnitude = int(content["$bin"] or "0", 16)
    value = magnitude if number == 2 else -1 - magnitude
    return value if abs(value) < 1 << 8 * 2048 else None


def fraction(number, content):
    if not isinstance(content, list) or len(content) != 2 or not all(map(is_integer, content)):
        return None
    exponent, digits = content
    return {"$decimal": [str(digits), -exponent]} if -2 ** 31 <= exponent < 2 ** 31 else None


def time(ns):
    return {"$time": ns} if -2 ** 63 <= ns < 2 ** 63 else None


def seconds(number, content):
    if is_integer(content):
        return time(content * 10 ** 9)
    name = "$f32" if is_kind(content, "$f32") else "$f64"
    if not is_kind(content, name) or content[name] == "nan":
        return None
    value, = struct.unpack(">f" if name == "$f32" else ">d", bytes.fromhex(content[name]))
    if value - value != 0:
        return None
    ns = round(fractions.Fraction(value) * 10 ** 9)
    return time(ns) if str(ns / 10 ** 9) == str(value) else None  # -0.0 is no time


def date(number, content):
    match = TIME.fullmatch(content) if isinstance(content, str) else None
    if not match:
        return None
    try:
        moment = datetime.datetime(*map(int, match.groups()[:6]))
    except ValueError:
        return None
    whole = (moment - EPOCH) // datetime.timedelta(seconds=1)
    return time(whole * 10 ** 9 + int((match[7] or "").ljust(9, "0")))


def extended_time(number, content):
    pairs = content["$obj"] if is_kind(content, "$obj") else []
    if not 1 <= len(pairs) <= 2 or not all(is_integer(part) for pair in pairs for part in pair) or pairs[0][0] != 1:
        return None
    whole = pairs[0][1] * 10 ** 9
    if len(pairs) == 1:
        return time(whole)
    key, part = pairs[1]
    limit = {-9: 10 ** 9, -3: 1000}.get(key)
    return time(whole + part * (10 ** 9 // limit)) if limit and 0 <= part < limit else None


def typed_array(number, content):
    element = ELEMENTS[number]
    if not is_kind(content, "$bin"):
        return None
    size, rest = divmod(len(content["$bin"]) // 2, int(re.sub("[^0-9]", "", element)) // 8)
    return None if rest else {"$ndarray": [element, [size], "row", content]}


def shaped_array(number, content):
    if not isinstance(content, list) or len(content) != 2 or not is_kind(content[1], "$ndarray"):
        return None
    shape, (element, (count,), _, data) = content[0], content[1]["$ndarray"]
    if not isinstance(shape, list) or len(shape) > 15 or not all(is_integer(n) and n >= 0 for n in shape):
        return None
    product = 1
    for dimension in shape:
        product *= dimension
    order = "column" if number == 1040 and len(shape) > 1 else "row"
    return {"$ndarray": [element, shape, order, data]} if product == count else None


TAGS = {0: date, 1: seconds, 2: bignum, 3: bignum, 4: fraction, 40: shaped_array, 1040: shaped_array,
        1001: extended_time}


# ---- BSON ----

def milliseconds(value, folds):
    return time(value * 10 ** 6) or {"$bson": [9, value]}


def decimal128(bits, folds):
    word = int.from_bytes(bytes.fromhex(bits), "little")
    exponent, coefficient, sign = word >> 113 & 0x3fff, word & (1 << 113) - 1, word >> 127
    if exponent > 12287 or coefficient >= 10 ** 34 or (sign and not coefficient):
        return {"$bson": [19, {"$bin": bits}]}
    return {"$decimal": [str(-coefficient if sign else coefficient), 6176 - exponent]}


def bson(value, folds):
    number, content = value
    if number == 0x509 and is_kind(content, "$bin"):
        head, data = content["$bin"][:4], content["$bin"][4:]
        if head == "0300":
            return {"$ndarray": ["i8", [len(data) // 2], "row", {"$bin": data}]}
        if head == "2700" and len(data) % 8 == 0:
            return {"$ndarray": ["f32le", [len(data) // 8], "row", {"$bin": data}]}
    if number == 14 and "poor" in folds:  # pymongo: a symbol is a text
        return content
    return {"$bson": value}


def undefined(value, folds):
    return None if "poor" in folds else {"$undefined": True}


RULES = {"$f32": float32, "$f64": float64, "$decimal": decimal, "$tag": tag, "$ms": milliseconds,
         "$decimal128": decimal128, "$bson": bson, "$undefined": undefined}
