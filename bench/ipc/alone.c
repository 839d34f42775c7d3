/* What has no other to be against: what a send costs as readers and channels become many, what opening costs, what
 * waiting costs. Each is measured in fresh processes. */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <weir/weir.h>

#include "bench.h"

enum {
    BURST = 4000, /* 48 bytes each: a quarter of a lane, so that no send waits for the reader */
    BURSTS = 40,
    READERS_MOST = 64, /* all the places that a channel has for readers */
    CHANNELS_MOST = 1000,
    SETTLE_MS = 100,
    IDLE_MS = 1000,
    PAIRS = 5, /* of a writer and its readers, for each median of a round */
    FRESH = 9  /* processes, for the same */
};

/* What a fresh process and its parent tell each other. */
struct talk {
    _Atomic int turn;
    double value;
};

static void check(int status, const weir_error *err) {
    if (status == WEIR_OK)
        return;
    fprintf(stderr, "bench: weir: %s\n", err->text);
    exit(1);
}

struct extra *bench_extra(struct bench *bench, const char *name, const char *unit) {
    for (int i = 0; i < bench->extra_count; i++)
        if (strcmp(bench->extras[i].name, name) == 0)
            return &bench->extras[i];
    bench_must(bench->extra_count < EXTRAS_MAX, "room for one more figure");
    struct extra *extra = &bench->extras[bench->extra_count++];
    snprintf(extra->name, sizeof(extra->name), "%s", name);
    extra->unit = unit;
    return extra;
}

