/* The document from inside: cells, and what decoders and encoders do with them.
 *
 * A document is a flat array of 16-byte cells in depth-first order. A container's cell says how many items it has and how many
 * cells it spans, itself included, so that whole subtrees are stepped over in one addition. Scalars are one cell; three kinds
 * carry more:
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

#include <weir/value.h>

#include "base/arena.h"

struct weir_value {
    uint8_t kind;   /* enum weir_kind */
    uint8_t flags;  /* enum weir_cell_flags */
    uint16_t aux;   /* BYTES: BSON subtype; TIME: enum weir_time_unit; NDARRAY: element | rank << 8 */
    uint32_t count; /* TEXT, BYTES, BIGINT, DECIMAL: bytes; ARRAY: items; MAP: pairs; NDARRAY: shape cells; TAGGED: space */
    union {
        int64_t i64; /* INT64, TIME; BOOL: 0 or 1 */
        uint64_t u64;/* UINT64; TAGGED: number */
        double f64;
        float f32;
        const unsigned char *data; /* TEXT, BYTES, BIGINT, DECIMAL, NDARRAY */
        uint64_t span;             /* ARRAY, MAP: cells including this one; while open: index + 1 of the parent, 0 for none */
    } as;
};

enum weir_cell_flags {
    WEIR_CELL_NEGATIVE = 1,   /* BIGINT, DECIMAL: below zero; data is the magnitude */
    WEIR_CELL_DIGITS = 2,     /* BIGINT, DECIMAL: data is decimal digits; otherwise magnitude bytes, most significant first */
    WEIR_CELL_COLUMN = 4,     /* NDARRAY: column order */
    WEIR_CELL_BIG_ENDIAN = 8, /* NDARRAY: elements most significant byte first */
    WEIR_CELL_OPEN = 16,      /* ARRAY, MAP: not ended yet */
    WEIR_CELL_CLEAN = 32      /* TEXT: known to need no escape in JSON (no '"', '\\', nor bytes below 0x20) */
};

/* The unit a time was given in, so that it can be written back the same way; the value is always ns. */
enum weir_time_unit { WEIR_TIME_NS = 0, WEIR_TIME_S = 1, WEIR_TIME_MS = 2, WEIR_TIME_S_FLOAT = 3, WEIR_TIME_TEXT = 4 };

struct weir_doc {
    struct weir_value *cells;
    size_t count;
    size_t capacity;
    struct weir_arena arena;
    size_t open;     /* builder: index + 1 of the innermost open container, 0 at the root */
    uint32_t depth;  /* builder: open containers */
    int status;      /* builder: sticky enum weir_err */
    int is_finished; /* the root may be read */
};

/* Make room for @more cells. Return: WEIR_OK, WEIR_ENOMEM. */
int weir_doc_grow(struct weir_doc *doc, size_t more);

/* The next cell, to be filled by the caller; NULL when there is no memory. Moves earlier cells: keep indices, not pointers. */
static inline struct weir_value *weir_doc_cell(struct weir_doc *doc) {
    if (doc->count == doc->capacity && weir_doc_grow(doc, 1) != WEIR_OK)
        return NULL;
    return &doc->cells[doc->count++];
}

/* The cell behind a value and all it holds. */
static inline const struct weir_value *weir_value_after(const struct weir_value *value) {
    while (value->kind == WEIR_KIND_TAGGED)
        value++;
    switch (value->kind) {
    case WEIR_KIND_ARRAY:
    case WEIR_KIND_MAP:
        return value + value->as.span;
    case WEIR_KIND_DECIMAL:
        return value + 2;
    case WEIR_KIND_NDARRAY:
        return value + 1 + value->count;
    default:
        return value + 1;
    }
}

/* An ndarray's cells as the public struct; the value must be an NDARRAY. */
void weir_value_ndarray(const struct weir_value *value, struct weir_ndarray *ret);
/* Append an ndarray's cells, its data borrowed. Return: WEIR_OK, WEIR_EINVAL (shape and size disagree, rank), WEIR_ENOMEM. */
int weir_doc_ndarray(struct weir_doc *doc, const struct weir_ndarray *array);

#endif
