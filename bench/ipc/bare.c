/* The bare forms as mechanisms: bench/bare says what they are. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../bare/bare.h"
#include "mechanism.h"

/* ---- slots: two rings for trips, one for one way ---- */

enum { TRIP_RING = 1 << 20 };

static struct bare_slots *slots_new(struct link *link, int ring, unsigned reader) {
    struct bare_slots *slots = malloc(sizeof(*slots));
    bench_must(slots != NULL, "memory");
    size_t capacity = link->size > 4096 ? 4 << 20 : 1 << 20;
    bare_slots_open(slots, (unsigned char *)link->shared + (size_t)ring * 2 * TRIP_RING, capacity, link->size,
                    (unsigned)link->scenario->readers, reader);
    return slots;
}

static void slots_open(struct link *link) {
    unsigned reader = link->index ? (unsigned)link->index - 1 : 0;
    link->out = slots_new(link, link->scenario->is_trip && link->index, reader);
    link->in = slots_new(link, link->scenario->is_trip && !link->index, reader);
}

static void slots_close(struct link *link) {
    free(link->in);
    free(link->out);
}

static void slots_send(struct link *link, const unsigned char *bytes) {
    bare_slots_send(link->out, bytes, 64);
}

static void slots_receive(struct link *link, unsigned char *bytes) {
    bare_slots_receive(link->in, bytes, 64);
}

/* With the size known to the compiler, as it would be in a ring made for one kind of message. */
#define SLOTS_LOOPS(name, size)                                                                                        \
    static void send_##name(struct link *link, unsigned char *bytes, long count) {                                     \
        struct bare_slots slots = *(struct bare_slots *)link->out;                                                     \
        for (long i = 0; i < count; i++) {                                                                             \
            number_put(bytes, (uint64_t)i);                                                                            \
            bare_slots_send(&slots, bytes, size);                                                                      \
        }                                                                                                              \
    }                                                                                                                  \
    static uint64_t receive_##name(struct link *link, unsigned char *bytes, long count) {                              \
        struct bare_slots slots = *(struct bare_slots *)link->in;                                                      \
        for (long i = 0; i < count; i++)                                                                               \
            bare_slots_receive(&slots, bytes, size);                                                                   \
        return number_get(bytes);                                                                                      \
    }
SLOTS_LOOPS(48, 48)
SLOTS_LOOPS(any, link->size)

static void slots_send_many(struct link *link, unsigned char *bytes, long count) {
    (link->size == 48 ? send_48 : send_any)(link, bytes, count);
}

static uint64_t slots_receive_many(struct link *link, unsigned char *bytes, long count) {
    return (link->size == 48 ? receive_48 : receive_any)(link, bytes, count);
}

/* ---- the same, who waits sleeps on a futex: at once, or to several readers after a short spin ---- */

enum { FAN_SPINS = 1000 };

static void futex_send(struct link *link, const unsigned char *bytes) {
    bare_slots_send(link->out, bytes, 64);
    bare_slots_wake(link->out);
}

static void futex_receive(struct link *link, unsigned char *bytes) {
    bare_slots_sleep(link->in, 0);
    bare_slots_take(link->in, bytes, 64);
}

static void futex_send_many(struct link *link, unsigned char *bytes, long count) {
    for (long i = 0; i < count; i++) {
        number_put(bytes, (uint64_t)i);
        bare_slots_send(link->out, bytes, link->size);
        bare_slots_wake(link->out);
    }
}

static uint64_t futex_receive_many(struct link *link, unsigned char *bytes, long count) {
    for (long i = 0; i < count; i++) {
        bare_slots_sleep(link->in, FAN_SPINS);
        bare_slots_take(link->in, bytes, link->size);
    }
    return number_get(bytes);
}

/* ---- bytes in batches ---- */

static void bytes_open(struct link *link) {
    static struct bare_bytes ring; /* one for each process */
    bare_bytes_open(&ring, link->shared, 1 << 20);
    link->in = link->out = &ring;
}

static void nothing(struct link *link) {
    (void)link;
}

static void bytes_send_many(struct link *link, unsigned char *bytes, long count) {
    for (long i = 0; i < count; i += link->scenario->batch) {
        number_put(bytes, (uint64_t)i + (uint64_t)link->scenario->batch - 1);
        bare_bytes_send(link->out, bytes, 48, link->scenario->batch);
    }
}

static uint64_t bytes_receive_many(struct link *link, unsigned char *bytes, long count) {
    for (long left = count; left > 0;)
        left -= bare_bytes_receive(link->in, bytes, left);
    return number_get(bytes);
}

