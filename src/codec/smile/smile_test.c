/* Smile as its specification has it: what is read, where it is broken, shared names and values, sections and
 * sequences, limits; and the corpus of files written by Jackson when it is there. What the kinds become is
 * smile_kinds_test.c.
 *
 * Every input lies at the end of a block of its own, so that a sanitizer sees a byte read too many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/smile/smile.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct fixture {
    weir_doc *doc;
    weir_doc *other;
    weir_buffer *out;
    weir_error err;
    unsigned char *input; /* what the document points into */
};

static int setup(void **state) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    *state = fixture;
    return !fixture || weir_doc_new(&fixture->doc) != WEIR_OK || weir_doc_new(&fixture->other) != WEIR_OK ||
           weir_buffer_new(&fixture->out) != WEIR_OK;
}

static int teardown(void **state) {
    struct fixture *fixture = *state;
    weir_doc_free(fixture->doc);
    weir_doc_free(fixture->other);
    weir_buffer_free(fixture->out);
    free(fixture->input);
    free(fixture);
    return 0;
}

static int decode_with(struct fixture *fixture, const void *data, size_t size, const weir_codec_options *options,
                       size_t *ret_used) {
    free(fixture->input);
    fixture->input = malloc(size > 0 ? size : 1);
    assert_non_null(fixture->input);
    if (size > 0)
        memcpy(fixture->input, data, size);
    fixture->err = (weir_error){0};
    int status = weir_decode(fixture->doc, WEIR_CODEC_SMILE, fixture->input, size, options, ret_used, &fixture->err);
    assert_int_equal(status, fixture->err.code);
    assert_int_equal(status == WEIR_OK, weir_doc_root(fixture->doc) != NULL);
    if (status == WEIR_EPARSE)
        assert_true(fixture->err.offset <= size);
    return status;
}

static int decode(struct fixture *fixture, const void *data, size_t size, uint32_t flags) {
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    options.flags = flags;
    options.depth_max = 1000;
    return decode_with(fixture, data, size, &options, NULL);
}

/* The document as JSON, for comparing. */
static const char *json_of(struct fixture *fixture) {
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    options.depth_max = 1000;
    weir_buffer_clear(fixture->out);
    assert_int_equal(weir_encode(weir_doc_root(fixture->doc), WEIR_CODEC_JSON, &options, fixture->out, &fixture->err),
                     WEIR_OK);
    assert_int_equal(weir_buffer_append(fixture->out, "", 1), WEIR_OK);
    return weir_buffer_view(fixture->out).data;
}

static size_t unhex(const char *hex, unsigned char *to) {
    size_t size = 0;
    unsigned byte;
    for (; *hex; hex += 2 * (*hex != ' ') + (*hex == ' '))
        if (*hex != ' ' && sscanf(hex, "%2x", &byte) == 1)
            to[size++] = (unsigned char)byte;
    return size;
}

/* ---- what is read ---- */

