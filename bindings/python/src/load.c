/* Values into Python objects, the mirror of build.c.
 *
 * A map becomes a dict; of repeated keys the first stays, as in every lookup of the library. An array or a map that
 * stands as a key, which Python cannot hash, becomes a tuple. Arrays of numbers show the frame's memory where the
 * message is our own copy, and are copied otherwise.
 */
#include "module.h"

static PyObject *load(const weir_value *value, struct weir_py_frame *frame);

/* A bigint's or a decimal's digits can be long: @decimal NULL asks for the former. */
static PyObject *load_digits(const weir_value *value, int32_t *exponent) {
    char small[64];
    char *text = small;
    size_t size = sizeof small;
    PyObject *digits = NULL;
    int status = exponent ? weir_get_decimal(value, NULL, text, size, &size, exponent)
                          : weir_get_digits(value, NULL, text, size, &size);
    if (status == WEIR_ETOOBIG) {
        text = PyMem_Malloc(size);
        if (!text)
            return PyErr_NoMemory();
        status = exponent ? weir_get_decimal(value, NULL, text, size, &size, exponent)
                          : weir_get_digits(value, NULL, text, size, &size);
    }
    if (status == WEIR_OK)
        digits = PyUnicode_FromString(text);
    else
        weir_py_raise_code(status);
    if (text != small)
        PyMem_Free(text);
    return digits;
}

static PyObject *load_bigint(const weir_value *value) {
    PyObject *digits = load_digits(value, NULL);
    PyObject *number = digits ? PyObject_CallOneArg(weir_py.digits_int, digits) : NULL;
    Py_XDECREF(digits);
    return number;
}

static PyObject *load_decimal(const weir_value *value) {
    int32_t exponent;
    PyObject *digits = load_digits(value, &exponent);
    return digits ? PyObject_CallFunction(weir_py.decimal_from, "Ni", digits, (int)exponent) : NULL;
}

static PyObject *load_view(const weir_value *value, int is_text) {
    weir_view view;
    int status = is_text ? weir_get_text(value, NULL, &view) : weir_get_bytes(value, NULL, &view);
    if (status != WEIR_OK)
        return weir_py_raise_code(status);
    return is_text ? PyUnicode_DecodeUTF8(view.data, (Py_ssize_t)view.size, NULL)
                   : PyBytes_FromStringAndSize(view.data, (Py_ssize_t)view.size);
}

static PyObject *load_list(const weir_value *value, struct weir_py_frame *frame) {
    PyObject *list = PyList_New(0);
    weir_iter it;
    weir_iter_init(&it, value);
    while (list && weir_iter_next(&it)) {
        PyObject *item = load(it.value, frame);
        if (!item || PyList_Append(list, item) < 0)
            Py_CLEAR(list);
        Py_XDECREF(item);
    }
    return list;
}

/* What can be a key: containers as tuples, all the way down. */
static PyObject *hashable(PyObject *key) {
    if (!PyList_Check(key) && !PyDict_Check(key))
        return Py_NewRef(key);
    PyObject *items = PyDict_Check(key) ? PyDict_Items(key) : Py_NewRef(key);
    PyObject *tuple = items ? PyTuple_New(PyList_GET_SIZE(items)) : NULL;
    for (Py_ssize_t i = 0; tuple && i < PyTuple_GET_SIZE(tuple); i++) {
        PyObject *item = PyList_GET_ITEM(items, i);
        PyObject *list = PyTuple_Check(item) ? PySequence_List(item) : Py_NewRef(item);
        PyObject *done = list ? hashable(list) : NULL;
        Py_XDECREF(list);
        if (done)
            PyTuple_SET_ITEM(tuple, i, done);
        else
            Py_CLEAR(tuple);
    }
    Py_XDECREF(items);
    return tuple;
}

static int load_pair(PyObject *dict, const weir_iter *it, struct weir_py_frame *frame) {
    PyObject *loaded = load(it->key, frame);
    PyObject *key = loaded ? hashable(loaded) : NULL;
    PyObject *item = key ? load(it->value, frame) : NULL;
    int status = item && PyDict_SetDefault(dict, key, item) ? 0 : -1;
    Py_XDECREF(loaded);
    Py_XDECREF(key);
    Py_XDECREF(item);
    return status;
}

