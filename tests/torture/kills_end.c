/* The ends of torture_kills, which use the library as any program does: through weir.h alone.
 *
 * A writer closes in order now and then and begins a new life. Every message says which life it is of and the number
 * there, and is filled with what follows from both, so that torn, mixed and doubled ones show. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <weir/weir.h>

#include "kills.h"

enum { SIZE_MAX_SMALL = 3000, SIZE_OF_GROWTH = 40000, HEAD_WORDS = 4, LIFE_MESSAGES = 4000, REST_EVERY = 24 };
#define SECOND INT64_C(1000000000)

struct oracle *oracle;

void fault(const char *format, ...) {
    if (__atomic_exchange_n(&oracle->has_failed, 1, __ATOMIC_SEQ_CST) == 0) {
        va_list args;
        va_start(args, format);
        vsnprintf(oracle->why, sizeof(oracle->why), format, args);
        va_end(args);
    }
    _exit(1);
}

static const char *with(const char *options) {
    static char text[400];
    char glue = strchr(oracle->address, '?') ? '&' : '?';
    snprintf(text, sizeof(text), "%s%c%s", oracle->address, glue, options);
    return text;
}

/* ---- messages ---- */

static uint64_t filler(uint32_t life, uint64_t index, size_t word) {
    return mix(((uint64_t)life << 40) + (index << 16) + word);
}

static void message_fill(uint64_t *words, uint32_t life, uint64_t index, uint64_t before, size_t size) {
    words[0] = life;
    words[1] = index;
    words[2] = size;
    words[3] = before; /* bytes of that life */
    for (size_t i = HEAD_WORDS; i < size / 8; i++)
        words[i] = filler(life, index, i);
}

/* Return: NULL, or what is wrong. */
static const char *message_judge(weir_view bytes, uint32_t *ret_life, uint64_t *ret_index) {
    static uint64_t words[SIZE_OF_GROWTH / 8];
    if (bytes.size < sizeof(uint64_t) * HEAD_WORDS || bytes.size > sizeof(words) || bytes.size % 8)
        return "of a size that was never sent";
    memcpy(words, bytes.data, bytes.size);
    if (words[2] != bytes.size || words[0] >= oracle->lives)
        return "its head is not what was sent";
    for (size_t i = HEAD_WORDS; i < bytes.size / 8; i++)
        if (words[i] != filler((uint32_t)words[0], words[1], i))
            return "torn";
    *ret_life = (uint32_t)words[0];
    *ret_index = words[1];
    return words[1] < oracle->life[words[0]].begun ? NULL : "it was never sent";
}

/* ---- writers ---- */

static void send_one(weir_writer *writer, uint32_t life, size_t size, int is_corked) {
    static uint64_t words[SIZE_OF_GROWTH / 8];
    struct life *mine = &oracle->life[life];
    weir_error err = {0};
    message_fill(words, life, mine->begun, mine->sent, size);
    mine->begun++;
    mine->sent += size;
    int status = weir_writer_send_bytes(writer, NULL, NULL, WEIR_CODEC_RAW, NULL, words, size, &err);
    if (status)
        fault("writer %u, message %llu: %d, %.400s", life, (unsigned long long)mine->begun - 1, status, err.text);
    if (!is_corked)
        mine->acked = mine->begun;
}

static void send_some(weir_writer *writer, uint32_t life, struct dice *dice) {
    uint32_t roll = dice_roll(dice, 1000);
    if (roll < 2)
        send_one(writer, life, SIZE_OF_GROWTH, 0);
    else if (roll < 100) {
        weir_error err = {0};
        weir_writer_cork(writer);
        for (uint32_t count = dice_roll(dice, 6); count > 0; count--)
            send_one(writer, life, 64 + 8 * dice_roll(dice, 100), 1);
        if (weir_writer_uncork(writer, &err))
            fault("writer %u cannot uncork: %.400s", life, err.text);
        oracle->life[life].acked = oracle->life[life].begun;
    } else
        send_one(writer, life, 64 + 8 * (size_t)dice_roll(dice, roll < 800 ? 20 : SIZE_MAX_SMALL / 8), 0);
}

