/* Making an eventfd readable.
 *
 * What must stay true: who sleeps on it is woken. A kernel hardly refuses the write, but one that fails once (a signal,
 * a filter of system calls) would leave a thread asleep that its owner then waits for, so it is made again. */
#ifndef WEIR_OS_EVENT_H
#define WEIR_OS_EVENT_H

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

enum { WEIR_EVENT_TRIES = 100 };

static inline void weir_event_tell(int fd) {
    const uint64_t one = 1;
    for (int i = 0; i < WEIR_EVENT_TRIES; i++)
        if (write(fd, &one, sizeof(one)) >= 0 || (errno == EAGAIN && i > 0)) /* so many that one more is no news */
            return;
}

#endif
