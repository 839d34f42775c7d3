/* Ends of named pipes that are killed, vanish, or go while others come: with real processes. */
#include "transport/fifo/testing.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum { KILLS = 15, NAP_NS = 1000 * 1000 };

/* ---- death ---- */

static pid_t child_start(int (*run)(void *user), void *user) {
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm(90);
        _exit(run(user));
    }
    return child;
}

static void child_kill(pid_t child) {
    int status;
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static size_t size_of(uint64_t number) {
    return number % 7 == 0 ? 150000 : number * 37 % 9000;
}

static int write_for_ever(void *user) {
    weir_writer *writer = NULL;
    (void)user;
    if (weir_writer_open(with("?capacity=64K&timeout=30s&readers=1"), &writer, NULL))
        return 1;
    for (uint64_t i = 1;; i++)
        if (send_bytes(writer, i, size_of(i)) != WEIR_OK)
            return 2;
}

/* Shared with children: what they have received. */
struct tally {
    uint64_t last, count, faults;
};

static int read_for_ever(void *user) {
    struct tally *tally = user;
    weir_reader *reader = NULL;
    uint64_t first = 0, gap = 0;
    if (weir_reader_open(with(""), &reader, NULL))
        return 1;
    for (;;) {
        uint64_t number = receive(reader, &gap);
        /* Whole, newer than anything any reader before had, and within one reader every one that is missing is
         * counted. */
        tally->faults += number == 0 || number <= tally->last || (first && number != tally->last + 1 + gap);
        tally->last = number;
        tally->count++;
        first = 1;
    }
}

static void test_readers_killed_in_the_middle_of_frames(void **state) {
    (void)state;
    FILE *shared = tmpfile();
    struct tally zero = {0};
    assert_int_equal(fwrite(&zero, sizeof(zero), 1, shared), 1);
    fflush(shared);
    struct tally *tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED, fileno(shared), 0);
    assert_true(tally != MAP_FAILED);
    pid_t writer = child_start(write_for_ever, NULL);
    for (int round = 0; round < KILLS; round++) {
        uint64_t before = *(volatile uint64_t *)&tally->count;
        pid_t reader = child_start(read_for_ever, tally);
        int64_t deadline = weir_deadline(30 * SECOND);
        while (*(volatile uint64_t *)&tally->count < before + 1 + (uint64_t)round * 3) {
            assert_true(weir_deadline_left(deadline) > 0 && *(volatile uint64_t *)&tally->faults == 0);
            nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
        }
        child_kill(reader);
    }
    child_kill(writer);
    assert_int_equal(tally->faults, 0);
    assert_true(tally->count >= KILLS * (1 + KILLS));
    munmap(tally, sizeof(*tally));
    fclose(shared);
}

static void test_writers_killed_in_the_middle_of_frames(void **state) {
    (void)state;
    weir_reader *reader = reader_open("");
    for (int round = 0; round < KILLS; round++) {
        pid_t writer = child_start(write_for_ever, NULL);
        uint64_t last = 0, gap = 0;
        for (int i = 0; i < 5 + 3 * round; i++) {
            uint64_t number = receive(reader, &gap);
            assert_int_equal(gap, 0);
            assert_int_equal(number, last + 1);
            last = number;
        }
        child_kill(writer);
        weir_message *message = NULL;
        while (weir_reader_next(reader, 0, &message, NULL) == WEIR_OK) {
            assert_int_equal(number_of(message), ++last);
            assert_int_equal(weir_message_gap(message), 0);
        }
    }
    weir_reader_close(reader);
}

static volatile sig_atomic_t sigpipes;
static void on_sigpipe(int signal) {
    (void)signal;
    sigpipes++;
}

static int serve_little(void *user) {
    weir_server *server = NULL;
    weir_message *request = NULL;
    (void)user;
    if (weir_server_open(with(""), &server, NULL))
        return 1;
    for (int i = 0; i < 5; i++)
        if (weir_server_next(server, 20 * SECOND, &request, NULL) == WEIR_OK)
            weir_server_reply(server, request, NULL, NULL, NULL);
    raise(SIGKILL);
    return 1;
}

static int call_once(void *user) {
    weir_client *client = NULL;
    weir_message *reply = NULL;
    int after = user != NULL;
    if (weir_client_open(with(""), &client, NULL) ||
        weir_client_call(client, "x", NULL, NULL, 20 * SECOND, &reply, NULL))
        return 1;
    if (after)
        raise(SIGKILL); /* leaves its pipe behind */
    weir_client_close(client);
    return 0;
}

