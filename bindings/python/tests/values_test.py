"""Python values into bytes and back, for every codec that is built in."""

import datetime
import decimal
import enum
import math
import pickle
import sys

import pytest
import weir
from weir import types

VALUES = [
    None, True, False, 0, 1, -1, 23, 24, 255, 256, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), 2**63, 2**64 - 1, 2**64,
    -(2**64), 10**30, -(10**30), 0.0, -0.0, 1.5, 0.1, 1e300, 5e-324, math.inf, -math.inf, "", "zwölf €𝄞",
    "nul\0 inside",
    b"", b"abc", bytes(range(256)), [], [1, [2, [3]]], {}, {"a": 1, "b": {"c": [None]}}, {1: "int key", "x": 2},
    decimal.Decimal("1.50"), decimal.Decimal("-12345678901234567890.123456789"), decimal.Decimal("1E+20"),
    weir.Time.from_ns(1_700_000_000_123_456_789), weir.Time.from_ns(-1), weir.Tagged(weir.TAG_CBOR, 4711, "x"),
    weir.undefined,
]


@pytest.mark.parametrize("codec", ["cbor", "json"])
@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_round_trip(value, codec):
    back = weir.decode(weir.encode(value, codec), codec)
    assert back == value
    assert repr(back) == repr(value)  # also -0.0, bool against int, Decimal's digits
    if isinstance(value, weir.Time):
        assert back.ns == value.ns


def test_nan():
    for codec in ("cbor", "json"):
        assert math.isnan(weir.decode(weir.encode(math.nan, codec), codec))


@pytest.mark.parametrize("digits", [100, 3999, 4000, 4300, 4301, 4900])
def test_large_ints(digits):
    """Also beyond the 4300 digits at which Python stops converting."""
    for number in (10**digits, -(10**digits) + 1, 10**digits - 7):
        for codec in ("cbor", "json"):
            assert weir.decode(weir.encode(number, codec), codec) == number


def test_ints_beyond_the_limit_are_refused():
    with pytest.raises(weir.LimitError, match="digits"):
        weir.encode(10**10000)


@pytest.mark.parametrize("digits", [1, 3999, 4000, 4001, 8000, 12001])
def test_digits_in_pieces(digits):
    for number in (10**digits, 10**digits - 1, -(10**digits), 7):
        text = types.int_digits(number)
        assert types.digits_int(text) == number
        assert len(text.lstrip("-")) == (1 if number == 7 else digits + (number != 10**digits - 1))


def test_subclasses_are_what_they_are():
    class Colour(enum.IntEnum):
        RED = 3

    class Name(str):
        pass

    assert weir.decode(weir.encode([Colour.RED, Name("x"), (1, 2)])) == [3, "x", [1, 2]]


def test_map_keys_of_any_kind():
    # {[1, 2]: "a", {"x": 1}: "b", 1.5: "c"}: what cannot be hashed becomes a tuple
    data = bytes.fromhex("a3" "820102" "6161" "a1617801" "6162" "fb3ff8000000000000" "6163")
    assert weir.decode(data) == {(1, 2): "a", (("x", 1),): "b", 1.5: "c"}


def test_the_first_of_repeated_keys_stays():
    assert weir.decode(b'{"a":1,"a":2}', "json") == {"a": 1}
    with pytest.raises(weir.ParseError):
        weir.decode(b'{"a":1,"a":2}', "json", strict=True)


def test_datetime():
    zone = datetime.timezone(datetime.timedelta(hours=2))
    moment = datetime.datetime(2026, 5, 1, 12, 30, 0, 250000, tzinfo=zone)
    back = weir.decode(weir.encode(moment))
    assert back == moment and isinstance(back, datetime.datetime)
    with pytest.raises(TypeError, match="time zone"):
        weir.encode(datetime.datetime(2026, 5, 1))


def test_time_keeps_nanoseconds():
    time = weir.Time.from_ns(1_700_000_000_123_456_789)
    assert time.ns == 1_700_000_000_123_456_789
    assert pickle.loads(pickle.dumps(time)).ns == time.ns
    assert (time + datetime.timedelta(seconds=1)).second == (time.second + 1) % 60
    assert weir.Time.now().tzinfo is not None


def test_what_cannot_be_sent_says_what_can():
    for value in (object(), {1, 2}, 1j, datetime.date(2026, 1, 1)):
        with pytest.raises(TypeError, match="cannot be sent.*numpy"):
            weir.encode(value)
    with pytest.raises(TypeError, match="no number"):
        weir.encode(decimal.Decimal("NaN"))
    with pytest.raises(UnicodeEncodeError):
        weir.encode("\ud800")


def test_endless_nesting_is_refused():
    loop = []
    loop.append(loop)
    with pytest.raises((RecursionError, weir.LimitError)):
        weir.encode(loop)
    deep = []
    for _ in range(sys.getrecursionlimit() * 2):
        deep = [deep]
    with pytest.raises((RecursionError, weir.LimitError)):
        weir.encode(deep)


def test_a_list_that_changes_while_it_is_sent():
    """Building runs no foreign code for plain values, but a datetime's time zone may be anybody's."""
    items = [1, None, 3, 4]

    class Zone(datetime.tzinfo):
        def utcoffset(self, time):
            items.clear()
            return datetime.timedelta(0)

    items[1] = datetime.datetime(2026, 1, 1, tzinfo=Zone())
    assert weir.decode(weir.encode(items))[0] == 1


def test_bad_bytes():
    with pytest.raises(weir.ParseError) as info:
        weir.decode(b'{"a": tru}', "json")
    assert info.value.offset >= 6 and info.value.code == weir.EPARSE
    with pytest.raises(weir.ParseError):
        weir.decode(b"\xff", "cbor")
    with pytest.raises(weir.InvalidArgument, match="morse"):
        weir.decode(b"1", "morse")


def test_convert():
    cbor = weir.convert('{"b": [1, 2.5], "a": "x"}', "json", "cbor")
    assert weir.decode(cbor) == {"b": [1, 2.5], "a": "x"}
    assert weir.convert(cbor, "cbor", "json", canonical=True) == b'{"a":"x","b":[1,2.5]}'
    assert b"\n" in weir.encode({"a": [1]}, "json", pretty=True)
    plain = weir.encode(b"abc", "json", plain=True)
    assert plain == b'"YWJj"'


def test_undefined_is_itself():
    assert not weir.undefined
    assert repr(weir.undefined) == "weir.undefined"
    assert pickle.loads(pickle.dumps(weir.undefined)) is weir.undefined
