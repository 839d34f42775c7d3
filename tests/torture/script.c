/* See script.h. A script that finds something wrong says so in ledger->failed; the tracer looks there. */
#include "script.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "transport/shm/layout.h"

/* Long enough to fall asleep under single-stepping. */
enum { SIZE_OF_GROWTH = 40000, BURST_MAX = 6, WAIT_NS = 5000000, SIZE_MIN = 64, FILL_MAX = 250 };

struct script {
    struct ledger *ledger;
    struct wish wish;
    struct dice dice;
    struct end writers[STREAMS];
    struct follower reader;
    struct hands hands;
};

static void script_fail(struct script *script, const char *what, int status, const char *text) {
    if (!script->ledger->failed[0])
        snprintf(script->ledger->failed, sizeof(script->ledger->failed), "%s: %d %.200s", what, status, text);
}

/* ---- writers ---- */

static uint32_t size_roll(struct dice *dice) {
    uint32_t kind = dice_roll(dice, 100);
    uint32_t max = kind < 65 ? 24 : kind < 95 ? 400 : 900;
    return 64 + 8 * dice_roll(dice, max);
}

static void writer_open(struct script *script, uint32_t stream) {
    weir_error err = {0};
    if (script->writers[stream].state || (stream > 0 && !script->writers[stream - 1].state))
        return; /* lanes are given in turn, so streams are opened in turn */
    script->ledger->streams[stream].floor = script->ledger->streams[stream].begun; /* LOSSY may change: it grows */
    int status = end_open(&script->writers[stream], WEIR_ROLE_WRITER, &script->wish, &err);
    if (status)
        script_fail(script, "a writer cannot open", status, err.text);
    else if (script->wish.keep != 0)
        script->ledger->is_kept = 1;
}

/* The last first, as they were given. */
static void writers_close(struct script *script) {
    for (uint32_t i = STREAMS; i-- > 0;) {
        if (script->writers[i].state)
            ledger_flush(script->ledger, i, &script->writers[i]);
        end_close(&script->writers[i]);
    }
}

static void send_one(struct script *script, uint32_t stream, uint32_t size, uint32_t flags) {
    struct end *writer = &script->writers[stream];
    if (!writer->state)
        return;
    if (size > 8192)
        script->ledger->streams[stream].floor = script->ledger->streams[stream].begun;
    int status = ledger_send(script->ledger, stream, writer, size, flags);
    if (status != WEIR_OK && status != WEIR_EAGAIN && status != WEIR_ENOMEM)
        script_fail(script, "send", status, "");
}

static void reserve_and_discard(struct script *script, uint32_t stream) {
    struct weir_slot slot;
    uint32_t size = size_roll(&script->dice);
    struct end *writer = &script->writers[stream];
    if (!writer->state || ops()->reserve(writer->state, 0, size, &slot, NULL) != WEIR_OK)
        return;
    memset(slot.bytes + 8, 0x5a, 56);
    ops()->discard(writer->state);
}

static void send_burst(struct script *script, uint32_t stream) {
    struct end *writer = &script->writers[stream];
    if (!writer->state)
        return;
    for (uint32_t count = 1 + dice_roll(&script->dice, BURST_MAX); count > 0; count--)
        send_one(script, stream, size_roll(&script->dice), WEIR_COMMIT_MORE);
    if (dice_roll(&script->dice, 4) == 0)
        reserve_and_discard(script, stream);
    if (ledger_flush(script->ledger, stream, writer) != WEIR_OK)
        script_fail(script, "flush", 0, "");
}

static void send_many(struct script *script, uint32_t stream) {
    uint32_t sizes[LEDGER_MANY], count = 1 + dice_roll(&script->dice, LEDGER_MANY);
    struct end *writer = &script->writers[stream];
    if (!writer->state)
        return;
    for (uint32_t i = 0; i < count; i++)
        sizes[i] = size_roll(&script->dice);
    uint32_t flags = dice_roll(&script->dice, 4) ? 0 : WEIR_COMMIT_MORE;
    if (dice_roll(&script->dice, 6) == 0) /* what was held back before goes with them */
        send_one(script, stream, size_roll(&script->dice), WEIR_COMMIT_MORE);
    ledger_send_many(script->ledger, stream, writer, sizes, count, flags);
    if (flags && dice_roll(&script->dice, 2))
        reserve_and_discard(script, stream);
    if (flags && ledger_flush(script->ledger, stream, writer) != WEIR_OK)
        script_fail(script, "flush", 0, "");
}

static void writer_step(struct script *script) {
    uint32_t stream = script->writers[1].state ? dice_roll(&script->dice, STREAMS) : 0;
    uint32_t roll = dice_roll(&script->dice, 200);
    if (roll < 40)
        send_many(script, stream);
    else if (roll < 120)
        send_one(script, stream, size_roll(&script->dice), 0);
    else if (roll < 150)
        send_burst(script, stream);
    else if (roll < 170)
        reserve_and_discard(script, stream);
    else if (roll < 180 && script->writers[stream].state)
        ledger_skip(script->ledger, stream, &script->writers[stream]);
    else if (roll < 183)
        send_one(script, stream, SIZE_OF_GROWTH, 0);
    else if (roll < 195) {
        writers_close(script);
        if (!script->ledger->is_lossless &&
            dice_roll(&script->dice, 2)) /* the lane grows, and may be left without a message in its new segment */
            script->wish.full = script->wish.full ? WEIR_FULL_BLOCK : WEIR_FULL_DROP_OLDEST;
        writer_open(script, 0);
        if (dice_roll(&script->dice, 2))
            writers_close(script);
        writer_open(script, 0);
    } else
        writer_open(script, 1);
}

