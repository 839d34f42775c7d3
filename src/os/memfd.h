/* Memory that is shared by handing over its descriptor, and sealed so that whoever has it cannot harm the others who
 * have.
 *
 * Sealed memory never shrinks or grows, so that no access to a mapping of it fails; with WEIR_MEMFD_READERS nobody but
 * who has it mapped for writing already can write it, whatever descriptor he has. Seals cannot be taken off. */
#ifndef WEIR_OS_MEMFD_H
#define WEIR_OS_MEMFD_H

#include <stdint.h>

enum weir_memfd_for {
    WEIR_MEMFD_BOTH = 0,   /* who gets it may write */
    WEIR_MEMFD_READERS = 1 /* who gets it may read */
};

/* @size bytes of zeros that have their memory. Return: a descriptor, or -1 with errno. */
int weir_memfd_new(uint64_t size);
/* Call it when our own mapping is made. Return: 0, or -1 with errno. */
int weir_memfd_seal(int fd, enum weir_memfd_for whom);
/* Another descriptor of the same memory that can only be read; the same kind as @fd where /proc is not there, which is
 * as good when it is sealed for readers. */
int weir_memfd_read_only(int fd);
/* Is what somebody gave us memory that cannot shrink, and (for readers) cannot be taken away in part, and has it all
 * its bytes?
 * Return: 1 and its size, or 0. */
int weir_memfd_check(int fd, enum weir_memfd_for whom, uint64_t *ret_size);

#endif
