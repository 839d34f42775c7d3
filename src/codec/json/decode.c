/* JSON to cells, one pass, no recursion.
 *
 * The stack of open containers lies in their own cells: while a container is open its span holds the index of its
 * parent plus one, and its count the items before the one that is being read. A map that is closed with a single key
 * "$..." may be a wrapper and is given to codec/wrapper/.
 *
 * The grammar is compiled twice. When the input ends in ']' or '}', as nearly every document does, that byte stops
 * every scan for a digit, a blank or a sign, so that only texts, words and closing brackets need to look at the end of
 * the input; the other form looks before each byte.
 *
 * Room is kept for two cells before each item: a key and its value. */
#include <math.h>
#include <string.h>

#include "base/number.h"
#include "base/utf8.h"
#include "base/word.h"
#include "codec/json/block.h"
#include "codec/json/json.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum {
    TRAILING_BLANKS_MAX = 16, /* looked at behind a last bracket */
    KEY_SHOWN_MAX = 80,       /* bytes of a key in a sentence */
    EXPONENT_SAFE = 289,      /* of ten: 19 digits times it are below the largest float64 */
    DIGITS_MANY = 64          /* more than reading in words decides */
};
static const size_t input_max = UINT32_MAX; /* bytes looked at, so that sizes and counts fit a cell */

/* ---- failures: out of line, they are never hurried ---- */

__attribute__((cold, noinline)) const unsigned char *weir_json_bad(struct json_reader *reader, const unsigned char *at,
                                                                   const char *what) {
    uint64_t offset = (uint64_t)(at - reader->begin);
    if (at < reader->end)
        reader->status = weir_fail_at(reader->err, WEIR_EPARSE, offset, "json: %s", what);
    else if (reader->input_size > input_max)
        reader->status = weir_fail_at(reader->err, WEIR_ELIMIT, offset, "json: one value of more than 4 GiB");
    else
        reader->status =
            weir_fail_at(reader->err, WEIR_EPARSE, reader->input_size, "json: the input ends before its value");
    return NULL;
}

__attribute__((cold, noinline)) const unsigned char *weir_json_out_of_memory(struct json_reader *reader) {
    reader->status = weir_fail(reader->err, WEIR_ENOMEM, "json: out of memory");
    return NULL;
}

static __attribute__((cold, noinline)) const unsigned char *beyond(struct json_reader *reader, const unsigned char *at,
                                                                   const char *what) {
    reader->status = weir_fail_at(reader->err, WEIR_ELIMIT, (uint64_t)(at - reader->begin), "json: %s", what);
    return NULL;
}

/* ---- blanks ---- */

