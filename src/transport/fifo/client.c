/* Calls: a client's way to its server, and a server's ways to its clients.
 *
 *     client ──request──► PATH ──► server            everybody's packets mix; the session says whose they are
 *     client ◄── PATH.SESSION ◄──reply── server      a pipe that the client makes and takes away
 *
 * What must stay true: a client writes only while a server's note lies on the pipe, and remembers which note, so that
 * it hears of a server that went, even when another has come since. A client's pipe stands at its path only while the
 * client has it open, or has just died: so who finds one that nobody reads may remove it. A client that finds its new
 * pipe removed makes it again. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/process.h"
#include "transport/fifo/fifo.h"

enum { SESSION_DIGITS = 8, RACES_MAX = 100 };

static void own_name(const struct weir_place *place, uint32_t session, char *ret) {
    snprintf(ret, WEIR_FIFO_OWN_NAME, "%s.%08" PRIx32, place->name, session);
}

/* ---- a client's own pipe ---- */

static int own_open(struct weir_fifo *fifo, weir_error *err) {
    struct stat about, there;
    for (int race = 0; race < RACES_MAX; race++) {
        int sys_errno = weir_pipe_make_private(fifo->own_name);
        if (sys_errno == ENOENT)
            return weir_fail(err, WEIR_ENOENT, "%s: the directory is not there; create it first", fifo->place.text);
        if (sys_errno == EACCES || sys_errno == EPERM)
            return weir_fail(
                err, WEIR_EACCESS,
                "%s: the replies come through a pipe beside it, %s, and this user may not make one in that "
                "directory",
                fifo->place.text, fifo->own_name);
        if (sys_errno != 0)
            return weir_fail_errno(err, sys_errno, "%s: a pipe for the replies, %s, cannot be made", fifo->place.text,
                                   fifo->own_name);
        /* Open for writing too, so that it does not end when a server goes. */
        int fd = open(fifo->own_name, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0 && fstat(fd, &about) == 0 && lstat(fifo->own_name, &there) == 0 && S_ISFIFO(about.st_mode) &&
            about.st_ino == there.st_ino && about.st_dev == there.st_dev) {
            fifo->in.fd = fd;
            return WEIR_OK;
        }
        if (fd >= 0)
            close(fd);
        else if (errno != ENOENT)
            break;
    }
    int sys_errno = errno;
    unlink(fifo->own_name);
    return weir_fail_errno(err, sys_errno, "%s: the pipe for the replies, %s, cannot be opened", fifo->place.text,
                           fifo->own_name);
}

int weir_client_pipe_open(struct weir_fifo *fifo, weir_error *err) {
    own_name(&fifo->place, fifo->session, fifo->own_name);
    return own_open(fifo, err);
}

void weir_client_pipe_close(struct weir_fifo *fifo) {
    struct stat there, mine;
    if (fifo->in.fd >= 0 && fifo->own_name[0] && fstat(fifo->in.fd, &mine) == 0 && lstat(fifo->own_name, &there) == 0 &&
        there.st_ino == mine.st_ino && there.st_dev == mine.st_dev)
        unlink(fifo->own_name);
}

/* ---- a client's server ---- */

static void disconnect(struct weir_fifo *fifo) {
    fifo->lost_request |= fifo->has_asked;
    fifo->has_asked = 0;
    fifo->server_note = 0;
    weir_child_close(&fifo->out.fd);
    weir_queue_clear(&fifo->out.queue);
}

static int connect_try(struct weir_fifo *fifo) {
    struct stat about;
    int fd = weir_pipe_open(&fifo->place, O_WRONLY, &about, NULL);
    uint64_t note = fd < 0 ? 0 : weir_pipe_note(fd, WEIR_NOTE_SERVER);
    if (note == 0) {
        weir_child_close(&fd);
        return WEIR_ENOENT;
    }
    fifo->out.fd = fd;
    fifo->out.framing = WEIR_FRAMING_FRAMES;
    if (weir_outlet_prepare(&fifo->out, fifo->place.capacity) != 0) {
        weir_child_close(&fifo->out.fd);
        return WEIR_ENOENT;
    }
    /* A server of another user must be able to write the replies. Nobody but us reads them; a forged one would have
     * to know the id. */
    if (about.st_uid != geteuid())
        (void)!fchmod(fifo->in.fd, 0622);
    fifo->server_note = note;
    return WEIR_OK;
}

int weir_fifo_peer_state(void *state, weir_error *err) {
    struct weir_fifo *fifo = state;
    (void)err;
    if (fifo->role != WEIR_ROLE_CLIENT)
        return WEIR_OK;
    pthread_mutex_lock(&fifo->lock);
    if (fifo->out.fd >= 0 && weir_pipe_note(fifo->out.fd, WEIR_NOTE_SERVER) != fifo->server_note)
        disconnect(fifo);
    int status = fifo->out.fd >= 0 ? WEIR_OK : connect_try(fifo);
    if (fifo->lost_request)
        status = WEIR_EPEER;
    fifo->lost_request = 0;
    pthread_mutex_unlock(&fifo->lock);
    return status;
}

