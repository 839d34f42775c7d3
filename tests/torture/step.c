/* Crash images at every instruction. A process that runs a script is single-stepped with ptrace; after each instruction
 * its store is compared with what it was, and each difference is copied and judged as what a kill -9 at this
 * instruction leaves (check.c). Meanwhile readers in this process, which survive, take along what comes: one at once,
 * one that keeps frames in its hands for long, one that observes; and before many a process the ring is filled up to
 * what the slow one holds, so that a writer meets it with its first message. At a random step the process is killed
 * indeed, and the next one takes over from it, so that those who recover are killed too.
 *
 *     step [--images N] [--seed S] [--jobs J]
 *
 * Prints TAP. An image is the store after one instruction of the library or script, one that changed the store, or a
 * system call; those equal to the one before are counted, not judged again. What libc does beside is stepped through
 * and watched, but not counted. Who is stuck for two minutes has found a fault, too. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
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

#include "image.h"
#include "script.h"
#include "transport/shm/slot.h"

extern char __executable_start, etext; /* the linker's */

enum {
    LIVES_MAX = 6,
    BUDGET_MAX = 24000,
    BUDGET_LONG = 100000,
    SLOW_HOLD_MAX = 4000,
    LOOK_EVERY = 100,
    FILL_ROUNDS = 2,
    OBSERVE_EVERY = 300,
    STUCK_S = 120,
    ALARM_EVERY = 256,
    JOIN_EVERY = 1000,
    JOIN_EVERY_ASKING = 60,
    QUESTION_SIZE = 160,
    JOINER_STAYS = 400,
    JOINER_READS_EVERY = 20,
    PREFILL_MAX = 400
};

/* What all jobs together have done. */
struct totals {
    volatile uint64_t steps, images, different, lives, kills, fills, kinds[SCRIPT_KINDS];
    char real[64];  /* the job's store */
    char why[1024]; /* the first fault */
};

static volatile int *is_found; /* shared: one job has found a fault, so the others need not go on */

struct run {
    struct totals *totals;
    struct ledger *ledger;
    struct dice dice;
    uint64_t seed;
    struct wish wish;
    struct image image;
    char real[64], copy[80];
    struct follower fast, slow, observer; /* survivors */
    struct follower joiner;               /* one that comes at a random step, and reads slowly from the oldest on */
    int joiner_left;                      /* steps until it goes */
    struct hands hands;                   /* of the slow one */
    int64_t hold_left;
    uint64_t images_max;
    enum script_kind kind;
    uint32_t is_lossless;
    char why[700];
};

static int run_fail(struct run *run, const char *what, const char *text) {
    snprintf(run->why, sizeof(run->why), "%.80s: %.500s", what, text);
    return -1;
}

/* ---- survivors ---- */

static int survivor_open(struct run *run, struct follower *survivor, int is_observer) {
    weir_error err = {0};
    struct wish wish = run->wish;
    wish.from = WEIR_FROM_OLDEST;
    wish.is_observer = (uint8_t)is_observer;
    wish.keep = -1;
    *survivor = (struct follower){.is_holding = !is_observer};
    return end_open(&survivor->end, WEIR_ROLE_READER, &wish, &err) ? run_fail(run, "a survivor cannot open", err.text)
                                                                   : 0;
}

static int slow_look(struct run *run) {
    const char *wrong = hands_look(&run->hands);
    return wrong ? run_fail(run, "what a survivor holds has changed", wrong) : 0;
}

static int slow_step(struct run *run) {
    if (!run->slow.end.state)
        return 0;
    if (--run->hold_left > 0)
        return run->hold_left % LOOK_EVERY ? 0 : slow_look(run);
    const char *wrong = hands_release(&run->hands, &run->slow);
    if (wrong)
        return run_fail(run, "what a survivor holds has changed", wrong);
    run->hold_left = dice_roll(&run->dice, SLOW_HOLD_MAX);
    wrong = hands_take(&run->hands, &run->slow, run->ledger, dice_roll(&run->dice, HANDS_MAX));
    return wrong ? run_fail(run, "slow survivor", wrong) : 0;
}

