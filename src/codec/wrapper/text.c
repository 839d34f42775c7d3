/* Floats and decimals as the texts that stand in their wrappers, the same in every format. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "codec/wrapper/wrapper.h"

enum {
    EXPONENT_MAX = 16,  /* "E-2147483648" and a point */
    PLAIN_ZEROS_MAX = 6 /* zeros behind "0." in a decimal that is not written with an exponent */
};

/* ---- floats ---- */

/* Infinities and NaN. NaNs other than the usual one carry their bits, in @digits digits. */
static size_t special_text(char *text, double value, uint64_t bits, uint64_t usual, int digits) {
    if (isinf(value))
        strcpy(text, value < 0 ? "-Infinity" : "Infinity");
    else if (bits == usual)
        strcpy(text, "NaN");
    else
        sprintf(text, "NaN(%0*llx)", digits, (unsigned long long)bits);
    return strlen(text);
}

size_t weir_wrap_special_text(double value, char *text) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return special_text(text, value, bits, WEIR_WRAPPER_NAN64, 16);
}

size_t weir_wrap_f32_text(float value, char *text) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    if (!isfinite(value))
        return special_text(text, value, bits, WEIR_WRAPPER_NAN32, 8);
    size_t size = weir_f32_write(text, value);
    text[size] = '\0';
    return size;
}

/* ---- decimals ---- */

/* Lay out @size digits times 10^exponent as the General Decimal Arithmetic specification does
 * ("to-scientific-string"), which keeps both: 150 x 10^-2 is 1.50 and 15 x 10^3 is 1.5E+4. The digits stand
 * PLAIN_ZEROS_MAX + 2 behind @to already. */
static size_t layout_decimal(char *to, size_t size, int64_t exponent) {
    char *digits = to + PLAIN_ZEROS_MAX + 2;
    int64_t adjusted = exponent + (int64_t)size - 1;
    if (exponent <= 0 && adjusted >= -PLAIN_ZEROS_MAX) {
        size_t fraction = (size_t)-exponent;
        if (fraction >= size) {
            size_t zeros = fraction - size;
            memcpy(to, "0.000000", 2 + zeros);
            memmove(to + 2 + zeros, digits, size);
            return 2 + zeros + size;
        }
        memmove(to, digits, size - fraction);
        if (fraction == 0)
            return size;
        to[size - fraction] = '.';
        memmove(to + size - fraction + 1, digits + size - fraction, fraction);
        return size + 1;
    }
    to[0] = digits[0];
    size_t used = 1;
    if (size > 1) {
        to[1] = '.';
        memmove(to + 2, digits + 1, size - 1);
        used = size + 1;
    }
    used += (size_t)sprintf(to + used, "E%+lld", (long long)adjusted);
    return used;
}

size_t weir_wrap_decimal_max(const struct weir_value *value) {
    return 1 + PLAIN_ZEROS_MAX + 2 + weir_magnitude_digits_max(value) + EXPONENT_MAX;
}

int weir_wrap_decimal_text(const struct weir_value *value, char *to, size_t *ret_size) {
    size_t is_negative = (value->flags & WEIR_CELL_NEGATIVE) != 0;
    size_t size;
    *to = '-';
    int status = weir_magnitude_digits(value, to + is_negative + PLAIN_ZEROS_MAX + 2, &size);
    if (status == WEIR_OK)
        *ret_size = is_negative + layout_decimal(to + is_negative, size, value[1].as.i64);
    return status;
}
