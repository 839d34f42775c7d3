/* Frames: laying out, writing and reading them. The layout is drawn in frame.h.
 *
 * What must stay true: the reader trusts nothing but its own copies of the header's fields, every length is compared
 * with what is left (never added to an offset first), and the writer leaves no byte between the header and the data
 * unwritten, so that nothing of its memory leaks to others. */
#include "frame/frame.h"

#include <string.h>

#include "base/crc32c.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "frames are little-endian; this machine needs byte swapping in load and store below"
#endif

enum {
    FLAGS_FROM_CALLER = WEIR_FRAME_TIME | WEIR_FRAME_ID | WEIR_FRAME_WRITER | WEIR_FRAME_ALIGNED | WEIR_FRAME_CRC,
    FLAGS_KNOWN = FLAGS_FROM_CALLER | WEIR_FRAME_META | WEIR_FRAME_TYPE,
    OP_SIZE_MAX = 255,
    CRC_SIZE = 4
};

/* Bytes of the fields between the fixed header and the op. */
static size_t optional_size(unsigned flags) {
    return ((flags & WEIR_FRAME_TIME) ? 8 : 0) + ((flags & WEIR_FRAME_ID) ? 8 : 0) +
           ((flags & WEIR_FRAME_WRITER) ? 8 : 0) + ((flags & WEIR_FRAME_META) ? 4 : 0) +
           ((flags & WEIR_FRAME_TYPE) ? 2 : 0);
}

static size_t align_up(size_t size) {
    return (size + WEIR_FRAME_ALIGNMENT - 1) & ~(size_t)(WEIR_FRAME_ALIGNMENT - 1);
}

int weir_frame_layout(struct weir_frame *frame) {
    if (frame->op.size > OP_SIZE_MAX || frame->type.size > UINT16_MAX || frame->meta.size > UINT32_MAX / 2)
        return WEIR_ETOOBIG;
    unsigned flags = (frame->flags & FLAGS_FROM_CALLER) | (frame->meta.size ? WEIR_FRAME_META : 0) |
                     (frame->type.size ? WEIR_FRAME_TYPE : 0);
    size_t offset = WEIR_FRAME_HEADER_SIZE + frame->op.size;
    if (flags & ~WEIR_FRAME_TIME)
        offset += optional_size(flags) + frame->type.size + frame->meta.size;
    else if (flags)
        offset += 8;
    if (flags & WEIR_FRAME_ALIGNED)
        offset = align_up(offset);
    frame->flags = (uint8_t)flags;
    size_t tail = (frame->flags & WEIR_FRAME_CRC) ? CRC_SIZE : 0;
    if (frame->data.size > UINT32_MAX - offset - tail)
        return WEIR_ETOOBIG;
    frame->data_offset = offset;
    frame->size = offset + frame->data.size + tail;
    return WEIR_OK;
}

static unsigned char *store(unsigned char *to, const void *from, size_t size) {
    if (size > 0)
        memcpy(to, from, size);
    return to + size;
}

static unsigned char *store_optional(const struct weir_frame *frame, unsigned char *to) {
    if (frame->flags & WEIR_FRAME_TIME)
        to = store(to, &frame->time, 8);
    if (frame->flags & WEIR_FRAME_ID)
        to = store(to, &frame->id, 8);
    if (frame->flags & WEIR_FRAME_WRITER)
        to = store(to, &frame->writer, 8);
    if (frame->flags & WEIR_FRAME_META)
        to = store(to, &(uint32_t){(uint32_t)frame->meta.size}, 4);
    if (frame->flags & WEIR_FRAME_TYPE)
        to = store(to, &(uint16_t){(uint16_t)frame->type.size}, 2);
    return to;
}

static uint64_t commit_word(const struct weir_frame *frame) {
    return (uint64_t)(uint32_t)frame->size | (uint64_t)((WEIR_FRAME_VERSION << 4) | frame->kind) << 32 |
           (uint64_t)frame->codec << 40 | (uint64_t)frame->op.size << 48 | (uint64_t)frame->flags << 56;
}

/* What follows the header when there is a time at most, an op, and data. */
static void write_simple(const struct weir_frame *frame, unsigned char *to) {
    if (frame->flags & WEIR_FRAME_TIME)
        to = store(to, &frame->time, 8);
    to = store(to, frame->op.data, frame->op.size);
    if (frame->data.data)
        store(to, frame->data.data, frame->data.size);
}

