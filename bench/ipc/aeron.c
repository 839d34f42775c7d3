/* Aeron runs in two JVMs of its own (aeron/Aeron.java): an embedded media driver, a publication and a subscription over
 * ipc on each side. They warm up, do all rounds and print a line for each sample, so Aeron is the one peer whose rounds
 * are not interleaved. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

enum { COMMAND_MAX = 1024 };

static int scenario_of(const char *word) {
    static const struct {
        const char *word;
        int scenario;
    } words[] = {{"trip", TRIP}, {"48", WAY_48}, {"1024", WAY_1K}, {"65536", WAY_64K}, {"1048576", WAY_1M}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(words[i].word, word) == 0)
            return words[i].scenario;
    return -1;
}

/* "trip 0.61 1.2 3.4" or "48 6100000". Return: how many samples. */
static int lines_read(struct entry *entry, FILE *lines) {
    char line[256], word[32];
    double value, p99 = 0, p999 = 0;
    int count = 0;
    while (fgets(line, sizeof(line), lines)) {
        int fields = sscanf(line, "%31s %lf %lf %lf", word, &value, &p99, &p999);
        int scenario = fields >= 2 ? scenario_of(word) : -1;
        if (scenario < 0 || entry->figures[scenario].count >= ROUNDS_MAX)
            continue;
        struct figure *figure = &entry->figures[scenario];
        figure->value[figure->count] = value;
        figure->p99[figure->count] = fields == 4 ? p99 : 0;
        figure->p999[figure->count++] = fields == 4 ? p999 : 0;
        count++;
    }
    return count;
}

void bench_aeron(struct bench *bench, int is_wanted) {
    char command[COMMAND_MAX];
    struct entry *entry = bench_entry_new(bench, "Aeron");
    if (access(BENCH_AERON "/classes", R_OK) != 0)
        snprintf(entry->reason, sizeof(entry->reason), "Maven or javac could not make it (bench/ipc/fetch-peers)");
    else if (!is_wanted)
        snprintf(entry->reason, sizeof(entry->reason), "left out by --no-jvm or --only");
    if (entry->reason[0])
        return;
    snprintf(command, sizeof(command), "%s/run '%s' '%s/aeron' %d 2>&1", BENCH_AERON, BENCH_AERON, bench->directory,
             bench->rounds);
    fflush(NULL);
    FILE *lines = popen(command, "r");
    int count = lines ? lines_read(entry, lines) : 0;
    if (lines)
        pclose(lines);
    if (count == 0)
        snprintf(entry->reason, sizeof(entry->reason), "its JVMs measured nothing");
}
