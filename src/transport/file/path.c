/* Opening and making logs, and the names of those that rotation has put aside: PATH.1 is the newest of them.
 *
 * What must stay true: nothing but a regular file is opened, no symbolic link is followed as the last part of the path,
 * and what is made is never open to more users than the address says, not even for a moment. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/error.h"
#include "os/access.h"
#include "os/process.h"
#include "transport/file/file.h"

/* A .json file is one value or a log of lines, and its name does not tell which; a line behind a value ruins it. */
static int json_undecided(const struct weir_place *place, weir_error *err) {
    return weir_fail(err, WEIR_EADDRESS,
                     "%s: the name does not say whether it is one value or a log; say state=1 for a value that each "
                     "message replaces, or framing=jsonl for a log of JSON lines",
                     place->text);
}

int weir_file_check(const struct weir_place *place, weir_error *err) {
    size_t size = strlen(place->name);
    struct stat about;
    if (place->name[0] != '/')
        return weir_fail(err, WEIR_EADDRESS, "%s: a file needs an absolute path, as in file:///var/log/imu.weir",
                         place->text);
    if (place->name[size - 1] == '/' ||
        (place->framing < 0 && stat(place->name, &about) == 0 && S_ISDIR(about.st_mode)))
        return weir_fail(err, WEIR_EADDRESS, "%s: that is a folder; name a file in it, as %s%sNAME.weir", place->text,
                         place->text, place->name[size - 1] == '/' ? "" : "/");
    if (place->framing < 0 && size > 5 && strcmp(place->name + size - 5, ".json") == 0)
        return json_undecided(place, err);
    if (place->framing < 0)
        return weir_fail(err, WEIR_EADDRESS,
                         "%s: the name does not say what is in the file; end it in .weir, .jsonl, .cborseq, .smile or "
                         ".bson, or say framing=weir, jsonl, cborseq, smile or bson",
                         place->text);
    if (place->is_state && (place->rotate_size || place->rotate_ns))
        return weir_fail(err, WEIR_EADDRESS,
                         "%s: state=1 keeps one value, so there is nothing to rotate; leave out "
                         "rotate= and age=",
                         place->text);
    return WEIR_OK;
}

int weir_file_named(const struct weir_place *place, int status, weir_error *err) {
    weir_error why;
    if (status == WEIR_OK || status == WEIR_EAGAIN || !err || strncmp(err->text, place->text, strlen(place->text)) == 0)
        return status;
    why = *err;
    return weir_fail(err, status, "%s: %.380s", place->text, why.text);
}

void weir_file_rotated(const struct weir_place *place, uint32_t number, char *path) {
    if (number == 0)
        snprintf(path, WEIR_FILE_PATH_MAX, "%s", place->name);
    else
        snprintf(path, WEIR_FILE_PATH_MAX, "%s.%u", place->name, number);
}

uint32_t weir_file_rotated_count(const struct weir_place *place) {
    char path[WEIR_FILE_PATH_MAX];
    struct stat about;
    uint32_t count = 0;
    /* A writer that was killed while it rotated leaves a hole. */
    for (uint32_t number = 1; number <= count + 2; number++) {
        weir_file_rotated(place, number, path);
        if (lstat(path, &about) == 0 && S_ISREG(about.st_mode))
            count = number;
    }
    return count;
}

int weir_file_about(int fd, const char *path, struct weir_file_about *ret) {
    struct statx about;
    if (statx(path ? AT_FDCWD : fd, path ? path : "", path ? AT_SYMLINK_NOFOLLOW : AT_EMPTY_PATH,
              STATX_INO | STATX_SIZE, &about) != 0)
        return 0;
    *ret = (struct weir_file_about){
        .dev = makedev(about.stx_dev_major, about.stx_dev_minor), .ino = about.stx_ino, .size = about.stx_size};
    return 1;
}

int weir_file_is_at(int fd, const char *path) {
    struct weir_file_about there, here;
    return weir_file_about(-1, path, &there) && weir_file_about(fd, NULL, &here) && there.ino == here.ino &&
           there.dev == here.dev;
}

/* ---- where locks and notices do not work ---- */

static const struct {
    uint32_t magic;
    const char *name;
} refused[] = {{0x6969, "NFS"},        {0x517B, "SMB"},       {0xFF534D42, "CIFS"}, {0xFE534D42, "SMB"},
               {0x65735546, "FUSE"},   {0x01021997, "9P"},    {0x5346414F, "AFS"},  {0x00C36400, "Ceph"},
               {0x0BD00BD0, "Lustre"}, {0x7461636f, "OCFS2"}, {0x01161970, "GFS2"}};

/* The name of the one that the file is on; NULL: none of these. */
static const char *refused_name(int fd) {
    struct statfs about;
    if (fstatfs(fd, &about) != 0)
        return NULL;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        if ((uint32_t)about.f_type == refused[i].magic)
            return refused[i].name;
    return NULL;
}

int weir_file_is_remote(int fd) {
    return refused_name(fd) != NULL;
}

static int system_check(const struct weir_place *place, int fd, weir_error *err) {
    const char *name = place->may_any_fs ? NULL : refused_name(fd);
    if (!name)
        return WEIR_OK;
    return weir_fail(
        err, WEIR_ENOTSUP,
        "%s: the file lies on %s, where other machines may write unseen and unlocked; choose a local disk, "
        "or say anyfs=1 if only this machine uses it",
        place->text, name);
}

