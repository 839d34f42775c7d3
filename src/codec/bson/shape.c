/* Which cells are which BSON: maps that are wrappers, binaries that are vectors, tags that have an element type.
 * Decoder and encoder ask the same questions here, so that what one writes the other reads back as it was. */
#include <string.h>

#include "codec/bson/bson.h"

/* ---- wrappers ---- */

/* Their names and the kind of their value. What has an element type has none: {"$oid": ...} stays a map. */
static const struct {
    const char *name;
    int kind;
} wrappers[] = {
    {"$f32", WEIR_KIND_TEXT},     {"$numberBig", WEIR_KIND_TEXT}, {"$numberDecimal", WEIR_KIND_TEXT},
    {"$time", WEIR_KIND_TEXT},    {"$array", WEIR_KIND_MAP},      {"$tag", WEIR_KIND_ARRAY},
    {"$simple", WEIR_KIND_ARRAY}, {"$bson", WEIR_KIND_ARRAY},     {"$map", WEIR_KIND_ARRAY},
    {"$obj", WEIR_KIND_ARRAY},
};

int weir_bson_wrapper_kind(const struct weir_value *key) {
    if (key->kind != WEIR_KIND_TEXT || key->count == 0 || *key->as.data != '$')
        return 0;
    for (size_t i = 0; i < sizeof(wrappers) / sizeof(wrappers[0]); i++)
        if (key->count == strlen(wrappers[i].name) && memcmp(key->as.data, wrappers[i].name, key->count) == 0)
            return wrappers[i].kind;
    return 0;
}

int weir_bson_is_wrapper(const struct weir_value *map) {
    return map->kind == WEIR_KIND_MAP && map->count == 1 && weir_bson_wrapper_kind(map + 1) == map[2].kind;
}

int weir_bson_is_ambiguous(const struct weir_value *map) {
    return weir_bson_is_wrapper(map) ||
           (map->kind == WEIR_KIND_MAP && map->count == 1 && weir_bson_wrapper_kind(map + 1) == WEIR_KIND_MAP &&
            map[2].kind == WEIR_KIND_TAGGED);
}

/* ---- vectors ---- */

int weir_bson_vector(const unsigned char *bytes, size_t size, weir_ndarray *ret) {
    enum { HEAD = 2, INT8 = 0x03, FLOAT32 = 0x27 };
    if (size < HEAD || bytes[1] != 0 || (bytes[0] != INT8 && (bytes[0] != FLOAT32 || (size - HEAD) % 4 != 0)))
        return 0;
    uint32_t element = bytes[0] == INT8 ? WEIR_I8 : WEIR_F32;
    *ret = (weir_ndarray){.element = element, .rank = 1, .data = bytes + HEAD, .size = size - HEAD};
    ret->shape[0] = ret->size / weir_element_size(element);
    return 1;
}

int weir_bson_is_vector(const weir_ndarray *array) {
    return array->rank == 1 && (array->element == WEIR_I8 || (array->element == WEIR_F32 && !array->big_endian));
}

/* ---- tags ---- */

static int is_c_string(const struct weir_value *text) {
    return text->kind == WEIR_KIND_TEXT && (text->count == 0 || !memchr(text->as.data, 0, text->count));
}

static int is_bytes(const struct weir_value *value, uint32_t size) {
    return value->kind == WEIR_KIND_BYTES && value->count == size;
}

static int is_pair(const struct weir_value *value) {
    return value->kind == WEIR_KIND_ARRAY && value->count == 2 && value[1].kind == WEIR_KIND_TEXT;
}

static int is_binary(uint64_t subtype, const struct weir_value *content) {
    weir_ndarray vector;
    if (content->kind != WEIR_KIND_BYTES || subtype == BSON_SUBTYPE_GENERIC || subtype > UINT8_MAX)
        return 0;
    return subtype != BSON_SUBTYPE_VECTOR || !weir_bson_vector(content->as.data, content->count, &vector);
}

/* 16 bytes that are no DECIMAL. */
static int is_other_decimal(const struct weir_value *content) {
    unsigned char magnitude[BSON_DECIMAL_SIZE];
    uint32_t size;
    int64_t exponent;
    int is_negative;
    return is_bytes(content, BSON_DECIMAL_SIZE) &&
           !weir_bson_decimal_read(content->as.data, magnitude, &size, &exponent, &is_negative);
}

/* Milliseconds that are no TIME. */
static int is_far_time(const struct weir_value *content) {
    int64_t ns;
    return content->kind == WEIR_KIND_INT64 && __builtin_mul_overflow(content->as.i64, BSON_NS_PER_MS, &ns);
}

int weir_bson_tag_is_native(const struct weir_value *tagged) {
    const struct weir_value *content = tagged + 1;
    uint64_t number = tagged->as.u64;
    if (tagged->count != WEIR_TAG_BSON)
        return 0;
    if (number >= BSON_TAG_BINARY)
        return is_binary(number - BSON_TAG_BINARY, content);
    switch (number) {
    case BSON_OBJECT_ID: return is_bytes(content, BSON_OBJECT_ID_SIZE);
    case BSON_DATETIME: return is_far_time(content);
    case BSON_REGEX: return is_pair(content) && is_c_string(content + 1) && is_c_string(content + 2);
    case BSON_DBPOINTER: return is_pair(content) && is_bytes(content + 2, BSON_OBJECT_ID_SIZE);
    case BSON_CODE:
    case BSON_SYMBOL: return content->kind == WEIR_KIND_TEXT;
    case BSON_CODE_WITH_SCOPE: return is_pair(content) && content[2].kind == WEIR_KIND_MAP;
    case BSON_TIMESTAMP:
        return content->kind == WEIR_KIND_UINT64 || (content->kind == WEIR_KIND_INT64 && content->as.i64 >= 0);
    case BSON_DECIMAL128: return is_other_decimal(content);
    case BSON_MAX_KEY:
    case BSON_MIN_KEY: return content->kind == WEIR_KIND_NULL;
    default: return 0;
    }
}
