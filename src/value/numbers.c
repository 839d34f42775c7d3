/* Numbers into other element types, and values into arrays of numbers.
 *
 * The one place where numbers change their type: what raw data, the command and the bindings ask for goes through here.
 * Nothing is lost on the way: an integer must fit, a float that becomes an integer must be a whole number, an integer
 * that becomes a float must have one of that value. Only WEIR_ROUND lets a finite float be rounded to f32, and that
 * never to infinity.
 *
 * A target is described by a weir_ndarray (element, order, byte order, shape) and lies in memory of its own. An ndarray
 * of the same shape is copied into it in runs along the target's fastest index; nested arrays are walked with a stack
 * as deep as the rank.
 */
#include "value/value.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"

enum { IS_BIG = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ };

union number {
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
    unsigned char bytes[8];
};

/* ---- one number, in the machine's byte order ---- */

static int put(void *to, const union number *number, size_t width) {
    memcpy(to, number->bytes, width);
    return WEIR_OK;
}

static int store_i64(int64_t n, uint32_t element, void *to) {
    static const int64_t exact32 = 1 << 24, exact64 = INT64_C(1) << 53;
    static const struct {
        int64_t min, max;
    } ranges[] = {
        [WEIR_U8] = {0, UINT8_MAX},          [WEIR_U16] = {0, UINT16_MAX},       [WEIR_U32] = {0, UINT32_MAX},
        [WEIR_U64] = {0, INT64_MAX},         [WEIR_I8] = {INT8_MIN, INT8_MAX},   [WEIR_I16] = {INT16_MIN, INT16_MAX},
        [WEIR_I32] = {INT32_MIN, INT32_MAX}, [WEIR_I64] = {INT64_MIN, INT64_MAX}};
    union number out = {.u64 = 0};
    if (element == WEIR_F32) {
        out.f32 = (float)n;
        return n >= -exact32 && n <= exact32 ? put(to, &out, 4) : WEIR_ETYPE;
    }
    if (element == WEIR_F64) {
        out.f64 = (double)n;
        return n >= -exact64 && n <= exact64 ? put(to, &out, 8) : WEIR_ETYPE;
    }
    if (n < ranges[element].min || n > ranges[element].max)
        return WEIR_ETYPE;
    switch (weir_element_size(element)) { /* cutting a two's complement number keeps it, when it fits */
    case 1: out.u8 = (uint8_t)n; break;
    case 2: out.u16 = (uint16_t)n; break;
    case 4: out.u32 = (uint32_t)n; break;
    default: out.i64 = n; break;
    }
    return put(to, &out, weir_element_size(element));
}

static int store_u64(uint64_t n, uint32_t element, void *to) {
    if (n <= INT64_MAX)
        return store_i64((int64_t)n, element, to);
    union number out = {.u64 = n};
    return element == WEIR_U64 ? put(to, &out, 8) : WEIR_ETYPE;
}

static int store_f64(double x, uint32_t element, uint32_t flags, void *to) {
    union number out = {.f64 = x};
    if (element == WEIR_F64)
        return put(to, &out, 8);
    if (element == WEIR_F32) {
        out.f32 = (float)x;
        int fits = (double)out.f32 == x || isnan(x) || ((flags & WEIR_ROUND) && isfinite(out.f32));
        return fits ? put(to, &out, 4) : WEIR_ETYPE;
    }
    if (x != trunc(x) || !(x >= -0x1p63 && x < 0x1p64)) /* NaN is not equal to itself */
        return WEIR_ETYPE;
    return x < 0x1p63 ? store_i64((int64_t)x, element, to) : store_u64((uint64_t)x, element, to);
}

static int store(const struct weir_value *number, uint32_t element, uint32_t flags, void *to) {
    switch (number->kind) {
    case WEIR_KIND_INT64: return store_i64(number->as.i64, element, to);
    case WEIR_KIND_UINT64: return store_u64(number->as.u64, element, to);
    case WEIR_KIND_FLOAT32:
        if (element != WEIR_F32)
            return store_f64((double)number->as.f32, element, flags, to);
        memcpy(to, &number->as.f32, 4); /* not through double, which would change a signalling NaN */
        return WEIR_OK;
    case WEIR_KIND_FLOAT64: return store_f64(number->as.f64, element, flags, to);
    default: return WEIR_ETYPE;
    }
}

