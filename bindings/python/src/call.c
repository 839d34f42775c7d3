/* Clients, servers, and answering requests.
 *
 * A call is sent and then received in slices, so that it can be interrupted and an event loop can do the waiting.
 * Replies and requests are copies of their own: a request may be answered long after the server has gone on.
 */
#include "module.h"

struct client {
    PyObject_HEAD
    weir_client *client; /* NULL when closed */
    PyObject *address;
    weir_doc *data_doc;
    weir_doc *meta_doc;
    int is_busy;
};

#define KEYWORDS(function) (PyCFunction)(void (*)(void)) function, METH_VARARGS | METH_KEYWORDS

/* ---- clients ---- */

static int client_open(struct client *self) {
    const char *text = PyUnicode_AsUTF8(self->address);
    weir_error err;
    int status;
    if (!text)
        return -1;
    if (weir_doc_new(&self->data_doc) != WEIR_OK || weir_doc_new(&self->meta_doc) != WEIR_OK) {
        PyErr_NoMemory();
        return -1;
    }
    Py_BEGIN_ALLOW_THREADS
    status = weir_client_open(text, &self->client, &err);
    Py_END_ALLOW_THREADS
    if (status != WEIR_OK)
        weir_py_raise(&err);
    return status == WEIR_OK ? 0 : -1;
}

static PyObject *client_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"address", NULL};
    PyObject *address;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "U:Client", names, &address))
        return NULL;
    struct client *self = (struct client *)type->tp_alloc(type, 0);
    if (!self)
        return NULL;
    self->address = Py_NewRef(address);
    if (client_open(self) == 0)
        return (PyObject *)self;
    Py_DECREF(self);
    return NULL;
}

static void client_dealloc(PyObject *object) {
    struct client *self = (struct client *)object;
    weir_client_close(self->client);
    weir_doc_free(self->data_doc);
    weir_doc_free(self->meta_doc);
    Py_XDECREF(self->address);
    Py_TYPE(object)->tp_free(object);
}

static PyObject *client_close(PyObject *object, PyObject *unused) {
    struct client *self = (struct client *)object;
    (void)unused;
    if (self->client && !weir_py_usable(self->client, self->is_busy, "client"))
        return NULL;
    self->client = weir_client_close(self->client);
    Py_RETURN_NONE;
}

struct asking {
    weir_client *client;
    struct weir_py_parcel parcel;
    weir_message *message;
};

/* The library does the waiting for room here, for as long as the address's timeout= says: a request that was not sent
 * cannot be told from one that was, so it is not tried again in slices. */
static int ask_attempt(void *context, int64_t timeout_ns, weir_error *err) {
    struct asking *asking = context;
    (void)timeout_ns;
    return weir_client_send(asking->client, asking->parcel.op, asking->parcel.meta, asking->parcel.data, err);
}

static int answer_attempt(void *context, int64_t timeout_ns, weir_error *err) {
    struct asking *asking = context;
    return weir_client_receive(asking->client, timeout_ns, &asking->message, err);
}

static const char *const call_names[] = {"op", "data", "meta", "timeout", NULL};

/* Pack and send a request; values as in call_names. Return: 0, or -1 with an exception. */
static int ask(struct client *self, PyObject **values, PyObject *entries) {
    struct asking asking = {.client = self->client};
    weir_error err;
    if (!values[0]) {
        PyErr_SetString(PyExc_TypeError, "a call needs an operation: client.call('double', 21)");
        return -1;
    }
    if (weir_py_pack(&asking.parcel, self->data_doc, self->meta_doc, values[1], values[0], values[2], entries) < 0)
        return -1;
    int status = weir_py_parcel_value(&asking.parcel, self->data_doc);
    if (status == 0) {
        status = weir_py_wait(ask_attempt, &asking, 0, 1, &self->is_busy, &err);
        if (status > WEIR_OK)
            weir_py_raise(&err);
    }
    weir_py_unpack(&asking.parcel);
    return status == WEIR_OK ? 0 : -1;
}

