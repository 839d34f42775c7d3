/* Channel directories.
 *
 * What must stay true:
 * - A channel is seen complete or not at all: it is made under a dot name and renamed into place; to go, it is renamed to a dot name
 *   first. What a maker or remover that was killed leaves behind has a dot name and is nobody's channel (list.c cleans it).
 * - Every end holds byte 0 of members.lock shared for its whole life, the maker already before the rename. Only who holds it exclusively,
 *   and so is alone, may take the channel away. Having got the lock, an end looks whether the name still means the directory that it
 *   opened; if not, it came too late and begins again.
 * - So a keep=0 channel whose ends were killed is recognised by the next one to come: it gets the byte exclusively. */
#include "transport/shm/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "os/lock.h"
#include "os/mapping.h"
#include "transport/shm/allow.h"

enum { GROUP_MAX = 4096, FILE_FLAGS = O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK };
static const int64_t JOIN_PATIENCE_NS = INT64_C(5000000000);
static const long JOIN_NAP_NS = 200000;

/* ---- files ---- */

static int file_close(int fd, int sys_errno) {
    if (fd >= 0)
        close(fd);
    errno = sys_errno;
    return -1;
}

int weir_channel_file(int directory, const char *name, int flags, uint64_t size_min) {
    struct stat about;
    int fd = openat(directory, name, flags | FILE_FLAGS);
    if (fd < 0 || fstat(fd, &about) != 0)
        return file_close(fd, errno);
    if (!S_ISREG(about.st_mode) || about.st_nlink > 1 || (uint64_t)about.st_size < size_min)
        return file_close(fd, EBADF);
    if (about.st_nlink == 0)
        return file_close(fd, ENOENT);
    return fd;
}

/* ---- making a channel ---- */

/* Group and others get @granted when the channel's mode gives them @asked. */
static mode_t mode_of(mode_t mode, mode_t asked, mode_t granted) {
    return ((mode >> 3 & asked) == asked ? granted << 3 : 0) | ((mode & asked) == asked ? granted : 0);
}

static int group_find(const struct weir_place *place, gid_t *ret, weir_error *err) {
    char *end;
    struct group entry, *found = NULL;
    char memory[GROUP_MAX];
    *ret = (gid_t)-1;
    if (!place->group[0])
        return WEIR_OK;
    unsigned long number = strtoul(place->group, &end, 10);
    if (place->group[0] >= '0' && place->group[0] <= '9' && *end == '\0' && number < UINT32_MAX) {
        *ret = (gid_t)number;
        return WEIR_OK;
    }
    if (getgrnam_r(place->group, &entry, memory, sizeof(memory), &found) != 0 || !found)
        return weir_fail(err, WEIR_EADDRESS, "%s: there is no group \"%s\"", place->text, place->group);
    *ret = found->gr_gid;
    return WEIR_OK;
}

/* A file of the channel that is being made: @size bytes of zeros, @content at @offset. Return: its descriptor, or -1 with *status. */
struct making {
    const struct weir_place *place;
    int directory;
    gid_t gid;
    weir_error *err;
};

static int make_file(const struct making *making, const char *name, mode_t mode, uint64_t size, int *status) {
    const struct weir_place *place = making->place;
    int fd = openat(making->directory, name, O_RDWR | O_CREAT | O_EXCL | FILE_FLAGS, 0600);
    if (fd < 0 || (making->gid != (gid_t)-1 && fchown(fd, (uid_t)-1, making->gid) != 0) || fchmod(fd, mode) != 0)
        *status = weir_fail_errno(making->err, errno, "%s: its file \"%s\" cannot be made", place->text, name);
    else
        *status = size ? weir_store_allocate(fd, size, place->text, making->err) : WEIR_OK;
    return *status ? file_close(fd, 0) : fd;
}

static int put(int fd, const void *data, size_t size, off_t offset) {
    return pwrite(fd, data, size, offset) == (ssize_t)size ? WEIR_OK : WEIR_ESYSTEM;
}

