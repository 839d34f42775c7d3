/* Documents: building, packing, reading by path, copying, comparing; every misuse and every limit on both sides. */
#include "value/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/codec.h>

#include <cmocka.h>

static int doc_setup(void **state) {
    weir_doc *doc = NULL;
    int status = weir_doc_new(&doc);
    *state = doc;
    return status;
}

static int doc_teardown(void **state) {
    *state = weir_doc_free(*state);
    return 0;
}

static const weir_value *finished(weir_doc *doc) {
    const weir_value *root = NULL;
    weir_error err = {0};
    int status = weir_doc_finish(doc, &root, &err);
    if (status != WEIR_OK)
        print_message("%s\n", err.text);
    assert_int_equal(status, WEIR_OK);
    assert_ptr_equal(root, weir_doc_root(doc));
    return root;
}

/* Finish must fail with @status and a sentence that has @words in it. */
static void refused(weir_doc *doc, int status, const char *words) {
    const weir_value *root = NULL;
    weir_error err = {0};
    assert_int_equal(weir_doc_finish(doc, &root, &err), status);
    assert_null(root);
    assert_null(weir_doc_root(doc));
    assert_int_equal(err.code, status);
    if (!strstr(err.text, words))
        fail_msg("\"%s\" does not say \"%s\"", err.text, words);
    weir_doc_clear(doc);
}

static void type_is(const weir_value *value, const char *expected) {
    char text[WEIR_NDARRAY_TYPE_MAX];
    assert_string_equal(weir_value_type(value, text, sizeof(text)), expected);
}

/* ---- building ---- */

static void test_every_kind_is_built_and_read(void **state) {
    weir_doc *doc = *state;
    const weir_value *found;
    int flag;
    int64_t i64;
    uint64_t u64;
    double f64;
    weir_view view;
    weir_begin_map(doc);
    weir_put_key(doc, "null"), weir_put_null(doc);
    weir_put_key(doc, "undefined"), weir_put_undefined(doc);
    weir_put_key(doc, "bool"), weir_put_bool(doc, 7);
    weir_put_key(doc, "int64"), weir_put_i64(doc, INT64_MIN);
    weir_put_key(doc, "uint64"), weir_put_u64(doc, UINT64_MAX);
    weir_put_key(doc, "float32"), weir_put_f32(doc, 0.1f);
    weir_put_key(doc, "float64"), weir_put_f64(doc, 0.1);
    weir_put_key(doc, "text"), weir_put_text(doc, "gr\xc3\xbc\xc3\x9f", 6);
    weir_put_key(doc, "bytes"), weir_put_bytes(doc, "\0\xff", 2);
    weir_put_key(doc, "time"), weir_put_time(doc, -1);
    weir_end(doc);
    const weir_value *root = finished(doc);
    assert_int_equal(weir_value_count(root), 10);
    weir_iter it;
    weir_iter_init(&it, root);
    while (weir_iter_next(&it)) { /* each stands under the name of its kind */
        weir_view key;
        char type[32];
        assert_int_equal(weir_get_text(it.key, NULL, &key), WEIR_OK);
        weir_value_type(it.value, type, sizeof(type));
        assert_int_equal(strlen(type), key.size);
        assert_memory_equal(type, key.data, key.size);
    }
    assert_int_equal(weir_get_bool(root, "bool", &flag), WEIR_OK);
    assert_int_equal(flag, 1);
    assert_int_equal(weir_get_i64(root, "int64", &i64), WEIR_OK);
    assert_true(i64 == INT64_MIN);
    assert_int_equal(weir_get_u64(root, "uint64", &u64), WEIR_OK);
    assert_true(u64 == UINT64_MAX);
    assert_int_equal(weir_get_f64(root, "float32", &f64), WEIR_OK);
    assert_true(f64 == (double)0.1f);
    assert_int_equal(weir_get_f64(root, "float64", &f64), WEIR_OK);
    assert_true(f64 == 0.1);
    assert_int_equal(weir_get_text(root, "text", &view), WEIR_OK);
    assert_int_equal(view.size, 6);
    assert_int_equal(weir_get_bytes(root, "bytes", &view), WEIR_OK);
    assert_memory_equal(view.data, "\0\xff", 2);
    assert_int_equal(weir_get_time(root, "time", &i64), WEIR_OK);
    assert_int_equal(i64, -1);
    assert_int_equal(weir_get(root, "undefined", &found), WEIR_OK);
    assert_int_equal(weir_value_kind(found), WEIR_KIND_UNDEFINED);
}

static void test_misuse_is_refused_with_a_sentence(void **state) {
    weir_doc *doc = *state;
    refused(doc, WEIR_EINVAL, "empty");
    weir_begin_array(doc);
    refused(doc, WEIR_EINVAL, "not ended");
    weir_end(doc);
    refused(doc, WEIR_EINVAL, "without a map or array");
    weir_put_null(doc), weir_put_null(doc);
    refused(doc, WEIR_EINVAL, "second root");
    weir_begin_map(doc), weir_put_key(doc, "a"), weir_end(doc);
    refused(doc, WEIR_EINVAL, "ends behind a key");
    weir_begin_map(doc), weir_put_key(doc, "a"), weir_put_key(doc, "b");
    refused(doc, WEIR_EINVAL, "two keys in a row");
    weir_begin_array(doc), weir_put_key(doc, "a");
    refused(doc, WEIR_EINVAL, "outside a map");
    weir_put_key(doc, "a");
    refused(doc, WEIR_EINVAL, "outside a map");
    weir_begin_map(doc), weir_put_key(doc, NULL);
    refused(doc, WEIR_EINVAL, "NULL");
    weir_put_tag(doc, WEIR_TAG_CBOR, 32);
    refused(doc, WEIR_EINVAL, "no content");
    weir_begin_array(doc), weir_put_tag(doc, WEIR_TAG_CBOR, 32), weir_end(doc);
    refused(doc, WEIR_EINVAL, "no content");
    weir_put_text(doc, "\xff", 1);
    refused(doc, WEIR_EINVAL, "UTF-8");
    weir_put_text(doc, NULL, 3);
    refused(doc, WEIR_EINVAL, "NULL");
    weir_put_value(doc, NULL);
    refused(doc, WEIR_EINVAL, "NULL");
}

