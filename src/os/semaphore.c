/* POSIX semaphores by the C library's functions.
 *
 * sem_clockwait on the monotonic clock, because a sem_timedwait would sleep on for as long as somebody sets the clock
 * back. The C libraries without it have no kind. */
#include "os/semaphore.h"

#include <assert.h>
#include <errno.h>
#include <semaphore.h>
#include <time.h>

#include "base/clock.h"

enum { NS_PER_S = 1000000000, DRAIN_MAX = 1024 };

#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 30)
enum { KIND = sizeof(long) == 8 ? 1 : 2 };
#else
enum { KIND = 0 };
#endif

static_assert(sizeof(sem_t) <= WEIR_SEMAPHORE_SIZE, "a semaphore fits its place");

uint32_t weir_semaphore_kind(void) {
    return KIND;
}

void weir_semaphore_init(void *at) {
    sem_init(at, 1, 0);
}

void weir_semaphore_drain(void *at) {
    for (int i = 0; i < DRAIN_MAX && sem_trywait(at) == 0; i++)
        continue;
}

int weir_semaphore_wait(void *at, int64_t timeout_ns) {
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 30)
    int64_t end = weir_clock_monotonic() + timeout_ns;
    struct timespec until = {.tv_sec = end / NS_PER_S, .tv_nsec = end % NS_PER_S};
    return sem_clockwait(at, CLOCK_MONOTONIC, &until) != 0 && errno == ETIMEDOUT;
#else
    (void)at, (void)timeout_ns;
    return 0;
#endif
}

void weir_semaphore_post(void *at) {
    int value = 0;
    if (sem_getvalue(at, &value) == 0 && value <= 0)
        sem_post(at);
}
