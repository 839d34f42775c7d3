/* An end on a socket: what it holds, and how its files divide the work.
 *
 *   meet.c     finding each other: connect to who listens, or take the lease and listen; again when the listener has
 *              gone
 *   hub.c      the listener: lets ends in, reads what they send, relays it
 *   relay.c    the listener: messages of a writer in one pass, where they are of the usual form
 *   spread.c   the listener: history, readers' queues, who is told what
 *   send.c, receive.c   the operations of writers and of readers
 *   kept.c     what a writer in a burst keeps back (transport/burst.h)
 *   pump.c     waiting for events, by the owner's thread or by a thread of our own
 *   peer.c     one connection: being watched, being closed; control frames
 *   wire.c     its bytes: as they are, inside TLS (tls.c), or as plain messages
 *   plain.c, rpc.c   who speaks no frames: messages, calls, JSON-RPC
 *   stranger.c sentences about who listens and is no end of weir
 *   child.c    forked children let go
 *   end.c      the life of an end; unix.c and tcp.c are its two ops tables, local.c and inet.c what differs between
 *              them
 *
 * An end is at any moment in one mode: seeking, connected to a listener (`upstream`), or listening (`peers`).
 * Everything but the fields marked "owner" is under `lock`, as the pump's thread works on it too. No function here
 * calls the user.
 *
 * A listener that is a writer or reader is the hub: what connected writers send goes to all connected readers and to
 * the owner, if he reads. A server only takes requests and sends replies. */
#ifndef WEIR_SOCKET_SOCKET_H
#define WEIR_SOCKET_SOCKET_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "frame/frame.h"
#include "frame/queue.h"
#include "frame/stream.h"
#include "os/child.h"
#include "transport/burst.h"
#include "transport/socket/family.h"
#include "transport/socket/hello.h"
#include "transport/socket/origins.h"
#include "transport/socket/tls.h"
#include "transport/spin.h"
#include "transport/transport.h"

enum {
    WEIR_PENDING_MAX = 256,      /* connections that have not said hello; the oldest goes when another comes */
    WEIR_PEERS_MAX = 1024,       /* connections in all */
    WEIR_CONTROLS_MAX = 1 << 20, /* bytes of control frames that may wait for a peer beyond what it has room for */
    WEIR_PACKED_MAX = 4096,      /* frames up to this size lie side by side, larger ones at multiples of 64 */
    WEIR_BATCH_SIZE = 64 << 10   /* WEIR_COMMIT_MORE is obeyed up to so many bytes */
};
#define WEIR_MS              INT64_C(1000000)
#define WEIR_HELD_UP         (1000 * WEIR_MS) /* an end that sees a moment that much too late was not running */
#define WEIR_HELLO_WAIT      (5000 * WEIR_MS) /* how long a connection may take to say hello, and a listener to answer */
#define WEIR_QUIET_WAIT      (300 * WEIR_MS)  /* who says nothing for so long is taken for a reader of JSON lines */
#define WEIR_GRACE_WAIT      (1000 * WEIR_MS) /* how long a new listener waits for the readers of the one before */
#define WEIR_ACCEPT_WAIT     (100 * WEIR_MS)  /* how long accepting rests when there is no descriptor left */
#define WEIR_SEEK_WAIT_MAX   (50 * WEIR_MS)   /* the longest rest between two attempts to find a listener */
#define WEIR_REFUSED_WAIT    (250 * WEIR_MS)  /* the rest after a listener has refused us */
#define WEIR_RECEIVE_SLICE   (1000 * WEIR_MS) /* how long an owner may sit in recv */
#define WEIR_LEAVE_WAIT      (500 * WEIR_MS)  /* how long a listener that goes waits for a word of a writer elsewhere */
#define WEIR_LINGER_WAIT_MAX (10000 * WEIR_MS) /* how long close may wait for readers to take what is queued */

enum weir_mode { WEIR_MODE_SEEKING = 0, WEIR_MODE_CONNECTED = 1, WEIR_MODE_LISTENING = 2 };
enum weir_phase { WEIR_PHASE_NONE = 0, WEIR_PHASE_HELLO = 1, WEIR_PHASE_READY = 2 };

