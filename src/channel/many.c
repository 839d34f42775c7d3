/* Many messages received in one call.
 *
 * The first is taken as ever. Where it lies in the channel itself, those behind it do too, and are handed out there. A
 * transport that gives one frame at a time takes each back when it gives the next: so each is copied before the next is
 * asked for, as long as there is room in a buffer that does not grow.
 *
 * What must stay true: nothing that was taken from the transport is lost. What goes wrong behind a message is kept, and
 * told by the next call. */
#include "channel/end.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK = 32, KEPT_SIZE = 1 << 20, KEPT_ALIGNMENT = 64 };

/* Have room for @count messages. */
static int many_grow(struct weir_end *end, size_t count) {
    struct weir_many *many = end->many ? end->many : calloc(1, sizeof(*many));
    end->many = many;
    if (!many)
        return WEIR_ENOMEM;
    if (many->count >= count)
        return WEIR_OK;
    struct weir_message *messages = aligned_alloc(_Alignof(struct weir_message), count * sizeof(*messages));
    if (!messages)
        return WEIR_ENOMEM;
    if (many->count > 0)
        memcpy(messages, many->messages, many->count * sizeof(*messages));
    free(many->messages);
    many->messages = messages;
    for (; many->count < count; many->count++) {
        memset(&messages[many->count], 0, sizeof(*messages));
        memcpy(messages[many->count].place, end->place.text, sizeof(messages->place));
    }
    return WEIR_OK;
}

void weir_many_free(struct weir_many *many) {
    for (size_t i = 0; many && i < many->count; i++)
        weir_message_fini(&many->messages[i]);
    if (many) {
        free(many->messages);
        weir_buffer_fini(&many->kept);
    }
    free(many);
}

/* Messages of @size bytes in all have been handed out; @last is the last one. */
static void count_received(struct weir_end *end, const struct weir_message *last, size_t count, uint64_t size) {
    struct weir_record *record = end->record.shown;
    weir_record_count(&record->messages, count);
    weir_record_count(&record->bytes, size);
    atomic_store_explicit(&record->gaps, end->gaps, memory_order_relaxed);
    atomic_store_explicit(&record->last_time, weir_message_frame(last)->time, memory_order_relaxed);
    WEIR_TELL(record->told.seq[last->writer & end->writer_mask], weir_message_frame(last)->seq);
}

static void failure_keep(struct weir_end *end, int status) {
    end->many->status = status;
    end->has_failed = 1;
}

/* ---- in place ---- */

/* Is it the frame of most messages? Then it is enough to know where it lies. */
static inline int is_plain(const struct weir_end *end, const struct weir_following *frame, uint32_t kinds) {
    size_t head = weir_frame_simple_head(frame->word) + (uint8_t)(frame->word >> 48);
    return weir_frame_is_simple(frame->word) && (kinds >> (frame->word >> 32 & 0x0F) & 1) &&
           weir_frame_word_size(frame->word) >= head && frame->gap + end->gap_carried == 0;
}

static inline void plain_show(const struct weir_following *frame, const struct weir_inbound *source,
                              struct weir_message *message) {
    weir_message_from(message, source);
    message->word = frame->word;
    message->bytes = frame->bytes;
    message->is_unread = 1;
}

/* Any other. Return: 1 when it is for us. */
__attribute__((noinline)) static int other_show(struct weir_end *end, const struct weir_following *frame,
                                                const struct weir_inbound *source, uint32_t kinds,
                                                struct weir_message *message) {
    struct weir_inbound inbound = *source;
    inbound.bytes = frame->bytes;
    inbound.word = frame->word;
    inbound.size = weir_frame_word_size(frame->word);
    inbound.gap = frame->gap;
    int status = weir_end_show(end, &inbound, kinds, message, &end->many->err);
    if (status != WEIR_OK && status != WEIR_EAGAIN)
        failure_keep(end, status);
    return status == WEIR_OK;
}

