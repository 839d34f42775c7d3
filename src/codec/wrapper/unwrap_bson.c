/* Reading the wrappers of BSON's own types, by the names of Extended JSON v2. They become what the BSON decoder makes
 * of these types; bson.h lists it. */
#include <string.h>

#include "codec/wrapper/unwrap.h"

static int becomes_tagged(const struct wrapped *wrapped, uint64_t number, struct weir_value content) {
    weir_wrapped_becomes(wrapped, content);
    return weir_wrapped_becomes_tagged(wrapped, WEIR_TAG_BSON, number, wrapped->map);
}

static int becomes_bytes(const struct wrapped *wrapped, uint64_t number, const unsigned char *bytes, uint32_t size) {
    struct weir_value content = {.kind = WEIR_KIND_BYTES, .count = size, .as.data = bytes};
    return becomes_tagged(wrapped, number, content);
}

/* By an array of two cells with a tag around it. */
static int becomes_pair(const struct wrapped *wrapped, uint64_t number, struct weir_value first,
                        struct weir_value second) {
    struct weir_value *map = wrapped->map;
    map[0] = (struct weir_value){.kind = WEIR_KIND_TAGGED, .count = WEIR_TAG_BSON, .as.u64 = number};
    map[1] = (struct weir_value){.kind = WEIR_KIND_ARRAY, .count = 2, .as.span = 3};
    map[2] = first;
    map[3] = second;
    wrapped->doc->count = (size_t)(map - wrapped->doc->cells) + 4;
    return WEIR_UNWRAPPED_DONE;
}

/* ---- texts ---- */

static int unwrap_text(const struct wrapped *wrapped, uint64_t number) {
    if (wrapped->content->kind != WEIR_KIND_TEXT)
        return WEIR_UNWRAPPED_BAD;
    return becomes_tagged(wrapped, number, *wrapped->content);
}

int weir_unwrap_symbol(const struct wrapped *wrapped) {
    return unwrap_text(wrapped, BSON_SYMBOL);
}

int weir_unwrap_code(const struct wrapped *wrapped) {
    return unwrap_text(wrapped, BSON_CODE);
}

int weir_unwrap_code_with_scope(const struct wrapped *wrapped) {
    struct weir_value *map = wrapped->map;
    uint32_t left = map->count;
    const struct weir_value *code = weir_wrapped_member(map, "$code", &left);
    const struct weir_value *scope = weir_wrapped_member(map, "$scope", &left);
    if (left > 0 || !code || !scope)
        return WEIR_UNWRAPPED_NOT;
    if (code->kind != WEIR_KIND_TEXT || scope->kind != WEIR_KIND_MAP)
        return WEIR_UNWRAPPED_BAD;
    struct weir_value text = *code;
    size_t cells = (size_t)scope->as.span;
    memmove(map + 3, scope, cells * sizeof(*map));
    map[0] = (struct weir_value){.kind = WEIR_KIND_TAGGED, .count = WEIR_TAG_BSON, .as.u64 = BSON_CODE_WITH_SCOPE};
    map[1] = (struct weir_value){.kind = WEIR_KIND_ARRAY, .count = 2, .as.span = 2 + cells};
    map[2] = text;
    wrapped->doc->count = (size_t)(map - wrapped->doc->cells) + 3 + cells;
    return WEIR_UNWRAPPED_DONE;
}

/* A text that BSON can end with a NUL. */
static int is_c_string(const struct weir_value *text) {
    return text && text->kind == WEIR_KIND_TEXT && (text->count == 0 || !memchr(text->as.data, 0, text->count));
}

int weir_unwrap_regex(const struct wrapped *wrapped) {
    const struct weir_value *content = wrapped->content;
    if (content->kind != WEIR_KIND_MAP)
        return WEIR_UNWRAPPED_BAD;
    uint32_t left = content->count;
    const struct weir_value *pattern = weir_wrapped_member(content, "pattern", &left);
    const struct weir_value *options = weir_wrapped_member(content, "options", &left);
    if (left > 0 || !is_c_string(pattern) || !is_c_string(options))
        return WEIR_UNWRAPPED_BAD;
    return becomes_pair(wrapped, BSON_REGEX, *pattern, *options);
}

/* {"$ref": text, "$id": an ObjectId}; the inner wrapper has become what it stands for. */
int weir_unwrap_db_pointer(const struct wrapped *wrapped) {
    const struct weir_value *content = wrapped->content;
    if (content->kind != WEIR_KIND_MAP)
        return WEIR_UNWRAPPED_BAD;
    uint32_t left = content->count;
    const struct weir_value *name = weir_wrapped_member(content, "$ref", &left);
    const struct weir_value *id = weir_wrapped_member(content, "$id", &left);
    if (left > 0 || !name || !id || name->kind != WEIR_KIND_TEXT || id->kind != WEIR_KIND_TAGGED ||
        id->count != WEIR_TAG_BSON || id->as.u64 != BSON_OBJECT_ID || id[1].kind != WEIR_KIND_BYTES ||
        id[1].count != BSON_OBJECT_ID_SIZE)
        return WEIR_UNWRAPPED_BAD;
    return becomes_pair(wrapped, BSON_DBPOINTER, *name, id[1]);
}

/* ---- bytes ---- */