enum weir_rest { WEIR_REST_NONE = 0, WEIR_REST_SHORT = 1, WEIR_REST_LONG = 2 /* without a time limit */ };

/* What a reader asks his listener for. */
struct weir_seek {
    enum weir_from from;
    int64_t value;
    uint64_t serial; /* comes back in the confirmation */
    int is_asked;
};

/* What a reader needs to know to take the next frame of the same writer without the lock. One that is connected takes
 * it out of his connection's stream; one that listens out of the first run of his inbox, which stays there, counted as
 * room that is taken, until weir_inbox_settle.
 *
 * The owner's, but for three: he alone sets `taken`, and whoever holds the lock reads it; `settled` is the lock's; who
 * holds the lock sets `is_over`, which he reads. Both atomics are relaxed, as no byte depends on them: what he reads
 * was written before he last had the lock, and stays until he has it again (socket->taken). Each may be seen late: then
 * room is counted later, or a few more are taken first. */
struct weir_quick {
    uint64_t writer;
    uint64_t seq; /* of its frame taken last; socket->seen learns of it at the end */
    uint32_t number;
    uint32_t uid;
    uint8_t is_on;
    uint8_t is_inbox;
    uint8_t is_listeners;       /* the listener's own frames, which do not name their writer */
    const unsigned char *bytes; /* the frame taken last in this way, in place of socket->last; NULL: none */
    const unsigned char *at;    /* listening: what lies there, and may be taken if it is whole, up to end */
    const unsigned char *end;
    _Atomic size_t taken;    /* listening: bytes, in this way */
    _Atomic uint8_t is_over; /* listening: a writer is held up, so nothing more in this way */
    size_t settled;          /* of them: those that have left the inbox */
};

struct weir_plain_peer;

struct weir_peer {
    int fd;
    uint32_t index;          /* in socket->peers */
    uint32_t generation;     /* counts the connections of this place, so that late events and replies find nobody */
    uint32_t events;         /* watched for; 0: not watched */
    uint8_t phase;           /* enum weir_phase; NONE: the place is free */
    uint8_t is_paused;       /* not read from: its next frame has no room yet */
    uint8_t has_ended;       /* nothing more will come */
    uint8_t owes_count;      /* the number of readers changed while its queue was not empty */
    uint8_t is_underway;     /* upstream: the connection is not made yet */
    uint8_t is_leaving;      /* upstream: the listener goes, so nothing new is sent to it */
    uint8_t has_left;        /* upstream: our side is shut */
    uint8_t is_told;         /* our record tells of it */
    int64_t deadline;        /* of the hello; of a writer's last words, when the listener goes */
    int64_t quiet_at;        /* when its silence means something; INT64_MAX: never */
    struct weir_hello hello; /* the other end's */
    struct weir_credentials credentials;
    struct weir_seek seek; /* of a reader: read, and not done yet */
    struct weir_queue out;
    struct weir_stream in;
    struct weir_buffer said; /* bytes that go before what is queued: hellos, and messages in plain form */
    size_t said_sent;
    struct weir_tls *tls;          /* NULL: none */
    struct weir_plain_peer *plain; /* NULL: it speaks frames */
};

struct weir_pump {
    int epoll_fd;
    int control_fd; /* wakes the thread */
    int timer_fd;   /* for the owner's event loop; -1 until fd is asked for */
    int64_t armed;  /* for when timer_fd is set */
    pthread_t thread;
    uint8_t has_thread;
    uint8_t is_stopping;
    uint8_t is_owners;    /* the owner's thread handles events now; ours only watches over it */
    uint8_t owner_waits;  /* the owner is inside epoll_wait */
    uint8_t rest;         /* enum weir_rest: what the thread does */
    uint64_t owner_turns; /* how often the owner has pumped */
    int64_t thread_until; /* when the thread wakes by itself from watching */
};

