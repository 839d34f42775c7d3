/* Sleeping and waking between the ends of a channel.
 *
 * A reader that finds nothing spins a little, then takes a ticket (cursors.ticket grows), looks again, and sleeps on
 * the futex word channel.wake. A writer compares the ticket with the last one it has answered after each commit; only
 * when it has grown does it make a system call. Answering is private to each writer: one that is stopped half way
 * through holds up nobody.
 *
 * With wait=sem a reader sleeps on a POSIX semaphore in its slot instead, and writers post it. For teaching and
 * comparing: it costs writers a system call for each sleeper (docs/design/0002).
 *
 * Writers that find no room set their bit in cursors.blocked and sleep on cursors.space. */
#ifndef WEIR_SHM_WAKE_H
#define WEIR_SHM_WAKE_H

#include "transport/shm/channel.h"
#include "transport/spin.h"

/* The writing side: whom it has answered. */
struct weir_waker {
    uint64_t ticket;
    uint8_t must_fence; /* this process takes no part in membarrier */
    int fifo[WEIR_SHM_SLOTS];
    uint32_t answered[WEIR_SHM_SLOTS]; /* arming of each slot */
};

void weir_waker_init(struct weir_waker *waker);
void weir_waker_fini(struct weir_waker *waker);
/* Wake all who sleep and write to all armed descriptors. */
void weir_waker_wake(struct weir_waker *waker, const struct weir_shm_channel *channel);

/* Call after each commit. Readers that go to sleep make our store of the commit word visible first (weir_barrier_all),
 * so a plain load will do here. */
static inline void weir_waker_look(struct weir_waker *waker, const struct weir_shm_channel *channel) {
    if (__builtin_expect(waker->must_fence, 0))
        atomic_thread_fence(memory_order_seq_cst);
    else
        atomic_signal_fence(memory_order_seq_cst);
    if (__builtin_expect(channel->wakes != NULL, 0))
        channel->wakes->wake(&channel->backing);
    if (__builtin_expect(atomic_load_explicit(&channel->cursors->ticket, memory_order_relaxed) != waker->ticket, 0))
        weir_waker_wake(waker, channel);
}

/* The reading side. */
enum { WEIR_NO_SLOT = WEIR_SHM_SLOTS };
struct weir_sleeper {
    unsigned slot; /* WEIR_NO_SLOT: an observer that nobody knows of; it looks by itself every few milliseconds */
    uint32_t word; /* of channel.wake when the ticket was taken */
    int64_t slice_ns;
    int fd; /* what the host polls: our FIFO, or a timer where there is none; -1 */
    uint8_t is_armed;
    uint8_t is_timed;      /* fd is a timer */
    uint8_t has_semaphore; /* it sleeps on the semaphore in its slot, not on channel.wake */
};

void weir_sleeper_init(struct weir_sleeper *sleeper, unsigned slot);
void weir_sleeper_fini(struct weir_sleeper *sleeper);
/* wait=sem: sleep on a semaphore from now on. Without a slot nothing changes: nobody would post.
 * Return: WEIR_OK, WEIR_ENOTSUP (others than our own user may write the channel; no semaphores here). */
int weir_sleeper_use_semaphore(struct weir_sleeper *sleeper, const struct weir_shm_channel *channel, weir_error *err);
/* Say that we are about to sleep. Look once more whether there is nothing to do, sleep, and end it in either case. */
void weir_sleeper_begin(struct weir_sleeper *sleeper, const struct weir_shm_channel *channel);
/* Return: 1 when its time passed and nobody woke it: it still counts as sleeping, and may sleep on without a word. */
int weir_sleeper_sleep(const struct weir_sleeper *sleeper, const struct weir_shm_channel *channel, int64_t left_ns);
void weir_sleeper_end(const struct weir_sleeper *sleeper, const struct weir_shm_channel *channel);
/* Make the descriptor. */
int weir_sleeper_fd(struct weir_sleeper *sleeper, const struct weir_shm_channel *channel, weir_error *err);
/* There is nothing to do: have the descriptor signalled when there is. Return: 1 when it was armed anew, so that one
 * must look once more; 0 when it still is. */
int weir_sleeper_arm(struct weir_sleeper *sleeper, const struct weir_shm_channel *channel);

/* Tell blocked writers that there is room. */
void weir_space_tell(const struct weir_shm_channel *channel);
/* A blocked writer: announce, look once more, sleep at most @left_ns (and never longer than some milliseconds). */
uint32_t weir_space_begin(const struct weir_shm_channel *channel, unsigned lane);
void weir_space_sleep(const struct weir_shm_channel *channel, uint32_t word, int64_t left_ns);

#endif
