/* Weir\Client and Weir\Server. A call is made in its two halves, so that the wait for the reply can be sliced; one that
 * ends without its reply is taken back, so that nothing of it comes later. Ids are 64 bits in PHP's int, which shows
 * those from 2^63 on below zero. */
#include "php_weir.h"

static const double CALL_SECONDS = 10;

static zend_class_entry *ce_client;
zend_class_entry *php_weir_ce_server;
static zend_object_handlers client_handlers, server_handlers;

ZEND_BEGIN_ARG_INFO_EX(arginfo_construct, 0, 0, 1)
    ZEND_ARG_TYPE_INFO(0, address, IS_STRING, 0)
ZEND_END_ARG_INFO()
ZEND_BEGIN_ARG_INFO_EX(arginfo_stream, 0, 0, 0)
ZEND_END_ARG_INFO()
ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_void, 0, 0, IS_VOID, 0)
ZEND_END_ARG_INFO()
ZEND_BEGIN_ARG_WITH_RETURN_OBJ_INFO_EX(arginfo_next, 0, 0, Weir\\Message, 1)
    ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, timeout, IS_DOUBLE, 1, "null")
ZEND_END_ARG_INFO()

/* ---- Client ---- */

static zend_object *client_create(zend_class_entry *ce) {
    return &php_weir_end_make(ce, &client_handlers)->std;
}

static void client_free(zend_object *object) {
    php_weir_end *end = PHP_WEIR_FROM(php_weir_end, object);
    end->as.client = weir_client_close(end->as.client);
    php_weir_end_fini(end);
}

static PHP_METHOD(Client, __construct) {
    zend_string *address;
    weir_error err;
    ZEND_PARSE_PARAMETERS_START(1, 1)
        Z_PARAM_PATH_STR(address)
    ZEND_PARSE_PARAMETERS_END();
    php_weir_end *end = PHP_WEIR_THIS(php_weir_end);
    if (end->as.client)
        zend_throw_error(NULL, "The client is open already");
    else if (weir_client_open(ZSTR_VAL(address), &end->as.client, &err) != WEIR_OK)
        php_weir_throw(&err);
}

/* False with an exception thrown. */
static bool client_send(php_weir_end *end, const zend_string *op, zval *data, HashTable *meta, uint64_t *ret_id) {
    const weir_value *data_value, *meta_value;
    weir_error err;
    if (!php_weir_end_is_open(end, "client") || !php_weir_end_values(end, data, meta, &data_value, &meta_value) ||
        !php_weir_end_is_open(end, "client"))
        return false;
    if (weir_client_send(end->as.client, ZSTR_VAL(op), meta_value, data_value, &err) == WEIR_OK) {
        *ret_id = weir_client_id(end->as.client);
        return true;
    }
    php_weir_throw(&err);
    return false;
}

/* The reply to @id, or to any request for 0. The library's status; WEIR_OK sets *ret unless an exception was thrown. */
static int client_receive(php_weir_end *end, uint64_t id, int64_t timeout_ns, zval *ret, weir_error *err) {
    php_weir_wait wait;
    weir_message *reply;
    int status;
    php_weir_wait_begin(&wait, timeout_ns);
    do {
        if (!php_weir_end_is_open(end, "client"))
            return WEIR_ECLOSED;
        int64_t slice_ns = php_weir_wait_slice(&wait);
        status = id ? weir_client_receive_id(end->as.client, id, slice_ns, &reply, err)
                    : weir_client_receive(end->as.client, slice_ns, &reply, err);
    } while (status == WEIR_ETIMEOUT && php_weir_wait_goes_on(&wait));
    if (status == WEIR_OK)
        php_weir_message_new_copy(ret, reply);
    return status;
}

ZEND_BEGIN_ARG_WITH_RETURN_OBJ_INFO_EX(arginfo_call, 0, 1, Weir\\Message, 0)
    ZEND_ARG_TYPE_INFO(0, op, IS_STRING, 0)
    ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, data, IS_MIXED, 1, "null")
    ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, timeout, IS_DOUBLE, 1, "10.0")
    ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, meta, IS_ARRAY, 1, "null")
ZEND_END_ARG_INFO()

