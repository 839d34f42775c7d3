/* fifo:///path.fifo: the ops table, and the life of an end from open to close. How the files divide the work stands
 * in fifo.h.
 *
 * What must stay true: whatever open has begun, close ends, in whatever state the end is; in a forked child, close
 * gives back memory and nothing else. An end claims the pipe before it reads or writes a byte. */
#include "transport/fifo/fifo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "os/access.h"
#include "os/fork.h"
#include "os/process.h"

enum { RACES_MAX = 100 };

/* ---- close ---- */

static void memory_free(struct weir_fifo *fifo) {
    weir_outlet_fini(&fifo->out);
    for (size_t i = 0; i < fifo->client_count; i++)
        weir_outlet_fini(&fifo->clients[i].out);
    free(fifo->clients);
    weir_chunk_unref(fifo->own);
    weir_inlet_fini(&fifo->in);
}

static void descriptors_close(void *object) {
    struct weir_fifo *fifo = object;
    weir_child_close(&fifo->out.fd);
    weir_child_close(&fifo->out.hold_fd);
    for (size_t i = 0; i < fifo->client_count; i++)
        weir_child_close(&fifo->clients[i].out.fd);
    weir_child_close(&fifo->pump.control_fd);
    weir_child_close(&fifo->in.fd);
    weir_child_close(&fifo->lock_fd);
    weir_child_close(&fifo->poll_fd);
    weir_child_close(&fifo->ready_fd);
}

/* What a full pipe has not taken waits for a reader, if there is one. What is in the pipe stays there for as long as
 * somebody has it open. */
static void linger(struct weir_fifo *fifo) {
    int64_t wait = fifo->place.timeout_ns;
    int64_t deadline = weir_deadline(wait < 0 || wait > WEIR_FIFO_LINGER_MAX ? WEIR_FIFO_LINGER_MAX : wait);
    while (weir_fifo_push(fifo) && weir_deadline_left(deadline) > 0) {
        if (fifo->role == WEIR_ROLE_WRITER && !weir_fifo_is_held(fifo))
            return;
        nanosleep(&(struct timespec){.tv_nsec = WEIR_FIFO_NAP}, NULL);
    }
}

static void fifo_close(void *state) {
    struct weir_fifo *fifo = state;
    if (fifo->fork_generation == weir_fork_generation()) {
        weir_burst_leave(&fifo->burst);
        weir_fifo_pump_stop(fifo);
        linger(fifo);
        weir_child_unlist(&fifo->child);
        if (fifo->role == WEIR_ROLE_CLIENT)
            weir_client_pipe_close(fifo);
        weir_pipe_unclaim(fifo->role == WEIR_ROLE_WRITER ? fifo->out.fd : fifo->lock_fd);
        descriptors_close(fifo);
        if (fifo->role != WEIR_ROLE_CLIENT && !fifo->place.is_kept)
            weir_pipe_remove_last(&fifo->place);
        pthread_mutex_destroy(&fifo->lock);
    }
    memory_free(fifo);
}

/* ---- writers ---- */

/* Who may only write can open a pipe only while somebody reads it, as the shell can. */
static int open_unread(struct weir_fifo *fifo, struct stat *about, weir_error *err) {
    int64_t deadline = weir_deadline(fifo->place.timeout_ns);
    while ((fifo->out.fd = weir_pipe_open(&fifo->place, O_WRONLY, about, err)) < 0) {
        if (errno != ENXIO)
            return errno == EACCES ? WEIR_EACCESS : WEIR_EADDRESS;
        if (weir_deadline_left(deadline) == 0)
            return weir_fail(err, WEIR_ENOENT, "%s: nobody reads there, and this user may only write; start the reader",
                             fifo->place.text);
        nanosleep(&(struct timespec){.tv_nsec = WEIR_FIFO_NAP}, NULL);
    }
    return WEIR_OK;
}

static int failed_open(int sys_errno) {
    return sys_errno == ENOENT ? WEIR_ENOENT : sys_errno == EINVAL ? WEIR_EADDRESS : WEIR_ESYSTEM;
}

