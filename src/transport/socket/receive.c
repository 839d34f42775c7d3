/* The operations of readers: also a server's requests and a client's replies.
 *
 * An end that listens takes frames from its inbox; one that is connected takes them from its connection, where they
 * lie. One whose data must be aligned, and is not, is copied once. The usual frame behind another of the same writer is
 * taken without the lock, from either.
 *
 * What must stay true: a frame is delivered at most once, in its writer's order, and what is missing is counted: `seen`
 * knows the last seq of every writer, across listeners; while frames are taken without the lock, `quick` knows it of
 * their writer. The frame delivered last (`last`) is kept until a newer one comes, for seek. While a connected end has
 * no thread, nobody but the owner touches it, so that he may wait in recv without the lock. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "os/event.h"
#include "transport/socket/socket.h"

/* ---- which frames ---- */

/* The frame where it lies, or at a multiple of 64 if it must. Return: NULL when there is no memory. */
static const unsigned char *aligned(struct weir_socket *socket, const unsigned char *bytes, uint64_t word,
                                    size_t size) {
    if (!(word >> 56 & WEIR_FRAME_ALIGNED) || (uintptr_t)bytes % WEIR_FRAME_ALIGNMENT == 0)
        return bytes;
    socket->aligned.size = 0;
    unsigned char *room = weir_buffer_room(&socket->aligned, size);
    return room ? memcpy(room, bytes, size) : NULL;
}

static int is_seen(struct weir_socket *socket, uint64_t writer, uint64_t seq) {
    const struct weir_origin *origin = weir_origins_find(&socket->seen, writer);
    return origin && !origin->is_fresh && seq <= origin->seq;
}

int weir_socket_admit(struct weir_socket *socket, uint64_t writer, uint64_t seq, struct weir_inbound *ret) {
    struct weir_origin *origin = weir_origins_get(&socket->seen, writer);
    ret->gap = 0;
    ret->uid = WEIR_UID_UNKNOWN;
    if (!origin)
        return 1; /* no memory to count with */
    if (!origin->is_fresh && seq <= origin->seq)
        return 0;
    ret->gap = origin->is_fresh ? 0 : seq - origin->seq - 1;
    ret->writer = weir_origins_number(&socket->seen, origin);
    ret->uid = origin->uid;
    origin->seq = seq;
    origin->is_fresh = 0;
    return 1;
}

/* The first frame of each writer begins his count anew. */
static void seen_forget(struct weir_socket *socket) {
    for (size_t i = 0; i < socket->seen.count; i++)
        socket->seen.items[i].is_fresh = 1;
}

/* What has passed so far is not missed: the owner has asked to skip it. */
static void seen_catch_up(struct weir_socket *socket) {
    for (size_t i = 0; i < socket->passed.count; i++) {
        const struct weir_origin *passed = &socket->passed.items[i];
        struct weir_origin *origin = weir_origins_find(&socket->seen, passed->writer);
        if (origin && origin->seq < passed->seq)
            origin->seq = passed->seq;
    }
}

/* ---- listening: the inbox ---- */

static void taken_release(struct weir_socket *socket) {
    socket->taken = weir_chunk_unref(socket->taken);
}

/* Describe the frame at @bytes. Return: WEIR_OK, WEIR_EAGAIN (seen before), WEIR_ENOMEM. */
static int describe(struct weir_socket *socket, const unsigned char *bytes, struct weir_inbound *ret) {
    uint64_t word, seq;
    memcpy(&word, bytes, sizeof(word));
    memcpy(&seq, bytes + 8, sizeof(seq));
    size_t size = weir_frame_word_size(word);
    *ret = (struct weir_inbound){.bytes = aligned(socket, bytes, word, size), .word = word, .size = size};
    if (!ret->bytes)
        return WEIR_ENOMEM;
    uint64_t writer = weir_frame_origin(bytes, word, socket->writer);
    if (socket->role != WEIR_ROLE_SERVER)
        return weir_socket_admit(socket, writer, seq, ret) ? WEIR_OK : WEIR_EAGAIN;
    const struct weir_peer *peer = weir_hub_find(socket, writer);
    ret->peer = writer;
    ret->writer = (uint32_t)writer - 1;
    ret->uid = peer ? peer->credentials.uid : WEIR_UID_UNKNOWN;
    return WEIR_OK;
}

