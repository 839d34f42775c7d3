/* System calls that fail and kills at each: what the injector (sweep.c) and the program under injection
 * (sweep_script.c) share. */
#ifndef WEIR_TORTURE_SWEEP_H
#define WEIR_TORTURE_SWEEP_H

#include <stddef.h>
#include <stdint.h>

struct sweep_mechanism {
    const char *name;
    const char *address; /* %1$s: scratch directory, %2$u: a number of this run's own */
    int is_kept;         /* what was acknowledged outlasts the process, without any reader */
    int has_calls;
};

/* What a script has done; in memory that the injector shares. */
struct tally {
    volatile int is_begun, is_done; /* only in between are calls counted and changed */
    volatile uint64_t begun, acked, received, gaps;
    volatile int is_told;   /* the library returned an error, with a sentence */
    volatile int is_mute;   /* ... without one */
    volatile int is_closed; /* all of it ran */
    volatile int leaked;    /* descriptors */
    volatile int is_called;
    char said[300];
    char wrong[300]; /* what must not be, whatever fails */
};

/* A writer, a reader and gc, then a client and a server, in one process, step by step; after an error everything that
 * is open is closed. @run tells messages of one run from those of another. */
void sweep_script(const struct sweep_mechanism *mechanism, const char *address, uint64_t run, struct tally *tally);
/* What the script @run of @tally was told is there is read from the oldest on. Return: NULL, or what is wrong. */
const char *sweep_kept(const char *address, uint64_t run, const struct tally *tally);

#endif
