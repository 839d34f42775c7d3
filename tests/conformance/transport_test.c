/* The transport contract (src/transport/transport.h) on every transport: the same tests, only the address differs. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"
#include "transport/transport.h"

enum { MANY = 2000, WRITERS = 4, READERS = 3 };

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * SECOND + now.tv_nsec;
}

/* ---- order of coming and going ---- */

static void test_messages_arrive_in_order(void **state) {
    weir_reader *reader = open_reader(address(*state, "a", ""));
    weir_writer *writer = open_writer(address(*state, "a", ""));
    for (int64_t i = 1; i <= 100; i++)
        assert_int_equal(send_number(writer, i, (size_t)i), WEIR_OK);
    assert_int_equal(weir_writer_seq(writer), 100);
    for (int64_t i = 1; i <= 100; i++) {
        weir_message *message;
        assert_int_equal(weir_reader_next(reader, 10 * SECOND, &message, NULL), WEIR_OK);
        assert_int_equal(message_number(message), i);
        assert_int_equal(weir_message_seq(message), i);
        assert_int_equal(weir_message_gap(message), 0);
        assert_true(weir_message_time(message) > 0);
    }
    weir_reader_close(reader);
    weir_writer_close(writer);
}

static void test_writer_may_come_first(void **state) {
    weir_writer *writer = open_writer(address(*state, "a", ""));
    weir_reader *reader = open_reader(address(*state, "a", ""));
    assert_int_equal(weir_writer_wait_readers(writer, 1, 10 * SECOND, NULL), WEIR_OK);
    assert_int_equal(send_number(writer, 7, 0), WEIR_OK);
    assert_int_equal(next_number(reader), 7);
    weir_writer_close(writer);
    weir_reader_close(reader);
}

static void test_readers_option_waits(void **state) {
    weir_writer *writer = open_writer(address(*state, "a", "?readers=1&timeout=50ms"));
    assert_int_equal(send_number(writer, 1, 0), WEIR_ETIMEOUT);
    weir_reader *reader = open_reader(address(*state, "a", ""));
    weir_writer_set_timeout(writer, 10 * SECOND);
    assert_int_equal(send_number(writer, 2, 0), WEIR_OK);
    assert_int_equal(next_number(reader), 2);
    weir_reader_close(reader);
    weir_writer_close(writer);
}

static void test_reader_restarts(void **state) {
    weir_writer *writer = open_writer(address(*state, "a", ""));
    for (int64_t i = 1; i <= 3; i++) {
        weir_reader *reader = open_reader(address(*state, "a", ""));
        assert_int_equal(weir_writer_wait_readers(writer, 1, 10 * SECOND, NULL), WEIR_OK);
        assert_int_equal(send_number(writer, i, 10), WEIR_OK);
        assert_int_equal(next_number(reader), i);
        weir_reader_close(reader);
    }
    weir_writer_close(writer);
}

static void test_writer_restarts(void **state) {
    weir_reader *reader = open_reader(address(*state, "a", ""));
    for (int64_t i = 1; i <= 3; i++) {
        weir_writer *writer = open_writer(address(*state, "a", "?readers=1"));
        assert_int_equal(send_number(writer, i, 10), WEIR_OK);
        weir_writer_close(writer);
        assert_int_equal(next_number(reader), i);
    }
    weir_reader_close(reader);
}

static int write_many(const char *address) {
    weir_writer *writer = NULL;
    CHECK(weir_writer_open(address, &writer, NULL) == WEIR_OK);
    for (int64_t i = 1; i <= MANY; i++)
        CHECK(send_number(writer, i, (size_t)(i % 300)) == WEIR_OK);
    weir_writer_close(writer);
    return 0;
}

/* Read WRITERS x MANY messages; each writer's must come in order, none twice, none missing. */
static int read_from_many(const char *address) {
    int64_t last[64] = {0};
    weir_reader *reader = NULL;
    CHECK(weir_reader_open(address, &reader, NULL) == WEIR_OK);
    for (int i = 0; i < WRITERS * MANY; i++) {
        weir_message *message;
        CHECK(weir_reader_next(reader, 20 * SECOND, &message, NULL) == WEIR_OK);
        CHECK(weir_message_gap(message) == 0);
        uint32_t from = weir_message_writer(message);
        CHECK(from < 64);
        int64_t number = message_number(message);
        CHECK(number == last[from] % MANY + 1); /* a lane may be taken over by a later writer */
        last[from] = number;
    }
    CHECK(weir_reader_gaps(reader) == 0);
    weir_reader_close(reader);
    return 0;
}

static void test_many_writers_many_readers(void **state) {
    char reading[256], writing[256];
    pid_t readers[READERS], writers[WRITERS];
    char options[64];
    snprintf(options, sizeof(options), "?readers=%d&timeout=20s", READERS);
    strcpy(reading, address(*state, "a", ""));
    strcpy(writing, address(*state, "a", options));
    for (int i = 0; i < READERS; i++)
        readers[i] = start(read_from_many, reading);
    for (int i = 0; i < WRITERS; i++)
        writers[i] = start(write_many, writing);
    for (int i = 0; i < WRITERS; i++)
        finish(writers[i], 0);
    for (int i = 0; i < READERS; i++)
        finish(readers[i], 0);
}

