/* Who may listen at a path: leases, the socket's file and its rights, and what is left alone. */
#include "transport/socket/testing.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <weir/weir.h>

#include "base/clock.h"
#include "transport/socket/lease.h"
#include "transport/socket/local.h"

enum { NOBODY = 65534, RACES = 200 };

static const char *beside(const struct testing *testing, const char *suffix) {
    static char paths[4][160];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof(paths[0]), "%s%s", testing->path, suffix);
    return path;
}

static void file_make(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static int is_there(const char *path) {
    struct stat status;
    return lstat(path, &status) == 0;
}

static int must_be_root(void) {
    if (geteuid() == 0)
        return 1;
    print_message("skip: only root can act as another user\n");
    return 0;
}

/* ---- leases ---- */

static void test_a_lease_has_one_holder(void **state) {
    struct testing *testing = *state;
    int first = -1, second = -1;
    weir_error err = {0};
    assert_int_equal(weir_lease_take(testing->path, "writer", &first, &err), WEIR_OK);
    assert_int_equal(weir_lease_take(testing->path, "reader", &second, &err), WEIR_EBUSY);
    char pid[32];
    snprintf(pid, sizeof(pid), "pid %ld", (long)getpid());
    assert_non_null(strstr(err.text, pid));
    assert_non_null(strstr(err.text, "writer"));
    weir_lease_drop(testing->path, first);
    assert_false(is_there(beside(testing, ".lock")));
    assert_int_equal(weir_lease_take(testing->path, "reader", &second, &err), WEIR_OK);
    weir_lease_drop(testing->path, second);
}

/* Whoever replaces the lock file does not get the lease's holder to remove the new one. */
static void test_a_replaced_lock_file_is_left_alone(void **state) {
    struct testing *testing = *state;
    int first = -1, second = -1;
    assert_int_equal(weir_lease_take(testing->path, "writer", &first, NULL), WEIR_OK);
    assert_int_equal(unlink(beside(testing, ".lock")), 0);
    assert_int_equal(weir_lease_take(testing->path, "writer", &second, NULL), WEIR_OK);
    weir_lease_drop(testing->path, first);
    assert_true(is_there(beside(testing, ".lock")));
    assert_int_equal(weir_lease_take(testing->path, "writer", &first, NULL), WEIR_EBUSY);
    weir_lease_drop(testing->path, second);
}

static void test_lock_files_that_are_none(void **state) {
    struct testing *testing = *state;
    int fd = -1;
    weir_error err = {0};
    file_make(beside(testing, ".target"), "precious");
    assert_int_equal(symlink(beside(testing, ".target"), beside(testing, ".lock")), 0);
    assert_int_equal(weir_lease_take(testing->path, "writer", &fd, &err), WEIR_EACCESS);
    assert_non_null(strstr(err.text, "symbolic link"));
    assert_int_equal(unlink(beside(testing, ".lock")), 0);
    assert_int_equal(mkfifo(beside(testing, ".lock"), 0600), 0);
    assert_int_equal(weir_lease_take(testing->path, "writer", &fd, &err), WEIR_EACCESS);
    assert_int_equal(unlink(beside(testing, ".lock")), 0);
    assert_int_equal(mkdir(beside(testing, ".lock"), 0700), 0);
    assert_int_not_equal(weir_lease_take(testing->path, "writer", &fd, &err), WEIR_OK);
    struct stat status;
    assert_int_equal(stat(beside(testing, ".target"), &status), 0);
    assert_int_equal(status.st_size, 8);
    assert_int_equal(weir_lease_take("/nonexistent/s", "writer", &fd, &err), WEIR_ENOENT);
    assert_non_null(strstr(err.text, "directory"));
}

/* In a child of two: take the lease, and be alone while holding it. */
static int take_many(void *user) {
    const struct testing *testing = user;
    for (int taken = 0; taken < RACES;) {
        int fd = -1, status = weir_lease_take(testing->path, "writer", &fd, NULL);
        if (status == WEIR_EBUSY)
            continue;
        if (status != WEIR_OK)
            return 10 + status;
        int alone = open(beside(testing, ".alone"), O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (alone < 0)
            return 1;
        close(alone);
        if (unlink(beside(testing, ".alone")) != 0)
            return 2;
        weir_lease_drop(testing->path, fd);
        taken++;
    }
    return 0;
}

static void test_two_race_for_a_lease(void **state) {
    pid_t first = testing_fork(take_many, *state), second = testing_fork(take_many, *state);
    assert_int_equal(testing_wait(first), 0);
    assert_int_equal(testing_wait(second), 0);
}

static void test_the_lock_of_another_user(void **state) {
    struct testing *testing = *state;
    int fd = -1;
    weir_error err = {0};
    if (!must_be_root())
        skip();
    assert_int_equal(chmod(testing->directory, 0777), 0);
    file_make(beside(testing, ".lock"), "");
    assert_int_equal(chmod(beside(testing, ".lock"), 0666), 0);
    assert_int_equal(seteuid(NOBODY), 0);
    int status = weir_lease_take(testing->path, "writer", &fd, &err);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(status, WEIR_EACCESS);
    assert_non_null(strstr(err.text, "not a file of this user"));
    assert_true(is_there(beside(testing, ".lock")));
}

/* ---- the socket's file ---- */

static const struct weir_endpoints nowhere;

static int connect_to(const struct weir_place *place, int *ret_fd, weir_error *err) {
    struct weir_endpoints none = {0};
    struct weir_link link = {.fd = -1};
    int status = weir_socket_local.connect(place, &none, &link, err);
    if (status == WEIR_OK)
        *ret_fd = link.fd;
    return status;
}

static int claim(const struct weir_place *place, struct weir_claim *ret, weir_error *err) {
    return weir_socket_local.claim(place, &nowhere, "writer", ret, err);
}

static void test_only_our_own_socket_is_unlinked(void **state) {
    struct testing *testing = *state;
    struct weir_place place = testing_place(testing);
    struct weir_claim mine;
    assert_int_equal(claim(&place, &mine, NULL), WEIR_OK);
    assert_int_equal(unlink(testing->path), 0);
    int other = testing_listen(testing); /* somebody else's, at the same path */
    weir_socket_local.unclaim(&place, &mine);
    assert_true(is_there(testing->path));
    close(other);
    assert_int_equal(claim(&place, &mine, NULL), WEIR_OK); /* dead now, and ours to replace */
    weir_socket_local.unclaim(&place, &mine);
    assert_false(is_there(testing->path));
    assert_false(is_there(beside(testing, ".lock")));
    assert_false(is_there(beside(testing, ".new")));
}

static void check_left_alone(const struct testing *testing, const char *what) {
    struct weir_place place = testing_place(testing);
    struct weir_claim mine;
    weir_error err = {0};
    struct stat before, after;
    int fd = -1;
    assert_int_equal(lstat(testing->path, &before), 0);
    assert_int_equal(claim(&place, &mine, &err), WEIR_EADDRESS);
    assert_non_null(strstr(err.text, what));
    assert_int_equal(connect_to(&place, &fd, &err), WEIR_EADDRESS);
    assert_non_null(strstr(err.text, what));
    assert_int_equal(lstat(testing->path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_false(is_there(beside(testing, ".lock")));
    assert_false(is_there(beside(testing, ".new")));
}

static void test_paths_that_are_something_else(void **state) {
    struct testing *testing = *state;
    file_make(testing->path, "precious");
    check_left_alone(testing, "regular file");
    assert_int_equal(unlink(testing->path), 0);
    assert_int_equal(mkdir(testing->path, 0700), 0);
    check_left_alone(testing, "directory");
    assert_int_equal(rmdir(testing->path), 0);
    assert_int_equal(symlink("elsewhere", testing->path), 0);
    check_left_alone(testing, "symbolic link");
    assert_int_equal(unlink(testing->path), 0);
    assert_int_equal(mkfifo(testing->path, 0600), 0);
    check_left_alone(testing, "another kind");
}

static void test_a_program_that_is_not_weir_keeps_its_socket(void **state) {
    struct testing *testing = *state;
    struct weir_place place = testing_place(testing);
    struct weir_claim mine;
    weir_error err = {0};
    int fd = testing_listen(testing);
    /* Who may also connect is not held up, as it may be in the middle of a next or a send. */
    int64_t began, took, deadline = weir_deadline(60 * TESTING_SECOND);
    do { /* what the machine holds up counts for nothing: who waits does so each time */
        began = weir_clock_monotonic();
        assert_int_equal(claim(&place, &mine, &err), WEIR_EBUSY);
        took = weir_clock_monotonic() - began;
    } while (took >= TESTING_SECOND / 2 && weir_deadline_left(deadline) > 0);
    assert_true(took < TESTING_SECOND / 2);
    assert_non_null(strstr(err.text, "no end of weir"));
    place.must_listen = 1;
    began = weir_clock_monotonic();
    assert_int_equal(claim(&place, &mine, &err), WEIR_EBUSY);
    assert_true(weir_clock_monotonic() - began >= TESTING_SECOND);
    place.must_listen = 0;
    close(fd);
    assert_int_equal(unlink(testing->path), 0);
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0); /* a socket, but no stream */
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, testing->path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    int connected = -1;
    assert_int_equal(connect_to(&place, &connected, &err), WEIR_EADDRESS);
    assert_int_equal(claim(&place, &mine, &err), WEIR_EBUSY);
    close(fd);
}

static int listen_and_wait(void *user) {
    const struct weir_place *place = user;
    struct weir_claim mine;
    if (claim(place, &mine, NULL) != WEIR_OK)
        return 1;
    pause();
    return 2;
}

static void test_the_socket_of_a_killed_listener_is_replaced(void **state) {
    struct testing *testing = *state;
    struct weir_place place = testing_place(testing);
    struct weir_claim mine;
    for (int round = 0; round < 20; round++) {
        weir_error err = {0};
        pid_t child = testing_fork(listen_and_wait, &place);
        while (!is_there(testing->path))
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        assert_int_equal(claim(&place, &mine, &err), WEIR_EBUSY);
        kill(child, SIGKILL);
        assert_int_equal(testing_wait(child), 1000 + SIGKILL);
        assert_true(is_there(testing->path));
        int fd = -1;
        assert_int_equal(connect_to(&place, &fd, &err), WEIR_ENOENT);
        if (claim(&place, &mine, &err) != WEIR_OK)
            fail_msg("%s", err.text);
        assert_int_equal(connect_to(&place, &fd, &err), WEIR_OK);
        close(fd);
        weir_socket_local.unclaim(&place, &mine);
    }
}

static void test_what_a_half_made_listener_left(void **state) {
    struct testing *testing = *state;
    struct weir_place place = testing_place(testing);
    struct weir_claim mine;
    weir_error err = {0};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    strcpy(address.sun_path, beside(testing, ".new"));
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
    assert_int_equal(claim(&place, &mine, NULL), WEIR_OK);
    assert_false(is_there(beside(testing, ".new")));
    weir_socket_local.unclaim(&place, &mine);
    file_make(beside(testing, ".new"), "precious"); /* not a socket: stays */
    assert_int_not_equal(claim(&place, &mine, &err), WEIR_OK);
    assert_true(is_there(beside(testing, ".new")));
    assert_false(is_there(testing->path));
    assert_false(is_there(beside(testing, ".lock")));
}

/* ---- rights ---- */

static void test_mode_and_group(void **state) {
    static const unsigned modes[] = {0600, 0660, 0666, 0640, 07777};
    struct testing *testing = *state;
    struct weir_place place = testing_place(testing);
    mode_t mask = umask(077); /* which must not matter */
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        struct weir_claim mine;
        struct stat status;
        place.mode = modes[i];
        snprintf(place.group, sizeof(place.group), "%u", geteuid() == 0 ? 12345U : (unsigned)getegid());
        assert_int_equal(claim(&place, &mine, NULL), WEIR_OK);
        assert_int_equal(lstat(testing->path, &status), 0);
        assert_int_equal(status.st_mode & 07777, modes[i] & 0666);
        assert_int_equal(status.st_gid, geteuid() == 0 ? 12345U : (unsigned)getegid());
        weir_socket_local.unclaim(&place, &mine);
    }
    umask(mask);
    struct weir_claim mine;
    weir_error err = {0};
    strcpy(place.group, "no such group");
    assert_int_equal(claim(&place, &mine, &err), WEIR_EADDRESS);
    assert_non_null(strstr(err.text, "no such group"));
    strcpy(place.group, "12x");
    assert_int_equal(claim(&place, &mine, &err), WEIR_EADDRESS);
    strcpy(place.group, "99999999999");
    assert_int_equal(claim(&place, &mine, &err), WEIR_EADDRESS);
    assert_false(is_there(testing->path));
    assert_false(is_there(beside(testing, ".lock")));
}

/* Connect as another user with another group. Return: an exit code: what connecting says. */
struct stranger {
    struct weir_place place;
    gid_t group;
};
static int connect_as_nobody(void *user) {
    const struct stranger *stranger = user;
    int fd;
    if (setgid(stranger->group) != 0 || setuid(NOBODY) != 0)
        return 99;
    return connect_to(&stranger->place, &fd, NULL);
}

static int admitted(const struct weir_place *place, const struct weir_claim *mine, struct weir_credentials *ret) {
    int fd = -1;
    for (int i = 0; i < 10000 && fd < 0; i++) {
        fd = accept4(mine->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    assert_true(fd >= 0);
    weir_error err = {0};
    int status = weir_socket_local.admit(place, fd, ret, &err);
    if (status != WEIR_OK)
        assert_non_null(strstr(err.text, "uid 65534"));
    close(fd);
    return status;
}

static void test_who_may_connect(void **state) {
    static const struct {
        unsigned mode;
        gid_t group;
        int connects, admits;
    } cases[] = {{0600, NOBODY, WEIR_EACCESS, 0},
                 {0660, NOBODY, WEIR_EACCESS, 0},
                 {0660, 12345, WEIR_OK, WEIR_OK},
                 {0666, NOBODY, WEIR_OK, WEIR_OK}};
    struct testing *testing = *state;
    if (!must_be_root())
        skip();
    assert_int_equal(chmod(testing->directory, 0755), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct stranger stranger = {.place = testing_place(testing), .group = cases[i].group};
        struct weir_credentials credentials;
        struct weir_claim mine;
        stranger.place.mode = cases[i].mode;
        strcpy(stranger.place.group, "12345");
        assert_int_equal(claim(&stranger.place, &mine, NULL), WEIR_OK);
        pid_t child = testing_fork(connect_as_nobody, &stranger);
        assert_int_equal(testing_wait(child), cases[i].connects);
        if (cases[i].connects == WEIR_OK) {
            assert_int_equal(admitted(&stranger.place, &mine, &credentials), cases[i].admits);
            assert_int_equal(credentials.uid, NOBODY);
            assert_int_equal(credentials.pid, child);
        }
        /* The file was made wider behind our back: the listener still asks the kernel who it is. */
        if (cases[i].connects != WEIR_OK) {
            assert_int_equal(chmod(testing->path, 0666), 0);
            child = testing_fork(connect_as_nobody, &stranger);
            assert_int_equal(testing_wait(child), WEIR_OK);
            assert_int_equal(admitted(&stranger.place, &mine, &credentials), WEIR_EACCESS);
        }
        weir_socket_local.unclaim(&stranger.place, &mine);
    }
}

/* Many groups, so that the first look at them has no room; one of them is 12345. */
static int connect_with_groups(void *user) {
    enum { MANY = 200 };
    gid_t groups[MANY];
    for (gid_t i = 0; i < MANY; i++)
        groups[i] = 12345 + i;
    return setgroups(MANY, groups) == 0 ? connect_as_nobody(user) : 99;
}

static void test_who_is_on_the_list(void **state) {
    static const struct {
        const char *allow;
        int (*connect)(void *);
        gid_t group;
        int admits;
    } cases[] = {{"uid:65534", connect_as_nobody, NOBODY, WEIR_OK},
                 {"uid:65533", connect_as_nobody, NOBODY, WEIR_EACCESS},
                 {"uid:65533,uid:65534,uid:1", connect_as_nobody, NOBODY, WEIR_OK},
                 {"group:65534", connect_as_nobody, NOBODY, WEIR_OK},
                 {"group:12345", connect_as_nobody, 12345, WEIR_OK},
                 {"group:12345", connect_as_nobody, NOBODY, WEIR_EACCESS},
                 {"group:12345", connect_with_groups, NOBODY, WEIR_OK},
                 {"group:12544", connect_with_groups, NOBODY, WEIR_OK},
                 {"group:12545", connect_with_groups, NOBODY, WEIR_EACCESS},
                 {"uid:12345", connect_with_groups, NOBODY, WEIR_EACCESS},
                 {"group:65534", connect_with_groups, 12345, WEIR_EACCESS}};
    struct testing *testing = *state;
    if (!must_be_root())
        skip();
    assert_int_equal(chmod(testing->directory, 0755), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct stranger stranger = {.place = testing_place(testing), .group = cases[i].group};
        struct weir_credentials credentials;
        struct weir_claim mine;
        struct stat about;
        assert_int_equal(weir_allow_parse(cases[i].allow, strlen(cases[i].allow), &stranger.place.allow), WEIR_OK);
        assert_int_equal(claim(&stranger.place, &mine, NULL), WEIR_OK);
        assert_int_equal(lstat(testing->path, &about), 0);
        assert_int_equal(about.st_mode & 0777, 0666); /* everybody may knock */
        assert_int_equal(testing_wait(testing_fork(cases[i].connect, &stranger)), WEIR_OK);
        assert_int_equal(admitted(&stranger.place, &mine, &credentials), cases[i].admits);
        weir_socket_local.unclaim(&stranger.place, &mine);
    }
}

static int claim_as_nobody(void *user) {
    struct weir_claim mine;
    weir_error err = {0};
    if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
        return 99;
    int status = claim(user, &mine, &err);
    return status == WEIR_EACCESS && strstr(err.text, "another user") ? 0 : 50 + status;
}

static void test_the_socket_of_another_user_stays(void **state) {
    struct testing *testing = *state;
    struct weir_place place = testing_place(testing);
    if (!must_be_root())
        skip();
    assert_int_equal(chmod(testing->directory, 0777), 0);
    close(testing_listen(testing)); /* dead, but root's */
    assert_int_equal(testing_wait(testing_fork(claim_as_nobody, &place)), 0);
    assert_true(is_there(testing->path));
    assert_false(is_there(beside(testing, ".lock")));
}

/* ---- nobody answers ---- */

static int64_t processor_ns(void) {
    struct timespec used;
    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used), 0);
    return (int64_t)used.tv_sec * 1000 * WEIR_MS + used.tv_nsec;
}

/* A machine that does not answer: connections to a listener with a full backlog stay under way. Open gives up, and
 * sleeps until then, also between its own limit and that of the second attempt. */
static void test_open_sleeps_until_it_gives_up(void **state) {
    struct sockaddr_in host = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(host);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fds[4];
    char address[64];
    weir_reader *reader;
    weir_error err;
    (void)state;
    assert_int_equal(bind(listener, (struct sockaddr *)&host, size), 0);
    assert_int_equal(listen(listener, 0), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&host, &size), 0);
    for (int i = 0; i < 4; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(fds[i], (struct sockaddr *)&host, size);
    }
    snprintf(address, sizeof(address), "tcp://127.0.0.1:%d", ntohs(host.sin_port));
    int64_t before = processor_ns();
    assert_int_equal(weir_reader_open(address, &reader, &err), WEIR_ETIMEOUT);
    assert_true(processor_ns() - before < 1000 * WEIR_MS);
    assert_non_null(strstr(err.text, "neither connecting nor listening"));
    for (int i = 0; i < 4; i++)
        close(fds[i]);
    close(listener);
}

/* A listener that reads nothing, and goes while the writer waits in close for what it has sent to be on its way. */
static void *listen_and_go(void *user) {
    const int *listener = user;
    struct weir_hello hello, answer = testing_hello(WEIR_ROLE_READER);
    int peer = accept(*listener, NULL, NULL);
    if (testing_hear(peer, &hello) == WEIR_OK)
        testing_say(peer, &answer);
    nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
    close(*listener);
    close(peer);
    return NULL;
}

/* Who closes when its listener goes does not take that one's place with its last breath: nobody would give it back. What
 * is left open the teardown finds. */
static void test_who_closes_does_not_begin_to_listen(void **state) {
    static unsigned char bytes[64 << 10];
    struct sockaddr_in host = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(host);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), little = 1;
    char address[64];
    pthread_t thread;
    weir_writer *writer = NULL;
    weir_error err = {0};
    (void)state;
    assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little)), 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&host, size), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&host, &size), 0);
    assert_int_equal(listen(listener, 1), 0);
    snprintf(address, sizeof(address), "tcp://127.0.0.1:%d?timeout=10s", ntohs(host.sin_port));
    assert_int_equal(pthread_create(&thread, NULL, listen_and_go, &listener), 0);
    if (weir_writer_open(address, &writer, &err) != WEIR_OK)
        fail_msg("%s", err.text);
    assert_int_equal(weir_writer_send_bytes(writer, NULL, NULL, WEIR_CODEC_RAW, NULL, bytes, sizeof(bytes), &err),
                     WEIR_OK);
    weir_writer_close(writer);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* ---- names ---- */

