/* The life of an end on a socket from open to close. How the files divide the work stands in socket.h.
 *
 * What must stay true: whatever open has begun, close ends, in whatever mode the end is; in a forked child, close gives
 * back memory and nothing else. A listener that closes loses nothing: it first gives up the place, so that others can
 * take over; then it stops its writers, takes what they have sent so far, hands it on, and closes the connections
 * last. */
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "os/fork.h"
#include "os/process.h"
#include "transport/socket/child.h"
#include "transport/socket/inet.h"
#include "transport/socket/plain.h"
#include "transport/socket/socket.h"

enum { SETTLE_NAP_NS = 1000 * 1000 };

/* ---- close ---- */

static void descriptor_close(int fd) {
    if (fd >= 0)
        close(fd);
}

static void memory_free(struct weir_socket *socket) {
    weir_peer_fini(&socket->upstream);
    for (size_t i = 0; i < socket->peer_count; i++) {
        weir_peer_fini(socket->peers[i]);
        free(socket->peers[i]);
    }
    free(socket->peers);
    weir_queue_fini(&socket->history);
    weir_queue_fini(&socket->inbox);
    weir_chunk_unref(socket->relayed);
    weir_chunk_unref(socket->relayed_droppable);
    weir_chunk_unref(socket->controls);
    weir_chunk_unref(socket->own);
    weir_chunk_unref(socket->taken);
    weir_origins_fini(&socket->passed);
    weir_origins_fini(&socket->seen);
    weir_buffer_fini(&socket->aligned);
    socket->tls = weir_tls_teardown(socket->tls);
}

static int64_t linger_deadline(const struct weir_socket *socket) {
    int64_t wait = socket->place.timeout_ns;
    return weir_deadline(wait < 0 || wait > WEIR_LINGER_WAIT_MAX ? WEIR_LINGER_WAIT_MAX : wait);
}

static int run_until(struct weir_socket *socket, int64_t deadline) {
    return weir_deadline_left(deadline) > 0 && weir_pump_run(socket, deadline, NULL) == WEIR_OK;
}

/* Elsewhere a shut socket stops nobody: who speaks frames is told, and shuts his side; of others what has come so far
 * is taken. */
static void writer_stop(struct weir_socket *socket, struct weir_peer *peer) {
    if (socket->family->is_one_machine || peer->plain)
        shutdown(peer->fd, SHUT_RD);
    else
        weir_spread_leave(socket, peer);
    peer->deadline = socket->family->is_one_machine ? INT64_MAX : weir_clock_monotonic() + WEIR_LEAVE_WAIT;
}

/* Give up the path and stop the writers: what they send from now on they keep for who listens next. */
static void retire(struct weir_socket *socket) {
    uint32_t watched = 1;
    socket->is_closing = 1;
    if (socket->is_accepting)
        weir_pump_watch(socket, socket->claim.listen_fd, WEIR_KEY_LISTENER, 0, &watched);
    socket->is_accepting = 0;
    socket->family->unclaim(&socket->place, &socket->claim);
    for (size_t i = 0; i < socket->peer_count; i++) {
        struct weir_peer *peer = socket->peers[i];
        if (peer->phase == WEIR_PHASE_HELLO)
            weir_hub_drop(socket, peer);
        else if (peer->phase == WEIR_PHASE_READY && peer->hello.role == WEIR_ROLE_WRITER)
            writer_stop(socket, peer);
    }
    socket->is_dirty = 1;
    weir_hub_settle(socket);
}

/* Is a connection still needed? A writer until all he has sent is taken, others until they have what is queued for
 * them. */
static int has_work(const struct weir_socket *socket) {
    for (size_t i = 0; i < socket->peer_count; i++) {
        const struct weir_peer *peer = socket->peers[i];
        if (peer->phase != WEIR_PHASE_READY)
            continue;
        if ((peer->hello.role == WEIR_ROLE_WRITER && weir_deadline_left(peer->deadline) > 0) ||
            (weir_peer_has_output(peer) && !(peer->hello.flags & WEIR_HELLO_OBSERVES)))
            return 1;
    }
    return 0;
}

