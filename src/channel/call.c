/* Clients and servers.
 *
 * A request carries an id that no other call on the channel has: 32 random bits of the client, then a count. The reply
 * carries the same id, so that a client on a shared channel, where it sees the replies to others too, takes only its
 * own. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <weir/call.h>

#include "base/clock.h"
#include "channel/end.h"
#include "os/process.h"
#include "transport/burst.h"

/* How often a waiting client looks whether its server still lives. */
static const int64_t PEER_CHECK_NS = 50000000;
static const int64_t SERVER_POLL_NS = 2000000;

/* ---- clients ---- */

int weir_client_open(const char *address, weir_client **ret, weir_error *err) {
    weir_client *client = calloc(1, sizeof(*client));
    if (!client)
        return weir_fail(err, WEIR_ENOMEM, "out of memory for a client");
    int status = weir_end_open(&client->end, address, WEIR_ROLE_CLIENT, err);
    if (status) {
        free(client);
        return status;
    }
    weir_random(&client->id, sizeof(client->id));
    client->id &= ~(uint64_t)UINT32_MAX;
    *ret = client;
    return WEIR_OK;
}

weir_client *weir_client_close(weir_client *client) {
    if (client)
        weir_end_close(&client->end);
    free(client);
    return NULL;
}

static int await_server(struct weir_end *end, int64_t deadline, weir_error *err) {
    weir_burst_settle();
    /* That the server of an earlier request has died (WEIR_EPEER, said once) is no news to this one. */
    while (end->ops->peer_state(end->state) != WEIR_OK) {
        if (weir_deadline_left(deadline) == 0)
            return weir_fail(err, WEIR_ETIMEOUT, "%s: nobody serves there; start the server, or look with weir ls",
                             end->place.text);
        nanosleep(&(struct timespec){.tv_nsec = SERVER_POLL_NS}, NULL);
    }
    return WEIR_OK;
}

/* Send what weir_client_send has prepared. */
static int request_post(weir_client *client, int64_t deadline, weir_error *err) {
    struct weir_end *end = &client->end;
    client->request.deadline = deadline;
    /* What came since the last call is of no interest: replies to others, or too late. */
    int status = end->ops->seek(end->state, WEIR_FROM_NOW, 0, err);
    if (status == WEIR_OK)
        status = weir_end_send(end, &client->request, err);
    client->is_pending = 0;
    client->is_under_way = status == WEIR_OK;
    return status;
}

static int request_prepare(weir_client *client, const char *op, const weir_value *meta, const weir_value *data,
                           weir_error *err) {
    struct weir_end *end = &client->end;
    size_t op_size = op ? strlen(op) : 0;
    int status = weir_end_check(end, err);
    if (status)
        return status;
    if (op_size > WEIR_OP_MAX)
        return weir_fail(err, WEIR_EINVAL, "%s: an op has at most %d bytes, this one has %zu", end->place.text,
                         WEIR_OP_MAX, op_size);
    weir_end_release(end);
    memcpy(client->op, op ? op : "", op_size);
    client->is_under_way = 0;
    client->request =
        (struct weir_outgoing){.kind = WEIR_FRAME_REQUEST, .op = client->op, .op_size = op_size, .id = ++client->id};
    status = weir_end_encode_meta(end, meta, &client->request, err);
    return status ? status : weir_end_encode_data(end, data, &client->request, err);
}

int weir_client_send(weir_client *client, const char *op, const weir_value *meta, const weir_value *data,
                     weir_error *err) {
    int status = request_prepare(client, op, meta, data, err);
    if (status)
        return status;
    if (client->end.ops->peer_state(client->end.state) == WEIR_OK)
        return request_post(client, INT64_MIN, err);
    client->is_pending = 1;
    client->is_under_way = 1;
    return WEIR_OK;
}

static int64_t slice(int64_t deadline) {
    if (deadline == 0)
        return 0;
    int64_t next_check = weir_clock_monotonic() + PEER_CHECK_NS;
    return deadline < next_check ? deadline : next_check;
}

static int await_reply(weir_client *client, int64_t deadline, weir_error *err) {
    struct weir_end *end = &client->end;
    for (;;) {
        int64_t until = slice(deadline);
        int status = weir_end_next(end, WEIR_KINDS_ANSWER, client->id, until, NULL);
        if (status != WEIR_ETIMEOUT)
            return status ? weir_fail(err, status, "%s: no reply: %s", end->place.text, weir_err_text(status))
                          : WEIR_OK;
        if (end->ops->peer_state(end->state) != WEIR_OK)
            return weir_fail(err, WEIR_EPEER, "%s: the server died before it answered; call again once it is back",
                             end->place.text);
        if (until == deadline)
            return weir_fail(err, WEIR_ETIMEOUT, "%s: the server is there but did not answer in time", end->place.text);
    }
}

