/* ZeroMQ over ipc: a PAIR for round trips, PUSH and PULL one way, XPUB and SUB to several, without limits on its queues
 * (for SUB: blocking when they are full, as nothing may be lost). */
#include <stdio.h>

#include <zmq.h>

#include "mechanism.h"

static void zeromq_open(struct link *link) {
    char address[TEXT_MAX];
    int is_driver = link->index == 0, is_fan = link->scenario->readers > 1, yes = 1;
    int kind = link->scenario->is_trip ? ZMQ_PAIR
               : is_driver             ? is_fan ? ZMQ_XPUB : ZMQ_PUSH
               : is_fan                ? ZMQ_SUB
                                       : ZMQ_PULL;
    snprintf(address, sizeof(address), "ipc://%s/zeromq%d", link->directory, link->serial);
    link->in = zmq_ctx_new();
    link->out = zmq_socket(link->in, kind);
    bench_must(link->out != NULL, "zmq_socket");
    int limit = link->size > 4096 ? 64 : 100000;
    zmq_setsockopt(link->out, ZMQ_SNDHWM, &limit, sizeof(limit));
    zmq_setsockopt(link->out, ZMQ_RCVHWM, &limit, sizeof(limit));
    if (kind == ZMQ_SUB)
        zmq_setsockopt(link->out, ZMQ_SUBSCRIBE, "", 0);
    if (kind == ZMQ_XPUB) {
        zmq_setsockopt(link->out, ZMQ_XPUB_NODROP, &yes, sizeof(yes));
        zmq_setsockopt(link->out, ZMQ_XPUB_VERBOSE, &yes,
                       sizeof(yes)); /* tell of every subscriber, not only the first */
    }
    bench_must((is_driver ? zmq_bind(link->out, address) : zmq_connect(link->out, address)) == 0, "zmq_bind");
    if (kind != ZMQ_XPUB)
        return;
    for (int i = 0; i < link->scenario->readers; i++) {
        char subscription[8];
        bench_must(zmq_recv(link->out, subscription, sizeof(subscription), 0) >= 0, "zmq_recv");
    }
}

static void zeromq_close(struct link *link) {
    zmq_close(link->out);
    zmq_ctx_term(link->in);
}

static void zeromq_send(struct link *link, const unsigned char *bytes) {
    bench_must(zmq_send(link->out, bytes, link->size, 0) == (int)link->size, "zmq_send");
}

static void zeromq_receive(struct link *link, unsigned char *bytes) {
    bench_must(zmq_recv(link->out, bytes, link->size, 0) == (int)link->size, "zmq_recv");
}

const struct mechanism zeromq_mechanisms[] = {
    {.name = "ZeroMQ ipc",
     .scenarios = ONLY(TRIP) | ONLY(WAY_64) | WAYS | FANS,
     .slowness = 10,
     .open = zeromq_open,
     .close = zeromq_close,
     .send = zeromq_send,
     .receive = zeromq_receive},
    {.name = NULL},
};
