/* The operations of writers: also a client's requests and a server's replies.
 *
 * The owner writes a frame straight into a chunk of his own; commit moves a small one next to the frame before it, so
 * that many leave as one piece. A frame leaves at once, by the owner's own system call, unless he is in a burst
 * (kept.c); what the socket does not take stays queued, and our thread sends it when the owner is away.
 *
 * What must stay true: reserve and commit never block. Between them only the owner touches the bytes behind own->size,
 * so the thread may publish other frames meanwhile. */
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "os/process.h"
#include "transport/socket/socket.h"

enum { CALLS_TOGETHER = 16 /* so many requests or replies leave together, and the other end begins with them */ };

/* ---- room ---- */

static int listener_has_room(struct weir_socket *socket, uint64_t peer, size_t size) {
    if (peer == 0)
        return socket->place.full == WEIR_FULL_DROP_OLDEST || weir_spread_has_room(socket, size);
    const struct weir_peer *to = weir_hub_find(socket, peer);
    return !to || weir_fits(socket, &to->out, size); /* what is for somebody who has gone goes nowhere */
}

int weir_socket_can_send(struct weir_socket *socket, uint64_t peer, size_t size) {
    if (socket->mode == WEIR_MODE_LISTENING)
        return listener_has_room(socket, peer, size);
    if (socket->role == WEIR_ROLE_CLIENT && (socket->mode != WEIR_MODE_CONNECTED || socket->upstream.is_underway))
        return 0; /* a request waits for a server, not in a queue: it must not be carried out when the caller has given up */
    return socket->place.full == WEIR_FULL_DROP_OLDEST || weir_fits(socket, &socket->upstream.out, size);
}

static int size_check(const struct weir_socket *socket, size_t size, weir_error *err) {
    const struct weir_hello *listener = &socket->upstream.hello;
    if (size > socket->place.size_max)
        return weir_fail(err, WEIR_ETOOBIG,
                         "%s: the message has %zu bytes, max= allows %llu; raise max= in the address",
                         socket->place.text, size, (unsigned long long)socket->place.size_max);
    if (socket->mode == WEIR_MODE_CONNECTED && socket->upstream.phase == WEIR_PHASE_READY && size > listener->size_max)
        return weir_fail(
            err, WEIR_ETOOBIG,
            "%s: the message has %zu bytes, the listener (%s, pid %ld) takes %llu; raise its max=", socket->place.text,
            size, listener->program, (long)listener->pid, (unsigned long long)listener->size_max);
    return WEIR_OK;
}

/* Nothing is in the way of sending but, perhaps, room: look for a listener if there is none, and tell of a refusal. */
static int way_clear(struct weir_socket *socket, weir_error *err) {
    if (socket->mode == WEIR_MODE_SEEKING && socket->seek_at <= weir_clock_monotonic())
        weir_meet_timers(socket, weir_clock_monotonic());
    int status = socket->failure.code;
    if (status != WEIR_OK && err)
        *err = socket->failure;
    socket->failure.code = WEIR_OK;
    return status;
}

static int reserve(struct weir_socket *socket, uint64_t peer, size_t size, struct weir_slot *ret, weir_error *err) {
    int status = size_check(socket, size, err);
    if (status == WEIR_OK)
        status = way_clear(socket, err);
    if (status != WEIR_OK)
        return status;
    if (!weir_socket_can_send(socket, peer, size)) {
        weir_socket_push(socket); /* the sockets may have room that nobody has looked for */
        if (!weir_socket_can_send(socket, peer, size)) {
            socket->refused_size = size;
            socket->refused_peer = peer;
            return weir_fail(err, WEIR_EAGAIN, "%s: %s", socket->place.text,
                             socket->mode == WEIR_MODE_SEEKING ? "nobody listens" : "no room in a reader's queue");
        }
    }
    enum weir_chunk_kind kind =
        socket->place.full == WEIR_FULL_DROP_OLDEST && peer == 0 ? WEIR_CHUNK_DROPPABLE : WEIR_CHUNK_FIRM;
    size_t room = size + (socket->burst.is_hot && size <= WEIR_BURST_FRAME_MAX ? WEIR_KEPT_ROOM : 0);
    if (weir_chunk_room(&socket->own, room, WEIR_FRAME_ALIGNMENT, kind, &socket->own_start) != WEIR_OK)
        return weir_fail(err, WEIR_ENOMEM, "%s: no memory for a message of %zu bytes", socket->place.text, size);
    socket->refused_size = 0;
    socket->own_size = size;
    socket->own_peer = peer;
    *ret = (struct weir_slot){.bytes = socket->own->bytes + socket->own_start, .seq = socket->own_seq + 1};
    return WEIR_OK;
}

