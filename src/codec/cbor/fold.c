/* Tags that mean a kind of the document: a TAGGED cell and its content, complete and last in the document, become that
 * kind in place. It never takes more cells than there were. Working on cells and not on bytes, it does not matter how
 * the content was encoded (long heads, indefinite lengths, chunks): the same value gives the same cells.
 *
 * A tag whose content means nothing stays TAGGED, which is lossless, and strict.c says whether it was allowed.
 */
#include <math.h>
#include <string.h>

#include "codec/cbor/cbor.h"

/* ---- typed arrays, RFC 8746: the tag is 010 f s e ll ---- */

enum { TYPED_FLOAT = 16, TYPED_SIGNED = 8, TYPED_LITTLE_ENDIAN = 4, TYPED_SIZE = 3 };

uint32_t weir_cbor_element_of_tag(uint64_t tag, int *ret_big_endian) {
    if (tag < CBOR_TAG_TYPED_FIRST || tag > CBOR_TAG_TYPED_LAST)
        return 0;
    uint32_t bits = (uint32_t)tag - CBOR_TAG_TYPED_FIRST;
    uint32_t size = bits & TYPED_SIZE;
    *ret_big_endian = !(bits & TYPED_LITTLE_ENDIAN);
    if (bits & TYPED_FLOAT)
        return size == 1 ? WEIR_F32 : size == 2 ? WEIR_F64 : 0;
    if (size == 0 && bits & TYPED_LITTLE_ENDIAN) /* bytes have no order: 68 is clamped arithmetic, 76 is reserved */
        return 0;
    return (bits & TYPED_SIGNED ? WEIR_I8 : WEIR_U8) + size;
}

uint64_t weir_cbor_tag_of_element(uint32_t element, int is_big_endian) {
    uint32_t little = is_big_endian ? 0 : TYPED_LITTLE_ENDIAN;
    if (element >= WEIR_F32)
        return CBOR_TAG_TYPED_FIRST + TYPED_FLOAT + little + (element - WEIR_F32 + 1);
    uint32_t is_signed = element >= WEIR_I8 ? TYPED_SIGNED : 0;
    uint32_t size = (element - WEIR_U8) % 4;
    return CBOR_TAG_TYPED_FIRST + is_signed + size + (size > 0 ? little : 0);
}

/* Replace the cells from @tag to the end by an ndarray. */
static int replace_ndarray(struct weir_doc *doc, size_t tag, const weir_ndarray *array) {
    size_t count = doc->count;
    doc->count = tag;
    int status = weir_doc_ndarray(doc, array);
    if (status == WEIR_OK)
        return WEIR_OK;
    doc->count = count;
    return status == WEIR_EINVAL ? WEIR_OK : status;
}

static int fold_typed(struct weir_doc *doc, size_t tag) {
    const struct weir_value *content = &doc->cells[tag + 1];
    weir_ndarray array = {.rank = 1, .data = content->as.data, .size = content->count};
    int is_big_endian = 0;
    array.element = weir_cbor_element_of_tag(doc->cells[tag].as.u64, &is_big_endian);
    if (array.element == 0 || content->kind != WEIR_KIND_BYTES || array.size % weir_element_size(array.element) != 0)
        return WEIR_OK;
    array.big_endian = (uint32_t)is_big_endian;
    array.shape[0] = array.size / weir_element_size(array.element);
    return replace_ndarray(doc, tag, &array);
}

/* 40 and 1040: [dimensions, a typed array]. */
static int fold_ndarray(struct weir_doc *doc, size_t tag) {
    const struct weir_value *pair = &doc->cells[tag + 1];
    const struct weir_value *shape = pair + 1;
    if (pair->kind != WEIR_KIND_ARRAY || pair->count != 2 || shape->kind != WEIR_KIND_ARRAY ||
        shape->count > WEIR_RANK_MAX)
        return WEIR_OK;
    const struct weir_value *elements = weir_value_after(shape);
    if (elements->kind != WEIR_KIND_NDARRAY)
        return WEIR_OK;
    weir_ndarray array;
    weir_value_ndarray(elements, &array);
    if (array.rank != 1)
        return WEIR_OK;
    array.rank = shape->count;
    array.order = doc->cells[tag].as.u64 == CBOR_TAG_NDARRAY_COLUMN ? WEIR_COLUMN : WEIR_ROW;
    for (uint32_t i = 0; i < array.rank; i++) {
        const struct weir_value *dimension = &shape[1 + i];
        if (dimension->kind != WEIR_KIND_UINT64 && (dimension->kind != WEIR_KIND_INT64 || dimension->as.i64 < 0))
            return WEIR_OK;
        array.shape[i] = dimension->as.u64;
    }
    return replace_ndarray(doc, tag, &array);
}

