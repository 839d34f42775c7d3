/* The ends of a channel of rings, in any backing: what each role is made of.
 *
 *     writer    a lane
 *     reader    a slot (holding, or not for an observer)
 *     client    a lane, and a slot that holds nothing; its own lane it does not read
 *     server    the server lease, a lane, and a holding slot
 *
 * What must stay true: a forked child touches nothing of what its parent opened. */
#include "transport/shm/end.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "os/fork.h"
#include "os/process.h"
#include "transport/shm/channel.h"
#include "transport/shm/lane.h"
#include "transport/shm/reader.h"

enum { PROGRAM_MAX = 32, USER_MAX = 64 };
/* How long a client believes that the server it has seen still lives. */
static const int64_t SERVER_BELIEF_NS = 10 * 1000 * 1000;

static int forked(const struct shm *shm, weir_error *err) {
    return weir_fail(err, WEIR_EFORKED, "%s was opened before fork(); open it again in the child",
                     weir_channel_text(&shm->channel));
}

/* ---- open and close ---- */

static int busy(const struct shm *shm, const char *what, int64_t pid, uint32_t uid, weir_error *err) {
    char program[PROGRAM_MAX], user[USER_MAX];
    if (pid == 0)
        return weir_fail(err, WEIR_EBUSY, "%s: %s", weir_channel_text(&shm->channel), what);
    weir_process_program(pid, program, sizeof(program));
    weir_process_user(uid, user, sizeof(user));
    return weir_fail(err, WEIR_EBUSY, "%s: %s: %s (pid %" PRId64 ", user %s)", weir_channel_text(&shm->channel), what,
                     program, pid, user);
}

/* exclusive=1 takes the writers' byte for itself, other writers share it. */
static int writers_lease(struct shm *shm, const struct weir_place *place, weir_error *err) {
    if (shm->role != WEIR_ROLE_WRITER)
        return WEIR_OK;
    int status = weir_lease_take(&shm->channel, WEIR_LEASE_WRITERS, place->is_exclusive);
    if (status == WEIR_OK)
        return status;
    uint32_t uid = shm->channel.backing.uid;
    int64_t pid = weir_lane_holder(&shm->channel, &uid);
    return busy(shm,
                place->is_exclusive ? "exclusive=1, but somebody writes there already"
                                    : "somebody writes there with exclusive=1",
                pid, uid, err);
}

/* The epoch that a killed server left odd is closed before the server's lease is taken, so that a held lease and an odd
 * epoch together mean a server that lives and reads. */
static int server_lease(struct shm *shm, weir_error *err) {
    struct weir_channel_page *page = shm->channel.page;
    if (shm->role != WEIR_ROLE_SERVER)
        return WEIR_OK;
    if (weir_lease_take(&shm->channel, WEIR_LEASE_SERVER_CLAIM, 1) != WEIR_OK)
        return busy(shm, "somebody serves there already", atomic_load(&page->server_pid),
                    atomic_load(&page->server_uid), err);
    if (atomic_load(&page->server_epoch) & 1)
        atomic_fetch_add(&page->server_epoch, 1);
    if (weir_lease_take(&shm->channel, WEIR_LEASE_SERVER, 1) != WEIR_OK)
        return busy(shm, "somebody without the right to holds the server's lease", 0, 0, err);
    atomic_store(&page->server_pid, (uint32_t)getpid());
    atomic_store(&page->server_uid, geteuid());
    atomic_store(&page->server_start, weir_process_start_own());
    shm->is_serving = 1;
    return WEIR_OK;
}

/* Readers are ready and requests are read from here on: now clients may know. Odd means there. */
static void server_announce(struct shm *shm) {
    if (shm->is_serving)
        atomic_fetch_add(&shm->channel.page->server_epoch, 1);
}

static int has_lane(enum weir_role role) {
    return role != WEIR_ROLE_READER;
}

static int has_slot(enum weir_role role) {
    return role != WEIR_ROLE_WRITER;
}

static int ends_open(struct shm *shm, const struct weir_place *place, weir_error *err) {
    int status = writers_lease(shm, place, err);
    if (status == WEIR_OK)
        status = server_lease(shm, err);
    if (status == WEIR_OK && has_lane(shm->role))
        status = weir_lane_open(&shm->lane, &shm->channel, place, err);
    /* A client decides nothing: the channel that a mistyped name made goes with it. */
    if (status == WEIR_OK && has_lane(shm->role) && (shm->role != WEIR_ROLE_CLIENT || place->is_kept_given))
        weir_channel_settle(&shm->channel, place);
    if (status == WEIR_OK && has_slot(shm->role)) {
        int is_holding = shm->role == WEIR_ROLE_SERVER || (shm->role == WEIR_ROLE_READER && !place->is_observer);
        status = weir_shm_reader_open(&shm->reader, &shm->channel, place, is_holding,
                                      shm->lane.is_open ? shm->lane.segment.lane : (unsigned)WEIR_SHM_LANES, err);
    }
    if (status == WEIR_OK)
        server_announce(shm);
    return status;
}

