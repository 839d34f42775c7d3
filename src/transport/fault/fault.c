/* A transport around another, with faults drawn from a seed.
 *
 * What must stay true: with delays and short I/O alone every promise of the inner transport holds. An error that is
 * injected has no effect but itself: nothing was sent, nothing was taken. A lost connection is closed and opened again
 * in one step, and what a reader missed meanwhile is in inbound.gap: the wrapper knows what came last of each writer. A
 * writer's end is not lost between reserve and commit, nor while a batch is under way, nor a reader's whose descriptor
 * somebody waits on. */
#include "transport/fault/fault.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "os/short.h"

enum { TRANSPORTS_MAX = 16, SCHEME_SIZE = 32, WRITERS_MAX = 64, DELAY_NS_MAX = 1000000, STATE_ALIGNMENT = 64 };
static const char prefix[] = "fault+";

/* What came last of a writer. */
struct heard {
    uint64_t seq;
    uint8_t is_known;
    uint8_t is_again; /* the end was opened anew since */
};

struct fault {
    const struct weir_transport_ops *inner;
    struct weir_place place; /* for the inner one */
    enum weir_role role;
    uint64_t random;
    uint8_t is_open;
    uint8_t is_reserved;
    uint8_t is_batching;
    uint8_t has_fd;
    uint32_t writer;       /* of the frame that next gave last */
    uint8_t must_not_wait; /* a false EAGAIN was given: there may be nothing to wait for */
    struct heard heard[WRITERS_MAX];
};

static size_t head_size(void) {
    return (sizeof(struct fault) + STATE_ALIGNMENT - 1) & ~(size_t)(STATE_ALIGNMENT - 1);
}

/* The inner transport's state, behind ours. */
static void *inside(struct fault *fault) {
    return (unsigned char *)fault + head_size();
}

/* ---- chance ---- */

static uint64_t draw(struct fault *fault) {
    fault->random ^= fault->random << 13;
    fault->random ^= fault->random >> 7;
    fault->random ^= fault->random << 17;
    return fault->random;
}

static int happens(struct fault *fault, double odds) {
    return odds > 0 && (double)(draw(fault) >> 11) < odds * 9007199254740992.0;
}

/* Ends of one process with the same seed have different faults, the same ones in each run. */
static uint64_t seed_of(const struct weir_place *place) {
    static _Atomic(uint64_t) ends;
    uint64_t number = atomic_fetch_add_explicit(&ends, 1, memory_order_relaxed);
    uint64_t seed = (place->fault.seed + 1) * UINT64_C(0x9E3779B97F4A7C15) + number * UINT64_C(0xD1B54A32D192ED03);
    return seed ? seed : 1;
}

static void dawdle(struct fault *fault) {
    if (happens(fault, fault->place.fault.delay))
        nanosleep(&(struct timespec){.tv_nsec = (long)(draw(fault) % DELAY_NS_MAX)}, NULL);
}

static int fails(struct fault *fault, weir_error *err) {
    if (!happens(fault, fault->place.fault.error))
        return WEIR_OK;
    return weir_fail(err, WEIR_ESYSTEM, "%s: an error that fault= asked for", fault->place.text);
}

/* ---- losing the connection ---- */

/* Numbers of one row have no writers. */
static struct heard *heard_of(struct fault *fault, uint32_t writer) {
    int is_row = !(fault->inner->traits & WEIR_TRAIT_BOUNDED);
    return is_row ? &fault->heard[0] : writer < WRITERS_MAX ? &fault->heard[writer] : NULL;
}

/* Let a reader go on behind what it has. Return: 1 if it has something. */
static int place_go_on(struct fault *fault) {
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < WRITERS_MAX; i++)
        if (fault->heard[i].is_known && fault->heard[i].seq < least)
            least = fault->heard[i].seq;
    if (least == UINT64_MAX)
        return 0;
    fault->place.from = WEIR_FROM_SEQ;
    fault->place.from_value = (int64_t)least + 1;
    fault->place.is_from_given = 1;
    for (size_t i = 0; i < WRITERS_MAX; i++)
        fault->heard[i].is_again = fault->heard[i].is_known;
    return 1;
}

