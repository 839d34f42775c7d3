"""Values that Python has no type of its own for, and conversions that are easier said in Python than in C.

What must stay true: what goes through these and back is the same, to the last nanosecond and digit.
"""

import datetime
import decimal
from typing import Any, NamedTuple

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
MICROSECOND = datetime.timedelta(microseconds=1)


class Time(datetime.datetime):
    """A datetime in UTC that keeps the nanoseconds: .ns counts them since the epoch."""

    below = 0  # nanoseconds below the microsecond

    @property
    def ns(self):
        return (self - EPOCH) // MICROSECOND * 1000 + self.below

    @classmethod
    def from_ns(cls, ns):
        """The time @ns nanoseconds after 1970-01-01T00:00:00Z."""
        seconds, rest = divmod(ns, 1_000_000_000)
        micros, below = divmod(rest, 1000)
        at = EPOCH + datetime.timedelta(seconds=seconds, microseconds=micros)
        time = cls(at.year, at.month, at.day, at.hour, at.minute, at.second, at.microsecond, datetime.timezone.utc)
        time.below = below
        return time

    @classmethod
    def now(cls, tz=datetime.timezone.utc):
        """The current time. Unlike datetime.now it is in UTC unless told otherwise."""
        return super().now(tz)

    def __reduce_ex__(self, protocol):
        return Time.from_ns, (self.ns,)


def time_from_ns(ns):
    return Time.from_ns(ns)


def time_to_ns(time):
    if time.tzinfo is None or time.utcoffset() is None:
        raise TypeError("a datetime without a time zone names no moment: give it one, as in "
                        "datetime.now(timezone.utc)")
    return (time - EPOCH) // MICROSECOND * 1000 + getattr(time, "below", 0)


class Tagged(NamedTuple):
    """A CBOR tag or BSON type without a kind of its own, and its value; space is weir.TAG_CBOR, ..."""

    space: int
    number: int
    value: Any


class Undefined:
    """The type of weir.undefined, JavaScript's undefined. False in conditions."""

    __slots__ = ()

    def __repr__(self):
        return "weir.undefined"

    def __bool__(self):
        return False

    def __reduce__(self):
        return "undefined"


undefined = Undefined()

# Python refuses to convert more than some 4300 digits at once, against long computations on other people's input. Here
# the message's size is limited already, so longer numbers go in pieces.
PIECE = 4000
SCALE = 10**PIECE


def int_digits(number):
    """The decimal digits of an int, however many."""
    if abs(number) < SCALE:
        return str(int(number))
    sign, number = ("-", -number) if number < 0 else ("", number)
    pieces = []
    while number:
        number, piece = divmod(number, SCALE)
        pieces.append(str(piece).rjust(PIECE, "0"))
    return sign + "".join(reversed(pieces)).lstrip("0")


def digits_int(digits):
    """The int with these decimal digits, however many."""
    if len(digits) <= PIECE:
        return int(digits)
    sign, digits = (-1, digits[1:]) if digits[0] == "-" else (1, digits)
    number = 0
    first = len(digits) % PIECE
    for start in range(first - PIECE if first else 0, len(digits), PIECE):
        number = number * SCALE + int(digits[max(start, 0):start + PIECE])
    return sign * number


def decimal_parts(number):
    """(digits with sign, exponent) of a finite Decimal."""
    sign, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int):
        raise TypeError(f"{number} is no number that a message can hold: send it as a float or as text")
    return ("-" if sign else "") + "".join(map(str, digits)), exponent


def decimal_from(digits, exponent):
    sign = 1 if digits.startswith("-") else 0
    return decimal.Decimal((sign, tuple(map(int, digits.lstrip("-"))), exponent))
