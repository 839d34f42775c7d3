/* Round trips and throughput between two processes: the bare mechanism, weir on it, and ZeroMQ, on the same work in one run.
 *
 *     bench_ipc [--rounds N] [--json]
 *
 * Each scenario forks a partner pinned to the second core (where there is one) and measures
 *     round trip   64 bytes there and back, one at a time: median and p99 in microseconds
 *     one way      64-byte messages per second, the receiver having looked at every one
 * Every figure is the median of N rounds (default 5), the rounds of all scenarios interleaved, so that a noisy minute hits all
 * alike. Ratios compare with the bare form of the same mechanism. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <weir/weir.h>
#include <zmq.h>

enum {
    PAYLOAD = 64,
    ROUND_TRIPS = 20000,
    WARM_UP = 1000,
    BATCH = 32,
    SOCKET_BATCH = 64,
    ROUNDS_MAX = 64,
    SLOT_COUNT = 1 << 13
};

/* What one round of one scenario measured. */
struct figures {
    double round_trip_us, round_trip_p99_us, per_second;
};

/* Shared by both processes: results and the bare rings. */
struct slot {
    _Atomic uint64_t seq;
    unsigned char bytes[PAYLOAD];
    char rest[128 - 8 - PAYLOAD];
};
struct shared {
    _Atomic int is_ready;
    _Alignas(64) _Atomic uint64_t taken[2]; /* how far the receiver of each ring is */
    _Alignas(64) struct slot rings[2][SLOT_COUNT];
};

struct scenario {
    const char *name;
    const char *bare; /* the scenario that ratios are taken from; NULL for a bare one */
    long one_way_count;
    void (*measure)(struct scenario *scenario, struct shared *shared, struct figures *ret);
    const char *argument;
};

static char directory[64]; /* for sockets and channels of this run */

static double now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void pin(int core) {
    cpu_set_t set;
    if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
        return;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    sched_setaffinity(0, sizeof(set), &set);
}

static void must(int holds, const char *what) {
    if (holds)
        return;
    fprintf(stderr, "bench: %s failed: %s\n", what, strerror(errno));
    exit(1);
}

static int double_order(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double percentile(double *values, size_t count, double share) {
    qsort(values, count, sizeof(*values), double_order);
    return values[(size_t)((double)(count - 1) * share)];
}

/* ---- the shape of every scenario: an echo partner for round trips, then a source for one way ---- */

/* What a mechanism can do; the partner process echoes ROUND_TRIPS + WARM_UP messages, then receives one_way_count. */
struct mechanism {
    void (*send)(struct mechanism *m, const unsigned char *bytes);
    void (*receive)(struct mechanism *m, unsigned char *bytes);
    void (*send_many)(struct mechanism *m, const unsigned char *bytes, long count);
    void (*receive_many)(struct mechanism *m, long count);
    void (*close)(struct mechanism *m);
    void *in, *out;
    uint64_t sent, received;
    struct shared *shared;
    int fd;
    const char *argument;
};

static void send_each(struct mechanism *m, const unsigned char *bytes, long count) {
    for (long i = 0; i < count; i++)
        m->send(m, bytes);
}

static void receive_each(struct mechanism *m, long count) {
    unsigned char bytes[PAYLOAD];
    for (long i = 0; i < count; i++)
        m->receive(m, bytes);
}

typedef void open_fn(struct mechanism *m, int is_partner);

static void partner(struct mechanism *m, long count) {
    unsigned char bytes[PAYLOAD];
    for (int i = 0; i < ROUND_TRIPS + WARM_UP; i++) {
        m->receive(m, bytes);
        m->send(m, bytes);
    }
    m->receive_many(m, count);
    m->send(m, bytes);
}

static void measure_round_trips(struct mechanism *m, struct figures *ret) {
    static double times[ROUND_TRIPS];
    unsigned char bytes[PAYLOAD] = {1};
    for (int i = -WARM_UP; i < ROUND_TRIPS; i++) {
        double begin = now_us();
        m->send(m, bytes);
        m->receive(m, bytes);
        if (i >= 0)
            times[i] = now_us() - begin;
    }
    ret->round_trip_us = percentile(times, ROUND_TRIPS, 0.5);
    ret->round_trip_p99_us = percentile(times, ROUND_TRIPS, 0.99);
}

static void measure(const struct scenario *scenario, struct shared *shared, open_fn *open_mechanism,
                    struct figures *ret) {
    unsigned char bytes[PAYLOAD] = {2};
    struct mechanism m = {.send_many = send_each,
                          .receive_many = receive_each,
                          .shared = shared,
                          .fd = -1,
                          .argument = scenario->argument};
    int fds[2];
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0, "socketpair");
    memset(shared, 0, sizeof(*shared));
    fflush(NULL);
    pid_t child = fork();
    must(child >= 0, "fork");
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pin(1);
        m.fd = fds[1];
        open_mechanism(&m, 1);
        atomic_store(&shared->is_ready, 1);
        partner(&m, scenario->one_way_count);
        m.close(&m);
        _exit(0);
    }
    pin(0);
    m.fd = fds[0];
    open_mechanism(&m, 0);
    while (!atomic_load(&shared->is_ready))
        usleep(100);
    measure_round_trips(&m, ret);
    double begin = now_us();
    m.send_many(&m, bytes, scenario->one_way_count);
    m.receive(&m, bytes);
    ret->per_second = (double)scenario->one_way_count / (now_us() - begin) * 1e6;
    m.close(&m);
    int status;
    waitpid(child, &status, 0);
    must(WIFEXITED(status) && WEXITSTATUS(status) == 0, scenario->name);
    close(fds[0]);
    close(fds[1]);
}

