/* Walking through a log. A window of the file is read with pread in large pieces; a message is put together in a buffer
 * of its own, aligned, and only when it is there as a whole does the cursor move.
 *
 * What must stay true: what lies in the file is believed only after its checksums were compared over the bytes in the
 * window. Damage is looked at a second time, in bytes read anew, before it is called so: a writer who took a short
 * write back (ftruncate) and another who wrote in its place may have left us with half of each. What is at the end of
 * the file and wrong may yet become right, and is only told of (WEIR_TAIL_BAD); the cursor passes over damage once
 * something stands behind it. Plain messages have no checksums, so none is put together from before and after an end of
 * the file. */
#include "transport/file/file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/error.h"

enum {
    READ_AHEAD = 256 << 10,
    LINE_SLACK = 4096,
    RECORD_ALIGNMENT = 8,
    COMPARED = 16 << 10,
    TRIES_MAX = 8,
    CHECKED_MAX = 512 << 10
};

void weir_cursor_init(struct weir_cursor *cursor, int framing, uint64_t size_max) {
    *cursor = (struct weir_cursor){.fd = -1, .framing = framing, .size_max = size_max};
}

void weir_cursor_move(struct weir_cursor *cursor, int fd, uint64_t pos, uint64_t seq, uint64_t line) {
    if (cursor->fd != fd || pos < cursor->window_at || pos > cursor->window_at + cursor->window.size)
        cursor->window.size = 0;
    cursor->fd = fd;
    cursor->pos = pos;
    cursor->seq = seq;
    cursor->time = 0;
    cursor->line = line;
    cursor->is_joining = cursor->is_uncounted = cursor->is_lost = cursor->is_held = 0;
}

void weir_cursor_hold(struct weir_cursor *cursor, const struct weir_passed *passed) {
    cursor->held = *passed;
    cursor->is_held = 1;
}

void weir_cursor_fini(struct weir_cursor *cursor) {
    weir_buffer_fini(&cursor->window);
    weir_buffer_fini(&cursor->frame);
    weir_plain_reader_fini(&cursor->reader);
}

/* ---- the window ---- */

static ssize_t bytes_read(int fd, void *to, size_t size, uint64_t at) {
    ssize_t got;
    do
        got = pread(fd, to, size, (off_t)at);
    while (got < 0 && errno == EINTR);
    return got;
}

/* The kernel copies page by page: while a dead writer's rest is cut off and another writes in its place, a read can
 * begin in the one and end in the other, and plain messages have no checksums. So what was read at the end of the file
 * is compared with what is there, until both are the same; what is new is there from its beginning to where we saw
 * it. */
static ssize_t settled(const struct weir_cursor *cursor, unsigned char *bytes, size_t size, uint64_t at) {
    unsigned char again[COMPARED];
    int tries = 0;
    for (size_t done = 0; done < size;) {
        size_t part = size - done < sizeof(again) ? size - done : sizeof(again);
        ssize_t got = bytes_read(cursor->fd, again, part, at + done);
        if (got < 0)
            return got;
        if ((size_t)got == part && memcmp(again, bytes + done, part) == 0) {
            done += part;
            continue;
        }
        if (++tries == TRIES_MAX) /* whoever changes it all the time gets no more than what stays */
            return (ssize_t)done;
        ssize_t anew = bytes_read(cursor->fd, bytes, size, at);
        if (anew < 0)
            return anew;
        size = (size_t)anew;
        done = 0;
    }
    return (ssize_t)size;
}

static int window_read(struct weir_cursor *cursor, size_t want, weir_error *err) {
    struct weir_buffer *window = &cursor->window;
    size_t room = want > READ_AHEAD ? want : READ_AHEAD;
    unsigned char *to = weir_buffer_room(window, room);
    uint64_t at = cursor->window_at + window->size;
    if (!to)
        return weir_fail(err, WEIR_ENOMEM, "out of memory for reading %zu bytes of a log", room);
    ssize_t got = bytes_read(cursor->fd, to, room, at);
    if (got > 0 && (size_t)got < room && cursor->framing != WEIR_FRAMING_FRAMES)
        got = settled(cursor, to, (size_t)got, at);
    if (got < 0)
        return weir_fail_errno(err, errno, "reading a log failed");
    window->size += (size_t)got;
    cursor->has_ended = (size_t)got < room;
    return WEIR_OK;
}

