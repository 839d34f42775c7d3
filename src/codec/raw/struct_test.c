/* Structs between memory and documents: C structs read as maps without copying their arrays, maps written as the bytes
 * the compiler would have written, what does not fit named by its path, and the limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/raw/raw.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct fixture {
    weir_doc *doc, *decoded;
    weir_buffer *out;
    weir_type *type;
    weir_error err;
};

static int setup(void **state) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    *state = fixture;
    return !fixture || weir_doc_new(&fixture->doc) || weir_doc_new(&fixture->decoded) || weir_buffer_new(&fixture->out);
}

static int teardown(void **state) {
    struct fixture *fixture = *state;
    weir_doc_free(fixture->doc);
    weir_doc_free(fixture->decoded);
    weir_buffer_free(fixture->out);
    weir_type_free(fixture->type);
    free(fixture);
    return 0;
}

static void use_type(struct fixture *fixture, const char *text) {
    fixture->type = weir_type_free(fixture->type);
    if (weir_type_new(text, strlen(text), &fixture->type, &fixture->err) != WEIR_OK)
        fail_msg("%s", fixture->err.text);
}

static const weir_value *from_json(struct fixture *fixture, const char *json) {
    if (weir_decode(fixture->doc, WEIR_CODEC_JSON, json, strlen(json), NULL, NULL, &fixture->err) != WEIR_OK)
        fail_msg("%s: %s", json, fixture->err.text);
    return weir_doc_root(fixture->doc);
}

static const weir_value *decode(struct fixture *fixture, const void *data, size_t size) {
    if (weir_type_decode(fixture->decoded, fixture->type, data, size, NULL, &fixture->err) != WEIR_OK)
        fail_msg("%s", fixture->err.text);
    return weir_doc_root(fixture->decoded);
}

static weir_view encode(struct fixture *fixture, const char *json, uint32_t flags) {
    weir_buffer_clear(fixture->out);
    if (weir_type_encode(from_json(fixture, json), fixture->type, flags, fixture->out, &fixture->err) != WEIR_OK)
        fail_msg("%s", fixture->err.text);
    return weir_buffer_view(fixture->out);
}

static void assert_json(struct fixture *fixture, const weir_value *value, const char *expected) {
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    weir_buffer *out;
    options.flags = WEIR_PLAIN;
    assert_int_equal(weir_buffer_new(&out), WEIR_OK);
    assert_int_equal(weir_encode(value, WEIR_CODEC_JSON, &options, out, &fixture->err), WEIR_OK);
    weir_buffer_append(out, "", 1);
    assert_string_equal(weir_buffer_view(out).data, expected);
    weir_buffer_free(out);
}

/* ---- reading ---- */

struct reading {
    int64_t t;
    double accel[3];
    float temp;
};
static const char reading_type[] = "{t: i64, accel: f64[3], temp: f32}";

static void test_a_struct_is_a_map(void **state) {
    struct fixture *fixture = *state;
    _Alignas(64) struct reading reading = {.t = -7, .accel = {0.5, 1.5, -2}, .temp = 2.5f};
    weir_ndarray accel;
    double temp;
    use_type(fixture, reading_type);
    const weir_value *map = decode(fixture, &reading, sizeof(reading));
    assert_json(fixture, map, "{\"t\":-7,\"accel\":[0.5,1.5,-2.0],\"temp\":2.5}");
    assert_int_equal(weir_get_ndarray(map, "accel", &accel), WEIR_OK);
    assert_ptr_equal(accel.data, reading.accel); /* where it lies */
    assert_int_equal(weir_get_f64(map, "temp", &temp), WEIR_OK);
    assert_int_equal(weir_get_f64(map, "accel.2", &temp), WEIR_OK);
    assert_true(temp == -2);
    assert_int_equal(weir_type_encode(map, fixture->type, 0, fixture->out, &fixture->err), WEIR_OK);
    assert_int_equal(weir_buffer_view(fixture->out).size, sizeof(reading));
    assert_memory_equal(weir_buffer_view(fixture->out).data, &reading, offsetof(struct reading, temp) + 4);
}

