/* Bytes as a message: each codec that the library has decodes them, and what it says of them is shown; where it
 * refuses, the annotator of `weir dump` says why in words. Raw data is left out: it is the numbers of
 * guess_numbers.c. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "dump.h"
#include "guess.h"

enum { CODEC_MAX = 15, NAME_SHOWN = 12 };

static void token_ignore(struct dump *dump, const struct dump_token *token) {
    (void)dump;
    (void)token;
}

/* Why @format refuses the bytes. Return: 1 when it says so too, with *ret_is_cut when it is because they end. */
static int refusal(const struct guess *guess, const struct dump_format *format, char *words, size_t size,
                   int *ret_is_cut) {
    struct dump dump = {
        .data = guess->data, .size = guess->size, .end = guess->size, .token = token_ignore, .is_single = 1};
    int status = format->run(&dump);
    free(dump.levels);
    *ret_is_cut = status == WEIR_EPARSE && dump.wrong_offset == guess->size;
    snprintf(words, size, "%.*s", (int)size - 1, dump.wrong);
    return status != WEIR_OK;
}

static int is_container(int kind) {
    return kind == WEIR_KIND_MAP || kind == WEIR_KIND_ARRAY || kind == WEIR_KIND_NDARRAY || kind == WEIR_KIND_TAGGED;
}

static int capped(size_t size, int per_byte, int base, int most) {
    return size * (size_t)per_byte > (size_t)(most - base) ? most : base + (int)size * per_byte;
}

/* How likely it is that bytes which @codec takes are its own, and what speaks for it. */
static int judge(const struct guess *guess, int codec, const weir_value *root, const char **ret_why) {
    static const char all[] = "every byte has its place in it";
    const unsigned char *data = guess->data;
    size_t size = guess->size;
    int kind = weir_value_kind(root);
    *ret_why = all;
    switch (codec) {
    case WEIR_CODEC_JSON: return is_container(kind) ? 98 : size == 1 ? 40 : capped(size, 4, 50, 90);
    case WEIR_CODEC_BSON: *ret_why = "the first 4 bytes are its size, and a NUL ends it"; return 97;
    case WEIR_CODEC_SMILE:
        if (size > 3 && memcmp(data, ":)\n", 3) == 0)
            return *ret_why = "it has the header :) of Smile", 99;
        *ret_why = "without the header that nearly all Smile has";
        return size == 1 ? 3 : size < 4 ? 6 : 20;
    case WEIR_CODEC_CBOR: break;
    default: return GUESS_POSSIBLE;
    }
    if (size > 3 && memcmp(data, "\xd9\xd9\xf7", 3) == 0)
        return *ret_why = "it has the mark of CBOR", 99;
    if (size == 1)
        return *ret_why = "one of many bytes that are an item by themselves", 22;
    if (is_container(kind))
        return capped(size, 5, 60, 96);
    if (kind == WEIR_KIND_TEXT || kind == WEIR_KIND_BYTES)
        return *ret_why = "the first byte gives the length, and it is right", capped(size, 6, 50, 92);
    return *ret_why = "the first byte asks for just these that follow", 48;
}

static void value_append(struct reading *reading, const weir_value *root) {
    weir_codec_options plain = WEIR_CODEC_OPTIONS_INIT;
    plain.flags = WEIR_PLAIN;
    cli_readable(root, reading->shown);
    if (weir_encode(root, WEIR_CODEC_JSON, &plain, reading->json, NULL) != WEIR_OK)
        guess_json(reading, "null");
}

static void upper(const char *name, char *to) {
    size_t i;
    for (i = 0; name[i] && i < NAME_SHOWN; i++)
        to[i] = (char)(name[i] >= 'a' && name[i] <= 'z' && strcmp(name, "smile") != 0 ? name[i] - 32 : name[i]);
    to[i] = '\0';
    if (strcmp(name, "smile") == 0)
        to[0] = 'S';
}

