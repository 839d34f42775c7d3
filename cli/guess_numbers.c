/* Bytes as numbers. What speaks for a reading is how ordinary its numbers are: people's numbers are small for their
 * size or have few digits, while bytes of something else, read as numbers, are spread over the whole range. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "dump.h"
#include "guess.h"

enum { JUDGED_MAX = 64, ITEMS_MIN = 2, WIDTH_SHOWN = 14 };

struct verdict {
    int score;
    const char *why;
};

static int is_signed(uint32_t element) {
    return element >= WEIR_I8 && element <= WEIR_I64;
}

static struct verdict judge_integer(uint64_t bits, unsigned width, int is_negative) {
    uint64_t magnitude = is_negative ? 0 - (bits | ~(width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1)) : bits;
    unsigned used = magnitude ? 64 - (unsigned)__builtin_clzll(magnitude) : 0;
    if (magnitude == 0)
        return (struct verdict){50, "all bits are 0"};
    if (width == 16 && used > 8)
        return (struct verdict){38, "any two bytes are such a number"};
    if (used * 2 <= width)
        return (struct verdict){70, "small for its size, as most numbers are"};
    if (used * 4 <= width * 3)
        return (struct verdict){45, "of a size that numbers may have"};
    return (struct verdict){is_negative ? 18 : 20, "huge: any bytes would give such a number"};
}

static struct verdict judge_float(double number, const char *text) {
    size_t digits = 0;
    double size = fabs(number);
    for (const char *c = text; *c && *c != 'e'; c++)
        digits += *c >= '0' && *c <= '9';
    if (!isfinite(number))
        return (struct verdict){6, "a special value"};
    if (number == 0)
        return (struct verdict){35, "all bits are 0, but perhaps the sign"};
    if (size < 1e-30 || size > 1e30)
        return (struct verdict){2, "of a size that nobody measures"};
    if (size < 1e-6 || size > 1e12)
        return (struct verdict){12, "of an unusual size"};
    if (digits <= 6)
        return (struct verdict){88, "an ordinary number with few digits: hardly by chance"};
    return (struct verdict){55, "of an ordinary size"};
}

/* The element at @at as text, and how likely it is. */
static struct verdict element_judge(uint32_t element, const unsigned char *at, int is_big_endian, char *text) {
    size_t size = weir_element_size(element);
    uint64_t bits = dump_load(at, size, is_big_endian);
    uint32_t low = (uint32_t)bits;
    float single;
    double number;
    memcpy(&single, &low, sizeof(single));
    memcpy(&number, &bits, sizeof(number));
    if (element == WEIR_F32) {
        dump_f32_text(single, text);
        return judge_float((double)single, text);
    }
    if (element == WEIR_F64) {
        dump_f64_text(number, text);
        return judge_float(number, text);
    }
    int64_t extended = (int64_t)(bits << (64 - 8 * size)) >> (64 - 8 * size);
    int is_negative = is_signed(element) && extended < 0;
    if (is_signed(element))
        snprintf(text, 40, "%" PRId64, extended);
    else
        snprintf(text, 40, "%" PRIu64, bits);
    return judge_integer(bits, (unsigned)(8 * size), is_negative);
}

static const char *order_name(size_t width, int is_big_endian) {
    return width == 1 ? "" : is_big_endian ? ", big-endian" : ", little-endian";
}

static void number_append(struct reading *reading, const char *text) {
    int is_word = strchr(text, 'N') || strchr(text, 'I');
    guess_shown(reading, "%s", text);
    guess_json(reading, is_word ? "\"%s\"" : "%s", text);
}

/* Whether reading as signed differs from unsigned. */
static int has_negative(const struct guess *guess, size_t width, int is_big_endian) {
    for (size_t i = 0; i < guess->size / width; i++)
        if (guess->data[i * width + (is_big_endian ? 0 : width - 1)] & 0x80)
            return 1;
    return 0;
}

static void scalar(struct guess *guess, uint32_t element, int is_big_endian) {
    char text[40], name[GUESS_NAME_MAX];
    struct verdict verdict = element_judge(element, guess->data, is_big_endian, text);
    if (guess->size == 1)
        verdict = is_signed(element) ? (struct verdict){35, "the high bit as a sign"}
                                     : (struct verdict){62, "a whole number from 0 to 255, as every byte is"};
    else if (is_big_endian && verdict.score > 10)
        verdict.score -= 8; /* rarer: only network protocols and some formats */
    snprintf(name, sizeof(name), "%s%s", weir_element_name(element), order_name(guess->size, is_big_endian));
    struct reading *reading = guess_add(guess, verdict.score, name, "%s", verdict.why);
    if (reading)
        number_append(reading, text);
}

