/* An inlet: frames out of a pipe, whoever wrote them. Packets are put together by session; other bytes are taken for
 * messages of a plain framing, told by the address or guessed from the first bytes. Used by one thread. */
#ifndef WEIR_FIFO_INLET_H
#define WEIR_FIFO_INLET_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "frame/frame.h"
#include "frame/plain/plain.h"
#include "frame/stream.h"
#include "transport/fifo/packet.h"
#include "transport/transport.h"

enum {
    WEIR_INLET_READ_SIZE = 64 << 10, /* room for one read */
    WEIR_SOURCES_MAX = 256           /* clients whose requests may be half there */
};

/* One session's stream of frames. */
struct weir_source {
    uint32_t session;
    uint32_t count;   /* of its next packet */
    uint32_t number;  /* inbound.writer */
    uint8_t is_lost;  /* what comes is skipped up to where a frame begins */
    uint8_t is_fresh; /* seq is not known: the first frame begins the count */
    uint64_t seq;     /* of its last frame */
    uint64_t used;    /* when it was heard of */
    struct weir_stream stream;
};

struct weir_inlet {
    int fd;
    int framing; /* of what is no packet: enum weir_framing, 0 or less: guessed */
    size_t size_max;
    size_t source_max; /* 1: a new session takes the place of the one before */
    size_t source_count;
    struct weir_source *sources;
    struct weir_source *current; /* whose frames come next */
    uint64_t clock;
    uint32_t sessions;        /* that began */
    uint32_t joined;          /* the session that was under way when the owner came; 0: none */
    size_t before;            /* bytes that were in the pipe then, those of the last read and after */
    size_t before_left;       /* the same, those after the last read */
    struct weir_buffer bytes; /* read, from begin on not looked at */
    size_t begin;
    size_t plain_end;  /* where a packet ends what is plain; 0: nowhere yet */
    uint8_t has_ended; /* nobody has it open for writing at the moment */
    uint8_t is_plain;  /* in the middle of plain messages */
    uint8_t is_cut;    /* what is left is the beginning of a packet */
    uint8_t is_dry;    /* weir_inlet_next has found nothing in what was read */
    uint8_t counts_gaps;
    struct weir_plain_splitter splitter;
    struct weir_plain_reader plain;
    struct weir_buffer message; /* a plain message as a frame */
    uint64_t plain_seq;
    struct weir_buffer aligned; /* a frame that did not lie at a multiple of 64 */

    /* A frame handed out that must stay: set by the caller, moved when its memory is needed. bytes NULL: none. */
    const unsigned char *last_bytes;
    size_t last_size;
    struct weir_buffer kept;
};

/* One read. Return: WEIR_OK (something came), WEIR_EAGAIN (nothing there), WEIR_ECLOSED (nor anybody who could
 * write), WEIR_ENOMEM, WEIR_ESYSTEM (with errno). */
int weir_inlet_read(struct weir_inlet *inlet);
/* The next frame among the bytes that were read. ret->uid and peer: peer is the session, uid is the caller's to set.
 * Return: WEIR_OK, WEIR_EAGAIN (read more), WEIR_ECORRUPT, WEIR_ETOOBIG, WEIR_EVERSION (something was skipped; call
 * again), WEIR_ENOMEM. */
int weir_inlet_next(struct weir_inlet *inlet, const char *place, struct weir_inbound *ret, weir_error *err);
/* The same for the frame of most messages: if it is there, of the source whose packet came last, the next in its count,
 * and of nothing but data and a time. Return: its bytes; NULL when it is not so, and weir_inlet_next is to look. */
static inline const unsigned char *weir_inlet_quick(struct weir_inlet *inlet, uint64_t *ret_word) {
    struct weir_source *source = inlet->current;
    uint64_t word, seq;
    size_t left;
    if (!source || source->is_fresh || !inlet->counts_gaps)
        return NULL;
    const unsigned char *bytes = weir_stream_bytes(&source->stream, &left);
    if (left < WEIR_FRAME_HEADER_SIZE)
        return NULL;
    memcpy(&word, bytes, sizeof(word));
    memcpy(&seq, bytes + 8, sizeof(seq));
    size_t size = weir_frame_word_size(word);
    if (!weir_frame_is_simple(word) || size > left || size < weir_frame_simple_head(word) ||
        size > inlet->size_max + WEIR_STREAM_SLACK || seq != source->seq + 1)
        return NULL;
    source->seq = seq;
    weir_stream_take(&source->stream, size);
    *ret_word = word;
    return bytes;
}
/* May weir_inlet_next have something without another read? */
int weir_inlet_has(const struct weir_inlet *inlet);
void weir_inlet_fini(struct weir_inlet *inlet);

#endif