struct cloud {
    uint16_t n;
    struct {
        float x, y;
    } p[2];
};

static void test_arrays_of_structs_are_arrays_of_maps(void **state) {
    struct fixture *fixture = *state;
    struct cloud clouds[2] = {{1, {{0.5f, 1}, {2, 3}}}, {65535, {{4, 5}, {6, 7}}}};
    use_type(fixture, "{n: u16, p: {x: f32, y: f32}[2]}[2]");
    assert_json(fixture, decode(fixture, clouds, sizeof(clouds)),
                "[{\"n\":1,\"p\":[{\"x\":0.5,\"y\":1.0},{\"x\":2.0,\"y\":3.0}]},"
                "{\"n\":65535,\"p\":[{\"x\":4.0,\"y\":5.0},{\"x\":6.0,\"y\":7.0}]}]");
    use_type(fixture, "{n: u16, p: {x: f32, y: f32}[2]}[0]");
    assert_json(fixture, decode(fixture, NULL, 0), "[]");
}

static void test_shapes_and_orders_of_structs(void **state) {
    struct fixture *fixture = *state;
    static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6};
    use_type(fixture, "{a: u8}[2,3]");
    assert_json(fixture, decode(fixture, bytes, 6),
                "[[{\"a\":1},{\"a\":2},{\"a\":3}],[{\"a\":4},{\"a\":5},{\"a\":6}]]");
    use_type(fixture, "{a: u8}[2,3]:col");
    const weir_value *value = decode(fixture, bytes, 6);
    assert_json(fixture, value, "[[{\"a\":1},{\"a\":3},{\"a\":5}],[{\"a\":2},{\"a\":4},{\"a\":6}]]");
    assert_int_equal(weir_type_encode(value, fixture->type, 0, fixture->out, NULL), WEIR_OK);
    assert_memory_equal(weir_buffer_view(fixture->out).data, bytes, 6);
}

static void test_every_element(void **state) {
    struct fixture *fixture = *state;
    static const char json[] =
        "{\"a\":255,\"b\":65535,\"c\":4294967295,\"d\":18446744073709551615,\"e\":-128,\"f\":-32768,"
        "\"g\":-2147483648,\"h\":-9223372036854775808,\"i\":-1.5,\"j\":1e300,\"k\":{\"l\":[1,2]}}";
    use_type(fixture, "{a: u8, b: u16, c: u32, d: u64, e: i8, f: i16, g: i32, h: i64, i: f32, j: f64, k: {l: i16[2]}}");
    weir_view bytes = encode(fixture, json, 0);
    struct {
        uint8_t a;
        uint16_t b;
        uint32_t c;
        uint64_t d;
        int8_t e;
        int16_t f;
        int32_t g;
        int64_t h;
        float i;
        double j;
        int16_t k[2];
    } seen;
    assert_int_equal(bytes.size, sizeof(seen));
    memcpy(&seen, bytes.data, sizeof(seen));
    assert_true(seen.a == 255 && seen.b == 65535 && seen.c == UINT32_MAX && seen.d == UINT64_MAX && seen.e == -128 &&
                seen.f == INT16_MIN && seen.g == INT32_MIN && seen.h == INT64_MIN && seen.i == -1.5f &&
                seen.j == 1e300 && seen.k[0] == 1 && seen.k[1] == 2);
    assert_json(fixture, decode(fixture, bytes.data, bytes.size), json);
}

/* What has no brace goes the same way: a number, an array. */
static void test_types_without_structs(void **state) {
    struct fixture *fixture = *state;
    use_type(fixture, "f32");
    weir_view bytes = encode(fixture, "2.5", 0);
    assert_json(fixture, decode(fixture, bytes.data, bytes.size), "2.5");
    use_type(fixture, "i16[2,2]:col");
    bytes = encode(fixture, "[[1,2],[3,4]]", 0);
    assert_memory_equal(bytes.data, ((int16_t[]){1, 3, 2, 4}), 8);
    assert_json(fixture, decode(fixture, bytes.data, bytes.size), "[[1,2],[3,4]]");
    bytes = encode(fixture, "[1,2,3,4]", 0); /* flat: as it lies */
    assert_memory_equal(bytes.data, ((int16_t[]){1, 2, 3, 4}), 8);
}

