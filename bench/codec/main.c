/* Weir's codecs and the libraries people pick today, on the same documents in one run on one core.
 *
 *     bench_codec [--rounds N] [--json] [--no-jvm]
 *
 * Every figure is the median of N rounds (default 15), the rounds of all peers interleaved. Goals are ratios to the
 * best peer of the same run, so that they hold on a machine that is slow or noisy; bench/README.md says what each
 * means. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

static struct bench bench = {.rounds = 15};

/* To the last core: the first has more of the system's own work. */
void bench_pin(void) {
    cpu_set_t set;
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    CPU_ZERO(&set);
    CPU_SET(count > 0 ? count - 1 : 0, &set);
    if (sched_setaffinity(0, sizeof(set), &set) != 0)
        fprintf(stderr, "bench: not pinned to a core; the figures will be noisier\n");
}

static int usage(void) {
    fprintf(stderr, "usage: bench_codec [--rounds N] [--json] [--no-jvm]   (N up to %d)\n", ROUNDS_MAX);
    return 2;
}

int main(int argc, char **argv) {
    int is_json = 0, has_jvm = 1;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            is_json = 1;
        else if (strcmp(argv[i], "--no-jvm") == 0)
            has_jvm = 0;
        else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc)
            bench.rounds = atoi(argv[++i]);
        else
            return usage();
    }
    if (bench.rounds < 1 || bench.rounds > ROUNDS_MAX)
        return usage();
    bench_pin();
    bench_inputs_new(bench.made);
    bench_peers_open(&bench);
    bench_check(&bench);
    bench_measure(&bench);
    bench_jackson(&bench, has_jvm);
    bench_goals(&bench);
    bench_alone(&bench);
    if (is_json)
        bench_report_json(&bench);
    else
        bench_report(&bench);
    bench_peers_close(&bench);
    bench_inputs_free(bench.made);
    return 0;
}
