/* Cells to JSON: one walk over the values, with a stack of what is begun.
 *
 * Every value is followed by ','; what ends behind it takes that back. A map whose only key is a text that begins with
 * '$' could be read back as a wrapper, so it is written as {"$obj":[[key,value]]}, and a map with keys that are no
 * texts as {"$map":[[key,value],...]}; both are "pairs" here. Under WEIR_PLAIN such keys are written as the JSON of the
 * key in a text.
 *
 * Keys are mostly texts, so a map is written as one without a look ahead. When another kind of key comes, the map is
 * begun anew as pairs, and from then on every map is looked through first: nothing is written more than twice.
 *
 * What nearly all messages consist of is written inside the walk, with the place in the output in a register (`to`);
 * all else goes through functions that find it in the buffer. place_save and place_of stand where the two meet.
 *
 * Under WEIR_CANONICAL a map's frame holds its keys in order: texts by their bytes, other kinds behind them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "codec/json/block.h"
#include "codec/json/json.h"

enum {
    FRAMES_ON_STACK = 24,
    KEY_DEPTH_MAX = 4, /* maps and arrays as keys inside each other: each level may double the backslashes */
    SMALL_ROOM = WEIR_F64_TEXT_MAX + 8, /* a number and what stands around it */
    SHORT_TEXT = 48,                    /* bytes of a text that is looked through in place */
    INDENT = 2
};

enum form { FORM_ROOT, FORM_ARRAY, FORM_MAP, FORM_PAIRS, FORM_TAG, FORM_CODE, FORM_KEY };
enum step { STEP_KEY, STEP_VALUE, STEP_END }; /* what comes next in a MAP or PAIRS */

struct frame {
    const struct weir_value *end;    /* the cell behind it */
    const struct weir_value **order; /* MAP, PAIRS: keys in the order they are written; NULL for the document's */
    const struct weir_value *map;    /* MAP: itself */
    size_t begin;                    /* where it begins in the output */
    uint32_t left;                   /* values or pairs still to be written */
    uint8_t form;
    uint8_t step;
};

struct writer {
    struct weir_buffer *out;
    struct frame *top;
    struct frame *frames;
    struct frame *frames_end;
    uint32_t flags;
    uint32_t depth_max;
    struct frame *quick_end; /* no frame from here on without a look at the limit and the room */
    uint32_t keys;           /* KEY frames */
    uint32_t level;          /* of indentation; right under WEIR_PRETTY only */
    int is_careful;          /* look through the keys of every map first */
    weir_error *err;
    struct frame few[FRAMES_ON_STACK];
};

/* ---- failures ---- */

static __attribute__((cold, noinline)) int failed(struct writer *writer, int status, const struct weir_value *value) {
    char type[WEIR_NDARRAY_TYPE_MAX];
    if (status == WEIR_ELIMIT)
        return weir_fail(writer->err, status, "json: an integer longer than the limit of 4932 digits");
    if (status == WEIR_EENCODE)
        return weir_fail(writer->err, status, "json: no native form for %s; leave WEIR_STRICT out to have it wrapped",
                         weir_value_type(value, type, sizeof(type)));
    return weir_fail(writer->err, status, "json: out of memory");
}

static int refused_keys(struct writer *writer) {
    return weir_fail(
        writer->err, WEIR_EENCODE,
        "json: no native form for a map with keys that are no texts; leave WEIR_STRICT out to have it wrapped");
}

/* Whether JSON has a form of its own for a value. */
static int is_native(const struct weir_value *value) {
    switch (value->kind) {
    case WEIR_KIND_NULL:
    case WEIR_KIND_BOOL:
    case WEIR_KIND_INT64:
    case WEIR_KIND_UINT64:
    case WEIR_KIND_BIGINT:
    case WEIR_KIND_TEXT:
    case WEIR_KIND_ARRAY:
    case WEIR_KIND_MAP: return 1;
    case WEIR_KIND_FLOAT64: return isfinite(value->as.f64);
    default: return 0;
    }
}

/* ---- output ---- */

