/* The lock file, PATH.lock: who writes, who may write now, and where the log ended when that was last decided.
 *
 *     the file      the lock (flock): who has it may append, cut and rotate
 *     byte 1        who brings the log to the disk, for all who wait for that
 *     byte 2        the server
 *     byte 3        the one writer of exclusive=1
 *     byte 64 + n   writer n is there
 *
 * The bytes are OFD locks. All belong to an open file, so the kernel gives them back when their holder dies. The lock
 * itself is taken for each batch, and a lock of the whole file costs two thirds of one of a byte, as the others do not
 * lie in its way. Where the file system makes a byte lock of it, of all bytes (NFS, with anyfs=1), it is byte 0 instead.
 * The file holds a note of 64 bytes with a checksum, then the process numbers of the writers, which only sentences use,
 * then how much is on the disk.
 *
 * What must stay true: the lock is that of the file which stands at the path now, so whoever gets it looks, and who
 * removes the file holds it. The file grows before each look at the end of the log, so that nobody who has the log's
 * end or generation in mind misses it. Who may not write the log cannot open the file, and so cannot hold up those who
 * may. The note is a short cut: where it is missing or disagrees with the log, the log is looked at. What is mapped of
 * the file is only slept on, never read or written through the mapping, so nobody can do harm by cutting the file. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "os/access.h"
#include "os/futex.h"
#include "os/limit.h"
#include "os/lock.h"
#include "os/process.h"
#include "transport/file/file.h"
#include "transport/tell.h"

enum {
    LOCK_BYTE = 0,
    SYNC_BYTE = 1,
    SERVER_BYTE = 2,
    EXCLUSIVE_BYTE = 3,
    LANES_AT = 64,
    NOTE_SIZE = 64,
    DISK_AT = NOTE_SIZE + 8 * WEIR_FILE_WRITERS_MAX,
    DISK_SIZE = 48,
    RACES_MAX = 100,
    SPINS = 1,
    SPINS_WOKEN = 20,
    COUNT_MAX = 4096,
};
static const int64_t NAP_MIN_NS = 50000, NAP_MAX_NS = 1000000, CLOSE_WAIT_NS = 1000000000;
static const uint64_t PRESENCE_READERS = UINT64_C(1) << 60, PRESENCE_OTHERS = UINT64_C(1) << 61,
                      PRESENCE_SIZE = UINT64_C(1) << 32;
static const char magic[8] = "WEIRLOCK";

/* ---- children of fork ---- */

/* A forked child shares its parent's locks for as long as it has the file open, and would keep them when the parent has
 * died. So it closes the lock files before fork returns in it. One that is opened or closed in another thread at that
 * moment is not on the list: who lets go of it gives its locks back himself. */
static pthread_mutex_t open_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct weir_lease *open_leases;

static void fork_begins(void) {
    pthread_mutex_lock(&open_lock);
}

static void parent_goes_on(void) {
    pthread_mutex_unlock(&open_lock);
}

static void child_begins(void) {
    for (struct weir_lease *lease = open_leases; lease; lease = lease->next) {
        close(lease->fd);
        lease->fd = -1;
    }
    open_leases = NULL;
    pthread_mutex_unlock(&open_lock);
}

static void fork_watch(void) {
    pthread_atfork(fork_begins, parent_goes_on, child_begins);
}

/* Not without the handlers: a child of another thread's fork would find it taken for ever. */
static void list_lock(void) {
    pthread_once(&once, fork_watch);
    pthread_mutex_lock(&open_lock);
}

static void list_add(struct weir_lease *lease) {
    list_lock();
    lease->next = open_leases;
    open_leases = lease;
    pthread_mutex_unlock(&open_lock);
}

static void list_remove(struct weir_lease *lease) {
    list_lock();
    for (struct weir_lease **at = &open_leases; *at; at = &(*at)->next)
        if (*at == lease) {
            *at = lease->next;
            break;
        }
    pthread_mutex_unlock(&open_lock);
}

/* ---- the file ---- */

