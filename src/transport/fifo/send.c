/* The operations of writers: also a client's requests and a server's replies.
 *
 * What must stay true: reserve and commit never block. A frame that was accepted leaves by the owner's own system call,
 * at once when the pipe takes it, else by the pump; of a writer in a burst, with others (kept.c). The limit counts what
 * is queued and what lies in the pipe. A pipe that nobody reads, or only an observer, holds no writer back: it keeps
 * the newest, as a ring does, and the writer takes the oldest out of it. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "base/clock.h"
#include "os/process.h"
#include "transport/fifo/fifo.h"
#include "transport/told.h"

enum { DRAIN_NAPS = 8, DRAIN_NAP_NS = 40 * 1000 };

/* ---- room ---- */

static int fits(const struct weir_fifo *fifo, struct weir_outlet *out, size_t size) {
    uint64_t capacity = fifo->place.capacity;
    if (out->queue.size == 0)
        return 1;
    if (size > capacity || out->queue.size > capacity - size)
        return 0;
    return weir_outlet_size(out) <= capacity - size;
}

int weir_fifo_is_held(struct weir_fifo *fifo) {
    struct weir_outlet *out = &fifo->out;
    if (out->fd < 0)
        return 0;
    if (weir_pipe_note(out->fd, WEIR_NOTE_READER))
        return 1;
    return !weir_pipe_note(out->fd, WEIR_NOTE_OBSERVER) && weir_outlet_is_read(out, &fifo->place);
}

static int is_lossy(struct weir_fifo *fifo) {
    return fifo->role == WEIR_ROLE_WRITER && (fifo->place.full == WEIR_FULL_DROP_OLDEST || !weir_fifo_is_held(fifo));
}

/* Make room by forgetting what is oldest: in the pipe, then in the queue. A message that has gone out in part stays,
 * and the new one is taken all the same. */
static void room_make(struct weir_fifo *fifo, size_t size) {
    struct weir_outlet *out = &fifo->out;
    while (!fits(fifo, out, size)) {
        if (out->framing != WEIR_FRAMING_FRAMES && weir_fifo_is_held(fifo))
            break; /* who reads bytes would get half a message */
        if (!weir_outlet_drop(out))
            break;
        (void)weir_outlet_flush(out);
    }
    if (fits(fifo, out, size))
        return;
    uint64_t inside = weir_outlet_size(out) - out->queue.size;
    uint64_t left = inside < fifo->place.capacity ? fifo->place.capacity - inside : 0;
    (void)weir_queue_make_room(&out->queue, size, left, WEIR_CHUNK_FIRM | WEIR_CHUNK_DROPPABLE);
}

/* Is there room on that way, if need be after forgetting something? */
static int room_get(struct weir_fifo *fifo, struct weir_outlet *out, size_t size) {
    if (fifo->role == WEIR_ROLE_CLIENT)
        return out->fd >= 0 && out->queue.size == 0; /* a request waits for its server, not in a queue */
    if (fits(fifo, out, size))
        return 1;
    if (!is_lossy(fifo))
        return 0;
    room_make(fifo, size);
    return 1;
}

static int size_check(const struct weir_fifo *fifo, size_t size, weir_error *err) {
    if (size <= fifo->place.size_max)
        return WEIR_OK;
    return weir_fail(err, WEIR_ETOOBIG, "%s: the message has %zu bytes, max= allows %llu; raise max= in the address",
                     fifo->place.text, size, (unsigned long long)fifo->place.size_max);
}

/* Where a frame for @peer goes. Return: NULL when that client has gone. */
static struct weir_outlet *way(struct weir_fifo *fifo, uint32_t peer) {
    return fifo->role == WEIR_ROLE_SERVER ? weir_client_outlet(fifo, peer) : &fifo->out;
}

