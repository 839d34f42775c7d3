/* The contract of a transport, and the table of them.
 *
 * A transport is one const ops table in its own folder, listed once in transport.c.
 * tests/conformance/transport_test.c and many_test.c check these promises on every one of them:
 *   1. Ends open in any order; either side may restart and the other carries on.
 *   2. Frames of one writer arrive in order, whole or not at all, at most once per reader.
 *   3. A full channel does what place->full says; what a reader missed is in inbound.gap, exactly.
 *   4. kill -9 of any end at any instruction leaves the others working and the channel usable; kernel locks say who
 *      lives.
 *   5. No operation but wait and open blocks. wait has a deadline, survives signals, and fd joins it to an event loop.
 *   6. What lies in shared places is read once into a private copy and checked there before use.
 *   7. A channel outlives its ends unless keep=0; then its last end takes it away. (Not a sealed one, whose memory goes
 *      with its writer, and which carries no calls.)
 *
 * The channel layer (channel/) sits on top: it builds frames, decodes, blocks, filters by frame kind, and counts. One
 * state is used by one thread at a time. State memory is zeroed by the core and aligned to 64 bytes.
 */
#ifndef WEIR_TRANSPORT_H
#define WEIR_TRANSPORT_H

#include <stdatomic.h>
#include <stdint.h>
#include <weir/error.h>
#include <weir/value.h>

#include "base/buffer.h"
#include "base/error.h"
#include "frame/frame.h"
#include "os/access.h"

enum weir_role {
    WEIR_ROLE_WRITER = 1, /* sends */
    WEIR_ROLE_READER = 2, /* receives; holds writers back unless place->is_observer */
    WEIR_ROLE_CLIENT = 3, /* sends requests, receives replies as an observer */
    WEIR_ROLE_SERVER = 4  /* receives requests as a reader, sends replies; one per channel */
};

enum weir_full { WEIR_FULL_BLOCK = 0, WEIR_FULL_DROP_OLDEST = 1, WEIR_FULL_DROP_NEWEST = 2, WEIR_FULL_FAIL = 3 };
enum weir_from { WEIR_FROM_NOW = 0, WEIR_FROM_OLDEST = 1, WEIR_FROM_LAST = 2, WEIR_FROM_SEQ = 3, WEIR_FROM_AGO = 4 };
enum weir_wait_how { WEIR_WAIT_FUTEX = 0, WEIR_WAIT_SPIN = 1, WEIR_WAIT_POLL = 2, WEIR_WAIT_SEM = 3 };

/* Options a transport understands besides those that mean the same everywhere; an address that names another is
 * refused. */
enum weir_option {
    WEIR_OPTION_WAIT = 1,     /* wait= */
    WEIR_OPTION_LISTEN = 2,   /* listen=, connect= */
    WEIR_OPTION_ALLOW = 4,    /* allow= */
    WEIR_OPTION_SEALED = 8,   /* sealed= */
    WEIR_OPTION_KEY = 16,     /* no option: a name ends in a number, and all ways to write it are one name */
    WEIR_OPTION_FRAMING = 32, /* framing= */
    WEIR_OPTION_FILE = 64,    /* sync=, rotate=, age=, files=, state=, anyfs= */
    WEIR_OPTION_TLS = 128,    /* cert=, key=, ca=, psk=, insecure= */
    WEIR_OPTION_FAULT = 256,  /* fault= */
    WEIR_OPTION_BURST = 512   /* burst= */
};

/* What the channels of a transport have in common, where transports differ. */
enum weir_trait {
    /* A channel holds capacity= bytes, so a reader that does not read makes it full. Without: it keeps everything, no
     * reader holds a writer back, and full= says what happens when the store is full. */
    WEIR_TRAIT_BOUNDED = 1,
    WEIR_TRAIT_ONE_WRITER = 2, /* a second writer is refused (WEIR_EBUSY) */
    WEIR_TRAIT_ONE_READER = 4, /* a second reader is, observers included */
    /* There is no history: a message is there until one reader takes it, or the last end goes. */
    WEIR_TRAIT_FLEETING = 8
};

enum weir_sync { WEIR_SYNC_NONE = 0, WEIR_SYNC_INTERVAL = 1, WEIR_SYNC_ALWAYS = 2 };

enum { WEIR_NAME_MAX = 200, WEIR_PLACE_TEXT_MAX = 256, WEIR_FILE_MAX = 200 };

struct weir_transport_ops;
struct weir_told;

