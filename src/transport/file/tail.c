/* Where a log ends, and where in it a number or a time is. In a .weir log every block can be joined, so the end is
 * found from the last blocks and a number by halving; in JSON lines the same is done by newlines. CBOR, Smile and BSON
 * can only be read from the beginning, and are, unless it is known of a place behind a BSON document.
 *
 * What must stay true: the end is behind the last message that is there as a whole; damage in front of such a message
 * is in front of the end. What is behind it may be cut off by who holds the lock. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/error.h"
#include "transport/file/file.h"

enum { STRIDE = 64 << 10, LINES_TRIED = 100 };

static int size_get(int fd, uint64_t *ret, weir_error *err) {
    struct stat about;
    if (fstat(fd, &about) != 0)
        return weir_fail_errno(err, errno, "a log cannot be looked at");
    *ret = (uint64_t)about.st_size;
    return WEIR_OK;
}

int weir_log_rewind(struct weir_cursor *cursor, int fd, weir_error *err) {
    const unsigned char *bytes;
    struct weir_log_header header;
    size_t size;
    weir_cursor_move(cursor, fd, 0, 0, 0);
    cursor->window.size = 0;
    cursor->generation = 0;
    if (cursor->framing != WEIR_FRAMING_FRAMES)
        return WEIR_OK;
    int status = weir_cursor_window(cursor, 0, WEIR_LOG_HEADER_SIZE, &bytes, &size, err);
    if (status != WEIR_OK)
        return status;
    if (size < WEIR_LOG_HEADER_SIZE && weir_log_header_may_begin(bytes, size))
        return WEIR_EAGAIN;
    status = size < WEIR_LOG_HEADER_SIZE ? WEIR_ECORRUPT : weir_log_header_read(bytes, &header);
    if (status != WEIR_OK)
        return weir_fail(err, status,
                         status == WEIR_EVERSION
                             ? "the log was written by a newer version of weir; upgrade this program"
                             : "this is no weir log, as its beginning shows; choose another path, or say framing= if "
                               "it is of another kind");
    cursor->generation = header.generation;
    weir_cursor_move(cursor, fd, WEIR_LOG_HEADER_SIZE, header.seq_before, UINT64_MAX);
    return WEIR_OK;
}

/* Walk to the end from where the cursor is. */
static int walk(struct weir_cursor *cursor, struct weir_log_end *ret, weir_error *err) {
    struct weir_passed passed;
    int status;
    while ((status = weir_cursor_next(cursor, &passed, err)) == WEIR_OK || status == WEIR_ECORRUPT) {
        if (status == WEIR_ECORRUPT)
            continue;
        ret->last = passed;
        ret->has_last = 1;
    }
    if (status != WEIR_EAGAIN)
        return status;
    ret->end = cursor->pos;
    ret->seq = cursor->seq;
    ret->tail = cursor->tail;
    return WEIR_OK;
}

static void block_join(struct weir_cursor *cursor, int fd, uint64_t block) {
    weir_cursor_move(cursor, fd, block * WEIR_LOG_BLOCK, 0, UINT64_MAX);
    cursor->is_joining = cursor->is_uncounted = 1;
}

/* Join farther and farther from the end until there is a whole message behind. */
static int frames_end(struct weir_cursor *cursor, int fd, struct weir_log_end *ret, weir_error *err) {
    int status = weir_log_rewind(cursor, fd, err);
    if (status == WEIR_EAGAIN) {
        ret->tail = ret->size ? WEIR_TAIL_SHORT : WEIR_TAIL_CLEAN;
        return WEIR_OK;
    }
    /* Who makes the log may have written its header since its size was asked for. */
    uint64_t first = cursor->pos, seq = cursor->seq, block = ret->size ? (ret->size - 1) / WEIR_LOG_BLOCK : 0;
    for (uint64_t back = 0; status == WEIR_OK && back < block; back = back ? 2 * back : 1) {
        block_join(cursor, fd, block - back);
        status = walk(cursor, ret, err);
        if (ret->has_last)
            return status;
    }
    if (status != WEIR_OK)
        return status;
    weir_cursor_move(cursor, fd, first, seq, UINT64_MAX);
    return walk(cursor, ret, err);
}

