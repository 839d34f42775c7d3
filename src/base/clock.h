/* Clocks and deadlines, in nanoseconds. */
#ifndef WEIR_BASE_CLOCK_H
#define WEIR_BASE_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC. */
int64_t weir_clock_monotonic(void);
/* CLOCK_MONOTONIC as of the last tick of the kernel, some ms ago at most, for a fraction of the cost. */
int64_t weir_clock_coarse(void);
/* CLOCK_REALTIME: ns since the epoch. */
int64_t weir_clock_realtime(void);
/* The monotonic moment @timeout_ns from now; INT64_MAX for WEIR_FOREVER. 0 reads no clock and returns 0, always
 * past. */
int64_t weir_deadline(int64_t timeout_ns);
/* What is left until @deadline: 0 when it is past, INT64_MAX when there is none. */
int64_t weir_deadline_left(int64_t deadline);

#endif
