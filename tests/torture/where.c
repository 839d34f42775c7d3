/* See where.h. Everything comes from /proc, so that the process goes on as it would have: it may be traced already, and what
 * a debugger does to a process that misses a wake-up is to wake it.
 *
 * The stack is not unwound: each of its words that points into the text of the program is a call that is under way, or
 * one that was. addr2line names them, where it is there. */
#include "where.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STACK_WORDS = 1024, CALLS_MAX = 40, TEXT_SIZE = 16 << 10 };

struct text {
    char bytes[TEXT_SIZE];
    size_t size;
};

static void say(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct text *text, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text->bytes + text->size, TEXT_SIZE - text->size, format, args);
    va_end(args);
    if (size > 0)
        text->size = text->size + (size_t)size < TEXT_SIZE ? text->size + (size_t)size : TEXT_SIZE - 1;
}

/* The beginning of a file of /proc, its lines joined. */
static void file_read(pid_t process, pid_t thread, const char *name, char *to, size_t size) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", (int)process, (int)thread, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, to, size - 1);
    if (fd >= 0)
        close(fd);
    to[got > 0 ? got : 0] = 0;
    for (char *at = to; *at; at++)
        if (*at == '\n')
            *at = at[1] ? '|' : 0;
}

/* ---- the stack ---- */

struct program {
    char path[256];
    uint64_t begin, end, offset, base; /* of its text, in memory and in its file; base: of all of it */
};

/* Where the text of the process's own program lies. Return: 0 when it is not found. */
static int program_find(pid_t process, struct program *ret) {
    char name[32], line[512];
    snprintf(name, sizeof(name), "/proc/%d/exe", (int)process);
    ssize_t size = readlink(name, ret->path, sizeof(ret->path) - 1);
    snprintf(name, sizeof(name), "/proc/%d/maps", (int)process);
    FILE *maps = size > 0 ? fopen(name, "re") : NULL;
    if (!maps)
        return 0;
    ret->path[size] = 0;
    int is_found = 0;
    ret->base = 0;
    while (!is_found && fgets(line, sizeof(line), maps)) {
        char rights[8] = "";
        if (!strstr(line, ret->path) ||
            sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64, &ret->begin, &ret->end, rights, &ret->offset) != 4)
            continue;
        ret->base = ret->base ? ret->base : ret->begin - ret->offset;
        is_found = rights[2] == 'x';
    }
    fclose(maps);
    return is_found;
}

/* What addr2line makes of @addresses. Return: 0 when it is not there. */
static int calls_name(struct text *text, const struct program *program, const char *addresses) {
    char command[2048], line[300];
    int count = 0;
    snprintf(command, sizeof(command), "addr2line -f -s -p -e '%s' %s 2>/dev/null", program->path, addresses);
    FILE *names = popen(command, "re");
    while (names && fgets(line, sizeof(line), names)) {
        line[strcspn(line, " \n")] = 0;
        say(text, "%s%s", count++ ? " < " : "#     calls: ", line);
    }
    if (names)
        pclose(names);
    return count > 0;
}

static void stack_say(struct text *text, pid_t process, uint64_t stack) {
    static uint64_t words[STACK_WORDS];
    struct program program;
    char path[32], addresses[CALLS_MAX * 20] = "";
    snprintf(path, sizeof(path), "/proc/%d/mem", (int)process);
    int fd = open(path, O_RDONLY | O_CLOEXEC), count = 0;
    ssize_t got = fd < 0 ? -1 : pread(fd, words, sizeof(words), (off_t)stack);
    if (fd >= 0)
        close(fd);
    if (got <= 0 || !program_find(process, &program))
        return;
    for (ssize_t i = 0; i < got / 8 && count < CALLS_MAX; i++)
        if (words[i] >= program.begin && words[i] < program.end) {
            snprintf(addresses + strlen(addresses), sizeof(addresses) - strlen(addresses), "%#" PRIx64 " ",
                     words[i] - program.base - 1);
            count++;
        }
    if (count > 0 && !calls_name(text, &program, addresses))
        say(text, "#     calls: %s", addresses);
    say(text, "\n");
}

/* ---- threads ---- */

static void thread_say(struct text *text, pid_t process, pid_t thread) {
    char name[64], stat[512], call[256], channel[128], stack[1024], times[128];
    file_read(process, thread, "comm", name, sizeof(name));
    file_read(process, thread, "stat", stat, sizeof(stat));
    file_read(process, thread, "syscall", call, sizeof(call));
    file_read(process, thread, "wchan", channel, sizeof(channel));
    file_read(process, thread, "stack", stack, sizeof(stack));
    file_read(process, thread, "schedstat", times, sizeof(times));
    const char *state = strrchr(stat, ')');
    say(text, "#   thread %d (%s): state %.1s, system call %s, kernel %s [%s], ran and was kept waiting for (ns) %s\n",
        (int)thread, name, state && state[1] ? state + 2 : "?", call, channel, stack, times);
    /* number, six arguments, stack, instruction; "running" has none */
    const char *at = call;
    for (int i = 0; i < 7 && at; i++)
        at = (at = strchr(at, ' ')) ? at + 1 : NULL;
    if (at)
        stack_say(text, process, strtoull(at, NULL, 16));
}

static void process_say(struct text *text, pid_t process) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/task", (int)process);
    DIR *threads = opendir(path);
    if (!threads)
        say(text, "#   process %d is gone\n", (int)process);
    for (const struct dirent *entry; threads && (entry = readdir(threads)) != NULL;)
        if (entry->d_name[0] != '.')
            thread_say(text, process, (pid_t)atoi(entry->d_name));
    if (threads)
        closedir(threads);
}

void where_print(pid_t process, const char *what) {
    struct text *text = calloc(1, sizeof(*text));
    char load[80] = "";
    if (!text)
        return;
    FILE *file = fopen("/proc/loadavg", "re");
    if (file && !fgets(load, sizeof(load), file))
        load[0] = 0;
    if (file)
        fclose(file);
    load[strcspn(load, "\n")] = 0;
    say(text, "# %s; load %s\n", what, load);
    process_say(text, process);
    fflush(stdout);
    if (write(STDOUT_FILENO, text->bytes, text->size) < 0) /* in one piece, as others print there too */
        text->size = 0;
    free(text);
}
