/* CBOR as RFC 8949 has it: items, well-formedness against a checker of its own, preferred and deterministic
 * encoding, indefinite lengths, the tags that are kinds of the document. Limits, sequences and strictness are in
 * cbor_rules.c, published test data in cbor_corpora.c; what every codec promises is tested in
 * tests/conformance/codec_test.c. */
#include "codec/cbor/cbor_test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

int setup(void **state) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    *state = fixture;
    return !fixture || weir_doc_new(&fixture->doc) != WEIR_OK || weir_doc_new(&fixture->other) != WEIR_OK ||
           weir_buffer_new(&fixture->out) != WEIR_OK || weir_buffer_new(&fixture->text) != WEIR_OK;
}

int teardown(void **state) {
    struct fixture *fixture = *state;
    weir_doc_free(fixture->doc);
    weir_doc_free(fixture->other);
    weir_buffer_free(fixture->out);
    weir_buffer_free(fixture->text);
    free(fixture->input);
    free(fixture);
    return 0;
}

size_t from_hex(const char *hex, unsigned char *bytes) {
    size_t size = 0;
    for (; *hex; hex++) {
        unsigned byte = 0;
        if (*hex == ' ')
            continue;
        assert_true(size < HEX_ROOM && sscanf(hex++, "%2x", &byte) == 1);
        bytes[size++] = (unsigned char)byte;
    }
    return size;
}

int decode_with(struct fixture *fixture, const void *data, size_t size, const weir_codec_options *options,
                size_t *ret_used) {
    free(fixture->input);
    fixture->input = malloc(size > 0 ? size : 1);
    assert_non_null(fixture->input);
    if (size > 0)
        memcpy(fixture->input, data, size);
    fixture->err = (weir_error){0};
    int status = weir_decode(fixture->doc, WEIR_CODEC_CBOR, fixture->input, size, options, ret_used, &fixture->err);
    assert_int_equal(status, fixture->err.code);
    assert_int_equal(status == WEIR_OK, weir_doc_root(fixture->doc) != NULL);
    assert_true(status != WEIR_EPARSE || fixture->err.offset <= size);
    return status;
}

int decode_hex(struct fixture *fixture, const char *hex, uint32_t flags) {
    static unsigned char bytes[HEX_ROOM];
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    options.flags = flags;
    return decode_with(fixture, bytes, from_hex(hex, bytes), &options, NULL);
}

static void encode(struct fixture *fixture, int codec, uint32_t flags, weir_buffer *out) {
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    options.flags = flags;
    options.depth_max = UINT16_MAX;
    weir_buffer_clear(out);
    if (weir_encode(weir_doc_root(fixture->doc), codec, &options, out, &fixture->err) != WEIR_OK)
        fail_msg("%s", fixture->err.text);
}

const char *encode_hex(struct fixture *fixture, uint32_t flags) {
    char digits[3];
    encode(fixture, WEIR_CODEC_CBOR, flags, fixture->out);
    weir_view bytes = weir_buffer_view(fixture->out);
    weir_buffer_clear(fixture->text);
    for (size_t i = 0; i < bytes.size; i++) {
        sprintf(digits, "%02x", (unsigned char)bytes.data[i]);
        assert_int_equal(weir_buffer_append(fixture->text, digits, 2), WEIR_OK);
    }
    assert_int_equal(weir_buffer_append(fixture->text, "", 1), WEIR_OK);
    return weir_buffer_view(fixture->text).data;
}

const char *encode_json(struct fixture *fixture, uint32_t flags) {
    encode(fixture, WEIR_CODEC_JSON, flags, fixture->text);
    assert_int_equal(weir_buffer_append(fixture->text, "", 1), WEIR_OK);
    return weir_buffer_view(fixture->text).data;
}

/* What bytes mean, in the typed form of JSON, and what is written back; NULL for the same bytes. */
struct item {
    const char *hex;
    const char *json;
    const char *written;
};

/* Compare hexadecimal digits; @expected may have blanks between. */
static void assert_hex(const char *is, const char *expected) {
    char without[400] = "";
    for (char *to = without; *expected && to < without + sizeof(without) - 1; expected++)
        if (*expected != ' ')
            *to++ = *expected;
    assert_string_equal(is, without);
}

static void check_items(struct fixture *fixture, const struct item *items, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (decode_hex(fixture, items[i].hex, 0) != WEIR_OK)
            fail_msg("%s: %s", items[i].hex, fixture->err.text);
        assert_string_equal(encode_json(fixture, 0), items[i].json);
        assert_hex(encode_hex(fixture, 0), items[i].written ? items[i].written : items[i].hex);
    }
}

/* ---- items ---- */

