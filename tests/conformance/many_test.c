/* Many messages in one call, on every transport: what so many single calls would do, and how much of it was done. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"
#include "transport/transport.h"

enum { MANY = 2000, BATCH_MAX = 600 };

/* ---- payloads: what send_number sends ---- */

struct batch {
    size_t count;
    weir_view data[BATCH_MAX];
    weir_buffer *buffers[BATCH_MAX];
};

/* Numbers from @first on. */
static void batch_make(struct batch *batch, int64_t first, size_t count, size_t padding) {
    batch->count = count;
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(weir_buffer_new(&batch->buffers[i]), WEIR_OK);
        assert_int_equal(number_encode(first + (int64_t)i, padding, batch->buffers[i]), WEIR_OK);
        batch->data[i] = weir_buffer_view(batch->buffers[i]);
    }
}

static void batch_free(struct batch *batch) {
    for (size_t i = 0; i < batch->count; i++)
        weir_buffer_free(batch->buffers[i]);
}

static int batch_send(weir_writer *writer, const struct batch *batch, size_t *sent) {
    return weir_writer_send_many(writer, NULL, NULL, WEIR_CODEC_CBOR, NULL, batch->data, batch->count, sent, NULL);
}

static int64_t send_numbers(weir_writer *writer, int64_t first, size_t count, size_t padding) {
    struct batch batch;
    size_t sent = 0;
    batch_make(&batch, first, count, padding);
    int status = batch_send(writer, &batch, &sent);
    batch_free(&batch);
    return status == WEIR_OK && sent == count ? first + (int64_t)count : -1;
}

/* Take what comes, all of it whole and in order from @next on. Return: the number behind. */
static int64_t take_numbers(weir_reader *reader, size_t max, int64_t next) {
    weir_message *messages[BATCH_MAX];
    size_t count = 0;
    assert_int_equal(weir_reader_next_many(reader, 10 * SECOND, messages, max, &count, NULL), WEIR_OK);
    assert_in_range(count, 1, max < WEIR_MANY_MAX ? max : WEIR_MANY_MAX);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(weir_message_gap(messages[i]), 0);
        assert_int_equal(message_number(messages[i]), next++);
    }
    return next;
}

/* ---- the tests ---- */

static void test_many_come_in_order(void **state) {
    static const size_t counts[] = {1, 2, 31, 32, 33, 100, BATCH_MAX, 1};
    static const size_t maxima[] = {1, 2, 16, 64, BATCH_MAX};
    weir_reader *reader = open_reader(address(*state, "a", "?capacity=4M"));
    weir_writer *writer = open_writer(address(*state, "a", "?readers=1&capacity=4M"));
    int64_t sent = 1, got = 1;
    for (size_t round = 0; round < 24; round++) {
        sent = send_numbers(writer, sent, counts[round % 8], round * 9);
        assert_true(sent > 0);
        assert_int_equal(weir_writer_seq(writer), sent - 1);
        while (got < sent)
            got = take_numbers(reader, maxima[round % 5], got);
        assert_int_equal(got, sent);
    }
    assert_int_equal(weir_reader_gaps(reader), 0);
    weir_reader_close(reader);
    weir_writer_close(writer);
}

static void test_many_with_all_their_parts(void **state) {
    const uint16_t numbers[4] = {1, 2, 3, 4};
    weir_view data[3] = {{(const char *)numbers, 8}, {(const char *)numbers, 8}, {(const char *)numbers, 6}};
    weir_message *messages[8];
    weir_doc *doc = NULL;
    const weir_value *meta;
    size_t count = 0, sent = 9;
    weir_reader *reader = open_reader(address(*state, "a", ""));
    weir_writer *writer = open_writer(address(*state, "a", "?readers=1"));
    assert_int_equal(weir_doc_new(&doc), WEIR_OK);
    assert_int_equal(weir_pack(doc, &meta, NULL, "{s:i}", "unit", 7L), WEIR_OK);
    /* The third has another size than its type. */
    assert_int_equal(weir_writer_send_many(writer, "volts", meta, WEIR_CODEC_RAW, "u16[4]", data, 3, &sent, NULL),
                     WEIR_EINVAL);
    assert_int_equal(sent, 2);
    assert_int_equal(weir_writer_send_many(writer, "volts", meta, WEIR_CODEC_RAW, NULL, data + 2, 1, NULL, NULL),
                     WEIR_OK);
    int64_t time = 0;
    for (size_t got = 0; got < 3; got += count) {
        assert_int_equal(weir_reader_next_many(reader, 10 * SECOND, messages, 8, &count, NULL), WEIR_OK);
        for (size_t i = 0; i < count; i++) {
            const weir_value *seen;
            weir_ndarray array;
            int64_t unit;
            assert_memory_equal(weir_message_op(messages[i]).data, "volts", 5);
            assert_int_equal(weir_message_seq(messages[i]), got + i + 1);
            assert_true(weir_message_time(messages[i]) > 0);
            time = got + i == 0 ? weir_message_time(messages[i]) : time;
            assert_true(got + i == 2 || weir_message_time(messages[i]) == time);
            assert_int_equal(weir_message_meta(messages[i], &seen, NULL), WEIR_OK);
            assert_int_equal(weir_get_i64(seen, "unit", &unit), WEIR_OK);
            assert_int_equal(unit, 7);
            assert_int_equal(weir_message_ndarray(messages[i], &array, NULL), WEIR_OK);
            assert_int_equal(array.element, got + i == 2 ? WEIR_U8 : WEIR_U16);
            assert_memory_equal(array.data, numbers, array.size);
        }
    }
    weir_doc_free(doc);
    weir_reader_close(reader);
    weir_writer_close(writer);
}

