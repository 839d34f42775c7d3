/* Arrays of numbers between Python's buffer protocol and the library.
 *
 * Inward: any buffer with one number type (numpy, array.array, ctypes, memoryview) is taken as it lies, in row or in
 * column order; only what is neither is copied. Outward: Array exports memory with its true shape, strides and byte
 * order. It shows a frame's or a writer's memory, which it keeps and in which it is counted, or memory of its own.
 */
#include "module.h"

#include <stdlib.h>

/* ---- inward ---- */

static uint32_t element_of(char letter, Py_ssize_t item_size) {
    int width = item_size == 1 ? 0 : item_size == 2 ? 1 : item_size == 4 ? 2 : item_size == 8 ? 3 : -1;
    if (width < 0)
        return 0;
    if (strchr("BHILQN", letter))
        return WEIR_U8 + (uint32_t)width;
    if (strchr("bhilqn", letter))
        return WEIR_I8 + (uint32_t)width;
    if (letter == 'f' && item_size == 4)
        return WEIR_F32;
    if (letter == 'd' && item_size == 8)
        return WEIR_F64;
    return 0;
}

/* A way out that loses nothing, where there is one, for what has no element type. */
static const char *conversion(const char *letter) {
    switch (letter[0]) {
    case '?': return "x.view('uint8')";
    case 'e': return "x.astype('float32'), which is exact";
    case 'g': return "x.astype('float64'), which rounds";
    case 'Z':
        return letter[1] == 'f'   ? "x.view('float32'), the real and imaginary parts in turn"
               : letter[1] == 'd' ? "x.view('float64'), the real and imaginary parts in turn"
                                  : "x.astype('complex128').view('float64'), which rounds";
    case 'O': return "x.tolist(), or x.astype('float64') when they are numbers";
    default: return "x.tolist(), or x.view('uint8')";
    }
}

static int refuse_format(const char *format, const char *letter) {
    PyErr_Format(
        PyExc_TypeError,
        "an array with the element format '%s' cannot be sent: channels carry integers of 8 to 64 bits and floats "
        "of 32 or 64; convert it first, as in %s",
        format, conversion(letter));
    return -1;
}

/* numpy.ma.MaskedArray; NULL when nobody has imported it, so that there are none. New reference. */
static PyObject *masked_type(void) {
    PyObject *name = PyUnicode_FromString("numpy.ma");
    PyObject *module = name ? PyImport_GetModule(name) : NULL;
    PyObject *type = module ? PyObject_GetAttrString(module, "MaskedArray") : NULL;
    Py_XDECREF(name);
    Py_XDECREF(module);
    if (!type && PyErr_ExceptionMatches(PyExc_AttributeError)) /* it is being imported */
        PyErr_Clear();
    return type;
}

int weir_py_is_whole(PyObject *object) {
    const char *name = Py_TYPE(object)->tp_name; /* of numpy's own types in C with "numpy." before it */
    int is_numpy = strncmp(name, "numpy.", 6) == 0, is_moment = is_numpy && strcmp(name + 6, "datetime64") == 0;
    if (is_moment || (is_numpy && strcmp(name + 6, "timedelta64") == 0)) {
        PyErr_Format(PyExc_TypeError, "a %s cannot be sent, as its unit would be lost: send %s", name,
                     is_moment ? "weir.Time.from_ns(int(x.astype('datetime64[ns]').astype('int64'))), if it is no NaT"
                               : "x.astype('timedelta64[ns]').astype('int64')");
        return 0;
    }
    if (is_numpy)
        return 1;
    PyObject *type = masked_type();
    int is_masked = type ? PyObject_IsInstance(object, type) : PyErr_Occurred() ? -1 : 0;
    Py_XDECREF(type);
    if (is_masked > 0)
        PyErr_SetString(PyExc_TypeError,
                        "a masked array cannot be sent: its mask would be lost, and what is masked be seen; send "
                        "x.filled(value), or x.data and x.mask.view('uint8')");
    return is_masked == 0;
}

int weir_py_ndarray(const Py_buffer *view, weir_ndarray *ret) {
    const char *format = view->format ? view->format : "B";
    const char *letter = strchr("@=<>!", format[0]) && format[0] ? format + 1 : format;
    memset(ret, 0, sizeof *ret);
    if (letter[0] && !letter[1])
        ret->element = element_of(letter[0], view->itemsize);
    if (!ret->element)
        return refuse_format(format, letter);
    if (view->ndim > WEIR_RANK_MAX) {
        PyErr_Format(PyExc_TypeError, "an array of %d dimensions cannot be sent: at most %d", view->ndim,
                     WEIR_RANK_MAX);
        return -1;
    }
    if (!PyBuffer_IsContiguous(view, 'C'))
        ret->order = WEIR_COLUMN;
    ret->big_endian = (format[0] == '>' || format[0] == '!') && view->itemsize > 1;
    ret->rank = (uint32_t)view->ndim;
    for (int i = 0; i < view->ndim; i++)
        ret->shape[i] = (uint64_t)(view->shape ? view->shape[i] : view->len / view->itemsize);
    ret->data = view->buf;
    ret->size = (size_t)view->len;
    return 0;
}

