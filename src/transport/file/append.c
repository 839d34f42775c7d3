/* Writing. Frames are gathered in memory and written under the lock of the log: one alone at once, corked ones in
 * batches, each batch with one system call. Their numbers are given under the lock, so the messages of all writers are
 * counted in one row.
 *
 * Under the lock, before a batch is written:
 *   1. Is our file still the one at the path? Another writer may have rotated it; somebody may have replaced it. Who
 *      appends often has the kernel tell him (moved.c).
 *   2. Does it end where we left it, or where the note in the lock file says? Then nobody was killed while he wrote,
 *      and that number goes on, unless the lock file has grown, as it does when somebody looks for the end in the log. In a
 *      .weir log what others have added is little, and walked over: the note is only written
 *      every few thousand bytes. Otherwise the end is looked for, and what is behind the last whole message is cut off.
 *   3. Is it time to rotate?
 *
 * What must stay true: a write that does not succeed as a whole is taken back (ftruncate) before the lock is given
 * back; after a failed sync nothing is written any more, because what the kernel has then is not known; the note is
 * written after what it tells of, and believed only while the writers of one boot follow each other: after a power cut
 * size and content need not belong together, so who comes first looks at the log. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "os/limit.h"
#include "os/process.h"
#include "transport/file/file.h"

enum {
    ALIGNMENT = 64, /* of frames that are given out to be filled */
    TIME_AT = 16,
    WALK_MAX = 16384,
    NOTE_EVERY = 16384, /* some batches, as a note costs a fifth of one; not more than others walk over */
    MANY_SIZE = 128 << 10,
    LOOKS_MANY = 1000,
    /* Around the beginning of a batch or block up to three records have a header of 32 bytes more than a short one (a
     * message that two blocks share has two, and one without a time behind it must say when), and less than 40 bytes at
     * a block's end stay empty. */
    BLOCK_MORE = 3 * WEIR_LOG_RECORD_HEADER + WEIR_LOG_FRAGMENT_MIN + WEIR_FILE_POSTED
};
static const int64_t MANY_WAIT_NS = 100000000, LOOKS_NS = 1000000000, LOOKS_PAUSE_NS = 10000000000;

/* ---- where the log ends ---- */

static struct weir_lease_note *note_get(struct weir_append *append) {
    if (append->is_noted)
        return &append->note;
    append->note = (struct weir_lease_note){0};
    append->is_note_good = weir_lease_read(&append->lease, &append->note);
    append->is_noted = 1;
    return &append->note;
}

/* Whoever is alone needs none before he goes; if he is killed, the log is looked at. */
static void note_write(struct weir_append *append) {
    if (append->lease.is_exclusive)
        return;
    struct weir_lease_note *note = note_get(append);
    note->ino = append->ino;
    note->end = append->noted_end = append->end;
    note->seq = append->seq;
    weir_lease_write(&append->lease, note);
}

/* What was noted of syncs before this holds no more: the log may have lost bytes that were on the disk, or be another file
 * with the inode of one that is gone. */
static void look_renew(struct weir_append *append) {
    struct weir_lease_note *note = note_get(append);
    weir_random(&note->look, sizeof(note->look));
    append->look = note->look;
    note_write(append);
}

/* May others find the end by walking on from an older note? Who waits for the disk wants to be in the note at once. */
static int is_walked(const struct weir_file *file) {
    return file->place.framing == WEIR_FRAMING_FRAMES && file->place.sync != WEIR_SYNC_ALWAYS;
}

static int reopen(struct weir_file *file, weir_error *err) {
    struct weir_append *append = &file->append;
    int fd = -1, made = 0;
    int status = weir_file_open(&file->place, file->place.name, 1, file->place.may_create, &fd, &made, err);
    if (status != WEIR_OK)
        return status;
    weir_moved_forget(&append->moved);
    if (append->fd >= 0)
        close(append->fd);
    append->fd = fd;
    append->end = UINT64_MAX;
    append->begun = 0;
    append->generation = 0;
    if (made && !file->place.is_kept) {
        note_get(append)->flags |= WEIR_LEASE_KEEPS_NOT;
        if (weir_lease_may_note(&file->place, NULL) == WEIR_OK)
            weir_lease_write(&append->lease, &append->note);
    }
    if (file->place.sync != WEIR_SYNC_NONE) /* what is on the disk must be found there, whoever has made the file */
        weir_file_sync_directory(&file->place);
    return WEIR_OK;
}

