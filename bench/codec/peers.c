/* The adapters: BENCH_ADAPTERS names those that were built, "|yyjson=/path/to/peer_yyjson.so|...", BENCH_ABSENT the
 * others with the reason, "|QCBOR=...|...". Each is loaded with its names to itself; one without a path is in this
 * program. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

static struct library *library_new(struct bench *bench, const char *name) {
    bench_must(bench->library_count < PEERS_MAX, "room for one more library");
    struct library *library = &bench->libraries[bench->library_count++];
    library->name = strdup(name);
    bench_must(library->name != NULL, "memory");
    return library;
}

static void figures_add(struct bench *bench, const struct bench_peer *peer, const struct bench_input *input) {
    void *state = input->bytes[peer->codec].data ? peer->open(input) : NULL;
    for (int op = 0; state && op < BENCH_OP_COUNT; op++) {
        if (!peer->ops[op])
            continue;
        bench_must(bench->figure_count < FIGURES_MAX, "room for one more figure");
        bench->figures[bench->figure_count++] = (struct figure){.peer = peer, .input = input, .op = op, .state = state};
    }
}

static void adapter_open(struct bench *bench, const char *name, const char *path) {
    struct library *library = library_new(bench, name);
    void *handle = dlopen(path[0] ? path : NULL, RTLD_NOW | RTLD_LOCAL);
    const struct bench_peer *peers = handle ? dlsym(handle, "bench_peers") : NULL;
    if (!peers) {
        snprintf(library->reason, sizeof(library->reason), "cannot be loaded: %s", dlerror());
        return;
    }
    library->name = peers->name;
    library->version = peers->version();
    for (const struct bench_peer *peer = peers; peer->name; peer++)
        for (int i = 0; i < BENCH_INPUT_COUNT; i++)
            figures_add(bench, peer, &bench->made[i].input);
}

/* Call @use for every "name=value" of a list that '|' separates. */
static void each(struct bench *bench, const char *list, void (*use)(struct bench *, const char *, const char *)) {
    char *copy = strdup(list), *rest = copy;
    bench_must(copy != NULL, "memory");
    for (char *entry; (entry = strsep(&rest, "|"));) {
        char *value = strchr(entry, '=');
        if (!value)
            continue;
        *value++ = '\0';
        use(bench, entry, value);
    }
    free(copy);
}

static void absent(struct bench *bench, const char *name, const char *reason) {
    snprintf(library_new(bench, name)->reason, REASON_MAX, "%s", reason);
}

/* Figures of one input stand together, so that in a round the peers follow each other at once; those of one peer
 * too. */
static int figure_order(const void *a, const void *b) {
    const struct figure *x = a, *y = b;
    if (x->input != y->input)
        return x->input < y->input ? -1 : 1;
    if (x->peer->codec != y->peer->codec)
        return x->peer->codec < y->peer->codec ? -1 : 1;
    if (x->op != y->op)
        return x->op < y->op ? -1 : 1;
    return strcmp(x->peer->name, "weir") == 0   ? -1
           : strcmp(y->peer->name, "weir") == 0 ? 1
                                                : strcmp(x->peer->name, y->peer->name);
}

void bench_peers_open(struct bench *bench) {
    each(bench, BENCH_ADAPTERS, adapter_open);
    each(bench, BENCH_ABSENT, absent);
    for (int codec = 0; codec < BENCH_CODEC_COUNT; codec++)
        if (bench_weir_codec(codec) == 0) {
            char name[32];
            snprintf(name, sizeof(name), "weir's %s", bench_codec_name(codec));
            absent(bench, name, "this build of weir has no such codec");
        }
    qsort(bench->figures, (size_t)bench->figure_count, sizeof(bench->figures[0]), figure_order);
}

void bench_peers_close(struct bench *bench) {
    for (int i = 0; i < bench->figure_count; i++) {
        void *state = bench->figures[i].state;
        if (!state)
            continue;
        bench->figures[i].peer->close(state);
        for (int k = i; k < bench->figure_count; k++)
            if (bench->figures[k].state == state)
                bench->figures[k].state = NULL;
    }
}