static int reserve(struct weir_fifo *fifo, uint32_t peer, size_t size, struct weir_slot *ret, weir_error *err) {
    int status = size_check(fifo, size, err);
    struct weir_outlet *out = status ? NULL : way(fifo, peer);
    if (status || !out)
        return status ? status : WEIR_ECLOSED;
    /* What waits in the queue of a pipe that is not full was held back on purpose. */
    int is_ready = fifo->role == WEIR_ROLE_CLIENT
                       ? out->fd >= 0 && out->queue.size == 0
                       : out->queue.size == 0 || (!out->is_full && out->queue.size < WEIR_FIFO_BATCH_SIZE);
    if (!is_ready) {
        weir_fifo_push(fifo);
        fifo->pump.owner_turns++;
        out = way(fifo, peer);
        is_ready = !out || room_get(fifo, out, size);
    }
    if (!is_ready) {
        fifo->refused_size = size;
        fifo->refused_peer = peer;
        return weir_fail(err, WEIR_EAGAIN, "%s: the pipe is full", fifo->place.text);
    }
    size_t room = size + (fifo->burst.is_hot && size <= WEIR_BURST_FRAME_MAX ? WEIR_FIFO_KEPT_ROOM : 0);
    if (weir_chunk_room(&fifo->own, room, WEIR_FRAME_ALIGNMENT, WEIR_CHUNK_FIRM, &fifo->own_start) != WEIR_OK)
        return weir_fail(err, WEIR_ENOMEM, "%s: no memory for a message of %zu bytes", fifo->place.text, size);
    fifo->own_size = size;
    fifo->own_peer = peer;
    *ret = (struct weir_slot){.bytes = fifo->own->bytes + fifo->own_start, .seq = fifo->own_seq + 1};
    return WEIR_OK;
}

int weir_fifo_reserve(void *state, uint64_t peer, size_t size, struct weir_slot *ret, weir_error *err) {
    struct weir_fifo *fifo = state;
    unsigned char *bytes = peer == 0 ? weir_burst_room(&fifo->burst, size, &ret->seq) : NULL;
    if (bytes) {
        ret->bytes = bytes;
        fifo->own_start = (size_t)(bytes - fifo->own->bytes);
        fifo->own_size = size;
        fifo->own_peer = 0;
        return WEIR_OK;
    }
    pthread_mutex_lock(&fifo->lock);
    if (fifo->burst.is_granted)
        weir_fifo_kept_used_up(fifo);
    int status = reserve(fifo, (uint32_t)peer, size, ret, err);
    pthread_mutex_unlock(&fifo->lock);
    return status;
}

/* ---- writing ---- */

/* Nobody may write any more: a client's server, or a server's client, has gone. A writer keeps what is queued. */
static void outlet_lost(struct weir_fifo *fifo, struct weir_outlet *out) {
    if (fifo->role == WEIR_ROLE_CLIENT)
        weir_queue_clear(&out->queue);
    if (fifo->role == WEIR_ROLE_SERVER)
        weir_client_forget(fifo, out);
}

int weir_fifo_push(struct weir_fifo *fifo) {
    if (fifo->out.queue.count > 0 && weir_outlet_flush(&fifo->out) == WEIR_ECLOSED)
        outlet_lost(fifo, &fifo->out);
    int is_left = fifo->out.queue.count > 0;
    for (size_t i = 0; i < fifo->client_count; i++) {
        struct weir_outlet *out = &fifo->clients[i].out;
        if (out->queue.count > 0 && weir_outlet_flush(out) == WEIR_ECLOSED)
            outlet_lost(fifo, out);
        is_left |= out->queue.count > 0;
    }
    if (fifo->place.told)
        WEIR_TELL(fifo->place.told->queued, fifo->out.queue.size);
    return is_left;
}

static void push_own(struct weir_fifo *fifo) {
    fifo->pump.owner_turns++;
    if (weir_fifo_push(fifo))
        weir_fifo_pump_need(fifo);
}

/* Put a small frame next to the one before it. Return: where it begins now. */
static size_t pack(struct weir_chunk *own, size_t start, size_t size) {
    if (size > WEIR_FIFO_PACKED_MAX || start == own->size)
        return start;
    memmove(own->bytes + own->size, own->bytes + start, size);
    return own->size;
}

