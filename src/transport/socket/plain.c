/* Peers without frames: their messages to frames, and back.
 *
 *     bytes -> raw -> [splitter] -> a message -> [reader] -> a frame in peer->in
 *     a frame in peer->out -> [writer] -> a message in peer->said
 *
 * What must stay true: a peer's messages are numbered by us from 1, whatever seq they carry, so that nobody can make
 * others believe that something is missing. Garbage ends the connection: a browser that was made to post JSON lines to
 * a port begins with a line of HTTP, and so does not get to the second. Neither side is converted further ahead than
 * WEIR_PLAIN_AHEAD, but for one message. The number of unanswered calls is bounded; an answer to none of them is
 * dropped. */
#include "transport/socket/plain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/call.h>

#include "base/clock.h"
#include "value/value.h"

int weir_plain_attach(struct weir_peer *peer, int framing) {
    struct weir_plain_peer *plain = calloc(1, sizeof(*plain));
    if (!plain || weir_doc_new(&plain->doc) != WEIR_OK || weir_doc_new(&plain->token_doc) != WEIR_OK) {
        if (plain)
            weir_doc_free(plain->doc);
        free(plain);
        return WEIR_ENOMEM;
    }
    plain->framing = framing;
    plain->is_server = peer->hello.role == WEIR_ROLE_CLIENT;
    plain->is_first = 1;
    plain->raw = peer->in;
    peer->in = (struct weir_stream){.size_max = plain->raw.size_max};
    weir_plain_splitter_init(&plain->splitter, framing, plain->raw.size_max);
    peer->plain = plain;
    return WEIR_OK;
}

void weir_plain_detach(struct weir_peer *peer) {
    struct weir_plain_peer *plain = peer->plain;
    if (!plain)
        return;
    weir_plain_forget(peer);
    weir_stream_fini(&plain->raw);
    weir_plain_reader_fini(&plain->reader);
    weir_plain_writer_fini(&plain->writer);
    weir_buffer_fini(&plain->frame);
    weir_buffer_fini(&plain->scratch);
    weir_doc_free(plain->doc);
    weir_doc_free(plain->token_doc);
    free(plain->calls);
    free(plain);
    peer->plain = NULL;
}

struct weir_stream *weir_plain_input(struct weir_peer *peer) {
    return peer->plain ? &peer->plain->raw : &peer->in;
}

int weir_plain_awaits(const struct weir_peer *peer) {
    return peer->plain && peer->plain->call_count > 0;
}

int weir_plain_is_first(struct weir_peer *peer) {
    int is_first = peer->plain->is_first;
    peer->plain->is_first = 0;
    return is_first;
}

int weir_plain_is_late_hello(const struct weir_peer *peer) {
    size_t size;
    const unsigned char *bytes = weir_stream_bytes(&peer->plain->raw, &size);
    return !peer->plain->speaks && !peer->plain->is_upstream && size >= 4 && memcmp(bytes, "WEIR", 4) == 0;
}

int weir_plain_undo(struct weir_peer *peer) {
    struct weir_plain_peer *plain = peer->plain;
    if (plain->is_first == 0 || plain->writer.doc || peer->said.size > 0)
        return 0;
    weir_stream_fini(&peer->in);
    peer->in = plain->raw;
    plain->raw = (struct weir_stream){0};
    weir_plain_detach(peer);
    return 1;
}

/* ---- calls ---- */

static int calls_grow(struct weir_plain_peer *plain) {
    if (plain->call_count < plain->call_capacity)
        return WEIR_OK;
    size_t capacity = plain->call_capacity ? plain->call_capacity * 2 : 8;
    struct weir_call **calls = realloc(plain->calls, capacity * sizeof(struct weir_call *));
    if (!calls)
        return WEIR_ENOMEM;
    plain->calls = calls;
    plain->call_capacity = capacity;
    return WEIR_OK;
}

