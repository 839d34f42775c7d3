/* What comes out of a pipe: whatever the bytes, and wherever they are cut, each frame that is handed out is whole, and
 * aligned if it must be, and the reader comes to an end. What is taken without looking around is what looking around gives.
 * The first byte says how much is given at a time. */
#include "fuzz.h"

#include "frame/frame.h"
#include "transport/fifo/inlet.h"

enum { SIZE_MAX_HERE = 1 << 16 };

/* As weir_inlet_read leaves it. */
static void give(struct weir_inlet *inlet, const uint8_t *data, size_t size) {
    unsigned char *room = weir_buffer_room(&inlet->bytes, size + 1);
    MUST(room);
    memcpy(room, data, size);
    inlet->bytes.size += size;
    inlet->is_dry = 0;
    inlet->has_ended = size == 0;
}

/* The frames that can be taken where they lie: each is the next of its source and within what came, and of the size that
 * it says. */
static void take_quickly(struct weir_inlet *inlet) {
    const unsigned char *bytes;
    uint64_t word, seq;
    struct weir_source *source = inlet->current;
    uint64_t before = source ? source->seq : 0;
    while ((bytes = weir_inlet_quick(inlet, &word)) != NULL) {
        const struct weir_buffer *buffer = &source->stream.buffers[source->stream.turn];
        size_t size = weir_frame_word_size(word);
        MUST(inlet->current == source && weir_frame_is_simple(word) && size >= 16 && size <= SIZE_MAX_HERE + 128);
        MUST(bytes >= buffer->data && bytes + size <= buffer->data + buffer->size);
        memcpy(&seq, bytes + 8, sizeof(seq));
        MUST(seq == ++before);
        inlet->last_bytes = bytes;
        inlet->last_size = size;
    }
}

static size_t take(struct weir_inlet *inlet) {
    struct weir_inbound inbound;
    size_t count = 0;
    int status;
    while ((status = weir_inlet_next(inlet, "fifo:///fuzz", &inbound, NULL)) != WEIR_EAGAIN) {
        MUST(status == WEIR_OK || status == WEIR_ECORRUPT || status == WEIR_ETOOBIG || status == WEIR_EVERSION);
        MUST(++count < 1 << 20);
        if (status != WEIR_OK)
            continue;
        MUST(!(inbound.word >> 56 & WEIR_FRAME_ALIGNED) || (uintptr_t)inbound.bytes % 64 == 0);
        MUST(inbound.size >= 16);
        MUST(inbound.size == weir_frame_word_size(inbound.word));
        inlet->last_bytes = inbound.bytes;
        inlet->last_size = inbound.size;
        if (inbound.size % 2)
            take_quickly(inlet);
    }
    MUST(!weir_inlet_has(inlet));
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    struct weir_inlet inlet = {.fd = -1, .framing = -1, .size_max = SIZE_MAX_HERE, .counts_gaps = 1};
    size_t step = data[0] ? data[0] : size;
    inlet.source_max = 1 + data[0] % 3;
    for (size_t at = 1; at < size; at += step) {
        give(&inlet, data + at, size - at < step ? size - at : step);
        take(&inlet);
    }
    give(&inlet, data, 0);
    take(&inlet);
    weir_inlet_fini(&inlet);
    return 0;
}
