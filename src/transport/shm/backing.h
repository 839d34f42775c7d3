/* What a channel of rings lies in.
 *
 * The ring - lanes, cursors, frames, wakes - is the same everywhere. A backing says how the parts of a channel are
 * made, found, mapped and taken away, who may do that, and how leases are held:
 *
 *     weir_backing_files    files in a directory, OFD locks                shm://    (files.c)
 *
 * Nothing here is called while messages pass: only when ends come and go, lanes come and grow, somebody is in the way,
 * or somebody looks from outside. What every backing promises:
 *   1. A part is seen complete or not at all, and has its memory: no later access to it fails. Lanes and slots may be
 *      given it as they come to be used (part_allocate); what has none yet nobody touches.
 *   2. A lease goes back when its process dies, whatever kills it. It is taken without waiting.
 *   3. Who owns a part, its mode and its size are the kernel's word. The bytes are not: they are others', to be
 *      checked.
 *   4. part_read never faults, whatever happens to the part meanwhile.
 *   5. Of the dead nothing stays for ever: the next member, or clean, takes away what they left half made or half
 *      removed. */
#ifndef WEIR_SHM_BACKING_H
#define WEIR_SHM_BACKING_H

#include <stddef.h>
#include <stdint.h>

#include "transport/shm/layout.h"
#include "transport/transport.h"

/* What an end needs to do with the channel; each includes those above it. */
enum weir_channel_access {
    WEIR_CHANNEL_LOOK = 0,  /* observe without a slot: read permission is enough */
    WEIR_CHANNEL_READ = 1,  /* have a reader slot */
    WEIR_CHANNEL_WRITE = 2, /* have a lane */
};

/* ---- leases ---- */

enum weir_lease {
    WEIR_LEASE_LANE = 0,                /* + N: who writes lane N */
    WEIR_LEASE_SERVER = WEIR_SHM_LANES, /* server_epoch speaks of a server that lives */
    WEIR_LEASE_SERVER_CLAIM,            /* who is or becomes the server */
    WEIR_LEASE_WRITERS,                 /* shared by writers, exclusive for exclusive=1 */
    WEIR_LEASE_SLOT,                    /* + S: who reads with slot S */
    WEIR_LEASE_MEMBERS =
        WEIR_LEASE_SLOT + WEIR_SHM_SLOTS, /* shared by every end; who has it alone may take the channel away */
    WEIR_LEASE_COUNT
};

/* ---- parts ---- */

enum weir_part_kind { WEIR_PART_CHANNEL, WEIR_PART_CURSORS, WEIR_PART_LANE };

struct weir_part_id {
    enum weir_part_kind kind;
    uint32_t lane;
    uint32_t generation; /* of the lane's segment */
};

/* A part that is open. */
struct weir_part {
    void *owner;                /* the backing's own */
    uint32_t tag;               /* the same */
    int id;                     /* files: the descriptor */
    const unsigned char *bytes; /* where it is attached, for backings that read it so; else NULL */
    uint64_t size;
    uint32_t uid; /* whose it is */
    uint32_t gid;
    uint32_t mode; /* 0640 */
};

/* Bytes of a part. */
struct weir_part_range {
    uint64_t offset, size;
};
enum { WEIR_PART_RANGES = 3 };

/* A segment of a lane that is to be. */
struct weir_part_wish {
    struct weir_part_id id;
    uint64_t size;
    const void *head; /* its first bytes; all others are 0 */
    size_t head_size;
    struct weir_part_range
        needed[WEIR_PART_RANGES]; /* what must have its memory at once; backings without part_allocate give all */
    unsigned needed_count;
    uint32_t mode;
    uint32_t gid;
};

static inline struct weir_part_id weir_part_lane(uint32_t lane, uint32_t generation) {
    return (struct weir_part_id){WEIR_PART_LANE, lane, generation};
}

/* ---- the backing of one channel ---- */

struct weir_backing_ops;

enum { WEIR_BACKING_STATE_SIZE = 512, WEIR_BACKING_PATH_SIZE = 384 };

