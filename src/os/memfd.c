/* Sealed memory. F_SEAL_FUTURE_WRITE (Linux 5.1) is what lets the maker go on writing through the mapping he has; it
 * forbids punching holes, too. memfds have mode 0777 at first, with which anybody could open them again for writing
 * through /proc/PID/fd. */
#include "os/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/limit.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

enum { BLOCK = 512 };

int weir_memfd_new(uint64_t size) {
    int fd = memfd_create("weir", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -1;
    int failed = size > weir_limit_file_size() ? EFBIG : fchmod(fd, 0600) == 0 ? 0 : errno;
    while (failed == 0 || failed == EINTR) {
        failed = posix_fallocate(fd, 0, (off_t)size);
        if (failed != EINTR)
            break;
    }
    if (failed == 0)
        return fd;
    close(fd);
    errno = failed;
    return -1;
}

int weir_memfd_seal(int fd, enum weir_memfd_for whom) {
    int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL | (whom == WEIR_MEMFD_READERS ? F_SEAL_FUTURE_WRITE : 0);
    return fcntl(fd, F_ADD_SEALS, seals);
}

int weir_memfd_read_only(int fd) {
    char path[40];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int again = open(path, O_RDONLY | O_CLOEXEC);
    return again >= 0 ? again : fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

int weir_memfd_check(int fd, enum weir_memfd_for whom, uint64_t *ret_size) {
    struct stat about;
    int wanted = F_SEAL_SHRINK | F_SEAL_GROW | (whom == WEIR_MEMFD_READERS ? F_SEAL_FUTURE_WRITE : 0);
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & wanted) != wanted || fstat(fd, &about) != 0 || !S_ISREG(about.st_mode))
        return 0;
    /* Memory that is only promised would be taken from us when we look at it. */
    if (whom == WEIR_MEMFD_READERS && (uint64_t)about.st_blocks * BLOCK < (uint64_t)about.st_size)
        return 0;
    *ret_size = (uint64_t)about.st_size;
    return 1;
}
