/* Waiting for a file to change, with inotify: the file tells of writes, its directory of new files in the place of it.
 * The descriptors are made when somebody waits for the first time, so that reading what is there costs none of the few
 * that a user may have.
 *
 * What must stay true: notices are taken off before the file is looked at, never after, so none is lost. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "os/event.h"
#include "transport/file/file.h"

enum { NAP_NS = 10000000 };
static const uint32_t file_mask = IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF;
static const uint32_t directory_mask = IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM | IN_ONLYDIR;

void weir_watch_init(struct weir_watch *watch) {
    *watch =
        (struct weir_watch){.inotify_fd = -1, .file_watch = -1, .directory_watch = -1, .poll_fd = -1, .ready_fd = -1};
}

void weir_watch_close(struct weir_watch *watch) {
    int fds[] = {watch->poll_fd, watch->ready_fd, watch->inotify_fd};
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    weir_watch_init(watch);
}

void weir_watch_file(struct weir_watch *watch, int fd) {
    char path[64];
    if (watch->inotify_fd < 0)
        return;
    if (watch->file_watch >= 0)
        inotify_rm_watch(watch->inotify_fd, watch->file_watch);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    watch->file_watch = fd >= 0 ? inotify_add_watch(watch->inotify_fd, path, file_mask) : -1;
}

/* Return: WEIR_OK, or WEIR_ESYSTEM with errno. */
static int begin(struct weir_watch *watch, const struct weir_place *place, int fd) {
    char path[WEIR_FILE_PATH_MAX];
    snprintf(path, sizeof(path), "%s", place->name);
    char *slash = strrchr(path, '/');
    slash[slash == path] = '\0';
    watch->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watch->inotify_fd < 0)
        return WEIR_ESYSTEM;
    watch->directory_watch =
        inotify_add_watch(watch->inotify_fd, path, directory_mask | (place->is_state ? IN_CLOSE_WRITE : 0));
    weir_watch_file(watch, fd);
    if (watch->directory_watch >= 0 && (watch->file_watch >= 0 || fd < 0))
        return WEIR_OK;
    int reason = errno;
    close(watch->inotify_fd);
    watch->inotify_fd = -1;
    errno = reason;
    return WEIR_ESYSTEM;
}

int weir_watch_drain(struct weir_watch *watch) {
    char events[4096] __attribute__((aligned(8)));
    int had = 0;
    while (watch->inotify_fd >= 0 && read(watch->inotify_fd, events, sizeof(events)) > 0)
        had = 1;
    return had;
}

void weir_watch_ready(struct weir_watch *watch, int is_ready) {
    uint64_t count = 1;
    if (watch->ready_fd < 0 || watch->is_ready == is_ready)
        return;
    watch->is_ready = is_ready;
    if (is_ready)
        weir_event_tell(watch->ready_fd);
    else
        (void)!read(watch->ready_fd, &count, sizeof(count));
}

/* Without notices, because the user has used up his: look again every now and then. */
static int nap(int64_t deadline) {
    int64_t left = weir_deadline_left(deadline);
    nanosleep(&(struct timespec){.tv_nsec = left < NAP_NS ? (long)left : NAP_NS}, NULL);
    return WEIR_OK;
}

int weir_watch_wait(struct weir_watch *watch, const struct weir_place *place, int fd, int64_t deadline,
                    weir_error *err) {
    if (weir_deadline_left(deadline) == 0)
        return WEIR_ETIMEOUT;
    if (watch->inotify_fd < 0)
        return begin(watch, place, fd) == WEIR_OK ? WEIR_OK
                                                  : nap(deadline); /* look once more: it may have changed before */
    struct pollfd item = {.fd = watch->inotify_fd, .events = POLLIN};
    for (;;) {
        int64_t left = weir_deadline_left(deadline);
        struct timespec timeout = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
        int count = ppoll(&item, 1, left == INT64_MAX ? NULL : &timeout, NULL);
        if (count > 0)
            return WEIR_OK;
        if (count < 0 && errno != EINTR)
            return weir_fail_errno(err, errno, "%s: waiting failed", place->text);
        if (count == 0 && weir_deadline_left(deadline) == 0)
            return WEIR_ETIMEOUT;
    }
}

static int poll_begin(struct weir_watch *watch) {
    struct epoll_event event = {.events = EPOLLIN};
    watch->ready_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    watch->poll_fd = epoll_create1(EPOLL_CLOEXEC);
    watch->is_ready = 1;
    return watch->ready_fd >= 0 && watch->poll_fd >= 0 &&
                   epoll_ctl(watch->poll_fd, EPOLL_CTL_ADD, watch->ready_fd, &event) == 0 &&
                   epoll_ctl(watch->poll_fd, EPOLL_CTL_ADD, watch->inotify_fd, &event) == 0
               ? WEIR_OK
               : WEIR_ESYSTEM;
}

int weir_watch_fd(struct weir_watch *watch, const struct weir_place *place, int fd, int *ret, weir_error *err) {
    if (watch->inotify_fd < 0 && begin(watch, place, fd) != WEIR_OK)
        return weir_fail_errno(
            err, errno, "%s: cannot be watched; a user has only so many of these (fs.inotify.max_user_instances)",
            place->text);
    if (watch->poll_fd < 0 && poll_begin(watch) != WEIR_OK) {
        int reason = errno;
        weir_watch_close(watch);
        return weir_fail_errno(err, reason, "%s: no descriptor to wait on", place->text);
    }
    *ret = watch->poll_fd;
    return WEIR_OK;
}
