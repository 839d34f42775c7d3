/* Peers of a socket that lie, say nothing, or say too much. Each test ends with a look whether the channel still
 * works. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "transport/socket/testing.h"

#include <weir/weir.h>

#include "base/clock.h"

enum { NOBODY = 65534, SILENT = 270, GARBAGE = 500, LIES = 3000, SEEKS = 20000 };

static void nap_ms(long ms) {
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static const char *address(const struct testing *testing, const char *options) {
    static char texts[4][192];
    static unsigned next;
    char *text = texts[next++ % 4];
    snprintf(text, sizeof(texts[0]), "unix://%s%s", testing->path, options);
    return text;
}

static weir_writer *writer_open(const struct testing *testing, const char *options) {
    weir_writer *writer = NULL;
    weir_error err = {0};
    if (weir_writer_open(address(testing, options), &writer, &err) != WEIR_OK)
        fail_msg("%s", err.text);
    return writer;
}

static weir_reader *reader_open(const struct testing *testing, const char *options) {
    weir_reader *reader = NULL;
    weir_error err = {0};
    if (weir_reader_open(address(testing, options), &reader, &err) != WEIR_OK)
        fail_msg("%s", err.text);
    return reader;
}

static int send_bytes(weir_writer *writer, size_t size) {
    static char bytes[1 << 16];
    memset(bytes, 'b', size);
    return weir_writer_send_bytes(writer, "op", NULL, WEIR_CODEC_RAW, NULL, bytes, size, NULL);
}

/* A new reader and the writer find each other and a message gets through. */
static void check_works(const struct testing *testing, weir_writer *writer) {
    weir_message *message;
    weir_reader *reader = reader_open(testing, "");
    assert_int_equal(weir_writer_wait_readers(writer, 1, 10 * TESTING_SECOND, NULL), WEIR_OK);
    assert_int_equal(send_bytes(writer, 10), WEIR_OK);
    assert_int_equal(weir_reader_next(reader, 10 * TESTING_SECOND, &message, NULL), WEIR_OK);
    assert_int_equal(weir_message_gap(message), 0);
    weir_reader_close(reader);
}

/* Let in as an end of @role. */
static int say_hello(const struct testing *testing, enum weir_role role) {
    struct weir_hello hello = testing_hello(role), answer;
    int fd = testing_connect(testing);
    testing_say(fd, &hello);
    assert_int_equal(testing_hear(fd, &answer), WEIR_OK);
    assert_int_equal(answer.status, WEIR_OK);
    return fd;
}

static void say(int fd, struct testing_bytes bytes) {
    assert_int_equal(send(fd, bytes.data, bytes.size, MSG_NOSIGNAL), bytes.size);
}

/* ---- openings ---- */

static void test_garbage_instead_of_a_hello(void **state) {
    weir_writer *writer = writer_open(*state, "");
    unsigned seed = 99;
    print_message("seed %u\n", seed);
    for (int i = 0; i < GARBAGE; i++) {
        unsigned char bytes[400];
        int fd = testing_connect(*state);
        for (size_t j = 0; j < sizeof(bytes); j++)
            bytes[j] = (unsigned char)rand_r(&seed);
        if (i % 2)
            memcpy(bytes, "WEIR\1", 5); /* looks like a hello; the rest does not */
        if (i % 4 == 3)
            bytes[5] = 0; /* of our version */
        (void)!send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL);
        shutdown(fd, SHUT_WR); /* some of it is the beginning of a huge CBOR map */
        assert_true(testing_ends(fd));
        close(fd);
    }
    check_works(*state, writer);
    weir_writer_close(writer);
}

static void test_a_request_of_http_is_closed(void **state) {
    weir_writer *writer = writer_open(*state, "");
    int fd = testing_connect(*state);
    say(fd, (struct testing_bytes){(const unsigned char *)"GET / HTTP/1.1\r\n\r\n", 18});
    assert_true(testing_ends(fd));
    close(fd);
    check_works(*state, writer);
    weir_writer_close(writer);
}

/* Many connect and say half a hello: the oldest go when there are too many, all after 5 s, and nobody else waits for
 * them. */
