/* Writing wrappers: the cells of the map that stands for a value, for formats that write cells anyway. JSON writes the
 * same shapes as text, in codec/json/write.c; what is written here and read there is one document. */
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "codec/bson/bson.h"
#include "codec/wrapper/wrapper.h"

/* ---- cells ---- */

static struct weir_value text_cell(const char *text, size_t size) {
    return (struct weir_value){.kind = WEIR_KIND_TEXT, .count = (uint32_t)size, .as.data = (const unsigned char *)text};
}

static void put(struct weir_wrap *wrap, struct weir_value cell) {
    wrap->cells[wrap->count++] = cell;
}

static void put_text(struct weir_wrap *wrap, const char *text) {
    put(wrap, text_cell(text, strlen(text)));
}

/* Begin a map or array; its span is noted by end. Return: its index. */
static uint32_t begin(struct weir_wrap *wrap, int kind, uint32_t count) {
    put(wrap, (struct weir_value){.kind = (uint8_t)kind, .count = count});
    return wrap->count - 1;
}

static void end(struct weir_wrap *wrap, uint32_t index) {
    wrap->cells[index].as.span = wrap->count - index;
}

/* {"name": content} */
static int whole(struct weir_wrap *wrap, const char *name, struct weir_value content) {
    begin(wrap, WEIR_KIND_MAP, 1);
    put_text(wrap, name);
    put(wrap, content);
    end(wrap, 0);
    return WEIR_OK;
}

/* ---- numbers ---- */

/* Whether the digits of a BIGINT or DECIMAL surely fit the text. */
static int fits(const struct weir_value *value) {
    return weir_wrap_decimal_max(value) <= WEIR_DECIMAL_TEXT_MAX;
}

static int wrap_integer(const struct weir_value *value, struct weir_wrap *wrap) {
    size_t size;
    if (value->kind == WEIR_KIND_UINT64)
        return whole(wrap, "$numberBig", text_cell(wrap->text, weir_u64_write(wrap->text, value->as.u64)));
    size_t is_negative = (value->flags & WEIR_CELL_NEGATIVE) != 0;
    wrap->text[0] = '-';
    if (!fits(value) || weir_magnitude_digits(value, wrap->text + is_negative, &size) != WEIR_OK)
        return WEIR_ELIMIT;
    return whole(wrap, "$numberBig", text_cell(wrap->text, is_negative + size));
}

static int wrap_decimal(const struct weir_value *value, struct weir_wrap *wrap) {
    size_t size;
    if (!fits(value) || weir_wrap_decimal_text(value, wrap->text, &size) != WEIR_OK)
        return WEIR_ELIMIT;
    return whole(wrap, "$numberDecimal", text_cell(wrap->text, size));
}

static int wrap_time(const struct weir_value *value, struct weir_wrap *wrap) {
    enum { NS_PER_MS = 1000000 };
    int64_t ns = value->as.i64;
    if (value->aux == WEIR_TIME_MS && ns % NS_PER_MS == 0)
        return whole(wrap, "$date", (struct weir_value){.kind = WEIR_KIND_INT64, .as.i64 = ns / NS_PER_MS});
    return whole(wrap, "$time", text_cell(wrap->text, weir_time_write(wrap->text, ns)));
}

/* ---- ndarrays ---- */

static struct weir_value dimension_cell(uint64_t size) {
    return (struct weir_value){.kind = size > INT64_MAX ? WEIR_KIND_UINT64 : WEIR_KIND_INT64, .as.u64 = size};
}

static int wrap_ndarray(const struct weir_value *value, struct weir_wrap *wrap) {
    weir_ndarray array;
    weir_value_ndarray(value, &array);
    if (array.size > UINT32_MAX)
        return WEIR_ELIMIT;
    const char *order = weir_element_size(array.element) == 1 ? "" : array.big_endian ? "be" : "le";
    int size = sprintf(wrap->text, "%s%s", weir_element_name(array.element), order);
    begin(wrap, WEIR_KIND_MAP, 1);
    put_text(wrap, "$array");
    uint32_t content = begin(wrap, WEIR_KIND_MAP, 4);
    put_text(wrap, "dtype");
    put(wrap, text_cell(wrap->text, (size_t)size));
    put_text(wrap, "dims");
    uint32_t dims = begin(wrap, WEIR_KIND_ARRAY, array.rank);
    for (uint32_t i = 0; i < array.rank; i++)
        put(wrap, dimension_cell(array.shape[i]));
    end(wrap, dims);
    put_text(wrap, "order");
    put_text(wrap, array.order == WEIR_COLUMN ? "column" : "row");
    put_text(wrap, "data");
    put(wrap, (struct weir_value){.kind = WEIR_KIND_BYTES, .count = (uint32_t)array.size, .as.data = array.data});
    end(wrap, content);
    end(wrap, 0);
    return WEIR_OK;
}

