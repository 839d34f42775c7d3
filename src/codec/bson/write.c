/* Single values as BSON. What has an element type is written as that; everything else as the wrapper of
 * docs/spec/mapping.md, or under WEIR_PLAIN in the form people expect, which says less.
 *
 * Each writer makes room for the most it may take, writes, and adds what it took to the buffer's size. */
#include <string.h>

#include "base/number.h"
#include "codec/bson/bson.h"
#include "codec/wrapper/wrapper.h"

/* ---- small pieces ---- */

static void set_type(struct bson_writer *writer, unsigned type) {
    writer->out->data[writer->head] = (unsigned char)type;
}

unsigned char *weir_bson_put_index(unsigned char *to, uint32_t index) {
    if (index < 10)
        *to++ = (unsigned char)('0' + index);
    else
        to += weir_u64_write((char *)to, index);
    *to++ = 0;
    return to;
}

/* Begin another element, whose name the caller writes. Return: where the name goes; NULL when there is no memory. */
static unsigned char *begin_element(struct bson_writer *writer, size_t room) {
    unsigned char *to = weir_buffer_room(writer->out, room + BSON_STEP_ROOM);
    writer->head = writer->out->size;
    return to ? to + 1 : NULL;
}

static void end_at(struct bson_writer *writer, const unsigned char *to) {
    writer->out->size = (size_t)(to - writer->out->data);
}

static int write_word(struct bson_writer *writer, unsigned type, uint64_t word) {
    unsigned char *to = weir_buffer_room(writer->out, 8);
    if (!to)
        return WEIR_ENOMEM;
    set_type(writer, type);
    weir_word_put(to, word);
    writer->out->size += 8;
    return WEIR_OK;
}

static int write_bytes(struct bson_writer *writer, unsigned type, const void *bytes, size_t size) {
    set_type(writer, type);
    return weir_buffer_append(writer->out, bytes, size);
}

int weir_bson_write_string(struct bson_writer *writer, const unsigned char *text, size_t size) {
    if (size >= INT32_MAX)
        return WEIR_ELIMIT;
    unsigned char *to = weir_buffer_room(writer->out, size + 5);
    if (!to)
        return WEIR_ENOMEM;
    weir_bson_store32(to, (uint32_t)size + 1);
    to = weir_bytes_put(to + 4, text, size);
    *to++ = 0;
    end_at(writer, to);
    return WEIR_OK;
}

static int write_text(struct bson_writer *writer, unsigned type, const unsigned char *text, size_t size) {
    set_type(writer, type);
    return weir_bson_write_string(writer, text, size);
}

/* ---- numbers ---- */

static int write_integer(struct bson_writer *writer, int64_t value) {
    if (value != (int32_t)value)
        return write_word(writer, BSON_INT64, (uint64_t)value);
    unsigned char *to = weir_buffer_room(writer->out, 4);
    if (!to)
        return WEIR_ENOMEM;
    set_type(writer, BSON_INT32);
    weir_bson_store32(to, (uint32_t)value);
    writer->out->size += 4;
    return WEIR_OK;
}

static int write_double(struct bson_writer *writer, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    if (writer->flags & WEIR_CANONICAL && value != value)
        bits = WEIR_WRAPPER_NAN64;
    return write_word(writer, BSON_DOUBLE, bits);
}

/* A number as decimal128 where it is one, as text where not: the plain form of those that have no type of their own. */
static int write_plain_number(struct bson_writer *writer, const struct weir_value *value) {
    struct weir_value cells[2] = {*value, {.kind = WEIR_KIND_INT64}};
    unsigned char bytes[BSON_DECIMAL_SIZE];
    char text[WEIR_DECIMAL_TEXT_MAX];
    size_t size;
    if (value->kind == WEIR_KIND_DECIMAL)
        cells[1] = value[1];
    if (value->kind == WEIR_KIND_UINT64) {
        cells[0] = (struct weir_value){.flags = WEIR_CELL_DIGITS, .as.data = (const unsigned char *)text};
        cells[0].count = (uint32_t)weir_u64_write(text, value->as.u64);
    }
    if (weir_bson_decimal_write(cells, bytes))
        return write_bytes(writer, BSON_DECIMAL128, bytes, sizeof(bytes));
    if (weir_wrap_decimal_max(cells) > sizeof(text) || weir_wrap_decimal_text(cells, text, &size) != WEIR_OK)
        return WEIR_ELIMIT;
    return write_text(writer, BSON_STRING, (const unsigned char *)text, size);
}

/* ---- wrappers ---- */