static void test_numbers_and_tags_that_there_are_not(void **state) {
    static const struct {
        uint32_t space;
        uint64_t number;
    } missing[] = {{3, 1}, {WEIR_TAG_SIMPLE, 20}, {WEIR_TAG_SIMPLE, 31}, {WEIR_TAG_SIMPLE, 256}, {WEIR_TAG_BSON, 256}};
    weir_doc *doc = *state;
    for (size_t i = 0; i < sizeof(missing) / sizeof(missing[0]); i++) {
        weir_put_tag(doc, missing[i].space, missing[i].number), weir_put_null(doc);
        refused(doc, WEIR_EINVAL, "does not have");
    }
    weir_put_tag(doc, WEIR_TAG_SIMPLE, 99), weir_put_i64(doc, 1);
    refused(doc, WEIR_EINVAL, "put null");
    weir_put_bigint(doc, "", 0);
    refused(doc, WEIR_EINVAL, "digits");
    weir_put_bigint(doc, "-", 1);
    refused(doc, WEIR_EINVAL, "digits");
    weir_put_decimal(doc, "1.5", 3, 0);
    refused(doc, WEIR_EINVAL, "digits");
}

static void test_the_first_failure_sticks(void **state) {
    weir_doc *doc = *state;
    weir_begin_map(doc);
    weir_put_text(doc, "\xc0\x80", 2);
    weir_put_key(doc, NULL);
    weir_end(doc);
    weir_end(doc);
    weir_put_ndarray(doc, NULL);
    refused(doc, WEIR_EINVAL, "UTF-8");
    weir_put_i64(doc, 1); /* cleared, it works again */
    finished(doc);
    weir_put_i64(doc, 2);
    refused(doc, WEIR_EINVAL, "finished");
}

static void test_depth_has_a_limit(void **state) {
    weir_doc *doc = *state;
    for (int extra = 0; extra < 2; extra++) {
        for (int i = 0; i < WEIR_DEPTH_MAX / 2; i++)
            weir_begin_array(doc), weir_put_tag(doc, WEIR_TAG_CBOR, 1000);
        if (extra)
            weir_begin_array(doc), weir_end(doc);
        else
            weir_put_null(doc);
        for (int i = 0; i < WEIR_DEPTH_MAX / 2; i++)
            weir_end(doc);
        if (!extra)
            finished(doc), weir_doc_clear(doc);
    }
    refused(doc, WEIR_ELIMIT, "64");
    for (int i = 0; i < 1000; i++) /* what has ended counts no more */
        weir_begin_array(doc), weir_put_tag(doc, WEIR_TAG_CBOR, 7), weir_begin_map(doc), weir_end(doc), weir_end(doc),
            finished(doc), weir_doc_clear(doc);
}

static void test_borrowed_bytes_stay_where_they_are(void **state) {
    weir_doc *doc = *state;
    static const char text[] = "borrowed";
    weir_view view;
    weir_begin_array(doc);
    weir_refer_text(doc, text, 8);
    weir_refer_bytes(doc, text, 8);
    weir_put_text(doc, text, 8);
    weir_put_text(doc, NULL, 0);
    weir_end(doc);
    const weir_value *root = finished(doc);
    assert_int_equal(weir_get_text(root, "0", &view), WEIR_OK);
    assert_ptr_equal(view.data, text);
    assert_int_equal(weir_get_bytes(root, "1", &view), WEIR_OK);
    assert_ptr_equal(view.data, text);
    assert_int_equal(weir_get_text(root, "2", &view), WEIR_OK);
    assert_ptr_not_equal(view.data, text);
    assert_int_equal(weir_get_text(root, "3", &view), WEIR_OK);
    assert_int_equal(view.size, 0);
    assert_non_null(view.data);
}

/* ---- packing ---- */

static void test_pack_knows_every_letter(void **state) {
    weir_doc *doc = *state;
    weir_doc *other = NULL;
    const weir_value *root, *inner;
    uint16_t numbers[] = {1, 2, 3};
    weir_ndarray array = {.element = WEIR_U16, .rank = 1, .shape = {3}, .data = numbers, .size = sizeof(numbers)};
    int64_t i64;
    uint64_t u64;
    assert_int_equal(weir_doc_new(&other), WEIR_OK);
    assert_int_equal(weir_pack(other, &inner, NULL, "[b]", 1), WEIR_OK);
    assert_int_equal(weir_pack(doc, &root, NULL, "{s: [i, u, d, f, b, n, t], s: {S: y}\n sA sv}", "a", -5L,
                               (unsigned long)UINT64_MAX, -7, 0.5, 0, 99L, "b", "keyed", (size_t)3, "\1\2", (size_t)2,
                               "c", &array, "d", inner),
                     WEIR_OK);
    type_is(root, "map");
    assert_int_equal(weir_get_i64(root, "a.0", &i64), WEIR_OK);
    assert_int_equal(i64, -5);
    assert_int_equal(weir_get_u64(root, "a.1", &u64), WEIR_OK);
    assert_true(u64 == UINT64_MAX);
    assert_int_equal(weir_get_i64(root, "a.2", &i64), WEIR_OK);
    assert_int_equal(i64, -7);
    assert_int_equal(weir_get_time(root, "a.6", &i64), WEIR_OK);
    assert_int_equal(i64, 99);
    assert_int_equal(weir_get(root, "b.key", &inner), WEIR_OK);
    type_is(inner, "bytes");
    assert_int_equal(weir_get_i64(root, "c.2", &i64), WEIR_OK);
    assert_int_equal(i64, 3);
    assert_int_equal(weir_get(root, "d", &inner), WEIR_OK);
    assert_true(weir_value_equal(inner, weir_doc_root(other)));
    weir_doc_free(other);
}

