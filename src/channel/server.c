/* Servers: the answering end of calls.
 *
 * One service (the end at the transport) has one handle or several: weir_server_worker makes another, for a thread of
 * its own. With one handle a request is handed out where it lies, and nothing is locked. From the second handle on
 * everything happens under the service's lock, and requests are copied into its queue, from which each handle takes
 * what it works on, so each request goes to exactly one.
 *
 * Of the handles that wait, one polls the transport's descriptor with the lock given back; the others sleep on `came`.
 * What must stay true: whoever leaves something in the queue, stops polling, or goes while nobody polls, wakes one of
 * them; the poller by `nudge_fd`, when there is none that sleeps.
 *
 * A request that its client takes back while it stands in the queue is dropped there. One that was handed out already
 * goes into `cancelled`, a short memory that weir_server_is_cancelled asks. What a client asked for who has gone since
 * counts as taken back. */
#include "channel/server.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "channel/end.h"
#include "os/fork.h"
#include "transport/burst.h"

enum { QUEUE_MAX = 256, CANCELLED_MAX = 256, NAP_MIN_NS = 50000, NAP_MAX_NS = 5000000 };
static const size_t QUEUE_SIZE_MAX = 1 << 20; /* bytes of the requests in the queue, but for the last */

#define KINDS (WEIR_KINDS_REQUEST | 1u << WEIR_FRAME_CANCEL)

/* Which call: whose, and its id. */
struct call {
    uint64_t peer, id;
};

struct service {
    struct weir_end end;
    pthread_mutex_t lock;
    pthread_cond_t came;
    uint32_t handles, sleepers;
    int nudge_fd;       /* an eventfd that the poller looks at, too; -1 until there are workers */
    uint8_t is_shared;  /* there is, or was, more than one handle */
    uint8_t has_poller; /* a handle polls without the lock */
    weir_message *queue[QUEUE_MAX];
    size_t first, count, size;
    struct call cancelled[CANCELLED_MAX]; /* the latest, round and round */
    size_t cancelled_count;
};

struct weir_server {
    struct service *service;
    weir_message *held; /* the request handed out, when it is a copy; freed by the next one */
};

/* ---- handles ---- */

/* In a child of the process that opened it: the other threads are not there, and what they held or waited for stays
 * so. */
static int is_inherited(const struct service *service) {
    return service->end.generation != 0 && weir_fork_happened(service->end.generation);
}

static void service_lock(struct service *service) {
    if (service->is_shared && !is_inherited(service))
        pthread_mutex_lock(&service->lock);
}

static void service_unlock(struct service *service) {
    if (service->is_shared && !is_inherited(service))
        pthread_mutex_unlock(&service->lock);
}

static struct service *service_free(struct service *service) {
    for (; service->count > 0; service->count--, service->first++)
        weir_message_free(service->queue[service->first % QUEUE_MAX]);
    if (service->nudge_fd >= 0)
        close(service->nudge_fd);
    if (!is_inherited(service)) { /* it would wait for those who sleep there */
        pthread_cond_destroy(&service->came);
        pthread_mutex_destroy(&service->lock);
    }
    free(service);
    return NULL;
}

static struct service *service_new(void) {
    pthread_condattr_t monotonic;
    struct service *service = calloc(1, sizeof(*service));
    if (!service)
        return NULL;
    pthread_mutex_init(&service->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&service->came, &monotonic);
    pthread_condattr_destroy(&monotonic);
    service->handles = 1;
    service->nudge_fd = -1;
    return service;
}

int weir_server_open(const char *address, weir_server **ret, weir_error *err) {
    weir_server *server = calloc(1, sizeof(*server));
    if (server)
        server->service = service_new();
    int status = server && server->service ? weir_end_open(&server->service->end, address, WEIR_ROLE_SERVER, err)
                                           : weir_fail(err, WEIR_ENOMEM, "out of memory for a server");
    if (status && server && server->service)
        service_free(server->service);
    if (status)
        free(server);
    else
        *ret = server;
    return status;
}

int weir_server_worker(weir_server *server, weir_server **ret, weir_error *err) {
    struct service *service = server->service;
    int status = weir_end_check(&service->end, err);
    if (status)
        return status;
    weir_server *worker = calloc(1, sizeof(*worker));
    if (!worker)
        return weir_fail(err, WEIR_ENOMEM, "%s: out of memory for a worker", service->end.place.text);
    if (service->nudge_fd < 0)
        service->nudge_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (service->nudge_fd < 0) {
        free(worker);
        return weir_fail_errno(err, errno, "%s: no descriptor for workers", service->end.place.text);
    }
    service_lock(service);
    worker->service = service;
    service->handles++;
    service_unlock(service);
    if (!service->is_shared)
        service->is_shared = 1; /* nobody else has a handle yet */
    *ret = worker;
    return WEIR_OK;
}

