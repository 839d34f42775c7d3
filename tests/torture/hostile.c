/* A peer that may write and means harm: while readers and writers of the library work under the address sanitizer, it
 * changes every shared byte at full speed, with numbers that are random, nearly right, or frames that lie.
 *
 *     hostile [--reads N] [--seed S]
 *
 * What must hold: calls return, with any code; nobody crashes or reads outside its mappings; and while only the
 * attacker's own lane is under attack, messages of the other lane come whole, in order, none missing, to readers that
 * are there and to those that come (one attack is a lane whose file is garbage from the start). Others may write the
 * channel, as its mode says; only its own user is read in place. In a channel that nobody else may write, cursors are
 * not attacked: who sleeps on semaphores trusts his own user (os/semaphore.h). Prints TAP, a case for each attack. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "common.h"
#include "frame/frame.h"
#include "transport/shm/layout.h"

enum { READERS = 2, AREAS = 80, HONEST_LANE = 1, HEADER_SIZE = 64, PATIENCE_S = 600 };

struct shared {
    volatile int must_stop, is_ready, has_failed;
    char why[400];
    volatile uint64_t reads, frames, honest, damaged, opens, refused, writes, sent;
};
static struct shared *shared;
static char store[128];

enum attack {
    ATTACK_LANE,
    ATTACK_LANE_IN_PLACE,
    ATTACK_GARBAGE_LANE,
    ATTACK_CURSORS,
    ATTACK_CHANNEL,
    ATTACK_ALL,
    ATTACKS
};
static const char *const attack_names[] = {"its own lane", "its own lane, read in place,", "lanes of garbage",
                                           "the cursors",  "the channel's page",           "every file"};

static void fault(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
static void fault(const char *format, ...) {
    if (__atomic_exchange_n(&shared->has_failed, 1, __ATOMIC_SEQ_CST) == 0) {
        va_list args;
        va_start(args, format);
        vsnprintf(shared->why, sizeof(shared->why), format, args);
        va_end(args);
    }
    _exit(1);
}

static void count(volatile uint64_t *what) {
    __atomic_fetch_add(what, 1, __ATOMIC_RELAXED);
}

/* ---- the attacker ---- */

struct area {
    unsigned char *bytes;
    size_t size;
    char name[32];
    unsigned char header[HEADER_SIZE]; /* as it was */
};

static int area_open(struct area *area, const char *name) {
    char path[200];
    struct stat about;
    snprintf(path, sizeof(path), "%s/%s", store, name);
    snprintf(area->name, sizeof(area->name), "%.31s", name);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &about) != 0)
        return -1;
    area->size = (size_t)about.st_size;
    area->bytes = mmap(NULL, area->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (area->bytes == MAP_FAILED)
        return -1;
    memcpy(area->header, area->bytes, HEADER_SIZE);
    return 0;
}

/* A number that a field could have had: near another, a flag, the end of the range, noise. */
static uint64_t number_roll(struct dice *dice, uint64_t old) {
    switch (dice_roll(dice, 8)) {
    case 0: return old + 64 * (uint64_t)dice_roll(dice, 2048);
    case 1: return old - 64 * (uint64_t)dice_roll(dice, 2048);
    case 2: return UINT64_MAX - dice_roll(dice, 130);
    case 3: return dice_roll(dice, 4);
    case 4: return UINT64_C(1) << dice_roll(dice, 64);
    case 5: return old ^ UINT64_C(1) << dice_roll(dice, 64);
    case 6: return UINT64_C(0x0100021100000000) | (16 + dice_roll(dice, 33000)); /* a commit word */
    default: return dice_next(dice);
    }
}

static void area_strike(struct area *area, struct dice *dice) {
    size_t head = area->size < 12288 ? area->size : 8192 + 64; /* pages of numbers get half of the blows */
    size_t at = dice_roll(dice, 2) ? dice_roll(dice, (uint32_t)head) : dice_roll(dice, (uint32_t)area->size);
    _Atomic(uint64_t) *word = (_Atomic(uint64_t) *)(void *)(area->bytes + (at & ~(size_t)7));
    if (dice_roll(dice, 4) == 0)
        area->bytes[at] ^= (unsigned char)(1 + dice_roll(dice, 255));
    else
        atomic_store_explicit(word, number_roll(dice, atomic_load_explicit(word, memory_order_relaxed)),
                              memory_order_relaxed);
}

/* Mostly valid frames all round the ring, so that readers walk far before they notice. */
static void ring_dress(struct area *area, struct dice *dice) {
    for (size_t at = 8192; at + 64 <= area->size;) {
        uint64_t size = 16 + dice_roll(dice, 400);
        uint64_t word = UINT64_C(0x0100021100000000) | size;
        memcpy(area->bytes + at, &word, 8);
        at += weir_shm_span(size);
    }
}

