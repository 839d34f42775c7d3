/* Sockets at a port: tcp://HOST:PORT. */
#ifndef WEIR_SOCKET_INET_H
#define WEIR_SOCKET_INET_H

#include "transport/socket/family.h"

extern const struct weir_socket_family weir_socket_inet;

enum { WEIR_HOST_MAX = 200 };
/* The parts of "HOST:PORT" or "[IPV6]:PORT"; @host has room for WEIR_HOST_MAX bytes. Return: WEIR_OK, WEIR_EADDRESS. */
int weir_inet_split(const struct weir_place *place, char *host, uint16_t *ret_port, weir_error *err);
/* The check of the ops table. */
int weir_inet_check(const struct weir_place *place, weir_error *err);
/* The info of the ops table. */
int weir_inet_info(const struct weir_place *place, weir_doc *doc, weir_error *err);

#endif