static void test_values(void **state) {
    static const char *const cases[][2] = {
        {"20", "\"\""},
        {"21", "null"},
        {"22", "false"},
        {"23", "true"},
        {"C0", "0"},
        {"C1", "-1"},
        {"DE", "15"},
        {"DF", "-16"},
        {"24 80", "0"},
        {"24 01 A0", "48"},
        {"24 1F 7F 7F 7F BF", "-2147483648"},
        {"24 1F 7F 7F 7F BE", "2147483647"},
        {"25 81", "-1"},
        {"25 03 7F 7F 7F 7F 7F 7F 7F 7F BF", "-9223372036854775808"},
        {"26 81 00 00", "0"},
        {"26 81 7F 01", "-1"},
        {"26 89 00 1F 7F 7F 7F 7F 7F 7F 7F 7F 03", "9223372036854775807"},
        {"26 89 00 20 00 00 00 00 00 00 00 00 00", "9223372036854775808"},
        {"26 89 00 3F 7F 7F 7F 7F 7F 7F 7F 7F 03", "18446744073709551615"},
        {"26 89 00 00 10 00 00 00 00 00 00 00 00", "36028797018963968"},
        {"26 89 7F 5F 7F 7F 7F 7F 7F 7F 7F 7F 03", "-9223372036854775809"},
        {"28 03 7C 00 00 00", "{\"$f32\":\"1.0\"}"},
        {"29 00 3F 78 00 00 00 00 00 00 00", "1.0"},
        {"29 01 40 00 00 00 00 00 00 00 00", "-2.0"},
        {"2A 84 81 4B 00", "{\"$numberDecimal\":\"-1.06\"}"},
        {"2A 80 81 00 00", "{\"$numberDecimal\":\"0\"}"},
        {"2A 83 81 03 01", "{\"$numberDecimal\":\"7E+2\"}"},
        {"40 61", "\"a\""},
        {"80 C3 A9", "\"\xC3\xA9\""},
        {"E0 61 FC", "\"a\""},
        {"E0 FC", "\"\""},
        {"E4 C3 A9 FC", "\"\xC3\xA9\""},
        {"E8 80", "{\"$binary\":{\"base64\":\"\",\"subType\":\"00\"}}"},
        {"E8 82 7F 40 02", "{\"$binary\":{\"base64\":\"/wI=\",\"subType\":\"00\"}}"},
        {"E8 87 00 40 40 30 20 14 0C 07", "{\"$binary\":{\"base64\":\"AQIDBAUGBw==\",\"subType\":\"00\"}}"},
        {"FD 82 FF FE", "{\"$binary\":{\"base64\":\"//4=\",\"subType\":\"00\"}}"},
        {"F8 F9", "[]"},
        {"F8 C2 F8 F9 FA FB F9", "[1,[],{}]"},
        {"FA 80 61 C2 FB", "{\"a\":1}"},
        {"FA 20 C2 FB", "{\"\":1}"},
        {"FA 34 61 FC C2 40 C4 FB", "{\"a\":1,\"a\":2}"},
        {"FA C0 C3 A9 F8 C2 F9 FB", "{\"\xC3\xA9\":[1]}"},
        {"21 FF", "null"},
        {"3A 29 0A 00 21", "null"},
        {"3A 29 0A 09 21 FF", "null"},
        {"3A 29 0A 00 3A 29 0A 01 21", "null"},
        {"3A 29 0A 02 F8 40 61 01 EC 00 F9", "[\"a\",\"a\",\"a\"]"},
        {"3A 29 0A 01 FA 80 61 FA 80 62 C2 FB 41 40 61 30 00 40 61 FB", "{\"a\":{\"b\":1},\"b\":\"a\",\"a\":\"a\"}"}};
    struct fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        unsigned char data[64];
        size_t size = unhex(cases[i][0], data);
        if (decode(fixture, data, size, 0) != WEIR_OK)
            fail_msg("%s: %s", cases[i][0], fixture->err.text);
        if (strcmp(json_of(fixture), cases[i][1]) != 0)
            fail_msg("%s: %s, not %s", cases[i][0], json_of(fixture), cases[i][1]);
        for (size_t cut = 0; cut < size - (data[size - 1] == 0xff); cut++)
            if (decode(fixture, data, cut, 0) != WEIR_EPARSE || fixture->err.offset != cut)
                fail_msg("%s: cut at %zu: %s", cases[i][0], cut, fixture->err.text);
    }
}

struct malformed {
    const char *hex;
    size_t offset;
};