/* {"$numberBig": digits}, inside another wrapper: a dimension beyond int64. */
static int write_big(struct bson_writer *writer, uint64_t value) {
    static const unsigned char before[] = "\0\0\0\0\2$numberBig\0\0\0\0"; /* sizes, and the NULs at the ends */
    unsigned char bytes[sizeof(before) + WEIR_I64_TEXT_MAX + 2];
    memcpy(bytes, before, sizeof(before));
    size_t size = weir_u64_write((char *)bytes + sizeof(before), value);
    weir_bson_store32(bytes + sizeof(before) - 4, (uint32_t)size + 1);
    memcpy(bytes + sizeof(before) + size, "\0", 2);
    size += sizeof(before) + 2;
    weir_bson_store32(bytes, (uint32_t)size);
    return write_bytes(writer, BSON_DOCUMENT, bytes, size);
}

static int write_binary(struct bson_writer *writer, unsigned subtype, const void *before, size_t before_size,
                        const void *data, size_t size) {
    enum { HEAD = 5 };
    if (size > INT32_MAX - HEAD - before_size)
        return WEIR_ELIMIT;
    unsigned char *to = weir_buffer_room(writer->out, HEAD + before_size + size);
    if (!to)
        return WEIR_ENOMEM;
    set_type(writer, BSON_BINARY);
    weir_bson_store32(to, (uint32_t)(before_size + size));
    to[4] = (unsigned char)subtype;
    to = weir_bytes_put(to + HEAD, before, before_size);
    end_at(writer, weir_bytes_put(to, data, size));
    return WEIR_OK;
}

/* A cell of a wrapper that holds no others. */
static int write_wrapped(struct bson_writer *writer, const struct weir_value *cell) {
    switch (cell->kind) {
    case WEIR_KIND_TEXT: return write_text(writer, BSON_STRING, cell->as.data, cell->count);
    case WEIR_KIND_BYTES: return write_binary(writer, 0, "", 0, cell->as.data, cell->count);
    case WEIR_KIND_UINT64: return write_big(writer, cell->as.u64);
    default: return write_integer(writer, cell->as.i64);
    }
}

struct level { /* a document that is open */
    const struct weir_value *end;
    size_t begin;
    uint32_t index; /* of the next item of an array */
    int is_map;
};

static int begin_level(struct bson_writer *writer, const struct weir_value *cell, struct level *level) {
    *level = (struct level){weir_value_after(cell), writer->out->size, 0, cell->kind == WEIR_KIND_MAP};
    set_type(writer, level->is_map ? BSON_DOCUMENT : BSON_ARRAY);
    return weir_buffer_append(writer->out, "\0\0\0", 4);
}

static int end_level(struct bson_writer *writer, const struct level *level) {
    int status = weir_buffer_append(writer->out, "", 1);
    weir_bson_store32(writer->out->data + level->begin, (uint32_t)(writer->out->size - level->begin));
    return status;
}

/* Write the type and name of the element at *cell of a level; *cell moves to its value. */
static int begin_named(struct bson_writer *writer, struct level *level, const struct weir_value **cell) {
    const struct weir_value *key = *cell;
    unsigned char *to = begin_element(writer, level->is_map ? key->count : 0);
    if (!to)
        return WEIR_ENOMEM;
    if (level->is_map) {
        to = weir_bytes_put(to, key->as.data, key->count);
        *to++ = 0;
        ++*cell;
    } else {
        to = weir_bson_put_index(to, level->index++);
    }
    end_at(writer, to);
    return WEIR_OK;
}

/* The cells of a wrapper: a map, and in that perhaps another, and in that an array. */
static int write_wrapper(struct bson_writer *writer, const struct weir_value *value) {
    enum { LEVELS_MAX = 3 };
    struct weir_wrap wrap;
    struct level levels[LEVELS_MAX];
    int status = weir_wrap(value, &wrap);
    if (status != WEIR_OK)
        return status;
    const struct weir_value *cell = wrap.cells;
    struct level *top = levels;
    status = begin_level(writer, cell++, top);
    while (status == WEIR_OK) {
        if (cell == top->end) {
            status = end_level(writer, top);
            if (top-- == levels)
                break;
            continue;
        }
        status = begin_named(writer, top, &cell);
        if (status == WEIR_OK && (cell->kind == WEIR_KIND_MAP || cell->kind == WEIR_KIND_ARRAY))
            status = begin_level(writer, cell, ++top);
        else if (status == WEIR_OK)
            status = write_wrapped(writer, cell);
        cell++;
    }
    return status;
}

/* ---- times and ndarrays ---- */

/* Milliseconds, rounded down. */
static int64_t ms_of(int64_t ns) {
    int64_t ms = ns / BSON_NS_PER_MS;
    return ns % BSON_NS_PER_MS < 0 ? ms - 1 : ms;
}

