/* Clients, servers, and answering requests.
 *
 * A call is sent and then received in slices, so that it can be interrupted and an event loop can do the waiting. One
 * that ends without its reply is taken back, so that nothing of it comes later.
 * Replies and requests are copies of their own: a request may be answered long after the server has gone on.
 * A server's workers share a lock of the library, which one may hold while it waits for room: whatever takes that lock
 * gives the interpreter's away first.
 */
#include "module.h"

#include <stddef.h>
#include <structmember.h>

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
    uint64_t id; /* of the request; 0 for any that is under way */
    weir_message *message;
};

/* The library does the waiting for room here, for as long as the address's timeout= says: a request that was not sent
 * cannot be told from one that was, so it is not tried again in slices. */
static int ask_attempt(void *context, int64_t timeout_ns, weir_error *err) {
    struct asking *asking = context;
    (void)timeout_ns;
    int status = weir_client_send(asking->client, asking->parcel.op, asking->parcel.meta, asking->parcel.data, err);
    asking->id = status == WEIR_OK ? weir_client_id(asking->client) : 0;
    return status;
}

static int answer_attempt(void *context, int64_t timeout_ns, weir_error *err) {
    struct asking *asking = context;
    if (!asking->id)
        return weir_client_receive(asking->client, timeout_ns, &asking->message, err);
    return weir_client_receive_id(asking->client, asking->id, timeout_ns, &asking->message, err);
}

/* Raise; the error of one request, which ends with it, says which that was: @request. */
static PyObject *raise_for(uint64_t request, const weir_error *err) {
    weir_py_raise(err);
    if (err->code != WEIR_EREMOTE && err->code != WEIR_EPEER)
        return NULL;
    PyObject *kind, *error, *trace;
    PyErr_Fetch(&kind, &error, &trace);
    PyErr_NormalizeException(&kind, &error, &trace);
    PyObject *id = PyLong_FromUnsignedLongLong(request);
    if (!id || PyObject_SetAttrString(error, "id", id) < 0)
        PyErr_Clear();
    Py_XDECREF(id);
    PyErr_Restore(kind, error, trace);
    return NULL;
}

static const char *const call_names[] = {"op", "data", "meta", "timeout", NULL};

/* Pack and send a request; values as in call_names. Return: 0, or -1 with an exception. */
static int ask(struct client *self, PyObject **values, PyObject *entries, uint64_t *ret_id) {
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
    *ret_id = asking.id;
    return status == WEIR_OK ? 0 : -1;
}

/* @is_call: take the request back unless it has its reply. */
static PyObject *receive(struct client *self, uint64_t id, int64_t timeout_ns, int is_call) {
    struct asking asking = {.client = self->client, .id = id};
    weir_message *copy;
    weir_error err;
    int status = weir_py_wait(answer_attempt, &asking, timeout_ns, 0, &self->is_busy, &err);
    if (status != WEIR_OK) {
        uint64_t request = weir_client_id(self->client);
        if (is_call)
            weir_client_cancel(self->client, id, NULL); /* refused when the request has ended */
        return status < 0 ? NULL : raise_for(request, &err);
    }
    status = weir_message_copy(asking.message, &copy);
    return status == WEIR_OK ? weir_py_message_own(copy) : weir_py_raise_code(status);
}

static PyObject *client_call(PyObject *object, PyObject *args, PyObject *kwargs) {
    struct client *self = (struct client *)object;
    PyObject *values[4] = {NULL}, *entries;
    int64_t timeout_ns = INT64_C(10000000000);
    uint64_t id = 0;
    if (!weir_py_usable(self->client, self->is_busy, "client") ||
        weir_py_arguments("call", args, kwargs, call_names, 2, values, &entries) < 0)
        return NULL;
    int status = values[3] ? weir_py_timeout(values[3], &timeout_ns) : 0;
    if (status == 0)
        status = ask(self, values, entries, &id);
    Py_XDECREF(entries);
    return status == 0 ? receive(self, id, timeout_ns, 1) : NULL;
}

