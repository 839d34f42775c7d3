/* A plain message as a frame.
 *
 * A map is a message when every key is one that messages have, none stands twice, all hold what they should, and at
 * least one of "op", "data", "error" and "cancel" is among them. Anything else is data, whole, so that nothing anybody
 * wrote is lost or guessed at.
 *
 * Where the data's bytes can be told in the input (JSON, CBOR: behind the text of their key, which the decoder left
 * where it lies), they are cut out rather than written again. They are known to be well-formed then, because all around
 * them was decoded. */
#include "frame/plain/plain.h"

#include <string.h>

#include "base/error.h"
#include "base/utf8.h"
#include "codec/codec.h"
#include "value/value.h"

enum { OP_MAX = 255 };

enum key {
    KEY_V,
    KEY_SEQ,
    KEY_TIME,
    KEY_GAP,
    KEY_WRITER,
    KEY_OP,
    KEY_META,
    KEY_DATA,
    KEY_ID,
    KEY_RE,
    KEY_ERROR,
    KEY_CANCEL,
    KEY_COUNT
};
static const char *const key_names[KEY_COUNT] = {"v",    "seq",  "time", "gap", "writer", "op",
                                                 "meta", "data", "id",   "re",  "error",  "cancel"};

/* The pairs of a message map; NULL for those that are not there. */
struct parts {
    const struct weir_value *values[KEY_COUNT];
    const struct weir_value *first_key;
    const struct weir_value *data_key;
    const struct weir_value *next_key; /* behind the data; NULL: it is the last */
};

/* ---- is it a message? ---- */

static int key_of(const struct weir_value *key) {
    for (int i = 0; key->kind == WEIR_KIND_TEXT && i < KEY_COUNT; i++)
        if (strlen(key_names[i]) == key->count && memcmp(key_names[i], key->as.data, key->count) == 0)
            return i;
    return -1;
}

/* Sort the pairs of a map. Return: 1, or 0 when a key is unknown or repeated. */
static int parts_take(const struct weir_value *map, struct parts *parts) {
    const struct weir_value *key = map + 1;
    *parts = (struct parts){.first_key = key};
    for (uint32_t i = 0; i < map->count; i++) {
        int which = key_of(key);
        if (which < 0 || parts->values[which])
            return 0;
        if (parts->data_key && !parts->next_key)
            parts->next_key = key;
        if (which == KEY_DATA || which == KEY_ERROR)
            parts->data_key = key;
        parts->values[which] = key + 1;
        key = weir_value_after(key + 1);
    }
    return 1;
}

static int is_null(const struct weir_value *value) {
    return value && value->kind == WEIR_KIND_NULL;
}

/* An id as plain peers write it. Return: 1 with the id. */
static int id_read(const struct weir_value *value, uint64_t *ret) {
    if (value->kind == WEIR_KIND_INT64 || value->kind == WEIR_KIND_UINT64) {
        *ret = value->as.u64;
        return value->kind == WEIR_KIND_UINT64 || value->as.i64 > 0;
    }
    if (value->kind != WEIR_KIND_TEXT || value->count != WEIR_PLAIN_ID_SIZE)
        return 0;
    *ret = 0;
    for (uint32_t i = 0; i < value->count; i++) {
        const char *digits = "0123456789abcdef", *digit = memchr(digits, value->as.data[i], 16);
        if (!digit)
            return 0;
        *ret = *ret << 4 | (uint64_t)(digit - digits);
    }
    return *ret != 0;
}

static int seq_read(const struct weir_value *value, uint64_t *ret) {
    if (!value)
        return 1;
    *ret = value->as.u64;
    return value->kind == WEIR_KIND_UINT64 || (value->kind == WEIR_KIND_INT64 && value->as.i64 >= 0);
}

/* ns since the epoch as a number, or a time of the codec's own. */
static int time_read(const struct weir_value *value, struct weir_frame *frame) {
    if (!value || is_null(value))
        return 1;
    frame->flags |= WEIR_FRAME_TIME;
    frame->time = value->as.i64;
    return value->kind == WEIR_KIND_INT64 || value->kind == WEIR_KIND_TIME;
}

/* Which writer, where several share one stream. */
static int writer_read(const struct weir_value *value, struct weir_frame *frame) {
    if (!value)
        return 1;
    frame->flags |= WEIR_FRAME_WRITER;
    return seq_read(value, &frame->writer);
}

static int op_read(const struct weir_value *value, struct weir_frame *frame) {
    if (!value || is_null(value))
        return 1;
    frame->op = (weir_view){(const char *)value->as.data, value->count};
    return value->kind == WEIR_KIND_TEXT && value->count <= OP_MAX;
}

/* A request whose id is none of a frame's, for who keeps ids himself: it names what it asks for. */
static int is_named_request(const struct parts *parts) {
    const struct weir_value *op = parts->values[KEY_OP];
    return parts->values[KEY_ID] && op && op->kind == WEIR_KIND_TEXT && op->count > 0;
}