/* ---- BSON's types ---- */

/* The text of a decimal that is no DECIMAL: NaN, an infinity, -0 with its exponent. Return: its length, 0 for none. */
static size_t special_decimal(const unsigned char *bytes, char *text) {
    uint64_t high = weir_word_at(bytes + 8);
    unsigned char positive[BSON_DECIMAL_SIZE], magnitude[BSON_DECIMAL_SIZE];
    struct weir_value zero[2] = {{.kind = WEIR_KIND_DECIMAL,
                                  .flags = WEIR_CELL_NEGATIVE | WEIR_CELL_DIGITS,
                                  .count = 1,
                                  .as.data = (const unsigned char *)"0"},
                                 {.kind = WEIR_KIND_INT64}};
    uint32_t count;
    int is_negative;
    size_t size = 0;
    if (weir_word_at(bytes) != 0)
        return 0;
    if (high == BSON_DECIMAL_NAN)
        return (size_t)sprintf(text, "NaN");
    if ((high & ~BSON_DECIMAL_NEGATIVE) == BSON_DECIMAL_INFINITY)
        return (size_t)sprintf(text, high & BSON_DECIMAL_NEGATIVE ? "-Infinity" : "Infinity");
    weir_word_put(positive, 0);
    weir_word_put(positive + 8, high & ~BSON_DECIMAL_NEGATIVE);
    if (!weir_bson_decimal_read(positive, magnitude, &count, &zero[1].as.i64, &is_negative) || count > 0 ||
        weir_wrap_decimal_text(zero, text, &size) != WEIR_OK)
        return 0;
    return size;
}

int weir_wrap_is_whole(const struct weir_value *tagged) {
    char text[WEIR_FLOAT_TEXT_MAX];
    if (!weir_bson_tag_is_native(tagged) || tagged->as.u64 == BSON_CODE_WITH_SCOPE)
        return 0;
    return tagged->as.u64 != BSON_DECIMAL128 || special_decimal(tagged[1].as.data, text) > 0;
}

int weir_wrap_is_code_with_scope(const struct weir_value *tagged) {
    return tagged->as.u64 == BSON_CODE_WITH_SCOPE && weir_bson_tag_is_native(tagged);
}

static int is_text(const struct weir_value *value, const char *text) {
    return value->kind == WEIR_KIND_TEXT && value->count == strlen(text) &&
           memcmp(value->as.data, text, value->count) == 0;
}

int weir_wrap_is_like_code(const struct weir_value *map) {
    const struct weir_value *second = weir_value_after(map + 2);
    return (is_text(map + 1, "$code") && is_text(second, "$scope")) ||
           (is_text(map + 1, "$scope") && is_text(second, "$code"));
}

static void put_hex(char *to, const unsigned char *bytes, size_t size) {
    for (size_t i = 0; i < size; i++)
        sprintf(to + 2 * i, "%02x", bytes[i]);
}

static struct weir_value integer_cell(int64_t value) {
    return (struct weir_value){.kind = WEIR_KIND_INT64, .as.i64 = value};
}

/* {"name": {first_name: first, second_name: second}} */
static int pair(struct weir_wrap *wrap, const char *name, const char *first_name, struct weir_value first,
                const char *second_name, struct weir_value second) {
    begin(wrap, WEIR_KIND_MAP, 1);
    put_text(wrap, name);
    uint32_t content = begin(wrap, WEIR_KIND_MAP, 2);
    put_text(wrap, first_name);
    put(wrap, first);
    put_text(wrap, second_name);
    put(wrap, second);
    end(wrap, content);
    end(wrap, 0);
    return WEIR_OK;
}

