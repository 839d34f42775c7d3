/* Sockets at a path. */
#ifndef WEIR_SOCKET_LOCAL_H
#define WEIR_SOCKET_LOCAL_H

#include "transport/socket/family.h"

extern const struct weir_socket_family weir_socket_local;
/* The check of the ops table. */
int weir_socket_local_check(const struct weir_place *place, weir_error *err);
/* The info of the ops table (info.c). */
int weir_socket_local_info(const struct weir_place *place, weir_doc *doc, weir_error *err);

#endif