/* ---- writing ---- */

static void test_keys_in_any_order_and_padding(void **state) {
    struct fixture *fixture = *state;
    static const unsigned char expected[] = {1, 0, 2, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0};
    use_type(fixture, "{a: u8, b: u16, c: {x: u8, y: u32, z: u8}}");
    weir_buffer_append(fixture->out, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 16);
    weir_view bytes = encode(fixture, "{\"c\":{\"z\":5,\"x\":3,\"y\":4},\"b\":2,\"a\":1}", 0);
    assert_int_equal(bytes.size, sizeof(expected));
    assert_memory_equal(bytes.data, expected, sizeof(expected));
}

static void test_ndarrays_and_bytes_in_fields(void **state) {
    struct fixture *fixture = *state;
    static const int32_t numbers[] = {1, 2, 3, 4, 5, 6};
    weir_ndarray array = {.element = WEIR_I32, .rank = 2, .shape = {2, 3}, .data = numbers, .size = sizeof(numbers)};
    const weir_value *value;
    struct {
        double same[6], turned[6];
        uint8_t raw[3];
    } seen;
    use_type(fixture, "{same: f64[2,3], turned: f64[2,3]:col, raw: u8[3]}");
    weir_begin_map(fixture->doc);
    weir_put_key(fixture->doc, "same");
    weir_put_ndarray(fixture->doc, &array);
    weir_put_key(fixture->doc, "turned");
    weir_put_ndarray(fixture->doc, &array);
    weir_put_key(fixture->doc, "raw");
    weir_put_bytes(fixture->doc, "abc", 3);
    weir_end(fixture->doc);
    assert_int_equal(weir_doc_finish(fixture->doc, &value, NULL), WEIR_OK);
    assert_int_equal(weir_type_encode(value, fixture->type, 0, fixture->out, &fixture->err), WEIR_OK);
    assert_int_equal(weir_buffer_view(fixture->out).size, sizeof(seen));
    memcpy(&seen, weir_buffer_view(fixture->out).data, sizeof(seen));
    static const double turned[] = {1, 4, 2, 5, 3, 6};
    for (int i = 0; i < 6; i++)
        assert_true(seen.same[i] == i + 1 && seen.turned[i] == turned[i]);
    assert_memory_equal(seen.raw, "abc", 3);
}

struct refusal {
    const char *type, *json, *sentence;
};

