/* The functions of namespace Weir: the latest value, codecs, the directory, waiting on many. */
#include "php_weir.h"

/* Weir\get: the latest message without opening a reader, which is what a web page wants. */
static void get_checked(const char *address, double age_max, bool has_age_max, zval *ret) {
    weir_message *message;
    weir_error err;
    zval found, age;
    if (weir_latest(address, &message, &err) != WEIR_OK) {
        php_weir_throw(&err);
        return;
    }
    php_weir_message_new(&found, message);
    const zval *seconds = zend_read_property(php_weir_ce_message, Z_OBJ(found), ZEND_STRL("age"), 1, &age);
    if (has_age_max && Z_TYPE_P(seconds) != IS_DOUBLE)
        php_weir_throw_stale(&found, "%s: the latest message has no time; its writer should not say stamp=0", address);
    else if (has_age_max && Z_DVAL_P(seconds) > age_max)
        php_weir_throw_stale(&found, "%s: the latest message is %.3f s old, you asked for at most %.3f s; is its "
                             "writer running?", address, Z_DVAL_P(seconds), age_max);
    else
        ZVAL_COPY(ret, &found);
    zval_ptr_dtor(&found);
}

ZEND_BEGIN_ARG_WITH_RETURN_OBJ_INFO_EX(arginfo_get, 0, 1, Weir\\Message, 0)
    ZEND_ARG_TYPE_INFO(0, address, IS_STRING, 0)
    ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, maxAge, IS_DOUBLE, 1, "null")
ZEND_END_ARG_INFO()

static PHP_FUNCTION(weir_get) {
    zend_string *address;
    double age_max = 0;
    bool is_any_age = true;
    ZEND_PARSE_PARAMETERS_START(1, 2)
        Z_PARAM_PATH_STR(address)
        Z_PARAM_OPTIONAL
        Z_PARAM_DOUBLE_OR_NULL(age_max, is_any_age)
    ZEND_PARSE_PARAMETERS_END();
    get_checked(ZSTR_VAL(address), age_max, !is_any_age, return_value);
}

/* ---- codecs ---- */

static bool codec_find(const zend_string *name, int *ret) {
    weir_error err;
    if (weir_codec_find(ZSTR_VAL(name), ret, &err) == WEIR_OK)
        return true;
    php_weir_throw(&err);
    return false;
}

static weir_doc *doc_new(void) {
    weir_doc *doc;
    if (weir_doc_new(&doc) == WEIR_OK)
        return doc;
    php_weir_throw_text(WEIR_ENOMEM, "out of memory for a document");
    return NULL;
}

static bool decode(weir_doc *doc, int codec, const zend_string *bytes, zend_long flags, const weir_value **ret) {
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    weir_error err;
    options.flags = (uint32_t)flags & WEIR_STRICT;
    if (weir_decode(doc, codec, ZSTR_VAL(bytes), ZSTR_LEN(bytes), &options, NULL, &err) == WEIR_OK) {
        *ret = weir_doc_root(doc);
        return true;
    }
    php_weir_throw(&err);
    return false;
}

static void encode(const weir_value *value, int codec, zend_long flags, zval *ret) {
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    weir_buffer *out;
    weir_error err;
    options.flags = (uint32_t)flags & ~(uint32_t)WEIR_SEQUENCE;
    if (weir_buffer_new(&out) != WEIR_OK) {
        php_weir_throw_text(WEIR_ENOMEM, "out of memory for encoding");
        return;
    }
    if (weir_encode(value, codec, &options, out, &err) == WEIR_OK)
        ZVAL_STRINGL(ret, weir_buffer_view(out).data, weir_buffer_view(out).size);
    else
        php_weir_throw(&err);
    weir_buffer_free(out);
}

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_decode, 0, 1, IS_MIXED, 0)
    ZEND_ARG_TYPE_INFO(0, bytes, IS_STRING, 0)
    ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, codec, IS_STRING, 0, "'cbor'")
    ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, flags, IS_LONG, 0, "0")
