/* kill -9 at random moments on every mechanism. Writers, readers, whoever listens, and gc are killed and started anew;
 * some are stopped for a while. On most mechanisms one reader, the witness, lives from the beginning to the end, and an
 * oracle knows what was acknowledged.
 *
 *     kills [--on NAME] [--kills N] [--seed S]
 *
 * What must hold is in the table: what docs/GUARANTEES.md promises for the mechanism. Everywhere: nothing comes twice,
 * torn, or out of its writer's order; within one reader every message that is missing is in a gap; nobody who survives
 * is held up for 20 s or refused; who starts can open; in the end nothing is left. Prints TAP, a case for each
 * mechanism. torture_soak does more in shared memory, below the library's calls. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <weir/weir.h>

#include "kills.h"

enum { ORDERLY_S = 60, CLEAN_TRIES = 120 };

#define CONTROL "control, which must be found at fault"

static const struct mechanism mechanisms[] = {
    /* clang-format off */
    {"shm", "shm://soak?capacity=64K", "from=oldest", GAPLESS | MEETS | KEEPS, 3, 2, 1, 0},
    {"sysv", "sysv://%2$u?capacity=64K", "from=oldest", GAPLESS | MEETS | KEEPS, 3, 2, 1, 0},
    {"sealed", "shm://soak?sealed=1&capacity=64K", "from=oldest", GAPLESS | KEEPS_MET, 3, 2, 1, 0},
    /* The witness listens, and nobody stands between it and the writers. */
    {"unix", "unix://%1$s/s?capacity=64K", "listen=1", GAPLESS | MEETS | KEEPS_CLOSED, 3, 2, 1, 0},
    {"tcp", "tcp://127.%3$u.%4$u.1:%2$u?capacity=64K", "listen=1", GAPLESS | MEETS | KEEPS_CLOSED, 3, 2, 1, 0},
    /* Whoever listens is killed: what it carried is lost and counted. */
    {"unix, listeners killed", "unix://%1$s/s?capacity=64K", "connect=1", 0, 3, 2, 1, 0},
    {"tcp, listeners killed", "tcp://127.%3$u.%4$u.1:%2$u?capacity=64K", "connect=1", 0, 3, 2, 1, 0},
    /* A killed reader has had a packet of 4 KiB in its hands, and the frame that it had begun. */
    {"fifo", "fifo://%1$s/p?capacity=64K", NULL, 0, 1, 1, 1, 4096 + 40000},
    {"file", "file://%1$s/log.weir", "from=oldest", GAPLESS | MEETS | KEEPS, 3, 2, 1, 0},
    {"file, lines", "file://%1$s/log.jsonl", "from=oldest", GAPLESS | MEETS | KEEPS, 3, 2, 1, 0},
    {"file, rotating", "file://%1$s/log.weir?rotate=1M&files=1000", "from=oldest", GAPLESS | MEETS | KEEPS, 3, 2, 1, 0},
    /* More than is promised: the oracle must notice. Keeps the others honest. */
    {CONTROL, "unix://%1$s/s?capacity=64K", "connect=1", GAPLESS | KEEPS, 3, 2, 1, 0},
    /* clang-format on */
};
enum { MECHANISMS = sizeof(mechanisms) / sizeof(mechanisms[0]) };

static void nap_us(uint32_t us) {
    nanosleep(&(struct timespec){.tv_sec = us / 1000000, .tv_nsec = (long)(us % 1000000) * 1000}, NULL);
}

static void failed(const char *format, uint32_t role, int status) {
    if (__atomic_exchange_n(&oracle->has_failed, 1, __ATOMIC_SEQ_CST) == 0)
        snprintf(oracle->why, sizeof(oracle->why), format, role, status);
}

/* ---- processes ---- */

