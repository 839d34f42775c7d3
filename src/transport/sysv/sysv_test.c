/* System V channels: kills, what the dead leave, other programs and users under the same key, and the kernel's limits.
 *
 * Keys are random, and where we may, the tests have a namespace of System V names of their own. Each test checks that
 * nothing of it is left. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <inttypes.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <weir/weir.h>

#include "channel/address.h"
#include "transport/sysv/sysv.h"

enum { KILLS = 150, STRANGER = 12345, FRIEND_GROUP = 23456, OTHER_GROUP = 23457, NOT = 77 };
#define SECOND INT64_C(1000000000)

static char store[64];
static uint32_t key;
static int is_isolated;

/* ---- the scratch place ---- */

static const char *address(const char *options) {
    static char buffers[8][160];
    static unsigned next;
    char *text = buffers[next++ % 8];
    snprintf(text, sizeof(buffers[0]), "sysv://0x%" PRIx32 "%s", key, options);
    return text;
}

/* Segments and sets that are there; in a namespace of our own, all are ours. Else those of a channel that we know. */
static int count_all(void) {
    struct weir_ipc_about about;
    int count = 0, index = 0, id;
    while (weir_ipc_next(WEIR_IPC_SHM, &index, &id, &about)) {
        struct weir_sysv_mark mark;
        int is_blank;
        count +=
            is_isolated || about.key == key || (weir_sysv_mark_read(id, &about, &mark, &is_blank) && mark.key == key);
    }
    for (index = 0; weir_ipc_next(WEIR_IPC_SEM, &index, &id, &about);)
        count += is_isolated || about.key == key;
    return count;
}

static int clean(int is_dry_run) {
    weir_doc *doc = NULL;
    assert_int_equal(weir_doc_new(&doc), WEIR_OK);
    assert_int_equal(weir_directory_clean(doc, is_dry_run, NULL), WEIR_OK);
    int count = (int)weir_value_count(weir_doc_root(doc));
    weir_doc_free(doc);
    return count;
}

static void key_remove(void) {
    int id = shmget((key_t)key, 0, 0);
    if (id >= 0)
        weir_ipc_remove(WEIR_IPC_SHM, id);
    id = semget((key_t)key, 0, 0);
    if (id >= 0)
        weir_ipc_remove(WEIR_IPC_SEM, id);
    clean(0);
}

static int group_setup(void **state) {
    (void)state;
    is_isolated = unshare(CLONE_NEWIPC) == 0;
    if (!is_isolated)
        print_message("no namespace for System V (%s): the machine's is used\n", strerror(errno));
    return 0;
}

static int setup(void **state) {
    (void)state;
    strcpy(store, "/dev/shm/weir-test-XXXXXX");
    if (!mkdtemp(store) || chmod(store, 01777) != 0 || setenv("WEIR_SHM_DIR", store, 1) != 0)
        return -1;
    return getrandom(&key, sizeof(key), 0) == sizeof(key) && (key |= 0x1000000) ? 0 : -1;
}

static int entry_remove(const char *path, const struct stat *info, int type, struct FTW *walk) {
    (void)info, (void)type, (void)walk;
    return remove(path);
}

static int teardown(void **state) {
    (void)state;
    key_remove();
    int left = count_all();
    if (left)
        fprintf(stderr, "%d things of System V are left\n", left);
    nftw(store, entry_remove, 16, FTW_DEPTH | FTW_PHYS);
    return left ? -1 : 0;
}

/* ---- ends ---- */

static weir_writer *writer_open(const char *where) {
    weir_writer *writer = NULL;
    weir_error err = {0};
    if (weir_writer_open(where, &writer, &err) != WEIR_OK)
        fail_msg("%s: %s", where, err.text);
    return writer;
}

static int send_text(weir_writer *writer, const char *op) {
    return weir_writer_send(writer, op, NULL, NULL, NULL);
}

static void refused(const char *where, int code, const char *sentence) {
    weir_writer *writer = NULL;
    weir_error err = {0};
    assert_int_equal(weir_writer_open(where, &writer, &err), code);
    if (!strstr(err.text, sentence))
        fail_msg("\"%s\" does not say \"%s\"", err.text, sentence);
}

static pid_t child_start(void (*run)(void)) {
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm(60);
        run();
        _exit(0);
    }
    return child;
}

