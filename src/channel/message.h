/* The message from inside: a frame, where it came from, and the documents decoded from it on demand. */
#ifndef WEIR_CHANNEL_MESSAGE_H
#define WEIR_CHANNEL_MESSAGE_H

#include <weir/message.h>

#include "base/buffer.h"
#include "frame/frame.h"
#include "transport/transport.h"

struct weir_message {
    struct weir_frame frame;
    uint64_t gap;
    uint64_t peer; /* whom to answer */
    uint32_t writer;
    uint32_t uid;
    weir_doc *meta_doc; /* made when first needed, reused for later messages */
    weir_doc *data_doc;
    uint8_t has_meta; /* the document holds this message's */
    uint8_t has_data;
    uint8_t is_owned; /* a copy: freed by the user, bytes in .copy */
    struct weir_buffer copy;
};

/* Make @message show the frame of @inbound; documents of the message before are forgotten.
 * Return: WEIR_OK, WEIR_ECORRUPT, WEIR_EVERSION. */
int weir_message_set(struct weir_message *message, const struct weir_inbound *inbound);
/* Give back the documents of a message in the library's own storage. */
void weir_message_fini(struct weir_message *message);

#endif