static inline int is_blank(unsigned char c) {
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* @index, below 16, by way of a jump. What comes next in the input depends on it, and so does all that follows; but the
 * processor guesses where a jump leads and goes on, while for a sum it would wait. Messages of one kind have the same
 * lengths in the same places, so it mostly guesses right. */
ALWAYS_INLINE unsigned by_jump(unsigned index) {
#define CASE(n)                                                                                                        \
    case n:                                                                                                            \
        index = n;                                                                                                     \
        __asm__("" : "+r"(index));                                                                                     \
        break
    switch (index & 15) {
        CASE(0);
        CASE(1);
        CASE(2);
        CASE(3);
        CASE(4);
        CASE(5);
        CASE(6);
        CASE(7);
        CASE(8);
        CASE(9);
        CASE(10);
        CASE(11);
        CASE(12);
        CASE(13);
        CASE(14);
        CASE(15);
    }
    return index;
#undef CASE
}

static __attribute__((noinline)) const unsigned char *many_blanks_end(const unsigned char *p,
                                                                      const unsigned char *end) {
    while (end - p >= BLOCK_SIZE) {
        block_mask marks = block_marks(p);
        if (marks)
            return p + block_index(marks);
        p += BLOCK_SIZE;
    }
    while (p < end && is_blank(*p))
        p++;
    return p;
}

/* The first byte from @p on that is no blank, or the end. A few blanks are stepped over here.
 *
 * Where the next byte lies is not known before these have been looked at, and all that follows waits for it. So there
 * is a guess, *usual, how many they are: when it is right the processor, which foresees that, has gone on with it long
 * before. Otherwise *usual is set right. */
ALWAYS_INLINE const unsigned char *blanks_end(const unsigned char *p, const unsigned char *end, unsigned *usual) {
    if (UNLIKELY(end - p < BLOCK_SIZE))
        return many_blanks_end(p, end);
    block_mask marks = block_marks(p);
    if (UNLIKELY(!marks))
        return many_blanks_end(p, end);
    unsigned count = block_index(marks);
    unsigned guess = *usual;
    if (count == guess) {
        __asm__("" : "+r"(guess)); /* or the compiler adds count, which is the same but for the waiting */
        return p + guess;
    }
    *usual = count;
    return p + count;
}

/* ---- numbers ---- */

static inline int is_digit(unsigned char c) {
    return (unsigned char)(c - '0') < 10;
}

ALWAYS_INLINE void put_f64(struct weir_value *cell, double value) {
    weir_cell_set(cell, WEIR_KIND_FLOAT64, 0, 0);
    cell->as.f64 = value;
}

/* An integer of up to 19 digits. */
ALWAYS_INLINE int put_integer(struct weir_value *cell, uint64_t magnitude, int is_negative) {
    weir_cell_set(cell, WEIR_KIND_INT64, 0, is_negative ? 0 - magnitude : magnitude);
    if (LIKELY(magnitude <= INT64_MAX) && LIKELY(magnitude != 0 || !is_negative))
        return 1;
    if (magnitude == 0)
        put_f64(cell, -0.0);
    else if (!is_negative)
        cell->kind = WEIR_KIND_UINT64;
    return magnitude <= (uint64_t)INT64_MAX + 1 || !is_negative;
}

static const unsigned char *put_digits(struct json_reader *reader, const unsigned char *digits,
                                       const unsigned char *end, int is_negative, struct weir_value *cell) {
    if (weir_integer_from_digits(cell, (const char *)digits, (size_t)(end - digits), is_negative) != WEIR_OK)
        return beyond(reader, digits, "an integer of more than 4932 digits; send it as text");
    if (is_negative && cell->kind == WEIR_KIND_INT64 && cell->as.i64 == 0)
        put_f64(cell, -0.0);
    return end;
}

/* Step over digits, at least one. Return: NULL, with the failure noted, when there is none. */
static const unsigned char *digits_end(struct json_reader *reader, const unsigned char *p) {
    if (p == reader->end || !is_digit(*p))
        return weir_json_bad(reader, p, "a digit is missing");
    while (p < reader->end && is_digit(*p))
        p++;
    return p;
}

/* Any number, byte by byte. */
static const unsigned char *number_of_any_length(struct json_reader *reader, const unsigned char *p,
                                                 struct weir_value *cell) {
    const unsigned char *begin = p;
    const unsigned char *end = reader->end;
    int is_negative = *p == '-';
    p += is_negative;
    const unsigned char *digits = p;
    p = digits_end(reader, p);
    if (!p)
        return NULL;
    if (*digits == '0' && p - digits > 1)
        return weir_json_bad(reader, digits + 1, "a digit behind a leading zero");
    if (p == end || (*p != '.' && *p != 'e' && *p != 'E'))
        return put_digits(reader, digits, p, is_negative, cell);
    if (*p == '.')
        p = digits_end(reader, p + 1);
    if (p && p < end && (*p == 'e' || *p == 'E')) {
        p++;
        p = digits_end(reader, p + (p < end && (*p == '-' || *p == '+')));
    }
    if (!p)
        return NULL;
    put_f64(cell, weir_f64_read((const char *)begin, (size_t)(p - begin)));
    return isinf(cell->as.f64)
               ? beyond(reader, begin, "a number beyond float64; send it as {\"$numberDecimal\": \"...\"}")
               : p;
}

/* Append the @count digits that @word begins with, 0 to 7. */
ALWAYS_INLINE uint64_t digits_appended(uint64_t mantissa, uint64_t word, unsigned count) {
    static const uint32_t powers[8] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000};
    return mantissa * powers[count] + (weir_word_decimal(word << 8 << (56 - 8 * count)));
}

