/* Parts: segments of System V shared memory.
 *
 * What must stay true:
 * - A part can be found only when it is complete: its key is told, in the channel's segment, last.
 * - Whose it is, is said by who made it (cuid), which nobody can change. One that was given to somebody else (uid)
 *   would be written by two users, and is refused.
 * - A key in the table is others' word. What lies under it is believed only when its mark says that it belongs to this
 *   channel. */
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <unistd.h>

#include "os/mapping.h"
#include "os/process.h"
#include "transport/sysv/sysv.h"

enum { KEY_TRIES = 64 };

/* ---- finding ---- */

static _Atomic(uint32_t) *entry_of(const struct weir_sysv *sysv, struct weir_part_id id) {
    return &weir_sysv_table(sysv)->key[id.lane % WEIR_SHM_LANES][id.generation % WEIR_SYSV_SEGMENTS];
}

/* The id of the part's segment; -1 with errno. */
static int segment_find(const struct weir_sysv *sysv, struct weir_part_id id) {
    if (id.kind == WEIR_PART_CHANNEL)
        return sysv->shm;
    uint32_t key =
        id.kind == WEIR_PART_CURSORS ? atomic_load(&weir_sysv_page(sysv)->cursors) : atomic_load(entry_of(sysv, id));
    if (key != 0)
        return shmget((key_t)key, 0, 0);
    errno = ENOENT;
    return -1;
}

static int status_of(int sys_errno) {
    return sys_errno == ENOENT || sys_errno == EIDRM || sys_errno == EINVAL ? WEIR_ENOENT
           : sys_errno == EACCES                                            ? WEIR_EACCESS
                                                                            : WEIR_ESYSTEM;
}

/* Does what is attached belong to this channel, and is it what was asked for? */
static int content_check(const struct weir_sysv *sysv, struct weir_part_id id, const struct weir_part *part) {
    struct weir_sysv_mark mark;
    struct weir_lane_header header;
    if (id.kind == WEIR_PART_CHANNEL)
        return WEIR_OK; /* it was checked when it was found */
    if (part->size < WEIR_SHM_PAGE)
        return WEIR_ECORRUPT;
    memcpy(&mark, part->bytes + WEIR_SYSV_MARK, sizeof(mark));
    if (mark.number != sysv->number || mark.key != sysv->key)
        return WEIR_ECORRUPT;
    memcpy(&header, part->bytes, sizeof(header));
    return id.kind == WEIR_PART_LANE && header.generation != id.generation ? WEIR_ENOENT : WEIR_OK;
}

int weir_sysv_part_open(const struct weir_backing *backing, struct weir_part_id id, int may_write,
                        struct weir_part *ret) {
    const struct weir_sysv *sysv = weir_sysv_of(backing);
    struct weir_ipc_about about;
    int segment = segment_find(sysv, id);
    if (segment < 0 || weir_ipc_about(WEIR_IPC_SHM, segment, &about) != 0)
        return status_of(errno);
    if (about.is_going)
        return WEIR_ENOENT;
    if (about.size <= WEIR_SYSV_TAIL || about.uid != about.creator_uid ||
        (id.kind != WEIR_PART_LANE && about.creator_uid != backing->uid))
        return WEIR_ECORRUPT;
    struct weir_part part = {
        .id = segment,
        .size = about.size - WEIR_SYSV_TAIL,
        .uid = about.creator_uid,
        .gid = about.gid,
        .mode = about.mode,
    };
    part.bytes = weir_ipc_attach(segment, part.size, may_write ? WEIR_MAPPING_WRITE : 0);
    if (!part.bytes)
        return status_of(errno);
    int status = content_check(sysv, id, &part);
    if (status) {
        weir_sysv_part_close(&part);
        errno = status == WEIR_ENOENT ? ENOENT : EBADF;
        return status;
    }
    *ret = part;
    return WEIR_OK;
}

void weir_sysv_part_close(struct weir_part *part) {
    weir_mapping_free((void *)(uintptr_t)part->bytes, part->size);
    part->bytes = NULL;
}

