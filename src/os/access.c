/* Users and groups. The access lists are those of POSIX.1e draft 17 as Linux keeps them, in an extended attribute:
 *
 *     u32 version (2), then entries of u16 tag, u16 rights, u32 id
 *
 * in the order of their tags: owner, named users, group, named groups, mask, others. The mask limits all but owner and
 * others, and is what the group bits of the mode show and chmod changes. */
#include "os/access.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/error.h"
#include "os/process.h"

enum { NAME_MAX_HERE = 64, MEMORY_MIN = 4096, MEMORY_MAX = 1 << 20, GROUPS_USUAL = 64, GROUPS_MAX = 65536 };

/* ---- names ---- */

/* Return: WEIR_OK when @text is a number, which nobody's name is taken for; WEIR_EINVAL otherwise. */
static int number_read(const char *text, uint32_t *ret) {
    char *end;
    if (text[0] < '0' || text[0] > '9')
        return WEIR_EINVAL;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (*end != '\0' || errno != 0 || number >= UINT32_MAX) /* the last one means nobody to the kernel */
        return WEIR_EINVAL;
    *ret = (uint32_t)number;
    return WEIR_OK;
}

static int user_ask(const char *name, char *memory, size_t size, uint32_t *ret) {
    struct passwd entry, *found = NULL;
    int failed = getpwnam_r(name, &entry, memory, size, &found);
    if (found)
        *ret = found->pw_uid;
    return failed == ERANGE ? ERANGE : found ? 0 : ENOENT;
}

static int group_ask(const char *name, char *memory, size_t size, uint32_t *ret) {
    struct group entry, *found = NULL;
    int failed = getgrnam_r(name, &entry, memory, size, &found);
    if (found)
        *ret = found->gr_gid;
    return failed == ERANGE ? ERANGE : found ? 0 : ENOENT;
}

/* Ask for a name with more and more memory: a group may have many members. */
static int name_find(const char *name, size_t size, int is_group, uint32_t *ret) {
    char text[NAME_MAX_HERE];
    if (size == 0 || size >= sizeof(text) || memchr(name, '\0', size))
        return WEIR_ENOENT;
    memcpy(text, name, size);
    text[size] = '\0';
    if (number_read(text, ret) == WEIR_OK)
        return WEIR_OK;
    int failed = ERANGE;
    for (size_t room = MEMORY_MIN; failed == ERANGE && room <= MEMORY_MAX; room *= 4) {
        char *memory = malloc(room);
        if (!memory)
            return WEIR_ENOENT;
        failed = is_group ? group_ask(text, memory, room, ret) : user_ask(text, memory, room, ret);
        free(memory);
    }
    return failed ? WEIR_ENOENT : WEIR_OK;
}

int weir_user_find(const char *name, size_t size, uid_t *ret) {
    return name_find(name, size, 0, ret);
}

int weir_group_find(const char *name, size_t size, gid_t *ret) {
    return name_find(name, size, 1, ret);
}

/* ---- the list ---- */

static int has_prefix(const char *text, size_t size, const char *prefix) {
    return size > strlen(prefix) && memcmp(text, prefix, strlen(prefix)) == 0;
}

static int item_parse(const char *text, size_t size, struct weir_allow *allow) {
    int is_group = has_prefix(text, size, "group:");
    size_t skip = is_group ? strlen("group:") : strlen("uid:");
    uint32_t id;
    if (!is_group && !has_prefix(text, size, "uid:"))
        return WEIR_EINVAL;
    int status = name_find(text + skip, size - skip, is_group, &id);
    if (status)
        return status;
    for (uint32_t i = 0; i < allow->count; i++)
        if (allow->who[i].is_group == (uint32_t)is_group && allow->who[i].id == id)
            return WEIR_OK;
    if (allow->count == WEIR_ALLOW_MAX)
        return WEIR_EINVAL;
    allow->who[allow->count].is_group = (uint32_t)is_group;
    allow->who[allow->count++].id = id;
    return WEIR_OK;
}

int weir_allow_parse(const char *text, size_t size, struct weir_allow *allow) {
    for (;;) {
        const char *comma = memchr(text, ',', size);
        size_t length = comma ? (size_t)(comma - text) : size;
        int status = item_parse(text, length, allow);
        if (status || !comma)
            return status;
        text += length + 1;
        size -= length + 1;
    }
}

