/* Looking at a pipe from outside: the latest value, and info.
 *
 * What must stay true: nothing is taken out of the pipe and no end is opened where that could be noticed. To open a
 * pipe for reading lets go who waits to write (the shell's >), so the latest value is looked for only where a writer
 * of ours is there, as /proc/locks says; then tee(2) doubles what is inside into a pipe of our own. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "os/process.h"
#include "transport/fifo/fifo.h"
#include "transport/tell.h"

/* ---- the latest value ---- */

static int keep_newest(struct weir_inlet *inlet, const char *place, struct weir_buffer *out, struct weir_inbound *ret) {
    struct weir_inbound inbound;
    int status, found = WEIR_ENOENT;
    for (;;) {
        status = weir_inlet_next(inlet, place, &inbound, NULL);
        if (status == WEIR_EAGAIN && weir_inlet_read(inlet) == WEIR_OK)
            continue;
        if (status == WEIR_EAGAIN || status == WEIR_ENOMEM)
            return status == WEIR_ENOMEM ? status : found;
        if (status != WEIR_OK)
            continue; /* it was skipped */
        out->size = 0;
        unsigned char *room = weir_buffer_room(out, inbound.size);
        if (!room)
            return WEIR_ENOMEM;
        memcpy(room, inbound.bytes, inbound.size);
        *ret = inbound;
        ret->bytes = room;
        ret->peer = 0;
        found = WEIR_OK;
    }
}

/* Double all that is in @from. Return: 0, or errno. */
static int doubled(int from, int to) {
    int size = fcntl(from, F_GETPIPE_SZ);
    if (size < 0 || fcntl(to, F_SETPIPE_SZ, size) < size)
        return errno;
    ssize_t got;
    do
        got = tee(from, to, INT_MAX, SPLICE_F_NONBLOCK);
    while (got < 0 && errno == EINTR);
    return got < 0 && errno != EAGAIN ? errno : 0;
}

static int newest_in(int fd, const struct weir_place *place, struct weir_buffer *out, struct weir_inbound *ret,
                     weir_error *err) {
    int pair[2];
    struct weir_inlet inlet = {.size_max = place->size_max, .source_max = 1, .framing = place->framing};
    if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) != 0)
        return weir_fail_errno(err, errno, "%s: no pipe to look with", place->text);
    int sys_errno = doubled(fd, pair[1]);
    close(pair[1]);
    inlet.fd = pair[0];
    int status = sys_errno ? weir_fail_errno(err, sys_errno, "%s: what is in the pipe cannot be doubled", place->text)
                           : keep_newest(&inlet, place->text, out, ret);
    if (status == WEIR_OK)
        out->size += ret->size;
    if (status == WEIR_ENOENT && sys_errno == 0)
        weir_fail(err, status, "%s: there is no message in the pipe now; weir sub -n 1 waits for one", place->text);
    if (status == WEIR_ENOMEM)
        weir_fail(err, status, "%s: no memory for a message", place->text);
    close(pair[0]);
    weir_inlet_fini(&inlet);
    return status;
}

static uint32_t writers_uid(const struct stat *about) {
    return about->st_mode & (S_IWGRP | S_IWOTH) ? (uint32_t)WEIR_UID_UNKNOWN : about->st_uid;
}

int weir_fifo_latest(const struct weir_place *place, struct weir_buffer *out, struct weir_inbound *ret,
                     weir_error *err) {
    uint64_t notes[WEIR_NOTE_LAST + 1];
    struct stat about;
    if (lstat(place->name, &about) != 0)
        return weir_pipe_absent(place, err);
    weir_pipe_look(&about, notes);
    if (S_ISFIFO(about.st_mode) && !notes[WEIR_NOTE_WRITER])
        return weir_fail(err, WEIR_ENOENT,
                         "%s: no writer is there, and a pipe keeps no message without one; weir sub -n 1 waits for the "
                         "next",
                         place->text);
    int fd = weir_pipe_open(place, O_RDONLY, &about, err);
    if (fd < 0)
        return errno == EACCES ? WEIR_EACCESS : errno == ENOENT ? WEIR_ENOENT : err ? err->code : WEIR_EADDRESS;
    int status = newest_in(fd, place, out, ret, err);
    if (status == WEIR_OK)
        ret->uid = writers_uid(&about);
    close(fd);
    return status;
}

/* ---- info ---- */

static void end_tell(weir_doc *doc, const char *key, uint64_t note) {
    uint32_t uid = 0;
    int64_t pid = weir_note_pid(note);
    weir_put_key(doc, key);
    if (note == 0 || weir_process_owner(pid, &uid) != WEIR_OK) {
        weir_put_null(doc);
        return;
    }
    weir_begin_map(doc);
    weir_tell_process(doc, pid, uid);
    weir_end(doc);
}

/* How much is in the pipe, and how much it holds. Only where an end of ours is: then nobody waits for a reader. */
static void fill_tell(const struct weir_place *place, int is_open, weir_doc *doc) {
    struct stat about;
    int inside = -1, size = -1, fd = is_open ? weir_pipe_open(place, O_RDONLY, &about, NULL) : -1;
    if (fd >= 0) {
        size = fcntl(fd, F_GETPIPE_SZ);
        if (ioctl(fd, FIONREAD, &inside) != 0)
            inside = -1;
        close(fd);
    }
    if (inside >= 0 && size >= 0) {
        weir_tell_number(doc, "inside", (uint64_t)inside);
        weir_tell_number(doc, "pipe_size", (uint64_t)size);
    } else {
        weir_tell_null(doc, "inside");
        weir_tell_null(doc, "pipe_size");
    }
}

int weir_fifo_info(const struct weir_place *place, weir_doc *doc, weir_error *err) {
    uint64_t notes[WEIR_NOTE_LAST + 1];
    struct stat about;
    if (lstat(place->name, &about) != 0)
        return weir_pipe_absent(place, err);
    if (!S_ISFIFO(about.st_mode))
        return weir_fail(err, WEIR_EADDRESS, "%s: what is there is no pipe; choose another path", place->text);
    weir_pipe_look(&about, notes);
    weir_tell_text(doc, "state", notes[0] ? "live" : "idle");
    weir_tell_text(doc, "path", place->name);
    weir_tell_rights(doc, about.st_uid, about.st_gid, about.st_mode & 0777);
    weir_tell_text(
        doc, "copies",
        "3: into the sender's queue, into the pipe, out of it; 2 when it is reserved. One more for numbers that "
        "do not lie at a multiple of 64");
    fill_tell(place, notes[WEIR_NOTE_WRITER] || notes[WEIR_NOTE_READER] || notes[WEIR_NOTE_SERVER], doc);
    end_tell(doc, "writer", notes[WEIR_NOTE_WRITER]);
    end_tell(doc, "reader", notes[WEIR_NOTE_READER] ? notes[WEIR_NOTE_READER] : notes[WEIR_NOTE_OBSERVER]);
    end_tell(doc, "server", notes[WEIR_NOTE_SERVER]);
    return WEIR_OK;
}