/* Digits that follow one another, read eight at a time. *mantissa takes them up; it is right while they are 19 or less.
 * Return: how many, DIGITS_MANY for more or when the input ends too near to look at words.
 * @is_fraction: few digits are then mostly as many as in the message before. */
ALWAYS_INLINE unsigned digits_read(const unsigned char *p, const unsigned char *end, uint64_t *mantissa,
                                   int is_fraction) {
    if (UNLIKELY(end - p < 8))
        return DIGITS_MANY;
    uint64_t word = weir_word_at(p);
    unsigned count = weir_word_digits(word);
    if (LIKELY(count < 8)) {
        if (is_fraction)
            count = by_jump(count);
        *mantissa = digits_appended(*mantissa, word, count);
        return count;
    }
    *mantissa = *mantissa * 100000000 + weir_word_decimal(word);
    for (unsigned total = 8; total < 24 && end - p >= 16; total += 8) {
        p += 8;
        word = weir_word_at(p);
        count = weir_word_digits(word);
        if (count < 8) {
            *mantissa = digits_appended(*mantissa, word, count);
            return total + count;
        }
        *mantissa = *mantissa * 100000000 + weir_word_decimal(word);
    }
    return DIGITS_MANY;
}

/* The exponent behind the 'e' at @p, of up to four digits. Return: what follows; NULL for another. */
static const unsigned char *exponent_read(const unsigned char *p, const unsigned char *end, int *exponent) {
    int value = 0;
    int is_below = ++p < end && *p == '-';
    p += p < end && (*p == '-' || *p == '+');
    const unsigned char *digits = p;
    for (; p < end && p - digits < 4 && is_digit(*p); p++)
        value = value * 10 + (*p - '0');
    if (p == digits || (p < end && is_digit(*p)))
        return NULL;
    *exponent += is_below ? -value : value;
    return p;
}

/* A number like 21.53, which ends inside the @word at @p: the digits behind the point, which stands behind @before
 * bits, are moved over it and all read at once; then it is rounded once, as in weir_f64_from_short_decimal.
 * @behind: marks what in the bytes behind the point is no digit. Return: what follows the number; NULL when it is
 * no such one. */
ALWAYS_INLINE const unsigned char *short_fraction(const unsigned char *p, uint64_t word, unsigned before,
                                                  uint64_t behind, int is_negative, struct weir_value *cell) {
    unsigned fraction = (unsigned)__builtin_ctzll(behind) / 8;
    unsigned size = by_jump(before / 8 + fraction);
    if (UNLIKELY(before == 0 || fraction == 0 || (*p == '0' && before > 8) || (p[size + 1] | 0x20) == 'e'))
        return NULL;
    uint64_t mask = (UINT64_C(1) << before) - 1;
    word = (word & mask) | (word >> 8 & ~mask);
    double value = (double)(int32_t)weir_word_decimal(word << (64 - 8 * size)) / weir_f64_powers[fraction];
    put_f64(cell, is_negative ? -value : value);
    return p + size + 1;
}

