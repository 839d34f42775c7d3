/* Ends that come, go, fork, or run out of something at a bad moment. The moments are brought about from inside: by
 * operations of the backing that do something else first, or fail once, and by limits of the process.
 *
 * What must stay true: every wait here ends by itself only after many seconds, so that a loaded machine fails nothing,
 * and a child that waits ends when its parent does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <weir/weir.h>

#include "channel/end.h"
#include "channel/testing.h"
#include "os/testing.h"
#include "os/testing_filter.h"
#include "transport/shm/end.h"
#include "transport/shm/sealed.h"

#define SECOND INT64_C(1000000000)
enum { CANNOT = 77, WRONG = 78 };

/* ---- the scratch place ---- */

static int setup(void **state) {
    (void)state;
    alarm(120); /* who is stuck is ended */
    return testing_store_make();
}

static int teardown(void **state) {
    (void)state;
    int children = testing_children_end();
    alarm(0);
    return testing_store_remove() || children ? -1 : 0;
}

static weir_writer *writer_of(const char *address) {
    weir_writer *writer = NULL;
    weir_error err = {0};
    if (weir_writer_open(address, &writer, &err) != WEIR_OK)
        fail_msg("%s", err.text);
    return writer;
}

static weir_reader *reader_of(const char *address) {
    weir_reader *reader = NULL;
    weir_error err = {0};
    if (weir_reader_open(address, &reader, &err) != WEIR_OK)
        fail_msg("%s", err.text);
    return reader;
}

static struct shm *of_writer(const weir_writer *writer) {
    return (struct shm *)writer->end.state;
}

static struct shm *of_reader(const weir_reader *reader) {
    return (struct shm *)reader->end.state;
}

/* A message of @size bytes that begins with @number. */
static int send_number(weir_writer *writer, uint64_t number, size_t size) {
    unsigned char *bytes = calloc(1, size);
    assert_non_null(bytes);
    memcpy(bytes, &number, sizeof(number));
    int status = weir_writer_send_bytes(writer, NULL, NULL, WEIR_CODEC_RAW, NULL, bytes, size, NULL);
    free(bytes);
    return status;
}

static uint64_t number_of(const weir_message *message) {
    uint64_t number = UINT64_MAX;
    weir_view data = weir_message_bytes(message);
    if (data.size >= sizeof(number))
        memcpy(&number, data.data, sizeof(number));
    return number;
}

static uint64_t next_number(weir_reader *reader) {
    weir_message *message;
    int status = weir_reader_next(reader, 20 * SECOND, &message, NULL);
    if (status)
        fail_msg("no message comes: %s", weir_err_text(status));
    return number_of(message);
}

static uint64_t latest_number(const char *address) {
    weir_message *message = NULL;
    if (weir_latest(address, &message, NULL) != WEIR_OK)
        return 0;
    uint64_t number = number_of(message);
    weir_message_free(message);
    return number;
}

/* A child of fork that does nothing and lives until it is ended. */
static pid_t child_idle(void) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    return child;
}

static void child_end(pid_t child) {
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

/* Run @run in a child, and pass what it returns; CANNOT is a skip, with @why. */
static void in_child(int (*run)(void), const char *why) {
    int status = 0;
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(60);
        _exit(run());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT) {
        print_message("skip: %s\n", why);
        skip();
    }
    assert_int_equal(status, 0);
}

/* ---- going ---- */

static const struct weir_backing_ops *real;
static const char *visited;

/* Between the look at keep and the leaving: somebody comes, sends, and goes. */
static void leave_late(struct weir_backing *backing, int must_go) {
    weir_writer *writer = writer_of(visited);
    assert_int_equal(send_number(writer, 7, 64), WEIR_OK);
    weir_writer_close(writer);
    backing->ops = real;
    real->leave(backing, must_go);
}

