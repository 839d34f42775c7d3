/* The reading side of a channel: a slot, a view of each lane, and their merge. */
#ifndef WEIR_SHM_READER_H
#define WEIR_SHM_READER_H

#include "transport/shm/slot.h"
#include "transport/shm/view.h"
#include "transport/shm/wake.h"

struct weir_shm_reader {
    struct weir_shm_channel *channel;
    struct weir_lane_view *held; /* the lane whose frame is handed out; NULL */
    unsigned count;              /* lanes in order[] */
    unsigned current;            /* index into order[] */
    unsigned burst;              /* frames taken from the current lane in a row */
    uint64_t lanes_seen;         /* channel.lanes_changed that we have acted on */
    uint64_t damaged;            /* lanes that were given up, which next has not told yet */
    uint64_t untold;             /* bytes freed since blocked writers were last told */
    unsigned own_lane;           /* of a client or server, not read; WEIR_SHM_LANES: none */
    struct weir_told *told;      /* where to tell from where on we read; NULL: nowhere */
    enum weir_wait_how how;
    uint8_t is_holding;
    uint8_t is_open;
    uint8_t is_telling; /* the last call to next told of damage */
    uint8_t order[WEIR_SHM_LANES];
    struct weir_buffer copy;
    struct weir_sleeper sleeper;
    struct weir_spin spin;
    struct weir_lane_view lanes[WEIR_SHM_LANES];
};

/* @own_lane: a lane not to read; WEIR_SHM_LANES for none. The reader holds writers back if @is_holding.
 * Return: WEIR_OK, WEIR_EBUSY (no slot), WEIR_ENOMEM, WEIR_ESYSTEM, WEIR_ECORRUPT. */
int weir_shm_reader_open(struct weir_shm_reader *reader, struct weir_shm_channel *channel,
                         const struct weir_place *place, int is_holding, unsigned own_lane, weir_error *err);
void weir_shm_reader_close(struct weir_shm_reader *reader);
/* In a forked child. */
void weir_shm_reader_abandon(struct weir_shm_reader *reader);

/* As in transport.h. */
int weir_shm_reader_next(struct weir_shm_reader *reader, struct weir_inbound *ret, weir_error *err);
size_t weir_shm_reader_follow(struct weir_shm_reader *reader, struct weir_following *ret, size_t max);
void weir_shm_reader_release(struct weir_shm_reader *reader);
int weir_shm_reader_seek(struct weir_shm_reader *reader, enum weir_from from, int64_t value, weir_error *err);
int weir_shm_reader_wait(struct weir_shm_reader *reader, int64_t deadline);
int weir_shm_reader_fd(struct weir_shm_reader *reader, int *ret, weir_error *err);

#endif
