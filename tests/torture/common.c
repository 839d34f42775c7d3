/* See common.h. */
#include "common.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "frame/frame.h"

/* ---- random numbers ---- */

uint64_t mix(uint64_t value) { /* the finisher of splitmix64 */
    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

uint64_t dice_next(struct dice *dice) {
    dice->state += UINT64_C(0x9e3779b97f4a7c15);
    return mix(dice->state);
}

uint32_t dice_roll(struct dice *dice, uint32_t sides) {
    return (uint32_t)(dice_next(dice) >> 33) % sides;
}

/* ---- ends ---- */

void place_fill(struct weir_place *place, const struct wish *wish) {
    *place = (struct weir_place){
        .transport = ops(),
        .capacity = wish->capacity ? wish->capacity : 65536,
        .size_max = 16 << 20,
        .full = wish->full,
        .from = wish->from,
        .wait = wish->wait,
        .mode = wish->mode ? wish->mode : 0600,
        .is_observer = wish->is_observer,
        .is_kept = wish->keep != 0,
        .is_kept_given = wish->keep >= 0,
        .may_create = !wish->may_not_create,
    };
    snprintf(place->name, sizeof(place->name), "%s", wish->name);
    snprintf(place->text, sizeof(place->text), "shm://%.240s", wish->name);
}

int end_open(struct end *end, enum weir_role role, const struct wish *wish, weir_error *err) {
    struct weir_place place;
    place_fill(&place, wish);
    /* Pages from the kernel are zeroed already: to step through a memset takes longer than through all the rest. */
    end->state = mmap(NULL, ops()->state_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (end->state == MAP_FAILED) {
        end->state = NULL;
        return WEIR_ENOMEM;
    }
    int status = ops()->open(end->state, &place, role, err);
    if (status) {
        munmap(end->state, ops()->state_size);
        end->state = NULL;
    }
    return status;
}

void end_close(struct end *end) {
    if (!end->state)
        return;
    ops()->close(end->state);
    munmap(end->state, ops()->state_size);
    end->state = NULL;
}

/* ---- messages ---- */

enum { WORD_STRIDE = 64, SMALL = 192 };

/* A commit word that a frame could have, different for each place. */
static uint64_t pattern(uint64_t key, uint64_t at) {
    uint64_t value = mix(key + at);
    return (value & UINT64_C(0x00ffffff00000000)) << 8 | UINT64_C(0x1100000000) | (64 + (value & 0x7c0));
}

static uint64_t key_of(const struct message *message, uint32_t size) {
    return mix((uint64_t)message->stream << 60 ^ (uint64_t)message->life << 36 ^ (uint64_t)size << 16 ^
               mix(message->index + 1));
}

static uint64_t word_of(uint32_t size) {
    return (uint64_t)WEIR_FRAME_TIME << 56 | UINT64_C(0x0211) << 32 | size; /* version 1, kind 1, CBOR */
}

/* Small messages have a pattern in every word, large ones in the first of each line, and all in the last. */
static size_t stride_of(uint32_t size) {
    return size <= SMALL ? 8 : WORD_STRIDE;
}

static size_t pattern_begin(uint32_t size) {
    return size <= SMALL ? MESSAGE_HEAD : WORD_STRIDE;
}

uint64_t message_write(const struct message *message, uint32_t size, unsigned char *to) {
    uint64_t *words = (uint64_t *)(void *)to;
    uint64_t key = key_of(message, size);
    words[2] =
        ((uint64_t)message->life << 32) + message->index; /* time: the newest message of a lane has the greatest */
    words[3] = message->index;
    words[4] = (uint64_t)message->stream << 32 | message->life;
    words[5] = size;
    words[6] = key;
    for (size_t at = pattern_begin(size); at + 16 <= size; at += stride_of(size))
        words[at / 8] = pattern(key, at);
    words[size / 8 - 1] = pattern(key, size);
    return word_of(size);
}

uint64_t message_seq(const struct weir_inbound *inbound) {
    uint64_t seq;
    memcpy(&seq, inbound->bytes + 8, sizeof(seq));
    return seq;
}

const char *message_read(const struct weir_inbound *inbound, struct message *ret) {
    const uint64_t *words = (const uint64_t *)(const void *)inbound->bytes;
    uint32_t size = (uint32_t)inbound->size;
    if (size < MESSAGE_HEAD + 8 || size % 8)
        return "of a size that was never sent";
    struct message message = {(uint32_t)(words[4] >> 32), (uint32_t)words[4], words[3]};
    uint64_t key = key_of(&message, size);
    if (words[5] != size || inbound->word != word_of(size) || words[6] != key)
        return "its head is not what was sent";
    for (size_t at = pattern_begin(size); at + 16 <= size; at += stride_of(size))
        if (words[at / 8] != pattern(key, at))
            return "torn";
    if (words[size / 8 - 1] != pattern(key, size))
        return "torn at its end";
    *ret = message;
    return NULL;
}

/* ---- files ---- */

void scratch_use(const char *path) {
    setenv("WEIR_SHM_DIR", path, 1);
}

void scratch_make(char path[64], const char *what) {
    const char *base = getenv("WEIR_SHM_DIR");
    snprintf(path, 64, "%.36s/%.16s-XXXXXX", base && *base ? base : "/dev/shm", what);
    if (!mkdtemp(path)) {
        perror(path);
        exit(2);
    }
    scratch_use(path);
}

static int entry_remove(const char *path, const struct stat *about, int type, struct FTW *walk) {
    (void)about, (void)type, (void)walk;
    return remove(path);
}

void tree_remove(const char *path) {
    nftw(path, entry_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static int entries; /* of the walk below */
static int entry_count(const char *path, const struct stat *about, int type, struct FTW *walk) {
    (void)path, (void)about, (void)type;
    entries += walk->level > 0;
    return 0;
}

int tree_count(const char *path) {
    entries = 0;
    nftw(path, entry_count, 16, FTW_PHYS);
    return entries;
}

int descriptors_count(void) {
    DIR *listing = opendir("/proc/self/fd");
    int count = -1; /* the listing's own */
    while (listing && readdir(listing))
        count++;
    if (listing)
        closedir(listing);
    return count;
}

double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- the command line ---- */

uint64_t argument(int argc, char **argv, const char *name, uint64_t fallback) {
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return strtoull(argv[i + 1], NULL, 0);
    return fallback;
}
