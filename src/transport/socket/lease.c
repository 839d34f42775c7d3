/* Leases on lock files.
 *
 * What must stay true: the holder is whoever has the exclusive lock on the file that stands at PATH.lock now. The file
 * is removed only by its holder, and whoever gets the lock looks whether the file is still the one at the path, as it
 * may have been removed between his open and his lock. The note inside names the holder in sentences; nothing is
 * decided by it. */
#include "transport/socket/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/limit.h"
#include "os/lock.h"
#include "os/process.h"

enum { LOCK_PATH_MAX = 512, RACES_MAX = 100 };

static void lock_path(const char *path, char *ret) {
    snprintf(ret, LOCK_PATH_MAX, "%s.lock", path);
}

static int lock_open(const char *path, const char *lock, int *ret_fd, weir_error *err) {
    struct stat status;
    int fd = open(lock, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
    if (fd < 0 && errno == ENOENT)
        return weir_fail(err, WEIR_ENOENT, "unix://%s: the directory is not there; create it first", path);
    if (fd < 0 && errno == ELOOP)
        return weir_fail(err, WEIR_EACCESS, "unix://%s: %s is a symbolic link; remove it or choose another path", path,
                         lock);
    if (fd < 0)
        return weir_fail_errno(err, errno, "unix://%s: the lock file %s cannot be opened", path, lock);
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && (status.st_uid == geteuid() || geteuid() == 0)) {
        *ret_fd = fd;
        return WEIR_OK;
    }
    close(fd);
    return weir_fail(err, WEIR_EACCESS, "unix://%s: %s is not a file of this user; remove it or choose another path",
                     path, lock);
}

/* Is @fd the file that stands at @lock? */
static int is_current(int fd, const char *lock) {
    struct stat mine, there;
    return fstat(fd, &mine) == 0 && lstat(lock, &there) == 0 && mine.st_dev == there.st_dev &&
           mine.st_ino == there.st_ino;
}

static void note_write(int fd, const char *what) {
    char program[64], text[WEIR_LEASE_TEXT_MAX];
    weir_process_program(getpid(), program, sizeof(program));
    int size = snprintf(text, sizeof(text), "%s %s, pid %ld\n", what, program, (long)getpid());
    /* Only sentences depend on it, so a full disk is no reason to fail. */
    if ((uint64_t)size <= weir_limit_file_size() && ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)size, 0) != size)
        (void)!ftruncate(fd, 0);
}

static int busy(const char *path, int fd, weir_error *err) {
    char text[WEIR_LEASE_TEXT_MAX];
    ssize_t size = pread(fd, text, sizeof(text) - 1, 0);
    text[size > 0 ? size : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return weir_fail(err, WEIR_EBUSY, "unix://%s: %s listens there already; close it first or choose another path",
                     path, text[0] ? text : "another process");
}

int weir_lease_take(const char *path, const char *what, int *ret_fd, weir_error *err) {
    char lock[LOCK_PATH_MAX];
    lock_path(path, lock);
    for (int race = 0; race < RACES_MAX; race++) {
        int fd = -1, status = lock_open(path, lock, &fd, err);
        if (status != WEIR_OK)
            return status;
        status = weir_lock_take(fd, 0, 1);
        if (status == WEIR_OK && is_current(fd, lock)) {
            note_write(fd, what);
            *ret_fd = fd;
            return WEIR_OK;
        }
        if (status == WEIR_ESYSTEM)
            weir_fail_errno(err, errno, "unix://%s: %s cannot be locked", path, lock);
        if (status == WEIR_EBUSY)
            busy(path, fd, err);
        close(fd);
        if (status != WEIR_OK)
            return status;
    }
    return weir_fail(err, WEIR_EBUSY, "unix://%s: somebody else keeps replacing %s", path, lock);
}

void weir_lease_drop(const char *path, int fd) {
    char lock[LOCK_PATH_MAX];
    lock_path(path, lock);
    if (is_current(fd, lock))
        unlink(lock);
    close(fd);
}

int weir_lease_is_taken(const char *path) {
    char lock[LOCK_PATH_MAX];
    lock_path(path, lock);
    int fd = open(lock, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? 0 : -1;
    int is_taken = weir_lock_is_held(fd, 0);
    close(fd);
    return is_taken;
}

/* The lock of the dead is free; with it in hand nobody else comes to listen. */
static int dead_clear(const char *path, const char *lock, int is_dry_run, weir_clean_fn *clean_fn, void *user) {
    struct stat about;
    int is_socket = lstat(path, &about) == 0 && S_ISSOCK(about.st_mode) && about.st_uid == geteuid();
    int status = clean_fn ? clean_fn(is_socket ? path : lock, "socket of a dead listener", 0, user) : WEIR_OK;
    if (status || is_dry_run)
        return status;
    if (is_socket)
        unlink(path);
    unlink(lock);
    return WEIR_OK;
}

int weir_lease_clear(const struct weir_place *place, int is_dry_run, weir_clean_fn *clean_fn, void *user,
                     weir_error *err) {
    char lock[LOCK_PATH_MAX];
    struct stat about;
    lock_path(place->name, lock);
    int fd = open(lock, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return weir_fail(err, WEIR_ENOENT, "%s: nothing of weir is there", place->text);
    if (fd < 0 && errno == EACCES)
        return weir_fail(err, WEIR_EACCESS, "%s is another user's, who alone can remove it", place->text);
    if (fd < 0)
        return weir_fail_errno(err, errno, "%s: %s cannot be opened", place->text, lock);
    int status = WEIR_OK;
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode) || about.st_uid != geteuid())
        status = weir_fail(err, WEIR_EACCESS, "%s is another user's, who alone can remove it", place->text);
    else if (weir_lock_take(fd, 0, 1) != WEIR_OK || !is_current(fd, lock))
        status = busy(place->name, fd, err);
    else
        status = dead_clear(place->name, lock, is_dry_run, clean_fn, user);
    close(fd);
    return status;
}
