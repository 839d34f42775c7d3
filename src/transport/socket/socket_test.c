/* Ends on a socket, taken apart: what the conformance tests cannot see from outside, and what was once wrong. */
#include "transport/socket/testing.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum { BIG = 8000, MANY = 400 };

static void nap_ms(long ms) {
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static void await_readers(struct weir_socket *writer, uint32_t count) {
    uint32_t there = 0;
    int64_t deadline = weir_deadline(60 * TESTING_SECOND);
    while (there < count && weir_deadline_left(deadline) > 0) {
        assert_int_equal(weir_socket_readers(writer, &there), WEIR_OK);
        nap_ms(1);
    }
    assert_int_equal(there, count);
}

static void send_surely(struct weir_socket *writer, size_t size) {
    int64_t deadline = weir_deadline(60 * TESTING_SECOND);
    int status;
    while ((status = testing_send(writer, 0, WEIR_FRAME_MESSAGE, size)) == WEIR_EAGAIN)
        assert_int_equal(weir_socket_wait(writer, WEIR_READY_TO_WRITE, deadline, NULL), WEIR_OK);
    assert_int_equal(status, WEIR_OK);
}

/* ---- the latest value ---- */

/* A reader that listens shows a frame in place; what comes meanwhile must not overwrite it. */
static void test_the_latest_frame_stays_while_it_is_looked_at(void **state) {
    struct weir_place place = testing_place(*state);
    struct weir_inbound inbound;
    place.capacity = 64 << 10;
    place.is_observer = 1;
    struct weir_socket *reader = testing_open(&place, WEIR_ROLE_READER);
    place.is_observer = 0;
    struct weir_socket *writer = testing_open(&place, WEIR_ROLE_WRITER);
    assert_int_equal(testing_send(writer, 0, WEIR_FRAME_MESSAGE, BIG), WEIR_OK);
    assert_int_equal(testing_next(reader, 10 * TESTING_SECOND, NULL), 1);
    assert_int_equal(weir_socket_seek(reader, WEIR_FROM_LAST, 0, NULL), WEIR_OK);
    assert_int_equal(weir_socket_next(reader, &inbound, NULL), WEIR_OK);
    for (int i = 0; i < MANY; i++)
        send_surely(writer, BIG);
    nap_ms(50); /* not a condition: time in which what must not happen could */
    assert_true(testing_is_whole(&inbound));
    testing_close(writer);
    testing_close(reader);
}

/* A new listener sends again what a reader may have missed. What he has seen must not disturb what he keeps. */
static void test_frames_seen_before_leave_the_latest_alone(void **state) {
    struct weir_place place = testing_place(*state);
    struct weir_inbound inbound = {0};
    place.from = WEIR_FROM_OLDEST;
    int fd = testing_listen(*state);
    int64_t deadline = weir_deadline(60 * TESTING_SECOND);
    place.must_connect = 1;
    struct weir_hello hello, answer = testing_hello(WEIR_ROLE_READER);
    answer.writer = 0;
    pid_t child = fork();
    if (child == 0) { /* one listener after the other: the second repeats an older, longer frame */
        for (int round = 0; round < 2; round++) {
            int peer = accept(fd, NULL, NULL);
            testing_hear(peer, &hello);
            testing_say(peer, &answer);
            for (uint64_t i = 1; i <= 2; i++) {
                /* The second does not lie at a multiple of 64 when it arrives, so that it is copied. */
                struct testing_bytes frame =
                    testing_frame(WEIR_FRAME_MESSAGE, "x", round == 0 ? i : 1, 0, round == 0 ? 10 : 300);
                (void)!send(peer, frame.data, frame.size, MSG_NOSIGNAL);
            }
            if (round == 1)
                testing_ends(peer);
            close(peer);
        }
        _exit(0);
    }
    struct weir_socket *reader = testing_open(&place, WEIR_ROLE_READER);
    assert_int_equal(testing_next(reader, 10 * TESTING_SECOND, NULL), 1);
    assert_int_equal(testing_next(reader, 10 * TESTING_SECOND, NULL), 2);
    while ((!reader->is_resuming || reader->upstream.phase != WEIR_PHASE_READY) && weir_deadline_left(deadline) > 0)
        assert_int_equal(testing_next(reader, TESTING_SECOND / 50, NULL), 0);
    assert_int_equal(testing_next(reader, TESTING_SECOND / 10, NULL), 0);
    assert_int_equal(weir_socket_seek(reader, WEIR_FROM_LAST, 0, NULL), WEIR_OK);
    assert_int_equal(testing_next(reader, TESTING_SECOND, &inbound), 2);
    testing_close(reader);
    assert_int_equal(testing_wait(child), 0);
    close(fd);
}

/* ---- seeking ---- */

/* Let the reader in, by hand. */
static int reader_let_in(int listener, struct weir_socket *reader) {
    struct weir_hello hello, answer = testing_hello(WEIR_ROLE_WRITER);
    struct pollfd item = {.fd = listener, .events = POLLIN};
    int64_t deadline = weir_deadline(60 * TESTING_SECOND);
    while (poll(&item, 1, 1) == 0 && weir_deadline_left(deadline) > 0)
        assert_int_equal(testing_next(reader, TESTING_SECOND / 100, NULL), 0);
    int fd = accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    assert_int_equal(testing_hear(fd, &hello), WEIR_OK);
    testing_say(fd, &answer);
    while (reader->upstream.phase != WEIR_PHASE_READY && weir_deadline_left(deadline) > 0)
        assert_int_equal(testing_next(reader, TESTING_SECOND / 100, NULL), 0);
    return fd;
}

/* The serial of the next seek that the reader has sent. */
static uint64_t seek_hear(int fd) {
    unsigned char bytes[256];
    uint64_t word;
    struct weir_frame frame;
    assert_int_equal(recv(fd, bytes, 8, MSG_WAITALL), 8);
    memcpy(&word, bytes, 8);
    assert_in_range(weir_frame_word_size(word), 16, sizeof(bytes));
    assert_int_equal(recv(fd, bytes + 8, weir_frame_word_size(word) - 8, MSG_WAITALL), weir_frame_word_size(word) - 8);
    assert_int_equal(weir_frame_parse(word, bytes, weir_frame_word_size(word), &frame), WEIR_OK);
    assert_true(weir_control_is(&frame, "seek"));
    assert_int_equal(frame.id, WEIR_FROM_OLDEST);
    return frame.writer;
}

static void sought_say(int fd, uint64_t serial) {
    struct weir_chunk *open = NULL;
    size_t start;
    assert_int_equal(weir_control_write(&(struct weir_control){.op = "sought", .writer = serial}, &open, &start),
                     WEIR_OK);
    assert_int_equal(send(fd, open->bytes + start, open->size - start, MSG_NOSIGNAL), open->size - start);
    weir_chunk_unref(open);
}

static void frame_say(int fd, uint64_t seq) {
    struct testing_bytes frame = testing_frame(WEIR_FRAME_MESSAGE, NULL, seq, 0, 10);
    assert_int_equal(send(fd, frame.data, frame.size, MSG_NOSIGNAL), frame.size);
}

/* Of two seeks only the second's frames are wanted, whatever the listener has confirmed; and a seek outlives the
 * listener. */
static void test_only_the_last_seek_counts(void **state) {
    struct weir_place place = testing_place(*state);
    place.must_connect = 1;
    int listener = testing_listen(*state);
    pid_t child = fork();
    if (child == 0) { /* open waits until somebody lets the reader in */
        int peer = accept(listener, NULL, NULL);
        struct weir_hello hello, answer = testing_hello(WEIR_ROLE_WRITER);
        testing_hear(peer, &hello);
        testing_say(peer, &answer);
        _exit(0);
    }
    struct weir_socket *reader = testing_open(&place, WEIR_ROLE_READER);
    assert_int_equal(testing_wait(child), 0);
    int fd = reader_let_in(listener, reader);
    assert_int_equal(weir_socket_seek(reader, WEIR_FROM_OLDEST, 0, NULL), WEIR_OK);
    assert_int_equal(weir_socket_seek(reader, WEIR_FROM_OLDEST, 0, NULL), WEIR_OK);
    uint64_t first = seek_hear(fd), second = seek_hear(fd);
    sought_say(fd, first);
    frame_say(fd, 1);
    sought_say(fd, second);
    frame_say(fd, 2);
    assert_int_equal(testing_next(reader, 10 * TESTING_SECOND, NULL), 2);
    assert_int_equal(weir_socket_seek(reader, WEIR_FROM_OLDEST, 0, NULL), WEIR_OK);
    first = seek_hear(fd);
    frame_say(fd, 3);
    close(fd);
    fd = reader_let_in(listener, reader);
    frame_say(fd, 4);
    (void)testing_next(reader, TESTING_SECOND / 20, NULL);
    assert_int_equal(seek_hear(fd), first);
    sought_say(fd, first);
    frame_say(fd, 5);
    assert_int_equal(testing_next(reader, 10 * TESTING_SECOND, NULL), 5);
    close(fd);
    close(listener);
    testing_close(reader);
}

/* ---- held up ---- */

/* Nobody lets the client in. It gives up when the time is over, but not when it sees that only much later. */
static void test_who_was_held_up_waits_again(void **state) {
    struct weir_place place = testing_place(*state);
    int listener = testing_listen(*state);
    struct weir_socket *client = testing_open(&place, WEIR_ROLE_CLIENT);
    int64_t moment = weir_clock_monotonic();
    assert_int_equal(client->mode, WEIR_MODE_CONNECTED);
    client->upstream.deadline = moment; /* clients wait for ever, others would not come out of open */
    weir_meet_timers(client, moment + 2 * WEIR_HELD_UP);
    assert_int_equal(client->mode, WEIR_MODE_CONNECTED);
    assert_int_equal(client->upstream.deadline, moment + 2 * WEIR_HELD_UP + WEIR_HELLO_WAIT);
    weir_meet_timers(client, client->upstream.deadline + WEIR_HELD_UP / 2);
    assert_int_equal(client->mode, WEIR_MODE_SEEKING);
    assert_int_equal(client->failure.code, WEIR_ETIMEOUT);
    testing_close(client);
    close(listener);
}

/* ---- at most once ---- */

/* A listening writer's frames carry no number. Who listens next must not hand the newest on as somebody else's. */
static void test_nothing_comes_twice_when_a_reader_takes_over(void **state) {
    struct weir_place place = testing_place(*state);
    struct weir_socket *writer = testing_open(&place, WEIR_ROLE_WRITER);
    struct weir_socket *first = testing_open(&place, WEIR_ROLE_READER);
    struct weir_socket *second = testing_open(&place, WEIR_ROLE_READER);
    await_readers(writer, 2);
    for (uint64_t seq = 1; seq <= 3; seq++) {
        assert_int_equal(testing_send(writer, 0, WEIR_FRAME_MESSAGE, 20), WEIR_OK);
        assert_int_equal(testing_next(first, 10 * TESTING_SECOND, NULL), seq);
        assert_int_equal(testing_next(second, 10 * TESTING_SECOND, NULL), seq);
    }
    writer = testing_close(writer);
    assert_int_equal(testing_next(first, TESTING_SECOND / 10, NULL), 0);
    assert_int_equal(first->mode, WEIR_MODE_LISTENING);
    assert_int_equal(testing_next(second, TESTING_SECOND / 5, NULL), 0);
    assert_int_equal(second->mode, WEIR_MODE_CONNECTED);
    /* Who comes later still gets the newest frame, as it was. */
    place.from = WEIR_FROM_LAST;
    struct weir_socket *third = testing_open(&place, WEIR_ROLE_READER);
    assert_int_equal(testing_next(third, 10 * TESTING_SECOND, NULL), 3);
    place.from = WEIR_FROM_NOW;
    struct weir_socket *fourth = testing_open(&place, WEIR_ROLE_READER);
    assert_int_equal(testing_next(fourth, TESTING_SECOND / 5, NULL), 0);
    assert_int_equal(weir_socket_seek(fourth, WEIR_FROM_LAST, 0, NULL), WEIR_OK);
    assert_int_equal(testing_next(fourth, 10 * TESTING_SECOND, NULL), 3);
    testing_close(fourth);
    testing_close(third);
    testing_close(second);
    testing_close(first);
}

/* ---- clients ---- */

/* However long a client has looked in vain, a server that is there is found at once. */
static void test_a_client_finds_a_server_at_once(void **state) {
    struct weir_place place = testing_place(*state);
    struct weir_inbound request;
    struct weir_socket *client = testing_open(&place, WEIR_ROLE_CLIENT);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(weir_socket_peer_state(client, NULL), WEIR_ENOENT);
        nap_ms(10);
    }
    for (int i = 0; i < 20; i++) {
        struct weir_socket *server = testing_open(&place, WEIR_ROLE_SERVER);
        assert_int_equal(weir_socket_peer_state(client, NULL), WEIR_EBUSY); /* which has not answered yet */
        assert_int_equal(testing_send(client, 0, WEIR_FRAME_REQUEST, 10), WEIR_OK);
        assert_int_not_equal(testing_next(server, 10 * TESTING_SECOND, &request), 0);
        assert_int_equal(testing_send(server, request.peer, WEIR_FRAME_REPLY, 10), WEIR_OK);
        assert_int_not_equal(testing_next(client, 10 * TESTING_SECOND, NULL), 0);
        testing_close(server);
        assert_int_equal(weir_socket_seek(client, WEIR_FROM_NOW, 0, NULL), WEIR_OK);
        assert_int_equal(weir_socket_peer_state(client, NULL), WEIR_ENOENT);
    }
    testing_close(client);
}

