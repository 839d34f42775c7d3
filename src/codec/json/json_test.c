/* JSON as RFC 8259 has it: the grammar and where it is broken, numbers, texts, limits, sequences, layout; JSONTestSuite
 * when it is there. What the wrappers mean is json_wrapper_test.c.
 *
 * Every input lies at the end of a block of its own, so that a sanitizer sees a byte read too many; and it is decoded
 * twice: as it is, and with something behind it that makes the decoder look at the end before each byte. */
#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/codec.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct fixture {
    weir_doc *doc;
    weir_buffer *out;
    weir_error err;
    char *input; /* what the document points into */
};

static int setup(void **state) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    *state = fixture;
    return !fixture || weir_doc_new(&fixture->doc) != WEIR_OK || weir_buffer_new(&fixture->out) != WEIR_OK;
}

static int teardown(void **state) {
    struct fixture *fixture = *state;
    weir_doc_free(fixture->doc);
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
    memcpy(fixture->input, data, size);
    fixture->err = (weir_error){0};
    int status = weir_decode(fixture->doc, WEIR_CODEC_JSON, fixture->input, size, options, ret_used, &fixture->err);
    assert_int_equal(status, fixture->err.code);
    assert_int_equal(status == WEIR_OK, weir_doc_root(fixture->doc) != NULL);
    return status;
}

static int decode(struct fixture *fixture, const void *data, size_t size, uint32_t flags) {
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    options.flags = flags;
    return decode_with(fixture, data, size, &options, NULL);
}

static const char *encode(struct fixture *fixture, uint32_t flags) {
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    options.flags = flags;
    weir_buffer_clear(fixture->out);
    assert_int_equal(weir_encode(weir_doc_root(fixture->doc), WEIR_CODEC_JSON, &options, fixture->out, &fixture->err),
                     WEIR_OK);
    assert_int_equal(weir_buffer_append(fixture->out, "", 1), WEIR_OK);
    return weir_buffer_view(fixture->out).data;
}

/* ---- the grammar ---- */

static void check_form(struct fixture *fixture, const char *text, const char *expected) {
    size_t size = strlen(text);
    if (decode(fixture, text, size, 0) != WEIR_OK)
        fail_msg("%s: %s", text, fixture->err.text);
    assert_string_equal(encode(fixture, 0), expected);
    char *longer = malloc(size + 40);
    assert_non_null(longer);
    size_t used = 0;
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    options.flags = WEIR_SEQUENCE;
    memcpy(longer, text, size);
    memcpy(longer + size, " \"and more\"", 11);
    if (decode_with(fixture, longer, size + 11, &options, &used) != WEIR_OK)
        fail_msg("%s before more: %s", text, fixture->err.text);
    free(longer);
    assert_string_equal(encode(fixture, 0), expected);
    assert_int_equal(used, size + 1);
}

static void test_forms(void **state) {
    static const char *const forms[][2] = {
        {"null", "null"},
        {"true", "true"},
        {" false", "false"},
        {"0", "0"},
        {"\"\"", "\"\""},
        {"[]", "[]"},
        {"{}", "{}"},
        {" [ ] ", "[]"},
        {"\t{\r\n}\n", "{}"},
        {"[1]", "[1]"},
        {"[ 1 , 2 ]", "[1,2]"},
        {"[[],[[]]]", "[[],[[]]]"},
        {"{\"a\":1}", "{\"a\":1}"},
        {"{ \"a\" : 1 , \"b\" : [ true , null ] }", "{\"a\":1,\"b\":[true,null]}"},
        {"{\"a\":{\"b\":{\"c\":[{}]}}}", "{\"a\":{\"b\":{\"c\":[{}]}}}"},
        {"{\"\":0}", "{\"\":0}"},
        {"{\"a\":1,\"a\":2}", "{\"a\":1,\"a\":2}"},
        {"[false,false,null,true]", "[false,false,null,true]"},
        {"[\"a\",\"bc\",\"def\"]", "[\"a\",\"bc\",\"def\"]"},
        {"[1\n                                      ,2]", "[1,2]"},
        {"{\"key of more than sixteen bytes\":\"a value of more than thirty-two bytes, and more\"}",
         "{\"key of more than sixteen bytes\":\"a value of more than thirty-two bytes, and more\"}"}};
    for (size_t i = 0; i < COUNT(forms); i++)
        check_form(*state, forms[i][0], forms[i][1]);
}

