/* Peers that speak no frames but plain messages (frame/plain): JSON lines, a CBOR sequence, Smile, BSON; and JSON-RPC
 * 2.0 on the same connection. docs/spec/socket.md is the standard.
 *
 * What they say becomes frames in peer->in, and frames queued for them become text in peer->said, so that nothing else
 * needs to know. */
#ifndef WEIR_SOCKET_PLAIN_H
#define WEIR_SOCKET_PLAIN_H

#include "frame/plain/plain.h"
#include "transport/socket/socket.h"

enum {
    WEIR_PLAIN_AHEAD = 64 << 10, /* bytes that are converted ahead of who takes them, but for one message */
    WEIR_TOKEN_MAX = 256         /* bytes of a request's id, as JSON */
};

/* Requests that came in one array, whose answers go in one, too. */
struct weir_batch {
    uint32_t left; /* answers to come, and one while it is still read */
    struct weir_buffer text;
};

/* A request that waits for its answer. Inside it has a number of ours; the caller's own id is given back to him as it
 * came. */
struct weir_call {
    uint64_t id;
    uint8_t is_rpc;
    struct weir_batch *batch; /* NULL: none */
    size_t token_size;
    unsigned char token[]; /* his id, as JSON */
};

struct weir_plain_peer {
    int framing;       /* FRAMES: not known yet */
    uint8_t speaks;    /* something whole has come */
    uint8_t is_rpc;    /* it was JSON-RPC */
    uint8_t is_server; /* he is a client of ours */
    uint8_t is_upstream;
    int failed; /* what has come last is garbage, which is told when all before it is taken */
    uint8_t is_told;
    char why[160];
    uint8_t is_first; /* the message that is taken next is his first one */
    uint64_t seq;
    uint64_t call_id;
    struct weir_stream raw;
    struct weir_plain_splitter splitter;
    struct weir_plain_reader reader;
    struct weir_plain_writer writer;
    struct weir_buffer frame;
    struct weir_buffer scratch;
    weir_doc *doc;       /* answers */
    weir_doc *token_doc; /* their ids */
    struct weir_call **calls;
    size_t call_count;
    size_t call_capacity;
};

/* From now on the peer speaks @framing (a connected end sets is_upstream behind it); what has come so far is taken
 * over. Return: WEIR_OK, WEIR_ENOMEM. */
int weir_plain_attach(struct weir_peer *peer, int framing);
void weir_plain_detach(struct weir_peer *peer);
/* Where bytes of the connection go. */
struct weir_stream *weir_plain_input(struct weir_peer *peer);
/* Make frames of what has come. Return: WEIR_OK (some, or an answer of ours), WEIR_EAGAIN (more bytes are needed),
 * WEIR_EBUSY (too much waits to be sent to him), others: it is garbage, and he was told. */
int weir_plain_take(struct weir_socket *socket, struct weir_peer *peer);
/* Make text of some frames that are queued. Return: WEIR_OK, WEIR_ECLOSED (no memory). */
int weir_plain_fill(struct weir_peer *peer);
/* Put a line into what is said that tells what was wrong; the peer need not be attached. */
void weir_plain_complain(struct weir_socket *socket, struct weir_peer *peer, int status, const char *text);
/* Do requests of his wait for an answer? */
int weir_plain_awaits(const struct weir_peer *peer);
/* He gets no more answers. */
void weir_plain_forget(struct weir_peer *peer);
/* Is his next message the first? Says so once. */
int weir_plain_is_first(struct weir_peer *peer);
/* Has somebody who was silent so far begun with a hello of weir? */
int weir_plain_is_late_hello(const struct weir_peer *peer);
/* Take attach back. Return: 0 when something was said to him already. */
int weir_plain_undo(struct weir_peer *peer);

/* ---- between plain.c and rpc.c ---- */

/* Is this value JSON-RPC: an object that says so, an array of such, or at a server any array? */
int weir_rpc_is(const struct weir_plain_peer *plain, const weir_value *value);
/* Take it: frames go to peer->in, errors to what is said. Return: WEIR_OK, WEIR_ENOMEM. */
int weir_rpc_take(struct weir_peer *peer, const weir_value *value);
/* Answer @call with a result (an error: the map {"code", "text"}), which may be NULL. Return: WEIR_OK, others. */
int weir_rpc_answer(struct weir_peer *peer, struct weir_call *call, int is_error, const weir_value *data,
                    weir_error *err);
/* Answer it with an error of our own. */
int weir_rpc_fail(struct weir_peer *peer, struct weir_call *call, int status, const char *text);
/* Say that what came is no request at all. */
void weir_rpc_complain(struct weir_peer *peer, const char *text);
/* One answer of a batch has come, or it has been read; the last gives it away. */
void weir_batch_count(struct weir_peer *peer, struct weir_batch *batch);

/* Note a request with the caller's @id. Return: WEIR_OK, WEIR_ELIMIT (too many, or too long an id), WEIR_ENOMEM. */
int weir_call_add(struct weir_plain_peer *plain, const weir_value *id, struct weir_batch *batch, int is_rpc,
                  uint64_t *ret);
/* Give a frame to who takes frames of this peer. @frame: its parts; seq, time and the rest are filled in. */
int weir_plain_deliver(struct weir_peer *peer, struct weir_frame *frame);
/* A value in the peer's codec, in plain->scratch. Return: WEIR_OK, others. */
int weir_plain_encode(struct weir_plain_peer *plain, const weir_value *value, struct weir_frame *to);

#endif
