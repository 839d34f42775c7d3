/* Waiting on many readers, servers and file descriptors of any kind at once. */
#ifndef WEIR_WAIT_H
#define WEIR_WAIT_H

#include <weir/base.h>
#include <weir/call.h>
#include <weir/channel.h>
#include <weir/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One thing to wait for: set exactly one of reader, server, fd (fd is looked at when both pointers are NULL). */
typedef struct weir_wait_item {
    weir_reader *reader;
    weir_server *server;
    int fd;       /* waits for readability */
    int is_ready; /* out: 1 when it has something to do */
} weir_wait_item;

/* Wait until at least one item is ready. Earlier messages of these readers and servers are released.
 * Return: WEIR_OK, WEIR_ETIMEOUT, WEIR_EINVAL, WEIR_EFORKED, WEIR_ENOMEM, WEIR_ESYSTEM. */
WEIR_API int weir_wait(weir_wait_item *items, size_t count, int64_t timeout_ns, weir_error *err);

#ifdef __cplusplus
}
#endif

#endif
