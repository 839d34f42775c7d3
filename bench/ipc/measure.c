/* One sample: fork the driver and its partners, open, wait until all are there, work, and take the time. The clock is
 * the same in all processes, so one way ends when the last partner says that it has the last message. Every process is
 * a fresh one, so that nothing that a peer keeps for a process (threads, pools, registrations) outlives its sample. */
#include "bench.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WARM_UP = 500, CONTROL_SIZE = 4096, PARTNERS_MAX = 8 };

const struct scenario scenarios[SCENARIO_COUNT] = {
    [TRIP] = {"round trip 64 B", 64, 1, 1, 1, 0, 20000},
    [TRIP_PACED] = {"round trip 64 B, paced 300 us", 64, 1, 1, 1, 300, 400},
    [WAY_48] = {"one way 48 B", 48, 1, 1, 0, 0, 2000000},
    [WAY_BATCHED] = {"one way 48 B, batched 32", 48, 32, 1, 0, 0, 3200000},
    [WAY_1K] = {"one way 1 KiB", 1024, 1, 1, 0, 0, 500000},
    [WAY_64K] = {"one way 64 KiB", 65536, 1, 1, 0, 0, 20000},
    [WAY_1M] = {"one way 1 MiB", 1048576, 1, 1, 0, 0, 800},
    [LOAN_1K] = {"loaned 1 KiB", 1024, 1, 1, 0, 0, 500000},
    [LOAN_64K] = {"loaned 64 KiB", 65536, 1, 1, 0, 0, 500000},
    [LOAN_1M] = {"loaned 1 MiB", 1048576, 1, 1, 0, 0, 500000},
    [FAN_64] = {"1 to 4, 64 B", 64, 1, 4, 0, 0, 200000},
    [FAN_1K] = {"1 to 4, 1 KiB", 1024, 1, 4, 0, 0, 50000},
    [WAY_64] = {"one way 64 B", 64, 1, 1, 0, 0, 2000000},
    [CALL] = {"call 64 B", 64, 1, 1, 1, 0, 20000},
    [CALL_MANY] = {"calls 64 B, 64 under way", 64, 64, 1, 0, 0, 2000000},
};

/* What the processes of a sample tell each other. */
struct control {
    _Atomic int ready;
    _Atomic int go;
    _Atomic int done;
    double ended_us[PARTNERS_MAX];
    double value, p99, p999; /* of the sample */
};

double bench_now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

void bench_must(int holds, const char *what) {
    if (holds)
        return;
    fprintf(stderr, "bench: %s failed: %s\n", what, strerror(errno));
    exit(1);
}

