/* What every kind becomes in Smile and back: native tokens, wrappers, the plain and the canonical form, what
 * WEIR_STRICT refuses; and documents on their way through several codecs. Bytes are compared where they are
 * promised. */
#include <math.h>
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
    weir_doc *doc;  /* what is built or read first */
    weir_doc *back; /* what came back */
    weir_buffer *out;
    weir_buffer *more;
    weir_error err;
};

static int setup(void **state) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    *state = fixture;
    return !fixture || weir_doc_new(&fixture->doc) != WEIR_OK || weir_doc_new(&fixture->back) != WEIR_OK ||
           weir_buffer_new(&fixture->out) != WEIR_OK || weir_buffer_new(&fixture->more) != WEIR_OK;
}

static int teardown(void **state) {
    struct fixture *fixture = *state;
    weir_doc_free(fixture->doc);
    weir_doc_free(fixture->back);
    weir_buffer_free(fixture->out);
    weir_buffer_free(fixture->more);
    free(fixture);
    return 0;
}

static weir_codec_options options_of(uint32_t flags) {
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    options.flags = flags;
    return options;
}

static void encode(struct fixture *fixture, const weir_value *value, int codec, uint32_t flags, weir_buffer *out) {
    weir_codec_options options = options_of(flags);
    weir_buffer_clear(out);
    if (weir_encode(value, codec, &options, out, &fixture->err) != WEIR_OK)
        fail_msg("%s", fixture->err.text);
}

/* Decode what lies in @out into @doc. Not from the buffer, so that it may be written to again; it is the caller's to
 * free. */
static void *decode(struct fixture *fixture, weir_doc *doc, int codec, const weir_buffer *out) {
    weir_view view = weir_buffer_view(out);
    void *copy = malloc(view.size > 0 ? view.size : 1);
    assert_non_null(copy);
    memcpy(copy, view.data, view.size);
    if (weir_decode(doc, codec, copy, view.size, NULL, NULL, &fixture->err) != WEIR_OK)
        fail_msg("%s", fixture->err.text);
    return copy;
}

/* Encode and decode a value: it must come back as it was, in the given form, and say so in the same bytes. */
static void check_round_trip(struct fixture *fixture, const weir_value *value, uint32_t flags) {
    encode(fixture, value, WEIR_CODEC_SMILE, flags, fixture->out);
    void *input = decode(fixture, fixture->back, WEIR_CODEC_SMILE, fixture->out);
    if (!(flags & WEIR_CANONICAL))
        assert_true(weir_value_equal(value, weir_doc_root(fixture->back)));
    encode(fixture, weir_doc_root(fixture->back), WEIR_CODEC_SMILE, flags, fixture->more);
    weir_view first = weir_buffer_view(fixture->out), second = weir_buffer_view(fixture->more);
    assert_int_equal(first.size, second.size);
    assert_memory_equal(first.data, second.data, first.size);
    free(input);
}

/* Through JSON, Smile, CBOR, Smile, and back to JSON: the same text. */
static void check_way(struct fixture *fixture, const weir_value *value) {
    static const int way[] = {WEIR_CODEC_JSON, WEIR_CODEC_SMILE, WEIR_CODEC_CBOR, WEIR_CODEC_SMILE, WEIR_CODEC_JSON};
    encode(fixture, value, WEIR_CODEC_JSON, 0, fixture->more);
    encode(fixture, value, way[0], 0, fixture->out);
    for (size_t i = 1; i < COUNT(way); i++) {
        void *input = decode(fixture, fixture->back, way[i - 1], fixture->out);
        assert_true(weir_value_equal(value, weir_doc_root(fixture->back)));
        encode(fixture, weir_doc_root(fixture->back), way[i], 0, fixture->out);
        free(input);
    }
    weir_view first = weir_buffer_view(fixture->more), last = weir_buffer_view(fixture->out);
    assert_int_equal(first.size, last.size);
    assert_memory_equal(first.data, last.data, first.size);
}

static void check_document(struct fixture *fixture) {
    const weir_value *value;
    if (weir_doc_finish(fixture->doc, &value, &fixture->err) != WEIR_OK)
        fail_msg("%s", fixture->err.text);
    check_round_trip(fixture, value, 0);
    check_round_trip(fixture, value, WEIR_CANONICAL);
    check_way(fixture, value);
    weir_doc_clear(fixture->doc);
}

