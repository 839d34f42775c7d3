/* Cells to BSON: one walk, with a stack of the documents that are begun, whose sizes are put in when they end.
 *
 * Every element begins with its type, which is known last: a byte is left for it, and its place noted as the head.
 *
 * Keys are mostly texts without NUL, so a map is written as a document without a look ahead. When another key comes,
 * the map is begun anew as {"$map": [[key, value], ...]}, and from then on every map is looked through first:
 * nothing is written more than twice. A map that would be read back as a wrapper is {"$obj": ...}, of the same
 * shape; both are "pairs" here. Under WEIR_PLAIN other keys are written as text.
 *
 * What nearly all messages consist of is written inside the walk, with the place in the output in a register (`to`);
 * all else goes through functions that find it in the buffer. SAVE and LOAD stand where the two meet.
 *
 * Under WEIR_CANONICAL a map's frame holds its keys in order: texts by their bytes, other kinds behind them. */
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "codec/bson/bson.h"
#include "codec/wrapper/wrapper.h"

#define LIKELY(x)     __builtin_expect(!!(x), 1)
#define UNLIKELY(x)   __builtin_expect(!!(x), 0)
#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum { FRAMES_ON_STACK = 24 };
static const uint64_t high_bits = UINT64_C(0x8080808080808080);
static const uint64_t low_bits = UINT64_C(0x0101010101010101);

enum form {
    FORM_ARRAY, /* also one pair of PAIRS, and [number, content] of a wrapped tag */
    FORM_MAP,   /* also {"$root": value} */
    FORM_PAIRS,
    FORM_CODE /* a code and its scope, which is a frame of its own inside */
};

/* The name of the next item of an array: up to 7 digits and NULs behind them, counted up in place. */
struct name {
    uint64_t text;
    uint64_t one; /* 1 at the last digit */
    uint32_t size;
    uint32_t index;
};

struct frame {
    const struct weir_value *end;    /* where the walk goes on behind it */
    const struct weir_value **order; /* MAP, PAIRS: keys in the order they are written; NULL for the document's */
    const struct weir_value *map;    /* MAP: itself */
    struct name name;                /* of the next item, while it is not in the walk's hands */
    size_t begin;                    /* where its size stands */
    size_t outer;                    /* where that of the document around stands, which ends with it, if is_double */
    uint32_t left;                   /* values or pairs still to be written, while they are not in the walk's hands */
    uint8_t form;
    uint8_t is_double;
    uint8_t levels; /* how much it counts as depth */
};

struct writer {
    struct bson_writer base;
    struct frame *top;
    struct frame *frames;
    struct frame *frames_end;
    size_t start; /* of the document in the output */
    const struct weir_codec_limits *limits;
    uint32_t depth;
    int is_careful; /* look through the keys of every map first */
    weir_error *err;
    struct frame few[FRAMES_ON_STACK];
};

/* ---- failures ---- */

static __attribute__((cold, noinline)) int failed(struct writer *writer, int status, const struct weir_value *value) {
    char type[WEIR_NDARRAY_TYPE_MAX];
    if (status == WEIR_ELIMIT)
        return weir_fail(writer->err, status, "bson: an integer of more than 4932 digits, or a document beyond 2 GiB");
    if (status == WEIR_EENCODE)
        return weir_fail(writer->err, status, "bson: no native form for %s; leave WEIR_STRICT out to have it wrapped",
                         weir_value_type(value, type, sizeof(type)));
    return weir_fail(writer->err, status, "bson: out of memory");
}

static int out_of_memory(struct writer *writer) {
    return failed(writer, WEIR_ENOMEM, NULL);
}

static int refused_keys(struct writer *writer) {
    return weir_fail(
        writer->err, WEIR_EENCODE,
        "bson: no native form for a map with keys that are no texts or hold a NUL; leave WEIR_STRICT out to "
        "have it wrapped");
}

static int refused_root(struct writer *writer) {
    return weir_fail(writer->err, WEIR_EENCODE,
                     "bson: the root must be a map; leave WEIR_STRICT out to have it wrapped");
}

/* ---- names ---- */

static const struct name name_first = {'0', 1, 1, 0};

/* More digits than before, or too many to be counted up in place. */
static __attribute__((noinline)) void name_again(struct name *name) {
    enum { DIGITS_MAX = 7 };
    unsigned char text[BSON_INDEX_MAX] = {0};
    name->size = (uint32_t)(weir_bson_put_index(text, name->index) - text) - 1;
    name->text = weir_word_at(text);
    name->one = name->size <= DIGITS_MAX ? UINT64_C(1) << 8 * (name->size - 1) : 0;
}