/* Let those go on whose frames had no room in the inbox. */
static void inbox_drained(struct weir_socket *socket) {
    if (socket->paused_count == 0 || socket->inbox.size > socket->place.capacity / 2)
        return;
    weir_hub_resume(socket);
    weir_hub_settle(socket);
    if (weir_socket_has_leftover(socket))
        weir_pump_hand_over(socket);
}

static int inbox_next(struct weir_socket *socket, struct weir_inbound *ret) {
    const unsigned char *bytes;
    size_t size;
    weir_inbox_settle(socket);
    while ((bytes = weir_queue_first(&socket->inbox, &size)) != NULL) {
        socket->taken = weir_chunk_ref(weir_queue_run(&socket->inbox, 0)->chunk);
        int status = describe(socket, bytes, ret);
        weir_queue_sent(&socket->inbox, size);
        inbox_drained(socket);
        if (status != WEIR_EAGAIN)
            return status;
        taken_release(socket);
    }
    return WEIR_EAGAIN;
}

static int listening_next(struct weir_socket *socket, struct weir_inbound *ret, weir_error *err) {
    int status = inbox_next(socket, ret);
    if (status != WEIR_EAGAIN)
        return status;
    status = weir_pump_run(socket, 0, err);
    return status ? status : inbox_next(socket, ret);
}

/* ---- connected ---- */

/* A frame from the listener. Return: WEIR_OK (deliver it), WEIR_EAGAIN (not for the owner), WEIR_ENOMEM. */
static int frame_take(struct weir_socket *socket, const struct weir_stream_frame *frame, struct weir_inbound *ret) {
    if (((frame->word >> 32) & 0x0F) == WEIR_FRAME_CONTROL) {
        weir_upstream_control(socket, frame);
        return WEIR_EAGAIN;
    }
    if (socket->wants_sought)
        return WEIR_EAGAIN;
    uint64_t writer = weir_frame_origin(frame->bytes, frame->word, socket->upstream.hello.writer);
    struct weir_inbound inbound = {.word = frame->word, .size = frame->size, .uid = socket->upstream.credentials.uid};
    int is_before = socket->has_before && socket->before_writer == writer && socket->before_seq == frame->seq;
    /* What was seen before must not touch the memory that `last` may lie in. */
    if (socket->role == WEIR_ROLE_READER && !is_before && is_seen(socket, writer, frame->seq))
        return WEIR_EAGAIN;
    socket->last.bytes = NULL;
    inbound.bytes = aligned(socket, frame->bytes, frame->word, frame->size);
    if (!inbound.bytes)
        return WEIR_ENOMEM;
    if (socket->role == WEIR_ROLE_READER && !is_before)
        (void)weir_socket_admit(socket, writer, frame->seq, &inbound);
    socket->last = inbound;
    socket->last_origin = writer;
    if (!is_before) {
        *ret = inbound;
        return WEIR_OK;
    }
    const struct weir_origin *origin = weir_origins_find(&socket->seen, writer);
    socket->last.uid = origin ? origin->uid : WEIR_UID_UNKNOWN;
    socket->last.writer = origin ? weir_origins_number(&socket->seen, origin) : 0;
    socket->has_before = 0;
    return WEIR_EAGAIN;
}

/* The next frame that has come whole. Return: WEIR_OK, WEIR_EAGAIN, others: the connection is no good. */
static int pending_next(struct weir_socket *socket, struct weir_inbound *ret, weir_error *err) {
    struct weir_stream *in = &socket->upstream.in;
    struct weir_stream_frame frame;
    int status;
    if (socket->upstream.phase != WEIR_PHASE_READY)
        return WEIR_EAGAIN;
    while ((status = weir_stream_next(in, &frame, err)) == WEIR_OK) {
        weir_stream_take(in, frame.size);
        status = frame_take(socket, &frame, ret);
        if (status != WEIR_EAGAIN)
            return status;
    }
    return status;
}