/* So that the machine's time goes to kills, not to messages; the more so when kills come so slowly that lives would run
 * out. */
static void rest(void) {
    int is_ahead = oracle->lives > oracle->survival.killed * LIVES_PER_KILL + LIVES_SPARE / 2;
    nanosleep(&(struct timespec){.tv_nsec = is_ahead ? 20000000 : 300000}, NULL);
}

/* From open to close. */
static void life_run(uint32_t role, uint32_t life, struct dice *dice, struct mourner *mourner) {
    weir_writer *writer = NULL;
    weir_error err = {0};
    uint32_t left = 1 + dice_roll(dice, LIFE_MESSAGES);
    int status = weir_writer_open(with("timeout=20s"), &writer, &err);
    if (status)
        fault("writer %u cannot open: %d, %.400s", life, status, err.text);
    oracle->is_open[role] = 1;
    for (uint32_t i = 0; i < left && !oracle->must_stop; i++) {
        send_some(writer, life, dice);
        survive_mourn(&oracle->survival, mourner, 0);
        if (i % REST_EVERY == 0)
            rest();
    }
    oracle->life[life].is_closing = 1;
    oracle->is_open[role] = 0;
    weir_writer_close(writer);
    oracle->life[life].is_closed = 1;
}

void writer_run(uint32_t role, struct dice *dice) {
    struct mourner mourner = {0};
    do {
        uint32_t life = __atomic_fetch_add(&oracle->lives, 1, __ATOMIC_SEQ_CST);
        if (life >= oracle->lives_max)
            fault("more lives than there is room for");
        life_run(role, life, dice, &mourner);
    } while (!oracle->must_stop);
}

/* ---- readers ---- */

struct witness {
    weir_reader *reader;
    struct mourner mourner;
    int is_immortal, is_observer;
    uint64_t *next;  /* of each life; 0: not met */
    uint64_t deaths; /* of readers, before us */
};

static void message_take(struct witness *witness, weir_message *message) {
    uint32_t life = 0;
    uint64_t index = 0, gap = weir_message_gap(message);
    const char *wrong = message_judge(weir_message_bytes(message), &life, &index);
    if (wrong)
        fault("seq %llu: %s; %zu bytes, type %.*s, gap %llu: %.200s", (unsigned long long)weir_message_seq(message),
              wrong, weir_message_bytes(message).size, (int)weir_message_type(message).size,
              weir_message_type(message).data, (unsigned long long)gap, weir_message_bytes(message).data);
    uint64_t *next = &witness->next[life], promises = oracle->mechanism.promises;
    if (*next > 0 && index != *next + gap)
        fault("message %llu of writer %u where %llu should be, gap %llu, seq %llu, to a reader that %s",
              (unsigned long long)index, life, (unsigned long long)*next, (unsigned long long)gap,
              (unsigned long long)weir_message_seq(message), witness->is_immortal ? "lives" : "is killed");
    if (witness->is_immortal && *next > 0 && (promises & GAPLESS) && gap > 0)
        fault("a reader that holds missed %llu messages of writer %u", (unsigned long long)gap, life);
    if (witness->is_immortal && *next == 0 && (promises & MEETS) && index > 0)
        fault("the first message of writer %u is number %llu, gap %llu", life, (unsigned long long)index,
              (unsigned long long)gap);
    *next = index + 1;
    __atomic_fetch_add(witness->is_immortal ? &oracle->received : &oracle->checked, 1, __ATOMIC_RELAXED);
    if (witness->is_immortal)
        oracle->missed += gap;
}

/* Without a witness, what one reader after another has had: never what came before, and hardly more missing than what
 * the one that was killed had in its hands. But while no reader is there, a pipe keeps the newest that it has room for,
 * and what a writer had left in it goes when it closes. */
