/* The writing side of a lane.
 *
 * A lane belongs to the holder of its lease. Everything in its segments is written by that process alone, so nothing
 * here is contended and commit is a handful of plain stores.
 *
 * What must stay true, at every instruction, because a kill may come between any two:
 * - The word at the place behind the newest visible frame is 0. So commit first makes sure that the word behind the new
 *   frame is 0, then stores the new frame's own: a reader, and the next holder, walk from frame to frame until they see
 *   0.
 * - `oldest` is stored before any byte in front of it is overwritten. Who copies a frame and then finds oldest <= its
 *   position knows that the copy is whole.
 * - No byte is overwritten that a holding reader may still look at (weir_slot_held), unless the segment is LOSSY, where
 *   nobody looks in place. `freed` <= `oldest` is how far that goes; `limit` = freed + capacity.
 * - No byte is written, and no frame made that has its next word, where the ring has no memory yet (segment.c): limit
 *   <= backed.
 * - The newest frame is never given up, so the latest value can always be read.
 * - tail, last and next_seq in the page may lag behind the frames by what was being committed; lane_recover catches
 *   up. */
#include "transport/shm/lane.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/word.h"
#include "frame/frame.h"
#include "os/process.h"
#include "transport/shm/slot.h"

enum { CHUNKS = 16, CORK_PARTS = 4, GROW_FACTOR = 2, PASS_SIZE = 8192 };
static const int64_t LEASE_LOOK_NS = 10 * 1000 * 1000;

/* ---- the frames of a lane, as its writer sees them ---- */

static uint64_t word_at(const struct weir_lane *lane, uint64_t position) {
    return atomic_load_explicit(weir_segment_word(&lane->segment, position), memory_order_relaxed);
}

static uint64_t seq_at(const struct weir_lane *lane, uint64_t position) {
    return atomic_load_explicit(weir_segment_word(&lane->segment, position) + 1, memory_order_relaxed);
}

/* The span of the frame with commit word @word; 0 when no frame of this segment can have it. */
static uint64_t span_of(const struct weir_lane *lane, uint64_t word) {
    uint32_t size = weir_frame_word_size(word);
    uint64_t span = weir_shm_span(size);
    return size < WEIR_FRAME_HEADER_SIZE || span > lane->segment.span_max ? 0 : span;
}

/* ---- room ---- */

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high) {
    return value < low ? low : value > high ? high : value;
}

/* The furthest frame boundary that `oldest` may move to: not beyond @bound, and as soon as it reaches @goal. */
static uint64_t boundary_find(const struct weir_lane *lane, uint64_t oldest, uint64_t goal, uint64_t bound) {
    uint64_t at = oldest;
    while (at < goal) {
        uint64_t span = span_of(lane, word_at(lane, at));
        if (span == 0) /* somebody damaged our ring; begin again at a place we know of ourselves */
            return bound;
        if (span > bound - at)
            break;
        at += span;
    }
    return at;
}

static int is_lossy(const struct weir_lane *lane) {
    return lane->segment.flags & WEIR_LANE_LOSSY;
}

static void limit_set(struct weir_lane *lane) {
    uint64_t limit = lane->freed + lane->segment.capacity;
    lane->limit = limit < lane->segment.backed ? limit : lane->segment.backed;
}

static uint64_t held_by_readers(const struct weir_lane *lane, unsigned *ret_slot) {
    *ret_slot = WEIR_SHM_SLOTS;
    if (is_lossy(lane))
        return lane->head;
    uint64_t held = weir_slot_held(lane->channel, lane->segment.lane, lane->freed, lane->head, ret_slot);
    return held < lane->segment.base ? lane->segment.base : held;
}

/* Move oldest, freed and limit as far as a frame of @span needs, and a little more, so that this is rare. @ret_slot:
 * the reader in the way when there is still no room. Return: 1 when there is room. */
