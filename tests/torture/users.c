/* Four users: the owner of a channel, a member of its group, a stranger, and somebody who was at the place first. What
 * each may do is tried on channels of several modes, and the exact outcome is compared with what docs/spec/shm.md says
 * of modes. Needs root, to become them.
 *
 *     users
 *
 * Prints TAP, a case for each pair of user and mode, and one for each kind of squatting. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "os/lock.h"
#include "transport/shm/layout.h"

enum { OWNER = 61001, MEMBER = 61002, STRANGER = 61003, GROUP = 62000 };

static int number, failures, checks;
static char base[64];

static void result(int holds, const char *what, const char *detail) {
    failures += !holds;
    printf("%s %d - %s%s%s\n", holds ? "ok" : "not ok", ++number, what, holds ? "" : "; ", holds ? "" : detail);
    fflush(stdout);
}

static void become(uid_t uid) {
    gid_t group = GROUP;
    if (setgroups(uid == MEMBER || uid == OWNER ? 1 : 0, &group) != 0 || setresgid(uid, uid, uid) != 0 ||
        setresuid(uid, uid, uid) != 0)
        _exit(99);
}

/* ---- operations; each returns 0 or an error number: errno for files, enum weir_err for ends ---- */

static const char *channel_name;
static char channel_path[200];

static int end_try(enum weir_role role, int is_observer) {
    struct end end;
    weir_error err = {0};
    struct wish wish = {
        .name = channel_name, .keep = -1, .from = WEIR_FROM_OLDEST, .is_observer = (uint8_t)is_observer};
    int status = end_open(&end, role, &wish, &err);
    if (status == WEIR_OK)
        end_close(&end);
    return status;
}

static int try_observe(void) {
    return end_try(WEIR_ROLE_READER, 1);
}

static int try_read(void) {
    return end_try(WEIR_ROLE_READER, 0);
}

static int try_write(void) {
    return end_try(WEIR_ROLE_WRITER, 0);
}

static int try_latest(void) {
    struct weir_place place;
    struct weir_buffer out = {0};
    struct weir_inbound inbound;
    struct message message;
    struct wish wish = {.name = channel_name, .keep = -1};
    place_fill(&place, &wish);
    int status = ops()->latest(&place, &out, &inbound, NULL);
    if (status == WEIR_OK && message_read(&inbound, &message))
        status = WEIR_ECORRUPT;
    weir_buffer_fini(&out);
    return status;
}

static int file_open(const char *file, int flags) {
    char path[300];
    snprintf(path, sizeof(path), "%s/%s", channel_path, file);
    return open(path, flags | O_CLOEXEC);
}

static int try_truncate(void) {
    char path[300];
    snprintf(path, sizeof(path), "%s/lane.0.1", channel_path);
    return truncate(path, 4096) == 0 ? 0 : errno;
}

static int try_map_writable(void) {
    int fd = file_open("lane.0.1", O_RDWR);
    return fd < 0 ? errno : 0;
}

/* Who may only read maps it, and then asks for more. */
static int try_protect(void) {
    int fd = file_open("lane.0.1", O_RDONLY);
    if (fd < 0)
        return errno;
    void *map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    return map == MAP_FAILED || mprotect(map, 4096, PROT_READ | PROT_WRITE) != 0 ? errno : 0;
}

static int try_reopen(void) {
    char path[64];
    int fd = file_open("lane.0.1", O_RDONLY);
    if (fd < 0)
        return errno;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, O_RDWR | O_CLOEXEC) < 0 ? errno : 0;
}

static int try_chmod(void) {
    char path[300];
    snprintf(path, sizeof(path), "%s/lane.0.1", channel_path);
    return chmod(path, 0666) == 0 ? 0 : errno;
}

static int try_unlink_channel(void) {
    char path[100];
    snprintf(path, sizeof(path), "%s/stolen", base);
    return rename(channel_path, path) == 0 ? 0 : errno;
}