ALWAYS_INLINE void name_next(struct name *name) {
    name->index++;
    name->text += name->one;
    if (UNLIKELY(name->index % 10 == 0 || name->one == 0))
        name_again(name);
}

/* Write a name with its NUL; up to BSON_INDEX_MAX bytes are touched. */
ALWAYS_INLINE unsigned char *put_name(unsigned char *to, const struct name *name) {
    if (UNLIKELY(name->one == 0))
        return weir_bson_put_index(to, name->index);
    weir_word_put(to, name->text);
    return to + name->size + 1;
}

static inline int is_name(const struct weir_value *key) {
    return key->kind == WEIR_KIND_TEXT && (key->count == 0 || !memchr(key->as.data, 0, key->count));
}

/* ---- output ---- */

/* Append an element's type and name. */
static int put_element(struct writer *writer, unsigned type, const char *name) {
    struct weir_buffer *out = writer->base.out;
    size_t size = strlen(name) + 1;
    unsigned char *to = weir_buffer_room(out, 1 + size);
    if (!to)
        return WEIR_ENOMEM;
    *to = (unsigned char)type;
    memcpy(to + 1, name, size);
    out->size += 1 + size;
    return WEIR_OK;
}

static int put_size(struct writer *writer, size_t *ret_begin) {
    *ret_begin = writer->base.out->size;
    return weir_buffer_append(writer->base.out, "\0\0\0", 4);
}

static void patch(struct writer *writer, size_t begin) {
    struct weir_buffer *out = writer->base.out;
    weir_bson_store32(out->data + begin, (uint32_t)(out->size - begin));
}

static void set_type(struct writer *writer, unsigned type) {
    writer->base.out->data[writer->base.head] = (unsigned char)type;
}

/* ---- the stack ---- */

static int frames_grow(struct writer *writer) {
    size_t count = (size_t)(writer->frames_end - writer->frames);
    struct frame *frames = malloc(2 * count * sizeof(*frames));
    if (!frames)
        return WEIR_ENOMEM;
    memcpy(frames, writer->frames, count * sizeof(*frames));
    writer->top = frames + (writer->top - writer->frames);
    if (writer->frames != writer->few)
        free(writer->frames);
    writer->frames = frames;
    writer->frames_end = frames + 2 * count;
    return WEIR_OK;
}

static __attribute__((cold, noinline)) int push_failed(struct writer *writer, int status) {
    if (status == WEIR_ENOMEM)
        return out_of_memory(writer);
    return weir_fail(writer->err, WEIR_ELIMIT,
                     "bson: containers inside each other beyond the limit of %u; raise depth_max",
                     (unsigned)writer->limits->depth_max);
}

/* Begin a frame whose size stands at @begin. */
ALWAYS_INLINE int push(struct writer *writer, enum form form, const struct weir_value *end, uint32_t left, size_t begin,
                       uint32_t levels) {
    if (UNLIKELY(writer->top + 1 == writer->frames_end) && frames_grow(writer) != WEIR_OK)
        return push_failed(writer, WEIR_ENOMEM);
    writer->depth += levels;
    if (UNLIKELY(writer->depth > writer->limits->depth_max))
        return push_failed(writer, WEIR_ELIMIT);
    struct frame *top = ++writer->top;
    top->end = end;
    top->order = NULL;
    top->map = NULL;
    top->name = name_first;
    top->begin = begin;
    top->left = left;
    top->form = (uint8_t)form;
    top->is_double = 0;
    top->levels = (uint8_t)levels;
    return WEIR_OK;
}

static void frames_fini(struct writer *writer) {
    for (struct frame *frame = writer->frames; frame <= writer->top; frame++)
        free(frame->order);
    if (writer->frames != writer->few)
        free(writer->frames);
}

/* ---- containers ---- */

static int is_root_wrapper(const struct writer *writer, const struct weir_value *map) {
    return writer->base.out->size == writer->start && map->count == 1 && map[1].kind == WEIR_KIND_TEXT &&
           map[1].count == 5 && memcmp(map[1].as.data, "$root", 5) == 0;
}