static void test_many_held_back(void **state) {
    weir_reader *reader = open_reader(address(*state, "a", ""));
    weir_writer *writer = open_writer(address(*state, "a", "?readers=1"));
    int64_t sent = 1, got = 1;
    for (size_t round = 1; round <= 10; round++) {
        struct batch one;
        weir_writer_cork(writer);
        sent = send_numbers(writer, sent, round, 10);
        batch_make(&one, sent++, 1, round);
        assert_int_equal(
            weir_writer_send_bytes(writer, NULL, NULL, WEIR_CODEC_CBOR, NULL, one.data[0].data, one.data[0].size, NULL),
            WEIR_OK);
        batch_free(&one);
        sent = send_numbers(writer, sent, 2 * round, 0);
        assert_int_equal(weir_writer_uncork(writer, NULL), WEIR_OK);
        assert_int_equal(weir_writer_seq(writer), sent - 1);
        while (got < sent)
            got = take_numbers(reader, 5, got);
    }
    weir_reader_close(reader);
    weir_writer_close(writer);
}

/* Single calls and calls for many take turns, and so do ways to look. */
static void test_many_and_one_at_a_time(void **state) {
    weir_message *messages[4], *message;
    size_t count;
    weir_reader *reader = open_reader(address(*state, "a", ""));
    weir_writer *writer = open_writer(address(*state, "a", "?readers=1"));
    assert_int_equal(weir_reader_next_many(reader, 0, messages, 4, &count, NULL), WEIR_ETIMEOUT);
    assert_int_equal(weir_reader_next_many(reader, SECOND / 100, messages, 4, &count, NULL), WEIR_ETIMEOUT);
    assert_int_equal(weir_reader_next_many(reader, 0, messages, 0, &count, NULL), WEIR_EINVAL);
    assert_int_equal(weir_writer_send_many(writer, NULL, NULL, WEIR_CODEC_CBOR, "u8[1]", NULL, 0, NULL, NULL),
                     WEIR_EINVAL);
    assert_int_equal(weir_writer_send_many(writer, NULL, NULL, 99, NULL, NULL, 0, NULL, NULL), WEIR_ENOTSUP);
    assert_int_equal(weir_writer_send_many(writer, NULL, NULL, WEIR_CODEC_CBOR, NULL, NULL, 0, &count, NULL), WEIR_OK);
    assert_int_equal(count, 0);
    assert_int_equal(send_numbers(writer, 1, 200, 30), 201);
    weir_wait_item item = {.reader = reader};
    for (int64_t got = 1; got < 201;) {
        if (got % 3 == 0) {
            assert_int_equal(weir_wait(&item, 1, 10 * SECOND, NULL), WEIR_OK);
            assert_true(item.is_ready);
        }
        got = take_numbers(reader, 4, got);
        if (got % 2 == 0)
            weir_reader_release(reader);
        if (got < 201) {
            assert_int_equal(weir_reader_next(reader, 10 * SECOND, &message, NULL), WEIR_OK);
            assert_int_equal(message_number(message), got++);
        }
    }
    assert_int_equal(weir_reader_next_many(reader, 0, messages, 4, &count, NULL), WEIR_ETIMEOUT);
    weir_reader_close(reader);
    weir_writer_close(writer);
}

static void test_many_too_big(void **state) {
    struct batch batch;
    size_t sent = 0;
    weir_reader *reader = open_reader(address(*state, "a", ""));
    weir_writer *writer = open_writer(address(*state, "a", "?readers=1&max=2K"));
    batch_make(&batch, 1, 5, 10);
    batch.data[3] = (weir_view){calloc(1, 4096), 4096}; /* zeros: so many integers, but not so large a message */
    assert_int_equal(batch_send(writer, &batch, &sent), WEIR_ETOOBIG);
    assert_int_equal(sent, 3);
    for (int64_t got = 1; got < 4;)
        got = take_numbers(reader, 8, got);
    free((void *)batch.data[3].data);
    batch_free(&batch);
    weir_reader_close(reader);
    weir_writer_close(writer);
}

