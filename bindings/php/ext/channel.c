/* Weir\Writer and Weir\Reader. A send that finds no room and a next that finds no message wait in slices (wait.c); a
 * handler that runs in between may even close the end, so the handle is looked at anew before each slice. */
#include "php_weir.h"

static zend_class_entry *ce_writer;
zend_class_entry *php_weir_ce_reader;
static zend_object_handlers writer_handlers, reader_handlers;

ZEND_BEGIN_ARG_INFO_EX(arginfo_construct, 0, 0, 1)
    ZEND_ARG_TYPE_INFO(0, address, IS_STRING, 0)
ZEND_END_ARG_INFO()
ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_void, 0, 0, IS_VOID, 0)
ZEND_END_ARG_INFO()
ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_long, 0, 0, IS_LONG, 0)
ZEND_END_ARG_INFO()

/* ---- Writer ---- */

static zend_object *writer_create(zend_class_entry *ce) {
    return &php_weir_end_make(ce, &writer_handlers)->std;
}

static void writer_free(zend_object *object) {
    php_weir_end *end = PHP_WEIR_FROM(php_weir_end, object);
    end->as.writer = weir_writer_close(end->as.writer);
    php_weir_end_fini(end);
}

static PHP_METHOD(Writer, __construct) {
    zend_string *address;
    weir_error err;
    ZEND_PARSE_PARAMETERS_START(1, 1)
        Z_PARAM_PATH_STR(address)
    ZEND_PARSE_PARAMETERS_END();
    php_weir_end *end = PHP_WEIR_THIS(php_weir_end);
    if (end->as.writer)
        zend_throw_error(NULL, "The writer is open already");
    else if (weir_writer_open(ZSTR_VAL(address), &end->as.writer, &err) != WEIR_OK)
        php_weir_throw(&err);
}

/* One message on its way: as a value, or as bytes in a codec. */
typedef struct sending {
    const char *op;
    const weir_value *meta, *data;
    int codec; /* 0: data; otherwise bytes */
    const char *type;
    const zend_string *bytes; /* NULL: many */
    const weir_view *many;
    size_t count, sent; /* of many */
} sending;

static int send_once(weir_writer *writer, sending *s, weir_error *err) {
    if (s->codec == 0)
        return weir_writer_send(writer, s->op, s->meta, s->data, err);
    if (!s->bytes) {
        size_t some = 0;
        int status = weir_writer_send_many(writer, s->op, s->meta, s->codec, s->type, s->many + s->sent,
                                           s->count - s->sent, &some, err);
        s->sent += some;
        return status;
    }
    return weir_writer_send_bytes(writer, s->op, s->meta, s->codec, s->type, ZSTR_VAL(s->bytes), ZSTR_LEN(s->bytes),
                                  err);
}

/* Nothing is sent by a call that timed out, so it may be made again until the writer's own timeout is over; of many,
 * what was not sent, and the timeout is that of each. */
static void send_sliced(php_weir_end *end, sending *s, zval *ret) {
    php_weir_wait wait;
    weir_error err;
    int status;
    size_t before;
    int64_t timeout_ns = weir_writer_timeout(end->as.writer);
    php_weir_wait_begin(&wait, timeout_ns);
    do {
        if (!php_weir_end_is_open(end, "writer"))
            return;
        weir_writer_set_timeout(end->as.writer, php_weir_wait_slice(&wait));
        before = s->sent;
        status = send_once(end->as.writer, s, &err);
        weir_writer_set_timeout(end->as.writer, timeout_ns);
        if (s->sent > before)
            php_weir_wait_begin(&wait, timeout_ns);
    } while (status == WEIR_ETIMEOUT && php_weir_wait_goes_on(&wait));
    if (EG(exception))
        return;
    if (status == WEIR_OK)
        ZVAL_LONG(ret, (zend_long)weir_writer_seq(end->as.writer));
    else
        php_weir_throw(&err);
}

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_send, 0, 0, IS_LONG, 0)
    ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, data, IS_MIXED, 1, "null")
    ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, op, IS_STRING, 1, "null")
    ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, meta, IS_ARRAY, 1, "null")
ZEND_END_ARG_INFO()

