/* The listener: letting ends in, reading what they send, relaying it.
 *
 * A connection is first pending: it must say hello within WEIR_HELLO_WAIT, and be a user who may. Then it is a writer,
 * whose frames are given the writer field and spread; a reader, who only sends control frames; or, at a server, a
 * client.
 *
 * What must stay true: nothing is believed of a peer but what the kernel says of its user; every frame it sends is
 * looked at whole before anything is done with it (those of the usual form by relay.c), and what is no frame ends the
 * connection, not the channel. A writer's next frame is taken only when there is room for it everywhere it must go:
 * until then the connection is paused, and the writer feels it as a full socket. Places in `peers` are used again,
 * never moved. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "frame/plain/plain.h"
#include "os/process.h"
#include "transport/socket/plain.h"
#include "transport/socket/socket.h"

enum { ACCEPTS_MAX = 32, PEERS_MIN = 8 };

/* ---- places ---- */

uint64_t weir_hub_handle(const struct weir_peer *peer) {
    return (uint64_t)peer->generation << 32 | ((uint64_t)peer->index + 1);
}

struct weir_peer *weir_hub_find(const struct weir_socket *socket, uint64_t handle) {
    uint64_t index = (handle & UINT32_MAX) - 1;
    if (index >= socket->peer_count)
        return NULL;
    struct weir_peer *peer = socket->peers[index];
    return peer->phase == WEIR_PHASE_READY && weir_hub_handle(peer) == handle ? peer : NULL;
}

static struct weir_peer *place_add(struct weir_socket *socket) {
    if ((socket->peer_count & (socket->peer_count - 1)) == 0) {
        size_t capacity = socket->peer_count ? socket->peer_count * 2 : 1;
        struct weir_peer **peers = realloc(socket->peers, capacity * sizeof(struct weir_peer *));
        if (!peers)
            return NULL;
        socket->peers = peers;
    }
    struct weir_peer *peer = calloc(1, sizeof(*peer));
    if (!peer)
        return NULL;
    peer->index = (uint32_t)socket->peer_count;
    peer->fd = -1;
    peer->quiet_at = INT64_MAX;
    peer->in.size_max = socket->place.size_max;
    return socket->peers[socket->peer_count++] = peer;
}

/* A free place. Return: NULL when WEIR_PEERS_MAX are taken, or there is no memory. */
static struct weir_peer *place_find(struct weir_socket *socket) {
    for (size_t i = 0; i < socket->peer_count; i++)
        if (socket->peers[i]->phase == WEIR_PHASE_NONE)
            return socket->peers[i];
    return socket->peer_count < WEIR_PEERS_MAX ? place_add(socket) : NULL;
}

void weir_hub_drop(struct weir_socket *socket, struct weir_peer *peer) {
    int held = weir_peer_holds(peer);
    socket->pending_count -= peer->phase == WEIR_PHASE_HELLO;
    socket->paused_count -= peer->is_paused;
    weir_peer_disconnect(socket, peer);
    weir_queue_fini(&peer->out);
    weir_stream_fini(&peer->in);
    peer->in = (struct weir_stream){.size_max = socket->place.size_max};
    if (held)
        weir_spread_count(socket);
    socket->is_dirty = 1; /* whoever held writers back may be gone */
}

/* ---- letting in ---- */

static void answer_fill(const struct weir_socket *socket, struct weir_hello *answer) {
    *answer = (struct weir_hello){
        .version = WEIR_HELLO_VERSION,
        .role = (uint8_t)socket->role,
        .flags = (uint8_t)((socket->place.is_observer ? WEIR_HELLO_OBSERVES : 0) |
                           (socket->history.count ? WEIR_HELLO_HAS_LAST : 0)),
        .pid = (uint32_t)getpid(),
        .writer = socket->role == WEIR_ROLE_WRITER ? socket->writer : 0,
        .seq = socket->own_seq,
        .size_max = socket->place.size_max,
        .readers = weir_spread_readers(socket),
    };
    weir_process_program(getpid(), answer->program, sizeof(answer->program));
}