static void test_pack_refuses_mistakes(void **state) {
    static const char *const formats[] = {"{", "}", "[}", "{]", "q", "", "nn", "{n}", "]"};
    weir_doc *doc = *state;
    const weir_value *root = NULL;
    weir_error err;
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        assert_int_equal(weir_pack(doc, &root, &err, formats[i]), WEIR_EINVAL);
        assert_null(root);
        assert_true(err.text[0] != '\0');
    }
    assert_int_equal(weir_pack(doc, &root, &err, NULL), WEIR_EINVAL);
    assert_int_equal(weir_pack(doc, &root, &err, "s", NULL), WEIR_EINVAL);
    assert_int_equal(weir_pack(doc, &root, &err, "[n]"), WEIR_OK);
}

/* ---- reading ---- */

static void test_paths(void **state) {
    weir_doc *doc = *state;
    const weir_value *root, *found;
    int64_t i64;
    assert_int_equal(weir_pack(doc, &root, NULL, "{s:{s:[i,[i]]}, s:i, s:i, s:i, s:{s:i}, s:i}", "a", "b", 1L, 2L,
                               "dotted.key", 3L, "back\\slash", 4L, "twice", 5L, "", "", 6L, "twice", 7L),
                     WEIR_OK);
    assert_int_equal(weir_get(root, "", &found), WEIR_OK);
    assert_ptr_equal(found, root);
    assert_int_equal(weir_get(root, NULL, &found), WEIR_OK);
    assert_ptr_equal(found, root);
    assert_int_equal(weir_get_i64(root, "a.b.0", &i64) + (int)i64, 1);
    assert_int_equal(weir_get_i64(root, "a.b.1.0", &i64) + (int)i64, 2);
    assert_int_equal(weir_get_i64(root, "dotted\\.key", &i64) + (int)i64, 3);
    assert_int_equal(weir_get_i64(root, "back\\slash", &i64) + (int)i64, 4);
    assert_int_equal(weir_get_i64(root, "back\\\\slash", &i64) + (int)i64, 4);
    assert_int_equal(weir_get_i64(root, "twice", &i64) + (int)i64, 5);
    static const char *const missing[] = {
        "A", "a.b.2", "a.b.-1", "a.b.x", "a.b.0.0", "dotted.key", "a.b.18446744073709551616"};
    for (size_t i = 0; i < sizeof(missing) / sizeof(missing[0]); i++)
        assert_int_equal(weir_get_i64(root, missing[i], &i64), WEIR_ENOENT);
    assert_int_equal(weir_get_i64(root, "a.b", &i64), WEIR_ETYPE);
    assert_int_equal(weir_get(NULL, "a", &found), WEIR_ENOENT);
}

static void test_paths_through_tags_and_integer_keys(void **state) {
    weir_doc *doc = *state;
    int64_t i64;
    uint32_t space;
    uint64_t number;
    const weir_value *inner;
    weir_put_tag(doc, WEIR_TAG_CBOR, 1000);
    weir_begin_map(doc);
    weir_put_i64(doc, 17), weir_put_i64(doc, 170);
    weir_put_i64(doc, -1), weir_put_i64(doc, 10);
    weir_put_key(doc, "17"), weir_put_i64(doc, 171);
    weir_end(doc);
    const weir_value *root = finished(doc);
    assert_int_equal(weir_get_i64(root, "17", &i64), WEIR_OK);
    assert_int_equal(i64, 170);
    assert_int_equal(weir_get_i64(root, "-1", &i64), WEIR_ENOENT);
    assert_int_equal(weir_get_tagged(root, NULL, &space, &number, &inner), WEIR_OK);
    assert_int_equal(space, WEIR_TAG_CBOR);
    assert_int_equal(number, 1000);
    type_is(inner, "map");
    assert_int_equal(weir_get_tagged(inner, NULL, &space, &number, &inner), WEIR_ETYPE);
    type_is(root, "tag(1000)");
}

