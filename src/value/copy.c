/* Copying a value between documents: its cells in one block, then whatever they point at in another. Spans count cells
 * and nothing holds an index, so cells stay right wherever they lie. */
#include "value/value.h"

#include <string.h>

static int points_outside(const struct weir_value *value) {
    switch (value->kind) {
    case WEIR_KIND_TEXT:
    case WEIR_KIND_BYTES:
    case WEIR_KIND_BIGINT:
    case WEIR_KIND_DECIMAL:
    case WEIR_KIND_NDARRAY: return 1;
    default: return 0;
    }
}

/* Bytes a value points at. */
static size_t outside_size(const struct weir_value *value) {
    if (value->kind != WEIR_KIND_NDARRAY)
        return points_outside(value) ? value->count : 0;
    weir_ndarray array;
    weir_value_ndarray(value, &array);
    return array.size;
}

enum { OUTSIDE_ALIGNMENT = 16 }; /* elements of every type may be read in place */

static size_t aligned(size_t size) {
    return (size + OUTSIDE_ALIGNMENT - 1) & ~(size_t)(OUTSIDE_ALIGNMENT - 1);
}

/* Elements begin at a multiple of their size; texts follow each other without a gap. */
static size_t outside_offset(const struct weir_value *value, size_t offset) {
    return value->kind == WEIR_KIND_NDARRAY ? aligned(offset) : offset;
}

int weir_doc_append(struct weir_doc *doc, const struct weir_value *value) {
    const struct weir_value *end = weir_value_after(value);
    size_t count = (size_t)(end - value);
    size_t size = 0;
    for (const struct weir_value *each = value; each < end; each = weir_value_next(each))
        size = outside_offset(each, size) + outside_size(each);
    if (weir_doc_grow(doc, count) != WEIR_OK)
        return WEIR_ENOMEM;
    unsigned char *outside = size > 0 ? weir_arena_take(&doc->arena, size) : NULL;
    if (size > 0 && !outside)
        return WEIR_ENOMEM;
    struct weir_value *copy = &doc->cells[doc->count];
    memcpy(copy, value, count * sizeof(*copy));
    doc->count += count;
    size_t offset = 0;
    for (const struct weir_value *each = value; each < end; each = weir_value_next(each)) {
        if (!points_outside(each))
            continue;
        size_t each_size = outside_size(each);
        offset = outside_offset(each, offset);
        copy[each - value].as.data =
            each_size > 0 ? memcpy(outside + offset, each->as.data, each_size) : (const unsigned char *)"";
        offset += each_size;
    }
    return WEIR_OK;
}

int weir_doc_copy(weir_doc *doc, const weir_value *value) {
    weir_doc_clear(doc);
    if (weir_doc_append(doc, value) != WEIR_OK)
        return WEIR_ENOMEM;
    doc->is_finished = 1;
    return WEIR_OK;
}