/* An end that could not be opened again is tried at each operation. */
static int ready(struct fault *fault, weir_error *err) {
    if (fault->is_open)
        return WEIR_OK;
    memset(inside(fault), 0, fault->inner->state_size);
    int status = fault->inner->open(inside(fault), &fault->place, fault->role, err);
    fault->is_open = status == WEIR_OK;
    return status;
}

static int may_lose(const struct fault *fault) {
    return (fault->role == WEIR_ROLE_READER && !fault->has_fd) ||
           (fault->role == WEIR_ROLE_WRITER && !fault->is_reserved && !fault->is_batching);
}

/* Before an operation: what may go wrong. Return: WEIR_OK, WEIR_ESYSTEM, as open. */
static int begin(struct fault *fault, weir_error *err) {
    dawdle(fault);
    if (fault->is_open && may_lose(fault) && happens(fault, fault->place.fault.disconnect) &&
        (fault->role == WEIR_ROLE_WRITER || place_go_on(fault))) {
        fault->inner->close(inside(fault));
        fault->is_open = 0;
    }
    int status = ready(fault, err);
    return status ? status : fails(fault, err);
}

/* ---- operations ---- */

/* @place as the inner transport sees it. */
static struct weir_place inner_place(const struct weir_place *place) {
    struct weir_place inner = *place;
    const char *scheme = place->transport->scheme + sizeof(prefix) - 1;
    inner.transport = weir_transport_find(scheme, strlen(scheme));
    return inner;
}

static int fault_check(const struct weir_place *place, weir_error *err) {
    struct weir_place inner = inner_place(place);
    return inner.transport->check(&inner, err);
}

static int fault_open(void *state, const struct weir_place *place, enum weir_role role, weir_error *err) {
    struct fault *fault = state;
    fault->place = inner_place(place);
    fault->inner = fault->place.transport;
    fault->role = role;
    fault->random = seed_of(place);
    if (place->fault.shortness > 0)
        weir_short_begin(place->fault.shortness, place->fault.seed);
    return ready(fault, err);
}

static void fault_close(void *state) {
    struct fault *fault = state;
    if (fault->is_open)
        fault->inner->close(inside(fault));
}

static int fault_reserve(void *state, uint64_t peer, size_t size, struct weir_slot *ret, weir_error *err) {
    struct fault *fault = state;
    int status = begin(fault, err);
    if (status)
        return status;
    if (happens(fault, fault->place.fault.again)) {
        fault->must_not_wait = 1;
        return WEIR_EAGAIN;
    }
    status = fault->inner->reserve(inside(fault), peer, size, ret, err);
    fault->is_reserved = status == WEIR_OK;
    return status;
}

static int fault_commit(void *state, uint64_t word, uint32_t flags, weir_error *err) {
    struct fault *fault = state;
    dawdle(fault);
    int status = fails(fault, err);
    fault->is_reserved = 0;
    if (status) {
        fault->inner->discard(inside(fault));
        return status;
    }
    status = fault->inner->commit(inside(fault), word, flags, err);
    fault->is_reserved = status == WEIR_ETIMEOUT;
    fault->is_batching = flags & WEIR_COMMIT_MORE;
    dawdle(fault);
    return status;
}

/* As often as not the long way is taken. */
static uint64_t fault_post(void *state, uint64_t word, const void *data, size_t size, int64_t time, uint32_t flags) {
    struct fault *fault = state;
    if (!fault->is_open || fault->is_batching || (draw(fault) & 1))
        return 0;
    dawdle(fault);
    uint64_t seq = fault->inner->post(inside(fault), word, data, size, time, flags);
    fault->is_batching = seq && (flags & WEIR_COMMIT_MORE);
    return seq;
}

