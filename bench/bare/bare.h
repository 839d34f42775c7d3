/* The bare forms: what two processes that trust each other, never die and agree on everything beforehand can do at
 * best. No header but a number, no deadline, no counter, no check. They are what weir's ratios are against, so each is
 * written as fast as we know how: a faster one is always welcome here.
 *
 * All live in zeroed shared memory and are used by one writer; sizes are fixed when they are opened, the same on both
 * sides. */
#ifndef BENCH_BARE_H
#define BENCH_BARE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { BARE_LINE = 64, BARE_READERS_MAX = 8 };

static inline void bare_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* ---- a ring of slots ----
 *
 * Each slot begins with its sequence number, in the first line of the payload: a reader that polls it touches nothing
 * else, and a message of up to 56 bytes is one line. Readers tell the writer every quarter of a round how far they
 * are. */
struct bare_slots_shared {
    _Alignas(BARE_LINE) struct { _Alignas(BARE_LINE) _Atomic(uint64_t) taken; } readers[BARE_READERS_MAX];
    _Alignas(BARE_LINE) _Atomic(uint32_t) wake;   /* futex of readers that sleep */
    _Alignas(BARE_LINE) _Atomic(uint32_t) sleeps; /* one does; taken back by who wakes them, so one wake is one call */
    _Alignas(BARE_LINE) _Atomic(uint32_t) space;  /* futex of a writer with many readers */
    _Alignas(BARE_LINE) _Atomic(uint32_t) blocked;
    _Alignas(4096) unsigned char bytes[];
};

struct bare_slots {
    struct bare_slots_shared *shared;
    size_t stride; /* of a slot, whole lines */
    uint64_t mask; /* slots - 1 */
    uint64_t next; /* number of the next message */
    uint64_t free; /* the writer may write up to here */
    unsigned readers;
    unsigned reader; /* which one we are */
};

/* A ring of about @capacity bytes for messages of @size. */
void bare_slots_open(struct bare_slots *slots, void *shared, size_t capacity, size_t size, unsigned readers,
                     unsigned reader);
/* Wait until every reader has left room. */
void bare_slots_room(struct bare_slots *slots);

static inline unsigned char *bare_slot(const struct bare_slots *slots) {
    return slots->shared->bytes + (slots->next & slots->mask) * slots->stride;
}

static inline void bare_slots_send(struct bare_slots *slots, const unsigned char *bytes, size_t size) {
    unsigned char *slot = bare_slot(slots);
    if (__builtin_expect(slots->next == slots->free, 0))
        bare_slots_room(slots);
    memcpy(slot + 8, bytes, size);
    atomic_store_explicit((_Atomic(uint64_t) *)(void *)slot, ++slots->next, memory_order_release);
}

/* The reader: say how far we are. */
void bare_slots_tell(struct bare_slots *slots);

static inline int bare_slots_is_ready(const struct bare_slots *slots) {
    return atomic_load_explicit((_Atomic(uint64_t) *)(void *)bare_slot(slots), memory_order_acquire) == slots->next + 1;
}

/* Take the message that is ready. */
static inline void bare_slots_take(struct bare_slots *slots, unsigned char *bytes, size_t size) {
    memcpy(bytes, bare_slot(slots) + 8, size);
    slots->next++;
    if ((slots->next & slots->mask >> 2) == 0)
        bare_slots_tell(slots);
}

static inline void bare_slots_receive(struct bare_slots *slots, unsigned char *bytes, size_t size) {
    while (!bare_slots_is_ready(slots))
        bare_pause();
    bare_slots_take(slots, bytes, size);
}

/* The same with readers that sleep on a futex when there is nothing for @spins looks. Call wake after each message or
 * batch. */
void bare_slots_wake(struct bare_slots *slots);
void bare_slots_sleep(struct bare_slots *slots, int spins);

/* ---- a ring of bytes, published in batches ----
 *
 * Messages lie one behind the other, each with its length before it, padded to 8 bytes. The writer tells of a whole
 * batch by one store of `tail`, the reader gives a whole batch back by one store of `head`; each keeps its own copy of
 * what the other said last. */
struct bare_bytes_shared {
    _Alignas(BARE_LINE) _Atomic(uint64_t) tail;
    _Alignas(BARE_LINE) _Atomic(uint64_t) head;
    _Alignas(4096) unsigned char bytes[];
};

struct bare_bytes {
    struct bare_bytes_shared *shared;
    size_t capacity; /* a power of two */
    uint64_t at;     /* ours */
    uint64_t known;  /* what the other said last */
};

void bare_bytes_open(struct bare_bytes *ring, void *shared, size_t capacity);
/* @batch messages of @size bytes, published together. */
void bare_bytes_send(struct bare_bytes *ring, const unsigned char *bytes, size_t size, int batch);
/* Take what is there, at most @most messages; waits for the first. Return: how many. */
long bare_bytes_receive(struct bare_bytes *ring, unsigned char *bytes, long most);

/* ---- a word to sleep on ---- */

void bare_futex_wait(_Atomic(uint32_t) *word, uint32_t value);
void bare_futex_wake(_Atomic(uint32_t) *word);

#endif
