/* Writers, and reservations: room in the channel itself that is filled in place.
 *
 * A reservation's memory is the channel's. It is exported read-write while its `with` block runs; if anything still
 * holds on to it afterwards, nothing is sent, and the writer refuses every use until the last array is gone: an array
 * that outlives its reservation may see memory that nobody uses, never memory that somebody else was given.
 * The library's own waiting is switched off (timeout 0); this file waits in slices for as long as self->timeout_ns
 * says.
 */
#include "module.h"

enum { LONG_SEND = 64 * 1024 }; /* bytes from which a copy is worth giving the interpreter lock away */

static int usable(struct weir_py_writer *self) {
    if (!weir_py_usable(self->writer, self->is_busy, "writer"))
        return 0;
    if (self->is_reserved) {
        PyErr_SetString(PyExc_RuntimeError, "a reservation of this writer is open: leave its with block first");
        return 0;
    }
    if (self->exports) {
        PyErr_SetString(PyExc_BufferError, "an array still shows a reservation of this writer: delete it first");
        return 0;
    }
    return 1;
}

static PyObject *writer_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"address", NULL};
    PyObject *address;
    weir_error err;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "U:Writer", names, &address))
        return NULL;
    const char *text = PyUnicode_AsUTF8(address);
    struct weir_py_writer *self = text ? (struct weir_py_writer *)type->tp_alloc(type, 0) : NULL;
    if (!self)
        return NULL;
    self->address = Py_NewRef(address);
    int status = weir_doc_new(&self->data_doc) || weir_doc_new(&self->meta_doc) ? WEIR_ENOMEM : WEIR_OK;
    if (status != WEIR_OK) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    Py_BEGIN_ALLOW_THREADS
    status = weir_writer_open(text, &self->writer, &err);
    Py_END_ALLOW_THREADS
    if (status != WEIR_OK) {
        Py_DECREF(self);
        return weir_py_raise(&err);
    }
    self->timeout_ns = weir_writer_timeout(self->writer);
    self->time_ns = WEIR_TIME_NOW;
    return (PyObject *)self;
}

/* What a reader or the disk had no room for yet is waited for, as everywhere, as long as the writer's timeout says: not
 * as long as the last slice. */
static void close_patiently(weir_writer *writer, int64_t timeout_ns) {
    if (writer)
        weir_writer_set_timeout(writer, timeout_ns);
    weir_writer_close(writer);
}

static void writer_dealloc(PyObject *object) {
    struct weir_py_writer *self = (struct weir_py_writer *)object;
    close_patiently(self->writer, self->timeout_ns);
    weir_doc_free(self->data_doc);
    weir_doc_free(self->meta_doc);
    Py_XDECREF(self->address);
    Py_TYPE(object)->tp_free(object);
}