/* A part of what could go, or nothing. */
static size_t fault_post_many(void *state, uint64_t word, const weir_view *data, size_t count, int64_t time,
                              uint32_t flags, uint64_t *ret_seq) {
    struct fault *fault = state;
    size_t most = count ? draw(fault) % (count + 1) : 0;
    if (!fault->is_open || fault->is_batching || most == 0)
        return 0;
    dawdle(fault);
    size_t done = fault->inner->post_many(inside(fault), word, data, most, time, flags, ret_seq);
    fault->is_batching = done && (flags & WEIR_COMMIT_MORE);
    return done;
}

static void fault_set_timeout(void *state, int64_t timeout_ns) {
    struct fault *fault = state;
    fault->place.timeout_ns = timeout_ns; /* also of ends that are opened again */
    if (fault->is_open)
        fault->inner->set_timeout(inside(fault), timeout_ns);
}

static void fault_discard(void *state) {
    struct fault *fault = state;
    fault->is_reserved = 0;
    if (fault->is_open)
        fault->inner->discard(inside(fault));
}

static void fault_skip(void *state) {
    struct fault *fault = state;
    fault->must_not_wait = 0;
    if (fault->is_open)
        fault->inner->skip(inside(fault));
}

static int fault_flush(void *state, weir_error *err) {
    struct fault *fault = state;
    dawdle(fault);
    int status = ready(fault, err);
    if (status == WEIR_OK)
        status = fault->inner->flush(inside(fault), err);
    fault->is_batching = 0;
    return status;
}

static int fault_readers(void *state, uint32_t *ret) {
    struct fault *fault = state;
    int status = ready(fault, NULL);
    return status ? status : fault->inner->readers(inside(fault), ret);
}

/* Was the frame there before? If not, note it, and what is missing before it. */
static int is_new(struct fault *fault, struct weir_inbound *frame) {
    struct heard *heard = heard_of(fault, frame->writer);
    uint64_t seq;
    if (!heard || fault->role != WEIR_ROLE_READER || frame->size < 16)
        return 1;
    memcpy(&seq, frame->bytes + 8, sizeof(seq));
    if (heard->is_again && seq <= heard->seq)
        return 0;
    if (heard->is_again)
        frame->gap = seq - heard->seq - 1;
    *heard = (struct heard){.seq = seq, .is_known = 1};
    return 1;
}

static int fault_next(void *state, struct weir_inbound *ret, weir_error *err) {
    struct fault *fault = state;
    int status = begin(fault, err);
    if (status)
        return status;
    if (happens(fault, fault->place.fault.again)) {
        fault->must_not_wait = 1;
        return WEIR_EAGAIN;
    }
    do
        status = fault->inner->next(inside(fault), ret, err);
    while (status == WEIR_OK && !is_new(fault, ret));
    if (status == WEIR_OK)
        fault->writer = ret->writer;
    return status;
}

/* What follows a new frame of the same writer is new. */
static size_t fault_follow(void *state, struct weir_following *ret, size_t max) {
    struct fault *fault = state;
    struct heard *heard = heard_of(fault, fault->writer);
    size_t count = fault->is_open ? fault->inner->follow(inside(fault), ret, draw(fault) % (max + 1)) : 0;
    if (heard && count > 0)
        memcpy(&heard->seq, ret[count - 1].bytes + 8, sizeof(heard->seq));
    return count;
}

static void fault_release(void *state) {
    struct fault *fault = state;
    dawdle(fault);
    if (fault->is_open)
        fault->inner->release(inside(fault));
}

static int fault_seek(void *state, enum weir_from from, int64_t value, weir_error *err) {
    struct fault *fault = state;
    int status = ready(fault, err);
    if (status == WEIR_OK)
        status = fault->inner->seek(inside(fault), from, value, err);
    memset(fault->heard, 0, sizeof(fault->heard)); /* what is passed over is not missed */
    return status;
}