/* The number at @p, by words of eight digits. Return: what follows; NULL when it must be read byte by byte. */
ALWAYS_INLINE const unsigned char *number_in_words(const unsigned char *p, const unsigned char *end,
                                                   struct weir_value *cell) {
    int is_negative = *p == '-';
    p += is_negative;
    uint64_t mantissa = 0;
    if (UNLIKELY(end - p < 8))
        return NULL;
    uint64_t word = weir_word_at(p);
    uint64_t others = weir_word_others(word);
    unsigned count;
    if (LIKELY(others != 0)) {
        unsigned before = (unsigned)__builtin_ctzll(others) & ~7u;
        count = before / 8;
        uint64_t behind = others >> before >> 8;
        /* Held for unlikely, which keeps it out of the way of the long ones. */
        if (FLT_EVAL_METHOD == 0 && UNLIKELY(p[count] == '.' && behind != 0)) {
            const unsigned char *next = short_fraction(p, word, before, behind, is_negative, cell);
            if (LIKELY(next != NULL))
                return next;
        }
        mantissa = weir_word_decimal(word << 8 << (56 - before));
    } else {
        count = digits_read(p, end, &mantissa, 0);
    }
    if (UNLIKELY(count - 1 >= 19 || (*p == '0' && count > 1)))
        return NULL;
    p += count;
    if (LIKELY(*p != '.' && (*p | 0x20) != 'e'))
        return LIKELY(put_integer(cell, mantissa, is_negative)) ? p : NULL;
    int exponent = 0;
    if (LIKELY(*p == '.')) {
        unsigned fraction = digits_read(++p, end, &mantissa, 1);
        if (UNLIKELY(fraction - 1 >= 19 - count))
            return NULL;
        exponent = -(int)fraction;
        p += fraction;
    }
    if (UNLIKELY((*p | 0x20) == 'e') && !(p = exponent_read(p, end, &exponent)))
        return NULL;
    if (UNLIKELY(exponent > EXPONENT_SAFE))
        return NULL;
    put_f64(cell, weir_f64_from_short_decimal(mantissa, exponent, is_negative));
    return p;
}

/* The number at @p, which is a digit or '-'. */
ALWAYS_INLINE const unsigned char *number(struct json_reader *reader, const unsigned char *p, struct weir_value *cell) {
    const unsigned char *next = number_in_words(p, reader->end, cell);
    return LIKELY(next != NULL) ? next : number_of_any_length(reader, p, cell);
}

/* ---- texts and words ---- */

/* The text whose first byte is @p. Here only texts of less than a block, without escapes and in ASCII. */
ALWAYS_INLINE const unsigned char *text(struct json_reader *reader, const unsigned char *p, struct weir_value *cell) {
    if (LIKELY(reader->end - p >= BLOCK_SIZE)) {
        block_mask marks = block_specials_or_high(p);
        unsigned size = block_index(marks | BLOCK_LAST);
        if (LIKELY(p[size] == '"')) {
            size = by_jump(size);
            *cell = (struct weir_value){.kind = WEIR_KIND_TEXT, .flags = WEIR_CELL_CLEAN, .count = size, .as.data = p};
            return p + size + 1;
        }
    }
    return weir_json_text(reader, p, cell);
}

static __attribute__((cold, noinline)) const unsigned char *word_bad(struct json_reader *reader, const unsigned char *p,
                                                                     const char *word) {
    for (; *word; word++, p++)
        if (p == reader->end || *p != (unsigned char)*word)
            break;
    return weir_json_bad(reader, p, "no value begins like this");
}

ALWAYS_INLINE int is_word(const unsigned char *p, const unsigned char *end, const char *word, size_t size) {
    return LIKELY((size_t)(end - p) >= size) && LIKELY(memcmp(p, word, 4) == 0) &&
           LIKELY(p[size - 1] == word[size - 1]);
}

/* true, false or null. */
ALWAYS_INLINE const unsigned char *word(struct json_reader *reader, const unsigned char *p, struct weir_value *cell) {
    const unsigned char *end = reader->end;
    switch (*p) {
    case 't':
        weir_cell_set(cell, WEIR_KIND_BOOL, 0, 1);
        return is_word(p, end, "true", 4) ? p + 4 : word_bad(reader, p, "true");
    case 'f':
        weir_cell_set(cell, WEIR_KIND_BOOL, 0, 0);
        return is_word(p, end, "false", 5) ? p + 5 : word_bad(reader, p, "false");
    case 'n':
        weir_cell_set(cell, WEIR_KIND_NULL, 0, 0);
        return is_word(p, end, "null", 4) ? p + 4 : word_bad(reader, p, "null");
    default: return weir_json_bad(reader, p, "no value begins like this");
    }
}