static void test_what_does_not_fit_is_named(void **state) {
    struct fixture *fixture = *state;
    static const struct refusal cases[] = {
        {"{a: u8, b: u8}", "{\"a\":1}", "raw: b: the field is missing"},
        {"{a: u8}", "{\"a\":1,\"c\":2}", "there is no field 'c'"},
        {"{a: u8}", "{\"a\":1,\"a\":2}", "the field 'a' is there twice"},
        {"{a: u8}", "{\"a\":256}", "raw: a: 256 does not fit u8"},
        {"{a: u8}", "{\"a\":-1}", "raw: a: -1 does not fit u8"},
        {"{a: i64}", "{\"a\":1.5}", "raw: a: 1.5 does not fit i64"},
        {"{a: f32}", "{\"a\":0.1}", "raw: a: 0.10000000000000001 does not fit f32"},
        {"{a: f64}", "{\"a\":9007199254740993}", "raw: a: 9007199254740993 does not fit f64"},
        {"{a: u8}", "{\"a\":\"x\"}", "raw: a: text where u8 is needed"},
        {"{a: u8}", "{\"a\":true}", "raw: a: bool where u8 is needed"},
        {"{a: u8}", "{\"a\":[1]}", "raw: a: array where u8 is needed"},
        {"{a: u8[2]}", "{\"a\":[1,2,3]}", "raw: a: an array of 3 items does not have the shape of u8[2]"},
        {"{a: u8[2,2]}", "{\"a\":[[1,2],[3]]}", "raw: a: an array of 1 item does not have the shape of u8[2,2]"},
        {"{a: u8[2]}", "{\"a\":1}", "raw: a: int64 where u8[2] is needed"},
        {"{a: u8[2]}", "{\"a\":[1,null]}", "raw: a: null where u8 is needed"},
        {"{a: {b: u8}}", "{\"a\":1}", "raw: a: int64 where a map is needed for {b: u8}"},
        {"{a: {b: u8}}", "{\"a\":{\"b\":300}}", "raw: a.b: 300 does not fit u8"},
        {"{a: {b: u8}[2]}", "{\"a\":[{\"b\":1},{\"b\":300}]}", "raw: a.1.b: 300 does not fit u8"},
        {"{a: {b: u8}[2]}", "{\"a\":[{\"b\":1},{}]}", "raw: a.1.b: the field is missing"},
        {"{a: {b: u8}[2]}", "{\"a\":[{\"b\":1},{\"b\":1,\"x\":1}]}", "raw: a.1: there is no field 'x'"},
        {"{a: {b: u8}[2]}", "{\"a\":[{\"b\":1},2]}", "raw: a.1: int64 where a map is needed"},
        {"{a: {b: u8}[2]}", "{\"a\":[{\"b\":1}]}", "raw: a: an array of 1 structs where 2 are needed"},
        {"{a: {b: u8}[1,2]}", "{\"a\":[[{\"b\":1},{\"b\":999}]]}", "raw: a.0.1.b: 999 does not fit u8"},
        {"{a: {b: u8}[2]}", "{\"a\":{\"b\":1}}", "raw: a: map where an array of maps is needed"},
        {"{b: u8}[2]", "[{\"b\":1},{\"b\":256}]", "raw: 1.b: 256 does not fit u8"},
        {"{b: u8}", "[1]", "raw: array where a map is needed"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        use_type(fixture, cases[i].type);
        const weir_value *value = from_json(fixture, cases[i].json);
        weir_buffer_clear(fixture->out);
        weir_buffer_append(fixture->out, "before", 6);
        assert_int_equal(weir_type_encode(value, fixture->type, 0, fixture->out, &fixture->err), WEIR_EENCODE);
        if (!strstr(fixture->err.text, cases[i].sentence))
            fail_msg("\"%s\" does not say \"%s\"", fixture->err.text, cases[i].sentence);
        assert_int_equal(weir_buffer_view(fixture->out).size, 6); /* nothing was written */
    }
}

static void test_rounding_is_asked_for(void **state) {
    struct fixture *fixture = *state;
    float seen;
    use_type(fixture, "{a: f32}");
    memcpy(&seen, encode(fixture, "{\"a\":0.1}", WEIR_ROUND).data, sizeof(seen));
    assert_true(seen == 0.1f);
    const weir_value *value = from_json(fixture, "{\"a\":1e300}"); /* not to infinity */
    assert_int_equal(weir_type_encode(value, fixture->type, WEIR_ROUND, fixture->out, NULL), WEIR_EENCODE);
}

/* ---- limits ---- */

static void test_sizes_and_limits(void **state) {
    struct fixture *fixture = *state;
    unsigned char bytes[4096] = {0};
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    use_type(fixture, reading_type);
    for (size_t size = 0; size < 80; size++)
        assert_int_equal(weir_type_decode(fixture->decoded, fixture->type, bytes, size, NULL, &fixture->err),
                         size == sizeof(struct reading) ? WEIR_OK : WEIR_EPARSE);
    assert_null(weir_doc_root(fixture->decoded));
    use_type(fixture, "{a: {b: u8[3], c: u8}[16,64]}"); /* 1 + key, array, 16 arrays, 1024 x (1 + 2 keys + 2 + 1) */
    uint64_t cells = 1 + 1 + 1 + 16 + 1024 * 6;
    options.values_max = (uint32_t)cells;
    assert_int_equal(weir_type_decode(fixture->decoded, fixture->type, bytes, 4096, &options, NULL), WEIR_OK);
    assert_int_equal(fixture->decoded->count, cells); /* what the type foretells is what there is */
    options.values_max = (uint32_t)cells - 1;
    assert_int_equal(weir_type_decode(fixture->decoded, fixture->type, bytes, 4096, &options, NULL), WEIR_ELIMIT);
    options = (weir_codec_options)WEIR_CODEC_OPTIONS_INIT;
    options.depth_max = 4; /* map, array, array, map */
    assert_int_equal(weir_type_decode(fixture->decoded, fixture->type, bytes, 4096, &options, NULL), WEIR_OK);
    options.depth_max = 3;
    assert_int_equal(weir_type_decode(fixture->decoded, fixture->type, bytes, 4096, &options, NULL), WEIR_ELIMIT);
}

/* The deepest type there is walks through, forth and back. */
static void test_the_deepest_type(void **state) {
    struct fixture *fixture = *state;
    char text[2048] = "";
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    for (int i = 0; i < WEIR_TYPE_STRUCTS_MAX; i++)
        strcat(text, "{a:");
    strcat(text, "u8");
    for (int i = 0; i < WEIR_TYPE_STRUCTS_MAX; i++)
        strcat(text, "}[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]");
    use_type(fixture, text);
    assert_int_equal(fixture->type->depth, WEIR_TYPE_DEPTH_MAX);
    assert_int_equal(weir_type_decode(fixture->decoded, fixture->type, "x", 1, NULL, NULL), WEIR_ELIMIT);
    options.depth_max = WEIR_TYPE_DEPTH_MAX;
    assert_int_equal(weir_type_decode(fixture->decoded, fixture->type, "x", 1, &options, NULL), WEIR_OK);
    const weir_value *value = weir_doc_root(fixture->decoded);
    assert_int_equal(weir_type_encode(value, fixture->type, 0, fixture->out, NULL), WEIR_OK);
    assert_memory_equal(weir_buffer_view(fixture->out).data, "x", 1);
    const weir_value *wrong = from_json(fixture, "[[[[[[[[[[[[[[[{\"a\":[]}]]]]]]]]]]]]]]]");
    assert_int_equal(weir_type_encode(wrong, fixture->type, 0, fixture->out, &fixture->err), WEIR_EENCODE);
    assert_non_null(
        strstr(fixture->err.text, "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.a: an array of 0 structs where 1 are needed"));
}

/* A type may promise more than there is memory: said, not tried. */
static void test_enormous_types(void **state) {
    struct fixture *fixture = *state;
    use_type(fixture, "{a: u8[9223372036854775807]}");
    const weir_value *value = from_json(fixture, "{\"a\":[1]}");
    assert_int_equal(weir_type_encode(value, fixture->type, 0, fixture->out, NULL), WEIR_ENOMEM);
    use_type(fixture, "u8[18446744073709551615]");
    assert_int_equal(weir_type_encode(value, fixture->type, 0, fixture->out, NULL), WEIR_ENOMEM);
    use_type(fixture, "{a: u8}[0,18446744073709551615]");
    assert_json(fixture, decode(fixture, NULL, 0), "[]");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_a_struct_is_a_map),
        TEST(test_arrays_of_structs_are_arrays_of_maps),
        TEST(test_shapes_and_orders_of_structs),
        TEST(test_every_element),
        TEST(test_types_without_structs),
        TEST(test_keys_in_any_order_and_padding),
        TEST(test_ndarrays_and_bytes_in_fields),
        TEST(test_what_does_not_fit_is_named),
        TEST(test_rounding_is_asked_for),
        TEST(test_sizes_and_limits),
        TEST(test_the_deepest_type),
        TEST(test_enormous_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