/* The frames that follow the first. Return: how many messages there are now, the first included. */
static size_t rest_follow(struct weir_end *end, uint32_t kinds, weir_message **ret, size_t max) {
    const struct weir_message *first = &end->message;
    struct weir_message *message = end->many->messages;
    struct weir_following frames[CHUNK];
    const struct weir_inbound source = {
        .writer = first->writer, .peer = first->peer, .uid = first->uid, .is_in_place = 1};
    size_t count = 1, wanted, got;
    uint64_t size = 0;
    do {
        wanted = max - count < CHUNK ? max - count : CHUNK;
        got = end->ops->follow(end->state, frames, wanted);
        for (size_t i = 0; i < got; i++) {
            if (__builtin_expect(is_plain(end, &frames[i], kinds), 1))
                plain_show(&frames[i], &source, message);
            else if (!other_show(end, &frames[i], &source, kinds, message))
                continue;
            size += weir_frame_word_size(frames[i].word);
            ret[count++] = message++;
        }
    } while (got == wanted && count < max);
    if (count > 1)
        count_received(end, ret[count - 1], count - 1, size);
    return count;
}

/* ---- one at a time ---- */

/* Move the message's frame into our buffer. Return: 1 when it is there. */
static int message_keep(struct weir_end *end, struct weir_message *message) {
    struct weir_buffer *kept = &end->many->kept;
    struct weir_inbound inbound = {.size = message->frame.size,
                                   .gap = message->gap,
                                   .peer = message->peer,
                                   .writer = message->writer,
                                   .uid = message->uid};
    size_t taken = (message->frame.size + KEPT_ALIGNMENT - 1) & ~(size_t)(KEPT_ALIGNMENT - 1);
    if (kept->capacity == 0 && !weir_buffer_room(kept, KEPT_SIZE))
        return 0;
    if (taken > kept->capacity - kept->size)
        return 0;
    unsigned char *to = kept->data + kept->size;
    weir_frame_write_whole(&message->frame, to);
    memcpy(&inbound.word, to, sizeof(inbound.word));
    inbound.bytes = to;
    if (weir_message_set(message, &inbound) != WEIR_OK)
        return 0;
    kept->size += taken;
    return 1;
}

/* The next frame that is wanted, in @message. Return: WEIR_OK, WEIR_EAGAIN, failures. */
static int message_fetch(struct weir_end *end, uint32_t kinds, struct weir_message *message, weir_error *err) {
    struct weir_inbound inbound;
    int status;
    do {
        end->is_holding = 0;
        status = end->ops->next(end->state, &inbound, err);
        if (status)
            return status;
        end->is_holding = 1;
        status = weir_end_show(end, &inbound, kinds, message, err);
    } while (status == WEIR_EAGAIN);
    return status;
}

static size_t rest_copy(struct weir_end *end, uint32_t kinds, weir_message **ret, size_t max) {
    struct weir_many *many = end->many;
    size_t count = 1;
    many->kept.size = 0;
    while (count < max && !ret[count - 1]->is_in_place && message_keep(end, ret[count - 1])) {
        struct weir_message *message = &many->messages[count - 1];
        int status = message_fetch(end, kinds, message, &many->err);
        if (status != WEIR_OK && status != WEIR_EAGAIN)
            failure_keep(end, status);
        if (status != WEIR_OK)
            break;
        ret[count++] = message;
        count_received(end, message, 1, message->frame.size);
    }
    return count;
}

int weir_end_next_many(struct weir_end *end, uint32_t kinds, int64_t timeout_ns, weir_message **ret, size_t max,
                       size_t *ret_count, weir_error *err) {
    int status = weir_end_next(end, kinds, timeout_ns, err);
    if (status)
        return status;
    size_t count = 1;
    ret[0] = &end->message;
    if (max > 1 && many_grow(end, max - 1) == WEIR_OK) /* without memory: one */
        count = end->message.is_in_place ? rest_follow(end, kinds, ret, max) : rest_copy(end, kinds, ret, max);
    *ret_count = count;
    return WEIR_OK;
}