/* Where the line behind the first newline at or behind @pos begins; the file's size for none. */
static int line_find(struct weir_cursor *cursor, uint64_t pos, uint64_t *ret, weir_error *err) {
    const unsigned char *bytes;
    size_t size;
    for (;;) {
        int status = weir_cursor_window(cursor, pos, 1, &bytes, &size, err);
        if (status != WEIR_OK)
            return status;
        const unsigned char *newline = size ? memchr(bytes, '\n', size) : NULL;
        *ret = pos + (newline ? (size_t)(newline - bytes) + 1 : size);
        if (newline || size == 0)
            return WEIR_OK;
        pos += size;
    }
}

/* Put the cursor at a line in the middle; the lines' numbers are not known before one says its own. */
static int line_join(struct weir_cursor *cursor, int fd, uint64_t pos, weir_error *err) {
    uint64_t begin;
    weir_cursor_move(cursor, fd, pos, 0, UINT64_MAX);
    int status = line_find(cursor, pos, &begin, err);
    if (status == WEIR_OK)
        weir_cursor_move(cursor, fd, begin, WEIR_CURSOR_UNNUMBERED, UINT64_MAX);
    return status;
}

static int lines_end(struct weir_cursor *cursor, int fd, struct weir_log_end *ret, weir_error *err) {
    for (uint64_t back = STRIDE; back < ret->size; back *= 2) {
        int status = line_join(cursor, fd, ret->size - back, err);
        if (status == WEIR_OK)
            status = walk(cursor, ret, err);
        if (status != WEIR_OK || (ret->has_last && ret->seq < WEIR_CURSOR_UNNUMBERED))
            return status;
        ret->has_last = 0;
    }
    weir_log_rewind(cursor, fd, err);
    return walk(cursor, ret, err);
}

/* From the beginning, but only from message to message; the last one says its number. */
static int skim_end(struct weir_cursor *cursor, int fd, struct weir_log_end *ret, weir_error *err) {
    struct weir_passed last;
    weir_log_rewind(cursor, fd, err);
    cursor->is_skimming = 1;
    int status = walk(cursor, ret, err);
    cursor->is_skimming = 0;
    if (status != WEIR_OK || !ret->has_last)
        return status;
    weir_cursor_move(cursor, fd, ret->last.pos, WEIR_CURSOR_UNNUMBERED, UINT64_MAX);
    if (weir_cursor_next(cursor, &last, err) != WEIR_OK || last.seq >= WEIR_CURSOR_UNNUMBERED)
        return WEIR_ENOTSUP;
    ret->last = last;
    ret->seq = last.seq;
    return WEIR_OK;
}

int weir_log_end_find(struct weir_cursor *cursor, int fd, struct weir_log_end *ret, weir_error *err) {
    *ret = (struct weir_log_end){0};
    int status = size_get(fd, &ret->size, err);
    if (status != WEIR_OK)
        return status;
    cursor->window.size = 0;
    if (cursor->framing == WEIR_FRAMING_FRAMES)
        return frames_end(cursor, fd, ret, err);
    if (cursor->framing == WEIR_FRAMING_JSON)
        return lines_end(cursor, fd, ret, err);
    if (cursor->framing != WEIR_FRAMING_SMILE) {
        status = skim_end(cursor, fd, ret, err);
        if (status != WEIR_ENOTSUP)
            return status;
        *ret = (struct weir_log_end){.size = ret->size};
    }
    weir_log_rewind(cursor, fd, err);
    return walk(cursor, ret, err);
}

