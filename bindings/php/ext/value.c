/* PHP values to documents and back. bindings/php/README.md has the table.
 *
 * Going out, texts and arrays of numbers are borrowed where the PHP value lasts as long as the call, so that a large
 * one is copied once, into the channel. What a jsonSerialize() returns does not last, and is copied. */
#include "php_weir.h"

#include <Zend/zend_enum.h>
#include <ext/date/php_date.h>
#include <ext/json/php_json.h>

enum { NS_PER_US = 1000, US_PER_SECOND = 1000000 };

/* ---- PHP to document ---- */

typedef struct putting {
    weir_doc *doc;
    unsigned depth;
    bool is_lasting; /* the PHP value lives until the document has been used */
} putting;

static bool put(putting *p, zval *value);

/* The length of the UTF-8 sequence at @s of at most @left bytes; 0 when it is none. */
static size_t sequence_size(const unsigned char *s, size_t left) {
    if (s[0] < 0x80)
        return 1;
    size_t size = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
    if (s[0] < 0xC2 || s[0] > 0xF4 || left < size)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) || (s[0] == 0xF0 && s[1] < 0x90) ||
        (s[0] == 0xF4 && s[1] > 0x8F))
        return 0;
    return size;
}

static bool is_utf8(const zend_string *text) {
    const unsigned char *s = (const unsigned char *)ZSTR_VAL(text);
    size_t left = ZSTR_LEN(text);
    if (GC_FLAGS(text) & IS_STR_VALID_UTF8)
        return true;
    while (left >= sizeof(uint64_t)) {
        uint64_t eight;
        memcpy(&eight, s, sizeof(eight));
        if (eight & UINT64_C(0x8080808080808080))
            break;
        s += sizeof(eight);
        left -= sizeof(eight);
    }
    while (left > 0) {
        size_t size = sequence_size(s, left);
        if (size == 0)
            return false;
        s += size;
        left -= size;
    }
    return true;
}

/* A PHP string: text when it is valid UTF-8, otherwise bytes. */
static void put_string(putting *p, const zend_string *text) {
    bool is_text = is_utf8(text);
    if (is_text && p->is_lasting)
        weir_refer_text(p->doc, ZSTR_VAL(text), ZSTR_LEN(text));
    else if (is_text)
        weir_put_text(p->doc, ZSTR_VAL(text), ZSTR_LEN(text));
    else
        weir_put_bytes(p->doc, ZSTR_VAL(text), ZSTR_LEN(text));
}

static bool deepen(putting *p) {
    if (p->depth < WEIR_DEPTH_MAX) {
        p->depth++;
        return true;
    }
    php_weir_throw_text(WEIR_ELIMIT, "more than %d arrays inside each other; does one contain itself?", WEIR_DEPTH_MAX);
    return false;
}

static bool put_list(putting *p, HashTable *list) {
    zval *item;
    if (!deepen(p))
        return false;
    weir_begin_array(p->doc);
    ZEND_HASH_FOREACH_VAL(list, item)
        if (!put(p, item))
            return false;
    ZEND_HASH_FOREACH_END();
    weir_end(p->doc);
    p->depth--;
    return true;
}

static void put_key(putting *p, zend_ulong index, const zend_string *key) {
    char digits[24];
    if (key)
        put_string(p, key);
    else
        weir_put_text(p->doc, digits, (size_t)snprintf(digits, sizeof(digits), ZEND_LONG_FMT, (zend_long)index));
}

static bool put_map(putting *p, HashTable *map) {
    zend_ulong index;
    zend_string *key;
    zval *item;
    if (!deepen(p))
        return false;
    weir_begin_map(p->doc);
    ZEND_HASH_FOREACH_KEY_VAL_IND(map, index, key, item)
        put_key(p, index, key);
        if (!put(p, item))
            return false;
    ZEND_HASH_FOREACH_END();
    weir_end(p->doc);
    p->depth--;
    return true;
}

static bool put_date(putting *p, zend_object *object) {
    php_date_obj *date = php_date_obj_from_obj(object);
    int64_t ns;
    if (!date->time) {
        php_weir_throw_text(WEIR_EENCODE, "a date whose constructor was not called");
        return false;
    }
    if (__builtin_mul_overflow((int64_t)date->time->sse, (int64_t)US_PER_SECOND * NS_PER_US, &ns) ||
        __builtin_add_overflow(ns, (int64_t)date->time->us * NS_PER_US, &ns)) {
        php_weir_throw_text(WEIR_EENCODE, "a date that nanoseconds in 64 bits do not reach: they end in the year 2262");
        return false;
    }
    weir_put_time(p->doc, ns);
    return true;
}

