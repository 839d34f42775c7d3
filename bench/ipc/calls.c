/* Calls: 64 bytes asked, the same 64 bytes answered. One after the other, and with 64 under way from one client.
 *
 * Weir's clients and servers; ZeroMQ's REQ and REP, and for many under way DEALER and DEALER, as REQ has one at a time;
 * NATS through its C client, with requests and an inbox, and its server started and ended here. */
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weir/weir.h>
#include <zmq.h>

#include "mechanism.h"

enum { UNDER_WAY = 64, SIZE = 64, ADDRESS_MAX = 256 };
static const int64_t PATIENCE_NS = INT64_C(30) * 1000000000;

static int is_many(const struct link *link) {
    return !link->scenario->is_trip;
}

/* The driver's side of many: as soon as one answer is there, the next request goes out. */
static void ask_many(struct link *link, unsigned char *bytes, long count) {
    const struct mechanism *m = link->mechanism;
    for (long sent = 0, got = 0; got < count; got++) {
        for (; sent < count && sent - got < UNDER_WAY; sent++) {
            number_put(bytes, (uint64_t)sent);
            m->send(link, bytes);
        }
        m->receive(link, bytes);
        bench_must(number_get(bytes) == (uint64_t)got, "answers in order");
    }
}

static uint64_t answer_many(struct link *link, unsigned char *bytes, long count) {
    for (long i = 0; i < count; i++) {
        link->mechanism->receive(link, bytes);
        link->mechanism->send(link, bytes);
    }
    return number_get(bytes);
}

/* ---- weir ---- */

struct ends {
    weir_client *client;
    weir_server *server;
    weir_doc *doc;
    weir_message *request;
};

static void check(int status, const weir_error *err) {
    if (status == WEIR_OK)
        return;
    fprintf(stderr, "bench: weir: %s\n", err->text);
    exit(1);
}

static void weir_open(struct link *link) {
    struct ends *ends = calloc(1, sizeof(*ends));
    char address[ADDRESS_MAX];
    weir_error err;
    bench_must(ends != NULL && weir_doc_new(&ends->doc) == WEIR_OK, "memory");
    link->state = ends;
    if (strcmp(link->mechanism->argument, "unix") == 0)
        snprintf(address, sizeof(address), "unix://%s/c%d?keep=0&stamp=0&timeout=30s", link->directory, link->serial);
    else
        snprintf(address, sizeof(address), "shm://bench/c%d?keep=0&stamp=0&timeout=30s%s", link->serial,
                 link->mechanism->argument);
    if (link->index == 0)
        check(weir_client_open(address, &ends->client, &err), &err);
    else
        check(weir_server_open(address, &ends->server, &err), &err);
}

static void weir_close(struct link *link) {
    struct ends *ends = link->state;
    weir_client_close(ends->client);
    weir_server_close(ends->server);
    weir_doc_free(ends->doc);
    free(ends);
}

static void weir_say(struct link *link, const unsigned char *bytes) {
    struct ends *ends = link->state;
    const weir_value *data;
    weir_error err;
    weir_doc_clear(ends->doc);
    weir_refer_bytes(ends->doc, bytes, SIZE);
    check(weir_doc_finish(ends->doc, &data, &err), &err);
    if (ends->client)
        check(weir_client_send(ends->client, "echo", NULL, data, &err), &err);
    else
        check(weir_server_reply(ends->server, ends->request, NULL, data, &err), &err);
}

static void weir_hear(struct link *link, unsigned char *bytes) {
    struct ends *ends = link->state;
    const weir_value *data;
    weir_message *message;
    weir_view view;
    weir_error err;
    if (ends->client)
        check(weir_client_receive(ends->client, PATIENCE_NS, &message, &err), &err);
    else
        check(weir_server_next(ends->server, PATIENCE_NS, &message, &err), &err);
    ends->request = message;
    check(weir_message_data(message, &data, &err), &err);
    check(weir_get_bytes(data, NULL, &view), &err);
    memcpy(bytes, view.data, SIZE);
}

/* ---- ZeroMQ ---- */

static void zeromq_open(struct link *link) {
    char address[TEXT_MAX];
    int is_driver = link->index == 0;
    snprintf(address, sizeof(address), "ipc://%s/calls%d", link->directory, link->serial);
    link->in = zmq_ctx_new();
    link->out = zmq_socket(link->in, is_many(link) ? ZMQ_DEALER : is_driver ? ZMQ_REQ : ZMQ_REP);
    bench_must(link->out != NULL, "zmq_socket");
    bench_must((is_driver ? zmq_connect(link->out, address) : zmq_bind(link->out, address)) == 0, "zmq_bind");
}

static void zeromq_close(struct link *link) {
    zmq_close(link->out);
    zmq_ctx_term(link->in);
}

static void zeromq_say(struct link *link, const unsigned char *bytes) {
    bench_must(zmq_send(link->out, bytes, SIZE, 0) == SIZE, "zmq_send");
}

static void zeromq_hear(struct link *link, unsigned char *bytes) {
    bench_must(zmq_recv(link->out, bytes, SIZE, 0) == SIZE, "zmq_recv");
}

/* ---- NATS ---- */

#if BENCH_HAS_NATS

#include <nats/nats.h>

static pid_t nats_daemon;
static int nats_port;

struct nats {
    natsConnection *connection;
    natsSubscription *subscription;
    natsInbox *inbox;
    char answer_to[TEXT_MAX];
};

