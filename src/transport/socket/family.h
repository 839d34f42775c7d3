/* What differs between kinds of sockets: how an address is listened at, connected to, and whom a listener lets in. */
#ifndef WEIR_SOCKET_FAMILY_H
#define WEIR_SOCKET_FAMILY_H

#include <stdint.h>

#include "transport/transport.h"

/* The right to listen, and the socket that does. */
struct weir_claim {
    int listen_fd; /* -1: none */
    int lease_fd;
    uint64_t device; /* of the socket's file */
    uint64_t inode;
};

struct weir_credentials {
    uint32_t uid;
    int32_t pid;
};

struct weir_socket_family {
    /* Return: WEIR_OK, WEIR_EBUSY (somebody else listens), WEIR_EACCESS, WEIR_EADDRESS, others. */
    int (*claim)(const struct weir_place *place, const char *what, struct weir_claim *ret, weir_error *err);
    /* Stop listening and take away what claim made. */
    void (*unclaim)(const struct weir_place *place, struct weir_claim *claim);
    /* A connection; @ret_fd is a blocking socket. Return: WEIR_OK, WEIR_ENOENT (nobody listens), WEIR_EAGAIN (not at this moment),
     * WEIR_EACCESS, WEIR_EADDRESS, WEIR_ESYSTEM. */
    int (*connect)(const struct weir_place *place, int *ret_fd, weir_error *err);
    /* Who is at the other end, and may he connect to us? Return: WEIR_OK, WEIR_EACCESS. */
    int (*admit)(const struct weir_place *place, int fd, struct weir_credentials *ret, weir_error *err);
};

#endif
