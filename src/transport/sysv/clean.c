/* System V channels from outside: which there are, the memory they take, and what the dead left.
 *
 * What must stay true: nothing is taken away that is not certainly ours and certainly of no use. A segment is known by
 * its size, its maker and its mark; one without a mark yet is only taken when its maker is dead. Whoever makes one is
 * attached to it from before its mark until its key is told, so one that has a mark, is attached by nobody and is told
 * of by no channel, is nobody's. */
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <unistd.h>

#include "os/fork.h"
#include "os/process.h"
#include "transport/sysv/sysv.h"

enum { NAME_SIZE = 16 };

/* ---- what there is ---- */

static int is_ours(const struct weir_ipc_about *about) {
    return about->uid == geteuid() && about->creator_uid == geteuid() && !about->is_going;
}

static int is_channel(const struct weir_ipc_about *about) {
    return is_ours(about) && about->key != 0 && about->size == WEIR_SYSV_CHANNEL_SIZE + WEIR_SYSV_TAIL;
}

static void backing_begin(struct weir_backing *backing, uint32_t key) {
    *backing = (struct weir_backing){.ops = &weir_backing_sysv, .uid = geteuid()};
    *weir_sysv_of(backing) = (struct weir_sysv){.key = key, .shm = -1, .set = -1, .forks = weir_fork_generation()};
    snprintf(backing->text, sizeof(backing->text), "sysv://0x%" PRIx32, key);
    snprintf(backing->path, sizeof(backing->path), "System V key 0x%08" PRIx32, key);
}

int weir_sysv_each(weir_backing_fn *fn, void *user, weir_error *err) {
    struct weir_ipc_about about;
    int index = 0, id, status = WEIR_OK;
    (void)err; /* what cannot be seen is not there */
    while (status == WEIR_OK && weir_ipc_next(WEIR_IPC_SHM, &index, &id, &about)) {
        struct weir_backing backing;
        struct weir_place place = {0};
        char name[NAME_SIZE];
        if (!is_channel(&about))
            continue;
        snprintf(name, sizeof(name), "0x%" PRIx32, about.key);
        snprintf(place.name, sizeof(place.name), "%s", name);
        snprintf(place.text, sizeof(place.text), "sysv://%s", name);
        if (weir_backing_look(&backing, &weir_backing_sysv, &place, NULL) != WEIR_OK)
            continue;
        status = fn(&backing, name, user);
        weir_backing_sysv.abandon(&backing);
    }
    return status;
}

static uint64_t segment_size(uint32_t key) {
    struct weir_ipc_about about;
    int id = key ? shmget((key_t)key, 0, 0) : -1;
    return id >= 0 && weir_ipc_about(WEIR_IPC_SHM, id, &about) == 0 ? about.size : 0;
}

uint64_t weir_sysv_used(const struct weir_backing *backing) {
    const struct weir_sysv *sysv = weir_sysv_of(backing);
    uint64_t bytes =
        WEIR_SYSV_CHANNEL_SIZE + WEIR_SYSV_TAIL + segment_size(atomic_load(&weir_sysv_page(sysv)->cursors));
    for (unsigned lane = 0; lane < WEIR_SHM_LANES; lane++)
        for (unsigned i = 0; i < WEIR_SYSV_SEGMENTS; i++)
            bytes += segment_size(atomic_load(&weir_sysv_table(sysv)->key[lane][i]));
    return bytes;
}

/* ---- clean ---- */

struct clean_user {
    weir_clean_fn *fn;
    void *user;
    int is_dry_run;
    int is_named; /* this one, also when it is to be kept */
};

static int tell(const struct clean_user *to, const char *path, const char *what, uint64_t size) {
    return to->fn ? to->fn(path, what, size, to->user) : WEIR_OK;
}

/* The set of the channel that is open, made when somebody has removed it. */
static int set_open(struct weir_backing *backing) {
    struct weir_sysv *sysv = weir_sysv_of(backing);
    int status = weir_sysv_find_set(backing, NULL);
    if (status == WEIR_ENOENT && semget((key_t)sysv->key, WEIR_SYSV_SEM_COUNT, IPC_CREAT | IPC_EXCL | 0600) >= 0)
        status = weir_sysv_find_set(backing, NULL);
    return status;
}