/* Queue the frame that is written and, if it does not wait for others, write the queue. */
static int commit(struct weir_fifo *fifo, uint32_t flags, weir_error *err) {
    size_t size = fifo->own_size;
    int was_granted = fifo->burst.is_granted; /* then the flusher has seen to what the pipe did not take */
    weir_fifo_kept_queue(fifo, WEIR_BURST_PAUSES);
    size_t start = pack(fifo->own, fifo->own_start, size);
    struct weir_outlet *out = way(fifo, fifo->own_peer);
    int is_batch = flags & WEIR_COMMIT_MORE;
    fifo->own_size = 0;
    fifo->burst.is_hot |= fifo->burst.may_keep && fifo->out.is_full && fifo->out.queue.count > 0;
    if (!is_batch && !fifo->burst.is_hot)
        weir_burst_before(&fifo->burst);
    if (weir_fifo_kept_begin(fifo, start, size, flags))
        return WEIR_OK;
    weir_fifo_kept_queue(fifo, WEIR_BURST_ENDS);
    fifo->own->size = start + size;
    fifo->own_seq++;
    if (!out)
        return WEIR_OK; /* he has gone since */
    int status = weir_outlet_push(out, fifo->own, start, start + size, err);
    if (status != WEIR_OK) {
        fifo->own_seq--; /* it was not sent */
        return status;
    }
    fifo->has_asked |= fifo->role == WEIR_ROLE_CLIENT;
    if (is_batch && !was_granted && out->queue.size < WEIR_FIFO_BATCH_SIZE)
        return WEIR_OK;
    push_own(fifo);
    if (fifo->burst.is_hot) /* it was not worth a grant, or is too large to be kept */
        weir_burst_before(&fifo->burst);
    weir_burst_after(&fifo->burst);
    return WEIR_OK;
}

int weir_fifo_commit(void *state, uint64_t word, uint32_t flags, weir_error *err) {
    struct weir_fifo *fifo = state;
    unsigned char *bytes = fifo->own->bytes + fifo->own_start;
    memcpy(bytes, &word, sizeof(word));
    if (fifo->own_peer == 0 && weir_burst_take(&fifo->burst, bytes, fifo->own_size, flags)) {
        fifo->own_size = 0;
        return WEIR_OK;
    }
    pthread_mutex_lock(&fifo->lock);
    int status = commit(fifo, flags, err);
    pthread_mutex_unlock(&fifo->lock);
    return status == WEIR_ENOMEM ? weir_fail(err, status, "%s: no memory to queue a message", fifo->place.text)
                                 : status;
}

uint64_t weir_fifo_post(void *state, uint64_t word, const void *data, size_t size, int64_t time, uint32_t flags) {
    struct weir_fifo *fifo = state;
    return weir_burst_post(&fifo->burst, word, data, size, time, flags);
}

size_t weir_fifo_post_many(void *state, uint64_t word, const weir_view *data, size_t count, int64_t time,
                           uint32_t flags, uint64_t *ret_seq) {
    struct weir_fifo *fifo = state;
    if (fifo->place.size_max < WEIR_BURST_FRAME_MAX)
        return 0; /* reserve looks at each one's size */
    return weir_burst_post_many(&fifo->burst, word, data, count, time, flags, ret_seq);
}

void weir_fifo_discard(void *state) {
    struct weir_fifo *fifo = state;
    fifo->own_size = 0;
}

void weir_fifo_skip(void *state) {
    struct weir_fifo *fifo = state;
    pthread_mutex_lock(&fifo->lock);
    weir_fifo_kept_queue(fifo, WEIR_BURST_ENDS);
    fifo->own_seq++;
    push_own(fifo);
    pthread_mutex_unlock(&fifo->lock);
}

/* In a burst a batch is like a message: it waits for those that follow. */
int weir_fifo_flush(void *state, weir_error *err) {
    struct weir_fifo *fifo = state;
    struct weir_burst *burst = &fifo->burst;
    (void)err;
    if (burst->is_granted && !burst->is_corked)
        return WEIR_OK; /* or it has ended this moment, and what was kept has left */
    pthread_mutex_lock(&fifo->lock);
    weir_burst_before(burst);
    if (!weir_burst_is_on(burst) || !weir_burst_uncork(burst)) {
        weir_fifo_kept_queue(fifo, WEIR_BURST_ENDS);
        push_own(fifo);
        weir_burst_after(burst);
    }
    pthread_mutex_unlock(&fifo->lock);
    return WEIR_OK;
}

