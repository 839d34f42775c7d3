/* FIFOs that wake descriptors: wake.S in a directory of the channel. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transport/shm/backing.h"

int weir_fifo_open(int directory, unsigned slot, int must_make, uint32_t mode) {
    char name[16];
    struct stat about;
    snprintf(name, sizeof(name), "wake.%u", slot);
    /* The FIFO of an earlier reader in this slot is used again, so that writers that have it open stay right. */
    if (must_make && mkfifoat(directory, name, 0600) != 0 && errno != EEXIST)
        return -1;
    /* For reading and writing: then opening does not wait for the other side, and as there is always a reader,
     * ourselves, writing never raises SIGPIPE in the host. */
    int fd = openat(directory, name, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return -1;
    int is_right = fstat(fd, &about) == 0 && S_ISFIFO(about.st_mode);
    if (is_right && must_make && mode != 0600)
        is_right = fchmod(fd, mode) == 0 || errno == EPERM;
    if (is_right)
        return fd;
    close(fd);
    errno = EBADF;
    return -1;
}