static void test_numbers_convert_only_without_loss(void **state) {
    weir_doc *doc = *state;
    const weir_value *root;
    int64_t i64;
    uint64_t u64;
    double f64;
    assert_int_equal(weir_pack(doc, &root, NULL, "[fffff iii u]", 3.0, 3.5, 0x1p63, -0x1p63, 0x1p64, 1L << 53,
                               (1L << 53) + 1, -1L, (unsigned long)UINT64_MAX),
                     WEIR_OK);
    assert_int_equal(weir_get_i64(root, "0", &i64), WEIR_OK);
    assert_int_equal(i64, 3);
    assert_int_equal(weir_get_i64(root, "1", &i64), WEIR_ETYPE);
    assert_int_equal(weir_get_i64(root, "2", &i64), WEIR_ETYPE);
    assert_int_equal(weir_get_u64(root, "2", &u64), WEIR_OK);
    assert_true(u64 == UINT64_C(1) << 63);
    assert_int_equal(weir_get_i64(root, "3", &i64), WEIR_OK);
    assert_true(i64 == INT64_MIN);
    assert_int_equal(weir_get_u64(root, "3", &u64), WEIR_ETYPE);
    assert_int_equal(weir_get_u64(root, "4", &u64), WEIR_ETYPE);
    assert_int_equal(weir_get_f64(root, "5", &f64), WEIR_OK);
    assert_int_equal(weir_get_f64(root, "6", &f64), WEIR_ETYPE);
    assert_int_equal(weir_get_u64(root, "7", &u64), WEIR_ETYPE);
    assert_int_equal(weir_get_f64(root, "8", &f64), WEIR_ETYPE);
    assert_int_equal(weir_get_i64(root, "8", &i64), WEIR_ETYPE);
}

/* ---- integers of any length ---- */

static void digits_are(weir_doc *doc, const char *put, const char *kind, const char *digits) {
    char text[128];
    size_t size;
    weir_doc_clear(doc);
    weir_put_bigint(doc, put, strlen(put));
    const weir_value *root = finished(doc);
    type_is(root, kind);
    assert_int_equal(weir_get_digits(root, NULL, text, sizeof(text), &size), WEIR_OK);
    assert_string_equal(text, digits);
    assert_int_equal(size, strlen(digits));
    assert_int_equal(weir_get_digits(root, NULL, text, strlen(digits), &size), WEIR_ETOOBIG);
    assert_int_equal(size, strlen(digits) + 1);
}

static void test_integers_take_the_smallest_kind(void **state) {
    weir_doc *doc = *state;
    digits_are(doc, "0", "int64", "0");
    digits_are(doc, "-000", "int64", "0");
    digits_are(doc, "9223372036854775807", "int64", "9223372036854775807");
    digits_are(doc, "-9223372036854775808", "int64", "-9223372036854775808");
    digits_are(doc, "9223372036854775808", "uint64", "9223372036854775808");
    digits_are(doc, "00018446744073709551615", "uint64", "18446744073709551615");
    digits_are(doc, "18446744073709551616", "bigint", "18446744073709551616");
    digits_are(doc, "-9223372036854775809", "bigint", "-9223372036854775809");
}

static void test_digits_and_bytes_are_the_same_number(void **state) {
    char digits[WEIR_DIGITS_MAX + 200], again[WEIR_DIGITS_MAX + 200];
    unsigned char bytes[WEIR_MAGNITUDE_MAX + 8];
    (void)state;
    uint32_t seed = 20240229;
    for (size_t length = 20; length <= WEIR_DIGITS_MAX; length += length < 100 ? 1 : 604) {
        for (size_t i = 0; i < length; i++) {
            seed = seed * 1664525 + 1013904223;
            digits[i] = (char)((i == 0 ? '1' : '0') + (seed >> 24) % 9);
        }
        struct weir_value text = {0};
        assert_int_equal(weir_integer_from_digits(&text, digits, length, 1), WEIR_OK);
        if (text.kind != WEIR_KIND_BIGINT)
            continue;
        struct weir_value binary = {.kind = WEIR_KIND_BIGINT, .flags = WEIR_CELL_NEGATIVE, .as.data = bytes};
        size_t size;
        assert_true(weir_magnitude_bytes_max(&text) <= sizeof(bytes));
        assert_int_equal(weir_magnitude_bytes(&text, bytes, &size), WEIR_OK);
        binary.count = (uint32_t)size;
        assert_true(weir_value_equal(&text, &binary));
        assert_true(weir_magnitude_digits_max(&binary) <= sizeof(again));
        assert_int_equal(weir_magnitude_digits(&binary, again, &size), WEIR_OK);
        assert_int_equal(size, length);
        assert_memory_equal(again, digits, length);
        bytes[binary.count - 1] ^= 1;
        assert_false(weir_value_equal(&text, &binary));
    }
}

static void test_integers_have_a_limit(void **state) {
    weir_doc *doc = *state;
    char digits[WEIR_DIGITS_MAX + 1];
    memset(digits, '9', sizeof(digits));
    weir_put_bigint(doc, digits, WEIR_DIGITS_MAX);
    type_is(finished(doc), "bigint");
    weir_doc_clear(doc);
    weir_put_bigint(doc, digits, WEIR_DIGITS_MAX + 1);
    refused(doc, WEIR_ELIMIT, "digits");
}

/* Bytes hold no more than digits may. */
static void test_bytes_have_the_same_limit(void **state) {
    char digits[WEIR_DIGITS_MAX];
    unsigned char bytes[WEIR_MAGNITUDE_MAX + 8];
    struct weir_value most = {0};
    size_t size, last;
    (void)state;
    memset(digits, '9', sizeof(digits));
    assert_int_equal(weir_integer_from_digits(&most, digits, sizeof(digits), 0), WEIR_OK);
    assert_int_equal(weir_magnitude_bytes(&most, bytes, &size), WEIR_OK);
    assert_int_equal(size, WEIR_MAGNITUDE_MAX);
    assert_true(weir_magnitude_is_within(bytes, size));
    for (last = size - 1; ++bytes[last] == 0;) /* one more */
        last--;
    assert_false(weir_magnitude_is_within(bytes, size));
    bytes[0]--;
    assert_true(weir_magnitude_is_within(bytes, size));
    bytes[0] += 2;
    assert_false(weir_magnitude_is_within(bytes, size));
    memset(bytes, 0xff, sizeof(bytes));
    assert_true(weir_magnitude_is_within(bytes, size - 1));
    assert_false(weir_magnitude_is_within(bytes, size));
    assert_false(weir_magnitude_is_within(bytes, size + 1));
    assert_true(weir_magnitude_is_within(bytes, 0));
}

