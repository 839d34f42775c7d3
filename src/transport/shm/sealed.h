/* The sealed backing: for a channel whose owner and readers do not trust each other. docs/spec/sealed.md is the
 * standard.
 *
 *   sealed.c        its parts, leases and ops; latest and info
 *   sealed_door.c   the writer's thread: lets readers in, notices when they go
 *   sealed_join.c   the reader's thread: joins writers as they come, notices when they go
 *
 * Each writer is a world of its own: a ring in sealed memory that only it can write, and a socket "sock.N" in the
 * channel's directory through which it hands the ring and a page of its own to each reader. What the ring calls the
 * channel's page and cursors is private memory of each end; the slot of a reader is a page that only it and this writer
 * have.
 *
 *     writer    page (private)   cursors: head (private) | slot 0 | slot 1 | ...   a page shared with each reader
 *     reader    page (private)   cursors: head (private) | slot 0 | slot 1 | ...   a page shared with each writer
 *
 * A reader's lane has the number of the slot whose page it shares with that lane's writer.
 *
 * What must stay true: the places of slots are mapped at every moment, with zeros while nobody is there, so that
 * whoever looks at one without a lock finds memory. Only the thread makes and ends connections; the owner of the end
 * sends on them under the lock. */
#ifndef WEIR_SHM_SEALED_H
#define WEIR_SHM_SEALED_H

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#include "transport/shm/files.h"

enum {
    WEIR_SEALED_VERSION = 1,
    WEIR_SEALED_SEGMENTS = 40, /* a lane grows to twice its size at least, so there are never so many */
    WEIR_SEALED_PENDING = 32,  /* connections that have not said hello; the oldest goes when another comes */
    WEIR_SEALED_PER_USER = 16, /* readers of one user, besides the owner's own */
    WEIR_SEALED_PAGE = 4096,
    WEIR_SEALED_CURSORS_SIZE = WEIR_SHM_PAGE + WEIR_SHM_SLOTS * WEIR_SEALED_PAGE,
};

static const char WEIR_SEALED_MAGIC[8] = {'w', 'e', 'i', 'r', 's', 'e', 'a', 'l'};
static const char WEIR_SEALED_MARK[] = "sealed"; /* the file that says that a directory is such a channel */

/* ---- what is said on the socket: packets of this size, little-endian ---- */

enum weir_sealed_kind {
    WEIR_SEALED_HELLO = 1, /* reader: value = flags */
    WEIR_SEALED_ANSWER =
        2, /* writer: value = 0, with the reader's page and count = segments that follow; or enum weir_err, with text */
    WEIR_SEALED_SEGMENT = 3, /* writer: value = generation, with its memory */
    WEIR_SEALED_WAKE = 4     /* writer: there is something to read */
};
enum weir_sealed_flags { WEIR_SEALED_HOLDS = 1 };

struct weir_sealed_packet {
    char magic[8];
    uint32_t version;
    uint32_t kind;
    uint32_t value;
    uint32_t count;
    char text[104];
};
static_assert(sizeof(struct weir_sealed_packet) == 128, "packet");

/* ---- an end ---- */

struct weir_sealed_segment {
    int fd; /* -1: none */
    uint32_t generation;
    uint64_t size;
    int is_shown; /* writer: sealed, and every reader has it or gets it when it joins; before, none does */
};

/* A writer's connection to a reader. */
struct weir_sealed_guest {
    int fd;
    uint32_t uid;
    int64_t deadline; /* of the hello */
};

enum weir_sealed_state {
    WEIR_LANE_FREE = 0,
    WEIR_LANE_ASKED = 1,   /* connected, not answered in full */
    WEIR_LANE_JOINED = 2,  /* its page is mapped */
    WEIR_LANE_OVER = 3,    /* its writer has gone; what it left is still to be read */
    WEIR_LANE_REFUSED = 4, /* no use asking this one again */
};

/* A socket in the file system. Some file systems give an inode away again at once, hence when it was made. */
struct weir_sealed_socket {
    uint64_t inode;
    int64_t born; /* 0: this file system does not know */
};

/* A reader's connection to a writer. States change as they are listed; FREE to REFUSED are the thread's, OVER to FREE
 * is the owner's. */
struct weir_sealed_lane {
    _Atomic(int) state;
    int fd;
    int page_fd;                      /* until it is mapped */
    unsigned number;                  /* sock.N, */
    struct weir_sealed_socket socket; /* this one of that name */
    uint32_t wanted;                  /* segments that are still to come */
    int is_answered;
    int is_delayed;        /* its writer has no memory for us now */
    _Atomic(int) is_final; /* it was we who ended it: who came again would read the same once more */
    struct weir_sealed_segment segments[WEIR_SEALED_SEGMENTS];
};

struct weir_sealed {
    struct weir_place place;
    uint32_t uid;  /* of the channel's owner */
    int directory; /* of the channel: the files backing's */
    struct weir_channel_page *page;
    struct weir_cursors_head *cursors;
    pthread_mutex_t lock; /* writer: segments, guests */
    pthread_t thread;
    _Atomic(int) is_stopping;
    int has_thread;
    int control_fd; /* wakes the thread */
    /* writer */
    int number; /* -1: no lane is ours */
    int listen_fd;
    struct weir_sealed_segment segments[WEIR_SEALED_SEGMENTS];
    struct weir_sealed_guest guests[WEIR_SHM_SLOTS]; /* of each slot */
    struct weir_sealed_guest pending[WEIR_SEALED_PENDING];
    _Atomic(uint32_t) answered[WEIR_SHM_SLOTS]; /* arming that we have answered */
    unsigned slowest;                           /* owner: whose space word it sleeps on */
    /* reader */
    int epoll_fd, event_fd, inotify_fd;
    int is_placed; /* said before the thread is started */
    int refused_status;
    char refused_text[sizeof(((struct weir_sealed_packet *)0)->text)];
    struct weir_sealed_lane lanes[WEIR_SHM_LANES];
};

