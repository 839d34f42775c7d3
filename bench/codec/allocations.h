/* Counting what the process allocates: the benchmark's own malloc stands before libc's for every library in it. */
#ifndef BENCH_ALLOCATIONS_H
#define BENCH_ALLOCATIONS_H

#include <stddef.h>

/* Since the program began: calls that gave memory, and bytes held now. */
size_t bench_allocation_count(void);
size_t bench_allocation_held(void);

#endif