static int has_ended(pid_t child) {
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == child;
}

/* How many connections come while @child lives, each of which is closed after @answer (or none). */
static int connections_count(int fd, pid_t child, const struct weir_hello *answer) {
    int count = 0;
    for (;;) {
        struct pollfd item = {.fd = fd, .events = POLLIN};
        int is_over = has_ended(child);
        if (poll(&item, 1, 5) != 1) {
            if (is_over)
                return count;
            continue;
        }
        int peer = accept(fd, NULL, NULL);
        if (peer >= 0 && answer) { /* a child that is just ending does not hear it */
            unsigned char bytes[WEIR_HELLO_SIZE];
            weir_hello_write(answer, bytes);
            (void)!send(peer, bytes, sizeof(bytes), MSG_NOSIGNAL);
        }
        if (peer >= 0)
            close(peer);
        count++;
    }
}

static int seek_for_a_second(void *user) {
    struct weir_socket *socket = testing_open(user, WEIR_ROLE_CLIENT);
    int64_t deadline = weir_deadline(TESTING_SECOND);
    while (weir_deadline_left(deadline) > 0) {
        (void)weir_socket_peer_state(socket, NULL);
        (void)weir_socket_wait(socket, WEIR_READY_TO_READ, weir_deadline(TESTING_SECOND / 50), NULL);
        nap_ms(2);
    }
    testing_close(socket);
    return 0;
}

