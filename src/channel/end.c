/* The end: opening, sending, receiving. Everything here is the same for every transport; what differs is behind
 * end->ops.
 *
 * What must stay true: a message is sent whole or not at all, so nothing is reserved before everything that can fail
 * (encoding, layout) has been done; a frame's bytes are used only while end->is_holding; no clock is read and no system
 * call made unless there is something to wait for. */
#include "channel/end.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "channel/address.h"
#include "codec/codec.h"
#include "os/fork.h"
#include "transport/burst.h"
#include "value/value.h"

enum { STATE_ALIGNMENT = 64, READER_TEXT_MAX = 160 };
static const int64_t NAP_NS = 1000000;

/* ---- open and close ---- */

static uint32_t record_role(const struct weir_end *end) {
    return end->role == WEIR_ROLE_READER && end->place.is_observer ? (uint32_t)WEIR_RECORD_OBSERVER : end->role;
}

int weir_end_open(struct weir_end *end, const char *address, enum weir_role role, weir_error *err) {
    int status = weir_address_parse(address, &end->place, err);
    if (status)
        return status;
    end->ops = end->place.transport;
    memcpy(end->message.place, end->place.text, sizeof(end->message.place));
    end->role = role;
    end->generation = weir_fork_generation();
    end->awaits_readers = role == WEIR_ROLE_WRITER && end->place.readers > 0;
    size_t size = (end->ops->state_size + STATE_ALIGNMENT - 1) & ~(size_t)(STATE_ALIGNMENT - 1);
    end->state = aligned_alloc(STATE_ALIGNMENT, size);
    if (!end->state)
        return weir_fail(err, WEIR_ENOMEM, "%s: out of memory", end->place.text);
    memset(end->state, 0, size);
    /* An end that listens counts in its record whom it refuses, from its first moment on. */
    weir_record_open(&end->record, record_role(end), end->place.text, address);
    end->place.refused = &end->record.shown->refused;
    end->place.told = &end->record.shown->told;
    /* The writers of a log, which alone keeps everything, share one count. */
    end->writer_mask = end->ops->traits & WEIR_TRAIT_BOUNDED ? WEIR_TOLD_WRITERS - 1 : 0;
    status = end->ops->open(end->state, &end->place, role, err);
    if (status == WEIR_OK) {
        weir_record_show(&end->record);
        return WEIR_OK;
    }
    weir_record_close(&end->record);
    free(end->state);
    end->state = NULL;
    return status;
}

void weir_end_close(struct weir_end *end) {
    end->ops->close(end->state); /* may still count in the record */
    weir_record_close(&end->record);
    free(end->state);
    weir_message_fini(&end->message);
    weir_many_free(end->many);
    weir_buffer_fini(&end->meta);
    weir_buffer_fini(&end->data);
}

int weir_end_check(const struct weir_end *end, weir_error *err) {
    if (__builtin_expect(!weir_fork_happened(end->generation), 1))
        return WEIR_OK;
    return weir_fail(err, WEIR_EFORKED, "%s was opened before fork(); open it again in the child", end->place.text);
}

/* ---- sending ---- */

int weir_end_encode_data(struct weir_end *end, const weir_value *data, struct weir_outgoing *out, weir_error *err) {
    out->codec = 0;
    if (!data)
        return WEIR_OK;
    end->data.size = 0;
    int status = weir_encode(data, end->place.codec, NULL, &end->data, err);
    if (status)
        return status;
    out->codec = end->place.codec;
    out->data = end->data.data;
    out->size = end->data.size;
    return WEIR_OK;
}

int weir_end_encode_meta(struct weir_end *end, const weir_value *meta, struct weir_outgoing *out, weir_error *err) {
    out->meta = (weir_view){0};
    if (!meta)
        return WEIR_OK;
    if (weir_value_kind(meta) != WEIR_KIND_MAP)
        return weir_fail(err, WEIR_EINVAL, "%s: a message's metadata must be a map", end->place.text);
    end->meta.size = 0;
    int status = weir_encode(meta, WEIR_CODEC_CBOR, NULL, &end->meta, err);
    if (status == WEIR_OK)
        out->meta = (weir_view){(const char *)end->meta.data, end->meta.size};
    return status;
}