static PHP_METHOD(Writer, send) {
    zval *data = NULL;
    zend_string *op = NULL;
    HashTable *meta = NULL;
    sending s = {0};
    ZEND_PARSE_PARAMETERS_START(0, 3)
        Z_PARAM_OPTIONAL
        Z_PARAM_ZVAL(data)
        Z_PARAM_PATH_STR_OR_NULL(op)
        Z_PARAM_ARRAY_HT_OR_NULL(meta)
    ZEND_PARSE_PARAMETERS_END();
    php_weir_end *end = PHP_WEIR_THIS(php_weir_end);
    if (!php_weir_end_is_open(end, "writer") || !php_weir_end_values(end, data, meta, &s.data, &s.meta) ||
        !php_weir_end_is_open(end, "writer"))
        return;
    s.op = op ? ZSTR_VAL(op) : NULL;
    send_sliced(end, &s, return_value);
}

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_send_bytes, 0, 2, IS_LONG, 0)
    ZEND_ARG_TYPE_INFO(0, bytes, IS_STRING, 0)
    ZEND_ARG_TYPE_INFO(0, codec, IS_STRING, 0)
    ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, type, IS_STRING, 1, "null")
    ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, op, IS_STRING, 1, "null")
    ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, meta, IS_ARRAY, 1, "null")
ZEND_END_ARG_INFO()

/* Data that is encoded already. */
static PHP_METHOD(Writer, sendBytes) {
    zend_string *bytes, *codec, *type = NULL, *op = NULL;
    HashTable *meta = NULL;
    sending s = {0};
    weir_error err;
    ZEND_PARSE_PARAMETERS_START(2, 5)
        Z_PARAM_STR(bytes)
        Z_PARAM_PATH_STR(codec)
        Z_PARAM_OPTIONAL
        Z_PARAM_PATH_STR_OR_NULL(type)
        Z_PARAM_PATH_STR_OR_NULL(op)
        Z_PARAM_ARRAY_HT_OR_NULL(meta)
    ZEND_PARSE_PARAMETERS_END();
    php_weir_end *end = PHP_WEIR_THIS(php_weir_end);
    if (weir_codec_find(ZSTR_VAL(codec), &s.codec, &err) != WEIR_OK) {
        php_weir_throw(&err);
        return;
    }
    if (!php_weir_end_is_open(end, "writer") || !php_weir_end_values(end, NULL, meta, &s.data, &s.meta) ||
        !php_weir_end_is_open(end, "writer"))
        return;
    s.op = op ? ZSTR_VAL(op) : NULL;
    s.type = type ? ZSTR_VAL(type) : NULL;
    s.bytes = bytes;
    send_sliced(end, &s, return_value);
}

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_send_many, 0, 2, IS_LONG, 0)
    ZEND_ARG_TYPE_INFO(0, bytes, IS_ARRAY, 0)
    ZEND_ARG_TYPE_INFO(0, codec, IS_STRING, 0)
    ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, type, IS_STRING, 1, "null")
    ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, op, IS_STRING, 1, "null")
    ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, meta, IS_ARRAY, 1, "null")
    ZEND_ARG_INFO_WITH_DEFAULT_VALUE(1, sent, "null")
ZEND_END_ARG_INFO()

/* The strings of @list as views; NULL, with an exception, when it holds anything else. */
static weir_view *strings_view(HashTable *list) {
    zval *item;
    size_t count = 0;
    weir_view *views = safe_emalloc(zend_hash_num_elements(list) + 1, sizeof(*views), 0);
    ZEND_HASH_FOREACH_VAL(list, item) {
        ZVAL_DEREF(item);
        if (Z_TYPE_P(item) != IS_STRING) {
            zend_argument_type_error(1, "must be an array of strings");
            efree(views);
            return NULL;
        }
        views[count++] = (weir_view){Z_STRVAL_P(item), Z_STRLEN_P(item)};
    } ZEND_HASH_FOREACH_END();
    return views;
}