static inline int put_byte(struct weir_buffer *out, char byte) {
    unsigned char *to = weir_buffer_room(out, 1);
    if (!to)
        return WEIR_ENOMEM;
    *to = (unsigned char)byte;
    out->size++;
    return WEIR_OK;
}

static int put_text(struct weir_buffer *out, const char *text) {
    return weir_buffer_append(out, text, strlen(text));
}

/* A new line under WEIR_PRETTY, but inside keys. */
static int new_line(struct writer *writer) {
    if (!(writer->flags & WEIR_PRETTY) || writer->keys > 0)
        return WEIR_OK;
    size_t blanks = (size_t)writer->level * INDENT;
    unsigned char *to = weir_buffer_room(writer->out, 1 + blanks);
    if (!to)
        return WEIR_ENOMEM;
    *to = '\n';
    memset(to + 1, ' ', blanks);
    writer->out->size += 1 + blanks;
    return WEIR_OK;
}

static inline void take_comma_back(struct writer *writer) {
    writer->out->size--;
}

/* ---- the stack ---- */

/* The frames that the walk may begin by itself: the first is no container, each other one a level. */
static void frames_bound(struct writer *writer) {
    size_t last = (size_t)(writer->frames_end - writer->frames) - 1;
    writer->quick_end = writer->frames + (writer->depth_max < last ? writer->depth_max : last) + 1;
}

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
    frames_bound(writer);
    return WEIR_OK;
}

static inline int is_indented(int form) {
    return form == FORM_ARRAY || form == FORM_MAP || form == FORM_PAIRS;
}

static int push(struct writer *writer, enum form form, const struct weir_value *end, uint32_t left) {
    if (writer->top + 1 == writer->frames_end && frames_grow(writer) != WEIR_OK)
        return failed(writer, WEIR_ENOMEM, NULL);
    size_t depth = (size_t)(writer->top - writer->frames) - writer->keys; /* all but the first and KEY */
    if (form != FORM_KEY && depth >= writer->depth_max)
        return weir_fail(writer->err, WEIR_ELIMIT,
                         "json: containers inside each other beyond the limit of %u; raise depth_max",
                         (unsigned)writer->depth_max);
    writer->top++;
    *writer->top = (struct frame){.end = end, .left = left, .form = (uint8_t)form, .begin = writer->out->size};
    writer->level += is_indented(form);
    writer->keys += form == FORM_KEY;
    return WEIR_OK;
}

static void frames_fini(struct writer *writer) {
    for (struct frame *frame = writer->frames; frame <= writer->top; frame++)
        free(frame->order);
    if (writer->frames != writer->few)
        free(writer->frames);
}

/* ---- containers ---- */

/* How a map is written. */
static const char *map_opening(const struct writer *writer, const struct weir_value *map) {
    if (writer->flags & WEIR_PLAIN)
        return "{";
    const struct weir_value *key = map + 1;
    if (weir_wrap_is_ambiguous(map))
        return "{\"$obj\":[";
    for (uint32_t i = 0; i < map->count && writer->is_careful; i++) {
        if (key->kind != WEIR_KIND_TEXT)
            return "{\"$map\":[";
        key = weir_value_after(key + 1);
    }
    return "{";
}

static int container_begin(struct writer *writer, const struct weir_value *value) {
    int is_map = value->kind == WEIR_KIND_MAP;
    if (value->count == 0)
        return put_text(writer->out, is_map ? "{}," : "[],") == WEIR_OK ? WEIR_OK : failed(writer, WEIR_ENOMEM, NULL);
    const char *opening = is_map ? map_opening(writer, value) : "[";
    enum form form = !is_map ? FORM_ARRAY : opening[1] == '\0' ? FORM_MAP : FORM_PAIRS;
    if (form == FORM_PAIRS && (writer->flags & WEIR_STRICT) && opening[3] == 'm')
        return refused_keys(writer);
    size_t begin = writer->out->size;
    if (put_text(writer->out, opening) != WEIR_OK)
        return failed(writer, WEIR_ENOMEM, NULL);
    int status = push(writer, form, value + value->as.span, value->count);
    if (status == WEIR_OK) {
        writer->top->map = value;
        writer->top->begin = begin;
    }
    if (status == WEIR_OK && is_map && (writer->flags & WEIR_CANONICAL) &&
        weir_keys_sort(value, &writer->top->order) != WEIR_OK)
        status = failed(writer, WEIR_ENOMEM, NULL);
    return status;
}