static PyObject *writer_close(PyObject *object, PyObject *unused) {
    struct weir_py_writer *self = (struct weir_py_writer *)object;
    (void)unused;
    if (!self->writer)
        Py_RETURN_NONE;
    if (!usable(self))
        return NULL;
    weir_writer *writer = self->writer;
    self->writer = NULL;
    Py_BEGIN_ALLOW_THREADS
    close_patiently(writer, self->timeout_ns);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

/* ---- sending ---- */

struct sending {
    weir_writer *writer;
    const struct weir_py_parcel *parcel;
    const Py_buffer *bytes; /* send_bytes only */
    int codec;
    const char *type; /* of raw bytes, or of the parcel's structs */
};

static int send_attempt(void *context, int64_t timeout_ns, weir_error *err) {
    struct sending *s = context;
    const struct weir_py_parcel *p = s->parcel;
    weir_writer_set_timeout(s->writer, timeout_ns);
    if (s->bytes)
        return weir_writer_send_bytes(s->writer, p->op, p->meta, s->codec, s->type, s->bytes->buf,
                                      (size_t)s->bytes->len, err);
    if (s->type)
        return weir_writer_send_bytes(s->writer, p->op, p->meta, WEIR_CODEC_RAW, s->type, p->array.data, p->array.size,
                                      err);
    if (p->is_array)
        return weir_writer_send_ndarray(s->writer, p->op, p->meta, &p->array, err);
    return weir_writer_send(s->writer, p->op, p->meta, p->data, err);
}

/* Send a parcel and unpack it. Return: None, or NULL with an exception. */
static PyObject *send_parcel(struct weir_py_writer *self, struct sending *sending, struct weir_py_parcel *parcel) {
    weir_error err;
    size_t size = sending->bytes ? (size_t)sending->bytes->len : parcel->array.size;
    sending->writer = self->writer;
    sending->parcel = parcel;
    int status = weir_py_wait(send_attempt, sending, self->timeout_ns, size >= LONG_SEND, &self->is_busy, &err);
    weir_py_unpack(parcel);
    if (status == WEIR_OK)
        Py_RETURN_NONE;
    return status < 0 ? NULL : weir_py_raise(&err);
}

static PyObject *writer_send(PyObject *object, PyObject *args, PyObject *kwargs) {
    static const char *const names[] = {"data", "op", "meta", NULL};
    struct weir_py_writer *self = (struct weir_py_writer *)object;
    PyObject *values[3] = {NULL, NULL, NULL}, *entries;
    struct weir_py_parcel parcel;
    struct sending sending = {.bytes = NULL};
    if (!usable(self) || weir_py_arguments("send", args, kwargs, names, 1, values, &entries) < 0)
        return NULL;
    int status = weir_py_pack(&parcel, self->data_doc, self->meta_doc, values[0], values[1], values[2], entries);
    Py_XDECREF(entries);
    if (status < 0)
        return NULL;
    sending.type = parcel.type ? PyUnicode_AsUTF8(parcel.type) : NULL;
    if (parcel.type && !sending.type) {
        weir_py_unpack(&parcel);
        return NULL;
    }
    return send_parcel(self, &sending, &parcel);
}

static int codec_of(PyObject *name, int *ret_codec) {
    weir_error err;
    const char *text = PyUnicode_Check(name) ? PyUnicode_AsUTF8(name) : NULL;
    if (!text) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "codec is a str, as 'cbor'");
        return -1;
    }
    if (weir_codec_find(text, ret_codec, &err) == WEIR_OK)
        return 0;
    weir_py_raise(&err);
    return -1;
}

static PyObject *writer_send_bytes(PyObject *object, PyObject *args, PyObject *kwargs) {
    static const char *const names[] = {"data", "codec", "type", "op", "meta", NULL};
    struct weir_py_writer *self = (struct weir_py_writer *)object;
    PyObject *values[5] = {NULL}, *entries, *result = NULL;
    struct weir_py_parcel parcel;
    struct sending sending = {.codec = WEIR_CODEC_RAW};
    Py_buffer bytes;
    if (!usable(self) || weir_py_arguments("send_bytes", args, kwargs, names, 2, values, &entries) < 0)
        return NULL;
    if (!values[0] || !values[1]) {
        PyErr_SetString(PyExc_TypeError, "send_bytes() needs data and codec");
    } else if (codec_of(values[1], &sending.codec) == 0 && weir_py_is_whole(values[0]) &&
               PyObject_GetBuffer(values[0], &bytes, PyBUF_SIMPLE) == 0) {
        sending.bytes = &bytes;
        sending.type = values[2] && values[2] != Py_None ? PyUnicode_AsUTF8(values[2]) : NULL;
        if (!PyErr_Occurred() &&
            weir_py_pack(&parcel, self->data_doc, self->meta_doc, NULL, values[3], values[4], entries) == 0)
            result = send_parcel(self, &sending, &parcel);
        PyBuffer_Release(&bytes);
    }
    Py_XDECREF(entries);
    return result;
}

/* ---- many in one call ---- */

struct sending_many {
    weir_writer *writer;
    struct weir_py_parcel parcel;
    int codec;
    const char *type;
    Py_buffer *buffers; /* NULL, or @count of them, held */
    weir_view *data;
    size_t count, sent;
};