static void test_items(void **state) {
    static const struct item items[] = {
        {"00", "0", NULL},
        {"17", "23", NULL},
        {"1818", "24", NULL},
        {"1903e8", "1000", NULL},
        {"1a000f4240", "1000000", NULL},
        {"1b000000e8d4a51000", "1000000000000", NULL},
        {"1b7fffffffffffffff", "9223372036854775807", NULL},
        {"1b8000000000000000", "9223372036854775808", NULL},
        {"1bffffffffffffffff", "18446744073709551615", NULL},
        {"20", "-1", NULL},
        {"3903e7", "-1000", NULL},
        {"3b7fffffffffffffff", "-9223372036854775808", NULL},
        {"3b8000000000000000", "-9223372036854775809", NULL},
        {"3bffffffffffffffff", "-18446744073709551616", NULL},
        {"40", "{\"$binary\":{\"base64\":\"\",\"subType\":\"00\"}}", NULL},
        {"4401020304", "{\"$binary\":{\"base64\":\"AQIDBA==\",\"subType\":\"00\"}}", NULL},
        {"60", "\"\"", NULL},
        {"6449455446", "\"IETF\"", NULL},
        {"62c3bc", "\"\xC3\xBC\"", NULL},
        {"64f0908591", "\"\xF0\x90\x85\x91\"", NULL},
        {"80", "[]", NULL},
        {"8301820203820405", "[1,[2,3],[4,5]]", NULL},
        {"a0", "{}", NULL},
        {"a26161016162820203", "{\"a\":1,\"b\":[2,3]}", NULL},
        {"a201020304", "{\"$map\":[[1,2],[3,4]]}", NULL},
        {"a1a0a0", "{\"$map\":[[{},{}]]}", NULL},
        {"f4", "false", NULL},
        {"f5", "true", NULL},
        {"f6", "null", NULL},
        {"f7", "{\"$undefined\":true}", NULL},
        {"e0", "{\"$simple\":[0,null]}", NULL},
        {"f3", "{\"$simple\":[19,null]}", NULL},
        {"f820", "{\"$simple\":[32,null]}", NULL},
        {"f8ff", "{\"$simple\":[255,null]}", NULL},
        {"f90000", "{\"$f32\":\"0.0\"}", NULL},
        {"f98000", "{\"$f32\":\"-0.0\"}", NULL},
        {"f93c00", "{\"$f32\":\"1.0\"}", NULL},
        {"f97bff", "{\"$f32\":\"65504.0\"}", NULL},
        {"fa47c35000", "{\"$f32\":\"100000.0\"}", NULL},
        {"fa3fc00000", "{\"$f32\":\"1.5\"}", "f93e00"},
        {"fb3ff199999999999a", "1.1", NULL},
        {"fb3ff8000000000000", "1.5", NULL},
        {"fb7ff0000000000000", "{\"$numberDouble\":\"Infinity\"}", NULL},
        {"f9fc00", "{\"$f32\":\"-Infinity\"}", NULL},
        {"f97e00", "{\"$f32\":\"NaN\"}", NULL},
        {"f97e01", "{\"$f32\":\"NaN(7fc02000)\"}", NULL},
        {"f97c01", "{\"$f32\":\"NaN(7f802000)\"}", NULL},
        {"faff800001", "{\"$f32\":\"NaN(ff800001)\"}", NULL},
        {"fbfff8000000000000", "{\"$numberDouble\":\"NaN(fff8000000000000)\"}", NULL},
    };
    check_items(*state, items, COUNT(items));
}

/* Every half there is: its value by the formula of appendix D, and the same half again. */
static void test_every_half(void **state) {
    struct fixture *fixture = *state;
    for (unsigned half = 0; half < 0x10000; half++) {
        unsigned char bytes[3] = {0xf9, (unsigned char)(half >> 8), (unsigned char)half};
        int exponent = half >> 10 & 31, fraction = half & 0x3ff;
        double expected = exponent == 0    ? ldexp(fraction, -24)
                          : exponent != 31 ? ldexp(fraction + 1024, exponent - 25)
                          : fraction == 0  ? INFINITY
                                           : NAN;
        expected = half & 0x8000 ? -expected : expected;
        assert_int_equal(decode_with(fixture, bytes, sizeof(bytes), NULL, NULL), WEIR_OK);
        const weir_value *root = weir_doc_root(fixture->doc);
        assert_int_equal(root->kind, WEIR_KIND_FLOAT32);
        assert_true(isnan(expected) ? isnan(root->as.f32) : (double)root->as.f32 == expected);
        assert_int_equal(signbit(root->as.f32) != 0, half >> 15);
        encode(fixture, WEIR_CODEC_CBOR, 0, fixture->out);
        assert_int_equal(weir_buffer_view(fixture->out).size, 3);
        assert_memory_equal(weir_buffer_view(fixture->out).data, bytes, 3);
    }
}

