"""BSON 1.1 as this project writes it.

What must stay true: put together from the specification alone, see docs/spec/mapping.md for what stands in wrappers.
"""

import struct

from meaning import (F32, F64, Array, Decimal, Map, Tag, Time, Undefined, array_wrapper, is_native)

# Maps that would be read back as wrappers: their key, and the kind of its value.
WRAPPERS = {"$f32": (str,), "$numberBig": (str,), "$numberDecimal": (str,), "$time": (str,), "$array": (Map, Tag),
            "$tag": (list,), "$simple": (list,), "$bson": (list,), "$map": (list,), "$obj": (list,)}


def size32(number):
    return struct.pack("<i", number)


def cstring(string):
    data = string.encode()
    assert b"\0" not in data
    return data + b"\0"


def string(value):
    data = value.encode() + b"\0"
    return size32(len(data)) + data


def document(elements):
    """@elements: (name, (type, value bytes)) pairs."""
    body = b"".join(bytes([kind]) + cstring(name) + data for name, (kind, data) in elements)
    return size32(len(body) + 5) + body + b"\0"


def listed(items):
    return 0x04, document([(str(i), item) for i, item in enumerate(items)])


def wrapper(name, item):
    return 0x03, document([(name, item)])


def binary(subtype, data):
    if subtype == 2:
        data = size32(len(data)) + data
    return 0x05, size32(len(data)) + bytes([subtype]) + data


def number(value):
    if -(2**31) <= value < 2**31:
        return 0x10, struct.pack("<i", value)
    if -(2**63) <= value < 2**63:
        return 0x12, struct.pack("<q", value)
    return wrapper("$numberBig", (0x02, string(str(value))))


def decimal(value):
    if abs(value.unscaled) >= 10**34 or not -6176 <= value.exponent <= 6111:
        return wrapper("$numberDecimal", (0x02, string(value.text)))
    bits = abs(value.unscaled) | value.exponent + 6176 << 113 | (value.unscaled < 0) << 127
    return 0x13, bits.to_bytes(16, "little")


def time(value):
    if value.ns % 10**6 == 0:
        return 0x09, struct.pack("<q", value.ns // 10**6)
    return wrapper("$time", (0x02, string(value.text)))


def plain_map(value):
    """A wrapper's maps."""
    return 0x03, document([(key, plain_map(item) if isinstance(item, Map) else element(item))
                           for key, item in value.pairs])


def array(value):
    kinds = {"i8": b"\x03\0", "f32le": b"\x27\0"}
    if len(value.dims) == 1 and value.dtype in kinds:
        return binary(9, kinds[value.dtype] + value.data)
    return plain_map(array_wrapper(value))


def tag(value):
    number_of, content = value.number, value.content
    if value.space != "bson" or not is_native(value):
        name = {"cbor": "$tag", "simple": "$simple", "bson": "$bson"}[value.space]
        return wrapper(name, listed([number(number_of), element(content)]))
    if number_of >= 0x500:
        return binary(number_of - 0x500, content)
    data = {
        7: lambda: content,
        9: lambda: struct.pack("<q", content),
        11: lambda: cstring(content[0]) + cstring(content[1]),
        12: lambda: string(content[0]) + content[1],
        13: lambda: string(content),
        14: lambda: string(content),
        15: lambda: code(content),
        17: lambda: struct.pack("<Q", content),
        19: lambda: content,
        127: lambda: b"",
        255: lambda: b"",
    }
    return number_of, data[number_of]()


def code(content):
    body = string(content[0]) + map_of(content[1].pairs)
    return size32(len(body) + 4) + body


def map_of(pairs, is_root=False):
    """The bytes of a map: a document of its pairs, or of a wrapper."""
    keys = [key for key, _ in pairs]
    is_pairs = any(not isinstance(key, str) or "\0" in key for key in keys)
    is_like = len(keys) == 1 and isinstance(pairs[0][1], WRAPPERS.get(keys[0], ())) if not is_pairs else False
    if is_pairs or is_like or (is_root and keys == ["$root"]):
        items = [listed([element(key), element(value)]) for key, value in pairs]
        return document([("$map" if is_pairs else "$obj", listed(items))])
    return document([(key, element(value)) for key, value in pairs])


def element(value):
    """The type and bytes of an element's value."""
    if value is None:
        return 0x0A, b""
    if isinstance(value, bool):
        return 0x08, bytes([value])
    if isinstance(value, int):
        return number(value)
    if isinstance(value, str):
        return 0x02, string(value)
    if isinstance(value, bytes):
        return binary(0, value)
    if isinstance(value, list):
        return listed([element(item) for item in value])
    if isinstance(value, F64):
        return 0x01, struct.pack("<Q", value.bits)
    if isinstance(value, F32):
        return wrapper("$f32", (0x02, string(value.text)))
    if isinstance(value, Map):
        return 0x03, map_of(value.pairs)
    if isinstance(value, Undefined):
        return 0x06, b""
    return {Decimal: decimal, Time: time, Array: array, Tag: tag}[type(value)](value)


def written(value):
    if isinstance(value, Map):
        return map_of(value.pairs, is_root=True)
    return document([("$root", element(value))])