static void test_malformed(void **state) {
    static const struct malformed cases[] = {{"", 0},
                                             {"00", 0},
                                             {"27", 0},
                                             {"2B", 0},
                                             {"30 40", 0},
                                             {"F0", 0},
                                             {"F9", 0},
                                             {"FB", 0},
                                             {"FC", 0},
                                             {"FE", 0},
                                             {"FF", 0},
                                             {"21 21", 1},
                                             {"21 FF FF", 2},
                                             {"3A 29 0B 01", 2},
                                             {"3A 29 0A 11 21", 3},
                                             {"3A 29 0A 01", 4},
                                             {"3A 29 0A 01 FF", 4},
                                             {"E1 61 FC", 0},
                                             {"F8 FB", 1},
                                             {"F8 FF", 1},
                                             {"F8 3A 29 0A 01 F9", 1},
                                             {"FA F9", 1},
                                             {"FA 21 21 FB", 1},
                                             {"FA 30 00 21 FB", 1},
                                             {"FA 40 21 FB", 1},
                                             {"FA 80 61 FB", 3},
                                             {"FA 80 61 C2 41 C2 FB", 4},
                                             {"FA F8 C2 FB", 1},
                                             {"3A 29 0A 00 FA 80 61 C2 40 C2 FB", 8},
                                             {"F8 40 61 01 F9", 3},
                                             {"3A 29 0A 02 F8 40 61 02 F9", 7},
                                             {"3A 29 0A 02 F8 EC 1F F9", 5},
                                             {"24 00 00 00 00 00 80", 6},
                                             {"24 3F 7F 7F 7F BF", 5},
                                             {"24 C0", 1},
                                             {"24 01 FF", 2},
                                             {"25 07 7F 7F 7F 7F 7F 7F 7F 7F BF", 10},
                                             {"25 00 00 00 00 00 00 00 00 00 00 80", 11},
                                             {"26 80", 1},
                                             {"26 81 80 00", 2},
                                             {"2A 80 80", 2},
                                             {"28 00 00 80 00 00", 3},
                                             {"29 00 00 00 00 00 00 00 00 00 80", 10},
                                             {"E8 88 00 00 00 00 00 00 00 80 00 00", 9},
                                             {"E8 7F 7F 7F 7F BF 00", 5},
                                             {"FD 7F 7F 7F 7F BF 00", 5},
                                             {"41 61 C3", 2},
                                             {"E0 61 C3 A9 FC", 2},
                                             {"80 C3 28", 1},
                                             {"80 C0 80", 1},
                                             {"81 ED A0 80", 1},
                                             {"E4 61 F4 90 80 80 FC", 2},
                                             {"FA 81 61 C3 21 FB", 3},
                                             {"FA C0 C3 28 21 FB", 2},
                                             {"FA 34 61 C3 28 FC 21 FB", 3}};
    struct fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        unsigned char data[64];
        size_t size = unhex(cases[i].hex, data);
        if (decode(fixture, data, size, 0) != WEIR_EPARSE)
            fail_msg("%s: taken, or %s", cases[i].hex, fixture->err.text);
        if (fixture->err.offset != cases[i].offset)
            fail_msg("%s: %s, not at %zu", cases[i].hex, fixture->err.text, cases[i].offset);
    }
}

/* What is taken by default and refused under WEIR_STRICT. */
static void test_strict(void **state) {
    static const struct malformed cases[] = {{"FD 81 00", 0}, /* raw data, and no header that says so */
                                             {"3A 29 0A 02 F8 40 61 EC 00 F9", 7},    /* a long reference to index 0 */
                                             {"FA 80 61 C2 30 00 C2 FB", 4},          /* the same for a name */
                                             {"FA 80 61 C2 80 61 C2 FB", 7},          /* a key twice */
                                             {"FA 85 24 74 69 6D 65 78 40 61 FB", 0}, /* no wrapper: not refused */
                                             {"FA 84 24 74 69 6D 65 40 61 FB", 9}};   /* "$time" of no time */
    struct fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        unsigned char data[64];
        size_t size = unhex(cases[i].hex, data);
        assert_int_equal(decode(fixture, data, size, 0), WEIR_OK);
        assert_int_equal(decode(fixture, data, size, WEIR_STRICT), i == 4 ? WEIR_OK : WEIR_EPARSE);
        assert_int_equal(fixture->err.offset, cases[i].offset);
    }
    unsigned char raw[] = {':', ')', '\n', 4, 0xfd, 0x81, 0};
    assert_int_equal(decode(fixture, raw, sizeof(raw), WEIR_STRICT), WEIR_OK);
}

/* ---- limits ---- */

