/* Weir\Message: a copy of a message, so that it may be kept, or one that its reader lends until its next call; its
 * properties are read from it when they are asked for.
 * Data and meta are converted once, at the first look; a page that passes ->json() on converts nothing. */
#include "php_weir.h"

#include <ext/json/php_json.h>
#include <time.h>

zend_class_entry *php_weir_ce_message;
static zend_object_handlers handlers;

typedef struct php_weir_copy {
    php_weir_box *box; /* NULL only in an object that nobody can reach */
    zval data, meta;   /* IS_UNDEF until converted */
    zend_object std;
} php_weir_copy;

static php_weir_copy *copy_of(zend_object *object) {
    return PHP_WEIR_FROM(php_weir_copy, object);
}

weir_message *php_weir_message_of(zend_object *object) {
    php_weir_box *box = copy_of(object)->box;
    return php_weir_box_is_there(box) ? box->message : NULL;
}

static zend_object *message_create(zend_class_entry *ce) {
    php_weir_copy *m = zend_object_alloc(sizeof(*m), ce);
    m->box = NULL;
    ZVAL_UNDEF(&m->data);
    ZVAL_UNDEF(&m->meta);
    zend_object_std_init(&m->std, ce);
    m->std.handlers = &handlers;
    return &m->std;
}

static void message_free(zend_object *object) {
    php_weir_copy *m = copy_of(object);
    zval_ptr_dtor(&m->data);
    zval_ptr_dtor(&m->meta);
    php_weir_box_drop(m->box);
    zend_object_std_dtor(object);
}

static HashTable *message_gc(zend_object *object, zval **table, int *count) {
    php_weir_copy *m = copy_of(object);
    *table = &m->data;
    *count = 2; /* data and meta stand side by side */
    return NULL;
}

void php_weir_message_new(zval *ret, weir_message *message) {
    object_init_ex(ret, php_weir_ce_message);
    copy_of(Z_OBJ_P(ret))->box = php_weir_box_new(message, false);
}

php_weir_box *php_weir_message_new_lent(zval *ret, weir_message *message) {
    object_init_ex(ret, php_weir_ce_message);
    php_weir_copy *m = copy_of(Z_OBJ_P(ret));
    m->box = php_weir_box_new(message, true);
    return php_weir_box_share(m->box);
}

bool php_weir_message_new_copy(zval *ret, const weir_message *message) {
    weir_message *copy;
    int status = weir_message_copy(message, &copy);
    if (status != WEIR_OK) {
        php_weir_throw_text(status, "a message could not be kept: %s", weir_err_text(status));
        return false;
    }
    php_weir_message_new(ret, copy);
    return true;
}

/* ---- properties ---- */

enum field { OP, SEQ, TIME, AGE, META, DATA, GAP, ID, WRITER, CODEC, TYPE, BYTES, TIME_NS };
static const char *const names[] = {"op", "seq",    "time",  "age",  "meta",  "data",   "gap",
                                    "id", "writer", "codec", "type", "bytes", "timeNs", NULL};

static void view_to_php(weir_view view, zval *ret) {
    ZVAL_STRINGL(ret, view.size ? view.data : "", view.size);
}

/* Seconds since the epoch, and since then; null when the writer did not stamp it. */
static void time_to_php(int64_t ns, bool is_age, zval *ret) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (ns == 0)
        ZVAL_NULL(ret);
    else if (is_age)
        ZVAL_DOUBLE(ret, (double)((int64_t)now.tv_sec * 1000000000 + now.tv_nsec - ns) / 1e9);
    else
        ZVAL_DOUBLE(ret, (double)ns / 1e9);
}

typedef int getter(weir_message *message, const weir_value **ret, weir_error *err);

static bool converted(php_weir_copy *m, zval *kept, getter *get, zval *ret) {
    const weir_value *value = NULL;
    weir_error err;
    if (Z_TYPE_P(kept) == IS_UNDEF) {
        zval made;
        if (get(m->box->message, &value, &err) != WEIR_OK) {
            php_weir_throw(&err);
            return false;
        }
        if (!php_weir_to_php(value, m->box, &made))
            return false;
        ZVAL_COPY_VALUE(kept, &made);
    }
    ZVAL_COPY(ret, kept);
    return true;
}

static const char *codec_name(int codec) {
    return codec ? weir_codec_name(codec) : "";
}