static int no_file(const struct weir_place *place, int is_folder, weir_error *err) {
    return weir_fail(err, WEIR_EADDRESS,
                     is_folder ? "%s: a folder is there; name a file in it, or choose another path"
                               : "%s: what is there is no regular file; choose another path",
                     place->text);
}

static int regular_check(const struct weir_place *place, const char *path, int fd, int is_writing, weir_error *err) {
    char user[64];
    struct stat about;
    if (fstat(fd, &about) != 0)
        return weir_fail_errno(err, errno, "%s: cannot be looked at", place->text);
    if (!S_ISREG(about.st_mode))
        return no_file(place, S_ISDIR(about.st_mode), err);
    if (is_writing && weir_access_is_planted(path, about.st_uid)) {
        weir_process_user(about.st_uid, user, sizeof(user));
        return weir_fail(
            err, WEIR_EACCESS,
            "%s: the log is of user %s, in a directory where everybody may put one; choose a directory that "
            "only the right user can write",
            place->text, user);
    }
    return system_check(place, fd, err);
}

/* ---- making ---- */

static int group_find(const struct weir_place *place, gid_t *ret, weir_error *err) {
    struct group entry, *found = NULL;
    char text[4096], *rest;
    unsigned long number = strtoul(place->group, &rest, 10);
    if (*rest == '\0' && number <= UINT32_MAX) {
        *ret = (gid_t)number;
        return WEIR_OK;
    }
    getgrnam_r(place->group, &entry, text, sizeof(text), &found);
    if (!found)
        return weir_fail(err, WEIR_EADDRESS, "%s: there is no group \"%s\"", place->text, place->group);
    *ret = found->gr_gid;
    return WEIR_OK;
}

int weir_file_rights(const struct weir_place *place, int fd, uint32_t mode, weir_error *err) {
    gid_t group = (gid_t)-1;
    int status = place->group[0] ? group_find(place, &group, err) : WEIR_OK;
    if (status != WEIR_OK)
        return status;
    if (place->group[0] && fchown(fd, (uid_t)-1, group) != 0)
        return weir_fail_errno(err, errno, "%s: cannot be given to the group %s", place->text, place->group);
    if (fchmod(fd, mode) != 0)
        return weir_fail_errno(err, errno, "%s: cannot be given the mode %04o", place->text, mode);
    return WEIR_OK;
}

static int make(const struct weir_place *place, const char *path, int *ret_fd, weir_error *err) {
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd < 0)
        return errno == EEXIST   ? WEIR_EBUSY
               : errno == EACCES ? weir_access_refused(err, errno, place->text, path, 2)
                                 : weir_fail_errno(err, errno, "%s: cannot be made", place->text);
    int status = system_check(place, fd, err);
    if (status == WEIR_OK)
        status = weir_file_rights(place, fd, place->mode, err);
    if (status != WEIR_OK) {
        unlink(path);
        close(fd);
        return status;
    }
    *ret_fd = fd;
    return WEIR_OK;
}

int weir_file_make_aside(const struct weir_place *place, char *path, int *ret_fd, weir_error *err) {
    snprintf(path, WEIR_FILE_PATH_MAX, "%s.new", place->name);
    unlink(path); /* of a writer that was killed: who holds the lock is alone here */
    int status = make(place, path, ret_fd, err);
    return status == WEIR_EBUSY ? weir_fail(err, WEIR_EBUSY, "%s: somebody else makes a new file there", place->text)
                                : status;
}

int weir_file_open(const struct weir_place *place, const char *path, int is_writing, int may_make, int *ret_fd,
                   int *ret_made, weir_error *err) {
    int flags = (is_writing ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    if (is_writing && place->framing != WEIR_FRAMING_FRAMES)
        flags |= O_APPEND; /* other programs append to plain logs without our lock */
    if (ret_made)
        *ret_made = 0;
    for (int i = 0; i < 3; i++) {
        int fd = open(path, flags);
        if (fd >= 0) {
            int status = regular_check(place, path, fd, is_writing, err);
            if (status != WEIR_OK)
                close(fd);
            else
                *ret_fd = fd;
            return status;
        }
        if (errno == EISDIR)
            return no_file(place, 1, err);
        if (errno == ELOOP)
            return weir_fail(err, WEIR_EADDRESS, "%s: a symbolic link is there; name the file itself", place->text);
        if (errno == EACCES)
            return weir_access_refused(err, errno, place->text, path, is_writing ? 2 : 4);
        if (errno != ENOENT || !may_make)
            return errno == ENOENT
                       ? weir_fail(err, WEIR_ENOENT, "%s: there is no such log; who sends to it makes it", place->text)
                       : weir_fail_errno(err, errno, "%s: cannot be opened", place->text);
        int made_fd, status = make(place, path, &made_fd, err);
        if (status == WEIR_OK) {
            close(made_fd); /* opened again with the flags that are wanted */
            if (ret_made)
                *ret_made = 1;
        } else if (status != WEIR_EBUSY) {
            return status;
        }
    }
    return weir_fail(err, WEIR_EBUSY, "%s: the file comes and goes", place->text);
}

int weir_file_sync_directory(const struct weir_place *place) {
    char path[WEIR_FILE_PATH_MAX];
    snprintf(path, sizeof(path), "%s", place->name);
    char *slash = strrchr(path, '/');
    slash[slash == path] = '\0';
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return WEIR_ESYSTEM;
    int status = fsync(fd) == 0 ? WEIR_OK : WEIR_ESYSTEM;
    close(fd);
    return status;
}
