/* The files backing: a directory per channel, in the store of its user (store.c).
 *
 * What must stay true:
 * - A channel is seen complete or not at all: it is made under a dot name and renamed into place; to go, it is renamed
 *   to a dot name first. What a maker or remover that was killed leaves behind has a dot name and is nobody's channel
 *   (files_clean.c cleans it).
 * - Every end holds byte 0 of members.lock shared for its whole life, the maker already before the rename. Only who
 *   holds it exclusively, and so is alone, may take the channel away. Having got the lock, an end looks whether the
 *   name still means the directory that it opened; if not, it came too late and begins again.
 * - So a keep=0 channel whose ends were killed is recognised by the next one to come: it gets the byte exclusively. */
#include "transport/shm/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "os/limit.h"
#include "os/lock.h"
#include "os/mapping.h"
#include "transport/shm/allow.h"
#include "transport/tell.h"

enum { FILE_FLAGS = O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, NAME_SIZE = 40 };
static const int64_t JOIN_PATIENCE_NS = INT64_C(5000000000);
static const long JOIN_NAP_NS = 200000;

static int file_close(int fd, int sys_errno) {
    if (fd >= 0)
        close(fd);
    errno = sys_errno;
    return -1;
}

static int file_open(int directory, const char *name, int flags, struct stat *about) {
    int fd = openat(directory, name, flags | FILE_FLAGS);
    if (fd < 0 || fstat(fd, about) != 0)
        return file_close(fd, errno);
    if (!S_ISREG(about->st_mode) || about->st_nlink > 1)
        return file_close(fd, EBADF);
    if (about->st_nlink == 0)
        return file_close(fd, ENOENT);
    return fd;
}

int weir_files_open(int directory, const char *name, int flags) {
    struct stat about;
    return file_open(directory, name, flags, &about);
}

/* ---- parts ---- */

static void part_name(struct weir_part_id id, char name[NAME_SIZE]) {
    if (id.kind == WEIR_PART_LANE)
        snprintf(name, NAME_SIZE, "lane.%u.%u", id.lane, id.generation);
    else
        snprintf(name, NAME_SIZE, "%s", id.kind == WEIR_PART_CHANNEL ? "channel" : "cursors");
}

static int files_part_open(const struct weir_backing *backing, struct weir_part_id id, int may_write,
                           struct weir_part *ret) {
    char name[NAME_SIZE];
    struct stat about;
    part_name(id, name);
    int fd = file_open(weir_files_of(backing)->fd, name, may_write ? O_RDWR : O_RDONLY, &about);
    if (fd < 0)
        return errno == ENOENT   ? WEIR_ENOENT
               : errno == EACCES ? WEIR_EACCESS
               : errno == EBADF  ? WEIR_ECORRUPT
                                 : WEIR_ESYSTEM;
    *ret = (struct weir_part){
        .id = fd,
        .size = (uint64_t)about.st_size,
        .uid = about.st_uid,
        .gid = about.st_gid,
        .mode = about.st_mode & 0777,
    };
    return WEIR_OK;
}

static void files_part_close(struct weir_part *part) {
    if (part->id >= 0)
        close(part->id);
    part->id = -1;
}

/* A file that shrinks gives a short read where a mapping would give SIGBUS. */
static int files_part_read(const struct weir_part *part, uint64_t offset, void *to, size_t size) {
    return pread(part->id, to, size, (off_t)offset) == (ssize_t)size ? WEIR_OK : WEIR_ECORRUPT;
}

static void *files_part_map(const struct weir_part *part, unsigned flags) {
    return weir_mapping_new(part->id, part->size, flags);
}

static void *files_part_map_ring(const struct weir_part *part, size_t head_size, size_t ring_size, unsigned flags) {
    return weir_mapping_new_ring(part->id, head_size, ring_size, flags);
}

static int put(int fd, const void *data, size_t size, off_t offset) {
    return pwrite(fd, data, size, offset) == (ssize_t)size ? WEIR_OK : WEIR_ESYSTEM;
}

/* The file gets the channel's group. Who is not in that group got here by the rights of others, and then others may
 * read it too. */
static int group_give(const struct weir_part_wish *wish, int fd) {
    return !(wish->mode & 077) || fchown(fd, (uid_t)-1, wish->gid) == 0 || (errno == EPERM && wish->mode & 04)
               ? WEIR_OK
               : WEIR_ESYSTEM;
}