static int has_time(const struct weir_end *end) {
    return end->is_time_given ? end->time != 0 : end->place.is_stamped;
}

/* Fill end->frame from @out and work out its size. Field by field: clearing the whole struct first costs as much as
 * sending. */
static int frame_lay_out(struct weir_end *end, const struct weir_outgoing *out, weir_error *err) {
    struct weir_frame *frame = &end->frame;
    frame->kind = (uint8_t)out->kind;
    frame->codec = (uint8_t)out->codec;
    frame->flags = (uint8_t)((has_time(end) ? WEIR_FRAME_TIME : 0) | (out->id ? WEIR_FRAME_ID : 0) |
                             (out->codec == WEIR_CODEC_RAW ? WEIR_FRAME_ALIGNED : 0));
    frame->time = 0;
    frame->id = out->id;
    frame->op = (weir_view){out->op, out->op ? out->op_size : 0};
    frame->type = out->type;
    frame->meta = out->meta;
    frame->data = (weir_view){out->data, out->size};
    if (__builtin_expect(frame->op.size > WEIR_OP_MAX, 0))
        return weir_fail(err, WEIR_EINVAL, "%s: an op has at most %d bytes, this one has %zu", end->place.text,
                         WEIR_OP_MAX, frame->op.size);
    if (__builtin_expect(weir_frame_layout(frame) != WEIR_OK || frame->size > end->place.size_max, 0))
        return weir_fail(err, WEIR_ETOOBIG,
                         "%s: a message of %zu bytes is over the limit of %llu; raise max= in the address",
                         end->place.text, frame->data.size, (unsigned long long)end->place.size_max);
    return WEIR_OK;
}

static void nap(void) {
    nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
}

int weir_end_await_readers(struct weir_end *end, uint32_t count, int64_t deadline, weir_error *err) {
    uint32_t there = 0;
    weir_burst_settle();
    for (;;) {
        int status = end->ops->readers(end->state, &there);
        if (status)
            return weir_fail(err, status, "%s: who reads there cannot be looked up: %s", end->place.text,
                             weir_err_text(status));
        if (there >= count)
            return WEIR_OK;
        if (weir_deadline_left(deadline) == 0)
            return weir_fail(err, WEIR_ETIMEOUT,
                             "%s: waited in vain for %u reader%s, %u %s there; weir info says who is", end->place.text,
                             count, WEIR_S(count), there, there == 1 ? "is" : "are");
        nap();
    }
}

/* "the reader python (pid 123)", where it is known who that is. */
static const char *reader_text(const struct weir_end *end, const weir_error *err, char text[READER_TEXT_MAX]) {
    char who[READER_TEXT_MAX - sizeof("the reader ")] = "";
    if (err)
        end->ops->in_the_way(end->state, who, sizeof(who));
    snprintf(text, READER_TEXT_MAX, "%s%s", who[0] ? "the reader " : "a reader", who);
    return text;
}

static int no_room(const struct weir_end *end, weir_error *err) {
    char reader[READER_TEXT_MAX];
    if (end->role == WEIR_ROLE_CLIENT)
        return weir_fail(err, WEIR_ETIMEOUT, "%s: the server takes no more requests at the moment", end->place.text);
    return weir_fail(err, WEIR_ETIMEOUT,
                     "%s: no room, because %s is not reading; choose full=drop-oldest, or raise timeout= or capacity=",
                     end->place.text, reader_text(end, err, reader));
}

/* The reservation found no room: do what full= says. Return: WEIR_OK to try again; WEIR_EAGAIN when the message was
 * skipped. */