static void test_decimals(void **state) {
    weir_doc *doc = *state;
    char text[64];
    size_t size;
    int32_t exponent;
    weir_begin_array(doc);
    weir_put_decimal(doc, "-00150", 6, -2);
    weir_put_decimal(doc, "-0", 2, INT32_MIN);
    weir_end(doc);
    const weir_value *root = finished(doc);
    assert_int_equal(weir_get_decimal(root, "0", text, sizeof(text), &size, &exponent), WEIR_OK);
    assert_string_equal(text, "-150");
    assert_int_equal(exponent, -2);
    assert_int_equal(weir_get_decimal(root, "1", text, sizeof(text), &size, &exponent), WEIR_OK);
    assert_string_equal(text, "0");
    assert_int_equal(exponent, INT32_MIN);
    assert_int_equal(weir_get_digits(root, "0", text, sizeof(text), &size), WEIR_ETYPE);
}

/* ---- ndarrays ---- */

static void test_ndarray_elements_by_path(void **state) {
    weir_doc *doc = *state;
    static const unsigned char big_endian[] = {0, 1, 0, 2, 0, 3, 0xff, 0xfc, 0, 5, 0, 6};
    weir_ndarray array = {
        .element = WEIR_I16, .rank = 2, .shape = {2, 3}, .data = big_endian, .size = 12, .big_endian = 1};
    int64_t i64;
    weir_begin_array(doc);
    weir_put_ndarray(doc, &array);
    array.order = WEIR_COLUMN;
    weir_refer_ndarray(doc, &array);
    weir_end(doc);
    const weir_value *root = finished(doc);
    assert_int_equal(weir_get_i64(root, "0.1.0", &i64), WEIR_OK);
    assert_int_equal(i64, -4);
    assert_int_equal(weir_get_i64(root, "1.1.0", &i64), WEIR_OK);
    assert_int_equal(i64, 2);
    assert_int_equal(weir_get_i64(root, "1.1.1", &i64), WEIR_OK);
    assert_int_equal(i64, -4);
    static const char *const missing[] = {"0.2.0", "0.0.3", "0.0", "0.0.0.0", "0.x.0"};
    for (size_t i = 0; i < sizeof(missing) / sizeof(missing[0]); i++)
        assert_int_equal(weir_get_i64(root, missing[i], &i64), WEIR_ENOENT);
    assert_int_equal(weir_get_i64(root, "0", &i64), WEIR_ETYPE);
    const weir_value *found;
    assert_int_equal(weir_get(root, "0.0.0", &found), WEIR_ENOENT);
    assert_int_equal(weir_get(root, "1", &found), WEIR_OK);
    type_is(found, "i16[2,3]:col");
    assert_int_equal(weir_value_count(found), 6);
    weir_ndarray again;
    assert_int_equal(weir_get_ndarray(root, "1", &again), WEIR_OK);
    assert_ptr_equal(again.data, big_endian);
    assert_int_equal(again.big_endian, 1);
}

static void test_ndarrays_must_agree_with_themselves(void **state) {
    weir_doc *doc = *state;
    static const double data[4];
    const weir_ndarray good = {.element = WEIR_F64, .rank = 2, .shape = {2, 2}, .data = data, .size = 32};
    weir_ndarray bad[6] = {good, good, good, good, good, good};
    bad[0].element = 11;
    bad[1].rank = WEIR_RANK_MAX + 1;
    bad[2].size = 31;
    bad[3].shape[0] = UINT64_MAX;
    bad[4].data = NULL;
    bad[5].order = 2;
    for (size_t i = 0; i < 6; i++) {
        weir_put_ndarray(doc, &bad[i]);
        refused(doc, WEIR_EINVAL, "do not agree");
    }
    weir_ndarray empty = {.element = WEIR_U8, .rank = 2, .shape = {UINT64_MAX, 0}};
    weir_put_ndarray(doc, &empty);
    assert_int_equal(weir_value_count(finished(doc)), 0);
}

static void test_ndarrays_of_every_rank(void **state) {
    weir_doc *doc = *state;
    static const uint8_t one = 42;
    for (uint32_t rank = 0; rank <= WEIR_RANK_MAX; rank++) {
        weir_ndarray array = {
            .element = WEIR_U8, .rank = rank, .data = &one, .size = 1, .order = WEIR_COLUMN, .big_endian = 1};
        weir_ndarray again;
        for (uint32_t i = 0; i < rank; i++)
            array.shape[i] = 1;
        weir_doc_clear(doc);
        weir_begin_array(doc), weir_put_ndarray(doc, &array), weir_put_i64(doc, 5), weir_end(doc);
        const weir_value *root = finished(doc);
        int64_t behind;
        assert_int_equal(weir_get_i64(root, "1", &behind), WEIR_OK);
        assert_int_equal(behind, 5);
        assert_int_equal(weir_get_ndarray(root, "0", &again), WEIR_OK);
        assert_int_equal(again.rank, rank);
        assert_int_equal(again.size, 1);
        assert_int_equal(again.order, rank > 1 ? WEIR_COLUMN : WEIR_ROW); /* what means nothing is dropped */
        assert_int_equal(again.big_endian, 0);
    }
}

/* ---- copying and comparing ---- */

