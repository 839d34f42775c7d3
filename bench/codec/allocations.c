/* malloc and its kin, counted. glibc lets a program define them and keeps its own under other names. One thread
 * only; what is counted is the usable size, so that bytes given back weigh what they weighed before. */
#include "allocations.h"

#include <malloc.h>
#include <stdlib.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void __libc_free(void *old);

static size_t count, held;

static void *given(void *memory) {
    if (memory) {
        count++;
        held += malloc_usable_size(memory);
    }
    return memory;
}

void *malloc(size_t size) {
    return given(__libc_malloc(size));
}

void *calloc(size_t items, size_t size) {
    return given(__libc_calloc(items, size));
}

void *realloc(void *old, size_t size) {
    held -= malloc_usable_size(old);
    return given(__libc_realloc(old, size));
}

void free(void *old) {
    held -= malloc_usable_size(old);
    __libc_free(old);
}

size_t bench_allocation_count(void) {
    return count;
}

size_t bench_allocation_held(void) {
    return held;
}
