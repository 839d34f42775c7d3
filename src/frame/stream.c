/* Frames out of a byte stream.
 *
 * What must stay true: no memory is taken because a header claims a size; the buffer at most doubles, and only when it
 * is full of bytes that really came. A frame that weir_stream_next shows has a header that is all there and a size
 * within the limit, so that stepping over it cannot leave the buffer. A frame that did not come whole moves to the
 * front of the other buffer, which is aligned to 64: whatever is big arrives aligned, and what was taken last is still
 * there for who wants to see it again. */
#include "frame/stream.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "frame/frame.h"
#include "os/short.h"

static struct weir_buffer *current(struct weir_stream *stream) {
    return &stream->buffers[stream->turn];
}

/* Bytes of the frame that begins at @begin, when so much is known; 0 otherwise. */
static size_t pending_size(const struct weir_stream *stream) {
    uint64_t word;
    size_t left;
    const unsigned char *bytes = weir_stream_bytes(stream, &left);
    if (left < sizeof(word))
        return 0;
    memcpy(&word, bytes, sizeof(word));
    return weir_frame_word_size(word);
}

/* Go on at the front of the other buffer. */
static int turn_over(struct weir_stream *stream) {
    size_t left;
    const unsigned char *bytes = weir_stream_bytes(stream, &left);
    struct weir_buffer *other = &stream->buffers[!stream->turn];
    other->size = 0;
    size_t room = left + WEIR_STREAM_READ_MIN;
    if (room < current(stream)->capacity)
        room = current(stream)->capacity;
    if (!weir_buffer_room(other, room))
        return WEIR_ENOMEM;
    if (left > 0)
        memcpy(other->data, bytes, left);
    other->size = left;
    stream->turn = !stream->turn;
    stream->begin = 0;
    return WEIR_OK;
}

/* Make room to read into. */
static int room_make(struct weir_stream *stream, size_t pending) {
    struct weir_buffer *buffer = current(stream);
    size_t room = buffer->capacity - buffer->size;
    int fits = pending <= buffer->capacity - stream->begin;
    int must_grow = stream->is_growing && buffer->capacity < WEIR_STREAM_READ_MAX;
    /* What was taken stays: memory that holds some of it does not move. */
    if (stream->begin > 0 && (room < WEIR_STREAM_READ_MIN || !fits || must_grow || stream->begin == buffer->size))
        if (turn_over(stream) != WEIR_OK)
            return WEIR_ENOMEM;
    buffer = current(stream);
    room = buffer->capacity - buffer->size;
    size_t more = WEIR_STREAM_READ_MIN;
    if (stream->is_growing && buffer->capacity < WEIR_STREAM_READ_MAX)
        more = buffer->capacity * 2 - buffer->size;
    if (room < more && (room < WEIR_STREAM_READ_MIN || stream->is_growing))
        if (!weir_buffer_room(buffer, more) && room == 0)
            return WEIR_ENOMEM;
    stream->is_growing = 0;
    return WEIR_OK;
}

unsigned char *weir_stream_room(struct weir_stream *stream, size_t *ret_room) {
    size_t pending = pending_size(stream), left;
    if (room_make(stream, pending) != WEIR_OK)
        return NULL;
    struct weir_buffer *buffer = current(stream);
    (void)weir_stream_bytes(stream, &left);
    *ret_room = buffer->capacity - buffer->size;
    /* The rest of a large frame, and no more: then the next one begins at the front of the other buffer, and arrives
     * where it stays. */
    if (pending >= WEIR_STREAM_LARGE && pending > left && pending - left < *ret_room)
        *ret_room = pending - left;
    return buffer->data + buffer->size;
}

void weir_stream_added(struct weir_stream *stream, size_t size) {
    struct weir_buffer *buffer = current(stream);
    buffer->size += size;
    stream->is_growing = buffer->size == buffer->capacity;
}

int weir_stream_read(struct weir_stream *stream, int fd, int flags) {
    size_t room;
    unsigned char *to = weir_stream_room(stream, &room);
    ssize_t got;
    if (!to)
        return WEIR_ENOMEM;
    do
        got = recv(fd, to, weir_short(room, 1), flags);
    while (got < 0 && errno == EINTR && (flags & MSG_DONTWAIT));
    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? WEIR_EAGAIN : WEIR_ECLOSED;
    if (got == 0)
        return WEIR_ECLOSED;
    weir_stream_added(stream, (size_t)got);
    return WEIR_OK;
}