static void test_byte_order_mark(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(decode(fixture, "\xEF\xBB\xBF[1]", 6, 0), WEIR_OK);
    assert_int_equal(decode(fixture, "\xEF\xBB\xBF", 3, 0), WEIR_EPARSE);
    assert_int_equal(decode(fixture, "[1]\xEF\xBB\xBF", 6, 0), WEIR_EPARSE);
    assert_int_equal(decode(fixture, "\xEF\xBB", 2, 0), WEIR_EPARSE);
}

struct malformed {
    const char *text;
    size_t offset;
};

static void test_malformed(void **state) {
    struct fixture *fixture = *state;
    static const struct malformed cases[] = {
        {"", 0},
        {"   ", 3},
        {"nul", 3},
        {"nulll", 4},
        {"True", 0},
        {"tru]", 3},
        {"[tru]", 4},
        {"[1,]", 3},
        {"[,1]", 1},
        {"[1 2]", 3},
        {"[1}", 2},
        {"{]", 1},
        {"{\"a\"}", 4},
        {"{\"a\":}", 5},
        {"{\"a\":1,}", 7},
        {"{\"a\" 1}", 5},
        {"{a:1}", 1},
        {"{1:2}", 1},
        {"{\"a\":1]", 6},
        {"[", 1},
        {"[1", 2},
        {"[1,", 3},
        {"{", 1},
        {"{\"a", 3},
        {"{\"a\"", 4},
        {"{\"a\":", 5},
        {"{\"a\":1", 6},
        {"[[]", 3},
        {"[[]  ", 5},
        {"[{}", 3},
        {"{\"a\":[]", 7},
        {"[]]", 2},
        {"[] x", 3},
        {"1 2", 2},
        {"\"a\"b", 3},
        {"]", 0},
        {"[01]", 2},
        {"[-01]", 3},
        {"[-]", 2},
        {"-", 1},
        {"[+1]", 1},
        {"[.5]", 1},
        {"[1.]", 3},
        {"[1.e5]", 3},
        {"[1e]", 3},
        {"[1e+]", 4},
        {"[1e+-1]", 4},
        {"[1.5.5]", 4},
        {"[0x10]", 2},
        {"[NaN]", 1},
        {"[Infinity]", 1},
        {"1.", 2},
        {"1e", 2},
        {"[\"\n\"]", 2},
        {"[\"a\tb\"]", 3},
        {"[\"\\x\"]", 3},
        {"[\"\\u12g4\"]", 6},
        {"[\"\\ud800\"]", 8},
        {"[\"\\ud800\\n\"]", 9},
        {"[\"\\ud800\\u0041\"]", 10},
        {"[\"\\udc00\"]", 5},
        {"[\"a", 3},
        {"\"\\", 2},
        {"\"\\u12", 5},
        {"\"a\\\"", 4},
        {"[\"\xFF\"]", 2},
        {"[\"a\xC3(\"]", 3},
        {"[\"\xED\xA0\x80\"]", 2},
        {"['a']", 1},
        {"[1]\v", 3},
        {"[1\f]", 2},
        {"/**/1", 0},
        {"[\"1234567890123456789012345678901234567890\x01\"]", 42},
        {"[\"12345678901234567890\\q12345678901234567890\"]", 23},
        {"[\"12345678901234567890\xC0 12345678901234567890\"]", 22},
        {"[123456789012345678901234567890x]", 31},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int status = decode(fixture, cases[i].text, strlen(cases[i].text), 0);
        if (status != WEIR_EPARSE || fixture->err.offset != cases[i].offset)
            fail_msg("%s: %s at %d, not %d", cases[i].text, weir_err_name(status), (int)fixture->err.offset,
                     (int)cases[i].offset);
    }
}

/* Cut anywhere, a document is refused, and the place named is the end. */
static void test_every_cut_is_refused(void **state) {
    struct fixture *fixture = *state;
    static const char text[] =
        "{\"a\":[1,-2.5e+3,{\"b\\n\\u20ac\\ud834\\udd1e\":null}],\"\xE2\x82\xAC\":[true,false,[]],\"n\":"
        "123456789012345678901234567890, \"long text of more than a block\" : {} }";
    for (size_t size = 0; size < sizeof(text) - 1; size++) {
        assert_int_equal(decode(fixture, text, size, 0), WEIR_EPARSE);
        int is_in_character = size > 0 && ((unsigned char)text[size - 1] & 0x80) && ((unsigned char)text[size] & 0x80);
        if (!is_in_character)
            assert_int_equal(fixture->err.offset, size);
    }
    assert_int_equal(decode(fixture, text, sizeof(text) - 1, 0), WEIR_OK);
}