/* Singles around every half: only what a half holds exactly is written as one. */
static void test_singles_beside_halves(void **state) {
    struct fixture *fixture = *state;
    for (unsigned half = 0; half < 0x7c00; half++)
        for (int step = -1; step <= 1; step++) {
            int exponent = half >> 10 & 31, fraction = half & 0x3ff;
            float value = (float)(exponent == 0 ? ldexp(fraction, -24) : ldexp(fraction + 1024, exponent - 25));
            value = step < 0 ? nextafterf(value, -INFINITY) : step > 0 ? nextafterf(value, INFINITY) : value;
            weir_doc_clear(fixture->doc);
            weir_put_f32(fixture->doc, value);
            assert_int_equal(weir_doc_finish(fixture->doc, NULL, NULL), WEIR_OK);
            encode(fixture, WEIR_CODEC_CBOR, 0, fixture->out);
            assert_int_equal(weir_buffer_view(fixture->out).size, step == 0 ? 3 : 5);
        }
}

/* ---- well-formedness, against the pseudocode of appendix C ---- */

struct checked {
    const unsigned char *at;
    const unsigned char *end;
};

static int argument_of(struct checked *in, unsigned info, uint64_t *ret) {
    *ret = info;
    if (info < 24)
        return 1;
    if (info > 27 || in->end - in->at < 1 << (info - 24))
        return 0;
    *ret = 0;
    for (int i = 0; i < 1 << (info - 24); i++)
        *ret = *ret << 8 | *in->at++;
    return 1;
}

enum { BREAK = -1 };

/* One item: 1 when it is well-formed, with texts that are UTF-8; BREAK for a break where @may_break. */
static int well_formed(struct checked *in, int may_break) {
    uint64_t n;
    if (in->at == in->end)
        return 0;
    unsigned major = *in->at >> 5, info = *in->at++ & 31;
    if (info == 31 && major == 7)
        return may_break ? BREAK : 0;
    if (info == 31 && major >= 2 && major <= 5) {
        for (uint64_t items = 0;; items++) {
            const unsigned char *head = in->at;
            int item = well_formed(in, 1);
            if (item == BREAK)
                return major != 5 || items % 2 == 0;
            if (item == 0 || (major <= 3 && (*head >> 5 != major || (*head & 31) == 31)))
                return 0;
        }
    }
    if (!argument_of(in, info, &n))
        return 0;
    switch (major) {
    case 2:
    case 3:
        if (n > (uint64_t)(in->end - in->at) || (major == 3 && weir_utf8_check(in->at, n) != n))
            return 0;
        in->at += n;
        return 1;
    case 4:
    case 5:
        for (uint64_t i = 0; i < n; i++)
            if (well_formed(in, 0) != 1 || (major == 5 && well_formed(in, 0) != 1))
                return 0;
        return 1;
    case 6: return well_formed(in, 0) == 1;
    case 7: return info != 24 || n >= 32;
    default: return 1;
    }
}

static int check_bytes(struct fixture *fixture, const unsigned char *bytes, size_t size) {
    struct checked in = {bytes, bytes + size};
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    options.flags = WEIR_SEQUENCE;
    size_t used = 0;
    int is_good = well_formed(&in, 0) == 1;
    weir_error err = {0};
    int status = weir_decode(fixture->doc, WEIR_CODEC_CBOR, bytes, size, &options, &used, &err);
    if ((status == WEIR_OK) != is_good || (is_good && used != (size_t)(in.at - bytes)) ||
        (!is_good && (status != WEIR_EPARSE || err.offset > size)))
        fail_msg("%02x%02x%02x%02x (%d bytes): well-formed %d, decoder %s, %d bytes used", bytes[0], bytes[1], bytes[2],
                 bytes[3], (int)size, is_good, weir_err_name(status), (int)used);
    return is_good;
}

static void test_every_short_input(void **state) {
    static const unsigned char lasts[] = {0x00, 0x18, 0x1f, 0x20, 0x40, 0x41, 0x5f, 0x60, 0x61, 0x80, 0x81,
                                          0x9f, 0xa0, 0xa1, 0xbf, 0xc3, 0xc4, 0xe0, 0xf6, 0xf8, 0xff};
    unsigned char bytes[4] = {0};
    int good = 0, all = 0;
    for (unsigned first = 0; first < 256; first++, all++) {
        bytes[0] = (unsigned char)first;
        good += check_bytes(*state, bytes, 1);
        for (unsigned second = 0; second < 256; second++, all++) {
            bytes[1] = (unsigned char)second;
            good += check_bytes(*state, bytes, 2);
            for (size_t i = 0; i < COUNT(lasts); i++, all++) {
                bytes[2] = lasts[i];
                good += check_bytes(*state, bytes, 3);
            }
        }
    }
    print_message("inputs of up to three bytes: %d, %d of them well-formed\n", all, good);
}

/* All inputs of six bytes that an alphabet of structure gives. */
static void test_structures(void **state) {
    static const unsigned char alphabet[] = {0x00, 0x41, 0x5f, 0x61, 0x7f, 0x81, 0x9f, 0xa1, 0xbf, 0xc1, 0xff};
    enum { SIZE = 6 };
    unsigned char bytes[SIZE];
    unsigned digits[SIZE] = {0};
    int good = 0, all = 0;
    for (size_t i = 0; i < SIZE;) {
        for (size_t j = 0; j < SIZE; j++)
            bytes[j] = alphabet[digits[j]];
        good += check_bytes(*state, bytes, SIZE);
        all++;
        for (i = 0; i < SIZE && ++digits[i] == COUNT(alphabet); i++)
            digits[i] = 0;
    }
    print_message("structures of six bytes: %d, %d of them well-formed\n", all, good);
    assert_true(good > 0);
}

