/* Clients: the asking end of calls, of which many may be under way.
 *
 * A request carries an id that no other call on the channel has: 32 random bits of the client, then a count. The reply
 * carries the same id, so that a client on a shared channel, where it sees the replies to others too, takes only its
 * own.
 *
 * The asks stand in the order of their ids, which is the order in which they were sent. What must stay true: the first
 * `lost` of them were sent to a server that has died since; those from `sent` on could not be sent, as nobody served,
 * and have their request kept (parked) until somebody does. An ask leaves the table with its reply, its error, or its
 * cancelling. A request is never sent twice to who might take it: what goes out with our first words to a listener is
 * kept too, and if he says that he serves nobody, it stands as not sent. */
#include <stdio.h>
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

/* A request that nobody was there for, or somebody who may not serve. */
struct parked {
    struct weir_outgoing request; /* what it points at is in bytes */
    unsigned char bytes[];
};

struct ask {
    uint64_t id;
    struct parked *parked; /* not sent, or sent to who had not let us in yet */
    weir_message *reply;   /* came while another was waited for */
};

struct weir_client {
    struct weir_end end;
    uint64_t next;        /* the id of the next request */
    uint64_t shown;       /* weir_client_id */
    weir_message *handed; /* the reply handed out, when it is a copy */
    struct ask *asks;     /* room for WEIR_CALLS_MAX */
    size_t count, lost, sent;
    size_t set_aside;  /* how many have a reply */
    uint8_t is_unsure; /* who is there has not said yet that he serves */
    uint8_t is_mute;   /* somebody was there, and none has said yet that he serves */
    uint8_t is_wary;   /* the last one did not serve: the next is asked nothing before he says that he does */
    char instead[160]; /* who is there and does not serve; empty: nobody is known */
};

/* ---- open and close ---- */

int weir_client_open(const char *address, weir_client **ret, weir_error *err) {
    weir_client *client = calloc(1, sizeof(*client));
    if (client)
        client->asks = calloc(WEIR_CALLS_MAX, sizeof(*client->asks));
    int status = client && client->asks ? weir_end_open(&client->end, address, WEIR_ROLE_CLIENT, err)
                                        : weir_fail(err, WEIR_ENOMEM, "out of memory for a client");
    if (status) {
        if (client)
            free(client->asks);
        free(client);
        return status;
    }
    weir_random(&client->next, sizeof(client->next));
    client->next = (client->next & ~(uint64_t)UINT32_MAX) + 1;
    *ret = client;
    return WEIR_OK;
}

static void ask_clear(struct ask *ask) {
    free(ask->parked);
    weir_message_free(ask->reply);
}

weir_client *weir_client_close(weir_client *client) {
    if (!client)
        return NULL;
    for (size_t i = 0; i < client->count; i++)
        ask_clear(&client->asks[i]);
    weir_message_free(client->handed);
    weir_end_close(&client->end);
    free(client->asks);
    free(client);
    return NULL;
}

/* ---- the table of asks ---- */