static struct weir_value object_id_cell(struct weir_wrap *wrap, const unsigned char *bytes) {
    put_hex(wrap->text, bytes, BSON_OBJECT_ID_SIZE);
    return text_cell(wrap->text, (size_t)2 * BSON_OBJECT_ID_SIZE);
}

/* {"$dbPointer": {"$ref": name, "$id": {"$oid": hexadecimal}}} */
static int wrap_db_pointer(const struct weir_value *content, struct weir_wrap *wrap) {
    begin(wrap, WEIR_KIND_MAP, 1);
    put_text(wrap, "$dbPointer");
    uint32_t pointer = begin(wrap, WEIR_KIND_MAP, 2);
    put_text(wrap, "$ref");
    put(wrap, content[1]);
    put_text(wrap, "$id");
    uint32_t id = begin(wrap, WEIR_KIND_MAP, 1);
    put_text(wrap, "$oid");
    put(wrap, object_id_cell(wrap, content[2].as.data));
    end(wrap, id);
    end(wrap, pointer);
    end(wrap, 0);
    return WEIR_OK;
}

static int wrap_tagged(const struct weir_value *tagged, struct weir_wrap *wrap) {
    const struct weir_value *content = tagged + 1;
    unsigned char subtype = (unsigned char)(tagged->as.u64 - BSON_TAG_BINARY);
    switch (tagged->as.u64) {
    case BSON_OBJECT_ID: return whole(wrap, "$oid", object_id_cell(wrap, content->as.data));
    case BSON_DATETIME: return whole(wrap, "$date", *content);
    case BSON_REGEX: return pair(wrap, "$regularExpression", "pattern", content[1], "options", content[2]);
    case BSON_DBPOINTER: return wrap_db_pointer(content, wrap);
    case BSON_CODE: return whole(wrap, "$code", *content);
    case BSON_SYMBOL: return whole(wrap, "$symbol", *content);
    case BSON_TIMESTAMP:
        return pair(wrap, "$timestamp", "t", integer_cell((int64_t)(content->as.u64 >> 32)), "i",
                    integer_cell((int64_t)(content->as.u64 & UINT32_MAX)));
    case BSON_DECIMAL128:
        return whole(wrap, "$numberDecimal", text_cell(wrap->text, special_decimal(content->as.data, wrap->text)));
    case BSON_MIN_KEY: return whole(wrap, "$minKey", integer_cell(1));
    case BSON_MAX_KEY: return whole(wrap, "$maxKey", integer_cell(1));
    default: put_hex(wrap->text, &subtype, 1);
    }
    return pair(wrap, "$binary", "data", *content, "subType", text_cell(wrap->text, 2));
}

/* ---- tags and maps ---- */

const char *weir_wrap_tag_name(const struct weir_value *tagged) {
    static const char *const names[] = {
        [WEIR_TAG_CBOR] = "$tag", [WEIR_TAG_SIMPLE] = "$simple", [WEIR_TAG_BSON] = "$bson"};
    return names[tagged->count <= WEIR_TAG_BSON ? tagged->count : WEIR_TAG_CBOR];
}

int weir_wrap_has_other_keys(const struct weir_value *map) {
    const struct weir_value *key = map + 1;
    for (uint32_t i = 0; i < map->count; i++) {
        if (key->kind != WEIR_KIND_TEXT)
            return 1;
        key = weir_value_after(key + 1);
    }
    return 0;
}

int weir_wrap(const struct weir_value *value, struct weir_wrap *ret) {
    ret->count = 0;
    switch (value->kind) {
    case WEIR_KIND_UINT64:
    case WEIR_KIND_BIGINT: return wrap_integer(value, ret);
    case WEIR_KIND_FLOAT32:
        return whole(ret, "$f32", text_cell(ret->text, weir_wrap_f32_text(value->as.f32, ret->text)));
    case WEIR_KIND_DECIMAL: return wrap_decimal(value, ret);
    case WEIR_KIND_TIME: return wrap_time(value, ret);
    case WEIR_KIND_NDARRAY: return wrap_ndarray(value, ret);
    case WEIR_KIND_TAGGED: return wrap_tagged(value, ret);
    default: return whole(ret, "$undefined", (struct weir_value){.kind = WEIR_KIND_BOOL, .as.i64 = 1});
    }
}
