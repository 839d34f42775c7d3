/* Writers. */
#include <stdlib.h>
#include <string.h>

#include <weir/channel.h>
#include <weir/codec.h>

#include "base/clock.h"
#include "channel/end.h"
#include "codec/codec.h"

enum { HOLD_SIZE = 32 << 10 };

int weir_writer_open(const char *address, weir_writer **ret, weir_error *err) {
    weir_writer *writer = calloc(1, sizeof(*writer));
    if (!writer)
        return weir_fail(err, WEIR_ENOMEM, "out of memory for a writer");
    int status = weir_end_open(&writer->end, address, WEIR_ROLE_WRITER, err);
    if (status)
        free(writer);
    else
        *ret = writer;
    return status;
}

weir_writer *weir_writer_close(weir_writer *writer) {
    if (writer) {
        weir_writer_discard(writer);
        weir_end_close(&writer->end);
        weir_type_free(writer->known);
    }
    free(writer);
    return NULL;
}

/* A message without its data yet. */
static int message_begin(weir_writer *writer, const char *op, const weir_value *meta, struct weir_outgoing *ret,
                         weir_error *err) {
    *ret = (struct weir_outgoing){
        .kind = WEIR_FRAME_MESSAGE, .op = op, .op_size = op ? strlen(op) : 0, .deadline = INT64_MIN};
    return meta ? weir_end_encode_meta(&writer->end, meta, ret, err) : WEIR_OK;
}

int weir_writer_send(weir_writer *writer, const char *op, const weir_value *meta, const weir_value *data,
                     weir_error *err) {
    weir_ndarray array;
    if (weir_value_kind(data) == WEIR_KIND_NDARRAY && weir_get_ndarray(data, NULL, &array) == WEIR_OK &&
        !array.big_endian)
        return weir_writer_send_ndarray(writer, op, meta, &array, err);
    struct weir_outgoing out;
    int status = message_begin(writer, op, meta, &out, err);
    if (status == WEIR_OK)
        status = weir_end_encode_data(&writer->end, data, &out, err);
    return status ? status : weir_end_send(&writer->end, &out, err);
}

int weir_writer_send_ndarray(weir_writer *writer, const char *op, const weir_value *meta, const weir_ndarray *array,
                             weir_error *err) {
    char type[WEIR_RAW_TYPE_MAX];
    struct weir_outgoing out;
    size_t element = weir_element_size(array->element);
    if (!element || array->rank > WEIR_RANK_MAX || array->big_endian ||
        weir_ndarray_count(array) != array->size / element || array->size % element || (array->size && !array->data))
        return weir_fail(err, WEIR_EINVAL, "%s: the array has %zu byte%s, which do not fit its shape and element type",
                         writer->end.place.text, array->size, WEIR_S(array->size));
    int status = message_begin(writer, op, meta, &out, err);
    if (status)
        return status;
    out.codec = WEIR_CODEC_RAW;
    out.type = (weir_view){type, weir_raw_type_write(array, type)};
    out.data = array->data ? array->data : type; /* an empty array: nothing is read, but the frame is complete */
    out.size = array->size;
    return weir_end_send(&writer->end, &out, err);
}

/* A struct, or structs, of @type. */
static int send_struct(weir_writer *writer, const char *op, const weir_value *meta, const char *type, const void *data,
                       size_t size, weir_error *err) {
    struct weir_outgoing out;
    int status = weir_raw_type_keep(&writer->known, type, strlen(type), err);
    if (status)
        return status;
    if (weir_type_size(writer->known) != size)
        return weir_fail(err, WEIR_EINVAL, "%s: %.160s is %zu byte%s, you gave %zu", writer->end.place.text, type,
                         weir_type_size(writer->known), WEIR_S(weir_type_size(writer->known)), size);
    status = message_begin(writer, op, meta, &out, err);
    if (status)
        return status;
    out.codec = WEIR_CODEC_RAW;
    out.type = weir_type_text(writer->known);
    out.data = size > 0 ? data : "";
    out.size = size;
    return weir_end_send(&writer->end, &out, err);
}