static PyObject *receive(struct client *self, int64_t timeout_ns) {
    struct asking asking = {.client = self->client};
    weir_message *copy;
    weir_error err;
    int status = weir_py_wait(answer_attempt, &asking, timeout_ns, 0, &self->is_busy, &err);
    if (status != WEIR_OK)
        return status < 0 ? NULL : weir_py_raise(&err);
    status = weir_message_copy(asking.message, &copy);
    return status == WEIR_OK ? weir_py_message_own(copy) : weir_py_raise_code(status);
}

static PyObject *client_call(PyObject *object, PyObject *args, PyObject *kwargs) {
    struct client *self = (struct client *)object;
    PyObject *values[4] = {NULL}, *entries;
    int64_t timeout_ns = INT64_C(10000000000);
    if (!weir_py_usable(self->client, self->is_busy, "client") ||
        weir_py_arguments("call", args, kwargs, call_names, 2, values, &entries) < 0)
        return NULL;
    int status = values[3] ? weir_py_timeout(values[3], &timeout_ns) : 0;
    if (status == 0)
        status = ask(self, values, entries);
    Py_XDECREF(entries);
    return status == 0 ? receive(self, timeout_ns) : NULL;
}

static PyObject *client_send(PyObject *object, PyObject *args, PyObject *kwargs) {
    static const char *const names[] = {"op", "data", "meta", NULL};
    struct client *self = (struct client *)object;
    PyObject *values[3] = {NULL}, *entries;
    if (!weir_py_usable(self->client, self->is_busy, "client") ||
        weir_py_arguments("send", args, kwargs, names, 2, values, &entries) < 0)
        return NULL;
    int status = ask(self, values, entries);
    Py_XDECREF(entries);
    if (status < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *client_receive(PyObject *object, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"timeout", NULL};
    struct client *self = (struct client *)object;
    PyObject *seconds = NULL;
    int64_t timeout_ns;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:receive", names, &seconds) ||
        weir_py_timeout(seconds, &timeout_ns) < 0 || !weir_py_usable(self->client, self->is_busy, "client"))
        return NULL;
    return receive(self, timeout_ns);
}

static PyObject *client_fileno(PyObject *object, PyObject *unused) {
    struct client *self = (struct client *)object;
    weir_error err;
    int fd;
    (void)unused;
    if (!weir_py_usable(self->client, self->is_busy, "client"))
        return NULL;
    return weir_client_fd(self->client, &fd, &err) == WEIR_OK ? PyLong_FromLong(fd) : weir_py_raise(&err);
}

static PyObject *client_closed(PyObject *object, void *unused) {
    (void)unused;
    return PyBool_FromLong(!((struct client *)object)->client);
}

static PyObject *client_address(PyObject *object, void *unused) {
    (void)unused;
    return Py_NewRef(((struct client *)object)->address);
}