/* Many messages in one call, each encoded already. The array is ours until we return, whatever a handler does. */
static PHP_METHOD(Writer, sendMany) {
    zend_string *codec, *type = NULL, *op = NULL;
    HashTable *list, *meta = NULL;
    zval *sent = NULL;
    sending s = {0};
    weir_error err;
    ZEND_PARSE_PARAMETERS_START(2, 6)
        Z_PARAM_ARRAY_HT(list)
        Z_PARAM_PATH_STR(codec)
        Z_PARAM_OPTIONAL
        Z_PARAM_PATH_STR_OR_NULL(type)
        Z_PARAM_PATH_STR_OR_NULL(op)
        Z_PARAM_ARRAY_HT_OR_NULL(meta)
        Z_PARAM_ZVAL(sent)
    ZEND_PARSE_PARAMETERS_END();
    php_weir_end *end = PHP_WEIR_THIS(php_weir_end);
    if (weir_codec_find(ZSTR_VAL(codec), &s.codec, &err) != WEIR_OK) {
        php_weir_throw(&err);
        return;
    }
    if (!php_weir_end_is_open(end, "writer") || !php_weir_end_values(end, NULL, meta, &s.data, &s.meta) ||
        !php_weir_end_is_open(end, "writer"))
        return;
    weir_view *views = strings_view(list);
    if (!views)
        return;
    s.op = op ? ZSTR_VAL(op) : NULL;
    s.type = type ? ZSTR_VAL(type) : NULL;
    s.many = views;
    s.count = zend_hash_num_elements(list);
    send_sliced(end, &s, return_value);
    efree(views);
    if (sent)
        ZEND_TRY_ASSIGN_REF_LONG(sent, (zend_long)s.sent);
}

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_wait_readers, 0, 1, _IS_BOOL, 0)
    ZEND_ARG_TYPE_INFO(0, count, IS_LONG, 0)
    ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, timeout, IS_DOUBLE, 1, "null")
ZEND_END_ARG_INFO()

static PHP_METHOD(Writer, waitReaders) {
    zend_long count;
    double timeout = 0;
    bool is_forever = true;
    php_weir_wait wait;
    weir_error err;
    int status;
    ZEND_PARSE_PARAMETERS_START(1, 2)
        Z_PARAM_LONG(count)
        Z_PARAM_OPTIONAL
        Z_PARAM_DOUBLE_OR_NULL(timeout, is_forever)
    ZEND_PARSE_PARAMETERS_END();
    php_weir_end *end = PHP_WEIR_THIS(php_weir_end);
    if (count < 0 || count > UINT32_MAX) {
        zend_argument_value_error(1, "must be a number of readers");
        return;
    }
    php_weir_wait_begin(&wait, php_weir_nanoseconds(timeout, is_forever));
    do {
        if (!php_weir_end_is_open(end, "writer"))
            return;
        status = weir_writer_wait_readers(end->as.writer, (uint32_t)count, php_weir_wait_slice(&wait), &err);
    } while (status == WEIR_ETIMEOUT && php_weir_wait_goes_on(&wait));
    if (status != WEIR_OK && status != WEIR_ETIMEOUT && !EG(exception))
        php_weir_throw(&err);
    RETURN_BOOL(status == WEIR_OK);
}

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_set_timeout, 0, 1, IS_VOID, 0)
    ZEND_ARG_TYPE_INFO(0, timeout, IS_DOUBLE, 1)
ZEND_END_ARG_INFO()

/* How long a send may wait under full=block; null for no end. */
static PHP_METHOD(Writer, setTimeout) {
    double timeout = 0;
    bool is_forever = true;
    ZEND_PARSE_PARAMETERS_START(1, 1)
        Z_PARAM_DOUBLE_OR_NULL(timeout, is_forever)
    ZEND_PARSE_PARAMETERS_END();
    php_weir_end *end = PHP_WEIR_THIS(php_weir_end);
    if (php_weir_end_is_open(end, "writer"))
        weir_writer_set_timeout(end->as.writer, php_weir_nanoseconds(timeout, is_forever));
}

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_timeout, 0, 0, IS_DOUBLE, 1)
ZEND_END_ARG_INFO()