/* The state of the backing: that of the files it stands on, and ours. */
struct weir_sealed_backing {
    struct weir_files files;
    struct weir_sealed *sealed;
};
static_assert(sizeof(struct weir_sealed_backing) <= WEIR_BACKING_STATE_SIZE, "it fits");

static inline struct weir_sealed *weir_sealed_of(const struct weir_backing *backing) {
    return ((struct weir_sealed_backing *)(uintptr_t)backing->state)->sealed;
}

static inline struct weir_reader_slot *weir_sealed_slot(const struct weir_sealed *sealed, unsigned index) {
    return (struct weir_reader_slot *)((unsigned char *)sealed->cursors + WEIR_SHM_PAGE + index * WEIR_SEALED_PAGE);
}

static inline void weir_descriptor_close(int *fd) {
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* End a connection, for a forked child that has it as well, too: to close ours alone would not be seen. */
static inline void weir_connection_end(int *fd) {
    if (*fd >= 0)
        shutdown(*fd, SHUT_RDWR);
    weir_descriptor_close(fd);
}

/* ---- sealed.c ---- */

extern const struct weir_backing_ops weir_backing_sealed;

/* Can what the address says be had of a sealed channel? */
int weir_sealed_check(const struct weir_place *place, weir_error *err);
/* Is there a sealed channel of that name? */
int weir_sealed_is_there(const struct weir_place *place);
int weir_sealed_open(void *state, const struct weir_place *place, enum weir_role role, weir_error *err);
int weir_sealed_latest(const struct weir_place *place, struct weir_buffer *out, struct weir_inbound *ret,
                       weir_error *err);
int weir_sealed_info(const struct weir_place *place, weir_doc *doc, weir_error *err);

/* A packet of @kind. */
struct weir_sealed_packet weir_sealed_packet(enum weir_sealed_kind kind, uint32_t value);
/* Map @fd at the place of a slot; -1: zeros that nobody else has. Return: 0, or -1 with errno. */
int weir_sealed_slot_map(const struct weir_sealed *sealed, unsigned index, int fd);
/* The segment of @generation; NULL. */
struct weir_sealed_segment *weir_sealed_segment_find(struct weir_sealed_segment *segments, uint32_t generation);
/* A thread that takes no signals and runs until it is stopped. Return: 0, or an error number. */
int weir_sealed_thread_start(struct weir_sealed *sealed, void *(*run)(void *));
void weir_sealed_thread_stop(struct weir_sealed *sealed);
/* As poll, but of those places that are not empty (fd -1), as poll takes no more than the process may have descriptors
 * (RLIMIT_NOFILE). @timeout_ns: INT64_MAX for no end. A poll that fails takes a moment, so that nobody spins on it. */
enum { WEIR_SEALED_POLLS_MAX = 2 + WEIR_SEALED_PENDING + WEIR_SHM_SLOTS };
int weir_sealed_poll(struct pollfd *polls, size_t count, int64_t timeout_ns);
/* "/proc/self/fd/D/sock.N", with @suffix. */
enum { WEIR_SEALED_PATH_SIZE = 64 };
void weir_sealed_path(const struct weir_sealed *sealed, unsigned number, const char *suffix,
                      char path[WEIR_SEALED_PATH_SIZE]);

/* ---- sealed_door.c ---- */

/* Let readers in from now on; the first segment is there. Return: 0, or -1 with errno. */
int weir_door_open(struct weir_sealed *sealed);
/* Let none in any more, and tell those who are in that we have gone. */
void weir_door_close(struct weir_sealed *sealed);
/* Hand a new segment to all readers. */
void weir_door_announce(struct weir_sealed *sealed, const struct weir_sealed_segment *segment);
void weir_door_wake(const struct weir_backing *backing);
uint32_t weir_door_space_begin(const struct weir_backing *backing);
void weir_door_space_sleep(const struct weir_backing *backing, uint32_t word, int64_t left_ns);

/* ---- sealed_join.c ---- */

/* Join all writers that are there; waits for those that do not answer at once, as long as timeout= says. */
int weir_join_begin(struct weir_sealed *sealed, weir_error *err);
/* The slots have their places: map the pages of the writers that we have joined. Return: 0, or -1 with errno. */
int weir_join_map(struct weir_sealed *sealed);
void weir_join_end(struct weir_sealed *sealed);
/* Take what has come on the connection of a lane. */
void weir_join_receive(struct weir_sealed *sealed, struct weir_sealed_lane *lane);
void weir_join_arm(const struct weir_backing *backing);
void weir_join_sleep(const struct weir_backing *backing, int64_t left_ns);
int weir_join_drain(const struct weir_backing *backing);
int weir_join_fd(const struct weir_backing *backing);
/* Also begins to join those that come later. */
int weir_join_place(const struct weir_backing *backing, weir_error *err);
void weir_join_space_tell(const struct weir_backing *backing);
int weir_join_is_over(const struct weir_backing *backing, unsigned lane);
void weir_join_lane_free(const struct weir_backing *backing, unsigned lane);

#endif