static uint64_t queued_size(const struct weir_socket *socket) {
    return socket->mode == WEIR_MODE_LISTENING ? socket->batch_size : socket->upstream.out.size;
}

/* There is no room for one more beside what was kept: it leaves before who reserved may take his time. */
static void kept_used_up(struct weir_socket *socket) {
    int is_burst = !socket->burst.is_corked;
    socket->burst.is_hot |= is_burst;
    weir_kept_publish(socket, is_burst ? WEIR_BURST_PAUSES : WEIR_BURST_ENDS);
    if (!is_burst && queued_size(socket) < WEIR_BATCH_SIZE)
        return;
    socket->batch_size = 0;
    weir_socket_push_new(socket);
    if (!is_burst)
        weir_socket_hand_over(socket); /* else the flusher does, if we do not come back */
}

int weir_socket_reserve(void *state, uint64_t peer, size_t size, struct weir_slot *ret, weir_error *err) {
    struct weir_socket *socket = state;
    unsigned char *room = peer == 0 ? weir_burst_room(&socket->burst, size, &ret->seq) : NULL;
    if (room) {
        ret->bytes = room;
        socket->own_start = (size_t)(room - socket->own->bytes);
        socket->own_size = size;
        socket->own_peer = 0;
        return WEIR_OK;
    }
    pthread_mutex_lock(&socket->lock);
    if (socket->burst.is_granted && socket->role == WEIR_ROLE_WRITER)
        kept_used_up(socket);
    int status = reserve(socket, peer, size, ret, err);
    pthread_mutex_unlock(&socket->lock);
    return status;
}

/* ---- publishing ---- */

static int queue_private(struct weir_socket *socket, struct weir_peer *to, size_t start, size_t stop) {
    if (!to)
        return WEIR_OK;
    if (socket->place.full == WEIR_FULL_DROP_OLDEST && to == &socket->upstream &&
        !weir_queue_make_room(&to->out, stop - start, socket->place.capacity, WEIR_CHUNK_DROPPABLE))
        return WEIR_OK; /* seen as a gap */
    return weir_queue_push(&to->out, socket->own, start, stop);
}

int weir_socket_publish(struct weir_socket *socket, uint64_t peer, size_t start, size_t stop) {
    /* The server has gone since there was room: the request is lost, and must not reach the next one late. */
    if (socket->role == WEIR_ROLE_CLIENT && socket->mode != WEIR_MODE_CONNECTED) {
        socket->lost_request |= !socket->turned_away;
        socket->has_asked = 0;
        return WEIR_OK;
    }
    if (socket->mode != WEIR_MODE_LISTENING)
        return queue_private(socket, &socket->upstream, start, stop);
    if (peer != 0) {
        socket->is_dirty = 1;
        return queue_private(socket, weir_hub_find(socket, peer), start, stop);
    }
    weir_spread(socket, NULL, socket->own, start, stop);
    return WEIR_OK;
}

void weir_socket_push(struct weir_socket *socket) {
    struct weir_peer *upstream = &socket->upstream;
    if (socket->mode == WEIR_MODE_LISTENING) {
        socket->is_dirty = 1;
        for (size_t i = 0; i < socket->peer_count; i++)
            if (socket->peers[i]->phase == WEIR_PHASE_READY && weir_peer_has_output(socket->peers[i]))
                weir_hub_send(socket, socket->peers[i]);
        weir_hub_settle(socket);
    } else if (socket->mode == WEIR_MODE_CONNECTED && weir_peer_may_send(socket, upstream)) {
        if (weir_peer_flush(socket, upstream, NULL, 0) == WEIR_OK)
            weir_peer_watch(socket, upstream);
        else
            weir_upstream_event(socket, EPOLLOUT | EPOLLHUP); /* read what it said last, and leave it */
    }
}

int weir_socket_has_leftover(const struct weir_socket *socket) {
    if (socket->mode != WEIR_MODE_LISTENING)
        return weir_peer_has_output(&socket->upstream);
    for (size_t i = 0; i < socket->peer_count; i++)
        if (socket->peers[i]->phase == WEIR_PHASE_READY && weir_peer_has_output(socket->peers[i]))
            return 1;
    return 0;
}

void weir_socket_push_new(struct weir_socket *socket) {
    struct weir_peer *upstream = &socket->upstream;
    if (socket->mode == WEIR_MODE_LISTENING)
        weir_hub_settle(socket);
    else if (socket->mode == WEIR_MODE_CONNECTED && !(upstream->events & EPOLLOUT))
        weir_socket_push(socket);
    else
        weir_peer_tell_queue(socket, upstream);
}

void weir_socket_hand_over(struct weir_socket *socket) {
    if (weir_socket_has_leftover(socket))
        weir_pump_hand_over(socket);
}

