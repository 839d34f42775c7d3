/* FIFOs for readers that asked for a descriptor. System V has nothing that could be polled, so they lie in the store of
 * the channel's user, BASE/weir-UID/~sysv/0x5eed/wake.S, beside the channels of shm://. They carry no message: where
 * there is no store, readers look by a clock. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transport/shm/store.h"
#include "transport/sysv/sysv.h"

static const char FOLDER[] = "~sysv";
enum { NAME_SIZE = 16, OPEN_FLAGS = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

static void directory_name(const struct weir_backing *backing, char name[NAME_SIZE]) {
    snprintf(name, NAME_SIZE, "0x%" PRIx32, weir_sysv_of(backing)->key);
}

/* @name in @at, made with @mode when it is ours to make. */
static int directory_open(int at, const char *name, int may_make, mode_t mode) {
    if (may_make && mkdirat(at, name, 0700) == 0 && mode != 0700)
        fchmodat(at, name, mode, 0);
    return openat(at, name, OPEN_FLAGS);
}

/* The channel's directory; -1. @mode: of the channel. */
static int channel_directory(const struct weir_backing *backing, int may_make, uint32_t mode) {
    struct weir_store store;
    char name[NAME_SIZE];
    may_make = may_make && backing->uid == geteuid();
    if (weir_store_open_user(&store, backing->uid, may_make, mode, NULL) != WEIR_OK)
        return -1;
    int folder = directory_open(store.fd, FOLDER, may_make, mode & 077 ? 0711 : 0700);
    if (folder >= 0 && may_make && mode & 077)
        fchmodat(store.fd, FOLDER, 0711, 0);
    directory_name(backing, name);
    int fd = folder < 0 ? -1 : directory_open(folder, name, may_make, 0700 | weir_channel_mode(mode, 06, 07));
    if (folder >= 0)
        close(folder);
    weir_store_close(&store);
    return fd;
}

int weir_sysv_wake_open(const struct weir_backing *backing, unsigned slot, int must_make, uint32_t mode) {
    int directory = channel_directory(backing, must_make, mode);
    if (directory < 0)
        return -1;
    int fd = weir_fifo_open(directory, slot, must_make, mode);
    close(directory);
    return fd;
}

void weir_sysv_wake_make(const struct weir_backing *backing, uint32_t mode) {
    int fd = channel_directory(backing, 1, mode);
    if (fd >= 0)
        close(fd);
}

void weir_sysv_wake_remove(const struct weir_backing *backing) {
    struct weir_store store;
    char name[NAME_SIZE];
    if (backing->uid != geteuid() || weir_store_open_user(&store, backing->uid, 0, 0600, NULL) != WEIR_OK)
        return;
    int folder = openat(store.fd, FOLDER, OPEN_FLAGS);
    directory_name(backing, name);
    if (folder >= 0) {
        weir_store_remove(folder, name);
        close(folder);
        unlinkat(store.fd, FOLDER, AT_REMOVEDIR); /* if it is empty */
        weir_store_tidy(&store);
    }
    weir_store_close(&store);
}