/* A segment cannot shrink, so looking at it is safe. */
int weir_sysv_part_read(const struct weir_part *part, uint64_t offset, void *to, size_t size) {
    if (offset > part->size || part->size - offset < size)
        return WEIR_ECORRUPT;
    memcpy(to, part->bytes + offset, size);
    return WEIR_OK;
}

void *weir_sysv_part_map(const struct weir_part *part, unsigned flags) {
    return weir_ipc_attach(part->id, part->size, flags);
}

void *weir_sysv_part_map_ring(const struct weir_part *part, size_t head_size, size_t ring_size, unsigned flags) {
    return weir_ipc_attach_ring(part->id, head_size, ring_size, flags);
}

int weir_sysv_part_exists(const struct weir_backing *backing, struct weir_part_id id) {
    struct weir_part part;
    if (weir_sysv_part_open(backing, id, 0, &part) != WEIR_OK)
        return 0;
    weir_sysv_part_close(&part);
    return 1;
}

/* ---- making ---- */

int weir_sysv_no_room(const char *text, uint64_t size, weir_error *err) {
    if (errno == ENOSPC)
        return weir_fail_errno(
            err, ENOSPC,
            "%s: System V has no room for one more segment of %" PRIu64
            " bytes (kernel.shmmni, kernel.shmall; ipcs -lm); free some (weir gc, ipcrm) or raise them",
            text, size);
    if (errno == EINVAL)
        return weir_fail_errno(err, ENOSPC,
                               "%s: System V has no segments of %" PRIu64
                               " bytes (kernel.shmmax; ipcs -lm); lower capacity= or raise it",
                               text, size);
    return weir_fail_errno(err, errno, "%s: a segment of %" PRIu64 " bytes cannot be made", text, size);
}

/* Fill a new segment: its first 8 bytes, the magic, when all else is in place, then tell of it. It is attached from
 * before its mark until it is told of, which is how clean knows that somebody is still at it. */
static int segment_fill(const struct weir_sysv *sysv, int id, uint64_t size, const void *head, size_t head_size,
                        _Atomic(uint32_t) *tell, uint32_t key) {
    unsigned char *bytes = weir_ipc_attach(id, size, WEIR_MAPPING_WRITE);
    struct weir_sysv_mark mark = {.number = sysv->number, .key = sysv->key};
    if (!bytes || weir_ipc_fill(bytes, size) != 0) {
        int saved = errno;
        weir_mapping_free(bytes, size);
        errno = saved == EFAULT ? ENOMEM : saved;
        return -1;
    }
    memcpy(bytes + 8, (const char *)head + 8, head_size - 8);
    memcpy(bytes + WEIR_SYSV_MARK, &mark, sizeof(mark));
    atomic_thread_fence(memory_order_seq_cst);
    memcpy(bytes, head, 8);
    atomic_store(tell, key);
    weir_mapping_free(bytes, size);
    return 0;
}

int weir_sysv_segment_new(const struct weir_backing *backing, uint64_t size, uint32_t mode, const void *head,
                          size_t head_size, _Atomic(uint32_t) *tell, weir_error *err) {
    uint32_t key = 0;
    int id = -1;
    errno = EEXIST;
    for (int i = 0; i < KEY_TRIES && id < 0 && errno == EEXIST; i++) {
        weir_random(&key, sizeof(key));
        id = key ? shmget((key_t)key, size + WEIR_SYSV_TAIL, (int)mode | IPC_CREAT | IPC_EXCL) : -1;
    }
    if (id < 0)
        return weir_sysv_no_room(backing->text, size, err);
    if (segment_fill(weir_sysv_of(backing), id, size, head, head_size, tell, key) == 0)
        return WEIR_OK;
    int saved = errno;
    weir_ipc_remove(WEIR_IPC_SHM, id);
    errno = saved;
    return weir_sysv_no_room(backing->text, size, err);
}

