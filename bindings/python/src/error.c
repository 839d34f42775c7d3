/* Failures of the library as Python exceptions.
 *
 * The classes live in weir/errors.py; errors.make picks the class for a code and fills in the library's sentence.
 * Memory errors of Python itself stay MemoryError.
 */
#include "module.h"

PyObject *weir_py_raise(const weir_error *err) {
    PyObject *text = PyUnicode_DecodeUTF8(err->text, (Py_ssize_t)strlen(err->text), "replace");
    if (!text)
        return NULL;
    PyObject *error = PyObject_CallFunction(weir_py.make_error, "iiNK", err->code, err->sys_errno, text,
                                            (unsigned long long)err->offset);
    if (!error)
        return NULL;
    PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_DECREF(error);
    return NULL;
}

PyObject *weir_py_raise_code(int code) {
    weir_error err = {.code = code};
    snprintf(err.text, sizeof err.text, "%s", weir_err_text(code));
    return weir_py_raise(&err);
}

int weir_py_usable(const void *handle, int is_busy, const char *what) {
    if (is_busy) {
        PyErr_Format(PyExc_RuntimeError, "this %s is in use by another call: give each thread a %s of its own", what,
                     what);
        return 0;
    }
    if (!handle) {
        PyErr_Format(PyExc_ValueError, "this %s is closed: open a new one", what);
        return 0;
    }
    return 1;
}