/* Damage anywhere is either refused with an offset inside the input or still a document that comes back as it is. */
static void test_damage(void **state) {
    struct fixture *fixture = *state;
    static const char whole[] =
        "{\"k\":[0,1.5,\"text \\u00e9 \xC3\xA9\",{\"x\":[]}],\"$date\":{\"$numberLong\":\"12\"}}";
    weir_doc *again;
    assert_int_equal(weir_doc_new(&again), WEIR_OK);
    for (size_t at = 0; at < sizeof(whole) - 1; at++)
        for (int byte = 0; byte < 256; byte++) {
            char text[sizeof(whole)];
            memcpy(text, whole, sizeof(whole));
            text[at] = (char)byte;
            if (decode(fixture, text, sizeof(whole) - 1, 0) != WEIR_OK) {
                assert_int_equal(fixture->err.code, WEIR_EPARSE);
                assert_true(fixture->err.offset < sizeof(whole));
                continue;
            }
            const char *written = encode(fixture, 0);
            assert_int_equal(weir_decode(again, WEIR_CODEC_JSON, written, strlen(written), NULL, NULL, NULL), WEIR_OK);
            assert_true(weir_value_equal(weir_doc_root(again), weir_doc_root(fixture->doc)));
        }
    weir_doc_free(again);
}

/* ---- numbers ---- */

static void check_number(struct fixture *fixture, const char *text, int kind, const char *expected) {
    static const char *const around[][2] = {{"", ""}, {"[", "]"}, {"[1,", ",1]"}, {"{\"a\":", "}"}, {"[ ", " \n] "}};
    for (size_t i = 0; i < COUNT(around); i++) {
        char input[5200];
        int size = snprintf(input, sizeof(input), "%s%s%s", around[i][0], text, around[i][1]);
        assert_in_range(size, 1, sizeof(input) - 1);
        if (decode(fixture, input, (size_t)size, 0) != WEIR_OK)
            fail_msg("%s: %s", text, fixture->err.text);
        const struct weir_value *value = weir_doc_root(fixture->doc);
        value += i == 0 ? 0 : i == 1 || i == 4 ? 1 : 2;
        assert_int_equal(value->kind, kind);
        const char *written = encode(fixture, 0);
        assert_non_null(strstr(written, expected));
    }
}

static void test_kinds_of_numbers(void **state) {
    static const struct {
        const char *text;
        int kind;
        const char *written;
    } cases[] = {{"0", WEIR_KIND_INT64, "0"},
                 {"-1", WEIR_KIND_INT64, "-1"},
                 {"12345678", WEIR_KIND_INT64, "12345678"},
                 {"1700000000123456789", WEIR_KIND_INT64, "1700000000123456789"},
                 {"9223372036854775807", WEIR_KIND_INT64, "9223372036854775807"},
                 {"-9223372036854775808", WEIR_KIND_INT64, "-9223372036854775808"},
                 {"9223372036854775808", WEIR_KIND_UINT64, "9223372036854775808"},
                 {"9999999999999999999", WEIR_KIND_UINT64, "9999999999999999999"},
                 {"18446744073709551615", WEIR_KIND_UINT64, "18446744073709551615"},
                 {"18446744073709551616", WEIR_KIND_BIGINT, "18446744073709551616"},
                 {"-9223372036854775809", WEIR_KIND_BIGINT, "-9223372036854775809"},
                 {"-9999999999999999999", WEIR_KIND_BIGINT, "-9999999999999999999"},
                 {"-0", WEIR_KIND_FLOAT64, "-0.0"},
                 {"0.0", WEIR_KIND_FLOAT64, "0.0"},
                 {"-0.0", WEIR_KIND_FLOAT64, "-0.0"},
                 {"-0e5", WEIR_KIND_FLOAT64, "-0.0"},
                 {"1.0", WEIR_KIND_FLOAT64, "1.0"},
                 {"1e22", WEIR_KIND_FLOAT64, "1e22"},
                 {"1E2", WEIR_KIND_FLOAT64, "100.0"},
                 {"1e-2", WEIR_KIND_FLOAT64, "0.01"},
                 {"21.5", WEIR_KIND_FLOAT64, "21.5"},
                 {"-3.25", WEIR_KIND_FLOAT64, "-3.25"},
                 {"0.00012", WEIR_KIND_FLOAT64, "0.00012"},
                 {"12.75e-2", WEIR_KIND_FLOAT64, "0.1275"},
                 {"-65.613616999999977", WEIR_KIND_FLOAT64, "-65.61361699999998"},
                 {"1e0004", WEIR_KIND_FLOAT64, "10000.0"},
                 {"0.1234567890123456789012345678901234567890", WEIR_KIND_FLOAT64, "0.12345678901234568"},
                 {"12345678901234567890.5e-10", WEIR_KIND_FLOAT64, "1234567890.1234567"},
                 {"4.9e-324", WEIR_KIND_FLOAT64, "5e-324"},
                 {"1e-400", WEIR_KIND_FLOAT64, "0.0"},
                 {"1e00000000000000000000001", WEIR_KIND_FLOAT64, "10.0"},
                 {"1.7976931348623157e308", WEIR_KIND_FLOAT64, "1.7976931348623157e308"},
                 {"9007199254740993.0", WEIR_KIND_FLOAT64, "9007199254740992.0"}};
    for (size_t i = 0; i < COUNT(cases); i++)
        check_number(*state, cases[i].text, cases[i].kind, cases[i].written);
}