static int check_name(const char *name, weir_error *err) {
    struct weir_place place = {0};
    snprintf(place.name, sizeof(place.name), "%s", name);
    snprintf(place.text, sizeof(place.text), "unix://%.200s", name);
    return weir_socket_local_check(&place, err);
}

static void test_names(void **state) {
    char name[200] = "/";
    weir_error err = {0};
    (void)state;
    assert_int_equal(check_name("/a", &err), WEIR_OK);
    assert_int_equal(check_name("a", &err), WEIR_EADDRESS);
    assert_int_equal(check_name("/a/", &err), WEIR_EADDRESS);
    memset(name + 1, 'x', sizeof(name) - 2);
    name[103] = '\0';
    assert_int_equal(check_name(name, &err), WEIR_OK);
    name[103] = 'x', name[104] = '\0';
    assert_int_equal(check_name(name, &err), WEIR_EADDRESS);
    assert_non_null(strstr(err.text, "104"));
    assert_non_null(strstr(err.text, "103"));
}

/* The longest path that is allowed works, with all that is made beside it. */
static void test_the_longest_path(void **state) {
    struct testing *testing = *state;
    struct weir_place place = testing_place(testing);
    struct weir_claim mine;
    weir_error err = {0};
    int fd = -1;
    size_t size = strlen(place.name);
    memset(place.name + size, 'x', 103 - size);
    place.name[103] = '\0';
    assert_int_equal(weir_socket_local_check(&place, &err), WEIR_OK);
    assert_int_equal(claim(&place, &mine, &err), WEIR_OK);
    assert_int_equal(connect_to(&place, &fd, &err), WEIR_OK);
    close(fd);
    weir_socket_local.unclaim(&place, &mine);
    assert_false(is_there(place.name));
    strcpy(place.name, "/nonexistent/s");
    assert_int_equal(claim(&place, &mine, &err), WEIR_ENOENT);
    assert_int_equal(connect_to(&place, &fd, &err), WEIR_ENOENT);
}

