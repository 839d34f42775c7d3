/* Single values as JSON. What JSON has a form for is written in it; everything else as the wrapper of
 * docs/spec/mapping.md, or under WEIR_PLAIN in the form people expect, which says less.
 *
 * Each writer makes room for the most it may take, writes, and adds what it took to the buffer's size. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "codec/json/block.h"
#include "codec/json/json.h"

enum {
    ESCAPE_MAX = 6,   /* \u001f */
    WRAPPER_MAX = 128 /* a wrapper without its text */
};

/* ---- texts ---- */

static inline int is_special(unsigned char c) {
    return c == '"' || c == '\\' || c < 0x20;
}

static unsigned char *put_escape(unsigned char *to, unsigned char c) {
    static const char letters[0x20] = {['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    static const char hex[] = "0123456789abcdef";
    *to++ = '\\';
    if (c >= 0x20) {
        *to++ = c;
    } else if (letters[c]) {
        *to++ = (unsigned char)letters[c];
    } else {
        memcpy(to, "u00", 3);
        to[3] = (unsigned char)hex[c >> 4];
        to[4] = (unsigned char)hex[c & 15];
        to += 5;
    }
    return to;
}

/* Copy plain text up to the next byte that needs an escape, or @end; *to moves on. May write BLOCK_SIZE behind it. */
static inline const unsigned char *copy_plain(const unsigned char *p, const unsigned char *end, unsigned char **to) {
    unsigned char *at = *to;
    while (end - p >= BLOCK_SIZE) {
        memcpy(at, p, BLOCK_SIZE);
        block_mask specials = block_specials(p);
        if (specials) {
            *to = at + block_index(specials);
            return p + block_index(specials);
        }
        p += BLOCK_SIZE;
        at += BLOCK_SIZE;
    }
    if (end - p >= 8 && !(word_specials(weir_word_at(p)) | word_specials(weir_word_at(end - 8)))) {
        memcpy(at, p, 8);
        memcpy(at + (end - p) - 8, end - 8, 8);
        *to = at + (end - p);
        return end;
    }
    while (p < end && !is_special(*p))
        *at++ = *p++;
    *to = at;
    return p;
}

int weir_json_write_text(const unsigned char *text, size_t size, struct weir_buffer *out) {
    const unsigned char *end = text + size;
    unsigned char *to = weir_buffer_room(out, size + 2 + BLOCK_SIZE);
    if (!to)
        return WEIR_ENOMEM;
    *to++ = '"';
    for (;;) {
        text = copy_plain(text, end, &to);
        if (text == end)
            break;
        out->size = (size_t)(to - out->data);
        to = weir_buffer_room(out, (size_t)(end - text) + ESCAPE_MAX + 1 + BLOCK_SIZE);
        if (!to)
            return WEIR_ENOMEM;
        to = put_escape(to, *text++);
    }
    *to++ = '"';
    out->size = (size_t)(to - out->data);
    return WEIR_OK;
}

/* ---- small pieces ---- */

static unsigned char *put(unsigned char *to, const char *text) {
    size_t size = strlen(text);
    memcpy(to, text, size);
    return to + size;
}

static int write_literal(const char *text, struct weir_buffer *out) {
    return weir_buffer_append(out, text, strlen(text));
}

/* ---- floats ---- */

static int write_f64(const struct weir_value *value, uint32_t flags, struct weir_buffer *out) {
    if (!isfinite(value->as.f64)) {
        char name[WEIR_FLOAT_TEXT_MAX];
        char text[WRAPPER_MAX];
        if (flags & WEIR_PLAIN)
            return write_literal("null", out);
        weir_wrap_special_text(value->as.f64, name);
        snprintf(text, sizeof(text), "{\"$numberDouble\":\"%s\"}", name);
        return write_literal(text, out);
    }
    unsigned char *to = weir_buffer_room(out, WEIR_F64_TEXT_MAX);
    if (!to)
        return WEIR_ENOMEM;
    out->size += weir_f64_write((char *)to, value->as.f64);
    return WEIR_OK;
}

static int write_f32(const struct weir_value *value, uint32_t flags, struct weir_buffer *out) {
    char text[WEIR_FLOAT_TEXT_MAX];
    weir_wrap_f32_text(value->as.f32, text);
    if (flags & WEIR_PLAIN)
        return write_literal(isfinite(value->as.f32) ? text : "null", out);
    char wrapper[WRAPPER_MAX];
    snprintf(wrapper, sizeof(wrapper), "{\"$f32\":\"%s\"}", text);
    return write_literal(wrapper, out);
}

/* ---- integers and decimals of any length ---- */

static int write_bigint(const struct weir_value *value, struct weir_buffer *out) {
    unsigned char *to = weir_buffer_room(out, 1 + weir_magnitude_digits_max(value));
    size_t size;
    if (!to)
        return WEIR_ENOMEM;
    int is_negative = (value->flags & WEIR_CELL_NEGATIVE) != 0;
    *to = '-';
    int status = weir_magnitude_digits(value, (char *)to + is_negative, &size);
    if (status == WEIR_OK)
        out->size += size + (size_t)is_negative;
    return status;
}

static int write_decimal(const struct weir_value *value, uint32_t flags, struct weir_buffer *out) {
    unsigned char *to = weir_buffer_room(out, WRAPPER_MAX + weir_wrap_decimal_max(value));
    size_t size;
    if (!to)
        return WEIR_ENOMEM;
    unsigned char *begin = to;
    if (!(flags & WEIR_PLAIN))
        to = put(to, "{\"$numberDecimal\":\"");
    int status = weir_wrap_decimal_text(value, (char *)to, &size);
    if (status != WEIR_OK)
        return status;
    to += size;
    if (!(flags & WEIR_PLAIN))
        to = put(to, "\"}");
    out->size += (size_t)(to - begin);
    return WEIR_OK;
}

/* ---- times ---- */

static int write_time(const struct weir_value *value, uint32_t flags, struct weir_buffer *out) {
    enum { NS_PER_MS = 1000000 };
    char time[WEIR_TIME_TEXT_MAX];
    char text[WRAPPER_MAX];
    int64_t ns = value->as.i64;
    weir_time_write(time, ns);
    if (flags & WEIR_PLAIN)
        snprintf(text, sizeof(text), "\"%s\"", time);
    else if (value->aux == WEIR_TIME_MS && ns % NS_PER_MS == 0)
        snprintf(text, sizeof(text), "{\"$date\":{\"$numberLong\":\"%lld\"}}", (long long)(ns / NS_PER_MS));
    else
        snprintf(text, sizeof(text), "{\"$time\":\"%s\"}", time);
    return write_literal(text, out);
}

/* ---- bytes ---- */

/* @before, the base64 text of @data, @behind. */
static int write_base64(const char *before, const void *data, size_t size, const char *behind,
                        struct weir_buffer *out) {
    unsigned char *to = weir_buffer_room(out, strlen(before) + size / 3 * 4 + 4 + strlen(behind));
    if (!to)
        return WEIR_ENOMEM;
    unsigned char *begin = to;
    to = put(to, before);
    to += weir_base64_encode(data, size, to);
    to = put(to, behind);
    out->size += (size_t)(to - begin);
    return WEIR_OK;
}

int weir_json_write_binary(const struct weir_value *bytes, unsigned subtype, struct weir_buffer *out) {
    char behind[WRAPPER_MAX];
    snprintf(behind, sizeof(behind), "\",\"subType\":\"%02x\"}}", subtype & 255);
    return write_base64("{\"$binary\":{\"base64\":\"", bytes->as.data, bytes->count, behind, out);
}

/* ---- ndarrays ---- */

static int write_array(const weir_ndarray *array, struct weir_buffer *out) {
    char before[WRAPPER_MAX + WEIR_RANK_MAX * 21];
    size_t width = weir_element_size(array->element);
    char *at = before;
    at += sprintf(at, "{\"$array\":{\"dtype\":\"%s%s\",\"dims\":[", weir_element_name(array->element),
                  width == 1          ? ""
                  : array->big_endian ? "be"
                                      : "le");
    for (uint32_t i = 0; i < array->rank; i++)
        at += sprintf(at, "%s%llu", i > 0 ? "," : "", (unsigned long long)array->shape[i]);
    sprintf(at, "],\"order\":\"%s\",\"base64\":\"", array->order == WEIR_COLUMN ? "column" : "row");
    return write_base64(before, array->data, array->size, "\"}}", out);
}

static int write_brackets(char bracket, uint32_t count, struct weir_buffer *out) {
    char brackets[WEIR_RANK_MAX];
    memset(brackets, bracket, sizeof(brackets));
    return weir_buffer_append(out, brackets, count);
}

/* Nested lists, the outermost over the first index. Without elements: an empty list, whatever the shape. */
static int write_lists(const weir_ndarray *array, uint32_t flags, struct weir_buffer *out) {
    if (weir_ndarray_count(array) == 0)
        return write_literal("[]", out);
    struct weir_walk walk;
    weir_walk_begin(&walk, array);
    int status = write_brackets('[', array->rank, out);
    while (status == WEIR_OK) {
        struct weir_value element;
        weir_ndarray_element(array, walk.position, &element);
        status = weir_json_write(&element, flags, out);
        uint32_t turned = weir_walk_next(&walk);
        if (status == WEIR_OK)
            status = write_brackets(']', turned, out);
        if (turned == array->rank)
            break;
        if (status == WEIR_OK)
            status = write_literal(",", out);
        if (status == WEIR_OK)
            status = write_brackets('[', turned, out);
    }
    return status;
}

static int write_ndarray(const struct weir_value *value, uint32_t flags, struct weir_buffer *out) {
    weir_ndarray array;
    weir_value_ndarray(value, &array);
    return flags & WEIR_PLAIN ? write_lists(&array, flags, out) : write_array(&array, out);
}

/* ---- all of them ---- */

static int write_integer(const struct weir_value *value, struct weir_buffer *out) {
    unsigned char *to = weir_buffer_room(out, WEIR_I64_TEXT_MAX);
    if (!to)
        return WEIR_ENOMEM;
    out->size += value->kind == WEIR_KIND_INT64 ? weir_i64_write((char *)to, value->as.i64)
                                                : weir_u64_write((char *)to, value->as.u64);
    return WEIR_OK;
}

int weir_json_write(const struct weir_value *value, uint32_t flags, struct weir_buffer *out) {
    switch (value->kind) {
    case WEIR_KIND_UNDEFINED: return write_literal(flags & WEIR_PLAIN ? "null" : "{\"$undefined\":true}", out);
    case WEIR_KIND_BOOL: return write_literal(value->as.i64 ? "true" : "false", out);
    case WEIR_KIND_INT64:
    case WEIR_KIND_UINT64: return write_integer(value, out);
    case WEIR_KIND_BIGINT: return write_bigint(value, out);
    case WEIR_KIND_FLOAT32: return write_f32(value, flags, out);
    case WEIR_KIND_FLOAT64: return write_f64(value, flags, out);
    case WEIR_KIND_DECIMAL: return write_decimal(value, flags, out);
    case WEIR_KIND_TEXT: return weir_json_write_text(value->as.data, value->count, out);
    case WEIR_KIND_BYTES:
        return flags & WEIR_PLAIN ? write_base64("\"", value->as.data, value->count, "\"", out)
                                  : weir_json_write_binary(value, 0, out);
    case WEIR_KIND_TIME: return write_time(value, flags, out);
    case WEIR_KIND_NDARRAY: return write_ndarray(value, flags, out);
    default: return write_literal("null", out);
    }
}