static int fast_step(struct run *run) {
    if (!run->fast.end.state)
        return 0;
    const char *wrong = follower_drain(&run->fast, run->ledger);
    if (wrong)
        return run_fail(run, "survivor", wrong);
    for (uint32_t i = 0; i < STREAMS; i++)
        if (run->ledger->streams[i].acked > (run->fast.streams[i].is_begun ? run->fast.streams[i].index + 1 : 0))
            return run_fail(run, "survivor", "an acknowledged message does not come");
    return 0;
}

/* Joining is most delicate while a writer asks who holds what. */
static int joiner_comes(struct run *run, uint64_t at) {
    uint64_t question = (uint64_t)(uintptr_t)weir_slot_held;
    int is_asking = at >= question && at < question + QUESTION_SIZE;
    return run->fast.end.state && dice_roll(&run->dice, is_asking ? JOIN_EVERY_ASKING : JOIN_EVERY) == 0;
}

static int joiner_step(struct run *run, uint64_t step, uint64_t at) {
    struct weir_inbound inbound;
    if (!run->joiner.end.state) {
        if (!joiner_comes(run, at))
            return 0;
        run->joiner_left = JOINER_STAYS;
        if (survivor_open(run, &run->joiner, 0))
            return -1;
    }
    if (--run->joiner_left < 0)
        end_close(&run->joiner.end);
    if (!run->joiner.end.state || step % JOINER_READS_EVERY)
        return 0;
    int status = ops()->next(run->joiner.end.state, &inbound, NULL);
    if (status == WEIR_EAGAIN)
        return 0;
    const char *wrong = status ? "next failed" : follower_take(&run->joiner, run->ledger, &inbound);
    return wrong ? run_fail(run, "one that has just joined", wrong) : 0;
}

static int survivors_step(struct run *run, uint64_t step, uint64_t at) {
    if (fast_step(run) || slow_step(run) || joiner_step(run, step, at))
        return -1;
    if (!run->observer.end.state || step % OBSERVE_EVERY)
        return 0;
    const char *wrong = follower_drain(&run->observer, run->ledger);
    return wrong ? run_fail(run, "observing survivor", wrong) : 0;
}

static void survivors_close(struct run *run) {
    run->hands.count = 0;
    end_close(&run->fast.end);
    end_close(&run->slow.end);
    end_close(&run->observer.end);
    end_close(&run->joiner.end);
}

/* The slow one catches up, so that the next script finds room. */
static int slow_catch_up(struct run *run) {
    if (!run->slow.end.state)
        return 0;
    run->hold_left = 0;
    if (slow_step(run))
        return -1;
    run->hands.count = 0;
    const char *wrong = follower_drain(&run->slow, run->ledger);
    return wrong ? run_fail(run, "slow survivor", wrong) : 0;
}

/* No room is left but what the slow one gave back. What it holds must still be whole: a cursor that moves before its
 * frame is given back, or a writer that does not ask, shows only where the room is wanted. */
static int ring_fill(struct run *run) {
    if (run->wish.full == WEIR_FULL_DROP_OLDEST) /* a writer that overwrites never meets a reader */
        return 0;
    for (int round = 0; round < FILL_ROUNDS; round++) { /* in the first there may have been nothing to take */
        run->hold_left = 0;
        if (slow_step(run))
            return -1;
        if (script_fill(run->ledger, &run->wish, dice_next(&run->dice)))
            return run_fail(run, "filling the ring", run->ledger->failed);
        if (slow_look(run) || fast_step(run))
            return -1;
    }
    run->ledger->life++;
    run->totals->fills++;
    return 0;
}

/* ---- stepping ---- */

static uint64_t register_read(pid_t child, size_t offset) {
    return (uint64_t)ptrace(PTRACE_PEEKUSER, child, (void *)offset, NULL);
}

/* Calls that change neither names nor sizes nor modes. */
static int is_harmless(uint64_t number) {
    static const uint64_t calls[] = {SYS_fstat,         SYS_fcntl,     SYS_mmap,
                                     SYS_munmap,        SYS_madvise,   SYS_futex,
                                     SYS_clock_gettime, SYS_getpid,    SYS_read,
                                     SYS_pread64,       SYS_close,     SYS_membarrier,
                                     SYS_getrandom,     SYS_brk,       SYS_geteuid,
                                     SYS_newfstatat,    SYS_nanosleep, SYS_getdents64,
                                     SYS_lseek,         SYS_readlink,  SYS_sched_getaffinity};
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        if (calls[i] == number)
            return 1;
    return 0;
}