weir_server *weir_server_close(weir_server *server) {
    if (!server)
        return NULL;
    struct service *service = server->service;
    weir_message_free(server->held);
    service_lock(service);
    uint32_t left = --service->handles;
    service_unlock(service);
    if (left == 0) {
        weir_end_close(&service->end);
        service_free(service);
    }
    free(server);
    return NULL;
}

/* ---- the queue ---- */

static weir_message *queue_pop(struct service *service) {
    if (service->count == 0)
        return NULL;
    weir_message *request = service->queue[service->first++ % QUEUE_MAX];
    service->count--;
    service->size -= request->frame.size;
    return request;
}

static int is_same(struct call call, const weir_message *request) {
    return call.id == request->frame.id && call.peer == request->peer;
}

/* Take @call out of the queue. Return: 0 when it is not there. */
static int queue_drop(struct service *service, struct call call) {
    size_t kept = 0, count = service->count;
    for (size_t i = 0; i < count; i++) {
        weir_message **slot = &service->queue[(service->first + i) % QUEUE_MAX];
        weir_message *request = *slot;
        if (is_same(call, request)) {
            service->size -= request->frame.size;
            weir_message_free(request);
            continue;
        }
        service->queue[(service->first + kept++) % QUEUE_MAX] = request;
    }
    service->count = kept;
    return kept < count;
}

/* The frame in end->message is a client's word that he takes a request back. */
static void cancel_take(struct service *service) {
    const weir_message *word = &service->end.message;
    struct call call = {word->peer, word->frame.id};
    if (!queue_drop(service, call))
        service->cancelled[service->cancelled_count++ % CANCELLED_MAX] = call;
}

/* Take what has come into the queue, as far as it has room. Return: WEIR_OK; others as weir_end_take, but never
 * WEIR_EAGAIN. */
static int queue_fill(struct service *service, weir_error *err) {
    int status = WEIR_OK;
    while (status == WEIR_OK && service->count < QUEUE_MAX && service->size < QUEUE_SIZE_MAX) {
        status = weir_end_take(&service->end, KINDS, err);
        if (status == WEIR_OK && service->end.message.frame.kind == WEIR_FRAME_CANCEL) {
            cancel_take(service);
        } else if (status == WEIR_OK) {
            weir_message **slot = &service->queue[(service->first + service->count) % QUEUE_MAX];
            if (weir_message_copy(&service->end.message, slot))
                return weir_fail(err, WEIR_ENOMEM, "%s: out of memory for a request", service->end.place.text);
            service->size += (*slot)->frame.size;
            service->count++;
        }
    }
    weir_end_release(&service->end);
    return status == WEIR_EAGAIN ? WEIR_OK : status;
}

/* ---- receiving ---- */

static int held_give(weir_server *server, weir_message *request, weir_message **ret) {
    server->held = request;
    *ret = request;
    return WEIR_OK;
}

/* With one handle: where it lies. */
static int next_alone(weir_server *server, int64_t timeout_ns, weir_message **ret, weir_error *err) {
    struct service *service = server->service;
    weir_message *queued = queue_pop(service);
    int64_t deadline = INT64_MIN;
    int status;
    if (queued)
        return held_give(server, queued, ret);
    do {
        status = weir_end_take(&service->end, KINDS, err);
        if (status == WEIR_EAGAIN) {
            deadline = deadline == INT64_MIN ? weir_deadline(timeout_ns) : deadline;
            status = weir_end_await(&service->end, KINDS, deadline, err);
        }
        if (status)
            return status;
        if (service->end.message.frame.kind == WEIR_FRAME_CANCEL)
            cancel_take(service);
    } while (service->end.message.frame.kind == WEIR_FRAME_CANCEL);
    *ret = &service->end.message;
    return WEIR_OK;
}

/* Something is in the queue, or nobody polls any more: one of those that wait must look. */
static void wake_one(struct service *service) {
    if (service->sleepers > 0)
        pthread_cond_signal(&service->came);
    else if (service->has_poller)
        eventfd_write(service->nudge_fd, 1);
}

