/* See ledger.h. */
#include "ledger.h"

#include <stdio.h>
#include <string.h>

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
        stream->acked = index + 1;
    }
    return status;
}

int ledger_flush(struct ledger *ledger, uint32_t number, struct end *writer) {
    struct stream *stream = &ledger->streams[number];
    int status = ops()->flush(writer->state, NULL);
    if (status == WEIR_OK && stream->begun > stream->acked) {
        stream->seq = stream->entries[stream->begun - 1].seq + 1;
        stream->acked = stream->begun;
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
