/* Named pipes: made, opened, claimed. Which locks mean what stands in pipe.h.
 *
 * What must stay true: nobody sees a FIFO with other rights than its address gives it, so it is made under another
 * name (PATH.new) and linked into place. What is opened is judged by its descriptor, never by its name. Whoever has
 * claimed a pipe looks whether it is still the one at the path, as the last end before may have taken it away between
 * open and lock; who takes it away holds both claims. */
#include "transport/fifo/pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "os/lock.h"
#include "os/process.h"

enum {
    PATH_SIZE = WEIR_PLACE_TEXT_MAX + 16,
    GROUP_MEMORY = 4096,
    NAP_NS = 1000 * 1000,
    GOING_LOOKS = 20,
    LINE_SIZE = 256
};
static const int64_t SETTLE_NS = 1000000000; /* how long somebody may be about to go, or to make the pipe */

static const char new_suffix[] = ".new";

int weir_pipe_check(const struct weir_place *place, weir_error *err) {
    size_t size = strlen(place->name);
    if (place->name[0] != '/')
        return weir_fail(err, WEIR_EADDRESS, "%s: the path must be absolute, as in fifo:///run/imu.fifo", place->text);
    if (place->name[size - 1] == '/')
        return weir_fail(err, WEIR_EADDRESS, "%s: the path ends in a slash; write the pipe's own path", place->text);
    return WEIR_OK;
}

static void nap(void) {
    nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
}

/* ---- making ---- */

static int group_find(const struct weir_place *place, gid_t *ret, weir_error *err) {
    struct group entry, *found = NULL;
    char memory[GROUP_MEMORY], *end;
    if (getgrnam_r(place->group, &entry, memory, sizeof(memory), &found) == 0 && found) {
        *ret = found->gr_gid;
        return WEIR_OK;
    }
    unsigned long number = strtoul(place->group, &end, 10);
    if (*end != '\0' || end == place->group || number >= UINT32_MAX)
        return weir_fail(err, WEIR_EADDRESS, "%s: there is no group \"%s\"", place->text, place->group);
    *ret = (gid_t)number;
    return WEIR_OK;
}

static int is_ours(uid_t owner) {
    return owner == geteuid() || geteuid() == 0;
}

int weir_pipe_make_private(const char *path) {
    return mkfifo(path, 0600) == 0 ? 0 : errno;
}

/* Give the FIFO at @path, which was made with no rights for others, its group and mode. */
static int rights_set(const struct weir_place *place, const char *path, gid_t group, weir_error *err) {
    if (group != (gid_t)-1 && lchown(path, (uid_t)-1, group) != 0)
        return weir_fail_errno(err, errno, "%s: the pipe cannot be given to group \"%s\"", place->text, place->group);
    if (chmod(path, place->mode & 0666) != 0)
        return weir_fail_errno(err, errno, "%s: the pipe's mode cannot be set", place->text);
    return WEIR_OK;
}

/* Make it under its other name and link it into place; whoever was faster wins. */
static int made(const struct weir_place *place, gid_t group, weir_error *err) {
    char path[PATH_SIZE];
    struct stat there;
    snprintf(path, sizeof(path), "%s%s", place->name, new_suffix);
    int64_t deadline = weir_deadline(SETTLE_NS);
    int sys_errno;
    while ((sys_errno = weir_pipe_make_private(path)) == EEXIST) {
        if (lstat(place->name, &there) == 0)
            return WEIR_OK;
        if (weir_deadline_left(deadline) > 0) { /* somebody is making it */
            nap();
            continue;
        }
        /* He died over it. */
        if (lstat(path, &there) != 0 || !S_ISFIFO(there.st_mode) || !is_ours(there.st_uid) || unlink(path) != 0)
            return weir_fail(err, WEIR_EACCESS, "%s: %s is in the way; remove it or choose another path", place->text,
                             path);
    }
    if (sys_errno == ENOENT)
        return weir_fail(err, WEIR_ENOENT, "%s: the directory is not there; create it first", place->text);
    if (sys_errno != 0)
        return sys_errno == EACCES ? weir_access_refused(err, sys_errno, place->text, place->name, 2)
                                   : weir_fail_errno(err, sys_errno, "%s: the pipe cannot be made", place->text);
    int status = rights_set(place, path, group, err);
    if (status == WEIR_OK && link(path, place->name) != 0 && errno != EEXIST)
        status = weir_fail_errno(err, errno, "%s: the pipe cannot be put in its place", place->text);
    unlink(path);
    return status;
}