static int image_judge(struct run *run) {
    char why[256];
    uint64_t number = run->totals->different++;
    image_copy(&run->image, run->copy);
    return image_check(run->copy, run->ledger, &run->wish, number, NULL, why) ? run_fail(run, "image", why) : 0;
}

/* Step once. Return: 1: it goes on; 0: it has ended; -1: a fault. */
static int step_once(struct run *run, pid_t child, uint64_t step) {
    int status;
    uint64_t at = register_read(child, offsetof(struct user_regs_struct, rip));
    /* The child is our fork: its code lies where ours does. */
    int is_call = *(const uint16_t *)at == 0x050f; /* syscall */
    int may_rename = is_call && !is_harmless(register_read(child, offsetof(struct user_regs_struct, rax)));
    if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) != 0 || waitpid(child, &status, 0) < 0)
        return run_fail(run, "ptrace", strerror(errno));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP)
        return run_fail(run, "the traced process", "ended or stopped where it should not");
    int changed = may_rename ? image_list(&run->image) : 0;
    changed |= image_compare(&run->image);
    run->totals->steps++;
    run->totals->images +=
        changed || is_call || (at >= (uint64_t)(uintptr_t)&__executable_start && at < (uint64_t)(uintptr_t)&etext);
    if (changed && image_judge(run)) {
        char where[64];
        snprintf(where, sizeof(where), "; after the instruction at step_once%+lld",
                 (long long)(at - (uint64_t)(uintptr_t)step_once));
        strncat(run->why, where, sizeof(run->why) - strlen(run->why) - 1);
        return -1;
    }
    return survivors_step(run, step, at) ? -1 : 1;
}

static pid_t script_start(struct run *run) {
    uint64_t seed = dice_next(&run->dice);
    pid_t child = fork();
    if (child != 0)
        return child;
    close_range(3, ~0U, 0); /* the survivors' leases are not ours */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    raise(SIGSTOP);
    script_run(run->kind, run->ledger, &run->wish, seed);
    _exit(0);
}

/* One process, until it ends or its last step has come. Return: 0, or -1. */
static int life_run(struct run *run) {
    int status;
    uint64_t budget = dice_roll(&run->dice, 4) ? dice_roll(&run->dice, BUDGET_MAX) : BUDGET_LONG;
    pid_t child = script_start(run);
    waitpid(child, &status, 0);
    image_list(&run->image);
    image_compare(&run->image);
    int going = 1;
    for (uint64_t step = 0; going == 1 && step < budget && run->totals->images < run->images_max && !*is_found;
         step++) {
        if (step % ALARM_EVERY == 0)
            alarm(STUCK_S);
        going = step_once(run, child, step);
    }
    if (going != 0) {
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        run->totals->kills++;
    }
    run->totals->lives++;
    run->totals->kinds[run->kind]++;
    if (going >= 0 && run->ledger->failed[0])
        return run_fail(run, "the traced process", run->ledger->failed);
    return going < 0 ? -1 : 0;
}

/* What is there after the kill is what the next life goes on from. */
static int life_settle(struct run *run) {
    struct found found = {0};
    char why[256];
    image_list(&run->image);
    image_compare(&run->image);
    image_copy(&run->image, run->copy);
    if (image_check(run->copy, run->ledger, &run->wish, run->totals->lives, &found, why))
        return run_fail(run, "after the kill", why);
    for (uint32_t i = 0; i < STREAMS; i++) {
        struct stream *stream = &run->ledger->streams[i];
        stream->begun = stream->acked = found.count[i];
        stream->seq = found.seq[i];
        stream->is_skipping = 0;
    }
    run->ledger->life++;
    return fast_step(run) || (dice_roll(&run->dice, 2) && slow_catch_up(run)) ? -1 : 0;
}

/* ---- a channel's whole story ---- */

/* A channel that a killed process had half removed. */
static void rubbish_plant(struct run *run) {
    char path[140];
    snprintf(path, sizeof(path), "%s/weir-%u", run->real, geteuid());
    mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/weir-%u/.gone.%016llx", run->real, geteuid(),
             (unsigned long long)dice_next(&run->dice));
    mkdir(path, 0700);
    strncat(path, "/members.lock", sizeof(path) - strlen(path) - 1);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
}