/* ---- a bare ring: the sequence stands in the payload's own first line, both sides spin ---- */

static void ring_send(struct mechanism *m, const unsigned char *bytes) {
    struct slot *slot = &((struct slot *)m->out)[m->sent % SLOT_COUNT];
    _Atomic uint64_t *taken = &m->shared->taken[m->out != m->shared->rings[0]];
    while (m->sent - atomic_load_explicit(taken, memory_order_acquire) >= SLOT_COUNT)
        __builtin_ia32_pause();
    memcpy(slot->bytes, bytes, PAYLOAD);
    atomic_store_explicit(&slot->seq, ++m->sent, memory_order_release);
}

static void ring_receive(struct mechanism *m, unsigned char *bytes) {
    struct slot *slot = &((struct slot *)m->in)[m->received % SLOT_COUNT];
    _Atomic uint64_t *taken = &m->shared->taken[m->in != m->shared->rings[0]];
    while (atomic_load_explicit(&slot->seq, memory_order_acquire) != m->received + 1)
        __builtin_ia32_pause();
    memcpy(bytes, slot->bytes, PAYLOAD);
    m->received++;
    if (m->received % 256 == 0)
        atomic_store_explicit(taken, m->received, memory_order_release);
}

static void nothing(struct mechanism *m) {
    (void)m;
}

static void ring_open(struct mechanism *m, int is_partner) {
    m->in = m->shared->rings[is_partner ? 0 : 1];
    m->out = m->shared->rings[is_partner ? 1 : 0];
    m->send = ring_send;
    m->receive = ring_receive;
    m->close = nothing;
}

/* ---- a bare unix stream socket, blocking ---- */

static void socket_send(struct mechanism *m, const unsigned char *bytes) {
    must(write(m->fd, bytes, PAYLOAD) == PAYLOAD, "write");
}

static void socket_receive(struct mechanism *m, unsigned char *bytes) {
    size_t have = 0;
    while (have < PAYLOAD) {
        ssize_t size = read(m->fd, bytes + have, PAYLOAD - have);
        must(size > 0, "read");
        have += (size_t)size;
    }
}

static void socket_send_batched(struct mechanism *m, const unsigned char *bytes, long count) {
    unsigned char block[PAYLOAD * SOCKET_BATCH];
    for (int i = 0; i < SOCKET_BATCH; i++)
        memcpy(block + i * PAYLOAD, bytes, PAYLOAD);
    for (long i = 0; i < count; i += SOCKET_BATCH) {
        size_t left = (size_t)(count - i < SOCKET_BATCH ? count - i : SOCKET_BATCH) * PAYLOAD;
        for (size_t done = 0; done < left;) {
            ssize_t size = write(m->fd, block + done, left - done);
            must(size > 0, "write");
            done += (size_t)size;
        }
    }
}

static void socket_receive_batched(struct mechanism *m, long count) {
    unsigned char block[65536];
    for (size_t left = (size_t)count * PAYLOAD; left > 0;) {
        ssize_t size = read(m->fd, block, left < sizeof(block) ? left : sizeof(block));
        must(size > 0, "read");
        left -= (size_t)size;
    }
}

static void socket_open(struct mechanism *m, int is_partner) {
    (void)is_partner;
    m->send = socket_send;
    m->receive = socket_receive;
    m->close = nothing;
    if (m->argument) {
        m->send_many = socket_send_batched;
        m->receive_many = socket_receive_batched;
    }
}

