/* Records of live ends. A record is made under a temporary name before its end is opened, so that the end can count in
 * it from its first moment, and renamed when it is open, so nobody reads half of one; the owner holds an OFD lock on
 * its first byte until it closes or dies. A forked child closes without touching its parent's record. */
#include "channel/record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <weir/error.h>

#include "base/clock.h"
#include "os/fork.h"
#include "os/limit.h"
#include "os/lock.h"
#include "os/process.h"
#include "transport/tell.h"
#include "transport/transport.h"

static const uint64_t RECORD_MAGIC = UINT64_C(0x646e652072696577); /* "weir end" */
enum { RECORD_PATH_MAX = 320, RECORD_TRIES = 8 };

/* STORE/weir-UID, and with @ends the directory of records in it. */
static int directory_path(char *path, size_t size, int is_ends) {
    const char *store = secure_getenv("WEIR_SHM_DIR"); /* who starts a setuid program does not say where it writes */
    int used =
        snprintf(path, size, "%s/weir-%u%s", store && *store ? store : "/dev/shm", geteuid(), is_ends ? "/~ends" : "");
    return used > 0 && (size_t)used < size ? WEIR_OK : WEIR_ESYSTEM;
}

/* A directory that is ours alone: refuse one that somebody else planted. */
static int directory_make(const char *path) {
    struct stat info;
    int is_there = lstat(path, &info) == 0;
    if (!is_there && mkdir(path, 0700) != 0 && errno != EEXIST)
        return WEIR_ESYSTEM;
    if ((!is_there && lstat(path, &info) != 0) || !S_ISDIR(info.st_mode) || info.st_uid != geteuid())
        return WEIR_EACCESS;
    return WEIR_OK;
}

static int file_make(char *path, size_t size) {
    static _Atomic unsigned number;
    char user[RECORD_PATH_MAX], ends[RECORD_PATH_MAX];
    if (directory_path(user, sizeof(user), 0) || directory_path(ends, sizeof(ends), 1))
        return -1;
    /* The last end of this user to go removes both directories, so making them may have to be repeated. */
    for (int i = 0; i < RECORD_TRIES; i++) {
        if (directory_make(user) || directory_make(ends))
            continue;
        int used = snprintf(path, size, "%s/%d-%u.new", ends, (int)getpid(), atomic_fetch_add(&number, 1));
        if (used < 0 || (size_t)used >= size)
            return -1;
        int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd >= 0 || errno != ENOENT)
            return fd;
    }
    return -1;
}

static void record_fill(struct weir_record *record, uint32_t role, const char *place, const char *address) {
    record->version = WEIR_RECORD_VERSION;
    record->role = role;
    record->pid = getpid();
    record->start = weir_process_start_own();
    record->since = weir_clock_realtime();
    record->uid = geteuid();
    snprintf(record->place, sizeof(record->place), "%s", place);
    snprintf(record->address, sizeof(record->address), "%s", address);
    weir_process_program_own(record->program, sizeof(record->program));
}

