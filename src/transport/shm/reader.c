/* The merge of lanes, and waiting for them.
 *
 * What must stay true: a lane that is damaged, or whose writer is stopped or dead, holds up no other; no lane gets more
 * than BURST frames in a row while others have some; looking for a frame makes no system call and reads no clock. */
#include "transport/shm/reader.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "frame/frame.h"
#include "transport/told.h"

enum { BURST = 16, TELL_PARTS = 8, NAP_NS = 200 * 1000, LOOKS = 64 };

/* ---- open and close ---- */

static int slot_find(struct weir_shm_reader *reader, weir_error *err) {
    unsigned slot = WEIR_NO_SLOT;
    if (reader->channel->access >= WEIR_CHANNEL_READ) {
        weir_error why = {0};
        int status = weir_slot_take(reader->channel, reader->is_holding, &slot, &why);
        int does_without = status == WEIR_EBUSY && !reader->is_holding;
        if (status != WEIR_OK && !does_without) {
            if (err)
                *err = why;
            return status;
        }
    }
    weir_sleeper_init(&reader->sleeper, slot);
    return WEIR_OK;
}

/* ---- lanes that are damaged ---- */

/* What a lane's writer can bring about. It must not keep us from the other lanes, so it is never what opening or
 * seeking returns. */
static int is_damage(int status) {
    return status == WEIR_ECORRUPT || status == WEIR_EACCESS;
}

/* Read no more of the lane, until it has a segment after @generation. */
static void lane_give_up(struct weir_lane_view *view, uint32_t generation) {
    view->is_given_up = 1;
    view->is_in_place = 0; /* the short way of next looks no further */
    view->segment.generation = generation;
    if (view->cursor)
        atomic_store_explicit(view->cursor, UINT64_MAX, memory_order_release);
}

static int lane_tell(const struct weir_shm_reader *reader, unsigned lane, weir_error *err) {
    const struct weir_lane_view *view = &reader->lanes[lane];
    if (!view->is_open)
        return weir_fail(err, WEIR_ECORRUPT, "%s: the lane of writer %u is damaged; it is given up",
                         weir_channel_text(reader->channel), lane + 1);
    return weir_fail(err, WEIR_ECORRUPT, "%s: the lane of writer %u (uid %u) is damaged; it is given up",
                     weir_channel_text(reader->channel), lane + 1, view->segment.uid);
}

/* Found where it cannot be told: next will. */
static void lane_give_up_quietly(struct weir_shm_reader *reader, unsigned lane, uint32_t generation) {
    lane_give_up(&reader->lanes[lane], generation);
    reader->damaged |= UINT64_C(1) << lane;
}

static int damage_tell(struct weir_shm_reader *reader, weir_error *err) {
    unsigned lane = (unsigned)__builtin_ctzll(reader->damaged);
    reader->damaged &= reader->damaged - 1;
    return lane_tell(reader, lane, err);
}

/* ---- lanes that come ---- */

/* Has the writer of the lane gone, never to come back to it? */
static int lane_is_over(const struct weir_shm_reader *reader, const struct weir_lane_view *view) {
    const struct weir_shm_channel *channel = reader->channel;
    return channel->wakes && channel->wakes->is_over(&channel->backing, (unsigned)(view - reader->lanes));
}

/* Read lane @lane from now on; where from is said next. */
static int lane_add(struct weir_shm_reader *reader, unsigned lane, uint32_t generation, weir_error *err) {
    struct weir_lane_view *view = &reader->lanes[lane];
    if (reader->is_holding)
        view->cursor = weir_channel_cursor(reader->channel, reader->sleeper.slot, lane);
    int was_open = view->is_open;
    int status = weir_view_open(view, reader->channel, lane, generation, err);
    if (status == WEIR_OK && !was_open)
        reader->order[reader->count++] = (uint8_t)lane;
    return status;
}

