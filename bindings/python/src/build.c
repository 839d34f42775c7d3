/* Python objects into documents and arrays.
 *
 *     None, bool, int of any size, float, str, bytes    their kinds       datetime (aware), weir.Time    time
 *     list, tuple                                       array             decimal.Decimal                decimal
 *     dict                                              map               weir.Tagged, weir.undefined    their kinds
 *     any other buffer of numbers (numpy, array, ...)   ndarray; a single number when it has no dimension
 *     a buffer of structs (numpy's structured arrays)   raw structs as a message's data, maps elsewhere
 *
 * Short texts and bytes are copied into the document; long bytes and arrays are referred to, and *keep holds on to them
 * until the send is over, because other threads may run meanwhile and drop them.
 */
#include "module.h"

#include <datetime.h>

enum { REFER_FROM = 1024 }; /* bytes from which referring is cheaper than copying */

static int put(weir_doc *doc, PyObject *object, PyObject **keep);

static int hold(PyObject **keep, PyObject *object) {
    if (!*keep && !(*keep = PyList_New(0)))
        return -1;
    return PyList_Append(*keep, object);
}

static int put_int(weir_doc *doc, PyObject *object) {
    int overflow;
    long long value = PyLong_AsLongLongAndOverflow(object, &overflow);
    if (!overflow) {
        if (value == -1 && PyErr_Occurred())
            return -1;
        weir_put_i64(doc, value);
        return 0;
    }
    PyObject *digits = PyObject_CallOneArg(weir_py.int_digits, object);
    Py_ssize_t size;
    const char *text = digits ? PyUnicode_AsUTF8AndSize(digits, &size) : NULL;
    if (text)
        weir_put_bigint(doc, text, (size_t)size);
    Py_XDECREF(digits);
    return text ? 0 : -1;
}

static int put_text(weir_doc *doc, PyObject *object) {
    Py_ssize_t size;
    const char *text = PyUnicode_AsUTF8AndSize(object, &size);
    if (!text)
        return -1;
    weir_put_text(doc, text, (size_t)size);
    return 0;
}

/* Bytes of any plain buffer. A memoryview pins a bytearray: it cannot be resized until the send is over. */
static int put_bytes(weir_doc *doc, PyObject *object, PyObject **keep) {
    PyObject *memory = weir_py_contiguous(object);
    if (!memory)
        return -1;
    const Py_buffer *view = PyMemoryView_GET_BUFFER(memory);
    int status = 0;
    if (view->len < REFER_FROM)
        weir_put_bytes(doc, view->buf, (size_t)view->len);
    else if ((status = hold(keep, memory)) == 0)
        weir_refer_bytes(doc, view->buf, (size_t)view->len);
    Py_DECREF(memory);
    return status;
}

static int put_number(weir_doc *doc, const weir_ndarray *array) {
    PyObject *number = weir_py_number(array);
    if (!number)
        return -1;
    int status = 0;
    if (array->element == WEIR_F32)
        weir_put_f32(doc, (float)PyFloat_AS_DOUBLE(number));
    else if (array->element == WEIR_F64)
        weir_put_f64(doc, PyFloat_AS_DOUBLE(number));
    else
        status = put_int(doc, number);
    Py_DECREF(number);
    return status;
}

static int put_struct(weir_doc *doc, PyObject *object) {
    PyObject *laid = weir_py_struct_lay(object);
    PyObject *memory = laid ? PyMemoryView_FromObject(PyTuple_GET_ITEM(laid, 1)) : NULL;
    int status = memory ? weir_py_struct_put(doc, PyTuple_GET_ITEM(laid, 0), PyMemoryView_GET_BUFFER(memory)) : -1;
    Py_XDECREF(memory);
    Py_XDECREF(laid);
    return status;
}