static PyObject *client_send(PyObject *object, PyObject *args, PyObject *kwargs) {
    static const char *const names[] = {"op", "data", "meta", NULL};
    struct client *self = (struct client *)object;
    PyObject *values[3] = {NULL}, *entries;
    uint64_t id = 0;
    if (!weir_py_usable(self->client, self->is_busy, "client") ||
        weir_py_arguments("send", args, kwargs, names, 2, values, &entries) < 0)
        return NULL;
    int status = ask(self, values, entries, &id);
    Py_XDECREF(entries);
    return status == 0 ? PyLong_FromUnsignedLongLong(id) : NULL;
}

/* A request's id from what the user gave. Return: 0, or -1 with an exception. */
static int id_of(PyObject *object, uint64_t *ret) {
    unsigned long long id = PyLong_AsUnsignedLongLong(object);
    if (id == 0 && !PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, "0 is no request's id: give what send() returned");
    *ret = id;
    return PyErr_Occurred() ? -1 : 0;
}

static PyObject *client_receive(PyObject *object, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"timeout", "id", NULL};
    struct client *self = (struct client *)object;
    PyObject *seconds = NULL, *request = Py_None;
    int64_t timeout_ns;
    uint64_t id = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:receive", names, &seconds, &request) ||
        weir_py_timeout(seconds, &timeout_ns) < 0 || (request != Py_None && id_of(request, &id) < 0) ||
        !weir_py_usable(self->client, self->is_busy, "client"))
        return NULL;
    return receive(self, id, timeout_ns, 0);
}

