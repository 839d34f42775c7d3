/* What the files of the BSON codec share: element types, and how the types that no kind of the document has are
 * kept.
 *
 *     decode.c    bytes to cells: well-formedness, limits
 *     element.c   elements that most documents do not have: binaries, decimals, regular expressions, code, ...
 *     encode.c    cells to bytes: documents, their sizes, names
 *     write.c     single values to bytes
 *     decimal.c   decimal128 to a DECIMAL and back
 *     shape.c     which cells are which types: wrappers, vectors, tags that have a type of their own
 *
 * A type without a kind is a TAGGED cell of the space WEIR_TAG_BSON whose number is the element type, or 0x500 +
 * subtype for a binary. What it contains says all that its bytes do:
 *
 *     ObjectId             BYTES, 12 of them
 *     binary               BYTES; of subtype 2 without the inner length
 *     datetime             INT64, milliseconds; only those that a TIME cannot hold
 *     regular expression   ARRAY of two TEXTs, pattern and options
 *     DBPointer            ARRAY of a TEXT and 12 BYTES
 *     code, symbol         TEXT
 *     code with scope      ARRAY of a TEXT and a MAP
 *     timestamp            the 64 bits as an unsigned integer: INT64 or UINT64
 *     decimal128           BYTES, 16 of them; only those that no DECIMAL is: NaN, infinities, -0, wrong forms
 *     min key, max key     NULL
 */
#ifndef WEIR_CODEC_BSON_H
#define WEIR_CODEC_BSON_H

#include "base/word.h"
#include "codec/codec.h"

enum bson_type {
    BSON_END = 0x00,
    BSON_DOUBLE = 0x01,
    BSON_STRING = 0x02,
    BSON_DOCUMENT = 0x03,
    BSON_ARRAY = 0x04,
    BSON_BINARY = 0x05,
    BSON_UNDEFINED = 0x06,
    BSON_OBJECT_ID = 0x07,
    BSON_BOOL = 0x08,
    BSON_DATETIME = 0x09,
    BSON_NULL = 0x0A,
    BSON_REGEX = 0x0B,
    BSON_DBPOINTER = 0x0C,
    BSON_CODE = 0x0D,
    BSON_SYMBOL = 0x0E,
    BSON_CODE_WITH_SCOPE = 0x0F,
    BSON_INT32 = 0x10,
    BSON_TIMESTAMP = 0x11,
    BSON_INT64 = 0x12,
    BSON_DECIMAL128 = 0x13,
    BSON_MAX_KEY = 0x7F,
    BSON_MIN_KEY = 0xFF
};

static inline int weir_bson_is_type(unsigned type) {
    return (type >= BSON_DOUBLE && type <= BSON_DECIMAL128) || type == BSON_MAX_KEY || type == BSON_MIN_KEY;
}

enum {
    BSON_TAG_BINARY = 0x500, /* + subtype */
    BSON_SUBTYPE_GENERIC = 0,
    BSON_SUBTYPE_OLD = 2, /* its bytes have a length of their own before them */
    BSON_SUBTYPE_VECTOR = 9,
    BSON_DOCUMENT_MIN = 5,
    BSON_STRING_MIN = 5,
    BSON_OBJECT_ID_SIZE = 12,
    BSON_DECIMAL_SIZE = 16,
    BSON_ELEMENT_CELLS = 6 /* a key, a tag, an array and what is in it */
};

#define BSON_NS_PER_MS INT64_C(1000000)

/* The upper halves of decimals that are no DECIMAL; the lower ones are 0. */
#define BSON_DECIMAL_NAN      (UINT64_C(0x7C) << 56)
#define BSON_DECIMAL_INFINITY (UINT64_C(0x78) << 56)
#define BSON_DECIMAL_NEGATIVE (UINT64_C(1) << 63)

