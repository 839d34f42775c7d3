/* Logs: file:// beside the bare forms of bench/bare/log.h, in one run. Appending by one and by several, with and
 * without batches, to the disk; following; reading; and finding a place in logs of growing size.
 *
 * A sample is fresh processes and a fresh file, one form after the other in a round. Files lie in the benchmark's
 * directory, so what is measured is the file system that is there; weir and the bare form have the same. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <weir/weir.h>

#include "../../src/base/crc32c.h"
#include "../bare/log.h"
#include "bench.h"

enum { WRITERS_MAX = 8, PATH_MAX_HERE = 160, FOLLOWED = 500, FOLLOW_PAUSE_US = 300, SEEKS = 40, CRC_PASSES = 20000 };

/* What the processes of a sample tell each other. */
struct talk {
    _Atomic int ready, go, done;
    double ended_us[WRITERS_MAX];
    double times[FOLLOWED];
};

struct job {
    struct talk *talk;
    const struct row *row;
    char path[PATH_MAX_HERE];
    int index;
};

struct row {
    const char *name; /* "append 64 B, batched" */
    const char *form; /* "weir", "bare" */
    void (*work)(struct job *job);
    const char *options; /* weir's address */
    uint32_t size;
    int batch;
    int writers;
    long count; /* of each writer's messages */
};

static void check(int status, const weir_error *err) {
    if (status == WEIR_OK)
        return;
    fprintf(stderr, "bench: weir: %s\n", err->text);
    exit(1);
}

static void add(struct bench *bench, const char *what, const char *form, const char *unit, double value) {
    char name[64];
    snprintf(name, sizeof(name), "%s: %s", what, form);
    struct extra *extra = bench_extra(bench, name, unit);
    extra->value[extra->count++] = value;
}

/* ---- appending ---- */

static void begin(struct job *job) {
    atomic_fetch_add(&job->talk->ready, 1);
    while (!atomic_load(&job->talk->go))
        usleep(20);
}

static void end(struct job *job) {
    job->talk->ended_us[job->index] = bench_now_us();
    atomic_fetch_add(&job->talk->done, 1);
    while (atomic_load(&job->talk->go) != 2)
        usleep(50);
}

static void weir_append(struct job *job) {
    static unsigned char bytes[65536];
    char address[PATH_MAX_HERE + 64];
    weir_writer *writer;
    weir_error err;
    const struct row *row = job->row;
    snprintf(address, sizeof(address), "file://%s?stamp=0&timeout=60s&%s", job->path, row->options);
    check(weir_writer_open(address, &writer, &err), &err);
    begin(job);
    for (long i = 0; i < row->count;) {
        if (row->batch > 1)
            weir_writer_cork(writer);
        for (long last = i + row->batch; i < last; i++) {
            number_put(bytes, (uint64_t)i);
            check(weir_writer_send_bytes(writer, NULL, NULL, WEIR_CODEC_CBOR, NULL, bytes, row->size, &err), &err);
        }
        if (row->batch > 1)
            check(weir_writer_uncork(writer, &err), &err);
    }
    end(job);
    weir_writer_close(writer);
}

/* A batch is one call. */
static void weir_append_many(struct job *job) {
    enum { BATCH_MAX = 1024, SIZE = 64 };
    static unsigned char bytes[BATCH_MAX][SIZE];
    weir_view views[BATCH_MAX];
    char address[PATH_MAX_HERE + 64];
    weir_writer *writer;
    weir_error err;
    const struct row *row = job->row;
    size_t sent = 0;
    bench_must(row->batch <= BATCH_MAX && row->size == SIZE, "a batch of that size");
    for (int i = 0; i < row->batch; i++)
        views[i] = (weir_view){(const char *)bytes[i], SIZE};
    snprintf(address, sizeof(address), "file://%s?stamp=0&timeout=60s&%s", job->path, row->options);
    check(weir_writer_open(address, &writer, &err), &err);
    begin(job);
    for (long i = 0; i < row->count; i += row->batch) {
        for (long k = 0; k < row->batch; k++)
            number_put(bytes[k], (uint64_t)(i + k));
        check(weir_writer_send_many(writer, NULL, NULL, WEIR_CODEC_CBOR, NULL, views, (size_t)row->batch, &sent, &err),
              &err);
    }
    end(job);
    weir_writer_close(writer);
}

