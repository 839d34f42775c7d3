/* Text to floats, correctly rounded.
 *
 * In this order, each for what the one before cannot decide:
 *   1. Up to 2^53 and a power of ten up to 10^22 are exact doubles, so one operation rounds once: number.h.
 *   2. 19 digits times a 128-bit power of ten decide every number of up to 19 digits (D. Lemire, "Number parsing at a gigabyte
 *      per second", Software: Practice and Experience 51, 2021; N. Mushtak and D. Lemire, "Fast number parsing without
 *      fallback", 2023), and a longer one whenever its first 19 digits and their successor round to the same float.
 *   3. Big integers compare the number with the point half way between two floats. Such a point has at most 767 significant
 *      digits, so of more digits only "there is something" matters: the work is bounded, however long the text. */
#include "base/number.h"

#include <string.h>

#include "base/powers.h"
#include "base/word.h"

enum {
    MANTISSA_DIGITS = 19,     /* as many as always fit a uint64 */
    DECISIVE_DIGITS = 768,    /* one more than a point half way between two doubles can have */
    EXPONENT_DIGITS_MAX = 18, /* of an exponent that is still added up; more are beyond any float whatever the digits */
    LIMBS_MAX = 128           /* 4096 bits; 2700 are needed: see numbers_order */
};

/* ---- big integers ---- */

struct big {
    unsigned size; /* limbs in use; the last is not 0 */
    uint32_t limbs[LIMBS_MAX];
};

static void big_multiply_add(struct big *big, uint32_t factor, uint32_t summand) {
    uint64_t carry = summand;
    for (unsigned i = 0; i < big->size; i++) {
        carry += (uint64_t)big->limbs[i] * factor;
        big->limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry > 0 && big->size < LIMBS_MAX)
        big->limbs[big->size++] = (uint32_t)carry;
}

static void big_multiply_power5(struct big *big, unsigned exponent) {
    enum { STEP = 13, STEP_POWER = 1220703125 };
    for (; exponent >= STEP; exponent -= STEP)
        big_multiply_add(big, STEP_POWER, 0);
    for (; exponent > 0; exponent--)
        big_multiply_add(big, 5, 0);
}

static void big_shift_left(struct big *big, unsigned bits) {
    unsigned limbs = bits / 32;
    if (big->size == 0 || big->size + limbs > LIMBS_MAX)
        return;
    memmove(big->limbs + limbs, big->limbs, big->size * sizeof(big->limbs[0]));
    memset(big->limbs, 0, limbs * sizeof(big->limbs[0]));
    big->size += limbs;
    big_multiply_add(big, UINT32_C(1) << bits % 32, 0);
}

static int big_order(const struct big *a, const struct big *b) {
    if (a->size != b->size)
        return a->size < b->size ? -1 : 1;
    for (unsigned i = a->size; i-- > 0;)
        if (a->limbs[i] != b->limbs[i])
            return a->limbs[i] < b->limbs[i] ? -1 : 1;
    return 0;
}

/* ---- the text ---- */

static inline int is_digit(char c) {
    return (unsigned char)(c - '0') < 10;
}

/* The digits of a number's text one after the other, whatever the place of the point. */
struct digits {
    const char *next;
    const char *end;
};

static int digits_next(struct digits *digits, uint32_t *ret) {
    if (digits->next < digits->end && *digits->next == '.')
        digits->next++;
    if (digits->next == digits->end || !is_digit(*digits->next))
        return 0;
    *ret = (uint32_t)(*digits->next++ - '0');
    return 1;
}

/* The exponent written at @p behind the 'e'. One too big to matter is cut at 10^18. */
static int64_t exponent_read(const char *p, const char *end) {
    int is_negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+'))
        p++;
    while (p < end && *p == '0')
        p++;
    int64_t value = 0;
    if (end - p > EXPONENT_DIGITS_MAX)
        value = INT64_C(1000000000000000000);
    else
        for (; p < end && is_digit(*p); p++)
            value = value * 10 + (*p - '0');
    return is_negative ? -value : value;
}

struct number {
    uint64_t mantissa; /* the first 19 significant digits */
    int64_t exponent;  /* of ten, for the mantissa */
    int is_negative;
    int is_truncated; /* there are more digits */
};

static struct number number_read(const char *text, size_t size) {
    const char *end = text + size;
    struct number number = {0};
    if (size > 0 && *text == '-') {
        number.is_negative = 1;
        text++;
    }
    int count = 0;
    int is_fraction = 0;
    for (; text < end && (is_digit(*text) || *text == '.'); text++) {
        if (*text == '.') {
            is_fraction = 1;
            continue;
        }
        if (count < MANTISSA_DIGITS) {
            number.mantissa = number.mantissa * 10 + (uint64_t)(*text - '0');
            number.exponent -= is_fraction;
            count += number.mantissa > 0;
        } else {
            number.is_truncated = 1;
            number.exponent += !is_fraction;
        }
    }
    if (text < end)
        number.exponent += exponent_read(text + 1, end);
    return number;
}

/* ---- deciding ---- */

struct format {
    int bits;       /* of the fraction as it is stored */
    int bias;       /* what is added to the binary exponent as it is stored */
    int biased_max; /* the stored exponent of infinity */
    int tie_min;    /* the powers of ten with which 19 digits can lie exactly half way */
    int tie_max;
};
static const struct format format_f64 = {52, 1023, 2047, -4, 23};
static const struct format format_f32 = {23, 127, 255, -17, 10};

/* floor(log2(10^q)). */
static inline int log2_of_power10(int q) {
    return q * 217706 >> 16;
}

