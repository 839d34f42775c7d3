/* What a peer without frames says at a socket: recognised by its first bytes, made into frames, its requests answered.
 * Whatever the bytes and wherever they are cut: frames are whole, each request gets at most one answer, and all comes
 * to an end. The first byte chooses hub or server, and how much comes at a time. */
#include "fuzz.h"

#include "frame/frame.h"
#include "transport/socket/plain.h"

enum { SIZE_MAX_HERE = 1 << 16, ROUNDS_MAX = 1 << 16 };

/* Answer a request with its own data, every third with an error. */
static void answer(struct weir_socket *socket, struct weir_peer *peer, const struct weir_frame *request) {
    struct weir_frame reply = {.kind = request->id % 3 ? WEIR_FRAME_REPLY : WEIR_FRAME_ERROR,
                               .codec = request->codec,
                               .flags = WEIR_FRAME_ID,
                               .id = request->id,
                               .op = request->op,
                               .type = request->type,
                               .data = request->data};
    size_t start;
    MUST(weir_frame_layout(&reply) == WEIR_OK);
    MUST(weir_chunk_room(&socket->relayed, reply.size, 64, WEIR_CHUNK_FIRM, &start) == WEIR_OK);
    weir_frame_write_whole(&reply, socket->relayed->bytes + start);
    socket->relayed->size = start + reply.size;
    MUST(weir_queue_push(&peer->out, socket->relayed, start, start + reply.size) == WEIR_OK);
}

static void frames_take(struct weir_socket *socket, struct weir_peer *peer) {
    struct weir_stream_frame raw;
    while (weir_stream_next(&peer->in, &raw, NULL) == WEIR_OK) {
        struct weir_frame frame;
        MUST(weir_frame_parse(raw.word, raw.bytes, raw.size, &frame) == WEIR_OK);
        MUST(frame.size == raw.size);
        MUST(frame.kind == (socket->role == WEIR_ROLE_SERVER ? WEIR_FRAME_REQUEST : WEIR_FRAME_MESSAGE));
        if (frame.kind == WEIR_FRAME_REQUEST)
            answer(socket, peer, &frame);
        weir_stream_take(&peer->in, raw.size);
    }
    size_t left;
    weir_stream_bytes(&peer->in, &left);
    MUST(left == 0);
}

/* What waits to be said goes, as a socket would take it. */
static void said_take(struct weir_peer *peer) {
    MUST(weir_plain_fill(peer) == WEIR_OK);
    peer->said.size = peer->said_sent = 0;
}

static int step(struct weir_socket *socket, struct weir_peer *peer) {
    for (int rounds = 0;; rounds++) {
        MUST(rounds < ROUNDS_MAX);
        int status = weir_plain_take(socket, peer);
        frames_take(socket, peer);
        said_take(peer);
        if (status != WEIR_OK && status != WEIR_EBUSY)
            return status == WEIR_EAGAIN;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    int framing = 0;
    if (size < 2)
        return 0;
    struct weir_socket socket = {.role = data[0] & 1 ? WEIR_ROLE_SERVER : WEIR_ROLE_WRITER};
    struct weir_peer peer = {.fd = -1, .in = {.size_max = SIZE_MAX_HERE}};
    size_t piece = data[0] >> 1 ? data[0] >> 1 : size;
    if (weir_opening_judge(data + 1, size - 1, 1, &framing) != WEIR_OPENING_PLAIN)
        framing = WEIR_FRAMING_FRAMES;
    if (framing == WEIR_FRAMING_FRAMES && socket.role != WEIR_ROLE_SERVER)
        return 0; /* put out, or a hello */
    peer.hello.role = socket.role == WEIR_ROLE_SERVER ? WEIR_ROLE_CLIENT : WEIR_ROLE_WRITER;
    MUST(weir_plain_attach(&peer, framing) == WEIR_OK);
    int goes_on = 1;
    for (size_t at = 1; goes_on && at < size; at += piece) {
        size_t more = size - at < piece ? size - at : piece;
        MUST(weir_stream_append(weir_plain_input(&peer), data + at, more) == WEIR_OK);
        goes_on = step(&socket, &peer);
    }
    peer.has_ended = 1;
    if (goes_on)
        (void)step(&socket, &peer);
    while (peer.out.count > 0)
        said_take(&peer);
    MUST(!weir_plain_awaits(&peer));
    weir_peer_fini(&peer);
    weir_chunk_unref(socket.relayed);
    return 0;
}
