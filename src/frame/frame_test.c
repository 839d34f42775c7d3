/* Frames: what is written is read back, and no damaged header leads outside the bytes. */
#include "frame/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define VIEW(literal) ((weir_view){literal, sizeof(literal) - 1})

static struct weir_frame full_frame(void) {
    return (struct weir_frame){.kind = WEIR_FRAME_REQUEST,
                               .codec = 5,
                               .flags = WEIR_FRAME_TIME | WEIR_FRAME_ID | WEIR_FRAME_WRITER | WEIR_FRAME_ALIGNED |
                                        WEIR_FRAME_CRC,
                               .seq = 0x0102030405060708,
                               .time = -5,
                               .id = 77,
                               .writer = UINT64_MAX,
                               .op = VIEW("spectrum"),
                               .type = VIEW("u8[5]"),
                               .meta = VIEW("\xa1\x61\x75\x61\x56"),
                               .data = VIEW("12345")};
}

static uint64_t word_of(const unsigned char *bytes) {
    uint64_t word;
    memcpy(&word, bytes, 8);
    return word;
}

static void assert_view(weir_view view, const char *text) {
    assert_int_equal(view.size, strlen(text));
    assert_memory_equal(view.data, text, view.size);
}

static void test_all_parts_come_back(void **state) {
    (void)state;
    struct weir_frame in = full_frame(), out;
    assert_int_equal(weir_frame_layout(&in), WEIR_OK);
    assert_int_equal(in.data_offset % WEIR_FRAME_ALIGNMENT, 0);
    unsigned char *bytes = aligned_alloc(64, 256);
    memset(bytes, 0xEE, 256);
    weir_frame_write_whole(&in, bytes);
    assert_int_equal(weir_frame_parse(word_of(bytes), bytes, in.size, &out), WEIR_OK);
    assert_int_equal(out.kind, WEIR_FRAME_REQUEST);
    assert_int_equal(out.codec, 5);
    assert_int_equal(out.seq, in.seq);
    assert_int_equal(out.time, -5);
    assert_int_equal(out.id, 77);
    assert_true(out.writer == UINT64_MAX);
    assert_view(out.op, "spectrum");
    assert_view(out.type, "u8[5]");
    assert_int_equal(out.meta.size, 5);
    assert_view(out.data, "12345");
    free(bytes);
}

static void test_a_small_message_is_one_line(void **state) {
    (void)state;
    char data[48] = {0};
    struct weir_frame frame = {.kind = WEIR_FRAME_MESSAGE, .codec = 2, .data = {data, sizeof(data)}};
    assert_int_equal(weir_frame_layout(&frame), WEIR_OK);
    assert_int_equal(frame.size, 64);
}

static void test_every_truncation_asks_for_more(void **state) {
    (void)state;
    struct weir_frame in = full_frame(), out;
    assert_int_equal(weir_frame_layout(&in), WEIR_OK);
    unsigned char bytes[256] __attribute__((aligned(64)));
    weir_frame_write_whole(&in, bytes);
    for (size_t size = 0; size < in.size; size++) {
        unsigned char *copy = malloc(size ? size : 1);
        memcpy(copy, bytes, size);
        assert_int_equal(weir_frame_parse(word_of(bytes), copy, size, &out), WEIR_EAGAIN);
        assert_int_equal(out.size, size < 8 ? 0 : in.size);
        free(copy);
    }
}

static void test_every_flipped_bit_is_noticed_or_harmless(void **state) {
    (void)state;
    struct weir_frame in = full_frame(), out;
    assert_int_equal(weir_frame_layout(&in), WEIR_OK);
    unsigned char bytes[256] __attribute__((aligned(64)));
    weir_frame_write_whole(&in, bytes);
    for (size_t bit = 0; bit < in.size * 8; bit++) {
        unsigned char *copy = malloc(in.size);
        memcpy(copy, bytes, in.size);
        copy[bit / 8] ^= (unsigned char)(1 << bit % 8);
        int status = weir_frame_parse(word_of(copy), copy, in.size, &out);
        /* With a checksum every single flip is noticed, but for the flag that says there is one. */
        if (bit != 7 * 8 + 6)
            assert_int_not_equal(status, WEIR_OK);
        free(copy);
    }
}

static void test_other_versions_are_named(void **state) {
    (void)state;
    struct weir_frame in = full_frame(), out;
    assert_int_equal(weir_frame_layout(&in), WEIR_OK);
    unsigned char bytes[256] __attribute__((aligned(64)));
    weir_frame_write_whole(&in, bytes);
    bytes[4] = (unsigned char)((bytes[4] & 0x0F) | 2 << 4);
    assert_int_equal(weir_frame_parse(word_of(bytes), bytes, in.size, &out), WEIR_EVERSION);
}

static void test_limits(void **state) {
    (void)state;
    struct weir_frame frame = full_frame();
    frame.op.size = 256;
    assert_int_equal(weir_frame_layout(&frame), WEIR_ETOOBIG);
    frame = full_frame();
    frame.data.size = UINT32_MAX;
    assert_int_equal(weir_frame_layout(&frame), WEIR_ETOOBIG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_parts_come_back),
        cmocka_unit_test(test_a_small_message_is_one_line),
        cmocka_unit_test(test_every_truncation_asks_for_more),
        cmocka_unit_test(test_every_flipped_bit_is_noticed_or_harmless),
        cmocka_unit_test(test_other_versions_are_named),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