/* ---- numbers ---- */

static void test_integers(void **state) {
    struct fixture *fixture = *state;
    char digits[WEIR_DIGITS_MAX + 2];
    weir_begin_array(fixture->doc);
    for (int bit = 0; bit < 64; bit++)
        for (int offset = -1; offset <= 1; offset++) {
            weir_put_u64(fixture->doc, (UINT64_C(1) << bit) + (uint64_t)(int64_t)offset);
            weir_put_i64(fixture->doc, (int64_t)(0 - (UINT64_C(1) << bit) + (uint64_t)(int64_t)offset));
        }
    weir_end(fixture->doc);
    check_document(fixture);
    static const int lengths[] = {20, 21, 38, 39, 40, 77, 200, 1000, WEIR_DIGITS_MAX};
    for (size_t i = 0; i < COUNT(lengths); i++)
        for (int is_negative = 0; is_negative < 2; is_negative++)
            for (char first = '1'; first <= '9'; first++) {
                memset(digits, first == '1' ? '0' : '9', sizeof(digits));
                digits[0] = '-';
                digits[is_negative] = first;
                weir_put_bigint(fixture->doc, digits, (size_t)(lengths[i] + is_negative));
                check_document(fixture);
            }
}

static double float_of(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static void test_floats(void **state) {
    struct fixture *fixture = *state;
    static const uint64_t special[] = {0,
                                       UINT64_C(1) << 63,
                                       1,
                                       UINT64_C(0x7ff0000000000000),
                                       UINT64_C(0xfff0000000000000),
                                       UINT64_C(0x7ff8000000000000),
                                       UINT64_C(0xfff8000000000001),
                                       UINT64_C(0x7fefffffffffffff),
                                       UINT64_C(0x3ff0000000000000)};
    weir_begin_array(fixture->doc);
    for (size_t i = 0; i < COUNT(special); i++)
        weir_put_f64(fixture->doc, float_of(special[i]));
    for (int bit = 0; bit < 64; bit++)
        weir_put_f64(fixture->doc, float_of((UINT64_C(1) << bit) ^ UINT64_C(0x4015555555555555)));
    weir_end(fixture->doc);
    check_document(fixture);
    static const float singles[] = {0, -0.0f, 1, -1, 0.1f, 3.4e38f, -1e-45f, INFINITY, -INFINITY};
    weir_begin_array(fixture->doc);
    for (size_t i = 0; i < COUNT(singles); i++)
        weir_put_f32(fixture->doc, singles[i]);
    weir_end(fixture->doc);
    check_document(fixture);
}

static void test_decimals(void **state) {
    struct fixture *fixture = *state;
    static const int32_t exponents[] = {
        0, -1, 1, -2, 2, -6176, 6111, INT32_MAX, INT32_MIN, -1000000, INT32_MIN + 1, 2000000000};
    static const char *const digits[] = {"0",   "1",   "-1",   "127",  "128",
                                         "255", "256", "-128", "-129", "123456789012345678901234567890"};
    for (size_t i = 0; i < COUNT(exponents); i++)
        for (size_t j = 0; j < COUNT(digits); j++) {
            int64_t adjusted = exponents[i] + (int64_t)strlen(digits[j]);
            if (adjusted > INT32_MAX) /* JSON writes such an exponent from the first digit on */
                continue;
            weir_put_decimal(fixture->doc, digits[j], strlen(digits[j]), exponents[i]);
            check_document(fixture);
        }
}

/* ---- texts and bytes ---- */

static void test_texts(void **state) {
    static const char *const characters[] = {"a", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    struct fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(characters); i++) {
        char text[600] = "";
        size_t width = strlen(characters[i]);
        for (size_t size = 0; size < 300 / width; size++) {
            weir_begin_array(fixture->doc);
            for (int j = 0; j < 2; j++) {
                weir_begin_map(fixture->doc);
                weir_put_key(fixture->doc, text);
                weir_put_text(fixture->doc, text, strlen(text));
                weir_end(fixture->doc);
            }
            weir_end(fixture->doc);
            check_document(fixture);
            strcat(text, characters[i]);
        }
    }
    weir_put_text(fixture->doc, "a\0b", 3);
    check_document(fixture);
    char *longer = calloc(1, 100000);
    memset(longer, 'x', 100000);
    for (size_t size = 2660; size < 2680; size++) {
        weir_put_text(fixture->doc, longer, size);
        check_document(fixture);
    }
    weir_put_text(fixture->doc, longer, 100000);
    check_document(fixture);
    free(longer);
}

static void test_bytes(void **state) {
    struct fixture *fixture = *state;
    unsigned char bytes[300];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i * 151 + 200);
    for (size_t size = 0; size <= sizeof(bytes); size++) {
        weir_put_bytes(fixture->doc, bytes, size);
        check_document(fixture);
    }
}