int weir_pipe_absent(const struct weir_place *place, weir_error *err) {
    if (errno != ENOENT)
        return weir_fail_errno(err, errno, "%s: the pipe cannot be looked at", place->text);
    return weir_fail(err, WEIR_ENOENT, "%s: nobody has made a pipe there; open a writer or reader, or use mkfifo",
                     place->text);
}

int weir_pipe_make(const struct weir_place *place, weir_error *err) {
    struct stat there;
    gid_t group = (gid_t)-1;
    if (lstat(place->name, &there) == 0)
        return WEIR_OK;
    if (errno != ENOENT)
        return weir_fail_errno(err, errno, "%s: the pipe cannot be reached", place->text);
    if (!place->may_create)
        return weir_fail(err, WEIR_ENOENT, "%s: there is no pipe, and create=0 forbids to make one", place->text);
    int status = place->group[0] ? group_find(place, &group, err) : WEIR_OK;
    return status ? status : made(place, group, err);
}

/* ---- opening ---- */

static int owner_check(const struct weir_place *place, const struct stat *about, weir_error *err) {
    char user[64];
    if (!weir_access_is_planted(place->name, about->st_uid))
        return WEIR_OK;
    weir_process_user(about->st_uid, user, sizeof(user));
    return weir_fail(err, WEIR_EACCESS,
                     "%s: the pipe is of user %s, in a directory where everybody may put one; choose a directory that "
                     "only the right user can write",
                     place->text, user);
}

static int open_failed(const struct weir_place *place, int flags, int sys_errno, weir_error *err) {
    if (sys_errno == ENOENT)
        return weir_fail(err, WEIR_ENOENT, "%s: there is no pipe", place->text);
    if (sys_errno == ENXIO)
        return weir_fail(err, WEIR_ENOENT, "%s: nobody reads there", place->text);
    if (sys_errno == ELOOP)
        return weir_fail(err, WEIR_EACCESS, "%s: there is a symbolic link; write the pipe's own path", place->text);
    if (sys_errno == EACCES || sys_errno == EPERM)
        return weir_access_refused(err, sys_errno, place->text, place->name, (flags & O_ACCMODE) == O_RDONLY ? 4 : 2);
    return weir_fail_errno(err, sys_errno, "%s: the pipe cannot be opened", place->text);
}

static const char *kind_of(mode_t mode) {
    return S_ISREG(mode) ? "regular file" : S_ISDIR(mode) ? "directory" : S_ISSOCK(mode) ? "socket" : "device";
}

static int not_a_pipe(const struct weir_place *place, mode_t mode, weir_error *err) {
    return weir_fail(err, WEIR_EADDRESS, "%s: there is a %s, not a named pipe; remove it or choose another path",
                     place->text, kind_of(mode));
}

int weir_pipe_open(const struct weir_place *place, int flags, struct stat *ret, weir_error *err) {
    struct stat about;
    /* Looked at first, because opening a device may do something. */
    if (lstat(place->name, &about) == 0 && !S_ISFIFO(about.st_mode) && !S_ISLNK(about.st_mode)) {
        not_a_pipe(place, about.st_mode, err);
        errno = EINVAL;
        return -1;
    }
    int fd = open(place->name, flags | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        int sys_errno = errno;
        open_failed(place, flags, sys_errno, err);
        errno = sys_errno;
        return -1;
    }
    int status = fstat(fd, &about) == 0 ? WEIR_OK : weir_fail_errno(err, errno, "%s: cannot be looked at", place->text);
    if (status == WEIR_OK && !S_ISFIFO(about.st_mode))
        status = not_a_pipe(place, about.st_mode, err);
    if (status == WEIR_OK)
        status = owner_check(place, &about, err);
    if (status == WEIR_OK) {
        *ret = about;
        return fd;
    }
    close(fd);
    errno = EINVAL;
    return -1;
}

