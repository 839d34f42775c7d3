/* The hub's memory: the history, the readers' queues, and who is told what.
 *
 * What must stay true: a frame of a writer with full=drop-oldest lies in a droppable chunk, any other in one that is
 * not; only the first kind is ever taken out of the queue of a reader who holds writers back. Whoever publishes the
 * second kind has asked weir_spread_has_room first. A reader is told of a writer (control frame "writer": number, user,
 * seq) before its first frame, so that the first gap is counted exactly, too. Frames without a writer field are the
 * owner's. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "transport/socket/socket.h"

uint32_t weir_spread_readers(const struct weir_socket *socket) {
    uint32_t count = weir_socket_reads(socket) && !socket->place.is_observer;
    for (size_t i = 0; i < socket->peer_count; i++)
        count += (uint32_t)weir_peer_holds(socket->peers[i]);
    return count;
}

/* Readers of the listener before us are still on their way: keep all that they have not seen. */
static int grace_has_room(const struct weir_socket *socket, size_t size) {
    return socket->grace_until == 0 || weir_fits(socket, &socket->history, size);
}

uint64_t weir_spread_room(struct weir_socket *socket, int is_for_all) {
    uint64_t room = UINT64_MAX;
    weir_inbox_settle(socket);
    if (weir_socket_reads(socket) && (is_for_all || !socket->place.is_observer))
        room = weir_room_in(socket, &socket->inbox);
    for (size_t i = 0; i < socket->peer_count; i++) {
        const struct weir_peer *peer = socket->peers[i];
        int counts = is_for_all ? weir_peer_reads(peer) : weir_peer_holds(peer);
        uint64_t one = counts ? weir_room_in(socket, &peer->out) : UINT64_MAX;
        room = one < room ? one : room;
    }
    return room;
}

const struct weir_peer *weir_spread_slow(const struct weir_socket *socket, size_t size) {
    for (size_t i = 0; i < socket->peer_count; i++)
        if (weir_peer_holds(socket->peers[i]) && !weir_fits(socket, &socket->peers[i]->out, size))
            return socket->peers[i];
    return NULL;
}

int weir_spread_has_room(struct weir_socket *socket, size_t size) {
    weir_inbox_settle(socket);
    if (weir_socket_reads(socket) && !socket->place.is_observer && !weir_fits(socket, &socket->inbox, size))
        return 0;
    if (weir_spread_slow(socket, size))
        return 0;
    return grace_has_room(socket, size);
}

/* Queue frames for one reader; if his queue is full, something is dropped, which he sees as a gap. */
static void offer(const struct weir_socket *socket, struct weir_queue *queue, int is_holding,
                  const struct weir_run *run) {
    size_t size = run->end - run->start;
    unsigned kinds = is_holding ? WEIR_CHUNK_DROPPABLE : WEIR_CHUNK_DROPPABLE | WEIR_CHUNK_FIRM;
    if ((run->chunk->kind & kinds) && !weir_queue_make_room(queue, size, socket->place.capacity, kinds))
        return;
    (void)weir_queue_push(queue, run->chunk, run->start, run->end); /* no memory: the same as dropped */
}

/* The newest frame stays, however big. What is too much of a run holds no memory by itself, and to find where it ends
 * means looking at every frame again: that is done when somebody asks for the history, or its size counts. */
static void history_push(struct weir_socket *socket, const struct weir_run *run) {
    if (weir_queue_push(&socket->history, run->chunk, run->start, run->end) != WEIR_OK)
        return;
    if (socket->grace_until)
        weir_queue_trim(&socket->history, socket->place.capacity);
    else
        weir_queue_trim_runs(&socket->history, socket->place.capacity);
}

/* Those frames of a run that a reader takes: whose listener has been given bigger ones than he. */
static void offer_each(const struct weir_socket *socket, struct weir_peer *peer, const struct weir_run *run,
                       uint64_t size_max) {
    for (size_t start = run->start; start < run->end;) {
        uint64_t word;
        memcpy(&word, run->chunk->bytes + start, sizeof(word));
        struct weir_run one = {run->chunk, start, start + weir_frame_word_size(word)};
        if (one.end - start <= size_max)
            offer(socket, &peer->out, weir_peer_holds(peer), &one);
        start = one.end;
    }
}