/* Who listens, as he says; pid 0: nobody is known. */
struct weir_tenant {
    uint32_t pid;
    enum weir_role role;
    char program[64];
};

struct weir_socket {
    pthread_mutex_t lock;
    const struct weir_socket_family *family;
    struct weir_endpoints endpoints;
    struct weir_tls_context *tls; /* NULL: none is wanted */
    struct weir_place place;
    enum weir_role role;
    uint64_t fork_generation;
    uint64_t writer;         /* our random number */
    struct weir_child child; /* a forked child lets go */

    enum weir_mode mode;
    struct weir_pump pump;

    /* Seeking and connected. */
    struct weir_peer upstream;
    int64_t seek_at; /* when to try again */
    int64_t seek_wait;
    uint8_t must_rest;         /* seek_at is to be kept: we were refused, not just too early */
    uint8_t is_resuming;       /* was connected to a listener before */
    uint8_t has_asked;         /* client: on this connection */
    uint8_t lost_request;      /* client: a connection broke on which it had asked */
    uint8_t turned_away;       /* client: who listens does not serve, and has not taken what it had asked */
    struct weir_tenant tenant; /* client: who listens and does not serve */
    uint8_t was_refused;       /* nobody listened where we tried to connect a moment ago */
    uint8_t misread;           /* how often a listener took us for somebody else, as our hello came late */
    uint8_t wants_sought;      /* reader: what arrives is skipped until the listener confirms the seek */
    struct weir_seek seek;     /* reader: what was asked last */
    uint8_t has_before; /* reader: before_writer and before_seq name a frame sent before our place, kept for seek */
    uint64_t before_writer;
    uint64_t before_seq;
    uint32_t readers_known;    /* as the listener says */
    uint32_t readers_expected; /* how many will come to us if we listen next */
    weir_error failure;        /* why the listener refused us, until it is told */

    /* Listening. */
    struct weir_claim claim;
    uint8_t is_accepting; /* the listening socket is watched */
    uint8_t is_dirty;     /* something was queued and not tried to be sent */
    uint8_t is_closing;
    int64_t accept_at; /* when to accept again */
    int64_t claimed_at;
    int64_t grace_until; /* until then room is kept for readers_expected readers; 0: over */
    struct weir_peer **peers;
    size_t peer_count;    /* places, free ones too */
    size_t pending_count; /* that have not said hello */
    size_t paused_count;
    struct weir_chunk *relayed; /* open, of each kind */
    struct weir_chunk *relayed_droppable;
    struct weir_chunk *controls;
    struct weir_queue history;  /* the newest frames */
    struct weir_queue inbox;    /* for the owner, when he reads */
    struct weir_origins passed; /* whose frames went through here */

    /* Sending. */
    struct weir_chunk *own;  /* open: where the owner writes */
    size_t own_start;        /* owner: of what is reserved */
    size_t own_size;         /* owner: 0: nothing is reserved */
    uint64_t own_peer;       /* owner */
    uint64_t own_seq;        /* of the frame published last */
    struct weir_burst burst; /* what lies in `own` behind its size is kept back */
    size_t batch_size;       /* committed with WEIR_COMMIT_MORE and not sent */
    uint32_t batch_count;    /* requests or replies since the last that left at once */
    size_t refused_size;     /* what reserve had no room for */
    uint64_t refused_peer;

    /* Reading. */
    struct weir_origins seen;
    struct weir_quick quick;
    struct weir_spin spin;
    struct weir_chunk *taken;   /* holds the frame the owner looks at */
    struct weir_buffer aligned; /* owner: a copy of it, when it does not lie at a multiple of 64 */
    struct weir_inbound last;   /* the newest frame delivered; bytes NULL: none */
    uint64_t last_origin;       /* its writer's number */
    uint8_t is_last_next;       /* next gives `last` again */
    int poll_fd;                /* -1 until fd is asked for */
    int ready_fd;
    uint8_t is_ready_shown;
};