static int ranges_allocate(int fd, const struct weir_part_range *ranges, unsigned count, const char *text,
                           weir_error *err) {
    int status = WEIR_OK;
    for (unsigned i = 0; status == WEIR_OK && i < count; i++)
        status = weir_store_allocate(fd, ranges[i].offset, ranges[i].size, text, err);
    return status;
}

static int files_part_allocate(const struct weir_backing *backing, struct weir_part_id id,
                               const struct weir_part_range *ranges, unsigned count, weir_error *err) {
    struct weir_part part;
    int status = files_part_open(backing, id, 1, &part);
    if (status == WEIR_ENOENT)
        return weir_fail(err, WEIR_ECLOSED, "%s was taken away", backing->text);
    if (status)
        return weir_fail_errno(err, errno, "%s: a lane cannot be opened", backing->text);
    status = ranges_allocate(part.id, ranges, count, backing->text, err);
    files_part_close(&part);
    return status;
}

static int size_set(int fd, uint64_t size) {
    if (size <= weir_limit_file_size())
        return ftruncate(fd, (off_t)size);
    errno = EFBIG;
    return -1;
}

static int files_part_make(struct weir_backing *backing, const struct weir_part_wish *wish, weir_error *err) {
    char name[NAME_SIZE], hidden[NAME_SIZE + 1];
    int at = weir_files_of(backing)->fd;
    part_name(wish->id, name);
    snprintf(hidden, sizeof(hidden), ".%s", name);
    int fd = openat(at, hidden, O_RDWR | O_CREAT | O_EXCL | FILE_FLAGS, 0600);
    if (fd < 0 && errno == EEXIST &&
        unlinkat(at, hidden, 0) == 0) /* we hold the lane's lease: whoever made it is dead */
        fd = openat(at, hidden, O_RDWR | O_CREAT | O_EXCL | FILE_FLAGS, 0600);
    if (fd < 0)
        return weir_fail_errno(err, errno, "%s: a lane cannot be made", backing->text);
    int status = size_set(fd, wish->size) == 0
                     ? ranges_allocate(fd, wish->needed, wish->needed_count, backing->text, err)
                     : weir_fail_errno(err, errno, "%s: a lane cannot be made", backing->text);
    if (status == WEIR_OK && (put(fd, wish->head, wish->head_size, 0) || group_give(wish, fd) ||
                              fchmod(fd, wish->mode) != 0 || renameat(at, hidden, at, name) != 0))
        status = weir_fail_errno(err, errno, "%s: a lane cannot be made", backing->text);
    close(fd);
    if (status)
        unlinkat(at, hidden, 0);
    return status;
}

static int files_part_remove(struct weir_backing *backing, struct weir_part_id id) {
    char name[NAME_SIZE];
    part_name(id, name);
    return unlinkat(weir_files_of(backing)->fd, name, 0) == 0;
}

static int files_part_exists(const struct weir_backing *backing, struct weir_part_id id) {
    char name[NAME_SIZE];
    struct stat about;
    part_name(id, name);
    return fstatat(weir_files_of(backing)->fd, name, &about, AT_SYMLINK_NOFOLLOW) == 0;
}

/* ---- leases ---- */

/* The lock file of a lease, and which byte of it. */
static int lease_file(const struct weir_files *files, unsigned lease, uint64_t *ret_byte, const char **ret_name) {
    if (lease == WEIR_LEASE_MEMBERS) {
        *ret_byte = WEIR_SHM_LOCK_MEMBERS;
        *ret_name = "members.lock";
        return files->members_fd;
    }
    int is_slot = lease >= WEIR_LEASE_SLOT;
    *ret_byte = is_slot ? lease - WEIR_LEASE_SLOT : lease;
    *ret_name = is_slot ? "readers.lock" : "writers.lock";
    return is_slot ? files->readers_fd : files->writers_fd;
}

static int files_lease_take(struct weir_backing *backing, unsigned lease, int is_exclusive) {
    uint64_t byte;
    const char *name;
    int fd = lease_file(weir_files_of(backing), lease, &byte, &name);
    return weir_lock_take(fd, byte, is_exclusive);
}

static void files_lease_drop(struct weir_backing *backing, unsigned lease) {
    uint64_t byte;
    const char *name;
    int fd = lease_file(weir_files_of(backing), lease, &byte, &name);
    weir_lock_drop(fd, byte);
}