/* How likely each fault is at each operation, 0 to 1 (transport/fault/). */
struct weir_faults {
    uint64_t seed;
    double error, again, delay, disconnect, shortness;
};

/* A parsed address (channel/address.c makes it). */
struct weir_place {
    const struct weir_transport_ops *transport;
    char text[WEIR_PLACE_TEXT_MAX]; /* the address without its options, for sentences: "shm://lab/imu" */
    char name[WEIR_PLACE_TEXT_MAX]; /* what follows "://": "lab/imu", "/run/imu.sock" */
    uint64_t capacity;              /* bytes of a lane or of a peer's queue */
    uint64_t size_max;              /* bytes of the largest frame */
    enum weir_full full;
    enum weir_from from;
    int64_t from_value; /* SEQ: the number; AGO: ns */
    enum weir_wait_how wait;
    uint32_t readers;   /* the first send waits for so many */
    int64_t timeout_ns; /* of a blocked send */
    int codec;          /* enum weir_codec for values */
    uint32_t mode;      /* 0600 */
    char group[64];     /* empty: none */
    struct weir_allow allow;
    _Atomic(uint32_t) *refused; /* where to count others who were not let in; NULL: nowhere */
    struct weir_told *told;     /* where to tell how it goes (transport/told.h); NULL: nowhere */
    uint8_t is_observer;
    uint8_t is_kept;
    uint8_t is_kept_given; /* keep= stood in the address */
    uint8_t is_sealed;
    uint8_t is_mode_given; /* mode= stood in the address */
    uint8_t may_create;
    uint8_t is_exclusive;
    uint8_t is_stamped;
    uint8_t may_keep; /* burst=: messages in the sender's memory for a moment */
    uint8_t must_listen;
    uint8_t must_connect;
    uint8_t is_codec_given;
    uint8_t is_from_given;
    uint8_t is_insecure;
    uint8_t is_state;
    uint8_t may_any_fs;
    int framing; /* enum weir_framing; -1: not given */
    enum weir_sync sync;
    int64_t sync_ns;          /* INTERVAL */
    uint64_t rotate_size;     /* 0: never */
    int64_t rotate_ns;        /* age=; 0: never */
    uint32_t files;           /* rotated ones that are kept */
    char cert[WEIR_FILE_MAX]; /* files of TLS; empty: not given */
    char key[WEIR_FILE_MAX];
    char ca[WEIR_FILE_MAX];
    char psk[WEIR_FILE_MAX];
    struct weir_faults fault;
};

/* Room for one frame, given by reserve. */
struct weir_slot {
    unsigned char *bytes; /* aligned to 64 */
    uint64_t
        seq; /* the frame's. Where writers share a count it is not known before the frame is published: commit, and flush
                           * for the last of many, correct it in the frame and here, so the slot must stay until then */
};

/* A frame that arrived. bytes lives until the state's next call to next, release, seek or close. */
struct weir_inbound {
    const unsigned char *bytes; /* aligned to 64 if its flags say ALIGNED; does not change under the reader */
    uint64_t word;              /* its first 8 bytes */
    size_t size;
    uint64_t gap;        /* frames of that writer missed just before */
    uint32_t writer;     /* which writer: a small number */
    uint64_t peer;       /* whom to answer, for reserve */
    uint32_t uid;        /* the writer's user, as the kernel says; WEIR_UID_UNKNOWN when it does not */
    uint8_t is_in_place; /* it lies in the channel, and so may those behind it: follow */
};
/* Show a frame that lies in place, of @writer and its user, behind which nothing is missed. Field by field: a struct that
 * is made elsewhere and copied is read in wider pieces than it was written in, and such a load waits until the stores
 * have left the processor, for longer than all the rest takes. */
static inline void weir_inbound_show(struct weir_inbound *ret, const unsigned char *bytes, uint64_t word,
                                     uint32_t writer, uint32_t uid) {
    ret->bytes = bytes;
    ret->word = word;
    ret->size = weir_frame_word_size(word);
    ret->gap = 0;
    ret->writer = writer;
    ret->peer = 0;
    ret->uid = uid;
    ret->is_in_place = 1;
}
/* A frame behind one that is in place: same writer, same life. */
struct weir_following {
    const unsigned char *bytes; /* as in struct weir_inbound */
    uint64_t word;
    uint64_t gap;
};
enum { WEIR_UID_UNKNOWN = 0xFFFFFFFF };