static void leave_race(const char *address) {
    weir_reader *reader = reader_of(address);
    struct weir_backing *backing = &of_reader(reader)->channel.backing;
    struct weir_backing_ops late = *backing->ops;
    real = backing->ops;
    visited = address;
    late.leave = leave_late;
    backing->ops = &late;
    weir_reader_close(reader);
    assert_int_equal(latest_number(address), 7);
}

static void test_who_leaves_asks_again_who_keeps_it(void **state) {
    (void)state;
    char address[40];
    leave_race("shm://a");
    snprintf(address, sizeof(address), "sysv://%u", 0x40000000u + (unsigned)getpid());
    leave_race(address);
    weir_writer_close(writer_of(strcat(address, "?keep=0"))); /* and so it goes: it is in no store of ours */
}

/* ---- fork ---- */

/* What a forked child has open as well is given back by an orderly close. */
static void test_what_a_child_has_too_is_given_back(void **state) {
    (void)state;
    weir_server *server = NULL;
    weir_error err = {0};
    weir_writer *writer = writer_of("shm://a?exclusive=1");
    assert_int_equal(weir_server_open("shm://b", &server, NULL), WEIR_OK);
    weir_reader *reader = reader_of("shm://c?keep=0");
    pid_t child = child_idle();
    weir_writer_close(writer);
    weir_server_close(server);
    weir_reader_close(reader);
    assert_int_equal(weir_writer_open("shm://a?exclusive=1", &writer, &err), WEIR_OK);
    weir_writer_close(writer);
    assert_int_equal(weir_server_open("shm://b", &server, &err), WEIR_OK);
    weir_server_close(server);
    assert_int_equal(weir_reader_open("shm://c?create=0", &reader, NULL), WEIR_ENOENT);
    child_end(child);
}

/* The connections of a sealed channel, too: who has closed holds no writer back. */
static void test_a_sealed_reader_that_a_child_has_too(void **state) {
    (void)state;
    weir_writer *writer = writer_of("shm://a?sealed=1&capacity=64K&timeout=20s");
    weir_reader *reader = reader_of("shm://a?sealed=1");
    assert_int_equal(send_number(writer, 1, 64), WEIR_OK);
    assert_int_equal(next_number(reader), 1);
    pid_t child = child_idle();
    weir_reader_close(reader);
    for (uint64_t i = 0; i < 200; i++)
        assert_int_equal(send_number(writer, i, 1024), WEIR_OK);
    weir_writer_close(writer);
    child_end(child);
}

static pid_t cleaned_child;

static int clean_and_fork(const char *path, const char *what, uint64_t size, void *user) {
    (void)path, (void)what, (void)size, (void)user;
    cleaned_child = child_idle();
    return WEIR_OK;
}

/* A child that is forked while another thread cleans lives on with the lock that was taken for it. */
static void test_a_child_of_who_cleans(void **state) {
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        weir_reader *reader = NULL;
        int status = weir_reader_open("shm://a?keep=0", &reader, NULL);
        _exit(status); /* without going */
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    cleaned_child = -1;
    assert_int_equal(weir_transport_shm.clean(1, clean_and_fork, NULL, NULL), WEIR_OK);
    assert_true(cleaned_child > 0);
    weir_reader_close(reader_of("shm://a?keep=0"));
    child_end(cleaned_child);
}

/* ---- out of descriptors, memory, locks ---- */