static int files_lease_is_held(const struct weir_backing *backing, unsigned lease) {
    uint64_t byte;
    const char *name;
    const struct weir_files *files = weir_files_of(backing);
    int fd = lease_file(files, lease, &byte, &name);
    if (fd >= 0)
        return weir_lock_is_held(fd, byte);
    fd = weir_files_open(files->fd, name, O_RDONLY); /* we only look */
    int is_held = fd < 0 ? -1 : weir_lock_is_held(fd, byte);
    file_close(fd, 0);
    return is_held;
}

/* ---- wakes ---- */

static int files_wake_open(const struct weir_backing *backing, unsigned slot, int must_make, uint32_t mode) {
    return weir_fifo_open(weir_files_of(backing)->fd, slot, must_make, mode);
}

/* ---- making a channel ---- */

struct making {
    const struct weir_place *place;
    int directory;
    gid_t gid; /* (gid_t)-1: as it comes */
    int writers_fd, readers_fd;
    weir_error *err;
};

static int owned(const struct making *making, int fd, mode_t mode) {
    return (making->gid == (gid_t)-1 || fchown(fd, (uid_t)-1, making->gid) == 0) && fchmod(fd, mode) == 0;
}

/* A file of the channel that is being made: @size bytes that begin with @head, which has its memory; what is behind it
 * is given memory by who uses it (weir_slot_take). Return: its descriptor, or -1 with *status. */
static int make_file(const struct making *making, const char *name, mode_t mode, uint64_t size, const void *head,
                     size_t head_size, int *status) {
    const struct weir_place *place = making->place;
    int fd = openat(making->directory, name, O_RDWR | O_CREAT | O_EXCL | FILE_FLAGS, 0600);
    if (fd < 0 || !owned(making, fd, mode))
        *status = weir_fail_errno(making->err, errno, "%s: its file \"%s\" cannot be made", place->text, name);
    else
        *status = size ? weir_store_allocate(fd, 0, head_size, place->text, making->err) : WEIR_OK;
    if (*status == WEIR_OK && size > head_size && size_set(fd, size) != 0)
        *status = weir_fail_errno(making->err, errno, "%s cannot be made", place->text);
    if (*status == WEIR_OK && head_size && put(fd, head, head_size, 0))
        *status = weir_fail_errno(making->err, errno, "%s cannot be written", place->text);
    return *status ? file_close(fd, 0) : fd;
}

static int make_and_close(const struct making *making, const char *name, mode_t mode, uint64_t size, const void *head,
                          size_t head_size) {
    int status;
    int fd = make_file(making, name, mode, size, head, head_size, &status);
    if (fd >= 0)
        close(fd);
    return status;
}

/* The files that hold something, and the locks. */
static int make_parts(struct making *making, enum weir_channel_access access) {
    unsigned char pages[WEIR_SHM_CHANNEL_SIZE], cursors[WEIR_SHM_PAGE] = {0};
    mode_t mode = making->place->mode, both = 0600 | weir_channel_mode(mode, 06, 06);
    weir_channel_head(making->place, access, pages);
    weir_cursors_head(cursors);
    int status;
    making->writers_fd = make_file(making, "writers.lock", both, 0, NULL, 0, &status);
    if (status == WEIR_OK)
        making->readers_fd = make_file(making, "readers.lock", both, 0, NULL, 0, &status);
    if (making->place->is_sealed) /* all else is in memory without a name */
        return status ? status : make_and_close(making, "sealed", 0600, 0, NULL, 0);
    if (status == WEIR_OK)
        status = make_and_close(making, "channel", 0600 | (mode & 066), sizeof(pages), pages, sizeof(pages));
    if (status == WEIR_OK)
        status = make_and_close(making, "cursors", both, WEIR_SHM_CURSORS_SIZE, cursors, sizeof(cursors));
    return status;
}

/* Fill the new directory. @ret_members: its membership lock, held shared. */
static int make_content(struct making *making, enum weir_channel_access access, int *ret_members) {
    const struct weir_place *place = making->place;
    int status;
    /* Nobody may find the lock free: it would say that we are dead, and what we make would be cleaned away under our
     * hands. */
    int members = make_file(making, ".members.lock", 0600 | (place->mode & 066), 0, NULL, 0, &status);
    if (members < 0)
        return status;
    if (weir_lock_take(members, WEIR_SHM_LOCK_MEMBERS, 0) != WEIR_OK ||
        renameat(making->directory, ".members.lock", making->directory, "members.lock") != 0)
        status = weir_fail_errno(making->err, errno, "%s: its membership lock cannot be taken", place->text);
    if (status == WEIR_OK)
        status = make_parts(making, access);
    mode_t mode = 0700 | weir_channel_mode(place->mode, 04, 05) | weir_channel_mode(place->mode, 06, 07);
    if (status == WEIR_OK && !owned(making, making->directory, mode))
        status = weir_fail_errno(making->err, errno, "%s cannot be given mode %o and group \"%s\"", place->text,
                                 place->mode, place->group);
    if (status)
        close(members);
    else
        *ret_members = members;
    return status;
}

