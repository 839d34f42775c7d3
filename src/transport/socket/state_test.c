/* Ends of sockets in states that last: a listener that lingers, one that does not answer, a peer that has gone with
 * something still to come, an owner who was away. In none of them is anything believed longer than it is so, held by
 * who should not hold it, or looked at again and again. */
#include "transport/socket/testing.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <weir/weir.h>

#include "base/clock.h"
#include "frame/plain/plain.h"

enum { WAIT_MS = 20000, MANY = 80, ENTRIES = 100000, NOBODY = 65534 };
static const int64_t MS = 1000000;

static void nap_ms(int64_t ms) {
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * MS}, NULL);
}

static int64_t processor_time(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int is_there(const char *path) {
    struct stat about;
    return lstat(path, &about) == 0;
}

/* ---- a fork while a listener lingers ---- */

static void *close_it(void *user) {
    testing_close(user);
    return NULL;
}

/* In a child: a listener closes beside a reader that reads nothing; then a grandchild is forked that stays, and we end
 * without a word. @user: where the grandchild reads until the test ends it, and writes that it is there. */
struct forker {
    const struct testing *testing;
    int stay_fd, told_fd;
};

static int fork_and_end(void *user) {
    const struct forker *forker = user;
    struct weir_place place = testing_place(forker->testing);
    place.timeout_ns = 60 * TESTING_SECOND;
    struct weir_socket *listener = testing_open(&place, WEIR_ROLE_WRITER);
    pthread_t thread;
    uint32_t readers = 0;
    char byte = 1;
    while (readers == 0)
        assert_int_equal(weir_socket_readers(listener, &readers), WEIR_OK);
    for (int i = 0; i < 16; i++)
        if (testing_send(listener, 0, WEIR_FRAME_MESSAGE, 200 << 10) != WEIR_OK)
            break;
    assert_int_equal(pthread_create(&thread, NULL, close_it, listener), 0);
    while (is_there(place.name))
        nap_ms(1);
    nap_ms(50);
    if (fork() == 0) {
        prctl(PR_SET_PDEATHSIG, 0);
        (void)!write(forker->told_fd, &byte, 1);
        (void)!read(forker->stay_fd, &byte, 1);
        _exit(0);
    }
    (void)!read(forker->stay_fd, &byte, 1); /* until we are killed */
    return 0;
}

static int connect_soon(const struct testing *testing) {
    for (int i = 0; i < WAIT_MS && !is_there(testing->path); i++)
        nap_ms(1);
    return testing_connect(testing);
}

static void test_a_fork_while_it_lingers(void **state) {
    struct testing *testing = *state;
    int stay[2], told[2];
    char byte;
    assert_int_equal(pipe(stay), 0);
    assert_int_equal(pipe(told), 0);
    struct forker forker = {testing, stay[0], told[1]};
    pid_t child = testing_fork(fork_and_end, &forker);
    int fd = connect_soon(testing);
    struct weir_hello hello = testing_hello(WEIR_ROLE_READER);
    testing_say(fd, &hello);
    assert_int_equal(testing_hear(fd, &hello), WEIR_OK);
    assert_int_equal(read(told[0], &byte, 1), 1);
    kill(child, SIGKILL);
    assert_int_equal(testing_wait(child), 1000 + SIGKILL);
    int has_ended = testing_ends(fd);
    assert_int_equal(write(stay[1], &byte, 1), 1); /* the grandchild ends */
    close(stay[1]);
    close(stay[0]);
    close(told[0]);
    close(told[1]);
    close(fd);
    assert_true(has_ended);
}

/* ---- who is dead is not asked again and again ---- */

/* A client computes while its server, from whom a reply has come, is gone and will never take what is queued. */
static void test_a_dead_server_costs_nothing(void **state) {
    struct testing *testing = *state;
    struct weir_place place = testing_place(testing);
    place.size_max = 64 << 20;
    int listener = testing_listen(testing);
    struct weir_socket *client = testing_open(&place, WEIR_ROLE_CLIENT);
    int fd = accept(listener, NULL, NULL);
    assert_int_equal(testing_send(client, 0, WEIR_FRAME_REQUEST, 32 << 20), WEIR_OK);
    struct weir_hello hello = testing_hello(WEIR_ROLE_SERVER);
    hello.writer = 0;
    testing_say(fd, &hello);
    struct testing_bytes reply = testing_frame(WEIR_FRAME_REPLY, NULL, 1, 1, 100);
    assert_int_equal(send(fd, reply.data, reply.size, MSG_NOSIGNAL), reply.size);
    nap_ms(100); /* our thread takes over */
    close(fd);
    nap_ms(100);
    int64_t begun = processor_time();
    nap_ms(500);
    assert_true(processor_time() - begun < 150 * MS);
    assert_int_equal(testing_next(client, TESTING_SECOND, NULL), 1);
    testing_close(client);
    close(listener);
}

static void request_take(struct weir_socket *server, struct weir_inbound *ret) {
    int64_t deadline = weir_deadline(20 * TESTING_SECOND);
    while (weir_socket_next(server, ret, NULL) != WEIR_OK && weir_deadline_left(deadline) > 0)
        (void)weir_socket_wait(server, WEIR_READY_TO_READ, weir_deadline(10 * MS), NULL);
    assert_true(weir_socket_has_client(server, ret->peer));
}

/* Return: 1 when he has gone, within @timeout_ns. */
static int is_gone(struct weir_socket *server, uint64_t peer, int64_t timeout_ns) {
    int64_t deadline = weir_deadline(timeout_ns);
    while (weir_socket_has_client(server, peer) && weir_deadline_left(deadline) > 0)
        (void)weir_socket_wait(server, WEIR_READY_TO_READ, weir_deadline(5 * MS), NULL);
    return !weir_socket_has_client(server, peer);
}

/* A plain client that has asked and gone, and one that says nothing more but waits for his answer. */
static void test_a_plain_client_that_has_gone(void **state) {
    static const char line[] = "{\"id\":1,\"op\":\"x\"}\n";
    struct testing *testing = *state;
    struct weir_place place = testing_place(testing);
    struct weir_socket *server = testing_open(&place, WEIR_ROLE_SERVER);
    struct weir_inbound request;
    for (int waits = 0; waits < 2; waits++) {
        int fd = testing_connect(testing);
        assert_int_equal(send(fd, line, sizeof(line) - 1, MSG_NOSIGNAL), sizeof(line) - 1);
        request_take(server, &request);
        if (waits) {
            shutdown(fd, SHUT_WR);
            assert_false(is_gone(server, request.peer, 100 * MS));
        }
        close(fd);
        assert_true(is_gone(server, request.peer, 20 * TESTING_SECOND));
    }
    testing_close(server);
}

/* ---- an owner who was away ---- */

/* A server that worked for long: the hello of one that is pending has come in time, behind much else. */
static void test_a_hello_behind_much_else(void **state) {
    struct testing *testing = *state;
    struct weir_place place = testing_place(testing);
    struct weir_socket *server = testing_open(&place, WEIR_ROLE_SERVER);
    struct weir_hello hello;
    int fds[MANY], served = 0;
    server->place.framing = WEIR_FRAMING_FRAMES; /* who is silent is not taken for somebody else */
    for (int i = 0; i < MANY; i++) {
        fds[i] = testing_connect(testing);
        hello = testing_hello(WEIR_ROLE_CLIENT);
        testing_say(fds[i], &hello);
    }
    int late = testing_connect(testing);
    for (int i = 0; i < 1000 && !(server->peer_count == MANY + 1 && server->pending_count == 1); i++)
        (void)weir_socket_wait(server, 0, weir_deadline(MS), NULL);
    assert_int_equal(server->pending_count, 1);
    for (int i = 0; i < MANY; i++) {
        struct testing_bytes frame = testing_frame(WEIR_FRAME_REQUEST, "x", 1, 1, 0);
        assert_int_equal(send(fds[i], frame.data, frame.size, MSG_NOSIGNAL), frame.size);
    }
    hello = testing_hello(WEIR_ROLE_CLIENT);
    testing_say(late, &hello);
    for (size_t i = 0; i < server->peer_count; i++) /* so much time has passed */
        if (server->peers[i]->phase == WEIR_PHASE_HELLO)
            server->peers[i]->deadline = weir_clock_monotonic() - 1;
    while (testing_next(server, 0, NULL) || served == 0)
        served++;
    assert_int_equal(testing_hear(late, &hello), WEIR_OK);
    assert_int_equal(hello.status, 0);
    for (int i = 0; i < MANY; i++)
        close(fds[i]);
    close(late);
    testing_close(server);
}

/* ---- only the descriptor and next ---- */

/* A reader in an event loop whose new listener does not answer hears of it, and is not called for nothing. */
static void test_a_silent_listener_in_an_event_loop(void **state) {
    struct testing *testing = *state;
    struct weir_place place = testing_place(testing);
    struct weir_inbound inbound;
    struct weir_hello hello, answer = testing_hello(WEIR_ROLE_WRITER);
    int poll_fd = -1, status = WEIR_EAGAIN, turns = 0;
    place.must_connect = 1; /* it may wait for a listener */
    struct weir_socket *reader = testing_open(&place, WEIR_ROLE_READER);
    int listener = testing_listen(testing);
    while (reader->mode != WEIR_MODE_CONNECTED)
        assert_int_equal(weir_socket_next(reader, &inbound, NULL), WEIR_EAGAIN);
    assert_int_equal(weir_socket_fd(reader, &poll_fd, NULL), WEIR_OK);
    int fd = accept(listener, NULL, NULL);
    assert_int_equal(testing_hear(fd, &hello), WEIR_OK);
    testing_say(fd, &answer);
    while (reader->upstream.phase != WEIR_PHASE_READY)
        assert_int_equal(weir_socket_next(reader, &inbound, NULL), WEIR_EAGAIN);
    close(fd);
    int64_t deadline = weir_deadline(20 * TESTING_SECOND);
    for (int is_near = 0; status == WEIR_EAGAIN && weir_deadline_left(deadline) > 0; turns++) {
        struct pollfd item = {.fd = poll_fd, .events = POLLIN};
        assert_true(poll(&item, 1, 1000) >= 0);
        status = weir_socket_next(reader, &inbound, NULL);
        if (!is_near && reader->mode == WEIR_MODE_CONNECTED && reader->upstream.phase == WEIR_PHASE_HELLO) {
            is_near = 1;
            reader->upstream.deadline = weir_clock_monotonic() + 50 * MS; /* 5 s else */
        }
    }
    assert_int_equal(status, WEIR_ETIMEOUT);
    assert_true(turns < 1000);
    testing_close(reader);
    close(listener);
}

/* A client whose connection takes time to be made (here, as the backlog is full) makes it while it looks for a server. */
static void test_a_client_whose_connection_takes_time(void **state) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(at);
    char address[64];
    unsigned char bytes[WEIR_HELLO_SIZE];
    weir_client *client;
    weir_message *reply;
    int fd = -1, fillers[8], count = 0, is_full = 0;
    (void)state;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(listener, 0), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &size), 0);
    while (!is_full && count < 8) {
        int filler = fillers[count++] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        struct pollfd item = {.fd = filler, .events = POLLOUT};
        is_full = connect(filler, (struct sockaddr *)&at, sizeof(at)) != 0 && poll(&item, 1, 300) == 0;
    }
    snprintf(address, sizeof(address), "tcp://127.0.0.1:%u", ntohs(at.sin_port));
    assert_int_equal(weir_client_open(address, &client, NULL), WEIR_OK);
    assert_int_equal(weir_client_send(client, "x", NULL, NULL, NULL), WEIR_OK);
    ssize_t got = 0;
    int64_t deadline = weir_deadline(30 * TESTING_SECOND);
    while (got != sizeof(bytes) && weir_deadline_left(deadline) > 0) {
        struct pollfd item = {.fd = fd >= 0 ? fd : listener, .events = POLLIN};
        (void)weir_client_receive(client, 20 * MS, &reply, NULL);
        if (poll(&item, 1, 20) != 1)
            continue;
        if (fd < 0)
            fd = accept(listener, NULL, NULL);
        else if ((got = recv(fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT)) <= 0) { /* a filler */
            close(fd);
            fd = -1;
        }
        for (int i = 0; i < count; i++)
            close(fillers[i]);
        count = 0;
    }
    assert_int_equal(got, sizeof(bytes));
    assert_memory_equal(bytes, "WEIR", 4);
    weir_client_close(client);
    close(fd);
    close(listener);
    if (!is_full)
        print_message("the backlog did not fill up here: connecting took no time\n");
}

