/* Bursts over every stream: what is kept back leaves though the sender does nothing more, nothing is torn or doubled,
 * and the flusher is there only as long as it is needed. Senders are processes of their own, started in the middle of
 * their work like anybody's. */
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <weir/weir.h>

#include "transport/burst.h"

#define SECOND INT64_C(1000000000)
enum { MANY = 20000, FEW = 500, KILLS = 10, PATIENCE_MS = 10000 };

static const char *const schemes[] = {"unix", "tcp", "fifo"};
static char folder[64], place[128];

static int port_free(void) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&at, size) == 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    close(fd);
    return ntohs(at.sin_port);
}

/* Another channel of @scheme. */
static void place_make(const char *scheme) {
    static int count;
    if (strcmp(scheme, "tcp") == 0)
        snprintf(place, sizeof(place), "tcp://127.0.0.1:%d", port_free());
    else
        snprintf(place, sizeof(place), "%s://%s/%d", scheme, folder, count++);
}

static const char *with(const char *options) {
    static char text[256];
    snprintf(text, sizeof(text), "%s?keep=0%s", place, options);
    return text;
}

static weir_reader *reader_open(void) {
    weir_reader *reader = NULL;
    weir_error err = {0};
    if (weir_reader_open(with(""), &reader, &err) != WEIR_OK)
        fail_msg("%s", err.text);
    return reader;
}

/* In a child, where a failed assertion would go on as a second test program. */
static weir_writer *writer_open(const char *options) {
    weir_writer *writer = NULL;
    if (weir_writer_open(with(options), &writer, NULL) != WEIR_OK)
        _exit(2);
    return writer;
}

static int send_number(weir_writer *writer, uint64_t number) {
    return weir_writer_send_bytes(writer, NULL, NULL, WEIR_CODEC_CBOR, NULL, &number, sizeof(number), NULL);
}

static void send_numbers(weir_writer *writer, uint64_t first, uint64_t last) {
    for (uint64_t i = first; i <= last; i++)
        if (send_number(writer, i) != WEIR_OK)
            _exit(3);
}

/* The next number, 0 when none came within @timeout_ns. */
static uint64_t next_number(weir_reader *reader, int64_t timeout_ns) {
    weir_message *message;
    uint64_t number = 0;
    if (weir_reader_next(reader, timeout_ns, &message, NULL) != WEIR_OK)
        return 0;
    weir_view bytes = weir_message_bytes(message);
    assert_int_equal(bytes.size, sizeof(number));
    memcpy(&number, bytes.data, sizeof(number));
    assert_int_equal(weir_message_gap(message), 0);
    return number;
}

static void expect_numbers(weir_reader *reader, uint64_t first, uint64_t last) {
    for (uint64_t i = first; i <= last; i++)
        assert_int_equal(next_number(reader, 10 * SECOND), i);
}

/* How many threads of this process are flushers. */
static int flushers(void) {
    int count = 0;
    const struct dirent *entry;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    while ((entry = readdir(tasks)) != NULL) {
        char path[300], name[32] = "";
        snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
        FILE *file = fopen(path, "re");
        if (file && fgets(name, sizeof(name), file))
            count += strcmp(name, "weir-burst\n") == 0;
        if (file)
            fclose(file);
    }
    closedir(tasks);
    return count;
}