static void test_a_refused_client_rests(void **state) {
    struct weir_place place = testing_place(*state);
    int fd = testing_listen(*state);
    struct weir_hello answer = testing_hello(WEIR_ROLE_READER);
    answer.status = WEIR_ENOENT;
    pid_t child = testing_fork(seek_for_a_second, &place);
    int count = connections_count(fd, child, &answer);
    assert_int_equal(testing_wait(child), 0);
    assert_in_range(count, 1, 6);
    close(fd);
}

static int read_for_a_second(void *user) {
    struct weir_socket *socket = testing_open(user, WEIR_ROLE_READER);
    (void)testing_next(socket, TESTING_SECOND, NULL);
    testing_close(socket);
    return 0;
}

/* Something that takes connections and drops them must not be called as fast as the machine can. */
static void test_who_is_dropped_at_once_rests(void **state) {
    struct weir_place place = testing_place(*state);
    place.must_connect = 1;
    pid_t child = testing_fork(read_for_a_second, &place);
    nap_ms(100);
    int fd = testing_listen(*state);
    int count = connections_count(fd, child, NULL);
    assert_int_equal(testing_wait(child), 0);
    close(fd);
    assert_in_range(count, 1, 60);
}

/* A request that a server died over before it let the client in is lost, and the client hears of it. */
static void test_a_request_to_who_never_answered_is_lost(void **state) {
    struct weir_place place = testing_place(*state);
    int fd = testing_listen(*state);
    struct weir_socket *client = testing_open(&place, WEIR_ROLE_CLIENT);
    assert_int_equal(weir_socket_peer_state(client, NULL), WEIR_EBUSY);
    assert_int_equal(testing_send(client, 0, WEIR_FRAME_REQUEST, 10), WEIR_OK);
    close(fd);
    unlink(place.name);
    struct weir_socket *server = testing_open(&place, WEIR_ROLE_SERVER);
    int64_t began = weir_clock_monotonic();
    assert_int_equal(testing_next(client, TESTING_SECOND / 5, NULL), 0);
    assert_int_equal(weir_socket_peer_state(client, NULL), WEIR_EPEER);
    assert_true(weir_clock_monotonic() - began < 10 * TESTING_SECOND);
    assert_int_equal(testing_next(server, TESTING_SECOND / 20, NULL), 0);
    testing_close(server);
    testing_close(client);
}

