/* Processes as /proc tells about them. Everything here is for sentences and listings: who is alive is decided by kernel locks
 * (os/lock.h), never by process numbers. */
#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

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

void weir_process_user(uint32_t uid, char *name, size_t size) {
    struct passwd entry;
    struct passwd *found = NULL;
    char memory[PASSWD_MAX];
    if (getpwuid_r(uid, &entry, memory, sizeof(memory), &found) == 0 && found)
        snprintf(name, size, "%s", found->pw_name);
    else
        snprintf(name, size, "%" PRIu32, uid);
}

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
    /* Without the system call (a strict seccomp filter) the clock and our stack's place must do: names stay distinct, only the
     * guess becomes easier, and every use also takes a lock or creates exclusively. */
    struct timespec now;
    uint64_t seed = (uint64_t)(uintptr_t)&now ^ (uint64_t)getpid() << 32;
    for (; size > 0; size--) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        seed = (seed ^ (uint64_t)now.tv_nsec) * 6364136223846793005u + 1442695040888963407u;
        *at++ = (unsigned char)(seed >> 56);
    }
}