static void test_limits(void **state) {
    struct fixture *fixture = *state;
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    unsigned char deep[200];
    memset(deep, 0xf8, 100);
    memset(deep + 100, 0xf9, 100);
    assert_int_equal(decode_with(fixture, deep + 36, 128, &options, NULL), WEIR_OK);
    assert_int_equal(decode_with(fixture, deep + 35, 130, &options, NULL), WEIR_ELIMIT);
    assert_int_equal(fixture->err.offset, 65); /* where it ends, and is known to be no part of a wrapper */
    options.depth_max = 1;
    unsigned char tag[] = {0xfa, 0x83, '$', 't', 'a', 'g', 0xf8, 0xc2, 0xc4, 0xf9, 0xfb};
    assert_int_equal(decode_with(fixture, tag, sizeof(tag), &options, NULL), WEIR_OK);
    tag[5] = 'h';
    assert_int_equal(decode_with(fixture, tag, sizeof(tag), &options, NULL), WEIR_ELIMIT);
    options = (weir_codec_options)WEIR_CODEC_OPTIONS_INIT;
    options.values_max = 3;
    assert_int_equal(decode_with(fixture, "\xF8\xC0\xC0\xF9", 4, &options, NULL), WEIR_OK);
    assert_int_equal(decode_with(fixture, "\xF8\xC0\xC0\xC0\xF9", 5, &options, NULL), WEIR_ELIMIT);
    assert_int_equal(decode_with(fixture, "\xFA\x80\x61\xC0\x80\x62\xC0\xFB", 8, &options, NULL), WEIR_ELIMIT);
    options.values_max = 0;
    options.bytes_max = 4;
    assert_int_equal(decode_with(fixture, "\xF8\xC0\xC0\xC0\xF9", 5, &options, NULL), WEIR_ELIMIT);
}

/* An integer of @size bytes, the two of @first and zeros. */
static int decode_integer(struct fixture *fixture, size_t size, unsigned first) {
    static unsigned char data[4096];
    memset(data, 0, sizeof(data));
    data[0] = SMILE_BIGINT;
    data[1] = (unsigned char)(size >> 6);
    data[2] = (unsigned char)(0x80 | (size & 0x3f));
    data[3] = (unsigned char)(first >> 9);
    data[4] = (unsigned char)(first >> 2 & 0x7f);
    data[5] = (unsigned char)((first & 3) << 5);
    return decode(fixture, data, 3 + weir_smile_packed_size(size), 0);
}

static void test_long_integers(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(decode_integer(fixture, 2048, 0x7f00), WEIR_OK);
    assert_int_equal(decode_integer(fixture, 2048, 0x8000), WEIR_OK);
    assert_int_equal(decode_integer(fixture, 2049, 0x00d6), WEIR_OK); /* 10^4932 begins with d7 2c */
    assert_int_equal(decode_integer(fixture, 2049, 0x00d8), WEIR_ELIMIT);
    assert_int_equal(decode_integer(fixture, 2049, 0xff2a), WEIR_OK);
    assert_int_equal(decode_integer(fixture, 2049, 0xff28), WEIR_ELIMIT);
    assert_int_equal(decode_integer(fixture, 2049, 0xff00), WEIR_ELIMIT);
    assert_int_equal(decode_integer(fixture, 2049, 0x0100), WEIR_ELIMIT);
    assert_int_equal(decode_integer(fixture, 2049, 0), WEIR_OK);
    assert_string_equal(json_of(fixture), "0");
    assert_int_equal(decode_integer(fixture, 2050, 0), WEIR_ELIMIT);
    unsigned char scale[] = {SMILE_DECIMAL, 0x1f, 0x7f, 0x7f, 0x7f, 0xbf, 0x81, 0, 1}; /* exponent 2^31 */
    assert_int_equal(decode(fixture, scale, sizeof(scale), 0), WEIR_ELIMIT);
    scale[5] = 0xbe;
    assert_int_equal(decode(fixture, scale, sizeof(scale), 0), WEIR_OK);
}

/* ---- sections and sequences ---- */

/* Decode all items, each from a block of its own that is gone when the next is decoded. */
static void check_sequence(struct fixture *fixture, const char *hex, const char *expected) {
    unsigned char data[128];
    char all[256] = "";
    size_t size = unhex(hex, data);
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    options.flags = WEIR_SEQUENCE;
    weir_doc_clear(fixture->doc);
    for (size_t offset = 0, used = 0; offset < size; offset += used) {
        int status = decode_with(fixture, data + offset, size - offset, &options, &used);
        strcat(all, status == WEIR_OK ? json_of(fixture) : "!");
        if (status != WEIR_OK)
            break;
        strcat(all, ";");
    }
    if (strcmp(all, expected) != 0)
        fail_msg("%s: %s, not %s", hex, all, expected);
}

