/* Cells to Smile: one walk over the values, with a stack of what is begun, because containers have an end token.
 *
 * Numbers, texts and names take the forms that Jackson's generator gives them, so that a message is the same byte for
 * byte; the header says that names are shared and values are not. Kinds without a token stand in their wrapper, whose
 * cells are walked like those of the document. WEIR_CANONICAL: nothing is shared, keys are sorted, texts before other
 * kinds, and times are all "$time", so that equal values have equal bytes wherever they stand.
 *
 * A map whose only key begins with '$' could be read back as a wrapper, so it is written as {"$obj":[[key,value]]},
 * and a map with keys that are no texts as {"$map":[[key,value],...]}; both are "pairs" here. Keys are mostly texts,
 * so maps are written without a look ahead. When another kind of key comes, the value is begun anew, and then every
 * map is looked through first.
 *
 * The place in the output is kept in a register (`to`) inside the walk; all else goes through functions that find it
 * in the buffer. SAVE and LOAD stand where the two meet. */
#include <stdlib.h>

#include "base/utf8.h"
#include "codec/smile/names.h"
#include "codec/smile/write.h"

enum { FRAMES_ON_STACK = 24 };

enum form {
    FORM_ARRAY,
    FORM_MAP,
    FORM_ROOT,
    FORM_SORTED, /* a map whose keys are taken from order */
    FORM_PAIRS,  /* the array inside {"$map": ...} */
    FORM_PAIR,   /* a key and a value in that array */
    FORM_TAG,    /* the array inside {"$tag": ...} */
    FORM_WRAPPED /* the cells of a wrapper */
};

struct frame {
    const struct weir_value *end;  /* the cell behind it; NULL for one with an order */
    const struct weir_value *next; /* where the walk goes on behind it */
    const struct weir_value *
        *order;    /* SORTED, PAIRS: keys, from the last to the first; NULL for the document's order */
    uint32_t left; /* of order */
    uint8_t form;
};

struct writer {
    struct weir_buffer *out;
    struct frame *top;
    struct frame *frames;
    struct frame *frames_end;
    uint32_t flags;
    uint32_t features; /* enum smile_header */
    uint32_t depth;    /* containers and tags of the document that are begun */
    const struct weir_codec_limits *limits;
    int is_careful;          /* look through the keys of every map first */
    int is_again;            /* it turned out that it must */
    int is_wrapped;          /* the cells of a wrapper are walked */
    struct weir_buffer text; /* a key under WEIR_PLAIN */
    weir_error *err;
    struct frame few[FRAMES_ON_STACK];
    struct weir_wrap wrap;
    struct smile_names names;
};

/* ---- failures ---- */

static __attribute__((cold, noinline)) int failed(struct writer *writer, int status, const struct weir_value *value) {
    char type[WEIR_NDARRAY_TYPE_MAX];
    switch (status) {
    case WEIR_ELIMIT:
        return weir_fail(writer->err, status, "smile: a value of type %s is beyond a limit",
                         weir_value_type(value, type, sizeof(type)));
    case WEIR_EENCODE:
        return weir_fail(writer->err, status, "smile: no native form for %s; leave WEIR_STRICT out to have it wrapped",
                         weir_value_type(value, type, sizeof(type)));
    default: return weir_fail(writer->err, WEIR_ENOMEM, "smile: out of memory");
    }
}

