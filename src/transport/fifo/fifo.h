/* An end on a named pipe: what it holds, and how its files divide the work.
 *
 *   pipe.c      the FIFO: made, opened, claimed; who is there
 *   packet.c    the header of a packet
 *   outlet.c    frames into a pipe
 *   inlet.c     frames out of a pipe
 *   pump.c      a thread that goes on writing what a full pipe has not taken
 *   send.c, receive.c   the operations; kept.c, what a writer in a burst keeps back (transport/burst.h)
 *   client.c    a client's connection to its server, and a server's to its clients
 *   look.c      the latest value and info, from outside
 *   fifo.c      the ops table, open and close
 *
 * A writer has the outlet, a reader the inlet. A server reads requests from PATH and writes replies to its clients'
 * pipes; a client writes to PATH and reads from a pipe of its own, PATH.SESSION, whose name the server knows from the
 * session in the packets.
 *
 * Outlets are under `lock`, as the pump's thread writes too. The inlet is the owner's alone. */
#ifndef WEIR_FIFO_FIFO_H
#define WEIR_FIFO_FIFO_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "os/child.h"
#include "transport/burst.h"
#include "transport/fifo/inlet.h"
#include "transport/fifo/outlet.h"
#include "transport/fifo/pipe.h"
#include "transport/spin.h"
#include "transport/transport.h"

enum {
    WEIR_FIFO_CLIENTS_MAX = 256,     /* whose pipes a server holds open */
    WEIR_FIFO_PACKED_MAX = 4096,     /* frames up to this size lie side by side */
    WEIR_FIFO_BATCH_SIZE = 64 << 10, /* WEIR_COMMIT_MORE is obeyed up to so many bytes */
    WEIR_FIFO_OWN_NAME = WEIR_PLACE_TEXT_MAX + 16
};
#define WEIR_FIFO_SLICE      INT64_C(50000000)    /* how often a waiting writer looks whether somebody reads */
#define WEIR_FIFO_NAP        INT64_C(2000000)     /* between looks for somebody to write to */
#define WEIR_FIFO_LINGER_MAX INT64_C(10000000000) /* close waits no longer for a reader to take what is queued */

/* A client, as its server sees it. */
struct weir_fifo_client {
    uint64_t used;
    struct weir_outlet out; /* session 0: free */
};

struct weir_fifo_pump {
    pthread_t thread;
    int control_fd; /* wakes the thread */
    uint8_t has_thread;
    uint8_t is_stopping;
    uint8_t is_resting;   /* it sleeps until it is woken */
    uint8_t owner_waits;  /* the owner writes by himself when there is room */
    uint64_t owner_turns; /* how often the owner has written */
};

struct weir_fifo {
    pthread_mutex_t lock;
    struct weir_place place;
    enum weir_role role;
    uint64_t fork_generation;
    struct weir_child child;
    uint32_t session; /* ours: a random number */
    uint32_t uid;     /* who alone may write the pipe; WEIR_UID_UNKNOWN when others may too */
    int framing;

    /* Sending. */
    struct weir_outlet out;
    struct weir_fifo_client *clients;
    size_t client_count;
    uint64_t clock;
    struct weir_fifo_pump pump;
    struct weir_chunk *own; /* where the owner writes */
    size_t own_start;
    size_t own_size; /* 0: nothing is reserved */
    uint32_t own_peer;
    uint64_t own_seq;        /* of the frame queued last */
    struct weir_burst burst; /* what lies in `own` behind its size is kept back */
    size_t refused_size;
    uint32_t refused_peer;

    /* Reading. */
    struct weir_inlet in;
    int lock_fd;              /* of the pipe that is read: holds the claim and the note */
    uint64_t skip_below;      /* frames before this seq are passed over once */
    int64_t skip_before;      /* frames before this moment are */
    struct weir_inbound last; /* the newest frame delivered, if there was one; in.last_bytes says where it lies */
    uint8_t is_last_next;     /* next gives `last` again */
    struct weir_spin spin;
    int poll_fd; /* -1 until fd is asked for */
    int ready_fd;
    uint8_t is_ready_shown;

