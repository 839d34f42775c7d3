/* Reading wrappers: a finished map with a single key "$name" becomes the value it stands for, in place; one that is no
 * wrapper, or has contents that its wrapper cannot have, stays the map that it is.
 *
 * The value takes no more cells than the map did, so cells never have to move. A $tag, $map or $obj moves the cells of
 * its contents down, once for each of those around them: at most depth_max times.
 *
 * Texts inside were read already: they are valid, and lie in the input or the document's arena. */
#include <math.h>
#include <string.h>

#include "base/number.h"
#include "codec/cbor/cbor.h"
#include "codec/wrapper/unwrap.h"

int weir_text_is(const struct weir_value *value, const char *text) {
    return value->kind == WEIR_KIND_TEXT && value->count == strlen(text) &&
           memcmp(value->as.data, text, value->count) == 0;
}

/* ---- replacing the map ---- */

int weir_wrapped_becomes(const struct wrapped *wrapped, struct weir_value value) {
    *wrapped->map = value;
    wrapped->doc->count = (size_t)(wrapped->map - wrapped->doc->cells) + 1;
    return WEIR_UNWRAPPED_DONE;
}

int weir_wrapped_becomes_tagged(const struct wrapped *wrapped, uint32_t space, uint64_t number,
                                const struct weir_value *content) {
    struct weir_value *map = wrapped->map;
    size_t count = (size_t)(wrapped->doc->cells + wrapped->doc->count - content);
    memmove(map + 1, content, count * sizeof(*map));
    *map = (struct weir_value){.kind = WEIR_KIND_TAGGED, .count = space, .as.u64 = number};
    wrapped->doc->count = (size_t)(map - wrapped->doc->cells) + 1 + count;
    return WEIR_UNWRAPPED_DONE;
}

/* ---- numbers ---- */

static size_t digits_size(const char *p, const char *end) {
    size_t size = 0;
    while (p + size < end && p[size] >= '0' && p[size] <= '9')
        size++;
    return size;
}

/* The parts of [-]digits[.digits][e[+-]digits]. */
struct number_text {
    int is_negative;
    const char *whole;
    size_t whole_size;
    size_t fraction_size; /* it begins behind the point at the end of the whole part */
    int64_t exponent;
};

/* Return: 0 when it has another form, or an exponent of more than 10 digits, as many as the text of a decimal can
 * need. */
static int number_parse(const struct weir_value *text, struct number_text *ret) {
    if (text->kind != WEIR_KIND_TEXT || text->count == 0)
        return 0;
    const char *p = (const char *)text->as.data;
    const char *end = p + text->count;
    *ret = (struct number_text){.is_negative = *p == '-'};
    ret->whole = p += ret->is_negative;
    ret->whole_size = digits_size(p, end);
    p += ret->whole_size;
    if (p < end && *p == '.') {
        ret->fraction_size = digits_size(++p, end);
        p += ret->fraction_size;
        if (ret->fraction_size == 0)
            return 0;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        int is_below = p < end && *p == '-';
        p += p < end && (*p == '-' || *p == '+');
        size_t size = digits_size(p, end);
        if (size == 0 || size > 10)
            return 0;
        for (; size > 0; size--)
            ret->exponent = ret->exponent * 10 + (*p++ - '0');
        ret->exponent = is_below ? -ret->exponent : ret->exponent;
    }
    return ret->whole_size > 0 && p == end;
}

static int unwrap_undefined(const struct wrapped *wrapped) {
    if (wrapped->content->kind != WEIR_KIND_BOOL || !wrapped->content->as.i64)
        return WEIR_UNWRAPPED_BAD;
    return weir_wrapped_becomes(wrapped, (struct weir_value){.kind = WEIR_KIND_UNDEFINED});
}

static int integer_parse(const struct weir_value *text, struct weir_value *ret) {
    struct number_text number;
    return number_parse(text, &number) && number.is_negative + number.whole_size == text->count &&
           weir_integer_from_digits(ret, number.whole, number.whole_size, number.is_negative) == WEIR_OK;
}