/* ---- kinds without a token ---- */

static void put_times(struct fixture *fixture) {
    weir_put_time(fixture->doc, 0);
    weir_put_time(fixture->doc, INT64_MIN);
    weir_put_time(fixture->doc, INT64_MAX);
    weir_put_time(fixture->doc, -1);
    weir_put_time(fixture->doc, 1700000000123456789);
}

static void put_arrays(struct fixture *fixture) {
    static const double numbers[] = {1, -2.5, 3e300, 0, -0.0, 6};
    for (uint32_t element = WEIR_U8; element <= WEIR_F64; element++)
        for (uint32_t rank = 0; rank <= WEIR_RANK_MAX; rank++)
            for (uint32_t form = 0; form < 4; form++) {
                weir_ndarray array = {.element = element, .rank = rank, .order = form & 1, .big_endian = form >> 1};
                uint64_t count = 1;
                for (uint32_t i = 0; i < rank; i++)
                    count *= array.shape[i] = i == 1 ? 3 : i == 3 ? 2 : 1;
                array.data = numbers;
                array.size = count * weir_element_size(element);
                weir_put_ndarray(fixture->doc, &array);
            }
    weir_ndarray empty = {.element = WEIR_F32, .rank = 2, .shape = {0, UINT64_MAX}};
    weir_put_ndarray(fixture->doc, &empty);
}

static void put_tags(struct fixture *fixture) {
    static const uint64_t numbers[] = {6, 32, 55799, UINT64_C(1) << 40, UINT64_MAX};
    for (size_t i = 0; i < COUNT(numbers); i++) {
        weir_put_tag(fixture->doc, WEIR_TAG_CBOR, numbers[i]);
        weir_put_text(fixture->doc, "content", 7);
    }
    weir_put_tag(fixture->doc, WEIR_TAG_CBOR, 258);
    weir_put_tag(fixture->doc, WEIR_TAG_CBOR, 257);
    weir_begin_array(fixture->doc);
    weir_put_time(fixture->doc, 5);
    weir_end(fixture->doc);
    weir_put_tag(fixture->doc, WEIR_TAG_SIMPLE, 99);
    weir_put_null(fixture->doc);
    weir_put_tag(fixture->doc, WEIR_TAG_BSON, WEIR_BSON_OBJECT_ID);
    weir_put_bytes(fixture->doc, "twelve bytes", 12);
    weir_put_tag(fixture->doc, WEIR_TAG_BSON, WEIR_BSON_OBJECT_ID);
    weir_put_bytes(fixture->doc, "not twelve", 10);
    weir_put_tag(fixture->doc, WEIR_TAG_BSON, WEIR_BSON_BINARY + 0x80);
    weir_put_bytes(fixture->doc, "\xff", 1);
    weir_put_tag(fixture->doc, WEIR_TAG_BSON, 0x11);
    weir_put_u64(fixture->doc, UINT64_MAX);
}

static void put_maps(struct fixture *fixture) {
    static const char *const names[] = {"$", "$time", "$tag", "$undefined", "$map", "$obj", "$array", "$of the user"};
    for (size_t i = 0; i < COUNT(names); i++) {
        weir_begin_map(fixture->doc);
        weir_put_key(fixture->doc, names[i]);
        weir_put_bool(fixture->doc, 1);
        weir_end(fixture->doc);
    }
    weir_begin_map(fixture->doc); /* keys of many kinds, one of them late */
    weir_put_key(fixture->doc, "first");
    weir_put_i64(fixture->doc, 1);
    weir_put_i64(fixture->doc, 2);
    weir_put_text(fixture->doc, "first", 5);
    weir_put_undefined(fixture->doc);
    weir_begin_map(fixture->doc);
    weir_put_null(fixture->doc);
    weir_put_time(fixture->doc, 3);
    weir_end(fixture->doc);
    weir_begin_array(fixture->doc);
    weir_end(fixture->doc);
    weir_put_text(fixture->doc, "first", 5);
    weir_end(fixture->doc);
}