void weir_shm_close(void *state) {
    struct shm *shm = state;
    if (weir_fork_happened(shm->generation)) {
        weir_lane_abandon(&shm->lane);
        weir_shm_reader_abandon(&shm->reader);
        weir_channel_abandon(&shm->channel);
        return;
    }
    if (shm->is_serving && atomic_load(&shm->channel.page->server_epoch) & 1)
        atomic_fetch_add(&shm->channel.page->server_epoch, 1);
    weir_shm_reader_close(&shm->reader);
    weir_lane_close(&shm->lane);
    weir_channel_leave(&shm->channel);
}

int weir_shm_open(void *state, const struct weir_backing_ops *backing, const struct weir_place *place,
                  enum weir_role role, weir_error *err) {
    struct shm *shm = state;
    shm->generation = weir_fork_generation();
    shm->role = role;
    shm->how = place->wait;
    enum weir_channel_access access = has_lane(role) ? WEIR_CHANNEL_WRITE : WEIR_CHANNEL_READ;
    int status = weir_channel_join(&shm->channel, backing, place, access, err);
    if (status == WEIR_EACCESS && role == WEIR_ROLE_READER && place->is_observer && !backing->wakes)
        status = weir_channel_join(&shm->channel, backing, place, WEIR_CHANNEL_LOOK, err);
    if (status)
        return status;
    status = ends_open(shm, place, err);
    if (status)
        weir_shm_close(shm);
    return status;
}

/* ---- sending ---- */

int weir_shm_reserve(void *state, uint64_t peer, size_t size, struct weir_slot *ret, weir_error *err) {
    struct shm *shm = state;
    (void)peer; /* everybody sees every lane; who is meant stands in the frame's id */
    if (__builtin_expect(weir_fork_happened(shm->generation), 0))
        return forked(shm, err);
    return weir_lane_reserve(&shm->lane, size, ret, err);
}

int weir_shm_commit(void *state, uint64_t word, uint32_t flags, weir_error *err) {
    struct shm *shm = state;
    if (__builtin_expect(weir_fork_happened(shm->generation), 0))
        return forked(shm, err);
    if (shm->role == WEIR_ROLE_CLIENT)
        shm->server_asked = shm->server_found;
    return weir_lane_commit(&shm->lane, word, flags, err);
}

uint64_t weir_shm_post(void *state, uint64_t word, const void *data, size_t size, int64_t time, uint32_t flags) {
    struct shm *shm = state;
    if (__builtin_expect(shm->role != WEIR_ROLE_WRITER || weir_fork_happened(shm->generation), 0))
        return 0;
    return weir_lane_post(&shm->lane, word, data, size, time, flags);
}

size_t weir_shm_post_many(void *state, uint64_t word, const weir_view *data, size_t count, int64_t time, uint32_t flags,
                          uint64_t *ret_seq) {
    struct shm *shm = state;
    if (shm->role != WEIR_ROLE_WRITER || weir_fork_happened(shm->generation))
        return 0;
    return weir_lane_post_many(&shm->lane, word, data, count, time, flags, ret_seq);
}

void weir_shm_discard(void *state) {
    struct shm *shm = state;
    weir_lane_discard(&shm->lane);
}

void weir_shm_skip(void *state) {
    struct shm *shm = state;
    if (!weir_fork_happened(shm->generation))
        weir_lane_skip(&shm->lane);
}

int weir_shm_flush(void *state, weir_error *err) {
    struct shm *shm = state;
    if (weir_fork_happened(shm->generation))
        return forked(shm, err);
    return weir_lane_flush(&shm->lane, err);
}

int weir_shm_readers(void *state, uint32_t *ret) {
    struct shm *shm = state;
    if (weir_fork_happened(shm->generation))
        return WEIR_EFORKED;
    *ret = weir_slot_count(&shm->channel);
    return WEIR_OK;
}

/* ---- receiving ---- */

int weir_shm_next(void *state, struct weir_inbound *ret, weir_error *err) {
    struct shm *shm = state;
    if (__builtin_expect(weir_fork_happened(shm->generation), 0))
        return forked(shm, err);
    return weir_shm_reader_next(&shm->reader, ret, err);
}

size_t weir_shm_follow(void *state, struct weir_following *ret, size_t max) {
    struct shm *shm = state;
    return weir_fork_happened(shm->generation) ? 0 : weir_shm_reader_follow(&shm->reader, ret, max);
}

void weir_shm_release(void *state) {
    struct shm *shm = state;
    if (!weir_fork_happened(shm->generation))
        weir_shm_reader_release(&shm->reader);
}

