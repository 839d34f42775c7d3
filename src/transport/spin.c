/* Spinning that learns: as long as it has paid lately, within limits.
 *
 * What must stay true: a wait in which nothing comes costs at most SPIN_MAX_NS of the processor, and soon no more than
 * SPIN_MIN_NS, but for a trial now and then. */
#include "transport/spin.h"

#include <unistd.h>

#include "base/clock.h"

enum { SPIN_BATCH = 8, SPIN_TRIAL_EVERY = 64 };
static const int64_t SPIN_MIN_NS = 2000;
static const int64_t SPIN_START_NS = 20 * 1000;
static const int64_t SPIN_MAX_NS = 50 * 1000;
static const int64_t SPIN_TRIAL_NS = 150 * 1000; /* longer than a wake-up and an answer */

/* How many processors there are, not how many are ours: who is pinned to one waits for somebody on another. */
void weir_spin_init(struct weir_spin *spin) {
    *spin = (struct weir_spin){.limit_ns = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? SPIN_START_NS : 0};
}

static int spin_batch(weir_ready_fn *ready, void *user) {
    for (int i = 0; i < SPIN_BATCH; i++) {
        if (ready(user))
            return 1;
        weir_spin_pause();
    }
    return 0;
}

int weir_spin_until(struct weir_spin *spin, weir_ready_fn *ready, void *user) {
    if (spin->limit_ns == 0)
        return ready(user);
    int is_trial = ++spin->count % SPIN_TRIAL_EVERY == 0;
    int64_t end = weir_clock_monotonic() + (is_trial ? SPIN_TRIAL_NS : spin->limit_ns);
    do {
        if (spin_batch(ready, user)) {
            spin->limit_ns = spin->limit_ns > SPIN_MAX_NS / 2 ? SPIN_MAX_NS : spin->limit_ns * 2;
            return 1;
        }
    } while (weir_clock_monotonic() < end);
    spin->limit_ns = spin->limit_ns < SPIN_MIN_NS * 2 ? SPIN_MIN_NS : spin->limit_ns / 2;
    return 0;
}

int weir_spin_long(weir_ready_fn *ready, void *user, int64_t deadline) {
    for (;;) {
        if (spin_batch(ready, user))
            return 1;
        if (weir_deadline_left(deadline) == 0)
            return 0;
    }
}
