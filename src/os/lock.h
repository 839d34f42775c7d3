/* Leases: OFD record locks on one byte of a lock file. The kernel gives them back when their holder dies, also by kill
 * -9; they belong to the open file, so closing another descriptor of the same file does not lose them.
 *
 * A forked child shares its parent's leases: whoever opens one opens the file with O_CLOEXEC, and objects refuse to
 * work in a child (os/fork.h). */
#ifndef WEIR_OS_LOCK_H
#define WEIR_OS_LOCK_H

#include <stdint.h>

/* Take the lease on byte @offset of @fd without waiting; shared or exclusive.
 * Return: WEIR_OK, WEIR_EBUSY (somebody holds it), WEIR_ESYSTEM. */
int weir_lock_take(int fd, uint64_t offset, int is_exclusive);
/* The same, waiting until a monotonic deadline in short naps. Return: also WEIR_ETIMEOUT. */
int weir_lock_wait(int fd, uint64_t offset, int is_exclusive, int64_t deadline);
void weir_lock_drop(int fd, uint64_t offset);
/* Before closing: a child that was forked a moment ago may have the file open as well, and would keep what is held. */
void weir_lock_drop_all(int fd);
/* 1 when another open file holds byte @offset in a way that would refuse us the exclusive lease; 0 when free. */
int weir_lock_is_held(int fd, uint64_t offset);

#endif
