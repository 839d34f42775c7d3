/* Integers of any length, kept as they came: decimal digits (from text) or magnitude bytes (from binary formats).
 * Changing the form is quadratic, so integers are bounded: WEIR_DIGITS_MAX digits, which take up to WEIR_MAGNITUDE_MAX
 * bytes. Both forms of one number are the same value; comparing goes through bytes.
 */
#include "value/value.h"

#include <string.h>

enum {
    WORD_BYTES = 4,
    WORDS_MAX = WEIR_MAGNITUDE_MAX / WORD_BYTES,
    CHUNK_DIGITS = 9 /* of a decimal chunk that fits a word */
};
static const uint32_t chunk_base = 1000000000;

static int are_digits(const char *digits, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (digits[i] < '0' || digits[i] > '9')
            return 0;
    return size > 0;
}

/* The value of digits that fit uint64. Return: 1 when they do. */
static int small_magnitude(const char *digits, size_t size, uint64_t *ret) {
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, digits[i] - '0', &value))
            return 0;
    *ret = value;
    return 1;
}

int weir_integer_from_digits(struct weir_value *cell, const char *digits, size_t size, int is_negative) {
    if (!are_digits(digits, size))
        return WEIR_EINVAL;
    while (size > 1 && *digits == '0') {
        digits++;
        size--;
    }
    if (size > WEIR_DIGITS_MAX)
        return WEIR_ELIMIT;
    uint64_t magnitude;
    *cell = (struct weir_value){.kind = WEIR_KIND_INT64};
    int is_small = small_magnitude(digits, size, &magnitude);
    if (is_small && magnitude <= (uint64_t)INT64_MAX + (is_negative ? 1 : 0)) {
        cell->as.u64 = is_negative ? 0 - magnitude : magnitude;
    } else if (is_small && !is_negative) {
        cell->kind = WEIR_KIND_UINT64;
        cell->as.u64 = magnitude;
    } else {
        cell->kind = WEIR_KIND_BIGINT;
        cell->flags = (uint8_t)(WEIR_CELL_DIGITS | (is_negative ? WEIR_CELL_NEGATIVE : 0));
        cell->count = (uint32_t)size;
        cell->as.data = (const unsigned char *)digits;
    }
    return WEIR_OK;
}

size_t weir_magnitude_digits_max(const struct weir_value *value) {
    return value->flags & WEIR_CELL_DIGITS ? value->count : (size_t)value->count * 5 / 2 + 1; /* log10 256 is 2.41 */
}

size_t weir_magnitude_bytes_max(const struct weir_value *value) {
    return value->flags & WEIR_CELL_DIGITS ? (size_t)value->count * 5 / 12 + 1 : value->count; /* log256 10 is 0.4153 */
}

/* Load magnitude bytes into words, least significant word first. Return: how many, the top one not 0. */
static size_t words_load(uint32_t *words, const unsigned char *bytes, size_t size) {
    size_t count = 0;
    while (size > 0) {
        uint32_t word = 0;
        size_t take = size < WORD_BYTES ? size : WORD_BYTES;
        for (size_t i = size - take; i < size; i++)
            word = word << 8 | bytes[i];
        words[count++] = word;
        size -= take;
    }
    while (count > 0 && words[count - 1] == 0)
        count--;
    return count;
}

/* Divide the words by the chunk base. Return: the remainder. */
static uint32_t words_divide(uint32_t *words, size_t *count) {
    uint64_t remainder = 0;
    for (size_t i = *count; i-- > 0;) {
        uint64_t part = remainder << 32 | words[i];
        words[i] = (uint32_t)(part / chunk_base);
        remainder = part % chunk_base;
    }
    if (words[*count - 1] == 0)
        (*count)--;
    return (uint32_t)remainder;
}

