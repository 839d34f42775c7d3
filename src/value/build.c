/* The builder: each call appends one value to the innermost open container.
 *
 * The stack of open containers lives in the cells themselves: an open container's span holds the index of its parent
 * plus one, its count the items so far (for a map: keys and values), its aux the tags directly around it. doc->tags
 * counts the tags put last that still wait for their content; a tag and its content count as one item.
 * The first failure sticks in doc->status, and every later call does nothing.
 */
#include "value/value.h"

#include <string.h>
#include <weir/codec.h>

#include "base/utf8.h"

static void fail(struct weir_doc *doc, int status, const char *problem) {
    if (doc->status == WEIR_OK) {
        doc->status = status;
        doc->problem = problem;
    }
}

/* Count a new value in its parent; refuse it where none may come. */
static int place(struct weir_doc *doc, int kind) {
    if (doc->status != WEIR_OK)
        return 0;
    if (doc->is_finished) {
        fail(doc, WEIR_EINVAL, "the document is finished; clear it before building another");
        return 0;
    }
    if (doc->tags > 0) { /* the first of the tags was counted in its place */
        const struct weir_value *tag = &doc->cells[doc->count - 1];
        if (tag->count == WEIR_TAG_SIMPLE && kind != WEIR_KIND_NULL)
            fail(doc, WEIR_EINVAL, "a simple value holds something; put null as its content");
        return doc->status == WEIR_OK;
    }
    if (doc->open == 0) {
        if (doc->count > 0)
            fail(doc, WEIR_EINVAL, "a second root; put several values into an array or map");
        return doc->count == 0;
    }
    struct weir_value *parent = &doc->cells[doc->open - 1];
    if (parent->count == UINT32_MAX) {
        fail(doc, WEIR_ELIMIT, "a container holds more than 2^32 - 1 items");
        return 0;
    }
    parent->count++;
    return 1;
}

/* Place a value of one cell and @more behind it; NULL when it may not or cannot be. */
static struct weir_value *append(struct weir_doc *doc, int kind, size_t more) {
    if (!place(doc, kind))
        return NULL;
    if (weir_doc_grow(doc, 1 + more) != WEIR_OK) {
        fail(doc, WEIR_ENOMEM, "out of memory");
        return NULL;
    }
    struct weir_value *cell = &doc->cells[doc->count];
    doc->count += 1 + more;
    *cell = (struct weir_value){.kind = (uint8_t)kind};
    return cell;
}

/* The pending tags have their content. */
static void settle(struct weir_doc *doc) {
    doc->depth -= doc->tags;
    doc->tags = 0;
}

static struct weir_value *scalar(struct weir_doc *doc, int kind) {
    struct weir_value *cell = append(doc, kind, 0);
    if (cell)
        settle(doc);
    return cell;
}

void weir_put_null(weir_doc *doc) {
    scalar(doc, WEIR_KIND_NULL);
}

void weir_put_undefined(weir_doc *doc) {
    scalar(doc, WEIR_KIND_UNDEFINED);
}

void weir_put_bool(weir_doc *doc, int value) {
    struct weir_value *cell = scalar(doc, WEIR_KIND_BOOL);
    if (cell)
        cell->as.i64 = value != 0;
}

void weir_put_i64(weir_doc *doc, int64_t value) {
    struct weir_value *cell = scalar(doc, WEIR_KIND_INT64);
    if (cell)
        cell->as.i64 = value;
}

void weir_put_u64(weir_doc *doc, uint64_t value) {
    struct weir_value *cell = scalar(doc, value > INT64_MAX ? WEIR_KIND_UINT64 : WEIR_KIND_INT64);
    if (cell)
        cell->as.u64 = value;
}

void weir_put_f32(weir_doc *doc, float value) {
    struct weir_value *cell = scalar(doc, WEIR_KIND_FLOAT32);
    if (cell)
        cell->as.f32 = value;
}

void weir_put_f64(weir_doc *doc, double value) {
    struct weir_value *cell = scalar(doc, WEIR_KIND_FLOAT64);
    if (cell)
        cell->as.f64 = value;
}

void weir_put_time(weir_doc *doc, int64_t ns_since_epoch) {
    struct weir_value *cell = scalar(doc, WEIR_KIND_TIME);
    if (cell)
        cell->as.i64 = ns_since_epoch;
}

