/* QCBOR: an array may have 65534 items at most, so it cannot take the doubles. It makes no document, so decoding is
 * pulling every value once, without checking UTF-8; encoding steps through the input's events into one buffer. Its
 * values come one after another with their level, so one loop is the whole walk. */
#include <stdio.h>
#include <stdlib.h>

#include <qcbor/qcbor_decode.h>
#include <qcbor/qcbor_encode.h>

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
    for (size_t i = 0; i < input->event_count; i++)
        if (input->events[i].kind == BENCH_ARRAY && input->events[i].as.count > QCBOR_MAX_ITEMS_IN_ARRAY)
            return NULL;
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

static size_t decode(void *pointer) {
    struct state *state = pointer;
    QCBORDecodeContext context;
    QCBORItem item;
    QCBORError error;
    size_t count = 0;
    QCBORDecode_Init(&context, (UsefulBufC){state->bytes->data, state->bytes->size}, QCBOR_DECODE_MODE_NORMAL);
    while ((error = QCBORDecode_GetNext(&context, &item)) == QCBOR_SUCCESS) {
        sink = item.val.uint64;
        count++;
    }
    return error == QCBOR_ERR_NO_MORE_ITEMS ? count : 0;
}

static void value_put(QCBOREncodeContext *context, const struct bench_event *event) {
    switch (event->kind) {
    case BENCH_BOOL: QCBOREncode_AddBool(context, event->as.i64 != 0); return;
    case BENCH_I64: QCBOREncode_AddInt64(context, event->as.i64); return;
    case BENCH_F64: QCBOREncode_AddDoubleNoPreferred(context, event->as.f64); return;
    case BENCH_TEXT: QCBOREncode_AddText(context, (UsefulBufC){event->as.text.data, event->as.text.size}); return;
    case BENCH_ARRAY: QCBOREncode_OpenArray(context); return;
    case BENCH_MAP: QCBOREncode_OpenMap(context); return;
    default: QCBOREncode_AddNULL(context);
    }
}

static size_t encode(void *pointer) {
    struct state *state = pointer;
    QCBOREncodeContext context;
    UsefulBufC encoded = NULLUsefulBufC;
    const struct bench_event *event = state->input->events, *end = event + state->input->event_count;
    int is_map[BENCH_DEPTH_MAX], depth = 0;
    QCBOREncode_Init(&context, (UsefulBuf){state->out, state->input->size_max});
    for (; event < end; event++) {
        if (event->kind == BENCH_END) {
            if (is_map[--depth])
                QCBOREncode_CloseMap(&context);
            else
                QCBOREncode_CloseArray(&context);
            continue;
        }
        if (event->key)
            QCBOREncode_AddText(&context, (UsefulBufC){event->key, event->key_size});
        if (event->kind == BENCH_ARRAY || event->kind == BENCH_MAP)
            is_map[depth++] = event->kind == BENCH_MAP;
        value_put(&context, event);
    }
    if (QCBOREncode_Finish(&context, &encoded) != QCBOR_SUCCESS)
        return 0;
    return state->out_size = encoded.len;
}

static const void *output(void *pointer, size_t *ret_size) {
    const struct state *state = pointer;
    *ret_size = state->out_size;
    return state->out;
}

static const char *version(void) {
#ifdef QCBOR_VERSION_MAJOR
    static char text[24];
    snprintf(text, sizeof(text), "%d.%d", QCBOR_VERSION_MAJOR, QCBOR_VERSION_MINOR);
    return text;
#else
    return "1.x";
#endif
}

const struct bench_peer bench_peers[] = {
    {"QCBOR",
     "pull walk, no document, no UTF-8 check, arrays to 65534 items",
     BENCH_CBOR,
     version,
     state_open,
     state_close,
     {decode, NULL, encode},
     output},
    {0},
};
