/* The newest message of a log without an end, and what a log tells of itself.
 *
 * What must stay true: nothing is made, locked or changed; what cannot be known is null. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "transport/file/file.h"
#include "transport/tell.h"

enum { STAT_BLOCK = 512 }; /* what st_blocks counts */

/* A reader that holds nothing, on the stack of those who only look. */
static int look_open(struct weir_file *file, const struct weir_place *place, weir_error *err) {
    *file =
        (struct weir_file){.place = *place, .role = WEIR_ROLE_READER, .fd = -1, .state_fd = -1, .append = {.fd = -1}};
    file->place.may_create = 0;
    file->place.is_observer = 1;
    weir_watch_init(&file->watch);
    weir_cursor_init(&file->cursor, place->framing, place->size_max);
    int status = weir_file_open(&file->place, place->name, 0, 0, &file->fd, NULL, err);
    if (status != WEIR_OK)
        weir_cursor_fini(&file->cursor);
    return status;
}

static void look_close(struct weir_file *file) {
    weir_follow_close(file);
    weir_cursor_fini(&file->cursor);
}

/* There is no message: because nothing is there, or because what is there is none? In a plain log what cannot be read
 * is counted; in others it may be a message that is being written. */
static int nothing_found(const struct weir_file *file, weir_error *err) {
    const struct weir_place *place = &file->place;
    if (place->is_state || place->framing != WEIR_FRAMING_JSON || file->seq == 0)
        return weir_fail(err, WEIR_ENOENT, "%s: there is no message yet", place->text);
    return weir_fail(err, WEIR_ECORRUPT,
                     "%s: of its %llu line%s none can be read as JSON; choose another path, or say what "
                     "is there with framing=",
                     place->text, (unsigned long long)file->seq, WEIR_S(file->seq));
}

int weir_file_latest(const struct weir_place *place, struct weir_buffer *out, struct weir_inbound *ret,
                     weir_error *err) {
    struct weir_file file;
    int status = look_open(&file, place, err);
    if (status != WEIR_OK)
        return status;
    if (place->is_state)
        status = weir_state_next(&file, ret, err);
    else
        status = weir_follow_seek(&file, WEIR_FROM_LAST, 0, err);
    if (status == WEIR_OK && !place->is_state)
        status = weir_follow_next(&file, ret, err);
    if (status == WEIR_EAGAIN)
        status = nothing_found(&file, err);
    if (status == WEIR_OK) {
        unsigned char *room = weir_buffer_room(out, ret->size);
        if (room) {
            ret->bytes = memcpy(room, ret->bytes, ret->size);
            out->size += ret->size;
        } else {
            status =
                weir_fail(err, WEIR_ENOMEM, "%s: out of memory for a message of %zu bytes", place->text, ret->size);
        }
    }
    look_close(&file);
    return status;
}

/* Who reads, also those who are still in a file that was put aside. */
static uint32_t presence_count(const struct weir_place *place, int log_fd, int is_reader) {
    char path[WEIR_FILE_PATH_MAX];
    uint32_t found = weir_presence_count(log_fd, is_reader);
    for (uint32_t number = weir_file_rotated_count(place); number > 0; number--) {
        int fd = -1;
        weir_file_rotated(place, number, path);
        if (weir_file_open(place, path, 0, 0, &fd, NULL, NULL) != WEIR_OK)
            continue;
        found += weir_presence_count(fd, is_reader);
        close(fd);
    }
    return found;
}

static void rotated_tell(const struct weir_place *place, uint64_t *bytes, uint64_t *disk, weir_doc *doc) {
    char path[WEIR_FILE_PATH_MAX];
    struct stat about;
    uint32_t count = weir_file_rotated_count(place);
    weir_put_key(doc, "rotated");
    weir_begin_array(doc);
    for (uint32_t number = 1; number <= count; number++) {
        weir_file_rotated(place, number, path);
        if (lstat(path, &about) != 0)
            continue;
        *bytes += (uint64_t)about.st_size;
        *disk += (uint64_t)about.st_blocks * STAT_BLOCK;
        weir_begin_map(doc);
        weir_tell_text(doc, "path", path);
        weir_tell_number(doc, "bytes", (uint64_t)about.st_size);
        weir_tell_number(doc, "inode", about.st_ino);
        weir_end(doc);
    }
    weir_end(doc);
}

