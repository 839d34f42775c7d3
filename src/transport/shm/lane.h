/* The writing side of a lane: lease, take-over, reserve and commit, room, growth. */
#ifndef WEIR_SHM_LANE_H
#define WEIR_SHM_LANE_H

#include "transport/shm/segment.h"
#include "transport/shm/wake.h"

struct weir_lane {
    /* What every message touches. */
    struct weir_segment segment;
    uint64_t head;  /* position of the next frame */
    uint64_t limit; /* position up to which the ring may be written: freed + capacity */
    uint64_t seq;   /* of the next frame */
    uint64_t span;  /* reserved; 0: nothing is */
    uint64_t epoch; /* ours; another in the page means that the lane was given away */
    /* The first words of all lines from zero_from up to zero_to, as far as they are not behind head, are 0 already. */
    uint64_t zero_from;
    uint64_t zero_to;
    struct weir_shm_channel *channel;
    struct weir_waker waker;
    /* Frames that wait for flush. The first one's commit word is withheld, so the others cannot be seen either. */
    uint64_t cork_word; /* 0: none */
    uint64_t cork_at;
    uint64_t cork_last;
    /* What the search for room knows. */
    uint64_t freed;    /* no reader needs what is before it */
    uint64_t wanted;   /* span of the last reservation that failed */
    int64_t looked_at; /* when leases of readers in the way were last looked at */
    uint64_t size_max; /* of a frame */
    uint8_t is_open;
    uint8_t has_retired; /* older segments may still be there */
};

/* Take a free lane or make one. Return: WEIR_OK, WEIR_EBUSY (no lane is free), WEIR_ENOSPC, WEIR_ENOMEM, WEIR_EACCESS,
 * WEIR_ESYSTEM. */
int weir_lane_open(struct weir_lane *lane, struct weir_shm_channel *channel, const struct weir_place *place,
                   weir_error *err);
/* Publish what is corked and give the lane back. */
void weir_lane_close(struct weir_lane *lane);
/* In a forked child. */
void weir_lane_abandon(struct weir_lane *lane);

/* As in transport.h. */
int weir_lane_reserve(struct weir_lane *lane, size_t size, struct weir_slot *ret, weir_error *err);
int weir_lane_commit(struct weir_lane *lane, uint64_t word, uint32_t flags, weir_error *err);
uint64_t weir_lane_post(struct weir_lane *lane, uint64_t word, const void *data, size_t size, int64_t time,
                        uint32_t flags);
size_t weir_lane_post_many(struct weir_lane *lane, uint64_t word, const weir_view *data, size_t count, int64_t time,
                           uint32_t flags, uint64_t *ret_seq);
void weir_lane_discard(struct weir_lane *lane);
void weir_lane_skip(struct weir_lane *lane);
int weir_lane_flush(struct weir_lane *lane, weir_error *err);
/* Would the reservation that failed last succeed now? */
int weir_lane_has_room(struct weir_lane *lane);

/* The process that has some lane of the channel leased, for sentences, and its user; 0 when none is found. */
int64_t weir_lane_holder(const struct weir_shm_channel *channel, uint32_t *ret_uid);

#endif