/* @size bytes in the document's arena; NULL, with the failure noted, when there is no memory. */
static const unsigned char *keep(struct weir_doc *doc, const void *data, size_t size) {
    if (doc->status != WEIR_OK)
        return NULL;
    if (size == 0)
        return (const unsigned char *)"";
    unsigned char *copy = weir_arena_take(&doc->arena, size);
    if (!copy) {
        fail(doc, WEIR_ENOMEM, "out of memory");
        return NULL;
    }
    return memcpy(copy, data, size);
}

static void put_string(struct weir_doc *doc, int kind, const void *data, size_t size, int is_borrowed) {
    if (size > UINT32_MAX)
        fail(doc, WEIR_ELIMIT, "a text or byte string of 4 GiB or more");
    else if (size > 0 && !data)
        fail(doc, WEIR_EINVAL, "a text or byte string at address NULL");
    else if (kind == WEIR_KIND_TEXT && weir_utf8_check(data, size) != size)
        fail(doc, WEIR_EINVAL, "a text that is not valid UTF-8; put it as bytes");
    if (doc->status != WEIR_OK)
        return;
    if (size == 0)
        data = "";
    else if (!is_borrowed)
        data = keep(doc, data, size);
    struct weir_value *cell = data ? scalar(doc, kind) : NULL;
    if (cell) {
        cell->count = (uint32_t)size;
        cell->as.data = data;
    }
}

void weir_put_text(weir_doc *doc, const char *text, size_t size) {
    put_string(doc, WEIR_KIND_TEXT, text, size, 0);
}

void weir_refer_text(weir_doc *doc, const char *text, size_t size) {
    put_string(doc, WEIR_KIND_TEXT, text, size, 1);
}

void weir_put_bytes(weir_doc *doc, const void *data, size_t size) {
    put_string(doc, WEIR_KIND_BYTES, data, size, 0);
}

void weir_refer_bytes(weir_doc *doc, const void *data, size_t size) {
    put_string(doc, WEIR_KIND_BYTES, data, size, 1);
}

void weir_put_key(weir_doc *doc, const char *key) {
    if (doc->status != WEIR_OK)
        return;
    const struct weir_value *parent = doc->open > 0 ? &doc->cells[doc->open - 1] : NULL;
    if (!key)
        fail(doc, WEIR_EINVAL, "a key at address NULL");
    else if (!parent || parent->kind != WEIR_KIND_MAP)
        fail(doc, WEIR_EINVAL, "a key outside a map; call weir_begin_map first");
    else if (parent->count % 2 != 0 || doc->tags > 0)
        fail(doc, WEIR_EINVAL, "two keys in a row; put the first one's value between them");
    else
        weir_put_text(doc, key, strlen(key));
}

/* Split a sign off. */
static int is_negative(const char **digits, size_t *size) {
    int negative = *size > 0 && **digits == '-';
    *digits += negative;
    *size -= (size_t)negative;
    return negative;
}

static void integer_failed(struct weir_doc *doc, int status) {
    fail(doc, status,
         status == WEIR_ELIMIT ? "an integer of more than 4932 digits" : "an integer needs decimal digits");
}

void weir_put_bigint(weir_doc *doc, const char *digits, size_t size) {
    struct weir_value integer = {0};
    int negative = is_negative(&digits, &size);
    int status = weir_integer_from_digits(&integer, digits, size, negative);
    if (status != WEIR_OK) {
        integer_failed(doc, status);
        return;
    }
    if (integer.kind == WEIR_KIND_BIGINT)
        integer.as.data = keep(doc, integer.as.data, integer.count);
    struct weir_value *cell = scalar(doc, integer.kind);
    if (cell)
        *cell = integer;
}

void weir_put_decimal(weir_doc *doc, const char *digits, size_t size, int32_t exponent) {
    struct weir_value integer = {0};
    int negative = is_negative(&digits, &size);
    int status = weir_integer_from_digits(&integer, digits, size, negative);
    if (status != WEIR_OK) {
        integer_failed(doc, status);
        return;
    }
    while (size > 1 && *digits == '0') {
        digits++;
        size--;
    }
    int is_zero = *digits == '0';
    const unsigned char *kept = keep(doc, digits, size);
    struct weir_value *cell = append(doc, WEIR_KIND_DECIMAL, 1);
    if (!cell)
        return;
    cell->flags = (uint8_t)(WEIR_CELL_DIGITS | (negative && !is_zero ? WEIR_CELL_NEGATIVE : 0));
    cell->count = (uint32_t)size;
    cell->as.data = kept;
    cell[1] = (struct weir_value){.kind = WEIR_KIND_INT64, .as.i64 = exponent};
    settle(doc);
}

