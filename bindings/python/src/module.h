/* What the files of the extension module share.
 *
 * Model: a Frame holds one library message, either its own copy or the one its reader lends out. Messages show a frame
 * to Python; Arrays export its bytes, and keep it. What must stay true:
 *   - No memory of the library is reachable from Python after the library may reuse it. Whoever exports memory is
 *     counted (frame->exports, writer->exports), and a call that would end the memory's life fails with BufferError
 *     while the count is not zero.
 *   - An object whose call runs without the interpreter lock is marked busy; every other use of it raises meanwhile.
 *   - A Message may cache Python objects, a Frame never does: so arrays cannot form cycles with what they show.
 * The module's types are static, for one interpreter. All functions run with the interpreter lock held, except inside
 * an attempt (wait.c).
 */
#ifndef WEIR_PYTHON_MODULE_H
#define WEIR_PYTHON_MODULE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <weir/weir.h>

/* A message of the library. */
struct weir_py_frame {
    PyObject_HEAD
    weir_message *message;         /* NULL once it was given back to its reader */
    struct weir_py_reader *reader; /* who lends it; NULL when the message is our own copy */
    Py_ssize_t exports;            /* arrays that show its bytes */
};

struct weir_py_message {
    PyObject_HEAD
    struct weir_py_frame *frame;
    PyObject *data; /* decoded once, or NULL */
    PyObject *meta;
};

struct weir_py_request {
    struct weir_py_message base;
    struct weir_py_server *server;
    int is_answered;
};

struct weir_py_reader {
    PyObject_HEAD
    weir_reader *reader; /* NULL when closed */
    PyObject *address;
    struct weir_py_frame *lent; /* the frame lent out last, not counted; NULL when it is gone */
    int is_busy;
};

struct weir_py_writer {
    PyObject_HEAD
    weir_writer *writer; /* NULL when closed */
    PyObject *address;
    weir_doc *data_doc;
    weir_doc *meta_doc;
    int64_t timeout_ns;
    int64_t time_ns;    /* of the messages, in place of the clock's; WEIR_TIME_NOW: the clock's */
    Py_ssize_t exports; /* arrays that show a reservation's memory */
    int is_reserved;
    int is_busy;
};

struct weir_py_server {
    PyObject_HEAD
    weir_server *server;
    PyObject *address;
    PyObject *waker; /* see server_members; may be NULL */
    weir_doc *data_doc;
    weir_doc *meta_doc;
    int is_busy;
    int is_shared; /* there are workers */
};

/* Memory seen as an array of numbers: what memoryview and numpy read through the buffer protocol. */
struct weir_py_array {
    PyObject_HEAD
    PyObject *owner;     /* keeps the memory; NULL when it is our own */
    Py_ssize_t *exports; /* the owner's count of us; NULL when nobody counts */
    void *memory;        /* our own, or NULL */
    char *data;
    Py_ssize_t size;
    Py_ssize_t item_size;
    Py_ssize_t shape[WEIR_RANK_MAX];
    Py_ssize_t strides[WEIR_RANK_MAX];
    int rank;
    int is_readonly;
    char format[3];
};

/* What a send needs: values built from Python objects, and references that keep borrowed memory alive meanwhile. */
struct weir_py_parcel {
    const char *op;
    const weir_value *meta;
    const weir_value *data;
    weir_ndarray array; /* the data when it is one array, or bytes of structs */
    int is_array;
    PyObject *type; /* text, when the data is structs; kept by .keep */
    PyObject *keep; /* list, or NULL */
};

extern PyTypeObject weir_py_frame_type;
extern PyTypeObject weir_py_message_type;
extern PyTypeObject weir_py_request_type;
extern PyTypeObject weir_py_array_type;
extern PyTypeObject weir_py_writer_type;
extern PyTypeObject weir_py_reservation_type;
extern PyTypeObject weir_py_reader_type;
extern PyTypeObject weir_py_client_type;
extern PyTypeObject weir_py_server_type;

/* Objects of the package's Python files that the C files call, filled at import. */
struct weir_py_imports {
    PyObject *make_error;    /* errors.make(code, sys_errno, sentence, offset) */
    PyObject *time_type;     /* types.Time */
    PyObject *time_from_ns;  /* types.Time.from_ns */
    PyObject *time_to_ns;    /* types.time_to_ns(datetime) */
    PyObject *tagged_type;   /* types.Tagged */
    PyObject *undefined;     /* types.undefined */
    PyObject *int_digits;    /* types.int_digits(int): decimal digits, however many */
    PyObject *digits_int;    /* types.digits_int(text) */
    PyObject *decimal_type;  /* decimal.Decimal */
    PyObject *decimal_parts; /* types.decimal_parts(Decimal): digits, exponent */
    PyObject *decimal_from;  /* types.decimal_from(digits, exponent) */
};
extern struct weir_py_imports weir_py;

/* error.c: set the Python exception for a failure of the library; always NULL. */
PyObject *weir_py_raise(const weir_error *err);
/* The same for a status that came without a weir_error. */
PyObject *weir_py_raise_code(int code);
/* Set the exception for an object that is closed or in use elsewhere. Return: 1 when it may be used. */
int weir_py_usable(const void *handle, int is_busy, const char *what);

/* wait.c: seconds (None: no end) to nanoseconds. Return: 0, or -1 with an exception. */
int weir_py_timeout(PyObject *seconds, int64_t *ret_ns);
/* Try without waiting; then wait in slices, without the interpreter lock, until @attempt returns something other than
 * WEIR_ETIMEOUT, the time is up or a signal handler raises.
 * @is_long: the first try takes long enough to be worth giving the lock away.
 * Return: enum weir_err, or -1 with an exception. */
