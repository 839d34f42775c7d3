/* BSON: every element type, what is not well-formed and where, wrappers for what BSON has no type for, limits, and round trips
 * through the other codecs; the corpora of MongoDB when they are there.
 *
 * Documents are written down as their bytes in hexadecimal and as typed JSON. Every input lies at the end of a block of its own, so
 * that a sanitizer sees a byte read too many. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/bson/bson.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct fixture {
    weir_doc *doc;
    weir_doc *other;
    weir_buffer *out;
    weir_error err;
    unsigned char *input; /* what the document points into */
    size_t input_size;
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

/* ---- helpers ---- */

static void take(struct fixture *fixture, const void *data, size_t size) {
    unsigned char *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    if (size > 0)
        memcpy(copy, data, size);
    free(fixture->input);
    fixture->input = copy;
    fixture->input_size = size;
}

static void take_hex(struct fixture *fixture, const char *hex) {
    size_t size = strlen(hex) / 2;
    take(fixture, hex, size);
    for (size_t i = 0; i < size; i++) {
        unsigned byte;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        fixture->input[i] = (unsigned char)byte;
    }
}

/* Decode what was taken. */
static int decode_with(struct fixture *fixture, const weir_codec_options *options) {
    fixture->err = (weir_error){0};
    int status =
        weir_decode(fixture->doc, WEIR_CODEC_BSON, fixture->input, fixture->input_size, options, NULL, &fixture->err);
    assert_int_equal(status, fixture->err.code);
    assert_int_equal(status == WEIR_OK, weir_doc_root(fixture->doc) != NULL);
    return status;
}

static int decode(struct fixture *fixture, uint32_t flags) {
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    options.flags = flags;
    return decode_with(fixture, &options);
}

static weir_view encode(struct fixture *fixture, const weir_value *value, int codec, uint32_t flags) {
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    options.flags = flags;
    weir_buffer_clear(fixture->out);
    if (weir_encode(value, codec, &options, fixture->out, &fixture->err) != WEIR_OK)
        fail_msg("%s", fixture->err.text);
    return weir_buffer_view(fixture->out);
}

static const char *json_of(struct fixture *fixture, const weir_value *value, uint32_t flags) {
    encode(fixture, value, WEIR_CODEC_JSON, flags);
    assert_int_equal(weir_buffer_append(fixture->out, "", 1), WEIR_OK);
    return weir_buffer_view(fixture->out).data;
}

/* Read typed JSON into the other document. */
static const weir_value *read_json(struct fixture *fixture, const char *json) {
    if (weir_decode(fixture->other, WEIR_CODEC_JSON, json, strlen(json), NULL, NULL, &fixture->err) != WEIR_OK)
        fail_msg("%s: %s", json, fixture->err.text);
    return weir_doc_root(fixture->other);
}

static char *hex_of(weir_view view) {
    char *hex = malloc(view.size * 2 + 1);
    assert_non_null(hex);
    for (size_t i = 0; i < view.size; i++)
        sprintf(hex + 2 * i, "%02x", (unsigned char)view.data[i]);
    hex[view.size * 2] = '\0';
    return hex;
}

static void check_hex(struct fixture *fixture, const weir_value *value, uint32_t flags, const char *expected,
                      const char *name) {
    char *hex = hex_of(encode(fixture, value, WEIR_CODEC_BSON, flags));
    if (strcasecmp(hex, expected) != 0)
        fail_msg("%s: got %s, expected %s", name, hex, expected);
    free(hex);
}

/* @value comes back from @codec as it was. */
static void check_through(struct fixture *fixture, const weir_value *value, int codec, const char *name) {
    weir_view view = encode(fixture, value, codec, 0);
    char *copy = malloc(view.size + 1);
    weir_doc *doc = NULL;
    assert_non_null(copy);
    memcpy(copy, view.data, view.size);
    assert_int_equal(weir_doc_new(&doc), WEIR_OK);
    if (weir_decode(doc, codec, copy, view.size, NULL, NULL, &fixture->err) != WEIR_OK)
        fail_msg("%s through %s: %s", name, weir_codec_name(codec), fixture->err.text);
    if (!weir_value_equal(value, weir_doc_root(doc)))
        fail_msg("%s through %s: became %s", name, weir_codec_name(codec), json_of(fixture, weir_doc_root(doc), 0));
    weir_doc_free(doc);
    free(copy);
}

/* ---- element types ---- */

struct element {
    const char *json;
    const char *hex;
};