/* Raw bytes of a named type; of none, they are u8[size]. */
static int send_raw(weir_writer *writer, const char *op, const weir_value *meta, const char *type, const void *data,
                    size_t size, weir_error *err) {
    weir_ndarray array = {.element = WEIR_U8, .rank = 1, .shape = {size}, .size = size};
    if (type && weir_raw_is_struct(type, strlen(type)))
        return send_struct(writer, op, meta, type, data, size, err);
    int status = type ? weir_raw_type_parse(type, strlen(type), &array, err) : WEIR_OK;
    if (status)
        return status;
    if (array.size != size)
        return weir_fail(err, WEIR_EINVAL, "%s: %s is %zu byte%s, you gave %zu", writer->end.place.text, type,
                         array.size, WEIR_S(array.size), size);
    array.data = data;
    return weir_writer_send_ndarray(writer, op, meta, &array, err);
}

int weir_writer_send_bytes(weir_writer *writer, const char *op, const weir_value *meta, int codec, const char *type,
                           const void *data, size_t size, weir_error *err) {
    struct weir_outgoing out;
    if (codec == WEIR_CODEC_RAW)
        return send_raw(writer, op, meta, type, data, size, err);
    if (__builtin_expect(codec != writer->codec, 0)) {
        if (!weir_codec_ops(codec))
            return weir_fail(err, WEIR_ENOTSUP, "%s: codec %d is not built in", writer->end.place.text, codec);
        writer->codec = codec;
    }
    if (type)
        return weir_fail(err, WEIR_EINVAL, "%s: only raw data has a type", writer->end.place.text);
    if (!op && !meta && data && weir_end_post(&writer->end, WEIR_FRAME_MESSAGE, codec, data, size))
        return WEIR_OK;
    int status = message_begin(writer, op, meta, &out, err);
    if (status)
        return status;
    out.codec = codec;
    out.data = data;
    out.size = size;
    return weir_end_send(&writer->end, &out, err);
}

/* The size of raw data of @type, and the type as the frame names it. Who reserves in a loop names the same type again
 * and again. */
static int reserve_type(weir_writer *writer, const char *type, struct weir_outgoing *out, weir_error *err) {
    weir_ndarray array;
    size_t length = strlen(type);
    out->codec = WEIR_CODEC_RAW;
    if (length > 0 && length == writer->type_size && memcmp(type, writer->type, length) == 0) {
        out->type = (weir_view){writer->type, length};
        out->size = writer->data_size;
        return WEIR_OK;
    }
    int is_struct = weir_raw_is_struct(type, length);
    int status = is_struct ? weir_raw_type_keep(&writer->known, type, length, err)
                           : weir_raw_type_parse(type, length, &array, err);
    if (status)
        return status;
    out->type = is_struct ? weir_type_text(writer->known) : (weir_view){type, length};
    out->size = is_struct ? weir_type_size(writer->known) : array.size;
    return WEIR_OK;
}

int weir_writer_reserve(weir_writer *writer, const char *op, const weir_value *meta, const char *type, void **ret_data,
                        size_t *ret_size, weir_error *err) {
    struct weir_outgoing out;
    uint64_t dropped = writer->end.dropped;
    int status = message_begin(writer, op, meta, &out, err);
    if (status == WEIR_OK)
        status = reserve_type(writer, type, &out, err);
    if (status)
        return status;
    status = weir_end_reserve(&writer->end, &out, err);
    if (status == WEIR_EAGAIN && writer->end.dropped > dropped)
        return weir_fail(err, WEIR_EAGAIN, "%s: no room, the message is dropped (full=drop-newest)",
                         writer->end.place.text);
    if (status)
        return status;
    /* The header goes in front of the data at commit, when the seq and time are known; its parts must not move until
     * then. */
    if (out.type.data != writer->type) {
        memcpy(writer->type, out.type.data, out.type.size);
        writer->type_size = out.type.size;
        writer->data_size = out.size;
    }
    memcpy(writer->op, op ? op : "", out.op_size);
    writer->end.frame.type.data = writer->type;
    writer->end.frame.op.data = writer->op;
    *ret_data = writer->end.slot.bytes + writer->end.frame.data_offset;
    *ret_size = out.size;
    return WEIR_OK;
}

