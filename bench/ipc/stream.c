/* Streams of bytes: unix, tcp on loopback, and named pipes, bare (../bare/stream.h) and as channels. A channel goes one
 * way, so a trip takes two of each. Small messages are copied out on both sides; a large one is, on both sides, whole
 * in the receiver's memory and not copied from there. "in place" is a large message that is made where it leaves from,
 * as the bare one is: of both, eight bytes are written anew for each. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <weir/weir.h>

#include "../bare/stream.h"
#include "mechanism.h"

enum { ADDRESS_MAX = 256, PORT_FIRST = 21000, PORTS = 4000, COPIED_MAX = 4096, HEAD_START_US = 10000, MANY = 32 };
static const int64_t PATIENCE_NS = INT64_C(30) * 1000000000;

#define SMALL (ONLY(TRIP) | ONLY(WAY_64))
#define LARGE (ONLY(WAY_64K) | ONLY(WAY_1M))

/* Trips use two streams, 0 from the driver and 1 back. */
static int port_of(const struct link *link, int way) {
    return PORT_FIRST + (link->serial % PORTS) * 2 + way;
}

static int is_scheme(const struct link *link, const char *scheme) {
    return strncmp(link->mechanism->argument, scheme, strlen(scheme)) == 0;
}

/* ---- bare ---- */

static int bare_way_open(const struct link *link, int way) {
    char name[ADDRESS_MAX];
    enum bare_stream_kind kind = is_scheme(link, "unix") ? BARE_UNIX : is_scheme(link, "tcp") ? BARE_TCP : BARE_FIFO;
    snprintf(name, sizeof(name), "%s/bare%d.%d", link->directory, link->serial, way);
    int fd = bare_stream_open(kind, name, port_of(link, way), (link->index != 0) == way);
    bench_must(fd >= 0, "opening a stream");
    return fd;
}

static struct bare_batch *batch_new(const struct link *link, int fd) {
    struct bare_batch *batch = calloc(1, sizeof(*batch));
    bench_must(batch != NULL, "memory");
    batch->fd = fd;
    batch->size = link->size;
    return batch;
}

static void bare_open(struct link *link) {
    int there = bare_way_open(link, 0), back = link->scenario->is_trip ? bare_way_open(link, 1) : there;
    link->in = batch_new(link, link->index ? there : back);
    link->out = batch_new(link, link->index ? back : there);
}

static void bare_close(struct link *link) {
    close(((struct bare_batch *)link->in)->fd);
    free(link->in);
    free(link->out);
}

static void bare_send(struct link *link, const unsigned char *bytes) {
    bench_must(bare_stream_write(((struct bare_batch *)link->out)->fd, bytes, link->size), "write");
}

static void bare_receive(struct link *link, unsigned char *bytes) {
    bench_must(bare_stream_read(((struct bare_batch *)link->in)->fd, bytes, link->size), "read");
}

static void batched_send_many(struct link *link, unsigned char *bytes, long count) {
    struct bare_batch *batch = link->out;
    for (long i = 0; i < count; i++) {
        number_put(bytes, (uint64_t)i);
        bench_must(bare_batch_send(batch, bytes), "write");
    }
    bench_must(bare_batch_flush(batch), "write");
}

static uint64_t batched_receive_many(struct link *link, unsigned char *bytes, long count) {
    for (long i = 0; i < count; i++)
        bench_must(bare_batch_receive(link->in, bytes), "read");
    return number_get(bytes);
}

/* ---- weir ---- */

static void check(int status, const weir_error *err) {
    if (status == WEIR_OK)
        return;
    fprintf(stderr, "bench: weir: %s\n", err->text);
    exit(1);
}

static void address_of(const struct link *link, int way, char *text) {
    const char *options = strchr(link->mechanism->argument, ':') + 1;
    unsigned long long capacity = link->size > COPIED_MAX ? 4 << 20 : 1 << 20;
    char place[ADDRESS_MAX / 2];
    if (is_scheme(link, "tcp"))
        snprintf(place, sizeof(place), "tcp://127.0.0.1:%d", port_of(link, way));
    else
        snprintf(place, sizeof(place), "%s://%s/weir%d.%d", is_scheme(link, "unix") ? "unix" : "fifo", link->directory,
                 link->serial, way);
    snprintf(text, ADDRESS_MAX, "%s?keep=0&readers=1&capacity=%llu&timeout=30s&stamp=0%s", place, capacity, options);
}

/* The end that comes first listens: the driver, unless the row says otherwise. */
static void weir_open(struct link *link) {
    char address[ADDRESS_MAX];
    weir_error err;
    int is_late = (link->index == 0) == (strstr(link->mechanism->name, "reader first") != NULL);
    if (is_late && !link->scenario->is_trip)
        usleep(HEAD_START_US);
    if (link->index == 0 || link->scenario->is_trip) {
        address_of(link, link->index, address);
        check(weir_writer_open(address, (weir_writer **)&link->out, &err), &err);
    }
    if (link->index != 0 || link->scenario->is_trip) {
        address_of(link, !link->index, address);
        check(weir_reader_open(address, (weir_reader **)&link->in, &err), &err);
    }
}

static void weir_close(struct link *link) {
    weir_writer_close(link->out);
    weir_reader_close(link->in);
}

static void weir_send(struct link *link, const unsigned char *bytes) {
    weir_error err;
    check(weir_writer_send_bytes(link->out, NULL, NULL, WEIR_CODEC_CBOR, NULL, bytes, link->size, &err), &err);
}