static int child_status(pid_t child) {
    int status;
    while (waitpid(child, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    return status;
}

static void child_kill(pid_t child) {
    kill(child, SIGKILL);
    child_status(child);
}

/* Run as another user, without rights and groups but @gid. */
static uid_t child_uid;
static gid_t child_gid;
static void (*child_run)(void);
static void child_as(void) {
    if (setgroups(0, NULL) != 0 || setresgid(child_gid, child_gid, child_gid) != 0 ||
        setresuid(child_uid, child_uid, child_uid) != 0)
        _exit(NOT);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    child_run();
}

static pid_t start_as(uid_t uid, gid_t gid, void (*run)(void)) {
    child_uid = uid;
    child_gid = gid;
    child_run = run;
    return child_start(child_as);
}

static void run_as(uid_t uid, gid_t gid, void (*run)(void)) {
    int status = child_status(start_as(uid, gid, run));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("as user %u, group %u: line %d", (unsigned)uid, (unsigned)gid,
                 WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
}

/* In children: end with a number that tells where. */
#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);                             \
            _exit(1 + __LINE__ % 250);                                                                                 \
        }                                                                                                              \
    } while (0)

static int must_be_root(void) {
    if (geteuid() == 0)
        return 1;
    print_message("skip: only root can become other users\n");
    return 0;
}

/* ---- names ---- */

static void test_one_channel_by_many_spellings(void **state) {
    (void)state;
    static const char *const forms[] = {"sysv://0x5eed", "sysv://24301", "sysv://0X5EED", "sysv://00024301?keep=0"};
    for (size_t i = 0; i < 4; i++) {
        struct weir_place place;
        assert_int_equal(weir_address_parse(forms[i], &place, NULL), WEIR_OK);
        assert_string_equal(place.text, "sysv://0x5eed");
        assert_string_equal(place.name, "0x5eed");
    }
    static const char *const wrong[] = {"sysv://0",           "sysv://0x0",    "sysv://-1", "sysv://4294967296",
                                        "sysv://0x100000000", "sysv://lab",    "sysv://0x", "sysv://5/6",
                                        "sysv://~/5",         "sysv://~root/", "sysv://5 ", "sysv://~nobody-here/5"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct weir_place place;
        assert_int_equal(weir_address_parse(wrong[i], &place, NULL), WEIR_EADDRESS);
    }
}

/* ---- kills ---- */

static void open_and_close_for_ever(void) {
    for (int i = 0;; i++) {
        weir_writer *writer = NULL;
        if (weir_writer_open(address(i & 1 ? "?keep=0" : "?keep=0&capacity=64K&full=drop-oldest"), &writer, NULL) !=
            WEIR_OK)
            continue;
        send_text(writer, "x");
        weir_writer_close(writer);
    }
}

static void test_kills_at_any_moment_leave_nothing(void **state) {
    (void)state;
    unsigned random = key;
    for (int i = 0; i < KILLS; i++) {
        pid_t one = child_start(open_and_close_for_ever), two = i & 1 ? child_start(open_and_close_for_ever) : 0;
        random = random * 1103515245 + 12345;
        struct timespec nap = {.tv_nsec = (random >> 8) % 3000000};
        nanosleep(&nap, NULL);
        child_kill(one);
        if (two)
            child_kill(two);
        if (i % 3 == 0) { /* whatever they left, one can go on at once */
            weir_writer *writer = writer_open(address("?keep=0"));
            assert_int_equal(send_text(writer, "y"), WEIR_OK);
            weir_writer_close(writer);
        }
    }
    clean(0);
    assert_int_equal(count_all(), 0);
}

static int ready[2];
static void write_alone_and_rest(void) {
    weir_writer *writer = NULL;
    CHECK(weir_writer_open(address("?exclusive=1"), &writer, NULL) == WEIR_OK);
    CHECK(write(ready[1], "", 1) == 1);
    pause();
}

static void test_leases_come_back_at_once(void **state) {
    (void)state;
    char byte;
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    for (int i = 0; i < 20; i++) {
        pid_t child = child_start(write_alone_and_rest);
        assert_int_equal(read(ready[0], &byte, 1), 1);
        refused(address(""), WEIR_EBUSY, "exclusive=1");
        child_kill(child);
        weir_writer_close(writer_open(address("?exclusive=1")));
    }
    close(ready[0]);
    close(ready[1]);
}

static void test_two_ends_of_one_process_exclude_each_other(void **state) {
    (void)state;
    weir_writer *writer = writer_open(address("?exclusive=1"));
    refused(address(""), WEIR_EBUSY, "exclusive=1");
    refused(address("?exclusive=1"), WEIR_EBUSY, "somebody writes there already");
    weir_writer_close(writer);
    writer = writer_open(address(""));
    weir_writer *other = writer_open(address(""));
    refused(address("?exclusive=1"), WEIR_EBUSY, "somebody writes there already");
    weir_writer_close(other);
    weir_writer_close(writer);
    writer = writer_open(address("?exclusive=1"));
    weir_writer_close(writer);
}

static void test_every_lane_and_no_more(void **state) {
    (void)state;
    weir_writer *writers[WEIR_SHM_LANES];
    for (unsigned i = 0; i < WEIR_SHM_LANES; i++)
        writers[i] = writer_open(address("?capacity=64K"));
    refused(address(""), WEIR_EBUSY, "64 writers");
    weir_writer_close(writers[7]);
    writers[7] = writer_open(address("?capacity=64K"));
    for (unsigned i = 0; i < WEIR_SHM_LANES; i++)
        weir_writer_close(writers[i]);
}

/* ---- what the dead left ---- */

static void test_half_a_channel_is_made_anew(void **state) {
    (void)state;
    assert_true(semget((key_t)key, WEIR_SYSV_SEM_COUNT, IPC_CREAT | IPC_EXCL | 0600) >= 0);
    refused(address("?create=0"), WEIR_ENOENT, "no such channel");
    assert_true(shmget((key_t)key, WEIR_SYSV_CHANNEL_SIZE + WEIR_SYSV_TAIL, IPC_CREAT | IPC_EXCL | 0600) >= 0);
    weir_message *message = NULL;
    assert_int_equal(weir_latest(address(""), &message, NULL), WEIR_ENOENT);
    weir_writer *writer = writer_open(address(""));
    assert_int_equal(send_text(writer, "x"), WEIR_OK);
    assert_int_equal(weir_latest(address(""), &message, NULL), WEIR_OK);
    weir_message_free(message);
    weir_writer_close(writer);
}

static void test_clean_knows_halves_and_blanks(void **state) {
    (void)state;
    assert_true(semget((key_t)key, WEIR_SYSV_SEM_COUNT, IPC_CREAT | IPC_EXCL | 0600) >= 0);
    assert_int_equal(clean(1), 1);
    assert_true(count_all() == 1);
    assert_int_equal(clean(0), 1);
    assert_true(shmget((key_t)key, WEIR_SYSV_CHANNEL_SIZE + WEIR_SYSV_TAIL, IPC_CREAT | IPC_EXCL | 0600) >= 0);
    assert_int_equal(clean(0), 1);
    assert_int_equal(count_all(), 0);
}

static void blank_make(void) {
    CHECK(shmget((key_t)key, 65536 + 8192 + WEIR_SYSV_TAIL, IPC_CREAT | IPC_EXCL | 0600) >= 0);
}

static void test_a_blank_of_the_living_stays(void **state) {
    (void)state;
    blank_make();
    assert_int_equal(clean(0), 0); /* its maker, ourselves, lives */
    weir_ipc_remove(WEIR_IPC_SHM, shmget((key_t)key, 0, 0));
    assert_int_equal(child_status(child_start(blank_make)), 0);
    assert_int_equal(clean(1), 1);
    assert_int_equal(clean(0), 1);
    assert_int_equal(count_all(), 0);
}

static void test_clean_lets_channels_and_their_lanes_be(void **state) {
    (void)state;
    weir_writer *writer = writer_open(address(""));
    assert_int_equal(send_text(writer, "x"), WEIR_OK);
    int count = count_all();
    assert_int_equal(count, 4);
    assert_int_equal(clean(0), 0);
    weir_writer_close(writer);
    assert_int_equal(clean(0), 0);
    assert_int_equal(count_all(), count);
}

static void test_removed_by_hand(void **state) {
    (void)state;
    weir_writer *writer = writer_open(address(""));
    assert_int_equal(send_text(writer, "x"), WEIR_OK);
    weir_ipc_remove(WEIR_IPC_SEM, semget((key_t)key, 0, 0));
    weir_writer *next = writer_open(address("")); /* it believes that the first is dead, and takes its lane */
    assert_int_equal(send_text(next, "y"), WEIR_OK);
    assert_int_equal(send_text(writer, "z"), WEIR_EFENCED);
    weir_writer_close(next);
    weir_writer_close(writer);
    weir_ipc_remove(WEIR_IPC_SHM, shmget((key_t)key, 0, 0));
    assert_true(clean(0) >= 2);
    assert_int_equal(count_all(), 0);
}

/* ---- others under the same key ---- */

static void test_another_program_is_left_alone(void **state) {
    (void)state;
    int id = shmget((key_t)key, 4096, IPC_CREAT | IPC_EXCL | 0600);
    refused(address(""), WEIR_EBUSY, "another program has a segment");
    weir_ipc_remove(WEIR_IPC_SHM, id);
    key_remove();
    id = shmget((key_t)key, WEIR_SYSV_CHANNEL_SIZE + WEIR_SYSV_TAIL, IPC_CREAT | IPC_EXCL | 0600);
    char *bytes = shmat(id, NULL, 0);
    strcpy(bytes, "not a channel");
    refused(address(""), WEIR_EBUSY, "another program has a segment");
    clean(0);
    assert_string_equal(bytes, "not a channel");
    shmdt(bytes);
    weir_ipc_remove(WEIR_IPC_SHM, id);
    key_remove();
    id = semget((key_t)key, 3, IPC_CREAT | IPC_EXCL | 0600);
    refused(address(""), WEIR_EBUSY, "another program has semaphores");
    clean(0);
    assert_int_equal(semctl(id, 0, GETVAL), 0);
}

static void squat(void) {
    int id = shmget((key_t)key, WEIR_SYSV_CHANNEL_SIZE + WEIR_SYSV_TAIL, IPC_CREAT | IPC_EXCL | 0666);
    CHECK(id >= 0);
}

static void squat_and_give_away(void) {
    int id = shmget((key_t)key, WEIR_SYSV_CHANNEL_SIZE + WEIR_SYSV_TAIL, IPC_CREAT | IPC_EXCL | 0666);
    struct shmid_ds about;
    CHECK(id >= 0 && shmctl(id, IPC_STAT, &about) == 0);
    about.shm_perm.uid = 0; /* the owner now; the squatter stays its maker */
    CHECK(shmctl(id, IPC_SET, &about) == 0);
}

static void squat_semaphores(void) {
    CHECK(semget((key_t)key, WEIR_SYSV_SEM_COUNT, IPC_CREAT | IPC_EXCL | 0666) >= 0);
}

static void is_refused_as_stranger(void) {
    weir_writer *writer = NULL;
    weir_error err = {0};
    CHECK(weir_writer_open(address(""), &writer, &err) == WEIR_EACCESS);
    CHECK(strstr(err.text, "in use by user root"));
}

static void test_squatters_are_refused(void **state) {
    (void)state;
    if (!must_be_root())
        skip();
    static void (*const ways[])(void) = {squat, squat_and_give_away, squat_semaphores};
    for (int i = 0; i < 3; i++) {
        run_as(STRANGER, STRANGER, ways[i]);
        refused(address(""), WEIR_EACCESS, "in use by user 12345");
        weir_message *message = NULL;
        if (ways[i] != squat_semaphores)
            assert_int_equal(weir_latest(address(""), &message, NULL), WEIR_EACCESS);
        key_remove();
    }
    weir_writer *writer = writer_open(address(""));
    run_as(STRANGER, STRANGER, is_refused_as_stranger); /* also with mode 0600, where nothing can be asked of it */
    weir_writer_close(writer);
}

/* ---- other users who may ---- */

static const char *of_root(const char *options) {
    static char text[160];
    snprintf(text, sizeof(text), "sysv://~root/0x%" PRIx32 "%s", key, options);
    return text;
}

static void may_observe_only(void) {
    weir_reader *reader = NULL;
    weir_writer *writer = NULL;
    weir_message *message = NULL;
    weir_error err = {0};
    CHECK(weir_latest(of_root(""), &message, NULL) == WEIR_OK);
    weir_message_free(message);
    CHECK(weir_writer_open(of_root(""), &writer, &err) == WEIR_EACCESS && strstr(err.text, "write"));
    CHECK(weir_reader_open(of_root(""), &reader, &err) == WEIR_EACCESS && strstr(err.text, "observe=1"));
    CHECK(weir_reader_open(of_root("?observe=1&from=last"), &reader, &err) == WEIR_OK);
    CHECK(weir_reader_next(reader, 10 * SECOND, &message, &err) == WEIR_OK);
    int id = shmget((key_t)key, 0, 0), set = semget((key_t)key, 0, 0);
    struct sembuf raise = {WEIR_SYSV_SEM_MEMBERS, 1, IPC_NOWAIT};
    CHECK(shmat(id, NULL, 0) == (void *)-1 && errno == EACCES);
    CHECK(semop(set, &raise, 1) != 0 && errno == EACCES);
    CHECK(shmctl(id, IPC_RMID, NULL) != 0 && semctl(set, 0, IPC_RMID) != 0);
    weir_reader_close(reader);
}

static void may_do_nothing(void) {
    weir_reader *reader = NULL;
    weir_message *message = NULL;
    weir_error err = {0};
    CHECK(weir_latest(of_root(""), &message, &err) == WEIR_EACCESS && strstr(err.text, "closed to you"));
    CHECK(weir_reader_open(of_root("?observe=1"), &reader, &err) == WEIR_EACCESS);
}

static void may_write(void) {
    weir_writer *writer = NULL;
    weir_error err = {0};
    CHECK(weir_writer_open(of_root("?capacity=64K"), &writer, &err) == WEIR_OK);
    CHECK(send_text(writer, "from a friend") == WEIR_OK);
    weir_writer_close(writer);
}

static void clean_own(void) {
    CHECK(clean(0) == 1);
}

static void must_run_in_the_group(void) {
    weir_writer *writer = NULL;
    weir_error err = {0};
    CHECK(weir_writer_open(of_root(""), &writer, &err) == WEIR_EACCESS && strstr(err.text, "must run in group"));
}

static void group_as_root(void (*run)(void)) {
    assert_int_equal(setegid(FRIEND_GROUP), 0);
    run();
    assert_int_equal(setegid(0), 0);
}

static weir_writer *shared;
static const char *shared_options;
static void shared_open(void) {
    shared = writer_open(address(shared_options));
}

static void test_who_may_only_read(void **state) {
    (void)state;
    if (!must_be_root())
        skip();
    shared_options = "?mode=0640&group=23456";
    refused(address(shared_options), WEIR_EACCESS, "as well"); /* root's own group would get it too */
    assert_int_equal(count_all(), 0);
    group_as_root(shared_open);
    assert_int_equal(send_text(shared, "x"), WEIR_OK);
    run_as(STRANGER, FRIEND_GROUP, may_observe_only);
    run_as(STRANGER, OTHER_GROUP, may_do_nothing);
    weir_writer_close(shared);
}

static void test_who_may_write(void **state) {
    (void)state;
    if (!must_be_root())
        skip();
    shared_options = "?mode=0660&group=23456";
    group_as_root(shared_open);
    weir_reader *reader = NULL;
    weir_message *message = NULL;
    assert_int_equal(weir_reader_open(address(""), &reader, NULL), WEIR_OK);
    run_as(STRANGER, FRIEND_GROUP, may_write);
    run_as(STRANGER, OTHER_GROUP, may_do_nothing);
    assert_int_equal(weir_reader_next(reader, 10 * SECOND, &message, NULL), WEIR_OK);
    weir_doc *doc = NULL;
    uint64_t uid = 0;
    assert_int_equal(weir_doc_new(&doc), WEIR_OK);
    assert_int_equal(weir_channel_info(address(""), doc, NULL), WEIR_OK);
    assert_int_equal(weir_get_u64(weir_doc_root(doc), "lanes.1.uid", &uid), WEIR_OK);
    assert_int_equal(uid, STRANGER);
    weir_doc_free(doc);
    weir_reader_close(reader);
    weir_writer_close(shared);
    /* His lane is his: only he, or root, can take it away, which clean does for each user. */
    assert_int_equal(count_all(), 5);
    key_remove();
    assert_int_equal(count_all(), 1);
    run_as(STRANGER, STRANGER, clean_own);
}

static void test_others_rights_do_not_leak_to_groups(void **state) {
    (void)state;
    if (!must_be_root())
        skip();
    shared_options = "?mode=0662"; /* others may write, not read; the group may do both */
    shared = writer_open(address(shared_options));
    run_as(STRANGER, OTHER_GROUP, may_do_nothing);
    weir_writer_close(shared);
    key_remove();
    shared_options = "?mode=0660&group=23456";
    group_as_root(shared_open);
    weir_writer_close(shared);
    /* A member of the group by membership only, who runs in another: what it made would be the other's to read. */
    pid_t child = fork();
    if (child == 0) {
        gid_t group = FRIEND_GROUP;
        if (setgroups(1, &group) != 0 || setresgid(OTHER_GROUP, OTHER_GROUP, OTHER_GROUP) != 0 ||
            setresuid(STRANGER, STRANGER, STRANGER) != 0)
            _exit(NOT);
        must_run_in_the_group();
        _exit(0);
    }
    assert_int_equal(child_status(child), 0);
}

static void observe_and_rest(void) {
    weir_reader *reader = NULL;
    CHECK(weir_reader_open(of_root("?observe=1"), &reader, NULL) == WEIR_OK);
    pause();
}

static void test_a_visitor_keeps_the_channel(void **state) {
    (void)state;
    if (!must_be_root())
        skip();
    weir_writer *writer = writer_open(address("?mode=0644&keep=0"));
    assert_int_equal(send_text(writer, "x"), WEIR_OK);
    int id = shmget((key_t)key, 0, 0);
    struct weir_ipc_about about = {0};
    pid_t visitor = start_as(STRANGER, STRANGER, observe_and_rest);
    struct timespec nap = {.tv_nsec = 2000000};
    for (int i = 0; i < 10000 && about.attached < 4; i++) { /* two of the writer, two of the visitor */
        nanosleep(&nap, NULL);
        assert_int_equal(weir_ipc_about(WEIR_IPC_SHM, id, &about), 0);
    }
    weir_writer_close(writer);
    weir_message *message = NULL;
    assert_int_equal(weir_latest(address(""), &message, NULL), WEIR_OK); /* it is still there for the visitor */
    weir_message_free(message);
    child_kill(visitor);
    assert_int_equal(clean(0), 1);
    assert_int_equal(count_all(), 0);
}

/* ---- limits ---- */

static int limit_set(const char *name, const char *value) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/sys/kernel/%s", name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    int is_set = fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value);
    if (fd >= 0)
        close(fd);
    return is_set;
}

