/* Reading: paths, typed getters, iteration.
 *
 * A path is resolved step by step: a map takes the text before the next '.', an array an index, a tag passes the
 * step on to its content. An ndarray has no values inside, so a path into one ends at the array, and the number
 * getters read the element there.
 */
#define WEIR_VALUE_DEFINE /* this is where the functions are that weir/value.h has inline */
#include "value/value.h"

#include <math.h>
#include <string.h>
#include <weir/error.h>

/* ---- paths ---- */

/* The step at the beginning of @path: bytes up to an unescaped '.' or the end. */
static size_t step_size(const char *path) {
    size_t size = 0;
    while (path[size] != '\0' && path[size] != '.')
        size += path[size] == '\\' && (path[size + 1] == '.' || path[size + 1] == '\\') ? 2 : 1;
    return size;
}

static const char *path_after(const char *path) {
    path += step_size(path);
    return *path == '.' ? path + 1 : path;
}

/* Whether a step, with its escapes, spells @text. */
static int step_is(const char *step, size_t size, const unsigned char *text, size_t text_size) {
    size_t matched = 0;
    for (size_t i = 0; i < size; i++, matched++) {
        if (step[i] == '\\' && i + 1 < size && (step[i + 1] == '.' || step[i + 1] == '\\'))
            i++;
        if (matched == text_size || (unsigned char)step[i] != text[matched])
            return 0;
    }
    return matched == text_size;
}

/* A step as a number: decimal digits only. Return: 1 when it is one. */
static int step_number(const char *step, size_t size, uint64_t *ret) {
    uint64_t number = 0;
    for (size_t i = 0; i < size; i++)
        if (step[i] < '0' || step[i] > '9' || __builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, step[i] - '0', &number))
            return 0;
    *ret = number;
    return size > 0;
}

static int key_is(const struct weir_value *key, const char *step, size_t size) {
    if (key->kind == WEIR_KIND_TEXT)
        return step_is(step, size, key->as.data, key->count);
    uint64_t number;
    return key->kind == WEIR_KIND_INT64 && key->as.i64 >= 0 && step_number(step, size, &number) &&
           number == key->as.u64;
}

/* The item of a container that a step names, or NULL. */
static const struct weir_value *step_into(const struct weir_value *value, const char *step, size_t size) {
    weir_iter it;
    uint64_t index = 0;
    if (value->kind == WEIR_KIND_ARRAY && (!step_number(step, size, &index) || index >= value->count))
        return NULL;
    weir_iter_init(&it, value);
    while (weir_iter_next(&it))
        if (it.key ? key_is(it.key, step, size) : index-- == 0)
            return it.value;
    return NULL;
}

/* Follow @path as far as values go: to its end, or to an ndarray with *ret_rest behind it. NULL when there is
 * nothing. */
static const struct weir_value *follow(const struct weir_value *value, const char *path, const char **ret_rest) {
    path = path ? path : "";
    while (value && *path != '\0') {
        while (value->kind == WEIR_KIND_TAGGED)
            value++;
        if (value->kind == WEIR_KIND_NDARRAY)
            break;
        value = step_into(value, path, step_size(path));
        path = path_after(path);
    }
    *ret_rest = path;
    return value;
}

int weir_get(const weir_value *value, const char *path, const weir_value **ret) {
    const char *rest;
    const struct weir_value *found = follow(value, path, &rest);
    if (!found || *rest != '\0')
        return WEIR_ENOENT;
    *ret = found;
    return WEIR_OK;
}

/* ---- elements of ndarrays ---- */

/* The position in memory, in elements, that the indices in @path name. Return: 1 when they fit rank and shape. */
static int element_position(const weir_ndarray *array, const char *path, uint64_t *ret) {
    uint64_t indices[WEIR_RANK_MAX];
    uint32_t rank = 0;
    for (; *path != '\0'; path = path_after(path), rank++)
        if (rank == array->rank || !step_number(path, step_size(path), &indices[rank]) ||
            indices[rank] >= array->shape[rank])
            return 0;
    if (rank != array->rank)
        return 0;
    uint64_t position = 0;
    for (uint32_t i = 0; i < rank; i++) {
        uint32_t axis = array->order == WEIR_COLUMN ? rank - 1 - i : i;
        position = position * array->shape[axis] + indices[axis];
    }
    *ret = position;
    return 1;
}

/* The element's bits, as a number of its width. */
static uint64_t element_bits(const weir_ndarray *array, uint64_t position) {
    size_t width = weir_element_size(array->element);
    const unsigned char *bytes = (const unsigned char *)array->data + position * width;
    uint64_t bits = 0;
    for (size_t i = 0; i < width; i++)
        bits = bits << 8 | bytes[array->big_endian ? i : width - 1 - i];
    return bits;
}