static void build_one_of_each(weir_doc *doc, const weir_ndarray *array) {
    weir_begin_map(doc);
    weir_put_key(doc, "list");
    weir_begin_array(doc);
    weir_put_null(doc), weir_put_undefined(doc), weir_put_bool(doc, 1), weir_put_i64(doc, -1);
    weir_put_u64(doc, UINT64_MAX), weir_put_f32(doc, 1.5f), weir_put_f64(doc, 1.5), weir_put_time(doc, 1);
    weir_put_bigint(doc, "123456789012345678901234567890", 30);
    weir_put_decimal(doc, "15", 2, 1);
    weir_put_text(doc, "text", 4), weir_put_bytes(doc, "text", 4), weir_put_text(doc, "", 0);
    weir_put_tag(doc, WEIR_TAG_CBOR, 32), weir_put_tag(doc, WEIR_TAG_SIMPLE, 99), weir_put_null(doc);
    weir_put_ndarray(doc, array);
    weir_end(doc);
    weir_begin_map(doc), weir_end(doc), weir_put_i64(doc, 1); /* a map as a key */
    weir_end(doc);
}

static void test_copies_are_equal_and_their_own(void **state) {
    weir_doc *doc = *state;
    weir_doc *source = NULL;
    double data[6] = {1, 2, 3, 4, 5, 6};
    weir_ndarray array = {.element = WEIR_F64, .rank = 2, .shape = {2, 3}, .data = data, .size = sizeof(data)};
    assert_int_equal(weir_doc_new(&source), WEIR_OK);
    build_one_of_each(source, &array);
    assert_int_equal(weir_doc_copy(doc, finished(source)), WEIR_OK);
    assert_true(weir_value_equal(weir_doc_root(doc), weir_doc_root(source)));
    weir_doc *again = NULL;
    assert_int_equal(weir_doc_new(&again), WEIR_OK);
    build_one_of_each(again, &array);
    weir_doc_free(source); /* the copy must not need it */
    assert_true(weir_value_equal(weir_doc_root(doc), finished(again)));
    weir_doc_free(again);
}

static void test_put_value_copies_into_any_place(void **state) {
    weir_doc *doc = *state;
    weir_doc *source = NULL;
    const weir_value *inner, *found;
    assert_int_equal(weir_doc_new(&source), WEIR_OK);
    assert_int_equal(weir_pack(source, &inner, NULL, "{s:[i,{s:s}]}", "a", 1L, "b", "c"), WEIR_OK);
    weir_begin_map(doc);
    weir_put_value(doc, inner);
    weir_put_tag(doc, WEIR_TAG_CBOR, 9), weir_put_value(doc, inner);
    weir_put_key(doc, "k"), weir_put_value(doc, inner);
    weir_end(doc);
    const weir_value *root = finished(doc);
    assert_int_equal(weir_get(root, "k", &found), WEIR_OK);
    assert_true(weir_value_equal(found, inner));
    weir_iter it;
    weir_iter_init(&it, root);
    assert_true(weir_iter_next(&it));
    assert_true(weir_value_equal(it.key, inner));
    type_is(it.value, "tag(9)");
    weir_doc_free(source);
}

/* The functions that are inline here are in the library too, and do the same. */
static void test_inline_and_exported_agree(void **state) {
    weir_doc *doc = *state;
    int (*const volatile kind_of)(const weir_value *) = weir_value_kind;
    void (*const volatile init)(weir_iter *, const weir_value *) = weir_iter_init;
    int (*const volatile next)(weir_iter *) = weir_iter_next;
    int (*const volatile get_i64)(const weir_value *, const char *, int64_t *) = weir_get_i64;
    weir_ndarray array = {.element = WEIR_U8, .rank = 2, .shape = {1, 2}, .data = "ab", .size = 2};
    weir_begin_map(doc);
    weir_put_i64(doc, 1), weir_put_decimal(doc, "15", 2, -1);
    weir_begin_array(doc), weir_put_i64(doc, 2), weir_end(doc), weir_refer_ndarray(doc, &array);
    weir_put_tag(doc, WEIR_TAG_CBOR, 9), weir_put_null(doc), weir_put_i64(doc, 3);
    weir_put_key(doc, "last"), weir_begin_map(doc), weir_end(doc);
    weir_end(doc);
    const weir_value *root = finished(doc);
    static const int kinds[][2] = {{WEIR_KIND_INT64, WEIR_KIND_DECIMAL},
                                   {WEIR_KIND_ARRAY, WEIR_KIND_NDARRAY},
                                   {WEIR_KIND_TAGGED, WEIR_KIND_INT64},
                                   {WEIR_KIND_TEXT, WEIR_KIND_MAP}};
    weir_iter a, b;
    int64_t integer = 0;
    weir_iter_init(&a, root), init(&b, root);
    for (int i = 0; i < 4; i++) {
        assert_true(weir_iter_next(&a) && next(&b) && a.key == b.key && a.value == b.value);
        assert_int_equal(kind_of(a.key), kinds[i][0]);
        assert_int_equal(weir_value_kind(a.value), kinds[i][1]);
        assert_int_equal(get_i64(a.value, NULL, &integer), i == 2 ? WEIR_OK : WEIR_ETYPE);
    }
    assert_int_equal(integer, 3);
    assert_false(weir_iter_next(&a) || next(&b));
    weir_iter_init(&a, a.value), init(&b, b.value); /* empty */
    assert_false(weir_iter_next(&a) || next(&b));
    weir_iter_init(&a, NULL);
    assert_false(weir_iter_next(&a));
    assert_int_equal(kind_of(NULL), 0);
}

