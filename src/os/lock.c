/* Leases on OFD record locks.
 *
 * Why these and not flock or classic record locks: they have byte ranges, they are not lost when another descriptor of
 * the same file is closed in the process, and a process that may only read a file cannot take an exclusive one. Taking
 * or testing one is a system call (about 1.2 us), so callers do it at open and when they are stuck, never per
 * message. */
#include "os/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <weir/error.h>

#include "base/clock.h"

enum { NAP_NS = 200 * 1000 };

static int lock_call(int fd, int command, struct flock *lock) {
    int status;
    do
        status = fcntl(fd, command, lock);
    while (status < 0 && errno == EINTR);
    return status;
}

static struct flock lock_of(uint64_t offset, short type) {
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)offset, .l_len = 1};
}

int weir_lock_take(int fd, uint64_t offset, int is_exclusive) {
    struct flock lock = lock_of(offset, is_exclusive ? F_WRLCK : F_RDLCK);
    if (lock_call(fd, F_OFD_SETLK, &lock) == 0)
        return WEIR_OK;
    return errno == EAGAIN || errno == EACCES ? WEIR_EBUSY : WEIR_ESYSTEM;
}

int weir_lock_wait(int fd, uint64_t offset, int is_exclusive, int64_t deadline) {
    for (;;) {
        int status = weir_lock_take(fd, offset, is_exclusive);
        if (status != WEIR_EBUSY)
            return status;
        int64_t left = weir_deadline_left(deadline);
        if (left == 0)
            return WEIR_ETIMEOUT;
        /* F_OFD_SETLKW cannot be given a deadline without a signal, so waiting is a row of short naps. */
        struct timespec nap = {.tv_nsec = left < NAP_NS ? (long)left : NAP_NS};
        nanosleep(&nap, NULL);
    }
}

void weir_lock_drop(int fd, uint64_t offset) {
    struct flock lock = lock_of(offset, F_UNLCK);
    lock_call(fd, F_OFD_SETLK, &lock);
}

void weir_lock_drop_all(int fd) {
    struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
    lock_call(fd, F_OFD_SETLK, &lock);
}

int weir_lock_is_held(int fd, uint64_t offset) {
    struct flock lock = lock_of(offset, F_WRLCK);
    /* When the question itself fails, "held" is the answer that lets nobody take away what may be alive. */
    return lock_call(fd, F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
}