int main(void) {
#define CASE(test) cmocka_unit_test_setup_teardown(test, testing_setup, testing_teardown)
    static const struct CMUnitTest tests[] = {
        CASE(test_a_lease_has_one_holder),
        CASE(test_a_replaced_lock_file_is_left_alone),
        CASE(test_lock_files_that_are_none),
        CASE(test_two_race_for_a_lease),
        CASE(test_the_lock_of_another_user),
        CASE(test_only_our_own_socket_is_unlinked),
        CASE(test_paths_that_are_something_else),
        CASE(test_a_program_that_is_not_weir_keeps_its_socket),
        CASE(test_the_socket_of_a_killed_listener_is_replaced),
        CASE(test_what_a_half_made_listener_left),
        CASE(test_mode_and_group),
        CASE(test_who_may_connect),
        CASE(test_who_is_on_the_list),
        CASE(test_the_socket_of_another_user_stays),
        CASE(test_open_sleeps_until_it_gives_up),
        CASE(test_who_closes_does_not_begin_to_listen),
        CASE(test_names),
        CASE(test_the_longest_path),
    };
    if (getenv("WEIR_TEST_FILTER"))
        cmocka_set_test_filter(getenv("WEIR_TEST_FILTER"));
    return cmocka_run_group_tests_name("meet", tests, NULL, NULL);
}
