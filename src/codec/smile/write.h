/* Single values and names as Smile, in the forms that Jackson's generator gives them. The put functions write where
 * there is room for WRITE_ROOM bytes and the text, and return what follows; the others are for what is rare and find
 * the room themselves. */
#ifndef WEIR_CODEC_SMILE_WRITE_H
#define WEIR_CODEC_SMILE_WRITE_H

#include "base/utf8.h"
#include "codec/smile/smile.h"

enum {
    WRITE_ROOM = 32,      /* tokens and numbers, and words that are written too far */
    LONG_ASCII_MAX = 2666 /* bytes of a text that is looked through for its token; Jackson has a buffer of that size */
};

/* ---- numbers ---- */

/* A number of up to 64 bits: seven in each byte, six in the last. */
static inline unsigned char *weir_smile_put_vint(unsigned char *to, uint64_t number) {
    uint64_t groups = number >> 6;
    unsigned count =
        (70u - (unsigned)__builtin_clzll(groups | 1)) * 37 >> 8; /* by 7: bytes of the groups, at least 1 */
    if (UNLIKELY(count > 8))
        *to++ = (unsigned char)(groups >> 56), count = 8;
    count = groups == 0 ? 0 : count;
    weir_smile_store(to, weir_smile_split(groups & UINT64_C(0x00ffffffffffffff)) << (64 - 8 * count) % 64);
    to[count] = (unsigned char)(0x80 | (number & 0x3f));
    return to + count + 1;
}

static inline unsigned char *weir_smile_put_i64(unsigned char *to, int64_t number) {
    uint64_t zigzag = weir_smile_zigzag(number);
    if (zigzag < 32) {
        *to = (unsigned char)(SMILE_SMALL_INT + zigzag);
        return to + 1;
    }
    *to = zigzag <= UINT32_MAX ? SMILE_INT32 : SMILE_INT64;
    return weir_smile_put_vint(to + 1, zigzag);
}

static inline unsigned char *weir_smile_put_f64(unsigned char *to, uint64_t bits) {
    to[0] = SMILE_FLOAT64;
    to[1] = (unsigned char)(bits >> 63);
    to[2] = (unsigned char)(bits >> 56 & 0x7f);
    weir_smile_store(to + 3, weir_smile_split(bits & UINT64_C(0x00ffffffffffffff)));
    return to + 11;
}

/* ---- texts ---- */

/* Copy a text of up to SMILE_SHORT_MAX bytes. Return: what follows it; *ret_is_ascii: whether it is. Both come from
 * the same loads, as reading back what was just written in other widths would wait for it. */
ALWAYS_INLINE unsigned char *weir_smile_put_short(unsigned char *to, const unsigned char *text, size_t size,
                                                  int *ret_is_ascii) {
    static const uint64_t high_bits = UINT64_C(0x8080808080808080);
    uint64_t bits;
    if (size >= 8) {
        uint64_t last = weir_word_at(text + size - 8);
        bits = last;
        for (size_t i = 0; i + 8 < size; i += 8) {
            uint64_t word = weir_word_at(text + i);
            weir_word_put(to + i, word);
            bits |= word;
        }
        weir_word_put(to + size - 8, last);
    } else if (size >= 4) {
        uint32_t first, last;
        memcpy(&first, text, 4);
        memcpy(&last, text + size - 4, 4);
        memcpy(to, &first, 4);
        memcpy(to + size - 4, &last, 4);
        bits = first | last;
    } else {
        unsigned char first = text[0], middle = text[size / 2], last = text[size - 1];
        to[0] = first;
        to[size / 2] = middle;
        to[size - 1] = last;
        bits = first | middle | last;
    }
    *ret_is_ascii = (bits & high_bits) == 0;
    return to + size;
}

/* A text up to an end marker. */
static inline unsigned char *weir_smile_put_long(unsigned char *to, unsigned token, const unsigned char *text,
                                                 size_t size) {
    *to = (unsigned char)token;
    memcpy(to + 1, text, size);
    to[1 + size] = SMILE_TEXT_END;
    return to + size + 2;
}

static inline unsigned char *weir_smile_put_text(unsigned char *to, const unsigned char *text, size_t size) {
    if (size == 0) {
        *to = SMILE_EMPTY;
        return to + 1;
    }
    if (LIKELY(size <= SMILE_SHORT_MAX)) {
        int is_ascii;
        unsigned char *end = weir_smile_put_short(to + 1, text, size, &is_ascii);
        *to = (unsigned char)(is_ascii ? SMILE_ASCII + size - 1 : SMILE_UNICODE + size - 2);
        return end;
    }
    int is_ascii = size <= LONG_ASCII_MAX && weir_is_ascii(text, size, text + size);
    return weir_smile_put_long(to, is_ascii ? SMILE_LONG_ASCII : SMILE_LONG_UNICODE, text, size);
}

static inline unsigned char *weir_smile_put_name(unsigned char *to, const unsigned char *text, size_t size) {
    if (size == 0) {
        *to = SMILE_EMPTY;
        return to + 1;
    }
    if (LIKELY(size <= SMILE_SHORT_MAX)) {
        int is_ascii;
        unsigned char *end = weir_smile_put_short(to + 1, text, size, &is_ascii);
        *to = (unsigned char)(is_ascii ? SMILE_NAME_ASCII + size - 1 : SMILE_NAME_UNICODE + size - 2);
        if (LIKELY(is_ascii || size <= SMILE_UNICODE_NAME_MAX))
            return end;
    }
    return weir_smile_put_long(to, SMILE_NAME_LONG, text, size);
}

/* A name of 1 to 16 bytes as smile_name_key has it. */
ALWAYS_INLINE unsigned char *weir_smile_put_name_words(unsigned char *to, uint64_t first, uint64_t last, size_t size) {
    static const uint64_t high_bits = UINT64_C(0x8080808080808080);
    int is_ascii = ((first | last) & high_bits) == 0;
    *to = (unsigned char)(is_ascii ? SMILE_NAME_ASCII + size - 1 : SMILE_NAME_UNICODE + size - 2);
    weir_word_put(to + 1, first);
    if (size > 8)
        weir_word_put(to + 1 + size - 8, last);
    return to + 1 + size;
}

static inline unsigned char *weir_smile_put_name_reference(unsigned char *to, unsigned index) {
    if (LIKELY(index < SMILE_SHORT_INDICES)) {
        *to = (unsigned char)(SMILE_NAME_SHARED + index);
        return to + 1;
    }
    to[0] = (unsigned char)(SMILE_NAME_SHARED_LONG | index >> 8);
    to[1] = (unsigned char)index;
    return to + 2;
}

/* ---- what is rare ---- */

/* An INT64 or UINT64. */
unsigned char *weir_smile_put_integer(unsigned char *to, const struct weir_value *value);
/* Append a value that holds no others, whatever it is: its native form, or the plain one of a kind that has none.
 * Return: WEIR_OK, WEIR_ENOMEM, WEIR_ELIMIT. */
int weir_smile_write_value(const struct weir_value *value, struct weir_buffer *out);

#endif