static int room_make(struct weir_lane *lane, uint64_t span, unsigned *ret_slot) {
    struct weir_lane_page *page = lane->segment.page;
    uint64_t capacity = lane->segment.capacity;
    uint64_t needed = lane->head + span + WEIR_SHM_LINE;
    uint64_t goal = needed + capacity / CHUNKS;
    goal = goal > capacity ? goal - capacity : 0;
    uint64_t held = held_by_readers(lane, ret_slot);
    uint64_t oldest = atomic_load_explicit(&page->oldest, memory_order_relaxed);
    uint64_t last = atomic_load_explicit(&page->last, memory_order_relaxed);
    uint64_t bound = last == WEIR_SHM_NO_FRAME ? oldest : last < held ? last : held;
    if (oldest < goal && oldest < bound) {
        uint64_t before = oldest;
        /* Release: who goes to the frame there sees it, and not what stood in its place a lap ago. */
        oldest = boundary_find(lane, before, goal, bound);
        atomic_store_explicit(&page->oldest, oldest, memory_order_release);
        /* Full barrier: readers that copy see it before they can see a byte of what is written over the old frames, and
         * a reader that joins now either sees it too or is seen by the second look. */
        atomic_thread_fence(memory_order_seq_cst);
        held = held_by_readers(lane, ret_slot);
        if (held < oldest) { /* one has joined: nothing was overwritten yet, so it need not miss what it began with */
            oldest = held > before ? boundary_find(lane, before, goal, held) : before;
            atomic_store_explicit(&page->oldest, oldest, memory_order_release);
        }
    }
    uint64_t freed = oldest < held ? oldest : held;
    if (freed > lane->freed) {
        lane->freed = freed;
        limit_set(lane);
    }
    return needed <= lane->limit;
}

/* The reader in the way may be dead. Return: 1 when one was and has been taken out of it. */
static int dead_reader_remove(struct weir_lane *lane, unsigned slot) {
    if (slot == WEIR_SHM_SLOTS)
        return 0;
    int64_t now = weir_clock_monotonic();
    if (now - lane->looked_at < LEASE_LOOK_NS)
        return 0;
    if (weir_slot_reclaim(lane->channel, slot))
        return 1;
    lane->looked_at = now;
    return 0;
}

static int room_find(struct weir_lane *lane, uint64_t span) {
    unsigned slot;
    do
        if (room_make(lane, span, &slot))
            return 1;
    while (dead_reader_remove(lane, slot));
    return 0;
}

int weir_lane_has_room(struct weir_lane *lane) {
    return lane->limit - lane->head >= lane->wanted + WEIR_SHM_LINE || room_find(lane, lane->wanted);
}

/* ---- the zero behind the newest frame ----
 *
 * The word behind a new frame must be 0 before the frame can be seen. Storing it there and then would cost each message
 * the transfer of one more cache line, which readers had last; so after a frame is published the words of the lines to
 * come are cleared, while its reader is busy, and the next commit finds that it has nothing to do. Only bytes before
 * limit are cleared: nobody needs them. */

enum { AHEAD_SIZE = 16 * WEIR_SHM_LINE, AHEAD_SPAN_MAX = 4 * WEIR_SHM_LINE };

static void zero_put(const struct weir_lane *lane, uint64_t position) {
    atomic_store_explicit(weir_segment_word(&lane->segment, position), 0, memory_order_relaxed);
}

/* Somebody may have written into lines that were clear. */
static void zero_forget(struct weir_lane *lane) {
    lane->zero_from = lane->zero_to = 0;
}

/* Have a line of the ring brought here for writing, without waiting for it. */
static inline void line_fetch(const struct weir_lane *lane, uint64_t position) {
    const void *line = weir_segment_word(&lane->segment, position);
#if defined(__x86_64__)
    __asm__ volatile("prefetchw %0" : : "m"(*(const char *)line)); /* what the builtin is only for newer processors */
#else
    __builtin_prefetch(line, 1);
#endif
}

static inline void zero_at(struct weir_lane *lane, uint64_t position) {
    if (position >= lane->zero_from && position < lane->zero_to)
        return;
    zero_put(lane, position);
    lane->zero_from = position;
    lane->zero_to = position + WEIR_SHM_LINE;
}

/* Small frames are followed by frames of any small size, large ones mostly by one as large. What is clear must reach
 * beyond head, or published frames would be cleared: zero_at comes first. */
static inline void zero_ahead(struct weir_lane *lane, uint64_t span) {
    uint64_t end = lane->head + (span > AHEAD_SPAN_MAX ? span + WEIR_SHM_LINE : (uint64_t)AHEAD_SIZE);
    if (__builtin_expect(end > lane->limit, 0))
        return;
    if (span > AHEAD_SPAN_MAX) {
        zero_at(lane, end - WEIR_SHM_LINE);
        return;
    }
    for (; lane->zero_to < end; lane->zero_to += WEIR_SHM_LINE)
        zero_put(lane, lane->zero_to);
}

