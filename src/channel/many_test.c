/* Messages received together, from inside: what is wrong with a frame in the middle is told, and what lies behind it is
 * not lost; a message that nobody has asked about says the same as one that was read at once. */
#include "channel/end.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <weir/weir.h>

#include "channel/testing.h"

static weir_writer *writer;
static weir_reader *reader;

static int setup(void **state) {
    (void)state;
    if (testing_store_make() != 0)
        return -1;
    return weir_writer_open("shm://a?keep=0", &writer, NULL) || weir_reader_open("shm://a", &reader, NULL);
}

static int teardown(void **state) {
    (void)state;
    weir_reader_close(reader);
    weir_writer_close(writer);
    return testing_store_remove();
}

static void send_text(const char *text) {
    assert_int_equal(weir_writer_send_bytes(writer, NULL, NULL, WEIR_CODEC_JSON, NULL, text, strlen(text), NULL),
                     WEIR_OK);
}

static size_t take(weir_message **messages) {
    size_t count = 0;
    assert_int_equal(weir_reader_next_many(reader, 0, messages, 8, &count, NULL), WEIR_OK);
    return count;
}

static void check_text(const weir_message *message, const char *text) {
    assert_int_equal(weir_message_bytes(message).size, strlen(text));
    assert_memory_equal(weir_message_bytes(message).data, text, strlen(text));
}

/* @word is that of a frame that cannot be shown. */
static void check_told(uint64_t word, int expected) {
    weir_message *messages[8], *message;
    weir_error err;
    size_t count;
    send_text("1");
    testing_send_frame(writer, word);
    send_text("2");
    assert_int_equal(take(messages), 2);
    check_text(messages[0], "1");
    check_text(messages[1], "2");
    send_text("3");
    assert_int_equal(weir_reader_next_many(reader, 0, messages, 8, &count, &err), expected);
    assert_int_equal(err.code, expected);
    assert_non_null(strstr(err.text, "shm://a: writer 1"));
    assert_int_equal(weir_reader_next(reader, 0, &message, NULL), WEIR_OK);
    check_text(message, "3");
    assert_int_equal(weir_reader_next(reader, 0, &message, NULL), WEIR_ETIMEOUT);
}

static void test_damage_behind_a_message_is_told(void **state) {
    (void)state;
    check_told(UINT64_C(0x0100001100000010), WEIR_ECORRUPT); /* 16 bytes, but with a time */
    check_told(UINT64_C(0x00FF001100000040), WEIR_ECORRUPT); /* 64 bytes, but with an op of 255 */
    check_told(UINT64_C(0x0000009100000040), WEIR_EVERSION); /* version 9 */
}

/* The same by single calls and by a look in between. */
static void test_damage_is_told_by_whatever_comes_next(void **state) {
    weir_message *messages[8], *message;
    (void)state;
    send_text("1");
    testing_send_frame(writer, UINT64_C(0x0100001100000010));
    assert_int_equal(take(messages), 1);
    weir_wait_item item = {.reader = reader};
    assert_int_equal(weir_wait(&item, 1, 0, NULL), WEIR_OK);
    assert_int_equal(item.is_ready, 1);
    assert_int_equal(weir_reader_next(reader, 0, &message, NULL), WEIR_ECORRUPT);
    assert_int_equal(weir_reader_next(reader, 0, &message, NULL), WEIR_ETIMEOUT);
}

/* Several in a row are told one by one, not as one. */
static void test_each_damaged_frame_is_told(void **state) {
    weir_message *messages[8], *message;
    (void)state;
    send_text("1");
    for (int i = 0; i < 3; i++)
        testing_send_frame(writer, UINT64_C(0x0100001100000010));
    send_text("2");
    assert_int_equal(take(messages), 2);
    for (int i = 0; i < 3; i++)
        assert_int_equal(weir_reader_next(reader, 0, &message, NULL), WEIR_ECORRUPT);
    assert_int_equal(weir_reader_next(reader, 0, &message, NULL), WEIR_ETIMEOUT);
}

/* Frames for others are passed over, and what was missed before them is told with the next one. */
static void test_frames_of_other_kinds_are_passed_over(void **state) {
    weir_message *messages[8];
    (void)state;
    send_text("1");
    testing_send_frame(writer, UINT64_C(0x0000001200000040)); /* a request */
    (writer->end.ops->skip)(writer->end.state);               /* skip is a macro of cmocka */
    testing_send_frame(writer, UINT64_C(0x0000001200000040));
    send_text("2");
    assert_int_equal(take(messages), 2);
    assert_int_equal(weir_message_gap(messages[0]), 0);
    assert_int_equal(weir_message_gap(messages[1]), 1);
    check_text(messages[1], "2");
    assert_int_equal(weir_reader_gaps(reader), 1);
}

static void test_a_message_says_the_same_in_whatever_order_it_is_asked(void **state) {
    weir_message *messages[8], *copy;
    const weir_value *value;
    int64_t number;
    (void)state;
    for (int i = 0; i < 6; i++)
        send_text("[1, 2, 4711]");
    assert_int_equal(take(messages), 6);
    assert_true(weir_message_time(messages[1]) > 0);
    assert_int_equal(weir_message_seq(messages[2]), 3);
    assert_int_equal(weir_message_codec(messages[3]), WEIR_CODEC_JSON);
    assert_int_equal(weir_message_data(messages[4], &value, NULL), WEIR_OK);
    assert_int_equal(weir_get_i64(value, "2", &number), WEIR_OK);
    assert_int_equal(number, 4711);
    assert_int_equal(weir_message_copy(messages[5], &copy), WEIR_OK);
    assert_int_equal(weir_message_seq(copy), 6);
    check_text(copy, "[1, 2, 4711]");
    weir_message_free(copy);
    for (size_t i = 0; i < 6; i++) {
        check_text(messages[i], "[1, 2, 4711]");
        assert_int_equal(weir_message_seq(messages[i]), i + 1);
        assert_int_equal(weir_message_writer(messages[i]), 1);
        assert_int_equal(weir_message_op(messages[i]).size, 0);
        assert_int_equal(weir_message_type(messages[i]).size, 0);
        assert_int_equal(weir_message_id(messages[i]), 0);
        assert_int_equal(weir_message_meta(messages[i], &value, NULL), WEIR_OK);
        assert_null(value);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_damage_behind_a_message_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage_is_told_by_whatever_comes_next, setup, teardown),
        cmocka_unit_test_setup_teardown(test_each_damaged_frame_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(test_frames_of_other_kinds_are_passed_over, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_message_says_the_same_in_whatever_order_it_is_asked, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