static PyObject *client_cancel(PyObject *object, PyObject *request) {
    struct client *self = (struct client *)object;
    uint64_t id;
    weir_error err;
    if (id_of(request, &id) < 0 || !weir_py_usable(self->client, self->is_busy, "client"))
        return NULL;
    if (weir_client_cancel(self->client, id, &err) != WEIR_OK)
        return weir_py_raise(&err);
    Py_RETURN_NONE;
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

static PyObject *client_under_way(PyObject *object, void *unused) {
    struct client *self = (struct client *)object;
    (void)unused;
    if (!weir_py_usable(self->client, self->is_busy, "client"))
        return NULL;
    return PyLong_FromUnsignedLong(weir_client_under_way(self->client));
}

static PyGetSetDef client_attributes[] = {
    {"closed", client_closed, NULL, "whether close() was called", NULL},
    {"address", client_address, NULL, "the address it was opened with", NULL},
    {"under_way", client_under_way, NULL, "how many requests were sent whose reply was not received", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef client_methods[] = {
    {"call", KEYWORDS(client_call),
     "call(op, data=None, *, meta=None, timeout=10.0, **entries): ask, and wait for the reply, a Message."},
    {"send", KEYWORDS(client_send),
     "send(op, data=None, *, meta=None, **entries): ask and go on; the request's id. Many may be under way."},
    {"receive", KEYWORDS(client_receive),
     "receive(timeout=None, id=None): the next reply, to any request or to that one; its .id says to which."},
    {"cancel", client_cancel, METH_O, "cancel(id): take a request back; the server is told."},
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

static int docs_new(struct weir_py_server *self) {
    if (weir_doc_new(&self->data_doc) == WEIR_OK && weir_doc_new(&self->meta_doc) == WEIR_OK)
        return 0;
    PyErr_NoMemory();
    return -1;
}

static int server_open(struct weir_py_server *self) {
    const char *text = PyUnicode_AsUTF8(self->address);
    weir_error err;
    int status;
    if (!text)
        return -1;
    if (docs_new(self) < 0)
        return -1;
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
    Py_XDECREF(self->waker);
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
    weir_server *server = self->server;
    self->server = NULL;
    Py_BEGIN_ALLOW_THREADS
    weir_server_close(server);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyObject *server_worker(PyObject *object, PyObject *unused) {
    struct weir_py_server *self = (struct weir_py_server *)object;
    int status;
    weir_error err;
    (void)unused;
    if (!weir_py_usable(self->server, self->is_busy, "server"))
        return NULL;
    struct weir_py_server *worker = (struct weir_py_server *)Py_TYPE(object)->tp_alloc(Py_TYPE(object), 0);
    if (!worker)
        return NULL;
    worker->address = Py_NewRef(self->address);
    self->is_busy = 1;
    Py_BEGIN_ALLOW_THREADS
    status = weir_server_worker(self->server, &worker->server, &err);
    Py_END_ALLOW_THREADS
    self->is_busy = 0;
    if (status == WEIR_OK)
        self->is_shared = worker->is_shared = 1;
    else
        weir_py_raise(&err);
    if (status == WEIR_OK && docs_new(worker) == 0)
        return (PyObject *)worker;
    Py_DECREF(worker);
    return NULL;
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
    *ret_status = weir_py_wait(serve_attempt, &serving, timeout_ns, self->is_shared, &self->is_busy, err);
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
    int status;
    self->is_busy = 1;
    Py_BEGIN_ALLOW_THREADS
    status = weir_server_fd(self->server, &fd, &err);
    Py_END_ALLOW_THREADS
    self->is_busy = 0;
    return status == WEIR_OK ? PyLong_FromLong(fd) : weir_py_raise(&err);
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

/* What waits on the descriptor in an event loop, to be called after whatever may have emptied it; or None. */
static PyMemberDef server_members[] = {
    {"_waker", T_OBJECT, offsetof(struct weir_py_server, waker), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyMethodDef server_methods[] = {
    {"next", KEYWORDS(server_next), "next(timeout=None): the next Request; raises Timeout."},
    {"worker", server_worker, METH_NOARGS,
     "worker(): another Server for another thread: each request goes to exactly one of them. Close each."},
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
    .tp_members = server_members,
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
    const char *sentence; /* of a refusal */
    int code;
};

/* The library may have taken in requests meanwhile, of which the descriptor says no more. */
static void touched(struct weir_py_server *server) {
    PyObject *kind, *error, *trace;
    if (!server->waker || server->waker == Py_None)
        return;
    PyErr_Fetch(&kind, &error, &trace);
    PyObject *waker = Py_NewRef(server->waker);
    PyObject *result = PyObject_CallNoArgs(waker);
    if (!result)
        PyErr_WriteUnraisable(waker);
    Py_XDECREF(result);
    Py_DECREF(waker);
    PyErr_Restore(kind, error, trace);
}

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
    touched(server);
    if (status != WEIR_OK)
        return status < 0 ? NULL : weir_py_raise(&err);
    self->is_answered = 1;
    Py_RETURN_NONE;
}

static int fail_attempt(void *context, int64_t timeout_ns, weir_error *err) {
    struct answering *answering = context;
    struct weir_py_request *request = answering->request;
    (void)timeout_ns;
    return weir_server_fail(request->server->server, request->base.frame->message, answering->code, answering->sentence,
                            err);
}

PyObject *weir_py_request_fail(PyObject *object, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"sentence", "code", NULL};
    struct weir_py_request *self = (struct weir_py_request *)object;
    struct answering answering = {.request = self};
    weir_error err;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "s|i:fail", names, &answering.sentence, &answering.code) ||
        !answerable(self))
        return NULL;
    int status = weir_py_wait(fail_attempt, &answering, 0, 1, &self->server->is_busy, &err);
    touched(self->server);
    if (status != WEIR_OK)
        return status < 0 ? NULL : weir_py_raise(&err);
    self->is_answered = 1;
    Py_RETURN_NONE;
}

PyObject *weir_py_request_cancelled(PyObject *object, void *unused) {
    struct weir_py_request *self = (struct weir_py_request *)object;
    struct weir_py_server *server = self->server;
    int is_cancelled;
    (void)unused;
    if (!weir_py_usable(server->server, server->is_busy, "server"))
        return NULL;
    server->is_busy = 1;
    Py_BEGIN_ALLOW_THREADS
    is_cancelled = weir_server_is_cancelled(server->server, self->base.frame->message);
    Py_END_ALLOW_THREADS
    server->is_busy = 0;
    touched(server);
    return PyBool_FromLong(is_cancelled);
}
