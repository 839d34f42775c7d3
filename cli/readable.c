/* Values for people, on one line: what a terminal shows. Long arrays, maps and texts are shortened, ndarrays are summed
 * up, and nothing in them can command the terminal. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

enum { ITEMS_SHOWN = 8, PAIRS_SHOWN = 16, TEXT_SHOWN = 120, DEPTH_SHOWN = 6 };

static void append(weir_buffer *out, const char *text) {
    weir_buffer_append(out, text, strlen(text));
}

void cli_readable_text(weir_view text, weir_buffer *out) {
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        unsigned char next = i + 1 < text.size ? (unsigned char)text.data[i + 1] : 0;
        char escape[8];
        int is_c1 = c == 0xc2 && next >= 0x80 && next < 0xa0; /* U+0080 to U+009F */
        if (c >= 0x20 && c != 0x7f && !is_c1) {
            weir_buffer_append(out, text.data + i, 1);
            continue;
        }
        snprintf(escape, sizeof(escape), "\\u%04x", is_c1 ? next : c);
        append(out, escape);
        i += (size_t)is_c1;
    }
}

static void quoted(weir_view text, weir_buffer *out) {
    size_t size = text.size;
    if (size > TEXT_SHOWN) {
        size = TEXT_SHOWN;
        while (size > 0 && ((unsigned char)text.data[size] & 0xc0) == 0x80) /* not inside a character */
            size--;
    }
    append(out, "\"");
    cli_readable_text((weir_view){text.data, size}, out);
    append(out, size < text.size ? "…\"" : "\"");
}

static double element_read(const weir_ndarray *array, uint64_t index) {
    unsigned char bytes[8];
    size_t size = weir_element_size(array->element);
    const unsigned char *from = (const unsigned char *)array->data + index * size;
    union { /* the element's bytes in our order */
        uint8_t u8;
        uint16_t u16;
        uint32_t u32;
        uint64_t u64;
        int8_t i8;
        int16_t i16;
        int32_t i32;
        int64_t i64;
        float f32;
        double f64;
    } as;
    const uint16_t one = 1;
    int is_big_here = *(const unsigned char *)&one == 0;
    for (size_t i = 0; i < size; i++)
        bytes[i] = from[(int)array->big_endian == is_big_here ? i : size - 1 - i];
    memcpy(&as, bytes, size);
    switch (array->element) {
    case WEIR_U8: return as.u8;
    case WEIR_U16: return as.u16;
    case WEIR_U32: return as.u32;
    case WEIR_U64: return (double)as.u64;
    case WEIR_I8: return as.i8;
    case WEIR_I16: return as.i16;
    case WEIR_I32: return as.i32;
    case WEIR_I64: return (double)as.i64;
    case WEIR_F32: return as.f32;
    default: return as.f64;
    }
}

/* "f64[4,256] -1.2/0.01/1.3": smallest, mean, largest. Few elements are shown themselves. */
static void ndarray(const weir_value *value, weir_buffer *out) {
    weir_ndarray array;
    char text[96];
    if (weir_get_ndarray(value, NULL, &array) != WEIR_OK)
        return;
    append(out, weir_value_type(value, text, sizeof(text)));
    uint64_t count = weir_ndarray_count(&array);
    double least = INFINITY, most = -INFINITY, sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        double number = element_read(&array, i);
        least = fmin(least, number);
        most = fmax(most, number);
        sum += number;
        if (count <= ITEMS_SHOWN) {
            snprintf(text, sizeof(text), " %.6g", number);
            append(out, text);
        }
    }
    if (count <= ITEMS_SHOWN)
        return;
    snprintf(text, sizeof(text), " %.4g/%.4g/%.4g", least, sum / (double)count, most);
    append(out, text);
}

static void readable(const weir_value *value, int depth, weir_buffer *out);

static void container(const weir_value *value, int depth, weir_buffer *out) {
    int is_map = weir_value_kind(value) == WEIR_KIND_MAP;
    uint64_t count = weir_value_count(value), shown = is_map ? PAIRS_SHOWN : ITEMS_SHOWN, index = 0;
    char text[48];
    weir_iter it;
    append(out, is_map ? "{" : "[");
    weir_iter_init(&it, value);
    while (index < shown && depth < DEPTH_SHOWN && weir_iter_next(&it)) {
        append(out, index++ ? ", " : "");
        weir_view key;
        if (it.key && weir_get_text(it.key, NULL, &key) == WEIR_OK)
            cli_readable_text(key, out);
        else if (it.key)
            readable(it.key, depth + 1, out);
        append(out, it.key ? ": " : "");
        readable(it.value, depth + 1, out);
    }
    if (index < count) {
        snprintf(text, sizeof(text), "%s… %" PRIu64 " more", index ? ", " : "", count - index);
        append(out, text);
    }
    append(out, is_map ? "}" : "]");
}

/* Everything else as its plain JSON, which is short. */
static void scalar(const weir_value *value, weir_buffer *out) {
    weir_codec_options plain = WEIR_CODEC_OPTIONS_INIT;
    weir_buffer *json = NULL;
    plain.flags = WEIR_PLAIN;
    if (weir_buffer_new(&json))
        return;
    if (weir_encode(value, WEIR_CODEC_JSON, &plain, json, NULL) == WEIR_OK)
        cli_readable_text(weir_buffer_view(json), out);
    weir_buffer_free(json);
}

static void bytes(const weir_value *value, weir_buffer *out) {
    weir_view view;
    char text[32];
    if (weir_get_bytes(value, NULL, &view) != WEIR_OK)
        return;
    append(out, "h'");
    for (size_t i = 0; i < view.size && i < TEXT_SHOWN / 4; i++) {
        snprintf(text, sizeof(text), "%02x", (unsigned char)view.data[i]);
        append(out, text);
    }
    snprintf(text, sizeof(text), view.size > TEXT_SHOWN / 4 ? "…' (%zu bytes)" : "'", view.size);
    append(out, text);
}

static void tagged(const weir_value *value, int depth, weir_buffer *out) {
    uint32_t space;
    uint64_t number;
    const weir_value *inside;
    char text[32];
    if (weir_get_tagged(value, NULL, &space, &number, &inside) != WEIR_OK)
        return;
    snprintf(text, sizeof(text), "%" PRIu64 "(", number);
    append(out, text);
    if (depth < DEPTH_SHOWN)
        readable(inside, depth + 1, out);
    append(out, ")");
}

static void readable(const weir_value *value, int depth, weir_buffer *out) {
    weir_view text;
    switch (weir_value_kind(value)) {
    case WEIR_KIND_TEXT:
        if (weir_get_text(value, NULL, &text) == WEIR_OK)
            quoted(text, out);
        break;
    case WEIR_KIND_BYTES: bytes(value, out); break;
    case WEIR_KIND_ARRAY:
    case WEIR_KIND_MAP: container(value, depth, out); break;
    case WEIR_KIND_NDARRAY: ndarray(value, out); break;
    case WEIR_KIND_TAGGED: tagged(value, depth, out); break;
    default: scalar(value, out);
    }
}

void cli_readable(const weir_value *value, weir_buffer *out) {
    if (value)
        readable(value, 0, out);
}