int weir_shm_seek(void *state, enum weir_from from, int64_t value, weir_error *err) {
    struct shm *shm = state;
    if (weir_fork_happened(shm->generation))
        return forked(shm, err);
    return weir_shm_reader_seek(&shm->reader, from, value, err);
}

/* ---- waiting ---- */

static int has_room(void *user) {
    struct shm *shm = user;
    return weir_lane_has_room(&shm->lane);
}

static int room_wait(struct shm *shm, int64_t deadline) {
    if (shm->how == WEIR_WAIT_SPIN)
        return weir_spin_long(has_room, shm, deadline) ? WEIR_OK : WEIR_ETIMEOUT;
    if (!shm->has_spin)
        weir_spin_init(&shm->spin);
    shm->has_spin = 1;
    if (weir_spin_until(&shm->spin, has_room, shm))
        return WEIR_OK;
    for (;;) {
        int64_t left = weir_deadline_left(deadline);
        if (left == 0)
            return WEIR_ETIMEOUT;
        uint32_t word = weir_space_begin(&shm->channel, shm->lane.segment.lane);
        if (has_room(shm))
            return WEIR_OK;
        weir_space_sleep(&shm->channel, word, left);
        if (has_room(shm))
            return WEIR_OK;
    }
}

int weir_shm_wait(void *state, uint32_t what, int64_t deadline, weir_error *err) {
    struct shm *shm = state;
    if (weir_fork_happened(shm->generation))
        return forked(shm, err);
    if (what & WEIR_READY_TO_WRITE && has_lane(shm->role))
        return room_wait(shm, deadline);
    return weir_shm_reader_wait(&shm->reader, deadline);
}

int weir_shm_fd(void *state, int *ret, weir_error *err) {
    struct shm *shm = state;
    if (weir_fork_happened(shm->generation))
        return forked(shm, err);
    if (!has_slot(shm->role))
        return weir_fail(err, WEIR_ENOTSUP, "%s: a writer has nothing to be readable",
                         weir_channel_text(&shm->channel));
    return weir_shm_reader_fd(&shm->reader, ret, err);
}

void weir_shm_in_the_way(void *state, char *text, size_t size) {
    struct shm *shm = state;
    const struct weir_lane *lane = &shm->lane;
    unsigned slot = WEIR_SHM_SLOTS;
    if (has_lane(shm->role) && !weir_fork_happened(shm->generation))
        (void)weir_slot_held(lane->channel, lane->segment.lane, lane->freed, lane->head, &slot);
    text[0] = '\0';
    if (slot < WEIR_SHM_SLOTS)
        weir_process_text(weir_channel_slot(lane->channel, slot)->pid, text, size);
}

/* ---- calls ---- */

/* Does a process hold the server's lease? Asking costs a system call, so the answer is believed for a moment. */
static int lease_is_held(struct shm *shm) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    int64_t ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    if (shm->server_seen && ns - shm->server_seen < SERVER_BELIEF_NS)
        return 1;
    shm->server_seen = weir_lease_is_held(&shm->channel, WEIR_LEASE_SERVER) ? ns : 0;
    return shm->server_seen != 0;
}

/* The epoch of the server that is there; 0 for none. The second look tells that the lease found held is of the epoch
 * first seen; one that closes in order says so in its epoch at once. */
static uint64_t server_find(struct shm *shm) {
    struct weir_channel_page *page = shm->channel.page;
    uint64_t epoch = atomic_load(&page->server_epoch);
    if (epoch & 1 && epoch != shm->server_found)
        shm->server_seen = 0; /* what we believed was of another */
    if (epoch & 1 && lease_is_held(shm) && atomic_load(&page->server_epoch) == epoch)
        return epoch;
    shm->server_seen = 0;
    return 0;
}

int weir_shm_peer_state(void *state, weir_error *err) {
    struct shm *shm = state;
    (void)err; /* who serves here and who does not may share a channel */
    if (weir_fork_happened(shm->generation))
        return WEIR_EFORKED;
    if (shm->role != WEIR_ROLE_CLIENT)
        return WEIR_OK;
    uint64_t asked = shm->server_asked;
    shm->server_found = server_find(shm);
    if (shm->server_found && (asked == 0 || asked == shm->server_found))
        return WEIR_OK;
    shm->server_asked = 0; /* said once; the next request is another matter */
    return asked ? WEIR_EPEER : WEIR_ENOENT;
}

/* A lane that another client has taken over since says that he is there: then the request is carried out, as if we did
 * not know. */
int weir_shm_has_client(void *state, uint64_t peer) {
    struct shm *shm = state;
    return peer == 0 || weir_lease_is_held(&shm->channel, WEIR_LEASE_LANE + (unsigned)peer - 1);
}
