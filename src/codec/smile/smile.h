/* What the files of the Smile codec share: tokens, packed bits, the shared tables of a section.
 *
 *     decode.c    bytes to cells: tokens, names, containers, headers and what follows a value
 *     scalar.c    bytes to cells: integers of any length, decimals, binary data, long texts
 *     section.c   the tables of a section, and keeping them between the items of a sequence
 *     encode.c    cells to bytes, one walk; names.h and names.c the table of names that it refers back to
 *     write.h     single values and names to bytes; write.c those that are rare
 *
 * A byte FE or FF occurs in Smile only in raw binary and, FF, as the end marker; a byte FC besides only as the end of
 * a text. */
#ifndef WEIR_CODEC_SMILE_H
#define WEIR_CODEC_SMILE_H

#include "base/arena.h"
#include "base/word.h"
#include "codec/codec.h"
#include "codec/wrapper/wrapper.h"

#define LIKELY(x)     __builtin_expect(!!(x), 1)
#define UNLIKELY(x)   __builtin_expect(!!(x), 0)
#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* ---- tokens ---- */

enum smile_header {
    SMILE_HEADER_SIZE = 4, /* ':' ')' '\n' and a byte: version in the high four bits, then these */
    SMILE_SHARES_NAMES = 1,
    SMILE_SHARES_VALUES = 2,
    SMILE_HAS_RAW = 4,
    SMILE_FEATURES_DEFAULT = SMILE_SHARES_NAMES /* without a header */
};

enum smile_token {
    SMILE_SHARED_VALUE = 0x01, /* to 1F: index 0 to 30 */
    SMILE_EMPTY = 0x20,        /* a text or a name */
    SMILE_NULL = 0x21,
    SMILE_FALSE = 0x22,
    SMILE_TRUE = 0x23,
    SMILE_INT32 = 0x24,
    SMILE_INT64 = 0x25,
    SMILE_BIGINT = 0x26,
    SMILE_FLOAT32 = 0x28,
    SMILE_FLOAT64 = 0x29,
    SMILE_DECIMAL = 0x2a,
    SMILE_ASCII = 0x40,      /* to 7F: 1 to 64 bytes */
    SMILE_UNICODE = 0x80,    /* to BF: 2 to 65 bytes */
    SMILE_SMALL_INT = 0xc0,  /* to DF: -16 to 15 */
    SMILE_LONG_ASCII = 0xe0, /* up to FC */
    SMILE_LONG_UNICODE = 0xe4,
    SMILE_BINARY = 0xe8,            /* in septets */
    SMILE_SHARED_VALUE_LONG = 0xec, /* to EF, and a byte */
    SMILE_ARRAY = 0xf8,
    SMILE_ARRAY_END = 0xf9,
    SMILE_MAP = 0xfa,
    SMILE_MAP_END = 0xfb,
    SMILE_TEXT_END = 0xfc,
    SMILE_RAW = 0xfd,
    SMILE_END = 0xff
};

enum smile_name {
    SMILE_NAME_SHARED_LONG = 0x30, /* to 33, and a byte */
    SMILE_NAME_LONG = 0x34,        /* up to FC */
    SMILE_NAME_SHARED = 0x40,      /* to 7F: index 0 to 63 */
    SMILE_NAME_ASCII = 0x80,       /* to BF: 1 to 64 bytes */
    SMILE_NAME_UNICODE = 0xc0      /* to F7: 2 to 57 bytes */
};

enum {
    SMILE_TABLE_MAX = 1024,
    SMILE_SHORT_INDICES = 64,       /* of names, that the short form has */
    SMILE_SHORT_VALUE_INDICES = 31, /* of values */
    SMILE_SHORT_MAX = 64,           /* bytes of a short text or ASCII name; BF has 65, and nobody writes it */
    SMILE_UNICODE_NAME_MAX = 56,    /* written; 57 is read */
    SMILE_VINT_MAX = 10             /* bytes of a 64-bit number */
};

/* ---- numbers of seven bits in a byte ---- */

/* Seven bits in each of eight bytes, the first the most significant, as one number of 56 bits; and back. */
static inline uint64_t weir_smile_join(uint64_t septets) {
    septets = (septets & UINT64_C(0x007f007f007f007f)) | (septets & UINT64_C(0x7f007f007f007f00)) >> 1;
    septets = (septets & UINT64_C(0x00003fff00003fff)) | (septets & UINT64_C(0x3fff00003fff0000)) >> 2;
    return (septets & UINT64_C(0x0fffffff)) | (septets & UINT64_C(0x0fffffff00000000)) >> 4;
}

static inline uint64_t weir_smile_split(uint64_t number) {
    number = (number & UINT64_C(0x0fffffff)) | (number & UINT64_C(0x00fffffff0000000)) << 4;
    number = (number & UINT64_C(0x00003fff00003fff)) | (number & UINT64_C(0x0fffc0000fffc000)) << 2;
    return (number & UINT64_C(0x007f007f007f007f)) | (number & UINT64_C(0x3f803f803f803f80)) << 1;
}

