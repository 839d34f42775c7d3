/* CBOR to cells, one pass, no recursion.
 *
 * The stack of open containers lies in their own cells. While a container is open its span holds two 32-bit numbers:
 * the index of its parent plus one, and how many items its parent still expects; its count is what it declared; its aux
 * the tags directly around it. CELL_OPEN marks one of indefinite length, which "expects" UINT32_MAX items until its
 * break. An input is looked at up to 4 GiB, so both numbers fit: an item takes at least one byte.
 *
 * A tag becomes a TAGGED cell; when its content is complete, fold.c turns the two into the kind they mean, if any. A
 * declared count is compared with the bytes that are left and otherwise not trusted: cells come one by one as items are
 * read.
 */
#include <string.h>

#include "base/utf8.h"
#include "codec/cbor/cbor.h"
#include "codec/wrapper/wrapper.h"

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

enum {
    EXPECT_UNTIL_BREAK = UINT32_MAX,
    FOLD_DEPTH = 3,                        /* levels that the kinds of fold.c may take inside: 40 [dims, 64 h''] */
    DEPTH_LIMIT = UINT16_MAX - FOLD_DEPTH, /* so that aux can count all tags */
    AI_INDEFINITE = 31
};
static const size_t window_max = UINT32_MAX - 1;

struct decoder {
    struct weir_doc *doc;
    const unsigned char *begin;
    const unsigned char *end;
    size_t cells_max;
    uint32_t depth_max;
    int is_cut;                  /* more input follows @end */
    size_t watched;              /* a cell whose origin is asked for; SIZE_MAX for none */
    const unsigned char *origin; /* where the item began that is there now */
    int status;
    weir_error *err;
};

/* ---- failures: out of line, they are never hurried ---- */

static __attribute__((cold, noinline)) int bad(struct decoder *decoder, const unsigned char *at, const char *what) {
    uint64_t offset = (uint64_t)(at - decoder->begin);
    if (at < decoder->end)
        return decoder->status = weir_fail_at(decoder->err, WEIR_EPARSE, offset, "cbor: %s", what);
    if (decoder->is_cut)
        return decoder->status = weir_fail_at(decoder->err, WEIR_ELIMIT, offset, "cbor: one item of more than 4 GiB");
    return decoder->status = weir_fail_at(decoder->err, WEIR_EPARSE, offset, "cbor: the input ends inside an item");
}

static __attribute__((cold, noinline)) int truncated(struct decoder *decoder) {
    return bad(decoder, decoder->end, "");
}

static __attribute__((cold, noinline)) int out_of_memory(struct decoder *decoder) {
    return decoder->status = weir_fail(decoder->err, WEIR_ENOMEM, "cbor: out of memory");
}

static __attribute__((cold, noinline)) int beyond(struct decoder *decoder, const unsigned char *at, const char *what) {
    return decoder->status = weir_fail_at(decoder->err, WEIR_ELIMIT, (uint64_t)(at - decoder->begin), "cbor: %s", what);
}

static const char too_deep[] = "more containers and tags inside each other than the limit; raise depth_max";

/* Why the head at @at has no argument. */
static __attribute__((cold, noinline)) int bad_head(struct decoder *decoder, const unsigned char *at) {
    if (at == decoder->end || (*at & 31) < 28)
        return truncated(decoder);
    return bad(decoder, at, "a reserved additional information");
}

/* ---- pieces ---- */

static inline void set_string(struct weir_value *cell, uint8_t kind, size_t size, const unsigned char *data) {
    weir_cell_set(cell, kind, (uint32_t)size, 0);
    cell->as.data = data;
}

static inline uint64_t load_big_endian(const unsigned char *at, unsigned size) {
    switch (size) {
    case 1: return *at;
    case 2: return weir_cbor_load16(at);
    case 4: return weir_cbor_load32(at);
    default: return weir_cbor_load64(at);
    }
}

