/* The parts of the bare forms that are not in the fast path. */
#include "bare.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

void bare_futex_wait(_Atomic(uint32_t) *word, uint32_t value) {
    syscall(SYS_futex, word, FUTEX_WAIT, value, NULL, NULL, 0);
}

void bare_futex_wake(_Atomic(uint32_t) *word) {
    syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* ---- slots ---- */

void bare_slots_open(struct bare_slots *slots, void *shared, size_t capacity, size_t size, unsigned readers,
                     unsigned reader) {
    size_t stride = (size + 8 + BARE_LINE - 1) & ~(size_t)(BARE_LINE - 1);
    uint64_t count = 4;
    while (count * 2 * stride <= capacity)
        count *= 2;
    *slots = (struct bare_slots){
        .shared = shared, .stride = stride, .mask = count - 1, .free = count, .readers = readers, .reader = reader};
}

static int has_room(struct bare_slots *slots) {
    uint64_t taken = UINT64_MAX;
    for (unsigned i = 0; i < slots->readers; i++) {
        uint64_t one = atomic_load_explicit(&slots->shared->readers[i].taken, memory_order_acquire);
        taken = one < taken ? one : taken;
    }
    slots->free = taken + slots->mask + 1;
    return slots->free > slots->next;
}

static void room_sleep(struct bare_slots *slots) {
    struct bare_slots_shared *shared = slots->shared;
    uint32_t word = atomic_load(&shared->space);
    atomic_store(&shared->blocked, 1);
    atomic_thread_fence(memory_order_seq_cst);
    if (!has_room(slots))
        bare_futex_wait(&shared->space, word);
}

void bare_slots_room(struct bare_slots *slots) {
    for (;;) {
        if (has_room(slots))
            return;
        if (slots->readers > 1) /* more processes than cores: whoever is behind needs this one */
            room_sleep(slots);
        else
            bare_pause();
    }
}

void bare_slots_tell(struct bare_slots *slots) {
    struct bare_slots_shared *shared = slots->shared;
    atomic_store_explicit(&shared->readers[slots->reader].taken, slots->next, memory_order_release);
    if (slots->readers == 1)
        return;
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&shared->blocked, memory_order_relaxed) == 0)
        return;
    atomic_store(&shared->blocked, 0);
    atomic_fetch_add(&shared->space, 1);
    bare_futex_wake(&shared->space);
}

void bare_slots_wake(struct bare_slots *slots) {
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&slots->shared->sleeps, memory_order_relaxed) == 0)
        return;
    atomic_store(&slots->shared->sleeps, 0);
    atomic_fetch_add(&slots->shared->wake, 1);
    bare_futex_wake(&slots->shared->wake);
}

void bare_slots_sleep(struct bare_slots *slots, int spins) {
    for (; spins > 0 && !bare_slots_is_ready(slots); spins--)
        bare_pause();
    while (!bare_slots_is_ready(slots)) {
        uint32_t word = atomic_load(&slots->shared->wake);
        atomic_store(&slots->shared->sleeps, 1);
        if (!bare_slots_is_ready(slots))
            bare_futex_wait(&slots->shared->wake, word);
    }
}

/* ---- bytes ---- */

void bare_bytes_open(struct bare_bytes *ring, void *shared, size_t capacity) {
    *ring = (struct bare_bytes){.shared = shared, .capacity = capacity};
}

static size_t span_of(size_t size) {
    return (size + 8 + 7) & ~(size_t)7;
}

/* A message that would run over the end begins at the ring's beginning; a length of 0 says so. */
static uint64_t place(const struct bare_bytes *ring, uint64_t at, size_t span) {
    uint64_t left = ring->capacity - (at & (ring->capacity - 1));
    return left < span ? at + left : at;
}

void bare_bytes_send(struct bare_bytes *ring, const unsigned char *bytes, size_t size, int batch) {
    size_t span = span_of(size);
    uint64_t at = ring->at;
    for (int i = 0; i < batch; i++) {
        uint64_t begin = place(ring, at, span);
        if (__builtin_expect(begin + span - ring->known > ring->capacity, 0)) {
            atomic_store_explicit(&ring->shared->tail, at, memory_order_release);
            while (begin + span - (ring->known = atomic_load_explicit(&ring->shared->head, memory_order_acquire)) >
                   ring->capacity)
                bare_pause();
        }
        unsigned char *to = ring->shared->bytes + (at & (ring->capacity - 1));
        if (__builtin_expect(begin != at, 0)) {
            memset(to, 0, 8);
            to = ring->shared->bytes;
        }
        memcpy(to, &size, 8);
        memcpy(to + 8, bytes, size);
        at = begin + span;
    }
    ring->at = at;
    atomic_store_explicit(&ring->shared->tail, at, memory_order_release);
}

long bare_bytes_receive(struct bare_bytes *ring, unsigned char *bytes, long most) {
    long count = 0;
    while (ring->known == ring->at) {
        ring->known = atomic_load_explicit(&ring->shared->tail, memory_order_acquire);
        if (ring->known == ring->at)
            bare_pause();
    }
    uint64_t at = ring->at;
    while (at != ring->known && count < most) {
        const unsigned char *from = ring->shared->bytes + (at & (ring->capacity - 1));
        size_t size;
        memcpy(&size, from, 8);
        if (__builtin_expect(size == 0, 0)) {
            at = (at + ring->capacity) & ~(uint64_t)(ring->capacity - 1);
            continue;
        }
        memcpy(bytes, from + 8, size);
        at += span_of(size);
        count++;
    }
    ring->at = at;
    atomic_store_explicit(&ring->shared->head, at, memory_order_release);
    return count;
}