static void lock_path(const struct weir_place *place, char *path) {
    snprintf(path, WEIR_FILE_PATH_MAX, "%s.lock", place->name);
}

uint32_t weir_lease_mode(uint32_t mode) {
    return 0600 | ((mode & 020) ? 060 : 0) | ((mode & 02) ? 06 : 0);
}

/* ---- counting locks of others ---- */

/* The kernel tells of any one lock in a range; those on both sides of it are asked for again. */
static void locks_count(int fd, uint64_t from, uint64_t to, uint32_t *count) {
    while (from < to && *count < COUNT_MAX) {
        struct flock lock = {
            .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)from, .l_len = (off_t)(to - from)};
        if (fcntl(fd, F_OFD_GETLK, &lock) != 0 || lock.l_type == F_UNLCK)
            return;
        uint64_t begin = (uint64_t)lock.l_start, end = lock.l_len ? begin + (uint64_t)lock.l_len : to;
        ++*count;
        if (begin > from)
            locks_count(fd, from, begin, count);
        from = end > from ? end : to;
    }
}

static uint32_t writers_count(int fd) {
    uint32_t count = 0;
    locks_count(fd, LANES_AT, LANES_AT + WEIR_FILE_WRITERS_MAX, &count);
    return count;
}

int weir_presence_take(int log_fd, int is_reader) {
    uint32_t number;
    weir_random(&number, sizeof(number));
    return weir_lock_take(log_fd, (is_reader ? PRESENCE_READERS : PRESENCE_OTHERS) + number, 0);
}

uint32_t weir_presence_count(int log_fd, int is_reader) {
    uint64_t from = is_reader ? PRESENCE_READERS : PRESENCE_OTHERS;
    uint32_t count = 0;
    locks_count(log_fd, from, from + PRESENCE_SIZE, &count);
    return count;
}

/* ---- the note ---- */

