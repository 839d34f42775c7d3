/* The operations of readers: also a server's requests and a client's replies.
 *
 * A pipe has no history: what is in it is under way, and the next to read gets it. So where a reader begins means:
 * what of that he passes over.
 *
 * What must stay true: the frame delivered last stays (`last`) until a newer one comes, for seek. A pipe that nobody
 * writes any more ends (read gives 0) and stays ended for the descriptor that saw it, so the descriptor is replaced
 * by a fresh one, which waits for the next writer. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "frame/frame.h"
#include "os/event.h"
#include "transport/fifo/fifo.h"

static const int64_t SPIN_LEFT_MIN = 1000000; /* who waits for less does not spin */

/* ---- reading ---- */

/* The pipe has ended: wait for the next writer with a fresh descriptor. Return: 0 when none is left for a moment; then
 * it stays ended and is tried again. */
static int renew(struct weir_fifo *fifo) {
    struct epoll_event event = {.events = EPOLLIN};
    pthread_mutex_lock(&fifo->lock); /* a child of fork gets no copy */
    int fd = weir_pipe_open_again(&fifo->place, fifo->lock_fd, O_RDONLY);
    int is_fresh = fd >= 0 && dup3(fd, fifo->in.fd, O_CLOEXEC) >= 0;
    if (is_fresh && fifo->poll_fd >= 0)
        epoll_ctl(fifo->poll_fd, EPOLL_CTL_ADD, fifo->in.fd, &event);
    weir_child_close(&fd);
    pthread_mutex_unlock(&fifo->lock);
    return is_fresh;
}

/* Is the frame one that the reader wanted to skip? */
static int is_skipped(struct weir_fifo *fifo, struct weir_inbound *inbound) {
    uint64_t seq;
    if (fifo->skip_below == 0 && fifo->skip_before == 0)
        return 0;
    memcpy(&seq, inbound->bytes + 8, sizeof(seq));
    int64_t moment = weir_frame_moment(inbound->bytes, inbound->word);
    if (seq < fifo->skip_below || (moment && moment < fifo->skip_before))
        return 1;
    if (fifo->skip_below > 0) /* who names a seq learns how many there are no more from it on */
        inbound->gap = seq - fifo->skip_below;
    fifo->skip_below = 0;
    fifo->skip_before = 0;
    return 0;
}

/* The next frame, reading as often as it takes. */
static int frame_next(struct weir_fifo *fifo, struct weir_inbound *ret, weir_error *err) {
    for (;;) {
        int status = weir_inlet_next(&fifo->in, fifo->place.text, ret, err);
        if (status == WEIR_OK && is_skipped(fifo, ret))
            continue;
        if (status != WEIR_EAGAIN)
            return status;
        status = weir_inlet_read(&fifo->in);
        if (status == WEIR_ECLOSED) {
            renew(fifo);
            if (!weir_inlet_has(&fifo->in))
                return WEIR_EAGAIN;
            continue;
        }
        if (status == WEIR_ESYSTEM)
            return weir_fail_errno(err, errno, "%s: reading failed", fifo->place.text);
        if (status != WEIR_OK)
            return status;
    }
}

static int next(struct weir_fifo *fifo, struct weir_inbound *ret, weir_error *err) {
    if (fifo->is_last_next) {
        fifo->is_last_next = 0;
        *ret = fifo->last;
        ret->bytes = fifo->in.last_bytes;
        ret->gap = 0;
        return WEIR_OK;
    }
    int status = frame_next(fifo, ret, err);
    if (status != WEIR_OK)
        return status;
    ret->uid = fifo->uid;
    if (fifo->role != WEIR_ROLE_SERVER)
        ret->peer = 0;
    if (fifo->role == WEIR_ROLE_READER) {
        fifo->last = *ret;
        fifo->in.last_bytes = ret->bytes;
        fifo->in.last_size = ret->size;
    }
    return WEIR_OK;
}