/* ---- segments ---- */

/* Take older segments away once no reader needs them: the newest one has a frame and every holding reader has come to
 * it. */
static void retired_remove(struct weir_lane *lane) {
    unsigned slot;
    struct weir_segment *segment = &lane->segment;
    if (atomic_load_explicit(&segment->page->last, memory_order_relaxed) == WEIR_SHM_NO_FRAME)
        return;
    while (weir_slot_held(lane->channel, segment->lane, 0, lane->head, &slot) < segment->base)
        if (!dead_reader_remove(lane, slot))
            return;
    /* The oldest first: what a kill leaves is still found from the newest one by the next holder, and by who joins
     * meanwhile. */
    struct weir_backing *backing = &lane->channel->backing;
    uint32_t generation = segment->generation;
    while (generation > 1 && weir_segment_exists(lane->channel, segment->lane, generation - 1))
        generation--;
    for (; generation < segment->generation; generation++)
        backing->ops->part_remove(backing, weir_part_lane(segment->lane, generation));
    lane->has_retired = 0;
}

/* Go on in a new segment. The old one is closed only when the new one is complete, so that readers and the next holder
 * find one of the two states. */
static int segment_grow(struct weir_lane *lane, uint64_t capacity, uint64_t room, uint32_t flags, weir_error *err) {
    struct weir_channel_page *page = lane->channel->page;
    struct weir_segment_wish wish = {
        .lane = lane->segment.lane,
        .generation = lane->segment.generation + 1,
        .flags = flags,
        .capacity = capacity,
        .base = lane->head,
        .next_seq = lane->seq,
        .room = room,
    };
    struct weir_segment next;
    if (wish.generation == 0) /* it would say that there is no lane */
        return weir_fail(err, WEIR_ETOOBIG, "%s: this writer's lane has grown as often as a lane can; open it again",
                         weir_channel_text(lane->channel));
    if (lane->has_retired)
        retired_remove(lane);
    int status = weir_segment_make(lane->channel, &wish, err);
    if (status == WEIR_OK)
        status = weir_segment_open(lane->channel, wish.lane, wish.generation, 1, &next, err);
    if (status)
        return status == WEIR_ENOENT
                   ? weir_fail(err, WEIR_ECLOSED, "%s was taken away", weir_channel_text(lane->channel))
                   : status;
    atomic_store(&next.page->epoch, lane->epoch);
    atomic_store(&next.page->start, atomic_load(&lane->segment.page->start));
    atomic_store(&next.page->pid, (uint32_t)getpid());
    atomic_store(&lane->segment.page->forward, wish.generation);
    atomic_store(&page->generation[wish.lane], wish.generation);
    atomic_fetch_add(&page->lanes_changed, 1);
    weir_segment_close(&lane->segment);
    lane->segment = next;
    zero_forget(lane);
    lane->freed = wish.base;
    weir_segment_know(&lane->segment, wish.base + wish.room);
    limit_set(lane);
    lane->has_retired = 1;
    return WEIR_OK;
}

/* ---- reserve ---- */

static int fenced(const struct weir_lane *lane, weir_error *err) {
    return weir_fail(err, WEIR_EFENCED, "%s: this writer's lane was given to another; open it again",
                     weir_channel_text(lane->channel));
}

static int is_fenced(const struct weir_lane *lane) {
    return atomic_load_explicit(&lane->segment.page->epoch, memory_order_relaxed) != lane->epoch;
}

static int too_big(const struct weir_lane *lane, size_t size, weir_error *err) {
    return weir_fail(err, WEIR_ETOOBIG,
                     "%s: a message of %zu bytes is over the limit of %" PRIu64 "; raise max= in the address",
                     weir_channel_text(lane->channel), size, lane->size_max);
}