static int is_same(int fd, const struct stat *about) {
    struct stat mine;
    return fstat(fd, &mine) == 0 && mine.st_dev == about->st_dev && mine.st_ino == about->st_ino;
}

int weir_pipe_open_again(const struct weir_place *place, int fd, int flags) {
    char path[64];
    struct stat about;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int again = open(path, flags | O_NONBLOCK | O_CLOEXEC);
    if (again >= 0 || errno != ENOENT)
        return again;
    again = open(place->name, flags | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC); /* no /proc here */
    if (again < 0 || (fstat(again, &about) == 0 && is_same(fd, &about)))
        return again;
    close(again);
    errno = ENOENT;
    return -1;
}

int weir_pipe_is_current(const struct weir_place *place, int fd) {
    struct stat about;
    return lstat(place->name, &about) == 0 && is_same(fd, &about);
}

/* ---- claims ---- */

uint64_t weir_pipe_note(int fd, enum weir_note note) {
    struct flock lock = {.l_type = F_WRLCK,
                         .l_whence = SEEK_SET,
                         .l_start = (off_t)((uint64_t)note << 60),
                         .l_len = (off_t)(UINT64_C(1) << 60)};
    int status;
    do
        status = fcntl(fd, F_OFD_GETLK, &lock);
    while (status < 0 && errno == EINTR);
    return status < 0 || lock.l_type == F_UNLCK ? 0 : (uint64_t)lock.l_start;
}

static int note_leave(int fd, enum weir_note note, uint32_t session) {
    uint64_t where = (uint64_t)note << 60 | ((uint64_t)getpid() & 0x0FFFFFFF) << 32 | session;
    return weir_lock_take(fd, where, note == WEIR_NOTE_WRITER);
}

int weir_pipe_busy(const struct weir_place *place, uint64_t note, weir_error *err) {
    static const char *const does[] = {"holds it", "writes there", "reads there", "reads there as an observer",
                                       "serves there"};
    char user[64], program[64];
    uint32_t uid;
    int64_t pid = weir_note_pid(note);
    if (note == 0 || weir_process_owner(pid, &uid) != WEIR_OK)
        return weir_fail(err, WEIR_EBUSY, "%s: another process holds it already; a pipe has one writer and one reader",
                         place->text);
    weir_process_user(uid, user, sizeof(user));
    weir_process_program(pid, program, sizeof(program));
    return weir_fail(err, WEIR_EBUSY,
                     "%s: %s (pid %" PRId64 ", user %s) %s already; a pipe has one writer and one reader, so close it "
                     "first or choose another path",
                     place->text, program, pid, user,
                     does[weir_note_role(note) <= WEIR_NOTE_LAST ? weir_note_role(note) : 0]);
}

/* Whose claim is in the way of @note. */
static uint64_t holder(int fd, enum weir_note note) {
    if (note == WEIR_NOTE_WRITER)
        return weir_pipe_note(fd, note);
    uint64_t found = 0;
    for (int other = WEIR_NOTE_READER; other <= WEIR_NOTE_LAST && !found; other++)
        found = weir_pipe_note(fd, (enum weir_note)other);
    return found;
}

static int claim_try(int fd, enum weir_note note) {
    int status;
    if (note == WEIR_NOTE_WRITER)
        return weir_lock_take(fd, 0, 1);
    do
        status = flock(fd, LOCK_EX | LOCK_NB);
    while (status != 0 && errno == EINTR);
    return status == 0 ? WEIR_OK : errno == EWOULDBLOCK ? WEIR_EBUSY : WEIR_ESYSTEM;
}