/* Until the transport or another handle has something. Return: 0, or an errno. */
static int poll_until(const struct service *service, int fd, int64_t deadline) {
    struct pollfd items[] = {{.fd = fd, .events = POLLIN}, {.fd = service->nudge_fd, .events = POLLIN}};
    int64_t left = weir_deadline_left(deadline);
    struct timespec timeout = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
    eventfd_t nudges;
    weir_burst_settle();
    int failure = ppoll(items, 2, left == INT64_MAX ? NULL : &timeout, NULL) < 0 && errno != EINTR ? errno : 0;
    (void)eventfd_read(service->nudge_fd, &nudges);
    return failure;
}

static void sleep_shared(struct service *service, int64_t deadline) {
    weir_burst_settle();
    service->sleepers++;
    if (deadline == INT64_MAX)
        pthread_cond_wait(&service->came, &service->lock);
    else
        pthread_cond_timedwait(&service->came, &service->lock,
                               &(struct timespec){deadline / 1000000000, deadline % 1000000000});
    service->sleepers--;
}

/* Nothing is there: wait until something may be. Under the lock, which is given back meanwhile. */
static int wait_shared(struct service *service, int64_t deadline, weir_error *err) {
    int fd, failure = 0;
    if (service->has_poller) {
        sleep_shared(service, deadline);
        return WEIR_OK;
    }
    int status = weir_end_fd(&service->end, &fd, err);
    if (status)
        return status;
    /* Looking arms the descriptor; what comes from here on makes it readable. */
    status = queue_fill(service, err);
    if (status || service->count > 0)
        return status;
    service->has_poller = 1;
    pthread_mutex_unlock(&service->lock);
    failure = poll_until(service, fd, deadline);
    pthread_mutex_lock(&service->lock);
    service->has_poller = 0;
    wake_one(service);
    return failure ? weir_fail_errno(err, failure, "%s: waiting failed", service->end.place.text) : WEIR_OK;
}

static int next_shared(weir_server *server, int64_t timeout_ns, weir_message **ret, weir_error *err) {
    struct service *service = server->service;
    int64_t deadline = weir_deadline(timeout_ns);
    int is_over = 0;
    for (;;) {
        /* Who has a poller is told by him; the queue is not filled behind his back. */
        int status = service->count > 0 || service->has_poller ? WEIR_OK : queue_fill(service, err);
        if (status)
            return status;
        weir_message *request = queue_pop(service);
        if (request) {
            if (service->count > 0 || !service->has_poller)
                wake_one(service);
            return held_give(server, request, ret);
        }
        if (is_over)
            return weir_fail(err, WEIR_ETIMEOUT, "%s: no message came in time", service->end.place.text);
        is_over = weir_deadline_left(deadline) == 0; /* look once more */
        status = is_over ? WEIR_OK : wait_shared(service, deadline, err);
        if (status)
            return status;
    }
}

int weir_server_next(weir_server *server, int64_t timeout_ns, weir_message **ret, weir_error *err) {
    struct service *service = server->service;
    int status = weir_end_check(&service->end, err);
    if (status)
        return status;
    server->held = weir_message_free(server->held);
    if (!service->is_shared)
        return next_alone(server, timeout_ns, ret, err);
    pthread_mutex_lock(&service->lock);
    status = next_shared(server, timeout_ns, ret, err);
    if (status && !service->has_poller) /* it may be us who was woken to look */
        wake_one(service);
    pthread_mutex_unlock(&service->lock);
    return status;
}

int weir_server_peek(weir_server *server, weir_error *err) {
    struct service *service = server->service;
    int status = weir_end_check(&service->end, err);
    if (status)
        return status;
    service_lock(service);
    if (service->is_shared)
        status = service->has_poller ? WEIR_OK : queue_fill(service, err);
    while (!service->is_shared && service->count == 0) {
        status = weir_end_peek(&service->end, KINDS, err);
        if (status || service->end.message.frame.kind != WEIR_FRAME_CANCEL)
            break;
        status = weir_end_take(&service->end, KINDS, err);
        cancel_take(service);
    }
    if (status == WEIR_OK && service->is_shared && service->count == 0)
        status = WEIR_EAGAIN;
    service_unlock(service);
    return status;
}

