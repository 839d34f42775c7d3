/* What is wanted, as ratios within the same run, and whether it was reached. A ratio is how many times as fast as the
 * other weir is: for round trips the other's time over weir's, for one way weir's messages over the other's; the median
 * of the rounds' ratios, as both samples of a round were taken one after the other. Goals that have no other are a
 * figure that must not be passed. */
#include <stdio.h>
#include <string.h>

#include "bench.h"

struct goal {
    enum scenario_id scenario;
    const char *weir;
    const char *other;
    double wanted;
};

#define SPIN "weir shm, spinning"
#define BARE "bare slot ring"
#define MANY "weir unix, many in a call"

static const struct goal goals[] = {
    {TRIP, SPIN, BARE, 1 / 1.15},
    {TRIP, SPIN, "iceoryx2", 1},
    {TRIP, SPIN, "Aeron", 1},
    {TRIP, SPIN, "iceoryx, polling", 6},
    {TRIP, SPIN, "ZeroMQ ipc", 100},
    {TRIP, "weir shm", "bare futex ring", 1 / 1.1},
    {TRIP_PACED, "weir shm", "bare futex ring", 1 / 1.1},
    {WAY_48, SPIN, BARE, 0.52},
    {WAY_48, SPIN, "Aeron", 2},
    {WAY_48, SPIN, "ZeroMQ ipc", 3},
    {WAY_BATCHED, "weir shm, many in a call", "bare byte ring", 0.8},
    {WAY_1K, SPIN, BARE, 0.9},
    {WAY_64K, SPIN, BARE, 0.9},
    {WAY_1M, SPIN, BARE, 0.9},
    {LOAN_1K, "weir shm, loaned", "iceoryx2", 1},
    {LOAN_1M, "weir shm, loaned", "iceoryx2", 1},
    {WAY_64, "weir unix, bursts", "bare unix, batched", 0.7},
    {WAY_64, MANY, "bare unix, batched", 0.7},
    {WAY_64, "weir unix, bursts", "bare unix, two sockets", 15},
    {WAY_64, "weir unix, bursts", "ZeroMQ ipc", 2},
    {WAY_64, "weir tcp, bursts", "bare tcp, two sockets", 15},
    {WAY_64, "weir fifo, bursts", "bare fifo", 15},
    {TRIP, "weir unix, a send each", "bare unix, two sockets", 1 / 1.15},
    {TRIP, "weir tcp, a send each", "bare tcp, two sockets", 1 / 1.15},
    {TRIP, "weir fifo, a send each", "bare fifo", 1 / 1.15},
    {WAY_1M, "weir unix, large", "bare unix, large", 0.95},
    {WAY_64K, "weir unix, large", "bare unix, large", 0.95},
    {WAY_1M, "weir unix, in place", "bare unix, large", 0.95},
    {WAY_64K, "weir unix, in place", "bare unix, large", 0.95},
    {WAY_64K, "weir fifo, large", "bare fifo, large", 0.95},
    {FAN_64, "weir shm, many in a call", "bare broadcast ring", 0.9},
    {FAN_1K, "weir shm", "bare broadcast ring", 0.9},
    {FAN_64, "weir shm", "ZeroMQ ipc", 1.5},
    {FAN_1K, "weir shm", "ZeroMQ ipc", 1.5},
    {CALL, "weir call unix", "bare unix socket", 1 / 1.2},
    {CALL, "weir call unix", "ZeroMQ REQ/REP", 1},
    {CALL, "weir call unix", "NATS request", 1},
    {CALL_MANY, "weir call unix", "ZeroMQ REQ/REP", 1},
    {CALL_MANY, "weir call unix", "NATS request", 1},
};

static struct verdict *verdict_new(struct bench *bench, const char *what, const char *against, double wanted) {
    bench_must(bench->verdict_count < VERDICTS_MAX, "room for one more verdict");
    struct verdict *verdict = &bench->verdicts[bench->verdict_count++];
    snprintf(verdict->what, sizeof(verdict->what), "%s", what);
    snprintf(verdict->against, sizeof(verdict->against), "%s", against);
    verdict->wanted = wanted;
    return verdict;
}

static void figure_text(char *text, size_t size, enum scenario_id scenario, double value) {
    if (scenarios[scenario].is_trip)
        snprintf(text, size, "%.2f us", value);
    else
        snprintf(text, size, value < 1e6 ? "%.0f /s" : "%.2f M/s", value < 1e6 ? value : value / 1e6);
}

/* The median over the rounds that both have. */
static double ratio_of(enum scenario_id scenario, const struct figure *weir, const struct figure *other) {
    double ratios[ROUNDS_MAX];
    int count = weir->count < other->count ? weir->count : other->count;
    for (int i = 0; i < count; i++)
        ratios[i] = scenarios[scenario].is_trip ? other->value[i] / weir->value[i] : weir->value[i] / other->value[i];
    return bench_median(ratios, count);
}

