/* Messages from frames that a writer of another make has laid out: what is wrong in them is said, never used. */
#include "channel/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <weir/weir.h>

static _Alignas(64) unsigned char bytes[256];

/* A message of raw data of @type, its @size bytes all 1. */
static struct weir_message message_of(const char *type, size_t size, uint8_t flags) {
    static const char ones[64] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    struct weir_frame frame = {.kind = WEIR_FRAME_MESSAGE,
                               .codec = WEIR_CODEC_RAW,
                               .flags = flags,
                               .seq = 1,
                               .type = {type, strlen(type)},
                               .data = {ones, size}};
    struct weir_message message = {0};
    assert_int_equal(weir_frame_layout(&frame), WEIR_OK);
    weir_frame_write_whole(&frame, bytes);
    struct weir_inbound inbound = {.bytes = bytes, .size = frame.size};
    memcpy(&inbound.word, bytes, sizeof(inbound.word));
    assert_int_equal(weir_message_set(&message, &inbound), WEIR_OK);
    return message;
}

static void check(const char *type, size_t size, uint8_t flags, int expected) {
    struct weir_message message = message_of(type, size, flags);
    weir_ndarray array = {0};
    const weir_value *value;
    weir_error err;
    assert_int_equal(weir_message_ndarray(&message, &array, &err), expected);
    assert_int_equal(weir_message_data(&message, &value, &err), expected);
    if (expected == WEIR_OK)
        assert_int_equal((uintptr_t)array.data % WEIR_FRAME_ALIGNMENT, 0);
    weir_message_fini(&message);
}

static void test_raw_data_is_aligned(void **state) {
    (void)state;
    check("u16[4]", 8, WEIR_FRAME_ALIGNED, WEIR_OK);
    check("u16[4]", 8, WEIR_FRAME_ALIGNED | WEIR_FRAME_TIME | WEIR_FRAME_CRC, WEIR_OK);
    check("u16[4]", 8, 0, WEIR_EPARSE);
}

static void test_raw_data_fits_its_type(void **state) {
    (void)state;
    check("u16", 2, WEIR_FRAME_ALIGNED, WEIR_OK);
    check("u16[0]", 0, WEIR_FRAME_ALIGNED, WEIR_OK);
    check("u16[4]", 7, WEIR_FRAME_ALIGNED, WEIR_EPARSE);
    check("u16[4]", 9, WEIR_FRAME_ALIGNED, WEIR_EPARSE);
    check("u16[04]", 8, WEIR_FRAME_ALIGNED, WEIR_EPARSE);
    check("", 8, WEIR_FRAME_ALIGNED, WEIR_EPARSE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_raw_data_is_aligned),
        cmocka_unit_test(test_raw_data_fits_its_type),
    };
    return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
