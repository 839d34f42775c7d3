/* The heap under watch. Sizes are what malloc_usable_size says, a little more than was asked for; so a count of
 * bytes is never too small. A realloc that moves counts as the new size alone. */
#include "heap.h"

#include <malloc.h>
#include <stdlib.h>

static struct {
    int is_on;
    size_t fail_at;
    enum heap_failure failure;
    struct heap_report report;
} watch;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void __wrap_free(void *block);

void heap_watch_begin(void) {
    watch.report = (struct heap_report){0};
    watch.fail_at = 0;
    watch.is_on = 1;
}

void heap_watch_fail(size_t fail_at, enum heap_failure failure) {
    watch.report.calls = 0;
    watch.fail_at = fail_at;
    watch.failure = failure;
}

struct heap_report heap_watch_end(void) {
    watch.is_on = 0;
    return watch.report;
}

/* Whether the allocation that is asked for is to fail. */
static int refuse(void) {
    if (!watch.is_on)
        return 0;
    size_t call = ++watch.report.calls;
    int is_refused =
        watch.fail_at > 0 && (call == watch.fail_at || (watch.failure == HEAP_FAILS_ON && call > watch.fail_at));
    watch.report.failures += (size_t)is_refused;
    return is_refused;
}

static void *count(void *block, size_t before) {
    if (watch.is_on && block) {
        watch.report.left += (long long)malloc_usable_size(block) - (long long)before;
        if (watch.report.left > (long long)watch.report.peak)
            watch.report.peak = (size_t)watch.report.left;
    }
    return block;
}

void *__wrap_malloc(size_t size) {
    return refuse() ? NULL : count(__real_malloc(size), 0);
}

void *__wrap_calloc(size_t items, size_t size) {
    return refuse() ? NULL : count(__real_calloc(items, size), 0);
}

void *__wrap_realloc(void *block, size_t size) {
    if (refuse())
        return NULL;
    size_t before = block ? malloc_usable_size(block) : 0;
    return count(__real_realloc(block, size), before);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size) {
    return refuse() ? NULL : count(__real_aligned_alloc(alignment, size), 0);
}

void __wrap_free(void *block) {
    if (watch.is_on && block)
        watch.report.left -= (long long)malloc_usable_size(block);
    __real_free(block);
}