static int many_attempt(void *context, int64_t timeout_ns, weir_error *err) {
    struct sending_many *many = context;
    size_t some = 0;
    weir_writer_set_timeout(many->writer, timeout_ns);
    int status = weir_writer_send_many(many->writer, many->parcel.op, many->parcel.meta, many->codec, many->type,
                                       many->data + many->sent, many->count - many->sent, &some, err);
    many->sent += some;
    return status;
}

/* Hold the bytes of everything in @list, a tuple. Return: 0, or -1 with an exception; many_release in either case. */
static int many_hold(struct sending_many *many, PyObject *list) {
    size_t count = (size_t)PyTuple_GET_SIZE(list);
    many->buffers = PyMem_Calloc(count + 1, sizeof *many->buffers);
    many->data = PyMem_Calloc(count + 1, sizeof *many->data);
    if (!many->buffers || !many->data) {
        PyErr_NoMemory();
        return -1;
    }
    for (; many->count < count; many->count++) {
        Py_buffer *buffer = &many->buffers[many->count];
        PyObject *item = PyTuple_GET_ITEM(list, (Py_ssize_t)many->count);
        if (!(PyBytes_CheckExact(item) || weir_py_is_whole(item)) || PyObject_GetBuffer(item, buffer, PyBUF_SIMPLE) < 0)
            return -1;
        many->data[many->count] = (weir_view){buffer->buf, (size_t)buffer->len};
    }
    return 0;
}

static void many_release(struct sending_many *many) {
    for (size_t i = 0; i < many->count; i++)
        PyBuffer_Release(&many->buffers[i]);
    PyMem_Free(many->buffers);
    PyMem_Free(many->data);
}

/* Raise @err with an attribute that says how many went. */
static PyObject *raise_sent(const weir_error *err, size_t sent) {
    PyObject *type, *value, *trace;
    weir_py_raise(err);
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    PyObject *number = PyLong_FromSize_t(sent);
    if (!number || PyObject_SetAttrString(value, "sent", number) < 0)
        PyErr_Clear();
    Py_XDECREF(number);
    PyErr_Restore(type, value, trace);
    return NULL;
}

/* Each message may wait as long as the writer's timeout: as long as some go, it begins anew. */
static PyObject *many_send(struct weir_py_writer *self, struct sending_many *many) {
    weir_error err;
    size_t before, size = 0;
    int status;
    for (size_t i = 0; i < many->count; i++)
        size += many->data[i].size;
    do {
        before = many->sent;
        status = weir_py_wait(many_attempt, many, self->timeout_ns, size >= LONG_SEND, &self->is_busy, &err);
    } while (status == WEIR_ETIMEOUT && many->sent > before);
    if (status == WEIR_OK)
        return PyLong_FromSize_t(many->sent);
    return status < 0 ? NULL : raise_sent(&err, many->sent);
}

static PyObject *writer_send_many(PyObject *object, PyObject *args, PyObject *kwargs) {
    static const char *const names[] = {"data", "codec", "type", "op", "meta", NULL};
    struct weir_py_writer *self = (struct weir_py_writer *)object;
    PyObject *values[5] = {NULL}, *entries, *list = NULL, *result = NULL;
    struct sending_many many = {.writer = self->writer};
    if (!usable(self) || weir_py_arguments("send_many", args, kwargs, names, 2, values, &entries) < 0)
        return NULL;
    if (!values[0] || !values[1])
        PyErr_SetString(PyExc_TypeError, "send_many() needs data and codec");
    else if (codec_of(values[1], &many.codec) == 0 && (list = PySequence_Tuple(values[0])) != NULL) {
        many.type = values[2] && values[2] != Py_None ? PyUnicode_AsUTF8(values[2]) : NULL;
        if (!PyErr_Occurred() && many_hold(&many, list) == 0 && usable(self) &&
            weir_py_pack(&many.parcel, self->data_doc, self->meta_doc, NULL, values[3], values[4], entries) == 0) {
            result = many_send(self, &many);
            weir_py_unpack(&many.parcel);
        }
        many_release(&many);
        Py_DECREF(list);
    }
    Py_XDECREF(entries);
    return result;
}