int weir_stream_append(struct weir_stream *stream, const void *bytes, size_t size) {
    if (room_make(stream, pending_size(stream)) != WEIR_OK)
        return WEIR_ENOMEM;
    struct weir_buffer *buffer = current(stream);
    if (buffer->capacity - buffer->size < size &&
        (turn_over(stream) != WEIR_OK || !weir_buffer_room(current(stream), size)))
        return WEIR_ENOMEM;
    buffer = current(stream);
    memcpy(buffer->data + buffer->size, bytes, size);
    buffer->size += size;
    return WEIR_OK;
}

static size_t header_size(uint64_t word) {
    unsigned flags = (unsigned)(word >> 56);
    return WEIR_FRAME_HEADER_SIZE + ((flags & WEIR_FRAME_TIME) ? 8 : 0) + ((flags & WEIR_FRAME_ID) ? 8 : 0) +
           ((flags & WEIR_FRAME_WRITER) ? 8 : 0);
}

static int frame_judge(const struct weir_stream *stream, uint64_t word, weir_error *err) {
    unsigned version = (unsigned)(word >> 36) & 0x0F, kind = (unsigned)(word >> 32) & 0x0F;
    if (version != WEIR_FRAME_VERSION)
        return weir_fail(err, WEIR_EVERSION,
                         "the other end sends frames of version %u, this one reads version %d; upgrade the older one",
                         version, WEIR_FRAME_VERSION);
    if (kind < WEIR_FRAME_MESSAGE || kind > WEIR_FRAME_KIND_LAST || weir_frame_word_size(word) < header_size(word))
        return weir_fail(err, WEIR_ECORRUPT, "the other end sent bytes that are no frame; the connection was closed");
    if (weir_frame_word_size(word) > stream->size_max + WEIR_STREAM_SLACK)
        return weir_fail(err, WEIR_ETOOBIG,
                         "the other end sent a frame of %u bytes, more than max=%llu; raise max= here",
                         weir_frame_word_size(word), (unsigned long long)stream->size_max);
    return WEIR_OK;
}

int weir_stream_next(const struct weir_stream *stream, struct weir_stream_frame *ret, weir_error *err) {
    size_t left;
    uint64_t word;
    const unsigned char *bytes = weir_stream_bytes(stream, &left);
    if (left < sizeof(word))
        return WEIR_EAGAIN;
    memcpy(&word, bytes, sizeof(word));
    int status = frame_judge(stream, word, err);
    if (status != WEIR_OK)
        return status;
    size_t size = weir_frame_word_size(word);
    if (size > left)
        return WEIR_EAGAIN;
    *ret = (struct weir_stream_frame){.bytes = bytes, .size = size, .word = word};
    memcpy(&ret->seq, bytes + 8, sizeof(ret->seq));
    return WEIR_OK;
}

void weir_stream_reset(struct weir_stream *stream) {
    stream->turn = !stream->turn;
    stream->buffers[stream->turn].size = 0;
    stream->begin = 0;
    stream->is_growing = 0;
}

void weir_stream_fini(struct weir_stream *stream) {
    weir_buffer_fini(&stream->buffers[0]);
    weir_buffer_fini(&stream->buffers[1]);
}

uint64_t weir_frame_origin(const unsigned char *bytes, uint64_t word, uint64_t otherwise) {
    unsigned flags = (unsigned)(word >> 56);
    if (!(flags & WEIR_FRAME_WRITER))
        return otherwise;
    uint64_t origin;
    size_t before = ((flags & WEIR_FRAME_TIME) ? 8 : 0) + ((flags & WEIR_FRAME_ID) ? 8 : 0);
    memcpy(&origin, bytes + WEIR_FRAME_HEADER_SIZE + before, sizeof(origin));
    return origin;
}

int64_t weir_frame_moment(const unsigned char *bytes, uint64_t word) {
    int64_t moment;
    if (!((word >> 56) & WEIR_FRAME_TIME))
        return 0;
    memcpy(&moment, bytes + WEIR_FRAME_HEADER_SIZE, sizeof(moment));
    return moment;
}
