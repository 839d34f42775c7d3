/* Sockets at a path: listening under the lease, connecting, and who may.
 *
 * What must stay true: nothing is ever unlinked or replaced that is not a socket of ours, and only while we hold the
 * lease. The socket is made under another name (PATH.new), gets its owner and mode there, and is renamed into place
 * when it already listens, so that at no moment anybody can connect who may not, or finds a socket that does not
 * answer. Abstract names are not used: they have no permissions. */
#include "transport/socket/local.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "os/access.h"
#include "transport/socket/lease.h"
#include "transport/socket/socket.h"

static const char new_suffix[] = ".new";

enum {
    PATH_SIZE_MAX = (int)(sizeof(((struct sockaddr_un *)0)->sun_path) - sizeof(new_suffix)), /* 103 */
    DYING_NS = 1000 * 1000 * 1000, /* how long a killed listener may take to be torn down */
    DYING_NAP_NS = 1000 * 1000
};

int weir_socket_local_check(const struct weir_place *place, weir_error *err) {
    size_t size = strlen(place->name);
    if (place->name[0] != '/')
        return weir_fail(err, WEIR_EADDRESS, "%s: the path must be absolute, as in unix:///run/imu.sock", place->text);
    if (place->name[size - 1] == '/')
        return weir_fail(err, WEIR_EADDRESS, "%s: the path must name a socket, not a directory", place->text);
    if (size > PATH_SIZE_MAX)
        return weir_fail(err, WEIR_EADDRESS,
                         "%.80s...: the path has %zu bytes, a socket's may have %d; choose a shorter one", place->text,
                         size, PATH_SIZE_MAX);
    if (place->allow.count > 0 && place->is_mode_given && !(place->mode & 022))
        return weir_fail(err, WEIR_EADDRESS,
                         "%s: allow= lets others in and mode=%04o keeps them out; leave mode= out, or write mode=0666",
                         place->text, place->mode);
    return WEIR_OK;
}

static struct sockaddr_un address_of(const char *path, const char *suffix) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%.*s%s", PATH_SIZE_MAX, path, suffix);
    return address;
}

/* ---- connecting ---- */

/* What stands at the path? Return: WEIR_OK (a socket), WEIR_ENOENT, WEIR_EADDRESS (something that is not ours to
 * touch). */
static int path_look(const struct weir_place *place, struct stat *ret, weir_error *err) {
    if (lstat(place->name, ret) != 0)
        return weir_fail_errno(err, errno, "%s: nobody listens", place->text);
    if (S_ISSOCK(ret->st_mode))
        return WEIR_OK;
    return weir_fail(err, WEIR_EADDRESS, "%s: there is a %s, not a socket; remove it or choose another path",
                     place->text,
                     S_ISLNK(ret->st_mode)   ? "symbolic link"
                     : S_ISDIR(ret->st_mode) ? "directory"
                     : S_ISREG(ret->st_mode) ? "regular file"
                                             : "file of another kind");
}

static int connect_failed(const struct weir_place *place, int sys_errno, weir_error *err) {
    if (sys_errno == EAGAIN || sys_errno == EINTR)
        return weir_fail(err, WEIR_EAGAIN, "%s: too many ends wait to be let in", place->text);
    if (sys_errno == ECONNREFUSED || sys_errno == ENOENT)
        return weir_fail(err, WEIR_ENOENT, "%s: nobody listens", place->text);
    if (sys_errno == EPROTOTYPE)
        return weir_fail(err, WEIR_EADDRESS, "%s: the socket there is not a stream; choose another path", place->text);
    if (sys_errno == EACCES || sys_errno == EPERM)
        return weir_fail_errno(
            err, sys_errno,
            "%s: connecting is refused; its owner decides with allow=, or mode= and group=, who may, "
            "when he begins to listen",
            place->text);
    return weir_fail_errno(err, sys_errno, "%s: cannot connect", place->text);
}

static int path_connect(const struct weir_place *place, int *ret_fd, weir_error *err) {
    struct stat there;
    int status = path_look(place, &there, err);
    if (status != WEIR_OK)
        return status;
    /* Not blocking while it connects, as a full backlog would hold us; blocking afterwards, as a lone reader waits in
     * recv. */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return weir_fail_errno(err, errno, "%s: no socket can be made", place->text);
    struct sockaddr_un address = address_of(place->name, "");
    int sys_errno = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : errno;
    if (sys_errno == 0 && fcntl(fd, F_SETFL, 0) != 0)
        sys_errno = errno;
    if (sys_errno != 0) {
        close(fd);
        return connect_failed(place, sys_errno, err);
    }
    *ret_fd = fd;
    return WEIR_OK;
}

