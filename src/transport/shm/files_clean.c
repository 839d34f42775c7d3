/* The files backing, from outside: the user's channels, the memory they take, and what the dead left of them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "os/lock.h"
#include "transport/shm/files.h"

/* A half-made channel whose maker has not come to its lock yet is left alone for so long. */
static const int64_t MAKING_NS = INT64_C(10000000000);

/* ---- walking the store ---- */

/* @backing: opened as by look. */
typedef int entry_fn(const struct weir_backing *backing, void *user);

static int entry_call(const struct weir_store *store, const char *entry, entry_fn *fn, void *user) {
    struct weir_backing backing = {.ops = &weir_backing_files, .uid = store->uid};
    struct weir_files *files = weir_files_of(&backing);
    size_t size = strlen(entry);
    if (size > WEIR_NAME_MAX)
        return WEIR_OK; /* no channel has such a name */
    *files = (struct weir_files){.store = *store, .members_fd = -1, .writers_fd = -1, .readers_fd = -1};
    memcpy(files->entry, entry, size + 1);
    weir_files_path(&backing);
    files->fd = openat(store->fd, entry, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (files->fd < 0)
        return WEIR_OK; /* gone meanwhile, or no channel */
    int status = fn(&backing, user);
    close(files->fd); /* the store is the caller's */
    return status;
}

/* Call @fn for each directory entry that is a channel (or, with @hidden, was or would have become one). */
static int entries_each(int hidden, entry_fn *fn, void *user, weir_error *err) {
    struct weir_store store;
    int status = weir_store_open(&store, NULL, 0, err);
    if (status)
        return status == WEIR_ENOENT ? WEIR_OK : status;
    int fd = openat(store.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = fd < 0 ? NULL : fdopendir(fd);
    if (!listing) {
        status = weir_fail_errno(err, errno, "%s cannot be listed", store.path);
        if (fd >= 0)
            close(fd);
    }
    struct dirent *entry;
    while (status == WEIR_OK && (entry = readdir(listing)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if ((entry->d_name[0] == '.') == hidden)
            status = entry_call(&store, entry->d_name, fn, user);
    }
    if (listing)
        closedir(listing);
    weir_store_close(&store);
    return status;
}

struct each_user {
    weir_backing_fn *fn;
    void *user;
};

static int channel_found(const struct weir_backing *backing, void *user) {
    const struct each_user *to = user;
    char name[WEIR_NAME_MAX + 1];
    weir_store_name(weir_files_of(backing)->entry, name, sizeof(name));
    return to->fn(backing, name, to->user);
}

int weir_files_each(weir_backing_fn *fn, void *user, weir_error *err) {
    struct each_user to = {fn, user};
    return entries_each(0, channel_found, &to, err);
}

uint64_t weir_files_used(const struct weir_backing *backing) {
    uint64_t bytes = 0;
    int fd = openat(weir_files_of(backing)->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = fd < 0 ? NULL : fdopendir(fd);
    if (!listing) {
        if (fd >= 0)
            close(fd);
        return 0;
    }
    struct dirent *entry;
    struct stat about;
    while ((entry = readdir(listing)) != NULL)
        if (fstatat(fd, entry->d_name, &about, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(about.st_mode))
            bytes += (uint64_t)about.st_blocks * 512;
    closedir(listing);
    return bytes;
}

/* ---- clean ---- */

struct clean_user {
    weir_clean_fn *fn;
    void *user;
    int is_dry_run;
};

static int clean_tell(const struct clean_user *to, const struct weir_backing *backing, const char *what) {
    return to->fn ? to->fn(backing->path, what, weir_files_used(backing), to->user) : WEIR_OK;
}

/* Nobody works on it: its lock is free, or there is none and it is old. */
static int is_abandoned(int directory) {
    struct stat about;
    int fd = weir_files_open(directory, "members.lock", O_RDWR);
    if (fd >= 0) {
        int is_held = weir_lock_is_held(fd, WEIR_SHM_LOCK_MEMBERS);
        close(fd);
        return !is_held;
    }
    if (fstat(directory, &about) != 0)
        return 0;
    return weir_clock_realtime() - ((int64_t)about.st_mtim.tv_sec * 1000000000 + about.st_mtim.tv_nsec) > MAKING_NS;
}

/* Under another name first: a maker that was stopped for very long then fails to put in its place what we take
 * apart. */
static void hidden_remove(const struct weir_store *store, const char *entry) {
    char name[40];
    weir_store_dot_name("gone", name);
    if (renameat(store->fd, entry, store->fd, name) == 0)
        weir_store_remove(store->fd, name);
}

static int hidden_clean(const struct weir_backing *backing, void *user) {
    const struct clean_user *to = user;
    const struct weir_files *files = weir_files_of(backing);
    int status = WEIR_OK;
    if (is_abandoned(files->fd)) {
        status = clean_tell(to, backing, "half-made or half-removed channel");
        if (status == WEIR_OK && !to->is_dry_run)
            hidden_remove(&files->store, files->entry);
    }
    return status;
}

static int is_sealed(const struct weir_files *files) {
    struct stat about;
    return fstatat(files->fd, "sealed", &about, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Does it stay when nobody has it open? */
static int is_kept(const struct weir_backing *backing) {
    return !is_sealed(weir_files_of(backing)) && weir_channel_kept(backing) == WEIR_CHANNEL_KEEP;
}

/* A child that another thread forks meanwhile may have it open as well, and would keep everybody out. */
static void lock_close(int fd) {
    if (fd < 0)
        return;
    weir_lock_drop_all(fd);
    close(fd);
}

static int channel_clean(const struct weir_backing *backing, void *user) {
    const struct clean_user *to = user;
    const struct weir_files *files = weir_files_of(backing);
    int fd = weir_files_open(files->fd, "members.lock", O_RDWR);
    int status = WEIR_OK;
    /* The lock is taken before we look, so that nobody can come in between. */
    if (fd >= 0 && !is_kept(backing) && weir_lock_take(fd, WEIR_SHM_LOCK_MEMBERS, 1) == WEIR_OK) {
        if (!is_kept(backing))
            status = clean_tell(to, backing,
                                is_sealed(files) ? "sealed channel without ends" : "channel with keep=0 and no ends");
        if (status == WEIR_OK && !to->is_dry_run && !is_kept(backing))
            weir_files_remove(&files->store, files->entry, files->fd);
    }
    lock_close(fd);
    return status;
}

int weir_files_clean(int is_dry_run, weir_clean_fn *clean_fn, void *user, weir_error *err) {
    struct clean_user to = {clean_fn, user, is_dry_run};
    int status = entries_each(1, hidden_clean, &to, err);
    if (status == WEIR_OK)
        status = entries_each(0, channel_clean, &to, err);
    struct weir_store store;
    if (status == WEIR_OK && !is_dry_run && weir_store_open(&store, NULL, 0, NULL) == WEIR_OK) {
        weir_store_tidy(&store);
        weir_store_close(&store);
    }
    return status;
}

/* ---- one channel, by name ---- */

static int idle_remove(const struct weir_backing *backing, void *user) {
    const struct clean_user *to = user;
    const struct weir_files *files = weir_files_of(backing);
    int fd = weir_files_open(files->fd, "members.lock", O_RDWR); /* damaged ones may have none */
    int status = fd < 0 || weir_lock_take(fd, WEIR_SHM_LOCK_MEMBERS, 1) == WEIR_OK ? WEIR_OK : WEIR_EBUSY;
    if (status == WEIR_OK)
        status = clean_tell(to, backing, is_sealed(files) ? "sealed channel" : "idle channel");
    if (status == WEIR_OK && !to->is_dry_run)
        status = weir_files_remove(&files->store, files->entry, files->fd);
    lock_close(fd);
    return status;
}

int weir_files_take_away(const struct weir_place *place, int is_dry_run, weir_clean_fn *clean_fn, void *user,
                         weir_error *err) {
    struct clean_user to = {clean_fn, user, is_dry_run};
    struct weir_store store;
    struct stat about;
    char entry[WEIR_NAME_MAX + 1];
    weir_store_entry(place->name, entry);
    int status = weir_store_open(&store, place, 0, err);
    if (status && status != WEIR_ENOENT)
        return status;
    if (status == WEIR_OK && store.uid != geteuid())
        status = weir_fail(err, WEIR_EACCESS, "%s is another user's, who alone can remove it", place->text);
    else if (status || fstatat(store.fd, entry, &about, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(about.st_mode))
        status = weir_fail(err, WEIR_ENOENT, "%s: there is no such channel", place->text);
    else if ((status = entry_call(&store, entry, idle_remove, &to)) == WEIR_EBUSY)
        weir_fail(err, status, "%s is in use; end its programs first", place->text);
    else if (status)
        weir_fail_errno(err, errno, "%s cannot be removed", place->text);
    weir_store_close(&store);
    return status;
}