/* ---- keys ---- */

/* What was written as a key that is no text becomes one. */
static int key_quote(struct writer *writer, size_t begin) {
    struct weir_buffer *out = writer->out;
    size_t size = out->size - begin;
    if (out->data[begin] == '"')
        return WEIR_OK;
    unsigned char *copy = malloc(size);
    if (!copy)
        return failed(writer, WEIR_ENOMEM, NULL);
    memcpy(copy, out->data + begin, size);
    out->size = begin;
    int status = weir_json_write_text(copy, size, out);
    free(copy);
    return status == WEIR_OK ? WEIR_OK : failed(writer, status, NULL);
}

static int put_colon(struct writer *writer) {
    int status = put_text(writer->out, writer->flags & WEIR_PRETTY && writer->keys == 0 ? ": " : ":");
    return status == WEIR_OK ? WEIR_OK : failed(writer, status, NULL);
}

/* Begin the MAP on top anew, as pairs. */
static int map_again(struct writer *writer, const struct weir_value **at) {
    struct frame *top = writer->top--;
    writer->level--;
    writer->is_careful = 1;
    writer->out->size = top->begin;
    *at = top->map + 1;
    return container_begin(writer, top->map);
}

/* A key that is no text: under WEIR_PLAIN a frame of its own, behind which the frame's step is STEP_VALUE. */
static int other_key(struct writer *writer, const struct weir_value **at) {
    if (writer->flags & WEIR_STRICT)
        return refused_keys(writer);
    if (!(writer->flags & WEIR_PLAIN))
        return map_again(writer, at);
    if (writer->keys == KEY_DEPTH_MAX)
        return weir_fail(writer->err, WEIR_ELIMIT, "json: maps as keys inside each other beyond the limit of %d",
                         KEY_DEPTH_MAX);
    writer->top->step = STEP_VALUE;
    return push(writer, FORM_KEY, weir_value_after(*at), 1);
}

static int text_key(struct writer *writer, const struct weir_value **at) {
    const struct weir_value *key = *at;
    *at = key + 1;
    writer->top->left--;
    if (weir_json_write_text(key->as.data, key->count, writer->out) != WEIR_OK)
        return failed(writer, WEIR_ENOMEM, NULL);
    return put_colon(writer);
}

/* What comes between the values of the top frame, which has some left. *ret_is_key: a key comes first, in a frame of
 * its own. */
static int item_begin(struct writer *writer, const struct weir_value **at, int *ret_is_key) {
    struct frame *top = writer->top;
    *ret_is_key = 0;
    if (top->form == FORM_ARRAY) {
        top->left--;
        return new_line(writer) == WEIR_OK ? WEIR_OK : failed(writer, WEIR_ENOMEM, NULL);
    }
    if (top->form != FORM_MAP && top->form != FORM_PAIRS) {
        top->left--;
        return WEIR_OK;
    }
    if (top->step == STEP_VALUE) {
        top->step = top->form == FORM_MAP ? STEP_KEY : STEP_END;
        top->left -= top->form == FORM_MAP;
        return WEIR_OK;
    }
    if (top->order)
        *at = top->order[top->left - 1];
    if (new_line(writer) != WEIR_OK)
        return failed(writer, WEIR_ENOMEM, NULL);
    if (top->form == FORM_PAIRS) {
        top->step = STEP_VALUE;
        return put_byte(writer->out, '[') == WEIR_OK ? WEIR_OK : failed(writer, WEIR_ENOMEM, NULL);
    }
    if ((*at)->kind == WEIR_KIND_TEXT)
        return text_key(writer, at);
    *ret_is_key = 1;
    return other_key(writer, at);
}