static void swap(unsigned char *bytes, size_t width) {
    for (size_t i = 0; i < width / 2; i++) {
        unsigned char byte = bytes[i];
        bytes[i] = bytes[width - 1 - i];
        bytes[width - 1 - i] = byte;
    }
}

static int convert(const void *from, uint32_t element, uint32_t to_element, uint32_t flags, void *to) {
    union number in = {.u64 = 0};
    memcpy(in.bytes, from, weir_element_size(element));
    if (element == to_element)
        return put(to, &in, weir_element_size(element));
    switch (element) {
    case WEIR_U8: return store_i64(in.u8, to_element, to);
    case WEIR_U16: return store_i64(in.u16, to_element, to);
    case WEIR_U32: return store_i64(in.u32, to_element, to);
    case WEIR_U64: return store_u64(in.u64, to_element, to);
    case WEIR_I8: return store_i64(in.i8, to_element, to);
    case WEIR_I16: return store_i64(in.i16, to_element, to);
    case WEIR_I32: return store_i64(in.i32, to_element, to);
    case WEIR_I64: return store_i64(in.i64, to_element, to);
    case WEIR_F32: return store_f64((double)in.f32, to_element, flags, to);
    default: return store_f64(in.f64, to_element, flags, to);
    }
}

/* ---- sentences ---- */

static void why_number(const struct weir_value *number, const weir_ndarray *target, char *why) {
    const char *element = weir_element_name(target->element);
    char type[64];
    switch (number->kind) {
    case WEIR_KIND_INT64:
        snprintf(why, WEIR_WHY_MAX, "%lld does not fit %s without loss", (long long)number->as.i64, element);
        break;
    case WEIR_KIND_UINT64:
        snprintf(why, WEIR_WHY_MAX, "%llu does not fit %s", (unsigned long long)number->as.u64, element);
        break;
    case WEIR_KIND_FLOAT32:
    case WEIR_KIND_FLOAT64:
        snprintf(why, WEIR_WHY_MAX, "%.17g does not fit %s without loss",
                 number->kind == WEIR_KIND_FLOAT32 ? (double)number->as.f32 : number->as.f64, element);
        break;
    default:
        snprintf(why, WEIR_WHY_MAX, "%s where %s is needed", weir_value_type(number, type, sizeof(type)), element);
        break;
    }
}

static int fail_shape(const struct weir_value *value, const weir_ndarray *target, char *why) {
    char type[WEIR_NDARRAY_TYPE_MAX], wanted[WEIR_NDARRAY_TYPE_MAX];
    weir_ndarray_type(target, wanted);
    if (value->kind == WEIR_KIND_ARRAY && target->rank > 0)
        snprintf(why, WEIR_WHY_MAX, "an array of %u item%s does not have the shape of %.64s", value->count,
                 WEIR_S(value->count), wanted);
    else
        snprintf(why, WEIR_WHY_MAX, "%.64s where %.64s is needed", weir_value_type(value, type, sizeof(type)), wanted);
    return WEIR_ETYPE;
}

/* ---- arrays ---- */

/* Bytes between neighbours along each index. */
static void strides_of(const weir_ndarray *array, size_t *strides) {
    size_t step = weir_element_size(array->element);
    for (uint32_t i = 0; i < array->rank; i++) {
        uint32_t axis = array->order == WEIR_COLUMN ? i : array->rank - 1 - i;
        strides[axis] = step;
        step *= (size_t)array->shape[axis];
    }
}

/* Elements in runs along the target's fastest index. */
struct copying {
    const weir_ndarray *from, *target;
    uint32_t flags;
    int is_plain, swaps_in, swaps_out;
    uint32_t fastest;              /* the target's */
    uint64_t run;                  /* elements of one run */
    size_t from_step;              /* bytes between them, in the source */
    size_t strides[WEIR_RANK_MAX]; /* the source's */
};

