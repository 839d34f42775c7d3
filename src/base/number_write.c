/* Numbers to text.
 *
 * Floats: the shortest decimal that lies in the interval which reads back to the same float, and of the shortest ones
 * the nearest; R. Giulietti, "The Schubfach way to render doubles", 2021. Scaled by 4 x 10^-k, the float and the two
 * ends of its interval become small integers, computed with one 128-bit power of ten each and a sticky last bit; k is
 * chosen so that the interval holds at least one and mostly less than ten integers, and then a few comparisons decide.
 * Most doubles need only one of the three: shortest_quickly. Those with few digits need none: ten_thousand_times. */
#include "base/number.h"

#include <math.h>
#include <string.h>

#include "base/digits.h"
#include "base/powers.h"
#include "base/word.h"

#define UNLIKELY(x) __builtin_expect(!!(x), 0)

enum {
    POINT_MIN = -3, /* 0.0001 */
    POINT_MAX = 16  /* 1234567890123456.0 */
};

/* ---- integers ---- */

static const char pairs[201] = "00010203040506070809"
                               "10111213141516171819"
                               "20212223242526272829"
                               "30313233343536373839"
                               "40414243444546474849"
                               "50515253545556575859"
                               "60616263646566676869"
                               "70717273747576777879"
                               "80818283848586878889"
                               "90919293949596979899";

static inline void put_pair(char *text, uint32_t value) {
    memcpy(text, pairs + 2 * value, 2);
}

static inline void put_eight(char *text, uint32_t value) {
    weir_word_put(text, weir_word_of_decimal(value) | ASCII_ZEROS);
}

/* One to four digits. */
static inline size_t put_up_to_four(char *text, uint32_t value) {
    if (value < 100) {
        if (value < 10) {
            text[0] = (char)('0' + value);
            return 1;
        }
        put_pair(text, value);
        return 2;
    }
    size_t is_four = value >= 1000;
    put_pair(text, value / 100); /* "0d" when there are three */
    text[0] = is_four ? text[0] : text[1];
    put_pair(text + 1 + is_four, value % 100);
    return 3 + is_four;
}

/* One to eight digits. */
static inline size_t put_up_to_eight(char *text, uint32_t value) {
    if (value < 10000)
        return put_up_to_four(text, value);
    size_t size = put_up_to_four(text, value / 10000);
    put_pair(text + size, value % 10000 / 100);
    put_pair(text + size + 2, value % 100);
    return size + 4;
}

size_t weir_u64_write(char *text, uint64_t value) {
    if (value < 100000000)
        return put_up_to_eight(text, (uint32_t)value);
    uint64_t high = value / 100000000;
    size_t size;
    if (high < 100000000) {
        size = put_up_to_eight(text, (uint32_t)high);
    } else {
        size = put_up_to_four(text, (uint32_t)(high / 100000000));
        put_eight(text + size, (uint32_t)(high % 100000000));
        size += 8;
    }
    put_eight(text + size, (uint32_t)(value % 100000000));
    return size + 8;
}

size_t weir_i64_write(char *text, int64_t value) {
    if (value >= 0)
        return weir_u64_write(text, (uint64_t)value);
    text[0] = '-';
    return 1 + weir_u64_write(text + 1, 0 - (uint64_t)value);
}

/* ---- laying out digits ---- */

struct decimal {
    uint64_t digits; /* not 0, below 10^17 */
    int exponent;    /* of ten */
};

static const uint64_t powers[WEIR_DIGITS_COUNT + 1] = {1,
                                                       10,
                                                       100,
                                                       1000,
                                                       10000,
                                                       100000,
                                                       1000000,
                                                       10000000,
                                                       100000000,
                                                       1000000000,
                                                       10000000000,
                                                       100000000000,
                                                       1000000000000,
                                                       10000000000000,
                                                       100000000000000,
                                                       1000000000000000,
                                                       10000000000000000,
                                                       100000000000000000};

static inline int digits_count(uint64_t value) {
    int guess = (64 - __builtin_clzll(value)) * 1233 >> 12; /* log10 2 is 0.30103; the guess is right or one less */
    return guess + (value >= powers[guess]);
}

static size_t put_exponent(char *text, int exponent) {
    char *p = text;
    *p++ = 'e';
    if (exponent < 0) {
        *p++ = '-';
        exponent = -exponent;
    }
    return (size_t)(p - text) + put_up_to_four(p, (uint32_t)exponent);
}