static void test_long_integers(void **state) {
    struct fixture *fixture = *state;
    char digits[4933 + 1];
    memset(digits, '7', sizeof(digits));
    digits[4932] = '\0';
    check_number(fixture, digits, WEIR_KIND_BIGINT, digits);
    assert_int_equal(decode(fixture, digits, 4932, 0), WEIR_OK);
    const struct weir_value *root = weir_doc_root(fixture->doc);
    assert_ptr_equal(root->as.data, fixture->input); /* where it was */
    digits[4932] = '7';
    assert_int_equal(decode(fixture, digits, 4933, 0), WEIR_ELIMIT);
}

static void test_numbers_beyond_float64(void **state) {
    struct fixture *fixture = *state;
    static const char *const texts[] = {"1e309", "[-1.8e308]", "[1e99999999999999999999]", "[123456789e301]"};
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_int_equal(decode(fixture, texts[i], strlen(texts[i]), 0), WEIR_ELIMIT);
}

/* Every count of digits before and behind the point, at every distance from the end of the input. */
/* Exponents from end to end of int32, as CBOR can carry them, keep their decimals in texts. */
static void test_exponents_of_decimals(void **state) {
    static const char *const decimals[] = {"1E+2147483647", "1.5E-2147483647", "1E-2147483648", "1.50",
                                           "0E+2147483647"};
    struct fixture *fixture = *state;
    char text[64];
    for (size_t i = 0; i < COUNT(decimals); i++) {
        snprintf(text, sizeof(text), "{\"$numberDecimal\":\"%s\"}", decimals[i]);
        check_form(fixture, text, text);
        assert_int_equal(weir_value_kind(weir_doc_root(fixture->doc)), WEIR_KIND_DECIMAL);
    }
    static const char beyond[] = "{\"$numberDecimal\":\"1E+2147483648\"}";
    assert_int_equal(decode(fixture, beyond, strlen(beyond), 0), WEIR_OK);
    assert_int_equal(weir_value_kind(weir_doc_root(fixture->doc)), WEIR_KIND_MAP);
}

static void test_numbers_of_every_length(void **state) {
    struct fixture *fixture = *state;
    for (size_t whole = 1; whole <= 26; whole++)
        for (size_t fraction = 0; fraction <= 26; fraction++)
            for (size_t blanks = 0; blanks <= 26; blanks += 2) {
                char text[100] = "[";
                for (size_t i = 0; i < whole + 1 + fraction; i++)
                    text[1 + i] = (char)('1' + i * 7 % 9);
                size_t size = 1 + whole;
                if (fraction > 0) {
                    text[1 + whole] = '.';
                    size += 1 + fraction;
                }
                text[size] = '\0';
                double expected = strtod(text + 1, NULL);
                memset(text + size, ' ', blanks);
                text[size + blanks] = ']';
                assert_int_equal(decode(fixture, text, size + blanks + 1, 0), WEIR_OK);
                const struct weir_value *number = weir_doc_root(fixture->doc) + 1;
                if (fraction > 0)
                    assert_true(number->kind == WEIR_KIND_FLOAT64 && number->as.f64 == expected);
                else
                    assert_int_equal(number->kind, whole <= 18   ? WEIR_KIND_INT64
                                                   : whole == 19 ? number->kind
                                                                 : WEIR_KIND_BIGINT);
            }
}

/* ---- texts ---- */