static void limited(const char *name, const char *value, const char *usual, const char *sentence, int left) {
    assert_true(limit_set(name, value));
    weir_writer *writer = NULL;
    weir_error err = {0};
    int status = weir_writer_open(address("?keep=0"), &writer, &err);
    assert_true(limit_set(name, usual));
    assert_int_equal(status, WEIR_ENOSPC);
    if (!strstr(err.text, sentence))
        fail_msg("\"%s\" does not say \"%s\"", err.text, sentence);
    assert_int_equal(count_all(), left);
}

static void test_limits(void **state) {
    (void)state;
    if (!is_isolated) {
        print_message("skip: the machine's limits are not to be changed\n");
        skip();
    }
    limited("shmmni", "0", "4096", "kernel.shmmni", 0);
    limited("shmmni", "1", "4096", "kernel.shmmni", 0); /* the channel, but not its cursors */
    limited("shmmni", "2", "4096", "kernel.shmmni", 0); /* nor a lane */
    limited("shmmax", "100000", "18446744073692774399", "kernel.shmmax", 0);
    limited("sem", "250 100 32 128", "32000 1024000000 500 32000", "kernel.sem", 0);
    limited("sem", "100 32000 32 128", "32000 1024000000 500 32000", "kernel.sem", 0);
}

/* ---- programs of one's own ---- */