/* An error reply is the map {"code", "text"}. */
static int remote_error(weir_message *message, weir_error *err) {
    const weir_value *data = NULL;
    int64_t code = 0;
    weir_view text = {"", 0};
    int status = weir_message_data(message, &data, err);
    if (status)
        return status;
    weir_get_i64(data, "code", &code);
    weir_get_text(data, "text", &text);
    int size = text.size < sizeof(err->text) ? (int)text.size : (int)sizeof(err->text) - 1;
    weir_fail(err, WEIR_EREMOTE, "%.*s", size, text.data);
    if (err)
        err->sys_errno = (int)code;
    return WEIR_EREMOTE;
}

static int reply_receive(weir_client *client, int64_t deadline, weir_message **ret, weir_error *err) {
    struct weir_end *end = &client->end;
    int status = WEIR_OK;
    if (client->is_pending) {
        status = await_server(end, deadline, err);
        if (status == WEIR_OK)
            status = request_post(client, deadline, err);
    }
    if (status == WEIR_OK)
        status = await_reply(client, deadline, err);
    if (status != WEIR_ETIMEOUT)
        client->is_under_way = 0;
    if (status)
        return status;
    if (end->message.frame.kind == WEIR_FRAME_ERROR)
        return remote_error(&end->message, err);
    *ret = &end->message;
    return WEIR_OK;
}

int weir_client_receive(weir_client *client, int64_t timeout_ns, weir_message **ret, weir_error *err) {
    int status = weir_end_check(&client->end, err);
    if (status)
        return status;
    if (!client->is_under_way)
        return weir_fail(err, WEIR_EINVAL, "%s: no request was sent whose reply is still to come",
                         client->end.place.text);
    return reply_receive(client, weir_deadline(timeout_ns), ret, err);
}

int weir_client_call(weir_client *client, const char *op, const weir_value *meta, const weir_value *data,
                     int64_t timeout_ns, weir_message **ret, weir_error *err) {
    int status = request_prepare(client, op, meta, data, err);
    if (status)
        return status;
    client->is_pending = 1;
    status = reply_receive(client, weir_deadline(timeout_ns), ret, err);
    client->is_under_way = 0;
    return status;
}

int weir_client_fd(weir_client *client, int *ret_fd, weir_error *err) {
    return weir_end_fd(&client->end, ret_fd, err);
}

/* ---- servers ---- */

int weir_server_open(const char *address, weir_server **ret, weir_error *err) {
    weir_server *server = calloc(1, sizeof(*server));
    if (!server)
        return weir_fail(err, WEIR_ENOMEM, "out of memory for a server");
    int status = weir_end_open(&server->end, address, WEIR_ROLE_SERVER, err);
    if (status)
        free(server);
    else
        *ret = server;
    return status;
}

weir_server *weir_server_close(weir_server *server) {
    if (server)
        weir_end_close(&server->end);
    free(server);
    return NULL;
}

int weir_server_next(weir_server *server, int64_t timeout_ns, weir_message **ret, weir_error *err) {
    int status = weir_end_take(&server->end, WEIR_KINDS_REQUEST, 0, err);
    if (status == WEIR_EAGAIN)
        status = weir_end_await(&server->end, WEIR_KINDS_REQUEST, 0, weir_deadline(timeout_ns), err);
    if (status == WEIR_OK)
        *ret = &server->end.message;
    return status;
}

static int answer(weir_server *server, enum weir_frame_kind kind, const weir_message *request, const weir_value *meta,
                  const weir_value *data, weir_error *err) {
    struct weir_end *end = &server->end;
    struct weir_outgoing out = {.kind = kind,
                                .op = request->frame.op.data,
                                .op_size = request->frame.op.size,
                                .id = request->frame.id,
                                .peer = request->peer,
                                .deadline = INT64_MIN};
    if (request->frame.id == 0)
        return weir_fail(err, WEIR_EINVAL, "%s: that message is no request", end->place.text);
    int status = weir_end_encode_meta(end, meta, &out, err);
    if (status == WEIR_OK)
        status = weir_end_encode_data(end, data, &out, err);
    if (status == WEIR_OK)
        status = weir_end_send(end, &out, err);
    return status == WEIR_ECLOSED ? WEIR_OK : status; /* the client has gone */
}

int weir_server_reply(weir_server *server, const weir_message *request, const weir_value *meta, const weir_value *data,
                      weir_error *err) {
    return answer(server, WEIR_FRAME_REPLY, request, meta, data, err);
}

int weir_server_fail(weir_server *server, const weir_message *request, int code, const char *sentence,
                     weir_error *err) {
    weir_doc *doc = NULL;
    const weir_value *data = NULL;
    int status = weir_doc_new(&doc);
    if (status)
        return weir_fail(err, status, "%s: out of memory", server->end.place.text);
    status = weir_pack(doc, &data, err, "{s:d, s:s}", "code", code, "text", sentence);
    if (status == WEIR_OK)
        status = answer(server, WEIR_FRAME_ERROR, request, NULL, data, err);
    weir_doc_free(doc);
    return status;
}

int weir_server_fd(weir_server *server, int *ret_fd, weir_error *err) {
    return weir_end_fd(&server->end, ret_fd, err);
}
