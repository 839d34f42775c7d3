/* The System V backing: leases, joining and leaving.
 *
 * What must stay true:
 * - The set of semaphores comes first and goes last. Who has membership alone (WEIR_LEASE_MEMBERS) may make the channel
 *   or take it away; all others find it ready or not at all.
 * - Nobody can be given a channel by somebody who was there first: what is under the key must have been made by the
 *   user that the address names, or else by ourselves. System V has no directory per user, so that others can take a
 *   key away from us cannot be helped.
 * - What we have changed in the set, we change back at close; the kernel does so when we are killed. A forked child
 *   does neither. */
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/sem.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "os/fork.h"
#include "transport/sysv/sysv.h"

static const int64_t JOIN_PATIENCE_NS = INT64_C(5000000000);
static const long JOIN_NAP_NS = 200000;

/* ---- leases ---- */

static int is_shareable(unsigned lease) {
    return lease == WEIR_LEASE_WRITERS || lease == WEIR_LEASE_MEMBERS;
}

/* The semaphore of a lease; of one that can be shared, the first of two. */
static unsigned semaphore_of(unsigned lease) {
    return lease == WEIR_LEASE_MEMBERS ? WEIR_SYSV_SEM_MEMBERS
           : lease >= WEIR_LEASE_SLOT  ? WEIR_SYSV_SEM_SLOT + lease - WEIR_LEASE_SLOT
                                       : lease;
}

static struct weir_ipc_lease shareable(const struct weir_sysv *sysv, unsigned lease) {
    unsigned short first = (unsigned short)semaphore_of(lease);
    return (struct weir_ipc_lease){.set = sysv->set, .shared = first, .alone = first + 1};
}

static int sysv_lease_take(struct weir_backing *backing, unsigned lease, int is_exclusive) {
    struct weir_sysv *sysv = weir_sysv_of(backing);
    unsigned semaphore = semaphore_of(lease);
    int status;
    if (is_shareable(lease)) {
        struct weir_ipc_lease both = shareable(sysv, lease);
        status = is_exclusive ? weir_ipc_take_alone(&both) : weir_ipc_take_shared(&both);
        semaphore += is_exclusive ? 1 : 0;
    } else {
        status = weir_ipc_take(sysv->set, semaphore);
    }
    if (status == WEIR_OK)
        sysv->has_lease[semaphore] = 1;
    return status;
}

static void semaphore_give(struct weir_sysv *sysv, unsigned semaphore) {
    if (sysv->has_lease[semaphore])
        weir_ipc_give(sysv->set, semaphore);
    sysv->has_lease[semaphore] = 0;
}

static void sysv_lease_drop(struct weir_backing *backing, unsigned lease) {
    unsigned semaphore = semaphore_of(lease);
    semaphore_give(weir_sysv_of(backing), semaphore);
    if (is_shareable(lease))
        semaphore_give(weir_sysv_of(backing), semaphore + 1);
}

static int sysv_lease_is_held(const struct weir_backing *backing, unsigned lease) {
    const struct weir_sysv *sysv = weir_sysv_of(backing);
    int value = weir_ipc_value(sysv->set, semaphore_of(lease));
    if (value == 0 && is_shareable(lease))
        value = weir_ipc_value(sysv->set, semaphore_of(lease) + 1);
    if (value < 0)
        return errno == EACCES ? -1 : 1;
    return value > 0;
}

int weir_sysv_alone(struct weir_sysv *sysv) {
    struct weir_ipc_lease members = shareable(sysv, WEIR_LEASE_MEMBERS);
    int status = weir_ipc_take_alone(&members);
    if (status == WEIR_OK)
        sysv->has_lease[members.alone] = 1;
    return status;
}

/* From alone to shared. */
static int membership_share(struct weir_sysv *sysv) {
    struct weir_ipc_lease members = shareable(sysv, WEIR_LEASE_MEMBERS);
    if (weir_ipc_share(&members) != WEIR_OK)
        return WEIR_EAGAIN; /* somebody removed the set by hand */
    sysv->has_lease[members.alone] = 0;
    sysv->has_lease[members.shared] = 1;
    return WEIR_OK;
}

/* ---- opening ---- */

static int begin(struct weir_backing *backing, const struct weir_place *place, weir_error *err) {
    struct weir_sysv *sysv = weir_sysv_of(backing);
    *sysv = (struct weir_sysv){.shm = -1, .set = -1, .forks = weir_fork_generation()};
    return weir_sysv_name(place, &sysv->key, &backing->uid, err);
}

static void path_note(struct weir_backing *backing) {
    const struct weir_sysv *sysv = weir_sysv_of(backing);
    snprintf(backing->path, sizeof(backing->path), "System V key 0x%08" PRIx32 " (shmid %d, semid %d)", sysv->key,
             sysv->shm, sysv->set);
}