/* ---- flow control ---- */

static void test_full_block_times_out_and_loses_nothing(void **state) {
    weir_reader *reader = open_reader(address(*state, "a", "?capacity=64K"));
    weir_writer *writer = open_writer(address(*state, "a", "?capacity=64K&timeout=30ms&readers=1"));
    weir_writer_set_timeout(writer, 10 * SECOND);
    int64_t sent = 0;
    assert_int_equal(send_number(writer, ++sent, 1000), WEIR_OK);
    weir_writer_set_timeout(writer, SECOND / 20);
    int status;
    while ((status = send_number(writer, sent + 1, 1000)) == WEIR_OK)
        assert_true(++sent < 100000);
    assert_int_equal(status, WEIR_ETIMEOUT);
    assert_true(sent >= 10);
    for (int64_t i = 1; i <= sent; i++)
        assert_int_equal(next_number(reader), i);
    weir_writer_set_timeout(writer, 10 * SECOND);
    assert_int_equal(send_number(writer, sent + 1, 1000), WEIR_OK);
    assert_int_equal(next_number(reader), sent + 1);
    assert_int_equal(weir_reader_gaps(reader), 0);
    weir_reader_close(reader);
    weir_writer_close(writer);
}

static void test_full_fail(void **state) {
    weir_reader *reader = open_reader(address(*state, "a", "?capacity=64K"));
    weir_writer *writer = open_writer(address(*state, "a", "?capacity=64K&full=fail&readers=1"));
    int64_t sent = 0;
    int status;
    while ((status = send_number(writer, sent + 1, 1000)) == WEIR_OK)
        assert_true(++sent < 100000);
    assert_int_equal(status, WEIR_EAGAIN);
    for (int64_t i = 1; i <= sent; i++)
        assert_int_equal(next_number(reader), i);
    weir_reader_close(reader);
    weir_writer_close(writer);
}

/* Send far more than fits, then read: received and missed must add up, and what is received is whole and in order. */
static void check_lossy(const struct scratch *scratch, const char *full, int64_t *ret_first, int64_t *ret_last) {
    char options[64];
    snprintf(options, sizeof(options), "?capacity=64K&full=%s&readers=1", full);
    weir_reader *reader = open_reader(address(scratch, "a", "?capacity=64K"));
    weir_writer *writer = open_writer(address(scratch, "a", options));
    for (int64_t i = 1; i <= MANY; i++)
        assert_int_equal(send_number(writer, i, 1000), WEIR_OK);
    uint64_t received = 0, missed = 0;
    weir_message *message;
    *ret_first = *ret_last = 0;
    while (weir_reader_next(reader, SECOND / 2, &message, NULL) == WEIR_OK) {
        int64_t number = message_number(message);
        assert_true(number > *ret_last);
        missed += weir_message_gap(message);
        assert_int_equal(++received + missed, number);
        *ret_first = *ret_first ? *ret_first : number;
        *ret_last = number;
    }
    assert_true(received > 10);
    assert_true(received < MANY);
    assert_int_equal(weir_reader_gaps(reader), missed);
    /* The channel goes on, and what was missed at the end is told with the next message. */
    assert_int_equal(send_number(writer, MANY + 1, 10), WEIR_OK);
    assert_int_equal(weir_reader_next(reader, 10 * SECOND, &message, NULL), WEIR_OK);
    assert_int_equal(message_number(message), MANY + 1);
    assert_int_equal(weir_reader_gaps(reader) + received, MANY);
    weir_reader_close(reader);
    weir_writer_close(writer);
}

static void test_full_drop_oldest_keeps_the_newest(void **state) {
    int64_t first, last;
    check_lossy(*state, "drop-oldest", &first, &last);
    assert_int_equal(last, MANY);
}

static void test_full_drop_newest_keeps_the_oldest(void **state) {
    int64_t first, last;
    check_lossy(*state, "drop-newest", &first, &last);
    assert_int_equal(first, 1);
}

/* Where a channel keeps everything, no writer waits, whatever full= says, and no reader misses anything. */
static void test_a_slow_reader_misses_nothing(void **state) {
    static const char *const full[] = {"block", "drop-oldest", "drop-newest", "fail"};
    for (size_t i = 0; i < sizeof(full) / sizeof(full[0]); i++) {
        char options[64], name[2] = {(char)('a' + i), '\0'};
        snprintf(options, sizeof(options), "?capacity=64K&timeout=5s&full=%s", full[i]);
        weir_reader *reader = open_reader(address(*state, name, "?capacity=64K"));
        weir_writer *writer = open_writer(address(*state, name, options));
        for (int64_t number = 1; number <= MANY; number++)
            assert_int_equal(send_number(writer, number, 1000), WEIR_OK);
        for (int64_t number = 1; number <= MANY; number++)
            assert_int_equal(next_number(reader), number);
        assert_int_equal(weir_reader_gaps(reader), 0);
        assert_int_equal(weir_writer_dropped(writer), 0);
        weir_reader_close(reader);
        weir_writer_close(writer);
    }
}

