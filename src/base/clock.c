/* Clocks through the vDSO: a read costs about 26 ns, so callers read them only when a deadline or a stamp needs it. */
#include "base/clock.h"

#include <time.h>
#include <weir/base.h>

static int64_t clock_read(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t weir_clock_monotonic(void) {
    return clock_read(CLOCK_MONOTONIC);
}

int64_t weir_clock_coarse(void) {
    return clock_read(CLOCK_MONOTONIC_COARSE);
}

int64_t weir_clock_realtime(void) {
    return clock_read(CLOCK_REALTIME);
}

int64_t weir_deadline(int64_t timeout_ns) {
    if (timeout_ns < 0)
        return INT64_MAX;
    if (timeout_ns == 0)
        return 0;
    int64_t now = weir_clock_monotonic();
    return timeout_ns > INT64_MAX - now ? INT64_MAX : now + timeout_ns;
}

int64_t weir_deadline_left(int64_t deadline) {
    if (deadline == INT64_MAX)
        return INT64_MAX;
    if (deadline == 0)
        return 0;
    int64_t left = deadline - weir_clock_monotonic();
    return left > 0 ? left : 0;
}