static PHP_METHOD(Client, call) {
    zend_string *op;
    zval *data = NULL;
    double timeout = CALL_SECONDS;
    bool is_forever = false;
    HashTable *meta = NULL;
    uint64_t id;
    weir_error err;
    ZEND_PARSE_PARAMETERS_START(1, 4)
        Z_PARAM_PATH_STR(op)
        Z_PARAM_OPTIONAL
        Z_PARAM_ZVAL(data)
        Z_PARAM_DOUBLE_OR_NULL(timeout, is_forever)
        Z_PARAM_ARRAY_HT_OR_NULL(meta)
    ZEND_PARSE_PARAMETERS_END();
    php_weir_end *end = PHP_WEIR_THIS(php_weir_end);
    if (!client_send(end, op, data, meta, &id))
        return;
    int status = client_receive(end, id, php_weir_nanoseconds(timeout, is_forever), return_value, &err);
    if (status != WEIR_OK && end->as.client)
        weir_client_cancel(end->as.client, id, NULL); /* refused when the request has ended */
    if (status != WEIR_OK && !EG(exception))
        php_weir_throw_for(&err, id);
}

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_send, 0, 1, IS_LONG, 0)
    ZEND_ARG_TYPE_INFO(0, op, IS_STRING, 0)
    ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, data, IS_MIXED, 1, "null")
    ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, meta, IS_ARRAY, 1, "null")
ZEND_END_ARG_INFO()

/* Ask and go on; the request's id. */
static PHP_METHOD(Client, send) {
    zend_string *op;
    zval *data = NULL;
    HashTable *meta = NULL;
    uint64_t id;
    ZEND_PARSE_PARAMETERS_START(1, 3)
        Z_PARAM_PATH_STR(op)
        Z_PARAM_OPTIONAL
        Z_PARAM_ZVAL(data)
        Z_PARAM_ARRAY_HT_OR_NULL(meta)
    ZEND_PARSE_PARAMETERS_END();
    if (client_send(PHP_WEIR_THIS(php_weir_end), op, data, meta, &id))
        RETURN_LONG((zend_long)id);
}

ZEND_BEGIN_ARG_WITH_RETURN_OBJ_INFO_EX(arginfo_receive, 0, 0, Weir\\Message, 1)
    ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, timeout, IS_DOUBLE, 1, "null")
    ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, id, IS_LONG, 1, "null")
ZEND_END_ARG_INFO()

/* The next reply, to any request or to that one: null when it has not come in time, and then may be asked again. */
static PHP_METHOD(Client, receive) {
    double timeout = 0;
    bool is_forever = true, is_any = true;
    zend_long id = 0;
    weir_error err;
    ZEND_PARSE_PARAMETERS_START(0, 2)
        Z_PARAM_OPTIONAL
        Z_PARAM_DOUBLE_OR_NULL(timeout, is_forever)
        Z_PARAM_LONG_OR_NULL(id, is_any)
    ZEND_PARSE_PARAMETERS_END();
    php_weir_end *end = PHP_WEIR_THIS(php_weir_end);
    if (!is_any && id == 0) {
        zend_argument_value_error(2, "must be what send() returned");
        return;
    }
    int status = client_receive(end, (uint64_t)id, php_weir_nanoseconds(timeout, is_forever), return_value, &err);
    if (status != WEIR_OK && status != WEIR_ETIMEOUT && !EG(exception))
        php_weir_throw_for(&err, weir_client_id(end->as.client));
}

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_cancel, 0, 1, IS_VOID, 0)
    ZEND_ARG_TYPE_INFO(0, id, IS_LONG, 0)
ZEND_END_ARG_INFO()

/* Take a request back; the server is told. */
static PHP_METHOD(Client, cancel) {
    zend_long id;
    weir_error err;
    ZEND_PARSE_PARAMETERS_START(1, 1)
        Z_PARAM_LONG(id)
    ZEND_PARSE_PARAMETERS_END();
    php_weir_end *end = PHP_WEIR_THIS(php_weir_end);
    if (php_weir_end_is_open(end, "client") && weir_client_cancel(end->as.client, (uint64_t)id, &err) != WEIR_OK)
        php_weir_throw(&err);
}

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_under_way, 0, 0, IS_LONG, 0)
ZEND_END_ARG_INFO()

static PHP_METHOD(Client, underWay) {
    ZEND_PARSE_PARAMETERS_NONE();
    php_weir_end *end = PHP_WEIR_THIS(php_weir_end);
    if (php_weir_end_is_open(end, "client"))
        RETURN_LONG(weir_client_under_way(end->as.client));
}