/* Of the descriptors that are free we may have only the lowest @count. */
static struct rlimit descriptors_end(unsigned count) {
    struct rlimit before, now;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int lowest = dup(0);
    assert_true(lowest >= 0);
    close(lowest);
    now = (struct rlimit){(rlim_t)lowest + count, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
    return before;
}

/* A writer that could not tell the descriptor of a reader does so after its next message. */
static void test_a_descriptor_that_could_not_be_told(void **state) {
    (void)state;
    weir_message *message;
    weir_writer *writer = writer_of("shm://a?keep=0");
    weir_reader *reader = reader_of("shm://a?keep=0");
    struct pollfd poll_it = {.events = POLLIN};
    assert_int_equal(weir_reader_fd(reader, &poll_it.fd, NULL), WEIR_OK);
    assert_int_equal(weir_reader_next(reader, 0, &message, NULL), WEIR_ETIMEOUT);
    assert_int_equal(poll(&poll_it, 1, 0), 0);
    struct rlimit before = descriptors_end(0);
    assert_int_equal(send_number(writer, 1, 64), WEIR_OK);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(send_number(writer, 2, 64), WEIR_OK);
    assert_int_equal(poll(&poll_it, 1, 20000), 1);
    assert_int_equal(next_number(reader), 1);
    assert_int_equal(next_number(reader), 2);
    weir_reader_close(reader);
    weir_writer_close(writer);
}

static unsigned opens_left;
static unsigned opens_failed;

/* The opens_left-th open of a part fails, once. */
static int part_open_failing(const struct weir_backing *backing, struct weir_part_id id, int may_write,
                             struct weir_part *ret) {
    if (opens_left == 0 || --opens_left > 0)
        return real->part_open(backing, id, may_write, ret);
    opens_failed++;
    errno = ENFILE;
    return WEIR_ESYSTEM;
}

static struct weir_backing_ops failing_from(weir_reader *reader) {
    real = of_reader(reader)->channel.backing.ops;
    struct weir_backing_ops failing = *real;
    failing.part_open = part_open_failing;
    return failing;
}

/* A lane that cannot be opened whole at this moment is read whole later. */
static void test_a_lane_that_cannot_be_opened_now(void **state) {
    (void)state;
    for (unsigned at = 1; at < 20; at++) {
        weir_reader *reader = reader_of("shm://a?keep=0");
        weir_writer *writer = writer_of("shm://a?keep=0&capacity=64K");
        for (uint64_t i = 1; i <= 3; i++)
            assert_int_equal(send_number(writer, i, 100 + (UINT64_C(1) << (14 + i))), WEIR_OK);
        assert_true(of_writer(writer)->lane.segment.generation > 1);
        struct weir_backing_ops failing = failing_from(reader);
        of_reader(reader)->channel.backing.ops = &failing;
        opens_failed = 0;
        opens_left = at;
        weir_message *message;
        for (uint64_t i = 1; i <= 3;) {
            int status = weir_reader_next(reader, 20 * SECOND, &message, NULL);
            if (status == WEIR_OK)
                assert_int_equal(number_of(message), i++);
            else
                assert_int_equal(status, WEIR_ESYSTEM);
        }
        assert_int_equal(weir_reader_gaps(reader), 0);
        of_reader(reader)->channel.backing.ops = real;
        weir_reader_close(reader);
        weir_writer_close(writer);
        if (!opens_failed)
            break;
    }
    assert_int_equal(opens_failed, 0);
}

/* A way to the newest message that fails half way leaves the reader where messages come. */
static void test_a_seek_that_fails_half_way(void **state) {
    (void)state;
    for (unsigned at = 1; at < 20; at++) {
        weir_message *message;
        weir_reader *reader = reader_of("shm://a?keep=0");
        weir_writer *writer = writer_of("shm://a?keep=0&capacity=64K");
        void *room;
        size_t size;
        for (uint64_t i = 1; i <= 3; i++)
            assert_int_equal(send_number(writer, i, 640), WEIR_OK);
        assert_int_equal(next_number(reader), 1);
        assert_int_equal(weir_writer_reserve(writer, NULL, NULL, "u8[100000]", &room, &size, NULL), WEIR_OK);
        weir_writer_discard(writer); /* the lane has grown, and has nothing in its new segment */
        struct weir_backing_ops failing = failing_from(reader);
        of_reader(reader)->channel.backing.ops = &failing;
        opens_failed = 0;
        opens_left = at;
        int status = weir_reader_latest(reader, &message, NULL);
        assert_int_equal(status, opens_failed ? WEIR_ESYSTEM : WEIR_OK);
        opens_left = 0;
        assert_int_equal(send_number(writer, 4, 640), WEIR_OK);
        for (uint64_t last = 0, next; last != 4; last = next) {
            next = next_number(reader);
            assert_in_range(next, last + 1, 4);
        }
        of_reader(reader)->channel.backing.ops = real;
        weir_reader_close(reader);
        weir_writer_close(writer);
        if (!opens_failed)
            break;
    }
    assert_int_equal(opens_failed, 0);
}

static int poll_without_barriers(void) {
    static const char *const addresses[] = {"shm://a", "shm://b?sealed=1"};
    weir_message *message;
    if (!testing_call_refuse(SYS_membarrier, EPERM))
        return CANNOT;
    for (size_t i = 0; i < 2; i++) {
        weir_reader *reader = reader_of(addresses[i]);
        struct pollfd poll_it = {.events = POLLIN};
        if (weir_reader_fd(reader, &poll_it.fd, NULL) != WEIR_OK)
            return WRONG;
        for (int looks = 0; looks < 3; looks++) /* nothing comes, and yet it is told to look */
            if (weir_reader_next(reader, 0, &message, NULL) != WEIR_ETIMEOUT || poll(&poll_it, 1, 20000) != 1)
                return WRONG + 1;
        weir_writer *writer = writer_of(addresses[i]);
        if (send_number(writer, 4, 64) != WEIR_OK || next_number(reader) != 4)
            return WRONG + 2;
        weir_writer_close(writer);
        weir_reader_close(reader);
    }
    return 0;
}

/* A reader whose barrier no writer sees might be missed: its descriptor goes by the clock. */
static void test_a_descriptor_without_barriers(void **state) {
    (void)state;
    in_child(poll_without_barriers, "the kernel takes no seccomp filter here");
}

/* From here on OFD locks cannot be set. */
static int locks_end(void) {
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fcntl, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, F_OFD_SETLK, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOLCK),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    return testing_filter(steps, sizeof(steps) / sizeof(steps[0]));
}