/* ---- integers and decimals ---- */

static uint64_t magnitude_small(const unsigned char *bytes, size_t size) {
    uint64_t magnitude = 0;
    for (size_t i = 0; i < size; i++)
        magnitude = magnitude << 8 | bytes[i];
    return magnitude;
}

/* A copy of @bytes plus one, in the arena. A carry may take one byte more. */
static const unsigned char *incremented(struct weir_doc *doc, const unsigned char *bytes, size_t *size) {
    unsigned char *copy = weir_arena_take(&doc->arena, *size + 1);
    if (!copy)
        return NULL;
    copy[0] = 0;
    memcpy(copy + 1, bytes, *size);
    size_t at = *size;
    while (++copy[at] == 0)
        at--;
    if (copy[0] == 0)
        return copy + 1;
    ++*size;
    return copy;
}

static int fold_bigint(struct weir_doc *doc, size_t tag) {
    struct weir_value *cell = &doc->cells[tag];
    const unsigned char *bytes = cell[1].as.data;
    size_t size = cell[1].count;
    int is_negative = cell->as.u64 == CBOR_TAG_BIGINT_NEGATIVE;
    if (cell[1].kind != WEIR_KIND_BYTES)
        return WEIR_OK;
    while (size > 0 && *bytes == 0) {
        bytes++;
        size--;
    }
    if (size > WEIR_MAGNITUDE_MAX) /* before anything is copied */
        return WEIR_OK;
    uint64_t small = size <= 8 ? magnitude_small(bytes, size) : UINT64_MAX;
    struct weir_value integer = {.kind = WEIR_KIND_INT64, .as.u64 = is_negative ? ~small : small};
    if (small > INT64_MAX && size <= 8 && !is_negative) {
        integer.kind = WEIR_KIND_UINT64;
    } else if (small > INT64_MAX) {
        if (is_negative)
            bytes = incremented(doc, bytes, &size);
        if (!bytes)
            return WEIR_ENOMEM;
        if (!weir_magnitude_is_within(bytes, size))
            return WEIR_OK;
        integer = (struct weir_value){.kind = WEIR_KIND_BIGINT,
                                      .flags = is_negative ? WEIR_CELL_NEGATIVE : 0,
                                      .count = (uint32_t)size,
                                      .as.data = bytes};
    }
    *cell = integer;
    doc->count = tag + 1;
    return WEIR_OK;
}

/* The numbers below 256 as a byte each, to point at: a decimal may take no more than four bytes of input, and the
 * arena's smallest piece is 16. */
#define FOUR(n)    (n), (n) + 1, (n) + 2, (n) + 3
#define SIXTEEN(n) FOUR(n), FOUR((n) + 4), FOUR((n) + 8), FOUR((n) + 12)
#define MANY(n)    SIXTEEN(n), SIXTEEN((n) + 16), SIXTEEN((n) + 32), SIXTEEN((n) + 48)
static const unsigned char single_bytes[256] = {MANY(0), MANY(64), MANY(128), MANY(192)};

/* The bytes of @magnitude, most significant first, without leading zeros. Return: NULL when there is no memory. */
static const unsigned char *magnitude_bytes(struct weir_doc *doc, uint64_t magnitude, uint32_t *ret_count) {
    if (magnitude < sizeof(single_bytes)) {
        *ret_count = magnitude > 0;
        return &single_bytes[magnitude];
    }
    unsigned char *bytes = weir_arena_take(&doc->arena, sizeof(magnitude));
    uint32_t count = 0;
    for (int shift = 56; bytes && shift >= 0; shift -= 8)
        if (count > 0 || magnitude >> shift != 0)
            bytes[count++] = (unsigned char)(magnitude >> shift);
    *ret_count = count;
    return bytes;
}

