/* Cells to CBOR in one walk: a container's cell says all that its head needs, so there is no stack and nothing to
 * patch.
 *
 * Heads are the shortest, lengths definite. float64 is written as a double and float32 as a single or half, so that the
 * kind comes back; WEIR_CANONICAL and WEIR_PLAIN take the shortest float that has the same value instead.
 */
#include <string.h>

#include "codec/cbor/cbor.h"

/* ---- bytes ---- */

enum {
    HEAD_MAX = 9,
    STEP_ROOM = 64, /* every kind without bytes of its own takes less */
    NDARRAY_ROOM = (2 + WEIR_RANK_MAX + 3) * HEAD_MAX + STEP_ROOM
};

static inline unsigned char *put_head(unsigned char *at, unsigned major, uint64_t n) {
    if (n < 24) {
        *at = (unsigned char)(major << 5 | n);
        return at + 1;
    }
    if (n <= UINT8_MAX) {
        at[0] = (unsigned char)(major << 5 | 24);
        at[1] = (unsigned char)n;
        return at + 2;
    }
    if (n <= UINT16_MAX) {
        at[0] = (unsigned char)(major << 5 | 25);
        weir_cbor_store16(at + 1, n);
        return at + 3;
    }
    if (n <= UINT32_MAX) {
        at[0] = (unsigned char)(major << 5 | 26);
        weir_cbor_store32(at + 1, n);
        return at + 5;
    }
    at[0] = (unsigned char)(major << 5 | 27);
    weir_cbor_store64(at + 1, n);
    return at + 9;
}

static inline unsigned char *put_i64(unsigned char *at, int64_t value) {
    return value < 0 ? put_head(at, CBOR_NEGATIVE, ~(uint64_t)value) : put_head(at, CBOR_UINT, (uint64_t)value);
}

/* ---- floats ---- */

/* The half with the value of a single, NaN payload included. Return: 1 when there is one. */
static int half_of_single(uint32_t bits, uint32_t *ret) {
    uint32_t sign = bits >> 16 & 0x8000;
    int exponent = (int)(bits >> 23 & 0xff) - 127;
    uint32_t fraction = bits & 0x7fffff;
    uint32_t half;
    unsigned dropped = 13; /* bits of the fraction that must be zero */
    if (exponent == 128) {
        half = 0x7c00 | fraction >> 13;
    } else if (exponent >= -14 && exponent <= 15) {
        half = (uint32_t)(exponent + 15) << 10 | fraction >> 13;
    } else if (exponent >= -24 && exponent < -14) { /* below the normal ones: the leading 1 is written out */
        dropped = (unsigned)(-1 - exponent);
        fraction |= 0x800000;
        half = fraction >> dropped;
    } else if (exponent == -127 && fraction == 0) {
        half = 0;
    } else {
        return 0;
    }
    *ret = sign | half;
    return (fraction & ((1u << dropped) - 1)) == 0;
}

static unsigned char *put_single(unsigned char *at, uint32_t bits) {
    uint32_t half;
    if (half_of_single(bits, &half)) {
        *at = CBOR_HALF;
        weir_cbor_store16(at + 1, half);
        return at + 3;
    }
    *at = CBOR_SINGLE;
    weir_cbor_store32(at + 1, bits);
    return at + 5;
}

static inline unsigned char *put_double(unsigned char *at, uint64_t bits) {
    *at = CBOR_DOUBLE;
    weir_cbor_store64(at + 1, bits);
    return at + 9;
}

/* The shortest float of the same value; all NaNs are one. */
static unsigned char *put_shortest(unsigned char *at, double value) {
    static const uint32_t quiet_nan = 0x7fc00000;
    if (value != value)
        return put_single(at, quiet_nan);
    uint64_t bits, back_bits;
    uint32_t single_bits;
    float single = (float)value;
    double back = (double)single;
    memcpy(&bits, &value, sizeof(bits));
    memcpy(&back_bits, &back, sizeof(back_bits));
    memcpy(&single_bits, &single, sizeof(single_bits));
    return bits == back_bits ? put_single(at, single_bits) : put_double(at, bits);
}

static unsigned char *put_float32(unsigned char *at, const struct weir_value *value, uint32_t flags) {
    uint32_t bits;
    if (flags & (WEIR_CANONICAL | WEIR_PLAIN))
        return put_shortest(at, (double)value->as.f32);
    memcpy(&bits, &value->as.f32, sizeof(bits));
    return put_single(at, bits);
}