/* A value that is no container. */
ALWAYS_INLINE const unsigned char *scalar(struct json_reader *reader, const unsigned char *p, struct weir_value *cell) {
    if (*p == '"')
        return text(reader, p + 1, cell);
    if (is_digit(*p) || *p == '-')
        return number(reader, p, cell);
    return word(reader, p, cell);
}

/* ---- containers ---- */

static __attribute__((cold, noinline)) int is_too_deep(struct json_reader *reader, const struct weir_value *open,
                                                       uint32_t depth) {
    reader->is_deep = 1;
    return reader->limits->flags & WEIR_PLAIN ||
           weir_wrapper_is_too_deep(reader->doc, open, depth, reader->limits->depth_max, 0);
}

/* Where there is room for less than two cells. */
static inline struct weir_value *cells_limit(const struct json_reader *reader) {
    size_t usable = reader->doc->capacity - 1;
    return reader->doc->cells + (usable < reader->cells_max ? usable : reader->cells_max);
}

/* Room for two more cells; the reader's cell and open move with the cells. Return: where there is room for less than
 * two; NULL. These two are in the reader only around such calls, so that the grammar has them in registers. */
static __attribute__((noinline)) struct weir_value *more_cells(struct json_reader *reader, const unsigned char *p) {
    struct weir_doc *doc = reader->doc;
    size_t open = reader->open ? (size_t)(reader->open - doc->cells) : 0;
    doc->count = (size_t)(reader->cell - doc->cells);
    if (doc->count >= reader->cells_max) {
        beyond(reader, p, "more values than the limit allows; raise values_max");
        return NULL;
    }
    if (weir_doc_grow_along(doc, 2, (size_t)(p - reader->begin), (size_t)(reader->end - reader->begin)) != WEIR_OK) {
        weir_json_out_of_memory(reader);
        return NULL;
    }
    reader->cell = doc->cells + doc->count;
    reader->open = reader->open ? doc->cells + open : NULL;
    return cells_limit(reader);
}

/* The key of @map that came before, refused under WEIR_STRICT. Return: 0 with the failure noted. */
static int keys_differ(struct json_reader *reader, const struct weir_value *map, const unsigned char *p) {
    const struct weir_value *key;
    if (weir_map_repeated_key(map, &key) != WEIR_OK)
        return weir_json_out_of_memory(reader) != NULL;
    if (!key)
        return 1;
    if (key->kind != WEIR_KIND_TEXT)
        return weir_json_bad(reader, p, "a key comes again in the map that ends here") != NULL;
    if (key->as.data >= reader->begin && key->as.data < reader->end)
        p = key->as.data - 1;
    int size = (int)weir_utf8_shown(key->as.data, key->count, KEY_SHOWN_MAX);
    reader->status = weir_fail_at(reader->err, WEIR_EPARSE, (uint64_t)(p - reader->begin),
                                  "json: the key \"%.*s\" again", size, (const char *)key->as.data);
    return 0;
}

/* Whether more is to be done at the end of a map or array than to note its span. */
ALWAYS_INLINE int is_special(const struct json_reader *reader, const struct weir_value *open) {
    return reader->is_deep || (reader->limits->flags & WEIR_STRICT) || weir_wrapper_is_likely(open);
}

/* End a map or array that reaches to the reader's cell: perhaps it is a wrapper, repeats a key under WEIR_STRICT, or is
 * a level beyond the limit that turns out not to belong to a wrapper. A wrapper becomes fewer cells, so that they do
 * not move. Return: 0 with the failure noted. */
static __attribute__((noinline)) int close_specially(struct json_reader *reader, const unsigned char *p,
                                                     struct weir_value *open, uint32_t depth) {
    struct weir_doc *doc = reader->doc;
    const char *problem;
    doc->count = (size_t)(reader->cell - doc->cells);
    int status =
        weir_wrapper_close(doc, (size_t)(open - doc->cells), depth, reader->limits, reader->is_deep, 0, &problem);
    reader->cell = doc->cells + doc->count;
    switch (status) {
    case WEIR_OK:
        return open->kind != WEIR_KIND_MAP || !(reader->limits->flags & WEIR_STRICT) || keys_differ(reader, open, p);
    case WEIR_EPARSE: return weir_json_bad(reader, p, problem) != NULL;
    case WEIR_ELIMIT: return beyond(reader, p, problem) != NULL;
    default: return weir_json_out_of_memory(reader) != NULL;
    }
}