void weir_spread(struct weir_socket *socket, const struct weir_peer *from, struct weir_chunk *chunk, size_t start,
                 size_t stop) {
    struct weir_run run = {chunk, start, stop};
    for (size_t i = 0; i < socket->peer_count; i++) {
        struct weir_peer *peer = socket->peers[i];
        if (peer == from || !weir_peer_reads(peer))
            continue;
        uint64_t size_max = peer->hello.size_max + WEIR_STREAM_SLACK;
        if (stop - start <= size_max)
            offer(socket, &peer->out, weir_peer_holds(peer), &run);
        else
            offer_each(socket, peer, &run, size_max);
    }
    history_push(socket, &run);
    weir_inbox_settle(socket);
    if (weir_socket_reads(socket))
        offer(socket, &socket->inbox, !socket->place.is_observer, &run);
    socket->is_dirty = 1;
}

void weir_spread_remember(struct weir_socket *socket, struct weir_chunk *chunk, size_t start, size_t stop) {
    struct weir_run run = {chunk, start, stop};
    history_push(socket, &run);
}

struct weir_chunk *weir_spread_newest(const struct weir_socket *socket, size_t *ret_start) {
    if (socket->history.count == 0)
        return NULL;
    const struct weir_run *run = weir_queue_run(&socket->history, socket->history.count - 1);
    size_t start = run->start;
    for (;;) {
        uint64_t word;
        memcpy(&word, run->chunk->bytes + start, sizeof(word));
        size_t next = start + weir_frame_word_size(word);
        if (next >= run->end)
            break;
        start = next;
    }
    *ret_start = start;
    return run->chunk;
}

/* ---- choosing from the history ---- */

/* What a reader asks for, and where it goes. */
struct choice {
    enum weir_from from;
    int64_t value;
    int64_t since; /* AGO: ns since the epoch */
    uint64_t size_max;
    struct weir_queue *to;
};

static int is_chosen(const struct choice *choice, const unsigned char *bytes, uint64_t word) {
    uint64_t seq;
    memcpy(&seq, bytes + 8, sizeof(seq));
    if (weir_frame_word_size(word) > choice->size_max + WEIR_STREAM_SLACK)
        return 0;
    if (choice->from == WEIR_FROM_SEQ)
        return seq >= (uint64_t)choice->value;
    if (choice->from == WEIR_FROM_AGO) {
        int64_t moment = weir_frame_moment(bytes, word);
        return moment == 0 || moment >= choice->since;
    }
    return choice->from == WEIR_FROM_OLDEST;
}

/* Queue a frame, and note the first of each writer: mark is its seq + 1. */
static int frame_choose(struct weir_socket *socket, const struct choice *choice, struct weir_chunk *chunk, size_t start,
                        size_t size) {
    uint64_t word, seq;
    memcpy(&word, chunk->bytes + start, sizeof(word));
    memcpy(&seq, chunk->bytes + start + 8, sizeof(seq));
    struct weir_origin *origin =
        weir_origins_find(&socket->passed, weir_frame_origin(chunk->bytes + start, word, socket->writer));
    if (origin && origin->mark == 0)
        origin->mark = seq + 1;
    return weir_queue_push(choice->to, chunk, start, start + size);
}

static int run_choose(struct weir_socket *socket, const struct choice *choice, const struct weir_run *run) {
    for (size_t start = run->start; start < run->end;) {
        uint64_t word;
        memcpy(&word, run->chunk->bytes + start, sizeof(word));
        size_t size = weir_frame_word_size(word);
        if (is_chosen(choice, run->chunk->bytes + start, word) &&
            frame_choose(socket, choice, run->chunk, start, size) != WEIR_OK)
            return WEIR_ENOMEM;
        start += size;
    }
    return WEIR_OK;
}

