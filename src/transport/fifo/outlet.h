/* An outlet: frames queued for one pipe, and how they leave.
 *
 * Framed, many frames go as one packet and many packets with one system call. Plain, each frame was made into a
 * message of its framing before it was queued. A write that would raise SIGPIPE is made with the signal blocked,
 * unless the end itself holds the pipe open for reading, when there can be none. */
#ifndef WEIR_FIFO_OUTLET_H
#define WEIR_FIFO_OUTLET_H

#include <stddef.h>
#include <stdint.h>

#include "frame/plain/plain.h"
#include "frame/queue.h"
#include "transport/fifo/packet.h"
#include "transport/transport.h"

struct weir_outlet {
    int fd;               /* to write to; -1: none */
    int hold_fd;          /* the same pipe, open for reading so that it stays; -1: none */
    int framing;          /* enum weir_framing */
    int is_full;          /* the last flush left something */
    int is_direct;        /* the descriptor is in packet mode */
    uint32_t session;     /* packets: whose */
    uint32_t count;       /* packets: sent so far */
    uint64_t inside_most; /* packets: no more of our bytes lie in the pipe */
    struct weir_queue queue;
    struct weir_chunk *open; /* of plain messages */
    struct weir_plain_writer plain;
    struct weir_buffer text; /* a plain message while it is made */
};

/* Make @outlet->fd one for packets, or for bytes, as the framing wants, and let it hold up to @capacity bytes, as far
 * as the system lets. Return: 0, or errno (this system has no packets). */
int weir_outlet_prepare(struct weir_outlet *outlet, uint64_t capacity);
/* Queue the frame at [start, end) of @chunk. Return: WEIR_OK, WEIR_ENOMEM; plain also as weir_plain_write. */
int weir_outlet_push(struct weir_outlet *outlet, struct weir_chunk *chunk, size_t start, size_t end, weir_error *err);
/* Write what is queued. Return: WEIR_OK (all of it), WEIR_EAGAIN (the pipe is full), WEIR_ECLOSED (nobody reads),
 * WEIR_ESYSTEM (with errno). */
int weir_outlet_flush(struct weir_outlet *outlet);
/* The same for packets, but what does not make a full one stays queued: with what comes next it will. */
int weir_outlet_flush_full(struct weir_outlet *outlet);
/* Bytes that are queued or in the pipe. */
uint64_t weir_outlet_size(struct weir_outlet *outlet);
/* What is left of @capacity for packets; it may be more when it is at least @wanted. To ask the kernel each time would
 * mean to wait for a reader who is at work. */
uint64_t weir_outlet_room(struct weir_outlet *outlet, uint64_t capacity, uint64_t wanted);
/* Throw away what lies longest in the pipe: a packet; plain, everything, so that who reads next does not begin in the
 * middle of a message. Return: 1, or 0 when there is nothing. */
int weir_outlet_drop(struct weir_outlet *outlet);
/* Does anybody have the pipe open for reading but ourselves? */
int weir_outlet_is_read(struct weir_outlet *outlet, const struct weir_place *place);
void weir_outlet_fini(struct weir_outlet *outlet);

#endif