ZEND_END_ARG_INFO()

static PHP_FUNCTION(weir_decode) {
    zend_string *bytes, *name = NULL;
    zend_long flags = 0;
    int codec = WEIR_CODEC_CBOR;
    const weir_value *root;
    ZEND_PARSE_PARAMETERS_START(1, 3)
        Z_PARAM_STR(bytes)
        Z_PARAM_OPTIONAL
        Z_PARAM_PATH_STR(name)
        Z_PARAM_LONG(flags)
    ZEND_PARSE_PARAMETERS_END();
    if (name && !codec_find(name, &codec))
        return;
    weir_doc *doc = doc_new();
    if (doc && decode(doc, codec, bytes, flags, &root))
        php_weir_to_php(root, NULL, return_value);
    weir_doc_free(doc);
}

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_encode, 0, 1, IS_STRING, 0)
    ZEND_ARG_TYPE_INFO(0, value, IS_MIXED, 0)
    ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, codec, IS_STRING, 0, "'cbor'")
    ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, flags, IS_LONG, 0, "0")
ZEND_END_ARG_INFO()

static PHP_FUNCTION(weir_encode) {
    zval *value;
    zend_string *name = NULL;
    zend_long flags = 0;
    int codec = WEIR_CODEC_CBOR;
    const weir_value *root;
    ZEND_PARSE_PARAMETERS_START(1, 3)
        Z_PARAM_ZVAL(value)
        Z_PARAM_OPTIONAL
        Z_PARAM_PATH_STR(name)
        Z_PARAM_LONG(flags)
    ZEND_PARSE_PARAMETERS_END();
    if (name && !codec_find(name, &codec))
        return;
    weir_doc *doc = doc_new();
    if (doc && php_weir_build(doc, value, &root))
        encode(root, codec, flags, return_value);
    weir_doc_free(doc);
}

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_convert, 0, 3, IS_STRING, 0)
    ZEND_ARG_TYPE_INFO(0, bytes, IS_STRING, 0)
    ZEND_ARG_TYPE_INFO(0, from, IS_STRING, 0)
    ZEND_ARG_TYPE_INFO(0, to, IS_STRING, 0)
    ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, flags, IS_LONG, 0, "0")
ZEND_END_ARG_INFO()

static PHP_FUNCTION(weir_convert) {
    zend_string *bytes, *from_name, *to_name;
    zend_long flags = 0;
    int from, to;
    const weir_value *root;
    ZEND_PARSE_PARAMETERS_START(3, 4)
        Z_PARAM_STR(bytes)
        Z_PARAM_PATH_STR(from_name)
        Z_PARAM_PATH_STR(to_name)
        Z_PARAM_OPTIONAL
        Z_PARAM_LONG(flags)
    ZEND_PARSE_PARAMETERS_END();
    if (!codec_find(from_name, &from) || !codec_find(to_name, &to))
        return;
    weir_doc *doc = doc_new();
    if (doc && decode(doc, from, bytes, flags, &root))
        encode(root, to, flags, return_value);
    weir_doc_free(doc);
}

/* ---- the directory ---- */

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_directory, 0, 0, IS_ARRAY, 0)
ZEND_END_ARG_INFO()

static PHP_FUNCTION(weir_directory) {
    weir_error err;
    ZEND_PARSE_PARAMETERS_NONE();
    weir_doc *doc = doc_new();
    if (doc && weir_directory_list(doc, &err) == WEIR_OK)
        php_weir_to_php(weir_doc_root(doc), NULL, return_value);
    else if (doc)
        php_weir_throw(&err);
    weir_doc_free(doc);
}

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_info, 0, 1, IS_ARRAY, 0)
    ZEND_ARG_TYPE_INFO(0, address, IS_STRING, 0)
ZEND_END_ARG_INFO()

