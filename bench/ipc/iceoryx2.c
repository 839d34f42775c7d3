/* iceoryx2: it is written in Rust, so what calls it is too (iceoryx2/src/lib.rs), built by fetch-peers and loaded
 * here. */
#include <dlfcn.h>
#include <stdio.h>

#include "mechanism.h"

static struct {
    void *(*open)(const char *out, const char *in, size_t size);
    void (*close)(void *end);
    _Bool (*send)(const void *end, const unsigned char *bytes, size_t copied, size_t size);
    _Bool (*receive)(const void *end, unsigned char *bytes, size_t copied);
    _Bool (*send_many)(const void *end, unsigned char *bytes, size_t copied, size_t size, uint64_t count);
    _Bool (*receive_many)(const void *end, unsigned char *bytes, size_t copied, uint64_t count);
} peer;

static const char *iceoryx2_prepare(const char *directory) {
    (void)directory;
    void *library = dlopen(BENCH_ICEORYX2, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return "it could not be built, for which cargo 1.83 or newer is needed (bench/ipc/fetch-peers)";
    const struct {
        const char *name;
        void *to;
    } wanted[] = {{"bench_open", &peer.open},           {"bench_close", &peer.close},
                  {"bench_send", &peer.send},           {"bench_receive", &peer.receive},
                  {"bench_send_many", &peer.send_many}, {"bench_receive_many", &peer.receive_many}};
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        bench_must((*(void **)wanted[i].to = dlsym(library, wanted[i].name)) != NULL, wanted[i].name);
    return NULL;
}

static void iceoryx2_open(struct link *link) {
    char channel[2][48];
    int is_driver = link->index == 0, is_trip = link->scenario->is_trip;
    for (int i = 0; i < 2; i++)
        snprintf(channel[i], sizeof(channel[i]), "weir-bench/%c%d", 'a' + i, link->serial);
    link->state = peer.open(is_driver || is_trip ? channel[!is_driver] : NULL,
                            !is_driver || is_trip ? channel[is_driver] : NULL, link->size);
    bench_must(link->state != NULL, "iceoryx2 open");
}

static void iceoryx2_close(struct link *link) {
    peer.close(link->state);
}

static void iceoryx2_send(struct link *link, const unsigned char *bytes) {
    bench_must(peer.send(link->state, bytes, link->size, link->size), "iceoryx2 send");
}

static void iceoryx2_receive(struct link *link, unsigned char *bytes) {
    bench_must(peer.receive(link->state, bytes, link->size), "iceoryx2 receive");
}

static size_t copied(const struct link *link) {
    return (LOANS >> (link->scenario - scenarios) & 1) ? 8 : link->size;
}

static void iceoryx2_send_many(struct link *link, unsigned char *bytes, long count) {
    bench_must(peer.send_many(link->state, bytes, copied(link), link->size, (uint64_t)count), "iceoryx2 send");
}

static uint64_t iceoryx2_receive_many(struct link *link, unsigned char *bytes, long count) {
    bench_must(peer.receive_many(link->state, bytes, copied(link), (uint64_t)count), "iceoryx2 receive");
    return number_get(bytes);
}

const struct mechanism iceoryx2_mechanisms[] = {
    {.name = "iceoryx2",
     .scenarios = ONLY(TRIP) | WAYS | LOANS,
     .slowness = 4,
     .open = iceoryx2_open,
     .close = iceoryx2_close,
     .send = iceoryx2_send,
     .receive = iceoryx2_receive,
     .send_many = iceoryx2_send_many,
     .receive_many = iceoryx2_receive_many,
     .prepare = iceoryx2_prepare},
    {.name = NULL},
};
