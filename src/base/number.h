/* Numbers to text and back, exact and without a locale. */
#ifndef WEIR_BASE_NUMBER_H
#define WEIR_BASE_NUMBER_H

#include <stddef.h>
#include <stdint.h>

enum { WEIR_F64_TEXT_MAX = 40, WEIR_I64_TEXT_MAX = 21 }; /* bytes a writer below may use */

/* Write the shortest text that reads back to the same bits, always with a '.' or an 'e' ("1.0", "1e22"), so that it comes back
 * as a float; not for NaN and infinities. Return: bytes written, no NUL. */
size_t weir_f64_write(char *text, double value);
size_t weir_f32_write(char *text, float value);
size_t weir_i64_write(char *text, int64_t value);
size_t weir_u64_write(char *text, uint64_t value);

/* The correctly rounded (to nearest, ties to even) value of [-]digits[.digits][e[+-]digits], any number of digits. The text must
 * already have that grammar; it need not be NUL-terminated. Overflow gives an infinity. */
double weir_f64_read(const char *text, size_t size);
float weir_f32_read(const char *text, size_t size);
/* The pieces, for decoders that have scanned the number: (-1)^negative x mantissa x 10^exponent, where mantissa holds the
 * first 19 significant digits, and @text, @size is the whole number for when those do not decide. */
double weir_f64_from_decimal(uint64_t mantissa, int64_t exponent, int is_negative, int is_truncated, const char *text,
                             size_t size);

#endif