static void nap_ms(long ms) {
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static int setup(void **state) {
    (void)state;
    strcpy(folder, "/tmp/weir-burst-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state) {
    char command[96];
    (void)state;
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    return flushers() == 0 && system(command) == 0 ? 0 : -1;
}

/* Run @sender in a child once the reader is there. The child is made before that, while this process has one thread. */
static pid_t start(void (*sender)(void), weir_reader **ret_reader) {
    int go[2];
    char byte;
    assert_int_equal(pipe(go), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(go[1]);
        (void)!read(go[0], &byte, 1);
        sender();
        _exit(0);
    }
    close(go[0]);
    if (ret_reader)
        *ret_reader = reader_open();
    close(go[1]);
    return child;
}

static void end(pid_t child, int with_signal) {
    int status;
    if (with_signal)
        kill(child, with_signal);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!with_signal)
        assert_int_equal(status, 0);
}

/* ---- what is sent arrives ---- */

static void lone_sender(void) {
    send_numbers(writer_open("&readers=1"), 1, 1);
    for (;;)
        pause();
}

static void test_a_lone_message_arrives(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        place_make(schemes[i]);
        weir_reader *reader;
        pid_t child = start(lone_sender, &reader);
        assert_int_equal(next_number(reader, 10 * SECOND), 1);
        end(child, SIGKILL);
        weir_reader_close(reader);
    }
}

static void burst_sender(void) {
    send_numbers(writer_open("&readers=1"), 1, MANY);
    for (;;)
        pause();
}

/* The sender falls silent in the middle of a burst, without another call. */
static void test_the_end_of_a_burst_arrives(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        place_make(schemes[i]);
        weir_reader *reader;
        pid_t child = start(burst_sender, &reader);
        expect_numbers(reader, 1, MANY);
        end(child, SIGKILL);
        weir_reader_close(reader);
    }
}

static void exiting_sender(void) {
    static weir_writer *volatile left; /* where the sanitizer finds it: open, but no leak */
    left = writer_open("&readers=1");
    send_numbers(left, 1, FEW);
    exit(0); /* without closing: what has been sent leaves all the same */
}

static void test_a_burst_and_exit(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        place_make(schemes[i]);
        weir_reader *reader;
        pid_t child = start(exiting_sender, &reader);
        expect_numbers(reader, 1, FEW);
        end(child, 0);
        weir_reader_close(reader);
    }
}

/* Who waits for something else has first sent what he kept back: the answer would never come. */
static void asking_sender(void) {
    weir_reader *answers = NULL;
    weir_message *message;
    char address[200];
    weir_writer *writer = writer_open("&readers=1");
    snprintf(address, sizeof(address), "unix://%s/answers?keep=0", folder);
    if (weir_reader_open(address, &answers, NULL) != WEIR_OK)
        _exit(4);
    for (uint64_t i = 1; i <= 20; i++) {
        send_numbers(writer, i * 100 - 99, i * 100);
        if (weir_reader_next(answers, PATIENCE_MS * INT64_C(1000000), &message, NULL) != WEIR_OK)
            _exit(5);
    }
    weir_reader_close(answers);
    weir_writer_close(writer);
    _exit(0);
}

static void test_who_waits_keeps_nothing(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        weir_writer *answers = NULL;
        char address[200];
        place_make(schemes[i]);
        snprintf(address, sizeof(address), "unix://%s/answers?keep=0&readers=1", folder);
        weir_reader *reader;
        pid_t child = start(asking_sender, &reader);
        assert_int_equal(weir_writer_open(address, &answers, NULL), WEIR_OK);
        for (uint64_t k = 1; k <= 20; k++) {
            expect_numbers(reader, k * 100 - 99, k * 100);
            assert_int_equal(send_number(answers, k), WEIR_OK);
        }
        end(child, 0);
        weir_writer_close(answers);
        weir_reader_close(reader);
    }
}

/* ---- many in a call ---- */

static void many_send(weir_writer *writer, uint64_t first, size_t count) {
    uint64_t numbers[256];
    weir_view data[256];
    size_t sent = 0;
    for (size_t i = 0; i < count; i++) {
        numbers[i] = first + i;
        data[i] = (weir_view){(const char *)&numbers[i], sizeof(numbers[i])};
    }
    if (weir_writer_send_many(writer, NULL, NULL, WEIR_CODEC_CBOR, NULL, data, count, &sent, NULL) != WEIR_OK ||
        sent != count || weir_writer_seq(writer) != first + count - 1)
        _exit(3);
}