/* Why a connection is not let in. It gets no more of us than it can see in /proc anyway. */
static void refusal_fill(const struct weir_socket *socket, int status, const char *text, unsigned char *bytes) {
    struct weir_hello answer;
    answer_fill(socket, &answer);
    answer.status = (uint16_t)status;
    answer.writer = answer.seq = answer.readers = 0;
    snprintf(answer.text, sizeof(answer.text), "%.127s", text);
    weir_hello_write(&answer, bytes);
}

static void refusal_send(const struct weir_socket *socket, int fd, int status, const char *text) {
    unsigned char bytes[WEIR_HELLO_SIZE];
    refusal_fill(socket, status, text, bytes);
    (void)!send(fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void refuse(struct weir_socket *socket, struct weir_peer *peer, int status, const char *text) {
    unsigned char bytes[WEIR_HELLO_SIZE];
    refusal_fill(socket, status, text, bytes);
    (void)weir_peer_flush(socket, peer, bytes, sizeof(bytes));
    weir_hub_drop(socket, peer);
}

static void refused_count(struct weir_socket *socket) {
    if (socket->place.refused)
        atomic_fetch_add_explicit(socket->place.refused, 1, memory_order_relaxed);
}

/* Too many say nothing: the one that has done so for longest goes. */
static void pending_trim(struct weir_socket *socket) {
    struct weir_peer *oldest = NULL;
    if (socket->pending_count <= WEIR_PENDING_MAX)
        return;
    for (size_t i = 0; i < socket->peer_count; i++) {
        struct weir_peer *peer = socket->peers[i];
        if (peer->phase == WEIR_PHASE_HELLO && (!oldest || peer->deadline < oldest->deadline))
            oldest = peer;
    }
    weir_hub_drop(socket, oldest);
}

/* When silence, from now on, says that a peer speaks no frames. */
static int64_t quiet_begin(const struct weir_socket *socket) {
    return socket->place.framing == WEIR_FRAMING_FRAMES ? INT64_MAX : weir_clock_monotonic() + WEIR_QUIET_WAIT;
}

static void let_in(struct weir_socket *socket, int fd) {
    struct weir_credentials credentials;
    weir_error err;
    if (socket->family->admit(&socket->place, fd, &credentials, &err) != WEIR_OK) {
        refused_count(socket);
        refusal_send(socket, fd, WEIR_EACCESS, err.text);
        close(fd);
        return;
    }
    struct weir_peer *peer = place_find(socket);
    if (!peer) {
        refusal_send(socket, fd, WEIR_EBUSY, "as many ends are connected as a listener takes, 1024; close some");
        close(fd);
        return;
    }
    peer->fd = fd;
    weir_peer_widen(socket, fd);
    peer->phase = WEIR_PHASE_HELLO;
    peer->credentials = credentials;
    peer->deadline = weir_clock_monotonic() + WEIR_HELLO_WAIT;
    peer->quiet_at = socket->tls ? INT64_MAX : quiet_begin(socket);
    peer->tls = socket->tls ? weir_tls_begin(socket->tls, 1) : NULL;
    socket->pending_count++;
    if (socket->tls && !peer->tls) {
        weir_hub_drop(socket, peer);
        return;
    }
    weir_peer_watch(socket, peer);
    pending_trim(socket);
}

static void accepting_set(struct weir_socket *socket, int wanted) {
    uint32_t watched = socket->is_accepting ? EPOLLIN : 0;
    if (wanted != socket->is_accepting)
        weir_pump_watch(socket, socket->claim.listen_fd, WEIR_KEY_LISTENER, wanted ? EPOLLIN : 0, &watched);
    socket->is_accepting = watched != 0;
}

void weir_hub_accept(struct weir_socket *socket) {
    for (int i = 0; socket->claim.listen_fd >= 0 && i < ACCEPTS_MAX; i++) {
        int fd = accept4(socket->claim.listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            let_in(socket, fd);
        } else if (errno == EAGAIN) {
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            /* No descriptor is left, most likely. Those who wait stay in the backlog; asking again at once would only
             * spin. */
            accepting_set(socket, 0);
            socket->accept_at = weir_clock_monotonic() + WEIR_ACCEPT_WAIT;
            return;
        }
    }
}

/* ---- the hello ---- */

/* Another writer that stands against @hello, because one of the two wants to be alone. */
static int exclusive_clash(const struct weir_socket *socket, const struct weir_hello *hello, char *text, size_t size) {
    int wants = hello->flags & WEIR_HELLO_EXCLUSIVE;
    if (socket->role == WEIR_ROLE_WRITER && (wants || socket->place.is_exclusive)) {
        snprintf(text, size, "there is a writer already (pid %ld), and exclusive=1 allows one", (long)getpid());
        return 1;
    }
    for (size_t i = 0; i < socket->peer_count; i++) {
        const struct weir_peer *other = socket->peers[i];
        if (other->phase != WEIR_PHASE_READY || other->hello.role != WEIR_ROLE_WRITER ||
            !(wants || (other->hello.flags & WEIR_HELLO_EXCLUSIVE)))
            continue;
        snprintf(text, size, "there is a writer already (pid %d), and exclusive=1 allows one",
                 (int)other->credentials.pid);
        return 1;
    }
    return 0;
}

/* Is that writer here already? Then one of the two says the other's number. */
static int is_known_writer(const struct weir_socket *socket, const struct weir_hello *hello) {
    if (hello->writer == 0 || hello->writer == socket->writer)
        return 1;
    for (size_t i = 0; i < socket->peer_count; i++)
        if (socket->peers[i]->phase == WEIR_PHASE_READY && socket->peers[i]->hello.writer == hello->writer)
            return 1;
    return 0;
}

/* May this end work with us? Return: WEIR_OK, or why not with the sentence. */
static int hello_judge(const struct weir_socket *socket, const struct weir_hello *hello, char *text, size_t size) {
    int is_server = socket->role == WEIR_ROLE_SERVER;
    if (is_known_writer(socket, hello)) {
        snprintf(text, size, "an end with that number is connected already; connect again with another");
        return WEIR_EBUSY;
    }
    if ((hello->role == WEIR_ROLE_CLIENT) == is_server && hello->role != WEIR_ROLE_SERVER)
        return hello->role == WEIR_ROLE_WRITER && exclusive_clash(socket, hello, text, size) ? WEIR_EBUSY : WEIR_OK;
    if (hello->role == WEIR_ROLE_CLIENT) {
        snprintf(text, size, "nobody serves there; readers and writers meet at it");
        return WEIR_ENOENT;
    }
    snprintf(text, size,
             "a server listens there already, which takes calls only (weir call); call it, or choose another path");
    return WEIR_EBUSY;
}

/* Who comes from a listener before us knows how many readers to wait for. */
static void grace_extend(struct weir_socket *socket, const struct weir_hello *hello) {
    int64_t until = socket->claimed_at + WEIR_GRACE_WAIT;
    if (!(hello->flags & WEIR_HELLO_RESUMES) || hello->readers <= socket->readers_expected ||
        weir_clock_monotonic() >= until)
        return;
    socket->readers_expected = hello->readers;
    socket->grace_until = until;
}

/* All readers of the listener before us have come. */
static void grace_check(struct weir_socket *socket) {
    if (socket->grace_until && weir_spread_readers(socket) >= socket->readers_expected)
        socket->grace_until = 0;
}

static void writer_join(struct weir_socket *socket, struct weir_peer *peer) {
    struct weir_origin *origin = weir_origins_get(&socket->passed, peer->hello.writer);
    if (origin) {
        origin->uid = peer->credentials.uid;
        origin->seq = peer->hello.seq;
    }
    weir_spread_introduce(socket, peer->hello.writer, peer->hello.seq, peer->credentials.uid);
}

/* Let the end in: our answer goes out together with all a reader gets at once. Return: 0 when the connection is
 * gone. */
static int welcome(struct weir_socket *socket, struct weir_peer *peer) {
    unsigned char bytes[WEIR_HELLO_SIZE];
    struct weir_hello answer;
    socket->pending_count--;
    peer->phase = WEIR_PHASE_READY;
    grace_extend(socket, &peer->hello);
    answer_fill(socket, &answer);
    weir_hello_write(&answer, bytes);
    int status = WEIR_OK;
    if (peer->hello.role == WEIR_ROLE_READER)
        status = weir_spread_join(socket, peer);
    if (peer->hello.role == WEIR_ROLE_WRITER)
        writer_join(socket, peer);
    weir_peer_tell(socket, peer);
    if (status == WEIR_OK)
        status = weir_peer_flush(socket, peer, bytes, peer->plain ? 0 : sizeof(bytes));
    if (status != WEIR_OK) {
        weir_hub_drop(socket, peer);
        return 0;
    }
    weir_peer_watch(socket, peer);
    if (weir_peer_holds(peer))
        weir_spread_count(socket);
    grace_check(socket);
    return 1;
}

/* Say why in a line that anybody can read, and close. */
static void turn_away(struct weir_socket *socket, struct weir_peer *peer, int status, const char *text) {
    weir_plain_complain(socket, peer, status, text);
    (void)weir_peer_flush(socket, peer, NULL, 0);
    refused_count(socket);
    weir_hub_drop(socket, peer);
}

/* What somebody else than weir said first. Return: 0, the connection is gone. */
static int foreign_take(struct weir_socket *socket, struct weir_peer *peer, int first) {
    if (first == 0x16)
        turn_away(socket, peer, WEIR_EPARSE, "this listener does not speak TLS");
    else
        turn_away(socket, peer, WEIR_EPARSE,
                  "neither weir nor JSON lines, a CBOR map, Smile or BSON; JSON begins with { or [");
    return 0;
}

/* Let in one that speaks no frames: as @role, which what he did first says. Return: 0 when the connection is gone. */
static int plain_welcome(struct weir_socket *socket, struct weir_peer *peer, int framing, enum weir_role role) {
    char text[128] = "";
    peer->hello = (struct weir_hello){.version = WEIR_HELLO_VERSION,
                                      .role = (uint8_t)(socket->role == WEIR_ROLE_SERVER ? WEIR_ROLE_CLIENT : role),
                                      .pid = (uint32_t)peer->credentials.pid,
                                      .size_max = UINT32_MAX};
    weir_random(&peer->hello.writer, sizeof(peer->hello.writer));
    if (weir_plain_attach(peer, framing) != WEIR_OK) {
        weir_hub_drop(socket, peer);
        return 0;
    }
    if (peer->hello.role == WEIR_ROLE_WRITER && exclusive_clash(socket, &peer->hello, text, sizeof(text))) {
        turn_away(socket, peer, WEIR_EBUSY, text);
        return 0;
    }
    return welcome(socket, peer);
}

/* A pending connection has said something. @is_all: and nothing has followed for a while. Return: 0 when it is gone. */
static int hello_take(struct weir_socket *socket, struct weir_peer *peer, int is_all) {
    size_t size;
    char text[128];
    int framing, forced = socket->place.framing;
    const unsigned char *bytes = weir_stream_bytes(&peer->in, &size);
    enum weir_opening opening = weir_opening_judge(bytes, size, is_all, &framing);
    if (size == 0 || (opening == WEIR_OPENING_UNDECIDED && (forced <= 0 || *bytes == 'W')))
        return 1;
    if (opening == WEIR_OPENING_PLAIN && forced == WEIR_FRAMING_FRAMES)
        opening = WEIR_OPENING_FOREIGN;
    if (opening != WEIR_OPENING_HELLO && forced > 0)
        return plain_welcome(socket, peer, forced, WEIR_ROLE_WRITER);
    if (opening == WEIR_OPENING_PLAIN)
        return plain_welcome(socket, peer, framing, WEIR_ROLE_WRITER);
    if (opening == WEIR_OPENING_FOREIGN)
        return foreign_take(socket, peer, *bytes);
    int status = weir_hello_read(bytes, &peer->hello);
    weir_stream_take(&peer->in, WEIR_HELLO_SIZE);
    if (status == WEIR_EVERSION)
        snprintf(text, sizeof(text), "the listener speaks version %d, you version %d; upgrade the older one",
                 WEIR_HELLO_VERSION, (int)peer->hello.version);
    else if (status == WEIR_ECORRUPT)
        snprintf(text, sizeof(text), "the hello has a field that no end would send");
    else
        status = hello_judge(socket, &peer->hello, text, sizeof(text));
    if (status != WEIR_OK) {
        refuse(socket, peer, status, text);
        return 0;
    }
    return welcome(socket, peer);
}

/* ---- frames ---- */

int weir_hub_copy(struct weir_chunk **open, enum weir_chunk_kind kind, const struct weir_stream_frame *frame,
                  uint64_t writer, size_t *ret_start) {
    struct weir_frame parts;
    if (weir_frame_parse(frame->word, frame->bytes, frame->size, &parts) != WEIR_OK)
        return WEIR_ECORRUPT;
    parts.flags |= WEIR_FRAME_WRITER;
    parts.writer = writer;
    if (weir_frame_layout(&parts) != WEIR_OK)
        return WEIR_ECORRUPT;
    size_t alignment = parts.size > WEIR_PACKED_MAX ? WEIR_FRAME_ALIGNMENT : 1;
    if (weir_chunk_room(open, parts.size, alignment, kind, ret_start) != WEIR_OK)
        return WEIR_ENOMEM;
    weir_frame_write_whole(&parts, (*open)->bytes + *ret_start);
    (*open)->size = *ret_start + parts.size;
    return WEIR_OK;
}

/* Return: WEIR_OK, WEIR_EAGAIN (no room yet), WEIR_ECORRUPT, WEIR_ENOMEM. */
static int message_take(struct weir_socket *socket, struct weir_peer *peer, const struct weir_stream_frame *frame) {
    size_t start;
    int is_droppable = peer->hello.full == WEIR_FULL_DROP_OLDEST;
    struct weir_chunk **open = is_droppable ? &socket->relayed_droppable : &socket->relayed;
    if (!is_droppable && !weir_spread_has_room(socket, frame->size + WEIR_STREAM_SLACK))
        return WEIR_EAGAIN;
    int status =
        weir_hub_copy(open, is_droppable ? WEIR_CHUNK_DROPPABLE : WEIR_CHUNK_FIRM, frame, peer->hello.writer, &start);
    if (status != WEIR_OK)
        return status;
    struct weir_origin *origin = weir_origins_get(&socket->passed, peer->hello.writer);
    if (origin) {
        origin->seq = frame->seq;
        origin->uid = peer->credentials.uid;
    }
    weir_spread(socket, peer, *open, start, (*open)->size);
    return WEIR_OK;
}

static int request_take(struct weir_socket *socket, struct weir_peer *peer, const struct weir_stream_frame *frame) {
    size_t start;
    if (!weir_fits(socket, &socket->inbox, frame->size + WEIR_STREAM_SLACK))
        return WEIR_EAGAIN;
    int status = weir_hub_copy(&socket->relayed, WEIR_CHUNK_FIRM, frame, weir_hub_handle(peer), &start);
    return status ? status : weir_queue_push(&socket->inbox, socket->relayed, start, socket->relayed->size);
}

static int control_take(struct weir_peer *peer, const struct weir_stream_frame *frame) {
    struct weir_frame control;
    if (weir_control_read(frame, &control) != WEIR_OK)
        return WEIR_ECORRUPT;
    if (peer->hello.role == WEIR_ROLE_READER && weir_control_is(&control, "seek") && control.id <= WEIR_FROM_AGO)
        peer->seek =
            (struct weir_seek){(enum weir_from)control.id, (int64_t)(control.seq & INT64_MAX), control.writer, 1};
    return WEIR_OK; /* of a later version: not for us */
}

/* One that was taken for a reader, as he was silent, speaks after all: he is both. */
static int reader_speaks(struct weir_socket *socket, struct weir_peer *peer) {
    char text[128];
    if (!peer->plain || peer->hello.role != WEIR_ROLE_READER)
        return 0;
    if (weir_plain_is_first(peer)) {
        struct weir_hello writer = peer->hello;
        writer.role = WEIR_ROLE_WRITER;
        if (exclusive_clash(socket, &writer, text, sizeof(text)))
            return 0;
        writer_join(socket, peer);
    }
    return 1;
}

static int frame_take(struct weir_socket *socket, struct weir_peer *peer, const struct weir_stream_frame *frame) {
    unsigned kind = (unsigned)(frame->word >> 32) & 0x0F;
    if (kind == WEIR_FRAME_CONTROL)
        return control_take(peer, frame);
    if (kind == WEIR_FRAME_MESSAGE && reader_speaks(socket, peer))
        return message_take(socket, peer, frame);
    if (peer->hello.role == WEIR_ROLE_WRITER && kind == WEIR_FRAME_MESSAGE)
        return message_take(socket, peer, frame);
    if (peer->hello.role == WEIR_ROLE_CLIENT && (kind == WEIR_FRAME_REQUEST || kind == WEIR_FRAME_CANCEL))
        return request_take(socket, peer, frame);
    return WEIR_ECORRUPT;
}

static void pause_set(struct weir_socket *socket, struct weir_peer *peer, int is_paused) {
    socket->paused_count += (size_t)is_paused - peer->is_paused;
    peer->is_paused = (uint8_t)is_paused;
    if (is_paused) /* the owner shall look for room with each frame that he takes */
        atomic_store_explicit(&socket->quick.is_over, 1, memory_order_relaxed);
}

/* A weir end that was so slow to say hello that it was taken for a plain reader. If it got nothing yet, that can be
 * undone; else it comes again by itself. Return: 0 when the connection is gone. */
static int late_hello(struct weir_socket *socket, struct weir_peer *peer) {
    int held = weir_peer_holds(peer);
    if (!weir_plain_undo(peer)) {
        weir_hub_drop(socket, peer);
        return 0;
    }
    weir_peer_untell(socket, peer);
    weir_queue_clear(&peer->out);
    peer->phase = WEIR_PHASE_HELLO;
    peer->deadline = weir_clock_monotonic() + WEIR_HELLO_WAIT;
    peer->quiet_at = INT64_MAX;
    socket->pending_count++;
    if (held)
        weir_spread_count(socket);
    return hello_take(socket, peer, 0) && peer->phase == WEIR_PHASE_READY;
}

/* Take all frames that are there and have room; plain messages become frames first. Return: WEIR_EAGAIN (all are
 * taken), WEIR_EBUSY (no room yet), WEIR_ECLOSED (the connection is gone, or has gone back to its hello), others: it is
 * no good. */
static int frames_work(struct weir_socket *socket, struct weir_peer *peer) {
    struct weir_stream_frame frame;
    for (;;) {
        int status;
        weir_relay(socket, peer);
        while ((status = weir_stream_next(&peer->in, &frame, NULL)) == WEIR_OK) {
            status = frame_take(socket, peer, &frame);
            if (status != WEIR_OK)
                return status == WEIR_EAGAIN ? WEIR_EBUSY : status;
            weir_stream_take(&peer->in, frame.size);
            weir_relay(socket, peer);
        }
        if (status != WEIR_EAGAIN || !peer->plain)
            return status;
        if (weir_plain_is_late_hello(peer)) {
            if (!late_hello(socket, peer))
                return WEIR_ECLOSED;
            continue;
        }
        status = weir_plain_take(socket, peer);
        if (status != WEIR_OK)
            return status;
    }
}

/* Has one that says nothing more still to get answers? */
static int awaits_answers(const struct weir_peer *peer) {
    return peer->plain && peer->hello.role != WEIR_ROLE_READER &&
           (weir_peer_has_output(peer) || weir_plain_awaits(peer));
}

static void frames_take(struct weir_socket *socket, struct weir_peer *peer) {
    int status = frames_work(socket, peer);
    if (status == WEIR_ECLOSED)
        return;
    pause_set(socket, peer, status == WEIR_EBUSY);
    if (status == WEIR_EBUSY) {
        weir_peer_watch(socket, peer);
        return;
    }
    if (peer->plain && status != WEIR_EAGAIN) { /* garbage: he gets the line that says so, and what else he waits for */
        (void)weir_peer_flush(socket, peer, NULL, 0);
        peer->has_ended = 1;
        status = WEIR_EAGAIN;
    }
    /* Of many seeks only the last counts; each goes through the whole history. */
    if (status == WEIR_EAGAIN && peer->seek.is_asked && weir_spread_seek(socket, peer) != WEIR_OK)
        status = WEIR_ENOMEM;
    if (status == WEIR_EAGAIN && (!peer->has_ended || awaits_answers(peer)))
        weir_peer_watch(socket, peer);
    else /* what remains of one that has ended is a part of a frame, which nobody shall see */
        weir_hub_drop(socket, peer);
}

/* Before TLS is up: keep the time, and tell who does not speak it. Return: 0 when the connection is gone. */
static int handshake_look(struct weir_socket *socket, struct weir_peer *peer, int status) {
    unsigned char first;
    if (status != WEIR_EACCESS) {
        if (peer->quiet_at == INT64_MAX && weir_tls_is_up(peer->tls))
            peer->quiet_at = quiet_begin(socket);
        return 1;
    }
    if (!weir_tls_is_foreign(peer->tls, &first)) {
        refused_count(socket);
        weir_hub_drop(socket, peer);
        return 0;
    }
    const char *text = "this listener speaks TLS; give both ends the same psk=, or cert=, key= and ca=";
    peer->tls = weir_tls_end(peer->tls, -1);
    if (first == 'W')
        refuse(socket, peer, WEIR_EACCESS, text);
    else
        turn_away(socket, peer, WEIR_EACCESS, text);
    return 0;
}

static void peer_read(struct weir_socket *socket, struct weir_peer *peer) {
    int status = weir_peer_read(peer, MSG_DONTWAIT);
    if (peer->phase == WEIR_PHASE_HELLO && peer->tls && !handshake_look(socket, peer, status))
        return;
    if (status == WEIR_EAGAIN) {
        weir_peer_watch(socket, peer); /* a handshake may have something to say */
        return;
    }
    if (status != WEIR_OK)
        peer->has_ended = 1;
    if (peer->phase == WEIR_PHASE_HELLO) {
        int is_there = hello_take(socket, peer, peer->has_ended);
        if (is_there && peer->phase == WEIR_PHASE_HELLO && peer->has_ended)
            weir_hub_drop(socket, peer);
        if (!is_there)
            return;
    }
    if (socket->is_closing && status == WEIR_OK)
        peer->deadline = weir_clock_monotonic() + WEIR_LEAVE_WAIT;
    if (peer->phase == WEIR_PHASE_READY)
        frames_take(socket, peer);
}

void weir_hub_send(struct weir_socket *socket, struct weir_peer *peer) {
    if (weir_peer_flush(socket, peer, NULL, 0) != WEIR_OK) {
        /* Nobody reads any more; what he has sent before may still be there to take. */
        weir_queue_clear(&peer->out);
        peer->said.size = peer->said_sent = 0;
        if (peer->is_paused || peer->hello.role == WEIR_ROLE_WRITER)
            weir_peer_watch(socket, peer);
        else
            weir_hub_drop(socket, peer);
        return;
    }
    if (peer->out.count == 0 && peer->owes_count) {
        weir_spread_owed(socket, peer);
        (void)weir_peer_flush(socket, peer, NULL, 0);
    }
    if (peer->plain && peer->has_ended && !peer->is_paused && !awaits_answers(peer))
        weir_hub_drop(socket, peer);
    else
        weir_peer_watch(socket, peer);
}

void weir_hub_event(struct weir_socket *socket, uint64_t key, uint32_t events) {
    size_t index = (uint32_t)key - WEIR_KEY_PEERS;
    if (socket->mode != WEIR_MODE_LISTENING || index >= socket->peer_count)
        return;
    struct weir_peer *peer = socket->peers[index];
    if (peer->phase == WEIR_PHASE_NONE || peer->generation != (uint32_t)(key >> 32))
        return;
    if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) && weir_peer_has_output(peer)) {
        socket->is_dirty = 1; /* room for who is paused */
        weir_hub_send(socket, peer);
        if (peer->phase == WEIR_PHASE_NONE)
            return;
    }
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !peer->is_paused && !peer->has_ended)
        peer_read(socket, peer);
}

