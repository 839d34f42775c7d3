/* Waiting for events, and who does it.
 *
 * One epoll set holds all sockets of an end. The owner's thread handles its events itself whenever it is inside wait or
 * next: then a message costs no switch between threads. While the owner is busy elsewhere, a thread of ours does it, so
 * that others can come in, frames are passed on, and queues are emptied. The handover:
 *
 *   - is_owners is set when the owner pumps. The thread then handles nothing; it looks again after PUMP_GRACE, and when
 *     the owner has not pumped in between, clears it and handles events until the owner comes back.
 *   - While the owner sits in epoll_wait, the thread sleeps without a time limit (WEIR_REST_LONG); the owner wakes it
 *     when he leaves, and whenever what he has done makes it needed, or needed earlier than it would wake
 *     (weir_pump_rouse). An idle end therefore wakes nobody.
 *   - weir_pump_hand_over gives the pump to the thread at once: the owner has left something queued.
 *
 * What must stay true: events are handled under the lock, by whoever the pump belongs to at that moment; both may see
 * the same event, so handling one that is over does nothing. The thread blocks all signals, never calls the user, and
 * touches nothing after weir_pump_stop. Servers, and ends that are connected, get a thread only when the owner first
 * leaves something queued. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "os/event.h"
#include "transport/socket/socket.h"

enum {
    EVENTS_MAX = 64,
    STACK_SIZE = 256 << 10,
    PUMP_GRACE_MS = 4 /* how long the owner may be away before the thread takes over */
};

int weir_pump_open(struct weir_socket *socket, weir_error *err) {
    struct weir_pump *pump = &socket->pump;
    pump->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (pump->epoll_fd >= 0)
        pump->control_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pump->control_fd < 0)
        return weir_fail_errno(err, errno, "%s: no descriptor to wait with", socket->place.text);
    return WEIR_OK;
}

void weir_pump_watch(struct weir_socket *socket, int fd, uint64_t key, uint32_t events, uint32_t *watched) {
    struct epoll_event event = {.events = events, .data.u64 = key};
    int how = !events ? EPOLL_CTL_DEL : *watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    int failed = epoll_ctl(socket->pump.epoll_fd, how, fd, &event);
    if (failed && (errno == ENOMEM || errno == EINTR)) /* once more: what is not watched, nobody hears of again */
        failed = epoll_ctl(socket->pump.epoll_fd, how, fd, &event);
    if (!failed || !events)
        *watched = events;
}

/* ---- handling ---- */

static int64_t next_timer(const struct weir_socket *socket) {
    return socket->mode == WEIR_MODE_LISTENING ? weir_hub_next_timer(socket) : weir_meet_next_timer(socket);
}

static void timers_run(struct weir_socket *socket) {
    int64_t due = next_timer(socket);
    if (due == INT64_MAX)
        return;
    int64_t now = weir_clock_monotonic();
    if (due > now)
        return;
    if (socket->mode == WEIR_MODE_LISTENING)
        weir_hub_timers(socket, now);
    else
        weir_meet_timers(socket, now);
}

static void event_handle(struct weir_socket *socket, const struct epoll_event *event) {
    uint64_t key = event->data.u64;
    uint32_t place = (uint32_t)key;
    uint64_t ticks;
    if (place >= WEIR_KEY_PEERS)
        weir_hub_event(socket, key, event->events);
    else if (place == WEIR_KEY_LISTENER)
        weir_hub_accept(socket);
    else if (place == WEIR_KEY_TIMER)
        socket->pump.armed = read(socket->pump.timer_fd, &ticks, sizeof(ticks)) > 0 ? INT64_MAX : socket->pump.armed;
    else if (socket->mode == WEIR_MODE_CONNECTED && key >> 32 == socket->upstream.generation)
        weir_upstream_event(socket, event->events);
}