static void test_a_part_of_many_where_the_channel_is_full(void **state) {
    struct batch batch;
    weir_message *message;
    size_t sent = 0;
    weir_reader *reader = open_reader(address(*state, "a", "?capacity=64K"));
    weir_writer *writer = open_writer(address(*state, "a", "?capacity=64K&full=fail&readers=1"));
    int64_t got = 1;
    for (int64_t next = 1, round = 0; round < 4; round++, next = got) {
        batch_make(&batch, next, BATCH_MAX, 2000);
        assert_int_equal(batch_send(writer, &batch, &sent), WEIR_EAGAIN);
        batch_free(&batch);
        assert_in_range(sent, 1, BATCH_MAX - 1);
        while (got < next + (int64_t)sent)
            got = take_numbers(reader, 7, got);
        assert_int_equal(weir_reader_next(reader, SECOND / 50, &message, NULL), WEIR_ETIMEOUT);
        assert_int_equal(got, next + (int64_t)sent);
    }
    weir_reader_close(reader);
    weir_writer_close(writer);
}

/* A writer that fills the channel touches nothing of what a reader has in its hands. */
static void test_many_stay_until_the_next_call(void **state) {
    weir_message *messages[40];
    size_t count = 0;
    weir_reader *reader = open_reader(address(*state, "a", "?capacity=64K"));
    weir_writer *writer = open_writer(address(*state, "a", "?capacity=64K&full=fail&readers=1"));
    int64_t sent = 1, got = 1;
    for (int round = 0; round < 10; round++) {
        sent = send_numbers(writer, sent, 40, 100);
        assert_int_equal(weir_reader_next_many(reader, 10 * SECOND, messages, 40, &count, NULL), WEIR_OK);
        for (int64_t most = sent + 1000; sent < most && send_number(writer, sent, 1000) == WEIR_OK;)
            sent++;
        for (size_t i = 0; i < count; i++)
            assert_int_equal(message_number(messages[i]), got++);
        while (got < sent)
            got = take_numbers(reader, 40, got);
    }
    weir_reader_close(reader);
    weir_writer_close(writer);
}

/* Receive until nothing comes for a while. Return: 1 if something came. */
static int check_next(weir_reader *reader, int64_t timeout_ns, uint64_t *received, uint64_t *missed) {
    weir_message *messages[50];
    size_t count;
    uint64_t before = *received;
    while (*received + *missed <= MANY &&
           weir_reader_next_many(reader, timeout_ns, messages, 50, &count, NULL) == WEIR_OK)
        for (size_t i = 0; i < count; i++) {
            *missed += weir_message_gap(messages[i]);
            assert_int_equal(message_number(messages[i]), ++*received + *missed);
        }
    return *received > before;
}

/* What is received and what is missed add up. */
static void check_lossy(const struct scratch *scratch, const char *full, const char *reading) {
    char options[64];
    snprintf(options, sizeof(options), "?capacity=64K&full=%s", full);
    weir_reader *reader = open_reader(address(scratch, "a", reading));
    weir_writer *writer = open_writer(address(scratch, "a", options));
    assert_int_equal(weir_writer_wait_readers(writer, strstr(reading, "observe") ? 0 : 1, 10 * SECOND, NULL), WEIR_OK);
    uint64_t received = 0, missed = 0;
    for (int64_t next = 1; next <= MANY;)
        next = send_numbers(writer, next, 500, 1000);
    check_next(reader, SECOND / 5, &received, &missed);
    assert_true(received > 10);
    assert_int_equal(send_numbers(writer, MANY + 1, 1, 10), MANY + 2); /* there is room again */
    while (received + missed <= MANY)
        assert_true(check_next(reader, 10 * SECOND, &received, &missed));
    assert_int_equal(weir_reader_gaps(reader), missed);
    weir_reader_close(reader);
    weir_writer_close(writer);
}

static void test_many_dropped_are_counted(void **state) {
    check_lossy(*state, "drop-oldest", "?capacity=64K");
}

static void test_many_thrown_away_are_counted(void **state) {
    check_lossy(*state, "drop-newest", "?capacity=64K");
}

static void test_many_for_an_observer(void **state) {
    check_lossy(*state, "drop-oldest", "?capacity=64K&observe=1");
}

/* ---- between processes ---- */

static int write_batches(const char *address) {
    weir_writer *writer = NULL;
    CHECK(weir_writer_open(address, &writer, NULL) == WEIR_OK);
    for (int64_t next = 1; next <= 10 * MANY;)
        CHECK((next = send_numbers(writer, next, 500, (size_t)next % 60)) > 0);
    weir_writer_close(writer);
    return 0;
}