/* Where @id stands; client->count when it is not under way. */
static size_t ask_find(const weir_client *client, uint64_t id) {
    size_t low = 0, high = client->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (client->asks[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < client->count && client->asks[low].id == id ? low : client->count;
}

static void ask_remove(weir_client *client, size_t index) {
    client->shown = client->asks[index].id;
    client->set_aside -= client->asks[index].reply != NULL;
    ask_clear(&client->asks[index]);
    client->count--;
    client->lost -= index < client->lost;
    client->sent -= index < client->sent;
    memmove(&client->asks[index], &client->asks[index + 1], (client->count - index) * sizeof(*client->asks));
}

/* Keep the reply that has just come for whoever asks for it. Return: WEIR_OK, also when it is nobody's; WEIR_ENOMEM. */
static int reply_keep(weir_client *client, size_t index) {
    if (index == client->count || client->asks[index].reply)
        return WEIR_OK;
    if (weir_message_copy(&client->end.message, &client->asks[index].reply))
        return WEIR_ENOMEM;
    client->set_aside++;
    return WEIR_OK;
}

/* What a server has answered before it died has come, even if nobody has looked yet. */
static void arrived_keep(weir_client *client) {
    while (weir_end_take(&client->end, WEIR_KINDS_ANSWER, NULL) == WEIR_OK)
        (void)reply_keep(client, ask_find(client, client->end.message.frame.id));
    weir_end_release(&client->end);
}

/* Who was there did not serve: what he was sent has still to be, if we have it. */
static void sent_take_back(weir_client *client) {
    while (client->sent > client->lost && client->asks[client->sent - 1].parked)
        client->sent--;
    client->lost = client->sent;
    client->is_wary = 1;
}

/* Is a server there? That one has died is noted for what was sent to it; it is no news to later requests. */
static int is_served(weir_client *client) {
    weir_error who;
    int status;
    for (;;) {
        who.text[0] = '\0';
        status = client->end.ops->peer_state(client->end.state, &who);
        if (status == WEIR_EPEER) {
            arrived_keep(client);
            client->lost = client->sent;
        } else if (status == WEIR_EAGAIN) {
            sent_take_back(client);
        } else {
            break;
        }
    }
    client->is_unsure = status == WEIR_EBUSY;
    client->is_mute = status != WEIR_OK && (client->is_mute || client->is_unsure);
    if (__builtin_expect(status == WEIR_OK, 1)) {
        client->is_wary = 0;
        return 1;
    }
    snprintf(client->instead, sizeof(client->instead), "%.*s", (int)sizeof(client->instead) - 1, who.text);
    return client->is_unsure && !client->is_wary;
}

/* ---- sending ---- */

/* Keep a copy of @request. Return: NULL when there is no memory. */
static struct parked *park(const struct weir_outgoing *request) {
    size_t size = request->op_size + request->meta.size + request->size;
    struct parked *parked = malloc(sizeof(*parked) + size);
    if (!parked)
        return NULL;
    unsigned char *at = parked->bytes;
    parked->request = *request;
    parked->request.op = memcpy(at, request->op, request->op_size);
    at += request->op_size;
    if (request->meta.size) {
        parked->request.meta.data = memcpy(at, request->meta.data, request->meta.size);
        at += request->meta.size;
    }
    if (request->size)
        parked->request.data = memcpy(at, request->data, request->size);
    return parked;
}

static int request_post(weir_client *client, struct weir_outgoing *request, int64_t deadline, weir_error *err) {
    struct weir_end *end = &client->end;
    int status = WEIR_OK;
    request->deadline = deadline;
    if (client->sent == client->lost) /* what came till now is of no interest: replies to others, or too late */
        status = end->ops->seek(end->state, WEIR_FROM_NOW, 0, err);
    return status ? status : weir_end_send(end, request, err);
}

/* Send what was parked, as somebody serves now. What there is no room for stays parked; what cannot be sent otherwise
 * is given up. */
static int parked_post(weir_client *client, int64_t deadline, weir_error *err) {
    while (client->sent < client->count) {
        struct ask *ask = &client->asks[client->sent];
        int status = request_post(client, &ask->parked->request, deadline, err);
        if (status == WEIR_EAGAIN || status == WEIR_ETIMEOUT)
            return status;
        if (status) {
            ask_remove(client, client->sent);
            return status;
        }
        if (!client->is_unsure) {
            free(ask->parked);
            ask->parked = NULL;
        }
        client->sent++;
    }
    return WEIR_OK;
}

static int request_build(weir_client *client, const char *op, const weir_value *meta, const weir_value *data,
                         struct weir_outgoing *ret, weir_error *err) {
    struct weir_end *end = &client->end;
    size_t op_size = op ? strlen(op) : 0;
    if (op_size > WEIR_OP_MAX)
        return weir_fail(err, WEIR_EINVAL, "%s: an op has at most %d bytes, this one has %zu", end->place.text,
                         WEIR_OP_MAX, op_size);
    if (client->count == WEIR_CALLS_MAX)
        return weir_fail(err, WEIR_ELIMIT, "%s: %d requests are under way; receive replies first", end->place.text,
                         WEIR_CALLS_MAX);
    *ret = (struct weir_outgoing){.kind = WEIR_FRAME_REQUEST, .op = op ? op : "", .op_size = op_size};
    int status = weir_end_encode_meta(end, meta, ret, err);
    return status ? status : weir_end_encode_data(end, data, ret, err);
}

/* What weir_client_send does; a wait for room ends at @deadline. */
static int request_send(weir_client *client, const char *op, const weir_value *meta, const weir_value *data,
                        int64_t deadline, weir_error *err) {
    struct weir_outgoing request;
    struct ask ask = {.id = client->next};
    int status = weir_end_check(&client->end, err);
    if (status)
        return status;
    client->handed = weir_message_free(client->handed);
    weir_end_release(&client->end);
    status = request_build(client, op, meta, data, &request, err);
    if (status)
        return status;
    request.id = client->next;
    int is_direct = is_served(client) && client->sent == client->count; /* none overtakes one that is parked */
    if ((!is_direct || client->is_unsure) && !(ask.parked = park(&request)))
        return weir_fail(err, WEIR_ENOMEM, "%s: out of memory for a request", client->end.place.text);
    if (is_direct)
        status = request_post(client, &request, deadline, err);
    if (status) {
        free(ask.parked);
        return status;
    }
    client->asks[client->count++] = ask;
    client->sent += (size_t)is_direct;
    client->shown = client->next++;
    return WEIR_OK;
}

int weir_client_send(weir_client *client, const char *op, const weir_value *meta, const weir_value *data,
                     weir_error *err) {
    return request_send(client, op, meta, data, INT64_MIN, err);
}

uint64_t weir_client_id(const weir_client *client) {
    return client->shown;
}

uint32_t weir_client_under_way(const weir_client *client) {
    return (uint32_t)client->count;
}

/* ---- receiving ---- */

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

static int hand_out(weir_message *reply, weir_message **ret, weir_error *err) {
    if (reply->frame.kind == WEIR_FRAME_ERROR)
        return remote_error(reply, err);
    *ret = reply;
    return WEIR_OK;
}

/* A reply that came earlier, or the news that there will be none. @id: 0 for any. Return: WEIR_EAGAIN when there is
 * neither. */
static int known_take(weir_client *client, uint64_t id, weir_message **ret, weir_error *err) {
    size_t index = id ? ask_find(client, id) : 0;
    if (!id && client->set_aside)
        while (!client->asks[index].reply)
            index++;
    if (client->asks[index].reply) {
        client->handed = client->asks[index].reply;
        client->asks[index].reply = NULL;
        client->set_aside--;
        ask_remove(client, index);
        return hand_out(client->handed, ret, err);
    }
    if (index >= client->lost)
        return WEIR_EAGAIN;
    ask_remove(client, index);
    return weir_fail(err, WEIR_EPEER, "%s: the server died before it answered; call again once it is back",
                     client->end.place.text);
}

/* The reply that has just come: hand it out if it is the one, keep it if it is another's. Return: WEIR_EAGAIN when
 * there is nothing to hand out. */
static int reply_take(weir_client *client, uint64_t id, weir_message **ret, weir_error *err) {
    weir_message *reply = &client->end.message;
    size_t index = ask_find(client, reply->frame.id);
    int is_it = index < client->count && !client->asks[index].reply && (id == 0 || reply->frame.id == id);
    if (is_it) {
        ask_remove(client, index);
        return hand_out(reply, ret, err);
    }
    if (reply_keep(client, index) != WEIR_OK)
        return weir_fail(err, WEIR_ENOMEM, "%s: out of memory for a reply", client->end.place.text);
    return WEIR_EAGAIN;
}

static int64_t slice(int64_t deadline) {
    if (deadline == 0)
        return 0;
    int64_t next_check = weir_clock_monotonic() + PEER_CHECK_NS;
    return deadline < next_check ? deadline : next_check;
}

/* Who took the connection has not said who he is. */
static int mute(const struct weir_client *client, weir_error *err) {
    return weir_fail(
        err, WEIR_ETIMEOUT,
        "%s: a program listens there and has not answered as weir does: a server that is busy or stopped, or "
        "no end of weir; see who it is, or choose another path",
        client->end.place.text);
}

static int not_answered(const struct weir_client *client, weir_error *err) {
    if (client->is_mute && !client->instead[0])
        return mute(client, err);
    return weir_fail(err, WEIR_ETIMEOUT, "%s: the server is there but did not answer in time", client->end.place.text);
}

/* Wait for whatever comes, for a moment. */
static int some_reply(weir_client *client, uint64_t id, int64_t deadline, weir_message **ret, weir_error *err) {
    struct weir_end *end = &client->end;
    int64_t until = deadline;
    weir_error why = {0};
    int status = weir_end_take(end, WEIR_KINDS_ANSWER, &why);
    if (status == WEIR_EAGAIN) {
        until = slice(deadline);
        status = weir_end_await(end, WEIR_KINDS_ANSWER, until, &why);
    }
    if (status == WEIR_OK)
        return reply_take(client, id, ret, err);
    if (status != WEIR_ETIMEOUT)
        return why.text[0] ? weir_fail(err, status, "%s", why.text)
                           : weir_fail(err, status, "%s: no reply: %s", end->place.text, weir_err_text(status));
    is_served(client);
    size_t index = id ? ask_find(client, id) : 0;
    if (until == deadline && index >= client->lost && index < client->sent)
        return not_answered(client, err);
    return WEIR_EAGAIN;
}

static int server_missing(const weir_client *client, int is_there, weir_error *err) {
    const char *text = client->end.place.text;
    if (is_there)
        return weir_fail(err, WEIR_ETIMEOUT, "%s: the server is there but has no room for the request", text);
    if (client->instead[0])
        return weir_fail(err, WEIR_ETIMEOUT,
                         "%s: nobody serves there, where %s; close that and start the server, or choose another path",
                         text, client->instead);
    if (client->is_mute)
        return mute(client, err);
    return weir_fail(err, WEIR_ETIMEOUT, "%s: nobody serves there; start the server, or look with weir ls", text);
}

/* Nobody was there for the requests that are waited for: send them once somebody is. */
static int some_server(weir_client *client, int64_t deadline, weir_error *err) {
    int is_there = is_served(client);
    if (is_there) {
        int status = parked_post(client, deadline, err);
        if (status != WEIR_EAGAIN)
            return status ? status : WEIR_EAGAIN;
    }
    if (weir_deadline_left(deadline) == 0)
        return server_missing(client, is_there, err);
    weir_burst_settle();
    nanosleep(&(struct timespec){.tv_nsec = SERVER_POLL_NS}, NULL);
    return WEIR_EAGAIN;
}

/* The reply to @id, or to any for 0. */
static int receive(weir_client *client, uint64_t id, int64_t deadline, weir_message **ret, weir_error *err) {
    int status = weir_end_check(&client->end, err);
    if (status)
        return status;
    client->handed = weir_message_free(client->handed);
    if (client->count == 0)
        is_served(client); /* that a server has gone is no news then, but must not go on showing in the descriptor */
    do {
        size_t index = id ? ask_find(client, id) : 0;
        if (index == client->count)
            return weir_fail(err, WEIR_EINVAL, "%s: no request was sent whose reply is still to come",
                             client->end.place.text);
        status = known_take(client, id, ret, err);
        if (status == WEIR_EAGAIN && (id ? index >= client->sent : client->sent == 0))
            status = some_server(client, deadline, err);
        else if (status == WEIR_EAGAIN)
            status = some_reply(client, id, deadline, ret, err);
    } while (status == WEIR_EAGAIN);
    return status;
}

int weir_client_receive(weir_client *client, int64_t timeout_ns, weir_message **ret, weir_error *err) {
    return receive(client, 0, weir_deadline(timeout_ns), ret, err);
}

int weir_client_receive_id(weir_client *client, uint64_t id, int64_t timeout_ns, weir_message **ret, weir_error *err) {
    if (id == 0)
        return weir_fail(err, WEIR_EINVAL, "%s: 0 is no request's id", client->end.place.text);
    return receive(client, id, weir_deadline(timeout_ns), ret, err);
}

int weir_client_cancel(weir_client *client, uint64_t id, weir_error *err) {
    int status = weir_end_check(&client->end, err);
    size_t index = ask_find(client, id);
    if (status)
        return status;
    if (index == client->count)
        return weir_fail(err, WEIR_EINVAL, "%s: no request was sent whose reply is still to come",
                         client->end.place.text);
    int is_at_server = index < client->sent && index >= client->lost && !client->asks[index].reply;
    ask_remove(client, index);
    if (is_at_server && is_served(client)) {
        /* Who cannot be told now goes on in vain, and nothing else comes of it. */
        struct weir_outgoing word = {.kind = WEIR_FRAME_CANCEL, .op = "", .id = id, .deadline = 0};
        weir_end_release(&client->end);
        weir_end_send(&client->end, &word, NULL);
    }
    return WEIR_OK;
}

int weir_client_call(weir_client *client, const char *op, const weir_value *meta, const weir_value *data,
                     int64_t timeout_ns, weir_message **ret, weir_error *err) {
    int64_t deadline = weir_deadline(timeout_ns);
    int status = request_send(client, op, meta, data, deadline, err);
    if (status)
        return status;
    uint64_t id = client->shown;
    status = receive(client, id, deadline, ret, err);
    if (status != WEIR_OK && ask_find(client, id) < client->count)
        weir_client_cancel(client, id, NULL);
    client->shown = id;
    return status;
}

int weir_client_fd(weir_client *client, int *ret_fd, weir_error *err) {
    return weir_end_fd(&client->end, ret_fd, err);
}
