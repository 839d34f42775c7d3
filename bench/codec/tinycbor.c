/* TinyCBOR: it makes no document, so decoding is pulling every value once, texts where they lie, without checking
 * UTF-8; encoding steps through the input's events into one buffer. */
#include <stdlib.h>

#include <cbor.h>
#include <tinycbor-version.h>

#include "codec.h"

struct state {
    const struct bench_input *input;
    const struct bench_bytes *bytes;
    unsigned char *out;
    size_t out_size;
};

static void state_close(void *pointer) {
    struct state *state = pointer;
    free(state->out);
    free(state);
}

static void *state_open(const struct bench_input *input) {
    struct state *state = calloc(1, sizeof(*state));
    if (!state)
        return NULL;
    state->input = input;
    state->bytes = &input->bytes[BENCH_CBOR];
    state->out = malloc(input->size_max);
    if (state->out)
        return state;
    state_close(state);
    return NULL;
}

static volatile uint64_t sink;

/* Take one value that is no container; 1 when that went well. */
static int scalar_pull(CborValue *it) {
    const char *text;
    size_t size;
    int64_t integer;
    double number;
    if (cbor_value_is_text_string(it)) {
        if (cbor_value_begin_string_iteration(it) != CborNoError ||
            cbor_value_get_text_string_chunk(it, &text, &size, it) != CborNoError)
            return 0;
        sink = size;
        return cbor_value_finish_string_iteration(it) == CborNoError;
    }
    if (cbor_value_is_integer(it)) {
        if (cbor_value_get_int64(it, &integer) != CborNoError)
            return 0;
        sink = (uint64_t)integer;
    } else if (cbor_value_is_double(it)) {
        if (cbor_value_get_double(it, &number) != CborNoError)
            return 0;
        sink = number > 0;
    }
    return cbor_value_advance_fixed(it) == CborNoError;
}

/* How many values the container at @it holds, itself included and keys not; 0 for a failure. Moves @it behind it. */
static size_t container_pull(CborValue *it) {
    size_t count = 1;
    int is_map = cbor_value_is_map(it), is_key = is_map;
    CborValue inside;
    if (cbor_value_enter_container(it, &inside) != CborNoError)
        return 0;
    while (!cbor_value_at_end(&inside)) {
        size_t seen = 1;
        if (cbor_value_is_container(&inside))
            seen = container_pull(&inside);
        else if (!scalar_pull(&inside))
            return 0;
        if (seen == 0)
            return 0;
        count += is_key ? 0 : seen;
        is_key = is_map && !is_key;
    }
    return cbor_value_leave_container(it, &inside) == CborNoError ? count : 0;
}

static size_t decode(void *pointer) {
    struct state *state = pointer;
    CborParser parser;
    CborValue it;
    if (cbor_parser_init(state->bytes->data, state->bytes->size, 0, &parser, &it) != CborNoError)
        return 0;
    return container_pull(&it);
}

static CborError value_put(CborEncoder *encoder, const struct bench_event *event) {
    switch (event->kind) {
    case BENCH_BOOL: return cbor_encode_boolean(encoder, event->as.i64 != 0);
    case BENCH_I64: return cbor_encode_int(encoder, event->as.i64);
    case BENCH_F64: return cbor_encode_double(encoder, event->as.f64);
    case BENCH_TEXT: return cbor_encode_text_string(encoder, event->as.text.data, event->as.text.size);
    default: return cbor_encode_null(encoder);
    }
}

static size_t encode(void *pointer) {
    struct state *state = pointer;
    CborEncoder encoders[BENCH_DEPTH_MAX];
    CborEncoder *encoder = encoders;
    const struct bench_event *event = state->input->events, *end = event + state->input->event_count;
    CborError error = CborNoError;
    cbor_encoder_init(encoder, state->out, state->input->size_max, 0);
    for (; event < end; event++) {
        if (event->key)
            error |= cbor_encode_text_string(encoder, event->key, event->key_size);
        if (event->kind == BENCH_ARRAY || event->kind == BENCH_MAP) {
            error |= event->kind == BENCH_ARRAY ? cbor_encoder_create_array(encoder, encoder + 1, event->as.count)
                                                : cbor_encoder_create_map(encoder, encoder + 1, event->as.count);
            encoder++;
        } else if (event->kind == BENCH_END) {
            encoder--;
            error |= cbor_encoder_close_container(encoder, encoder + 1);
        } else {
            error |= value_put(encoder, event);
        }
    }
    state->out_size = cbor_encoder_get_buffer_size(encoder, state->out);
    return error == CborNoError ? state->out_size : 0;
}

static const void *output(void *pointer, size_t *ret_size) {
    const struct state *state = pointer;
    *ret_size = state->out_size;
    return state->out;
}

#define TEXT(x)    #x
#define TEXT_OF(x) TEXT(x)

static const char *version(void) {
    return TEXT_OF(TINYCBOR_VERSION_MAJOR) "." TEXT_OF(TINYCBOR_VERSION_MINOR) "." TEXT_OF(TINYCBOR_VERSION_PATCH);
}

const struct bench_peer bench_peers[] = {
    {"TinyCBOR",
     "pull walk, no document, no UTF-8 check",
     BENCH_CBOR,
     version,
     state_open,
     state_close,
     {decode, NULL, encode},
     output},
    {0},
};