/* The end of a log that can only be read from its beginning, as its writers have noted it. Return: 1 when they have. */
static int end_noted(const struct weir_file *file, const struct stat *about, struct weir_log_end *ret) {
    struct weir_lease_note note;
    int framing = file->place.framing;
    if (framing == WEIR_FRAMING_FRAMES || framing == WEIR_FRAMING_JSON || !weir_lease_note_look(&file->place, &note) ||
        note.ino != about->st_ino || note.end != (uint64_t)about->st_size || note.seq == 0)
        return 0;
    *ret = (struct weir_log_end){.end = note.end, .seq = note.seq, .size = note.end, .has_last = 1};
    ret->last.time = (int64_t)about->st_mtim.tv_sec * 1000000000 + about->st_mtim.tv_nsec;
    return 1;
}

/* The oldest message that there still is. */
static void first_tell(struct weir_file *file, weir_doc *doc) {
    char path[WEIR_FILE_PATH_MAX];
    struct weir_passed first = {0};
    int has_first = 0;
    for (uint32_t number = weir_file_rotated_count(&file->place) + 1; !has_first && number-- > 0;) {
        int fd = -1;
        weir_file_rotated(&file->place, number, path);
        if (weir_file_open(&file->place, path, 0, 0, &fd, NULL, NULL) != WEIR_OK)
            continue;
        has_first = weir_log_first(&file->cursor, fd, &first, NULL) == WEIR_OK;
        close(fd);
    }
    file->cursor.fd = -1;
    if (has_first)
        weir_tell_number(doc, "first_seq", first.seq);
    else
        weir_tell_null(doc, "first_seq");
    weir_tell_time(doc, "first", has_first ? first.time : 0);
}

static void log_tell(struct weir_file *file, const struct stat *about, int has_writers, weir_doc *doc) {
    struct weir_log_end end;
    weir_error err = {0};
    int status = end_noted(file, about, &end) ? WEIR_OK : weir_log_end_find(&file->cursor, file->fd, &end, &err);
    weir_tell_text(doc, "problem", status == WEIR_OK ? NULL : err.text);
    if (status != WEIR_OK) {
        weir_tell_null(doc, "last_seq");
        weir_tell_null(doc, "last");
        weir_tell_null(doc, "torn_bytes");
        weir_tell_null(doc, "first_seq");
        weir_tell_null(doc, "first");
        return;
    }
    weir_tell_number(doc, "last_seq", end.seq);
    weir_tell_time(doc, "last", end.has_last ? end.last.time : 0);
    /* While a writer is there, what is behind the end may be what he is writing. */
    weir_tell_number(doc, "torn_bytes", has_writers == 0 && end.size > end.end ? end.size - end.end : 0);
    first_tell(file, doc);
}

int weir_file_info(const struct weir_place *place, weir_doc *doc, weir_error *err) {
    struct weir_file file;
    struct stat about;
    int status = look_open(&file, place, err);
    if (status != WEIR_OK)
        return status;
    if (fstat(file.fd, &about) != 0) {
        status = weir_fail_errno(err, errno, "%s: cannot be looked at", place->text);
        look_close(&file);
        return status;
    }
    uint32_t readers = presence_count(place, file.fd, 1), others = presence_count(place, file.fd, 0);
    int has_writers = weir_lease_has_writers(place, NULL);
    uint64_t bytes = (uint64_t)about.st_size, disk = (uint64_t)about.st_blocks * STAT_BLOCK;
    weir_tell_text(doc, "state", has_writers > 0 || readers > 0 || others > 0 ? "live" : "idle");
    weir_tell_text(doc, "path", place->name);
    weir_tell_text(doc, "framing", weir_framing_name(place->framing));
    weir_tell_rights(doc, about.st_uid, about.st_gid, about.st_mode & 0777);
    weir_tell_bool(doc, "is_state", place->is_state);
    weir_tell_text(doc, "copies",
                   place->is_state
                       ? "the value is written to a new file, which takes the old one's place, and read whole"
                       : "into a batch, into the kernel's pages of the file, out of them, and out of the "
                         "log's records; nothing is kept in memory for readers");
    weir_tell_number(doc, "inode", about.st_ino);
    weir_tell_number(doc, "size", (uint64_t)about.st_size);
    if (place->is_state)
        weir_tell_time(doc, "last", (int64_t)about.st_mtim.tv_sec * 1000000000 + about.st_mtim.tv_nsec);
    else
        log_tell(&file, &about, has_writers, doc);
    rotated_tell(place, &bytes, &disk, doc);
    weir_tell_number(doc, "bytes", bytes);
    weir_tell_number(doc, "disk_bytes", disk);
    weir_lease_has_writers(place, doc);
    weir_tell_number(doc, "readers_holding", readers);
    weir_tell_number(doc, "observers", others);
    look_close(&file);
    return WEIR_OK;
}
