/* One connection: the pump watches for what can happen next.
 *
 * What must stay true: a connection that is paused or has ended is not watched for reading (a hang-up cannot be masked,
 * and would wake the pump for ever). A connection is shut down before it is closed,
 * because a forked child may hold it too. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport/socket/plain.h"
#include "transport/socket/socket.h"
#include "transport/told.h"

enum { SEND_BUFFER_MAX = 1 << 20 };

static uint64_t key_of(const struct weir_socket *socket, const struct weir_peer *peer) {
    uint64_t place = peer == &socket->upstream ? (uint64_t)WEIR_KEY_UPSTREAM : (uint64_t)WEIR_KEY_PEERS + peer->index;
    return (uint64_t)peer->generation << 32 | place;
}

/* ---- what is told of it ---- */

static struct weir_told_peer *told_place(const struct weir_socket *socket, const struct weir_peer *peer) {
    struct weir_told *told = socket->place.told;
    return told && peer != &socket->upstream && peer->index < WEIR_TOLD_PEERS ? &told->peers[peer->index] : NULL;
}

void weir_peer_tell(struct weir_socket *socket, struct weir_peer *peer) {
    struct weir_told_peer *place = told_place(socket, peer);
    int is_known = peer->credentials.uid != (uint32_t)WEIR_UID_UNKNOWN;
    peer->is_told = 1;
    if (place) {
        WEIR_TELL(place->pid, is_known ? (uint32_t)peer->credentials.pid : peer->hello.pid);
        WEIR_TELL(place->uid, peer->credentials.uid);
        place->flags = (uint8_t)((peer->hello.flags & WEIR_HELLO_OBSERVES ? WEIR_TOLD_OBSERVES : 0) |
                                 (peer->plain ? WEIR_TOLD_PLAIN : 0));
        place->full = peer->hello.full;
        memcpy(place->program, peer->hello.program, sizeof(place->program) - 1);
        WEIR_TELL(place->role, peer->hello.role);
        weir_peer_tell_queue(socket, peer);
    } else if (socket->place.told) {
        WEIR_TELL(socket->place.told->unseen, WEIR_HEAR(socket->place.told->unseen) + 1);
    }
}

void weir_peer_tell_queue(struct weir_socket *socket, const struct weir_peer *peer) {
    struct weir_told_peer *place = told_place(socket, peer);
    if (place) {
        WEIR_TELL(place->queued, peer->out.size);
        place->is_paused = peer->is_paused;
    } else if (socket->place.told && peer == &socket->upstream) {
        WEIR_TELL(socket->place.told->queued, peer->out.size);
    }
}

void weir_peer_untell(struct weir_socket *socket, struct weir_peer *peer) {
    struct weir_told_peer *place = told_place(socket, peer);
    if (place && peer->is_told)
        WEIR_TELL(place->role, 0);
    else if (peer->is_told && socket->place.told)
        WEIR_TELL(socket->place.told->unseen, WEIR_HEAR(socket->place.told->unseen) - 1);
    peer->is_told = 0;
}

void weir_socket_place_tell(struct weir_socket *socket, const struct weir_origin *origin) {
    struct weir_told *told = socket->place.told;
    if (told)
        WEIR_TELL(told->seq[weir_origins_number(&socket->seen, origin) % WEIR_TOLD_WRITERS], origin->seq);
}

/* ---- watching, closing ---- */

void weir_peer_watch(struct weir_socket *socket, struct weir_peer *peer) {
    uint32_t events = 0;
    if (!peer->is_paused && !peer->has_ended && !peer->is_underway)
        events |= EPOLLIN;
    if (weir_peer_wants_out(socket, peer))
        events |= EPOLLOUT;
    if (events != peer->events)
        weir_pump_watch(socket, peer->fd, key_of(socket, peer), events, &peer->events);
    weir_peer_tell_queue(socket, peer);
}

void weir_peer_widen(const struct weir_socket *socket, int fd) {
    uint64_t wanted = socket->place.capacity < SEND_BUFFER_MAX ? socket->place.capacity : SEND_BUFFER_MAX;
    int now = 0, size = (int)(wanted / 8 * 5); /* the kernel takes twice as much, for its own needs */
    socklen_t length = sizeof(now);
    if (socket->family->is_one_machine && getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &now, &length) == 0 && now < size * 2)
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

void weir_peer_disconnect(struct weir_socket *socket, struct weir_peer *peer) {
    if (peer->fd < 0)
        return;
    if (peer->events)
        weir_pump_watch(socket, peer->fd, 0, 0, &peer->events);
    weir_peer_untell(socket, peer);
    peer->tls = weir_tls_end(peer->tls, peer->fd);
    weir_plain_detach(peer);
    peer->said.size = peer->said_sent = 0;
    shutdown(peer->fd, SHUT_RDWR);
    close(peer->fd);
    peer->fd = -1;
    peer->generation++;
    peer->phase = WEIR_PHASE_NONE;
    peer->is_paused = peer->has_ended = peer->owes_count = 0;
    peer->is_underway = peer->is_leaving = peer->has_left = 0;
    peer->seek.is_asked = 0;
}

void weir_peer_fini(struct weir_peer *peer) {
    weir_queue_fini(&peer->out);
    weir_stream_fini(&peer->in);
    weir_buffer_fini(&peer->said);
    peer->tls = weir_tls_end(peer->tls, -1); /* still there in a forked child only */
    weir_plain_detach(peer);
}

/* ---- control frames ---- */

int weir_control_write(const struct weir_control *control, struct weir_chunk **open, size_t *ret_start) {
    struct weir_frame frame = {
        .kind = WEIR_FRAME_CONTROL,
        .flags = (uint8_t)((control->id ? WEIR_FRAME_ID : 0) | (control->writer ? WEIR_FRAME_WRITER : 0)),
        .seq = control->seq,
        .id = control->id,
        .writer = control->writer,
        .op = {control->op, strlen(control->op)}};
    weir_frame_layout(&frame);
    if (weir_chunk_room(open, frame.size, 1, WEIR_CHUNK_CONTROL, ret_start) != WEIR_OK)
        return WEIR_ENOMEM;
    weir_frame_write_whole(&frame, (*open)->bytes + *ret_start);
    (*open)->size = *ret_start + frame.size;
    return WEIR_OK;
}

int weir_control_read(const struct weir_stream_frame *frame, struct weir_frame *ret) {
    return weir_frame_parse(frame->word, frame->bytes, frame->size, ret);
}

int weir_control_is(const struct weir_frame *frame, const char *op) {
    return frame->op.size == strlen(op) && memcmp(frame->op.data, op, frame->op.size) == 0;
}
