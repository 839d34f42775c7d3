/* Tests of os/: leases, fork detection, futexes, mappings, processes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/error.h>

#include "base/clock.h"
#include "os/access.h"
#include "os/fork.h"
#include "os/futex.h"
#include "os/lock.h"
#include "os/mapping.h"
#include "os/process.h"
#include "os/testing.h"

#define SECOND INT64_C(1000000000)

static char path[] = "/tmp/weir-os-XXXXXX";

static int setup(void **state) {
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 || close(fd) != 0 ? -1 : 0;
}

static int teardown(void **state) {
    (void)state;
    return unlink(path);
}

static int open_file(void) {
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void test_lease(void **state) {
    (void)state;
    int one = open_file(), two = open_file();
    assert_int_equal(weir_lock_take(one, 3, 1), WEIR_OK);
    assert_int_equal(weir_lock_take(two, 3, 1), WEIR_EBUSY);
    assert_int_equal(weir_lock_take(two, 3, 0), WEIR_EBUSY);
    assert_int_equal(weir_lock_take(two, 4, 1), WEIR_OK);
    assert_int_equal(weir_lock_is_held(two, 3), 1);
    assert_int_equal(weir_lock_is_held(one, 3), 0); /* our own does not refuse us */
    close(open_file());                             /* another descriptor's close loses nothing */
    assert_int_equal(weir_lock_take(two, 3, 1), WEIR_EBUSY);
    weir_lock_drop(one, 3);
    assert_int_equal(weir_lock_is_held(two, 3), 0);
    assert_int_equal(weir_lock_take(two, 3, 0), WEIR_OK);
    assert_int_equal(weir_lock_take(one, 3, 0), WEIR_OK);
    assert_int_equal(weir_lock_take(one, 3, 1), WEIR_EBUSY);
    close(two);
    assert_int_equal(weir_lock_take(one, 3, 1), WEIR_OK);
    assert_int_equal(weir_lock_take(-1, 3, 1), WEIR_ESYSTEM);
    close(one);
}

static void test_lease_wait(void **state) {
    (void)state;
    int one = open_file(), two = open_file();
    assert_int_equal(weir_lock_take(one, 0, 1), WEIR_OK);
    assert_int_equal(weir_lock_wait(two, 0, 1, weir_deadline(SECOND / 100)), WEIR_ETIMEOUT);
    close(one);
    assert_int_equal(weir_lock_wait(two, 0, 1, 0), WEIR_OK);
    close(two);
}

static void test_lease_dies_with_its_holder(void **state) {
    (void)state;
    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int fd = open(path, O_RDWR | O_CLOEXEC);
        char said = weir_lock_take(fd, 9, 1) == WEIR_OK ? 'y' : 'n';
        if (write(pipe_fds[1], &said, 1) == 1)
            pause();
        _exit(1);
    }
    char said = 0;
    assert_int_equal(read(pipe_fds[0], &said, 1), 1);
    assert_int_equal(said, 'y');
    int fd = open_file();
    assert_int_equal(weir_lock_is_held(fd, 9), 1);
    kill(child, SIGKILL);
    assert_int_equal(weir_lock_wait(fd, 9, 1, weir_deadline(10 * SECOND)), WEIR_OK);
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(fd), close(pipe_fds[0]), close(pipe_fds[1]);
}

static void test_fork_generation(void **state) {
    (void)state;
    uint64_t generation = weir_fork_generation();
    assert_true(generation != 0);
    assert_true(generation == weir_fork_generation());
    assert_false(weir_fork_happened(generation));
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int told = weir_fork_happened(generation) && weir_fork_generation() != generation;
        uint64_t mine = weir_fork_generation();
        pid_t grandchild = fork();
        if (grandchild == 0)
            _exit(weir_fork_happened(mine) && weir_fork_generation() > mine ? 0 : 1);
        int status = 1;
        waitpid(grandchild, &status, 0);
        _exit(told && status == 0 && !weir_fork_happened(mine) ? 0 : 1);
    }
    int status = 1;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    assert_false(weir_fork_happened(generation));
}

static _Atomic(uint32_t) futex_word;