/* Open both ends of the pipe: the reading one only so that it stays, and no signal comes when nobody else reads. */
static int writer_ends(struct weir_fifo *fifo, weir_error *err) {
    struct stat about;
    weir_error why = {0};
    fifo->out.hold_fd = weir_pipe_open(&fifo->place, O_RDONLY, &about, &why);
    if (fifo->out.hold_fd < 0 && errno == EACCES && why.sys_errno == EACCES)
        return open_unread(fifo, &about, err);
    if (fifo->out.hold_fd < 0) {
        int status = why.code ? why.code : failed_open(errno);
        if (err)
            *err = why;
        return status;
    }
    fifo->out.fd = weir_pipe_open_again(&fifo->place, fifo->out.hold_fd, O_WRONLY);
    if (fifo->out.fd >= 0)
        return WEIR_OK;
    if (errno == EACCES)
        return weir_access_refused(err, errno, fifo->place.text, fifo->place.name, 2);
    return weir_fail_errno(err, errno, "%s: the pipe cannot be opened", fifo->place.text);
}

static int writer_open(struct weir_fifo *fifo, weir_error *err) {
    int status = writer_ends(fifo, err);
    if (status == WEIR_OK)
        status = weir_pipe_claim(&fifo->place, fifo->out.fd, WEIR_NOTE_WRITER, fifo->session, err);
    if (status != WEIR_OK)
        return status;
    uint64_t server = weir_pipe_note(fifo->out.fd, WEIR_NOTE_SERVER);
    if (server)
        return weir_pipe_busy(&fifo->place, server, err);
    fifo->out.framing = fifo->framing;
    fifo->out.session = fifo->session;
    int sys_errno = weir_outlet_prepare(&fifo->out, fifo->place.capacity);
    return sys_errno ? weir_fail_errno(err, sys_errno, "%s: this system has no pipes of packets; use framing=jsonl",
                                       fifo->place.text)
                     : WEIR_OK;
}

/* ---- readers ---- */

static enum weir_note reader_note(const struct weir_fifo *fifo) {
    if (fifo->role == WEIR_ROLE_SERVER)
        return WEIR_NOTE_SERVER;
    return fifo->place.is_observer ? WEIR_NOTE_OBSERVER : WEIR_NOTE_READER;
}

/* Requests to a server that has gone: their clients have been told so. No more than was there before our note was: what
 * came since is for us. */
static void drain(struct weir_fifo *fifo) {
    struct weir_inlet *in = &fifo->in;
    size_t left = in->before_left;
    while (left > 0 && weir_inlet_read(in) == WEIR_OK) {
        in->begin = left - in->before_left;
        left = in->before_left;
    }
}

static int reader_open(struct weir_fifo *fifo, weir_error *err) {
    struct stat about;
    weir_error why = {0};
    int inside = 0;
    fifo->lock_fd = weir_pipe_open(&fifo->place, O_RDONLY, &about, &why);
    if (fifo->lock_fd < 0) {
        int status = why.code ? why.code : failed_open(errno);
        if (err)
            *err = why;
        return status;
    }
    fifo->uid = about.st_mode & (S_IWGRP | S_IWOTH) ? (uint32_t)WEIR_UID_UNKNOWN : about.st_uid;
    /* A descriptor of its own to read from, which can be replaced without losing the claim. */
    fifo->in.fd = weir_pipe_open_again(&fifo->place, fifo->lock_fd, O_RDONLY);
    if (fifo->in.fd < 0)
        return weir_fail_errno(err, errno, "%s: the pipe cannot be opened", fifo->place.text);
    if (fifo->role == WEIR_ROLE_SERVER) {
        uint64_t writer = weir_pipe_note(fifo->lock_fd, WEIR_NOTE_WRITER);
        if (writer)
            return weir_pipe_busy(&fifo->place, writer, err);
        weir_client_sweep(&fifo->place);
    }
    /* Of these, what came before us is not missed. */
    fifo->in.joined = weir_note_session(weir_pipe_note(fifo->lock_fd, WEIR_NOTE_WRITER));
    if (ioctl(fifo->in.fd, FIONREAD, &inside) == 0)
        fifo->in.before_left = (size_t)inside;
    return weir_pipe_claim(&fifo->place, fifo->lock_fd, reader_note(fifo), fifo->session, err);
}

/* ---- open ---- */

static int open_once(struct weir_fifo *fifo, weir_error *err) {
    if (fifo->role == WEIR_ROLE_CLIENT) {
        weir_client_sweep(&fifo->place);
        return weir_client_pipe_open(fifo, err);
    }
    int status = weir_pipe_make(&fifo->place, err);
    if (status != WEIR_OK)
        return status;
    return fifo->role == WEIR_ROLE_WRITER ? writer_open(fifo, err) : reader_open(fifo, err);
}

