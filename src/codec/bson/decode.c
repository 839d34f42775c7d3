/* BSON to cells, one pass, no recursion.
 *
 * Every document says its size, which must lie inside the one around it, and ends in a NUL, which is looked at
 * first: so within a document the next byte can always be read, and a name cannot run out of it. `end` is that NUL.
 *
 * The stack of open documents lies in their own cells. While one is open its span holds the index of its parent plus
 * one, and above these 32 bits the offset of its parent's end; its count is the elements before the one that is
 * being read. CELL_OPEN marks the scope of a code, which ends together with the two cells around it.
 */
#include <string.h>

#include "base/utf8.h"
#include "codec/bson/bson.h"
#include "codec/wrapper/wrapper.h"

#define LIKELY(x)     __builtin_expect(!!(x), 1)
#define UNLIKELY(x)   __builtin_expect(!!(x), 0)
#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum {
    SCOPE_DEPTH = 2,
    ROOT_CELLS = 2 /* of {"$root": value} besides the value, which do not count as values */
};
static const uint64_t high_bits = UINT64_C(0x8080808080808080);
static const uint64_t low_bits = UINT64_C(0x0101010101010101);

/* ---- failures: out of line, they are never hurried ---- */

__attribute__((cold, noinline)) const unsigned char *weir_bson_bad(struct bson_reader *reader, const unsigned char *at,
                                                                   const char *what) {
    reader->status = weir_fail_at(reader->err, WEIR_EPARSE, (uint64_t)(at - reader->begin), "bson: %s", what);
    return NULL;
}

__attribute__((cold, noinline)) const unsigned char *weir_bson_out_of_memory(struct bson_reader *reader) {
    reader->status = weir_fail(reader->err, WEIR_ENOMEM, "bson: out of memory");
    return NULL;
}

static __attribute__((cold, noinline)) const unsigned char *beyond(struct bson_reader *reader, const unsigned char *at,
                                                                   const char *what) {
    reader->status = weir_fail_at(reader->err, WEIR_ELIMIT, (uint64_t)(at - reader->begin), "bson: %s", what);
    return NULL;
}

static const char too_many[] = "more values than the limit; raise values_max";
static const char too_deep[] = "more documents and tags inside each other than the limit; raise depth_max";

/* ---- the state of the loop ---- */

/* Lives in registers: it is only handed to functions that are inlined. The cells may move when room is made. */
struct cursor {
    const unsigned char *at;
    const unsigned char *end; /* the NUL at the end of the innermost document */
    struct weir_value *cells;
    struct weir_value *cell; /* the next to be filled; there is room for an element */
    struct weir_value *room; /* where there would not be */
    struct weir_value *open; /* the innermost document */
    uint32_t count;          /* its elements so far */
    uint32_t depth;          /* documents and tags that are open, it included */
    int is_map;
};

ALWAYS_INLINE void set_text(struct weir_value *cell, size_t size, const unsigned char *data) {
    weir_cell_set(cell, WEIR_KIND_TEXT, (uint32_t)size, 0);
    cell->as.data = data;
}

static __attribute__((noinline)) int make_room(struct bson_reader *reader, size_t count, int is_map,
                                               const unsigned char *at) {
    reader->doc->count = count;
    if (count + 1 + (unsigned)is_map > reader->cells_max)
        return beyond(reader, at, too_many) != NULL;
    if (weir_doc_grow_along(reader->doc, BSON_ELEMENT_CELLS, (size_t)(at - reader->begin),
                            (size_t)(reader->input_end - reader->begin)) != WEIR_OK)
        return weir_bson_out_of_memory(reader) != NULL;
    return 1;
}

/* Where cells end from which on an element may be written without a look at the room. */
static struct weir_value *room_of(const struct bson_reader *reader) {
    const struct weir_doc *doc = reader->doc;
    size_t usable = doc->capacity >= BSON_ELEMENT_CELLS ? doc->capacity - BSON_ELEMENT_CELLS + 1 : 0;
    size_t most = reader->cells_max > 0 ? reader->cells_max - 1 : 0;
    return doc->cells ? doc->cells + (usable < most ? usable : most) : NULL;
}

