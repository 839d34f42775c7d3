/* libbson: it makes no document, so reading is iterating, each value looked at once, without checking UTF-8 (checked
 * would be a second pass, bson_validate); encoding steps through the input's events into one bson_t used again. */
#include <stdlib.h>

#include <bson/bson.h>

#include "codec.h"

struct state {
    const struct bench_input *input;
    const struct bench_bytes *bytes;
    bson_t out;
};

static void state_close(void *pointer) {
    struct state *state = pointer;
    bson_destroy(&state->out);
    free(state);
}

static void *state_open(const struct bench_input *input) {
    struct state *state = calloc(1, sizeof(*state));
    if (!state)
        return NULL;
    state->input = input;
    state->bytes = &input->bytes[BENCH_BSON];
    bson_init(&state->out);
    return state;
}

static volatile uint64_t sink;

static size_t iterate(bson_iter_t *it) {
    size_t count = 1;
    size_t size;
    bson_iter_t inside;
    while (bson_iter_next(it)) {
        switch (bson_iter_type_unsafe(it)) {
        case BSON_TYPE_DOCUMENT:
        case BSON_TYPE_ARRAY:
            if (!bson_iter_recurse(it, &inside))
                return 0;
            count += iterate(&inside);
            continue;
        case BSON_TYPE_UTF8:
            bson_iter_utf8_unsafe(it, &size);
            sink = size;
            break;
        case BSON_TYPE_INT64: sink = (uint64_t)bson_iter_int64_unsafe(it); break;
        case BSON_TYPE_INT32: sink = (uint64_t)bson_iter_int32_unsafe(it); break;
        case BSON_TYPE_DOUBLE: sink = bson_iter_double_unsafe(it) > 0; break;
        default: break;
        }
        count++;
    }
    return count;
}

static size_t walk(void *pointer) {
    struct state *state = pointer;
    bson_t document;
    bson_iter_t it;
    if (!bson_init_static(&document, state->bytes->data, state->bytes->size) || !bson_iter_init(&it, &document))
        return 0;
    return iterate(&it);
}

struct level {
    bson_t document;
    uint32_t index; /* of the next item; unused in a map */
    int is_map;
};

static bool value_put(bson_t *to, const char *key, int size, const struct bench_event *event) {
    switch (event->kind) {
    case BENCH_BOOL: return bson_append_bool(to, key, size, event->as.i64 != 0);
    case BENCH_I64:
        if (event->as.i64 == (int32_t)event->as.i64)
            return bson_append_int32(to, key, size, (int32_t)event->as.i64);
        return bson_append_int64(to, key, size, event->as.i64);
    case BENCH_F64: return bson_append_double(to, key, size, event->as.f64);
    case BENCH_TEXT: return bson_append_utf8(to, key, size, event->as.text.data, (int)event->as.text.size);
    default: return bson_append_null(to, key, size);
    }
}

static size_t encode(void *pointer) {
    struct state *state = pointer;
    struct level levels[BENCH_DEPTH_MAX], *level = levels;
    const struct bench_event *event = state->input->events + 1, *end = event + state->input->event_count - 2;
    bool is_good = true;
    bson_t *to = &state->out;
    bson_reinit(to);
    level->is_map = 1;
    for (; event < end; event++) {
        char digits[16];
        const char *key = event->key;
        int size = (int)event->key_size;
        if (event->kind == BENCH_END) {
            bson_t *parent = level == levels + 1 ? &state->out : &level[-1].document;
            is_good &= level->is_map ? bson_append_document_end(parent, to) : bson_append_array_end(parent, to);
            level--;
            to = parent;
            continue;
        }
        if (!key)
            size = (int)bson_uint32_to_string(level->index++, &key, digits, sizeof(digits));
        if (event->kind == BENCH_ARRAY || event->kind == BENCH_MAP) {
            level++;
            level->index = 0;
            level->is_map = event->kind == BENCH_MAP;
            is_good &= level->is_map ? bson_append_document_begin(to, key, size, &level->document)
                                     : bson_append_array_begin(to, key, size, &level->document);
            to = &level->document;
        } else {
            is_good &= value_put(to, key, size, event);
        }
    }
    return is_good ? state->out.len : 0;
}

static const void *output(void *pointer, size_t *ret_size) {
    struct state *state = pointer;
    *ret_size = state->out.len;
    return bson_get_data(&state->out);
}

static const char *version(void) {
    return bson_get_version();
}

const struct bench_peer bench_peers[] = {
    {"libbson",
     "iteration, no document, no UTF-8 check",
     BENCH_BSON,
     version,
     state_open,
     state_close,
     {NULL, walk, encode},
     output},
    {0},
};
