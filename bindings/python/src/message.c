/* Messages as Python sees them.
 *
 * A message usually holds its own copy of what was received and lives as long as anybody uses it; arrays show that
 * copy, may be written, and keep it. A lent message (reader.next(copy=False)) shows the channel itself: it ends with
 * its reader's next call, its arrays are read-only, and while one of them lives the reader refuses to go on.
 */
#include "module.h"

#include <time.h>

/* ---- frames ---- */

static void frame_dealloc(PyObject *object) {
    struct weir_py_frame *self = (struct weir_py_frame *)object;
    if (!self->reader) {
        weir_message_free(self->message);
    } else {
        if (self->reader->lent == self)
            self->reader->lent = NULL;
        Py_DECREF(self->reader);
    }
    PyObject_Free(self);
}

PyTypeObject weir_py_frame_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "weir.core.Frame",
    .tp_basicsize = sizeof(struct weir_py_frame),
    .tp_dealloc = frame_dealloc,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
};

static PyObject *message_with(PyTypeObject *type, weir_message *message, struct weir_py_reader *reader) {
    struct weir_py_message *self = (struct weir_py_message *)type->tp_alloc(type, 0);
    struct weir_py_frame *frame = self ? PyObject_New(struct weir_py_frame, &weir_py_frame_type) : NULL;
    if (!frame) {
        Py_XDECREF(self);
        if (!reader)
            weir_message_free(message);
        return NULL;
    }
    frame->message = message;
    frame->exports = 0;
    frame->reader = reader;
    Py_XINCREF(reader);
    if (reader)
        reader->lent = frame;
    self->frame = frame;
    return (PyObject *)self;
}

PyObject *weir_py_message_own(weir_message *message) {
    return message_with(&weir_py_message_type, message, NULL);
}

PyObject *weir_py_message_lend(weir_message *message, struct weir_py_reader *reader) {
    return message_with(&weir_py_message_type, message, reader);
}

PyObject *weir_py_request_own(weir_message *message, struct weir_py_server *server) {
    PyObject *self = message_with(&weir_py_request_type, message, NULL);
    if (self)
        ((struct weir_py_request *)self)->server = (struct weir_py_server *)Py_NewRef(server);
    return self;
}

/* ---- messages ---- */

/* The library's message, or NULL with an exception when it went back to its reader. */
static weir_message *held(PyObject *self) {
    struct weir_py_frame *frame = ((struct weir_py_message *)self)->frame;
    if (!frame->message)
        PyErr_SetString(PyExc_ValueError,
                        "this message was lent (copy=False) and its reader has gone on: use it before "
                        "the reader's next call, or keep m.copy()");
    return frame->message;
}

static PyObject *text_of(weir_view view) {
    return PyUnicode_DecodeUTF8(view.data, (Py_ssize_t)view.size, "replace");
}

static PyObject *get_op(PyObject *self, void *unused) {
    weir_message *message = held(self);
    (void)unused;
    return message ? text_of(weir_message_op(message)) : NULL;
}

static PyObject *get_seq(PyObject *self, void *unused) {
    weir_message *message = held(self);
    (void)unused;
    return message ? PyLong_FromUnsignedLongLong(weir_message_seq(message)) : NULL;
}

static PyObject *get_time_ns(PyObject *self, void *unused) {
    weir_message *message = held(self);
    (void)unused;
    if (!message)
        return NULL;
    int64_t time = weir_message_time(message);
    return time ? PyLong_FromLongLong(time) : Py_NewRef(Py_None);
}

static PyObject *get_time(PyObject *self, void *unused) {
    weir_message *message = held(self);
    (void)unused;
    if (!message)
        return NULL;
    int64_t time = weir_message_time(message);
    return time ? PyFloat_FromDouble((double)time / 1e9) : Py_NewRef(Py_None);
}

static PyObject *get_age(PyObject *self, void *unused) {
    struct timespec now;
    weir_message *message = held(self);
    (void)unused;
    if (!message)
        return NULL;
    int64_t time = weir_message_time(message);
    if (!time)
        return Py_NewRef(Py_None);
    clock_gettime(CLOCK_REALTIME, &now);
    return PyFloat_FromDouble((double)((int64_t)now.tv_sec * 1000000000 + now.tv_nsec - time) / 1e9);
}

static PyObject *get_id(PyObject *self, void *unused) {
    weir_message *message = held(self);
    (void)unused;
    return message ? PyLong_FromUnsignedLongLong(weir_message_id(message)) : NULL;
}

static PyObject *get_writer(PyObject *self, void *unused) {
    weir_message *message = held(self);
    (void)unused;
    return message ? PyLong_FromUnsignedLong(weir_message_writer(message)) : NULL;
}

static PyObject *get_gap(PyObject *self, void *unused) {
    weir_message *message = held(self);
    (void)unused;
    return message ? PyLong_FromUnsignedLongLong(weir_message_gap(message)) : NULL;
}

static PyObject *get_codec(PyObject *self, void *unused) {
    weir_message *message = held(self);
    (void)unused;
    return message ? PyUnicode_FromString(weir_codec_name(weir_message_codec(message))) : NULL;
}

