/* What a writer in a burst keeps back: frames in his open chunk, behind its size, that nobody has been given yet.
 *
 * What must stay true: no more is kept than there is room for in every queue that it will go to, as it was when the
 * grant began, so full= means what it means without; and no more than a quarter of capacity=, as a batch is dropped or
 * kept as one. The listener takes frames of any size that is kept, else there is no grant. Only a writer's messages are
 * kept here: requests and replies stand in their queues, and wait there (send.c). */
#include <sys/epoll.h>

#include "transport/socket/socket.h"

/* ---- how much ---- */

static uint64_t room_of(struct weir_socket *socket) {
    const struct weir_peer *upstream = &socket->upstream;
    uint64_t most = socket->place.capacity / 4, room = 0;
    int is_open = 0;
    if (socket->mode == WEIR_MODE_LISTENING && socket->grace_until == 0) {
        is_open = 1;
        room = weir_spread_room(socket, 0);
    }
    if (socket->mode == WEIR_MODE_CONNECTED && upstream->phase == WEIR_PHASE_READY && !upstream->is_leaving &&
        upstream->hello.size_max >= WEIR_BURST_FRAME_MAX) {
        is_open = 1;
        room = weir_room_in(socket, &upstream->out);
    }
    if (!is_open || socket->place.size_max < WEIR_BURST_FRAME_MAX)
        return 0;
    return room < most && socket->place.full != WEIR_FULL_DROP_OLDEST ? room : most;
}

/* ---- keeping ---- */

int weir_kept_begin(struct weir_socket *socket, size_t start, size_t size, uint32_t flags) {
    struct weir_burst *burst = &socket->burst;
    struct weir_chunk *own = socket->own;
    int is_corked = (flags & WEIR_COMMIT_MORE) != 0;
    if (size > WEIR_BURST_FRAME_MAX || (!is_corked && !weir_burst_is_on(burst)))
        return 0;
    uint64_t room = room_of(socket), left = own->capacity - start;
    left = room < left ? room : left;
    unsigned char *from = own->bytes + start;
    return left > size &&
           weir_burst_grant(burst, from, from + size, (size_t)left - size, socket->own_seq + 1, is_corked);
}

void weir_kept_publish(struct weir_socket *socket, enum weir_burst_how how) {
    uint64_t seq;
    if (!atomic_load_explicit(&socket->burst.is_granted, memory_order_relaxed))
        return;
    size_t size = weir_burst_collect(&socket->burst, how, &seq), start = socket->own->size;
    if (size == 0)
        return;
    socket->own->size = start + size;
    socket->own_seq = seq;
    socket->batch_size += size;
    (void)weir_socket_publish(socket, 0, start, start + size); /* no memory to queue it: seen as a gap */
}

void weir_kept_flush(void *object, enum weir_burst_how how) {
    struct weir_socket *socket = object;
    pthread_mutex_lock(&socket->lock);
    weir_kept_publish(socket, how);
    socket->batch_size = 0;
    socket->batch_count = 0;
    weir_socket_push_new(socket);
    if (!socket->pump.owner_waits)
        weir_socket_hand_over(socket);
    else if (weir_socket_has_leftover(socket))
        (void)weir_pump_start_thread(socket, NULL); /* for when he has waited long enough */
    pthread_mutex_unlock(&socket->lock);
}

int weir_kept_is_backed_up(const struct weir_socket *socket) {
    if (!socket->burst.may_keep)
        return 0;
    if (socket->mode == WEIR_MODE_CONNECTED)
        return (socket->upstream.events & EPOLLOUT) != 0;
    for (size_t i = 0; i < socket->peer_count; i++)
        if (socket->peers[i]->phase == WEIR_PHASE_READY && (socket->peers[i]->events & EPOLLOUT))
            return 1;
    return 0;
}
