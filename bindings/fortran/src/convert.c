/* Conversion between element types and layouts.
 *
 * The common case, equal types in the machine's byte order, moves whole elements by their width; everything else goes
 * number by number through the widest type of its kind, and is refused where the target cannot hold it exactly.
 */
#include "convert.h"

#include <math.h>
#include <string.h>

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

/* ---- one number ---- */

static int put(void *target, const union number *number, size_t width) {
    memcpy(target, number->bytes, width);
    return WEIR_OK;
}

int weir_fortran_store_i64(void *target, uint32_t element, int64_t n) {
    union number out = {.u64 = 0};
    int fits = 0;
    switch (element) {
    case WEIR_U8:
        out.u8 = (uint8_t)n;
        fits = n >= 0 && n <= UINT8_MAX;
        break;
    case WEIR_U16:
        out.u16 = (uint16_t)n;
        fits = n >= 0 && n <= UINT16_MAX;
        break;
    case WEIR_U32:
        out.u32 = (uint32_t)n;
        fits = n >= 0 && n <= UINT32_MAX;
        break;
    case WEIR_U64:
        out.u64 = (uint64_t)n;
        fits = n >= 0;
        break;
    case WEIR_I8:
        out.i8 = (int8_t)n;
        fits = n == out.i8;
        break;
    case WEIR_I16:
        out.i16 = (int16_t)n;
        fits = n == out.i16;
        break;
    case WEIR_I32:
        out.i32 = (int32_t)n;
        fits = n == out.i32;
        break;
    case WEIR_I64:
        out.i64 = n;
        fits = 1;
        break;
    case WEIR_F32:
        out.f32 = (float)n;
        fits = n >= -(1 << 24) && n <= 1 << 24;
        break;
    case WEIR_F64:
        out.f64 = (double)n;
        fits = n >= -(INT64_C(1) << 53) && n <= INT64_C(1) << 53;
        break;
    default: break;
    }
    return fits ? put(target, &out, weir_element_size(element)) : WEIR_ETYPE;
}

int weir_fortran_store_u64(void *target, uint32_t element, uint64_t n) {
    if (n <= INT64_MAX)
        return weir_fortran_store_i64(target, element, (int64_t)n);
    union number out = {.u64 = n};
    return element == WEIR_U64 ? put(target, &out, sizeof out.u64) : WEIR_ETYPE;
}

int weir_fortran_store_f64(void *target, uint32_t element, double x) {
    union number out = {.f64 = x};
    if (element == WEIR_F64)
        return put(target, &out, sizeof out.f64);
    if (element == WEIR_F32) {
        out.f32 = (float)x;
        return (double)out.f32 == x || isnan(x) ? put(target, &out, sizeof out.f32) : WEIR_ETYPE;
    }
    /* 2^63 itself is a double that int64 cannot hold. */
    if (!(x >= -0x1p63 && x < 0x1p63) || x != trunc(x))
        return WEIR_ETYPE;
    return weir_fortran_store_i64(target, element, (int64_t)x);
}

static void swap(union number *number, size_t width) {
    for (size_t i = 0; i < width / 2; i++) {
        unsigned char byte = number->bytes[i];
        number->bytes[i] = number->bytes[width - 1 - i];
        number->bytes[width - 1 - i] = byte;
    }
}

static int convert(void *target, uint32_t to, const void *source, uint32_t from, int is_swapped) {
    union number in = {.u64 = 0};
    size_t width = weir_element_size(from);
    memcpy(in.bytes, source, width);
    if (is_swapped)
        swap(&in, width);
    if (to == from)
        return put(target, &in, width);
    switch (from) {
    case WEIR_U8: return weir_fortran_store_u64(target, to, in.u8);
    case WEIR_U16: return weir_fortran_store_u64(target, to, in.u16);
    case WEIR_U32: return weir_fortran_store_u64(target, to, in.u32);
    case WEIR_U64: return weir_fortran_store_u64(target, to, in.u64);
    case WEIR_I8: return weir_fortran_store_i64(target, to, in.i8);
    case WEIR_I16: return weir_fortran_store_i64(target, to, in.i16);
    case WEIR_I32: return weir_fortran_store_i64(target, to, in.i32);
    case WEIR_I64: return weir_fortran_store_i64(target, to, in.i64);
    case WEIR_F32: return weir_fortran_store_f64(target, to, in.f32);
    case WEIR_F64: return weir_fortran_store_f64(target, to, in.f64);
    default: return WEIR_ETYPE;
    }
}

/* ---- whole arrays ---- */

/* One run along the first index. */
static void move_run(unsigned char *target, const unsigned char *source, int64_t step, uint64_t count, size_t width) {
    if (step == (int64_t)width) {
        memcpy(target, source, (size_t)count * width);
        return;
    }
    for (uint64_t i = 0; i < count; i++, target += width, source += step) {
        switch (width) { /* a constant size makes each copy one instruction */
        case 1: memcpy(target, source, 1); break;
        case 2: memcpy(target, source, 2); break;
        case 4: memcpy(target, source, 4); break;
        default: memcpy(target, source, 8); break;
        }
    }
}

static int convert_run(unsigned char *target, uint32_t to, const unsigned char *source, uint32_t from, int is_swapped,
                       int64_t step, uint64_t count) {
    size_t width = weir_element_size(to);
    for (uint64_t i = 0; i < count; i++, target += width, source += step) {
        int status = convert(target, to, source, from, is_swapped);
        if (status)
            return status;
    }
    return WEIR_OK;
}

/* Move @index on by one run. Return: 0 behind the last. */
static int next_run(uint64_t *index, const struct weir_fortran_layout *layout, const unsigned char **source) {
    for (int axis = 1; axis < layout->rank; axis++) {
        *source += layout->step[axis];
        if (++index[axis] < layout->shape[axis])
            return 1;
        *source -= layout->step[axis] * (int64_t)layout->shape[axis];
        index[axis] = 0;
    }
    return 0;
}

int weir_fortran_copy(void *target, uint32_t target_element, const void *source, uint32_t source_element,
                      int is_big_endian, const struct weir_fortran_layout *from) {
    uint64_t index[WEIR_RANK_MAX] = {0};
    size_t width = weir_element_size(target_element);
    int is_swapped = weir_element_size(source_element) > 1 && (is_big_endian != 0) != WEIR_FORTRAN_BIG;
    int is_plain = target_element == source_element && !is_swapped;
    uint64_t run = from->rank ? from->shape[0] : 1;
    int64_t step = from->rank ? from->step[0] : (int64_t)width;
    const unsigned char *at = source;
    unsigned char *to = target;
    for (int i = 0; i < from->rank; i++)
        if (from->shape[i] == 0)
            return WEIR_OK;
    do {
        if (is_plain) {
            move_run(to, at, step, run, width);
        } else {
            int status = convert_run(to, target_element, at, source_element, is_swapped, step, run);
            if (status)
                return status;
        }
        to += run * width;
    } while (next_run(index, from, &at));
    return WEIR_OK;
}
