/* System V shared memory and semaphores: attaching, leases the kernel gives back, and looking at what there is.
 *
 * Functions that return int give 0, or -1 with errno, unless they say otherwise. */
#ifndef WEIR_OS_IPC_H
#define WEIR_OS_IPC_H

#include <stddef.h>
#include <stdint.h>

/* ---- what there is ---- */

enum weir_ipc_kind { WEIR_IPC_SHM, WEIR_IPC_SEM };

struct weir_ipc_about {
    uint64_t size;        /* bytes; of a set: how many semaphores */
    uint64_t attached;    /* mappings of it in all processes */
    uint32_t key;         /* 0: private */
    uint32_t uid;         /* its owner, who may have been given it ... */
    uint32_t creator_uid; /* ... by who made it, and who stays an owner */
    uint32_t gid;
    uint32_t mode; /* 0640 */
    int64_t creator_pid;
    uint8_t is_going; /* removed, and still attached by somebody */
    uint8_t is_used;  /* a set: some operation was done on it */
};

/* Needs the right to read it. */
int weir_ipc_about(enum weir_ipc_kind kind, int id, struct weir_ipc_about *ret);
/* The next one that we may read, from *index (0 at first) on. Return: 1; 0 behind the last. */
int weir_ipc_next(enum weir_ipc_kind kind, int *index, int *ret_id, struct weir_ipc_about *ret);
/* Who made what has @key: also without the right to read it. */
int weir_ipc_maker(enum weir_ipc_kind kind, uint32_t key, uint32_t *ret_uid);

/* Take it away: at once, or when nobody has it attached any more. */
void weir_ipc_remove(enum weir_ipc_kind kind, int id);

/* ---- shared memory ---- */

/* Attach the first @size bytes of a segment; @flags: enum weir_mapping_flags (os/mapping.h), and weir_mapping_free ends
 * it. As every mapping, it is not inherited by a forked child. Return: NULL with errno. */
void *weir_ipc_attach(int id, size_t size, unsigned flags);
/* As weir_mapping_new_ring: head, ring, and the ring again. */
void *weir_ipc_attach_ring(int id, size_t head_size, size_t ring_size, unsigned flags);
/* Have all memory of a new attachment now, so that no access fails later. */
int weir_ipc_fill(void *data, size_t size);

/* ---- leases ---- */

/* A lease is a semaphore that is 0 while it is free. It is taken with SEM_UNDO, so the kernel takes the operation back
 * when the process dies. A lease that can be shared has two: how many share it, and who has it alone.
 *
 * What one must know of SEM_UNDO: it belongs to the process, so a forked child has none of it, and a program that execs
 * another keeps its leases until that one ends. A set is made with all semaphores 0, so there is no moment at which it
 * is half made. */
struct weir_ipc_lease {
    int set;
    unsigned short shared;
    unsigned short alone;
};

/* Take @semaphore for ourselves. All of these: WEIR_OK, WEIR_EBUSY, WEIR_EACCESS (we may not), WEIR_ESYSTEM with errno
 * (EIDRM, EINVAL: the set is gone). */
int weir_ipc_take(int set, unsigned semaphore);
int weir_ipc_take_shared(const struct weir_ipc_lease *lease);
int weir_ipc_take_alone(const struct weir_ipc_lease *lease);
/* From alone to shared, without a moment between. */
int weir_ipc_share(const struct weir_ipc_lease *lease);
/* Give one back. */
void weir_ipc_give(int set, unsigned semaphore);
/* Its value; -1 with errno. */
int weir_ipc_value(int set, unsigned semaphore);
/* Give it a value, outside of all leases. */
int weir_ipc_value_set(int set, unsigned semaphore, int value);

#endif
