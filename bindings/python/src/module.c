/* weir.core: the extension module's table of contents, its import, and keyword arguments with a rest. */
#include "module.h"

struct weir_py_imports weir_py;

/* A keyword's index in @names, or -1. */
static int name_index(PyObject *keyword, const char *const *names) {
    for (int i = 0; names[i]; i++)
        if (PyUnicode_CompareWithASCIIString(keyword, names[i]) == 0)
            return i;
    return -1;
}

static int take_keywords(const char *function, PyObject *kwargs, const char *const *names, PyObject **values,
                         PyObject **rest) {
    PyObject *keyword, *value;
    Py_ssize_t position = 0;
    while (PyDict_Next(kwargs, &position, &keyword, &value)) {
        int i = name_index(keyword, names);
        if (i < 0) {
            if ((!*rest && !(*rest = PyDict_New())) || PyDict_SetItem(*rest, keyword, value) < 0)
                return -1;
        } else if (values[i]) {
            PyErr_Format(PyExc_TypeError, "%s() got '%s' twice", function, names[i]);
            return -1;
        } else {
            values[i] = value;
        }
    }
    return 0;
}

int weir_py_arguments(const char *function, PyObject *args, PyObject *kwargs, const char *const *names,
                      Py_ssize_t positional, PyObject **values, PyObject **ret_rest) {
    PyObject *rest = NULL;
    Py_ssize_t count = PyTuple_GET_SIZE(args);
    if (count > positional) {
        PyErr_Format(PyExc_TypeError, "%s() takes at most %zd positional arguments, %zd were given: name the others",
                     function, positional, count);
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++)
        values[i] = PyTuple_GET_ITEM(args, i);
    if (kwargs && take_keywords(function, kwargs, names, values, &rest) < 0) {
        Py_XDECREF(rest);
        return -1;
    }
    *ret_rest = rest;
    return 0;
}

static PyObject *latest(PyObject *module, PyObject *address) {
    const char *text = PyUnicode_Check(address) ? PyUnicode_AsUTF8(address) : NULL;
    weir_message *message;
    weir_error err;
    int status;
    (void)module;
    if (!text) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "an address is a str");
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    status = weir_latest(text, &message, &err);
    Py_END_ALLOW_THREADS
    return status == WEIR_OK ? weir_py_message_own(message) : weir_py_raise(&err);
}

static PyObject *version(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    return PyUnicode_FromString(weir_version());
}

#define KEYWORDS(function) (PyCFunction)(void (*)(void)) function, METH_VARARGS | METH_KEYWORDS

static PyMethodDef functions[] = {
    {"latest", latest, METH_O, "latest(address): the channel's latest message."},
    {"wait", KEYWORDS(weir_py_wait_many),
     "wait(ends, timeout=None): wait until readers, servers or descriptors have something to do; the list of those."},
    {"encode", KEYWORDS(weir_py_encode),
     "encode(value, codec='cbor', *, plain=False, strict=False, canonical=False, pretty=False, type=None): bytes."},
    {"decode", KEYWORDS(weir_py_decode),
     "decode(data, codec='cbor', *, strict=False, type=None): the value in these bytes."},
    {"convert", KEYWORDS(weir_py_convert),
     "convert(data, from_codec, to_codec, *, plain=False, strict=False, canonical=False, pretty=False, type=None): "
     "bytes."},
    {"type_parts", weir_py_type_parts, METH_O, "type_parts(type): what a type of raw data is made of, as tuples."},
    {"directory", weir_py_directory, METH_NOARGS, "directory(): the channels of this machine and who has them open."},
    {"info", weir_py_info, METH_O, "info(address): why a channel is as it is, as a dict."},
    {"remove", KEYWORDS(weir_py_remove),
     "remove(address, dry_run=False): take a channel away that nobody has open; the list of what it was."},
    {"clean", KEYWORDS(weir_py_clean), "clean(dry_run=False): take away what the dead left; the list of it."},
    {"version", version, METH_NOARGS, "version(): of the library that is running."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "weir.core", .m_doc = "The C part of weir.", .m_size = -1, .m_methods = functions,
};

struct import {
    const char *module;
    const char *name;
    PyObject **target;
};

static int import_one(const struct import *import) {
    PyObject *module = PyImport_ImportModule(import->module);
    *import->target = module ? PyObject_GetAttrString(module, import->name) : NULL;
    Py_XDECREF(module);
    return *import->target ? 0 : -1;
}

static int import_all(void) {
    static const struct import imports[] = {
        {"weir.errors", "make", &weir_py.make_error},          {"weir.types", "Time", &weir_py.time_type},
        {"weir.types", "time_from_ns", &weir_py.time_from_ns}, {"weir.types", "time_to_ns", &weir_py.time_to_ns},
        {"weir.types", "Tagged", &weir_py.tagged_type},        {"weir.types", "undefined", &weir_py.undefined},
        {"weir.types", "int_digits", &weir_py.int_digits},     {"weir.types", "digits_int", &weir_py.digits_int},
        {"decimal", "Decimal", &weir_py.decimal_type},         {"weir.types", "decimal_parts", &weir_py.decimal_parts},
        {"weir.types", "decimal_from", &weir_py.decimal_from},
    };
    for (size_t i = 0; i < sizeof imports / sizeof *imports; i++)
        if (import_one(&imports[i]) < 0)
            return -1;
    return 0;
}

static int add_types(PyObject *module) {
    PyTypeObject *const types[] = {
        &weir_py_writer_type, &weir_py_reservation_type, &weir_py_reader_type,  &weir_py_client_type,
        &weir_py_server_type, &weir_py_message_type,     &weir_py_request_type, &weir_py_array_type,
    };
    if (PyType_Ready(&weir_py_frame_type) < 0)
        return -1;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (PyModule_AddType(module, types[i]) < 0)
            return -1;
    return 0;
}

PyMODINIT_FUNC PyInit_core(void);
PyMODINIT_FUNC PyInit_core(void) {
    PyObject *module = import_all() == 0 ? PyModule_Create(&definition) : NULL;
    if (module && add_types(module) < 0)
        Py_CLEAR(module);
    return module;
}