/* ---- readers ---- */

static void reader_open(struct script *script) {
    static const enum weir_from from[] = {WEIR_FROM_OLDEST, WEIR_FROM_NOW, WEIR_FROM_LAST};
    weir_error err = {0};
    struct wish wish = script->wish;
    if (script->reader.end.state)
        return;
    wish.from = from[dice_roll(&script->dice, 3)];
    wish.is_observer = (uint8_t)dice_roll(&script->dice, 2);
    wish.keep = -1;
    script->reader = (struct follower){.is_holding = !wish.is_observer};
    int status = end_open(&script->reader.end, WEIR_ROLE_READER, &wish, &err);
    if (status)
        script_fail(script, "a reader cannot open", status, err.text);
}

static void held_release(struct script *script) {
    const char *wrong = hands_release(&script->hands, &script->reader);
    if (wrong)
        script_fail(script, "what a reader holds has changed", 0, wrong);
}

static void reader_take(struct script *script) {
    held_release(script);
    const char *wrong =
        hands_take(&script->hands, &script->reader, script->ledger, dice_roll(&script->dice, HANDS_MAX));
    if (wrong)
        script_fail(script, "a reader took", 0, wrong);
}

static void reader_step(struct script *script) {
    int fd;
    uint32_t roll = dice_roll(&script->dice, 100);
    void *state = script->reader.end.state;
    if (!state)
        reader_open(script);
    else if (roll < 60)
        reader_take(script);
    else if (roll < 80)
        held_release(script);
    else if (roll < 84) {
        held_release(script);
        memset(script->reader.streams, 0, sizeof(script->reader.streams));
        ops()->seek(state, roll < 82 ? WEIR_FROM_OLDEST : WEIR_FROM_LAST, 0, NULL);
    } else if (roll < 88)
        ops()->fd(state, &fd, NULL);
    else if (roll < 92)
        ops()->wait(state, WEIR_READY_TO_READ, weir_deadline(WAIT_NS), NULL);
    else if (roll < 96) {
        held_release(script);
        end_close(&script->reader.end);
    }
}

/* ---- the scripts ---- */

static void script_brief(struct script *script) {
    if (dice_roll(&script->dice, 3) == 0)
        reader_open(script);
    writer_open(script, 0);
    for (uint32_t count = dice_roll(&script->dice, 3); count > 0; count--)
        send_one(script, 0, 64 + 8 * dice_roll(&script->dice, 10), 0);
    if (script->reader.end.state)
        reader_take(script);
    if (dice_roll(&script->dice, 2))
        writers_close(script);
    held_release(script);
    end_close(&script->reader.end);
    writers_close(script);
}

void script_run(enum script_kind kind, struct ledger *ledger, const struct wish *options, uint64_t seed) {
    struct script script = {.ledger = ledger, .wish = *options, .dice = {seed}};
    if (kind == SCRIPT_CLEAN) {
        ops()->clean(0, NULL, NULL, NULL);
        return;
    }
    if (kind == SCRIPT_BRIEF) {
        script_brief(&script);
        return;
    }
    if (kind != SCRIPT_READ)
        writer_open(&script, 0);
    uint32_t steps = dice_roll(&script.dice, 4) ? 4 + dice_roll(&script.dice, 60) : 0; /* some only come and go */
    for (uint32_t count = steps; count > 0 && !ledger->failed[0]; count--)
        if (kind == SCRIPT_WRITE || (kind == SCRIPT_BOTH && dice_roll(&script.dice, 3)))
            writer_step(&script);
        else
            reader_step(&script);
    held_release(&script);
    end_close(&script.reader.end);
    writers_close(&script);
}

int script_prefill(struct ledger *ledger, const struct wish *options, struct dice *dice, int count) {
    struct script script = {.ledger = ledger, .wish = *options, .dice = *dice};
    for (uint32_t i = 0; i < STREAMS; i++)
        writer_open(&script, i);
    for (int i = 0; i < count; i++)
        send_one(&script, (uint32_t)i % STREAMS, size_roll(dice), 0);
    writers_close(&script);
    return ledger->failed[0] ? -1 : 0;
}

/* Send what still fits, smaller and smaller, until not even the smallest message does. FILL_MAX is more than a ring of
 * 64 KiB mostly takes: one that has grown is left with some room. */
static void lane_fill(struct script *script, uint32_t stream) {
    struct end *writer = &script->writers[stream];
    uint32_t size = size_roll(&script->dice);
    for (int count = 0; writer->state && count < FILL_MAX; count++) {
        int status = ledger_send(script->ledger, stream, writer, size, 0);
        if (status != WEIR_OK && status != WEIR_EAGAIN) {
            if (status != WEIR_ENOMEM)
                script_fail(script, "send", status, "");
            return;
        }
        if (status == WEIR_EAGAIN && size == SIZE_MIN)
            return;
        size = status == WEIR_OK ? size_roll(&script->dice) : size / 16 * 8;
        size = size < SIZE_MIN ? SIZE_MIN : size;
    }
}

int script_fill(struct ledger *ledger, const struct wish *options, uint64_t seed) {
    struct script script = {.ledger = ledger, .wish = *options, .dice = {seed}};
    for (uint32_t i = 0; i < STREAMS; i++)
        writer_open(&script, i);
    for (uint32_t i = 0; i < STREAMS; i++)
        lane_fill(&script, i);
    writers_close(&script);
    return ledger->failed[0] ? -1 : 0;
}