static inline int weir_socket_reads(const struct weir_socket *socket) {
    return socket->role == WEIR_ROLE_READER && !socket->is_closing;
}
static inline int weir_peer_reads(const struct weir_peer *peer) {
    return peer->phase == WEIR_PHASE_READY && peer->hello.role == WEIR_ROLE_READER;
}
static inline int weir_peer_holds(const struct weir_peer *peer) {
    return weir_peer_reads(peer) && !(peer->hello.flags & WEIR_HELLO_OBSERVES);
}
static inline int weir_fits(const struct weir_socket *socket, const struct weir_queue *queue, size_t size) {
    return queue->size == 0 || (size <= socket->place.capacity && queue->size <= socket->place.capacity - size);
}
static inline uint64_t weir_room_in(const struct weir_socket *socket, const struct weir_queue *queue) {
    return queue->size < socket->place.capacity ? socket->place.capacity - queue->size : 0;
}
/* Let what the owner has taken without the lock leave the inbox: before anybody looks at the inbox. `taken` keeps the
 * memory. */
static inline void weir_inbox_settle(struct weir_socket *socket) {
    struct weir_quick *quick = &socket->quick;
    size_t taken = atomic_load_explicit(&quick->taken, memory_order_relaxed);
    if (taken == quick->settled)
        return;
    weir_queue_sent(&socket->inbox, taken - quick->settled);
    quick->settled = taken;
}

/* ---- peer.c ---- */

/* May what is queued go out? To a listener that has not answered only requests do: what is too big for him is not
 * known yet, and a client does not wait for the answer. */
static inline int weir_peer_may_send(const struct weir_socket *socket, const struct weir_peer *peer) {
    if (peer->is_underway || peer->is_leaving)
        return 0;
    return peer->phase == WEIR_PHASE_READY || socket->role == WEIR_ROLE_CLIENT;
}
/* Watch for what can happen on the connection now. */
void weir_peer_watch(struct weir_socket *socket, struct weir_peer *peer);
/* Say in our record who is connected, and how much waits for him (transport/told.h). */
void weir_peer_tell(struct weir_socket *socket, struct weir_peer *peer);
/* Say where among the messages of a writer the owner, who reads, is. */
void weir_socket_place_tell(struct weir_socket *socket, const struct weir_origin *origin);
void weir_peer_untell(struct weir_socket *socket, struct weir_peer *peer);
void weir_peer_tell_queue(struct weir_socket *socket, const struct weir_peer *peer);
/* Let the socket take a large message at once, as far as capacity= and the system let it. */
void weir_peer_widen(const struct weir_socket *socket, int fd);
/* Close the connection; the place, its queues and its stream stay. */
void weir_peer_disconnect(struct weir_socket *socket, struct weir_peer *peer);
void weir_peer_fini(struct weir_peer *peer);
/* Make a control frame: @op, seq, and id and writer where they are not 0. Return: WEIR_OK, WEIR_ENOMEM. */
struct weir_control {
    const char *op;
    uint64_t seq;
    uint64_t id;
    uint64_t writer;
};
int weir_control_write(const struct weir_control *control, struct weir_chunk **open, size_t *ret_start);
/* Is this frame (of kind WEIR_FRAME_CONTROL) well-formed? Its parts in *ret; op is borrowed. */
int weir_control_read(const struct weir_stream_frame *frame, struct weir_frame *ret);
int weir_control_is(const struct weir_frame *frame, const char *op);

/* ---- wire.c ---- */

/* Fetch what is there: into peer->in, or where plain messages are made from. Return: as weir_stream_read; WEIR_EACCESS
 * when TLS fails. */
int weir_peer_read(struct weir_peer *peer, int flags);
/* Send what is queued until the socket is full, behind @head if there is one. Return: WEIR_OK, WEIR_ECLOSED. */
int weir_peer_flush(struct weir_socket *socket, struct weir_peer *peer, const void *head, size_t head_size);
/* Is something to be sent? */
int weir_peer_has_output(const struct weir_peer *peer);
/* The same, of what could go now. */
int weir_peer_wants_out(const struct weir_socket *socket, const struct weir_peer *peer);
/* Append to what goes first. Return: WEIR_OK, WEIR_ENOMEM. */
int weir_peer_say(struct weir_peer *peer, const void *bytes, size_t size);