ALWAYS_INLINE int cursor_make_room(struct bson_reader *reader, struct cursor *cursor) {
    size_t count = (size_t)(cursor->cell - cursor->cells);
    size_t open = (size_t)(cursor->open - cursor->cells);
    if (!make_room(reader, count, cursor->is_map, cursor->at))
        return 0;
    cursor->cells = reader->doc->cells;
    cursor->cell = cursor->cells + count;
    cursor->open = cursor->cells + open;
    cursor->room = room_of(reader);
    return 1;
}

/* ---- names and texts ---- */

/* The highest bits of the bytes of @word that are 0. Above the first, others may be seen that are none. */
ALWAYS_INLINE uint64_t zeros_of(uint64_t word) {
    return (word - low_bits) & ~word & high_bits;
}

/* The end of the name at @at, looked at byte by byte: near the end of the input, or when it is not ASCII. */
static __attribute__((noinline)) const unsigned char *name_slowly(struct bson_reader *reader, const unsigned char *at,
                                                                  const unsigned char *end) {
    const unsigned char *nul = memchr(at, 0, (size_t)(end - at) + 1);
    const unsigned char *wrong = weir_utf8_bad(at, (size_t)(nul - at), reader->input_end);
    return wrong ? weir_bson_bad(reader, wrong, "a name that is not UTF-8") : nul;
}

/* The NUL behind the name at @at; NULL on failure. */
ALWAYS_INLINE const unsigned char *name_end(struct bson_reader *reader, const unsigned char *at,
                                            const unsigned char *end) {
    const unsigned char *p = at;
    while (LIKELY(reader->input_end - p >= 8)) {
        uint64_t word = weir_word_at(p);
        uint64_t zeros = zeros_of(word);
        if (LIKELY(zeros != 0)) {
            if (UNLIKELY((word & high_bits & (zeros ^ (zeros - 1))) != 0))
                break;
            return p + (__builtin_ctzll(zeros) >> 3);
        }
        if (UNLIKELY((word & high_bits) != 0))
            break;
        p += 8;
    }
    return name_slowly(reader, at, end);
}

/* The NUL behind a name that does not matter, an index in an array. */
ALWAYS_INLINE const unsigned char *index_end(const struct bson_reader *reader, const unsigned char *at,
                                             const unsigned char *end) {
    if (LIKELY(reader->input_end - at >= 8)) {
        uint64_t zeros = zeros_of(weir_word_at(at));
        if (LIKELY(zeros != 0))
            return at + (__builtin_ctzll(zeros) >> 3);
    }
    return memchr(at, 0, (size_t)(end - at) + 1);
}

ALWAYS_INLINE const unsigned char *string(struct bson_reader *reader, const unsigned char *at, const unsigned char *end,
                                          struct weir_value *cell) {
    if (UNLIKELY(end - at < BSON_STRING_MIN))
        return weir_bson_bad(reader, end, "a document ends inside a string");
    uint32_t size = weir_bson_load32(at) - 1; /* of 0 a number that is too great, as of all that are negative */
    if (UNLIKELY(size >= (size_t)(end - at) - 4))
        return weir_bson_bad(reader, at, "a string that is longer than its document, or has no length");
    const unsigned char *text = at + 4;
    if (UNLIKELY(text[size] != 0))
        return weir_bson_bad(reader, text + size, "a string that does not end in a NUL");
    const unsigned char *wrong = weir_utf8_bad(text, size, reader->input_end);
    if (UNLIKELY(wrong != NULL))
        return weir_bson_bad(reader, wrong, "a text that is not UTF-8");
    set_text(cell, size, text);
    return text + size + 1;
}

const unsigned char *weir_bson_string(struct bson_reader *reader, const unsigned char *at, const unsigned char *end,
                                      struct weir_value *cell) {
    return string(reader, at, end, cell);
}

/* ---- documents ---- */

