/* What a listener passes on in one piece, and what its owner takes without the lock: the same frames in the same order,
 * with the same gaps and limits, as one by one; and nothing behind a damaged or half one. Readers are two: the one that
 * listens and one that is connected. Writers are raw connections where every byte must be chosen. */
#include "transport/socket/testing.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

enum { BYTES_MAX = 256 << 10, READERS = 2 };

/* ---- raw writers ---- */

struct raw {
    int fd;
    uint64_t seq;
    size_t size;
    unsigned char bytes[BYTES_MAX]; /* not sent yet */
};

/* Let in by the thread of the reader that listens: who closes before he has heard so may be forgotten. */
static struct raw *raw_open(const struct testing *testing, int full) {
    struct raw *raw = calloc(1, sizeof(*raw));
    struct weir_hello answer, hello = testing_hello(WEIR_ROLE_WRITER);
    assert_non_null(raw);
    hello.full = (uint8_t)full;
    raw->fd = testing_connect(testing);
    testing_say(raw->fd, &hello);
    assert_int_equal(testing_hear(raw->fd, &answer), WEIR_OK);
    return raw;
}

static struct raw *raw_close(struct raw *raw) {
    close(raw->fd);
    free(raw);
    return NULL;
}

static void raw_append(struct raw *raw, const void *bytes, size_t size) {
    assert_true(size <= BYTES_MAX - raw->size);
    memcpy(raw->bytes + raw->size, bytes, size);
    raw->size += size;
}

static void raw_add(struct raw *raw, size_t data_size) {
    struct testing_bytes frame =
        testing_frame(WEIR_FRAME_MESSAGE, raw->seq % 3 ? "op" : NULL, raw->seq + 1, 0, data_size);
    raw->seq++;
    raw_append(raw, frame.data, frame.size);
}

/* Frames of 56 bytes, which become 64 with their writer's number. */
static void raw_add_equal(struct raw *raw, int count) {
    for (int i = 0; i < count; i++) {
        struct testing_bytes frame = testing_frame(WEIR_FRAME_MESSAGE, NULL, raw->seq + 1, 0, 40);
        raw->seq++;
        raw_append(raw, frame.data, frame.size);
    }
}

/* What was added leaves, as far as the socket takes it at once; all of it must. */
static void raw_send(struct raw *raw) {
    assert_int_equal(send(raw->fd, raw->bytes, raw->size, MSG_NOSIGNAL), raw->size);
    raw->size = 0;
}

/* ---- readers ---- */

static void readers_open(const struct weir_place *place, struct weir_socket **readers) {
    readers[0] = testing_open(place, WEIR_ROLE_READER);
    readers[1] = testing_open(place, WEIR_ROLE_READER);
    assert_int_equal(readers[0]->mode, WEIR_MODE_LISTENING);
    assert_int_equal(readers[1]->mode, WEIR_MODE_CONNECTED);
}

static void readers_close(struct weir_socket **readers) {
    testing_close(readers[1]);
    testing_close(readers[0]);
}

static uint64_t seq_of(const unsigned char *bytes) {
    uint64_t seq;
    memcpy(&seq, bytes + 8, sizeof(seq));
    return seq;
}

static void expect(struct weir_socket *reader, uint64_t from, uint64_t to) {
    struct weir_inbound inbound;
    for (uint64_t seq = from; seq <= to; seq++) {
        assert_int_equal(testing_next(reader, 10 * TESTING_SECOND, &inbound), seq);
        assert_int_equal(inbound.gap, 0);
    }
}

/* Of the one writer there is, how many frames a listener has taken in. */
static uint64_t passed(struct weir_socket *listener) {
    pthread_mutex_lock(&listener->lock);
    uint64_t seq = listener->passed.count ? listener->passed.items[0].seq : 0;
    pthread_mutex_unlock(&listener->lock);
    return seq;
}

static int is_held_up(struct weir_socket *listener) {
    pthread_mutex_lock(&listener->lock);
    int is_paused = listener->paused_count > 0;
    pthread_mutex_unlock(&listener->lock);
    return is_paused;
}