static void test_observers_hold_nobody_back(void **state) {
    weir_reader *observer = open_reader(address(*state, "a", "?observe=1&capacity=64K"));
    weir_writer *writer = open_writer(address(*state, "a", "?capacity=64K&timeout=5s"));
    for (int64_t i = 1; i <= MANY; i++)
        assert_int_equal(send_number(writer, i, 1000), WEIR_OK);
    weir_reader_close(observer);
    weir_writer_close(writer);
}

/* ---- where a reader begins, and the latest value ---- */

/* A reader with @from gets @first as its first message. */
static void check_from(const struct scratch *scratch, const char *from, int64_t first) {
    weir_message *message;
    /* Where a message goes to one reader only, each reader needs its own. */
    weir_writer *writer = has_trait(scratch, WEIR_TRAIT_FLEETING) ? open_writer(address(scratch, "a", "")) : NULL;
    for (int64_t i = 1; writer && i <= 5; i++)
        assert_int_equal(send_number(writer, i, 10), WEIR_OK);
    weir_reader *reader = open_reader(address(scratch, "a", from));
    if (first > 0)
        for (int64_t i = first; i <= 5; i++)
            assert_int_equal(next_number(reader), i);
    assert_int_equal(weir_reader_next(reader, SECOND / 20, &message, NULL), WEIR_ETIMEOUT);
    assert_int_equal(weir_reader_gaps(reader), 0);
    weir_reader_close(reader);
    weir_writer_close(writer);
}

static void test_from(void **state) {
    weir_writer *writer = has_trait(*state, WEIR_TRAIT_FLEETING) ? NULL : open_writer(address(*state, "a", ""));
    for (int64_t i = 1; writer && i <= 5; i++)
        assert_int_equal(send_number(writer, i, 10), WEIR_OK);
    check_from(*state, "?from=oldest", 1);
    check_from(*state, "?from=last", 5);
    check_from(*state, "?from=seq:4", 4);
    check_from(*state, "?from=-1h", 1);
    check_from(*state, "?from=now", 0);
    if (writer)
        check_from(*state, "", 0);
    weir_writer_close(writer);
}

/* Who names a seq learns how many messages there are no more from it on. */
static void test_from_a_seq_that_is_gone(void **state) {
    weir_message *message;
    weir_writer *writer = open_writer(address(*state, "a", "?capacity=64K&full=drop-oldest"));
    for (int64_t i = 1; i <= MANY; i++)
        assert_int_equal(send_number(writer, i, 1000), WEIR_OK);
    weir_reader *reader = open_reader(address(*state, "a", "?from=seq:2&capacity=64K"));
    assert_int_equal(weir_reader_next(reader, 10 * SECOND, &message, NULL), WEIR_OK);
    int64_t first = message_number(message);
    assert_true(first >= 2 && (uint64_t)first == weir_message_seq(message));
    assert_int_equal(weir_message_gap(message), first - 2);
    assert_int_equal(weir_reader_gaps(reader), first - 2);
    weir_reader_close(reader);
    weir_writer_close(writer);
}

/* A second writer or reader is refused with a sentence that names the first. */
static void test_one_of_each_where_there_can_be_only_one(void **state) {
    weir_error err = {0};
    char pid[32];
    weir_writer *writer = open_writer(address(*state, "a", "")), *second_writer = NULL;
    weir_reader *reader = open_reader(address(*state, "a", "")), *second_reader = NULL;
    snprintf(pid, sizeof(pid), "pid %d", (int)getpid());
    int status = weir_writer_open(address(*state, "a", ""), &second_writer, &err);
    assert_int_equal(status, has_trait(*state, WEIR_TRAIT_ONE_WRITER) ? WEIR_EBUSY : WEIR_OK);
    assert_true(status == WEIR_OK || (strstr(err.text, pid) && strstr(err.text, "transport_test")));
    status = weir_reader_open(address(*state, "a", ""), &second_reader, &err);
    assert_int_equal(status, has_trait(*state, WEIR_TRAIT_ONE_READER) ? WEIR_EBUSY : WEIR_OK);
    assert_true(status == WEIR_OK || (strstr(err.text, pid) && strstr(err.text, "transport_test")));
    assert_int_equal(send_number(writer, 1, 10), WEIR_OK);
    assert_int_equal(next_number(reader), 1);
    weir_writer_close(second_writer);
    weir_reader_close(second_reader);
    weir_reader_close(reader);
    weir_writer_close(writer);
}

