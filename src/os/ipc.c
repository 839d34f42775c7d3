/* System V IPC.
 *
 * shmat attaches whole segments only. What lies behind the wanted bytes is unmapped again, and the second view of a
 * ring is made by mremap with an old size of 0, which maps the same pages once more at another place. Attachments are
 * ordinary mappings: munmap ends them and the kernel counts each piece in shm_nattch. */
#include "os/ipc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <unistd.h>
#include <weir/error.h>

#include "os/mapping.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

union semctl_argument {
    int value;
    struct semid_ds *about;
    struct seminfo *info;
};

/* ---- what there is ---- */

static struct weir_ipc_about about_of(const struct ipc_perm *perm, uint32_t key) {
    return (struct weir_ipc_about){
        .key = key,
        .uid = perm->uid,
        .creator_uid = perm->cuid,
        .gid = perm->gid,
        .mode = perm->mode & 0777,
    };
}

static int about_read(enum weir_ipc_kind kind, int id, int is_index, int *ret_id, struct weir_ipc_about *ret) {
    struct shmid_ds shm;
    struct semid_ds sem;
    union semctl_argument argument = {.about = &sem};
    int found = kind == WEIR_IPC_SHM ? shmctl(id, is_index ? SHM_STAT : IPC_STAT, &shm)
                                     : semctl(id, 0, is_index ? SEM_STAT : IPC_STAT, argument);
    if (found < 0)
        return -1;
    if (kind == WEIR_IPC_SHM) {
        *ret = about_of(&shm.shm_perm, (uint32_t)shm.shm_perm.__key);
        ret->size = shm.shm_segsz;
        ret->attached = shm.shm_nattch;
        ret->creator_pid = shm.shm_cpid;
        ret->is_going = (shm.shm_perm.mode & SHM_DEST) != 0;
    } else {
        *ret = about_of(&sem.sem_perm, (uint32_t)sem.sem_perm.__key);
        ret->size = sem.sem_nsems;
        ret->is_used = sem.sem_otime != 0;
    }
    *ret_id = is_index ? found : id;
    return 0;
}

int weir_ipc_about(enum weir_ipc_kind kind, int id, struct weir_ipc_about *ret) {
    return about_read(kind, id, 0, &id, ret);
}

/* The highest index in use; -1: none. */
static int index_last(enum weir_ipc_kind kind) {
    struct shm_info shm;
    struct seminfo sem;
    union semctl_argument argument = {.info = &sem};
    return kind == WEIR_IPC_SHM ? shmctl(0, SHM_INFO, (struct shmid_ds *)&shm) : semctl(0, 0, SEM_INFO, argument);
}

int weir_ipc_next(enum weir_ipc_kind kind, int *index, int *ret_id, struct weir_ipc_about *ret) {
    int last = index_last(kind);
    while (*index <= last)
        if (about_read(kind, (*index)++, 1, ret_id, ret) == 0)
            return 1;
    return 0;
}

int weir_ipc_maker(enum weir_ipc_kind kind, uint32_t key, uint32_t *ret_uid) {
    char line[512];
    int is_found = 0;
    FILE *list = fopen(kind == WEIR_IPC_SHM ? "/proc/sysvipc/shm" : "/proc/sysvipc/sem", "re");
    while (list && !is_found && fgets(line, sizeof(line), list)) {
        int found_key;
        unsigned long uid, creator;
        /* key shmid perms size cpid lpid nattch uid gid cuid cgid ...; key semid perms nsems uid gid cuid cgid ... */
        const char *format =
            kind == WEIR_IPC_SHM ? "%d %*s %*s %*s %*s %*s %*s %lu %*s %lu" : "%d %*s %*s %*s %lu %*s %lu";
        if (sscanf(line, format, &found_key, &uid, &creator) == 3 && (uint32_t)found_key == key) {
            *ret_uid = (uint32_t)creator;
            is_found = 1;
        }
    }
    if (list)
        fclose(list);
    return is_found ? 0 : -1;
}

void weir_ipc_remove(enum weir_ipc_kind kind, int id) {
    if (kind == WEIR_IPC_SHM)
        shmctl(id, IPC_RMID, NULL);
    else
        semctl(id, 0, IPC_RMID);
}

/* ---- shared memory ---- */

static int attach_flags(unsigned flags) {
    return flags & WEIR_MAPPING_WRITE ? 0 : SHM_RDONLY;
}

/* Undo what there is of an attachment that cannot be completed. */
static void *failed(void *data, size_t size) {
    int saved = errno;
    munmap(data, size);
    errno = saved;
    return NULL;
}

