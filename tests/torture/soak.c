/* kill -9 at random moments. Writers (some make their lanes grow), readers, ends that come and go, and gc are killed
 * and started anew while an oracle in memory that only these programs share knows what every writer has begun and what
 * was acknowledged. One reader lives from the beginning to the end and must see all of it; those that are killed check
 * what they see.
 *
 *     soak [--kills N] [--seed S]
 *
 * What must hold: nothing acknowledged is lost, nothing comes twice, torn, or out of its writer's order; a writer's
 * messages are in one lane; no survivor is held up for seconds; at the end all can be cleaned away. Two times are
 * printed: what every operation took, and how long after each kill every survivor had its next message through. They
 * are meant to be under 250 ms, and only seconds are a fault: the machine may be busy, and a survivor that is not
 * running is not held up by the dead. Prints TAP. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "common.h"
#include "survive.h"

enum { WRITERS = 3, READERS = 2, COMERS = 1, CLEANERS = 1, MORTALS = WRITERS + READERS + COMERS + CLEANERS };
enum { LANES = 64, BUCKETS = 7, SIZE_OF_GROWTH = 40000, STUCK_S = 20 };
static const double BUCKET_MS[BUCKETS] = {1, 10, 50, 250, 1000, 5000, 1e9};

struct life {
    volatile uint64_t begun;
    volatile uint64_t acked;
};

struct oracle {
    volatile int must_stop, writers_gone, has_failed, is_watching;
    char why[600];
    volatile uint64_t received, checked, waits[2][BUCKETS]; /* of writers, of readers */
    volatile double longest[2];
    struct survival survival;
    uint32_t lives_max;
    struct life lives[];
};
static struct oracle *oracle;