/* Read the argument of the head at @at. Return: what follows it; NULL when it is cut off, reserved or indefinite. */
static inline const unsigned char *argument(const unsigned char *at, const unsigned char *end, uint64_t *ret) {
    unsigned info = *at++ & 31;
    if (LIKELY(info < 24)) {
        *ret = info;
        return at;
    }
    unsigned size = 1u << (info & 3);
    if (info > 27 || (size_t)(end - at) < size)
        return NULL;
    *ret = load_big_endian(at, size);
    return at + size;
}

/* A half-precision float as the bits of a single: exact, NaN payloads kept. */
static uint32_t half_bits(uint32_t half) {
    uint32_t sign = (half & 0x8000) << 16;
    uint32_t exponent = half >> 10 & 31;
    uint32_t fraction = half & 0x3ff;
    if (exponent == 31)
        return sign | 0x7f800000 | fraction << 13;
    if (exponent > 0)
        return sign | (exponent + 112) << 23 | fraction << 13;
    if (fraction == 0)
        return sign;
    unsigned shift = (unsigned)__builtin_clz(fraction) - 21; /* until the leading 1 stands at bit 10 */
    return sign | (113 - shift) << 23 | (fraction << shift & 0x3ff) << 13;
}

/* The integer -1 - n as a cell. */
static int negative(struct decoder *decoder, struct weir_value *cell, uint64_t n) {
    if (LIKELY(n <= INT64_MAX)) {
        weir_cell_set(cell, WEIR_KIND_INT64, 0, ~n);
        return WEIR_OK;
    }
    unsigned char *bytes = weir_arena_take(&decoder->doc->arena, 9);
    if (!bytes)
        return out_of_memory(decoder);
    uint64_t magnitude = n + 1; /* 2^64 becomes 0 here and gets its ninth byte */
    bytes[0] = 1;
    for (int i = 0; i < 8; i++)
        bytes[1 + i] = (unsigned char)(magnitude >> (56 - 8 * i));
    *cell = (struct weir_value){.kind = WEIR_KIND_BIGINT,
                                .flags = WEIR_CELL_NEGATIVE,
                                .count = magnitude == 0 ? 9 : 8,
                                .as.data = magnitude == 0 ? bytes : bytes + 1};
    return WEIR_OK;
}

/* Walk the chunks of a string of indefinite length. @to: NULL only to check and measure. Return: behind the break, or
 * NULL. */
static const unsigned char *chunks(struct decoder *decoder, const unsigned char *at, unsigned major, unsigned char *to,
                                   uint64_t *ret_size) {
    uint64_t total = 0;
    for (;;) {
        uint64_t size;
        if (at == decoder->end)
            return truncated(decoder), NULL;
        if (*at == CBOR_BREAK)
            break;
        if (*at >> 5 != major || (*at & 31) == AI_INDEFINITE)
            return bad(decoder, at, "a chunk of a string that is not a definite string of the same type"), NULL;
        const unsigned char *data = argument(at, decoder->end, &size);
        if (!data)
            return bad_head(decoder, at), NULL;
        if (size > (size_t)(decoder->end - data))
            return truncated(decoder), NULL;
        if (to)
            memcpy(to + total, data, size);
        else if (major == CBOR_TEXT && (at = weir_utf8_bad(data, size, decoder->end)) != NULL)
            return bad(decoder, at, "a text that is not UTF-8"), NULL;
        total += size;
        at = data + size;
    }
    *ret_size = total;
    return at + 1;
}

/* A string of indefinite length: checked and measured, then joined in the arena. */
static const unsigned char *chunked_string(struct decoder *decoder, const unsigned char *at, unsigned major,
                                           struct weir_value *cell) {
    uint64_t size;
    unsigned char *joined = (unsigned char *)"";
    const unsigned char *after = chunks(decoder, at, major, NULL, &size);
    if (!after)
        return NULL;
    if (size > 0) {
        joined = weir_arena_take(&decoder->doc->arena, size);
        if (!joined)
            return out_of_memory(decoder), NULL;
        chunks(decoder, at, major, joined, &size);
    }
    *cell = (struct weir_value){
        .kind = major == CBOR_TEXT ? WEIR_KIND_TEXT : WEIR_KIND_BYTES, .count = (uint32_t)size, .as.data = joined};
    return after;
}