static void move_run(unsigned char *to, const unsigned char *from, size_t step, uint64_t count, size_t width) {
    if (step == width) {
        memcpy(to, from, (size_t)count * width);
        return;
    }
    for (uint64_t i = 0; i < count; i++, to += width, from += step) {
        switch (width) { /* a constant size makes each copy one instruction */
        case 1: memcpy(to, from, 1); break;
        case 2: memcpy(to, from, 2); break;
        case 4: memcpy(to, from, 4); break;
        default: memcpy(to, from, 8); break;
        }
    }
}

static int convert_run(const struct copying *copying, unsigned char *to, const unsigned char *from, char *why) {
    size_t width = weir_element_size(copying->target->element), from_width = weir_element_size(copying->from->element);
    for (uint64_t i = 0; i < copying->run; i++, to += width, from += copying->from_step) {
        unsigned char element[8];
        memcpy(element, from, from_width);
        if (copying->swaps_in)
            swap(element, from_width);
        if (convert(element, copying->from->element, copying->target->element, copying->flags, to) != WEIR_OK) {
            struct weir_value number;
            weir_ndarray one = {.element = copying->from->element, .big_endian = IS_BIG, .data = element};
            weir_ndarray_element(&one, 0, &number);
            why_number(&number, copying->target, why);
            return WEIR_ETYPE;
        }
        if (copying->swaps_out)
            swap(to, width);
    }
    return WEIR_OK;
}

static void copying_init(struct copying *copying, const weir_ndarray *from, const weir_ndarray *target,
                         uint32_t flags) {
    size_t from_width = weir_element_size(from->element), width = weir_element_size(target->element);
    uint32_t rank = target->rank;
    *copying = (struct copying){.from = from, .target = target, .flags = flags, .run = 1, .from_step = from_width};
    copying->swaps_in = from_width > 1 && (from->big_endian != 0) != IS_BIG;
    copying->swaps_out = width > 1 && (target->big_endian != 0) != IS_BIG;
    copying->is_plain = from->element == target->element && copying->swaps_in == copying->swaps_out;
    strides_of(from, copying->strides);
    if (rank == 0)
        return;
    copying->fastest = target->order == WEIR_COLUMN ? 0 : rank - 1;
    copying->run = target->shape[copying->fastest];
    copying->from_step = copying->strides[copying->fastest];
}

/* Move @index and @from on by one run, the target's fastest index standing still. Return: 0 behind the last. */
static int next_run(const struct copying *copying, uint64_t *index, const unsigned char **from) {
    uint32_t rank = copying->target->rank;
    for (uint32_t i = 1; i < rank; i++) {
        uint32_t axis = copying->target->order == WEIR_COLUMN ? i : rank - 1 - i;
        *from += copying->strides[axis];
        if (++index[axis] < copying->target->shape[axis])
            return 1;
        *from -= copying->strides[axis] * copying->target->shape[axis];
        index[axis] = 0;
    }
    return 0;
}

static int same_shape(const weir_ndarray *a, const weir_ndarray *b) {
    return a->rank == b->rank && memcmp(a->shape, b->shape, a->rank * sizeof(a->shape[0])) == 0;
}

static int fill_from_ndarray(const struct weir_value *value, const weir_ndarray *target, uint32_t flags,
                             unsigned char *to, char *why) {
    weir_ndarray array;
    struct copying copying;
    uint64_t index[WEIR_RANK_MAX] = {0};
    size_t width = weir_element_size(target->element);
    weir_value_ndarray(value, &array);
    if (!same_shape(&array, target))
        return fail_shape(value, target, why);
    if (target->size == 0)
        return WEIR_OK;
    copying_init(&copying, &array, target, flags);
    if (copying.is_plain && (array.order == target->order || array.rank < 2)) {
        memcpy(to, array.data, array.size);
        return WEIR_OK;
    }
    const unsigned char *from = array.data;
    do {
        if (copying.is_plain)
            move_run(to, from, copying.from_step, copying.run, width);
        else if (convert_run(&copying, to, from, why) != WEIR_OK)
            return WEIR_ETYPE;
        to += copying.run * width;
    } while (next_run(&copying, index, &from));
    return WEIR_OK;
}

