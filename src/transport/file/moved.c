/* Does a log still stand at its path? To look there costs more than to append, so writers that append often have the
 * kernel tell (inotify) when their file is renamed, removed or replaced. It tells before the call returns that did so:
 * who moves a log and sends then is not behind. What it does not tell is that a folder above was moved, so from time to
 * time writers look all the same.
 *
 * A user has few inotify instances, so all writers of a process share one, and only busy ones come here. A notice does
 * not say whose file it is about: all look at their paths then, once.
 *
 * What must stay true: only who holds the mutex takes notices off, and turn is odd from before he does until after. The
 * kernel's own lock of the notices puts that in order: whoever finds none waiting then, and turn even and as it was, has
 * missed none. Forked children have nothing of it; so the mutex is left alone until the handlers of fork are there. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "transport/file/file.h"

enum { NOTICES_SIZE = 4096 };
static const uint32_t mask = IN_MOVE_SELF | IN_DELETE_SELF | IN_ATTRIB; /* ATTRIB: the number of names, too */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct weir_moved *users; /* of the writers that are told, or were and may be again */
static int inotify_fd = -1;      /* open while there are any; it changes when there are none */
static _Atomic uint64_t turn;    /* counts beginnings and ends of taking notices off */

static void fork_begins(void) {
    pthread_mutex_lock(&mutex);
}

static void parent_goes_on(void) {
    pthread_mutex_unlock(&mutex);
}

/* The notices are the parent's. */
static void child_begins(void) {
    for (struct weir_moved *moved = users; moved; moved = moved->next)
        moved->watch = moved->is_user = 0;
    users = NULL;
    if (inotify_fd >= 0)
        close(inotify_fd);
    inotify_fd = -1;
    pthread_mutex_unlock(&mutex);
}

static void fork_watch(void) {
    pthread_atfork(fork_begins, parent_goes_on, child_begins);
}

/* Notices lead to a look, so one too many does no harm. */
static void notices_take(void) {
    char notices[NOTICES_SIZE] __attribute__((aligned(8)));
    int waiting = 0;
    pthread_mutex_lock(&mutex);
    atomic_fetch_add(&turn, 1);
    while (ioctl(inotify_fd, FIONREAD, &waiting) == 0 && waiting > 0)
        if (read(inotify_fd, notices, sizeof(notices)) <= 0)
            break; /* the next one who asks finds them again */
    atomic_fetch_add(&turn, 1);
    pthread_mutex_unlock(&mutex);
}

/* While turn is odd, what comes after our look may be taken off together with what came before it. So the next question
 * says to look, too. */
int weir_moved_ask(struct weir_moved *moved) {
    int waiting = 0;
    if (moved->watch == 0 || ioctl(inotify_fd, FIONREAD, &waiting) != 0)
        return 1;
    if (waiting > 0)
        notices_take();
    uint64_t now = atomic_load(&turn);
    int is_settled = now % 2 == 0, has_news = !moved->has_asked || !is_settled || now != moved->turn;
    moved->has_asked = is_settled;
    moved->turn = now;
    return has_news;
}

/* The mutex is held. */
static void list_remove(struct weir_moved *moved) {
    for (struct weir_moved **at = &users; *at; at = &(*at)->next)
        if (*at == moved) {
            *at = moved->next;
            break;
        }
    moved->is_user = 0;
}

/* What is to be closed, if nobody needs it any more. The mutex is held. */
static int unused_take(void) {
    int unused = -1;
    if (!users) {
        unused = inotify_fd;
        inotify_fd = -1;
    }
    return unused;
}

/* It takes the kernel some milliseconds. */
static void unused_close(int unused) {
    if (unused >= 0)
        close(unused);
}

/* The mutex is held. */
static void watch_add(struct weir_moved *moved, int fd) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (inotify_fd < 0)
        inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    int watch = inotify_fd >= 0 ? inotify_add_watch(inotify_fd, path, mask) : -1;
    moved->watch = watch > 0 ? watch : 0;
    moved->has_asked = 0;
    if (watch > 0 && !moved->is_user) {
        moved->is_user = 1;
        moved->next = users;
        users = moved;
    }
}

int weir_moved_watch(struct weir_moved *moved, int fd) {
    pthread_once(&once, fork_watch);
    pthread_mutex_lock(&mutex);
    watch_add(moved, fd);
    int unused = unused_take();
    pthread_mutex_unlock(&mutex);
    unused_close(unused);
    return moved->watch != 0;
}

/* Writers of one file share its watch. The mutex is held. */
static void watch_remove(struct weir_moved *moved) {
    int others = 0;
    for (struct weir_moved *at = users; at; at = at->next)
        others += at != moved && at->watch == moved->watch;
    if (moved->watch != 0 && !others)
        inotify_rm_watch(inotify_fd, moved->watch);
    moved->watch = 0;
}

void weir_moved_forget(struct weir_moved *moved) {
    if (moved->watch == 0)
        return;
    pthread_mutex_lock(&mutex);
    watch_remove(moved);
    pthread_mutex_unlock(&mutex);
}

void weir_moved_close(struct weir_moved *moved) {
    if (!moved->is_user)
        return;
    pthread_mutex_lock(&mutex);
    watch_remove(moved);
    list_remove(moved);
    int unused = unused_take();
    pthread_mutex_unlock(&mutex);
    unused_close(unused);
}
