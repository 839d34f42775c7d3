/* The end: what writers, readers, clients and servers have in common. It sits between the public calls and a
 * transport's state, and does what is the same for every transport: building frames, waiting, filtering by kind,
 * counting. */
#ifndef WEIR_CHANNEL_END_H
#define WEIR_CHANNEL_END_H

#include "channel/message.h"
#include "channel/record.h"
#include "codec/codec.h"
#include "transport/transport.h"

/* Messages handed out together, but for the first, which is end->message (many.c). */
struct weir_many {
    struct weir_message *messages;
    size_t count;            /* of them */
    struct weir_buffer kept; /* copies of frames that the transport gives one at a time */
    int status;              /* what happened behind the messages handed out last */
    weir_error err;
};

struct weir_end {
    struct weir_place place;
    const struct weir_transport_ops *ops;
    void *state;         /* the transport's, aligned to 64 */
    uint64_t generation; /* os/fork.h: the process that opened it */
    enum weir_role role;
    struct weir_record_file record;

    /* receiving */
    struct weir_message message; /* the one handed out, or looked ahead */
    uint8_t is_ahead;            /* message was fetched by a peek and not yet handed out */
    uint8_t is_holding;          /* message's bytes are the transport's until release */
    uint8_t has_failed;          /* many->status is to be told by the next call */
    uint64_t gap_carried;        /* missed before frames that were not for this end */
    uint64_t gaps;
    uint32_t writer_mask;   /* which of record.told.seq a writer has */
    struct weir_many *many; /* made by the first weir_end_next_many */

    /* sending */
    struct weir_buffer meta; /* scratch: metadata as CBOR */
    struct weir_buffer data; /* scratch: data as encoded */
    struct weir_frame frame; /* between reserve and commit */
    struct weir_slot slot;
    uint8_t is_reserved;
    uint8_t
        is_late; /* still reserved after a commit whose time was over: commit again, or whatever else comes discards */
    uint8_t is_corked;
    uint8_t awaits_readers; /* readers=N and the first send has not been made */
    uint8_t is_time_given;  /* frames get .time and not the clock's; 0: none */
    int64_t time;
    uint64_t seq;
    uint64_t dropped;
};

/* Parse the address and open the transport. @end is zeroed caller's storage.
 * Return: as weir_writer_open; after a failure there is nothing to close. */
int weir_end_open(struct weir_end *end, const char *address, enum weir_role role, weir_error *err);
void weir_end_close(struct weir_end *end);

/* WEIR_OK, or WEIR_EFORKED in a child of the process that opened it. */
int weir_end_check(const struct weir_end *end, weir_error *err);

/* What to send. */
struct weir_outgoing {
    enum weir_frame_kind kind;
    const char *op; /* NULL: none */
    size_t op_size;
    weir_view meta;   /* a CBOR map; empty: none */
    int codec;        /* enum weir_codec of data; 0: no data */
    weir_view type;   /* raw data only */
    const void *data; /* NULL with a size: the caller writes it at end->slot before weir_end_commit */
    size_t size;
    uint64_t id;      /* 0: none */
    uint64_t peer;    /* 0: everybody */
    int64_t deadline; /* INT64_MIN: place.timeout_ns from when it has to wait */
};

/* Encode metadata and data (NULL: none) into the end's scratch buffers and let @out point there until the next
 * encoding.
 * Return: WEIR_OK, WEIR_EINVAL (metadata that is no map), WEIR_EENCODE, WEIR_ELIMIT, WEIR_ENOMEM. */
int weir_end_encode_meta(struct weir_end *end, const weir_value *meta, struct weir_outgoing *out, weir_error *err);
int weir_end_encode_data(struct weir_end *end, const weir_value *data, struct weir_outgoing *out, weir_error *err);
/* Reserve room for a frame and write all of it that is known; waits, fails or skips as full= says.
 * Return: as weir_writer_send; WEIR_EAGAIN with end->dropped counted up: the message was skipped, which weir_end_send
 * turns into WEIR_OK. */