static void await_passed(struct weir_socket *listener, uint64_t seq) {
    int64_t deadline = weir_deadline(60 * TESTING_SECOND);
    uint32_t count;
    while (passed(listener) < seq && weir_deadline_left(deadline) > 0)
        assert_int_equal(weir_socket_readers(listener, &count), WEIR_OK);
    assert_int_equal(passed(listener), seq);
}

static void expect_nothing(struct weir_socket *reader) {
    assert_int_equal(testing_next(reader, TESTING_SECOND / 50, NULL), 0);
}

/* ---- forms ---- */

/* A frame of each form between usual ones: all come, every part of them, with the writer's number. */
static void test_every_form_comes_in_its_place(void **state) {
    struct weir_place place = testing_place(*state);
    struct weir_socket *readers[READERS];
    readers_open(&place, readers);
    struct raw *raw = raw_open(*state, WEIR_FULL_BLOCK);
    char data[6000];
    for (uint64_t seq = 1; seq <= 256; seq++) {
        unsigned char bytes[8192];
        unsigned bits = (unsigned)seq & 127;
        struct weir_frame frame = {
            .kind = WEIR_FRAME_MESSAGE,
            .codec = 2,
            .flags = (uint8_t)(seq % 2 ? seq & 1 : bits & ~(unsigned)(WEIR_FRAME_META | WEIR_FRAME_TYPE)),
            .seq = seq,
            .time = (int64_t)seq * 1000,
            .id = seq % 2 ? 0 : seq,
            .writer = 99, /* what it says itself does not count */
            .op = {"operation", seq % 10},
            .data = {data, seq % 16 == 8 ? sizeof(data) : seq}};
        if (seq % 2 == 0 && bits & WEIR_FRAME_META)
            frame.meta = (weir_view){"meta", 4};
        if (seq % 2 == 0 && bits & WEIR_FRAME_TYPE)
            frame.type = (weir_view){"u8[]", 4};
        memset(data, (int)seq, sizeof(data));
        assert_int_equal(weir_frame_layout(&frame), WEIR_OK);
        weir_frame_write_whole(&frame, bytes);
        raw_append(raw, bytes, frame.size);
    }
    raw_send(raw);
    for (int i = 0; i < READERS; i++)
        for (uint64_t seq = 1; seq <= 256; seq++) {
            struct weir_inbound inbound;
            struct weir_frame frame;
            int status;
            int64_t deadline = weir_deadline(60 * TESTING_SECOND);
            while ((status = weir_socket_next(readers[i], &inbound, NULL)) == WEIR_EAGAIN)
                assert_int_equal(weir_socket_wait(readers[i], WEIR_READY_TO_READ, deadline, NULL), WEIR_OK);
            assert_int_equal(status, WEIR_OK);
            assert_int_equal(weir_frame_parse(inbound.word, inbound.bytes, inbound.size, &frame), WEIR_OK);
            assert_int_equal(frame.seq, seq);
            assert_int_equal(inbound.gap, 0);
            assert_int_equal(inbound.uid, getuid());
            assert_true(frame.flags & WEIR_FRAME_WRITER);
            assert_int_not_equal(frame.writer, 99);
            assert_int_equal(frame.time, frame.flags & WEIR_FRAME_TIME ? (int64_t)seq * 1000 : 0);
            assert_int_equal(frame.id, frame.flags & WEIR_FRAME_ID ? seq : 0);
            assert_int_equal(frame.op.size, seq % 10);
            assert_memory_equal(frame.op.data, "operation", seq % 10);
            assert_int_equal(frame.data.size, seq % 16 == 8 ? sizeof(data) : seq);
            for (size_t k = 0; k < frame.data.size; k++)
                assert_int_equal((unsigned char)frame.data.data[k], (unsigned char)seq);
        }
    raw_close(raw);
    readers_close(readers);
}

/* ---- damage and death ---- */

