/* Reader slots. The lease of a slot says who may use slot S; the bit in cursors.joined says that writers must look at
 * it.
 *
 * What must stay true: bytes of a slot are changed only by who holds its lease. So a writer that finds a dead reader in
 * its way first takes the lease, and by that knows that no new reader is just moving in. */
#include "transport/shm/slot.h"

#include <unistd.h>

#include "weir/error.h"

static uint64_t bit(unsigned slot) {
    return UINT64_C(1) << slot;
}

static void slot_clear(const struct weir_shm_channel *channel, unsigned slot) {
    struct weir_cursors_head *cursors = channel->cursors;
    atomic_fetch_and(&cursors->joined, ~bit(slot));
    atomic_fetch_and(&cursors->waiting, ~bit(slot));
    atomic_fetch_and(&cursors->armed, ~bit(slot));
    atomic_fetch_and(&cursors->posting, ~bit(slot));
}

/* Take the lease of a free slot; those without a joined bit first, to leave the dead's to whoever needs them. */
static int lease_take(struct weir_shm_channel *channel, unsigned *ret) {
    uint64_t joined = atomic_load(&channel->cursors->joined);
    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned slot = 0; slot < WEIR_SHM_SLOTS; slot++) {
            if ((joined >> slot & 1) != pass)
                continue;
            int status = weir_lease_take(channel, WEIR_LEASE_SLOT + slot, 1);
            if (status == WEIR_OK)
                *ret = slot;
            if (status != WEIR_EBUSY)
                return status;
        }
    }
    return WEIR_EBUSY;
}

/* A slot gets its memory when somebody takes it; only slots whose joined bit is set are ever looked at. */
static int slot_allocate(const struct weir_shm_channel *channel, unsigned slot, weir_error *err) {
    const struct weir_backing *backing = &channel->backing;
    struct weir_part_range range = {WEIR_SHM_PAGE + (uint64_t)slot * channel->slot_stride, channel->slot_stride};
    struct weir_part_id id = {.kind = WEIR_PART_CURSORS};
    return backing->ops->part_allocate ? backing->ops->part_allocate(backing, id, &range, 1, err) : WEIR_OK;
}

int weir_slot_take(struct weir_shm_channel *channel, int is_holding, unsigned *ret, weir_error *err) {
    unsigned slot;
    int status = lease_take(channel, &slot);
    if (status == WEIR_EBUSY)
        return weir_fail(err, status, "%s has %d readers already; observe=1 needs no place", weir_channel_text(channel),
                         WEIR_SHM_SLOTS);
    if (status)
        return weir_fail(err, status, "%s: no place among its readers can be taken", weir_channel_text(channel));
    status = slot_allocate(channel, slot, err);
    if (status) {
        weir_lease_drop(channel, WEIR_LEASE_SLOT + slot);
        return status;
    }
    slot_clear(channel, slot);
    struct weir_reader_slot *mine = weir_channel_slot(channel, slot);
    for (unsigned lane = 0; lane < WEIR_SHM_LANES; lane++)
        atomic_store_explicit(&mine->cursor[lane], 0, memory_order_relaxed);
    atomic_store_explicit(&mine->flags, is_holding ? WEIR_SLOT_HOLDING : 0, memory_order_relaxed);
    atomic_store_explicit(&mine->pid, (uint32_t)getpid(), memory_order_relaxed);
    atomic_fetch_or(&channel->cursors->joined, bit(slot));
    /* From here on a writer that wants room either sees us or has said in `oldest`, which we read next, what it took
     * before. */
    atomic_thread_fence(memory_order_seq_cst);
    *ret = slot;
    return WEIR_OK;
}

int weir_slot_place(const struct weir_shm_channel *channel, unsigned slot, weir_error *err) {
    atomic_fetch_or(&weir_channel_slot(channel, slot)->flags, WEIR_SLOT_PLACED);
    return channel->wakes ? channel->wakes->place(&channel->backing, err) : WEIR_OK;
}

void weir_slot_drop(struct weir_shm_channel *channel, unsigned slot) {
    slot_clear(channel, slot);
    weir_lease_drop(channel, WEIR_LEASE_SLOT + slot);
}

/* Have the cursors of many readers brought here at once: each lies in a line that its reader had last. */
static void cursors_fetch(const struct weir_shm_channel *channel, unsigned lane, uint64_t joined) {
    for (; joined; joined &= joined - 1)
        __builtin_prefetch((const void *)&weir_channel_slot(channel, (unsigned)__builtin_ctzll(joined))->cursor[lane]);
}

/* Most readers are no further behind than another: their flags, in a line of their own, need not be looked at. */
uint64_t weir_slot_held(const struct weir_shm_channel *channel, unsigned lane, uint64_t freed, uint64_t head,
                        unsigned *ret_slot) {
    uint64_t joined = atomic_load_explicit(&channel->cursors->joined, memory_order_acquire);
    uint64_t held = head;
    *ret_slot = WEIR_SHM_SLOTS;
    if (joined & (joined - 1))
        cursors_fetch(channel, lane, joined);
    for (; joined; joined &= joined - 1) {
        unsigned slot = (unsigned)__builtin_ctzll(joined);
        struct weir_reader_slot *reader = weir_channel_slot(channel, slot);
        /* Acquire: what the reader did with the bytes before its cursor, it has done. */
        uint64_t cursor = atomic_load_explicit(&reader->cursor[lane], memory_order_acquire);
        if (cursor >= held || !(atomic_load_explicit(&reader->flags, memory_order_relaxed) & WEIR_SLOT_HOLDING))
            continue;
        held = cursor > freed ? cursor : freed;
        *ret_slot = slot;
    }
    return held;
}

int weir_slot_reclaim(struct weir_shm_channel *channel, unsigned slot) {
    if (weir_lease_take(channel, WEIR_LEASE_SLOT + slot, 1) != WEIR_OK)
        return 0;
    weir_slot_drop(channel, slot);
    return 1;
}

uint32_t weir_slot_count(const struct weir_shm_channel *channel) {
    uint64_t joined = atomic_load(&channel->cursors->joined);
    uint32_t count = 0;
    for (; joined; joined &= joined - 1) {
        unsigned slot = (unsigned)__builtin_ctzll(joined);
        /* A reader that holds but is not placed would begin behind what is sent now. */
        uint32_t wanted = WEIR_SLOT_HOLDING | WEIR_SLOT_PLACED;
        if ((atomic_load(&weir_channel_slot(channel, slot)->flags) & wanted) == wanted)
            count += (uint32_t)weir_lease_is_held(channel, WEIR_LEASE_SLOT + slot);
    }
    return count;
}
