/* Keeping programs running. One thread; signals are blocked and taken with sigtimedwait, so there are no handlers and
 * no races.
 *
 * A dead part is first looked at without being reaped: while its process number is still taken, the rest of its group
 * can be killed without hitting a stranger, and the guard's note of it is erased. */
#include "supervisor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

#define SECOND    INT64_C(1000000000)
#define TICK      (SECOND / 5)
#define YOUNG     (2 * SECOND) /* a part that dies so soon has not worked */
#define DELAY_MAX (30 * SECOND)
#define KINDNESS  (3 * SECOND)  /* between SIGTERM and SIGKILL */
#define DYING_MAX (60 * SECOND) /* after SIGKILL */

static void signals_of_interest(sigset_t *set) {
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGCHLD);
}

/* Wait for a signal, at most a tick. Return: the signal, 0 for none. */
static int signal_wait(int64_t moment) {
    int64_t left = moment - cli_clock();
    sigset_t set;
    left = left < 0 ? 0 : left < TICK ? left : TICK;
    struct timespec time = {.tv_sec = left / SECOND, .tv_nsec = left % SECOND};
    signals_of_interest(&set);
    int signal = sigtimedwait(&set, NULL, &time);
    return signal > 0 ? signal : 0;
}

/* ---- who lives ---- */

/* Return: 0 when there is no such process. */
static int process_look(long pid, char *ret_state, long *ret_group) {
    char name[64], text[512] = "";
    snprintf(name, sizeof(name), "/proc/%ld/stat", pid);
    FILE *file = fopen(name, "re");
    size_t size = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
    if (file)
        fclose(file);
    text[size] = '\0';
    const char *state = strrchr(text, ')'); /* the name before it may hold anything */
    return state && sscanf(state, ") %c %*d %ld", ret_state, ret_group) == 2;
}

static int is_zombie(long pid) {
    char state;
    long group;
    return process_look(pid, &state, &group) && state == 'Z';
}

/* Does a process of the group live? Zombies do not, whoever is to bury them. */
static int group_lives(pid_t wanted) {
    DIR *processes = opendir("/proc");
    const struct dirent *entry;
    char state;
    long group;
    int is_found = processes ? 0 : kill(-wanted, 0) == 0;
    while (processes && !is_found && (entry = readdir(processes)) != NULL) {
        long pid = atol(entry->d_name);
        is_found = pid > 0 && process_look(pid, &state, &group) && group == wanted && state != 'Z' && state != 'X';
    }
    if (processes)
        closedir(processes);
    return is_found;
}

/* ---- the guard ---- */

static void folder_remove(const char *folder) {
    DIR *files = opendir(folder);
    struct dirent *entry;
    while (files && (entry = readdir(files)) != NULL)
        unlinkat(dirfd(files), entry->d_name, 0);
    if (files)
        closedir(files);
    rmdir(folder);
}

/* What the parts held is free once they are gone; what lies about then is nobody's. */
static void sweep(const char *folder) {
    weir_doc *doc = NULL;
    folder_remove(folder);
    if (weir_doc_new(&doc) == WEIR_OK)
        weir_directory_clean(doc, 0, NULL);
    weir_doc_free(doc);
}

/* Kill all parts, and wait until they are dead, which takes its time where much goes on: what they hold until then would
 * be taken for somebody's. */
static void groups_kill(const pid_t *groups, size_t count) {
    const struct timespec moment = {.tv_nsec = 10 * 1000 * 1000};
    int64_t end = cli_clock() + DYING_MAX;
    for (size_t i = 0; i < count; i++)
        if (groups[i] > 0)
            kill(-groups[i], SIGKILL);
    for (size_t i = 0; i < count; i++)
        while (groups[i] > 0 && group_lives(groups[i]) && cli_clock() < end)
            nanosleep(&moment, NULL);
}

static _Noreturn void guard_main(const struct supervisor *supervisor) {
    char byte;
    setsid(); /* Ctrl-C is not for us */
    prctl(PR_SET_NAME, "weir-guard");
    close(supervisor->lifeline[1]);
    while (read(supervisor->lifeline[0], &byte, 1) < 0 && errno == EINTR)
        continue;
    groups_kill(supervisor->groups, supervisor->count);
    sweep(supervisor->folder);
    _exit(0);
}

