/* The parts of a bare log that are not in the fast path: system calls, and reading on. */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

int bare_log_open(struct bare_log *log, const char *path) {
    log->used = 0;
    log->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return log->fd < 0 ? -1 : 0;
}

int bare_log_flush(struct bare_log *log) {
    ssize_t written = log->used ? write(log->fd, log->buffer, log->used) : 0;
    if (written != (ssize_t)log->used)
        return -1;
    log->used = 0;
    return 0;
}

static int lock_set(int fd, int command, short type) {
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET};
    return fcntl(fd, command, &lock);
}

int bare_log_lock(const struct bare_log *log) {
    return lock_set(log->fd, F_OFD_SETLKW, F_WRLCK);
}

int bare_log_unlock(const struct bare_log *log) {
    return lock_set(log->fd, F_OFD_SETLK, F_UNLCK);
}

void bare_log_close(struct bare_log *log) {
    close(log->fd);
}

/* ---- tail ---- */

int bare_tail_open(struct bare_tail *tail, const char *path) {
    tail->at = tail->size = 0;
    tail->fd = open(path, O_RDONLY | O_CLOEXEC);
    tail->inotify_fd = inotify_init1(IN_CLOEXEC);
    return tail->fd >= 0 && tail->inotify_fd >= 0 && inotify_add_watch(tail->inotify_fd, path, IN_MODIFY) >= 0 ? 0 : -1;
}

void bare_tail_close(struct bare_tail *tail) {
    close(tail->fd);
    close(tail->inotify_fd);
}

static int is_there(const struct bare_tail *tail, const unsigned char **ret, uint32_t *ret_size) {
    if (tail->size - tail->at < BARE_LOG_LENGTH)
        return 0;
    memcpy(ret_size, tail->window + tail->at, BARE_LOG_LENGTH);
    *ret = tail->window + tail->at + BARE_LOG_LENGTH;
    return tail->size - tail->at >= BARE_LOG_LENGTH + *ret_size;
}

int bare_tail_next(struct bare_tail *tail, int must_wait, const unsigned char **ret, uint32_t *ret_size) {
    char events[4096] __attribute__((aligned(8)));
    while (!is_there(tail, ret, ret_size)) {
        memmove(tail->window, tail->window + tail->at, tail->size - tail->at);
        tail->size -= tail->at;
        tail->at = 0;
        ssize_t got = read(tail->fd, tail->window + tail->size, BARE_LOG_WINDOW - tail->size);
        if (got < 0)
            return -1;
        tail->size += (size_t)got;
        if (got == 0 && !must_wait)
            return 0;
        if (got == 0 && read(tail->inotify_fd, events, sizeof(events)) < 0 && errno != EINTR)
            return -1;
    }
    tail->at += BARE_LOG_LENGTH + *ret_size;
    return 1;
}