static int try_squat_in_store(void) {
    char path[300];
    snprintf(path, sizeof(path), "%s-squat", channel_path);
    return mkdir(path, 0700) == 0 ? 0 : errno;
}

static int try_symlink_in_channel(void) {
    char path[300];
    snprintf(path, sizeof(path), "%s/lane.9.1", channel_path);
    int failed = symlink("/etc/passwd", path) == 0 ? 0 : errno;
    unlink(path);
    return failed;
}

/* The lease of lane 5, as a lock that writers would run into. */
static int try_lock_writers(void) {
    int fd = file_open("writers.lock", O_RDONLY);
    if (fd < 0)
        return errno;
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 5, .l_len = 1};
    return fcntl(fd, F_OFD_SETLK, &lock) == 0 ? 0 : errno;
}

/* The one byte that whoever takes the channel away must have alone. */
static int try_lock_members_alone(void) {
    int fd = file_open("members.lock", O_RDWR);
    if (fd < 0)
        return errno;
    return weir_lock_take(fd, WEIR_SHM_LOCK_MEMBERS, 1) == WEIR_OK ? 0 : EAGAIN;
}

static int try_write_cursors(void) {
    int fd = file_open("cursors", O_RDWR);
    return fd < 0 ? errno : 0;
}

struct operation {
    const char *name;
    int (*run)(void);
    int refusals[7]; /* for each case of the table below */
};

/* Members of the group: mode 0600, 0640, 0660; strangers: 0600, 0640, 0644; then the owner. */
static const struct operation operations[] = {
    /* clang-format off */
    {"take the latest",      try_latest,            {WEIR_EACCESS, 0, 0,            WEIR_EACCESS, WEIR_EACCESS, 0,            0}},
    {"observe",              try_observe,           {WEIR_EACCESS, 0, 0,            WEIR_EACCESS, WEIR_EACCESS, 0,            0}},
    {"read",                 try_read,              {WEIR_EACCESS, WEIR_EACCESS, 0, WEIR_EACCESS, WEIR_EACCESS, WEIR_EACCESS, 0}},
    {"write",                try_write,             {WEIR_EACCESS, WEIR_EACCESS, 0, WEIR_EACCESS, WEIR_EACCESS, WEIR_EACCESS, 0}},
    {"truncate a lane",      try_truncate,          {EACCES, EACCES, EACCES,        EACCES, EACCES, EACCES, -1}},
    {"map a lane writable",  try_map_writable,      {EACCES, EACCES, EACCES,        EACCES, EACCES, EACCES, 0}},
    {"make a map writable",  try_protect,           {EACCES, EACCES, EACCES,        EACCES, EACCES, EACCES, EACCES}},
    {"reopen through /proc", try_reopen,            {EACCES, EACCES, EACCES,        EACCES, EACCES, EACCES, 0}},
    {"chmod a lane",         try_chmod,             {EACCES, EPERM, EPERM,          EACCES, EACCES, EPERM, -1}},
    {"take the name away",   try_unlink_channel,    {EACCES, EACCES, EACCES,        EACCES, EACCES, EACCES, -1}},
    {"squat in the store",   try_squat_in_store,    {EACCES, EACCES, EACCES,        EACCES, EACCES, EACCES, -1}},
    {"plant a link",         try_symlink_in_channel,{EACCES, EACCES, 0,             EACCES, EACCES, EACCES, 0}},
    {"lock a lane",          try_lock_writers,      {EACCES, EACCES, 0,             EACCES, EACCES, EACCES, 0}},
    {"lock all members out", try_lock_members_alone,{EACCES, EACCES, EAGAIN,        EACCES, EACCES, EACCES, EAGAIN}},
    {"write cursors",        try_write_cursors,     {EACCES, EACCES, 0,             EACCES, EACCES, EACCES, 0}},
    /* clang-format on */
};
static const struct {
    const char *name;
    uid_t uid;
    uint32_t mode;
} cases[] = {{"a member of the group, mode 0600", MEMBER, 0600},
             {"a member of the group, mode 0640", MEMBER, 0640},
             {"a member of the group, mode 0660", MEMBER, 0660},
             {"a stranger, mode 0600", STRANGER, 0600},
             {"a stranger, mode 0640", STRANGER, 0640},
             {"a stranger, mode 0644", STRANGER, 0644},
             {"the owner, mode 0600", OWNER, 0600}};