int weir_end_reserve(struct weir_end *end, const struct weir_outgoing *out, weir_error *err);
/* WEIR_ETIMEOUT: it stays reserved, until it is committed again or anything else is done. */
int weir_end_commit(struct weir_end *end, weir_error *err);
void weir_end_discard(struct weir_end *end);
/* Wait until @count readers are there. Return: WEIR_OK, WEIR_ETIMEOUT. */
int weir_end_await_readers(struct weir_end *end, uint32_t count, int64_t deadline, weir_error *err);
/* Send data with neither op nor metadata in one go, when the transport can now. Return: 1 when it is sent; 0:
 * weir_end_send will do, or say why not. */
int weir_end_post(struct weir_end *end, enum weir_frame_kind kind, int codec, const void *data, size_t size);
/* The same for many: how many of @count went in one go, from the first on. */
size_t weir_end_post_many(struct weir_end *end, enum weir_frame_kind kind, int codec, const weir_view *data,
                          size_t count);
/* reserve and commit. */
int weir_end_send(struct weir_end *end, const struct weir_outgoing *out, weir_error *err);

/* The next frame of kind @kinds (1 << enum weir_frame_kind, or-ed), in end->message. Frames of other kinds are passed
 * over. The message before is released. The clock is read only when there is nothing yet.
 * Return: as weir_reader_next. */
int weir_end_next(struct weir_end *end, uint32_t kinds, int64_t timeout_ns, weir_error *err);
/* Its halves: first without waiting, then, when that has found nothing, until @deadline. Return: WEIR_OK, WEIR_EAGAIN
 * (take), others as above. */
int weir_end_take(struct weir_end *end, uint32_t kinds, weir_error *err);
int weir_end_await(struct weir_end *end, uint32_t kinds, int64_t deadline, weir_error *err);
/* The same without waiting, leaving the frame to be found by the next weir_end_next. Return: WEIR_OK, WEIR_EAGAIN,
 * others as above. */
int weir_end_peek(struct weir_end *end, uint32_t kinds, weir_error *err);
/* The next message as weir_end_next gives it, and those that are there with it: at most @max in @ret, which live until
 * the next call. What goes wrong behind the first is told by the next call. */
int weir_end_next_many(struct weir_end *end, uint32_t kinds, int64_t timeout_ns, weir_message **ret, size_t max,
                       size_t *ret_count, weir_error *err);
void weir_many_free(struct weir_many *many);
/* Show the frame of @inbound in @message when it is of @kinds. Return: WEIR_OK; WEIR_EAGAIN, it is not and is passed
 * over; WEIR_ECORRUPT, WEIR_EVERSION. */
int weir_end_show(struct weir_end *end, struct weir_inbound *inbound, uint32_t kinds, struct weir_message *message,
                  weir_error *err);
void weir_end_release(struct weir_end *end);
int weir_end_fd(struct weir_end *end, int *ret_fd, weir_error *err);

#define WEIR_KINDS_MESSAGE (1u << WEIR_FRAME_MESSAGE)
#define WEIR_KINDS_REQUEST (1u << WEIR_FRAME_REQUEST)
#define WEIR_KINDS_ANSWER  (1u << WEIR_FRAME_REPLY | 1u << WEIR_FRAME_ERROR)

/* The frame of most messages, shown without a call. Return: 1 when it was one, and wanted. */
static inline int weir_end_show_simple(const struct weir_end *end, const struct weir_inbound *inbound, uint32_t kinds,
                                       struct weir_message *message) {
    if (!weir_frame_is_simple(inbound->word) || weir_frame_word_size(inbound->word) != inbound->size ||
        !(kinds >> (inbound->word >> 32 & 0x0F) & 1) || inbound->gap + end->gap_carried != 0)
        return 0;
    weir_message_from(message, inbound);
    return weir_frame_parse_simple(inbound->word, inbound->bytes, &message->frame) == WEIR_OK;
}

/* The objects behind the public names are ends and what is theirs alone. */
struct weir_writer {
    struct weir_end end;
    char op[WEIR_OP_MAX];          /* of a reserved message */
    char type[WEIR_TYPE_TEXT_MAX]; /* of the message reserved last, as the frame names it */
    size_t type_size, data_size;
    struct weir_type *known; /* the struct sent last */
    int codec;               /* of the bytes sent last: one that there is; 0: none yet */
};
struct weir_reader {
    struct weir_end end;
};

#endif