/* ---- pump.c ---- */

int weir_pump_open(struct weir_socket *socket, weir_error *err);
/* Stop and join the thread. Without the lock. */
void weir_pump_stop(struct weir_socket *socket);
int weir_pump_start_thread(struct weir_socket *socket, weir_error *err);
/* Let the thread take over at once; starts one if there is none and one is needed. */
void weir_pump_hand_over(struct weir_socket *socket);
/* Wake the thread if it sleeps longer than what there is to do now allows. */
void weir_pump_rouse(struct weir_socket *socket);
/* A timer in the pump's set, for an owner who waits with a descriptor; armed for what is due next. Return: WEIR_OK,
 * WEIR_ESYSTEM. */
int weir_pump_open_timer(struct weir_socket *socket);
void weir_pump_arm(struct weir_socket *socket);
/* Handle what happens until @deadline (0: what has happened), as the owner. Unlocks while it waits. Return: WEIR_OK,
 * WEIR_ESYSTEM. */
int weir_pump_run(struct weir_socket *socket, int64_t deadline, weir_error *err);
/* Watch @fd for @events (0: not at all); *watched is what it is watched for. */
void weir_pump_watch(struct weir_socket *socket, int fd, uint64_t key, uint32_t events, uint32_t *watched);

enum { WEIR_KEY_LISTENER = 1, WEIR_KEY_TIMER = 2, WEIR_KEY_UPSTREAM = 3, WEIR_KEY_PEERS = 16 };

/* ---- stranger.c ---- */

/* The sentences about a listener that does not answer as weir does: with garbage, or not at all. Return: @status. */
int weir_stranger_garbage(const struct weir_socket *socket, int status, weir_error *err);
int weir_stranger_silent(const struct weir_socket *socket, int status, weir_error *err);
/* The same about one whose path is to be taken over. */
int weir_stranger_there(const struct weir_place *place, int status, weir_error *err);

/* ---- meet.c ---- */

/* Try once to connect or to listen. Return: WEIR_OK, WEIR_EAGAIN (tried in vain; seek_at says when again), others: for
 * good. */
int weir_meet_try(struct weir_socket *socket, weir_error *err);
/* Connect to who listens or begin to listen; waits for the listener's answer. */
int weir_meet_open(struct weir_socket *socket, weir_error *err);
void weir_upstream_event(struct weir_socket *socket, uint32_t events);
/* The listener has gone; look for another after @rest ns. */
void weir_upstream_lost(struct weir_socket *socket, int64_t rest);
/* Queue the seek that socket->seek says. Return: WEIR_OK, WEIR_ENOMEM. */
int weir_upstream_ask(struct weir_socket *socket);
/* Read from the listener what is there. Return: as weir_stream_read. */
int weir_upstream_read(struct weir_socket *socket, int flags);
/* A control frame came from the listener. */
void weir_upstream_control(struct weir_socket *socket, const struct weir_stream_frame *frame);
void weir_meet_timers(struct weir_socket *socket, int64_t now);
/* Who listens and does not serve, in @err (nullable), if that is known. */
void weir_meet_tell(const struct weir_socket *socket, weir_error *err);
int64_t weir_meet_next_timer(const struct weir_socket *socket);

/* ---- hub.c ---- */

void weir_hub_accept(struct weir_socket *socket);
void weir_hub_event(struct weir_socket *socket, uint64_t key, uint32_t events);
/* After events: send what was queued, go on with who was paused. */
void weir_hub_settle(struct weir_socket *socket);
/* Go on reading from who was paused, if there is room. */
void weir_hub_resume(struct weir_socket *socket);
void weir_hub_drop(struct weir_socket *socket, struct weir_peer *peer);
/* Whom weir_hub_find finds. */
uint64_t weir_hub_handle(const struct weir_peer *peer);
/* Copy a frame, with the number of who sent it, to the end of *open. Return: WEIR_OK, WEIR_ECORRUPT, WEIR_ENOMEM. */
int weir_hub_copy(struct weir_chunk **open, enum weir_chunk_kind kind, const struct weir_stream_frame *frame,
                  uint64_t writer, size_t *ret_start);