static void test_half_a_hello_and_silence(void **state) {
    weir_writer *writer = writer_open(*state, "");
    int fds[SILENT];
    int64_t began = weir_clock_monotonic();
    for (int i = 0; i < SILENT; i++) {
        fds[i] = testing_connect(*state);
        assert_int_equal(send(fds[i], "WEIR\1\0\0\0", 1 + i % 8, MSG_NOSIGNAL), 1 + i % 8);
    }
    for (int i = 0; i < SILENT - WEIR_PENDING_MAX; i++)
        assert_true(testing_ends(fds[i]));
    assert_true(weir_clock_monotonic() - began < WEIR_HELLO_WAIT);
    struct pollfd item = {.fd = fds[SILENT - 1], .events = POLLIN};
    assert_int_equal(poll(&item, 1, 0), 0);
    check_works(*state, writer);
    for (int i = 0; i < SILENT; i++) {
        assert_true(testing_ends(fds[i]));
        close(fds[i]);
    }
    int64_t took = weir_clock_monotonic() - began;
    assert_true(took >= WEIR_HELLO_WAIT - TESTING_SECOND / 2 && took < WEIR_HELLO_WAIT + 20 * TESTING_SECOND);
    weir_writer_close(writer);
}

static void test_a_hello_of_version_2(void **state) {
    weir_writer *writer = writer_open(*state, "");
    struct weir_hello hello = testing_hello(WEIR_ROLE_READER), answer;
    int fd = testing_connect(*state);
    hello.version = 2;
    testing_say(fd, &hello);
    assert_int_equal(testing_hear(fd, &answer), WEIR_OK);
    assert_int_equal(answer.version, WEIR_HELLO_VERSION);
    assert_int_equal(answer.status, WEIR_EVERSION);
    assert_non_null(strstr(answer.text, "version 1"));
    assert_non_null(strstr(answer.text, "you version 2"));
    assert_true(testing_ends(fd));
    close(fd);
    check_works(*state, writer);
    weir_writer_close(writer);
}

/* Accept one connection, answer with @answer, and close. */
struct listener {
    int fd;
    struct weir_hello answer;
};
static int answer_once(void *user) {
    const struct listener *listener = user;
    struct weir_hello hello;
    int fd = accept(listener->fd, NULL, NULL);
    testing_hear(fd, &hello);
    testing_say(fd, &listener->answer);
    close(fd);
    return 0;
}

static void check_refused(const struct testing *testing, const struct weir_hello *answer, int code, const char *one,
                          const char *two) {
    struct listener listener = {testing_listen(testing), *answer};
    weir_reader *reader = NULL;
    weir_error err = {0};
    pid_t child = testing_fork(answer_once, &listener);
    assert_int_equal(weir_reader_open(address(testing, ""), &reader, &err), code);
    assert_non_null(strstr(err.text, one));
    assert_non_null(strstr(err.text, two));
    assert_int_equal(testing_wait(child), 0);
    close(listener.fd);
    unlink(testing->path);
}

static void test_a_refusal_reaches_the_user(void **state) {
    struct weir_hello answer = testing_hello(WEIR_ROLE_WRITER);
    answer.status = WEIR_EBUSY;
    strcpy(answer.text, "not \033[31mtoday");
    check_refused(*state, &answer, WEIR_EBUSY, "not ?[31mtoday", "raw");
    answer.version = 2;
    check_refused(*state, &answer, WEIR_EVERSION, "version 2", "version 1");
}

/* ---- frames ---- */

static struct testing_bytes header(uint32_t size, unsigned char kind, unsigned char flags) {
    static unsigned char bytes[16];
    memset(bytes, 0, sizeof(bytes));
    memcpy(bytes, &size, sizeof(size));
    bytes[4] = kind;
    bytes[7] = flags;
    return (struct testing_bytes){bytes, sizeof(bytes)};
}

static void test_headers_that_lie(void **state) {
    static const struct {
        uint32_t size;
        unsigned char kind, flags;
    } cases[] = {
        {UINT32_MAX, 0x11, 0}, {(1 << 20) + 129, 0x11, 0}, {0, 0x11, 0},  {15, 0x11, 0},   {16, 0x10, 0}, {16, 0x16, 0},
        {16, 0x21, 0},         {16, 0x11, 0x80},           {16, 0x11, 7}, {16, 0x15, 0x48}};
    weir_writer *writer = writer_open(*state, "?max=1M");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int fd = say_hello(*state, WEIR_ROLE_WRITER);
        say(fd, header(cases[i].size, cases[i].kind, cases[i].flags));
        assert_true(testing_ends(fd));
        close(fd);
    }
    check_works(*state, writer);
    weir_writer_close(writer);
}