static PyObject *writer_cork(PyObject *object, PyObject *unused) {
    struct weir_py_writer *self = (struct weir_py_writer *)object;
    (void)unused;
    if (!usable(self))
        return NULL;
    weir_writer_cork(self->writer);
    Py_RETURN_NONE;
}

/* What was held back stays so when the time is over, so it may be tried again. */
static int uncork_attempt(void *context, int64_t timeout_ns, weir_error *err) {
    weir_writer_set_timeout(context, timeout_ns);
    return weir_writer_uncork(context, err);
}

static PyObject *writer_uncork(PyObject *object, PyObject *unused) {
    struct weir_py_writer *self = (struct weir_py_writer *)object;
    weir_error err;
    (void)unused;
    if (!usable(self))
        return NULL;
    int status = weir_py_wait(uncork_attempt, self->writer, self->timeout_ns, 0, &self->is_busy, &err);
    if (status == WEIR_OK)
        Py_RETURN_NONE;
    return status < 0 ? NULL : weir_py_raise(&err);
}

struct readers {
    weir_writer *writer;
    uint32_t count;
};

static int readers_attempt(void *context, int64_t timeout_ns, weir_error *err) {
    struct readers *readers = context;
    return weir_writer_wait_readers(readers->writer, readers->count, timeout_ns, err);
}

static PyObject *writer_wait_readers(PyObject *object, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"count", "timeout", NULL};
    struct weir_py_writer *self = (struct weir_py_writer *)object;
    struct readers readers = {self->writer, 1};
    PyObject *seconds = NULL;
    int64_t timeout_ns;
    weir_error err;
    if (!usable(self) ||
        !PyArg_ParseTupleAndKeywords(args, kwargs, "|IO:wait_readers", names, &readers.count, &seconds) ||
        weir_py_timeout(seconds, &timeout_ns) < 0)
        return NULL;
    int status = weir_py_wait(readers_attempt, &readers, timeout_ns, 0, &self->is_busy, &err);
    if (status == WEIR_OK)
        Py_RETURN_NONE;
    return status < 0 ? NULL : weir_py_raise(&err);
}

/* ---- attributes ---- */

static PyObject *get_seq(PyObject *object, void *unused) {
    struct weir_py_writer *self = (struct weir_py_writer *)object;
    (void)unused;
    return weir_py_usable(self->writer, self->is_busy, "writer")
               ? PyLong_FromUnsignedLongLong(weir_writer_seq(self->writer))
               : NULL;
}

static PyObject *get_dropped(PyObject *object, void *unused) {
    struct weir_py_writer *self = (struct weir_py_writer *)object;
    (void)unused;
    return weir_py_usable(self->writer, self->is_busy, "writer")
               ? PyLong_FromUnsignedLongLong(weir_writer_dropped(self->writer))
               : NULL;
}

static PyObject *get_closed(PyObject *object, void *unused) {
    (void)unused;
    return PyBool_FromLong(!((struct weir_py_writer *)object)->writer);
}

static PyObject *get_address(PyObject *object, void *unused) {
    (void)unused;
    return Py_NewRef(((struct weir_py_writer *)object)->address);
}

static PyObject *get_timeout(PyObject *object, void *unused) {
    int64_t timeout_ns = ((struct weir_py_writer *)object)->timeout_ns;
    (void)unused;
    return timeout_ns == WEIR_FOREVER ? Py_NewRef(Py_None) : PyFloat_FromDouble((double)timeout_ns / 1e9);
}

static int set_timeout(PyObject *object, PyObject *seconds, void *unused) {
    (void)unused;
    if (seconds)
        return weir_py_timeout(seconds, &((struct weir_py_writer *)object)->timeout_ns);
    PyErr_SetString(PyExc_AttributeError, "timeout cannot be deleted: set it to None to wait without end");
    return -1;
}

static PyObject *get_time_ns(PyObject *object, void *unused) {
    int64_t time_ns = ((struct weir_py_writer *)object)->time_ns;
    (void)unused;
    return time_ns == WEIR_TIME_NOW ? Py_NewRef(Py_None) : PyLong_FromLongLong(time_ns);
}

