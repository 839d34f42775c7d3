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

enum { WEIR_CALLS_MAX = 1024 }; /* requests of one client that may be under way */

typedef struct weir_client weir_client;
typedef struct weir_server weir_server;

/* Open a client. The server need not be there yet.
 * Return: as weir_writer_open. */
WEIR_API int weir_client_open(const char *address, weir_client **ret, weir_error *err);
WEIR_API weir_client *weir_client_close(weir_client *client);

/* Ask, and wait for the reply. What is not answered at the deadline is taken back, as weir_client_cancel does.
 * @op, @meta, @data: as for weir_writer_send.
 * @ret: the reply, borrowed until the client's next call.
 * Return: WEIR_OK, WEIR_EREMOTE (err->text is the server's sentence), WEIR_ETIMEOUT (the sentence says whether anybody
 * serves), WEIR_EPEER (the server died), or as weir_writer_send. */
WEIR_API int weir_client_call(weir_client *client, const char *op, const weir_value *meta, const weir_value *data,
                              int64_t timeout_ns, weir_message **ret, weir_error *err);

/* Send a request and go on; its reply is received later. Many may be under way, and their replies come in any order.
 * While nobody serves, requests are kept and weir_client_receive sends them; what they say is copied.
 * Return: as weir_writer_send; WEIR_ELIMIT (WEIR_CALLS_MAX are under way). */
WEIR_API int weir_client_send(weir_client *client, const char *op, const weir_value *meta, const weir_value *data,
                              weir_error *err);
/* The next reply to any request that is under way; weir_client_id tells to which, also when it is an error. After
 * WEIR_ETIMEOUT the requests are still under way; after WEIR_EREMOTE and WEIR_EPEER that one is not.
 * @ret: borrowed until the client's next call.
 * Return: as weir_client_call, and WEIR_EINVAL (nothing is under way). */
WEIR_API int weir_client_receive(weir_client *client, int64_t timeout_ns, weir_message **ret, weir_error *err);
/* The same for the reply to request @id. Replies to others that come meanwhile are kept for weir_client_receive. */
WEIR_API int weir_client_receive_id(weir_client *client, uint64_t id, int64_t timeout_ns, weir_message **ret,
                                    weir_error *err);
/* Take a request back: its reply will not be received, and the server is told, without waiting, so that it can leave
 * the work. weir_client_call does so at its deadline.
 * Return: WEIR_OK, WEIR_EINVAL (it is not under way), WEIR_EFORKED. */
WEIR_API int weir_client_cancel(weir_client *client, uint64_t id, weir_error *err);
/* The id of the request that the last call, send, receive or cancel was about; 0: none yet. It is weir_message_id of
 * the request and of its reply. */
WEIR_API uint64_t weir_client_id(const weir_client *client);
/* How many requests are under way: sent, or waiting for somebody who serves, without a reply that was received. */
WEIR_API uint32_t weir_client_under_way(const weir_client *client);
/* As weir_reader_fd: readable while weir_client_receive has something to do. */
WEIR_API int weir_client_fd(weir_client *client, int *ret_fd, weir_error *err);

/* Open a server: one per address.
 * Return: as weir_writer_open; WEIR_EBUSY when somebody serves there already. */
WEIR_API int weir_server_open(const char *address, weir_server **ret, weir_error *err);
WEIR_API weir_server *weir_server_close(weir_server *server);

/* Another handle to the same server, for another thread: each request goes to exactly one of the handles, replies go
 * out in any order. Each handle is used by one thread at a time, different ones freely. Make the first one before a
 * request was taken; close all, in any order. A reply that waits for room, as its client does not read, holds up only
 * the handle that sends it, but in shared memory and over System V, where all clients' replies share one lane.
 * Return: WEIR_OK, WEIR_ENOMEM, WEIR_EFORKED. */
WEIR_API int weir_server_worker(weir_server *server, weir_server **ret, weir_error *err);

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
/* Has the client taken @request back, or gone? (Over file: it is not known that he has gone.) Looks at what has come,
 * without waiting; for this, @request must be a copy, or come from a handle with workers: of a request that lies where
 * it came the answer is what was known before. One that is taken back before weir_server_next came to it, but after
 * somebody asked, is not handed out at all. */
WEIR_API int weir_server_is_cancelled(weir_server *server, const weir_message *request);
/* As weir_reader_fd: readable while weir_server_next has something to do. A reply, and weir_server_is_cancelled, may
 * have taken in what came: call weir_server_next until it has nothing more before waiting on it again. */
WEIR_API int weir_server_fd(weir_server *server, int *ret_fd, weir_error *err);

#ifdef __cplusplus
}
#endif

#endif
