"""Structs of raw data and numpy's structured types, which say the same: names, element types, shapes, offsets.

What must stay true: a type made from a dtype has the layout that C gives the struct (numpy's align=True), and a dtype
made from a type has the offsets that the library says. numpy is imported only when a struct is there.
"""

import functools

from . import core

ELEMENTS = {"u8": "<u1", "u16": "<u2", "u32": "<u4", "u64": "<u8", "i8": "<i1", "i16": "<i2", "i32": "<i4",
            "i64": "<i8", "f32": "<f4", "f64": "<f8"}
NAMES = {kind[1:]: element for element, kind in ELEMENTS.items()}


def sizes(shape):
    return "[" + ",".join(map(str, shape)) + "]" if shape else ""


@functools.lru_cache(maxsize=256)
def described(dtype):
    """The type's text for one item of a dtype, and the dtype that has the same fields where C lays them."""
    import numpy
    if dtype.subdtype:
        base, shape = dtype.subdtype
        text, wanted = described(base)
        return text + sizes(shape), numpy.dtype((wanted, shape))
    if dtype.names:
        fields = [(name, *described(dtype.fields[name][0])) for name in dtype.names]
        text = "{" + ", ".join(f"{name}: {text}" for name, text, _ in fields) + "}"
        return text, numpy.dtype([(name, wanted) for name, _, wanted in fields], align=True)
    if dtype.kind in "Mm":
        way = ("x.astype('datetime64[ns]').astype('int64'), where NaT is -2**63, or a list of weir.Time"
               if dtype.kind == "M" else "x.astype('timedelta64[ns]').astype('int64')")
        raise TypeError(f"an array of numpy's {dtype} cannot be sent, as no channel has an element type with a unit: "
                        f"send {way}")
    element = NAMES.get(f"{dtype.kind}{dtype.itemsize}")
    if not element:
        raise TypeError(f"a struct with a field of numpy's type {dtype} cannot be sent: channels carry integers of 8 "
                        "to 64 bits and floats of 32 or 64, and arrays and structs of them")
    return element, dtype.newbyteorder("<")


def type_of(dtype):
    """The type's text for one item of a numpy dtype: type_of(np.dtype([("t", "i8"), ("x", "f4", 3)])) is
    "{t: i64, x: f32[3]}". Where the dtype's own layout is not that of C, arrays are copied into it to be sent."""
    import numpy
    return described(numpy.dtype(dtype))[0]


def present(data):
    """An array that numpy does not show as a buffer, laid as in C: structs whose fields overlap or lie out of order.
    What no type can say is refused with a sentence. Called by the C part."""
    import numpy
    _, wanted = described(data.dtype)
    laid = numpy.zeros(data.shape, wanted)
    laid[...] = data
    return laid


def lay(data):
    """A structured array as it is sent: the type's text, and its bytes, laid out as in C, which are @data's own where
    they lie so. Called by the C part."""
    import numpy
    data = numpy.asarray(data)
    text, wanted = described(data.dtype)
    is_column = data.flags.f_contiguous and not data.flags.c_contiguous
    if data.dtype != wanted or not (data.flags.c_contiguous or is_column):
        laid = numpy.zeros(data.shape, wanted, order="F" if is_column else "C")  # zeros also between the fields
        laid[...] = data
        data = laid
    order = ":col" if is_column and data.ndim > 1 else ""
    return text + sizes(data.shape) + order, data.reshape(-1, order="A").view("u1")


def built(part):
    """The dtype of one item of a part of core.type_parts, and the numpy shape and order of its items."""
    import numpy
    _, what, shape, is_column, _, item_size = part
    if isinstance(what, str):
        return numpy.dtype(ELEMENTS[what]), shape, is_column
    formats = []
    for field in what:
        base, inner, is_inner_column = built(field)
        if is_inner_column:
            raise mismatch(f"the field '{field[0]}' is an array in column order, which numpy has not in structs: "
                           "read .data instead")
        formats.append((base, inner) if inner else base)
    names, offsets = [field[0] for field in what], [field[4] for field in what]
    base = numpy.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": item_size})
    return base, shape, is_column


def mismatch(sentence):
    from .constants import ETYPE
    from .errors import make
    return make(ETYPE, 0, sentence, 0)


@functools.lru_cache(maxsize=256)
def parsed(text):
    return built(core.type_parts(text))


def dtype(text):
    """The numpy dtype of one item of a type: dtype("{t: i64, x: f32[3]}") has the fields t and x where C has them."""
    return parsed(text)[0]


def show(memory, text):
    """The bytes @memory as the structured array of a type. Called by the C part."""
    try:
        import numpy
    except ImportError:
        raise mismatch("structs are shown as arrays by numpy, which is not installed: read .data instead") from None
    base, shape, is_column = parsed(text)
    return numpy.asarray(memory).view(base).reshape(shape, order="F" if is_column else "C")
