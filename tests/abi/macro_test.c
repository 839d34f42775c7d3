/* Every public macro and constant used once: one that does not compile, or is renumbered, fails here. */
#include <weir/weir.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static void test_version_macros_are_the_version(void **state) {
    char text[32];
    (void)state;
    snprintf(text, sizeof(text), "%d.%d.%d", WEIR_VERSION_MAJOR, WEIR_VERSION_MINOR, WEIR_VERSION_PATCH);
    assert_string_equal(weir_version(), text);
#if WEIR_VERSION_MAJOR < 0 || WEIR_VERSION_MINOR < 0 || WEIR_VERSION_PATCH < 0
#error "the version must be usable in #if"
#endif
}

static void test_options_initialiser(void **state) {
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    (void)state;
    assert_int_equal(options.struct_size, sizeof(options));
    assert_int_equal(options.flags, 0);
    assert_int_equal(options.bytes_max, 0);
}

static void test_forever_is_a_duration(void **state) {
    int64_t timeout_ns = WEIR_FOREVER;
    (void)state;
    assert_true(timeout_ns < 0);
}

WEIR_API int weir_api_marks_a_function(void);
int weir_api_marks_a_function(void) {
    return 1;
}

static void test_api_marks_a_function(void **state) {
    (void)state;
    assert_int_equal(weir_api_marks_a_function(), 1);
}

/* The numbers are part of the ABI: they are written out here once more on purpose. */
static void test_numbers_stay(void **state) {
    static const int expected[][2] = {
        {WEIR_OK, 0},           {WEIR_EAGAIN, 1},        {WEIR_ETIMEOUT, 2},     {WEIR_ECLOSED, 3},
        {WEIR_ETOOBIG, 4},      {WEIR_ENOENT, 5},        {WEIR_ETYPE, 6},        {WEIR_EREMOTE, 7},
        {WEIR_EPEER, 8},        {WEIR_EBUSY, 9},         {WEIR_EINVAL, 10},      {WEIR_EADDRESS, 11},
        {WEIR_EACCESS, 12},     {WEIR_EPARSE, 13},       {WEIR_EENCODE, 14},     {WEIR_ELIMIT, 15},
        {WEIR_ENOMEM, 16},      {WEIR_ENOSPC, 17},       {WEIR_ESYSTEM, 18},     {WEIR_ECORRUPT, 19},
        {WEIR_EVERSION, 20},    {WEIR_ENOTSUP, 21},      {WEIR_EFORKED, 22},     {WEIR_EFENCED, 23},
        {WEIR_KIND_NULL, 1},    {WEIR_KIND_UNDEFINED, 2}, {WEIR_KIND_BOOL, 3},   {WEIR_KIND_INT64, 4},
        {WEIR_KIND_UINT64, 5},  {WEIR_KIND_BIGINT, 6},   {WEIR_KIND_FLOAT32, 7}, {WEIR_KIND_FLOAT64, 8},
        {WEIR_KIND_DECIMAL, 9}, {WEIR_KIND_TEXT, 10},    {WEIR_KIND_BYTES, 11},  {WEIR_KIND_TIME, 12},
        {WEIR_KIND_ARRAY, 13},  {WEIR_KIND_MAP, 14},     {WEIR_KIND_NDARRAY, 15}, {WEIR_KIND_TAGGED, 16},
        {WEIR_U8, 1},           {WEIR_U16, 2},           {WEIR_U32, 3},          {WEIR_U64, 4},
        {WEIR_I8, 5},           {WEIR_I16, 6},           {WEIR_I32, 7},          {WEIR_I64, 8},
        {WEIR_F32, 9},          {WEIR_F64, 10},          {WEIR_ROW, 0},          {WEIR_COLUMN, 1},
        {WEIR_TAG_CBOR, 0},     {WEIR_TAG_SIMPLE, 1},    {WEIR_TAG_BSON, 2},     {WEIR_CODEC_JSON, 1},
        {WEIR_CODEC_CBOR, 2},   {WEIR_CODEC_SMILE, 3},   {WEIR_CODEC_BSON, 4},   {WEIR_CODEC_RAW, 5},
        {WEIR_PLAIN, 1},        {WEIR_STRICT, 2},        {WEIR_CANONICAL, 4},    {WEIR_PRETTY, 8},
        {WEIR_SEQUENCE, 16},    {WEIR_RANK_MAX, 15},     {WEIR_OP_MAX, 255},     {WEIR_DEPTH_MAX, 64},
        {WEIR_ROUND, 1},        {WEIR_TYPE_TEXT_MAX, 4096}, {WEIR_TYPE_STRUCTS_MAX, 16}, {WEIR_TYPE_FIELDS_MAX, 1024},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        assert_int_equal(expected[i][0], expected[i][1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_macros_are_the_version), cmocka_unit_test(test_options_initialiser),
        cmocka_unit_test(test_forever_is_a_duration),          cmocka_unit_test(test_api_marks_a_function),
        cmocka_unit_test(test_numbers_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
