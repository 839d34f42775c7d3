/* Objects that a forked child must let go of.
 *
 * A child inherits its parent's descriptors, and with them leases, connections and the ends of pipes. Would it keep
 * them, then nobody could tell when the parent dies. So objects that hold such descriptors are listed here, and the
 * child closes them before fork returns in it; what it inherits is then memory only, which close gives back. */
#ifndef WEIR_OS_CHILD_H
#define WEIR_OS_CHILD_H

#include <pthread.h>

/* What is listed; part of the object. The list's lock comes before any object's. */
struct weir_child {
    pthread_mutex_t *lock;        /* held over fork, so that the child finds the object whole */
    void (*let_go)(void *object); /* in the child: close(2) and nothing else */
    void *object;
    struct weir_child *older, *newer;
};

void weir_child_list(struct weir_child *child);
void weir_child_unlist(struct weir_child *child);
/* Close *fd, if there is one, and forget it. */
void weir_child_close(int *fd);

#endif