static int connected_next(struct weir_socket *socket, struct weir_inbound *ret, weir_error *err) {
    struct weir_peer *upstream = &socket->upstream;
    while (socket->mode == WEIR_MODE_CONNECTED) {
        int status = pending_next(socket, ret, err);
        if (status == WEIR_OK || status == WEIR_ENOMEM)
            return status;
        if (status != WEIR_EAGAIN) {
            weir_upstream_lost(socket, WEIR_REFUSED_WAIT);
            return status;
        }
        if (upstream->has_ended) {
            weir_upstream_lost(socket, 0);
            break;
        }
        status = weir_upstream_read(socket, MSG_DONTWAIT);
        if (status == WEIR_EAGAIN || status == WEIR_ENOMEM)
            break;
        if (socket->mode == WEIR_MODE_CONNECTED && status != WEIR_OK)
            upstream->has_ended = 1;
    }
    if (upstream->is_paused) {
        upstream->is_paused = 0;
        weir_peer_watch(socket, upstream);
    }
    return WEIR_EAGAIN;
}

/* ---- the next one of many ---- */

/* Let the owner take frames of @writer, of whom he has just been given one. */
static void quick_start(struct weir_socket *socket, uint64_t writer) {
    struct weir_quick *quick = &socket->quick;
    const struct weir_origin *origin = weir_origins_find(&socket->seen, writer);
    if (!origin || origin->is_fresh)
        return;
    quick->writer = writer;
    quick->seq = origin->seq;
    quick->uid = origin->uid;
    quick->number = weir_origins_number(&socket->seen, origin);
    quick->is_on = 1;
}

/* May those behind the frame that the inbox gave last, @given, be taken without the lock? Others only ever add to the
 * inbox, unless they may drop what lies there. But not the one by which room comes about for who is held up: either
 * nobody is, or that one still lies behind these (inbox_drained). Nor the last one, as somebody may be held up this
 * moment: an owner who has taken everything holds up nobody, though he never comes again. */
static void quick_begin_inbox(struct weir_socket *socket, const struct weir_inbound *given) {
    struct weir_quick *quick = &socket->quick;
    if (socket->inbox.count == 0 || socket->place.is_observer)
        return;
    const struct weir_run *run = weir_queue_run(&socket->inbox, 0);
    uint64_t half = socket->place.capacity / 2, most = UINT64_MAX;
    if (run->chunk != socket->taken || run->chunk->kind != WEIR_CHUNK_FIRM)
        return;
    if (socket->inbox.size > half)
        most = socket->inbox.size - half - 1;
    else if (socket->paused_count > 0)
        return;
    size_t size = run->end - run->start;
    atomic_store_explicit(&quick->is_over, 0, memory_order_relaxed);
    quick->is_inbox = 1;
    quick->is_listeners = 0;
    quick->at = run->chunk->bytes + run->start;
    quick->end = quick->at + (size <= most ? size - 1 : (size_t)most); /* a byte is missing of the last one */
    quick_start(socket, weir_frame_origin(given->bytes, given->word, socket->writer));
}

/* May what follows be taken without looking around? While a connected owner takes frame after frame of one writer out
 * of what one read brought, nothing else can happen: he has no thread, and every other operation of his ends it. */
static void quick_begin(struct weir_socket *socket, const struct weir_inbound *given) {
    struct weir_quick *quick = &socket->quick;
    if (socket->role != WEIR_ROLE_READER || socket->poll_fd >= 0 || socket->is_last_next ||
        socket->failure.code != WEIR_OK)
        return;
    if (socket->mode == WEIR_MODE_LISTENING) {
        quick_begin_inbox(socket, given);
        return;
    }
    if (socket->mode != WEIR_MODE_CONNECTED || socket->pump.has_thread || socket->wants_sought || socket->has_before ||
        socket->upstream.plain || !socket->last.bytes)
        return;
    quick->is_inbox = 0;
    quick->is_listeners = socket->last_origin == socket->upstream.hello.writer;
    quick_start(socket, socket->last_origin);
}

/* Anything else is about to happen: what was taken has left the inbox, or `last` is what was taken last. */
static void quick_end(struct weir_socket *socket) {
    struct weir_quick *quick = &socket->quick;
    uint64_t word;
    weir_inbox_settle(socket);
    if (quick->is_on && quick->bytes) {
        struct weir_origin *origin = weir_origins_find(&socket->seen, quick->writer);
        if (origin)
            origin->seq = quick->seq;
        memcpy(&word, quick->bytes, sizeof(word));
        if (!quick->is_inbox)
            weir_inbound_show(&socket->last, quick->bytes, word, quick->number, quick->uid);
    }
    int was_inbox = quick->is_on && quick->is_inbox;
    quick->is_on = 0;
    quick->bytes = NULL;
    if (was_inbox)
        inbox_drained(socket); /* of somebody who was held up this moment */
}