static PHP_METHOD(Client, stream) {
    int fd;
    weir_error err;
    ZEND_PARSE_PARAMETERS_NONE();
    php_weir_end *end = PHP_WEIR_THIS(php_weir_end);
    if (!php_weir_end_is_open(end, "client"))
        return;
    if (weir_client_fd(end->as.client, &fd, &err) == WEIR_OK)
        php_weir_stream(fd, return_value);
    else
        php_weir_throw(&err);
}

static PHP_METHOD(Client, close) {
    ZEND_PARSE_PARAMETERS_NONE();
    php_weir_end *end = PHP_WEIR_THIS(php_weir_end);
    end->as.client = weir_client_close(end->as.client);
}

static const zend_function_entry client_methods[] = {
    PHP_ME(Client, __construct, arginfo_construct, ZEND_ACC_PUBLIC)
    PHP_ME(Client, call, arginfo_call, ZEND_ACC_PUBLIC)
    PHP_ME(Client, send, arginfo_send, ZEND_ACC_PUBLIC)
    PHP_ME(Client, receive, arginfo_receive, ZEND_ACC_PUBLIC)
    PHP_ME(Client, cancel, arginfo_cancel, ZEND_ACC_PUBLIC)
    PHP_ME(Client, underWay, arginfo_under_way, ZEND_ACC_PUBLIC)
    PHP_ME(Client, stream, arginfo_stream, ZEND_ACC_PUBLIC)
    PHP_ME(Client, close, arginfo_void, ZEND_ACC_PUBLIC)
    PHP_FE_END
};

/* ---- Server ---- */

static zend_object *server_create(zend_class_entry *ce) {
    return &php_weir_end_make(ce, &server_handlers)->std;
}

static void server_free(zend_object *object) {
    php_weir_end *end = PHP_WEIR_FROM(php_weir_end, object);
    end->as.server = weir_server_close(end->as.server);
    php_weir_end_fini(end);
}

static PHP_METHOD(Server, __construct) {
    zend_string *address;
    weir_error err;
    ZEND_PARSE_PARAMETERS_START(1, 1)
        Z_PARAM_PATH_STR(address)
    ZEND_PARSE_PARAMETERS_END();
    php_weir_end *end = PHP_WEIR_THIS(php_weir_end);
    if (end->as.server)
        zend_throw_error(NULL, "The server is open already");
    else if (weir_server_open(ZSTR_VAL(address), &end->as.server, &err) != WEIR_OK)
        php_weir_throw(&err);
}

/* The next request as a Weir\Message, or null when none came in time. False with an exception thrown. */
static bool server_next(php_weir_end *end, int64_t timeout_ns, zval *ret) {
    php_weir_wait wait;
    weir_message *request;
    weir_error err;
    int status;
    ZVAL_NULL(ret);
    php_weir_wait_begin(&wait, timeout_ns);
    do {
        if (!php_weir_end_is_open(end, "server"))
            return false;
        status = weir_server_next(end->as.server, php_weir_wait_slice(&wait), &request, &err);
    } while (status == WEIR_ETIMEOUT && php_weir_wait_goes_on(&wait));
    if (EG(exception))
        return false;
    if (status == WEIR_OK)
        return php_weir_message_new_copy(ret, request);
    if (status != WEIR_ETIMEOUT)
        php_weir_throw(&err);
    return status == WEIR_ETIMEOUT;
}

static bool server_reply(php_weir_end *end, zval *request, zval *data, HashTable *meta) {
    const weir_value *data_value, *meta_value;
    weir_error err;
    if (!php_weir_end_is_open(end, "server") || !php_weir_end_values(end, data, meta, &data_value, &meta_value) ||
        !php_weir_end_is_open(end, "server"))
        return false;
    const weir_message *message = php_weir_message_of(Z_OBJ_P(request));
    if (!message)
        return false;
    if (weir_server_reply(end->as.server, message, meta_value, data_value, &err) == WEIR_OK)
        return true;
    php_weir_throw(&err);
    return false;
}

