/* state=1: the file is one value, replaced as a whole. A writer puts the new one in place with a rename, so readers
 * find the old or the new, and other programs may do the same, or edit the file.
 *
 * What must stay true: a reader delivers each version that it finds once, whichever program wrote it; versions that
 * came and went in between are not counted, because nobody can know of them. A value that says nothing of itself is
 * data, and its time is the file's. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "os/limit.h"
#include "transport/file/file.h"

/* ---- writing ---- */

/* What stands in the file: the value alone where the message is nothing else, so that a configuration stays one. */
static int out_build(struct weir_file *file, const struct weir_frame *frame, weir_error *err) {
    struct weir_append *append = &file->append;
    append->out.size = 0;
    if (file->place.framing == WEIR_FRAMING_FRAMES)
        return weir_buffer_append(&append->out, append->pending.data, frame->size);
    int status = weir_plain_write(&append->writer, file->place.framing, frame, &append->out, err);
    if (status != WEIR_OK || frame->op.size > 0 || frame->meta.size > 0 || frame->codec == 0 ||
        frame->kind != WEIR_FRAME_MESSAGE)
        return status;
    append->out.size = 0;
    return weir_plain_write_value(weir_doc_root(append->writer.data), file->place.framing, 1, &append->out, err);
}

/* The new file looks like the one it replaces. */
static void rights_copy(const struct weir_place *place, int fd) {
    struct stat about;
    if (lstat(place->name, &about) != 0 || !S_ISREG(about.st_mode))
        return;
    (void)!fchown(fd, (uid_t)-1, about.st_gid);
    (void)!fchmod(fd, about.st_mode & 0777);
}

static int out_write(struct weir_file *file, int fd, weir_error *err) {
    struct weir_append *append = &file->append;
    size_t done = 0;
    if (append->out.size > weir_limit_file_size())
        return weir_room_none(file, fd, EFBIG, append->out.size, err);
    while (done < append->out.size) {
        ssize_t written = write(fd, append->out.data + done, append->out.size - done);
        if (written < 0 && errno == EINTR)
            continue;
        int reason = written < 0 ? errno : written == 0 ? ENOSPC : 0;
        if (reason == ENOSPC || reason == EDQUOT)
            return weir_room_none(file, fd, reason, append->out.size, err);
        if (reason)
            return weir_fail_errno(err, reason, "%s: the new value cannot be written; the old one stays",
                                   file->place.text);
        done += (size_t)written;
    }
    if (fsync(fd) != 0)
        return weir_fail_errno(err, errno, "%s: the new value cannot be brought to the disk; the old one stays",
                               file->place.text);
    return WEIR_OK;
}

static int replace(struct weir_file *file, weir_error *err) {
    char aside[WEIR_FILE_PATH_MAX];
    int fd = -1, status = weir_file_make_aside(&file->place, aside, &fd, err);
    if (status != WEIR_OK)
        return status;
    rights_copy(&file->place, fd);
    status = out_write(file, fd, err);
    close(fd);
    if (status == WEIR_OK && rename(aside, file->place.name) != 0)
        status = weir_fail_errno(err, errno, "%s: the new value cannot be put in place", file->place.text);
    if (status != WEIR_OK)
        unlink(aside);
    else
        weir_file_sync_directory(&file->place);
    return status;
}

static int value_put(struct weir_file *file, weir_error *err) {
    struct weir_append *append = &file->append;
    struct weir_lease_note note = {0};
    struct weir_frame frame;
    uint64_t word;
    int status = weir_lease_lock(&append->lease, &file->place, file->place.timeout_ns, err);
    if (status == WEIR_OK) {
        weir_lease_read(&append->lease, &note);
        note.seq++;
        memcpy(append->pending.data + 8, &note.seq, sizeof(note.seq));
        memcpy(&word, append->pending.data, sizeof(word));
        status = weir_frame_parse(word, append->pending.data, weir_frame_word_size(word), &frame);
    }
    if (status == WEIR_OK)
        status = out_build(file, &frame, err);
    if (status == WEIR_OK)
        status = replace(file, err);
    if (status == WEIR_OK) {
        note.ino = note.end = 0;
        weir_lease_write(&append->lease, &note);
        append->seq = append->slot->seq = note.seq;
    }
    weir_lease_unlock(&append->lease);
    return status;
}

int weir_state_commit(struct weir_file *file, weir_error *err) {
    struct weir_append *append = &file->append;
    int64_t deadline = 0;
    int status;
    do
        status = value_put(file, err);
    while (status == WEIR_ENOSPC && file->place.full == WEIR_FULL_BLOCK &&
           (status = weir_room_wait(file, &deadline, err)) == WEIR_OK);
    if (status == WEIR_ETIMEOUT) /* the caller takes it back */
        return status;
    append->pending.size = 0;
    append->count = 0;
    return status;
}

/* ---- reading ---- */

static int64_t time_of(const struct stat *about) {
    return (int64_t)about->st_mtim.tv_sec * 1000000000 + about->st_mtim.tv_nsec;
}

void weir_state_forget(struct weir_file *file) {
    if (file->state_fd >= 0)
        close(file->state_fd);
    file->state_fd = -1;
    file->state_ino = file->state_size = 0;
    file->state_mtime = 0;
}

static int is_delivered(const struct weir_file *file, const struct stat *about) {
    return file->state_ino == about->st_ino && file->state_mtime == time_of(about) &&
           file->state_size == (uint64_t)about->st_size;
}

