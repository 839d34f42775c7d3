/* Frames out of a byte stream: one read fetches many, and a frame is looked at where it lies. */
#ifndef WEIR_FRAME_STREAM_H
#define WEIR_FRAME_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

enum {
    WEIR_STREAM_READ_MIN = 4 << 10,   /* room for one read of a connection that says little */
    WEIR_STREAM_READ_MAX = 256 << 10, /* and of one that says much */
    WEIR_STREAM_LARGE = 32 << 10,     /* a frame of this size is worth a read that ends where it ends */
    WEIR_STREAM_SLACK = 128           /* what a listener adds to a frame may take it so far beyond the limit */
};

/* Two buffers in turns: what was taken from the one stays in place until the other has been filled and taken from. */
struct weir_stream {
    struct weir_buffer buffers[2]; /* .size: the end of what was read */
    unsigned turn;
    int is_growing;    /* the last read filled all there was */
    size_t begin;      /* of what was not taken yet */
    uint64_t size_max; /* bytes of the largest frame */
};

struct weir_stream_frame {
    const unsigned char *bytes;
    size_t size;
    uint64_t word; /* its first 8 bytes */
    uint64_t seq;
};

/* Fetch what is there, with one recv(@flags). Return: WEIR_OK (something came), WEIR_EAGAIN, WEIR_ECLOSED,
 * WEIR_ENOMEM. */
int weir_stream_read(struct weir_stream *stream, int fd, int flags);
/* The same for who fetches in another way: room for bytes, and how many of them came. Return: NULL when there is no
 * memory. */
unsigned char *weir_stream_room(struct weir_stream *stream, size_t *ret_room);
void weir_stream_added(struct weir_stream *stream, size_t size);
/* Add bytes that are there already. Return: WEIR_OK, WEIR_ENOMEM (nothing was added). */
int weir_stream_append(struct weir_stream *stream, const void *bytes, size_t size);
/* What was read and not taken. */
static inline const unsigned char *weir_stream_bytes(const struct weir_stream *stream, size_t *ret_size) {
    const struct weir_buffer *buffer = &stream->buffers[stream->turn];
    *ret_size = buffer->size - stream->begin;
    return buffer->data ? buffer->data + stream->begin : NULL;
}
/* Look at the next frame. @err: for sentences.
 * Return: WEIR_OK, WEIR_EAGAIN (it is not all there), WEIR_ECORRUPT, WEIR_EVERSION, WEIR_ETOOBIG. */
int weir_stream_next(const struct weir_stream *stream, struct weir_stream_frame *ret, weir_error *err);
static inline void weir_stream_take(struct weir_stream *stream, size_t size) {
    stream->begin += size;
}
/* Forget what was not taken; the frame taken last stays where it is. */
void weir_stream_reset(struct weir_stream *stream);
void weir_stream_fini(struct weir_stream *stream);

/* Who sent a frame that weir_stream_next gave, as it says itself; @otherwise when it does not. */
uint64_t weir_frame_origin(const unsigned char *bytes, uint64_t word, uint64_t otherwise);
/* When it was sent, as it says itself; 0 when it does not. */
int64_t weir_frame_moment(const unsigned char *bytes, uint64_t word);

#endif