static void *finished(void *data, size_t size, unsigned flags) {
    if (madvise(data, size, MADV_DONTFORK) != 0)
        return failed(data, size);
    if (flags & WEIR_MAPPING_POPULATE) /* a favour: what an old kernel does not know is faulted in later */
        madvise(data, size, flags & WEIR_MAPPING_WRITE ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
    return data;
}

void *weir_ipc_attach(int id, size_t size, unsigned flags) {
    struct weir_ipc_about about;
    if (weir_ipc_about(WEIR_IPC_SHM, id, &about) != 0)
        return NULL;
    if (about.size < size) {
        errno = EINVAL;
        return NULL;
    }
    unsigned char *data = shmat(id, NULL, attach_flags(flags));
    if (data == (void *)-1)
        return NULL;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t whole = (about.size + page - 1) & ~(page - 1), wanted = (size + page - 1) & ~(page - 1);
    if (whole > wanted)
        munmap(data + wanted, whole - wanted);
    return finished(data, wanted, flags);
}

/* @size bytes of addresses where a segment can be attached. */
static unsigned char *room_reserve(size_t size) {
    size_t step = SHMLBA, page = (size_t)sysconf(_SC_PAGESIZE);
    size_t slack = step > page ? step : 0;
    unsigned char *room = mmap(NULL, size + slack, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED)
        return NULL;
    size_t before = slack ? (step - (uintptr_t)room % step) % step : 0;
    if (before)
        munmap(room, before);
    if (slack > before)
        munmap(room + before + size, slack - before);
    return room + before;
}

void *weir_ipc_attach_ring(int id, size_t head_size, size_t ring_size, unsigned flags) {
    size_t size = head_size + 2 * ring_size;
    struct weir_ipc_about about;
    if (weir_ipc_about(WEIR_IPC_SHM, id, &about) != 0)
        return NULL;
    if (about.size < head_size + ring_size || about.size > size) {
        errno = EINVAL;
        return NULL;
    }
    unsigned char *room = room_reserve(size);
    if (!room)
        return NULL;
    unsigned char *ring = room + head_size;
    if (shmat(id, room, SHM_REMAP | attach_flags(flags)) == (void *)-1 ||
        mremap(ring, 0, ring_size, MREMAP_MAYMOVE | MREMAP_FIXED, ring + ring_size) == MAP_FAILED)
        return failed(room, size);
    return finished(room, size, flags);
}

int weir_ipc_fill(void *data, size_t size) {
    if (madvise(data, size, MADV_POPULATE_WRITE) == 0)
        return 0;
    if (errno != EINVAL)
        return -1;
    memset(data, 0, size); /* before Linux 5.14 */
    return 0;
}

/* ---- leases ---- */

static int operate(int set, struct sembuf *operations, size_t count) {
    if (semop(set, operations, count) == 0)
        return WEIR_OK;
    return errno == EAGAIN || errno == ERANGE ? WEIR_EBUSY : errno == EACCES ? WEIR_EACCESS : WEIR_ESYSTEM;
}

static struct sembuf is_free(unsigned semaphore) {
    return (struct sembuf){(unsigned short)semaphore, 0, IPC_NOWAIT};
}

static struct sembuf change(unsigned semaphore, short by) {
    return (struct sembuf){(unsigned short)semaphore, by, IPC_NOWAIT | SEM_UNDO};
}

int weir_ipc_take(int set, unsigned semaphore) {
    struct sembuf operations[] = {is_free(semaphore), change(semaphore, 1)};
    return operate(set, operations, 2);
}

int weir_ipc_take_shared(const struct weir_ipc_lease *lease) {
    struct sembuf operations[] = {is_free(lease->alone), change(lease->shared, 1)};
    return operate(lease->set, operations, 2);
}

int weir_ipc_take_alone(const struct weir_ipc_lease *lease) {
    struct sembuf operations[] = {is_free(lease->alone), is_free(lease->shared), change(lease->alone, 1)};
    return operate(lease->set, operations, 3);
}

int weir_ipc_share(const struct weir_ipc_lease *lease) {
    struct sembuf operations[] = {change(lease->shared, 1), change(lease->alone, -1)};
    return operate(lease->set, operations, 2);
}

void weir_ipc_give(int set, unsigned semaphore) {
    struct sembuf operation = change(semaphore, -1);
    operate(set, &operation, 1);
}

int weir_ipc_value(int set, unsigned semaphore) {
    return semctl(set, (int)semaphore, GETVAL);
}

int weir_ipc_value_set(int set, unsigned semaphore, int value) {
    return semctl(set, (int)semaphore, SETVAL, (union semctl_argument){.value = value});
}
