/* Mappings. MAP_POPULATE fills the page tables for all three parts of a ring: the same page costs a fault in each
 * place. */
#include "os/mapping.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static int protection(unsigned flags) {
    return PROT_READ | ((flags & WEIR_MAPPING_WRITE) ? PROT_WRITE : 0);
}

static int map_flags(unsigned flags) {
    return MAP_SHARED | ((flags & WEIR_MAPPING_POPULATE) ? MAP_POPULATE : 0);
}

static void *checked(void *data, size_t size) {
    if (madvise(data, size, MADV_DONTFORK) == 0)
        return data;
    int saved = errno;
    munmap(data, size);
    errno = saved;
    return NULL;
}

void *weir_mapping_new(int fd, size_t size, unsigned flags) {
    void *data = mmap(NULL, size, protection(flags), map_flags(flags), fd, 0);
    return data == MAP_FAILED ? NULL : checked(data, size);
}

void *weir_mapping_new_ring(int fd, size_t head_size, size_t ring_size, unsigned flags) {
    size_t size = head_size + 2 * ring_size;
    unsigned char *room = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED)
        return NULL;
    int how = map_flags(flags) | MAP_FIXED;
    if (mmap(room, head_size + ring_size, protection(flags), how, fd, 0) == MAP_FAILED ||
        mmap(room + head_size + ring_size, ring_size, protection(flags), how, fd, (off_t)head_size) == MAP_FAILED) {
        int saved = errno;
        munmap(room, size);
        errno = saved;
        return NULL;
    }
    return checked(room, size);
}

void weir_mapping_populate(void *data, size_t size, unsigned flags) {
    uintptr_t odd = (uintptr_t)data & ((uintptr_t)sysconf(_SC_PAGESIZE) - 1);
    madvise((unsigned char *)data - odd, size + odd,
            flags & WEIR_MAPPING_WRITE ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
}

void weir_mapping_free(void *data, size_t size) {
    if (data)
        munmap(data, size);
}