/* Counts and sizes that no input can hold are refused at once, and reserve nothing. */
static void test_declared_sizes_reserve_nothing(void **state) {
    struct fixture *fixture = *state;
    static const char *const heads[] = {"5b", "7b", "9b", "bb", "d8409b", "5f5b", "7f7b", "9f9b", "c25b", "d9d9f79b"};
    static const char *const sizes[] = {"ffffffffffffffff", "8000000000000000", "7fffffffffffffff",
                                        "0000000100000000", "00000000ffffffff", "0000000000000064"};
    for (size_t i = 0; i < COUNT(heads); i++)
        for (size_t j = 0; j < COUNT(sizes); j++) {
            char hex[64];
            snprintf(hex, sizeof(hex), "%s%s0001", heads[i], sizes[j]);
            weir_doc_free(fixture->doc);
            assert_int_equal(weir_doc_new(&fixture->doc), WEIR_OK);
            assert_int_equal(decode_hex(fixture, hex, 0), WEIR_EPARSE);
            assert_true(fixture->doc->capacity <= 1100);
        }
}

/* ---- preferred serialization ---- */

static const struct {
    uint64_t number;
    const char *argument; /* behind the major type: additional information, then bytes */
} heads[] = {
    {0, "00"},
    {1, "01"},
    {23, "17"},
    {24, "1818"},
    {255, "18ff"},
    {256, "190100"},
    {65535, "19ffff"},
    {65536, "1a00010000"},
    {UINT32_MAX, "1affffffff"},
    {UINT64_C(1) << 32, "1b0000000100000000"},
    {UINT64_MAX, "1bffffffffffffffff"},
};

/* The head of what is in fixture->doc is @argument with @major. */
static void check_head(struct fixture *fixture, unsigned major, const char *argument) {
    unsigned char expected[16];
    assert_int_equal(weir_doc_finish(fixture->doc, NULL, &fixture->err), WEIR_OK);
    size_t size = from_hex(argument, expected);
    expected[0] |= (unsigned char)(major << 5);
    encode(fixture, WEIR_CODEC_CBOR, 0, fixture->out);
    assert_true(weir_buffer_view(fixture->out).size >= size);
    assert_memory_equal(weir_buffer_view(fixture->out).data, expected, size);
    weir_doc_clear(fixture->doc);
}

static void test_shortest_heads(void **state) {
    struct fixture *fixture = *state;
    static const char zeros[65537];
    weir_doc *doc = fixture->doc;
    for (size_t i = 0; i < COUNT(heads); i++) {
        uint64_t n = heads[i].number;
        weir_put_u64(doc, n);
        check_head(fixture, CBOR_UINT, heads[i].argument);
        if (n <= INT64_MAX) {
            weir_put_i64(doc, -1 - (int64_t)n);
            check_head(fixture, CBOR_NEGATIVE, heads[i].argument);
        }
        if (n != CBOR_TAG_SELF_DESCRIBED) {
            weir_put_tag(doc, WEIR_TAG_CBOR, n);
            weir_put_null(doc);
            check_head(fixture, CBOR_TAG, heads[i].argument);
        }
        if (n >= sizeof(zeros))
            continue;
        weir_refer_bytes(doc, zeros, n);
        check_head(fixture, CBOR_BYTES, heads[i].argument);
        weir_refer_text(doc, zeros, n);
        check_head(fixture, CBOR_TEXT, heads[i].argument);
        for (int is_map = 0; is_map <= 1; is_map++) {
            if (is_map)
                weir_begin_map(doc);
            else
                weir_begin_array(doc);
            for (uint64_t j = 0; j < n << is_map; j++)
                weir_put_null(doc);
            weir_end(doc);
            check_head(fixture, is_map ? CBOR_MAP : CBOR_ARRAY, heads[i].argument);
        }
    }
}

/* ---- deterministic encoding, section 4.2.1 ---- */