/* Which of weir's rows, where the goal's words do not say. */
static const char *note_of(const struct goal *goal) {
    if (strcmp(goal->weir, SPIN) == 0)
        return "spinning";
    return strstr(goal->weir, "in place") ? "in place" : strcmp(goal->weir, MANY) == 0 ? "many" : "";
}

static void judge(struct bench *bench, const struct goal *goal) {
    struct entry *weir = bench_entry(bench, goal->weir), *other = bench_entry(bench, goal->other);
    const struct figure *own = weir ? &weir->figures[goal->scenario] : NULL,
                        *theirs = other ? &other->figures[goal->scenario] : NULL;
    char a[24], b[24];
    struct verdict *verdict = verdict_new(bench, scenarios[goal->scenario].name, goal->other, goal->wanted);
    snprintf(verdict->note, sizeof(verdict->note), "%s", note_of(goal));
    if (!own || !theirs || own->count == 0 || theirs->count == 0) {
        snprintf(verdict->figures, sizeof(verdict->figures), "not measured");
        return;
    }
    figure_text(a, sizeof(a), goal->scenario, own->median);
    figure_text(b, sizeof(b), goal->scenario, theirs->median);
    snprintf(verdict->figures, sizeof(verdict->figures), "%s : %s", a, b);
    verdict->ratio = ratio_of(goal->scenario, own, theirs);
    verdict->is_measured = 1;
}

/* A figure of weir's own that must not be above @most, or not below it when it is a rate. */
static void judge_limit(struct bench *bench, const char *what, const char *unit, double value, double limit,
                        int is_rate) {
    char against[48];
    snprintf(against, sizeof(against), "%s %g %s", is_rate ? "at least" : "at most", limit, unit);
    struct verdict *verdict = verdict_new(bench, what, against, 1);
    snprintf(verdict->figures, sizeof(verdict->figures), "%.3g %s", value, unit);
    verdict->ratio = is_rate ? value / limit : value > 0 ? limit / value : 99;
    verdict->ratio = verdict->ratio > 99 ? 99 : verdict->ratio;
    verdict->is_measured = value >= 0;
}

static double extra_of(struct bench *bench, const char *name) {
    for (int i = 0; i < bench->extra_count; i++)
        if (strcmp(bench->extras[i].name, name) == 0)
            return bench->extras[i].median;
    return -1;
}

/* Flat: the dearest of the curve costs at most 10 % more than the cheapest. */
static void judge_flat(struct bench *bench, const char *what, const char *const *names) {
    double low = 0, high = 0;
    for (; *names; names++) {
        double value = extra_of(bench, *names);
        if (value < 0)
            return;
        low = low == 0 || value < low ? value : low;
        high = value > high ? value : high;
    }
    struct verdict *verdict = verdict_new(bench, what, "flat within 10 %", 1 / 1.1);
    snprintf(verdict->figures, sizeof(verdict->figures), "%.1f ... %.1f ns", low, high);
    verdict->ratio = low / high;
    verdict->is_measured = 1;
}

/* Two of the figures without partners, which a round takes one after the other. */
struct pair_goal {
    const char *what, *weir, *other;
    double wanted;
    int is_time;
};

static const struct extra *extra_find(const struct bench *bench, const char *what, const char *form) {
    char name[64];
    snprintf(name, sizeof(name), "%s: %s", what, form);
    for (int i = 0; i < bench->extra_count; i++)
        if (strcmp(bench->extras[i].name, name) == 0)
            return &bench->extras[i];
    return NULL;
}

static void judge_pair(struct bench *bench, const struct pair_goal *goal) {
    const struct extra *weir = extra_find(bench, goal->what, goal->weir),
                       *other = extra_find(bench, goal->what, goal->other);
    double ratios[ROUNDS_MAX];
    if (!weir || !other)
        return;
    int count = weir->count < other->count ? weir->count : other->count;
    for (int i = 0; i < count; i++)
        ratios[i] = goal->is_time ? other->value[i] / weir->value[i] : weir->value[i] / other->value[i];
    struct verdict *verdict = verdict_new(bench, goal->what, goal->other, goal->wanted);
    snprintf(verdict->note, sizeof(verdict->note), "%s", strstr(goal->weir, "many") ? "many" : "");
    snprintf(verdict->figures, sizeof(verdict->figures), "%.4g : %.4g %s", weir->median, other->median, weir->unit);
    verdict->ratio = bench_median(ratios, count);
    verdict->is_measured = count > 0;
}