/* clang-format off */
static const struct element elements[] = {
    {"{}", "0500000000"},
    {"{\"a\":1.5}", "10000000016100000000000000f83f00"},
    {"{\"a\":-0.0}", "10000000016100000000000000008000"},
    {"{\"a\":{\"$numberDouble\":\"NaN\"}}", "10000000016100000000000000f87f00"},
    {"{\"a\":{\"$numberDouble\":\"NaN(7ff8000000000012)\"}}", "10000000016100120000000000f87f00"},
    {"{\"a\":{\"$numberDouble\":\"-Infinity\"}}", "10000000016100000000000000f0ff00"},
    {"{\"a\":\"\"}", "0d000000026100010000000000"},
    {"{\"a\":\"b\\u0000c\"}", "10000000026100040000006200630000"},
    {"{\"a\":\"\xE2\x98\x86""\"}", "1000000002610004000000e298860000"},
    {"{\"a\":\"a text of more than thirty-two bytes, as most are\"}",
     "3e00000002610032000000612074657874206f66206d6f7265207468616e207468697274792d74776f2062797465732c2061"
     "73206d6f7374206172650000"},
    {"{\"a\":{}}", "0d000000036100050000000000"},
    {"{\"a\":{\"b\":{\"c\":null}}}", "1800000003610010000000036200080000000a6300000000"},
    {"{\"a\":[]}", "0d000000046100050000000000"},
    {"{\"a\":[true,false,null]}", "180000000461001000000008300001083100000a32000000"},
    {"{\"a\":[0,1,2,3,4,5,6,7,8,9,10,11]}",
     "630000000461005b000000103000000000001031000100000010320002000000103300030000001034000400000010350005"
     "00000010360006000000103700070000001038000800000010390009000000103130000a000000103131000b0000000000"},
    {"{\"a\":{\"$binary\":{\"base64\":\"\",\"subType\":\"00\"}}}", "0d000000056100000000000000"},
    {"{\"a\":{\"$binary\":{\"base64\":\"//8=\",\"subType\":\"00\"}}}", "0f0000000561000200000000ffff00"},
    {"{\"a\":{\"$binary\":{\"base64\":\"//8=\",\"subType\":\"02\"}}}", "13000000056100060000000202000000ffff00"},
    {"{\"a\":{\"$binary\":{\"base64\":\"//8=\",\"subType\":\"80\"}}}", "0f0000000561000200000080ffff00"},
    {"{\"a\":{\"$undefined\":true}}", "0800000006610000"},
    {"{\"a\":{\"$oid\":\"56e1fc72e0c917e9c4714161\"}}", "1400000007610056e1fc72e0c917e9c471416100"},
    {"{\"a\":true,\"b\":false}", "0d000000086100010862000000"},
    {"{\"a\":{\"$date\":{\"$numberLong\":\"1356351330501\"}}}", "10000000096100c5d8d6cc3b01000000"},
    {"{\"a\":{\"$date\":{\"$numberLong\":\"-1\"}}}", "10000000096100ffffffffffffffff00"},
    {"{\"a\":{\"$date\":{\"$numberLong\":\"9223372036854\"}}}", "10000000096100f65ad07b6308000000"},
    {"{\"a\":{\"$date\":{\"$numberLong\":\"9223372036855\"}}}", "10000000096100f75ad07b6308000000"},
    {"{\"a\":{\"$date\":{\"$numberLong\":\"-9223372036854775808\"}}}", "10000000096100000000000000008000"},
    {"{\"a\":{\"$regularExpression\":{\"pattern\":\"ab\",\"options\":\"im\"}}}", "0e0000000b6100616200696d0000"},
    {"{\"a\":{\"$regularExpression\":{\"pattern\":\"\",\"options\":\"\"}}}", "0a0000000b6100000000"},
    {"{\"a\":{\"$dbPointer\":{\"$ref\":\"b\",\"$id\":{\"$oid\":\"56e1fc72e0c917e9c4714161\"}}}}",
     "1a0000000c610002000000620056e1fc72e0c917e9c471416100"},
    {"{\"a\":{\"$code\":\"f()\"}}", "100000000d6100040000006628290000"},
    {"{\"a\":{\"$symbol\":\"b\"}}", "0e0000000e610002000000620000"},
    {"{\"a\":{\"$code\":\"abcd\",\"$scope\":{\"x\":1}}}",
     "210000000f6100190000000500000061626364000c000000107800010000000000"},
    {"{\"a\":{\"$code\":\"\",\"$scope\":{}},\"b\":1}", "1d0000000f61000e000000010000000005000000001062000100000000"},
    {"{\"a\":[{\"$code\":\"\",\"$scope\":{\"$map\":[[1,2]]}},3]}",
     "460000000461003e0000000f30002f00000001000000002600000004246d6170001b00000004300013000000103000010000"
     "0010310002000000000000103100030000000000"},
    {"{\"a\":{\"$code\":\"\",\"$scope\":{\"$obj\":[[\"$map\",[]]]}}}",
     "3d0000000f61003500000001000000002c00000004246f626a00210000000430001900000002300005000000246d61700004"
     "3100050000000000000000"},
    {"{\"a\":2147483647,\"b\":-2147483648}", "13000000106100ffffff7f1062000000008000"},
    {"{\"a\":2147483648}", "10000000126100000000800000000000"},
    {"{\"a\":-9223372036854775808}", "10000000126100000000000000008000"},
    {"{\"a\":{\"$timestamp\":{\"t\":123456789,\"i\":42}}}", "100000001161002a00000015cd5b0700"},
    {"{\"a\":{\"$timestamp\":{\"t\":4294967295,\"i\":4294967295}}}", "10000000116100ffffffffffffffff00"},
    {"{\"a\":{\"$numberDecimal\":\"1.50\"}}", "1800000013610096000000000000000000000000003c3000"},
    {"{\"a\":{\"$numberDecimal\":\"-1\"}}", "18000000136100010000000000000000000000000040b000"},
    {"{\"a\":{\"$numberDecimal\":\"0E-6176\"}}", "180000001361000000000000000000000000000000000000"},
    {"{\"a\":{\"$numberDecimal\":\"9.999999999999999999999999999999999E+6144\"}}",
     "18000000136100ffffffff638e8d37c087adbe09edff5f00"},
    {"{\"a\":{\"$numberDecimal\":\"NaN\"}}", "180000001361000000000000000000000000000000007c00"},
    {"{\"a\":{\"$numberDecimal\":\"Infinity\"}}", "180000001361000000000000000000000000000000007800"},
    {"{\"a\":{\"$numberDecimal\":\"-Infinity\"}}", "18000000136100000000000000000000000000000000f800"},
    {"{\"a\":{\"$numberDecimal\":\"-0.00\"}}", "1800000013610000000000000000000000000000003cb000"},
    {"{\"a\":{\"$numberDecimal\":\"-0E+6111\"}}", "180000001361000000000000000000000000000000fedf00"},
    {"{\"a\":{\"$bson\":[19,{\"$binary\":{\"base64\":\"AQAAAAAAAAAAAAAAAAAAfA==\",\"subType\":\"00\"}}]}}",
     "180000001361000100000000000000000000000000007c00"},
    {"{\"a\":{\"$bson\":[19,{\"$binary\":{\"base64\":\"AAAAAAAAAAAAAAAAAAAQbA==\",\"subType\":\"00\"}}]}}",
     "180000001361000000000000000000000000000000106c00"},
    {"{\"a\":{\"$minKey\":1},\"b\":{\"$maxKey\":1}}", "0b000000ff61007f620000"},
    {"{\"a\":{\"$array\":{\"dtype\":\"i8\",\"dims\":[2],\"order\":\"row\",\"base64\":\"f4A=\"}}}",
     "11000000056100040000000903007f8000"},
    {"{\"a\":{\"$array\":{\"dtype\":\"f32le\",\"dims\":[1],\"order\":\"row\",\"base64\":\"AAAAQA==\"}}}",
     "13000000056100060000000927000000004000"},
    {"{\"a\":{\"$array\":{\"dtype\":\"f32le\",\"dims\":[0],\"order\":\"row\",\"base64\":\"\"}}}",
     "0f0000000561000200000009270000"},
    {"{\"a\":{\"$binary\":{\"base64\":\"EAN/\",\"subType\":\"09\"}}}", "10000000056100030000000910037f00"},
    {"{\"a\":{\"$binary\":{\"base64\":\"JwAA\",\"subType\":\"09\"}}}", "10000000056100030000000927000000"},
    {"{\"\":1,\"b\":2}", "120000001000010000001062000200000000"},
    {"{\"\xC3\xA9""\":1}", "0d00000010c3a9000100000000"},
    {"{\"a name of more than eight bytes\":1}",
     "2a0000001061206e616d65206f66206d6f7265207468616e206569676874206279746573000100000000"},
};
/* clang-format on */

static void test_elements(void **state) {
    struct fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(elements); i++) {
        take_hex(fixture, elements[i].hex);
        if (decode(fixture, WEIR_STRICT) != WEIR_OK)
            fail_msg("%s: %s", elements[i].hex, fixture->err.text);
        const weir_value *root = weir_doc_root(fixture->doc);
        assert_string_equal(json_of(fixture, root, 0), elements[i].json);
        check_hex(fixture, root, 0, elements[i].hex, elements[i].json);
        const weir_value *same = read_json(fixture, elements[i].json);
        if (!weir_value_equal(root, same))
            fail_msg("%s in JSON is another value", elements[i].json);
        check_hex(fixture, same, 0, elements[i].hex, elements[i].json);
        for (int codec = WEIR_CODEC_JSON; codec <= WEIR_CODEC_BSON; codec++)
            check_through(fixture, root, codec, elements[i].json);
    }
}

/* Whatever is cut off is refused, at the place where it ends or where its size cannot be right. */
static void test_cut_off(void **state) {
    struct fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(elements); i++) {
        take_hex(fixture, elements[i].hex);
        size_t size = fixture->input_size;
        unsigned char *whole = malloc(size);
        assert_non_null(whole);
        memcpy(whole, fixture->input, size);
        for (size_t cut = 0; cut < size; cut++) {
            take(fixture, whole, cut);
            assert_int_equal(decode(fixture, 0), WEIR_EPARSE);
            assert_int_equal(fixture->err.offset, cut);
            /* The same with a size that is right again. */
            if (cut < BSON_DOCUMENT_MIN)
                continue;
            weir_bson_store32(fixture->input, (uint32_t)cut);
            fixture->input[cut - 1] = 0;
            if (decode(fixture, 0) != WEIR_OK) {
                assert_int_equal(fixture->err.code, WEIR_EPARSE);
                assert_true(fixture->err.offset < cut);
            }
        }
        free(whole);
    }
}

/* Every byte of every document, changed: no crash, and what is accepted comes back the same. */
static void test_changed_bytes(void **state) {
    struct fixture *fixture = *state;
    static const unsigned char bytes[] = {0, 1, 2, 5, 0x0f, 0x7f, 0x80, 0xff};
    for (size_t i = 0; i < COUNT(elements); i++) {
        for (size_t at = 0; at < strlen(elements[i].hex) / 2; at++)
            for (size_t b = 0; b < COUNT(bytes); b++) {
                take_hex(fixture, elements[i].hex);
                fixture->input[at] = bytes[b];
                if (decode(fixture, 0) == WEIR_OK)
                    check_through(fixture, weir_doc_root(fixture->doc), WEIR_CODEC_BSON, elements[i].json);
                else
                    assert_true(fixture->err.offset <= fixture->input_size);
            }
    }
}

/* ---- what is read and written otherwise ---- */