static void word_set(unsigned char *bytes, uint64_t clear, uint64_t set) {
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    word = (word & ~clear) | set;
    memcpy(bytes, &word, sizeof(word));
}

/* What lies before a damaged frame is delivered, nothing behind it is, and the connection is closed. */
static void test_nothing_comes_behind_a_damaged_frame(void **state) {
    static const struct {
        uint64_t clear, set;
    } cases[] = {
        {UINT64_C(0xF0) << 32, UINT64_C(0x20) << 32},              /* another version */
        {UINT64_C(0x0F) << 32, UINT64_C(0x00) << 32},              /* no kind */
        {UINT64_C(0x0F) << 32, UINT64_C(0x0F) << 32},              /* none that there is */
        {UINT64_C(0x0F) << 32, UINT64_C(0x02) << 32},              /* one that no writer sends */
        {UINT64_C(0xFF) << 48, UINT64_C(0xFF) << 48},              /* an op that is larger than all */
        {UINT64_C(0xFF) << 56, UINT64_C(0x80) << 56},              /* a flag that there is not */
        {UINT64_C(0xFF) << 56, (uint64_t)WEIR_FRAME_META << 56},   /* meta that is larger than all */
        {UINT64_C(0xFFFFFFFF), 15},                                /* smaller than its header */
        {UINT64_C(0xFF000000FFFFFFFF), UINT64_C(0x01) << 56 | 16}, /* and with its time */
        {UINT64_C(0xFFFFFFFF), UINT64_C(0xF0000000)},              /* larger than anybody takes */
    };
    struct weir_place place = testing_place(*state);
    struct weir_socket *readers[READERS];
    readers_open(&place, readers);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct raw *raw = raw_open(*state, i % 2 ? WEIR_FULL_DROP_OLDEST : WEIR_FULL_BLOCK);
        for (int k = 0; k < 50; k++)
            raw_add(raw, 40);
        size_t at = raw->size;
        raw_add(raw, 40);
        memset(raw->bytes + at + 16, 0xEE, 40); /* so that no length in there fits */
        word_set(raw->bytes + at, cases[i].clear, cases[i].set);
        for (int k = 0; k < 50; k++)
            raw_add(raw, 40);
        raw_send(raw);
        expect(readers[0], 1, 50);
        assert_true(testing_ends(raw->fd));
        expect_nothing(readers[0]);
        expect(readers[1], 1, 50);
        expect_nothing(readers[1]);
        raw_close(raw);
    }
    readers_close(readers);
}

/* A writer that goes in the middle of a frame, after each of its bytes: what was whole has come, the rest never does. */
static void test_a_part_of_a_frame_reaches_nobody(void **state) {
    struct weir_place place = testing_place(*state);
    struct weir_socket *readers[READERS];
    readers_open(&place, readers);
    for (size_t cut = 0; cut < 60; cut++) {
        struct raw *raw = raw_open(*state, WEIR_FULL_BLOCK);
        for (int k = 0; k < 20; k++)
            raw_add(raw, 30);
        size_t whole = raw->size;
        raw_add(raw, 44);
        assert_true(raw->size >= whole + 60);
        raw->size = whole + cut;
        raw_send(raw);
        raw_close(raw);
        expect(readers[0], 1, 20);
        expect(readers[1], 1, 20);
    }
    expect_nothing(readers[0]);
    expect_nothing(readers[1]);
    readers_close(readers);
}

static int send_for_ever(void *user) {
    struct weir_socket *writer = testing_open(user, WEIR_ROLE_WRITER);
    int status = WEIR_OK;
    while (status == WEIR_OK || status == WEIR_EAGAIN) {
        struct weir_frame frame = {.kind = WEIR_FRAME_MESSAGE, .data = {"sixteen letters.", 16}};
        struct weir_slot slot;
        weir_frame_layout(&frame);
        status = weir_socket_reserve(writer, 0, frame.size, &slot, NULL);
        if (status == WEIR_EAGAIN)
            (void)weir_socket_wait(writer, WEIR_READY_TO_WRITE, weir_deadline(TESTING_SECOND), NULL);
        if (status != WEIR_OK)
            continue;
        frame.seq = slot.seq;
        status = weir_socket_commit(writer, weir_frame_write(&frame, slot.bytes), 0, NULL);
    }
    return 1;
}