static int write_vector(struct bson_writer *writer, const weir_ndarray *array) {
    static const unsigned char int8[] = {0x03, 0}, float32[] = {0x27, 0};
    return write_binary(writer, BSON_SUBTYPE_VECTOR, array->element == WEIR_I8 ? int8 : float32, sizeof(int8),
                        array->data, array->size);
}

static int write_element(struct bson_writer *writer, const weir_ndarray *array, uint64_t position) {
    struct weir_value number;
    weir_ndarray_element(array, position, &number);
    switch (number.kind) {
    case WEIR_KIND_INT64: return write_integer(writer, number.as.i64);
    case WEIR_KIND_FLOAT64: return write_double(writer, number.as.f64);
    case WEIR_KIND_FLOAT32: return write_double(writer, (double)number.as.f32);
    default: return write_plain_number(writer, &number);
    }
}

/* The lists that begin before an element, @count of them, the innermost last. */
static int begin_lists(struct bson_writer *writer, const struct weir_walk *walk, struct level *levels, uint32_t count) {
    uint32_t rank = walk->array->rank;
    int status = WEIR_OK;
    for (uint32_t i = rank - count; i < rank && status == WEIR_OK; i++) {
        if (i > 0) {
            unsigned char *to = begin_element(writer, 0);
            if (!to)
                return WEIR_ENOMEM;
            end_at(writer, weir_bson_put_index(to, (uint32_t)walk->index[i - 1]));
        }
        levels[i].begin = writer->out->size;
        set_type(writer, BSON_ARRAY);
        status = weir_buffer_append(writer->out, "\0\0\0", 4);
    }
    return status;
}

/* Nested lists, the outermost over the first index. Without elements: an empty list, whatever the shape. */
static int write_lists(struct bson_writer *writer, const weir_ndarray *array) {
    struct level levels[WEIR_RANK_MAX + 1];
    struct weir_walk walk;
    uint32_t begun = array->rank;
    if (array->rank == 0)
        return write_element(writer, array, 0);
    if (weir_ndarray_count(array) == 0)
        return write_bytes(writer, BSON_ARRAY, "\5\0\0\0", BSON_DOCUMENT_MIN);
    weir_walk_begin(&walk, array);
    for (;;) {
        int status = begin_lists(writer, &walk, levels, begun);
        unsigned char *to = status == WEIR_OK ? begin_element(writer, 0) : NULL;
        if (!to)
            return WEIR_ENOMEM;
        end_at(writer, weir_bson_put_index(to, (uint32_t)walk.index[array->rank - 1]));
        status = write_element(writer, array, walk.position);
        begun = weir_walk_next(&walk);
        for (uint32_t i = 0; i < begun && status == WEIR_OK; i++)
            status = end_level(writer, &levels[array->rank - 1 - i]);
        if (status != WEIR_OK || begun == array->rank)
            return status;
        if (writer->out->size > INT32_MAX && writer->out->size - levels[0].begin > INT32_MAX)
            return WEIR_ELIMIT;
    }
}

static int write_ndarray(struct bson_writer *writer, const struct weir_value *value) {
    weir_ndarray array;
    weir_value_ndarray(value, &array);
    if (writer->flags & WEIR_PLAIN)
        return write_lists(writer, &array);
    return weir_bson_is_vector(&array) ? write_vector(writer, &array) : write_wrapper(writer, value);
}

/* ---- tags that have a type ---- */

/* Put letters in order, as the options of a regular expression are meant to be. */
static void sort_letters(unsigned char *letters, size_t size) {
    size_t counts[128] = {0};
    for (size_t i = 0; i < size; i++) {
        if (letters[i] > 127) /* a byte of a longer character */
            return;
        counts[letters[i]]++;
    }
    for (unsigned letter = 0; letter < 128; letter++) {
        memset(letters, (int)letter, counts[letter]);
        letters += counts[letter];
    }
}

static int write_regex(struct bson_writer *writer, const struct weir_value *pattern) {
    const struct weir_value *options = pattern + 1;
    size_t size = (size_t)pattern->count + options->count + 2;
    unsigned char *to = weir_buffer_room(writer->out, size);
    if (!to)
        return WEIR_ENOMEM;
    set_type(writer, BSON_REGEX);
    to = weir_bytes_put(to, pattern->as.data, pattern->count);
    *to++ = 0;
    *weir_bytes_put(to, options->as.data, options->count) = 0;
    if (writer->flags & WEIR_CANONICAL)
        sort_letters(to, options->count);
    writer->out->size += size;
    return WEIR_OK;
}

