/* Looking at a block of bytes at once: which of them end a run of plain text, which are blanks. SSE2 and SSSE3 where
 * there are, otherwise eight bytes in a word.
 *
 * A mask has its lowest mark at the first byte found; block_index turns it into that byte's index. Higher marks may be
 * wrong. */
#ifndef WEIR_CODEC_JSON_BLOCK_H
#define WEIR_CODEC_JSON_BLOCK_H

#include <stdint.h>

#include "base/word.h"

#ifdef __SSSE3__
#include <tmmintrin.h>
#endif

#define WORD_EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* The bytes of a word that are below @limit, or equal to @byte: right up to the first one found. */
static inline uint64_t word_below(uint64_t word, unsigned limit) {
    return (word - WORD_EACH(limit)) & ~word & WORD_EACH(0x80);
}

static inline uint64_t word_equal(uint64_t word, unsigned byte) {
    return word_below(word ^ WORD_EACH(byte), 1);
}

/* Bytes that cannot stand in a text as they are: '"', '\\', below 0x20. */
static inline uint64_t word_specials(uint64_t word) {
    return word_below(word, 0x20) | word_equal(word, '"') | word_equal(word, '\\');
}

#ifdef __SSSE3__

enum { BLOCK_SIZE = 16 };
typedef unsigned block_mask;
#define BLOCK_LAST (1u << 15) /* the mark of a block's last byte */

static inline unsigned block_index(block_mask mask) {
    return (unsigned)__builtin_ctz(mask);
}

/* The same of a block. */
static inline block_mask block_specials(const unsigned char *p) {
    __m128i bytes = _mm_loadu_si128((const __m128i *)p);
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes);
    __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    __m128i escape = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(control, quote), escape));
}

/* The same, and the bytes from 0x80 on. */
static inline block_mask block_specials_or_high(const unsigned char *p) {
    __m128i bytes = _mm_loadu_si128((const __m128i *)p);
    __m128i control_or_high = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
    __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    __m128i escape = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(control_or_high, quote), escape));
}

static inline block_mask block_high(const unsigned char *p) {
    return (unsigned)_mm_movemask_epi8(_mm_loadu_si128((const __m128i *)p));
}

static inline block_mask block_escapes(const unsigned char *p) {
    __m128i bytes = _mm_loadu_si128((const __m128i *)p);
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
}

/* Bytes that are no blanks. A blank is the only byte that its own low nibble finds in the table. */
static inline block_mask block_marks(const unsigned char *p) {
    const __m128i blanks = _mm_setr_epi8(' ', -1, -1, -1, -1, -1, -1, -1, -1, '\t', '\n', -1, -1, '\r', -1, -1);
    __m128i bytes = _mm_loadu_si128((const __m128i *)p);
    return 0xFFFF ^ (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_shuffle_epi8(blanks, bytes), bytes));
}

#else

enum { BLOCK_SIZE = 8 };
typedef uint64_t block_mask;
#define BLOCK_LAST (UINT64_C(1) << 63)

static inline unsigned block_index(block_mask mask) {
    return (unsigned)__builtin_ctzll(mask) / 8;
}

static inline block_mask block_specials(const unsigned char *p) {
    return word_specials(weir_word_at(p));
}

static inline block_mask block_high(const unsigned char *p) {
    return weir_word_at(p) & WORD_EACH(0x80);
}

static inline block_mask block_specials_or_high(const unsigned char *p) {
    return block_specials(p) | block_high(p);
}

static inline block_mask block_escapes(const unsigned char *p) {
    return word_equal(weir_word_at(p), '\\');
}

static inline block_mask block_marks(const unsigned char *p) {
    block_mask marks = 0;
    for (unsigned i = 0; i < BLOCK_SIZE; i++)
        if (p[i] != ' ' && p[i] != '\n' && p[i] != '\r' && p[i] != '\t')
            marks |= UINT64_C(0x80) << 8 * i;
    return marks;
}

#endif

#endif