/* Names in arrays do not matter, nor do widths; the latter are written back as they came. */
static void test_lenient(void **state) {
    struct fixture *fixture = *state;
    /* clang-format off */
    static const struct element cases[] = {
        {"{\"a\":[10]}", "160000000461000e000000107a7a7a000a0000000000"},
        {"{\"a\":[10,20]}", "1b000000046100130000001030000a000000103000140000000000"},
        {"{\"a\":[null]}", "0f000000046100070000000a000000"},
        {"{\"a\":[1]}", "140000000461000c00000010ff00010000000000"},
        {"{\"a\":[2]}", "2c000000046100240000001061206c6f6e67206e616d652c206e6f7420616e20696e64657800020000000000"},
        {"{\"a\":1}", "10000000126100010000000000000000"},
    };
    /* clang-format on */
    for (size_t i = 0; i < COUNT(cases); i++) {
        take_hex(fixture, cases[i].hex);
        if (decode(fixture, WEIR_STRICT) != WEIR_OK)
            fail_msg("%s: %s", cases[i].hex, fixture->err.text);
        assert_string_equal(json_of(fixture, weir_doc_root(fixture->doc), 0), cases[i].json);
    }
    check_hex(fixture, weir_doc_root(fixture->doc), 0, "10000000126100010000000000000000", "a wide integer");
    check_hex(fixture, weir_doc_root(fixture->doc), WEIR_CANONICAL, "0c0000001061000100000000", "a wide integer");
}

struct malformed {
    const char *hex;
    size_t offset;
};

/* clang-format off */
static const struct malformed malformed[] = {
    {"", 0}, /* nothing */
    {"04000000", 0}, /* less than the least */
    {"0000000000", 0}, /* no size */
    {"ffffffff00", 0}, /* a negative one */
    {"0500000001", 4}, /* no NUL at the end */
    {"0600000000", 5}, /* it ends before its size */
    {"050000000000", 5}, /* bytes behind it */
    {"060000000000", 4}, /* a NUL before the end */
    {"07000000800000", 4}, /* no such type */
    {"0800000014610000", 4}, /* no such type */
    {"070000000a6100", 6}, /* a name that ends with its document */
    {"0800000010610000", 7}, /* a value that does */
    {"080000000aff0000", 5}, /* a name that is not UTF-8 */
    {"100000000a6162636465666768e90000", 13}, /* the same behind eight bytes */
    {"130000000a6162e9000a61000a61000a610000", 7}, /* the same within eight */
    {"090000000861000200", 7}, /* a bool of 2 */
    {"09000000086100ff00", 7}, /* a bool of 255 */
    {"0800000008610000", 7}, /* a bool that is not there */
    {"0f000000016100000000000000f000", 14}, /* a double of 7 bytes */
    {"0b00000010610001000000", 10}, /* an int32 of 3 */
    {"0f0000001261000101010101010100", 14}, /* an int64 of 7 */
    {"0f0000000961000101010101010100", 14}, /* a datetime of 7 */
    {"0f0000001161000101010101010100", 14}, /* a timestamp of 7 */
    {"13000000076100010101010101010101010100", 18}, /* an ObjectId of 11 */
    {"1700000013610001010101010101010101010101010100", 22}, /* a decimal of 15 */
    {"0e00000002610000000000620000", 7}, /* a string without length */
    {"0e000000026100ffffffff620000", 7}, /* a negative one */
    {"0e00000002610003000000620000", 7}, /* one that takes the end of its document */
    {"0e00000002610002000000626300", 12}, /* one without a NUL */
    {"0e00000002610002000000e90000", 11}, /* one that is not UTF-8 */
    {"0c0000000261000100000000", 11}, /* one that ends with its document */
    {"0e0000000d610000000000620000", 7}, /* a string without length */
    {"0e0000000d6100ffffffff620000", 7}, /* a negative one */
    {"0e0000000d610003000000620000", 7}, /* one that takes the end of its document */
    {"0e0000000d610002000000626300", 12}, /* one without a NUL */
    {"0e0000000d610002000000e90000", 11}, /* one that is not UTF-8 */
    {"0c0000000d61000100000000", 11}, /* one that ends with its document */
    {"0e0000000e610000000000620000", 7}, /* a string without length */
    {"0e0000000e6100ffffffff620000", 7}, /* a negative one */
    {"0e0000000e610003000000620000", 7}, /* one that takes the end of its document */
    {"0e0000000e610002000000626300", 12}, /* one without a NUL */
    {"0e0000000e610002000000e90000", 11}, /* one that is not UTF-8 */
    {"0c0000000e61000100000000", 11}, /* one that ends with its document */
    {"0d000000036100060000000000", 7}, /* a document beyond the one around */
    {"0d000000036100040000000000", 7}, /* one that is too short */
    {"0d000000036100ffffffff0000", 7}, /* a negative one */
    {"0d000000036100050000000100", 11}, /* one without a NUL */
    {"0b00000003610000000000", 10}, /* one that is cut off */
    {"0e00000003610006000000000000", 11}, /* one with a NUL before its end */
    {"0d000000046100060000000000", 7}, /* a document beyond the one around */
    {"0d000000046100040000000000", 7}, /* one that is too short */
    {"0d000000046100ffffffff0000", 7}, /* a negative one */
    {"0d000000046100050000000100", 11}, /* one without a NUL */
    {"0b00000004610000000000", 10}, /* one that is cut off */
    {"0e00000004610006000000000000", 11}, /* one with a NUL before its end */
    {"0d000000056100ffffffff0000", 7}, /* a binary of negative length */
    {"0d000000056100010000000000", 7}, /* one beyond its document */
    {"0c0000000561000000000000", 11}, /* one without a subtype */
    {"13000000056100060000000203000000ffff00", 12}, /* subtype 2 with two lengths that disagree */
    {"130000000561000600000002ffffffffffff00", 12}, /* the same */
    {"0f0000000561000200000002000000", 12}, /* subtype 2 without its length */
    {"0b0000000b610061620000", 10}, /* no options */
    {"0a0000000b6100616200", 9}, /* a pattern without a NUL */
    {"0b0000000b6100ff000000", 7}, /* a pattern that is not UTF-8 */
    {"0c0000000b61006100ff0000", 9}, /* options that are not */
    {"190000000c610002000000620056e1fc72e0c917e9c4714100", 24}, /* a DBPointer with an ObjectId of 11 bytes */
    {"1a0000000c610000000000620056e1fc72e0c917e9c471416100", 7}, /* one whose name has no length */
    {"280000000f6100000000000500000061626364001300000010780001000000107900010000000000", 7}, /* a code whose size is 0 */
    {"280000000f6100ffffffff0500000061626364001300000010780001000000107900010000000000", 7}, /* a negative one */
    {"280000000f61001f0000000500000061626364001300000010780001000000107900010000000000", 20}, /* one that cuts its scope */
    {"280000000f6100210000000500000061626364001300000010780001000000107900010000000000", 7}, /* one that takes the end of its document */
    {"280000000f6100ff0000000500000061626364001300000010780001000000107900010000000000", 7}, /* one beyond it */
    {"110000000f610009000000010000000000", 16}, /* no scope */
    {"210000000f6100190000000600000061626364000c000000107800010000000000", 20}, /* a code that takes its scope */
    {"160000000f61000e0000000100000000060000000000", 16}, /* a scope whose size is wrong */
    {"1d0000000f61001500000001000000000c000000020000000000000000", 22}, /* a string without length in a scope */
};
/* clang-format on */

static void test_malformed(void **state) {
    struct fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(malformed); i++) {
        take_hex(fixture, malformed[i].hex);
        if (decode(fixture, 0) != WEIR_EPARSE)
            fail_msg("%zu %s was not refused: %s", i, malformed[i].hex, fixture->err.text);
        if (fixture->err.offset != malformed[i].offset)
            fail_msg("%zu %s: %s, expected %zu", i, malformed[i].hex, fixture->err.text, malformed[i].offset);
    }
}

/* ---- what BSON has no type for ---- */