static int open_without_locks(void) {
    weir_reader *reader = NULL;
    weir_error err = {0};
    if (!locks_end())
        return CANNOT;
    int status = weir_reader_open("shm://a", &reader, &err);
    return status == WEIR_ESYSTEM && err.sys_errno == ENOLCK ? 0 : WRONG;
}

/* Where nothing can be locked, that is what is told: nobody is taking anything away. */
static void test_no_locks_are_told(void **state) {
    (void)state;
    weir_writer *writer = writer_of("shm://a");
    in_child(open_without_locks, "the kernel takes no seccomp filter here");
    weir_writer_close(writer);
}

static int observe_read_only(void) {
    const char *base = getenv("WEIR_SHM_DIR");
    weir_reader *reader = NULL;
    weir_message *message;
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount(base, base, NULL, MS_BIND, NULL) != 0 ||
        mount(NULL, base, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) != 0)
        return CANNOT;
    if (weir_reader_open("shm://a?observe=1&from=last", &reader, NULL) != WEIR_OK)
        return WRONG;
    return weir_reader_next(reader, 20 * SECOND, &message, NULL) == WEIR_OK && number_of(message) == 5 ? 0 : WRONG + 1;
}

/* A store that is mounted read-only, as in a container, can be observed. */
static void test_a_store_that_is_read_only(void **state) {
    (void)state;
    weir_writer *writer = writer_of("shm://a");
    assert_int_equal(send_number(writer, 5, 64), WEIR_OK);
    in_child(observe_read_only, "nothing can be mounted here");
    weir_writer_close(writer);
}

/* ---- sealed channels whose writers come again ---- */

