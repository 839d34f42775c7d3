/* weir guess: every reading of a few bytes, the likely ones first. Readings come from guess_*.c; here are the input,
 * the order and the table. */
#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "dump.h"
#include "guess.h"

enum { ARGUMENTS_MAX = 4096, BYTES_SHOWN = 24, VALUE_WIDTH = 30, NAME_WIDTH_MIN = 6 };

static struct { int is_json; } args;

static const struct cli_option options[] = {
    {"json", CLI_FLAG, &args.is_json, NULL, "one JSON object per reading"},
    {0},
};

/* ---- readings ---- */

struct reading *guess_add(struct guess *guess, int score, const char *name, const char *why, ...) {
    if (guess->count == GUESS_READINGS_MAX)
        return NULL;
    struct reading *reading = &guess->readings[guess->count];
    *reading = (struct reading){.score = score > 99 ? 99 : score};
    va_list list;
    va_start(list, why);
    vsnprintf(reading->why, sizeof(reading->why), why, list);
    va_end(list);
    snprintf(reading->name, sizeof(reading->name), "%s", name);
    if (weir_buffer_new(&reading->shown) != WEIR_OK || weir_buffer_new(&reading->json) != WEIR_OK) {
        weir_buffer_free(reading->shown);
        guess->is_out_of_memory = 1;
        return NULL;
    }
    guess->count++;
    return reading;
}

static void append(weir_buffer *buffer, const char *format, va_list list) {
    char text[512];
    int size = vsnprintf(text, sizeof(text), format, list);
    weir_buffer_append(buffer, text, size < (int)sizeof(text) ? (size_t)size : sizeof(text) - 1);
}

void guess_shown(struct reading *reading, const char *format, ...) {
    va_list list;
    va_start(list, format);
    append(reading->shown, format, list);
    va_end(list);
}

void guess_json(struct reading *reading, const char *format, ...) {
    va_list list;
    va_start(list, format);
    append(reading->json, format, list);
    va_end(list);
}

void guess_value(struct reading *reading, const char *format, ...) {
    va_list list, again;
    va_start(list, format);
    va_copy(again, list);
    append(reading->shown, format, list);
    append(reading->json, format, again);
    va_end(again);
    va_end(list);
}

void guess_json_text(struct reading *reading, const char *text, size_t size) {
    weir_doc *doc = NULL;
    const weir_value *root;
    if (weir_doc_new(&doc) != WEIR_OK)
        return;
    weir_refer_text(doc, text, size);
    if (weir_doc_finish(doc, &root, NULL) == WEIR_OK)
        weir_encode(root, WEIR_CODEC_JSON, NULL, reading->json, NULL);
    weir_doc_free(doc);
}

/* ---- input ---- */

/* Append the bytes of one argument: hexadecimal digits in pairs, with 0x or \x before them, and blanks, ':' ',' '-'
 * between. */
static int hex_read(const char *text, weir_buffer *input) {
    for (const char *c = text; *c;) {
        unsigned char byte;
        if (strchr(" \t\n:,-_", *c) || *c == '\\') {
            c += *c == '\\' && (c[1] | 32) == 'x' ? 2 : 1;
            continue;
        }
        if (*c == '0' && (c[1] | 32) == 'x') {
            c += 2;
            continue;
        }
        if (!isxdigit((unsigned char)c[0]))
            return cli_fail(CLI_USAGE,
                            "guess: '%c' in \"%s\" is no hexadecimal digit; write bytes as 7A or 0x7A, or pipe them to "
                            "weir guess -",
                            *c, text);
        if (!isxdigit((unsigned char)c[1]))
            return cli_fail(CLI_USAGE,
                            "guess: \"%s\" has half a byte at its end; write two digits for each byte, as 0%c", text,
                            *c);
        char digits[3] = {c[0], c[1], 0};
        byte = (unsigned char)strtoul(digits, NULL, 16);
        if (weir_buffer_append(input, &byte, 1) != WEIR_OK)
            return cli_fail(CLI_FAILURE, "out of memory");
        c += 2;
    }
    return CLI_OK;
}

static int input_read(int argc, char **argv, weir_buffer *input) {
    if (argc == 1 && strcmp(argv[0], "-") == 0)
        return cli_read_all(STDIN_FILENO, input, "standard input");
    for (int i = 0; i < argc; i++) {
        int exit = strcmp(argv[i], "-") == 0 ? cli_fail(CLI_USAGE, "guess: '-' reads standard input and stands alone")
                                             : hex_read(argv[i], input);
        if (exit)
            return exit;
    }
    return CLI_OK;
}

/* ---- output ---- */

static int more_likely(const void *a, const void *b) {
    const struct reading *left = a, *right = b;
    if (left->score != right->score)
        return left->score < right->score ? 1 : -1;
    return strcmp(left->name, right->name);
}