/* Who listens and is no server has not taken the request; that is said once, and who he is as long as he is there. */
static void test_a_request_to_who_does_not_serve(void **state) {
    struct weir_place place = testing_place(*state);
    struct weir_hello hello, answer = testing_hello(WEIR_ROLE_READER);
    weir_error err = {0};
    int fd = -1, listener = testing_listen(*state);
    answer.status = WEIR_ENOENT;
    answer.pid = 4711;
    memset(answer.program, 'x', sizeof(answer.program)); /* which is not ended as it must be */
    struct weir_socket *client = testing_open(&place, WEIR_ROLE_CLIENT);
    assert_int_equal(weir_socket_fd(client, &fd, NULL), WEIR_OK);
    int peer = accept(listener, NULL, NULL);
    assert_int_equal(testing_hear(peer, &hello), WEIR_OK);
    assert_int_equal(weir_socket_peer_state(client, NULL), WEIR_EBUSY);
    assert_int_equal(testing_send(client, 0, WEIR_FRAME_REQUEST, 10), WEIR_OK);
    testing_say(peer, &answer);
    struct pollfd item = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&item, 1, 10000), 1);
    assert_int_equal(testing_next(client, TESTING_SECOND / 20, NULL), 0);
    assert_int_equal(poll(&item, 1, 0), 1);
    assert_int_equal(weir_socket_peer_state(client, &err), WEIR_EAGAIN);
    assert_int_equal(weir_socket_peer_state(client, &err), WEIR_ENOENT);
    assert_non_null(strstr(err.text, "a reader listens ("));
    assert_non_null(strstr(err.text, "x, pid 4711)"));
    close(peer);
    close(listener);
    err.text[0] = 0;
    for (int i = 0; i < 1000 && weir_socket_peer_state(client, &err) == WEIR_ENOENT && err.text[0]; i++) {
        err.text[0] = 0; /* refused, it tries again after a rest */
        nap_ms(10);
    }
    assert_string_equal(err.text, "");
    testing_close(client);
}