static void writers_come(const char *address, int count) {
    weir_reader *reader = reader_of(address);
    for (int i = 0; i < count; i++) {
        weir_writer *writer = writer_of(address);
        assert_int_equal(weir_writer_wait_readers(writer, i < WEIR_SHM_LANES ? 1 : 0, 20 * SECOND, NULL), WEIR_OK);
        assert_int_equal(send_number(writer, (uint64_t)i, 64), WEIR_OK);
        if (i + 1 < count) {
            weir_writer_close(writer);
            continue;
        }
        for (int j = 0; j < count; j++) /* the last one stays, until all is read */
            assert_int_equal(next_number(reader), j);
        weir_writer_close(writer);
    }
    weir_reader_close(reader);
}

/* As many have gone, unread, as there are places; the next one is joined when there is one again. */
static void test_more_writers_than_places(void **state) {
    (void)state;
    writers_come("shm://a?sealed=1&capacity=64K", WEIR_SHM_LANES + 1);
}

/* On a disk a new socket mostly has the inode of the one that is just gone. */
static void test_a_socket_with_an_inode_that_comes_again(void **state) {
    (void)state;
    char before[128], directory[] = "/var/tmp/weir-moment-XXXXXX", command[96];
    snprintf(before, sizeof(before), "%s", getenv("WEIR_SHM_DIR"));
    assert_non_null(mkdtemp(directory));
    setenv("WEIR_SHM_DIR", directory, 1);
    weir_reader *reader = reader_of("shm://a?sealed=1");
    for (uint64_t i = 0; i < 10; i++) {
        weir_writer *writer = writer_of("shm://a?sealed=1&capacity=64K");
        assert_int_equal(weir_writer_wait_readers(writer, 1, 20 * SECOND, NULL), WEIR_OK);
        assert_int_equal(send_number(writer, 2 * i, 64), WEIR_OK);
        weir_writer_close(writer);
        writer = writer_of("shm://a?sealed=1&capacity=64K");
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL); /* the reader's thread has looked, and sleeps again */
        assert_int_equal(next_number(reader), 2 * i);
        assert_int_equal(send_number(writer, 2 * i + 1, 64), WEIR_OK);
        assert_int_equal(next_number(reader), 2 * i + 1);
        weir_writer_close(writer);
    }
    weir_reader_close(reader);
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    assert_int_equal(system(command), 0);
    setenv("WEIR_SHM_DIR", before, 1);
}

static void wait_for(int fd) {
    char byte;
    assert_int_equal(read(fd, &byte, 1), 1);
}

static void tell(int fd) {
    assert_int_equal(write(fd, "", 1), 1);
}

/* A writer in a child that says when it is open, and sends when it is told to. @spare: so many descriptors it has until
 * then. */
static pid_t writer_beside(int says[2], int hears[2], int spare) {
    assert_true(pipe(says) == 0 && pipe(hears) == 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child != 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct rlimit before;
    if (spare < 0)
        wait_for(hears[0]);
    weir_writer *writer = writer_of("shm://a?sealed=1");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    if (spare >= 0)
        descriptors_end((unsigned)spare);
    tell(says[1]);
    wait_for(hears[0]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(send_number(writer, 9, 64), WEIR_OK);
    for (;;)
        pause();
}

static void writer_beside_end(pid_t child, int says[2], int hears[2]) {
    child_end(child);
    close(says[0]), close(says[1]), close(hears[0]), close(hears[1]);
}

/* Who has no descriptor for a reader at this moment refuses it, and lets it in when it comes again. */
static void test_a_writer_that_has_no_descriptor_now(void **state) {
    (void)state;
    int says[2], hears[2];
    pid_t child = writer_beside(says, hears, 1); /* for the connection, and none for the page */
    wait_for(says[0]);
    weir_writer *writer = writer_of("shm://a?sealed=1");
    weir_reader *reader = reader_of("shm://a?sealed=1");
    assert_int_equal(send_number(writer, 8, 64), WEIR_OK);
    assert_int_equal(next_number(reader), 8);
    tell(hears[1]);
    assert_int_equal(next_number(reader), 9);
    weir_reader_close(reader);
    weir_writer_close(writer);
    writer_beside_end(child, says, hears);
}

/* Nor does a reader that has none for what it is given believe that it was given nothing. */
static void test_a_reader_that_has_no_descriptor_now(void **state) {
    (void)state;
    int says[2], hears[2];
    pid_t child = writer_beside(says, hears, -1);
    weir_reader *reader = reader_of("shm://a?sealed=1");
    struct rlimit before = descriptors_end(1);
    tell(hears[1]);
    wait_for(says[0]);
    nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL); /* so that it has been asked, and answered */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    tell(hears[1]);
    assert_int_equal(next_number(reader), 9);
    weir_reader_close(reader);
    writer_beside_end(child, says, hears);
}

static size_t size_refused; /* a calloc of so many bytes fails */
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size) {
    return size_refused && count * size == size_refused ? NULL : __real_calloc(count, size);
}

