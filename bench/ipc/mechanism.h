/* What a mechanism is: one file with a `const struct mechanism` array, listed in mechanisms.c. Each sample has fresh
 * processes; each of them calls open, works, and calls close.
 *
 *     index 0                              partners (1 .. readers)
 *     trips: send, receive, timed          receive, send
 *     one way: send_many                   receive_many       NULL: send, receive, again and again
 *
 * A mechanism is used in its fastest documented way. What is received is copied out, unless the name says that it is
 * loaned. */
#ifndef BENCH_MECHANISM_H
#define BENCH_MECHANISM_H

#include <stddef.h>
#include <stdint.h>

enum { LINK_SIZE_MAX = 1 << 20, SHARED_SIZE = 64 << 20, TEXT_MAX = 160 };

/* The scenarios, in the order in which they are measured and shown. */
enum scenario_id {
    TRIP,        /* round trip, one after the other */
    TRIP_PACED,  /* round trip, a pause before each, so that who sleeps has gone to sleep */
    WAY_48,      /* one way, what fits in one cache line */
    WAY_BATCHED, /* the same, 32 at a time */
    WAY_1K,
    WAY_64K,
    WAY_1M,
    LOAN_1K, /* one way without a copy: 8 bytes of it are written and read */
    LOAN_64K,
    LOAN_1M,
    FAN_64, /* one way, to 4 readers */
    FAN_1K,
    WAY_64,    /* one way, a call of the program for each: streams of bytes */
    CALL,      /* a request and its reply, one after the other */
    CALL_MANY, /* the same with 64 under way from one client; a message is a call */
    SCENARIO_COUNT
};

#define TRIPS          (1u << TRIP | 1u << TRIP_PACED)
#define WAYS           (1u << WAY_48 | 1u << WAY_1K | 1u << WAY_64K | 1u << WAY_1M)
#define LOANS          (1u << LOAN_1K | 1u << LOAN_64K | 1u << LOAN_1M)
#define FANS           (1u << FAN_64 | 1u << FAN_1K)
#define CALLS          (1u << CALL | 1u << CALL_MANY)
#define ONLY(scenario) (1u << (scenario))

struct scenario {
    const char *name;
    size_t size;
    int batch;
    int readers;
    int is_trip;
    int pause_us;
    long count; /* of messages; divided by mechanism.slowness */
};
extern const struct scenario scenarios[SCENARIO_COUNT];

struct mechanism;

/* One process's end of one sample. */
struct link {
    const struct mechanism *mechanism;
    const struct scenario *scenario;
    const char *directory; /* for sockets and the like, empty at first */
    void *shared;          /* SHARED_SIZE bytes, the first pages zeroed */
    int index;
    int serial; /* of the sample, for names that must not meet */
    size_t size;
    /* the mechanism's own */
    void *state, *in, *out;
    int fd;
};

struct mechanism {
    const char *name;
    unsigned scenarios; /* 1 << id, or-ed */
    int slowness;       /* how many times fewer messages than the fastest */
    const char *argument;
    void (*open)(struct link *link);
    void (*close)(struct link *link);
    /* trips */
    void (*send)(struct link *link, const unsigned char *bytes);
    void (*receive)(struct link *link, unsigned char *bytes);
    /* one way: every message begins with its number, so that the driver can tell what arrived. NULL: one by one */
    void (*send_many)(struct link *link, unsigned char *bytes, long count);
    /* Return: the number of the last one. */
    uint64_t (*receive_many)(struct link *link, unsigned char *bytes, long count);
    /* Prepare what all samples share. Return: WHY it cannot be measured; NULL when it can. Called once, before anything
     * is forked. */
    const char *(*prepare)(const char *directory);
    void (*finish)(void);
};

/* In mechanisms.c; each array ends with a NULL name. */
extern const struct mechanism *const mechanism_lists[];

/* A failure of the benchmark itself: says what, and exits. */
void bench_must(int holds, const char *what);
/* The number of a message stands in its first bytes. */
static inline void number_put(unsigned char *bytes, uint64_t number) {
    __builtin_memcpy(bytes, &number, sizeof(number));
}
static inline uint64_t number_get(const unsigned char *bytes) {
    uint64_t number;
    __builtin_memcpy(&number, bytes, sizeof(number));
    return number;
}

#endif
