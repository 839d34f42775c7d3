#!/usr/bin/env python3
"""The Python peer of the interoperability tests; tests/interop/README.md says what its five verbs do and print."""

import json
import sys

import weir

WAIT = 20.0


def numbers(element, shape, values, order="row"):
    """An array without numpy: a memoryview of numbers, or numpy's for column order, which memoryview cannot make."""
    if order == "column":
        import numpy
        return numpy.array(values, dtype="float64").reshape(shape, order="F")
    memory = memoryview(bytearray(len(values) * {"B": 1, "i": 4, "d": 8}[element])).cast(element)
    for i, value in enumerate(values):
        memory[i] = value
    return memory.cast("B").cast(element, shape)


def message(i):
    """(op, data) of the series' message i."""
    rows = {
        0: lambda: ("map", {"half": i + 0.5, "i": i, "name": "zwölf €𝄞", "none": None, "on": i % 2 == 0}),
        1: lambda: ("text", f'tick\t{i} "quoted" \\ back'),
        2: lambda: ("matrix", numbers("d", [2, 3], [i + r + c / 4 for r in range(2) for c in range(3)])),
        3: lambda: ("vector", numbers("i", [5], [10 * i - k for k in range(5)])),
        4: lambda: ("column", numbers("d", [3, 2], [i + r - c / 4 for c in range(2) for r in range(3)], "column")),
        5: lambda: ("integers", [0, -1, 9007199254740993, 2**63 - 1, -(2**63)]),
        6: lambda: ("empty", None),
        7: lambda: ("nested", {"a": [1, [2, [3, {"b": []}]]], "i": i}),
        8: lambda: ("blob", bytes_as_array(bytes((i + 7 * k) % 251 for k in range(100000)))),
    }
    return rows[i % 9]()


def bytes_as_array(content):
    """u8[N] rather than bytes: a view of more than one dimension, or of another buffer, is an array."""
    import array
    return array.array("B", content)


def text_of(value):
    """A value as the contract prints it."""
    if value is None:
        return "-"
    if isinstance(value, (dict, list, str, int, float)):
        return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    view = memoryview(value)
    order = "row" if view.c_contiguous else "column"
    check = sum(4 * (k + 1) * x for k, x in enumerate(flat(view)))
    element = {"d": "f64", "i": "i32", "l": "i64", "q": "i64", "B": "u8"}[view.format]
    return f"{element}[{','.join(map(str, view.shape))}] {order} {int(check)}"


def flat(view):
    """The elements in row-major counting, whatever lies where."""
    values = view.tolist()
    for _ in range(view.ndim - 1):
        values = [x for row in values for x in row]
    return values


def line_of(m):
    return "\t".join([str(m.seq), str(m.gap), m.op, text_of(m.meta or None), text_of(m.data)])


def say(line):
    print(line, flush=True)


def write(address, count):
    with weir.writer(address) as w:
        w.timeout = WAIT
        say("ready")
        for i in range(int(count)):
            op, data = message(i)
            if i % 9 == 6:
                w.send(op=op)
            else:
                w.send(data, op=op, i=i, unit="V")


def read(address, count):
    with weir.reader(address) as r:
        say("ready")
        for _ in range(int(count)):
            say(line_of(r.next(timeout=WAIT)))


def latest(address):
    try:
        m = weir.get(address)
    except weir.NotFound:
        return 3
    say(line_of(m))


def call(address, op, text=""):
    with weir.client(address) as c:
        say("ready")
        try:
            reply = c.call(op, json.loads(text) if text else None, timeout=WAIT)
        except weir.RemoteError as error:
            say(f"error\t{error.remote_code}\t{error}")
            return 1
        say(f"ok\t{text_of(reply.data)}")


def serve(address, op, count):
    with weir.server(address) as s:
        say("ready")
        for _ in range(int(count)):
            request = s.next(timeout=WAIT)
            if request.op == op:
                request.reply(request.data, by="serve")
            else:
                request.fail(f"no operation {request.op} here", 42)


def main(verb, *arguments):
    try:
        return {"write": write, "read": read, "latest": latest, "call": call, "serve": serve}[verb](*arguments) or 0
    except weir.Error as error:
        print(f"{error.name}: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