/* The float, as it is stored and without sign, nearest to mantissa x 10^exponent; section 8 of Lemire's paper. */
static inline uint64_t nearest(uint64_t mantissa, int64_t exponent, const struct format *format) {
    if (mantissa == 0 || exponent < WEIR_POWER_MIN)
        return 0;
    if (exponent > 308)
        return (uint64_t)format->biased_max << format->bits;
    int q = (int)exponent;
    int zeros = __builtin_clzll(mantissa);
    mantissa <<= zeros;
    const struct weir_power *power = weir_power_of_ten(q);
    struct weir_product product = weir_multiply(mantissa, power->high);
    uint64_t undecided = UINT64_MAX >> (format->bits + 3);
    if ((product.high & undecided) == undecided) {
        uint64_t carry = weir_multiply(mantissa, power->low).high;
        product.low += carry;
        product.high += product.low < carry;
    }
    int top = (int)(product.high >> 63);
    int shift = top + 64 - format->bits - 3;
    uint64_t significand = product.high >> shift; /* two bits more than are stored, the lower one for rounding */
    int biased = log2_of_power10(q) + 63 + top - zeros + format->bias;
    if (biased <= 0) {
        if (biased <= -63)
            return 0;
        significand >>= 1 - biased;
        return (significand + (significand & 1)) >> 1; /* carries into the exponent by itself */
    }
    int is_tie = product.low <= 1 && q >= format->tie_min && q <= format->tie_max && (significand & 3) == 1 &&
                 significand << shift == product.high;
    if (!is_tie)
        significand += significand & 1;
    significand >>= 1;
    uint64_t bits = significand + ((uint64_t)(biased - 1) << format->bits);
    uint64_t infinity = (uint64_t)format->biased_max << format->bits;
    return bits < infinity ? bits : infinity;
}

/* Read the digits that matter into @big. Return: the power of ten to multiply with. */
static int64_t big_read(struct big *big, const char *text, size_t size) {
    struct number number = number_read(text, size); /* for the exponent of the 19th digit */
    struct digits digits = {text + (*text == '-'), text + size};
    uint32_t digit;
    int count = 0;
    int is_more = 0;
    big->size = 0;
    while (digits_next(&digits, &digit)) {
        if (count < DECISIVE_DIGITS) {
            big_multiply_add(big, 10, digit);
            count += big->size > 0;
        } else if (digit != 0) {
            is_more = 1;
            break;
        }
    }
    if (is_more)
        big_multiply_add(big, 10, 1);
    return number.exponent + MANTISSA_DIGITS - count - is_more;
}

/* The order of the number @text and the point half way between @bits and the next float. @text is close to it, so both
 * sides are below 2^1080 x 10^(DECISIVE_DIGITS + 1), and one factor of each is moved to the other side: less than 2700
 * bits. */
static int numbers_order(const char *text, size_t size, uint64_t bits, const struct format *format) {
    struct big number;
    int exponent10 = (int)big_read(&number, text, size);
    uint64_t fraction = bits & ((UINT64_C(1) << format->bits) - 1);
    int biased = (int)(bits >> format->bits);
    uint64_t significand = 2 * (biased ? fraction | UINT64_C(1) << format->bits : fraction) + 1;
    int exponent2 = (biased ? biased : 1) - format->bias - format->bits - 1;
    struct big half = {2, {(uint32_t)significand, (uint32_t)(significand >> 32)}};
    half.size -= half.limbs[1] == 0;
    big_multiply_power5(exponent10 < 0 ? &half : &number, (unsigned)(exponent10 < 0 ? -exponent10 : exponent10));
    int shift = exponent10 - exponent2;
    big_shift_left(shift < 0 ? &half : &number, (unsigned)(shift < 0 ? -shift : shift));
    return big_order(&number, &half);
}

/* More than 19 digits: the number lies between its first 19 and their successor. */
static uint64_t nearest_long(const struct number *number, const char *text, size_t size, const struct format *format) {
    uint64_t bits = nearest(number->mantissa, number->exponent, format);
    uint64_t last = nearest(number->mantissa + 1, number->exponent, format);
    while (bits < last) {
        int order = numbers_order(text, size, bits, format);
        if (order < 0 || (order == 0 && (bits & 1) == 0))
            break;
        bits++;
    }
    return bits;
}

static inline double f64_of_bits(uint64_t bits, int is_negative) {
    double value;
    bits |= (uint64_t)(is_negative != 0) << 63;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

const double weir_f64_powers[WEIR_F64_POWER_MAX + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                        1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                        1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

double weir_f64_from_decimal(uint64_t mantissa, int64_t exponent, int is_negative, int is_truncated, const char *text,
                             size_t size) {
    if (is_truncated) {
        struct number number = {mantissa, exponent, is_negative, 1};
        return f64_of_bits(nearest_long(&number, text, size, &format_f64), is_negative);
    }
    return f64_of_bits(nearest(mantissa, exponent, &format_f64), is_negative);
}

double weir_f64_read(const char *text, size_t size) {
    struct number number = number_read(text, size);
    if (!number.is_truncated && number.exponent >= -WEIR_F64_POWER_MAX && number.exponent <= WEIR_F64_POWER_MAX)
        return weir_f64_from_short_decimal(number.mantissa, (int)number.exponent, number.is_negative);
    return weir_f64_from_decimal(number.mantissa, number.exponent, number.is_negative, number.is_truncated, text, size);
}

float weir_f32_read(const char *text, size_t size) {
    struct number number = number_read(text, size);
    uint64_t found = number.is_truncated ? nearest_long(&number, text, size, &format_f32)
                                         : nearest(number.mantissa, number.exponent, &format_f32);
    uint32_t bits = (uint32_t)found | (uint32_t)number.is_negative << 31;
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}