static int fill_one(const struct weir_value *value, const weir_ndarray *target, uint32_t flags, unsigned char *to,
                    char *why) {
    size_t width = weir_element_size(target->element);
    if (store(value, target->element, flags, to) != WEIR_OK) {
        why_number(value, target, why);
        return WEIR_ETYPE;
    }
    if (width > 1 && (target->big_endian != 0) != IS_BIG)
        swap(to, width);
    return WEIR_OK;
}

/* All numbers in one array, as they shall lie. */
static int fill_from_flat(const struct weir_value *value, const weir_ndarray *target, uint32_t flags, unsigned char *to,
                          char *why) {
    int status = WEIR_OK;
    weir_iter it;
    weir_iter_init(&it, value);
    for (; status == WEIR_OK && weir_iter_next(&it); to += weir_element_size(target->element))
        status = fill_one(it.value, target, flags, to, why);
    return status;
}

static int fill_from_nested(const struct weir_value *value, const weir_ndarray *target, uint32_t flags,
                            unsigned char *to, char *why) {
    size_t strides[WEIR_RANK_MAX];
    weir_iter its[WEIR_RANK_MAX];
    uint32_t level = 0;
    strides_of(target, strides);
    if (value->count != target->shape[0])
        return fail_shape(value, target, why);
    weir_iter_init(&its[0], value);
    for (;;) {
        if (!weir_iter_next(&its[level])) {
            if (level == 0)
                return WEIR_OK;
            to -= strides[level] * (size_t)target->shape[level];
            to += strides[--level];
            continue;
        }
        const struct weir_value *item = its[level].value;
        if (level + 1 == target->rank) {
            if (fill_one(item, target, flags, to, why) != WEIR_OK)
                return WEIR_ETYPE;
            to += strides[level];
            continue;
        }
        if (item->kind != WEIR_KIND_ARRAY || item->count != target->shape[level + 1])
            return fail_shape(item, target, why);
        weir_iter_init(&its[++level], item);
    }
}

static int is_flat(const struct weir_value *array, const weir_ndarray *target) {
    return target->rank > 1 && array->count > 0 && array[1].kind != WEIR_KIND_ARRAY &&
           array->count == weir_ndarray_count(target);
}

int weir_numbers_fill(const struct weir_value *value, const weir_ndarray *target, uint32_t flags, void *to, char *why) {
    switch (value->kind) {
    case WEIR_KIND_NDARRAY: return fill_from_ndarray(value, target, flags, to, why);
    case WEIR_KIND_BYTES:
        if (target->element != WEIR_U8 || target->rank != 1 || target->shape[0] != value->count)
            return fail_shape(value, target, why);
        if (value->count > 0)
            memcpy(to, value->as.data, value->count);
        return WEIR_OK;
    case WEIR_KIND_ARRAY:
        if (target->rank == 0)
            return fail_shape(value, target, why);
        return is_flat(value, target) ? fill_from_flat(value, target, flags, to, why)
                                      : fill_from_nested(value, target, flags, to, why);
    default: return target->rank == 0 ? fill_one(value, target, flags, to, why) : fail_shape(value, target, why);
    }
}

/* ---- what programs call ---- */

static int is_number(const struct weir_value *value) {
    return value->kind == WEIR_KIND_INT64 || value->kind == WEIR_KIND_UINT64 || value->kind == WEIR_KIND_FLOAT32 ||
           value->kind == WEIR_KIND_FLOAT64;
}

/* The shape of nested arrays of numbers, by the first item of each. */
static int nested_shape(const struct weir_value *value, weir_ndarray *shape) {
    for (; value->kind == WEIR_KIND_ARRAY; value++) {
        if (shape->rank == WEIR_RANK_MAX)
            return WEIR_ETYPE;
        shape->shape[shape->rank++] = value->count;
        if (value->count == 0)
            return WEIR_OK;
    }
    return is_number(value) ? WEIR_OK : WEIR_ETYPE;
}

/* Whether so many numbers can be there: the first items of unequal rows may promise more than memory holds. */
static int is_possible(const struct weir_value *value, const weir_ndarray *shape) {
    return value->kind != WEIR_KIND_ARRAY || weir_ndarray_count(shape) <= value->as.span;
}

