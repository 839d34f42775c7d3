/* The server from inside, for those who wait on many. */
#ifndef WEIR_CHANNEL_SERVER_H
#define WEIR_CHANNEL_SERVER_H

#include <weir/call.h>

/* Is there a request for the next weir_server_next? Return: WEIR_OK, WEIR_EAGAIN, others as weir_server_next. */
int weir_server_peek(weir_server *server, weir_error *err);

#endif
