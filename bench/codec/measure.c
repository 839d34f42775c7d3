/* Measuring. First every operation is run once and its work compared, so that nobody wins by doing less; then come
 * the rounds: each takes one sample of every figure, so that a noisy minute hits all alike, and a figure's value is
 * the median over the rounds. Time is the thread's own on the processor: what other programs take from the core does
 * not count. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"

static const double SAMPLE_NS = 4e6;

static double now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int double_order(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(const double *samples, int count) {
    double sorted[ROUNDS_MAX];
    memcpy(sorted, samples, (size_t)count * sizeof(*samples));
    qsort(sorted, (size_t)count, sizeof(*sorted), double_order);
    return count % 2 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

static double sample(size_t (*work)(void *state), void *state, long repeats) {
    double begin = now_ns();
    for (long i = 0; i < repeats; i++)
        work(state);
    return (now_ns() - begin) / (double)repeats;
}

static long repeats_of(size_t (*work)(void *state), void *state) {
    long repeats = 1;
    for (;;) {
        double ns = sample(work, state, repeats) * (double)repeats;
        if (ns > SAMPLE_NS / 4) {
            repeats = (long)((double)repeats * SAMPLE_NS / ns);
            return repeats > 0 ? repeats : 1;
        }
        repeats *= 4;
    }
}

double bench_time(size_t (*work)(void *state), void *state, int rounds) {
    double samples[ROUNDS_MAX];
    long repeats = repeats_of(work, state);
    for (int i = 0; i < rounds; i++)
        samples[i] = sample(work, state, repeats);
    return bench_median(samples, rounds);
}

static void fail(const struct figure *figure, const char *what) {
    fprintf(stderr, "bench: %s, %s, %s: %s\n", figure->peer->name, bench_codec_name(figure->peer->codec),
            figure->input->name, what);
    exit(1);
}

/* What was encoded must be the document again. */
static void encoded_check(const struct figure *figure, const struct bench_made *made, weir_doc *doc) {
    size_t size = 0;
    const void *data = figure->peer->output(figure->state, &size);
    weir_error err = {0};
    if (weir_decode(doc, bench_weir_codec(figure->peer->codec), data, size, NULL, NULL, &err) != WEIR_OK)
        fail(figure, err.text);
    if (!weir_value_equal(weir_doc_root(doc), weir_doc_root(made->doc)))
        fail(figure, "what it encoded is another document");
}

void bench_check(struct bench *bench) {
    weir_doc *doc = NULL;
    bench_must(weir_doc_new(&doc) == WEIR_OK, "memory");
    for (int i = 0; i < bench->figure_count; i++) {
        const struct figure *figure = &bench->figures[i];
        size_t seen = figure->peer->ops[figure->op](figure->state);
        const struct bench_made *made = (const struct bench_made *)(const void *)figure->input;
        if (figure->op == BENCH_ENCODE)
            encoded_check(figure, made, doc);
        else if (seen != figure->input->value_count &&
                 (figure->op == BENCH_WALK || seen != figure->input->bytes[figure->peer->codec].size))
            fail(figure, "it did not see every value");
    }
    weir_doc_free(doc);
}

void bench_measure(struct bench *bench) {
    for (int i = 0; i < bench->figure_count; i++) {
        struct figure *figure = &bench->figures[i];
        figure->repeats = repeats_of(figure->peer->ops[figure->op], figure->state);
    }
    for (int round = 0; round < bench->rounds; round++)
        for (int i = 0; i < bench->figure_count; i++) {
            struct figure *figure = &bench->figures[i];
            figure->samples[round] = sample(figure->peer->ops[figure->op], figure->state, figure->repeats);
        }
    for (int i = 0; i < bench->figure_count; i++)
        bench->figures[i].ns = bench_median(bench->figures[i].samples, bench->rounds);
}