static void bare_append(struct job *job, int is_locked, int is_synced) {
    static unsigned char bytes[65536];
    static struct bare_log log;
    const struct row *row = job->row;
    bench_must(bare_log_open(&log, job->path) == 0, "a bare log");
    begin(job);
    for (long i = 0; i < row->count;) {
        int fine = !is_locked || bare_log_lock(&log) == 0;
        for (long last = i + row->batch; i < last; i++) {
            number_put(bytes, (uint64_t)i);
            fine = fine && bare_log_add(&log, bytes, row->size) == 0;
        }
        if (is_locked || row->batch == 1)
            fine = fine && bare_log_flush(&log) == 0;
        if (is_synced)
            fine = fine && fdatasync(log.fd) == 0;
        if (is_locked)
            fine = fine && bare_log_unlock(&log) == 0;
        bench_must(fine, "a bare append");
    }
    bench_must(bare_log_flush(&log) == 0, "a bare append");
    end(job);
    bare_log_close(&log);
}

static void bare_buffered(struct job *job) {
    bare_append(job, 0, 0);
}

static void bare_locked(struct job *job) {
    bare_append(job, 1, 0);
}

static void bare_synced(struct job *job) {
    bare_append(job, 0, 1);
}

static void bare_synced_in_turn(struct job *job) {
    bare_append(job, 1, 1);
}

/* A batch of weir's is what the bare form's buffer holds, 64 KiB of messages: the same number of writes. */
static const struct row rows[] = {
    {"append 64 B, batched", "bare", bare_buffered, "", 64, 1024, 1, 1 << 20},
    {"append 64 B, batched", "weir", weir_append, "", 64, 1024, 1, 1 << 20},
    {"append 64 B, batched", "weir, many", weir_append_many, "", 64, 1024, 1, 1 << 20},
    {"append 64 B, a call each", "bare", bare_buffered, "", 64, 1, 1, 1 << 17},
    {"append 64 B, a call each", "weir, exclusive", weir_append, "exclusive=1", 64, 1, 1, 1 << 17},
    {"append 64 B, a call each", "weir", weir_append, "", 64, 1, 1, 1 << 17},
    {"append 1 KiB, batched", "bare", bare_buffered, "", 1024, 64, 1, 1 << 17},
    {"append 1 KiB, batched", "weir", weir_append, "", 1024, 64, 1, 1 << 17},
    {"append 64 B, 4 writers", "bare", bare_locked, "", 64, 1, 4, 1 << 14},
    {"append 64 B, 4 writers", "weir", weir_append, "", 64, 1, 4, 1 << 14},
    {"append 64 B, 4 writers, batched", "bare", bare_locked, "", 64, 64, 4, 1 << 18},
    {"append 64 B, 4 writers, batched", "weir", weir_append, "", 64, 64, 4, 1 << 18},
    {"append 64 B, 4 writers, batched", "weir, many", weir_append_many, "", 64, 64, 4, 1 << 18},
    {"append 64 B to the disk, 8 writers", "bare", bare_synced, "", 64, 1, 8, 300},
    {"append 64 B to the disk, 8 writers", "bare, in turn", bare_synced_in_turn, "", 64, 1, 8, 300},
    {"append 64 B to the disk, 8 writers", "weir", weir_append, "sync=always", 64, 1, 8, 300},
};

/* ---- a sample ---- */

static void work(struct job *job, int index, void (*run)(struct job *job)) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    job->index = index;
    bench_pin(index);
    run(job);
    _exit(0);
}

static pid_t start(struct job *job, int index, void (*run)(struct job *job)) {
    fflush(NULL);
    pid_t child = fork();
    bench_must(child >= 0, "fork");
    if (child == 0)
        work(job, index, run);
    return child;
}

/* A file for one sample, which nobody has. */
static struct job job_new(struct bench *bench, const struct row *row) {
    struct job job = {.talk = bench->shared, .row = row};
    memset(job.talk, 0, sizeof(*job.talk));
    snprintf(job.path, sizeof(job.path), "%s/log%d.weir", bench->directory, bench->serial++);
    return job;
}

/* Wait until @count children say @what, none of which may fail. */
static void await_all(const _Atomic int *what, int count, const pid_t *children) {
    while (atomic_load(what) < count) {
        for (int i = 0; i < count; i++)
            bench_must(waitpid(children[i], NULL, WNOHANG) == 0, "a process of a log's sample");
        usleep(1000);
    }
}

