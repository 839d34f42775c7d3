/* The listener's short way: what one read of a writer's connection brought is mostly messages of the usual form, one
 * behind the other. They are looked at and copied in one pass, with their writer's number, and every reader is given
 * all of them at once.
 *
 * What must stay true: a frame is taken here only if the long way (hub.c) would take it now and do the same with it: the
 * same bytes would lie in the same order in every queue, and nothing would be dropped or held up. All others, damaged
 * ones too, are left where they lie, and the long way says what is to be done. */
#include <string.h>

#include "transport/socket/socket.h"

/* Where the copies go: what is left of a chunk, and of the readers' room. */
struct destination {
    unsigned char *to;
    size_t left;
    uint64_t room;
};

enum { NUMBER_SIZE = sizeof(uint64_t) /* what a frame grows by */ };

/* Is a whole message of the usual form at @bytes, that may be passed on as it is? Return: its size; 0 when it is not
 * so. */
static inline size_t usual_size(const struct weir_stream *in, const unsigned char *bytes, size_t left, uint64_t *ret) {
    uint64_t word;
    if (left < WEIR_FRAME_HEADER_SIZE)
        return 0;
    memcpy(&word, bytes, sizeof(word));
    size_t size = weir_frame_word_size(word), op_size = (uint8_t)(word >> 48);
    if ((word >> 32 & 0xFF) != (WEIR_FRAME_VERSION << 4 | WEIR_FRAME_MESSAGE) || (word >> 56 & ~WEIR_FRAME_TIME) ||
        size > left || size < weir_frame_simple_head(word) + op_size || size > WEIR_PACKED_MAX - NUMBER_SIZE ||
        size > in->size_max + WEIR_STREAM_SLACK)
        return 0;
    *ret = word;
    return size;
}

/* Copy the frame at @bytes with the number of its @writer. */
static inline void usual_copy(unsigned char *to, const unsigned char *bytes, uint64_t word, size_t size,
                              uint64_t writer) {
    size_t head = weir_frame_simple_head(word);
    uint64_t longer = (word + NUMBER_SIZE) | (uint64_t)WEIR_FRAME_WRITER << 56;
    memcpy(to, bytes, head);
    memcpy(to, &longer, sizeof(longer));
    memcpy(to + head, &writer, sizeof(writer));
    memcpy(to + head + NUMBER_SIZE, bytes + head, size - head);
}

/* Return: how many bytes were written; *ret_seq is the last one's. */
static size_t run_copy(struct weir_stream *in, uint64_t writer, struct destination at, uint64_t *ret_seq) {
    size_t left, size, done = 0;
    uint64_t word;
    const unsigned char *bytes = weir_stream_bytes(in, &left), *last = NULL, *from = bytes;
    while ((size = usual_size(in, from, left, &word)) > 0 && size + NUMBER_SIZE <= at.left - done &&
           done + size + WEIR_STREAM_SLACK <= at.room) {
        usual_copy(at.to + done, from, word, size, writer);
        done += size + NUMBER_SIZE;
        left -= size;
        last = from;
        from += size;
    }
    if (last)
        memcpy(ret_seq, last + 8, sizeof(*ret_seq));
    weir_stream_take(in, (size_t)(from - bytes));
    return done;
}

/* What fits into a chunk. Return: 0 when nothing was taken. */
static int run_take(struct weir_socket *socket, struct weir_peer *peer) {
    int is_droppable = peer->hello.full == WEIR_FULL_DROP_OLDEST;
    struct weir_chunk **open = is_droppable ? &socket->relayed_droppable : &socket->relayed;
    size_t start, size, left;
    uint64_t word, seq = 0;
    const unsigned char *bytes = weir_stream_bytes(&peer->in, &left);
    if (usual_size(&peer->in, bytes, left, &word) == 0 ||
        weir_chunk_room(open, WEIR_PACKED_MAX, 1, is_droppable ? WEIR_CHUNK_DROPPABLE : WEIR_CHUNK_FIRM, &start))
        return 0;
    struct weir_chunk *chunk = *open;
    size = run_copy(&peer->in, peer->hello.writer,
                    (struct destination){chunk->bytes + start, chunk->capacity - start, weir_spread_room(socket, 1)},
                    &seq);
    if (size == 0)
        return 0;
    chunk->size = start + size;
    struct weir_origin *origin = weir_origins_get(&socket->passed, peer->hello.writer);
    if (origin) {
        origin->seq = seq;
        origin->uid = peer->credentials.uid;
    }
    weir_spread(socket, peer, chunk, start, chunk->size);
    return 1;
}

void weir_relay(struct weir_socket *socket, struct weir_peer *peer) {
    if (peer->hello.role != WEIR_ROLE_WRITER || peer->plain || socket->role == WEIR_ROLE_SERVER || socket->grace_until)
        return;
    while (run_take(socket, peer))
        continue;
}
