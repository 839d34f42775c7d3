/* Who may: a list of users and groups, what the kernel says of the process at the other end of a socket, and access
 * lists of files.
 *
 * What must stay true: names become numbers once, when the list is read; from then on only numbers are compared, and
 * those of the other side come from the kernel, never from the other side. */
#ifndef WEIR_OS_ACCESS_H
#define WEIR_OS_ACCESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <weir/error.h>

enum { WEIR_ALLOW_MAX = 32, WEIR_ALLOW_TEXT_MAX = 80 };

/* uid:1000, group:lab, ... */
struct weir_allow {
    uint32_t count;
    struct {
        uint32_t is_group;
        uint32_t id;
    } who[WEIR_ALLOW_MAX];
};

/* A login name, or digits. Return: WEIR_OK, WEIR_ENOENT. */
int weir_user_find(const char *name, size_t size, uid_t *ret);
int weir_group_find(const char *name, size_t size, gid_t *ret);

/* Append what "uid:1000,uid:imu,group:lab" names. Return: WEIR_OK, WEIR_EINVAL (another form, or too many), WEIR_ENOENT
 * (a name that nobody has). */
int weir_allow_parse(const char *text, size_t size, struct weir_allow *allow);
/* "uid:imu" or "group:100": one of the list, with its name where it has one. */
void weir_allow_text(const struct weir_allow *allow, size_t index, char text[WEIR_ALLOW_TEXT_MAX]);

/* Is the process that connected socket @fd in group @wanted? @gid: its primary one, as SO_PEERCRED says. */
int weir_peer_in_group(int fd, gid_t gid, gid_t wanted);
/* Is it on the list, by its user or one of its groups? */
int weir_allow_has_peer(const struct weir_allow *allow, int fd, uid_t uid, gid_t gid);

/* Is @owner a stranger, and can everybody put a file where @path is? Then whoever gave the path may have meant another,
 * and the stranger was faster. Where only he, we or root may put files he was chosen. Root takes any. */
int weir_access_is_planted(const char *path, uid_t owner);

/* Give the users and groups of the list @rights (4 read, 2 write, 1 pass) on an open file or directory, and nobody else
 * of those that were named so before; owner, group and others keep what they have. @is_default: what files have that
 * will be made in this directory; for all but the owner the mode they are made with then limits it. Return: WEIR_OK,
 * WEIR_ESYSTEM with errno (EOPNOTSUPP: the file system has no access lists). */
int weir_access_give(int fd, const struct weir_allow *allow, unsigned rights, int is_default);
/* Take the access list of what stands at @path off, so that its mode alone counts. */
void weir_access_clear(const char *path);
/* Who is named in the access list of a file. An empty list when there is none, or it cannot be read. */
void weir_access_read(int fd, struct weir_allow *ret);

/* Say why @path was refused, who it is of, and the way out. @sys_errno: what the system said; @subject: what the sentence
 * is about, as "file:///run/a.weir"; @wanted: 4 to read it, 2 to write it, or to make it where it is not there.
 * Return: as weir_fail_errno. */
int weir_access_refused(weir_error *err, int sys_errno, const char *subject, const char *path, unsigned wanted);

#endif