void weir_sysv_close(struct weir_sysv *sysv) {
    for (unsigned i = 0; i < WEIR_SYSV_SEM_COUNT; i++)
        semaphore_give(sysv, i);
    weir_sysv_detach(sysv);
    sysv->set = -1;
}

static int is_ready(const struct weir_sysv *sysv) {
    return atomic_load(&weir_sysv_page(sysv)->is_ready) != 0;
}

/* The only member: take the channel as it is, or make it, or make it anew. */
static int alone_join(struct weir_backing *backing, const struct weir_place *place, enum weir_channel_access access,
                      weir_error *err) {
    struct weir_sysv *sysv = weir_sysv_of(backing);
    weir_ipc_value_set(sysv->set, WEIR_SYSV_SEM_SIGN,
                       WEIR_SYSV_SIGN); /* who made the set may have died before it did so */
    int status = weir_sysv_find_channel(backing, 1, err);
    if (status == WEIR_OK && (!is_ready(sysv) || weir_channel_kept(backing) != WEIR_CHANNEL_KEEP) &&
        weir_sysv_remove(backing) == WEIR_OK)
        status = WEIR_ENOENT;
    if (status == WEIR_OK) /* the set may have been removed by hand and be another one now */
        atomic_store(&weir_sysv_page(sysv)->set, (uint32_t)sysv->set + 1);
    if (status == WEIR_ENOENT && !place->may_create) {
        weir_ipc_remove(WEIR_IPC_SEM, sysv->set); /* nothing else is here */
        return weir_fail(err, status, "%s: there is no such channel; start its writer first, or leave out create=0",
                         place->text);
    }
    if (status == WEIR_ENOENT)
        status = weir_sysv_make(backing, place, access, err);
    if (status != WEIR_OK && status != WEIR_EAGAIN && sysv->shm < 0)
        weir_ipc_remove(WEIR_IPC_SEM, sysv->set);
    return status ? status : membership_share(sysv);
}

/* One of many: the channel is there, or is going. */
static int shared_join(struct weir_backing *backing, int may_write, weir_error *err) {
    struct weir_sysv *sysv = weir_sysv_of(backing);
    int status = weir_sysv_find_channel(backing, may_write, err);
    if (status)
        return status == WEIR_ENOENT ? WEIR_EAGAIN : status;
    return is_ready(sysv) && atomic_load(&weir_sysv_page(sysv)->set) == (uint32_t)sysv->set + 1 ? WEIR_OK : WEIR_EAGAIN;
}

/* Who may only read holds the channel by being attached to it. */
static int visitor_join(struct weir_backing *backing, weir_error *err) {
    struct weir_sysv *sysv = weir_sysv_of(backing);
    int status = weir_sysv_find_channel(backing, 0, err);
    atomic_thread_fence(memory_order_seq_cst);
    if (status == WEIR_OK && is_ready(sysv))
        return WEIR_OK;
    if (status != WEIR_OK && status != WEIR_ENOENT)
        return status;
    return weir_ipc_value(sysv->set, WEIR_SYSV_SEM_MEMBERS + 1) > 0 ? WEIR_EAGAIN
                                                                    : weir_backing_unseen(backing, WEIR_ENOENT, err);
}

/* The set, made when it is absent. Return: also WEIR_EAGAIN. */
static int set_open(struct weir_backing *backing, const struct weir_place *place, weir_error *err) {
    struct weir_sysv *sysv = weir_sysv_of(backing);
    int is_ours = backing->uid == geteuid();
    int status = weir_sysv_find_set(backing, err);
    if (status != WEIR_ENOENT)
        return status;
    /* Is the segment somebody else's, that is what is to be said. */
    status = weir_sysv_find_channel(backing, 0, err);
    if (status != WEIR_OK && status != WEIR_ENOENT)
        return status;
    if (!is_ours || (!place->may_create && status == WEIR_ENOENT))
        return weir_fail(err, WEIR_ENOENT, "%s: there is no such channel; %s", place->text,
                         place->may_create ? "only its user can make it"
                                           : "start its writer first, or leave out create=0");
    int mode = (int)(0600 | (place->mode & 066));
    int set = semget((key_t)sysv->key, WEIR_SYSV_SEM_COUNT, IPC_CREAT | IPC_EXCL | mode);
    if (set >= 0) {
        weir_ipc_value_set(set, WEIR_SYSV_SEM_SIGN, WEIR_SYSV_SIGN);
        sysv->set = set;
        return WEIR_OK;
    }
    if (errno == EEXIST)
        return WEIR_EAGAIN;
    if (errno == ENOSPC || errno == EINVAL)
        return weir_fail_errno(
            err, ENOSPC,
            "%s: System V has no room for %d more semaphores (kernel.sem; ipcs -ls); free some (weir gc, "
            "ipcrm) or raise it",
            place->text, WEIR_SYSV_SEM_COUNT);
    return weir_fail_errno(err, errno, "%s: its semaphores cannot be made", place->text);
}

