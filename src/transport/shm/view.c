/* A lane, read. Two ways to be safe from the writer:
 *
 * - Holding: our cursor says what we still need, and the writer of a lane that is not LOSSY never overwrites that. To
 *   go back to older frames the cursor is first set to 0, "everything", then a full barrier, then the page is read: the
 *   writer either sees the cursor before it frees more, or it freed before, and then `oldest`, stored before the
 *   freeing, tells us.
 * - Copying: take the bytes, then look whether `oldest` has passed the place. Observers, LOSSY lanes and lanes of other
 *   users.
 *
 * What must stay true: nothing that stands in a segment is used unchecked. Positions only ever index through the mask,
 * spans are at most span_max, and the ring is mapped twice, so whatever a hostile writer stores, reads stay inside the
 * mapping. */
#include "transport/shm/view.h"

#include <unistd.h>

#include "frame/frame.h"
#include "os/futex.h"

enum { ATTEMPTS = 16, ATTEMPTS_AT_OLDEST = 4, ROUNDS_MAX = 4 };

/* ---- small things ---- */

static uint64_t load_oldest(const struct weir_lane_view *view) {
    return atomic_load_explicit(&view->segment.page->oldest, memory_order_acquire);
}

/* Bytes that were read before this call are whole when it returns 0. */
static int is_overtaken(const struct weir_lane_view *view) {
    atomic_thread_fence(memory_order_acquire);
    return weir_view_is_passed(view);
}