/* A document ends in a zero, so what is in front of @pos can be asked at least that. */
int weir_log_end_from(struct weir_cursor *cursor, int fd, uint64_t pos, uint64_t seq, struct weir_log_end *ret,
                      weir_error *err) {
    struct weir_passed passed;
    unsigned char before;
    *ret = (struct weir_log_end){.seq = seq};
    if (cursor->framing != WEIR_FRAMING_BSON || pos == 0 || pread(fd, &before, 1, (off_t)pos - 1) != 1 || before)
        return WEIR_ENOTSUP;
    int status = size_get(fd, &ret->size, err);
    if (status != WEIR_OK)
        return status;
    cursor->window.size = 0;
    weir_cursor_move(cursor, fd, pos, seq, UINT64_MAX);
    while ((status = weir_cursor_next(cursor, &passed, NULL)) == WEIR_OK) {
        ret->last = passed;
        ret->has_last = 1;
    }
    if (status != WEIR_EAGAIN || cursor->tail == WEIR_TAIL_BAD)
        return WEIR_ENOTSUP;
    ret->end = cursor->pos;
    ret->seq = cursor->seq;
    ret->tail = cursor->tail;
    return WEIR_OK;
}

int weir_log_first(struct weir_cursor *cursor, int fd, struct weir_passed *ret, weir_error *err) {
    int status = weir_log_rewind(cursor, fd, err);
    if (status == WEIR_OK)
        while ((status = weir_cursor_next(cursor, ret, err)) == WEIR_ECORRUPT)
            continue;
    return status;
}

int weir_log_last(struct weir_cursor *cursor, int fd, const struct weir_log_end *end, weir_error *err) {
    struct weir_passed passed = {0};
    int status;
    if (cursor->framing != WEIR_FRAMING_SMILE) {
        weir_cursor_move(cursor, fd, end->last.pos, end->last.seq - 1, UINT64_MAX);
        return WEIR_OK;
    }
    /* A value may need the names of all those before it. */
    status = weir_log_rewind(cursor, fd, err);
    while (status == WEIR_OK || status == WEIR_ECORRUPT) {
        status = weir_cursor_next(cursor, &passed, err);
        if (status != WEIR_OK || passed.pos < end->last.pos)
            continue;
        weir_cursor_hold(cursor, &passed);
        return WEIR_OK;
    }
    return status;
}

/* ---- a few messages at the end ---- */

/* The size of the whole message at @bytes; 0 when it is not one, or one in pieces. *seq as below. */
static size_t message_whole(const unsigned char *bytes, size_t size, uint64_t generation, uint64_t offset,
                            uint64_t *seq) {
    struct weir_log_record record;
    size_t whole;
    if (size < WEIR_LOG_SHORT_HEADER)
        return 0;
    if (weir_log_short_seems(bytes, offset, &whole)) {
        if (whole > size || !weir_log_short_read(bytes, generation, offset, *seq, &record))
            return 0;
    } else {
        if (size < WEIR_LOG_RECORD_HEADER || !weir_log_record_read(bytes, generation, offset, &record) ||
            record.type != WEIR_RECORD_FULL || record.size > size - WEIR_LOG_RECORD_HEADER ||
            weir_crc32c(0, bytes + WEIR_LOG_RECORD_HEADER, record.size) != record.crc)
            return 0;
        whole = WEIR_LOG_RECORD_HEADER + record.size;
    }
    *seq = record.seq;
    return whole;
}

int weir_log_walk(const unsigned char *bytes, size_t size, uint64_t generation, uint64_t offset, uint64_t *seq) {
    uint64_t last = *seq;
    for (size_t at = 0, whole; at < size; at += whole) {
        at += weir_log_padding(offset + at);
        whole = at < size ? message_whole(bytes + at, size - at, generation, offset + at, &last) : 0;
        if (whole == 0)
            return 0;
    }
    *seq = last;
    return 1;
}

/* ---- finding a number or a time ---- */

struct wanted {
    int64_t value;
    int is_time;
};

/* Is the message at or behind what is wanted? -1: it does not say. */
static int is_reached(const struct wanted *wanted, const struct weir_passed *passed) {
    if (wanted->is_time)
        return passed->time == 0 ? -1 : passed->time >= wanted->value;
    return passed->seq >= WEIR_CURSOR_UNNUMBERED ? -1 : (int64_t)passed->seq >= wanted->value;
}