/* A port that nobody has just now. */
static int port_find(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bench_must(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 &&
                   getsockname(fd, (struct sockaddr *)&address, &size) == 0,
               "a free port");
    close(fd);
    return ntohs(address.sin_port);
}

static natsStatus nats_connect(natsConnection **ret, int is_asap) {
    natsOptions *options = NULL;
    char url[64];
    snprintf(url, sizeof(url), "nats://127.0.0.1:%d", nats_port);
    natsStatus status = natsOptions_Create(&options);
    if (status == NATS_OK)
        status = natsOptions_SetURL(options, url);
    if (status == NATS_OK) /* a lone request leaves at once; many are gathered */
        status = natsOptions_SetSendAsap(options, is_asap);
    if (status == NATS_OK)
        status = natsConnection_Connect(ret, options);
    natsOptions_Destroy(options);
    return status;
}

/* Does it answer? Asked in a process of its own, as the client library has threads, and we fork samples. */
static int nats_answers(void) {
    int status;
    pid_t child = fork();
    if (child == 0) {
        natsConnection *connection = NULL;
        _exit(nats_connect(&connection, 0) == NATS_OK ? 0 : 1);
    }
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static const char *nats_prepare(const char *directory) {
    char port[16];
    (void)directory;
    nats_port = port_find();
    snprintf(port, sizeof(port), "%d", nats_port);
    nats_daemon = fork();
    if (nats_daemon == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execlp("nats-server", "nats-server", "-a", "127.0.0.1", "-p", port, "-l", "/dev/null", (char *)NULL);
        execl("/usr/sbin/nats-server", "nats-server", "-a", "127.0.0.1", "-p", port, "-l", "/dev/null", (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 100 && nats_daemon > 0; i++) {
        if (nats_answers())
            return NULL;
        usleep(50000);
    }
    return "nats-server does not start";
}

static void nats_finish(void) {
    if (nats_daemon > 0 && kill(nats_daemon, SIGTERM) == 0)
        waitpid(nats_daemon, NULL, 0);
    nats_daemon = 0;
}

static void nats_open(struct link *link) {
    struct nats *nats = calloc(1, sizeof(*nats));
    char subject[32];
    bench_must(nats != NULL, "memory");
    link->state = nats;
    snprintf(subject, sizeof(subject), "bench.%d", link->serial);
    bench_must(nats_connect(&nats->connection, !is_many(link)) == NATS_OK, "connecting to nats-server");
    bench_must(natsInbox_Create(&nats->inbox) == NATS_OK, "natsInbox_Create");
    bench_must(natsConnection_SubscribeSync(&nats->subscription, nats->connection,
                                            link->index == 0 ? nats->inbox : subject) == NATS_OK,
               "natsConnection_SubscribeSync");
    bench_must(natsConnection_Flush(nats->connection) == NATS_OK, "natsConnection_Flush");
}

static void nats_done(struct link *link) {
    struct nats *nats = link->state;
    natsSubscription_Destroy(nats->subscription);
    natsConnection_Destroy(nats->connection);
    natsInbox_Destroy(nats->inbox);
    free(nats);
}

static void nats_say(struct link *link, const unsigned char *bytes) {
    struct nats *nats = link->state;
    char subject[32];
    snprintf(subject, sizeof(subject), "bench.%d", link->serial);
    natsStatus status = link->index == 0
                            ? natsConnection_PublishRequest(nats->connection, subject, nats->inbox, bytes, SIZE)
                            : natsConnection_Publish(nats->connection, nats->answer_to, bytes, SIZE);
    bench_must(status == NATS_OK, "natsConnection_Publish");
}

static void nats_hear(struct link *link, unsigned char *bytes) {
    struct nats *nats = link->state;
    natsMsg *message = NULL;
    bench_must(natsSubscription_NextMsg(&message, nats->subscription, 30000) == NATS_OK, "natsSubscription_NextMsg");
    memcpy(bytes, natsMsg_GetData(message), SIZE);
    if (link->index != 0)
        snprintf(nats->answer_to, sizeof(nats->answer_to), "%s", natsMsg_GetReply(message));
    natsMsg_Destroy(message);
}

#else

static const char *nats_prepare(const char *directory) {
    (void)directory;
    return "libnats-dev is not installed";
}

#endif

#define WEIR_CALLS(title, options)                                                                                     \
    {                                                                                                                  \
        .name = title, .scenarios = CALLS, .slowness = 10, .argument = options, .open = weir_open,                     \
        .close = weir_close, .send = weir_say, .receive = weir_hear, .send_many = ask_many,                            \
        .receive_many = answer_many                                                                                    \
    }

const struct mechanism calls_mechanisms[] = {
    WEIR_CALLS("weir call unix", "unix"),
    WEIR_CALLS("weir call shm", ""),
    WEIR_CALLS("weir call shm, spinning", "&wait=spin"),
    {.name = "ZeroMQ REQ/REP",
     .scenarios = CALLS,
     .slowness = 10,
     .open = zeromq_open,
     .close = zeromq_close,
     .send = zeromq_say,
     .receive = zeromq_hear,
     .send_many = ask_many,
     .receive_many = answer_many},
#if BENCH_HAS_NATS
    {.name = "NATS request",
     .scenarios = CALLS,
     .slowness = 10,
     .open = nats_open,
     .close = nats_done,
     .send = nats_say,
     .receive = nats_hear,
     .send_many = ask_many,
     .receive_many = answer_many,
     .prepare = nats_prepare,
     .finish = nats_finish},
#else
    {.name = "NATS request", .prepare = nats_prepare},
#endif
    {.name = NULL},
};
