/* Reading a log as it grows, and from each file to the next one when it is rotated.
 *
 * What must stay true: a file that is not at the path any more is read to its end before its successor is begun,
 * because who rotated it did so under the lock, after the last write. Which file follows is decided by where ours is
 * now: PATH.3 is followed by PATH.2. When ours is gone, the oldest file with a message that we have not had is next,
 * and what lay between is counted. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "transport/file/file.h"
#include "transport/told.h"

enum { NEAR = 64 << 10, LOOKS_MAX = 100 };

static int is_counted(const struct weir_file *file) {
    return file->role == WEIR_ROLE_READER && !file->place.is_observer;
}

/* Read @fd from now on, which becomes ours. */
static void adopt(struct weir_file *file, int fd) {
    struct stat about;
    if (file->fd >= 0)
        close(file->fd);
    file->fd = fd;
    if (file->is_announced)
        weir_presence_take(fd, is_counted(file));
    if (fstat(fd, &about) == 0) {
        file->uid = about.st_uid;
        if (file->place.told)
            WEIR_TELL(file->place.told->inode, about.st_ino);
    }
    weir_watch_file(&file->watch, fd);
}

/* Open rotated file @number. */
static int file_open(const struct weir_file *file, uint32_t number, int *ret_fd, weir_error *err) {
    char path[WEIR_FILE_PATH_MAX];
    weir_file_rotated(&file->place, number, path);
    return weir_file_open(&file->place, path, 0, 0, ret_fd, NULL, err);
}

/* Begin at the beginning of the present file; what is missed from here on is counted from @seq. */
static void begin(struct weir_file *file) {
    int status = weir_log_rewind(&file->cursor, file->fd, NULL);
    if (file->place.framing != WEIR_FRAMING_FRAMES || status != WEIR_OK)
        weir_cursor_move(&file->cursor, file->fd, 0, file->is_seq_known ? file->seq : 0, 0);
}

/* Is the file no log, as its head shows? Zeros are what a power cut may leave of a new one, which somebody may begin;
 * and who holds the lock may be about to. */