/* A log whose header is not on the disk cannot be read after a power cut, so it goes there before anything else. */
static int header_write(struct weir_file *file, int fd, uint64_t seq_before, uint64_t previous, weir_error *err) {
    unsigned char bytes[WEIR_LOG_HEADER_SIZE];
    struct weir_log_header header = {.seq_before = seq_before, .created = weir_clock_realtime(), .previous = previous};
    while (header.generation == 0)
        weir_random(&header.generation, sizeof(header.generation));
    weir_log_header_write(&header, bytes);
    ssize_t written = weir_limit_file_size() < sizeof(bytes) ? 0 : pwrite(fd, bytes, sizeof(bytes), 0);
    if (written == (ssize_t)sizeof(bytes) && (file->place.sync == WEIR_SYNC_NONE || fdatasync(fd) == 0)) {
        file->append.generation = header.generation;
        return WEIR_OK;
    }
    int reason = written < 0 || written == (ssize_t)sizeof(bytes) ? errno : ENOSPC;
    (void)!ftruncate(fd, 0);
    return weir_fail_errno(err, reason, "%s: the log's header cannot be written", file->place.text);
}

/* Did a writer of ours begin this line? Others write their keys in other orders, or are not done yet. */
static int is_ours(const unsigned char *bytes, size_t size) {
    static const char begin[] = "{\"seq\":";
    return memcmp(bytes, begin, size < sizeof(begin) - 1 ? size : sizeof(begin) - 1) == 0;
}

/* A last line without its newline. A value counts as a message, and so does what somebody else has begun; both get the
 * newline.
 * Return: WEIR_EAGAIN: half a line of ours, to be cut off. */
static int line_finish(struct weir_file *file, struct weir_log_end *end, weir_error *err) {
    struct weir_cursor *cursor = &file->append.cursor;
    struct weir_frame frame;
    const unsigned char *bytes;
    size_t size;
    int status = weir_cursor_window(cursor, end->end, (size_t)(end->size - end->end), &bytes, &size, err);
    if (status != WEIR_OK)
        return status;
    int is_value = weir_plain_read(&cursor->reader, WEIR_FRAMING_JSON, bytes, size, &frame, NULL) == WEIR_OK;
    if (!is_value && is_ours(bytes, size))
        return WEIR_EAGAIN;
    if (end->size >= weir_limit_file_size())
        return weir_fail(err, WEIR_ENOSPC,
                         "%s: the last line cannot be ended, as files of this process may not be so large "
                         "(RLIMIT_FSIZE); raise the limit",
                         file->place.text);
    end->seq = is_value && frame.seq ? frame.seq : end->seq + 1;
    end->end = end->size + 1;
    cursor->window.size = 0;
    if (write(file->append.fd, "\n", 1) != 1)
        return weir_fail_errno(err, errno, "%s: the last line cannot be ended", file->place.text);
    return WEIR_OK;
}

/* What is behind the last whole message is no message: a writer was killed. */
static int repair(struct weir_file *file, struct weir_log_end *end, weir_error *err) {
    int status = WEIR_EAGAIN;
    if (end->size == end->end || end->tail == WEIR_TAIL_CLEAN)
        return WEIR_OK;
    if (file->place.framing == WEIR_FRAMING_JSON)
        status = line_finish(file, end, err);
    if (status != WEIR_EAGAIN)
        return status;
    if (ftruncate(file->append.fd, (off_t)end->end) == 0)
        return WEIR_OK;
    return weir_fail_errno(err, errno, "%s: what a killed writer left cannot be cut off", file->place.text);
}

/* A power cut may leave a file of nothing but zeros: its size was on the disk, and nothing else. */
static int is_empty(int fd, uint64_t size) {
    unsigned char bytes[4096];
    for (uint64_t at = 0; at < size;) {
        ssize_t got = pread(fd, bytes, sizeof(bytes), (off_t)at);
        if (got <= 0)
            return 0;
        for (ssize_t i = 0; i < got; i++)
            if (bytes[i])
                return 0;
        at += (uint64_t)got;
    }
    return 1;
}

/* Is the note about this file as it was in this boot, if not as it is now? */
static int note_fits(struct weir_append *append, uint64_t size) {
    const struct weir_lease_note *note = note_get(append);
    return append->is_note_good && !append->must_look && note->ino == append->ino && note->end > 0 && note->end <= size;
}

