/* Jackson runs in a process of its own, a JVM: it gets the inputs as files, Smile where weir can
 * write it and JSON otherwise, and prints its medians once it is warmed up (Jackson.java). So it is the one peer
 * whose rounds are not interleaved. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

enum { COMMAND_MAX = 4096, PATH_LENGTH_MAX = 256 };

static const struct bench_peer jackson = {.name = "Jackson", .note = "tree, warmed up", .codec = BENCH_SMILE};

static void path_of(char *path, const char *folder, const struct bench_input *input) {
    snprintf(path, PATH_LENGTH_MAX, "%s/%s.%s", folder, input->name, input->bytes[BENCH_SMILE].data ? "smile" : "json");
}

static void file_write(const char *path, const struct bench_bytes *bytes) {
    FILE *file = fopen(path, "wb");
    bench_must(file && fwrite(bytes->data, 1, bytes->size, file) == bytes->size && fclose(file) == 0, path);
}

static void figure_add(struct bench *bench, const struct bench_input *input, enum bench_op op, double ns) {
    bench_must(bench->figure_count < FIGURES_MAX, "room for one more figure");
    bench->figures[bench->figure_count++] = (struct figure){.peer = &jackson, .input = input, .op = op, .ns = ns};
}

/* Return: how many inputs it told of. */
static int lines_read(struct bench *bench, FILE *lines) {
    char name[32];
    double decode, encode;
    int count = 0;
    while (fscanf(lines, "%31s %lf %lf", name, &decode, &encode) == 3)
        for (int i = 0; i < BENCH_INPUT_COUNT; i++)
            if (strcmp(bench->made[i].input.name, name) == 0) {
                figure_add(bench, &bench->made[i].input, BENCH_DECODE, decode);
                figure_add(bench, &bench->made[i].input, BENCH_ENCODE, encode);
                count++;
            }
    return count;
}

/* The JVM may use every core, so that its compiler is done sooner; what is measured is still one thread's time. */
static void unpin(void) {
    cpu_set_t set;
    memset(&set, 0xff, sizeof(set));
    sched_setaffinity(0, sizeof(set), &set);
}

static int run(struct bench *bench, const char *folder) {
    char command[COMMAND_MAX], path[PATH_LENGTH_MAX];
    int used = snprintf(command, sizeof(command), "java -XX:+UseSerialGC -Xms512m -Xmn256m -cp '%s' '%s' %d",
                        BENCH_JACKSON_JARS, BENCH_JACKSON_SOURCE, bench->rounds);
    for (int i = 0; i < BENCH_INPUT_COUNT; i++) {
        const struct bench_input *input = &bench->made[i].input;
        path_of(path, folder, input);
        file_write(path, &input->bytes[input->bytes[BENCH_SMILE].data ? BENCH_SMILE : BENCH_JSON]);
        used += snprintf(command + used, sizeof(command) - (size_t)used, " '%s'", path);
        bench_must(used < COMMAND_MAX, "a short command");
    }
    fflush(NULL);
    unpin();
    FILE *lines = popen(command, "r");
    int count = lines ? lines_read(bench, lines) : 0;
    if (lines)
        pclose(lines);
    bench_pin();
    return count;
}

void bench_jackson(struct bench *bench, int is_wanted) {
    char folder[] = "/tmp/weir-bench-XXXXXX", path[PATH_LENGTH_MAX];
    if (BENCH_JACKSON_JARS[0] == '\0')
        return; /* among the absent, with its reason */
    bench_must(bench->library_count < PEERS_MAX && mkdtemp(folder) != NULL, folder);
    struct library *library = &bench->libraries[bench->library_count++];
    *library = (struct library){.name = strdup("Jackson"), .version = BENCH_JACKSON_VERSION};
    if (!is_wanted)
        snprintf(library->reason, sizeof(library->reason), "left out by --no-jvm");
    else if (run(bench, folder) != BENCH_INPUT_COUNT)
        snprintf(library->reason, sizeof(library->reason),
                 "the JVM did not measure every input; see its message above");
    for (int i = 0; i < BENCH_INPUT_COUNT; i++) {
        path_of(path, folder, &bench->made[i].input);
        unlink(path);
    }
    rmdir(folder);
}