/* The end of the document at @at, which may reach up to @end; NULL on failure. */
ALWAYS_INLINE const unsigned char *document_end(struct bson_reader *reader, const unsigned char *at,
                                                const unsigned char *end) {
    if (UNLIKELY(end - at < BSON_DOCUMENT_MIN))
        return weir_bson_bad(reader, end, "the document around ends inside a document");
    uint32_t size = weir_bson_load32(at);
    if (UNLIKELY(size < BSON_DOCUMENT_MIN || size > (size_t)(end - at)))
        return weir_bson_bad(reader, at, "a document whose size is not that of one that fits here");
    if (UNLIKELY(at[size - 1] != 0))
        return weir_bson_bad(reader, at + size - 1, "a document that does not end in a NUL");
    return at + size - 1;
}

/* Levels of open scopes that are no documents: a tag and an array around each. */
static uint32_t scope_levels(const struct weir_doc *doc, const struct weir_value *open) {
    uint32_t count = 0;
    for (;;) {
        count += open->flags & WEIR_CELL_OPEN ? SCOPE_DEPTH : 0;
        if ((open->as.span & UINT32_MAX) == 0)
            return count;
        open = doc->cells + (open->as.span & UINT32_MAX) - 1;
    }
}

static int is_root_key(const struct weir_value *key) {
    static const char name[] = "$root";
    return key->kind == WEIR_KIND_TEXT && key->count == sizeof(name) - 1 &&
           memcmp(key->as.data, name, sizeof(name) - 1) == 0;
}

/* The limit on what depth.c counts up to the document @open, which has a key: it does not know of scopes, nor of
 * {"$root": ...}, which is no level of the document. */
static uint32_t depth_limit(const struct bson_reader *reader, const struct weir_value *open) {
    const struct weir_value *root = reader->doc->cells;
    uint64_t limit = reader->depth_max;
    uint32_t scopes = scope_levels(reader->doc, open);
    if (root->count == 0 && is_root_key(root + 1))
        limit++;
    limit = limit > scopes ? limit - scopes : 0;
    return limit < UINT32_MAX ? (uint32_t)limit : UINT32_MAX;
}

/* Whether no wrapper around explains that something of the kind @begins begins at @depth, in the document at index
 * @open. @tags: levels that are surely more, as those of tags are. */
static __attribute__((cold, noinline)) int is_too_deep(struct bson_reader *reader, size_t open, uint32_t depth,
                                                       uint32_t tags, int begins) {
    const struct weir_doc *doc = reader->doc;
    const struct weir_value *cell = doc->cells + open;
    reader->is_deep = 1;
    if (!reader->is_wrapped)
        return 1;
    uint32_t limit = depth_limit(reader, cell);
    return limit < tags || weir_wrapper_is_too_deep(doc, cell, depth, limit - tags, begins);
}

/* Whether a document of the kind @begins, or a TAGGED of @tags levels, may begin inside the innermost document. */
ALWAYS_INLINE int deepen(struct bson_reader *reader, struct cursor *cursor, uint32_t tags, int begins) {
    uint32_t depth = cursor->depth + (tags > 0 ? tags : 1);
    if (LIKELY(depth <= reader->depth_max))
        return 1;
    cursor->open->count = cursor->count;
    if (!is_too_deep(reader, (size_t)(cursor->open - cursor->cells), depth, tags, begins))
        return 1;
    return beyond(reader, cursor->at, too_deep) != NULL;
}

/* Begin the document at cursor->at in a cell of @kind. */
ALWAYS_INLINE int document_begin(struct bson_reader *reader, struct cursor *cursor, uint32_t kind) {
    const unsigned char *end = document_end(reader, cursor->at, cursor->end);
    if (UNLIKELY(!end || !deepen(reader, cursor, 0, (int)kind)))
        return 0;
    cursor->depth++;
    uint64_t outer = (uint64_t)(cursor->end - reader->begin);
    cursor->open->count = cursor->count;
    weir_cell_set(cursor->cell, kind, 0, outer << 32 | (uint64_t)(cursor->open - cursor->cells + 1));
    cursor->open = cursor->cell++;
    cursor->count = 0;
    cursor->is_map = kind == WEIR_KIND_MAP;
    cursor->end = end;
    cursor->at += 4;
    return 1;
}

/* What a document may have to do when it ends besides noting its span. */
ALWAYS_INLINE int ends_specially(const struct bson_reader *reader, const struct cursor *cursor) {
    return reader->flags & WEIR_STRICT || cursor->open->flags != 0 || reader->is_deep ||
           (cursor->count == 1 && cursor->is_map && *cursor->open[1].as.data == '$');
}