/* What it is now; null for no end. */
static PHP_METHOD(Writer, timeout) {
    ZEND_PARSE_PARAMETERS_NONE();
    php_weir_end *end = PHP_WEIR_THIS(php_weir_end);
    if (!php_weir_end_is_open(end, "writer"))
        return;
    int64_t timeout_ns = weir_writer_timeout(end->as.writer);
    if (timeout_ns != WEIR_FOREVER)
        RETURN_DOUBLE((double)timeout_ns / 1e9);
}

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_set_time, 0, 1, IS_VOID, 0)
    ZEND_ARG_TYPE_INFO(0, timeNs, IS_LONG, 1)
ZEND_END_ARG_INFO()

/* The time of the messages from the next one on; null for the clock's. */
static PHP_METHOD(Writer, setTime) {
    zend_long time_ns = 0;
    bool is_now = true;
    ZEND_PARSE_PARAMETERS_START(1, 1)
        Z_PARAM_LONG_OR_NULL(time_ns, is_now)
    ZEND_PARSE_PARAMETERS_END();
    php_weir_end *end = PHP_WEIR_THIS(php_weir_end);
    if (php_weir_end_is_open(end, "writer"))
        weir_writer_set_time(end->as.writer, is_now ? WEIR_TIME_NOW : (int64_t)time_ns);
}

static PHP_METHOD(Writer, cork) {
    ZEND_PARSE_PARAMETERS_NONE();
    php_weir_end *end = PHP_WEIR_THIS(php_weir_end);
    if (php_weir_end_is_open(end, "writer"))
        weir_writer_cork(end->as.writer);
}

/* What was held back stays so when the time is over, so it may be tried again. */
static PHP_METHOD(Writer, uncork) {
    php_weir_wait wait;
    weir_error err;
    int status;
    ZEND_PARSE_PARAMETERS_NONE();
    php_weir_end *end = PHP_WEIR_THIS(php_weir_end);
    if (!php_weir_end_is_open(end, "writer"))
        return;
    int64_t timeout_ns = weir_writer_timeout(end->as.writer);
    php_weir_wait_begin(&wait, timeout_ns);
    do {
        if (!php_weir_end_is_open(end, "writer"))
            return;
        weir_writer_set_timeout(end->as.writer, php_weir_wait_slice(&wait));
        status = weir_writer_uncork(end->as.writer, &err);
        weir_writer_set_timeout(end->as.writer, timeout_ns);
    } while (status == WEIR_ETIMEOUT && php_weir_wait_goes_on(&wait));
    if (status != WEIR_OK && !EG(exception))
        php_weir_throw(&err);
}

static PHP_METHOD(Writer, seq) {
    ZEND_PARSE_PARAMETERS_NONE();
    php_weir_end *end = PHP_WEIR_THIS(php_weir_end);
    if (php_weir_end_is_open(end, "writer"))
        RETURN_LONG((zend_long)weir_writer_seq(end->as.writer));
}

static PHP_METHOD(Writer, dropped) {
    ZEND_PARSE_PARAMETERS_NONE();
    php_weir_end *end = PHP_WEIR_THIS(php_weir_end);
    if (php_weir_end_is_open(end, "writer"))
        RETURN_LONG((zend_long)weir_writer_dropped(end->as.writer));
}

static PHP_METHOD(Writer, close) {
    ZEND_PARSE_PARAMETERS_NONE();
    php_weir_end *end = PHP_WEIR_THIS(php_weir_end);
    end->as.writer = weir_writer_close(end->as.writer);
}

static const zend_function_entry writer_methods[] = {
    PHP_ME(Writer, __construct, arginfo_construct, ZEND_ACC_PUBLIC)
    PHP_ME(Writer, send, arginfo_send, ZEND_ACC_PUBLIC)
    PHP_ME(Writer, sendBytes, arginfo_send_bytes, ZEND_ACC_PUBLIC)
    PHP_ME(Writer, sendMany, arginfo_send_many, ZEND_ACC_PUBLIC)
    PHP_ME(Writer, waitReaders, arginfo_wait_readers, ZEND_ACC_PUBLIC)
    PHP_ME(Writer, setTimeout, arginfo_set_timeout, ZEND_ACC_PUBLIC)
    PHP_ME(Writer, timeout, arginfo_timeout, ZEND_ACC_PUBLIC)
    PHP_ME(Writer, setTime, arginfo_set_time, ZEND_ACC_PUBLIC)
    PHP_ME(Writer, cork, arginfo_void, ZEND_ACC_PUBLIC)
    PHP_ME(Writer, uncork, arginfo_void, ZEND_ACC_PUBLIC)
    PHP_ME(Writer, seq, arginfo_long, ZEND_ACC_PUBLIC)
    PHP_ME(Writer, dropped, arginfo_long, ZEND_ACC_PUBLIC)
    PHP_ME(Writer, close, arginfo_void, ZEND_ACC_PUBLIC)
    PHP_FE_END
};