static int full_handle(struct weir_end *end, int64_t *deadline, weir_error *err) {
    char reader[READER_TEXT_MAX];
    if (end->role == WEIR_ROLE_WRITER && end->place.full == WEIR_FULL_FAIL)
        return weir_fail(
            err, WEIR_EAGAIN,
            "%s: no room now, because %s is not reading fast enough; full=block waits, and capacity= gives "
            "more room",
            end->place.text, reader_text(end, err, reader));
    if (end->role == WEIR_ROLE_WRITER && end->place.full == WEIR_FULL_DROP_NEWEST) {
        end->ops->skip(end->state);
        end->dropped++;
        return WEIR_EAGAIN;
    }
    if (*deadline == INT64_MIN)
        *deadline = weir_deadline(end->place.timeout_ns);
    if (*deadline != 0) /* a look is no wait */
        weir_record_count(&end->record.shown->waits, 1);
    weir_burst_settle();
    int status = end->ops->wait(end->state, WEIR_READY_TO_WRITE, *deadline, err);
    return status == WEIR_ETIMEOUT ? no_room(end, err) : status;
}

static int frame_reserve(struct weir_end *end, const struct weir_outgoing *out, weir_error *err) {
    int64_t deadline = out->deadline;
    for (int has_waited = 0;; has_waited = 1) {
        int status = end->ops->reserve(end->state, out->peer, end->frame.size, &end->slot, err);
        if (__builtin_expect(status != WEIR_EAGAIN, 1))
            return status;
        if (has_waited &&
            weir_deadline_left(deadline) == 0) /* whatever a wait that ends in vain again and again says */
            return no_room(end, err);
        status = full_handle(end, &deadline, err);
        if (status)
            return status;
    }
}

int weir_end_reserve(struct weir_end *end, const struct weir_outgoing *out, weir_error *err) {
    int status = weir_end_check(end, err);
    if (status)
        return status;
    if (end->is_late)
        weir_end_discard(end);
    if (end->is_reserved)
        return weir_fail(err, WEIR_EINVAL, "%s: a message is reserved; commit or discard it first", end->place.text);
    status = frame_lay_out(end, out, err);
    if (status == WEIR_OK && __builtin_expect(end->awaits_readers, 0)) {
        status = weir_end_await_readers(end, end->place.readers, weir_deadline(end->place.timeout_ns), err);
        end->awaits_readers = status != WEIR_OK;
    }
    if (status == WEIR_OK)
        status = frame_reserve(end, out, err);
    end->is_reserved = status == WEIR_OK;
    return status;
}

int weir_end_commit(struct weir_end *end, weir_error *err) {
    struct weir_record *record = end->record.shown;
    end->frame.seq = end->slot.seq;
    if (end->frame.flags & WEIR_FRAME_TIME)
        end->frame.time = end->is_time_given ? end->time : weir_clock_realtime();
    uint64_t word = weir_frame_write(&end->frame, end->slot.bytes);
    end->is_reserved = end->is_late = 0;
    int status = end->ops->commit(end->state, word, end->is_corked ? WEIR_COMMIT_MORE : 0, err);
    if (__builtin_expect(status != WEIR_OK, 0)) {
        end->is_reserved = end->is_late = status == WEIR_ETIMEOUT;
        end->dropped += status == WEIR_EAGAIN;
        return status == WEIR_EAGAIN ? WEIR_OK : status;
    }
    end->seq = end->slot.seq;
    weir_record_count(&record->messages, 1);
    weir_record_count(&record->bytes, end->frame.size);
    atomic_store_explicit(&record->last_time, end->frame.time, memory_order_relaxed);
    if (end->role == WEIR_ROLE_WRITER)
        WEIR_TELL(record->told.seq[0], end->seq);
    return WEIR_OK;
}

/* The commit word of a frame of nothing but data, and a time if messages have one, as long as it has no data. */
static inline uint64_t word_begin(enum weir_frame_kind kind, int codec, int is_stamped) {
    uint64_t flags = is_stamped ? (uint64_t)WEIR_FRAME_TIME << 56 : 0;
    uint64_t head = WEIR_FRAME_HEADER_SIZE + (is_stamped ? sizeof(int64_t) : 0);
    return flags | (uint64_t)codec << 40 | (uint64_t)(WEIR_FRAME_VERSION << 4 | kind) << 32 | head;
}