/* An integer of any kind as the head of a DECIMAL. Return: WEIR_OK, WEIR_EINVAL (not an integer), WEIR_ENOMEM. */
static int decimal_head(struct weir_doc *doc, const struct weir_value *integer, struct weir_value *ret) {
    *ret = *integer;
    ret->kind = WEIR_KIND_DECIMAL;
    if (integer->kind == WEIR_KIND_BIGINT)
        return WEIR_OK;
    if (integer->kind != WEIR_KIND_INT64 && integer->kind != WEIR_KIND_UINT64)
        return WEIR_EINVAL;
    int is_negative = integer->kind == WEIR_KIND_INT64 && integer->as.i64 < 0;
    uint64_t magnitude = is_negative ? 0 - integer->as.u64 : integer->as.u64;
    ret->flags = is_negative ? WEIR_CELL_NEGATIVE : 0;
    ret->aux = 0;
    ret->as.data = magnitude_bytes(doc, magnitude, &ret->count);
    return ret->as.data ? WEIR_OK : WEIR_ENOMEM;
}

static int fold_decimal(struct weir_doc *doc, size_t tag) {
    struct weir_value *cell = &doc->cells[tag];
    const struct weir_value *pair = cell + 1;
    if (pair->kind != WEIR_KIND_ARRAY || pair->count != 2 || pair[1].kind != WEIR_KIND_INT64 ||
        pair[1].as.i64 < INT32_MIN || pair[1].as.i64 > INT32_MAX)
        return WEIR_OK;
    struct weir_value exponent = pair[1];
    struct weir_value head;
    int status = decimal_head(doc, &pair[2], &head);
    if (status != WEIR_OK)
        return status == WEIR_EINVAL ? WEIR_OK : status;
    cell[0] = head;
    cell[1] = exponent;
    doc->count = tag + 2;
    return WEIR_OK;
}

/* ---- times ---- */

static void replace_time(struct weir_doc *doc, size_t tag, int64_t ns, int unit) {
    doc->cells[tag] = (struct weir_value){.kind = WEIR_KIND_TIME, .aux = (uint16_t)unit, .as.i64 = ns};
    doc->count = tag + 1;
}

/* Whether a time as text says no more than the time: an offset tells of a place. */
static int is_in_utc(const unsigned char *text, size_t size) {
    return (text[size - 1] | 0x20) == 'z' || memcmp(text + size - 5, "00:00", 5) == 0;
}

static void fold_time_text(struct weir_doc *doc, size_t tag) {
    const struct weir_value *content = &doc->cells[tag + 1];
    int64_t ns;
    if (content->kind == WEIR_KIND_TEXT &&
        weir_time_read((const char *)content->as.data, content->count, &ns) == WEIR_OK &&
        is_in_utc(content->as.data, content->count))
        replace_time(doc, tag, ns, WEIR_TIME_TEXT);
}

/* The closest float, ties to even: what others have who divide by 10^9. Where ns is no float itself, the quotient is
 * made with as many bits behind the point as the float has, and rounded once. */
double weir_cbor_time_to_float(int64_t ns) {
    const int64_t exact_max = INT64_C(1) << 53;
    if (ns >= -exact_max && ns <= exact_max)
        return (double)ns / (double)WEIR_NS_PER_S;
    const uint64_t divisor = (uint64_t)WEIR_NS_PER_S;
    uint64_t magnitude = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    uint64_t seconds = magnitude / divisor; /* 2^23 at least, so that the shift below is 29 at most */
    int shift = __builtin_clzll(seconds) - 11;
    uint64_t part = magnitude % divisor << shift;
    uint64_t quotient = (seconds << shift) + part / divisor;
    uint64_t twice = part % divisor * 2;
    quotient += twice > divisor || (twice == divisor && quotient & 1);
    double closest = ldexp((double)quotient, -shift);
    return ns < 0 ? -closest : closest;
}

int weir_cbor_time_from_float(double seconds, int64_t *ret_ns) {
    int64_t ns;
    if (!(seconds > -1e10 && seconds < 1e10)) /* far beyond what join takes; no NaN either */
        return WEIR_EINVAL;
    double whole = floor(seconds);
    double rest = nearbyint((seconds - whole) * (double)WEIR_NS_PER_S);
    if (rest >= (double)WEIR_NS_PER_S || weir_time_join((int64_t)whole, (uint32_t)rest, &ns) != WEIR_OK)
        return WEIR_EINVAL;
    double back = weir_cbor_time_to_float(ns);
    if (memcmp(&back, &seconds, sizeof(back)) != 0)
        return WEIR_EINVAL;
    *ret_ns = ns;
    return WEIR_OK;
}

