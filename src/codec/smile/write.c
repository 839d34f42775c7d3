/* Single values as Smile that are not written in the walk: integers of any length, decimals, binary data; and under
 * WEIR_PLAIN times as text and ndarrays as lists. */
#include "codec/smile/write.h"

/* ---- bits in septets ---- */

static unsigned char *pack(unsigned char *to, const unsigned char *bytes, size_t size) {
    for (; size >= 8; size -= 7, bytes += 7, to += 8)
        weir_smile_store(to, weir_smile_split(weir_smile_load(bytes) >> 8));
    if (size == 7) {
        unsigned char last[8] = {0};
        memcpy(last, bytes, 7);
        weir_smile_store(to, weir_smile_split(weir_smile_load(last) >> 8));
        return to + 8;
    }
    if (size == 0)
        return to;
    unsigned carry = 0;
    for (size_t i = 0; i < size; i++) {
        to[i] = (unsigned char)((carry << (7 - i) | bytes[i] >> (i + 1)) & 0x7f);
        carry = bytes[i];
    }
    to[size] = (unsigned char)(carry & ((1u << size) - 1));
    return to + size + 1;
}

static int write_packed(unsigned token, const unsigned char *bytes, size_t size, struct weir_buffer *out) {
    unsigned char *to = weir_buffer_room(out, weir_smile_packed_size(size) + WRITE_ROOM);
    if (!to)
        return WEIR_ENOMEM;
    unsigned char *begin = to;
    *to++ = (unsigned char)token;
    to = weir_smile_put_vint(to, size);
    to = pack(to, bytes, size);
    out->size += (size_t)(to - begin);
    return WEIR_OK;
}

/* ---- integers of any length ---- */

unsigned char *weir_smile_put_integer(unsigned char *to, const struct weir_value *value) {
    if (value->kind == WEIR_KIND_INT64)
        return weir_smile_put_i64(to, value->as.i64);
    unsigned char bytes[9] = {0};
    weir_smile_store(bytes + 1, value->as.u64);
    *to = SMILE_BIGINT;
    return pack(weir_smile_put_vint(to + 1, sizeof(bytes)), bytes, sizeof(bytes));
}

/* The two's complement of a BIGINT or DECIMAL, most significant byte first, as short as it can be. @bytes: room for
 * one more than the magnitude. Return: WEIR_OK, WEIR_ELIMIT. */
static int twos_complement(const struct weir_value *value, unsigned char *bytes, size_t *ret_offset, size_t *ret_size) {
    size_t size;
    bytes[0] = 0;
    if (weir_magnitude_bytes_max(value) > WEIR_MAGNITUDE_MAX + 8 ||
        weir_magnitude_bytes(value, bytes + 1, &size) != WEIR_OK)
        return WEIR_ELIMIT;
    size++;
    if (value->flags & WEIR_CELL_NEGATIVE) {
        unsigned carry = 1;
        for (size_t i = size; i-- > 0;) {
            carry += (unsigned char)~bytes[i];
            bytes[i] = (unsigned char)carry;
            carry >>= 8;
        }
    }
    size_t offset = 0;
    while (offset + 1 < size && bytes[offset] == ((bytes[offset + 1] & 0x80) ? 0xff : 0))
        offset++;
    *ret_offset = offset;
    *ret_size = size - offset;
    return WEIR_OK;
}

static int write_big(unsigned token, const struct weir_value *value, struct weir_buffer *out) {
    unsigned char bytes[1 + WEIR_MAGNITUDE_MAX + 8];
    size_t offset, size;
    int status = twos_complement(value, bytes, &offset, &size);
    if (status != WEIR_OK || token == SMILE_BIGINT)
        return status != WEIR_OK ? status : write_packed(token, bytes + offset, size, out);
    /* a decimal: its scale stands between the token and the length */
    unsigned char *to = weir_buffer_room(out, weir_smile_packed_size(size) + 2 * WRITE_ROOM);
    if (!to)
        return WEIR_ENOMEM;
    unsigned char *begin = to;
    *to++ = (unsigned char)token;
    to = weir_smile_put_vint(to, weir_smile_zigzag(-value[1].as.i64));
    to = weir_smile_put_vint(to, size);
    to = pack(to, bytes + offset, size);
    out->size += (size_t)(to - begin);
    return WEIR_OK;
}

