/* Every system call of a small program fails, and the program is killed at every system call, on every transport.
 *
 *     sweep [--on NAME] [--every K] [--seed S] [--jobs J] [--at N]
 *
 * As strace -e inject does, but without starting it each time: a process that runs the script (sweep_script.c) is
 * traced, and its n-th system call is not made but returns an error that such a call can have, one after the other (the
 * table below); in another run it is killed there. After each: the library has gone on, or returned an error with a
 * sentence; it has not crashed, hung, or left descriptors open; what was acknowledged is there; and a fresh script
 * works on the same channel. All threads are counted together, so with threads the n-th call may differ from run to
 * run.
 *
 * A script that takes SLOW_S seconds is looked at: each of its threads, what it waits for, and what the machine kept from
 * it (where.c). After HANG_S it is ended, and is a fault. Both are long, as script and tracer take turns at each of some
 * 450 calls, and each turn waits for a processor: where thirty others were ready to run, that took 12 s in all.
 *
 * --every K tries one call of K, beginning at one that the seed decides; --at N only the N-th. Prints TAP, a case for
 * each transport. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/futex.h>
#include <linux/ptrace.h>

#include <weir/weir.h>

#include "common.h"
#include "sweep.h"
#include "where.h"

enum { ERRNOS_MAX = 8, SLOW_S = 20, HANG_S = 120, FAULTS_SHOWN = 5, KILL = -1, GONE_AFTER = 4 };

static const struct sweep_mechanism mechanisms[] = {
    {"shm", "shm://sweep?timeout=2s", 1, 1},
    {"shm, wait=sem", "shm://sweep?wait=sem&timeout=2s", 1, 1},
    {"sysv", "sysv://%2$u?timeout=2s", 1, 1},
    {"sealed", "shm://sweep?sealed=1&timeout=2s", 0, 0},
    {"unix", "unix://%1$s/s?timeout=2s", 0, 1},
    {"tcp", "tcp://127.77.%4$u.%3$u:%2$u?timeout=2s", 0, 1},
    {"fifo", "fifo://%1$s/p?timeout=2s", 0, 1},
    {"file", "file://%1$s/log.weir?timeout=2s", 1, 0},
    {"file, synced lines", "file://%1$s/log.jsonl?sync=always&timeout=2s", 1, 0},
    {"file, rotating", "file://%1$s/log.weir?rotate=64K&timeout=2s", 1, 0},
};
enum { MECHANISMS = sizeof(mechanisms) / sizeof(mechanisms[0]) };

/* ---- which errors a call can have ---- */