static void test_canonical(void **state) {
    struct fixture *fixture = *state;
    static const char *const cases[][2] = {
        /* the example of section 4.2.1 */
        {"a8 f4 00 8120 00 811864 00 626161 00 617a 00 20 00 1864 00 0a 00",
         "a8 0a 00 1864 00 20 00 617a 00 626161 00 811864 00 8120 00 f4 00"},
        {"a2 6162 01 6161 02", "a2616102616201"},
        {"a2 626161 01 617a 02", "a2617a0262616101"},
        {"a2 6161 a2 6162 01 6161 02 60 80", "a2 60 80 6161 a2 6161 02 6162 01"},
        {"a1 a2 6162 01 6161 02 a2 6164 03 6163 04", "a1 a2 6161 02 6162 01 a2 6163 04 6164 03"},
        {"82 a2 02 00 01 00 a2 02 00 01 00", "82 a2 01 00 02 00 a2 01 00 02 00"},
        {"a2 f93c00 00 01 00", "a2 01 00 f93c00 00"},
        {"a2 fb3ff0000000000000 00 6161 00", "a2 6161 00 f93c00 00"},
        {"bf 6162 01 6161 9f 00 ff ff", "a2 6161 81 00 6162 01"},
        {"a2 d86401 00 c1 6161 00", "a2 c1 6161 00 d86401 00"},
        {"a3 6161 01 6161 02 60 03", "a3 60 03 6161 01 6161 02"},
        {"fb3ff8000000000000", "f93e00"},
        {"fa47c35000", "fa47c35000"},
        {"fb40f86a0000000000", "fa47c35000"},
        {"fb3ff199999999999a", "fb3ff199999999999a"},
        {"fb3e90000000000000", "f90004"},
        {"fb3e80000000000000", "f90002"},
        {"fb3e70000000000000", "f90001"},
        {"fb3e60000000000000", "fa33000000"},
        {"fb36a0000000000000", "fa00000001"},
        {"fb3690000000000000", "fb3690000000000000"},
        {"fb47efffffe0000000", "fa7f7fffff"},
        {"fb47effffff0000000", "fb47effffff0000000"},
        {"fb8000000000000000", "f98000"},
        {"fb7ff8000000000001", "f97e00"},
        {"fafff00000", "f97e00"},
        {"c1 fb41d452d9e0200000", "c1 fb41d452d9e0200000"},
        {"c1 fb3ff8000000000000", "c1 f93e00"},
        {"c1 fbbff8000000000000", "c1 f9be00"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (decode_hex(fixture, cases[i][0], 0) != WEIR_OK)
            fail_msg("%s: %s", cases[i][0], fixture->err.text);
        assert_hex(encode_hex(fixture, WEIR_CANONICAL), cases[i][1]);
    }
}

/* Maps of many keys in every order that a multiplier gives, one inside the other. */
static void test_canonical_sorts_large_maps(void **state) {
    struct fixture *fixture = *state;
    enum { KEYS = 1009 }; /* a prime */
    weir_buffer *first = NULL;
    assert_int_equal(weir_buffer_new(&first), WEIR_OK);
    for (int factor = 1; factor < KEYS; factor += factor % 3 == 1 ? 85 : 83) { /* no multiple of 3 */
        weir_begin_map(fixture->doc);
        for (int i = 0; i < KEYS; i++) {
            char key[16];
            weir_put_text(fixture->doc, key, (size_t)sprintf(key, "%d", i * factor % KEYS));
            weir_begin_map(fixture->doc);
            for (int j = 0; j < 3; j++) {
                weir_put_i64(fixture->doc, j * factor % 3);
                weir_put_i64(fixture->doc, j * factor % 3);
            }
            weir_end(fixture->doc);
        }
        weir_end(fixture->doc);
        assert_int_equal(weir_doc_finish(fixture->doc, NULL, NULL), WEIR_OK);
        encode(fixture, WEIR_CODEC_CBOR, WEIR_CANONICAL, factor == 1 ? first : fixture->out);
        weir_view is = weir_buffer_view(factor == 1 ? first : fixture->out), expected = weir_buffer_view(first);
        assert_int_equal(is.size, expected.size);
        assert_memory_equal(is.data, expected.data, is.size);
        weir_doc_clear(fixture->doc);
    }
    weir_buffer_free(first);
}

/* ---- indefinite lengths ---- */

static void test_indefinite_lengths(void **state) {
    static const struct item items[] = {
        {"5fff", "{\"$binary\":{\"base64\":\"\",\"subType\":\"00\"}}", "40"},
        {"5f42010243030405ff", "{\"$binary\":{\"base64\":\"AQIDBAU=\",\"subType\":\"00\"}}", "450102030405"},
        {"5f40580041ffff", "{\"$binary\":{\"base64\":\"/w==\",\"subType\":\"00\"}}", "41ff"},
        {"7f657374726561646d696e67ff", "\"streaming\"", "6973747265616d696e67"},
        {"7f62c3a961617801 62ff",
         "\"\xC3\xA9"
         "ab\"",
         "64c3a96162"},
        {"9fff", "[]", "80"},
        {"9f018202039f0405ffff", "[1,[2,3],[4,5]]", "8301820203820405"},
        {"83018202039f0405ff", "[1,[2,3],[4,5]]", "8301820203820405"},
        {"bf6346756ef563416d7421ff", "{\"Fun\":true,\"Amt\":-2}", "a26346756ef563416d7421"},
        {"bfff", "{}", "a0"},
        {"9f9f9f9fffffffff", "[[[[]]]]", "8181 8180"},
        {"bf7f6161ff9f7f6162ffffff", "{\"a\":[\"b\"]}", "a1616181 6162"},
        {"d9d9f79fff", "[]", "80"},
        {"9fc19f00ffd9d9f780ff", "[{\"$tag\":[1,[0]]},{\"$tag\":[55799,[]]}]", "82c18100d9d9f780"},
    };
    check_items(*state, items, COUNT(items));
}

/* ---- the tags that are kinds ---- */

static void test_numbers_in_tags(void **state) {
    static const struct item items[] = {
        {"c249010000000000000000", "18446744073709551616", NULL},
        {"c349010000000000000000", "-18446744073709551617", NULL},
        {"c248ffffffffffffffff", "18446744073709551615", "1bffffffffffffffff"},
        {"c34101", "-2", "21"},
        {"c35f4101ff", "-2", "21"},
        {"c240", "0", "00"},
        {"c2c24101", "{\"$tag\":[2,1]}", "c201"},
        {"c48221196ab3", "{\"$numberDecimal\":\"273.15\"}", NULL},
        {"c4822100", "{\"$numberDecimal\":\"0.00\"}", NULL},
        {"c48200c249010000000000000000", "{\"$numberDecimal\":\"18446744073709551616\"}", NULL},
        {"c482213b ffffffffffffffff", "{\"$numberDecimal\":\"-184467440737095516.16\"}", NULL},
        {"c4821a7fffffff01", "{\"$numberDecimal\":\"1E+2147483647\"}", NULL},
        {"c4821a8000000001", "{\"$tag\":[4,[2147483648,1]]}", NULL},
        {"c482 f93c00 01", "{\"$tag\":[4,[{\"$f32\":\"1.0\"},1]]}", NULL},
        {"c483000000", "{\"$tag\":[4,[0,0,0]]}", NULL},
        {"c58220 03", "{\"$tag\":[5,[-1,3]]}", NULL},
        {"c26161", "{\"$tag\":[2,\"a\"]}", NULL},
    };
    check_items(*state, items, COUNT(items));
}

static void test_times(void **state) {
    static const struct item items[] = {
        {"c074323031332d30332d32315432303a30343a30305a", "{\"$time\":\"2013-03-21T20:04:00Z\"}", NULL},
        {"c0 7819 323031332d30332d32315432303a30343a30302b30313a3030", "{\"$tag\":[0,\"2013-03-21T20:04:00+01:00\"]}",
         NULL},
        {"c074323031332d30332d32317432303a30343a30307a", "{\"$time\":\"2013-03-21T20:04:00Z\"}",
         "c074323031332d30332d32315432303a30343a30305a"},
        {"c0 781b 323031332d30332d32315432303a30343a30302e3530303030305a", "{\"$time\":\"2013-03-21T20:04:00.5Z\"}",
         "c076323031332d30332d32315432303a30343a30302e355a"},
        {"c0 7819 323031332d30332d32315432303a30343a30302d30303a3030", "{\"$time\":\"2013-03-21T20:04:00Z\"}",
         "c074323031332d30332d32315432303a30343a30305a"},
        {"c11a514b67b0", "{\"$time\":\"2013-03-21T20:04:00Z\"}", NULL},
        {"c1c24101", "{\"$time\":\"1970-01-01T00:00:01Z\"}", "c101"},
        {"c120", "{\"$time\":\"1969-12-31T23:59:59Z\"}", NULL},
        {"c1fb41d452d9ec200000", "{\"$time\":\"2013-03-21T20:04:00.5Z\"}", NULL},
        {"c1fbbe112e0be826d695", "{\"$time\":\"1969-12-31T23:59:59.999999999Z\"}", NULL},
        {"c1fbbf112e1d1632bebc", "{\"$time\":\"1969-12-31T23:59:59.999934463Z\"}", NULL},
        {"c1f93e00", "{\"$time\":\"1970-01-01T00:00:01.5Z\"}", "c1fb3ff8000000000000"},
        {"c1f97e00", "{\"$tag\":[1,{\"$f32\":\"NaN\"}]}", NULL},
        {"c1f97c00", "{\"$tag\":[1,{\"$f32\":\"Infinity\"}]}", NULL},
        {"c11bffffffffffffffff", "{\"$tag\":[1,18446744073709551615]}", NULL},
        {"c11b00000002540be400", "{\"$tag\":[1,10000000000]}", NULL},
        {"d903e9a1011a6553f100", "{\"$time\":\"2023-11-14T22:13:20Z\"}", "d903e9a2011a6553f1002800"},
        {"d903e9a2011a6553f100281a3b9ac9ff", "{\"$time\":\"2023-11-14T22:13:20.999999999Z\"}", NULL},
        {"d903e9a2011a6553f1002219 03e7", "{\"$date\":{\"$numberLong\":\"1700000000999\"}}", NULL},
        {"d903e9a2011a6553f100281a3b9aca00", "{\"$tag\":[1001,{\"$map\":[[1,1700000000],[-9,1000000000]]}]}", NULL},
        {"d903e9a2010028 20", "{\"$tag\":[1001,{\"$map\":[[1,0],[-9,-1]]}]}", NULL},
        {"d903e9a2010001 00", "{\"$tag\":[1001,{\"$map\":[[1,0],[1,0]]}]}", NULL},
        {"d903e9a12800", "{\"$tag\":[1001,{\"$map\":[[-9,0]]}]}", NULL},
        {"d903e9a201002500", "{\"$tag\":[1001,{\"$map\":[[1,0],[-6,0]]}]}", NULL},
        {"d903e9a3010028000300", "{\"$tag\":[1001,{\"$map\":[[1,0],[-9,0],[3,0]]}]}", NULL},
        {"d903e900", "{\"$tag\":[1001,0]}", NULL},
    };
    check_items(*state, items, COUNT(items));
}

static void test_ndarrays(void **state) {
    static const struct item items[] = {
        {"d84043010203", "{\"$array\":{\"dtype\":\"u8\",\"dims\":[3],\"order\":\"row\",\"base64\":\"AQID\"}}", NULL},
        {"d84143010203", "{\"$tag\":[65,{\"$binary\":{\"base64\":\"AQID\",\"subType\":\"00\"}}]}", NULL},
        {"d84443010203", "{\"$tag\":[68,{\"$binary\":{\"base64\":\"AQID\",\"subType\":\"00\"}}]}", NULL},
        {"d84c43010203", "{\"$tag\":[76,{\"$binary\":{\"base64\":\"AQID\",\"subType\":\"00\"}}]}", NULL},
        {"d8504200 3c", "{\"$tag\":[80,{\"$binary\":{\"base64\":\"ADw=\",\"subType\":\"00\"}}]}", NULL},
        {"d8414400010002", "{\"$array\":{\"dtype\":\"u16be\",\"dims\":[2],\"order\":\"row\",\"base64\":\"AAEAAg==\"}}",
         NULL},
        {"d84d4401000200", "{\"$array\":{\"dtype\":\"i16le\",\"dims\":[2],\"order\":\"row\",\"base64\":\"AQACAA==\"}}",
         NULL},
        {"d84640", "{\"$array\":{\"dtype\":\"u32le\",\"dims\":[0],\"order\":\"row\",\"base64\":\"\"}}", NULL},
        {"d82882820102d840420102",
         "{\"$array\":{\"dtype\":\"u8\",\"dims\":[1,2],\"order\":\"row\",\"base64\":\"AQI=\"}}", NULL},
        {"d9041082820102d840420102",
         "{\"$array\":{\"dtype\":\"u8\",\"dims\":[1,2],\"order\":\"column\",\"base64\":\"AQI=\"}}", NULL},
        {"d8288280d8404107", "{\"$array\":{\"dtype\":\"u8\",\"dims\":[],\"order\":\"row\",\"base64\":\"Bw==\"}}", NULL},
        {"d828828100d84040", "{\"$array\":{\"dtype\":\"u8\",\"dims\":[0],\"order\":\"row\",\"base64\":\"\"}}",
         "d84040"},
        {"d82882820102d84043010203",
         "{\"$tag\":[40,[[1,2],{\"$array\":{\"dtype\":\"u8\",\"dims\":[3],\"order\":\"row\",\"base64\":\"AQID\"}}]]}",
         NULL},
        {"d82882820102820304", "{\"$tag\":[40,[[1,2],[3,4]]]}", NULL},
        {"d828828120d84040",
         "{\"$tag\":[40,[[-1],{\"$array\":{\"dtype\":\"u8\",\"dims\":[0],\"order\":\"row\",\"base64\":\"\"}}]]}", NULL},
        {"d82882820020d84040",
         "{\"$tag\":[40,[[0,-1],{\"$array\":{\"dtype\":\"u8\",\"dims\":[0],\"order\":\"row\",\"base64\":\"\"}}]]}",
         NULL},
        {"d8288281f5d8404107",
         "{\"$tag\":[40,[[true],{\"$array\":{\"dtype\":\"u8\",\"dims\":[1],\"order\":\"row\",\"base64\":\"Bw==\"}}]]}",
         NULL},
        {"d82880", "{\"$tag\":[40,[]]}", NULL},
        {"d8289f9f0102ffd8405f41014102ffff",
         "{\"$array\":{\"dtype\":\"u8\",\"dims\":[1,2],\"order\":\"row\",\"base64\":\"AQI=\"}}",
         "d82882820102d840420102"},
        {"d8298201 02", "{\"$tag\":[41,[1,2]]}", NULL},
    };
    check_items(*state, items, COUNT(items));
}

/* Every tag of RFC 8746 with the number of its bits, and back. */
static void test_tags_of_elements(void **state) {
    (void)state;
    int found = 0;
    for (uint64_t tag = 0; tag < 200; tag++) {
        int is_big_endian = 0;
        uint32_t element = weir_cbor_element_of_tag(tag, &is_big_endian);
        if (element == 0)
            continue;
        found++;
        assert_true(tag >= 64 && tag <= 87);
        assert_int_equal(weir_element_size(element), (size_t)1 << (tag & 3) << (tag >= 80));
        assert_int_equal(weir_element_name(element)[0], tag >= 80 ? 'f' : tag & 8 ? 'i' : 'u');
        if (weir_element_size(element) > 1)
            assert_int_equal(is_big_endian, !(tag & 4));
        assert_int_equal(weir_cbor_tag_of_element(element, is_big_endian), tag);
    }
    assert_int_equal(found, 2 * 10 - 2); /* single bytes have no order */
}

static void test_other_tags(void **state) {
    static const struct item items[] = {
        {"d9d9f700", "0", "00"},
        {"d9d9f7d9d9f700", "0", "00"},
        {"81d9d9f700", "[{\"$tag\":[55799,0]}]", NULL},
        {"d82076687474703a2f2f7777772e6578616d706c652e636f6d", "{\"$tag\":[32,\"http://www.example.com\"]}", NULL},
        {"d818456449455446", "{\"$tag\":[24,{\"$binary\":{\"base64\":\"ZElFVEY=\",\"subType\":\"00\"}}]}", NULL},
        {"d74401020304", "{\"$tag\":[23,{\"$binary\":{\"base64\":\"AQIDBA==\",\"subType\":\"00\"}}]}", NULL},
        {"dbffffffffffffffff00", "{\"$tag\":[18446744073709551615,0]}", NULL},
        {"c1c1c100", "{\"$tag\":[1,{\"$tag\":[1,{\"$time\":\"1970-01-01T00:00:00Z\"}]}]}", NULL},
        {"db7765697200000007 4c000102030405060708090a0b", "{\"$oid\":\"000102030405060708090a0b\"}", NULL},
        {"db7765697200000501 4101", "{\"$binary\":{\"base64\":\"AQ==\",\"subType\":\"01\"}}", NULL},
        {"db77656972000000ff f6", "{\"$minKey\":1}", NULL},
        {"db77656972000000ff 00", "{\"$bson\":[255,0]}", NULL},
        {"db77656972000000110e", "{\"$timestamp\":{\"t\":0,\"i\":14}}", NULL},
        {"db776569720000000d6166", "{\"$code\":\"f\"}", NULL},
        {"db7765697200000100 f6", "{\"$tag\":[8603398601508389120,null]}", NULL},
        {"db77656972000004ff f6", "{\"$tag\":[8603398601508390143,null]}", NULL},
        {"db7765697200000600 f6", "{\"$tag\":[8603398601508390400,null]}", NULL},
    };
    check_items(*state, items, COUNT(items));
}

/* An integer longer than this library takes stays what it is: a tag around bytes. */
static void test_the_longest_integer(void **state) {
    struct fixture *fixture = *state;
    static unsigned char bytes[WEIR_MAGNITUDE_MAX + 8];
    for (unsigned tag = 0xc2; tag <= 0xc3; tag++)
        for (size_t size = WEIR_MAGNITUDE_MAX - 1; size <= WEIR_MAGNITUDE_MAX + 1; size++)
            for (int is_full = 0; is_full <= 1; is_full++) {
                bytes[0] = (unsigned char)tag;
                bytes[1] = 0x59;
                weir_cbor_store16(bytes + 2, size);
                memset(bytes + 4, is_full ? 0xff : 0x01, size);
                assert_int_equal(decode_with(fixture, bytes, size + 4, NULL, NULL), WEIR_OK);
                int fits = size < WEIR_MAGNITUDE_MAX || (size == WEIR_MAGNITUDE_MAX && !is_full);
                assert_int_equal(weir_doc_root(fixture->doc)->kind, fits ? WEIR_KIND_BIGINT : WEIR_KIND_TAGGED);
                encode(fixture, WEIR_CODEC_CBOR, 0, fixture->out);
                assert_int_equal(weir_buffer_view(fixture->out).size, size + 4);
                assert_memory_equal(weir_buffer_view(fixture->out).data, bytes, size + 4);
            }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_items),
        TEST(test_every_half),
        TEST(test_singles_beside_halves),
        TEST(test_every_short_input),
        TEST(test_structures),
        TEST(test_declared_sizes_reserve_nothing),
        TEST(test_shortest_heads),
        TEST(test_canonical),
        TEST(test_canonical_sorts_large_maps),
        TEST(test_indefinite_lengths),
        TEST(test_numbers_in_tags),
        TEST(test_times),
        TEST(test_ndarrays),
        TEST(test_tags_of_elements),
        TEST(test_other_tags),
        TEST(test_the_longest_integer),
    };
    enum { TESTS_MAX = 100 };
    struct CMUnitTest all[TESTS_MAX];
    size_t count = COUNT(tests);
    assert_true(count + rules_test_count + corpora_test_count <= TESTS_MAX);
    memcpy(all, tests, sizeof(tests));
    memcpy(all + count, rules_tests, rules_test_count * sizeof(*all));
    count += rules_test_count;
    memcpy(all + count, corpora_tests, corpora_test_count * sizeof(*all));
    count += corpora_test_count;
    return _cmocka_run_group_tests("cbor", all, count, NULL, NULL);
}
