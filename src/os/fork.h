/* Knowing that we are a forked child: a page that the kernel empties in children (MADV_WIPEONFORK), read by one
 * load. */
#ifndef WEIR_OS_FORK_H
#define WEIR_OS_FORK_H

#include <stdatomic.h>
#include <stdint.h>

/* A number that differs between a process and its forked children. Objects keep it at open and compare it at use. Never
 * 0. */
uint64_t weir_fork_generation(void);

extern _Atomic(uint64_t) *weir_fork_word; /* fork.c's own; NULL before the first call above */
/* For fast paths: has a fork come between the call above that gave @generation, and now? */
static inline int weir_fork_happened(uint64_t generation) {
    return atomic_load_explicit(weir_fork_word, memory_order_relaxed) != generation;
}

#endif
