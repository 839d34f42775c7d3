/* The heap under watch: what the library allocates is counted, and any allocation can be made to fail.
 *
 * The linker leads malloc, calloc, realloc, aligned_alloc and free of all objects of the program, those of the
 * static library among them, through here (--wrap, see CMakeLists.txt). Shared libraries keep their own: what qsort
 * takes in libc is not seen. One thread only may allocate while a watch is on. */
#ifndef WEIR_CONFORMANCE_HEAP_H
#define WEIR_CONFORMANCE_HEAP_H

#include <stddef.h>

enum heap_failure { HEAP_FAILS_ONCE, HEAP_FAILS_ON };

struct heap_report {
    size_t calls;    /* allocations asked for, since the beginning or heap_watch_fail */
    size_t failures; /* those that were refused */
    size_t peak;     /* bytes that were in use at most, beyond what was at the beginning */
    long long left;  /* bytes in use at the end, beyond what was at the beginning */
};

void heap_watch_begin(void);
/* From here on the @fail_at-th allocation fails, and under HEAP_FAILS_ON all behind it; none for 0. */
void heap_watch_fail(size_t fail_at, enum heap_failure failure);
struct heap_report heap_watch_end(void);

#endif