/* The next frame of send_for_ever. Return: its seq; 0 when none comes any more. */
static uint64_t letters_next(struct weir_socket *reader, int64_t timeout_ns) {
    struct weir_inbound inbound;
    int status;
    while ((status = weir_socket_next(reader, &inbound, NULL)) == WEIR_EAGAIN)
        if (weir_socket_wait(reader, WEIR_READY_TO_READ, weir_deadline(timeout_ns), NULL) != WEIR_OK)
            return 0;
    assert_int_equal(status, WEIR_OK);
    assert_int_equal(inbound.gap, 0);
    assert_memory_equal(inbound.bytes + inbound.size - 16, "sixteen letters.", 16);
    return seq_of(inbound.bytes);
}

/* Writers are killed while they send as fast as they can: what comes of each is a beginning of what he sent. */
static void test_killed_writers_leave_whole_frames(void **state) {
    struct weir_place place = testing_place(*state);
    struct weir_socket *readers[READERS];
    readers_open(&place, readers);
    for (int round = 0; round < 5; round++) {
        uint64_t seqs[READERS] = {0}, seq;
        pid_t child = testing_fork(send_for_ever, &place);
        for (int i = 0; i < 20000; i++)
            for (int k = 0; k < READERS; k++)
                assert_int_equal(letters_next(readers[k], 30 * TESTING_SECOND), ++seqs[k]);
        kill(child, SIGKILL);
        assert_int_equal(testing_wait(child), 1000 + SIGKILL);
        for (int k = 0; k < READERS; k++) /* together, as the one that does not read holds the other up */
            while ((seq = letters_next(readers[k], 0)) != 0)
                assert_int_equal(seq, ++seqs[k]);
        for (int quiet = 0; quiet < 2;) {
            quiet++;
            for (int k = 0; k < READERS; k++)
                while ((seq = letters_next(readers[k], TESTING_SECOND / 20)) != 0) {
                    assert_int_equal(seq, ++seqs[k]);
                    quiet = 0;
                }
        }
        assert_int_equal(seqs[0], seqs[1]);
    }
    readers_close(readers);
}

/* ---- limits ---- */

/* Never more in the listener's inbox than capacity=, and what its owner takes without the lock counts as
 * room at once. */
static void test_capacity_holds(void **state) {
    enum { COUNT = 2000, SIZE = 16 + 8 + 40 };
    struct weir_place place = testing_place(*state);
    place.capacity = 4096;
    struct weir_socket *reader = testing_open(&place, WEIR_ROLE_READER);
    struct raw *raw = raw_open(*state, WEIR_FULL_BLOCK);
    raw_add_equal(raw, COUNT);
    raw_send(raw);
    for (uint64_t seq = 1; seq <= COUNT; seq++) {
        expect(reader, seq, seq);
        pthread_mutex_lock(&reader->lock);
        weir_inbox_settle(reader);
        uint64_t queued = reader->inbox.size, waiting = reader->passed.items[0].seq - seq;
        pthread_mutex_unlock(&reader->lock);
        assert_int_equal(queued, waiting * SIZE);
        assert_true(queued <= place.capacity);
    }
    expect_nothing(reader);
    raw_close(raw);
    testing_close(reader);
}

