/* Readers, and the latest value of a channel.
 *
 * Before every call that makes the library take its message back, weir_py_take_back ends the lent message, or refuses
 * when an array still shows it.
 */
#include "module.h"

int weir_py_take_back(struct weir_py_reader *self) {
    struct weir_py_frame *lent = self->lent;
    if (!lent)
        return 0;
    if (lent->exports) {
        PyErr_SetString(PyExc_BufferError,
                        "an array still shows this reader's last message (copy=False): delete it before the "
                        "reader goes on, or keep a copy");
        return -1;
    }
    lent->message = NULL;
    self->lent = NULL;
    return 0;
}

static int ready(struct weir_py_reader *self) {
    return weir_py_usable(self->reader, self->is_busy, "reader") && weir_py_take_back(self) == 0;
}

static PyObject *reader_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"address", NULL};
    PyObject *address;
    weir_error err;
    int status;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "U:Reader", names, &address))
        return NULL;
    const char *text = PyUnicode_AsUTF8(address);
    struct weir_py_reader *self = text ? (struct weir_py_reader *)type->tp_alloc(type, 0) : NULL;
    if (!self)
        return NULL;
    self->address = Py_NewRef(address);
    Py_BEGIN_ALLOW_THREADS
    status = weir_reader_open(text, &self->reader, &err);
    Py_END_ALLOW_THREADS
    if (status == WEIR_OK)
        return (PyObject *)self;
    Py_DECREF(self);
    return weir_py_raise(&err);
}

static void reader_dealloc(PyObject *object) {
    struct weir_py_reader *self = (struct weir_py_reader *)object; /* a lent frame would have kept us */
    weir_reader_close(self->reader);
    Py_XDECREF(self->address);
    Py_TYPE(object)->tp_free(object);
}

static PyObject *reader_close(PyObject *object, PyObject *unused) {
    struct weir_py_reader *self = (struct weir_py_reader *)object;
    (void)unused;
    if (!self->reader)
        Py_RETURN_NONE;
    if (!ready(self))
        return NULL;
    weir_reader *reader = self->reader;
    self->reader = NULL;
    Py_BEGIN_ALLOW_THREADS
    weir_reader_close(reader);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

/* ---- receiving ---- */

struct receiving {
    weir_reader *reader;
    weir_message *message;
};

static int next_attempt(void *context, int64_t timeout_ns, weir_error *err) {
    struct receiving *receiving = context;
    return weir_reader_next(receiving->reader, timeout_ns, &receiving->message, err);
}

/* Hand a message out: a copy of its own, whose original goes back at once, or the original. */
static PyObject *hand_out(struct weir_py_reader *self, weir_message *message, int is_copy) {
    weir_message *copy;
    if (!is_copy)
        return weir_py_message_lend(message, self);
    int status = weir_message_copy(message, &copy);
    weir_reader_release(self->reader);
    return status == WEIR_OK ? weir_py_message_own(copy) : weir_py_raise_code(status);
}

static PyObject *next_message(struct weir_py_reader *self, int64_t timeout_ns, int is_copy, weir_error *err,
                              int *ret_status) {
    struct receiving receiving = {self->reader, NULL};
    *ret_status = weir_py_wait(next_attempt, &receiving, timeout_ns, 0, &self->is_busy, err);
    return *ret_status == WEIR_OK ? hand_out(self, receiving.message, is_copy) : NULL;
}

static PyObject *reader_next(PyObject *object, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"timeout", "copy", NULL};
    struct weir_py_reader *self = (struct weir_py_reader *)object;
    PyObject *seconds = NULL;
    int is_copy = 1, status;
    int64_t timeout_ns;
    weir_error err;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O$p:next", names, &seconds, &is_copy) ||
        weir_py_timeout(seconds, &timeout_ns) < 0 || !ready(self))
        return NULL;
    PyObject *message = next_message(self, timeout_ns, is_copy, &err, &status);
    return status > WEIR_OK ? weir_py_raise(&err) : message;
}

struct receiving_many {
    weir_reader *reader;
    weir_message *messages[WEIR_MANY_MAX];
    size_t max, count;
};

static int next_many_attempt(void *context, int64_t timeout_ns, weir_error *err) {
    struct receiving_many *many = context;
    return weir_reader_next_many(many->reader, timeout_ns, many->messages, many->max, &many->count, err);
}

/* A list of copies; the originals go back at once. */
static PyObject *hand_out_many(struct weir_py_reader *self, const struct receiving_many *many) {
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < many->count; i++) {
        weir_message *copy;
        int status = weir_message_copy(many->messages[i], &copy);
        PyObject *message = status == WEIR_OK ? weir_py_message_own(copy) : weir_py_raise_code(status);
        if (!message || PyList_Append(list, message) < 0)
            Py_CLEAR(list);
        Py_XDECREF(message);
    }
    weir_reader_release(self->reader);
    return list;
}

