/* Goals about weir alone: a big ndarray against memcpy, decoding it without copying, the memory of a document, and
 * loops that allocate nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "allocations.h"
#include "bench.h"

enum { BIG = 1 << 20, SMALL = 1 << 12, BLOCK = 64 << 10, LOOPS = 20 };

/* ---- ndarrays ---- */

struct array_state {
    int codec;
    size_t size;
    double *elements;
    unsigned char *copy;
    weir_doc *doc, *decoded;
    weir_buffer *out;
    weir_view encoded;
};

static void array_init(struct array_state *state, int codec, size_t size) {
    weir_ndarray array = {.element = WEIR_F64, .rank = 1, .shape = {size / sizeof(double)}, .size = size};
    *state = (struct array_state){.codec = codec, .size = size, .elements = malloc(size), .copy = calloc(1, size)};
    bench_must(state->elements && state->copy && weir_doc_new(&state->doc) == WEIR_OK &&
                   weir_doc_new(&state->decoded) == WEIR_OK && weir_buffer_new(&state->out) == WEIR_OK,
               "memory");
    for (size_t i = 0; i < size / sizeof(double); i++)
        state->elements[i] = (double)i * 0.37;
    array.data = state->elements;
    weir_refer_ndarray(state->doc, &array);
    bench_must(weir_doc_finish(state->doc, NULL, NULL) == WEIR_OK &&
                   weir_encode(weir_doc_root(state->doc), codec, NULL, state->out, NULL) == WEIR_OK,
               "encoding an ndarray");
    state->encoded = weir_buffer_view(state->out);
}

static void array_fini(struct array_state *state) {
    free(state->elements);
    free(state->copy);
    weir_doc_free(state->doc);
    weir_doc_free(state->decoded);
    weir_buffer_free(state->out);
}

static size_t array_encode(void *pointer) {
    struct array_state *state = pointer;
    weir_buffer_clear(state->out);
    weir_encode(weir_doc_root(state->doc), state->codec, NULL, state->out, NULL);
    return weir_buffer_view(state->out).size;
}

static size_t array_decode(void *pointer) {
    struct array_state *state = pointer;
    size_t used = 0;
    weir_decode(state->decoded, state->codec, state->encoded.data, state->encoded.size, NULL, &used, NULL);
    return used;
}

static size_t array_copy(void *pointer) {
    struct array_state *state = pointer;
    memcpy(state->copy, state->elements, state->size);
    __asm__ volatile("" : : "r"(state->copy) : "memory");
    return state->size;
}

static void array_goals(struct bench *bench, int codec) {
    struct array_state big, small;
    array_init(&big, codec, BIG);
    array_init(&small, codec, SMALL);
    double ratios[ROUNDS_MAX], own[ROUNDS_MAX], copies[ROUNDS_MAX];
    for (int round = 0; round < bench->rounds; round++) {
        own[round] = bench_time(array_encode, &big, 1);
        copies[round] = bench_time(array_copy, &big, 1);
        ratios[round] = copies[round] / own[round];
    }
    struct verdict *verdict = bench_verdict(bench);
    snprintf(verdict->what, sizeof(verdict->what), "%s encode, 1 MiB of float64", weir_codec_name(codec));
    snprintf(verdict->against, sizeof(verdict->against), "memcpy");
    snprintf(verdict->figures, sizeof(verdict->figures), "%.1f us against %.1f us",
             bench_median(own, bench->rounds) / 1000, bench_median(copies, bench->rounds) / 1000);
    verdict->ratio = bench_median(ratios, bench->rounds);
    verdict->goal = 1 / 1.2;
    verdict->is_measured = 1;
    double big_ns = bench_time(array_decode, &big, bench->rounds),
           small_ns = bench_time(array_decode, &small, bench->rounds);
    verdict = bench_verdict(bench);
    snprintf(verdict->what, sizeof(verdict->what), "%s decode, 1 MiB of float64", weir_codec_name(codec));
    snprintf(verdict->against, sizeof(verdict->against), "4 KiB of it");
    snprintf(verdict->figures, sizeof(verdict->figures), "%.1f ns against %.1f ns", big_ns, small_ns);
    verdict->ratio = small_ns / big_ns;
    verdict->goal = 1 / 1.5;
    verdict->is_measured = 1;
    array_fini(&big);
    array_fini(&small);
}