static bool put_serialized(putting *p, zend_object *object) {
    zval result;
    bool was_lasting = p->is_lasting;
    if (!deepen(p))
        return false;
    zend_call_method_with_0_params(object, object->ce, NULL, "jsonserialize", &result);
    if (EG(exception))
        return false;
    p->is_lasting = false;
    bool is_put = put(p, &result);
    p->is_lasting = was_lasting;
    p->depth--;
    zval_ptr_dtor(&result);
    return is_put;
}

static bool put_tagged(putting *p, zend_object *object) {
    zval *space = OBJ_PROP_NUM(object, 0), *number = OBJ_PROP_NUM(object, 1), *content = OBJ_PROP_NUM(object, 2);
    if (!deepen(p))
        return false;
    weir_put_tag(p->doc, (uint32_t)zval_get_long(space), (uint64_t)zval_get_long(number));
    bool is_put = put(p, content);
    p->depth--;
    return is_put;
}

/* The classes of this extension. *ret_found is false when @object is of none of them. */
static bool put_own(putting *p, zend_object *object, bool *ret_found) {
    *ret_found = true;
    if (object->ce == php_weir_ce_tagged)
        return put_tagged(p, object);
    if (object->ce == php_weir_ce_ndarray) {
        const weir_ndarray *array = php_weir_ndarray_of(object);
        if (!array)
            return false;
        p->is_lasting ? weir_refer_ndarray(p->doc, array) : weir_put_ndarray(p->doc, array);
        return true;
    }
    *ret_found =
        object->ce == php_weir_ce_bytes || object->ce == php_weir_ce_bigint || object->ce == php_weir_ce_decimal;
    if (!*ret_found)
        return true;
    zend_string *text = zval_get_string(OBJ_PROP_NUM(object, 0));
    if (object->ce == php_weir_ce_bytes)
        weir_put_bytes(p->doc, ZSTR_VAL(text), ZSTR_LEN(text));
    else if (object->ce == php_weir_ce_bigint)
        weir_put_bigint(p->doc, ZSTR_VAL(text), ZSTR_LEN(text));
    else
        weir_put_decimal(p->doc, ZSTR_VAL(text), ZSTR_LEN(text), (int32_t)zval_get_long(OBJ_PROP_NUM(object, 1)));
    zend_string_release(text);
    return true;
}

static bool put_object(putting *p, zend_object *object) {
    bool is_own;
    bool is_put = put_own(p, object, &is_own);
    if (is_own)
        return is_put;
    if (instanceof_function(object->ce, php_date_get_interface_ce()))
        return put_date(p, object);
    if (instanceof_function(object->ce, php_json_serializable_ce))
        return put_serialized(p, object);
    if (object->ce == zend_standard_class_def)
        return put_map(p, zend_std_get_properties(object));
    if (object->ce->ce_flags & ZEND_ACC_ENUM && object->ce->enum_backing_type != IS_UNDEF)
        return put(p, zend_enum_fetch_case_value(object));
    php_weir_throw_text(WEIR_EENCODE, "an object of class %s cannot be sent; give an array, or implement "
                        "JsonSerializable", ZSTR_VAL(object->ce->name));
    return false;
}

static bool put(putting *p, zval *value) {
    ZVAL_DEREF(value);
    switch (Z_TYPE_P(value)) {
    case IS_UNDEF:
    case IS_NULL:
        weir_put_null(p->doc);
        return true;
    case IS_FALSE:
    case IS_TRUE:
        weir_put_bool(p->doc, Z_TYPE_P(value) == IS_TRUE);
        return true;
    case IS_LONG:
        weir_put_i64(p->doc, Z_LVAL_P(value));
        return true;
    case IS_DOUBLE:
        weir_put_f64(p->doc, Z_DVAL_P(value));
        return true;
    case IS_STRING:
        put_string(p, Z_STR_P(value));
        return true;
    case IS_ARRAY:
        return zend_array_is_list(Z_ARRVAL_P(value)) ? put_list(p, Z_ARRVAL_P(value)) : put_map(p, Z_ARRVAL_P(value));
    case IS_OBJECT:
        return put_object(p, Z_OBJ_P(value));
    default:
        php_weir_throw_text(WEIR_EENCODE, "a %s cannot be sent", zend_zval_type_name(value));
        return false;
    }
}

static bool finish(weir_doc *doc, const weir_value **ret) {
    weir_error err;
    if (weir_doc_finish(doc, ret, &err) == WEIR_OK)
        return true;
    php_weir_throw(&err);
    return false;
}

bool php_weir_build(weir_doc *doc, zval *value, const weir_value **ret) {
    putting p = {.doc = doc, .is_lasting = true};
    weir_doc_clear(doc);
    return put(&p, value) && finish(doc, ret);
}