int weir_lease_read(const struct weir_lease *lease, struct weir_lease_note *ret) {
    unsigned char bytes[NOTE_SIZE];
    uint32_t crc;
    if (pread(lease->fd, bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return 0;
    memcpy(&crc, bytes + 60, 4);
    if (memcmp(bytes, magic, 8) != 0 || crc != weir_crc32c(0, bytes, 60))
        return 0;
    memcpy(&ret->ino, bytes + 8, 8);
    memcpy(&ret->end, bytes + 16, 8);
    memcpy(&ret->seq, bytes + 24, 8);
    memcpy(&ret->look, bytes + 32, 8);
    memcpy(&ret->flags, bytes + 40, 4);
    memcpy(&ret->epoch, bytes + 44, 4);
    return 1;
}

void weir_lease_write(const struct weir_lease *lease, const struct weir_lease_note *note) {
    unsigned char bytes[NOTE_SIZE] = {0};
    memcpy(bytes, magic, 8);
    memcpy(bytes + 8, &note->ino, 8);
    memcpy(bytes + 16, &note->end, 8);
    memcpy(bytes + 24, &note->seq, 8);
    memcpy(bytes + 32, &note->look, 8);
    memcpy(bytes + 40, &note->flags, 4);
    memcpy(bytes + 44, &note->epoch, 4);
    uint32_t crc = weir_crc32c(0, bytes, 60);
    memcpy(bytes + 60, &crc, 4);
    /* When it cannot be written (a full disk), the next one looks at the log itself. */
    (void)!pwrite(lease->fd, bytes, sizeof(bytes), 0);
}

/* ---- the lock ---- */

static int lock_try(const struct weir_lease *lease) {
    int status;
    if (lease->is_by_byte)
        return weir_lock_take(lease->fd, LOCK_BYTE, 1);
    do
        status = flock(lease->fd, LOCK_EX | LOCK_NB);
    while (status != 0 && errno == EINTR);
    return status == 0 ? WEIR_OK : errno == EWOULDBLOCK ? WEIR_EBUSY : WEIR_ESYSTEM;
}

static void lock_drop(const struct weir_lease *lease) {
    if (lease->is_by_byte)
        weir_lock_drop(lease->fd, LOCK_BYTE);
    else
        (void)flock(lease->fd, LOCK_UN);
}

/* Others hold it for microseconds, so look a few times before sleeping. Only a few: a look is a system call that who
 * holds the lock must share a word of the kernel's with, and several writers that look all the time halve what one alone
 * gets done. Those whom a sync has woken all at once look more often: each appends one batch and sleeps again, and the
 * next sync, which the disk waits for meanwhile, begins without who naps. Naps grow slowly: on a machine with more to do
 * than processors a long one loses turn after turn. */
static int lock_await(const struct weir_lease *lease, const struct weir_place *place, int64_t timeout_ns) {
    int64_t deadline = 0, rest = NAP_MIN_NS;
    int spins = place->sync == WEIR_SYNC_ALWAYS ? SPINS_WOKEN : SPINS;
    for (int i = 0;; i++) {
        int status = lock_try(lease);
        if (status != WEIR_EBUSY)
            return status;
        if (i < spins) {
            sched_yield();
            continue;
        }
        deadline = deadline ? deadline : weir_deadline(timeout_ns);
        if (weir_deadline_left(deadline) == 0)
            return WEIR_ETIMEOUT;
        nanosleep(&(struct timespec){.tv_nsec = (long)rest}, NULL);
        rest = rest + rest / 8 < NAP_MAX_NS ? rest + rest / 8 : NAP_MAX_NS;
    }
}

int weir_lease_lock(struct weir_lease *lease, const struct weir_place *place, int64_t timeout_ns, weir_error *err) {
    if (lease->is_locked)
        return WEIR_OK;
    int status = lock_await(lease, place, timeout_ns);
    lease->is_locked = status == WEIR_OK;
    if (status == WEIR_ETIMEOUT)
        return weir_fail(err, status,
                         "%s: another writer has held the lock of the log all the time; is it stopped? weir "
                         "info shows who writes",
                         place->text);
    return status ? weir_fail_errno(err, errno, "%s: the log cannot be locked", place->text) : WEIR_OK;
}

void weir_lease_unlock(struct weir_lease *lease) {
    if (lease->is_locked && !lease->is_exclusive) {
        lock_drop(lease);
        lease->is_locked = 0;
    }
}

uint64_t weir_lease_size(const struct weir_lease *lease) {
    off_t size = lseek(lease->fd, 0, SEEK_END);
    return size < 0 ? 0 : (uint64_t)size;
}

/* Beyond all that is written in it, or else that would make it grow too, and others look for nothing. */
int weir_lease_look(const struct weir_lease *lease, const struct weir_place *place, weir_error *err) {
    uint64_t size = weir_lease_size(lease), least = DISK_AT + DISK_SIZE, limit = weir_limit_file_size();
    uint64_t more = (size > least ? size : least) + 1;
    more = more <= limit ? more : size + 1;
    if (more > limit)
        return weir_fail(err, WEIR_ENOSPC,
                         "%s: files of this process may have %llu bytes (RLIMIT_FSIZE), and its lock file "
                         "must have more; raise the limit",
                         place->text, (unsigned long long)limit);
    return ftruncate(lease->fd, (off_t)more) == 0
               ? WEIR_OK
               : weir_fail_errno(err, errno, "%s: its lock file cannot grow", place->text);
}

/* ---- how much is on the disk ---- */

int weir_lease_sync_take(const struct weir_lease *lease) {
    return weir_lock_take(lease->fd, SYNC_BYTE, 1);
}

void weir_lease_sync_drop(const struct weir_lease *lease) {
    weir_lock_drop(lease->fd, SYNC_BYTE);
}

int weir_lease_disk_read(const struct weir_lease *lease, struct weir_lease_disk *ret) {
    unsigned char bytes[DISK_SIZE] = {0};
    uint32_t crc;
    ssize_t got = pread(lease->fd, bytes, sizeof(bytes), DISK_AT);
    memcpy(&ret->turn, bytes, 4);
    memcpy(&crc, bytes + 4, 4);
    memcpy(&ret->ino, bytes + 8, 8);
    memcpy(&ret->look, bytes + 16, 8);
    memcpy(&ret->synced, bytes + 24, 8);
    memcpy(&ret->seq, bytes + 32, 8);
    memcpy(&ret->most, bytes + 40, 4);
    return got == (ssize_t)sizeof(bytes) && crc == weir_crc32c(0, bytes + 8, DISK_SIZE - 8);
}

void weir_lease_disk_write(const struct weir_lease *lease, const struct weir_lease_disk *disk) {
    unsigned char bytes[DISK_SIZE] = {0};
    memcpy(bytes, &disk->turn, 4);
    memcpy(bytes + 8, &disk->ino, 8);
    memcpy(bytes + 16, &disk->look, 8);
    memcpy(bytes + 24, &disk->synced, 8);
    memcpy(bytes + 32, &disk->seq, 8);
    memcpy(bytes + 40, &disk->most, 4);
    uint32_t crc = weir_crc32c(0, bytes + 8, DISK_SIZE - 8);
    memcpy(bytes + 4, &crc, 4);
    /* When it cannot be written, each of those who wait syncs for himself. */
    if (weir_limit_file_size() >= DISK_AT + DISK_SIZE)
        (void)!pwrite(lease->fd, bytes, sizeof(bytes), DISK_AT);
}

static _Atomic(uint32_t) *turn_word(const struct weir_lease *lease) {
    return (_Atomic(uint32_t) *)(void *)((unsigned char *)lease->turns + DISK_AT);
}

void weir_lease_disk_wait(const struct weir_lease *lease, uint32_t turn, int64_t timeout_ns) {
    if (lease->turns)
        weir_futex_wait(turn_word(lease), turn, timeout_ns);
    else
        nanosleep(&(struct timespec){.tv_nsec = NAP_MIN_NS}, NULL);
}

void weir_lease_disk_wake(const struct weir_lease *lease) {
    if (lease->turns)
        weir_futex_wake(turn_word(lease));
}

/* Where it cannot be had, who waits naps. */
static void turns_open(struct weir_lease *lease, const struct weir_place *place) {
    struct weir_lease_disk disk;
    if (place->sync != WEIR_SYNC_ALWAYS)
        return;
    if (!weir_lease_disk_read(lease, &disk))
        weir_lease_disk_write(lease, &(struct weir_lease_disk){0});
    void *turns = mmap(NULL, DISK_AT + DISK_SIZE, PROT_READ, MAP_SHARED, lease->fd, 0);
    lease->turns = turns == MAP_FAILED ? NULL : turns;
}

static void turns_close(struct weir_lease *lease) {
    if (lease->turns)
        munmap(lease->turns, DISK_AT + DISK_SIZE);
    lease->turns = NULL;
}

/* ---- opening ---- */

/* Where there is a log we may not write, that is what is wrong; its lock file is no better. */
static int lock_refused(const struct weir_place *place, const char *path, int sys_errno, weir_error *err) {
    char subject[2 * WEIR_FILE_PATH_MAX + WEIR_PLACE_TEXT_MAX];
    int is_there = faccessat(AT_FDCWD, place->name, F_OK, AT_EACCESS) == 0;
    int may_write = faccessat(AT_FDCWD, place->name, W_OK, AT_EACCESS) == 0;
    if (sys_errno == EACCES && is_there && !may_write)
        return weir_access_refused(err, sys_errno, place->text, place->name, 2);
    if (sys_errno == EACCES && faccessat(AT_FDCWD, path, F_OK, AT_EACCESS) != 0)
        return weir_access_refused(err, sys_errno, place->text, path, 2);
    snprintf(subject, sizeof(subject), "%s: its lock file %s", place->text, path);
    return weir_access_refused(err, sys_errno, subject, path, 2);
}

static int file_open(const struct weir_place *place, const char *path, int *ret_fd, weir_error *err) {
    struct stat about;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0) {
        int status = weir_file_rights(place, fd, weir_lease_mode(place->mode), err);
        if (status != WEIR_OK) {
            unlink(path);
            close(fd);
            return status;
        }
    } else if (errno == EEXIST) {
        fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0 && errno == ENOENT)
            return WEIR_EAGAIN; /* removed meanwhile */
    }
    if (fd < 0 && errno == ENOENT)
        return weir_fail(err, WEIR_ENOENT, "%s: the directory is not there; create it first", place->text);
    if (fd < 0)
        return lock_refused(place, path, errno, err);
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
        close(fd);
        return weir_fail(err, WEIR_EACCESS, "%s: %s is no regular file; remove it or choose another path", place->text,
                         path);
    }
    *ret_fd = fd;
    return WEIR_OK;
}