static PyObject *reader_next_many(PyObject *object, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"max", "timeout", NULL};
    struct weir_py_reader *self = (struct weir_py_reader *)object;
    struct receiving_many many;
    PyObject *seconds = NULL;
    Py_ssize_t max = WEIR_MANY_MAX;
    int64_t timeout_ns;
    weir_error err;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|nO:next_many", names, &max, &seconds) ||
        weir_py_timeout(seconds, &timeout_ns) < 0 || !ready(self))
        return NULL;
    many.reader = self->reader;
    many.max = max < 0 ? 0 : max > WEIR_MANY_MAX ? WEIR_MANY_MAX : (size_t)max;
    int status = weir_py_wait(next_many_attempt, &many, timeout_ns, 0, &self->is_busy, &err);
    if (status == WEIR_OK)
        return hand_out_many(self, &many);
    return status < 0 ? NULL : weir_py_raise(&err);
}

/* A loop over a reader waits without end; it ends when the channel is taken away. */
static PyObject *reader_iternext(PyObject *object) {
    struct weir_py_reader *self = (struct weir_py_reader *)object;
    weir_error err;
    int status;
    if (!ready(self))
        return NULL;
    PyObject *message = next_message(self, WEIR_FOREVER, 1, &err, &status);
    return status > WEIR_OK && status != WEIR_ECLOSED ? weir_py_raise(&err) : message;
}

static PyObject *reader_latest(PyObject *object, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"copy", NULL};
    struct weir_py_reader *self = (struct weir_py_reader *)object;
    weir_message *message;
    weir_error err;
    int is_copy = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$p:latest", names, &is_copy) || !ready(self))
        return NULL;
    if (weir_reader_latest(self->reader, &message, &err) != WEIR_OK)
        return weir_py_raise(&err);
    return hand_out(self, message, is_copy);
}

static PyObject *reader_release(PyObject *object, PyObject *unused) {
    struct weir_py_reader *self = (struct weir_py_reader *)object;
    (void)unused;
    if (!ready(self))
        return NULL;
    weir_reader_release(self->reader);
    Py_RETURN_NONE;
}

static PyObject *reader_fileno(PyObject *object, PyObject *unused) {
    struct weir_py_reader *self = (struct weir_py_reader *)object;
    weir_error err;
    int fd;
    (void)unused;
    if (!weir_py_usable(self->reader, self->is_busy, "reader"))
        return NULL;
    return weir_reader_fd(self->reader, &fd, &err) == WEIR_OK ? PyLong_FromLong(fd) : weir_py_raise(&err);
}

static PyObject *get_gaps(PyObject *object, void *unused) {
    struct weir_py_reader *self = (struct weir_py_reader *)object;
    (void)unused;
    return weir_py_usable(self->reader, self->is_busy, "reader")
               ? PyLong_FromUnsignedLongLong(weir_reader_gaps(self->reader))
               : NULL;
}

static PyObject *get_closed(PyObject *object, void *unused) {
    (void)unused;
    return PyBool_FromLong(!((struct weir_py_reader *)object)->reader);
}

static PyObject *get_address(PyObject *object, void *unused) {
    (void)unused;
    return Py_NewRef(((struct weir_py_reader *)object)->address);
}

static PyGetSetDef reader_attributes[] = {
    {"gaps", get_gaps, NULL, "messages this reader has missed in all", NULL},
    {"closed", get_closed, NULL, "whether close() was called", NULL},
    {"address", get_address, NULL, "the address it was opened with", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

#define KEYWORDS(function) (PyCFunction)(void (*)(void)) function, METH_VARARGS | METH_KEYWORDS

static PyMethodDef reader_methods[] = {
    {"next", KEYWORDS(reader_next), "next(timeout=None, *, copy=True): the next message; raises Timeout."},
    {"next_many", KEYWORDS(reader_next_many),
     "next_many(max=256, timeout=None): a list of the next messages: waits for the first, and takes those that are "
     "there with it; raises Timeout."},
    {"latest", KEYWORDS(reader_latest), "latest(*, copy=True): skip to the newest message; raises NotFound."},
    {"release", reader_release, METH_NOARGS, "Give a lent message back."},
    {"fileno", reader_fileno, METH_NOARGS, "A descriptor that is readable while next() has something to do."},
    {"close", reader_close, METH_NOARGS, "Close it. A second time does nothing."},
    {NULL, NULL, 0, NULL},
};

PyTypeObject weir_py_reader_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "weir.core.Reader",
    .tp_basicsize = sizeof(struct weir_py_reader),
    .tp_new = reader_new,
    .tp_dealloc = reader_dealloc,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = reader_iternext,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_doc = "The receiving end of a channel.",
    .tp_methods = reader_methods,
    .tp_getset = reader_attributes,
};