void weir_allow_text(const struct weir_allow *allow, size_t index, char text[WEIR_ALLOW_TEXT_MAX]) {
    char name[NAME_MAX_HERE];
    if (allow->who[index].is_group)
        weir_process_group(allow->who[index].id, name, sizeof(name));
    else
        weir_process_user(allow->who[index].id, name, sizeof(name));
    snprintf(text, WEIR_ALLOW_TEXT_MAX, "%s:%s", allow->who[index].is_group ? "group" : "uid", name);
}

/* ---- the other end of a socket ---- */

static int has_group(const gid_t *groups, socklen_t size, gid_t wanted) {
    for (size_t i = 0; i < size / sizeof(*groups); i++)
        if (groups[i] == wanted)
            return 1;
    return 0;
}

int weir_peer_in_group(int fd, gid_t gid, gid_t wanted) {
    gid_t groups[GROUPS_USUAL];
    socklen_t size = sizeof(groups);
    if (gid == wanted)
        return 1;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) == 0)
        return has_group(groups, size, wanted);
    if (errno != ERANGE || size > GROUPS_MAX * sizeof(gid_t))
        return 0;
    gid_t *many = malloc(size); /* the kernel has said how many there are */
    int is_in = many && getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, many, &size) == 0 && has_group(many, size, wanted);
    free(many);
    return is_in;
}

int weir_allow_has_peer(const struct weir_allow *allow, int fd, uid_t uid, gid_t gid) {
    for (uint32_t i = 0; i < allow->count; i++)
        if (allow->who[i].is_group ? weir_peer_in_group(fd, gid, allow->who[i].id) : allow->who[i].id == uid)
            return 1;
    return 0;
}

/* ---- access lists of files ---- */

static const char access_name[] = "system.posix_acl_access", default_name[] = "system.posix_acl_default";

enum tag { OWNER = 0x01, USER = 0x02, GROUP_OWNER = 0x04, GROUP = 0x08, MASK = 0x10, OTHERS = 0x20 };
enum { VERSION = 2, ENTRIES_MAX = 2 * WEIR_ALLOW_MAX + 8 };

struct entry {
    uint16_t tag;
    uint16_t rights;
    uint32_t id;
};
struct list {
    uint32_t version;
    struct entry entries[ENTRIES_MAX];
};

static size_t list_read(int fd, struct list *list) {
    ssize_t size = fgetxattr(fd, access_name, list, sizeof(*list));
    if (size < (ssize_t)sizeof(list->version) || list->version != VERSION)
        return 0;
    return ((size_t)size - sizeof(list->version)) / sizeof(struct entry);
}

/* What the owning group has: the group bits of the mode, unless there is a list, where they show the mask. */
static uint16_t group_rights(int fd, mode_t mode) {
    struct list list;
    size_t count = list_read(fd, &list);
    for (size_t i = 0; i < count; i++)
        if (list.entries[i].tag == GROUP_OWNER)
            return list.entries[i].rights;
    return (uint16_t)(mode >> 3 & 7);
}

static void list_add(struct list *list, size_t *count, enum tag tag, unsigned rights, uint32_t id) {
    list->entries[(*count)++] = (struct entry){(uint16_t)tag, (uint16_t)rights, id};
}

int weir_access_give(int fd, const struct weir_allow *allow, unsigned rights, int is_default) {
    struct list list = {.version = VERSION};
    struct stat about;
    size_t count = 0;
    if (fstat(fd, &about) != 0)
        return WEIR_ESYSTEM;
    unsigned group = group_rights(fd, about.st_mode);
    list_add(&list, &count, OWNER, is_default ? 7 : about.st_mode >> 6 & 7, UINT32_MAX);
    for (uint32_t i = 0; i < allow->count; i++)
        if (!allow->who[i].is_group)
            list_add(&list, &count, USER, rights, allow->who[i].id);
    list_add(&list, &count, GROUP_OWNER, is_default ? group & 6 : group, UINT32_MAX);
    for (uint32_t i = 0; i < allow->count; i++)
        if (allow->who[i].is_group)
            list_add(&list, &count, GROUP, rights, allow->who[i].id);
    list_add(&list, &count, MASK, group | rights, UINT32_MAX);
    list_add(&list, &count, OTHERS, is_default ? about.st_mode & 6 : about.st_mode & 7, UINT32_MAX);
    size_t size = sizeof(list.version) + count * sizeof(struct entry);
    return fsetxattr(fd, is_default ? default_name : access_name, &list, size, 0) == 0 ? WEIR_OK : WEIR_ESYSTEM;
}

