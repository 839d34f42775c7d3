/* Making a channel and taking it away.
 *
 * What must stay true: both are done only by who is the only member, and is_ready is what says that a channel is there.
 * It is stored last when one is made and taken back first when one goes, so what a killed maker or remover left is
 * known by it, and the next member, who is then alone, makes it anew.
 *
 * Who may only read cannot take a lease. It is there by being attached, which the kernel counts: it attaches, then
 * looks at is_ready; who takes a channel away takes is_ready back, then looks who is attached. One of the two sees the
 * other. */
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <time.h>
#include <unistd.h>

#include "os/mapping.h"
#include "os/process.h"
#include "transport/sysv/sysv.h"

enum { VISIT_TRIES = 50, VISIT_NAP_NS = 200000, USER_MAX = 64 };

/* ---- what is under the key ---- */

/* The key is somebody else's: @uid. */
static int squatted(const struct weir_backing *backing, uint32_t uid, weir_error *err) {
    char owner[USER_MAX], wanted[USER_MAX];
    weir_process_user(uid, owner, sizeof(owner));
    weir_process_user(backing->uid, wanted, sizeof(wanted));
    return weir_fail(err, WEIR_EACCESS,
                     "%s: this key is in use by user %s, not %s; take another key, or write sysv://~%s/0x%" PRIx32
                     " if you mean that user's channel",
                     backing->text, owner, wanted, owner, weir_sysv_of(backing)->key);
}

static int closed(const struct weir_backing *backing, enum weir_ipc_kind kind, weir_error *err) {
    uint32_t uid;
    if (weir_ipc_maker(kind, weir_sysv_of(backing)->key, &uid) == 0 && uid != backing->uid)
        return squatted(backing, uid, err);
    return weir_backing_unseen(backing, WEIR_EACCESS, err);
}

static int foreign(const struct weir_backing *backing, const char *what, weir_error *err) {
    return weir_fail(err, WEIR_EBUSY, "%s: another program has %s with this key (ipcs); take another key",
                     backing->text, what);
}

/* Return: WEIR_OK; WEIR_ENOENT, it has gone; failures with sentences. */
static int key_check(const struct weir_backing *backing, enum weir_ipc_kind kind, int id, uint64_t size,
                     weir_error *err) {
    struct weir_ipc_about about;
    if (weir_ipc_about(kind, id, &about) != 0)
        return errno == EACCES                     ? closed(backing, kind, err)
               : errno == EIDRM || errno == EINVAL ? WEIR_ENOENT
                                                   : weir_backing_unseen(backing, WEIR_ESYSTEM, err);
    if (about.is_going)
        return WEIR_ENOENT;
    if (about.creator_uid != backing->uid)
        return squatted(backing, about.creator_uid, err);
    if (about.uid != about.creator_uid)
        return weir_fail(err, WEIR_EACCESS,
                         "%s was given to another user, who can do anything with it; take another key", backing->text);
    if (about.size != size)
        return foreign(backing, kind == WEIR_IPC_SHM ? "a segment" : "semaphores", err);
    return WEIR_OK;
}

void weir_sysv_detach(struct weir_sysv *sysv) {
    weir_mapping_free(sysv->bytes, WEIR_SYSV_CHANNEL_SIZE);
    sysv->bytes = NULL;
    sysv->shm = -1;
}

int weir_sysv_find_channel(struct weir_backing *backing, int may_write, weir_error *err) {
    static const unsigned char zeros[8];
    struct weir_sysv *sysv = weir_sysv_of(backing);
    weir_sysv_detach(sysv);
    int id = shmget((key_t)sysv->key, 0, 0);
    if (id < 0)
        return errno == ENOENT ? WEIR_ENOENT : weir_backing_unseen(backing, WEIR_ESYSTEM, err);
    int status = key_check(backing, WEIR_IPC_SHM, id, WEIR_SYSV_CHANNEL_SIZE + WEIR_SYSV_TAIL, err);
    if (status)
        return status;
    sysv->bytes = weir_ipc_attach(id, WEIR_SYSV_CHANNEL_SIZE, may_write ? WEIR_MAPPING_WRITE : 0);
    if (!sysv->bytes)
        return errno == EIDRM || errno == EINVAL ? WEIR_ENOENT
               : errno == EACCES                 ? closed(backing, WEIR_IPC_SHM, err)
                                                 : weir_backing_unseen(backing, WEIR_ESYSTEM, err);
    sysv->shm = id;
    sysv->number = weir_sysv_page(sysv)->number;
    if (memcmp(sysv->bytes, WEIR_SHM_CHANNEL_MAGIC, 8) == 0 || memcmp(sysv->bytes, zeros, 8) == 0)
        return WEIR_OK;
    weir_sysv_detach(sysv);
    return foreign(backing, "a segment", err);
}

int weir_sysv_find_set(struct weir_backing *backing, weir_error *err) {
    struct weir_sysv *sysv = weir_sysv_of(backing);
    int set = semget((key_t)sysv->key, 0, 0);
    if (set < 0)
        return errno == ENOENT ? WEIR_ENOENT : weir_backing_unseen(backing, WEIR_ESYSTEM, err);
    int status = key_check(backing, WEIR_IPC_SEM, set, WEIR_SYSV_SEM_COUNT, err);
    if (status == WEIR_OK)
        sysv->set = set;
    return status;
}