static void *waker(void *user) {
    (void)user;
    atomic_store(&futex_word, 1);
    weir_futex_wake(&futex_word);
    return NULL;
}

static void test_futex(void **state) {
    (void)state;
    int64_t begin = weir_clock_monotonic();
    assert_int_equal(weir_futex_wait(&futex_word, 0, SECOND / 100), 1);
    assert_true(weir_clock_monotonic() - begin >= SECOND / 100);
    assert_int_equal(weir_futex_wait(&futex_word, 7, 60 * SECOND), 0); /* another value: back at once */
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, waker, NULL), 0);
    while (atomic_load(&futex_word) == 0)
        weir_futex_wait(&futex_word, 0, 60 * SECOND);
    pthread_join(thread, NULL);
    assert_true(weir_clock_monotonic() - begin < 60 * SECOND);
}

static void test_barrier(void **state) {
    (void)state;
    if (!weir_barrier_register()) {
        print_message("skipped: this kernel or sandbox has no expedited membarrier\n");
        skip();
    }
    assert_int_equal(weir_barrier_all(), 1);
}

static void test_ring_mapping_goes_round(void **state) {
    (void)state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE), ring = 4 * page;
    int fd = open_file();
    assert_int_equal(ftruncate(fd, (off_t)(page + ring)), 0);
    unsigned char *data = weir_mapping_new_ring(fd, page, ring, WEIR_MAPPING_WRITE | WEIR_MAPPING_POPULATE);
    assert_non_null(data);
    memcpy(data + page + ring - 3, "abcdef", 6);
    assert_memory_equal(data + page, "def", 3);
    const unsigned char *other = weir_mapping_new(fd, page + ring, 0);
    assert_non_null(other);
    assert_memory_equal(other + page + ring - 3, "abc", 3);
    weir_mapping_free((void *)other, page + ring);
    weir_mapping_free(data, page + 2 * ring);
    assert_null(weir_mapping_new(-1, page, 0));
    assert_null(weir_mapping_new_ring(-1, page, ring, 0));
    close(fd);
}

static void test_process(void **state) {
    (void)state;
    char name[64];
    weir_process_program(getpid(), name, sizeof(name));
    assert_string_equal(name, "os_test");
    weir_process_program(-1, name, sizeof(name));
    assert_string_equal(name, "?");
    weir_process_user(0, name, sizeof(name));
    assert_string_equal(name, "root");
    weir_process_user(4294900000u, name, sizeof(name));
    assert_string_equal(name, "4294900000");
    assert_true(weir_process_start(getpid()) > 0);
    assert_true(weir_process_start_own() == weir_process_start(getpid()));
    assert_true(weir_process_start(getpid()) == weir_process_start(getpid()));
    assert_true(weir_process_start(-1) == 0);
    unsigned char one[32] = {0}, two[32] = {0};
    weir_random(one, sizeof(one));
    weir_random(two, sizeof(two));
    assert_memory_not_equal(one, two, sizeof(one));
}

static void test_lists_of_users(void **state) {
    (void)state;
    struct weir_allow allow = {0};
    char text[WEIR_ALLOW_TEXT_MAX], many[1024] = "";
    static const char *const malformed[] = {"",       "uid:",   "uid",          "0",     "user:0", "uid:0,",
                                            ",uid:0", "group:", "uid:0,,uid:1", "gid:0", "UID:0"};
    static const char *const unknown[] = {
        "uid:no-such-user",         "group:no such group",      "uid:-1", "uid:4294967295", "uid:0x10", "uid:0;uid:1",
        "uid:99999999999999999999", "uid:0,group:no-such-group"};
    assert_int_equal(weir_allow_parse("uid:0,group:0,uid:root,uid:1000,group:root", 42, &allow), WEIR_OK);
    assert_int_equal(allow.count, 3);
    weir_allow_text(&allow, 0, text);
    assert_string_equal(text, "uid:root");
    weir_allow_text(&allow, 1, text);
    assert_string_equal(text, "group:root");
    assert_int_equal(allow.who[2].id, 1000);
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
        assert_int_equal(weir_allow_parse(malformed[i], strlen(malformed[i]), &(struct weir_allow){0}), WEIR_EINVAL);
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        assert_int_equal(weir_allow_parse(unknown[i], strlen(unknown[i]), &(struct weir_allow){0}), WEIR_ENOENT);
    for (int i = 0; i < WEIR_ALLOW_MAX; i++)
        snprintf(many + strlen(many), sizeof(many) - strlen(many), "%suid:%d", i ? "," : "", 70000 + i);
    allow = (struct weir_allow){0};
    assert_int_equal(weir_allow_parse(many, strlen(many), &allow), WEIR_OK);
    assert_int_equal(allow.count, WEIR_ALLOW_MAX);
    assert_int_equal(weir_allow_parse("uid:1", 5, &allow), WEIR_EINVAL);
    assert_int_equal(weir_allow_parse("uid:70001", 9, &allow), WEIR_OK); /* is there already */
}

