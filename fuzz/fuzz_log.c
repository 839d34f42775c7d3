/* Logs: whatever is in the file, walking through it ends, what is passed lies one behind the other, and the end and
 * places that are looked for are found within it. The first byte names the framing. For records of frames the rest is
 * first written as a log of its own, whose bytes are then changed where the input says so: with checksums over
 * everything, bytes made up would not come far. */
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/buffer.h"
#include "transport/file/file.h"

enum { LIMIT = 1 << 20, CHANGES_MAX = 16, GENERATION = 7 };

static void walk(struct weir_cursor *cursor, uint64_t size) {
    struct weir_passed passed;
    weir_error err;
    uint64_t end = 0, pos = 0, steps = 0;
    int status;
    while ((status = weir_cursor_next(cursor, &passed, &err)) == WEIR_OK || status == WEIR_ECORRUPT) {
        MUST(cursor->pos > pos && cursor->pos <= size);
        pos = cursor->pos;
        MUST(++steps <= size + 1);
        if (status == WEIR_ECORRUPT)
            continue;
        struct weir_frame frame;
        uint64_t word;
        MUST(passed.pos >= end && passed.end > passed.pos);
        end = passed.end;
        MUST(cursor->frame.size >= 8);
        memcpy(&word, cursor->frame.data, 8);
        if (cursor->framing != WEIR_FRAMING_FRAMES)
            MUST(weir_frame_parse(word, cursor->frame.data, cursor->frame.size, &frame) == WEIR_OK);
    }
    MUST(status == WEIR_EAGAIN || status == WEIR_EVERSION);
}

/* A piece as a short record, which its first bytes say to be a frame of that size or of another. */
static int short_write(struct weir_buffer *out, uint64_t seq, const uint8_t *data, size_t size) {
    uint64_t word;
    size_t half = (size - WEIR_LOG_SHORT_HEADER) / 2;
    const char *rest = (const char *)data + WEIR_LOG_SHORT_HEADER;
    memcpy(&word, data, sizeof(word));
    return weir_log_short_append(out, out->size, GENERATION, data[2], seq, word, (weir_view){rest, half},
                                 (weir_view){rest + half, size - WEIR_LOG_SHORT_HEADER - half});
}

/* The input as a log: pieces of it as frames. Return: its size. */
static void log_write(int fd, const uint8_t *data, size_t size) {
    struct weir_log_header header = {.generation = GENERATION, .created = 1};
    struct weir_buffer out = {0};
    unsigned char bytes[WEIR_LOG_HEADER_SIZE];
    uint64_t seq = 0;
    weir_log_header_write(&header, bytes);
    MUST(weir_buffer_append(&out, bytes, sizeof(bytes)) == WEIR_OK);
    while (size > 8) {
        size_t piece = 8 + (data[0] | (size_t)data[1] << 8) % (size - 7);
        piece = piece > size ? size : piece;
        seq++;
        int status =
            piece >= WEIR_LOG_SHORT_HEADER && data[2] % 4 > 0 ? short_write(&out, seq, data, piece) : WEIR_ENOTSUP;
        MUST(status == WEIR_OK || status == WEIR_ENOTSUP);
        if (status != WEIR_OK)
            MUST(weir_log_record_append(&out, out.size, GENERATION, data[2], seq, (int64_t)seq * 10, data, piece) ==
                 WEIR_OK);
        data += piece;
        size -= piece;
    }
    MUST(pwrite(fd, out.data, out.size, 0) == (ssize_t)out.size);
    weir_buffer_fini(&out);
}

static void change(int fd, const uint8_t *data, size_t size) {
    for (size_t i = 0; i + 4 <= size && i < 4 * CHANGES_MAX; i += 4) {
        off_t end = lseek(fd, 0, SEEK_END), at = (data[i] | data[i + 1] << 8 | data[i + 2] << 16) % end;
        MUST(pwrite(fd, &data[i + 3], 1, at) == 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct weir_cursor cursor;
    struct weir_log_end end;
    struct weir_passed passed;
    weir_error err;
    if (size < 4)
        return 0;
    int framing = data[0] % 5, fd = memfd_create("log", MFD_CLOEXEC);
    MUST(fd >= 0);
    if (framing == WEIR_FRAMING_FRAMES) {
        size_t changes = data[1] % 64;
        changes = changes > size - 4 ? 0 : changes;
        log_write(fd, data + 4 + changes, size - 4 - changes);
        change(fd, data + 4, changes);
    } else {
        MUST(pwrite(fd, data + 4, size - 4, 0) == (ssize_t)size - 4);
    }
    uint64_t file_size = (uint64_t)lseek(fd, 0, SEEK_END);
    weir_cursor_init(&cursor, framing, LIMIT);
    weir_cursor_move(&cursor, fd, 0, 0, 0);
    walk(&cursor, file_size);
    int status = weir_log_end_find(&cursor, fd, &end, &err);
    MUST(status == WEIR_OK || status == WEIR_ECORRUPT || status == WEIR_EVERSION);
    if (status == WEIR_OK) {
        MUST(end.end <= file_size && end.size == file_size);
        if (end.has_last && weir_log_last(&cursor, fd, &end, &err) == WEIR_OK &&
            weir_cursor_next(&cursor, &passed, &err) == WEIR_OK)
            MUST(passed.end == end.last.end);
        status = weir_log_seek(&cursor, fd, data[2] + 1, data[3] & 1, &err);
        MUST(status == WEIR_OK || status == WEIR_EAGAIN);
    }
    weir_cursor_fini(&cursor);
    close(fd);
    return 0;
}
