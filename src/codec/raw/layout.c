/* Where the fields of a struct lie: as C compilers lay them out on every machine weir runs on (the System V ABI of
 * x86-64, AArch64 and RISC-V). A number's alignment is its size, an array's that of its items, a struct's the largest
 * of its fields. type_test.c compares with the compiler.
 */
#include "codec/raw/raw.h"

static int align_up(uint64_t *size, uint64_t alignment) {
    return !__builtin_add_overflow(*size, alignment - 1, size) && (*size &= ~(alignment - 1), 1);
}

int weir_layout_array(struct weir_field *field) {
    uint64_t size = field->item_size, is_empty = 0;
    for (uint32_t i = 0; i < field->rank; i++)
        is_empty |= field->shape[i] == 0;
    for (uint32_t i = 0; !is_empty && i < field->rank; i++)
        if (__builtin_mul_overflow(size, field->shape[i], &size))
            return 0;
    field->size = is_empty ? 0 : size;
    return field->size <= SIZE_MAX;
}

int weir_layout_place(struct weir_field *parent, struct weir_field *field) {
    field->offset = parent->item_size;
    if (!align_up(&field->offset, field->alignment) ||
        __builtin_add_overflow(field->offset, field->size, &parent->item_size))
        return 0;
    if (parent->alignment < field->alignment)
        parent->alignment = field->alignment;
    return 1;
}

int weir_layout_close(struct weir_field *parent) {
    return align_up(&parent->item_size, parent->alignment);
}

uint64_t weir_layout_stride(const struct weir_field *field, uint32_t axis) {
    uint64_t stride = field->item_size;
    if (field->order == WEIR_COLUMN)
        for (uint32_t i = 0; i < axis; i++)
            stride *= field->shape[i];
    else
        for (uint32_t i = field->rank; --i > axis;)
            stride *= field->shape[i];
    return stride;
}

void weir_field_ndarray(const struct weir_field *field, const void *data, weir_ndarray *ret) {
    *ret = (weir_ndarray){.element = field->element,
                          .order = field->order,
                          .rank = field->rank,
                          .data = data,
                          .size = (size_t)field->size};
    for (uint32_t i = 0; i < field->rank; i++)
        ret->shape[i] = field->shape[i];
}
