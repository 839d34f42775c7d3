/* Running a shell command. All three pipes are served from one poll loop, so that neither side waits for the other for ever; a
 * child that does not read its input is no error. */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"

enum { IN = 0, OUT = 1, TALK = 2, PIPES = 3, CHUNK = 64 * 1024, SLICE_MS = 100 };

extern char **environ;

struct child {
    pid_t pid;
    int fds[PIPES]; /* our ends; -1 when closed */
};

static void end_close(int *fd) {
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* The child's ends lie at 0, 1, 2 there; everything else of ours is close-on-exec. */
static int spawn(const char *command, const int theirs[PIPES], pid_t *ret) {
    char *const argv[] = {"sh", "-c", (char *)command, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    for (int i = 0; i < PIPES; i++)
        posix_spawn_file_actions_adddup2(&actions, theirs[i], i);
    int failure = posix_spawn(ret, "/bin/sh", &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
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
        failure = spawn(command, theirs, &child->pid);
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
    if (failure || cli_is_interrupted())
        kill(-child.pid, SIGTERM); /* the shell and all that it has started */
    while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR)
        continue;
    *ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return failure ? cli_fail(CLI_FAILURE, "out of memory for what the command printed") : CLI_OK;
}