static void test_a_child_takes_nothing_with_it(void **state) {
    (void)state;
    weir_writer *writer = writer_open(address("?exclusive=1"));
    assert_int_equal(send_text(writer, "x"), WEIR_OK);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        CHECK(send_text(writer, "y") == WEIR_EFORKED);
        weir_writer_close(writer);
        _exit(0);
    }
    assert_int_equal(child_status(child), 0);
    refused(address(""), WEIR_EBUSY, "exclusive=1"); /* the lease is still the parent's */
    assert_int_equal(send_text(writer, "z"), WEIR_OK);
    weir_writer_close(writer);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_one_channel_by_many_spellings),
        TEST(test_kills_at_any_moment_leave_nothing),
        TEST(test_leases_come_back_at_once),
        TEST(test_two_ends_of_one_process_exclude_each_other),
        TEST(test_every_lane_and_no_more),
        TEST(test_half_a_channel_is_made_anew),
        TEST(test_clean_knows_halves_and_blanks),
        TEST(test_a_blank_of_the_living_stays),
        TEST(test_clean_lets_channels_and_their_lanes_be),
        TEST(test_removed_by_hand),
        TEST(test_another_program_is_left_alone),
        TEST(test_squatters_are_refused),
        TEST(test_who_may_only_read),
        TEST(test_who_may_write),
        TEST(test_others_rights_do_not_leak_to_groups),
        TEST(test_a_visitor_keeps_the_channel),
        TEST(test_limits),
        TEST(test_a_child_takes_nothing_with_it),
    };
    return cmocka_run_group_tests_name("sysv", tests, group_setup, NULL);
}