/* ---- the grammar ---- */

#define ENDED(p) (is_checked && UNLIKELY((p) == end))
#define SKIP_BLANKS(p)                                                                                                 \
    do {                                                                                                               \
        if (!ENDED(p) && *(p) <= ' ')                                                                                  \
            (p) = blanks_end(p, end, &usual);                                                                          \
        if (ENDED(p))                                                                                                  \
            return weir_json_bad(reader, p, "");                                                                       \
    } while (0)
/* The same around a ':', where there is mostly one or none. */
#define SKIP_BLANK(p)                                                                                                  \
    do {                                                                                                               \
        if (!ENDED(p) && *(p) <= ' ' && (*(p) != ' ' || ++(p) == end || *(p) <= ' '))                                  \
            (p) = many_blanks_end(p, end);                                                                             \
        if (ENDED(p))                                                                                                  \
            return weir_json_bad(reader, p, "");                                                                       \
    } while (0)
#define ROOM_FOR_TWO(p)                                                                                                \
    do {                                                                                                               \
        if (UNLIKELY(cell >= limit)) {                                                                                 \
            reader->cell = cell;                                                                                       \
            reader->open = open;                                                                                       \
            limit = more_cells(reader, p);                                                                             \
            if (!limit)                                                                                                \
                return NULL;                                                                                           \
            cell = reader->cell;                                                                                       \
            open = reader->open;                                                                                       \
        }                                                                                                              \
    } while (0)

/* Read the map or array that begins at @p. Return: what follows it; NULL on failure.
 * @is_checked: whether the end of the input must be looked for before each byte. */
ALWAYS_INLINE const unsigned char *container(struct json_reader *reader, const unsigned char *p, const int is_checked) {
    struct weir_doc *doc = reader->doc;
    const unsigned char *const end = reader->end;
    struct weir_value *cell = doc->cells;
    struct weir_value *open = NULL;
    struct weir_value *limit = cells_limit(reader);
    uint32_t depth = 0;
    uint32_t count = 0;
    unsigned usual = 0; /* blanks between two values */
    goto value;

next_in_array:
    count++;
    SKIP_BLANKS(p);
    if (UNLIKELY(*p != ',')) {
        if (UNLIKELY(*p != ']'))
            return weir_json_bad(reader, p, "neither ',' nor ']' behind an item");
        goto close;
    }
    p++;
    SKIP_BLANKS(p);

value:
    ROOM_FOR_TWO(p);
    if (*p == '{' || *p == '[')
        goto begin;
    p = scalar(reader, p, cell);
    if (UNLIKELY(!p))
        return NULL;
    cell++;
    goto next_in_array;

next_in_map:
    count++;
    SKIP_BLANKS(p);
    if (UNLIKELY(*p != ',')) {
        if (UNLIKELY(*p != '}'))
            return weir_json_bad(reader, p, "neither ',' nor '}' behind a value");
        goto close;
    }
    p++;
    SKIP_BLANKS(p);

key:
    ROOM_FOR_TWO(p);
    if (UNLIKELY(*p != '"'))
        return weir_json_bad(reader, p, "a key must be a text in '\"'");
    p = text(reader, p + 1, cell);
    if (UNLIKELY(!p))
        return NULL;
    cell++;
    SKIP_BLANK(p);
    if (UNLIKELY(*p != ':'))
        return weir_json_bad(reader, p, "no ':' behind a key");
    p++;
    SKIP_BLANK(p);
    if (*p == '{' || *p == '[')
        goto begin;
    p = scalar(reader, p, cell);
    if (UNLIKELY(!p))
        return NULL;
    cell++;
    goto next_in_map;

begin:
    if (UNLIKELY(++depth > reader->limits->depth_max) && is_too_deep(reader, open, depth))
        return beyond(reader, p, "containers inside each other beyond the limit; raise depth_max");
    if (LIKELY(open != NULL))
        open->count = count;
    *cell = (struct weir_value){.kind = *p == '{' ? WEIR_KIND_MAP : WEIR_KIND_ARRAY,
                                .flags = WEIR_CELL_OPEN,
                                .as.span = open ? (uint64_t)(open - doc->cells) + 1 : 0};
    open = cell++;
    count = 0;
    p++;
    SKIP_BLANKS(p);
    if (open->kind == WEIR_KIND_MAP) {
        if (*p != '}')
            goto key;
    } else if (*p != ']') {
        goto value;
    }

close:
    p++;
    open->count = count;
    uint64_t parent = open->as.span;
    if (UNLIKELY(is_special(reader, open))) {
        reader->cell = cell;
        if (!close_specially(reader, p - 1, open, depth))
            return NULL;
        cell = reader->cell;
    } else {
        open->flags = 0;
        open->as.span = (uint64_t)(cell - open);
    }
    depth--;
    if (parent == 0) {
        doc->count = (size_t)(cell - doc->cells);
        return p;
    }
    if (UNLIKELY(p == end))
        return weir_json_bad(reader, p, "");
    open = doc->cells + (parent - 1);
    count = open->count;
    if (open->kind == WEIR_KIND_MAP)
        goto next_in_map;
    goto next_in_array;
}