bool php_weir_build_map(weir_doc *doc, HashTable *map, const weir_value **ret) {
    putting p = {.doc = doc, .is_lasting = true};
    weir_doc_clear(doc);
    return put_map(&p, map) && finish(doc, ret);
}

/* ---- the message that arrays lie in ---- */

php_weir_box *php_weir_box_new(weir_message *message, bool is_lent) {
    php_weir_box *box = emalloc(sizeof(*box));
    *box = (php_weir_box){.message = message, .count = 1, .is_lent = is_lent};
    return box;
}

php_weir_box *php_weir_box_share(php_weir_box *box) {
    if (box)
        box->count++;
    return box;
}

void php_weir_box_drop(php_weir_box *box) {
    if (!box || --box->count > 0)
        return;
    if (!box->is_lent)
        weir_message_free(box->message);
    efree(box);
}

php_weir_box *php_weir_box_recall(php_weir_box *box) {
    if (box)
        box->message = NULL;
    php_weir_box_drop(box);
    return NULL;
}

bool php_weir_box_is_there(const php_weir_box *box) {
    if (box->message)
        return true;
    php_weir_throw_text(WEIR_ECLOSED, "the message was lent until its reader's next call; without copy: false it may be kept");
    return false;
}

/* ---- document to PHP ---- */

static zend_string *string_of(weir_view view) {
    return zend_string_init_fast(view.data, view.size);
}

/* The digits of an integer of any size. */
static zend_string *digits_of(const weir_value *value, int32_t *ret_exponent) {
    size_t size = 0;
    char small[32];
    bool is_decimal = ret_exponent != NULL;
    int status = is_decimal ? weir_get_decimal(value, NULL, small, sizeof(small), &size, ret_exponent)
                            : weir_get_digits(value, NULL, small, sizeof(small), &size);
    if (status == WEIR_OK)
        return zend_string_init(small, strlen(small), 0);
    zend_string *text = zend_string_alloc(size, 0);
    status = is_decimal ? weir_get_decimal(value, NULL, ZSTR_VAL(text), size, &size, ret_exponent)
                        : weir_get_digits(value, NULL, ZSTR_VAL(text), size, &size);
    if (status != WEIR_OK) {
        zend_string_release(text);
        php_weir_throw_text(status, "the digits of a number could not be read: %s", weir_err_text(status));
        return NULL;
    }
    return zend_string_truncate(text, strlen(ZSTR_VAL(text)), 0);
}

static bool bigint_to_php(const weir_value *value, zval *ret) {
    zend_string *digits = digits_of(value, NULL);
    if (!digits)
        return false;
    php_weir_bigint_new(ret, digits);
    zend_string_release(digits);
    return true;
}

static bool decimal_to_php(const weir_value *value, zval *ret) {
    int32_t exponent = 0;
    zend_string *digits = digits_of(value, &exponent);
    if (!digits)
        return false;
    php_weir_decimal_new(ret, digits, exponent);
    zend_string_release(digits);
    return true;
}

static void bytes_to_php(const weir_value *value, zval *ret) {
    weir_view view = {"", 0};
    weir_get_bytes(value, NULL, &view);
    zend_string *bytes = string_of(view);
    php_weir_bytes_new(ret, bytes);
    zend_string_release(bytes);
}

/* A DateTimeImmutable in UTC. PHP's dates end at microseconds: the nanoseconds below are cut. */
static bool time_to_php(const weir_value *value, zval *ret) {
    int64_t ns = 0;
    char text[32];
    weir_get_time(value, NULL, &ns);
    int64_t us = ns / NS_PER_US - (ns % NS_PER_US < 0);
    int64_t seconds = us / US_PER_SECOND - (us % US_PER_SECOND < 0);
    int size = snprintf(text, sizeof(text), "@%lld", (long long)seconds);
    php_date_instantiate(php_date_get_immutable_ce(), ret);
    if (!php_date_initialize(Z_PHPDATE_P(ret), text, (size_t)size, NULL, NULL, 0)) {
        zval_ptr_dtor(ret);
        php_weir_throw_text(WEIR_ETYPE, "PHP has no date for %s", text);
        return false;
    }
    Z_PHPDATE_P(ret)->time->us = us - seconds * US_PER_SECOND;
    return true;
}