int weir_cursor_window(struct weir_cursor *cursor, uint64_t pos, size_t size, const unsigned char **ret,
                       size_t *ret_size, weir_error *err) {
    struct weir_buffer *window = &cursor->window;
    if (pos < cursor->window_at || pos > cursor->window_at + window->size)
        window->size = 0;
    if (window->size == 0)
        cursor->window_at = pos;
    size_t skip = (size_t)(pos - cursor->window_at);
    if (window->size - skip < size) {
        memmove(window->data ? window->data : (unsigned char *)"",
                window->data ? window->data + skip : (unsigned char *)"", window->size - skip);
        window->size -= skip;
        cursor->window_at = pos;
        skip = 0;
        int status = window_read(cursor, size - window->size, err);
        if (status != WEIR_OK)
            return status;
    }
    *ret = window->data + skip;
    *ret_size = window->size - skip;
    return WEIR_OK;
}

/* Nothing more now. Bytes that may still change are not kept. */
static int nothing_yet(struct weir_cursor *cursor, enum weir_tail tail) {
    cursor->tail = tail;
    if (tail != WEIR_TAIL_CLEAN)
        cursor->window.size = 0;
    return WEIR_EAGAIN;
}

/* ---- .weir ---- */

static int header_take(struct weir_cursor *cursor, weir_error *err) {
    struct weir_log_header header;
    const unsigned char *bytes;
    size_t size;
    int status = weir_cursor_window(cursor, 0, WEIR_LOG_HEADER_SIZE, &bytes, &size, err);
    if (status != WEIR_OK)
        return status;
    if (size < WEIR_LOG_HEADER_SIZE)
        return nothing_yet(cursor, size ? WEIR_TAIL_SHORT : WEIR_TAIL_CLEAN);
    status = weir_log_header_read(bytes, &header);
    if (status != WEIR_OK)
        cursor->window.size = 0;
    if (status == WEIR_EVERSION)
        return weir_fail(err, status, "the log was written by a newer version of weir; upgrade this program");
    if (status != WEIR_OK)
        return nothing_yet(cursor, WEIR_TAIL_BAD);
    cursor->generation = header.generation;
    if (cursor->pos < WEIR_LOG_HEADER_SIZE) {
        cursor->pos = WEIR_LOG_HEADER_SIZE;
        cursor->seq = header.seq_before;
    }
    return WEIR_OK;
}

/* A step of the walk over fragments. */
struct step {
    struct weir_log_record record;
    const unsigned char *piece;
    uint64_t at;   /* of the fragment */
    uint64_t next; /* behind it */
};
/* CUT: what seems to be a short record, but goes on behind the file's end. */
enum { STEP_SHORT = 100, STEP_BAD_HEADER, STEP_BAD_PIECE, STEP_EMPTY, STEP_CUT };

static int is_zero(const unsigned char *bytes, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (bytes[i])
            return 0;
    return 1;
}

/* Its only checksum is over all of it, so nothing of it is believed before. */
static int short_take(struct weir_cursor *cursor, size_t whole, struct step *step, weir_error *err) {
    const unsigned char *bytes;
    size_t size;
    int status = weir_cursor_window(cursor, step->at, whole, &bytes, &size, err);
    if (status != WEIR_OK)
        return status;
    if (size < whole)
        return STEP_CUT;
    if (cursor->is_uncounted || !weir_log_short_read(bytes, cursor->generation, step->at, cursor->seq, &step->record))
        return STEP_BAD_HEADER;
    step->piece = bytes + WEIR_LOG_SHORT_HEADER;
    step->next = step->at + whole;
    step->record.time = cursor->time;
    if (step->record.head >> 24 & WEIR_FRAME_TIME && step->record.size >= 8) {
        int64_t time;
        memcpy(&time, step->piece, 8);
        step->record.time = time ? time : cursor->time;
    }
    return WEIR_OK;
}

