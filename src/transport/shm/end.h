/* The ends of a channel of rings: what every transport whose channels lie in a backing (backing.h) puts into its ops
 * table. */
#ifndef WEIR_SHM_END_H
#define WEIR_SHM_END_H

#include "transport/shm/channel.h"
#include "transport/shm/lane.h"
#include "transport/shm/reader.h"

struct shm {
    struct weir_lane lane;
    struct weir_shm_reader reader;
    struct weir_shm_channel channel;
    struct weir_spin spin; /* of a writer that waits for room */
    uint8_t has_spin;      /* it is made by the first wait: to count processors is a question to the system */
    uint64_t generation;   /* of fork */
    uint64_t server_found; /* client: the epoch of the server that peer_state found last; 0: none */
    uint64_t server_asked; /* client: the epoch of the server that the last request went to; 0: none */
    int64_t server_seen;   /* client: when its lease was last found held */
    enum weir_role role;
    enum weir_wait_how how;
    uint8_t is_serving;
};

/* Open an end of the channel that lies in @backing. */
int weir_shm_open(void *state, const struct weir_backing_ops *backing, const struct weir_place *place,
                  enum weir_role role, weir_error *err);

/* As in transport.h. */
void weir_shm_close(void *state);
int weir_shm_reserve(void *state, uint64_t peer, size_t size, struct weir_slot *ret, weir_error *err);
int weir_shm_commit(void *state, uint64_t word, uint32_t flags, weir_error *err);
uint64_t weir_shm_post(void *state, uint64_t word, const void *data, size_t size, int64_t time, uint32_t flags);
size_t weir_shm_post_many(void *state, uint64_t word, const weir_view *data, size_t count, int64_t time, uint32_t flags,
                          uint64_t *ret_seq);
void weir_shm_discard(void *state);
void weir_shm_skip(void *state);
int weir_shm_flush(void *state, weir_error *err);
void weir_shm_in_the_way(void *state, char *text, size_t size);
int weir_shm_readers(void *state, uint32_t *ret);
int weir_shm_next(void *state, struct weir_inbound *ret, weir_error *err);
size_t weir_shm_follow(void *state, struct weir_following *ret, size_t max);
void weir_shm_release(void *state);
int weir_shm_seek(void *state, enum weir_from from, int64_t value, weir_error *err);
int weir_shm_wait(void *state, uint32_t what, int64_t deadline, weir_error *err);
int weir_shm_fd(void *state, int *ret, weir_error *err);
int weir_shm_peer_state(void *state, weir_error *err);
int weir_shm_has_client(void *state, uint64_t peer);

/* The members of an ops table that are the same in every backing. */
/* clang-format off */
#define WEIR_SHM_END_OPS \
    .state_size = sizeof(struct shm), .close = weir_shm_close, .reserve = weir_shm_reserve, .commit = weir_shm_commit, .post = weir_shm_post, \
    .post_many = weir_shm_post_many, .follow = weir_shm_follow, .set_timeout = weir_transport_no_set_timeout, \
    .discard = weir_shm_discard, .skip = weir_shm_skip, .flush = weir_shm_flush, .readers = weir_shm_readers, \
    .next = weir_shm_next, .release = weir_shm_release, .seek = weir_shm_seek, .wait = weir_shm_wait, .fd = weir_shm_fd, \
    .peer_state = weir_shm_peer_state, .in_the_way = weir_shm_in_the_way, .has_client = weir_shm_has_client
/* clang-format on */

#endif
