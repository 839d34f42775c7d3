/* libcbor: to its document and back; it has no way to use the document's memory again. It checks UTF-8 while it
 * counts code points. */
#include <stdlib.h>

#include <cbor.h>

#include "codec.h"

struct state {
    const struct bench_bytes *bytes;
    cbor_item_t *kept;
    unsigned char *out;
    size_t out_max, out_size;
};

static void state_close(void *pointer) {
    struct state *state = pointer;
    if (state->kept)
        cbor_decref(&state->kept);
    free(state->out);
    free(state);
}

static void *state_open(const struct bench_input *input) {
    struct state *state = calloc(1, sizeof(*state));
    struct cbor_load_result result;
    if (!state)
        return NULL;
    state->bytes = &input->bytes[BENCH_CBOR];
    state->out_max = input->size_max;
    state->out = malloc(state->out_max);
    state->kept = cbor_load(state->bytes->data, state->bytes->size, &result);
    if (state->out && state->kept)
        return state;
    state_close(state);
    return NULL;
}

static size_t decode(void *pointer) {
    struct state *state = pointer;
    struct cbor_load_result result;
    cbor_item_t *item = cbor_load(state->bytes->data, state->bytes->size, &result);
    if (!item)
        return 0;
    cbor_decref(&item);
    return result.read;
}

static size_t encode(void *pointer) {
    struct state *state = pointer;
    return state->out_size = cbor_serialize(state->kept, state->out, state->out_max);
}

static const void *output(void *pointer, size_t *ret_size) {
    const struct state *state = pointer;
    *ret_size = state->out_size;
    return state->out;
}

#define TEXT(x)    #x
#define TEXT_OF(x) TEXT(x)

static const char *version(void) {
    return TEXT_OF(CBOR_MAJOR_VERSION) "." TEXT_OF(CBOR_MINOR_VERSION) "." TEXT_OF(CBOR_PATCH_VERSION);
}

const struct bench_peer bench_peers[] = {
    {"libcbor", "document", BENCH_CBOR, version, state_open, state_close, {decode, NULL, encode}, output},
    {0},
};