static bool server_fail(php_weir_end *end, zval *request, zend_long code, const char *sentence) {
    weir_error err;
    if (!php_weir_end_is_open(end, "server"))
        return false;
    const weir_message *message = php_weir_message_of(Z_OBJ_P(request));
    if (!message)
        return false;
    if (weir_server_fail(end->as.server, message, (int)code, sentence, &err) == WEIR_OK)
        return true;
    php_weir_throw(&err);
    return false;
}

static PHP_METHOD(Server, next) {
    double timeout = 0;
    bool is_forever = true;
    ZEND_PARSE_PARAMETERS_START(0, 1)
        Z_PARAM_OPTIONAL
        Z_PARAM_DOUBLE_OR_NULL(timeout, is_forever)
    ZEND_PARSE_PARAMETERS_END();
    server_next(PHP_WEIR_THIS(php_weir_end), php_weir_nanoseconds(timeout, is_forever), return_value);
}

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_reply, 0, 1, IS_VOID, 0)
    ZEND_ARG_OBJ_INFO(0, request, Weir\\Message, 0)
    ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, data, IS_MIXED, 1, "null")
    ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, meta, IS_ARRAY, 1, "null")
ZEND_END_ARG_INFO()

static PHP_METHOD(Server, reply) {
    zval *request, *data = NULL;
    HashTable *meta = NULL;
    ZEND_PARSE_PARAMETERS_START(1, 3)
        Z_PARAM_OBJECT_OF_CLASS(request, php_weir_ce_message)
        Z_PARAM_OPTIONAL
        Z_PARAM_ZVAL(data)
        Z_PARAM_ARRAY_HT_OR_NULL(meta)
    ZEND_PARSE_PARAMETERS_END();
    server_reply(PHP_WEIR_THIS(php_weir_end), request, data, meta);
}

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_fail, 0, 3, IS_VOID, 0)
    ZEND_ARG_OBJ_INFO(0, request, Weir\\Message, 0)
    ZEND_ARG_TYPE_INFO(0, code, IS_LONG, 0)
    ZEND_ARG_TYPE_INFO(0, sentence, IS_STRING, 0)
ZEND_END_ARG_INFO()

static PHP_METHOD(Server, fail) {
    zval *request;
    zend_long code;
    zend_string *sentence;
    ZEND_PARSE_PARAMETERS_START(3, 3)
        Z_PARAM_OBJECT_OF_CLASS(request, php_weir_ce_message)
        Z_PARAM_LONG(code)
        Z_PARAM_PATH_STR(sentence)
    ZEND_PARSE_PARAMETERS_END();
    if (code < INT32_MIN || code > INT32_MAX)
        zend_argument_value_error(2, "must fit 32 bits");
    else
        server_fail(PHP_WEIR_THIS(php_weir_end), request, code, ZSTR_VAL(sentence));
}

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_is_cancelled, 0, 1, _IS_BOOL, 0)
    ZEND_ARG_OBJ_INFO(0, request, Weir\\Message, 0)
ZEND_END_ARG_INFO()

/* Has the client taken the request back, or given up? */
static PHP_METHOD(Server, isCancelled) {
    zval *request;
    ZEND_PARSE_PARAMETERS_START(1, 1)
        Z_PARAM_OBJECT_OF_CLASS(request, php_weir_ce_message)
    ZEND_PARSE_PARAMETERS_END();
    php_weir_end *end = PHP_WEIR_THIS(php_weir_end);
    const weir_message *message =
        php_weir_end_is_open(end, "server") ? php_weir_message_of(Z_OBJ_P(request)) : NULL;
    if (message)
        RETURN_BOOL(weir_server_is_cancelled(end->as.server, message));
}

/* What a handler threw becomes the answer: its code where it has one, and its message. exit() stays what it is. */
static bool exception_answer(php_weir_end *end, zval *request) {
    zend_object *thrown = EG(exception);
    zval code_room, text_room;
    if (zend_is_unwind_exit(thrown) || zend_is_graceful_exit(thrown))
        return false;
    GC_ADDREF(thrown);
    zend_clear_exception();
    zend_class_entry *base = instanceof_function(thrown->ce, zend_ce_exception) ? zend_ce_exception : zend_ce_error;
    zval *code = zend_read_property(base, thrown, ZEND_STRL("code"), 1, &code_room);
    zend_string *text = zval_get_string(zend_read_property(base, thrown, ZEND_STRL("message"), 1, &text_room));
    zend_long number = Z_TYPE_P(code) == IS_LONG && Z_LVAL_P(code) == (int)Z_LVAL_P(code) ? Z_LVAL_P(code) : 0;
    bool is_sent = server_fail(end, request, number ? number : -1, ZSTR_VAL(text));
    zend_string_release(text);
    OBJ_RELEASE(thrown);
    return is_sent;
}