static int make_channel_file(const struct making *making, enum weir_channel_access access) {
    const struct weir_place *place = making->place;
    int status;
    int fd = make_file(making, "channel", 0600 | (place->mode & 066), WEIR_SHM_CHANNEL_SIZE, &status);
    if (fd < 0)
        return status;
    struct weir_channel_header header = {
        .version = WEIR_SHM_VERSION,
        .lanes = WEIR_SHM_LANES,
        .slots = WEIR_SHM_SLOTS,
        .slot_size = WEIR_SHM_SLOT_SIZE,
        .created = (uint64_t)weir_clock_realtime(),
        .cursors_size = WEIR_SHM_CURSORS_SIZE,
    };
    memcpy(header.magic, WEIR_SHM_CHANNEL_MAGIC, sizeof(header.magic));
    /* A writer decides when it has its lane (weir_channel_settle), so that one which fails to open leaves nothing behind. */
    int decides = access != WEIR_CHANNEL_WRITE && place->is_kept_given;
    uint32_t keep = !decides ? WEIR_CHANNEL_UNDECIDED : place->is_kept ? WEIR_CHANNEL_KEEP : WEIR_CHANNEL_GO;
    if (put(fd, &header, sizeof(header), 0) ||
        put(fd, &keep, sizeof(keep), WEIR_SHM_PAGE + offsetof(struct weir_channel_page, keep)))
        status = weir_fail_errno(making->err, errno, "%s cannot be written", place->text);
    close(fd);
    return status;
}

static int make_cursors_file(const struct making *making) {
    const struct weir_place *place = making->place;
    int status;
    int fd = make_file(making, "cursors", 0600 | mode_of(place->mode, 06, 06), WEIR_SHM_CURSORS_SIZE, &status);
    if (fd < 0)
        return status;
    struct {
        char magic[8];
        uint32_t version;
        uint32_t slots;
    } head = {.version = WEIR_SHM_VERSION, .slots = WEIR_SHM_SLOTS};
    memcpy(head.magic, WEIR_SHM_CURSORS_MAGIC, sizeof(head.magic));
    if (put(fd, &head, sizeof(head), 0))
        status = weir_fail_errno(making->err, errno, "%s cannot be written", place->text);
    close(fd);
    return status;
}

/* Fill the new directory. @ret_members: its membership lock, held shared. */
static int make_content(const struct making *making, enum weir_channel_access access, int *ret_members) {
    const struct weir_place *place = making->place;
    static const char *const locks[] = {"writers.lock", "readers.lock"};
    int status;
    /* Nobody may find the lock free: it would say that we are dead, and what we make would be cleaned away under our hands. */
    int members = make_file(making, ".members.lock", 0600 | (place->mode & 066), 0, &status);
    if (members < 0)
        return status;
    if (weir_lock_take(members, WEIR_SHM_LOCK_MEMBERS, 0) != WEIR_OK ||
        renameat(making->directory, ".members.lock", making->directory, "members.lock") != 0)
        status = weir_fail_errno(making->err, errno, "%s: its membership lock cannot be taken", place->text);
    for (size_t i = 0; status == WEIR_OK && i < sizeof(locks) / sizeof(locks[0]); i++) {
        int fd = make_file(making, locks[i], 0600 | mode_of(place->mode, 06, 06), 0, &status);
        if (fd >= 0)
            close(fd);
    }
    if (status == WEIR_OK)
        status = make_channel_file(making, access);
    if (status == WEIR_OK)
        status = make_cursors_file(making);
    mode_t mode = 0700 | mode_of(place->mode, 04, 05) | mode_of(place->mode, 06, 07);
    if (status == WEIR_OK && ((making->gid != (gid_t)-1 && fchown(making->directory, (uid_t)-1, making->gid) != 0) ||
                              fchmod(making->directory, mode) != 0))
        status = weir_fail_errno(making->err, errno, "%s cannot be given mode %o and group \"%s\"", place->text,
                                 place->mode, place->group);
    if (status)
        close(members);
    else
        *ret_members = members;
    return status;
}

/* Make the channel under a dot name and put it in its place. Return: WEIR_OK, WEIR_EAGAIN (another was faster, or the store has gone),
 * failures. */