/* clang-format off */
static const struct element wrapped[] = {
    {"null", "0c0000000a24726f6f740000"},
    {"true", "0d0000000824726f6f74000100"},
    {"5", "100000001024726f6f74000500000000"},
    {"\"x\"", "120000000224726f6f740002000000780000"},
    {"1.5", "140000000124726f6f7400000000000000f83f00"},
    {"[1,2]", "1f0000000424726f6f74001300000010300001000000103100020000000000"},
    {"{\"$oid\":\"56e1fc72e0c917e9c4714161\"}", "180000000724726f6f740056e1fc72e0c917e9c471416100"},
    {"{\"$f32\":\"1.5\"}", "1f0000000324726f6f74001300000002246633320004000000312e35000000"},
    {"{\"$minKey\":1}", "0c000000ff24726f6f740000"},
    {"{\"$code\":\"c\",\"$scope\":{\"x\":1}}", "220000000f24726f6f7400160000000200000063000c000000107800010000000000"},
    {"{\"$obj\":[[\"$root\",1]]}",
     "2c00000004246f626a0021000000043000190000000230000600000024726f6f740010310001000000000000"},
    {"{\"a\":{\"$obj\":[[\"$root\",1]]}}", "18000000036100100000001024726f6f7400010000000000"},
    {"{\"$map\":[[1,2],[\"b\",3]]}",
     "3e00000004246d61700033000000043000130000001030000100000010310002000000000431001500000002300002000000"
     "620010310003000000000000"},
    {"{\"a\":{\"$map\":[[[1],{\"$map\":[[null,2]]}]]},\"b\":1}",
     "5b0000000361004c00000004246d61700041000000043000390000000430000c000000103000010000000003310022000000"
     "04246d617000170000000430000f0000000a3000103100020000000000000000001062000100000000"},
    {"{\"a\\u0000b\":1,\"c\":2}",
     "4200000004246d61700037000000043000170000000230000400000061006200103100010000000004310015000000023000"
     "02000000630010310002000000000000"},
    {"{\"x\":{\"first of eight\\u0000\":1}}",
     "3e0000000378003600000004246d6170002b00000004300023000000023000100000006669727374206f6620656967687400"
     "001031000100000000000000"},
    {"{\"a\":18446744073709551615}",
     "320000000361002a00000002246e756d62657242696700150000003138343436373434303733373039353531363135000000"},
    {"{\"a\":-123456789012345678901234567890}",
     "3d0000000361003500000002246e756d62657242696700200000002d31323334353637383930313233343536373839303132"
     "3334353637383930000000"},
    {"{\"a\":{\"$f32\":\"0.1\"}}", "1b0000000361001300000002246633320004000000302e31000000"},
    {"{\"a\":{\"$f32\":\"NaN\"}}", "1b00000003610013000000022466333200040000004e614e000000"},
    {"{\"a\":{\"$numberDecimal\":\"1E+6112\"}}",
     "290000000361002100000002246e756d626572446563696d616c000800000031452b36313132000000"},
    {"{\"a\":{\"$numberDecimal\":\"12345678901234567890123456789012345\"}}",
     "450000000361003d00000002246e756d626572446563696d616c002400000031323334353637383930313233343536373839"
     "30313233343536373839303132333435000000"},
    {"{\"a\":{\"$time\":\"2023-11-14T22:13:20.123456789Z\"}}",
     "370000000361002f000000022474696d65001f000000323032332d31312d31345432323a31333a32302e3132333435363738"
     "395a000000"},
    {"{\"a\":{\"$tag\":[32,\"u\"]}}",
     "28000000036100200000000424746167001500000010300020000000023100020000007500000000"},
    {"{\"a\":{\"$tag\":[18446744073709551615,[1]]}}",
     "540000000361004c000000042474616700410000000330002a00000002246e756d6265724269670015000000313834343637"
     "343430373337303935353136313500000431000c0000001030000100000000000000"},
    {"{\"a\":{\"$tag\":[1,{\"$tag\":[2,{\"$simple\":[99,null]}]}]}}",
     "59000000036100510000000424746167004600000010300001000000033100370000000424746167002c0000001030000200"
     "00000331001d000000042473696d706c65000f000000103000630000000a310000000000000000"},
    {"{\"a\":{\"$bson\":[7,1]},\"b\":2}",
     "2e0000000361001f000000042462736f6e0013000000103000070000001031000100000000001062000200000000"},
    {"{\"a\":{\"$bson\":[9,5]}}", "270000000361001f000000042462736f6e00130000001030000900000010310005000000000000"},
    {"{\"a\":{\"$bson\":[17,-1]}}", "270000000361001f000000042462736f6e001300000010300011000000103100ffffffff000000"},
    {"{\"a\":{\"$bson\":[11,[\"a\\u0000\",\"b\"]]}}",
     "3b00000003610033000000042462736f6e00270000001030000b000000043100180000000230000300000061000002310002"
     "000000620000000000"},
    {"{\"a\":{\"$bson\":[1280,{\"$binary\":{\"base64\":\"AA==\",\"subType\":\"00\"}}]}}",
     "2900000003610021000000042462736f6e001500000010300000050000053100010000000000000000"},
    {"{\"a\":{\"$bson\":[1289,{\"$binary\":{\"base64\":\"AwAB\",\"subType\":\"00\"}}]}}",
     "2b00000003610023000000042462736f6e0017000000103000090500000531000300000000030001000000"},
    {"{\"a\":{\"$bson\":[15,[\"c\",{\"$f32\":\"1.5\"}]]}}",
     "470000000361003f000000042462736f6e00330000001030000f000000043100240000000230000200000063000331001300"
     "000002246633320004000000312e35000000000000"},
    {"{\"a\":{\"$array\":{\"dtype\":\"f64le\",\"dims\":[1],\"order\":\"row\",\"base64\":\"AAAAAAAA+D8=\"}}}",
     "5f0000000361005700000003246172726179004a00000002647479706500060000006636346c65000464696d73000c000000"
     "1030000100000000026f726465720004000000726f77000564617461000800000000000000000000f83f000000"},
    {"{\"a\":{\"$array\":{\"dtype\":\"f32be\",\"dims\":[1],\"order\":\"row\",\"base64\":\"AAAAQA==\"}}}",
     "5b0000000361005300000003246172726179004600000002647479706500060000006633326265000464696d73000c000000"
     "1030000100000000026f726465720004000000726f7700056461746100040000000000000040000000"},
    {"{\"a\":{\"$array\":{\"dtype\":\"i8\",\"dims\":[1,2],\"order\":\"column\",\"base64\":\"AQI=\"}}}",
     "600000000361005800000003246172726179004b00000002647479706500030000006938000464696d730013000000103000"
     "010000001031000200000000026f726465720007000000636f6c756d6e0005646174610002000000000102000000"},
    {"{\"a\":{\"$array\":{\"dtype\":\"u8\",\"dims\":[],\"order\":\"row\",\"base64\":\"AQ==\"}}}",
     "4e0000000361004600000003246172726179003900000002647479706500030000007538000464696d73000500000000026f"
     "726465720004000000726f7700056461746100010000000001000000"},
    {"{\"a\":{\"$array\":{\"dtype\":\"u8\",\"dims\":[18446744073709551615,0],\"order\":\"row\",\"base64\":\"\"}}}",
     "810000000361007900000003246172726179006c00000002647479706500030000007538000464696d730039000000033000"
     "2a00000002246e756d6265724269670015000000313834343637343430373337303935353136313500001031000000000000"
     "026f726465720004000000726f77000564617461000000000000000000"},
    {"{\"a\":{\"$obj\":[[\"$f32\",\"x\"]]}}",
     "350000000361002d00000004246f626a00220000000430001a00000002300005000000246633320002310002000000780000"
     "000000"},
    {"{\"a\":{\"$obj\":[[\"$f32\",1]]}}", "170000000361000f000000102466333200010000000000"},
    {"{\"a\":{\"$obj\":[[\"$map\",{}]]}}", "180000000361001000000003246d61700005000000000000"},
    {"{\"a\":{\"$obj\":[[\"$oid\",\"56e1fc72e0c917e9c4714161\"]]}}",
     "300000000361002800000002246f69640019000000353665316663373265306339313765396334373134313631000000"},
    {"{\"a\":{\"$obj\":[[\"$date\",1]]}}", "180000000361001000000010246461746500010000000000"},
    {"{\"a\":{\"$obj\":[[\"$code\",\"c\"],[\"$scope\",{}]]}}",
     "270000000361001f0000000224636f646500020000006300032473636f70650005000000000000"},
    {"{\"$ref\":\"a\",\"$id\":1}", "1a00000002247265660002000000610010246964000100000000"},
};