/* Open the file that stands at the path and take its lock. */
static int open_locked(struct weir_lease *lease, const struct weir_place *place, int64_t timeout_ns, weir_error *err) {
    char path[WEIR_FILE_PATH_MAX];
    lock_path(place, path);
    for (int race = 0; race < RACES_MAX; race++) {
        int status = file_open(place, path, &lease->fd, err);
        if (status == WEIR_EAGAIN)
            continue;
        lease->is_by_byte = status == WEIR_OK && weir_file_is_remote(lease->fd);
        if (status == WEIR_OK)
            status = weir_lease_lock(lease, place, timeout_ns, err);
        if (status == WEIR_OK && weir_file_is_at(lease->fd, path))
            return WEIR_OK;
        weir_lease_abandon(lease);
        if (status != WEIR_OK)
            return status;
    }
    return weir_fail(err, WEIR_EBUSY, "%s: somebody else keeps replacing %s", place->text, path);
}

static int lane_take(struct weir_lease *lease, const struct weir_place *place, weir_error *err) {
    uint64_t pid = (uint64_t)getpid();
    for (uint32_t lane = 0; lane < WEIR_FILE_WRITERS_MAX; lane++) {
        int status = weir_lock_take(lease->fd, LANES_AT + lane, 1);
        if (status == WEIR_ESYSTEM)
            return weir_fail_errno(err, errno, "%s: its lock file cannot be locked", place->text);
        if (status != WEIR_OK)
            continue;
        lease->lane = lane;
        if (weir_limit_file_size() >= NOTE_SIZE + 8 * (lane + 1))
            (void)!pwrite(lease->fd, &pid, sizeof(pid), NOTE_SIZE + 8 * (off_t)lane);
        return WEIR_OK;
    }
    return weir_fail(err, WEIR_EBUSY, "%s: %d writers have the log open, that is the limit", place->text,
                     WEIR_FILE_WRITERS_MAX);
}