static inline unsigned char *put_float64(unsigned char *at, const struct weir_value *value, uint32_t flags) {
    return flags & (WEIR_CANONICAL | WEIR_PLAIN) ? put_shortest(at, value->as.f64) : put_double(at, value->as.u64);
}

/* ---- the walk ---- */

struct writer {
    struct weir_buffer *out;
    const struct weir_codec_limits *limits;
    int status; /* why a put function returned NULL */
};

static unsigned char *cannot(struct writer *writer, int status) {
    writer->status = status;
    return NULL;
}

/* Where the next @size bytes go, those up to @at being written; NULL when there is no memory. */
static inline unsigned char *more_room(struct writer *writer, unsigned char *at, size_t size) {
    writer->out->size = (size_t)(at - writer->out->data);
    at = weir_buffer_room(writer->out, size);
    return at ? at : cannot(writer, WEIR_ENOMEM);
}

/* An integer beyond int64 and uint64: major type 1 down to -2^64, then tags 2 and 3. */
static unsigned char *put_bigint(struct writer *writer, unsigned char *at, const struct weir_value *value) {
    unsigned char room[WEIR_MAGNITUDE_MAX + 8];
    const unsigned char *bytes = value->as.data;
    size_t size = value->count;
    if (value->flags & WEIR_CELL_DIGITS) {
        bytes = room;
        if (weir_magnitude_bytes(value, room, &size) != WEIR_OK)
            return cannot(writer, WEIR_ELIMIT);
    }
    while (size > 0 && *bytes == 0) {
        bytes++;
        size--;
    }
    int is_negative = value->flags & WEIR_CELL_NEGATIVE && size > 0;
    at = more_room(writer, at, size + STEP_ROOM);
    if (!at)
        return NULL;
    unsigned char *data =
        at + 2 * HEAD_MAX; /* apart at first: the head is known when 1 is taken off a negative magnitude */
    if (size > 0)
        memcpy(data, bytes, size);
    if (is_negative) {
        size_t last = size - 1;
        while (data[last]-- == 0)
            last--;
        if (*data == 0) {
            data++;
            size--;
        }
    }
    if (size <= 8) {
        uint64_t small = 0;
        for (size_t i = 0; i < size; i++)
            small = small << 8 | data[i];
        return put_head(at, is_negative ? CBOR_NEGATIVE : CBOR_UINT, small);
    }
    at = put_head(at, CBOR_TAG, is_negative ? CBOR_TAG_BIGINT_NEGATIVE : CBOR_TAG_BIGINT);
    at = put_head(at, CBOR_BYTES, size);
    memmove(at, data, size);
    return at + size;
}

static unsigned char *put_decimal(struct writer *writer, unsigned char *at, const struct weir_value *value) {
    at = put_head(at, CBOR_TAG, CBOR_TAG_DECIMAL);
    at = put_head(at, CBOR_ARRAY, 2);
    at = put_i64(at, value[1].as.i64);
    return put_bigint(writer, at, value); /* the head of a decimal is like a bigint */
}

static unsigned char *put_time(unsigned char *at, const struct weir_value *value, uint32_t flags) {
    int64_t seconds, same;
    uint32_t ns;
    weir_time_split(value->as.i64, &seconds, &ns);
    if (value->aux == WEIR_TIME_TEXT) {
        char text[WEIR_TIME_TEXT_MAX];
        size_t size = weir_time_write(text, value->as.i64);
        at = put_head(put_head(at, CBOR_TAG, CBOR_TAG_TIME_TEXT), CBOR_TEXT, size);
        return weir_bytes_put(at, (const unsigned char *)text, size);
    }
    if (value->aux == WEIR_TIME_S && ns == 0)
        return put_i64(put_head(at, CBOR_TAG, CBOR_TAG_TIME), seconds);
    if (value->aux == WEIR_TIME_S_FLOAT) {
        double as_float = weir_cbor_time_to_float(value->as.i64);
        const struct weir_value number = {.kind = WEIR_KIND_FLOAT64, .as.f64 = as_float};
        if (weir_cbor_time_from_float(as_float, &same) == WEIR_OK && same == value->as.i64)
            return put_float64(put_head(at, CBOR_TAG, CBOR_TAG_TIME), &number, flags);
    }
    int is_ms = value->aux == WEIR_TIME_MS && ns % 1000000 == 0;
    at = put_head(put_head(at, CBOR_TAG, CBOR_TAG_TIME_EXTENDED), CBOR_MAP, 2);
    at = put_i64(put_i64(at, CBOR_TIME_SECONDS), seconds);
    at = put_i64(at, is_ms ? CBOR_TIME_MS : CBOR_TIME_NS);
    return put_head(at, CBOR_UINT, is_ms ? ns / 1000000 : ns);
}

