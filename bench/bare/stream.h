/* Streams of bytes as bare programs use them: a unix socket, tcp on loopback, or a named pipe, blocking, with the
 * kernel's own buffer sizes. One system call for each message, or 64 KiB of messages with each; what is received ends
 * in the receiver's buffer. No header, no check, no deadline, and nobody may come or go. */
#ifndef BENCH_BARE_STREAM_H
#define BENCH_BARE_STREAM_H

#include <stddef.h>
#include <string.h>

enum bare_stream_kind { BARE_UNIX = 1, BARE_TCP = 2, BARE_FIFO = 3 };
enum { BARE_BATCH = 64 << 10 };

/* The writing or the reading end of the one-way stream @name (unix and fifo: a path; tcp: @port). The two may open in
 * any order. Return: a descriptor; below 0: errno says why. */
int bare_stream_open(enum bare_stream_kind kind, const char *name, int port, int is_writer);
/* Return: 1, or 0 when the other end has gone. */
int bare_stream_write(int fd, const void *bytes, size_t size);
int bare_stream_read(int fd, void *bytes, size_t size);

/* Messages of one size, as many as fit with each call. */
struct bare_batch {
    int fd;
    size_t size;  /* of a message */
    size_t begin; /* reading: of what was not taken yet */
    size_t end;
    unsigned char bytes[BARE_BATCH];
};

int bare_batch_flush(struct bare_batch *batch);
int bare_batch_fetch(struct bare_batch *batch);

static inline int bare_batch_send(struct bare_batch *batch, const void *bytes) {
    if (batch->end + batch->size > BARE_BATCH && !bare_batch_flush(batch))
        return 0;
    memcpy(batch->bytes + batch->end, bytes, batch->size);
    batch->end += batch->size;
    return 1;
}

static inline int bare_batch_receive(struct bare_batch *batch, void *bytes) {
    if (batch->end - batch->begin < batch->size && !bare_batch_fetch(batch))
        return 0;
    memcpy(bytes, batch->bytes + batch->begin, batch->size);
    batch->begin += batch->size;
    return 1;
}

#endif