/* Many in a call, single ones in between, and some with an operation, which go another way. */
static void many_sender(void) {
    weir_writer *writer = writer_open("&readers=1");
    for (uint64_t next = 1, round = 0; next <= MANY; round++) {
        size_t count = 1 + round * 37 % 256;
        count = count < MANY + 1 - next ? count : MANY + 1 - next;
        if (round % 5 == 3)
            send_numbers(writer, next, next + count - 1);
        else if (round % 11 == 4 && weir_writer_send_bytes(writer, "op", NULL, WEIR_CODEC_CBOR, NULL, &next,
                                                           sizeof(next), NULL) == WEIR_OK)
            count = 1;
        else
            many_send(writer, next, count);
        next += count;
    }
    for (;;)
        pause();
}

/* In order, each once, and in place until the next call; the newest of them is still there for who asks for it
 * again. */
static void test_many_in_bursts(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        weir_message *messages[100], *message;
        weir_reader *reader;
        size_t count;
        place_make(schemes[i]);
        pid_t child = start(many_sender, &reader);
        for (uint64_t next = 1, number; next <= MANY;) {
            assert_int_equal(weir_reader_next_many(reader, 10 * SECOND, messages, 1 + next % 100, &count, NULL),
                             WEIR_OK);
            for (size_t k = 0; k < count; k++, next++) {
                assert_int_equal(weir_message_seq(messages[k]), next);
                assert_int_equal(weir_message_gap(messages[k]), 0);
                memcpy(&number, weir_message_bytes(messages[k]).data, sizeof(number));
                assert_int_equal(number, next);
            }
        }
        if (i < 2) {
            assert_int_equal(weir_reader_latest(reader, &message, NULL), WEIR_OK);
            assert_int_equal(weir_message_seq(message), MANY);
        }
        assert_int_equal(weir_reader_gaps(reader), 0);
        assert_int_equal(next_number(reader, SECOND / 100), 0);
        end(child, SIGKILL);
        weir_reader_close(reader);
    }
}

/* ---- accidents ---- */

static void endless_sender(void) {
    send_numbers(writer_open("&readers=1&timeout=1m"), 1, UINT64_MAX - 1);
}

/* What a killed sender kept is gone; what came before is whole, in order, and comes once. */
static void test_a_burst_and_kill(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++)
        for (int kills = 0; kills < KILLS; kills++) {
            place_make(schemes[i]);
            weir_reader *reader;
            pid_t child = start(endless_sender, &reader);
            uint64_t last = 0, number;
            for (int k = 0; k < 1000 + kills * 37; k++)
                assert_int_equal(next_number(reader, 10 * SECOND), ++last);
            end(child, SIGKILL);
            while ((number = next_number(reader, SECOND / 10)) != 0)
                assert_int_equal(number, ++last);
            weir_reader_close(reader);
        }
}

static void forking_sender(void) {
    weir_writer *writer = writer_open("&readers=1");
    send_numbers(writer, 1, MANY / 2);
    pid_t child = fork();
    if (child == 0) {
        int status = send_number(writer, 7);
        weir_writer_close(writer);
        exit(status == WEIR_EFORKED && flushers() == 0 ? 0 : 6);
    }
    int status = -1;
    send_numbers(writer, MANY / 2 + 1, MANY);
    if (waitpid(child, &status, 0) != child || status != 0)
        _exit(7);
    weir_writer_close(writer);
    _exit(flushers() == 0 ? 0 : 8);
}

static void test_a_fork_in_a_burst(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        place_make(schemes[i]);
        weir_reader *reader;
        pid_t child = start(forking_sender, &reader);
        expect_numbers(reader, 1, MANY);
        assert_int_equal(next_number(reader, SECOND / 10), 0);
        end(child, 0);
        weir_reader_close(reader);
    }
}

/* ---- the flusher ---- */

