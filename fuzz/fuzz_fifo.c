/* What comes out of a pipe: whatever the bytes, and wherever they are cut, each frame that is handed out is whole and
 * aligned, and the reader comes to an end. The first byte says how much is given at a time. */
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

static size_t take(struct weir_inlet *inlet) {
    struct weir_inbound inbound;
    size_t count = 0;
    int status;
    while ((status = weir_inlet_next(inlet, "fifo:///fuzz", &inbound, NULL)) != WEIR_EAGAIN) {
        MUST(status == WEIR_OK || status == WEIR_ECORRUPT || status == WEIR_ETOOBIG || status == WEIR_EVERSION);
        MUST(++count < 1 << 20);
        if (status != WEIR_OK)
            continue;
        MUST((uintptr_t)inbound.bytes % 64 == 0 && inbound.size >= 16);
        MUST(inbound.size == weir_frame_word_size(inbound.word));
        inlet->last_bytes = inbound.bytes;
        inlet->last_size = inbound.size;
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