static const struct element plain[] = {
    {"{\"a\":{\"$f32\":\"0.5\"}}", "10000000016100000000000000e03f00"},
    {"{\"a\":18446744073709551615}", "18000000136100ffffffffffffffff000000000000403000"},
    {"{\"a\":-12345678901234567890123}", "18000000136100cb444271764eb6429d020000000040b000"},
    {"{\"a\":12345678901234567890123456789012345}",
     "300000000261002400000031323334353637383930313233343536373839303132333435363738393031323334350000"},
    {"{\"a\":{\"$numberDecimal\":\"1.5\"}}", "180000001361000f000000000000000000000000003e3000"},
    {"{\"a\":{\"$numberDecimal\":\"1E+7000\"}}", "140000000261000800000031452b373030300000"},
    {"{\"a\":{\"$time\":\"1969-12-31T23:59:59.9999Z\"}}", "10000000096100ffffffffffffffff00"},
    {"{\"a\":{\"$tag\":[32,{\"$simple\":[99,null]}]}}", "080000000a610000"},
    {"{\"a\":{\"$bson\":[7,[1]]}}", "140000000461000c000000103000010000000000"},
    {"{\"a\":{\"$oid\":\"56e1fc72e0c917e9c4714161\"}}", "1400000007610056e1fc72e0c917e9c471416100"},
    {"{\"a\":{\"$undefined\":true}}", "0800000006610000"},
    {"{\"$map\":[[1,2],[\"b\\u0000\",3],[[1,\"x\"],4],[{\"$f32\":\"0.5\"},5]]}",
     "2c000000103100020000001062efbfbd0003000000105b312c2278225d000400000010302e35000500000000"},
    {"{\"$obj\":[[\"$f32\",\"x\"]]}", "1100000002246633320002000000780000"},
    {"7", "100000001024726f6f74000700000000"},
    {"{\"a\":{\"$array\":{\"dtype\":\"i16le\",\"dims\":[2,2],\"order\":\"column\",\"base64\":\"AQACAAMABAA=\"}}}",
     "3900000004610031000000043000130000001030000100000010310003000000000431001300000010300002000000103100"
     "04000000000000"},
    {"{\"a\":{\"$array\":{\"dtype\":\"i8\",\"dims\":[2],\"order\":\"row\",\"base64\":\"AQI=\"}}}",
     "1b0000000461001300000010300001000000103100020000000000"},
    {"{\"a\":{\"$array\":{\"dtype\":\"f64le\",\"dims\":[3,0],\"order\":\"row\",\"base64\":\"\"}}}",
     "0d000000046100050000000000"},
    {"{\"a\":{\"$array\":{\"dtype\":\"u64le\",\"dims\":[],\"order\":\"row\",\"base64\":\"//////////8=\"}}}",
     "18000000136100ffffffffffffffff000000000000403000"},
    {"{\"a\":{\"$array\":{\"dtype\":\"u8\",\"dims\":[1,2,1],\"order\":\"row\",\"base64\":\"AQI=\"}}}",
     "330000000461002b000000043000230000000430000c00000010300001000000000431000c00000010300002000000000000"
     "00"},
};
/* clang-format on */

static void test_wrapped(void **state) {
    struct fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(wrapped); i++) {
        const weir_value *value = read_json(fixture, wrapped[i].json);
        check_hex(fixture, value, 0, wrapped[i].hex, wrapped[i].json);
        take_hex(fixture, wrapped[i].hex);
        if (decode(fixture, WEIR_STRICT) != WEIR_OK)
            fail_msg("%s: %s", wrapped[i].json, fixture->err.text);
        const weir_value *root = weir_doc_root(fixture->doc);
        if (!weir_value_equal(value, root))
            fail_msg("%s came back as %s", wrapped[i].json, json_of(fixture, root, 0));
        for (int codec = WEIR_CODEC_JSON; codec <= WEIR_CODEC_BSON; codec++)
            check_through(fixture, root, codec, wrapped[i].json);
    }
}

/* What Extended JSON may say otherwise, and what looks like one of its wrappers and is none. */
static void test_names_of_extended_json(void **state) {
    struct fixture *fixture = *state;
    static const char *const same[][2] = {
        {"{\"$uuid\":\"73ffd264-44b3-4c69-90e8-e7d1dfc035d4\"}",
         "{\"$binary\":{\"base64\":\"c//SZESzTGmQ6OfR38A11A==\",\"subType\":\"04\"}}"},
        {"{\"$timestamp\":{\"i\":42,\"t\":1}}", "{\"$timestamp\":{\"t\":1,\"i\":42}}"},
        {"{\"$scope\":{\"x\":[1]},\"$code\":\"c\"}", "{\"$code\":\"c\",\"$scope\":{\"x\":[1]}}"},
        {"[{\"$scope\":{},\"$code\":\"c\"},1]", "[{\"$code\":\"c\",\"$scope\":{}},1]"},
        {"{\"$binary\":{\"base64\":\"AwAB\",\"subType\":\"09\"}}",
         "{\"$array\":{\"dtype\":\"i8\",\"dims\":[1],\"order\":\"row\",\"base64\":\"AQ==\"}}"},
        {"{\"$bson\":[7,{\"$binary\":{\"base64\":\"VuH8cuDJF+nEcUFh\",\"subType\":\"00\"}}]}",
         "{\"$oid\":\"56e1fc72e0c917e9c4714161\"}"},
        {"{\"$numberDecimal\":\"-0E-3\"}", "{\"$numberDecimal\":\"-0.000\"}"},
    };
    static const char *const others[] = {
        "[[\"$oid\",\"56E1FC72E0C917E9C4714161\"]]",
        "[[\"$uuid\",\"73ffd264x44b3-4c69-90e8-e7d1dfc035d4\"]]",
        "[[\"$timestamp\",{\"t\":-1,\"i\":0}]]",
        "[[\"$timestamp\",{\"t\":1,\"i\":4294967296}]]",
        "[[\"$timestamp\",{\"t\":1,\"i\":1,\"x\":1}]]",
        "[[\"$minKey\",2]]",
        "[[\"$maxKey\",true]]",
        "[[\"$symbol\",null]]",
        "[[\"$code\",1]]",
        "[[\"$code\",1],[\"$scope\",{}]]",
        "[[\"$code\",\"c\"],[\"$scope\",[]]]",
        "[[\"$regularExpression\",{\"pattern\":\"a\\u0000\",\"options\":\"\"}]]",
        "[[\"$regularExpression\",{\"pattern\":\"a\"}]]",
        "[[\"$dbPointer\",{\"$ref\":\"a\",\"$id\":1}]]",
        "[[\"$numberDecimal\",\"nan\"]]",
        "[[\"$numberDecimal\",\"-0E-7000\"]]",
        "[[\"$bson\",[300,1]]]",
        "[[\"$simple\",[99,1]]]",
        "[[\"$simple\",[20,null]]]",
    };
    for (size_t i = 0; i < COUNT(same); i++) {
        const weir_value *value = read_json(fixture, same[i][0]);
        assert_string_equal(json_of(fixture, value, 0), same[i][1]);
        for (int codec = WEIR_CODEC_JSON; codec <= WEIR_CODEC_BSON; codec++)
            check_through(fixture, value, codec, same[i][0]);
    }
    for (size_t i = 0; i < COUNT(others); i++) {
        char json[200];
        snprintf(json, sizeof(json), "{\"$obj\":%s}", others[i]);
        const weir_value *value = read_json(fixture, json);
        assert_int_equal(weir_value_kind(value), WEIR_KIND_MAP);
        assert_string_equal(json_of(fixture, value, 0), json);
        for (int codec = WEIR_CODEC_JSON; codec <= WEIR_CODEC_BSON; codec++)
            check_through(fixture, value, codec, json);
        /* Without the escape it is read as the same map. */
        const char *plain = json_of(fixture, value, WEIR_PLAIN);
        weir_doc *doc = NULL;
        assert_int_equal(weir_doc_new(&doc), WEIR_OK);
        assert_int_equal(weir_decode(doc, WEIR_CODEC_JSON, plain, strlen(plain), NULL, NULL, NULL), WEIR_OK);
        if (!weir_value_equal(weir_doc_root(doc), value))
            fail_msg("%s is not only a map", plain);
        weir_doc_free(doc);
    }
}