/* A server that dies is heard of through the descriptor too, and a wait does not outlive it although another has
 * come. */
static void test_a_lost_request_shows(void **state) {
    struct weir_place place = testing_place(*state);
    struct weir_hello hello, answer = testing_hello(WEIR_ROLE_SERVER);
    int fd = -1, listener = testing_listen(*state);
    struct weir_socket *client = testing_open(&place, WEIR_ROLE_CLIENT);
    assert_int_equal(weir_socket_fd(client, &fd, NULL), WEIR_OK);
    int peer = accept(listener, NULL, NULL);
    assert_int_equal(testing_hear(peer, &hello), WEIR_OK);
    testing_say(peer, &answer);
    assert_int_equal(testing_send(client, 0, WEIR_FRAME_REQUEST, 10), WEIR_OK);
    assert_int_equal(testing_next(client, TESTING_SECOND / 20, NULL), 0);
    struct pollfd item = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&item, 1, 0), 0);
    close(peer);
    assert_int_equal(poll(&item, 1, 10000), 1);
    int64_t began = weir_clock_monotonic();
    assert_int_equal(testing_next(client, 30 * TESTING_SECOND, NULL), 0);
    assert_true(weir_clock_monotonic() - began < 10 * TESTING_SECOND);
    assert_int_equal(poll(&item, 1, 0), 1);
    assert_int_equal(weir_socket_peer_state(client, NULL), WEIR_EPEER);
    close(listener);
    testing_close(client);
}