/* The fragment at or behind @pos. Return: WEIR_OK, one of the above, or a failure. */
static int step_take(struct weir_cursor *cursor, uint64_t pos, struct step *step, weir_error *err) {
    const unsigned char *bytes;
    size_t size, whole;
    step->at = pos + weir_log_padding(pos);
    int status = weir_cursor_window(cursor, step->at, WEIR_LOG_RECORD_HEADER, &bytes, &size, err);
    if (status != WEIR_OK)
        return status;
    if (size >= WEIR_LOG_SHORT_HEADER && weir_log_short_seems(bytes, step->at, &whole))
        return short_take(cursor, whole, step, err);
    if (size < WEIR_LOG_RECORD_HEADER)
        return size ? STEP_SHORT : STEP_EMPTY;
    if (!weir_log_record_read(bytes, cursor->generation, step->at, &step->record))
        return STEP_BAD_HEADER;
    status = weir_cursor_window(cursor, step->at, WEIR_LOG_RECORD_HEADER + step->record.size, &bytes, &size, err);
    if (status != WEIR_OK)
        return status;
    if (size < WEIR_LOG_RECORD_HEADER + step->record.size)
        return STEP_SHORT;
    step->piece = bytes + WEIR_LOG_RECORD_HEADER;
    step->next = step->at + WEIR_LOG_RECORD_HEADER + step->record.size;
    return weir_crc32c(0, step->piece, step->record.size) == step->record.crc ? WEIR_OK : STEP_BAD_PIECE;
}

/* Is there a record that can be believed? What seems to be a short one must be read as a whole to know, so whoever
 * fills a block with such beginnings is not followed for long. */
static int is_record(const struct weir_cursor *cursor, const unsigned char *bytes, size_t size, uint64_t pos,
                     size_t *checked) {
    struct weir_log_record record;
    size_t whole;
    if (!weir_log_short_seems(bytes, pos, &whole))
        return size >= WEIR_LOG_RECORD_HEADER && weir_log_record_read(bytes, cursor->generation, pos, &record);
    if (cursor->is_uncounted || whole > size || *checked > CHECKED_MAX)
        return 0;
    *checked += whole;
    return weir_log_short_read(bytes, cursor->generation, pos, cursor->seq, &record);
}

/* The first header that can be believed behind @pos, in its block or at the beginning of the next; 0: the file ends
 * before. @may_read: or else look only at what is in the window. */
static uint64_t resync(struct weir_cursor *cursor, uint64_t pos, int may_read, weir_error *err) {
    const unsigned char *bytes;
    size_t size, checked = 0;
    uint64_t block_end = pos - pos % WEIR_LOG_BLOCK + WEIR_LOG_BLOCK;
    pos += RECORD_ALIGNMENT - pos % RECORD_ALIGNMENT;
    size_t want = may_read ? (size_t)(block_end - pos) + WEIR_LOG_RECORD_HEADER : 1;
    if (weir_cursor_window(cursor, pos, want, &bytes, &size, err) != WEIR_OK)
        return 0;
    for (; pos + WEIR_LOG_FRAGMENT_MIN <= block_end && size >= WEIR_LOG_SHORT_HEADER;
         pos += RECORD_ALIGNMENT, bytes += RECORD_ALIGNMENT, size -= RECORD_ALIGNMENT)
        if (is_record(cursor, bytes, size, pos, &checked))
            return pos;
    return pos + size > block_end ? block_end : 0;
}

/* What short records behind this one begin with. */
static void number_note(struct weir_cursor *cursor, const struct weir_log_record *record) {
    cursor->seq = record->seq;
    cursor->is_uncounted = 0;
    if (record->type != WEIR_RECORD_SHORT)
        cursor->time = record->time;
}

