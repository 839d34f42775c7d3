/* Weir's transports, their bare forms and what people use instead, between processes in one run.
 *
 *     bench_ipc [--rounds N] [--json] [--no-jvm] [--big] [--only WORD]
 *
 * Every figure is the median of N rounds (default 7); in a round all mechanisms of a scenario follow each other. --only
 * measures what has the word in its mechanism's, scenario's or row's name, and the bare forms; "logs" and "alone" are
 * words too. --big also makes a log of 10 GB. Goals are ratios within the
 * run; bench/README.md says what each means. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

static struct bench bench = {.rounds = 7};
static char store[] = "/dev/shm/weir-bench-XXXXXX";

static int usage(void) {
    fprintf(stderr, "usage: bench_ipc [--rounds N] [--json] [--no-jvm] [--big] [--only WORD]   (N up to %d)\n",
            ROUNDS_MAX);
    return 2;
}

static int is_asked_for(const struct entry *entry, int scenario) {
    if (!entry->mechanism || !(entry->mechanism->scenarios >> scenario & 1))
        return 0;
    return !bench.only || strstr(entry->name, bench.only) || strstr(scenarios[scenario].name, bench.only);
}

/* What is asked for, and beside it the bare forms, as a figure alone says little. */
static int is_chosen(const struct entry *entry, int scenario) {
    if (is_asked_for(entry, scenario))
        return 1;
    if (!entry->mechanism || !(entry->mechanism->scenarios >> scenario & 1) || strncmp(entry->name, "bare", 4) != 0)
        return 0;
    for (int i = 0; i < bench.entry_count; i++)
        if (is_asked_for(&bench.entries[i], scenario))
            return 1;
    return 0;
}

/* One of several mechanisms with one prepare: it is told once why they are not there. */
static int has_reason(const char *reason) {
    for (int i = 0; i < bench.entry_count; i++)
        if (strcmp(bench.entries[i].reason, reason) == 0)
            return 1;
    return 0;
}

static void mechanisms_open(void) {
    for (int i = 0; mechanism_lists[i]; i++)
        for (const struct mechanism *m = mechanism_lists[i]; m->name; m++) {
            const char *reason = m->prepare ? m->prepare(bench.directory) : NULL;
            if (reason && has_reason(reason))
                continue;
            struct entry *entry = bench_entry_new(&bench, m->name);
            entry->mechanism = m;
            if (reason)
                snprintf(entry->reason, sizeof(entry->reason), "%s", reason);
        }
}

static void mechanisms_close(void) {
    for (int i = 0; i < bench.entry_count; i++)
        if (bench.entries[i].mechanism && bench.entries[i].mechanism->finish)
            bench.entries[i].mechanism->finish();
}

static void round_run(void) {
    for (int scenario = 0; scenario < SCENARIO_COUNT; scenario++)
        for (int i = 0; i < bench.entry_count; i++) {
            struct entry *entry = &bench.entries[i];
            if (entry->mechanism && !entry->reason[0] && is_chosen(entry, scenario))
                bench_sample(&bench, entry, (enum scenario_id)scenario);
        }
    if (!bench.only || strstr("alone", bench.only))
        bench_alone(&bench);
    bench_log(&bench);
}

static void places_make(void) {
    strcpy(bench.directory, "/tmp/weir-bench-XXXXXX");
    bench_must(mkdtemp(bench.directory) != NULL && mkdtemp(store) != NULL, "mkdtemp");
    setenv("WEIR_SHM_DIR", store, 1);
    bench.shared = mmap(NULL, SHARED_SIZE + 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bench_must(bench.shared != MAP_FAILED, "mmap");
}

static void places_remove(void) {
    char command[2 * sizeof(bench.directory) + 16];
    snprintf(command, sizeof(command), "rm -rf '%s' '%s'", bench.directory, store);
    if (system(command) != 0)
        fprintf(stderr, "bench: %s could not be removed\n", bench.directory);
}

int main(int argc, char **argv) {
    int is_json = 0, has_jvm = 1;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            is_json = 1;
        else if (strcmp(argv[i], "--no-jvm") == 0)
            has_jvm = 0;
        else if (strcmp(argv[i], "--big") == 0)
            bench.is_big = 1;
        else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc)
            bench.rounds = atoi(argv[++i]);
        else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
            bench.only = argv[++i];
        else
            return usage();
    }
    if (bench.rounds < 1 || bench.rounds > ROUNDS_MAX)
        return usage();
    places_make();
    mechanisms_open();
    for (int round = 0; round < bench.rounds; round++)
        round_run();
    bench_aeron(&bench, has_jvm && !bench.only);
    mechanisms_close();
    bench_medians(&bench);
    bench_goals(&bench);
    if (is_json)
        bench_report_json(&bench);
    else
        bench_report(&bench);
    places_remove();
    return 0;
}