/* Items that follow one another to the end of the bytes. Return: 1 when that is what they are, and was added. */
static int sequence_try(struct guess *guess, weir_doc *doc, int codec, const char *title) {
    enum { ITEMS_SHOWN = 4 };
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    char name[GUESS_NAME_MAX];
    size_t at = 0, used = 0, count = 0;
    int score = 10;
    options.flags = WEIR_SEQUENCE;
    for (; at < guess->size; at += used, count++) {
        if (weir_decode(doc, codec, guess->data + at, guess->size - at, &options, &used, NULL) != WEIR_OK)
            return 0;
        if (count == 0 && is_container(weir_value_kind(weir_doc_root(doc))))
            score = 75;
    }
    snprintf(name, sizeof(name), "%s sequence", title);
    struct reading *reading = guess_add(guess, score, name, "%zu item%s one after the other", count, CLI_S(count));
    if (!reading)
        return 1;
    weir_doc_clear(doc);
    guess_json(reading, "[");
    for (at = count = 0; at < guess->size && count < ITEMS_SHOWN; at += used, count++) {
        if (weir_decode(doc, codec, guess->data + at, guess->size - at, &options, &used, NULL) != WEIR_OK)
            break;
        guess_value(reading, count > 0 ? ", " : "");
        value_append(reading, weir_doc_root(doc));
    }
    guess_json(reading, "]");
    guess_shown(reading, at < guess->size ? ", …" : "");
    return 1;
}

static void codec_try(struct guess *guess, weir_doc *doc, int codec) {
    const char *name = weir_codec_name(codec), *why;
    char title[NAME_SHOWN + 1], words[GUESS_WORDS_MAX];
    weir_error err = {0};
    int status = weir_decode(doc, codec, guess->data, guess->size, NULL, NULL, &err);
    const struct dump_format *format = dump_format_find(name);
    int is_cut = 0;
    upper(name, title);
    if (status == WEIR_OK) {
        int score = judge(guess, codec, weir_doc_root(doc), &why);
        struct reading *reading = guess_add(guess, score, title, "%s", why);
        if (reading)
            value_append(reading, weir_doc_root(doc));
    } else if ((status == WEIR_EPARSE || status == WEIR_ELIMIT) && !sequence_try(guess, doc, codec, title)) {
        int is_said = format && refusal(guess, format, words, sizeof(words), &is_cut);
        struct reading *reading = guess_add(guess, is_cut ? 4 : GUESS_NOT, title, "%s", is_said ? words : err.text);
        if (!reading)
            return;
        guess_shown(reading, is_cut ? "cut short" : "");
        guess_json(reading, "null");
    }
}

static void frame(struct guess *guess) {
    char words[GUESS_WORDS_MAX];
    int is_cut;
    if (!dump_is_frame(guess->data, guess->size))
        return;
    int is_wrong = refusal(guess, &dump_frame, words, sizeof(words), &is_cut);
    struct reading *reading = guess_add(guess, is_wrong ? 20 : 98, "frame",
                                        is_wrong ? "begins like a frame of weir, but: %s"
                                                 : "a message of weir with its header: see it with weir dump%.0s",
                                        words);
    if (!reading)
        return;
    guess_shown(reading, "%" PRIu64 " bytes", dump_load(guess->data, 4, 0));
    guess_json(reading, "null");
}

static void log_try(struct guess *guess) {
    if (!dump_is_log(guess->data, guess->size))
        return;
    struct reading *reading = guess_add(guess, 99, "weir log",
                                        "it begins as a log of weir does: weir sub "
                                        "file:///FOLDER/NAME.weir --from oldest reads it");
    if (!reading)
        return;
    guess_shown(reading, "the beginning of a log");
    guess_json(reading, "null");
}

void guess_codecs(struct guess *guess) {
    weir_doc *doc = NULL;
    if (weir_doc_new(&doc) != WEIR_OK) {
        guess->is_out_of_memory = 1;
        return;
    }
    for (int codec = 1; codec <= CODEC_MAX; codec++)
        if (codec != WEIR_CODEC_RAW && strcmp(weir_codec_name(codec), "?") != 0)
            codec_try(guess, doc, codec);
    frame(guess);
    log_try(guess);
    weir_doc_free(doc);
}
