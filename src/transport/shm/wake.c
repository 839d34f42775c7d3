/* Waking. The question of each side and why no wake-up is lost:
 *
 *     writer: store commit word | load ticket        reader: ticket + 1 | load commit words | sleep on wake
 *
 * Both bars are full barriers. The reader's is weir_barrier_all, which passes one on the writer's processor too; where
 * a process cannot take part it uses fences (writer) or short naps (reader). The futex value is read before the ticket
 * grows, so a wake-up between the reader's last look and its sleep changes the value and the sleep returns at once.
 *
 * A writer that dies after its commit and before its wake-up leaves a sleeper to its slice (at most 200 ms). */
#include "transport/shm/wake.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "os/futex.h"

static const int64_t SLICE_NS = 200 * 1000 * 1000;
static const int64_t SLICE_UNKNOWN_NS = 5 * 1000 * 1000; /* nobody wakes us: without a slot */
static const int64_t SLICE_NO_BARRIER_NS = 1000 * 1000;
static const int64_t SLICE_SPACE_NS = 10 * 1000 * 1000;

/* ---- writers wake readers ---- */

void weir_waker_init(struct weir_waker *waker) {
    *waker = (struct weir_waker){.must_fence = !weir_barrier_register()};
    for (unsigned i = 0; i < WEIR_SHM_SLOTS; i++)
        waker->fifo[i] = -1;
}

void weir_waker_fini(struct weir_waker *waker) {
    for (unsigned i = 0; i < WEIR_SHM_SLOTS; i++) {
        if (waker->fifo[i] >= 0)
            close(waker->fifo[i]);
        waker->fifo[i] = -1;
    }
}