/* When a writer is killed, only what he has left behind the note's end is looked at, where that can be done. */
static int end_search(struct weir_file *file, uint64_t size, struct weir_log_end *ret, weir_error *err) {
    struct weir_append *append = &file->append;
    int status = WEIR_ENOTSUP;
    if (note_fits(append, size))
        status = weir_log_end_from(&append->cursor, append->fd, append->note.end, append->note.seq, ret, err);
    if (status == WEIR_ENOTSUP)
        status = weir_log_end_find(&append->cursor, append->fd, ret, err);
    return weir_file_named(&file->place, status, err);
}

/* Look for the end in the log itself. */
static int end_look(struct weir_file *file, uint64_t size, weir_error *err) {
    struct weir_append *append = &file->append;
    struct weir_log_end end;
    append->cursor.window.size = 0;
    int status = end_search(file, size, &end, err);
    if (status == WEIR_ECORRUPT && is_empty(append->fd, end.size)) {
        end = (struct weir_log_end){.size = end.size};
        status = WEIR_OK;
    }
    if (status == WEIR_OK && end.end == 0 && file->place.framing == WEIR_FRAMING_FRAMES) {
        if (end.size > 0 && ftruncate(append->fd, 0) != 0)
            return weir_fail_errno(err, errno, "%s: half a header cannot be cut off", file->place.text);
        status = header_write(file, append->fd, end.seq, 0, err);
        end.end = end.size = WEIR_LOG_HEADER_SIZE;
    } else if (status == WEIR_OK) {
        status = repair(file, &end, err);
        append->generation = append->cursor.generation;
    }
    if (status == WEIR_ECORRUPT || status == WEIR_EVERSION)
        return status;
    append->end = end.end;
    append->seq = end.seq;
    return status;
}

static int generation_read(struct weir_file *file, weir_error *err) {
    struct weir_append *append = &file->append;
    if (file->place.framing != WEIR_FRAMING_FRAMES || append->generation)
        return WEIR_OK;
    int status = weir_log_rewind(&append->cursor, append->fd, err);
    append->generation = append->cursor.generation;
    return status == WEIR_EAGAIN ? weir_fail(err, WEIR_ECORRUPT, "%s: the log has lost its header", file->place.text)
                                 : weir_file_named(&file->place, status, err);
}

/* Is our file the one at the path? @ret: what is there. */
static int is_current(const struct weir_file *file, struct weir_file_about *ret) {
    const struct weir_append *append = &file->append;
    return append->fd >= 0 && weir_file_about(-1, file->place.name, ret) && ret->ino == append->ino &&
           ret->dev == append->dev;
}

/* Who looks very often has it told from then on what happens. On file systems of other machines nobody tells; where it
 * cannot be had, to ask for it again would cost as much as many looks. */
static void looks_count(struct weir_append *append, int64_t now) {
    append->looked_at = now; /* which he is about to do */
    if (append->moved.watch != 0 || append->lease.is_by_byte)
        return;
    if (now - append->looks_from > LOOKS_NS) {
        append->looks_from = now;
        append->looks = 0;
    }
    if (now < append->looks_from || append->looks++ < LOOKS_MANY || weir_moved_watch(&append->moved, append->fd))
        return;
    append->looks_from = now + LOOKS_PAUSE_NS;
    append->looks = 0;
}

/* Have the file at the path open; *ret_size: its. */
static int current_open(struct weir_file *file, uint64_t *ret_size, weir_error *err) {
    struct weir_append *append = &file->append;
    struct weir_file_about about;
    if (is_current(file, &about)) {
        *ret_size = about.size;
        return WEIR_OK;
    }
    append->looked_at = 0; /* what was told is known now: should this fail, look again */
    int status = reopen(file, err);
    if (status == WEIR_OK && !weir_file_about(append->fd, NULL, &about))
        status = weir_fail_errno(err, errno, "%s: cannot be looked at", file->place.text);
    if (status == WEIR_OK) {
        append->ino = about.ino;
        append->dev = about.dev;
        *ret_size = about.size;
    }
    return status;
}

/* The same of those that others have added, mostly one or a few: all in one look. Return: as below. */
static int walk_near(struct weir_append *append, size_t size) {
    unsigned char bytes[WALK_MAX];
    uint64_t seq = append->seq;
    if (pread(append->fd, bytes, size, (off_t)append->end) != (ssize_t)size ||
        !weir_log_walk(bytes, size, append->generation, append->end, &seq))
        return 0;
    append->end += size;
    append->seq = seq;
    return 1;
}