static const unsigned char *container_checked(struct json_reader *reader, const unsigned char *p) {
    return container(reader, p, 1);
}

static const unsigned char *container_unchecked(struct json_reader *reader, const unsigned char *p) {
    return container(reader, p, 0);
}

/* Behind the bracket that the input ends in, but for a few blanks; NULL when it ends otherwise. */
static const unsigned char *last_bracket_end(const unsigned char *begin, const unsigned char *end) {
    const unsigned char *p = end;
    while (p > begin && end - p < TRAILING_BLANKS_MAX && is_blank(p[-1]))
        p--;
    return p > begin && (p[-1] == ']' || p[-1] == '}') ? p : NULL;
}

static const unsigned char *root_scalar(struct json_reader *reader, const unsigned char *p) {
    struct weir_value *cell = weir_doc_cell(reader->doc);
    if (!cell)
        return weir_json_out_of_memory(reader);
    p = scalar(reader, p, cell);
    if (p && p < reader->end && !is_blank(*p) && cell->kind != WEIR_KIND_TEXT)
        return weir_json_bad(reader, p, "more bytes behind a number or word");
    return p;
}

static const unsigned char *root(struct json_reader *reader, const unsigned char *p) {
    if (*p != '{' && *p != '[')
        return root_scalar(reader, p);
    if (weir_doc_grow(reader->doc, 2) != WEIR_OK)
        return weir_json_out_of_memory(reader);
    const unsigned char *bracket_end = last_bracket_end(p, reader->end);
    if (!bracket_end)
        return container_checked(reader, p);
    reader->end = bracket_end;
    return container_unchecked(reader, p);
}

int weir_json_decode(struct weir_doc *doc, const unsigned char *data, size_t size,
                     const struct weir_codec_limits *limits, size_t *ret_used, weir_error *err) {
    struct json_reader reader = {
        .doc = doc,
        .begin = data,
        .end = data + (size < input_max ? size : input_max),
        .input_size = size,
        .cells_max = limits->values_max < SIZE_MAX ? (size_t)limits->values_max : SIZE_MAX,
        .limits = limits,
        .err = err,
    };
    const unsigned char *p = data + weir_utf8_mark_size(data, size);
    if (p < reader.end && *p <= ' ')
        p = many_blanks_end(p, reader.end);
    p = p < reader.end ? root(&reader, p) : weir_json_bad(&reader, p, "");
    if (p && doc->count > reader.cells_max)
        p = beyond(&reader, p, "more values than the limit allows; raise values_max");
    if (!p)
        return reader.status;
    *ret_used = (size_t)(p - data);
    return WEIR_OK;
}