/* What numpy cannot show as a buffer: structs whose fields overlap or lie out of order, which can be laid otherwise, and
 * times, which are refused. Return: as PyMemoryView_FromObject. */
static PyObject *present_otherwise(PyObject *object) {
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyObject *laid = PyObject_HasAttrString(object, "dtype") ? weir_py_struct_present(object) : NULL;
    if (!laid && !PyErr_Occurred()) {
        PyErr_Restore(type, value, trace);
        return NULL;
    }
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(trace);
    PyObject *memory = laid ? PyMemoryView_FromObject(laid) : NULL;
    Py_XDECREF(laid);
    return memory;
}

PyObject *weir_py_contiguous(PyObject *object) {
    PyObject *memory = PyMemoryView_FromObject(object);
    if (!memory && PyErr_ExceptionMatches(PyExc_ValueError))
        memory = present_otherwise(object);
    if (!memory || PyBuffer_IsContiguous(PyMemoryView_GET_BUFFER(memory), 'A'))
        return memory;
    PyObject *copy = PyMemoryView_GetContiguous(memory, PyBUF_READ, 'C');
    Py_DECREF(memory);
    return copy;
}

/* ---- outward ---- */

static const char *const formats[] = {
    [WEIR_U8] = "B",  [WEIR_U16] = "H", [WEIR_U32] = "I", [WEIR_U64] = "Q", [WEIR_I8] = "b",
    [WEIR_I16] = "h", [WEIR_I32] = "i", [WEIR_I64] = "q", [WEIR_F32] = "f", [WEIR_F64] = "d",
};

static void lay_strides(struct weir_py_array *self, uint32_t order) {
    Py_ssize_t step = self->item_size;
    for (int k = 0; k < self->rank; k++) {
        int axis = order == WEIR_COLUMN ? k : self->rank - 1 - k;
        self->strides[axis] = step;
        step *= self->shape[axis] ? self->shape[axis] : 1;
    }
}

static struct weir_py_array *array_new(const weir_ndarray *array) {
    if (array->element < WEIR_U8 || array->element > WEIR_F64 || array->rank > WEIR_RANK_MAX) {
        PyErr_SetString(PyExc_ValueError, "this array has an element type or a rank that this version does not know");
        return NULL;
    }
    struct weir_py_array *self = PyObject_New(struct weir_py_array, &weir_py_array_type);
    if (!self)
        return NULL;
    self->owner = NULL;
    self->exports = NULL;
    self->memory = NULL;
    self->data = NULL;
    self->is_readonly = 0;
    self->size = (Py_ssize_t)array->size;
    self->item_size = (Py_ssize_t)weir_element_size(array->element);
    self->rank = (int)array->rank;
    for (int i = 0; i < self->rank; i++)
        self->shape[i] = (Py_ssize_t)array->shape[i];
    lay_strides(self, array->order);
    snprintf(self->format, sizeof self->format, "%s%s", array->big_endian ? ">" : "", formats[array->element]);
    return self;
}

PyObject *weir_py_array_show(const weir_ndarray *array, PyObject *owner, Py_ssize_t *exports, int is_readonly) {
    struct weir_py_array *self = array_new(array);
    if (!self)
        return NULL;
    self->data = (char *)array->data; /* written only where is_readonly is 0: memory that is ours alone */
    self->is_readonly = is_readonly;
    self->owner = Py_NewRef(owner);
    self->exports = exports;
    if (exports)
        ++*exports;
    return (PyObject *)self;
}

static void swap_bytes(char *data, Py_ssize_t size, Py_ssize_t width) {
    for (Py_ssize_t at = 0; at < size; at += width)
        for (Py_ssize_t i = 0; i < width / 2; i++) {
            char byte = data[at + i];
            data[at + i] = data[at + width - 1 - i];
            data[at + width - 1 - i] = byte;
        }
}

