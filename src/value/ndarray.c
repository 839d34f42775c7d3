/* Ndarrays: element types, shapes, and the cells that hold them. A shape cell is two raw uint64, not a value: walks
 * step over them by the head's count. */
#include "value/value.h"

#include <string.h>

#include "base/number.h"

static const struct {
    char name[4];
    uint8_t size;
} elements[] = {
    [WEIR_U8] = {"u8", 1},   [WEIR_U16] = {"u16", 2}, [WEIR_U32] = {"u32", 4}, [WEIR_U64] = {"u64", 8},
    [WEIR_I8] = {"i8", 1},   [WEIR_I16] = {"i16", 2}, [WEIR_I32] = {"i32", 4}, [WEIR_I64] = {"i64", 8},
    [WEIR_F32] = {"f32", 4}, [WEIR_F64] = {"f64", 8},
};

static int element_exists(uint32_t element) {
    return element >= WEIR_U8 && element <= WEIR_F64;
}

size_t weir_element_size(uint32_t element) {
    return element_exists(element) ? elements[element].size : 0;
}

const char *weir_element_name(uint32_t element) {
    return element_exists(element) ? elements[element].name : "?";
}

/* Product of the shape times @unit; 0 in *ret_fits when it is beyond uint64. A dimension of 0 makes it 0 whatever the
 * others. */
static uint64_t shape_product(const weir_ndarray *array, uint64_t unit, int *ret_fits) {
    uint64_t product = unit;
    *ret_fits = 1;
    for (uint32_t i = 0; i < array->rank; i++) {
        if (array->shape[i] == 0) {
            *ret_fits = 1;
            return 0;
        }
        if (__builtin_mul_overflow(product, array->shape[i], &product))
            *ret_fits = 0;
    }
    return product;
}

uint64_t weir_ndarray_count(const weir_ndarray *array) {
    int fits;
    uint64_t count = shape_product(array, 1, &fits);
    return fits ? count : UINT64_MAX;
}

int weir_ndarray_check(const weir_ndarray *array) {
    if (!array || !element_exists(array->element) || array->rank > WEIR_RANK_MAX || array->order > WEIR_COLUMN)
        return WEIR_EINVAL;
    int fits;
    uint64_t size = shape_product(array, weir_element_size(array->element), &fits);
    return fits && size == array->size && (array->data || size == 0) ? WEIR_OK : WEIR_EINVAL;
}

int weir_doc_ndarray(struct weir_doc *doc, const weir_ndarray *array) {
    if (weir_ndarray_check(array) != WEIR_OK)
        return WEIR_EINVAL;
    uint32_t shape_cells = (array->rank + 1) / 2;
    if (weir_doc_grow(doc, 1 + shape_cells) != WEIR_OK)
        return WEIR_ENOMEM;
    struct weir_value *cell = &doc->cells[doc->count];
    doc->count += 1 + shape_cells;
    *cell = (struct weir_value){
        .kind = WEIR_KIND_NDARRAY,
        .flags = (uint8_t)((array->order == WEIR_COLUMN && array->rank > 1 ? WEIR_CELL_COLUMN : 0) |
                           (array->big_endian && weir_element_size(array->element) > 1 ? WEIR_CELL_BIG_ENDIAN : 0)),
        .aux = (uint16_t)(array->element | array->rank << 8),
        .count = shape_cells,
        .as.data = array->size > 0 ? array->data : (const unsigned char *)"",
    };
    if (shape_cells > 0) {
        memset(cell + 1, 0, shape_cells * sizeof(*cell));
        memcpy(cell + 1, array->shape, array->rank * sizeof(array->shape[0]));
    }
    return WEIR_OK;
}

void weir_value_ndarray(const struct weir_value *value, weir_ndarray *ret) {
    *ret = (weir_ndarray){
        .element = value->aux & 0xff,
        .order = value->flags & WEIR_CELL_COLUMN ? WEIR_COLUMN : WEIR_ROW,
        .rank = value->aux >> 8,
        .big_endian = value->flags & WEIR_CELL_BIG_ENDIAN ? 1 : 0,
        .data = value->as.data,
    };
    memcpy(ret->shape, value + 1, ret->rank * sizeof(ret->shape[0]));
    ret->size = (size_t)weir_ndarray_count(ret) * weir_element_size(ret->element);
}

/* Without printf: it stands in front of every array that is sent. */
size_t weir_ndarray_type(const weir_ndarray *array, char *text) {
    const char *name = weir_element_name(array->element);
    size_t size = strlen(name);
    memcpy(text, name, size);
    for (uint32_t i = 0; i < array->rank; i++) {
        text[size++] = i == 0 ? '[' : ',';
        size += weir_u64_write(text + size, array->shape[i]);
    }
    if (array->rank > 0)
        text[size++] = ']';
    if (array->order == WEIR_COLUMN && array->rank > 1) {
        memcpy(text + size, ":col", 4);
        size += 4;
    }
    text[size] = '\0';
    return size;
}

void weir_ndarray_little_endian(const weir_ndarray *array, unsigned char *to) {
    size_t width = weir_element_size(array->element);
    const unsigned char *from = array->data;
    if (!array->big_endian || width == 1) {
        if (array->size > 0)
            memcpy(to, from, array->size);
        return;
    }
    for (size_t at = 0; at < array->size; at += width)
        for (size_t i = 0; i < width; i++)
            to[at + i] = from[at + width - 1 - i];
}