/* @point digits stand before the '.'. Words reach over the end of what counts, within WEIR_F64_TEXT_MAX. */
static inline size_t put_digits(char *text, const struct weir_digits *digits, int point) {
    size_t count = digits->count;
    if (point > POINT_MAX || point < POINT_MIN) {
        weir_digits_put(text + 1, digits);
        text[0] = digits->first;
        text[1] = '.';
        size_t size = count > 1 ? count + 1 : 1;
        return size + put_exponent(text + size, point - 1);
    }
    if (point <= 0) {
        memcpy(text, "0.000000", 8);
        weir_digits_put(text + 2 - point, digits);
        return (size_t)(2 - point) + count;
    }
    unsigned before = (unsigned)point;
    weir_digits_put_with_point(text, digits, before);
    return count > before ? count + 1 : before + 2;
}

/* @filled: seventeen digits, the first not 0. */
static inline size_t put_filled(char *text, int is_negative, uint64_t filled, int point) {
    struct weir_digits digits = weir_digits_of(filled);
    text[0] = '-';
    text += is_negative;
    return (size_t)is_negative + put_digits(text, &digits, point);
}

static size_t put_decimal(char *text, int is_negative, struct decimal decimal) {
    int count = digits_count(decimal.digits);
    return put_filled(text, is_negative, decimal.digits * powers[WEIR_DIGITS_COUNT - count], count + decimal.exponent);
}

static size_t put_zero(char *text, int is_negative) {
    memcpy(text, is_negative ? "-0.0" : "0.0", 4);
    return 3 + (size_t)is_negative;
}

/* ---- the shortest decimal ---- */

/* floor(log10(2^e)), floor(log10(3/4 x 2^e)) and floor(log2(10^e)), for |e| <= 1650 at least. Shifts of negative
 * numbers are arithmetic in every compiler that this is built with. */
static inline int log10_of_power2(int e) {
    return e * 1262611 >> 22;
}
static inline int log10_of_three_quarters(int e) {
    return (e * 1262611 - 524031) >> 22;
}
static inline int log2_of_power10(int e) {
    return e * 1741647 >> 19;
}

/* floor(power x scaled / 2^128), its last bit set when it is not exact. */
static inline uint64_t to_odd_64(struct weir_power power, uint64_t scaled) {
    uint64_t carry = weir_multiply(power.low, scaled).high;
    struct weir_product top = weir_multiply(power.high, scaled);
    uint64_t middle = top.low + carry;
    return (top.high + (middle < carry)) | (middle > 1);
}

/* The same for a 32-bit number, where 64 bits of the power are enough: floor(power x scaled / 2^64). */
static inline uint64_t to_odd_32(struct weir_power power, uint64_t scaled) {
    struct weir_product product = weir_multiply(power.high + (power.low != 0), scaled);
    return product.high | (product.low >> 32 > 1);
}

/* The choice of section 9 of the paper. @lower, @middle, @upper: the interval and the float in quarters of a unit. */
static inline struct decimal choose(uint64_t lower, uint64_t middle, uint64_t upper, int k) {
    uint64_t unit = middle / 4;
    uint64_t tens = unit / 10;
    int is_low_inside = lower <= 40 * tens;
    int is_high_inside = 40 * tens + 40 <= upper;
    if (tens > 0 && is_low_inside != is_high_inside)
        return (struct decimal){tens + (uint64_t)is_high_inside, k + 1};
    is_low_inside = lower <= 4 * unit;
    is_high_inside = 4 * unit + 4 <= upper;
    if (is_low_inside != is_high_inside)
        return (struct decimal){unit + (uint64_t)is_high_inside, k};
    uint64_t half = 4 * unit + 2;
    return (struct decimal){unit + (middle > half || (middle == half && (unit & 1))), k};
}

/* significand x 2^exponent, not 0. @is_edge: the float below is only half as far away as the one above. */
static inline struct decimal shortest(uint64_t significand, int exponent, int is_edge, int is_double) {
    int is_odd = significand & 1;
    int k = is_edge ? log10_of_three_quarters(exponent) : log10_of_power2(exponent);
    int shift = exponent + log2_of_power10(-k) + 1;
    struct weir_power power = weir_power_rounded_up(-k);
    uint64_t middle = 4 * significand << shift;
    uint64_t upper = (4 * significand + 2) << shift;
    uint64_t lower = (4 * significand - 2 + (uint64_t)is_edge) << shift;
    if (is_double)
        return choose(to_odd_64(power, lower) + is_odd, to_odd_64(power, middle), to_odd_64(power, upper) - is_odd, k);
    return choose(to_odd_32(power, lower) + is_odd, to_odd_32(power, middle), to_odd_32(power, upper) - is_odd, k);
}

/* The same for most doubles, with one product instead of three: significand has 53 bits and is not an edge. What is
 * above a multiple of ten and the interval's half width are compared as numbers with 60 bits behind the point, each
 * wrong by little more than its last bit. Return: 0 when they are so near to each other, or the fraction to one half,
 * that this does not decide. */
