/* Futexes and membarrier, by system call: the C library has no function for either.
 *
 * Process-shared futexes throughout (no FUTEX_PRIVATE_FLAG): the words lie in files. membarrier's global expedited
 * command (Linux 4.16) interrupts only the processors that run a registered process at this moment; a few microseconds,
 * paid by someone who is about to sleep. Under the thread sanitizer, which knows neither, nobody registers and ordinary
 * fences are used. */
#include "os/futex.h"

#include <errno.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { NS_PER_S = 1000000000 };

int weir_futex_wait(const _Atomic(uint32_t) *word, uint32_t expected, int64_t timeout_ns) {
    struct timespec timeout = {.tv_sec = timeout_ns / NS_PER_S, .tv_nsec = timeout_ns % NS_PER_S};
    return syscall(SYS_futex, word, FUTEX_WAIT, expected, &timeout, NULL, 0) != 0 && errno == ETIMEDOUT;
}

void weir_futex_wake(_Atomic(uint32_t) *word) {
    syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

int weir_barrier_register(void) {
    return !WEIR_THREAD_SANITIZER && syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0) == 0;
}

int weir_barrier_all(void) {
    atomic_thread_fence(memory_order_seq_cst);
    return syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0) == 0;
}
