/* The bytes of a connection. Frames go as they are, in few system calls; inside TLS; or as plain messages, which may go
 * inside TLS, too.
 *
 *     queue of frames -> [plain messages] -> said -> [TLS] -> socket
 *
 * What must stay true: a socket is only ever written with MSG_DONTWAIT and MSG_NOSIGNAL. What was taken from the queue
 * is as good as sent; so no more is taken than SAID_MAX bytes ahead of the socket. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "os/short.h"
#include "transport/socket/plain.h"
#include "transport/socket/socket.h"

enum { PIECES_MAX = 64, SAID_KEEP = 256 << 10 /* memory that an idle connection may keep */ };

int weir_peer_read(struct weir_peer *peer, int flags) {
    struct weir_stream *stream = weir_plain_input(peer);
    if (!peer->tls)
        return weir_stream_read(stream, peer->fd, flags);
    int status = weir_tls_read(peer->tls, peer->fd, stream);
    if (status == WEIR_OK && weir_tls_has_ended(peer->tls))
        peer->has_ended = 1;
    return status;
}

int weir_peer_has_output(const struct weir_peer *peer) {
    return peer->out.count > 0 || peer->said.size > peer->said_sent || (peer->tls && weir_tls_has_output(peer->tls));
}

int weir_peer_wants_out(const struct weir_socket *socket, const struct weir_peer *peer) {
    if (peer->is_underway)
        return 1;
    if (peer == &socket->upstream && peer->has_ended) /* he takes nothing more, and would say so for ever */
        return 0;
    if (peer->tls && weir_tls_has_output(peer->tls))
        return 1;
    if (peer->tls && !weir_tls_is_up(peer->tls))
        return 0;
    return peer->said.size > peer->said_sent || (peer->out.count > 0 && weir_peer_may_send(socket, peer));
}

int weir_peer_say(struct weir_peer *peer, const void *bytes, size_t size) {
    return weir_buffer_append(&peer->said, bytes, size);
}

/* ---- frames as they are ---- */

static int frames_send(struct weir_peer *peer, const void *head, size_t head_size) {
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

/* ---- other forms ---- */

/* Return: how much was taken; 0: nothing now; -1: the connection is gone. */
static ssize_t carry(struct weir_peer *peer, const void *bytes, size_t size) {
    if (peer->tls)
        return weir_tls_write(peer->tls, peer->fd, bytes, size);
    ssize_t sent;
    do
        sent = send(peer->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 && (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM) ? 0 : sent;
}

/* Return: WEIR_OK (all is gone), WEIR_EAGAIN, WEIR_ECLOSED. */
static int said_send(struct weir_peer *peer) {
    while (peer->said.size > peer->said_sent) {
        ssize_t taken = carry(peer, peer->said.data + peer->said_sent, peer->said.size - peer->said_sent);
        if (taken <= 0)
            return taken < 0 ? WEIR_ECLOSED : WEIR_EAGAIN;
        peer->said_sent += (size_t)taken;
    }
    peer->said.size = peer->said_sent = 0;
    if (peer->said.capacity > SAID_KEEP)
        weir_buffer_fini(&peer->said);
    return WEIR_OK;
}

static int frames_carry(struct weir_peer *peer) {
    while (peer->out.count > 0) {
        struct iovec piece;
        weir_queue_pieces(&peer->out, &piece, 1);
        ssize_t taken = carry(peer, piece.iov_base, piece.iov_len);
        if (taken <= 0)
            return taken < 0 ? WEIR_ECLOSED : WEIR_EAGAIN;
        weir_queue_sent(&peer->out, (size_t)taken);
    }
    return WEIR_OK;
}

/* The listener goes: what it has of us is all it gets. */
static void leave(struct weir_peer *peer) {
    if (peer->has_left || peer->said.size > peer->said_sent || (peer->tls && weir_tls_has_output(peer->tls)))
        return;
    shutdown(peer->fd, SHUT_WR);
    peer->has_left = 1;
}

int weir_peer_flush(struct weir_socket *socket, struct weir_peer *peer, const void *head, size_t head_size) {
    if (!peer->tls && !peer->plain && !peer->is_underway && !peer->is_leaving && peer->said.size == 0)
        return head_size > 0 || weir_peer_may_send(socket, peer) ? frames_send(peer, head, head_size) : WEIR_OK;
    if (head_size > 0 && weir_peer_say(peer, head, head_size) != WEIR_OK)
        return WEIR_ECLOSED;
    int status = peer->is_underway ? WEIR_EAGAIN : said_send(peer);
    while (status == WEIR_OK && peer->out.count > 0 && weir_peer_may_send(socket, peer)) {
        status = peer->plain ? weir_plain_fill(peer) : frames_carry(peer);
        if (status == WEIR_OK)
            status = said_send(peer);
    }
    if (status != WEIR_ECLOSED && peer->tls && !peer->is_underway)
        status = weir_tls_flush(peer->tls, peer->fd);
    if (peer->is_leaving && status != WEIR_ECLOSED)
        leave(peer);
    return status == WEIR_ECLOSED ? WEIR_ECLOSED : WEIR_OK;
}
