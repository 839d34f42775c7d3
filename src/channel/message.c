/* Messages: decoding on demand, copies, and the JSON line for people and pages.
 *
 * A message of a reader lives in the reader and shows one frame after another; its two documents are kept from frame to
 * frame, so that a loop allocates nothing. */
#include "channel/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "codec/codec.h"
#include "value/value.h"

const struct weir_frame *weir_message_read(const struct weir_message *message) {
    struct weir_message *own = (struct weir_message *)message; /* what it says stays the same */
    weir_frame_parse_simple(own->word, own->bytes, &own->frame);
    own->is_unread = 0;
    return &own->frame;
}

int weir_message_set(struct weir_message *message, const struct weir_inbound *inbound) {
    int status = weir_frame_parse(inbound->word, inbound->bytes, inbound->size, &message->frame);
    if (status)
        return status == WEIR_EAGAIN ? WEIR_ECORRUPT : status;
    weir_message_from(message, inbound);
    return WEIR_OK;
}

void weir_message_fini(struct weir_message *message) {
    message->meta_doc = weir_doc_free(message->meta_doc);
    message->data_doc = weir_doc_free(message->data_doc);
    message->type = weir_type_free(message->type);
    weir_buffer_fini(&message->copy);
}

/* ---- what the frame says ---- */

weir_view weir_message_op(const weir_message *message) {
    return weir_message_frame(message)->op;
}

uint64_t weir_message_seq(const weir_message *message) {
    return weir_message_frame(message)->seq;
}

int64_t weir_message_time(const weir_message *message) {
    return weir_message_frame(message)->time;
}

uint64_t weir_message_id(const weir_message *message) {
    return weir_message_frame(message)->id;
}

uint32_t weir_message_writer(const weir_message *message) {
    return message->writer;
}

uint64_t weir_message_gap(const weir_message *message) {
    return message->gap;
}

int weir_message_codec(const weir_message *message) {
    return weir_message_frame(message)->codec;
}

weir_view weir_message_bytes(const weir_message *message) {
    if (message->is_unread) {
        size_t head = weir_frame_simple_head(message->word) + (uint8_t)(message->word >> 48);
        return (weir_view){(const char *)message->bytes + head, weir_frame_word_size(message->word) - head};
    }
    return message->frame.data;
}

weir_view weir_message_type(const weir_message *message) {
    return weir_message_frame(message)->type;
}

/* ---- decoding ---- */

static int doc_ready(weir_doc **doc, weir_error *err) {
    if (*doc || weir_doc_new(doc) == WEIR_OK)
        return WEIR_OK;
    return weir_fail(err, WEIR_ENOMEM, "out of memory for a message's document");
}

int weir_message_meta(weir_message *message, const weir_value **ret, weir_error *err) {
    weir_view meta = weir_message_frame(message)->meta;
    if (meta.size == 0) {
        *ret = NULL;
        return WEIR_OK;
    }
    int status = doc_ready(&message->meta_doc, err);
    if (status == WEIR_OK && !message->has_meta) {
        status = weir_decode(message->meta_doc, WEIR_CODEC_CBOR, meta.data, meta.size, NULL, NULL, err);
        if (status == WEIR_OK && weir_value_kind(weir_doc_root(message->meta_doc)) != WEIR_KIND_MAP)
            status = weir_fail(err, WEIR_EPARSE, "the message's metadata is not a map");
    }
    if (status == WEIR_OK) {
        message->has_meta = 1;
        *ret = weir_doc_root(message->meta_doc);
    }
    return status;
}

int weir_message_data(weir_message *message, const weir_value **ret, weir_error *err) {
    const struct weir_frame *frame = weir_message_frame(message);
    int status = WEIR_OK;
    if (frame->codec == 0) {
        *ret = NULL;
        return WEIR_OK;
    }
    if (!message->has_data) {
        status = doc_ready(&message->data_doc, err);
        if (status == WEIR_OK && frame->codec == WEIR_CODEC_RAW)
            status = weir_message_raw_decode(message, err);
        else if (status == WEIR_OK)
            status = weir_decode(message->data_doc, frame->codec, frame->data.data, frame->data.size, NULL, NULL, err);
    }
    if (status == WEIR_OK) {
        message->has_data = 1;
        *ret = weir_doc_root(message->data_doc);
    }
    return status;
}

int weir_message_ndarray(weir_message *message, weir_ndarray *ret, weir_error *err) {
    char type[WEIR_RAW_TYPE_MAX];
    const weir_value *value = NULL;
    if (weir_message_frame(message)->codec == WEIR_CODEC_RAW &&
        !weir_raw_is_struct(weir_message_frame(message)->type.data, weir_message_frame(message)->type.size))
        return weir_message_raw_ndarray(message, ret, err);
    int status = weir_message_data(message, &value, err);
    if (status == WEIR_OK && weir_get_ndarray(value, NULL, ret) != WEIR_OK)
        status = weir_fail(err, WEIR_ETYPE, "the message holds %s, you asked for an ndarray",
                           value ? weir_value_type(value, type, sizeof(type)) : "no data");
    return status;
}

