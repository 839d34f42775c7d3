/* The inputs of the codec benchmark: made here from a fixed seed, the same on every machine, and encoded by weir
 * itself. */
#ifndef BENCH_INPUTS_H
#define BENCH_INPUTS_H

#include <weir/weir.h>

#include "codec.h"

enum { BENCH_INPUT_COUNT = 5 };

/* In this order everywhere. */
enum { BENCH_TWEETS, BENCH_SHAPES, BENCH_CATALOG, BENCH_DOUBLES, BENCH_MESSAGE };

/* An input with the document it came from. */
struct bench_made {
    struct bench_input input;
    weir_doc *doc;
};

/* Make them all; stops the program with a sentence when that fails. */
void bench_inputs_new(struct bench_made made[BENCH_INPUT_COUNT]);
void bench_inputs_free(struct bench_made made[BENCH_INPUT_COUNT]);

/* weir's number of a codec, or 0 when the library does not have it. */
int bench_weir_codec(enum bench_codec codec);
/* "json". */
const char *bench_codec_name(enum bench_codec codec);

/* Print a sentence and stop unless @holds. */
void bench_must(int holds, const char *what);

#endif