/* clang-format off */
static const struct {
    int errnos[ERRNOS_MAX]; /* ends with 0 */
    int calls[40];          /* ends with -1 */
} errors[] = {
    {{EINTR, EMFILE, ENFILE, ENOMEM, ENOSPC, EACCES, EIO},
     {SYS_open, SYS_openat, SYS_socket, SYS_accept4, SYS_memfd_create, SYS_epoll_create1, SYS_eventfd2,
      SYS_inotify_init1, SYS_timerfd_create, SYS_pidfd_open, SYS_dup, SYS_pipe2, SYS_inotify_add_watch, -1}},
    {{EINTR, EAGAIN, ENOMEM, EIO, ENOSPC},
     {SYS_read, SYS_write, SYS_pread64, SYS_pwrite64, SYS_readv, SYS_writev, SYS_preadv, SYS_pwritev, SYS_pwritev2,
      SYS_sendto, SYS_sendmsg, SYS_recvfrom, SYS_recvmsg, SYS_getdents64, -1}},
    {{EINTR, ENOMEM}, {SYS_poll, SYS_ppoll, SYS_epoll_wait, SYS_epoll_pwait, SYS_semop, SYS_semtimedop, -1}},
    {{EINTR}, {SYS_nanosleep, SYS_clock_nanosleep, -1}},
    {{EINTR, EAGAIN}, {SYS_futex, -1}},
    {{ENOMEM, EAGAIN}, {SYS_mmap, SYS_mprotect, SYS_mremap, SYS_madvise, SYS_munmap, SYS_clone, SYS_clone3, -1}},
    {{EINTR, EIO, ENOSPC, ENOMEM, EACCES, EROFS},
     {SYS_link, SYS_linkat, SYS_rename, SYS_renameat, SYS_renameat2, SYS_mkdir, SYS_mkdirat, SYS_unlink, SYS_unlinkat,
      SYS_rmdir, SYS_ftruncate, SYS_truncate, SYS_fallocate, SYS_fsync, SYS_fdatasync, SYS_chmod, SYS_fchmod,
      SYS_fchmodat, SYS_chown, SYS_fchown, SYS_fchownat, SYS_stat, SYS_lstat, SYS_fstat, SYS_newfstatat, SYS_statx,
      SYS_readlink, SYS_readlinkat, SYS_mknod, SYS_mknodat, SYS_symlink, SYS_lseek, SYS_statfs, SYS_fstatfs, SYS_fsetxattr, -1}},
    {{EINTR, EAGAIN, ENOLCK, EMFILE}, {SYS_fcntl, SYS_flock, -1}},
    {{EINTR, ENOMEM, ENOSPC, EMFILE, EACCES, EIDRM},
     {SYS_shmget, SYS_shmat, SYS_shmctl, SYS_shmdt, SYS_semget, SYS_semctl, -1}},
    {{EINTR, EAGAIN, ENOMEM, EADDRINUSE, ECONNREFUSED, EACCES},
     {SYS_bind, SYS_listen, SYS_connect, SYS_setsockopt, SYS_getsockopt, SYS_getsockname, SYS_getpeername, SYS_shutdown,
      -1}},
    {{EINTR, EIO}, {SYS_close, -1}},
    /* Those that cannot fail, or whose failure no program outlives. */
    {{0},
     {SYS_exit, SYS_exit_group, SYS_rt_sigreturn, SYS_brk, SYS_rt_sigprocmask, SYS_rt_sigaction, SYS_getpid, SYS_gettid,
      SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid, SYS_getppid, SYS_set_robust_list, SYS_rseq, SYS_sched_yield,
      SYS_sched_getaffinity, SYS_restart_syscall, SYS_clock_gettime, SYS_gettimeofday, SYS_alarm, -1}},
};
/* clang-format on */

static const int *errors_of(uint64_t call) {
    static const int others[] = {EINTR, ENOMEM, EIO, EAGAIN, 0};
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        for (const int *at = errors[i].calls; *at >= 0; at++)
            if ((uint64_t)*at == call)
                return errors[i].errnos;
    return others;
}

/* ---- one run ---- */

struct totals {
    volatile uint64_t failed_calls, kills, told, calls_max, faults;
    volatile double longest; /* s that a script took */
    char longest_what[80];
    char why[FAULTS_SHOWN][900];
};

struct run {
    const struct sweep_mechanism *mechanism;
    struct totals *totals;
    struct tally *tally, *second;
    char path[64], address[200];
    uint64_t number; /* of all runs of this job */
    uint64_t at;     /* the n-th call */
    int error;       /* the how-manieth of its errors; KILL */
    uint64_t counted, call;
    int failed_with; /* 0: nothing was done */
    pid_t failing;   /* the thread whose call is being failed */
};

/* A call begins; arguments decide only of futexes: to wake is not refused, and who was not woken sleeps for ever. */
static void call_begins(struct run *run, pid_t process, pid_t thread, uint64_t call, const uint64_t arguments[6]) {
    if (!run->tally->is_begun || run->tally->is_done || ++run->counted != run->at)
        return;
    run->call = call;
    if (run->error == KILL) {
        run->failed_with = KILL;
        kill(process, SIGKILL);
        return;
    }
    uint64_t what = arguments[1] & FUTEX_CMD_MASK;
    const int *list = errors_of(call);
    if (call == SYS_futex && what != FUTEX_WAIT && what != FUTEX_WAIT_BITSET)
        return;
    for (int i = 0; i <= run->error; i++)
        if (list[i] == 0)
            return;
    run->failed_with = list[run->error];
    run->failing = thread;
    ptrace(PTRACE_POKEUSER, thread, (void *)offsetof(struct user_regs_struct, orig_rax), (void *)-1L);
}