static const struct weir_value *check_text(struct fixture *fixture, const char *json, const char *text, size_t size) {
    if (decode(fixture, json, strlen(json), 0) != WEIR_OK)
        fail_msg("%s: %s", json, fixture->err.text);
    const struct weir_value *value = weir_doc_root(fixture->doc);
    assert_int_equal(value->kind, WEIR_KIND_TEXT);
    assert_int_equal(value->count, size);
    assert_memory_equal(value->as.data, text, size);
    return value;
}

static void test_escapes(void **state) {
    struct fixture *fixture = *state;
    check_text(fixture, "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8);
    check_text(fixture, "\"a\\u0000b\"", "a\0b", 3);
    check_text(fixture, "\"\\u00e9\\u20AC\\uD834\\udd1e\\u007f\"", "\xC3\xA9\xE2\x82\xAC\xF0\x9D\x84\x9E\x7F", 10);
    check_text(fixture, "\"\\uDBFF\\uDFFF\\uFFFF\"", "\xF4\x8F\xBF\xBF\xEF\xBF\xBF", 7);
    assert_string_equal(encode(fixture, 0), "\"\xF4\x8F\xBF\xBF\xEF\xBF\xBF\"");
    check_text(fixture, "\"\\u0001\\u001f \\\" \\\\ \\/ \\b\\f\\n\\r\\t\"", "\x01\x1f \" \\ / \b\f\n\r\t", 14);
    assert_string_equal(encode(fixture, 0), "\"\\u0001\\u001f \\\" \\\\ / \\b\\f\\n\\r\\t\"");
}

static void test_plain_texts_stay_in_the_input(void **state) {
    struct fixture *fixture = *state;
    const struct weir_value *value = check_text(fixture, "\"r\xC3\xA9sum\xC3\xA9\"", "r\xC3\xA9sum\xC3\xA9", 8);
    assert_ptr_equal(value->as.data, fixture->input + 1);
    assert_true(value->flags & WEIR_CELL_CLEAN);
    value = check_text(fixture, "\"\"", "", 0);
    assert_true(value->flags & WEIR_CELL_CLEAN);
    value = check_text(fixture, "\"a\\nb\"", "a\nb", 3);
    assert_false(value->flags & WEIR_CELL_CLEAN);
}

/* A special byte at every place of texts of every length up to three blocks, read and written. */
static void test_every_length_and_place(void **state) {
    struct fixture *fixture = *state;
    static const char *const specials[] = {
        "x", "\\n", "\\\"", "\\u20ac", "\\ud834\\udd1e", "\xC3\xA9", "\xF0\x9D\x84\x9E"};
    for (size_t size = 1; size <= 50; size++)
        for (size_t at = 0; at < size; at++)
            for (size_t special = 0; special < COUNT(specials); special++) {
                char json[100] = "[\"";
                memset(json + 2, 'a', size);
                strcpy(json + 2 + at, specials[special]);
                size_t used = strlen(json);
                memset(json + used, 'b', size - at);
                strcpy(json + used + size - at, "\"]");
                assert_int_equal(decode(fixture, json, strlen(json), 0), WEIR_OK);
                const struct weir_value *text = weir_doc_root(fixture->doc) + 1;
                assert_int_equal(text->as.data[text->count - 1], 'b');
                assert_int_equal(text->as.data[0], at > 0 ? 'a' : text->as.data[0]);
                const char *written = encode(fixture, 0);
                if (special < 3 || special > 4)
                    assert_string_equal(written, json);
            }
}

/* Texts that the builder took over are looked through when they are written. */
static void test_built_texts_are_escaped(void **state) {
    struct fixture *fixture = *state;
    for (size_t size = 1; size <= 120; size++)
        for (size_t at = 0; at < size; at += 1 + size / 9) {
            char text[121];
            char expected[140] = "{\"";
            memset(text, 'k', size);
            text[at] = at % 2 ? '"' : '\n';
            memset(expected + 2, 'k', at);
            strcpy(expected + 2 + at, at % 2 ? "\\\"" : "\\n");
            memset(expected + 4 + at, 'k', size - at - 1);
            strcpy(expected + 3 + size, "\":0}");
            weir_doc_clear(fixture->doc);
            weir_begin_map(fixture->doc);
            weir_put_text(fixture->doc, text, size);
            weir_put_i64(fixture->doc, 0);
            weir_end(fixture->doc);
            assert_int_equal(weir_doc_finish(fixture->doc, NULL, NULL), WEIR_OK);
            assert_string_equal(encode(fixture, 0), expected);
        }
}

/* ---- limits ---- */

static void test_depth(void **state) {
    struct fixture *fixture = *state;
    char text[400];
    memset(text, '[', 200);
    memset(text + 200, ']', 200);
    assert_int_equal(decode(fixture, text + 200 - 64, 128, 0), WEIR_OK);
    assert_int_equal(strlen(encode(fixture, 0)), 128);
    assert_int_equal(decode(fixture, text + 200 - 65, 130, 0), WEIR_ELIMIT);
    assert_int_equal(decode(fixture, text + 200 - 65, 130, WEIR_PLAIN), WEIR_ELIMIT);
    assert_int_equal(decode(fixture, text + 200 - 64, 128, WEIR_PLAIN), WEIR_OK);
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    options.depth_max = 200;
    assert_int_equal(decode_with(fixture, text, 400, &options, NULL), WEIR_OK);
    weir_buffer_clear(fixture->out);
    const weir_value *root = weir_doc_root(fixture->doc);
    assert_int_equal(weir_encode(root, WEIR_CODEC_JSON, NULL, fixture->out, &fixture->err), WEIR_ELIMIT);
    assert_int_equal(weir_buffer_view(fixture->out).size, 0);
    assert_int_equal(weir_encode(root, WEIR_CODEC_JSON, &options, fixture->out, &fixture->err), WEIR_OK);
    assert_int_equal(weir_buffer_view(fixture->out).size, 400);
    options.depth_max = 1;
    assert_int_equal(decode_with(fixture, "[1]", 3, &options, NULL), WEIR_OK);
    assert_int_equal(decode_with(fixture, "[{}]", 4, &options, NULL), WEIR_ELIMIT);
    assert_int_equal(decode_with(fixture, "[1,[1]]", 7, &options, NULL), WEIR_ELIMIT);
}

/* A map of several keys whose first has a wrapper's name is none, and excuses no level; so are wrappers with wrong
 * contents. */
static void test_depth_of_no_wrappers(void **state) {
    struct fixture *fixture = *state;
    for (int depth = 60; depth < 70; depth++) {
        static const char *const begins[] = {"{\"$date\":", "{\"$map\":", "{\"$tag\":"};
        static const char *const ends[] = {",\"x\":1}", ",\"x\":1,\"y\":2}", "}"};
        for (int b = 0; b < 3; b++)
            for (int e = 0; e < 3; e++) {
                char text[4000] = "";
                for (int i = 0; i < depth; i++)
                    strcat(text, i % 4 == 0 ? begins[b] : "[");
                strcat(text, "null");
                for (int i = depth; i-- > 0;)
                    strcat(text, i % 4 == 0 ? ends[e] : "]");
                assert_int_equal(decode(fixture, text, strlen(text), 0), depth <= 64 ? WEIR_OK : WEIR_ELIMIT);
            }
    }
}

static void test_count_of_values(void **state) {
    struct fixture *fixture = *state;
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    options.values_max = 4;
    assert_int_equal(decode_with(fixture, "[1,2,3]", 7, &options, NULL), WEIR_OK);
    assert_int_equal(decode_with(fixture, "[1,2,3,4]", 9, &options, NULL), WEIR_ELIMIT);
    assert_int_equal(decode_with(fixture, "[{\"a\":1}]", 9, &options, NULL), WEIR_OK);
    assert_int_equal(decode_with(fixture, "{\"a\":1,\"b\":2}", 13, &options, NULL), WEIR_ELIMIT);
    assert_int_equal(decode_with(fixture, "[1,2,3,[]]", 10, &options, NULL), WEIR_ELIMIT);
    options.values_max = 1;
    assert_int_equal(decode_with(fixture, "1", 1, &options, NULL), WEIR_OK);
}

/* Cells grow with what was read, not with what might come. */
static void test_memory_follows_the_input(void **state) {
    struct fixture *fixture = *state;
    enum { SIZE = 1 << 20 };
    static const char *const units[] = {"1,", "[],", "\"\",", "{\"\":1},", "{},", "\"\\n\","};
    char *text = malloc(SIZE);
    assert_non_null(text);
    for (size_t i = 0; i < COUNT(units); i++) {
        size_t unit = strlen(units[i]);
        text[0] = '[';
        size_t size = 1;
        for (; size + unit < SIZE; size += unit)
            memcpy(text + size, units[i], unit);
        text[size - 1] = ']';
        weir_doc_free(fixture->doc);
        assert_int_equal(weir_doc_new(&fixture->doc), WEIR_OK);
        assert_int_equal(decode(fixture, text, size, 0), WEIR_OK);
        assert_true(fixture->doc->capacity * sizeof(struct weir_value) <= 65536 + 16 * size);
    }
    free(text);
}

static void test_repeated_keys(void **state) {
    struct fixture *fixture = *state;
    static const char text[] = "[{\"a\":1,\"b\":2,\"a\":3}]";
    int64_t first;
    assert_int_equal(decode(fixture, text, sizeof(text) - 1, 0), WEIR_OK);
    assert_int_equal(weir_get_i64(weir_doc_root(fixture->doc), "0.a", &first), WEIR_OK);
    assert_int_equal(first, 1);
    assert_int_equal(decode(fixture, text, sizeof(text) - 1, WEIR_STRICT), WEIR_EPARSE);
    assert_int_equal(fixture->err.offset, 14);
    assert_int_equal(decode(fixture, "{\"a\":1,\"b\":{\"a\":1}}", 19, WEIR_STRICT), WEIR_OK);
    assert_int_equal(decode(fixture, "{\"a\\n\":1,\"a\\u000a\":1}", 21, WEIR_STRICT), WEIR_EPARSE);
    enum { KEYS = 200000 };
    char *many = malloc(KEYS * 16);
    assert_non_null(many);
    char *at = many;
    for (int i = 0; i < KEYS; i++)
        at += sprintf(at, "%c\"k%d\":0", i ? ',' : '{', i);
    *at++ = '}';
    assert_int_equal(decode(fixture, many, (size_t)(at - many), WEIR_STRICT), WEIR_OK);
    memcpy(strstr(many, "\"k123456\""), "\"k123455\"", 9);
    assert_int_equal(decode(fixture, many, (size_t)(at - many), WEIR_STRICT), WEIR_EPARSE);
    free(many);
}

/* ---- sequences ---- */

static void test_sequences(void **state) {
    struct fixture *fixture = *state;
    static const char lines[] = " {\"a\":1}\n[2]\n\"three\" 4\n5.5 true\r\n null[6]{}\"x\"\"y\" ";
    static const char *const items[] = {"{\"a\":1}", "[2]", "\"three\"", "4",     "5.5",  "true",
                                        "null",      "[6]", "{}",        "\"x\"", "\"y\""};
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    options.flags = WEIR_SEQUENCE;
    size_t offset = 0;
    for (size_t i = 0; i < COUNT(items) - 5; i++) {
        size_t used = 0;
        assert_int_equal(decode_with(fixture, lines + offset, sizeof(lines) - 1 - offset, &options, &used), WEIR_OK);
        assert_string_equal(encode(fixture, 0), items[i]);
        offset += used;
    }
    /* A word or number must not run into what follows. */
    assert_int_equal(decode_with(fixture, lines + offset, sizeof(lines) - 1 - offset, &options, NULL), WEIR_EPARSE);
    offset = (size_t)(strchr(lines, '6') - 1 - lines);
    for (size_t i = COUNT(items) - 4; i < COUNT(items); i++) {
        size_t used = 0;
        assert_int_equal(decode_with(fixture, lines + offset, sizeof(lines) - 1 - offset, &options, &used), WEIR_OK);
        assert_string_equal(encode(fixture, 0), items[i]);
        offset += used;
    }
    assert_int_equal(offset, sizeof(lines) - 1);
    assert_int_equal(decode_with(fixture, "01", 2, &options, NULL), WEIR_EPARSE);
    assert_int_equal(decode_with(fixture, "{\"a\":1}]", 8, &options, &offset), WEIR_OK);
    assert_int_equal(offset, 7);
    assert_int_equal(decode(fixture, "{\"a\":1}]", 8, 0), WEIR_EPARSE);
}

/* ---- layout ---- */

/* A CBOR tag with a kind of its own is that kind, however it is written. */
static void test_tags_that_are_kinds(void **state) {
    struct fixture *fixture = *state;
    static const char *const pairs[][2] = {
        {"{\"$tag\":[4,[-1,3]]}", "{\"$numberDecimal\":\"0.3\"}"},
        {"{\"$tag\":[1,1700000000]}", "{\"$time\":\"2023-11-14T22:13:20Z\"}"},
        {"{\"$tag\":[2,{\"$binary\":{\"base64\":\"AQAAAAAAAAAA\",\"subType\":\"00\"}}]}", "18446744073709551616"},
        {"[{\"$tag\":[4,[-1,\"x\"]]},{\"$tag\":[4711,[1]]}]", "[{\"$tag\":[4,[-1,\"x\"]]},{\"$tag\":[4711,[1]]}]"},
    };
    for (size_t i = 0; i < COUNT(pairs); i++) {
        assert_int_equal(decode(fixture, pairs[i][0], strlen(pairs[i][0]), 0), WEIR_OK);
        assert_string_equal(encode(fixture, 0), pairs[i][1]);
    }
}

static void test_pretty(void **state) {
    struct fixture *fixture = *state;
    static const char text[] = "{\"a\":[1,[],{\"b\":null}],\"c\":{},\"d\":{\"$tag\":[1,[2]]}}";
    static const char pretty[] = "{\n  \"a\": [\n    1,\n    [],\n    {\n      \"b\": null\n    }\n  ],\n  \"c\": {},\n"
                                 "  \"d\": {\"$tag\":[1,[\n    2\n  ]]}\n}";
    assert_int_equal(decode(fixture, text, sizeof(text) - 1, 0), WEIR_OK);
    assert_string_equal(encode(fixture, WEIR_PRETTY), pretty);
    assert_int_equal(decode(fixture, pretty, sizeof(pretty) - 1, 0), WEIR_OK);
    assert_string_equal(encode(fixture, 0), text);
    assert_int_equal(decode(fixture, "5", 1, 0), WEIR_OK);
    assert_string_equal(encode(fixture, WEIR_PRETTY), "5");
}

static void test_canonical(void **state) {
    struct fixture *fixture = *state;
    static const char text[] =
        "{ \"b\":1, \"a\":{\"z\":1,\"\xC3\xA9\":2,\"y\":[3]}, \"aa\":4, \"\":5, \"a\":6, \"\\n\":7 }";
    assert_int_equal(decode(fixture, text, sizeof(text) - 1, 0), WEIR_OK);
    assert_string_equal(encode(fixture, WEIR_CANONICAL | WEIR_PRETTY),
                        "{\"\":5,\"\\n\":7,\"a\":{\"y\":[3],\"z\":1,\"\xC3\xA9\":2},\"a\":6,\"aa\":4,\"b\":1}");
}

/* ---- JSONTestSuite ---- */

static char *file_read(const char *folder, const char *name, size_t *ret_size) {
    char path[4600];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *ret_size = (size_t)ftell(file);
    rewind(file);
    char *data = malloc(*ret_size + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, *ret_size, file), *ret_size);
    fclose(file);
    return data;
}