/* We are its only member. */
static int channel_remove(const struct clean_user *to, struct weir_backing *backing) {
    struct weir_sysv *sysv = weir_sysv_of(backing);
    int is_ready = atomic_load(&weir_sysv_page(sysv)->is_ready) != 0;
    if (is_ready && !to->is_named && weir_channel_kept(backing) == WEIR_CHANNEL_KEEP)
        return WEIR_OK;
    int status = tell(to, backing->path,
                      !is_ready      ? "half-made or half-removed channel"
                      : to->is_named ? "idle channel"
                                     : "channel with keep=0 and no ends",
                      weir_sysv_used(backing));
    if (status || to->is_dry_run)
        return status;
    status = weir_sysv_remove(backing);
    if (status == WEIR_OK)
        weir_ipc_remove(WEIR_IPC_SEM, sysv->set);
    return to->is_named ? status : WEIR_OK;
}

/* With membership alone, so that nobody comes in between. Return: of one that is named also WEIR_EBUSY, WEIR_ENOENT. */
static int channel_clean(const struct clean_user *to, uint32_t key) {
    struct weir_backing backing;
    backing_begin(&backing, key);
    struct weir_sysv *sysv = weir_sysv_of(&backing);
    int status = WEIR_OK;
    if (set_open(&backing) != WEIR_OK || weir_sysv_alone(sysv) != WEIR_OK)
        status = to->is_named ? WEIR_EBUSY : WEIR_OK;
    else if (weir_sysv_find_channel(&backing, 1, NULL) != WEIR_OK)
        status = to->is_named ? WEIR_ENOENT : WEIR_OK;
    else
        status = channel_remove(to, &backing);
    weir_sysv_close(sysv);
    return status;
}

static int channels_clean(const struct clean_user *to) {
    struct weir_ipc_about about;
    int index = 0, id, status = WEIR_OK;
    while (status == WEIR_OK && weir_ipc_next(WEIR_IPC_SHM, &index, &id, &about))
        if (is_channel(&about))
            status = channel_clean(to, about.key);
    return status;
}

/* Does the channel of @mark tell of the segment with @key? The channel may be another user's: then who cannot see it
 * does not know. */
static int is_told_of(const struct weir_sysv_mark *mark, uint32_t key) {
    struct weir_ipc_about about;
    int id = shmget((key_t)mark->key, 0, 0);
    if (id < 0) /* who could not look does not know either */
        return errno != ENOENT;
    if (weir_ipc_about(WEIR_IPC_SHM, id, &about) != 0)
        return 1;
    if (about.is_going || about.size != WEIR_SYSV_CHANNEL_SIZE + WEIR_SYSV_TAIL)
        return 0;
    unsigned char *bytes = weir_ipc_attach(id, WEIR_SYSV_CHANNEL_SIZE, 0);
    if (!bytes)
        return 1;
    struct weir_sysv sysv = {.bytes = bytes, .shm = id};
    int is_told = 0;
    if (weir_sysv_page(&sysv)->number == mark->number) {
        is_told = atomic_load(&weir_sysv_page(&sysv)->cursors) == key;
        for (unsigned i = 0; i < WEIR_SHM_LANES * WEIR_SYSV_SEGMENTS; i++)
            is_told |= atomic_load(&weir_sysv_table(&sysv)->key[i / WEIR_SYSV_SEGMENTS][i % WEIR_SYSV_SEGMENTS]) == key;
    }
    weir_sysv_detach(&sysv);
    return is_told;
}