/* ---- ends ---- */

static int pair_end(struct writer *writer) {
    take_comma_back(writer);
    writer->top->step = STEP_KEY;
    writer->top->left--;
    return put_text(writer->out, "],") == WEIR_OK ? WEIR_OK : failed(writer, WEIR_ENOMEM, NULL);
}

/* End the top frame, in which nothing is left. */
static int frame_end(struct writer *writer) {
    static const char *const ends[] = {
        [FORM_ARRAY] = "],", [FORM_MAP] = "},", [FORM_PAIRS] = "]},", [FORM_TAG] = "]},", [FORM_CODE] = "},"};
    const struct frame *frame = writer->top--;
    free(frame->order);
    take_comma_back(writer);
    if (frame->form == FORM_KEY) {
        writer->keys--;
        int status = key_quote(writer, frame->begin);
        return status == WEIR_OK ? put_colon(writer) : status;
    }
    if (is_indented(frame->form)) {
        writer->level--;
        if (new_line(writer) != WEIR_OK)
            return failed(writer, WEIR_ENOMEM, NULL);
    }
    return put_text(writer->out, ends[frame->form]) == WEIR_OK ? WEIR_OK : failed(writer, WEIR_ENOMEM, NULL);
}

/* ---- tags ---- */

static int write_object_id(const unsigned char *bytes, struct weir_buffer *out) {
    static const char hex[] = "0123456789abcdef";
    char text[] = "{\"$oid\":\"------------------------\"}";
    char *to = strchr(text, '-');
    for (int i = 0; i < WEIR_BSON_OBJECT_ID_SIZE; i++) {
        *to++ = hex[bytes[i] >> 4];
        *to++ = hex[bytes[i] & 15];
    }
    return put_text(out, text);
}

/* Tags that Extended JSON has a name for. Return: 1 when it was one and is written, but for a ','. */
static int tag_with_name(struct writer *writer, const struct weir_value *tag, int *ret_status) {
    const struct weir_value *content = tag + 1;
    struct weir_codec_limits plain = {WEIR_PLAIN, writer->depth_max, UINT32_MAX};
    struct weir_wrap wrap;
    if (!weir_wrap_is_whole(tag))
        return 0;
    if (tag->as.u64 == WEIR_BSON_OBJECT_ID) {
        *ret_status = write_object_id(content->as.data, writer->out);
    } else if (tag->as.u64 > WEIR_BSON_BINARY) {
        *ret_status = weir_json_write_binary(content, (unsigned)(tag->as.u64 - WEIR_BSON_BINARY), writer->out);
    } else if (content->kind == WEIR_KIND_INT64 && tag->as.u64 == WEIR_BSON_DATETIME) {
        char text[SMALL_ROOM + WEIR_I64_TEXT_MAX];
        snprintf(text, sizeof(text), "{\"$date\":{\"$numberLong\":\"%lld\"}}", (long long)content->as.i64);
        *ret_status = put_text(writer->out, text);
    } else {
        /* Maps of texts and numbers, which need no wrappers themselves. */
        *ret_status = weir_wrap(tag, &wrap);
        if (*ret_status == WEIR_OK)
            *ret_status = weir_json_encode(wrap.cells, &plain, writer->out, NULL);
    }
    return 1;
}

/* {"$code": text, "$scope": what the walk goes on with. */
static int code_begin(struct writer *writer, const struct weir_value **at) {
    const struct weir_value *tag = *at;
    const struct weir_value *code = tag + 2;
    int status = put_text(writer->out, "{\"$code\":");
    if (status == WEIR_OK)
        status = weir_json_write_text(code->as.data, code->count, writer->out);
    if (status == WEIR_OK)
        status = put_text(writer->out, ",\"$scope\":");
    if (status != WEIR_OK)
        return failed(writer, status, tag);
    *at = code + 1;
    return push(writer, FORM_CODE, weir_value_after(tag), 1);
}

