/* Numbers to text and back, exact and without a locale. */
#ifndef WEIR_BASE_NUMBER_H
#define WEIR_BASE_NUMBER_H

#include <float.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/powers.h"
#include "base/word.h"

enum { WEIR_F64_TEXT_MAX = 40, WEIR_I64_TEXT_MAX = 21 }; /* bytes a writer below may use */

/* Write the shortest text that reads back to the same bits, always with a '.' or an 'e' ("1.0", "1e22"), so that it
 * comes back as a float; not for NaN and infinities. Return: bytes written, no NUL. */
size_t weir_f64_write(char *text, double value);
size_t weir_f32_write(char *text, float value);
size_t weir_i64_write(char *text, int64_t value);
size_t weir_u64_write(char *text, uint64_t value);

/* The correctly rounded (to nearest, ties to even) value of [-]digits[.digits][e[+-]digits], any number of digits. The
 * text must already have that grammar; it need not be NUL-terminated. Overflow gives an infinity. */
double weir_f64_read(const char *text, size_t size);
float weir_f32_read(const char *text, size_t size);
/* The pieces, for decoders that have scanned the number: (-1)^negative x mantissa x 10^exponent, where mantissa holds
 * the first 19 significant digits, and @text, @size is the whole number for when those do not decide. */
double weir_f64_from_decimal(uint64_t mantissa, int64_t exponent, int is_negative, int is_truncated, const char *text,
                             size_t size);

/* 10^0 to 10^22, which are doubles without error. */
enum { WEIR_F64_POWER_MAX = 22 };
extern const double weir_f64_powers[WEIR_F64_POWER_MAX + 1];

/* The same for numbers of up to 19 digits in place, but for the rare ones that 64 bits of the power of ten do not
 * decide: number_read.c's `nearest` for exponents that stay far from the ends of the range. */
static inline double weir_f64_from_product(uint64_t mantissa, int exponent, int is_negative) {
    enum { EXPONENT_MIN = -290, EXPONENT_MAX = 288 };
    if (__builtin_expect(mantissa == 0 || exponent < EXPONENT_MIN || exponent > EXPONENT_MAX, 0))
        return weir_f64_from_decimal(mantissa, exponent, is_negative, 0, NULL, 0);
    int zeros = __builtin_clzll(mantissa);
    struct weir_product product = weir_multiply(mantissa << zeros, weir_power_of_ten(exponent)->high);
    int top = (int)(product.high >> 63);
    uint64_t significand = product.high >> (top + 9); /* 54 bits, the last one for rounding */
    if (__builtin_expect((product.high & 0x1FF) == 0x1FF || (product.low <= 1 && (significand & 3) == 1), 0))
        return weir_f64_from_decimal(mantissa, exponent, is_negative, 0, NULL, 0);
    uint64_t biased = (uint64_t)((exponent * 217706 >> 16) + 63 + top - zeros + 1023);
    uint64_t bits =
        ((significand + (significand & 1)) >> 1) + ((biased - 1) << 52) + ((uint64_t)(is_negative != 0) << 63);
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* The same, the short ones with one operation: when mantissa and power are exact doubles it rounds once (W. Clinger,
 * "How to read floating point numbers accurately", PLDI 1990). Needs the default rounding mode. */
enum {
    WEIR_F64_SHORT_BITS = 46
}; /* up to 53 are exact; but then numbers of 16 and 17 digits would go both ways by chance */
static inline double weir_f64_from_short_decimal(uint64_t mantissa, int exponent, int is_negative) {
    if (FLT_EVAL_METHOD != 0 || mantissa >> WEIR_F64_SHORT_BITS || exponent < -WEIR_F64_POWER_MAX ||
        exponent > WEIR_F64_POWER_MAX)
        return weir_f64_from_product(mantissa, exponent, is_negative);
    double value = (double)(int64_t)mantissa;
    value = exponent <= 0 ? value / weir_f64_powers[-exponent] : value * weir_f64_powers[exponent];
    return is_negative ? -value : value;
}

#endif