/* From where the log ended to where it ends now, over whole messages. Return: 1; 0 when there is anything else. */
static int walk_on(struct weir_append *append, uint64_t size) {
    struct weir_cursor *cursor = &append->cursor;
    struct weir_passed passed;
    if (append->end > size || size - append->end > WALK_MAX || append->generation == 0)
        return 0;
    if (append->end == size)
        return 1;
    if (walk_near(append, (size_t)(size - append->end)))
        return 1;
    weir_cursor_move(cursor, append->fd, append->end, append->seq, UINT64_MAX);
    cursor->generation = append->generation;
    cursor->window.size = 0;
    int status;
    while ((status = weir_cursor_next(cursor, &passed, NULL)) == WEIR_OK)
        continue;
    if (status != WEIR_EAGAIN || cursor->tail != WEIR_TAIL_CLEAN || cursor->pos != size)
        return 0;
    append->end = size;
    append->seq = cursor->seq;
    return 1;
}

/* Begin with what the note says. Return: 1; 0 when it cannot be believed, or is too old. */
static int note_follow(struct weir_file *file, uint64_t size) {
    struct weir_append *append = &file->append;
    const struct weir_lease_note *note = note_get(append);
    if (!note_fits(append, size))
        return 0;
    if (file->place.framing != WEIR_FRAMING_FRAMES && note->end != size)
        return 0;
    if (append->look != note->look) /* who looked may have found the log empty, and begun it anew */
        append->generation = 0;
    append->look = note->look;
    append->end = append->noted_end = note->end;
    append->seq = note->seq;
    return generation_read(file, NULL) == WEIR_OK &&
           (file->place.framing != WEIR_FRAMING_FRAMES || walk_on(append, size));
}

/* Step 1; *ret_size: of the file. Who is told what becomes of it needs to look at the path only when he is, and once a
 * tick of the kernel's clock, because of the folders above. */
static int file_find(struct weir_file *file, uint64_t *ret_size, weir_error *err) {
    struct weir_append *append = &file->append;
    int64_t now = weir_clock_coarse();
    off_t size = -1;
    if (append->moved.watch != 0 && append->looked_at == now && !weir_moved_ask(&append->moved))
        size = lseek(append->fd, 0, SEEK_END);
    if (size < 0) {
        looks_count(append, now);
        return current_open(file, ret_size, err);
    }
    *ret_size = (uint64_t)size;
    return WEIR_OK;
}

/* Step 1 and 2. The lock is held. With exclusive=1 nobody else writes a note, so ours need not be read. */
static int end_find(struct weir_file *file, weir_error *err) {
    struct weir_append *append = &file->append;
    uint64_t size = 0;
    append->is_noted = 0;
    int status = file_find(file, &size, err);
    if (status != WEIR_OK || (append->lease.is_exclusive && append->end == size))
        return status;
    uint64_t lock_size = weir_lease_size(&append->lease);
    int has_looked = append->lock_size != lock_size;
    if (is_walked(file) && !has_looked && walk_on(append, size))
        return WEIR_OK;
    if (has_looked) /* somebody has, and may have begun the log anew, of whatever size it is now */
        append->generation = 0;
    append->lock_size = lock_size;
    if (note_follow(file, size))
        return WEIR_OK;
    uint64_t seq = append->is_note_good ? append->note.seq : 0;
    status = weir_lease_look(&append->lease, &file->place, err);
    if (status == WEIR_OK)
        status = end_look(file, size, err);
    /* A log that lost its messages, but not its numbers, goes on counting. */
    if (status == WEIR_OK && append->end <= WEIR_LOG_HEADER_SIZE && append->seq < seq &&
        append->note.ino == append->ino)
        append->seq = seq;
    if (status == WEIR_OK) {
        append->must_look = 0;
        look_renew(append);
        append->lock_size = weir_lease_size(&append->lease);
    }
    return status;
}

/* ---- rotation ---- */