static void test_foreign_kinds(void **state) {
    static void (*const puts[])(struct fixture *) = {put_times, put_arrays, put_tags, put_maps};
    struct fixture *fixture = *state;
    weir_put_undefined(fixture->doc);
    check_document(fixture);
    for (size_t i = 0; i < COUNT(puts); i++) {
        weir_begin_array(fixture->doc);
        puts[i](fixture);
        weir_end(fixture->doc);
        check_document(fixture);
    }
}

/* The shape of wrappers, as JSON shows them when they are not recognised. */
static void test_wrappers(void **state) {
    static const char *const cases[][2] = {
        {"{\"$undefined\":true}", "{\"$undefined\":true}"},
        {"{\"$date\":{\"$numberLong\":\"5\"}}", "{\"$date\":5}"},
        {"{\"$time\":\"1970-01-01T00:00:00Z\"}", "{\"$time\":\"1970-01-01T00:00:00Z\"}"},
        {"{\"$array\":{\"dtype\":\"u8\",\"dims\":[2],\"order\":\"row\",\"base64\":\"AQI=\"}}",
         "{\"$array\":{\"dtype\":\"u8\",\"dims\":[2],\"order\":\"row\",\"data\":\"AQI=\"}}"},
        {"{\"$tag\":[9,{\"$tag\":[8,[]]}]}", "{\"$tag\":[9,{\"$tag\":[8,[]]}]}"},
        {"{\"$binary\":{\"base64\":\"AQI=\",\"subType\":\"05\"}}",
         "{\"$binary\":{\"data\":\"AQI=\",\"subType\":\"05\"}}"},
        {"{\"$oid\":\"0123456789abcdef01234567\"}", "{\"$oid\":\"0123456789abcdef01234567\"}"},
        {"{\"$obj\":[[\"$x\",1]]}", "{\"$obj\":[[\"$x\",1]]}"},
        {"{\"$map\":[[1,2],[\"a\",{}]]}", "{\"$map\":[[1,2],[\"a\",{}]]}"}};
    struct fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        weir_codec_options plain = options_of(WEIR_PLAIN);
        assert_int_equal(weir_decode(fixture->doc, WEIR_CODEC_JSON, cases[i][0], strlen(cases[i][0]), NULL, NULL, NULL),
                         WEIR_OK);
        encode(fixture, weir_doc_root(fixture->doc), WEIR_CODEC_SMILE, 0, fixture->out);
        weir_view view = weir_buffer_view(fixture->out);
        assert_int_equal(weir_decode(fixture->back, WEIR_CODEC_SMILE, view.data, view.size, &plain, NULL, NULL),
                         WEIR_OK);
        encode(fixture, weir_doc_root(fixture->back), WEIR_CODEC_JSON, WEIR_PLAIN, fixture->more);
        assert_int_equal(weir_buffer_append(fixture->more, "", 1), WEIR_OK);
        assert_string_equal(weir_buffer_view(fixture->more).data, cases[i][1]);
    }
}

/* ---- flags ---- */