/* In the caller's storage; stays where it is. */
struct weir_backing {
    const struct weir_backing_ops *ops;
    uint32_t uid;                      /* whose channel it is */
    char text[WEIR_PLACE_TEXT_MAX];    /* "shm://lab/imu" */
    char path[WEIR_BACKING_PATH_SIZE]; /* where it lies, for people: "/dev/shm/weir-1000/lab~imu" */
    _Alignas(16) unsigned char state[WEIR_BACKING_STATE_SIZE]; /* the backing's own */
};

/* One of the caller's own channels; @name is what follows "://". */
typedef int weir_backing_fn(const struct weir_backing *backing, const char *name, void *user);

/* How ends wake each other where readers share nothing with one another, so that there is no page of cursors for all of
 * them. */
struct weir_backing_wakes {
    uint32_t
        slot_stride; /* from slot to slot: each lies in a page of its own. A reader has one for each lane, of which it uses cursor[0] */
    /* The writer, after each commit: wake readers that sleep. */
    void (*wake)(const struct weir_backing *backing);
    /* The writer has found no room: announce that it is about to sleep; sleep. As weir_space_begin and _sleep. */
    uint32_t (*space_begin)(const struct weir_backing *backing);
    void (*space_sleep)(const struct weir_backing *backing, uint32_t word, int64_t left_ns);
    /* A reader: have writers wake us from now on; sleep until one does; take what woke us (1: there was something); a
     * descriptor of the caller's that is readable while something does. */
    void (*arm)(const struct weir_backing *backing);
    void (*sleep)(const struct weir_backing *backing, int64_t left_ns);
    int (*drain)(const struct weir_backing *backing);
    int (*fd)(const struct weir_backing *backing);
    /* It has found where it begins in all lanes that it knows of. From here on others may come by themselves, not
     * before: the reader fills its slot, and goes through its lanes, alone. */
    int (*place)(const struct weir_backing *backing, weir_error *err);
    /* It has moved on: tell writers that sleep. */
    void (*space_tell)(const struct weir_backing *backing);
    /* Has the writer of a lane gone for good? Then, when the lane has been read to its end, its number is given
     * back. */
    int (*is_over)(const struct weir_backing *backing, unsigned lane);
    void (*lane_free)(const struct weir_backing *backing, unsigned lane);
};

struct weir_backing_ops {
    const struct weir_backing_wakes *wakes; /* NULL: through the words in the channel's page and cursors (wake.h) */
    const char *scheme;
    const char *way_in; /* what an owner can do who wants to let somebody in, for sentences; NULL: mode= and group= */

    /* Become a member of the channel (MEMBERS, shared), made when it is absent and may be. A channel that nobody keeps
     * and whose ends all died is made anew. ops and text are set. Return: WEIR_OK, or a failure with its sentence: then
     * leave or abandon follows. */
    int (*join)(struct weir_backing *backing, const struct weir_place *place, enum weir_channel_access access,
                weir_error *err);
    /* Open the channel without becoming a member, leaving no trace; abandon ends it. Return: WEIR_OK, or a failure with
     * its sentence: then nothing is open. weir_backing_look calls it. */
    int (*look)(struct weir_backing *backing, const struct weir_place *place, weir_error *err);
    /* Give back all leases and close. With @must_go the channel is taken away when nobody else is a member and it is
     * ours to take. */
    void (*leave)(struct weir_backing *backing, int must_go);
    /* Close without giving back a lease: in a forked child, whose parent has them, and after look. */
    void (*abandon)(struct weir_backing *backing);

    /* Return: WEIR_OK, WEIR_EBUSY (somebody has it), WEIR_ESYSTEM. */
    int (*lease_take)(struct weir_backing *backing, unsigned lease, int is_exclusive);
    void (*lease_drop)(struct weir_backing *backing, unsigned lease);
    /* 1: somebody would keep it from us if we wanted it alone; 0: free; -1: we may not ask. When the question fails:
     * 1. */
    int (*lease_is_held)(const struct weir_backing *backing, unsigned lease);

