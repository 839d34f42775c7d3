/* What the files of the CBOR codec share: heads, tag numbers, and the step between generic items and kinds.
 *
 *     decode.c   bytes to cells: well-formedness, limits; every tag becomes a TAGGED cell
 *     fold.c     a tag and its finished content become the kind that they mean, in place
 *     strict.c   what WEIR_STRICT refuses: repeated keys, contents that a tag does not allow
 *     encode.c   cells to bytes, one walk; canonical.c the same with sorted maps
 */
#ifndef WEIR_CODEC_CBOR_H
#define WEIR_CODEC_CBOR_H

#include "base/word.h"
#include "codec/codec.h"

enum cbor_major {
    CBOR_UINT = 0,
    CBOR_NEGATIVE = 1,
    CBOR_BYTES = 2,
    CBOR_TEXT = 3,
    CBOR_ARRAY = 4,
    CBOR_MAP = 5,
    CBOR_TAG = 6,
    CBOR_OTHER = 7
};

enum cbor_byte {
    CBOR_FALSE = 0xf4,
    CBOR_TRUE = 0xf5,
    CBOR_NULL = 0xf6,
    CBOR_UNDEFINED = 0xf7,
    CBOR_SIMPLE = 0xf8,
    CBOR_HALF = 0xf9,
    CBOR_SINGLE = 0xfa,
    CBOR_DOUBLE = 0xfb,
    CBOR_BREAK = 0xff
};

enum cbor_tag {
    CBOR_TAG_TIME_TEXT = 0,
    CBOR_TAG_TIME = 1,
    CBOR_TAG_BIGINT = 2,
    CBOR_TAG_BIGINT_NEGATIVE = 3,
    CBOR_TAG_DECIMAL = 4,
    CBOR_TAG_NDARRAY_ROW = 40,
    CBOR_TAG_TYPED_FIRST = 64,
    CBOR_TAG_TYPED_LAST = 87,
    CBOR_TAG_TIME_EXTENDED = 1001,
    CBOR_TAG_NDARRAY_COLUMN = 1040,
    CBOR_TAG_SELF_DESCRIBED = 55799
};

/* Keys of an extended time, RFC 9581. */
enum cbor_time_key { CBOR_TIME_SECONDS = 1, CBOR_TIME_MS = -3, CBOR_TIME_US = -6, CBOR_TIME_NS = -9 };

/* Tags of the BSON space travel as "weir" << 32 | number. */
#define CBOR_TAG_BSON_FIRST (UINT64_C(0x77656972) << 32)
enum { CBOR_TAG_BSON_COUNT = 0x600 };

/* Numbers with their most significant byte first, as CBOR has them: one load or store and one swap. */
static inline uint64_t weir_cbor_load16(const unsigned char *at) {
    return (uint64_t)at[0] << 8 | at[1];
}

static inline uint64_t weir_cbor_load32(const unsigned char *at) {
    return (uint64_t)at[0] << 24 | (uint64_t)at[1] << 16 | (uint64_t)at[2] << 8 | at[3];
}

static inline uint64_t weir_cbor_load64(const unsigned char *at) {
    return __builtin_bswap64(weir_word_at(at));
}

static inline void weir_cbor_store16(unsigned char *at, uint64_t number) {
    at[0] = (unsigned char)(number >> 8);
    at[1] = (unsigned char)number;
}

static inline void weir_cbor_store32(unsigned char *at, uint64_t number) {
    at[0] = (unsigned char)(number >> 24);
    at[1] = (unsigned char)(number >> 16);
    at[2] = (unsigned char)(number >> 8);
    at[3] = (unsigned char)number;
}

static inline void weir_cbor_store64(unsigned char *at, uint64_t number) {
    weir_word_put(at, __builtin_bswap64(number));
}

/* The element type that a typed array's tag means; 0 for those without one here (halves, quadruples, clamped bytes). */
uint32_t weir_cbor_element_of_tag(uint64_t tag, int *ret_big_endian);
uint64_t weir_cbor_tag_of_element(uint32_t element, int is_big_endian);

/* Seconds as a float, and back. Only what comes back the same way is a time: weir_cbor_time_from_float checks. */
double weir_cbor_time_to_float(int64_t ns);
int weir_cbor_time_from_float(double seconds, int64_t *ret_ns);

/* Turn the TAGGED cell at @tag, whose content is all that follows, into the kind it means. What means none stays as it
 * is.
 * Return: WEIR_OK, WEIR_ENOMEM. */
int weir_cbor_fold(struct weir_doc *doc, size_t tag);
/* Whether a tag is one of those that fold: their insides do not count as depth. */
int weir_cbor_folds(uint64_t tag);

/* Find what WEIR_STRICT refuses. *ret_bad is the cell, *ret_why says what it is; NULL when all is well.
 * Return: WEIR_OK, WEIR_ENOMEM. */
int weir_cbor_check(const struct weir_doc *doc, const struct weir_value **ret_bad, const char **ret_why);

int weir_cbor_decode(struct weir_doc *doc, const unsigned char *data, size_t size,
                     const struct weir_codec_limits *limits, size_t *ret_used, weir_error *err);
int weir_cbor_encode(const struct weir_value *value, const struct weir_codec_limits *limits, struct weir_buffer *out,
                     weir_error *err);
/* Append the bytes of the cells from @value up to @end. Return: WEIR_OK, WEIR_ENOMEM, WEIR_ELIMIT, WEIR_EENCODE. */
int weir_cbor_write(const struct weir_value *value, const struct weir_value *end,
                    const struct weir_codec_limits *limits, struct weir_buffer *out, weir_error *err);
/* The same for a whole value, with the pairs of every map sorted by the bytes of their keys. */
int weir_cbor_write_canonical(const struct weir_value *value, const struct weir_codec_limits *limits,
                              struct weir_buffer *out, weir_error *err);

#endif