/* Has the other machine's kernel not got all yet? */
static int is_on_its_way(const struct weir_socket *socket, const struct weir_peer *peer) {
    int left = 0;
    if (socket->family->is_one_machine || peer->fd < 0 || (peer->hello.flags & WEIR_HELLO_OBSERVES))
        return 0;
    return ioctl(peer->fd, SIOCOUTQ, &left) == 0 && left > 0;
}

/* What the kernel still holds when a socket is closed is lost if the other end says another word. No event tells when
 * it has left. */
static void settle(struct weir_socket *socket, int64_t deadline) {
    int is_waiting = 1;
    while (is_waiting && weir_deadline_left(deadline) > 0) {
        is_waiting = socket->mode == WEIR_MODE_CONNECTED && is_on_its_way(socket, &socket->upstream);
        for (size_t i = 0; i < socket->peer_count; i++)
            is_waiting |= is_on_its_way(socket, socket->peers[i]);
        if (is_waiting) {
            nanosleep(&(struct timespec){.tv_nsec = SETTLE_NAP_NS}, NULL);
            (void)weir_pump_run(socket, 0, NULL);
        }
    }
}

static void linger(struct weir_socket *socket) {
    int64_t deadline = linger_deadline(socket);
    /* What is queued for a listener; when that one has gone, the next is waited for, or we are it. */
    while (socket->role == WEIR_ROLE_WRITER && socket->mode != WEIR_MODE_LISTENING &&
           weir_peer_has_output(&socket->upstream) && (socket->mode == WEIR_MODE_CONNECTED || socket->is_resuming) &&
           run_until(socket, deadline))
        continue;
    if (socket->mode != WEIR_MODE_LISTENING) {
        socket->is_closing = 1; /* our thread must not begin to listen now: nobody would take that back */
        if (socket->role == WEIR_ROLE_WRITER)
            settle(socket, deadline);
        return;
    }
    while (socket->grace_until && socket->history.count > 0 && run_until(socket, deadline))
        continue;
    retire(socket);
    while (has_work(socket) && weir_deadline_left(deadline) > 0) {
        int64_t step = socket->family->is_one_machine ? deadline : weir_deadline(WEIR_LEAVE_WAIT / 10);
        if (!run_until(socket, step < deadline ? step : deadline))
            break;
    }
    settle(socket, deadline);
}

void weir_socket_close(void *state) {
    struct weir_socket *socket = state;
    if (socket->fork_generation == weir_fork_generation()) {
        weir_burst_leave(&socket->burst);
        weir_child_unlist(&socket->child);
        pthread_mutex_lock(&socket->lock);
        linger(socket);
        pthread_mutex_unlock(&socket->lock);
        weir_pump_stop(socket);
        weir_peer_disconnect(socket, &socket->upstream);
        for (size_t i = 0; i < socket->peer_count; i++)
            weir_peer_disconnect(socket, socket->peers[i]);
        descriptor_close(socket->pump.epoll_fd);
        descriptor_close(socket->pump.control_fd);
        descriptor_close(socket->pump.timer_fd);
        descriptor_close(socket->poll_fd);
        descriptor_close(socket->ready_fd);
        pthread_mutex_destroy(&socket->lock);
    }
    memory_free(socket);
}

/* ---- open ---- */

/* Where the address leads, and with what keys. */
static int place_prepare(struct weir_socket *socket, weir_error *err) {
    const struct weir_place *place = &socket->place;
    char host[WEIR_HOST_MAX] = "";
    uint16_t port;
    int status = socket->family->resolve(place, &socket->endpoints, err);
    if (status == WEIR_OK && weir_tls_is_wanted(place))
        status = weir_inet_split(place, host, &port, err);
    if (status == WEIR_OK)
        status = weir_tls_setup(place, host, &socket->tls, err);
    if (status != WEIR_OK || !socket->tls || weir_tls_can_listen(socket->tls))
        return status;
    if (socket->place.must_listen)
        return weir_fail(err, WEIR_EADDRESS,
                         "%s: who listens needs a certificate; add cert= and key=, or psk=", place->text);
    socket->place.must_connect = 1;
    return WEIR_OK;
}