static int put_buffer(weir_doc *doc, PyObject *object, PyObject **keep) {
    weir_ndarray array;
    PyObject *memory = weir_py_is_whole(object) ? weir_py_contiguous(object) : NULL;
    if (!memory)
        return -1;
    const Py_buffer *view = PyMemoryView_GET_BUFFER(memory);
    if (weir_py_is_struct(view)) {
        Py_DECREF(memory);
        return put_struct(doc, object);
    }
    if (view->ndim == 0 && view->format && strcmp(view->format, "?") == 0) { /* numpy.bool_ */
        weir_put_bool(doc, *(const char *)view->buf != 0);
        Py_DECREF(memory);
        return 0;
    }
    int status = weir_py_ndarray(view, &array);
    if (status == 0 && array.rank == 0)
        status = put_number(doc, &array);
    else if (status == 0 && array.size < REFER_FROM)
        weir_put_ndarray(doc, &array);
    else if (status == 0 && (status = hold(keep, memory)) == 0)
        weir_refer_ndarray(doc, &array);
    Py_DECREF(memory);
    return status;
}

static int put_sequence(weir_doc *doc, PyObject *object, PyObject **keep) {
    int is_list = PyList_Check(object);
    weir_begin_array(doc);
    /* A list may change under our hands when an item runs Python code: ask for its length each time. */
    for (Py_ssize_t i = 0; i < (is_list ? PyList_GET_SIZE(object) : PyTuple_GET_SIZE(object)); i++) {
        PyObject *item = Py_NewRef(is_list ? PyList_GET_ITEM(object, i) : PyTuple_GET_ITEM(object, i));
        int status = put(doc, item, keep);
        Py_DECREF(item);
        if (status < 0)
            return -1;
    }
    weir_end(doc);
    return 0;
}

static int put_pairs(weir_doc *doc, PyObject *dict, PyObject **keep) {
    PyObject *items = PyDict_Items(dict); /* a snapshot, for the same reason */
    int status = items ? 0 : -1;
    for (Py_ssize_t i = 0; status == 0 && i < PyList_GET_SIZE(items); i++) {
        PyObject *pair = PyList_GET_ITEM(items, i);
        status = put(doc, PyTuple_GET_ITEM(pair, 0), keep);
        if (status == 0)
            status = put(doc, PyTuple_GET_ITEM(pair, 1), keep);
    }
    Py_XDECREF(items);
    return status;
}

static int put_map(weir_doc *doc, PyObject *dict, PyObject **keep) {
    weir_begin_map(doc);
    if (put_pairs(doc, dict, keep) < 0)
        return -1;
    weir_end(doc);
    return 0;
}

static int put_time(weir_doc *doc, PyObject *object) {
    PyObject *ns = PyObject_CallOneArg(weir_py.time_to_ns, object);
    long long value = ns ? PyLong_AsLongLong(ns) : -1;
    Py_XDECREF(ns);
    if (value == -1 && PyErr_Occurred())
        return -1;
    weir_put_time(doc, value);
    return 0;
}

static int put_decimal(weir_doc *doc, PyObject *object) {
    PyObject *parts = PyObject_CallOneArg(weir_py.decimal_parts, object);
    const char *digits;
    Py_ssize_t size;
    int exponent;
    int is_good = parts && PyArg_ParseTuple(parts, "s#i", &digits, &size, &exponent);
    if (is_good)
        weir_put_decimal(doc, digits, (size_t)size, exponent);
    Py_XDECREF(parts);
    return is_good ? 0 : -1;
}

/* weir.Tagged is a named tuple (space, number, value). */
static int put_tagged(weir_doc *doc, PyObject *object, PyObject **keep) {
    unsigned int space;
    unsigned long long number;
    PyObject *value;
    if (!PyArg_ParseTuple(object, "IKO:Tagged", &space, &number, &value))
        return -1;
    weir_put_tag(doc, space, number);
    return put(doc, value, keep);
}