static void events_handle(struct weir_socket *socket, const struct epoll_event *events, int count) {
    for (int i = 0; i < count; i++)
        event_handle(socket, &events[i]);
    timers_run(socket);
    if (socket->mode == WEIR_MODE_LISTENING)
        weir_hub_settle(socket);
}

static int timeout_ms(int64_t deadline) {
    int64_t left = weir_deadline_left(deadline);
    if (left == INT64_MAX)
        return -1;
    int64_t ms = (left + WEIR_MS - 1) / WEIR_MS; /* rounded up: never early */
    return ms > 1000000 ? 1000000 : (int)ms;
}

int weir_pump_open_timer(struct weir_socket *socket) {
    uint32_t watched = 0;
    if (socket->pump.timer_fd >= 0)
        return WEIR_OK;
    socket->pump.timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (socket->pump.timer_fd < 0)
        return WEIR_ESYSTEM;
    weir_pump_watch(socket, socket->pump.timer_fd, WEIR_KEY_TIMER, EPOLLIN, &watched);
    return WEIR_OK;
}

void weir_pump_arm(struct weir_socket *socket) {
    int64_t due = next_timer(socket);
    if (socket->pump.timer_fd < 0 || due == socket->pump.armed)
        return;
    int64_t moment = due == INT64_MAX ? 0 : due > 0 ? due : 1; /* 0 disarms */
    struct itimerspec when = {.it_value = {.tv_sec = moment / 1000000000, .tv_nsec = moment % 1000000000}};
    timerfd_settime(socket->pump.timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
    socket->pump.armed = due;
}

/* ---- the owner ---- */

static void thread_wake(struct weir_pump *pump) {
    weir_event_tell(pump->control_fd);
}

/* A listener elsewhere that goes says so, and a writer must hear it though its owner only sends. */
static int must_hear(const struct weir_socket *socket) {
    return socket->role == WEIR_ROLE_WRITER && !socket->family->is_one_machine;
}

/* Does somebody have to act while the owner is away? */
static int thread_is_needed(const struct weir_socket *socket) {
    return (socket->mode == WEIR_MODE_LISTENING && socket->role != WEIR_ROLE_SERVER) ||
           (socket->mode == WEIR_MODE_CONNECTED && must_hear(socket)) || weir_socket_has_leftover(socket);
}

void weir_pump_rouse(struct weir_socket *socket) {
    struct weir_pump *pump = &socket->pump;
    if (!pump->has_thread || pump->owner_waits)
        return;
    int is_asleep = pump->rest == WEIR_REST_LONG && thread_is_needed(socket);
    if (is_asleep || (pump->rest == WEIR_REST_NONE && next_timer(socket) < pump->thread_until)) {
        pump->rest = WEIR_REST_NONE; /* woken once is enough */
        pump->thread_until = INT64_MIN;
        thread_wake(pump);
    }
}

int weir_pump_run(struct weir_socket *socket, int64_t deadline, weir_error *err) {
    struct weir_pump *pump = &socket->pump;
    struct epoll_event events[EVENTS_MAX];
    int64_t timer = deadline == 0 ? 0 : next_timer(socket);
    pump->is_owners = 1;
    pump->owner_turns++;
    int timeout = timeout_ms(timer < deadline ? timer : deadline);
    int count;
    if (timeout == 0) {
        count = epoll_wait(pump->epoll_fd, events, EVENTS_MAX, 0);
    } else {
        pump->owner_waits = 1;
        pthread_mutex_unlock(&socket->lock);
        count = epoll_wait(pump->epoll_fd, events, EVENTS_MAX, timeout);
        pthread_mutex_lock(&socket->lock);
        pump->owner_waits = 0;
    }
    if (count < 0 && errno != EINTR) {
        int sys_errno = errno;
        weir_pump_rouse(socket);
        return weir_fail_errno(err, sys_errno, "%s: waiting failed", socket->place.text);
    }
    events_handle(socket, events, count);
    weir_pump_rouse(socket); /* what was handled may have made the thread needed */
    return WEIR_OK;
}

/* ---- the thread ---- */

/* What the thread does next. Return: the time limit for poll; *ret_watches: it handles events. */
static int thread_plan(struct weir_socket *socket, uint64_t *turns_seen, int *ret_watches) {
    struct weir_pump *pump = &socket->pump;
    *ret_watches = 0;
    if (pump->owner_waits || !thread_is_needed(socket)) {
        pump->rest = WEIR_REST_LONG;
        return -1;
    }
    if (pump->is_owners && pump->owner_turns != *turns_seen) {
        *turns_seen = pump->owner_turns;
        pump->rest = WEIR_REST_SHORT;
        return PUMP_GRACE_MS;
    }
    pump->is_owners = 0;
    *ret_watches = 1;
    pump->thread_until = next_timer(socket);
    return timeout_ms(pump->thread_until);
}

static void thread_handle(struct weir_socket *socket) {
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(socket->pump.epoll_fd, events, EVENTS_MAX, 0);
    events_handle(socket, events, count);
    weir_socket_show(socket);
}

static void *thread_main(void *user) {
    struct weir_socket *socket = user;
    struct weir_pump *pump = &socket->pump;
    uint64_t turns_seen = 0, ticks;
    pthread_mutex_lock(&socket->lock);
    while (!pump->is_stopping) {
        int watches, timeout = thread_plan(socket, &turns_seen, &watches);
        struct pollfd items[2] = {{.fd = pump->control_fd, .events = POLLIN}, {.fd = pump->epoll_fd, .events = POLLIN}};
        pthread_mutex_unlock(&socket->lock);
        poll(items, watches ? 2 : 1, timeout);
        pthread_mutex_lock(&socket->lock);
        pump->rest = WEIR_REST_NONE;
        pump->thread_until = INT64_MIN;
        if (items[0].revents)
            (void)!read(pump->control_fd, &ticks, sizeof(ticks));
        if (watches && !pump->is_owners && !pump->is_stopping)
            thread_handle(socket);
    }
    pthread_mutex_unlock(&socket->lock);
    return NULL;
}

int weir_pump_start_thread(struct weir_socket *socket, weir_error *err) {
    sigset_t all, old;
    pthread_attr_t attributes;
    if (socket->pump.has_thread)
        return WEIR_OK;
    socket->pump.thread_until = INT64_MIN;
    int status = pthread_attr_init(&attributes);
    if (status == 0) {
        sigfillset(&all);
        pthread_attr_setstacksize(&attributes, STACK_SIZE);
        pthread_sigmask(SIG_SETMASK, &all, &old);
        status = pthread_create(&socket->pump.thread, &attributes, thread_main, socket);
        pthread_sigmask(SIG_SETMASK, &old, NULL);
        pthread_attr_destroy(&attributes);
    }
    if (status != 0)
        return weir_fail_errno(err, status, "%s: the thread that serves other ends cannot be started",
                               socket->place.text);
    pthread_setname_np(socket->pump.thread, "weir");
    socket->pump.has_thread = 1;
    return WEIR_OK;
}

void weir_pump_hand_over(struct weir_socket *socket) {
    struct weir_pump *pump = &socket->pump;
    pump->is_owners = 0;
    /* Without a thread what is queued leaves with the owner's next call: late, but not lost. */
    if (!pump->has_thread && weir_pump_start_thread(socket, NULL) != WEIR_OK)
        return;
    if (pump->rest != WEIR_REST_NONE) {
        pump->rest = WEIR_REST_NONE; /* woken once is enough */
        thread_wake(pump);
    }
    weir_pump_rouse(socket);
}

void weir_pump_stop(struct weir_socket *socket) {
    struct weir_pump *pump = &socket->pump;
    if (!pump->has_thread)
        return;
    pthread_mutex_lock(&socket->lock);
    pump->is_stopping = 1;
    thread_wake(pump);
    pthread_mutex_unlock(&socket->lock);
    pthread_join(pump->thread, NULL);
    pump->has_thread = 0;
}
