/* Running programs: started with pipes of ours, or a shell command as bytes in, bytes out. */
#ifndef WEIR_CLI_CHILD_H
#define WEIR_CLI_CHILD_H

#include <sys/types.h>
#include <weir/weir.h>

enum { CLI_CHILD_IN = 0, CLI_CHILD_OUT = 1, CLI_CHILD_TALK = 2, CLI_CHILD_PIPES = 3 };

struct cli_child {
    pid_t pid;
    int fds[CLI_CHILD_PIPES]; /* our ends of its stdin (never blocks), stdout, stderr; -1 when closed, or when it has ours */
};

/* Start the program @argv, NULL-terminated, found in PATH. @pipes: 1 << CLI_CHILD_..., or-ed; the others it has from
 * us. @environment: NULL for ours. Our end, by whatever means, ends it and all that it has started. Return: exit code
 * (said why). */
int cli_child_start(struct cli_child *child, const char *const *argv, const char *const *environment, unsigned pipes);
void cli_child_close(struct cli_child *child, int which);
/* 1 while the program runs. */
int cli_child_is_there(const struct cli_child *child);
/* Close all pipes and wait for its end; ask it to end at once with @must_end, and as soon as we are interrupted.
 * Return: its exit code, 128 + the signal's number when one ended it, 127 when there was none to run. */
int cli_child_finish(struct cli_child *child, int must_end);

/* A shell command, bytes in, bytes out. */
struct cli_shell {
    const char *command;
    const char *const *environment; /* NULL: ours */
    weir_view input;                /* its stdin */
    weir_buffer *out, *talk;        /* its stdout and stderr are appended to */
    int (*must_end)(void *user);    /* asked every now and then; NULL: never */
    void *user;
};

/* Run `sh -c command`. @ret_status: its exit code, 128 + the signal's number when one ended it. An interruption of
 * ours, our end by whatever means, or what must_end says, ends it and all that it has started. Threads may run one
 * each.
 * Return: exit code (said why): CLI_FAILURE when it could not be run. */
int cli_child_run(const struct cli_shell *shell, int *ret_status);

#endif