static int is_time(struct weir_file *file, size_t more) {
    struct weir_append *append = &file->append;
    struct weir_passed first;
    const struct weir_place *place = &file->place;
    if (append->end <= (place->framing == WEIR_FRAMING_FRAMES ? WEIR_LOG_HEADER_SIZE : 0))
        return 0;
    if (place->rotate_size && append->end + more > place->rotate_size)
        return 1;
    if (!place->rotate_ns)
        return 0;
    if (!append->begun && weir_log_first(&append->cursor, append->fd, &first, NULL) == WEIR_OK)
        append->begun = (uint64_t)first.time;
    return append->begun && weir_clock_realtime() - (int64_t)append->begun >= place->rotate_ns;
}

/* Move each file to the next number, from the greatest on, so that PATH.1 is free. Whoever is killed here leaves a hole;
 * what is above one stays, so that there is never more than one. */
static void shift(const struct weir_place *place) {
    char from[WEIR_FILE_PATH_MAX], to[WEIR_FILE_PATH_MAX];
    uint32_t hole = 1;
    for (weir_file_rotated(place, hole, from); access(from, F_OK) == 0; weir_file_rotated(place, hole, from))
        hole++;
    for (uint32_t number = hole - 1; number >= 1; number--) {
        weir_file_rotated(place, number, from);
        weir_file_rotated(place, number + 1, to);
        if (number >= place->files)
            unlink(from);
        else
            rename(from, to);
    }
}

/* Put the file aside as PATH.1 and begin a new one. Whoever is killed here leaves a log that works: PATH is there all
 * the time. */
static int rotate(struct weir_file *file, weir_error *err) {
    struct weir_append *append = &file->append;
    char aside[WEIR_FILE_PATH_MAX], first[WEIR_FILE_PATH_MAX];
    struct stat about;
    int fd = -1, status = weir_file_make_aside(&file->place, aside, &fd, err);
    if (status != WEIR_OK)
        return status;
    if (file->place.framing == WEIR_FRAMING_FRAMES)
        status = header_write(file, fd, append->seq, append->generation, err);
    if (status == WEIR_OK && file->place.sync != WEIR_SYNC_NONE && fdatasync(append->fd) != 0) {
        append->is_poisoned = 1;
        status =
            weir_fail_errno(err, errno, "%s: the file to be put aside cannot be brought to the disk", file->place.text);
    }
    weir_file_rotated(&file->place, 1, first);
    if (status == WEIR_OK && !weir_file_is_at(append->fd, first)) {
        shift(&file->place);
        if (link(file->place.name, first) != 0)
            status = weir_fail_errno(err, errno, "%s: cannot be put aside as %s", file->place.text, first);
    }
    if (status == WEIR_OK && (fstat(fd, &about) != 0 || rename(aside, file->place.name) != 0))
        status = weir_fail_errno(err, errno, "%s: the new file cannot be put in place", file->place.text);
    close(fd);
    if (status != WEIR_OK) {
        unlink(aside);
        append->generation = 0; /* read again */
        return status;
    }
    uint64_t seq = append->seq, generation = append->generation;
    status = reopen(file, err);
    if (status != WEIR_OK) { /* what is open is the file put aside, which the next batch sees */
        append->generation = 0;
        return status;
    }
    append->generation = generation;
    append->ino = about.st_ino;
    append->dev = about.st_dev;
    append->seq = seq;
    append->end = file->place.framing == WEIR_FRAMING_FRAMES ? WEIR_LOG_HEADER_SIZE : 0;
    look_renew(append);
    return WEIR_OK;
}

/* ---- what is written ---- */

/* The question costs as much as taking the lock. One tick of the clock old will do, as a write that begins below the
 * limit only becomes short; but for who lowers it below what is there, and sends at once. */
static void limit_look(struct weir_append *append) {
    int64_t now = weir_clock_coarse();
    if (now != append->limit_asked)
        append->size_limit = weir_limit_file_size();
    append->limit_asked = now;
}

/* Do @size bytes more go beyond it, also as it is this moment? */
static int is_beyond(struct weir_append *append, size_t size) {
    if (append->end + size > append->size_limit)
        append->size_limit = weir_limit_file_size();
    return append->end + size > append->size_limit;
}

/* Take back what a write that failed has left. Lines that another program has appended meanwhile stay, and so do ours
 * before them. */
static void take_back(struct weir_append *append, uint64_t begin, size_t written) {
    struct stat about;
    if (written > 0 && fstat(append->fd, &about) == 0 && (uint64_t)about.st_size == begin + written)
        (void)!ftruncate(append->fd, (off_t)begin);
}

