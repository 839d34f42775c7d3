/* Knowing that we are a forked child: a page that the kernel empties in children (MADV_WIPEONFORK), read by one load. */
#ifndef WEIR_OS_FORK_H
#define WEIR_OS_FORK_H

#include <stdint.h>

/* A number that differs between a process and its forked children. Objects keep it at open and compare it at use. Never 0. */
uint64_t weir_fork_generation(void);

#endif