int weir_call_add(struct weir_plain_peer *plain, const weir_value *id, struct weir_batch *batch, int is_rpc,
                  uint64_t *ret) {
    if (plain->call_count >= WEIR_CALLS_MAX)
        return WEIR_ELIMIT;
    plain->scratch.size = 0;
    if (calls_grow(plain) != WEIR_OK || weir_encode(id, WEIR_CODEC_JSON, NULL, &plain->scratch, NULL) != WEIR_OK)
        return WEIR_ENOMEM;
    size_t size = plain->scratch.size;
    struct weir_call *call = size <= WEIR_TOKEN_MAX ? malloc(sizeof(*call) + size) : NULL;
    if (!call)
        return size > WEIR_TOKEN_MAX ? WEIR_ELIMIT : WEIR_ENOMEM;
    *call = (struct weir_call){.id = ++plain->call_id, .is_rpc = (uint8_t)is_rpc, .batch = batch, .token_size = size};
    memcpy(call->token, plain->scratch.data, size);
    if (batch)
        batch->left++;
    plain->calls[plain->call_count++] = call;
    *ret = call->id;
    return WEIR_OK;
}

static struct weir_call *call_take(struct weir_plain_peer *plain, uint64_t id) {
    for (size_t i = 0; i < plain->call_count; i++) {
        struct weir_call *call = plain->calls[i];
        if (call->id != id)
            continue;
        memmove(plain->calls + i, plain->calls + i + 1, (--plain->call_count - i) * sizeof(struct weir_call *));
        return call;
    }
    return NULL;
}

void weir_plain_forget(struct weir_peer *peer) {
    struct weir_plain_peer *plain = peer->plain;
    while (plain && plain->call_count > 0) {
        struct weir_call *call = plain->calls[--plain->call_count];
        if (call->batch && --call->batch->left == 0) {
            weir_buffer_fini(&call->batch->text);
            free(call->batch);
        }
        free(call);
    }
}

/* ---- what he says ---- */

int weir_plain_encode(struct weir_plain_peer *plain, const weir_value *value, struct weir_frame *to) {
    plain->scratch.size = 0;
    int status = weir_encode(value, plain->framing, NULL, &plain->scratch, NULL);
    to->codec = (uint8_t)plain->framing;
    to->data = (weir_view){(const char *)plain->scratch.data, plain->scratch.size};
    return status;
}

int weir_plain_deliver(struct weir_peer *peer, struct weir_frame *frame) {
    struct weir_plain_peer *plain = peer->plain;
    frame->seq = ++plain->seq;
    if (frame->kind == WEIR_FRAME_MESSAGE && !(frame->flags & WEIR_FRAME_TIME)) {
        frame->flags |= WEIR_FRAME_TIME;
        frame->time = weir_clock_realtime();
    }
    if (weir_frame_layout(frame) != WEIR_OK)
        return WEIR_ETOOBIG;
    plain->frame.size = 0;
    unsigned char *room = weir_buffer_room(&plain->frame, frame->size);
    if (!room)
        return WEIR_ENOMEM;
    weir_frame_write_whole(frame, room);
    return weir_stream_append(&peer->in, room, frame->size);
}

/* The map's value of a key, or NULL. */
static const weir_value *member(const weir_value *map, const char *key) {
    const weir_value *value = NULL;
    return weir_value_kind(map) == WEIR_KIND_MAP && weir_get(map, key, &value) == WEIR_OK ? value : NULL;
}

/* An answer that is an error, made here. */
static int refuse(struct weir_peer *peer, const weir_value *id, int status, const char *text) {
    struct weir_plain_peer *plain = peer->plain;
    const weir_value *root;
    weir_doc_clear(plain->doc);
    weir_begin_map(plain->doc);
    if (id) {
        weir_put_key(plain->doc, "re");
        weir_put_value(plain->doc, id);
    }
    weir_put_key(plain->doc, "error");
    weir_begin_map(plain->doc);
    weir_put_key(plain->doc, "code");
    weir_put_i64(plain->doc, status);
    weir_put_key(plain->doc, "text");
    weir_put_text(plain->doc, text, strlen(text));
    weir_end(plain->doc);
    weir_end(plain->doc);
    if (weir_doc_finish(plain->doc, &root, NULL) != WEIR_OK)
        return WEIR_ENOMEM;
    return weir_plain_write_value(root, plain->framing, 0, &peer->said, NULL);
}

