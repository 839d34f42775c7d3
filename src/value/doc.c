/* The document's life: one growing block of cells and one arena. Clearing keeps both, so that a loop allocates
 * nothing. */
#include "value/value.h"

#include <stdlib.h>

#include "base/error.h"

enum {
    CELLS_MIN = 64,
    CELLS_BIG = 2048,  /* 32 KiB: below, memory is not worth counting */
    CELLS_SPARE = 256, /* left by trimming: more than any codec wants to have room for */
    PROMISE_PART = 32  /* of what the input promises, added to it, as no document is the same all through */
};

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
    doc->peak = 0;
    doc->has_grown = 0;
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

static int resize(struct weir_doc *doc, size_t capacity) {
    struct weir_value *cells = realloc(doc->cells, capacity * sizeof(*cells));
    if (!cells)
        return WEIR_ENOMEM;
    doc->cells = cells;
    doc->capacity = capacity;
    return WEIR_OK;
}

/* Make room for @more cells, and for @wanted in all if that is not beyond the ceiling. */
static int grow(struct weir_doc *doc, size_t more, size_t wanted) {
    if (more > SIZE_MAX / sizeof(*doc->cells) / 4 - doc->count)
        return WEIR_ENOMEM;
    size_t needed = doc->count + more;
    size_t capacity = wanted > CELLS_MIN ? wanted : CELLS_MIN;
    if (doc->ceiling > 0 && capacity > doc->ceiling)
        capacity = needed <= doc->ceiling ? doc->ceiling : 2 * needed - doc->ceiling;
    doc->has_grown = 1;
    return resize(doc, capacity > needed ? capacity : needed);
}

int weir_doc_grow(struct weir_doc *doc, size_t more) {
    return doc->capacity - doc->count >= more ? WEIR_OK : grow(doc, more, doc->capacity * 2);
}

/* Between a quarter more, so that cells are moved seldom, and the double, as a promise may be a lie. */
int weir_doc_grow_along(struct weir_doc *doc, size_t more, size_t done, size_t size) {
    if (doc->capacity - doc->count >= more)
        return WEIR_OK;
    size_t most = doc->capacity * 2, least = doc->capacity + doc->capacity / 4;
    if (doc->capacity < CELLS_BIG || done == 0)
        return grow(doc, more, most);
    double promise = (double)doc->count * ((double)size / (double)done);
    promise += promise / PROMISE_PART;
    size_t wanted = promise < (double)most ? (size_t)promise : most;
    return grow(doc, more, wanted > least ? wanted : least);
}

void weir_doc_trim(struct weir_doc *doc) {
    size_t used = (doc->count > doc->peak ? doc->count : doc->peak) + CELLS_SPARE;
    if (doc->has_grown && doc->capacity > used + CELLS_BIG)
        resize(doc, used); /* or it stays as it is */
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