/* The wrapper a map must be written in, or NULL. */
static const char *map_wrapper(const struct writer *writer, const struct weir_value *map) {
    if (writer->base.flags & WEIR_PLAIN)
        return NULL;
    if (weir_bson_is_ambiguous(map) || is_root_wrapper(writer, map))
        return "$obj";
    const struct weir_value *key = map + 1;
    for (uint32_t i = 0; i < map->count && writer->is_careful; i++) {
        if (!is_name(key))
            return "$map";
        key = weir_value_after(key + 1);
    }
    return NULL;
}

/* Append the size of a document, and of {wrapper: [ when there is one. */
static int put_sizes(struct writer *writer, const char *wrapper, size_t *ret_outer, size_t *ret_begin) {
    int status = put_size(writer, ret_begin);
    *ret_outer = *ret_begin;
    if (status == WEIR_OK && wrapper)
        status = put_element(writer, BSON_ARRAY, wrapper);
    if (status == WEIR_OK && wrapper)
        status = put_size(writer, ret_begin);
    return status;
}

/* Begin a map, whose type is written; the walk goes on with its first key, and behind it at @end. */
static int map_begin(struct writer *writer, const struct weir_value *map, const struct weir_value *end) {
    const char *wrapper = map_wrapper(writer, map);
    size_t outer, begin;
    if (wrapper && strcmp(wrapper, "$map") == 0 && writer->base.flags & WEIR_STRICT)
        return refused_keys(writer);
    if (put_sizes(writer, wrapper, &outer, &begin) != WEIR_OK)
        return out_of_memory(writer);
    int status = push(writer, wrapper ? FORM_PAIRS : FORM_MAP, end, map->count, begin, 1);
    if (status != WEIR_OK)
        return status;
    writer->top->map = map;
    writer->top->outer = outer;
    writer->top->is_double = wrapper != NULL;
    if (writer->base.flags & WEIR_CANONICAL && weir_keys_sort(map, &writer->top->order) != WEIR_OK)
        return out_of_memory(writer);
    return WEIR_OK;
}

static int array_begin(struct writer *writer, const struct weir_value *array) {
    size_t begin;
    set_type(writer, BSON_ARRAY);
    if (put_size(writer, &begin) != WEIR_OK)
        return out_of_memory(writer);
    return push(writer, FORM_ARRAY, weir_value_after(array), array->count, begin, 1);
}

/* Begin the next pair of PAIRS at *at, or at the next of its keys in order, which *at moves to. */
static int pair_begin(struct writer *writer, const struct weir_value **at) {
    struct frame *top = writer->top;
    struct weir_buffer *out = writer->base.out;
    size_t begin;
    top->left--;
    if (top->order)
        *at = top->order[top->left];
    unsigned char *to = weir_buffer_room(out, BSON_STEP_ROOM);
    if (!to)
        return out_of_memory(writer);
    *to = BSON_ARRAY;
    out->size = (size_t)(put_name(to + 1, &top->name) - out->data);
    name_next(&top->name);
    if (put_size(writer, &begin) != WEIR_OK)
        return out_of_memory(writer);
    return push(writer, FORM_ARRAY, weir_value_after(weir_value_after(*at)), 2, begin, 0);
}

/* ---- keys ---- */

/* Begin the MAP on top anew, as pairs. */
static int map_again(struct writer *writer, const struct weir_value **at) {
    struct frame frame = *writer->top--;
    free(frame.order);
    writer->depth -= frame.levels;
    writer->is_careful = 1;
    writer->base.out->size = frame.begin;
    *at = frame.map + 1;
    return map_begin(writer, frame.map, frame.end);
}

/* Put U+FFFD in place of every NUL from @begin on, and a NUL behind. */
static int end_plain_name(struct weir_buffer *out, size_t begin) {
    static const char replacement[] = "\xEF\xBF\xBD";
    size_t nuls = 0;
    for (size_t i = begin; i < out->size; i++)
        nuls += out->data[i] == 0;
    if (!weir_buffer_room(out, nuls * 2 + 1))
        return WEIR_ENOMEM;
    size_t from = out->size;
    size_t to = out->size += nuls * 2;
    while (from < to) {
        unsigned char byte = out->data[--from];
        if (byte != 0)
            out->data[--to] = byte;
        else
            memcpy(out->data + (to -= 3), replacement, 3);
    }
    out->data[out->size++] = 0;
    return WEIR_OK;
}

