/* Waiting: in slices, without the interpreter lock, so that Ctrl-C and other threads get their turn.
 *
 * The first try is made with the lock held and does not wait: a message that is there costs no lock traffic. An object
 * stays marked busy during the whole wait, signal handlers included: a handler that closes it is refused, not obeyed.
 */
#include "module.h"

#include <math.h>
#include <time.h>

enum { SLICE_NS = 100 * 1000 * 1000 };

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int weir_py_timeout(PyObject *seconds, int64_t *ret_ns) {
    if (!seconds || seconds == Py_None) {
        *ret_ns = WEIR_FOREVER;
        return 0;
    }
    double value = PyFloat_AsDouble(seconds);
    if (value == -1.0 && PyErr_Occurred())
        return -1;
    if (isnan(value) || value < 0) {
        PyErr_SetString(PyExc_ValueError, "a timeout is seconds from 0 up, or None to wait without end");
        return -1;
    }
    *ret_ns = value < 9e9 ? (int64_t)ceil(value * 1e9) : WEIR_FOREVER;
    return 0;
}

static int attempt_unlocked(weir_py_attempt attempt, void *context, int64_t timeout_ns, weir_error *err) {
    int status;
    Py_BEGIN_ALLOW_THREADS
    status = attempt(context, timeout_ns, err);
    Py_END_ALLOW_THREADS
    return status;
}

static int wait_slices(weir_py_attempt attempt, void *context, int64_t timeout_ns, weir_error *err) {
    int64_t deadline = timeout_ns == WEIR_FOREVER ? INT64_MAX : now_ns() + timeout_ns;
    for (int64_t left = deadline - now_ns(); left > 0; left = deadline - now_ns()) {
        int status = attempt_unlocked(attempt, context, left < SLICE_NS ? left : SLICE_NS, err);
        if (status != WEIR_ETIMEOUT)
            return status;
        if (PyErr_CheckSignals() < 0)
            return -1;
    }
    return WEIR_ETIMEOUT;
}

int weir_py_wait(weir_py_attempt attempt, void *context, int64_t timeout_ns, int is_long, int *is_busy,
                 weir_error *err) {
    *is_busy = 1;
    int status = is_long ? attempt_unlocked(attempt, context, 0, err) : attempt(context, 0, err);
    if (status == WEIR_ETIMEOUT && timeout_ns != 0)
        status = wait_slices(attempt, context, timeout_ns, err);
    *is_busy = 0;
    return status;
}

/* ---- waiting on many ---- */

struct many {
    weir_wait_item *items;
    Py_ssize_t count;
};

static int many_attempt(void *context, int64_t timeout_ns, weir_error *err) {
    struct many *many = context;
    return weir_wait(many->items, (size_t)many->count, timeout_ns, err);
}

/* Set one item from a reader, a server, or anything with a file descriptor. */
static int fill_item(weir_wait_item *item, PyObject *end) {
    memset(item, 0, sizeof *item);
    item->fd = -1;
    if (PyObject_TypeCheck(end, &weir_py_reader_type)) {
        struct weir_py_reader *reader = (struct weir_py_reader *)end;
        if (!weir_py_usable(reader->reader, reader->is_busy, "reader") || weir_py_take_back(reader) < 0)
            return -1;
        item->reader = reader->reader;
        return 0;
    }
    if (PyObject_TypeCheck(end, &weir_py_server_type)) {
        struct weir_py_server *server = (struct weir_py_server *)end;
        if (!weir_py_usable(server->server, server->is_busy, "server"))
            return -1;
        item->server = server->server;
        return 0;
    }
    item->fd = PyObject_AsFileDescriptor(end);
    return item->fd < 0 ? -1 : 0;
}

static void mark_busy(PyObject *ends, Py_ssize_t count, int is_busy) {
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *end = PyTuple_GET_ITEM(ends, i);
        if (PyObject_TypeCheck(end, &weir_py_reader_type))
            ((struct weir_py_reader *)end)->is_busy = is_busy;
        else if (PyObject_TypeCheck(end, &weir_py_server_type))
            ((struct weir_py_server *)end)->is_busy = is_busy;
    }
}

static PyObject *ready_ones(PyObject *ends, const struct many *many) {
    PyObject *ready = PyList_New(0);
    for (Py_ssize_t i = 0; ready && i < many->count; i++)
        if (many->items[i].is_ready && PyList_Append(ready, PyTuple_GET_ITEM(ends, i)) < 0)
            Py_CLEAR(ready);
    return ready;
}

static PyObject *wait_filled(PyObject *ends, struct many *many, int64_t timeout_ns) {
    weir_error err;
    int is_busy = 0;
    for (Py_ssize_t i = 0; i < many->count; i++)
        if (fill_item(&many->items[i], PyTuple_GET_ITEM(ends, i)) < 0)
            return NULL;
    mark_busy(ends, many->count, 1);
    int status = weir_py_wait(many_attempt, many, timeout_ns, 0, &is_busy, &err);
    mark_busy(ends, many->count, 0);
    if (status < 0)
        return NULL;
    if (status == WEIR_ETIMEOUT)
        return PyList_New(0);
    return status == WEIR_OK ? ready_ones(ends, many) : weir_py_raise(&err);
}

PyObject *weir_py_wait_many(PyObject *module, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"ends", "timeout", NULL};
    PyObject *list, *seconds = NULL;
    int64_t timeout_ns;
    (void)module;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:wait", names, &list, &seconds) ||
        weir_py_timeout(seconds, &timeout_ns) < 0)
        return NULL;
    PyObject *ends = PySequence_Tuple(list);
    if (!ends)
        return NULL;
    struct many many = {NULL, PyTuple_GET_SIZE(ends)};
    many.items = PyMem_Calloc((size_t)many.count + 1, sizeof *many.items);
    PyObject *result = many.items ? wait_filled(ends, &many, timeout_ns) : PyErr_NoMemory();
    PyMem_Free(many.items);
    Py_DECREF(ends);
    return result;
}