typedef int (*weir_py_attempt)(void *context, int64_t timeout_ns, weir_error *err);
int weir_py_wait(weir_py_attempt attempt, void *context, int64_t timeout_ns, int is_long, int *is_busy,
                 weir_error *err);
/* weir.wait(ends, timeout) */
PyObject *weir_py_wait_many(PyObject *module, PyObject *args, PyObject *kwargs);

/* array.c: whether the buffer that @object shows is all of it. Return: 0 with TypeError for numpy's masked arrays, whose
 * mask no buffer has, and numpy's times, whose unit none has. */
int weir_py_is_whole(PyObject *object);
/* The buffer's numbers as the library names them, borrowed from @view, which must be contiguous in C or
 * Fortran order. Return: 0, or -1 with TypeError. */
int weir_py_ndarray(const Py_buffer *view, weir_ndarray *ret);
/* A memoryview of any buffer, contiguous, copied only where it was not. */
PyObject *weir_py_contiguous(PyObject *object);
/* An array that shows @array's own memory, kept by @owner and counted in *exports. */
PyObject *weir_py_array_show(const weir_ndarray *array, PyObject *owner, Py_ssize_t *exports, int is_readonly);
/* An array with a copy of its own, in the machine's byte order. */
PyObject *weir_py_array_copy(const weir_ndarray *array);
/* Take over a new array object and return what the user sees: a numpy array where numpy is there, else a memoryview. */
PyObject *weir_py_array_present(PyObject *array);
/* One element as a Python number. */
PyObject *weir_py_number(const weir_ndarray *array);

/* raw.c: a type from Python text. Return: 0, or -1 with an exception. */
int weir_py_type(PyObject *object, weir_type **ret);
/* core.type_parts(text) */
PyObject *weir_py_type_parts(PyObject *module, PyObject *text);
/* Whether a buffer holds structs. */
int weir_py_is_struct(const Py_buffer *view);
/* A numpy array that has no buffer, laid so that it has one, or TypeError. */
PyObject *weir_py_struct_present(PyObject *object);
/* A structured array as (type, bytes), laid out as C does. */
PyObject *weir_py_struct_lay(PyObject *object);
/* Append structs to a document as maps. Return: 0, or -1 with an exception. */
int weir_py_struct_put(weir_doc *doc, PyObject *text, const Py_buffer *bytes);
/* Take over an array of bytes, and show it as a structured array of @type. */
PyObject *weir_py_struct_show(PyObject *array, weir_view type);

/* build.c: append a Python object to @doc. Borrowed memory is kept alive by *keep (made when needed).
 * Return: 0, or -1 with an exception. */
int weir_py_put(weir_doc *doc, PyObject *object, PyObject **keep);
/* A whole document from one object. Return: 0, or -1 with an exception. */
int weir_py_build(weir_doc *doc, PyObject *object, PyObject **keep, const weir_value **ret);
/* Everything a send takes: the data, the operation, the meta map and its additional entries (both may be NULL). */
int weir_py_pack(struct weir_py_parcel *parcel, weir_doc *data_doc, weir_doc *meta_doc, PyObject *data, PyObject *op,
                 PyObject *meta, PyObject *entries);
void weir_py_unpack(struct weir_py_parcel *parcel);
/* The data of an ndarray parcel as a value of @doc, for calls that take only values. Return: 0, or -1. */
int weir_py_parcel_value(struct weir_py_parcel *parcel, weir_doc *doc);

/* load.c: a value as a Python object. Arrays show @frame's memory, or are copied when @frame is NULL. */
PyObject *weir_py_load(const weir_value *value, struct weir_py_frame *frame);

/* message.c: take over @message and show it. Frees it on failure. */
PyObject *weir_py_message_own(weir_message *message);
/* Show a message that @reader lends until its next call. */
PyObject *weir_py_message_lend(weir_message *message, struct weir_py_reader *reader);
/* Take over @message, a request to @server. */
PyObject *weir_py_request_own(weir_message *message, struct weir_py_server *server);

/* reader.c: take the lent message back, before the library does. Return: 0, or -1 with BufferError. */
int weir_py_take_back(struct weir_py_reader *reader);

/* call.c: answer a request, used by Request.reply and Request.fail; Request.cancelled. */
PyObject *weir_py_request_reply(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *weir_py_request_fail(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *weir_py_request_cancelled(PyObject *self, void *unused);

/* document.c: weir.encode, decode, convert, directory, clean. */
PyObject *weir_py_encode(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *weir_py_decode(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *weir_py_convert(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *weir_py_directory(PyObject *module, PyObject *unused);
PyObject *weir_py_info(PyObject *module, PyObject *address);
PyObject *weir_py_remove(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *weir_py_clean(PyObject *module, PyObject *args, PyObject *kwargs);

/* module.c: split keyword arguments into the named ones and the rest. @names ends with NULL; values[i] is borrowed, set
 * when names[i] was given. *ret_rest is a new dict, or NULL when nothing is left. Positional arguments fill names in
 * order.
 * Return: 0, or -1 with TypeError. */
int weir_py_arguments(const char *function, PyObject *args, PyObject *kwargs, const char *const *names,
                      Py_ssize_t positional, PyObject **values, PyObject **ret_rest);

#endif