/* One attempt. Return: also WEIR_EAGAIN. */
static int join_once(struct weir_backing *backing, const struct weir_place *place, enum weir_channel_access access,
                     weir_error *err) {
    struct weir_sysv *sysv = weir_sysv_of(backing);
    int is_ours = backing->uid == geteuid();
    int status = set_open(backing, place, err);
    if (status)
        return status;
    status = is_ours ? weir_sysv_alone(sysv) : WEIR_EBUSY;
    if (status == WEIR_OK)
        return alone_join(backing, place, access, err);
    if (status == WEIR_EBUSY)
        status = sysv_lease_take(backing, WEIR_LEASE_MEMBERS, 0);
    if (status == WEIR_OK)
        return shared_join(backing, is_ours || access == WEIR_CHANNEL_WRITE, err);
    if (status == WEIR_EACCESS)
        return visitor_join(backing, err);
    if (status == WEIR_EBUSY || errno == EIDRM || errno == EINVAL)
        return WEIR_EAGAIN;
    return weir_fail_errno(err, errno, "%s: its membership lease cannot be taken", place->text);
}

static int sysv_join(struct weir_backing *backing, const struct weir_place *place, enum weir_channel_access access,
                     weir_error *err) {
    struct weir_sysv *sysv = weir_sysv_of(backing);
    int64_t deadline = weir_deadline(JOIN_PATIENCE_NS);
    int status = begin(backing, place, err);
    if (status)
        return status;
    for (;;) {
        status = join_once(backing, place, access, err);
        path_note(backing);
        if (status != WEIR_EAGAIN)
            return status;
        weir_sysv_close(sysv);
        if (weir_deadline_left(deadline) == 0)
            return weir_fail(err, WEIR_EBUSY,
                             "%s is being taken away by a process that does not get on with it; look with weir ls",
                             place->text);
        nanosleep(&(struct timespec){.tv_nsec = JOIN_NAP_NS}, NULL);
    }
}

static int sysv_look(struct weir_backing *backing, const struct weir_place *place, weir_error *err) {
    struct weir_sysv *sysv = weir_sysv_of(backing);
    int status = begin(backing, place, err);
    if (status == WEIR_OK)
        status = weir_sysv_find_channel(backing, 0, err);
    if (status == WEIR_OK && !is_ready(sysv))
        status = WEIR_ENOENT;
    if (status == WEIR_ENOENT)
        weir_backing_unseen(backing, status, err);
    if (status) {
        weir_sysv_close(sysv);
        return status;
    }
    sysv->set = (int)atomic_load(&weir_sysv_page(sysv)->set) - 1;
    path_note(backing);
    return WEIR_OK;
}

/* ---- leaving ---- */

static void sysv_abandon(struct weir_backing *backing) {
    struct weir_sysv *sysv = weir_sysv_of(backing);
    if (sysv->forks &&
        !weir_fork_happened(sysv->forks)) /* a child has not inherited it, and other things may be there */
        weir_sysv_detach(sysv);
    *sysv = (struct weir_sysv){.shm = -1, .set = -1};
}

static void sysv_leave(struct weir_backing *backing, int must_go) {
    struct weir_sysv *sysv = weir_sysv_of(backing);
    if (must_go && backing->uid == geteuid() && sysv->has_lease[WEIR_SYSV_SEM_MEMBERS]) {
        /* Our own share first, as others who leave with us do: whoever gives up last finds itself alone. */
        semaphore_give(sysv, WEIR_SYSV_SEM_MEMBERS);
        if (weir_sysv_alone(sysv) == WEIR_OK && weir_channel_kept(backing) != WEIR_CHANNEL_KEEP &&
            weir_sysv_remove(backing) == WEIR_OK)
            weir_ipc_remove(WEIR_IPC_SEM, sysv->set);
    }
    weir_sysv_close(sysv);
}

const struct weir_backing_ops weir_backing_sysv = {
    .scheme = "sysv",
    .join = sysv_join,
    .look = sysv_look,
    .leave = sysv_leave,
    .abandon = sysv_abandon,
    .lease_take = sysv_lease_take,
    .lease_drop = sysv_lease_drop,
    .lease_is_held = sysv_lease_is_held,
    .part_open = weir_sysv_part_open,
    .part_close = weir_sysv_part_close,
    .part_read = weir_sysv_part_read,
    .part_map = weir_sysv_part_map,
    .part_map_ring = weir_sysv_part_map_ring,
    .part_make = weir_sysv_part_make,
    .part_remove = weir_sysv_part_remove,
    .part_exists = weir_sysv_part_exists,
    .wake_open = weir_sysv_wake_open,
    .used = weir_sysv_used,
    .each = weir_sysv_each,
};