static int guard_start(struct supervisor *supervisor) {
    supervisor->guard = fork();
    if (supervisor->guard == 0)
        guard_main(supervisor);
    return supervisor->guard < 0 ? cli_fail(CLI_FAILURE, "cannot fork: %s", strerror(errno)) : CLI_OK;
}

static void guard_watch(struct supervisor *supervisor) {
    if (supervisor->guard > 0 && waitpid(supervisor->guard, NULL, WNOHANG) != supervisor->guard)
        return;
    if (guard_start(supervisor) == CLI_OK)
        cli_say("the guard was killed and is there again (pid %d)", (int)supervisor->guard);
}

/* ---- parts ---- */

static void log_name(const struct supervisor *supervisor, const struct supervisor_part *part, char *text, size_t size) {
    snprintf(text, size, "%s/%s.log", supervisor->folder, part->name);
}

static _Noreturn void part_main(const struct supervisor *supervisor, const struct supervisor_part *part, pid_t parent) {
    char name[PATH_MAX];
    sigset_t none;
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it died before the line above */
        _exit(0);
    log_name(supervisor, part, name, sizeof(name));
    int talk = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(nothing, 0);
    dup2(talk < 0 ? nothing : talk, 1);
    dup2(talk < 0 ? nothing : talk, 2);
    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvp(part->argv[0], (char *const *)part->argv);
    dprintf(2, "%s: %s\n", part->argv[0], strerror(errno));
    _exit(127);
}

static void part_start(struct supervisor *supervisor, struct supervisor_part *part) {
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        part_main(supervisor, part, parent);
    if (pid < 0) {
        cli_say("cannot fork for %s: %s", part->name, strerror(errno));
        part->moment = cli_clock() + supervisor->delay;
        return;
    }
    setpgid(pid, pid); /* here too: who is first does not matter */
    supervisor->groups[part - supervisor->parts] = pid;
    part->pid = pid;
    part->moment = cli_clock();
}

/* The last line that a part wrote, "" when it wrote nothing. */
static void last_words(const struct supervisor *supervisor, const struct supervisor_part *part, char *text,
                       size_t size) {
    char name[PATH_MAX], line[512];
    log_name(supervisor, part, name, sizeof(name));
    FILE *file = fopen(name, "re");
    text[0] = '\0';
    while (file && fgets(line, sizeof(line), file)) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0])
            snprintf(text, size, ": %.*s", (int)size - 4, line);
    }
    if (file)
        fclose(file);
}

static void death_tell(const struct supervisor *supervisor, const struct supervisor_part *part, const siginfo_t *how) {
    char words[400], again[16];
    cli_age(part->delay, again);
    last_words(supervisor, part, words, sizeof(words));
    if (how->si_pid == 0)
        cli_say("%s (pid %d) has lost a process; starts again in %s", part->name, (int)part->pid, again);
    else if (how->si_code == CLD_EXITED)
        cli_say("%s (pid %d) ended with %d%s; starts again in %s", part->name, (int)part->pid, how->si_status, words,
                again);
    else
        cli_say("%s (pid %d) was ended by signal %d, %s; starts again in %s", part->name, (int)part->pid,
                how->si_status, strsignal(how->si_status), again);
}

/* End what is left of a part's group, and reap all of it: orphans become our children. */
static void part_bury(struct supervisor *supervisor, struct supervisor_part *part) {
    kill(-part->pid, SIGKILL);
    supervisor->groups[part - supervisor->parts] = 0;
    while (waitpid(-part->pid, NULL, 0) > 0 || errno == EINTR)
        continue;
    part->pid = 0;
}

/* Has a child of the part's first process died? Servers that fork workers do not replace them. */
static int has_dead_child(pid_t pid) {
    char name[64];
    long child;
    int is_found = 0;
    snprintf(name, sizeof(name), "/proc/%d/task/%d/children", (int)pid, (int)pid);
    FILE *file = fopen(name, "re");
    while (file && !is_found && fscanf(file, "%ld", &child) == 1)
        is_found = is_zombie(child);
    if (file)
        fclose(file);
    return is_found;
}