void weir_ndarray_element(const weir_ndarray *array, uint64_t position, struct weir_value *ret) {
    uint64_t bits = element_bits(array, position);
    uint32_t bits32 = (uint32_t)bits;
    *ret = (struct weir_value){.kind = WEIR_KIND_INT64, .as.u64 = bits};
    switch (array->element) {
    case WEIR_U64: ret->kind = bits > INT64_MAX ? WEIR_KIND_UINT64 : WEIR_KIND_INT64; break;
    case WEIR_I8: ret->as.i64 = (int8_t)bits; break;
    case WEIR_I16: ret->as.i64 = (int16_t)bits; break;
    case WEIR_I32: ret->as.i64 = (int32_t)bits; break;
    case WEIR_F32:
        ret->kind = WEIR_KIND_FLOAT32;
        memcpy(&ret->as.f32, &bits32, sizeof(bits32));
        break;
    case WEIR_F64: ret->kind = WEIR_KIND_FLOAT64; break;
    default: break;
    }
}

/* The number at @path: a value, or an element of an ndarray, or the one number of an ndarray of rank 0. */
static int find_number(const weir_value *value, const char *path, struct weir_value *ret) {
    const char *rest;
    const struct weir_value *found = follow(value, path, &rest);
    if (!found)
        return WEIR_ENOENT;
    if (found->kind != WEIR_KIND_NDARRAY) {
        *ret = *found;
        return WEIR_OK;
    }
    weir_ndarray array;
    uint64_t position;
    weir_value_ndarray(found, &array);
    if (*rest == '\0' && array.rank > 0)
        return WEIR_ETYPE;
    if (!element_position(&array, rest, &position))
        return WEIR_ENOENT;
    weir_ndarray_element(&array, position, ret);
    return WEIR_OK;
}

/* ---- typed getters ---- */

/* The value at @path when it has @kind. */
static int find(const weir_value *value, const char *path, int kind, const struct weir_value **ret) {
    int status = weir_get(value, path, ret);
    return status == WEIR_OK && (*ret)->kind != kind ? WEIR_ETYPE : status;
}

static int find_bool(const weir_value *value, const char *path, int *ret) {
    const struct weir_value *found;
    int status = find(value, path, WEIR_KIND_BOOL, &found);
    if (status == WEIR_OK)
        *ret = (int)found->as.i64;
    return status;
}

/* A float that is a whole number from @min up to, not including, @end. */
static int is_whole(const struct weir_value *number, double min, double end, double *ret) {
    if (number->kind != WEIR_KIND_FLOAT32 && number->kind != WEIR_KIND_FLOAT64)
        return 0;
    double value = number->kind == WEIR_KIND_FLOAT32 ? (double)number->as.f32 : number->as.f64;
    *ret = value;
    return value >= min && value < end && floor(value) == value;
}

static int find_i64(const weir_value *value, const char *path, int64_t *ret) {
    struct weir_value number;
    double whole;
    int status = find_number(value, path, &number);
    if (status != WEIR_OK)
        return status;
    if (number.kind == WEIR_KIND_INT64)
        *ret = number.as.i64;
    else if (is_whole(&number, -0x1p63, 0x1p63, &whole))
        *ret = (int64_t)whole;
    else
        return WEIR_ETYPE;
    return WEIR_OK;
}

int weir_get_u64(const weir_value *value, const char *path, uint64_t *ret) {
    struct weir_value number;
    double whole;
    int status = find_number(value, path, &number);
    if (status != WEIR_OK)
        return status;
    if (number.kind == WEIR_KIND_UINT64 || (number.kind == WEIR_KIND_INT64 && number.as.i64 >= 0))
        *ret = number.as.u64;
    else if (is_whole(&number, 0.0, 0x1p64, &whole))
        *ret = (uint64_t)whole;
    else
        return WEIR_ETYPE;
    return WEIR_OK;
}

static int find_f64(const weir_value *value, const char *path, double *ret) {
    static const int64_t exact = INT64_C(1) << 53;
    struct weir_value number;
    int status = find_number(value, path, &number);
    if (status != WEIR_OK)
        return status;
    if (number.kind == WEIR_KIND_FLOAT64)
        *ret = number.as.f64;
    else if (number.kind == WEIR_KIND_FLOAT32)
        *ret = (double)number.as.f32;
    else if (number.kind == WEIR_KIND_INT64 && number.as.i64 >= -exact && number.as.i64 <= exact)
        *ret = (double)number.as.i64;
    else
        return WEIR_ETYPE;
    return WEIR_OK;
}