/* Two writers in a burst. Return: how many flushers there were at most. */
static int flushers_of_bursts(const char *options) {
    int most = 0;
    weir_writer *writers[2];
    for (int i = 0; i < 2; i++) {
        place_make(schemes[2 * i]);
        writers[i] = writer_open(options);
    }
    for (int i = 0; i < 200 && most == 0; i++) { /* a loaded machine may interrupt every burst for a while */
        send_numbers(writers[0], 1, FEW);
        send_numbers(writers[1], 1, FEW);
        most = flushers();
    }
    weir_writer_close(writers[0]);
    send_numbers(writers[1], 1, FEW);
    int left = flushers();
    most = left > most ? left : most;
    weir_writer_close(writers[1]);
    return most;
}

static void one_flusher(void) {
    int most = flushers_of_bursts("&full=drop-oldest");
    if (most != 1 || flushers() != 0)
        _exit(9);
    if (flushers_of_bursts("&full=drop-oldest") != 1 || flushers() != 0) /* and again */
        _exit(10);
}

static void test_the_flusher_ends_with_the_last_writer(void **state) {
    (void)state;
    end(start(one_flusher, NULL), 0);
}

static void no_flusher(void) {
    if (flushers_of_bursts("&full=drop-oldest&burst=0") != 0)
        _exit(11);
}

static void test_without_bursts_there_is_no_flusher(void **state) {
    (void)state;
    end(start(no_flusher, NULL), 0);
}

/* Collects what is kept, as the owner of an object does. */
static void collect(void *object, enum weir_burst_how how) {
    uint64_t seq;
    if (atomic_load(&((struct weir_burst *)object)->is_granted))
        weir_burst_collect(object, how, &seq);
}

/* How often the flusher has gone to sleep so far. */
static long flusher_sleeps(void) {
    static const char is_said[] = "voluntary_ctxt_switches:";
    long count = -1;
    const struct dirent *entry;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    while ((entry = readdir(tasks)) != NULL) {
        char path[300], line[128] = "";
        int is_flusher = 0;
        snprintf(path, sizeof(path), "/proc/self/task/%s/status", entry->d_name);
        FILE *file = fopen(path, "re");
        while (file && fgets(line, sizeof(line), file)) {
            is_flusher |= strcmp(line, "Name:\tweir-burst\n") == 0;
            if (is_flusher && strncmp(line, is_said, strlen(is_said)) == 0)
                count = atol(line + strlen(is_said));
        }
        if (file)
            fclose(file);
    }
    closedir(tasks);
    return count;
}

/* A used grant goes on as one of a batch, and one of a batch as that of a burst; the flusher sleeps once both are
 * over. */
static void test_the_flusher_sleeps_when_no_grant_is_left(void **state) {
    static unsigned char memory[4096];
    struct weir_burst burst = {.may_keep = 1};
    (void)state;
    weir_burst_join(&burst, collect, &burst);
    for (int corked_first = 0; corked_first < 2; corked_first++) {
        assert_int_equal(weir_burst_grant(&burst, memory, memory, sizeof(memory), 1, corked_first), 1);
        collect(&burst, WEIR_BURST_PAUSES);
        assert_int_equal(weir_burst_grant(&burst, memory, memory, sizeof(memory), 1, !corked_first), 1);
        if (!corked_first)
            assert_int_equal(weir_burst_uncork(&burst), 1);
        collect(&burst, WEIR_BURST_ENDS);
        long before = -2, now = flusher_sleeps();
        for (int i = 0; i < PATIENCE_MS / 100 && now != before; i++) {
            nap_ms(100);
            before = now;
            now = flusher_sleeps();
        }
        assert_true(now > 0);
        assert_int_equal(now, before);
    }
    weir_burst_leave(&burst);
}

/* A sender that is not fast keeps nothing and needs nobody. */
static void slow_sender(void) {
    place_make("unix");
    weir_writer *writer = writer_open("");
    for (uint64_t i = 1; i <= 50; i++) {
        send_numbers(writer, i, i);
        nap_ms(1);
    }
    if (flushers() != 0)
        _exit(12);
    weir_writer_close(writer);
}