/* Rank 1 is a typed array; any other has its shape before it. */
static unsigned char *put_ndarray(struct writer *writer, unsigned char *at, const weir_ndarray *array) {
    at = more_room(writer, at, array->size + NDARRAY_ROOM);
    if (!at)
        return NULL;
    if (array->rank != 1) {
        at = put_head(at, CBOR_TAG, array->order == WEIR_COLUMN ? CBOR_TAG_NDARRAY_COLUMN : CBOR_TAG_NDARRAY_ROW);
        at = put_head(put_head(at, CBOR_ARRAY, 2), CBOR_ARRAY, array->rank);
        for (uint32_t i = 0; i < array->rank; i++)
            at = put_head(at, CBOR_UINT, array->shape[i]);
    }
    at = put_head(at, CBOR_TAG, weir_cbor_tag_of_element(array->element, (int)array->big_endian));
    at = put_head(at, CBOR_BYTES, array->size);
    return weir_bytes_put(at, array->data, array->size);
}

static unsigned char *put_element(unsigned char *at, const weir_ndarray *array, uint64_t position, uint32_t flags) {
    struct weir_value number;
    weir_ndarray_element(array, position, &number);
    switch (number.kind) {
    case WEIR_KIND_FLOAT32: return put_float32(at, &number, flags);
    case WEIR_KIND_FLOAT64: return put_float64(at, &number, flags);
    case WEIR_KIND_UINT64: return put_head(at, CBOR_UINT, number.as.u64);
    default: return put_i64(at, number.as.i64);
    }
}

/* Where an element lies, in elements from the first. */
static uint64_t position_of(const weir_ndarray *array, const uint64_t *indices) {
    uint64_t position = 0;
    for (uint32_t i = 0; i < array->rank; i++) {
        uint32_t axis = array->order == WEIR_COLUMN ? array->rank - 1 - i : i;
        position = position * array->shape[axis] + indices[axis];
    }
    return position;
}

/* WEIR_PLAIN: arrays of arrays of numbers, the first index outermost. An empty array can have any number of rows, so
 * what is written is counted against the limit on values. */
static unsigned char *put_nested(struct writer *writer, unsigned char *at, const weir_ndarray *array) {
    uint64_t indices[WEIR_RANK_MAX] = {0};
    uint64_t values = 0;
    uint32_t level = 0;
    for (;;) {
        if (++values > writer->limits->values_max)
            return cannot(writer, WEIR_ELIMIT);
        at = more_room(writer, at, STEP_ROOM);
        if (!at)
            return NULL;
        if (level < array->rank) {
            at = put_head(at, CBOR_ARRAY, array->shape[level]);
            indices[level] = 0;
            if (array->shape[level++] > 0)
                continue;
        } else {
            at = put_element(at, array, position_of(array, indices), writer->limits->flags);
        }
        while (level > 0 && ++indices[level - 1] >= array->shape[level - 1]) /* rows that are complete */
            level--;
        if (level == 0)
            return at;
    }
}

static unsigned char *put_array_cell(struct writer *writer, unsigned char *at, const struct weir_value *value) {
    weir_ndarray array;
    weir_value_ndarray(value, &array);
    return writer->limits->flags & WEIR_PLAIN ? put_nested(writer, at, &array) : put_ndarray(writer, at, &array);
}

/* A tag. The null inside a simple value is skipped by the walk, see cells_of. */
static unsigned char *put_tag(struct writer *writer, unsigned char *at, const struct weir_value *value) {
    uint64_t number = value->as.u64;
    uint32_t flags = writer->limits->flags;
    if (value->count == WEIR_TAG_CBOR)
        return put_head(at, CBOR_TAG, number);
    if (value->count == WEIR_TAG_BSON) {
        if (flags & WEIR_PLAIN)
            return at;
        if (flags & WEIR_STRICT || number >= CBOR_TAG_BSON_COUNT) /* beyond, it would come back as another tag */
            return cannot(writer, WEIR_EENCODE);
        return put_head(at, CBOR_TAG, CBOR_TAG_BSON_FIRST + number);
    }
    if (value[1].kind != WEIR_KIND_NULL || number > UINT8_MAX || (number >= 20 && number < 32))
        return cannot(writer, WEIR_EENCODE);
    if (number >= 32)
        *at++ = CBOR_SIMPLE;
    *at = (unsigned char)(number < 32 ? CBOR_OTHER << 5 | number : number);
    return at + 1;
}