static int head_check(struct weir_file *file, weir_error *err) {
    unsigned char bytes[WEIR_LOG_HEADER_SIZE];
    struct weir_log_header header;
    int is_zero = 1;
    if (file->place.framing != WEIR_FRAMING_FRAMES ||
        pread(file->fd, bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return WEIR_OK;
    for (size_t i = 0; i < sizeof(bytes); i++)
        is_zero = is_zero && bytes[i] == 0;
    if (is_zero || weir_log_header_read(bytes, &header) == WEIR_OK || weir_lease_is_locked(&file->place) == 1)
        return WEIR_OK;
    return weir_log_rewind(&file->cursor, file->fd, err);
}

/* ---- where to begin ---- */

/* Have the file at the path open. Return: WEIR_OK, WEIR_EAGAIN (there is none yet), others. */
static int newest_open(struct weir_file *file, weir_error *err) {
    weir_error why;
    int fd = -1;
    if (file->fd >= 0 && weir_file_is_at(file->fd, file->place.name))
        return WEIR_OK;
    int status = file_open(file, 0, &fd, &why);
    if (status == WEIR_OK)
        adopt(file, fd);
    else if (status == WEIR_ENOENT)
        return WEIR_EAGAIN;
    else if (err)
        *err = why;
    return status;
}

static void place_behind(struct weir_file *file, uint64_t seq, int is_known) {
    file->seq = seq;
    file->is_seq_known = is_known;
}

/* A file that was emptied, and may be longer again than we have read, holds another log. */
static int is_another(const struct weir_file *file) {
    unsigned char bytes[WEIR_LOG_HEADER_SIZE];
    struct weir_log_header header;
    return file->place.framing == WEIR_FRAMING_FRAMES && file->cursor.generation &&
           pread(file->fd, bytes, sizeof(bytes), 0) == (ssize_t)sizeof(bytes) &&
           weir_log_header_read(bytes, &header) == WEIR_OK && header.generation != file->cursor.generation;
}

/* Only a little is unread: go over it rather than look for the end anew. */
static int skip_near(struct weir_file *file) {
    struct weir_passed passed;
    struct stat about;
    struct weir_cursor *cursor = &file->cursor;
    int status, is_sound = 1;
    if (cursor->fd != file->fd || file->fd < 0 || fstat(file->fd, &about) != 0 ||
        (uint64_t)about.st_size < cursor->pos || (uint64_t)about.st_size - cursor->pos > NEAR || !cursor->pos)
        return 0;
    while ((status = weir_cursor_next(cursor, &passed, NULL)) == WEIR_OK || status == WEIR_ECORRUPT)
        is_sound = is_sound && status == WEIR_OK;
    if ((!is_sound || cursor->tail == WEIR_TAIL_BAD) && is_another(file))
        return 0;
    place_behind(file, cursor->seq, 1);
    return status == WEIR_EAGAIN;
}

static int seek_now(struct weir_file *file, weir_error *err) {
    struct weir_log_end end;
    int status = newest_open(file, err);
    if (status == WEIR_EAGAIN || (status == WEIR_OK && skip_near(file)))
        return WEIR_OK;
    if (status == WEIR_OK)
        status = weir_log_end_find(&file->cursor, file->fd, &end, err);
    if (status != WEIR_OK)
        return status;
    weir_cursor_move(&file->cursor, file->fd, end.end, end.seq, UINT64_MAX);
    if (end.end == 0)
        file->cursor.line = 0;
    place_behind(file, end.seq, file->place.framing == WEIR_FRAMING_FRAMES || end.has_last);
    return WEIR_OK;
}

/* The newest message may be the last of the file before, when the present one has only begun. */
static int seek_last(struct weir_file *file, weir_error *err) {
    struct weir_log_end end = {0};
    int fd = -1, status = newest_open(file, err);
    if (status == WEIR_OK)
        status = weir_log_end_find(&file->cursor, file->fd, &end, err);
    if (status == WEIR_OK && !end.has_last && file_open(file, 1, &fd, err) == WEIR_OK) {
        adopt(file, fd);
        status = weir_log_end_find(&file->cursor, fd, &end, err);
    }
    if (status == WEIR_OK && !end.has_last)
        status = seek_now(file, err) == WEIR_OK ? WEIR_EAGAIN : WEIR_ESYSTEM;
    else if (status == WEIR_OK)
        status = weir_log_last(&file->cursor, file->fd, &end, err);
    if (status == WEIR_OK)
        place_behind(file, end.last.seq - 1, 1);
    return status;
}

static int seek_oldest(struct weir_file *file, weir_error *err) {
    int fd = -1, status = WEIR_OK;
    for (uint32_t number = weir_file_rotated_count(&file->place) + 1; number-- > 0;) {
        status = file_open(file, number, &fd, err);
        if (status == WEIR_OK) {
            adopt(file, fd);
            status = number == 0 ? head_check(file, err) : WEIR_OK; /* behind those put aside there is more */
            break;
        }
        if (status != WEIR_ENOENT)
            return status;
    }
    place_behind(file, 0, 0);
    if (file->fd < 0)
        return WEIR_OK;
    if (status != WEIR_OK)
        return status;
    begin(file);
    place_behind(file, file->cursor.seq, file->place.framing == WEIR_FRAMING_FRAMES && file->cursor.pos > 0);
    return WEIR_OK;
}

/* Does the file begin before what is wanted? *ret_seq: of its first message, unless it does not say. */
static int begins_before(struct weir_file *file, int fd, int64_t wanted, int is_time, uint64_t *ret_seq) {
    struct weir_passed first;
    if (weir_log_first(&file->cursor, fd, &first, NULL) != WEIR_OK)
        return 0;
    *ret_seq = first.seq;
    return is_time ? first.time != 0 && first.time <= wanted : (int64_t)first.seq <= wanted;
}

/* In the newest file that begins before it, or else at the oldest message of all. */
static int seek_to(struct weir_file *file, int64_t wanted, int is_time, weir_error *err) {
    uint32_t count = weir_file_rotated_count(&file->place);
    uint64_t first = 0; /* of the oldest file that was looked at */
    int fd = -1;
    for (uint32_t number = 0; number <= count; number++) {
        if (file_open(file, number, &fd, err) != WEIR_OK)
            continue;
        if (!begins_before(file, fd, wanted, is_time, &first)) {
            close(fd);
            continue;
        }
        adopt(file, fd);
        int status = weir_log_seek(&file->cursor, fd, wanted, is_time, err);
        if (status == WEIR_OK)
            place_behind(file, file->cursor.held.seq - 1, 1);
        else if (status == WEIR_EAGAIN)
            place_behind(file, file->cursor.seq, 1);
        return status == WEIR_EAGAIN ? WEIR_OK : status;
    }
    int status = seek_oldest(file, err);
    if (status == WEIR_OK && !is_time && first > 0 && first < WEIR_CURSOR_UNNUMBERED)
        place_behind(file, first - 1, 1);
    return status;
}

/* Who names a seq learns how many there are no more from it on. */
static int seek_seq(struct weir_file *file, int64_t seq, weir_error *err) {
    uint64_t before = seq > 0 ? (uint64_t)seq - 1 : 0;
    int status = seek_to(file, seq, 0, err);
    if (status == WEIR_OK && file->is_seq_known && file->seq > before && file->seq < WEIR_CURSOR_UNNUMBERED)
        file->seq = before;
    return status;
}

static int seek(struct weir_file *file, enum weir_from from, int64_t value, weir_error *err) {
    switch (from) {
    case WEIR_FROM_NOW: return seek_now(file, err);
    case WEIR_FROM_LAST: return seek_last(file, err);
    case WEIR_FROM_SEQ: return seek_seq(file, value, err);
    case WEIR_FROM_AGO: return seek_to(file, weir_clock_realtime() - value, 1, err);
    default: return seek_oldest(file, err);
    }
}

int weir_follow_seek(struct weir_file *file, enum weir_from from, int64_t value, weir_error *err) {
    struct weir_told *told = file->place.told;
    int status = weir_file_named(&file->place, seek(file, from, value, err), err);
    if (told) {
        WEIR_TELL(told->seq[0], file->is_seq_known ? file->seq : 0);
        WEIR_TELL(told->position, file->cursor.pos);
    }
    return status;
}

/* ---- open and close ---- */

int weir_follow_open(struct weir_file *file, weir_error *err) {
    const struct weir_place *place = &file->place;
    weir_error why;
    int fd = -1, made = 0;
    weir_cursor_init(&file->cursor, place->framing, place->size_max);
    int status = weir_file_open(place, place->name, 0, place->may_create, &fd, &made, &why);
    if (status == WEIR_OK) {
        adopt(file, fd);
    } else if (status == WEIR_ENOENT && place->may_create) {
        return weir_fail(err, WEIR_ENOENT, "%s: the directory is not there; create it first", place->text);
    } else if (status != WEIR_EACCESS || !place->may_create || access(place->name, F_OK) == 0) {
        if (err)
            *err = why;
        return status;
    }
    file->made_log = made;
    if (made && !place->is_kept)
        status = weir_lease_keep_not(place, err);
    else
        status = WEIR_OK; /* who may not make the log waits for who may */
    if (status != WEIR_OK || place->is_state)
        return status;
    status = weir_follow_seek(file, place->from, place->from_value, err);
    /* Not before we have a place: what is sent to us because we are there is behind it. */
    file->is_announced = 1;
    if (file->fd >= 0)
        weir_presence_take(file->fd, is_counted(file));
    return status == WEIR_EAGAIN ? WEIR_OK : status;
}

void weir_follow_close(struct weir_file *file) {
    weir_watch_close(&file->watch);
    weir_state_forget(file);
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

/* ---- from file to file ---- */

/* Where our file is now among the rotated; 0: nowhere. */
static uint32_t own_number(const struct weir_file *file, uint32_t count) {
    char path[WEIR_FILE_PATH_MAX];
    for (uint32_t number = 1; number <= count; number++) {
        weir_file_rotated(&file->place, number, path);
        if (weir_file_is_at(file->fd, path))
            return number;
    }
    return 0;
}

/* Has the file a message that we have not had? An empty one may still get some. */
static int is_ahead(struct weir_file *file, int fd) {
    struct weir_cursor cursor;
    struct weir_passed first;
    weir_cursor_init(&cursor, file->place.framing, file->place.size_max);
    int status = weir_log_first(&cursor, fd, &first, NULL);
    int is_ahead = status != WEIR_OK || first.seq > file->seq;
    weir_cursor_fini(&cursor);
    return is_ahead;
}

/* The file behind ours, which is at @own among the rotated; a hole is what a rotation leaves that goes on or was broken
 * off. */
static int behind_find(const struct weir_file *file, uint32_t own) {
    int fd = -1;
    for (uint32_t number = own; number-- > 0;)
        if (file_open(file, number, &fd, NULL) == WEIR_OK)
            return fd;
    return -1;
}

/* Ours is gone. The oldest file that has what we have not had, or else the newest. */
static int ahead_find(struct weir_file *file, uint32_t count) {
    int fd = -1;
    for (uint32_t number = count + 1; number-- > 0;) {
        if (file_open(file, number, &fd, NULL) != WEIR_OK)
            continue;
        if (number == 0 || is_ahead(file, fd))
            return fd;
        close(fd);
    }
    return -1;
}

static int successor_find(struct weir_file *file, uint32_t *ret_own) {
    uint32_t count = weir_file_rotated_count(&file->place);
    *ret_own = own_number(file, count);
    return *ret_own ? behind_find(file, *ret_own) : ahead_find(file, count);
}

static int is_same(int a, int b) {
    struct stat one, other;
    return a >= 0 && b >= 0 && fstat(a, &one) == 0 && fstat(b, &other) == 0 && one.st_ino == other.st_ino;
}

/* Files are renamed while we look, so one may be passed over: two looks must agree. Return: -1 when they never do, or
 * there is none; the next call looks again. */
static int successor_settle(struct weir_file *file, uint32_t *ret_own) {
    int fd = successor_find(file, ret_own);
    for (int looks = 0; fd >= 0 && looks < LOOKS_MAX; looks++) {
        int again = successor_find(file, ret_own), is_settled = is_same(fd, again);
        close(fd);
        fd = again;
        if (is_settled)
            return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Go on with the next file. Return: 1, or 0 when there is none. */
static int successor_open(struct weir_file *file) {
    uint32_t own;
    int fd = successor_settle(file, &own);
    if (fd < 0)
        return 0;
    if (own == 0 && !is_ahead(file, fd))
        place_behind(file, 0, 0); /* somebody began anew */
    adopt(file, fd);
    begin(file);
    return 1;
}

/* Somebody has cut the file: begin again. Return: 1 if so. */
static int is_cut(struct weir_file *file) {
    struct weir_file_about about;
    if (!weir_file_about(file->fd, NULL, &about) || about.size >= file->cursor.pos)
        return 0;
    place_behind(file, 0, 0);
    begin(file);
    return about.size > 0;
}

/* ---- what comes next ---- */

static int corrupt(const struct weir_file *file, const weir_error *why, weir_error *err) {
    return weir_fail(err, WEIR_ECORRUPT, "%s: %.380s", file->place.text, why->text);
}

/* The next one. What seems damaged may be another log that was begun in the file. */
static int next_sound(struct weir_file *file, struct weir_passed *passed, weir_error *why) {
    struct weir_cursor *cursor = &file->cursor;
    int status = weir_cursor_next(cursor, passed, why);
    int is_wrong = status == WEIR_ECORRUPT || (status == WEIR_EAGAIN && cursor->tail == WEIR_TAIL_BAD);
    if (!is_wrong || !is_another(file))
        return status;
    place_behind(file, 0, 0);
    begin(file);
    return weir_cursor_next(cursor, passed, why);
}

/* What is wrong at the end may be what a writer is about to replace. If nobody is, it is told of once. */
static int bad_tail(struct weir_file *file, struct weir_passed *passed, weir_error *why) {
    struct weir_cursor *cursor = &file->cursor;
    if (cursor->told_at == cursor->pos + 1 || weir_lease_is_locked(&file->place) == 1)
        return WEIR_EAGAIN;
    int status = weir_cursor_next(cursor, passed, why);
    if (status != WEIR_EAGAIN || cursor->tail != WEIR_TAIL_BAD)
        return status;
    cursor->told_at = cursor->pos + 1;
    if (cursor->pos == 0 && cursor->framing == WEIR_FRAMING_FRAMES)
        return weir_fail(why, WEIR_ECORRUPT,
                         "this is no weir log, as its beginning shows; choose another path, or say framing= if it is "
                         "of another kind");
    return weir_fail(why, WEIR_ECORRUPT, "the last message of the log, at byte %llu, is damaged",
                     (unsigned long long)cursor->pos);
}

/* Nothing is behind the cursor. Look whether that has changed, or another file goes on. */
static int next_late(struct weir_file *file, struct weir_passed *passed, weir_error *why) {
    struct weir_cursor *cursor = &file->cursor;
    weir_watch_drain(&file->watch);
    for (;;) {
        int is_current = weir_file_is_at(file->fd, file->place.name);
        int status = next_sound(file, passed, why);
        if (status != WEIR_EAGAIN)
            return status;
        if (cursor->tail == WEIR_TAIL_BAD && is_current)
            return bad_tail(file, passed, why);
        if (is_current ? !is_cut(file) : !successor_open(file))
            return WEIR_EAGAIN;
    }
}

int weir_follow_next(struct weir_file *file, struct weir_inbound *ret, weir_error *err) {
    struct weir_passed passed;
    weir_error why = {0};
    if (file->fd < 0) {
        weir_watch_drain(&file->watch);
        int status = newest_open(file, err);
        if (status != WEIR_OK) {
            weir_watch_ready(&file->watch, 0);
            return status;
        }
        begin(file);
    }
    int status = next_sound(file, &passed, &why);
    if (status == WEIR_EAGAIN)
        status = next_late(file, &passed, &why);
    weir_watch_ready(&file->watch, status != WEIR_EAGAIN);
    if (status == WEIR_ECORRUPT)
        return corrupt(file, &why, err);
    if (status != WEIR_OK) {
        if (err)
            *err = why;
        return status;
    }
    *ret = (struct weir_inbound){.bytes = file->cursor.frame.data,
                                 .size = file->cursor.frame.size,
                                 .gap = file->is_seq_known && passed.seq > file->seq ? passed.seq - file->seq - 1 : 0,
                                 .writer = passed.writer,
                                 .uid = file->uid};
    memcpy(&ret->word, ret->bytes, sizeof(ret->word));
    place_behind(file, passed.seq, 1);
    if (file->place.told)
        WEIR_TELL(file->place.told->position, file->cursor.pos);
    return WEIR_OK;
}