/* What was not opened yet is not closed: zeros are descriptors, too. */
static void test_no_memory_for_a_sealed_end(void **state) {
    (void)state;
    weir_reader *reader = NULL;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), stdin_before = fcntl(0, F_DUPFD_CLOEXEC, 3);
    assert_int_equal(dup2(fd, 0), 0);
    size_refused = sizeof(struct weir_sealed);
    int status = weir_reader_open("shm://a?sealed=1", &reader, NULL);
    size_refused = 0;
    int is_open = fcntl(0, F_GETFD) >= 0;
    if (stdin_before >= 0)
        dup2(stdin_before, 0);
    close(stdin_before);
    close(fd);
    assert_int_equal(status, WEIR_ENOMEM);
    assert_true(is_open);
}

static int sealed_with_few_descriptors(void) {
    struct timespec time;
    if (setrlimit(RLIMIT_NOFILE, &(struct rlimit){64, 64}) != 0)
        return CANNOT;
    weir_reader *reader = reader_of("shm://a?sealed=1");
    weir_writer *writer = writer_of("shm://a?sealed=1&readers=1&timeout=20s");
    if (send_number(writer, 3, 64) != WEIR_OK || next_number(reader) != 3)
        return WRONG;
    nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    weir_writer_close(writer);
    weir_reader_close(reader);
    return time.tv_sec == 0 && time.tv_nsec < SECOND / 2 ? 0 : WRONG + 1;
}

/* The threads of sealed ends sleep in a process that may have only few descriptors, too. */
static void test_few_descriptors(void **state) {
    (void)state;
    in_child(sealed_with_few_descriptors, "descriptors cannot be limited here");
}

/* ---- sizes ---- */

static uint64_t addresses_used(void) {
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    assert_true(file && fscanf(file, "%lu", &pages) == 1);
    fclose(file);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int read_beside_a_giant(void) {
    weir_reader *reader = NULL;
    weir_message *message;
    rlim_t size = (rlim_t)addresses_used() + (UINT64_C(1) << 36);
    if (setrlimit(RLIMIT_AS, &(struct rlimit){size, size}) != 0)
        return CANNOT;
    if (weir_reader_open("shm://a?from=oldest", &reader, NULL) != WEIR_OK)
        return WRONG;
    int told = 0, status;
    while ((status = weir_reader_next(reader, 20 * SECOND, &message, NULL)) == WEIR_ECORRUPT)
        told++;
    return status == WEIR_OK && number_of(message) == 1 && told <= 1 ? 0 : WRONG + 1;
}

/* A lane of another user that nobody can map keeps nobody from the others. */
static void test_a_lane_of_a_stranger_that_is_too_large(void **state) {
    (void)state;
    enum { STRANGER = 61003 };
    char path[200];
    const uint64_t capacity = WEIR_SHM_CAPACITY_MAX;
    weir_writer *writer = writer_of("shm://a?capacity=64K"), *other = writer_of("shm://a?capacity=64K");
    assert_int_equal(send_number(writer, 1, 64), WEIR_OK);
    uint64_t offset = (uint64_t)(of_writer(other)->lane.segment.ring - of_writer(other)->lane.segment.map);
    weir_writer_close(other);
    snprintf(path, sizeof(path), "%s/weir-%d/a/lane.1.1", getenv("WEIR_SHM_DIR"), (int)geteuid());
    if (chown(path, STRANGER, (gid_t)-1) != 0) {
        weir_writer_close(writer);
        print_message("skip: only root can give a file away\n");
        skip();
    }
    assert_int_equal(truncate(path, (off_t)(offset + capacity)), 0);
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, &capacity, 8, offsetof(struct weir_lane_header, capacity)), 8);
    close(fd);
    in_child(read_beside_a_giant, "addresses cannot be limited here");
    weir_writer_close(writer);
}