    /* Return: WEIR_OK; without a sentence, with errno: WEIR_ENOENT, WEIR_EACCESS, WEIR_ECORRUPT (there is something
     * else in its place), WEIR_ESYSTEM. */
    int (*part_open)(const struct weir_backing *backing, struct weir_part_id id, int may_write, struct weir_part *ret);
    void (*part_close)(struct weir_part *part);
    /* Copy bytes out. Return: WEIR_OK, WEIR_ECORRUPT (it has not so many). */
    int (*part_read)(const struct weir_part *part, uint64_t offset, void *to, size_t size);
    /* Map the whole part, or a ring twice in a row behind its head (os/mapping.h). It outlives part_close;
     * weir_mapping_free with the part's size, or head_size + 2 * ring_size, ends it. Return: NULL with errno. */
    void *(*part_map)(const struct weir_part *part, unsigned flags);
    void *(*part_map_ring)(const struct weir_part *part, size_t head_size, size_t ring_size, unsigned flags);
    /* Make a lane's segment; the caller has the lane's lease. What a dead writer left in its place is replaced. */
    int (*part_make)(struct weir_backing *backing, const struct weir_part_wish *wish, weir_error *err);
    /* Give memory to what has none in these ranges of a part, one range whole or not at all; the caller has the lease
     * of what is there. NULL: parts have all of it from the beginning. Return: WEIR_OK; WEIR_ENOSPC, WEIR_ECLOSED (it
     * was taken away), WEIR_ESYSTEM. */
    int (*part_allocate)(const struct weir_backing *backing, struct weir_part_id id,
                         const struct weir_part_range *ranges, unsigned count, weir_error *err);
    /* Take one away; who has it mapped keeps it. Return: 1, or 0 when there was none to take. */
    int (*part_remove)(struct weir_backing *backing, struct weir_part_id id);
    int (*part_exists)(const struct weir_backing *backing, struct weir_part_id id);

    /* The FIFO that wakes the descriptor of the reader in @slot, for reading and writing, without waiting. @must_make:
     * we are that reader; others may get @mode's rights. Return: a descriptor, or -1: then the reader's descriptor is a
     * timer. */
    int (*wake_open)(const struct weir_backing *backing, unsigned slot, int must_make, uint32_t mode);

    /* Bytes of memory that all parts take. */
    uint64_t (*used)(const struct weir_backing *backing);
    /* Append pairs that only this backing knows of to the map that is open in @doc. NULL: there are none. */
    void (*tell)(const struct weir_backing *backing, weir_doc *doc);
    /* Call @fn for each channel of our own user, opened as by look. */
    int (*each)(weir_backing_fn *fn, void *user, weir_error *err);
};

extern const struct weir_backing_ops weir_backing_files; /* files.c */

/* Open @backing for looking. */
int weir_backing_look(struct weir_backing *backing, const struct weir_backing_ops *ops, const struct weir_place *place,
                      weir_error *err);

/* ---- for backings ---- */

/* What look says, with the sentences that belong to it: WEIR_ENOENT, WEIR_EACCESS, WEIR_EVERSION, WEIR_ECORRUPT, others
 * with errno. */
int weir_backing_unseen(const struct weir_backing *backing, int status, weir_error *err);

/* The first bytes of a new channel's parts: both pages of the channel (WEIR_SHM_CHANNEL_SIZE), the head of the
 * cursors. */
void weir_channel_head(const struct weir_place *place, enum weir_channel_access access, void *head);
void weir_cursors_head(void *head);
/* The group of place->group; (gid_t)-1 when it names none. */
int weir_channel_group(const struct weir_place *place, uint32_t *ret, weir_error *err);
/* What page 1 says of keep; WEIR_CHANNEL_KEEP when it cannot be read. */
uint32_t weir_channel_kept(const struct weir_backing *backing);
/* FIFO wake.@slot of a directory, for wake_open (fifo.c). */
int weir_fifo_open(int directory, unsigned slot, int must_make, uint32_t mode);
/* Group and others get @granted when the channel's mode gives them @asked. */
static inline uint32_t weir_channel_mode(uint32_t mode, uint32_t asked, uint32_t granted) {
    return ((mode >> 3 & asked) == asked ? granted << 3 : 0) | ((mode & asked) == asked ? granted : 0);
}

#endif