static int unwrap_integer(const struct wrapped *wrapped) {
    struct weir_value integer;
    if (!integer_parse(wrapped->content, &integer) || integer.kind != WEIR_KIND_INT64)
        return WEIR_UNWRAPPED_BAD;
    return weir_wrapped_becomes(wrapped, integer);
}

static int unwrap_big(const struct wrapped *wrapped) {
    struct weir_value integer;
    return integer_parse(wrapped->content, &integer) ? weir_wrapped_becomes(wrapped, integer) : WEIR_UNWRAPPED_BAD;
}

/* The bits behind "NaN(" in hexadecimal, @digits of them, and ")". */
static int nan_bits(const struct weir_value *text, unsigned digits, uint64_t *ret) {
    if (text->kind != WEIR_KIND_TEXT || text->count != digits + 5 || memcmp(text->as.data, "NaN(", 4) != 0 ||
        text->as.data[text->count - 1] != ')')
        return 0;
    *ret = 0;
    for (unsigned i = 0; i < digits; i++) {
        unsigned char c = text->as.data[4 + i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return 0;
        *ret = *ret << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return 1;
}

/* "Infinity" with its sign; 0 for another text. */
static double infinity_of(const struct weir_value *text) {
    return weir_text_is(text, "Infinity") ? INFINITY : weir_text_is(text, "-Infinity") ? -INFINITY : 0;
}

static int unwrap_double(const struct wrapped *wrapped) {
    const struct weir_value *text = wrapped->content;
    struct weir_value value = {.kind = WEIR_KIND_FLOAT64, .as.f64 = infinity_of(text)};
    struct number_text number;
    if (value.as.f64 != 0)
        return weir_wrapped_becomes(wrapped, value);
    if (weir_text_is(text, "NaN")) {
        value.as.u64 = WEIR_WRAPPER_NAN64;
        return weir_wrapped_becomes(wrapped, value);
    }
    if (nan_bits(text, 16, &value.as.u64))
        return isnan(value.as.f64) ? weir_wrapped_becomes(wrapped, value) : WEIR_UNWRAPPED_BAD;
    if (!number_parse(text, &number))
        return WEIR_UNWRAPPED_BAD;
    value.as.f64 = weir_f64_read((const char *)text->as.data, text->count);
    return isinf(value.as.f64) ? WEIR_UNWRAPPED_BAD : weir_wrapped_becomes(wrapped, value);
}

static int unwrap_single(const struct wrapped *wrapped) {
    const struct weir_value *text = wrapped->content;
    struct weir_value value = {.kind = WEIR_KIND_FLOAT32};
    struct number_text number;
    uint64_t bits64 = WEIR_WRAPPER_NAN32;
    value.as.f32 = (float)infinity_of(text);
    if (value.as.f32 != 0)
        return weir_wrapped_becomes(wrapped, value);
    if (weir_text_is(text, "NaN") || nan_bits(text, 8, &bits64)) {
        uint32_t bits = (uint32_t)bits64;
        memcpy(&value.as.f32, &bits, sizeof(bits));
        return isnan(value.as.f32) ? weir_wrapped_becomes(wrapped, value) : WEIR_UNWRAPPED_BAD;
    }
    if (!number_parse(text, &number))
        return WEIR_UNWRAPPED_BAD;
    value.as.f32 = weir_f32_read((const char *)text->as.data, text->count);
    return isinf(value.as.f32) ? WEIR_UNWRAPPED_BAD : weir_wrapped_becomes(wrapped, value);
}

static int unwrap_decimal(const struct wrapped *wrapped) {
    struct number_text number;
    if (!number_parse(wrapped->content, &number))
        return weir_unwrap_special_decimal(wrapped);
    int64_t exponent = number.exponent - (int64_t)number.fraction_size;
    size_t size = number.whole_size + number.fraction_size;
    if (exponent < INT32_MIN || exponent > INT32_MAX)
        return WEIR_UNWRAPPED_BAD;
    const char *digits = number.whole;
    if (number.fraction_size > 0) {
        char *joined = weir_arena_take(&wrapped->doc->arena, size);
        if (!joined)
            return -1;
        memcpy(joined, digits, number.whole_size);
        memcpy(joined + number.whole_size, digits + number.whole_size + 1, number.fraction_size);
        digits = joined;
    }
    for (; size > 1 && *digits == '0'; digits++)
        size--;
    if (size > WEIR_DIGITS_MAX)
        return WEIR_UNWRAPPED_BAD;
    if (number.is_negative && *digits == '0')
        return weir_unwrap_negative_zero(wrapped, exponent);
    struct weir_value *map = wrapped->map;
    weir_wrapped_becomes(wrapped,
                         (struct weir_value){
                             .kind = WEIR_KIND_DECIMAL,
                             .flags = (uint8_t)(WEIR_CELL_DIGITS | (number.is_negative ? WEIR_CELL_NEGATIVE : 0)),
                             .count = (uint32_t)size,
                             .as.data = (const unsigned char *)digits,
                         });
    map[1] = (struct weir_value){.kind = WEIR_KIND_INT64, .as.i64 = exponent};
    wrapped->doc->count++;
    return WEIR_UNWRAPPED_DONE;
}

/* ---- times ---- */

static int unwrap_date(const struct wrapped *wrapped) {
    enum { NS_PER_MS = 1000000 };
    struct weir_value time = {.kind = WEIR_KIND_TIME, .aux = WEIR_TIME_MS};
    const struct weir_value *content = wrapped->content;
    if (content->kind == WEIR_KIND_INT64 && !__builtin_mul_overflow(content->as.i64, NS_PER_MS, &time.as.i64))
        return weir_wrapped_becomes(wrapped, time);
    if (content->kind == WEIR_KIND_INT64)
        return weir_wrapped_becomes_tagged(wrapped, WEIR_TAG_BSON, BSON_DATETIME, content);
    if (content->kind == WEIR_KIND_TEXT &&
        weir_time_read((const char *)content->as.data, content->count, &time.as.i64) == WEIR_OK &&
        time.as.i64 % NS_PER_MS == 0)
        return weir_wrapped_becomes(wrapped, time);
    return WEIR_UNWRAPPED_BAD;
}

static int unwrap_time(const struct wrapped *wrapped) {
    struct weir_value time = {.kind = WEIR_KIND_TIME, .aux = WEIR_TIME_NS};
    const struct weir_value *text = wrapped->content;
    if (text->kind != WEIR_KIND_TEXT ||
        weir_time_read((const char *)text->as.data, text->count, &time.as.i64) != WEIR_OK)
        return WEIR_UNWRAPPED_BAD;
    return weir_wrapped_becomes(wrapped, time);
}

/* ---- bytes ---- */

const struct weir_value *weir_wrapped_member(const struct weir_value *map, const char *key, uint32_t *left) {
    const struct weir_value *found = NULL;
    const struct weir_value *at = map + 1;
    for (uint32_t i = 0; i < map->count; i++) {
        if (weir_text_is(at, key)) {
            if (found)
                return NULL;
            found = at + 1;
            (*left)--;
        }
        at = weir_value_after(at + 1);
    }
    return found;
}

/* The bytes that a map has under "data", as they are, or under "base64", from that text into the document's arena. One
 * of the two is NULL. Return: enum weir_unwrapped; -1. */
static int bytes_of(const struct wrapped *wrapped, const struct weir_value *data, const struct weir_value *text,
                    struct weir_value *ret) {
    if (data) {
        *ret = *data;
        return data->kind == WEIR_KIND_BYTES && !text ? WEIR_UNWRAPPED_DONE : WEIR_UNWRAPPED_BAD;
    }
    if (!text || text->kind != WEIR_KIND_TEXT)
        return WEIR_UNWRAPPED_BAD;
    unsigned char *bytes = weir_arena_take(&wrapped->doc->arena, text->count / 4 * 3);
    size_t size;
    if (!bytes)
        return -1;
    if (weir_base64_decode(text->as.data, text->count, bytes, &size) != WEIR_OK)
        return WEIR_UNWRAPPED_BAD;
    *ret = (struct weir_value){.kind = WEIR_KIND_BYTES, .count = (uint32_t)size, .as.data = bytes};
    return WEIR_UNWRAPPED_DONE;
}

static int hex_digit(unsigned char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int weir_hex_bytes(const unsigned char *text, size_t size, unsigned char *to) {
    for (size_t i = 0; i < size; i++) {
        int high = hex_digit(text[2 * i]);
        int low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return 0;
        to[i] = (unsigned char)(high << 4 | low);
    }
    return 1;
}

static int unwrap_binary(const struct wrapped *wrapped) {
    const struct weir_value *content = wrapped->content;
    if (content->kind != WEIR_KIND_MAP)
        return WEIR_UNWRAPPED_BAD;
    uint32_t left = content->count;
    const struct weir_value *base64 = weir_wrapped_member(content, "base64", &left);
    const struct weir_value *data = weir_wrapped_member(content, "data", &left);
    const struct weir_value *subtype = weir_wrapped_member(content, "subType", &left);
    unsigned char number;
    struct weir_value bytes;
    if (!subtype || left > 0 || subtype->kind != WEIR_KIND_TEXT || subtype->count != 2 ||
        !weir_hex_bytes(subtype->as.data, 1, &number))
        return WEIR_UNWRAPPED_BAD;
    int status = bytes_of(wrapped, data, base64, &bytes);
    if (status != WEIR_UNWRAPPED_DONE)
        return status;
    return weir_unwrap_subtype(wrapped, number, &bytes);
}

static int unwrap_object_id(const struct wrapped *wrapped) {
    const struct weir_value *text = wrapped->content;
    if (text->kind != WEIR_KIND_TEXT || text->count != 2 * WEIR_BSON_OBJECT_ID_SIZE)
        return WEIR_UNWRAPPED_BAD;
    unsigned char *bytes = weir_arena_take(&wrapped->doc->arena, WEIR_BSON_OBJECT_ID_SIZE);
    if (!bytes)
        return -1;
    if (!weir_hex_bytes(text->as.data, WEIR_BSON_OBJECT_ID_SIZE, bytes))
        return WEIR_UNWRAPPED_BAD;
    weir_wrapped_becomes(
        wrapped, (struct weir_value){.kind = WEIR_KIND_BYTES, .count = WEIR_BSON_OBJECT_ID_SIZE, .as.data = bytes});
    return weir_wrapped_becomes_tagged(wrapped, WEIR_TAG_BSON, WEIR_BSON_OBJECT_ID, wrapped->map);
}

/* ---- ndarrays ---- */

/* "f64le", "f64be"; "u8" and "i8" may leave the order of bytes out. */
static int dtype_parse(const struct weir_value *text, weir_ndarray *ret) {
    if (text->kind != WEIR_KIND_TEXT)
        return 0;
    for (uint32_t element = WEIR_U8; element <= WEIR_F64; element++) {
        const char *name = weir_element_name(element);
        size_t size = strlen(name);
        if (text->count < size || memcmp(text->as.data, name, size) != 0)
            continue;
        const char *rest = (const char *)text->as.data + size;
        size_t rest_size = text->count - size;
        int is_bare = rest_size == 0 && weir_element_size(element) == 1;
        ret->element = element;
        ret->big_endian = rest_size == 2 && memcmp(rest, "be", 2) == 0;
        return is_bare || ret->big_endian || (rest_size == 2 && memcmp(rest, "le", 2) == 0);
    }
    return 0;
}

static int dims_parse(const struct weir_value *dims, weir_ndarray *ret) {
    if (dims->kind != WEIR_KIND_ARRAY || dims->count > WEIR_RANK_MAX || dims->as.span != dims->count + UINT64_C(1))
        return 0;
    ret->rank = dims->count;
    for (uint32_t i = 0; i < dims->count; i++) {
        if ((dims[1 + i].kind != WEIR_KIND_INT64 || dims[1 + i].as.i64 < 0) && dims[1 + i].kind != WEIR_KIND_UINT64)
            return 0;
        ret->shape[i] = dims[1 + i].as.u64;
    }
    return 1;
}

static int order_parse(const struct weir_value *text, weir_ndarray *ret) {
    ret->order = weir_text_is(text, "column") ? WEIR_COLUMN : WEIR_ROW;
    return ret->order == WEIR_COLUMN || weir_text_is(text, "row");
}

static int unwrap_array(const struct wrapped *wrapped) {
    const struct weir_value *content = wrapped->content;
    if (content->kind != WEIR_KIND_MAP)
        return WEIR_UNWRAPPED_BAD;
    uint32_t left = content->count;
    weir_ndarray array = {0};
    const struct weir_value *dtype = weir_wrapped_member(content, "dtype", &left);
    const struct weir_value *dims = weir_wrapped_member(content, "dims", &left);
    const struct weir_value *order = weir_wrapped_member(content, "order", &left);
    const struct weir_value *base64 = weir_wrapped_member(content, "base64", &left);
    const struct weir_value *data = weir_wrapped_member(content, "data", &left);
    struct weir_value bytes;
    if (!dtype || !dims || left > 0 || !dtype_parse(dtype, &array) || !dims_parse(dims, &array) ||
        (order && !order_parse(order, &array)))
        return WEIR_UNWRAPPED_BAD;
    int status = bytes_of(wrapped, data, base64, &bytes);
    if (status != WEIR_UNWRAPPED_DONE)
        return status;
    array.data = bytes.as.data;
    array.size = bytes.count;
    if (weir_ndarray_check(&array) != WEIR_OK)
        return WEIR_UNWRAPPED_BAD;
    wrapped->doc->count = (size_t)(wrapped->map - wrapped->doc->cells);
    return weir_doc_ndarray(wrapped->doc, &array) == WEIR_OK ? WEIR_UNWRAPPED_DONE : -1;
}

/* ---- tags and pairs ---- */

static int unwrap_tagged(const struct wrapped *wrapped, uint32_t space) {
    const struct weir_value *content = wrapped->content;
    if (content->kind != WEIR_KIND_ARRAY || content->count != 2)
        return WEIR_UNWRAPPED_BAD;
    const struct weir_value *number = content + 1;
    if ((number->kind != WEIR_KIND_INT64 || number->as.i64 < 0) && number->kind != WEIR_KIND_UINT64)
        return WEIR_UNWRAPPED_BAD;
    if (!weir_tag_exists(space, number->as.u64) || (space == WEIR_TAG_SIMPLE && number[1].kind != WEIR_KIND_NULL))
        return WEIR_UNWRAPPED_BAD;
    return weir_wrapped_becomes_tagged(wrapped, space, number->as.u64, number + 1);
}

/* Written as a tag, or as the kind that the tag means, it is the same value. */
static int unwrap_tag(const struct wrapped *wrapped) {
    size_t tag = (size_t)(wrapped->map - wrapped->doc->cells);
    int unwrapped = unwrap_tagged(wrapped, WEIR_TAG_CBOR);
    if (unwrapped == WEIR_UNWRAPPED_DONE && weir_cbor_fold(wrapped->doc, tag) != WEIR_OK)
        return -1;
    return unwrapped;
}

static int unwrap_simple(const struct wrapped *wrapped) {
    return unwrap_tagged(wrapped, WEIR_TAG_SIMPLE);
}

static int unwrap_bson(const struct wrapped *wrapped) {
    return unwrap_tagged(wrapped, WEIR_TAG_BSON);
}

static int unwrap_pairs(const struct wrapped *wrapped) {
    const struct weir_value *pairs = wrapped->content;
    if (pairs->kind != WEIR_KIND_ARRAY)
        return WEIR_UNWRAPPED_BAD;
    const struct weir_value *pair = pairs + 1;
    uint32_t count = pairs->count;
    for (uint32_t i = 0; i < count; i++, pair = weir_value_after(pair))
        if (pair->kind != WEIR_KIND_ARRAY || pair->count != 2)
            return WEIR_UNWRAPPED_BAD;
    struct weir_value *to = wrapped->map + 1;
    pair = pairs + 1;
    for (uint32_t i = 0; i < count; i++) {
        size_t cells = (size_t)pair->as.span - 1;
        memmove(to, pair + 1, cells * sizeof(*to));
        pair += cells + 1;
        to += cells;
    }
    *wrapped->map =
        (struct weir_value){.kind = WEIR_KIND_MAP, .count = count, .as.span = (uint64_t)(to - wrapped->map)};
    wrapped->doc->count = (size_t)(to - wrapped->doc->cells);
    return WEIR_UNWRAPPED_DONE;
}

/* ---- the table ---- */

struct wrapper {
    const char *name;
    uint32_t size;
    enum weir_wrapper depth;
    int (*unwrap)(const struct wrapped *wrapped); /* enum weir_unwrapped; -1 when there is no memory */
};

#define NAMED(name) name, sizeof(name) - 1

static const struct wrapper wrappers[] = {
    {NAMED("$undefined"), WEIR_WRAPPER_LEAF, unwrap_undefined},
    {NAMED("$numberInt"), WEIR_WRAPPER_LEAF, unwrap_integer},
    {NAMED("$numberLong"), WEIR_WRAPPER_LEAF, unwrap_integer},
    {NAMED("$numberDouble"), WEIR_WRAPPER_LEAF, unwrap_double},
    {NAMED("$numberBig"), WEIR_WRAPPER_LEAF, unwrap_big},
    {NAMED("$f32"), WEIR_WRAPPER_LEAF, unwrap_single},
    {NAMED("$numberDecimal"), WEIR_WRAPPER_LEAF, unwrap_decimal},
    {NAMED("$date"), WEIR_WRAPPER_LEAF, unwrap_date},
    {NAMED("$time"), WEIR_WRAPPER_LEAF, unwrap_time},
    {NAMED("$binary"), WEIR_WRAPPER_LEAF, unwrap_binary},
    {NAMED("$oid"), WEIR_WRAPPER_LEAF, unwrap_object_id},
    {NAMED("$uuid"), WEIR_WRAPPER_LEAF, weir_unwrap_uuid},
    {NAMED("$symbol"), WEIR_WRAPPER_LEAF, weir_unwrap_symbol},
    {NAMED("$code"), WEIR_WRAPPER_LEAF, weir_unwrap_code},
    {NAMED("$timestamp"), WEIR_WRAPPER_LEAF, weir_unwrap_timestamp},
    {NAMED("$regularExpression"), WEIR_WRAPPER_LEAF, weir_unwrap_regex},
    {NAMED("$dbPointer"), WEIR_WRAPPER_LEAF, weir_unwrap_db_pointer},
    {NAMED("$minKey"), WEIR_WRAPPER_LEAF, weir_unwrap_min_key},
    {NAMED("$maxKey"), WEIR_WRAPPER_LEAF, weir_unwrap_max_key},
    {NAMED("$array"), WEIR_WRAPPER_LEAF, unwrap_array},
    {NAMED("$tag"), WEIR_WRAPPER_TAG, unwrap_tag},
    {NAMED("$simple"), WEIR_WRAPPER_TAG, unwrap_simple},
    {NAMED("$bson"), WEIR_WRAPPER_TAG, unwrap_bson},
    {NAMED("$map"), WEIR_WRAPPER_PAIRS, unwrap_pairs},
    {NAMED("$obj"), WEIR_WRAPPER_PAIRS, unwrap_pairs},
};

static const struct wrapper *wrapper_named(const struct weir_value *key) {
    if (key->kind != WEIR_KIND_TEXT || key->count == 0 || *key->as.data != '$')
        return NULL;
    for (size_t i = 0; i < sizeof(wrappers) / sizeof(wrappers[0]); i++)
        if (key->count == wrappers[i].size && memcmp(key->as.data, wrappers[i].name, key->count) == 0)
            return &wrappers[i];
    return NULL;
}

enum weir_wrapper weir_wrapper_of_key(const struct weir_value *key) {
    const struct wrapper *wrapper = wrapper_named(key);
    return wrapper ? wrapper->depth : WEIR_WRAPPER_NONE;
}

int weir_unwrap(struct weir_doc *doc, size_t map) {
    struct wrapped wrapped = {doc, doc->cells + map, doc->cells + map + 2};
    if (wrapped.map->count == 2)
        return weir_unwrap_code_with_scope(&wrapped);
    const struct wrapper *wrapper = wrapper_named(wrapped.map + 1);
    return wrapper ? wrapper->unwrap(&wrapped) : WEIR_UNWRAPPED_NOT;
}