static void weir_receive(struct link *link, unsigned char *bytes) {
    weir_message *message;
    weir_error err;
    check(weir_reader_next(link->in, PATIENCE_NS, &message, &err), &err);
    weir_view view = weir_message_bytes(message);
    /* Of a size that is not known to have a limit: a call, as in all rows, and no string instruction. */
    if (view.size > COPIED_MAX)
        memcpy(bytes, view.data, sizeof(uint64_t));
    else
        memcpy(bytes, view.data, view.size);
}

/* Many in a call, handed out together. */
static void many_send(struct link *link, unsigned char *bytes, long count) {
    weir_error err;
    weir_view data[MANY];
    size_t sent;
    for (size_t i = 0; i < MANY; i++)
        data[i] = (weir_view){(const char *)bytes, link->size};
    for (long i = 0; i < count; i += (long)sent) {
        size_t some = count - i < MANY ? (size_t)(count - i) : MANY;
        number_put(bytes, (uint64_t)i + some - 1);
        check(weir_writer_send_many(link->out, NULL, NULL, WEIR_CODEC_CBOR, NULL, data, some, &sent, &err), &err);
    }
}

static uint64_t many_receive(struct link *link, unsigned char *bytes, long count) {
    weir_error err;
    weir_message *messages[MANY];
    size_t some;
    for (long i = 0; i < count; i += (long)some) {
        size_t most = count - i < MANY ? (size_t)(count - i) : MANY;
        check(weir_reader_next_many(link->in, PATIENCE_NS, messages, most, &some, &err), &err);
        for (size_t k = 0; k < some; k++) {
            weir_view view = weir_message_bytes(messages[k]);
            memcpy(bytes, view.data, view.size);
        }
    }
    return number_get(bytes);
}

/* A large message is made where it leaves from, as a bare program makes it in the buffer that it gives to write. */
static void place_send(struct link *link, const unsigned char *bytes) {
    weir_error err;
    char type[32];
    void *data;
    size_t size;
    snprintf(type, sizeof(type), "u8[%zu]", link->size);
    check(weir_writer_reserve(link->out, NULL, NULL, type, &data, &size, &err), &err);
    memcpy(data, bytes, sizeof(uint64_t));
    check(weir_writer_commit(link->out, &err), &err);
}

/* ---- rows ---- */

#define BARE(title, which, slow, scheme)                                                                               \
    {                                                                                                                  \
        .name = title, .scenarios = which, .slowness = slow, .argument = scheme, .open = bare_open,                    \
        .close = bare_close, .send = bare_send, .receive = bare_receive                                                \
    }
#define BATCHED(title, scheme)                                                                                         \
    {                                                                                                                  \
        .name = title, .scenarios = ONLY(WAY_64), .slowness = 1, .argument = scheme, .open = bare_open,                \
        .close = bare_close, .send_many = batched_send_many, .receive_many = batched_receive_many                      \
    }
#define WEIR(title, which, slow, arguments)                                                                            \
    {                                                                                                                  \
        .name = title, .scenarios = which, .slowness = slow, .argument = arguments, .open = weir_open,                 \
        .close = weir_close, .send = weir_send, .receive = weir_receive                                                \
    }

#define WEIR_MANY(title, arguments)                                                                                    \
    {                                                                                                                  \
        .name = title, .scenarios = ONLY(WAY_64), .slowness = 1, .argument = arguments, .open = weir_open,             \
        .close = weir_close, .send_many = many_send, .receive_many = many_receive                                      \
    }
#define WEIR_PLACE(title, arguments)                                                                                   \
    {                                                                                                                  \
        .name = title, .scenarios = LARGE, .slowness = 2, .argument = arguments, .open = weir_open,                    \
        .close = weir_close, .send = place_send, .receive = weir_receive                                               \
    }

const struct mechanism stream_mechanisms[] = {
    BARE("bare unix, two sockets", SMALL, 8, "unix:"),
    BARE("bare unix, large", LARGE, 2, "unix:"),
    BATCHED("bare unix, batched", "unix:"),
    WEIR("weir unix, a send each", ONLY(TRIP), 8, "unix:"),
    WEIR("weir unix, bursts", ONLY(WAY_64), 1, "unix:"),
    WEIR_MANY("weir unix, many in a call", "unix:"),
    WEIR("weir unix, reader first", ONLY(WAY_64), 1, "unix:"),
    WEIR("weir unix, burst=0", ONLY(WAY_64), 8, "unix:&burst=0"),
    WEIR("weir unix, large", LARGE, 2, "unix:"),
    WEIR_PLACE("weir unix, in place", "unix:"),
    BARE("bare tcp, two sockets", SMALL, 8, "tcp:"),
    BARE("bare tcp, large", LARGE, 2, "tcp:"),
    BATCHED("bare tcp, batched", "tcp:"),
    WEIR("weir tcp, a send each", ONLY(TRIP), 8, "tcp:"),
    WEIR("weir tcp, bursts", ONLY(WAY_64), 1, "tcp:"),
    WEIR_MANY("weir tcp, many in a call", "tcp:"),
    WEIR("weir tcp, large", LARGE, 2, "tcp:"),
    BARE("bare fifo", SMALL, 8, "fifo:"),
    BARE("bare fifo, large", LARGE, 2, "fifo:"),
    BATCHED("bare fifo, batched", "fifo:"),
    WEIR("weir fifo, a send each", ONLY(TRIP), 8, "fifo:"),
    WEIR("weir fifo, bursts", ONLY(WAY_64), 1, "fifo:"),
    WEIR_MANY("weir fifo, many in a call", "fifo:"),
    WEIR("weir fifo, large", LARGE, 2, "fifo:"),
    {.name = NULL},
};