/* A frame whose size is right, and little else: flags without their fields, lengths beyond its end, numbers of before,
 * other writers. Return: its bytes. */
static size_t lie(unsigned char *to, uint64_t *seq, unsigned *seed) {
    static const unsigned char flags[] = {0, 0, 1, 1, 1, 4, 5, 8, 9, 16, 32, 64};
    uint64_t writers[] = {1, 2};
    unsigned roll = (unsigned)rand_r(seed) % 16;
    uint32_t size = 16 + (uint32_t)rand_r(seed) % 64;
    for (size_t i = 0; i < size; i++)
        to[i] = (unsigned char)rand_r(seed);
    unsigned char flag = roll < 12 ? (unsigned char)(roll % 3 == 0) : flags[(unsigned)rand_r(seed) % sizeof(flags)];
    size = roll < 12 && size < 24 ? 24 : size;
    size = flag & 4 && size < 40 ? 40 : size; /* less than the fields of the header ends the conversation */
    size = flag & 1 && size < 24 ? 24 : size;
    *seq += roll == 14 ? 3 : roll == 15 ? 0 : 1;
    memcpy(to, &size, sizeof(size));
    to[4] = 0x11;
    to[5] = WEIR_CODEC_CBOR;
    to[6] = roll == 13 ? 200 : roll % 5 == 4 ? 3 : 0;
    to[7] = flag;
    memcpy(to + 8, seq, sizeof(*seq));
    if (flag & 4)
        memcpy(to + (flag & 1 ? 24 : 16), &writers[(unsigned)rand_r(seed) % 2], 8);
    return size;
}

/* Listen, and say the same lies to each of two who come. */
static int listen_and_lie(void *user) {
    static unsigned char bytes[LIES * 80];
    const struct listener *listener = user;
    struct weir_hello hello;
    for (int i = 0; i < 2; i++) {
        unsigned seed = 11;
        uint64_t seq = 0;
        size_t size = 0;
        for (int k = 0; k < LIES; k++)
            size += lie(bytes + size, &seq, &seed);
        int fd = accept(listener->fd, NULL, NULL);
        testing_hear(fd, &hello);
        testing_say(fd, &listener->answer);
        for (size_t sent = 0; sent < size;) {
            ssize_t some = send(fd, bytes + sent, size - sent, MSG_NOSIGNAL);
            if (some <= 0)
                return 1;
            sent += (size_t)some;
        }
        testing_ends(fd);
        close(fd);
    }
    return 0;
}

struct heard {
    uint64_t seq, gap;
    uint32_t writer;
    size_t size;
};

/* What a reader is told, @max at a time; one at a time with a descriptor to look after, so nothing is taken without
 * looking around. Return: how many messages; those that are no good are counted. */
static size_t hear(const struct testing *testing, size_t max, struct heard *heard, size_t *ret_bad) {
    weir_reader *reader = reader_open(testing, "?create=0");
    weir_message *messages[64];
    size_t count = 0, got;
    int status, fd;
    *ret_bad = 0;
    if (max == 1)
        assert_int_equal(weir_reader_fd(reader, &fd, NULL), WEIR_OK);
    while ((status = weir_reader_next_many(reader, TESTING_SECOND, messages, max, &got, NULL)) != WEIR_ETIMEOUT) {
        *ret_bad += status != WEIR_OK;
        for (size_t i = 0; status == WEIR_OK && i < got; i++) {
            assert_true(count < LIES);
            heard[count++] = (struct heard){weir_message_seq(messages[i]), weir_message_gap(messages[i]),
                                            weir_message_writer(messages[i]), weir_message_bytes(messages[i]).size};
        }
    }
    weir_reader_close(reader);
    return count;
}