/* ---- a server's clients ---- */

static void client_close(struct weir_fifo_client *client) {
    weir_child_close(&client->out.fd);
    weir_outlet_fini(&client->out);
    client->out = (struct weir_outlet){.fd = -1, .hold_fd = -1};
}

static int reply_pipe_open(const struct weir_fifo *fifo, uint32_t session) {
    char path[WEIR_FIFO_OWN_NAME];
    struct stat about;
    own_name(&fifo->place, session, path);
    int fd = open(path, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &about) == 0 && S_ISFIFO(about.st_mode))
        return fd;
    weir_child_close(&fd);
    return -1;
}

/* Nobody but the client reads his pipe, and it cannot be opened for writing when nobody does. */
int weir_fifo_has_client(void *state, uint64_t peer) {
    int fd = reply_pipe_open(state, (uint32_t)peer);
    int is_there = fd >= 0 || (errno != ENXIO && errno != ENOENT);
    weir_child_close(&fd);
    return is_there;
}

/* A free place; the client not answered for longest makes room, rather one who has taken all. */
static struct weir_fifo_client *place_find(struct weir_fifo *fifo) {
    struct weir_fifo_client *found = NULL;
    for (size_t i = 0; i < fifo->client_count; i++) {
        struct weir_fifo_client *client = &fifo->clients[i];
        if (client->out.session == 0)
            return client;
        int is_idle = client->out.queue.count == 0, found_idle = found && found->out.queue.count == 0;
        if (!found || is_idle > found_idle || (is_idle == found_idle && client->used < found->used))
            found = client;
    }
    if (fifo->client_count < WEIR_FIFO_CLIENTS_MAX) {
        found = &fifo->clients[fifo->client_count++];
        found->out = (struct weir_outlet){.fd = -1, .hold_fd = -1};
        return found;
    }
    client_close(found);
    return found;
}

struct weir_outlet *weir_client_outlet(struct weir_fifo *fifo, uint32_t session) {
    for (size_t i = 0; session && i < fifo->client_count; i++) {
        if (fifo->clients[i].out.session != session)
            continue;
        fifo->clients[i].used = ++fifo->clock;
        return &fifo->clients[i].out;
    }
    int fd = session ? reply_pipe_open(fifo, session) : -1;
    if (fd >= 0 && !fifo->clients)
        fifo->clients = calloc(WEIR_FIFO_CLIENTS_MAX, sizeof(*fifo->clients));
    if (fd < 0 || !fifo->clients) {
        weir_child_close(&fd);
        return NULL;
    }
    struct weir_fifo_client *client = place_find(fifo);
    client->used = ++fifo->clock;
    client->out.fd = fd;
    client->out.session = session;
    /* Who reads the packets knows them by our session; the table knows them by his. */
    if (weir_outlet_prepare(&client->out, fifo->place.capacity) != 0) {
        client_close(client);
        return NULL;
    }
    return &client->out;
}

static void leftover_remove(const char *path) {
    struct stat about;
    int fd = open(path, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENXIO && lstat(path, &about) == 0 && S_ISFIFO(about.st_mode))
        unlink(path);
    weir_child_close(&fd);
}

void weir_client_forget(struct weir_fifo *fifo, struct weir_outlet *outlet) {
    char path[WEIR_FIFO_OWN_NAME];
    for (size_t i = 0; i < fifo->client_count; i++) {
        if (&fifo->clients[i].out != outlet)
            continue;
        own_name(&fifo->place, outlet->session, path);
        client_close(&fifo->clients[i]);
        leftover_remove(path);
    }
}

/* "imu.fifo.0123abcd" beside "imu.fifo"? */
static int is_client_of(const char *name, const char *of) {
    size_t size = strlen(of);
    return strncmp(name, of, size) == 0 && name[size] == '.' && strlen(name) == size + 1 + SESSION_DIGITS &&
           strspn(name + size + 1, "0123456789abcdef") == SESSION_DIGITS;
}

void weir_client_sweep(const struct weir_place *place) {
    char folder[WEIR_PLACE_TEXT_MAX], path[WEIR_PLACE_TEXT_MAX + 300];
    const char *name = strrchr(place->name, '/') + 1;
    const struct dirent *entry;
    snprintf(folder, sizeof(folder), "%s", place->name);
    DIR *listing = opendir(dirname(folder));
    while (listing && (entry = readdir(listing)) != NULL) {
        if (!is_client_of(entry->d_name, name))
            continue;
        snprintf(path, sizeof(path), "%.*s%s", (int)(name - place->name), place->name, entry->d_name);
        leftover_remove(path);
    }
    if (listing)
        closedir(listing);
}
