/* Lanes read from outside: no lasting mapping, no lock, no trace. What latest, list and info need. */
#ifndef WEIR_SHM_PEEK_H
#define WEIR_SHM_PEEK_H

#include "base/buffer.h"
#include "transport/shm/backing.h"

/* The newest frame of one lane. */
struct weir_peek {
    const struct weir_backing *backing; /* NULL: no segment is open */
    struct weir_part part;              /* the segment; weir_peek_close it */
    struct weir_lane_header header;
    uint64_t position;
    uint64_t word;
    uint64_t seq;
    int64_t time;  /* 0: not stamped */
    uint64_t sent; /* messages of this writer so far */
};

/* Segment generations of all lanes. Return: WEIR_OK, WEIR_ENOENT, WEIR_EACCESS, WEIR_ECORRUPT, WEIR_EVERSION. */
int weir_peek_lanes(const struct weir_backing *backing, uint32_t generation[WEIR_SHM_LANES]);
/* Return: WEIR_OK; WEIR_EAGAIN, it has no frame (then only sent is set); WEIR_ENOENT, a segment is gone: the lane has
 * grown since the table was read, look again; WEIR_ECORRUPT, WEIR_EACCESS. */
int weir_peek_newest(const struct weir_backing *backing, unsigned lane, uint32_t generation, struct weir_peek *ret);
void weir_peek_close(struct weir_peek *peek);
/* Copy the frame. Return: WEIR_OK, WEIR_EAGAIN (it was overwritten meanwhile), WEIR_ECORRUPT, WEIR_ENOMEM. */
int weir_peek_copy(const struct weir_peek *peek, struct weir_buffer *to);

/* A lane as a whole, from the oldest segment that there still is to the newest. */
struct weir_peek_lane {
    struct weir_lane_header newest; /* of the segment that is written */
    uint32_t oldest_generation;
    uint32_t uid; /* whose the newest segment is */
    uint32_t pid; /* what the page says of its writer; 0: closed */
    uint64_t start;
    uint64_t epoch;
    uint64_t tail;
    uint64_t next_seq;
    uint64_t oldest; /* position of the oldest frame that is kept */
    /* Of the oldest and the newest frame; seq 0: there is none. */
    uint64_t oldest_seq, newest_seq;
    int64_t oldest_time, newest_time;
};

/* Look at a whole lane. Return: WEIR_OK, WEIR_ENOENT, WEIR_EACCESS, WEIR_ECORRUPT. */
int weir_peek_lane(const struct weir_backing *backing, unsigned lane, uint32_t generation, struct weir_peek_lane *ret);
/* The seq of the first frame at or behind @position: what a reader with that cursor reads next. At the end: next_seq.
 * Return: WEIR_OK, WEIR_EAGAIN (overwritten while we looked), WEIR_ECORRUPT, WEIR_EACCESS, WEIR_ENOENT. */
int weir_peek_seq(const struct weir_backing *backing, const struct weir_peek_lane *lane, uint64_t position,
                  uint64_t *ret);

#endif
