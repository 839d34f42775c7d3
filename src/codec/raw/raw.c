/* Raw data: numbers, arrays and structs as they lie in memory, least significant byte first. docs/spec/raw.md is the
 * standard.
 *
 * The bytes say nothing about themselves: their type travels beside them, in the frame. weir_decode sees only the bytes
 * and so gives u8[n]; who has the type uses weir_type_new and what goes with it (type.c, layout.c, decode.c, encode.c).
 * One number or array of numbers, the most frequent by far, needs no parsed type: here it is read straight into a
 * weir_ndarray.
 */
#include <string.h>

#include "codec/raw/raw.h"

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
    struct weir_type_cursor at = {text, text, text + size, 0};
    weir_ndarray array = {.element = weir_type_take_element(&at)};
    if (array.element == 0)
        return weir_fail(
            err, WEIR_EINVAL,
            "the raw type \"%.*s\" begins with no element; write one of u8 u16 u32 u64 i8 i16 i32 i64 f32 f64",
            (int)(size < 64 ? size : 64), text);
    if (!weir_type_take_array(&at, array.shape, &array.rank, &array.order) || at.at != at.end || !array_size(&array))
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
        return weir_fail(err, WEIR_EPARSE, "raw: %zu byte%s, and %s has %zu", size, WEIR_S(size), text, array.size);
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
    .cell_bytes = 1,
    .decode = raw_decode,
    .encode = raw_encode,
};
