/* The document from inside: cells, and what decoders and encoders do with them.
 *
 * A document is a flat array of 16-byte cells in depth-first order. A container's cell says how many items it has and
 * how many cells it spans, itself included, so that whole subtrees are stepped over in one addition. Scalars are one
 * cell; three kinds carry more:
 *
 *     DECIMAL   [unscaled integer] [INT64: exponent]
 *     NDARRAY   [head] [two dimensions] [two dimensions] ...        count = number of shape cells, two uint64 in each
 *     TAGGED    [head] content...                                   the content is one value
 *     MAP       [head] key value key value ...                      count = pairs
 *
 * Text, bytes, digits and elements lie outside the cells: in the input, in the document's arena, or with the caller.
 * Decoders write cells through weir_doc_cell and close containers themselves; the public builder is value/build.c.
 */
#ifndef WEIR_VALUE_INTERNAL_H
#define WEIR_VALUE_INTERNAL_H

#include <string.h>
#include <weir/value.h>

#include "base/arena.h"

/* The cell itself is in weir/value.h, where walks are inline. What the library has in the members it keeps to itself:
 *     aux     INT64: enum weir_integer_width; TIME: enum weir_time_unit; NDARRAY: element | rank << 8;
 *             ARRAY, MAP: while open, tags around it
 *     count   BIGINT, DECIMAL: bytes; NDARRAY: shape cells; TAGGED: space
 *     as      UINT64: u64; TAGGED: u64, the number; BIGINT, DECIMAL, NDARRAY: data;
 *             ARRAY, MAP: span, while open index + 1 of the parent, 0 for none */
enum weir_cell_flags {
    WEIR_CELL_NEGATIVE = 1, /* BIGINT, DECIMAL: below zero; data is the magnitude */
    WEIR_CELL_DIGITS =
        2, /* BIGINT, DECIMAL: data is decimal digits; otherwise magnitude bytes, most significant first */
    WEIR_CELL_COLUMN = 4,     /* NDARRAY: column order */
    WEIR_CELL_BIG_ENDIAN = 8, /* NDARRAY: elements most significant byte first */
    WEIR_CELL_OPEN = 16,      /* ARRAY, MAP: not ended yet */
    WEIR_CELL_CLEAN = 32      /* TEXT: known to need no escape in JSON (no '"', '\\', nor bytes below 0x20) */
};

/* The unit a time was given in, so that it can be written back the same way; the value is always ns. */
enum weir_time_unit { WEIR_TIME_NS = 0, WEIR_TIME_S = 1, WEIR_TIME_MS = 2, WEIR_TIME_S_FLOAT = 3, WEIR_TIME_TEXT = 4 };

/* The width an integer was given in, where a format has several, so that it can be written back the same way. */
enum weir_integer_width { WEIR_INTEGER_SHORTEST = 0, WEIR_INTEGER_WIDE = 1 /* 64 bits though 32 would do */ };

/* What a codec keeps with a document between the items of a sequence: the beginning of the codec's own struct. */
struct weir_kept {
    void (*free)(struct weir_kept *kept);
};

struct weir_doc {
    struct weir_value *cells;
    size_t count;
    size_t capacity;
    struct weir_arena arena;
    size_t ceiling;         /* decoding: growing ahead stops at this many cells, 0 for none */
    size_t peak;            /* decoding: cells before wrappers among them became fewer */
    int has_grown;          /* the cells have, since it was cleared */
    size_t open;            /* builder: index + 1 of the innermost open container, 0 at the root */
    uint32_t depth;         /* builder: open containers, and the tags around them and pending */
    uint32_t tags;          /* builder: tags that still wait for their content */
    int status;             /* builder: sticky enum weir_err */
    const char *problem;    /* builder: what the status is about */
    int is_finished;        /* the root may be read */
    int sequel;             /* enum weir_codec: the next item of its sequence may go on with what is kept; 0 for none */
    struct weir_kept *kept; /* NULL for nothing; its memory stays when the document is cleared */
};

/* What the documents of this library hold at most in one integer, so that changing its form takes bounded time. */
enum { WEIR_DIGITS_MAX = 4932, WEIR_MAGNITUDE_MAX = 2048 /* bytes; 10^4932 < 2^16384 */ };

/* Make room for @more cells. Doubles, but not beyond the ceiling unless it must. Return: WEIR_OK, WEIR_ENOMEM. */
int weir_doc_grow(struct weir_doc *doc, size_t more);
/* The same for decoders, which know that @done of @size bytes made the cells that there are: a big document grows to
 * what they promise, so that it takes little more than its cells. */
int weir_doc_grow_along(struct weir_doc *doc, size_t more, size_t done, size_t size);
/* Give back what a decoded document has grown by in vain. The same input does not make it grow again. */
void weir_doc_trim(struct weir_doc *doc);

/* The next cell, to be filled by the caller; NULL when there is no memory. Moves earlier cells: keep indices, not
 * pointers. */
static inline struct weir_value *weir_doc_cell(struct weir_doc *doc) {
    if (doc->count == doc->capacity && weir_doc_grow(doc, 1) != WEIR_OK)
        return NULL;
    return &doc->cells[doc->count++];
}

/* Fill a cell, flags and aux 0, with two stores; an initializer would clear it first. */
static inline void weir_cell_set(struct weir_value *cell, uint8_t kind, uint32_t count, uint64_t payload) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint64_t head = kind | (uint64_t)count << 32;
    memcpy(cell, &head, sizeof(head));
#else
    *cell = (struct weir_value){.kind = kind, .count = count};
#endif
    cell->as.u64 = payload;
}

