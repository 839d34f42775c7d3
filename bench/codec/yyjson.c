/* yyjson: reads into a pool made once, large enough for the input, so that it allocates nothing and touches no fresh
 * page; writes into another. It checks UTF-8, as it does unless told not to. */
#include <stdio.h>
#include <stdlib.h>

#include <yyjson.h>

#include "codec.h"

struct state {
    const struct bench_bytes *bytes;
    yyjson_doc *doc; /* encoded from */
    void *pool;
    size_t pool_size;
    const char *text; /* written last, in the pool */
    size_t text_size;
};

static void state_close(void *pointer) {
    struct state *state = pointer;
    yyjson_doc_free(state->doc);
    free(state->pool);
    free(state);
}

static void *state_open(const struct bench_input *input) {
    struct state *state = calloc(1, sizeof(*state));
    if (!state)
        return NULL;
    state->bytes = &input->bytes[BENCH_JSON];
    state->pool_size = yyjson_read_max_memory_usage(state->bytes->size, 0) + 4 * input->size_max;
    state->pool = malloc(state->pool_size);
    state->doc = yyjson_read((const char *)state->bytes->data, state->bytes->size, 0);
    if (state->pool && state->doc)
        return state;
    state_close(state);
    return NULL;
}

static size_t decode(void *pointer) {
    struct state *state = pointer;
    yyjson_alc pool;
    yyjson_alc_pool_init(&pool, state->pool, state->pool_size);
    /* Without YYJSON_READ_INSITU the input is not written to, and yyjson_read_opts only promises that. */
    yyjson_doc *doc =
        yyjson_read_opts((char *)(uintptr_t)state->bytes->data, state->bytes->size, YYJSON_READ_NOFLAG, &pool, NULL);
    return doc ? yyjson_doc_get_read_size(doc) : 0;
}

static size_t encode(void *pointer) {
    struct state *state = pointer;
    yyjson_alc pool;
    yyjson_alc_pool_init(&pool, state->pool, state->pool_size);
    state->text = yyjson_write_opts(state->doc, YYJSON_WRITE_NOFLAG, &pool, &state->text_size, NULL);
    return state->text ? state->text_size : 0;
}

static const void *output(void *pointer, size_t *ret_size) {
    const struct state *state = pointer;
    *ret_size = state->text_size;
    return state->text;
}

static const char *version(void) {
    static char text[24];
    uint32_t number = yyjson_version();
    snprintf(text, sizeof(text), "%u.%u.%u", number >> 16, number >> 8 & 255, number & 255);
    return text;
}

const struct bench_peer bench_peers[] = {
    {"yyjson", "pool", BENCH_JSON, version, state_open, state_close, {decode, NULL, encode}, output},
    {0},
};