static void test_json_test_suite(void **state) {
    struct fixture *fixture = *state;
    const char *given = getenv("WEIR_CORPORA");
    const char *source = getenv("WEIR_SOURCE");
    char folder[4096];
    snprintf(folder, sizeof(folder), "%s%s/json/test_parsing",
             given    ? given
             : source ? source
                      : ".",
             given ? "" : "/../shared/corpora");
    DIR *directory = opendir(folder);
    if (!directory) {
        print_message("skip: no JSONTestSuite at %s; set WEIR_CORPORA to a folder that has json/test_parsing/\n",
                      folder);
        skip();
    }
    int checked = 0;
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (!strstr(entry->d_name, ".json"))
            continue;
        size_t size;
        char *data = file_read(folder, entry->d_name, &size);
        int status = decode(fixture, data, size, 0);
        free(data);
        if ((entry->d_name[0] == 'y' && status != WEIR_OK) || (entry->d_name[0] == 'n' && status == WEIR_OK))
            fail_msg("%s: %s %s", entry->d_name, weir_err_name(status), fixture->err.text);
        checked++;
    }
    closedir(directory);
    print_message("JSONTestSuite: %d files\n", checked);
    assert_true(checked > 300);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_forms),
        TEST(test_byte_order_mark),
        TEST(test_malformed),
        TEST(test_every_cut_is_refused),
        TEST(test_damage),
        TEST(test_kinds_of_numbers),
        TEST(test_long_integers),
        TEST(test_numbers_beyond_float64),
        TEST(test_exponents_of_decimals),
        TEST(test_numbers_of_every_length),
        TEST(test_escapes),
        TEST(test_plain_texts_stay_in_the_input),
        TEST(test_every_length_and_place),
        TEST(test_built_texts_are_escaped),
        TEST(test_depth),
        TEST(test_depth_of_no_wrappers),
        TEST(test_count_of_values),
        TEST(test_memory_follows_the_input),
        TEST(test_repeated_keys),
        TEST(test_sequences),
        TEST(test_tags_that_are_kinds),
        TEST(test_pretty),
        TEST(test_canonical),
        TEST(test_json_test_suite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
