/* The elements that most documents do not have. Each is read from its own bytes only; what a type without a kind
 * becomes stands at the top of bson.h. */
#include <string.h>

#include "base/utf8.h"
#include "codec/bson/bson.h"

static void put(struct weir_value **cell, struct weir_value value) {
    *(*cell)++ = value;
}

static void put_tag(struct weir_value **cell, uint64_t number) {
    put(cell, (struct weir_value){.kind = WEIR_KIND_TAGGED, .count = WEIR_TAG_BSON, .as.u64 = number});
}

static void put_bytes(struct weir_value **cell, const unsigned char *data, size_t size) {
    put(cell, (struct weir_value){.kind = WEIR_KIND_BYTES, .count = (uint32_t)size, .as.data = data});
}

static const unsigned char *cut_off(struct bson_reader *reader, const unsigned char *end) {
    return weir_bson_bad(reader, end, "a document ends inside an element");
}

/* ---- binaries ---- */

static void put_vector(const weir_ndarray *array, struct weir_value **cell) {
    struct weir_value *shape = *cell + 1;
    put(cell,
        (struct weir_value){
            .kind = WEIR_KIND_NDARRAY, .aux = (uint16_t)(array->element | 1 << 8), .count = 1, .as.data = array->data});
    memset(shape, 0, sizeof(*shape));
    memcpy(shape, array->shape, sizeof(array->shape[0]));
    (*cell)++;
}

static const unsigned char *binary(struct bson_reader *reader, const unsigned char *at, const unsigned char *end,
                                   struct weir_value **cell) {
    enum { HEAD = 5 };
    weir_ndarray vector;
    if (end - at < HEAD)
        return cut_off(reader, end);
    size_t size = weir_bson_load32(at);
    unsigned subtype = at[4];
    const unsigned char *data = at + HEAD;
    if (size > (size_t)(end - data))
        return weir_bson_bad(reader, at, "a binary that is longer than its document");
    const unsigned char *after = data + size;
    if (subtype == BSON_SUBTYPE_OLD) {
        if (size < 4 || weir_bson_load32(data) != size - 4)
            return weir_bson_bad(reader, data, "a binary of subtype 2 whose two lengths disagree");
        data += 4;
        size -= 4;
    }
    if (subtype == BSON_SUBTYPE_VECTOR && weir_bson_vector(data, size, &vector)) {
        put_vector(&vector, cell);
        return after;
    }
    if (subtype != BSON_SUBTYPE_GENERIC)
        put_tag(cell, BSON_TAG_BINARY + subtype);
    put_bytes(cell, data, size);
    return after;
}

/* ---- numbers and times ---- */

static const unsigned char *decimal(struct bson_reader *reader, const unsigned char *at, const unsigned char *end,
                                    struct weir_value **cell) {
    if (end - at < BSON_DECIMAL_SIZE)
        return cut_off(reader, end);
    unsigned char *magnitude = weir_arena_take(&reader->doc->arena, BSON_DECIMAL_SIZE);
    uint32_t size;
    int64_t exponent;
    int is_negative;
    if (!magnitude)
        return weir_bson_out_of_memory(reader);
    if (!weir_bson_decimal_read(at, magnitude, &size, &exponent, &is_negative)) {
        put_tag(cell, BSON_DECIMAL128);
        put_bytes(cell, at, BSON_DECIMAL_SIZE);
        return at + BSON_DECIMAL_SIZE;
    }
    put(cell, (struct weir_value){.kind = WEIR_KIND_DECIMAL,
                                  .flags = is_negative ? WEIR_CELL_NEGATIVE : 0,
                                  .count = size,
                                  .as.data = magnitude});
    put(cell, (struct weir_value){.kind = WEIR_KIND_INT64, .as.i64 = exponent});
    return at + BSON_DECIMAL_SIZE;
}

static const unsigned char *datetime(struct bson_reader *reader, const unsigned char *at, const unsigned char *end,
                                     struct weir_value **cell) {
    if (end - at < 8)
        return cut_off(reader, end);
    int64_t ms = (int64_t)weir_word_at(at);
    struct weir_value time = {.kind = WEIR_KIND_TIME, .aux = WEIR_TIME_MS};
    if (__builtin_mul_overflow(ms, BSON_NS_PER_MS, &time.as.i64)) {
        put_tag(cell, BSON_DATETIME);
        time = (struct weir_value){.kind = WEIR_KIND_INT64, .as.i64 = ms};
    }
    put(cell, time);
    return at + 8;
}

static const unsigned char *timestamp(struct bson_reader *reader, const unsigned char *at, const unsigned char *end,
                                      struct weir_value **cell) {
    if (end - at < 8)
        return cut_off(reader, end);
    uint64_t number = weir_word_at(at);
    put_tag(cell, BSON_TIMESTAMP);
    put(cell, (struct weir_value){.kind = number > INT64_MAX ? WEIR_KIND_UINT64 : WEIR_KIND_INT64, .as.u64 = number});
    return at + 8;
}