static int history_choose(struct weir_socket *socket, struct choice *choice) {
    for (size_t i = 0; i < socket->passed.count; i++)
        socket->passed.items[i].mark = 0;
    if (choice->from == WEIR_FROM_LAST) {
        size_t start;
        uint64_t word;
        struct weir_chunk *chunk = weir_spread_newest(socket, &start);
        if (!chunk)
            return WEIR_OK;
        memcpy(&word, chunk->bytes + start, sizeof(word));
        size_t size = weir_frame_word_size(word);
        return size > choice->size_max + WEIR_STREAM_SLACK ? WEIR_OK : frame_choose(socket, choice, chunk, start, size);
    }
    choice->since = weir_clock_realtime() - choice->value;
    if (choice->from == WEIR_FROM_NOW)
        return WEIR_OK;
    weir_queue_trim(&socket->history, socket->place.capacity);
    for (size_t i = 0; i < socket->history.count; i++)
        if (run_choose(socket, choice, weir_queue_run(&socket->history, i)) != WEIR_OK)
            return WEIR_ENOMEM;
    return WEIR_OK;
}

/* ---- telling ---- */

static int tell(struct weir_socket *socket, struct weir_queue *queue, const struct weir_control *control) {
    size_t start;
    if (weir_control_write(control, &socket->controls, &start) != WEIR_OK)
        return WEIR_ENOMEM;
    socket->is_dirty = 1;
    return weir_queue_push(queue, socket->controls, start, socket->controls->size);
}

static struct weir_control introduction(uint64_t writer, uint64_t seq, uint32_t uid) {
    return (struct weir_control){.op = "writer", .seq = seq, .id = (uint64_t)uid + 1, .writer = writer};
}

static void owner_introduce(struct weir_socket *socket, uint64_t writer, uint64_t seq, uint32_t uid) {
    struct weir_origin *origin = weir_socket_reads(socket) ? weir_origins_get(&socket->seen, writer) : NULL;
    if (!origin)
        return;
    origin->uid = uid;
    if (origin->is_fresh)
        origin->seq = seq;
    origin->is_fresh = 0;
    weir_socket_place_tell(socket, origin);
}

void weir_spread_introduce(struct weir_socket *socket, uint64_t writer, uint64_t seq, uint32_t uid) {
    struct weir_control control = introduction(writer, seq, uid);
    for (size_t i = 0; i < socket->peer_count; i++)
        if (weir_peer_reads(socket->peers[i]))
            (void)tell(socket, &socket->peers[i]->out, &control);
    owner_introduce(socket, writer, seq, uid);
}

/* The seq from which a reader's gaps of one writer are counted: that before the first frame he gets of it; who names a
 * seq learns also how many there are no more from it on. */
static uint64_t seq_before(const struct weir_socket *socket, const struct weir_origin *origin, enum weir_from from,
                           int64_t value) {
    uint64_t seq = origin->mark ? origin->mark - 2 : origin->writer == socket->writer ? socket->own_seq : origin->seq;
    uint64_t asked = value > 0 ? (uint64_t)value - 1 : 0;
    return from == WEIR_FROM_SEQ && asked < seq ? asked : seq;
}

/* Tell a reader of all writers. */
static int introduce_all(struct weir_socket *socket, struct weir_queue *queue, enum weir_from from, int64_t value) {
    for (size_t i = 0; i < socket->passed.count; i++) {
        const struct weir_origin *origin = &socket->passed.items[i];
        struct weir_control control =
            introduction(origin->writer, seq_before(socket, origin, from, value), origin->uid);
        if (tell(socket, queue, &control) != WEIR_OK)
            return WEIR_ENOMEM;
    }
    return WEIR_OK;
}

/* The newest frame for a reader who begins behind it: he keeps it for when the latest value is asked for. The control
 * frame names it, as it may be dropped before it is sent. */
