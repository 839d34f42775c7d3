/* Batches: many messages in one call, whatever their sizes, beside other writers and through rotation; and what a
 * killed writer has left of one. */
#include "transport/file/testing.h"

enum { COUNT = 1500, LARGE = 90000 };

static unsigned char store[LARGE + COUNT];

/* Message i: its size goes from nothing past what a batch may hold, and its bytes are its own. */
static weir_view data_of(uint64_t i) {
    size_t size = i % 211 == 0 ? LARGE : i % 17 == 0 ? 5000 + i : i % 5 == 0 ? 0 : i * 37 % 300;
    return (weir_view){(const char *)store + i % COUNT, size};
}

static void store_fill(void) {
    for (size_t i = 0; i < sizeof(store); i++)
        store[i] = (unsigned char)(i * 2654435761u >> 13);
}

/* @count messages behind @first. */
static void many_send(weir_writer *writer, uint64_t first, size_t count) {
    weir_view views[64];
    weir_error err = {0};
    size_t sent = 0;
    for (size_t i = 0; i < count; i++)
        views[i] = data_of(first + i);
    int status = weir_writer_send_many(writer, NULL, NULL, WEIR_CODEC_CBOR, NULL, views, count, &sent, &err);
    if (status != WEIR_OK)
        fail_msg("%s: %s", weir_err_name(status), err.text);
    assert_int_equal(sent, count);
}

static void all_read(weir_reader *reader, uint64_t count) {
    weir_message *message = NULL;
    weir_error err = {0};
    for (uint64_t i = 1; i <= count; i++) {
        if (weir_reader_next(reader, 10 * SECOND, &message, &err) != WEIR_OK)
            fail_msg("message %u: %s", (unsigned)i, err.text);
        weir_view data = weir_message_bytes(message), wanted = data_of(i);
        assert_int_equal(weir_message_seq(message), i);
        assert_int_equal(data.size, wanted.size);
        assert_memory_equal(data.data, wanted.data, data.size);
    }
    assert_int_equal(weir_reader_gaps(reader), 0);
    weir_reader_close(reader);
}

/* Three writers in turn; one of them holds its messages back for a while. */
static void many(const char *name, const char *options) {
    weir_writer *writers[3];
    for (int i = 0; i < 3; i++)
        writers[i] = writer_of(name, options);
    weir_reader *reader = reader_of(name, "?from=oldest");
    for (uint64_t next = 1, turn = 0; next <= COUNT; turn++) {
        weir_writer *writer = writers[turn * 7 % 3];
        size_t count = turn % 11 == 0 ? 1 : 1 + turn * 13 % 64;
        count = count > COUNT + 1 - next ? COUNT + 1 - next : count;
        int is_corked = turn % 4 == 0;
        if (is_corked)
            weir_writer_cork(writer);
        many_send(writer, next, count);
        if (is_corked)
            assert_int_equal(weir_writer_uncork(writer, NULL), WEIR_OK);
        next += count;
        assert_int_equal(weir_writer_seq(writer), next - 1);
    }
    all_read(reader, COUNT);
    for (int i = 0; i < 3; i++)
        weir_writer_close(writers[i]);
    all_read(reader_of(name, "?from=oldest"), COUNT);
}

static void test_many(void **state) {
    (void)state;
    store_fill();
    many("many.weir", "");
    many("synced.weir", "?sync=interval:1ms");
    many("turned.weir", "?rotate=200K&files=1000");
}

/* Numbers that dropped messages have used up, and a limit that many messages run into half way. */
static void test_many_into_a_limit(void **state) {
    (void)state;
    struct rlimit before, limit;
    weir_view views[64];
    weir_error err;
    size_t sent = 99;
    store_fill();
    weir_writer *writer = writer_of("limit.weir", "?full=fail"), *newest = writer_of("limit.weir", "?full=drop-newest");
    many_send(writer, 1, 3);
    for (size_t i = 0; i < 64; i++)
        views[i] = (weir_view){(const char *)store, 4000};
    getrlimit(RLIMIT_FSIZE, &before);
    limit = before;
    limit.rlim_cur = (rlim_t)file_size("limit.weir") + 100000; /* one batch goes, the next one does not */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(weir_writer_send_many(writer, NULL, NULL, WEIR_CODEC_CBOR, NULL, views, 64, &sent, &err),
                     WEIR_ENOSPC);
    assert_in_range(sent, 10, 25);
    size_t there = sent;
    assert_int_equal(weir_writer_send_bytes(newest, NULL, NULL, WEIR_CODEC_CBOR, NULL, store, LARGE, &err), WEIR_OK);
    assert_int_equal(weir_writer_dropped(newest), 1);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    many_send(newest, 1, 1);
    assert_int_equal(weir_writer_seq(newest), 3 + there + 1 + 1);
    weir_reader *reader = reader_of("limit.weir", "?from=oldest");
    weir_message *message = NULL;
    uint64_t read = 0;
    while (weir_reader_next(reader, 0, &message, NULL) == WEIR_OK)
        read++;
    assert_int_equal(read, 3 + there + 1);
    assert_int_equal(weir_reader_gaps(reader), 1);
    weir_reader_close(reader);
    weir_writer_close(writer);
    weir_writer_close(newest);
}