static int segment_clean(const struct clean_user *to, int id, const struct weir_ipc_about *about) {
    struct weir_sysv_mark mark;
    int is_blank;
    char path[64];
    int is_part = weir_sysv_mark_read(id, about, &mark, &is_blank);
    /* A maker without a number is in another namespace of processes, and may live. */
    int is_dead = is_blank && about->creator_pid > 0 && weir_process_start(about->creator_pid) == 0;
    struct weir_ipc_about now;
    /* In this order: who was seen to have marked it and is not attached any more has told of it. */
    if (weir_ipc_about(WEIR_IPC_SHM, id, &now) != 0 || now.attached != 0 ||
        (is_part ? is_told_of(&mark, about->key) : !is_dead))
        return WEIR_OK;
    snprintf(path, sizeof(path), "System V key 0x%08" PRIx32, about->key);
    int status = tell(to, path, "segment of a channel that is gone", about->size);
    if (status == WEIR_OK && !to->is_dry_run)
        weir_ipc_remove(WEIR_IPC_SHM, id);
    return status;
}

static int segments_clean(const struct clean_user *to) {
    struct weir_ipc_about about;
    int index = 0, id, status = WEIR_OK;
    while (status == WEIR_OK && weir_ipc_next(WEIR_IPC_SHM, &index, &id, &about))
        if (is_ours(&about) && about.key != 0 && about.attached == 0 && !is_channel(&about))
            status = segment_clean(to, id, &about);
    return status;
}

/* A set without a segment: its maker was killed between the two. */
static int set_clean(const struct clean_user *to, int set, const struct weir_ipc_about *about) {
    char path[64];
    struct weir_sysv sysv = {.key = about->key, .shm = -1, .set = set};
    int sign = weir_ipc_value(set, WEIR_SYSV_SEM_SIGN);
    int status = WEIR_OK;
    if (sign != WEIR_SYSV_SIGN && (sign != 0 || about->is_used))
        return status;
    weir_ipc_value_set(set, WEIR_SYSV_SEM_SIGN, WEIR_SYSV_SIGN); /* taking a lease is a use */
    if (weir_sysv_alone(&sysv) == WEIR_OK && shmget((key_t)about->key, 0, 0) < 0 && errno == ENOENT) {
        snprintf(path, sizeof(path), "System V key 0x%08" PRIx32, about->key);
        status = tell(to, path, "semaphores of a channel that is gone", about->size * sizeof(short));
        if (status == WEIR_OK && !to->is_dry_run)
            weir_ipc_remove(WEIR_IPC_SEM, set);
    }
    weir_sysv_close(&sysv);
    return status;
}

static int sets_clean(const struct clean_user *to) {
    struct weir_ipc_about about;
    int index = 0, set, status = WEIR_OK;
    while (status == WEIR_OK && weir_ipc_next(WEIR_IPC_SEM, &index, &set, &about))
        if (is_ours(&about) && about.key != 0 && about.size == WEIR_SYSV_SEM_COUNT)
            status = set_clean(to, set, &about);
    return status;
}

int weir_sysv_clean(int is_dry_run, weir_clean_fn *clean_fn, void *user, weir_error *err) {
    struct clean_user to = {clean_fn, user, is_dry_run, 0};
    (void)err;
    int status = channels_clean(&to);
    if (status == WEIR_OK)
        status = segments_clean(&to);
    return status ? status : sets_clean(&to);
}

int weir_sysv_take_away(const struct weir_place *place, int is_dry_run, weir_clean_fn *clean_fn, void *user,
                        weir_error *err) {
    struct clean_user to = {clean_fn, user, is_dry_run, 1};
    struct weir_ipc_about about;
    uint32_t key, uid;
    int status = weir_sysv_name(place, &key, &uid, err);
    if (status)
        return status;
    if (uid != geteuid())
        return weir_fail(err, WEIR_EACCESS, "%s is another user's, who alone can remove it", place->text);
    int id = shmget((key_t)key, 0, 0);
    int is_there = id >= 0 && weir_ipc_about(WEIR_IPC_SHM, id, &about) == 0 && is_channel(&about);
    status = is_there ? channel_clean(&to, key) : WEIR_ENOENT;
    switch (status) {
    case WEIR_OK: return status;
    case WEIR_ENOENT: return weir_fail(err, status, "%s: there is no such channel of yours", place->text);
    case WEIR_EBUSY: return weir_fail(err, status, "%s is in use; end its programs first", place->text);
    default: return weir_fail(err, status, "%s cannot be removed", place->text);
    }
}