static void fold_time(struct weir_doc *doc, size_t tag) {
    const struct weir_value *content = &doc->cells[tag + 1];
    int64_t ns;
    if (content->kind == WEIR_KIND_INT64) {
        if (weir_time_join(content->as.i64, 0, &ns) == WEIR_OK)
            replace_time(doc, tag, ns, WEIR_TIME_S);
        return;
    }
    if (content->kind != WEIR_KIND_FLOAT64 && content->kind != WEIR_KIND_FLOAT32)
        return;
    double seconds = content->kind == WEIR_KIND_FLOAT32 ? (double)content->as.f32 : content->as.f64;
    if (weir_cbor_time_from_float(seconds, &ns) == WEIR_OK)
        replace_time(doc, tag, ns, WEIR_TIME_S_FLOAT);
}

/* 1001: {1: seconds, -9: nanoseconds} or {1: seconds, -3: milliseconds}, or seconds alone; nothing else, or it stays a
 * map. */
static void fold_time_extended(struct weir_doc *doc, size_t tag) {
    const struct weir_value *map = &doc->cells[tag + 1];
    int64_t seconds = 0, fraction = 0, unit = CBOR_TIME_NS, ns;
    int has_seconds = 0, has_fraction = 0;
    if (map->kind != WEIR_KIND_MAP || map->count > 2)
        return;
    for (uint32_t i = 0; i < map->count; i++) {
        const struct weir_value *key = &map[1 + 2 * i];
        if (key[0].kind != WEIR_KIND_INT64 || key[1].kind != WEIR_KIND_INT64)
            return;
        if (key->as.i64 == CBOR_TIME_SECONDS && !has_seconds) {
            has_seconds = 1;
            seconds = key[1].as.i64;
        } else if ((key->as.i64 == CBOR_TIME_NS || key->as.i64 == CBOR_TIME_MS) && !has_fraction) {
            has_fraction = 1;
            unit = key->as.i64;
            fraction = key[1].as.i64;
        } else {
            return;
        }
    }
    int64_t ns_per_unit = unit == CBOR_TIME_MS ? 1000000 : 1;
    if (has_seconds && fraction >= 0 && fraction < WEIR_NS_PER_S / ns_per_unit &&
        weir_time_join(seconds, (uint32_t)(fraction * ns_per_unit), &ns) == WEIR_OK)
        replace_time(doc, tag, ns, unit == CBOR_TIME_MS ? WEIR_TIME_MS : WEIR_TIME_NS);
}

/* ---- all of them ---- */

int weir_cbor_folds(uint64_t tag) {
    return tag <= CBOR_TAG_DECIMAL || (tag >= CBOR_TAG_TYPED_FIRST && tag <= CBOR_TAG_TYPED_LAST) ||
           tag == CBOR_TAG_NDARRAY_ROW || tag == CBOR_TAG_NDARRAY_COLUMN || tag == CBOR_TAG_TIME_EXTENDED;
}

int weir_cbor_fold(struct weir_doc *doc, size_t tag) {
    const struct weir_value *cell = &doc->cells[tag];
    if (cell->count != WEIR_TAG_CBOR || !weir_cbor_folds(cell->as.u64))
        return WEIR_OK;
    switch (cell->as.u64) {
    case CBOR_TAG_TIME_TEXT: fold_time_text(doc, tag); return WEIR_OK;
    case CBOR_TAG_TIME: fold_time(doc, tag); return WEIR_OK;
    case CBOR_TAG_TIME_EXTENDED: fold_time_extended(doc, tag); return WEIR_OK;
    case CBOR_TAG_BIGINT:
    case CBOR_TAG_BIGINT_NEGATIVE: return fold_bigint(doc, tag);
    case CBOR_TAG_DECIMAL: return fold_decimal(doc, tag);
    case CBOR_TAG_NDARRAY_ROW:
    case CBOR_TAG_NDARRAY_COLUMN: return fold_ndarray(doc, tag);
    default: return fold_typed(doc, tag);
    }
}
