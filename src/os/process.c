/* Processes as /proc tells about them. Everything here is for sentences and listings: who is alive is decided by kernel
 * locks (os/lock.h), never by process numbers. */
#include "os/process.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <weir/error.h>

#include "os/fork.h"

enum { STAT_MAX = 1024, PASSWD_MAX = 4096 };

/* Read /proc/PID/@what whole, NUL-terminated. Return: bytes, or -1. */
static ssize_t proc_read(int64_t pid, const char *what, char *text, size_t size) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/%" PRId64 "/%s", pid, what);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t count;
    do
        count = read(fd, text, size - 1);
    while (count < 0 && errno == EINTR);
    close(fd);
    if (count >= 0)
        text[count] = '\0';
    return count;
}

void weir_process_program(int64_t pid, char *name, size_t size) {
    char text[64];
    if (proc_read(pid, "comm", text, sizeof(text)) <= 0)
        snprintf(text, sizeof(text), "?");
    text[strcspn(text, "\n")] = '\0';
    snprintf(name, size, "%s", text);
}

void weir_process_program_own(char *name, size_t size) {
    char own[16]; /* TASK_COMM_LEN */
    if (gettid() == getpid() && prctl(PR_GET_NAME, own) == 0)
        snprintf(name, size, "%.*s", (int)sizeof(own), own);
    else /* a thread may have a name of its own */
        weir_process_program(getpid(), name, size);
}

void weir_process_user(uint32_t uid, char *name, size_t size) {
    struct passwd entry;
    struct passwd *found = NULL;
    char memory[PASSWD_MAX];
    if (getpwuid_r(uid, &entry, memory, sizeof(memory), &found) == 0 && found)
        snprintf(name, size, "%s", found->pw_name);
    else
        snprintf(name, size, "%" PRIu32, uid);
}

int weir_process_uid(const char *user, uint32_t *ret) {
    char *end;
    errno = 0;
    unsigned long number = strtoul(user, &end, 10);
    if (*user >= '0' && *user <= '9' && *end == '\0' && errno == 0 && number < UINT32_MAX) {
        *ret = (uint32_t)number;
        return WEIR_OK;
    }
    struct passwd entry, *found = NULL;
    char memory[PASSWD_MAX];
    if (getpwnam_r(user, &entry, memory, sizeof(memory), &found) != 0 || !found)
        return WEIR_ENOENT;
    *ret = found->pw_uid;
    return WEIR_OK;
}

void weir_process_group(uint32_t gid, char *name, size_t size) {
    struct group entry;
    struct group *found = NULL;
    char memory[PASSWD_MAX];
    if (getgrgid_r(gid, &entry, memory, sizeof(memory), &found) == 0 && found)
        snprintf(name, size, "%s", found->gr_name);
    else
        snprintf(name, size, "%" PRIu32, gid);
}

int weir_process_owner(int64_t pid, uint32_t *ret_uid) {
    struct stat about;
    char path[64];
    snprintf(path, sizeof(path), "/proc/%" PRId64, pid);
    if (stat(path, &about) != 0)
        return WEIR_ENOENT;
    *ret_uid = about.st_uid;
    return WEIR_OK;
}

int weir_process_is_stopped(int64_t pid) {
    char text[STAT_MAX];
    if (proc_read(pid, "stat", text, sizeof(text)) <= 0)
        return 0;
    const char *at = strrchr(text, ')');
    return at && at[1] == ' ' && (at[2] == 'T' || at[2] == 't');
}

void weir_process_text(int64_t pid, char *text, size_t size) {
    char program[64];
    weir_process_program(pid, program, sizeof(program));
    snprintf(text, size, "%s (pid %" PRId64 "%s)", program, pid, weir_process_is_stopped(pid) ? ", stopped" : "");
}

/* ---- who listens ---- */