static PyGetSetDef client_attributes[] = {
    {"closed", client_closed, NULL, "whether close() was called", NULL},
    {"address", client_address, NULL, "the address it was opened with", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef client_methods[] = {
    {"call", KEYWORDS(client_call),
     "call(op, data=None, *, meta=None, timeout=10.0, **entries): ask, and wait for the reply, a Message."},
    {"send", KEYWORDS(client_send), "send(op, data=None, *, meta=None, **entries): the first half of a call."},
    {"receive", KEYWORDS(client_receive), "receive(timeout=None): the second half: the reply to what was sent last."},
    {"fileno", client_fileno, METH_NOARGS, "A descriptor that is readable while receive() has something to do."},
    {"close", client_close, METH_NOARGS, "Close it. A second time does nothing."},
    {NULL, NULL, 0, NULL},
};

PyTypeObject weir_py_client_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "weir.core.Client",
    .tp_basicsize = sizeof(struct client),
    .tp_new = client_new,
    .tp_dealloc = client_dealloc,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_doc = "The asking end of a call.",
    .tp_methods = client_methods,
    .tp_getset = client_attributes,
};

/* ---- servers ---- */

static int server_open(struct weir_py_server *self) {
    const char *text = PyUnicode_AsUTF8(self->address);
    weir_error err;
    int status;
    if (!text)
        return -1;
    if (weir_doc_new(&self->data_doc) != WEIR_OK || weir_doc_new(&self->meta_doc) != WEIR_OK) {
        PyErr_NoMemory();
        return -1;
    }
    Py_BEGIN_ALLOW_THREADS
    status = weir_server_open(text, &self->server, &err);
    Py_END_ALLOW_THREADS
    if (status != WEIR_OK)
        weir_py_raise(&err);
    return status == WEIR_OK ? 0 : -1;
}

static PyObject *server_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"address", NULL};
    PyObject *address;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "U:Server", names, &address))
        return NULL;
    struct weir_py_server *self = (struct weir_py_server *)type->tp_alloc(type, 0);
    if (!self)
        return NULL;
    self->address = Py_NewRef(address);
    if (server_open(self) == 0)
        return (PyObject *)self;
    Py_DECREF(self);
    return NULL;
}

static void server_dealloc(PyObject *object) {
    struct weir_py_server *self = (struct weir_py_server *)object;
    weir_server_close(self->server);
    weir_doc_free(self->data_doc);
    weir_doc_free(self->meta_doc);
    Py_XDECREF(self->address);
    Py_TYPE(object)->tp_free(object);
}

static PyObject *server_close(PyObject *object, PyObject *unused) {
    struct weir_py_server *self = (struct weir_py_server *)object;
    (void)unused;
    if (self->server && !weir_py_usable(self->server, self->is_busy, "server"))
        return NULL;
    self->server = weir_server_close(self->server);
    Py_RETURN_NONE;
}

struct serving {
    weir_server *server;
    weir_message *message;
};

static int serve_attempt(void *context, int64_t timeout_ns, weir_error *err) {
    struct serving *serving = context;
    return weir_server_next(serving->server, timeout_ns, &serving->message, err);
}

/* The next request as a copy of its own. *ret_status says why there is none. */
static PyObject *next_request(struct weir_py_server *self, int64_t timeout_ns, weir_error *err, int *ret_status) {
    struct serving serving = {self->server, NULL};
    weir_message *copy;
    *ret_status = weir_py_wait(serve_attempt, &serving, timeout_ns, 0, &self->is_busy, err);
    if (*ret_status != WEIR_OK)
        return NULL;
    int status = weir_message_copy(serving.message, &copy);
    return status == WEIR_OK ? weir_py_request_own(copy, self) : weir_py_raise_code(status);
}

static PyObject *server_next(PyObject *object, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"timeout", NULL};
    struct weir_py_server *self = (struct weir_py_server *)object;
    PyObject *seconds = NULL;
    int64_t timeout_ns;
    weir_error err;
    int status;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:next", names, &seconds) ||
        weir_py_timeout(seconds, &timeout_ns) < 0 || !weir_py_usable(self->server, self->is_busy, "server"))
        return NULL;
    PyObject *request = next_request(self, timeout_ns, &err, &status);
    return status > WEIR_OK ? weir_py_raise(&err) : request;
}

static PyObject *server_iternext(PyObject *object) {
    struct weir_py_server *self = (struct weir_py_server *)object;
    weir_error err;
    int status;
    if (!weir_py_usable(self->server, self->is_busy, "server"))
        return NULL;
    PyObject *request = next_request(self, WEIR_FOREVER, &err, &status);
    return status > WEIR_OK && status != WEIR_ECLOSED ? weir_py_raise(&err) : request;
}