static void put_ndarray(struct weir_doc *doc, const weir_ndarray *array, int is_borrowed) {
    if (weir_ndarray_check(array) != WEIR_OK) {
        fail(doc, WEIR_EINVAL, "an ndarray whose element, rank, order, shape and size in bytes do not agree");
        return;
    }
    weir_ndarray kept = *array;
    if (!is_borrowed)
        kept.data = keep(doc, array->data, array->size);
    if (!place(doc, WEIR_KIND_NDARRAY))
        return;
    if (weir_doc_ndarray(doc, &kept) != WEIR_OK)
        fail(doc, WEIR_ENOMEM, "out of memory");
    settle(doc);
}

void weir_put_ndarray(weir_doc *doc, const weir_ndarray *array) {
    put_ndarray(doc, array, 0);
}

void weir_refer_ndarray(weir_doc *doc, const weir_ndarray *array) {
    put_ndarray(doc, array, 1);
}

static int deepen(struct weir_doc *doc) {
    if (doc->depth >= WEIR_DEPTH_MAX) {
        fail(doc, WEIR_ELIMIT, "more than 64 containers and tags inside each other");
        return 0;
    }
    doc->depth++;
    return 1;
}

int weir_tag_exists(uint32_t space, uint64_t number) {
    switch (space) {
    case WEIR_TAG_CBOR: return 1;
    case WEIR_TAG_SIMPLE: return number < 20 || (number >= 32 && number <= UINT8_MAX);
    case WEIR_TAG_BSON: return number <= UINT8_MAX || (number >= 0x500 && number <= 0x5ff);
    default: return 0;
    }
}

void weir_put_tag(weir_doc *doc, uint32_t space, uint64_t number) {
    if (!weir_tag_exists(space, number)) {
        fail(doc, WEIR_EINVAL, "a tag that its space does not have; see enum weir_tag_space");
        return;
    }
    struct weir_value *cell = append(doc, WEIR_KIND_TAGGED, 0);
    if (!cell || !deepen(doc))
        return;
    cell->count = space;
    cell->as.u64 = number;
    doc->tags++;
}

static void begin(struct weir_doc *doc, int kind) {
    struct weir_value *cell = append(doc, kind, 0);
    if (!cell || !deepen(doc))
        return;
    cell->flags = WEIR_CELL_OPEN;
    cell->aux = (uint16_t)doc->tags;
    cell->as.span = doc->open;
    doc->tags = 0;
    doc->open = (size_t)(cell - doc->cells) + 1;
}

void weir_begin_array(weir_doc *doc) {
    begin(doc, WEIR_KIND_ARRAY);
}

void weir_begin_map(weir_doc *doc) {
    begin(doc, WEIR_KIND_MAP);
}

void weir_end(weir_doc *doc) {
    if (doc->status != WEIR_OK)
        return;
    struct weir_value *cell = doc->open > 0 ? &doc->cells[doc->open - 1] : NULL;
    if (!cell)
        fail(doc, WEIR_EINVAL, "weir_end without a map or array that was begun");
    else if (doc->tags > 0)
        fail(doc, WEIR_EINVAL, "a tag has no content; put a value behind it");
    else if (cell->kind == WEIR_KIND_MAP && cell->count % 2 != 0)
        fail(doc, WEIR_EINVAL, "a map ends behind a key; put its value first");
    if (doc->status != WEIR_OK)
        return;
    size_t parent = (size_t)cell->as.span;
    doc->depth -= 1 + cell->aux;
    if (cell->kind == WEIR_KIND_MAP)
        cell->count /= 2;
    cell->flags = 0;
    cell->aux = 0;
    cell->as.span = doc->count - (doc->open - 1);
    doc->open = parent;
}

void weir_put_value(weir_doc *doc, const weir_value *value) {
    if (!value) {
        fail(doc, WEIR_EINVAL, "a value at address NULL");
        return;
    }
    if (!place(doc, value->kind))
        return;
    if (weir_doc_append(doc, value) != WEIR_OK)
        fail(doc, WEIR_ENOMEM, "out of memory");
    settle(doc);
}