/* A frame that is larger than capacity= waits until the inbox is empty, and no longer. */
static void test_a_large_frame_comes_as_soon_as_there_is_room(void **state) {
    struct weir_place place = testing_place(*state);
    place.capacity = 3000;
    struct weir_socket *reader = testing_open(&place, WEIR_ROLE_READER);
    struct raw *raw = raw_open(*state, WEIR_FULL_BLOCK);
    for (int i = 0; i < 12; i++)
        raw_add(raw, 40);
    raw_add(raw, 3500);
    for (int i = 0; i < 12; i++)
        raw_add(raw, 40);
    raw_send(raw);
    int64_t deadline = weir_deadline(60 * TESTING_SECOND);
    uint32_t count;
    while (!is_held_up(reader) && weir_deadline_left(deadline) > 0)
        assert_int_equal(weir_socket_readers(reader, &count), WEIR_OK);
    assert_int_equal(passed(reader), 12);
    expect(reader, 1, 11);
    assert_int_equal(passed(reader), 12);
    expect(reader, 12, 12);
    assert_int_equal(passed(reader), 13); /* with nothing asked for */
    expect(reader, 13, 13);
    assert_int_equal(passed(reader), 25);
    expect(reader, 14, 25);
    expect_nothing(reader);
    raw_close(raw);
    testing_close(reader);
}

/* The same when the frame comes, and our thread finds no room for it, while the owner takes those before it. */
static void test_who_is_held_up_meanwhile_goes_on(void **state) {
    struct weir_place place = testing_place(*state);
    place.capacity = 3000;
    struct weir_socket *reader = testing_open(&place, WEIR_ROLE_READER);
    struct raw *raw = raw_open(*state, WEIR_FULL_BLOCK);
    int64_t deadline = weir_deadline(60 * TESTING_SECOND);
    for (int i = 0; i < 12; i++)
        raw_add(raw, 40);
    raw_send(raw);
    await_passed(reader, 12);
    expect(reader, 1, 2);
    assert_int_equal(reader->quick.is_on, 1);
    raw_add(raw, 3500);
    raw_send(raw);
    while (!is_held_up(reader) && weir_deadline_left(deadline) > 0)
        usleep(1000);
    expect(reader, 3, 11);
    assert_int_equal(passed(reader), 12);
    expect(reader, 12, 12);
    assert_int_equal(passed(reader), 13);
    expect(reader, 13, 13);
    raw_close(raw);
    testing_close(reader);
}

/* By our thread alone. */
static void await_thread(struct weir_socket *listener, uint64_t seq) {
    int64_t deadline = weir_deadline(60 * TESTING_SECOND);
    while (passed(listener) < seq && weir_deadline_left(deadline) > 0)
        sched_yield();
    assert_int_equal(passed(listener), seq);
}

/* Nor is anybody held up by an owner who has taken everything and does not come again, at whatever moment the frame
 * came that had no room. */
static void test_who_has_taken_all_holds_up_nobody(void **state) {
    enum { TIMES = 10000, SMALL = 12, LATEST = 50 * 1000 };
    struct weir_place place = testing_place(*state);
    place.capacity = 3000;
    struct weir_socket *reader = testing_open(&place, WEIR_ROLE_READER);
    struct raw *raw = raw_open(*state, WEIR_FULL_BLOCK);
    for (int i = 0; i < TIMES; i++) {
        uint64_t before = raw->seq;
        for (int k = 0; k < SMALL; k++)
            raw_add(raw, 40);
        raw_send(raw);
        await_thread(reader, before + SMALL);
        expect(reader, before + 1, before + 1);
        raw_add(raw, 3500);
        raw_send(raw);
        int64_t moment = weir_clock_monotonic() + (int64_t)i * 7919 % LATEST;
        while (weir_clock_monotonic() < moment)
            continue; /* our thread comes to look for room */
        expect(reader, before + 2, before + SMALL);
        await_thread(reader, before + SMALL + 1);
        expect(reader, before + SMALL + 1, before + SMALL + 1);
    }
    raw_close(raw);
    testing_close(reader);
}