static void fault(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
static void fault(const char *format, ...) {
    if (__atomic_exchange_n(&oracle->has_failed, 1, __ATOMIC_SEQ_CST) == 0) {
        va_list args;
        va_start(args, format);
        vsnprintf(oracle->why, sizeof(oracle->why), format, args);
        va_end(args);
    }
    _exit(1);
}

static void wait_note(int who, double begin) {
    double ms = (seconds() - begin) * 1000;
    int bucket = 0;
    while (ms >= BUCKET_MS[bucket] && bucket < BUCKETS - 1)
        bucket++;
    __atomic_fetch_add(&oracle->waits[who][bucket], 1, __ATOMIC_RELAXED);
    if (ms > oracle->longest[who])
        oracle->longest[who] = ms;
    if (ms > STUCK_S * 1000)
        fault("a %s was held up for %.1f s", who ? "reader" : "writer", ms / 1000);
}

/* ---- writers ---- */

static void send_one(struct end *writer, uint32_t life, uint32_t size, uint32_t flags) {
    struct life *mine = &oracle->lives[life];
    struct weir_slot slot;
    weir_error err = {0};
    double begin = seconds();
    int status;
    while ((status = ops()->reserve(writer->state, 0, size, &slot, &err)) == WEIR_EAGAIN) {
        ops()->wait(writer->state, WEIR_READY_TO_WRITE, weir_deadline(100 * 1000 * 1000), NULL);
        if (seconds() - begin > STUCK_S)
            fault("writer %u finds no room for %d s", life, STUCK_S);
    }
    if (status)
        fault("writer %u cannot reserve: %d, %.300s", life, status, err.text);
    struct message message = {0, life, mine->begun};
    memcpy(slot.bytes + 8, &slot.seq, 8);
    uint64_t word = message_write(&message, size, slot.bytes);
    mine->begun++;
    status = ops()->commit(writer->state, word, flags, &err);
    if (status)
        fault("writer %u cannot commit: %d, %.300s", life, status, err.text);
    if (!(flags & WEIR_COMMIT_MORE))
        mine->acked = mine->begun;
    wait_note(0, begin);
}

static void writer_run(uint32_t life, struct dice *dice) {
    struct wish wish = {.name = "soak", .keep = 1};
    struct end writer;
    weir_error err = {0};
    double begin = seconds();
    int status = end_open(&writer, WEIR_ROLE_WRITER, &wish, &err);
    if (status)
        fault("writer %u cannot open: %d, %.300s", life, status, err.text);
    wait_note(0, begin);
    struct mourner mourner = {0};
    while (!oracle->must_stop) {
        uint32_t roll = dice_roll(dice, 1000);
        survive_mourn(&oracle->survival, &mourner, 0);
        if (roll == 0)
            send_one(&writer, life, SIZE_OF_GROWTH, 0);
        else if (roll < 100) {
            for (uint32_t count = dice_roll(dice, 6); count > 0; count--)
                send_one(&writer, life, 64 + 8 * dice_roll(dice, 100), WEIR_COMMIT_MORE);
            if (ops()->flush(writer.state, NULL))
                fault("writer %u cannot flush", life);
            oracle->lives[life].acked = oracle->lives[life].begun;
        } else
            send_one(&writer, life, 64 + 8 * dice_roll(dice, roll < 800 ? 20 : 500), 0);
    }
    end_close(&writer);
}

/* ---- readers ---- */

struct lane_seen {
    uint64_t count; /* messages of the life seen so far */
    uint32_t life;
    uint8_t is_begun;
};

struct witness {
    struct end end;
    int is_observer, sees_all;
    struct lane_seen lanes[LANES];
    uint8_t *is_over; /* lives after which another one has come in the same lane */
};

/* The writer before has died or closed, or it would have the lane. */
static void life_over(struct witness *witness, struct lane_seen *lane, uint64_t gap) {
    struct life *before = &oracle->lives[lane->life];
    witness->is_over[lane->life] = 1;
    if (gap == 0 && lane->count < before->acked)
        fault("writer %u: %llu messages acknowledged, %llu came", lane->life, (unsigned long long)before->acked,
              (unsigned long long)lane->count);
}

static void message_check(struct witness *witness, const struct weir_inbound *inbound) {
    struct message message;
    const char *wrong = message_read(inbound, &message);
    if (wrong)
        fault("lane %u, seq %llu: %s", inbound->writer, (unsigned long long)message_seq(inbound), wrong);
    if (message.life >= oracle->lives_max || message.index >= oracle->lives[message.life].begun)
        fault("message %llu of writer %u was never sent", (unsigned long long)message.index, message.life);
    struct lane_seen *lane = &witness->lanes[inbound->writer - 1];
    uint64_t expected = lane->count;
    if (inbound->gap && !witness->is_observer && lane->is_begun)
        fault("a reader that holds missed %llu messages of lane %u", (unsigned long long)inbound->gap, inbound->writer);
    if (!lane->is_begun || message.life != lane->life) {
        if (lane->is_begun)
            life_over(witness, lane, inbound->gap);
        expected = lane->is_begun || witness->sees_all ? 0 : message.index;
        if (inbound->gap) /* an observer: of the gap so much were of the life before */
            expected = message.index;
        if (witness->is_over[message.life])
            fault("writer %u is there again", message.life);
    } else
        expected += inbound->gap;
    if (message.index != expected)
        fault("lane %u: message %llu of writer %u where %llu should be (gap %llu)", inbound->writer,
              (unsigned long long)message.index, message.life, (unsigned long long)expected,
              (unsigned long long)inbound->gap);
    *lane = (struct lane_seen){message.index + 1, message.life, 1};
}

static void witness_open(struct witness *witness, enum weir_from from, enum weir_wait_how wait) {
    struct wish wish = {
        .name = "soak", .keep = -1, .from = from, .is_observer = (uint8_t)witness->is_observer, .wait = wait};
    weir_error err = {0};
    double begin = seconds();
    witness->is_over = calloc(oracle->lives_max, 1);
    int status = end_open(&witness->end, WEIR_ROLE_READER, &wish, &err);
    if (status || !witness->is_over)
        fault("a reader cannot open: %d, %.300s", status, err.text);
    wait_note(1, begin);
}

/* Return: 0 when there is nothing. */
static int witness_take(struct witness *witness, struct dice *dice) {
    struct weir_inbound inbound;
    weir_error err = {0};
    int status = ops()->next(witness->end.state, &inbound, &err);
    if (status == WEIR_EAGAIN)
        return 0;
    if (status)
        fault("next: %d, %.400s", status, err.text);
    message_check(witness, &inbound);
    if (dice_roll(dice, 64) == 0) { /* look at it once more, later */
        struct message message;
        nanosleep(&(struct timespec){.tv_nsec = dice_roll(dice, 200000)}, NULL);
        const char *wrong = message_read(&inbound, &message);
        if (wrong)
            fault("what a reader holds has changed: %s", wrong);
    }
    if (dice_roll(dice, 2))
        ops()->release(witness->end.state);
    return 1;
}

static void reader_run(struct witness *witness, struct dice *dice) {
    enum weir_wait_how wait = dice_roll(dice, 3) ? WEIR_WAIT_FUTEX : WEIR_WAIT_SEM;
    witness_open(witness, witness->sees_all ? WEIR_FROM_OLDEST : WEIR_FROM_NOW, wait);
    if (witness->sees_all)
        oracle->is_watching = 1;
    double since = seconds();
    struct mourner mourner = {0};
    for (;;) {
        int is_last = oracle->writers_gone;
        if (witness_take(witness, dice)) {
            if (!oracle->must_stop)
                survive_mourn(&oracle->survival, &mourner, 1);
            __atomic_fetch_add(witness->sees_all ? &oracle->received : &oracle->checked, 1, __ATOMIC_RELAXED);
            if (seconds() - since > 0.0005)
                wait_note(1, since);
            since = seconds();
            continue;
        }
        if (is_last || (oracle->must_stop && !witness->sees_all))
            break;
        ops()->wait(witness->end.state, WEIR_READY_TO_READ, weir_deadline(200 * 1000 * 1000), NULL);
    }
    if (witness->sees_all)
        for (unsigned i = 0; i < LANES; i++)
            if (witness->lanes[i].is_begun)
                life_over(witness, &witness->lanes[i], 0);
    uint64_t missing = 0;
    for (uint32_t life = 0; witness->sees_all && life < oracle->lives_max; life++)
        missing += oracle->lives[life].acked > 0 && !witness->is_over[life];
    if (missing)
        fault("nothing came of %llu writers that had acknowledged messages", (unsigned long long)missing);
    end_close(&witness->end);
}

/* ---- those who come and go, and gc ---- */

static void comer_run(struct dice *dice) {
    while (!oracle->must_stop) {
        struct wish wish = {.name = dice_roll(dice, 2) ? "brief" : "other/brief", .keep = 0};
        struct end writer = {0}, reader = {0};
        weir_error err = {0};
        int status = WEIR_OK;
        if (dice_roll(dice, 2))
            status = end_open(&reader, WEIR_ROLE_READER, &wish, &err);
        if (status == WEIR_OK)
            status = end_open(&writer, WEIR_ROLE_WRITER, &wish, &err);
        if (status)
            fault("an end that comes and goes cannot open: %d, %.400s", status, err.text);
        struct weir_slot slot;
        if (ops()->reserve(writer.state, 0, 64, &slot, NULL) == WEIR_OK) {
            memset(slot.bytes + 8, 0, 56);
            ops()->commit(writer.state, UINT64_C(0x11) << 32 | 64, 0, NULL);
        }
        end_close(&reader);
        end_close(&writer);
    }
}

static void cleaner_run(void) {
    while (!oracle->must_stop) {
        weir_error err = {0};
        int status = ops()->clean(0, NULL, NULL, &err);
        if (status)
            fault("clean: %d, %.400s", status, err.text);
        nanosleep(&(struct timespec){.tv_nsec = 300000}, NULL);
    }
}

/* ---- who starts and kills them ---- */

static pid_t start(int role, uint32_t life, uint64_t seed) {
    pid_t child = fork();
    if (child != 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct dice dice = {seed};
    static struct witness witness;
    if (role < 0) {
        witness.sees_all = 1;
        reader_run(&witness, &dice);
    } else if (role < WRITERS)
        writer_run(life, &dice);
    else if (role < WRITERS + READERS) {
        witness.is_observer = role == WRITERS;
        reader_run(&witness, &dice);
    } else if (role < WRITERS + READERS + COMERS)
        comer_run(&dice);
    else
        cleaner_run();
    _exit(0);
}

static void nap_us(uint32_t us) {
    nanosleep(&(struct timespec){.tv_sec = us / 1000000, .tv_nsec = (long)(us % 1000000) * 1000}, NULL);
}

/* Return: exit status of an orderly child. */
static int finish(pid_t child) {
    int status = 1;
    waitpid(child, &status, 0);
    return status;
}

/* Kill at random until @kills are done. Return: how many were. */
static uint64_t killing(pid_t mortals[MORTALS], uint64_t kills, struct dice *dice) {
    uint32_t life = WRITERS;
    uint64_t done = 0;
    while (done < kills && !oracle->has_failed) {
        uint32_t role = dice_roll(dice, MORTALS);
        int is_stopped = 0;
        nap_us(dice_roll(dice, 4) ? dice_roll(dice, 400) : dice_roll(dice, 4000));
        if (dice_roll(dice, 20) == 0) { /* one that is stopped goes on, or is killed in its sleep */
            oracle->survival.stops++;   /* odd: somebody is stopped */
            kill(mortals[role], SIGSTOP);
            nap_us(dice_roll(dice, 20000));
            is_stopped = 1;
        }
        if (is_stopped && dice_roll(dice, 2)) {
            kill(mortals[role], SIGCONT);
            oracle->survival.stops++;
            continue;
        }
        survive_kill(&oracle->survival);
        kill(mortals[role], SIGKILL);
        oracle->survival.stops += (uint64_t)is_stopped;
        int status = finish(mortals[role]);
        survive_buried(&oracle->survival);
        if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL && !oracle->has_failed) {
            oracle->has_failed = 1;
            snprintf(oracle->why, sizeof(oracle->why), "role %u died of signal %d", role, WTERMSIG(status));
        }
        mortals[role] = start((int)role, role < WRITERS ? life++ : 0, dice_next(dice));
        done++;
    }
    return done;
}

static void left_check(const char *path) {
    struct wish wish = {.name = "soak", .keep = 0};
    struct end last;
    if (end_open(&last, WEIR_ROLE_WRITER, &wish, NULL) == WEIR_OK)
        end_close(&last);
    ops()->clean(0, NULL, NULL, NULL);
    /* What was half made and has no lock yet is left alone for 10 s; here nobody makes anything any more. */
    for (int i = 0; i < 120 && tree_count(path) > 0; i++) {
        nap_us(100000);
        ops()->clean(0, NULL, NULL, NULL);
    }
    if (tree_count(path) > 0 && !oracle->has_failed) {
        oracle->has_failed = 1;
        snprintf(oracle->why, sizeof(oracle->why), "%d files are left behind the last end", tree_count(path));
    }
}

static void waits_print(int who, const char *name) {
    printf("# %s waited:", name);
    for (int i = 0; i < BUCKETS - 1; i++)
        printf(" %llu under %g ms,", (unsigned long long)oracle->waits[who][i], BUCKET_MS[i]);
    printf(" %llu longer; at most %.1f ms\n", (unsigned long long)oracle->waits[who][BUCKETS - 1],
           oracle->longest[who]);
}

int main(int argc, char **argv) {
    uint64_t kills = argument(argc, argv, "--kills", 300), seed = argument(argc, argv, "--seed", 1);
    struct dice dice = {mix(seed)};
    uint32_t lives = (uint32_t)kills + WRITERS;
    char path[64];
    pid_t mortals[MORTALS];
    oracle = mmap(NULL, sizeof(*oracle) + lives * sizeof(struct life), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    oracle->lives_max = lives;
    printf("1..1\n# soak --kills %llu --seed %llu\n", (unsigned long long)kills, (unsigned long long)seed);
    fflush(stdout);
    scratch_make(path, "soak");
    double begin = seconds();
    pid_t watcher = start(-1, 0, dice_next(&dice));
    while (!oracle->is_watching && !oracle->has_failed)
        nap_us(1000);
    for (int role = 0; role < MORTALS; role++)
        mortals[role] = start(role, (uint32_t)role, dice_next(&dice));
    uint64_t done = killing(mortals, kills, &dice);
    oracle->must_stop = 1;
    for (int role = 0; role < MORTALS; role++)
        finish(mortals[role]);
    oracle->writers_gone = 1;
    int status = finish(watcher);
    if (status && !oracle->has_failed) {
        oracle->has_failed = 1;
        snprintf(oracle->why, sizeof(oracle->why), "the watching reader ended with status %d", status);
    }
    left_check(path);
    tree_remove(path);
    waits_print(0, "writers");
    waits_print(1, "readers");
    survive_print(&oracle->survival, 0, "writers");
    survive_print(&oracle->survival, 1, "readers");
    if (oracle->has_failed)
        printf("# fault: %s\n", oracle->why);
    printf(
        "%s 1 - kill -9: %llu kills, %llu messages, %llu more looks of readers that were killed; seed %llu, %.0f s\n",
        oracle->has_failed ? "not ok" : "ok", (unsigned long long)done, (unsigned long long)oracle->received,
        (unsigned long long)oracle->checked, (unsigned long long)seed, seconds() - begin);
    return oracle->has_failed;
}