/* Ask the messages behind a place in the middle. Return: 1, 0, or -1 when they do not say, or a failure in
 * @ret_status. */
static int probe(struct weir_cursor *cursor, int fd, uint64_t stride, uint64_t index, const struct wanted *wanted,
                 int *ret_status, weir_error *err) {
    struct weir_passed passed;
    int answer = -1;
    *ret_status = WEIR_OK;
    if (cursor->framing == WEIR_FRAMING_FRAMES)
        block_join(cursor, fd, index);
    else
        *ret_status = line_join(cursor, fd, index * stride, err);
    for (int i = 0; *ret_status == WEIR_OK && answer < 0 && i < LINES_TRIED; i++) {
        int status;
        while ((status = weir_cursor_next(cursor, &passed, err)) == WEIR_ECORRUPT)
            continue;
        if (status == WEIR_EAGAIN)
            return 1; /* the end is always behind */
        *ret_status = status;
        if (status == WEIR_OK)
            answer = is_reached(wanted, &passed);
    }
    return answer;
}

/* Walk from where the cursor is to what is wanted. Return: WEIR_OK; WEIR_EAGAIN: it is not there; WEIR_ENOTSUP: it was
 * found, but not its number. */
static int walk_to(struct weir_cursor *cursor, const struct wanted *wanted, weir_error *err) {
    struct weir_passed passed;
    int status;
    while ((status = weir_cursor_next(cursor, &passed, err)) == WEIR_OK || status == WEIR_ECORRUPT) {
        if (status == WEIR_ECORRUPT || is_reached(wanted, &passed) != 1)
            continue;
        if (passed.seq >= WEIR_CURSOR_UNNUMBERED)
            return WEIR_ENOTSUP;
        weir_cursor_hold(cursor, &passed);
        return WEIR_OK;
    }
    return status == WEIR_EAGAIN && cursor->seq >= WEIR_CURSOR_UNNUMBERED ? WEIR_ENOTSUP : status;
}

/* Halve until the last stride whose first message is before what is wanted. Return: WEIR_ENOTSUP: the messages do not
 * say. */
static int halve(struct weir_cursor *cursor, int fd, uint64_t size, const struct wanted *wanted, weir_error *err) {
    uint64_t stride = cursor->framing == WEIR_FRAMING_FRAMES ? WEIR_LOG_BLOCK : STRIDE;
    uint64_t low = 0, high = (size + stride - 1) / stride;
    while (low + 1 < high) {
        uint64_t middle = low + (high - low) / 2;
        int status, answer = probe(cursor, fd, stride, middle, wanted, &status, err);
        if (status != WEIR_OK)
            return status;
        if (answer < 0)
            return WEIR_ENOTSUP;
        if (answer)
            high = middle;
        else
            low = middle;
    }
    if (low == 0)
        return weir_log_rewind(cursor, fd, err);
    if (cursor->framing != WEIR_FRAMING_FRAMES)
        return line_join(cursor, fd, low * stride, err);
    block_join(cursor, fd, low);
    return WEIR_OK;
}

int weir_log_seek(struct weir_cursor *cursor, int fd, int64_t value, int is_time, weir_error *err) {
    struct wanted wanted = {value, is_time};
    uint64_t size = 0;
    int status = size_get(fd, &size, err);
    if (status == WEIR_OK)
        status = weir_log_rewind(cursor, fd, err);
    if (status == WEIR_OK && (cursor->framing == WEIR_FRAMING_FRAMES || cursor->framing == WEIR_FRAMING_JSON)) {
        status = halve(cursor, fd, size, &wanted, err);
        if (status == WEIR_OK)
            status = walk_to(cursor, &wanted, err);
        if (status != WEIR_ENOTSUP)
            return status;
        status = weir_log_rewind(cursor, fd, err);
    }
    return status == WEIR_OK ? walk_to(cursor, &wanted, err) : status;
}
