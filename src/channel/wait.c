/* Waiting on many: look whether something is there, else poll the descriptors. Looking fetches the message ahead, so
 * that what was found is what the next call hands out, and re-arms the descriptors of those that had nothing. */
#include <weir/wait.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/clock.h"
#include "channel/end.h"
#include "channel/server.h"
#include "transport/burst.h"

enum { POLL_ON_STACK = 16 };

static int is_end(const weir_wait_item *item) {
    return item->reader || item->server;
}

static int end_fd(const weir_wait_item *item, int *ret, weir_error *err) {
    return item->reader ? weir_reader_fd(item->reader, ret, err) : weir_server_fd(item->server, ret, err);
}

static int end_peek(const weir_wait_item *item) {
    return item->reader ? weir_end_peek(&item->reader->end, WEIR_KINDS_MESSAGE, NULL)
                        : weir_server_peek(item->server, NULL);
}

static int descriptors_get(weir_wait_item *items, size_t count, struct pollfd *polls, weir_error *err) {
    for (size_t i = 0; i < count; i++) {
        polls[i] = (struct pollfd){.fd = items[i].fd, .events = POLLIN};
        int status = is_end(&items[i]) ? end_fd(&items[i], &polls[i].fd, err) : WEIR_OK;
        if (status)
            return status;
    }
    return WEIR_OK;
}

/* Note which ends have something. A failure counts as something: the next call reports it. */
static size_t look(weir_wait_item *items, size_t count) {
    size_t ready = 0;
    for (size_t i = 0; i < count; i++) {
        items[i].is_ready = is_end(&items[i]) && end_peek(&items[i]) != WEIR_EAGAIN;
        ready += (size_t)items[i].is_ready;
    }
    return ready;
}

static int poll_until(struct pollfd *polls, size_t count, int64_t deadline, int *ret_count, weir_error *err) {
    weir_burst_settle();
    for (;;) {
        int64_t left = weir_deadline_left(deadline);
        struct timespec timeout = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
        *ret_count = ppoll(polls, count, left == INT64_MAX ? NULL : &timeout, NULL);
        if (*ret_count >= 0)
            return WEIR_OK;
        if (errno != EINTR)
            return weir_fail_errno(err, errno, "waiting on %zu descriptors failed", count);
    }
}

static size_t mark_descriptors(weir_wait_item *items, const struct pollfd *polls, size_t count) {
    size_t ready = 0;
    for (size_t i = 0; i < count; i++) {
        if (is_end(&items[i]) || !polls[i].revents)
            continue;
        items[i].is_ready = 1;
        ready++;
    }
    return ready;
}

static int wait_loop(weir_wait_item *items, struct pollfd *polls, size_t count, int64_t deadline, weir_error *err) {
    for (;;) {
        size_t ready = look(items, count);
        int polled = 0;
        int status = poll_until(polls, count, ready ? 0 : deadline, &polled, err);
        if (status)
            return status;
        ready += mark_descriptors(items, polls, count);
        if (ready)
            return WEIR_OK;
        if (polled == 0 && weir_deadline_left(deadline) == 0)
            return weir_fail(err, WEIR_ETIMEOUT, "no message came in time on %zu channel%s", count, WEIR_S(count));
    }
}

int weir_wait(weir_wait_item *items, size_t count, int64_t timeout_ns, weir_error *err) {
    struct pollfd on_stack[POLL_ON_STACK];
    struct pollfd *polls = count <= POLL_ON_STACK ? on_stack : calloc(count, sizeof(*polls));
    if (!polls)
        return weir_fail(err, WEIR_ENOMEM, "out of memory for waiting on %zu channel%s", count, WEIR_S(count));
    int status = descriptors_get(items, count, polls, err);
    if (status == WEIR_OK)
        status = wait_loop(items, polls, count, weir_deadline(timeout_ns), err);
    if (polls != on_stack)
        free(polls);
    return status;
}