static void test_reading_as_a_kind(void **state) {
    weir_doc *doc = *state;
    const weir_value *root;
    int flag = 0;
    int64_t i64 = 0;
    double f64 = 0;
    weir_view view;
    assert_int_equal(weir_pack(doc, &root, NULL, "{s:b s:i s:f s:s s:y s:t}", "b", 1, "i", 7L, "f", 8.0, "s", "text",
                               "y", "raw", (size_t)3, "t", 9L),
                     WEIR_OK);
    assert_int_equal(weir_get_as(root, "b", WEIR_KIND_BOOL, &flag), WEIR_OK);
    assert_int_equal(flag, 1);
    assert_int_equal(weir_get_as(root, "f", WEIR_KIND_INT64, &i64), WEIR_OK); /* converted, as weir_get_i64 does */
    assert_int_equal(i64, 8);
    assert_int_equal(weir_get_as(root, "i", WEIR_KIND_FLOAT64, &f64), WEIR_OK);
    assert_true(f64 == 7.0);
    assert_int_equal(weir_get_as(root, "t", WEIR_KIND_TIME, &i64), WEIR_OK);
    assert_int_equal(i64, 9);
    assert_int_equal(weir_get_as(root, "s", WEIR_KIND_TEXT, &view), WEIR_OK);
    assert_memory_equal(view.data, "text", view.size);
    assert_int_equal(weir_get_as(root, "y", WEIR_KIND_BYTES, &view), WEIR_OK);
    assert_int_equal(view.size, 3);
    assert_int_equal(weir_get_as(root, "s", WEIR_KIND_BYTES, &view), WEIR_ETYPE);
    assert_int_equal(weir_get_as(root, "s", WEIR_KIND_MAP, &view), WEIR_ETYPE);
    assert_int_equal(weir_get_as(root, "x", WEIR_KIND_TEXT, &view), WEIR_ENOENT);
    assert_int_equal(weir_get_as(NULL, NULL, WEIR_KIND_TEXT, &view), WEIR_ENOENT);
}

static void test_different_values_differ(void **state) {
    (void)state;
    static const char *const formats[] = {"[]", "{}", "[n]", "[[]]", "[nn]", "{nn}", "n"};
    enum { COUNT = 7, NUMBERS = 10 };
    weir_doc *docs[COUNT + NUMBERS];
    const weir_value *values[COUNT + NUMBERS];
    uint32_t number32 = 1;
    for (int i = 0; i < COUNT + NUMBERS; i++)
        assert_int_equal(weir_doc_new(&docs[i]), WEIR_OK);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(weir_pack(docs[i], &values[i], NULL, formats[i]), WEIR_OK);
    weir_ndarray array = {.element = WEIR_U32, .rank = 1, .shape = {1}, .data = &number32, .size = 4};
    weir_put_i64(docs[7], 1), weir_put_f64(docs[8], 1), weir_put_f32(docs[9], 1), weir_put_time(docs[10], 1);
    weir_put_f64(docs[11], 0.0), weir_put_f64(docs[12], -0.0), weir_put_text(docs[13], "1", 1);
    weir_put_bytes(docs[14], "1", 1), weir_put_ndarray(docs[15], &array);
    array.element = WEIR_I32;
    weir_put_ndarray(docs[16], &array);
    for (int i = COUNT; i < COUNT + NUMBERS; i++)
        values[i] = finished(docs[i]);
    for (int i = 0; i < COUNT + NUMBERS; i++)
        for (int j = 0; j < COUNT + NUMBERS; j++) {
            int order = weir_value_compare(values[i], values[j]);
            assert_int_equal(order == 0, i == j);
            assert_int_equal(order<0, weir_value_compare(values[j], values[i])> 0);
            assert_int_equal(weir_value_equal(values[i], values[j]), i == j);
        }
    assert_false(weir_value_equal(values[0], NULL));
    assert_true(weir_value_equal(NULL, NULL));
    for (int i = 0; i < COUNT + NUMBERS; i++)
        weir_doc_free(docs[i]);
}

static void test_repeated_keys_are_found(void **state) {
    weir_doc *doc = *state;
    const struct weir_value *repeated;
    for (int count = 1; count < 200; count += 13) {
        for (int twice = 0; twice < 2; twice++) {
            weir_doc_clear(doc);
            weir_begin_map(doc);
            for (int i = 0; i < count; i++)
                weir_put_i64(doc, (i * 7919) % 1000), weir_begin_array(doc), weir_end(doc);
            if (twice)
                weir_put_i64(doc, 0), weir_put_null(doc); /* as the first */
            weir_end(doc);
            assert_int_equal(weir_map_repeated_key(finished(doc), &repeated), WEIR_OK);
            assert_int_equal(repeated != NULL, twice);
            if (twice)
                assert_int_equal(repeated->as.i64, 0);
        }
    }
}

/* ---- times ---- */

