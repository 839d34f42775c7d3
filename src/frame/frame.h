/* The frame: one message as bytes, the same in shared memory, on sockets, and in logs. docs/spec/frame.md is the
 * standard.
 *
 * Little-endian. A frame begins at a multiple of 64 bytes wherever it lies in memory.
 *
 *      0  u32 size        bytes from here to the end of the data (or checksum); never 0
 *      4  u8  kind        low 4 bits: enum weir_frame_kind; high 4 bits: version, 1
 *      5  u8  codec       enum weir_codec of the data; 0: no data
 *      6  u8  op_size
 *      7  u8  flags       enum weir_frame_flags
 *      8  u64 seq
 *     16  i64 time        if WEIR_FRAME_TIME     ns since the epoch
 *         u64 id          if WEIR_FRAME_ID
 *         u64 writer      if WEIR_FRAME_WRITER   who sent it, where one connection carries many writers
 *         u32 meta_size   if WEIR_FRAME_META
 *         u16 type_size   if WEIR_FRAME_TYPE
 *         op, type, meta  bytes; meta is a CBOR map
 *         zeros           up to a multiple of 64 if WEIR_FRAME_ALIGNED
 *         data
 *         u32 crc         if WEIR_FRAME_CRC      CRC-32C of all before it
 *
 * In the shared-memory ring the first 8 bytes are the commit word: stored last, as one word, 0 until then. A message
 * without time, operation and metadata has 48 bytes of data in one cache line.
 */
#ifndef WEIR_FRAME_H
#define WEIR_FRAME_H

#include <stdint.h>
#include <string.h>

#include <weir/base.h>
#include <weir/error.h>

#include "base/word.h"

enum { WEIR_FRAME_VERSION = 1, WEIR_FRAME_HEADER_SIZE = 16, WEIR_FRAME_ALIGNMENT = 64 };

enum weir_frame_kind {
    WEIR_FRAME_MESSAGE = 1,
    WEIR_FRAME_REQUEST = 2,
    WEIR_FRAME_REPLY = 3,
    WEIR_FRAME_ERROR = 4,   /* a reply: data is the map {"code", "text"} */
    WEIR_FRAME_CONTROL = 5, /* between transports' ends, never shown: op says what */
    WEIR_FRAME_CANCEL = 6,  /* a client takes the request of this id back */
    WEIR_FRAME_KIND_LAST = WEIR_FRAME_CANCEL
};

enum weir_frame_flags {
    WEIR_FRAME_TIME = 1,
    WEIR_FRAME_ID = 2,
    WEIR_FRAME_WRITER = 4,
    WEIR_FRAME_META = 8,
    WEIR_FRAME_TYPE = 16,
    WEIR_FRAME_ALIGNED = 32,
    WEIR_FRAME_CRC = 64
};

/* A frame's parts. Views borrow. */
struct weir_frame {
    uint8_t kind;
    uint8_t codec;
    uint8_t
        flags; /* out: as read; in: only TIME, ID, WRITER, ALIGNED, CRC are looked at, the others follow from the parts */
    uint64_t seq;
    int64_t time;
    uint64_t id;
    uint64_t writer;
    weir_view op;
    weir_view type;
    weir_view meta;
    weir_view data;
    size_t size;        /* of the whole frame; out, and set by weir_frame_layout */
    size_t data_offset; /* set by weir_frame_layout */
};

/* Work out frame->size and data_offset from the sizes of the parts.
 * Return: WEIR_OK, WEIR_ETOOBIG (over 4 GiB, or an op over 255 bytes). */
int weir_frame_layout(struct weir_frame *frame);
/* Write a laid-out frame, all but its first 8 bytes (the commit word, returned) and, when frame->data.data is NULL, its
 * data. Every byte up to the data is written, padding included. @to: room for frame->size bytes. With CRC, data must be
 * there. */
uint64_t weir_frame_write(const struct weir_frame *frame, unsigned char *to);
/* The same with the commit word stored too. */
void weir_frame_write_whole(const struct weir_frame *frame, unsigned char *to);