uint64_t weir_frame_write(const struct weir_frame *frame, unsigned char *to) {
    uint64_t word = commit_word(frame);
    memcpy(to + 8, &frame->seq, 8);
    if (__builtin_expect(!(frame->flags & ~WEIR_FRAME_TIME), 1)) {
        write_simple(frame, to + WEIR_FRAME_HEADER_SIZE);
        return word;
    }
    unsigned char *at = store_optional(frame, to + WEIR_FRAME_HEADER_SIZE);
    at = store(at, frame->op.data, frame->op.size);
    at = store(at, frame->type.data, frame->type.size);
    at = store(at, frame->meta.data, frame->meta.size);
    unsigned char *data = to + frame->data_offset;
    if (at < data)
        memset(at, 0, (size_t)(data - at));
    if (frame->data.data)
        store(data, frame->data.data, frame->data.size);
    if (frame->flags & WEIR_FRAME_CRC) {
        uint32_t crc = weir_crc32c(weir_crc32c(0, &word, 8), to + 8, frame->size - CRC_SIZE - 8);
        memcpy(to + frame->size - CRC_SIZE, &crc, CRC_SIZE);
    }
    return word;
}

void weir_frame_write_whole(const struct weir_frame *frame, unsigned char *to) {
    uint64_t word = weir_frame_write(frame, to);
    memcpy(to, &word, 8);
}

/* What is left of a frame while its parts are taken off its front. */
struct rest {
    const unsigned char *at;
    size_t left;
};

/* Copy a field of @size bytes out; the caller has made sure that all fixed fields are there. */
static void take(struct rest *rest, void *field, size_t size) {
    memcpy(field, rest->at, size);
    rest->at += size;
    rest->left -= size;
}

static int take_view(struct rest *rest, size_t size, weir_view *ret) {
    if (size > rest->left)
        return WEIR_ECORRUPT;
    *ret = (weir_view){(const char *)rest->at, size};
    rest->at += size;
    rest->left -= size;
    return WEIR_OK;
}

/* Take the fields and parts; sizes and flags are read already. What is absent is set to nothing. */
static int parse_parts(struct weir_frame *frame, const unsigned char *bytes, size_t op_size) {
    struct rest rest = {bytes + 8, frame->size - 8};
    uint32_t meta_size = 0;
    uint16_t type_size = 0;
    if (rest.left < 8 + optional_size(frame->flags))
        return WEIR_ECORRUPT;
    take(&rest, &frame->seq, 8);
    frame->time = 0;
    frame->id = frame->writer = 0;
    if (frame->flags & WEIR_FRAME_TIME)
        take(&rest, &frame->time, 8);
    if (frame->flags & WEIR_FRAME_ID)
        take(&rest, &frame->id, 8);
    if (frame->flags & WEIR_FRAME_WRITER)
        take(&rest, &frame->writer, 8);
    if (frame->flags & WEIR_FRAME_META)
        take(&rest, &meta_size, 4);
    if (frame->flags & WEIR_FRAME_TYPE)
        take(&rest, &type_size, 2);
    if (take_view(&rest, op_size, &frame->op) || take_view(&rest, type_size, &frame->type) ||
        take_view(&rest, meta_size, &frame->meta))
        return WEIR_ECORRUPT;
    if (frame->flags & WEIR_FRAME_ALIGNED) {
        weir_view padding;
        size_t offset = (size_t)(rest.at - bytes);
        if (take_view(&rest, align_up(offset) - offset, &padding))
            return WEIR_ECORRUPT;
    }
    size_t tail = (frame->flags & WEIR_FRAME_CRC) ? CRC_SIZE : 0;
    if (rest.left < tail)
        return WEIR_ECORRUPT;
    frame->data_offset = (size_t)(rest.at - bytes);
    frame->data = (weir_view){(const char *)rest.at, rest.left - tail};
    return WEIR_OK;
}

static int check_crc(const struct weir_frame *frame, uint64_t word, const unsigned char *bytes) {
    uint32_t stored;
    memcpy(&stored, bytes + frame->size - CRC_SIZE, CRC_SIZE);
    uint32_t crc = weir_crc32c(weir_crc32c(0, &word, 8), bytes + 8, frame->size - CRC_SIZE - 8);
    return crc == stored ? WEIR_OK : WEIR_ECORRUPT;
}

int weir_frame_parse(uint64_t word, const unsigned char *bytes, size_t available, struct weir_frame *ret) {
    ret->size = available < 8 ? 0 : weir_frame_word_size(word);
    if (available < 8)
        return WEIR_EAGAIN;
    ret->kind = (word >> 32) & 0x0F;
    ret->codec = (uint8_t)(word >> 40);
    ret->flags = (uint8_t)(word >> 56);
    if (((word >> 36) & 0x0F) != WEIR_FRAME_VERSION)
        return WEIR_EVERSION;
    if (ret->size < WEIR_FRAME_HEADER_SIZE || ret->kind < WEIR_FRAME_MESSAGE || ret->kind > WEIR_FRAME_KIND_LAST ||
        (ret->flags & ~FLAGS_KNOWN))
        return WEIR_ECORRUPT;
    if (ret->size > available)
        return WEIR_EAGAIN;
    if (__builtin_expect(weir_frame_is_simple(word), 1))
        return weir_frame_parse_simple(word, bytes, ret);
    int status = parse_parts(ret, bytes, (uint8_t)(word >> 48));
    if (status == WEIR_OK && (ret->flags & WEIR_FRAME_CRC))
        status = check_crc(ret, word, bytes);
    return status;
}