static void stop_handle(struct run *run, pid_t process, pid_t thread, int status) {
    int signal = WSTOPSIG(status), event = status >> 16, delivered = 0;
    if (signal == (SIGTRAP | 0x80)) {
        struct __ptrace_syscall_info info = {0};
        ptrace(PTRACE_GET_SYSCALL_INFO, thread, (void *)sizeof(info), &info);
        if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
            call_begins(run, process, thread, info.entry.nr, (const uint64_t *)info.entry.args);
        else if (info.op == PTRACE_SYSCALL_INFO_EXIT && thread == run->failing) {
            run->failing = 0;
            ptrace(PTRACE_POKEUSER, thread, (void *)offsetof(struct user_regs_struct, rax),
                   (void *)(long)-run->failed_with);
        }
    } else if (event == 0)
        delivered = signal;
    ptrace(PTRACE_SYSCALL, thread, NULL, (void *)(long)delivered);
}

static volatile sig_atomic_t is_slow;

static void on_slow(int signal) {
    (void)signal;
    is_slow = 1;
}

/* waitpid, of who has asked for SIGALRM after SLOW_S: by then @script should have ended long ago, and where it is is
 * said. */
static pid_t wait_for(const struct run *run, pid_t script, pid_t which, int *status, int flags) {
    for (;;) {
        pid_t found = waitpid(which, status, flags);
        if (is_slow) {
            char what[120];
            snprintf(what, sizeof(what), "%.40s, call %llu (number %llu, failed with %d): no end after %d s",
                     run->mechanism->name, (unsigned long long)run->at, (unsigned long long)run->call, run->failed_with,
                     SLOW_S);
            where_print(script, what);
            is_slow = 0;
        }
        if (found >= 0 || errno != EINTR)
            return found;
    }
}

/* Run the script under injection. Return: its wait status. */
static int traced_run(struct run *run) {
    int gate[2], status = 0, result = -1;
    char byte = 0;
    if (pipe(gate) != 0)
        return -1;
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGALRM, SIG_DFL);
        close(gate[1]);
        if (read(gate[0], &byte, 1) != 1)
            _exit(1);
        close(gate[0]);
        alarm(HANG_S);
        sweep_script(run->mechanism, run->address, run->number, run->tally);
        _exit(0);
    }
    close(gate[0]);
    ptrace(PTRACE_SEIZE, child, NULL,
           (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_EXITKILL));
    ptrace(PTRACE_INTERRUPT, child, NULL, NULL);
    waitpid(child, &status, __WALL);
    ptrace(PTRACE_SYSCALL, child, NULL, NULL);
    if (write(gate[1], &byte, 1) != 1)
        kill(child, SIGKILL);
    close(gate[1]);
    alarm(SLOW_S);
    for (pid_t thread; (thread = wait_for(run, child, -1, &status, __WALL)) > 0;) {
        if (WIFSTOPPED(status))
            stop_handle(run, child, thread, status);
        else if (thread == child)
            result = status;
    }
    alarm(0);
    return result;
}