/* What a lane that came after us wants: nothing of it may be missed unnoticed. */
static int lane_welcome(struct weir_shm_reader *reader, unsigned lane, uint32_t generation, weir_error *err) {
    struct weir_lane_view *view = &reader->lanes[lane];
    uint64_t expected = view->is_given_up ? view->expected : 1;
    uint8_t was_given_up = view->is_given_up;
    unsigned count = reader->count;
    int status = lane_add(reader, lane, generation, err);
    if (status != WEIR_OK)
        return status;
    status = weir_view_to_oldest(view, reader->channel, err);
    view->expected = expected;
    if (status == WEIR_OK || is_damage(status))
        return status;
    /* No memory or descriptor now: forget it, so that it is found anew. */
    if (reader->count > count)
        weir_view_close(view);
    reader->count = count;
    view->is_given_up = was_given_up;
    view->is_in_place = 0;
    view->segment.generation = generation - 1;
    return status;
}

/* Look which lanes there are. @is_open: this is the open, where to begin is still to be said. */
static int lanes_notice(struct weir_shm_reader *reader, int is_open, weir_error *err) {
    uint64_t changed = atomic_load_explicit(&reader->channel->page->lanes_changed, memory_order_acquire);
    for (unsigned lane = 0; lane < WEIR_SHM_LANES; lane++) {
        struct weir_lane_view *view = &reader->lanes[lane];
        uint32_t generation = atomic_load_explicit(&reader->channel->page->generation[lane], memory_order_acquire);
        if (generation == 0 || lane == reader->own_lane)
            continue;
        if (view->is_given_up && !view->is_open && lane_is_over(reader, view)) { /* damaged from the beginning */
            *view = (struct weir_lane_view){0};
            reader->damaged &= ~(UINT64_C(1) << lane);
            reader->channel->wakes->lane_free(&reader->channel->backing, lane);
            continue;
        }
        if ((view->is_open || view->is_given_up) && !(view->is_given_up && generation > view->segment.generation))
            continue;
        int status = is_open ? lane_add(reader, lane, generation, err) : lane_welcome(reader, lane, generation, err);
        if (is_damage(status))
            lane_give_up_quietly(reader, lane, generation);
        else if (status)
            return status;
    }
    reader->lanes_seen = changed;
    return WEIR_OK;
}

int weir_shm_reader_open(struct weir_shm_reader *reader, struct weir_shm_channel *channel,
                         const struct weir_place *place, int is_holding, unsigned own_lane, weir_error *err) {
    reader->channel = channel;
    reader->is_holding = (uint8_t)is_holding;
    reader->own_lane = own_lane;
    reader->how = place->wait;
    reader->told = place->told;
    int status = slot_find(reader, err);
    if (status)
        return status;
    reader->is_open = 1;
    if (is_holding && own_lane < WEIR_SHM_LANES)
        atomic_store(&weir_channel_slot(channel, reader->sleeper.slot)->cursor[own_lane], UINT64_MAX);
    weir_spin_init(&reader->spin);
    status = reader->how == WEIR_WAIT_SEM ? weir_sleeper_use_semaphore(&reader->sleeper, channel, err) : WEIR_OK;
    if (status == WEIR_OK)
        status = lanes_notice(reader, 1, err);
    if (status == WEIR_OK)
        status = weir_shm_reader_seek(reader, place->from, place->from_value, err);
    if (status == WEIR_EAGAIN) /* from=last, and nothing there yet */
        status = WEIR_OK;
    if (status == WEIR_OK && reader->sleeper.slot != WEIR_NO_SLOT)
        status = weir_slot_place(channel, reader->sleeper.slot, err);
    if (status)
        weir_shm_reader_close(reader);
    return status;
}

void weir_shm_reader_close(struct weir_shm_reader *reader) {
    if (!reader->is_open)
        return;
    for (unsigned i = 0; i < WEIR_SHM_LANES; i++)
        weir_view_close(&reader->lanes[i]);
    if (reader->sleeper.slot != WEIR_NO_SLOT) {
        weir_slot_drop(reader->channel, reader->sleeper.slot);
        weir_space_tell(reader->channel);
    }
    weir_shm_reader_abandon(reader);
}

void weir_shm_reader_abandon(struct weir_shm_reader *reader) {
    if (reader->is_open)
        weir_sleeper_fini(&reader->sleeper);
    weir_buffer_fini(&reader->copy);
    reader->is_open = 0;
}