/* The frame does not fit between head and limit: publish what is held back, grow, take memory, or free old frames. */
__attribute__((noinline)) static int room_search(struct weir_lane *lane, size_t size, weir_error *err) {
    uint64_t span = weir_shm_span(size);
    if (size > lane->size_max || size < WEIR_FRAME_HEADER_SIZE)
        return too_big(lane, size, err);
    if (span > lane->segment.span_max) {
        int status = weir_lane_flush(lane, err);
        return status ? status
                      : segment_grow(lane, GROW_FACTOR * (span + WEIR_SHM_LINE), span + WEIR_SHM_LINE,
                                     lane->segment.flags, err);
    }
    uint64_t needed = lane->head + span + WEIR_SHM_LINE;
    if (needed > lane->segment.backed) {
        int status = weir_segment_extend(lane->channel, &lane->segment, needed, err);
        if (status)
            return status;
        limit_set(lane);
        if (needed <= lane->limit)
            return WEIR_OK;
    }
    if (lane->has_retired)
        retired_remove(lane);
    lane->wanted = span;
    if (room_find(lane, span))
        return WEIR_OK;
    if (lane->cork_word) {
        int status = weir_lane_flush(lane, err);
        if (status || room_find(lane, span))
            return status;
    }
    return WEIR_EAGAIN;
}

int weir_lane_reserve(struct weir_lane *lane, size_t size, struct weir_slot *ret, weir_error *err) {
    uint64_t span = weir_shm_span(size);
    if (__builtin_expect(is_fenced(lane), 0))
        return fenced(lane, err);
    if (__builtin_expect(span > lane->segment.span_max || lane->limit - lane->head < span + WEIR_SHM_LINE ||
                             size < WEIR_FRAME_HEADER_SIZE || size > lane->size_max,
                         0)) {
        int status = room_search(lane, size, err);
        if (status)
            return status;
    }
    lane->span = span;
    ret->bytes = (unsigned char *)weir_segment_word(&lane->segment, lane->head);
    ret->seq = lane->seq;
    return WEIR_OK;
}

/* ---- commit ---- */

static void page_update(struct weir_lane *lane, uint64_t last) {
    struct weir_lane_page *page = lane->segment.page;
    atomic_store_explicit(&page->next_seq, lane->seq, memory_order_relaxed);
    atomic_store_explicit(&page->last, last, memory_order_release);
    atomic_store_explicit(&page->tail, lane->head, memory_order_release);
}

/* The frame at @at is written up to its word, and what is behind it is cleared. */
static int commit_corked(struct weir_lane *lane, uint64_t at, uint64_t word, uint32_t flags, weir_error *err) {
    if (lane->cork_word) {
        atomic_store_explicit(weir_segment_word(&lane->segment, at), word, memory_order_relaxed);
    } else {
        lane->cork_word = word;
        lane->cork_at = at;
    }
    lane->cork_last = at;
    if ((flags & WEIR_COMMIT_MORE) && lane->head - lane->cork_at < lane->segment.capacity / CORK_PARTS)
        return WEIR_OK;
    return weir_lane_flush(lane, err);
}

/* The frame at head is written up to its word: publish it. */
__attribute__((always_inline)) static inline int frame_publish(struct weir_lane *lane, uint64_t span, uint64_t word,
                                                               uint32_t flags, weir_error *err) {
    uint64_t at = lane->head;
    zero_at(lane, at + span);
    lane->head = at + span;
    lane->span = 0;
    lane->seq++;
    if (flags & WEIR_COMMIT_MORE || lane->cork_word) {
        if (lane->head + AHEAD_SIZE < lane->limit)
            line_fetch(lane, lane->head + AHEAD_SIZE);
        return commit_corked(lane, at, word, flags, err);
    }
    atomic_store_explicit(weir_segment_word(&lane->segment, at), word, memory_order_release);
    page_update(lane, at);
    weir_waker_look(&lane->waker, lane->channel);
    zero_ahead(lane, span);
    return WEIR_OK;
}

int weir_lane_commit(struct weir_lane *lane, uint64_t word, uint32_t flags, weir_error *err) {
    uint64_t span = weir_shm_span(weir_frame_word_size(word));
    if (__builtin_expect(span == 0 || span > lane->span, 0))
        return weir_fail(err, WEIR_EINVAL, "%s: commit of %u bytes without room reserved for them",
                         weir_channel_text(lane->channel), weir_frame_word_size(word));
    if (__builtin_expect(is_fenced(lane), 0))
        return fenced(lane, err);
    if (__builtin_expect(span != lane->span, 0))
        zero_forget(lane);
    return frame_publish(lane, span, word, flags, err);
}