/* ---- as JSON ---- */

static int json_number(weir_buffer *out, const char *name, int64_t number, int is_present) {
    char text[64];
    int size = is_present ? snprintf(text, sizeof(text), ",\"%s\":%lld", name, (long long)number)
                          : snprintf(text, sizeof(text), ",\"%s\":null", name);
    return weir_buffer_append(out, text, (size_t)size);
}

static int json_value(weir_buffer *out, const char *name, const weir_value *value, weir_error *err) {
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    options.flags = WEIR_PLAIN;
    if (weir_buffer_append(out, name, strlen(name)))
        return weir_fail(err, WEIR_ENOMEM, "out of memory for a message's JSON");
    if (!value)
        return weir_buffer_append(out, "null", 4);
    return weir_encode(value, WEIR_CODEC_JSON, &options, out, err);
}

/* An op is UTF-8 by contract; one that is not is shown byte by byte, as Latin-1, rather than lost. */
static int json_op(weir_buffer *out, weir_view op, weir_error *err) {
    weir_doc *doc = NULL;
    const weir_value *value = NULL;
    char text[2 * WEIR_OP_MAX];
    size_t size = 0;
    int status = op.size ? weir_doc_new(&doc) : WEIR_OK;
    if (status == WEIR_OK && op.size) {
        weir_put_text(doc, op.data, op.size);
        status = weir_doc_finish(doc, &value, err);
        if (status == WEIR_EINVAL) {
            for (size_t i = 0; i < op.size; i++) {
                unsigned char byte = (unsigned char)op.data[i];
                if (byte >= 0x80)
                    text[size++] = (char)(0xC0 | byte >> 6);
                text[size++] = (char)(byte >= 0x80 ? 0x80 | (byte & 0x3F) : byte);
            }
            weir_doc_clear(doc);
            weir_put_text(doc, text, size);
            status = weir_doc_finish(doc, &value, err);
        }
    }
    if (status == WEIR_OK)
        status = json_value(out, ",\"op\":", value, err);
    weir_doc_free(doc);
    return status;
}

static int json_write(weir_message *message, weir_buffer *out, weir_error *err) {
    const weir_value *meta = NULL, *data = NULL;
    const struct weir_frame *frame = weir_message_frame(message);
    int status = weir_message_meta(message, &meta, err);
    if (status == WEIR_OK)
        status = weir_message_data(message, &data, err);
    if (status == WEIR_OK)
        status = weir_buffer_append(out, "{\"v\":1", 6);
    if (status == WEIR_OK)
        status = json_number(out, "seq", (int64_t)frame->seq, 1);
    if (status == WEIR_OK)
        status = json_number(out, "time", frame->time, (frame->flags & WEIR_FRAME_TIME) != 0);
    if (status == WEIR_OK && message->gap > 0)
        status = json_number(out, "gap", (int64_t)message->gap, 1);
    if (status == WEIR_OK)
        status = json_op(out, frame->op, err);
    if (status == WEIR_OK)
        status = json_value(out, ",\"meta\":", meta, err);
    if (status == WEIR_OK)
        status = json_value(out, ",\"data\":", data, err);
    if (status == WEIR_OK)
        status = weir_buffer_append(out, "}", 1);
    return status;
}

int weir_message_json(weir_message *message, weir_buffer *out, weir_error *err) {
    size_t size = out->size;
    int status = json_write(message, out, err);
    if (status)
        out->size = size;
    return status;
}

/* ---- copies ---- */

int weir_message_copy(const weir_message *message, weir_message **ret) {
    const struct weir_frame *frame = weir_message_frame(message);
    weir_message *copy = calloc(1, sizeof(*copy));
    if (!copy || weir_buffer_grow(&copy->copy, frame->size)) {
        free(copy);
        return WEIR_ENOMEM;
    }
    *copy = (weir_message){.frame = *frame,
                           .gap = message->gap,
                           .peer = message->peer,
                           .writer = message->writer,
                           .uid = message->uid,
                           .is_owned = 1,
                           .copy = copy->copy};
    memcpy(copy->place, message->place, sizeof(copy->place));
    unsigned char *bytes = copy->copy.data;
    /* Written anew rather than copied: the commit word of a frame in a ring is not part of its bytes. */
    weir_frame_write_whole(frame, bytes);
    copy->copy.size = frame->size;
    struct weir_inbound inbound = {.bytes = bytes,
                                   .size = frame->size,
                                   .gap = message->gap,
                                   .peer = message->peer,
                                   .writer = message->writer,
                                   .uid = message->uid};
    memcpy(&inbound.word, bytes, sizeof(inbound.word));
    int status = weir_message_set(copy, &inbound);
    if (status)
        weir_message_free(copy);
    else
        *ret = copy;
    return status;
}

weir_message *weir_message_free(weir_message *message) {
    if (message && message->is_owned) {
        weir_message_fini(message);
        free(message);
    }
    return NULL;
}
