/* Eight bytes as one number, the first byte least significant on every machine: what reads text many characters at a
 * time; and the full product of two such numbers. */
#ifndef WEIR_BASE_WORD_H
#define WEIR_BASE_WORD_H

#include <stdint.h>
#include <string.h>

static inline uint64_t weir_word_at(const void *bytes) {
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

static inline uint32_t weir_word32_at(const void *bytes) {
    uint32_t word;
    memcpy(&word, bytes, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap32(word);
#endif
    return word;
}

static inline void weir_word_put(void *bytes, uint64_t word) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    memcpy(bytes, &word, sizeof(word));
}

/* Copy @size bytes and return what follows them: what is copied is mostly short, and two moves that overlap are cheaper
 * than a call. Nothing else is read or written. */
static inline __attribute__((always_inline)) unsigned char *weir_bytes_put(unsigned char *to, const unsigned char *from,
                                                                           size_t size) {
    if (size > 64) {
        memcpy(to, from, size);
    } else if (size > 32) {
        memcpy(to, from, 32);
        memcpy(to + size - 32, from + size - 32, 32);
    } else if (size >= 16) {
        memcpy(to, from, 16);
        memcpy(to + size - 16, from + size - 16, 16);
    } else if (size >= 8) {
        memcpy(to, from, 8);
        memcpy(to + size - 8, from + size - 8, 8);
    } else if (size >= 4) {
        memcpy(to, from, 4);
        memcpy(to + size - 4, from + size - 4, 4);
    } else if (size > 0) {
        to[0] = from[0];
        to[size / 2] = from[size / 2];
        to[size - 1] = from[size - 1];
    }
    return to + size;
}

struct weir_product {
    uint64_t high;
    uint64_t low;
};

static inline struct weir_product weir_multiply(uint64_t a, uint64_t b) {
#ifdef __SIZEOF_INT128__
    unsigned __int128 product = (unsigned __int128)a * b;
    return (struct weir_product){(uint64_t)(product >> 64), (uint64_t)product};
#else
    uint64_t low = (a & UINT32_MAX) * (b & UINT32_MAX);
    uint64_t middle = (a >> 32) * (b & UINT32_MAX) + (low >> 32);
    uint64_t other = (a & UINT32_MAX) * (b >> 32) + (middle & UINT32_MAX);
    return (struct weir_product){(a >> 32) * (b >> 32) + (middle >> 32) + (other >> 32), a * b};
#endif
}

/* ---- eight decimal digits in a word ---- */

/* Marks in the bytes of @word that are no digits '0' to '9'. */
static inline uint64_t weir_word_others(uint64_t word) {
    uint64_t high = word & UINT64_C(0xF0F0F0F0F0F0F0F0); /* 3 for digits and ":;<=>?" */
    uint64_t over = (word & UINT64_C(0x0F0F0F0F0F0F0F0F)) + UINT64_C(0x0606060606060606); /* above 15 for these six */
    return (high ^ UINT64_C(0x3030303030303030)) | (over & UINT64_C(0x1010101010101010));
}

/* How many of the bytes of @word, from the first, are digits. */
static inline unsigned weir_word_digits(uint64_t word) {
    uint64_t others = weir_word_others(word);
    return others ? (unsigned)__builtin_ctzll(others) / 8 : 8;
}

/* The number that eight digits say. For fewer, shift the word left, so that what comes in is 0. */
static inline uint32_t weir_word_decimal(uint64_t word) {
    word = (word & UINT64_C(0x0F0F0F0F0F0F0F0F)) * 2561 >> 8;
    word = (word & UINT64_C(0x00FF00FF00FF00FF)) * 6553601 >> 16;
    return (uint32_t)((word & UINT64_C(0x0000FFFF0000FFFF)) * UINT64_C(42949672960001) >> 32);
}

/* The eight digits of a number below 10^8, each as a byte 0 to 9, the first in the least significant byte. */
static inline uint64_t weir_word_of_decimal(uint32_t value) {
    uint64_t fours = value / 10000 | (uint64_t)(value % 10000) << 32;
    uint64_t hundreds = (fours * 10486 >> 20) & UINT64_C(0x0000007F0000007F);
    uint64_t pairs = hundreds | (fours - hundreds * 100) << 16;
    uint64_t tens = (pairs * 103 >> 10) & UINT64_C(0x000F000F000F000F);
    return tens | (pairs - tens * 10) << 8;
}

#endif