static pid_t start(uint32_t role, uint64_t seed) {
    const struct mechanism *of = &oracle->mechanism;
    struct dice dice = {seed};
    fflush(NULL);
    pid_t child = fork();
    if (child != 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (role == ROLES_MAX)
        witness_run(&dice);
    else if (role < of->writers)
        writer_run(role, &dice);
    else if (role < of->writers + of->readers)
        reader_run(role, &dice);
    else
        cleaner_run();
    _exit(0);
}

/* Return: wait status of a child that ends by itself; it is given time. */
static int finish(pid_t child, uint32_t role) {
    int status = 1;
    for (double begin = seconds(); waitpid(child, &status, WNOHANG) == 0; nap_us(1000))
        if (seconds() - begin > ORDERLY_S) {
            failed("role %u does not end in %d s", role, ORDERLY_S);
            kill(child, SIGKILL);
            waitpid(child, &status, 0);
            return 1;
        }
    if (status)
        failed("role %u ended with status %#x", role, (unsigned)status);
    return status;
}

/* Without a witness, what is on the way is only kept while somebody has it open: nobody is killed before the other is
 * there. */
static void others_await(void) {
    double begin = seconds();
    for (uint32_t i = 0; i < oracle->mechanism.writers + oracle->mechanism.readers; i++)
        while (!oracle->is_open[i] && !oracle->has_failed) {
            if (seconds() - begin > STUCK_S)
                failed("role %u has not opened in %d s", i, STUCK_S);
            nap_us(100);
        }
}

/* Stop @victim for a while. Return: 1 when it goes on, 0 when it is to be killed in its sleep. */
static int stop(pid_t victim, struct dice *dice) {
    oracle->survival.stops++; /* odd: somebody is stopped */
    kill(victim, SIGSTOP);
    nap_us(dice_roll(dice, 20000));
    if (dice_roll(dice, 2))
        return 0;
    kill(victim, SIGCONT);
    oracle->survival.stops++;
    return 1;
}

static void killing(pid_t *mortals, uint64_t kills, struct dice *dice) {
    uint32_t count = oracle->mechanism.writers + oracle->mechanism.readers + oracle->mechanism.cleaners;
    for (uint64_t done = 0; done < kills && !oracle->has_failed;) {
        uint32_t role = dice_roll(dice, count);
        nap_us(dice_roll(dice, 4) ? dice_roll(dice, 1000) : dice_roll(dice, 6000));
        if (!oracle->mechanism.witness)
            others_await();
        int is_stopped = dice_roll(dice, 20) == 0;
        if (is_stopped && stop(mortals[role], dice))
            continue;
        oracle->deaths += role >= oracle->mechanism.writers;
        survive_kill(&oracle->survival);
        kill(mortals[role], SIGKILL);
        oracle->survival.stops += (uint64_t)is_stopped;
        int status = 0;
        waitpid(mortals[role], &status, 0);
        survive_buried(&oracle->survival);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
            failed("role %u ended with status %#x before it was killed", role, status);
        oracle->is_open[role] = 0;
        mortals[role] = start(role, dice_next(dice));
        done++;
    }
}

/* ---- what is left ---- */

/* The last end takes the channel away; gc what it may. Files that rotation leaves are the channel. */
static void left_check(const char *path) {
    char address[300];
    weir_writer *writer = NULL;
    weir_error err = {0};
    const char *scheme = oracle->mechanism.address;
    if (oracle->has_failed || strncmp(scheme, "file", 4) == 0)
        return;
    snprintf(address, sizeof(address), "%s%s", oracle->address, strstr(scheme, "sealed") ? "" : "&keep=0");
    if (weir_writer_open(address, &writer, &err)) {
        oracle->has_failed = 1;
        snprintf(oracle->why, sizeof(oracle->why), "in the end: %.400s", err.text);
        return;
    }
    weir_writer_close(writer);
    for (int i = 0; i < CLEAN_TRIES; i++) { /* what was half made is left alone for some seconds */
        weir_doc *doc = NULL;
        if (weir_doc_new(&doc) == WEIR_OK)
            weir_directory_clean(doc, 0, NULL);
        weir_doc_free(doc);
        if (tree_count(path) == 0)
            return;
        nap_us(100000);
    }
    failed("%u names are left behind the last end%d", (uint32_t)tree_count(path), 0);
}

/* ---- a mechanism ---- */

static void run(uint32_t number, const char *path, uint64_t kills, uint64_t seed) {
    const struct mechanism *of = &mechanisms[number];
    struct dice dice = {mix(seed + number)};
    uint32_t count = of->writers + of->readers + of->cleaners, own = dice_roll(&dice, 20000);
    pid_t mortals[ROLES_MAX], watcher = -1;
    oracle->mechanism = *of;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(oracle->address, sizeof(oracle->address), of->address, path, 10000 + own, 1 + (unsigned)getpid() % 250,
             1 + (unsigned)getpid() / 250 % 250);
#pragma GCC diagnostic pop
    if (of->witness)
        watcher = start(ROLES_MAX, dice_next(&dice));
    while (of->witness && !oracle->is_watching && !oracle->has_failed)
        nap_us(1000);
    for (uint32_t role = 0; role < count; role++)
        mortals[role] = start(role, dice_next(&dice));
    killing(mortals, kills, &dice);
    oracle->must_stop = 1;
    for (uint32_t role = 0; role < count; role++)
        if (of->witness || role < of->writers || role >= of->writers + of->readers)
            finish(mortals[role], role);
    oracle->writers_gone = 1;
    if (watcher > 0)
        finish(watcher, ROLES_MAX);
    for (uint32_t role = of->writers; !of->witness && role < of->writers + of->readers; role++)
        finish(mortals[role], role);
    left_check(path);
}

static int mechanism_judge(uint32_t number, uint32_t case_number, uint64_t kills, uint64_t seed) {
    char path[64];
    uint32_t lives = (uint32_t)kills * LIVES_PER_KILL + LIVES_SPARE;
    size_t size = sizeof(*oracle) + lives * sizeof(struct life);
    oracle = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (oracle == MAP_FAILED)
        return 1;
    oracle->lives_max = lives;
    double begin = seconds();
    const char *before = getenv("WEIR_SHM_DIR");
    char *store = before ? strdup(before) : NULL;
    scratch_make(path, "kills");
    run(number, path, kills, seed);
    tree_remove(path);
    if (store)
        setenv("WEIR_SHM_DIR", store, 1);
    else
        unsetenv("WEIR_SHM_DIR");
    free(store);
    survive_print(&oracle->survival, 0, "writers");
    survive_print(&oracle->survival, 1, "readers");
    int is_failed = oracle->has_failed != (strcmp(mechanisms[number].name, CONTROL) == 0);
    if (oracle->has_failed)
        printf("# fault: %s\n", oracle->why);
    printf("%s %u - %s: %llu kills, %u lives of writers, %llu messages to who survives, %llu to who is killed; in gaps "
           "%llu, lost with who was killed %llu; seed %llu, %.0f s\n",
           is_failed ? "not ok" : "ok", case_number, mechanisms[number].name,
           (unsigned long long)oracle->survival.killed, oracle->lives, (unsigned long long)oracle->received,
           (unsigned long long)oracle->checked, (unsigned long long)oracle->missed, (unsigned long long)oracle->lost,
           (unsigned long long)seed, seconds() - begin);
    fflush(stdout);
    munmap(oracle, size);
    return is_failed;
}

static const char *wanted(int argc, char **argv) {
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], "--on") == 0)
            return argv[i + 1];
    return "";
}

int main(int argc, char **argv) {
    uint64_t kills = argument(argc, argv, "--kills", 100), seed = argument(argc, argv, "--seed", 1);
    const char *on = wanted(argc, argv);
    uint32_t plan = 0, number = 0, failures = 0;
    for (uint32_t i = 0; i < MECHANISMS; i++)
        plan += strncmp(mechanisms[i].name, on, strlen(on)) == 0;
    if (plan == 0) {
        fprintf(stderr, "kills: no mechanism begins with %s\n", on);
        return 2;
    }
    printf("1..%u\n# kills --kills %llu --seed %llu\n", plan, (unsigned long long)kills, (unsigned long long)seed);
    fflush(stdout);
    if (unshare(CLONE_NEWIPC) != 0)
        printf("# no namespace for System V (%s): the machine's is used\n", strerror(errno));
    for (uint32_t i = 0; i < MECHANISMS; i++)
        if (strncmp(mechanisms[i].name, on, strlen(on)) == 0)
            failures += (uint32_t)mechanism_judge(i, ++number, kills, seed);
    return failures != 0;
}