/* ---- next and release ---- */

static void space_tell(struct weir_shm_reader *reader) {
    reader->untold = 0;
    weir_space_tell(reader->channel);
}

static inline void held_release(struct weir_shm_reader *reader) {
    struct weir_lane_view *view = reader->held;
    if (!view)
        return;
    reader->held = NULL;
    uint64_t span = view->next - view->position;
    reader->untold += span;
    /* The next position comes out of the frame's own line. Frames mostly have the size of the one before: with that as
     * a guess, the processor fetches the lines of several frames at once instead of one after the other. */
    uint64_t guess = view->span;
    __asm__("" : "+r"(guess));
    if (__builtin_expect(span == view->span, 1)) {
        view->position += guess;
    } else {
        view->span = span;
        view->position = view->next;
    }
    if (!view->cursor)
        return;
    atomic_store_explicit(view->cursor, view->position, memory_order_release);
    if (__builtin_expect(reader->untold > view->segment.capacity / TELL_PARTS, 0))
        space_tell(reader);
}

void weir_shm_reader_release(struct weir_shm_reader *reader) {
    held_release(reader);
}

/* Hand out the frame at @bytes. */
static inline void frame_give(struct weir_shm_reader *reader, struct weir_lane_view *view, const unsigned char *bytes,
                              uint64_t word, struct weir_inbound *ret) {
    uint64_t seq;
    memcpy(&seq, bytes + sizeof(word), sizeof(seq));
    uint64_t missed = view->expected && seq > view->expected ? seq - view->expected : 0;
    view->expected = seq + 1;
    view->next = view->position + weir_shm_span(weir_frame_word_size(word));
    reader->held = view;
    *ret = (struct weir_inbound){
        .bytes = bytes,
        .word = word,
        .size = weir_frame_word_size(word),
        .gap = missed,
        .writer = view->segment.lane + 1,
        .peer = view->segment.lane + 1,
        .uid = view->segment.uid,
        .is_in_place = view->is_in_place,
    };
}

static int lane_give_up_loudly(struct weir_shm_reader *reader, struct weir_lane_view *view, weir_error *err) {
    lane_give_up(view, view->segment.generation);
    return lane_tell(reader, view->segment.lane, err);
}

/* Take a frame that must be copied. */
static int frame_copy(struct weir_shm_reader *reader, struct weir_lane_view *view, struct weir_inbound *ret,
                      weir_error *err) {
    uint64_t word;
    int status = weir_view_copy(view, reader->channel, &reader->copy, err);
    if (is_damage(status))
        return lane_give_up_loudly(reader, view, err);
    if (status == WEIR_ENOMEM)
        return weir_fail(err, WEIR_ENOMEM, "%s: out of memory for a message", weir_channel_text(reader->channel));
    if (status)
        return status;
    memcpy(&word, reader->copy.data, sizeof(word));
    frame_give(reader, view, reader->copy.data, word, ret);
    return WEIR_OK;
}

/* The next frame of one lane. */
static inline int lane_next(struct weir_shm_reader *reader, struct weir_lane_view *view, struct weir_inbound *ret,
                            weir_error *err) {
    for (;;) {
        _Atomic(uint64_t) *at = weir_segment_word(&view->segment, view->position);
        uint64_t word = atomic_load_explicit(at, memory_order_acquire);
        if (word != 0 && __builtin_expect(view->is_in_place, 1)) {
            uint32_t size = weir_frame_word_size(word);
            if (__builtin_expect(size < WEIR_FRAME_HEADER_SIZE || weir_shm_span(size) > view->segment.span_max, 0))
                return lane_give_up_loudly(reader, view, err);
            frame_give(reader, view, (const unsigned char *)at, word, ret);
            return WEIR_OK;
        }
        if (word != 0)
            return frame_copy(reader, view, ret, err);
        int status = weir_view_follow(view, reader->channel, err);
        if (is_damage(status))
            return lane_give_up_loudly(reader, view, err);
        if (status)
            return status;
    }
}