enum weir_ready { WEIR_READY_TO_READ = 1, WEIR_READY_TO_WRITE = 2 };
enum { WEIR_COMMIT_MORE = 1 }; /* more follows at once: publishing and waking may wait for flush */

/* Called for each channel that is there, with or without ends. */
struct weir_listing {
    char address[WEIR_PLACE_TEXT_MAX];
    uint64_t bytes;      /* store used */
    uint64_t messages;   /* sent so far by all writers */
    int64_t last_time;   /* ns since the epoch of the newest message, 0 when none */
    int has_ends;        /* a living process holds it */
    const char *problem; /* why nobody can open it; NULL: none is known */
};
typedef int weir_listing_fn(const struct weir_listing *listing, void *user);
/* Called for each thing clean removes (or would). */
typedef int weir_clean_fn(const char *path, const char *what, uint64_t size, void *user);

struct weir_transport_ops {
    const char *scheme; /* "shm" */
    uint32_t options;   /* enum weir_option, or-ed */
    uint32_t traits;    /* enum weir_trait, or-ed */
    size_t state_size;

    /* Is place->name one this transport can use? Says why not. */
    int (*check)(const struct weir_place *place, weir_error *err);

    int (*open)(void *state, const struct weir_place *place, enum weir_role role, weir_error *err);
    void (*close)(void *state);

    /* Room for a frame of @size bytes, for @peer only (0: everybody). Return: WEIR_OK, WEIR_EAGAIN (no room now: the
     * core waits for WEIR_READY_TO_WRITE, fails, or skips, as full= says), WEIR_ETOOBIG, WEIR_ENOSPC, WEIR_ECLOSED,
     * WEIR_EFENCED. */
    int (*reserve)(void *state, uint64_t peer, size_t size, struct weir_slot *ret, weir_error *err);
    /* Publish what was reserved; everything but the commit word is written. @flags: WEIR_COMMIT_MORE. Where other
     * writers must be waited for, it waits for as long as place->timeout_ns.
     * Return: WEIR_OK; WEIR_EAGAIN (no room; dropped, as full=drop-newest says); WEIR_ETIMEOUT: not sent but still
     * reserved, for another commit or a discard; WEIR_ENOSPC and others: not sent. */
    int (*commit)(void *state, uint64_t word, uint32_t flags, weir_error *err);
    /* For speed, reserve and commit in one of a frame to everybody that has data and, when its commit word @word says
     * so, a time, and nothing else. Return: its seq; 0 when it cannot be done now or not in this way: reserve and
     * commit then, which say why. */
    uint64_t (*post)(void *state, uint64_t word, const void *data, size_t size, int64_t time, uint32_t flags);
    /* The same for many: one pass that writes as many as go now, and publishes and wakes once. @word: as that of a
     * frame without data. Return: how many of @count went, from the first on; *ret_seq is the last one's. */
    size_t (*post_many)(void *state, uint64_t word, const weir_view *data, size_t count, int64_t time, uint32_t flags,
                        uint64_t *ret_seq);
    /* Give the reservation back unused. */
    void (*discard)(void *state);
    /* full=drop-newest found no room: use up one seq, so that readers count the gap. */
    void (*skip)(void *state);
    /* Publish and wake for what was committed with WEIR_COMMIT_MORE. */
    int (*flush)(void *state, weir_error *err);
    /* place->timeout_ns is @timeout_ns from now on: for what the transport itself waits for, at commit and close. */
    void (*set_timeout)(void *state, int64_t timeout_ns);
    /* reserve has found no room: which reader is in the way, for sentences, as "python (pid 123)"; empty when that is not
     * known. */
    void (*in_the_way)(void *state, char *text, size_t size);
    /* How many readers are there now (not observers). Handles what has arrived meanwhile; does not wait. */
    int (*readers)(void *state, uint32_t *ret);

    /* The next frame. Return: WEIR_OK, WEIR_EAGAIN, WEIR_ECLOSED, WEIR_ECORRUPT, WEIR_EFENCED, WEIR_ENOMEM. */
    int (*next)(void *state, struct weir_inbound *ret, weir_error *err);
    /* After next has given a frame that is in place: those that lie behind it, at most @max, which live as long as it.
     * May be called again for more. Return: how many. */
    size_t (*follow)(void *state, struct weir_following *ret, size_t max);
    void (*release)(void *state);
    /* Move to the newest frame (WEIR_FROM_LAST), behind it (WEIR_FROM_NOW) or to the oldest. Return: WEIR_OK,
     * WEIR_EAGAIN (LAST: none there yet). */
    int (*seek)(void *state, enum weir_from from, int64_t value, weir_error *err);

