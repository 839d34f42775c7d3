/* Tokens, the stack of what is open, and values in words: what the annotators share. dump.h tells the rules. */
#include "dump.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const struct dump_value dump_no_value = {.kind = DUMP_NONE};

/* ---- tokens ---- */

static void hand_out(struct dump *dump, size_t size, struct dump_value value, const char *what, int is_wrong) {
    struct dump_token token = {
        .offset = dump->at,
        .size = size,
        .depth = (uint32_t)dump->level_count,
        .codec = dump->codec,
        .what = what,
        .note = dump->note,
        .value = value,
        .role = dump->role,
        .is_wrong = is_wrong,
    };
    dump->token(dump, &token);
    dump->at += size;
    dump->note[0] = '\0';
    dump->role = DUMP_ITEM;
}

void dump_put(struct dump *dump, size_t size, struct dump_value value, const char *format, ...) {
    char what[DUMP_WORDS_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    hand_out(dump, size, value, what, 0);
}

void dump_note(struct dump *dump, const char *format, ...) {
    size_t used = strlen(dump->note);
    va_list args;
    if (used > 0)
        used += (size_t)snprintf(dump->note + used, sizeof(dump->note) - used, ", ");
    if (used >= sizeof(dump->note))
        return;
    va_start(args, format);
    vsnprintf(dump->note + used, sizeof(dump->note) - used, format, args);
    va_end(args);
}

int dump_wrong(struct dump *dump, size_t offset, const char *begun, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(dump->wrong, sizeof(dump->wrong), format, args);
    va_end(args);
    if (offset > dump->at) {
        char what[DUMP_WORDS_MAX];
        snprintf(what, sizeof(what), "the beginning of %s", begun);
        hand_out(dump, offset - dump->at, dump_no_value, what, 0);
    }
    dump->note[0] = '\0';
    dump->role = DUMP_ITEM;
    dump->status = WEIR_EPARSE;
    dump->wrong_offset = offset;
    hand_out(dump, dump->size - offset, dump_no_value, dump->wrong, 1);
    return dump->status;
}

int dump_cut(struct dump *dump, const char *begun) {
    return dump_wrong(dump, dump->end, begun, "the bytes end inside %s", begun);
}

int dump_is_more(struct dump *dump, size_t items) {
    if (!dump->is_single || items == 0 || dump->at == dump->end)
        return 0;
    return dump_wrong(dump, dump->at, "", "more bytes behind the document") != WEIR_OK;
}

struct dump_level *dump_push(struct dump *dump, uint8_t kind) {
    if (dump->level_count == DUMP_DEPTH_MAX) {
        dump->status = WEIR_ELIMIT;
        dump->wrong_offset = dump->at;
        snprintf(dump->wrong, sizeof(dump->wrong), "more than %d levels inside each other; nothing reads that",
                 DUMP_DEPTH_MAX);
        return NULL;
    }
    if (dump->level_count == dump->level_capacity) {
        size_t capacity = dump->level_capacity ? 2 * dump->level_capacity : 32;
        struct dump_level *levels = realloc(dump->levels, capacity * sizeof(*levels));
        if (!levels) {
            dump->status = WEIR_ENOMEM;
            snprintf(dump->wrong, sizeof(dump->wrong), "out of memory");
            return NULL;
        }
        dump->levels = levels;
        dump->level_capacity = capacity;
    }
    struct dump_level *level = &dump->levels[dump->level_count++];
    *level = (struct dump_level){.kind = kind};
    return level;
}

struct dump_level *dump_top(struct dump *dump) {
    return dump->level_count > 0 ? &dump->levels[dump->level_count - 1] : NULL;
}

size_t dump_left(const struct dump *dump) {
    return dump->end - dump->at;
}

int dump_is_done(const struct dump *dump) {
    return dump->status != WEIR_OK || (dump->is_over && dump->is_over());
}

/* ---- values ---- */

struct dump_value dump_text(const void *text, size_t size) {
    return (struct dump_value){.kind = DUMP_TEXT, .data = text, .size = size};
}

struct dump_value dump_bytes(const void *bytes, size_t size) {
    return (struct dump_value){.kind = DUMP_BYTES, .data = bytes, .size = size};
}

struct dump_value dump_json_text(const void *text, size_t size) {
    return (struct dump_value){.kind = DUMP_JSON, .data = text, .size = size};
}

/* What the scratch holds, as a value. */
static struct dump_value scratch(struct dump *dump, enum dump_value_kind kind) {
    return (struct dump_value){.kind = kind, .data = dump->scratch, .size = strlen(dump->scratch)};
}

struct dump_value dump_word(struct dump *dump, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(dump->scratch, sizeof(dump->scratch), format, args);
    va_end(args);
    return scratch(dump, DUMP_WORD);
}

struct dump_value dump_i64(struct dump *dump, int64_t number) {
    snprintf(dump->scratch, sizeof(dump->scratch), "%" PRId64, number);
    return scratch(dump, DUMP_JSON);
}

struct dump_value dump_u64(struct dump *dump, uint64_t number) {
    snprintf(dump->scratch, sizeof(dump->scratch), "%" PRIu64, number);
    return scratch(dump, DUMP_JSON);
}

struct dump_value dump_f64(struct dump *dump, double number) {
    dump_f64_text(number, dump->scratch);
    return scratch(dump, isfinite(number) ? DUMP_JSON : DUMP_WORD);
}

struct dump_value dump_f32(struct dump *dump, float number) {
    dump_f32_text(number, dump->scratch);
    return scratch(dump, isfinite(number) ? DUMP_JSON : DUMP_WORD);
}

/* Decimal digits by repeated division, for up to BIG_MAX bytes: quadratic, so longer ones stay hexadecimal. */
struct dump_value dump_big(struct dump *dump, const unsigned char *bytes, size_t size, int is_negative, int plus) {
    enum { BIG_MAX = 64, DIGITS_MAX = 160 };
    unsigned char rest[BIG_MAX + 1] = {0};
    char digits[DIGITS_MAX];
    size_t used = 0;
    int is_zero;
    if (size > BIG_MAX)
        return dump_bytes(bytes, size);
    memcpy(rest + 1, bytes, size);
    for (size_t i = size + 1; plus && i-- > 0;)
        plus = ++rest[i] == 0;
    do {
        unsigned carry = 0;
        is_zero = 1;
        for (size_t i = 0; i <= size; i++) {
            unsigned part = carry << 8 | rest[i];
            rest[i] = (unsigned char)(part / 10);
            carry = part % 10;
            is_zero &= rest[i] == 0;
        }
        digits[used++] = (char)('0' + carry);
    } while (!is_zero && used < sizeof(digits));
    char *to = dump->scratch;
    if (is_negative)
        *to++ = '-';
    while (used > 0)
        *to++ = digits[--used];
    *to = '\0';
    return scratch(dump, DUMP_JSON);
}

static void element_text(uint32_t element, const unsigned char *at, int is_big_endian, char *text) {
    size_t size = weir_element_size(element);
    uint64_t bits = dump_load(at, size, is_big_endian);
    if (element == WEIR_F64) {
        double number;
        memcpy(&number, &bits, sizeof(number));
        dump_f64_text(number, text);
    } else if (element == WEIR_F32) {
        uint32_t half = (uint32_t)bits;
        float number;
        memcpy(&number, &half, sizeof(number));
        dump_f32_text(number, text);
    } else if (element >= WEIR_I8) {
        snprintf(text, 40, "%" PRId64, (int64_t)(bits << (64 - 8 * size)) >> (64 - 8 * size));
    } else {
        snprintf(text, 40, "%" PRIu64, bits);
    }
}

struct dump_value dump_numbers(struct dump *dump, uint32_t element, int is_big_endian, const unsigned char *bytes,
                               size_t size) {
    enum { NUMBERS_SHOWN = 6 };
    size_t width = weir_element_size(element), count = size / width, used = 0, i;
    dump->scratch[0] = '\0';
    for (i = 0; i < count && i < NUMBERS_SHOWN; i++) {
        char text[40];
        element_text(element, bytes + i * width, is_big_endian, text);
        int is_word = text[0] == 'N' || strstr(text, "Inf");
        used += (size_t)snprintf(dump->scratch + used, sizeof(dump->scratch) - used, is_word ? "%s\"%s\"" : "%s%s",
                                 i > 0 ? ", " : "", text);
    }
    struct dump_value value = scratch(dump, DUMP_NUMBERS);
    value.more = count - i;
    return value;
}

/* ---- text and numbers in bytes ---- */

static size_t character_size(const unsigned char *at, size_t left) {
    unsigned char lead = at[0];
    size_t size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (lead < 0xc2 || lead > 0xf4 || left < size)
        return 0;
    unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return size;
}

size_t dump_utf8(const unsigned char *text, size_t size) {
    size_t at = 0;
    while (at < size) {
        size_t character = text[at] < 0x80 ? 1 : character_size(text + at, size - at);
        if (character == 0)
            return at;
        at += character;
    }
    return size;
}

size_t dump_ascii(const unsigned char *text, size_t size) {
    size_t at = 0;
    while (at < size && text[at] < 0x80)
        at++;
    return at;
}

uint64_t dump_load(const unsigned char *at, size_t size, int is_big_endian) {
    uint64_t number = 0;
    for (size_t i = 0; i < size; i++)
        number = number << 8 | at[is_big_endian ? i : size - 1 - i];
    return number;
}

/* Make what %g wrote look like JSON's floats: with a '.' or an 'e', and an exponent without '+' and leading zeros. */
static void float_finish(double number, char *text) {
    static const double exact = 9007199254740992.0; /* 2^53: up to it %.0f has no more digits than needed */
    char *exponent = strchr(text, 'e');
    if (exponent && exponent[1] == '+' && fabs(number) < exact) {
        snprintf(text, 32, "%.1f", number);
        return;
    }
    if (!exponent && !strchr(text, '.'))
        strcat(text, ".0");
    if (!exponent)
        return;
    char *to = exponent + 1 + (exponent[1] == '-'), *digits = exponent + 2;
    digits += strspn(digits, "0");
    memmove(to, digits, strlen(digits) + 1);
}

static int special_text(double number, char *text) {
    if (isnan(number))
        strcpy(text, "NaN");
    else if (isinf(number))
        strcpy(text, number < 0 ? "-Infinity" : "Infinity");
    return !isfinite(number);
}

void dump_f64_text(double number, char *text) {
    if (special_text(number, text))
        return;
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, 32, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    float_finish(number, text);
}

void dump_f32_text(float number, char *text) {
    if (special_text((double)number, text))
        return;
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(text, 32, "%.*g", digits, (double)number);
        if (strtof(text, NULL) == number)
            break;
    }
    float_finish((double)number, text);
}

double dump_half(unsigned bits) {
    int exponent = bits >> 10 & 31, fraction = bits & 0x3ff;
    double number = exponent == 0    ? ldexp(fraction, -24)
                    : exponent == 31 ? (fraction ? NAN : INFINITY)
                                     : ldexp(1024 + fraction, exponent - 25);
    return bits & 0x8000 ? -number : number;
}

const char *dump_time_text(int64_t seconds, uint32_t ns, int digits, char *text) {
    static const int64_t first = -62167219200, last = 253402300799; /* the years 0 to 9999 */
    struct tm tm;
    time_t moment = (time_t)seconds;
    text[0] = '\0';
    if (seconds < first || seconds > last || !gmtime_r(&moment, &tm))
        return text;
    size_t used = (size_t)snprintf(text, 40, "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1,
                                   tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    if (digits > 0) {
        char fraction[16];
        snprintf(fraction, sizeof(fraction), "%09u", ns % 1000000000u);
        used += (size_t)snprintf(text + used, 40 - used, ".%.*s", digits, fraction);
    }
    snprintf(text + used, 40 - used, "Z");
    return text;
}

const char *dump_s(uint64_t count) {
    return count == 1 ? "" : "s";
}