/* Send what is queued for a peer. */
void weir_hub_send(struct weir_socket *socket, struct weir_peer *peer);
/* Whom an inbound.peer number means; NULL when he has gone. */
struct weir_peer *weir_hub_find(const struct weir_socket *socket, uint64_t handle);
void weir_hub_timers(struct weir_socket *socket, int64_t now);
int64_t weir_hub_next_timer(const struct weir_socket *socket);

/* ---- relay.c ---- */

/* Take the messages of the usual form at the front of what @peer sent, as far as they have room everywhere. What is
 * left there, if anything, is to be looked at one by one. */
void weir_relay(struct weir_socket *socket, struct weir_peer *peer);

/* ---- spread.c ---- */

/* Bytes that fit, nothing dropped, into the queue of every reader who holds writers back; @is_for_all: of every
 * reader. */
uint64_t weir_spread_room(struct weir_socket *socket, int is_for_all);
/* May a frame of @size bytes be published without harm to readers who hold writers back? */
/* A reader in whose queue there is no room for @size bytes; NULL: none. */
const struct weir_peer *weir_spread_slow(const struct weir_socket *socket, size_t size);
int weir_spread_has_room(struct weir_socket *socket, size_t size);
/* Give frames [start, stop) of @chunk, all of @from (NULL: the owner), to every other reader. */
void weir_spread(struct weir_socket *socket, const struct weir_peer *from, struct weir_chunk *chunk, size_t start,
                 size_t stop);
/* Queue for a new reader what he should know and what he asked for. Return: WEIR_OK, WEIR_ENOMEM. */
int weir_spread_join(struct weir_socket *socket, struct weir_peer *peer);
/* The same again after a seek, peer->seek. */
int weir_spread_seek(struct weir_socket *socket, struct weir_peer *peer);
/* Tell readers, and the owner, of a writer whose last frame had @seq. */
void weir_spread_introduce(struct weir_socket *socket, uint64_t writer, uint64_t seq, uint32_t uid);
/* Tell everybody how many readers there are. */
void weir_spread_count(struct weir_socket *socket);
/* Tell one writer, when that was put off. */
void weir_spread_owed(struct weir_socket *socket, struct weir_peer *peer);
uint32_t weir_spread_readers(const struct weir_socket *socket);
/* Fill the owner's inbox from the history. */
void weir_spread_refill(struct weir_socket *socket, enum weir_from from, int64_t value);
/* The newest frame. Return: NULL when there is none. */
struct weir_chunk *weir_spread_newest(const struct weir_socket *socket, size_t *ret_start);
/* Put a frame into the history that was sent before we listened. */
void weir_spread_remember(struct weir_socket *socket, struct weir_chunk *chunk, size_t start, size_t stop);

/* Tell a writer that this listener goes, where the kernel does not. */
void weir_spread_leave(struct weir_socket *socket, struct weir_peer *peer);

/* ---- end.c: operations ---- */

int weir_socket_open(void *state, const struct weir_place *place, const struct weir_socket_family *family,
                     enum weir_role role, weir_error *err);
void weir_socket_close(void *state);
int weir_socket_latest(const struct weir_place *place, const struct weir_socket_family *family, struct weir_buffer *out,
                       struct weir_inbound *ret, weir_error *err);

/* ---- send.c, receive.c: operations ---- */

/* ---- kept.c ---- */

enum { WEIR_KEPT_ROOM = 8 << 10 }; /* who is in a burst begins a new chunk rather than with less than this */
/* The owner's frame [start, start + size), not published yet: if he is in a burst, or in a batch as @flags say, keep it
 * and what follows. Return: 1 when it is kept. */
