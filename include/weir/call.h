/* Clients and servers: the ends of a call, a request and its one reply. */
#ifndef WEIR_CALL_H
#define WEIR_CALL_H

#include <weir/base.h>
#include <weir/error.h>
#include <weir/message.h>
#include <weir/value.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weir_client weir_client;
typedef struct weir_server weir_server;

/* Open a client. The server need not be there yet.
 * Return: as weir_writer_open. */
WEIR_API int weir_client_open(const char *address, weir_client **ret, weir_error *err);
WEIR_API weir_client *weir_client_close(weir_client *client);

/* Ask, and wait for the reply. A reply that comes after the deadline is thrown away.
 * @op, @meta, @data: as for weir_writer_send.
 * @ret: the reply, borrowed until the client's next call.
 * Return: WEIR_OK, WEIR_EREMOTE (err->text is the server's sentence), WEIR_ETIMEOUT (the sentence says whether anybody
 * serves), WEIR_EPEER (the server died), or as weir_writer_send. */
WEIR_API int weir_client_call(weir_client *client, const char *op, const weir_value *meta, const weir_value *data,
                              int64_t timeout_ns, weir_message **ret, weir_error *err);

/* The two halves of a call, for event loops and for waits that must notice other things: send the request, then receive
 * its reply, again and again until that returns something other than WEIR_ETIMEOUT. A client has one call under way:
 * sending the next, in whichever way, gives the earlier one up.
 * Return: weir_client_send as weir_writer_send; weir_client_receive as weir_client_call, and WEIR_EINVAL (nothing was
 * sent). */
WEIR_API int weir_client_send(weir_client *client, const char *op, const weir_value *meta, const weir_value *data,
                              weir_error *err);
WEIR_API int weir_client_receive(weir_client *client, int64_t timeout_ns, weir_message **ret, weir_error *err);
/* As weir_reader_fd: readable while weir_client_receive has something to do. */
WEIR_API int weir_client_fd(weir_client *client, int *ret_fd, weir_error *err);

/* Open a server: one per address.
 * Return: as weir_writer_open; WEIR_EBUSY when somebody serves there already. */
WEIR_API int weir_server_open(const char *address, weir_server **ret, weir_error *err);
WEIR_API weir_server *weir_server_close(weir_server *server);

/* The next request, borrowed until the server's next weir_server_next. Answer each with reply or fail, once.
 * Return: as weir_reader_next. */
WEIR_API int weir_server_next(weir_server *server, int64_t timeout_ns, weir_message **ret, weir_error *err);
/* Answer a request (or a copy of it, later). A client that has gone is no error.
 * Return: WEIR_OK, WEIR_EENCODE, WEIR_ETOOBIG, WEIR_ENOMEM, WEIR_EFORKED. */
WEIR_API int weir_server_reply(weir_server *server, const weir_message *request, const weir_value *meta,
                               const weir_value *data, weir_error *err);
/* Answer with an error: the client's call returns WEIR_EREMOTE with @sentence.
 * @code: a number of the server's own, given to the client as err->sys_errno. */
WEIR_API int weir_server_fail(weir_server *server, const weir_message *request, int code, const char *sentence,
                              weir_error *err);
/* As weir_reader_fd: readable while weir_server_next has something to do. */
WEIR_API int weir_server_fd(weir_server *server, int *ret_fd, weir_error *err);

#ifdef __cplusplus
}
#endif

#endif
