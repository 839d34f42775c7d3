/* Single values as JSON. What JSON has a form for is written in it; everything else as the wrapper of docs/spec/mapping.md, or
 * under WEIR_PLAIN in the form people expect, which says less.
 *
 * Each writer makes room for the most it may take, writes, and adds what it took to the buffer's size. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "codec/json/block.h"
#include "codec/json/json.h"

enum {
    ESCAPE_MAX = 6,     /* \u001f */
    WRAPPER_MAX = 128,  /* a wrapper without its text */
    EXPONENT_MAX = 16,  /* "E-2147483648" and a point */
    PLAIN_ZEROS_MAX = 6 /* zeros behind "0." in a decimal that is not written with an exponent */
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

/* Copy plain text up to the next byte that needs an escape, or @end; *to moves along. May write BLOCK_SIZE behind it. */
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

/* Infinities and NaN as the text of their wrapper. NaNs other than the usual one carry their bits, in @digits digits. */
static void name_special(char *text, double value, uint64_t bits, uint64_t usual, int digits) {
    if (isinf(value))
        strcpy(text, value < 0 ? "-Infinity" : "Infinity");
    else if (bits == usual)
        strcpy(text, "NaN");
    else
        sprintf(text, "NaN(%0*llx)", digits, (unsigned long long)bits);
}

static int write_f64(const struct weir_value *value, uint32_t flags, struct weir_buffer *out) {
    if (!isfinite(value->as.f64)) {
        char name[32];
        char text[WRAPPER_MAX];
        if (flags & WEIR_PLAIN)
            return write_literal("null", out);
        name_special(name, value->as.f64, value->as.u64, WEIR_JSON_NAN64, 16);
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
    char text[WEIR_F64_TEXT_MAX];
    float number = value->as.f32;
    uint32_t bits;
    memcpy(&bits, &number, sizeof(bits));
    if (isfinite(number))
        text[weir_f32_write(text, number)] = '\0';
    else
        name_special(text, number, bits, WEIR_JSON_NAN32, 8);
    if (flags & WEIR_PLAIN)
        return write_literal(isfinite(number) ? text : "null", out);
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

/* Lay out @size digits times 10^exponent as the General Decimal Arithmetic specification does ("to-scientific-string"), which
 * keeps both: 150 x 10^-2 is 1.50 and 15 x 10^3 is 1.5E+4. The digits stand PLAIN_ZEROS_MAX + 2 behind @to already. */
static size_t layout_decimal(char *to, size_t size, int64_t exponent) {
    char *digits = to + PLAIN_ZEROS_MAX + 2;
    int64_t adjusted = exponent + (int64_t)size - 1;
    if (exponent <= 0 && adjusted >= -PLAIN_ZEROS_MAX) {
        size_t fraction = (size_t)-exponent;
        if (fraction >= size) {
            size_t zeros = fraction - size;
            memcpy(to, "0.000000", 2 + zeros);
            memmove(to + 2 + zeros, digits, size);
            return 2 + zeros + size;
        }
        memmove(to, digits, size - fraction);
        if (fraction == 0)
            return size;
        to[size - fraction] = '.';
        memmove(to + size - fraction + 1, digits + size - fraction, fraction);
        return size + 1;
    }
    to[0] = digits[0];
    size_t used = 1;
    if (size > 1) {
        to[1] = '.';
        memmove(to + 2, digits + 1, size - 1);
        used = size + 1;
    }
    used += (size_t)sprintf(to + used, "E%+lld", (long long)adjusted);
    return used;
}

static int write_decimal(const struct weir_value *value, uint32_t flags, struct weir_buffer *out) {
    size_t digits_max = weir_magnitude_digits_max(value);
    unsigned char *to = weir_buffer_room(out, WRAPPER_MAX + PLAIN_ZEROS_MAX + 2 + digits_max + EXPONENT_MAX);
    size_t size;
    if (!to)
        return WEIR_ENOMEM;
    unsigned char *begin = to;
    if (!(flags & WEIR_PLAIN))
        to = put(to, "{\"$numberDecimal\":\"");
    if (value->flags & WEIR_CELL_NEGATIVE)
        *to++ = '-';
    int status = weir_magnitude_digits(value, (char *)to + PLAIN_ZEROS_MAX + 2, &size);
    if (status != WEIR_OK)
        return status;
    to += layout_decimal((char *)to, size, value[1].as.i64);
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

/* A walk over all indices, the last moving fastest, whatever the order in memory. */
struct walk {
    const weir_ndarray *array;
    uint64_t index[WEIR_RANK_MAX];
    uint64_t stride[WEIR_RANK_MAX]; /* in elements */
    uint64_t position;
};

static void walk_begin(struct walk *walk, const weir_ndarray *array) {
    *walk = (struct walk){.array = array};
    uint64_t stride = 1;
    for (uint32_t i = 0; i < array->rank; i++) {
        uint32_t dimension = array->order == WEIR_COLUMN ? i : array->rank - 1 - i;
        walk->stride[dimension] = stride;
        stride *= array->shape[dimension];
    }
}

/* Return: how many dimensions began anew; the rank when the walk is over. */
static uint32_t walk_next(struct walk *walk) {
    uint32_t rank = walk->array->rank;
    for (uint32_t turned = 0; turned < rank; turned++) {
        uint32_t dimension = rank - 1 - turned;
        walk->position += walk->stride[dimension];
        if (++walk->index[dimension] < walk->array->shape[dimension])
            return turned;
        walk->position -= walk->index[dimension] * walk->stride[dimension];
        walk->index[dimension] = 0;
    }
    return rank;
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
    struct walk walk;
    walk_begin(&walk, array);
    int status = write_brackets('[', array->rank, out);
    while (status == WEIR_OK) {
        struct weir_value element;
        weir_ndarray_element(array, walk.position, &element);
        status = weir_json_write(&element, flags, out);
        uint32_t turned = walk_next(&walk);
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