/* The cell behind a value and all it holds. */
static inline const struct weir_value *weir_value_after(const struct weir_value *value) {
    while (value->kind == WEIR_KIND_TAGGED)
        value++;
    switch (value->kind) {
    case WEIR_KIND_ARRAY:
    case WEIR_KIND_MAP: return value + value->as.span;
    case WEIR_KIND_DECIMAL: return value + 2;
    case WEIR_KIND_NDARRAY: return value + 1 + value->count;
    default: return value + 1;
    }
}

/* The next value in depth-first order: what a walk over all cells steps with, into containers and tags. */
static inline const struct weir_value *weir_value_next(const struct weir_value *value) {
    if (value->kind == WEIR_KIND_NDARRAY)
        return value + 1 + value->count;
    return value + (value->kind == WEIR_KIND_DECIMAL ? 2 : 1);
}

/* Whether a tag of this space may have this number: simple values 20 to 31 are false, true, null, undefined and
 * nothing; BSON's types are bytes, and binary subtypes follow from 0x500. */
int weir_tag_exists(uint32_t space, uint64_t number);
/* Append a copy of a value of another document, with all it points at. Return: WEIR_OK, WEIR_ENOMEM (nothing was
 * appended). */
int weir_doc_append(struct weir_doc *doc, const struct weir_value *value);

/* A total order that is 0 exactly for equal values (weir_value_equal); otherwise below or above 0, for sorting. */
int weir_value_compare(const struct weir_value *a, const struct weir_value *b);
/* Whether two keys of a map are equal: *ret is the second of them, or NULL. Return: WEIR_OK, WEIR_ENOMEM. */
int weir_map_repeated_key(const struct weir_value *map, const struct weir_value **ret);

/* The magnitude of a BIGINT or DECIMAL, whichever way it is kept, as decimal digits (no sign, no NUL; "0" for zero) or
 * as bytes, most significant first, without leading zeros (none for zero). _max says how much room that needs, whatever
 * the form. Return: WEIR_OK, WEIR_ELIMIT (an integer beyond WEIR_DIGITS_MAX or WEIR_MAGNITUDE_MAX). */
size_t weir_magnitude_digits_max(const struct weir_value *value);
size_t weir_magnitude_bytes_max(const struct weir_value *value);
int weir_magnitude_digits(const struct weir_value *value, char *text, size_t *ret_size);
int weir_magnitude_bytes(const struct weir_value *value, unsigned char *bytes, size_t *ret_size);
/* Whether magnitude bytes without leading zeros are a number of WEIR_DIGITS_MAX digits at most: what decoders of bytes
 * keep as an integer, so that every codec can write it and read it again. */
int weir_magnitude_is_within(const unsigned char *bytes, size_t size);
/* Fill one cell with an integer of digits only: INT64 or UINT64 where that fits, else BIGINT whose data is @digits,
 * borrowed. Return: WEIR_OK, WEIR_EINVAL (not digits), WEIR_ELIMIT. */
int weir_integer_from_digits(struct weir_value *cell, const char *digits, size_t size, int is_negative);

/* Times as text in UTC, "2013-03-21T20:04:00.25Z". Read is every spelling of RFC 3339.
 * write: at most WEIR_TIME_TEXT_MAX bytes with the NUL; returns the length. read: WEIR_OK, WEIR_EINVAL. */
enum { WEIR_TIME_TEXT_MAX = 36 };
size_t weir_time_write(char *text, int64_t ns);
int weir_time_read(const char *text, size_t size, int64_t *ret);
/* A time as whole seconds, rounded down, and the nanoseconds above them; and back. join: WEIR_OK, WEIR_EINVAL (beyond
 * int64). */
#define WEIR_NS_PER_S INT64_C(1000000000)
void weir_time_split(int64_t ns, int64_t *ret_seconds, uint32_t *ret_ns);
int weir_time_join(int64_t seconds, uint32_t ns, int64_t *ret);

/* An ndarray's cells as the public struct; the value must be an NDARRAY. */
void weir_value_ndarray(const struct weir_value *value, struct weir_ndarray *ret);
/* Append an ndarray's cells, its data borrowed. What means nothing is dropped, so that equal arrays have equal cells:
 * the order of rank 0 and 1, the endianness of single bytes. Return: WEIR_OK, WEIR_EINVAL (shape and size disagree,
 * rank), WEIR_ENOMEM. */
int weir_doc_ndarray(struct weir_doc *doc, const struct weir_ndarray *array);
/* WEIR_OK when element, rank, order, shape and size of @array agree; WEIR_EINVAL. */
int weir_ndarray_check(const struct weir_ndarray *array);
/* The type as text, "f64[4,256]:col", with a NUL; at most WEIR_NDARRAY_TYPE_MAX bytes. Return: its length. */
enum { WEIR_NDARRAY_TYPE_MAX = 340 };
size_t weir_ndarray_type(const struct weir_ndarray *array, char *text);
/* The element at @position (in elements, as they lie in memory) as a number of its own. */
void weir_ndarray_element(const struct weir_ndarray *array, uint64_t position, struct weir_value *ret);
/* Copy @array's elements to @to, least significant byte first whatever they were. */
void weir_ndarray_little_endian(const struct weir_ndarray *array, unsigned char *to);

/* Write the numbers of @value (a number, an ndarray, bytes, nested arrays of numbers, or one flat array of them in the
 * order of memory) to @to as @target lays them out; its data is not looked at. @why: WEIR_WHY_MAX bytes for what is
 * wrong, without a name.
 * Return: WEIR_OK, WEIR_ETYPE. */
enum { WEIR_WHY_MAX = 240 };
int weir_numbers_fill(const struct weir_value *value, const struct weir_ndarray *target, uint32_t flags, void *to,
                      char *why);

#endif