/* ---- texts ---- */

/* Bytes up to a NUL, which the end of the document is at the latest. */
static const unsigned char *c_string(struct bson_reader *reader, const unsigned char *at, const unsigned char *end,
                                     struct weir_value **cell) {
    if (at >= end)
        return cut_off(reader, end);
    const unsigned char *nul = memchr(at, 0, (size_t)(end - at));
    if (!nul)
        return cut_off(reader, end);
    const unsigned char *wrong = weir_utf8_bad(at, (size_t)(nul - at), reader->input_end);
    if (wrong)
        return weir_bson_bad(reader, wrong, "a text that is not UTF-8");
    put(cell, (struct weir_value){.kind = WEIR_KIND_TEXT, .count = (uint32_t)(nul - at), .as.data = at});
    return nul + 1;
}

static void put_array(struct weir_value **cell, uint64_t span) {
    put(cell, (struct weir_value){.kind = WEIR_KIND_ARRAY, .count = 2, .as.span = span});
}

static const unsigned char *regex(struct bson_reader *reader, const unsigned char *at, const unsigned char *end,
                                  struct weir_value **cell) {
    put_tag(cell, BSON_REGEX);
    put_array(cell, 3);
    at = c_string(reader, at, end, cell);
    return at ? c_string(reader, at, end, cell) : NULL;
}

static const unsigned char *object_id(struct bson_reader *reader, const unsigned char *at, const unsigned char *end,
                                      struct weir_value **cell) {
    if (end - at < BSON_OBJECT_ID_SIZE)
        return cut_off(reader, end);
    put_bytes(cell, at, BSON_OBJECT_ID_SIZE);
    return at + BSON_OBJECT_ID_SIZE;
}

static const unsigned char *db_pointer(struct bson_reader *reader, const unsigned char *at, const unsigned char *end,
                                       struct weir_value **cell) {
    put_tag(cell, BSON_DBPOINTER);
    put_array(cell, 3);
    at = weir_bson_string(reader, at, end, (*cell)++);
    return at ? object_id(reader, at, end, cell) : NULL;
}

/* Up to the scope, which must fill the rest of it. */
static const unsigned char *code_with_scope(struct bson_reader *reader, const unsigned char *at,
                                            const unsigned char *end, struct weir_value **cell) {
    enum { HEAD = 4, SIZE_MIN = HEAD + BSON_STRING_MIN + BSON_DOCUMENT_MIN };
    if (end - at < SIZE_MIN)
        return cut_off(reader, end);
    uint32_t size = weir_bson_load32(at);
    if (size < SIZE_MIN || size > (size_t)(end - at))
        return weir_bson_bad(reader, at, "a code with scope whose size is not that of one that fits here");
    const unsigned char *after = at + size;
    put_tag(cell, BSON_CODE_WITH_SCOPE);
    put_array(cell, 0); /* ends with the scope, which notes the span */
    at = weir_bson_string(reader, at + HEAD, after - BSON_DOCUMENT_MIN, (*cell)++);
    if (!at)
        return NULL;
    if (weir_bson_load32(at) != (size_t)(after - at))
        return weir_bson_bad(reader, at, "a scope whose size is not the rest of its code's");
    return at;
}

/* ---- all of them ---- */

static const unsigned char *tagged_key(struct bson_reader *reader, unsigned type, const unsigned char *at,
                                       const unsigned char *end, struct weir_value **cell) {
    if (at > end)
        return cut_off(reader, end);
    put_tag(cell, type);
    put(cell, (struct weir_value){.kind = WEIR_KIND_NULL});
    return at;
}

const unsigned char *weir_bson_element(struct bson_reader *reader, unsigned type, const unsigned char *at,
                                       const unsigned char *end, struct weir_value **cell) {
    switch (type) {
    case BSON_BINARY: return binary(reader, at, end, cell);
    case BSON_UNDEFINED:
        if (at > end)
            return cut_off(reader, end);
        put(cell, (struct weir_value){.kind = WEIR_KIND_UNDEFINED});
        return at;
    case BSON_OBJECT_ID: put_tag(cell, type); return object_id(reader, at, end, cell);
    case BSON_DATETIME: return datetime(reader, at, end, cell);
    case BSON_REGEX: return regex(reader, at, end, cell);
    case BSON_DBPOINTER: return db_pointer(reader, at, end, cell);
    case BSON_CODE:
    case BSON_SYMBOL: put_tag(cell, type); return weir_bson_string(reader, at, end, (*cell)++);
    case BSON_CODE_WITH_SCOPE: return code_with_scope(reader, at, end, cell);
    case BSON_TIMESTAMP: return timestamp(reader, at, end, cell);
    case BSON_DECIMAL128: return decimal(reader, at, end, cell);
    default: return tagged_key(reader, type, at, end, cell); /* min key, max key */
    }
}