static void test_latest(void **state) {
    weir_message *message = NULL;
    weir_error err;
    assert_int_equal(weir_latest(address(*state, "a", ""), &message, &err), WEIR_ENOENT);
    assert_true(strlen(err.text) > 10);
    weir_writer *writer = open_writer(address(*state, "a", ""));
    for (int64_t i = 1; i <= 50; i++)
        assert_int_equal(send_number(writer, i, 100), WEIR_OK);
    assert_int_equal(weir_latest(address(*state, "a", ""), &message, NULL), WEIR_OK);
    assert_int_equal(message_number(message), 50);
    assert_int_equal(weir_message_seq(message), 50);
    weir_message_free(message);

    weir_reader *reader = open_reader(address(*state, "a", "?from=oldest&observe=1"));
    assert_int_equal(next_number(reader), 1);
    /* Of what has arrived, the newest: over a stream the last may still be on its way. */
    time_t until = time(NULL) + 10;
    do
        assert_int_equal(weir_reader_latest(reader, &message, NULL), WEIR_OK);
    while (message_number(message) != 50 && time(NULL) < until);
    assert_int_equal(message_number(message), 50);
    weir_reader_close(reader);
    weir_writer_close(writer);
}

/* ---- sizes ---- */

static void test_sizes_from_one_byte_to_four_mebibytes(void **state) {
    weir_reader *reader = open_reader(address(*state, "a", ""));
    weir_writer *writer = open_writer(address(*state, "a", "?readers=1"));
    for (size_t size = 1; size <= 4 << 20; size = size * 3 + 1) {
        assert_int_equal(send_number(writer, (int64_t)size, size), WEIR_OK);
        assert_int_equal(next_number(reader), (int64_t)size);
    }
    assert_int_equal(send_number(writer, 1, 17 << 20), WEIR_ETOOBIG);
    assert_int_equal(send_number(writer, 2, 10), WEIR_OK);
    assert_int_equal(next_number(reader), 2);
    weir_reader_close(reader);
    weir_writer_close(writer);
}

static void test_ndarrays_arrive_aligned(void **state) {
    double values[4 * 256];
    for (int i = 0; i < 4 * 256; i++)
        values[i] = i * 0.5;
    weir_ndarray sent = {.element = WEIR_F64, .rank = 2, .shape = {4, 256}, .data = values, .size = sizeof(values)};
    weir_reader *reader = open_reader(address(*state, "a", ""));
    weir_writer *writer = open_writer(address(*state, "a", "?readers=1"));
    for (int i = 0; i < 5; i++) {
        weir_message *message;
        weir_ndarray got;
        assert_int_equal(send_number(writer, i, (size_t)i * 11), WEIR_OK);
        assert_int_equal(weir_writer_send_ndarray(writer, "block", NULL, &sent, NULL), WEIR_OK);
        assert_int_equal(next_number(reader), i);
        assert_int_equal(weir_reader_next(reader, 10 * SECOND, &message, NULL), WEIR_OK);
        assert_int_equal(weir_message_ndarray(message, &got, NULL), WEIR_OK);
        assert_int_equal((uintptr_t)got.data % 64, 0);
        assert_int_equal(got.rank, 2);
        assert_int_equal(got.shape[1], 256);
        assert_memory_equal(got.data, values, sizeof(values));
        assert_int_equal(weir_message_type(message).size, strlen("f64[4,256]"));
        assert_memory_equal(weir_message_type(message).data, "f64[4,256]", strlen("f64[4,256]"));
    }
    weir_reader_close(reader);
    weir_writer_close(writer);
}

static void test_reserve_and_commit_in_place(void **state) {
    void *data;
    size_t size;
    weir_message *message;
    weir_ndarray got;
    weir_reader *reader = open_reader(address(*state, "a", ""));
    weir_writer *writer = open_writer(address(*state, "a", "?readers=1"));
    assert_int_equal(weir_writer_reserve(writer, "x", NULL, "i32[3]", &data, &size, NULL), WEIR_OK);
    weir_writer_discard(writer);
    assert_int_equal(weir_writer_commit(writer, NULL), WEIR_EINVAL);
    assert_int_equal(weir_writer_reserve(writer, "x", NULL, "i32[3]", &data, &size, NULL), WEIR_OK);
    assert_int_equal(size, 12);
    assert_int_equal((uintptr_t)data % 64, 0);
    memcpy(data, (int32_t[]){1, -2, 3}, 12);
    assert_int_equal(weir_writer_commit(writer, NULL), WEIR_OK);
    assert_int_equal(weir_reader_next(reader, 10 * SECOND, &message, NULL), WEIR_OK);
    assert_int_equal(weir_message_ndarray(message, &got, NULL), WEIR_OK);
    assert_memory_equal(got.data, ((int32_t[]){1, -2, 3}), 12);
    assert_int_equal(weir_message_seq(message), 1);
    weir_reader_close(reader);
    weir_writer_close(writer);
}

/* What was written into a reservation that was given back must be nobody's message: not the bytes behind the next,
 * smaller one. */
