/* JSON-RPC 2.0 on a plain connection: a call is a request, a notification is a message (at a server: a request whose
 * answer nobody waits for), an array of them is a batch, whose answers come in one array.
 *
 *     {"jsonrpc":"2.0","method":"double","params":21,"id":1}   ->  op "double", data 21
 *     {"jsonrpc":"2.0","result":42,"id":1}                     <-  data 42
 *     {"jsonrpc":"2.0","error":{"code":-32601,"message":"..."},"id":1}
 *
 * What must stay true: each call gets one answer, with its id as it came; a batch gives its answers away when the last
 * one is there, and nothing if it held no calls. Params may be any value here, not only arrays and objects: being
 * stricter would help nobody. */
#include <stdlib.h>
#include <string.h>

#include "transport/socket/plain.h"
#include "value/value.h"

enum { BATCH_SAID_MAX = 1 << 20 /* what is wrong with a batch is much longer than the batch */ };

/* The numbers of the standard, and the one that servers use by convention for an operation they do not have. */
enum {
    NO_OPERATION = 404,
    RPC_PARSE_ERROR = -32700,
    RPC_INVALID_REQUEST = -32600,
    RPC_NO_METHOD = -32601,
    RPC_INVALID_PARAMS = -32602,
    RPC_SERVER_ERROR = -32000 /* less the library's code */
};

static const weir_value *member(const weir_value *map, const char *key) {
    const weir_value *value = NULL;
    return weir_value_kind(map) == WEIR_KIND_MAP && weir_get(map, key, &value) == WEIR_OK ? value : NULL;
}

static int text_is(const weir_value *value, const char *text) {
    return value && weir_value_kind(value) == WEIR_KIND_TEXT && value->count == strlen(text) &&
           memcmp(value->as.data, text, value->count) == 0;
}

static int says_so(const weir_value *value) {
    return text_is(member(value, "jsonrpc"), "2.0");
}

/* The first item of an array; NULL when there is none. */
static const weir_value *first_item(const weir_value *array) {
    weir_iter it;
    weir_iter_init(&it, array);
    return weir_iter_next(&it) ? it.value : NULL;
}

int weir_rpc_is(const struct weir_plain_peer *plain, const weir_value *value) {
    if (weir_value_kind(value) != WEIR_KIND_ARRAY)
        return says_so(value);
    if (plain->framing != WEIR_FRAMING_JSON)
        return 0;
    const weir_value *first = first_item(value);
    return plain->is_server || (first && says_so(first));
}

/* ---- answers ---- */

void weir_batch_count(struct weir_peer *peer, struct weir_batch *batch) {
    if (--batch->left > 0)
        return;
    if (batch->text.size > 0 && weir_buffer_append(&batch->text, "]\n", 2) == WEIR_OK)
        (void)weir_peer_say(peer, batch->text.data, batch->text.size);
    weir_buffer_fini(&batch->text);
    free(batch);
}

/* The answer that stands in plain->doc, open, goes to the peer, or to its batch. */
static int emit(struct weir_peer *peer, struct weir_batch *batch, weir_error *err) {
    struct weir_plain_peer *plain = peer->plain;
    const weir_value *root;
    weir_end(plain->doc);
    int status = weir_doc_finish(plain->doc, &root, err);
    if (status != WEIR_OK)
        return status;
    if (!batch)
        return weir_plain_write_value(root, plain->framing, 0, &peer->said, err);
    size_t size = batch->text.size;
    status = weir_buffer_append(&batch->text, size ? "," : "[", 1);
    if (status == WEIR_OK)
        status = weir_encode(root, WEIR_CODEC_JSON, NULL, &batch->text, err);
    if (status != WEIR_OK)
        batch->text.size = size;
    return status;
}

static void answer_begin(weir_doc *doc) {
    weir_doc_clear(doc);
    weir_begin_map(doc);
    weir_put_key(doc, "jsonrpc");
    weir_put_text(doc, "2.0", 3);
}

static void id_put(weir_doc *doc, const weir_value *id) {
    weir_put_key(doc, "id");
    if (id)
        weir_put_value(doc, id);
    else
        weir_put_null(doc);
}

static int fail(struct weir_peer *peer, struct weir_batch *batch, const weir_value *id, int64_t code, weir_view text) {
    weir_doc *doc = peer->plain->doc;
    answer_begin(doc);
    weir_put_key(doc, "error");
    weir_begin_map(doc);
    weir_put_key(doc, "code");
    weir_put_i64(doc, code);
    weir_put_key(doc, "message");
    weir_put_text(doc, text.data, text.size);
    weir_end(doc);
    id_put(doc, id);
    return emit(peer, batch, NULL);
}

static int fail_text(struct weir_peer *peer, struct weir_batch *batch, const weir_value *id, int64_t code,
                     const char *text) {
    return fail(peer, batch, id, code, (weir_view){text, strlen(text)});
}

void weir_rpc_complain(struct weir_peer *peer, const char *text) {
    (void)fail_text(peer, NULL, NULL, RPC_PARSE_ERROR, text);
}

static int64_t code_of(int64_t code) {
    switch (code) {
    case NO_OPERATION:
    case WEIR_ENOENT: return RPC_NO_METHOD;
    case WEIR_ETYPE:
    case WEIR_EPARSE:
    case WEIR_EINVAL: return RPC_INVALID_PARAMS;
    default: return code > 0 && code < 100 ? RPC_SERVER_ERROR - code : code; /* above: the server's own */
    }
}