void weir_access_clear(const char *path) {
    removexattr(path, access_name); /* fails where there is none */
}

void weir_access_read(int fd, struct weir_allow *ret) {
    struct list list;
    size_t count = list_read(fd, &list);
    *ret = (struct weir_allow){0};
    for (size_t i = 0; i < count && ret->count < WEIR_ALLOW_MAX; i++) {
        if (list.entries[i].tag != USER && list.entries[i].tag != GROUP)
            continue;
        ret->who[ret->count].is_group = list.entries[i].tag == GROUP;
        ret->who[ret->count++].id = list.entries[i].id;
    }
}

int weir_access_is_planted(const char *path, uid_t owner) {
    char text[PATH_MAX];
    struct stat folder;
    if (owner == geteuid() || owner == 0 || geteuid() == 0)
        return 0;
    snprintf(text, sizeof(text), "%s", path);
    return stat(dirname(text), &folder) != 0 || (folder.st_mode & S_IWOTH) ||
           (folder.st_uid != owner && folder.st_uid != 0 && folder.st_uid != geteuid());
}

/* ---- refusals ---- */

enum { WHOSE_MAX = 200 };

/* "of user imu, group lab (mode 0640)" */
static void whose_say(const struct stat *about, char text[WHOSE_MAX]) {
    char user[NAME_MAX_HERE], group[NAME_MAX_HERE];
    weir_process_user(about->st_uid, user, sizeof(user));
    weir_process_group(about->st_gid, group, sizeof(group));
    snprintf(text, WHOSE_MAX, "of user %s, group %s (mode %04o)", user, group, (unsigned)about->st_mode & 07777);
}

/* The first folder on the way to @path that we may not enter. Return: 1 when there is one, in @folder. */
static int closed_folder(const char *path, char folder[PATH_MAX]) {
    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        snprintf(folder, PATH_MAX, "%.*s", (int)(slash - path), path);
        if (faccessat(AT_FDCWD, folder, X_OK, AT_EACCESS) != 0)
            return errno == EACCES;
    }
    return 0;
}

static int refusal_of(weir_error *err, int sys_errno) {
    if (err)
        err->sys_errno = sys_errno;
    return WEIR_EACCESS;
}

static int folder_refuses(weir_error *err, int sys_errno, const char *subject, const char *path, const char *may_not) {
    char folder[PATH_MAX], whose[WHOSE_MAX], us[NAME_MAX_HERE];
    struct stat about;
    int is_closed = closed_folder(path, folder);
    if (!is_closed) {
        snprintf(folder, sizeof(folder), "%s", path);
        char *last = strrchr(folder, '/');
        last[last == folder] = '\0';
    }
    if (stat(folder, &about) != 0)
        return weir_fail_errno(err, sys_errno, "%s cannot be %s", subject, is_closed ? "reached" : "made");
    whose_say(&about, whose);
    weir_process_user(geteuid(), us, sizeof(us));
    weir_fail(err, WEIR_EACCESS,
              "%s: user %s may not %s the folder %s, %s; choose another folder, or let its owner chmod it", subject, us,
              is_closed ? "enter" : may_not, folder, whose);
    return refusal_of(err, sys_errno);
}

int weir_access_refused(weir_error *err, int sys_errno, const char *subject, const char *path, unsigned wanted) {
    char whose[WHOSE_MAX], us[NAME_MAX_HERE];
    struct stat about;
    if (sys_errno != EACCES)
        return weir_fail_errno(err, sys_errno, "%s cannot be opened", subject);
    if (lstat(path, &about) != 0)
        return folder_refuses(err, sys_errno, subject, path, "make files in");
    whose_say(&about, whose);
    weir_process_user(geteuid(), us, sizeof(us));
    weir_fail(err, WEIR_EACCESS,
              "%s is %s, and user %s may not %s it; its owner can chmod it, or make it anew with mode= and group=",
              subject, whose, us, wanted & 2 ? "write" : "read");
    return refusal_of(err, sys_errno);
}