/* Who passes a message on keeps its time; 0 is none, also where the address stamps. */
static void test_times_that_are_given(void **state) {
    const char *place = address(*state, "times", "");
    weir_reader *reader = open_reader(place);
    weir_writer *writer = open_writer(place);
    static const int64_t given[] = {1234567890123456789, 0, -5, WEIR_TIME_NOW};
    int64_t before = (int64_t)time(NULL) * SECOND;
    for (int i = 0; i < 4; i++) {
        weir_message *message = NULL;
        weir_writer_set_time(writer, given[i]);
        assert_int_equal(weir_writer_send_bytes(writer, i % 2 ? "x" : NULL, NULL, WEIR_CODEC_JSON, NULL, "1", 1, NULL),
                         WEIR_OK);
        assert_int_equal(weir_reader_next(reader, 10 * SECOND, &message, NULL), WEIR_OK);
        if (i < 3)
            assert_int_equal(weir_message_time(message), given[i]);
        else
            assert_true(weir_message_time(message) >= before);
    }
    weir_writer_close(writer);
    weir_reader_close(reader);
}

static void test_discarded_bytes_are_never_a_message(void **state) {
    void *data;
    size_t size;
    weir_message *message;
    weir_reader *reader = open_reader(address(*state, "a", ""));
    weir_writer *writer = open_writer(address(*state, "a", "?readers=1"));
    for (int i = 0; i < 50; i++) {
        uint64_t word = UINT64_C(0x0000001100000040); /* how a frame of 64 bytes begins */
        assert_int_equal(send_number(writer, i, 0), WEIR_OK);
        assert_int_equal(next_number(reader), i);
        assert_int_equal(weir_writer_reserve(writer, NULL, NULL, "u8[4096]", &data, &size, NULL), WEIR_OK);
        for (size_t at = 0; at < size; at += 64)
            memcpy((unsigned char *)data + at, &word, sizeof(word));
        weir_writer_discard(writer);
        assert_int_equal(send_number(writer, -i, (size_t)i * 20), WEIR_OK);
        assert_int_equal(next_number(reader), -i);
        assert_int_equal(weir_reader_next(reader, 0, &message, NULL), WEIR_ETIMEOUT);
    }
    weir_reader_close(reader);
    weir_writer_close(writer);
}

/* A batch that ends with a reservation given back: nothing of it, nor of what lies unread before it, is harmed. */
static void test_a_batch_that_ends_with_a_discard(void **state) {
    void *data;
    size_t size;
    weir_reader *reader = open_reader(address(*state, "a", ""));
    weir_writer *writer = open_writer(address(*state, "a", "?readers=1"));
    int64_t sent = 0, got = 0;
    for (int round = 1; round <= 20; round++) {
        for (int i = 0; i < round; i++)
            assert_int_equal(send_number(writer, ++sent, (size_t)i * 30), WEIR_OK);
        weir_writer_cork(writer);
        assert_int_equal(send_number(writer, ++sent, 10), WEIR_OK);
        assert_int_equal(weir_writer_reserve(writer, NULL, NULL, "u8[300]", &data, &size, NULL), WEIR_OK);
        memset(data, 0x11, size);
        weir_writer_discard(writer);
        assert_int_equal(weir_writer_uncork(writer, NULL), WEIR_OK);
        while (got < sent)
            assert_int_equal(next_number(reader), ++got);
    }
    assert_int_equal(weir_reader_gaps(reader), 0);
    weir_reader_close(reader);
    weir_writer_close(writer);
}

static void test_corked_messages_come_in_order(void **state) {
    weir_reader *reader = open_reader(address(*state, "a", ""));
    weir_writer *writer = open_writer(address(*state, "a", "?readers=1"));
    int64_t sent = 0, got = 0;
    for (int batch = 1; batch <= 40; batch++) {
        weir_writer_cork(writer);
        for (int i = 0; i < batch; i++)
            assert_int_equal(send_number(writer, ++sent, (size_t)batch * 5), WEIR_OK);
        assert_int_equal(weir_writer_uncork(writer, NULL), WEIR_OK);
        while (got < sent)
            assert_int_equal(next_number(reader), ++got);
    }
    weir_reader_close(reader);
    weir_writer_close(writer);
}

/* ---- death ---- */

static int write_for_ever(const char *address) {
    weir_writer *writer = NULL;
    CHECK(weir_writer_open(address, &writer, NULL) == WEIR_OK);
    for (int64_t i = 1;; i++)
        CHECK(send_number(writer, i, (size_t)(i % 5000)) == WEIR_OK);
    return 0;
}

static void test_killed_writers_leave_whole_messages(void **state) {
    char writing[256];
    weir_message *message;
    weir_reader *reader = open_reader(address(*state, "a", "?capacity=256K"));
    strcpy(writing, address(*state, "a", "?capacity=256K&readers=1&timeout=20s"));
    for (int round = 0; round < 10; round++) {
        pid_t writer = start(write_for_ever, writing);
        int64_t last = next_number(reader);
        for (int i = 0; i < 50 + round * 37; i++) {
            assert_int_equal(weir_reader_next(reader, 10 * SECOND, &message, NULL), WEIR_OK);
            int64_t number = message_number(message);
            assert_true(number == last + 1);
            last = number;
        }
        kill(writer, SIGKILL);
        finish(writer, -SIGKILL);
        while (weir_reader_next(reader, SECOND / 10, &message, NULL) == WEIR_OK) {
            int64_t number = message_number(message);
            assert_int_equal(number, last + 1);
            last = number;
        }
    }
    assert_int_equal(weir_reader_gaps(reader), 0);
    weir_reader_close(reader);
}

