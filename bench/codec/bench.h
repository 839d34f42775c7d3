/* The driver from inside: who is there, what was measured, what was wanted. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include "codec.h"
#include "inputs.h"

enum { ROUNDS_MAX = 64, PEERS_MAX = 24, FIGURES_MAX = 512, VERDICTS_MAX = 256, REASON_MAX = 200 };

/* One operation of one peer on one input. */
struct figure {
    const struct bench_peer *peer;
    const struct bench_input *input;
    enum bench_op op;
    void *state;
    long repeats; /* so that one sample takes a few milliseconds; 0 when there are no samples, only `ns` */
    double samples[ROUNDS_MAX];
    double ns; /* their median */
};

/* A library, or the reason why it is not measured. */
struct library {
    const char *name;
    const char *version;
    char reason[REASON_MAX];
};

/* One line of the table of goals. */
struct verdict {
    char what[96];
    char against[64];
    char figures[64]; /* what was measured, as text */
    double ratio;     /* the larger the better */
    double goal;      /* met when the ratio reaches it */
    int is_measured;  /* otherwise `figures` says why not */
};

struct bench {
    int rounds;
    struct bench_made made[BENCH_INPUT_COUNT];
    struct library libraries[PEERS_MAX];
    int library_count;
    struct figure figures[FIGURES_MAX];
    int figure_count;
    struct verdict verdicts[VERDICTS_MAX];
    int verdict_count;
};

/* peers.c: load every adapter that was built, and say of the others why they are not there. */
void bench_peers_open(struct bench *bench);
void bench_peers_close(struct bench *bench);

/* measure.c: check that every peer does what it should, then measure in interleaved rounds. */
void bench_check(struct bench *bench);
void bench_measure(struct bench *bench);
/* Of at most ROUNDS_MAX. */
double bench_median(const double *samples, int count);
/* The median time of one call, over a few samples: for what is measured alone. */
double bench_time(size_t (*work)(void *state), void *state, int rounds);

/* jackson.c: the JVM's own medians, added to the figures; or a reason. */
void bench_jackson(struct bench *bench, int is_wanted);
/* main.c: to the one core that all else is measured on. */
void bench_pin(void);

/* goals.c: ratios against the best peer. alone.c: goals that are about weir alone: memory, allocations, ndarrays. */
void bench_goals(struct bench *bench);
void bench_alone(struct bench *bench);
struct verdict *bench_verdict(struct bench *bench);

/* report.c */
void bench_report(const struct bench *bench);
void bench_report_json(const struct bench *bench);

#endif