/* While somebody else holds the lock a call waits as long as it may. What it was given is not in the log then, but goes
 * later, once, and is said to. */
static void test_many_behind_a_lock(void **state) {
    (void)state;
    weir_view views[2] = {{"a", 1}, {"b", 1}};
    weir_error err = {0};
    size_t sent = 99;
    weir_writer *writer = writer_of("held.weir", "?timeout=30ms");
    off_t size = file_size("held.weir");
    int fd = open(path_of("held.weir.lock"), O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(weir_writer_send_many(writer, NULL, NULL, WEIR_CODEC_CBOR, NULL, views, 2, &sent, &err),
                     WEIR_ETIMEOUT);
    assert_non_null(strstr(err.text, "lock"));
    assert_int_equal(sent, 2);
    assert_int_equal(file_size("held.weir"), size);
    close(fd);
    assert_int_equal(weir_writer_send_many(writer, NULL, NULL, WEIR_CODEC_CBOR, NULL, views, 2, &sent, &err), WEIR_OK);
    assert_int_equal(weir_writer_seq(writer), 4);
    weir_writer_close(writer);
}

/* A log that somebody empties is begun anew, as both writers see. */
static void test_an_emptied_log(void **state) {
    (void)state;
    weir_writer *one = writer_of("emptied.weir", "?sync=always"), *other = writer_of("emptied.weir", "?sync=always");
    for (int64_t i = 1; i <= 3; i++)
        assert_int_equal(send_number(one, i, 100, NULL), WEIR_OK);
    assert_int_equal(truncate(path_of("emptied.weir"), 0), 0);
    for (int64_t i = 4; i <= 8; i++)
        assert_int_equal(send_number(other, i, 100, NULL), WEIR_OK);
    assert_int_equal(send_number(one, 9, 100, NULL), WEIR_OK);
    weir_reader *reader = reader_of("emptied.weir", "?from=oldest");
    for (int64_t i = 4; i <= 9; i++)
        assert_int_equal(next_number(reader), i);
    weir_reader_close(reader);
    weir_writer_close(one);
    weir_writer_close(other);
}

/* The same without a size that tells. */
static void test_emptied_and_as_large_again(void **state) {
    (void)state;
    weir_writer *one = writer_of("again.weir", ""), *other = writer_of("again.weir", "");
    for (int64_t i = 1; i <= 3; i++)
        assert_int_equal(send_number(one, i, 100, NULL), WEIR_OK);
    off_t size = file_size("again.weir");
    assert_int_equal(truncate(path_of("again.weir"), 0), 0);
    for (int64_t i = 4; i <= 6; i++)
        assert_int_equal(send_number(other, i, 100, NULL), WEIR_OK);
    assert_int_equal(file_size("again.weir"), size);
    assert_int_equal(send_number(one, 7, 100, NULL), WEIR_OK);
    assert_int_equal(weir_writer_seq(one), weir_writer_seq(other) + 1);
    weir_reader *reader = reader_of("again.weir", "?from=oldest");
    for (int64_t i = 4; i <= 7; i++)
        assert_int_equal(next_number(reader), i);
    assert_int_equal(weir_reader_gaps(reader), 0);
    weir_reader_close(reader);
    weir_writer_close(one);
    weir_writer_close(other);
}

/* Who cannot tell the others that he begins the log anew does not. */
static void test_emptied_and_nobody_told(void **state) {
    (void)state;
    struct rlimit before;
    weir_writer *one = writer_of("told.weir", ""), *other = writer_of("told.weir", "?full=fail");
    assert_int_equal(send_number(one, 1, 100, NULL), WEIR_OK);
    assert_int_equal(send_number(other, 2, 100, NULL), WEIR_OK);
    assert_int_equal(truncate(path_of("told.weir"), 0), 0);
    getrlimit(RLIMIT_FSIZE, &before);
    rlim_t most = (rlim_t)file_size("told.weir.lock");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){most, before.rlim_max}), 0);
    assert_int_equal(send_number(other, 3, 100, NULL), WEIR_ENOSPC);
    assert_int_equal(file_size("told.weir"), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(send_number(other, 4, 100, NULL), WEIR_OK);
    assert_int_equal(send_number(one, 5, 100, NULL), WEIR_OK);
    weir_reader *reader = reader_of("told.weir", "?from=oldest");
    assert_int_equal(next_number(reader), 4);
    assert_int_equal(next_number(reader), 5);
    weir_reader_close(reader);
    weir_writer_close(one);
    weir_writer_close(other);
}