static int keepsake(struct weir_socket *socket, struct weir_peer *peer) {
    size_t start;
    uint64_t word;
    struct weir_control control = {.op = "before"};
    struct weir_chunk *chunk = weir_spread_newest(socket, &start);
    if (!chunk)
        return WEIR_OK;
    memcpy(&word, chunk->bytes + start, sizeof(word));
    size_t size = weir_frame_word_size(word);
    if (size > peer->hello.size_max + WEIR_STREAM_SLACK)
        return WEIR_OK;
    control.writer = weir_frame_origin(chunk->bytes + start, word, socket->writer);
    memcpy(&control.seq, chunk->bytes + start + 8, sizeof(control.seq));
    if (tell(socket, &peer->out, &control) != WEIR_OK)
        return WEIR_ENOMEM;
    return weir_queue_push(&peer->out, chunk, start, start + size);
}

static int position(struct weir_socket *socket, struct weir_peer *peer, enum weir_from from, int64_t value) {
    struct weir_queue chosen = {0};
    struct choice choice = {.from = from, .value = value, .size_max = peer->hello.size_max, .to = &chosen};
    int status = history_choose(socket, &choice);
    if (status == WEIR_OK)
        status = introduce_all(socket, &peer->out, from, value);
    if (status == WEIR_OK && from == WEIR_FROM_NOW && !peer->plain) /* it would be a message like any other to him */
        status = keepsake(socket, peer);
    for (size_t i = 0; status == WEIR_OK && i < chosen.count; i++) {
        const struct weir_run *run = weir_queue_run(&chosen, i);
        status = weir_queue_push(&peer->out, run->chunk, run->start, run->end);
    }
    weir_queue_fini(&chosen);
    socket->is_dirty = 1;
    return status;
}

int weir_spread_join(struct weir_socket *socket, struct weir_peer *peer) {
    int resumes = peer->hello.flags & WEIR_HELLO_RESUMES;
    return position(socket, peer, resumes ? WEIR_FROM_OLDEST : peer->hello.from, peer->hello.from_value);
}

int weir_spread_seek(struct weir_socket *socket, struct weir_peer *peer) {
    struct weir_control answer = {.op = "sought", .writer = peer->seek.serial};
    peer->seek.is_asked = 0;
    /* Frames that wait whole are forgotten; one that is half sent goes on. */
    weir_queue_make_room(&peer->out, SIZE_MAX, 0, WEIR_CHUNK_FIRM | WEIR_CHUNK_DROPPABLE | WEIR_CHUNK_CONTROL);
    if (tell(socket, &peer->out, &answer) != WEIR_OK)
        return WEIR_ENOMEM;
    weir_spread_owed(socket, peer);
    return position(socket, peer, peer->seek.from, peer->seek.value);
}

void weir_spread_refill(struct weir_socket *socket, enum weir_from from, int64_t value) {
    struct choice choice = {.from = from, .value = value, .size_max = UINT64_MAX / 2, .to = &socket->inbox};
    weir_queue_clear(&socket->inbox);
    (void)history_choose(socket, &choice); /* no memory: fewer frames, which is counted as a gap */
    for (size_t i = 0; from == WEIR_FROM_SEQ && i < socket->passed.count; i++) {
        const struct weir_origin *passed = &socket->passed.items[i];
        struct weir_origin *origin = weir_origins_find(&socket->seen, passed->writer);
        if (!origin)
            continue;
        origin->seq = seq_before(socket, passed, from, value);
        origin->is_fresh = 0;
    }
}

void weir_spread_owed(struct weir_socket *socket, struct weir_peer *peer) {
    struct weir_control control = {.op = "readers", .seq = weir_spread_readers(socket)};
    peer->owes_count = 0;
    (void)tell(socket, &peer->out, &control);
}

void weir_spread_leave(struct weir_socket *socket, struct weir_peer *peer) {
    struct weir_control control = {.op = "leave"};
    (void)tell(socket, &peer->out, &control);
}

void weir_spread_count(struct weir_socket *socket) {
    for (size_t i = 0; i < socket->peer_count; i++) {
        struct weir_peer *peer = socket->peers[i];
        if (peer->phase != WEIR_PHASE_READY)
            continue;
        /* A writer that never reads would let its queue grow with every reader that comes and goes. */
        if (peer->hello.role == WEIR_ROLE_WRITER && peer->out.count > 0)
            peer->owes_count = 1;
        else
            weir_spread_owed(socket, peer);
    }
}
