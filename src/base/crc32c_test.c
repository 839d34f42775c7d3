/* CRC-32C: the published values, and the definition bit by bit as the oracle for every length, split and alignment. */
#include "base/crc32c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint32_t crc_by_bits(uint32_t crc, const unsigned char *bytes, size_t size) {
    crc = ~crc;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78 : 0);
    }
    return ~crc;
}

static unsigned char *some_bytes(size_t size) {
    unsigned char *bytes = malloc(size);
    assert_non_null(bytes);
    uint32_t state = 12345;
    for (size_t i = 0; i < size; i++) {
        state = state * 1664525 + 1013904223;
        bytes[i] = (unsigned char)(state >> 24);
    }
    return bytes;
}

/* RFC 3720, appendix B.4, read as little endian; and the check value of the catalogues of checksums. */
static void test_published_values(void **state) {
    (void)state;
    unsigned char bytes[32] = {0};
    assert_int_equal(weir_crc32c(0, bytes, 32), 0x8A9136AA);
    memset(bytes, 0xFF, 32);
    assert_int_equal(weir_crc32c(0, bytes, 32), 0x62A8AB43);
    for (int i = 0; i < 32; i++)
        bytes[i] = (unsigned char)i;
    assert_int_equal(weir_crc32c(0, bytes, 32), 0x46DD794E);
    for (int i = 0; i < 32; i++)
        bytes[i] = (unsigned char)(31 - i);
    assert_int_equal(weir_crc32c(0, bytes, 32), 0x113FDB5C);
    assert_int_equal(weir_crc32c(0, "123456789", 9), 0xE3069283);
    assert_int_equal(weir_crc32c(0, NULL, 0), 0);
}

static void test_every_length_up_to_1100(void **state) {
    (void)state;
    unsigned char *bytes = some_bytes(1108);
    for (size_t size = 0; size <= 1100; size++)
        for (size_t offset = size % 3; offset < 8; offset += 3)
            assert_int_equal(weir_crc32c(7, bytes + offset, size), crc_by_bits(7, bytes + offset, size));
    free(bytes);
}

static void test_lengths_around_the_lanes(void **state) {
    (void)state;
    static const size_t sizes[] = {1023, 1024, 3071, 3072, 3073, 3080, 4096, 6143, 6144, 6151, 65536, 100003};
    unsigned char *bytes = some_bytes(100010);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        for (size_t offset = 0; offset < 3; offset++)
            assert_int_equal(weir_crc32c(0, bytes + offset, sizes[i]), crc_by_bits(0, bytes + offset, sizes[i]));
    free(bytes);
}

static void test_goes_on_where_it_stopped(void **state) {
    (void)state;
    unsigned char *bytes = some_bytes(10000);
    uint32_t whole = weir_crc32c(0, bytes, 10000);
    for (size_t cut = 0; cut <= 10000; cut += 97)
        assert_int_equal(weir_crc32c(weir_crc32c(0, bytes, cut), bytes + cut, 10000 - cut), whole);
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_values),
        cmocka_unit_test(test_every_length_up_to_1100),
        cmocka_unit_test(test_lengths_around_the_lanes),
        cmocka_unit_test(test_goes_on_where_it_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