/* ---- weir: two channels, the argument says on what; a leading '*' corks batches ---- */

static void weir_send_one(struct mechanism *m, const unsigned char *bytes) {
    weir_error err;
    if (weir_writer_send_bytes(m->out, NULL, NULL, WEIR_CODEC_CBOR, NULL, bytes, PAYLOAD, &err)) {
        fprintf(stderr, "bench: %s\n", err.text);
        exit(1);
    }
}

static void weir_receive_one(struct mechanism *m, unsigned char *bytes) {
    weir_message *message;
    weir_error err;
    if (weir_reader_next(m->in, 20 * INT64_C(1000000000), &message, &err)) {
        fprintf(stderr, "bench: %s\n", err.text);
        exit(1);
    }
    memcpy(bytes, weir_message_bytes(message).data, PAYLOAD);
}

static void weir_send_corked(struct mechanism *m, const unsigned char *bytes, long count) {
    for (long i = 0; i < count; i += BATCH) {
        weir_writer_cork(m->out);
        for (long j = i; j < count && j < i + BATCH; j++)
            weir_send_one(m, bytes);
        must(weir_writer_uncork(m->out, NULL) == WEIR_OK, "uncork");
    }
}

static void weir_close(struct mechanism *m) {
    weir_writer_close(m->out);
    weir_reader_close(m->in);
}

static void weir_open(struct mechanism *m, int is_partner) {
    char address[2][256];
    weir_error err;
    const char *form = m->argument + (m->argument[0] == '*');
    for (int i = 0; i < 2; i++) {
        if (strncmp(form, "shm", 3) == 0)
            snprintf(address[i], sizeof(address[i]), "shm://bench/%c?readers=1&keep=0&%s", 'a' + i, form + 4);
        else
            snprintf(address[i], sizeof(address[i]), "%.4s://%s/%c.sock?readers=1&keep=0&%s", form, directory, 'a' + i,
                     form + 5);
    }
    int status = weir_writer_open(address[is_partner], (weir_writer **)&m->out, &err);
    if (status == WEIR_OK)
        status = weir_reader_open(address[!is_partner], (weir_reader **)&m->in, &err);
    if (status) {
        fprintf(stderr, "bench: %s\n", err.text);
        exit(1);
    }
    m->send = weir_send_one;
    m->receive = weir_receive_one;
    m->close = weir_close;
    if (m->argument[0] == '*')
        m->send_many = weir_send_corked;
}

/* ---- ZeroMQ: a PAIR over ipc ---- */

static void zmq_send_one(struct mechanism *m, const unsigned char *bytes) {
    must(zmq_send(m->out, bytes, PAYLOAD, 0) == PAYLOAD, "zmq_send");
}

static void zmq_receive_one(struct mechanism *m, unsigned char *bytes) {
    must(zmq_recv(m->out, bytes, PAYLOAD, 0) == PAYLOAD, "zmq_recv");
}

static void zmq_close_both(struct mechanism *m) {
    zmq_close(m->out);
    zmq_ctx_term(m->in);
}

static void zmq_open(struct mechanism *m, int is_partner) {
    char address[128];
    int no_limit = 0;
    snprintf(address, sizeof(address), "ipc://%s/zmq", directory);
    m->in = zmq_ctx_new();
    m->out = zmq_socket(m->in, ZMQ_PAIR);
    zmq_setsockopt(m->out, ZMQ_SNDHWM, &no_limit, sizeof(no_limit));
    zmq_setsockopt(m->out, ZMQ_RCVHWM, &no_limit, sizeof(no_limit));
    must((is_partner ? zmq_connect(m->out, address) : zmq_bind(m->out, address)) == 0, "zmq");
    m->send = zmq_send_one;
    m->receive = zmq_receive_one;
    m->close = zmq_close_both;
}

/* ---- the table ---- */

static void measure_ring(struct scenario *s, struct shared *shared, struct figures *ret) {
    measure(s, shared, ring_open, ret);
}
static void measure_socket(struct scenario *s, struct shared *shared, struct figures *ret) {
    measure(s, shared, socket_open, ret);
}
static void measure_weir(struct scenario *s, struct shared *shared, struct figures *ret) {
    measure(s, shared, weir_open, ret);
}
static void measure_zmq(struct scenario *s, struct shared *shared, struct figures *ret) {
    measure(s, shared, zmq_open, ret);
}

