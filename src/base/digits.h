/* Seventeen decimal digits as text, in registers: stored and loaded again with other sizes, they would have to wait for
 * memory. On x86-64 the sixteen behind the first are one vector, elsewhere two words. */
#ifndef WEIR_BASE_DIGITS_H
#define WEIR_BASE_DIGITS_H

#include <stddef.h>
#include <stdint.h>

#include "base/word.h"

#ifdef __x86_64__
#include <emmintrin.h>
#endif

enum { WEIR_DIGITS_COUNT = 17, WEIR_DIGITS_ROOM = 18 /* bytes that putting them with a point may write */ };

#define ASCII_ZEROS UINT64_C(0x3030303030303030)

#ifdef __x86_64__

typedef __m128i sixteen_digits;

/* The digits of @high and @low, both below 10^8, each as a byte 0 to 9. Halved three times: eight digits to four, to
 * two, to one. */
static inline sixteen_digits sixteen_of(uint32_t high, uint32_t low) {
    __m128i eights = _mm_set_epi64x(low, high);
    __m128i above = _mm_srli_epi64(_mm_mul_epu32(eights, _mm_set1_epi32((int)3518437209)), 45);
    __m128i below = _mm_sub_epi32(eights, _mm_mul_epu32(above, _mm_set1_epi32(10000)));
    __m128i fours = _mm_or_si128(above, _mm_slli_epi64(below, 32));
    above = _mm_srli_epi16(_mm_mulhi_epu16(fours, _mm_set1_epi16(5243)), 3);
    below = _mm_sub_epi16(fours, _mm_mullo_epi16(above, _mm_set1_epi16(100)));
    __m128i pairs = _mm_or_si128(above, _mm_slli_epi32(below, 16));
    above = _mm_mulhi_epu16(pairs, _mm_set1_epi16(6554));
    return _mm_sub_epi16(_mm_slli_epi16(pairs, 8), _mm_mullo_epi16(above, _mm_set1_epi16(10 * 256 - 1)));
}

/* How many there are without the zeros at the end. */
static inline size_t sixteen_count(sixteen_digits digits) {
    unsigned zeros = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(digits, _mm_setzero_si128()));
    return 32 - (size_t)__builtin_clz((zeros ^ 0xFFFF) << 1 | 1) - 1;
}

static inline sixteen_digits sixteen_text(sixteen_digits digits) {
    return _mm_or_si128(digits, _mm_set1_epi8('0'));
}

static inline void sixteen_put(char *text, sixteen_digits digits) {
    _mm_storeu_si128((__m128i *)(void *)text, digits);
}

static inline uint64_t sixteen_begin(sixteen_digits digits) {
    return (uint64_t)_mm_cvtsi128_si64(digits);
}

static inline uint64_t sixteen_end(sixteen_digits digits) {
    return (uint64_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(digits, digits));
}

#else

typedef struct {
    uint64_t begin;
    uint64_t end;
} sixteen_digits;

static inline sixteen_digits sixteen_of(uint32_t high, uint32_t low) {
    return (sixteen_digits){weir_word_of_decimal(high), weir_word_of_decimal(low)};
}

static inline size_t sixteen_count(sixteen_digits digits) {
    if (digits.end)
        return 16 - (size_t)__builtin_clzll(digits.end) / 8;
    return digits.begin ? 8 - (size_t)__builtin_clzll(digits.begin) / 8 : 0;
}

static inline sixteen_digits sixteen_text(sixteen_digits digits) {
    return (sixteen_digits){digits.begin | ASCII_ZEROS, digits.end | ASCII_ZEROS};
}

static inline void sixteen_put(char *text, sixteen_digits digits) {
    weir_word_put(text, digits.begin);
    weir_word_put(text + 8, digits.end);
}

static inline uint64_t sixteen_begin(sixteen_digits digits) {
    return digits.begin;
}

static inline uint64_t sixteen_end(sixteen_digits digits) {
    return digits.end;
}

#endif

struct weir_digits {
    sixteen_digits rest; /* the digits behind the first, as text */
    size_t count;        /* of the digits that matter; zeros follow */
    char first;
};

/* @value has seventeen digits. */
static inline struct weir_digits weir_digits_of(uint64_t value) {
    uint32_t high = (uint32_t)(value / 100000000);
    uint32_t low = (uint32_t)(value % 100000000);
    uint32_t first = high / 100000000;
    sixteen_digits rest = sixteen_of(high - first * 100000000, low);
    return (struct weir_digits){sixteen_text(rest), 1 + sixteen_count(rest), (char)('0' + first)};
}

static inline void weir_digits_put(char *text, const struct weir_digits *digits) {
    text[0] = digits->first;
    sixteen_put(text + 1, digits->rest);
}

/* Move the bytes of @word from the one at @from on, 0 to 8, behind the next. */
static inline uint64_t word_parted(uint64_t word, unsigned from) {
    uint64_t unit = UINT64_C(1) << 4 * from << 4 * from;
    return (word & (unit - 1)) | (word & (0 - unit)) << 8;
}

/* All of them, with a '.' behind the first @before, 1 to 16: first as they stand behind it, then over that as they
 * stand before. */
static inline void weir_digits_put_with_point(char *text, const struct weir_digits *digits, unsigned before) {
    uint64_t begin = sixteen_begin(digits->rest);
    uint64_t word = begin << 8 | (unsigned char)digits->first;
    weir_digits_put(text + 1, digits);
    if (before < 8) {
        weir_word_put(text, word_parted(word, before));
    } else {
        weir_word_put(text, word);
        weir_word_put(text + 8, word_parted(sixteen_end(digits->rest) << 8 | begin >> 56, before - 8));
    }
    text[before] = '.';
}

#endif