/* Put a small frame next to the one before it. Return: where it begins now. */
static size_t pack(struct weir_chunk *own, size_t start, size_t size) {
    if (size > WEIR_PACKED_MAX || start == own->size)
        return start;
    memmove(own->bytes + own->size, own->bytes + start, size);
    return own->size;
}

/* A request or a reply stands in its queue at once. It leaves at once, too, unless one has just left: the second of two
 * that are sent faster than system calls go waits for those that follow, until the thread waits for something, or there
 * are enough: who sends all before he waits would leave the other end idle meanwhile, and be idle after that. */
static int call_commit(struct weir_socket *socket) {
    size_t size = socket->own_size, start = pack(socket->own, socket->own_start, size);
    socket->own_size = 0;
    socket->own->size = start + size;
    socket->own_seq++;
    socket->batch_size += size;
    socket->has_asked = socket->role == WEIR_ROLE_CLIENT;
    int status = weir_socket_publish(socket, socket->own_peer, start, start + size);
    if (size <= WEIR_BURST_FRAME_MAX && queued_size(socket) < WEIR_BATCH_SIZE &&
        ++socket->batch_count < CALLS_TOGETHER && weir_burst_queue(&socket->burst, socket->own_seq))
        return status;
    socket->batch_size = 0;
    socket->batch_count = 0;
    weir_socket_push_new(socket);
    weir_burst_after(&socket->burst);
    weir_socket_hand_over(socket);
    return status;
}

/* A frame is written: give it to whom it is for, and send it, or let it wait with those before it. */
static int commit(struct weir_socket *socket, uint32_t flags) {
    if (socket->role != WEIR_ROLE_WRITER)
        return call_commit(socket);
    size_t size = socket->own_size;
    int was_granted = socket->burst.is_granted; /* then the flusher has seen to what the sockets did not take */
    weir_kept_publish(socket, WEIR_BURST_PAUSES);
    size_t start = pack(socket->own, socket->own_start, size);
    int is_batch = flags & WEIR_COMMIT_MORE;
    socket->own_size = 0;
    socket->burst.is_hot |= weir_kept_is_backed_up(socket);
    if (!is_batch && !socket->burst.is_hot)
        weir_burst_before(&socket->burst);
    if (weir_kept_begin(socket, start, size, flags))
        return WEIR_OK;
    weir_kept_publish(socket, WEIR_BURST_ENDS);
    socket->own->size = start + size;
    socket->own_seq++;
    socket->batch_size += size;
    int status = weir_socket_publish(socket, socket->own_peer, start, start + size);
    if (is_batch && !was_granted && queued_size(socket) < WEIR_BATCH_SIZE)
        return status;
    socket->batch_size = 0;
    weir_socket_push_new(socket);
    if (socket->burst.is_hot) /* it was not worth a grant, or is too large to be kept */
        weir_burst_before(&socket->burst);
    weir_burst_after(&socket->burst);
    weir_socket_hand_over(socket);
    return status;
}

int weir_socket_commit(void *state, uint64_t word, uint32_t flags, weir_error *err) {
    struct weir_socket *socket = state;
    unsigned char *bytes = socket->own->bytes + socket->own_start;
    memcpy(bytes, &word, sizeof(word));
    if (socket->own_peer == 0 && weir_burst_take(&socket->burst, bytes, socket->own_size, flags)) {
        socket->own_size = 0;
        return WEIR_OK;
    }
    pthread_mutex_lock(&socket->lock);
    int status = commit(socket, flags);
    pthread_mutex_unlock(&socket->lock);
    return status ? weir_fail(err, status, "%s: no memory to queue a message", socket->place.text) : WEIR_OK;
}

uint64_t weir_socket_post(void *state, uint64_t word, const void *data, size_t size, int64_t time, uint32_t flags) {
    struct weir_socket *socket = state;
    return weir_burst_post(&socket->burst, word, data, size, time, flags);
}

size_t weir_socket_post_many(void *state, uint64_t word, const weir_view *data, size_t count, int64_t time,
                             uint32_t flags, uint64_t *ret_seq) {
    struct weir_socket *socket = state;
    return weir_burst_post_many(&socket->burst, word, data, count, time, flags, ret_seq);
}

void weir_socket_discard(void *state) {
    struct weir_socket *socket = state;
    socket->own_size = 0;
}

void weir_socket_skip(void *state) {
    struct weir_socket *socket = state;
    pthread_mutex_lock(&socket->lock);
    weir_kept_publish(socket, WEIR_BURST_ENDS);
    socket->own_seq++;
    weir_socket_push_new(socket);
    weir_socket_hand_over(socket);
    pthread_mutex_unlock(&socket->lock);
}

