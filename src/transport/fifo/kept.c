/* What a writer in a burst keeps back: frames in his open chunk, behind its size, that are not queued yet.
 *
 * What must stay true: no more is kept than there was room for, pipe and queue together, when the grant began, so full=
 * means what it means without; and no more than a quarter of capacity=. Only frames to a reader are kept: a request or
 * a reply is waited for, and a plain message is made when it is queued, which may fail. */
#include "transport/fifo/fifo.h"

int weir_fifo_kept_begin(struct weir_fifo *fifo, size_t start, size_t size, uint32_t flags) {
    struct weir_burst *burst = &fifo->burst;
    int is_corked = (flags & WEIR_COMMIT_MORE) != 0;
    if (fifo->role != WEIR_ROLE_WRITER || fifo->framing != WEIR_FRAMING_FRAMES || size > WEIR_BURST_FRAME_MAX ||
        (!is_corked && !weir_burst_is_on(burst)))
        return 0;
    uint64_t left = fifo->own->capacity - start, most = fifo->place.capacity / 4;
    most = most < left ? most : left;
    uint64_t room = weir_outlet_room(&fifo->out, fifo->place.capacity, most);
    left = room < most ? room : most;
    unsigned char *from = fifo->own->bytes + start;
    return left > size && weir_burst_grant(burst, from, from + size, (size_t)left - size, fifo->own_seq + 1, is_corked);
}

void weir_fifo_kept_queue(struct weir_fifo *fifo, enum weir_burst_how how) {
    uint64_t seq;
    if (!atomic_load_explicit(&fifo->burst.is_granted, memory_order_relaxed))
        return;
    size_t size = weir_burst_collect(&fifo->burst, how, &seq), start = fifo->own->size;
    if (size == 0)
        return;
    fifo->own->size = start + size;
    fifo->own_seq = seq;
    (void)weir_outlet_push(&fifo->out, fifo->own, start, start + size, NULL); /* no memory: seen as a gap */
}

void weir_fifo_kept_used_up(struct weir_fifo *fifo) {
    int is_burst = !fifo->burst.is_corked;
    fifo->burst.is_hot |= is_burst;
    weir_fifo_kept_queue(fifo, is_burst ? WEIR_BURST_PAUSES : WEIR_BURST_ENDS);
    if (!is_burst && fifo->out.queue.size < WEIR_FIFO_BATCH_SIZE)
        return;
    fifo->pump.owner_turns++;
    if (is_burst) { /* the flusher sees to the rest, if we do not come back */
        (void)weir_outlet_flush_full(&fifo->out);
        fifo->burst.has_rest = !fifo->out.is_full && fifo->out.queue.count > 0;
    } else if (weir_fifo_push(fifo))
        weir_fifo_pump_need(fifo);
}

void weir_fifo_kept_flush(void *object, enum weir_burst_how how) {
    struct weir_fifo *fifo = object;
    pthread_mutex_lock(&fifo->lock);
    weir_fifo_kept_queue(fifo, how);
    if (weir_fifo_push(fifo))
        weir_fifo_pump_need(fifo);
    pthread_mutex_unlock(&fifo->lock);
}