/* Make the channel under a dot name and put it in its place. Return: WEIR_OK, WEIR_EAGAIN (another was faster, or the
 * store has gone), failures. */
static int channel_make(struct weir_files *files, const struct weir_place *place, enum weir_channel_access access,
                        weir_error *err) {
    struct making making = {.place = place, .directory = -1, .writers_fd = -1, .readers_fd = -1, .err = err};
    char name[40];
    int members = -1;
    int status = weir_channel_group(place, &making.gid, err);
    if (status)
        return status;
    weir_store_dot_name("new", name);
    if (mkdirat(files->store.fd, name, 0700) != 0)
        return errno == ENOENT ? WEIR_EAGAIN
                               : weir_fail_errno(err, errno, "%s cannot be made in %s", place->text, files->store.path);
    making.directory = openat(files->store.fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (making.directory < 0)
        status = weir_fail_errno(err, errno, "%s cannot be made in %s", place->text, files->store.path);
    else
        status = make_content(&making, access, &members);
    if (status == WEIR_OK && place->allow.count > 0)
        status = weir_shm_allow_give(making.directory, place, err);
    if (status == WEIR_ENOENT) /* we were stopped for so long that it was cleaned away */
        status = WEIR_EAGAIN;
    if (status == WEIR_OK && renameat(files->store.fd, name, files->store.fd, files->entry) != 0)
        status = errno == EEXIST || errno == ENOTEMPTY || errno == ENOENT
                     ? WEIR_EAGAIN
                     : weir_fail_errno(err, errno, "%s cannot be put in its place", place->text);
    if (status == WEIR_OK) {
        files->fd = making.directory;
        files->members_fd = members;
        files->writers_fd = making.writers_fd;
        files->readers_fd = making.readers_fd;
        return WEIR_OK;
    }
    file_close(making.writers_fd, 0);
    file_close(making.readers_fd, 0);
    file_close(members, 0);
    file_close(making.directory, 0);
    weir_store_remove(files->store.fd, name);
    weir_store_tidy(&files->store);
    return status;
}

/* ---- taking it away ---- */

/* Does the name still mean the directory we have open? */
static int is_in_place(const struct weir_store *store, const char *entry, int directory) {
    struct stat here, there;
    return fstat(directory, &here) == 0 && fstatat(store->fd, entry, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
           here.st_ino == there.st_ino && here.st_dev == there.st_dev;
}

int weir_files_remove(const struct weir_store *store, const char *entry, int directory) {
    char name[40];
    if (!is_in_place(store, entry, directory))
        return WEIR_OK;
    weir_store_dot_name("gone", name);
    if (renameat(store->fd, entry, store->fd, name) != 0)
        return WEIR_ESYSTEM;
    int status = weir_store_remove(store->fd, name);
    weir_store_tidy(store);
    return status;
}

/* ---- joining ---- */

/* Become a member of the directory that is open. Return: WEIR_OK, WEIR_EAGAIN (it is going, or has gone). */
static int membership_take(struct weir_backing *backing, weir_error *err) {
    struct weir_files *files = weir_files_of(backing);
    int may_write = 1;
    int fd = weir_files_open(files->fd, "members.lock", O_RDWR);
    if (fd < 0 && (errno == EACCES || errno == EROFS)) {
        may_write = 0;
        fd = weir_files_open(files->fd, "members.lock", O_RDONLY);
    }
    if (fd < 0)
        return errno == ENOENT ? WEIR_EAGAIN : weir_fail_errno(err, errno, "%s cannot be opened", backing->text);
    files->members_fd = fd;
    int is_alone = may_write && backing->uid == geteuid() && weir_lock_take(fd, WEIR_SHM_LOCK_MEMBERS, 1) == WEIR_OK;
    if (is_alone && weir_channel_kept(backing) != WEIR_CHANNEL_KEEP) {
        if (weir_files_remove(&files->store, files->entry, files->fd) == WEIR_OK)
            return WEIR_EAGAIN;
    }
    /* This also gives up being alone, without a moment between. */
    int status = weir_lock_take(fd, WEIR_SHM_LOCK_MEMBERS, 0);
    if (status == WEIR_ESYSTEM)
        return weir_fail_errno(err, errno, "%s: its membership lock cannot be taken", backing->text);
    if (status)
        return WEIR_EAGAIN;
    return is_in_place(&files->store, files->entry, files->fd) ? WEIR_OK : WEIR_EAGAIN;
}

static void descriptors_close(struct weir_files *files) {
    int *const fds[] = {&files->fd, &files->members_fd, &files->writers_fd, &files->readers_fd};
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
}

/* The list of the owner's end that came last is the one that counts. */
static int allow_renew(const struct weir_backing *backing, const struct weir_place *place, weir_error *err) {
    if (backing->uid == geteuid())
        return weir_shm_allow_give(weir_files_of(backing)->fd, place, err);
    return weir_fail(err, WEIR_EACCESS, "%s is another user's, who alone says with allow= who may read it",
                     backing->text);
}

/* One attempt to find or make the channel and become a member. Return: also WEIR_EAGAIN. */
static int join_once(struct weir_backing *backing, const struct weir_place *place, enum weir_channel_access access,
                     weir_error *err) {
    struct weir_files *files = weir_files_of(backing);
    int status = weir_store_open(&files->store, place, place->may_create, err);
    backing->uid = files->store.uid;
    int may_create = place->may_create && backing->uid == geteuid();
    if (status == WEIR_ENOENT && !may_create)
        return weir_fail(err, WEIR_ENOENT, "%s: there is no such channel, and %s", place->text,
                         place->may_create ? "its user has none" : "create=0 forbids making it");
    if (status)
        return status;
    files->fd = openat(files->store.fd, files->entry, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (files->fd >= 0) {
        status = membership_take(backing, err);
        return status || place->allow.count == 0 ? status : allow_renew(backing, place, err);
    }
    if (errno == ENOENT && may_create)
        return channel_make(files, place, access, err);
    if (errno == ENOENT)
        return weir_fail(err, WEIR_ENOENT, "%s: there is no such channel; %s", place->text,
                         place->may_create ? "only its user can make it"
                                           : "start its writer first, or leave out create=0");
    if (errno == EACCES)
        return weir_backing_unseen(backing, WEIR_EACCESS, err);
    return weir_fail_errno(err, errno, "%s cannot be opened", place->text);
}

static int join_patiently(struct weir_backing *backing, const struct weir_place *place, enum weir_channel_access access,
                          weir_error *err) {
    struct weir_files *files = weir_files_of(backing);
    int64_t deadline = 0;
    for (;;) {
        int status = join_once(backing, place, access, err);
        if (status != WEIR_EAGAIN)
            return status;
        descriptors_close(files);
        weir_store_close(&files->store);
        if (deadline == 0)
            deadline = weir_deadline(JOIN_PATIENCE_NS);
        else if (weir_deadline_left(deadline) == 0)
            return weir_fail(err, WEIR_EBUSY,
                             "%s is being taken away by a process that does not get on with it; look with weir ls",
                             place->text);
        nanosleep(&(struct timespec){.tv_nsec = JOIN_NAP_NS}, NULL);
    }
}

static int lock_open(const struct weir_backing *backing, enum weir_channel_access access, const char *name, int *ret,
                     weir_error *err) {
    if (*ret >= 0) /* we have just made it */
        return WEIR_OK;
    *ret = weir_files_open(weir_files_of(backing)->fd, name, O_RDWR);
    if (*ret >= 0)
        return WEIR_OK;
    return errno == EACCES
               ? weir_fail_errno(err, errno, "%s does not let you %s", backing->text,
                                 access == WEIR_CHANNEL_WRITE
                                     ? "write; its owner can make it anew (weir gc first) with mode=0660 and group="
                                     : "hold its writers back; observe=1 may be allowed")
               : weir_fail_errno(err, errno, "%s: its file \"%s\" cannot be opened", backing->text, name);
}

void weir_files_begin(struct weir_backing *backing, const struct weir_place *place) {
    struct weir_files *files = weir_files_of(backing);
    *files = (struct weir_files){
        .store = {.base_fd = -1, .fd = -1}, .fd = -1, .members_fd = -1, .writers_fd = -1, .readers_fd = -1};
    if (place)
        weir_store_entry(place->name, files->entry);
}

void weir_files_path(struct weir_backing *backing) {
    const struct weir_files *files = weir_files_of(backing);
    snprintf(backing->path, sizeof(backing->path), "%s/%s", files->store.path, files->entry);
}

static int files_join(struct weir_backing *backing, const struct weir_place *place, enum weir_channel_access access,
                      weir_error *err) {
    struct weir_files *files = weir_files_of(backing);
    weir_files_begin(backing, place);
    int status = join_patiently(backing, place, access, err);
    weir_files_path(backing);
    if (status == WEIR_OK && access >= WEIR_CHANNEL_READ)
        status = lock_open(backing, access, "readers.lock", &files->readers_fd, err);
    if (status == WEIR_OK && access >= WEIR_CHANNEL_WRITE)
        return lock_open(backing, access, "writers.lock", &files->writers_fd, err);
    if (files->writers_fd >= 0) /* from making the channel */
        files->writers_fd = file_close(files->writers_fd, errno);
    return status;
}

static void files_abandon(struct weir_backing *backing) {
    struct weir_files *files = weir_files_of(backing);
    descriptors_close(files);
    weir_store_close(&files->store);
}

static int files_look(struct weir_backing *backing, const struct weir_place *place, weir_error *err) {
    struct weir_files *files = weir_files_of(backing);
    weir_files_begin(backing, place);
    int status = weir_store_open(&files->store, place, 0, err);
    if (status)
        return status == WEIR_ENOENT ? weir_backing_unseen(backing, status, err) : status;
    backing->uid = files->store.uid;
    weir_files_path(backing);
    files->fd = openat(files->store.fd, files->entry, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (files->fd >= 0)
        return WEIR_OK;
    status = errno == ENOENT ? WEIR_ENOENT : errno == EACCES ? WEIR_EACCESS : WEIR_ESYSTEM;
    weir_backing_unseen(backing, status, err);
    files_abandon(backing);
    return status;
}

/* ---- leaving ---- */

void weir_files_go(struct weir_backing *backing) {
    struct weir_files *files = weir_files_of(backing);
    if (files->members_fd < 0 || backing->uid != geteuid())
        return;
    /* First give up our own share: if two ends that leave together both asked to have the byte alone while sharing it,
     * both would be refused and nobody would do it. This way whoever gives up last is not refused. */
    weir_lock_drop(files->members_fd, WEIR_SHM_LOCK_MEMBERS);
    /* Once alone, whether it is kept is asked again: since we were, somebody may have come, sent, and gone. */
    if (weir_lock_take(files->members_fd, WEIR_SHM_LOCK_MEMBERS, 1) == WEIR_OK &&
        weir_channel_kept(backing) != WEIR_CHANNEL_KEEP)
        weir_files_remove(&files->store, files->entry, files->fd);
}

void weir_files_give_back(const struct weir_files *files) {
    const int fds[] = {files->members_fd, files->writers_fd, files->readers_fd};
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        if (fds[i] >= 0)
            weir_lock_drop_all(fds[i]);
}

static void files_leave(struct weir_backing *backing, int must_go) {
    if (must_go)
        weir_files_go(backing);
    weir_files_give_back(weir_files_of(backing));
    files_abandon(backing);
}

static void files_tell(const struct weir_backing *backing, weir_doc *doc) {
    struct weir_allow allow = {0};
    int fd = weir_files_open(weir_files_of(backing)->fd, "channel", O_RDONLY);
    if (fd >= 0)
        weir_access_read(fd, &allow);
    file_close(fd, 0);
    weir_tell_allow(doc, &allow);
}

const struct weir_backing_ops weir_backing_files = {
    .scheme = "shm",
    .way_in = "let you in with allow=, or make it anew (weir gc first) with mode= and group=",
    .join = files_join,
    .look = files_look,
    .leave = files_leave,
    .abandon = files_abandon,
    .lease_take = files_lease_take,
    .lease_drop = files_lease_drop,
    .lease_is_held = files_lease_is_held,
    .part_open = files_part_open,
    .part_close = files_part_close,
    .part_read = files_part_read,
    .part_map = files_part_map,
    .part_map_ring = files_part_map_ring,
    .part_make = files_part_make,
    .part_allocate = files_part_allocate,
    .part_remove = files_part_remove,
    .part_exists = files_part_exists,
    .wake_open = files_wake_open,
    .used = weir_files_used,
    .tell = files_tell,
    .each = weir_files_each,
};
