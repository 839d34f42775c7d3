/* The System V backing: what its files share, and the bytes a channel has beyond those of the ring (docs/spec/sysv.md).
 *
 *     the channel's key    a segment    both pages as in shm://, then struct weir_sysv_page, then the table of lanes'
 *                          segments
 *                          a set        the leases, a semaphore each
 *     random keys, which   a segment    the cursors
 *     the segment tells    segments     one for each segment of a lane
 *
 * Every segment is WEIR_SYSV_TAIL bytes longer than what it holds. That odd size tells a segment whose maker was killed
 * before its first byte from those of other programs. */
#ifndef WEIR_SYSV_SYSV_H
#define WEIR_SYSV_SYSV_H

#include <assert.h>

#include "os/ipc.h"
#include "transport/shm/backing.h"

enum {
    WEIR_SYSV_TAIL = 1021,
    WEIR_SYSV_PAGE = WEIR_SHM_CHANNEL_SIZE,           /* where struct weir_sysv_page lies */
    WEIR_SYSV_TABLE = WEIR_SYSV_PAGE + WEIR_SHM_PAGE, /* where the table lies */
    WEIR_SYSV_SEGMENTS = 16,                          /* of one lane that can be there at a time */
    WEIR_SYSV_CHANNEL_SIZE = WEIR_SYSV_TABLE + WEIR_SHM_LANES * WEIR_SYSV_SEGMENTS * 4,
    WEIR_SYSV_MARK = 48, /* where struct weir_sysv_mark lies in lanes and cursors */
};

/* What is said of a channel beyond shm://. */
struct weir_sysv_page {
    _Atomic(uint32_t) is_ready; /* written last; 0: being made or taken away, or whoever did it died */
    uint32_t key;
    uint64_t number;           /* random: parts made for this channel have it too */
    _Atomic(uint32_t) set;     /* id + 1 of the semaphores */
    _Atomic(uint32_t) cursors; /* their key */
};

/* Keys of lanes' segments; 0: none. */
struct weir_sysv_table {
    _Atomic(uint32_t) key[WEIR_SHM_LANES][WEIR_SYSV_SEGMENTS]; /* generation G stands at G mod WEIR_SYSV_SEGMENTS */
};

/* Which channel a lane's segment or the cursors belong to. */
struct weir_sysv_mark {
    uint64_t number;
    uint32_t key;
};

static_assert(sizeof(struct weir_sysv_page) == 24, "page");
static_assert(sizeof(struct weir_lane_header) <= WEIR_SYSV_MARK, "the mark is free in lanes");
static_assert(offsetof(struct weir_cursors_head, joined) >= WEIR_SYSV_MARK + 16, "the mark is free in cursors");

/* Semaphores of the set: leases as in enum weir_lease, those that can be shared have two. */
enum {
    WEIR_SYSV_SEM_WRITERS = WEIR_LEASE_WRITERS,     /* shared; alone behind it */
    WEIR_SYSV_SEM_SLOT = WEIR_SYSV_SEM_WRITERS + 2, /* + S */
    WEIR_SYSV_SEM_MEMBERS = WEIR_SYSV_SEM_SLOT + WEIR_SHM_SLOTS,
    WEIR_SYSV_SEM_SIGN = WEIR_SYSV_SEM_MEMBERS + 2, /* WEIR_SYSV_SIGN: this set is ours */
    WEIR_SYSV_SEM_COUNT,
    WEIR_SYSV_SIGN = 0x5745,
};

/* The state of a backing. */
struct weir_sysv {
    uint32_t key;
    int shm;              /* the channel's segment; -1 */
    int set;              /* of semaphores; -1 */
    unsigned char *bytes; /* the segment, attached for as long as the backing is open */
    uint64_t number;
    uint64_t forks;                         /* the fork generation at open */
    uint8_t has_lease[WEIR_SYSV_SEM_COUNT]; /* semaphores that we have changed and must change back */
};
static_assert(sizeof(struct weir_sysv) <= WEIR_BACKING_STATE_SIZE, "it fits");

static inline struct weir_sysv *weir_sysv_of(const struct weir_backing *backing) {
    return (struct weir_sysv *)(uintptr_t)backing->state;
}

static inline struct weir_sysv_page *weir_sysv_page(const struct weir_sysv *sysv) {
    return (struct weir_sysv_page *)(sysv->bytes + WEIR_SYSV_PAGE);
}

