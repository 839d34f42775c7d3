/* Frames: whatever the bytes, a parsed frame's parts lie inside them, and it can be written again and read back the
 * same. */
#include "fuzz.h"

#include "frame/frame.h"

static int is_inside(weir_view part, const unsigned char *bytes, size_t size) {
    const unsigned char *data = (const unsigned char *)part.data;
    return part.size == 0 || (data >= bytes && part.size <= size && (size_t)(data - bytes) <= size - part.size);
}

static int is_same(weir_view a, weir_view b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static void write_again(struct weir_frame frame) {
    struct weir_frame back;
    size_t before = frame.size;
    MUST(weir_frame_layout(&frame) == WEIR_OK);
    MUST(frame.size <= before + WEIR_FRAME_ALIGNMENT);
    unsigned char *bytes = aligned_alloc(64, (frame.size + 63) & ~(size_t)63);
    MUST(bytes);
    weir_frame_write_whole(&frame, bytes);
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    MUST(weir_frame_parse(word, bytes, frame.size, &back) == WEIR_OK);
    MUST(back.kind == frame.kind && back.codec == frame.codec && back.seq == frame.seq && back.size == frame.size);
    MUST(is_same(back.op, frame.op) && is_same(back.type, frame.type) && is_same(back.meta, frame.meta));
    MUST(is_same(back.data, frame.data));
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct weir_frame frame = {0};
    uint64_t word;
    if (size < sizeof(word))
        return 0;
    unsigned char *bytes = aligned_alloc(64, (size + 63) & ~(size_t)63);
    MUST(bytes);
    memcpy(bytes, data, size);
    memcpy(&word, bytes, sizeof(word));
    int status = weir_frame_parse(word, bytes, size, &frame);
    MUST(status == WEIR_OK || status == WEIR_EAGAIN || status == WEIR_EVERSION || status == WEIR_ECORRUPT);
    if (status == WEIR_OK) {
        MUST(frame.size <= size);
        MUST(is_inside(frame.op, bytes, size) && is_inside(frame.type, bytes, size));
        MUST(is_inside(frame.meta, bytes, size) && is_inside(frame.data, bytes, size));
        write_again(frame);
    }
    free(bytes);
    return 0;
}