/* bytes, bytearray, and memoryviews of plain bytes. */
static int is_bytes(PyObject *object) {
    if (PyBytes_Check(object) || PyByteArray_Check(object))
        return 1;
    if (!PyMemoryView_Check(object))
        return 0;
    const Py_buffer *view = PyMemoryView_GET_BUFFER(object);
    return view->ndim == 1 && (!view->format || strcmp(view->format, "B") == 0);
}

/* The kinds that are asked for more rarely. */
static int put_special(weir_doc *doc, PyObject *object, PyObject **keep) {
    if (PyDateTime_Check(object))
        return put_time(doc, object);
    if (PyObject_TypeCheck(object, (PyTypeObject *)weir_py.decimal_type))
        return put_decimal(doc, object);
    if (object == weir_py.undefined) {
        weir_put_undefined(doc);
        return 0;
    }
    if (PyObject_CheckBuffer(object))
        return put_buffer(doc, object, keep);
    PyErr_Format(
        PyExc_TypeError,
        "%.100s cannot be sent: send None, bool, int, float, str, bytes, datetime, Decimal, list, dict, or an array "
        "of numbers (numpy or any buffer)",
        Py_TYPE(object)->tp_name);
    return -1;
}

static int put_any(weir_doc *doc, PyObject *object, PyObject **keep) {
    if (object == Py_None)
        weir_put_null(doc);
    else if (PyBool_Check(object))
        weir_put_bool(doc, object == Py_True);
    else if (PyLong_Check(object))
        return put_int(doc, object);
    else if (PyFloat_Check(object))
        weir_put_f64(doc, PyFloat_AS_DOUBLE(object));
    else if (PyUnicode_Check(object))
        return put_text(doc, object);
    else if (PyDict_Check(object))
        return put_map(doc, object, keep);
    else if (PyObject_TypeCheck(object, (PyTypeObject *)weir_py.tagged_type))
        return put_tagged(doc, object, keep);
    else if (PyList_Check(object) || PyTuple_Check(object))
        return put_sequence(doc, object, keep);
    else if (is_bytes(object))
        return put_bytes(doc, object, keep);
    else
        return put_special(doc, object, keep);
    return 0;
}

static int put(weir_doc *doc, PyObject *object, PyObject **keep) {
    if (Py_EnterRecursiveCall(" while building a message"))
        return -1;
    int status = put_any(doc, object, keep);
    Py_LeaveRecursiveCall();
    return status;
}

int weir_py_put(weir_doc *doc, PyObject *object, PyObject **keep) {
    if (!PyDateTimeAPI) {
        PyDateTime_IMPORT;
        if (!PyDateTimeAPI)
            return -1;
    }
    return put(doc, object, keep);
}

static int finish(weir_doc *doc, const weir_value **ret) {
    weir_error err;
    if (weir_doc_finish(doc, ret, &err) == WEIR_OK)
        return 0;
    weir_py_raise(&err);
    return -1;
}

int weir_py_build(weir_doc *doc, PyObject *object, PyObject **keep, const weir_value **ret) {
    weir_doc_clear(doc);
    if (weir_py_put(doc, object, keep) < 0)
        return -1;
    return finish(doc, ret);
}

/* ---- parcels ---- */

/* meta and its additional entries as one map; an entry wins over meta's of the same name. */
static int pack_meta(struct weir_py_parcel *parcel, weir_doc *doc, PyObject *meta, PyObject *entries) {
    if (meta == Py_None)
        meta = NULL;
    if (!meta && !entries)
        return 0;
    if (meta && !PyDict_Check(meta)) {
        PyErr_Format(PyExc_TypeError, "meta is a dict, not %.100s", Py_TYPE(meta)->tp_name);
        return -1;
    }
    PyObject *all = meta && entries ? PyDict_Copy(meta) : Py_NewRef(meta ? meta : entries);
    if (!all)
        return -1;
    int status = meta && entries ? PyDict_Update(all, entries) : 0;
    if (status == 0)
        status = weir_py_build(doc, all, &parcel->keep, &parcel->meta);
    Py_DECREF(all);
    return status;
}