static int refused_keys(struct writer *writer) {
    return weir_fail(
        writer->err, WEIR_EENCODE,
        "smile: no native form for a map with keys that are no texts; leave WEIR_STRICT out to have it wrapped");
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

ALWAYS_INLINE int counts_as_depth(unsigned form) {
    return form <= FORM_MAP || form == FORM_SORTED || form == FORM_PAIRS || form == FORM_TAG;
}

ALWAYS_INLINE int push(struct writer *writer, enum form form, const struct weir_value *end) {
    if (UNLIKELY(writer->top + 1 == writer->frames_end) && frames_grow(writer) != WEIR_OK)
        return failed(writer, WEIR_ENOMEM, NULL);
    writer->depth += (uint32_t)counts_as_depth(form);
    if (UNLIKELY(writer->depth > writer->limits->depth_max) && !writer->is_wrapped)
        return weir_fail(writer->err, WEIR_ELIMIT,
                         "smile: containers inside each other beyond the limit of %u; raise depth_max",
                         (unsigned)writer->limits->depth_max);
    struct frame *top = ++writer->top;
    top->end = end;
    top->next = end;
    top->order = NULL;
    top->form = (uint8_t)form;
    return WEIR_OK;
}

static void writer_fini(struct writer *writer) {
    for (struct frame *frame = writer->frames; frame <= writer->top; frame++)
        if (frame->order)
            free(frame->order);
    if (writer->frames != writer->few)
        free(writer->frames);
    if (writer->text.data)
        weir_buffer_fini(&writer->text);
}

/* ---- keys in order ---- */

/* The keys of @map, the last first, as the frame on top counts down. */
static int frame_sort(struct writer *writer, const struct weir_value *map) {
    struct frame *frame = writer->top;
    if (weir_keys_sort(map, &frame->order) != WEIR_OK)
        return failed(writer, WEIR_ENOMEM, NULL);
    frame->left = map->count;
    frame->end = NULL;
    return WEIR_OK;
}

/* ---- names and texts ---- */

static int put_token(struct writer *writer, unsigned token) {
    unsigned char *to = weir_buffer_room(writer->out, 1);
    if (!to)
        return failed(writer, WEIR_ENOMEM, NULL);
    *to = (unsigned char)token;
    writer->out->size++;
    return WEIR_OK;
}

/* The same as weir_smile_names_find for a long name, and for one whose text does not last. */
static __attribute__((noinline)) int other_name(struct writer *writer, const unsigned char *text, uint32_t size,
                                                int lasts) {
    if (!lasts) {
        weir_smile_names_skip(&writer->names);
        return -1;
    }
    struct smile_name_key key = weir_smile_name_long_key(text, size);
    return weir_smile_names_find(&writer->names, &key);
}

/* A name or a reference to it, when it came before. @lasts: whether its text stays where it is until all is written. */
ALWAYS_INLINE unsigned char *put_name(struct writer *writer, unsigned char *to, const unsigned char *text,
                                      uint32_t size, int lasts) {
    if (LIKELY(size - 1 < SMILE_NAME_WORDS_MAX && lasts)) {
        struct smile_name_key key = weir_smile_name_key(text, size);
        int index = writer->features & SMILE_SHARES_NAMES ? weir_smile_names_find(&writer->names, &key) : -1;
        return index >= 0 ? weir_smile_put_name_reference(to, (unsigned)index)
                          : weir_smile_put_name_words(to, key.first, key.last, size);
    }
    if (size > 0 && writer->features & SMILE_SHARES_NAMES) {
        int index = other_name(writer, text, size, lasts);
        if (index >= 0)
            return weir_smile_put_name_reference(to, (unsigned)index);
    }
    return weir_smile_put_name(to, text, size);
}

static int write_name(struct writer *writer, const unsigned char *text, uint32_t size, int lasts) {
    unsigned char *to = weir_buffer_room(writer->out, (size_t)size + WRITE_ROOM);
    if (!to)
        return failed(writer, WEIR_ENOMEM, NULL);
    writer->out->size = (size_t)(put_name(writer, to, text, size, lasts) - writer->out->data);
    return WEIR_OK;
}

/* A key that is no text. Return: WEIR_OK; otherwise also because all is to be begun anew. */
static int other_key(struct writer *writer, const struct weir_value *key) {
    if (writer->flags & WEIR_STRICT)
        return refused_keys(writer);
    if (!(writer->flags & WEIR_PLAIN)) {
        writer->is_again = 1;
        return WEIR_EENCODE;
    }
    writer->text.size = 0;
    int status = weir_plain_key(key, writer->limits, &writer->text, writer->err);
    if (status != WEIR_OK)
        return status;
    return write_name(writer, writer->text.data, (uint32_t)writer->text.size, 0);
}

/* ---- what holds others ---- */

/* Begin {"name": [ */
static int open_wrapper(struct writer *writer, const char *name) {
    int status = put_token(writer, SMILE_MAP);
    if (status == WEIR_OK)
        status = write_name(writer, (const unsigned char *)name, (uint32_t)strlen(name), 1);
    return status == WEIR_OK ? put_token(writer, SMILE_ARRAY) : status;
}

static int pairs_begin(struct writer *writer, const struct weir_value *map, int has_other_keys) {
    int status = open_wrapper(writer, weir_wrap_map_name(has_other_keys));
    if (status == WEIR_OK)
        status = push(writer, FORM_PAIRS, map + map->as.span);
    return status == WEIR_OK && writer->flags & WEIR_CANONICAL ? frame_sort(writer, map) : status;
}

/* A map that is looked at before it is written. */
static int map_begin(struct writer *writer, const struct weir_value *map) {
    if (!(writer->flags & WEIR_PLAIN) && !writer->is_wrapped) {
        int has_other_keys = writer->is_careful && weir_wrap_has_other_keys(map);
        if (has_other_keys && writer->flags & WEIR_STRICT)
            return refused_keys(writer);
        if (has_other_keys || weir_wrap_is_ambiguous(map))
            return pairs_begin(writer, map, has_other_keys);
    }
    int is_sorted = writer->flags & WEIR_CANONICAL && map->count > 1 && !writer->is_wrapped;
    int status = put_token(writer, SMILE_MAP);
    if (status == WEIR_OK)
        status = push(writer, is_sorted ? FORM_SORTED : FORM_MAP, map + map->as.span);
    return status == WEIR_OK && is_sorted ? frame_sort(writer, map) : status;
}

static int tag_begin(struct writer *writer, const struct weir_value *tag) {
    int status = open_wrapper(writer, weir_wrap_tag_name(tag));
    unsigned char *to = status == WEIR_OK ? weir_buffer_room(writer->out, WRITE_ROOM) : NULL;
    if (!to)
        return status == WEIR_OK ? failed(writer, WEIR_ENOMEM, NULL) : status;
    struct weir_value number = {.kind = tag->as.u64 > INT64_MAX ? WEIR_KIND_UINT64 : WEIR_KIND_INT64,
                                .as.u64 = tag->as.u64};
    writer->out->size = (size_t)(weir_smile_put_integer(to, &number) - writer->out->data);
    return push(writer, FORM_TAG, weir_value_after(tag));
}

/* Let the walk go over the cells of the value's wrapper. */
static int wrapped_begin(struct writer *writer, const struct weir_value **at) {
    const struct weir_value *value = *at;
    struct weir_value in_ns;
    if (value->kind == WEIR_KIND_TIME && writer->flags & WEIR_CANONICAL) {
        in_ns = *value;
        in_ns.aux = WEIR_TIME_NS;
        value = &in_ns;
    }
    if (weir_wrap(value, &writer->wrap) != WEIR_OK)
        return failed(writer, WEIR_ELIMIT, value);
    int status = push(writer, FORM_WRAPPED, writer->wrap.cells + writer->wrap.count);
    if (status != WEIR_OK)
        return status;
    writer->top->next = weir_value_after(*at);
    writer->is_wrapped = 1;
    *at = writer->wrap.cells;
    return WEIR_OK;
}

/* End the frame on top, in which nothing is left. Return: where the walk goes on; NULL on failure. */
static const struct weir_value *frame_end(struct writer *writer, int *ret_status) {
    static const uint8_t ends[][2] = {[FORM_ARRAY] = {SMILE_ARRAY_END},
                                      [FORM_MAP] = {SMILE_MAP_END},
                                      [FORM_SORTED] = {SMILE_MAP_END},
                                      [FORM_PAIRS] = {SMILE_ARRAY_END, SMILE_MAP_END},
                                      [FORM_PAIR] = {SMILE_ARRAY_END},
                                      [FORM_TAG] = {SMILE_ARRAY_END, SMILE_MAP_END},
                                      [FORM_WRAPPED] = {0}};
    struct frame *frame = writer->top--;
    free(frame->order);
    writer->depth -= (uint32_t)counts_as_depth(frame->form);
    if (frame->form == FORM_WRAPPED)
        writer->is_wrapped = 0;
    for (int i = 0; i < 2 && ends[frame->form][i]; i++) {
        *ret_status = put_token(writer, ends[frame->form][i]);
        if (*ret_status != WEIR_OK)
            return NULL;
    }
    return frame->next;
}

/* ---- values ---- */

/* Whether Smile has a form of its own for a value. */
static int is_native(const struct weir_value *value) {
    switch (value->kind) {
    case WEIR_KIND_UNDEFINED:
    case WEIR_KIND_TIME:
    case WEIR_KIND_NDARRAY:
    case WEIR_KIND_TAGGED: return 0;
    case WEIR_KIND_DECIMAL: return value[1].as.i64 > INT32_MIN; /* the scale has the other sign */
    default: return 1;
    }
}

/* A value that has no native form, without WEIR_PLAIN. */
static int foreign_value(struct writer *writer, const struct weir_value **at) {
    const struct weir_value *value = *at;
    if (writer->flags & WEIR_STRICT)
        return failed(writer, WEIR_EENCODE, value);
    if (value->kind != WEIR_KIND_TAGGED || weir_wrap_is_whole(value))
        return wrapped_begin(writer, at);
    *at = value + 1;
    return tag_begin(writer, value);
}

/* Write the value at *at, or its beginning, whatever it is; *at moves to what the walk goes on with. */
static int value_begin(struct writer *writer, const struct weir_value **at) {
    while ((*at)->kind == WEIR_KIND_TAGGED && writer->flags & WEIR_PLAIN)
        ++*at;
    const struct weir_value *value = *at;
    if (!is_native(value) && (!(writer->flags & WEIR_PLAIN) || value->kind == WEIR_KIND_DECIMAL))
        return foreign_value(writer, at);
    if (value->kind == WEIR_KIND_MAP) {
        *at = value + 1;
        return map_begin(writer, value);
    }
    if (value->kind == WEIR_KIND_ARRAY) {
        *at = value + 1;
        int status = put_token(writer, SMILE_ARRAY);
        return status == WEIR_OK ? push(writer, FORM_ARRAY, value + value->as.span) : status;
    }
    *at = weir_value_after(value);
    int status = weir_smile_write_value(value, writer->out);
    return status == WEIR_OK ? WEIR_OK : failed(writer, status, value);
}

/* ---- the walk ---- */

#define SAVE() (out->size = (size_t)(to - out->data))
#define LOAD() (to = out->data + out->size, limit = out->data + out->capacity)
#define ROOM(bytes)                                                                                                    \
    do {                                                                                                               \
        if (UNLIKELY((size_t)(limit - to) < (bytes))) {                                                                \
            SAVE();                                                                                                    \
            if (weir_buffer_grow(out, bytes) != WEIR_OK)                                                               \
                return failed(writer, WEIR_ENOMEM, NULL);                                                              \
            LOAD();                                                                                                    \
        }                                                                                                              \
    } while (0)

/* What is rare at the beginning of an item: the frame on top is neither an array nor a map, or the key is no text.
 * Return: 1 to go on with the item's value, 0 with the next item, -1 with *ret_status saying what failed. */
static __attribute__((noinline)) int step(struct writer *writer, const struct weir_value **at, int *ret_status) {
    struct frame *top = writer->top;
    if (top->order && top->left == 0) {
        *at = frame_end(writer, ret_status);
        return *at ? 0 : -1;
    }
    if (top->order)
        *at = top->order[--top->left];
    const struct weir_value *key = *at;
    switch (top->form) {
    case FORM_MAP:
    case FORM_SORTED:
        *at = weir_value_after(key);
        *ret_status =
            key->kind == WEIR_KIND_TEXT ? write_name(writer, key->as.data, key->count, 1) : other_key(writer, key);
        break;
    case FORM_PAIRS:
        *ret_status = put_token(writer, SMILE_ARRAY);
        if (*ret_status == WEIR_OK)
            *ret_status = push(writer, FORM_PAIR, weir_value_after(weir_value_after(key)));
        break;
    default: return 1;
    }
    return *ret_status == WEIR_OK ? 1 : -1;
}

/* Whether a container may be begun without a second look: it is one more on a stack that has room, within the limit. */
ALWAYS_INLINE int is_plain_push(const struct writer *writer) {
    return writer->top + 1 != writer->frames_end && writer->depth < writer->limits->depth_max;
}

ALWAYS_INLINE void push_plainly(struct writer *writer, enum form form, const struct weir_value *container) {
    struct frame *top = ++writer->top;
    top->end = top->next = container + container->as.span;
    top->order = NULL;
    top->form = (uint8_t)form;
    writer->depth++;
}

static int walk(struct writer *writer, const struct weir_value *at) {
    struct weir_buffer *const out = writer->out;
    const int is_careful = writer->is_careful;
    unsigned char *to;
    unsigned char *limit;
    int status = WEIR_OK;
    LOAD();
    for (;;) {
        struct frame *top = writer->top;
        if (at == top->end) {
            ROOM(WRITE_ROOM);
            if (LIKELY(top->form <= FORM_MAP)) {
                *to++ = top->form == FORM_MAP ? SMILE_MAP_END : SMILE_ARRAY_END;
                at = top->next;
                writer->top--;
                writer->depth--;
                continue;
            }
            SAVE();
            if (top->form == FORM_ROOT)
                return WEIR_OK;
            at = frame_end(writer, &status);
            if (!at)
                return status;
            LOAD();
            continue;
        }
        if (LIKELY(top->form == FORM_MAP && at->kind == WEIR_KIND_TEXT)) {
            ROOM((size_t)at->count + 2 * WRITE_ROOM);
            to = put_name(writer, to, at->as.data, at->count, 1);
            at++;
        } else if (LIKELY(top->form == FORM_ARRAY || top->form == FORM_ROOT)) {
            ROOM(WRITE_ROOM);
        } else {
            SAVE();
            int next = step(writer, &at, &status);
            if (next < 0)
                return status;
            LOAD();
            if (next == 0)
                continue;
            ROOM(WRITE_ROOM);
        }
        switch (at->kind) {
        case WEIR_KIND_INT64: to = weir_smile_put_i64(to, at++->as.i64); continue;
        case WEIR_KIND_FLOAT64: to = weir_smile_put_f64(to, at++->as.u64); continue;
        case WEIR_KIND_BOOL: *to++ = (unsigned char)(SMILE_FALSE + at++->as.i64); continue;
        case WEIR_KIND_NULL:
            *to++ = SMILE_NULL;
            at++;
            continue;
        case WEIR_KIND_TEXT:
            ROOM((size_t)at->count + WRITE_ROOM);
            to = weir_smile_put_text(to, at->as.data, at->count);
            at++;
            continue;
        case WEIR_KIND_ARRAY:
            if (UNLIKELY(!is_plain_push(writer)))
                break;
            *to++ = SMILE_ARRAY;
            push_plainly(writer, FORM_ARRAY, at++);
            continue;
        case WEIR_KIND_MAP:
            if (UNLIKELY(is_careful || !is_plain_push(writer) || weir_wrap_is_ambiguous(at)))
                break;
            *to++ = SMILE_MAP;
            push_plainly(writer, FORM_MAP, at++);
            continue;
        default: break;
        }
        SAVE();
        status = value_begin(writer, &at);
        if (status != WEIR_OK)
            return status;
        LOAD();
    }
}

static int write_once(struct writer *writer, const struct weir_value *value) {
    unsigned char *to = weir_buffer_room(writer->out, SMILE_HEADER_SIZE);
    if (!to)
        return failed(writer, WEIR_ENOMEM, NULL);
    memcpy(to, ":)\n", 3);
    to[3] = (unsigned char)writer->features;
    writer->out->size += SMILE_HEADER_SIZE;
    writer->frames = writer->few;
    writer->frames_end = writer->few + FRAMES_ON_STACK;
    writer->top = writer->few;
    writer->few[0] = (struct frame){.end = weir_value_after(value), .form = FORM_ROOT};
    writer->depth = 0;
    writer->is_wrapped = 0;
    writer->is_again = 0;
    writer->text = (struct weir_buffer){0};
    weir_smile_names_begin(&writer->names);
    int status = walk(writer, value);
    writer_fini(writer);
    return status;
}

int weir_smile_write(const struct weir_value *value, uint32_t features, const struct weir_codec_limits *limits,
                     struct weir_buffer *out, weir_error *err) {
    struct writer writer; /* big, so it is not cleared */
    size_t begin = out->size;
    writer.out = out;
    writer.features = features;
    writer.limits = limits;
    writer.flags = limits->flags;
    writer.is_careful = (limits->flags & WEIR_CANONICAL) != 0;
    writer.err = err;
    int status = write_once(&writer, value);
    if (status == WEIR_OK || !writer.is_again)
        return status;
    writer.is_careful = 1;
    out->size = begin;
    return write_once(&writer, value);
}

int weir_smile_encode(const struct weir_value *value, const struct weir_codec_limits *limits, struct weir_buffer *out,
                      weir_error *err) {
    return weir_smile_write(value, limits->flags & WEIR_CANONICAL ? 0 : SMILE_FEATURES_DEFAULT, limits, out, err);
}
