/* The generator of random documents. It recurses, as deep as the shape allows; a budget of values keeps documents
 * small. */
#include "documents.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "value/value.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

uint64_t random_next(struct random *random) { /* splitmix64 */
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint64_t random_below(struct random *random, uint64_t limit) {
    return random_next(random) % limit;
}

struct generator {
    weir_doc *doc;
    struct random *random;
    const struct document_shape *shape;
    uint32_t budget; /* values that may still come */
};

static uint64_t below(struct generator *generator, uint64_t limit) {
    return random_below(generator->random, limit);
}

static int one_in(struct generator *generator, uint64_t chances) {
    return below(generator, chances) == 0;
}

/* ---- numbers ---- */

static int64_t any_i64(struct generator *generator) {
    static const int64_t borders[] = {
        0, 23, 24, 255, 256, 65535, 65536, 1 << 24, INT32_MAX, UINT32_MAX, INT64_C(1) << 53, INT64_MAX};
    if (one_in(generator, 3))
        return (int64_t)random_next(generator->random) >> below(generator, 64);
    uint64_t border = (uint64_t)borders[below(generator, COUNT(borders))] + below(generator, 3) - 1;
    return one_in(generator, 2) ? (int64_t)border : -1 - (int64_t)border;
}

static void put_bigint(struct generator *generator) {
    static const char *const borders[] = {
        "18446744073709551616",
        "-9223372036854775809",
        "-18446744073709551615",
        "-18446744073709551616",
        "-18446744073709551617",
        "340282366920938463463374607431768211455",
        "340282366920938463463374607431768211456",
        "-115792089237316195423570985008687907853269984665640564039457584007913129639936"};
    char digits[WEIR_DIGITS_MAX + 1];
    if (one_in(generator, 2)) {
        const char *border = borders[below(generator, COUNT(borders))];
        weir_put_bigint(generator->doc, border, strlen(border));
        return;
    }
    size_t size =
        21 + below(generator, !generator->shape->is_short && one_in(generator, 50) ? WEIR_DIGITS_MAX - 20 : 60);
    size_t at = one_in(generator, 2);
    size += at;
    digits[0] = '-';
    digits[at] = (char)('1' + below(generator, 9));
    for (at++; at < size; at++)
        digits[at] = (char)('0' + below(generator, 10));
    weir_put_bigint(generator->doc, digits, size);
}

static void put_decimal(struct generator *generator) {
    static const int32_t borders[] = {0, 1, -1, -2, -6, -7, -8, 23, 24, -6176, 6111, INT32_MIN, INT32_MAX};
    char digits[48];
    size_t size = 1 + below(generator, one_in(generator, 2) ? 3 : 40);
    size_t at = one_in(generator, 2);
    size += at;
    digits[0] = '-';
    for (; at < size; at++)
        digits[at] = (char)('0' + below(generator, 10));
    int32_t exponent =
        one_in(generator, 2) ? borders[below(generator, COUNT(borders))] : (int32_t)below(generator, 100) - 50;
    weir_put_decimal(generator->doc, digits, size, exponent);
}

static void put_float32(struct generator *generator) {
    static const uint32_t borders[] = {0,          0x80000000, 0x3f800000, 0x3dcccccd, 0x7f800000, 0xff800000,
                                       0x7fc00000, 0xffc00000, 0x7f800001, 0x7fa00000, 0x00000001, 0x007fffff,
                                       0x00800000, 0x7f7fffff, 0x477fe000, 0x477ff000, 0x33800000, 0x33000000,
                                       0x38800000, 0x387fc000, 0x38802000, 0x4b800000, 0x7fc02000};
    uint32_t bits =
        one_in(generator, 2) ? borders[below(generator, COUNT(borders))] : (uint32_t)random_next(generator->random);
    float value;
    memcpy(&value, &bits, sizeof(value));
    weir_put_f32(generator->doc, value);
}

static void put_float64(struct generator *generator) {
    static const uint64_t borders[] = {0,
                                       UINT64_C(0x8000000000000000),
                                       UINT64_C(0x3ff0000000000000),
                                       UINT64_C(0x3fb999999999999a),
                                       UINT64_C(0x7ff0000000000000),
                                       UINT64_C(0xfff0000000000000),
                                       UINT64_C(0x7ff8000000000000),
                                       UINT64_C(0xfff8000000000000),
                                       UINT64_C(0x7ff0000000000001),
                                       UINT64_C(0x7ff8000020000000),
                                       UINT64_C(1),
                                       UINT64_C(0x000fffffffffffff),
                                       UINT64_C(0x0010000000000000),
                                       UINT64_C(0x7fefffffffffffff),
                                       UINT64_C(0x4340000000000000),
                                       UINT64_C(0x43e0000000000000),
                                       UINT64_C(0xc3e0000000000000),
                                       UINT64_C(0x444b1ae4d6e2ef50),
                                       UINT64_C(0x47efffffe0000000)};
    uint64_t bits = one_in(generator, 2) ? borders[below(generator, COUNT(borders))] : random_next(generator->random);
    double value;
    if (one_in(generator, 3))
        value = (double)any_i64(generator) / 8;
    else
        memcpy(&value, &bits, sizeof(value));
    weir_put_f64(generator->doc, value);
}

static void put_time(struct generator *generator) {
    static const int64_t units[] = {1, 1000, 1000000, 1000000000};
    static const int64_t borders[] = {0,           1,         -1,        999999999,
                                      -1000000000, INT64_MAX, INT64_MIN, INT64_C(1363896240500000000)};
    int64_t ns = one_in(generator, 2) ? borders[below(generator, COUNT(borders))] : any_i64(generator);
    int64_t unit = units[below(generator, COUNT(units))];
    weir_put_time(generator->doc, ns / unit * unit);
    if (generator->doc->status == WEIR_OK) /* a hint that no public function sets */
        generator->doc->cells[generator->doc->count - 1].aux = (uint16_t)below(generator, WEIR_TIME_TEXT + 1);
}

/* ---- texts and bytes ---- */

static size_t any_length(struct generator *generator) {
    static const uint16_t borders[] = {0,  1,  7,  8,  15, 16, 17, 22, 23,  24,  25,  31,  32, 33,
                                       47, 48, 56, 57, 63, 64, 65, 66, 127, 128, 255, 256, 257};
    if (!generator->shape->is_short && one_in(generator, 100))
        return 65534 + below(generator, 4);
    return one_in(generator, 3) ? borders[below(generator, COUNT(borders))] : below(generator, 20);
}

enum { TEXT_MAX = 65540 };

/* Fill @text with up to @size bytes of UTF-8. Return: its size. */
static size_t any_text(struct generator *generator, char *text, size_t size) {
    static const char *const pieces[] = {"\xC3\xA9",
                                         "\xE2\x82\xAC",
                                         "\xF0\x9F\x8C\x8D",
                                         "\xEF\xBF\xBD",
                                         "\xF4\x8F\xBF\xBF",
                                         "\xED\x9F\xBF",
                                         "\"",
                                         "\\",
                                         "\n",
                                         "\x1F",
                                         "\x7F",
                                         "/",
                                         "$",
                                         "."};
    int is_plain = one_in(generator, 2);
    size_t used = 0;
    while (used < size) {
        const char *piece = pieces[below(generator, COUNT(pieces))];
        size_t piece_size = strlen(piece);
        if (is_plain || piece_size > size - used || one_in(generator, 2)) {
            text[used++] = !is_plain && one_in(generator, 40) ? '\0' : (char)('a' + below(generator, 26));
            continue;
        }
        memcpy(text + used, piece, piece_size);
        used += piece_size;
    }
    return used;
}

static void put_text(struct generator *generator) {
    static char text[TEXT_MAX]; /* tests have one thread */
    size_t size = any_text(generator, text, any_length(generator));
    weir_put_text(generator->doc, text, size);
}

static void fill(struct generator *generator, unsigned char *data, size_t size) {
    for (size_t i = 0; i < size; i++)
        data[i] = (unsigned char)random_next(generator->random);
}

static void put_bytes(struct generator *generator) {
    static unsigned char data[TEXT_MAX];
    size_t size = any_length(generator);
    fill(generator, data, size);
    weir_put_bytes(generator->doc, data, size);
}

/* ---- ndarrays ---- */

static void put_ndarray(struct generator *generator) {
    enum { ELEMENTS_MAX = 300 };
    unsigned char data[ELEMENTS_MAX * 8];
    weir_ndarray array = {.element = WEIR_U8 + (uint32_t)below(generator, 10),
                          .order = (uint32_t)below(generator, 2),
                          .rank = (uint32_t)below(generator, one_in(generator, 10) ? WEIR_RANK_MAX + 1 : 4),
                          .big_endian = (uint32_t)below(generator, 2),
                          .data = data};
    uint64_t count = 1;
    for (uint32_t i = 0; i < array.rank; i++) {
        uint64_t limit = ELEMENTS_MAX / (count > 0 ? count : 1);
        array.shape[i] = one_in(generator, 30) ? 0 : 1 + below(generator, limit < 30 ? limit : 30);
        count *= array.shape[i];
    }
    array.size = count * weir_element_size(array.element);
    fill(generator, data, array.size);
    weir_put_ndarray(generator->doc, &array);
}

/* ---- containers and tags ---- */

static void put_value(struct generator *generator, uint32_t kinds, uint32_t depth);

static void put_array(struct generator *generator, uint32_t depth) {
    uint64_t count = below(generator, one_in(generator, 20) ? 40 : 6);
    weir_begin_array(generator->doc);
    for (uint64_t i = 0; i < count; i++)
        put_value(generator, generator->shape->kinds, depth - 1);
    weir_end(generator->doc);
}

/* A map with one key that codecs use for wrappers, and often what such a wrapper would hold. */
static void put_odd_map(struct generator *generator, uint32_t depth) {
    static const char *const keys[] = {
        "$undefined", "$numberInt", "$numberLong", "$numberDouble", "$numberDecimal", "$f32",  "$date", "$time",
        "$binary",    "$oid",       "$array",      "$tag",          "$simple",        "$bson", "$map",  "$obj",
        "$root",      "$",          "$x",          "$numberBig",    "$numberUInt64"};
    static const char *const texts[] = {"5", "-1.5E+3", "NaN", "2013-03-21T20:04:00Z", "0123456789abcdef01234567", ""};
    const char *text = texts[below(generator, COUNT(texts))];
    weir_begin_map(generator->doc);
    weir_put_key(generator->doc, keys[below(generator, COUNT(keys))]);
    switch (below(generator, 5)) {
    case 0: weir_put_text(generator->doc, text, strlen(text)); break;
    case 1: weir_put_bool(generator->doc, 1); break;
    case 2:
        weir_begin_array(generator->doc);
        weir_put_i64(generator->doc, (int64_t)below(generator, 64));
        weir_put_null(generator->doc);
        weir_end(generator->doc);
        break;
    default: put_value(generator, generator->shape->kinds, depth - 1);
    }
    weir_end(generator->doc);
}

static void put_name(struct generator *generator, uint64_t index) {
    char name[96];
    size_t head = (size_t)sprintf(name, "n%d", (int)index);
    size_t size = head;
    if (one_in(generator, 3))
        size += any_text(generator, name + head, below(generator, one_in(generator, 3) ? 80 : 8));
    for (char *nul; (nul = memchr(name + head, 0, size - head));)
        *nul = '_';
    weir_put_text(generator->doc, name, size);
}

static void put_map_key(struct generator *generator, uint64_t index) {
    char key[32];
    if (generator->shape->is_named) {
        put_name(generator, index);
        return;
    }
    if (one_in(generator, 8)) /* a key that is no text */
        weir_put_i64(generator->doc, (int64_t)index - 2);
    else if (generator->shape->is_polite)
        weir_put_text(generator->doc, key, (size_t)sprintf(key, "%s%d", one_in(generator, 6) ? "$" : "k.", (int)index));
    else if (one_in(generator, 8)) /* the kinds allowed there, containers without containers */
        put_value(generator, generator->shape->kinds, 1);
    else if (one_in(generator, 3))
        weir_put_text(generator->doc, key, any_text(generator, key, below(generator, sizeof(key))));
    else
        weir_put_text(generator->doc, key, (size_t)sprintf(key, "key%d", (int)below(generator, 5)));
}

static void put_map(struct generator *generator, uint32_t depth) {
    uint64_t count = below(generator, one_in(generator, 20) ? 40 : 6);
    weir_begin_map(generator->doc);
    for (uint64_t i = 0; i < count; i++) {
        put_map_key(generator, i);
        put_value(generator, generator->shape->kinds, depth - 1);
    }
    weir_end(generator->doc);
}

/* An encoded item in bytes, which strict decoding looks into. */
static void put_encoded_item(struct generator *generator) {
    weir_put_tag(generator->doc, WEIR_TAG_CBOR, 24);
    weir_put_bytes(generator->doc, "\x82\x01\xa1\x61\x61\x00", 6);
}

/* A CBOR tag: one that means nothing to this library, or one that does around a content that it cannot have. */
static void put_cbor_tag(struct generator *generator, uint32_t depth) {
    static const uint64_t free_numbers[] = {10, 1000000, 65535, 65536, UINT32_MAX, UINT64_C(1) << 32, UINT64_MAX};
    static const uint64_t known[] = {0, 1, 2, 3, 4, 40, 64, 76, 83, 87, 1001, 1040};
    static const uint64_t half_known[] = {5, 21, 24, 32, 37, 100, 258, 1004};
    if (!generator->shape->is_polite && one_in(generator, 3)) {
        weir_put_tag(generator->doc, WEIR_TAG_CBOR, known[below(generator, COUNT(known))]);
        weir_put_bool(generator->doc, 1);
        return;
    }
    if (one_in(generator, 6)) {
        put_encoded_item(generator);
        return;
    }
    int is_free = generator->shape->is_polite || one_in(generator, 2);
    weir_put_tag(generator->doc, WEIR_TAG_CBOR,
                 is_free ? free_numbers[below(generator, COUNT(free_numbers))]
                         : half_known[below(generator, COUNT(half_known))]);
    put_value(generator, generator->shape->kinds, depth - 1);
}

static void put_tagged(struct generator *generator, uint32_t depth) {
    uint64_t number;
    unsigned char id[12];
    switch (below(generator, 4)) {
    case 0:
        number = below(generator, 244);
        weir_put_tag(generator->doc, WEIR_TAG_SIMPLE, number < 20 ? number : number + 12);
        weir_put_null(generator->doc);
        break;
    case 1: /* an ObjectId and binary subtypes are what BSON has most of */
        fill(generator, id, sizeof(id));
        weir_put_tag(generator->doc, WEIR_TAG_BSON, one_in(generator, 2) ? 7 : 0x501 + below(generator, 255));
        weir_put_bytes(generator->doc, id, sizeof(id));
        break;
    case 2:
        weir_put_tag(generator->doc, WEIR_TAG_BSON,
                     one_in(generator, 2) ? below(generator, 256) : 0x500 + below(generator, 256));
        put_value(generator, generator->shape->kinds, depth - 1);
        break;
    default: put_cbor_tag(generator, depth);
    }
}

/* ---- all of them ---- */

/* Containers more often than others, or documents would mostly be small. */
static int any_kind(struct generator *generator, uint32_t kinds) {
    if (kinds & KINDS_CONTAINER && one_in(generator, 3))
        kinds &= KINDS_CONTAINER;
    int kind = KIND_FIRST;
    do
        kind = KIND_FIRST + (int)below(generator, KIND_LAST - KIND_FIRST + 1);
    while (!(kinds >> kind & 1));
    return kind;
}

/* A value of one of @kinds, with up to @depth containers and tags inside each other; where that is 0, or the budget
 * is spent, a scalar. */
static void put_value(struct generator *generator, uint32_t kinds, uint32_t depth) {
    const uint32_t nested = KINDS_CONTAINER | KIND(TAGGED);
    generator->budget -= generator->budget > 0;
    if (depth == 0 || (generator->budget == 0 && (kinds & ~nested)))
        kinds &= ~nested;
    if (kinds == 0)
        kinds = KIND(NULL);
    switch (any_kind(generator, kinds)) {
    case WEIR_KIND_NULL: weir_put_null(generator->doc); break;
    case WEIR_KIND_UNDEFINED: weir_put_undefined(generator->doc); break;
    case WEIR_KIND_BOOL: weir_put_bool(generator->doc, (int)below(generator, 2)); break;
    case WEIR_KIND_INT64: weir_put_i64(generator->doc, any_i64(generator)); break;
    case WEIR_KIND_UINT64:
        weir_put_u64(generator->doc, UINT64_MAX - (random_next(generator->random) >> 1 >> below(generator, 63)));
        break;
    case WEIR_KIND_BIGINT: put_bigint(generator); break;
    case WEIR_KIND_FLOAT32: put_float32(generator); break;
    case WEIR_KIND_FLOAT64: put_float64(generator); break;
    case WEIR_KIND_DECIMAL: put_decimal(generator); break;
    case WEIR_KIND_TEXT: put_text(generator); break;
    case WEIR_KIND_BYTES: put_bytes(generator); break;
    case WEIR_KIND_TIME: put_time(generator); break;
    case WEIR_KIND_ARRAY: put_array(generator, depth); break;
    case WEIR_KIND_MAP:
        if (!generator->shape->is_named && one_in(generator, 4))
            put_odd_map(generator, depth);
        else
            put_map(generator, depth);
        break;
    case WEIR_KIND_NDARRAY: put_ndarray(generator); break;
    default: put_tagged(generator, depth);
    }
}

const weir_value *document_build(weir_doc *doc, struct random *random, const struct document_shape *shape) {
    struct generator generator = {doc, random, shape, shape->values};
    const weir_value *root = NULL;
    weir_error err = {0};
    weir_doc_clear(doc);
    uint32_t kinds = shape->root ? shape->root : shape->kinds;
    if (kinds & KINDS_CONTAINER && !one_in(&generator, 8))
        kinds &= KINDS_CONTAINER;
    put_value(&generator, kinds, shape->depth_max);
    if (weir_doc_finish(doc, &root, &err) != WEIR_OK)
        fail_msg("a random document cannot be built: %s", err.text);
    return root;
}