static int damaged(struct weir_cursor *cursor, uint64_t from, uint64_t to, weir_error *err) {
    cursor->pos = to;
    cursor->is_joining = 1;
    return weir_fail(err, WEIR_ECORRUPT, "the log is damaged at byte %llu; %llu byte%s passed over",
                     (unsigned long long)from, (unsigned long long)(to - from), to - from == 1 ? " was" : "s were");
}

/* Something is wrong at @step->at, in the message that begins at cursor->pos. */
static int damage_handle(struct weir_cursor *cursor, int what, const struct step *step, weir_error *err) {
    uint64_t from = cursor->pos, to;
    const unsigned char *bytes;
    size_t size;
    if (what == STEP_BAD_PIECE) {
        int status = weir_cursor_window(cursor, step->next, 1, &bytes, &size, err);
        if (status != WEIR_OK)
            return status;
        if (size == 0)
            return nothing_yet(cursor, WEIR_TAIL_BAD);
        number_note(cursor, &step->record); /* its header can be believed, and short ones behind it go on from there */
        return damaged(cursor, from, step->next, err);
    }
    /* What is being written this moment is not there as a whole, but in more that was read now there would be the next
     * one. */
    to = resync(cursor, step->at, what != STEP_CUT, err);
    if (to)
        return damaged(cursor, from, to, err);
    int status = weir_cursor_window(cursor, step->at, WEIR_LOG_BLOCK, &bytes, &size, err);
    if (status != WEIR_OK)
        return status;
    return nothing_yet(cursor, what == STEP_CUT || is_zero(bytes, size) ? WEIR_TAIL_SHORT : WEIR_TAIL_BAD);
}

static int is_wanted(const struct weir_cursor *cursor, const struct step *step, const struct weir_log_record *first) {
    uint32_t type = step->record.type;
    if (cursor->frame.size == 0)
        return type == WEIR_RECORD_FULL || type == WEIR_RECORD_FIRST || type == WEIR_RECORD_SHORT;
    return (type == WEIR_RECORD_MIDDLE || type == WEIR_RECORD_LAST) && step->record.seq == first->seq &&
           step->record.writer == first->writer;
}

/* What a short record's header stands for. */
static int head_add(struct weir_cursor *cursor, const struct weir_log_record *record) {
    uint64_t head[2] = {(uint64_t)record->head << 32 | (WEIR_LOG_SHORT_HEADER + record->size), record->seq};
    return weir_buffer_append(&cursor->frame, head, sizeof(head));
}

static int piece_add(struct weir_cursor *cursor, const struct step *step, weir_error *err) {
    if (cursor->frame.size + step->record.size > cursor->size_max + LINE_SLACK)
        return weir_fail(err, WEIR_ETOOBIG, "message %llu is over the limit of %llu bytes; raise max= in the address",
                         (unsigned long long)step->record.seq, (unsigned long long)cursor->size_max);
    if ((step->record.type == WEIR_RECORD_SHORT && head_add(cursor, &step->record) != WEIR_OK) ||
        weir_buffer_append(&cursor->frame, step->piece, step->record.size) != WEIR_OK)
        return weir_fail(err, WEIR_ENOMEM, "out of memory for a message of a log");
    return WEIR_OK;
}

static void passed_set(struct weir_cursor *cursor, const struct weir_log_record *record, uint64_t begin, uint64_t end,
                       struct weir_passed *ret) {
    *ret = (struct weir_passed){
        .pos = begin, .end = end, .seq = record->seq, .time = record->time, .writer = record->writer};
    cursor->pos = end;
    cursor->is_joining = 0;
    number_note(cursor, record);
}

/* Put a message together. A message over the limit is passed over fragment by fragment, like the rest of one that we
 * joined within. */