static uint16_t access_of(int fd, const char *entry) {
    struct weir_allow allow;
    char text[WEIR_ALLOW_TEXT_MAX];
    weir_access_read(fd, &allow);
    for (uint32_t i = 0; i < allow.count; i++) {
        weir_allow_text(&allow, i, text);
        if (strcmp(text, entry) == 0)
            return 1;
    }
    return 0;
}

static void test_access_lists(void **state) {
    (void)state;
    char store[] = "/dev/shm/weir-os-XXXXXX";
    struct weir_allow first = {0}, second = {0};
    struct stat about;
    int fd = mkstemp(store);
    assert_true(fd >= 0);
    unlink(store);
    assert_int_equal(weir_allow_parse("uid:70000,group:70001", 21, &first), WEIR_OK);
    assert_int_equal(weir_allow_parse("uid:70002", 9, &second), WEIR_OK);
    if (weir_access_give(fd, &first, 4, 0) != WEIR_OK) {
        close(fd);
        print_message("skip: /dev/shm has no access lists here\n");
        skip();
    }
    assert_int_equal(fstat(fd, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0640); /* the group bits show the mask */
    assert_true(access_of(fd, "uid:70000") && access_of(fd, "group:70001"));
    /* A later list replaces the earlier one, and the group has what it had: nothing, not what the mask showed. */
    assert_int_equal(weir_access_give(fd, &second, 4, 0), WEIR_OK);
    assert_true(access_of(fd, "uid:70002") && !access_of(fd, "uid:70000") && !access_of(fd, "group:70001"));
    assert_int_equal(weir_access_give(fd, &(struct weir_allow){0}, 0, 0), WEIR_OK);
    assert_int_equal(fstat(fd, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    close(fd);
}

/* What teardowns rely on: one has ended, one rests, one is stopped and has a name that is not easy to read. */
static void test_children_left_behind_are_ended(void **state) {
    (void)state;
    pid_t others = fork(); /* of the same group, and not a child of the one that cleans up */
    if (others == 0)
        for (;;)
            pause();
    pid_t cleaner = fork();
    if (cleaner == 0) {
        for (int i = 0; i < 3; i++)
            if (fork() == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                prctl(PR_SET_NAME, i == 2 ? ") S 1 (" : "rests");
                if (i == 2)
                    raise(SIGSTOP);
                while (i > 0)
                    pause();
                _exit(0);
            }
        int count = testing_children_end();
        _exit(count == 3 && waitpid(-1, NULL, WNOHANG) < 0 && testing_children_end() == 0 ? 0 : 10 + count);
    }
    int status;
    assert_int_equal(waitpid(cleaner, &status, 0), cleaner);
    assert_int_equal(status, 0);
    assert_int_equal(waitpid(others, &status, WNOHANG), 0);
    kill(others, SIGKILL);
    assert_int_equal(waitpid(others, &status, 0), others);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lease),
        cmocka_unit_test(test_lease_wait),
        cmocka_unit_test(test_lease_dies_with_its_holder),
        cmocka_unit_test(test_fork_generation),
        cmocka_unit_test(test_futex),
        cmocka_unit_test(test_barrier),
        cmocka_unit_test(test_ring_mapping_goes_round),
        cmocka_unit_test(test_process),
        cmocka_unit_test(test_lists_of_users),
        cmocka_unit_test(test_access_lists),
        cmocka_unit_test(test_children_left_behind_are_ended),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