static struct weir_value float_cell(uint32_t bits) {
    struct weir_value cell = {.kind = WEIR_KIND_FLOAT32};
    memcpy(&cell.as.f32, &bits, sizeof(bits));
    return cell;
}

/* The number of the simple value at @head, or -1. */
static int simple_number(struct decoder *decoder, const unsigned char *head) {
    if (*head < CBOR_FALSE)
        return *head & 31;
    if (*head != CBOR_SIMPLE)
        return bad(decoder, head, "a reserved additional information"), -1;
    if (head + 1 == decoder->end)
        return truncated(decoder), -1;
    if (head[1] < 32)
        return bad(decoder, head + 1, "a simple value below 32 in two bytes"), -1;
    return head[1];
}

/* A simple value without a kind of its own: two cells, a tag of the SIMPLE space around null. Return: the second. */
static struct weir_value *simple_cell(struct weir_value *cell, uint32_t number) {
    cell[0] = (struct weir_value){.kind = WEIR_KIND_TAGGED, .count = WEIR_TAG_SIMPLE, .as.u64 = number};
    cell[1] = (struct weir_value){.kind = WEIR_KIND_NULL};
    return cell + 1;
}

static inline struct weir_value tag_cell(uint64_t number) {
    if (number - CBOR_TAG_BSON_FIRST < CBOR_TAG_BSON_COUNT &&
        weir_tag_exists(WEIR_TAG_BSON, number - CBOR_TAG_BSON_FIRST))
        return (struct weir_value){
            .kind = WEIR_KIND_TAGGED, .count = WEIR_TAG_BSON, .as.u64 = number - CBOR_TAG_BSON_FIRST};
    return (struct weir_value){.kind = WEIR_KIND_TAGGED, .count = WEIR_TAG_CBOR, .as.u64 = number};
}

/* ---- the state of the loop ---- */

/* Lives in registers: it is only handed to functions that are inlined. The cells may move when room is made. */
struct cursor {
    const unsigned char *at;
    struct weir_value *cells;
    struct weir_value *cell; /* the next to be filled; there is room for this one and another */
    struct weir_value *room; /* where there would not be */
    size_t open;             /* index + 1 of the innermost open container, 0 at the root */
    uint64_t expect;         /* items it still expects; the root expects one */
    uint32_t depth;          /* containers and tags around the next item */
    uint32_t tags;           /* those of the tags that stand directly before it */
    size_t content;          /* where the content of the last tag begins */
};

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* Whether an item beyond the depth limit belongs to a kind that a shallower value was written as: one of the tags
 * around it, a few levels up, folds. Encoded values are deeper than the document they come from by that much. */
static int is_inside_fold(const struct weir_value *cells, size_t count, size_t open, uint32_t tags) {
    for (int level = 0; level < FOLD_DEPTH; level++) {
        for (uint32_t i = 1; i <= tags; i++)
            if (weir_cbor_folds(cells[count - i].as.u64))
                return 1;
        if (open == 0)
            return 0;
        count = open - 1;
        tags = cells[count].aux;
        open = cells[count].as.span & UINT32_MAX;
    }
    return 0;
}

static __attribute__((cold, noinline)) int may_be_deeper(struct decoder *decoder, struct cursor cursor,
                                                         const unsigned char *head, int folds) {
    if (cursor.depth < decoder->depth_max + FOLD_DEPTH &&
        (folds || is_inside_fold(cursor.cells, (size_t)(cursor.cell - cursor.cells), cursor.open, cursor.tags)))
        return 1;
    beyond(decoder, head, too_deep);
    return 0;
}

/* Where cells end that may be filled now, one kept back for items of two cells. */
static struct weir_value *room_of(const struct decoder *decoder) {
    const struct weir_doc *doc = decoder->doc;
    size_t usable = doc->capacity > 0 ? doc->capacity - 1 : 0;
    usable = usable < decoder->cells_max ? usable : decoder->cells_max;
    if (!doc->cells)
        return NULL; /* NULL + 0 is undefined in C */
    return doc->cells + (usable < decoder->watched ? usable : decoder->watched);
}