/* A file is put aside when the next batch would make it too large, not when it would if its messages took more. */
static void test_files_put_aside_are_full(void **state) {
    (void)state;
    enum { ROUNDS = 100, MANY = 500, MOST = 1 << 20 };
    weir_view views[MANY];
    store_fill();
    for (int i = 0; i < MANY; i++)
        views[i] = (weir_view){(const char *)store + i, 16};
    for (int is_corked = 0; is_corked < 2; is_corked++) {
        const char *name = is_corked ? "held.weir" : "whole.weir";
        char aside[32];
        snprintf(aside, sizeof(aside), "%s.1", name);
        weir_writer *writer = writer_of(name, "?rotate=1M");
        for (int round = 0; round < ROUNDS; round++) {
            if (is_corked)
                weir_writer_cork(writer);
            assert_int_equal(weir_writer_send_many(writer, NULL, NULL, WEIR_CODEC_CBOR, NULL, views, MANY, NULL, NULL),
                             WEIR_OK);
            if (is_corked && round % 10 == 9)
                assert_int_equal(weir_writer_uncork(writer, NULL), WEIR_OK);
        }
        assert_in_range(file_size(aside), MOST - MOST / 4 - 8192, MOST);
        weir_writer_close(writer);
    }
}

/* What the first record of a batch has said, those behind it leave out. */
static void test_a_batch_is_small(void **state) {
    (void)state;
    enum { MANY = 64, SIZE = 64, WHOLE = 112, SHORT = 80 };
    weir_view views[MANY];
    store_fill();
    for (int is_corked = 0; is_corked < 2; is_corked++) {
        const char *name = is_corked ? "corked.weir" : "small.weir";
        weir_writer *writer = writer_of(name, "?stamp=0");
        off_t size = file_size(name);
        for (int i = 0; i < MANY; i++)
            views[i] = (weir_view){(const char *)store + i, SIZE};
        if (is_corked)
            weir_writer_cork(writer);
        assert_int_equal(weir_writer_send_many(writer, NULL, NULL, WEIR_CODEC_CBOR, NULL, views, MANY, NULL, NULL),
                         WEIR_OK);
        if (is_corked)
            assert_int_equal(weir_writer_uncork(writer, NULL), WEIR_OK);
        assert_int_equal(file_size(name) - size, WHOLE + (MANY - 1) * SHORT);
        weir_writer_close(writer);
    }
}

/* A killed writer's half document is cut off without the log being read from its beginning, which is damaged here. */
static void test_half_a_document(void **state) {
    (void)state;
    static const unsigned char half[] = {90, 0, 0, 0, 3, 'd', 'a'}, damage[] = {0xff, 0xff, 0xff, 0x7f};
    weir_writer *one = writer_of("half.bson", ""), *other = writer_of("half.bson", "");
    for (int64_t i = 1; i <= 3; i++)
        assert_int_equal(send_number(one, i, 100, NULL), WEIR_OK);
    off_t size = file_size("half.bson"), first = size / 3;
    int fd = open(path_of("half.bson"), O_RDWR | O_CLOEXEC);
    assert_int_equal(pwrite(fd, damage, sizeof(damage), 0), sizeof(damage));
    assert_int_equal(pwrite(fd, half, sizeof(half), size), sizeof(half));
    assert_int_equal(send_number(other, 4, 100, NULL), WEIR_OK);
    assert_int_equal(weir_writer_seq(other), 4);
    off_t more = file_size("half.bson") - size; /* it says who wrote it, too */
    assert_in_range(more, first, first + 20);
    /* A whole one, which its writer could not note any more, stays. */
    unsigned char *copy = malloc((size_t)more);
    assert_int_equal(pread(fd, copy, (size_t)more, size), more);
    assert_int_equal(pwrite(fd, copy, (size_t)more, size + more), more);
    free(copy);
    close(fd);
    assert_int_equal(send_number(one, 5, 100, NULL), WEIR_OK);
    assert_int_equal(weir_writer_seq(one), 5);
    assert_int_equal(file_size("half.bson"), size + 2 * more + first);
    weir_writer_close(one);
    weir_writer_close(other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_many),
        TEST(test_many_into_a_limit),
        TEST(test_many_behind_a_lock),
        TEST(test_an_emptied_log),
        TEST(test_emptied_and_as_large_again),
        TEST(test_emptied_and_nobody_told),
        TEST(test_a_batch_is_small),
        TEST(test_files_put_aside_are_full),
        TEST(test_half_a_document),
    };
    return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
