"""Python's json, strict: names kept in order and with repeats, NaN and Infinity refused."""
import json
import platform

from peer import Draw, Pairs, serve


class Constant(ValueError):
    pass


def refuse(name):
    raise Constant("the constant %s" % name)


def decode(data):
    return json.loads(data.decode(), object_pairs_hook=Pairs, parse_constant=refuse, parse_int=integer)


def integer(text):
    return -0.0 if text == "-0" else int(text)  # what weir promises: the sign stays


class Writer(dict):
    """json writes dicts only, whose items may repeat their names when they come from pairs."""

    def __init__(self, pairs):
        super().__init__({"": None} if pairs else {})
        self.pairs = pairs

    def items(self):
        return self.pairs


def writable(value):
    if isinstance(value, Pairs):
        return Writer([(k, writable(v)) for k, v in value])
    return [writable(v) for v in value] if isinstance(value, list) else value


def encode(value):
    return json.dumps(writable(value), ensure_ascii=len(repr(value)) % 2 == 0, allow_nan=False).encode()


def generate(seed):
    return paired(Draw(seed, ["none", "bool", "integer", "bigint", "float", "text"]).value())


def paired(value):
    if isinstance(value, dict):
        return Pairs([k, paired(v)] for k, v in value.items())
    return [paired(v) for v in value] if isinstance(value, list) else value


serve("json of Python " + platform.python_version(), decode, encode, generate, None)