static inline uint64_t weir_smile_load(const unsigned char *at) {
    return __builtin_bswap64(weir_word_at(at));
}

static inline void weir_smile_store(unsigned char *at, uint64_t word) {
    weir_word_put(at, __builtin_bswap64(word));
}

static inline uint64_t weir_smile_zigzag(int64_t number) {
    return (uint64_t)number << 1 ^ (uint64_t)(number >> 63);
}

static inline int64_t weir_smile_unzigzag(uint64_t number) {
    return (int64_t)(number >> 1 ^ (0 - (number & 1)));
}

/* Bytes that @size bytes take in septets. */
static inline uint64_t weir_smile_packed_size(uint64_t size) {
    return size / 7 * 8 + (size % 7 > 0 ? size % 7 + 1 : 0);
}

/* ---- the tables of a section ---- */

struct smile_table {
    uint32_t count;
    uint32_t kept; /* the first of them lie in the section's own memory */
    struct weir_value texts[SMILE_TABLE_MAX];
};

/* From one header to the next. Names and values are counted apart; a table that is full is emptied by the next to
 * come. */
struct smile_section {
    uint32_t features; /* enum smile_header */
    int was_emptied;   /* a table was, since it was kept */
    struct smile_table names;
    struct smile_table values;
};

static inline void weir_smile_section_begin(struct smile_section *section, uint32_t features) {
    section->features = features;
    section->was_emptied = 1;
    section->names.count = section->names.kept = 0;
    section->values.count = section->values.kept = 0;
}

/* The cell is copied in two words, as it was just written in two: read as one of 16 bytes it would wait until both are
 * in the cache. */
static inline void weir_smile_remember(struct smile_section *section, struct smile_table *table,
                                       const struct weir_value *text) {
    if (UNLIKELY(table->count == SMILE_TABLE_MAX)) {
        table->count = table->kept = 0;
        section->was_emptied = 1;
    }
    struct weir_value *entry = &table->texts[table->count++];
    weir_cell_set(entry, WEIR_KIND_TEXT, text->count, 0);
    entry->as.data = text->as.data;
}

/* The section that a document's sequence is in, begun anew when it is in none. NULL when there is no memory. */
struct smile_section *weir_smile_section_of(struct weir_doc *doc, int is_sequel);
/* Copy the texts of the tables, which lie in the input, into the document, for its next item. Return: WEIR_OK,
 * WEIR_ENOMEM. */
int weir_smile_section_keep(struct weir_doc *doc);

/* ---- decoding ---- */

struct smile_reader {
    struct weir_doc *doc;
    const unsigned char *begin;
    const unsigned char *end; /* nothing from here on is looked at */
    struct smile_section *section;
    struct weir_value
        *cell; /* the next to be written, and the innermost open container, while decode.c is outside its loop */
    struct weir_value *open;
    size_t cells_max;
    const struct weir_codec_limits *limits;
    int is_cut;  /* more input follows @end */
    int is_deep; /* containers went deeper than depth_max, which only those of wrappers may */
    int status;
    weir_error *err;
};

/* Fail at @at, or because the input ends when that is the end. Return: NULL. */
const unsigned char *weir_smile_bad(struct smile_reader *reader, const unsigned char *at, const char *what);
const unsigned char *weir_smile_truncated(struct smile_reader *reader);
const unsigned char *weir_smile_beyond(struct smile_reader *reader, const unsigned char *at, const char *what);
const unsigned char *weir_smile_out_of_memory(struct smile_reader *reader);

/* Read the unsigned number at @p. Return: what follows it; NULL on failure. */
const unsigned char *weir_smile_vint(struct smile_reader *reader, const unsigned char *p, unsigned bits, uint64_t *ret);
/* Read what follows the token before @p into @cell, and the next one for a decimal. Return: the same. */
const unsigned char *weir_smile_bigint(struct smile_reader *reader, const unsigned char *p, struct weir_value *cell);
const unsigned char *weir_smile_decimal(struct smile_reader *reader, const unsigned char *p, struct weir_value *cell);
const unsigned char *weir_smile_binary(struct smile_reader *reader, const unsigned char *p, struct weir_value *cell);
const unsigned char *weir_smile_raw(struct smile_reader *reader, const unsigned char *p, struct weir_value *cell);
const unsigned char *weir_smile_long_text(struct smile_reader *reader, const unsigned char *p, int is_ascii,
                                          struct weir_value *cell);

int weir_smile_decode(struct weir_doc *doc, const unsigned char *data, size_t size,
                      const struct weir_codec_limits *limits, size_t *ret_used, weir_error *err);

/* ---- encoding ---- */

int weir_smile_encode(const struct weir_value *value, const struct weir_codec_limits *limits, struct weir_buffer *out,
                      weir_error *err);
/* The same with a header of @features: 0 or SMILE_SHARES_NAMES. */
int weir_smile_write(const struct weir_value *value, uint32_t features, const struct weir_codec_limits *limits,
                     struct weir_buffer *out, weir_error *err);

#endif
