/* The store. Its directory is the one gate between users: it is made 0700 and widened to 0711 (pass through, see
 * nothing) only when a channel in it is opened to others; each channel's own mode then says who may do what.
 *
 * What must stay true: nothing is opened through a symbolic link, and what was opened is compared with what it should
 * be, because BASE may be a place where everybody can make names (/dev/shm is). */
#include "transport/shm/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "os/limit.h"
#include "os/process.h"

enum { USER_MAX = 64 };

/* ---- names ---- */

static int is_name_byte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

/* What follows "~user/"; @name itself when there is no such beginning. */
static const char *without_user(const char *name) {
    const char *slash = name[0] == '~' ? strchr(name, '/') : NULL;
    return slash ? slash + 1 : name;
}

int weir_store_check(const char *name, weir_error *err) {
    const char *rest = without_user(name);
    if (name[0] == '~' && (rest == name || rest == name + 2 || rest - name > USER_MAX))
        return weir_fail(err, WEIR_EADDRESS, "shm://%s: a channel of another user is written shm://~USER/NAME", name);
    if (strlen(rest) > WEIR_NAME_MAX)
        return weir_fail(err, WEIR_EADDRESS, "shm://%.60s...: a channel's name has at most %d bytes", name,
                         WEIR_NAME_MAX);
    char previous = '/';
    for (const char *at = rest;; previous = *at++) {
        if (previous == '/' && (*at == '\0' || *at == '/'))
            return weir_fail(err, WEIR_EADDRESS, "shm://%s: a part of the name is empty; write it as lab/imu", name);
        if (previous == '/' && *at == '.')
            return weir_fail(err, WEIR_EADDRESS, "shm://%s: no part of a name may begin with a dot", name);
        if (*at == '\0')
            return WEIR_OK;
        if (*at != '/' && !is_name_byte(*at))
            return weir_fail(err, WEIR_EADDRESS,
                             "shm://%s: a name is made of lower-case letters, digits, '.', '_', '-' and '/'", name);
    }
}

void weir_store_entry(const char *name, char entry[WEIR_NAME_MAX + 1]) {
    snprintf(entry, WEIR_NAME_MAX + 1, "%s", without_user(name));
    for (char *at = entry; *at; at++)
        if (*at == '/')
            *at = '~';
}

void weir_store_name(const char *entry, char *name, size_t size) {
    snprintf(name, size, "%s", entry);
    for (char *at = name; *at; at++)
        if (*at == '~')
            *at = '/';
}

void weir_store_dot_name(const char *kind, char name[40]) {
    uint64_t number;
    weir_random(&number, sizeof(number));
    snprintf(name, 40, ".%s.%016" PRIx64, kind, number);
}

/* ---- the user's directory ---- */

static int owner_find(const char *name, uid_t *ret, weir_error *err) {
    char user[USER_MAX] = "";
    snprintf(user, sizeof(user), "%.*s", (int)(without_user(name) - name - 2), name + 1);
    return weir_process_uid(user, ret) == WEIR_OK
               ? WEIR_OK
               : weir_fail(err, WEIR_EADDRESS, "shm://%s: there is no user \"%s\"", name, user);
}

static int directory_check(const struct weir_store *store, weir_error *err) {
    struct stat about;
    if (fstat(store->fd, &about) != 0)
        return weir_fail_errno(err, errno, "%s cannot be examined", store->path);
    if (about.st_uid != store->uid) {
        char squatter[USER_MAX];
        weir_process_user(about.st_uid, squatter, sizeof(squatter));
        return weir_fail(err, WEIR_EACCESS,
                         "%s belongs to user %s; have it removed, or set WEIR_SHM_DIR to a directory of your own",
                         store->path, squatter);
    }
    if (about.st_mode & 022)
        return weir_fail(err, WEIR_EACCESS, "%s can be written by others; chmod 700 it", store->path);
    return WEIR_OK;
}

static int directory_open(struct weir_store *store, int may_create, weir_error *err) {
    const int flags = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    store->fd = openat(store->base_fd, store->directory, O_RDONLY | flags);
    if (store->fd < 0 && errno == ENOENT && may_create) {
        if (mkdirat(store->base_fd, store->directory, 0700) != 0 && errno != EEXIST)
            return weir_fail_errno(err, errno, "%s cannot be made; %sset WEIR_SHM_DIR to a directory of your own",
                                   store->path,
                                   errno == EACCES ? "who may make names there must be let (chmod 1777), or " : "");
        store->fd = openat(store->base_fd, store->directory, O_RDONLY | flags);
    }
    if (store->fd < 0 && errno == EACCES) /* 0711: we may pass but not look */
        store->fd = openat(store->base_fd, store->directory, O_PATH | flags);
    if (store->fd >= 0)
        return directory_check(store, err);
    if (errno == ENOENT)
        return WEIR_ENOENT;
    if (errno == ENOTDIR || errno == ELOOP)
        return weir_fail(err, WEIR_EACCESS,
                         "%s is not a directory; remove it, or set WEIR_SHM_DIR to a directory of your own",
                         store->path);
    return weir_fail_errno(err, errno, "%s cannot be opened", store->path);
}