/* Write a tag, or what comes before its content; *at moves to what the walk goes on with. */
static int tag_begin(struct writer *writer, const struct weir_value **at) {
    static const char *const openings[] = {"{\"$tag\":[", "{\"$simple\":[", "{\"$bson\":["};
    const struct weir_value *tag = *at;
    int status;
    if (weir_wrap_is_code_with_scope(tag))
        return code_begin(writer, at);
    if (tag_with_name(writer, tag, &status)) {
        *at = weir_value_after(tag);
        if (status == WEIR_OK)
            status = put_byte(writer->out, ',');
        return status == WEIR_OK ? WEIR_OK : failed(writer, status, tag);
    }
    struct weir_buffer *out = writer->out;
    unsigned char *to = weir_buffer_room(out, SMALL_ROOM + WEIR_I64_TEXT_MAX);
    if (!to)
        return failed(writer, WEIR_ENOMEM, NULL);
    const char *opening = openings[tag->count <= WEIR_TAG_BSON ? tag->count : WEIR_TAG_CBOR];
    size_t size = strlen(opening);
    memcpy(to, opening, size);
    size += weir_u64_write((char *)to + size, tag->as.u64);
    to[size] = ',';
    out->size += size + 1;
    *at = tag + 1;
    return push(writer, FORM_TAG, weir_value_after(tag), 1);
}

/* ---- values ---- */

/* Write the value at *at, or its beginning, whatever it is; *at moves to what the walk goes on with. */
static int value_begin(struct writer *writer, const struct weir_value **at) {
    const struct weir_value *value = *at;
    if ((writer->flags & WEIR_STRICT) && !is_native(value))
        return failed(writer, WEIR_EENCODE, value);
    if (value->kind == WEIR_KIND_TAGGED) {
        if (!(writer->flags & WEIR_PLAIN))
            return tag_begin(writer, at);
        while (value->kind == WEIR_KIND_TAGGED)
            value++;
    }
    if (value->kind == WEIR_KIND_ARRAY || value->kind == WEIR_KIND_MAP) {
        *at = value + 1;
        return container_begin(writer, value);
    }
    *at = weir_value_after(value);
    int status = weir_json_write(value, writer->flags, writer->out);
    if (status == WEIR_OK)
        status = put_byte(writer->out, ',');
    return status == WEIR_OK ? WEIR_OK : failed(writer, status, value);
}

/* ---- the walk ---- */

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* Whether a text can be copied as it is. Long ones that are not known to be clean are left to others. */
ALWAYS_INLINE int is_clean(const struct weir_value *text) {
    if (text->flags & WEIR_CELL_CLEAN)
        return 1;
    const unsigned char *p = text->as.data;
    size_t left = text->count;
    if (left > SHORT_TEXT)
        return 0;
    for (; left >= 8; p += 8, left -= 8)
        if (word_specials(weir_word_at(p)))
            return 0;
    for (; left > 0; p++, left--)
        if (*p < 0x20 || *p == '"' || *p == '\\')
            return 0;
    return 1;
}

ALWAYS_INLINE unsigned char *put_clean(unsigned char *to, const struct weir_value *text, char behind) {
    *to++ = '"';
    weir_bytes_put(to, text->as.data, text->count);
    to += text->count;
    *to++ = '"';
    *to++ = (unsigned char)behind;
    return to;
}

/* What is rare at the beginning of an item or the end of a frame. Return: 1 to go on with the item's value, 0 with the
 * next item, -1 when all is done or *ret_status says what failed. */
static __attribute__((noinline)) int step(struct writer *writer, const struct weir_value **at, int *ret_status) {
    struct frame *top = writer->top;
    int is_key = 1;
    if (top->step == STEP_END) {
        *ret_status = pair_end(writer);
    } else if (top->left > 0) {
        *ret_status = item_begin(writer, at, &is_key);
    } else if (top->form == FORM_ROOT) {
        take_comma_back(writer);
        *ret_status = WEIR_OK;
        return -1;
    } else {
        *at = top->end;
        *ret_status = frame_end(writer);
    }
    return *ret_status != WEIR_OK ? -1 : !is_key;
}