/* A lane that the table names, and whose file is too short, garbage, or has a header that lies. */
static void garbage_lane(struct dice *dice, unsigned lane) {
    char path[200];
    snprintf(path, sizeof(path), "%s/lane.%u.1", store, lane);
    unlink(path);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    struct weir_lane_header header = {
        .version = 1, .lane = lane, .generation = 1, .capacity = 65536, .ring_offset = 8192};
    memcpy(header.magic, WEIR_SHM_LANE_MAGIC, 8);
    unsigned char *bytes = (unsigned char *)&header;
    bytes[dice_roll(dice, sizeof(header) - 24)] ^= (unsigned char)(1 + dice_roll(dice, 255));
    int failed = dice_roll(dice, 4) && (ftruncate(fd, 8192 + 65536) != 0 || write(fd, bytes, sizeof(header)) < 0);
    (void)failed;
    close(fd);
}

static void garbage_run(struct dice *dice, struct area *page) {
    struct weir_channel_page *channel = (struct weir_channel_page *)(page->bytes + WEIR_SHM_PAGE);
    for (unsigned lane = 8; !shared->must_stop; lane = 8 + (lane - 7) % 24) {
        garbage_lane(dice, lane);
        atomic_store(&channel->generation[lane], 1);
        atomic_fetch_add(&channel->lanes_changed, 1);
        shared->is_ready = 1;
        nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
    }
}

static void attacker_run(enum attack attack, struct dice *dice) {
    struct area areas[AREAS], page;
    int areas_count = 0;
    DIR *listing = opendir(store);
    struct dirent *entry;
    if (area_open(&page, "channel"))
        fault("the attacker finds no channel");
    while (listing && (entry = readdir(listing)) != NULL && areas_count < AREAS) {
        int is_lane = strcmp(entry->d_name, "lane.0.1") == 0;
        int is_meant = attack <= ATTACK_LANE_IN_PLACE ? is_lane
                       : attack == ATTACK_CURSORS     ? strcmp(entry->d_name, "cursors") == 0
                       : attack == ATTACK_CHANNEL
                           ? strcmp(entry->d_name, "channel") == 0
                           : strncmp(entry->d_name, "lane.", 5) == 0 || strcmp(entry->d_name, "cursors") == 0 ||
                                 strcmp(entry->d_name, "channel") == 0;
        if (is_meant && area_open(&areas[areas_count], entry->d_name) == 0)
            areas_count++;
    }
    if (listing)
        closedir(listing);
    if (attack == ATTACK_GARBAGE_LANE)
        garbage_run(dice, &page);
    while (!shared->must_stop) {
        struct area *area = &areas[dice_roll(dice, (uint32_t)areas_count)];
        if (strncmp(area->name, "lane.0", 6) == 0 && dice_roll(dice, 16) == 0)
            ring_dress(area, dice);
        uint64_t blows = UINT64_C(1) << dice_roll(dice, 7);
        for (uint64_t i = 0; i < blows; i++)
            area_strike(area, dice);
        /* With a header that stays damaged nobody would come any further. */
        if (dice_roll(dice, 8))
            memcpy(area->bytes, area->header, HEADER_SIZE);
        shared->is_ready = 1;
        __atomic_fetch_add(&shared->writes, blows, __ATOMIC_RELAXED);
    }
}

/* ---- those who are attacked ---- */

struct honest { /* what came of the other lane */
    uint64_t index, seq;
    int is_begun;
};

static void honest_check(struct honest *honest, const struct weir_inbound *inbound) {
    struct message message;
    const char *wrong = message_read(inbound, &message);
    uint64_t seq = message_seq(inbound);
    if (wrong || message.stream != HONEST_LANE)
        fault("a message of the lane that is not under attack: %s", wrong ? wrong : "another's");
    if (honest->is_begun && (inbound->gap || message.index != honest->index + 1 || seq != honest->seq + 1))
        fault("message %llu of the lane that is not under attack comes after %llu, gap %llu",
              (unsigned long long)message.index, (unsigned long long)honest->index, (unsigned long long)inbound->gap);
    *honest = (struct honest){message.index, seq, 1};
    count(&shared->honest);
}

/* Look at all of it, as the channel layer does. */
static void frame_touch(const struct weir_inbound *inbound) {
    struct weir_frame frame;
    volatile unsigned char sum = 0;
    if (weir_frame_parse(inbound->word, inbound->bytes, inbound->size, &frame) == WEIR_OK)
        for (size_t i = 0; i < frame.data.size; i += 61)
            sum = (unsigned char)(sum + ((const unsigned char *)frame.data.data)[i]);
    sum = (unsigned char)(sum + inbound->bytes[inbound->size - 1]);
    count(&shared->frames);
}

