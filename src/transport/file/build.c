/* The bytes of a batch: frames that wait in memory, or the messages of one call, as records or as plain messages.
 *
 * What must stay true: the lock is held, so it is known where the batch goes and what its numbers are; the first record
 * of a batch says everything, and a short one behind it leaves out only what those before it in the batch, or in its
 * block, have said. */
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "transport/file/file.h"

enum { SEQ_AT = 8, TIME_AT = 16 };
static const weir_view none = {"", 0};

/* ---- frames that wait ---- */

/* A frame as a plain message, numbered @seq in its own bytes too. */
static int plain_build(struct weir_file *file, unsigned char *bytes, uint64_t word, weir_error *err) {
    struct weir_append *append = &file->append;
    struct weir_frame frame;
    int status = weir_frame_parse(word, bytes, weir_frame_word_size(word), &frame);
    if (append->lease.lane > 0) {
        frame.flags |= WEIR_FRAME_WRITER;
        frame.writer = append->lease.lane;
    }
    return status == WEIR_OK ? weir_plain_write(&append->writer, file->place.framing, &frame, &append->out, err)
                             : status;
}

/* What the records of a batch have in common. */
struct records {
    int64_t now;  /* the time of frames that have none; 0: not asked for yet */
    int64_t said; /* by the last record with everything, which the first one is; 0: there is none yet */
};

/* One more record behind those that are built; short, where those that read it know all it leaves out. */
static inline int record_build(struct weir_append *append, struct records *records, uint64_t word, uint64_t seq,
                               const unsigned char *bytes) {
    size_t size = weir_frame_word_size(word);
    uint64_t offset = append->end + append->out.size;
    uint32_t lane = append->lease.lane;
    int64_t time = 0;
    if (word >> 56 & WEIR_FRAME_TIME)
        memcpy(&time, bytes + TIME_AT, sizeof(time));
    int may_be_short = records->said && (time || records->said == records->now);
    int status = may_be_short ? weir_log_short_append(&append->out, offset, append->generation, lane, seq, word, none,
                                                      (weir_view){(const char *)bytes + WEIR_FRAME_HEADER_SIZE,
                                                                  size - WEIR_FRAME_HEADER_SIZE})
                              : WEIR_ENOTSUP;
    if (status != WEIR_ENOTSUP)
        return status;
    if (!time)
        time = records->now = records->now ? records->now : weir_clock_realtime();
    records->said = time;
    return weir_log_record_append(&append->out, offset, append->generation, lane, seq, time, bytes, size);
}

/* The bytes of all pending frames, numbered from append->seq on. */
int weir_append_build(struct weir_file *file, weir_error *err) {
    struct weir_append *append = &file->append;
    struct records records = {0};
    uint64_t seq = append->seq + append->skipped, word;
    int status = WEIR_OK, is_framed = file->place.framing == WEIR_FRAMING_FRAMES;
    append->out.size = 0;
    for (size_t at = 0; status == WEIR_OK && at < append->pending.size;) {
        unsigned char *bytes = append->pending.data + at;
        memcpy(&word, bytes, sizeof(word));
        at += word ? weir_align_up(weir_frame_word_size(word), WEIR_FILE_POSTED) : WEIR_FILE_POSTED;
        if (word == 0)
            continue;
        seq++;
        memcpy(bytes + SEQ_AT, &seq, sizeof(seq));
        status = is_framed ? record_build(append, &records, word, seq, bytes) : plain_build(file, bytes, word, err);
    }
    if (status == WEIR_ENOMEM)
        weir_fail(err, status, "%s: out of memory for a batch of messages", file->place.text);
    return status;
}

/* ---- the messages of one call ---- */

/* The next message behind what is built. A frame that a block's end cuts in two is put together first. */
static int many_build_one(struct weir_append *append, const struct weir_append_many *many, uint64_t seq, int64_t time,
                          int is_first, weir_view data) {
    size_t size = weir_frame_word_size(many->word) + data.size;
    uint64_t offset = append->end + append->out.size;
    weir_view first = {(const char *)&many->time, many->word >> 56 & WEIR_FRAME_TIME ? sizeof(many->time) : 0};
    int status = is_first ? WEIR_ENOTSUP
                          : weir_log_short_append(&append->out, offset, append->generation, append->lease.lane, seq,
                                                  many->word, first, data);
    if (status != WEIR_ENOTSUP)
        return status;
    unsigned char *to = weir_log_record_begin(&append->out, offset, size);
    if (to) {
        (void)weir_frame_put_simple(to, many->word + data.size, seq, many->time, data);
        weir_log_record_end(&append->out, offset, append->generation, append->lease.lane, seq, time, size);
        return WEIR_OK;
    }
    to = weir_buffer_room(&append->pending, size);
    if (!to)
        return WEIR_ENOMEM;
    (void)weir_frame_put_simple(to, many->word + data.size, seq, many->time, data);
    return weir_log_record_append(&append->out, offset, append->generation, append->lease.lane, seq, time, to, size);
}

int weir_append_build_many(struct weir_append *append, const struct weir_append_many *many, const weir_view *data,
                           size_t count) {
    uint64_t seq = append->seq + append->skipped;
    int64_t time = many->word >> 56 & WEIR_FRAME_TIME ? many->time : 0;
    int status = WEIR_OK;
    time = time ? time : weir_clock_realtime();
    append->out.size = 0;
    for (size_t i = 0; status == WEIR_OK && i < count; i++)
        status = many_build_one(append, many, ++seq, time, i == 0, data[i]);
    return status;
}
