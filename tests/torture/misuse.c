/* Ends in the wrong hands: a process that is stopped for long while others want its place, and children of fork that
 * use, close, or keep what their parent opened.
 *
 *     misuse [--rounds N] [--seed S]
 *
 * What must hold: a stopped writer's lane is given to nobody and its next message follows on; a stopped reader misses
 * nothing; a child is told WEIR_EFORKED by every operation and changes nothing for its parent, whatever it does and
 * however it ends. Prints TAP. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "common.h"

enum { STOP_MS = 30, OTHERS = 3 };

static struct shared {
    volatile uint64_t sent, read;
    volatile int status;
} * shared;

static int number, failures;

static void result(const char *what, const char *wrong, uint64_t rounds) {
    failures += wrong != NULL;
    printf("%s %d - %s, %llu rounds%s%s\n", wrong ? "not ok" : "ok", ++number, what, (unsigned long long)rounds,
           wrong ? "; " : "", wrong ? wrong : "");
    fflush(stdout);
}

static int send_one(struct end *writer, uint32_t stream, uint64_t index) {
    struct weir_slot slot;
    int status = ops()->reserve(writer->state, 0, 128, &slot, NULL);
    if (status)
        return status;
    memcpy(slot.bytes + 8, &slot.seq, 8);
    return ops()->commit(writer->state, message_write(&(struct message){stream, 1, index}, 128, slot.bytes), 0, NULL);
}

static struct wish wish_of(enum weir_from from) {
    return (struct wish){.name = "misuse", .keep = 1, .from = from};
}

static void nap_ms(long ms) {
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* Wait until *what has grown to @wanted, or for a minute. */
static int await(volatile uint64_t *what, uint64_t wanted) {
    double begin = seconds();
    while (*what < wanted && seconds() - begin < 60)
        nap_ms(1);
    return *what >= wanted;
}

/* ---- stopped ---- */

static void stopped_writer_run(void) {
    struct wish wish = wish_of(WEIR_FROM_NOW);
    struct end writer;
    if (end_open(&writer, WEIR_ROLE_WRITER, &wish, NULL))
        _exit(1);
    for (;;) {
        int status = send_one(&writer, 7, shared->sent);
        if (status == WEIR_OK)
            shared->sent++;
        else if (status == WEIR_EAGAIN)
            ops()->wait(writer.state, WEIR_READY_TO_WRITE, weir_deadline(10 * 1000 * 1000), NULL);
        else
            _exit(1);
    }
}

/* Take all there is; those of stream 7 must come without a hole, all in @lane. */
static const char *follow(struct end *reader, uint64_t *next, unsigned *lane) {
    struct weir_inbound inbound;
    struct message message;
    while (ops()->next(reader->state, &inbound, NULL) == WEIR_OK) {
        const char *wrong = message_read(&inbound, &message);
        if (wrong)
            return wrong;
        if (message.stream != 7)
            continue;
        if (message.index != (*next)++ || inbound.gap)
            return "a message of the stopped writer is missing";
        if (*lane && *lane != inbound.writer)
            return "the stopped writer came back in another lane";
        *lane = inbound.writer;
    }
    return NULL;
}

static const char *others_come(void) {
    struct wish wish = wish_of(WEIR_FROM_NOW);
    for (int i = 0; i < OTHERS; i++) {
        struct end other;
        int status = end_open(&other, WEIR_ROLE_WRITER, &wish, NULL);
        if (status)
            return "another writer cannot open beside one that is stopped";
        status = send_one(&other, 8, (uint64_t)i);
        end_close(&other);
        if (status)
            return "another writer cannot send beside one that is stopped";
    }
    return NULL;
}

static const char *stop_writer(uint64_t rounds, struct dice *dice) {
    struct wish wish = wish_of(WEIR_FROM_OLDEST);
    struct end reader;
    uint64_t next = 0;
    unsigned lane = 0;
    const char *wrong = end_open(&reader, WEIR_ROLE_READER, &wish, NULL) ? "the reader cannot open" : NULL;
    shared->sent = 0;
    pid_t child = wrong ? 0 : fork();
    if (child == 0 && !wrong)
        stopped_writer_run();
    for (uint64_t i = 0; i < rounds && !wrong; i++) {
        uint64_t before = shared->sent;
        for (double begin = seconds(); shared->sent <= before && !wrong && seconds() - begin < 60;)
            wrong = follow(&reader, &next, &lane);
        if (!wrong && shared->sent <= before)
            wrong = "the writer does not go on";
        nap_ms((long)dice_roll(dice, 3));
        kill(child, SIGSTOP);
        nap_ms(1 + (long)dice_roll(dice, STOP_MS));
        if (!wrong)
            wrong = others_come();
        ops()->clean(0, NULL, NULL, NULL);
        kill(child, SIGCONT);
    }
    if (child > 0) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    end_close(&reader);
    return wrong;
}

static void stopped_reader_run(void) {
    struct wish wish = wish_of(WEIR_FROM_NOW);
    struct end reader;
    struct weir_inbound inbound;
    struct message message;
    if (end_open(&reader, WEIR_ROLE_READER, &wish, NULL))
        _exit(1);
    shared->status = 1;
    for (uint64_t next = 0;;) {
        int status = ops()->next(reader.state, &inbound, NULL);
        if (status == WEIR_EAGAIN) {
            ops()->wait(reader.state, WEIR_READY_TO_READ, weir_deadline(50 * 1000 * 1000), NULL);
            continue;
        }
        if (status || message_read(&inbound, &message) || inbound.gap || message.index != next++) {
            shared->status = 2;
            _exit(1);
        }
        ops()->release(reader.state);
        shared->read = next;
    }
}