/* ---- peers that do not behave ---- */

static int say_hello(const struct testing *testing, enum weir_role role, enum weir_full full) {
    struct weir_hello hello = testing_hello(role), answer;
    hello.full = (uint8_t)full;
    int fd = testing_connect(testing);
    testing_say(fd, &hello);
    assert_int_equal(testing_hear(fd, &answer), WEIR_OK);
    assert_int_equal(answer.status, WEIR_OK);
    return fd;
}

/* A frame of a kind that its role never sends ends the connection and reaches nobody. */
static void test_foreign_kinds_end_the_connection(void **state) {
    static const struct {
        enum weir_role role;
        enum weir_frame_kind kind;
    } cases[] = {{WEIR_ROLE_WRITER, WEIR_FRAME_REQUEST}, {WEIR_ROLE_WRITER, WEIR_FRAME_REPLY},
                 {WEIR_ROLE_WRITER, WEIR_FRAME_ERROR},   {WEIR_ROLE_READER, WEIR_FRAME_MESSAGE},
                 {WEIR_ROLE_READER, WEIR_FRAME_REQUEST}, {WEIR_ROLE_READER, WEIR_FRAME_REPLY},
                 {WEIR_ROLE_READER, WEIR_FRAME_ERROR}};
    struct weir_place place = testing_place(*state);
    struct weir_socket *reader = testing_open(&place, WEIR_ROLE_READER);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int fd = say_hello(*state, cases[i].role, WEIR_FULL_BLOCK);
        struct testing_bytes frame = testing_frame(cases[i].kind, NULL, 1, 7, 20);
        assert_int_equal(send(fd, frame.data, frame.size, MSG_NOSIGNAL), frame.size);
        assert_true(testing_ends(fd));
        close(fd);
        assert_int_equal(testing_next(reader, 0, NULL), 0);
    }
    testing_close(reader);
}

static void test_a_client_only_asks(void **state) {
    static const enum weir_frame_kind kinds[] = {WEIR_FRAME_MESSAGE, WEIR_FRAME_REPLY, WEIR_FRAME_ERROR};
    struct weir_place place = testing_place(*state);
    struct weir_socket *server = testing_open(&place, WEIR_ROLE_SERVER);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct weir_hello hello = testing_hello(WEIR_ROLE_CLIENT);
        struct testing_bytes frame = testing_frame(kinds[i], NULL, 1, 7, 20);
        int fd = testing_connect(*state);
        testing_say(fd, &hello);
        assert_int_equal(send(fd, frame.data, frame.size, MSG_NOSIGNAL), frame.size);
        assert_int_equal(testing_next(server, TESTING_SECOND / 20, NULL), 0);
        assert_true(testing_ends(fd));
        close(fd);
    }
    testing_close(server);
}

/* A reader that never reads costs no more memory than its queue and a bounded number of control frames. */
static void test_a_reader_that_sleeps_does_not_grow_for_ever(void **state) {
    struct weir_place place = testing_place(*state);
    uint64_t largest = 0, bound;
    place.capacity = place.size_max = 64 << 10;
    bound = place.capacity + place.size_max + WEIR_CONTROLS_MAX + 4096;
    struct weir_socket *writer = testing_open(&place, WEIR_ROLE_WRITER);
    int sleeper = say_hello(*state, WEIR_ROLE_READER, 0), is_dropped = 0;
    for (int round = 0; round < 20000 && !is_dropped; round++) {
        pthread_mutex_lock(&writer->lock);
        /* What every writer that comes makes the hub say, without the 20000 connections. */
        weir_spread_introduce(writer, 1000 + (uint64_t)round, 1, 0);
        weir_spread_count(writer);
        weir_hub_settle(writer);
        largest = writer->peers[0]->out.size > largest ? writer->peers[0]->out.size : largest;
        is_dropped = writer->peers[0]->phase == WEIR_PHASE_NONE;
        pthread_mutex_unlock(&writer->lock);
    }
    for (int round = 0; round < 80000 && !is_dropped; round++) {
        pthread_mutex_lock(&writer->lock);
        weir_spread_count(writer);
        weir_hub_settle(writer);
        largest = writer->peers[0]->out.size > largest ? writer->peers[0]->out.size : largest;
        is_dropped = writer->peers[0]->phase == WEIR_PHASE_NONE;
        pthread_mutex_unlock(&writer->lock);
    }
    assert_true(is_dropped);
    assert_in_range(largest, WEIR_CONTROLS_MAX / 2, bound);
    close(sleeper);
    testing_close(writer);
}