int weir_get_shape(const weir_value *value, const char *path, weir_ndarray *ret) {
    const weir_value *found;
    weir_ndarray shape = {0};
    int status = weir_get(value, path, &found);
    if (status != WEIR_OK)
        return status;
    if (found->kind == WEIR_KIND_NDARRAY)
        weir_value_ndarray(found, &shape);
    else if (found->kind == WEIR_KIND_BYTES)
        shape = (weir_ndarray){.element = WEIR_U8, .rank = 1, .shape = {found->count}, .size = found->count};
    else
        status = nested_shape(found, &shape);
    if (status == WEIR_OK && !is_possible(found, &shape))
        status = WEIR_ETYPE;
    shape.data = NULL;
    if (status == WEIR_OK)
        *ret = shape;
    return status;
}

static int fail_at(weir_error *err, int code, const char *path, const char *why) {
    return path && *path ? weir_fail(err, code, "the value at '%.100s': %s", path, why)
                         : weir_fail(err, code, "the value: %s", why);
}

int weir_get_numbers(const weir_value *value, const char *path, const weir_ndarray *target, uint32_t flags, void *to,
                     weir_error *err) {
    const weir_value *found;
    weir_ndarray checked = *target;
    char why[WEIR_WHY_MAX];
    checked.data = to;
    if (weir_ndarray_check(&checked) != WEIR_OK)
        return weir_fail(err, WEIR_EINVAL, "the target's element, rank, order, shape and size in bytes do not agree");
    if (weir_get(value, path, &found) != WEIR_OK)
        return weir_fail(err, WEIR_ENOENT, "there is no value at '%.100s'", path ? path : "");
    int status = weir_numbers_fill(found, target, flags, to, why);
    return status == WEIR_OK ? WEIR_OK : fail_at(err, status, path, why);
}

static int fail_no_numbers(const weir_value *value, const char *path, weir_error *err) {
    char why[WEIR_WHY_MAX], type[64];
    const weir_value *found = value;
    weir_get(value, path, &found);
    if (found->kind == WEIR_KIND_ARRAY)
        return fail_at(err, WEIR_ETYPE, path,
                       "an array of something else than numbers, of unequal rows, or of more than 15 dimensions");
    snprintf(why, sizeof(why), "%s where numbers are needed", weir_value_type(found, type, sizeof(type)));
    return fail_at(err, WEIR_ETYPE, path, why);
}

/* Whether an ndarray may be handed out as it lies. */
static int is_as_asked(const weir_ndarray *array, uint32_t element) {
    size_t width = weir_element_size(element);
    return array->element == element && (width == 1 || (array->big_endian != 0) == IS_BIG) &&
           (uintptr_t)array->data % width == 0;
}

int weir_as_ndarray(const weir_value *value, const char *path, uint32_t element, uint32_t flags, weir_buffer *room,
                    weir_ndarray *ret, weir_error *err) {
    weir_ndarray target, array;
    size_t width = weir_element_size(element);
    if (width == 0)
        return weir_fail(err, WEIR_EINVAL, "there is no element type %u", element);
    if (weir_get_ndarray(value, path, &array) == WEIR_OK && is_as_asked(&array, element)) {
        *ret = array;
        return WEIR_OK;
    }
    int status = weir_get_shape(value, path, &target);
    if (status == WEIR_ENOENT)
        return weir_fail(err, status, "there is no value at '%.100s'", path ? path : "");
    if (status != WEIR_OK)
        return fail_no_numbers(value, path, err);
    target.element = element;
    target.big_endian = IS_BIG && width > 1;
    if (__builtin_mul_overflow(weir_ndarray_count(&target), width, &target.size))
        return weir_fail(err, WEIR_ENOMEM, "out of memory for an array of numbers");
    weir_buffer_clear(room);
    unsigned char *to = weir_buffer_room(room, target.size + 1); /* an empty array has an address too */
    if (!to)
        return weir_fail(err, WEIR_ENOMEM, "out of memory for an array of numbers");
    target.data = to;
    status = weir_get_numbers(value, path, &target, flags, to, err);
    if (status == WEIR_OK) {
        room->size = target.size;
        *ret = target;
    }
    return status;
}
