/* One connection: what is queued goes out in few system calls, and the pump watches for what can happen next.
 *
 * What must stay true: a socket is only ever written with MSG_DONTWAIT and MSG_NOSIGNAL; a connection that is paused or has ended is not watched
 * for reading (a hang-up cannot be masked, and would wake the pump for ever). A connection is shut down before it is closed,
 * because a forked child may hold it too. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/short.h"
#include "transport/socket/socket.h"

enum { PIECES_MAX = 64 };

static uint64_t key_of(const struct weir_socket *socket, const struct weir_peer *peer) {
    uint64_t place = peer == &socket->upstream ? (uint64_t)WEIR_KEY_UPSTREAM : (uint64_t)WEIR_KEY_PEERS + peer->index;
    return (uint64_t)peer->generation << 32 | place;
}

void weir_peer_watch(struct weir_socket *socket, struct weir_peer *peer) {
    uint32_t events = 0;
    if (!peer->is_paused && !peer->has_ended)
        events |= EPOLLIN;
    if (peer->out.count > 0 && weir_peer_may_send(socket, peer))
        events |= EPOLLOUT;
    if (events != peer->events)
        weir_pump_watch(socket, peer->fd, key_of(socket, peer), events, &peer->events);
}

int weir_peer_flush(struct weir_peer *peer, const void *head, size_t head_size) {
    while (peer->out.count > 0 || head_size > 0) {
        struct iovec pieces[PIECES_MAX] = {{(void *)head, head_size}};
        size_t first = head_size > 0;
        size_t count = first + weir_queue_pieces(&peer->out, pieces + first, PIECES_MAX - first);
        struct msghdr message = {.msg_iov = pieces, .msg_iovlen = count};
        size_t wanted = 0;
        for (size_t i = 0; i < count; i++)
            wanted += pieces[i].iov_len;
        message.msg_iovlen = weir_short_pieces(pieces, count, head_size + 1);
        ssize_t sent = sendmsg(peer->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM) && head_size == 0)
            return WEIR_OK;
        if (sent < 0 || (size_t)sent < head_size)
            return WEIR_ECLOSED;
        weir_queue_sent(&peer->out, (size_t)sent - head_size);
        if ((size_t)sent < wanted)
            return WEIR_OK;
        head_size = 0;
    }
    return WEIR_OK;
}

void weir_peer_disconnect(struct weir_socket *socket, struct weir_peer *peer) {
    if (peer->fd < 0)
        return;
    if (peer->events)
        weir_pump_watch(socket, peer->fd, 0, 0, &peer->events);
    shutdown(peer->fd, SHUT_RDWR);
    close(peer->fd);
    peer->fd = -1;
    peer->generation++;
    peer->phase = WEIR_PHASE_NONE;
    peer->is_paused = peer->has_ended = peer->owes_count = 0;
    peer->seek.is_asked = 0;
}

void weir_peer_fini(struct weir_peer *peer) {
    weir_queue_fini(&peer->out);
    weir_stream_fini(&peer->in);
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