/* The key of @map that came before, refused under WEIR_STRICT. Return: 0 with the failure noted. */
static int keys_differ(struct bson_reader *reader, const struct weir_value *map, const unsigned char *at) {
    const struct weir_value *key;
    if (map->kind != WEIR_KIND_MAP)
        return 1;
    if (weir_map_repeated_key(map, &key) != WEIR_OK)
        return weir_bson_out_of_memory(reader) != NULL;
    if (!key)
        return 1;
    if (key->kind == WEIR_KIND_TEXT && key->as.data >= reader->begin && key->as.data < reader->input_end)
        at = key->as.data;
    return weir_bson_bad(reader, at, "a key that stands twice in its map") != NULL;
}

/* The document at index @open ends, which is a map of one pair, or deeper than the limit: perhaps it is a wrapper. */
static int unwrap(struct bson_reader *reader, size_t open, uint32_t depth, const unsigned char *at) {
    struct weir_doc *doc = reader->doc;
    struct weir_value *cell = doc->cells + open;
    const char *problem = NULL;
    struct weir_codec_limits limits = {0, reader->depth_max, 0};
    if (!reader->is_wrapped || !weir_bson_is_wrapper(cell))
        limits.flags = WEIR_PLAIN;
    if (depth + 1 > reader->depth_max)
        limits.depth_max = depth_limit(reader, cell);
    int status = weir_wrapper_close(doc, open, depth, &limits, reader->is_deep, 1, &problem);
    if (status == WEIR_ENOMEM)
        return weir_bson_out_of_memory(reader) != NULL;
    return status == WEIR_OK || beyond(reader, at, problem);
}

/* End the document at index @open, whose cells reach to doc->count. Return: 0 with the failure noted. */
static __attribute__((noinline)) int end_specially(struct bson_reader *reader, size_t open, uint32_t depth,
                                                   const unsigned char *at) {
    struct weir_doc *doc = reader->doc;
    struct weir_value *cell = doc->cells + open;
    int is_scope = cell->flags & WEIR_CELL_OPEN;
    if (open == 0) /* noted before a wrapper becomes a map that begins like this */
        reader->has_root = cell->count > 0 && is_root_key(cell + 1);
    if (reader->is_deep || weir_wrapper_is_likely(cell)) {
        if (!unwrap(reader, open, depth, at))
            return 0;
    } else {
        cell->as.span = doc->count - open;
    }
    cell->flags &= (uint8_t)~WEIR_CELL_OPEN;
    if (is_scope)
        cell[-2].as.span = doc->count - (open - 2);
    return !(reader->flags & WEIR_STRICT) || keys_differ(reader, cell, at);
}

/* The innermost document ends at cursor->end. Return: STEP_ENDED when it was the root. */
enum step { STEP_FAILED = 0, STEP_ON = 1, STEP_ENDED = 2 };

ALWAYS_INLINE enum step document_close(struct bson_reader *reader, struct cursor *cursor) {
    struct weir_value *open = cursor->open;
    uint64_t saved = open->as.span;
    open->count = cursor->count;
    if (LIKELY(!ends_specially(reader, cursor))) {
        open->as.span = (uint64_t)(cursor->cell - open);
    } else {
        int is_scope = open->flags & WEIR_CELL_OPEN;
        reader->doc->count = (size_t)(cursor->cell - cursor->cells);
        if (!end_specially(reader, (size_t)(open - cursor->cells), cursor->depth, cursor->end))
            return STEP_FAILED;
        cursor->cell = cursor->cells + reader->doc->count;
        cursor->depth -= is_scope ? SCOPE_DEPTH : 0;
    }
    cursor->at = cursor->end + 1;
    cursor->depth--;
    if ((saved & UINT32_MAX) == 0)
        return STEP_ENDED;
    cursor->open = cursor->cells + (saved & UINT32_MAX) - 1;
    cursor->end = reader->begin + (saved >> 32);
    cursor->count = cursor->open->count + 1;
    cursor->is_map = cursor->open->kind == WEIR_KIND_MAP;
    return STEP_ON;
}

/* ---- elements ---- */