static void test_plain(void **state) {
    struct fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(plain); i++)
        check_hex(fixture, read_json(fixture, plain[i].json), WEIR_PLAIN, plain[i].hex, plain[i].json);
    /* Read without wrappers, everything is what it looks like. */
    take_hex(fixture, "13000000022466333200040000003"
                      "12e350000");
    assert_int_equal(decode(fixture, WEIR_PLAIN), WEIR_OK);
    assert_int_equal(weir_value_kind(weir_doc_root(fixture->doc)), WEIR_KIND_MAP);
    assert_int_equal(decode(fixture, 0), WEIR_OK);
    assert_int_equal(weir_value_kind(weir_doc_root(fixture->doc)), WEIR_KIND_FLOAT32);
}

static void test_strict(void **state) {
    struct fixture *fixture = *state;
    static const char *const refused[] = {
        "[1]",
        "1",
        "{\"$map\":[[1,2]]}",
        "{\"a\":{\"b\\u0000\":1}}",
        "{\"a\":18446744073709551615}",
        "{\"a\":-123456789012345678901234567890}",
        "{\"a\":{\"$f32\":\"1.0\"}}",
        "{\"a\":{\"$numberDecimal\":\"1E+6112\"}}",
        "{\"a\":{\"$time\":\"2023-11-14T22:13:20.1234Z\"}}",
        "{\"a\":{\"$tag\":[32,\"u\"]}}",
        "{\"a\":{\"$simple\":[99,null]}}",
        "{\"a\":{\"$bson\":[7,1]}}",
        "{\"a\":{\"$array\":{\"dtype\":\"f64le\",\"dims\":[0],\"order\":\"row\",\"base64\":\"\"}}}",
    };
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    options.flags = WEIR_STRICT;
    for (size_t i = 0; i < COUNT(refused); i++) {
        weir_buffer_clear(fixture->out);
        const weir_value *value = read_json(fixture, refused[i]);
        if (weir_encode(value, WEIR_CODEC_BSON, &options, fixture->out, &fixture->err) != WEIR_EENCODE)
            fail_msg("%s was not refused", refused[i]);
        assert_int_equal(weir_buffer_view(fixture->out).size, 0);
    }
    for (size_t i = 0; i < COUNT(elements); i++)
        if (!strstr(elements[i].json, "$bson") && !strstr(elements[i].json, "$map"))
            check_hex(fixture, read_json(fixture, elements[i].json), WEIR_STRICT, elements[i].hex, elements[i].json);
    /* A key twice, at the second of them; not in maps beside each other. */
    take_hex(fixture, "0e000000"
                      "0a6100"
                      "0a6200"
                      "0a6100"
                      "00");
    assert_int_equal(decode(fixture, 0), WEIR_OK);
    assert_int_equal(decode(fixture, WEIR_STRICT), WEIR_EPARSE);
    assert_int_equal(fixture->err.offset, 11);
    take_hex(fixture, "16000000"
                      "036100080000000a610000"
                      "0a620000"
                      "0a6300");
    fixture->input[0] = (unsigned char)fixture->input_size;
    assert_int_equal(decode(fixture, WEIR_STRICT), WEIR_EPARSE); /* the NUL before 0a63 */
    take_hex(fixture, "13000000"
                      "036100080000000a610000"
                      "0a6200"
                      "00");
    assert_int_equal(decode(fixture, WEIR_STRICT), WEIR_OK);
}

static void test_canonical(void **state) {
    struct fixture *fixture = *state;
    const weir_value *value = read_json(fixture, "{\"b\":1,\"a\":{\"d\":{\"$numberDouble\":\"NaN(fff8000000000001)\"},"
                                                 "\"c\":[]},\"\":{\"$map\":[[1,2],[\"x\",3]]}}");
    encode(fixture, value, WEIR_CODEC_BSON, WEIR_CANONICAL);
    weir_view view = weir_buffer_view(fixture->out);
    take(fixture, view.data, view.size);
    assert_int_equal(decode(fixture, 0), WEIR_OK);
    assert_string_equal(
        json_of(fixture, weir_doc_root(fixture->doc), 0),
        "{\"\":{\"$map\":[[\"x\",3],[1,2]]},\"a\":{\"c\":[],\"d\":{\"$numberDouble\":\"NaN\"}},\"b\":1}");
    check_hex(fixture, read_json(fixture, "{\"b\\u0000\":1,\"a\":2}"), WEIR_CANONICAL,
              "4100000004246d61700036000000043000150000000230000200000061001031000200000000"
              "043100160000000230000300000062000010310001000000000000",
              "a name with a NUL");
}

/* ---- limits ---- */

/* @depth arrays in a map, the innermost empty. */
static void take_nest(struct fixture *fixture, unsigned depth) {
    size_t size = 5 + (size_t)depth * 8;
    take(fixture, "", 0);
    free(fixture->input);
    fixture->input = calloc(1, size);
    assert_non_null(fixture->input);
    fixture->input_size = size;
    unsigned char *at = fixture->input;
    for (size_t left = size;; left -= 8) {
        weir_bson_store32(at, (uint32_t)left);
        if (left == 5)
            break;
        memcpy(at + 4, "\4a", 3);
        at += 7;
    }
}

static void test_depth(void **state) {
    struct fixture *fixture = *state;
    take_nest(fixture, WEIR_DEPTH_MAX - 1);
    assert_int_equal(decode(fixture, 0), WEIR_OK);
    take_nest(fixture, WEIR_DEPTH_MAX);
    assert_int_equal(decode(fixture, 0), WEIR_ELIMIT);
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    options.depth_max = 100000;
    take_nest(fixture, 99999);
    assert_int_equal(decode_with(fixture, &options), WEIR_OK);
    weir_buffer_clear(fixture->out);
    assert_int_equal(weir_encode(weir_doc_root(fixture->doc), WEIR_CODEC_BSON, NULL, fixture->out, NULL), WEIR_ELIMIT);
    assert_int_equal(weir_encode(weir_doc_root(fixture->doc), WEIR_CODEC_BSON, &options, fixture->out, NULL), WEIR_OK);
    weir_view view = weir_buffer_view(fixture->out);
    assert_int_equal(view.size, fixture->input_size);
}

/* A document as deep as can be, with wrappers at every level and at the bottom, comes back; what only looks like wrappers does
 * not go deeper than the limit. */
static void test_wrapped_depth(void **state) {
    static const char *const bottoms[] = {
        "{\"$f32\":\"1.0\"}",
        "{\"$tag\":[1,{\"$f32\":\"1.0\"}]}",
        "{\"$array\":{\"dtype\":\"f64le\",\"dims\":[0],\"order\":\"row\",\"base64\":\"\"}}",
        "{\"$oid\":\"56e1fc72e0c917e9c4714161\"}",
    };
    struct fixture *fixture = *state;
    for (int variant = 0; variant < 3; variant++)
        for (size_t bottom = 0; bottom < COUNT(bottoms); bottom++) {
            static const char *const begins[] = {"{\"$map\":[[1,", "{\"$tag\":[7,", "["};
            static const char *const ends[] = {"]]}", "]}", "]"};
            char json[WEIR_DEPTH_MAX * 20 + 200] = "";
            unsigned levels = WEIR_DEPTH_MAX - (bottom == 0 || bottom == 2 ? 0 : 1);
            for (unsigned i = 0; i < levels; i++)
                strcat(json, begins[variant]);
            strcat(json, bottoms[bottom]);
            for (unsigned i = 0; i < levels; i++)
                strcat(json, ends[variant]);
            const weir_value *value = read_json(fixture, json);
            check_through(fixture, value, WEIR_CODEC_BSON, json);
        }
    /* {"$f32": [[...]]}, and {"$root": ..., "x": ...} */
    for (unsigned depth = WEIR_DEPTH_MAX - 2; depth < WEIR_DEPTH_MAX + 3; depth++) {
        static const char *const names[] = {"$f32", "$map", "$tag", "$root", "$date", "abcd"};
        for (size_t i = 0; i < COUNT(names); i++) {
            take_nest(fixture, depth);
            size_t name_size = strlen(names[i]) + 1;
            size_t size = fixture->input_size - 2 + name_size + 3;
            unsigned char *bytes = malloc(size);
            assert_non_null(bytes);
            weir_bson_store32(bytes, (uint32_t)size);
            bytes[4] = 4;
            memcpy(bytes + 5, names[i], name_size);
            memcpy(bytes + 5 + name_size, fixture->input + 7, fixture->input_size - 7 - 1);
            memcpy(bytes + size - 4, "\nx\0", 4);
            take(fixture, bytes, size);
            free(bytes);
            int status = decode(fixture, 0);
            assert_int_equal(status, depth < WEIR_DEPTH_MAX ? WEIR_OK : WEIR_ELIMIT);
        }
    }
}

