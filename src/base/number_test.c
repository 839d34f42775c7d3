/* Numbers and text: the C library's strtod, strtof and printf are the oracles, over borders, a seeded sample of all bit
 * patterns, decimals near the points half way between floats, and the published numbers of the corpora when they are
 * there.
 *
 * WEIR_SEED chooses another sample, WEIR_ROUNDS a longer one. */
#include "base/number.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t random_state;
static uint64_t rounds;

static uint64_t random_word(void) { /* splitmix64 */
    uint64_t z = random_state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static uint64_t f64_bits(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static double bits_f64(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static uint32_t f32_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static float bits_f32(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* ---- integers ---- */

static void check_integer(uint64_t value) {
    char text[WEIR_I64_TEXT_MAX + 1];
    char expected[32];
    snprintf(expected, sizeof(expected), "%" PRIu64, value);
    text[weir_u64_write(text, value)] = '\0';
    assert_string_equal(text, expected);
    snprintf(expected, sizeof(expected), "%" PRId64, (int64_t)value);
    text[weir_i64_write(text, (int64_t)value)] = '\0';
    assert_string_equal(text, expected);
}

static void test_integers(void **state) {
    (void)state;
    for (uint64_t value = 0; value < 20000; value++)
        check_integer(value);
    for (uint64_t power = 1; power < UINT64_MAX / 10; power *= 10)
        for (int64_t around = -2; around <= 2; around++)
            check_integer(power * 10 + (uint64_t)around);
    check_integer(INT64_MAX);
    check_integer((uint64_t)INT64_MIN);
    check_integer(UINT64_MAX);
    for (uint64_t round = 0; round < rounds; round++) {
        uint64_t word = random_word();
        check_integer(word >> (word & 63));
    }
}

/* ---- writing ---- */

static int significant_digits(const char *text) {
    int count = 0;
    int zeros = 0;
    for (; *text && *text != 'e'; text++) {
        if (*text < '0' || *text > '9' || (count == 0 && *text == '0'))
            continue;
        zeros = *text == '0' ? zeros + 1 : 0;
        count++;
    }
    return count - zeros;
}

static void check_written_f64(double value) {
    char text[WEIR_F64_TEXT_MAX + 1];
    size_t size = weir_f64_write(text, value);
    assert_true(size < WEIR_F64_TEXT_MAX);
    text[size] = '\0';
    assert_non_null(strpbrk(text, ".e"));
    if (f64_bits(strtod(text, NULL)) != f64_bits(value) || f64_bits(weir_f64_read(text, size)) != f64_bits(value))
        fail_msg("%s is not %.17g", text, value);
    /* One digit less, correctly rounded, must not read back; 17 digits always do. */
    int digits = significant_digits(text);
    assert_true(digits <= 17);
    char shorter[64];
    snprintf(shorter, sizeof(shorter), "%.*e", digits - 2, value);
    if (digits > 1 && strtod(shorter, NULL) == value)
        fail_msg("%s is longer than %s", text, shorter);
    snprintf(shorter, sizeof(shorter), "%.*e", digits > 0 ? digits - 1 : 0, value);
    if (strtod(shorter, NULL) == value && strtod(shorter, NULL) != strtod(text, NULL))
        fail_msg("%s is not as near as %s", text, shorter);
}

static void check_written_f32(float value) {
    char text[WEIR_F64_TEXT_MAX + 1];
    size_t size = weir_f32_write(text, value);
    assert_true(size < WEIR_F64_TEXT_MAX);
    text[size] = '\0';
    assert_non_null(strpbrk(text, ".e"));
    if (f32_bits(strtof(text, NULL)) != f32_bits(value) || f32_bits(weir_f32_read(text, size)) != f32_bits(value))
        fail_msg("%s is not %.9g", text, (double)value);
    int digits = significant_digits(text);
    assert_true(digits <= 9);
    char shorter[64];
    snprintf(shorter, sizeof(shorter), "%.*e", digits - 2, (double)value);
    if (digits > 1 && strtof(shorter, NULL) == value)
        fail_msg("%s is longer than %s", text, shorter);
}

static void test_forms(void **state) {
    (void)state;
    static const struct {
        double value;
        const char *text;
    } forms[] = {{0.0, "0.0"},
                 {-0.0, "-0.0"},
                 {1, "1.0"},
                 {-1, "-1.0"},
                 {0.1, "0.1"},
                 {1e22, "1e22"},
                 {1e15, "1000000000000000.0"},
                 {1e16, "1e16"},
                 {123456789012345680.0, "1.2345678901234568e17"},
                 {1234567890123456.0, "1234567890123456.0"},
                 {0.0001, "0.0001"},
                 {0.00001, "1e-5"},
                 {-0.00012345, "-0.00012345"},
                 {21.375, "21.375"},
                 {5e-324, "5e-324"},
                 {1.7976931348623157e308, "1.7976931348623157e308"},
                 {-2.2250738585072014e-308, "-2.2250738585072014e-308"},
                 {9007199254740993.0, "9007199254740992.0"},
                 {100, "100.0"},
                 {1e23, "1e23"},
                 {0.3, "0.3"},
                 {2e-44, "2e-44"},
                 {9.5e-3, "0.0095"},
                 {123.456, "123.456"},
                 {-65.613616999999977, "-65.61361699999998"}};
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        char text[WEIR_F64_TEXT_MAX + 1];
        text[weir_f64_write(text, forms[i].value)] = '\0';
        assert_string_equal(text, forms[i].text);
    }
    char text[WEIR_F64_TEXT_MAX + 1];
    text[weir_f32_write(text, 0.1f)] = '\0';
    assert_string_equal(text, "0.1");
    text[weir_f32_write(text, 3.4028235e38f)] = '\0';
    assert_string_equal(text, "3.4028235e38");
    text[weir_f32_write(text, -0.0f)] = '\0';
    assert_string_equal(text, "-0.0");
    text[weir_f32_write(text, 16777216.0f)] = '\0';
    assert_string_equal(text, "16777216.0");
}

static void test_borders_come_back(void **state) {
    (void)state;
    for (int exponent = 0; exponent < 2047; exponent++) {
        uint64_t base = (uint64_t)exponent << 52;
        static const uint64_t fractions[] = {0, 1, 2, 0x8000000000000, 0xFFFFFFFFFFFFE, 0xFFFFFFFFFFFFF};
        for (size_t i = 0; i < sizeof(fractions) / sizeof(fractions[0]); i++)
            if (base | fractions[i])
                check_written_f64(bits_f64(base | fractions[i]));
    }
    for (int exponent = -323; exponent <= 308; exponent++) {
        char text[16];
        snprintf(text, sizeof(text), "1e%d", exponent);
        double power = strtod(text, NULL);
        check_written_f64(power);
        check_written_f64(nextafter(power, 0));
        check_written_f64(nextafter(power, INFINITY));
        check_written_f64(power * 1.5);
    }
    for (uint32_t exponent = 0; exponent < 255; exponent++)
        for (uint32_t fraction = 0; fraction < 3; fraction++) {
            uint32_t bits = exponent << 23;
            if (bits | fraction)
                check_written_f32(bits_f32(bits | fraction));
            check_written_f32(bits_f32(bits | (0x7FFFFF - fraction)));
        }
}

static void test_samples_come_back(void **state) {
    (void)state;
    for (uint64_t round = 0; round < rounds; round++) {
        uint64_t word = random_word();
        double value = bits_f64(word);
        if (isfinite(value))
            check_written_f64(value);
        float small = bits_f32((uint32_t)(word >> 17));
        if (isfinite(small))
            check_written_f32(small);
        check_written_f64((double)(int64_t)(word >> 20) / 1000);
        check_written_f64((double)(word % 100000) / 100);
    }
}

/* Numbers with up to four digits behind the point have a way of their own, which their neighbours must not take. */
static void check_few_digits(int64_t scaled) {
    char expected[40];
    char text[WEIR_F64_TEXT_MAX + 1];
    double value = (double)scaled / 10000;
    snprintf(expected, sizeof(expected), "%s%" PRId64 ".%04d", scaled < 0 ? "-" : "", (int64_t)llabs(scaled) / 10000,
             (int)(llabs(scaled) % 10000));
    for (size_t size = strlen(expected); expected[size - 1] == '0' && expected[size - 2] != '.'; size--)
        expected[size - 1] = '\0';
    text[weir_f64_write(text, value)] = '\0';
    assert_string_equal(text, expected);
    check_written_f64(nextafter(value, INFINITY));
    check_written_f64(nextafter(value, -INFINITY));
}

static void test_few_digits(void **state) {
    (void)state;
    static const int64_t last = INT64_C(999999999999999);
    for (int64_t i = 1; i < 12000; i++) {
        check_few_digits(i);
        check_few_digits(last - i);
        check_few_digits(i - last);
    }
    for (uint64_t round = 0; round < rounds; round++)
        check_few_digits(1 + (int64_t)(random_word() % (uint64_t)last >> random_word() % 40));
}

/* ---- reading ---- */

static void check_read(const char *text) {
    double expected = strtod(text, NULL);
    double value = weir_f64_read(text, strlen(text));
    if (f64_bits(value) != f64_bits(expected))
        fail_msg("%.60s reads as %.17g, not %.17g", text, value, expected);
    float small = weir_f32_read(text, strlen(text));
    if (f32_bits(small) != f32_bits(strtof(text, NULL)))
        fail_msg("%.60s reads as %.9g in single precision, not %.9g", text, (double)small, (double)strtof(text, NULL));
}

static void test_reading_borders(void **state) {
    (void)state;
    static const char *const texts[] = {"0",
                                        "-0",
                                        "0.0",
                                        "-0.0e5",
                                        "0e999999999999999999999",
                                        "1",
                                        "9007199254740993",
                                        "9007199254740992.5",
                                        "9007199254740993.00000000000000000000000000000000000001",
                                        "1e23",
                                        "1e-400",
                                        "1e400",
                                        "-1e400",
                                        "1e308",
                                        "1.8e308",
                                        "1.7976931348623158e308",
                                        "1.7976931348623159e308",
                                        "179769313486231580793728971405301e276",
                                        "4.9e-324",
                                        "2.4e-324",
                                        "2.47032822920623272088284396434110686182e-324",
                                        "2.4703282292062327208e-324",
                                        "2.2250738585072011e-308",
                                        "2.2250738585072012e-308",
                                        "2.2250738585072013e-308",
                                        "1e1000000000000000000000",
                                        "1e-1000000000000000000000",
                                        "0.000000000000000000000000000000000000000000000000000000000001e60",
                                        "123456789012345678901234567890",
                                        "1e-65",
                                        "1.17549435e-38",
                                        "1.40129846e-45",
                                        "7.0064923216240853546186479164495e-46",
                                        "7.0064923216240853546186479164496e-46",
                                        "3.40282356779733661637539395458142568448e38",
                                        "3.4028235677973367e38",
                                        "16777217",
                                        "16777217.0000000000000000000000001",
                                        "8388608.5",
                                        "1.00000005960464477539",
                                        "1.0000000596046447754"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        check_read(texts[i]);
}

static void test_reading_random_decimals(void **state) {
    (void)state;
    for (uint64_t round = 0; round < rounds; round++) {
        char text[128];
        uint64_t word = random_word();
        int exponent = (int)(random_word() % 700) - 360;
        snprintf(text, sizeof(text), "%" PRIu64 "e%d", word >> (word & 63), exponent);
        check_read(text);
        snprintf(text, sizeof(text), "%u.%" PRIu64, (unsigned)(word % 1000), random_word() >> (word >> 8 & 63));
        check_read(text);
        snprintf(text, sizeof(text), "-%" PRIu64 "%" PRIu64 ".%" PRIu64 "E+%u", word, random_word(), random_word(),
                 (unsigned)(word % 290));
        check_read(text);
    }
}

/* Exactly half way between two floats, and the same with something added or taken away behind the last digit. */
static void test_reading_half_way(void **state) {
    (void)state;
    for (uint64_t round = 0; round < rounds / 10; round++) {
        uint64_t bits = random_word() & INT64_MAX;
        if (round % 3 == 0)
            bits &= (UINT64_C(1) << 52) - 1; /* subnormal */
        double value = bits_f64(bits);
        if (!isfinite(value) || !isfinite(nextafter(value, INFINITY)))
            continue;
        long double half = ((long double)value + (long double)nextafter(value, INFINITY)) / 2;
        char text[1600];
        int size = snprintf(text, sizeof(text) - 8, "%.1100Lf", half);
        check_read(text);
        memcpy(text + size, "1", 2);
        check_read(text);
        text[size] = '0';
        while (text[size] == '0' || text[size] == '.')
            size--;
        text[size]--;
        check_read(text);
    }
}

static void test_reading_a_megabyte_of_digits(void **state) {
    (void)state;
    enum { SIZE = 1 << 20 };
    char *text = malloc(SIZE + 32);
    assert_non_null(text);
    memset(text, '7', SIZE);
    strcpy(text + SIZE, "e-1048570");
    check_read(text);
    memcpy(text, "9007199254740993.", 17);
    memset(text + 17, '0', SIZE - 17);
    strcpy(text + SIZE, "1");
    assert_true(weir_f64_read(text, SIZE + 1) == 9007199254740994.0);
    assert_true(weir_f64_read(text, SIZE) == 9007199254740992.0);
    memset(text, '0', SIZE);
    text[1] = '.';
    strcpy(text + SIZE, "25e1048576");
    assert_true(weir_f64_read(text, SIZE + 10) == 25.0);
    free(text);
}

/* ---- the corpora: lines of "f16 f32 f64 text", bits in hexadecimal ---- */

static int is_json_number(const char *p) {
    p += *p == '-';
    size_t whole = strspn(p, "0123456789");
    if (whole == 0 || (whole > 1 && *p == '0'))
        return 0;
    p += whole;
    if (*p == '.') {
        size_t fraction = strspn(++p, "0123456789");
        if (fraction == 0)
            return 0;
        p += fraction;
    }
    if (*p == 'e' || *p == 'E') {
        p++;
        p += *p == '+' || *p == '-';
        size_t digits = strspn(p, "0123456789");
        if (digits == 0)
            return 0;
        p += digits;
    }
    return *p == '\0';
}

/* WEIR_CORPORA, or where the corpora stand beside the source tree. */
static FILE *corpus_open(const char *name) {
    const char *given = getenv("WEIR_CORPORA");
    const char *source = getenv("WEIR_SOURCE");
    char path[4096];
    snprintf(path, sizeof(path), "%s%s/numbers/%s",
             given    ? given
             : source ? source
                      : ".",
             given ? "" : "/../shared/corpora", name);
    FILE *file = fopen(path, "r");
    if (!file)
        print_message("skip: no number corpus at %s; set WEIR_CORPORA to a folder that has numbers/\n", path);
    return file;
}

static size_t check_corpus(const char *name) {
    FILE *file = corpus_open(name);
    if (!file)
        skip();
    char *line = NULL;
    size_t room = 0;
    size_t checked = 0;
    ssize_t size;
    while ((size = getline(&line, &room, file)) > 0) {
        line[strcspn(line, "\r\n")] = '\0';
        const char *text = line + 5 + 9 + 17;
        assert_true((size_t)size > 31);
        if (!is_json_number(text))
            continue;
        assert_int_equal(f32_bits(weir_f32_read(text, strlen(text))), strtoul(line + 5, NULL, 16));
        assert_int_equal(f64_bits(weir_f64_read(text, strlen(text))), strtoull(line + 14, NULL, 16));
        checked++;
    }
    free(line);
    fclose(file);
    return checked;
}

static void test_corpora(void **state) {
    (void)state;
    static const char *const names[] = {"exhaustive-float16.txt", "freetype-2-7.txt",    "google-wuffs.txt",
                                        "lemire-fast-float.txt",  "more-test-cases.txt", "tencent-rapidjson.txt"};
    size_t checked = 0;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        checked += check_corpus(names[i]);
    print_message("number corpora: %zu numbers\n", checked);
    assert_true(checked > 5000);
}

int main(void) {
    const char *seed = getenv("WEIR_SEED");
    const char *length = getenv("WEIR_ROUNDS");
    random_state = seed ? strtoull(seed, NULL, 0) : 20250101;
    rounds = length ? strtoull(length, NULL, 0) : 100000;
    print_message("seed %" PRIu64 ", %" PRIu64 " rounds\n", random_state, rounds);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_borders_come_back),
        cmocka_unit_test(test_samples_come_back),
        cmocka_unit_test(test_few_digits),
        cmocka_unit_test(test_reading_borders),
        cmocka_unit_test(test_reading_random_decimals),
        cmocka_unit_test(test_reading_half_way),
        cmocka_unit_test(test_reading_a_megabyte_of_digits),
        cmocka_unit_test(test_corpora),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