/* ---- waiting ---- */

/* May reserve succeed now? */
static int may_send(struct weir_fifo *fifo) {
    struct weir_outlet *out = way(fifo, fifo->refused_peer);
    if (!out)
        return 1; /* he has gone, which reserve says */
    weir_fifo_push(fifo);
    if (fifo->role == WEIR_ROLE_CLIENT)
        return out->fd >= 0 && out->queue.size == 0;
    return fits(fifo, out, fifo->refused_size);
}

/* The pipe has room for one packet again. To fill that at once would wake us for each packet that the reader takes;
 * so as long as he goes on reading, he is let read a quarter of it. */
/* Programs without weir leave no note. */
void weir_fifo_in_the_way(void *state, char *text, size_t size) {
    struct weir_fifo *fifo = state;
    pthread_mutex_lock(&fifo->lock);
    uint64_t note = fifo->out.fd >= 0 ? weir_pipe_note(fifo->out.fd, WEIR_NOTE_READER) : 0;
    pthread_mutex_unlock(&fifo->lock);
    text[0] = '\0';
    if (note)
        weir_process_text(weir_note_pid(note), text, size);
}

void weir_fifo_let_drain(int fd, int full) {
    int inside = 0, before = full;
    for (int i = 0; i < DRAIN_NAPS && ioctl(fd, FIONREAD, &inside) == 0; i++) {
        if (inside <= full - full / 4 || (i > 0 && inside == before))
            return;
        before = inside;
        nanosleep(&(struct timespec){.tv_nsec = DRAIN_NAP_NS}, NULL);
    }
}

/* Sleep until the pipe has room, at most until @until. Return: 0 when there is nothing to sleep on. */
static int room_sleep(const struct weir_outlet *out, int64_t until) {
    int64_t left = weir_deadline_left(until);
    struct timespec timeout = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
    struct pollfd item = {.fd = out->fd, .events = POLLOUT};
    int full = 0;
    if (out->fd < 0)
        return 0;
    if (ioctl(out->fd, FIONREAD, &full) == 0 && ppoll(&item, 1, &timeout, NULL) > 0 && !(item.revents & POLLERR))
        weir_fifo_let_drain(out->fd, full);
    return !(item.revents & POLLERR);
}

int weir_fifo_wait_to_write(struct weir_fifo *fifo, int64_t deadline, weir_error *err) {
    int status = WEIR_OK;
    pthread_mutex_lock(&fifo->lock);
    fifo->pump.owner_waits = 1;
    while (!may_send(fifo)) {
        if (weir_deadline_left(deadline) == 0) {
            status = weir_fail(err, WEIR_ETIMEOUT, "%s: the pipe is full", fifo->place.text);
            break;
        }
        struct weir_outlet *out = way(fifo, fifo->refused_peer);
        if (!out || (fifo->role == WEIR_ROLE_WRITER && !weir_fifo_is_held(fifo)))
            break; /* nobody reads any more, so nobody holds us back */
        struct weir_outlet sleeping = {.fd = out->fd};
        int64_t slice = weir_clock_monotonic() + WEIR_FIFO_SLICE;
        pthread_mutex_unlock(&fifo->lock);
        if (!room_sleep(&sleeping, slice < deadline ? slice : deadline))
            nanosleep(&(struct timespec){.tv_nsec = WEIR_FIFO_NAP}, NULL);
        pthread_mutex_lock(&fifo->lock);
    }
    fifo->pump.owner_waits = 0;
    pthread_mutex_unlock(&fifo->lock);
    return status;
}

int weir_fifo_readers(void *state, uint32_t *ret) {
    struct weir_fifo *fifo = state;
    pthread_mutex_lock(&fifo->lock);
    weir_fifo_push(fifo);
    *ret = fifo->role == WEIR_ROLE_WRITER && weir_fifo_is_held(fifo);
    pthread_mutex_unlock(&fifo->lock);
    return WEIR_OK;
}