/* What the walk keeps in registers. */
struct place {
    const struct weir_value *at; /* the next cell */
    unsigned char *to;           /* where the output goes on; NULL when there is no memory for it */
    unsigned char *limit;
};

static struct place place_of(const struct weir_buffer *out, const struct weir_value *at) {
    return (struct place){at, out->data + out->size, out->data + out->capacity};
}

static void place_save(struct weir_buffer *out, struct place place) {
    out->size = (size_t)(place.to - out->data);
}

static __attribute__((noinline)) struct place place_grown(struct weir_buffer *out, struct place place, size_t bytes) {
    place_save(out, place);
    return weir_buffer_grow(out, bytes) == WEIR_OK ? place_of(out, place.at) : (struct place){place.at, NULL, NULL};
}

ALWAYS_INLINE struct place with_room(struct weir_buffer *out, struct place place, size_t bytes) {
    return LIKELY((size_t)(place.limit - place.to) >= bytes) ? place : place_grown(out, place, bytes);
}

/* Whether a map or array begins like most: with a bracket and a frame that there is room for. */
ALWAYS_INLINE int is_plain_container(const struct writer *writer, const struct weir_value *value) {
    return LIKELY(writer->top + 1 < writer->quick_end) &&
           (value->kind == WEIR_KIND_ARRAY || LIKELY(!weir_wrap_is_ambiguous(value)));
}

ALWAYS_INLINE void push_plain(struct writer *writer, const struct weir_value *value, size_t begin) {
    writer->top++;
    *writer->top = (struct frame){.end = value + value->as.span,
                                  .left = value->count,
                                  .map = value,
                                  .form = value->kind == WEIR_KIND_MAP ? FORM_MAP : FORM_ARRAY,
                                  .begin = begin};
}

enum wrote { WROTE_VALUE, WROTE_MAP, WROTE_ARRAY, WROTE_NOTHING }; /* all of the value; its opening bracket */

/* Write a value that is of the usual ones, or its opening bracket, where SMALL_ROOM is left. */
ALWAYS_INLINE enum wrote value_quickly(struct writer *writer, struct place *place, int is_simple) {
    const struct weir_value *at = place->at;
    unsigned char *to = place->to;
    switch (at->kind) {
    case WEIR_KIND_INT64: to += weir_i64_write((char *)to, at->as.i64); break;
    case WEIR_KIND_FLOAT64:
        if (UNLIKELY(!isfinite(at->as.f64)))
            return WROTE_NOTHING;
        to += weir_f64_write((char *)to, at->as.f64);
        break;
    case WEIR_KIND_TEXT:
        if (!is_clean(at))
            return WROTE_NOTHING;
        *place = with_room(writer->out, *place, (size_t)at->count + 3);
        if (UNLIKELY(!place->to))
            return WROTE_NOTHING;
        place->to = put_clean(place->to, at, ',');
        place->at++;
        return WROTE_VALUE;
    case WEIR_KIND_NULL:
        memcpy(to, "null", 4);
        to += 4;
        break;
    case WEIR_KIND_BOOL:
        memcpy(to, at->as.i64 ? "true " : "false", 5);
        to += at->as.i64 ? 4 : 5;
        break;
    case WEIR_KIND_ARRAY:
    case WEIR_KIND_MAP:
        if (at->count == 0) {
            memcpy(to, at->kind == WEIR_KIND_MAP ? "{}" : "[]", 2);
            to += 2;
            break;
        }
        if (!is_simple || !is_plain_container(writer, at))
            return WROTE_NOTHING;
        push_plain(writer, at, (size_t)(to - writer->out->data));
        *to++ = at->kind == WEIR_KIND_MAP ? '{' : '[';
        place->to = to;
        place->at++;
        return at->kind == WEIR_KIND_MAP ? WROTE_MAP : WROTE_ARRAY;
    default: return WROTE_NOTHING;
    }
    *to++ = ',';
    place->to = to;
    place->at++;
    return WROTE_VALUE;
}

