/* What the peers in C share: frames on stdin and stdout, and the neutral text (README.md).
 *
 * A peer is a filter: it says hello, then answers each request with one frame, until stdin ends. It ends with a
 * sentence on stderr where it cannot go on; the runner sees that as a crash and fails. */
#ifndef WEIR_DIFFERENTIAL_FRAMES_H
#define WEIR_DIFFERENTIAL_FRAMES_H

#include <stddef.h>
#include <stdint.h>

/* Bytes that grow; all zero is an empty one. */
struct text {
    char *data;
    size_t size;
    size_t room;
};

void text_put(struct text *text, const void *data, size_t size);
void text_print(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* As a JSON text. What is not UTF-8 goes through as it is, for the runner to see. */
void text_quote(struct text *text, const void *data, size_t size);
/* {"$NAME":"hexadecimal digits"} */
void text_hex(struct text *text, const char *name, const void *data, size_t size);
void text_f64(struct text *text, double value);

/* Numbers as frames have them: most significant byte first. */
uint64_t number_at(const unsigned char *at, size_t size);

/* Answers; a request gets exactly one. @again: the bytes that the peer makes of the value, none when it cannot. */
void answer_yes(const struct text *neutral, const void *again, size_t again_size);
void answer_no(const char *sentence);

/* Say hello, then call @answer with each request until stdin ends. Return: the exit status. */
int frames_serve(const char *hello, void (*answer)(const unsigned char *request, size_t size));

/* Random numbers that depend on the seed only. */
uint64_t draw(uint64_t *state);
static inline uint64_t draw_below(uint64_t *state, uint64_t limit) {
    return draw(state) % limit;
}
/* An integer with many borders among them. */
int64_t draw_integer(uint64_t *state);
/* The same for floats; NaN is always the one. */
double draw_float(uint64_t *state);
/* UTF-8 without NUL, at most @size bytes. Return: its size. */
size_t draw_text(uint64_t *state, char *text, size_t size);

#endif