static void hold_all(struct weir_lane_view *view) {
    if (view->cursor)
        atomic_store_explicit(view->cursor, 0, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
}

static void settle(struct weir_lane_view *view, uint64_t position, uint64_t expected) {
    position &= ~(uint64_t)(WEIR_SHM_LINE - 1);
    view->position = position;
    view->next = position;
    view->expected = expected;
    if (view->cursor)
        atomic_store_explicit(view->cursor, position, memory_order_release);
}

static int damaged(const struct weir_lane_view *view, const struct weir_shm_channel *channel, weir_error *err) {
    return weir_fail(err, WEIR_ECORRUPT, "%s: the lane of writer %u (uid %u) is damaged; it is given up",
                     weir_channel_text(channel), view->segment.lane + 1, view->segment.uid);
}

/* Look at the frame at the position. Return: WEIR_OK, WEIR_EAGAIN (nothing there, or overtaken: see weir_view_follow),
 * WEIR_ECORRUPT. */
static int glance(struct weir_lane_view *view, struct weir_glance *ret) {
    const struct weir_segment *segment = &view->segment;
    uint64_t word = atomic_load_explicit(weir_segment_word(segment, view->position), memory_order_acquire);
    if (word == 0)
        return WEIR_EAGAIN;
    uint64_t span = weir_shm_span(weir_frame_word_size(word));
    struct weir_glance seen = {
        .span = span,
        .seq = atomic_load_explicit(weir_segment_word(segment, view->position) + 1, memory_order_relaxed),
    };
    if (word >> 56 & WEIR_FRAME_TIME)
        seen.time = (int64_t)atomic_load_explicit(weir_segment_word(segment, view->position) + 2, memory_order_relaxed);
    if (is_overtaken(view))
        return WEIR_EAGAIN;
    if (weir_frame_word_size(word) < WEIR_FRAME_HEADER_SIZE || span > segment->span_max)
        return WEIR_ECORRUPT;
    *ret = seen;
    return WEIR_OK;
}

/* ---- segments ---- */

static void segment_adopt(struct weir_lane_view *view, const struct weir_shm_channel *channel,
                          const struct weir_segment *segment) {
    weir_segment_close(&view->segment);
    view->segment = *segment;
    view->is_open = 1;
    view->is_given_up = 0;
    view->is_in_place =
        view->cursor && channel->is_private && !(segment->flags & WEIR_LANE_LOSSY) && segment->uid == geteuid();
    /* Where lanes have wakes of their own, the writer may have put us out, which we learn later. */
    view->may_hold = view->cursor && !(segment->flags & WEIR_LANE_LOSSY) && !channel->wakes;
    /* A position of another segment means nothing here, and what was to find the right one may fail. */
    view->position = view->next = load_oldest(view) & ~(uint64_t)(WEIR_SHM_LINE - 1);
}

/* Where the segment leads on to; 0: it is the newest. */
static uint32_t load_forward(const struct weir_segment *segment) {
    uint32_t forward = atomic_load_explicit(&segment->page->forward, memory_order_acquire);
    return forward > segment->generation ? forward : 0;
}

int weir_view_open(struct weir_lane_view *view, const struct weir_shm_channel *channel, unsigned lane,
                   uint32_t generation, weir_error *err) {
    struct weir_segment segment;
    int status = weir_segment_open(channel, lane, generation, 0, &segment, err);
    while (status == WEIR_OK && load_forward(&segment)) {
        struct weir_segment next;
        status = weir_segment_open(channel, lane, load_forward(&segment), 0, &next, err);
        weir_segment_close(&segment);
        segment = next;
    }
    if (status == WEIR_OK)
        segment_adopt(view, channel, &segment);
    return status == WEIR_ENOENT
               ? weir_fail(err, WEIR_ECORRUPT, "%s: lane %u has no segment", weir_channel_text(channel), lane)
               : status;
}

void weir_view_close(struct weir_lane_view *view) {
    weir_segment_close(&view->segment);
    view->is_open = 0;
}

/* Change to the oldest segment that there still is, if that is another one. */
static int segment_oldest(struct weir_lane_view *view, const struct weir_shm_channel *channel, weir_error *err) {
    unsigned lane = view->segment.lane;
    uint32_t generation = view->segment.generation;
    while (generation > 1 && weir_segment_exists(channel, lane, generation - 1))
        generation--;
    for (; generation != view->segment.generation; generation++) {
        struct weir_segment segment;
        int status = weir_segment_open(channel, lane, generation, 0, &segment, err);
        if (status == WEIR_OK)
            segment_adopt(view, channel, &segment);
        if (status != WEIR_ENOENT)
            return status;
    }
    return WEIR_OK;
}

/* Change to the newest one. */
static int segment_newest(struct weir_lane_view *view, const struct weir_shm_channel *channel, weir_error *err) {
    unsigned lane = view->segment.lane;
    uint32_t generation = atomic_load(&channel->page->generation[lane]);
    if (generation <= view->segment.generation && !load_forward(&view->segment))
        return WEIR_OK;
    return weir_view_open(view, channel, lane,
                          generation > view->segment.generation ? generation : view->segment.generation, err);
}

/* Open the segment that comes after @forward, which has been taken away: the oldest that is still there. Those between
 * had nothing for us, but it may be kept for our sake while the lane grows on, so it need not be the newest. */
static int segment_after(const struct weir_shm_channel *channel, unsigned lane, uint32_t forward,
                         struct weir_segment *ret, weir_error *err) {
    for (int attempts = 0; attempts < ATTEMPTS; attempts++) {
        uint32_t newest = atomic_load(&channel->page->generation[lane]), generation = newest;
        while (generation > forward + 1 && weir_segment_exists(channel, lane, generation - 1))
            generation--;
        for (; generation > forward && generation <= newest && generation != 0; generation++) {
            int status = weir_segment_open(channel, lane, generation, 0, ret, err);
            if (status != WEIR_ENOENT)
                return status;
        }
    }
    return WEIR_ENOENT;
}

int weir_view_follow(struct weir_lane_view *view, const struct weir_shm_channel *channel, weir_error *err) {
    uint32_t forward = load_forward(&view->segment);
    if (weir_view_is_passed(view)) {
        settle(view, load_oldest(view), view->expected);
        return WEIR_OK;
    }
    if (atomic_load_explicit(weir_segment_word(&view->segment, view->position), memory_order_acquire) != 0)
        return WEIR_OK;
    if (forward == 0)
        return WEIR_EAGAIN;
    struct weir_segment next;
    int status = weir_segment_open(channel, view->segment.lane, forward, 0, &next, err);
    if (status == WEIR_ENOENT)
        status = segment_after(channel, view->segment.lane, forward, &next, err);
    if (status)
        return status == WEIR_ENOENT ? damaged(view, channel, err) : status;
    segment_adopt(view, channel, &next);
    settle(view, next.base, view->expected);
    return WEIR_OK;
}

/* ---- going elsewhere ---- */

int weir_view_to_end(struct weir_lane_view *view, const struct weir_shm_channel *channel, weir_error *err) {
    hold_all(view);
    int status = segment_newest(view, channel, err);
    if (status)
        return status;
    const struct weir_lane_page *page = view->segment.page;
    uint64_t tail, seq;
    int attempts = 0;
    do { /* a pair that belongs together, so that a gap right behind is counted exactly */
        tail = atomic_load_explicit(&page->tail, memory_order_acquire);
        seq = atomic_load_explicit(&page->next_seq, memory_order_acquire);
    } while (tail != atomic_load_explicit(&page->tail, memory_order_acquire) && ++attempts < ATTEMPTS);
    settle(view, tail, seq);
    return WEIR_OK;
}

int weir_view_to_oldest(struct weir_lane_view *view, const struct weir_shm_channel *channel, weir_error *err) {
    hold_all(view);
    int status = segment_oldest(view, channel, err);
    if (status)
        return status;
    view->position = load_oldest(view);
    struct weir_glance seen;
    status = glance(view, &seen);
    for (int attempts = 0; status == WEIR_EAGAIN && is_overtaken(view) && attempts < ATTEMPTS; attempts++) {
        view->position = load_oldest(view);
        status = glance(view, &seen);
    }
    int is_end = status != WEIR_OK && !load_forward(&view->segment);
    settle(view, view->position,
           status == WEIR_OK ? seen.seq
           : is_end          ? atomic_load(&view->segment.page->next_seq)
                             : 0);
    return WEIR_OK;
}

int weir_view_to_last(struct weir_lane_view *view, const struct weir_shm_channel *channel, struct weir_glance *ret,
                      weir_error *err) {
    hold_all(view);
    int status = segment_newest(view, channel, err);
    for (int attempts = 0; status == WEIR_OK && attempts < ATTEMPTS; attempts++) {
        uint64_t last = atomic_load_explicit(&view->segment.page->last, memory_order_acquire);
        uint32_t older = view->segment.generation - 1;
        struct weir_segment segment;
        if (last != WEIR_SHM_NO_FRAME) {
            view->position = last & ~(uint64_t)(WEIR_SHM_LINE - 1);
            status = glance(view, ret);
            if (status == WEIR_OK)
                settle(view, view->position, 0);
            if (status != WEIR_EAGAIN)
                return status == WEIR_ECORRUPT ? damaged(view, channel, err) : status;
            status = WEIR_OK;
            continue;
        }
        /* Grown, and nothing in the new segment yet. */
        status = older ? weir_segment_open(channel, view->segment.lane, older, 0, &segment, err) : WEIR_ENOENT;
        if (status == WEIR_OK)
            segment_adopt(view, channel, &segment);
    }
    if (status != WEIR_OK && status != WEIR_ENOENT)
        return status;
    status = weir_view_to_end(view, channel, err);
    return status ? status : WEIR_EAGAIN;
}

int weir_view_forward(struct weir_lane_view *view, const struct weir_shm_channel *channel, uint64_t seq, int64_t time,
                      weir_error *err) {
    uint64_t begin = view->position; /* a bound: a hostile ring may have no end */
    while (view->position - begin < ROUNDS_MAX * view->segment.capacity) {
        struct weir_glance seen;
        int status = glance(view, &seen);
        if (status == WEIR_OK && seen.seq >= seq && seen.time >= time) {
            settle(view, view->position, seen.seq);
            return WEIR_OK;
        }
        if (status == WEIR_OK)
            settle(view, view->position + seen.span, seen.seq + 1);
        else if (status == WEIR_ECORRUPT)
            return damaged(view, channel, err);
        else if ((status = weir_view_follow(view, channel, err)) != WEIR_OK)
            return status == WEIR_EAGAIN ? WEIR_OK : status;
    }
    return WEIR_OK;
}

/* ---- copying ---- */

#if WEIR_THREAD_SANITIZER
__attribute__((no_sanitize("thread"))) void weir_view_copy_racing(unsigned char *to, const unsigned char *from,
                                                                  size_t size) {
    for (size_t i = 0; i < size; i++) /* by hand: the sanitizer watches memcpy */
        ((volatile unsigned char *)to)[i] = ((const volatile unsigned char *)from)[i];
}
#else
void weir_view_copy_racing(unsigned char *to, const unsigned char *from, size_t size) {
    memcpy(to, from, size);
}
#endif

/* One attempt. Return: WEIR_OK, WEIR_EAGAIN (nothing there, or overtaken), WEIR_ECORRUPT, WEIR_ENOMEM. */
static int copy_once(struct weir_lane_view *view, struct weir_buffer *to) {
    const struct weir_segment *segment = &view->segment;
    _Atomic(uint64_t) *at = weir_segment_word(segment, view->position);
    uint64_t word = atomic_load_explicit(at, memory_order_acquire);
    uint32_t size = weir_frame_word_size(word);
    if (word == 0)
        return WEIR_EAGAIN;
    if (size < WEIR_FRAME_HEADER_SIZE || weir_shm_span(size) > segment->span_max)
        return is_overtaken(view) ? WEIR_EAGAIN : WEIR_ECORRUPT;
    to->size = 0;
    unsigned char *room = weir_buffer_room(to, size);
    if (!room)
        return WEIR_ENOMEM;
    memcpy(room, &word, sizeof(word));
    weir_view_copy_racing(room + sizeof(word), (const unsigned char *)at + sizeof(word), size - sizeof(word));
    if (is_overtaken(view))
        return WEIR_EAGAIN;
    to->size = size;
    return WEIR_OK;
}

int weir_view_copy(struct weir_lane_view *view, const struct weir_shm_channel *channel, struct weir_buffer *to,
                   weir_error *err) {
    for (int attempts = 0; attempts < ATTEMPTS; attempts++) {
        int status = copy_once(view, to);
        if (status == WEIR_ECORRUPT)
            return damaged(view, channel, err);
        if (status != WEIR_EAGAIN)
            return status;
        status = weir_view_follow(view, channel, err);
        if (status)
            return status;
        /* At the oldest frame a fast writer overtakes us again at once; the newest one it leaves alone for half a
         * round. */
        uint64_t last = atomic_load_explicit(&view->segment.page->last, memory_order_acquire);
        if (attempts >= ATTEMPTS_AT_OLDEST && last != WEIR_SHM_NO_FRAME && last > view->position)
            settle(view, last, view->expected);
    }
    return WEIR_EAGAIN;
}
