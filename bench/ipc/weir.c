/* weir: channels on the transport that the argument names. Options: stamp=0, as no peer stamps; "stamped" rows show the
 * default. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/weir.h>

#include "mechanism.h"

enum { ADDRESS_MAX = 256 };
static const int64_t PATIENCE_NS = INT64_C(30) * 1000000000;

static void check(int status, const weir_error *err) {
    if (status == WEIR_OK)
        return;
    fprintf(stderr, "bench: weir: %s\n", err->text);
    exit(1);
}

/* Trips use two channels, "a" from the driver and "b" back; one way only "a". */
static void address_of(const struct link *link, char which, char *text) {
    const char *argument = link->mechanism->argument, *options = strchr(argument, ':') + 1;
    unsigned long long capacity = link->size > 4096 ? 4 << 20 : 1 << 20;
    int readers = link->scenario->readers;
    if (link->scenario - scenarios == LOAN_1M)
        capacity *= 8;
    if (strncmp(argument, "shm", 3) == 0)
        snprintf(text, ADDRESS_MAX, "shm://bench/%c%d?keep=0&readers=%d&capacity=%llu&timeout=30s&%s", which,
                 link->serial, readers, capacity, options);
    else
        snprintf(text, ADDRESS_MAX, "unix://%s/%c%d?keep=0&readers=%d&capacity=%llu&timeout=30s&%s", link->directory,
                 which, link->serial, readers, capacity, options);
}

static void channel_open(struct link *link) {
    char address[ADDRESS_MAX];
    weir_error err;
    int is_driver = link->index == 0;
    if (is_driver || link->scenario->is_trip) {
        address_of(link, is_driver ? 'a' : 'b', address);
        check(weir_writer_open(address, (weir_writer **)&link->out, &err), &err);
    }
    if (!is_driver || link->scenario->is_trip) {
        address_of(link, is_driver ? 'b' : 'a', address);
        check(weir_reader_open(address, (weir_reader **)&link->in, &err), &err);
    }
}

static void channel_close(struct link *link) {
    weir_writer_close(link->out);
    weir_reader_close(link->in);
}

static void send_one(struct link *link, const unsigned char *bytes, size_t size) {
    weir_error err;
    check(weir_writer_send_bytes(link->out, NULL, NULL, WEIR_CODEC_CBOR, NULL, bytes, size, &err), &err);
}

static void receive_one(struct link *link, unsigned char *bytes) {
    weir_message *message;
    weir_error err;
    check(weir_reader_next(link->in, PATIENCE_NS, &message, &err), &err);
    weir_view view = weir_message_bytes(message);
    memcpy(bytes, view.data, view.size);
}

static void trip_send(struct link *link, const unsigned char *bytes) {
    send_one(link, bytes, 64);
}

static void send_many(struct link *link, unsigned char *bytes, long count) {
    weir_error err;
    for (long i = 0; i < count;) {
        if (link->scenario->batch > 1)
            weir_writer_cork(link->out);
        for (long end = i + link->scenario->batch; i < end; i++) {
            number_put(bytes, (uint64_t)i);
            send_one(link, bytes, link->size);
        }
        if (link->scenario->batch > 1)
            check(weir_writer_uncork(link->out, &err), &err);
    }
}

static uint64_t receive_many(struct link *link, unsigned char *bytes, long count) {
    for (long i = 0; i < count; i++)
        receive_one(link, bytes);
    return number_get(bytes);
}

/* ---- many in one call ---- */

enum { BATCH_MAX = 64 };

/* What is not batched is sent one by one, and only those who read take what is there. */
static void send_batches(struct link *link, unsigned char *bytes, long count) {
    weir_error err;
    weir_view data[BATCH_MAX];
    size_t batch = (size_t)link->scenario->batch;
    if (batch == 1) {
        send_many(link, bytes, count);
        return;
    }
    bench_must(batch <= BATCH_MAX, "room for a batch");
    for (size_t i = 0; i < batch; i++)
        data[i] = (weir_view){(const char *)bytes, link->size};
    for (long i = 0; i < count; i += (long)batch) {
        number_put(bytes, (uint64_t)i + batch - 1);
        check(weir_writer_send_many(link->out, NULL, NULL, WEIR_CODEC_CBOR, NULL, data, batch, NULL, &err), &err);
    }
}

static uint64_t receive_batches(struct link *link, unsigned char *bytes, long count) {
    weir_error err;
    weir_message *messages[BATCH_MAX];
    size_t some;
    for (long i = 0; i < count; i += (long)some) {
        check(weir_reader_next_many(link->in, PATIENCE_NS, messages, BATCH_MAX, &some, &err), &err);
        for (size_t k = 0; k < some; k++) {
            weir_view view = weir_message_bytes(messages[k]);
            memcpy(bytes, view.data, view.size);
        }
    }
    return number_get(bytes);
}

/* ---- loaned: 8 bytes are written in place and read in place ---- */

static void loan_many(struct link *link, unsigned char *bytes, long count) {
    weir_error err;
    char type[32];
    (void)bytes;
    snprintf(type, sizeof(type), "u8[%zu]", link->size);
    for (long i = 0; i < count; i++) {
        void *data;
        size_t size;
        check(weir_writer_reserve(link->out, NULL, NULL, type, &data, &size, &err), &err);
        number_put(data, (uint64_t)i);
        check(weir_writer_commit(link->out, &err), &err);
    }
}

static uint64_t look_many(struct link *link, unsigned char *bytes, long count) {
    uint64_t last = 0;
    weir_error err;
    (void)bytes;
    for (long i = 0; i < count; i++) {
        weir_message *message;
        check(weir_reader_next(link->in, PATIENCE_NS, &message, &err), &err);
        last = number_get((const unsigned char *)weir_message_bytes(message).data);
    }
    return last;
}

#define WEIR(title, which, slow, options)                                                                              \
    {                                                                                                                  \
        .name = title, .scenarios = which, .slowness = slow, .argument = options, .open = channel_open,                \
        .close = channel_close, .send = trip_send, .receive = receive_one, .send_many = send_many,                     \
        .receive_many = receive_many                                                                                   \
    }

const struct mechanism weir_mechanisms[] = {
    WEIR("weir shm, spinning", ONLY(TRIP) | ONLY(WAY_BATCHED) | WAYS, 1, "shm:wait=spin&stamp=0"),
    WEIR("weir shm", TRIPS | ONLY(WAY_48) | ONLY(WAY_BATCHED) | FANS, 1, "shm:stamp=0"),
    WEIR("weir shm, stamped", ONLY(TRIP) | ONLY(WAY_48) | ONLY(WAY_BATCHED), 1, "shm:wait=spin"),
    {.name = "weir shm, many in a call",
     .scenarios = ONLY(WAY_BATCHED) | FANS,
     .slowness = 1,
     .argument = "shm:stamp=0",
     .open = channel_open,
     .close = channel_close,
     .send_many = send_batches,
     .receive_many = receive_batches},
    {.name = "weir shm, loaned",
     .scenarios = LOANS,
     .slowness = 1,
     .argument = "shm:wait=spin&stamp=0",
     .open = channel_open,
     .close = channel_close,
     .send_many = loan_many,
     .receive_many = look_many},
    WEIR("weir unix", ONLY(TRIP) | ONLY(WAY_BATCHED) | WAYS, 10, "unix:stamp=0"),
    {.name = NULL},
};