static inline int shortest_quickly(uint64_t significand, int exponent, struct decimal *ret) {
    static const uint64_t ten = UINT64_C(10) << 60;
    static const uint64_t half = UINT64_C(1) << 63;
    int k = log10_of_power2(exponent);
    int shift = exponent + log2_of_power10(-k) + 1; /* 1 to 4 */
    const struct weir_power *power = weir_power_of_ten(-k);
    uint64_t scaled = significand << shift;
    struct weir_product units = weir_multiply(power->high, scaled); /* and a fraction of 64 bits */
    uint64_t carry = weir_multiply(power->low, scaled).high;
    units.low += carry;
    units.high += units.low < carry;
    uint64_t tens = units.high / 10 * 10;
    uint64_t above = (units.high - tens) << 60 | units.low >> 4;
    uint64_t reach = power->high >> (5 - shift);
    if (UNLIKELY((above - reach + 2 <= 4) | (above + reach - ten + 2 <= 4) | (units.low - half + 1 <= 1)))
        return 0;
    uint64_t digits = units.high + (units.low >> 63);
    digits = above < reach ? tens : digits;
    digits = above + reach > ten ? tens + 10 : digits;
    *ret = (struct decimal){digits, k};
    return 1;
}

/* A float that is an integer below 2^53 (2^24) is its own shortest decimal. */
static inline int is_small_integer(uint64_t significand, int exponent, int bits) {
    return exponent <= 0 && exponent > -bits && (significand & ((UINT64_C(1) << -exponent) - 1)) == 0;
}

static __attribute__((noinline)) size_t write_any_f64(char *text, int is_negative, uint64_t fraction, int biased) {
    if (biased == 0 && fraction == 0)
        return put_zero(text, is_negative);
    uint64_t significand = biased ? fraction | UINT64_C(1) << 52 : fraction;
    int exponent = (biased ? biased : 1) - 1075;
    if (is_small_integer(significand, exponent, 53))
        return put_decimal(text, is_negative, (struct decimal){significand >> -exponent, 0});
    return put_decimal(text, is_negative, shortest(significand, exponent, fraction == 0 && biased > 1, 1));
}

/* Ten thousand times a number as people and sensors send it, with up to four digits behind the point and fifteen in
 * all; -1 for others. When a decimal of fifteen digits reads back to the same double no other one does, so it is
 * the shortest but for zeros at its end. The quotient of two exact doubles is rounded once, as reading the text
 * would: in the default rounding mode. */
static inline int64_t ten_thousand_times(double magnitude) {
    static const double scale = 10000;
    if (FLT_EVAL_METHOD != 0 || !(magnitude < 1e11))
        return -1;
    int64_t scaled = (int64_t)(magnitude * scale + 0.5);
    return (double)scaled / scale == magnitude ? scaled : -1;
}

static __attribute__((noinline)) size_t write_few_digits(char *text, int is_negative, uint64_t scaled) {
    uint32_t behind = (uint32_t)(scaled % 10000);
    text[0] = '-';
    size_t size = (size_t)is_negative;
    size += weir_u64_write(text + size, scaled / 10000);
    text[size] = '.';
    put_pair(text + size + 1, behind / 100);
    put_pair(text + size + 3, behind % 100);
    if (behind % 100 == 0)
        return size + 2 + (behind % 1000 != 0);
    return size + 4 + (behind % 10 != 0);
}

size_t weir_f64_write(char *text, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    int is_negative = (int)(bits >> 63);
    int64_t scaled = ten_thousand_times(fabs(value));
    if (scaled >= 0)
        return write_few_digits(text, is_negative, (uint64_t)scaled);
    uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
    int biased = (int)(bits >> 52 & 2047);
    uint64_t significand = fraction | UINT64_C(1) << 52;
    struct decimal decimal;
    if (biased == 0 || fraction == 0 || is_small_integer(significand, biased - 1075, 53) ||
        !shortest_quickly(significand, biased - 1075, &decimal))
        return write_any_f64(text, is_negative, fraction, biased);
    int is_short = decimal.digits < powers[WEIR_DIGITS_COUNT - 1];
    uint64_t filled = decimal.digits * (1 + 9 * (unsigned)is_short);
    return put_filled(text, is_negative, filled, decimal.exponent + WEIR_DIGITS_COUNT - is_short);
}

size_t weir_f32_write(char *text, float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    int is_negative = (int)(bits >> 31);
    uint32_t fraction = bits & ((UINT32_C(1) << 23) - 1);
    int biased = (int)(bits >> 23 & 255);
    if (biased == 0 && fraction == 0)
        return put_zero(text, is_negative);
    uint64_t significand = biased ? fraction | UINT32_C(1) << 23 : fraction;
    int exponent = (biased ? biased : 1) - 150;
    if (is_small_integer(significand, exponent, 24))
        return put_decimal(text, is_negative, (struct decimal){significand >> -exponent, 0});
    return put_decimal(text, is_negative, shortest(significand, exponent, fraction == 0 && biased > 1, 0));
}