static void row_run(struct bench *bench, const struct row *row) {
    struct job job = job_new(bench, row);
    pid_t children[WRITERS_MAX];
    double last = 0;
    for (int i = 0; i < row->writers; i++)
        children[i] = start(&job, i, row->work);
    await_all(&job.talk->ready, row->writers, children);
    double from = bench_now_us();
    atomic_store(&job.talk->go, 1);
    await_all(&job.talk->done, row->writers, children);
    atomic_store(&job.talk->go, 2);
    for (int i = 0; i < row->writers; i++) {
        bench_must(waitpid(children[i], NULL, 0) == children[i], "a writer of a log");
        last = job.talk->ended_us[i] > last ? job.talk->ended_us[i] : last;
    }
    unlink(job.path);
    add(bench, row->name, row->form, "messages/s", (double)(row->count * row->writers) / (last - from) * 1e6);
}

/* The checksum of a message of 1 KiB behind another of its batch: of its place and header, and on over its data. It is
 * a part of the append above. */
static void checksum(struct bench *bench) {
    static unsigned char bytes[2048];
    uint32_t crc = 0;
    double from = bench_now_us();
    for (uint64_t i = 0; i < CRC_PASSES; i++) {
        memcpy(bytes, &i, sizeof(i)); /* as a header is written: in words, which the checksum can take over at once */
        crc ^= weir_crc32c(weir_crc32c(0, bytes, 36), bytes + 64, 1024);
    }
    number_put(bytes, crc);
    add(bench, "append 1 KiB, batched", "its checksums", "messages/s", CRC_PASSES / (bench_now_us() - from) * 1e6);
}

/* ---- following: from before the send until the follower has it ---- */

static void follow_row(struct bench *bench, const char *form, void (*writer)(struct job *job),
                       void (*follower)(struct job *job)) {
    static const struct row row = {.size = 64};
    struct job job = job_new(bench, &row);
    pid_t children[2] = {start(&job, 0, writer)};
    await_all(&job.talk->ready, 1, children);
    children[1] = start(&job, 1, follower);
    await_all(&job.talk->ready, 2, children);
    usleep(1000);
    atomic_store(&job.talk->go, 1);
    await_all(&job.talk->done, 2, children);
    atomic_store(&job.talk->go, 2);
    for (int i = 0; i < 2; i++)
        bench_must(waitpid(children[i], NULL, 0) == children[i], "following a log");
    unlink(job.path);
    qsort(job.talk->times, FOLLOWED, sizeof(double), bench_double_order);
    add(bench, "follow 64 B, paced", form, "us", job.talk->times[FOLLOWED / 2]);
}

/* Stay awake: who sleeps would have the processor sleep too. */
static void pace(void) {
    double until = bench_now_us() + FOLLOW_PAUSE_US;
    while (bench_now_us() < until)
        ;
}

static void weir_leads(struct job *job) {
    unsigned char bytes[64] = {0};
    char address[PATH_MAX_HERE + 64];
    weir_writer *writer;
    weir_error err;
    snprintf(address, sizeof(address), "file://%s?stamp=0", job->path);
    check(weir_writer_open(address, &writer, &err), &err);
    begin(job);
    for (int i = 0; i < FOLLOWED; i++) {
        pace();
        double now = bench_now_us();
        memcpy(bytes, &now, sizeof(now));
        check(weir_writer_send_bytes(writer, NULL, NULL, WEIR_CODEC_CBOR, NULL, bytes, 64, &err), &err);
    }
    end(job);
    weir_writer_close(writer);
}

static void weir_follows(struct job *job) {
    char address[PATH_MAX_HERE + 64];
    weir_reader *reader;
    weir_message *message;
    weir_error err;
    double then;
    snprintf(address, sizeof(address), "file://%s?from=oldest", job->path);
    check(weir_reader_open(address, &reader, &err), &err);
    begin(job);
    for (int i = 0; i < FOLLOWED; i++) {
        check(weir_reader_next(reader, INT64_C(30000000000), &message, &err), &err);
        memcpy(&then, weir_message_bytes(message).data, sizeof(then));
        job->talk->times[i] = bench_now_us() - then;
    }
    end(job);
    weir_reader_close(reader);
}