static inline void count_sent(struct weir_end *end, uint64_t count, uint64_t size, uint64_t seq, int64_t time) {
    struct weir_record *record = end->record.shown;
    end->seq = end->slot.seq = seq;
    weir_record_count(&record->messages, count);
    weir_record_count(&record->bytes, size);
    atomic_store_explicit(&record->last_time, time, memory_order_relaxed);
    WEIR_TELL(record->told.seq[0], seq); /* clients and servers do not come here */
}

int weir_end_post(struct weir_end *end, enum weir_frame_kind kind, int codec, const void *data, size_t size) {
    int64_t time = 0;
    if (__builtin_expect(
            end->is_reserved || end->awaits_readers || end->is_time_given || weir_fork_happened(end->generation), 0))
        return 0;
    uint64_t word = word_begin(kind, codec, end->place.is_stamped);
    if (end->place.is_stamped)
        time = weir_clock_realtime();
    if (__builtin_expect(size > end->place.size_max - weir_frame_word_size(word), 0))
        return 0;
    word += size;
    uint64_t seq = end->ops->post(end->state, word, data, size, time, end->is_corked ? WEIR_COMMIT_MORE : 0);
    if (__builtin_expect(seq == 0, 0))
        return 0;
    count_sent(end, 1, weir_frame_word_size(word), seq, time);
    return 1;
}

size_t weir_end_post_many(struct weir_end *end, enum weir_frame_kind kind, int codec, const weir_view *data,
                          size_t count) {
    uint64_t seq, size = 0;
    if (end->is_reserved || end->awaits_readers || weir_end_check(end, NULL) != WEIR_OK)
        return 0;
    int64_t time = end->is_time_given ? end->time : 0;
    uint64_t word = word_begin(kind, codec, time != 0);
    size_t done = end->ops->post_many(end->state, word, data, count, time, end->is_corked ? WEIR_COMMIT_MORE : 0, &seq);
    if (done == 0)
        return 0;
    for (size_t i = 0; i < done; i++)
        size += weir_frame_word_size(word) + data[i].size;
    count_sent(end, done, size, seq, time);
    return done;
}

void weir_end_discard(struct weir_end *end) {
    if (end->is_reserved)
        end->ops->discard(end->state);
    end->is_reserved = end->is_late = 0;
    end->slot.seq = end->seq;
}

int weir_end_send(struct weir_end *end, const struct weir_outgoing *out, weir_error *err) {
    uint64_t dropped = end->dropped;
    int status = weir_end_reserve(end, out, err);
    if (status)
        return status == WEIR_EAGAIN && end->dropped > dropped ? WEIR_OK : status;
    status = weir_end_commit(end, err);
    if (__builtin_expect(status == WEIR_ETIMEOUT, 0))
        weir_end_discard(end);
    return status;
}

/* ---- receiving ---- */

void weir_end_release(struct weir_end *end) {
    if (end->is_holding)
        end->ops->release(end->state);
    end->is_holding = 0;
    end->is_ahead = 0;
}

/* Is the frame in @message one that a call waits for? */
static int is_wanted(const struct weir_message *message, uint32_t kinds) {
    return kinds >> message->frame.kind & 1;
}

int weir_end_show(struct weir_end *end, struct weir_inbound *inbound, uint32_t kinds, struct weir_message *message,
                  weir_error *err) {
    end->gaps += inbound->gap;
    inbound->gap += end->gap_carried;
    int status = weir_message_set(message, inbound);
    int is_shown = status == WEIR_OK && is_wanted(message, kinds);
    end->gap_carried = is_shown ? 0 : inbound->gap;
    if (status)
        return weir_fail(err, status, "%s: writer %u (uid %u) sent a frame that is %s", end->place.text,
                         inbound->writer, inbound->uid,
                         status == WEIR_EVERSION ? "of another version of weir" : "damaged");
    return is_shown ? WEIR_OK : WEIR_EAGAIN;
}

/* Show the frame if it is wanted, else the next one that is. */
__attribute__((noinline)) static int frame_choose(struct weir_end *end, struct weir_inbound *inbound, uint32_t kinds,
                                                  weir_error *err) {
    for (;;) {
        end->is_holding = 1;
        int status = weir_end_show(end, inbound, kinds, &end->message, err);
        if (status == WEIR_OK)
            return WEIR_OK;
        weir_end_release(end);
        if (status == WEIR_EAGAIN)
            status = end->ops->next(end->state, inbound, err);
        if (status)
            return status;
    }
}