static struct scenario scenarios[] = {
    {"bare ring, spinning", NULL, 4000000, measure_ring, NULL},
    {"weir shm, spinning", "bare ring, spinning", 4000000, measure_weir, "shm:wait=spin&stamp=0"},
    {"weir shm, spinning, corked by 32", "bare ring, spinning", 4000000, measure_weir, "*shm:wait=spin&stamp=0"},
    {"weir shm", "bare ring, spinning", 4000000, measure_weir, "shm:stamp=1"},
    {"bare unix socket", NULL, 300000, measure_socket, NULL},
    {"bare unix socket, 64 a call", NULL, 4000000, measure_socket, "batched"},
    {"weir unix", "bare unix socket", 300000, measure_weir, "unix:stamp=1"},
    {"weir unix, corked by 32", "bare unix socket, 64 a call", 1000000, measure_weir, "*unix:stamp=1"},
    {"ZeroMQ ipc", "bare unix socket", 300000, measure_zmq, NULL},
};
enum { SCENARIO_COUNT = sizeof(scenarios) / sizeof(scenarios[0]) };

static struct figures medians[SCENARIO_COUNT];

static void take_median(size_t scenario, struct figures *rounds, size_t count) {
    double values[ROUNDS_MAX];
    double *fields[] = {&medians[scenario].round_trip_us, &medians[scenario].round_trip_p99_us,
                        &medians[scenario].per_second};
    for (size_t field = 0; field < 3; field++) {
        for (size_t i = 0; i < count; i++)
            values[i] = ((double *)&rounds[i])[field];
        *fields[field] = percentile(values, count, 0.5);
    }
}

static const struct figures *figures_of(const char *name) {
    for (size_t i = 0; name && i < SCENARIO_COUNT; i++)
        if (strcmp(scenarios[i].name, name) == 0)
            return &medians[i];
    return NULL;
}

static void print_table(void) {
    printf("%-34s %14s %10s %12s %8s %8s\n", "64 bytes", "round trip us", "p99 us", "one way M/s", "trip x", "way x");
    for (size_t i = 0; i < SCENARIO_COUNT; i++) {
        const struct figures *bare = figures_of(scenarios[i].bare);
        printf("%-34s %14.2f %10.2f %12.3f", scenarios[i].name, medians[i].round_trip_us, medians[i].round_trip_p99_us,
               medians[i].per_second / 1e6);
        if (bare)
            printf(" %8.2f %8.2f", medians[i].round_trip_us / bare->round_trip_us,
                   medians[i].per_second / bare->per_second);
        printf("\n");
    }
    printf(
        "trip x, way x: against the bare form of the same mechanism; a trip below 1 and a way above 1 are better.\n");
}

static void print_json(void) {
    for (size_t i = 0; i < SCENARIO_COUNT; i++)
        printf("{\"v\":1,\"scenario\":\"%s\",\"bytes\":%d,\"round_trip_us\":%.3f,\"round_trip_p99_us\":%.3f,"
               "\"per_second\":%.0f}\n",
               scenarios[i].name, PAYLOAD, medians[i].round_trip_us, medians[i].round_trip_p99_us,
               medians[i].per_second);
}

int main(int argc, char **argv) {
    static struct figures rounds[SCENARIO_COUNT][ROUNDS_MAX];
    size_t round_count = 5;
    int is_json = 0;
    for (int i = 1; i < argc; i++) {
        is_json |= strcmp(argv[i], "--json") == 0;
        if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc)
            round_count = (size_t)atoi(argv[++i]);
    }
    round_count = round_count < 1 ? 1 : round_count > ROUNDS_MAX ? ROUNDS_MAX : round_count;
    strcpy(directory, "/tmp/weir-bench-XXXXXX");
    must(mkdtemp(directory) != NULL, "mkdtemp");
    char store[80];
    strcpy(store, "/dev/shm/weir-bench-XXXXXX");
    must(mkdtemp(store) != NULL, "mkdtemp");
    setenv("WEIR_SHM_DIR", store, 1);
    struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(shared != MAP_FAILED, "mmap");
    for (size_t round = 0; round < round_count; round++)
        for (size_t i = 0; i < SCENARIO_COUNT; i++)
            scenarios[i].measure(&scenarios[i], shared, &rounds[i][round]);
    for (size_t i = 0; i < SCENARIO_COUNT; i++)
        take_median(i, rounds[i], round_count);
    if (is_json)
        print_json();
    else
        print_table();
    char zmq_path[96];
    snprintf(zmq_path, sizeof(zmq_path), "%s/zmq", directory);
    unlink(zmq_path);
    rmdir(directory);
    rmdir(store);
    return 0;
}