/* What of the inbox may be taken. */
static inline const unsigned char *inbox_bytes(const struct weir_quick *quick, size_t *ret_left) {
    int is_over = atomic_load_explicit(&quick->is_over, memory_order_relaxed);
    *ret_left = is_over ? 0 : (size_t)(quick->end - quick->at);
    return quick->at;
}

/* Take the frame that follows, if it is whole, of the same writer, the next in his count, and needs no copy. Return:
 * its bytes; NULL when it is not so. */
static inline __attribute__((always_inline)) const unsigned char *quick_take(struct weir_socket *socket,
                                                                             uint64_t *ret_word) {
    static const unsigned simple = WEIR_FRAME_TIME | WEIR_FRAME_WRITER | WEIR_FRAME_META;
    struct weir_stream *in = &socket->upstream.in;
    struct weir_quick *quick = &socket->quick;
    size_t left;
    const unsigned char *bytes = quick->is_inbox ? inbox_bytes(quick, &left) : weir_stream_bytes(in, &left);
    uint64_t word, seq;
    if (left < WEIR_FRAME_HEADER_SIZE)
        return NULL;
    memcpy(&word, bytes, sizeof(word));
    memcpy(&seq, bytes + 8, sizeof(seq));
    unsigned flags = (unsigned)(word >> 56);
    size_t size = weir_frame_word_size(word);
    if ((word >> 32 & 0xFF) != (WEIR_FRAME_VERSION << 4 | WEIR_FRAME_MESSAGE) || (flags & ~simple) || size > left ||
        size < weir_frame_simple_head(word) || size > in->size_max + WEIR_STREAM_SLACK || seq != quick->seq + 1)
        return NULL;
    if (flags & WEIR_FRAME_WRITER ? weir_frame_origin(bytes, word, 0) != quick->writer : !quick->is_listeners)
        return NULL;
    quick->seq = seq;
    quick->bytes = bytes;
    *ret_word = word;
    if (!quick->is_inbox) {
        weir_stream_take(in, size);
        return bytes;
    }
    quick->at += size;
    size_t taken = atomic_load_explicit(&quick->taken, memory_order_relaxed) + size;
    atomic_store_explicit(&quick->taken, taken, memory_order_relaxed);
    return bytes;
}

static int quick_next(struct weir_socket *socket, struct weir_inbound *ret) {
    uint64_t word;
    const unsigned char *bytes = quick_take(socket, &word);
    if (bytes)
        weir_inbound_show(ret, bytes, word, socket->quick.number, socket->quick.uid);
    return bytes != NULL;
}

/* They lie in the same buffer, which stays until the next call. */
size_t weir_socket_follow(void *state, struct weir_following *ret, size_t max) {
    struct weir_socket *socket = state;
    size_t count = 0;
    if (!socket->quick.is_on)
        return 0;
    for (; count < max && (ret[count].bytes = quick_take(socket, &ret[count].word)) != NULL; count++)
        ret[count].gap = 0;
    return count;
}

/* ---- next ---- */

static int failure_tell(struct weir_socket *socket, weir_error *err) {
    int status = socket->failure.code;
    if (status != WEIR_OK && err)
        *err = socket->failure;
    socket->failure.code = WEIR_OK;
    return status;
}

static int next(struct weir_socket *socket, struct weir_inbound *ret, weir_error *err) {
    if (socket->is_last_next) {
        socket->is_last_next = 0; /* seek has taken what holds it */
        *ret = socket->last;
        ret->gap = 0;
        return WEIR_OK;
    }
    taken_release(socket);
    if (socket->mode == WEIR_MODE_SEEKING)
        weir_meet_timers(socket, weir_clock_monotonic());
    int status = socket->mode == WEIR_MODE_LISTENING   ? listening_next(socket, ret, err)
                 : socket->mode == WEIR_MODE_CONNECTED ? connected_next(socket, ret, err)
                                                       : WEIR_EAGAIN;
    /* The listener has gone, or refused us: look for another at once. */
    if (status == WEIR_EAGAIN && socket->mode == WEIR_MODE_SEEKING)
        weir_meet_timers(socket, weir_clock_monotonic());
    if (status == WEIR_EAGAIN && socket->failure.code != WEIR_OK)
        return failure_tell(socket, err);
    return status;
}

