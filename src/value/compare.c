/* Comparing values: two depth-first walks side by side. As long as the cells agree the structures agree, so no stack is
 * needed; the first pair of cells that differs decides. Hints do not count: the unit of a time, what is known about a
 * text.
 */
#include "value/value.h"

#include <stdlib.h>
#include <string.h>
#include <weir/error.h>

static int order_u64(uint64_t a, uint64_t b) {
    return a < b ? -1 : a > b;
}

static int order_i64(int64_t a, int64_t b) {
    return a < b ? -1 : a > b;
}

static int order_bytes(const unsigned char *a, size_t a_size, const unsigned char *b, size_t b_size) {
    size_t common = a_size < b_size ? a_size : b_size;
    int order = common > 0 ? memcmp(a, b, common) : 0;
    return order != 0 ? order : order_u64(a_size, b_size);
}

static int order_f32(const struct weir_value *a, const struct weir_value *b) {
    uint32_t bits[2];
    memcpy(&bits[0], &a->as.f32, sizeof(bits[0]));
    memcpy(&bits[1], &b->as.f32, sizeof(bits[1]));
    return order_u64(bits[0], bits[1]);
}

/* A magnitude in the form of bytes: in place, or in @room. */
struct magnitude {
    const unsigned char *data;
    size_t size;
    unsigned char room[WEIR_MAGNITUDE_MAX + 8];
};

static void magnitude_load(struct magnitude *magnitude, const struct weir_value *value) {
    magnitude->data = value->as.data;
    magnitude->size = value->count;
    if (value->flags & WEIR_CELL_DIGITS) {
        magnitude->data = magnitude->room;
        magnitude->size = 0;
        weir_magnitude_bytes(value, magnitude->room, &magnitude->size);
    }
    while (magnitude->size > 0 && *magnitude->data == 0) {
        magnitude->data++;
        magnitude->size--;
    }
}

static int order_magnitude(const struct weir_value *a, const struct weir_value *b) {
    if ((a->flags ^ b->flags) & WEIR_CELL_NEGATIVE)
        return a->flags & WEIR_CELL_NEGATIVE ? -1 : 1;
    if ((a->flags & b->flags) & WEIR_CELL_DIGITS) /* without leading zeros, so the longer is the greater */
        return a->count != b->count ? order_u64(a->count, b->count) : memcmp(a->as.data, b->as.data, a->count);
    struct magnitude left, right;
    magnitude_load(&left, a);
    magnitude_load(&right, b);
    if (left.size != right.size)
        return order_u64(left.size, right.size);
    return left.size > 0 ? memcmp(left.data, right.data, left.size) : 0;
}

static int order_ndarray(const struct weir_value *a, const struct weir_value *b) {
    int order = order_u64((uint64_t)a->aux << 8 | a->flags, (uint64_t)b->aux << 8 | b->flags);
    if (order != 0)
        return order;
    weir_ndarray left, right;
    weir_value_ndarray(a, &left);
    weir_value_ndarray(b, &right);
    for (uint32_t i = 0; i < left.rank && order == 0; i++)
        order = order_u64(left.shape[i], right.shape[i]);
    return order != 0 ? order : order_bytes(left.data, left.size, right.data, right.size);
}

/* Two cells of one kind, without what they contain. */
static int order_cell(const struct weir_value *a, const struct weir_value *b) {
    switch (a->kind) {
    case WEIR_KIND_BOOL:
    case WEIR_KIND_INT64:
    case WEIR_KIND_TIME: return order_i64(a->as.i64, b->as.i64);
    case WEIR_KIND_UINT64:
    case WEIR_KIND_FLOAT64: /* by its bits */ return order_u64(a->as.u64, b->as.u64);
    case WEIR_KIND_FLOAT32: return order_f32(a, b);
    case WEIR_KIND_BIGINT: return order_magnitude(a, b);
    case WEIR_KIND_DECIMAL: {
        int order = order_i64(a[1].as.i64, b[1].as.i64);
        return order != 0 ? order : order_magnitude(a, b);
    }
    case WEIR_KIND_TEXT:
    case WEIR_KIND_BYTES: return order_bytes(a->as.data, a->count, b->as.data, b->count);
    case WEIR_KIND_ARRAY:
    case WEIR_KIND_MAP: return order_u64(a->count, b->count);
    case WEIR_KIND_NDARRAY: return order_ndarray(a, b);
    case WEIR_KIND_TAGGED: {
        int order = order_u64(a->count, b->count);
        return order != 0 ? order : order_u64(a->as.u64, b->as.u64);
    }
    default: return 0;
    }
}

int weir_value_compare(const struct weir_value *a, const struct weir_value *b) {
    const struct weir_value *end = weir_value_after(a);
    while (a < end) {
        int order = a->kind != b->kind ? order_u64(a->kind, b->kind) : order_cell(a, b);
        if (order != 0)
            return order;
        a = weir_value_next(a);
        b = weir_value_next(b);
    }
    return 0;
}

int weir_value_equal(const weir_value *a, const weir_value *b) {
    if (!a || !b)
        return a == b;
    return weir_value_compare(a, b) == 0;
}

static int order_keys(const void *a, const void *b) {
    const struct weir_value *left = *(const struct weir_value *const *)a;
    const struct weir_value *right = *(const struct weir_value *const *)b;
    int order = weir_value_compare(left, right);
    return order != 0 ? order : (left > right) - (left < right);
}

enum { KEYS_ON_STACK = 32 };

int weir_map_repeated_key(const struct weir_value *map, const struct weir_value **ret) {
    const struct weir_value *few[KEYS_ON_STACK];
    const struct weir_value **keys = map->count <= KEYS_ON_STACK ? few : malloc(map->count * sizeof(*keys));
    *ret = NULL;
    if (!keys)
        return WEIR_ENOMEM;
    const struct weir_value *at = map + 1;
    for (uint32_t i = 0; i < map->count; i++) {
        keys[i] = at;
        at = weir_value_after(weir_value_after(at));
    }
    qsort(keys, map->count, sizeof(*keys), order_keys);
    for (uint32_t i = 1; i < map->count && !*ret; i++)
        if (weir_value_compare(keys[i - 1], keys[i]) == 0)
            *ret = keys[i];
    if (keys != few)
        free(keys);
    return WEIR_OK;
}