/* A request: with the caller's id kept, and a number of ours instead. */
static int request_take(struct weir_peer *peer, const weir_value *id, struct weir_frame *frame) {
    struct weir_plain_peer *plain = peer->plain;
    if (!plain->is_server)
        return refuse(peer, id, WEIR_ENOENT, "nobody serves here; readers and writers meet at it");
    frame->kind = WEIR_FRAME_REQUEST;
    frame->flags |= WEIR_FRAME_ID;
    frame->id = ++plain->call_id; /* a notification: nobody waits for the answer */
    int status = id ? weir_call_add(plain, id, NULL, 0, &frame->id) : WEIR_OK;
    if (status == WEIR_ELIMIT)
        return refuse(peer, id, WEIR_ELIMIT, "too many calls wait for their answers, or the id is too long");
    return status ? status : weir_plain_deliver(peer, frame);
}

/* A map with id and op that is no request, as it has another key, or a value that a key cannot have. Whoever sent it
 * waits for an answer. */
static int is_bad_request(const struct weir_plain_peer *plain, const struct weir_frame *frame, const weir_value *root) {
    return plain->is_server && !plain->is_upstream && frame->kind == WEIR_FRAME_MESSAGE && frame->op.size == 0 &&
           member(root, "id") && member(root, "op");
}

/* He takes a request back, by the id he gave it: no answer is owed any more. One in a batch keeps its place there, as
 * the batch is answered as a whole. */
static int cancel_take(struct weir_peer *peer, const weir_value *id) {
    struct weir_plain_peer *plain = peer->plain;
    struct weir_frame frame = {.kind = WEIR_FRAME_CANCEL, .flags = WEIR_FRAME_ID};
    plain->scratch.size = 0;
    if (weir_encode(id, WEIR_CODEC_JSON, NULL, &plain->scratch, NULL) != WEIR_OK)
        return WEIR_ENOMEM;
    for (size_t i = 0; i < plain->call_count; i++) {
        const struct weir_call *call = plain->calls[i];
        if (call->batch || call->token_size != plain->scratch.size ||
            memcmp(call->token, plain->scratch.data, call->token_size) != 0)
            continue;
        frame.id = call->id;
        free(call_take(plain, call->id));
        return weir_plain_deliver(peer, &frame);
    }
    return WEIR_OK; /* answered already, or never asked */
}

/* {"cancel":"any"}: the id is none of a frame's, so it was read as data. */
static int is_odd_cancel(const struct weir_frame *frame, const weir_value *root) {
    return frame->kind == WEIR_FRAME_MESSAGE && frame->op.size == 0 && member(root, "cancel") && root->count == 1;
}

/* Of a listener that speaks plainly all but requests comes to us; of others no answers, as nobody asks them
 * anything. */
static int frame_take(struct weir_peer *peer, const weir_value *root, struct weir_frame *frame) {
    struct weir_plain_peer *plain = peer->plain;
    if (plain->is_upstream)
        return frame->kind == WEIR_FRAME_REQUEST ? WEIR_OK : weir_plain_deliver(peer, frame);
    if (frame->kind == WEIR_FRAME_REQUEST)
        return request_take(peer, member(root, "id"), frame);
    if (plain->is_server && (frame->kind == WEIR_FRAME_CANCEL || is_odd_cancel(frame, root)))
        return cancel_take(peer, member(root, "cancel"));
    if (frame->kind != WEIR_FRAME_MESSAGE)
        return WEIR_OK;
    if (plain->is_server)
        return request_take(peer, NULL, frame);
    return weir_plain_deliver(peer, frame);
}

#define NO_REQUEST                                                                                                     \
    "no request: op is a text of at most 255 bytes, meta a map, and only data, seq and time may be there too"