static void handover_check(const struct witness *witness, weir_message *message) {
    uint32_t life = 0;
    uint64_t index = 0, before = 0;
    weir_view bytes = weir_message_bytes(message);
    if (message_judge(bytes, &life, &index))
        return; /* is told of by message_take */
    struct life *of = &oracle->life[life];
    if (index < of->next)
        fault("message %llu of writer %u came to a second reader", (unsigned long long)index, life);
    memcpy(&before, bytes.data + 24, sizeof(before));
    uint64_t lost = before - of->had, lost_max = oracle->mechanism.lost_max * (witness->deaths - of->deaths);
    int may_be_full = of->sent - of->had > CAPACITY / 2;
    if (witness->next[life] == 0 && !of->is_closing && !may_be_full && lost > lost_max)
        fault("between readers %llu bytes of writer %u were lost, from message %llu to %llu; at most %llu may be",
              (unsigned long long)lost, life, (unsigned long long)of->next, (unsigned long long)index,
              (unsigned long long)lost_max);
    if (witness->next[life] == 0)
        oracle->lost += index - of->next;
    of->next = index + 1;
    of->had = before + bytes.size;
    of->deaths = witness->deaths;
}

static void witness_open(struct witness *witness, const char *options) {
    weir_error err = {0};
    witness->deaths = oracle->deaths;
    witness->next = calloc(oracle->lives_max, sizeof(*witness->next));
    int status = witness->next ? weir_reader_open(with(options), &witness->reader, &err) : WEIR_ENOMEM;
    if (status)
        fault("a reader cannot open: %d, %.400s", status, err.text);
}

static void witness_follow(struct witness *witness) {
    double since = seconds();
    for (;;) {
        int is_last = oracle->writers_gone;
        weir_message *message = NULL;
        weir_error err = {0};
        int status = weir_reader_next(witness->reader, is_last ? SECOND : SECOND / 5, &message, &err);
        if (status == WEIR_OK) {
            if (!oracle->must_stop)
                survive_mourn(&oracle->survival, &witness->mourner, 1);
            if (!oracle->mechanism.witness)
                handover_check(witness, message);
            message_take(witness, message);
            since = seconds();
        } else if (status != WEIR_ETIMEOUT)
            fault("a reader's next: %d, %.400s", status, err.text);
        else if (is_last || (oracle->must_stop && !witness->is_immortal && oracle->mechanism.witness))
            break;
        else if (seconds() - since > STUCK_S)
            fault("a reader had nothing for %d s", STUCK_S);
    }
}

void reader_run(uint32_t role, struct dice *dice) {
    struct witness witness = {.is_observer = oracle->mechanism.witness && dice_roll(dice, 2)};
    witness_open(&witness, witness.is_observer ? "observe=1" : "timeout=20s");
    oracle->is_open[role] = 1;
    witness_follow(&witness);
    weir_reader_close(witness.reader);
}

/* What was acknowledged and did not come. */
static uint64_t lives_lost(const struct witness *witness) {
    uint64_t lost = 0;
    uint32_t promises = oracle->mechanism.promises;
    for (uint32_t life = 0; life < oracle->lives; life++) {
        const struct life *of = &oracle->life[life];
        uint64_t missing = of->acked > witness->next[life] ? of->acked - witness->next[life] : 0;
        int is_met = witness->next[life] > 0;
        int is_promised =
            (promises & KEEPS) || ((promises & KEEPS_MET) && is_met) || ((promises & KEEPS_CLOSED) && of->is_closed);
        if (missing && is_promised)
            fault("writer %u%s: %llu messages acknowledged, %llu came", life, of->is_closed ? ", which closed" : "",
                  (unsigned long long)of->acked, (unsigned long long)witness->next[life]);
        lost += missing;
    }
    return lost;
}

void witness_run(struct dice *dice) {
    struct witness witness = {.is_immortal = 1};
    (void)dice;
    witness_open(&witness, oracle->mechanism.witness);
    oracle->is_watching = 1;
    witness_follow(&witness);
    oracle->lost = lives_lost(&witness);
    weir_reader_close(witness.reader);
}

/* ---- gc ---- */

void cleaner_run(void) {
    while (!oracle->must_stop) {
        weir_error err = {0};
        weir_doc *doc = NULL;
        if (weir_doc_new(&doc) || weir_directory_clean(doc, 0, &err))
            fault("gc: %.400s", err.text);
        weir_doc_free(doc);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
}