static void test_sequences(void **state) {
    static const char *const cases[][2] = {
        {"3A 29 0A 01 FA 80 61 C2 FB FA 40 C4 FB", "{\"a\":1};{\"a\":2};"},
        {"FA 80 61 C2 FB FA 40 C4 FB 40 61", "{\"a\":1};{\"a\":2};\"a\";"},
        {"FA 80 61 C2 FB 3A 29 0A 01 FA 40 C4 FB", "{\"a\":1};!"},
        {"FA 80 61 C2 FB FF FA 40 C4 FB", "{\"a\":1};!"},
        {"FA 80 61 C2 FB FF 3A 29 0A 01 FF 3A 29 0A 01 FA 80 62 C4 FB", "{\"a\":1};{\"b\":2};"},
        {"21 3A 29 0A 01 FF", "null;"},
        {"21 FF 3A 29 0A 01", "null;"},
        {"3A 29 0A 01 FF 3A 29 0A 01 21", "null;"},
        {"21 22 23", "null;false;true;"},
        {"3A 29 0A 03 40 61 01 40 62 02 01", "\"a\";\"a\";\"b\";\"b\";\"a\";"},
        {"3A 29 0A 02 40 61 3A 29 0A 01 FA 80 61 01 FB", "\"a\";!"}};
    for (size_t i = 0; i < COUNT(cases); i++)
        check_sequence(*state, cases[i][0], cases[i][1]);
}

/* A document forgets a sequence when it is cleared, and when something else is decoded into it. */
static void test_sequence_ends(void **state) {
    struct fixture *fixture = *state;
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    options.flags = WEIR_SEQUENCE;
    for (int how = 0; how < 5; how++) {
        assert_int_equal(decode_with(fixture, "\xFA\x80\x61\xC2\xFB", 5, &options, NULL), WEIR_OK);
        if (how == 1)
            weir_doc_clear(fixture->doc);
        else if (how == 2)
            assert_int_equal(decode(fixture, "\x21", 1, 0), WEIR_OK);
        else if (how == 3)
            assert_int_equal(weir_decode(fixture->doc, WEIR_CODEC_JSON, "1", 1, &options, NULL, NULL), WEIR_OK);
        else if (how == 4)
            assert_int_equal(decode_with(fixture, "\x00", 1, &options, NULL), WEIR_EPARSE);
        assert_int_equal(decode_with(fixture, "\xFA\x40\xC2\xFB", 4, &options, NULL), how == 0 ? WEIR_OK : WEIR_EPARSE);
        weir_doc_clear(fixture->doc);
    }
}

/* Many names over many items, so that tables are emptied and refilled between them: what an item means is kept beside
 * it. */
static void test_long_sequence(void **state) {
    enum { ITEMS = 60, NAMES = 71 };
    struct fixture *fixture = *state;
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    int table[SMILE_TABLE_MAX], count = 0, next = 0;
    options.flags = WEIR_SEQUENCE;
    for (int item = 0; item < ITEMS; item++) {
        unsigned char data[4096], *to = data;
        char expected[8192], *text = expected;
        *to++ = SMILE_MAP;
        *text++ = '{';
        for (int i = 0; i < NAMES; i++) {
            int index = i % 3 == 0 && count > 0 ? (next * 7 + i * 31) % count : -1;
            index = index >= 0 && (index & 0xff) >= 0xfe ? 0 : index;
            int name = index >= 0 ? table[index] : next++;
            if (index >= 64) {
                *to++ = (unsigned char)(SMILE_NAME_SHARED_LONG + index / 256);
                *to++ = (unsigned char)index;
            } else if (index >= 0) {
                *to++ = (unsigned char)(SMILE_NAME_SHARED + index);
            } else {
                *to++ = SMILE_NAME_ASCII + 5;
                to += sprintf((char *)to, "n%05d", name);
                count = count == SMILE_TABLE_MAX ? 0 : count;
                table[count++] = name;
            }
            *to++ = SMILE_NULL;
            text += sprintf(text, "%s\"n%05d\":null", i > 0 ? "," : "", name);
        }
        *to++ = SMILE_MAP_END;
        strcpy(text, "}");
        if (decode_with(fixture, data, (size_t)(to - data), &options, NULL) != WEIR_OK)
            fail_msg("item %d: %s", item, fixture->err.text);
        assert_string_equal(json_of(fixture), expected);
    }
    assert_true(next > 2 * SMILE_TABLE_MAX);
}

