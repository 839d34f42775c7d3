/* Numbers of one element type into another, only when nothing is lost; and memory of one layout into another. */
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

/* Copy every element of @source, laid out as @from says, to the dense memory @target in the order of the layout's indices,
 * first index fastest. Return: WEIR_OK, WEIR_ETYPE (a number that does not fit @target_element). */
int weir_fortran_copy(void *target, uint32_t target_element, const void *source, uint32_t source_element,
                      int is_big_endian, const struct weir_fortran_layout *from);
/* Store one number at @target. Return: WEIR_OK, WEIR_ETYPE. */
int weir_fortran_store_i64(void *target, uint32_t element, int64_t number);
int weir_fortran_store_u64(void *target, uint32_t element, uint64_t number);
int weir_fortran_store_f64(void *target, uint32_t element, double number);

#endif