static __attribute__((noinline)) int make_room(struct decoder *decoder, size_t count, const unsigned char *at) {
    decoder->doc->count = count;
    if (count == decoder->watched)
        decoder->origin = at;
    if (count >= decoder->cells_max && *at != CBOR_BREAK) /* which takes no cell */
        return beyond(decoder, at, "more values than the limit; raise values_max");
    size_t done = (size_t)(at - decoder->begin), size = (size_t)(decoder->end - decoder->begin);
    return weir_doc_grow_along(decoder->doc, 2, done, size) == WEIR_OK ? WEIR_OK : out_of_memory(decoder);
}

ALWAYS_INLINE int cursor_make_room(struct decoder *decoder, struct cursor *cursor) {
    size_t count = (size_t)(cursor->cell - cursor->cells);
    if (make_room(decoder, count, cursor->at) != WEIR_OK)
        return 0;
    cursor->cells = decoder->doc->cells;
    cursor->cell = cursor->cells + count;
    cursor->room = room_of(decoder);
    return 1;
}

/* Fold the @tags cells before @content, innermost first. Return: the cells that are left, 0 after a failure. */
static __attribute__((noinline)) size_t fold(struct decoder *decoder, size_t content, uint32_t tags, size_t count) {
    decoder->doc->count = count;
    for (uint32_t i = 1; i <= tags; i++)
        if (weir_cbor_fold(decoder->doc, content - i) != WEIR_OK)
            return out_of_memory(decoder), 0;
    return decoder->doc->count;
}

/* Tags that did not fold, and what they hold, are levels of the document after all. Return: 0 when too many. */
static __attribute__((cold, noinline)) int is_within_depth(struct decoder *decoder, struct cursor cursor,
                                                           size_t outermost) {
    int is_deeper;
    uint32_t most = decoder->depth_max > cursor.depth ? decoder->depth_max - cursor.depth : 0;
    if (weir_value_is_deeper(cursor.cells + outermost, cursor.cell, most, &is_deeper) != WEIR_OK)
        return out_of_memory(decoder), 0;
    if (is_deeper)
        beyond(decoder, cursor.at, too_deep);
    return !is_deeper;
}

ALWAYS_INLINE int cursor_fold(struct decoder *decoder, struct cursor *cursor, size_t content, uint32_t tags) {
    size_t count = fold(decoder, content, tags, (size_t)(cursor->cell - cursor->cells));
    cursor->cell = cursor->cells + count;
    if (UNLIKELY(cursor->depth + tags + FOLD_DEPTH > decoder->depth_max) && count > 0)
        return is_within_depth(decoder, *cursor, content - tags);
    return count > 0;
}

/* ---- items ---- */

enum step {
    STEP_FAILED = 0,
    STEP_ON = 1,      /* what was begun goes on with the next item */
    STEP_COMPLETE = 2 /* an item is complete */
};

ALWAYS_INLINE enum step string_item(struct decoder *decoder, struct cursor *cursor, unsigned major, uint64_t size) {
    if (UNLIKELY(size > (size_t)(decoder->end - cursor->at)))
        return truncated(decoder), STEP_FAILED;
    if (major == CBOR_TEXT) {
        const unsigned char *wrong = weir_utf8_bad(cursor->at, size, decoder->end);
        if (UNLIKELY(wrong != NULL))
            return bad(decoder, wrong, "a text that is not UTF-8"), STEP_FAILED;
    }
    set_string(cursor->cell++, major == CBOR_TEXT ? WEIR_KIND_TEXT : WEIR_KIND_BYTES, size, cursor->at);
    cursor->at += size;
    return STEP_COMPLETE;
}