int weir_socket_next(void *state, struct weir_inbound *ret, weir_error *err) {
    struct weir_socket *socket = state;
    struct weir_inbound inbound;
    if (socket->quick.is_on && quick_next(socket, ret))
        return WEIR_OK;
    pthread_mutex_lock(&socket->lock);
    quick_end(socket);
    int status = next(socket, &inbound, err);
    if (status == WEIR_OK)
        quick_begin(socket, &inbound);
    inbound.is_in_place = socket->quick.is_on;
    if (socket->poll_fd >= 0) {
        weir_socket_show(socket);
        weir_pump_arm(socket);
    }
    pthread_mutex_unlock(&socket->lock);
    if (status == WEIR_OK)
        *ret = inbound;
    if (status == WEIR_ENOMEM)
        weir_fail(err, WEIR_ENOMEM, "%s: no memory for a message", socket->place.text);
    return status;
}

void weir_socket_release(void *state) {
    struct weir_socket *socket = state;
    pthread_mutex_lock(&socket->lock);
    quick_end(socket);
    if (!socket->is_last_next)
        taken_release(socket);
    pthread_mutex_unlock(&socket->lock);
}

/* ---- seek ---- */

static int listening_seek(struct weir_socket *socket, enum weir_from from, int64_t value) {
    size_t start;
    struct weir_inbound inbound;
    taken_release(socket);
    if (from != WEIR_FROM_LAST && from != WEIR_FROM_NOW) {
        seen_forget(socket);
        weir_spread_refill(socket, from, value);
        return WEIR_OK;
    }
    weir_queue_clear(&socket->inbox);
    inbox_drained(socket);
    struct weir_chunk *chunk = from == WEIR_FROM_LAST ? weir_spread_newest(socket, &start) : NULL;
    if (chunk) {
        seen_forget(socket);
        socket->taken = weir_chunk_ref(chunk);
        if (describe(socket, chunk->bytes + start, &inbound) == WEIR_ENOMEM)
            return WEIR_ENOMEM;
        socket->last = inbound;
        socket->is_last_next = 1;
    }
    seen_catch_up(socket);
    return chunk || from == WEIR_FROM_NOW ? WEIR_OK : WEIR_EAGAIN;
}

/* Take all that has arrived; the newest becomes `last`. */
static int arrived_skip(struct weir_socket *socket, weir_error *err) {
    struct weir_inbound inbound;
    int status = WEIR_OK;
    while (status == WEIR_OK && socket->mode == WEIR_MODE_CONNECTED)
        status = connected_next(socket, &inbound, err);
    return status == WEIR_EAGAIN ? WEIR_OK : status;
}

/* Ask the listener to begin elsewhere; what is on its way until it confirms is skipped. */
static int seek_ask(struct weir_socket *socket, enum weir_from from, int64_t value) {
    if (socket->mode != WEIR_MODE_CONNECTED) {
        socket->place.from = from; /* for the hello */
        socket->place.from_value = value;
        return WEIR_OK;
    }
    socket->seek = (struct weir_seek){from, value, socket->seek.serial + 1, 1};
    if (weir_upstream_ask(socket) != WEIR_OK)
        return WEIR_ENOMEM;
    socket->wants_sought = 1;
    seen_forget(socket);
    weir_socket_push(socket);
    return WEIR_OK;
}

static int seek(struct weir_socket *socket, enum weir_from from, int64_t value, weir_error *err) {
    socket->is_last_next = 0;
    if (socket->mode == WEIR_MODE_LISTENING)
        return listening_seek(socket, from, value);
    int status = arrived_skip(socket, err);
    socket->lost_request = socket->turned_away = 0; /* a client that seeks has done with its last request */
    if (status != WEIR_OK || socket->role == WEIR_ROLE_CLIENT)
        return status;
    if (from != WEIR_FROM_LAST)
        return seek_ask(socket, from, value);
    socket->is_last_next = socket->last.bytes != NULL;
    return socket->is_last_next ? WEIR_OK : WEIR_EAGAIN;
}