/* A key that is no name. *ret_is_written: under WEIR_PLAIN, as a text, behind a byte for the type. */
static int other_key(struct writer *writer, const struct weir_value **at, int *ret_is_written) {
    struct weir_buffer *out = writer->base.out;
    *ret_is_written = 0;
    if (writer->base.flags & WEIR_STRICT)
        return refused_keys(writer);
    if (!(writer->base.flags & WEIR_PLAIN))
        return map_again(writer, at);
    writer->base.head = out->size;
    if (weir_buffer_append(out, "", 1) != WEIR_OK)
        return out_of_memory(writer);
    int status = weir_plain_key(*at, writer->limits, out, writer->err);
    if (status != WEIR_OK)
        return status;
    *at = weir_value_after(*at);
    *ret_is_written = 1;
    return end_plain_name(out, writer->base.head + 1) == WEIR_OK ? WEIR_OK : out_of_memory(writer);
}

/* ---- tags ---- */

/* {"$tag": [number, content]}: everything before the content. */
static int tag_begin(struct writer *writer, const struct weir_value *tag) {
    struct weir_buffer *out = writer->base.out;
    struct weir_value number = {.kind = tag->as.u64 > INT64_MAX ? WEIR_KIND_UINT64 : WEIR_KIND_INT64,
                                .as.u64 = tag->as.u64};
    size_t outer, begin;
    set_type(writer, BSON_DOCUMENT);
    if (put_sizes(writer, weir_wrap_tag_name(tag), &outer, &begin) != WEIR_OK)
        return out_of_memory(writer);
    writer->base.head = out->size;
    int status = put_element(writer, BSON_INT32, "0");
    if (status == WEIR_OK)
        status = weir_bson_write(&writer->base, &number);
    if (status != WEIR_OK)
        return failed(writer, status, tag);
    status = push(writer, FORM_ARRAY, weir_value_after(tag), 1, begin, 1);
    if (status != WEIR_OK)
        return status;
    writer->top->outer = outer;
    writer->top->is_double = 1;
    name_next(&writer->top->name);
    return WEIR_OK;
}

/* A code with scope up to its scope's first key. */
static int code_begin(struct writer *writer, const struct weir_value *tag) {
    enum { SCOPE_DEPTH = 2 };
    const struct weir_value *code = tag + 2;
    size_t begin;
    set_type(writer, BSON_CODE_WITH_SCOPE);
    int status = put_size(writer, &begin);
    if (status == WEIR_OK)
        status = weir_bson_write_string(&writer->base, code->as.data, code->count);
    if (status != WEIR_OK)
        return failed(writer, status, tag);
    status = push(writer, FORM_CODE, weir_value_after(tag), 0, begin, SCOPE_DEPTH);
    return status == WEIR_OK ? map_begin(writer, code + 1, weir_value_after(tag)) : status;
}

/* ---- values ---- */

static int is_code(const struct weir_value *value) {
    return value->kind == WEIR_KIND_TAGGED && value->as.u64 == BSON_CODE_WITH_SCOPE;
}

/* Write the value at *at, or its beginning, whatever it is; *at moves to what the walk goes on with. */
static int value_begin(struct writer *writer, const struct weir_value **at) {
    const struct weir_value *value = *at;
    if (writer->base.flags & WEIR_STRICT && !weir_bson_is_native(value))
        return failed(writer, WEIR_EENCODE, value);
    while (value->kind == WEIR_KIND_TAGGED && !weir_bson_tag_is_native(value)) {
        if (!(writer->base.flags & WEIR_PLAIN)) {
            *at = value + 1;
            return tag_begin(writer, value);
        }
        value++;
    }
    *at = value + 1;
    if (value->kind == WEIR_KIND_ARRAY)
        return array_begin(writer, value);
    if (value->kind == WEIR_KIND_MAP) {
        set_type(writer, BSON_DOCUMENT);
        return map_begin(writer, value, weir_value_after(value));
    }
    if (is_code(value)) {
        *at = value + 4;
        return code_begin(writer, value);
    }
    *at = weir_value_after(value);
    int status = weir_bson_write(&writer->base, value);
    return status == WEIR_OK ? WEIR_OK : failed(writer, status, value);
}

/* ---- the walk ---- */

/* Where the frame on top ends. Return: WEIR_OK, WEIR_ENOMEM. */
static int end_specially(struct writer *writer) {
    struct frame *frame = writer->top;
    int status = WEIR_OK;
    if (frame->form != FORM_CODE)
        status = weir_buffer_append(writer->base.out, "", 1);
    patch(writer, frame->begin);
    if (frame->is_double && status == WEIR_OK) {
        status = weir_buffer_append(writer->base.out, "", 1);
        patch(writer, frame->outer);
    }
    free(frame->order);
    frame->order = NULL;
    return status;
}

