/* Keeping programs running: started together, each started again after a while when it dies, all ended together.
 *
 * Each part is a process group of its own, and counts as dead when its first process is, or one of the workers that it
 * has. Nothing outlives the supervisor: the parts are killed by the kernel when it dies, and a guard, a second process
 * that waits for just that, ends what they had started in turn and cleans up. */
#ifndef WEIR_CLI_SUPERVISOR_H
#define WEIR_CLI_SUPERVISOR_H

#include <stdint.h>
#include <sys/types.h>

enum { SUPERVISOR_PARTS_MAX = 8 };

struct supervisor_part {
    const char *name;        /* "jitter" */
    const char *const *argv; /* argv[0] is found in PATH */
    int has_workers;         /* its first process has forked servers that it would not replace: none of them may die */
    pid_t pid;               /* also its group; 0 while it is down */
    int64_t moment;          /* monotonic ns: started at, or while it is down, to be started at */
    int64_t delay;           /* ns until it is started again when it dies */
};

struct supervisor {
    struct supervisor_part parts[SUPERVISOR_PARTS_MAX];
    size_t count;
    const char *folder; /* a folder of its own for sockets and logs (NAME.log); removed at the end */
    int64_t delay;      /* ns that a dead part stays down; longer for one that dies again at once */
    pid_t guard;
    int lifeline[2]; /* the guard reads one end; when the other is closed it does its work */
    pid_t *groups;   /* shared with the guard: group of each part, 0 while it is down */
};

/* Start the guard and all parts. Return: exit code (said why); after a failure nothing is left running. */
int supervisor_start(struct supervisor *supervisor);
/* Keep the parts running until a signal asks for the end or @moment (monotonic ns) has come. Return: the signal, or
 * 0. */
int supervisor_run(struct supervisor *supervisor, int64_t moment);
/* End all parts, kindly first, and leave nothing behind. */
void supervisor_stop(struct supervisor *supervisor);

#endif