/* Structs go as they lie. */
static int pack_struct(struct weir_py_parcel *parcel, PyObject *data) {
    PyObject *laid = weir_py_struct_lay(data);
    PyObject *memory = laid ? PyMemoryView_FromObject(PyTuple_GET_ITEM(laid, 1)) : NULL;
    int status = memory ? hold(&parcel->keep, laid) : -1;
    if (status == 0)
        status = hold(&parcel->keep, memory);
    if (status == 0) {
        const Py_buffer *view = PyMemoryView_GET_BUFFER(memory);
        parcel->type = PyTuple_GET_ITEM(laid, 0);
        parcel->array = (weir_ndarray){.element = WEIR_U8,
                                       .rank = 1,
                                       .shape = {(uint64_t)view->len},
                                       .data = view->buf,
                                       .size = (size_t)view->len};
    }
    Py_XDECREF(memory);
    Py_XDECREF(laid); /* keep has both */
    return status;
}

/* An array goes as it lies, unless its bytes are the wrong way round for the channel; everything else goes as a
 * value. */
static int pack_data(struct weir_py_parcel *parcel, weir_doc *doc, PyObject *data) {
    if (!data || data == Py_None)
        return 0;
    if (PyObject_CheckBuffer(data) && !is_bytes(data) && !PyUnicode_Check(data)) {
        PyObject *memory = weir_py_is_whole(data) ? weir_py_contiguous(data) : NULL;
        int status = memory ? hold(&parcel->keep, memory) : -1;
        Py_XDECREF(memory); /* keep has it */
        if (status < 0)
            return -1;
        const Py_buffer *view = PyMemoryView_GET_BUFFER(memory);
        if (weir_py_is_struct(view))
            return pack_struct(parcel, data);
        if (view->ndim == 0)
            return weir_py_build(doc, data, &parcel->keep, &parcel->data);
        if (weir_py_ndarray(view, &parcel->array) < 0)
            return -1;
        if (!parcel->array.big_endian) {
            parcel->is_array = 1;
            return 0;
        }
    }
    return weir_py_build(doc, data, &parcel->keep, &parcel->data);
}

int weir_py_pack(struct weir_py_parcel *parcel, weir_doc *data_doc, weir_doc *meta_doc, PyObject *data, PyObject *op,
                 PyObject *meta, PyObject *entries) {
    memset(parcel, 0, sizeof *parcel);
    if (op && op != Py_None) {
        Py_ssize_t size;
        if (!PyUnicode_Check(op)) {
            PyErr_Format(PyExc_TypeError, "op is a str, not %.100s", Py_TYPE(op)->tp_name);
            return -1;
        }
        parcel->op = PyUnicode_AsUTF8AndSize(op, &size);
        if (!parcel->op)
            return -1;
        if (strlen(parcel->op) != (size_t)size) {
            PyErr_SetString(PyExc_ValueError, "op must not contain a NUL character");
            return -1;
        }
    }
    if (pack_meta(parcel, meta_doc, meta, entries) == 0 && pack_data(parcel, data_doc, data) == 0)
        return 0;
    weir_py_unpack(parcel);
    return -1;
}

int weir_py_parcel_value(struct weir_py_parcel *parcel, weir_doc *doc) {
    if (!parcel->is_array && !parcel->type)
        return 0;
    weir_doc_clear(doc);
    if (parcel->type) {
        Py_buffer bytes = {.buf = (void *)parcel->array.data, .len = (Py_ssize_t)parcel->array.size};
        return weir_py_struct_put(doc, parcel->type, &bytes) < 0 ? -1 : finish(doc, &parcel->data);
    }
    weir_refer_ndarray(doc, &parcel->array);
    return finish(doc, &parcel->data);
}

void weir_py_unpack(struct weir_py_parcel *parcel) {
    Py_CLEAR(parcel->keep);
}
