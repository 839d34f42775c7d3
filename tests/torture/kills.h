/* Kills on every mechanism: what who kills (kills.c) and the ends (kills_end.c) share.
 *
 * An oracle in memory that all processes map knows of every life of a writer what it has begun, what was acknowledged
 * (a send or uncork returned WEIR_OK), and whether it was closed in order. Readers compare what comes with it. */
#ifndef WEIR_TORTURE_KILLS_H
#define WEIR_TORTURE_KILLS_H

#include <stdint.h>

#include "common.h"
#include "survive.h"

/* What docs/GUARANTEES.md promises for a mechanism, as a reader sees it that lives from beginning to end. */
enum promise {
    GAPLESS = 1,      /* it misses nothing of a writer that it has met */
    MEETS = 2,        /* it has a writer's first message */
    KEEPS = 4,        /* all that was acknowledged comes, whoever died */
    KEEPS_MET = 8,    /* the same, of writers that it has met */
    KEEPS_CLOSED = 16 /* the same, of writers that closed in order */
};

enum { ROLES_MAX = 8, STUCK_S = 20, CAPACITY = 65536, LIVES_PER_KILL = 3, LIVES_SPARE = 20000 };

struct mechanism {
    const char *name;
    const char *address; /* %1$s: scratch directory, %2$u: a number of this run's own */
    const char *witness; /* options of the reader that lives to the end; NULL: there is none */
    uint32_t promises;
    uint32_t writers, readers, cleaners;
    uint32_t lost_max; /* without a witness: so many bytes each killed reader may take with it */
};

struct life {
    volatile uint64_t begun, acked;
    volatile uint32_t is_closing, is_closed;
    volatile uint64_t sent; /* bytes begun */
    /* Without a witness: what the reader wants next, across its deaths, bytes before that, and how many deaths there
     * been then. */
    volatile uint64_t next, had, deaths;
};

struct oracle {
    struct mechanism mechanism;
    char address[200];
    volatile int must_stop, writers_gone, has_failed, is_watching;
    char why[600];
    volatile uint64_t received, checked, missed, lost; /* lost: acknowledged, and went with who had it */
    volatile uint32_t is_open[ROLES_MAX];
    volatile uint64_t deaths; /* of readers */
    volatile uint32_t lives;
    uint32_t lives_max;
    struct survival survival;
    struct life life[];
};
extern struct oracle *oracle;

/* Note the first fault; the process ends. */
void fault(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* What the processes run; they return when the oracle says so. */
void writer_run(uint32_t role, struct dice *dice);
void reader_run(uint32_t role, struct dice *dice);
void witness_run(struct dice *dice);
void cleaner_run(void);

#endif