static void test_times_as_text(void **state) {
    static const struct {
        int64_t ns;
        const char *text;
    } times[] = {
        {0, "1970-01-01T00:00:00Z"},
        {-1, "1969-12-31T23:59:59.999999999Z"},
        {INT64_C(1363896240500000000), "2013-03-21T20:04:00.5Z"},
        {INT64_C(951782400000000000), "2000-02-29T00:00:00Z"},
        {INT64_C(-2203891200000000001), "1900-02-28T23:59:59.999999999Z"},
        {INT64_MAX, "2262-04-11T23:47:16.854775807Z"},
        {INT64_MIN, "1677-09-21T00:12:43.145224192Z"},
    };
    static const struct {
        const char *text;
        const char *written;
    } others[] = {
        {"2013-03-21T20:04:00.50Z", "2013-03-21T20:04:00.5Z"},
        {"2013-03-21T20:04:00.000000000Z", "2013-03-21T20:04:00Z"},
        {"2013-03-21t20:04:00z", "2013-03-21T20:04:00Z"},
        {"2013-03-21T20:04:00+01:00", "2013-03-21T19:04:00Z"},
        {"2013-03-21T20:04:00.123456789-23:59", "2013-03-22T20:03:00.123456789Z"},
        {"2012-12-31T23:30:00-00:45", "2013-01-01T00:15:00Z"},
        {"2013-03-21T20:04:00.0-00:00", "2013-03-21T20:04:00Z"},
        {"2262-04-12T00:47:16.854775807+01:00", "2262-04-11T23:47:16.854775807Z"},
    };
    static const char *const bad[] = {
        "2013-03-21T20:04:00",       "2013-02-29T00:00:00Z",      "2013-03-21T24:00:00Z",
        "2013-00-01T00:00:00Z",      "9999-01-01T00:00:00Z",      "2013-03-21T20:04:00.Z",
        "2013-03-21T20:04:60Z",      "2013-03-21 20:04:00Z",      "x013-03-21T20:04:00Z",
        "2013-13-01T00:00:00Z",      "2013-03-32T00:00:00Z",      "2013-04-31T00:00:00Z",
        "2013-03-21T20:60:00Z",      "2013-03-21T20:04:00.5",     "2013-03-21T20:04:00+24:00",
        "2013-03-21T20:04:00+01:60", "2013-03-21T20:04:00+0100",  "2013-03-21T20:04:00+01",
        "2013-03-21T20:04:00Zx",     "2013-03-21T20:04:00.1x",    "2013-03-21T20:04:00.1234567890Z",
        "2262-04-11T23:47:17Z",      "2013-03-21T20:04:00,5Z",    "2013-03-2T020:04:00Z",
        "1677-09-21T00:12:43.1Z",    "2013-03-21T20:04:00+01:00Z"};
    char text[WEIR_TIME_TEXT_MAX];
    int64_t ns;
    (void)state;
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        assert_int_equal(weir_time_write(text, times[i].ns), strlen(times[i].text));
        assert_string_equal(text, times[i].text);
        assert_int_equal(weir_time_read(text, strlen(text), &ns), WEIR_OK);
        assert_true(ns == times[i].ns);
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_int_equal(weir_time_read(others[i].text, strlen(others[i].text), &ns), WEIR_OK);
        weir_time_write(text, ns);
        assert_string_equal(text, others[i].written);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(weir_time_read(bad[i], strlen(bad[i]), &ns), WEIR_EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_kind_is_built_and_read, doc_setup, doc_teardown),
        cmocka_unit_test_setup_teardown(test_misuse_is_refused_with_a_sentence, doc_setup, doc_teardown),
        cmocka_unit_test_setup_teardown(test_numbers_and_tags_that_there_are_not, doc_setup, doc_teardown),
        cmocka_unit_test_setup_teardown(test_the_first_failure_sticks, doc_setup, doc_teardown),
        cmocka_unit_test_setup_teardown(test_depth_has_a_limit, doc_setup, doc_teardown),
        cmocka_unit_test_setup_teardown(test_borrowed_bytes_stay_where_they_are, doc_setup, doc_teardown),
        cmocka_unit_test_setup_teardown(test_pack_knows_every_letter, doc_setup, doc_teardown),
        cmocka_unit_test_setup_teardown(test_pack_refuses_mistakes, doc_setup, doc_teardown),
        cmocka_unit_test_setup_teardown(test_paths, doc_setup, doc_teardown),
        cmocka_unit_test_setup_teardown(test_paths_through_tags_and_integer_keys, doc_setup, doc_teardown),
        cmocka_unit_test_setup_teardown(test_numbers_convert_only_without_loss, doc_setup, doc_teardown),
        cmocka_unit_test_setup_teardown(test_integers_take_the_smallest_kind, doc_setup, doc_teardown),
        cmocka_unit_test(test_digits_and_bytes_are_the_same_number),
        cmocka_unit_test_setup_teardown(test_integers_have_a_limit, doc_setup, doc_teardown),
        cmocka_unit_test_setup_teardown(test_bytes_have_the_same_limit, doc_setup, doc_teardown),
        cmocka_unit_test_setup_teardown(test_decimals, doc_setup, doc_teardown),
        cmocka_unit_test_setup_teardown(test_ndarray_elements_by_path, doc_setup, doc_teardown),
        cmocka_unit_test_setup_teardown(test_ndarrays_must_agree_with_themselves, doc_setup, doc_teardown),
        cmocka_unit_test_setup_teardown(test_ndarrays_of_every_rank, doc_setup, doc_teardown),
        cmocka_unit_test_setup_teardown(test_copies_are_equal_and_their_own, doc_setup, doc_teardown),
        cmocka_unit_test_setup_teardown(test_put_value_copies_into_any_place, doc_setup, doc_teardown),
        cmocka_unit_test_setup_teardown(test_inline_and_exported_agree, doc_setup, doc_teardown),
        cmocka_unit_test_setup_teardown(test_reading_as_a_kind, doc_setup, doc_teardown),
        cmocka_unit_test(test_different_values_differ),
        cmocka_unit_test_setup_teardown(test_repeated_keys_are_found, doc_setup, doc_teardown),
        cmocka_unit_test(test_times_as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