/* Frames that are taken out of one read without looking around are judged as those that are taken one by one. */
static void test_many_that_lie(void **state) {
    static struct heard one[LIES], many[LIES];
    struct testing *testing = *state;
    struct listener listener = {testing_listen(testing), testing_hello(WEIR_ROLE_WRITER)};
    size_t bad[2];
    pid_t child = testing_fork(listen_and_lie, &listener);
    size_t count = hear(testing, 1, one, &bad[0]);
    assert_true(count > LIES / 2 && bad[0] > 0);
    assert_int_equal(hear(testing, 64, many, &bad[1]), count);
    assert_in_range(bad[1], 1, bad[0]); /* what goes wrong behind a message is told once, by the next call */
    for (size_t i = 0; i < count; i++)
        assert_memory_equal(&one[i], &many[i], sizeof(one[i]));
    assert_int_equal(testing_wait(child), 0);
    close(listener.fd);
}

/* A size that is allowed but never filled takes no memory. */
static void test_a_promised_frame_takes_no_memory(void **state) {
    struct weir_place place = testing_place(*state);
    struct weir_socket *reader = testing_open(&place, WEIR_ROLE_READER);
    int fd = say_hello(*state, WEIR_ROLE_WRITER);
    size_t held = 0;
    say(fd, header(16 << 20, 0x11, 0));
    nap_ms(50);
    pthread_mutex_lock(&reader->lock);
    for (size_t i = 0; i < reader->peer_count; i++)
        held += reader->peers[i]->in.buffers[0].capacity + reader->peers[i]->in.buffers[1].capacity;
    pthread_mutex_unlock(&reader->lock);
    assert_in_range(held, 1, 64 << 10);
    close(fd);
    testing_close(reader);
}

static void test_a_frame_cut_by_the_end(void **state) {
    struct weir_place place = testing_place(*state);
    struct weir_socket *reader = testing_open(&place, WEIR_ROLE_READER);
    struct testing_bytes whole = testing_frame(WEIR_FRAME_MESSAGE, "op", 1, 0, 40);
    struct testing_bytes cut = testing_frame(WEIR_FRAME_MESSAGE, "op", 2, 0, 40);
    for (size_t size = 0; size < cut.size; size += 3) {
        int fd = say_hello(*state, WEIR_ROLE_WRITER);
        say(fd, whole);
        say(fd, (struct testing_bytes){cut.data, size});
        close(fd);
        assert_int_equal(testing_next(reader, 10 * TESTING_SECOND, NULL), 1);
    }
    assert_int_equal(testing_next(reader, TESTING_SECOND / 20, NULL), 0);
    testing_close(reader);
}

static void test_control_frames_with_nonsense(void **state) {
    weir_writer *writer = writer_open(*state, "");
    int fd = say_hello(*state, WEIR_ROLE_READER);
    say(fd, testing_frame(WEIR_FRAME_CONTROL, "of a later version", 1, 2, 100));
    say(fd, testing_frame(WEIR_FRAME_CONTROL, NULL, UINT64_MAX, UINT64_MAX, 0));
    say(fd, testing_frame(WEIR_FRAME_CONTROL, "seek", UINT64_MAX, 99, 0));
    say(fd, testing_frame(WEIR_FRAME_CONTROL, "seek", UINT64_MAX, WEIR_FROM_AGO, 0));
    say(fd, testing_frame(WEIR_FRAME_CONTROL, "writer", 1, 1, 0)); /* only a listener says that */
    say(fd, testing_frame(WEIR_FRAME_CONTROL, "readers", 1000, 1, 0));
    nap_ms(20);
    struct pollfd item = {.fd = fd, .events = POLLRDHUP};
    assert_int_equal(poll(&item, 1, 0), 0); /* still let in */
    say(fd, header(20, 0x15, 8));           /* a size of metadata that is not there */
    say(fd, (struct testing_bytes){(const unsigned char *)"\xFF\xFF\xFF\x7F", 4});
    assert_true(testing_ends(fd));
    close(fd);
    check_works(*state, writer);
    weir_writer_close(writer);
}

/* A reader that asks for everything again and again, and reads nothing, costs neither memory nor the others their
 * turn. */
