/* Segments of lanes: making, opening and mapping them. Shared by the writing and the reading side. */
#ifndef WEIR_SHM_SEGMENT_H
#define WEIR_SHM_SEGMENT_H

#include "transport/shm/channel.h"

struct weir_segment {
    unsigned char *ring; /* of capacity bytes, twice in a row */
    struct weir_lane_page *page;
    uint64_t mask;     /* capacity - 1 */
    uint64_t span_max; /* of one frame */
    uint64_t base;
    uint64_t capacity;
    uint64_t backed; /* of a writer's: the ring has its memory up to this position; UINT64_MAX: all of it */
    uint32_t lane;
    uint32_t generation;
    uint32_t flags; /* enum weir_lane_flags */
    uint32_t uid;   /* whose it is, as the kernel says */
    unsigned char *map;
    size_t map_size;
};

/* The commit word of the frame at @position. */
static inline _Atomic(uint64_t) *weir_segment_word(const struct weir_segment *segment, uint64_t position) {
    return (_Atomic(uint64_t) *)(segment->ring + (position & segment->mask));
}

/* What a lane's segment is to be. */
struct weir_segment_wish {
    uint32_t lane;
    uint32_t generation;
    uint32_t flags;
    uint64_t capacity; /* any number; rounded up to what a ring can have */
    uint64_t base;
    uint64_t next_seq;
    uint64_t room; /* bytes of the ring, from base on, that are about to be written; out: that have their memory */
};

/* Is it still there? */
int weir_segment_exists(const struct weir_shm_channel *channel, uint32_t lane, uint32_t generation);
/* The smallest capacity a ring can have that is at least @capacity. */
uint64_t weir_segment_capacity(uint64_t capacity);
/* Make one, complete before it can be found; what a dead writer left in its place is replaced. Its ring gets memory for
 * the wish's room and a first step. */
int weir_segment_make(struct weir_shm_channel *channel, struct weir_segment_wish *wish, weir_error *err);
/* Open and map one. Return: WEIR_OK, WEIR_ENOENT (no sentence), WEIR_EACCESS, WEIR_ECORRUPT, WEIR_ENOMEM,
 * WEIR_ESYSTEM. */
int weir_segment_open(const struct weir_shm_channel *channel, uint32_t lane, uint32_t generation, int is_writer,
                      struct weir_segment *ret, weir_error *err);
void weir_segment_close(struct weir_segment *segment);
/* The writer: the ring is known to have its memory up to the page of @position. */
void weir_segment_know(struct weir_segment *segment, uint64_t position);
/* The writer: give the ring memory up to @needed at least, and somewhat further where there is. Return: WEIR_OK,
 * WEIR_ENOSPC, WEIR_ECLOSED, WEIR_ESYSTEM; then nothing has changed. */
int weir_segment_extend(const struct weir_shm_channel *channel, struct weir_segment *segment, uint64_t needed,
                        weir_error *err);

/* Read and check the immutable header of the segment that is open as @part, with its size. Return: WEIR_OK,
 * WEIR_ECORRUPT. */
int weir_segment_header(const struct weir_backing *backing, const struct weir_part *part, uint32_t lane,
                        uint32_t generation, struct weir_lane_header *ret);

#endif
