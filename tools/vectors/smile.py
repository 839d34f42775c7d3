"""Smile 1.0.7 as this project writes it: a header, names shared, values not, binary data in septets.

What must stay true: put together from the specification alone, see docs/spec/mapping.md for what stands in wrappers.
`written` is what the library writes by default, `canonical` its deterministic form.
"""

from meaning import (F32, F64, Array, Decimal, Map, Tag, Time, Undefined, array_wrapper, tag_wrapper)

HEADER = b":)\n"
TABLE = 1024


def vint(number):
    """Seven bits a byte, the last with its high bit set and six bits."""
    out = bytearray([0x80 | number & 0x3F])
    number >>= 6
    while number:
        out.insert(0, number & 0x7F)
        number >>= 7
    return bytes(out)


def zigzag(number):
    return number * 2 if number >= 0 else -number * 2 - 1


def septets(data):
    """Seven bytes in eight; of a rest of r bytes the last holds the r lowest bits."""
    out = bytearray()
    for at in range(0, len(data), 7):
        part = data[at:at + 7]
        rest = len(part)  # bits of the last byte
        bits = int.from_bytes(part, "big")
        out += bytes(bits >> rest + 7 * i & 0x7F for i in reversed(range(len(part))))
        out.append(bits & (1 << rest) - 1)
    return bytes(out)


def fixed(bits, size):
    """A float: seven bits a byte, the first the most significant."""
    return bytes(bits >> 7 * i & 0x7F for i in reversed(range(size)))


def big(number):
    data = number.to_bytes((number + (number < 0)).bit_length() // 8 + 1, "big", signed=True)
    return vint(len(data)) + septets(data)


def integer(number):
    if -16 <= number <= 15:
        return bytes([0xC0 + zigzag(number)])
    if -(2**31) <= number < 2**31:
        return b"\x24" + vint(zigzag(number))
    if -(2**63) <= number < 2**63:
        return b"\x25" + vint(zigzag(number))
    return b"\x26" + big(number)


def text(string):
    data = string.encode()
    if not data:
        return b"\x20"
    if len(data) <= 64:
        return bytes([0x40 + len(data) - 1 if data.isascii() else 0x80 + len(data) - 2]) + data
    # Longer ones are only looked through for their token up to the size of Jackson's buffer.
    return (b"\xe0" if data.isascii() and len(data) <= 2666 else b"\xe4") + data + b"\xfc"


class Writer:
    def __init__(self, is_sharing=True, is_sorting=False):
        self.is_sharing, self.is_sorting = is_sharing, is_sorting
        self.names, self.count = {}, 0

    def name(self, string):
        data = string.encode()
        if not data:
            return b"\x20"
        if data in self.names and self.is_sharing:
            index = self.names[data]
            return bytes([0x40 + index]) if index < 64 else bytes([0x30 | index >> 8, index & 255])
        if self.count == TABLE:
            self.names, self.count = {}, 0
        if self.count & 255 < 254:  # FE and FF may not occur: such a name is counted and never found
            self.names[data] = self.count
        self.count += 1
        if data.isascii() and len(data) <= 64:
            return bytes([0x80 + len(data) - 1]) + data
        if not data.isascii() and len(data) <= 56:
            return bytes([0xC0 + len(data) - 2]) + data
        return b"\x34" + data + b"\xfc"

    def map(self, pairs):
        out = b"\xfa"
        for key, value in pairs:
            out += self.name(key)
            out += self.value(value)
        return out + b"\xfb"

    def list(self, items):
        return b"\xf8" + b"".join([self.value(item) for item in items]) + b"\xf9"

    def wrapped(self, name, items):
        """{"name": [items]}"""
        return b"\xfa" + self.name(name) + self.list(items) + b"\xfb"

    def any_map(self, pairs):
        if self.is_sorting:
            pairs = sorted(pairs, key=lambda pair: pair[0].encode())
        keys = [key for key, _ in pairs]
        if any(not isinstance(key, str) for key in keys):
            return self.wrapped("$map", [list(pair) for pair in pairs])
        if (len(keys) == 1 and keys[0].startswith("$")) or sorted(keys) == ["$code", "$scope"]:
            return self.wrapped("$obj", [list(pair) for pair in pairs])
        return self.map(pairs)

    def tag(self, tag):
        whole = tag_wrapper(tag)
        if whole:
            return self.map_of(whole)
        return self.wrapped({"cbor": "$tag", "simple": "$simple", "bson": "$bson"}[tag.space], [tag.number,
                            tag.content])

    def map_of(self, wrapper):
        """A wrapper: maps in it are just that."""
        out = b"\xfa"
        for key, value in wrapper.pairs:
            out += self.name(key)
            out += self.map_of(value) if isinstance(value, Map) else self.value(value)
        return out + b"\xfb"

    def time(self, time):
        if time.text is None and not self.is_sorting:
            return self.map([("$date", time.ns // 10**6)])
        return self.map([("$time", time.text)])

    def value(self, value):
        if value is None:
            return b"\x21"
        if isinstance(value, bool):
            return b"\x23" if value else b"\x22"
        if isinstance(value, int):
            return integer(value)
        if isinstance(value, str):
            return text(value)
        if isinstance(value, bytes):
            return b"\xe8" + vint(len(value)) + septets(value)
        if isinstance(value, list):
            return self.list(value)
        if isinstance(value, F64):
            return b"\x29" + fixed(value.bits, 10)
        if isinstance(value, F32):
            sign = value.bits & 1 << 31  # fills the bits in front, as Jackson has it; they mean nothing
            return b"\x28" + fixed(value.bits - 2 * sign, 5)
        if isinstance(value, Decimal):
            if value.exponent == -(2**31):  # a scale has the other sign and 32 bits
                return self.map([("$numberDecimal", value.text)])
            return b"\x2a" + vint(zigzag(-value.exponent)) + big(value.unscaled)
        if isinstance(value, Time):
            return self.time(value)
        if isinstance(value, Undefined):
            return self.map([("$undefined", True)])
        if isinstance(value, Array):
            return self.map_of(array_wrapper(value))
        return self.tag(value) if isinstance(value, Tag) else self.any_map(value.pairs)


def written(value):
    return HEADER + b"\x01" + Writer().value(value)


def canonical(value):
    return HEADER + b"\x00" + Writer(is_sharing=False, is_sorting=True).value(value)
