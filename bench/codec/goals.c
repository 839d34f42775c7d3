/* What is wanted, as ratios to the best peer of the same run, and whether it was reached. Sizes of bytes differ
 * between codecs, so ratios are of times for the same document. */
#include <stdio.h>
#include <string.h>

#include "bench.h"

enum {
    DOCUMENTS = 1 << BENCH_TWEETS | 1 << BENCH_SHAPES | 1 << BENCH_CATALOG | 1 << BENCH_DOUBLES,
    MESSAGE = 1 << BENCH_MESSAGE,
    BEST_OF_MAX = 2
};

/* weir's time for the operation must be at most the best peer's divided by @factor. */
struct goal {
    enum bench_codec codec;
    enum bench_op op;
    unsigned inputs;
    enum bench_codec peer_codec;
    const char *peers[BEST_OF_MAX];
    double factor;
};

/* The message goals of binary codecs are times, 70 ns where yyjson takes 86 to read and 121 to write; as ratios they
 * hold on any machine. */
static const struct goal goals[] = {
    {BENCH_JSON, BENCH_DECODE, DOCUMENTS | MESSAGE, BENCH_JSON, {"yyjson"}, 1.0},
    {BENCH_JSON, BENCH_DECODE, DOCUMENTS, BENCH_JSON, {"simdjson"}, 0.9},
    {BENCH_JSON, BENCH_ENCODE, DOCUMENTS | MESSAGE, BENCH_JSON, {"yyjson"}, 1.0},
    {BENCH_CBOR, BENCH_DECODE, DOCUMENTS, BENCH_CBOR, {"libcbor"}, 10},
    {BENCH_CBOR, BENCH_DECODE, DOCUMENTS, BENCH_CBOR, {"TinyCBOR", "QCBOR"}, 3},
    {BENCH_CBOR, BENCH_ENCODE, DOCUMENTS, BENCH_CBOR, {"libcbor", "TinyCBOR"}, 1.8},
    {BENCH_BSON, BENCH_WALK, DOCUMENTS, BENCH_BSON, {"libbson"}, 1.2},
    {BENCH_BSON, BENCH_ENCODE, DOCUMENTS, BENCH_BSON, {"libbson"}, 3},
    {BENCH_SMILE, BENCH_DECODE, DOCUMENTS, BENCH_SMILE, {"Jackson"}, 3},
    {BENCH_SMILE, BENCH_ENCODE, DOCUMENTS, BENCH_SMILE, {"Jackson"}, 2},
    {BENCH_CBOR, BENCH_DECODE, MESSAGE, BENCH_JSON, {"yyjson"}, 86.0 / 70},
    {BENCH_CBOR, BENCH_ENCODE, MESSAGE, BENCH_JSON, {"yyjson"}, 121.0 / 70},
    {BENCH_BSON, BENCH_DECODE, MESSAGE, BENCH_JSON, {"yyjson"}, 86.0 / 70},
    {BENCH_BSON, BENCH_ENCODE, MESSAGE, BENCH_JSON, {"yyjson"}, 121.0 / 70},
    {BENCH_SMILE, BENCH_DECODE, MESSAGE, BENCH_JSON, {"yyjson"}, 86.0 / 70},
    {BENCH_SMILE, BENCH_ENCODE, MESSAGE, BENCH_JSON, {"yyjson"}, 121.0 / 70},
};

static const char *const op_names[BENCH_OP_COUNT] = {"decode", "decode+walk", "encode"};

static const struct figure *figure_of(const struct bench *bench, const char *peer, enum bench_codec codec,
                                      enum bench_op op, const struct bench_input *input) {
    for (int i = 0; i < bench->figure_count; i++) {
        const struct figure *figure = &bench->figures[i];
        if (figure->input == input && figure->op == op && figure->peer->codec == codec &&
            strcmp(figure->peer->name, peer) == 0)
            return figure;
    }
    return NULL;
}

static const struct figure *best_of(const struct bench *bench, const struct goal *goal,
                                    const struct bench_input *input) {
    const struct figure *best = NULL;
    for (int i = 0; i < BEST_OF_MAX && goal->peers[i]; i++) {
        const struct figure *figure = figure_of(bench, goal->peers[i], goal->peer_codec, goal->op, input);
        if (figure && (!best || figure->ns < best->ns))
            best = figure;
    }
    return best;
}

struct verdict *bench_verdict(struct bench *bench) {
    bench_must(bench->verdict_count < VERDICTS_MAX, "room for one more verdict");
    return &bench->verdicts[bench->verdict_count++];
}

/* How many times as fast as @peer weir is: the median over the rounds, as both samples of a round were taken one
 * after the other. */
static double ratio_of(const struct bench *bench, const struct figure *weir, const struct figure *peer) {
    double ratios[ROUNDS_MAX];
    if (peer->repeats == 0)
        return peer->ns / weir->ns;
    for (int round = 0; round < bench->rounds; round++)
        ratios[round] = peer->samples[round] / weir->samples[round];
    return bench_median(ratios, bench->rounds);
}

static void time_text(char *text, size_t size, double ns) {
    if (ns < 10000)
        snprintf(text, size, "%.1f ns", ns);
    else
        snprintf(text, size, "%.1f us", ns / 1000);
}

static void judge(struct bench *bench, const struct goal *goal, const struct bench_input *input) {
    const struct figure *weir = figure_of(bench, "weir", goal->codec, goal->op, input),
                        *peer = best_of(bench, goal, input);
    struct verdict *verdict = bench_verdict(bench);
    char own[24], other[24];
    snprintf(verdict->what, sizeof(verdict->what), "%s %s, %s", bench_codec_name(goal->codec), op_names[goal->op],
             input->name);
    snprintf(verdict->against, sizeof(verdict->against), "%s", peer ? peer->peer->name : goal->peers[0]);
    verdict->goal = goal->factor;
    verdict->is_measured = weir && peer;
    if (!verdict->is_measured) {
        snprintf(verdict->figures, sizeof(verdict->figures), "not measured: no %s",
                 weir ? goal->peers[0] : "such codec in weir");
        return;
    }
    time_text(own, sizeof(own), weir->ns);
    time_text(other, sizeof(other), peer->ns);
    snprintf(verdict->figures, sizeof(verdict->figures), "%s against %s", own, other);
    verdict->ratio = ratio_of(bench, weir, peer);
}

void bench_goals(struct bench *bench) {
    for (size_t i = 0; i < sizeof(goals) / sizeof(goals[0]); i++)
        for (int input = 0; input < BENCH_INPUT_COUNT; input++)
            if (goals[i].inputs & 1u << input)
                judge(bench, &goals[i], &bench->made[input].input);
}