static void bare_leads(struct job *job) {
    static struct bare_log log;
    unsigned char bytes[64] = {0};
    bench_must(bare_log_open(&log, job->path) == 0, "a bare log");
    begin(job);
    for (int i = 0; i < FOLLOWED; i++) {
        pace();
        double now = bench_now_us();
        memcpy(bytes, &now, sizeof(now));
        bench_must(bare_log_put(&log, bytes, 64) == 0, "a bare append");
    }
    end(job);
    bare_log_close(&log);
}

static void bare_follows(struct job *job) {
    static struct bare_tail tail;
    const unsigned char *bytes;
    uint32_t size;
    double then;
    bench_must(bare_tail_open(&tail, job->path) == 0, "a bare tail");
    begin(job);
    for (int i = 0; i < FOLLOWED; i++) {
        bench_must(bare_tail_next(&tail, 1, &bytes, &size) == 1, "a bare tail");
        memcpy(&then, bytes, sizeof(then));
        job->talk->times[i] = bench_now_us() - then;
    }
    end(job);
    bare_tail_close(&tail);
}

/* ---- logs that stay for all rounds: to be read, and to look for places in ---- */

static void path_of(const struct bench *bench, const char *name, char *path) {
    snprintf(path, PATH_MAX_HERE, "%s/%s", bench->directory, name);
}

/* Make a log of @total bytes of data in messages of @size, each a millisecond after the one before it, up to
 * @last_ns. */
static void log_make(const char *path, uint64_t total, size_t size, int64_t last_ns) {
    static unsigned char bytes[65536];
    char address[PATH_MAX_HERE + 64];
    weir_writer *writer;
    weir_error err;
    uint64_t count = total / size;
    snprintf(address, sizeof(address), "file://%s?exclusive=1", path);
    check(weir_writer_open(address, &writer, &err), &err);
    weir_writer_cork(writer);
    for (uint64_t i = 0; i < count; i++) {
        number_put(bytes, i);
        weir_writer_set_time(writer, last_ns - (int64_t)(count - 1 - i) * 1000000);
        check(weir_writer_send_bytes(writer, NULL, NULL, WEIR_CODEC_CBOR, NULL, bytes, size, &err), &err);
    }
    check(weir_writer_uncork(writer, &err), &err);
    weir_writer_close(writer);
}

static void bare_log_make(const char *path, uint64_t total, uint32_t size) {
    static unsigned char bytes[65536 - BARE_LOG_LENGTH];
    static struct bare_log log;
    bench_must(bare_log_open(&log, path) == 0, "a bare log");
    for (uint64_t i = 0; i < total / size; i++)
        bench_must(bare_log_add(&log, bytes, size) == 0, "a bare append");
    bench_must(bare_log_flush(&log) == 0, "a bare append");
    bare_log_close(&log);
}

static double weir_read_all(const char *path) {
    char address[PATH_MAX_HERE + 64];
    weir_reader *reader;
    weir_message *message;
    weir_error err;
    uint64_t total = 0;
    snprintf(address, sizeof(address), "file://%s?from=oldest", path);
    check(weir_reader_open(address, &reader, &err), &err);
    double from = bench_now_us();
    int status;
    while ((status = weir_reader_next(reader, 0, &message, &err)) == WEIR_OK)
        total += weir_message_bytes(message).size;
    if (status != WEIR_ETIMEOUT)
        check(status, &err);
    double rate = (double)total / (bench_now_us() - from) / 1e3;
    weir_reader_close(reader);
    return rate;
}

static double bare_read_all(const char *path) {
    static struct bare_tail tail;
    const unsigned char *bytes;
    uint32_t size;
    uint64_t total = 0;
    bench_must(bare_tail_open(&tail, path) == 0, "a bare tail");
    double from = bench_now_us();
    while (bare_tail_next(&tail, 0, &bytes, &size) == 1)
        total += size;
    double rate = (double)total / (bench_now_us() - from) / 1e3;
    bare_tail_close(&tail);
    return rate;
}

