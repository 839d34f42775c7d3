/* What tests that fork share: no child outlives the case that made it.
 *
 * A case that fails leaves by a long jump, past the place where it would have waited for its children. The teardown
 * ends them and says so, or every later case would be blamed for them. What must stay true: only children of this very
 * process are ended. */
#ifndef WEIR_OS_TESTING_H
#define WEIR_OS_TESTING_H

#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The parent of the process that /proc calls @name; -1: it is none, or is gone. */
static inline pid_t testing_parent(const char *name) {
    char path[64], text[512];
    snprintf(path, sizeof(path), "/proc/%.20s/stat", name);
    FILE *file = fopen(path, "re");
    size_t size = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
    if (file)
        fclose(file);
    text[size] = 0;
    const char *after = strrchr(text, ')'); /* its name may hold spaces and brackets: "7 (a b) S 1" */
    return after && strlen(after) > 4 ? atoi(after + 4) : -1;
}

/* Kill all children that live. Return: how many. */
static inline int testing_children_kill(void) {
    int count = 0;
    DIR *listing = opendir("/proc");
    struct dirent *entry;
    while (listing && (entry = readdir(listing)) != NULL)
        if (isdigit((unsigned char)entry->d_name[0]) && testing_parent(entry->d_name) == getpid())
            count += kill(atoi(entry->d_name), SIGKILL) == 0;
    if (listing)
        closedir(listing);
    return count;
}

/* End and reap what is left of our children, and say on stderr how many there were. Return: how many. */
static inline int testing_children_end(void) {
    int count = 0;
    for (pid_t child; (child = waitpid(-1, NULL, WNOHANG)) != -1; count++)
        if (child == 0 && (testing_children_kill() == 0 || waitpid(-1, NULL, 0) < 0))
            break; /* there is one that we cannot end: whoever looks next says so, too */
    count += waitpid(-1, NULL, WNOHANG) == 0;
    if (count)
        fprintf(stderr, "%d child processes were left behind, and are ended\n", count);
    return count;
}

#endif