static const char *level_name(int score) {
    return score >= GUESS_LIKELY     ? "likely"
           : score >= GUESS_POSSIBLE ? "possible"
           : score >= GUESS_UNLIKELY ? "unlikely"
                                     : "no";
}

/* Columns that a text takes on a terminal: its characters, near enough. */
static size_t width_of(weir_view text) {
    size_t width = 0;
    for (size_t i = 0; i < text.size; i++)
        width += ((unsigned char)text.data[i] & 0xc0) != 0x80;
    return width;
}

static void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void print(const char *format, ...) {
    char text[512];
    va_list list;
    va_start(list, format);
    int size = vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    cli_print(text, size < (int)sizeof(text) ? (size_t)size : sizeof(text) - 1);
}

static void line_print(const struct reading *reading, size_t name_width, const char *level_before) {
    weir_view shown = weir_buffer_view(reading->shown);
    const char *level = level_name(reading->score);
    int is_new = strcmp(level, level_before) != 0, is_likely = reading->score >= GUESS_LIKELY;
    size_t width = width_of(shown);
    print("%s%-9s%s ", cli_style(CLI_DIM), is_new ? level : "", cli_style(CLI_PLAIN));
    print("%-*s  %s", (int)name_width, reading->name, is_likely ? cli_style(CLI_BOLD) : "");
    cli_print(shown.data, shown.size);
    print("%s%*s  %s%s%s\n", is_likely ? cli_style(CLI_PLAIN) : "",
          width < VALUE_WIDTH ? (int)(VALUE_WIDTH - width) : 0, "", cli_style(CLI_DIM), reading->why,
          cli_style(CLI_PLAIN));
}

static void table_print(const struct guess *guess) {
    size_t name_width = NAME_WIDTH_MIN;
    const char *level = "";
    print("%zu byte%s:", guess->size, dump_s(guess->size));
    for (size_t i = 0; i < guess->size && i < BYTES_SHOWN; i++)
        print(" %02x", guess->data[i]);
    print(guess->size > BYTES_SHOWN ? " …\n\n" : "\n\n");
    for (size_t i = 0; i < guess->count; i++)
        if (strlen(guess->readings[i].name) > name_width)
            name_width = strlen(guess->readings[i].name);
    for (size_t i = 0; i < guess->count; i++) {
        line_print(&guess->readings[i], name_width, level);
        level = level_name(guess->readings[i].score);
    }
}

static void json_print(struct guess *guess) {
    for (size_t i = 0; i < guess->count; i++) {
        struct reading *reading = &guess->readings[i];
        weir_view value = weir_buffer_view(reading->json);
        print("{\"v\":1,\"reading\":\"%s\",\"value\":", reading->name);
        cli_print(value.data, value.size);
        print(",\"likelihood\":%d,\"level\":\"%s\",\"why\":", reading->score, level_name(reading->score));
        weir_buffer_clear(reading->json);
        guess_json_text(reading, reading->why, strlen(reading->why));
        value = weir_buffer_view(reading->json);
        cli_print(value.data, value.size);
        print("}\n");
    }
}

static int guess_all(weir_view input) {
    static struct guess guess;
    guess = (struct guess){.data = (const unsigned char *)input.data, .size = input.size};
    guess_text(&guess);
    guess_numbers(&guess);
    guess_codecs(&guess);
    qsort(guess.readings, guess.count, sizeof(guess.readings[0]), more_likely);
    if (args.is_json)
        json_print(&guess);
    else
        table_print(&guess);
    for (size_t i = 0; i < guess.count; i++) {
        weir_buffer_free(guess.readings[i].shown);
        weir_buffer_free(guess.readings[i].json);
    }
    return guess.is_out_of_memory ? cli_fail(CLI_FAILURE, "out of memory") : CLI_OK;
}

static int run(int argc, char **argv) {
    weir_buffer *input = NULL;
    if (weir_buffer_new(&input) != WEIR_OK)
        return cli_fail(CLI_FAILURE, "out of memory");
    int exit = input_read(argc, argv, input);
    if (exit == CLI_OK && weir_buffer_view(input).size == 0)
        exit =
            cli_fail(CLI_USAGE, "guess: there is no byte to guess at; write bytes as 7A, or pipe them to weir guess -");
    if (exit == CLI_OK)
        exit = guess_all(weir_buffer_view(input));
    weir_buffer_free(input);
    return exit;
}

const struct cli_command cli_guess = {
    .name = "guess",
    .summary = "show what a few bytes may mean",
    .usage = "[--json] HEX... | -",
    .examples = "  weir guess 7A\n"
                "  weir guess 00 00 80 3f\n"
                "  head -c 16 unknown.dat | weir guess -\n",
    .options = options,
    .arguments_min = 1,
    .arguments_max = ARGUMENTS_MAX,
    .run = run,
};