static int read_a_little_and_stop(const char *address) {
    weir_reader *reader = NULL;
    CHECK(weir_reader_open(address, &reader, NULL) == WEIR_OK);
    CHECK(next_number(reader) > 0);
    pause();
    return 0;
}

static void test_a_killed_reader_holds_nobody_back(void **state) {
    char reading[256];
    strcpy(reading, address(*state, "a", "?capacity=64K"));
    weir_writer *writer = open_writer(address(*state, "a", "?capacity=64K&timeout=100ms"));
    pid_t reader = start(read_a_little_and_stop, reading);
    assert_int_equal(weir_writer_wait_readers(writer, 1, 10 * SECOND, NULL), WEIR_OK);
    int64_t sent = 0;
    int status;
    while ((status = send_number(writer, ++sent, 1000)) == WEIR_OK)
        assert_true(sent < 100000);
    assert_int_equal(status, WEIR_ETIMEOUT);
    kill(reader, SIGKILL);
    finish(reader, -SIGKILL);
    weir_writer_set_timeout(writer, 10 * SECOND);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(send_number(writer, ++sent, 1000), WEIR_OK);
    weir_writer_close(writer);
}

static void test_children_of_fork_are_told(void **state) {
    weir_writer *writer = open_writer(address(*state, "a", ""));
    weir_reader *reader = open_reader(address(*state, "a", ""));
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        weir_message *message;
        alarm(20);
        CHECK(send_number(writer, 1, 0) == WEIR_EFORKED);
        CHECK(weir_reader_next(reader, 0, &message, NULL) == WEIR_EFORKED);
        weir_writer_close(writer);
        weir_reader_close(reader);
        _exit(0);
    }
    finish(child, 0);
    assert_int_equal(weir_writer_wait_readers(writer, 1, 10 * SECOND, NULL), WEIR_OK);
    assert_int_equal(send_number(writer, 2, 0), WEIR_OK);
    assert_int_equal(next_number(reader), 2);
    weir_reader_close(reader);
    weir_writer_close(writer);
}

/* Open and send as far as that goes with files of at most @limit bytes (RLIMIT_FSIZE). */
static int limited(const char *address, rlim_t limit) {
    weir_writer *writer = NULL;
    weir_reader *reader = NULL;
    weir_error err = {0};
    alarm(20);
    CHECK(setrlimit(RLIMIT_FSIZE, &(struct rlimit){limit, limit}) == 0);
    int status = weir_reader_open(address, &reader, &err);
    CHECK(status == WEIR_OK || err.text[0]);
    status = weir_writer_open(address, &writer, &err);
    CHECK(status == WEIR_OK || err.text[0]);
    for (int i = 0; i < 3 && status == WEIR_OK; i++)
        status = send_number(writer, i, 2000 * (size_t)i);
    weir_writer_close(writer);
    weir_reader_close(reader);
    return 0;
}

static int limited_to_nothing(const char *address) {
    return limited(address, 0);
}

static int limited_to_little(const char *address) {
    return limited(address, 100);
}

static int limited_to_a_page(const char *address) {
    return limited(address, 4096);
}

/* The kernel kills who makes a larger file than he may, unless he asks first. */
static void test_nobody_dies_of_a_limit_on_files(void **state) {
    finish(start(limited_to_nothing, address(*state, "a", "?timeout=50ms")), 0);
    finish(start(limited_to_little, address(*state, "b", "?timeout=50ms")), 0);
    finish(start(limited_to_a_page, address(*state, "c", "?timeout=50ms")), 0);
}

/* ---- waiting ---- */

static void on_alarm(int signal) {
    (void)signal;
}

static void test_waits_have_deadlines_and_survive_signals(void **state) {
    weir_message *message;
    weir_reader *reader = open_reader(address(*state, "a", ""));
    struct sigaction action = {.sa_handler = on_alarm}, old;
    sigaction(SIGALRM, &action, &old);
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 5000}, {0, 5000}}, NULL);
    int64_t begin = now_ns();
    assert_int_equal(weir_reader_next(reader, SECOND / 10, &message, NULL), WEIR_ETIMEOUT);
    int64_t took = now_ns() - begin;
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL);
    sigaction(SIGALRM, &old, NULL);
    assert_true(took >= SECOND / 10);
    assert_true(took < 10 * SECOND);
    assert_int_equal(weir_reader_next(reader, 0, &message, NULL), WEIR_ETIMEOUT);
    weir_reader_close(reader);
}

