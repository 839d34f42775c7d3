/* BSON: every element type, what is not well-formed and where, limits. */
#include "codec/bson/bson_testing.h"

/* ---- element types ---- */

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
        if (!strstr(elements[i].json, "$map")) /* everything else has a type of its own */
            check_hex(fixture, same, WEIR_STRICT, elements[i].hex, elements[i].json);
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
    /* a code whose size is 0 */
    {"280000000f6100000000000500000061626364001300000010780001000000107900010000000000", 7},
    {"280000000f6100ffffffff0500000061626364001300000010780001000000107900010000000000", 7}, /* a negative one */
    /* one that cuts its scope */
    {"280000000f61001f0000000500000061626364001300000010780001000000107900010000000000", 20},
    /* one that takes the end of its document */
    {"280000000f6100210000000500000061626364001300000010780001000000107900010000000000", 7},
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

/* A document as deep as can be, with wrappers at every level and at the bottom, comes back; what only looks like
 * wrappers does not go deeper than the limit. */
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

int main(void) {
    static const struct CMUnitTest tests[] = {
        TEST(test_elements),  TEST(test_cut_off),  TEST(test_changed_bytes), TEST(test_lenient),
        TEST(test_malformed), TEST(test_depth),    TEST(test_wrapped_depth), TEST(test_values_max),
        TEST(test_memory),    TEST(test_sequence), TEST(test_indices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
