/* Forked children let go.
 *
 * What must stay true: fork takes place while every listed object's lock is held, so that the child finds the list
 * and the objects whole. Between fork and its return the child calls close(2) and unlocks, nothing else. */
#include "os/child.h"

#include <stddef.h>
#include <unistd.h>

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct weir_child *newest;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void before_fork(void) {
    pthread_mutex_lock(&list_lock);
    for (struct weir_child *child = newest; child; child = child->older)
        pthread_mutex_lock(child->lock);
}

static void after_fork(void) {
    for (struct weir_child *child = newest; child; child = child->older)
        pthread_mutex_unlock(child->lock);
    pthread_mutex_unlock(&list_lock);
}

static void in_child(void) {
    for (struct weir_child *child = newest; child; child = child->older)
        child->let_go(child->object);
    after_fork();
    newest = NULL; /* none of them is this process's */
}

static void handlers_install(void) {
    pthread_atfork(before_fork, after_fork, in_child);
}

void weir_child_list(struct weir_child *child) {
    pthread_once(&once, handlers_install);
    pthread_mutex_lock(&list_lock);
    child->newer = NULL;
    child->older = newest;
    if (newest)
        newest->newer = child;
    newest = child;
    pthread_mutex_unlock(&list_lock);
}

void weir_child_unlist(struct weir_child *child) {
    pthread_mutex_lock(&list_lock);
    if (child->newer)
        child->newer->older = child->older;
    else
        newest = child->older;
    if (child->older)
        child->older->newer = child->newer;
    pthread_mutex_unlock(&list_lock);
}

void weir_child_close(int *fd) {
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}