/* ---- others ---- */

/* The three bits to spare repeat the sign, as Jackson has them. */
static int write_f32(const struct weir_value *value, struct weir_buffer *out) {
    unsigned char bytes[6] = {SMILE_FLOAT32};
    int32_t bits;
    memcpy(&bits, &value->as.f32, sizeof(bits));
    for (int i = 5; i > 0; i--, bits >>= 7)
        bytes[i] = (unsigned char)(bits & 0x7f);
    return weir_buffer_append(out, bytes, sizeof(bytes));
}

static int write_text(const char *text, size_t size, struct weir_buffer *out) {
    unsigned char *to = weir_buffer_room(out, size + WRITE_ROOM);
    if (!to)
        return WEIR_ENOMEM;
    out->size = (size_t)(weir_smile_put_text(to, (const unsigned char *)text, size) - out->data);
    return WEIR_OK;
}

static int write_tokens(unsigned token, uint32_t count, struct weir_buffer *out) {
    unsigned char tokens[WEIR_RANK_MAX];
    memset(tokens, (int)token, sizeof(tokens));
    return weir_buffer_append(out, tokens, count);
}

static int write_number(const struct weir_value *value, struct weir_buffer *out) {
    unsigned char *to = weir_buffer_room(out, WRITE_ROOM);
    if (!to)
        return WEIR_ENOMEM;
    to = value->kind == WEIR_KIND_FLOAT64 ? weir_smile_put_f64(to, value->as.u64) : weir_smile_put_integer(to, value);
    out->size = (size_t)(to - out->data);
    return WEIR_OK;
}

/* Nested lists. Without elements: an empty list, whatever the shape. */
static int write_lists(const weir_ndarray *array, struct weir_buffer *out) {
    struct weir_walk walk;
    uint32_t turned = 0;
    if (weir_ndarray_count(array) == 0)
        return write_tokens(SMILE_ARRAY, 1, out) == WEIR_OK ? write_tokens(SMILE_ARRAY_END, 1, out) : WEIR_ENOMEM;
    weir_walk_begin(&walk, array);
    int status = write_tokens(SMILE_ARRAY, array->rank, out);
    while (status == WEIR_OK) {
        struct weir_value element;
        weir_ndarray_element(array, walk.position, &element);
        status = element.kind == WEIR_KIND_FLOAT32 ? write_f32(&element, out) : write_number(&element, out);
        turned = weir_walk_next(&walk);
        if (status == WEIR_OK)
            status = write_tokens(SMILE_ARRAY_END, turned, out);
        if (turned == array->rank)
            break;
        if (status == WEIR_OK)
            status = write_tokens(SMILE_ARRAY, turned, out);
    }
    return status;
}

int weir_smile_write_value(const struct weir_value *value, struct weir_buffer *out) {
    char time[WEIR_TIME_TEXT_MAX];
    weir_ndarray array;
    switch (value->kind) {
    case WEIR_KIND_INT64:
    case WEIR_KIND_UINT64:
    case WEIR_KIND_FLOAT64: return write_number(value, out);
    case WEIR_KIND_BIGINT: return write_big(SMILE_BIGINT, value, out);
    case WEIR_KIND_DECIMAL: return write_big(SMILE_DECIMAL, value, out);
    case WEIR_KIND_FLOAT32: return write_f32(value, out);
    case WEIR_KIND_TEXT: return write_text((const char *)value->as.data, value->count, out);
    case WEIR_KIND_BYTES: return write_packed(SMILE_BINARY, value->as.data, value->count, out);
    case WEIR_KIND_TIME: return write_text(time, weir_time_write(time, value->as.i64), out);
    case WEIR_KIND_NDARRAY: weir_value_ndarray(value, &array); return write_lists(&array, out);
    case WEIR_KIND_BOOL: return write_tokens((unsigned)(SMILE_FALSE + value->as.i64), 1, out);
    default: return write_tokens(SMILE_NULL, 1, out);
    }
}
