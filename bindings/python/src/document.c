/* Functions of the module that need no open end: encoding, decoding, converting, and the directory. */
#include "module.h"

static int find_codec(const char *name, int *ret_codec) {
    weir_error err;
    if (weir_codec_find(name, ret_codec, &err) == WEIR_OK)
        return 0;
    weir_py_raise(&err);
    return -1;
}

/* Encode into a new bytes object. */
static PyObject *encoded(const weir_value *value, int codec, uint32_t flags) {
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    weir_buffer *buffer;
    weir_error err;
    PyObject *bytes = NULL;
    options.flags = flags;
    if (weir_buffer_new(&buffer) != WEIR_OK)
        return PyErr_NoMemory();
    if (weir_encode(value, codec, &options, buffer, &err) == WEIR_OK) {
        weir_view view = weir_buffer_view(buffer);
        bytes = PyBytes_FromStringAndSize(view.data, (Py_ssize_t)view.size);
    } else {
        weir_py_raise(&err);
    }
    weir_buffer_free(buffer);
    return bytes;
}

/* Encode as raw data of a type, into a new bytes object. Floats of Python may be rounded to f32, as numpy does. */
static PyObject *encoded_as(const weir_value *value, PyObject *text, int is_strict) {
    weir_buffer *buffer = NULL;
    weir_type *type;
    weir_error err;
    PyObject *bytes = NULL;
    if (weir_py_type(text, &type) < 0)
        return NULL;
    if (weir_buffer_new(&buffer) != WEIR_OK) {
        PyErr_NoMemory();
    } else if (weir_type_encode(value, type, is_strict ? 0 : WEIR_ROUND, buffer, &err) == WEIR_OK) {
        weir_view view = weir_buffer_view(buffer);
        bytes = PyBytes_FromStringAndSize(view.data, (Py_ssize_t)view.size);
    } else {
        weir_py_raise(&err);
    }
    weir_buffer_free(buffer);
    weir_type_free(type);
    return bytes;
}

/* Whether @type is given; it goes only with raw data. Return: 1, 0, or -1 with an exception. */
static int has_type(PyObject *type, int is_raw) {
    if (!type || type == Py_None)
        return 0;
    if (is_raw)
        return 1;
    PyErr_SetString(PyExc_ValueError, "type= goes with the codec 'raw'");
    return -1;
}

struct flags {
    int plain, strict, canonical, pretty;
};

static uint32_t flag_bits(const struct flags *flags) {
    return (uint32_t)((flags->plain ? WEIR_PLAIN : 0) | (flags->strict ? WEIR_STRICT : 0) |
                      (flags->canonical ? WEIR_CANONICAL : 0) | (flags->pretty ? WEIR_PRETTY : 0));
}

PyObject *weir_py_encode(PyObject *module, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"value", "codec", "plain", "strict", "canonical", "pretty", "type", NULL};
    PyObject *object, *type = NULL, *keep = NULL, *bytes = NULL;
    const char *codec_name = "cbor";
    const weir_value *value;
    struct flags flags = {0, 0, 0, 0};
    weir_doc *doc;
    int codec, is_typed;
    (void)module;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|s$ppppO:encode", names, &object, &codec_name, &flags.plain,
                                     &flags.strict, &flags.canonical, &flags.pretty, &type) ||
        find_codec(codec_name, &codec) < 0 || (is_typed = has_type(type, codec == WEIR_CODEC_RAW)) < 0)
        return NULL;
    if (weir_doc_new(&doc) != WEIR_OK)
        return PyErr_NoMemory();
    if (weir_py_build(doc, object, &keep, &value) == 0)
        bytes = is_typed ? encoded_as(value, type, flags.strict) : encoded(value, codec, flag_bits(&flags));
    Py_XDECREF(keep);
    weir_doc_free(doc);
    return bytes;
}

/* Decode @data into @doc. Return: 0, or -1 with an exception. */
static int decode(weir_doc *doc, const Py_buffer *data, int codec, int is_strict) {
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    weir_error err;
    options.flags = is_strict ? WEIR_STRICT : 0;
    if (weir_decode(doc, codec, data->buf, (size_t)data->len, &options, NULL, &err) == WEIR_OK)
        return 0;
    weir_py_raise(&err);
    return -1;
}

/* Decode @data, which may be raw data of a type, into @doc; *ret_type outlives its use. Return: 0, or -1 with an
 * exception. */
static int decode_typed(weir_doc *doc, const Py_buffer *data, PyObject *text, weir_type **ret_type) {
    weir_error err;
    if (weir_py_type(text, ret_type) < 0)
        return -1;
    if (weir_type_decode(doc, *ret_type, data->buf, (size_t)data->len, NULL, &err) == WEIR_OK)
        return 0;
    weir_py_raise(&err);
    return -1;
}