static int set_time_ns(PyObject *object, PyObject *value, void *unused) {
    struct weir_py_writer *self = (struct weir_py_writer *)object;
    int64_t time_ns = WEIR_TIME_NOW;
    (void)unused;
    if (!usable(self))
        return -1;
    if (value && value != Py_None) {
        time_ns = PyLong_AsLongLong(value);
        if (PyErr_Occurred())
            return -1;
        if (time_ns == WEIR_TIME_NOW) {
            PyErr_SetString(PyExc_OverflowError, "time_ns is out of range");
            return -1;
        }
    }
    self->time_ns = time_ns;
    weir_writer_set_time(self->writer, time_ns);
    return 0;
}

static PyGetSetDef writer_attributes[] = {
    {"seq", get_seq, NULL, "seq of the message sent last; 0 before the first", NULL},
    {"dropped", get_dropped, NULL, "messages that full=drop-newest threw away", NULL},
    {"closed", get_closed, NULL, "whether close() was called", NULL},
    {"address", get_address, NULL, "the address it was opened with", NULL},
    {"timeout", get_timeout, set_timeout, "seconds a send may wait under full=block; None: without end", NULL},
    {"time_ns", get_time_ns, set_time_ns,
     "the time of the messages from the next one on, ns since the epoch; 0: none; None: the clock's", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

/* ---- reservations ---- */

struct reservation {
    PyObject_HEAD
    struct weir_py_writer *writer;
    PyObject *op;
    PyObject *meta;
    PyObject *memory; /* the memoryview handed out, between enter and exit */
    PyObject *type;   /* text, of structs, whose memory is shown as bytes; NULL for an array */
    weir_ndarray array;
};

static int element_named(const char *name, uint32_t *ret) {
    for (uint32_t element = WEIR_U8; element <= WEIR_F64; element++) {
        if (strcmp(weir_element_name(element), name) == 0) {
            *ret = element;
            return 0;
        }
    }
    PyErr_Format(PyExc_ValueError, "there is no element type '%s': use u8 u16 u32 u64 i8 i16 i32 i64 f32 f64", name);
    return -1;
}

/* The shape, an int or a sequence of them. The library checks sizes; here only what would not fit. */
static int shape_of(PyObject *object, weir_ndarray *array) {
    PyObject *list = PyLong_Check(object) ? PyTuple_Pack(1, object) : PySequence_Tuple(object);
    if (!list)
        return -1;
    Py_ssize_t rank = PyTuple_GET_SIZE(list);
    array->size = weir_element_size(array->element);
    if (rank < 1 || rank > WEIR_RANK_MAX)
        PyErr_Format(PyExc_ValueError, "a shape has 1 to %d sizes, not %zd", WEIR_RANK_MAX, rank);
    for (Py_ssize_t i = 0; !PyErr_Occurred() && i < rank; i++) {
        array->shape[i] = PyLong_AsUnsignedLongLong(PyTuple_GET_ITEM(list, i));
        if (!PyErr_Occurred() && __builtin_mul_overflow(array->size, array->shape[i], &array->size))
            PyErr_SetString(PyExc_OverflowError, "this shape is too big for memory");
    }
    array->rank = (uint32_t)rank;
    Py_DECREF(list);
    return PyErr_Occurred() ? -1 : 0;
}

static PyObject *writer_reserve(PyObject *object, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"element", "shape", "order", "op", "meta", NULL};
    const char *element, *order = "row";
    PyObject *text, *shape = NULL, *op = Py_None, *meta = Py_None;
    weir_ndarray array = {.rank = 0};
    if (!usable((struct weir_py_writer *)object) ||
        !PyArg_ParseTupleAndKeywords(args, kwargs, "U|Os$OO:reserve", names, &text, &shape, &order, &op, &meta) ||
        !(element = PyUnicode_AsUTF8(text)))
        return NULL;
    int is_struct = element[0] == '{';
    if (is_struct == (shape != NULL))
        return PyErr_Format(PyExc_TypeError, is_struct ? "the type of structs has its shape in it, as '{x: f32}[100]'"
                                                       : "reserve() needs an element type and a shape");
    if (is_struct)
        array = (weir_ndarray){.element = WEIR_U8, .rank = 1};
    else if (element_named(element, &array.element) < 0 || shape_of(shape, &array) < 0)
        return NULL;
    if (strcmp(order, "column") == 0)
        array.order = WEIR_COLUMN;
    else if (strcmp(order, "row") != 0)
        return PyErr_Format(PyExc_ValueError, "order is 'row' or 'column', not '%s'", order);
    struct reservation *self = PyObject_New(struct reservation, &weir_py_reservation_type);
    if (!self)
        return NULL;
    self->writer = (struct weir_py_writer *)Py_NewRef(object);
    self->op = Py_NewRef(op);
    self->meta = Py_NewRef(meta);
    self->memory = NULL;
    self->type = is_struct ? Py_NewRef(text) : NULL;
    self->array = array;
    return (PyObject *)self;
}

struct reserving {
    weir_writer *writer;
    struct weir_py_parcel parcel;
    const char *type;
    void *data;
    size_t size;
};

static int reserve_attempt(void *context, int64_t timeout_ns, weir_error *err) {
    struct reserving *r = context;
    weir_writer_set_timeout(r->writer, timeout_ns);
    return weir_writer_reserve(r->writer, r->parcel.op, r->parcel.meta, r->type, &r->data, &r->size, err);
}

static void write_type(const weir_ndarray *array, char *text, size_t size) {
    size_t used = (size_t)snprintf(text, size, "%s", weir_element_name(array->element));
    for (uint32_t i = 0; i < array->rank; i++)
        used +=
            (size_t)snprintf(text + used, size - used, "%c%llu", i ? ',' : '[', (unsigned long long)array->shape[i]);
    snprintf(text + used, size - used, "]%s", array->order == WEIR_COLUMN ? ":col" : "");
}

static PyObject *reservation_show(struct reservation *self) {
    struct weir_py_writer *writer = self->writer;
    PyObject *array = weir_py_array_show(&self->array, (PyObject *)writer, &writer->exports, 0);
    self->memory = array ? PyMemoryView_FromObject(array) : NULL;
    Py_XDECREF(array);
    if (!self->memory)
        weir_writer_discard(writer->writer);
    else
        writer->is_reserved = 1;
    return Py_XNewRef(self->memory);
}

static PyObject *reservation_enter(PyObject *object, PyObject *unused) {
    struct reservation *self = (struct reservation *)object;
    struct weir_py_writer *writer = self->writer;
    struct reserving reserving = {.writer = writer->writer};
    weir_error err;
    (void)unused;
    if (!usable(writer) ||
        weir_py_pack(&reserving.parcel, writer->data_doc, writer->meta_doc, NULL, self->op, self->meta, NULL) < 0)
        return NULL;
    char type[400];
    write_type(&self->array, type, sizeof type);
    reserving.type = self->type ? PyUnicode_AsUTF8(self->type) : type;
    int status = weir_py_wait(reserve_attempt, &reserving, writer->timeout_ns, 0, &writer->is_busy, &err);
    weir_py_unpack(&reserving.parcel);
    if (status != WEIR_OK)
        return status < 0 ? NULL : weir_py_raise(&err);
    self->array.data = reserving.data;
    self->array.size = reserving.size;
    if (self->type)
        self->array.shape[0] = reserving.size;
    return reservation_show(self);
}

/* End the memoryview. Return: 1 when nothing shows the memory any more. */
static int reservation_hide(struct reservation *self) {
    PyObject *done = PyObject_CallMethod(self->memory, "release", NULL);
    int is_released = done != NULL;
    Py_XDECREF(done);
    Py_CLEAR(self->memory);
    if (!is_released)
        PyErr_Clear();
    return is_released && self->writer->exports == 0;
}

/* When the time is over, the message stays reserved. */
static int commit_attempt(void *context, int64_t timeout_ns, weir_error *err) {
    weir_writer_set_timeout(context, timeout_ns);
    return weir_writer_commit(context, err);
}

static PyObject *reservation_exit(PyObject *object, PyObject *args) {
    struct reservation *self = (struct reservation *)object;
    struct weir_py_writer *writer = self->writer;
    PyObject *type = Py_None, *value, *trace;
    weir_error err;
    if (!PyArg_ParseTuple(args, "OOO", &type, &value, &trace))
        return NULL;
    if (!self->memory) {
        PyErr_SetString(PyExc_RuntimeError, "this reservation is not open");
        return NULL;
    }
    int is_hidden = reservation_hide(self);
    writer->is_reserved = 0;
    if (type != Py_None || !is_hidden) {
        weir_writer_discard(writer->writer);
        if (type != Py_None)
            Py_RETURN_NONE;
        PyErr_SetString(PyExc_BufferError,
                        "an array still shows the reserved memory, so nothing was sent: delete it before "
                        "the with block ends");
        return NULL;
    }
    int status = weir_py_wait(commit_attempt, writer->writer, writer->timeout_ns, 0, &writer->is_busy, &err);
    if (status == WEIR_OK)
        Py_RETURN_NONE;
    weir_writer_discard(writer->writer);
    return status < 0 ? NULL : weir_py_raise(&err);
}

static void reservation_dealloc(PyObject *object) {
    struct reservation *self = (struct reservation *)object;
    if (self->memory) {
        reservation_hide(self);
        weir_writer_discard(self->writer->writer);
        self->writer->is_reserved = 0;
    }
    Py_DECREF(self->writer);
    Py_DECREF(self->op);
    Py_DECREF(self->meta);
    Py_XDECREF(self->type);
    PyObject_Free(self);
}

static PyMethodDef reservation_methods[] = {
    {"__enter__", reservation_enter, METH_NOARGS, "Reserve the room; gives a writable memoryview of it."},
    {"__exit__", reservation_exit, METH_VARARGS, "Send it, or give the room back after an exception."},
    {NULL, NULL, 0, NULL},
};

PyTypeObject weir_py_reservation_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "weir.core.Reservation",
    .tp_basicsize = sizeof(struct reservation),
    .tp_dealloc = reservation_dealloc,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_doc = "Room in the channel, to be filled inside a with block.",
    .tp_methods = reservation_methods,
};

