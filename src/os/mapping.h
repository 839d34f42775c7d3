/* Mappings of files. None is inherited by a forked child (MADV_DONTFORK), and all may be read, the writable ones
 * written. */
#ifndef WEIR_OS_MAPPING_H
#define WEIR_OS_MAPPING_H

#include <stddef.h>

enum weir_mapping_flags {
    WEIR_MAPPING_WRITE = 1,
    WEIR_MAPPING_POPULATE = 2 /* touch every page now, so that nobody waits for the first touch later */
};

/* Map the first @size bytes of @fd. Return: NULL on failure, with errno. */
void *weir_mapping_new(int fd, size_t size, unsigned flags);
/* Map @head_size bytes and the @ring_size bytes behind them, and these a second time right after, so that what runs
 * over the ring's end goes on at its beginning. Both sizes are multiples of the page. Unmap head_size + 2 * ring_size
 * bytes. */
void *weir_mapping_new_ring(int fd, size_t head_size, size_t ring_size, unsigned flags);
/* Touch every page of what is mapped, as a favour: what the kernel does not do now, a fault does later. */
void weir_mapping_populate(void *data, size_t size, unsigned flags);
void weir_mapping_free(void *data, size_t size);

#endif
