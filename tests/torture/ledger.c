/* See ledger.h. */
#include "ledger.h"

#include <stdio.h>
#include <string.h>

#include "frame/frame.h"
#include "transport/shm/end.h"

enum { MANY_HEAD = WEIR_FRAME_HEADER_SIZE + 8 }; /* with a time */

const char *follower_take(struct follower *follower, const struct ledger *ledger, const struct weir_inbound *inbound) {
    static char text[256];
    struct message message = {0};
    const char *wrong = message_read(inbound, &message);
    uint32_t lane = inbound->writer - 1;
    uint64_t seq = message_seq(inbound);
    int is_known = !wrong && lane < STREAMS && message.stream == lane && message.index < ledger->streams[lane].begun;
    const struct entry none = {0};
    const struct entry *entry = is_known ? &ledger->streams[lane].entries[message.index] : &none;
    int is_begun = lane < STREAMS && follower->streams[lane].is_begun;
    uint64_t index = is_begun ? follower->streams[lane].index : 0, before = is_begun ? follower->streams[lane].seq : 0;
    if (is_known && entry->life == message.life && entry->seq == seq && entry->size == inbound->size &&
        (!is_begun || (message.index > index && inbound->gap == seq - before - 1)) &&
        (!is_begun || message.index == index + 1 || !follower->is_holding || !ledger->is_lossless)) {
        if (!is_begun)
            follower->streams[lane].first = message.index;
        follower->streams[lane].is_begun = 1;
        follower->streams[lane].index = message.index;
        follower->streams[lane].seq = seq;
        return NULL;
    }
    snprintf(text, sizeof(text),
             "lane %u: %s (message %llu, life %u, seq %llu, gap %llu, size %zu) after %lld (seq %llu); sent: life %u, "
             "seq %llu",
             lane,
             wrong      ? wrong
             : is_known ? "not the next"
                        : "never sent",
             (unsigned long long)message.index, message.life, (unsigned long long)seq, (unsigned long long)inbound->gap,
             inbound->size, is_begun ? (long long)index : -1LL, (unsigned long long)before, entry->life,
             (unsigned long long)entry->seq);
    return text;
}

const char *follower_drain(struct follower *follower, const struct ledger *ledger) {
    static char text[600];
    for (;;) {
        struct weir_inbound inbound;
        weir_error err = {0};
        int status = ops()->next(follower->end.state, &inbound, &err);
        if (status == WEIR_EAGAIN)
            return NULL;
        if (status) {
            snprintf(text, sizeof(text), "next: %d, %s", status, err.text);
            return text;
        }
        const char *wrong = follower_take(follower, ledger, &inbound);
        if (wrong)
            return wrong;
        ops()->release(follower->end.state);
    }
}

const char *hands_take(struct hands *hands, struct follower *follower, const struct ledger *ledger, uint32_t more) {
    struct weir_following following[HANDS_MAX];
    hands->count = 0;
    int status = ops()->next(follower->end.state, &hands->frames[0], NULL);
    if (status)
        return status == WEIR_EAGAIN ? NULL : "next failed";
    hands->count = 1;
    const char *wrong = follower_take(follower, ledger, &hands->frames[0]);
    more = more < HANDS_MAX ? more : HANDS_MAX - 1;
    size_t count = hands->frames[0].is_in_place ? ops()->follow(follower->end.state, following, more) : 0;
    for (size_t i = 0; i < count && !wrong; i++) {
        struct weir_inbound *frame = &hands->frames[hands->count++];
        *frame = hands->frames[0];
        frame->bytes = following[i].bytes;
        frame->word = following[i].word;
        frame->size = (uint32_t)following[i].word;
        frame->gap = following[i].gap;
        wrong = follower_take(follower, ledger, frame);
    }
    return wrong;
}

const char *hands_look(const struct hands *hands) {
    struct message message;
    const char *wrong = NULL;
    for (uint32_t i = 0; i < hands->count && !wrong; i++)
        wrong = message_read(&hands->frames[i], &message);
    return wrong;
}

const char *hands_release(struct hands *hands, struct follower *follower) {
    const char *wrong = hands_look(hands);
    if (hands->count > 0)
        ops()->release(follower->end.state);
    hands->count = 0;
    return wrong;
}

int ledger_send(struct ledger *ledger, uint32_t number, struct end *writer, uint32_t size, uint32_t flags) {
    struct stream *stream = &ledger->streams[number];
    struct weir_slot slot;
    uint64_t index = stream->begun;
    if (index == STREAM_MESSAGES)
        return WEIR_ENOMEM;
    int status = ops()->reserve(writer->state, 0, size, &slot, NULL);
    if (status)
        return status;
    struct message message = {number, ledger->life, index};
    stream->entries[index] = (struct entry){slot.seq, ledger->life, size};
    memcpy(slot.bytes + 8, &slot.seq, 8);
    uint64_t word = message_write(&message, size, slot.bytes);
    stream->begun = index + 1;
    status = ops()->commit(writer->state, word, flags, NULL);
    if (status == WEIR_OK && !(flags & WEIR_COMMIT_MORE)) {
        stream->seq = slot.seq + 1;
        stream->acked = stream->told = index + 1;
    }
    return status;
}

/* What is sent is written down before: which of it goes, nobody knows until the call returns. */
void ledger_send_many(struct ledger *ledger, uint32_t number, struct end *writer, const uint32_t *sizes, uint32_t count,
                      uint32_t flags) {
    static _Alignas(64) unsigned char frames[LEDGER_MANY][8192];
    struct stream *stream = &ledger->streams[number];
    weir_view data[LEDGER_MANY];
    uint64_t first = stream->begun, seq = ((const struct shm *)writer->state)->lane.seq, last = 0;
    if (first + count > STREAM_MESSAGES)
        return;
    uint64_t word = 0, time = ((uint64_t)ledger->life << 32) + first; /* one for all */
    for (uint32_t i = 0; i < count; i++) {
        struct message message = {number, ledger->life, first + i};
        stream->entries[first + i] = (struct entry){seq + i, ledger->life, sizes[i]};
        word = message_write(&message, sizes[i], frames[i]) - sizes[i];
        data[i] = (weir_view){(const char *)frames[i] + MANY_HEAD, sizes[i] - MANY_HEAD};
    }
    stream->begun = first + count;
    size_t done = ops()->post_many(writer->state, word + MANY_HEAD, data, count, (int64_t)time, flags, &last);
    stream->begun = first + done;
    if (done > 0 && !(flags & WEIR_COMMIT_MORE)) {
        stream->seq = last + 1;
        stream->acked = stream->told = first + done;
    }
}

int ledger_flush(struct ledger *ledger, uint32_t number, struct end *writer) {
    struct stream *stream = &ledger->streams[number];
    int status = ops()->flush(writer->state, NULL);
    if (status == WEIR_OK && stream->begun > stream->acked) {
        stream->seq = stream->entries[stream->begun - 1].seq + 1;
        stream->acked = stream->told = stream->begun;
    }
    return status;
}

void ledger_skip(struct ledger *ledger, uint32_t number, struct end *writer) {
    struct stream *stream = &ledger->streams[number];
    stream->is_skipping = 1;
    ops()->skip(writer->state);
    stream->seq++;
    stream->is_skipping = 0;
}
