/* Raw data: one number or one array of numbers as it lies in memory, least significant byte first. docs/spec/raw.md is the
 * standard.
 *
 * The bytes say nothing about themselves: their type travels beside them, in the frame. weir_decode sees only the bytes and so
 * gives u8[n]; the channel layer, which has the type, uses weir_raw_type_parse and weir_raw_document.
 */
#include <string.h>

#include "codec/codec.h"

/* ---- the type as text ---- */

struct type_text {
    const char *at;
    const char *end;
};

static int take(struct type_text *text, char wanted) {
    if (text->at == text->end || *text->at != wanted)
        return 0;
    text->at++;
    return 1;
}

static uint32_t take_element(struct type_text *text) {
    size_t left = (size_t)(text->end - text->at);
    for (uint32_t element = WEIR_F64; element >= WEIR_U8; element--) {
        const char *name = weir_element_name(element);
        size_t size = strlen(name);
        if (size <= left && memcmp(text->at, name, size) == 0) {
            text->at += size;
            return element;
        }
    }
    return 0;
}

/* A size without leading zeros, so that a type has one spelling. */
static int take_size(struct type_text *text, uint64_t *ret) {
    const char *begin = text->at;
    uint64_t size = 0;
    for (; text->at < text->end && *text->at >= '0' && *text->at <= '9'; text->at++)
        if (__builtin_mul_overflow(size, 10, &size) || __builtin_add_overflow(size, *text->at - '0', &size))
            return 0;
    *ret = size;
    return text->at - begin == 1 || (text->at > begin && *begin != '0');
}

static int take_shape(struct type_text *text, weir_ndarray *array) {
    if (!take(text, '['))
        return 1;
    do {
        if (array->rank == WEIR_RANK_MAX || !take_size(text, &array->shape[array->rank]))
            return 0;
        array->rank++;
    } while (take(text, ','));
    return take(text, ']');
}

static int take_order(struct type_text *text, weir_ndarray *array) {
    size_t left = (size_t)(text->end - text->at);
    if (left == 0)
        return 1;
    array->order = array->rank > 1 ? WEIR_COLUMN : WEIR_ROW;
    text->at = text->end;
    return left == 4 && memcmp(text->end - 4, ":col", 4) == 0;
}

/* The size in bytes that the shape asks for. */
static int array_size(weir_ndarray *array) {
    uint64_t count = weir_ndarray_count(array);
    uint64_t size;
    if (count == UINT64_MAX || __builtin_mul_overflow(count, weir_element_size(array->element), &size) ||
        size > SIZE_MAX)
        return 0;
    array->size = (size_t)size;
    return 1;
}

int weir_raw_type_parse(const char *text, size_t size, weir_ndarray *ret, weir_error *err) {
    struct type_text at = {text, text + size};
    weir_ndarray array = {.element = take_element(&at)};
    if (array.element == 0)
        return weir_fail(
            err, WEIR_EINVAL,
            "the raw type \"%.*s\" begins with no element; write one of u8 u16 u32 u64 i8 i16 i32 i64 f32 f64",
            (int)(size < 64 ? size : 64), text);
    if (!take_shape(&at, &array) || !take_order(&at, &array) || !array_size(&array))
        return weir_fail(err, WEIR_EINVAL,
                         "the raw type \"%.*s\" is not like f64, u8[4096], f64[4,256] or f32[3,3]:col",
                         (int)(size < 64 ? size : 64), text);
    *ret = array;
    return WEIR_OK;
}

size_t weir_raw_type_write(const weir_ndarray *array, char *text) {
    return weir_ndarray_type(array, text);
}

/* ---- values ---- */

int weir_raw_describe(const struct weir_value *value, weir_ndarray *ret, weir_error *err) {
    char type[WEIR_RAW_TYPE_MAX];
    *ret = (weir_ndarray){.data = &value->as, .size = 8};
    switch (value->kind) {
    case WEIR_KIND_NDARRAY: weir_value_ndarray(value, ret); return WEIR_OK;
    case WEIR_KIND_BYTES:
        *ret = (weir_ndarray){
            .element = WEIR_U8, .rank = 1, .shape = {value->count}, .data = value->as.data, .size = value->count};
        return WEIR_OK;
    case WEIR_KIND_INT64: ret->element = WEIR_I64; break;
    case WEIR_KIND_UINT64: ret->element = WEIR_U64; break;
    case WEIR_KIND_FLOAT64: ret->element = WEIR_F64; break;
    case WEIR_KIND_FLOAT32:
        ret->element = WEIR_F32;
        ret->size = 4;
        break;
    default:
        return weir_fail(err, WEIR_EENCODE,
                         "raw: a value of type %s has no raw form; use codec=cbor or send an ndarray",
                         weir_value_type(value, type, sizeof(type)));
    }
    ret->big_endian = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
    return WEIR_OK;
}

int weir_raw_document(struct weir_doc *doc, const weir_ndarray *type, const void *data, size_t size, weir_error *err) {
    weir_ndarray array = *type;
    char text[WEIR_RAW_TYPE_MAX];
    weir_doc_clear(doc);
    if (size != array.size) {
        weir_raw_type_write(type, text);
        return weir_fail(err, WEIR_EPARSE, "raw: %zu bytes are not the %zu of %s", size, array.size, text);
    }
    array.data = data;
    if (array.rank > 0) {
        if (weir_doc_ndarray(doc, &array) != WEIR_OK)
            return weir_fail(err, WEIR_ENOMEM, "raw: out of memory");
    } else {
        struct weir_value *cell = weir_doc_cell(doc);
        if (!cell)
            return weir_fail(err, WEIR_ENOMEM, "raw: out of memory");
        weir_ndarray_element(&array, 0, cell);
    }
    doc->is_finished = 1;
    return WEIR_OK;
}

static int raw_decode(struct weir_doc *doc, const unsigned char *data, size_t size,
                      const struct weir_codec_limits *limits, size_t *ret_used, weir_error *err) {
    (void)limits;
    weir_ndarray array = {.element = WEIR_U8, .rank = 1, .shape = {size}, .data = data, .size = size};
    if (weir_doc_ndarray(doc, &array) != WEIR_OK)
        return weir_fail(err, WEIR_ENOMEM, "raw: out of memory");
    *ret_used = size;
    return WEIR_OK;
}

static int raw_encode(const struct weir_value *value, const struct weir_codec_limits *limits, struct weir_buffer *out,
                      weir_error *err) {
    (void)limits;
    weir_ndarray array;
    int status = weir_raw_describe(value, &array, err);
    if (status != WEIR_OK)
        return status;
    unsigned char *room = weir_buffer_room(out, array.size);
    if (!room && array.size > 0)
        return weir_fail(err, WEIR_ENOMEM, "raw: out of memory");
    weir_ndarray_little_endian(&array, room);
    out->size += array.size;
    return WEIR_OK;
}

const struct weir_codec_ops weir_codec_raw = {
    .name = "raw",
    .media_type = "application/octet-stream",
    .id = WEIR_CODEC_RAW,
    .decode = raw_decode,
    .encode = raw_encode,
};