/* The pipe may be taken away by its last end between being found and being claimed: then it is made again. */
static int opened(struct weir_fifo *fifo, weir_error *err) {
    for (int race = 0; race < RACES_MAX; race++) {
        int status = open_once(fifo, err);
        int is_gone = status == WEIR_EAGAIN ||
                      (status == WEIR_ENOENT && fifo->place.may_create && fifo->role != WEIR_ROLE_CLIENT &&
                       fifo->out.fd < 0 && fifo->lock_fd < 0 && race < 3);
        if (!is_gone)
            return status;
        descriptors_close(fifo);
    }
    return weir_fail(err, WEIR_EBUSY, "%s: somebody else keeps replacing the pipe", fifo->place.text);
}

static void fifo_init(struct weir_fifo *fifo, const struct weir_place *place, enum weir_role role) {
    *fifo = (struct weir_fifo){.place = *place,
                               .role = role,
                               .fork_generation = weir_fork_generation(),
                               .uid = WEIR_UID_UNKNOWN,
                               .framing = place->framing > 0 ? place->framing : WEIR_FRAMING_FRAMES,
                               .out = {.fd = -1, .hold_fd = -1},
                               .pump = {.control_fd = -1},
                               .lock_fd = -1,
                               .poll_fd = -1,
                               .ready_fd = -1};
    while (fifo->session == 0)
        weir_random(&fifo->session, sizeof(fifo->session));
    fifo->out.session = fifo->session;
    fifo->in.fd = -1;
    fifo->in.framing = place->framing;
    fifo->in.size_max = place->size_max;
    fifo->in.source_max = role == WEIR_ROLE_SERVER ? WEIR_SOURCES_MAX : 1;
    fifo->in.counts_gaps = role == WEIR_ROLE_READER;
    pthread_mutex_init(&fifo->lock, NULL);
    weir_spin_init(&fifo->spin);
}

static int fifo_open(void *state, const struct weir_place *place, enum weir_role role, weir_error *err) {
    struct weir_fifo *fifo = state;
    fifo_init(fifo, place, role);
    fifo->child = (struct weir_child){.lock = &fifo->lock, .let_go = descriptors_close, .object = fifo};
    weir_child_list(&fifo->child);
    fifo->burst.may_keep = role == WEIR_ROLE_WRITER && place->may_keep;
    if (role == WEIR_ROLE_WRITER)
        weir_burst_join(&fifo->burst, weir_fifo_kept_flush, fifo);
    int status = opened(fifo, err);
    if (status == WEIR_OK && role == WEIR_ROLE_SERVER)
        drain(fifo);
    if (status == WEIR_OK && role == WEIR_ROLE_READER && (place->is_from_given || place->from != WEIR_FROM_NOW))
        status = weir_fifo_seek(fifo, place->from, place->from_value, err);
    if (status == WEIR_EAGAIN) /* from=last, and nothing there: the next is the newest */
        status = WEIR_OK;
    if (status != WEIR_OK) {
        fifo->place.is_kept = 1;
        fifo_close(fifo);
    }
    return status;
}

static void fifo_set_timeout(void *state, int64_t timeout_ns) {
    struct weir_fifo *fifo = state;
    pthread_mutex_lock(&fifo->lock);
    fifo->place.timeout_ns = timeout_ns;
    pthread_mutex_unlock(&fifo->lock);
}

const struct weir_transport_ops weir_transport_fifo = {
    .scheme = "fifo",
    .options = WEIR_OPTION_BURST | WEIR_OPTION_FRAMING,
    .traits = WEIR_TRAIT_BOUNDED | WEIR_TRAIT_ONE_WRITER | WEIR_TRAIT_ONE_READER | WEIR_TRAIT_FLEETING,
    .state_size = sizeof(struct weir_fifo),
    .check = weir_pipe_check,
    .open = fifo_open,
    .close = fifo_close,
    .reserve = weir_fifo_reserve,
    .commit = weir_fifo_commit,
    .post = weir_fifo_post,
    .set_timeout = fifo_set_timeout,
    .post_many = weir_fifo_post_many,
    .discard = weir_fifo_discard,
    .skip = weir_fifo_skip,
    .flush = weir_fifo_flush,
    .in_the_way = weir_fifo_in_the_way,
    .readers = weir_fifo_readers,
    .next = weir_fifo_next,
    .follow = weir_fifo_follow,
    .release = weir_fifo_release,
    .seek = weir_fifo_seek,
    .wait = weir_fifo_wait,
    .fd = weir_fifo_fd,
    .peer_state = weir_fifo_peer_state,
    .has_client = weir_fifo_has_client,
    .latest = weir_fifo_latest,
    .info = weir_fifo_info,
    .list = weir_transport_no_list,
    .clean = weir_transport_no_clean,
    .remove = weir_transport_no_remove,
};
