/* Many messages with one system call: who sends faster than the system calls go keeps what follows in his own buffer
 * for a moment.
 *
 * A message that comes alone leaves in the call that sends it. An end is in a burst when WEIR_BURST_STREAK sends in a
 * row each came sooner after the one before than that one's system call had taken. From then on its frames are written
 * one behind the other (a grant: so many bytes may be), and leave together: when the grant is used up, when the thread
 * that sent them waits for anything, at flush, close and exit, and else by the flusher, a thread of the process that
 * comes WEIR_BURST_WAIT after a grant began, if it is still the same, and every WEIR_BURST_TICK from then on. A burst
 * is over when fewer than WEIR_BURST_STREAK messages came since it looked before. Who uses up one grant after the other
 * is looked after once in a WEIR_BURST_WAIT: to be woken costs the flusher more than a hundred messages cost their
 * sender.
 *
 *     owner      latch, write, unlatch                  for each message; no system call, no clock
 *     flusher    list lock -> object's lock -> latch    when it finds something
 *
 * What must stay true: what lies behind `at` is the owner's; what lies before it is the business of who holds the
 * object's lock. A grant begins and ends under that lock. The flusher is made when it is first needed, blocks all
 * signals, sleeps without a time limit while there is no grant, and ends with the last end that has joined. A forked
 * child has no flusher and no ends. */
#ifndef WEIR_TRANSPORT_BURST_H
#define WEIR_TRANSPORT_BURST_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "frame/frame.h"
#include "transport/transport.h"

enum {
    WEIR_BURST_STREAK = 8,
    WEIR_BURST_FRAME_MAX = 4096, /* a larger frame leaves at once */
    WEIR_BURST_GRANT_MIN = 512
};
#define WEIR_BURST_TICK INT64_C(50000)
#define WEIR_BURST_WAIT INT64_C(90000) /* with the time that waking takes, less than the 100 us that are promised */

/* What becomes of a grant when what was kept is collected. */
enum weir_burst_how {
    WEIR_BURST_GOES_ON = 0, /* more may be kept behind them */
    WEIR_BURST_PAUSES = 1,  /* nothing more until the next grant, which comes soon, or the flusher ends it */
    WEIR_BURST_ENDS = 2
};

struct weir_burst {
    /* Under the latch. */
    _Atomic(uint32_t) latch;
    _Atomic(uint32_t) left; /* bytes that may still be kept; 0: no grant, or a used one */
    unsigned char *from;    /* what is kept begins here */
    unsigned char *at;      /* where the next frame goes */
    _Atomic(uint64_t) seq;  /* of the frame before it */

    /* The owner's: is it a burst? */
    int64_t began; /* the system call of his last send */
    int64_t ended;
    _Atomic(uint32_t) streak; /* this and is_hot: also whoever granted and waits now, though another owns it since */
    uint8_t may_keep;         /* burst= of the address */
    _Atomic(uint8_t) is_hot;  /* the last grant was used up, so the burst goes on */

    /* Under the object's lock. */
    _Atomic(uint8_t) is_granted;
    _Atomic(uint8_t) is_corked;   /* the grant is one of a batch, which only its end sends */
    uint8_t has_rest;             /* of a grant before something waits for this one */
    int64_t since;                /* when the grant began */
    _Atomic(int64_t) due;         /* when the flusher takes what is kept */
    _Atomic(const void *) thread; /* whose grant it is */

    /* The list's. */
    void (*flush)(void *object, enum weir_burst_how how);
    void *object;
    uint64_t seq_seen; /* the flusher's, when it looked last */
    struct weir_burst *older, *newer;
};

/* @flush: take the object's lock, collect, and send. The object is listed with os/child.h before. */
void weir_burst_join(struct weir_burst *burst, void (*flush)(void *object, enum weir_burst_how how), void *object);
/* When this returns nobody calls flush any more. Without the object's lock. */
void weir_burst_leave(struct weir_burst *burst);
/* The calling thread is about to wait for something, whatever it is: what it kept back leaves now. */
void weir_burst_settle(void);