/* @fd of it becomes ours: while it is open, no other file is given its inode. */
static void version_note(struct weir_file *file, int fd, const struct stat *about) {
    weir_state_forget(file);
    file->state_fd = fd;
    file->state_ino = about->st_ino;
    file->state_mtime = time_of(about);
    file->state_size = (uint64_t)about->st_size;
}

static int frame_make(struct weir_file *file, const unsigned char *bytes, size_t size, const struct stat *about,
                      weir_error *err) {
    struct weir_cursor *cursor = &file->cursor;
    struct weir_frame frame;
    uint64_t word = 0;
    int status;
    if (file->place.framing == WEIR_FRAMING_FRAMES) {
        memcpy(&word, bytes, size < 8 ? size : 8);
        status = size < 8 ? WEIR_ECORRUPT : weir_frame_parse(word, bytes, size, &frame);
        if (status != WEIR_OK || frame.size != size)
            return weir_fail(err, WEIR_ECORRUPT, "it holds no frame of weir");
    } else {
        status = weir_plain_read(&cursor->reader, file->place.framing, bytes, size, &frame, err);
        if (status != WEIR_OK)
            return status;
    }
    if (!(frame.flags & WEIR_FRAME_TIME)) {
        frame.flags |= WEIR_FRAME_TIME;
        frame.time = time_of(about);
    }
    frame.flags &= (uint8_t)~WEIR_FRAME_CRC;
    frame.seq = frame.seq > file->seq ? frame.seq : file->seq + 1;
    cursor->frame.size = 0;
    unsigned char *room = weir_frame_layout(&frame) == WEIR_OK ? weir_buffer_room(&cursor->frame, frame.size) : NULL;
    if (!room)
        return weir_fail(err, WEIR_ENOMEM, "out of memory for a value of %zu bytes", size);
    weir_frame_write_whole(&frame, room);
    cursor->frame.size = frame.size;
    file->seq = frame.seq;
    return WEIR_OK;
}

/* Read a version. Return: WEIR_OK; WEIR_EAGAIN (it is empty, or changes while we read); WEIR_ECORRUPT and others. */
static int version_read(struct weir_file *file, int fd, struct stat *about, weir_error *err) {
    struct weir_cursor *cursor = &file->cursor;
    const unsigned char *bytes;
    struct stat after;
    size_t size;
    if (fstat(fd, about) != 0)
        return WEIR_EAGAIN;
    if ((uint64_t)about->st_size > file->place.size_max + file->place.size_max / 2)
        return weir_fail(err, WEIR_ECORRUPT, "it is over the limit of %llu bytes; raise max= in the address",
                         (unsigned long long)file->place.size_max);
    weir_cursor_move(cursor, fd, 0, 0, 0);
    cursor->window.size = 0;
    int status = weir_cursor_window(cursor, 0, (size_t)about->st_size + 1, &bytes, &size, err);
    if (status != WEIR_OK)
        return status;
    if (fstat(fd, &after) != 0 || size == 0 || size != (size_t)after.st_size || time_of(&after) != time_of(about))
        return WEIR_EAGAIN;
    file->uid = about->st_uid;
    return frame_make(file, bytes, size, about, err);
}

static int state_look(struct weir_file *file, weir_error *err) {
    struct stat about;
    weir_error why = {0};
    int fd = -1;
    if (lstat(file->place.name, &about) == 0 && is_delivered(file, &about))
        return WEIR_EAGAIN;
    int status = weir_file_open(&file->place, file->place.name, 0, 0, &fd, NULL, &why);
    if (status == WEIR_ENOENT)
        return WEIR_EAGAIN;
    if (status != WEIR_OK) {
        if (err)
            *err = why;
        return status;
    }
    status = version_read(file, fd, &about, &why);
    file->cursor.fd = -1;
    if (status == WEIR_EAGAIN) {
        close(fd);
        return status;
    }
    version_note(file, fd, &about); /* also when it cannot be read: that is told once */
    if (status != WEIR_OK)
        return weir_fail(err, status == WEIR_ENOMEM ? status : WEIR_ECORRUPT, "%s: cannot be read: %.350s",
                         file->place.text, why.text);
    return WEIR_OK;
}

int weir_state_next(struct weir_file *file, struct weir_inbound *ret, weir_error *err) {
    weir_watch_drain(&file->watch);
    int status = state_look(file, err);
    weir_watch_ready(&file->watch, status != WEIR_EAGAIN);
    if (status != WEIR_OK)
        return status;
    *ret = (struct weir_inbound){.bytes = file->cursor.frame.data, .size = file->cursor.frame.size, .uid = file->uid};
    memcpy(&ret->word, ret->bytes, sizeof(ret->word));
    return WEIR_OK;
}

int weir_state_seek(struct weir_file *file, enum weir_from from, weir_error *err) {
    struct stat about;
    (void)err;
    weir_state_forget(file);
    int fd = open(file->place.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    int is_there = (fd >= 0 ? fstat(fd, &about) : lstat(file->place.name, &about)) == 0 && about.st_size > 0;
    if (from == WEIR_FROM_NOW && is_there)
        version_note(file, fd, &about);
    else if (fd >= 0)
        close(fd);
    return from == WEIR_FROM_LAST && !is_there ? WEIR_EAGAIN : WEIR_OK;
}