static PyObject *get_bytes(PyObject *self, void *unused) {
    weir_message *message = held(self);
    (void)unused;
    if (!message)
        return NULL;
    weir_view view = weir_message_bytes(message);
    return PyBytes_FromStringAndSize(view.data, (Py_ssize_t)view.size);
}

static PyObject *get_type(PyObject *self, void *unused) {
    weir_message *message = held(self);
    (void)unused;
    return message ? text_of(weir_message_type(message)) : NULL;
}

/* Decode data or meta. Arrays may show only memory that is our own. */
static PyObject *decoded(PyObject *object, int is_meta) {
    struct weir_py_message *self = (struct weir_py_message *)object;
    weir_message *message = held(object);
    const weir_value *value;
    weir_error err;
    if (!message)
        return NULL;
    if ((is_meta ? weir_message_meta(message, &value, &err) : weir_message_data(message, &value, &err)) != WEIR_OK)
        return weir_py_raise(&err);
    if (is_meta && !value)
        return PyDict_New();
    return weir_py_load(value, self->frame->reader ? NULL : self->frame);
}

static PyObject *get_meta(PyObject *object, void *unused) {
    struct weir_py_message *self = (struct weir_py_message *)object;
    (void)unused;
    if (!held(object))
        return NULL;
    if (!self->meta)
        self->meta = decoded(object, 1);
    return Py_XNewRef(self->meta);
}

static PyObject *get_data(PyObject *object, void *unused) {
    struct weir_py_message *self = (struct weir_py_message *)object;
    (void)unused;
    if (!held(object))
        return NULL;
    if (!self->data)
        self->data = decoded(object, 0);
    return Py_XNewRef(self->data);
}

/* Whether the data is raw structs, which are shown as an array of bytes. */
static int is_struct(const weir_message *message) {
    weir_view type = weir_message_type(message);
    return type.size > 0 && type.data[0] == '{';
}

/* Raw structs as bytes, when they are as many as their type says. */
static int struct_bytes(weir_message *message, weir_ndarray *ret, weir_error *err) {
    char text[WEIR_TYPE_TEXT_MAX];
    weir_view type = weir_message_type(message), bytes;
    size_t size = type.size < sizeof text ? type.size : sizeof text - 1; /* one that is cut off is no type any more */
    memcpy(text, type.data, size);
    text[size] = '\0';
    int status = weir_message_raw(message, text, &bytes, err);
    if (status == WEIR_OK)
        *ret = (weir_ndarray){
            .element = WEIR_U8, .rank = 1, .shape = {bytes.size}, .data = bytes.data, .size = bytes.size};
    return status;
}

/* The data's array object, counted as an export of the frame. */
static PyObject *shown_array(PyObject *object) {
    struct weir_py_frame *frame = ((struct weir_py_message *)object)->frame;
    weir_message *message = held(object);
    weir_ndarray array;
    weir_error err;
    if (!message)
        return NULL;
    if ((is_struct(message) ? struct_bytes(message, &array, &err) : weir_message_ndarray(message, &array, &err)) !=
        WEIR_OK)
        return weir_py_raise(&err);
    return weir_py_array_show(&array, (PyObject *)frame, &frame->exports, frame->reader != NULL);
}

static PyObject *get_array(PyObject *object, void *unused) {
    (void)unused;
    PyObject *array = shown_array(object);
    weir_message *message = array ? held(object) : NULL;
    return message && is_struct(message) ? weir_py_struct_show(array, weir_message_type(message))
                                         : weir_py_array_present(array);
}

static PyObject *message_raw(PyObject *object, PyObject *type) {
    weir_message *message = held(object);
    const char *text = PyUnicode_Check(type) ? PyUnicode_AsUTF8(type) : NULL;
    weir_view bytes;
    weir_error err;
    if (!message)
        return NULL;
    if (!text) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "a type is a str, as 'f64[3]' or '{t: i64, x: f32[3]}'");
        return NULL;
    }
    if (weir_message_raw(message, text, &bytes, &err) != WEIR_OK)
        return weir_py_raise(&err);
    return get_array(object, NULL);
}

static PyObject *message_memory(PyObject *object, PyObject *unused) {
    (void)unused;
    PyObject *array = shown_array(object);
    PyObject *memory = array ? PyMemoryView_FromObject(array) : NULL;
    Py_XDECREF(array);
    return memory;
}

static PyObject *message_copy(PyObject *object, PyObject *unused) {
    weir_message *message = held(object);
    weir_message *copy;
    (void)unused;
    if (!message)
        return NULL;
    int status = weir_message_copy(message, &copy);
    return status == WEIR_OK ? weir_py_message_own(copy) : weir_py_raise_code(status);
}

static PyObject *message_json(PyObject *object, PyObject *unused) {
    weir_message *message = held(object);
    weir_buffer *buffer;
    weir_error err;
    (void)unused;
    if (!message)
        return NULL;
    if (weir_buffer_new(&buffer) != WEIR_OK)
        return PyErr_NoMemory();
    PyObject *text =
        weir_message_json(message, buffer, &err) == WEIR_OK ? text_of(weir_buffer_view(buffer)) : weir_py_raise(&err);
    weir_buffer_free(buffer);
    return text;
}