static PHP_FUNCTION(weir_info) {
    zend_string *address;
    weir_error err;
    ZEND_PARSE_PARAMETERS_START(1, 1)
        Z_PARAM_PATH_STR(address)
    ZEND_PARSE_PARAMETERS_END();
    weir_doc *doc = doc_new();
    if (doc && weir_channel_info(ZSTR_VAL(address), doc, &err) == WEIR_OK)
        php_weir_to_php(weir_doc_root(doc), NULL, return_value);
    else if (doc)
        php_weir_throw(&err);
    weir_doc_free(doc);
}

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_remove, 0, 1, IS_ARRAY, 0)
    ZEND_ARG_TYPE_INFO(0, address, IS_STRING, 0)
    ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, dryRun, _IS_BOOL, 0, "false")
ZEND_END_ARG_INFO()

static PHP_FUNCTION(weir_remove) {
    zend_string *address;
    bool is_dry_run = false;
    weir_error err;
    ZEND_PARSE_PARAMETERS_START(1, 2)
        Z_PARAM_PATH_STR(address)
        Z_PARAM_OPTIONAL
        Z_PARAM_BOOL(is_dry_run)
    ZEND_PARSE_PARAMETERS_END();
    weir_doc *doc = doc_new();
    if (doc && weir_channel_remove(ZSTR_VAL(address), doc, is_dry_run, &err) == WEIR_OK)
        php_weir_to_php(weir_doc_root(doc), NULL, return_value);
    else if (doc)
        php_weir_throw(&err);
    weir_doc_free(doc);
}

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_clean, 0, 0, IS_ARRAY, 0)
    ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, dryRun, _IS_BOOL, 0, "false")
ZEND_END_ARG_INFO()

static PHP_FUNCTION(weir_clean) {
    bool is_dry_run = false;
    weir_error err;
    ZEND_PARSE_PARAMETERS_START(0, 1)
        Z_PARAM_OPTIONAL
        Z_PARAM_BOOL(is_dry_run)
    ZEND_PARSE_PARAMETERS_END();
    weir_doc *doc = doc_new();
    if (doc && weir_directory_clean(doc, is_dry_run, &err) == WEIR_OK)
        php_weir_to_php(weir_doc_root(doc), NULL, return_value);
    else if (doc)
        php_weir_throw(&err);
    weir_doc_free(doc);
}

/* ---- waiting on many ---- */

static bool item_set(weir_wait_item *item, zval *end) {
    php_stream *stream;
    *item = (weir_wait_item){.fd = -1};
    ZVAL_DEREF(end);
    if (Z_TYPE_P(end) == IS_OBJECT && instanceof_function(Z_OBJCE_P(end), php_weir_ce_reader)) {
        php_weir_end *reader = PHP_WEIR_FROM(php_weir_end, Z_OBJ_P(end));
        reader->lent = php_weir_box_recall(reader->lent); /* waiting is a call of it, too */
        item->reader = reader->as.reader;
        return php_weir_end_is_open(reader, "reader");
    }
    if (Z_TYPE_P(end) == IS_OBJECT && instanceof_function(Z_OBJCE_P(end), php_weir_ce_server)) {
        item->server = PHP_WEIR_FROM(php_weir_end, Z_OBJ_P(end))->as.server;
        return php_weir_end_is_open(PHP_WEIR_FROM(php_weir_end, Z_OBJ_P(end)), "server");
    }
    if (Z_TYPE_P(end) == IS_RESOURCE) {
        php_stream_from_zval_no_verify(stream, end);
        int as_descriptor = PHP_STREAM_AS_FD_FOR_SELECT | PHP_STREAM_CAST_INTERNAL;
        if (stream && php_stream_cast(stream, as_descriptor, (void *)&item->fd, 0) == SUCCESS)
            return true;
    }
    zend_argument_type_error(1, "must hold readers, servers and streams");
    return false;
}

/* Set anew before each slice: a handler that ran in between may have closed an end. */
static bool items_set(weir_wait_item *items, HashTable *ends) {
    size_t count = 0;
    zval *end;
    ZEND_HASH_FOREACH_VAL(ends, end)
        if (!item_set(&items[count++], end))
            return false;
    ZEND_HASH_FOREACH_END();
    return true;
}