int weir_kept_begin(struct weir_socket *socket, size_t start, size_t size, uint32_t flags);
/* Publish what was kept. */
void weir_kept_publish(struct weir_socket *socket, enum weir_burst_how how);
/* For weir_burst_join: the same, and send. */
void weir_kept_flush(void *object, enum weir_burst_how how);
/* Does what is sent now wait behind something anyway? */
int weir_kept_is_backed_up(const struct weir_socket *socket);

/* ---- send.c, more ---- */

/* Give the owner's frames [start, stop) to @peer, or with 0 to everybody. Return: WEIR_OK, WEIR_ENOMEM. */
int weir_socket_publish(struct weir_socket *socket, uint64_t peer, size_t start, size_t stop);
/* Try to send, unless the socket was full and the pump watches it already. */
void weir_socket_push_new(struct weir_socket *socket);
/* What the sockets have not taken our thread sends. */
void weir_socket_hand_over(struct weir_socket *socket);
uint64_t weir_socket_post(void *state, uint64_t word, const void *data, size_t size, int64_t time, uint32_t flags);
size_t weir_socket_post_many(void *state, uint64_t word, const weir_view *data, size_t count, int64_t time,
                             uint32_t flags, uint64_t *ret_seq);
int weir_socket_reserve(void *state, uint64_t peer, size_t size, struct weir_slot *ret, weir_error *err);
int weir_socket_commit(void *state, uint64_t word, uint32_t flags, weir_error *err);
void weir_socket_discard(void *state);
void weir_socket_skip(void *state);
int weir_socket_flush(void *state, weir_error *err);
void weir_socket_set_timeout(void *state, int64_t timeout_ns);
int weir_socket_readers(void *state, uint32_t *ret);
void weir_socket_in_the_way(void *state, char *text, size_t size);
int weir_socket_peer_state(void *state, weir_error *err);
int weir_socket_has_client(void *state, uint64_t peer);
/* Is there room for what reserve refused last? */
int weir_socket_can_send(struct weir_socket *socket, uint64_t peer, size_t size);
/* Try to send all that is queued. */
void weir_socket_push(struct weir_socket *socket);
/* Is something queued that a thread should send while the owner is away? */
int weir_socket_has_leftover(const struct weir_socket *socket);

int weir_socket_next(void *state, struct weir_inbound *ret, weir_error *err);
size_t weir_socket_follow(void *state, struct weir_following *ret, size_t max);
void weir_socket_release(void *state);
int weir_socket_seek(void *state, enum weir_from from, int64_t value, weir_error *err);
int weir_socket_wait(void *state, uint32_t what, int64_t deadline, weir_error *err);
int weir_socket_fd(void *state, int *ret, weir_error *err);
/* After events: make the owner's descriptor readable if next has something. */
void weir_socket_show(struct weir_socket *socket);
/* A frame of @writer comes for the owner: fill in gap, writer and uid. Return: 1 to deliver it; 0 when it was seen
 * before. */
int weir_socket_admit(struct weir_socket *socket, uint64_t writer, uint64_t seq, struct weir_inbound *ret);

/* For the ops tables: what is the same for every family. */
#define WEIR_SOCKET_END_OPS                                                                                            \
    .traits = WEIR_TRAIT_BOUNDED, .state_size = sizeof(struct weir_socket), .close = weir_socket_close,                \
    .reserve = weir_socket_reserve, .commit = weir_socket_commit, .post = weir_socket_post,                            \
    .post_many = weir_socket_post_many, .follow = weir_socket_follow, .discard = weir_socket_discard,                  \
    .skip = weir_socket_skip, .flush = weir_socket_flush, .readers = weir_socket_readers, .next = weir_socket_next,    \
    .release = weir_socket_release, .seek = weir_socket_seek, .wait = weir_socket_wait, .fd = weir_socket_fd,          \
    .peer_state = weir_socket_peer_state, .in_the_way = weir_socket_in_the_way, .has_client = weir_socket_has_client,  \
    .set_timeout = weir_socket_set_timeout, .list = weir_transport_no_list, .clean = weir_transport_no_clean

#endif