int weir_socket_open(void *state, const struct weir_place *place, const struct weir_socket_family *family,
                     enum weir_role role, weir_error *err) {
    struct weir_socket *socket = state;
    *socket = (struct weir_socket){.family = family,
                                   .place = *place,
                                   .role = role,
                                   .fork_generation = weir_fork_generation(),
                                   .upstream = {.fd = -1, .quiet_at = INT64_MAX, .in = {.size_max = place->size_max}},
                                   .claim = {.listen_fd = -1, .lease_fd = -1},
                                   .poll_fd = -1,
                                   .ready_fd = -1,
                                   .pump = {.epoll_fd = -1, .control_fd = -1, .timer_fd = -1, .armed = INT64_MAX}};
    socket->place.must_listen |= role == WEIR_ROLE_SERVER;
    while (socket->writer == 0)
        weir_random(&socket->writer, sizeof(socket->writer));
    pthread_mutex_init(&socket->lock, NULL);
    weir_spin_init(&socket->spin);
    int status = weir_pump_open(socket, err);
    weir_socket_list(socket);
    socket->burst.may_keep = role != WEIR_ROLE_READER && place->may_keep;
    if (role != WEIR_ROLE_READER)
        weir_burst_join(&socket->burst, weir_kept_flush, socket);
    if (status == WEIR_OK)
        status = place_prepare(socket, err);
    if (status == WEIR_OK) {
        pthread_mutex_lock(&socket->lock);
        status = weir_meet_open(socket, err);
        pthread_mutex_unlock(&socket->lock);
    }
    if (status != WEIR_OK)
        weir_socket_close(socket);
    return status;
}

/* ---- the latest value ---- */

static int newest_take(struct weir_socket *socket, struct weir_buffer *out, struct weir_inbound *ret, weir_error *err) {
    int64_t deadline = weir_deadline(WEIR_HELLO_WAIT);
    struct weir_inbound inbound;
    int status;
    if (!(socket->upstream.hello.flags & WEIR_HELLO_HAS_LAST))
        return weir_fail(err, WEIR_ENOENT, "%s: there is no message yet", socket->place.text);
    while ((status = weir_socket_next(socket, &inbound, err)) == WEIR_EAGAIN) {
        if (socket->mode != WEIR_MODE_CONNECTED)
            return weir_fail(err, WEIR_ENOENT, "%s: who listened has just gone", socket->place.text);
        status = weir_socket_wait(socket, WEIR_READY_TO_READ, deadline, err);
        if (status != WEIR_OK)
            return status;
    }
    if (status != WEIR_OK)
        return status;
    unsigned char *room = weir_buffer_room(out, inbound.size);
    if (!room)
        return weir_fail(err, WEIR_ENOMEM, "%s: no memory for a message of %zu bytes", socket->place.text,
                         inbound.size);
    memcpy(room, inbound.bytes, inbound.size);
    out->size += inbound.size;
    *ret = inbound;
    ret->bytes = room;
    return WEIR_OK;
}

int weir_socket_latest(const struct weir_place *place, const struct weir_socket_family *family, struct weir_buffer *out,
                       struct weir_inbound *ret, weir_error *err) {
    struct weir_place observer = *place;
    observer.from = WEIR_FROM_LAST;
    observer.is_observer = observer.must_connect = 1;
    observer.must_listen = observer.may_create = 0;
    struct weir_socket *socket = aligned_alloc(64, (sizeof(*socket) + 63) & ~(size_t)63);
    if (!socket)
        return weir_fail(err, WEIR_ENOMEM, "%s: out of memory", place->text);
    int status = weir_socket_open(socket, &observer, family, WEIR_ROLE_READER, err);
    if (status == WEIR_OK) {
        status = newest_take(socket, out, ret, err);
        weir_socket_close(socket);
    } else if (status == WEIR_ENOENT) {
        weir_fail(err, WEIR_ENOENT, "%s: nobody is there; a socket keeps no message without its ends", place->text);
    }
    free(socket);
    return status;
}