int weir_pipe_claim(const struct weir_place *place, int lock_fd, enum weir_note note, uint32_t session,
                    weir_error *err) {
    int64_t deadline = weir_deadline(SETTLE_NS);
    int status;
    while ((status = claim_try(lock_fd, note)) == WEIR_EBUSY) {
        if (!weir_pipe_is_current(place, lock_fd))
            return WEIR_EAGAIN;
        uint64_t who = holder(lock_fd, note);
        /* Without a note he has just come, or is taking the pipe away. */
        if (who || weir_deadline_left(deadline) == 0)
            return weir_pipe_busy(place, who, err);
        nap();
    }
    if (status != WEIR_OK)
        return weir_fail_errno(err, errno, "%s: the pipe cannot be locked", place->text);
    if (!weir_pipe_is_current(place, lock_fd))
        return WEIR_EAGAIN;
    if (note_leave(lock_fd, note, session) == WEIR_ESYSTEM)
        return weir_fail_errno(err, errno, "%s: the pipe cannot be locked", place->text);
    return WEIR_OK;
}

void weir_pipe_unclaim(int lock_fd) {
    if (lock_fd < 0)
        return;
    weir_lock_drop_all(lock_fd);
    (void)flock(lock_fd, LOCK_UN);
}

/* Does nobody have it open for reading? Asked with no reading descriptor of our own. */
static int is_unread(int write_fd) {
    struct pollfd item = {.fd = write_fd, .events = POLLOUT};
    while (poll(&item, 1, 0) < 0 && errno == EINTR)
        continue;
    return (item.revents & POLLERR) != 0;
}

/* Take it away if we are the last. Return: 0 when that cannot be told yet: somebody without a note has it open. */
static int remove_try(const struct weir_place *place) {
    struct stat about;
    int read_fd = weir_pipe_open(place, O_RDONLY, &about, NULL);
    int fd = read_fd >= 0 ? weir_pipe_open_again(place, read_fd, O_WRONLY) : -1;
    if (read_fd >= 0)
        close(read_fd);
    if (fd < 0)
        return 1;
    int is_told = holder(fd, WEIR_NOTE_READER) || holder(fd, WEIR_NOTE_WRITER);
    /* Who has opened it and not claimed it yet may have been sent something already. */
    if (!is_told && claim_try(fd, WEIR_NOTE_READER) == WEIR_OK && claim_try(fd, WEIR_NOTE_WRITER) == WEIR_OK &&
        is_unread(fd)) {
        is_told = 1;
        if (weir_pipe_is_current(place, fd))
            unlink(place->name);
    }
    close(fd);
    return is_told;
}

/* Of two that go at the same instant each sees the other; so who sees somebody without a note looks again. */
void weir_pipe_remove_last(const struct weir_place *place) {
    for (int look = 0; look < GOING_LOOKS && !remove_try(place); look++)
        nap();
}

/* ---- looking from outside ---- */

/* A line of /proc/locks: "4: OFDLCK ADVISORY  WRITE -1 fe:00:1002 1152964767793330840 1152964767793330840". */
static void line_look(const char *line, const struct stat *about, uint64_t *ret) {
    unsigned long inode;
    uint64_t start;
    if (sscanf(line, "%*d: OFDLCK %*s %*s %*d %*x:%*x:%lu %" SCNu64, &inode, &start) != 2 || inode != about->st_ino)
        return; /* the device is not compared: layered file systems show two */
    unsigned role = (unsigned)(start >> 60);
    if (role < WEIR_NOTE_WRITER || role > WEIR_NOTE_LAST)
        return;
    ret[role] = start;
    ret[0] = 1;
}

void weir_pipe_look(const struct stat *about, uint64_t ret[WEIR_NOTE_LAST + 1]) {
    char line[LINE_SIZE];
    memset(ret, 0, (WEIR_NOTE_LAST + 1) * sizeof(*ret));
    FILE *locks = fopen("/proc/locks", "re");
    while (locks && fgets(line, sizeof(line), locks))
        line_look(line, about, ret);
    if (locks)
        fclose(locks);
}