int weir_unwrap_subtype(const struct wrapped *wrapped, unsigned subtype, const struct weir_value *bytes) {
    weir_ndarray vector;
    if (subtype == BSON_SUBTYPE_GENERIC)
        return weir_wrapped_becomes(wrapped, *bytes);
    if (subtype != BSON_SUBTYPE_VECTOR || !weir_bson_vector(bytes->as.data, bytes->count, &vector))
        return becomes_tagged(wrapped, BSON_TAG_BINARY + subtype, *bytes);
    wrapped->doc->count = (size_t)(wrapped->map - wrapped->doc->cells);
    return weir_doc_ndarray(wrapped->doc, &vector) == WEIR_OK ? WEIR_UNWRAPPED_DONE : -1;
}

/* "73ffd264-44b3-4c69-90e8-e7d1dfc035d4" */
int weir_unwrap_uuid(const struct wrapped *wrapped) {
    enum { GROUPS = 5, TEXT_SIZE = 36, SIZE = 16, SUBTYPE = 4 };
    static const unsigned char sizes[GROUPS] = {4, 2, 2, 2, 6};
    const struct weir_value *text = wrapped->content;
    if (text->kind != WEIR_KIND_TEXT || text->count != TEXT_SIZE)
        return WEIR_UNWRAPPED_BAD;
    unsigned char *bytes = weir_arena_take(&wrapped->doc->arena, SIZE);
    if (!bytes)
        return -1;
    const unsigned char *from = text->as.data;
    unsigned char *to = bytes;
    for (int i = 0; i < GROUPS; i++) {
        if ((i > 0 && *from++ != '-') || !weir_hex_bytes(from, sizes[i], to))
            return WEIR_UNWRAPPED_BAD;
        from += 2 * sizes[i];
        to += sizes[i];
    }
    return becomes_bytes(wrapped, BSON_TAG_BINARY + SUBTYPE, bytes, SIZE);
}

/* ---- numbers ---- */

static int is_u32(const struct weir_value *value) {
    return value && value->kind == WEIR_KIND_INT64 && value->as.i64 >= 0 && value->as.i64 <= UINT32_MAX;
}

int weir_unwrap_timestamp(const struct wrapped *wrapped) {
    const struct weir_value *content = wrapped->content;
    if (content->kind != WEIR_KIND_MAP)
        return WEIR_UNWRAPPED_BAD;
    uint32_t left = content->count;
    const struct weir_value *seconds = weir_wrapped_member(content, "t", &left);
    const struct weir_value *counter = weir_wrapped_member(content, "i", &left);
    if (left > 0 || !is_u32(seconds) || !is_u32(counter))
        return WEIR_UNWRAPPED_BAD;
    uint64_t number = seconds->as.u64 << 32 | counter->as.u64;
    int kind = number > INT64_MAX ? WEIR_KIND_UINT64 : WEIR_KIND_INT64;
    return becomes_tagged(wrapped, BSON_TIMESTAMP, (struct weir_value){.kind = (uint8_t)kind, .as.u64 = number});
}

static int becomes_decimal(const struct wrapped *wrapped, uint64_t high) {
    unsigned char *bytes = weir_arena_take(&wrapped->doc->arena, BSON_DECIMAL_SIZE);
    if (!bytes)
        return -1;
    weir_word_put(bytes, 0);
    weir_word_put(bytes + 8, high);
    return becomes_bytes(wrapped, BSON_DECIMAL128, bytes, BSON_DECIMAL_SIZE);
}

int weir_unwrap_special_decimal(const struct wrapped *wrapped) {
    const struct weir_value *text = wrapped->content;
    uint64_t high = weir_text_is(text, "NaN")         ? BSON_DECIMAL_NAN
                    : weir_text_is(text, "Infinity")  ? BSON_DECIMAL_INFINITY
                    : weir_text_is(text, "-Infinity") ? BSON_DECIMAL_INFINITY | BSON_DECIMAL_NEGATIVE
                                                      : 0;
    return high != 0 ? becomes_decimal(wrapped, high) : WEIR_UNWRAPPED_BAD;
}

int weir_unwrap_negative_zero(const struct wrapped *wrapped, int64_t exponent) {
    unsigned char bytes[BSON_DECIMAL_SIZE];
    const struct weir_value zero[2] = {{.kind = WEIR_KIND_DECIMAL}, {.kind = WEIR_KIND_INT64, .as.i64 = exponent}};
    if (!weir_bson_decimal_write(zero, bytes))
        return WEIR_UNWRAPPED_BAD;
    return becomes_decimal(wrapped, weir_word_at(bytes + 8) | BSON_DECIMAL_NEGATIVE);
}

/* ---- keys ---- */

static int unwrap_key(const struct wrapped *wrapped, uint64_t number) {
    if (wrapped->content->kind != WEIR_KIND_INT64 || wrapped->content->as.i64 != 1)
        return WEIR_UNWRAPPED_BAD;
    return becomes_tagged(wrapped, number, (struct weir_value){.kind = WEIR_KIND_NULL});
}

int weir_unwrap_min_key(const struct wrapped *wrapped) {
    return unwrap_key(wrapped, BSON_MIN_KEY);
}

int weir_unwrap_max_key(const struct wrapped *wrapped) {
    return unwrap_key(wrapped, BSON_MAX_KEY);
}