/* Frames that wait for a listener reach readers who have never heard of their writer, too. */
static void test_what_waited_reaches_who_is_new(void **state) {
    struct weir_place place = testing_place(*state);
    struct weir_inbound inbound;
    struct weir_socket *reader = testing_open(&place, WEIR_ROLE_READER);
    place.must_connect = 1;
    struct weir_socket *writer = testing_open(&place, WEIR_ROLE_WRITER);
    assert_int_equal(testing_send(writer, 0, WEIR_FRAME_MESSAGE, 10), WEIR_OK);
    assert_int_equal(testing_next(reader, 10 * TESTING_SECOND, NULL), 1);
    testing_close(reader);
    for (int i = 0; i < 5; i++)
        assert_int_equal(testing_send(writer, 0, WEIR_FRAME_MESSAGE, 10), WEIR_OK);
    place.must_connect = 0;
    reader = testing_open(&place, WEIR_ROLE_READER);
    /* The first of the five may have gone down with the listener. */
    uint64_t seq = testing_next(reader, 10 * TESTING_SECOND, &inbound);
    assert_in_range(seq, 2, 3);
    for (seq++; seq <= 6; seq++)
        assert_int_equal(testing_next(reader, 10 * TESTING_SECOND, NULL), seq);
    testing_close(writer);
    testing_close(reader);
}

/* A queued frame is too big for who listens next: it is a gap, and does not stop what comes behind it for ever. */
static void test_what_is_too_big_for_the_next_listener(void **state) {
    struct weir_place place = testing_place(*state);
    struct weir_hello hello, answer = testing_hello(WEIR_ROLE_READER);
    struct weir_inbound inbound;
    int listener = testing_listen(*state);
    place.capacity = 16 << 20;
    place.must_connect = 1;
    pid_t child = fork();
    if (child == 0) { /* lets the writer in and reads nothing */
        int peer = accept(listener, NULL, NULL);
        testing_hear(peer, &hello);
        testing_say(peer, &answer);
        pause();
    }
    close(listener);
    struct weir_socket *writer = testing_open(&place, WEIR_ROLE_WRITER);
    assert_int_equal(testing_send(writer, 0, WEIR_FRAME_MESSAGE, 1 << 20), WEIR_OK);
    assert_int_equal(testing_send(writer, 0, WEIR_FRAME_MESSAGE, 2 << 20), WEIR_OK);
    assert_int_equal(testing_send(writer, 0, WEIR_FRAME_MESSAGE, 100), WEIR_OK);
    kill(child, SIGKILL);
    assert_int_equal(testing_wait(child), 1000 + SIGKILL);
    place.must_connect = 0;
    place.size_max = 64 << 10;
    struct weir_socket *reader = testing_open(&place, WEIR_ROLE_READER);
    assert_int_equal(testing_next(reader, 10 * TESTING_SECOND, &inbound), 3);
    assert_int_equal(testing_send(writer, 0, WEIR_FRAME_MESSAGE, 1 << 20), WEIR_ETOOBIG);
    assert_int_equal(testing_send(writer, 0, WEIR_FRAME_MESSAGE, 50), WEIR_OK);
    assert_int_equal(testing_next(reader, 10 * TESTING_SECOND, &inbound), 4);
    testing_close(writer);
    testing_close(reader);
}

/* ---- who serves while the owner is away ---- */