/* Before and after the system call of a send: so a burst is noticed. */
void weir_burst_before(struct weir_burst *burst);
void weir_burst_after(struct weir_burst *burst);
static inline int weir_burst_is_on(const struct weir_burst *burst) {
    return burst->may_keep && (burst->is_hot || burst->streak >= WEIR_BURST_STREAK);
}

/* Under the object's lock: [@from, @at) is kept, and up to @size bytes more may be, the last frame having been number
 * @seq. Return: 1, or 0 when there is no flusher (@is_corked: none is needed), or @size is not worth it. */
int weir_burst_grant(struct weir_burst *burst, unsigned char *from, unsigned char *at, size_t size, uint64_t seq,
                     int is_corked);
/* Under the object's lock: the grant of a batch becomes one of a burst. Return: 1, or 0 when there is none, or no
 * flusher. */
int weir_burst_uncork(struct weir_burst *burst);
/* Under the object's lock, in place of before and grant, for a frame (number @seq) that stands in a queue of the
 * object's own: may it wait there? Return: 1 when it may, as the one before came a moment ago; flush is called for it.
 * 0: it leaves now, and weir_burst_after is called. */
int weir_burst_queue(struct weir_burst *burst, uint64_t seq);
/* Under the object's lock: how many bytes are kept, and the last seq; they are the caller's from now on. */
size_t weir_burst_collect(struct weir_burst *burst, enum weir_burst_how how, uint64_t *ret_seq);

void weir_burst_latch_slow(struct weir_burst *burst);
static inline void weir_burst_latch(struct weir_burst *burst) {
    if (__builtin_expect(atomic_exchange_explicit(&burst->latch, 1, memory_order_acquire) != 0, 0))
        weir_burst_latch_slow(burst);
}
static inline void weir_burst_unlatch(struct weir_burst *burst) {
    atomic_store_explicit(&burst->latch, 0, memory_order_release);
}
static inline uint32_t weir_burst_left(const struct weir_burst *burst) {
    return atomic_load_explicit(&burst->left, memory_order_relaxed);
}
static inline int weir_burst_takes(const struct weir_burst *burst, size_t size, uint32_t flags) {
    return size <= WEIR_BURST_FRAME_MAX && size <= weir_burst_left(burst) &&
           (!burst->is_corked || (flags & WEIR_COMMIT_MORE));
}

/* For post: the frame is kept. Return: its seq; 0 when there is no grant for it. */
static inline uint64_t weir_burst_post(struct weir_burst *burst, uint64_t word, const void *data, size_t size,
                                       int64_t time, uint32_t flags) {
    size_t whole = weir_frame_simple_head(word) + size;
    uint64_t seq = 0;
    if (!weir_burst_takes(burst, whole, flags))
        return 0;
    weir_burst_latch(burst);
    if (__builtin_expect(weir_burst_takes(burst, whole, flags), 1)) {
        seq = atomic_load_explicit(&burst->seq, memory_order_relaxed) + 1;
        burst->at = weir_frame_put_simple(burst->at, word, seq, time, (weir_view){data, size});
        atomic_store_explicit(&burst->seq, seq, memory_order_relaxed);
        atomic_store_explicit(&burst->left, weir_burst_left(burst) - (uint32_t)whole, memory_order_relaxed);
    }
    weir_burst_unlatch(burst);
    return seq;
}

/* For post_many: as many of them as the grant takes, as so many calls of post. Return: how many; *ret_seq is the last
 * one's. */
size_t weir_burst_post_many(struct weir_burst *burst, uint64_t word, const weir_view *data, size_t count, int64_t time,
                            uint32_t flags, uint64_t *ret_seq);

/* For reserve: room behind what is kept, at a multiple of 64. Return: NULL when there is no grant for it. */
unsigned char *weir_burst_room(struct weir_burst *burst, size_t size, uint64_t *ret_seq);
/* For commit: the frame of @size bytes written at @from, which room gave, is kept. Return: 1, or 0 when the grant has
 * ended since. */
int weir_burst_take(struct weir_burst *burst, const unsigned char *from, size_t size, uint32_t flags);

#endif