/* What the roles exclude. */
static int role_take(struct weir_lease *lease, const struct weir_place *place, enum weir_role role, weir_error *err) {
    struct weir_lease_note note = {0};
    if (weir_lock_is_held(lease->fd, EXCLUSIVE_BYTE))
        return weir_fail(err, WEIR_EBUSY, "%s: another writer has it with exclusive=1; close that one first",
                         place->text);
    if (place->is_exclusive && role == WEIR_ROLE_WRITER) {
        if (writers_count(lease->fd) > 0)
            return weir_fail(err, WEIR_EBUSY, "%s: exclusive=1, and another writer is there; close it first",
                             place->text);
        if (weir_lock_take(lease->fd, EXCLUSIVE_BYTE, 1) != WEIR_OK)
            return weir_fail(err, WEIR_EBUSY, "%s: another writer wants it with exclusive=1", place->text);
    }
    if (role != WEIR_ROLE_SERVER)
        return WEIR_OK;
    if (weir_lock_take(lease->fd, SERVER_BYTE, 1) != WEIR_OK)
        return weir_fail(err, WEIR_EBUSY, "%s: another server is there already; close it first or choose another path",
                         place->text);
    weir_lease_read(lease, &note);
    note.epoch++;
    weir_lease_write(lease, &note);
    return WEIR_OK;
}