/* What a commit word says of its frame's size, for those who only need to step over it. */
static inline uint32_t weir_frame_word_size(uint64_t word) {
    return (uint32_t)word;
}

/* Is it the word of a frame of most messages: this version, a kind that there is, a time and a writer at most? */
static inline int weir_frame_is_simple(uint64_t word) {
    unsigned kind = (unsigned)(word >> 32) & 0xFF;
    return kind - (WEIR_FRAME_VERSION << 4 | WEIR_FRAME_MESSAGE) <= WEIR_FRAME_KIND_LAST - WEIR_FRAME_MESSAGE &&
           (word >> 56 & ~(uint64_t)(WEIR_FRAME_TIME | WEIR_FRAME_WRITER)) == 0;
}

/* The bytes of such a frame before its op. */
static inline size_t weir_frame_simple_head(uint64_t word) {
    return WEIR_FRAME_HEADER_SIZE + (word >> 56 & WEIR_FRAME_TIME ? 8 : 0) + (word >> 56 & WEIR_FRAME_WRITER ? 8 : 0);
}

/* Read such a frame, all of whose bytes are there. Return: WEIR_OK, WEIR_ECORRUPT. */
static inline int weir_frame_parse_simple(uint64_t word, const unsigned char *bytes, struct weir_frame *ret) {
    size_t size = weir_frame_word_size(word), op_size = (uint8_t)(word >> 48);
    size_t head = weir_frame_simple_head(word);
    const char *at = (const char *)bytes + head;
    if (size < head + op_size)
        return WEIR_ECORRUPT;
    ret->kind = (word >> 32) & 0x0F;
    ret->codec = (uint8_t)(word >> 40);
    ret->flags = (uint8_t)(word >> 56);
    memcpy(&ret->seq, bytes + 8, 8);
    ret->time = 0;
    ret->id = ret->writer = 0;
    if (word >> 56 & WEIR_FRAME_TIME)
        memcpy(&ret->time, bytes + WEIR_FRAME_HEADER_SIZE, 8);
    if (word >> 56 & WEIR_FRAME_WRITER)
        memcpy(&ret->writer, bytes + head - 8, 8);
    /* Field by field, not one view copied from the other: a copy would be read in one piece just after it was written
     * in two, and such a load waits until both have left the store buffer, behind every store before them. */
    ret->type.data = ret->meta.data = at;
    ret->type.size = ret->meta.size = 0;
    ret->op = (weir_view){at, op_size};
    ret->data = (weir_view){at + op_size, size - head - op_size};
    ret->size = size;
    ret->data_offset = head + op_size;
    return WEIR_OK;
}

/* Write such a frame of nothing but data, and a time if @word says so, word and all. Return: its end. */
static inline unsigned char *weir_frame_put_simple(unsigned char *to, uint64_t word, uint64_t seq, int64_t time,
                                                   weir_view data) {
    memcpy(to, &word, sizeof(word));
    memcpy(to + 8, &seq, sizeof(seq));
    to += WEIR_FRAME_HEADER_SIZE;
    if (word >> 56 & WEIR_FRAME_TIME) {
        memcpy(to, &time, sizeof(time));
        to += sizeof(time);
    }
    return weir_bytes_put(to, (const unsigned char *)data.data, data.size);
}

/* Read the frame that begins at @bytes. Header fields are read once into locals and checked against @available before
 * use, so that bytes which change meanwhile cannot lead outside them.
 * @commit_word: the first 8 bytes, which the caller has read (in a ring, with an acquire load).
 * @ret: after a failure only its size means something.
 * Return: WEIR_OK; WEIR_EAGAIN (@available holds only part of it; ret->size says how much is needed when at least 8
 * bytes are there, else 0); WEIR_EVERSION; WEIR_ECORRUPT. */
int weir_frame_parse(uint64_t commit_word, const unsigned char *bytes, size_t available, struct weir_frame *ret);

#endif
