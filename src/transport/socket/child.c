/* What a forked child lets go of: all descriptors of an end (os/child.h). An end is listed until it has none. */
#include "transport/socket/child.h"

#include "transport/socket/socket.h"

void weir_socket_let_go(void *object) {
    struct weir_socket *socket = object;
    weir_child_close(&socket->upstream.fd);
    weir_child_close(&socket->claim.listen_fd);
    weir_child_close(&socket->claim.lease_fd);
    for (size_t i = 0; i < socket->peer_count; i++)
        weir_child_close(&socket->peers[i]->fd);
    weir_child_close(&socket->pump.epoll_fd);
    weir_child_close(&socket->pump.control_fd);
    weir_child_close(&socket->pump.timer_fd);
    weir_child_close(&socket->poll_fd);
    weir_child_close(&socket->ready_fd);
}

void weir_socket_list(struct weir_socket *socket) {
    socket->child = (struct weir_child){.lock = &socket->lock, .let_go = weir_socket_let_go, .object = socket};
    weir_child_list(&socket->child);
}
