/* Processes of a channel on a socket are killed while traffic flows, over and over.
 *
 * Every message says who sent it (the process) and its number there; its padding follows from both, so that a torn or
 * mixed one shows. The reader in the test's own process lives through a whole test and keeps count: for each writing
 * process the numbers only rise, and a number that is left out is in the gap that the message tells. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "transport/socket/testing.h"

#include <weir/weir.h>

#include "base/clock.h"

enum { WRITERS_MAX = 512, ROUNDS = 40, MEETINGS = 200, PADDING_MAX = 3000 };

struct payload {
    uint32_t sender;
    uint32_t padding;
    uint64_t number;
    unsigned char bytes[PADDING_MAX];
};

static void nap_us(long us) {
    nanosleep(&(struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000}, NULL);
}

static unsigned char padding_at(const struct payload *payload, size_t index) {
    return (unsigned char)(payload->sender * 31 + payload->number * 7 + index);
}

struct part {
    const struct testing *testing;
    const char *options;
    uint32_t sender;
};

/* ---- children ---- */

static int write_for_ever(void *user) {
    const struct part *part = user;
    struct payload payload = {.sender = part->sender};
    char address[192];
    weir_writer *writer = NULL;
    weir_error err = {0};
    unsigned seed = part->sender;
    snprintf(address, sizeof(address), "unix://%s%s", part->testing->path, part->options);
    if (weir_writer_open(address, &writer, &err) != WEIR_OK) {
        fprintf(stderr, "writer %u: %s\n", part->sender, err.text);
        return 1;
    }
    for (;;) {
        payload.number++;
        payload.padding = (uint32_t)rand_r(&seed) % PADDING_MAX;
        for (size_t i = 0; i < payload.padding; i++)
            payload.bytes[i] = padding_at(&payload, i);
        int status = weir_writer_send_bytes(writer, "n", NULL, WEIR_CODEC_RAW, NULL, &payload,
                                            offsetof(struct payload, bytes) + payload.padding, &err);
        if (status != WEIR_OK) {
            fprintf(stderr, "writer %u: %s\n", part->sender, err.text);
            return 2;
        }
        if (payload.number % 64 == 0)
            nap_us(500);
    }
}

static int read_for_ever(void *user) {
    const struct part *part = user;
    char address[192];
    weir_reader *reader = NULL;
    weir_error err = {0};
    snprintf(address, sizeof(address), "unix://%s", part->testing->path);
    if (weir_reader_open(address, &reader, &err) != WEIR_OK) {
        fprintf(stderr, "reader: %s\n", err.text);
        return 1;
    }
    for (;;) {
        weir_message *message;
        int status = weir_reader_next(reader, 30 * TESTING_SECOND, &message, &err);
        if (status != WEIR_OK) {
            fprintf(stderr, "reader: %s\n", err.text);
            return 2;
        }
    }
}

/* ---- counting ---- */

struct count {
    uint64_t last[WRITERS_MAX]; /* number received last from each sender */
    uint64_t received;
    uint64_t missed;
};

static void count_message(struct count *count, weir_message *message) {
    weir_view bytes = weir_message_bytes(message);
    struct payload payload;
    assert_in_range(bytes.size, offsetof(struct payload, bytes), sizeof(payload));
    memcpy(&payload, bytes.data, bytes.size);
    assert_in_range(payload.sender, 1, WRITERS_MAX - 1);
    assert_int_equal(bytes.size, offsetof(struct payload, bytes) + payload.padding);
    for (size_t i = 0; i < payload.padding; i++)
        assert_int_equal(payload.bytes[i], padding_at(&payload, i));
    uint64_t *last = &count->last[payload.sender];
    uint64_t gap = weir_message_gap(message);
    if (payload.number <= *last)
        fail_msg("writer %u: %llu after %llu", payload.sender, (unsigned long long)payload.number,
                 (unsigned long long)*last);
    /* Of a writer that is new here, what it sent before it was met is not missed. */
    if (*last != 0 && payload.number != *last + 1 + gap)
        fail_msg("writer %u: %llu after %llu, but a gap of %llu", payload.sender, (unsigned long long)payload.number,
                 (unsigned long long)*last, (unsigned long long)gap);
    *last = payload.number;
    count->received++;
    count->missed += gap;
}

/* Read for a while; something of @sender must come. */
static void read_from(weir_reader *reader, struct count *count, uint32_t sender, int64_t for_ns) {
    weir_error err = {0};
    uint64_t before = count->last[sender];
    int64_t enough = weir_deadline(for_ns), late = weir_deadline(20 * TESTING_SECOND);
    while (weir_deadline_left(enough) > 0 || count->last[sender] == before) {
        weir_message *message;
        int status = weir_reader_next(reader, TESTING_SECOND, &message, &err);
        if (status == WEIR_OK)
            count_message(count, message);
        else if (status != WEIR_ETIMEOUT)
            fail_msg("reader: %s", err.text);
        if (weir_deadline_left(late) == 0)
            fail_msg("nothing of writer %u came", sender);
    }
}

static void kill_child(pid_t child) {
    int status;
    kill(child, SIGKILL);
    if ((status = testing_wait(child)) != 1000 + SIGKILL)
        fail_msg("a child left by itself: %d", status);
}

/* ---- tests ---- */

/* One end after another dies, in an order the seed decides; a new one takes its place. The reader here may have come
 * first and listen, or last and be connected. @options: of the writers. */