static void test_values_max(void **state) {
    struct fixture *fixture = *state;
    take_hex(fixture, "1500000010610001000000046200050000000000");
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    fixture->input[0] = (unsigned char)fixture->input_size;
    for (uint32_t most = 1; most < 8; most++) { /* the map, two keys, two values */
        options.values_max = most;
        assert_int_equal(decode_with(fixture, &options), most < 5 ? WEIR_ELIMIT : WEIR_OK);
    }
    options = (weir_codec_options)WEIR_CODEC_OPTIONS_INIT;
    options.bytes_max = fixture->input_size - 1;
    assert_int_equal(decode_with(fixture, &options), WEIR_ELIMIT);
}

/* Memory grows by what was read, not by what is declared, and a document that is used again takes no more. */
static void test_memory(void **state) {
    struct fixture *fixture = *state;
    enum { COUNT_MAX = 3000 };
    weir_begin_map(fixture->other);
    for (int i = 0; i < COUNT_MAX; i++) {
        weir_put_key(fixture->other, i % 2 ? "" : "k");
        weir_put_null(fixture->other);
    }
    weir_end(fixture->other);
    const weir_value *value = NULL;
    assert_int_equal(weir_doc_finish(fixture->other, &value, NULL), WEIR_OK);
    weir_view view = encode(fixture, value, WEIR_CODEC_BSON, 0);
    take(fixture, view.data, view.size);
    assert_int_equal(decode(fixture, 0), WEIR_OK);
    assert_true(weir_value_equal(value, weir_doc_root(fixture->doc)));
    assert_true(fixture->doc->capacity * sizeof(*fixture->doc->cells) <= 65536 + 16 * fixture->input_size);
    const struct weir_value *cells = fixture->doc->cells;
    assert_int_equal(decode(fixture, 0), WEIR_OK);
    assert_ptr_equal(fixture->doc->cells, cells);
    /* Texts are where they were. */
    const unsigned char *key = weir_doc_root(fixture->doc)[1].as.data;
    assert_true(key > fixture->input && key < fixture->input + fixture->input_size);
}

static void test_sequence(void **state) {
    struct fixture *fixture = *state;
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    size_t used = 0;
    options.flags = WEIR_SEQUENCE;
    take_hex(fixture, "0500000000"
                      "0c0000001061000100000000"
                      "05");
    assert_int_equal(
        weir_decode(fixture->doc, WEIR_CODEC_BSON, fixture->input, fixture->input_size, &options, &used, NULL),
        WEIR_OK);
    assert_int_equal(used, 5);
    assert_int_equal(
        weir_decode(fixture->doc, WEIR_CODEC_BSON, fixture->input + 5, fixture->input_size - 5, &options, &used, NULL),
        WEIR_OK);
    assert_int_equal(used, 12);
    assert_int_equal(weir_decode(fixture->doc, WEIR_CODEC_BSON, fixture->input + 17, 1, &options, &used, &fixture->err),
                     WEIR_EPARSE);
    assert_int_equal(fixture->err.offset, 1);
}

/* Indices as names, over every change of length that fits. */
static void test_indices(void **state) {
    struct fixture *fixture = *state;
    enum { ITEMS = 100012 };
    weir_begin_array(fixture->other);
    for (int i = 0; i < ITEMS; i++)
        weir_put_null(fixture->other);
    weir_end(fixture->other);
    const weir_value *value = NULL;
    assert_int_equal(weir_doc_finish(fixture->other, &value, NULL), WEIR_OK);
    weir_view view = encode(fixture, value, WEIR_CODEC_BSON, 0);
    const char *at = view.data + 4 + 7 + 4;
    for (int i = 0; i < ITEMS; i++) {
        char name[16];
        int size = sprintf(name, "\n%d", i);
        assert_memory_equal(at, name, (size_t)size + 1);
        at += size + 1;
    }
    assert_ptr_equal(at + 2, view.data + view.size);
    unsigned char name[BSON_INDEX_MAX];
    assert_ptr_equal(weir_bson_put_index(name, 4294967295), name + 11);
    assert_string_equal((char *)name, "4294967295");
}

/* ---- corpora of MongoDB ---- */

/* What a directory of the corpora holds, one file after the other; NULL behind the last. */
struct corpus {
    DIR *dir;
    char path[4000];
    char name[256];
    char *data;
    size_t size;
};

static int corpus_open(struct corpus *corpus, const char *folder) {
    const char *source = getenv("WEIR_SOURCE");
    *corpus = (struct corpus){0};
    snprintf(corpus->path, sizeof(corpus->path), "%s/../shared/corpora/bson/%s", source ? source : ".", folder);
    corpus->dir = opendir(corpus->path);
    if (!corpus->dir)
        print_message("skip: there is no %s\n", corpus->path);
    return corpus->dir != NULL;
}

