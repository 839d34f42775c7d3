/* Arrays of Fortran that do not lie densely, or not in the order that is asked for, into memory that does. Numbers
 * change their type in the library (weir_get_numbers), never here. */
#ifndef WEIR_FORTRAN_CONVERT_H
#define WEIR_FORTRAN_CONVERT_H

#include <weir/weir.h>

/* 1 where this machine keeps the most significant byte first. */
enum { WEIR_FORTRAN_BIG = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ };

/* A dense or strided array: byte steps for each index, first index first. */
struct weir_fortran_layout {
    int rank;
    uint64_t shape[WEIR_RANK_MAX];
    int64_t step[WEIR_RANK_MAX];
};

/* Copy every element, @width bytes each, of @source, laid out as @from says, to the dense memory @target in the order
 * of the layout's indices, first index fastest. */
void weir_fortran_copy(void *target, const void *source, size_t width, const struct weir_fortran_layout *from);

#endif
