/* Forked children let go of their parent's sockets. */
#ifndef WEIR_SOCKET_CHILD_H
#define WEIR_SOCKET_CHILD_H

struct weir_socket;

/* From now on, until weir_child_unlist(&socket->child), a forked child closes its copies of this end's descriptors. */
void weir_socket_list(struct weir_socket *socket);
/* Close all descriptors of an end, and forget them. */
void weir_socket_let_go(void *object);

#endif