int weir_lease_may_note(const struct weir_place *place, weir_error *err) {
    if (weir_limit_file_size() >= WEIR_LOG_HEADER_SIZE)
        return WEIR_OK;
    return weir_fail(err, WEIR_ENOSPC, "%s: this process may write no files (RLIMIT_FSIZE); raise the limit",
                     place->text);
}

int weir_lease_open(struct weir_lease *lease, const struct weir_place *place, enum weir_role role, weir_error *err) {
    *lease = (struct weir_lease){.fd = -1};
    int status = weir_lease_may_note(place, err);
    if (status == WEIR_OK)
        status = open_locked(lease, place, place->timeout_ns, err);
    if (status == WEIR_OK)
        status = role_take(lease, place, role, err);
    if (status == WEIR_OK)
        status = lane_take(lease, place, err);
    if (status != WEIR_OK) {
        weir_lease_abandon(lease);
        return status;
    }
    lease->is_first = writers_count(lease->fd) == 0;
    turns_open(lease, place);
    list_add(lease);
    return WEIR_OK;
}

void weir_lease_abandon(struct weir_lease *lease) {
    list_remove(lease);
    turns_close(lease);
    if (lease->fd >= 0) {
        weir_lock_drop_all(lease->fd);
        if (lease->is_locked && !lease->is_by_byte)
            lock_drop(lease);
        close(lease->fd);
    }
    *lease = (struct weir_lease){.fd = -1};
}

/* ---- closing ---- */

static void all_remove(const struct weir_place *place) {
    char path[WEIR_FILE_PATH_MAX];
    for (uint32_t number = weir_file_rotated_count(place) + 1; number-- > 0;) {
        weir_file_rotated(place, number, path);
        unlink(path);
    }
}

static int has_presence(int log_fd) {
    return weir_presence_count(log_fd, 1) > 0 || weir_presence_count(log_fd, 0) > 0;
}

/* A client that found no log has made one; where nobody served and nothing was said in it, it goes again. */
static void guest_leaves(const struct weir_lease *lease, const struct weir_place *place, int log_fd) {
    struct stat about;
    off_t header = place->framing == WEIR_FRAMING_FRAMES ? WEIR_LOG_HEADER_SIZE : 0;
    if (lease->is_guest && log_fd >= 0 && fstat(log_fd, &about) == 0 && about.st_size <= header &&
        weir_file_is_at(log_fd, place->name) && !has_presence(log_fd))
        unlink(place->name);
}

/* Others are there: in other processes, or with descriptors of their own here. */
static void last_leaves(struct weir_lease *lease, const struct weir_place *place, int log_fd) {
    struct weir_lease_note note = {0};
    char path[WEIR_FILE_PATH_MAX];
    lock_path(place, path);
    if (writers_count(lease->fd) > 0 || !weir_file_is_at(lease->fd, path))
        return;
    weir_lease_read(lease, &note);
    if (!(note.flags & WEIR_LEASE_KEEPS_NOT)) {
        guest_leaves(lease, place, log_fd);
        unlink(path);
        return;
    }
    if (log_fd >= 0 && has_presence(log_fd))
        return;
    all_remove(place);
    unlink(path);
}

void weir_lease_close(struct weir_lease *lease, const struct weir_place *place, int log_fd) {
    if (lease->fd < 0)
        return;
    if (weir_lease_lock(lease, place, CLOSE_WAIT_NS, NULL) == WEIR_OK) {
        weir_lock_drop(lease->fd, LANES_AT + lease->lane);
        last_leaves(lease, place, log_fd);
    }
    weir_lease_abandon(lease);
}

void weir_lease_reader_closes(const struct weir_place *place, int log_fd) {
    struct weir_lease lease = {.fd = -1};
    struct weir_lease_note note = {0};
    char path[WEIR_FILE_PATH_MAX];
    lock_path(place, path);
    lease.fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    lease.is_by_byte = lease.fd >= 0 && weir_file_is_remote(lease.fd);
    if (lease.fd >= 0 && weir_lease_read(&lease, &note) && note.flags & WEIR_LEASE_KEEPS_NOT &&
        weir_lease_lock(&lease, place, CLOSE_WAIT_NS, NULL) == WEIR_OK)
        last_leaves(&lease, place, log_fd);
    weir_lease_abandon(&lease);
}