/* A writer that sends more than the ring holds while its only reader is stopped must wait, not overwrite. */
static const char *stop_reader(uint64_t rounds, struct dice *dice) {
    struct wish wish = wish_of(WEIR_FROM_NOW);
    struct end writer;
    uint64_t sent = 0;
    shared->status = 0;
    shared->read = 0;
    if (end_open(&writer, WEIR_ROLE_WRITER, &wish, NULL))
        return "the writer cannot open";
    pid_t child = fork();
    if (child == 0)
        stopped_reader_run();
    for (double begin = seconds(); shared->status == 0 && seconds() - begin < 60;)
        nap_ms(1);
    const char *wrong = shared->status == 1 ? NULL : "the reader cannot open";
    for (uint64_t i = 0; i < rounds && !wrong; i++) {
        kill(child, SIGSTOP);
        double until = seconds() + (1 + dice_roll(dice, STOP_MS)) / 1000.0;
        while (seconds() < until && !wrong) {
            int status = send_one(&writer, 7, sent);
            sent += status == WEIR_OK;
            if (status != WEIR_OK && status != WEIR_EAGAIN)
                wrong = "the writer cannot send";
            if (status == WEIR_EAGAIN)
                ops()->wait(writer.state, WEIR_READY_TO_WRITE, weir_deadline(5 * 1000 * 1000), NULL);
        }
        kill(child, SIGCONT);
        if (!wrong && !await(&shared->read, sent))
            wrong = shared->status == 2 ? "the stopped reader missed something" : "the stopped reader does not go on";
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    end_close(&writer);
    return wrong;
}

/* ---- forked ---- */

static int every_operation_tells(struct end *writer, struct end *reader) {
    struct weir_slot slot;
    struct weir_inbound inbound;
    uint32_t readers;
    int fd, told = 0;
    told += ops()->reserve(writer->state, 0, 64, &slot, NULL) == WEIR_EFORKED;
    told += ops()->commit(writer->state, UINT64_C(0x11) << 32 | 64, 0, NULL) == WEIR_EFORKED;
    told += ops()->flush(writer->state, NULL) == WEIR_EFORKED;
    told += ops()->readers(writer->state, &readers) == WEIR_EFORKED;
    told += ops()->wait(writer->state, WEIR_READY_TO_WRITE, 1, NULL) == WEIR_EFORKED;
    told += ops()->next(reader->state, &inbound, NULL) == WEIR_EFORKED;
    told += ops()->seek(reader->state, WEIR_FROM_OLDEST, 0, NULL) == WEIR_EFORKED;
    told += ops()->wait(reader->state, WEIR_READY_TO_READ, 1, NULL) == WEIR_EFORKED;
    told += ops()->fd(reader->state, &fd, NULL) == WEIR_EFORKED;
    told += ops()->peer_state(reader->state, NULL) == WEIR_EFORKED;
    ops()->skip(writer->state);
    ops()->discard(writer->state);
    ops()->release(reader->state);
    return told == 10;
}

static void child_run(struct end *writer, struct end *reader, uint32_t how) {
    int holds = every_operation_tells(writer, reader);
    if (how != 0) {
        end_close(writer);
        end_close(reader);
    }
    if (how == 2) { /* opens its own, as it should */
        struct wish wish = wish_of(WEIR_FROM_NOW);
        struct end mine;
        holds &= end_open(&mine, WEIR_ROLE_WRITER, &wish, NULL) == WEIR_OK && send_one(&mine, 9, 0) == WEIR_OK;
        end_close(&mine);
    }
    if (how == 3)
        raise(SIGKILL);
    _exit(holds ? 0 : 1);
}

static const char *fork_misuse(uint64_t rounds, struct dice *dice) {
    struct wish wish = wish_of(WEIR_FROM_NOW);
    struct end writer, reader;
    struct weir_slot slot;
    uint64_t next = 0;
    unsigned lane = 0;
    const char *wrong = NULL;
    if (end_open(&writer, WEIR_ROLE_WRITER, &wish, NULL) || end_open(&reader, WEIR_ROLE_READER, &wish, NULL))
        return "the parent cannot open";
    for (uint64_t i = 0; i < rounds && !wrong; i++) {
        uint32_t how = dice_roll(dice, 4);
        int status = 0;
        /* In the middle of a message, which the child throws away in its own copy. */
        if (ops()->reserve(writer.state, 0, 128, &slot, NULL))
            wrong = "the parent cannot reserve";
        memcpy(slot.bytes + 8, &slot.seq, 8);
        uint64_t word = message_write(&(struct message){7, 1, i}, 128, slot.bytes);
        pid_t child = fork();
        if (child == 0)
            child_run(&writer, &reader, how);
        waitpid(child, &status, 0);
        if (how != 3 && status != 0)
            wrong = "a child was not told, or could not open its own";
        if (!wrong && ops()->commit(writer.state, word, 0, NULL))
            wrong = "the parent cannot commit after its child has ended";
        if (!wrong)
            wrong = follow(&reader, &next, &lane);
        if (!wrong && next != i + 1)
            wrong = "the parent's message does not come";
    }
    end_close(&reader);
    end_close(&writer);
    return wrong;
}

int main(int argc, char **argv) {
    uint64_t rounds = argument(argc, argv, "--rounds", 50), seed = argument(argc, argv, "--seed", 1);
    struct dice dice = {mix(seed)};
    char path[64];
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    printf("1..3\n# misuse --rounds %llu --seed %llu\n", (unsigned long long)rounds, (unsigned long long)seed);
    fflush(stdout);
    scratch_make(path, "misuse");
    result("a writer that is stopped", stop_writer(rounds, &dice), rounds);
    result("a reader that is stopped", stop_reader(rounds, &dice), rounds);
    result("children of fork", fork_misuse(rounds, &dice), rounds);
    tree_remove(path);
    return failures != 0;
}
