/* The bytes of a shared-memory channel. docs/spec/shm.md is the standard and gives the orders of loads and stores.
 *
 *     BASE/weir-UID/lab~imu/          one directory per channel ("lab/imu")
 *         channel         page 0: immutable header; page 1: what changes. Mapped read-only by those who only read
 *         cursors         what readers write: who is there, how far they are, who sleeps
 *         lane.N.G        lane N, segment G: written by one writer
 *         members.lock    every open end holds byte 0 shared; whoever gets it exclusively is alone
 *         writers.lock    bytes 0..63: leases of lanes; 64: the server; 65: whoever becomes it; 66: shared by writers,
 *                         exclusive for exclusive=1
 *         readers.lock    bytes 0..63: leases of reader slots
 *         wake.S          a FIFO, made when the reader in slot S asks for a descriptor
 *
 * A lane segment, with R = ring_offset and C = capacity, a power of two:
 *
 *     0        struct weir_lane_header   immutable
 *     4096     struct weir_lane_page     written by the lane's writer only
 *     R        ring of C bytes, mapped twice in a row
 *
 * A position counts bytes since the lane's first frame and never goes back, also over segments; the frame at position P
 * begins at ring byte P mod C. Frames begin at multiples of 64. The 8 bytes at a frame's beginning are its commit word:
 * 0 until the frame is complete. The word behind the newest frame is always 0, so stale bytes are never taken for a
 * frame.
 *
 * All integers are little-endian and naturally aligned; those that change are accessed as atomics. */
#ifndef WEIR_SHM_LAYOUT_H
#define WEIR_SHM_LAYOUT_H

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "os/semaphore.h"

enum {
    WEIR_SHM_VERSION = 1,
    WEIR_SHM_PAGE = 4096,
    WEIR_SHM_LINE = 64,
    WEIR_SHM_LANES = 64,
    WEIR_SHM_SLOTS = 64,
    WEIR_SHM_SLOT_SIZE = 1024,
    WEIR_SHM_CAPACITY_MIN = 65536,
};
#define WEIR_SHM_CAPACITY_MAX (UINT64_C(1) << 40)
#define WEIR_SHM_NO_FRAME     UINT64_MAX /* of weir_lane_page.last */

static const char WEIR_SHM_CHANNEL_MAGIC[8] = {'w', 'e', 'i', 'r', 'c', 'h', 'a', 'n'};
static const char WEIR_SHM_CURSORS_MAGIC[8] = {'w', 'e', 'i', 'r', 'c', 'u', 'r', 's'};
static const char WEIR_SHM_LANE_MAGIC[8] = {'w', 'e', 'i', 'r', 'l', 'a', 'n', 'e'};

/* Offsets in members.lock and writers.lock. */
enum {
    WEIR_SHM_LOCK_MEMBERS = 0,
    WEIR_SHM_LOCK_SERVER = 64, /* held: server_epoch speaks of a server that lives */
    WEIR_SHM_LOCK_SERVER_CLAIM = 65,
    WEIR_SHM_LOCK_WRITERS = 66,
};

/* ---- channel ---- */

struct weir_channel_header {
    char magic[8];
    uint32_t version;
    uint32_t lanes; /* WEIR_SHM_LANES */
    uint32_t slots;
    uint32_t slot_size;
    uint64_t created; /* ns since the epoch */
    uint64_t cursors_size;
};

/* What weir_channel_page.keep says. Undecided: readers made the channel and no writer has come yet; counts as GO. */
enum weir_channel_keep { WEIR_CHANNEL_GO = 0, WEIR_CHANNEL_KEEP = 1, WEIR_CHANNEL_UNDECIDED = 2 };

struct weir_channel_page {
    _Alignas(WEIR_SHM_LINE) _Atomic(uint64_t) lanes_changed; /* grows when a lane or segment comes */
    _Atomic(uint32_t) keep;                                  /* enum weir_channel_keep */
    _Alignas(WEIR_SHM_LINE) _Atomic(uint32_t) wake;          /* futex: readers sleep on it */
    _Alignas(WEIR_SHM_LINE) _Atomic(uint64_t)
        server_epoch;               /* odd while a server is there (or died); even after it closed */
    _Atomic(uint64_t) server_start; /* of its process */
    _Atomic(uint32_t) server_pid;
    _Atomic(uint32_t) server_uid;
    _Alignas(WEIR_SHM_LINE) _Atomic(uint32_t) generation[WEIR_SHM_LANES]; /* newest segment of each lane; 0: no lane */
};

enum { WEIR_SHM_CHANNEL_SIZE = 2 * WEIR_SHM_PAGE };

/* ---- cursors ---- */