static int listing_take(const struct weir_listing *listing, void *user) {
    (void)listing, (void)user;
    return WEIR_OK;
}

static void outside_look(const struct wish *wish) {
    struct weir_place place;
    struct weir_buffer out = {0};
    struct weir_inbound inbound;
    place_fill(&place, wish);
    if (ops()->latest(&place, &out, &inbound, NULL) == WEIR_OK)
        frame_touch(&inbound);
    weir_buffer_fini(&out);
    ops()->list(listing_take, NULL, NULL);
}

static void odd_call(void *state, struct dice *dice, struct honest *honest, int is_guarded) {
    int fd;
    uint32_t roll = dice_roll(dice, 20);
    if (roll == 0 && !is_guarded) {
        honest->is_begun = 0;
        ops()->seek(state, (enum weir_from)dice_roll(dice, 5), dice_roll(dice, 100), NULL);
    } else if (roll < 4)
        ops()->wait(state, WEIR_READY_TO_READ, weir_deadline(200 * 1000), NULL);
    else if (roll == 4)
        ops()->fd(state, &fd, NULL);
}

/* Reads until there is nothing for a while. @is_guarded: the other lane must come right. */
static void channel_read(struct end *reader, struct dice *dice, int is_guarded, uint32_t reopen_percent) {
    struct honest honest = {0};
    for (int left = 2000 + (int)dice_roll(dice, 20000); left > 0 && !shared->must_stop; left--) {
        struct weir_inbound inbound;
        int status = ops()->next(reader->state, &inbound, NULL);
        count(&shared->reads);
        if (status == WEIR_ECORRUPT)
            count(&shared->damaged);
        if (status == WEIR_ECORRUPT && dice_roll(dice, 100) < reopen_percent)
            break; /* to see it again one must open again */
        if (status == WEIR_OK && is_guarded && inbound.writer == HONEST_LANE + 1)
            honest_check(&honest, &inbound);
        if (status == WEIR_OK)
            frame_touch(&inbound);
        if (dice_roll(dice, 200) == 0)
            odd_call(reader->state, dice, &honest, is_guarded);
        if (dice_roll(dice, 3) == 0)
            ops()->release(reader->state);
    }
}

static void reader_run(enum attack attack, struct dice *dice) {
    int is_guarded = attack <= ATTACK_GARBAGE_LANE;
    while (!shared->must_stop) {
        weir_error err = {0};
        struct wish wish = {.name = "hostile", .keep = -1, .from = WEIR_FROM_OLDEST, .may_not_create = 1};
        wish.is_observer = !is_guarded && dice_roll(dice, 2);
        struct end reader;
        int status = end_open(&reader, WEIR_ROLE_READER, &wish, &err);
        count(&shared->opens);
        count(&shared->reads);
        if (status && is_guarded)
            fault("a reader cannot open: %d, %.300s", status, err.text);
        if (status) {
            count(&shared->refused);
        } else {
            channel_read(&reader, dice, is_guarded, attack <= ATTACK_LANE_IN_PLACE ? 40 : 1);
            end_close(&reader);
        }
        outside_look(&wish);
    }
}

static void writer_run(enum attack attack, struct dice *dice, struct end *first) {
    int is_guarded = attack <= ATTACK_GARBAGE_LANE;
    struct end writer = *first;
    uint64_t index = 0;
    while (!shared->must_stop) {
        struct wish wish = {.name = "hostile", .keep = 1, .may_not_create = 1};
        wish.full = is_guarded ? WEIR_FULL_BLOCK : (enum weir_full)(dice_roll(dice, 2) * WEIR_FULL_DROP_OLDEST);
        int status = writer.state ? WEIR_OK : end_open(&writer, WEIR_ROLE_WRITER, &wish, NULL);
        for (int left = 20000; status != WEIR_EFENCED && writer.state && left > 0 && !shared->must_stop; left--) {
            struct weir_slot slot;
            uint32_t size = 64 + 8 * dice_roll(dice, 60);
            status = ops()->reserve(writer.state, 0, size, &slot, NULL);
            if (status == WEIR_EAGAIN)
                ops()->wait(writer.state, WEIR_READY_TO_WRITE, weir_deadline(1000 * 1000), NULL);
            if (status)
                continue;
            struct message message = {HONEST_LANE, 1, index};
            memcpy(slot.bytes + 8, &slot.seq, 8);
            status = ops()->commit(writer.state, message_write(&message, size, slot.bytes), 0, NULL);
            index += status == WEIR_OK;
            count(&shared->sent);
        }
        if (!is_guarded) /* in its lane nobody else may come */
            end_close(&writer);
    }
    end_close(&writer);
}