/* Of a writer with full=drop-oldest, the newest that fit stay, to the frame, and the others are one gap. */
static void test_the_newest_that_fit_stay(void **state) {
    enum { COUNT = 1500, SIZE = 16 + 8 + 40 };
    struct weir_place place = testing_place(*state);
    place.capacity = 4096;
    struct weir_socket *reader = testing_open(&place, WEIR_ROLE_READER);
    struct raw *raw = raw_open(*state, WEIR_FULL_DROP_OLDEST);
    struct weir_inbound inbound;
    uint64_t kept = place.capacity / SIZE;
    raw_add_equal(raw, COUNT);
    raw_send(raw);
    await_passed(reader, COUNT);
    assert_int_equal(testing_next(reader, 0, &inbound), COUNT - kept + 1);
    assert_int_equal(inbound.gap, COUNT - kept);
    expect(reader, COUNT - kept + 2, COUNT);
    expect_nothing(reader);
    raw_close(raw);
    testing_close(reader);
}

/* The same while the owner is in the middle of them: he is not given what was dropped meanwhile. */
static void test_what_was_dropped_meanwhile_does_not_come(void **state) {
    enum { COUNT = 200, SIZE = 16 + 8 + 40 };
    struct weir_place place = testing_place(*state);
    place.capacity = 4096;
    struct weir_socket *reader = testing_open(&place, WEIR_ROLE_READER);
    struct raw *raw = raw_open(*state, WEIR_FULL_DROP_OLDEST);
    struct weir_inbound inbound;
    uint64_t kept = place.capacity / SIZE;
    int64_t deadline = weir_deadline(60 * TESTING_SECOND);
    for (int part = 0; part < 2; part++) {
        for (int i = 0; i < (part ? COUNT - 20 : 20); i++) {
            struct testing_bytes frame = testing_frame(WEIR_FRAME_MESSAGE, NULL, ++raw->seq, 0, 40);
            raw_append(raw, frame.data, frame.size);
        }
        raw_send(raw);
        if (part == 0) {
            await_passed(reader, 20);
            expect(reader, 1, 3);
        }
    }
    while (passed(reader) < COUNT && weir_deadline_left(deadline) > 0)
        usleep(1000); /* our thread takes them in */
    assert_int_equal(testing_next(reader, 0, &inbound), COUNT - kept + 1);
    assert_int_equal(inbound.gap, COUNT - kept - 3);
    expect(reader, COUNT - kept + 2, COUNT);
    expect_nothing(reader);
    raw_close(raw);
    testing_close(reader);
}

/* Frames larger than a connected reader takes are left out for him, in the middle of those he gets. */
static void test_a_reader_with_a_smaller_limit(void **state) {
    struct weir_place place = testing_place(*state);
    struct weir_socket *readers[READERS];
    struct weir_inbound inbound;
    readers[0] = testing_open(&place, WEIR_ROLE_READER);
    place.size_max = 1000;
    readers[1] = testing_open(&place, WEIR_ROLE_READER);
    struct raw *raw = raw_open(*state, WEIR_FULL_BLOCK);
    for (int i = 0; i < 300; i++)
        raw_add(raw, i % 10 == 9 ? 1400 : 50);
    raw_send(raw);
    expect(readers[0], 1, 300);
    for (uint64_t seq = 1; seq < 300; seq++)
        if (seq % 10 != 0) {
            assert_int_equal(testing_next(readers[1], 10 * TESTING_SECOND, &inbound), seq);
            assert_int_equal(inbound.gap, seq % 10 == 1 && seq > 1);
        }
    raw_close(raw);
    readers_close(readers);
}

/* ---- seek ---- */

