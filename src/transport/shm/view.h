/* One lane as a reader sees it: where it is, going elsewhere, and taking frames out. */
#ifndef WEIR_SHM_VIEW_H
#define WEIR_SHM_VIEW_H

#include "base/buffer.h"
#include "transport/shm/segment.h"

struct weir_lane_view {
    struct weir_segment segment;
    uint64_t position;         /* of the next frame */
    uint64_t next;             /* behind the frame that is handed out */
    uint64_t span;             /* of the frame before it: a guess at its own */
    uint64_t expected;         /* seq of the next frame; 0: not known, any is right */
    _Atomic(uint64_t) *cursor; /* ours for this lane, everything before it is free; NULL: we hold nothing back */
    uint8_t is_open;
    uint8_t is_in_place; /* frames are handed out where they lie */
    uint8_t may_hold;    /* our cursor keeps the writer from what is behind it */
    uint8_t is_given_up; /* damaged */
};

/* What can be learnt of a frame without taking it. */
struct weir_glance {
    uint64_t seq;
    int64_t time; /* 0: not stamped */
    uint64_t span;
};

/* Open segment @generation, and those it leads on to, in place of the one that is open. view->cursor is set before. */
int weir_view_open(struct weir_lane_view *view, const struct weir_shm_channel *channel, unsigned lane,
                   uint32_t generation, weir_error *err);
void weir_view_close(struct weir_lane_view *view);

/* To the oldest frame of the oldest segment that there still is. */
int weir_view_to_oldest(struct weir_lane_view *view, const struct weir_shm_channel *channel, weir_error *err);
/* Behind the newest frame. */
int weir_view_to_end(struct weir_lane_view *view, const struct weir_shm_channel *channel, weir_error *err);
/* To the newest frame. Return: WEIR_OK; WEIR_EAGAIN, there is none, and the view is at the end; failures. */
int weir_view_to_last(struct weir_lane_view *view, const struct weir_shm_channel *channel, struct weir_glance *ret,
                      weir_error *err);
/* From where it is to the first frame with seq >= @seq and time >= @time. */
int weir_view_forward(struct weir_lane_view *view, const struct weir_shm_channel *channel, uint64_t seq, int64_t time,
                      weir_error *err);
/* The word at the position is 0, or was overwritten: is the reader overtaken, or does the lane go on in another
 * segment?
 * Return: WEIR_OK (look again), WEIR_EAGAIN (nothing there), failures. */
int weir_view_follow(struct weir_lane_view *view, const struct weir_shm_channel *channel, weir_error *err);
/* Copy the frame at the position out, followed by nothing. Return: WEIR_OK, WEIR_EAGAIN, WEIR_ECORRUPT, WEIR_ENOMEM. */
int weir_view_copy(struct weir_lane_view *view, const struct weir_shm_channel *channel, struct weir_buffer *to,
                   weir_error *err);

/* Copy bytes that somebody may be writing; what came is checked afterwards. */
void weir_view_copy_racing(unsigned char *to, const unsigned char *from, size_t size);

/* Has the writer gone on beyond the position? For who holds it `oldest` says nothing: the writer moves it before it
 * looks for who has joined, and puts it back. */
static inline int weir_view_is_passed(const struct weir_lane_view *view) {
    return !view->is_in_place &&
           atomic_load_explicit(&view->segment.page->oldest, memory_order_acquire) > view->position &&
           !(view->may_hold && atomic_load_explicit(view->cursor, memory_order_relaxed) <= view->position);
}

/* Is there a frame, or anything else for which it is worth calling next? Nothing that weir_view_follow passes over: who
 * waits would find it ready for ever. */
static inline int weir_view_is_ready(const struct weir_lane_view *view) {
    if (view->is_given_up)
        return 0;
    return atomic_load_explicit(weir_segment_word(&view->segment, view->position), memory_order_acquire) != 0 ||
           atomic_load_explicit(&view->segment.page->forward, memory_order_relaxed) > view->segment.generation ||
           weir_view_is_passed(view);
}

#endif