static int local_connect(const struct weir_place *place, struct weir_endpoints *to, struct weir_link *ret,
                         weir_error *err) {
    (void)to;
    ret->is_underway = 0;
    return path_connect(place, &ret->fd, err);
}

static int local_resolve(const struct weir_place *place, struct weir_endpoints *ret, weir_error *err) {
    (void)place, (void)ret, (void)err;
    return WEIR_OK;
}

/* ---- listening ---- */

static int group_find(const struct weir_place *place, gid_t *ret, weir_error *err) {
    if (weir_group_find(place->group, strlen(place->group), ret) == WEIR_OK)
        return WEIR_OK;
    return weir_fail(err, WEIR_EADDRESS, "%s: there is no group \"%s\"", place->text, place->group);
}

/* Does somebody answer at a socket whose lease is ours: a listener that was killed a moment ago and is still being
 * torn down, or a stranger's program? Only open waits for the first, and only of an end that must listen: any other
 * tries to connect again, and then finds out. Return: WEIR_OK (it is dead), WEIR_EBUSY. */
static int stranger_wait(const struct weir_place *place, weir_error *err) {
    int64_t deadline = place->must_listen ? weir_deadline(DYING_NS) : 0;
    for (;;) {
        int fd, status = path_connect(place, &fd, NULL);
        if (status == WEIR_ENOENT)
            return WEIR_OK;
        if (status == WEIR_OK)
            close(fd);
        if (weir_deadline_left(deadline) == 0)
            break;
        nanosleep(&(struct timespec){.tv_nsec = DYING_NAP_NS}, NULL);
    }
    return weir_stranger_there(place, WEIR_EBUSY, err);
}

/* May the path be taken over? Nothing there, or a dead socket of ours. */
static int path_check(const struct weir_place *place, int *ret_is_there, weir_error *err) {
    struct stat there;
    int status = path_look(place, &there, err);
    *ret_is_there = status == WEIR_OK;
    if (status == WEIR_ENOENT)
        return WEIR_OK;
    if (status != WEIR_OK)
        return status;
    if (there.st_uid != geteuid() && geteuid() != 0)
        return weir_fail(err, WEIR_EACCESS,
                         "%s: the socket there belongs to another user (uid %u); choose another path", place->text,
                         (unsigned)there.st_uid);
    return stranger_wait(place, err);
}

/* What a listener that died while it made its socket left behind; only ours, and only a socket. */
static void leftover_remove(const char *path) {
    struct stat there;
    if (lstat(path, &there) == 0 && S_ISSOCK(there.st_mode) && (there.st_uid == geteuid() || geteuid() == 0))
        unlink(path);
}

/* With allow= everybody may knock, unless mode= says who: only so can one who is not let in be told why. */
static mode_t mode_of(const struct weir_place *place) {
    return place->allow.count > 0 && !place->is_mode_given ? 0666 : place->mode & 0666;
}

/* Give the socket at @path its group and mode. It was made with no rights for others, so this only ever widens them. */
static int rights_set(const struct weir_place *place, const char *path, weir_error *err) {
    gid_t group = (gid_t)-1;
    if (place->group[0]) {
        int status = group_find(place, &group, err);
        if (status != WEIR_OK)
            return status;
        if (lchown(path, (uid_t)-1, group) != 0)
            return weir_fail_errno(err, errno, "%s: the socket cannot be given to group \"%s\"", place->text,
                                   place->group);
    }
    if (chmod(path, mode_of(place)) != 0)
        return weir_fail_errno(err, errno, "%s: the socket's mode cannot be set", place->text);
    return WEIR_OK;
}

static int made_listening(const struct weir_place *place, int fd, const struct sockaddr_un *address, weir_error *err) {
    /* The mode of a socket's file comes from its descriptor, so there is no moment at which it is wider. */
    if (fchmod(fd, 0600) != 0 || bind(fd, (const struct sockaddr *)address, sizeof(*address)) != 0)
        return weir_fail_errno(err, errno, "%s: the socket cannot be made there", place->text);
    int status = rights_set(place, address->sun_path, err);
    if (status == WEIR_OK && listen(fd, SOMAXCONN) != 0)
        status = weir_fail_errno(err, errno, "%s: cannot listen", place->text);
    return status;
}