uint64_t weir_lane_post(struct weir_lane *lane, uint64_t word, const void *data, size_t size, int64_t time,
                        uint32_t flags) {
    uint64_t seq = lane->seq;
    uint64_t span = weir_shm_span(weir_frame_word_size(word));
    unsigned char *to = (unsigned char *)weir_segment_word(&lane->segment, lane->head);
    if (__builtin_expect(lane->limit - lane->head < span + WEIR_SHM_LINE || span > lane->segment.span_max ||
                             is_fenced(lane) || weir_frame_word_size(word) > lane->size_max,
                         0))
        return 0;
    memcpy(to + 8, &seq, sizeof(seq));
    to += WEIR_FRAME_HEADER_SIZE;
    if (word >> 56 & WEIR_FRAME_TIME) {
        memcpy(to, &time, sizeof(time));
        to += sizeof(time);
    }
    weir_bytes_put(to, data, size);
    return frame_publish(lane, span, word, flags, NULL) == WEIR_OK ? seq : 0;
}

/* Write frames from head on, each up to its word; the words as well, but for the first one's when nothing is held back
 * yet. Return: how many. */
static size_t frames_write(struct weir_lane *lane, uint64_t word, const weir_view *data, size_t count, int64_t time) {
    uint64_t begin = lane->head, at = begin, last = begin, first = lane->cork_word, seq = lane->seq;
    uint32_t head = weir_frame_word_size(word);
    size_t done = 0;
    for (; done < count && at - begin < PASS_SIZE; done++) {
        size_t size = data[done].size;
        uint64_t span = weir_shm_span(head + size);
        if (size > lane->size_max - head || span > lane->segment.span_max || lane->limit - at < span + WEIR_SHM_LINE)
            break;
        unsigned char *to = (unsigned char *)weir_segment_word(&lane->segment, at);
        if (at + AHEAD_SIZE < lane->limit)
            line_fetch(lane, at + AHEAD_SIZE);
        memcpy(to + 8, &seq, sizeof(seq));
        if (word >> 56 & WEIR_FRAME_TIME)
            memcpy(to + WEIR_FRAME_HEADER_SIZE, &time, sizeof(time));
        weir_bytes_put(to + head, (const unsigned char *)data[done].data, size);
        if (first)
            atomic_store_explicit((_Atomic(uint64_t) *)(void *)to, word + size, memory_order_relaxed);
        else
            first = word + size;
        last = at;
        at += span;
        seq++;
    }
    if (done == 0)
        return 0;
    zero_at(lane, at);
    if (!lane->cork_word) {
        lane->cork_word = first;
        lane->cork_at = begin;
    }
    lane->cork_last = last;
    lane->head = at;
    lane->seq = seq;
    return done;
}

size_t weir_lane_post_many(struct weir_lane *lane, uint64_t word, const weir_view *data, size_t count, int64_t time,
                           uint32_t flags, uint64_t *ret_seq) {
    size_t done = 0;
    while (done < count && !is_fenced(lane)) {
        size_t some = frames_write(lane, word, data + done, count - done, time);
        if (some == 0)
            break;
        int is_held = (flags & WEIR_COMMIT_MORE) && lane->head - lane->cork_at < lane->segment.capacity / CORK_PARTS;
        if (!is_held && weir_lane_flush(lane, NULL) != WEIR_OK)
            break;
        done += some;
    }
    *ret_seq = lane->seq - 1;
    return done;
}

void weir_lane_discard(struct weir_lane *lane) {
    lane->span = 0;
    zero_forget(lane); /* the caller has had the bytes in front of head */
}

void weir_lane_skip(struct weir_lane *lane) {
    lane->seq++;
    if (!lane->cork_word) /* else flush says so, together with the frames before it */
        atomic_store_explicit(&lane->segment.page->next_seq, lane->seq, memory_order_relaxed);
}

int weir_lane_flush(struct weir_lane *lane, weir_error *err) {
    if (!lane->cork_word)
        return WEIR_OK;
    if (is_fenced(lane))
        return fenced(lane, err);
    atomic_store_explicit(weir_segment_word(&lane->segment, lane->cork_at), lane->cork_word, memory_order_release);
    uint64_t span = lane->head - lane->cork_last;
    lane->cork_word = 0;
    page_update(lane, lane->cork_last);
    weir_waker_look(&lane->waker, lane->channel);
    zero_at(lane, lane->head); /* a reservation given back since may have had us forget what is clear */
    zero_ahead(lane, span);
    return WEIR_OK;
}