static int widen(const struct weir_store *store, weir_error *err) {
    struct stat about;
    if (fstat(store->fd, &about) == 0 && (about.st_mode & 0711) == 0711)
        return WEIR_OK;
    return fchmod(store->fd, 0711) == 0 ? WEIR_OK
                                        : weir_fail_errno(err, errno, "%s cannot be opened to others", store->path);
}

/* Open BASE. That it is not there is a mistake in what was set, which is another thing than a channel that is not
 * there. */
static int base_open(int *ret_fd, const char **ret_base, weir_error *err) {
    const char *base = secure_getenv("WEIR_SHM_DIR");
    if (!base || !*base)
        base = "/dev/shm";
    if (*base != '/')
        return weir_fail(
            err, WEIR_EADDRESS,
            "WEIR_SHM_DIR is \"%.100s\", which means another directory for each program; write it with a / in "
            "front",
            base);
    *ret_base = base;
    *ret_fd = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*ret_fd >= 0)
        return WEIR_OK;
    if (errno == ENOTDIR && access(base, F_OK) == 0)
        return weir_fail(err, WEIR_EADDRESS, "%.100s is not a directory; set WEIR_SHM_DIR to a directory of your own",
                         base);
    if (errno == ENOENT || errno == ENOTDIR)
        return weir_fail(err, WEIR_EADDRESS,
                         "there is no directory %.100s; make it, or set WEIR_SHM_DIR to a directory of your own", base);
    return weir_fail_errno(err, errno, "%.100s cannot be opened; set WEIR_SHM_DIR to a directory of your own", base);
}

int weir_store_open_user(struct weir_store *store, uid_t uid, int may_create, uint32_t mode, weir_error *err) {
    const char *base = NULL;
    *store = (struct weir_store){.base_fd = -1, .fd = -1, .uid = uid};
    int failed = base_open(&store->base_fd, &base, err);
    if (failed)
        return failed;
    snprintf(store->directory, sizeof(store->directory), "weir-%lu", (unsigned long)uid);
    snprintf(store->path, sizeof(store->path), "%.*s/%s", WEIR_STORE_PATH_MAX - 32, base, store->directory);
    int is_ours = uid == geteuid();
    int status = directory_open(store, may_create && is_ours, err);
    if (status == WEIR_OK && may_create && is_ours && (mode & 077))
        status = widen(store, err);
    if (status)
        weir_store_close(store);
    return status;
}

int weir_store_open(struct weir_store *store, const struct weir_place *place, int may_create, weir_error *err) {
    uid_t uid = geteuid();
    *store = (struct weir_store){.base_fd = -1, .fd = -1, .uid = uid};
    int status = place && place->name[0] == '~' ? owner_find(place->name, &uid, err) : WEIR_OK;
    uint32_t mode = place ? place->mode | (place->allow.count > 0 ? 04 : 0) : 0600;
    return status ? status : weir_store_open_user(store, uid, may_create, mode, err);
}

void weir_store_tidy(const struct weir_store *store) {
    unlinkat(store->base_fd, store->directory, AT_REMOVEDIR); /* fails, as it should, unless it is empty */
}

void weir_store_close(struct weir_store *store) {
    if (store->fd >= 0)
        close(store->fd);
    if (store->base_fd >= 0)
        close(store->base_fd);
    store->fd = store->base_fd = -1;
}

/* ---- files ---- */

int weir_store_remove(int at, const char *entry) {
    int fd = openat(at, entry, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *listing = fd < 0 ? NULL : fdopendir(fd);
    if (!listing) {
        if (fd >= 0)
            close(fd);
        return WEIR_ESYSTEM;
    }
    struct dirent *file;
    while ((file = readdir(listing)) != NULL)
        if (strcmp(file->d_name, ".") != 0 && strcmp(file->d_name, "..") != 0)
            unlinkat(fd, file->d_name, 0);
    closedir(listing);
    return unlinkat(at, entry, AT_REMOVEDIR) == 0 ? WEIR_OK : WEIR_ESYSTEM;
}

int weir_store_allocate(int fd, uint64_t offset, uint64_t size, const char *path, weir_error *err) {
    int failed = EFBIG;
    if (offset + size <= weir_limit_file_size())
        do
            failed = posix_fallocate(fd, (off_t)offset, (off_t)size);
        while (failed == EINTR);
    if (failed == 0)
        return WEIR_OK;
    struct statvfs store = {0};
    if (failed != ENOSPC || fstatvfs(fd, &store) != 0)
        return weir_fail_errno(err, failed, "%s: %" PRIu64 " bytes cannot be had", path, size);
    uint64_t free_bytes = (uint64_t)store.f_bavail * store.f_frsize;
    int status = weir_fail_errno(err, ENOSPC,
                                 "%s needs %" PRIu64 " bytes and the store has %" PRIu64
                                 " left; free some (weir gc, weir ls), lower capacity=, or set WEIR_SHM_DIR",
                                 path, size, free_bytes);
    return status;
}