static int corpus_next(struct corpus *corpus, const char *ending) {
    struct dirent *entry;
    char path[sizeof(corpus->path) + sizeof(corpus->name) + 2];
    free(corpus->data);
    corpus->data = NULL;
    while ((entry = readdir(corpus->dir)) != NULL) {
        const char *dot = strrchr(entry->d_name, '.');
        if (dot && strcmp(dot, ending) == 0)
            break;
    }
    if (!entry) {
        closedir(corpus->dir);
        return 0;
    }
    snprintf(corpus->name, sizeof(corpus->name), "%s", entry->d_name);
    snprintf(path, sizeof(path), "%s/%s", corpus->path, entry->d_name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    corpus->size = (size_t)ftell(file);
    rewind(file);
    corpus->data = malloc(corpus->size + 1);
    assert_non_null(corpus->data);
    assert_int_equal(fread(corpus->data, 1, corpus->size, file), corpus->size);
    fclose(file);
    return 1;
}

/* The text at @path of a case; "" when it has none. */
static char *text_of(const weir_value *value, const char *path) {
    weir_view view = {"", 0};
    if (weir_get_text(value, path, &view) != WEIR_OK)
        view = (weir_view){"", 0};
    return strndup(view.data, view.size);
}

struct counts {
    int valid, degenerate, refused, json, json_other;
};

static int is_lossy(const weir_value *test) {
    int lossy = 0;
    return weir_get_bool(test, "lossy", &lossy) == WEIR_OK && lossy;
}

/* Its extended JSON is the same value, but where the corpus itself says that it loses something. */
static void check_extended_json(struct fixture *fixture, const weir_value *test, const char *name,
                                struct counts *counts) {
    char *json = text_of(test, "canonical_extjson");
    const weir_value *value = read_json(fixture, json);
    if (weir_value_equal(value, weir_doc_root(fixture->doc))) {
        counts->json++;
    } else {
        if (!is_lossy(test))
            fail_msg("%s: %s is another value: %s", name, json, json_of(fixture, weir_doc_root(fixture->doc), 0));
        counts->json_other++;
    }
    free(json);
}

static void check_valid(struct fixture *fixture, const weir_value *test, struct counts *counts) {
    char *name = text_of(test, "description");
    char *hex = text_of(test, "canonical_bson");
    char *degenerate = text_of(test, "degenerate_bson");
    take_hex(fixture, hex);
    if (decode(fixture, 0) != WEIR_OK)
        fail_msg("%s: %s: %s", name, hex, fixture->err.text);
    check_hex(fixture, weir_doc_root(fixture->doc), 0, hex, name);
    for (int codec = WEIR_CODEC_JSON; codec <= WEIR_CODEC_BSON; codec++)
        check_through(fixture, weir_doc_root(fixture->doc), codec, name);
    counts->valid++;
    check_extended_json(fixture, test, name, counts);
    if (*degenerate) {
        /* Of a decimal whose coefficient is too great the case wants a number that it is not (it means 0); its bytes are kept. */
        const char *same = strcmp(name, "Scientific - Longest") == 0 ? degenerate : hex;
        take_hex(fixture, degenerate);
        if (decode(fixture, 0) != WEIR_OK)
            fail_msg("%s: %s: %s", name, degenerate, fixture->err.text);
        check_hex(fixture, weir_doc_root(fixture->doc), WEIR_CANONICAL, same, name);
        counts->degenerate++;
    }
    free(name);
    free(hex);
    free(degenerate);
}

static void check_refused(struct fixture *fixture, const weir_value *test, struct counts *counts) {
    char *name = text_of(test, "description");
    char *hex = text_of(test, "bson");
    take_hex(fixture, hex);
    if (decode(fixture, 0) != WEIR_EPARSE)
        fail_msg("%s: %s was not refused", name, hex);
    counts->refused++;
    free(name);
    free(hex);
}

static void test_bson_corpus(void **state) {
    struct fixture *fixture = *state;
    struct corpus corpus;
    struct counts counts = {0};
    int files = 0;
    weir_doc *doc = NULL;
    if (!corpus_open(&corpus, "bson_corpus"))
        skip();
    assert_int_equal(weir_doc_new(&doc), WEIR_OK);
    for (; corpus_next(&corpus, ".json"); files++) {
        weir_iter it;
        const weir_value *list = NULL;
        assert_int_equal(weir_decode(doc, WEIR_CODEC_JSON, corpus.data, corpus.size, NULL, NULL, NULL), WEIR_OK);
        weir_get(weir_doc_root(doc), "valid", &list);
        for (weir_iter_init(&it, list); weir_iter_next(&it);)
            check_valid(fixture, it.value, &counts);
        list = NULL;
        weir_get(weir_doc_root(doc), "decodeErrors", &list);
        for (weir_iter_init(&it, list); weir_iter_next(&it);)
            check_refused(fixture, it.value, &counts);
    }
    print_message("bson-corpus: %d files, %d valid, %d degenerate, %d refused; extended JSON: %d the same, %d lossy\n",
                  files, counts.valid, counts.degenerate, counts.refused, counts.json, counts.json_other);
    assert_int_equal(counts.json + counts.json_other, counts.valid);
    weir_doc_free(doc);
}

/* Vectors of int8 and float32 are ndarrays; others, and wrong ones, stay bytes of subtype 9. All are written as they were. */
static void check_vector(struct fixture *fixture, const weir_value *test, const char *hex) {
    weir_ndarray array;
    weir_iter it;
    const weir_value *expected = NULL, *vector = NULL;
    int is_valid = 0;
    char *type = text_of(test, "dtype_alias");
    take_hex(fixture, hex);
    assert_int_equal(decode(fixture, 0), WEIR_OK);
    check_hex(fixture, weir_doc_root(fixture->doc), 0, hex, hex);
    assert_int_equal(weir_get(weir_doc_root(fixture->doc), "vector", &vector), WEIR_OK);
    assert_int_equal(weir_get_bool(test, "valid", &is_valid), WEIR_OK);
    int is_array = is_valid && strcmp(type, "PACKED_BIT") != 0;
    assert_int_equal(weir_value_kind(vector), is_array ? WEIR_KIND_NDARRAY : WEIR_KIND_TAGGED);
    if (is_array) {
        assert_int_equal(weir_get_ndarray(vector, NULL, &array), WEIR_OK);
        assert_int_equal(weir_get(test, "vector", &expected), WEIR_OK);
        assert_int_equal(array.shape[0], weir_value_count(expected));
        weir_iter_init(&it, expected);
        for (uint64_t i = 0; weir_iter_next(&it); i++) {
            struct weir_value element;
            double number = 0;
            weir_ndarray_element(&array, i, &element);
            assert_int_equal(weir_get_f64(it.value, NULL, &number), WEIR_OK);
            assert_true(element.kind == WEIR_KIND_FLOAT32 ? element.as.f32 == (float)number
                                                          : (double)element.as.i64 == number);
        }
    }
    free(type);
}

static void test_vector_corpus(void **state) {
    struct fixture *fixture = *state;
    struct corpus corpus;
    weir_doc *doc = NULL;
    int checked = 0, others = 0;
    if (!corpus_open(&corpus, "bson_binary_vector"))
        skip();
    assert_int_equal(weir_doc_new(&doc), WEIR_OK);
    while (corpus_next(&corpus, ".json")) {
        weir_iter it;
        const weir_value *list = NULL;
        assert_int_equal(weir_decode(doc, WEIR_CODEC_JSON, corpus.data, corpus.size, NULL, NULL, NULL), WEIR_OK);
        assert_int_equal(weir_get(weir_doc_root(doc), "tests", &list), WEIR_OK);
        for (weir_iter_init(&it, list); weir_iter_next(&it);) {
            char *hex = text_of(it.value, "canonical_bson");
            if (*hex) {
                check_vector(fixture, it.value, hex);
                checked++;
            } else {
                others++;
            }
            free(hex);
        }
    }
    print_message("bson-binary-vector: %d checked; %d are about numbers that fit no vector, and have no bytes\n",
                  checked, others);
    weir_doc_free(doc);
}

/* Files of all kinds, some broken on purpose: no crash; what is accepted says so in the same bytes, or names in arrays differ. */
static void test_libbson_corpus(void **state) {
    struct fixture *fixture = *state;
    struct corpus corpus;
    int accepted = 0, refused = 0, same = 0;
    if (!corpus_open(&corpus, "libbson_binary"))
        skip();
    while (corpus_next(&corpus, ".bson")) {
        weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
        options.depth_max = 200; /* test39.bson is a nest of 100 documents */
        take(fixture, corpus.data, corpus.size);
        if (decode_with(fixture, &options) != WEIR_OK) {
            print_message("%s: %s\n", corpus.name, fixture->err.text);
            assert_int_equal(fixture->err.code, WEIR_EPARSE);
            assert_true(fixture->err.offset <= corpus.size);
            refused++;
            continue;
        }
        accepted++;
        assert_int_equal(weir_bson_load32(fixture->input), corpus.size);
        weir_buffer_clear(fixture->out);
        assert_int_equal(weir_encode(weir_doc_root(fixture->doc), WEIR_CODEC_BSON, &options, fixture->out, NULL),
                         WEIR_OK);
        weir_view view = weir_buffer_view(fixture->out);
        same += view.size == corpus.size && memcmp(view.data, corpus.data, view.size) == 0;
        if (decode(fixture, 0) != WEIR_OK)
            continue;
        for (int codec = WEIR_CODEC_JSON; codec <= WEIR_CODEC_BSON; codec++)
            check_through(fixture, weir_doc_root(fixture->doc), codec, corpus.name);
    }
    print_message("libbson: %d accepted, %d of them written as the same bytes, %d refused\n", accepted, same, refused);
    assert_true(accepted > 0 && refused > 0);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_elements, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut_off, setup, teardown),
        cmocka_unit_test_setup_teardown(test_changed_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lenient, setup, teardown),
        cmocka_unit_test_setup_teardown(test_malformed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrapped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_of_extended_json, setup, teardown),
        cmocka_unit_test_setup_teardown(test_plain, setup, teardown),
        cmocka_unit_test_setup_teardown(test_strict, setup, teardown),
        cmocka_unit_test_setup_teardown(test_canonical, setup, teardown),
        cmocka_unit_test_setup_teardown(test_depth, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrapped_depth, setup, teardown),
        cmocka_unit_test_setup_teardown(test_values_max, setup, teardown),
        cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sequence, setup, teardown),
        cmocka_unit_test_setup_teardown(test_indices, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bson_corpus, setup, teardown),
        cmocka_unit_test_setup_teardown(test_vector_corpus, setup, teardown),
        cmocka_unit_test_setup_teardown(test_libbson_corpus, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