/* ---- the type ---- */

#define KEYWORDS(function) (PyCFunction)(void (*)(void)) function, METH_VARARGS | METH_KEYWORDS

static PyMethodDef writer_methods[] = {
    {"send", KEYWORDS(writer_send),
     "send(data=None, *, op=None, meta=None, **entries): send a message; entries go into meta."},
    {"send_bytes", KEYWORDS(writer_send_bytes),
     "send_bytes(data, codec, *, type=None, op=None, meta=None, **entries): send data that is already encoded."},
    {"send_many", KEYWORDS(writer_send_many),
     "send_many(data, codec, *, type=None, op=None, meta=None, **entries): send many messages, each already encoded, "
     "in "
     "one call; returns how many, and so does the attribute sent of what it raises."},
    {"reserve", KEYWORDS(writer_reserve),
     "reserve(element, shape, order='row', *, op=None, meta=None): room in the channel, filled in a with block; "
     "reserve('{x: f32}[100]') of structs, as bytes."},
    {"cork", writer_cork, METH_NOARGS, "Hold messages back until uncork()."},
    {"uncork", writer_uncork, METH_NOARGS, "Publish what was held back."},
    {"wait_readers", KEYWORDS(writer_wait_readers),
     "wait_readers(count=1, timeout=None): wait until readers are there."},
    {"close", writer_close, METH_NOARGS, "Close it. A second time does nothing."},
    {NULL, NULL, 0, NULL},
};

PyTypeObject weir_py_writer_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "weir.core.Writer",
    .tp_basicsize = sizeof(struct weir_py_writer),
    .tp_new = writer_new,
    .tp_dealloc = writer_dealloc,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_doc = "The sending end of a channel.",
    .tp_methods = writer_methods,
    .tp_getset = writer_attributes,
};
