/* What the traced writer has promised: the oracle. It lies in memory that tracer and traced share, so that it is right
 * after every single instruction: what is `acked` was acknowledged before the kill, what is not even `begun` can never
 * be read. */
#ifndef WEIR_TORTURE_LEDGER_H
#define WEIR_TORTURE_LEDGER_H

#include "common.h"

enum { STREAMS = 2, STREAM_MESSAGES = 2048 };

struct entry {
    uint64_t seq;
    uint32_t life;
    uint32_t size;
};

struct stream {
    volatile uint64_t acked; /* messages 0 .. acked - 1 must be there, those too old for the ring aside */
    volatile uint64_t told;  /* to a writer that lives: what a kill stopped right behind its word, readers have, but the
                                latest value need not be it before the lane is taken over */
    volatile uint64_t begun; /* messages from here on cannot be there */
    volatile uint64_t floor; /* messages before this one may have gone with an older segment */
    volatile uint64_t seq;   /* acknowledged: no message that is sent from now on has a smaller one */
    volatile uint32_t is_skipping;
    struct entry entries[STREAM_MESSAGES];
};

struct ledger {
    volatile uint32_t life;
    volatile uint32_t is_kept; /* acknowledged: the channel is there to stay */
    uint32_t is_lossless;      /* no writer overwrites what a reader holds: such a reader misses nothing */
    char failed[256];          /* what the traced process itself found wrong */
    struct stream streams[STREAMS];
};

/* A reader that follows the streams and knows what must come. */
struct follower {
    struct end end;
    uint8_t is_holding;
    struct {
        uint64_t index; /* of the last message; valid when is_begun */
        uint64_t seq;
        uint64_t first;
        uint8_t is_begun;
    } streams[STREAMS];
};

/* Is what came the next message of its stream, whole, of the right life, and is the gap exact? Return: NULL, or what is
 * wrong. */
const char *follower_take(struct follower *follower, const struct ledger *ledger, const struct weir_inbound *inbound);
/* Take all there is. */
const char *follower_drain(struct follower *follower, const struct ledger *ledger);

/* What a reader has in its hands: a frame, and those that follow it in place. */
enum { HANDS_MAX = 8 };
struct hands {
    struct weir_inbound frames[HANDS_MAX];
    uint32_t count;
};

/* Take the next frame, and at most @more behind it. Return: NULL, with nothing in the hands when there is nothing; or
 * what is wrong. */
const char *hands_take(struct hands *hands, struct follower *follower, const struct ledger *ledger, uint32_t more);
/* Is what is in the hands still whole? Return: NULL, or what has changed. */
const char *hands_look(const struct hands *hands);
/* Give back what is in the hands. Return: NULL, or what has changed. */
const char *hands_release(struct hands *hands, struct follower *follower);

/* Send message ledger->streams[stream].begun. Return: what reserve or commit returned; WEIR_ENOMEM: the ledger is
 * full. */
int ledger_send(struct ledger *ledger, uint32_t stream, struct end *writer, uint32_t size, uint32_t flags);
/* Send as many of @count messages of @sizes as go in one pass. With WEIR_COMMIT_MORE they wait for ledger_flush. */
enum { LEDGER_MANY = 16 };
void ledger_send_many(struct ledger *ledger, uint32_t stream, struct end *writer, const uint32_t *sizes, uint32_t count,
                      uint32_t flags);
int ledger_flush(struct ledger *ledger, uint32_t stream, struct end *writer);
void ledger_skip(struct ledger *ledger, uint32_t stream, struct end *writer);

/* What was found in an image of each stream. */
struct found {
    uint64_t count[STREAMS];
    uint64_t seq[STREAMS]; /* of the next message */
};

/* Judge the image below @path, which is used up. @number chooses what is tried; @options: as the writer was opened;
 * @ledger is what must be there. @ret may be NULL. Return: 0, or -1 with @why. */
int image_check(const char *path, const struct ledger *ledger, const struct wish *options, uint64_t number,
                struct found *ret, char why[256]);

#endif