static int fault_wait(void *state, uint32_t what, int64_t deadline, weir_error *err) {
    struct fault *fault = state;
    if (fault->must_not_wait) {
        fault->must_not_wait = 0;
        return WEIR_OK;
    }
    dawdle(fault);
    int status = ready(fault, err);
    if (status == WEIR_OK)
        status = fails(fault, err);
    return status ? status : fault->inner->wait(inside(fault), what, deadline, err);
}

static int fault_fd(void *state, int *ret, weir_error *err) {
    struct fault *fault = state;
    int status = ready(fault, err);
    fault->has_fd = 1;
    return status ? status : fault->inner->fd(inside(fault), ret, err);
}

static void fault_in_the_way(void *state, char *text, size_t size) {
    struct fault *fault = state;
    text[0] = '\0';
    if (fault->is_open)
        fault->inner->in_the_way(inside(fault), text, size);
}

static int fault_peer_state(void *state, weir_error *err) {
    struct fault *fault = state;
    return fault->is_open ? fault->inner->peer_state(inside(fault), err) : WEIR_ENOENT;
}

static int fault_has_client(void *state, uint64_t peer) {
    struct fault *fault = state;
    return !fault->is_open || fault->inner->has_client(inside(fault), peer);
}

static int fault_latest(const struct weir_place *place, struct weir_buffer *out, struct weir_inbound *ret,
                        weir_error *err) {
    struct weir_place inner = inner_place(place);
    return inner.transport->latest(&inner, out, ret, err);
}

static int fault_info(const struct weir_place *place, weir_doc *doc, weir_error *err) {
    struct weir_place inner = inner_place(place);
    return inner.transport->info(&inner, doc, err);
}

static int fault_remove(const struct weir_place *place, int is_dry_run, weir_clean_fn *clean_fn, void *user,
                        weir_error *err) {
    struct weir_place inner = inner_place(place);
    return inner.transport->remove(&inner, is_dry_run, clean_fn, user, err);
}

/* ---- the table ---- */

static struct weir_transport_ops wrapped[TRANSPORTS_MAX];
static char schemes[TRANSPORTS_MAX][SCHEME_SIZE];

static const struct weir_transport_ops template = {
    .check = fault_check,
    .open = fault_open,
    .close = fault_close,
    .reserve = fault_reserve,
    .commit = fault_commit,
    .post = fault_post,
    .post_many = fault_post_many,
    .set_timeout = fault_set_timeout,
    .discard = fault_discard,
    .skip = fault_skip,
    .flush = fault_flush,
    .readers = fault_readers,
    .next = fault_next,
    .follow = fault_follow,
    .release = fault_release,
    .seek = fault_seek,
    .wait = fault_wait,
    .fd = fault_fd,
    .peer_state = fault_peer_state,
    .in_the_way = fault_in_the_way,
    .has_client = fault_has_client,
    .latest = fault_latest,
    .info = fault_info,
    .list = weir_transport_no_list,
    .clean = weir_transport_no_clean,
    .remove = fault_remove,
};

static void table_make(void) {
    const struct weir_transport_ops *inner;
    for (size_t i = 0; i < TRANSPORTS_MAX && (inner = weir_transport_at(i)) != NULL; i++) {
        snprintf(schemes[i], SCHEME_SIZE, "%s%s", prefix, inner->scheme);
        wrapped[i] = template;
        wrapped[i].scheme = schemes[i];
        wrapped[i].options = inner->options | WEIR_OPTION_FAULT;
        wrapped[i].traits = inner->traits;
        wrapped[i].state_size = head_size() + inner->state_size;
    }
}

const struct weir_transport_ops *weir_fault_find(const char *inner, size_t size) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const char *is_wanted = secure_getenv("WEIR_FAULTS");
    if (!is_wanted || strcmp(is_wanted, "1") != 0)
        return NULL;
    pthread_once(&once, table_make);
    for (size_t i = 0; i < TRANSPORTS_MAX && wrapped[i].scheme; i++) {
        const char *scheme = wrapped[i].scheme + sizeof(prefix) - 1;
        if (strlen(scheme) == size && memcmp(scheme, inner, size) == 0)
            return &wrapped[i];
    }
    return NULL;
}