/* ---- memory and allocations ---- */

/* Values and keys: each takes a cell. */
static size_t cell_count(const struct bench_input *input) {
    size_t count = input->value_count;
    for (size_t i = 0; i < input->event_count; i++)
        count += input->events[i].key != NULL;
    return count;
}

/* What a document holds that was decoded into fresh memory, with its own struct. */
static size_t document_size(enum bench_codec codec, const struct bench_bytes *bytes) {
    size_t before = bench_allocation_held();
    weir_doc *doc = NULL;
    bench_must(weir_doc_new(&doc) == WEIR_OK &&
                   weir_decode(doc, bench_weir_codec(codec), bytes->data, bytes->size, NULL, NULL, NULL) == WEIR_OK,
               "decoding");
    size_t held = bench_allocation_held() - before;
    weir_doc_free(doc);
    return held;
}

/* The input that comes out worst stands for all. */
static void memory_goal(struct bench *bench, enum bench_codec codec) {
    struct verdict *verdict = bench_verdict(bench);
    snprintf(verdict->what, sizeof(verdict->what), "%s memory of a document", bench_codec_name(codec));
    snprintf(verdict->against, sizeof(verdict->against), "16 B/value + 64 KiB");
    verdict->goal = 1;
    verdict->is_measured = 1;
    for (int i = 0; i < BENCH_INPUT_COUNT; i++) {
        const struct bench_input *input = &bench->made[i].input;
        size_t cells = cell_count(input), held = document_size(codec, &input->bytes[codec]);
        double ratio = (double)(16 * cells + BLOCK) / (double)held;
        if (i > 0 && ratio >= verdict->ratio)
            continue;
        verdict->ratio = ratio;
        snprintf(verdict->figures, sizeof(verdict->figures), "%s: %zu bytes, %.1f a value", input->name, held,
                 (double)held / (double)cells);
    }
}

/* How many allocations LOOPS more calls make on any input, once all memory is there. */
static void loop_goal(struct bench *bench, enum bench_codec codec, enum bench_op op) {
    size_t made = 0;
    for (int i = 0; i < bench->figure_count; i++) {
        const struct figure *figure = &bench->figures[i];
        if (strcmp(figure->peer->name, "weir") != 0 || figure->peer->codec != codec || figure->op != op)
            continue;
        for (int loop = -3; loop < LOOPS; loop++) {
            size_t before = bench_allocation_count();
            figure->peer->ops[op](figure->state);
            made += loop < 0 ? 0 : bench_allocation_count() - before;
        }
    }
    struct verdict *verdict = bench_verdict(bench);
    snprintf(verdict->what, sizeof(verdict->what), "%s %s in a loop", bench_codec_name(codec),
             op == BENCH_ENCODE ? "encode" : "decode");
    snprintf(verdict->against, sizeof(verdict->against), "no allocation");
    snprintf(verdict->figures, sizeof(verdict->figures), "%zu in %d calls of each", made, LOOPS);
    verdict->ratio = made == 0;
    verdict->goal = 1;
    verdict->is_measured = 1;
}

void bench_alone(struct bench *bench) {
    array_goals(bench, WEIR_CODEC_CBOR);
    array_goals(bench, WEIR_CODEC_RAW);
    for (int codec = 0; codec < BENCH_CODEC_COUNT; codec++) {
        if (bench_weir_codec(codec) == 0)
            continue;
        memory_goal(bench, codec);
        loop_goal(bench, codec, BENCH_DECODE);
        loop_goal(bench, codec, BENCH_ENCODE);
    }
}