static int kind_read(const struct parts *parts, int takes_any_id, struct weir_frame *frame) {
    const struct weir_value *id = parts->values[KEY_ID], *re = parts->values[KEY_RE], *error = parts->values[KEY_ERROR];
    frame->kind = re ? (error ? WEIR_FRAME_ERROR : WEIR_FRAME_REPLY) : id ? WEIR_FRAME_REQUEST : WEIR_FRAME_MESSAGE;
    if ((id && re) || (error && (!re || parts->values[KEY_DATA] || error->kind != WEIR_KIND_MAP)))
        return 0;
    if (!id && !re)
        return 1;
    frame->flags |= WEIR_FRAME_ID;
    return id_read(id ? id : re, &frame->id) || (takes_any_id && is_named_request(parts));
}

/* A request that is taken back: nothing else is said of it. */
static int cancel_read(const struct parts *parts, struct weir_frame *frame) {
    static const enum key others[] = {KEY_OP, KEY_META, KEY_DATA, KEY_ID, KEY_RE, KEY_ERROR};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (parts->values[others[i]])
            return 0;
    frame->kind = WEIR_FRAME_CANCEL;
    frame->flags |= WEIR_FRAME_ID;
    return id_read(parts->values[KEY_CANCEL], &frame->id);
}

/* Is the value a message? If so, its header goes to @frame. */
static int message_read(const struct weir_value *value, int takes_any_id, struct parts *parts,
                        struct weir_frame *frame) {
    if (value->kind != WEIR_KIND_MAP || !parts_take(value, parts))
        return 0;
    const struct weir_value *meta = parts->values[KEY_META];
    if (parts->values[KEY_CANCEL])
        return cancel_read(parts, frame) && seq_read(parts->values[KEY_SEQ], &frame->seq) &&
               writer_read(parts->values[KEY_WRITER], frame) && time_read(parts->values[KEY_TIME], frame);
    if (!parts->values[KEY_OP] && !parts->values[KEY_DATA] && !parts->values[KEY_ERROR])
        return 0;
    return (!meta || is_null(meta) || meta->kind == WEIR_KIND_MAP) && seq_read(parts->values[KEY_SEQ], &frame->seq) &&
           writer_read(parts->values[KEY_WRITER], frame) && time_read(parts->values[KEY_TIME], frame) &&
           op_read(parts->values[KEY_OP], frame) && kind_read(parts, takes_any_id, frame);
}

/* ---- where the data lies in the input ---- */