/* ---- making ---- */

/* System V gives the rights of a group also to the group of whoever made the thing, for ever. So only that one can be
 * given any. */
static int group_check(const struct weir_place *place, weir_error *err) {
    uint32_t gid;
    char ours[USER_MAX];
    int status = weir_channel_group(place, &gid, err);
    if (status || gid == (gid_t)-1 || gid == getegid() || !(place->mode & 070))
        return status;
    weir_process_group(getegid(), ours, sizeof(ours));
    return weir_fail(
        err, WEIR_EACCESS,
        "%s: System V would give what group %s may do to group %s as well, in which this program runs; run it "
        "in that group (sg, newgrp), or use shm://",
        place->text, place->group, ours);
}

static int cursors_make(struct weir_backing *backing, uint32_t mode, weir_error *err) {
    unsigned char head[sizeof(struct weir_cursors_head)];
    weir_cursors_head(head);
    return weir_sysv_segment_new(backing, WEIR_SHM_CURSORS_SIZE, 0600 | weir_channel_mode(mode, 06, 06), head,
                                 sizeof(head), &weir_sysv_page(weir_sysv_of(backing))->cursors, err);
}

static int content_make(struct weir_backing *backing, const struct weir_place *place, enum weir_channel_access access,
                        weir_error *err) {
    struct weir_sysv *sysv = weir_sysv_of(backing);
    struct weir_sysv_page *page = weir_sysv_page(sysv);
    if (weir_ipc_fill(sysv->bytes, WEIR_SYSV_CHANNEL_SIZE) != 0)
        return weir_sysv_no_room(backing->text, WEIR_SYSV_CHANNEL_SIZE, err);
    weir_random(&sysv->number, sizeof(sysv->number));
    weir_channel_head(place, access, sysv->bytes);
    page->key = sysv->key;
    page->number = sysv->number;
    atomic_store(&page->set, (uint32_t)sysv->set + 1);
    int status = cursors_make(backing, place->mode, err);
    if (status)
        return status;
    if (place->mode & 022) /* readers of other users cannot make it */
        weir_sysv_wake_make(backing, place->mode);
    atomic_store(&page->is_ready, 1);
    return WEIR_OK;
}

int weir_sysv_make(struct weir_backing *backing, const struct weir_place *place, enum weir_channel_access access,
                   weir_error *err) {
    struct weir_sysv *sysv = weir_sysv_of(backing);
    int status = group_check(place, err);
    if (status)
        return status;
    int id = shmget((key_t)sysv->key, WEIR_SYSV_CHANNEL_SIZE + WEIR_SYSV_TAIL,
                    IPC_CREAT | IPC_EXCL | (int)(0600 | (place->mode & 066)));
    if (id < 0)
        return errno == EEXIST ? WEIR_EAGAIN : weir_sysv_no_room(place->text, WEIR_SYSV_CHANNEL_SIZE, err);
    status = weir_sysv_find_channel(backing, 1, err);
    if (status == WEIR_OK)
        status = content_make(backing, place, access, err);
    else if (status == WEIR_ENOENT)
        status = WEIR_EAGAIN; /* somebody removed it by hand */
    if (status && sysv->bytes)
        weir_sysv_remove(backing);
    return status;
}

/* ---- taking away ---- */

/* Is somebody attached but us? Who looks from outside is gone in a moment. */
static int has_visitors(const struct weir_sysv *sysv) {
    struct weir_ipc_about about;
    for (int i = 0; i < VISIT_TRIES; i++) {
        if (weir_ipc_about(WEIR_IPC_SHM, sysv->shm, &about) != 0 || about.attached <= 1)
            return 0;
        nanosleep(&(struct timespec){.tv_nsec = VISIT_NAP_NS}, NULL);
    }
    return 1;
}

int weir_sysv_remove(struct weir_backing *backing) {
    struct weir_sysv *sysv = weir_sysv_of(backing);
    struct weir_sysv_page *page = weir_sysv_page(sysv);
    struct weir_sysv_table *table = weir_sysv_table(sysv);
    uint32_t was_ready = atomic_exchange(&page->is_ready, 0);
    atomic_thread_fence(memory_order_seq_cst);
    if (was_ready && has_visitors(sysv)) {
        atomic_store(&page->is_ready, was_ready);
        return WEIR_EBUSY;
    }
    for (unsigned lane = 0; lane < WEIR_SHM_LANES; lane++)
        for (unsigned i = 0; i < WEIR_SYSV_SEGMENTS; i++)
            weir_sysv_segment_remove(sysv, atomic_load(&table->key[lane][i]));
    weir_sysv_segment_remove(sysv, atomic_load(&page->cursors));
    weir_sysv_wake_remove(backing);
    weir_ipc_remove(WEIR_IPC_SHM, sysv->shm);
    weir_sysv_detach(sysv);
    return WEIR_OK;
}