ALWAYS_INLINE enum step fixed_missing(struct bson_reader *reader, const struct cursor *cursor) {
    weir_bson_bad(reader, cursor->end, "a document ends inside an element");
    return STEP_FAILED;
}

/* All that decode.c leaves to element.c. */
ALWAYS_INLINE enum step rare_element(struct bson_reader *reader, struct cursor *cursor, const unsigned char *head) {
    struct weir_value *cell = cursor->cell;
    unsigned type = *head;
    if (UNLIKELY(!weir_bson_is_type(type)))
        return weir_bson_bad(reader, head, "an element of a type that BSON does not have"), STEP_FAILED;
    const unsigned char *after = weir_bson_element(reader, type, cursor->at, cursor->end, &cell);
    if (UNLIKELY(!after))
        return STEP_FAILED;
    if (cursor->cell->kind == WEIR_KIND_TAGGED &&
        UNLIKELY(!deepen(reader, cursor, cursor->cell[1].kind == WEIR_KIND_ARRAY ? 2 : 1, WEIR_KIND_TAGGED)))
        return STEP_FAILED;
    cursor->at = after;
    cursor->cell = cell;
    if (LIKELY(type != BSON_CODE_WITH_SCOPE)) {
        cursor->count++;
        return STEP_ON;
    }
    cursor->depth += SCOPE_DEPTH;
    if (!document_begin(reader, cursor, WEIR_KIND_MAP))
        return STEP_FAILED;
    cursor->open->flags = WEIR_CELL_OPEN;
    return STEP_ON;
}

/* Read the value at cursor->at of the element that begins at @head, or its beginning. */
ALWAYS_INLINE enum step value(struct bson_reader *reader, struct cursor *cursor, const unsigned char *head) {
    const unsigned char *at = cursor->at;
    ptrdiff_t left = cursor->end - at;
    switch (*head) {
    case BSON_STRING:
        cursor->at = string(reader, at, cursor->end, cursor->cell);
        if (UNLIKELY(!cursor->at))
            return STEP_FAILED;
        break;
    case BSON_DOUBLE:
        if (UNLIKELY(left < 8))
            return fixed_missing(reader, cursor);
        weir_cell_set(cursor->cell, WEIR_KIND_FLOAT64, 0, weir_word_at(at));
        cursor->at += 8;
        break;
    case BSON_INT32:
        if (UNLIKELY(left < 4))
            return fixed_missing(reader, cursor);
        weir_cell_set(cursor->cell, WEIR_KIND_INT64, 0, (uint64_t)(int64_t)(int32_t)weir_bson_load32(at));
        cursor->at += 4;
        break;
    case BSON_INT64: {
        if (UNLIKELY(left < 8))
            return fixed_missing(reader, cursor);
        uint64_t number = weir_word_at(at);
        weir_cell_set(cursor->cell, WEIR_KIND_INT64, 0, number);
        if (number + 0x80000000 <= UINT32_MAX)
            cursor->cell->aux = WEIR_INTEGER_WIDE;
        cursor->at += 8;
        break;
    }
    case BSON_DOCUMENT:
    case BSON_ARRAY:
        if (LIKELY(document_begin(reader, cursor, *head == BSON_ARRAY ? WEIR_KIND_ARRAY : WEIR_KIND_MAP)))
            return STEP_ON;
        return STEP_FAILED;
    case BSON_BOOL:
        if (UNLIKELY(left < 1))
            return fixed_missing(reader, cursor);
        if (UNLIKELY(*at > 1))
            return weir_bson_bad(reader, at, "a bool that is neither 0 nor 1"), STEP_FAILED;
        weir_cell_set(cursor->cell, WEIR_KIND_BOOL, 0, *at);
        cursor->at++;
        break;
    case BSON_NULL:
        if (UNLIKELY(left < 0))
            return fixed_missing(reader, cursor);
        weir_cell_set(cursor->cell, WEIR_KIND_NULL, 0, 0);
        break;
    default: return rare_element(reader, cursor, head);
    }
    cursor->cell++;
    cursor->count++;
    return STEP_ON;
}