static int is_readable(int fd, int timeout_ms) {
    struct pollfd item = {.fd = fd, .events = POLLIN};
    return poll(&item, 1, timeout_ms) == 1;
}

static void test_a_descriptor_for_event_loops(void **state) {
    int fd = -1;
    weir_message *message;
    weir_reader *reader = open_reader(address(*state, "a", ""));
    weir_writer *writer = open_writer(address(*state, "a", "?readers=1"));
    assert_int_equal(weir_reader_fd(reader, &fd, NULL), WEIR_OK);
    for (int64_t round = 1; round <= 20; round++) {
        while (weir_reader_next(reader, 0, &message, NULL) == WEIR_OK)
            continue;
        assert_int_equal(send_number(writer, 2 * round, 10), WEIR_OK);
        assert_int_equal(send_number(writer, 2 * round + 1, 10), WEIR_OK);
        int64_t got = 0;
        while (got < 2 * round + 1) {
            assert_true(is_readable(fd, 10000));
            if (weir_reader_next(reader, 0, &message, NULL) == WEIR_OK)
                got = message_number(message);
        }
        assert_int_equal(got, 2 * round + 1);
    }
    while (weir_reader_next(reader, 0, &message, NULL) == WEIR_OK)
        continue;
    assert_false(is_readable(fd, 50));
    weir_reader_close(reader);
    weir_writer_close(writer);
}

static void test_what_came_before_the_descriptor_shows(void **state) {
    int fd = -1;
    weir_reader *reader = open_reader(address(*state, "a", ""));
    weir_writer *writer = open_writer(address(*state, "a", "?readers=1"));
    assert_int_equal(send_number(writer, 1, 10), WEIR_OK);
    assert_int_equal(weir_reader_fd(reader, &fd, NULL), WEIR_OK);
    weir_message *message;
    int64_t deadline = now_ns() + 10 * SECOND;
    while (weir_reader_next(reader, 0, &message, NULL) != WEIR_OK) {
        assert_true(now_ns() < deadline);
        is_readable(fd, 10000);
    }
    assert_int_equal(message_number(message), 1);
    weir_reader_close(reader);
    weir_writer_close(writer);
}