/* ---- taking a lane ---- */

/* Is what the page says possible? A writer of this library leaves nothing else, whenever it dies. */
static int page_is_sane(const struct weir_segment *segment, uint64_t oldest, uint64_t tail, uint64_t last) {
    return oldest % WEIR_SHM_LINE == 0 && tail % WEIR_SHM_LINE == 0 && oldest >= segment->base && oldest <= tail &&
           tail - oldest < segment->capacity &&
           (last == WEIR_SHM_NO_FRAME ||
            (last % WEIR_SHM_LINE == 0 && last >= segment->base && last < tail + segment->capacity));
}

/* Find where the dead holder stopped: committed frames that its page does not tell of yet are kept, half-written ones
 * vanish. */
static int lane_recover(struct weir_lane *lane) {
    struct weir_lane_page *page = lane->segment.page;
    uint64_t oldest = atomic_load(&page->oldest);
    uint64_t tail = atomic_load(&page->tail);
    uint64_t last = atomic_load(&page->last);
    lane->seq = atomic_load(&page->next_seq);
    if (!page_is_sane(&lane->segment, oldest, tail, last))
        return WEIR_ECORRUPT;
    uint64_t span;
    while ((span = span_of(lane, word_at(lane, tail))) != 0 &&
           tail + span + WEIR_SHM_LINE - oldest <= lane->segment.capacity) {
        last = tail;
        lane->seq = clamp(seq_at(lane, tail) + 1, lane->seq, UINT64_MAX);
        tail += span;
    }
    lane->head = tail;
    zero_forget(lane);
    atomic_store_explicit(weir_segment_word(&lane->segment, tail), 0, memory_order_release);
    page_update(lane, last);
    unsigned slot;
    lane->freed = lane->segment.base;
    uint64_t held = held_by_readers(lane, &slot);
    uint64_t surely_gone =
        tail + WEIR_SHM_LINE > lane->segment.capacity ? tail + WEIR_SHM_LINE - lane->segment.capacity : 0;
    lane->freed = clamp(held < oldest ? held : oldest, surely_gone, oldest > surely_gone ? oldest : surely_gone);
    weir_segment_know(&lane->segment, tail + WEIR_SHM_LINE); /* there it ends, so its writer has been there */
    limit_set(lane);
    return WEIR_OK;
}

/* Open the newest segment: the table may lag behind a holder that died while it grew. */
static int newest_open(struct weir_lane *lane, unsigned index, uint32_t generation, weir_error *err) {
    int status = weir_segment_open(lane->channel, index, generation, 1, &lane->segment, err);
    while (status == WEIR_OK) {
        uint32_t forward = atomic_load(&lane->segment.page->forward);
        if (forward == 0)
            break;
        struct weir_segment next;
        status = forward == lane->segment.generation + 1
                     ? weir_segment_open(lane->channel, index, forward, 1, &next, err)
                     : weir_fail(err, WEIR_ECORRUPT, "%s: lane %u is damaged", weir_channel_text(lane->channel), index);
        weir_segment_close(&lane->segment);
        if (status == WEIR_OK)
            lane->segment = next;
        lane->has_retired = 1;
    }
    return status;
}

static int lane_make(struct weir_lane *lane, unsigned index, const struct weir_place *place, weir_error *err) {
    struct weir_segment_wish wish = {
        .lane = index,
        .generation = 1,
        .flags = place->full == WEIR_FULL_DROP_OLDEST ? WEIR_LANE_LOSSY : 0,
        .capacity = place->capacity,
        .next_seq = 1,
    };
    int status = weir_segment_make(lane->channel, &wish, err);
    if (status)
        return status;
    status = weir_segment_open(lane->channel, index, 1, 1, &lane->segment, err);
    if (status == WEIR_OK)
        weir_segment_know(&lane->segment, wish.room);
    return status;
}

/* The lease on lane @index is ours: make the lane, or take it over. Return: WEIR_OK; WEIR_EACCESS, WEIR_ECORRUPT,
 * WEIR_ENOENT: not this one. */
