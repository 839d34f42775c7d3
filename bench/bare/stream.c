/* Bare streams: opening, and the calls. */
#include "stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { NAP_US = 100 };

union address {
    struct sockaddr any;
    struct sockaddr_un local;
    struct sockaddr_in inet;
};

static socklen_t address_of(enum bare_stream_kind kind, const char *name, int port, union address *ret) {
    memset(ret, 0, sizeof(*ret));
    if (kind == BARE_UNIX) {
        ret->local.sun_family = AF_UNIX;
        snprintf(ret->local.sun_path, sizeof(ret->local.sun_path), "%s", name);
        return sizeof(ret->local);
    }
    ret->inet.sin_family = AF_INET;
    ret->inet.sin_port = htons((uint16_t)port);
    ret->inet.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return sizeof(ret->inet);
}

static int accept_one(int fd, const union address *address, socklen_t size) {
    int yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(fd, &address->any, size) != 0 || listen(fd, 1) != 0)
        return -1;
    return accept(fd, NULL, NULL);
}

static int connect_patiently(int fd, const union address *address, socklen_t size) {
    while (connect(fd, &address->any, size) != 0)
        if ((errno != ENOENT && errno != ECONNREFUSED) || usleep(NAP_US) != 0)
            return -1;
    return fd;
}

static int fifo_open(const char *name, int is_writer) {
    if (mkfifo(name, 0600) != 0 && errno != EEXIST)
        return -1;
    return open(name, is_writer ? O_WRONLY : O_RDONLY);
}

int bare_stream_open(enum bare_stream_kind kind, const char *name, int port, int is_writer) {
    union address address;
    int yes = 1;
    if (kind == BARE_FIFO)
        return fifo_open(name, is_writer);
    socklen_t size = address_of(kind, name, port, &address);
    int fd = socket(address.any.sa_family, SOCK_STREAM, 0);
    if (fd < 0)
        return -1;
    int made = is_writer ? accept_one(fd, &address, size) : connect_patiently(fd, &address, size);
    if (made != fd)
        close(fd);
    if (made >= 0 && kind == BARE_TCP)
        setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    return made;
}

int bare_stream_write(int fd, const void *bytes, size_t size) {
    for (size_t done = 0; done < size;) {
        ssize_t count = write(fd, (const char *)bytes + done, size - done);
        if (count <= 0)
            return 0;
        done += (size_t)count;
    }
    return 1;
}

int bare_stream_read(int fd, void *bytes, size_t size) {
    for (size_t done = 0; done < size;) {
        ssize_t count = read(fd, (char *)bytes + done, size - done);
        if (count <= 0)
            return 0;
        done += (size_t)count;
    }
    return 1;
}

int bare_batch_flush(struct bare_batch *batch) {
    size_t size = batch->end;
    batch->end = 0;
    return bare_stream_write(batch->fd, batch->bytes, size);
}

int bare_batch_fetch(struct bare_batch *batch) {
    size_t left = batch->end - batch->begin;
    memmove(batch->bytes, batch->bytes + batch->begin, left);
    batch->begin = 0;
    for (batch->end = left; batch->end < batch->size;) {
        ssize_t count = read(batch->fd, batch->bytes + batch->end, BARE_BATCH - batch->end);
        if (count <= 0)
            return 0;
        batch->end += (size_t)count;
    }
    return 1;
}