/* Copy a name and its NUL. Return: what follows; NULL when there is a NUL in it. */
ALWAYS_INLINE unsigned char *put_key(unsigned char *to, const unsigned char *from, size_t size) {
    uint64_t word, zeros = 0;
    if (size >= 8) {
        for (size_t i = 0; i + 8 <= size; i += 8) {
            word = weir_word_at(from + i);
            weir_word_put(to + i, word);
            zeros |= (word - low_bits) & ~word;
        }
        word = weir_word_at(from + size - 8);
        weir_word_put(to + size - 8, word);
        zeros |= (word - low_bits) & ~word;
    } else if (size >= 4) {
        uint32_t first, last;
        memcpy(&first, from, 4);
        memcpy(&last, from + size - 4, 4);
        memcpy(to, &first, 4);
        memcpy(to + size - 4, &last, 4);
        word = first | (uint64_t)last << 32;
        zeros = (word - low_bits) & ~word;
    } else if (size > 0) {
        unsigned char first = from[0], middle = from[size / 2], last = from[size - 1];
        to[0] = first;
        to[size / 2] = middle;
        to[size - 1] = last;
        if (UNLIKELY(!first || !middle || !last))
            return NULL;
    }
    to[size] = 0;
    return UNLIKELY(zeros & high_bits) ? NULL : to + size + 1;
}

/* The place in the output moves into the buffer and back, and what is in the walk's hands into its frame and back. */
#define SAVE()                                                                                                         \
    do {                                                                                                               \
        out->size = (size_t)(to - out->data);                                                                          \
        writer->top->left = left;                                                                                      \
        writer->top->name = name;                                                                                      \
    } while (0)
#define LOAD()                                                                                                         \
    do {                                                                                                               \
        to = out->data + out->size;                                                                                    \
        full = out->data + out->capacity;                                                                              \
        left = writer->top->left;                                                                                      \
        name = writer->top->name;                                                                                      \
        form = writer->top->form;                                                                                      \
    } while (0)
#define ROOM(more)                                                                                                     \
    do {                                                                                                               \
        if (UNLIKELY((size_t)(full - to) < (more))) {                                                                  \
            SAVE();                                                                                                    \
            if (out->size - writer->start > INT32_MAX)                                                                 \
                return failed(writer, WEIR_ELIMIT, NULL);                                                              \
            if (!weir_buffer_room(out, more))                                                                          \
                return out_of_memory(writer);                                                                          \
            LOAD();                                                                                                    \
        }                                                                                                              \
    } while (0)

