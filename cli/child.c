/* Running a shell command. All three pipes are served from one poll loop, so that neither side waits for the other for ever; a
 * child that does not read its input is no error.
 *
 * Between us and the shell stands a guard, a copy of this process that only waits: it leads a process group of its own, in which the
 * shell and all that it starts live, and the kernel tells it when we die (PR_SET_PDEATHSIG). What must stay true: whether we are
 * interrupted or killed, the whole group is asked to end, and what has not ended GRACE_S seconds later is killed. As the guard is
 * forked and does not exec, it calls only what a signal handler may, and keeps no descriptor of ours: one would hold our locks. */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"

enum { IN = 0, OUT = 1, TALK = 2, PIPES = 3, CHUNK = 64 * 1024, SLICE_MS = 100, GRACE_S = 2, NO_SHELL = 127 };

struct child {
    pid_t pid;      /* the guard */
    int fds[PIPES]; /* our ends; -1 when closed */
};

static void end_close(int *fd) {
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* ---- the guard ---- */

static void on_group_kill(int number) {
    (void)number;
    kill(0, SIGKILL); /* the guard too */
}

static void on_group_end(int number) {
    (void)number;
    signal(SIGTERM, SIG_IGN); /* the next line sends it to the guard as well */
    kill(0, SIGTERM);
    alarm(GRACE_S);
}

/* The shell's pipes lie at 0, 1, 2 already; everything else of ours has been closed. */
static void shell_exec(const char *command) {
    static const int defaults[] = {SIGTERM, SIGINT, SIGALRM, SIGPIPE};
    sigset_t none;
    for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
        signal(defaults[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(NO_SHELL);
}

static int status_exit(int status) {
    return WIFEXITED(status) ? WEXITSTATUS(status) : CLI_SIGNAL + WTERMSIG(status);
}

/* In the guard. SIGTERM is blocked on entry, and is let through once there is a handler and a group to tell. */
static void guard(const char *command, const int theirs[PIPES], pid_t parent) {
    int status = 0;
    sigset_t none;
    for (int i = 0; i < PIPES; i++)
        if (dup2(theirs[i], i) < 0 || fcntl(i, F_SETFD, 0) != 0)
            _exit(NO_SHELL);
    close_range(PIPES, ~0U, 0);
    setpgid(0, 0);
    signal(SIGALRM, on_group_kill);
    signal(SIGTERM, on_group_end);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(NO_SHELL);
    pid_t shell = _Fork(); /* not fork, whose handlers may take locks */
    if (shell == 0)
        shell_exec(command);
    for (int i = 0; i < PIPES; i++)
        close(i); /* so that we see when the shell's last process has closed its ends */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    while (shell > 0 && waitpid(shell, &status, 0) < 0 && errno == EINTR)
        continue;
    _exit(shell > 0 ? status_exit(status) : NO_SHELL);
}

/* ---- our side ---- */

/* Return: 0, or an errno. */
static int guard_start(const char *command, const int theirs[PIPES], pid_t *ret) {
    sigset_t blocked, before;
    pid_t parent = getpid();
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGINT);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    *ret = _Fork();
    int failure = *ret < 0 ? errno : 0;
    if (*ret == 0)
        guard(command, theirs, parent);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return failure;
}

static int child_start(struct child *child, const char *command) {
    int theirs[PIPES] = {-1, -1, -1}, failure = 0;
    for (int i = 0; i < PIPES; i++)
        child->fds[i] = -1;
    for (int i = 0; i < PIPES && !failure; i++) {
        int ends[2];
        failure = pipe2(ends, O_CLOEXEC) ? errno : 0;
        if (failure)
            break;
        theirs[i] = ends[i != IN];
        child->fds[i] = ends[i == IN];
    }
    if (!failure)
        failure = guard_start(command, theirs, &child->pid);
    for (int i = 0; i < PIPES; i++)
        end_close(&theirs[i]);
    if (!failure) {
        fcntl(child->fds[IN], F_SETFL, O_NONBLOCK);
        return CLI_OK;
    }
    for (int i = 0; i < PIPES; i++)
        end_close(&child->fds[i]);
    return cli_fail(CLI_FAILURE, "cannot run sh: %s", strerror(failure));
}

static void input_write(int *fd, weir_view *input) {
    ssize_t size = input->size ? write(*fd, input->data, input->size) : 0;
    if (size > 0) {
        input->data += size;
        input->size -= (size_t)size;
    }
    if (input->size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR))
        end_close(fd);
}

static int output_read(int *fd, weir_buffer *to) {
    static char chunk[CHUNK];
    ssize_t size = read(*fd, chunk, sizeof(chunk));
    if (size > 0)
        return weir_buffer_append(to, chunk, (size_t)size) ? -1 : 0;
    if (size == 0 || errno != EINTR)
        end_close(fd);
    return 0;
}

/* Return: 0 when the child has closed its outputs or we are interrupted; -1 out of memory. */
static int child_serve(struct child *child, weir_view input, weir_buffer *out, weir_buffer *talk) {
    while ((child->fds[OUT] >= 0 || child->fds[TALK] >= 0) && !cli_is_interrupted()) {
        struct pollfd items[PIPES];
        for (int i = 0; i < PIPES; i++)
            items[i] = (struct pollfd){.fd = child->fds[i], .events = i == IN ? POLLOUT : POLLIN};
        if (poll(items, PIPES, SLICE_MS) <= 0)
            continue;
        if (items[IN].revents)
            input_write(&child->fds[IN], &input);
        if (items[OUT].revents && output_read(&child->fds[OUT], out))
            return -1;
        if (items[TALK].revents && output_read(&child->fds[TALK], talk))
            return -1;
    }
    return 0;
}

int cli_child_run(const char *command, weir_view input, weir_buffer *out, weir_buffer *talk, int *ret_status) {
    struct child child;
    int status = 0;
    int exit = child_start(&child, command);
    if (exit)
        return exit;
    int failure = child_serve(&child, input, out, talk);
    for (int i = 0; i < PIPES; i++)
        end_close(&child.fds[i]);
    int is_told = 0;
    do {
        if (!is_told && (failure || cli_is_interrupted())) {
            kill(child.pid, SIGTERM);
            is_told = 1;
        }
    } while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR);
    *ret_status = status_exit(status);
    return failure ? cli_fail(CLI_FAILURE, "out of memory for what the command printed") : CLI_OK;
}
