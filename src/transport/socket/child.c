/* Forked children let go of their parent's sockets.
 *
 * A child inherits the lease, the listening socket and all connections. Would it keep them, then nobody could tell when its parent dies:
 * the lease would stay taken, and connections would not end. So the child closes them all before fork returns to it; the end it
 * inherits is then memory only, which close gives back.
 *
 * What must stay true: fork takes place while every end's lock is held, so that the child finds the list and the ends whole. The list's
 * lock comes before any end's. Between fork and its return the child calls close(2) and unlocks, nothing else. */
#include "transport/socket/child.h"

#include <pthread.h>
#include <unistd.h>

#include "transport/socket/socket.h"

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct weir_socket *newest;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void before_fork(void) {
    pthread_mutex_lock(&list_lock);
    for (struct weir_socket *socket = newest; socket; socket = socket->older)
        pthread_mutex_lock(&socket->lock);
}

static void after_fork(void) {
    for (struct weir_socket *socket = newest; socket; socket = socket->older)
        pthread_mutex_unlock(&socket->lock);
    pthread_mutex_unlock(&list_lock);
}

static void let_go(int *fd) {
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void socket_let_go(struct weir_socket *socket) {
    let_go(&socket->upstream.fd);
    let_go(&socket->claim.listen_fd);
    let_go(&socket->claim.lease_fd);
    for (size_t i = 0; i < socket->peer_count; i++)
        let_go(&socket->peers[i]->fd);
    let_go(&socket->pump.epoll_fd);
    let_go(&socket->pump.control_fd);
    let_go(&socket->pump.timer_fd);
    let_go(&socket->poll_fd);
    let_go(&socket->ready_fd);
}

static void in_child(void) {
    for (struct weir_socket *socket = newest; socket; socket = socket->older)
        socket_let_go(socket);
    after_fork();
    newest = NULL; /* none of them is this process's */
}

static void handlers_install(void) {
    pthread_atfork(before_fork, after_fork, in_child);
}

void weir_child_list(struct weir_socket *socket) {
    pthread_once(&once, handlers_install);
    pthread_mutex_lock(&list_lock);
    socket->newer = NULL;
    socket->older = newest;
    if (newest)
        newest->newer = socket;
    newest = socket;
    pthread_mutex_unlock(&list_lock);
}

void weir_child_unlist(struct weir_socket *socket) {
    pthread_mutex_lock(&list_lock);
    if (socket->newer)
        socket->newer->older = socket->older;
    else
        newest = socket->older;
    if (socket->older)
        socket->older->newer = socket->newer;
    pthread_mutex_unlock(&list_lock);
}
