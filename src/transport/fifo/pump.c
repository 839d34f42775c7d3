/* A thread that goes on writing.
 *
 * The owner writes by himself whenever he sends or waits. What a full pipe did not take would stay when he has
 * nothing more to say, so from the first time on that something is left, a thread looks after it: it waits for room
 * and writes, unless the owner is at it.
 *
 * What must stay true: outlets are written under the lock. The thread blocks all signals, never calls the user, and
 * touches nothing after weir_fifo_pump_stop. An end that never left anything has no thread. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "os/event.h"
#include "transport/fifo/fifo.h"

enum {
    STACK_SIZE = 256 << 10,
    GRACE_MS = 2,   /* how long the owner may be away before the thread takes over */
    UNREAD_MS = 20, /* how often it looks whether somebody reads by now */
    ITEMS_MAX = 1 + WEIR_FIFO_CLIENTS_MAX
};

static void thread_wake(struct weir_fifo_pump *pump) {
    weir_event_tell(pump->control_fd);
}

/* What has something left. Return: how many pipes; *ret_quiet: one of them cannot be waited for, as nobody reads. */
static size_t items_fill(struct weir_fifo *fifo, struct pollfd *items, int *ret_quiet) {
    size_t count = 0;
    *ret_quiet = 0;
    if (fifo->out.queue.count > 0) {
        if (fifo->out.fd >= 0 && fifo->out.hold_fd >= 0)
            items[count++] = (struct pollfd){.fd = fifo->out.fd, .events = POLLOUT};
        else
            *ret_quiet = 1;
    }
    for (size_t i = 0; i < fifo->client_count; i++) {
        const struct weir_outlet *out = &fifo->clients[i].out;
        if (out->session && out->queue.count > 0)
            items[count++] = (struct pollfd){.fd = out->fd, .events = POLLOUT};
    }
    return count;
}

/* One round: sleep for what there is to do, then do it. */
static void thread_step(struct weir_fifo *fifo, struct pollfd *items, uint64_t *turns_seen) {
    struct weir_fifo_pump *pump = &fifo->pump;
    uint64_t ticks;
    int is_quiet, timeout = -1, full = 0;
    size_t count = items_fill(fifo, items + 1, &is_quiet);
    pump->is_resting = count == 0 && !is_quiet;
    int is_owners = pump->owner_waits || pump->owner_turns != *turns_seen;
    if (!pump->is_resting && is_owners)
        timeout = GRACE_MS;
    else if (is_quiet)
        timeout = UNREAD_MS;
    *turns_seen = pump->owner_turns;
    items[0] = (struct pollfd){.fd = pump->control_fd, .events = POLLIN};
    pthread_mutex_unlock(&fifo->lock);
    if (!is_owners && count > 0)
        (void)!ioctl(items[1].fd, FIONREAD, &full);
    poll(items, is_owners ? 1 : 1 + count, timeout);
    if (!is_owners && count > 0 && (items[1].revents & POLLOUT) && !items[0].revents)
        weir_fifo_let_drain(items[1].fd, full);
    pthread_mutex_lock(&fifo->lock);
    if (items[0].revents)
        (void)!read(pump->control_fd, &ticks, sizeof(ticks));
    if (!is_owners && !pump->owner_waits && !pump->is_stopping)
        weir_fifo_push(fifo);
}

static void *thread_main(void *user) {
    struct weir_fifo *fifo = user;
    struct pollfd *items = malloc(ITEMS_MAX * 2 * sizeof(*items));
    pthread_mutex_lock(&fifo->lock);
    uint64_t turns_seen = fifo->pump.owner_turns; /* it was started because something is left: begin at once */
    while (items && !fifo->pump.is_stopping)
        thread_step(fifo, items, &turns_seen);
    pthread_mutex_unlock(&fifo->lock);
    free(items);
    return NULL;
}

/* Without a thread, what is left leaves with the owner's next call: late, but not lost. */
static void thread_start(struct weir_fifo *fifo) {
    sigset_t all, old;
    pthread_attr_t attributes;
    if (fifo->pump.control_fd < 0)
        fifo->pump.control_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fifo->pump.control_fd < 0 || pthread_attr_init(&attributes) != 0)
        return;
    sigfillset(&all);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    fifo->pump.has_thread = pthread_create(&fifo->pump.thread, &attributes, thread_main, fifo) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attributes);
    if (fifo->pump.has_thread)
        pthread_setname_np(fifo->pump.thread, "weir");
}

void weir_fifo_pump_need(struct weir_fifo *fifo) {
    struct weir_fifo_pump *pump = &fifo->pump;
    if (!pump->has_thread)
        thread_start(fifo);
    else if (pump->is_resting)
        thread_wake(pump);
    pump->is_resting = 0; /* woken once is enough */
}

void weir_fifo_pump_stop(struct weir_fifo *fifo) {
    struct weir_fifo_pump *pump = &fifo->pump;
    if (!pump->has_thread)
        return;
    pthread_mutex_lock(&fifo->lock);
    pump->is_stopping = 1;
    thread_wake(pump);
    pthread_mutex_unlock(&fifo->lock);
    pthread_join(pump->thread, NULL);
    pump->has_thread = 0;
}
