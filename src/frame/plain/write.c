/* A frame as a plain message: {"seq","writer","time","id" or "re","op","meta","data" or "error"}, in this order, what
 * is absent left out.
 *
 * What must stay true: what is written is one well-formed value of the codec, so data is decoded before it is believed,
 * whoever encoded it; in JSON it is one line. The data stands last, so that its own bytes can be taken over when they
 * are of the framing's codec. */
#include "frame/plain/plain.h"

#include <string.h>

#include "base/error.h"
#include "base/utf8.h"
#include "codec/codec.h"
#include "value/value.h"

static int doc_ready(weir_doc **doc) {
    return *doc ? WEIR_OK : weir_doc_new(doc);
}

/* ---- what the frame holds ---- */

static int raw_decode(struct weir_plain_writer *writer, const struct weir_frame *frame, weir_error *err) {
    struct weir_ndarray array;
    weir_view type = frame->type;
    int status;
    if (weir_raw_is_struct(type.data, type.size)) {
        status = weir_raw_type_keep(&writer->type, type.data, type.size, err);
        return status != WEIR_OK
                   ? status
                   : weir_type_decode(writer->data, writer->type, frame->data.data, frame->data.size, NULL, err);
    }
    status = weir_raw_type_parse(type.data, type.size, &array, err);
    if (status != WEIR_OK)
        return status;
    weir_doc_clear(writer->data);
    return weir_raw_document(writer->data, &array, frame->data.data, frame->data.size, err);
}

/* The frame's data and metadata as documents. */
static int decode(struct weir_plain_writer *writer, const struct weir_frame *frame, weir_error *err) {
    int status = WEIR_OK;
    if (doc_ready(&writer->doc) != WEIR_OK || doc_ready(&writer->meta) != WEIR_OK ||
        doc_ready(&writer->data) != WEIR_OK)
        return weir_fail(err, WEIR_ENOMEM, "out of memory for a message");
    if (frame->codec == WEIR_CODEC_RAW)
        status = raw_decode(writer, frame, err);
    else if (frame->codec != 0)
        status = weir_decode(writer->data, frame->codec, frame->data.data, frame->data.size, NULL, NULL, err);
    if (status == WEIR_OK && frame->meta.size > 0) {
        status = weir_decode(writer->meta, WEIR_CODEC_CBOR, frame->meta.data, frame->meta.size, NULL, NULL, err);
        if (status == WEIR_OK && weir_value_kind(weir_doc_root(writer->meta)) != WEIR_KIND_MAP)
            status = weir_fail(err, WEIR_EPARSE, "the message's metadata is not a map");
    }
    return status;
}

int weir_plain_data(struct weir_plain_writer *writer, const struct weir_frame *frame, const weir_value **ret,
                    weir_error *err) {
    int status = decode(writer, frame, err);
    if (status == WEIR_OK)
        *ret = frame->codec == 0 ? NULL : weir_doc_root(writer->data);
    return status;
}

/* ---- the map ---- */

static void id_put(weir_doc *doc, const char *key, uint64_t id) {
    char text[WEIR_PLAIN_ID_SIZE];
    weir_put_key(doc, key);
    if (id <= WEIR_PLAIN_ID_NUMBER_MAX) {
        weir_put_u64(doc, id);
        return;
    }
    for (int i = 0; i < WEIR_PLAIN_ID_SIZE; i++)
        text[i] = "0123456789abcdef"[id >> (60 - 4 * i) & 15];
    weir_put_text(doc, text, sizeof(text));
}

/* An op is UTF-8 by contract; one that is not is written byte by byte, as Latin-1, rather than lost. */
static void op_put(weir_doc *doc, weir_view op) {
    char text[2 * 256];
    size_t size = 0;
    weir_put_key(doc, "op");
    if (weir_utf8_check((const unsigned char *)op.data, op.size) == op.size) {
        weir_put_text(doc, op.data, op.size);
        return;
    }
    for (size_t i = 0; i < op.size; i++) {
        unsigned char byte = (unsigned char)op.data[i];
        if (byte >= 0x80)
            text[size++] = (char)(0xC0 | byte >> 6);
        text[size++] = (char)(byte >= 0x80 ? 0x80 | (byte & 0x3F) : byte);
    }
    weir_put_text(doc, text, size);
}

static const char *id_key(const struct weir_frame *frame) {
    return frame->kind == WEIR_FRAME_REQUEST ? "id" : frame->kind == WEIR_FRAME_CANCEL ? "cancel" : "re";
}

/* Everything but the data. A message of nothing at all keeps an empty op, so that it is seen to be a message. */
static void header_put(weir_doc *doc, const struct weir_frame *frame, const weir_value *meta) {
    if (frame->seq) {
        weir_put_key(doc, "seq");
        weir_put_u64(doc, frame->seq);
    }
    if (frame->flags & WEIR_FRAME_WRITER) {
        weir_put_key(doc, "writer");
        weir_put_u64(doc, frame->writer);
    }
    if (frame->flags & WEIR_FRAME_TIME) {
        weir_put_key(doc, "time");
        weir_put_i64(doc, frame->time);
    }
    if (frame->flags & WEIR_FRAME_ID && frame->kind != WEIR_FRAME_MESSAGE)
        id_put(doc, id_key(frame), frame->id);
    if (frame->op.size > 0 || (frame->codec == 0 && frame->kind != WEIR_FRAME_CANCEL))
        op_put(doc, frame->op);
    if (meta) {
        weir_put_key(doc, "meta");
        weir_put_value(doc, meta);
    }
}