static void read_rows(struct bench *bench) {
    static const struct {
        const char *name, *file, *bare_file;
        uint32_t size;
        uint64_t total;
    } logs[] = {{"read 64 B", "read64.weir", "read64", 64, 32 << 20},
                {"read 1 KiB", "read1k.weir", "read1k", 1024, 128 << 20},
                {"read 64 KiB", "read64k.weir", "read64k", 65536 - BARE_LOG_LENGTH, 128 << 20}};
    char path[PATH_MAX_HERE];
    for (size_t i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
        path_of(bench, logs[i].bare_file, path);
        if (access(path, F_OK) != 0)
            bare_log_make(path, logs[i].total, logs[i].size);
        add(bench, logs[i].name, "bare", "GB/s", bare_read_all(path));
        path_of(bench, logs[i].file, path);
        if (access(path, F_OK) != 0)
            log_make(path, logs[i].total, logs[i].size, (int64_t)time(NULL) * 1000000000);
        add(bench, logs[i].name, "weir", "GB/s", weir_read_all(path));
    }
}

/* ---- finding a place: open a reader there and take its first message ---- */

static double seek_us(const char *path, const char *from, uint64_t wanted, uint64_t slack) {
    char address[PATH_MAX_HERE + 96];
    weir_reader *reader;
    weir_message *message;
    weir_error err;
    snprintf(address, sizeof(address), "file://%s?from=%s", path, from);
    double begun = bench_now_us();
    check(weir_reader_open(address, &reader, &err), &err);
    check(weir_reader_next(reader, 0, &message, &err), &err);
    double took = bench_now_us() - begun;
    uint64_t found = number_get((const unsigned char *)weir_message_bytes(message).data);
    slack = slack ? slack + (uint64_t)(took / 1000) : 0; /* what is so long ago moves on while it is looked for */
    bench_must(found + slack >= wanted && found <= wanted + slack, "finding a place in a log");
    weir_reader_close(reader);
    return took;
}

static void seek_row(struct bench *bench, const char *name, const char *path, uint64_t total, int64_t last_ns) {
    double by_seq[SEEKS], by_time[SEEKS];
    char from[64], what[48];
    uint64_t count = total / 1024;
    for (uint64_t i = 0; i < SEEKS; i++) {
        uint64_t wanted = (i * 2654435761u + 12345) % count;
        struct timespec now;
        snprintf(from, sizeof(from), "seq:%llu", (unsigned long long)wanted + 1);
        by_seq[i] = seek_us(path, from, wanted, 0);
        clock_gettime(CLOCK_REALTIME, &now);
        int64_t ago =
            (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 - last_ns / 1000000 + (int64_t)(count - 1 - wanted);
        snprintf(from, sizeof(from), "-%lldms", (long long)ago);
        by_time[i] = seek_us(path, from, wanted, 1000); /* some time passes before it is looked for */
    }
    snprintf(what, sizeof(what), "seek in %s", name);
    add(bench, what, "by seq", "us", bench_median(by_seq, SEEKS));
    add(bench, what, "by time", "us", bench_median(by_time, SEEKS));
}

static void seek_rows(struct bench *bench) {
    static const struct {
        const char *name;
        uint64_t total;
    } logs[] = {{"10 MB", UINT64_C(10) << 20},
                {"100 MB", UINT64_C(100) << 20},
                {"1 GB", UINT64_C(1) << 30},
                {"10 GB", UINT64_C(10) << 30}};
    static int64_t last_ns;
    char path[PATH_MAX_HERE], file[32];
    last_ns = last_ns ? last_ns : (int64_t)time(NULL) * 1000000000;
    for (size_t i = 0; i < sizeof(logs) / sizeof(logs[0]) - !bench->is_big; i++) {
        snprintf(file, sizeof(file), "seek%zu.weir", i);
        path_of(bench, file, path);
        if (access(path, F_OK) != 0)
            log_make(path, logs[i].total, 1024, last_ns);
        seek_row(bench, logs[i].name, path, logs[i].total, last_ns);
    }
}

static int is_named(const struct bench *bench, const char *what) {
    return !bench->only || strstr("logs", bench->only) || strstr(what, bench->only);
}

void bench_log(struct bench *bench) {
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (is_named(bench, rows[i].name))
            row_run(bench, &rows[i]);
    if (is_named(bench, "append 1 KiB, batched"))
        checksum(bench);
    if (is_named(bench, "follow 64 B, paced")) {
        follow_row(bench, "bare", bare_leads, bare_follows);
        follow_row(bench, "weir", weir_leads, weir_follows);
    }
    if (is_named(bench, "read 64 B, 1 KiB, 64 KiB"))
        read_rows(bench);
    if (is_named(bench, "seek"))
        seek_rows(bench);
}