/* Forget the lane that stands at @index in the order; its number is free for another writer. */
static void lane_remove(struct weir_shm_reader *reader, unsigned index) {
    unsigned lane = reader->order[index];
    weir_view_close(&reader->lanes[lane]);
    reader->lanes[lane] = (struct weir_lane_view){0};
    memmove(&reader->order[index], &reader->order[index + 1], --reader->count - index);
    reader->current = index < reader->count ? index : 0;
    reader->burst = 0;
    reader->channel->wakes->lane_free(&reader->channel->backing, lane);
}

static int merge_next(struct weir_shm_reader *reader, struct weir_inbound *ret, weir_error *err) {
    if (__builtin_expect(atomic_load_explicit(&reader->channel->page->lanes_changed, memory_order_relaxed) !=
                                 reader->lanes_seen ||
                             reader->damaged,
                         0)) {
        int status = lanes_notice(reader, 0, err);
        if (status)
            return status;
        /* In turn with frames, so that a writer who makes damage all the time does not keep us from them. */
        reader->is_telling = reader->damaged && !reader->is_telling;
        if (reader->is_telling)
            return damage_tell(reader, err);
    }
    for (unsigned tries = 0; tries <= reader->count && reader->count > 0; tries++) {
        struct weir_lane_view *view = &reader->lanes[reader->order[reader->current]];
        int is_over = view->is_given_up && lane_is_over(reader, view);
        if (reader->burst < BURST && !view->is_given_up) {
            int status = lane_next(reader, view, ret, err);
            reader->burst++;
            /* Once more: what it sent before it went. */
            if (status == WEIR_EAGAIN && (is_over = lane_is_over(reader, view)) != 0)
                status = lane_next(reader, view, ret, err);
            if (status != WEIR_EAGAIN)
                return status;
        }
        if (is_over) {
            lane_remove(reader, reader->current);
            continue;
        }
        reader->burst = 0;
        reader->current = reader->current + 1 < reader->count ? reader->current + 1 : 0;
    }
    return WEIR_EAGAIN;
}

/* The short way: the lane whose turn it is has a frame that can be handed out where it lies. */
static inline int current_next(struct weir_shm_reader *reader, struct weir_inbound *ret) {
    struct weir_lane_view *view = &reader->lanes[reader->order[reader->current]];
    if (reader->count == 0 || !view->is_in_place || (reader->burst >= BURST && reader->count > 1) || reader->damaged ||
        atomic_load_explicit(&reader->channel->page->lanes_changed, memory_order_relaxed) != reader->lanes_seen)
        return 0;
    _Atomic(uint64_t) *at = weir_segment_word(&view->segment, view->position);
    uint64_t word = atomic_load_explicit(at, memory_order_acquire);
    uint32_t size = weir_frame_word_size(word);
    if (size < WEIR_FRAME_HEADER_SIZE || weir_shm_span(size) > view->segment.span_max)
        return 0;
    reader->burst++;
    frame_give(reader, view, (const unsigned char *)at, word, ret);
    return 1;
}

int weir_shm_reader_next(struct weir_shm_reader *reader, struct weir_inbound *ret, weir_error *err) {
    held_release(reader);
    if (__builtin_expect(current_next(reader, ret), 1))
        return WEIR_OK;
    int status = merge_next(reader, ret, err);
    if (__builtin_expect(status != WEIR_EAGAIN, 1))
        return status;
    if (reader->is_holding && reader->untold)
        space_tell(reader);
    if (reader->sleeper.fd >= 0 && weir_sleeper_arm(&reader->sleeper, reader->channel))
        status = merge_next(reader, ret, err);
    return status;
}