static void array(struct guess *guess, uint32_t element, int is_big_endian) {
    size_t width = weir_element_size(element), count = guess->size / width, judged = 0;
    char text[40], name[GUESS_NAME_MAX];
    int sum = 0, least = 100;
    struct verdict verdict = {0};
    for (; judged < count && judged < JUDGED_MAX; judged++) {
        verdict = element_judge(element, guess->data + judged * width, is_big_endian, text);
        sum += verdict.score;
        least = verdict.score < least ? verdict.score : least;
    }
    int score = width == 1 ? (is_signed(element) ? 26 : 40) : (sum / (int)judged + least) / 2 - (is_big_endian ? 8 : 4);
    const char *why = width == 1                ? "any bytes are"
                      : score >= GUESS_LIKELY   ? "every number is an ordinary one: hardly by chance"
                      : score >= GUESS_POSSIBLE ? "some of the numbers are ordinary ones"
                                                : "odd numbers, as any bytes would give";
    snprintf(name, sizeof(name), "%s[%zu]%s", weir_element_name(element), count, order_name(width, is_big_endian));
    struct reading *reading = guess_add(guess, score < 1 ? 1 : score, name, "%s", why);
    if (!reading)
        return;
    guess_json(reading, "[");
    size_t shown = 0;
    while (shown < count && (shown < ITEMS_MIN || weir_buffer_view(reading->shown).size < WIDTH_SHOWN)) {
        guess_value(reading, shown > 0 ? ", " : "");
        element_judge(element, guess->data + shown * width, is_big_endian, text);
        number_append(reading, text);
        shown++;
    }
    guess_json(reading, "]");
    if (count > shown)
        guess_shown(reading, ", … %zu more", count - shown);
}

/* Single bytes: with so few, people look at the bits. */
static void bits(struct guess *guess) {
    struct reading *reading = guess->size <= 2 ? guess_add(guess, 15, "bits", "flags, most significant first") : NULL;
    if (!reading)
        return;
    guess_json(reading, "\"");
    for (size_t i = 0; i < guess->size * 8; i++)
        guess_value(reading, "%s%d", i > 0 && i % 8 == 0 ? " " : "", guess->data[i / 8] >> (7 - i % 8) & 1);
    guess_json(reading, "\"");
}

/* ---- times ---- */

enum { YEAR = 31556952, SINCE = 20 * YEAR, AROUND = 45 * YEAR }; /* 1990; 2015 */
#define UNTIL (INT64_C(100) * YEAR)                              /* 2070 */

static void time_add(struct guess *guess, int64_t seconds, uint32_t ns, int digits, int score, const char *form,
                     int is_big_endian) {
    char text[40], name[GUESS_NAME_MAX];
    if (seconds < SINCE || seconds > UNTIL)
        return;
    int is_near = seconds > AROUND && seconds < INT64_C(70) * YEAR;
    snprintf(name, sizeof(name), "time in %s", form);
    struct reading *reading =
        guess_add(guess, score + (is_near ? 14 : 0), name, "%ssince 1970: %s%s", is_big_endian ? "big-endian, " : "",
                  is_near ? "a date of these years" : "a date that may be meant",
                  guess->size == 4 ? "" : ", which few bytes are by chance");
    if (!reading)
        return;
    dump_time_text(seconds, ns, digits, text);
    guess_shown(reading, "%s", text);
    guess_json(reading, "\"%s\"", text);
}

static void times(struct guess *guess, int is_big_endian) {
    static const struct {
        const char *name;
        int64_t per_second;
        int digits;
    } units[] = {{"s", 1, 0}, {"ms", 1000, 3}, {"us", 1000000, 6}, {"ns", 1000000000, 9}};
    uint64_t number = dump_load(guess->data, guess->size, is_big_endian);
    double seconds;
    memcpy(&seconds, &number, sizeof(seconds));
    if (guess->size == 4) {
        time_add(guess, (int64_t)number, 0, 0, 38, "s, u32", is_big_endian);
        return;
    }
    if (seconds > SINCE && seconds < (double)UNTIL)
        time_add(guess, (int64_t)seconds, (uint32_t)((seconds - floor(seconds)) * 1e9), 6, 76, "s, f64", is_big_endian);
    for (size_t i = 0; number <= INT64_MAX && i < sizeof(units) / sizeof(units[0]); i++) {
        char form[16];
        int64_t whole = (int64_t)number / units[i].per_second, rest = (int64_t)number % units[i].per_second;
        snprintf(form, sizeof(form), "%s, i64", units[i].name);
        time_add(guess, whole, (uint32_t)(rest * (1000000000 / units[i].per_second)), units[i].digits, 78, form,
                 is_big_endian);
    }
}

void guess_numbers(struct guess *guess) {
    for (uint32_t element = WEIR_U8; element <= WEIR_F64; element++) {
        size_t width = weir_element_size(element);
        if (guess->size % width != 0)
            continue;
        for (int is_big_endian = 0; is_big_endian <= (width > 1); is_big_endian++) {
            if (is_signed(element) && !has_negative(guess, width, is_big_endian))
                continue;
            if (guess->size == width)
                scalar(guess, element, is_big_endian);
            else
                array(guess, element, is_big_endian);
        }
    }
    for (int is_big_endian = 0; (guess->size == 4 || guess->size == 8) && is_big_endian <= 1; is_big_endian++)
        times(guess, is_big_endian);
    bits(guess);
}
