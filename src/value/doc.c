/* The document's life: one growing block of cells and one arena. Clearing keeps both, so that a loop allocates nothing. */
#include "value/value.h"

#include <stdlib.h>

#include "base/error.h"

enum { CELLS_MIN = 64 };

int weir_doc_new(weir_doc **ret) {
    struct weir_doc *doc = calloc(1, sizeof(*doc));
    if (!doc)
        return WEIR_ENOMEM;
    *ret = doc;
    return WEIR_OK;
}

weir_doc *weir_doc_free(weir_doc *doc) {
    if (doc) {
        weir_arena_fini(&doc->arena);
        if (doc->kept)
            doc->kept->free(doc->kept);
        free(doc->cells);
        free(doc);
    }
    return NULL;
}

void weir_doc_clear(weir_doc *doc) {
    doc->count = 0;
    doc->ceiling = 0;
    doc->open = 0;
    doc->depth = 0;
    doc->tags = 0;
    doc->status = WEIR_OK;
    doc->problem = NULL;
    doc->is_finished = 0;
    doc->sequel = 0;
    if (doc->arena.used > 0)
        weir_arena_clear(&doc->arena);
}

int weir_doc_grow(struct weir_doc *doc, size_t more) {
    if (doc->capacity - doc->count >= more)
        return WEIR_OK;
    if (more > SIZE_MAX / sizeof(*doc->cells) / 4 - doc->count)
        return WEIR_ENOMEM;
    size_t needed = doc->count + more;
    size_t capacity = doc->capacity < CELLS_MIN / 2 ? CELLS_MIN : doc->capacity * 2;
    if (doc->ceiling > 0 && capacity > doc->ceiling)
        capacity = doc->ceiling;
    if (capacity < needed)
        capacity = needed;
    struct weir_value *cells = realloc(doc->cells, capacity * sizeof(*cells));
    if (!cells)
        return WEIR_ENOMEM;
    doc->cells = cells;
    doc->capacity = capacity;
    return WEIR_OK;
}

const weir_value *weir_doc_root(const weir_doc *doc) {
    return doc && doc->is_finished && doc->count > 0 ? doc->cells : NULL;
}

/* What is wrong with the document as a whole, or NULL. */
static const char *unfinished(const struct weir_doc *doc) {
    if (doc->open > 0)
        return "a map or array is not ended; call weir_end for each that was begun";
    if (doc->tags > 0)
        return "a tag has no content; put a value behind it";
    return doc->count == 0 ? "the document is empty; put one value into it" : NULL;
}

int weir_doc_finish(weir_doc *doc, const weir_value **ret, weir_error *err) {
    if (doc->status == WEIR_OK && unfinished(doc)) {
        doc->status = WEIR_EINVAL;
        doc->problem = unfinished(doc);
    }
    doc->is_finished = doc->status == WEIR_OK;
    if (!doc->is_finished)
        return weir_fail(err, doc->status, "building a document: %s",
                         doc->problem ? doc->problem : weir_err_text(doc->status));
    if (ret)
        *ret = doc->cells;
    return WEIR_OK;
}