static void test_a_flood_of_seeks(void **state) {
    struct weir_place place = testing_place(*state);
    place.capacity = 256 << 10;
    struct weir_socket *writer = testing_open(&place, WEIR_ROLE_WRITER);
    for (int i = 0; i < 2000; i++)
        assert_int_equal(testing_send(writer, 0, WEIR_FRAME_MESSAGE, 100), WEIR_OK);
    int fd = say_hello(*state, WEIR_ROLE_READER);
    int64_t began = weir_clock_monotonic();
    for (int i = 0; i < SEEKS; i++)
        if (send(fd, testing_frame(WEIR_FRAME_CONTROL, "seek", 0, WEIR_FROM_OLDEST, 0).data, 28,
                 MSG_NOSIGNAL | MSG_DONTWAIT) != 28)
            break;
    place.is_observer = 1;
    struct weir_socket *reader = testing_open(&place, WEIR_ROLE_READER);
    assert_true(weir_clock_monotonic() - began < 4 * TESTING_SECOND);
    pthread_mutex_lock(&writer->lock);
    assert_in_range(writer->peers[0]->out.size, 0, 2 * place.capacity + (64 << 10));
    pthread_mutex_unlock(&writer->lock);
    close(fd);
    testing_close(reader);
    testing_close(writer);
}

/* ---- readers that do not read ---- */

static void test_a_reader_that_never_reads(void **state) {
    static const char *const options[] = {"?capacity=64K&timeout=50ms", "?capacity=64K&full=fail",
                                          "?capacity=64K&full=drop-oldest", "?capacity=64K&full=drop-newest"};
    static const int wanted[] = {WEIR_ETIMEOUT, WEIR_EAGAIN, WEIR_OK, WEIR_OK};
    for (int i = 0; i < 4; i++) {
        weir_writer *writer = writer_open(*state, options[i]);
        int fd = say_hello(*state, WEIR_ROLE_READER), status = WEIR_OK;
        for (int sent = 0; sent < 1000 && status == WEIR_OK; sent++)
            status = send_bytes(writer, 4000);
        assert_int_equal(status, wanted[i]);
        assert_int_equal(weir_writer_dropped(writer) > 0, i == 3);
        close(fd); /* who held the others back is gone */
        weir_writer_set_timeout(writer, 10 * TESTING_SECOND);
        int64_t deadline = weir_deadline(10 * TESTING_SECOND);
        while ((status = send_bytes(writer, 4000)) == WEIR_EAGAIN && weir_deadline_left(deadline) > 0)
            nap_ms(1);
        assert_int_equal(status, WEIR_OK);
        check_works(*state, writer);
        weir_writer_close(writer);
    }
}

/* ---- stopped, out of descriptors, forked ---- */

static int write_slowly(void *user) {
    weir_writer *writer = writer_open(user, "?full=drop-newest");
    while (send_bytes(writer, 100) == WEIR_OK)
        nap_ms(1);
    return 1;
}

static void test_a_stopped_listener_goes_on(void **state) {
    const struct testing *testing = *state;
    weir_message *message;
    weir_error err = {0};
    pid_t child = testing_fork(write_slowly, *state);
    while (access(testing->path, F_OK) != 0)
        nap_ms(1);
    weir_reader *reader = reader_open(*state, ""), *late = NULL;
    assert_int_equal(weir_reader_next(reader, 10 * TESTING_SECOND, &message, NULL), WEIR_OK);
    kill(child, SIGSTOP);
    while (weir_reader_next(reader, TESTING_SECOND / 10, &message, NULL) == WEIR_OK)
        continue;
    assert_int_equal(weir_reader_open(address(*state, ""), &late, &err), WEIR_ETIMEOUT);
    assert_non_null(strstr(err.text, "stopped"));
    kill(child, SIGCONT);
    assert_int_equal(weir_reader_next(reader, 10 * TESTING_SECOND, &message, NULL), WEIR_OK);
    assert_int_equal(weir_message_gap(message), 0);
    late = reader_open(*state, "");
    assert_int_equal(weir_reader_next(late, 10 * TESTING_SECOND, &message, NULL), WEIR_OK);
    kill(child, SIGKILL);
    assert_int_equal(testing_wait(child), 1000 + SIGKILL);
    weir_reader_close(late);
    weir_reader_close(reader);
}

static int open_a_reader(void *user) {
    weir_reader *reader = NULL;
    if (weir_reader_open(address(user, ""), &reader, NULL) != WEIR_OK)
        return 1;
    weir_reader_close(reader);
    return 0;
}

