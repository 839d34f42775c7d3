/* The texts of the input. A text is scanned once for its end, its bytes from 0x80 on are checked as UTF-8 where there
 * are any, and only one with escapes is copied: into the document's arena, unescaped. Every other text stays where it
 * is.
 *
 * Escapes are ASCII, so the raw text with its escapes is valid UTF-8 exactly when the unescaped one is. */
#include <string.h>

#include "base/utf8.h"
#include "codec/json/block.h"
#include "codec/json/json.h"

enum {
    SLAB_SIZE = 1008,      /* what unescaped texts share at least */
    ESCAPE_U_SIZE = 6,     /* \uXXXX */
    UTF8_MAX = 4,          /* bytes of one character */
    COPY_OVER = BLOCK_SIZE /* bytes that copying blocks may write behind a text */
};

static int hex_digit(unsigned char c) {
    if ((unsigned char)(c - '0') < 10)
        return c - '0';
    c |= 0x20;
    return (unsigned char)(c - 'a') < 6 ? c - 'a' + 10 : -1;
}

static int hex_number(const unsigned char *p) {
    int number = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(p[i]);
        if (digit < 0)
            return -1;
        number = number << 4 | digit;
    }
    return number;
}

/* What the letter of an escape stands for; 0 for 'u' and for those that are none. */
static unsigned char escape_byte(unsigned char letter) {
    switch (letter) {
    case '"':
    case '\\':
    case '/': return letter;
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return 0;
    }
}

/* The character of the \u escape, or pair of them, at *p. Return: it, with *p moved behind it; -1. */
static int32_t escaped_character(const unsigned char **p, const unsigned char *end) {
    const unsigned char *at = *p;
    if (end - at < ESCAPE_U_SIZE)
        return -1;
    int32_t character = hex_number(at + 2);
    if (character < 0)
        return -1;
    at += ESCAPE_U_SIZE;
    if (character >= 0xD800 && character <= 0xDFFF) {
        int32_t low = end - at >= ESCAPE_U_SIZE && at[0] == '\\' && at[1] == 'u' ? hex_number(at + 2) : -1;
        if (character > 0xDBFF || low < 0xDC00 || low > 0xDFFF)
            return -1;
        character = 0x10000 + ((character - 0xD800) << 10) + (low - 0xDC00);
        at += ESCAPE_U_SIZE;
    }
    *p = at;
    return character;
}

static unsigned char *put_character(unsigned char *to, int32_t character) {
    uint32_t code = (uint32_t)character;
    if (code < 0x80) {
        *to++ = (unsigned char)code;
    } else if (code < 0x800) {
        *to++ = (unsigned char)(0xC0 | code >> 6);
        *to++ = (unsigned char)(0x80 | (code & 0x3F));
    } else {
        if (code < 0x10000) {
            *to++ = (unsigned char)(0xE0 | code >> 12);
        } else {
            *to++ = (unsigned char)(0xF0 | code >> 18);
            *to++ = (unsigned char)(0x80 | (code >> 12 & 0x3F));
        }
        *to++ = (unsigned char)(0x80 | (code >> 6 & 0x3F));
        *to++ = (unsigned char)(0x80 | (code & 0x3F));
    }
    return to;
}

/* Copy plain text up to the next '\\' or @end; *to moves along. Writes whole blocks: room for COPY_OVER must follow. */
static const unsigned char *copy_plain(const unsigned char *p, const unsigned char *end, unsigned char **to) {
    unsigned char *at = *to;
    while (end - p >= BLOCK_SIZE) {
        memcpy(at, p, BLOCK_SIZE);
        block_mask escapes = block_escapes(p);
        if (escapes) {
            *to = at + block_index(escapes);
            return p + block_index(escapes);
        }
        p += BLOCK_SIZE;
        at += BLOCK_SIZE;
    }
    while (p < end && *p != '\\')
        *at++ = *p++;
    *to = at;
    return p;
}

/* Unescape the text between @p and @end. Return: @end; or the escape that is wrong. */
static const unsigned char *unescape(const unsigned char *p, const unsigned char *end, unsigned char **to) {
    for (;;) {
        p = copy_plain(p, end, to);
        if (p == end)
            return p;
        unsigned char byte = end - p >= 2 ? escape_byte(p[1]) : 0;
        if (byte) {
            *(*to)++ = byte;
            p += 2;
            continue;
        }
        if (end - p < 2 || p[1] != 'u')
            return p;
        int32_t character = escaped_character(&p, end);
        if (character < 0)
            return p;
        *to = put_character(*to, character);
    }
}

/* Room for an unescaped text of up to @size bytes. */
static unsigned char *slab_room(struct json_reader *reader, size_t size) {
    size += COPY_OVER;
    if (reader->slab_left < size) {
        size_t taken = size > SLAB_SIZE ? size : SLAB_SIZE;
        unsigned char *slab = weir_arena_take(&reader->doc->arena, taken);
        if (!slab)
            return NULL;
        reader->slab = slab;
        reader->slab_left = taken;
    }
    return reader->slab;
}