/* ---- one attack ---- */

static pid_t start(void (*run)(enum attack, struct dice *), enum attack attack, uint64_t seed) {
    struct dice dice = {seed};
    pid_t child = fork();
    if (child != 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    run(attack, &dice);
    exit(0);
}

/* The lanes are taken in turn: the attacker's is 0. It sends a little, so that there is something to damage. */
static void lanes_run(enum attack attack, struct dice *dice) {
    struct wish wish = {.name = "hostile", .keep = 1, .mode = attack == ATTACK_LANE_IN_PLACE ? 0600 : 0666};
    struct end bad, good;
    struct weir_slot slot;
    if (end_open(&bad, WEIR_ROLE_WRITER, &wish, NULL) || end_open(&good, WEIR_ROLE_WRITER, &wish, NULL))
        fault("the lanes cannot be made");
    if (ops()->reserve(bad.state, 0, 64, &slot, NULL) == WEIR_OK)
        ops()->commit(bad.state, message_write(&(struct message){0}, 64, slot.bytes), 0, NULL);
    shared->is_ready = 1;
    writer_run(attack, dice, &good);
    end_close(&bad);
}

static int attack_run(enum attack attack, uint64_t reads, struct dice *dice) {
    pid_t children[READERS + 2];
    int children_count = 0, failed = 0;
    char path[64], command[8] = "";
    (void)command;
    memset(shared, 0, sizeof(*shared));
    scratch_make(path, "hostile");
    snprintf(store, sizeof(store), "%s/weir-%u/hostile", path, geteuid());
    double begin = seconds();
    children[children_count++] = start(lanes_run, attack, dice_next(dice));
    while (!shared->is_ready && !shared->has_failed)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    shared->is_ready = 0;
    children[children_count++] = start(attacker_run, attack, dice_next(dice));
    while (!shared->is_ready && !shared->has_failed)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    for (int i = 0; i < READERS; i++)
        children[children_count++] = start(reader_run, attack, dice_next(dice));
    while (shared->reads < reads && !shared->has_failed && seconds() - begin < PATIENCE_S) {
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
        for (int i = 0; i < children_count; i++) {
            int status;
            if (children[i] > 0 && waitpid(children[i], &status, WNOHANG) == children[i]) {
                failed = 1;
                printf("# a process ended with status %#x\n", (unsigned)status);
                children[i] = 0;
            }
        }
        if (failed)
            break;
    }
    int is_slow = shared->reads < reads;
    shared->must_stop = 1;
    for (int i = 0; i < children_count; i++) {
        int status = 0;
        if (children[i] > 0)
            waitpid(children[i], &status, 0);
        failed |= status != 0;
    }
    failed |= shared->has_failed || is_slow;
    if ((attack <= ATTACK_GARBAGE_LANE) && shared->honest == 0)
        failed = 1;
    if (shared->has_failed)
        printf("# fault: %s\n", shared->why);
    printf(
        "%s %d - %s under attack: %llu reads, %llu frames, %llu of the other lane, %llu times damage told, %llu opens "
        "(%llu refused), %llu sent, %llu blows, %.0f s\n",
        failed ? "not ok" : "ok", attack + 1, attack_names[attack], (unsigned long long)shared->reads,
        (unsigned long long)shared->frames, (unsigned long long)shared->honest, (unsigned long long)shared->damaged,
        (unsigned long long)shared->opens, (unsigned long long)shared->refused, (unsigned long long)shared->sent,
        (unsigned long long)shared->writes, seconds() - begin);
    fflush(stdout);
    tree_remove(path);
    return failed;
}

int main(int argc, char **argv) {
    uint64_t reads = argument(argc, argv, "--reads", 1000000), seed = argument(argc, argv, "--seed", 1);
    struct dice dice = {mix(seed)};
    char base[100];
    const char *given = getenv("WEIR_SHM_DIR");
    int failed = 0;
    snprintf(base, sizeof(base), "%.90s", given && *given ? given : "/dev/shm");
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    printf("1..%d\n# hostile --reads %llu --seed %llu, divided among the attacks\n", ATTACKS, (unsigned long long)reads,
           (unsigned long long)seed);
    fflush(stdout);
    for (int attack = 0; attack < ATTACKS; attack++) {
        scratch_use(base);
        failed |= attack_run((enum attack)attack, reads / ATTACKS, &dice);
    }
    return failed;
}