static void ledger_reset(struct run *run) {
    memset(run->ledger, 0, sizeof(*run->ledger));
    for (uint32_t i = 0; i < STREAMS; i++)
        run->ledger->streams[i].seq = 1;
    run->ledger->life = 1;
    run->ledger->is_lossless = run->is_lossless;
}

/* Ends that come and go, none of them to stay. */
static int story_brief(struct run *run) {
    run->wish.keep = 0;
    for (int life = 0; life < LIVES_MAX; life++) {
        ledger_reset(run);
        run->kind = dice_roll(&run->dice, 4) ? SCRIPT_BRIEF : SCRIPT_CLEAN;
        if (dice_roll(&run->dice, 3) == 0)
            rubbish_plant(run);
        if (life_run(run))
            return -1;
    }
    return 0;
}

/* The next writers overwrite, or no longer do, so their lanes grow; and some come and go without a message, which
 * leaves a newest segment that is empty: all there is to read lies in the one before. */
static int lanes_turn(struct run *run) {
    run->wish.full = run->wish.full == WEIR_FULL_BLOCK ? WEIR_FULL_DROP_OLDEST : WEIR_FULL_BLOCK;
    if (dice_roll(&run->dice, 2) && script_prefill(run->ledger, &run->wish, &run->dice, 0))
        return run_fail(run, "coming and going", run->ledger->failed);
    return 0;
}

static int story_kept(struct run *run) {
    uint32_t lives = 2 + dice_roll(&run->dice, LIVES_MAX - 1);
    run->wish.keep = (int8_t)(1 - 2 * (int)dice_roll(&run->dice, 2));
    ledger_reset(run);
    if (dice_roll(&run->dice, 3) &&
        script_prefill(run->ledger, &run->wish, &run->dice, (int)dice_roll(&run->dice, PREFILL_MAX)))
        return run_fail(run, "prefill", run->ledger->failed);
    run->ledger->life++;
    if (dice_roll(&run->dice, 4) && (survivor_open(run, &run->fast, 0) || survivor_open(run, &run->observer, 1)))
        return -1;
    if (dice_roll(&run->dice, 2) && survivor_open(run, &run->slow, 0))
        return -1;
    for (uint32_t life = 0; life < lives; life++) {
        if (run->slow.end.state && dice_roll(&run->dice, 4) && ring_fill(run))
            return -1;
        uint32_t roll = dice_roll(&run->dice, 10);
        run->kind = roll < 5 ? SCRIPT_WRITE : roll < 8 ? SCRIPT_BOTH : roll < 9 ? SCRIPT_READ : SCRIPT_CLEAN;
        if (run->kind == SCRIPT_CLEAN)
            rubbish_plant(run);
        if (!run->is_lossless && dice_roll(&run->dice, 3) == 0 && lanes_turn(run))
            return -1;
        if (life_run(run) || life_settle(run))
            return -1;
    }
    return 0;
}

static int story(struct run *run, uint64_t seed) {
    run->dice.state = run->seed = seed;
    run->wish = (struct wish){.name = "torture", .capacity = 65536, .full = WEIR_FULL_BLOCK, .keep = -1};
    run->wish.mode =
        dice_roll(&run->dice, 3) ? 0600 : 0666; /* 0666: others could write it, so nothing is read in place */
    if (run->wish.mode == 0600 && dice_roll(&run->dice, 2))
        run->wish.wait = WEIR_WAIT_SEM;
    run->is_lossless = dice_roll(&run->dice, 2);
    if (!run->is_lossless && dice_roll(&run->dice, 2))
        run->wish.full = WEIR_FULL_DROP_OLDEST;
    image_init(&run->image, run->real);
    int descriptors = descriptors_count();
    int status = dice_roll(&run->dice, 5) ? story_kept(run) : story_brief(run);
    alarm(STUCK_S);
    survivors_close(run);
    image_fini(&run->image);
    if (status == 0 && descriptors_count() != descriptors)
        status = run_fail(run, "descriptors", "some are left open");
    tree_remove(run->real);
    mkdir(run->real, 0700);
    return status;
}

/* ---- all of them ---- */

/* Tracer and traced take turns; on one processor a turn is soonest. */
static void processor_choose(unsigned number) {
    cpu_set_t all, one;
    if (sched_getaffinity(0, sizeof(all), &all) != 0)
        return;
    unsigned wanted = number % (unsigned)CPU_COUNT(&all);
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &all) && wanted-- == 0) {
            CPU_ZERO(&one);
            CPU_SET(i, &one);
            sched_setaffinity(0, sizeof(one), &one);
        }
}