struct weir_cursors_head {
    char magic[8];
    uint32_t version;
    uint32_t slots;
    _Alignas(WEIR_SHM_LINE) _Atomic(uint64_t) joined; /* slots in use, or left by the dead */
    _Alignas(WEIR_SHM_LINE) _Atomic(uint64_t) ticket; /* grows whenever a reader goes to sleep or arms its descriptor */
    _Atomic(uint64_t) waiting;                        /* slots that sleep on weir_channel_page.wake */
    _Atomic(uint64_t) armed;                          /* slots whose FIFO wants a byte */
    _Atomic(uint64_t) posting;                        /* slots that sleep on their semaphore (wait=sem) */
    _Alignas(WEIR_SHM_LINE) _Atomic(uint64_t) blocked; /* lanes whose writers sleep on space */
    _Atomic(uint32_t) space;                           /* futex */
};

enum weir_slot_flags {
    WEIR_SLOT_HOLDING = 1, /* writers must not overwrite what it has not read */
    WEIR_SLOT_PLACED = 2   /* it has found where it begins: what is sent from now on, it will see */
};

struct weir_reader_slot {
    _Alignas(WEIR_SHM_LINE) _Atomic(uint32_t) flags;
    _Atomic(uint32_t) pid;
    _Atomic(uint32_t) arming;         /* grows each time the descriptor is armed */
    _Atomic(uint32_t) semaphore_kind; /* whose sem_t (os/semaphore.h); 0: none was made */
    _Alignas(WEIR_SHM_LINE) unsigned char semaphore[WEIR_SEMAPHORE_SIZE];
    /* In sealed channels, where a slot lies in a page of its own. */
    _Alignas(WEIR_SHM_LINE) _Atomic(uint32_t) blocked;      /* the writer sleeps on space */
    _Atomic(uint32_t) space;                                /* futex */
    _Alignas(512) _Atomic(uint64_t) cursor[WEIR_SHM_LANES]; /* everything before it is free */
};

enum { WEIR_SHM_CURSORS_SIZE = WEIR_SHM_PAGE + WEIR_SHM_SLOTS * WEIR_SHM_SLOT_SIZE };

/* ---- lanes ---- */

enum weir_lane_flags {
    WEIR_LANE_LOSSY = 1 /* the writer overwrites what readers have not read: no reader may look at the ring in place */
};

struct weir_lane_header {
    char magic[8];
    uint32_t version;
    uint32_t lane;
    uint32_t generation;
    uint32_t flags;
    uint64_t capacity;
    uint64_t ring_offset;
    uint64_t base; /* position at which this segment begins */
};

struct weir_lane_page {
    /* Written for each message. */
    _Alignas(WEIR_SHM_LINE) _Atomic(uint64_t) tail; /* position behind the newest frame */
    _Atomic(uint64_t) last;                         /* position of the newest frame; WEIR_SHM_NO_FRAME */
    _Atomic(uint64_t) next_seq;                     /* seq of the next frame, at least 1 */
    /* Written a few times in each round. */
    _Alignas(WEIR_SHM_LINE) _Atomic(uint64_t) oldest; /* position of the oldest frame that is certain to be whole */
    _Atomic(uint32_t) forward;                        /* not 0: closed, the lane goes on in this segment */
    /* Written when a writer comes. */
    _Alignas(WEIR_SHM_LINE) _Atomic(uint64_t) epoch; /* which holder of the lease */
    _Atomic(uint64_t) start;                         /* of its process; 0 after it closed */
    _Atomic(uint32_t) pid;
};

static_assert(sizeof(struct weir_channel_header) <= WEIR_SHM_PAGE, "channel page 0");
static_assert(sizeof(struct weir_channel_page) == 7 * WEIR_SHM_LINE, "channel page 1");
static_assert(sizeof(struct weir_cursors_head) == 4 * WEIR_SHM_LINE, "cursors head");
static_assert(sizeof(struct weir_reader_slot) == WEIR_SHM_SLOT_SIZE, "reader slot");
static_assert(sizeof(struct weir_lane_page) == 3 * WEIR_SHM_LINE, "writer page");
static_assert(offsetof(struct weir_cursors_head, posting) == 152, "posting");
static_assert(offsetof(struct weir_reader_slot, semaphore_kind) == 12 &&
                  offsetof(struct weir_reader_slot, semaphore) == 64,
              "semaphore");
static_assert(offsetof(struct weir_reader_slot, blocked) == 128, "blocked");
static_assert(offsetof(struct weir_reader_slot, cursor) == 512, "cursors on lines of their own");
static_assert(sizeof(_Atomic(uint64_t)) == 8 && ATOMIC_LLONG_LOCK_FREE == 2, "lock-free 64-bit atomics");

/* Bytes of the ring that a frame of @size takes. */
static inline uint64_t weir_shm_span(uint64_t size) {
    return (size + WEIR_SHM_LINE - 1) & ~(uint64_t)(WEIR_SHM_LINE - 1);
}

/* The largest span a ring of @capacity takes: with the word behind it, half of the ring. */
static inline uint64_t weir_shm_span_max(uint64_t capacity) {
    return capacity / 2 - WEIR_SHM_LINE;
}

#endif