static inline uint32_t weir_bson_load32(const unsigned char *at) {
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline void weir_bson_store32(unsigned char *at, uint32_t number) {
    at[0] = (unsigned char)number;
    at[1] = (unsigned char)(number >> 8);
    at[2] = (unsigned char)(number >> 16);
    at[3] = (unsigned char)(number >> 24);
}

/* ---- decoding ---- */

struct bson_reader {
    struct weir_doc *doc;
    const unsigned char *begin;
    const unsigned char *input_end; /* nothing from here on is read */
    size_t cells_max;
    uint32_t depth_max;
    uint32_t flags;
    int is_wrapped; /* wrappers are recognised */
    int is_deep;    /* containers went deeper than depth_max, which only those of wrappers may */
    int has_root;   /* the document begins with the name "$root" */
    int status;
    weir_error *err;
};

/* Fail at @at. Return: NULL. */
const unsigned char *weir_bson_bad(struct bson_reader *reader, const unsigned char *at, const char *what);
const unsigned char *weir_bson_out_of_memory(struct bson_reader *reader);

/* Read the string at @at, which may reach up to @end, as a TEXT cell. Return: what follows it; NULL on failure. */
const unsigned char *weir_bson_string(struct bson_reader *reader, const unsigned char *at, const unsigned char *end,
                                      struct weir_value *cell);
/* Read the value of an element of @type, all but those of decode.c's own loop, into *cell, which moves behind what
 * was written: at most BSON_ELEMENT_CELLS - 1. A code with scope is read up to its scope. Return: what follows; NULL
 * on failure. */
const unsigned char *weir_bson_element(struct bson_reader *reader, unsigned type, const unsigned char *at,
                                       const unsigned char *end, struct weir_value **cell);

int weir_bson_decode(struct weir_doc *doc, const unsigned char *data, size_t size,
                     const struct weir_codec_limits *limits, size_t *ret_used, weir_error *err);

/* Whether a map is read as a wrapper: its only key names one of those that stand in BSON, where fewer kinds need any
 * than in JSON, and its value is of the kind that it has. MongoDB has names with '$' of its own. */
int weir_bson_is_wrapper(const struct weir_value *map);
/* Whether a map must be written as "$obj": it would be a wrapper, or as long as it is read could be one, as the maps
 * that tags are written in could. */
int weir_bson_is_ambiguous(const struct weir_value *map);
/* The kind of the value of a wrapper with this key; 0 for none. */
int weir_bson_wrapper_kind(const struct weir_value *key);

/* ---- decimal128 ---- */

/* Split a decimal128 that is a DECIMAL: @bytes as in BSON; the coefficient goes to @magnitude, most significant byte
 * first. Return: 1; 0 when there is no DECIMAL with just these bytes. */
int weir_bson_decimal_read(const unsigned char *bytes, unsigned char magnitude[BSON_DECIMAL_SIZE], uint32_t *ret_size,
                           int64_t *ret_exponent, int *ret_is_negative);
/* The decimal128 of a DECIMAL. Return: 1; 0 when it has more digits or another exponent than there are. */
int weir_bson_decimal_write(const struct weir_value *value, unsigned char bytes[BSON_DECIMAL_SIZE]);

/* ---- vectors ---- */

/* The ndarray that the bytes of a binary of subtype 9 are: int8 or float32. Return: 1; 0 when they are another
 * vector or none. */
int weir_bson_vector(const unsigned char *bytes, size_t size, weir_ndarray *ret);
/* Whether an ndarray is one of those. */
int weir_bson_is_vector(const weir_ndarray *array);

/* ---- tags ---- */

/* Whether a TAGGED is what a type of BSON is read as, so that it can be written as that. */
int weir_bson_tag_is_native(const struct weir_value *tagged);

/* ---- encoding ---- */

enum {
    BSON_INDEX_MAX = 24, /* bytes that writing an index as a name may touch */
    BSON_STEP_ROOM = 64  /* an element without its name and its texts and bytes takes less */
};

/* What functions share that write the value of an element behind the type and name that are there already. */
struct bson_writer {
    struct weir_buffer *out;
    size_t head; /* where the type of the element stands in the output */
    uint32_t flags;
};

/* Write an index as a name, with its NUL; up to BSON_INDEX_MAX bytes are touched. Return: what follows. */
unsigned char *weir_bson_put_index(unsigned char *to, uint32_t index);

/* Whether BSON has a type for a value. */
int weir_bson_is_native(const struct weir_value *value);
/* Append a value that holds no others: all but ARRAY, MAP, tags that hold values, and a code's scope. What has no
 * type becomes a wrapper, or under WEIR_PLAIN what people expect. Return: WEIR_OK, WEIR_ENOMEM, WEIR_ELIMIT. */
int weir_bson_write(struct bson_writer *writer, const struct weir_value *value);
/* Append a string. Return: WEIR_OK, WEIR_ENOMEM, WEIR_ELIMIT. */
int weir_bson_write_string(struct bson_writer *writer, const unsigned char *text, size_t size);

int weir_bson_encode(const struct weir_value *value, const struct weir_codec_limits *limits, struct weir_buffer *out,
                     weir_error *err);

#endif