/* ---- Reader ---- */

static zend_object *reader_create(zend_class_entry *ce) {
    return &php_weir_end_make(ce, &reader_handlers)->std;
}

static void reader_free(zend_object *object) {
    php_weir_end *end = PHP_WEIR_FROM(php_weir_end, object);
    end->lent = php_weir_box_recall(end->lent);
    end->as.reader = weir_reader_close(end->as.reader);
    php_weir_end_fini(end);
}

static PHP_METHOD(Reader, __construct) {
    zend_string *address;
    weir_error err;
    ZEND_PARSE_PARAMETERS_START(1, 1)
        Z_PARAM_PATH_STR(address)
    ZEND_PARSE_PARAMETERS_END();
    php_weir_end *end = PHP_WEIR_THIS(php_weir_end);
    if (end->as.reader)
        zend_throw_error(NULL, "The reader is open already");
    else if (weir_reader_open(ZSTR_VAL(address), &end->as.reader, &err) != WEIR_OK)
        php_weir_throw(&err);
}

/* Make *ret the message that the reader has now: a copy, so that the writer has its room back at once, or the message
 * itself until the reader's next call. */
static void reader_give(php_weir_end *end, weir_message *message, bool is_copy, zval *ret) {
    if (!is_copy) {
        end->lent = php_weir_message_new_lent(ret, message);
        return;
    }
    php_weir_message_new_copy(ret, message);
    weir_reader_release(end->as.reader);
}

/* Wait for the next message. Return: the library's status; *ret is set when it is WEIR_OK and no exception was
 * thrown. */
static int reader_next(php_weir_end *end, int64_t timeout_ns, bool is_copy, zval *ret, weir_error *err) {
    php_weir_wait wait;
    weir_message *message;
    int status;
    php_weir_wait_begin(&wait, timeout_ns);
    do {
        end->lent = php_weir_box_recall(end->lent);
        if (!php_weir_end_is_open(end, "reader"))
            return WEIR_ECLOSED;
        status = weir_reader_next(end->as.reader, php_weir_wait_slice(&wait), &message, err);
    } while (status == WEIR_ETIMEOUT && php_weir_wait_goes_on(&wait));
    if (status == WEIR_OK)
        reader_give(end, message, is_copy, ret);
    return status;
}

ZEND_BEGIN_ARG_WITH_RETURN_OBJ_INFO_EX(arginfo_next, 0, 0, Weir\\Message, 1)
    ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, timeout, IS_DOUBLE, 1, "null")
    ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, copy, _IS_BOOL, 0, "true")
ZEND_END_ARG_INFO()

static PHP_METHOD(Reader, next) {
    double timeout = 0;
    bool is_forever = true, is_copy = true;
    weir_error err;
    ZEND_PARSE_PARAMETERS_START(0, 2)
        Z_PARAM_OPTIONAL
        Z_PARAM_DOUBLE_OR_NULL(timeout, is_forever)
        Z_PARAM_BOOL(is_copy)
    ZEND_PARSE_PARAMETERS_END();
    php_weir_end *end = PHP_WEIR_THIS(php_weir_end);
    int status = reader_next(end, php_weir_nanoseconds(timeout, is_forever), is_copy, return_value, &err);
    if (status != WEIR_OK && status != WEIR_ETIMEOUT && !EG(exception))
        php_weir_throw(&err);
}

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_next_many, 0, 0, IS_ARRAY, 0)
    ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, max, IS_LONG, 0, "Weir\\MANY_MAX")
    ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, timeout, IS_DOUBLE, 1, "null")
ZEND_END_ARG_INFO()