/* A part gives rights to a group only by belonging to it from the beginning: System V never takes them from the group
 * of its maker. */
static int group_check(const struct weir_backing *backing, const struct weir_part_wish *wish, weir_error *err) {
    char name[64];
    if (!(wish->mode & 070) || wish->mode & 04 || wish->gid == getegid())
        return WEIR_OK;
    weir_process_group(wish->gid, name, sizeof(name));
    return weir_fail(err, WEIR_EACCESS, "%s: its writers must run in group %s (sg, newgrp), so that it can read them",
                     backing->text, name);
}

/* Free the place for generation @wish in the table. What a dead writer left there is taken away; an older segment may
 * still be read. */
static int entry_free(struct weir_backing *backing, const struct weir_part_wish *wish, weir_error *err) {
    struct weir_sysv *sysv = weir_sysv_of(backing);
    struct weir_part_id older = wish->id;
    if (older.generation > WEIR_SYSV_SEGMENTS) {
        older.generation -= WEIR_SYSV_SEGMENTS;
        if (weir_sysv_part_exists(backing, older))
            return weir_fail_errno(err, ENOSPC,
                                   "%s: %d older segments of this lane are still read; it cannot grow once more",
                                   backing->text, WEIR_SYSV_SEGMENTS);
    }
    weir_sysv_segment_remove(sysv, atomic_load(entry_of(sysv, wish->id)));
    return WEIR_OK;
}

int weir_sysv_part_make(struct weir_backing *backing, const struct weir_part_wish *wish, weir_error *err) {
    int status = group_check(backing, wish, err);
    if (status == WEIR_OK)
        status = entry_free(backing, wish, err);
    if (status)
        return status;
    return weir_sysv_segment_new(backing, wish->size, wish->mode, wish->head, wish->head_size,
                                 entry_of(weir_sysv_of(backing), wish->id), err);
}

/* ---- taking away ---- */

int weir_sysv_mark_read(int id, const struct weir_ipc_about *about, struct weir_sysv_mark *ret, int *ret_is_blank) {
    unsigned char head[WEIR_SYSV_MARK + sizeof(struct weir_sysv_mark)];
    static const unsigned char zeros[8];
    *ret_is_blank = 0;
    if (about->size < WEIR_SHM_PAGE + WEIR_SYSV_TAIL || about->size % WEIR_SHM_PAGE != WEIR_SYSV_TAIL)
        return 0;
    unsigned char *bytes = weir_ipc_attach(id, sizeof(head), 0);
    if (!bytes)
        return 0;
    memcpy(head, bytes, sizeof(head));
    weir_mapping_free(bytes, sizeof(head));
    *ret_is_blank = memcmp(head, zeros, sizeof(zeros)) == 0;
    memcpy(ret, head + WEIR_SYSV_MARK, sizeof(*ret));
    return memcmp(head, WEIR_SHM_LANE_MAGIC, 8) == 0 || memcmp(head, WEIR_SHM_CURSORS_MAGIC, 8) == 0;
}

void weir_sysv_segment_remove(const struct weir_sysv *sysv, uint32_t key) {
    struct weir_ipc_about about;
    struct weir_sysv_mark mark;
    int is_blank;
    int id = key ? shmget((key_t)key, 0, 0) : -1;
    if (id >= 0 && weir_ipc_about(WEIR_IPC_SHM, id, &about) == 0 && weir_sysv_mark_read(id, &about, &mark, &is_blank) &&
        mark.number == sysv->number && mark.key == sysv->key)
        weir_ipc_remove(WEIR_IPC_SHM, id);
}

int weir_sysv_part_remove(struct weir_backing *backing, struct weir_part_id id) {
    struct weir_sysv *sysv = weir_sysv_of(backing);
    if (!weir_sysv_part_exists(backing, id))
        return 0;
    weir_sysv_segment_remove(sysv, atomic_load(entry_of(sysv, id)));
    atomic_store(entry_of(sysv, id), 0); /* only then: killed in between, it would be nobody's */
    return 1;
}
