/* UTF-8 checking. Blocks of 16 bytes are only asked whether they are right; where one is not, bytes one by one find the
 * place.
 *
 * The block test (J. Keiser and D. Lemire, "Validating UTF-8 in less than one instruction per byte", Software: Practice
 * and Experience 51, 2021): nearly every mistake shows in three nibbles, both of a byte and the high one of the next.
 * Three 16-entry tables say for each nibble which mistakes it leaves possible; a bit that survives all three is a
 * mistake. What remains is whether third and fourth bytes stand exactly where a lead byte two or three places before
 * asks for them. */
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

#ifdef __SSSE3__
#include <immintrin.h>
#endif

/* Length of the character at @p, which is not ASCII; 0 when it is not valid or cut off. Table 3-7 of the Unicode
 * standard. */
static size_t character_size(const unsigned char *p, size_t left) {
    unsigned char lead = p[0];
    if (lead < 0xC2 || lead > 0xF4 || left < 2)
        return 0;
    unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (p[1] < low || p[1] > high)
        return 0;
    size_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (left < size)
        return 0;
    for (size_t i = 2; i < size; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    return size;
}

/* The length of the valid beginning of @text; @offset is the start of a character, and all before it is known to be
 * valid. */
static size_t check_from(const unsigned char *text, size_t size, size_t offset) {
    while (offset < size) {
        if (text[offset] < 0x80) {
            offset++;
            continue;
        }
        size_t character = character_size(text + offset, size - offset);
        if (character == 0)
            return offset;
        offset += character;
    }
    return size;
}

#ifdef __SSSE3__

enum mistake {
    TOO_SHORT = 1 << 0,         /* a lead byte is followed by one that does not continue it */
    TOO_LONG = 1 << 1,          /* ASCII is followed by a continuation */
    OVERLONG_3 = 1 << 2,        /* E0 80..9F */
    TOO_LARGE = 1 << 3,         /* F4 90..BF, F5.. 90..BF */
    SURROGATE = 1 << 4,         /* ED A0..BF */
    OVERLONG_2 = 1 << 5,        /* C0, C1 */
    TOO_LARGE_1000 = 1 << 6,    /* F5.. 80..8F */
    OVERLONG_4 = 1 << 6,        /* F0 80..8F; shares its bit with the one above, whose lead bytes differ */
    TWO_CONTINUATIONS = 1 << 7, /* no mistake where a character of three or four bytes is under way */
    CARRY = TOO_SHORT | TOO_LONG | TWO_CONTINUATIONS /* what the low nibble of the first byte does not decide */
};

static inline __m128i first_high_table(void) {
    return _mm_setr_epi8(TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG,
                         (char)TWO_CONTINUATIONS, (char)TWO_CONTINUATIONS, (char)TWO_CONTINUATIONS,
                         (char)TWO_CONTINUATIONS, TOO_SHORT | OVERLONG_2, TOO_SHORT, TOO_SHORT | OVERLONG_3 | SURROGATE,
                         TOO_SHORT | TOO_LARGE | TOO_LARGE_1000 | OVERLONG_4);
}

static inline __m128i first_low_table(void) {
    const char large = (char)(CARRY | TOO_LARGE | TOO_LARGE_1000);
    return _mm_setr_epi8((char)(CARRY | OVERLONG_3 | OVERLONG_2 | OVERLONG_4), (char)(CARRY | OVERLONG_2), (char)CARRY,
                         (char)CARRY, (char)(CARRY | TOO_LARGE), large, large, large, large, large, large, large, large,
                         (char)(large | SURROGATE), large, large);
}

static inline __m128i second_high_table(void) {
    const char eight = (char)(TOO_LONG | OVERLONG_2 | TWO_CONTINUATIONS | OVERLONG_3 | TOO_LARGE_1000 | OVERLONG_4);
    const char nine = (char)(TOO_LONG | OVERLONG_2 | TWO_CONTINUATIONS | OVERLONG_3 | TOO_LARGE);
    const char more = (char)(TOO_LONG | OVERLONG_2 | TWO_CONTINUATIONS | SURROGATE | TOO_LARGE);
    return _mm_setr_epi8(TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, eight,
                         nine, more, more, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT);
}

static inline __m128i high_nibbles(__m128i bytes) {
    return _mm_and_si128(_mm_srli_epi16(bytes, 4), _mm_set1_epi8(0x0F));
}

/* Not zero where @block, which follows @before, has a mistake. */
static inline __m128i block_mistakes(__m128i block, __m128i before) {
    __m128i back1 = _mm_alignr_epi8(block, before, 15);
    __m128i back2 = _mm_alignr_epi8(block, before, 14);
    __m128i back3 = _mm_alignr_epi8(block, before, 13);
    __m128i first_high = _mm_shuffle_epi8(first_high_table(), high_nibbles(back1));
    __m128i first_low = _mm_shuffle_epi8(first_low_table(), _mm_and_si128(back1, _mm_set1_epi8(0x0F)));
    __m128i second_high = _mm_shuffle_epi8(second_high_table(), high_nibbles(block));
    __m128i special = _mm_and_si128(_mm_and_si128(first_high, first_low), second_high);
    __m128i third = _mm_subs_epu8(back2, _mm_set1_epi8((char)(0xE0 - 0x80)));
    __m128i fourth = _mm_subs_epu8(back3, _mm_set1_epi8((char)(0xF0 - 0x80)));
    __m128i continued = _mm_and_si128(_mm_or_si128(third, fourth), _mm_set1_epi8((char)0x80));
    return _mm_xor_si128(continued, special);
}

/* Not zero when a character that begins in @block goes on behind it. */
static inline __m128i block_rest(__m128i block) {
    const __m128i most =
        _mm_setr_epi8(-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, (char)0xEF, (char)0xDF, (char)0xBF);
    return _mm_subs_epu8(block, most);
}

static inline int is_zero(__m128i bytes) {
    return _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_setzero_si128())) == 0xFFFF;
}