static int has_something(const struct weir_fifo *fifo) {
    return fifo->is_last_next || weir_inlet_has(&fifo->in);
}

/* Make the eventfd readable while something is there that was read already. */
static void show(struct weir_fifo *fifo) {
    uint64_t count = 1;
    int is_ready = has_something(fifo);
    if (fifo->poll_fd < 0 || is_ready == fifo->is_ready_shown)
        return;
    fifo->is_ready_shown = (uint8_t)is_ready;
    if (is_ready)
        weir_event_tell(fifo->ready_fd);
    else
        (void)!read(fifo->ready_fd, &count, sizeof(count));
}

/* May frames be taken out of what was read without looking around? */
static int is_quick(const struct weir_fifo *fifo) {
    return fifo->role == WEIR_ROLE_READER && !fifo->is_last_next && fifo->poll_fd < 0 && fifo->skip_below == 0 &&
           fifo->skip_before == 0;
}

static inline void quick_keep(struct weir_fifo *fifo, const unsigned char *bytes, uint64_t word) {
    weir_inbound_show(&fifo->last, bytes, word, fifo->in.current->number, fifo->uid);
    fifo->in.last_bytes = bytes;
    fifo->in.last_size = weir_frame_word_size(word);
}

static int quick_next(struct weir_fifo *fifo, struct weir_inbound *ret) {
    uint64_t word;
    const unsigned char *bytes = weir_inlet_quick(&fifo->in, &word);
    if (!bytes)
        return 0;
    weir_inbound_show(ret, bytes, word, fifo->in.current->number, fifo->uid);
    quick_keep(fifo, bytes, word);
    return 1;
}

/* They lie in the same buffer of their source, which stays until the next call. */
size_t weir_fifo_follow(void *state, struct weir_following *ret, size_t max) {
    struct weir_fifo *fifo = state;
    size_t count = 0;
    if (!is_quick(fifo))
        return 0;
    for (; count < max && (ret[count].bytes = weir_inlet_quick(&fifo->in, &ret[count].word)) != NULL; count++)
        ret[count].gap = 0;
    if (count > 0)
        quick_keep(fifo, ret[count - 1].bytes, ret[count - 1].word);
    return count;
}

int weir_fifo_next(void *state, struct weir_inbound *ret, weir_error *err) {
    struct weir_fifo *fifo = state;
    struct weir_inbound inbound;
    if (fifo->in.fd < 0)
        return WEIR_EAGAIN;
    if (__builtin_expect(is_quick(fifo), 1) && quick_next(fifo, ret))
        return WEIR_OK;
    int status = next(fifo, &inbound, err);
    inbound.is_in_place = is_quick(fifo) && fifo->in.current;
    show(fifo);
    if (status == WEIR_OK)
        *ret = inbound;
    if (status == WEIR_ENOMEM)
        weir_fail(err, WEIR_ENOMEM, "%s: no memory for a message", fifo->place.text);
    return status;
}

void weir_fifo_release(void *state) {
    (void)state; /* what was taken from a pipe makes room by having been read */
}

/* ---- seek ---- */

/* Take all that is there; the newest becomes `last`. */
static int all_skip(struct weir_fifo *fifo, weir_error *err) {
    struct weir_inbound inbound;
    int status;
    fifo->is_last_next = 0;
    do
        status = next(fifo, &inbound, err);
    while (status != WEIR_EAGAIN && status != WEIR_ENOMEM && status != WEIR_ESYSTEM);
    return status == WEIR_EAGAIN ? WEIR_OK : status;
}