static int out_write(struct weir_file *file, weir_error *err) {
    struct weir_append *append = &file->append;
    size_t done = 0, size = append->out.size;
    int reason = is_beyond(append, size) ? EFBIG : 0;
    while (!reason && done < size) {
        ssize_t written = file->place.framing == WEIR_FRAMING_FRAMES
                              ? pwrite(append->fd, append->out.data + done, size - done, (off_t)(append->end + done))
                              : write(append->fd, append->out.data + done, size - done);
        if (written < 0 && errno != EINTR)
            reason = errno;
        else if (written == 0)
            reason = ENOSPC;
        else
            done += written > 0 ? (size_t)written : 0;
        if (written > 0 && done < size) { /* the limit may be why */
            append->size_limit = weir_limit_file_size();
            reason = is_beyond(append, size) ? EFBIG : 0;
        }
    }
    if (!reason) {
        append->end += size;
        return WEIR_OK;
    }
    take_back(append, append->end, done);
    if (reason == EFBIG || reason == ENOSPC || reason == EDQUOT)
        return weir_room_none(file, append->fd, reason, size, err);
    return weir_fail_errno(err, reason, "%s: writing failed; nothing of the batch is in the log", file->place.text);
}

/* ---- the disk is full ---- */

static int oldest_remove(const struct weir_place *place) {
    char path[WEIR_FILE_PATH_MAX];
    uint32_t count = weir_file_rotated_count(place);
    weir_file_rotated(place, count, path);
    return count > 0 && unlink(path) == 0;
}

/* Is it not the disk that is full, but this process that may have no larger files? Then no other file need go. */
static int is_limited(const struct weir_append *append) {
    struct weir_file_about about = {0};
    uint64_t limit = weir_limit_file_size();
    return (weir_file_about(append->fd, NULL, &about) && about.size + append->out.size > limit) ||
           weir_lease_size(&append->lease) >= limit;
}

/* Return: WEIR_OK to try again, WEIR_EAGAIN when the batch is dropped, WEIR_ETIMEOUT when it may be written later, or
 * the failure. */
static int full_handle(struct weir_file *file, int64_t *deadline, int status, weir_error *err) {
    struct weir_append *append = &file->append;
    switch (file->place.full) {
    case WEIR_FULL_DROP_OLDEST: return !is_limited(append) && oldest_remove(&file->place) ? WEIR_OK : status;
    case WEIR_FULL_DROP_NEWEST: append->skipped += append->count; return WEIR_EAGAIN;
    case WEIR_FULL_FAIL: return status;
    default: return weir_room_wait(file, deadline, err);
    }
}

/* ---- the batch ---- */

/* Take the lock and have the place found where @more bytes go. */
static int batch_begin(struct weir_file *file, size_t more, int64_t timeout_ns, weir_error *err) {
    struct weir_append *append = &file->append;
    limit_look(append);
    int status = weir_lease_lock(&append->lease, &file->place, timeout_ns, err);
    if (status == WEIR_OK)
        status = end_find(file, err);
    if (status == WEIR_OK && is_time(file, more))
        status = rotate(file, err);
    return status;
}

/* Write the @count messages that were built. The lock is kept. */
static int batch_end(struct weir_file *file, uint64_t count, weir_error *err) {
    struct weir_append *append = &file->append;
    int status = out_write(file, err);
    if (status != WEIR_OK)
        return status;
    append->seq += append->skipped + count;
    append->skipped = 0;
    if (!is_walked(file) || append->end - append->noted_end >= NOTE_EVERY)
        note_write(append);
    return WEIR_OK;
}

/* How many bytes that makes at most. A short record is as large as its frame. In a plain log, about. */
static size_t pending_most(const struct weir_file *file) {
    enum { EACH = 64 };
    const struct weir_append *append = &file->append;
    if (file->place.framing != WEIR_FRAMING_FRAMES)
        return append->pending.size + append->count * EACH;
    return append->pending.size + (append->pending.size / WEIR_LOG_BLOCK + 2) * BLOCK_MORE;
}

static int batch_write(struct weir_file *file, weir_error *err) {
    struct weir_append *append = &file->append;
    int status = batch_begin(file, pending_most(file), file->place.timeout_ns, err);
    if (status == WEIR_OK)
        status = weir_append_build(file, err);
    return status == WEIR_OK ? batch_end(file, append->count, err) : status;
}

