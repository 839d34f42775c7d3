/* Logs that are moved, removed and replaced under busy writers: what is sent then is in the file that stands at the path,
 * from the first message on. */
#include "transport/file/testing.h"

#include <dirent.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "os/futex.h"
#include "os/testing_filter.h"

enum { ROUNDS = 200, BURST = 30, THREADS = 3, WARM = 3000 };

/* ---- calls that tests may step into ---- */

static _Thread_local void (*before_read)(void), (*after_ioctl)(void);

static void step(void (**what)(void)) {
    void (*once)(void) = *what;
    *what = NULL;
    if (once)
        once();
}

ssize_t read(int fd, void *to, size_t size) {
    step(&before_read);
    return syscall(SYS_read, fd, to, size);
}

int ioctl(int fd, unsigned long request, ...) {
    va_list args;
    va_start(args, request);
    int status = (int)syscall(SYS_ioctl, fd, request, va_arg(args, void *));
    va_end(args);
    step(&after_ioctl);
    return status;
}

/* ---- counting ---- */

/* How many inotify instances this process has. */
static int instances_count(void) {
    char path[300], target[64];
    int count = 0;
    DIR *all = opendir("/proc/self/fd");
    assert_non_null(all);
    for (struct dirent *entry; (entry = readdir(all)) != NULL;) {
        snprintf(path, sizeof(path), "/proc/self/fd/%s", entry->d_name);
        ssize_t size = readlink(path, target, sizeof(target) - 1);
        target[size > 0 ? size : 0] = '\0';
        count += strstr(target, "inotify") != NULL;
    }
    closedir(all);
    return count;
}

static void instance_needed(void) {
    int fd = inotify_init1(IN_CLOEXEC);
    if (fd < 0) {
        print_message("skip: no inotify instance is left for this user\n");
        skip();
    }
    close(fd);
}

static void number_send(weir_writer *writer, int64_t number) {
    weir_error err = {0};
    if (send_number(writer, number, 10, &err) != WEIR_OK)
        fail_msg("%s: %s", weir_err_name(err.code), err.text);
}

/* Send until the writer is told what becomes of its file; *number: the last one sent. */
static void get_busy(weir_writer *writer, int instances, int64_t *number) {
    int64_t deadline = weir_deadline(60 * SECOND);
    while (instances_count() < instances && weir_deadline_left(deadline) > 0)
        for (int i = 0; i < 500; i++)
            number_send(writer, ++*number);
    assert_int_equal(instances_count(), instances);
}

/* The log at the path holds this message and no other. */
static void holds_only(const char *name, int64_t number) {
    weir_message *message = NULL;
    weir_reader *reader = reader_of(name, "?from=oldest&create=0");
    assert_int_equal(next_number(reader), number);
    assert_int_equal(weir_reader_next(reader, 0, &message, NULL), WEIR_ETIMEOUT);
    weir_reader_close(reader);
}

static void take_away(const char *name, int how) {
    switch (how % 4) {
    case 0: assert_int_equal(rename(path_of(name), path_of("elsewhere")), 0); break;
    case 1: assert_int_equal(unlink(path_of(name)), 0); break;
    case 2:
        file_write("fresh", "", O_TRUNC);
        assert_int_equal(rename(path_of("fresh"), path_of(name)), 0);
        break;
    default: /* two names for a while */
        unlink(path_of("second"));
        assert_int_equal(link(path_of(name), path_of("second")), 0);
        assert_int_equal(unlink(path_of(name)), 0);
    }
}

static void test_who_moves_it_sends_elsewhere(void **state) {
    (void)state;
    instance_needed();
    for (int e = 0; e < 2; e++) {
        char name[32];
        int64_t number = 0;
        snprintf(name, sizeof(name), "moved%s", extensions[e]);
        weir_writer *writer = writer_of(name, e ? "" : "?exclusive=1");
        get_busy(writer, 1, &number);
        for (int round = 0; round < ROUNDS; round++) {
            for (int i = 0; i < BURST; i++)
                number_send(writer, ++number);
            take_away(name, round);
            number_send(writer, ++number);
            holds_only(name, number);
        }
        assert_in_range(instances_count(), 0, 1);
        weir_writer_close(writer);
        assert_int_equal(instances_count(), 0);
    }
}