/* Read the elements of the document that is open, and of all inside. Return: 0 with the failure noted. */
static int elements(struct bson_reader *reader, struct cursor *cursor) {
    for (;;) {
        const unsigned char *head = cursor->at;
        if (*head == BSON_END) {
            if (UNLIKELY(head != cursor->end))
                return weir_bson_bad(reader, head, "a document that ends before its size says") != NULL;
            enum step step = document_close(reader, cursor);
            if (LIKELY(step == STEP_ON))
                continue;
            reader->doc->count = (size_t)(cursor->cell - cursor->cells);
            return step == STEP_ENDED;
        }
        if (UNLIKELY(cursor->cell >= cursor->room) && !cursor_make_room(reader, cursor))
            return 0;
        const unsigned char *nul;
        if (cursor->is_map) {
            nul = name_end(reader, head + 1, cursor->end);
            if (UNLIKELY(!nul))
                return 0;
            set_text(cursor->cell++, (size_t)(nul - head - 1), head + 1);
        } else {
            nul = index_end(reader, head + 1, cursor->end);
        }
        cursor->at = nul + 1;
        if (UNLIKELY(value(reader, cursor, head) == STEP_FAILED))
            return 0;
    }
}

/* ---- the root ---- */

/* Its end, or NULL. What is too long for the input is told apart from what is too short for a document. */
static const unsigned char *root_end(struct bson_reader *reader, size_t size) {
    const unsigned char *begin = reader->begin;
    uint32_t declared = size >= 4 ? weir_bson_load32(begin) : BSON_DOCUMENT_MIN;
    if (declared < BSON_DOCUMENT_MIN || declared > INT32_MAX)
        return weir_bson_bad(reader, begin, "a document whose size is less than 5");
    if (declared > size)
        return weir_bson_bad(reader, begin + size, "the input ends inside the document");
    return document_end(reader, begin, begin + declared);
}

/* {"$root": value} is the value, which moves down by two cells. Return: 0 when levels were allowed that the document
 * has after all. */
static int root_unwrap(struct bson_reader *reader, const unsigned char *end) {
    struct weir_doc *doc = reader->doc;
    if (!reader->has_root)
        return 1;
    if (doc->cells->count > 1)
        return !reader->is_deep || beyond(reader, end, too_deep);
    doc->count -= ROOT_CELLS;
    memmove(doc->cells, doc->cells + ROOT_CELLS, doc->count * sizeof(*doc->cells));
    return 1;
}

static int elements_of_root(struct bson_reader *reader, const unsigned char *end) {
    struct weir_doc *doc = reader->doc;
    struct cursor cursor = {.at = reader->begin + 4, .end = end, .depth = 1, .is_map = 1};
    if (reader->cells_max < 1 || reader->depth_max < 1)
        return beyond(reader, reader->begin, "no documents are allowed; raise values_max and depth_max") != NULL;
    if (weir_doc_grow(doc, 1 + BSON_ELEMENT_CELLS) != WEIR_OK)
        return weir_bson_out_of_memory(reader) != NULL;
    cursor.cells = cursor.open = doc->cells;
    cursor.cell = cursor.cells + 1;
    cursor.room = room_of(reader);
    weir_cell_set(cursor.open, WEIR_KIND_MAP, 0, 0);
    return elements(reader, &cursor);
}

int weir_bson_decode(struct weir_doc *doc, const unsigned char *data, size_t size,
                     const struct weir_codec_limits *limits, size_t *ret_used, weir_error *err) {
    struct bson_reader reader = {
        .doc = doc,
        .begin = data,
        .input_end = data + size,
        .cells_max = limits->values_max + ROOT_CELLS,
        .depth_max = limits->depth_max,
        .flags = limits->flags,
        .is_wrapped = !(limits->flags & WEIR_PLAIN),
        .err = err,
    };
    if (doc->ceiling > 0 && doc->ceiling < reader.cells_max)
        reader.cells_max = doc->ceiling;
    const unsigned char *end = root_end(&reader, size);
    if (!end || !elements_of_root(&reader, end))
        return reader.status;
    if (reader.is_wrapped && !root_unwrap(&reader, end))
        return reader.status;
    if (doc->count > limits->values_max)
        return beyond(&reader, end, too_many), reader.status;
    *ret_used = (size_t)(end + 1 - data);
    return WEIR_OK;
}