static PyObject *message_repr(PyObject *object) {
    struct weir_py_message *self = (struct weir_py_message *)object;
    weir_message *message = self->frame->message;
    if (!message)
        return PyUnicode_FromString("<weir.Message, given back>");
    weir_view type = weir_message_type(message);
    PyObject *op = text_of(weir_message_op(message));
    PyObject *what = type.size ? text_of(type) : PyUnicode_FromString(weir_codec_name(weir_message_codec(message)));
    PyObject *text = op && what ? PyUnicode_FromFormat("<weir.Message seq=%llu op=%R %U, %zu bytes>",
                                                       (unsigned long long)weir_message_seq(message), op, what,
                                                       weir_message_bytes(message).size)
                                : NULL;
    Py_XDECREF(op);
    Py_XDECREF(what);
    return text;
}

static void drop(struct weir_py_message *self) {
    Py_XDECREF(self->data);
    Py_XDECREF(self->meta);
    Py_XDECREF(self->frame);
}

static void message_dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    drop((struct weir_py_message *)object);
    type->tp_free(object);
}

static PyGetSetDef message_attributes[] = {
    {"op", get_op, NULL, "what this is or asks for; '' when the writer gave none", NULL},
    {"seq", get_seq, NULL, "the writer's count of its messages, from 1", NULL},
    {"time", get_time, NULL, "when it was sent, seconds since the epoch; None when not stamped", NULL},
    {"time_ns", get_time_ns, NULL, "when it was sent, nanoseconds since the epoch; None when not stamped", NULL},
    {"age", get_age, NULL, "seconds since it was sent; None when not stamped", NULL},
    {"id", get_id, NULL, "the call it belongs to; 0 outside calls", NULL},
    {"writer", get_writer, NULL, "which of the channel's writers sent it, a small number", NULL},
    {"gap", get_gap, NULL, "messages of that writer missed just before this one", NULL},
    {"codec", get_codec, NULL, "how the data was encoded: 'cbor', 'json', 'raw'", NULL},
    {"bytes", get_bytes, NULL, "the data as the writer encoded it", NULL},
    {"type", get_type, NULL, "the type of raw data, as 'f64[4,256]'; '' for other codecs", NULL},
    {"meta", get_meta, NULL, "the metadata, a dict; empty when there is none", NULL},
    {"data", get_data, NULL, "the data as Python values; None when there is none", NULL},
    {"array", get_array, NULL,
     "the data as an array of numbers or structs, not copied; raises TypeMismatch when it is none", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef message_methods[] = {
    {"view", message_memory, METH_NOARGS,
     "A memoryview of the array's memory, not copied. As a context manager it ends with the block."},
    {"raw", message_raw, METH_O,
     "raw(type): .array, when its writer sends just this type, as 'f64[3]' or '{t: i64, x: f32[3]}'; else "
     "TypeMismatch."},
    {"copy", message_copy, METH_NOARGS, "A message of its own, which lives as long as it is used."},
    {"json", message_json, METH_NOARGS, "The whole message as one line of JSON."},
    {NULL, NULL, 0, NULL},
};

PyTypeObject weir_py_message_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "weir.Message",
    .tp_basicsize = sizeof(struct weir_py_message),
    .tp_dealloc = message_dealloc,
    .tp_repr = message_repr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_doc = "A received message.",
    .tp_methods = message_methods,
    .tp_getset = message_attributes,
};

/* ---- requests ---- */

static void request_dealloc(PyObject *object) {
    Py_XDECREF(((struct weir_py_request *)object)->server);
    message_dealloc(object);
}

static PyObject *get_answered(PyObject *object, void *unused) {
    (void)unused;
    return PyBool_FromLong(((struct weir_py_request *)object)->is_answered);
}

static PyGetSetDef request_attributes[] = {
    {"answered", get_answered, NULL, "whether reply() or fail() was called", NULL},
    {"cancelled", weir_py_request_cancelled, NULL, "whether the client has taken it back, or did not wait longer",
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef request_methods[] = {
    {"reply", (PyCFunction)(void (*)(void))weir_py_request_reply, METH_VARARGS | METH_KEYWORDS,
     "reply(data=None, meta=None, **entries): answer the request, once, now or later."},
    {"fail", (PyCFunction)(void (*)(void))weir_py_request_fail, METH_VARARGS | METH_KEYWORDS,
     "fail(sentence, code=0): answer with an error; the client raises RemoteError with the sentence."},
    {NULL, NULL, 0, NULL},
};

PyTypeObject weir_py_request_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "weir.Request",
    .tp_basicsize = sizeof(struct weir_py_request),
    .tp_base = &weir_py_message_type,
    .tp_dealloc = request_dealloc,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_doc = "A request to a server: a message to be answered once.",
    .tp_methods = request_methods,
    .tp_getset = request_attributes,
};