int weir_writer_commit(weir_writer *writer, weir_error *err) {
    int status = weir_end_check(&writer->end, err);
    if (status == WEIR_OK && !writer->end.is_reserved)
        status = weir_fail(err, WEIR_EINVAL, "%s: nothing is reserved", writer->end.place.text);
    return status ? status : weir_end_commit(&writer->end, err);
}

void weir_writer_discard(weir_writer *writer) {
    if (weir_end_check(&writer->end, NULL) == WEIR_OK)
        weir_end_discard(&writer->end);
}

void weir_writer_cork(weir_writer *writer) {
    writer->end.is_corked = 1;
}

/* Publish what is held back. */
static int flush(weir_writer *writer, weir_error *err) {
    int status = weir_end_check(&writer->end, err);
    if (status == WEIR_OK && writer->end.is_late)
        weir_end_discard(&writer->end);
    if (status == WEIR_OK)
        status = writer->end.ops->flush(writer->end.state, err);
    if (!writer->end.is_reserved && writer->end.seq) /* a log numbers messages when it writes them */
        writer->end.seq = writer->end.slot.seq;
    return status;
}

int weir_writer_uncork(weir_writer *writer, weir_error *err) {
    writer->end.is_corked = 0;
    return flush(writer, err);
}

/* ---- many ---- */

/* What many messages have in common. */
struct sending {
    struct weir_outgoing out;
    size_t size;                  /* of each one's data, if they have a type */
    char type[WEIR_RAW_TYPE_MAX]; /* of raw data that has none */
    uint8_t is_typed;
};

static int sending_begin(weir_writer *writer, const char *op, const weir_value *meta, int codec, const char *type,
                         struct sending *ret, weir_error *err) {
    ret->is_typed = type != NULL;
    if (codec != WEIR_CODEC_RAW && !weir_codec_ops(codec))
        return weir_fail(err, WEIR_ENOTSUP, "%s: codec %d is not built in", writer->end.place.text, codec);
    if (type && codec != WEIR_CODEC_RAW)
        return weir_fail(err, WEIR_EINVAL, "%s: only raw data has a type", writer->end.place.text);
    int status = message_begin(writer, op, meta, &ret->out, err);
    if (status == WEIR_OK && type)
        status = reserve_type(writer, type, &ret->out, err);
    ret->out.codec = codec;
    ret->size = ret->out.size;
    return status;
}

static int sending_one(weir_writer *writer, struct sending *sending, weir_view data, weir_error *err) {
    weir_ndarray array = {.element = WEIR_U8, .rank = 1, .shape = {data.size}, .size = data.size};
    struct weir_outgoing *out = &sending->out;
    if (sending->is_typed && data.size != sending->size)
        return weir_fail(err, WEIR_EINVAL, "%s: %.*s is %zu byte%s, you gave %zu", writer->end.place.text,
                         (int)(out->type.size < 160 ? out->type.size : 160), out->type.data, sending->size,
                         WEIR_S(sending->size), data.size);
    if (out->codec == WEIR_CODEC_RAW && !sending->is_typed)
        out->type = (weir_view){sending->type, weir_raw_type_write(&array, sending->type)};
    out->data = data.data ? data.data : "";
    out->size = data.size;
    return weir_end_send(&writer->end, out, err);
}

/* Data without operation, metadata and type: what the transport may take in one pass. */
static int is_simple(const struct sending *sending) {
    return sending->out.codec != WEIR_CODEC_RAW && !sending->out.op && sending->out.meta.size == 0;
}

static size_t post_some(weir_writer *writer, const struct sending *sending, const weir_view *data, size_t count) {
    return weir_end_post_many(&writer->end, WEIR_FRAME_MESSAGE, sending->out.codec, data, count);
}

/* Where some are held back already the next ones may go in one pass, as far as they take no more than *hold bytes,
 * which is what is left of it then. Return: how many went. */