/* Servers and readers vanish under who writes to them. */
static void test_no_sigpipe_comes(void **state) {
    struct sigaction action = {.sa_handler = on_sigpipe}, old;
    weir_client *client = NULL;
    weir_message *reply = NULL;
    (void)state;
    sigaction(SIGPIPE, &action, &old);
    sigpipes = 0;
    assert_int_equal(weir_client_open(with(""), &client, NULL), WEIR_OK);
    for (int round = 0; round < 5; round++) {
        pid_t server = child_start(serve_little, NULL);
        int status = WEIR_OK, status_of_server;
        for (int i = 0; status == WEIR_OK; i++) {
            assert_true(i < 6);
            status = weir_client_call(client, "x", NULL, NULL, i < 5 ? 10 * SECOND : SECOND / 2, &reply, NULL);
        }
        assert_true(status == WEIR_EPEER || status == WEIR_ETIMEOUT);
        assert_int_equal(waitpid(server, &status_of_server, 0), server);
    }
    weir_client_close(client);
    assert_int_equal(sigpipes, 0);
    sigaction(SIGPIPE, &old, NULL);
}

static int names_in(const char *where) {
    char command[256];
    snprintf(command, sizeof(command), "test \"$(ls %s | grep -v ^weir | wc -l)\" -eq 1", where);
    return system(command) == 0 ? 1 : 2;
}

static void test_pipes_of_dead_clients_are_removed(void **state) {
    weir_server *server = NULL;
    (void)state;
    pid_t serving = child_start(serve_little, NULL);
    for (int i = 0; i < 5; i++) {
        int status;
        pid_t client = child_start(call_once, &client);
        assert_int_equal(waitpid(client, &status, 0), client);
        assert_true(WIFSIGNALED(status));
    }
    assert_int_equal(waitpid(serving, NULL, 0), serving);
    assert_int_equal(names_in(folder), 2);
    assert_int_equal(weir_server_open(with(""), &server, NULL), WEIR_OK);
    assert_int_equal(names_in(folder), 1);
    weir_server_close(server);
}

/* ---- coming and going ---- */

static int open_and_close(void *user) {
    const char *role = user;
    for (int i = 0; i < 100; i++) {
        weir_writer *writer = NULL;
        weir_reader *reader = NULL;
        weir_error err = {0};
        int status = *role == 'w' ? weir_writer_open(with("?keep=0"), &writer, &err)
                                  : weir_reader_open(with("?keep=0"), &reader, &err);
        if (status) {
            fprintf(stderr, "%s\n", err.text);
            return 1;
        }
        weir_writer_close(writer);
        weir_reader_close(reader);
    }
    return 0;
}

/* The last end takes the pipe away while others come: nobody is refused, and nothing is left. */
static void test_taking_away_while_others_come(void **state) {
    int status;
    struct stat about;
    (void)state;
    pid_t one = child_start(open_and_close, "w"), two = child_start(open_and_close, "r");
    assert_int_equal(waitpid(one, &status, 0), one);
    assert_int_equal(status, 0);
    assert_int_equal(waitpid(two, &status, 0), two);
    assert_int_equal(status, 0);
    weir_writer_close(writer_open("?keep=0"));
    assert_int_equal(lstat(path, &about), -1);
}

static int open_and_go(void *user) {
    char byte;
    weir_writer *writer = NULL;
    weir_reader *reader = NULL;
    const int *gates = user;
    int status =
        gates[2] ? weir_writer_open(with("?keep=0"), &writer, NULL) : weir_reader_open(with("?keep=0"), &reader, NULL);
    if (status || write(gates[3], "x", 1) != 1 || read(gates[0], &byte, 1) != 0)
        return 1;
    weir_writer_close(writer);
    weir_reader_close(reader);
    return 0;
}

static void test_two_go_at_the_same_instant(void **state) {
    (void)state;
    for (int round = 0; round < 50; round++) {
        struct stat about;
        char bytes[2];
        int gate[2], ready[2], status;
        assert_int_equal(pipe2(gate, O_CLOEXEC) | pipe2(ready, O_CLOEXEC), 0);
        pid_t children[2];
        for (int i = 0; i < 2; i++) {
            fflush(NULL);
            children[i] = fork();
            if (children[i] == 0) {
                alarm(60);
                close(gate[1]);
                _exit(open_and_go((int[]){gate[0], 0, i, ready[1]}));
            }
        }
        for (int i = 0; i < 2; i++)
            assert_int_equal(read(ready[0], bytes, 1), 1);
        close(gate[1]); /* now */
        for (int i = 0; i < 2; i++) {
            assert_int_equal(waitpid(children[i], &status, 0), children[i]);
            assert_int_equal(status, 0);
        }
        assert_int_equal(lstat(path, &about), -1);
        close(gate[0]), close(ready[0]), close(ready[1]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(test_readers_killed_in_the_middle_of_frames),
        CASE(test_writers_killed_in_the_middle_of_frames),
        CASE(test_no_sigpipe_comes),
        CASE(test_pipes_of_dead_clients_are_removed),
        CASE(test_taking_away_while_others_come),
        CASE(test_two_go_at_the_same_instant),
    };
    const char *pattern = getenv("WEIR_TEST_FILTER");
    if (pattern)
        cmocka_set_test_filter(pattern);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
