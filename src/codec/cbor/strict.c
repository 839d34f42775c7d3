/* What is well-formed but wrong, RFC 8949 section 5.3: repeated keys, and tags around what they do not allow. Looked
 * for only when WEIR_STRICT asks, in one walk over the finished cells. Tags that fold.c turned into a kind are right
 * already; here are those that stayed: they may still be right, only without a kind (a time with an offset, half
 * floats).
 */
#include <string.h>

#include "codec/cbor/cbor.h"

/* ---- RFC 3339 date-times, every spelling ---- */

static int is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Match the beginning of @text against a pattern: '0' is any digit, 'T' and 'Z' may be small. */
static int matches(const char *text, size_t size, const char *pattern) {
    for (size_t i = 0; pattern[i] != '\0'; i++) {
        if (i == size)
            return 0;
        int is_letter = pattern[i] >= 'A';
        if (pattern[i] == '0' ? !is_digit(text[i])
                              : text[i] != pattern[i] && !(is_letter && text[i] == (pattern[i] | 32)))
            return 0;
    }
    return 1;
}

static int number(const char *two_digits) {
    return (two_digits[0] - '0') * 10 + (two_digits[1] - '0');
}

static int is_date_time(const struct weir_value *text) {
    static const unsigned char month_days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    enum { TO_SECONDS = 19 };
    const char *at = (const char *)text->as.data;
    size_t size = text->count;
    if (!matches(at, size, "0000-00-00T00:00:00"))
        return 0;
    int month = number(at + 5), day = number(at + 8);
    if (month < 1 || month > 12 || day < 1 || day > month_days[month - 1] || number(at + 11) > 23 ||
        number(at + 14) > 59 || number(at + 17) > 60)
        return 0;
    at += TO_SECONDS;
    size -= TO_SECONDS;
    if (matches(at, size, ".0")) {
        size_t digits = 1;
        while (digits < size && is_digit(at[digits]))
            digits++;
        at += digits;
        size -= digits;
    }
    if (size == 1)
        return matches(at, size, "Z");
    return size == 6 && (matches(at, size, "+00:00") || matches(at, size, "-00:00")) && number(at + 1) < 24 &&
           number(at + 4) < 60;
}

/* ---- contents ---- */

static int is_integer(const struct weir_value *value) {
    return value->kind == WEIR_KIND_INT64 || value->kind == WEIR_KIND_UINT64 || value->kind == WEIR_KIND_BIGINT;
}

static int is_number(const struct weir_value *value) {
    return is_integer(value) || value->kind == WEIR_KIND_FLOAT32 || value->kind == WEIR_KIND_FLOAT64;
}

static int is_integer_pair(const struct weir_value *value) {
    return value->kind == WEIR_KIND_ARRAY && value->count == 2 && is_integer(&value[1]) && is_integer(&value[2]);
}

/* What tags 21 to 23 are about: bytes, however deep inside. */
static int may_hold_bytes(const struct weir_value *value) {
    return value->kind == WEIR_KIND_BYTES || value->kind == WEIR_KIND_ARRAY || value->kind == WEIR_KIND_MAP ||
           value->kind == WEIR_KIND_TAGGED || value->kind == WEIR_KIND_BIGINT || value->kind == WEIR_KIND_NDARRAY;
}

static int is_shaped(const struct weir_value *value) {
    if (value->kind != WEIR_KIND_ARRAY || value->count != 2 || value[1].kind != WEIR_KIND_ARRAY)
        return 0;
    const struct weir_value *elements = weir_value_after(&value[1]);
    if (elements->kind == WEIR_KIND_NDARRAY) /* would have folded if shape and elements agreed */
        return value[1].count > WEIR_RANK_MAX;
    return elements->kind == WEIR_KIND_ARRAY || elements->kind == WEIR_KIND_TAGGED;
}