/* ---- the corpus ---- */

/* A file of the corpus in memory of malloc; NULL when it is not there. */
static char *corpus_file(const char *name, size_t *ret_size) {
    char path[4096];
    const char *source = getenv("WEIR_SOURCE");
    snprintf(path, sizeof(path), "%s/../shared/corpora/smile/%s", source ? source : ".", name);
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long size = ftell(file);
    assert_true(size >= 0);
    rewind(file);
    char *data = malloc((size_t)size + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, (size_t)size, file), (size_t)size);
    fclose(file);
    *ret_size = (size_t)size;
    return data;
}

/* A list of the corpus, its own notation of values left as it is. Return: 0 when it is not there. */
static int corpus_list(struct fixture *fixture, const char *name, char **ret_text) {
    size_t size;
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    options.flags = WEIR_PLAIN;
    options.depth_max = 4000;
    *ret_text = corpus_file(name, &size);
    if (!*ret_text) {
        print_message("skip: ../shared/corpora/smile/%s is not there\n", name);
        return 0;
    }
    if (weir_decode(fixture->other, WEIR_CODEC_JSON, *ret_text, size, &options, NULL, &fixture->err) != WEIR_OK)
        fail_msg("%s: %s", name, fixture->err.text);
    return 1;
}

static const char *text_at(const weir_value *map, const char *key, char *to, size_t size) {
    weir_view view;
    assert_int_equal(weir_get_text(map, key, &view), WEIR_OK);
    assert_true(view.size < size);
    memcpy(to, view.data, view.size);
    to[view.size] = '\0';
    return to;
}

static int same_digits(const weir_value *value, const weir_value *expected) {
    static char digits[8192], others[8192];
    size_t size;
    weir_view text;
    if (weir_get_digits(value, NULL, digits, sizeof(digits), &size) != WEIR_OK)
        return 0;
    if (weir_get_text(expected, NULL, &text) == WEIR_OK)
        return strlen(digits) == text.size && memcmp(digits, text.data, text.size) == 0;
    return weir_get_digits(expected, NULL, others, sizeof(others), &size) == WEIR_OK && strcmp(digits, others) == 0;
}

static int same_decimal(const weir_value *value, const weir_value *expected) {
    static char digits[8192];
    size_t size;
    weir_view text;
    int32_t exponent;
    int64_t scale;
    return weir_get_decimal(value, NULL, digits, sizeof(digits), &size, &exponent) == WEIR_OK &&
           weir_get_text(expected, "0", &text) == WEIR_OK && weir_get_i64(expected, "1", &scale) == WEIR_OK &&
           scale == -(int64_t)exponent && strlen(digits) == text.size && memcmp(digits, text.data, text.size) == 0;
}

static int same_hex(const unsigned char *bytes, size_t size, const weir_value *expected) {
    weir_view text;
    if (weir_get_text(expected, NULL, &text) != WEIR_OK || text.size != 2 * size)
        return 0;
    for (size_t i = 0; i < size; i++) {
        char hex[3];
        sprintf(hex, "%02x", bytes[i]);
        if (memcmp(hex, text.data + 2 * i, 2) != 0)
            return 0;
    }
    return 1;
}

static int same(const weir_value *value, const weir_value *expected);