/* The start of the character that may reach from before @offset over it. */
static size_t character_before(const unsigned char *text, size_t offset) {
    for (size_t back = 1; back <= 3 && back <= offset; back++)
        if (text[offset - back] >= 0xC0)
            return offset - back;
    return offset;
}

/* ---- the same with blocks of 32 bytes, for processors that have AVX2 ---- */

#define WIDE __attribute__((target("avx2")))

enum { WIDTH = 32, WIDE_MIN = WIDTH + 3 /* so that three bytes are before the last block */ };

static inline WIDE __m256i wide_high_nibbles(__m256i bytes) {
    return _mm256_and_si256(_mm256_srli_epi16(bytes, 4), _mm256_set1_epi8(0x0F));
}

static inline WIDE __m256i wide_find(__m128i table, __m256i nibbles) {
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), nibbles);
}

static inline WIDE __m256i wide_at(const unsigned char *text) {
    return _mm256_loadu_si256((const __m256i *)text);
}

static inline WIDE __m256i wide_mistakes(__m256i block, __m256i back1, __m256i back2, __m256i back3) {
    __m256i first_high = wide_find(first_high_table(), wide_high_nibbles(back1));
    __m256i first_low = wide_find(first_low_table(), _mm256_and_si256(back1, _mm256_set1_epi8(0x0F)));
    __m256i second_high = wide_find(second_high_table(), wide_high_nibbles(block));
    __m256i special = _mm256_and_si256(_mm256_and_si256(first_high, first_low), second_high);
    __m256i third = _mm256_subs_epu8(back2, _mm256_set1_epi8((char)(0xE0 - 0x80)));
    __m256i fourth = _mm256_subs_epu8(back3, _mm256_set1_epi8((char)(0xF0 - 0x80)));
    __m256i continued = _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8((char)0x80));
    return _mm256_xor_si256(continued, special);
}

/* The first block, of which nothing is before, is looked at by itself; the last one may reach over the one before. */
static WIDE size_t check_wide(const unsigned char *text, size_t size) {
    __m256i block = wide_at(text);
    if (_mm256_movemask_epi8(block) != 0) {
        __m256i zero = _mm256_setzero_si256();
        __m256i shifted = _mm256_permute2x128_si256(zero, block, 0x21);
        __m256i mistakes =
            wide_mistakes(block, _mm256_alignr_epi8(block, shifted, 15), _mm256_alignr_epi8(block, shifted, 14),
                          _mm256_alignr_epi8(block, shifted, 13));
        if (!_mm256_testz_si256(mistakes, mistakes))
            return check_from(text, size, 0);
    }
    size_t offset = WIDTH;
    __m256i before = block;
    while (offset < size) {
        size_t at = size - offset >= WIDTH ? offset : size - WIDTH;
        block = wide_at(text + at);
        if (_mm256_movemask_epi8(_mm256_or_si256(block, before)) != 0) {
            __m256i mistakes =
                wide_mistakes(block, wide_at(text + at - 1), wide_at(text + at - 2), wide_at(text + at - 3));
            if (!_mm256_testz_si256(mistakes, mistakes))
                return check_from(text, size, character_before(text, at));
        }
        before = block;
        offset = at + WIDTH;
    }
    __m128i rest = block_rest(_mm256_extracti128_si256(block, 1));
    return is_zero(rest) ? size : check_from(text, size, character_before(text, size));
}

size_t weir_utf8_check(const void *data, size_t size) {
    return size >= WIDE_MIN && __builtin_cpu_supports("avx2") ? check_wide(data, size)
                                                              : weir_utf8_check_narrow(data, size);
}

size_t weir_utf8_check_narrow(const void *data, size_t size) {
    const unsigned char *text = data;
    __m128i before = _mm_setzero_si128();
    __m128i rest = _mm_setzero_si128();
    size_t offset = 0;
    for (; size - offset >= 16; offset += 16) {
        __m128i block = _mm_loadu_si128((const __m128i *)(text + offset));
        __m128i mistakes = _mm_movemask_epi8(block) == 0 ? rest : block_mistakes(block, before);
        if (!is_zero(mistakes))
            return check_from(text, size, character_before(text, offset));
        rest = block_rest(block);
        before = block;
    }
    /* At least one zero ends the last block, so that a character that is cut off shows in it as well. */
    unsigned char last[16] = {0};
    if (size > offset)
        memcpy(last, text + offset, size - offset);
    __m128i mistakes = block_mistakes(_mm_loadu_si128((const __m128i *)last), before);
    return is_zero(mistakes) ? size : check_from(text, size, character_before(text, offset));
}

#else

size_t weir_utf8_check_narrow(const void *data, size_t size) {
    return weir_utf8_check(data, size);
}

size_t weir_utf8_check(const void *data, size_t size) {
    const unsigned char *text = data;
    size_t offset = 0;
    while (size - offset >= 8) {
        uint64_t word;
        memcpy(&word, text + offset, sizeof(word));
        if ((word & UINT64_C(0x8080808080808080)) == 0) {
            offset += 8;
            continue;
        }
        for (size_t end = offset + 8; offset < end;) {
            size_t character = text[offset] < 0x80 ? 1 : character_size(text + offset, size - offset);
            if (character == 0)
                return offset;
            offset += character;
        }
    }
    return check_from(text, size, offset);
}

#endif