static int find_string(const weir_value *value, const char *path, int kind, weir_view *ret) {
    const struct weir_value *found;
    int status = find(value, path, kind, &found);
    if (status == WEIR_OK)
        *ret = (weir_view){(const char *)found->as.data, found->count};
    return status;
}

static int find_time(const weir_value *value, const char *path, int64_t *ret_ns) {
    const struct weir_value *found;
    int status = find(value, path, WEIR_KIND_TIME, &found);
    if (status == WEIR_OK)
        *ret_ns = found->as.i64;
    return status;
}

int weir_get_ndarray(const weir_value *value, const char *path, weir_ndarray *ret) {
    const struct weir_value *found;
    int status = find(value, path, WEIR_KIND_NDARRAY, &found);
    if (status == WEIR_OK)
        weir_value_ndarray(found, ret);
    return status;
}

/* ---- digits ---- */

/* Hand @digits out with their sign and a NUL. */
static int give_digits(const char *digits, size_t count, int is_negative, char *text, size_t size, size_t *ret_size) {
    size_t length = count + (is_negative ? 1 : 0);
    if (size < length + 1) {
        if (ret_size)
            *ret_size = length + 1;
        return WEIR_ETOOBIG;
    }
    if (is_negative)
        *text++ = '-';
    memcpy(text, digits, count);
    text[count] = '\0';
    if (ret_size)
        *ret_size = length;
    return WEIR_OK;
}

static int give_small(uint64_t magnitude, int is_negative, char *text, size_t size, size_t *ret_size) {
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + magnitude % 10);
        magnitude /= 10;
    } while (magnitude > 0);
    return give_digits(digits + at, sizeof(digits) - at, is_negative, text, size, ret_size);
}

static int give_big(const struct weir_value *value, char *text, size_t size, size_t *ret_size) {
    char digits[WEIR_DIGITS_MAX + 200]; /* WEIR_MAGNITUDE_MAX bytes make at most 4933 */
    size_t count;
    int status = weir_magnitude_digits(value, digits, &count);
    if (status != WEIR_OK)
        return status;
    return give_digits(digits, count, value->flags & WEIR_CELL_NEGATIVE, text, size, ret_size);
}

int weir_get_digits(const weir_value *value, const char *path, char *text, size_t size, size_t *ret_size) {
    const struct weir_value *found;
    int status = weir_get(value, path, &found);
    if (status != WEIR_OK)
        return status;
    switch (found->kind) {
    case WEIR_KIND_INT64: {
        int is_negative = found->as.i64 < 0;
        return give_small(is_negative ? 0 - found->as.u64 : found->as.u64, is_negative, text, size, ret_size);
    }
    case WEIR_KIND_UINT64: return give_small(found->as.u64, 0, text, size, ret_size);
    case WEIR_KIND_BIGINT: return give_big(found, text, size, ret_size);
    default: return WEIR_ETYPE;
    }
}

int weir_get_decimal(const weir_value *value, const char *path, char *text, size_t size, size_t *ret_size,
                     int32_t *ret_exponent) {
    const struct weir_value *found;
    int status = find(value, path, WEIR_KIND_DECIMAL, &found);
    if (status == WEIR_OK)
        status = give_big(found, text, size, ret_size);
    if (status == WEIR_OK && ret_exponent)
        *ret_exponent = (int32_t)found[1].as.i64;
    return status;
}

int weir_get_tagged(const weir_value *value, const char *path, uint32_t *ret_space, uint64_t *ret_number,
                    const weir_value **ret) {
    const struct weir_value *found;
    int status = find(value, path, WEIR_KIND_TAGGED, &found);
    if (status != WEIR_OK)
        return status;
    *ret_space = found->count;
    *ret_number = found->as.u64;
    *ret = found + 1;
    return WEIR_OK;
}

/* ---- what the inline functions of the header go on with ---- */

const weir_value *weir_iter_after(const weir_value *value) {
    return weir_value_after(value);
}

int weir_get_as(const weir_value *value, const char *path, int kind, void *ret) {
    switch (kind) {
    case WEIR_KIND_BOOL: return find_bool(value, path, ret);
    case WEIR_KIND_INT64: return find_i64(value, path, ret);
    case WEIR_KIND_FLOAT64: return find_f64(value, path, ret);
    case WEIR_KIND_TIME: return find_time(value, path, ret);
    case WEIR_KIND_TEXT:
    case WEIR_KIND_BYTES: return find_string(value, path, kind, ret);
    default: return WEIR_ETYPE;
    }
}
