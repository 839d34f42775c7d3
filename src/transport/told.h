/* What an end tells of itself while it works, to whoever looks from outside: part of its record (channel/record.h),
 * whose layout docs/spec/shm.md gives.
 *
 * What must stay true: telling is a relaxed store into a page that the end alone writes, and nothing waits for it; what
 * is told is advice, of slightly different moments, and decides nothing. */
#ifndef WEIR_TRANSPORT_TOLD_H
#define WEIR_TRANSPORT_TOLD_H

#include <stdatomic.h>
#include <stdint.h>

enum {
    WEIR_TOLD_WRITERS = 64, /* a power of two */
    WEIR_TOLD_PEERS = 40    /* of a listener's connections, those in its first so many places */
};

enum weir_told_flags {
    WEIR_TOLD_OBSERVES = 1, /* a reader that holds nobody back */
    WEIR_TOLD_PLAIN = 2     /* it speaks no frames */
};

/* Somebody who is connected to an end that listens. */
struct weir_told_peer {
    _Atomic uint32_t role; /* enum weir_role; 0: the place is free */
    _Atomic uint32_t pid;  /* 0: not known */
    _Atomic uint32_t uid;  /* UINT32_MAX: not known */
    uint8_t flags;         /* enum weir_told_flags */
    uint8_t full;          /* enum weir_full of a writer */
    uint8_t is_paused;     /* a writer whose next message has no room yet */
    uint8_t spare;
    _Atomic uint64_t queued; /* bytes that wait for it in the listener's memory */
    char program[32];
};

struct weir_told {
    _Atomic uint64_t queued; /* bytes that wait in this end's memory: to be sent, or for who owns it */
    /* Of a log: which file this end reads, and up to where. */
    _Atomic uint64_t inode;
    _Atomic uint64_t position;
    /* Of a reader: the seq of the last message it has had of writer N at N modulo 64; of a log, whose writers share a
     * count, at 0. When it opens, that of the one before its place. Of a writer at 0: of the message it sent last. */
    _Atomic uint64_t seq[WEIR_TOLD_WRITERS];
    _Atomic uint32_t listens; /* 1 while others connect to this end */
    _Atomic uint32_t unseen;  /* connections beyond those in peers */
    struct weir_told_peer peers[WEIR_TOLD_PEERS];
};

#define WEIR_TELL(field, value) atomic_store_explicit(&(field), (value), memory_order_relaxed)
#define WEIR_HEAR(field)        atomic_load_explicit(&(field), memory_order_relaxed)

#endif