/* While there is no file at the path and none may be made, each send says so. */
static void test_none_may_be_made(void **state) {
    (void)state;
    instance_needed();
    int64_t number = 0;
    weir_error err = {0};
    weir_writer_close(writer_of("fixed.weir", ""));
    weir_writer *writer = writer_of("fixed.weir", "?create=0");
    get_busy(writer, 1, &number);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < BURST; i++)
            number_send(writer, ++number);
        off_t size = file_size("fixed.weir");
        assert_int_equal(rename(path_of("fixed.weir"), path_of("away.weir")), 0);
        for (int i = 0; i < 3; i++)
            assert_int_equal(send_number(writer, number + 1, 10, &err), WEIR_ENOENT);
        assert_int_equal(file_size("away.weir"), size);
        assert_int_equal(rename(path_of("away.weir"), path_of("fixed.weir")), 0);
        number_send(writer, ++number);
    }
    weir_writer_close(writer);
    assert_int_equal(instances_count(), 0);
}

/* Those of one process share what tells them. Who goes, or is left behind by fork, takes nothing from the others. */
static void test_several_are_told(void **state) {
    (void)state;
    instance_needed();
    int64_t number = 0;
    weir_writer *one = writer_of("shared.weir", ""), *two = writer_of("shared.weir", ""),
                *other = writer_of("other.weir", "");
    get_busy(one, 1, &number);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < 3 * BURST * 20 && (round == 0 || i < 3 * BURST); i++)
            number_send(i % 3 == 0 ? one : i % 3 == 1 ? two : other, ++number);
        pid_t child = round % 20 == 0 ? fork() : 0;
        if (round % 20 == 0 && child == 0) {
            weir_writer_close(one);
            weir_writer_close(other);
            _exit(instances_count());
        }
        int ended = 0;
        assert_true(child <= 0 || waitpid(child, &ended, 0) == child);
        assert_int_equal(ended, 0);
        take_away("shared.weir", round);
        number_send(round % 2 ? one : two, ++number);
        holds_only("shared.weir", number);
        number_send(round % 2 ? two : one, ++number);
        assert_int_equal(weir_writer_seq(round % 2 ? two : one), 2);
        assert_in_range(instances_count(), 0, 1);
    }
    weir_writer_close(one);
    for (int i = 0; i < BURST; i++)
        number_send(two, ++number);
    take_away("shared.weir", 0);
    number_send(two, ++number);
    holds_only("shared.weir", number);
    weir_writer_close(two);
    weir_writer_close(other);
    assert_int_equal(instances_count(), 0);
}

/* Writes large messages until it is killed, and so rotates every few of them. */
static void rotator_run(void) {
    weir_writer *writer = NULL;
    int status = weir_writer_open(address_of("turn.weir", "?rotate=64K&files=1000"), &writer, NULL);
    for (int64_t i = 0; status == WEIR_OK; i++)
        status = send_number(writer, -i - 1, 20000, NULL);
    _exit(1);
}

/* Others rotate the log of a busy writer, and are killed at it. None of his messages is passed over by who reads them all. */
static void test_who_rotates_is_killed(void **state) {
    (void)state;
    enum { KILLS = 30 };
    int64_t number = 0, seen = 0;
    weir_message *message = NULL;
    weir_writer *writer = writer_of("turn.weir", "?rotate=64K&files=1000");
    for (int kill_number = 0; kill_number < KILLS; kill_number++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            rotator_run();
        int64_t until = weir_deadline(kill_number % 12 * SECOND / 2000 + SECOND / 250);
        while (weir_deadline_left(until) > 0)
            number_send(writer, ++number);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
    }
    number_send(writer, ++number);
    weir_reader *reader = reader_of("turn.weir", "?from=oldest");
    while (weir_reader_next(reader, 0, &message, NULL) == WEIR_OK) {
        int64_t found = number_in(message);
        if (found > 0)
            assert_int_equal(found, ++seen);
    }
    assert_int_equal(seen, number);
    assert_int_equal(weir_reader_gaps(reader), 0);
    assert_int_equal(access(path_of("turn.weir.2"), F_OK), 0);
    assert_int_not_equal(access(path_of("turn.weir.1000"), F_OK), 0); /* nothing was thrown away */
    weir_reader_close(reader);
    weir_writer_close(writer);
}

/* That a folder above is another one now is seen a tick of the kernel's clock later. */
static void test_a_folder_is_moved(void **state) {
    (void)state;
    instance_needed();
    int64_t number = 0;
    assert_int_equal(mkdir(path_of("folder"), 0700), 0);
    weir_writer *writer = writer_of("folder/log.weir", "");
    get_busy(writer, 1, &number);
    assert_int_equal(rename(path_of("folder"), path_of("before")), 0);
    assert_int_equal(mkdir(path_of("folder"), 0700), 0);
    for (int64_t now = weir_clock_coarse(); weir_clock_coarse() == now;)
        usleep(1000);
    number_send(writer, ++number);
    holds_only("folder/log.weir", number);
    weir_writer_close(writer);
}

