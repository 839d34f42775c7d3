/* Lanes read by system calls only: no mapping, no lock, no trace. What latest and list need. */
#ifndef WEIR_SHM_PEEK_H
#define WEIR_SHM_PEEK_H

#include "base/buffer.h"
#include "transport/shm/layout.h"

/* The newest frame of one lane. */
struct weir_peek {
    int fd; /* its segment; close it */
    struct weir_lane_header header;
    uint64_t position;
    uint64_t word;
    uint64_t seq;
    int64_t time;  /* 0: not stamped */
    uint64_t sent; /* messages of this writer so far */
    uint32_t uid;
};

/* Segment generations of all lanes of the channel directory. Return: WEIR_OK, WEIR_ENOENT, WEIR_EACCESS, WEIR_ECORRUPT, WEIR_EVERSION. */
int weir_peek_lanes(int directory, uint32_t generation[WEIR_SHM_LANES]);
/* Return: WEIR_OK; WEIR_EAGAIN, it has no frame (then only sent is set); WEIR_ECORRUPT, WEIR_EACCESS, WEIR_ENOENT. */
int weir_peek_newest(int directory, unsigned lane, uint32_t generation, struct weir_peek *ret);
/* Copy the frame. Return: WEIR_OK, WEIR_EAGAIN (it was overwritten meanwhile), WEIR_ECORRUPT, WEIR_ENOMEM. */
int weir_peek_copy(const struct weir_peek *peek, struct weir_buffer *to);

#endif
