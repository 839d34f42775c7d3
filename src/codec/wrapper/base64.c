/* Base64, RFC 4648 section 4: the alphabet with '+' and '/', padded. Reading takes only what writing gives: no blanks,
 * no missing padding, no bits set behind the last byte, so that a text stands for one string of bytes and back. */
#include <string.h>

#include "codec/wrapper/wrapper.h"

static const char alphabet[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t weir_base64_encode(const unsigned char *data, size_t size, unsigned char *to) {
    unsigned char *begin = to;
    for (; size >= 3; data += 3, size -= 3, to += 4) {
        uint32_t bits = (uint32_t)data[0] << 16 | (uint32_t)data[1] << 8 | data[2];
        to[0] = (unsigned char)alphabet[bits >> 18];
        to[1] = (unsigned char)alphabet[bits >> 12 & 63];
        to[2] = (unsigned char)alphabet[bits >> 6 & 63];
        to[3] = (unsigned char)alphabet[bits & 63];
    }
    if (size > 0) {
        uint32_t bits = (uint32_t)data[0] << 16 | (size > 1 ? (uint32_t)data[1] << 8 : 0);
        to[0] = (unsigned char)alphabet[bits >> 18];
        to[1] = (unsigned char)alphabet[bits >> 12 & 63];
        to[2] = size > 1 ? (unsigned char)alphabet[bits >> 6 & 63] : '=';
        to[3] = '=';
        to += 4;
    }
    return (size_t)(to - begin);
}

/* What each byte stands for, plus 1; 0 for bytes outside the alphabet. */
static const uint8_t sextets[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64,
};

/* The bits of four letters, of which @count are not padding. Return: 24 bits; above them marks of a letter that is
 * none. */
static inline uint32_t group_bits(const unsigned char *text, unsigned count) {
    uint32_t bits = 0;
    uint32_t wrong = 0;
    for (unsigned i = 0; i < 4; i++) {
        uint32_t sextet = i < count ? sextets[text[i]] - 1u : 0;
        wrong |= sextet & ~UINT32_C(63);
        bits = bits << 6 | (sextet & 63);
    }
    return bits | (wrong ? UINT32_C(1) << 24 : 0);
}

static inline void put_bits(unsigned char *to, uint32_t bits, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        to[i] = (unsigned char)(bits >> (16 - 8 * i));
}

int weir_base64_decode(const unsigned char *text, size_t size, unsigned char *to, size_t *ret_size) {
    if (size % 4 != 0)
        return WEIR_EINVAL;
    unsigned padding = size > 0 && text[size - 1] == '=';
    padding += padding && text[size - 2] == '=';
    unsigned char *begin = to;
    uint32_t wrong = 0;
    const unsigned char *end = text + size - (padding ? 4 : 0);
    for (; text < end; text += 4, to += 3) {
        uint32_t bits = group_bits(text, 4);
        wrong |= bits >> 24;
        put_bits(to, bits, 3);
    }
    if (padding) {
        uint32_t bits = group_bits(text, 4 - padding);
        wrong |= bits >> 24 | (bits & (padding == 1 ? 0xFFu : 0xFFFFu));
        put_bits(to, bits, 3 - padding);
        to += 3 - padding;
    }
    *ret_size = (size_t)(to - begin);
    return wrong ? WEIR_EINVAL : WEIR_OK;
}