/* Begin an array or map of @count items or pairs. */
ALWAYS_INLINE enum step container_item(struct decoder *decoder, struct cursor *cursor, const unsigned char *head,
                                       unsigned major, uint64_t count, int is_indefinite) {
    uint32_t is_map = major == CBOR_MAP;
    if (UNLIKELY(!is_indefinite && count > (size_t)(decoder->end - cursor->at) >> is_map))
        return truncated(decoder), STEP_FAILED;
    if (UNLIKELY(cursor->depth >= decoder->depth_max) && !may_be_deeper(decoder, *cursor, head, 0))
        return STEP_FAILED;
    weir_cell_set(cursor->cell, is_map ? WEIR_KIND_MAP : WEIR_KIND_ARRAY, is_indefinite ? 0 : (uint32_t)count,
                  cursor->expect << 32 | cursor->open);
    cursor->cell->flags = is_indefinite ? WEIR_CELL_OPEN : 0;
    cursor->cell->aux = (uint16_t)cursor->tags;
    cursor->cell++;
    cursor->open = (size_t)(cursor->cell - cursor->cells);
    cursor->expect = is_indefinite ? EXPECT_UNTIL_BREAK : count << is_map;
    cursor->depth++;
    cursor->tags = 0;
    if (cursor->expect > 0)
        return STEP_ON;
    cursor->expect = 1; /* empty, and so complete: as if its last item were */
    return STEP_COMPLETE;
}

ALWAYS_INLINE enum step tag_item(struct decoder *decoder, struct cursor *cursor, const unsigned char *head,
                                 uint64_t number) {
    if (number == CBOR_TAG_SELF_DESCRIBED && cursor->cell == cursor->cells)
        return STEP_ON; /* says that this is CBOR, which is known by now */
    if (UNLIKELY(cursor->depth >= decoder->depth_max) &&
        !may_be_deeper(decoder, *cursor, head, weir_cbor_folds(number)))
        return STEP_FAILED;
    *cursor->cell++ = tag_cell(number);
    cursor->depth++;
    cursor->tags++;
    cursor->content = (size_t)(cursor->cell - cursor->cells);
    return STEP_ON;
}

/* The end of a container of indefinite length: let it expect no more than the item that finish_item counts off. */
ALWAYS_INLINE enum step break_item(struct decoder *decoder, struct cursor *cursor, const unsigned char *head) {
    struct weir_value *container = cursor->open > 0 ? &cursor->cells[cursor->open - 1] : NULL;
    uint64_t count = EXPECT_UNTIL_BREAK - cursor->expect;
    if (!container || !(container->flags & WEIR_CELL_OPEN) || cursor->tags > 0)
        return bad(decoder, head, "a break where an item is due"), STEP_FAILED;
    int is_map = container->kind == WEIR_KIND_MAP;
    if (is_map && count % 2 != 0)
        return bad(decoder, head, "a break between a key and its value"), STEP_FAILED;
    container->count = (uint32_t)(is_map ? count / 2 : count);
    cursor->expect = 1;
    return STEP_COMPLETE;
}

/* Floats, simple values and the break: major type 7. */
ALWAYS_INLINE enum step other_item(struct decoder *decoder, struct cursor *cursor, const unsigned char *head) {
    size_t left = (size_t)(decoder->end - cursor->at);
    const unsigned char byte = *head;
    struct weir_value *cell = cursor->cell;
    if (LIKELY(byte == CBOR_DOUBLE)) {
        if (left < 8)
            return truncated(decoder), STEP_FAILED;
        weir_cell_set(cell, WEIR_KIND_FLOAT64, 0, weir_cbor_load64(cursor->at));
        cursor->at += 8;
    } else if (byte >= CBOR_FALSE && byte <= CBOR_TRUE) {
        weir_cell_set(cell, WEIR_KIND_BOOL, 0, byte - CBOR_FALSE);
    } else if (byte == CBOR_NULL || byte == CBOR_UNDEFINED) {
        weir_cell_set(cell, byte == CBOR_NULL ? WEIR_KIND_NULL : WEIR_KIND_UNDEFINED, 0, 0);
    } else if (byte == CBOR_HALF || byte == CBOR_SINGLE) {
        size_t size = byte == CBOR_HALF ? 2 : 4;
        if (left < size)
            return truncated(decoder), STEP_FAILED;
        uint32_t bits = (uint32_t)load_big_endian(cursor->at, (unsigned)size);
        *cell = float_cell(byte == CBOR_HALF ? half_bits(bits) : bits);
        cursor->at += size;
    } else if (byte == CBOR_BREAK) {
        return break_item(decoder, cursor, head);
    } else {
        int number = simple_number(decoder, head);
        if (number < 0)
            return STEP_FAILED;
        if (cursor->depth >= decoder->depth_max) /* it is a tag around null */
            return beyond(decoder, head, too_deep), STEP_FAILED;
        cursor->at = head + (byte == CBOR_SIMPLE ? 2 : 1);
        cell = simple_cell(cell, (uint32_t)number);
    }
    cursor->cell = cell + 1;
    return STEP_COMPLETE;
}