int weir_socket_seek(void *state, enum weir_from from, int64_t value, weir_error *err) {
    struct weir_socket *socket = state;
    pthread_mutex_lock(&socket->lock);
    quick_end(socket);
    int status = seek(socket, from, value, err);
    if (socket->poll_fd >= 0)
        weir_socket_show(socket);
    pthread_mutex_unlock(&socket->lock);
    return status;
}

/* ---- waiting ---- */

static int has_something(const struct weir_socket *socket) {
    struct weir_stream_frame frame;
    const struct weir_peer *upstream = &socket->upstream;
    if (socket->is_last_next || socket->failure.code != WEIR_OK)
        return 1;
    if (socket->mode == WEIR_MODE_LISTENING)
        return socket->inbox.count > 0;
    return socket->mode == WEIR_MODE_CONNECTED && upstream->phase == WEIR_PHASE_READY &&
           (upstream->has_ended || weir_stream_next(&upstream->in, &frame, NULL) != WEIR_EAGAIN);
}

/* A client whose server has gone with his request, or was none, gets no reply until he asks again. */
static int awaits_in_vain(const struct weir_socket *socket) {
    return socket->role == WEIR_ROLE_CLIENT && (socket->lost_request || socket->turned_away);
}

static int is_ready(struct weir_socket *socket, uint32_t what) {
    if ((what & WEIR_READY_TO_READ) && has_something(socket))
        return 1;
    return (what & WEIR_READY_TO_WRITE) && (socket->failure.code != WEIR_OK ||
                                            weir_socket_can_send(socket, socket->refused_peer, socket->refused_size));
}

/* May the owner wait in recv itself? Then nobody else handles this end's events, and nothing but input can come. */
static int is_direct(const struct weir_socket *socket, uint32_t what) {
    const struct weir_peer *upstream = &socket->upstream;
    return what == WEIR_READY_TO_READ && socket->mode == WEIR_MODE_CONNECTED && upstream->phase == WEIR_PHASE_READY &&
           !socket->pump.has_thread && !weir_peer_has_output(upstream) && !upstream->has_ended && !upstream->tls &&
           !upstream->plain;
}

/* Has something come? For spinning: with a read, or whatever else there is to do. */
static int spin_look(void *user) {
    struct weir_socket *socket = user;
    if (!is_direct(socket, WEIR_READY_TO_READ))
        return weir_pump_run(socket, 0, NULL) != WEIR_OK || is_ready(socket, WEIR_READY_TO_READ);
    int status = weir_upstream_read(socket, MSG_DONTWAIT);
    socket->upstream.has_ended |= status == WEIR_ECLOSED;
    return status != WEIR_EAGAIN;
}

/* An answer comes sooner than one can be woken for it. Return: 1 when something has come. */
static int spin(struct weir_socket *socket, uint32_t what, int64_t deadline) {
    if (what != WEIR_READY_TO_READ || weir_deadline_left(deadline) < WEIR_MS)
        return 0;
    return weir_spin_until(&socket->spin, spin_look, socket);
}

/* Wait for input with one system call when it comes soon; *is_idle says that it has not. */
static int direct_wait(struct weir_socket *socket, int64_t deadline, int *is_idle, weir_error *err) {
    int64_t left = weir_deadline_left(deadline);
    int flags = MSG_DONTWAIT;
    pthread_mutex_unlock(&socket->lock);
    if (left > WEIR_RECEIVE_SLICE && !*is_idle) {
        flags = 0;
    } else {
        struct pollfd item = {.fd = socket->upstream.fd, .events = POLLIN};
        struct timespec timeout = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
        if (ppoll(&item, 1, left == INT64_MAX ? NULL : &timeout, NULL) < 0 && errno != EINTR) {
            pthread_mutex_lock(&socket->lock);
            return weir_fail_errno(err, errno, "%s: waiting failed", socket->place.text);
        }
    }
    int status = weir_upstream_read(socket, flags);
    pthread_mutex_lock(&socket->lock);
    *is_idle |= status == WEIR_EAGAIN;
    if (status == WEIR_ENOMEM)
        return weir_fail(err, WEIR_ENOMEM, "%s: no memory for a message", socket->place.text);
    if (status == WEIR_ECLOSED)
        socket->upstream.has_ended = 1;
    return WEIR_OK;
}

