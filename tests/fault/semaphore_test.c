/* wait=sem: readers that sleep on POSIX semaphores in shared memory, when they are killed, stopped, lied to, or not
 * trusted.
 *
 * What a reader does is seen in the channel's `cursors` file (docs/spec/shm.md): bit 0 of `posting` is the reader in
 * slot 0. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <weir/weir.h>

#include "base/clock.h"
#include "os/semaphore.h"
#include "transport/shm/layout.h"

#define SLICE_NS (100 * INT64_C(1000000)) /* after which who sleeps on a semaphore looks by himself */
enum { ROUNDS = 400 };
static const int64_t LIMIT_NS = INT64_C(20000000000);

static char store[64];

static int setup(void **state) {
    (void)state;
    strcpy(store, "/dev/shm/weir-test-XXXXXX");
    return mkdtemp(store) && setenv("WEIR_SHM_DIR", store, 1) == 0 ? 0 : -1;
}

static int entry_remove(const char *path, const struct stat *info, int type, struct FTW *walk) {
    (void)info, (void)type, (void)walk;
    return remove(path);
}

static int teardown(void **state) {
    (void)state;
    return nftw(store, entry_remove, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- what the files say ---- */

static struct weir_cursors_head *cursors_map(void) {
    char path[128];
    snprintf(path, sizeof(path), "%s/weir-%u/lab~sem/cursors", store, (unsigned)geteuid());
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    void *map = mmap(NULL, WEIR_SHM_CURSORS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    assert_ptr_not_equal(map, MAP_FAILED);
    return map;
}

static struct weir_reader_slot *slot_of(struct weir_cursors_head *cursors, unsigned slot) {
    return (struct weir_reader_slot *)((unsigned char *)cursors + WEIR_SHM_PAGE + slot * WEIR_SHM_SLOT_SIZE);
}

static void nap(void) {
    nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
}

/* Wait until exactly the readers of @bits sleep on their semaphores. */
static void until_posting(struct weir_cursors_head *cursors, uint64_t bits) {
    int64_t deadline = weir_deadline(LIMIT_NS);
    while (atomic_load(&cursors->posting) != bits) {
        assert_true(weir_deadline_left(deadline) > 0);
        nap();
    }
}

/* ---- ends ---- */

static weir_writer *writer_open(const char *address) {
    weir_writer *writer = NULL;
    weir_error err = {0};
    if (weir_writer_open(address, &writer, &err) != WEIR_OK)
        fail_msg("%s", err.text);
    return writer;
}

static void number_send(weir_writer *writer, uint64_t number) {
    assert_int_equal(weir_writer_send_bytes(writer, NULL, NULL, WEIR_CODEC_RAW, "u64", &number, 8, NULL), WEIR_OK);
}

/* In children: expect 1, 2, 3 ... for ever. */
static int read_for_ever(const char *address) {
    weir_reader *reader = NULL;
    weir_message *message;
    if (weir_reader_open(address, &reader, NULL) != WEIR_OK)
        return 1;
    for (;;)
        if (weir_reader_next(reader, LIMIT_NS, &message, NULL) != WEIR_OK)
            return 2;
}

static pid_t reader_start(const char *address) {
    pid_t child = fork();
    if (child == 0)
        _exit(read_for_ever(address));
    assert_true(child > 0);
    return child;
}

static void reader_kill(pid_t child) {
    int status;
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* ---- tests ---- */

/* With slices of 100 ms alone each round would take that long. Posts end them in a fraction of it, unless the machine is
 * busy with other things, which it is not all the time. */
static void test_a_post_wakes(void **state) {
    (void)state;
    weir_writer *writer = writer_open("lab/sem");
    struct weir_cursors_head *cursors = cursors_map();
    pid_t child = reader_start("lab/sem?wait=sem");
    assert_int_equal(weir_writer_wait_readers(writer, 1, LIMIT_NS, NULL), WEIR_OK);
    assert_int_equal(atomic_load(&slot_of(cursors, 0)->semaphore_kind), weir_semaphore_kind());
    unsigned soon = 0;
    for (uint64_t i = 1; i <= ROUNDS; i++) {
        until_posting(cursors, 1);
        int64_t begin = weir_clock_monotonic();
        number_send(writer, i);
        int64_t deadline = weir_deadline(LIMIT_NS);
        while (atomic_load(&slot_of(cursors, 0)->cursor[0]) != i * 128) {
            assert_true(weir_deadline_left(deadline) > 0);
            nap();
        }
        soon += weir_clock_monotonic() - begin < SLICE_NS / 2;
    }
    assert_true(soon >= ROUNDS / 4);
    reader_kill(child);
    weir_writer_close(writer);
    munmap(cursors, WEIR_SHM_CURSORS_SIZE);
}

/* Killed while it sleeps, over and over; each successor moves into the same slot and is woken as if nothing had
 * been. */
static void test_killed_asleep(void **state) {
    (void)state;
    weir_writer *writer = writer_open("lab/sem?full=block&timeout=20s&capacity=64K");
    struct weir_cursors_head *cursors = cursors_map();
    for (uint64_t i = 1; i <= 20; i++) {
        pid_t child = reader_start("lab/sem?wait=sem");
        until_posting(cursors, 1);
        reader_kill(child);
        assert_int_equal(atomic_load(&cursors->posting), 1); /* what the dead leaves */
        for (int j = 0; j < 600; j++) /* more than the lane holds: the dead one's place is given away */
            number_send(writer, i);
        assert_int_equal(atomic_load(&cursors->posting), 0);
    }
    weir_reader *reader = NULL;
    weir_message *message;
    assert_int_equal(weir_reader_open("lab/sem?wait=sem", &reader, NULL), WEIR_OK);
    number_send(writer, 99);
    assert_int_equal(weir_reader_next(reader, LIMIT_NS, &message, NULL), WEIR_OK);
    weir_reader_close(reader);
    weir_writer_close(writer);
    munmap(cursors, WEIR_SHM_CURSORS_SIZE);
}

/* A stopped sleeper is posted once, however many messages come; when it goes on it finds them all. */
static void test_stopped_asleep(void **state) {
    (void)state;
    weir_writer *writer = writer_open("lab/sem");
    struct weir_cursors_head *cursors = cursors_map();
    pid_t stopped = reader_start("lab/sem?wait=sem");
    until_posting(cursors, 1);
    kill(stopped, SIGSTOP);
    pid_t other = reader_start("lab/sem?wait=sem"); /* its tickets make the writer post, also to the stopped one */
    for (uint64_t i = 1; i <= 200; i++) {
        until_posting(cursors, 3);
        number_send(writer, i);
    }
    int value = -1;
    assert_int_equal(sem_getvalue((sem_t *)slot_of(cursors, 0)->semaphore, &value), 0);
    assert_int_equal(value, 1);
    kill(stopped, SIGCONT);
    int64_t deadline = weir_deadline(LIMIT_NS);
    while (atomic_load(&slot_of(cursors, 0)->cursor[0]) != 200 * 128) {
        assert_true(weir_deadline_left(deadline) > 0);
        nap();
    }
    reader_kill(stopped);
    reader_kill(other);
    weir_writer_close(writer);
    munmap(cursors, WEIR_SHM_CURSORS_SIZE);
}

/* A semaphore of another C library is left alone; its reader finds the messages by itself. */
static void test_a_semaphore_of_another_kind(void **state) {
    (void)state;
    weir_writer *writer = writer_open("lab/sem");
    struct weir_cursors_head *cursors = cursors_map();
    struct weir_reader_slot *slot = slot_of(cursors, 5);
    atomic_store(&slot->semaphore_kind, 77);
    memset(slot->semaphore, 0xff, sizeof(slot->semaphore));
    for (uint64_t i = 1; i <= 10; i++) {
        atomic_fetch_or(&cursors->posting, 1 << 5);
        atomic_fetch_add(&cursors->ticket, 1);
        number_send(writer, i);
    }
    for (size_t i = 0; i < sizeof(slot->semaphore); i++)
        assert_int_equal(slot->semaphore[i], 0xff);
    weir_writer_close(writer);
    munmap(cursors, WEIR_SHM_CURSORS_SIZE);
}

/* Where others may write, a semaphore could be used against who waits on it: refused, and writers touch none. */
static void test_refused_where_others_may_write(void **state) {
    (void)state;
    weir_reader *reader = NULL;
    weir_error err = {0};
    weir_writer *writer = writer_open("lab/sem?mode=0660");
    assert_int_equal(weir_reader_open("lab/sem?wait=sem", &reader, &err), WEIR_ENOTSUP);
    assert_non_null(strstr(err.text, "wait=futex"));
    struct weir_cursors_head *cursors = cursors_map();
    struct weir_reader_slot *slot = slot_of(cursors, 5);
    atomic_store(&slot->semaphore_kind, weir_semaphore_kind());
    memset(slot->semaphore, 0xff, sizeof(slot->semaphore));
    memset(slot->semaphore, 0, 4); /* its value is 0, so a writer would post, and what "private" says would end it */
    atomic_fetch_or(&cursors->posting, 1 << 5);
    atomic_fetch_add(&cursors->ticket, 1);
    number_send(writer, 1);
    assert_int_equal(slot->semaphore[0], 0);
    assert_int_equal(weir_reader_open("lab/sem?from=oldest", &reader, &err), WEIR_OK);
    weir_message *message;
    assert_int_equal(weir_reader_next(reader, LIMIT_NS, &message, NULL), WEIR_OK);
    weir_reader_close(reader);
    weir_writer_close(writer);
    munmap(cursors, WEIR_SHM_CURSORS_SIZE);
}

/* Readers that sleep in different ways are woken by the same message. */
static void test_beside_other_ways_to_wait(void **state) {
    (void)state;
    static const char *const addresses[] = {"lab/sem?wait=sem", "lab/sem", "lab/sem?wait=poll",
                                            "lab/sem?wait=sem&observe=1"};
    enum { COUNT = sizeof(addresses) / sizeof(addresses[0]) };
    pid_t children[COUNT];
    weir_writer *writer = writer_open("lab/sem");
    struct weir_cursors_head *cursors = cursors_map();
    for (int i = 0; i < COUNT; i++)
        children[i] = reader_start(addresses[i]);
    assert_int_equal(weir_writer_wait_readers(writer, 3, LIMIT_NS, NULL), WEIR_OK);
    for (uint64_t i = 1; i <= 50; i++)
        number_send(writer, i);
    int64_t deadline = weir_deadline(LIMIT_NS);
    for (unsigned slot = 0; slot < WEIR_SHM_SLOTS; slot++)
        while (atomic_load(&slot_of(cursors, slot)->flags) & WEIR_SLOT_HOLDING &&
               atomic_load(&slot_of(cursors, slot)->cursor[0]) != 50 * 128) {
            assert_true(weir_deadline_left(deadline) > 0);
            nap();
        }
    for (int i = 0; i < COUNT; i++)
        reader_kill(children[i]);
    weir_writer_close(writer);
    munmap(cursors, WEIR_SHM_CURSORS_SIZE);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_post_wakes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed_asleep, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stopped_asleep, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_semaphore_of_another_kind, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_where_others_may_write, setup, teardown),
        cmocka_unit_test_setup_teardown(test_beside_other_ways_to_wait, setup, teardown),
    };
    return cmocka_run_group_tests_name("semaphore", tests, NULL, NULL);
}
