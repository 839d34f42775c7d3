/* The fork generation: a counter in a page that is zero in every child.
 *
 * What must stay true: along a line of ancestors the generation only grows, so that no object opened before a fork can
 * be mistaken for one opened after it. `last` is ordinary memory, which a child inherits with its parent's value; the
 * child's first call finds the wiped word 0 and moves one on. Two children of one parent get the same number, which is
 * harmless: they share no objects but their parent's. Where the kernel cannot wipe (before 4.14), a fork handler clears
 * the word instead. */
#include "os/fork.h"

#include <pthread.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

_Atomic(uint64_t) *weir_fork_word;

static _Atomic(uint64_t) plain_word;
static _Atomic(uint64_t) last;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void plain_word_clear(void) {
    atomic_store(&plain_word, 0);
}

static void word_init(void) {
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page != MAP_FAILED && madvise(page, size, MADV_WIPEONFORK) == 0) {
        weir_fork_word = page;
        return;
    }
    if (page != MAP_FAILED)
        munmap(page, size);
    pthread_atfork(NULL, NULL, plain_word_clear);
    weir_fork_word = &plain_word;
}

uint64_t weir_fork_generation(void) {
    pthread_once(&once, word_init);
    uint64_t now = atomic_load(weir_fork_word);
    if (now != 0)
        return now;
    uint64_t next = atomic_fetch_add(&last, 1) + 1;
    return atomic_compare_exchange_strong(weir_fork_word, &now, next) ? next : now;
}