static int message_take(struct weir_peer *peer, const unsigned char *bytes, size_t size, weir_error *err) {
    struct weir_plain_peer *plain = peer->plain;
    struct weir_frame frame;
    plain->reader.takes_any_id = !plain->is_upstream; /* ids of others are kept here, see request_take */
    int status = weir_plain_read(&plain->reader, plain->framing, bytes, size, &frame, err);
    if (status != WEIR_OK)
        return status;
    const weir_value *root = weir_doc_root(plain->reader.doc);
    plain->speaks = 1;
    if (!plain->is_upstream && weir_rpc_is(plain, root)) {
        plain->is_rpc = 1;
        status = weir_rpc_take(peer, root);
    } else if (is_bad_request(plain, &frame, root)) {
        status = refuse(peer, member(root, "id"), WEIR_EINVAL, NO_REQUEST);
    } else {
        status = frame_take(peer, root, &frame);
    }
    return status == WEIR_OK ? WEIR_OK
                             : weir_fail(err, status, "the message cannot be taken: %s", weir_err_name(status));
}

/* A client that was silent shows with his first bytes what he speaks. */
static int framing_find(struct weir_plain_peer *plain, const unsigned char *bytes, size_t size, weir_error *err) {
    int framing;
    switch (weir_opening_judge(bytes, size, 1, &framing)) {
    case WEIR_OPENING_PLAIN: break;
    case WEIR_OPENING_FOREIGN:
        return weir_fail(err, WEIR_EPARSE, "neither JSON lines, a CBOR map, Smile or BSON; JSON begins with { or [");
    default: return WEIR_EAGAIN;
    }
    plain->framing = framing;
    weir_plain_splitter_init(&plain->splitter, framing, plain->raw.size_max);
    return WEIR_OK;
}

static size_t ahead(const struct weir_peer *peer) {
    size_t size;
    weir_stream_bytes(&peer->in, &size);
    return size;
}

static int take(struct weir_peer *peer, weir_error *err) {
    struct weir_plain_peer *plain = peer->plain;
    /* Inside TLS anybody on the way can cut the connection, but only the peer can say that this was all. */
    int taken = 0, is_end = peer->has_ended && (!peer->tls || weir_tls_has_ended(peer->tls));
    while (ahead(peer) < WEIR_PLAIN_AHEAD) {
        struct weir_plain_piece piece;
        size_t size;
        const unsigned char *bytes = weir_stream_bytes(&plain->raw, &size);
        if (peer->said.size - peer->said_sent >= WEIR_PLAIN_AHEAD)
            return taken && ahead(peer) > 0 ? WEIR_OK : WEIR_EBUSY;
        if (size == 0)
            return taken ? WEIR_OK : WEIR_EAGAIN;
        int status = plain->framing ? WEIR_OK : framing_find(plain, bytes, size, err);
        if (status == WEIR_OK) {
            status = weir_plain_split(&plain->splitter, bytes, size, is_end, &piece, err);
            if (status == WEIR_OK)
                status = message_take(peer, bytes + piece.skip, piece.size, err);
            weir_stream_take(&plain->raw, piece.used);
        }
        if (status != WEIR_OK && status != WEIR_EAGAIN) {
            plain->failed = status;
            snprintf(plain->why, sizeof(plain->why), "%.159s", err->text);
        }
        if (status != WEIR_OK)
            return ahead(peer) > 0 ? WEIR_OK : status;
        taken = 1;
    }
    return WEIR_OK;
}

int weir_plain_take(struct weir_socket *socket, struct weir_peer *peer) {
    weir_error err = {0};
    size_t said = peer->said.size;
    if (peer->plain->is_told)
        return WEIR_EAGAIN;
    int status = peer->plain->failed ? peer->plain->failed : take(peer, &err);
    if (peer->said.size > said)
        socket->is_dirty = 1;
    peer->plain->is_told = status != WEIR_OK && status != WEIR_EAGAIN && status != WEIR_EBUSY;
    if (peer->plain->is_told)
        weir_plain_complain(socket, peer, status, peer->plain->why);
    return status;
}

