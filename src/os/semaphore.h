/* POSIX semaphores in memory that processes share: the classic way to sleep until another process says go.
 *
 * What must stay true: they are used only where everybody who may write the memory is our own user. The C library
 * believes what stands in a sem_t and ends the process over what cannot be, so a hostile peer could end ours
 * (docs/design/0002). Their bytes are the C library's own, so a kind says whose they are, and only who has the same
 * kind touches them. */
#ifndef WEIR_OS_SEMAPHORE_H
#define WEIR_OS_SEMAPHORE_H

#include <stdint.h>

enum { WEIR_SEMAPHORE_SIZE = 64 };

/* Which sem_t this process has: 1 glibc with 64-bit atomics (value in the low, waiters in the high half of the first 8
 * bytes), 2 glibc without; 0: none that can be used here. */
uint32_t weir_semaphore_kind(void);
/* Make one of value 0 in WEIR_SEMAPHORE_SIZE bytes that only the caller waits on. Needs no counterpart: it owns
 * nothing. */
void weir_semaphore_init(void *at);
/* Take what was posted before. */
void weir_semaphore_drain(void *at);
/* Sleep until a post, at most @timeout_ns. Returns early on signals.
 * Return: 1 when the time has passed. */
int weir_semaphore_wait(void *at, int64_t timeout_ns);
/* Wake the sleeper. Nothing is added while the value is above 0, so posts to one that is stopped do not pile up. */
void weir_semaphore_post(void *at);

#endif
