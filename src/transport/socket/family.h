/* What differs between kinds of sockets: how an address is listened at, connected to, and whom a listener lets in. */
#ifndef WEIR_SOCKET_FAMILY_H
#define WEIR_SOCKET_FAMILY_H

#include <stdint.h>
#include <sys/socket.h>

#include "transport/transport.h"

/* Where an address leads, looked up once, when an end opens. Families that need no looking up leave it empty. */
enum { WEIR_ENDPOINTS_MAX = 8 };
struct weir_endpoints {
    uint32_t count;
    uint32_t turn; /* which of them is tried first */
    struct sockaddr_storage items[WEIR_ENDPOINTS_MAX];
};

/* The right to listen, and the socket that does. */
struct weir_claim {
    int listen_fd;   /* -1: none */
    int lease_fd;    /* -1: none; the socket itself is the lease where the kernel lets only one listen */
    uint64_t device; /* of the socket's file */
    uint64_t inode;
};

/* A connection that was begun. */
struct weir_link {
    int fd;              /* a blocking socket */
    uint8_t is_underway; /* not made yet: writable when it is, or has failed (SO_ERROR) */
};

struct weir_credentials {
    uint32_t uid; /* WEIR_UID_UNKNOWN where the kernel does not say */
    int32_t pid;
};

struct weir_socket_family {
    uint8_t is_one_machine; /* shutdown(SHUT_RD) here stops the other end; what was sent has arrived */
    /* Return: WEIR_OK, WEIR_EADDRESS (no such place, or not one that may be used), WEIR_ESYSTEM. */
    int (*resolve)(const struct weir_place *place, struct weir_endpoints *ret, weir_error *err);
    /* Return: WEIR_OK, WEIR_EBUSY (somebody else listens), WEIR_ENOTSUP (the place is not on this machine),
     * WEIR_EACCESS, WEIR_EADDRESS, others. */
    int (*claim)(const struct weir_place *place, const struct weir_endpoints *at, const char *what,
                 struct weir_claim *ret, weir_error *err);
    /* Stop listening and take away what claim made. */
    void (*unclaim)(const struct weir_place *place, struct weir_claim *claim);
    /* Return: WEIR_OK, WEIR_ENOENT (nobody listens), WEIR_EAGAIN (not at this moment), WEIR_EACCESS, WEIR_EADDRESS,
     * WEIR_ESYSTEM. */
    int (*connect)(const struct weir_place *place, struct weir_endpoints *to, struct weir_link *ret, weir_error *err);
    /* Who is at the other end, and may he connect to us? Return: WEIR_OK, WEIR_EACCESS. */
    int (*admit)(const struct weir_place *place, int fd, struct weir_credentials *ret, weir_error *err);
};

#endif