PyObject *weir_py_decode(PyObject *module, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"data", "codec", "strict", "type", NULL};
    const char *codec_name = "cbor";
    PyObject *object = NULL, *text = NULL;
    weir_type *type = NULL;
    weir_doc *doc = NULL;
    Py_buffer data;
    int codec, is_strict = 0, is_typed;
    (void)module;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "s*|s$pO:decode", names, &data, &codec_name, &is_strict, &text))
        return NULL;
    if (find_codec(codec_name, &codec) == 0 && (is_typed = has_type(text, codec == WEIR_CODEC_RAW)) >= 0) {
        if (weir_doc_new(&doc) != WEIR_OK)
            PyErr_NoMemory();
        else if ((is_typed ? decode_typed(doc, &data, text, &type) : decode(doc, &data, codec, is_strict)) == 0)
            object = weir_py_load(weir_doc_root(doc), NULL);
    }
    weir_doc_free(doc);
    weir_type_free(type);
    PyBuffer_Release(&data);
    return object;
}

PyObject *weir_py_convert(PyObject *module, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"data", "from_codec", "to_codec", "plain", "strict", "canonical", "pretty", "type", NULL};
    const char *from_name, *to_name;
    PyObject *bytes = NULL, *text = NULL;
    weir_type *type = NULL;
    struct flags flags = {0, 0, 0, 0};
    weir_doc *doc = NULL;
    Py_buffer data;
    int from, to, is_typed;
    (void)module;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "s*ss|$ppppO:convert", names, &data, &from_name, &to_name,
                                     &flags.plain, &flags.strict, &flags.canonical, &flags.pretty, &text))
        return NULL;
    if (find_codec(from_name, &from) == 0 && find_codec(to_name, &to) == 0 &&
        (is_typed = has_type(text, from == WEIR_CODEC_RAW || to == WEIR_CODEC_RAW)) >= 0) {
        int is_typed_in = is_typed && from == WEIR_CODEC_RAW;
        if (weir_doc_new(&doc) != WEIR_OK)
            PyErr_NoMemory();
        else if ((is_typed_in ? decode_typed(doc, &data, text, &type) : decode(doc, &data, from, flags.strict)) == 0)
            bytes = is_typed && to == WEIR_CODEC_RAW ? encoded_as(weir_doc_root(doc), text, flags.strict)
                                                     : encoded(weir_doc_root(doc), to, flag_bits(&flags));
    }
    weir_doc_free(doc);
    weir_type_free(type);
    PyBuffer_Release(&data);
    return bytes;
}

PyObject *weir_py_directory(PyObject *module, PyObject *unused) {
    PyObject *list = NULL;
    weir_doc *doc;
    weir_error err;
    int status;
    (void)module;
    (void)unused;
    if (weir_doc_new(&doc) != WEIR_OK)
        return PyErr_NoMemory();
    Py_BEGIN_ALLOW_THREADS
    status = weir_directory_list(doc, &err);
    Py_END_ALLOW_THREADS
    list = status == WEIR_OK ? weir_py_load(weir_doc_root(doc), NULL) : weir_py_raise(&err);
    weir_doc_free(doc);
    return list;
}

PyObject *weir_py_info(PyObject *module, PyObject *address) {
    PyObject *map = NULL;
    weir_doc *doc;
    weir_error err;
    int status;
    (void)module;
    const char *text = PyUnicode_AsUTF8(address);
    if (!text)
        return NULL;
    if (weir_doc_new(&doc) != WEIR_OK)
        return PyErr_NoMemory();
    Py_BEGIN_ALLOW_THREADS
    status = weir_channel_info(text, doc, &err);
    Py_END_ALLOW_THREADS
    map = status == WEIR_OK ? weir_py_load(weir_doc_root(doc), NULL) : weir_py_raise(&err);
    weir_doc_free(doc);
    return map;
}

PyObject *weir_py_remove(PyObject *module, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"address", "dry_run", NULL};
    PyObject *list = NULL, *address;
    weir_doc *doc;
    weir_error err;
    int status, is_dry = 0;
    (void)module;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "U|p:remove", names, &address, &is_dry))
        return NULL;
    const char *text = PyUnicode_AsUTF8(address);
    if (!text)
        return NULL;
    if (weir_doc_new(&doc) != WEIR_OK)
        return PyErr_NoMemory();
    Py_BEGIN_ALLOW_THREADS
    status = weir_channel_remove(text, doc, is_dry, &err);
    Py_END_ALLOW_THREADS
    list = status == WEIR_OK ? weir_py_load(weir_doc_root(doc), NULL) : weir_py_raise(&err);
    weir_doc_free(doc);
    return list;
}

PyObject *weir_py_clean(PyObject *module, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"dry_run", NULL};
    PyObject *list = NULL;
    weir_doc *doc;
    weir_error err;
    int status, is_dry = 0;
    (void)module;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|p:clean", names, &is_dry))
        return NULL;
    if (weir_doc_new(&doc) != WEIR_OK)
        return PyErr_NoMemory();
    Py_BEGIN_ALLOW_THREADS
    status = weir_directory_clean(doc, is_dry, &err);
    Py_END_ALLOW_THREADS
    list = status == WEIR_OK ? weir_py_load(weir_doc_root(doc), NULL) : weir_py_raise(&err);
    weir_doc_free(doc);
    return list;
}