static int write_old_binary(struct bson_writer *writer, const struct weir_value *bytes) {
    unsigned char inner[4];
    weir_bson_store32(inner, bytes->count);
    return write_binary(writer, BSON_SUBTYPE_OLD, inner, sizeof(inner), bytes->as.data, bytes->count);
}

static int write_tagged(struct bson_writer *writer, const struct weir_value *tagged) {
    const struct weir_value *content = tagged + 1;
    unsigned type = (unsigned)tagged->as.u64;
    switch (type) {
    case BSON_OBJECT_ID:
    case BSON_DECIMAL128: return write_bytes(writer, type, content->as.data, content->count);
    case BSON_DATETIME:
    case BSON_TIMESTAMP: return write_word(writer, type, content->as.u64);
    case BSON_REGEX: return write_regex(writer, content + 1);
    case BSON_DBPOINTER: {
        int status = write_text(writer, type, content[1].as.data, content[1].count);
        return status == WEIR_OK ? write_bytes(writer, type, content[2].as.data, content[2].count) : status;
    }
    case BSON_CODE:
    case BSON_SYMBOL: return write_text(writer, type, content->as.data, content->count);
    case BSON_MIN_KEY:
    case BSON_MAX_KEY: set_type(writer, type); return WEIR_OK;
    case BSON_TAG_BINARY + BSON_SUBTYPE_OLD: return write_old_binary(writer, content);
    default: return write_binary(writer, type & UINT8_MAX, "", 0, content->as.data, content->count);
    }
}

/* ---- all of them ---- */

int weir_bson_is_native(const struct weir_value *value) {
    unsigned char bytes[BSON_DECIMAL_SIZE];
    weir_ndarray array;
    switch (value->kind) {
    case WEIR_KIND_UINT64:
    case WEIR_KIND_BIGINT:
    case WEIR_KIND_FLOAT32: return 0;
    case WEIR_KIND_DECIMAL: return weir_bson_decimal_write(value, bytes);
    case WEIR_KIND_TIME: return value->as.i64 % BSON_NS_PER_MS == 0;
    case WEIR_KIND_NDARRAY: weir_value_ndarray(value, &array); return weir_bson_is_vector(&array);
    case WEIR_KIND_TAGGED: return weir_bson_tag_is_native(value);
    default: return 1;
    }
}

static int write_decimal(struct bson_writer *writer, const struct weir_value *value) {
    unsigned char bytes[BSON_DECIMAL_SIZE];
    if (weir_bson_decimal_write(value, bytes))
        return write_bytes(writer, BSON_DECIMAL128, bytes, sizeof(bytes));
    return write_wrapper(writer, value);
}

int weir_bson_write(struct bson_writer *writer, const struct weir_value *value) {
    int is_plain = (writer->flags & WEIR_PLAIN) != 0;
    switch (value->kind) {
    case WEIR_KIND_UNDEFINED: set_type(writer, BSON_UNDEFINED); return WEIR_OK;
    case WEIR_KIND_BOOL:
        set_type(writer, BSON_BOOL);
        return weir_buffer_append(writer->out, value->as.i64 ? "\1" : "", 1);
    case WEIR_KIND_INT64:
        if (value->aux == WEIR_INTEGER_WIDE && !(writer->flags & WEIR_CANONICAL))
            return write_word(writer, BSON_INT64, value->as.u64);
        return write_integer(writer, value->as.i64);
    case WEIR_KIND_TEXT: return write_text(writer, BSON_STRING, value->as.data, value->count);
    case WEIR_KIND_FLOAT64: return write_double(writer, value->as.f64);
    case WEIR_KIND_BYTES: return write_binary(writer, BSON_SUBTYPE_GENERIC, "", 0, value->as.data, value->count);
    case WEIR_KIND_FLOAT32:
        return is_plain ? write_double(writer, (double)value->as.f32) : write_wrapper(writer, value);
    case WEIR_KIND_UINT64:
    case WEIR_KIND_BIGINT: return is_plain ? write_plain_number(writer, value) : write_wrapper(writer, value);
    case WEIR_KIND_DECIMAL: return is_plain ? write_plain_number(writer, value) : write_decimal(writer, value);
    case WEIR_KIND_TIME:
        if (is_plain || value->as.i64 % BSON_NS_PER_MS == 0)
            return write_word(writer, BSON_DATETIME, (uint64_t)ms_of(value->as.i64));
        return write_wrapper(writer, value);
    case WEIR_KIND_NDARRAY: return write_ndarray(writer, value);
    case WEIR_KIND_TAGGED: return write_tagged(writer, value);
    default: set_type(writer, BSON_NULL); return WEIR_OK;
    }
}
