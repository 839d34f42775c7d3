/* Numbers into other types without loss: every pair of element types at their borders, every pair of orders and byte
 * orders, nested arrays of every form as ndarrays, and what is refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <weir/codec.h>

#include "base/buffer.h"
#include "value/value.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct fixture {
    weir_doc *doc;
    weir_buffer *room;
    weir_error err;
};

static int setup(void **state) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    *state = fixture;
    return !fixture || weir_doc_new(&fixture->doc) || weir_buffer_new(&fixture->room);
}

static int teardown(void **state) {
    struct fixture *fixture = *state;
    weir_doc_free(fixture->doc);
    weir_buffer_free(fixture->room);
    free(fixture);
    return 0;
}

static const weir_value *from_json(struct fixture *fixture, const char *json) {
    if (weir_decode(fixture->doc, WEIR_CODEC_JSON, json, strlen(json), NULL, NULL, &fixture->err) != WEIR_OK)
        fail_msg("%s: %s", json, fixture->err.text);
    return weir_doc_root(fixture->doc);
}

/* ---- borders ---- */

/* Which element types hold a number exactly, one letter each in the order of enum weir_element: B H I Q b h i q f d. */
struct border {
    const char *json, *fits;
};

static void test_numbers_fit_or_not(void **state) {
    struct fixture *fixture = *state;
    static const char letters[] = "?BHIQbhiqfd";
    static const struct border cases[] = {
        {"0", "BHIQbhiqfd"},
        {"127", "BHIQbhiqfd"},
        {"128", "BHIQhiqfd"},
        {"255", "BHIQhiqfd"},
        {"256", "HIQhiqfd"},
        {"32767", "HIQhiqfd"},
        {"32768", "HIQiqfd"},
        {"65535", "HIQiqfd"},
        {"65536", "IQiqfd"},
        {"16777216", "IQiqfd"},
        {"16777217", "IQiqd"},
        {"2147483647", "IQiqd"},
        {"2147483648", "IQqd"},
        {"4294967295", "IQqd"},
        {"4294967296", "Qqd"},
        {"9007199254740992", "Qqd"},
        {"9007199254740993", "Qq"},
        {"9223372036854775807", "Qq"},
        {"9223372036854775808", "Q"},
        {"18446744073709551615", "Q"},
        {"-1", "bhiqfd"},
        {"-128", "bhiqfd"},
        {"-129", "hiqfd"},
        {"-32768", "hiqfd"},
        {"-32769", "iqfd"},
        {"-2147483648", "iqd"},
        {"-2147483649", "qd"},
        {"-9007199254740993", "q"},
        {"-9223372036854775808", "q"},
        {"1.0", "BHIQbhiqfd"},
        {"1.5", "fd"},
        {"0.1", "d"},
        {"1e300", "d"},
        {"9223372036854775808.0", "Qfd"},
        {"18446744073709551616.0", "fd"},
        {"-9223372036854775808.0", "qfd"},
        {"true", ""},
        {"null", ""},
        {"\"1\"", ""},
        {"{\"a\":1}", ""},
        {"100000000000000000000", ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        for (uint32_t element = WEIR_U8; element <= WEIR_F64; element++) {
            unsigned char to[8];
            weir_ndarray target = {.element = element, .size = weir_element_size(element)};
            const weir_value *value = from_json(fixture, cases[i].json);
            int status = weir_get_numbers(value, NULL, &target, 0, to, &fixture->err);
            if ((status == WEIR_OK) != (strchr(cases[i].fits, letters[element]) != NULL))
                fail_msg("%s as %s: %d", cases[i].json, weir_element_name(element), status);
            if (status != WEIR_OK)
                continue;
            target.data = to; /* and it is that number */
            struct weir_value seen;
            double a, b;
            weir_ndarray_element(&target, 0, &seen);
            if (weir_get_f64(value, NULL, &a) == WEIR_OK && weir_get_f64(&seen, NULL, &b) == WEIR_OK)
                assert_true(a == b);
        }
}

static void test_floats_that_are_no_numbers(void **state) {
    struct fixture *fixture = *state;
    static const double odd[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < COUNT(odd); i++) {
        float f32;
        int64_t i64;
        const weir_value *value;
        weir_doc_clear(fixture->doc);
        weir_put_f64(fixture->doc, odd[i]);
        assert_int_equal(weir_doc_finish(fixture->doc, &value, NULL), WEIR_OK);
        assert_int_equal(weir_get_numbers(value, "", &(weir_ndarray){.element = WEIR_F32, .size = 4}, 0, &f32, NULL),
                         WEIR_OK);
        assert_true(i == 0 ? isnan(f32) : f32 == (float)odd[i]);
        assert_int_equal(weir_get_numbers(value, "", &(weir_ndarray){.element = WEIR_I64, .size = 8}, 0, &i64, NULL),
                         WEIR_ETYPE);
    }
}

static void test_rounding(void **state) {
    struct fixture *fixture = *state;
    weir_ndarray target = {.element = WEIR_F32, .size = 4};
    float to;
    assert_int_equal(weir_get_numbers(from_json(fixture, "0.1"), NULL, &target, WEIR_ROUND, &to, NULL), WEIR_OK);
    assert_true(to == 0.1f);
    assert_int_equal(weir_get_numbers(from_json(fixture, "1e39"), NULL, &target, WEIR_ROUND, &to, NULL), WEIR_ETYPE);
    assert_int_equal(weir_get_numbers(from_json(fixture, "16777217"), NULL, &target, WEIR_ROUND, &to, NULL),
                     WEIR_ETYPE);
}

/* ---- ndarrays ---- */

/* Each element type into each other, in both byte orders and both orders of indices: 2 x 3 small numbers. */
static void test_ndarrays_into_ndarrays(void **state) {
    struct fixture *fixture = *state;
    for (uint32_t all = 0; all < 10 * 10 * 16; all++) {
        uint32_t from_element = 1 + all % 10, to_element = 1 + all / 10 % 10, bits = all / 100;
        unsigned char from[48], to[48];
        weir_ndarray source = {.element = from_element,
                               .order = bits & 1,
                               .big_endian = bits >> 1 & 1,
                               .rank = 2,
                               .shape = {2, 3},
                               .size = 6 * weir_element_size(from_element),
                               .data = from};
        weir_ndarray target = {.element = to_element,
                               .order = bits >> 2 & 1,
                               .big_endian = bits >> 3 & 1,
                               .rank = 2,
                               .shape = {2, 3},
                               .size = 6 * weir_element_size(to_element),
                               .data = to};
        const weir_value *value = from_json(fixture, "[[1,2,3],[4,5,6]]");
        assert_int_equal(weir_get_numbers(value, NULL, &source, 0, from, NULL), WEIR_OK);
        weir_doc_clear(fixture->doc);
        weir_refer_ndarray(fixture->doc, &source);
        assert_int_equal(weir_doc_finish(fixture->doc, &value, NULL), WEIR_OK);
        assert_int_equal(weir_get_numbers(value, NULL, &target, 0, to, &fixture->err), WEIR_OK);
        weir_doc_clear(fixture->doc);
        weir_refer_ndarray(fixture->doc, &target);
        assert_int_equal(weir_doc_finish(fixture->doc, &value, NULL), WEIR_OK);
        for (int i = 0; i < 6; i++) {
            char path[8];
            double number = 0;
            snprintf(path, sizeof(path), "%d.%d", i / 3, i % 3);
            assert_int_equal(weir_get_f64(value, path, &number), WEIR_OK);
            assert_true(number == i + 1);
        }
    }
}

static void test_an_element_that_does_not_fit(void **state) {
    struct fixture *fixture = *state;
    static const int16_t numbers[] = {1, 300, 2};
    unsigned char to[3];
    weir_ndarray source = {.element = WEIR_I16, .rank = 1, .shape = {3}, .size = 6, .data = numbers};
    weir_ndarray target = {.element = WEIR_U8, .rank = 1, .shape = {3}, .size = 3};
    const weir_value *value;
    weir_refer_ndarray(fixture->doc, &source);
    assert_int_equal(weir_doc_finish(fixture->doc, &value, NULL), WEIR_OK);
    assert_int_equal(weir_get_numbers(value, NULL, &target, 0, to, &fixture->err), WEIR_ETYPE);
    assert_non_null(strstr(fixture->err.text, "300 does not fit u8"));
    target.shape[0] = 2;
    target.size = 2;
    assert_int_equal(weir_get_numbers(value, NULL, &target, 0, to, &fixture->err), WEIR_ETYPE);
    assert_non_null(strstr(fixture->err.text, "i16[3] where u8[2] is needed"));
    target.size = 3;
    assert_int_equal(weir_get_numbers(value, NULL, &target, 0, to, &fixture->err), WEIR_EINVAL);
}

/* ---- as ndarrays ---- */

static void test_lists_as_ndarrays(void **state) {
    struct fixture *fixture = *state;
    static const struct {
        const char *json;
        uint32_t rank;
        uint64_t shape[3];
        size_t count;
    } cases[] = {
        {"7", 0, {0}, 1},
        {"[]", 1, {0}, 0},
        {"[1,2,3]", 1, {3}, 3},
        {"[[1,2,3],[4,5,6]]", 2, {2, 3}, 6},
        {"[[[1],[2]],[[3],[4]],[[5],[6]]]", 3, {3, 2, 1}, 6},
        {"[[],[]]", 2, {2, 0}, 0},
        {"[[[],[]]]", 3, {1, 2, 0}, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        weir_ndarray array = {0};
        const weir_value *value = from_json(fixture, cases[i].json);
        if (weir_as_ndarray(value, NULL, WEIR_F64, 0, fixture->room, &array, &fixture->err) != WEIR_OK)
            fail_msg("%s: %s", cases[i].json, fixture->err.text);
        assert_int_equal(array.rank, cases[i].rank);
        assert_memory_equal(array.shape, cases[i].shape, array.rank * sizeof(array.shape[0]));
        assert_int_equal(array.size, cases[i].count * 8);
        assert_int_equal((uintptr_t)array.data % 64, 0);
        for (size_t k = 0; k < cases[i].count; k++)
            assert_true(((const double *)array.data)[k] == (cases[i].rank ? (double)k + 1 : 7));
    }
}

static void test_an_ndarray_is_handed_out_where_it_lies(void **state) {
    struct fixture *fixture = *state;
    static const double numbers[] = {1, 2, 3, 4};
    weir_ndarray source = {
        .element = WEIR_F64, .order = WEIR_COLUMN, .rank = 2, .shape = {2, 2}, .size = 32, .data = numbers};
    weir_ndarray array;
    const weir_value *value;
    weir_begin_map(fixture->doc);
    weir_put_key(fixture->doc, "a");
    weir_refer_ndarray(fixture->doc, &source);
    weir_end(fixture->doc);
    assert_int_equal(weir_doc_finish(fixture->doc, &value, NULL), WEIR_OK);
    assert_int_equal(weir_as_ndarray(value, "a", WEIR_F64, 0, fixture->room, &array, NULL), WEIR_OK);
    assert_ptr_equal(array.data, numbers);
    assert_int_equal(weir_as_ndarray(value, "a", WEIR_I32, 0, fixture->room, &array, NULL), WEIR_OK);
    assert_int_equal(array.order, WEIR_COLUMN); /* converted as it lies */
    assert_memory_equal(array.data, ((int32_t[]){1, 2, 3, 4}), 16);
    assert_int_equal(weir_as_ndarray(value, "b", WEIR_F64, 0, fixture->room, &array, &fixture->err), WEIR_ENOENT);
    assert_non_null(strstr(fixture->err.text, "'b'"));
    assert_int_equal(weir_as_ndarray(value, "a", 99, 0, fixture->room, &array, NULL), WEIR_EINVAL);
}

static void test_what_is_no_array_of_numbers(void **state) {
    struct fixture *fixture = *state;
    static const char *const cases[] = {
        "\"x\"", "{}", "null", "[\"x\"]", "[1,\"x\"]", "[[1,2],[3]]", "[[1],2]", "[1,[2]]", "[[[1]],[[2,3]]]",
        "[{\"a\":1}]", "[[],[1]]", "[0.5,1e300,true]", "[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]" /* 16 dimensions */,
        /* rows that promise 10^15 numbers */
        ("[[[[[[1,1,1,1,1,1,1,1,1,1],1,1,1,1,1,1,1,1,1],1,1,1,1,1,1,1,1,1],1,1,1,1,1,1,1,1,1],1,1,1,1,1,"
         "1,1,1,1],1,1,1,1,1,1,1,1,1]")};
    for (size_t i = 0; i < COUNT(cases); i++) {
        weir_ndarray array = {.element = 77};
        const weir_value *value = from_json(fixture, cases[i]);
        if (weir_as_ndarray(value, NULL, WEIR_F64, 0, fixture->room, &array, &fixture->err) != WEIR_ETYPE)
            fail_msg("%s is taken for numbers", cases[i]);
        assert_true(strlen(fixture->err.text) > 15);
        assert_int_equal(array.element, 77);
    }
}

static void test_bytes_are_u8(void **state) {
    struct fixture *fixture = *state;
    weir_ndarray array;
    const weir_value *value;
    weir_put_bytes(fixture->doc, "abc", 3);
    assert_int_equal(weir_doc_finish(fixture->doc, &value, NULL), WEIR_OK);
    assert_int_equal(weir_as_ndarray(value, NULL, WEIR_U8, 0, fixture->room, &array, NULL), WEIR_OK);
    assert_int_equal(array.shape[0], 3);
    assert_memory_equal(array.data, "abc", 3);
    assert_int_equal(weir_as_ndarray(value, NULL, WEIR_U16, 0, fixture->room, &array, NULL), WEIR_ETYPE);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_numbers_fit_or_not),
        TEST(test_floats_that_are_no_numbers),
        TEST(test_rounding),
        TEST(test_ndarrays_into_ndarrays),
        TEST(test_an_element_that_does_not_fit),
        TEST(test_lists_as_ndarrays),
        TEST(test_an_ndarray_is_handed_out_where_it_lies),
        TEST(test_what_is_no_array_of_numbers),
        TEST(test_bytes_are_u8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