/* ---- after events ---- */

void weir_hub_resume(struct weir_socket *socket) {
    for (size_t i = 0; socket->paused_count > 0 && i < socket->peer_count; i++)
        if (socket->peers[i]->is_paused && socket->peers[i]->phase == WEIR_PHASE_READY)
            frames_take(socket, socket->peers[i]);
}

/* Control frames are queued without asking for room, as a frame may mean nothing without them. A peer that reads
 * nothing while others come and go would let them pile up; it is let go, and may come back. */
static int is_overfull(const struct weir_socket *socket, const struct weir_peer *peer) {
    return peer->out.size > socket->place.capacity + socket->place.size_max + WEIR_CONTROLS_MAX;
}

static void queues_send(struct weir_socket *socket) {
    for (size_t i = 0; i < socket->peer_count; i++) {
        struct weir_peer *peer = socket->peers[i];
        if (peer->phase == WEIR_PHASE_READY && is_overfull(socket, peer))
            weir_hub_drop(socket, peer);
        if (peer->phase == WEIR_PHASE_READY && weir_peer_has_output(peer) && !(peer->events & EPOLLOUT))
            weir_hub_send(socket, peer);
        weir_peer_tell_queue(socket, peer);
    }
}

void weir_hub_settle(struct weir_socket *socket) {
    while (socket->is_dirty) {
        socket->is_dirty = 0;
        queues_send(socket);
        weir_hub_resume(socket);
    }
}