/* The keys of the ready ends, in the order of @ends. */
static void ready_keys(const weir_wait_item *items, HashTable *ends, zval *ret) {
    zend_ulong index;
    zend_string *key;
    zval *end, name;
    array_init(ret);
    ZEND_HASH_FOREACH_KEY_VAL(ends, index, key, end)
        (void)end;
        if ((items++)->is_ready) {
            if (key)
                ZVAL_STR_COPY(&name, key);
            else
                ZVAL_LONG(&name, (zend_long)index);
            zend_hash_next_index_insert(Z_ARRVAL_P(ret), &name);
        }
    ZEND_HASH_FOREACH_END();
}

static void wait_many(HashTable *ends, int64_t timeout_ns, zval *ret) {
    php_weir_wait wait;
    weir_error err;
    int status = WEIR_ETIMEOUT;
    uint32_t count = zend_hash_num_elements(ends);
    weir_wait_item *items = safe_emalloc(count, sizeof(*items), 1);
    php_weir_wait_begin(&wait, timeout_ns);
    do {
        if (!items_set(items, ends))
            break;
        status = weir_wait(items, count, php_weir_wait_slice(&wait), &err);
    } while (status == WEIR_ETIMEOUT && php_weir_wait_goes_on(&wait));
    if (status != WEIR_OK && status != WEIR_ETIMEOUT && !EG(exception))
        php_weir_throw(&err);
    else if (!EG(exception))
        ready_keys(items, ends, ret);
    efree(items);
}

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_wait, 0, 1, IS_ARRAY, 0)
    ZEND_ARG_TYPE_INFO(0, ends, IS_ARRAY, 0)
    ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, timeout, IS_DOUBLE, 1, "null")
ZEND_END_ARG_INFO()

/* Weir\wait: the keys of the readers, servers and streams that have something to do; none when none had in time. */
static PHP_FUNCTION(weir_wait) {
    HashTable *ends;
    double timeout = 0;
    bool is_forever = true;
    ZEND_PARSE_PARAMETERS_START(1, 2)
        Z_PARAM_ARRAY_HT(ends)
        Z_PARAM_OPTIONAL
        Z_PARAM_DOUBLE_OR_NULL(timeout, is_forever)
    ZEND_PARSE_PARAMETERS_END();
    wait_many(ends, php_weir_nanoseconds(timeout, is_forever), return_value);
}

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_version, 0, 0, IS_STRING, 0)
ZEND_END_ARG_INFO()

static PHP_FUNCTION(weir_version) {
    ZEND_PARSE_PARAMETERS_NONE();
    RETURN_STRING(weir_version());
}

const zend_function_entry php_weir_functions[] = {
    ZEND_NS_NAMED_FE("Weir", get, ZEND_FN(weir_get), arginfo_get)
    ZEND_NS_NAMED_FE("Weir", decode, ZEND_FN(weir_decode), arginfo_decode)
    ZEND_NS_NAMED_FE("Weir", encode, ZEND_FN(weir_encode), arginfo_encode)
    ZEND_NS_NAMED_FE("Weir", convert, ZEND_FN(weir_convert), arginfo_convert)
    ZEND_NS_NAMED_FE("Weir", directory, ZEND_FN(weir_directory), arginfo_directory)
    ZEND_NS_NAMED_FE("Weir", info, ZEND_FN(weir_info), arginfo_info)
    ZEND_NS_NAMED_FE("Weir", remove, ZEND_FN(weir_remove), arginfo_remove)
    ZEND_NS_NAMED_FE("Weir", clean, ZEND_FN(weir_clean), arginfo_clean)
    ZEND_NS_NAMED_FE("Weir", wait, ZEND_FN(weir_wait), arginfo_wait)
    ZEND_NS_NAMED_FE("Weir", version, ZEND_FN(weir_version), arginfo_version)
    PHP_FE_END
};