/* One step of waiting. The end of a connection is dealt with here, so that an end that waits finds the next
 * listener. */
static int wait_step(struct weir_socket *socket, uint32_t what, int64_t deadline, int *is_idle, weir_error *err) {
    int status =
        is_direct(socket, what) ? direct_wait(socket, deadline, is_idle, err) : weir_pump_run(socket, deadline, err);
    struct weir_peer *upstream = &socket->upstream;
    struct weir_stream_frame frame;
    if (socket->mode == WEIR_MODE_CONNECTED && upstream->has_ended &&
        (upstream->phase != WEIR_PHASE_READY || weir_stream_next(&upstream->in, &frame, NULL) == WEIR_EAGAIN)) {
        weir_upstream_lost(socket, 0);
        weir_meet_timers(socket, weir_clock_monotonic());
    }
    return status;
}

int weir_socket_wait(void *state, uint32_t what, int64_t deadline, weir_error *err) {
    struct weir_socket *socket = state;
    int status = WEIR_OK, is_idle = 0;
    pthread_mutex_lock(&socket->lock);
    quick_end(socket);
    if (!is_ready(socket, what) && !awaits_in_vain(socket))
        (void)spin(socket, what, deadline);
    while (!is_ready(socket, what)) {
        /* A client that waits for a reply must hear of it when the server goes, though another may be there already. */
        if (awaits_in_vain(socket) && what == WEIR_READY_TO_READ) {
            status = weir_fail(err, WEIR_ETIMEOUT, "%s: the server has gone, no reply will come", socket->place.text);
            break;
        }
        status = wait_step(socket, what, deadline, &is_idle, err);
        if (status != WEIR_OK || what == 0)
            break;
        if (weir_deadline_left(deadline) == 0 && !is_ready(socket, what)) {
            status = weir_fail(err, WEIR_ETIMEOUT, "%s: nothing happened in time", socket->place.text);
            break;
        }
    }
    if (socket->poll_fd >= 0)
        weir_socket_show(socket);
    pthread_mutex_unlock(&socket->lock);
    return status;
}

/* ---- the descriptor ---- */

void weir_socket_show(struct weir_socket *socket) {
    uint64_t count = 1;
    int is_ready_now = has_something(socket) || awaits_in_vain(socket);
    if (socket->ready_fd < 0 || is_ready_now == socket->is_ready_shown)
        return;
    socket->is_ready_shown = !socket->is_ready_shown;
    if (socket->is_ready_shown)
        weir_event_tell(socket->ready_fd);
    else
        (void)!read(socket->ready_fd, &count, sizeof(count));
}

static int descriptors_open(struct weir_socket *socket) {
    struct epoll_event event = {.events = EPOLLIN};
    socket->ready_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int fd = epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0 || socket->ready_fd < 0 || epoll_ctl(fd, EPOLL_CTL_ADD, socket->ready_fd, &event) != 0 ||
        epoll_ctl(fd, EPOLL_CTL_ADD, socket->pump.epoll_fd, &event) != 0 || weir_pump_open_timer(socket) != WEIR_OK) {
        int sys_errno = errno;
        if (fd >= 0)
            close(fd);
        if (socket->ready_fd >= 0)
            close(socket->ready_fd);
        socket->ready_fd = -1;
        return sys_errno;
    }
    socket->poll_fd = fd;
    return 0;
}

int weir_socket_fd(void *state, int *ret, weir_error *err) {
    struct weir_socket *socket = state;
    pthread_mutex_lock(&socket->lock);
    quick_end(socket);
    int sys_errno = socket->poll_fd < 0 ? descriptors_open(socket) : 0;
    if (sys_errno == 0) {
        *ret = socket->poll_fd;
        weir_socket_show(socket);
        weir_pump_arm(socket);
    }
    pthread_mutex_unlock(&socket->lock);
    return sys_errno ? weir_fail_errno(err, sys_errno, "%s: no descriptor to wait with", socket->place.text) : WEIR_OK;
}