/* {"$name": content} of the corpus. */
static int same_named(const weir_value *value, weir_view name, const weir_value *content) {
    unsigned char bits[8];
    weir_iter it, pairs;
    weir_view bytes, key, other;
    uint32_t bits32;
    if (strncmp(name.data, "$bigint", name.size) == 0)
        return same_digits(value, content);
    if (strncmp(name.data, "$decimal", name.size) == 0)
        return weir_value_kind(value) == WEIR_KIND_DECIMAL && same_decimal(value, content);
    if (strncmp(name.data, "$bin", name.size) == 0)
        return weir_get_bytes(value, NULL, &bytes) == WEIR_OK &&
               same_hex((const unsigned char *)bytes.data, bytes.size, content);
    if (strncmp(name.data, "$f64", name.size) == 0) {
        weir_smile_store(bits, value->as.u64);
        return weir_value_kind(value) == WEIR_KIND_FLOAT64 && same_hex(bits, 8, content);
    }
    if (strncmp(name.data, "$f32", name.size) == 0) {
        memcpy(&bits32, &value->as.f32, 4);
        weir_smile_store(bits, (uint64_t)bits32 << 32);
        return weir_value_kind(value) == WEIR_KIND_FLOAT32 && same_hex(bits, 4, content);
    }
    assert_true(strncmp(name.data, "$obj", name.size) == 0);
    if (weir_value_kind(value) != WEIR_KIND_MAP || weir_value_count(value) != weir_value_count(content))
        return 0;
    weir_iter_init(&it, value);
    weir_iter_init(&pairs, content);
    while (weir_iter_next(&it) && weir_iter_next(&pairs)) {
        const weir_value *wanted;
        if (weir_get_text(it.key, NULL, &key) != WEIR_OK || weir_get_text(pairs.value, "0", &other) != WEIR_OK ||
            key.size != other.size || memcmp(key.data, other.data, key.size) != 0 ||
            weir_get(pairs.value, "1", &wanted) != WEIR_OK || !same(it.value, wanted))
            return 0;
    }
    return 1;
}

/* Whether a value is what the corpus says. */
static int same(const weir_value *value, const weir_value *expected) {
    weir_iter it, others;
    weir_view name = {0};
    switch (weir_value_kind(expected)) {
    case WEIR_KIND_MAP:
        weir_iter_init(&others, expected);
        assert_true(weir_iter_next(&others) && weir_get_text(others.key, NULL, &name) == WEIR_OK);
        return same_named(value, name, others.value);
    case WEIR_KIND_ARRAY:
        if (weir_value_kind(value) != WEIR_KIND_ARRAY || weir_value_count(value) != weir_value_count(expected))
            return 0;
        weir_iter_init(&it, value);
        weir_iter_init(&others, expected);
        while (weir_iter_next(&it) && weir_iter_next(&others))
            if (!same(it.value, others.value))
                return 0;
        return 1;
    case WEIR_KIND_INT64:
    case WEIR_KIND_UINT64:
    case WEIR_KIND_BIGINT: return same_digits(value, expected);
    default: return weir_value_equal(value, expected);
    }
}

/* Whether a value of the corpus has an integer that Jackson made a BigInteger of. */
static int has_bigint(const weir_value *expected) {
    const weir_value *end = weir_value_after(expected);
    for (; expected < end; expected = weir_value_next(expected))
        if (expected->kind == WEIR_KIND_TEXT && expected->count == 7 && memcmp(expected->as.data, "$bigint", 7) == 0)
            return 1;
    return 0;
}

/* Whether the value in the document is written as the file has it, where that has options of ours. */
static int check_bytes(struct fixture *fixture, const char *name, const char *opts, const char *data, size_t size) {
    struct weir_codec_limits limits = {.depth_max = 1000, .values_max = UINT32_MAX};
    if (strcmp(opts, "h") != 0 && strcmp(opts, "hn") != 0 && strcmp(opts, "hne") != 0 && strcmp(opts, "n") != 0)
        return 0;
    uint32_t features = strchr(opts, 'n') ? SMILE_SHARES_NAMES : 0;
    size_t begin = *opts == 'h' ? 0 : SMILE_HEADER_SIZE;
    size -= strchr(opts, 'e') != NULL;
    weir_buffer_clear(fixture->out);
    assert_int_equal(weir_smile_write(weir_doc_root(fixture->doc), features, &limits, fixture->out, &fixture->err),
                     WEIR_OK);
    weir_view view = weir_buffer_view(fixture->out);
    if (view.size - begin != size || memcmp(view.data + begin, data, size) != 0)
        fail_msg("%s: written in %zu bytes that are not its %zu", name, view.size - begin, size);
    return 1;
}