int weir_magnitude_digits(const struct weir_value *value, char *text, size_t *ret_size) {
    if (value->flags & WEIR_CELL_DIGITS) {
        memcpy(text, value->as.data, value->count);
        *ret_size = value->count;
        return WEIR_OK;
    }
    if (value->count > WEIR_MAGNITUDE_MAX)
        return WEIR_ELIMIT;
    uint32_t words[WORDS_MAX];
    uint32_t chunks[WORDS_MAX * 15 / 14 + 2]; /* 9 digits hold 29.9 of a word's 32 bits */
    size_t count = words_load(words, value->as.data, value->count);
    size_t chunk_count = 0;
    while (count > 0)
        chunks[chunk_count++] = words_divide(words, &count);
    char *at = text;
    for (size_t i = chunk_count; i-- > 0;) {
        char digits[CHUNK_DIGITS];
        uint32_t left = chunks[i];
        for (int d = CHUNK_DIGITS; d-- > 0; left /= 10)
            digits[d] = (char)('0' + left % 10);
        int skip = 0;
        while (at == text && skip < CHUNK_DIGITS && digits[skip] == '0')
            skip++;
        memcpy(at, digits + skip, (size_t)(CHUNK_DIGITS - skip));
        at += CHUNK_DIGITS - skip;
    }
    if (at == text)
        *at++ = '0';
    *ret_size = (size_t)(at - text);
    return WEIR_OK;
}

int weir_magnitude_is_within(const unsigned char *bytes, size_t size) {
    /* 10^WEIR_DIGITS_MAX begins like this, and has WEIR_MAGNITUDE_MAX bytes. Only what begins in the same way is
     * counted out. */
    static const unsigned char limit[] = {0xd7, 0x2c, 0xb2, 0xa9, 0x5c, 0x7e, 0xf6, 0xcc};
    if (size != WEIR_MAGNITUDE_MAX)
        return size < WEIR_MAGNITUDE_MAX;
    int order = memcmp(bytes, limit, sizeof(limit));
    if (order != 0)
        return order < 0;
    const struct weir_value magnitude = {.kind = WEIR_KIND_BIGINT, .count = (uint32_t)size, .as.data = bytes};
    char digits[WEIR_DIGITS_MAX + 200];
    size_t count;
    return weir_magnitude_digits(&magnitude, digits, &count) == WEIR_OK && count <= WEIR_DIGITS_MAX;
}

/* words = words * factor + addend. */
static void words_multiply(uint32_t *words, size_t *count, uint32_t factor, uint32_t addend) {
    uint64_t carry = addend;
    for (size_t i = 0; i < *count; i++) {
        carry += (uint64_t)words[i] * factor;
        words[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry > 0)
        words[(*count)++] = (uint32_t)carry;
}

static size_t words_store(const uint32_t *words, size_t count, unsigned char *bytes) {
    unsigned char *at = bytes;
    for (size_t i = count; i-- > 0;)
        for (int shift = 24; shift >= 0; shift -= 8) {
            unsigned char byte = (unsigned char)(words[i] >> shift);
            if (at > bytes || byte != 0)
                *at++ = byte;
        }
    return (size_t)(at - bytes);
}

int weir_magnitude_bytes(const struct weir_value *value, unsigned char *bytes, size_t *ret_size) {
    const unsigned char *data = value->as.data;
    size_t size = value->count;
    if (!(value->flags & WEIR_CELL_DIGITS)) {
        while (size > 0 && *data == 0) {
            data++;
            size--;
        }
        memcpy(bytes, data, size);
        *ret_size = size;
        return WEIR_OK;
    }
    if (size > WEIR_DIGITS_MAX)
        return WEIR_ELIMIT;
    uint32_t words[WORDS_MAX + 1];
    size_t count = 0;
    while (size > 0) {
        uint32_t chunk = 0;
        uint32_t factor = 1;
        for (int d = 0; d < CHUNK_DIGITS && size > 0; d++, size--) {
            chunk = chunk * 10 + (uint32_t)(*data++ - '0');
            factor *= 10;
        }
        words_multiply(words, &count, factor, chunk);
    }
    *ret_size = words_store(words, count, bytes);
    return WEIR_OK;
}