/* Frames behind the one that is handed out: released together with it, as the cursor stays where it is. */
size_t weir_shm_reader_follow(struct weir_shm_reader *reader, struct weir_following *ret, size_t max) {
    struct weir_lane_view *view = reader->held;
    if (!view || !view->is_in_place)
        return 0;
    if (reader->count > 1 && max > BURST - reader->burst)
        max = reader->burst < BURST ? BURST - reader->burst : 0;
    uint64_t position = view->next, expected = view->expected;
    size_t count = 0;
    for (; count < max; count++) {
        uint64_t seq;
        _Atomic(uint64_t) *at = weir_segment_word(&view->segment, position);
        uint64_t word = atomic_load_explicit(at, memory_order_acquire);
        uint64_t span = weir_shm_span(weir_frame_word_size(word));
        if (weir_frame_word_size(word) < WEIR_FRAME_HEADER_SIZE || span > view->segment.span_max)
            break; /* nothing, or damage: next finds it */
        memcpy(&seq, (const unsigned char *)at + sizeof(word), sizeof(seq));
        ret[count] = (struct weir_following){
            .bytes = (const unsigned char *)at, .word = word, .gap = expected && seq > expected ? seq - expected : 0};
        expected = seq + 1;
        position += span;
    }
    view->next = position;
    view->expected = expected;
    reader->burst += (unsigned)count;
    return count;
}

/* ---- seek ---- */

/* The lane with the newest frame, by time, is left at that frame, the others at their ends. */
static int seek_last(struct weir_shm_reader *reader, weir_error *err) {
    struct weir_lane_view *winner = NULL;
    struct weir_glance best = {0};
    for (unsigned i = 0; i < reader->count; i++) {
        struct weir_lane_view *view = &reader->lanes[reader->order[i]];
        struct weir_glance seen;
        int status = view->is_given_up ? WEIR_EAGAIN : weir_view_to_last(view, reader->channel, &seen, err);
        if (is_damage(status))
            lane_give_up_quietly(reader, reader->order[i], view->segment.generation);
        if (status == WEIR_EAGAIN || is_damage(status))
            continue;
        if (status)
            return status;
        struct weir_lane_view *loser = winner && seen.time < best.time ? view : winner;
        if (loser != view) {
            winner = view;
            best = seen;
        }
        status = loser ? weir_view_to_end(loser, reader->channel, err) : WEIR_OK;
        if (is_damage(status))
            lane_give_up_quietly(reader, loser->segment.lane, loser->segment.generation);
        else if (status)
            return status;
    }
    return winner ? WEIR_OK : WEIR_EAGAIN;
}

static int seek_lane(struct weir_shm_reader *reader, struct weir_lane_view *view, enum weir_from from, int64_t value,
                     weir_error *err) {
    if (from == WEIR_FROM_NOW)
        return weir_view_to_end(view, reader->channel, err);
    int status = weir_view_to_oldest(view, reader->channel, err);
    if (status || from == WEIR_FROM_OLDEST)
        return status;
    uint64_t seq = from == WEIR_FROM_SEQ ? (uint64_t)value : 0;
    int64_t time = from == WEIR_FROM_AGO ? weir_clock_realtime() - value : INT64_MIN;
    status = weir_view_forward(view, reader->channel, seq, time, err);
    /* Who names a seq learns how many there are no more from it on. */
    uint64_t first = seq > 0 ? seq : 1;
    if (status == WEIR_OK && from == WEIR_FROM_SEQ && (view->expected == 0 || view->expected > first))
        view->expected = first;
    return status;
}

/* From where on we read, so that what is overwritten before we have had a first message can be counted, too. What lies
 * in front of the newest frame of a lane is not missed when that frame is asked for. */
static void place_tell(const struct weir_shm_reader *reader) {
    for (unsigned i = 0; reader->told && i < reader->count; i++) {
        const struct weir_lane_view *view = &reader->lanes[reader->order[i]];
        uint64_t seq = view->expected;
        if (view->is_given_up)
            continue;
        if (seq == 0)
            memcpy(&seq, (const unsigned char *)weir_segment_word(&view->segment, view->position) + 8, sizeof(seq));
        WEIR_TELL(reader->told->seq[(view->segment.lane + 1) % WEIR_TOLD_WRITERS], seq > 0 ? seq - 1 : 0);
    }
}