    /* A client. */
    uint64_t server_note;              /* which server we are connected to; 0: none */
    uint8_t has_asked;                 /* that server */
    uint8_t lost_request;              /* a server has gone that it had asked */
    char own_name[WEIR_FIFO_OWN_NAME]; /* of our own pipe */
};

/* ---- pump.c ---- */

/* Something is left: the thread goes on with it when the owner does not come back. */
void weir_fifo_pump_need(struct weir_fifo *fifo);
void weir_fifo_pump_stop(struct weir_fifo *fifo);

/* ---- kept.c ---- */

enum { WEIR_FIFO_KEPT_ROOM = 8 << 10 }; /* who is in a burst begins a new chunk rather than with less than this */
/* The owner's frame [start, start + size), not queued yet: if he is in a burst, or in a batch as @flags say, keep it
 * and what follows. Return: 1 when it is kept. */
int weir_fifo_kept_begin(struct weir_fifo *fifo, size_t start, size_t size, uint32_t flags);
/* Queue what was kept. */
void weir_fifo_kept_queue(struct weir_fifo *fifo, enum weir_burst_how how);
/* There is no room for one more beside what was kept: queue and write it. */
void weir_fifo_kept_used_up(struct weir_fifo *fifo);
/* For weir_burst_join: queue, and write. */
void weir_fifo_kept_flush(void *object, enum weir_burst_how how);

/* ---- send.c ---- */

uint64_t weir_fifo_post(void *state, uint64_t word, const void *data, size_t size, int64_t time, uint32_t flags);
size_t weir_fifo_post_many(void *state, uint64_t word, const weir_view *data, size_t count, int64_t time,
                           uint32_t flags, uint64_t *ret_seq);

int weir_fifo_reserve(void *state, uint64_t peer, size_t size, struct weir_slot *ret, weir_error *err);
int weir_fifo_commit(void *state, uint64_t word, uint32_t flags, weir_error *err);
void weir_fifo_discard(void *state);
void weir_fifo_skip(void *state);
int weir_fifo_flush(void *state, weir_error *err);
int weir_fifo_readers(void *state, uint32_t *ret);
/* Wait for room for what reserve refused. */
int weir_fifo_wait_to_write(struct weir_fifo *fifo, int64_t deadline, weir_error *err);
/* Give who reads a pipe that was full, with @full bytes inside, a moment to go on. */
void weir_fifo_let_drain(int fd, int full);
/* Write all that is queued, as far as the pipes take it. Return: 1 when something is left that somebody may still
 * take. */
int weir_fifo_push(struct weir_fifo *fifo);
/* Does anybody read who is not an observer? */
int weir_fifo_is_held(struct weir_fifo *fifo);

/* ---- client.c ---- */

/* A client's own pipe is made. */
int weir_client_pipe_open(struct weir_fifo *fifo, weir_error *err);
void weir_client_pipe_close(struct weir_fifo *fifo);
void weir_fifo_in_the_way(void *state, char *text, size_t size);
int weir_fifo_peer_state(void *state, weir_error *err);
int weir_fifo_has_client(void *state, uint64_t peer);
/* A server's way to the client of a session. Return: NULL when he has gone. */
struct weir_outlet *weir_client_outlet(struct weir_fifo *fifo, uint32_t session);
/* He has gone: forget him, and remove what he left. */
void weir_client_forget(struct weir_fifo *fifo, struct weir_outlet *outlet);
/* Remove the pipes of clients that died. */
void weir_client_sweep(const struct weir_place *place);

/* ---- receive.c ---- */

int weir_fifo_next(void *state, struct weir_inbound *ret, weir_error *err);
size_t weir_fifo_follow(void *state, struct weir_following *ret, size_t max);
void weir_fifo_release(void *state);
int weir_fifo_seek(void *state, enum weir_from from, int64_t value, weir_error *err);
int weir_fifo_wait(void *state, uint32_t what, int64_t deadline, weir_error *err);
int weir_fifo_fd(void *state, int *ret, weir_error *err);

/* ---- look.c ---- */

int weir_fifo_latest(const struct weir_place *place, struct weir_buffer *out, struct weir_inbound *ret,
                     weir_error *err);
int weir_fifo_info(const struct weir_place *place, weir_doc *doc, weir_error *err);

#endif