static int records_take(struct weir_cursor *cursor, struct weir_passed *ret, struct step *step, int *ret_what,
                        weir_error *err) {
    struct weir_log_record first = {0};
    uint64_t begin = cursor->pos, at = cursor->pos;
    cursor->frame.size = 0;
    for (;;) {
        int status = step_take(cursor, at, step, err);
        *ret_what = status;
        if (status != WEIR_OK)
            return status;
        at = step->next;
        if (!is_wanted(cursor, step, &first)) {
            if (cursor->frame.size == 0 && cursor->is_joining) {
                cursor->pos = begin = at;
                number_note(cursor, &step->record);
                continue;
            }
            /* A fragment of another message: go on with it if it begins one. */
            int begins = step->record.type != WEIR_RECORD_MIDDLE && step->record.type != WEIR_RECORD_LAST;
            return damaged(cursor, begin, begins ? step->at : at, err);
        }
        if (cursor->frame.size == 0) {
            first = step->record;
            begin = step->at;
        }
        status = piece_add(cursor, step, err);
        if (status == WEIR_ETOOBIG) {
            cursor->pos = at;
            cursor->is_joining = 1;
            number_note(cursor, &first);
            return weir_fail(err, WEIR_ECORRUPT,
                             "message %llu is over the limit of %llu bytes; raise max= in the address",
                             (unsigned long long)first.seq, (unsigned long long)cursor->size_max);
        }
        if (status != WEIR_OK)
            return status;
        if (step->record.type != WEIR_RECORD_FIRST && step->record.type != WEIR_RECORD_MIDDLE) {
            passed_set(cursor, &first, begin, at, ret);
            return WEIR_OK;
        }
    }
}

static int frames_next(struct weir_cursor *cursor, struct weir_passed *ret, weir_error *err) {
    struct step step;
    int what = WEIR_OK, status = WEIR_OK;
    if (!cursor->generation || cursor->pos < WEIR_LOG_HEADER_SIZE)
        status = header_take(cursor, err);
    if (status != WEIR_OK)
        return status;
    for (int attempt = 0;; attempt++) {
        status = records_take(cursor, ret, &step, &what, err);
        if (what == STEP_EMPTY)
            return nothing_yet(cursor, cursor->frame.size ? WEIR_TAIL_SHORT : WEIR_TAIL_CLEAN);
        if (what == STEP_SHORT)
            return nothing_yet(cursor, WEIR_TAIL_SHORT);
        if (what != STEP_BAD_HEADER && what != STEP_BAD_PIECE && what != STEP_CUT)
            return status;
        cursor->frame.size = 0;
        if (attempt > 0)
            return damage_handle(cursor, what, &step, err);
        cursor->window.size = 0; /* look again, in bytes read anew */
    }
}

/* ---- plain ---- */

static const char *unit(const struct weir_cursor *cursor) {
    return cursor->framing == WEIR_FRAMING_JSON ? "line" : "message";
}

/* Newlines before @pos, for a sentence; rarely asked, so counted when it is. */
static uint64_t lines_count(const struct weir_cursor *cursor, uint64_t pos) {
    unsigned char bytes[16384];
    uint64_t count = 0, at = 0;
    while (at < pos) {
        ssize_t got = pread(cursor->fd, bytes, sizeof(bytes), (off_t)at);
        if (got <= 0)
            break;
        for (ssize_t i = 0; i < got && at + (uint64_t)i < pos; i++)
            count += bytes[i] == '\n';
        at += (uint64_t)got;
    }
    return count;
}

static int plain_bad(struct weir_cursor *cursor, uint64_t pos, uint64_t line, int status, const weir_error *why,
                     weir_error *err) {
    if (line == UINT64_MAX && cursor->framing == WEIR_FRAMING_JSON)
        line = lines_count(cursor, pos) + 1;
    if (status == WEIR_ENOMEM)
        return weir_fail(err, status, "%.300s", why->text);
    cursor->seq++; /* a message was there, whatever it said */
    if (line == UINT64_MAX)
        return weir_fail(err, WEIR_ECORRUPT, "the message at byte %llu cannot be read: %.300s", (unsigned long long)pos,
                         why->text);
    return weir_fail(err, WEIR_ECORRUPT, "%s %llu cannot be read: %.300s", unit(cursor), (unsigned long long)line,
                     why->text);
}

