/* Types of raw data: structs between Python, numpy's structured arrays, and the library.
 *
 * What a type says is handed to Python as nested tuples (core.type_parts); the package's structs.py makes dtypes of
 * them, and types of dtypes. A structured array is sent as it lies; inside of containers, and in calls, it becomes
 * maps.
 */
#include "module.h"

/* A type from Python text. Return: 0, or -1 with an exception. */
int weir_py_type(PyObject *object, weir_type **ret) {
    Py_ssize_t size;
    weir_error err;
    if (!PyUnicode_Check(object)) {
        PyErr_Format(PyExc_TypeError, "a type is a str, as 'f64[3]' or '{t: i64, x: f32[3]}', not %.100s",
                     Py_TYPE(object)->tp_name);
        return -1;
    }
    const char *text = PyUnicode_AsUTF8AndSize(object, &size);
    if (!text)
        return -1;
    if (weir_type_new(text, (size_t)size, ret, &err) == WEIR_OK)
        return 0;
    weir_py_raise(&err);
    return -1;
}

/* ---- types as tuples ---- */

static PyObject *parts_of(const weir_field *field);

static PyObject *shape_of(const weir_field *field) {
    PyObject *shape = PyTuple_New((Py_ssize_t)field->rank);
    for (uint32_t i = 0; shape && i < field->rank; i++) {
        PyObject *size = PyLong_FromUnsignedLongLong(field->shape[i]);
        if (size)
            PyTuple_SET_ITEM(shape, (Py_ssize_t)i, size);
        else
            Py_CLEAR(shape);
    }
    return shape;
}

static PyObject *fields_of(const weir_field *field) {
    PyObject *fields = PyList_New(0);
    for (field = weir_field_first(field); fields && field; field = weir_field_next(field)) {
        PyObject *part = parts_of(field);
        if (!part || PyList_Append(fields, part) < 0)
            Py_CLEAR(fields);
        Py_XDECREF(part);
    }
    return fields;
}

/* (name, element name or list of fields, shape, whether in column order, offset, bytes of one item). As deep as structs
 * may lie. */
static PyObject *parts_of(const weir_field *field) {
    PyObject *what = field->element ? PyUnicode_FromString(weir_element_name(field->element)) : fields_of(field);
    PyObject *shape = what ? shape_of(field) : NULL;
    if (!shape) {
        Py_XDECREF(what);
        return NULL;
    }
    return Py_BuildValue("(s#NNOKK)", field->name.data, (Py_ssize_t)field->name.size, what, shape,
                         field->order == WEIR_COLUMN && field->rank > 1 ? Py_True : Py_False,
                         (unsigned long long)field->offset, (unsigned long long)field->item_size);
}

PyObject *weir_py_type_parts(PyObject *module, PyObject *text) {
    weir_type *type;
    (void)module;
    if (weir_py_type(text, &type) < 0)
        return NULL;
    PyObject *parts = parts_of(weir_type_whole(type));
    weir_type_free(type);
    return parts;
}

/* ---- structured arrays ---- */

/* A function of structs.py, which imports this module and so cannot be imported with it: looked up once. Borrowed. */
static PyObject *function_of(const char *name, PyObject **kept) {
    PyObject *module = *kept ? NULL : PyImport_ImportModule("weir.structs");
    if (module)
        *kept = PyObject_GetAttrString(module, name);
    Py_XDECREF(module);
    return *kept;
}

int weir_py_is_struct(const Py_buffer *view) {
    return view->format && strncmp(view->format, "T{", 2) == 0;
}

PyObject *weir_py_struct_lay(PyObject *object) {
    static PyObject *kept;
    PyObject *lay = function_of("lay", &kept);
    PyObject *laid = lay ? PyObject_CallOneArg(lay, object) : NULL;
    if (laid && !(PyTuple_Check(laid) && PyTuple_GET_SIZE(laid) == 2 && PyUnicode_Check(PyTuple_GET_ITEM(laid, 0)))) {
        PyErr_SetString(PyExc_TypeError, "a structured array could not be laid out");
        Py_CLEAR(laid);
    }
    return laid;
}

PyObject *weir_py_struct_present(PyObject *object) {
    static PyObject *kept;
    PyObject *present = function_of("present", &kept);
    return present ? PyObject_CallOneArg(present, object) : NULL;
}

int weir_py_struct_put(weir_doc *doc, PyObject *text, const Py_buffer *bytes) {
    weir_type *type;
    weir_doc *seen = NULL;
    weir_error err;
    if (weir_py_type(text, &type) < 0)
        return -1;
    int status = weir_doc_new(&seen);
    if (status != WEIR_OK)
        PyErr_NoMemory();
    else if ((status = weir_type_decode(seen, type, bytes->buf, (size_t)bytes->len, NULL, &err)) != WEIR_OK)
        weir_py_raise(&err);
    else
        weir_put_value(doc, weir_doc_root(seen));
    weir_doc_free(seen);
    weir_type_free(type);
    return status == WEIR_OK ? 0 : -1;
}

PyObject *weir_py_struct_show(PyObject *array, weir_view type) {
    static PyObject *kept;
    PyObject *show = array ? function_of("show", &kept) : NULL;
    PyObject *text = show ? PyUnicode_DecodeUTF8(type.data, (Py_ssize_t)type.size, "replace") : NULL;
    PyObject *shown = text ? PyObject_CallFunctionObjArgs(show, array, text, NULL) : NULL;
    Py_XDECREF(text);
    Py_XDECREF(array);
    return shown;
}