static bool list_to_php(const weir_value *value, php_weir_box *box, zval *ret) {
    weir_iter it;
    array_init_size(ret, (uint32_t)MIN(weir_value_count(value), UINT32_C(1) << 20));
    zend_hash_real_init_packed(Z_ARRVAL_P(ret));
    weir_iter_init(&it, value);
    while (weir_iter_next(&it)) {
        zval item;
        if (!php_weir_to_php(it.value, box, &item)) {
            zval_ptr_dtor(ret);
            return false;
        }
        zend_hash_next_index_insert(Z_ARRVAL_P(ret), &item);
    }
    return true;
}

/* A map's key as a PHP key: text and bytes as they are, anything else as its JSON. */
static zend_string *key_to_php(const weir_value *key) {
    weir_view view;
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    weir_buffer *out;
    weir_error err;
    options.flags = WEIR_PLAIN;
    if (weir_get_text(key, NULL, &view) == WEIR_OK || weir_get_bytes(key, NULL, &view) == WEIR_OK)
        return string_of(view);
    if (weir_buffer_new(&out) != WEIR_OK) {
        php_weir_throw_text(WEIR_ENOMEM, "out of memory for a key");
        return NULL;
    }
    zend_string *text = NULL;
    if (weir_encode(key, WEIR_CODEC_JSON, &options, out, &err) == WEIR_OK)
        text = string_of(weir_buffer_view(out));
    else
        php_weir_throw(&err);
    weir_buffer_free(out);
    return text;
}

/* The first of repeated keys counts, as in every reading by path. */
static bool map_to_php(const weir_value *value, php_weir_box *box, zval *ret) {
    weir_iter it;
    array_init_size(ret, (uint32_t)MIN(weir_value_count(value), UINT32_C(1) << 20));
    weir_iter_init(&it, value);
    while (weir_iter_next(&it)) {
        zval item;
        zend_string *key = key_to_php(it.key);
        if (key && zend_symtable_exists(Z_ARRVAL_P(ret), key)) {
            zend_string_release(key);
            continue;
        }
        if (!key || !php_weir_to_php(it.value, box, &item)) {
            if (key)
                zend_string_release(key);
            zval_ptr_dtor(ret);
            return false;
        }
        zend_symtable_update(Z_ARRVAL_P(ret), key, &item);
        zend_string_release(key);
    }
    return true;
}

static bool tagged_to_php(const weir_value *value, php_weir_box *box, zval *ret) {
    uint32_t space = 0;
    uint64_t number = 0;
    const weir_value *content = NULL;
    zval inside;
    weir_get_tagged(value, NULL, &space, &number, &content);
    if (!php_weir_to_php(content, box, &inside))
        return false;
    php_weir_tagged_new(ret, space, (zend_long)number, &inside);
    zval_ptr_dtor(&inside);
    return true;
}

static void scalar_to_php(const weir_value *value, int kind, zval *ret) {
    int truth = 0;
    int64_t integer = 0;
    double number = 0;
    weir_view text = {"", 0};
    switch (kind) {
    case WEIR_KIND_BOOL:
        weir_get_bool(value, NULL, &truth);
        ZVAL_BOOL(ret, truth);
        break;
    case WEIR_KIND_INT64:
        weir_get_i64(value, NULL, &integer);
        ZVAL_LONG(ret, integer);
        break;
    case WEIR_KIND_TEXT:
        weir_get_text(value, NULL, &text);
        ZVAL_STR(ret, string_of(text));
        break;
    default:
        weir_get_f64(value, NULL, &number);
        ZVAL_DOUBLE(ret, number);
    }
}

bool php_weir_to_php(const weir_value *value, php_weir_box *box, zval *ret) {
    weir_ndarray array;
    int kind = weir_value_kind(value);
    switch (kind) {
    case WEIR_KIND_BOOL:
    case WEIR_KIND_INT64:
    case WEIR_KIND_FLOAT32:
    case WEIR_KIND_FLOAT64:
    case WEIR_KIND_TEXT:
        scalar_to_php(value, kind, ret);
        return true;
    case WEIR_KIND_UINT64:
    case WEIR_KIND_BIGINT:
        return bigint_to_php(value, ret);
    case WEIR_KIND_DECIMAL:
        return decimal_to_php(value, ret);
    case WEIR_KIND_BYTES:
        bytes_to_php(value, ret);
        return true;
    case WEIR_KIND_TIME:
        return time_to_php(value, ret);
    case WEIR_KIND_ARRAY:
        return list_to_php(value, box, ret);
    case WEIR_KIND_MAP:
        return map_to_php(value, box, ret);
    case WEIR_KIND_NDARRAY:
        weir_get_ndarray(value, NULL, &array);
        return php_weir_ndarray_new(ret, &array, box);
    case WEIR_KIND_TAGGED:
        return tagged_to_php(value, box, ret);
    default: /* null, undefined, nothing */
        ZVAL_NULL(ret);
        return true;
    }
}