/* A fresh process on the same channel: what was acknowledged is there, and all works. */
static int again_run(struct run *run, char *why, size_t size) {
    int status = 0;
    memset((void *)run->second, 0, sizeof(*run->second));
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGALRM, SIG_DFL);
        alarm(HANG_S);
        const char *problem = run->mechanism->is_kept ? sweep_kept(run->address, run->number, run->tally) : NULL;
        if (problem)
            snprintf(run->second->wrong, sizeof(run->second->wrong), "%.290s", problem);
        else
            sweep_script(run->mechanism, run->address, run->number + (UINT64_C(1) << 32), run->second);
        _exit(0);
    }
    alarm(SLOW_S);
    wait_for(run, child, child, &status, 0);
    alarm(0);
    const struct tally *second = run->second;
    int is_good = status == 0 && !second->wrong[0] && !second->is_told && second->is_closed && second->acked > 0 &&
                  second->received == second->acked && second->is_called == run->mechanism->has_calls;
    if (!is_good)
        snprintf(why, size, "then a fresh script: status %#x, %llu of %llu came, called %d; %.200s %.200s",
                 (unsigned)status, (unsigned long long)second->received, (unsigned long long)second->acked,
                 second->is_called, second->said, second->wrong);
    return is_good;
}

static const char *first_judge(const struct run *run, int status) {
    static char text[400];
    const struct tally *tally = run->tally;
    if (tally->wrong[0])
        return tally->wrong;
    if (run->error == KILL && run->failed_with == KILL)
        return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? NULL : "it was not killed";
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGALRM ? "it hung" : "it crashed";
    if (status != 0 || !tally->is_closed)
        return "it ended before its end";
    if (tally->is_mute) {
        snprintf(text, sizeof(text), "an error without a sentence: %.300s", tally->said);
        return text;
    }
    if (!tally->is_told && tally->received + tally->gaps != tally->acked)
        return "acknowledged messages did not come, and nothing was said";
    if (tally->leaked && run->call != SYS_close)
        return "descriptors are left open";
    return NULL;
}

static void fault_note(struct run *run, const char *what, const char *why) {
    uint64_t index = __atomic_fetch_add(&run->totals->faults, 1, __ATOMIC_RELAXED);
    if (index < FAULTS_SHOWN)
        snprintf(run->totals->why[index], sizeof(run->totals->why[index]),
                 "call %llu (number %llu), %s: %.300s; it said: %.200s; %.300s", (unsigned long long)run->at,
                 (unsigned long long)run->call, run->error == KILL ? "killed" : strerrorname_np(run->failed_with), what,
                 run->tally->said, why);
}

static void longest_note(struct run *run, double took) {
    if (took <= run->totals->longest)
        return;
    run->totals->longest = took;
    snprintf(run->totals->longest_what, sizeof(run->totals->longest_what), "call %llu, number %llu, %s",
             (unsigned long long)run->at, (unsigned long long)run->call,
             run->failed_with > 0 ? strerrorname_np(run->failed_with) : "killed");
}

/* Return: 1: the call was there, and had such an error; 0: not. */
static int run_once(struct run *run, const char *base) {
    char why[500] = "";
    memset((void *)run->tally, 0, sizeof(*run->tally));
    run->number++;
    run->counted = run->call = 0;
    run->failed_with = 0;
    run->failing = 0;
    snprintf(run->path, sizeof(run->path), "%.40s/%llu", base, (unsigned long long)run->number);
    mkdir(run->path, 0700);
    scratch_use(run->path);
    (void)!unshare(CLONE_NEWIPC); /* each run finds an empty one, and what it leaves goes with it */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(run->address, sizeof(run->address), run->mechanism->address, run->path,
             20000 + (unsigned)(run->number % 20000), 1 + (unsigned)getpid() % 250, 1 + (unsigned)getpid() / 250 % 250);
#pragma GCC diagnostic pop
    double begin = seconds();
    int status = traced_run(run);
    longest_note(run, seconds() - begin);
    const char *what = first_judge(run, status);
    if (run->failed_with) {
        __atomic_fetch_add(run->error == KILL ? &run->totals->kills : &run->totals->failed_calls, 1, __ATOMIC_RELAXED);
        __atomic_fetch_add(&run->totals->told, run->tally->is_told, __ATOMIC_RELAXED);
        if (run->at > run->totals->calls_max)
            run->totals->calls_max = run->at;
    }
    int is_good = again_run(run, why, sizeof(why));
    if (what || !is_good)
        fault_note(run, what ? what : "", why);
    tree_remove(run->path);
    return run->failed_with != 0;
}