/* No descriptor is left to let anybody in with: who comes waits, and nothing spins or breaks. */
static void test_no_descriptor_is_left(void **state) {
    weir_writer *writer = writer_open(*state, "");
    struct rlimit before, now;
    struct rusage used[2];
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        close(ready[1]);
        int go = read(ready[0], &byte, 1) == 0;
        _exit(go ? open_a_reader(*state) : 2);
    }
    close(ready[0]);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    now = before;
    now.rlim_cur = 3; /* below what is open: none can be added */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
    close(ready[1]);
    getrusage(RUSAGE_SELF, &used[0]);
    nap_ms(600);
    getrusage(RUSAGE_SELF, &used[1]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(testing_wait(child), 0);
    int64_t busy_us = (used[1].ru_utime.tv_sec - used[0].ru_utime.tv_sec) * 1000000LL + used[1].ru_utime.tv_usec -
                      used[0].ru_utime.tv_usec;
    assert_true(busy_us < 300000);
    check_works(*state, writer);
    weir_writer_close(writer);
}

/* A child that was forked with open ends and lives on keeps neither the path nor the connections. */
static int listen_fork_and_die(void *user) {
    weir_writer *writer = writer_open(user, "");
    weir_reader *reader = reader_open(user, "");
    int ends[2];
    char byte = 0;
    (void)writer, (void)reader;
    if (pipe(ends) != 0)
        return 1;
    if (fork() == 0) {
        alarm(5);
        if (write(ends[1], &byte, 1) != 1) /* what the child of fork() does before all else is done */
            return 2;
        for (;;)
            pause();
    }
    if (read(ends[0], &byte, 1) != 1)
        return 3;
    raise(SIGKILL);
    return 0;
}

static void test_a_forked_child_keeps_nothing(void **state) {
    pid_t child = testing_fork(listen_fork_and_die, *state);
    assert_int_equal(testing_wait(child), 1000 + SIGKILL);
    weir_writer *writer = writer_open(*state, "?listen=1");
    check_works(*state, writer);
    weir_writer_close(writer);
}

/* ---- other users ---- */

struct stranger {
    const struct testing *testing;
    const char *sentence;
};
static int read_as_nobody(void *user) {
    const struct stranger *stranger = user;
    weir_reader *reader = NULL;
    weir_error err = {0};
    if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
        return 99;
    int status = weir_reader_open(address(stranger->testing, ""), &reader, &err);
    if (status == WEIR_EACCESS && strstr(err.text, stranger->sentence))
        return 0;
    fprintf(stderr, "status %d: %s\n", status, err.text);
    return 1;
}

static void test_another_user_is_refused_with_a_sentence(void **state) {
    struct testing *testing = *state;
    if (geteuid() != 0) {
        print_message("skip: only root can act as another user\n");
        skip();
    }
    weir_writer *writer = writer_open(testing, "");
    struct stranger stranger = {testing, "mode= and group=, who may, when he begins to listen"};
    assert_int_equal(chmod(testing->directory, 0755), 0);
    assert_int_equal(testing_wait(testing_fork(read_as_nobody, &stranger)), 0);
    stranger.sentence = "uid 65534 may not connect here";
    assert_int_equal(chmod(testing->path, 0666), 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(testing_wait(testing_fork(read_as_nobody, &stranger)), 0);
    check_works(testing, writer);
    weir_writer_close(writer);
}

int main(void) {
#define CASE(test) cmocka_unit_test_setup_teardown(test, testing_setup, testing_teardown)
    static const struct CMUnitTest tests[] = {
        CASE(test_garbage_instead_of_a_hello),
        CASE(test_a_request_of_http_is_closed),
        CASE(test_half_a_hello_and_silence),
        CASE(test_a_hello_of_version_2),
        CASE(test_a_refusal_reaches_the_user),
        CASE(test_headers_that_lie),
        CASE(test_many_that_lie),
        CASE(test_a_promised_frame_takes_no_memory),
        CASE(test_a_frame_cut_by_the_end),
        CASE(test_control_frames_with_nonsense),
        CASE(test_a_flood_of_seeks),
        CASE(test_a_reader_that_never_reads),
        CASE(test_a_stopped_listener_goes_on),
        CASE(test_no_descriptor_is_left),
        CASE(test_a_forked_child_keeps_nothing),
        CASE(test_another_user_is_refused_with_a_sentence),
    };
    if (getenv("WEIR_TEST_FILTER"))
        cmocka_set_test_filter(getenv("WEIR_TEST_FILTER"));
    return cmocka_run_group_tests_name("hostile", tests, NULL, NULL);
}