/* An item is complete: fold the tags before it, and close the containers that expected it last. Return: 1 to go on, 0
 * when the root is complete or after a failure. */
ALWAYS_INLINE int finish_item(struct decoder *decoder, struct cursor *cursor) {
    if (UNLIKELY(cursor->tags > 0)) {
        uint32_t tags = cursor->tags;
        cursor->depth -= tags;
        cursor->tags = 0;
        if (!cursor_fold(decoder, cursor, cursor->content, tags))
            return 0;
    }
    while (--cursor->expect == 0) {
        if (cursor->open == 0)
            return 0;
        struct weir_value *container = &cursor->cells[cursor->open - 1];
        uint32_t tags = container->aux;
        uint64_t saved = container->as.span;
        container->flags = 0;
        container->aux = 0;
        container->as.span = (uint64_t)(cursor->cell - container);
        cursor->open = saved & UINT32_MAX;
        cursor->expect = saved >> 32;
        cursor->depth -= 1 + tags;
        if (UNLIKELY(tags > 0) && !cursor_fold(decoder, cursor, (size_t)(container - cursor->cells), tags))
            return 0;
    }
    return 1;
}

/* Read the head's argument. *ret_info is 31 for an indefinite length. Return: 0 after a failure. */
ALWAYS_INLINE int take_head(struct decoder *decoder, struct cursor *cursor, unsigned *ret_info, uint64_t *ret_n) {
    const unsigned char *head = cursor->at;
    unsigned major = *head >> 5;
    *ret_info = *head & 31;
    *ret_n = *ret_info;
    if (LIKELY(*ret_info < 24) || major == CBOR_OTHER ||
        (*ret_info == AI_INDEFINITE && major >= CBOR_BYTES && major <= CBOR_MAP)) {
        cursor->at++;
        return 1;
    }
    cursor->at = argument(head, decoder->end, ret_n);
    if (LIKELY(cursor->at != NULL))
        return 1;
    bad_head(decoder, head);
    return 0;
}

/* Most items of most documents, tried first: texts of up to 23 ASCII bytes, at least as far from the end of the input
 * as a check of whole words may read. Return: 0 when the item is another. */
ALWAYS_INLINE int short_text(struct decoder *decoder, struct cursor *cursor) {
    static const uint64_t high_bits = UINT64_C(0x8080808080808080);
    const unsigned char *text = cursor->at + 1;
    unsigned size = *cursor->at - (CBOR_TEXT << 5);
    if (size >= 24 || decoder->end - text < 24)
        return 0;
    uint64_t bits = weir_word_at(text);
    if (size < 8)
        bits &= (UINT64_C(1) << 8 * size) - 1;
    else
        bits |= weir_word_at(text + size - 8) | weir_word_at(text + (size & 16) / 2);
    if (UNLIKELY((bits & high_bits) != 0))
        return 0;
    set_string(cursor->cell++, WEIR_KIND_TEXT, size, text);
    cursor->at = text + size;
    return 1;
}

