/* See survive.h. */
#include "survive.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"

enum { LATE_MS = 250 };

void survive_kill(struct survival *survival) {
    survival->times[survival->killed % SURVIVE_KILLS] = seconds();
    survival->burials[survival->killed % SURVIVE_KILLS] = 0;
    __atomic_fetch_add(&survival->killed, 1, __ATOMIC_SEQ_CST);
}

void survive_buried(struct survival *survival) {
    uint64_t last = survival->killed - 1;
    survival->burials[last % SURVIVE_KILLS] = seconds() - survival->times[last % SURVIVE_KILLS];
}

/* ---- histograms ---- */

static unsigned mark_of(double ms) {
    double us = ms * 1000;
    unsigned mark = 0;
    for (; us >= 2 && mark < SURVIVE_MARKS - SURVIVE_STEPS; us /= 2)
        mark += SURVIVE_STEPS;
    return mark + (us > 1 ? (unsigned)((us - 1) * SURVIVE_STEPS) : 0);
}

static double mark_ms(unsigned mark) {
    return (double)(UINT64_C(1) << mark / SURVIVE_STEPS) * (1 + (mark % SURVIVE_STEPS + 1.0) / SURVIVE_STEPS) / 1000;
}

static void latency_note(struct latencies *to, double ms) {
    __atomic_fetch_add(&to->counts[mark_of(ms)], 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&to->total, 1, __ATOMIC_RELAXED);
    if (ms > LATE_MS)
        __atomic_fetch_add(&to->late, 1, __ATOMIC_RELAXED);
    if (ms > to->longest)
        to->longest = ms;
}

static double percentile(const struct latencies *of, double part) {
    uint64_t wanted = (uint64_t)((double)of->total * part), seen = 0;
    unsigned mark = 0;
    while (mark < SURVIVE_MARKS - 1 && (seen += of->counts[mark]) <= wanted)
        mark++;
    return mark_ms(mark) < of->longest ? mark_ms(mark) : of->longest;
}

/* ---- survivors ---- */

/* The second number of schedstat: ns that this thread waited for a processor. Where the kernel does not count them,
 * nothing is taken off. */
static double delayed_read(struct mourner *mourner) {
    char text[96];
    if (mourner->fd == 0)
        mourner->fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    ssize_t size = mourner->fd < 0 ? -1 : pread(mourner->fd, text, sizeof(text) - 1, 0);
    if (size <= 0)
        return 0;
    text[size] = 0;
    const char *second = strchr(text, ' ');
    return second ? (double)strtoull(second, NULL, 10) / 1e9 : 0;
}

/* How long the kernel took for the funerals since kill @from. One that is still under way has taken until now. */
static double burials_since(const struct survival *survival, uint64_t from, uint64_t to, double now) {
    double sum = 0;
    for (uint64_t i = from; i < to; i++) {
        double took = survival->burials[i % SURVIVE_KILLS];
        sum += took > 0 ? took : now - survival->times[i % SURVIVE_KILLS];
    }
    return sum;
}

/* Not while somebody was stopped, because that is meant to hold writers up. */
void survive_mourn(struct survival *survival, struct mourner *mourner, int who) {
    uint64_t killed = survival->killed, stops = survival->stops;
    if (mourner->is_begun && killed == mourner->killed)
        return;
    double now = seconds(), delayed = delayed_read(mourner);
    if (mourner->is_begun && stops == mourner->stops && stops % 2 == 0 &&
        killed - mourner->killed < SURVIVE_KILLS / 2) {
        double ms = (now - survival->times[mourner->killed % SURVIVE_KILLS]) * 1000;
        double own =
            ms - (delayed - mourner->delayed) * 1000 - burials_since(survival, mourner->killed, killed, now) * 1000;
        latency_note(&survival->going_on[who], ms);
        latency_note(&survival->own[who], own > 0 ? own : 0);
    }
    *mourner = (struct mourner){killed, stops, 1, mourner->fd, delayed};
}

void survive_print(const struct survival *survival, int who, const char *name) {
    const struct latencies *of = &survival->going_on[who], *own = &survival->own[who];
    printf("# %s went on after a kill: p50 %.2f ms, p99 %.2f ms, max %.1f ms; %llu of %llu times over %d ms; without "
           "waiting for a processor and for the dead to end: p99 %.2f ms, max %.1f ms, %llu over %d ms\n",
           name, percentile(of, 0.5), percentile(of, 0.99), of->longest, (unsigned long long)of->late,
           (unsigned long long)of->total, LATE_MS, percentile(own, 0.99), own->longest, (unsigned long long)own->late,
           LATE_MS);
}