/* Moving about between frames that are taken quickly: the history is what it was, and nothing is counted as missed. */
static void test_seek_between_quick_frames(void **state) {
    struct weir_place place = testing_place(*state);
    struct weir_socket *readers[READERS];
    readers_open(&place, readers);
    struct raw *raw = raw_open(*state, WEIR_FULL_BLOCK);
    for (int i = 0; i < 400; i++)
        raw_add(raw, 60);
    raw_send(raw);
    await_passed(readers[0], 400);
    for (int i = 0; i < READERS; i++) {
        expect(readers[i], 1, 100);
        if (i == 0)
            assert_int_equal(readers[i]->quick.is_on, 1);
        weir_socket_release(readers[i]);
        expect(readers[i], 101, 150);
        assert_int_equal(weir_socket_seek(readers[i], WEIR_FROM_OLDEST, 0, NULL), WEIR_OK);
        expect(readers[i], 1, 200);
        assert_int_equal(weir_socket_seek(readers[i], WEIR_FROM_LAST, 0, NULL), WEIR_OK);
        expect(readers[i], 400, 400);
        assert_int_equal(weir_socket_seek(readers[i], WEIR_FROM_SEQ, 300, NULL), WEIR_OK);
        expect(readers[i], 300, 350);
        assert_int_equal(weir_socket_seek(readers[i], WEIR_FROM_NOW, 0, NULL), WEIR_OK);
        expect_nothing(readers[i]);
    }
    for (int i = 0; i < 50; i++)
        raw_add(raw, 60);
    raw_send(raw);
    expect(readers[0], 401, 450);
    expect(readers[1], 401, 450);
    raw_close(raw);
    readers_close(readers);
}

/* ---- two writers at once ---- */

enum { EACH = 20000 };

struct sender {
    const struct weir_place *place;
    pthread_t thread;
    int failures;
    unsigned salt;
};

/* Sizes that follow from the seq; now and then a form or a size that is not usual, and a number that nobody sends. */
static void *sender_main(void *user) {
    struct sender *sender = user;
    struct weir_socket *writer = testing_open(sender->place, WEIR_ROLE_WRITER);
    unsigned char data[6000];
    uint64_t seq = 0;
    while (seq < EACH) {
        if (seq % 101 == 100) {
            weir_socket_skip(writer);
            seq++;
            continue;
        }
        uint64_t next = seq + 1;
        size_t size = next % 499 == 0 ? 5000 : (next * 7 + sender->salt) % 90;
        memset(data, (int)(next + sender->salt), size);
        struct weir_frame frame = {.kind = WEIR_FRAME_MESSAGE,
                                   .flags =
                                       (uint8_t)((next % 2 ? WEIR_FRAME_TIME : 0) | (next % 53 ? 0 : WEIR_FRAME_CRC)),
                                   .time = 5,
                                   .op = {next % 5 ? "" : "op", next % 5 ? 0 : 2},
                                   .data = {(const char *)data, size}};
        struct weir_slot slot;
        weir_frame_layout(&frame);
        if (weir_socket_reserve(writer, 0, frame.size, &slot, NULL) != WEIR_OK) {
            (void)weir_socket_wait(writer, WEIR_READY_TO_WRITE, weir_deadline(TESTING_SECOND), NULL);
            continue;
        }
        frame.seq = slot.seq;
        sender->failures += slot.seq != next;
        sender->failures += weir_socket_commit(writer, weir_frame_write(&frame, slot.bytes),
                                               next % 7 ? 0 : WEIR_COMMIT_MORE, NULL) != 0;
        seq = next;
    }
    sender->failures += weir_socket_flush(writer, NULL) != WEIR_OK;
    testing_close(writer);
    return NULL;
}

/* What one reader has had of each writer, who is told by the sizes that he chooses. */
struct seen {
    uint64_t seqs[16]; /* by the small number */
    uint64_t gaps;
    uint64_t count;
};

static void seen_add(struct seen *seen, uint32_t writer, const unsigned char *bytes, uint64_t gap) {
    struct weir_frame frame;
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    assert_int_equal(weir_frame_parse(word, bytes, weir_frame_word_size(word), &frame), WEIR_OK);
    assert_true(writer < 16);
    assert_int_equal(frame.seq, seen->seqs[writer] + gap + 1);
    assert_int_equal(gap, frame.seq % 101 == 1 && frame.seq > 1 ? frame.seq > 101 : 0);
    size_t size = frame.seq % 499 == 0 ? 5000 : 0;
    unsigned salt = frame.data.size ? (unsigned char)(frame.data.data[0] - (char)frame.seq) : 0;
    assert_true(salt == 0 || salt == 13);
    if (!size)
        assert_true(frame.data.size == (frame.seq * 7) % 90 || frame.data.size == (frame.seq * 7 + 13) % 90);
    else
        assert_int_equal(frame.data.size, size);
    for (size_t i = 0; i < frame.data.size; i++)
        assert_int_equal((unsigned char)frame.data.data[i], (unsigned char)(frame.seq + salt));
    seen->seqs[writer] = frame.seq;
    seen->gaps += gap;
    seen->count++;
}