/* Each document in JSON, and in JSON what comes back from its plain form. */
static void test_plain(void **state) {
    static const char *const cases[][2] = {
        {"{\"$undefined\":true}", "null"},
        {"{\"$time\":\"1970-01-01T00:00:00.5Z\"}", "\"1970-01-01T00:00:00.5Z\""},
        {"{\"$tag\":[9,{\"$tag\":[8,[1]]}]}", "[1]"},
        {"{\"$array\":{\"dtype\":\"u8\",\"dims\":[2,2],\"order\":\"column\",\"base64\":\"AQIDBA==\"}}",
         "[[1,3],[2,4]]"},
        {"{\"$array\":{\"dtype\":\"f64le\",\"dims\":[],\"base64\":\"AAAAAAAA8D8=\"}}", "1.0"},
        {"{\"$array\":{\"dtype\":\"f32le\",\"dims\":[1],\"base64\":\"AACAPw==\"}}", "[{\"$f32\":\"1.0\"}]"},
        {"{\"$array\":{\"dtype\":\"u64be\",\"dims\":[1],\"base64\":\"//////////8=\"}}", "[18446744073709551615]"},
        {"{\"$array\":{\"dtype\":\"f64le\",\"dims\":[3,0],\"base64\":\"\"}}", "[]"},
        {"{\"$obj\":[[\"$x\",1]]}", "{\"$obj\":[[\"$x\",1]]}"},
        {"{\"$map\":[[1,2],[[\"a\"],3],[{\"$time\":\"1970-01-01T00:00:00Z\"},4],[{\"$tag\":[1,\"q\\\"\"]},5]]}",
         "{\"1\":2,\"[\\\"a\\\"]\":3,\"1970-01-01T00:00:00Z\":4,\"q\\\"\":5}"},
        {"{\"$numberDecimal\":\"1.5E-2147483647\"}", "{\"$numberDecimal\":\"1.5E-2147483647\"}"},
        {"{\"$binary\":{\"base64\":\"AQI=\",\"subType\":\"05\"}}",
         "{\"$binary\":{\"base64\":\"AQI=\",\"subType\":\"00\"}}"}};
    struct fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (weir_decode(fixture->doc, WEIR_CODEC_JSON, cases[i][0], strlen(cases[i][0]), NULL, NULL, &fixture->err))
            fail_msg("%s: %s", cases[i][0], fixture->err.text);
        encode(fixture, weir_doc_root(fixture->doc), WEIR_CODEC_SMILE, WEIR_PLAIN, fixture->out);
        void *input = decode(fixture, fixture->back, WEIR_CODEC_SMILE, fixture->out);
        encode(fixture, weir_doc_root(fixture->back), WEIR_CODEC_JSON, 0, fixture->more);
        free(input);
        assert_int_equal(weir_buffer_append(fixture->more, "", 1), WEIR_OK);
        assert_string_equal(weir_buffer_view(fixture->more).data, cases[i][1]);
    }
}

static void test_strict(void **state) {
    static const char *const refused[] = {
        "{\"$undefined\":true}", "{\"$time\":\"1970-01-01T00:00:00Z\"}", "[[{\"$tag\":[9,1]}]]",
        "{\"$array\":{\"dtype\":\"u8\",\"dims\":[0],\"base64\":\"\"}}", "{\"$map\":[[\"a\",0],[1,2]]}"};
    static const char *const taken[] = {"{\"$numberDecimal\":\"1.5\"}", "{\"$f32\":\"1.5\"}", "[18446744073709551616]",
                                        "{\"$numberDouble\":\"NaN\"}",
                                        "{\"$binary\":{\"base64\":\"AQI=\",\"subType\":\"00\"}}"};
    struct fixture *fixture = *state;
    weir_codec_options options = options_of(WEIR_STRICT);
    for (size_t i = 0; i < COUNT(refused) + COUNT(taken); i++) {
        int is_refused = i < COUNT(refused);
        const char *text = is_refused ? refused[i] : taken[i - COUNT(refused)];
        assert_int_equal(weir_decode(fixture->doc, WEIR_CODEC_JSON, text, strlen(text), NULL, NULL, NULL), WEIR_OK);
        weir_buffer_clear(fixture->out);
        assert_int_equal(
            weir_encode(weir_doc_root(fixture->doc), WEIR_CODEC_SMILE, &options, fixture->out, &fixture->err),
            is_refused ? WEIR_EENCODE : WEIR_OK);
        assert_int_equal(weir_buffer_view(fixture->out).size == 0, is_refused);
    }
}