/* ---- a unix stream socket: a call for each message, or for 64 of them ---- */

enum { SOCKET_BATCH = 64, BLOCK = 65536 };

static void socket_open(struct link *link) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/bare%d", link->directory, link->serial);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    bench_must(fd >= 0, "socket");
    if (link->index == 0) {
        bench_must(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 1) == 0, "listen");
        link->fd = accept(fd, NULL, NULL);
        bench_must(link->fd >= 0 && close(fd) == 0 && unlink(address.sun_path) == 0, "accept");
        return;
    }
    while (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        bench_must(errno == ENOENT || errno == ECONNREFUSED ? usleep(100) == 0 : 0, "connect");
    link->fd = fd;
}

static void socket_close(struct link *link) {
    close(link->fd);
}

static void write_all(int fd, const unsigned char *bytes, size_t size) {
    for (size_t done = 0; done < size;) {
        ssize_t count = write(fd, bytes + done, size - done);
        bench_must(count > 0, "write");
        done += (size_t)count;
    }
}

static void read_all(int fd, unsigned char *bytes, size_t size) {
    for (size_t done = 0; done < size;) {
        ssize_t count = read(fd, bytes + done, size - done);
        bench_must(count > 0, "read");
        done += (size_t)count;
    }
}

static void socket_send(struct link *link, const unsigned char *bytes) {
    write_all(link->fd, bytes, 64);
}

static void socket_receive(struct link *link, unsigned char *bytes) {
    read_all(link->fd, bytes, 64);
}

static void socket_send_many(struct link *link, unsigned char *bytes, long count) {
    static unsigned char block[BLOCK];
    if (link->scenario->batch == 1) {
        for (long i = 0; i < count; i++) {
            number_put(bytes, (uint64_t)i);
            write_all(link->fd, bytes, link->size);
        }
        return;
    }
    for (long i = 0; i < count; i += SOCKET_BATCH) {
        long some = count - i < SOCKET_BATCH ? count - i : SOCKET_BATCH;
        for (long k = 0; k < some; k++) {
            number_put(bytes, (uint64_t)(i + k));
            memcpy(block + (size_t)k * 48, bytes, 48);
        }
        write_all(link->fd, block, (size_t)some * 48);
    }
}

static uint64_t socket_receive_many(struct link *link, unsigned char *bytes, long count) {
    static unsigned char block[BLOCK - BLOCK % 48];
    if (link->scenario->batch == 1) {
        for (long i = 0; i < count; i++)
            read_all(link->fd, bytes, link->size);
        return number_get(bytes);
    }
    for (size_t left = (size_t)count * 48; left > 0;) {
        size_t some = left < sizeof(block) ? left : sizeof(block);
        ssize_t size = read(link->fd, block, some);
        bench_must(size > 0, "read");
        if (size % 48) {
            read_all(link->fd, block + size, 48 - (size_t)size % 48);
            size += 48 - size % 48;
        }
        left -= (size_t)size;
        memcpy(bytes, block + size - 48, 48);
    }
    return number_get(bytes);
}

const struct mechanism bare_mechanisms[] = {
    {.name = "bare slot ring",
     .scenarios = ONLY(TRIP) | WAYS,
     .slowness = 1,
     .open = slots_open,
     .close = slots_close,
     .send = slots_send,
     .receive = slots_receive,
     .send_many = slots_send_many,
     .receive_many = slots_receive_many},
    {.name = "bare byte ring",
     .scenarios = ONLY(WAY_BATCHED),
     .slowness = 1,
     .open = bytes_open,
     .close = nothing,
     .send_many = bytes_send_many,
     .receive_many = bytes_receive_many},
    {.name = "bare futex ring",
     .scenarios = TRIPS,
     .slowness = 1,
     .open = slots_open,
     .close = slots_close,
     .send = futex_send,
     .receive = futex_receive},
    {.name = "bare broadcast ring",
     .scenarios = FANS,
     .slowness = 1,
     .open = slots_open,
     .close = slots_close,
     .send_many = futex_send_many,
     .receive_many = futex_receive_many},
    {.name = "bare unix socket",
     .scenarios = ONLY(TRIP) | ONLY(CALL) | ONLY(WAY_BATCHED) | WAYS,
     .slowness = 10,
     .open = socket_open,
     .close = socket_close,
     .send = socket_send,
     .receive = socket_receive,
     .send_many = socket_send_many,
     .receive_many = socket_receive_many},
    {.name = NULL},
};