/* ---- much for little ---- */

/* A batch of nonsense gets no more of an answer than is needed to say so. */
static void test_a_batch_of_nonsense(void **state) {
    struct testing *testing = *state;
    struct weir_place place = testing_place(testing);
    struct weir_socket *server = testing_open(&place, WEIR_ROLE_SERVER);
    struct weir_inbound inbound;
    size_t size = 2 * ENTRIES + 2, sent = 0, heard = 0;
    char *text = malloc(size), bytes[4096];
    text[0] = '[';
    for (size_t i = 0; i < ENTRIES; i++)
        memcpy(text + 1 + 2 * i, i + 1 < ENTRIES ? "1," : "1]", 2);
    text[size - 1] = '\n';
    int fd = testing_connect(testing), has_ended = 0;
    int64_t deadline = weir_deadline(20 * TESTING_SECOND);
    while (!has_ended && weir_deadline_left(deadline) > 0) {
        ssize_t step = sent < size ? send(fd, text + sent, size - sent, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
        sent += step > 0 ? (size_t)step : 0;
        assert_int_equal(weir_socket_next(server, &inbound, NULL), WEIR_EAGAIN);
        while ((step = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
            heard += (size_t)step;
        has_ended = step == 0 || (step < 0 && errno == ECONNRESET);
    }
    free(text);
    close(fd);
    testing_close(server);
    assert_true(has_ended);
    assert_true(heard < 2 << 20);
}

/* ---- another user's number ---- */

struct impostor {
    const struct testing *testing;
    uint64_t writer;
};

static int say_anothers_number(void *user) {
    const struct impostor *impostor = user;
    if (setresgid(NOBODY, NOBODY, NOBODY) != 0 || setresuid(NOBODY, NOBODY, NOBODY) != 0)
        return 99;
    int fd = testing_connect(impostor->testing);
    struct weir_hello hello = testing_hello(WEIR_ROLE_WRITER);
    hello.writer = impostor->writer;
    hello.seq = UINT64_C(1) << 63; /* whatever the other says from now on would be old */
    testing_say(fd, &hello);
    return testing_hear(fd, &hello) == WEIR_OK ? hello.status : 98;
}

static void test_another_users_number(void **state) {
    struct testing *testing = *state;
    struct weir_place place = testing_place(testing);
    if (geteuid() != 0) {
        print_message("skip: only root can act as another user\n");
        skip();
    }
    assert_int_equal(chmod(testing->directory, 0755), 0);
    place.mode = 0666;
    struct weir_socket *listener = testing_open(&place, WEIR_ROLE_READER);
    struct weir_socket *writer = testing_open(&place, WEIR_ROLE_WRITER);
    assert_int_equal(testing_send(writer, 0, WEIR_FRAME_MESSAGE, 10), WEIR_OK);
    assert_int_equal(testing_next(listener, 10 * TESTING_SECOND, NULL), 1);
    struct impostor impostor = {testing, writer->writer};
    testing_close(writer);
    while (weir_hub_find(listener, (uint64_t)1 << 32 | 1) || listener->peers[0]->phase != WEIR_PHASE_NONE)
        (void)weir_socket_wait(listener, 0, weir_deadline(MS), NULL);
    pid_t child = testing_fork(say_anothers_number, &impostor);
    assert_int_equal(testing_wait(child), WEIR_EBUSY);
    testing_close(listener);
}

int main(void) {
#define CASE(test) cmocka_unit_test_setup_teardown(test, testing_setup, testing_teardown)
    static const struct CMUnitTest tests[] = {
        CASE(test_a_fork_while_it_lingers),
        CASE(test_a_dead_server_costs_nothing),
        CASE(test_a_plain_client_that_has_gone),
        CASE(test_a_hello_behind_much_else),
        CASE(test_a_silent_listener_in_an_event_loop),
        CASE(test_a_client_whose_connection_takes_time),
        CASE(test_a_batch_of_nonsense),
        CASE(test_another_users_number),
    };
    if (getenv("WEIR_TEST_FILTER"))
        cmocka_set_test_filter(getenv("WEIR_TEST_FILTER"));
    return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