/* Equal values, and maps that differ in nothing but the order of their pairs, have the same bytes. */
static void test_canonical(void **state) {
    static const char *const cases[][2] = {
        {"{\"b\":1,\"a\":2,\"\":3}", "{\"\":3,\"a\":2,\"b\":1}"},
        {"[{\"b\":{\"d\":1,\"c\":2},\"a\":2}]", "[{\"a\":2,\"b\":{\"c\":2,\"d\":1}}]"},
        {"{\"$map\":[[2,1],[\"x\",2],[1,3]]}", "{\"$map\":[[1,3],[2,1],[\"x\",2]]}"},
        {"{\"$date\":{\"$numberLong\":\"5\"}}", "{\"$time\":\"1970-01-01T00:00:00.005Z\"}"},
        {"{\"b\":1,\"a\":2,\"b\":3}", "{\"a\":2,\"b\":1,\"b\":3}"}};
    struct fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (int j = 0; j < 2; j++) {
            assert_int_equal(
                weir_decode(fixture->doc, WEIR_CODEC_JSON, cases[i][j], strlen(cases[i][j]), NULL, NULL, NULL),
                WEIR_OK);
            encode(fixture, weir_doc_root(fixture->doc), WEIR_CODEC_SMILE, WEIR_CANONICAL,
                   j == 0 ? fixture->out : fixture->more);
        }
        weir_view first = weir_buffer_view(fixture->out), second = weir_buffer_view(fixture->more);
        assert_int_equal(first.size, second.size);
        assert_memory_equal(first.data, second.data, first.size);
    }
    static const unsigned char expected[] = {':', ')',  '\n', 0,    0xfa, 0x80, 'a', 0xfa, 0x80,
                                             'a', 0xc2, 0xfb, 0x80, 'b',  0x40, 'c', 0xfb};
    assert_int_equal(weir_decode(fixture->doc, WEIR_CODEC_JSON, "{\"b\":\"c\",\"a\":{\"a\":1}}", 21, NULL, NULL, NULL),
                     WEIR_OK);
    encode(fixture, weir_doc_root(fixture->doc), WEIR_CODEC_SMILE, WEIR_CANONICAL, fixture->out);
    assert_int_equal(weir_buffer_view(fixture->out).size, sizeof(expected));
    assert_memory_equal(weir_buffer_view(fixture->out).data, expected, sizeof(expected));
}

/* ---- names ---- */

/* So many names that tables are emptied; long ones, some again, and keys that are no texts among them. */
static void test_many_names(void **state) {
    struct fixture *fixture = *state;
    char name[120];
    for (int form = 0; form < 2; form++) {
        weir_begin_array(fixture->doc);
        for (int i = 0; i < 3000; i++) {
            weir_begin_map(fixture->doc);
            sprintf(name, i % 17 == 0 ? "%0100d" : "name %d", i);
            weir_put_key(fixture->doc, name);
            weir_put_i64(fixture->doc, i);
            sprintf(name, "name %d", i * 31 % (i + 1));
            weir_put_key(fixture->doc, name);
            weir_put_null(fixture->doc);
            if (form == 1 && i % 100 == 99) {
                weir_put_i64(fixture->doc, i);
                weir_put_undefined(fixture->doc);
            }
            weir_end(fixture->doc);
        }
        weir_end(fixture->doc);
        const weir_value *value;
        assert_int_equal(weir_doc_finish(fixture->doc, &value, &fixture->err), WEIR_OK);
        check_round_trip(fixture, value, 0);
        check_way(fixture, value);
        encode(fixture, value, WEIR_CODEC_SMILE, WEIR_PLAIN, fixture->out);
        encode(fixture, value, WEIR_CODEC_JSON, WEIR_PLAIN, fixture->more);
        weir_doc_clear(fixture->doc);
        void *input = decode(fixture, fixture->doc, WEIR_CODEC_SMILE, fixture->out);
        void *other = decode(fixture, fixture->back, WEIR_CODEC_JSON, fixture->more);
        assert_true(weir_value_equal(weir_doc_root(fixture->doc), weir_doc_root(fixture->back)));
        weir_doc_clear(fixture->doc);
        free(input);
        free(other);
    }
}

/* ---- limits ---- */