/* The inode of the listening socket with one of two names, from the kernel's list; 0 for none. */
static unsigned long listener_inode(const char *path, const char *other) {
    enum { LISTENING = 0x10000, LINE_SIZE = 256 };
    char line[LINE_SIZE];
    unsigned long found = 0;
    FILE *list = fopen("/proc/net/unix", "re");
    while (list && !found && fgets(line, sizeof(line), list)) {
        unsigned long flags, inode;
        int at = 0;
        line[strcspn(line, "\n")] = '\0';
        if (sscanf(line, "%*s %*s %*s %lx %*s %*s %lu %n", &flags, &inode, &at) == 2 && at > 0 && flags & LISTENING &&
            (strcmp(line + at, path) == 0 || strcmp(line + at, other) == 0))
            found = inode;
    }
    if (list)
        fclose(list);
    return found;
}

/* Has process @pid the socket open that shows itself as @link, "socket:[123]"? */
static int process_has(const char *pid, const char *link) {
    char path[300], target[64];
    snprintf(path, sizeof(path), "/proc/%s/fd", pid);
    DIR *listing = opendir(path);
    const struct dirent *entry;
    int has = 0;
    while (listing && !has && (entry = readdir(listing)) != NULL) {
        ssize_t size = readlinkat(dirfd(listing), entry->d_name, target, sizeof(target) - 1);
        target[size < 0 ? 0 : size] = '\0';
        has = strcmp(target, link) == 0;
    }
    if (listing)
        closedir(listing);
    return has;
}

int64_t weir_process_of_socket(unsigned long inode, uint32_t *ret_uid) {
    char link[64];
    snprintf(link, sizeof(link), "socket:[%lu]", inode);
    DIR *listing = opendir("/proc");
    const struct dirent *entry;
    int64_t found = -1;
    while (listing && found < 0 && (entry = readdir(listing)) != NULL)
        if (isdigit((unsigned char)entry->d_name[0]) && process_has(entry->d_name, link))
            found = atoll(entry->d_name);
    if (listing)
        closedir(listing);
    return found > 0 && weir_process_owner(found, ret_uid) != WEIR_OK ? -1 : found;
}

/* ---- identity ---- */

uint64_t weir_process_start(int64_t pid) {
    enum { FIELDS_BETWEEN = 19 }; /* state, the 3rd field, follows the name; starttime is the 22nd */
    char text[STAT_MAX];
    if (proc_read(pid, "stat", text, sizeof(text)) <= 0)
        return 0;
    /* The name is in brackets and may hold anything, also ") ", so count from the last bracket. */
    char *at = strrchr(text, ')');
    if (!at || at[1] != ' ')
        return 0;
    at += 2;
    for (int i = 0; i < FIELDS_BETWEEN; i++) {
        at = strchr(at, ' ');
        if (!at)
            return 0;
        at++;
    }
    return strtoull(at, NULL, 10);
}

uint64_t weir_process_start_own(void) {
    static _Atomic(uint64_t) known, known_in; /* the start, and the fork generation of which it is */
    uint64_t generation = weir_fork_generation();
    if (atomic_load(&known_in) == generation)
        return atomic_load(&known);
    uint64_t start = weir_process_start(getpid());
    atomic_store(&known, start);
    atomic_store(&known_in, generation);
    return start;
}

void weir_random(void *data, size_t size) {
    unsigned char *at = data;
    while (size > 0) {
        ssize_t count = getrandom(at, size, 0);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            break;
        at += count;
        size -= (size_t)count;
    }
    /* Without the system call (a strict seccomp filter) the clock and our stack's place must do: names stay distinct,
     * only the guess becomes easier, and every use also takes a lock or creates exclusively. */
    struct timespec now;
    uint64_t seed = (uint64_t)(uintptr_t)&now ^ (uint64_t)getpid() << 32;
    for (; size > 0; size--) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        seed = (seed ^ (uint64_t)now.tv_nsec) * 6364136223846793005u + 1442695040888963407u;
        *at++ = (unsigned char)(seed >> 56);
    }
}

int64_t weir_process_listens(const char *path, const char *other, uint32_t *ret_uid) {
    unsigned long inode = listener_inode(path, other);
    return inode == 0 ? 0 : weir_process_of_socket(inode, ret_uid);
}