static inline struct weir_sysv_table *weir_sysv_table(const struct weir_sysv *sysv) {
    return (struct weir_sysv_table *)(sysv->bytes + WEIR_SYSV_TABLE);
}

extern const struct weir_backing_ops weir_backing_sysv; /* backing.c */

/* ---- name.c: "0x5eed", "~user/0x5eed" ---- */

/* Return: WEIR_OK, WEIR_EADDRESS with its sentence. */
int weir_sysv_name(const struct weir_place *place, uint32_t *ret_key, uint32_t *ret_uid, weir_error *err);

/* ---- parts.c ---- */

/* As in backing.h. */
int weir_sysv_part_open(const struct weir_backing *backing, struct weir_part_id id, int may_write,
                        struct weir_part *ret);
void weir_sysv_part_close(struct weir_part *part);
int weir_sysv_part_read(const struct weir_part *part, uint64_t offset, void *to, size_t size);
void *weir_sysv_part_map(const struct weir_part *part, unsigned flags);
void *weir_sysv_part_map_ring(const struct weir_part *part, size_t head_size, size_t ring_size, unsigned flags);
int weir_sysv_part_make(struct weir_backing *backing, const struct weir_part_wish *wish, weir_error *err);
int weir_sysv_part_remove(struct weir_backing *backing, struct weir_part_id id);
int weir_sysv_part_exists(const struct weir_backing *backing, struct weir_part_id id);

/* A new segment of this channel with a random key, with its mark, and @head at its beginning. Its key is stored in
 * *@tell, the place where others find it, when all is complete. */
int weir_sysv_segment_new(const struct weir_backing *backing, uint64_t size, uint32_t mode, const void *head,
                          size_t head_size, _Atomic(uint32_t) *tell, weir_error *err);
/* Take the segment of @key away if it is ours and a part of this channel. */
void weir_sysv_segment_remove(const struct weir_sysv *sysv, uint32_t key);
/* Which channel a segment belongs to. Return: 1; 0: to none. *ret_is_blank: it has only zeros where it would say so. */
int weir_sysv_mark_read(int id, const struct weir_ipc_about *about, struct weir_sysv_mark *ret, int *ret_is_blank);
/* System V has no room: how much, and the way out. Takes errno. */
int weir_sysv_no_room(const char *text, uint64_t size, weir_error *err);

/* ---- make.c: what is done by who is the only member ---- */

/* Open what is under the key, checking whose it is: the segment of the channel, attached; or the set, which may be any.
 * Return: WEIR_OK; WEIR_ENOENT without a sentence; WEIR_EACCESS, WEIR_EBUSY, WEIR_ESYSTEM. */
int weir_sysv_find_channel(struct weir_backing *backing, int may_write, weir_error *err);
int weir_sysv_find_set(struct weir_backing *backing, weir_error *err);
void weir_sysv_detach(struct weir_sysv *sysv);
/* Make the channel, all but the set. WEIR_EAGAIN: something has come in our way. */
int weir_sysv_make(struct weir_backing *backing, const struct weir_place *place, enum weir_channel_access access,
                   weir_error *err);
/* Take all of the channel that is open away, but the set. Return: WEIR_OK, WEIR_EBUSY: somebody who may only read is
 * there. */
int weir_sysv_remove(struct weir_backing *backing);

/* ---- wake.c ---- */

int weir_sysv_wake_open(const struct weir_backing *backing, unsigned slot, int must_make, uint32_t mode);
/* Make the directory for FIFOs, as far as we can: without it readers look by a clock. */
void weir_sysv_wake_make(const struct weir_backing *backing, uint32_t mode);
void weir_sysv_wake_remove(const struct weir_backing *backing);

/* ---- clean.c ---- */

uint64_t weir_sysv_used(const struct weir_backing *backing);
int weir_sysv_each(weir_backing_fn *fn, void *user, weir_error *err);
int weir_sysv_clean(int is_dry_run, weir_clean_fn *clean_fn, void *user, weir_error *err);
int weir_sysv_take_away(const struct weir_place *place, int is_dry_run, weir_clean_fn *clean_fn, void *user,
                        weir_error *err);

/* ---- backing.c ---- */

/* Become the only member of the set that is open. Return: WEIR_OK, WEIR_EBUSY, WEIR_EACCESS, WEIR_ESYSTEM. */
int weir_sysv_alone(struct weir_sysv *sysv);
/* Give back every lease, and close. */
void weir_sysv_close(struct weir_sysv *sysv);

#endif