static int error_answer(struct weir_peer *peer, struct weir_call *call, const weir_value *id, const weir_value *data) {
    int64_t code = 0;
    weir_view text = {"the server failed", 17};
    if (data && weir_value_kind(data) == WEIR_KIND_MAP) {
        weir_get_i64(data, "code", &code);
        weir_get_text(data, "text", &text);
    }
    return fail(peer, call->batch, id, code_of(code), text);
}

int weir_rpc_fail(struct weir_peer *peer, struct weir_call *call, int status, const char *text) {
    struct weir_plain_peer *plain = peer->plain;
    if (weir_decode(plain->token_doc, WEIR_CODEC_JSON, call->token, call->token_size, NULL, NULL, NULL) != WEIR_OK)
        return WEIR_ENOMEM;
    return fail_text(peer, call->batch, weir_doc_root(plain->token_doc), code_of(status), text);
}

int weir_rpc_answer(struct weir_peer *peer, struct weir_call *call, int is_error, const weir_value *data,
                    weir_error *err) {
    struct weir_plain_peer *plain = peer->plain;
    int status = weir_decode(plain->token_doc, WEIR_CODEC_JSON, call->token, call->token_size, NULL, NULL, err);
    if (status != WEIR_OK)
        return status;
    const weir_value *id = weir_doc_root(plain->token_doc);
    if (is_error)
        return error_answer(peer, call, id, data);
    answer_begin(plain->doc);
    weir_put_key(plain->doc, "result");
    if (data)
        weir_put_value(plain->doc, data);
    else
        weir_put_null(plain->doc);
    id_put(plain->doc, id);
    return emit(peer, call->batch, err);
}

/* ---- requests ---- */

static int id_is_valid(const weir_value *id) {
    switch (weir_value_kind(id)) {
    case WEIR_KIND_NULL:
    case WEIR_KIND_TEXT:
    case WEIR_KIND_INT64:
    case WEIR_KIND_UINT64:
    case WEIR_KIND_BIGINT:
    case WEIR_KIND_FLOAT64:
    case WEIR_KIND_DECIMAL: return 1;
    default: return 0;
    }
}

static int deliver(struct weir_peer *peer, const weir_value *method, const weir_value *params, uint64_t id) {
    struct weir_plain_peer *plain = peer->plain;
    struct weir_frame frame = {.kind = WEIR_FRAME_MESSAGE, .op = {(const char *)method->as.data, method->count}};
    if (plain->is_server) {
        frame.kind = WEIR_FRAME_REQUEST;
        frame.flags = WEIR_FRAME_ID;
        frame.id = id ? id : ++plain->call_id; /* nobody waits for the answer of a notification */
    }
    int status = params ? weir_plain_encode(plain, params, &frame) : WEIR_OK;
    return status ? status : weir_plain_deliver(peer, &frame);
}

static int entry_take(struct weir_peer *peer, const weir_value *entry, struct weir_batch *batch) {
    struct weir_plain_peer *plain = peer->plain;
    const weir_value *method = member(entry, "method"), *id = member(entry, "id");
    uint64_t number = 0;
    if (says_so(entry) && !method && (member(entry, "result") || member(entry, "error")))
        return WEIR_OK; /* an answer, though nobody here has asked */
    if (!says_so(entry) || !method || weir_value_kind(method) != WEIR_KIND_TEXT || method->count > 255 ||
        (id && !id_is_valid(id)))
        return fail_text(peer, batch, id && id_is_valid(id) ? id : NULL, RPC_INVALID_REQUEST,
                         "no request: it needs \"jsonrpc\":\"2.0\" and a \"method\" of at most 255 bytes");
    if (id && !plain->is_server)
        return fail_text(peer, batch, id, RPC_NO_METHOD, "nobody serves here; readers and writers meet at it");
    int status = id ? weir_call_add(plain, id, batch, 1, &number) : WEIR_OK;
    if (status == WEIR_ELIMIT)
        return fail_text(peer, batch, id, RPC_SERVER_ERROR - WEIR_ELIMIT,
                         "too many calls wait for their answers, or the id is too long");
    return status ? status : deliver(peer, method, member(entry, "params"), number);
}

static int batch_take(struct weir_peer *peer, const weir_value *array) {
    struct weir_batch *batch = calloc(1, sizeof(*batch));
    int status = WEIR_OK;
    weir_iter it;
    if (!batch)
        return WEIR_ENOMEM;
    batch->left = 1;
    weir_iter_init(&it, array);
    while (status == WEIR_OK && weir_iter_next(&it))
        status = batch->text.size > BATCH_SAID_MAX ? WEIR_ELIMIT : entry_take(peer, it.value, batch);
    weir_batch_count(peer, batch);
    return status;
}

int weir_rpc_take(struct weir_peer *peer, const weir_value *value) {
    if (weir_value_kind(value) != WEIR_KIND_ARRAY)
        return entry_take(peer, value, NULL);
    if (!first_item(value))
        return fail_text(peer, NULL, NULL, RPC_INVALID_REQUEST, "no request: the batch is empty");
    return batch_take(peer, value);
}