static void test_a_slow_sender_needs_no_flusher(void **state) {
    (void)state;
    end(start(slow_sender, NULL), 0);
}

/* ---- calls ---- */

/* Answers what it is asked, and then does nothing for a while before it ends. */
static void answer_and_idle(const char *address) {
    weir_server *server = NULL;
    weir_message *request;
    if (weir_server_open(address, &server, NULL) != WEIR_OK)
        _exit(2);
    for (int i = 0; i < FEW; i++)
        if (weir_server_next(server, 10 * SECOND, &request, NULL) != WEIR_OK ||
            weir_server_reply(server, request, NULL, NULL, NULL) != WEIR_OK)
            _exit(3);
    nap_ms(2 * PATIENCE_MS);
    _exit(4); /* he should have been killed */
}

/* Asks, and then does nothing: the server must get all. */
static void ask_and_idle(const char *address) {
    weir_client *client = NULL;
    weir_message *reply;
    if (weir_client_open(address, &client, NULL) != WEIR_OK ||
        weir_client_call(client, "a", NULL, NULL, 10 * SECOND, &reply, NULL) != WEIR_OK)
        _exit(2);
    for (int i = 1; i < FEW; i++)
        if (weir_client_send(client, "a", NULL, NULL, NULL) != WEIR_OK)
            _exit(3);
    nap_ms(2 * PATIENCE_MS);
    _exit(4);
}

static pid_t child_of(void (*work)(const char *address)) {
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(60);
        work(with(""));
        _exit(0);
    }
    return child;
}

/* The last of many replies arrives though the server does nothing more. */
static void test_replies_leave_by_themselves(void **state) {
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        weir_client *client = NULL;
        weir_message *reply;
        place_make(schemes[i]);
        pid_t server = child_of(answer_and_idle);
        assert_int_equal(weir_client_open(with(""), &client, NULL), WEIR_OK);
        for (int k = 0; k < FEW; k++)
            assert_int_equal(weir_client_send(client, "a", NULL, NULL, NULL), WEIR_OK);
        for (int k = 0; k < FEW; k++)
            assert_int_equal(weir_client_receive(client, PATIENCE_MS * INT64_C(1000000), &reply, NULL), WEIR_OK);
        weir_client_close(client);
        end(server, SIGKILL);
    }
}

/* The last of many requests arrives though the client does nothing more. */
static void test_requests_leave_by_themselves(void **state) {
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        weir_server *server = NULL;
        weir_message *request;
        place_make(schemes[i]);
        pid_t client = child_of(ask_and_idle);
        assert_int_equal(weir_server_open(with(""), &server, NULL), WEIR_OK);
        for (int k = 0; k < FEW; k++) {
            assert_int_equal(weir_server_next(server, PATIENCE_MS * INT64_C(1000000), &request, NULL), WEIR_OK);
            assert_int_equal(weir_server_reply(server, request, NULL, NULL, NULL), WEIR_OK);
        }
        end(client, SIGKILL);
        weir_server_close(server);
    }
}

int main(void) {
#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    static const struct CMUnitTest tests[] = {
        CASE(test_a_lone_message_arrives),
        CASE(test_the_end_of_a_burst_arrives),
        CASE(test_a_burst_and_exit),
        CASE(test_who_waits_keeps_nothing),
        CASE(test_many_in_bursts),
        CASE(test_a_burst_and_kill),
        CASE(test_a_fork_in_a_burst),
        CASE(test_the_flusher_ends_with_the_last_writer),
        CASE(test_without_bursts_there_is_no_flusher),
        CASE(test_a_slow_sender_needs_no_flusher),
        CASE(test_the_flusher_sleeps_when_no_grant_is_left),
        CASE(test_replies_leave_by_themselves),
        CASE(test_requests_leave_by_themselves),
    };
    if (getenv("WEIR_TEST_FILTER"))
        cmocka_set_test_filter(getenv("WEIR_TEST_FILTER"));
    return cmocka_run_group_tests_name("burst", tests, NULL, NULL);
}