static int lane_settle(struct weir_lane *lane, unsigned index, const struct weir_place *place, weir_error *err) {
    struct weir_channel_page *page = lane->channel->page;
    uint32_t generation = atomic_load(&page->generation[index]);
    int status = generation ? newest_open(lane, index, generation, err) : lane_make(lane, index, place, err);
    if (status)
        return status;
    if (lane->segment.generation == UINT32_MAX) { /* it cannot grow */
        weir_segment_close(&lane->segment);
        return WEIR_ECORRUPT;
    }
    lane->has_retired |= generation > 1;
    struct weir_lane_page *mine = lane->segment.page;
    lane->epoch = atomic_load(&mine->epoch) + 1;
    atomic_store(&mine->epoch, lane->epoch);
    atomic_store(&mine->pid, (uint32_t)getpid());
    atomic_store(&mine->start, weir_process_start_own());
    status = lane_recover(lane);
    if (status) {
        weir_segment_close(&lane->segment);
        return status;
    }
    if (generation != lane->segment.generation) {
        atomic_store(&page->generation[index], lane->segment.generation);
        atomic_fetch_add(&page->lanes_changed, 1);
    }
    uint32_t flags = place->full == WEIR_FULL_DROP_OLDEST ? WEIR_LANE_LOSSY : 0;
    if (flags != lane->segment.flags || weir_segment_capacity(place->capacity) > lane->segment.capacity) {
        uint64_t capacity = place->capacity > lane->segment.capacity ? place->capacity : lane->segment.capacity;
        status = segment_grow(lane, capacity, 0, flags, err);
        if (status)
            weir_segment_close(&lane->segment);
    }
    return status;
}

int weir_lane_open(struct weir_lane *lane, struct weir_shm_channel *channel, const struct weir_place *place,
                   weir_error *err) {
    lane->channel = channel;
    lane->size_max = place->size_max;
    int status = WEIR_EBUSY;
    for (unsigned index = 0; index < WEIR_SHM_LANES; index++) {
        if (weir_lease_take(channel, WEIR_LEASE_LANE + index, 1) != WEIR_OK)
            continue;
        status = lane_settle(lane, index, place, err);
        if (status == WEIR_OK)
            break;
        weir_lease_drop(channel, WEIR_LEASE_LANE + index);
        if (status != WEIR_EACCESS && status != WEIR_ECORRUPT && status != WEIR_ENOENT)
            return status;
        if (status == WEIR_EACCESS && atomic_load(&channel->page->generation[index]) == 0)
            return status; /* it could not be made, nor could another */
        status = WEIR_EBUSY;
    }
    if (status)
        return weir_fail(err, WEIR_EBUSY, "%s has %d writers already, and no lane for one more",
                         weir_channel_text(channel), WEIR_SHM_LANES);
    weir_waker_init(&lane->waker);
    lane->is_open = 1;
    /* Whoever had the lane may have died between a commit and its wake-up. */
    weir_waker_wake(&lane->waker, channel);
    return WEIR_OK;
}

void weir_lane_close(struct weir_lane *lane) {
    if (!lane->is_open)
        return;
    weir_lane_flush(lane, NULL);
    if (!is_fenced(lane)) {
        if (lane->has_retired)
            retired_remove(lane);
        atomic_store(&lane->segment.page->start, 0);
        atomic_store(&lane->segment.page->pid, 0);
        weir_lease_drop(lane->channel, WEIR_LEASE_LANE + lane->segment.lane);
    }
    weir_segment_close(&lane->segment);
    weir_lane_abandon(lane);
}

void weir_lane_abandon(struct weir_lane *lane) {
    if (lane->is_open)
        weir_waker_fini(&lane->waker);
    lane->is_open = 0;
}

/* ---- who writes ---- */

int64_t weir_lane_holder(const struct weir_shm_channel *channel, uint32_t *ret_uid) {
    const struct weir_backing_ops *ops = channel->backing.ops;
    for (unsigned index = 0; index < WEIR_SHM_LANES; index++) {
        struct weir_part part;
        uint32_t pid = 0;
        uint32_t generation = atomic_load(&channel->page->generation[index]);
        if (generation == 0 || !weir_lease_is_held(channel, WEIR_LEASE_LANE + index) ||
            ops->part_open(&channel->backing, weir_part_lane(index, generation), 0, &part) != WEIR_OK)
            continue;
        int status = ops->part_read(&part, WEIR_SHM_PAGE + offsetof(struct weir_lane_page, pid), &pid, sizeof(pid));
        ops->part_close(&part);
        if (status != WEIR_OK || pid == 0)
            continue;
        *ret_uid = part.uid;
        return pid;
    }
    return 0;
}