int weir_lease_keep_not(const struct weir_place *place, weir_error *err) {
    struct weir_lease lease = {.fd = -1};
    struct weir_lease_note note = {0};
    int status = weir_lease_may_note(place, err);
    if (status == WEIR_OK)
        status = open_locked(&lease, place, place->timeout_ns, err);
    if (status != WEIR_OK)
        return status;
    weir_lease_read(&lease, &note);
    note.flags |= WEIR_LEASE_KEEPS_NOT;
    weir_lease_write(&lease, &note);
    weir_lease_abandon(&lease);
    return WEIR_OK;
}

/* ---- asking ---- */

int weir_lease_has_server(const struct weir_lease *lease, uint32_t *ret_epoch) {
    struct weir_lease_note note = {0};
    if (!weir_lock_is_held(lease->fd, SERVER_BYTE))
        return 0;
    weir_lease_read(lease, &note);
    *ret_epoch = note.epoch;
    return 1;
}

/* The lock file, for looking. Return: -1 when there is none, -2 when we may not. */
static int look(const struct weir_place *place) {
    char path[WEIR_FILE_PATH_MAX];
    lock_path(place, path);
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    return fd >= 0 ? fd : errno == ENOENT ? -1 : -2;
}

/* The kernel tells of the bytes without touching them, but of the lock only by giving a shared one, which is given back at
 * once. */
int weir_lease_is_locked(const struct weir_place *place) {
    int fd = look(place);
    if (fd < 0)
        return fd == -1 ? 0 : -1;
    int is_locked = weir_file_is_remote(fd) ? weir_lock_is_held(fd, LOCK_BYTE) : flock(fd, LOCK_SH | LOCK_NB) != 0;
    close(fd);
    return is_locked;
}

int weir_lease_note_look(const struct weir_place *place, struct weir_lease_note *ret) {
    struct weir_lease lease = {.fd = look(place)};
    int is_there = lease.fd >= 0 && weir_lease_read(&lease, ret);
    if (lease.fd >= 0)
        close(lease.fd);
    return is_there;
}

static void writer_tell(int fd, uint32_t lane, weir_doc *doc) {
    uint64_t pid = 0;
    uint32_t uid = 0;
    if (pread(fd, &pid, sizeof(pid), NOTE_SIZE + 8 * (off_t)lane) != (ssize_t)sizeof(pid) || pid > INT32_MAX ||
        weir_process_owner((int64_t)pid, &uid) != WEIR_OK)
        pid = 0;
    weir_begin_map(doc);
    weir_tell_number(doc, "lane", lane);
    weir_tell_process(doc, (int64_t)pid, uid);
    weir_end(doc);
}

int weir_lease_has_writers(const struct weir_place *place, weir_doc *doc) {
    int fd = look(place), has_writers = 0;
    if (doc)
        weir_put_key(doc, "writers");
    if (fd == -2) {
        if (doc)
            weir_put_null(doc);
        return -1;
    }
    if (doc)
        weir_begin_array(doc);
    for (uint32_t lane = 0; fd >= 0 && lane < WEIR_FILE_WRITERS_MAX; lane++) {
        struct flock lock = {.l_type = F_WRLCK,
                             .l_whence = SEEK_SET,
                             .l_start = LANES_AT + (off_t)lane,
                             .l_len = WEIR_FILE_WRITERS_MAX - (off_t)lane};
        if (fcntl(fd, F_OFD_GETLK, &lock) != 0 || lock.l_type == F_UNLCK)
            break; /* no more behind */
        if (!weir_lock_is_held(fd, LANES_AT + lane))
            continue;
        has_writers = 1;
        if (doc)
            writer_tell(fd, lane, doc);
    }
    if (doc)
        weir_end(doc);
    if (fd >= 0)
        close(fd);
    return has_writers;
}
