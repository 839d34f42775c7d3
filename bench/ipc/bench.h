/* The driver from inside: what is measured, what came out, what was wanted. */
#ifndef BENCH_IPC_H
#define BENCH_IPC_H

#include "mechanism.h"

enum { ROUNDS_MAX = 63, MECHANISMS_MAX = 64, VERDICTS_MAX = 128, EXTRAS_MAX = 80, TRIPS_MAX = 20000 };

/* One mechanism in one scenario: a sample per round. */
struct figure {
    double value[ROUNDS_MAX]; /* us of a median round trip, or messages a second */
    double p99[ROUNDS_MAX], p999[ROUNDS_MAX];
    int count;
    double median, median_p99, median_p999;
};

struct entry {
    const struct mechanism *mechanism; /* NULL for one that is not of this program, see name */
    char name[48];
    char reason[TEXT_MAX]; /* why it is not measured */
    struct figure figures[SCENARIO_COUNT];
};

/* A figure without partners: what it costs to open, to wait, to have readers; logs and their bare forms. */
struct extra {
    char name[64];
    const char *unit;
    double value[ROUNDS_MAX];
    int count;
    double median;
};

struct verdict {
    char what[64];
    char against[48];
    char figures[64];
    char note[16];
    double ratio; /* the larger the better */
    double wanted;
    int is_measured;
};

struct bench {
    int rounds;
    char directory[64];
    void *shared;
    int serial;
    int is_big;       /* logs of 10 GB, too */
    const char *only; /* part of a mechanism's or scenario's name; NULL: all */
    struct entry entries[MECHANISMS_MAX];
    int entry_count;
    struct extra extras[EXTRAS_MAX];
    int extra_count;
    struct verdict verdicts[VERDICTS_MAX];
    int verdict_count;
};

/* measure.c */
double bench_now_us(void);
double bench_median(double *values, int count);
/* For qsort. */
int bench_double_order(const void *a, const void *b);
void bench_pin(int core);
/* One sample of @entry in @scenario, added to its figure. */
void bench_sample(struct bench *bench, struct entry *entry, enum scenario_id scenario);
void bench_medians(struct bench *bench);
struct entry *bench_entry_new(struct bench *bench, const char *name);
struct entry *bench_entry(struct bench *bench, const char *name);

/* alone.c: one round of weir's own figures. */
void bench_alone(struct bench *bench);
struct extra *bench_extra(struct bench *bench, const char *name, const char *unit);
/* log.c: one round of logs and their bare forms. */
void bench_log(struct bench *bench);
/* aeron.c: its two JVMs do all rounds by themselves. */
void bench_aeron(struct bench *bench, int is_wanted);

/* goals.c, report.c */
void bench_goals(struct bench *bench);
void bench_report(const struct bench *bench);
void bench_report_json(const struct bench *bench);

#endif