int weir_append_flush(struct weir_file *file, weir_error *err) {
    struct weir_append *append = &file->append;
    int64_t deadline = 0;
    int status = WEIR_OK;
    if (append->count == 0)
        return WEIR_OK;
    if ((status = weir_sync_check(file, err)) != WEIR_OK)
        return status;
    do
        status = batch_write(file, err);
    while (status == WEIR_ENOSPC && (status = full_handle(file, &deadline, status, err)) == WEIR_OK);
    weir_lease_unlock(&append->lease);
    if (status == WEIR_ETIMEOUT) /* another has the lock, or the disk is full: what waits here can be written later */
        return status;
    append->pending.size = 0;
    append->count = 0;
    if (status == WEIR_OK && append->slot)
        append->slot->seq = append->seq;
    return status == WEIR_OK ? weir_sync_written(file, err) : status;
}

int weir_append_reserve(struct weir_file *file, size_t size, struct weir_slot *ret, weir_error *err) {
    struct weir_append *append = &file->append;
    if (append->is_poisoned)
        return weir_sync_check(file, err);
    size_t begin = weir_align_up(append->pending.size, ALIGNMENT), gap = begin - append->pending.size;
    unsigned char *room = weir_buffer_room(&append->pending, gap + weir_align_up(size, WEIR_FILE_POSTED));
    if (!room)
        return weir_fail(err, WEIR_ENOMEM, "%s: out of memory for a message of %zu bytes", file->place.text, size);
    memset(room, 0, gap);
    append->reserved = size;
    append->slot = ret;
    ret->bytes = room + gap;
    ret->seq = append->seq + append->skipped + append->count + 1;
    return WEIR_OK;
}

int weir_append_commit(struct weir_file *file, uint64_t word, uint32_t flags, weir_error *err) {
    struct weir_append *append = &file->append;
    size_t before = append->pending.size, begin = weir_align_up(before, ALIGNMENT);
    memcpy(append->pending.data + begin, &word, sizeof(word));
    append->pending.size = begin + weir_align_up(weir_frame_word_size(word), WEIR_FILE_POSTED);
    append->reserved = 0;
    append->count++;
    if (!file->place.is_state && flags & WEIR_COMMIT_MORE && append->pending.size < WEIR_FILE_BATCH)
        return WEIR_OK;
    int status = file->place.is_state ? weir_state_commit(file, err) : weir_append_flush(file, err);
    if (status == WEIR_ETIMEOUT) { /* it was not sent, and is as it was; those before it were promised, and stay */
        append->pending.size = before;
        append->count--;
        append->reserved = weir_frame_word_size(word);
    }
    return status;
}

/* Within a batch a message needs nothing but a place in memory. The first one of a writer is reserved, so its slot is
 * known, which is told the number. */
uint64_t weir_append_post(struct weir_file *file, uint64_t word, const void *data, size_t size, int64_t time,
                          uint32_t flags) {
    struct weir_append *append = &file->append;
    size_t whole = weir_frame_word_size(word), end = append->pending.size + weir_align_up(whole, WEIR_FILE_POSTED);
    if (!(flags & WEIR_COMMIT_MORE) || !append->slot || append->is_poisoned || append->has_request ||
        file->role != WEIR_ROLE_WRITER || file->place.is_state || end > append->pending.capacity ||
        end >= WEIR_FILE_BATCH)
        return 0;
    unsigned char *to = append->pending.data + append->pending.size;
    memcpy(to, &word, sizeof(word));
    if (word >> 56 & WEIR_FRAME_TIME)
        memcpy(to + TIME_AT, &time, sizeof(time));
    memcpy(to + whole - size, data, size);
    append->pending.size = end;
    append->count++;
    return append->slot->seq = append->seq + append->skipped + append->count;
}

/* ---- many in one pass ---- */

/* How many of them go in one batch, and how many bytes that makes at most. */
static size_t many_count(const struct weir_file *file, const struct weir_append_many *many, const weir_view *data,
                         size_t count, size_t *ret_size) {
    size_t head = weir_frame_word_size(many->word), size = (MANY_SIZE / WEIR_LOG_BLOCK + 2) * BLOCK_MORE, i;
    for (i = 0; i < count; i++) {
        size_t more = data[i].size;
        if (more > file->place.size_max - head || more > MANY_SIZE)
            break;
        more = weir_align_up(head + more, WEIR_FILE_POSTED);
        if (size + more > MANY_SIZE)
            break;
        size += more;
    }
    *ret_size = size;
    return i;
}