/* Lock, size, map and fill a file just made. Return: the mapping, NULL when any of it fails. */
static struct weir_record *file_map(int fd, uint32_t role, const char *place, const char *address) {
    if (weir_limit_file_size() < sizeof(struct weir_record) || weir_lock_take(fd, 0, 1) ||
        posix_fallocate(fd, 0, sizeof(struct weir_record)) != 0)
        return NULL;
    struct weir_record *record = mmap(NULL, sizeof(*record), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (record == MAP_FAILED)
        return NULL;
    madvise(record, sizeof(*record), MADV_DONTFORK);
    record_fill(record, role, place, address);
    return record;
}

void weir_record_open(struct weir_record_file *file, uint32_t role, const char *place, const char *address) {
    memset(file, 0, sizeof(*file));
    file->shown = &file->private_;
    file->fd = file_make(file->path, sizeof(file->path));
    if (file->fd < 0)
        return;
    file->mapped = file_map(file->fd, role, place, address);
    if (file->mapped) {
        file->shown = file->mapped;
        file->generation = weir_fork_generation();
        return;
    }
    unlink(file->path);
    close(file->fd);
    file->fd = -1;
}

void weir_record_show(struct weir_record_file *file) {
    char shown[RECORD_PATH_MAX];
    if (!file->mapped)
        return;
    file->mapped->magic = RECORD_MAGIC;
    snprintf(shown, sizeof(shown), "%.*s", (int)(strlen(file->path) - strlen(".new")), file->path);
    if (rename(file->path, shown) == 0)
        memcpy(file->path, shown, sizeof(shown));
}

static void directories_remove(void) {
    char path[RECORD_PATH_MAX];
    if (directory_path(path, sizeof(path), 1) == WEIR_OK && rmdir(path) == 0 &&
        directory_path(path, sizeof(path), 0) == WEIR_OK)
        rmdir(path);
}

void weir_record_close(struct weir_record_file *file) {
    if (file->mapped) {
        /* In a forked child the page is not there (MADV_DONTFORK), and the record is the parent's. */
        int is_owner = file->generation == weir_fork_generation();
        if (is_owner) {
            munmap(file->mapped, sizeof(*file->mapped));
            unlink(file->path);
        }
        close(file->fd);
        if (is_owner)
            directories_remove();
    }
    file->mapped = NULL;
    file->shown = NULL;
}

/* ---- reading all of them ---- */

static int record_read(const char *path, struct weir_record *record, int *ret_is_alive) {
    int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return WEIR_ENOENT;
    memset(record, 0, sizeof(*record));
    ssize_t size = pread(fd, record, sizeof(*record), 0);
    *ret_is_alive = weir_lock_is_held(fd, 0);
    close(fd);
    if (size < (ssize_t)offsetof(struct weir_record, told) || record->magic != RECORD_MAGIC)
        return WEIR_ECORRUPT;
    record->place[sizeof(record->place) - 1] = '\0';
    record->address[sizeof(record->address) - 1] = '\0';
    record->program[sizeof(record->program) - 1] = '\0';
    return WEIR_OK;
}

static int record_visit(const char *path, weir_record_fn *fn, weir_record_fn *dead_fn, int is_dry_run, void *user) {
    struct weir_record record;
    int is_alive = 0;
    int status = record_read(path, &record, &is_alive);
    if (status == WEIR_ENOENT)
        return WEIR_OK; /* it has just been closed */
    if (is_alive)
        return status == WEIR_OK && fn && record.version == WEIR_RECORD_VERSION ? fn(&record, path, user) : WEIR_OK;
    /* An owner locks its record right after making it: what is not locked and not yet renamed is about to be. */
    const char *suffix = strrchr(path, '.');
    if (suffix && strcmp(suffix, ".new") == 0 && weir_process_start(atoll(strrchr(path, '/') + 1)) != 0)
        return WEIR_OK;
    status = dead_fn ? dead_fn(status == WEIR_OK ? &record : NULL, path, user) : WEIR_OK;
    if (status == WEIR_EBUSY)
        return WEIR_OK;
    if (!is_dry_run)
        unlink(path);
    return status;
}

int weir_record_each(weir_record_fn *fn, weir_record_fn *dead_fn, int is_dry_run, void *user) {
    char ends[RECORD_PATH_MAX], path[RECORD_PATH_MAX + 256];
    struct stat info;
    if (directory_path(ends, sizeof(ends), 1))
        return WEIR_ESYSTEM;
    if (lstat(ends, &info) != 0 || !S_ISDIR(info.st_mode) || info.st_uid != geteuid())
        return WEIR_OK;
    DIR *directory = opendir(ends);
    if (!directory)
        return errno == ENOENT ? WEIR_OK : WEIR_ESYSTEM;
    int status = WEIR_OK;
    const struct dirent *entry;
    while (status == WEIR_OK && (entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", ends, entry->d_name);
        status = record_visit(path, fn, dead_fn, is_dry_run, user);
    }
    closedir(directory);
    if (!is_dry_run)
        directories_remove();
    return status;
}

/* ---- telling ---- */

const char *weir_record_role(uint32_t role) {
    switch (role) {
    case WEIR_ROLE_WRITER: return "writer";
    case WEIR_ROLE_READER: return "reader";
    case WEIR_ROLE_CLIENT: return "client";
    case WEIR_ROLE_SERVER: return "server";
    case WEIR_RECORD_OBSERVER: return "observer";
    default: return "unknown";
    }
}

void weir_record_tell_pairs(const struct weir_record *record, weir_doc *doc) {
    char user[64];
    weir_process_user(record->uid, user, sizeof(user));
    weir_tell_text(doc, "role", weir_record_role(record->role));
    weir_tell_number(doc, "pid", (uint64_t)record->pid);
    weir_tell_text(doc, "user", user);
    weir_tell_text(doc, "program", record->program);
    weir_tell_text(doc, "address", record->address);
    weir_tell_time(doc, "since", record->since);
    weir_tell_number(doc, "messages", atomic_load_explicit(&record->messages, memory_order_relaxed));
    weir_tell_number(doc, "bytes", atomic_load_explicit(&record->bytes, memory_order_relaxed));
    weir_tell_number(doc, "waits", atomic_load_explicit(&record->waits, memory_order_relaxed));
    weir_tell_number(doc, "gaps", atomic_load_explicit(&record->gaps, memory_order_relaxed));
    weir_tell_number(doc, "refused", atomic_load_explicit(&record->refused, memory_order_relaxed));
}

void weir_record_tell(const struct weir_record *record, weir_doc *doc) {
    weir_begin_map(doc);
    weir_record_tell_pairs(record, doc);
    weir_end(doc);
}