static int renamed(const struct weir_place *place, const char *from, int is_there, weir_error *err) {
    if (renameat2(AT_FDCWD, from, AT_FDCWD, place->name, is_there ? 0 : RENAME_NOREPLACE) == 0)
        return WEIR_OK;
    /* Not every file system knows RENAME_NOREPLACE; there the look a moment ago must do. */
    if (errno == EINVAL && rename(from, place->name) == 0)
        return WEIR_OK;
    return weir_fail_errno(err, errno, "%s: the socket cannot be put in its place", place->text);
}

static int listening(const struct weir_place *place, struct weir_claim *claim, weir_error *err) {
    int is_there;
    struct stat made;
    struct sockaddr_un address = address_of(place->name, new_suffix);
    int status = path_check(place, &is_there, err);
    if (status != WEIR_OK)
        return status;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return weir_fail_errno(err, errno, "%s: no socket can be made", place->text);
    leftover_remove(address.sun_path);
    status = made_listening(place, fd, &address, err);
    if (status == WEIR_OK && lstat(address.sun_path, &made) != 0)
        status = weir_fail_errno(err, errno, "%s: the socket that was just made is gone", place->text);
    if (status == WEIR_OK)
        status = renamed(place, address.sun_path, is_there, err);
    if (status != WEIR_OK) {
        leftover_remove(address.sun_path);
        close(fd);
        return status;
    }
    claim->listen_fd = fd;
    claim->device = made.st_dev;
    claim->inode = made.st_ino;
    return WEIR_OK;
}

static int local_claim(const struct weir_place *place, const struct weir_endpoints *at, const char *what,
                       struct weir_claim *ret, weir_error *err) {
    (void)at;
    struct weir_claim claim = {.listen_fd = -1};
    int status = weir_lease_take(place->name, what, &claim.lease_fd, err);
    if (status != WEIR_OK)
        return status;
    status = listening(place, &claim, err);
    if (status != WEIR_OK) {
        weir_lease_drop(place->name, claim.lease_fd);
        return status;
    }
    *ret = claim;
    return WEIR_OK;
}

static void local_unclaim(const struct weir_place *place, struct weir_claim *claim) {
    struct stat there;
    if (lstat(place->name, &there) == 0 && S_ISSOCK(there.st_mode) && there.st_dev == claim->device &&
        there.st_ino == claim->inode)
        unlink(place->name);
    close(claim->listen_fd);
    weir_lease_drop(place->name, claim->lease_fd);
    claim->listen_fd = claim->lease_fd = -1;
}

/* ---- who may connect ---- */

/* The file's mode has let him connect; this is asked again here, of the kernel, because a directory or mode may have
 * been widened by somebody else than the channel's address. allow= replaces what the mode would say. */
static int is_admitted(const struct weir_place *place, int fd, const struct ucred *peer) {
    gid_t group = getegid();
    if (peer->uid == geteuid() || peer->uid == 0)
        return 1;
    if (place->allow.count > 0)
        return weir_allow_has_peer(&place->allow, fd, peer->uid, peer->gid);
    if (place->mode & 02)
        return 1;
    if (!(place->mode & 020))
        return 0;
    if (place->group[0] && group_find(place, &group, NULL) != WEIR_OK)
        return 0;
    return weir_peer_in_group(fd, peer->gid, group);
}

static int local_admit(const struct weir_place *place, int fd, struct weir_credentials *ret, weir_error *err) {
    struct ucred peer;
    socklen_t size = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return weir_fail_errno(err, errno, "%s: the kernel does not say who connects", place->text);
    ret->uid = peer.uid;
    ret->pid = peer.pid;
    if (!is_admitted(place, fd, &peer))
        return weir_fail(err, WEIR_EACCESS, "uid %u may not connect here; who listens can let it in with allow=uid:%u",
                         (unsigned)peer.uid, (unsigned)peer.uid);
    return WEIR_OK;
}

const struct weir_socket_family weir_socket_local = {
    .is_one_machine = 1,
    .resolve = local_resolve,
    .claim = local_claim,
    .unclaim = local_unclaim,
    .connect = local_connect,
    .admit = local_admit,
};