/* Containers, tags and pairs inside each other as deep as allowed, with a wrapper at the bottom. */
static void test_depth(void **state) {
    struct fixture *fixture = *state;
    for (int form = 0; form < 4; form++) {
        for (int i = 0; i < WEIR_DEPTH_MAX; i++) {
            if (form == 0)
                weir_begin_array(fixture->doc);
            else if (form == 1)
                weir_put_tag(fixture->doc, WEIR_TAG_CBOR, 6);
            else
                weir_begin_map(fixture->doc);
            if (form == 2)
                weir_put_key(fixture->doc, "$x");
            if (form == 3)
                weir_put_i64(fixture->doc, 1);
        }
        weir_ndarray array = {.element = WEIR_U8, .rank = 2, .shape = {1, 1}, .data = "x", .size = 1};
        weir_put_ndarray(fixture->doc, &array);
        for (int i = 0; i < WEIR_DEPTH_MAX && form != 1; i++)
            weir_end(fixture->doc);
        const weir_value *value;
        assert_int_equal(weir_doc_finish(fixture->doc, &value, &fixture->err), WEIR_OK);
        check_round_trip(fixture, value, 0);
        check_round_trip(fixture, value, WEIR_CANONICAL);
        weir_codec_options options = options_of(0);
        options.depth_max = WEIR_DEPTH_MAX - 1;
        assert_int_equal(weir_encode(value, WEIR_CODEC_SMILE, &options, fixture->out, &fixture->err), WEIR_ELIMIT);
        weir_view view = weir_buffer_view(fixture->out);
        assert_int_equal(
            weir_decode(fixture->back, WEIR_CODEC_SMILE, view.data, view.size, &options, NULL, &fixture->err),
            WEIR_ELIMIT);
        weir_doc_clear(fixture->doc);
    }
}

/* Every beginning of a message is refused, where it ends, and changes nothing for the next. */
static void test_truncated(void **state) {
    struct fixture *fixture = *state;
    weir_begin_array(fixture->doc);
    put_times(fixture);
    put_tags(fixture);
    put_maps(fixture);
    weir_put_decimal(fixture->doc, "-12345678901234567890", 21, -7);
    weir_put_f32(fixture->doc, 1);
    weir_put_text(fixture->doc, "longer than any text that has its length in its token, for which 64 bytes do", 76);
    weir_end(fixture->doc);
    const weir_value *value;
    assert_int_equal(weir_doc_finish(fixture->doc, &value, &fixture->err), WEIR_OK);
    encode(fixture, value, WEIR_CODEC_SMILE, 0, fixture->out);
    weir_view view = weir_buffer_view(fixture->out);
    for (size_t size = 0; size < view.size; size++) {
        char *data = malloc(size > 0 ? size : 1);
        assert_non_null(data);
        memcpy(data, view.data, size);
        assert_int_equal(weir_decode(fixture->back, WEIR_CODEC_SMILE, data, size, NULL, NULL, &fixture->err),
                         WEIR_EPARSE);
        assert_int_equal(fixture->err.offset, size);
        free(data);
    }
    check_round_trip(fixture, value, 0);
}

/* A loop over messages of one kind has all its memory after the first. */
static void test_loop(void **state) {
    struct fixture *fixture = *state;
    weir_begin_array(fixture->doc);
    put_times(fixture);
    put_tags(fixture);
    weir_put_bytes(fixture->doc, "bytes", 5);
    weir_end(fixture->doc);
    const weir_value *value;
    assert_int_equal(weir_doc_finish(fixture->doc, &value, &fixture->err), WEIR_OK);
    const void *cells = NULL, *arena = NULL, *data = NULL;
    for (int i = 0; i < 5; i++) {
        encode(fixture, value, WEIR_CODEC_SMILE, 0, fixture->out);
        weir_view view = weir_buffer_view(fixture->out);
        weir_codec_options options = options_of(i < 4 ? WEIR_SEQUENCE : 0);
        assert_int_equal(
            weir_decode(fixture->back, WEIR_CODEC_SMILE, view.data, view.size, &options, NULL, &fixture->err), WEIR_OK);
        if (i > 1) {
            assert_ptr_equal(fixture->back->cells, cells);
            assert_ptr_equal(fixture->back->arena.block, arena);
            assert_ptr_equal(view.data, data);
        }
        cells = fixture->back->cells;
        arena = fixture->back->arena.block;
        data = view.data;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_integers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_floats, setup, teardown),
        cmocka_unit_test_setup_teardown(test_decimals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_texts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_foreign_kinds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrappers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_plain, setup, teardown),
        cmocka_unit_test_setup_teardown(test_strict, setup, teardown),
        cmocka_unit_test_setup_teardown(test_canonical, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_depth, setup, teardown),
        cmocka_unit_test_setup_teardown(test_truncated, setup, teardown),
        cmocka_unit_test_setup_teardown(test_loop, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
