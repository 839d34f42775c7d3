/* UTF-8: every character there is, every way to be wrong, and random damage, each against a plain decoder written from
 * the definition in RFC 3629 and placed at every offset of the blocks that the fast check reads. */
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Both ways, of which a processor with AVX2 mostly takes only the one. */
static size_t check_both(const void *text, size_t size) {
    size_t valid = weir_utf8_check(text, size);
    assert_int_equal(weir_utf8_check_narrow(text, size), valid);
    return valid;
}

enum { PLACE_SIZE = 80 };

/* Decode arithmetically, then ask whether the number is one that this length may hold. */
static size_t plain_character(const unsigned char *p, size_t left) {
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size = p[0] < 0x80 ? 1 : p[0] >> 5 == 6 ? 2 : p[0] >> 4 == 14 ? 3 : p[0] >> 3 == 30 ? 4 : 0;
    if (size == 0 || size > left)
        return 0;
    uint32_t code = size == 1 ? p[0] : p[0] & (0x7Fu >> size);
    for (size_t i = 1; i < size; i++) {
        if (p[i] >> 6 != 2)
            return 0;
        code = code << 6 | (p[i] & 0x3Fu);
    }
    return code < least[size] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF) ? 0 : size;
}

static size_t plain_check(const unsigned char *text, size_t size) {
    size_t offset = 0;
    while (offset < size) {
        size_t character = plain_character(text + offset, size - offset);
        if (character == 0)
            break;
        offset += character;
    }
    return offset;
}

static size_t put_character(unsigned char *p, uint32_t code) {
    if (code < 0x80) {
        p[0] = (unsigned char)code;
        return 1;
    }
    size_t size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--, code >>= 6)
        p[i] = (unsigned char)(0x80 | (code & 0x3F));
    p[0] = (unsigned char)(0xF0 << (4 - size) | code);
    return size;
}

/* The check of exactly @size bytes at the end of a block of their own, so that a sanitizer sees one byte too many. */
static size_t check_exactly(const unsigned char *text, size_t size) {
    unsigned char *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, text, size);
    size_t valid = check_both(copy, size);
    free(copy);
    return valid;
}

static void test_every_character(void **state) {
    (void)state;
    for (uint32_t code = 0; code <= 0x10FFFF; code++) {
        unsigned char text[PLACE_SIZE];
        memset(text, 'a', sizeof(text));
        size_t at = 12 + code % 8;
        size_t size = put_character(text + at, code);
        int is_surrogate = code >= 0xD800 && code <= 0xDFFF;
        assert_int_equal(check_both(text, sizeof(text)), is_surrogate ? at : sizeof(text));
        assert_int_equal(check_both(text + at, size), is_surrogate ? 0 : size);
    }
}

/* All pairs of bytes, followed by one of each class that the tables tell apart, at changing places of a block. */
static void test_every_pair_of_bytes(void **state) {
    (void)state;
    static const unsigned char classes[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0,
                                            0xBF, 0xC0, 0xC2, 0xE0, 0xED, 0xF0, 0xF4, 0xFF};
    for (uint32_t pair = 0; pair < 0x10000; pair++)
        for (size_t third = 0; third < sizeof(classes); third++) {
            unsigned char text[40];
            memset(text, 'a', sizeof(text));
            size_t at = (pair + third) % 20;
            text[at] = (unsigned char)(pair >> 8);
            text[at + 1] = (unsigned char)pair;
            text[at + 2] = classes[third];
            assert_int_equal(check_both(text, sizeof(text)), plain_check(text, sizeof(text)));
            assert_int_equal(check_both(text, at + 2), plain_check(text, at + 2));
        }
}

static void test_the_borders(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2\x41", "\xDF\xC0", "\xE0\x80\x80", "\xE0\x9F\xBF", "\xE0\xA0",
        "\xED\xA0\x80", "\xED\xBF\xBF", "\xEF\xBF", "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF", "\xF0\x90\x80",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xF8\x88\x80\x80\x80", "\xFE", "\xFF", "\xE3\x81\xC3", "\xF1\x80\x80\x41"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        for (size_t before = 0; before < 40; before++)
            for (size_t after = 0; after < 20; after += 19) {
                unsigned char text[PLACE_SIZE];
                memset(text, 'x', sizeof(text));
                memcpy(text + before, wrong[i], strlen(wrong[i]));
                size_t size = before + strlen(wrong[i]) + after;
                assert_int_equal(plain_check(text, size), before);
                assert_int_equal(check_exactly(text, size), before);
            }
}

static void test_every_cut_of_a_text(void **state) {
    (void)state;
    static const char text[] = "Grüße, 世界! Ελληνικά 𝄞 — naïve 日本語のテキスト und wieder ASCII ohne Umlaute, lang genug.";
    for (size_t from = 0; from < sizeof(text); from++)
        for (size_t size = 0; size < sizeof(text) - from; size++) {
            const unsigned char *part = (const unsigned char *)text + from;
            assert_int_equal(check_exactly(part, size), plain_check(part, size));
        }
}

static void test_random_damage(void **state) {
    (void)state;
    uint64_t seed = 20;
    for (int round = 0; round < 200000; round++) {
        unsigned char text[100];
        size_t size = 0;
        while (size < 90) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            uint32_t code = (uint32_t)(seed >> 33) >> (seed >> 60);
            code %= 0x110000;
            size += put_character(text + size, code >= 0xD800 && code <= 0xDFFF ? 'a' : code);
        }
        size -= seed >> 20 & 31;
        text[(seed >> 40) % size] ^= (unsigned char)(1 << (seed >> 50 & 7));
        assert_int_equal(check_both(text, size), plain_check(text, size));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_character),     cmocka_unit_test(test_every_pair_of_bytes),
        cmocka_unit_test(test_the_borders),         cmocka_unit_test(test_every_cut_of_a_text),
        cmocka_unit_test(test_random_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