int weir_server_is_cancelled(weir_server *server, const weir_message *request) {
    struct service *service = server->service;
    int is_cancelled = 0;
    if (weir_end_check(&service->end, NULL))
        return 0;
    service_lock(service);
    if (request != &service->end.message && !service->has_poller)
        queue_fill(service, NULL);
    if (service->count > 0)
        wake_one(service);
    size_t known = service->cancelled_count < CANCELLED_MAX ? service->cancelled_count : CANCELLED_MAX;
    for (size_t i = 0; i < known && !is_cancelled; i++)
        is_cancelled = is_same(service->cancelled[i], request);
    is_cancelled = is_cancelled || !service->end.ops->has_client(service->end.state, request->peer);
    service_unlock(service);
    return is_cancelled;
}

int weir_server_fd(weir_server *server, int *ret_fd, weir_error *err) {
    service_lock(server->service);
    int status = weir_end_fd(&server->service->end, ret_fd, err);
    service_unlock(server->service);
    return status;
}

/* ---- answering ---- */

/* Sending may have taken in what came, of which the descriptor says no more: whoever polls it must not miss that. */
static void look_after_sending(struct service *service) {
    if (!service->is_shared || !service->has_poller)
        return;
    queue_fill(service, NULL); /* a failure shows again at the next look */
    if (service->count > 0)
        wake_one(service);
}

struct answer {
    enum weir_frame_kind kind;
    const weir_message *request;
    const weir_value *meta, *data;
};

/* @deadline: of the wait for room. */
static int answer_send(struct weir_end *end, const struct answer *answer, int64_t deadline, weir_error *err) {
    const struct weir_frame *request = &answer->request->frame;
    struct weir_outgoing out = {.kind = answer->kind,
                                .op = request->op.data,
                                .op_size = request->op.size,
                                .id = request->id,
                                .peer = answer->request->peer,
                                .deadline = deadline};
    int status = weir_end_encode_meta(end, answer->meta, &out, err);
    if (status == WEIR_OK)
        status = weir_end_encode_data(end, answer->data, &out, err);
    return status == WEIR_OK ? weir_end_send(end, &out, err) : status;
}

/* The same with workers: while a slow client has no room, the others work on. Between short looks the lock is given
 * back, and with it the buffers that the answer was encoded in; what a look took in is not left lying until the
 * next. */
static int answer_send_shared(struct service *service, const struct answer *answer, weir_error *err) {
    int64_t deadline = weir_deadline(service->end.place.timeout_ns);
    for (int64_t nap = NAP_MIN_NS;; nap = nap * 2 < NAP_MAX_NS ? nap * 2 : NAP_MAX_NS) {
        int status = answer_send(&service->end, answer, 0, err);
        if (status != WEIR_ETIMEOUT || weir_deadline_left(deadline) == 0)
            return status;
        if (nap == NAP_MIN_NS)
            weir_record_count(&service->end.record.shown->waits, 1);
        look_after_sending(service);
        service_unlock(service);
        nanosleep(&(struct timespec){.tv_nsec = nap}, NULL);
        service_lock(service);
    }
}

static int answer(weir_server *server, enum weir_frame_kind kind, const weir_message *request, const weir_value *meta,
                  const weir_value *data, weir_error *err) {
    struct service *service = server->service;
    struct answer answer = {kind, request, meta, data};
    if (request->frame.id == 0)
        return weir_fail(err, WEIR_EINVAL, "%s: that message is no request", service->end.place.text);
    service_lock(service);
    int status = service->is_shared ? answer_send_shared(service, &answer, err)
                                    : answer_send(&service->end, &answer, INT64_MIN, err);
    look_after_sending(service);
    service_unlock(service);
    return status == WEIR_ECLOSED ? WEIR_OK : status; /* the client has gone */
}

int weir_server_reply(weir_server *server, const weir_message *request, const weir_value *meta, const weir_value *data,
                      weir_error *err) {
    return answer(server, WEIR_FRAME_REPLY, request, meta, data, err);
}

int weir_server_fail(weir_server *server, const weir_message *request, int code, const char *sentence,
                     weir_error *err) {
    weir_doc *doc = NULL;
    const weir_value *data = NULL;
    int status = weir_doc_new(&doc);
    if (status)
        return weir_fail(err, status, "%s: out of memory", server->service->end.place.text);
    status = weir_pack(doc, &data, err, "{s:d, s:s}", "code", code, "text", sentence);
    if (status == WEIR_OK)
        status = answer(server, WEIR_FRAME_ERROR, request, NULL, data, err);
    weir_doc_free(doc);
    return status;
}