/* ---- the last segment there can be ---- */

/* Behind segment 2^32 - 1 would come one that says that there is no lane. */
static void test_a_lane_that_has_grown_as_often_as_it_can(void **state) {
    (void)state;
    char from[200], to[200];
    const uint32_t last = UINT32_MAX;
    weir_writer *writer = writer_of("shm://a?capacity=64K");
    assert_int_equal(send_number(writer, 1, 64), WEIR_OK);
    weir_writer_close(writer);
    snprintf(from, sizeof(from), "%s/weir-%d/a/lane.0.1", getenv("WEIR_SHM_DIR"), (int)geteuid());
    snprintf(to, sizeof(to), "%s/weir-%d/a/lane.0.%u", getenv("WEIR_SHM_DIR"), (int)geteuid(), last);
    assert_int_equal(rename(from, to), 0);
    int fd = open(to, O_WRONLY);
    assert_int_equal(pwrite(fd, &last, 4, offsetof(struct weir_lane_header, generation)), 4);
    close(fd);
    snprintf(to, sizeof(to), "%s/weir-%d/a/channel", getenv("WEIR_SHM_DIR"), (int)geteuid());
    fd = open(to, O_WRONLY);
    assert_int_equal(pwrite(fd, &last, 4, WEIR_SHM_PAGE + offsetof(struct weir_channel_page, generation)), 4);
    close(fd);
    weir_reader *reader = reader_of("shm://a?from=oldest");
    writer = writer_of("shm://a?capacity=64K");
    assert_int_equal(send_number(writer, 2, 100000), WEIR_OK);
    assert_int_equal(next_number(reader), 1);
    assert_int_equal(next_number(reader), 2);
    weir_writer_close(writer);
    weir_reader_close(reader);
}

int main(void) {
#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    static const struct CMUnitTest tests[] = {
        CASE(test_who_leaves_asks_again_who_keeps_it),
        CASE(test_what_a_child_has_too_is_given_back),
        CASE(test_a_sealed_reader_that_a_child_has_too),
        CASE(test_a_child_of_who_cleans),
        CASE(test_a_descriptor_that_could_not_be_told),
        CASE(test_a_descriptor_without_barriers),
        CASE(test_a_lane_that_cannot_be_opened_now),
        CASE(test_a_seek_that_fails_half_way),
        CASE(test_no_locks_are_told),
        CASE(test_a_store_that_is_read_only),
        CASE(test_more_writers_than_places),
        CASE(test_a_socket_with_an_inode_that_comes_again),
        CASE(test_a_writer_that_has_no_descriptor_now),
        CASE(test_a_reader_that_has_no_descriptor_now),
        CASE(test_no_memory_for_a_sealed_end),
        CASE(test_few_descriptors),
        CASE(test_a_lane_of_a_stranger_that_is_too_large),
        CASE(test_a_lane_that_has_grown_as_often_as_it_can),
    };
    if (getenv("WEIR_TEST_FILTER"))
        cmocka_set_test_filter(getenv("WEIR_TEST_FILTER"));
    return cmocka_run_group_tests_name("moments", tests, NULL, NULL);
}