static void check_kills(const struct testing *testing, const char *options, int reader_first, unsigned seed) {
    struct part parts[3] = {{testing, options, 1}, {testing, options, 2}, {testing, "", 0}};
    pid_t children[3];
    struct count *count = calloc(1, sizeof(*count));
    uint32_t senders = 2;
    char address[192];
    weir_reader *reader = NULL;
    weir_error err = {0};
    print_message("seed %u, %s\n", seed, options);
    snprintf(address, sizeof(address), "unix://%s", testing->path);
    if (reader_first)
        assert_int_equal(weir_reader_open(address, &reader, NULL), WEIR_OK);
    children[0] = testing_fork(write_for_ever, &parts[0]);
    while (access(testing->path, F_OK) != 0)
        nap_us(1000);
    if (!reader && weir_reader_open(address, &reader, &err) != WEIR_OK)
        fail_msg("%s", err.text);
    children[1] = testing_fork(write_for_ever, &parts[1]);
    children[2] = testing_fork(read_for_ever, &parts[2]);
    read_from(reader, count, 1, 0);
    read_from(reader, count, 2, 0);
    for (int round = 0; round < ROUNDS; round++) {
        int victim = rand_r(&seed) % 3;
        read_from(reader, count, parts[0].sender, rand_r(&seed) % 10 * 1000000);
        kill_child(children[victim]);
        if (rand_r(&seed) % 2)
            nap_us(rand_r(&seed) % 5000);
        if (victim < 2)
            parts[victim].sender = ++senders;
        children[victim] = testing_fork(victim < 2 ? write_for_ever : read_for_ever, &parts[victim]);
        read_from(reader, count, parts[0].sender, 0);
        read_from(reader, count, parts[1].sender, 0);
    }
    for (int i = 0; i < 3; i++)
        kill_child(children[i]);
    assert_int_equal(weir_reader_gaps(reader) >= count->missed, 1);
    print_message("%llu received, %llu missed\n", (unsigned long long)count->received,
                  (unsigned long long)count->missed);
    weir_reader_close(reader);
    free(count);
}

static void test_kills_around_a_listening_reader(void **state) {
    check_kills(*state, "?timeout=20s", 1, 1);
}

static void test_kills_around_a_connected_reader(void **state) {
    check_kills(*state, "?timeout=20s", 0, 2);
}

static void test_kills_with_drop_oldest(void **state) {
    check_kills(*state, "?capacity=64K&full=drop-oldest", 0, 3);
}

static void test_kills_with_small_queues(void **state) {
    check_kills(*state, "?capacity=8K&timeout=20s", 0, 4);
}

/* Open at the instant the pipe closes, and send or read one message. */
struct meeting {
    const struct testing *testing;
    int start;
    int is_writer;
};
static int meet(void *user) {
    const struct meeting *meeting = user;
    char address[192], byte;
    weir_error err = {0};
    int status = WEIR_OK;
    if (read(meeting->start, &byte, 1) != 0)
        return 1;
    snprintf(address, sizeof(address), "unix://%s%s", meeting->testing->path,
             meeting->is_writer ? "?readers=1&timeout=10s" : "");
    if (meeting->is_writer) {
        weir_writer *writer = NULL;
        status = weir_writer_open(address, &writer, &err);
        if (status == WEIR_OK)
            status = weir_writer_send_bytes(writer, "x", NULL, WEIR_CODEC_RAW, NULL, "hello", 5, &err);
        weir_writer_close(writer);
    } else {
        weir_reader *reader = NULL;
        weir_message *message;
        status = weir_reader_open(address, &reader, &err);
        if (status == WEIR_OK)
            status = weir_reader_next(reader, 10 * TESTING_SECOND, &message, &err);
        weir_reader_close(reader);
    }
    if (status != WEIR_OK)
        fprintf(stderr, "%s: %s\n", meeting->is_writer ? "writer" : "reader", err.text);
    return status != WEIR_OK;
}

/* Two that start at the same instant find each other: one listens, the other connects. Then nothing is left. */
static void test_two_at_the_same_instant(void **state) {
    const struct testing *testing = *state;
    for (int i = 0; i < MEETINGS; i++) {
        int fds[2];
        assert_int_equal(pipe(fds), 0);
        pid_t children[2];
        for (int j = 0; j < 2; j++) {
            struct meeting meeting = {testing, fds[0], j == i % 2};
            fflush(NULL);
            children[j] = fork();
            if (children[j] == 0) {
                close(fds[1]);
                alarm(30);
                _exit(meet(&meeting));
            }
        }
        close(fds[0]);
        close(fds[1]);
        assert_int_equal(testing_wait(children[0]), 0);
        assert_int_equal(testing_wait(children[1]), 0);
        assert_int_not_equal(access(testing->path, F_OK), 0);
    }
}

int main(void) {
#define CASE(test) cmocka_unit_test_setup_teardown(test, testing_setup, testing_teardown)
    static const struct CMUnitTest tests[] = {
        CASE(test_two_at_the_same_instant),         CASE(test_kills_around_a_listening_reader),
        CASE(test_kills_around_a_connected_reader), CASE(test_kills_with_drop_oldest),
        CASE(test_kills_with_small_queues),
    };
    if (getenv("WEIR_TEST_FILTER"))
        cmocka_set_test_filter(getenv("WEIR_TEST_FILTER"));
    return cmocka_run_group_tests_name("kill", tests, NULL, NULL);
}
