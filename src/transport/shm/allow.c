/* Who is on the list gets what a class with r has: he may pass the directory, and read `channel`, `members.lock` and
 * the lanes.
 *
 * What must stay true: lock files, cursors and FIFOs name nobody, since whoever may only read one could still take
 * locks on it that writers run into, or take bytes away that wake others. They are made with mode 0600, which empties
 * what they inherit. So a channel that others may write as well (mode & 022) has no list. */
#include "transport/shm/allow.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { RIGHT_READ = 4, RIGHT_PASS = 1 };

int weir_shm_allow_check(const struct weir_place *place, weir_error *err) {
    if (place->allow.count == 0 || !(place->mode & 022))
        return WEIR_OK;
    return weir_fail(
        err, WEIR_EADDRESS,
        "%s: allow= names who may read what you alone write, and with mode=%04o others write; leave one out",
        place->text, place->mode);
}

static int failed(const struct weir_place *place, weir_error *err) {
    if (errno == EOPNOTSUPP)
        return weir_fail(err, WEIR_ENOTSUP,
                         "%s: its store is on a file system without access lists; use mode= and group=", place->text);
    return weir_fail_errno(err, errno, "%s: those in allow= cannot be let in", place->text);
}

static int is_readable(const char *name) {
    return strcmp(name, "channel") == 0 || strcmp(name, "members.lock") == 0 || strncmp(name, "lane.", 5) == 0 ||
           strncmp(name, ".lane.", 6) == 0;
}

static int file_give(int directory, const char *name, const struct weir_allow *allow) {
    int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) /* gone meanwhile; or another user's, who may write no longer */
        return errno == ENOENT || errno == EACCES ? WEIR_OK : WEIR_ESYSTEM;
    int status = weir_access_give(fd, allow, RIGHT_READ, 0);
    int saved = errno;
    close(fd);
    errno = saved;
    return status && saved == EPERM ? WEIR_OK : status;
}

int weir_shm_allow_give(int directory, const struct weir_place *place, weir_error *err) {
    /* What comes is provided for first, then what is there: a lane that is made meanwhile is found by one of the
     * two. */
    if (weir_access_give(directory, &place->allow, RIGHT_READ, 1) ||
        weir_access_give(directory, &place->allow, RIGHT_READ | RIGHT_PASS, 0))
        return failed(place, err);
    int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    int status = listing ? WEIR_OK : failed(place, err);
    while (status == WEIR_OK && (entry = readdir(listing)) != NULL)
        if (is_readable(entry->d_name) && file_give(directory, entry->d_name, &place->allow) != WEIR_OK)
            status = failed(place, err);
    if (listing)
        closedir(listing);
    else if (fd >= 0)
        close(fd);
    return status;
}