/* In a batch that others hold back, each is posted. */
static size_t many_post(struct weir_file *file, const struct weir_append_many *many, const weir_view *data,
                        size_t count, uint32_t flags, uint64_t *ret_seq) {
    size_t head = weir_frame_word_size(many->word), done;
    uint64_t seq;
    for (done = 0; done < count && data[done].size <= file->place.size_max - head; done++) {
        seq = weir_append_post(file, many->word + data[done].size, data[done].data ? data[done].data : "",
                               data[done].size, many->time, flags);
        if (seq == 0)
            break;
        *ret_seq = seq;
    }
    return done;
}

/* Whatever fails here is tried again by who sends them one by one, who tells why; so the lock is not waited for as long
 * as it may be. */
size_t weir_append_post_many(struct weir_file *file, uint64_t word, const weir_view *data, size_t count, int64_t time,
                             uint32_t flags, uint64_t *ret_seq) {
    struct weir_append *append = &file->append;
    struct weir_append_many many = {word, time};
    int64_t timeout = file->place.timeout_ns < MANY_WAIT_NS ? file->place.timeout_ns : MANY_WAIT_NS;
    size_t done = 0, some, size;
    if (flags & WEIR_COMMIT_MORE)
        return many_post(file, &many, data, count, flags, ret_seq);
    if (file->role != WEIR_ROLE_WRITER || file->place.is_state || file->place.framing != WEIR_FRAMING_FRAMES ||
        append->count > 0)
        return 0;
    while (done < count && (some = many_count(file, &many, data + done, count - done, &size)) > 0) {
        int status = weir_sync_check(file, NULL);
        if (status == WEIR_OK)
            status = batch_begin(file, size, timeout, NULL);
        if (status == WEIR_OK)
            status = weir_append_build_many(append, &many, data + done, some);
        if (status == WEIR_OK)
            status = batch_end(file, some, NULL);
        weir_lease_unlock(&append->lease);
        if (status != WEIR_OK || weir_sync_written(file, NULL) != WEIR_OK)
            break;
        done += some;
        *ret_seq = append->seq;
    }
    return done;
}

/* ---- open and close ---- */

int weir_append_open(struct weir_file *file, weir_error *err) {
    struct weir_append *append = &file->append;
    weir_cursor_init(&append->cursor, file->place.framing, file->place.size_max);
    int status = weir_lease_open(&append->lease, &file->place, file->role, err);
    if (status != WEIR_OK)
        return status;
    append->must_look = append->lease.is_first;
    if (file->place.is_state) {
        note_get(append)->flags |= file->place.is_kept ? 0 : WEIR_LEASE_KEEPS_NOT;
        weir_lease_write(&append->lease, &append->note);
    } else {
        status = end_find(file, err);
        if (status == WEIR_OK)
            note_write(append);
    }
    if (status == WEIR_OK && file->place.is_exclusive && file->role == WEIR_ROLE_WRITER) {
        append->note.ino = 0; /* from here on it is not kept up */
        weir_lease_write(&append->lease, &append->note);
        append->lease.is_exclusive = 1;
    }
    if (status !=
        WEIR_OK) /* the lock goes with the lane, or the next one would not be the first, and believe the note */
        return status;
    weir_lease_unlock(&append->lease);
    return weir_sync_open(file, err);
}

void weir_append_close(struct weir_file *file) {
    struct weir_append *append = &file->append;
    if (append->lease.fd >= 0 && !file->place.is_state) {
        weir_append_flush(file, NULL);
        weir_sync_close(file, 0);
        if (append->is_dirty && file->place.sync != WEIR_SYNC_NONE && !append->is_poisoned)
            (void)!fdatasync(append->fd);
    }
    if (append->lease.is_exclusive && append->lease.fd >= 0 && !file->place.is_state &&
        weir_lease_may_note(&file->place, NULL) == WEIR_OK) {
        append->lease.is_exclusive = append->is_noted = 0;
        note_write(append);
    }
    append->lease.is_exclusive = 0;
    append->lease.is_guest = file->made_log && file->role == WEIR_ROLE_CLIENT;
    weir_lease_close(&append->lease, &file->place, append->fd);
    weir_moved_close(&append->moved);
    if (append->fd >= 0)
        close(append->fd);
    append->fd = -1;
}
