/* What the tests of sockets share: a scratch directory per test, ends without the channel layer, and raw
 * connections. */
#ifndef WEIR_SOCKET_TESTING_H
#define WEIR_SOCKET_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#include "transport/socket/socket.h"

#define TESTING_SECOND INT64_C(1000000000)

struct testing {
    char directory[64];
    char path[96]; /* of the socket: DIRECTORY/s */
    int fd_count;
};

/* Setup and teardown of a test. Teardown fails it when descriptors or child processes are left, which it ends. */
int testing_setup(void **state);
int testing_teardown(void **state);

/* The place of the scratch socket, as the address without options would give it. */
struct weir_place testing_place(const struct testing *testing);
/* An end; the test fails when it cannot be opened. */
struct weir_socket *testing_open(const struct weir_place *place, enum weir_role role);
struct weir_socket *testing_close(struct weir_socket *socket);
/* Send @size bytes whose values follow from @size and the frame's seq. Return: what reserve and commit return. */
int testing_send(struct weir_socket *socket, uint64_t peer, enum weir_frame_kind kind, size_t size);
/* Are the bytes of a frame those of testing_send? */
int testing_is_whole(const struct weir_inbound *inbound);
/* The next frame, within @timeout_ns. Return: its seq; 0 when none came. *ret may be NULL. */
uint64_t testing_next(struct weir_socket *socket, int64_t timeout_ns, struct weir_inbound *ret);

/* A plain connection to the scratch socket. */
int testing_connect(const struct testing *testing);
/* A plain listening socket at the scratch path. */
int testing_listen(const struct testing *testing);
/* The hello of an end of @role that nothing is wrong with. */
struct weir_hello testing_hello(enum weir_role role);
void testing_say(int fd, const struct weir_hello *hello);
/* Read a hello, which must come within 10 s. Return: what weir_hello_read returns; WEIR_ECLOSED when the connection
 * ended. */
int testing_hear(int fd, struct weir_hello *ret);
/* Read until the other side closes, for at most 10 s. Return: 1 when it has closed. */
int testing_ends(int fd);
/* Bytes of a frame, in one of a few static buffers. */
struct testing_bytes {
    const unsigned char *data;
    size_t size;
};
struct testing_bytes testing_frame(enum weir_frame_kind kind, const char *op, uint64_t seq, uint64_t id,
                                   size_t data_size);

/* Run in a child, whose exit code is what @run returns. */
pid_t testing_fork(int (*run)(void *user), void *user);
/* Return: the exit code; 1000 + the signal that killed it. */
int testing_wait(pid_t child);

#endif