/* Whether all that comes can be written in the usual way, as far as it is of the usual kinds. */
static int is_usual(const struct writer *writer) {
    return !(writer->flags & (WEIR_PRETTY | WEIR_CANONICAL)) && !writer->is_careful && writer->keys == 0;
}

/* In a map and in an array of the usual kind the walk knows where it is by its own place: only a frame that was
 * begun or ended elsewhere is looked at. */
static int walk(struct writer *writer, const struct weir_value *at) {
    struct weir_buffer *const out = writer->out;
    struct frame *top;
    int status = WEIR_OK;
    if (!weir_buffer_room(out, SMALL_ROOM)) /* so that there is something to point into */
        return failed(writer, WEIR_ENOMEM, NULL);
    struct place place = place_of(out, at);
    int is_simple = is_usual(writer);

any:
    top = writer->top;
    if (LIKELY(is_simple)) {
        if (top->form == FORM_ARRAY)
            goto array;
        if (top->form == FORM_MAP && top->step == STEP_KEY)
            goto map;
    }

rare:
    place_save(out, place);
    at = place.at;
    int next = step(writer, &at, &status);
    if (next < 0)
        return status;
    place = place_of(out, at);
    is_simple = is_usual(writer);
    if (next == 0)
        goto any;
    place = with_room(out, place, SMALL_ROOM);
    if (UNLIKELY(!place.to) || value_quickly(writer, &place, is_simple) == WROTE_NOTHING)
        goto other;
    goto any;

map:
    if (top->left == 0) {
        place.to[-1] = '}';
        goto close;
    }
    if (UNLIKELY(place.at->kind != WEIR_KIND_TEXT || !is_clean(place.at)))
        goto rare;
    top->left--;
    place = with_room(out, place, (size_t)place.at->count + 3 + SMALL_ROOM);
    if (UNLIKELY(!place.to))
        goto other;
    place.to = put_clean(place.to, place.at, ':');
    place.at++;
    switch (value_quickly(writer, &place, 1)) {
    case WROTE_VALUE: goto map;
    case WROTE_MAP: top++; goto map;
    case WROTE_ARRAY: top++; goto array;
    default: goto other;
    }

array:
    if (top->left == 0) {
        place.to[-1] = ']';
        goto close;
    }
    top->left--;
    place = with_room(out, place, SMALL_ROOM);
    if (UNLIKELY(!place.to))
        goto other;
    switch (value_quickly(writer, &place, 1)) {
    case WROTE_VALUE: goto array;
    case WROTE_MAP: top++; goto map;
    case WROTE_ARRAY: top++; goto array;
    default: goto other;
    }

close:
    place = with_room(out, place, 1);
    if (UNLIKELY(!place.to))
        goto other;
    *place.to++ = ',';
    writer->top--;
    goto any;

other:
    if (!place.to)
        return failed(writer, WEIR_ENOMEM, NULL);
    place_save(out, place);
    at = place.at;
    status = value_begin(writer, &at);
    if (status != WEIR_OK)
        return status;
    place = place_of(out, at);
    is_simple = is_usual(writer);
    goto any;
}

int weir_json_encode(const struct weir_value *value, const struct weir_codec_limits *limits, struct weir_buffer *out,
                     weir_error *err) {
    struct writer writer; /* its frames are left as they are: clearing them all would take longer than most messages */
    writer.out = out;
    writer.flags = limits->flags;
    writer.depth_max = limits->depth_max;
    writer.keys = writer.level = 0;
    writer.is_careful = 0;
    writer.err = err;
    if (writer.flags & WEIR_CANONICAL) {
        writer.flags &= ~(uint32_t)WEIR_PRETTY;
        writer.is_careful = 1;
    }
    writer.frames = writer.few;
    writer.frames_end = writer.few + FRAMES_ON_STACK;
    writer.top = writer.few;
    frames_bound(&writer);
    writer.few[0] = (struct frame){.end = weir_value_after(value), .left = 1, .form = FORM_ROOT};
    int status = walk(&writer, value);
    frames_fini(&writer);
    return status;
}