    /* Wait until the end is ready (or may be: spurious returns are fine). @what: enum weir_ready; @deadline:
     * monotonic ns. Return: WEIR_OK, WEIR_ETIMEOUT, WEIR_ESYSTEM. */
    int (*wait)(void *state, uint32_t what, int64_t deadline, weir_error *err);
    /* A descriptor that is readable while next has something; from then on a next that returns WEIR_EAGAIN re-arms
     * it. */
    int (*fd)(void *state, int *ret, weir_error *err);

    /* For a client: WEIR_OK while a server is there; WEIR_ENOENT when there is none, and @err says who is there instead
     * when that is known; WEIR_EBUSY when somebody is there who has not said yet whether he serves, but takes requests.
     * Said once: WEIR_EPEER when the server that was there at the last request (commit) has gone since, WEIR_EAGAIN when
     * who was there at it turned out to be none, and has taken no request. A client that is not connected tries to
     * connect; it does not wait. Other roles: WEIR_OK. */
    int (*peer_state)(void *state, weir_error *err);
    /* For a server: is the client there whose requests come as @peer? 1 also where that cannot be known. */
    int (*has_client)(void *state, uint64_t peer);

    /* Append the newest frame, whole, to @out (empty, its data aligned to 64), without opening an end. *ret as for
     * next, its bytes in @out. Return: WEIR_OK, WEIR_ENOENT, others as open. */
    int (*latest)(const struct weir_place *place, struct weir_buffer *out, struct weir_inbound *ret, weir_error *err);

    /* Say why the channel is as it is: append pairs to the map that is open in @doc. Looks without opening an end,
     * connecting, or changing anything. "state" is always among them. Return: WEIR_OK, WEIR_ENOENT (nothing was
     * appended), others as open. */
    int (*info)(const struct weir_place *place, weir_doc *doc, weir_error *err);

    int (*list)(weir_listing_fn *listing_fn, void *user, weir_error *err);
    int (*clean)(int is_dry_run, weir_clean_fn *clean_fn, void *user, weir_error *err);
    /* Take one channel away that no process has open; @clean_fn is told of it. Return: WEIR_OK, WEIR_EBUSY,
     * WEIR_ENOENT, WEIR_EACCESS, WEIR_ENOTSUP, others. */
    int (*remove)(const struct weir_place *place, int is_dry_run, weir_clean_fn *clean_fn, void *user, weir_error *err);
};

extern const struct weir_transport_ops weir_transport_shm;  /* transport/shm/shm.c */
extern const struct weir_transport_ops weir_transport_sysv; /* transport/sysv/sysv.c */
extern const struct weir_transport_ops weir_transport_unix; /* transport/socket/unix.c */
extern const struct weir_transport_ops weir_transport_tcp;  /* transport/socket/tcp.c */
extern const struct weir_transport_ops weir_transport_fifo; /* transport/fifo/fifo.c */
extern const struct weir_transport_ops weir_transport_file; /* transport/file/file.c */

/* The i-th transport of the table, NULL behind the last. */
const struct weir_transport_ops *weir_transport_at(size_t index);
/* The transport of @scheme (need not be NUL-terminated), also "fault+shm" where that is allowed; NULL for none. */
const struct weir_transport_ops *weir_transport_find(const char *scheme, size_t size);

/* For ops tables: operations that do not apply. */
uint64_t weir_transport_no_post(void *state, uint64_t word, const void *data, size_t size, int64_t time,
                                uint32_t flags);
size_t weir_transport_no_post_many(void *state, uint64_t word, const weir_view *data, size_t count, int64_t time,
                                   uint32_t flags, uint64_t *ret_seq);
size_t weir_transport_no_follow(void *state, struct weir_following *ret, size_t max);
void weir_transport_no_in_the_way(void *state, char *text, size_t size);
void weir_transport_no_set_timeout(void *state, int64_t timeout_ns);
int weir_transport_no_list(weir_listing_fn *listing_fn, void *user, weir_error *err);
int weir_transport_no_info(const struct weir_place *place, weir_doc *doc, weir_error *err);
int weir_transport_no_clean(int is_dry_run, weir_clean_fn *clean_fn, void *user, weir_error *err);
int weir_transport_no_remove(const struct weir_place *place, int is_dry_run, weir_clean_fn *clean_fn, void *user,
                             weir_error *err);

#endif
