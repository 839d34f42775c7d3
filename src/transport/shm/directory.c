/* latest, list and clean. */
#include "transport/shm/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "os/lock.h"
#include "transport/shm/allow.h"
#include "transport/shm/channel.h"
#include "transport/shm/peek.h"

enum { ATTEMPTS = 16 };
/* A half-made channel whose maker has not come to its lock yet is left alone for so long. */
static const int64_t MAKING_NS = INT64_C(10000000000);

/* ---- latest ---- */

/* The lane with the newest frame, by time. Return: WEIR_OK, WEIR_ENOENT (no frame), failures. *ret_is_stale: a lane has grown and
 * taken old segments away while we looked, and the newest frame may be in its new one. */
static int newest_find(int directory, struct weir_peek *ret, int *ret_is_stale) {
    uint32_t generation[WEIR_SHM_LANES];
    int status = weir_peek_lanes(directory, generation);
    int worst = WEIR_ENOENT;
    struct weir_peek best = {.fd = -1};
    *ret_is_stale = 0;
    if (status)
        return status;
    for (unsigned lane = 0; lane < WEIR_SHM_LANES; lane++) {
        struct weir_peek peek;
        status = generation[lane] ? weir_peek_newest(directory, lane, generation[lane], &peek) : WEIR_EAGAIN;
        if (status == WEIR_OK && (best.fd < 0 || peek.time >= best.time)) {
            if (best.fd >= 0)
                close(best.fd);
            best = peek;
        } else if (status == WEIR_OK) {
            close(peek.fd);
        } else if (status == WEIR_ENOENT) {
            *ret_is_stale = 1;
        } else if (status != WEIR_EAGAIN) {
            worst = status;
        }
    }
    if (best.fd < 0)
        return worst;
    *ret = best;
    return WEIR_OK;
}

static int newest_copy(int directory, struct weir_buffer *out, struct weir_inbound *ret) {
    int status = WEIR_EAGAIN;
    for (int attempts = 0; status == WEIR_EAGAIN && attempts < ATTEMPTS; attempts++) {
        struct weir_peek peek;
        int is_stale;
        status = newest_find(directory, &peek, &is_stale);
        if (is_stale && attempts + 1 < ATTEMPTS) {
            if (status == WEIR_OK)
                close(peek.fd);
            status = WEIR_EAGAIN;
            continue;
        }
        if (status)
            return status;
        status = weir_peek_copy(&peek, out);
        close(peek.fd);
        *ret = (struct weir_inbound){
            .bytes = out->data,
            .word = peek.word,
            .size = out->size,
            .writer = peek.header.lane + 1,
            .peer = peek.header.lane + 1,
            .uid = peek.uid,
        };
    }
    return status;
}

int weir_shm_latest(const struct weir_place *place, struct weir_buffer *out, struct weir_inbound *ret,
                    weir_error *err) {
    struct weir_store store;
    char entry[WEIR_NAME_MAX + 1];
    int status = weir_store_open(&store, place, 0, err);
    if (status == WEIR_ENOENT)
        return weir_fail(err, WEIR_ENOENT, "%s: there is no such channel; start its writer first", place->text);
    if (status)
        return status;
    weir_store_entry(place->name, entry);
    int directory = openat(store.fd, entry, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory < 0 && errno == ENOENT)
        status = weir_fail(err, WEIR_ENOENT, "%s: there is no such channel; start its writer first", place->text);
    else if (directory < 0 && errno == EACCES)
        status = weir_shm_closed(place, err);
    else if (directory < 0)
        status = weir_fail_errno(err, errno, "%s cannot be opened", place->text);
    else if ((status = newest_copy(directory, out, ret)) == WEIR_ENOENT)
        weir_fail(err, status, "%s: there is no message yet", place->text);
    else if (status == WEIR_EACCESS)
        weir_shm_closed(place, err);
    else if (status)
        weir_fail(err, status, "%s: its newest message cannot be read: %s", place->text, weir_err_text(status));
    if (directory >= 0)
        close(directory);
    weir_store_close(&store);
    return status;
}

/* ---- walking the store ---- */

typedef int entry_fn(const struct weir_store *store, const char *entry, void *user);

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
            status = fn(&store, entry->d_name, user);
    }
    if (listing)
        closedir(listing);
    weir_store_close(&store);
    return status;
}

