/* How soon survivors go on after a kill: what the programs that kill at random share.
 *
 * One struct survival lies in memory that all processes share. Who kills notes when; each survivor tells when it has a
 * message through, and the time since the first kill that it has not yet outlived goes into a histogram. Part of that
 * time is the machine's: the survivor was ready to run and another process had the processor, or the killed one had
 * not ended yet, which takes its turn of the processor as well. Both are measured (schedstat, waitpid) and taken off;
 * what is left, and only that, can be weir's own. */
#ifndef WEIR_TORTURE_SURVIVE_H
#define WEIR_TORTURE_SURVIVE_H

#include <stdint.h>

/* A histogram with eight steps for each doubling, of microseconds. */
enum { SURVIVE_STEPS = 8, SURVIVE_MARKS = 40 * SURVIVE_STEPS, SURVIVE_KILLS = 4096 };
struct latencies {
    volatile uint64_t counts[SURVIVE_MARKS], total, late;
    volatile double longest; /* ms */
};

struct survival {
    volatile uint64_t killed;               /* so many were killed, the last ones at */
    volatile double times[SURVIVE_KILLS];   /* these moments, */
    volatile double burials[SURVIVE_KILLS]; /* and took so long to end, s */
    volatile uint64_t stops;                /* grows whenever somebody is stopped or goes on; odd: somebody is */
    struct latencies going_on[2], own[2];   /* of writers, of readers; own: without the machine's part */
};

/* What a survivor knows of the others' deaths. */
struct mourner {
    uint64_t killed, stops;
    int is_begun, fd;
    double delayed; /* s this thread was ready and did not run, when its last message was through */
};

/* By who kills: before the kill, and when the killed one has been waited for. */
void survive_kill(struct survival *survival);
void survive_buried(struct survival *survival);

/* By a survivor, in the thread that sends or reads: a message is through. @who: 0 a writer, 1 a reader. */
void survive_mourn(struct survival *survival, struct mourner *mourner, int who);

/* Lines of TAP comments. */
void survive_print(const struct survival *survival, int who, const char *name);

#endif