static bool message_read(zend_object *object, size_t index, zval *ret) {
    php_weir_copy *m = copy_of(object);
    if (!php_weir_box_is_there(m->box))
        return false;
    const weir_message *message = m->box->message;
    switch ((enum field)index) {
    case OP: view_to_php(weir_message_op(message), ret); break;
    case SEQ: ZVAL_LONG(ret, (zend_long)weir_message_seq(message)); break;
    case TIME: time_to_php(weir_message_time(message), false, ret); break;
    case AGE: time_to_php(weir_message_time(message), true, ret); break;
    case META: return converted(m, &m->meta, weir_message_meta, ret);
    case DATA: return converted(m, &m->data, weir_message_data, ret);
    case GAP: ZVAL_LONG(ret, (zend_long)weir_message_gap(message)); break;
    case ID: ZVAL_LONG(ret, (zend_long)weir_message_id(message)); break;
    case WRITER: ZVAL_LONG(ret, (zend_long)weir_message_writer(message)); break;
    case CODEC: ZVAL_STRING(ret, codec_name(weir_message_codec(message))); break;
    case TYPE: view_to_php(weir_message_type(message), ret); break;
    case BYTES: view_to_php(weir_message_bytes(message), ret); break;
    case TIME_NS: ZVAL_LONG(ret, weir_message_time(message)); break;
    }
    return true;
}

static const php_weir_properties properties = {names, message_read};

static zval *message_property(zend_object *object, zend_string *name, int type, void **slot, zval *ret) {
    return php_weir_property_read(&properties, object, name, type, slot, ret);
}

static int message_has(zend_object *object, zend_string *name, int what, void **slot) {
    return php_weir_property_has(&properties, object, name, what, slot);
}

static HashTable *message_dump(zend_object *object, int *ret_is_temp) {
    return php_weir_property_dump(&properties, object, ret_is_temp);
}

/* ---- methods ---- */

ZEND_BEGIN_ARG_INFO_EX(arginfo_construct, 0, 0, 0)
ZEND_END_ARG_INFO()
ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_json, 0, 0, IS_STRING, 0)
ZEND_END_ARG_INFO()
ZEND_BEGIN_ARG_WITH_RETURN_OBJ_INFO_EX(arginfo_array, 0, 0, Weir\\NdArray, 0)
ZEND_END_ARG_INFO()
ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_serialize, 0, 0, IS_ARRAY, 0)
ZEND_END_ARG_INFO()

/* Private: messages come from readers, clients, servers and Weir\get. */
static PHP_METHOD(Message, __construct) {
    ZEND_PARSE_PARAMETERS_NONE();
}

static PHP_METHOD(Message, json) {
    weir_buffer *out;
    weir_error err;
    ZEND_PARSE_PARAMETERS_NONE();
    weir_message *message = php_weir_message_of(Z_OBJ_P(ZEND_THIS));
    if (!message)
        return;
    if (weir_buffer_new(&out) != WEIR_OK) {
        php_weir_throw_text(WEIR_ENOMEM, "out of memory for a message's JSON");
        return;
    }
    if (weir_message_json(message, out, &err) == WEIR_OK)
        view_to_php(weir_buffer_view(out), return_value);
    else
        php_weir_throw(&err);
    weir_buffer_free(out);
}

static PHP_METHOD(Message, array) {
    weir_ndarray array;
    weir_error err;
    ZEND_PARSE_PARAMETERS_NONE();
    php_weir_copy *m = PHP_WEIR_THIS(php_weir_copy);
    if (!php_weir_box_is_there(m->box))
        return;
    if (weir_message_ndarray(m->box->message, &array, &err) == WEIR_OK)
        php_weir_ndarray_new(return_value, &array, m->box);
    else
        php_weir_throw(&err);
}

/* What json_encode($message) shows: the fields of json(), with the time in seconds. */
static PHP_METHOD(Message, jsonSerialize) {
    static const enum field shown[] = {SEQ, TIME, GAP, OP, META, DATA};
    ZEND_PARSE_PARAMETERS_NONE();
    array_init(return_value);
    for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
        zval value;
        if (!message_read(Z_OBJ_P(ZEND_THIS), shown[i], &value))
            return;
        zend_hash_str_update(Z_ARRVAL_P(return_value), names[shown[i]], strlen(names[shown[i]]), &value);
    }
}

static const zend_function_entry methods[] = {
    PHP_ME(Message, __construct, arginfo_construct, ZEND_ACC_PRIVATE)
    PHP_ME(Message, json, arginfo_json, ZEND_ACC_PUBLIC)
    PHP_ME(Message, array, arginfo_array, ZEND_ACC_PUBLIC)
    PHP_ME(Message, jsonSerialize, arginfo_serialize, ZEND_ACC_PUBLIC)
    PHP_FE_END
};

void php_weir_message_register(void) {
    zend_class_entry ce;
    INIT_NS_CLASS_ENTRY(ce, "Weir", "Message", methods);
    php_weir_ce_message = zend_register_internal_class_ex(&ce, NULL);
    php_weir_ce_message->ce_flags |= ZEND_ACC_FINAL | ZEND_ACC_NOT_SERIALIZABLE | ZEND_ACC_NO_DYNAMIC_PROPERTIES;
    php_weir_ce_message->create_object = message_create;
    zend_class_implements(php_weir_ce_message, 1, php_json_serializable_ce);
    php_weir_property_handlers(&handlers, XtOffsetOf(php_weir_copy, std));
    handlers.free_obj = message_free;
    handlers.get_gc = message_gc;
    handlers.read_property = message_property;
    handlers.has_property = message_has;
    handlers.get_debug_info = message_dump;
}