static bool request_answer(php_weir_end *end, zend_fcall_info *info, zend_fcall_info_cache *cache, zval *request) {
    zval result;
    ZVAL_UNDEF(&result);
    info->retval = &result;
    info->params = request;
    info->param_count = 1;
    bool is_sent = zend_call_function(info, cache) == SUCCESS && !EG(exception);
    if (is_sent)
        is_sent = server_reply(end, request, &result, NULL);
    zval_ptr_dtor(&result);
    if (EG(exception))
        return exception_answer(end, request);
    return is_sent;
}

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_serve, 0, 1, IS_LONG, 0)
    ZEND_ARG_TYPE_INFO(0, handler, IS_CALLABLE, 0)
    ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, timeout, IS_DOUBLE, 1, "null")
ZEND_END_ARG_INFO()

/* Answer requests with what handler(Message): mixed returns, until none came for $timeout. Returns how many were
 * answered. */
static PHP_METHOD(Server, serve) {
    zend_fcall_info info;
    zend_fcall_info_cache cache;
    double timeout = 0;
    bool is_forever = true;
    zend_long count = 0;
    zval request;
    ZEND_PARSE_PARAMETERS_START(1, 2)
        Z_PARAM_FUNC(info, cache)
        Z_PARAM_OPTIONAL
        Z_PARAM_DOUBLE_OR_NULL(timeout, is_forever)
    ZEND_PARSE_PARAMETERS_END();
    php_weir_end *end = PHP_WEIR_THIS(php_weir_end);
    while (server_next(end, php_weir_nanoseconds(timeout, is_forever), &request) && Z_TYPE(request) == IS_OBJECT) {
        bool is_answered = request_answer(end, &info, &cache, &request);
        zval_ptr_dtor(&request);
        if (!is_answered)
            return;
        count++;
    }
    RETURN_LONG(count);
}

static PHP_METHOD(Server, stream) {
    int fd;
    weir_error err;
    ZEND_PARSE_PARAMETERS_NONE();
    php_weir_end *end = PHP_WEIR_THIS(php_weir_end);
    if (!php_weir_end_is_open(end, "server"))
        return;
    if (weir_server_fd(end->as.server, &fd, &err) == WEIR_OK)
        php_weir_stream(fd, return_value);
    else
        php_weir_throw(&err);
}

static PHP_METHOD(Server, close) {
    ZEND_PARSE_PARAMETERS_NONE();
    php_weir_end *end = PHP_WEIR_THIS(php_weir_end);
    end->as.server = weir_server_close(end->as.server);
}

static const zend_function_entry server_methods[] = {
    PHP_ME(Server, __construct, arginfo_construct, ZEND_ACC_PUBLIC)
    PHP_ME(Server, next, arginfo_next, ZEND_ACC_PUBLIC)
    PHP_ME(Server, reply, arginfo_reply, ZEND_ACC_PUBLIC)
    PHP_ME(Server, fail, arginfo_fail, ZEND_ACC_PUBLIC)
    PHP_ME(Server, isCancelled, arginfo_is_cancelled, ZEND_ACC_PUBLIC)
    PHP_ME(Server, serve, arginfo_serve, ZEND_ACC_PUBLIC)
    PHP_ME(Server, stream, arginfo_stream, ZEND_ACC_PUBLIC)
    PHP_ME(Server, close, arginfo_void, ZEND_ACC_PUBLIC)
    PHP_FE_END
};

void php_weir_call_register(void) {
    zend_class_entry ce;
    INIT_NS_CLASS_ENTRY(ce, "Weir", "Client", client_methods);
    ce_client = php_weir_end_register(&ce, &client_handlers, client_free);
    ce_client->create_object = client_create;
    INIT_NS_CLASS_ENTRY(ce, "Weir", "Server", server_methods);
    php_weir_ce_server = php_weir_end_register(&ce, &server_handlers, server_free);
    php_weir_ce_server->create_object = server_create;
}