/* The writer is a child, and starts a thread: in a burst, or for a sealed channel. */
static void skip_if_children_have_no_threads(const struct scratch *scratch) {
#ifdef __SANITIZE_THREAD__
    int has_threads = strncmp(scratch->scheme, "shm", 3) != 0 && strncmp(scratch->scheme, "file", 4) != 0;
    if (has_threads || strstr(scratch->options, "sealed")) {
        print_message("skip: the thread sanitizer ends children of fork that start threads\n");
        skip();
    }
#endif
    (void)scratch;
}

static void test_many_wait_for_room(void **state) {
    skip_if_children_have_no_threads(*state);
    weir_reader *reader = open_reader(address(*state, "a", "?capacity=64K"));
    pid_t writer = start(write_batches, address(*state, "a", "?readers=1&capacity=64K&timeout=20s"));
    for (int64_t got = 1; got <= 10 * MANY;)
        got = take_numbers(reader, 1 + (size_t)got % 70, got);
    assert_int_equal(weir_reader_gaps(reader), 0);
    finish(writer, 0);
    weir_reader_close(reader);
}

static int write_for_ever(const char *address) {
    weir_writer *writer = NULL;
    CHECK(weir_writer_open(address, &writer, NULL) == WEIR_OK);
    for (int64_t next = 1;;)
        CHECK((next = send_numbers(writer, next, 40, (size_t)next % 50)) > 0);
    return 0;
}

static void test_killed_in_the_middle_of_many(void **state) {
    skip_if_children_have_no_threads(*state);
    weir_message *messages[64];
    weir_reader *reader = open_reader(address(*state, "a", ""));
    for (int round = 0; round < 3; round++) {
        int64_t last = 0;
        size_t count;
        pid_t writer = start(write_for_ever, address(*state, "a", "?readers=1"));
        for (int got = 0; got < 500 + 100 * round; got++) {
            assert_int_equal(weir_reader_next_many(reader, 10 * SECOND, messages, 64, &count, NULL), WEIR_OK);
            for (size_t i = 0; i < count; i++)
                assert_int_equal(message_number(messages[i]), ++last);
        }
        kill(writer, SIGKILL);
        finish(writer, -SIGKILL);
        while (weir_reader_next_many(reader, SECOND / 10, messages, 64, &count, NULL) == WEIR_OK)
            for (size_t i = 0; i < count; i++)
                assert_int_equal(message_number(messages[i]), ++last);
    }
    assert_int_equal(weir_reader_gaps(reader), 0);
    weir_reader_close(reader);
}

static weir_writer *parents_writer;
static weir_reader *parents_reader;

static int use_what_is_the_parents(const char *address) {
    weir_view one = {"1", 1};
    weir_message *message;
    size_t count = 9;
    (void)address;
    CHECK(weir_writer_send_many(parents_writer, NULL, NULL, WEIR_CODEC_JSON, NULL, &one, 1, &count, NULL) ==
          WEIR_EFORKED);
    CHECK(count == 0);
    CHECK(weir_reader_next_many(parents_reader, 0, &message, 1, &count, NULL) == WEIR_EFORKED);
    return 0;
}

static void test_children_of_fork_are_told(void **state) {
    parents_reader = open_reader(address(*state, "a", ""));
    parents_writer = open_writer(address(*state, "a", ""));
    finish(start(use_what_is_the_parents, ""), 0);
    assert_int_equal(send_numbers(parents_writer, 1, 3, 0), 4);
    for (int64_t got = 1; got < 4;)
        got = take_numbers(parents_reader, 2, got);
    weir_reader_close(parents_reader);
    weir_writer_close(parents_writer);
}

int main(void) {
    const struct conformance_case cases[] = {
        CONFORMANCE(test_many_come_in_order),
        CONFORMANCE(test_many_with_all_their_parts),
        CONFORMANCE(test_many_held_back),
        CONFORMANCE(test_many_and_one_at_a_time),
        CONFORMANCE(test_many_too_big),
        CONFORMANCE_OF(test_a_part_of_many_where_the_channel_is_full, WEIR_TRAIT_BOUNDED, 0),
        CONFORMANCE_OF(test_many_stay_until_the_next_call, WEIR_TRAIT_BOUNDED, 0),
        CONFORMANCE_OF(test_many_dropped_are_counted, WEIR_TRAIT_BOUNDED, 0),
        CONFORMANCE_OF(test_many_thrown_away_are_counted, WEIR_TRAIT_BOUNDED, 0),
        CONFORMANCE_OF(test_many_for_an_observer, 0, WEIR_TRAIT_ONE_READER),
        CONFORMANCE(test_many_wait_for_room),
        CONFORMANCE(test_killed_in_the_middle_of_many),
        CONFORMANCE(test_children_of_fork_are_told),
    };
    return conformance_run("many", cases, sizeof(cases) / sizeof(cases[0]));
}
