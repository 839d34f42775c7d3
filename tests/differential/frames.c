/* Frames, neutral text and random numbers of the peers in C. */
#include "frames.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void give_up(const char *what) {
    fprintf(stderr, "peer: %s\n", what);
    exit(1);
}

/* ---- text ---- */

static void reserve(struct text *text, size_t more) {
    if (text->room - text->size >= more)
        return;
    text->room = 2 * text->room + more;
    text->data = realloc(text->data, text->room);
    if (!text->data)
        give_up("out of memory");
}

void text_put(struct text *text, const void *data, size_t size) {
    reserve(text, size + 1);
    if (size > 0)
        memcpy(text->data + text->size, data, size);
    text->size += size;
}

void text_print(struct text *text, const char *format, ...) {
    enum { ROOM = 512 };
    va_list arguments;
    reserve(text, ROOM);
    va_start(arguments, format);
    int size = vsnprintf(text->data + text->size, ROOM, format, arguments);
    va_end(arguments);
    if (size < 0 || size >= ROOM)
        give_up("a text is too long to be printed in one piece");
    text->size += (size_t)size;
}

void text_quote(struct text *text, const void *data, size_t size) {
    const unsigned char *byte = data;
    text_put(text, "\"", 1);
    for (size_t i = 0; i < size; i++)
        if (byte[i] < 0x20)
            text_print(text, "\\u%04x", byte[i]);
        else {
            if (byte[i] == '"' || byte[i] == '\\')
                text_put(text, "\\", 1);
            text_put(text, byte + i, 1);
        }
    text_put(text, "\"", 1);
}

void text_hex(struct text *text, const char *name, const void *data, size_t size) {
    static const char digits[] = "0123456789abcdef";
    const unsigned char *byte = data;
    text_print(text, "{\"$%s\":\"", name);
    reserve(text, 2 * size);
    for (size_t i = 0; i < size; i++) {
        text->data[text->size++] = digits[byte[i] >> 4];
        text->data[text->size++] = digits[byte[i] & 15];
    }
    text_print(text, "\"}");
}

void text_f64(struct text *text, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    text_print(text, "{\"$f64\":\"%016llx\"}", (unsigned long long)bits);
}

/* ---- frames ---- */

uint64_t number_at(const unsigned char *at, size_t size) {
    uint64_t number = 0;
    for (size_t i = 0; i < size; i++)
        number = number << 8 | at[i];
    return number;
}

static void put_number(struct text *text, uint32_t number) {
    unsigned char bytes[4] = {(unsigned char)(number >> 24), (unsigned char)(number >> 16),
                              (unsigned char)(number >> 8), (unsigned char)number};
    text_put(text, bytes, sizeof(bytes));
}

static void send_frame(const struct text *frame) {
    struct text head = {0};
    put_number(&head, (uint32_t)frame->size);
    if (fwrite(head.data, 1, head.size, stdout) != head.size ||
        fwrite(frame->data, 1, frame->size, stdout) != frame->size || fflush(stdout) != 0)
        give_up("the runner does not listen");
    free(head.data);
}

void answer_yes(const struct text *neutral, const void *again, size_t again_size) {
    struct text frame = {0};
    text_put(&frame, "y", 1);
    put_number(&frame, (uint32_t)neutral->size);
    text_put(&frame, neutral->data, neutral->size);
    text_put(&frame, again, again_size);
    send_frame(&frame);
    free(frame.data);
}

void answer_no(const char *sentence) {
    struct text frame = {0};
    text_put(&frame, "n", 1);
    text_put(&frame, sentence, strlen(sentence));
    send_frame(&frame);
    free(frame.data);
}

int frames_serve(const char *hello, void (*answer)(const unsigned char *request, size_t size)) {
    struct text greeting = {0};
    text_put(&greeting, hello, strlen(hello));
    answer_yes(&greeting, NULL, 0);
    free(greeting.data);
    unsigned char head[4];
    while (fread(head, 1, sizeof(head), stdin) == sizeof(head)) {
        size_t size = number_at(head, sizeof(head));
        /* a block of exactly its size, so that a sanitizer sees what is read behind it */
        unsigned char *request = malloc(size > 0 ? size : 1);
        if (!request || fread(request, 1, size, stdin) != size)
            give_up("a request is cut off");
        answer(request, size);
        free(request);
    }
    return 0;
}

/* ---- random ---- */

uint64_t draw(uint64_t *state) { /* xorshift64*, with a state that may be 0 */
    uint64_t x = *state ? *state : UINT64_C(0x2545f4914f6cdd1d);
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * UINT64_C(0x2545f4914f6cdd1d);
}

int64_t draw_integer(uint64_t *state) {
    uint64_t border =
        draw_below(state, 2) ? UINT64_C(1) << draw_below(state, 64) : draw(state) >> draw_below(state, 64);
    return (int64_t)(border + draw_below(state, 3) - 1);
}

double draw_float(uint64_t *state) {
    static const double borders[] = {0.0,
                                     -0.0,
                                     1.0,
                                     0.1,
                                     65504.0,
                                     65520.0,
                                     5.9604644775390625e-8,
                                     3.4028234663852886e38,
                                     4.9e-324,
                                     1.7976931348623157e308,
                                     INFINITY,
                                     -INFINITY};
    uint64_t bits = draw(state);
    double value;
    memcpy(&value, &bits, sizeof(value));
    switch (draw_below(state, 4)) {
    case 0: return borders[draw_below(state, sizeof(borders) / sizeof(borders[0]))];
    case 1: return (double)draw_integer(state) / 8;
    case 2: return (float)value;
    default: return value == value ? value : (double)NAN;
    }
}

size_t draw_text(uint64_t *state, char *text, size_t size) {
    static const char *const pieces[] = {"a",  "b",    "Z",        "\"",           "\\",
                                         "\n", "\x7F", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x8C\x8D"};
    size_t wanted = draw_below(state, draw_below(state, 4) ? 10 : size + 1);
    size_t used = 0;
    while (used < wanted) {
        const char *piece = pieces[draw_below(state, sizeof(pieces) / sizeof(pieces[0]))];
        if (strlen(piece) > size - used)
            break;
        memcpy(text + used, piece, strlen(piece));
        used += strlen(piece);
    }
    return used;
}