static void check_case(struct fixture *fixture, const weir_value *test, size_t *values, size_t *written) {
    char name[64], opts[16];
    size_t size, used, offset = 0;
    const weir_value *list;
    weir_iter it;
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    options.flags = WEIR_SEQUENCE;
    options.depth_max = 1000;
    text_at(test, "file", name, sizeof(name));
    text_at(test, "opts", opts, sizeof(opts));
    char *data = corpus_file(name, &size);
    assert_non_null(data);
    assert_int_equal(weir_get(test, "values", &list), WEIR_OK);
    weir_doc_clear(fixture->doc);
    weir_iter_init(&it, list);
    for (; weir_iter_next(&it); ++*values, offset += used) {
        if (decode_with(fixture, data + offset, size - offset, &options, &used) != WEIR_OK)
            fail_msg("%s: %s", name, fixture->err.text);
        if (!same(weir_doc_root(fixture->doc), it.value))
            fail_msg("%s: another value", name);
    }
    if (weir_value_count(list) == 0) {
        assert_int_equal(decode_with(fixture, data, size, &options, &used), WEIR_EPARSE);
        offset = size;
    }
    assert_int_equal(offset, size);
    if (weir_value_count(list) == 1 && !has_bigint(list)) /* those that fit are written as such */
        *written += (size_t)check_bytes(fixture, name, opts, data, size);
    free(data);
}

static void test_corpus(void **state) {
    struct fixture *fixture = *state;
    char *text;
    size_t files = 0, values = 0, written = 0;
    weir_iter it;
    if (!corpus_list(fixture, "cases.json", &text))
        skip();
    for (weir_iter_init(&it, weir_doc_root(fixture->other)); weir_iter_next(&it); files++)
        check_case(fixture, it.value, &values, &written);
    print_message("smile corpus: %zu files, %zu values read; %zu files written byte for byte\n", files, values,
                  written);
    assert_true(files > 0 && values > 0 && written > 0);
    free(text);
}

/* What is refused by default although Jackson reads it: bytes that mean nothing in their token. */
static int is_refused_always(const char *name) {
    return strstr(name, "bit 7 set") || strstr(name, "ASCII") || strstr(name, "overflow");
}

static void test_corpus_malformed(void **state) {
    struct fixture *fixture = *state;
    char *text;
    size_t taken = 0, refused = 0;
    weir_iter it;
    if (!corpus_list(fixture, "bad.json", &text))
        skip();
    for (weir_iter_init(&it, weir_doc_root(fixture->other)); weir_iter_next(&it);) {
        static char hex[1 << 20];
        static unsigned char data[1 << 19];
        char name[128], expect[32];
        text_at(it.value, "name", name, sizeof(name));
        text_at(it.value, "expect", expect, sizeof(expect));
        size_t size = unhex(text_at(it.value, "hex", hex, sizeof(hex)), data);
        int is_taken = strcmp(expect, "lenient") == 0 || strncmp(expect, "accept", 6) == 0;
        int is_strict = strcmp(expect, "strict-reject") == 0;
        int by_default = decode(fixture, data, size, 0);
        int strictly = decode(fixture, data, size, WEIR_STRICT);
        if ((by_default == WEIR_OK) != (is_taken || (is_strict && !is_refused_always(name))))
            fail_msg("%s: %s, expected %s", name, by_default == WEIR_OK ? "taken" : fixture->err.text, expect);
        if ((strictly == WEIR_OK) != (is_taken && strcmp(name, "name ref ok") != 0)) /* which has a key twice */
            fail_msg("%s, strictly: %s, expected %s", name, strictly == WEIR_OK ? "taken" : fixture->err.text, expect);
        *(by_default == WEIR_OK ? &taken : &refused) += 1;
    }
    print_message("smile corpus: %zu malformed or odd inputs refused, %zu taken\n", refused, taken);
    assert_true(taken > 0 && refused > 0);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_malformed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_strict, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_integers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sequences, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sequence_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_sequence, setup, teardown),
        cmocka_unit_test_setup_teardown(test_corpus, setup, teardown),
        cmocka_unit_test_setup_teardown(test_corpus_malformed, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