static int plain_read(struct weir_cursor *cursor, const unsigned char *bytes, const struct weir_plain_piece *piece,
                      uint64_t line, struct weir_passed *ret, weir_error *err) {
    struct weir_frame frame;
    weir_error why = {0};
    uint64_t begin = cursor->pos + piece->skip, end = cursor->pos + piece->used;
    int status = weir_plain_read_whole(&cursor->reader, cursor->framing, bytes + piece->skip, piece->size,
                                       cursor->seq + 1, &cursor->frame, &frame, &why);
    cursor->pos = end;
    if (status != WEIR_OK)
        return plain_bad(cursor, begin, line, status, &why, err);
    *ret = (struct weir_passed){
        .pos = begin, .end = end, .seq = frame.seq, .time = frame.time, .writer = (uint32_t)frame.writer};
    cursor->seq = frame.seq;
    return WEIR_OK;
}

/* Split a message off the file: more is read until it is one or the file ends. */
static int plain_split(struct weir_cursor *cursor, struct weir_plain_splitter *splitter,
                       const unsigned char **ret_bytes, struct weir_plain_piece *piece, weir_error *why,
                       weir_error *err) {
    size_t size = 0, want = 1;
    for (;;) {
        int status = weir_cursor_window(cursor, cursor->pos, want, ret_bytes, &size, err);
        if (status != WEIR_OK)
            return status;
        if (size < want)
            return nothing_yet(cursor, size ? WEIR_TAIL_SHORT : WEIR_TAIL_CLEAN);
        status = weir_plain_split(splitter, *ret_bytes, size, 0, piece, why);
        if (status != WEIR_EAGAIN)
            return status;
        cursor->pos += piece->used;
        want = size - piece->used + 1;
        /* What the file ended with may be a dead writer's, and another writes in its place by now: what is read behind
         * it would make one message of two. So all of it is read anew, at once. */
        if (cursor->has_ended) {
            cursor->window.size = 0;
            weir_plain_splitter_again(splitter);
        }
    }
}

static int plain_next(struct weir_cursor *cursor, struct weir_passed *ret, weir_error *err) {
    struct weir_plain_splitter splitter;
    struct weir_plain_piece piece = {0};
    const unsigned char *bytes = NULL;
    weir_error why = {0};
    size_t limit = (size_t)(cursor->size_max + cursor->size_max / 2 + LINE_SLACK);
    uint64_t line = cursor->line;
    cursor->frame.size = 0;
    weir_plain_splitter_init(&splitter, cursor->framing, limit);
    splitter.is_lost = cursor->is_lost;
    int status = plain_split(cursor, &splitter, &bytes, &piece, &why, err);
    cursor->is_lost = splitter.is_lost;
    if (line != UINT64_MAX) {
        cursor->line += cursor->framing == WEIR_FRAMING_JSON ? splitter.lines : splitter.number;
        line += splitter.number;
    }
    if (status == WEIR_OK && cursor->is_skimming) {
        *ret = (struct weir_passed){.pos = cursor->pos + piece.skip, .end = cursor->pos + piece.used};
        cursor->pos += piece.used;
        return WEIR_OK;
    }
    if (status == WEIR_OK)
        return plain_read(cursor, bytes, &piece, line, ret, err);
    if (status != WEIR_ECORRUPT && status != WEIR_ETOOBIG)
        return status;
    uint64_t pos = cursor->pos;
    cursor->pos += piece.used;
    return plain_bad(cursor, pos, line, status, &why, err);
}

int weir_cursor_next(struct weir_cursor *cursor, struct weir_passed *ret, weir_error *err) {
    if (cursor->is_held) {
        cursor->is_held = 0;
        *ret = cursor->held;
        return WEIR_OK;
    }
    return cursor->framing == WEIR_FRAMING_FRAMES ? frames_next(cursor, ret, err) : plain_next(cursor, ret, err);
}