/* Copies of the next messages: waits for the first, and takes those that are there with it. */
static PHP_METHOD(Reader, nextMany) {
    zend_long max = WEIR_MANY_MAX;
    double timeout = 0;
    bool is_forever = true;
    php_weir_wait wait;
    weir_message *messages[WEIR_MANY_MAX];
    size_t count = 0;
    weir_error err;
    int status;
    ZEND_PARSE_PARAMETERS_START(0, 2)
        Z_PARAM_OPTIONAL
        Z_PARAM_LONG(max)
        Z_PARAM_DOUBLE_OR_NULL(timeout, is_forever)
    ZEND_PARSE_PARAMETERS_END();
    php_weir_end *end = PHP_WEIR_THIS(php_weir_end);
    if (max < 1) {
        zend_argument_value_error(1, "must be at least 1");
        return;
    }
    max = max < WEIR_MANY_MAX ? max : WEIR_MANY_MAX;
    php_weir_wait_begin(&wait, php_weir_nanoseconds(timeout, is_forever));
    do {
        end->lent = php_weir_box_recall(end->lent);
        if (!php_weir_end_is_open(end, "reader"))
            return;
        status = weir_reader_next_many(end->as.reader, php_weir_wait_slice(&wait), messages, (size_t)max, &count, &err);
    } while (status == WEIR_ETIMEOUT && php_weir_wait_goes_on(&wait));
    if (status != WEIR_OK && status != WEIR_ETIMEOUT && !EG(exception))
        php_weir_throw(&err);
    array_init_size(return_value, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        zval message;
        if (php_weir_message_new_copy(&message, messages[i]))
            add_next_index_zval(return_value, &message);
    }
    weir_reader_release(end->as.reader);
}

ZEND_BEGIN_ARG_WITH_RETURN_OBJ_INFO_EX(arginfo_latest, 0, 0, Weir\\Message, 1)
    ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, copy, _IS_BOOL, 0, "true")
ZEND_END_ARG_INFO()

/* The newest message, also when it was read before; null when there is none yet. */
static PHP_METHOD(Reader, latest) {
    weir_message *message;
    bool is_copy = true;
    weir_error err;
    ZEND_PARSE_PARAMETERS_START(0, 1)
        Z_PARAM_OPTIONAL
        Z_PARAM_BOOL(is_copy)
    ZEND_PARSE_PARAMETERS_END();
    php_weir_end *end = PHP_WEIR_THIS(php_weir_end);
    end->lent = php_weir_box_recall(end->lent);
    if (!php_weir_end_is_open(end, "reader"))
        return;
    int status = weir_reader_latest(end->as.reader, &message, &err);
    if (status == WEIR_OK) {
        reader_give(end, message, is_copy, return_value);
    } else if (status != WEIR_ENOENT) {
        php_weir_throw(&err);
    }
}

ZEND_BEGIN_ARG_INFO_EX(arginfo_stream, 0, 0, 0)
ZEND_END_ARG_INFO()

/* For stream_select: readable while next(0) may have something. Never to be read from. */
static PHP_METHOD(Reader, stream) {
    int fd;
    weir_error err;
    ZEND_PARSE_PARAMETERS_NONE();
    php_weir_end *end = PHP_WEIR_THIS(php_weir_end);
    if (!php_weir_end_is_open(end, "reader"))
        return;
    if (weir_reader_fd(end->as.reader, &fd, &err) == WEIR_OK)
        php_weir_stream(fd, return_value);
    else
        php_weir_throw(&err);
}

static PHP_METHOD(Reader, gaps) {
    ZEND_PARSE_PARAMETERS_NONE();
    php_weir_end *end = PHP_WEIR_THIS(php_weir_end);
    if (php_weir_end_is_open(end, "reader"))
        RETURN_LONG((zend_long)weir_reader_gaps(end->as.reader));
}

static PHP_METHOD(Reader, close) {
    ZEND_PARSE_PARAMETERS_NONE();
    php_weir_end *end = PHP_WEIR_THIS(php_weir_end);
    end->lent = php_weir_box_recall(end->lent);
    end->as.reader = weir_reader_close(end->as.reader);
}

ZEND_BEGIN_ARG_WITH_RETURN_OBJ_INFO_EX(arginfo_iterator, 0, 0, Iterator, 0)
ZEND_END_ARG_INFO()