/* Where nobody can tell, each question says: look. */
static void test_nobody_tells(void **state) {
    (void)state;
    struct weir_moved moved = {0};
    assert_int_equal(weir_moved_watch(&moved, -1), 0);
    assert_int_equal(weir_moved_ask(&moved), 1);
    assert_int_equal(weir_moved_ask(&moved), 1);
    weir_moved_close(&moved);
    assert_int_equal(instances_count(), 0);
}

/* A notice that one takes off is one for all. */
static void test_a_notice_is_for_all(void **state) {
    (void)state;
    instance_needed();
    struct weir_moved all[3] = {{0}};
    const char *const names[] = {"a", "b", "a"};
    for (int i = 0; i < 3; i++) {
        int fd = open(path_of(names[i]), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        assert_int_equal(weir_moved_watch(&all[i], fd), 1);
        close(fd); /* it is the file that is watched */
        assert_int_equal(weir_moved_ask(&all[i]), 1);
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(weir_moved_ask(&all[i]), 0);
    assert_int_equal(rename(path_of("b"), path_of("c")), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(weir_moved_ask(&all[i]), 1);
        assert_int_equal(weir_moved_ask(&all[i]), 0);
    }
    weir_moved_forget(&all[0]);
    assert_int_equal(weir_moved_ask(&all[0]), 1);
    file_write("a", "what is written is no news", 0);
    assert_int_equal(weir_moved_ask(&all[2]), 0);
    assert_int_equal(unlink(path_of("a")), 0);
    assert_int_equal(weir_moved_ask(&all[2]), 1);
    for (int i = 0; i < 3; i++)
        weir_moved_close(&all[i]);
    assert_int_equal(instances_count(), 0);
}

/* One who takes notices off stands still in the middle of it. Meanwhile another asks, looks, and has his file moved: that
 * notice goes with those before it, and must be seen. */
static struct weir_moved takers_file, askers_file;
static pthread_t taker;
static sem_t has_begun, may_go_on;

static void taker_waits(void) {
    sem_post(&has_begun);
    sem_wait(&may_go_on);
}

static void *taker_run(void *argument) {
    before_read = taker_waits;
    (void)weir_moved_ask(&takers_file);
    return argument;
}

static void notice_comes(void) {
    int failed = rename(path_of("a"), path_of("b"));
    failed |= pthread_create(&taker, NULL, taker_run, NULL);
    assert_int_equal(failed, 0);
    sem_wait(&has_begun);
}

static void test_two_take_notices_off(void **state) {
    (void)state;
    instance_needed();
    sem_init(&has_begun, 0, 0);
    sem_init(&may_go_on, 0, 0);
    struct weir_moved *const all[] = {&takers_file, &askers_file};
    const char *const names[] = {"a", "c"};
    for (int i = 0; i < 2; i++) {
        int fd = open(path_of(names[i]), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        assert_int_equal(weir_moved_watch(all[i], fd), 1);
        close(fd);
        assert_int_equal(weir_moved_ask(all[i]), 1);
        assert_int_equal(weir_moved_ask(all[i]), 0);
    }
    after_ioctl = notice_comes; /* between our question and the kernel's answer */
    (void)weir_moved_ask(&askers_file);
    assert_int_equal(rename(path_of("c"), path_of("d")), 0);
    sem_post(&may_go_on);
    assert_int_equal(pthread_join(taker, NULL), 0);
    assert_int_equal(weir_moved_ask(&askers_file), 1);
    assert_int_equal(weir_moved_ask(&askers_file), 0);
    weir_moved_close(&takers_file);
    weir_moved_close(&askers_file);
    sem_destroy(&has_begun);
    sem_destroy(&may_go_on);
    assert_int_equal(instances_count(), 0);
}

/* ---- fork in other threads ---- */

/* What every end does when it closes, also one that has never had anything here. */
static void end_closes(void) {
    struct weir_moved moved = {0};
    struct weir_lease lease = {.fd = -1};
    weir_moved_forget(&moved);
    weir_moved_close(&moved);
    weir_lease_abandon(&lease);
}

static _Atomic int must_end;

static void *closer_run(void *argument) {
    while (!must_end)
        end_closes();
    return argument;
}

/* A child never waits for a thread that is not there. The first test: the handlers of fork, once there, stay. */
static void test_fork_while_others_close(void **state) {
    (void)state;
    enum { FORKS = 300 };
    pthread_t closer;
#if WEIR_THREAD_SANITIZER
    end_closes(); /* its pthread_once, unlike glibc's, lets a child wait for a thread that was in it at the fork */
#endif
    assert_int_equal(pthread_create(&closer, NULL, closer_run, NULL), 0);
    for (int i = 0; i < FORKS; i++) {
        int ended = 0;
        pid_t child = fork();
        if (child == 0) {
            alarm(30);
            end_closes();
            _exit(0);
        }
        assert_int_equal(waitpid(child, &ended, 0), child);
        assert_int_equal(ended, 0);
    }
    must_end = 1;
    assert_int_equal(pthread_join(closer, NULL), 0);
}

/* ---- without asserts: in threads, and in children ---- */

/* Make the log go and send, again and again. Return: in how many rounds the message was not at the path. */
static int stray_count(weir_writer *writer, const char *name) {
    char path[128], aside[160];
    struct stat about;
    int strays = 0;
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    snprintf(aside, sizeof(aside), "%s.aside", path);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < (round ? BURST : WARM); i++)
            strays += send_number(writer, i, 10, NULL) != WEIR_OK;
        strays += (round % 2 ? unlink(path) : rename(path, aside)) != 0;
        strays += send_number(writer, round, 10, NULL) != WEIR_OK;
        strays += stat(path, &about) != 0 || about.st_size <= WEIR_LOG_HEADER_SIZE || about.st_size > 1024;
    }
    return strays;
}

struct job {
    char name[32];
    weir_writer *writer;
    int strays;
};

static void *job_run(void *argument) {
    struct job *job = argument;
    job->strays = stray_count(job->writer, job->name);
    return NULL;
}

/* Each takes off the notices of the others, too. */
static void test_threads(void **state) {
    (void)state;
    struct job jobs[THREADS] = {0};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        snprintf(jobs[i].name, sizeof(jobs[i].name), "thread%d.weir", i);
        jobs[i].writer = writer_of(jobs[i].name, "");
        assert_int_equal(pthread_create(&threads[i], NULL, job_run, &jobs[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(jobs[i].strays, 0);
        weir_writer_close(jobs[i].writer);
    }
    assert_int_equal(instances_count(), 0);
}

/* Whatever the kernel refuses of what moved.c asks for, the log is found where it is. */
static void test_the_kernel_refuses(void **state) {
    (void)state;
    static const struct {
        uint32_t call, reason;
    } refused[] = {{SYS_inotify_init1, EMFILE},
                   {SYS_inotify_add_watch, ENOSPC},
                   {SYS_inotify_rm_watch, EINVAL},
                   {SYS_ioctl, EINTR},
                   {SYS_read, EIO}};
    enum { CANNOT = 255, STRAYS_MAX = 200 };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        int status = 0;
        weir_writer *writer = writer_of("refused.weir", "");
        weir_writer_close(writer);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            if (!testing_call_refuse(refused[i].call, refused[i].reason))
                _exit(CANNOT);
            int is_open = weir_writer_open(address_of("refused.weir", ""), &writer, NULL) == WEIR_OK;
            int strays = is_open ? stray_count(writer, "refused.weir") : 1;
            _exit(strays < STRAYS_MAX ? strays : STRAYS_MAX);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT) {
            print_message("skip: the kernel takes no seccomp filter here\n");
            skip();
        }
        assert_int_equal(status, 0);
    }
}

/* Emptied, and longer again than a reader has read before he looks: his place is in another log now, which he begins. */
static void test_a_reader_of_a_log_begun_anew(void **state) {
    (void)state;
    static const int counts[] = {1, 3, 40, 400};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        weir_writer *writer = writer_of("anew.weir", "");
        weir_reader *reader = reader_of("anew.weir", "?from=oldest");
        for (int64_t n = 1; n <= 3; n++)
            assert_int_equal(send_number(writer, n, 500, NULL), WEIR_OK);
        for (int64_t n = 1; n <= 3; n++)
            assert_int_equal(next_number(reader), n);
        assert_int_equal(truncate(path_of("anew.weir"), 0), 0);
        for (int64_t n = 4; n < 4 + counts[i]; n++)
            assert_int_equal(send_number(writer, n, 1700, NULL), WEIR_OK);
        for (int64_t n = 4; n < 4 + counts[i]; n++)
            assert_int_equal(next_number(reader), n);
        assert_int_equal(weir_reader_gaps(reader), 0);
        weir_reader_close(reader);
        weir_writer_close(writer);
        unlink(path_of("anew.weir"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_fork_while_others_close),
        TEST(test_who_moves_it_sends_elsewhere),
        TEST(test_none_may_be_made),
        TEST(test_several_are_told),
        TEST(test_who_rotates_is_killed),
        TEST(test_a_folder_is_moved),
        TEST(test_nobody_tells),
        TEST(test_two_take_notices_off),
        TEST(test_a_notice_is_for_all),
        TEST(test_threads),
        TEST(test_the_kernel_refuses),
        TEST(test_a_reader_of_a_log_begun_anew),
    };
    return cmocka_run_group_tests_name("moved", tests, NULL, NULL);
}