/* In a burst a batch is like a message: it waits for those that follow. */
int weir_socket_flush(void *state, weir_error *err) {
    struct weir_socket *socket = state;
    struct weir_burst *burst = &socket->burst;
    (void)err;
    if (burst->is_granted && !burst->is_corked)
        return WEIR_OK; /* or it has ended this moment, and what was kept has left */
    pthread_mutex_lock(&socket->lock);
    weir_burst_before(burst);
    if (!weir_burst_is_on(burst) || !weir_burst_uncork(burst)) {
        weir_kept_publish(socket, WEIR_BURST_ENDS);
        socket->batch_size = 0;
        weir_socket_push_new(socket);
        weir_burst_after(burst);
        weir_socket_hand_over(socket);
    }
    pthread_mutex_unlock(&socket->lock);
    return WEIR_OK;
}

void weir_socket_set_timeout(void *state, int64_t timeout_ns) {
    struct weir_socket *socket = state;
    pthread_mutex_lock(&socket->lock);
    socket->place.timeout_ns = timeout_ns;
    pthread_mutex_unlock(&socket->lock);
}

int weir_socket_readers(void *state, uint32_t *ret) {
    struct weir_socket *socket = state;
    pthread_mutex_lock(&socket->lock);
    int status = weir_pump_run(socket, 0, NULL);
    *ret = socket->mode == WEIR_MODE_LISTENING ? weir_spread_readers(socket) : socket->readers_known;
    pthread_mutex_unlock(&socket->lock);
    return status;
}

/* One at the other end of a socket, who may be on another machine: what he says of himself, or the kernel of him. */
static void peer_text(const struct weir_socket *socket, const struct weir_peer *peer, const char *before, char *text,
                      size_t size) {
    char who[128];
    if (socket->family->is_one_machine && peer->credentials.pid > 0)
        weir_process_text(peer->credentials.pid, who, sizeof(who));
    else
        snprintf(who, sizeof(who), "%.63s (pid %u)", peer->hello.program, peer->hello.pid);
    snprintf(text, size, "%s%s", before, who);
}

void weir_socket_in_the_way(void *state, char *text, size_t size) {
    struct weir_socket *socket = state;
    const struct weir_peer *upstream = &socket->upstream;
    pthread_mutex_lock(&socket->lock);
    const struct weir_peer *slow =
        socket->mode == WEIR_MODE_LISTENING ? weir_spread_slow(socket, socket->refused_size) : NULL;
    text[0] = '\0';
    if (slow)
        peer_text(socket, slow, "", text, size);
    else if (socket->mode == WEIR_MODE_CONNECTED && upstream->phase == WEIR_PHASE_READY)
        peer_text(socket, upstream, upstream->hello.role == WEIR_ROLE_READER ? "" : "behind ", text, size);
    else if (socket->mode == WEIR_MODE_LISTENING && weir_socket_reads(socket))
        weir_process_text(getpid(), text, size);
    pthread_mutex_unlock(&socket->lock);
}

static int is_connected(const struct weir_socket *socket) {
    return socket->mode == WEIR_MODE_CONNECTED && !socket->upstream.is_underway;
}

int weir_socket_peer_state(void *state, weir_error *err) {
    struct weir_socket *socket = state;
    if (socket->role != WEIR_ROLE_CLIENT)
        return WEIR_OK;
    pthread_mutex_lock(&socket->lock);
    /* Looking costs little, and who asks wants to know of a server that came a moment ago. Only a refusal is rested
     * after. */
    if (socket->mode == WEIR_MODE_SEEKING && !socket->must_rest)
        socket->seek_at = 0;
    if (socket->mode == WEIR_MODE_SEEKING)
        weir_meet_timers(socket, weir_clock_monotonic());
    if (is_connected(socket) && socket->upstream.phase == WEIR_PHASE_HELLO)
        (void)weir_pump_run(socket, 0, NULL); /* has he answered? */
    int status = !is_connected(socket)                        ? WEIR_ENOENT
                 : socket->upstream.phase == WEIR_PHASE_HELLO ? WEIR_EBUSY
                                                              : WEIR_OK;
    if (status != WEIR_OK)
        weir_meet_tell(socket, err);
    if (socket->lost_request) {
        status = WEIR_EPEER;
        socket->lost_request = 0;
    } else if (socket->turned_away) {
        status = WEIR_EAGAIN;
        socket->turned_away = 0;
    }
    pthread_mutex_unlock(&socket->lock);
    return status;
}

int weir_socket_has_client(void *state, uint64_t peer) {
    struct weir_socket *socket = state;
    pthread_mutex_lock(&socket->lock);
    int is_there = socket->mode != WEIR_MODE_LISTENING || weir_hub_find(socket, peer) != NULL;
    pthread_mutex_unlock(&socket->lock);
    return is_there;
}