static unsigned char *put_rare(struct writer *writer, unsigned char *at, const struct weir_value *value) {
    switch (value->kind) {
    case WEIR_KIND_NULL: *at = CBOR_NULL; return at + 1;
    case WEIR_KIND_UNDEFINED: *at = CBOR_UNDEFINED; return at + 1;
    case WEIR_KIND_UINT64: return put_head(at, CBOR_UINT, value->as.u64);
    case WEIR_KIND_FLOAT32: return put_float32(at, value, writer->limits->flags);
    case WEIR_KIND_TIME: return put_time(at, value, writer->limits->flags);
    case WEIR_KIND_BIGINT: return put_bigint(writer, at, value);
    case WEIR_KIND_DECIMAL: return put_decimal(writer, at, value);
    case WEIR_KIND_NDARRAY: return put_array_cell(writer, at, value);
    case WEIR_KIND_TAGGED: return put_tag(writer, at, value);
    default: return cannot(writer, WEIR_EENCODE);
    }
}

/* The cells that one step of the walk deals with. */
static size_t cells_of(const struct weir_value *value) {
    if (value->kind == WEIR_KIND_TAGGED && value->count == WEIR_TAG_SIMPLE)
        return 2;
    return (size_t)(weir_value_next(value) - value);
}

static __attribute__((cold, noinline)) int failed(const struct writer *writer, const struct weir_value *value,
                                                  weir_error *err) {
    char type[WEIR_NDARRAY_TYPE_MAX];
    weir_value_type(value, type, sizeof(type));
    switch (writer->status) {
    case WEIR_ENOMEM: return weir_fail(err, WEIR_ENOMEM, "cbor: out of memory");
    case WEIR_ELIMIT:
        return weir_fail(err, WEIR_ELIMIT,
                         "cbor: a value of type %s is beyond a limit; see values_max and the number's size", type);
    default:
        return weir_fail(err, writer->status, "cbor: there is no form for a value of type %s%s", type,
                         writer->limits->flags & WEIR_STRICT ? " of its own; do without strictness" : "");
    }
}

int weir_cbor_write(const struct weir_value *value, const struct weir_value *end,
                    const struct weir_codec_limits *limits, struct weir_buffer *out, weir_error *err) {
    struct writer writer = {out, limits, WEIR_OK};
    unsigned char *at = weir_buffer_room(out, STEP_ROOM);
    if (!at)
        return weir_fail(err, WEIR_ENOMEM, "cbor: out of memory");
    const unsigned char *full = out->data + out->capacity; /* moves when room is made */
    while (value < end) {
        size_t cells = 1;
        size_t wanted = STEP_ROOM;
        if (value->kind == WEIR_KIND_TEXT || value->kind == WEIR_KIND_BYTES)
            wanted += value->count;
        if (__builtin_expect((size_t)(full - at) < wanted, 0)) {
            at = more_room(&writer, at, wanted);
            if (!at)
                return failed(&writer, value, err);
            full = out->data + out->capacity;
        }
        switch (value->kind) {
        case WEIR_KIND_TEXT:
        case WEIR_KIND_BYTES:
            at = put_head(at, value->kind == WEIR_KIND_TEXT ? CBOR_TEXT : CBOR_BYTES, value->count);
            at = weir_bytes_put(at, value->as.data, value->count);
            break;
        case WEIR_KIND_INT64: at = put_i64(at, value->as.i64); break;
        case WEIR_KIND_FLOAT64: at = put_float64(at, value, limits->flags); break;
        case WEIR_KIND_MAP: at = put_head(at, CBOR_MAP, value->count); break;
        case WEIR_KIND_ARRAY: at = put_head(at, CBOR_ARRAY, value->count); break;
        case WEIR_KIND_BOOL: *at++ = (unsigned char)(CBOR_FALSE + value->as.i64); break;
        default:
            at = put_rare(&writer, at, value);
            if (!at)
                return failed(&writer, value, err);
            full = out->data + out->capacity;
            cells = cells_of(value);
        }
        value += cells;
    }
    out->size = (size_t)(at - out->data);
    return WEIR_OK;
}

int weir_cbor_encode(const struct weir_value *value, const struct weir_codec_limits *limits, struct weir_buffer *out,
                     weir_error *err) {
    if (limits->flags & WEIR_CANONICAL)
        return weir_cbor_write_canonical(value, limits, out, err);
    return weir_cbor_write(value, weir_value_after(value), limits, out, err);
}