/* One step: the next frame that is wanted and there. */
static inline __attribute__((always_inline)) int frame_fetch(struct weir_end *end, uint32_t kinds, weir_error *err) {
    struct weir_inbound inbound;
    int status = end->ops->next(end->state, &inbound, err);
    if (status)
        return status;
    end->is_holding = 1;
    if (__builtin_expect(weir_end_show_simple(end, &inbound, kinds, &end->message), 1))
        return WEIR_OK;
    return frame_choose(end, &inbound, kinds, err);
}

/* What went wrong behind the messages handed out together before. */
__attribute__((noinline)) static int failure_tell(struct weir_end *end, weir_error *err) {
    end->has_failed = 0;
    if (err)
        *err = end->many->err;
    return end->many->status;
}

static inline void count_received(struct weir_end *end) {
    struct weir_record *record = end->record.shown;
    weir_record_count(&record->messages, 1);
    weir_record_count(&record->bytes, end->message.frame.size);
    atomic_store_explicit(&record->gaps, end->gaps, memory_order_relaxed);
    atomic_store_explicit(&record->last_time, end->message.frame.time, memory_order_relaxed);
    WEIR_TELL(record->told.seq[end->message.writer & end->writer_mask], end->message.frame.seq);
}

static inline __attribute__((always_inline)) int take(struct weir_end *end, uint32_t kinds, weir_error *err) {
    int status = weir_end_check(end, err);
    if (__builtin_expect(status, 0))
        return status;
    if (!end->is_ahead || !is_wanted(&end->message, kinds)) {
        end->is_holding = 0; /* next gives back what it gave before */
        end->is_ahead = 0;
        status = __builtin_expect(end->has_failed, 0) ? failure_tell(end, err) : frame_fetch(end, kinds, err);
        if (status)
            return status;
    }
    end->is_ahead = 0;
    count_received(end);
    return WEIR_OK;
}

int weir_end_take(struct weir_end *end, uint32_t kinds, weir_error *err) {
    return take(end, kinds, err);
}

int weir_end_await(struct weir_end *end, uint32_t kinds, int64_t deadline, weir_error *err) {
    int status;
    weir_burst_settle();
    if (deadline == 0)
        return weir_fail(err, WEIR_ETIMEOUT, "%s: no message now", end->place.text);
    do {
        weir_record_count(&end->record.shown->waits, 1);
        status = end->ops->wait(end->state, WEIR_READY_TO_READ, deadline, err);
        if (status == WEIR_OK)
            status = frame_fetch(end, kinds, err);
        /* A wait may end in vain, and a peer that means harm can see to it that each does: no longer than was said. */
        if (status == WEIR_EAGAIN && weir_deadline_left(deadline) == 0)
            status = WEIR_ETIMEOUT;
    } while (status == WEIR_EAGAIN);
    if (status == WEIR_ETIMEOUT)
        return weir_fail(err, WEIR_ETIMEOUT, "%s: no message came in time", end->place.text);
    if (status == WEIR_OK)
        count_received(end);
    return status;
}

int weir_end_next(struct weir_end *end, uint32_t kinds, int64_t timeout_ns, weir_error *err) {
    int status = take(end, kinds, err);
    return status == WEIR_EAGAIN ? weir_end_await(end, kinds, weir_deadline(timeout_ns), err) : status;
}

int weir_end_peek(struct weir_end *end, uint32_t kinds, weir_error *err) {
    int status = weir_end_check(end, err);
    if (status || end->is_ahead)
        return status;
    weir_end_release(end);
    if (end->has_failed) /* the next call tells */
        return end->many->status;
    status = frame_fetch(end, kinds, err);
    end->is_ahead = status == WEIR_OK;
    return status;
}

int weir_end_fd(struct weir_end *end, int *ret_fd, weir_error *err) {
    int status = weir_end_check(end, err);
    return status ? status : end->ops->fd(end->state, ret_fd, err);
}
