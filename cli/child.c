/* Running programs. A shell command's three pipes are served from one poll loop, so that neither side waits for the
 * other for ever; a child that does not read its input is no error.
 *
 * Between us and the program stands a guard, a copy of this process that only waits: it leads a process group of its
 * own, in which the program and all that it starts live, and the kernel tells it when we die (PR_SET_PDEATHSIG). What
 * must stay true: whether we are interrupted or killed, the whole group is asked to end, and what has not ended GRACE_S
 * seconds later is killed. As the guard is forked and does not exec, it calls only what a signal handler may, and keeps
 * no descriptor of ours: one would hold our locks. */
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

enum {
    IN = CLI_CHILD_IN,
    OUT = CLI_CHILD_OUT,
    TALK = CLI_CHILD_TALK,
    PIPES = CLI_CHILD_PIPES,
    CHUNK = 64 * 1024,
    SLICE_MS = 100,
    GRACE_S = 2,
    NO_PROGRAM = 127
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

/* The program's pipes lie at 0, 1, 2 already; everything else of ours has been closed. */
static void program_exec(const char *const *argv, const char *const *environment) {
    static const int defaults[] = {SIGTERM, SIGINT, SIGALRM, SIGPIPE};
    sigset_t none;
    for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
        signal(defaults[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (environment)
        environ = (char **)environment;
    execvp(argv[0], (char *const *)argv);
    _exit(NO_PROGRAM);
}

static int status_exit(int status) {
    return WIFEXITED(status) ? WEXITSTATUS(status) : CLI_SIGNAL + WTERMSIG(status);
}

/* In the guard. SIGTERM is blocked on entry, and is let through once there is a handler and a group to tell. */
static void guard(const char *const *argv, const char *const *environment, const int theirs[PIPES], pid_t parent) {
    int status = 0;
    sigset_t none;
    for (int i = 0; i < PIPES; i++)
        if (dup2(theirs[i], i) < 0 || fcntl(i, F_SETFD, 0) != 0)
            _exit(NO_PROGRAM);
    close_range(PIPES, ~0U, 0);
    setpgid(0, 0);
    signal(SIGALRM, on_group_kill);
    signal(SIGTERM, on_group_end);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(NO_PROGRAM);
    pid_t program = _Fork(); /* not fork, whose handlers may take locks */
    if (program == 0)
        program_exec(argv, environment);
    for (int i = 0; i < PIPES; i++)
        close(i); /* so that we see when the program's last process has closed its ends */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    while (program > 0 && waitpid(program, &status, 0) < 0 && errno == EINTR)
        continue;
    _exit(program > 0 ? status_exit(status) : NO_PROGRAM);
}

/* ---- our side ---- */

/* Return: 0, or an errno. */
static int guard_start(const char *const *argv, const char *const *environment, const int theirs[PIPES], pid_t *ret) {
    sigset_t blocked, before;
    pid_t parent = getpid();
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGINT);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    *ret = _Fork();
    int failure = *ret < 0 ? errno : 0;
    if (*ret == 0)
        guard(argv, environment, theirs, parent);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failure;
}

void cli_child_close(struct cli_child *child, int which) {
    end_close(&child->fds[which]);
}

static void ends_close(struct cli_child *child) {
    for (int i = 0; i < PIPES; i++)
        end_close(&child->fds[i]);
}

/* Both ends of one of the child's descriptors; without a pipe, theirs is a copy of ours. Return: 0, or an errno. */
static int pipe_make(struct cli_child *child, int which, int is_pipe, int *theirs) {
    int ends[2];
    if (!is_pipe) {
        *theirs = fcntl(which, F_DUPFD_CLOEXEC, PIPES);
        return *theirs < 0 ? errno : 0;
    }
    if (pipe2(ends, O_CLOEXEC))
        return errno;
    *theirs = ends[which != IN];
    child->fds[which] = ends[which == IN];
    return 0;
}

int cli_child_start(struct cli_child *child, const char *const *argv, const char *const *environment, unsigned pipes) {
    int theirs[PIPES] = {-1, -1, -1}, failure = 0;
    *child = (struct cli_child){.fds = {-1, -1, -1}};
    for (int i = 0; i < PIPES && !failure; i++)
        failure = pipe_make(child, i, pipes >> i & 1, &theirs[i]);
    if (!failure)
        failure = guard_start(argv, environment, theirs, &child->pid);
    for (int i = 0; i < PIPES; i++)
        end_close(&theirs[i]);
    if (failure) {
        ends_close(child);
        return cli_fail(CLI_FAILURE, "cannot run %s: %s", argv[0], strerror(failure));
    }
    if (child->fds[IN] >= 0)
        fcntl(child->fds[IN], F_SETFL, O_NONBLOCK);
    return CLI_OK;
}

int cli_child_is_there(const struct cli_child *child) {
    siginfo_t how = {0};
    return waitid(P_PID, (id_t)child->pid, &how, WEXITED | WNOHANG | WNOWAIT) != 0 || how.si_pid != child->pid;
}

int cli_child_finish(struct cli_child *child, int must_end) {
    int status = 0, is_told = 0;
    ends_close(child);
    do {
        if (!is_told && (must_end || cli_is_interrupted())) {
            kill(child->pid, SIGTERM);
            is_told = 1;
        }
    } while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR);
    return status_exit(status);
}

/* ---- bytes in, bytes out ---- */

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
    char chunk[CHUNK];
    ssize_t size = read(*fd, chunk, sizeof(chunk));
    if (size > 0)
        return weir_buffer_append(to, chunk, (size_t)size) ? -1 : 0;
    if (size == 0 || errno != EINTR)
        end_close(fd);
    return 0;
}

/* Return: 0 when the child has closed its outputs; 1 when it must end; -1 out of memory. */
static int child_serve(struct cli_child *child, const struct cli_shell *shell) {
    weir_view input = shell->input;
    while (child->fds[OUT] >= 0 || child->fds[TALK] >= 0) {
        struct pollfd items[PIPES];
        if (cli_is_interrupted() || (shell->must_end && shell->must_end(shell->user)))
            return 1;
        for (int i = 0; i < PIPES; i++)
            items[i] = (struct pollfd){.fd = child->fds[i], .events = i == IN ? POLLOUT : POLLIN};
        if (poll(items, PIPES, SLICE_MS) <= 0)
            continue;
        if (items[IN].revents)
            input_write(&child->fds[IN], &input);
        if (items[OUT].revents && output_read(&child->fds[OUT], shell->out))
            return -1;
        if (items[TALK].revents && output_read(&child->fds[TALK], shell->talk))
            return -1;
    }
    return 0;
}

int cli_child_run(const struct cli_shell *shell, int *ret_status) {
    const char *const argv[] = {"/bin/sh", "-c", shell->command, NULL};
    struct cli_child child;
    int exit = cli_child_start(&child, argv, shell->environment, 1 << IN | 1 << OUT | 1 << TALK);
    if (exit)
        return exit;
    int end = child_serve(&child, shell);
    *ret_status = cli_child_finish(&child, end != 0);
    return end < 0 ? cli_fail(CLI_FAILURE, "out of memory for what the command printed") : CLI_OK;
}