static void test_waiting_on_many(void **state) {
    int pipe_fds[2];
    char byte = 1;
    assert_int_equal(pipe(pipe_fds), 0);
    weir_reader *a = open_reader(address(*state, "a", "")), *b = open_reader(address(*state, "b", ""));
    weir_writer *to_b = open_writer(address(*state, "b", "?readers=1"));
    weir_wait_item items[] = {{.reader = a}, {.reader = b}, {.fd = pipe_fds[0]}};
    assert_int_equal(weir_wait(items, 3, SECOND / 20, NULL), WEIR_ETIMEOUT);
    for (int64_t i = 1; i <= 10; i++) {
        assert_int_equal(send_number(to_b, i, 10), WEIR_OK);
        assert_int_equal(weir_wait(items, 3, 10 * SECOND, NULL), WEIR_OK);
        assert_false(items[0].is_ready);
        assert_true(items[1].is_ready);
        assert_false(items[2].is_ready);
        weir_message *message;
        assert_int_equal(weir_reader_next(b, 0, &message, NULL), WEIR_OK);
        assert_int_equal(message_number(message), i);
    }
    assert_int_equal(write(pipe_fds[1], &byte, 1), 1);
    assert_int_equal(weir_wait(items, 3, 10 * SECOND, NULL), WEIR_OK);
    assert_true(items[2].is_ready);
    weir_reader_close(a);
    weir_reader_close(b);
    weir_writer_close(to_b);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

/* ---- what is left ---- */

static void test_keep_0_leaves_nothing(void **state) {
    struct scratch *scratch = *state;
    weir_writer *writer = open_writer(address(scratch, "a", "?keep=0"));
    weir_reader *reader = open_reader(address(scratch, "a", "?keep=0"));
    assert_int_equal(send_number(writer, 1, 10), WEIR_OK);
    assert_true(count_things(scratch) > 0);
    weir_writer_close(writer);
    weir_reader_close(reader);
    assert_int_equal(count_things(scratch), 0);
}

static int open_and_rest(const char *address) {
    weir_writer *writer = NULL;
    CHECK(weir_writer_open(address, &writer, NULL) == WEIR_OK);
    CHECK(send_number(writer, 1, 10) == WEIR_OK);
    pause();
    return 0;
}

static void test_clean_frees_what_the_dead_left(void **state) {
    struct scratch *scratch = *state;
    char writing[256];
    strcpy(writing, address(scratch, "a", "?keep=0"));
    pid_t writer = start(open_and_rest, writing);
    weir_message *message = NULL;
    int64_t deadline = now_ns() + 10 * SECOND;
    while (weir_latest(writing, &message, NULL) != WEIR_OK)
        assert_true(now_ns() < deadline);
    weir_message_free(message);
    kill(writer, SIGKILL);
    finish(writer, -SIGKILL);
    weir_doc *doc = NULL;
    assert_int_equal(weir_doc_new(&doc), WEIR_OK);
    assert_int_equal(weir_directory_clean(doc, 1, NULL), WEIR_OK);
    assert_true(weir_value_count(weir_doc_root(doc)) > 0);
    assert_true(count_things(scratch) > 0);
    assert_int_equal(weir_directory_clean(doc, 0, NULL), WEIR_OK);
    weir_doc_free(doc);
    /* A dead listener's socket is taken over by whoever opens it next, and removed with it. */
    weir_writer *next = open_writer(writing);
    weir_writer_close(next);
    assert_int_equal(count_things(scratch), 0);
}

static void test_the_directory_shows_ends(void **state) {
    weir_doc *doc = NULL;
    weir_view role;
    uint64_t number = 0;
    assert_int_equal(weir_doc_new(&doc), WEIR_OK);
    weir_writer *writer = open_writer(address(*state, "a", ""));
    assert_int_equal(send_number(writer, 1, 10), WEIR_OK);
    assert_int_equal(weir_directory_list(doc, NULL), WEIR_OK);
    const weir_value *root = weir_doc_root(doc), *channel = NULL;
    char index[32];
    size_t count = 0; /* with ends: the machine may have other channels that are no test's */
    for (size_t i = 0; i < weir_value_count(root); i++) {
        const weir_value *ends = NULL;
        snprintf(index, sizeof(index), "%zu.ends.0", i);
        if (weir_get(root, index, &ends) != WEIR_OK)
            continue;
        snprintf(index, sizeof(index), "%zu", i);
        assert_int_equal(weir_get(root, index, &channel), WEIR_OK);
        count++;
    }
    assert_int_equal(count, 1);
    assert_int_equal(weir_get_text(channel, "ends.0.role", &role), WEIR_OK);
    assert_memory_equal(role.data, "writer", 6);
    assert_int_equal(weir_get_u64(channel, "ends.0.pid", &number), WEIR_OK);
    assert_int_equal(number, getpid());
    assert_int_equal(weir_get_u64(channel, "ends.0.messages", &number), WEIR_OK);
    assert_int_equal(number, 1);
    weir_writer_close(writer);
    weir_doc_free(doc);
}

int main(void) {
    const struct conformance_case cases[] = {
        CONFORMANCE(test_messages_arrive_in_order),
        CONFORMANCE(test_writer_may_come_first),
        CONFORMANCE(test_readers_option_waits),
        CONFORMANCE(test_reader_restarts),
        CONFORMANCE(test_writer_restarts),
        CONFORMANCE_OF(test_many_writers_many_readers, 0, WEIR_TRAIT_ONE_WRITER | WEIR_TRAIT_ONE_READER),
        CONFORMANCE_OF(test_full_block_times_out_and_loses_nothing, WEIR_TRAIT_BOUNDED, 0),
        CONFORMANCE_OF(test_full_fail, WEIR_TRAIT_BOUNDED, 0),
        CONFORMANCE_OF(test_full_drop_oldest_keeps_the_newest, WEIR_TRAIT_BOUNDED, 0),
        CONFORMANCE_OF(test_full_drop_newest_keeps_the_oldest, WEIR_TRAIT_BOUNDED, 0),
        CONFORMANCE_OF(test_a_slow_reader_misses_nothing, 0, WEIR_TRAIT_BOUNDED),
        CONFORMANCE(test_observers_hold_nobody_back),
        CONFORMANCE(test_from),
        CONFORMANCE(test_from_a_seq_that_is_gone),
        CONFORMANCE(test_one_of_each_where_there_can_be_only_one),
        CONFORMANCE(test_latest),
        CONFORMANCE(test_sizes_from_one_byte_to_four_mebibytes),
        CONFORMANCE(test_ndarrays_arrive_aligned),
        CONFORMANCE(test_reserve_and_commit_in_place),
        CONFORMANCE(test_times_that_are_given),
        CONFORMANCE(test_discarded_bytes_are_never_a_message),
        CONFORMANCE(test_a_batch_that_ends_with_a_discard),
        CONFORMANCE(test_corked_messages_come_in_order),
        CONFORMANCE(test_killed_writers_leave_whole_messages),
        CONFORMANCE_OF(test_a_killed_reader_holds_nobody_back, WEIR_TRAIT_BOUNDED, 0),
        CONFORMANCE(test_children_of_fork_are_told),
        CONFORMANCE(test_nobody_dies_of_a_limit_on_files),
        CONFORMANCE(test_waits_have_deadlines_and_survive_signals),
        CONFORMANCE(test_a_descriptor_for_event_loops),
        CONFORMANCE(test_what_came_before_the_descriptor_shows),
        CONFORMANCE(test_waiting_on_many),
        CONFORMANCE(test_keep_0_leaves_nothing),
        CONFORMANCE(test_clean_frees_what_the_dead_left),
        CONFORMANCE(test_the_directory_shows_ends),
    };
    return conformance_run("transport", cases, sizeof(cases) / sizeof(cases[0]));
}