static int job(struct totals *totals, uint64_t images, uint64_t seed, unsigned number) {
    static struct run run;
    run.totals = totals;
    run.images_max = images;
    processor_choose(number);
    run.ledger = mmap(NULL, sizeof(*run.ledger), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    scratch_make(run.real, "step");
    snprintf(totals->real, sizeof(totals->real), "%s", run.real);
    snprintf(run.copy, sizeof(run.copy), "%s-copy", run.real);
    int status = 0;
    for (uint64_t i = 0; status == 0 && totals->images < images && !*is_found;
         i++) /* the last process is killed where the count ends */
        status = story(&run, mix(seed * 1000 + number) + i);
    if (status) {
        *is_found = 1;
        snprintf(totals->why, sizeof(totals->why), "%s (kind %d, story %llu)", run.why, run.kind,
                 (unsigned long long)run.seed);
    }
    tree_remove(run.real);
    tree_remove(run.copy);
    return status ? 1 : 0;
}

/* Who was killed, or gave up, has cleaned nothing. */
static void scratch_remove(const struct totals *totals) {
    char copy[80];
    if (!totals->real[0])
        return;
    snprintf(copy, sizeof(copy), "%s-copy", totals->real);
    tree_remove(totals->real);
    tree_remove(copy);
}

/* Say what a job has found. Return: 1 when it is anything but a clean end. */
static int job_tell(const struct totals *totals, int status) {
    if (status == 0)
        return 0;
    if (WIFEXITED(status) && totals->why[0])
        printf("# fault: %s\n", totals->why);
    else if (WIFEXITED(status))
        printf("# trouble: the judge ended with exit code %d\n", WEXITSTATUS(status));
    else if (WTERMSIG(status) == SIGALRM)
        printf("# fault: the judge, or a call of the traced process, came to no end within %d s\n", STUCK_S);
    else
        printf("# fault: the judge was killed by signal %d\n", WTERMSIG(status));
    return 1;
}

int main(int argc, char **argv) {
    uint64_t images = argument(argc, argv, "--images", 30000), seed = argument(argc, argv, "--seed", 1);
    unsigned jobs = (unsigned)argument(argc, argv, "--jobs", 1);
    struct totals *totals =
        mmap(NULL, jobs * sizeof(*totals), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    is_found = mmap(NULL, sizeof(*is_found), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    double begin = seconds();
    pid_t children[64];
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("1..1\n# step --images %llu --seed %llu --jobs %u\n", (unsigned long long)images, (unsigned long long)seed,
           jobs);
    fflush(stdout);
    for (unsigned i = 0; i < jobs; i++)
        if ((children[i] = fork()) == 0)
            _exit(job(&totals[i], images / jobs, seed, i));
    struct totals sum = {0};
    int failed = 0;
    for (unsigned i = 0; i < jobs; i++) {
        int status;
        waitpid(children[i], &status, 0);
        failed |= job_tell(&totals[i], status);
        scratch_remove(&totals[i]);
        sum.steps += totals[i].steps;
        sum.images += totals[i].images;
        sum.different += totals[i].different;
        sum.lives += totals[i].lives;
        sum.kills += totals[i].kills;
        sum.fills += totals[i].fills;
        for (int k = 0; k < SCRIPT_KINDS; k++)
            sum.kinds[k] += totals[i].kinds[k];
    }
    printf("# scripts: %llu write, %llu read, %llu both, %llu come and go, %llu clean; %llu rings filled before one\n",
           (unsigned long long)sum.kinds[0], (unsigned long long)sum.kinds[1], (unsigned long long)sum.kinds[2],
           (unsigned long long)sum.kinds[3], (unsigned long long)sum.kinds[4], (unsigned long long)sum.fills);
    printf("%s 1 - crash images: %llu of %llu instructions stepped through, %llu different images judged, %llu "
           "processes, %llu killed; seed %llu, %.0f s\n",
           failed ? "not ok" : "ok", (unsigned long long)sum.images, (unsigned long long)sum.steps,
           (unsigned long long)sum.different, (unsigned long long)sum.lives, (unsigned long long)sum.kills,
           (unsigned long long)seed, seconds() - begin);
    return failed;
}