static double thread_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Run @work in a fresh process on core @core. */
static pid_t process(struct bench *bench, int core, void (*work)(struct talk *talk, int number), int number) {
    fflush(NULL);
    pid_t child = fork();
    bench_must(child >= 0, "fork");
    if (child > 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    bench_pin(core);
    work(bench->shared, number);
    _exit(0);
}

static void join(pid_t child, const char *what) {
    int status;
    bench_must(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0, what);
}

static void turn_await(struct talk *talk, int turn) {
    while (atomic_load(&talk->turn) < turn)
        usleep(20);
}

static void add(struct bench *bench, const char *name, const char *unit, double value) {
    struct extra *extra = bench_extra(bench, name, unit);
    extra->value[extra->count++] = value;
}

/* ---- a send, with many readers or many channels ----
 *
 * The writer sends a burst, the readers then take all of it. So they are there and alive, but neither wait nor read
 * while it sends: what is measured is what the writer does for them. */

static void readers_run(struct talk *talk, int count) {
    static weir_reader *readers[READERS_MOST];
    weir_message *message;
    weir_error err;
    for (int i = 0; i < count; i++)
        check(weir_reader_open("shm://bench/many?keep=0", &readers[i], &err), &err);
    atomic_store(&talk->turn, 1);
    for (int burst = 0; burst < BURSTS; burst++) {
        turn_await(talk, 2 * burst + 2);
        for (int i = 0; i < count; i++)
            for (int k = 0; k < BURST; k++)
                check(weir_reader_next(readers[i], 0, &message, &err), &err);
        atomic_store(&talk->turn, 2 * burst + 3);
    }
}

static double burst_ns(weir_writer *writer, unsigned char *bytes) {
    weir_error err;
    double begin = thread_ns();
    for (int i = 0; i < BURST; i++) {
        number_put(bytes, (uint64_t)i);
        check(weir_writer_send_bytes(writer, NULL, NULL, WEIR_CODEC_CBOR, NULL, bytes, 48, &err), &err);
    }
    return (thread_ns() - begin) / BURST;
}

static void writer_run(struct talk *talk, int channels) {
    static weir_writer *others[CHANNELS_MOST];
    static double times[BURSTS];
    unsigned char bytes[48] = {1};
    weir_error err;
    weir_writer *writer;
    for (int i = 0; i < channels - 1; i++) {
        char address[96];
        snprintf(address, sizeof(address), "shm://bench/idle%d?keep=0&stamp=0&capacity=64K", i);
        check(weir_writer_open(address, &others[i], &err), &err);
        check(weir_writer_send_bytes(others[i], NULL, NULL, WEIR_CODEC_CBOR, NULL, bytes, 48, &err), &err);
    }
    check(weir_writer_open("shm://bench/many?keep=0&stamp=0", &writer, &err), &err);
    turn_await(talk, 1);
    for (int burst = 0; burst < BURSTS; burst++) {
        times[burst] = burst_ns(writer, bytes);
        atomic_store(&talk->turn, 2 * burst + 2);
        turn_await(talk, 2 * burst + 3);
    }
    talk->value = times[0]; /* the cheapest burst: who else is on the machine only adds to it */
    for (int burst = 1; burst < BURSTS; burst++)
        talk->value = times[burst] < talk->value ? times[burst] : talk->value;
    for (int i = 0; i < channels - 1; i++)
        weir_writer_close(others[i]);
    weir_writer_close(writer);
}

static double send_ns(struct bench *bench, int readers, int channels) {
    struct talk *talk = bench->shared;
    memset(talk, 0, sizeof(*talk));
    pid_t reader = process(bench, 1, readers_run, readers), writer = process(bench, 0, writer_run, channels);
    join(writer, "the writer");
    join(reader, "the readers");
    return talk->value;
}

/* In turns, several times: where its memory lies makes as much of a difference to a process. */
static void sends(struct bench *bench) {
    static const struct {
        const char *name;
        int readers, channels;
    } rows[] = {{"send, 1 reader", 1, 1},
                {"send, 8 readers", 8, 1},
                {"send, 64 readers", READERS_MOST, 1},
                {"send, 1 channel", 1, 1},
                {"send, 1000 idle channels", 1, CHANNELS_MOST}};
    enum { COUNT = sizeof(rows) / sizeof(rows[0]) };
    double values[COUNT][PAIRS];
    for (int i = 0; i < PAIRS; i++)
        for (int row = 0; row < COUNT; row++)
            values[row][i] = send_ns(bench, rows[row].readers, rows[row].channels);
    for (int row = 0; row < COUNT; row++)
        add(bench, rows[row].name, "ns", bench_median(values[row], PAIRS));
}

/* ---- opening ---- */

static void first_send(struct talk *talk, int number) {
    char address[96];
    weir_writer *writer;
    weir_error err;
    snprintf(address, sizeof(address), "shm://bench/first%d?keep=1", number);
    double begin = bench_now_us();
    check(weir_writer_open(address, &writer, &err), &err);
    check(weir_writer_send_bytes(writer, NULL, NULL, WEIR_CODEC_CBOR, NULL, "1", 1, &err), &err);
    talk->value = bench_now_us() - begin;
    weir_writer_close(writer);
}

static void first_next(struct talk *talk, int number) {
    char address[96];
    weir_reader *reader;
    weir_message *message;
    weir_error err;
    snprintf(address, sizeof(address), "shm://bench/first%d?from=oldest", number);
    double begin = bench_now_us();
    check(weir_reader_open(address, &reader, &err), &err);
    check(weir_reader_next(reader, 0, &message, &err), &err);
    talk->value = bench_now_us() - begin;
    weir_reader_close(reader);
}

static void latest(struct talk *talk, int number) {
    char address[96];
    weir_message *message;
    weir_error err;
    snprintf(address, sizeof(address), "shm://bench/first%d", number);
    double begin = bench_now_us();
    check(weir_latest(address, &message, &err), &err);
    talk->value = bench_now_us() - begin;
    weir_message_free(message);
}

static void fresh(struct bench *bench, const char *name, void (*work)(struct talk *talk, int number)) {
    double values[FRESH];
    struct talk *talk = bench->shared;
    for (int i = 0; i < FRESH; i++) {
        join(process(bench, 1, work, bench->serial + i), name);
        values[i] = talk->value;
    }
    add(bench, name, "us", bench_median(values, FRESH));
}

/* ---- waiting ---- */

static void wait_idly(struct talk *talk, int number) {
    weir_reader *reader;
    weir_message *message;
    weir_error err;
    struct rusage before, after;
    (void)number;
    check(weir_reader_open("shm://bench/idle?keep=0", &reader, &err), &err);
    int status = weir_reader_next(reader, SETTLE_MS * INT64_C(1000000), &message, &err); /* it spins before it sleeps */
    bench_must(status == WEIR_ETIMEOUT, "waiting for nothing");
    getrusage(RUSAGE_SELF, &before);
    double begin = bench_now_us();
    status = weir_reader_next(reader, IDLE_MS * INT64_C(1000000), &message, &err);
    double wall = bench_now_us() - begin;
    getrusage(RUSAGE_SELF, &after);
    bench_must(status == WEIR_ETIMEOUT, "waiting for nothing");
    double used =
        (double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_stime.tv_sec) *
            1e6 +
        (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_stime.tv_usec);
    talk->value = 100 * used / wall;
    weir_reader_close(reader);
}

void bench_alone(struct bench *bench) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) { /* a thousand channels are some thousand descriptors */
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    sends(bench);
    bench->serial += FRESH;
    fresh(bench, "open a writer, first message", first_send);
    fresh(bench, "open a reader, first message", first_next);
    fresh(bench, "latest value, fresh process", latest);
    struct talk *talk = bench->shared;
    join(process(bench, 1, wait_idly, 0), "a waiting reader");
    add(bench, "CPU of a waiting reader", "%", talk->value);
}