static int entry_open(const struct weir_store *store, const char *entry) {
    return openat(store->fd, entry, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Bytes of store that the files of a directory use. */
static uint64_t store_used(int directory) {
    uint64_t bytes = 0;
    int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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

/* ---- list ---- */

struct listing_user {
    weir_listing_fn *fn;
    void *user;
};

static int has_members(int directory) {
    int fd = weir_channel_file(directory, "members.lock", O_RDONLY, 0);
    int held = fd >= 0 && weir_lock_is_held(fd, WEIR_SHM_LOCK_MEMBERS);
    if (fd >= 0)
        close(fd);
    return held;
}

static int channel_list(const struct weir_store *store, const char *entry, void *user) {
    const struct listing_user *to = user;
    uint32_t generation[WEIR_SHM_LANES];
    struct weir_listing listing = {0};
    int directory = entry_open(store, entry);
    if (directory < 0)
        return WEIR_OK; /* gone meanwhile, or no channel */
    int status = weir_peek_lanes(directory, generation);
    for (unsigned lane = 0; status == WEIR_OK && lane < WEIR_SHM_LANES; lane++) {
        struct weir_peek peek = {.fd = -1};
        int found = generation[lane] ? weir_peek_newest(directory, lane, generation[lane], &peek) : WEIR_ENOENT;
        listing.messages += peek.sent;
        if (found != WEIR_OK)
            continue;
        listing.last_time = peek.time > listing.last_time ? peek.time : listing.last_time;
        close(peek.fd);
    }
    listing.bytes = store_used(directory);
    listing.has_ends = has_members(directory);
    close(directory);
    if (status)
        return WEIR_OK;
    char name[WEIR_NAME_MAX + 1];
    weir_store_name(entry, name, sizeof(name));
    snprintf(listing.address, sizeof(listing.address), "shm://%s", name);
    return to->fn(&listing, to->user);
}

int weir_shm_list(weir_listing_fn *listing_fn, void *user, weir_error *err) {
    struct listing_user to = {listing_fn, user};
    return entries_each(0, channel_list, &to, err);
}

/* ---- clean ---- */

struct clean_user {
    weir_clean_fn *fn;
    void *user;
    int is_dry_run;
};

static int clean_tell(const struct clean_user *to, const struct weir_store *store, const char *entry, const char *what,
                      int directory) {
    char path[WEIR_STORE_PATH_MAX + WEIR_NAME_MAX + 2];
    snprintf(path, sizeof(path), "%s/%s", store->path, entry);
    return to->fn ? to->fn(path, what, store_used(directory), to->user) : WEIR_OK;
}

/* Nobody works on it: its lock is free, or there is none and it is old. */
static int is_abandoned(int directory) {
    struct stat about;
    int fd = weir_channel_file(directory, "members.lock", O_RDWR, 0);
    if (fd >= 0) {
        int is_held = weir_lock_is_held(fd, WEIR_SHM_LOCK_MEMBERS);
        close(fd);
        return !is_held;
    }
    if (fstat(directory, &about) != 0)
        return 0;
    return weir_clock_realtime() - ((int64_t)about.st_mtim.tv_sec * 1000000000 + about.st_mtim.tv_nsec) > MAKING_NS;
}

/* Under another name first: a maker that was stopped for very long then fails to put in its place what we take apart. */
static void hidden_remove(const struct weir_store *store, const char *entry) {
    char name[40];
    weir_store_dot_name("gone", name);
    if (renameat(store->fd, entry, store->fd, name) == 0)
        weir_store_remove(store->fd, name);
}

static int hidden_clean(const struct weir_store *store, const char *entry, void *user) {
    const struct clean_user *to = user;
    int directory = entry_open(store, entry);
    if (directory < 0)
        return WEIR_OK;
    int status = WEIR_OK;
    if (is_abandoned(directory)) {
        status = clean_tell(to, store, entry, "half-made or half-removed channel", directory);
        if (status == WEIR_OK && !to->is_dry_run)
            hidden_remove(store, entry);
    }
    close(directory);
    return status;
}

static int channel_clean(const struct weir_store *store, const char *entry, void *user) {
    const struct clean_user *to = user;
    int directory = entry_open(store, entry);
    int fd = directory < 0 ? -1 : weir_channel_file(directory, "members.lock", O_RDWR, 0);
    int status = WEIR_OK;
    /* The lock is taken before we look, so that nobody can come in between. */
    if (fd >= 0 && weir_channel_kept(directory) != WEIR_CHANNEL_KEEP &&
        weir_lock_take(fd, WEIR_SHM_LOCK_MEMBERS, 1) == WEIR_OK) {
        if (weir_channel_kept(directory) != WEIR_CHANNEL_KEEP)
            status = clean_tell(to, store, entry, "channel with keep=0 and no ends", directory);
        if (status == WEIR_OK && !to->is_dry_run && weir_channel_kept(directory) != WEIR_CHANNEL_KEEP)
            weir_channel_remove(store, entry, directory);
    }
    if (fd >= 0)
        close(fd);
    if (directory >= 0)
        close(directory);
    return status;
}

int weir_shm_clean(int is_dry_run, weir_clean_fn *clean_fn, void *user, weir_error *err) {
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