static PHP_METHOD(Reader, getIterator) {
    ZEND_PARSE_PARAMETERS_NONE();
    zend_create_internal_iterator_zval(return_value, ZEND_THIS);
}

static const zend_function_entry reader_methods[] = {
    PHP_ME(Reader, __construct, arginfo_construct, ZEND_ACC_PUBLIC)
    PHP_ME(Reader, next, arginfo_next, ZEND_ACC_PUBLIC)
    PHP_ME(Reader, nextMany, arginfo_next_many, ZEND_ACC_PUBLIC)
    PHP_ME(Reader, latest, arginfo_latest, ZEND_ACC_PUBLIC)
    PHP_ME(Reader, stream, arginfo_stream, ZEND_ACC_PUBLIC)
    PHP_ME(Reader, gaps, arginfo_long, ZEND_ACC_PUBLIC)
    PHP_ME(Reader, close, arginfo_void, ZEND_ACC_PUBLIC)
    PHP_ME(Reader, getIterator, arginfo_iterator, ZEND_ACC_PUBLIC)
    PHP_FE_END
};

/* ---- foreach over a reader: its messages by their seq, until the channel is closed ---- */

typedef struct messages {
    zend_object_iterator base; /* base.data is the reader */
    zval current;
} messages;

static void messages_drop(zend_object_iterator *it) {
    messages *m = (messages *)it;
    zval_ptr_dtor(&m->current);
    ZVAL_UNDEF(&m->current);
}

static void messages_free(zend_object_iterator *it) {
    messages_drop(it);
    zval_ptr_dtor(&it->data);
}

static void messages_forward(zend_object_iterator *it) {
    messages *m = (messages *)it;
    weir_error err;
    php_weir_end *end = PHP_WEIR_FROM(php_weir_end, Z_OBJ(it->data));
    messages_drop(it);
    if (!end->as.reader) /* closed inside the loop */
        return;
    int status = reader_next(end, WEIR_FOREVER, true, &m->current, &err);
    if (status != WEIR_OK && status != WEIR_ECLOSED && !EG(exception))
        php_weir_throw(&err);
}

static int messages_valid(zend_object_iterator *it) {
    return Z_ISUNDEF(((messages *)it)->current) ? FAILURE : SUCCESS;
}

static zval *messages_current(zend_object_iterator *it) {
    return &((messages *)it)->current;
}

static void messages_key(zend_object_iterator *it, zval *key) {
    messages *m = (messages *)it;
    ZVAL_LONG(key, (zend_long)weir_message_seq(php_weir_message_of(Z_OBJ(m->current))));
}

static const zend_object_iterator_funcs messages_funcs = {
    .dtor = messages_free,
    .valid = messages_valid,
    .get_current_data = messages_current,
    .get_current_key = messages_key,
    .move_forward = messages_forward,
    .rewind = messages_forward,
    .invalidate_current = messages_drop,
};

static zend_object_iterator *messages_begin(zend_class_entry *ce, zval *reader, int by_ref) {
    if (by_ref) {
        zend_throw_error(NULL, "An iterator cannot be used with foreach by reference");
        return NULL;
    }
    messages *m = emalloc(sizeof(*m));
    zend_iterator_init(&m->base);
    m->base.funcs = &messages_funcs;
    ZVAL_OBJ_COPY(&m->base.data, Z_OBJ_P(reader));
    ZVAL_UNDEF(&m->current);
    return &m->base;
}

void php_weir_channel_register(void) {
    zend_class_entry ce;
    INIT_NS_CLASS_ENTRY(ce, "Weir", "Writer", writer_methods);
    ce_writer = php_weir_end_register(&ce, &writer_handlers, writer_free);
    ce_writer->create_object = writer_create;
    INIT_NS_CLASS_ENTRY(ce, "Weir", "Reader", reader_methods);
    php_weir_ce_reader = php_weir_end_register(&ce, &reader_handlers, reader_free);
    php_weir_ce_reader->create_object = reader_create;
    php_weir_ce_reader->get_iterator = messages_begin;
    zend_class_implements(php_weir_ce_reader, 1, zend_ce_aggregate);
}
