/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef WEIR_BASE_UTF8_H
#define WEIR_BASE_UTF8_H

#include <stddef.h>
#include <string.h>

#include "base/word.h"

/* The length of the valid beginning of @text: @size when all of it is valid. */
size_t weir_utf8_check(const void *text, size_t size);
/* The same by means that every processor has: what the one above does for short texts and where there is no AVX2. */
size_t weir_utf8_check_narrow(const void *text, size_t size);

/* Whether a text is ASCII. @end: of the input that it lies in, which may be read. */
static inline int weir_is_ascii(const unsigned char *text, size_t size, const unsigned char *end) {
    static const uint64_t high_bits = UINT64_C(0x8080808080808080);
    if (size >= 8) {
        uint64_t bits = weir_word_at(text + size - 8);
        for (size_t i = 0; i + 8 <= size; i += 8)
            bits |= weir_word_at(text + i);
        return (bits & high_bits) == 0;
    }
    if ((size_t)(end - text) >= 8) /* read behind the text, but not behind the input */
        return size == 0 || (weir_word_at(text) & high_bits >> (64 - 8 * size)) == 0;
    unsigned char bits = 0;
    for (size_t i = 0; i < size; i++)
        bits |= text[i];
    return bits < 0x80;
}

/* How much of a valid text to show in a sentence: up to @max bytes, whole characters. */
static inline size_t weir_utf8_shown(const unsigned char *text, size_t size, size_t max) {
    size_t shown = size < max ? size : max;
    while (shown > 0 && shown < size && (text[shown] & 0xC0) == 0x80)
        shown--;
    return shown;
}

/* Bytes of the byte order mark that @text begins with: 3, or 0 without one (RFC 3629, section 6). */
static inline size_t weir_utf8_mark_size(const void *text, size_t size) {
    return size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
}

enum { WEIR_UTF8_SHORT = 32 }; /* longer texts are worth the call that checks many bytes at a time */

/* The first byte of @text that is not UTF-8, or NULL. @end: as above. */
static inline const unsigned char *weir_utf8_bad(const unsigned char *text, size_t size, const unsigned char *end) {
    if (size <= WEIR_UTF8_SHORT && __builtin_expect(weir_is_ascii(text, size, end), 1))
        return NULL;
    size_t valid = weir_utf8_check(text, size);
    return valid == size ? NULL : text + valid;
}

#endif