/* A server's replies leave although it is busy elsewhere, and what comes in meanwhile waits for it. */
static void test_a_busy_servers_replies_leave(void **state) {
    struct weir_place place = testing_place(*state);
    struct weir_inbound request;
    place.capacity = 16 << 20;
    struct weir_socket *server = testing_open(&place, WEIR_ROLE_SERVER);
    struct weir_socket *client = testing_open(&place, WEIR_ROLE_CLIENT);
    assert_int_equal(testing_send(client, 0, WEIR_FRAME_REQUEST, 10), WEIR_OK);
    assert_int_not_equal(testing_next(server, 10 * TESTING_SECOND, &request), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(testing_send(server, request.peer, WEIR_FRAME_REPLY, 1 << 20), WEIR_OK);
    assert_int_equal(server->pump.has_thread, 1);
    for (uint64_t seq = 1; seq <= 4; seq++)
        assert_int_equal(testing_next(client, 10 * TESTING_SECOND, NULL), seq);
    for (int i = 0; i < 3; i++)
        assert_int_equal(testing_send(client, 0, WEIR_FRAME_REQUEST, 10), WEIR_OK);
    for (uint64_t seq = 2; seq <= 4; seq++)
        assert_int_equal(testing_next(server, 10 * TESTING_SECOND, &request), seq);
    assert_int_equal(testing_send(server, request.peer, WEIR_FRAME_REPLY, 10), WEIR_OK);
    assert_int_equal(testing_next(client, 10 * TESTING_SECOND, NULL), 5);
    testing_close(client);
    testing_close(server);
}

/* An end that had its thread before it began to listen serves as well as one that starts it then. */
static void test_the_thread_serves_who_began_to_listen_later(void **state) {
    struct weir_place place = testing_place(*state);
    uint32_t count;
    struct weir_socket *reader = testing_open(&place, WEIR_ROLE_READER);
    struct weir_socket *writer = testing_open(&place, WEIR_ROLE_WRITER);
    assert_int_equal(weir_pump_start_thread(writer, NULL), WEIR_OK);
    nap_ms(20); /* it finds nothing to do */
    testing_close(reader);
    int64_t deadline = weir_deadline(60 * TESTING_SECOND);
    while (writer->mode != WEIR_MODE_LISTENING && weir_deadline_left(deadline) > 0)
        assert_int_equal(weir_socket_readers(writer, &count), WEIR_OK);
    assert_int_equal(writer->mode, WEIR_MODE_LISTENING);
    int64_t began = weir_clock_monotonic();
    reader = testing_open(&place, WEIR_ROLE_READER);               /* fails when nobody lets it in */
    assert_true(weir_clock_monotonic() - began < WEIR_HELLO_WAIT); /* after which it would give up */
    testing_close(reader);
    testing_close(writer);
}

int main(void) {
#define CASE(test) cmocka_unit_test_setup_teardown(test, testing_setup, testing_teardown)
    static const struct CMUnitTest tests[] = {
        CASE(test_the_latest_frame_stays_while_it_is_looked_at),
        CASE(test_frames_seen_before_leave_the_latest_alone),
        CASE(test_only_the_last_seek_counts),
        CASE(test_who_was_held_up_waits_again),
        CASE(test_nothing_comes_twice_when_a_reader_takes_over),
        CASE(test_a_client_finds_a_server_at_once),
        CASE(test_a_refused_client_rests),
        CASE(test_who_is_dropped_at_once_rests),
        CASE(test_a_request_to_who_never_answered_is_lost),
        CASE(test_a_request_to_who_does_not_serve),
        CASE(test_a_lost_request_shows),
        CASE(test_foreign_kinds_end_the_connection),
        CASE(test_a_client_only_asks),
        CASE(test_a_reader_that_sleeps_does_not_grow_for_ever),
        CASE(test_what_waited_reaches_who_is_new),
        CASE(test_what_is_too_big_for_the_next_listener),
        CASE(test_a_busy_servers_replies_leave),
        CASE(test_the_thread_serves_who_began_to_listen_later),
    };
    if (getenv("WEIR_TEST_FILTER"))
        cmocka_set_test_filter(getenv("WEIR_TEST_FILTER"));
    return cmocka_run_group_tests_name("socket", tests, NULL, NULL);
}
