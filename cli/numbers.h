/* Raw data from JSON: --type f64[2,3] and a value full of numbers. */
#ifndef WEIR_CLI_NUMBERS_H
#define WEIR_CLI_NUMBERS_H

#include <weir/weir.h>

/* Read a type, "f64", "u8[4096]", "f32[3,3]:col": all of @ret but data. Return: exit code (said why). */
int cli_type(const char *text, weir_ndarray *ret);
/* Fill @to, array->size bytes, from @value: a number, an array of all elements in memory order, or arrays in arrays of the
 * array's shape. Return: exit code (said why). */
int cli_numbers(const weir_value *value, const char *type, const weir_ndarray *array, void *to);

#endif