/* What is there now, but not more than a few hundred. */
static void seen_take(struct seen *seen, struct weir_socket *reader, unsigned turn) {
    struct weir_inbound inbound;
    struct weir_following behind[40];
    for (int i = 0; i < 200; i++) {
        int status = weir_socket_next(reader, &inbound, NULL);
        if (status == WEIR_EAGAIN)
            return;
        assert_int_equal(status, WEIR_OK);
        seen_add(seen, inbound.writer, inbound.bytes, inbound.gap);
        size_t count = turn % 3 == 0 && inbound.is_in_place ? weir_socket_follow(reader, behind, 40) : 0;
        for (size_t k = 0; k < count; k++)
            seen_add(seen, inbound.writer, behind[k].bytes, behind[k].gap);
        if (turn % 5 == 0 && i % 50 == 49)
            weir_socket_release(reader);
    }
}

static void test_two_writers_and_two_readers(void **state) {
    struct weir_place place = testing_place(*state);
    struct weir_socket *readers[READERS];
    place.capacity = 64 << 10;
    readers_open(&place, readers);
    struct sender senders[2] = {{.place = &place}, {.place = &place, .salt = 13}};
    struct seen seen[READERS] = {0};
    uint64_t skipped = EACH / 101, wanted = 2 * (EACH - skipped);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&senders[i].thread, NULL, sender_main, &senders[i]), 0);
    int64_t deadline = weir_deadline(60 * TESTING_SECOND);
    for (unsigned turn = 0; (seen[0].count < wanted || seen[1].count < wanted) && weir_deadline_left(deadline) > 0;
         turn++)
        for (int i = 0; i < READERS; i++) {
            seen_take(&seen[i], readers[i], turn);
            if (turn % 16 == 0)
                (void)weir_socket_wait(readers[i], WEIR_READY_TO_READ, weir_deadline(TESTING_SECOND / 1000), NULL);
        }
    for (int i = 0; i < 2; i++) {
        pthread_join(senders[i].thread, NULL);
        assert_int_equal(senders[i].failures, 0);
    }
    for (int i = 0; i < READERS; i++) {
        assert_int_equal(seen[i].count, wanted);
        assert_int_equal(seen[i].gaps, 2 * skipped);
    }
    readers_close(readers);
}

int main(void) {
#define CASE(test) cmocka_unit_test_setup_teardown(test, testing_setup, testing_teardown)
    static const struct CMUnitTest tests[] = {
        CASE(test_every_form_comes_in_its_place),
        CASE(test_nothing_comes_behind_a_damaged_frame),
        CASE(test_a_part_of_a_frame_reaches_nobody),
        CASE(test_killed_writers_leave_whole_frames),
        CASE(test_capacity_holds),
        CASE(test_a_large_frame_comes_as_soon_as_there_is_room),
        CASE(test_who_is_held_up_meanwhile_goes_on),
        CASE(test_who_has_taken_all_holds_up_nobody),
        CASE(test_the_newest_that_fit_stay),
        CASE(test_what_was_dropped_meanwhile_does_not_come),
        CASE(test_a_reader_with_a_smaller_limit),
        CASE(test_seek_between_quick_frames),
        CASE(test_two_writers_and_two_readers),
    };
    if (getenv("WEIR_TEST_FILTER"))
        cmocka_set_test_filter(getenv("WEIR_TEST_FILTER"));
    return cmocka_run_group_tests_name("relay", tests, NULL, NULL);
}
