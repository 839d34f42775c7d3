/* TLS 1.3 over a connection's bytes. tls.c is the only file that knows OpenSSL.
 *
 * OpenSSL never touches a socket: it is given what has come and asked for what is to go, so that everything is sent and
 * received in one way (never blocking, never SIGPIPE). */
#ifndef WEIR_SOCKET_TLS_H
#define WEIR_SOCKET_TLS_H

#include <stddef.h>
#include <sys/types.h>

#include "frame/stream.h"
#include "transport/transport.h"

/* What an address asks for, made once per end. */
struct weir_tls_context;
/* One connection. */
struct weir_tls;

enum { WEIR_TLS_KEY_SIZE = 32, WEIR_TLS_UNKNOWN_MAX = 64 << 10 /* bytes taken of somebody who is not let in yet */ };

/* Does the address ask for TLS? */
static inline int weir_tls_is_wanted(const struct weir_place *place) {
    return place->cert[0] || place->key[0] || place->ca[0] || place->psk[0];
}
/* Do its options fit together, and can this build do it? Return: WEIR_OK, WEIR_EADDRESS, WEIR_ENOTSUP. */
int weir_tls_check(const struct weir_place *place, weir_error *err);
/* Read keys and certificates. *ret: NULL when no TLS is wanted. @host: the name that the listener's certificate must
 * have.
 * Return: WEIR_OK, WEIR_ENOENT, WEIR_EACCESS, WEIR_EADDRESS, WEIR_ENOTSUP, WEIR_ENOMEM. */
int weir_tls_setup(const struct weir_place *place, const char *host, struct weir_tls_context **ret, weir_error *err);
/* NULL is fine. Return: NULL. */
struct weir_tls_context *weir_tls_teardown(struct weir_tls_context *context);
/* Can an end with these options listen? It needs a key of its own. */
int weir_tls_can_listen(const struct weir_tls_context *context);

/* Begin a connection. Return: NULL when there is no memory. */
struct weir_tls *weir_tls_begin(struct weir_tls_context *context, int is_listener);
/* Say goodbye if it can be said at once, and give the memory back. NULL is fine. Return: NULL. */
struct weir_tls *weir_tls_end(struct weir_tls *tls, int fd);
/* Are both sides sure of each other? */
int weir_tls_is_up(const struct weir_tls *tls);
/* Fetch what is there and add it to @stream. Return: WEIR_OK (something came), WEIR_EAGAIN, WEIR_ECLOSED, WEIR_ENOMEM,
 * WEIR_EACCESS (the handshake, or a record, is no good; weir_tls_why says why). */
int weir_tls_read(struct weir_tls *tls, int fd, struct weir_stream *stream);
/* Nothing more will come, though the connection may still stand. */
int weir_tls_has_ended(const struct weir_tls *tls);
/* Take bytes to send, if not too many wait already. Return: how many were taken; 0: none now; -1: the connection is
 * gone. */
ssize_t weir_tls_write(struct weir_tls *tls, int fd, const void *bytes, size_t size);
/* Send what waits, until the socket is full. Return: WEIR_OK, WEIR_ECLOSED. */
int weir_tls_flush(struct weir_tls *tls, int fd);
int weir_tls_has_output(const struct weir_tls *tls);
/* The end of a sentence that begins with who is at the other side: "the listener ...". */
void weir_tls_why(const struct weir_tls *tls, char *text, size_t size);
/* Did the other side speak something else than TLS? Then its first bytes, for who wants to answer in kind. */
int weir_tls_is_foreign(const struct weir_tls *tls, unsigned char *ret_first);

#endif