void weir_plain_complain(struct weir_socket *socket, struct weir_peer *peer, int status, const char *text) {
    struct weir_plain_peer *plain = peer->plain;
    int was_attached = plain != NULL;
    if (!was_attached && weir_plain_attach(peer, WEIR_FRAMING_JSON) != WEIR_OK)
        return;
    plain = peer->plain;
    socket->is_dirty = 1;
    if (plain->framing == WEIR_FRAMING_FRAMES)
        plain->framing = WEIR_FRAMING_JSON;
    if (plain->is_upstream && was_attached)
        return; /* a listener is not told what to say */
    if (plain->is_rpc)
        weir_rpc_complain(peer, text);
    else
        (void)refuse(peer, NULL, status, text);
}

/* ---- what he gets ---- */

/* The answer to a call under the caller's own id. */
static int answer_write(struct weir_peer *peer, struct weir_call *call, const struct weir_frame *frame,
                        const weir_value *data, weir_error *err) {
    struct weir_plain_peer *plain = peer->plain;
    const weir_value *root;
    int status = weir_decode(plain->token_doc, WEIR_CODEC_JSON, call->token, call->token_size, NULL, NULL, err);
    if (status != WEIR_OK)
        return status;
    weir_doc_clear(plain->doc);
    weir_begin_map(plain->doc);
    weir_put_key(plain->doc, "re");
    weir_put_value(plain->doc, weir_doc_root(plain->token_doc));
    if (frame->op.size > 0) {
        weir_put_key(plain->doc, "op");
        weir_put_text(plain->doc, frame->op.data, frame->op.size);
    }
    weir_put_key(plain->doc, frame->kind == WEIR_FRAME_ERROR ? "error" : "data");
    if (data)
        weir_put_value(plain->doc, data);
    else
        weir_put_null(plain->doc);
    weir_end(plain->doc);
    status = weir_doc_finish(plain->doc, &root, err);
    return status ? status : weir_plain_write_value(root, plain->framing, 0, &peer->said, err);
}

static void not_said(struct weir_peer *peer, struct weir_call *call, int status, const char *text) {
    struct weir_plain_peer *plain = peer->plain;
    if (call->is_rpc)
        (void)weir_rpc_fail(peer, call, status, text);
    else if (weir_decode(plain->token_doc, WEIR_CODEC_JSON, call->token, call->token_size, NULL, NULL, NULL) == WEIR_OK)
        (void)refuse(peer, weir_doc_root(plain->token_doc), status, text);
}

static void answer(struct weir_peer *peer, struct weir_call *call, const struct weir_frame *frame) {
    const weir_value *data = NULL;
    weir_error err = {0};
    int status = weir_plain_data(&peer->plain->writer, frame, &data, &err);
    if (status == WEIR_OK)
        status = call->is_rpc ? weir_rpc_answer(peer, call, frame->kind == WEIR_FRAME_ERROR, data, &err)
                              : answer_write(peer, call, frame, data, &err);
    if (status != WEIR_OK) /* it cannot be said in this codec; that it was answered, he shall know */
        not_said(peer, call, status, err.text);
    if (call->batch)
        weir_batch_count(peer, call->batch);
    free(call);
}

static void frame_write(struct weir_peer *peer, const struct weir_frame *frame) {
    struct weir_plain_peer *plain = peer->plain;
    int is_answer = frame->kind == WEIR_FRAME_REPLY || frame->kind == WEIR_FRAME_ERROR;
    if (is_answer && !plain->is_upstream) {
        struct weir_call *call = call_take(plain, frame->id);
        if (call)
            answer(peer, call, frame);
    } else if (frame->kind != WEIR_FRAME_CONTROL) {
        (void)weir_plain_write(&plain->writer, plain->framing, frame, &peer->said, NULL);
    }
}

int weir_plain_fill(struct weir_peer *peer) {
    size_t size;
    const unsigned char *bytes;
    while (peer->said.size < WEIR_PLAIN_AHEAD && (bytes = weir_queue_first(&peer->out, &size)) != NULL) {
        uint64_t word;
        struct weir_frame frame;
        memcpy(&word, bytes, sizeof(word));
        if (weir_frame_parse(word, bytes, size, &frame) == WEIR_OK)
            frame_write(peer, &frame);
        weir_queue_sent(&peer->out, size);
    }
    return WEIR_OK;
}