static PyObject *load_dict(const weir_value *value, struct weir_py_frame *frame) {
    PyObject *dict = PyDict_New();
    weir_iter it;
    weir_iter_init(&it, value);
    while (dict && weir_iter_next(&it))
        if (load_pair(dict, &it, frame) < 0)
            Py_CLEAR(dict);
    return dict;
}

static PyObject *load_ndarray(const weir_value *value, struct weir_py_frame *frame) {
    weir_ndarray array;
    int status = weir_get_ndarray(value, NULL, &array);
    if (status != WEIR_OK)
        return weir_py_raise_code(status);
    if (array.rank == 0)
        return weir_py_number(&array);
    return weir_py_array_present(frame ? weir_py_array_show(&array, (PyObject *)frame, &frame->exports, 0)
                                       : weir_py_array_copy(&array));
}

static PyObject *load_tagged(const weir_value *value, struct weir_py_frame *frame) {
    uint32_t space;
    uint64_t number;
    const weir_value *inside;
    int status = weir_get_tagged(value, NULL, &space, &number, &inside);
    if (status != WEIR_OK)
        return weir_py_raise_code(status);
    PyObject *content = load(inside, frame);
    return content ? PyObject_CallFunction(weir_py.tagged_type, "IKN", space, (unsigned long long)number, content)
                   : NULL;
}

static PyObject *load_time(const weir_value *value) {
    int64_t ns;
    int status = weir_get_time(value, NULL, &ns);
    return status == WEIR_OK ? PyObject_CallFunction(weir_py.time_from_ns, "L", (long long)ns)
                             : weir_py_raise_code(status);
}

static PyObject *load_integer(const weir_value *value) {
    int64_t number;
    uint64_t large;
    if (weir_get_i64(value, NULL, &number) == WEIR_OK)
        return PyLong_FromLongLong(number);
    int status = weir_get_u64(value, NULL, &large);
    return status == WEIR_OK ? PyLong_FromUnsignedLongLong(large) : weir_py_raise_code(status);
}

static PyObject *load_float(const weir_value *value) {
    double number;
    int status = weir_get_f64(value, NULL, &number);
    return status == WEIR_OK ? PyFloat_FromDouble(number) : weir_py_raise_code(status);
}

static PyObject *load_bool(const weir_value *value) {
    int truth;
    int status = weir_get_bool(value, NULL, &truth);
    return status == WEIR_OK ? PyBool_FromLong(truth) : weir_py_raise_code(status);
}

static PyObject *load_any(const weir_value *value, struct weir_py_frame *frame) {
    switch (weir_value_kind(value)) {
    case WEIR_KIND_NULL: return Py_NewRef(Py_None);
    case WEIR_KIND_UNDEFINED: return Py_NewRef(weir_py.undefined);
    case WEIR_KIND_BOOL: return load_bool(value);
    case WEIR_KIND_INT64:
    case WEIR_KIND_UINT64: return load_integer(value);
    case WEIR_KIND_BIGINT: return load_bigint(value);
    case WEIR_KIND_FLOAT32:
    case WEIR_KIND_FLOAT64: return load_float(value);
    case WEIR_KIND_DECIMAL: return load_decimal(value);
    case WEIR_KIND_TEXT: return load_view(value, 1);
    case WEIR_KIND_BYTES: return load_view(value, 0);
    case WEIR_KIND_TIME: return load_time(value);
    case WEIR_KIND_ARRAY: return load_list(value, frame);
    case WEIR_KIND_MAP: return load_dict(value, frame);
    case WEIR_KIND_NDARRAY: return load_ndarray(value, frame);
    case WEIR_KIND_TAGGED: return load_tagged(value, frame);
    default:
        PyErr_Format(PyExc_ValueError, "this message holds a kind of value (%d) that this version does not know",
                     weir_value_kind(value));
        return NULL;
    }
}

static PyObject *load(const weir_value *value, struct weir_py_frame *frame) {
    if (Py_EnterRecursiveCall(" while reading a message"))
        return NULL;
    PyObject *object = load_any(value, frame);
    Py_LeaveRecursiveCall();
    return object;
}

PyObject *weir_py_load(const weir_value *value, struct weir_py_frame *frame) {
    return value ? load(value, frame) : Py_NewRef(Py_None);
}