int weir_shm_reader_seek(struct weir_shm_reader *reader, enum weir_from from, int64_t value, weir_error *err) {
    weir_shm_reader_release(reader);
    int status = lanes_notice(reader, reader->lanes_seen == 0, err);
    if (status == WEIR_OK && from == WEIR_FROM_LAST)
        status = seek_last(reader, err);
    else
        for (unsigned i = 0; status == WEIR_OK && i < reader->count; i++) {
            struct weir_lane_view *view = &reader->lanes[reader->order[i]];
            if (!view->is_given_up)
                status = seek_lane(reader, view, from, value, err);
            if (is_damage(status)) {
                lane_give_up_quietly(reader, reader->order[i], view->segment.generation);
                status = WEIR_OK;
            }
        }
    if (reader->is_holding)
        space_tell(reader);
    place_tell(reader);
    return status;
}

/* ---- waiting ---- */

static int is_ready(void *user) {
    const struct weir_shm_reader *reader = user;
    for (unsigned i = 0; i < reader->count; i++)
        if (weir_view_is_ready(&reader->lanes[reader->order[i]]))
            return 1;
    return reader->damaged ||
           atomic_load_explicit(&reader->channel->page->lanes_changed, memory_order_relaxed) != reader->lanes_seen;
}

/* A frame has come: bring its second line as well, while what the first one says is looked at. Who copies the message
 * asks for it only much later, and would wait for it as long as for the first. */
static inline void rest_fetch(const _Atomic(uint64_t) *at, uint64_t word) {
    if (weir_frame_word_size(word) > WEIR_SHM_LINE)
        __builtin_prefetch((const unsigned char *)at + WEIR_SHM_LINE);
}

/* A few looks at the one place where the next frame most probably will be. */
static int spin_briefly(const struct weir_shm_reader *reader) {
    const struct weir_lane_view *view = &reader->lanes[reader->order[reader->current]];
    if (reader->count != 1 || view->is_given_up || reader->how == WEIR_WAIT_POLL || reader->spin.limit_ns == 0)
        return 0;
    const _Atomic(uint64_t) *at = weir_segment_word(&view->segment, view->position);
    for (int i = 0; i < LOOKS; i++) {
        uint64_t word = atomic_load_explicit(at, memory_order_relaxed);
        if (word != 0) {
            rest_fetch(at, word);
            return 1;
        }
        weir_spin_pause();
    }
    return 0;
}

static int nap_until(struct weir_shm_reader *reader, int64_t deadline) {
    while (!is_ready(reader)) {
        int64_t left = weir_deadline_left(deadline);
        if (left == 0)
            return WEIR_ETIMEOUT;
        nanosleep(&(struct timespec){.tv_nsec = left < NAP_NS ? (long)left : NAP_NS}, NULL);
    }
    return WEIR_OK;
}

static int sleep_until(struct weir_shm_reader *reader, int64_t deadline) {
    if (weir_spin_until(&reader->spin, is_ready, reader))
        return WEIR_OK;
    for (;;) {
        int64_t left = weir_deadline_left(deadline);
        if (left == 0)
            return WEIR_ETIMEOUT;
        weir_sleeper_begin(&reader->sleeper, reader->channel);
        while (!is_ready(reader) && left > 0 && weir_sleeper_sleep(&reader->sleeper, reader->channel, left))
            left = weir_deadline_left(deadline);
        weir_sleeper_end(&reader->sleeper, reader->channel);
        if (is_ready(reader))
            return WEIR_OK;
    }
}

int weir_shm_reader_wait(struct weir_shm_reader *reader, int64_t deadline) {
    if (deadline == 0)
        return is_ready(reader) ? WEIR_OK : WEIR_ETIMEOUT;
    if (spin_briefly(reader))
        return WEIR_OK;
    if (reader->how == WEIR_WAIT_SPIN)
        return weir_spin_long(is_ready, reader, deadline) ? WEIR_OK : WEIR_ETIMEOUT;
    if (reader->how == WEIR_WAIT_POLL)
        return nap_until(reader, deadline);
    return sleep_until(reader, deadline);
}

int weir_shm_reader_fd(struct weir_shm_reader *reader, int *ret, weir_error *err) {
    int status = weir_sleeper_fd(&reader->sleeper, reader->channel, err);
    if (status == WEIR_OK)
        *ret = reader->sleeper.fd;
    return status;
}
