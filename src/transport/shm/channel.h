/* A channel that an end has joined: its page, its cursors, and what it lies in (backing.h). */
#ifndef WEIR_SHM_CHANNEL_H
#define WEIR_SHM_CHANNEL_H

#include "transport/shm/backing.h"

struct weir_shm_channel {
    struct weir_backing backing;
    enum weir_channel_access access;
    struct weir_channel_page *page;         /* read-only below WEIR_CHANNEL_WRITE */
    struct weir_cursors_head *cursors;      /* NULL below WEIR_CHANNEL_READ */
    const struct weir_backing_wakes *wakes; /* NULL in most backings */
    uint32_t slot_stride;
    size_t page_map_size; /* of what begins WEIR_SHM_PAGE before page */
    size_t cursors_map_size;
    uint32_t mode; /* of what the channel's data is in: who may read and write it */
    uint32_t gid;
    uint8_t is_private; /* only our own user can write here */
};

static inline struct weir_reader_slot *weir_channel_slot(const struct weir_shm_channel *channel, unsigned index) {
    return (struct weir_reader_slot *)((unsigned char *)channel->cursors + WEIR_SHM_PAGE +
                                       index * channel->slot_stride);
}

/* Where a reader says how far it is in a lane. */
static inline _Atomic(uint64_t) *weir_channel_cursor(const struct weir_shm_channel *channel, unsigned slot,
                                                     unsigned lane) {
    return channel->wakes ? &weir_channel_slot(channel, lane)->cursor[0]
                          : &weir_channel_slot(channel, slot)->cursor[lane];
}

/* The address without its options, for sentences. */
static inline const char *weir_channel_text(const struct weir_shm_channel *channel) {
    return channel->backing.text;
}

static inline int weir_lease_take(struct weir_shm_channel *channel, unsigned lease, int is_exclusive) {
    return channel->backing.ops->lease_take(&channel->backing, lease, is_exclusive);
}

static inline void weir_lease_drop(struct weir_shm_channel *channel, unsigned lease) {
    channel->backing.ops->lease_drop(&channel->backing, lease);
}

/* 1: held, or we cannot know. */
static inline int weir_lease_is_held(const struct weir_shm_channel *channel, unsigned lease) {
    return channel->backing.ops->lease_is_held(&channel->backing, lease) != 0;
}

/* Join the channel of @place in @ops' backing, made when it is absent and place->may_create. A channel that nobody
 * keeps and whose ends all died is made anew. The channel's storage is the caller's and must stay where it is. */
int weir_channel_join(struct weir_shm_channel *channel, const struct weir_backing_ops *ops,
                      const struct weir_place *place, enum weir_channel_access access, weir_error *err);
/* A writer that has its lane says what shall become of the channel behind the last end. */
void weir_channel_settle(struct weir_shm_channel *channel, const struct weir_place *place);
/* Leave; when nobody keeps the channel and we are the last, it goes. */
void weir_channel_leave(struct weir_shm_channel *channel);
/* The same in a forked child: gives back descriptors, touches nothing that the parent owns. */
void weir_channel_abandon(struct weir_shm_channel *channel);

#endif