/* What stands in the way of some, on ext4 with 2 cores:
 *     - A message of 64 bytes in a batch takes 80 in a log and 68 bare. The kernel's part, which costs by the page, is
 *       1.3 times that of the bare form, and what is left is a checksum, a header, a copy into the batch and the call, where
 *       the bare form has a copy. So batches come to 0.5 to 0.7 of bare ones, and four writers' batches too.
 *     - A message alone takes six system calls, or seven when somebody else has written (lock, whether the log was moved, its
 *       size and that of the lock file, what others wrote, write, unlock), where the bare form has three.
 *     - To the disk: a sync of weir's brings the messages of all eight writers or nearly, which is the most there can be; from
 *       its end to the next one's beginning eight processes wake, append and sleep again, which takes two cores half as
 *       long as the sync takes. The bare ones, each for itself, have several syncs under way at once, whose writes and
 *       flushes the kernel joins. So what is left is less than eight times a share that is already several, whatever
 *       weir does. */
static void judge_logs(struct bench *bench) {
    static const struct pair_goal pairs[] = {
        {"append 64 B, batched", "weir", "bare", 0.6, 0},
        {"append 64 B, batched", "weir, many", "bare", 0.6, 0},
        {"append 1 KiB, batched", "its checksums", "weir", 20, 0}, /* they take 5 % of the time at most */
        {"append 64 B, 4 writers", "weir", "bare", 1, 0},
        {"append 64 B, 4 writers, batched", "weir", "bare", 1, 0},
        {"append 64 B to the disk, 8 writers", "weir", "bare, in turn", 5, 0},
        {"append 64 B to the disk, 8 writers", "weir", "bare", 5, 0},
        {"follow 64 B, paced", "weir", "bare", 1 / 1.2, 1},
    };
    static const char *const reads[] = {"read 1 KiB: weir", "read 64 KiB: weir"};
    static const char *const seeks[] = {"seek in 1 GB: by seq", "seek in 1 GB: by time", "seek in 10 GB: by seq",
                                        "seek in 10 GB: by time"};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        judge_pair(bench, &pairs[i]);
    for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++)
        if (extra_of(bench, reads[i]) >= 0)
            judge_limit(bench, reads[i], "GB/s", extra_of(bench, reads[i]), 2, 1);
    for (size_t i = 0; i < sizeof(seeks) / sizeof(seeks[0]); i++)
        if (extra_of(bench, seeks[i]) >= 0)
            judge_limit(bench, seeks[i], "us", extra_of(bench, seeks[i]), 5000, 0);
}

/* Many calls under way, against one bare round trip after the other. */
static void judge_calls(struct bench *bench) {
    struct entry *weir = bench_entry(bench, "weir call unix"), *bare = bench_entry(bench, "bare unix socket");
    if (!weir || !bare || !weir->figures[CALL_MANY].count || !bare->figures[CALL].count)
        return;
    double calls = weir->figures[CALL_MANY].median, trips = 1e6 / bare->figures[CALL].median;
    struct verdict *verdict = verdict_new(bench, scenarios[CALL_MANY].name, "bare, one a time", 10);
    snprintf(verdict->figures, sizeof(verdict->figures), "%.0f /s : %.0f /s", calls, trips);
    verdict->ratio = calls / trips;
    verdict->is_measured = 1;
}

static void judge_loans(struct bench *bench) {
    struct entry *weir = bench_entry(bench, "weir shm, loaned");
    if (!weir || !weir->figures[LOAN_1K].count || !weir->figures[LOAN_64K].count || !weir->figures[LOAN_1M].count)
        return;
    for (int s = LOAN_1K; s <= LOAN_1M; s++)
        judge_limit(bench, scenarios[s].name, "M/s", weir->figures[s].median / 1e6, 5, 1);
}

void bench_goals(struct bench *bench) {
    static const char *const readers[] = {"send, 1 reader", "send, 8 readers", "send, 64 readers", NULL};
    static const char *const channels[] = {"send, 1 channel", "send, 1000 idle channels", NULL};
    static const struct {
        const char *name, *unit;
        double limit;
    } limits[] = {{"open a writer, first message", "us", 300},
                  {"open a reader, first message", "us", 300},
                  {"latest value, fresh process", "us", 100},
                  {"CPU of a waiting reader", "%", 0.05}};
    for (size_t i = 0; i < sizeof(goals) / sizeof(goals[0]); i++)
        judge(bench, &goals[i]);
    judge_calls(bench);
    judge_loans(bench);
    judge_logs(bench);
    judge_flat(bench, "a send, 1 to 64 readers", readers);
    judge_flat(bench, "a send, 1 to 1000 channels", channels);
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
        if (extra_of(bench, limits[i].name) >= 0)
            judge_limit(bench, limits[i].name, limits[i].unit, extra_of(bench, limits[i].name), limits[i].limit, 0);
}