/* Return: 0 when there is no descriptor or memory at this moment, so that the slot is still to be answered. */
static int descriptor_signal(struct weir_waker *waker, const struct weir_shm_channel *channel, unsigned slot) {
    uint32_t arming = atomic_load(&weir_channel_slot(channel, slot)->arming);
    if (waker->answered[slot] == arming)
        return 1;
    if (waker->fifo[slot] < 0)
        waker->fifo[slot] = channel->backing.ops->wake_open(&channel->backing, slot, 0, 0);
    if (waker->fifo[slot] < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
        return 0;
    waker->answered[slot] = arming;
    if (waker->fifo[slot] >= 0) {
        ssize_t count = write(waker->fifo[slot], "", 1);
        (void)count; /* a full FIFO is readable, which is all that is wanted */
    }
    return 1;
}

/* Only where all who can write the slot are our own user: the C library believes what it finds there. */
static void semaphore_post(const struct weir_shm_channel *channel, unsigned slot) {
    struct weir_reader_slot *reader = weir_channel_slot(channel, slot);
    if (channel->is_private && atomic_load(&reader->semaphore_kind) == weir_semaphore_kind())
        weir_semaphore_post(reader->semaphore);
}

void weir_waker_wake(struct weir_waker *waker, const struct weir_shm_channel *channel) {
    uint64_t ticket = atomic_load(&channel->cursors->ticket);
    uint64_t armed = atomic_load(&channel->cursors->armed);
    waker->ticket = ticket;
    for (; armed; armed &= armed - 1)
        if (!descriptor_signal(waker, channel, (unsigned)__builtin_ctzll(armed)))
            waker->ticket =
                ticket - 1; /* who is armed sleeps for as long as he likes: try again after the next commit */
    uint64_t posting = atomic_load(&channel->cursors->posting);
    for (; posting; posting &= posting - 1)
        semaphore_post(channel, (unsigned)__builtin_ctzll(posting));
    if (atomic_load(&channel->cursors->waiting) == 0)
        return;
    atomic_fetch_add(&channel->page->wake, 1);
    weir_futex_wake(&channel->page->wake);
}

/* ---- readers sleep ---- */

void weir_sleeper_init(struct weir_sleeper *sleeper, unsigned slot) {
    *sleeper =
        (struct weir_sleeper){.slot = slot, .fd = -1, .slice_ns = slot == WEIR_NO_SLOT ? SLICE_UNKNOWN_NS : SLICE_NS};
}

void weir_sleeper_fini(struct weir_sleeper *sleeper) {
    if (sleeper->fd >= 0)
        close(sleeper->fd);
    sleeper->fd = -1;
}

int weir_sleeper_use_semaphore(struct weir_sleeper *sleeper, const struct weir_shm_channel *channel, weir_error *err) {
    if (sleeper->slot == WEIR_NO_SLOT)
        return WEIR_OK;
    if (weir_semaphore_kind() == 0)
        return weir_fail(err, WEIR_ENOTSUP, "%s: this C library has no semaphore for wait=sem; use wait=futex",
                         weir_channel_text(channel));
    if (!channel->is_private)
        return weir_fail(
            err, WEIR_ENOTSUP,
            "%s: with wait=sem whoever may write the channel can end its readers, and it is not yours alone; "
            "use wait=futex",
            weir_channel_text(channel));
    struct weir_reader_slot *mine = weir_channel_slot(channel, sleeper->slot);
    weir_semaphore_init(mine->semaphore);
    atomic_store(&mine->semaphore_kind, weir_semaphore_kind());
    sleeper->has_semaphore = 1;
    return WEIR_OK;
}

/* The word of bits in which this sleeper says that it sleeps. */
static _Atomic(uint64_t) *sleeping_word(const struct weir_sleeper *sleeper, const struct weir_shm_channel *channel) {
    return sleeper->has_semaphore ? &channel->cursors->posting : &channel->cursors->waiting;
}

static void ticket_take(struct weir_sleeper *sleeper, const struct weir_shm_channel *channel) {
    atomic_fetch_add(&channel->cursors->ticket, 1);
    sleeper->slice_ns = weir_barrier_all() ? SLICE_NS : SLICE_NO_BARRIER_NS;
}

/* The same where every lane has a page of its own. */
static void lanes_arm(struct weir_sleeper *sleeper, const struct weir_shm_channel *channel) {
    channel->wakes->arm(&channel->backing);
    sleeper->slice_ns = weir_barrier_all() ? SLICE_NS : SLICE_NO_BARRIER_NS;
}

void weir_sleeper_begin(struct weir_sleeper *sleeper, const struct weir_shm_channel *channel) {
    if (channel->wakes) {
        channel->wakes->drain(&channel->backing); /* what woke us before */
        lanes_arm(sleeper, channel);
        return;
    }
    sleeper->word = atomic_load(&channel->page->wake);
    if (sleeper->slot == WEIR_NO_SLOT)
        return;
    if (sleeper->has_semaphore)
        weir_semaphore_drain(
            weir_channel_slot(channel, sleeper->slot)->semaphore); /* before the last look, not after */
    atomic_fetch_or(sleeping_word(sleeper, channel), UINT64_C(1) << sleeper->slot);
    ticket_take(sleeper, channel);
}

int weir_sleeper_sleep(const struct weir_sleeper *sleeper, const struct weir_shm_channel *channel, int64_t left_ns) {
    int64_t slice_ns = left_ns < sleeper->slice_ns ? left_ns : sleeper->slice_ns;
    if (!channel->wakes)
        return sleeper->has_semaphore
                   ? weir_semaphore_wait(weir_channel_slot(channel, sleeper->slot)->semaphore, slice_ns)
                   : weir_futex_wait(&channel->page->wake, sleeper->word, slice_ns);
    channel->wakes->sleep(&channel->backing, slice_ns);
    return 0;
}

void weir_sleeper_end(const struct weir_sleeper *sleeper, const struct weir_shm_channel *channel) {
    if (sleeper->slot != WEIR_NO_SLOT && !channel->wakes)
        atomic_fetch_and(sleeping_word(sleeper, channel), ~(UINT64_C(1) << sleeper->slot));
}

/* ---- descriptors ---- */

static int fifo_make(const struct weir_sleeper *sleeper, const struct weir_shm_channel *channel) {
    uint32_t mode = channel->is_private ? 0600 : 0600 | (channel->mode & 066);
    return channel->backing.ops->wake_open(&channel->backing, sleeper->slot, 1, mode);
}

static int timer_make(void) {
    struct itimerspec every = {.it_interval = {.tv_nsec = SLICE_UNKNOWN_NS}, .it_value = {.tv_nsec = SLICE_UNKNOWN_NS}};
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (fd >= 0 && timerfd_settime(fd, 0, &every, NULL) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

int weir_sleeper_fd(struct weir_sleeper *sleeper, const struct weir_shm_channel *channel, weir_error *err) {
    if (sleeper->fd >= 0)
        return WEIR_OK;
    /* Without the barrier a writer may miss that we are armed, and who polls has no slice: only a clock helps. */
    int is_woken = weir_barrier_all();
    if (channel->wakes && is_woken) {
        sleeper->fd = channel->wakes->fd(&channel->backing);
        return sleeper->fd >= 0 ? WEIR_OK
                                : weir_fail_errno(err, errno, "%s: a descriptor to wait on cannot be made",
                                                  weir_channel_text(channel));
    }
    if (sleeper->slot != WEIR_NO_SLOT && !channel->wakes && is_woken)
        sleeper->fd = fifo_make(sleeper, channel);
    /* Readable until next has looked and found nothing, as nobody knows yet whether there is something. */
    if (sleeper->fd >= 0 && (write(sleeper->fd, "", 1) == 1 || errno == EAGAIN))
        return WEIR_OK;
    if (sleeper->fd >= 0)
        close(sleeper->fd);
    sleeper->fd = timer_make();
    sleeper->is_timed = 1;
    return sleeper->fd >= 0
               ? WEIR_OK
               : weir_fail_errno(err, errno, "%s: a descriptor to wait on cannot be made", weir_channel_text(channel));
}

/* Take what was written. Return: 1 when there was something. */
static int descriptor_drain(const struct weir_sleeper *sleeper) {
    char bytes[256];
    int had_some = 0;
    while (read(sleeper->fd, bytes, sizeof(bytes)) > 0)
        had_some = 1;
    return had_some;
}

int weir_sleeper_arm(struct weir_sleeper *sleeper, const struct weir_shm_channel *channel) {
    int is_of_lanes = channel->wakes && !sleeper->is_timed;
    int had_some = is_of_lanes ? channel->wakes->drain(&channel->backing) : descriptor_drain(sleeper);
    if (!had_some && sleeper->is_armed)
        return 0;
    sleeper->is_armed = 1;
    if (sleeper->is_timed)
        return 1;
    if (is_of_lanes) {
        lanes_arm(sleeper, channel);
        return 1;
    }
    atomic_fetch_add(&weir_channel_slot(channel, sleeper->slot)->arming, 1);
    atomic_fetch_or(&channel->cursors->armed, UINT64_C(1) << sleeper->slot);
    ticket_take(sleeper, channel);
    return 1;
}

/* ---- room for writers ---- */

void weir_space_tell(const struct weir_shm_channel *channel) {
    struct weir_cursors_head *cursors = channel->cursors;
    if (channel->wakes) {
        channel->wakes->space_tell(&channel->backing);
        return;
    }
    atomic_thread_fence(memory_order_seq_cst); /* our cursor first, then the question whether somebody waits for it */
    if (atomic_load_explicit(&cursors->blocked, memory_order_relaxed) == 0)
        return;
    atomic_exchange(&cursors->blocked, 0);
    atomic_fetch_add(&cursors->space, 1);
    weir_futex_wake(&cursors->space);
}

uint32_t weir_space_begin(const struct weir_shm_channel *channel, unsigned lane) {
    if (channel->wakes)
        return channel->wakes->space_begin(&channel->backing);
    uint32_t word = atomic_load(&channel->cursors->space);
    atomic_fetch_or(&channel->cursors->blocked, UINT64_C(1) << lane);
    atomic_thread_fence(memory_order_seq_cst);
    return word;
}

void weir_space_sleep(const struct weir_shm_channel *channel, uint32_t word, int64_t left_ns) {
    int64_t slice_ns = left_ns < SLICE_SPACE_NS ? left_ns : SLICE_SPACE_NS;
    if (channel->wakes)
        channel->wakes->space_sleep(&channel->backing, word, slice_ns);
    else
        weir_futex_wait(&channel->cursors->space, word, slice_ns);
}