/* A pending connection has said nothing for a moment, or too little to be sure of. */
static void silence_take(struct weir_socket *socket, struct weir_peer *peer) {
    size_t size;
    int framing = socket->place.framing > 0          ? socket->place.framing
                  : socket->role == WEIR_ROLE_SERVER ? WEIR_FRAMING_FRAMES /* what his first request will show */
                                                     : WEIR_FRAMING_JSON;
    peer->quiet_at = INT64_MAX;
    weir_stream_bytes(&peer->in, &size);
    int is_there = size > 0 ? hello_take(socket, peer, 1) : plain_welcome(socket, peer, framing, WEIR_ROLE_READER);
    if (is_there && peer->phase == WEIR_PHASE_READY)
        frames_take(socket, peer);
}

void weir_hub_timers(struct weir_socket *socket, int64_t now) {
    if (socket->grace_until && socket->grace_until <= now) {
        socket->grace_until = 0;
        socket->is_dirty = 1;
    }
    if (!socket->is_accepting && socket->accept_at <= now && !socket->is_closing)
        accepting_set(socket, 1);
    for (size_t i = 0; socket->pending_count > 0 && i < socket->peer_count; i++) {
        struct weir_peer *peer = socket->peers[i];
        if (peer->phase == WEIR_PHASE_HELLO && peer->quiet_at <= now)
            silence_take(socket, peer);
        if (peer->phase == WEIR_PHASE_HELLO && peer->deadline <= now)
            weir_hub_drop(socket, peer);
    }
}

int64_t weir_hub_next_timer(const struct weir_socket *socket) {
    int64_t next = socket->grace_until ? socket->grace_until : INT64_MAX;
    if (!socket->is_accepting && !socket->is_closing && socket->accept_at < next)
        next = socket->accept_at;
    for (size_t i = 0, left = socket->pending_count; left > 0 && i < socket->peer_count; i++) {
        const struct weir_peer *peer = socket->peers[i];
        if (peer->phase != WEIR_PHASE_HELLO)
            continue;
        left--;
        if (peer->deadline < next)
            next = peer->deadline;
        if (peer->quiet_at < next)
            next = peer->quiet_at;
    }
    return next;
}
