/* Raw data of a type into a document.
 *
 * A walk over the type and the bytes with a stack: a frame is one map or one dimension of an array of structs. Bytes
 * are read where they lie, arrays of numbers are not read at all. The type says beforehand how many cells the document
 * has, so it is refused before anything is reserved when that is too many.
 */
#include "codec/raw/raw.h"

#include <string.h>

struct frame {
    const struct weir_field *field;
    const struct weir_field *next; /* MAP: the field to come, NULL behind the last */
    const unsigned char *at;
    uint64_t index, stride; /* ARRAY: items so far, bytes from each to the next */
    size_t cell;
    uint32_t axis; /* == rank: a map */
};

struct walk {
    struct weir_doc *doc;
    uint32_t depth;
    struct frame frames[WEIR_TYPE_DEPTH_MAX];
};

static int leaf(struct weir_doc *doc, const struct weir_field *field, const unsigned char *at) {
    weir_ndarray array;
    weir_field_ndarray(field, at, &array);
    if (field->rank > 0)
        return weir_doc_ndarray(doc, &array);
    struct weir_value *cell = weir_doc_cell(doc);
    if (!cell)
        return WEIR_ENOMEM;
    weir_ndarray_element(&array, 0, cell);
    return WEIR_OK;
}

/* The value of @field at @at, an array of structs from dimension @axis on: all of a number or ndarray, the beginning of
 * others. */
static int value_begin(struct walk *walk, const struct weir_field *field, const unsigned char *at, uint32_t axis) {
    if (field->element)
        return leaf(walk->doc, field, at);
    int is_map = axis == field->rank;
    size_t index = walk->doc->count;
    struct weir_value *cell = weir_doc_cell(walk->doc);
    if (!cell)
        return WEIR_ENOMEM;
    *cell = (struct weir_value){.kind = is_map ? WEIR_KIND_MAP : WEIR_KIND_ARRAY,
                                .count = is_map ? field->field_count : (uint32_t)field->shape[axis]};
    struct frame *frame = &walk->frames[walk->depth++];
    *frame = (struct frame){.field = field, .at = at, .cell = index, .axis = axis};
    if (is_map)
        frame->next = weir_field_first(field);
    else
        frame->stride = weir_layout_stride(field, axis);
    return WEIR_OK;
}

static int key(struct weir_doc *doc, weir_view name) {
    struct weir_value *cell = weir_doc_cell(doc);
    if (!cell)
        return WEIR_ENOMEM;
    *cell = (struct weir_value){.kind = WEIR_KIND_TEXT,
                                .flags = WEIR_CELL_CLEAN,
                                .count = (uint32_t)name.size,
                                .as.data = (const unsigned char *)name.data};
    return WEIR_OK;
}

/* The next item of the innermost map or array, or its end. */
static int step(struct walk *walk) {
    struct frame *frame = &walk->frames[walk->depth - 1];
    const struct weir_field *field = frame->field, *next = frame->next;
    if (frame->axis < field->rank && frame->index < field->shape[frame->axis])
        return value_begin(walk, field, frame->at + frame->stride * frame->index++, frame->axis + 1);
    if (next) {
        frame->next = weir_field_next(next);
        int status = key(walk->doc, next->name);
        return status ? status : value_begin(walk, next, frame->at + next->offset, 0);
    }
    walk->doc->cells[frame->cell].as.span = walk->doc->count - frame->cell;
    walk->depth--;
    return WEIR_OK;
}

static int check(const weir_type *type, size_t size, const weir_codec_options *options, weir_error *err) {
    uint32_t depth_max = options && options->depth_max ? options->depth_max : WEIR_DEPTH_MAX;
    uint64_t cells_max = options && options->values_max ? options->values_max : WEIR_VALUES_MAX;
    const struct weir_field *whole = type->fields;
    if (whole->size != size)
        return weir_fail(err, WEIR_EPARSE, "raw: %zu byte%s, and %.160s has %zu", size, WEIR_S(size), type->text,
                         (size_t)whole->size);
    if (type->depth > depth_max)
        return weir_fail(err, WEIR_ELIMIT, "raw: %.160s nests %u deep, the limit is %u", type->text, type->depth,
                         depth_max);
    if (whole->cells_ > cells_max)
        return weir_fail(err, WEIR_ELIMIT, "raw: %.160s makes more than %llu values; read it as a struct in place",
                         type->text, (unsigned long long)cells_max);
    return WEIR_OK;
}

int weir_type_decode(weir_doc *doc, const weir_type *type, const void *data, size_t size,
                     const weir_codec_options *options, weir_error *err) {
    struct walk walk;
    walk.doc = doc;
    walk.depth = 0;
    weir_doc_clear(doc);
    int status = check(type, size, options, err);
    if (status != WEIR_OK)
        return status;
    status = weir_doc_grow(doc, (size_t)type->fields->cells_);
    if (status == WEIR_OK)
        status = value_begin(&walk, type->fields, data, 0);
    while (status == WEIR_OK && walk.depth > 0)
        status = step(&walk);
    if (status != WEIR_OK) {
        weir_doc_clear(doc);
        return weir_fail(err, status, "raw: out of memory");
    }
    doc->is_finished = 1;
    return WEIR_OK;
}