/* ---- the owner ---- */

struct owner {
    pid_t pid;
    int ready, go_on;
};

/* Makes the channel, sends, and holds on until told. */
static void owner_run(const char *name, uint32_t mode, int ready, int go_on) {
    struct weir_place place;
    struct weir_slot slot;
    struct wish wish = {.name = name, .keep = 1, .mode = mode};
    void *state = mmap(NULL, ops()->state_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    weir_error err = {0};
    become(OWNER);
    place_fill(&place, &wish);
    snprintf(place.group, sizeof(place.group), "%d", GROUP);
    int status = ops()->open(state, &place, WEIR_ROLE_WRITER, &err);
    if (status == WEIR_OK)
        status = ops()->reserve(state, 0, 128, &slot, &err);
    if (status == WEIR_OK) {
        memcpy(slot.bytes + 8, &slot.seq, 8);
        status = ops()->commit(state, message_write(&(struct message){0, 1, 0}, 128, slot.bytes), 0, &err);
    }
    char byte = (char)status;
    if (write(ready, &byte, 1) != 1 || read(go_on, &byte, 1) < 0)
        _exit(1);
    /* After all that others have tried the channel still works. */
    status = ops()->reserve(state, 0, 128, &slot, &err);
    if (status == WEIR_OK) {
        memcpy(slot.bytes + 8, &slot.seq, 8);
        status = ops()->commit(state, message_write(&(struct message){0, 1, 1}, 128, slot.bytes), 0, &err);
    }
    ops()->close(state);
    _exit(status);
}

static int owner_start(struct owner *owner, const char *name, uint32_t mode) {
    int up[2], down[2];
    char byte = 1;
    if (pipe(up) != 0 || pipe(down) != 0)
        return -1;
    owner->pid = fork();
    if (owner->pid == 0) {
        close(down[1]);
        owner_run(name, mode, up[1], down[0]);
    }
    close(up[1]);
    close(down[0]);
    owner->ready = up[0];
    owner->go_on = down[1];
    return read(owner->ready, &byte, 1) == 1 ? byte : -1;
}

static int owner_finish(struct owner *owner) {
    int status = -1;
    close(owner->go_on);
    waitpid(owner->pid, &status, 0);
    close(owner->ready);
    return status;
}

/* Run as another user. Return: what it returns, 0 to 250. */
static int as_user(uid_t uid, int (*run)(void)) {
    int status;
    pid_t child = fork();
    if (child == 0) {
        become(uid);
        _exit(run());
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static void case_run(size_t index) {
    struct owner owner = {-1, -1, -1};
    char name[64], detail[400] = "", path[128];
    snprintf(name, sizeof(name), "users%zu", index);
    int status = owner_start(&owner, name, cases[index].mode);
    snprintf(path, sizeof(path), "~%d/%s", OWNER, name);
    channel_name = path;
    snprintf(channel_path, sizeof(channel_path), "%s/weir-%d/%s", base, OWNER, name);
    if (status)
        snprintf(detail, sizeof(detail), "the owner cannot make the channel: %d", status);
    for (size_t i = 0; status == 0 && i < sizeof(operations) / sizeof(operations[0]); i++) {
        int expected = operations[i].refusals[index];
        if (expected < 0)
            continue; /* the owner may, and would break it */
        int seen = as_user(cases[index].uid, operations[i].run);
        checks++;
        if (seen != expected)
            snprintf(detail + strlen(detail), sizeof(detail) - strlen(detail), "%.30s: %d, not %d. ",
                     operations[i].name, seen, expected);
    }
    status = owner_finish(&owner);
    if (status)
        snprintf(detail + strlen(detail), sizeof(detail) - strlen(detail), "then the owner cannot send: %#x", status);
    result(detail[0] == 0, cases[index].name, detail);
}

/* ---- squatting ---- */

static int owner_opens(void) {
    channel_name = "mine";
    return try_write();
}

/* @make puts something at the owner's store before he comes. */
static void squat(const char *what, uid_t squatter, int (*make)(void), int expected) {
    char store[128], detail[64];
    snprintf(store, sizeof(store), "%s/weir-%d", base, OWNER);
    tree_remove(store);
    int made = as_user(squatter, make);
    int seen = as_user(OWNER, owner_opens);
    checks++;
    snprintf(detail, sizeof(detail), "made: %d; the owner got %d, not %d", made, seen, expected);
    result(made == 0 && seen == expected, what, detail);
    unlink(store);
    tree_remove(store);
}

static int make_directory(void) {
    char path[128];
    snprintf(path, sizeof(path), "%s/weir-%d", base, OWNER);
    return mkdir(path, 0777) == 0 && chmod(path, 0777) == 0 ? 0 : errno;
}

static int make_link(void) {
    char path[128];
    snprintf(path, sizeof(path), "%s/weir-%d", base, OWNER);
    return symlink("/tmp", path) == 0 ? 0 : errno;
}

static int make_file(void) {
    char path[128];
    snprintf(path, sizeof(path), "%s/weir-%d", base, OWNER);
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
    return fd >= 0 ? 0 : errno;
}

static int make_fifo(void) {
    char path[128];
    snprintf(path, sizeof(path), "%s/weir-%d", base, OWNER);
    return mkfifo(path, 0666) == 0 ? 0 : errno;
}

/* Inside the owner's own store, with a name that leads elsewhere: root's mistake, or one's own. */
static int make_channel_link(void) {
    char path[160];
    snprintf(path, sizeof(path), "%s/weir-%d", base, OWNER);
    int failed = mkdir(path, 0700) != 0;
    snprintf(path, sizeof(path), "%s/weir-%d/mine", base, OWNER);
    return failed || symlink("/tmp", path) != 0 ? errno : 0;
}

static int make_open_store(void) {
    return make_directory();
}

static int store_enter(void) {
    const char *given = getenv("WEIR_SHM_DIR");
    return given && access(given, X_OK) != 0 ? errno : 0;
}

int main(void) {
    const size_t cases_count = sizeof(cases) / sizeof(cases[0]);
    if (geteuid() != 0) {
        printf("1..1\nok 1 - users # SKIP only root can become other users\n");
        return 0;
    }
    /* Where the tests' own place is closed to others, all of this must lie elsewhere. */
    if (as_user(STRANGER, store_enter) != 0)
        unsetenv("WEIR_SHM_DIR");
    scratch_make(base, "users");
    if (chmod(base, 01777) != 0)
        return 2;
    printf("1..%zu\n", cases_count + 7);
    fflush(stdout);
    for (size_t i = 0; i < cases_count; i++)
        case_run(i);
    squat("a stranger's directory at the place of the store", STRANGER, make_directory, WEIR_EACCESS);
    squat("root's directory at the place of the store", 0, make_directory, WEIR_EACCESS);
    squat("a stranger's link at the place of the store", STRANGER, make_link, WEIR_EACCESS);
    squat("a stranger's file at the place of the store", STRANGER, make_file, WEIR_EACCESS);
    squat("a stranger's FIFO at the place of the store", STRANGER, make_fifo, WEIR_EACCESS);
    squat("a store that everybody can write", OWNER, make_open_store, WEIR_EACCESS);
    squat("a link at the place of the channel", OWNER, make_channel_link, WEIR_ESYSTEM);
    printf("# %d checks\n", checks);
    tree_remove(base);
    return failures != 0;
}
