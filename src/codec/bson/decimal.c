/* decimal128, IEEE 754-2008 with a binary coefficient: sign, 14 bits of exponent, 113 bits of coefficient, least
 * significant byte first. Every coefficient below 10^34 with every exponent is one DECIMAL and back: equal numbers
 * with other exponents (1.0 and 1.00) stay apart. What is no DECIMAL: NaN, infinities, -0, and coefficients that are
 * too great, which all mean 0.
 */
#include <string.h>

#include "codec/bson/bson.h"

enum { EXPONENT_BIAS = 6176, EXPONENT_MAX = 12287, COEFFICIENT_HIGH_BITS = 49, DIGITS_MAX = 34, BYTES_MAX = 15 };

/* 10^34 - 1 */
static const uint64_t coefficient_max_high = UINT64_C(0x0001ED09BEAD87C0);
static const uint64_t coefficient_max_low = UINT64_C(0x378D8E63FFFFFFFF);

static int is_coefficient(uint64_t high, uint64_t low) {
    return high < coefficient_max_high || (high == coefficient_max_high && low <= coefficient_max_low);
}

int weir_bson_decimal_read(const unsigned char *bytes, unsigned char magnitude[BSON_DECIMAL_SIZE], uint32_t *ret_size,
                           int64_t *ret_exponent, int *ret_is_negative) {
    uint64_t low = weir_word_at(bytes);
    uint64_t high = weir_word_at(bytes + 8);
    uint64_t coefficient = high & ((UINT64_C(1) << COEFFICIENT_HIGH_BITS) - 1);
    unsigned exponent = high >> COEFFICIENT_HIGH_BITS & 0x3FFF;
    int is_negative = (int)(high >> 63);
    if (exponent > EXPONENT_MAX || !is_coefficient(coefficient, low) || (is_negative && coefficient == 0 && low == 0))
        return 0;
    uint32_t size = 0;
    for (int i = BSON_DECIMAL_SIZE - 1; i >= 0; i--) {
        unsigned char byte = (unsigned char)((i >= 8 ? coefficient >> 8 * (i - 8) : low >> 8 * i) & 0xFF);
        if (size > 0 || byte != 0)
            magnitude[size++] = byte;
    }
    *ret_size = size;
    *ret_exponent = (int64_t)exponent - EXPONENT_BIAS;
    *ret_is_negative = is_negative;
    return 1;
}

int weir_bson_decimal_write(const struct weir_value *value, unsigned char bytes[BSON_DECIMAL_SIZE]) {
    unsigned char room[DIGITS_MAX];
    const unsigned char *magnitude = value->as.data;
    size_t size = value->count;
    int64_t exponent = value[1].as.i64;
    if (exponent < -EXPONENT_BIAS || exponent > EXPONENT_MAX - EXPONENT_BIAS)
        return 0;
    if (value->flags & WEIR_CELL_DIGITS) {
        if (size > DIGITS_MAX || weir_magnitude_bytes(value, room, &size) != WEIR_OK)
            return 0;
        magnitude = room;
    }
    for (; size > 0 && *magnitude == 0; size--)
        magnitude++;
    if (size > BYTES_MAX)
        return 0;
    uint64_t high = 0, low = 0;
    for (size_t i = 0; i < size; i++) {
        high = high << 8 | low >> 56;
        low = low << 8 | magnitude[i];
    }
    if (!is_coefficient(high, low))
        return 0;
    uint64_t sign = value->flags & WEIR_CELL_NEGATIVE && size > 0;
    weir_word_put(bytes, low);
    weir_word_put(bytes + 8, high | (uint64_t)(exponent + EXPONENT_BIAS) << COEFFICIENT_HIGH_BITS | sign << 63);
    return 1;
}