static size_t held_post(weir_writer *writer, const struct sending *sending, const weir_view *data, size_t count,
                        size_t *hold) {
    size_t fit = 0, size = 0, head = WEIR_FRAME_HEADER_SIZE + sizeof(int64_t);
    while (fit < count && size + head < *hold && data[fit].size < *hold - size - head)
        size += head + data[fit++].size;
    size_t some = fit > 0 ? post_some(writer, sending, data, fit) : 0;
    for (size_t i = 0; i < some; i++)
        *hold -= head + data[i].size;
    return some;
}

/* Send data[*next] and those behind it, as far as they take no more than @hold bytes, held back and then published
 * together. Less is held than any transport holds by itself, and a larger one goes alone, so it is known what went.
 * Return: WEIR_OK; failures, with what went before in *next, or goes with the next send as after uncork. */
static int send_some(weir_writer *writer, struct sending *sending, const weir_view *data, size_t count, size_t hold,
                     size_t *next, weir_error *err) {
    struct weir_end *end = &writer->end;
    uint8_t must_hold = end->is_corked;
    size_t at = *next;
    int status;
    end->is_corked = 1;
    do {
        status = sending_one(writer, sending, data[at], err);
        at += status == WEIR_OK;
        hold -= end->frame.size < hold ? end->frame.size : hold;
        if (status == WEIR_OK && is_simple(sending))
            at += held_post(writer, sending, data + at, count - at, &hold);
    } while (status == WEIR_OK && at < count && data[at].size < hold);
    end->is_corked = must_hold;
    if (at > *next && !must_hold) {
        int flushed = flush(writer, status ? NULL : err);
        status = status ? status : flushed;
        if (flushed && flushed != WEIR_ETIMEOUT)
            return status;
    }
    *next = at;
    return status;
}

/* In one pass as far as that goes. What does not is sent one by one: the one that there was no room for, or all. */
static int send_all(weir_writer *writer, struct sending *sending, const weir_view *data, size_t count, size_t *sent,
                    weir_error *err) {
    int status = WEIR_OK;
    while (status == WEIR_OK && *sent < count) {
        size_t some = is_simple(sending) ? post_some(writer, sending, data + *sent, count - *sent) : 0;
        *sent += some;
        if (*sent < count)
            status = send_some(writer, sending, data, count, some ? 0 : HOLD_SIZE, sent, err);
    }
    return status;
}

int weir_writer_send_many(weir_writer *writer, const char *op, const weir_value *meta, int codec, const char *type,
                          const weir_view *data, size_t count, size_t *ret_sent, weir_error *err) {
    struct weir_end *end = &writer->end;
    struct sending sending;
    size_t sent = 0;
    uint8_t was_given = end->is_time_given;
    int status = sending_begin(writer, op, meta, codec, type, &sending, err);
    if (status == WEIR_OK) {
        if (!was_given && end->place.is_stamped) {
            end->is_time_given = 1; /* one time for all */
            end->time = weir_clock_realtime();
        }
        status = send_all(writer, &sending, data, count, &sent, err);
        if (status == WEIR_OK && count == 0 && !end->is_corked)
            status = flush(writer, err);
        end->is_time_given = was_given;
    }
    if (ret_sent)
        *ret_sent = sent;
    return status;
}

void weir_writer_set_timeout(weir_writer *writer, int64_t timeout_ns) {
    writer->end.place.timeout_ns = timeout_ns;
    if (weir_end_check(&writer->end, NULL) == WEIR_OK)
        writer->end.ops->set_timeout(writer->end.state, timeout_ns);
}

int64_t weir_writer_timeout(const weir_writer *writer) {
    return writer->end.place.timeout_ns;
}

int weir_writer_wait_readers(weir_writer *writer, uint32_t count, int64_t timeout_ns, weir_error *err) {
    int status = weir_end_check(&writer->end, err);
    return status ? status : weir_end_await_readers(&writer->end, count, weir_deadline(timeout_ns), err);
}

void weir_writer_set_time(weir_writer *writer, int64_t time_ns) {
    writer->end.is_time_given = time_ns != WEIR_TIME_NOW;
    writer->end.time = time_ns;
}

uint64_t weir_writer_seq(const weir_writer *writer) {
    return writer->end.seq;
}

uint64_t weir_writer_dropped(const weir_writer *writer) {
    return writer->end.dropped;
}