static const char *data_key(const struct weir_frame *frame) {
    return frame->kind == WEIR_FRAME_ERROR ? "error" : "data";
}

/* May the data's own bytes be taken over? A value alone may be written over several lines, and with a byte order mark;
 * one in a line may not. */
static int may_splice(int framing, const struct weir_frame *frame) {
    weir_view data = frame->data;
    if (frame->codec != framing || data.size == 0)
        return 0;
    return framing == WEIR_FRAMING_CBOR ||
           (framing == WEIR_FRAMING_JSON && !memchr(data.data, '\n', data.size) &&
            !memchr(data.data, '\r', data.size) && !weir_utf8_mark_size(data.data, data.size));
}

/* Add a pair to the map that begins at @start of @out and ends it: its value is @data, encoded. The map has fewer than
 * 23 pairs. */
static int splice(int framing, struct weir_buffer *out, size_t start, const char *key, weir_view data) {
    size_t key_size = strlen(key);
    unsigned char *room = weir_buffer_room(out, key_size + 8 + data.size);
    if (!room)
        return WEIR_ENOMEM;
    unsigned char *at = room, *map = out->data + start;
    if (framing == WEIR_FRAMING_CBOR) {
        *map += 1;
        *at++ = (unsigned char)(0x60 | key_size);
        at = (unsigned char *)memcpy(at, key, key_size) + key_size;
        at = (unsigned char *)memcpy(at, data.data, data.size) + data.size;
    } else {
        at--; /* the closing brace */
        if (out->size - start > 2)
            *at++ = ',';
        *at++ = '"';
        at = (unsigned char *)memcpy(at, key, key_size) + key_size;
        *at++ = '"';
        *at++ = ':';
        at = (unsigned char *)memcpy(at, data.data, data.size) + data.size;
        *at++ = '}';
    }
    out->size += (size_t)(at - room);
    return WEIR_OK;
}

static int message_write(struct weir_plain_writer *writer, int framing, const struct weir_frame *frame,
                         struct weir_buffer *out, weir_error *err) {
    weir_doc *doc = writer->doc;
    const weir_value *root;
    size_t start = out->size;
    int splices = may_splice(framing, frame);
    weir_doc_clear(doc);
    weir_begin_map(doc);
    header_put(doc, frame, frame->meta.size > 0 ? weir_doc_root(writer->meta) : NULL);
    if (frame->codec != 0 && !splices) {
        weir_put_key(doc, data_key(frame));
        weir_put_value(doc, weir_doc_root(writer->data));
    }
    weir_end(doc);
    int status = weir_doc_finish(doc, &root, err);
    if (status == WEIR_OK)
        status = weir_encode(root, framing, NULL, out, err);
    if (status == WEIR_OK && splices && splice(framing, out, start, data_key(frame), frame->data) != WEIR_OK)
        status = weir_fail(err, WEIR_ENOMEM, "out of memory for a message");
    return status;
}

static int line_end(int framing, struct weir_buffer *out, weir_error *err) {
    if (framing != WEIR_FRAMING_JSON || weir_buffer_append(out, "\n", 1) == WEIR_OK)
        return WEIR_OK;
    return weir_fail(err, WEIR_ENOMEM, "out of memory for a message");
}

int weir_plain_write(struct weir_plain_writer *writer, int framing, const struct weir_frame *frame,
                     struct weir_buffer *out, weir_error *err) {
    size_t start = out->size;
    if (frame->kind == WEIR_FRAME_CONTROL)
        return weir_fail(err, WEIR_ENOTSUP, "what ends of weir say to each other has no form in %s",
                         weir_framing_name(framing));
    int status = decode(writer, frame, err);
    if (status == WEIR_OK)
        status = message_write(writer, framing, frame, out, err);
    if (status == WEIR_OK)
        status = line_end(framing, out, err);
    if (status != WEIR_OK)
        out->size = start;
    return status;
}

int weir_plain_write_value(const weir_value *value, int framing, int is_pretty, struct weir_buffer *out,
                           weir_error *err) {
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    options.flags = is_pretty && framing == WEIR_FRAMING_JSON ? WEIR_PRETTY : 0;
    int status = weir_encode(value, framing, &options, out, err);
    return status == WEIR_OK ? line_end(framing, out, err) : status;
}

void weir_plain_writer_fini(struct weir_plain_writer *writer) {
    writer->doc = weir_doc_free(writer->doc);
    writer->meta = weir_doc_free(writer->meta);
    writer->data = weir_doc_free(writer->data);
    writer->type = weir_type_free(writer->type);
}
