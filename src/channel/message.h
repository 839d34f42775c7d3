/* The message from inside: a frame, where it came from, and the documents decoded from it on demand. */
#ifndef WEIR_CHANNEL_MESSAGE_H
#define WEIR_CHANNEL_MESSAGE_H

#include <weir/message.h>

#include "base/buffer.h"
#include "frame/frame.h"
#include "transport/transport.h"

struct weir_message {
    uint64_t gap;
    uint64_t peer; /* whom to answer */
    uint32_t writer;
    uint32_t uid;
    uint8_t is_in_place; /* as in struct weir_inbound */
    uint8_t has_meta;    /* the document holds this message's */
    uint8_t has_data;
    uint8_t is_unread; /* frame is still to be read from the two that follow (weir_message_frame) */
    uint8_t is_owned;  /* a copy: freed by the user, bytes in .copy */
    uint64_t word;
    const unsigned char *bytes;
    struct weir_frame frame;
    weir_doc *meta_doc; /* made when first needed, reused for later messages */
    weir_doc *data_doc;
    struct weir_type *type; /* of raw structs, kept from message to message */
    struct weir_buffer copy;
    char place[WEIR_PLACE_TEXT_MAX]; /* where it came from, for sentences; "" when nobody said */
};

/* Of @inbound, whose frame is parsed: where it comes from. */
static inline void weir_message_from(struct weir_message *message, const struct weir_inbound *inbound) {
    message->gap = inbound->gap;
    message->peer = inbound->peer;
    message->writer = inbound->writer;
    message->uid = inbound->uid;
    message->is_in_place = inbound->is_in_place;
    message->has_meta = 0;
    message->has_data = 0;
    message->is_unread = 0;
}

/* The frame of a message. One of many is not read before somebody asks: most of it nobody asks for. */
const struct weir_frame *weir_message_read(const struct weir_message *message);
static inline const struct weir_frame *weir_message_frame(const struct weir_message *message) {
    return __builtin_expect(message->is_unread, 0) ? weir_message_read(message) : &message->frame;
}

/* Make @message show the frame of @inbound; documents of the message before are forgotten.
 * Return: WEIR_OK, WEIR_ECORRUPT, WEIR_EVERSION. */
int weir_message_set(struct weir_message *message, const struct weir_inbound *inbound);
/* The type of raw data when it is a struct, in message->type. Return: WEIR_OK, WEIR_EPARSE, WEIR_ELIMIT, WEIR_ENOMEM.
 * */
int weir_message_raw_struct(struct weir_message *message, weir_error *err);
/* The raw data of a type without structs, where it lies. Return: WEIR_OK, WEIR_EPARSE. */
int weir_message_raw_ndarray(const struct weir_message *message, struct weir_ndarray *ret, weir_error *err);
/* Decode raw data into message->data_doc. Return: WEIR_OK, WEIR_EPARSE, WEIR_ELIMIT, WEIR_ENOMEM. */
int weir_message_raw_decode(struct weir_message *message, weir_error *err);
/* Give back the documents of a message in the library's own storage. */
void weir_message_fini(struct weir_message *message);

#endif
