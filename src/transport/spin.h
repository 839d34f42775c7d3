/* Spinning before sleeping: waking who sleeps takes longer than most answers do. */
#ifndef WEIR_TRANSPORT_SPIN_H
#define WEIR_TRANSPORT_SPIN_H

#include <stdint.h>

/* Spinning that learns how long it pays. Two ends that answer each other and both sleep would never find out that
 * spinning has become worth it again, because waking the other takes longer than a short spin: so a long one is tried
 * now and then. */
struct weir_spin {
    int64_t limit_ns; /* 0: never, there is one processor */
    uint32_t count;   /* of waits */
};
typedef int weir_ready_fn(void *user);

static inline void weir_spin_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

void weir_spin_init(struct weir_spin *spin);
/* Spin until @ready or the limit. Return: what @ready said last. */
int weir_spin_until(struct weir_spin *spin, weir_ready_fn *ready, void *user);
/* Spin until @ready or the deadline, whatever it costs (wait=spin). */
int weir_spin_long(weir_ready_fn *ready, void *user, int64_t deadline);

#endif
