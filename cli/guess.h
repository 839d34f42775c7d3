/* Readings of bytes for `weir guess`: what they may be, what they would say, and what speaks for or against it. */
#ifndef WEIR_GUESS_H
#define WEIR_GUESS_H

#include <stddef.h>
#include <stdint.h>
#include <weir/weir.h>

enum { GUESS_READINGS_MAX = 128, GUESS_NAME_MAX = 32, GUESS_WORDS_MAX = 200 };

/* How likely, out of 100: what the levels begin at. */
enum { GUESS_LIKELY = 60, GUESS_POSSIBLE = 25, GUESS_UNLIKELY = 1, GUESS_NOT = 0 };

struct reading {
    char name[GUESS_NAME_MAX]; /* "u32, big-endian" */
    char why[GUESS_WORDS_MAX];
    int score;
    weir_buffer *shown; /* for people */
    weir_buffer *json;  /* for programs */
};

struct guess {
    const unsigned char *data;
    size_t size;
    struct reading readings[GUESS_READINGS_MAX];
    size_t count;
    int is_out_of_memory;
};

/* Another reading; its name, and in @why what makes it likely or not. Return: it, its values empty; NULL when there
 * are too many already, or no memory. */
struct reading *guess_add(struct guess *guess, int score, const char *name, const char *why, ...)
    __attribute__((format(printf, 4, 5)));
/* Append to both of its values, or to each. */
void guess_value(struct reading *reading, const char *format, ...) __attribute__((format(printf, 2, 3)));
void guess_shown(struct reading *reading, const char *format, ...) __attribute__((format(printf, 2, 3)));
void guess_json(struct reading *reading, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Append @size bytes of UTF-8 as a JSON text. */
void guess_json_text(struct reading *reading, const char *text, size_t size);

/* Whole numbers, floats, arrays of them, times, bits: guess_numbers.c. */
void guess_numbers(struct guess *guess);
/* Text, and identifiers that have a size of their own: guess_text.c. */
void guess_text(struct guess *guess);
/* Each codec of the library, and the frame: guess_codecs.c. */
void guess_codecs(struct guess *guess);

#endif