/* One step of escape_mistake: 'x' any hexadecimal digit, 'h' 8 to B, 'l' C to F, others themselves, letters in either
 * case. */
static int fits(unsigned char c, char pattern) {
    int digit = hex_digit(c);
    switch (pattern) {
    case 'x': return digit >= 0;
    case 'h': return digit >= 0x8 && digit <= 0xB;
    case 'l': return digit >= 0xC;
    default: return c == (unsigned char)pattern || (pattern == 'D' && c == 'd');
    }
}

/* The first byte of the escape at @p that cannot be right, or @end. */
static const unsigned char *escape_mistake(const unsigned char *p, const unsigned char *end) {
    const char *pattern = "\\uxxxx";
    if (end - p >= 4 && fits(p[2], 'D') && hex_digit(p[3]) >= 8)
        pattern = hex_digit(p[3]) >= 0xC ? "\\uD0" : "\\uDhxx\\uDlxx";
    while (p < end && *pattern && fits(*p, *pattern)) {
        p++;
        pattern++;
    }
    return p;
}

/* The first byte that cannot be right in the text from @p to @stop, where a scan stopped because of @what. */
static __attribute__((cold, noinline)) const unsigned char *text_bad(struct json_reader *reader, const unsigned char *p,
                                                                     const unsigned char *stop, const char *what) {
    size_t size = (size_t)(stop - p);
    size_t valid = weir_utf8_check(p, size);
    unsigned char *room = slab_room(reader, size);
    if (!room)
        return weir_json_out_of_memory(reader);
    const unsigned char *escape = unescape(p, stop, &room);
    if (escape < stop)
        escape = escape_mistake(escape, stop);
    if (escape < p + valid)
        return weir_json_bad(reader, escape, "an escape that is none, or half a surrogate pair");
    if (valid < size && (stop < reader->end || size - valid >= UTF8_MAX))
        return weir_json_bad(reader, p + valid, "a text that is not valid UTF-8");
    return weir_json_bad(reader, stop, what);
}

/* The next byte at or behind @p that cannot stand in a text as it is, or the end. *high is set when bytes from 0x80 on
 * come before it, perhaps also when they come a little behind. */
static inline const unsigned char *plain_end(const unsigned char *p, const unsigned char *end, block_mask *high) {
    while (end - p >= BLOCK_SIZE) {
        block_mask specials = block_specials(p);
        *high |= block_high(p);
        if (specials)
            return p + block_index(specials);
        p += BLOCK_SIZE;
    }
    if (BLOCK_SIZE > 8 && end - p >= 8) {
        uint64_t word = weir_word_at(p);
        uint64_t specials = word_specials(word);
        *high |= (word & WORD_EACH(0x80)) != 0;
        p += specials ? (unsigned)__builtin_ctzll(specials) / 8 : 8;
        if (specials)
            return p;
    }
    for (; p < end && *p != '"' && *p != '\\' && *p >= 0x20; p++)
        *high |= *p & 0x80;
    return p;
}

static const unsigned char *text_unescaped(struct json_reader *reader, const unsigned char *p, const unsigned char *end,
                                           struct weir_value *cell) {
    unsigned char *to = slab_room(reader, (size_t)(end - p));
    if (!to)
        return weir_json_out_of_memory(reader);
    if (unescape(p, end, &to) != end)
        return text_bad(reader, p, end, "an escape that the text ends in");
    size_t size = (size_t)(to - reader->slab);
    *cell = (struct weir_value){.kind = WEIR_KIND_TEXT, .count = (uint32_t)size, .as.data = reader->slab};
    reader->slab += size;
    reader->slab_left -= size;
    return end + 1;
}

const unsigned char *weir_json_text(struct json_reader *reader, const unsigned char *p, struct weir_value *cell) {
    const unsigned char *stop = p;
    const unsigned char *end = reader->end;
    block_mask high = 0;
    int is_escaped = 0;
    for (;;) {
        stop = plain_end(stop, end, &high);
        if (stop == end || *stop < 0x20)
            return text_bad(reader, p, stop, "a control character in a text; escape it");
        if (*stop == '"')
            break;
        is_escaped = 1;
        if (end - stop < 2)
            return text_bad(reader, p, end, "");
        stop += 2;
    }
    size_t size = (size_t)(stop - p);
    if (high && weir_utf8_check(p, size) != size)
        return text_bad(reader, p, stop, "");
    if (is_escaped)
        return text_unescaped(reader, p, stop, cell);
    *cell =
        (struct weir_value){.kind = WEIR_KIND_TEXT, .flags = WEIR_CELL_CLEAN, .count = (uint32_t)size, .as.data = p};
    return stop + 1;
}