static PyObject *server_fileno(PyObject *object, PyObject *unused) {
    struct weir_py_server *self = (struct weir_py_server *)object;
    weir_error err;
    int fd;
    (void)unused;
    if (!weir_py_usable(self->server, self->is_busy, "server"))
        return NULL;
    return weir_server_fd(self->server, &fd, &err) == WEIR_OK ? PyLong_FromLong(fd) : weir_py_raise(&err);
}

static PyObject *server_closed(PyObject *object, void *unused) {
    (void)unused;
    return PyBool_FromLong(!((struct weir_py_server *)object)->server);
}

static PyObject *server_address(PyObject *object, void *unused) {
    (void)unused;
    return Py_NewRef(((struct weir_py_server *)object)->address);
}

static PyGetSetDef server_attributes[] = {
    {"closed", server_closed, NULL, "whether close() was called", NULL},
    {"address", server_address, NULL, "the address it was opened with", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef server_methods[] = {
    {"next", KEYWORDS(server_next), "next(timeout=None): the next Request; raises Timeout."},
    {"fileno", server_fileno, METH_NOARGS, "A descriptor that is readable while next() has something to do."},
    {"close", server_close, METH_NOARGS, "Close it. A second time does nothing."},
    {NULL, NULL, 0, NULL},
};

PyTypeObject weir_py_server_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "weir.core.Server",
    .tp_basicsize = sizeof(struct weir_py_server),
    .tp_new = server_new,
    .tp_dealloc = server_dealloc,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = server_iternext,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_doc = "The answering end of a call.",
    .tp_methods = server_methods,
    .tp_getset = server_attributes,
};

/* ---- answering ---- */

static int answerable(struct weir_py_request *self) {
    if (self->is_answered) {
        PyErr_SetString(PyExc_RuntimeError, "this request was answered already: one request, one answer");
        return 0;
    }
    return weir_py_usable(self->server->server, self->server->is_busy, "server");
}

struct answering {
    struct weir_py_request *request;
    struct weir_py_parcel parcel;
};

static int reply_attempt(void *context, int64_t timeout_ns, weir_error *err) {
    struct answering *answering = context;
    (void)timeout_ns;
    return weir_server_reply(answering->request->server->server, answering->request->base.frame->message,
                             answering->parcel.meta, answering->parcel.data, err);
}

PyObject *weir_py_request_reply(PyObject *object, PyObject *args, PyObject *kwargs) {
    static const char *const names[] = {"data", "meta", NULL};
    struct weir_py_request *self = (struct weir_py_request *)object;
    struct weir_py_server *server = self->server;
    struct answering answering = {.request = self};
    PyObject *values[2] = {NULL}, *entries;
    weir_error err = {.code = WEIR_OK};
    if (!answerable(self) || weir_py_arguments("reply", args, kwargs, names, 1, values, &entries) < 0)
        return NULL;
    int status =
        weir_py_pack(&answering.parcel, server->data_doc, server->meta_doc, values[0], NULL, values[1], entries);
    Py_XDECREF(entries);
    if (status < 0)
        return NULL;
    status = weir_py_parcel_value(&answering.parcel, server->data_doc);
    if (status == 0)
        status = weir_py_wait(reply_attempt, &answering, 0, 1, &server->is_busy, &err);
    weir_py_unpack(&answering.parcel);
    if (status != WEIR_OK)
        return status < 0 ? NULL : weir_py_raise(&err);
    self->is_answered = 1;
    Py_RETURN_NONE;
}

PyObject *weir_py_request_fail(PyObject *object, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"sentence", "code", NULL};
    struct weir_py_request *self = (struct weir_py_request *)object;
    const char *sentence;
    int code = 0;
    weir_error err;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "s|i:fail", names, &sentence, &code) || !answerable(self))
        return NULL;
    if (weir_server_fail(self->server->server, self->base.frame->message, code, sentence, &err) != WEIR_OK)
        return weir_py_raise(&err);
    self->is_answered = 1;
    Py_RETURN_NONE;
}