static int is_blank(unsigned char byte) {
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static int lies_in(const struct weir_value *key, const unsigned char *bytes, size_t size) {
    return key->as.data > bytes && key->as.data < bytes + size && key->count < 24;
}

/* Is the map the one that the input begins with, or was it made of a wrapper, {"$obj":[["data",1]]}? */
static int is_literal(const struct parts *parts, const unsigned char *bytes) {
    while (is_blank(*bytes))
        bytes++;
    if (*bytes++ != '{')
        return 0;
    while (is_blank(*bytes))
        bytes++;
    return bytes + 1 == parts->first_key->as.data;
}

/* From behind the key's quote and colon to before the comma or brace that follows. */
static int json_slice(const struct parts *parts, const unsigned char *bytes, size_t size, weir_view *ret) {
    const unsigned char *begin = parts->data_key->as.data + parts->data_key->count + 1;
    const unsigned char *end = parts->next_key ? parts->next_key->as.data - 1 : bytes + size;
    if (!is_literal(parts, bytes))
        return 0;
    while (is_blank(*begin) || *begin == ':')
        begin++;
    while (is_blank(end[-1]))
        end--;
    end--; /* the comma, or the brace */
    while (is_blank(end[-1]))
        end--;
    *ret = (weir_view){(const char *)begin, (size_t)(end - begin)};
    return 1;
}

/* From behind the key's bytes to before the head of the next key, or to the end or break of the map. */
static int cbor_slice(const struct parts *parts, const unsigned char *bytes, size_t size, weir_view *ret) {
    const unsigned char *begin = parts->data_key->as.data + parts->data_key->count;
    const unsigned char *end = bytes + size;
    if (parts->next_key) {
        end = parts->next_key->as.data - 1;
        if (*end != (0x60 | parts->next_key->count)) /* a head longer than it need be, or a text in chunks */
            return 0;
    } else if (bytes[0] == 0xbf) {
        end--;
    }
    if (parts->data_key->as.data[-1] != (0x60 | parts->data_key->count) || bytes[0] >> 5 != 5)
        return 0;
    *ret = (weir_view){(const char *)begin, (size_t)(end - begin)};
    return 1;
}

static int slice(int framing, const struct parts *parts, const unsigned char *bytes, size_t size, weir_view *ret) {
    if (!lies_in(parts->data_key, bytes, size) || (parts->next_key && !lies_in(parts->next_key, bytes, size)))
        return 0;
    if (framing == WEIR_FRAMING_JSON)
        return json_slice(parts, bytes, size, ret);
    return framing == WEIR_FRAMING_CBOR && cbor_slice(parts, bytes, size, ret);
}

/* ---- the frame ---- */

static int value_encode(const struct weir_value *value, int codec, struct weir_buffer *to, weir_view *ret,
                        weir_error *err) {
    to->size = 0;
    int status = weir_encode(value, codec, NULL, to, err);
    if (status == WEIR_OK)
        *ret = (weir_view){(const char *)to->data, to->size};
    return status;
}

/* An array of a type becomes raw data; one without dimensions would come back as a number. */
static int is_raw(const struct weir_value *value) {
    struct weir_ndarray array;
    if (value->kind != WEIR_KIND_NDARRAY)
        return 0;
    weir_value_ndarray(value, &array);
    return array.rank > 0;
}

/* Raw data comes aligned and is read where it lies. */
static int ndarray_read(struct weir_plain_reader *reader, const struct weir_value *value, struct weir_frame *frame) {
    struct weir_ndarray array;
    weir_value_ndarray(value, &array);
    reader->data.size = 0;
    if (weir_buffer_grow(&reader->data, array.size + WEIR_RAW_TYPE_MAX) != WEIR_OK)
        return WEIR_ENOMEM;
    weir_ndarray_little_endian(&array, reader->data.data);
    char *type = (char *)reader->data.data + array.size;
    frame->codec = WEIR_CODEC_RAW;
    frame->flags |= WEIR_FRAME_ALIGNED;
    frame->data = (weir_view){(const char *)reader->data.data, array.size};
    frame->type = (weir_view){type, weir_raw_type_write(&array, type)};
    return WEIR_OK;
}

static int data_read(struct weir_plain_reader *reader, int framing, const struct parts *parts,
                     const unsigned char *bytes, size_t size, struct weir_frame *frame, weir_error *err) {
    const struct weir_value *value = parts->values[KEY_ERROR] ? parts->values[KEY_ERROR] : parts->values[KEY_DATA];
    if (!value)
        return WEIR_OK;
    if (is_raw(value))
        return ndarray_read(reader, value, frame);
    frame->codec = (uint8_t)framing;
    if (slice(framing, parts, bytes, size, &frame->data))
        return WEIR_OK;
    return value_encode(value, framing, &reader->data, &frame->data, err);
}

/* All of it is data. */
static int whole_read(struct weir_plain_reader *reader, int framing, const struct weir_value *value,
                      const unsigned char *bytes, size_t size, struct weir_frame *frame, weir_error *err) {
    *frame = (struct weir_frame){.kind = WEIR_FRAME_MESSAGE, .codec = (uint8_t)framing};
    if (is_raw(value))
        return ndarray_read(reader, value, frame);
    if (framing == WEIR_FRAMING_SMILE) /* it may need names of the values before */
        return value_encode(value, framing, &reader->data, &frame->data, err);
    frame->data = (weir_view){(const char *)bytes, size};
    return WEIR_OK;
}

int weir_plain_read(struct weir_plain_reader *reader, int framing, const unsigned char *bytes, size_t size,
                    struct weir_frame *ret, weir_error *err) {
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    struct parts parts;
    options.flags = framing == WEIR_FRAMING_SMILE ? WEIR_SEQUENCE : 0;
    if (!reader->doc && weir_doc_new(&reader->doc) != WEIR_OK)
        return weir_fail(err, WEIR_ENOMEM, "out of memory for a message");
    int status = weir_decode(reader->doc, framing, bytes, size, &options, NULL, err);
    if (status != WEIR_OK)
        return status;
    size_t mark = framing == WEIR_FRAMING_JSON ? weir_utf8_mark_size(bytes, size) : 0; /* no part of what is said */
    bytes += mark;
    size -= mark;
    const struct weir_value *value = weir_doc_root(reader->doc);
    *ret = (struct weir_frame){0};
    if (!message_read(value, reader->takes_any_id, &parts, ret))
        return whole_read(reader, framing, value, bytes, size, ret, err);
    status = data_read(reader, framing, &parts, bytes, size, ret, err);
    const struct weir_value *meta = parts.values[KEY_META];
    if (status == WEIR_OK && meta && !is_null(meta) && meta->count > 0)
        status = value_encode(meta, WEIR_CODEC_CBOR, &reader->meta, &ret->meta, err);
    return status;
}

int weir_plain_read_whole(struct weir_plain_reader *reader, int framing, const unsigned char *bytes, size_t size,
                          uint64_t seq, struct weir_buffer *out, struct weir_frame *ret, weir_error *err) {
    int status = weir_plain_read(reader, framing, bytes, size, ret, err);
    if (status != WEIR_OK)
        return status;
    ret->seq = ret->seq ? ret->seq : seq;
    out->size = 0;
    if (weir_frame_layout(ret) != WEIR_OK)
        return weir_fail(err, WEIR_ELIMIT, "the message's metadata is too big for a frame");
    unsigned char *room = weir_buffer_room(out, ret->size);
    if (!room)
        return weir_fail(err, WEIR_ENOMEM, "out of memory for a message of %zu bytes", ret->size);
    weir_frame_write_whole(ret, room);
    out->size = ret->size;
    return WEIR_OK;
}

void weir_plain_reader_fini(struct weir_plain_reader *reader) {
    reader->doc = weir_doc_free(reader->doc);
    weir_buffer_fini(&reader->meta);
    weir_buffer_fini(&reader->data);
}