/* Write all that the frames ask for, beginning at @at, the first cell of the one on top. */
static int walk(struct writer *writer, const struct weir_value *at) {
    struct weir_buffer *const out = writer->base.out;
    const uint32_t flags = writer->base.flags;
    const unsigned wide = flags & WEIR_CANONICAL ? 0 : WEIR_INTEGER_WIDE;
    unsigned char *to, *full, *head, *after;
    uint32_t left;
    struct name name;
    int form, status, is_written;
    LOAD();
    for (;;) {
        ROOM(BSON_STEP_ROOM);
        if (left == 0) {
            struct frame *frame = writer->top;
            if (LIKELY(!frame->is_double && frame->form != FORM_CODE && !frame->order)) {
                *to++ = 0;
                unsigned char *begin = out->data + frame->begin;
                weir_bson_store32(begin, (uint32_t)(to - begin));
            } else {
                SAVE();
                if (end_specially(writer) != WEIR_OK)
                    return out_of_memory(writer);
                LOAD();
            }
            out->size = (size_t)(to - out->data);
            at = frame->end;
            writer->depth -= frame->levels;
            if (--writer->top == writer->frames)
                return WEIR_OK;
            LOAD();
            continue;
        }
        if (LIKELY(form == FORM_MAP)) {
            left--;
            if (UNLIKELY(writer->top->order != NULL))
                at = writer->top->order[left];
            after = NULL;
            if (LIKELY(at->kind == WEIR_KIND_TEXT)) {
                ROOM((size_t)at->count + BSON_STEP_ROOM);
                after = put_key(to + 1, at->as.data, at->count);
            }
            if (LIKELY(after != NULL)) {
                head = to;
                to = after;
                at++;
            } else {
                SAVE();
                status = other_key(writer, &at, &is_written);
                if (status != WEIR_OK)
                    return status;
                LOAD();
                if (!is_written)
                    continue;
                ROOM(BSON_STEP_ROOM);
                head = out->data + writer->base.head;
            }
        } else if (LIKELY(form == FORM_ARRAY)) {
            left--;
            head = to;
            to = put_name(to + 1, &name);
            name_next(&name);
        } else {
            SAVE();
            status = pair_begin(writer, &at);
            if (status != WEIR_OK)
                return status;
            LOAD();
            continue;
        }
        switch (at->kind) {
        case WEIR_KIND_INT64:
            if ((int64_t)(int32_t)at->as.i64 == at->as.i64 && !(at->aux & wide)) {
                *head = BSON_INT32;
                weir_bson_store32(to, (uint32_t)at->as.u64);
                to += 4;
            } else {
                *head = BSON_INT64;
                weir_word_put(to, at->as.u64);
                to += 8;
            }
            at++;
            continue;
        case WEIR_KIND_FLOAT64:
            if (UNLIKELY(flags & WEIR_CANONICAL))
                break;
            *head = BSON_DOUBLE;
            weir_word_put(to, at->as.u64);
            to += 8;
            at++;
            continue;
        case WEIR_KIND_TEXT: {
            size_t size = at->count;
            if (UNLIKELY(size >= INT32_MAX))
                break;
            *head = BSON_STRING;
            ROOM(size + BSON_STEP_ROOM);
            weir_bson_store32(to, (uint32_t)size + 1);
            to = weir_bytes_put(to + 4, at->as.data, size);
            *to++ = 0;
            at++;
            continue;
        }
        case WEIR_KIND_BOOL:
            *head = BSON_BOOL;
            *to++ = (unsigned char)at->as.i64;
            at++;
            continue;
        case WEIR_KIND_NULL:
            *head = BSON_NULL;
            at++;
            continue;
        case WEIR_KIND_MAP:
        case WEIR_KIND_ARRAY: {
            int is_map = at->kind == WEIR_KIND_MAP;
            if (UNLIKELY(is_map && (writer->is_careful || weir_wrap_is_ambiguous(at))))
                break;
            size_t begin = (size_t)(to - out->data);
            *head = is_map ? BSON_DOCUMENT : BSON_ARRAY;
            weir_bson_store32(to, 0);
            to += 4;
            writer->top->left = left;
            writer->top->name = name;
            form = is_map ? FORM_MAP : FORM_ARRAY;
            status = push(writer, (enum form)form, at + at->as.span, at->count, begin, 1);
            if (UNLIKELY(status != WEIR_OK))
                return status;
            writer->top->map = at;
            left = at->count;
            name = name_first;
            at++;
            continue;
        }
        default: break;
        }
        writer->base.head = (size_t)(head - out->data);
        SAVE();
        status = value_begin(writer, &at);
        if (status != WEIR_OK)
            return status;
        LOAD();
    }
}

/* Begin the root: a map, or {"$root": value}. */
static int root_begin(struct writer *writer, const struct weir_value **at) {
    const struct weir_value *root = *at;
    size_t begin;
    if (root->kind == WEIR_KIND_MAP) {
        *at = root + 1;
        return map_begin(writer, root, NULL);
    }
    if (writer->base.flags & WEIR_STRICT)
        return refused_root(writer);
    if (put_size(writer, &begin) != WEIR_OK)
        return out_of_memory(writer);
    int status = push(writer, FORM_MAP, NULL, 0, begin, 0);
    if (status != WEIR_OK)
        return status;
    writer->base.head = writer->base.out->size;
    if (put_element(writer, BSON_END, "$root") != WEIR_OK)
        return out_of_memory(writer);
    return value_begin(writer, at);
}

int weir_bson_encode(const struct weir_value *value, const struct weir_codec_limits *limits, struct weir_buffer *out,
                     weir_error *err) {
    struct writer writer;
    writer.base = (struct bson_writer){out, 0, limits->flags};
    writer.frames = writer.top = writer.few;
    writer.frames_end = writer.few + FRAMES_ON_STACK;
    writer.few[0] = (struct frame){.form = FORM_ARRAY}; /* around the root's */
    writer.start = out->size;
    writer.limits = limits;
    writer.depth = 0;
    writer.is_careful = (limits->flags & WEIR_CANONICAL) != 0;
    writer.err = err;
    int status = root_begin(&writer, &value);
    if (status == WEIR_OK)
        status = walk(&writer, value);
    if (status == WEIR_OK && out->size - writer.start > INT32_MAX)
        status = failed(&writer, WEIR_ELIMIT, NULL);
    frames_fini(&writer);
    return status;
}