int bench_double_order(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double percentile(double *values, long count, double share) {
    qsort(values, (size_t)count, sizeof(*values), bench_double_order);
    return values[(size_t)((double)(count - 1) * share)];
}

double bench_median(double *values, int count) {
    double copy[ROUNDS_MAX];
    memcpy(copy, values, (size_t)count * sizeof(*values));
    return count ? percentile(copy, count, 0.5) : 0;
}

/* Every core when @core is below 0. */
void bench_pin(int core) {
    cpu_set_t set;
    int count = (int)sysconf(_SC_NPROCESSORS_ONLN);
    CPU_ZERO(&set);
    for (int i = 0; i < count; i++)
        if (core < 0 || core % count == i)
            CPU_SET(i, &set);
    sched_setaffinity(0, sizeof(set), &set);
}

/* ---- entries ---- */

struct entry *bench_entry_new(struct bench *bench, const char *name) {
    bench_must(bench->entry_count < MECHANISMS_MAX, "room for one more mechanism");
    struct entry *entry = &bench->entries[bench->entry_count++];
    snprintf(entry->name, sizeof(entry->name), "%s", name);
    return entry;
}

struct entry *bench_entry(struct bench *bench, const char *name) {
    for (int i = 0; i < bench->entry_count; i++)
        if (strcmp(bench->entries[i].name, name) == 0)
            return &bench->entries[i];
    return NULL;
}

void bench_medians(struct bench *bench) {
    for (int i = 0; i < bench->entry_count; i++)
        for (int s = 0; s < SCENARIO_COUNT; s++) {
            struct figure *figure = &bench->entries[i].figures[s];
            figure->median = bench_median(figure->value, figure->count);
            figure->median_p99 = bench_median(figure->p99, figure->count);
            figure->median_p999 = bench_median(figure->p999, figure->count);
        }
    for (int i = 0; i < bench->extra_count; i++)
        bench->extras[i].median = bench_median(bench->extras[i].value, bench->extras[i].count);
}

/* ---- both sides ---- */

static long count_of(const struct link *link) {
    long count = link->scenario->count / link->mechanism->slowness;
    count -= count % link->scenario->batch;
    return count < link->scenario->batch ? link->scenario->batch : count;
}

static long warm_up_of(const struct link *link) {
    return link->scenario->pause_us ? 5 : WARM_UP < count_of(link) ? WARM_UP : count_of(link);
}

/* One way, a call for each message. */
static void send_each(struct link *link, unsigned char *bytes, long count) {
    for (long i = 0; i < count; i++) {
        number_put(bytes, (uint64_t)i);
        link->mechanism->send(link, bytes);
    }
}

static uint64_t receive_each(struct link *link, unsigned char *bytes, long count) {
    for (long i = 0; i < count; i++)
        link->mechanism->receive(link, bytes);
    return number_get(bytes);
}

static void partner(struct link *link, struct control *control, unsigned char *bytes) {
    const struct mechanism *m = link->mechanism;
    long count = count_of(link);
    if (link->scenario->is_trip) {
        for (long i = 0; i < count + warm_up_of(link); i++) {
            m->receive(link, bytes);
            m->send(link, bytes);
        }
        return;
    }
    uint64_t last = (m->receive_many ? m->receive_many : receive_each)(link, bytes, count);
    bench_must(last == (uint64_t)count - 1, "receiving every message in order");
    control->ended_us[link->index] = bench_now_us();
}

/* Stay awake: who sleeps would have the processor sleep too, and waking it is not what is asked. */
static void pause_for(double us) {
    double end = bench_now_us() + us;
    while (bench_now_us() < end)
        ;
}

static void trips(struct link *link, unsigned char *bytes, struct control *control) {
    static double times[TRIPS_MAX];
    const struct mechanism *m = link->mechanism;
    long count = count_of(link);
    for (long i = -warm_up_of(link); i < count; i++) {
        if (link->scenario->pause_us)
            pause_for(link->scenario->pause_us);
        double begin = bench_now_us();
        m->send(link, bytes);
        m->receive(link, bytes);
        if (i >= 0)
            times[i] = bench_now_us() - begin;
    }
    control->value = percentile(times, count, 0.5);
    control->p99 = percentile(times, count, 0.99);
    control->p999 = percentile(times, count, 0.999);
}

/* ---- a sample ---- */

static unsigned char *payload(void) {
    unsigned char *bytes = aligned_alloc(4096, LINK_SIZE_MAX);
    bench_must(bytes != NULL, "memory");
    memset(bytes, 7, LINK_SIZE_MAX);
    return bytes;
}

static double last_end(const struct control *control, int partners) {
    double end = 0;
    for (int i = 1; i <= partners; i++)
        end = control->ended_us[i] > end ? control->ended_us[i] : end;
    return end;
}

static void drive(struct link *link, struct control *control, unsigned char *bytes) {
    int partners = link->scenario->readers;
    while (atomic_load(&control->ready) < partners)
        usleep(50);
    usleep(1000); /* some peers go on connecting after they have opened */
    atomic_store(&control->go, 1);
    usleep(1000);
    double begin = bench_now_us();
    if (link->scenario->is_trip)
        trips(link, bytes, control);
    else
        (link->mechanism->send_many ? link->mechanism->send_many : send_each)(link, bytes, count_of(link));
    while (atomic_load(&control->done) < partners)
        usleep(50);
    if (!link->scenario->is_trip)
        control->value = (double)count_of(link) / (last_end(control, partners) - begin) * 1e6;
}

/* Who closes first might take away what others still read: every process waits for the driver's end. */
static void work(struct link *link, struct control *control) {
    unsigned char *bytes = payload();
    link->mechanism->open(link);
    if (link->index == 0) {
        drive(link, control, bytes);
        atomic_store(&control->go, 2);
    } else {
        atomic_fetch_add(&control->ready, 1);
        while (!atomic_load(&control->go))
            usleep(50);
        partner(link, control, bytes);
        atomic_fetch_add(&control->done, 1);
        while (atomic_load(&control->go) != 2)
            usleep(50);
    }
    link->mechanism->close(link);
}

static pid_t fork_end(const struct link *like, struct control *control, int index) {
    fflush(NULL);
    pid_t child = fork();
    bench_must(child >= 0, "fork");
    if (child > 0)
        return child;
    struct link link = *like;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    link.index = index;
    bench_pin(like->scenario->readers > 1 && index ? -1 : index);
    work(&link, control);
    _exit(0);
}

void bench_sample(struct bench *bench, struct entry *entry, enum scenario_id id) {
    struct control *control = bench->shared;
    struct figure *figure = &entry->figures[id];
    struct link link = {.mechanism = entry->mechanism,
                        .scenario = &scenarios[id],
                        .directory = bench->directory,
                        .shared = (unsigned char *)bench->shared + CONTROL_SIZE,
                        .serial = bench->serial++,
                        .size = scenarios[id].size,
                        .fd = -1};
    memset(bench->shared, 0, CONTROL_SIZE + SHARED_SIZE); /* also touches every page */
    pid_t children[PARTNERS_MAX];
    int count = link.scenario->readers + 1, has_failed = 0;
    for (int i = 0; i < count; i++)
        children[i] = fork_end(&link, control, i);
    for (int left = count; left > 0;) {
        int status, which = 0;
        pid_t pid = waitpid(-1, &status, 0);
        bench_must(pid > 0, "waitpid");
        while (which < count && children[which] != pid)
            which++;
        if (which == count) /* a peer's daemon */
            continue;
        children[which] = 0;
        left--;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
            continue;
        has_failed = 1; /* the others would wait for it for ever */
        for (int k = 0; k < count; k++)
            if (children[k] > 0)
                kill(children[k], SIGKILL);
    }
    if (has_failed) {
        fprintf(stderr, "bench: %s, %s: no sample\n", entry->name, link.scenario->name);
        return;
    }
    figure->value[figure->count] = control->value;
    figure->p99[figure->count] = control->p99;
    figure->p999[figure->count++] = control->p999;
}