ALWAYS_INLINE enum step take_item(struct decoder *decoder, struct cursor *cursor) {
    const unsigned char *const head = cursor->at;
    const unsigned major = *head >> 5;
    if (short_text(decoder, cursor))
        return STEP_COMPLETE;
    unsigned info;
    uint64_t n;
    if (UNLIKELY(!take_head(decoder, cursor, &info, &n)))
        return STEP_FAILED;
    int is_indefinite = info == AI_INDEFINITE;
    switch (major) {
    case CBOR_UINT:
        weir_cell_set(cursor->cell++, n > INT64_MAX ? WEIR_KIND_UINT64 : WEIR_KIND_INT64, 0, n);
        return STEP_COMPLETE;
    case CBOR_NEGATIVE: return negative(decoder, cursor->cell++, n) == WEIR_OK ? STEP_COMPLETE : STEP_FAILED;
    case CBOR_BYTES:
    case CBOR_TEXT:
        if (LIKELY(!is_indefinite))
            return string_item(decoder, cursor, major, n);
        cursor->at = chunked_string(decoder, cursor->at, major, cursor->cell++);
        return cursor->at ? STEP_COMPLETE : STEP_FAILED;
    case CBOR_ARRAY:
    case CBOR_MAP: return container_item(decoder, cursor, head, major, n, is_indefinite);
    case CBOR_TAG: return tag_item(decoder, cursor, head, n);
    default: return other_item(decoder, cursor, head);
    }
}

/* Decode one item with all it contains. Return: what follows it, or NULL with decoder->status set. */
static const unsigned char *items(struct decoder *decoder) {
    struct cursor cursor = {.at = decoder->begin, .cells = decoder->doc->cells, .expect = 1};
    cursor.cell = cursor.cells;
    cursor.room = room_of(decoder);
    for (;;) {
        if (UNLIKELY(cursor.at == decoder->end))
            return truncated(decoder), NULL;
        if (UNLIKELY(cursor.cell >= cursor.room) && !cursor_make_room(decoder, &cursor))
            return NULL;
        enum step step = take_item(decoder, &cursor);
        if (step == STEP_ON)
            continue;
        if (step == STEP_FAILED || !finish_item(decoder, &cursor))
            break;
    }
    decoder->doc->count = (size_t)(cursor.cell - cursor.cells);
    return decoder->status == WEIR_OK ? cursor.at : NULL;
}

static struct decoder decoder_of(struct weir_doc *doc, const unsigned char *data, size_t size,
                                 const struct weir_codec_limits *limits, weir_error *err) {
    struct decoder decoder = {
        .doc = doc,
        .begin = data,
        .end = data + (size < window_max ? size : window_max),
        .cells_max = limits->values_max,
        .depth_max = limits->depth_max < DEPTH_LIMIT ? limits->depth_max : DEPTH_LIMIT,
        .is_cut = size > window_max,
        .watched = SIZE_MAX,
        .err = err,
    };
    if (doc->ceiling > 0 && doc->ceiling < decoder.cells_max)
        decoder.cells_max = doc->ceiling;
    return decoder;
}

/* Refuse what WEIR_STRICT does not take. Cells do not know where they came from: after a finding the input is decoded
 * again to see at which byte the item began. */
static int check(struct decoder *decoder) {
    const struct weir_value *wrong;
    const char *why;
    if (weir_cbor_check(decoder->doc, &wrong, &why) != WEIR_OK)
        return out_of_memory(decoder);
    if (!wrong)
        return WEIR_OK;
    decoder->watched = (size_t)(wrong - decoder->doc->cells);
    decoder->origin = decoder->begin;
    items(decoder);
    return bad(decoder, decoder->origin, why);
}

int weir_cbor_decode(struct weir_doc *doc, const unsigned char *data, size_t size,
                     const struct weir_codec_limits *limits, size_t *ret_used, weir_error *err) {
    struct decoder decoder = decoder_of(doc, data, size, limits, err);
    const unsigned char *after = items(&decoder);
    if (!after)
        return decoder.status;
    if (limits->flags & WEIR_STRICT && check(&decoder) != WEIR_OK)
        return decoder.status;
    *ret_used = (size_t)(after - data);
    return WEIR_OK;
}
