/* Raw data: what types are spelt like, sizes that disagree, every element in every shape, the order of indices,
 * sources whose elements are big-endian, and what has no raw form. What every codec promises is tested in
 * tests/conformance/codec_test.c. */
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
    weir_doc *decoded;
    weir_buffer *out;
    weir_error err;
};

static int setup(void **state) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    *state = fixture;
    return !fixture || weir_doc_new(&fixture->doc) != WEIR_OK || weir_doc_new(&fixture->decoded) != WEIR_OK ||
           weir_buffer_new(&fixture->out) != WEIR_OK;
}

static int teardown(void **state) {
    struct fixture *fixture = *state;
    weir_doc_free(fixture->doc);
    weir_doc_free(fixture->decoded);
    weir_buffer_free(fixture->out);
    free(fixture);
    return 0;
}

static int parse(struct fixture *fixture, const char *text, weir_ndarray *ret) {
    fixture->err = (weir_error){0};
    int status = weir_raw_type_parse(text, strlen(text), ret, &fixture->err);
    assert_int_equal(status, fixture->err.code);
    return status;
}

/* ---- types ---- */

struct type_case {
    const char *text;
    uint32_t element, rank, order;
    size_t size;
};

static void test_types(void **state) {
    static const struct type_case cases[] = {
        {"u8", WEIR_U8, 0, WEIR_ROW, 1},
        {"u16", WEIR_U16, 0, WEIR_ROW, 2},
        {"u32", WEIR_U32, 0, WEIR_ROW, 4},
        {"u64", WEIR_U64, 0, WEIR_ROW, 8},
        {"i8", WEIR_I8, 0, WEIR_ROW, 1},
        {"i16", WEIR_I16, 0, WEIR_ROW, 2},
        {"i32", WEIR_I32, 0, WEIR_ROW, 4},
        {"i64", WEIR_I64, 0, WEIR_ROW, 8},
        {"f32", WEIR_F32, 0, WEIR_ROW, 4},
        {"f64", WEIR_F64, 0, WEIR_ROW, 8},
        {"u8[0]", WEIR_U8, 1, WEIR_ROW, 0},
        {"u8[4096]", WEIR_U8, 1, WEIR_ROW, 4096},
        {"f64[4,256]", WEIR_F64, 2, WEIR_ROW, 8192},
        {"f32[3,3]:col", WEIR_F32, 2, WEIR_COLUMN, 36},
        {"i16[2,0,18446744073709551615]", WEIR_I16, 3, WEIR_ROW, 0},
        {"u8[1,2,3,4,5,1,1,1,1,1,1,1,1,1,1]", WEIR_U8, 15, WEIR_ROW, 120},
        {"u8[1,2,3,4,5,1,1,1,1,1,1,1,1,1,1]:col", WEIR_U8, 15, WEIR_COLUMN, 120},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[WEIR_RAW_TYPE_MAX];
        weir_ndarray type;
        assert_int_equal(parse(*state, cases[i].text, &type), WEIR_OK);
        assert_int_equal(type.element, cases[i].element);
        assert_int_equal(type.rank, cases[i].rank);
        assert_int_equal(type.order, cases[i].order);
        assert_int_equal(type.size, cases[i].size);
        assert_int_equal(type.big_endian, 0);
        assert_int_equal(weir_raw_type_write(&type, text), strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
    }
}

static void test_shape_of_a_type(void **state) {
    weir_ndarray type;
    assert_int_equal(parse(*state, "f32[7,1,18446744073709551615,0]:col", &type), WEIR_OK);
    static const uint64_t shape[] = {7, 1, UINT64_MAX, 0};
    assert_int_equal(type.rank, 4);
    assert_memory_equal(type.shape, shape, sizeof(shape));
    assert_int_equal(parse(*state, "u8[3]:col", &type), WEIR_OK); /* one dimension has one order */
    assert_int_equal(type.order, WEIR_ROW);
}

/* The longest type there is fits into what is kept for it. */
static void test_longest_type(void **state) {
    char text[WEIR_RAW_TYPE_MAX + 8] = "f64[0";
    char again[WEIR_RAW_TYPE_MAX];
    weir_ndarray type;
    for (int i = 1; i < WEIR_RANK_MAX; i++)
        strcat(text, ",18446744073709551615");
    strcat(text, "]:col");
    assert_true(strlen(text) < WEIR_RAW_TYPE_MAX);
    assert_int_equal(parse(*state, text, &type), WEIR_OK);
    weir_raw_type_write(&type, again);
    assert_string_equal(again, text);
}

static void test_wrong_types(void **state) {
    struct fixture *fixture = *state;
    static const char *const cases[] = {"",
                                        " u8",
                                        "f",
                                        "u7",
                                        "u128",
                                        "f16",
                                        "F64",
                                        "double",
                                        "u8 ",
                                        "u8[",
                                        "u8[]",
                                        "u8[3",
                                        "u8[3]]",
                                        "u8[3,]",
                                        "u8[,3]",
                                        "u8[3 ]",
                                        "u8[ 3]",
                                        "u8[-3]",
                                        "u8[+3]",
                                        "u8[03]",
                                        "u8[00]",
                                        "u8[0x3]",
                                        "u8[3.0]",
                                        "u8[3;4]",
                                        "u8[3][4]",
                                        "u8(3)",
                                        "u8:",
                                        "u8[3]:",
                                        "u8[3]:c",
                                        "u8[3,3]:co",
                                        "u8[3,3]:row",
                                        "u8[3,3]:COL",
                                        "u8[3,3]:cols",
                                        "u8[3,3] :col",
                                        "u8[3,3]:col:col",
                                        "u8[18446744073709551616]",
                                        "u8[99999999999999999999999]",
                                        "u16[9223372036854775808]",
                                        "f64[2305843009213693952]",
                                        "u8[4294967296,4294967296]",
                                        "u8[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]",
                                        "8u",
                                        "[3]",
                                        ":col",
                                        "u8\n",
                                        "u8[3]u8"};
    for (size_t i = 0; i < COUNT(cases); i++) {
        weir_ndarray type = {.element = 77};
        if (parse(fixture, cases[i], &type) != WEIR_EINVAL)
            fail_msg("\"%s\" is taken for a type", cases[i]);
        assert_int_equal(type.element, 77); /* results are written on success only */
        assert_true(strlen(fixture->err.text) > 20);
    }
    /* A text that is not ended where its size says is not looked at behind that. */
    weir_ndarray type;
    assert_int_equal(weir_raw_type_parse("u8[3]", 2, &type, NULL), WEIR_OK);
    assert_int_equal(type.rank, 0);
    assert_int_equal(weir_raw_type_parse("u8[3]", 4, &type, NULL), WEIR_EINVAL);
    assert_int_equal(weir_raw_type_parse("u8\0[3]", 6, &type, NULL), WEIR_EINVAL);
}

/* Each character of good types replaced by each other one: no type that would not be written the same way, but for
 * the order of one dimension. */
static void test_damaged_types(void **state) {
    static const char *const good[] = {"f64[4,256]", "f32[3,3]:col", "u8", "i16[0]"};
    for (size_t i = 0; i < COUNT(good); i++)
        for (size_t at = 0; at < strlen(good[i]); at++)
            for (int c = 1; c < 256; c++) {
                char text[32], written[WEIR_RAW_TYPE_MAX];
                weir_ndarray type;
                strcpy(text, good[i]);
                text[at] = (char)c;
                if (parse(*state, text, &type) != WEIR_OK)
                    continue;
                weir_raw_type_write(&type, written);
                if (type.rank <= 1 && strstr(text, ":col"))
                    strcat(written, ":col");
                assert_string_equal(written, text);
            }
}

/* ---- sizes ---- */

static void test_sizes_that_disagree(void **state) {
    struct fixture *fixture = *state;
    static const unsigned char bytes[128];
    static const char *const types[] = {"u8",       "f64",          "u8[3]", "u16[3]",
                                        "f64[2,3]", "f32[3,3]:col", "u8[0]", "i32[0,7]"};
    for (size_t i = 0; i < COUNT(types); i++) {
        weir_ndarray type;
        assert_int_equal(parse(fixture, types[i], &type), WEIR_OK);
        for (size_t size = 0; size < sizeof(bytes); size++) {
            int status = weir_raw_document(fixture->doc, &type, bytes, size, &fixture->err);
            assert_int_equal(status, size == type.size ? WEIR_OK : WEIR_EPARSE);
            assert_int_equal(status == WEIR_OK, weir_doc_root(fixture->doc) != NULL);
            if (status == WEIR_OK)
                continue;
            assert_int_equal(fixture->err.code, WEIR_EPARSE);
            assert_non_null(strstr(fixture->err.text, types[i]));
        }
    }
}

/* ---- elements ---- */

/* The numbers 1, 2, 3 ... as elements of a type, most or least significant byte first. */
static void fill(unsigned char *to, uint32_t element, size_t count, int is_big_endian) {
    size_t width = weir_element_size(element);
    for (size_t i = 0; i < count; i++) {
        unsigned char little[8] = {(unsigned char)(i + 1)};
        float single = (float)(i + 1);
        double number = (double)(i + 1);
        uint64_t bits = 0;
        uint32_t short_bits;
        memcpy(&bits, &number, sizeof(bits));
        memcpy(&short_bits, &single, sizeof(short_bits));
        for (size_t j = 0; element >= WEIR_F32 && j < width; j++)
            little[j] = (unsigned char)((element == WEIR_F32 ? short_bits : bits) >> 8 * j);
        for (size_t j = 0; j < width; j++)
            to[i * width + j] = little[is_big_endian ? width - 1 - j : j];
    }
}

static weir_ndarray array_of(uint32_t element, uint32_t rank, const uint64_t *shape, const void *data) {
    weir_ndarray array = {.element = element, .rank = rank, .data = data};
    memcpy(array.shape, shape, rank * sizeof(*shape));
    array.size = weir_ndarray_count(&array) * weir_element_size(element);
    return array;
}

/* Encode one ndarray as the root. Return: its bytes. */
static weir_view encode_array(struct fixture *fixture, const weir_ndarray *array) {
    const weir_value *root = NULL;
    weir_doc_clear(fixture->doc);
    weir_put_ndarray(fixture->doc, array);
    assert_int_equal(weir_doc_finish(fixture->doc, &root, &fixture->err), WEIR_OK);
    weir_buffer_clear(fixture->out);
    assert_int_equal(weir_encode(root, WEIR_CODEC_RAW, NULL, fixture->out, &fixture->err), WEIR_OK);
    return weir_buffer_view(fixture->out);
}

static void check_array(struct fixture *fixture, const weir_ndarray *array, const unsigned char *little) {
    weir_ndarray described, type, back;
    char text[WEIR_RAW_TYPE_MAX];
    weir_view bytes = encode_array(fixture, array);
    assert_int_equal(bytes.size, array->size);
    if (array->size > 0)
        assert_memory_equal(bytes.data, little, array->size);
    assert_int_equal(weir_raw_describe(weir_doc_root(fixture->doc), &described, &fixture->err), WEIR_OK);
    weir_raw_type_write(&described, text);
    assert_int_equal(parse(fixture, text, &type), WEIR_OK);
    assert_int_equal(weir_raw_document(fixture->decoded, &type, bytes.data, bytes.size, &fixture->err), WEIR_OK);
    if (array->rank == 0)
        return;
    assert_int_equal(weir_get_ndarray(weir_doc_root(fixture->decoded), NULL, &back), WEIR_OK);
    assert_int_equal(back.element, array->element);
    assert_int_equal(back.rank, array->rank);
    assert_int_equal(back.order, array->rank > 1 ? array->order : WEIR_ROW);
    assert_int_equal(back.big_endian, 0);
    assert_memory_equal(back.shape, array->shape, array->rank * sizeof(array->shape[0]));
    if (array->size > 0)
        assert_ptr_equal(back.data, bytes.data); /* borrowed */
}

static void test_every_element_and_shape(void **state) {
    static const struct {
        uint32_t rank;
        uint64_t shape[WEIR_RANK_MAX];
    } shapes[] = {
        {0, {0}},          {1, {0}},
        {1, {1}},          {1, {7}},
        {2, {1, 1}},       {2, {2, 3}},
        {2, {0, 3}},       {3, {2, 1, 3}},
        {4, {2, 2, 2, 2}}, {15, {1, 2, 1, 1, 1, 3, 1, 1, 1, 1, 1, 1, 1, 1, 2}},
    };
    int cases = 0;
    for (uint32_t element = WEIR_U8; element <= WEIR_F64; element++)
        for (size_t i = 0; i < COUNT(shapes); i++)
            for (uint32_t variant = 0; variant < 4; variant++) {
                unsigned char data[256], little[256];
                weir_ndarray array = array_of(element, shapes[i].rank, shapes[i].shape, data);
                array.big_endian = variant & 1;
                array.order = variant >> 1;
                fill(data, element, array.size / weir_element_size(element), (int)array.big_endian);
                fill(little, element, array.size / weir_element_size(element), 0);
                check_array(*state, &array, little);
                cases++;
            }
    print_message("%d elements, shapes, orders and endiannesses\n", cases);
}

/* Column order is said in the type; the bytes stay as they lie. */
static void test_column_order(void **state) {
    struct fixture *fixture = *state;
    static const unsigned char data[] = {1, 4, 2, 5, 3, 6};
    static const uint64_t shape[] = {2, 3};
    weir_ndarray array = array_of(WEIR_U8, 2, shape, data), described;
    char text[WEIR_RAW_TYPE_MAX];
    array.order = WEIR_COLUMN;
    weir_view bytes = encode_array(fixture, &array);
    assert_memory_equal(bytes.data, data, sizeof(data));
    assert_int_equal(weir_raw_describe(weir_doc_root(fixture->doc), &described, NULL), WEIR_OK);
    weir_raw_type_write(&described, text);
    assert_string_equal(text, "u8[2,3]:col");
}

/* ---- numbers and bytes ---- */

static void check_number(struct fixture *fixture, const char *type_text, const void *little, size_t size) {
    const weir_value *root = NULL;
    weir_ndarray described, type;
    char text[WEIR_RAW_TYPE_MAX];
    assert_int_equal(weir_doc_finish(fixture->doc, &root, NULL), WEIR_OK);
    assert_int_equal(weir_raw_describe(root, &described, NULL), WEIR_OK);
    weir_raw_type_write(&described, text);
    assert_string_equal(text, type_text);
    weir_buffer_clear(fixture->out);
    assert_int_equal(weir_encode(root, WEIR_CODEC_RAW, NULL, fixture->out, NULL), WEIR_OK);
    weir_view bytes = weir_buffer_view(fixture->out);
    assert_int_equal(bytes.size, size);
    assert_memory_equal(bytes.data, little, size);
    assert_int_equal(parse(fixture, text, &type), WEIR_OK);
    assert_int_equal(weir_raw_document(fixture->decoded, &type, bytes.data, bytes.size, NULL), WEIR_OK);
    if (described.rank == 0)
        assert_true(weir_value_equal(root, weir_doc_root(fixture->decoded)));
    weir_doc_clear(fixture->doc);
}

static void test_numbers_and_bytes(void **state) {
    struct fixture *fixture = *state;
    weir_put_i64(fixture->doc, -2);
    check_number(fixture, "i64", "\xfe\xff\xff\xff\xff\xff\xff\xff", 8);
    weir_put_i64(fixture->doc, 0x0102030405060708);
    check_number(fixture, "i64", "\x08\x07\x06\x05\x04\x03\x02\x01", 8);
    weir_put_u64(fixture->doc, UINT64_MAX - 1);
    check_number(fixture, "u64", "\xfe\xff\xff\xff\xff\xff\xff\xff", 8);
    weir_put_f64(fixture->doc, 1.5);
    check_number(fixture, "f64", "\0\0\0\0\0\0\xf8\x3f", 8);
    weir_put_f32(fixture->doc, -2.5f);
    check_number(fixture, "f32", "\0\0\x20\xc0", 4);
    weir_put_bytes(fixture->doc, "abc", 3);
    check_number(fixture, "u8[3]", "abc", 3);
    weir_put_bytes(fixture->doc, "", 0);
    check_number(fixture, "u8[0]", "", 0);
}

/* A number of a narrow element becomes the kind that holds it. */
static void test_kinds_of_numbers(void **state) {
    struct fixture *fixture = *state;
    static const struct {
        const char *type;
        const char *bytes;
        int kind;
        int64_t value;
    } cases[] = {
        {"u8", "\xff", WEIR_KIND_INT64, 255},
        {"i8", "\xff", WEIR_KIND_INT64, -1},
        {"u16", "\xff\xfe", WEIR_KIND_INT64, 0xfeff},
        {"i16", "\xff\xfe", WEIR_KIND_INT64, -257},
        {"u32", "\xff\xff\xff\xff", WEIR_KIND_INT64, UINT32_MAX},
        {"i32", "\xff\xff\xff\xff", WEIR_KIND_INT64, -1},
        {"u64", "\xff\xff\xff\xff\xff\xff\xff\x7f", WEIR_KIND_INT64, INT64_MAX},
        {"u64", "\0\0\0\0\0\0\0\x80", WEIR_KIND_UINT64, 0},
        {"i64", "\0\0\0\0\0\0\0\x80", WEIR_KIND_INT64, INT64_MIN},
        {"f32", "\0\0\x80\x3f", WEIR_KIND_FLOAT32, 0},
        {"f64", "\0\0\0\0\0\0\xf0\x3f", WEIR_KIND_FLOAT64, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        weir_ndarray type;
        assert_int_equal(parse(fixture, cases[i].type, &type), WEIR_OK);
        assert_int_equal(weir_raw_document(fixture->doc, &type, cases[i].bytes, type.size, NULL), WEIR_OK);
        const weir_value *root = weir_doc_root(fixture->doc);
        assert_int_equal(weir_value_kind(root), cases[i].kind);
        int64_t value = 0;
        double number = 0;
        uint64_t large = 0;
        if (cases[i].kind == WEIR_KIND_INT64) {
            assert_int_equal(weir_get_i64(root, NULL, &value), WEIR_OK);
            assert_true(value == cases[i].value);
        } else if (cases[i].kind == WEIR_KIND_UINT64) {
            assert_int_equal(weir_get_u64(root, NULL, &large), WEIR_OK);
            assert_true(large == UINT64_C(1) << 63);
        } else {
            assert_int_equal(weir_get_f64(root, NULL, &number), WEIR_OK);
            assert_true(number == 1.0);
        }
    }
}

static void test_no_raw_form(void **state) {
    struct fixture *fixture = *state;
    static const char *const documents[] = {"null",
                                            "true",
                                            "\"text\"",
                                            "[1,2]",
                                            "{}",
                                            "18446744073709551616",
                                            "{\"$undefined\":true}",
                                            "{\"$time\":\"2020-01-01T00:00:00Z\"}",
                                            "{\"$numberDecimal\":\"1.5\"}",
                                            "{\"$tag\":[1000000,1]}"};
    for (size_t i = 0; i < COUNT(documents); i++)
        for (uint32_t flags = 0; flags <= WEIR_STRICT; flags++) {
            weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
            options.flags = flags;
            assert_int_equal(
                weir_decode(fixture->doc, WEIR_CODEC_JSON, documents[i], strlen(documents[i]), NULL, NULL, NULL),
                WEIR_OK);
            weir_buffer_clear(fixture->out);
            assert_int_equal(weir_buffer_append(fixture->out, "kept", 4), WEIR_OK);
            fixture->err = (weir_error){0};
            int status =
                weir_encode(weir_doc_root(fixture->doc), WEIR_CODEC_RAW, &options, fixture->out, &fixture->err);
            assert_int_equal(status, WEIR_EENCODE);
            assert_int_equal(fixture->err.code, WEIR_EENCODE);
            assert_int_equal(weir_buffer_view(fixture->out).size, 4);
        }
}

/* Without a type, bytes are bytes: u8[n]. */
static void test_decoding_without_a_type(void **state) {
    struct fixture *fixture = *state;
    static const char bytes[] = "any bytes at all";
    for (size_t size = 0; size < sizeof(bytes); size++) {
        weir_ndarray array;
        size_t used = SIZE_MAX;
        assert_int_equal(weir_decode(fixture->doc, WEIR_CODEC_RAW, bytes, size, NULL, &used, NULL), WEIR_OK);
        assert_int_equal(used, size);
        assert_int_equal(weir_get_ndarray(weir_doc_root(fixture->doc), NULL, &array), WEIR_OK);
        assert_int_equal(array.element, WEIR_U8);
        assert_int_equal(array.rank, 1);
        assert_int_equal(array.shape[0], size);
        if (size > 0)
            assert_ptr_equal(array.data, bytes);
    }
    assert_int_equal(weir_decode(fixture->doc, WEIR_CODEC_RAW, NULL, 0, NULL, NULL, NULL), WEIR_OK);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_types),
        TEST(test_shape_of_a_type),
        TEST(test_longest_type),
        TEST(test_wrong_types),
        TEST(test_damaged_types),
        TEST(test_sizes_that_disagree),
        TEST(test_every_element_and_shape),
        TEST(test_column_order),
        TEST(test_numbers_and_bytes),
        TEST(test_kinds_of_numbers),
        TEST(test_no_raw_form),
        TEST(test_decoding_without_a_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