static int channel_make(struct weir_shm_channel *channel, const struct weir_place *place,
                        enum weir_channel_access access, weir_error *err) {
    struct making making = {.place = place, .directory = -1, .err = err};
    char name[40];
    int members = -1;
    int status = group_find(place, &making.gid, err);
    if (status)
        return status;
    weir_store_dot_name("new", name);
    if (mkdirat(channel->store.fd, name, 0700) != 0)
        return errno == ENOENT
                   ? WEIR_EAGAIN
                   : weir_fail_errno(err, errno, "%s cannot be made in %s", place->text, channel->store.path);
    making.directory = openat(channel->store.fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (making.directory < 0)
        status = weir_fail_errno(err, errno, "%s cannot be made in %s", place->text, channel->store.path);
    else
        status = make_content(&making, access, &members);
    if (status == WEIR_OK && place->allow.count > 0)
        status = weir_shm_allow_give(making.directory, place, err);
    if (status == WEIR_ENOENT) /* we were stopped for so long that it was cleaned away */
        status = WEIR_EAGAIN;
    if (status == WEIR_OK && renameat(channel->store.fd, name, channel->store.fd, channel->entry) != 0)
        status = errno == EEXIST || errno == ENOTEMPTY || errno == ENOENT
                     ? WEIR_EAGAIN
                     : weir_fail_errno(err, errno, "%s cannot be put in its place", place->text);
    if (status == WEIR_OK) {
        channel->fd = making.directory;
        channel->members_fd = members;
        return WEIR_OK;
    }
    file_close(members, 0);
    file_close(making.directory, 0);
    weir_store_remove(channel->store.fd, name);
    weir_store_tidy(&channel->store);
    return status;
}

/* ---- taking it away ---- */

/* Does the name still mean the directory we have open? */
static int is_in_place(const struct weir_store *store, const char *entry, int directory) {
    struct stat here, there;
    return fstat(directory, &here) == 0 && fstatat(store->fd, entry, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
           here.st_ino == there.st_ino && here.st_dev == there.st_dev;
}

int weir_channel_remove(const struct weir_store *store, const char *entry, int directory) {
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

uint32_t weir_channel_kept(int directory) {
    uint32_t keep = WEIR_CHANNEL_KEEP;
    int fd = weir_channel_file(directory, "channel", O_RDONLY, WEIR_SHM_CHANNEL_SIZE);
    if (fd < 0)
        return keep;
    if (pread(fd, &keep, sizeof(keep), WEIR_SHM_PAGE + offsetof(struct weir_channel_page, keep)) != sizeof(keep))
        keep = WEIR_CHANNEL_KEEP;
    close(fd);
    return keep;
}

/* ---- joining ---- */

/* Become a member of the directory that is open. Return: WEIR_OK, WEIR_EAGAIN (it is going, or has gone). */
static int membership_take(struct weir_shm_channel *channel, weir_error *err) {
    int may_write = 1;
    int fd = weir_channel_file(channel->fd, "members.lock", O_RDWR, 0);
    if (fd < 0 && errno == EACCES) {
        may_write = 0;
        fd = weir_channel_file(channel->fd, "members.lock", O_RDONLY, 0);
    }
    if (fd < 0)
        return errno == ENOENT ? WEIR_EAGAIN : weir_fail_errno(err, errno, "%s cannot be opened", channel->text);
    channel->members_fd = fd;
    int is_alone =
        may_write && channel->store.uid == geteuid() && weir_lock_take(fd, WEIR_SHM_LOCK_MEMBERS, 1) == WEIR_OK;
    if (is_alone && weir_channel_kept(channel->fd) != WEIR_CHANNEL_KEEP) {
        if (weir_channel_remove(&channel->store, channel->entry, channel->fd) == WEIR_OK)
            return WEIR_EAGAIN;
    }
    if (weir_lock_take(fd, WEIR_SHM_LOCK_MEMBERS, 0) !=
        WEIR_OK) /* also gives up being alone, without a moment between */
        return WEIR_EAGAIN;
    return is_in_place(&channel->store, channel->entry, channel->fd) ? WEIR_OK : WEIR_EAGAIN;
}

static void descriptors_close(struct weir_shm_channel *channel) {
    int *const fds[] = {&channel->fd, &channel->members_fd, &channel->writers_fd, &channel->readers_fd};
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
}

/* The list of the owner's end that came last is the one that counts. */
static int allow_renew(const struct weir_shm_channel *channel, const struct weir_place *place, weir_error *err) {
    if (channel->store.uid == geteuid())
        return weir_shm_allow_give(channel->fd, place, err);
    return weir_fail(err, WEIR_EACCESS, "%s is another user's, who alone says with allow= who may read it",
                     channel->text);
}

/* One attempt to find or make the channel and become a member. Return: also WEIR_EAGAIN. */
static int join_once(struct weir_shm_channel *channel, const struct weir_place *place, enum weir_channel_access access,
                     weir_error *err) {
    int status = weir_store_open(&channel->store, place, place->may_create, err);
    int may_create = place->may_create && channel->store.uid == geteuid();
    if (status == WEIR_ENOENT && !may_create) /* otherwise it is WEIR_SHM_DIR that is missing, and err says so */
        return weir_fail(err, WEIR_ENOENT, "%s: there is no such channel, and %s", place->text,
                         place->may_create ? "its user has none" : "create=0 forbids making it");
    if (status)
        return status;
    channel->fd = openat(channel->store.fd, channel->entry, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (channel->fd >= 0) {
        status = membership_take(channel, err);
        return status || place->allow.count == 0 ? status : allow_renew(channel, place, err);
    }
    if (errno == ENOENT && may_create)
        return channel_make(channel, place, access, err);
    if (errno == ENOENT)
        return weir_fail(err, WEIR_ENOENT, "%s: there is no such channel; %s", place->text,
                         place->may_create ? "only its user can make it"
                                           : "start its writer first, or leave out create=0");
    if (errno == EACCES)
        return weir_shm_closed(place, err);
    return weir_fail_errno(err, errno, "%s cannot be opened", place->text);
}

static int join_patiently(struct weir_shm_channel *channel, const struct weir_place *place,
                          enum weir_channel_access access, weir_error *err) {
    int64_t deadline = 0;
    for (;;) {
        int status = join_once(channel, place, access, err);
        if (status != WEIR_EAGAIN)
            return status;
        descriptors_close(channel);
        weir_store_close(&channel->store);
        if (deadline == 0)
            deadline = weir_deadline(JOIN_PATIENCE_NS);
        else if (weir_deadline_left(deadline) == 0)
            return weir_fail(err, WEIR_EBUSY,
                             "%s is being taken away by a process that does not get on with it; look with weir ls",
                             place->text);
        nanosleep(&(struct timespec){.tv_nsec = JOIN_NAP_NS}, NULL);
    }
}

/* ---- opening the files of a channel that we are a member of ---- */

static int file_failed(const struct weir_shm_channel *channel, const char *name, weir_error *err) {
    if (errno == EBADF)
        return weir_fail(err, WEIR_ECORRUPT, "%s: its file \"%s\" is not what it should be; remove %s/%s",
                         channel->text, name, channel->store.path, channel->entry);
    if (errno == EACCES)
        return weir_fail_errno(err, errno, "%s does not let you %s", channel->text,
                               channel->access == WEIR_CHANNEL_WRITE ? "write"
                               : channel->access == WEIR_CHANNEL_READ
                                   ? "hold its writers back; observe=1 may be allowed"
                                   : "read");
    return weir_fail_errno(err, errno, "%s: its file \"%s\" cannot be opened", channel->text, name);
}

static int page_open(struct weir_shm_channel *channel, weir_error *err) {
    int may_write = channel->access == WEIR_CHANNEL_WRITE;
    struct weir_channel_header header;
    struct stat about;
    int fd = weir_channel_file(channel->fd, "channel", may_write ? O_RDWR : O_RDONLY, WEIR_SHM_CHANNEL_SIZE);
    if (fd < 0)
        return file_failed(channel, "channel", err);
    int status = WEIR_OK;
    unsigned char *data = NULL;
    if (fstat(fd, &about) != 0 || pread(fd, &header, sizeof(header), 0) != sizeof(header))
        status = weir_fail_errno(err, errno, "%s cannot be read", channel->text);
    else if (about.st_uid != channel->store.uid ||
             memcmp(header.magic, WEIR_SHM_CHANNEL_MAGIC, sizeof(header.magic)) != 0)
        status = weir_fail(err, WEIR_ECORRUPT, "%s is no channel of weir; remove %s/%s", channel->text,
                           channel->store.path, channel->entry);
    else if (header.version != WEIR_SHM_VERSION || header.lanes != WEIR_SHM_LANES || header.slots != WEIR_SHM_SLOTS ||
             header.slot_size != WEIR_SHM_SLOT_SIZE || header.cursors_size != WEIR_SHM_CURSORS_SIZE)
        status = weir_fail(err, WEIR_EVERSION, "%s was made by another version of weir (layout %u, ours is %u)",
                           channel->text, header.version, WEIR_SHM_VERSION);
    else if (!(data = weir_mapping_new(fd, WEIR_SHM_CHANNEL_SIZE, may_write ? WEIR_MAPPING_WRITE : 0)))
        status = weir_fail_errno(err, errno, "%s cannot be mapped", channel->text);
    close(fd);
    if (status)
        return status;
    channel->page = (struct weir_channel_page *)(data + WEIR_SHM_PAGE);
    channel->mode = about.st_mode & 0777;
    channel->gid = about.st_gid;
    channel->is_private = about.st_uid == geteuid() && (about.st_mode & 022) == 0;
    return WEIR_OK;
}

static int cursors_open(struct weir_shm_channel *channel, weir_error *err) {
    channel->readers_fd = weir_channel_file(channel->fd, "readers.lock", O_RDWR, 0);
    if (channel->readers_fd < 0)
        return file_failed(channel, "readers.lock", err);
    int fd = weir_channel_file(channel->fd, "cursors", O_RDWR, WEIR_SHM_CURSORS_SIZE);
    if (fd < 0)
        return file_failed(channel, "cursors", err);
    channel->cursors = weir_mapping_new(fd, WEIR_SHM_CURSORS_SIZE, WEIR_MAPPING_WRITE | WEIR_MAPPING_POPULATE);
    int status = channel->cursors ? WEIR_OK : weir_fail_errno(err, errno, "%s cannot be mapped", channel->text);
    close(fd);
    if (status == WEIR_OK && memcmp(channel->cursors->magic, WEIR_SHM_CURSORS_MAGIC, 8) != 0)
        status = weir_fail(err, WEIR_ECORRUPT, "%s is damaged; remove %s/%s", channel->text, channel->store.path,
                           channel->entry);
    return status;
}

static int files_open(struct weir_shm_channel *channel, weir_error *err) {
    int status = page_open(channel, err);
    if (status == WEIR_OK && channel->access >= WEIR_CHANNEL_READ)
        status = cursors_open(channel, err);
    if (status == WEIR_OK && channel->access >= WEIR_CHANNEL_WRITE) {
        channel->writers_fd = weir_channel_file(channel->fd, "writers.lock", O_RDWR, 0);
        if (channel->writers_fd < 0)
            status = file_failed(channel, "writers.lock", err);
    }
    return status;
}

int weir_channel_join(struct weir_shm_channel *channel, const struct weir_place *place, enum weir_channel_access access,
                      weir_error *err) {
    *channel = (struct weir_shm_channel){.store = {.base_fd = -1, .fd = -1},
                                         .fd = -1,
                                         .members_fd = -1,
                                         .writers_fd = -1,
                                         .readers_fd = -1,
                                         .access = access};
    weir_store_entry(place->name, channel->entry);
    memcpy(channel->text, place->text, sizeof(channel->text));
    int status = join_patiently(channel, place, access, err);
    if (status == WEIR_OK)
        status = files_open(channel, err);
    if (status)
        weir_channel_leave(channel);
    return status;
}

void weir_channel_settle(struct weir_shm_channel *channel, const struct weir_place *place) {
    uint32_t wanted = place->is_kept ? WEIR_CHANNEL_KEEP : WEIR_CHANNEL_GO;
    uint32_t undecided = WEIR_CHANNEL_UNDECIDED;
    if (place->is_kept_given)
        atomic_store(&channel->page->keep, wanted);
    else
        atomic_compare_exchange_strong(&channel->page->keep, &undecided, wanted);
}

/* ---- leaving ---- */

/* Take the channel away when it shall not stay and nobody else is there. */
static void last_one_out(struct weir_shm_channel *channel) {
    if (atomic_load(&channel->page->keep) == WEIR_CHANNEL_KEEP || channel->store.uid != geteuid())
        return;
    /* First give up our own share: if two ends that leave together both asked to have the byte alone while sharing it, both would be
     * refused and nobody would do it. This way whoever gives up last is not refused. */
    weir_lock_drop(channel->members_fd, WEIR_SHM_LOCK_MEMBERS);
    if (weir_lock_take(channel->members_fd, WEIR_SHM_LOCK_MEMBERS, 1) == WEIR_OK)
        weir_channel_remove(&channel->store, channel->entry, channel->fd);
}

void weir_channel_leave(struct weir_shm_channel *channel) {
    if (channel->page) {
        last_one_out(channel);
        weir_mapping_free((unsigned char *)channel->page - WEIR_SHM_PAGE, WEIR_SHM_CHANNEL_SIZE);
    }
    weir_mapping_free(channel->cursors, WEIR_SHM_CURSORS_SIZE);
    weir_channel_abandon(channel);
}

void weir_channel_abandon(struct weir_shm_channel *channel) {
    channel->page = NULL;
    channel->cursors = NULL;
    descriptors_close(channel);
    weir_store_close(&channel->store);
}