/* ---- all of a transport ---- */

static void job_run(struct run *run, const char *base, uint64_t from, uint64_t step, uint64_t only) {
    int misses = 0;
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = on_slow}, NULL);
    for (run->at = only ? only : from; misses < GONE_AFTER; run->at += step) {
        run->error = KILL;
        misses = run_once(run, base) ? 0 : misses + 1;
        for (run->error = 0; misses == 0 && run->error < ERRNOS_MAX && run_once(run, base); run->error++)
            continue;
        if (only)
            break;
    }
}

static void *shared_new(size_t size) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        exit(2);
    return memory;
}

static int mechanism_sweep(const struct sweep_mechanism *mechanism, uint32_t number, uint64_t jobs, uint64_t every,
                           uint64_t seed, uint64_t only) {
    struct totals *totals = shared_new(sizeof(*totals));
    char base[64];
    double begin = seconds();
    if (strncmp(mechanism->address, "sysv", 4) == 0 && unshare(CLONE_NEWIPC) != 0) {
        printf("ok %u - %s # SKIP no namespace for System V: %s\n", number, mechanism->name, strerror(errno));
        return 0;
    }
    unsetenv("WEIR_SHM_DIR");
    scratch_make(base, "sweep");
    for (uint64_t job = 0; job < jobs; job++)
        if (fork() == 0) {
            struct run run = {.mechanism = mechanism,
                              .totals = totals,
                              .tally = shared_new(sizeof(struct tally)),
                              .second = shared_new(sizeof(struct tally)),
                              .number = job * 1000000};
            job_run(&run, base, 1 + job * every + mix(seed) % every, jobs * every, job == 0 ? only : 0);
            _exit(0);
        } else if (only)
            break;
    for (int status; wait(&status) > 0;)
        if (status)
            totals->faults++;
    tree_remove(base);
    for (uint64_t i = 0; i < totals->faults && i < FAULTS_SHOWN; i++)
        printf("# fault: %s\n", totals->why[i]);
    printf("# %s: the longest script took %.1f s (%s)\n", mechanism->name, totals->longest, totals->longest_what);
    printf(
        "%s %u - %s: %llu calls, %llu failed in turn (%llu times an error was told, else it went on), %llu kills; %llu "
        "faults; %.0f s\n",
        totals->faults || !totals->kills ? "not ok" : "ok", number, mechanism->name,
        (unsigned long long)totals->calls_max, (unsigned long long)totals->failed_calls,
        (unsigned long long)totals->told, (unsigned long long)totals->kills, (unsigned long long)totals->faults,
        seconds() - begin);
    fflush(stdout);
    return totals->faults || !totals->kills;
}

int main(int argc, char **argv) {
    uint64_t every = argument(argc, argv, "--every", 1), seed = argument(argc, argv, "--seed", 1);
    uint64_t jobs = argument(argc, argv, "--jobs", 1), only = argument(argc, argv, "--at", 0);
    const char *on = "";
    int failures = 0;
    uint32_t plan = 0, number = 0;
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], "--on") == 0)
            on = argv[i + 1];
    for (uint32_t i = 0; i < MECHANISMS; i++)
        plan += strncmp(mechanisms[i].name, on, strlen(on)) == 0;
    printf("1..%u\n# sweep --every %llu --seed %llu\n", plan, (unsigned long long)every, (unsigned long long)seed);
    fflush(stdout);
    for (uint32_t i = 0; i < MECHANISMS; i++)
        if (strncmp(mechanisms[i].name, on, strlen(on)) == 0)
            failures |= mechanism_sweep(&mechanisms[i], ++number, jobs, every, seed, only);
    return failures;
}