/* Bytes that are whole elements of the widths 2 and 16 that have no element type here, or clamped bytes. */
static int is_typed_array(uint64_t tag, const struct weir_value *value) {
    if (value->kind != WEIR_KIND_BYTES)
        return 0;
    int big_endian;
    uint32_t element = weir_cbor_element_of_tag(tag, &big_endian);
    size_t width = element ? weir_element_size(element) : tag < 80 ? 1 : tag % 4 == 0 ? 2 : 16;
    return value->count % width == 0;
}

/* One encoded item, whole. The inside is only checked for form, so a nest of them costs no more than its bytes.
 * Return: WEIR_OK, WEIR_ENOMEM. */
static int check_encoded(const struct weir_value *value, int *ret_is_allowed) {
    weir_doc *doc = NULL;
    *ret_is_allowed = 0;
    if (value->kind != WEIR_KIND_BYTES)
        return WEIR_OK;
    if (weir_doc_new(&doc) != WEIR_OK)
        return WEIR_ENOMEM;
    int status = weir_decode(doc, WEIR_CODEC_CBOR, value->as.data, value->count, NULL, NULL, NULL);
    weir_doc_free(doc);
    *ret_is_allowed = status != WEIR_EPARSE;
    return status == WEIR_ENOMEM ? WEIR_ENOMEM : WEIR_OK;
}

static int is_allowed(uint64_t tag, const struct weir_value *content) {
    int kind = content->kind;
    if (tag >= CBOR_TAG_TYPED_FIRST && tag <= CBOR_TAG_TYPED_LAST)
        return is_typed_array(tag, content);
    switch (tag) {
    case CBOR_TAG_TIME_TEXT: return kind == WEIR_KIND_TEXT && is_date_time(content);
    case CBOR_TAG_TIME: return is_number(content);
    case CBOR_TAG_BIGINT:
    case CBOR_TAG_BIGINT_NEGATIVE: return kind == WEIR_KIND_BYTES;
    case CBOR_TAG_DECIMAL:
    case 5: /* a binary fraction */ return is_integer_pair(content);
    case 21: /* to be shown as base64url, base64, base16 */
    case 22:
    case 23: return may_hold_bytes(content);
    case 32: /* a URI, base64url, base64, a regular expression, a MIME message, a full date */
    case 33:
    case 34:
    case 35:
    case 36:
    case 1004: return kind == WEIR_KIND_TEXT;
    case 37: /* a UUID */ return kind == WEIR_KIND_BYTES && content->count == 16;
    case CBOR_TAG_NDARRAY_ROW:
    case CBOR_TAG_NDARRAY_COLUMN: return is_shaped(content);
    case 41: /* a homogeneous array, a set */
    case 258: return kind == WEIR_KIND_ARRAY;
    case 100: /* days since 1970 */ return is_integer(content);
    case CBOR_TAG_TIME_EXTENDED: return kind == WEIR_KIND_MAP;
    default: return 1;
    }
}

enum { TAG_ENCODED = 24 };

static int check_tag(const struct weir_value *tag, int *ret_is_allowed) {
    if (tag->as.u64 == TAG_ENCODED)
        return check_encoded(tag + 1, ret_is_allowed);
    *ret_is_allowed = is_allowed(tag->as.u64, tag + 1);
    return WEIR_OK;
}

int weir_cbor_check(const struct weir_doc *doc, const struct weir_value **ret_bad, const char **ret_why) {
    const struct weir_value *end = doc->cells + doc->count;
    *ret_bad = NULL;
    for (const struct weir_value *value = doc->cells; value < end && !*ret_bad; value = weir_value_next(value)) {
        if (value->kind == WEIR_KIND_MAP) {
            *ret_why = "a key that stands twice in its map";
            if (weir_map_repeated_key(value, ret_bad) != WEIR_OK)
                return WEIR_ENOMEM;
        } else if (value->kind == WEIR_KIND_TAGGED && value->count == WEIR_TAG_CBOR) {
            int is_right;
            *ret_why = "a tag around a content that it does not allow";
            if (check_tag(value, &is_right) != WEIR_OK)
                return WEIR_ENOMEM;
            if (!is_right)
                *ret_bad = value;
        }
    }
    return WEIR_OK;
}