PyObject *weir_py_array_copy(const weir_ndarray *array) {
    weir_ndarray native = *array;
    native.big_endian = PY_BIG_ENDIAN && weir_element_size(array->element) > 1;
    struct weir_py_array *self = array_new(&native);
    if (!self)
        return NULL;
    if (native.big_endian) /* the machine's own order needs no mark */
        snprintf(self->format, sizeof self->format, "%s", formats[array->element]);
    if (posix_memalign(&self->memory, 64, array->size ? array->size : 1) != 0) {
        self->memory = NULL;
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    self->data = self->memory;
    if (array->size)
        memcpy(self->data, array->data, array->size);
    if (self->item_size > 1 && (array->big_endian != 0) != PY_BIG_ENDIAN)
        swap_bytes(self->data, self->size, self->item_size);
    return (PyObject *)self;
}

static void array_dealloc(PyObject *object) {
    struct weir_py_array *self = (struct weir_py_array *)object;
    if (self->exports)
        --*self->exports;
    Py_XDECREF(self->owner);
    free(self->memory);
    PyObject_Free(self);
}

static int row_contiguous(const struct weir_py_array *self) {
    Py_ssize_t step = self->item_size;
    for (int axis = self->rank - 1; axis >= 0; axis--) {
        if (self->shape[axis] > 1 && self->strides[axis] != step)
            return 0;
        step *= self->shape[axis];
    }
    return 1;
}

static int array_getbuffer(PyObject *object, Py_buffer *view, int flags) {
    struct weir_py_array *self = (struct weir_py_array *)object;
    int wants_strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES;
    int wants_row = !wants_strides || (flags & PyBUF_C_CONTIGUOUS) == PyBUF_C_CONTIGUOUS;
    if ((flags & PyBUF_WRITABLE) && self->is_readonly) {
        PyErr_SetString(PyExc_BufferError, "this array lies in the channel and cannot be written: copy it first");
        return -1;
    }
    if (wants_row && !row_contiguous(self)) {
        PyErr_SetString(PyExc_BufferError, "this array lies in column order, the caller can only take row order");
        return -1;
    }
    view->obj = Py_NewRef(object);
    view->buf = self->data;
    view->len = self->size;
    view->readonly = self->is_readonly;
    view->itemsize = self->item_size;
    view->format = flags & PyBUF_FORMAT ? self->format : NULL;
    view->ndim = self->rank;
    view->shape = (flags & PyBUF_ND) && self->rank ? self->shape : NULL;
    view->strides = wants_strides && self->rank ? self->strides : NULL;
    view->suboffsets = NULL;
    view->internal = NULL;
    return 0;
}

static PyBufferProcs array_buffer = {.bf_getbuffer = array_getbuffer};

PyTypeObject weir_py_array_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "weir.core.Array",
    .tp_basicsize = sizeof(struct weir_py_array),
    .tp_dealloc = array_dealloc,
    .tp_as_buffer = &array_buffer,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_doc = "Memory of the library as a buffer, for memoryview and numpy.",
};

/* numpy.asarray; None without numpy. Looked up once: nobody pays for numpy before the first array. Borrowed. */
static PyObject *numpy_asarray(void) {
    static PyObject *function;
    if (function)
        return function;
    PyObject *numpy = PyImport_ImportModule("numpy");
    if (!numpy) {
        if (!PyErr_ExceptionMatches(PyExc_ImportError))
            return NULL;
        PyErr_Clear();
        function = Py_NewRef(Py_None);
        return function;
    }
    function = PyObject_GetAttrString(numpy, "asarray");
    Py_DECREF(numpy);
    return function;
}

PyObject *weir_py_array_present(PyObject *array) {
    PyObject *asarray = array ? numpy_asarray() : NULL;
    PyObject *shown = NULL;
    if (asarray)
        shown = asarray == Py_None ? PyMemoryView_FromObject(array) : PyObject_CallOneArg(asarray, array);
    Py_XDECREF(array);
    return shown;
}

PyObject *weir_py_number(const weir_ndarray *array) {
    union {
        uint8_t u8;
        uint16_t u16;
        uint32_t u32;
        uint64_t u64;
        int8_t i8;
        int16_t i16;
        int32_t i32;
        int64_t i64;
        float f32;
        double f64;
        char bytes[8];
    } one = {.u64 = 0};
    Py_ssize_t width = (Py_ssize_t)weir_element_size(array->element);
    memcpy(one.bytes, array->data, (size_t)width);
    if (width > 1 && (array->big_endian != 0) != PY_BIG_ENDIAN)
        swap_bytes(one.bytes, width, width);
    switch (array->element) {
    case WEIR_U8: return PyLong_FromUnsignedLong(one.u8);
    case WEIR_U16: return PyLong_FromUnsignedLong(one.u16);
    case WEIR_U32: return PyLong_FromUnsignedLong(one.u32);
    case WEIR_U64: return PyLong_FromUnsignedLongLong(one.u64);
    case WEIR_I8: return PyLong_FromLong(one.i8);
    case WEIR_I16: return PyLong_FromLong(one.i16);
    case WEIR_I32: return PyLong_FromLong(one.i32);
    case WEIR_I64: return PyLong_FromLongLong(one.i64);
    case WEIR_F32: return PyFloat_FromDouble(one.f32);
    case WEIR_F64: return PyFloat_FromDouble(one.f64);
    default:
        PyErr_SetString(PyExc_ValueError, "this number has an element type that this version does not know");
        return NULL;
    }
}
