"""Other spellings, refusals and canonical forms in Smile. OFFSET is the first byte that cannot be right, or the size of
what is cut off; the reasons are those of the specification 1.0.7, or of being stricter than it where it leaves a
choice."""

import smile
from meaning import Map

DEFAULT, BARE, VALUES, RAW = (smile.HEADER + bytes([flags]) for flags in (1, 0, 2, 4))


def line(data, *rest):
    return " ".join([data.hex() or "-", *map(str, rest)]) + "\n"


def texts(count):
    """Texts of two letters, each once, and at last the first again: so many that a table of values is filled."""
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return [letters[i // 52] + letters[i % 52] for i in range(count - 1)] + ["aa"]


def shared_texts(count, last):
    """The bytes of texts(count) with the last said as @last."""
    return VALUES + b"\xf8" + b"".join(smile.text(text) for text in texts(count)[:-1]) + last + b"\xf9"


def accepted():
    return [
        (b"\xc0", "int64-0", "no header"),
        (DEFAULT + b"\xc0\xff", "int64-0", "an end marker"),
        (smile.HEADER + b"\x09\xc0", "int64-0", "the reserved bit of the header"),
        (DEFAULT + DEFAULT + b"\xc0", "int64-0", "a header after a header"),
        (BARE + b"\x24\x80", "int64-0", "an integer longer than it must be"),
        (BARE + b"\x24\x00\x00\x00\x00\x80", "int64-0", "an integer of five bytes"),
        (BARE + b"\x25\x80", "int64-0", "a token for 64 bits"),
        (BARE + b"\x25\x81", "int64-minus-1", "a token for 64 bits"),
        (BARE + b"\x25\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80", "int64-0", "an integer of ten bytes"),
        (BARE + b"\x26\x81\x00\x00", "int64-0", "a big integer that fits an integer"),
        (BARE + b"\x26\x81\x7f\x01", "int64-minus-1", "a big integer that fits an integer"),
        (BARE + b"\x26\x82" + smile.septets(b"\x00\x00"), "int64-0",
         "a big integer with a byte that only repeats the sign"),
        (BARE + b"\x26\x88" + smile.septets(b"\x7f" + b"\xff" * 7), "int64-9223372036854775807",
         "a big integer that fits"),
        (BARE + b"\x26\x89" + smile.septets(b"\0" + b"\xff" * 8), "uint64-18446744073709551615",
         "as Java has no other form"),
        (BARE + b"\x28\x0f\x7c\0\0\0", "float32-minus-infinity", "padding in front that is clear"),
        (BARE + b"\x28\x70\0\0\0\0", "float32-zero", "padding in front that is set"),
        (BARE + b"\x29\x7e" + b"\0" * 9, "float64-zero", "padding in front that is set"),
        (BARE + b"\xe8\x81\x00\x7e", "bytes-1", "padding in the last byte that is set"),
        (RAW + b"\xfd\x80", "bytes-0", "raw binary"),
        (RAW + b"\xfd\x81\0", "bytes-1", "raw binary"),
        (RAW + b"\xfd\x83\0\1\2", "bytes-3", "raw binary"),
        (RAW + b"\xfd\x04\x80" + bytes(range(256)), "bytes-256", "raw binary with bytes FE and FF"),
        (BARE + b"\xfd\x81\0", "bytes-1", "raw binary that the header does not announce"),
        (BARE + b"\x60" + b"a" * 33, "text-33", "a short text"),
        (BARE + b"\xe0a\xfc", "text-1", "a long form of a short text"),
        (BARE + b"\xe4a\xfc", "text-1", "a long form of a short text, as Unicode"),
        (BARE + b"\xe0\xfc", "text-0", "a long form of no text"),
        (BARE + b"\x95" + b"a" * 23, "text-23", "ASCII in a token for Unicode"),
        (BARE + b"\xbf" + b"a" * 65, "text-65", "a short form that is 65 bytes"),
        (BARE + b"\xfa\x34k0\xfc\xc0\xfb", "map-1", "a long name that is short"),
        (BARE + b"\xfa\xc0k0\xc0\xfb", "map-1", "ASCII in a token for a name in Unicode"),
        (BARE + b"\xfa\xf7" + "\u00e9".encode() * 28 + b"n\xc0\xfb", "name-unicode-57", "57 bytes in a short name"),
        (shared_texts(33, b"\x01"), "texts-33", "a reference to the first text"),
        (shared_texts(260, b"\x01"), "texts-260", "a reference to the first of 259 texts"),
        (shared_texts(1026, smile.text("aa")), "texts-1026", "a table that was emptied"),
    ]


def refused():
    return [
        (b"", "always", 0, "no value"),
        (DEFAULT, "always", 4, "no value behind the header"),
        (DEFAULT + b"\xff", "always", 4, "an end marker and no value"),
        (b":", "always", 1, "a header that is cut off"),
        (b":)", "always", 2, "a header that is cut off"),
        (b":)\n", "always", 3, "a header that is cut off"),
        (b":(\n\1\xc0", "always", 1, "a header that is none"),
        (b":)\r\1\xc0", "always", 2, "a header that is none"),
        (b":)\n\x11\xc0", "always", 3, "version 1"),
        (b":)\n\xf1\xc0", "always", 3, "version 15"),
        (BARE + b"\xc0\xc0", "always", 5, "more behind the value"),
        (BARE + b"\xc0\xff\xc0", "always", 6, "more behind the end"),
        *[(BARE + bytes([token]), "always", 4, "a token that is reserved") for token in
          (0x00, 0x27, 0x2B, 0x2F, 0x30, 0x3F, 0xE1, 0xE3, 0xE5, 0xE7, 0xE9, 0xEB, 0xF0, 0xF7, 0xFE)],
        *[(BARE + bytes([token]), "always", 4, "an end of what was not begun") for token in (0xF9, 0xFB, 0xFC)],
        (BARE + b"\x24", "always", 5, "an integer that is cut off"),
        (BARE + b"\x24\x01", "always", 6, "an integer that is cut off"),
        (BARE + b"\x24\x00\x00\x00\x00\x00\x80", "always", 10, "an integer of six bytes"),
        (BARE + b"\x24\x20\x00\x00\x00\x80", "always", 9, "an integer beyond 32 bits"),
        (BARE + b"\x24\xc0", "always", 5, "a last byte with its second bit set"),
        (BARE + b"\x25" + b"\0" * 10 + b"\x80", "always", 15, "an integer of eleven bytes"),
        (BARE + b"\x25\x04" + b"\0" * 8 + b"\x80", "always", 14, "an integer beyond 64 bits"),
        (BARE + b"\x26\x80", "always", 5, "a big integer without bytes"),
        (BARE + b"\x26\x82\x00\x00", "always", 8, "a big integer that is cut off"),
        (BARE + b"\x26\x81\x80\x00", "always", 6, "a byte of more than seven bits"),
        (BARE + b"\x28\0\0\0\0", "always", 9, "a float that is cut off"),
        (BARE + b"\x28\0\0\x80\0\0", "always", 7, "a byte of more than seven bits"),
        (BARE + b"\x29" + b"\0" * 9, "always", 14, "a double that is cut off"),
        (BARE + b"\x2a\x80", "always", 6, "a decimal that is cut off"),
        (BARE + b"\x2a\x80\x80", "always", 6, "a decimal without digits"),
        (BARE + b"\xe8\x82\0\0", "always", 8, "binary data that is cut off"),
        (BARE + b"\xe8\x81\x80\0", "always", 6, "a byte of more than seven bits"),
        (RAW + b"\xfd\x82\0", "always", 7, "raw data that is cut off"),
        (BARE + b"\xfd\x81\0", "strict", 4, "raw binary that the header does not announce"),
        (BARE + b"\x41a", "always", 6, "a text that is cut off"),
        (BARE + b"\x41\xc3\xa9", "always", 5, "Unicode in a token for ASCII"),
        (BARE + b"\x80\xc3a", "always", 5, "a text that is not UTF-8"),
        (BARE + b"\x81\xed\xa0\x80", "always", 5, "half of a surrogate pair"),
        (BARE + b"\xe0ab", "always", 7, "a long text that is cut off"),
        (BARE + b"\xe0\xc3\xa9\xfc", "always", 5, "Unicode in a token for ASCII"),
        (BARE + b"\xe4\xc3\xfc", "always", 5, "a text that is not UTF-8"),
        (BARE + b"\xf8\xc0", "always", 6, "an array that is cut off"),
        (BARE + b"\xf8\xfb", "always", 5, "the end of a map in an array"),
        (BARE + b"\xf8\xff", "always", 5, "an end marker in an array"),
        (BARE + b"\xfa", "always", 5, "a map that is cut off"),
        (BARE + b"\xfa\xf9", "always", 5, "the end of an array in a map"),
        (BARE + b"\xfa\x80a", "always", 7, "a name without a value"),
        (BARE + b"\xfa\x80a\xfb", "always", 7, "the end of a map where a value must be"),
        (BARE + b"\xfa\x21\xc0\xfb", "always", 5, "a name that is none"),
        (BARE + b"\xfa\xf8\xc0\xfb", "always", 5, "a name that is none"),
        (BARE + b"\xfa\x80\xc3\xc0\xfb", "always", 6, "Unicode in a name for ASCII"),
        (BARE + b"\xfa\xc0\xc3a\xc0\xfb", "always", 6, "a name that is not UTF-8"),
        (BARE + b"\xfa\x34a", "always", 7, "a long name that is cut off"),
        (BARE + b"\xfa\x80a\xc0\x40\xc0\xfb", "always", 8, "a shared name, and the header says there are none"),
        (DEFAULT + b"\xfa\x40\xc0\xfb", "always", 5, "a name that was not yet"),
        (DEFAULT + b"\xfa\x80a\xc0\x41\xc0\xfb", "always", 8, "a name that was not yet"),
        (DEFAULT + b"\xfa\x80a\xc0\x30\x40\xc0\xfb", "always", 8, "a name that was not yet"),
        (DEFAULT + b"\x01", "always", 4, "a shared text, and the header says there are none"),
        (VALUES + b"\x01", "always", 4, "a text that was not yet"),
        (VALUES + b"\xf8\x41ab\x02\xf9", "always", 8, "a text that was not yet"),
        (VALUES + b"\xf8\x20\x01\xf9", "always", 6, "no text is shared that is empty"),
        (VALUES + b"\xf8\xe0a\xfc\x01\xf9", "always", 8, "no text is shared that is long"),
        (VALUES + b"\xf8\xec\x00\xf9", "always", 5, "a text that was not yet"),
        (DEFAULT + b"\xfa\x80a\xc2\x40\xc4\xfb", "strict", "-", "the key \"a\" twice"),
    ]


def canonical():
    pairs = [("b", 1), ("aa", 2), ("a", 3), ("", 4)]
    shared = [Map([("n%d" % i, i) for i in range(63)])] * 2
    return [
        (smile.canonical(Map(pairs)), "map-order", "keys by their bytes, no shared names"),
        (smile.canonical(Map([("a", 1), ("a", 3), ("b", 2)])), "map-repeated-keys", "equal keys keep their order"),
        (smile.canonical(shared), "names-63-twice", "no shared names"),
        (BARE + b"\xfa\x84$time\x57" + b"2023-11-14T22:13:20.123Z" + b"\xfb", "time-ms", "a time has one form"),
        (BARE + b"\x29" + smile.fixed(0x3FB999999999999A, 10), "float64-tenth", "as always"),
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
