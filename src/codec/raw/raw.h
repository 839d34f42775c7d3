/* What the files of the raw codec share: types parsed into fields.
 *
 * A type is a flat array of fields, the whole first, then depth first: a struct's first field follows it, and the next
 * field of the same struct stands span_ fields further, unless is_last_. Names point into the canonical text. So walks
 * need no recursion and no pointers, and a type is two blocks of memory that never change once it is made.
 */
#ifndef WEIR_CODEC_RAW_H
#define WEIR_CODEC_RAW_H

#include <weir/raw.h>

#include "codec/codec.h"

struct weir_type {
    char *text; /* canonical, with a NUL */
    size_t text_size;
    struct weir_field *fields;
    uint32_t field_count; /* with the whole */
    uint32_t depth;       /* maps and arrays inside each other in its document */
};

/* A text being read; parts of arrays of numbers, which raw.c and type.c read alike. Each take says 1 when it was there.
 * */
struct weir_type_cursor {
    const char *begin, *at, *end;
    uint32_t depth; /* braces around: blanks are allowed only inside */
};
int weir_type_take(struct weir_type_cursor *cursor, char wanted);
uint32_t weir_type_take_element(struct weir_type_cursor *cursor);
/* A shape and an order, when they are there. Return: 0 when they are begun and wrong. */
int weir_type_take_array(struct weir_type_cursor *cursor, uint64_t *shape, uint32_t *rank, uint32_t *order);

/* layout.c: what C does. Each returns 0 when a size is beyond memory. */

/* Give @field, whose element or fields are known, its size: item_size times the shape. */
int weir_layout_array(struct weir_field *field);
/* Lay @field behind the others of @parent, whose item_size grows. */
int weir_layout_place(struct weir_field *parent, struct weir_field *field);
/* @parent has all its fields: pad its end, so that in an array the next one is aligned. */
int weir_layout_close(struct weir_field *parent);
/* Bytes between neighbours along index @axis of an array. */
uint64_t weir_layout_stride(const struct weir_field *field, uint32_t axis);

/* Containers inside each other in any document of a type: each struct is a map, and may lie in an array of each
 * dimension. */
enum { WEIR_TYPE_DEPTH_MAX = WEIR_TYPE_STRUCTS_MAX * (1 + WEIR_RANK_MAX) };

/* The field as an ndarray at @data. */
void weir_field_ndarray(const struct weir_field *field, const void *data, struct weir_ndarray *ret);

#endif