int weir_fifo_seek(void *state, enum weir_from from, int64_t value, weir_error *err) {
    struct weir_fifo *fifo = state;
    int status = WEIR_OK;
    if (fifo->in.fd < 0)
        return from == WEIR_FROM_LAST ? WEIR_EAGAIN : WEIR_OK;
    if (from == WEIR_FROM_NOW || from == WEIR_FROM_LAST)
        status = all_skip(fifo, err);
    if (from == WEIR_FROM_SEQ)
        fifo->skip_below = value > 0 ? (uint64_t)value : 1;
    if (from == WEIR_FROM_AGO)
        fifo->skip_before = weir_clock_realtime() - value;
    fifo->is_last_next = from == WEIR_FROM_LAST && status == WEIR_OK && fifo->in.last_bytes != NULL;
    show(fifo);
    return status == WEIR_OK && from == WEIR_FROM_LAST && !fifo->is_last_next ? WEIR_EAGAIN : status;
}

/* ---- waiting ---- */

/* For spinning: has something come? The end of the pipe is not looked for here. */
static int spin_look(void *user) {
    struct weir_fifo *fifo = user;
    return weir_inlet_read(&fifo->in) != WEIR_EAGAIN;
}

static int wait_to_read(struct weir_fifo *fifo, int64_t deadline, weir_error *err) {
    struct pollfd item = {.fd = fifo->in.fd, .events = POLLIN};
    if (!has_something(fifo) && !fifo->in.has_ended && weir_deadline_left(deadline) >= SPIN_LEFT_MIN &&
        weir_spin_until(&fifo->spin, spin_look, fifo) && !fifo->in.has_ended)
        return WEIR_OK;
    while (!has_something(fifo)) {
        int64_t left = weir_deadline_left(deadline);
        struct timespec timeout = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
        if (left == 0)
            return weir_fail(err, WEIR_ETIMEOUT, "%s: nothing came in time", fifo->place.text);
        int count = ppoll(&item, 1, left == INT64_MAX ? NULL : &timeout, NULL);
        if (count < 0 && errno != EINTR)
            return weir_fail_errno(err, errno, "%s: waiting failed", fifo->place.text);
        if (count < 0 || (count > 0 && (item.revents & POLLIN)))
            return WEIR_OK; /* after a signal too: however many come, what is there is read */
        if (count == 0)
            continue;
        int status = weir_inlet_read(&fifo->in);
        if (status == WEIR_OK)
            return WEIR_OK;
        if (status != WEIR_ECLOSED || !renew(fifo))
            nanosleep(&(struct timespec){.tv_nsec = WEIR_FIFO_NAP}, NULL); /* neither data nor an end: not for ever */
    }
    return WEIR_OK;
}

int weir_fifo_wait(void *state, uint32_t what, int64_t deadline, weir_error *err) {
    struct weir_fifo *fifo = state;
    int status =
        what & WEIR_READY_TO_WRITE ? weir_fifo_wait_to_write(fifo, deadline, err) : wait_to_read(fifo, deadline, err);
    show(fifo);
    return status;
}

/* ---- the descriptor ---- */

int weir_fifo_fd(void *state, int *ret, weir_error *err) {
    struct weir_fifo *fifo = state;
    struct epoll_event event = {.events = EPOLLIN};
    if (fifo->poll_fd >= 0) {
        *ret = fifo->poll_fd;
        return WEIR_OK;
    }
    int ready = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), fd = epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0 || ready < 0 || epoll_ctl(fd, EPOLL_CTL_ADD, ready, &event) != 0 ||
        (fifo->in.fd >= 0 && epoll_ctl(fd, EPOLL_CTL_ADD, fifo->in.fd, &event) != 0)) {
        int sys_errno = errno;
        weir_child_close(&fd);
        weir_child_close(&ready);
        return weir_fail_errno(err, sys_errno, "%s: no descriptor to wait with", fifo->place.text);
    }
    pthread_mutex_lock(&fifo->lock); /* a fork at this moment finds both or none */
    fifo->ready_fd = ready;
    fifo->poll_fd = fd;
    pthread_mutex_unlock(&fifo->lock);
    show(fifo);
    *ret = fifo->poll_fd;
    return WEIR_OK;
}
