/* weir as a peer like the others: through its public interface, one document and one buffer used again and again. */
#include <stdlib.h>

#include <weir/weir.h>

#include "codec.h"

struct state {
    const struct bench_bytes *bytes;
    int codec;
    weir_doc *doc;  /* decoded into */
    weir_doc *kept; /* encoded from */
    weir_buffer *out;
};

static void state_close(void *pointer) {
    struct state *state = pointer;
    weir_doc_free(state->doc);
    weir_doc_free(state->kept);
    weir_buffer_free(state->out);
    free(state);
}

static void *state_open(const struct bench_input *input, enum bench_codec codec, const char *name) {
    struct state *state = calloc(1, sizeof(*state));
    if (!state)
        return NULL;
    state->bytes = &input->bytes[codec];
    int is_open =
        weir_codec_find(name, &state->codec, NULL) == WEIR_OK && weir_doc_new(&state->doc) == WEIR_OK &&
        weir_doc_new(&state->kept) == WEIR_OK && weir_buffer_new(&state->out) == WEIR_OK &&
        weir_decode(state->kept, state->codec, state->bytes->data, state->bytes->size, NULL, NULL, NULL) == WEIR_OK;
    if (is_open)
        return state;
    state_close(state);
    return NULL;
}

static void *json_open(const struct bench_input *input) {
    return state_open(input, BENCH_JSON, "json");
}

static void *cbor_open(const struct bench_input *input) {
    return state_open(input, BENCH_CBOR, "cbor");
}

static void *bson_open(const struct bench_input *input) {
    return state_open(input, BENCH_BSON, "bson");
}

static void *smile_open(const struct bench_input *input) {
    return state_open(input, BENCH_SMILE, "smile");
}

static size_t decode(void *pointer) {
    struct state *state = pointer;
    size_t used = 0;
    weir_decode(state->doc, state->codec, state->bytes->data, state->bytes->size, NULL, &used, NULL);
    return used;
}

static size_t encode(void *pointer) {
    struct state *state = pointer;
    weir_buffer_clear(state->out);
    if (weir_encode(weir_doc_root(state->kept), state->codec, NULL, state->out, NULL) != WEIR_OK)
        return 0;
    return weir_buffer_view(state->out).size;
}

static volatile int64_t sink;

/* Look at every value below one, and at every key, as a program does that knows nothing of the document. */
static size_t walk(const weir_value *container) {
    weir_view view;
    double number;
    int64_t integer;
    size_t count = 1;
    weir_iter it;
    weir_iter_init(&it, container);
    while (weir_iter_next(&it)) {
        if (it.key && weir_get_text(it.key, NULL, &view) == WEIR_OK)
            sink = (int64_t)view.size;
        switch (weir_value_kind(it.value)) {
        case WEIR_KIND_ARRAY:
        case WEIR_KIND_MAP: count += walk(it.value); continue;
        case WEIR_KIND_TEXT:
            weir_get_text(it.value, NULL, &view);
            sink = (int64_t)view.size;
            break;
        case WEIR_KIND_FLOAT64:
            weir_get_f64(it.value, NULL, &number);
            sink = number > 0;
            break;
        case WEIR_KIND_INT64:
            weir_get_i64(it.value, NULL, &integer);
            sink = integer;
            break;
        default: break;
        }
        count++;
    }
    return count;
}

static size_t decode_and_walk(void *pointer) {
    struct state *state = pointer;
    return decode(state) > 0 ? walk(weir_doc_root(state->doc)) : 0;
}

static const void *output(void *pointer, size_t *ret_size) {
    weir_view view = weir_buffer_view(((struct state *)pointer)->out);
    *ret_size = view.size;
    return view.data;
}

const struct bench_peer bench_peers[] = {
    {"weir", "", BENCH_JSON, weir_version, json_open, state_close, {decode, NULL, encode}, output},
    {"weir", "", BENCH_CBOR, weir_version, cbor_open, state_close, {decode, decode_and_walk, encode}, output},
    {"weir", "", BENCH_BSON, weir_version, bson_open, state_close, {decode, decode_and_walk, encode}, output},
    {"weir", "", BENCH_SMILE, weir_version, smile_open, state_close, {decode, decode_and_walk, encode}, output},
    {0},
};