/* Is the part dead? @how->si_pid stays 0 when its first process lives and another has died. */
static int part_is_dead(const struct supervisor_part *part, siginfo_t *how) {
    memset(how, 0, sizeof(*how));
    if (waitid(P_PID, (id_t)part->pid, how, WEXITED | WNOHANG | WNOWAIT) == 0 && how->si_pid == part->pid)
        return 1;
    how->si_pid = 0;
    return part->has_workers && has_dead_child(part->pid);
}

/* Twice as long, up to DELAY_MAX; one that was asked to be longer than that stays. */
static int64_t longer(int64_t delay) {
    int64_t most = delay > DELAY_MAX ? delay : DELAY_MAX;
    return delay < most / 2 ? 2 * delay : most;
}

static void part_watch(struct supervisor *supervisor, struct supervisor_part *part) {
    int64_t now = cli_clock();
    siginfo_t how;
    if (part->pid == 0 && now >= part->moment) {
        part_start(supervisor, part);
        if (part->pid)
            cli_say("%s is there again (pid %d)", part->name, (int)part->pid);
    } else if (part->pid && part_is_dead(part, &how)) {
        int was_young = now - part->moment < YOUNG;
        part->delay = was_young ? longer(part->delay) : supervisor->delay;
        death_tell(supervisor, part, &how);
        part_bury(supervisor, part);
        part->moment = now + part->delay;
    }
}

/* ---- all together ---- */

int supervisor_start(struct supervisor *supervisor) {
    sigset_t set;
    signals_of_interest(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    supervisor->groups =
        mmap(NULL, sizeof(pid_t) * SUPERVISOR_PARTS_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (supervisor->groups == MAP_FAILED || pipe2(supervisor->lifeline, O_CLOEXEC) < 0)
        return cli_fail(CLI_FAILURE, "cannot start: %s", strerror(errno));
    int exit = guard_start(supervisor);
    for (size_t i = 0; i < supervisor->count && exit == CLI_OK; i++) {
        supervisor->parts[i].delay = supervisor->delay;
        part_start(supervisor, &supervisor->parts[i]);
    }
    return exit;
}

int supervisor_run(struct supervisor *supervisor, int64_t moment) {
    while (cli_clock() < moment) {
        int signal = signal_wait(moment);
        if (signal != 0 && signal != SIGCHLD)
            return signal;
        guard_watch(supervisor);
        for (size_t i = 0; i < supervisor->count; i++)
            part_watch(supervisor, &supervisor->parts[i]);
    }
    return 0;
}

static int parts_left(struct supervisor *supervisor) {
    int left = 0;
    siginfo_t how = {0};
    for (size_t i = 0; i < supervisor->count; i++) {
        struct supervisor_part *part = &supervisor->parts[i];
        if (part->pid && waitid(P_PID, (id_t)part->pid, &how, WEXITED | WNOHANG | WNOWAIT) == 0 &&
            how.si_pid == part->pid)
            part_bury(supervisor, part);
        left += part->pid != 0;
    }
    return left;
}

void supervisor_stop(struct supervisor *supervisor) {
    int64_t end = cli_clock() + KINDNESS;
    for (size_t i = 0; i < supervisor->count; i++)
        if (supervisor->parts[i].pid)
            kill(-supervisor->parts[i].pid, SIGTERM);
    while (parts_left(supervisor) && cli_clock() < end) {
        int signal = signal_wait(end);
        if (signal != 0 && signal != SIGCHLD) /* a second Ctrl-C: enough of kindness */
            break;
    }
    for (size_t i = 0; i < supervisor->count; i++)
        if (supervisor->parts[i].pid)
            part_bury(supervisor, &supervisor->parts[i]);
    sweep(supervisor->folder);
    close(supervisor->lifeline[1]); /* the guard finds nothing to do and ends */
    while (supervisor->guard > 0 && waitpid(supervisor->guard, NULL, 0) < 0 && errno == EINTR)
        continue;
    close(supervisor->lifeline[0]);
    munmap(supervisor->groups, sizeof(pid_t) * SUPERVISOR_PARTS_MAX);
}
