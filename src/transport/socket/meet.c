/* Finding each other, and again when the listener has gone.
 *
 * An end first tries to connect. When nobody listens it takes the lease and listens itself, unless it may not (a
 * client, connect=1); a server, and listen=1, only ever listen. When a listener goes, all its ends see the end of their
 * connection, and each does the same again: one gets the lease, the others connect to it and say that they resume, so
 * that they get what the new listener has kept since, and tell it how many readers to wait for.
 *
 * What must stay true: what has arrived from a listener is delivered before another is looked for, so that order and
 * count hold across listeners; a frame that went out in part goes out again whole, as nobody can have passed on a part.
 * A client's request dies with the connection: nothing is ever asked twice. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "frame/plain/plain.h"
#include "os/process.h"
#include "transport/socket/plain.h"
#include "transport/socket/socket.h"
#include "transport/told.h"

enum { MISREADS_MAX = 3 };

static const char *const role_names[] = {"?", "writer", "reader", "client", "server"};

/* ---- connecting ---- */

static int may_listen(const struct weir_socket *socket) {
    return socket->role != WEIR_ROLE_CLIENT && !socket->place.must_connect && socket->place.may_create;
}

/* The next attempt comes after a rest that grows. */
static void rest_grow(struct weir_socket *socket) {
    socket->seek_wait = socket->seek_wait == 0 ? WEIR_MS / 2 : socket->seek_wait * 2;
    if (socket->seek_wait > WEIR_SEEK_WAIT_MAX)
        socket->seek_wait = WEIR_SEEK_WAIT_MAX;
    socket->seek_at = weir_clock_monotonic() + socket->seek_wait;
    socket->must_rest = 0;
}

static int try_later(struct weir_socket *socket) {
    rest_grow(socket);
    return WEIR_EAGAIN;
}

/* The seq before what is still to be sent: what is queued is not yet anything that a reader could have missed. */
static uint64_t seq_said(const struct weir_socket *socket) {
    uint64_t seq;
    size_t size;
    const unsigned char *bytes =
        socket->role == WEIR_ROLE_WRITER ? weir_queue_first(&socket->upstream.out, &size) : NULL;
    if (!bytes)
        return socket->own_seq;
    memcpy(&seq, bytes + 8, sizeof(seq));
    return seq - 1;
}

/* Return: 0 when it could not be sent. A listener may refuse us and be gone before we have said anything; then what
 * it said is still there to read. */
static int hello_send(const struct weir_socket *socket, struct weir_peer *peer) {
    unsigned char bytes[WEIR_HELLO_SIZE];
    const struct weir_place *place = &socket->place;
    struct weir_hello hello = {
        .version = WEIR_HELLO_VERSION,
        .role = (uint8_t)socket->role,
        .flags = (uint8_t)((place->is_observer ? WEIR_HELLO_OBSERVES : 0) |
                           (place->is_exclusive ? WEIR_HELLO_EXCLUSIVE : 0) |
                           (socket->is_resuming ? WEIR_HELLO_RESUMES : 0)),
        .full = (uint8_t)place->full,
        .from = (uint8_t)place->from,
        .pid = (uint32_t)getpid(),
        .writer = socket->writer,
        .seq = seq_said(socket),
        .from_value = place->from_value,
        .size_max = place->size_max,
        .readers = socket->readers_expected,
    };
    weir_process_program(getpid(), hello.program, sizeof(hello.program));
    weir_hello_write(&hello, bytes);
    if (peer->tls || peer->is_underway)
        return weir_peer_say(peer, bytes, sizeof(bytes)) == WEIR_OK;
    ssize_t sent = send(peer->fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent == (ssize_t)sizeof(bytes) || (sent < 0 && (errno == EPIPE || errno == ECONNRESET));
}

/* The address says that the listener speaks a plain framing: there is no hello, and he does not say what he takes. */
static int plain_begin(struct weir_socket *socket, struct weir_peer *upstream) {
    if (weir_plain_attach(upstream, socket->place.framing) != WEIR_OK)
        return 0;
    upstream->plain->is_upstream = 1;
    upstream->phase = WEIR_PHASE_READY;
    upstream->hello = (struct weir_hello){.size_max = UINT32_MAX, .readers = 1, .program = "a plain listener"};
    weir_random(&upstream->hello.writer, sizeof(upstream->hello.writer));
    socket->readers_known = 1;
    socket->seek_wait = 0;
    return 1;
}

/* Return: 0 when there is no memory, or the listener has gone. */
static int upstream_begin(struct weir_socket *socket, struct weir_peer *upstream) {
    if (socket->tls && !(upstream->tls = weir_tls_begin(socket->tls, 0)))
        return 0;
    if (socket->place.framing > WEIR_FRAMING_FRAMES ? !plain_begin(socket, upstream) : !hello_send(socket, upstream))
        return 0;
    return !upstream->tls || weir_peer_flush(socket, upstream, NULL, 0) == WEIR_OK;
}

static int try_connect(struct weir_socket *socket, weir_error *err) {
    struct weir_link link = {.fd = -1};
    int status = socket->family->connect(&socket->place, &socket->endpoints, &link, err);
    if (status == WEIR_ENOENT)
        socket->tenant.pid = 0;
    if (status != WEIR_OK)
        return status;
    struct weir_peer *upstream = &socket->upstream;
    struct timeval slice = {.tv_sec = WEIR_RECEIVE_SLICE / 1000000000};
    int waits = socket->role != WEIR_ROLE_CLIENT || socket->tls || link.is_underway;
    upstream->fd = link.fd;
    weir_peer_widen(socket, link.fd);
    upstream->is_underway = link.is_underway;
    upstream->phase = WEIR_PHASE_HELLO;
    upstream->deadline = waits ? weir_clock_monotonic() + WEIR_HELLO_WAIT : INT64_MAX;
    if (setsockopt(link.fd, SOL_SOCKET, SO_RCVTIMEO, &slice, sizeof(slice)) != 0 || !upstream_begin(socket, upstream)) {
        weir_peer_disconnect(socket, upstream);
        return weir_fail(err, WEIR_EAGAIN, "%s: the listener went while we connected", socket->place.text);
    }
    socket->mode = WEIR_MODE_CONNECTED;
    if (socket->role == WEIR_ROLE_WRITER && !socket->family->is_one_machine)
        (void)weir_pump_start_thread(socket,
                                     NULL); /* to hear that the listener goes; without it less is passed on then */
    (void)socket->family->admit(&socket->place, link.fd, &upstream->credentials,
                                NULL); /* who it is; whom to trust, the path says */
    weir_peer_watch(socket, upstream);
    return WEIR_OK;
}

/* The connection that was underway is made, or is not. Return: 0 when it is lost. */
static int made(struct weir_socket *socket) {
    struct weir_peer *upstream = &socket->upstream;
    int sys_errno = 0;
    socklen_t size = sizeof(sys_errno);
    upstream->is_underway = 0;
    if (getsockopt(upstream->fd, SOL_SOCKET, SO_ERROR, &sys_errno, &size) != 0 || sys_errno != 0 ||
        weir_peer_flush(socket, upstream, NULL, 0) != WEIR_OK) {
        socket->was_refused = (uint8_t)may_listen(socket); /* so it is for us to listen, if we can */
        weir_upstream_lost(socket, socket->was_refused ? 0 : WEIR_REFUSED_WAIT);
        return 0;
    }
    weir_peer_watch(socket, upstream);
    return 1;
}

/* ---- listening ---- */

/* Copy the newest frame to the end of relayed, with its writer's number: a listener's own frames do not carry it. */
static int last_copy(struct weir_socket *socket, size_t *ret_start) {
    struct weir_stream_frame frame = {
        .bytes = socket->last.bytes, .size = socket->last.size, .word = socket->last.word};
    return weir_hub_copy(&socket->relayed, WEIR_CHUNK_FIRM, &frame, socket->last_origin, ret_start);
}

/* What was queued for the listener before us, and the newest frame we have seen of him, begin our history. */
static void history_begin(struct weir_socket *socket) {
    struct weir_queue *queue = &socket->upstream.out;
    size_t start;
    if (socket->last.bytes && last_copy(socket, &start) == WEIR_OK)
        weir_spread_remember(socket, socket->relayed, start, socket->relayed->size);
    for (size_t i = 0; i < queue->count; i++) {
        const struct weir_run *run = weir_queue_run(queue, i);
        if (run->chunk->kind != WEIR_CHUNK_CONTROL)
            weir_spread_remember(socket, run->chunk, run->start, run->end);
    }
    weir_queue_clear(queue);
    socket->last = (struct weir_inbound){0};
    socket->is_last_next = 0;
}

static void begin_listening(struct weir_socket *socket) {
    uint32_t watched = 0;
    socket->mode = WEIR_MODE_LISTENING;
    if (socket->place.told)
        WEIR_TELL(socket->place.told->listens, 1);
    socket->wants_sought = 0;
    socket->claimed_at = weir_clock_monotonic();
    socket->grace_until = socket->is_resuming && socket->readers_expected ? socket->claimed_at + WEIR_GRACE_WAIT : 0;
    struct weir_origin *own =
        socket->role == WEIR_ROLE_WRITER ? weir_origins_get(&socket->passed, socket->writer) : NULL;
    if (own)
        own->uid = (uint32_t)geteuid();
    if (socket->role != WEIR_ROLE_CLIENT && socket->role != WEIR_ROLE_SERVER)
        history_begin(socket);
    weir_pump_watch(socket, socket->claim.listen_fd, WEIR_KEY_LISTENER, EPOLLIN, &watched);
    socket->is_accepting = watched != 0;
    socket->accept_at = socket->claimed_at + WEIR_ACCEPT_WAIT;
}

static int try_listen(struct weir_socket *socket, weir_error *err) {
    int status =
        socket->family->claim(&socket->place, &socket->endpoints, role_names[socket->role], &socket->claim, err);
    if (status != WEIR_OK)
        return status;
    if (socket->role != WEIR_ROLE_SERVER) {
        status = weir_pump_start_thread(socket, err);
        if (status != WEIR_OK) {
            socket->family->unclaim(&socket->place, &socket->claim);
            return status;
        }
    }
    begin_listening(socket);
    weir_pump_rouse(socket); /* a thread that has been there before may sleep */
    return WEIR_OK;
}

/* ---- trying ---- */

static int only_listens(const struct weir_socket *socket) {
    return socket->role == WEIR_ROLE_SERVER || socket->place.must_listen;
}

int weir_meet_try(struct weir_socket *socket, weir_error *err) {
    int status = WEIR_ENOENT;
    if (!only_listens(socket) && !socket->was_refused)
        status = try_connect(socket, err);
    socket->was_refused = 0;
    if (status == WEIR_EAGAIN)
        return try_later(socket);
    if (status != WEIR_ENOENT)
        return status;
    if (!may_listen(socket))
        return try_later(socket);
    status = try_listen(socket, err);
    if (status == WEIR_ENOTSUP && !only_listens(socket)) {
        socket->place.must_connect = 1; /* the place is on another machine */
        return try_later(socket);
    }
    if (status == WEIR_EBUSY && !only_listens(socket))
        return try_later(socket); /* whoever holds the lease is about to listen */
    return status;
}

/* ---- the first time ---- */

static int failure_tell(struct weir_socket *socket, weir_error *err) {
    int status = socket->failure.code;
    if (status != WEIR_OK && err)
        *err = socket->failure;
    return status;
}

/* Ends that only connect may come before anybody listens. */
static int may_wait(const struct weir_socket *socket) {
    return socket->place.may_create && (socket->role == WEIR_ROLE_CLIENT || socket->place.must_connect);
}

/* Is what we have good enough to begin with? A client does not wait to be let in: a server may be busy for long. */
static int is_met(const struct weir_socket *socket) {
    if (socket->mode == WEIR_MODE_SEEKING)
        return may_wait(socket);
    return socket->mode == WEIR_MODE_LISTENING || socket->role == WEIR_ROLE_CLIENT ||
           socket->upstream.phase == WEIR_PHASE_READY;
}

/* Somebody listens, and has a time of his own to answer in, which ends by a timer. */
static int is_asking(const struct weir_socket *socket) {
    return socket->mode == WEIR_MODE_CONNECTED && !socket->upstream.is_underway;
}

int weir_meet_open(struct weir_socket *socket, weir_error *err) {
    int64_t deadline = weir_deadline(WEIR_HELLO_WAIT + WEIR_GRACE_WAIT);
    int status = weir_meet_try(socket, err);
    if (status != WEIR_OK && status != WEIR_EAGAIN)
        return status;
    while (!is_met(socket)) {
        if (socket->mode == WEIR_MODE_SEEKING && !socket->place.may_create)
            return weir_fail(err, WEIR_ENOENT, "%s: nobody listens, and create=0 forbids to begin", socket->place.text);
        if (!is_asking(socket) && weir_deadline_left(deadline) == 0)
            return weir_fail(err, WEIR_ETIMEOUT, "%s: neither connecting nor listening succeeds", socket->place.text);
        status = weir_pump_run(socket, is_asking(socket) ? INT64_MAX : deadline, err); /* its timers try again */
        if (status == WEIR_OK)
            status = failure_tell(socket, err);
        if (status != WEIR_OK)
            return status;
    }
    return WEIR_OK;
}

/* ---- the connection ---- */

/* The stream may go on where the newest frame still lies: copy it away. */
static void last_keep(struct weir_socket *socket) {
    const struct weir_buffer *other = &socket->upstream.in.buffers[!socket->upstream.in.turn];
    const unsigned char *bytes = socket->last.bytes;
    if (!bytes || !other->data || bytes < other->data || bytes >= other->data + other->capacity)
        return;
    socket->aligned.size = 0;
    unsigned char *room = weir_buffer_room(&socket->aligned, socket->last.size);
    socket->last.bytes = room ? memcpy(room, bytes, socket->last.size) : NULL;
}

int weir_upstream_ask(struct weir_socket *socket) {
    struct weir_control control = {
        .op = "seek", .seq = (uint64_t)socket->seek.value, .id = socket->seek.from, .writer = socket->seek.serial};
    size_t start;
    if (weir_control_write(&control, &socket->controls, &start) != WEIR_OK)
        return WEIR_ENOMEM;
    return weir_queue_push(&socket->upstream.out, socket->controls, start, socket->controls->size);
}

/* A seek that the listener has not confirmed is asked of the next one; what that one sends first is skipped. */
static void seek_again(struct weir_socket *socket) {
    weir_queue_clear(&socket->upstream.out);
    socket->wants_sought = weir_upstream_ask(socket) == WEIR_OK;
}

void weir_upstream_lost(struct weir_socket *socket, int64_t rest) {
    struct weir_peer *upstream = &socket->upstream;
    int was_ready = upstream->phase == WEIR_PHASE_READY;
    weir_kept_publish(socket, WEIR_BURST_ENDS);
    if (was_ready) {
        int owner_read = upstream->hello.role == WEIR_ROLE_READER && !(upstream->hello.flags & WEIR_HELLO_OBSERVES);
        socket->is_resuming = 1;
        socket->readers_expected = socket->readers_known - (uint32_t)(owner_read && socket->readers_known > 0);
        socket->readers_known = 0;
    }
    /* A request leaves right behind the hello, so it can be lost before we are let in. */
    socket->lost_request |= socket->has_asked;
    socket->has_asked = 0;
    weir_peer_disconnect(socket, upstream);
    last_keep(socket);
    weir_stream_reset(&upstream->in);
    if (socket->role == WEIR_ROLE_CLIENT)
        weir_queue_clear(&upstream->out);
    else
        weir_queue_rewind(&upstream->out);
    socket->has_before = 0;
    if (socket->wants_sought)
        seek_again(socket);
    socket->mode = WEIR_MODE_SEEKING;
    /* Who took us and dropped us without a word may do so for ever; who let us in has ended, and another may be
     * there. */
    if (!was_ready && !rest) {
        rest_grow(socket);
        return;
    }
    socket->seek_wait = 0;
    socket->seek_at = rest ? weir_clock_monotonic() + rest : 0;
    socket->must_rest = rest != 0;
}

/* Who listens is no server, and says so in place of taking a request: that has not been lost with anybody. */
static void turned_away(struct weir_socket *socket, const struct weir_hello *answer) {
    socket->turned_away |= socket->has_asked;
    socket->has_asked = 0;
    socket->tenant = (struct weir_tenant){.pid = answer->pid, .role = answer->role};
    memcpy(socket->tenant.program, answer->program, sizeof(socket->tenant.program));
    socket->tenant.program[sizeof(socket->tenant.program) - 1] = '\0';
}

void weir_meet_tell(const struct weir_socket *socket, weir_error *err) {
    const struct weir_tenant *tenant = &socket->tenant;
    if (tenant->pid)
        weir_fail(err, WEIR_ENOENT, "a %s listens (%s, pid %u)",
                  tenant->role <= WEIR_ROLE_SERVER ? role_names[tenant->role] : "stranger", tenant->program,
                  tenant->pid);
}

/* The listener does not want us; `failure` is what the owner is told. */
static void refused(struct weir_socket *socket, const struct weir_hello *answer, int status) {
    const char *text = socket->place.text;
    long pid = (long)answer->pid;
    weir_error *err = &socket->failure;
    if (status == WEIR_EVERSION)
        weir_fail(err, status,
                  "%s: the listener (%s, pid %ld) speaks version %d, this end version %d; upgrade the older one", text,
                  answer->program, pid, (int)answer->version, WEIR_HELLO_VERSION);
    else if (status == WEIR_ECORRUPT)
        weir_stranger_garbage(socket, WEIR_ECORRUPT, err);
    else if (answer->status == WEIR_ENOENT && socket->role == WEIR_ROLE_CLIENT)
        turned_away(socket, answer);
    else
        weir_fail(err, answer->status, "%s: %s (pid %ld) refuses: %s", text, answer->program, pid, answer->text);
    weir_upstream_lost(socket, WEIR_REFUSED_WAIT);
}

/* What was queued for another listener may be too big for this one, and would end the connection every time. Readers
 * see a gap. */
static void oversized_drop(struct weir_queue *queue, uint64_t size_max) {
    struct weir_queue kept = {0};
    int status = WEIR_OK;
    for (size_t i = 0; i < queue->count; i++) {
        const struct weir_run *run = weir_queue_run(queue, i);
        for (size_t start = run->start; status == WEIR_OK && start < run->end;) {
            uint64_t word;
            memcpy(&word, run->chunk->bytes + start, sizeof(word));
            size_t size = weir_frame_word_size(word);
            if (size <= size_max)
                status = weir_queue_push(&kept, run->chunk, start, start + size);
            start += size;
        }
    }
    if (status != WEIR_OK) { /* no memory: all stay */
        weir_queue_fini(&kept);
        return;
    }
    weir_queue_fini(queue);
    *queue = kept;
}

/* Take the listener's answer. */
static void answer_take(struct weir_socket *socket) {
    struct weir_peer *upstream = &socket->upstream;
    struct weir_hello answer = {0};
    size_t size;
    const unsigned char *bytes = weir_stream_bytes(&upstream->in, &size);
    int framing;
    enum weir_opening opening = weir_opening_judge(bytes, size, 0, &framing);
    if (opening == WEIR_OPENING_UNDECIDED)
        return;
    /* A line of JSON: our hello came so late that he took us for a plain reader. Once may be bad luck, not always. */
    if (opening != WEIR_OPENING_HELLO && *bytes == '{' && socket->misread++ < MISREADS_MAX) {
        weir_upstream_lost(socket, WEIR_REFUSED_WAIT);
        return;
    }
    socket->misread = 0;
    int status = opening == WEIR_OPENING_HELLO ? weir_hello_read(bytes, &answer) : WEIR_ECORRUPT;
    if (status != WEIR_OK || answer.status != WEIR_OK) {
        refused(socket, &answer, status);
        return;
    }
    weir_stream_take(&upstream->in, WEIR_HELLO_SIZE);
    upstream->hello = answer;
    upstream->phase = WEIR_PHASE_READY;
    socket->tenant.pid = 0;
    upstream->deadline = INT64_MAX;
    socket->readers_known = answer.readers;
    socket->seek_wait = 0;
    if (socket->role != WEIR_ROLE_CLIENT) /* whose queue may hold a part of a frame */
        oversized_drop(&upstream->out, answer.size_max);
    weir_peer_watch(socket, upstream);
}

/* TLS has come to nothing: the owner is told why. */
static void distrusted(struct weir_socket *socket) {
    char why[160];
    weir_tls_why(socket->upstream.tls, why, sizeof(why));
    weir_fail(&socket->failure, WEIR_EACCESS, "%s: the listener %s", socket->place.text, why);
    weir_upstream_lost(socket, WEIR_REFUSED_WAIT);
}

/* Our words wait until both are sure of each other. */
static int tls_go_on(struct weir_socket *socket) {
    struct weir_peer *upstream = &socket->upstream;
    if (upstream->said.size > upstream->said_sent && weir_tls_is_up(upstream->tls))
        return weir_peer_flush(socket, upstream, NULL, 0);
    return WEIR_OK;
}

/* The same for plain messages, which become frames. */
static int plain_read(struct weir_socket *socket, int flags) {
    struct weir_peer *upstream = &socket->upstream;
    int status = weir_plain_take(socket, upstream);
    if (status != WEIR_EAGAIN)
        return status;
    status = weir_peer_read(upstream, flags);
    if (status == WEIR_ECLOSED)
        upstream->has_ended = 1; /* the last line may lack its end */
    int taken = status == WEIR_OK || status == WEIR_ECLOSED ? weir_plain_take(socket, upstream) : status;
    return taken == WEIR_EAGAIN && status == WEIR_ECLOSED ? WEIR_ECLOSED : taken;
}

int weir_upstream_read(struct weir_socket *socket, int flags) {
    struct weir_peer *upstream = &socket->upstream;
    if (socket->last.bytes && upstream->in.begin > 0)
        last_keep(socket);
    int status = upstream->plain ? plain_read(socket, flags) : weir_peer_read(upstream, flags);
    if (upstream->tls && status == WEIR_EACCESS) {
        distrusted(socket);
        return WEIR_ECLOSED;
    }
    if (upstream->plain && upstream->plain->is_told) {
        weir_fail(&socket->failure, WEIR_EPARSE, "%s: the listener sends what is no %s: %s", socket->place.text,
                  weir_framing_name(upstream->plain->framing), upstream->plain->why);
        weir_upstream_lost(socket, WEIR_REFUSED_WAIT);
        return WEIR_ECLOSED;
    }
    if (upstream->tls && status != WEIR_ENOMEM && tls_go_on(socket) != WEIR_OK)
        status = WEIR_ECLOSED;
    if (status == WEIR_OK && upstream->phase == WEIR_PHASE_HELLO)
        answer_take(socket);
    return status;
}

static void introduced(struct weir_socket *socket, const struct weir_frame *control) {
    struct weir_origin *origin =
        socket->role == WEIR_ROLE_READER ? weir_origins_get(&socket->seen, control->writer) : NULL;
    if (!origin)
        return;
    origin->uid = (uint32_t)(control->id - 1);
    if (origin->is_fresh)
        origin->seq = control->seq;
    origin->is_fresh = 0;
    weir_socket_place_tell(socket, origin);
}

void weir_upstream_control(struct weir_socket *socket, const struct weir_stream_frame *frame) {
    struct weir_frame control;
    if (weir_control_read(frame, &control) != WEIR_OK)
        return;
    if (weir_control_is(&control, "readers")) {
        socket->readers_known = (uint32_t)control.seq;
    } else if (weir_control_is(&control, "writer")) {
        introduced(socket, &control);
    } else if (weir_control_is(&control, "before")) {
        socket->has_before = 1;
        socket->before_writer = control.writer;
        socket->before_seq = control.seq;
    } else if (weir_control_is(&control, "leave") && socket->role == WEIR_ROLE_WRITER) {
        socket->upstream.is_leaving = 1;
        (void)weir_peer_flush(socket, &socket->upstream, NULL, 0);
    } else if (weir_control_is(&control, "sought") && control.writer == socket->seek.serial) {
        socket->wants_sought = 0; /* of an earlier seek, it would let frames through that nobody wants any more */
    }
}

/* Writers have nothing to deliver: control frames are all that may come. Return: 0 when the connection is to be given
 * up. */
static int controls_take(struct weir_socket *socket) {
    struct weir_stream_frame frame;
    int status;
    while ((status = weir_stream_next(&socket->upstream.in, &frame, NULL)) == WEIR_OK) {
        weir_upstream_control(socket, &frame);
        weir_stream_take(&socket->upstream.in, frame.size);
    }
    return status == WEIR_EAGAIN;
}

void weir_upstream_event(struct weir_socket *socket, uint32_t events) {
    struct weir_peer *upstream = &socket->upstream;
    if (upstream->is_underway && !made(socket))
        return;
    int is_lost = (events & EPOLLOUT) && weir_peer_flush(socket, upstream, NULL, 0) != WEIR_OK;
    if (is_lost || ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !upstream->is_paused && !upstream->has_ended)) {
        int status = weir_upstream_read(socket, MSG_DONTWAIT);
        if (socket->mode != WEIR_MODE_CONNECTED)
            return;
        upstream->has_ended |= is_lost || (status != WEIR_OK && status != WEIR_EAGAIN);
    }
    struct weir_stream_frame frame;
    if (upstream->phase == WEIR_PHASE_READY && socket->role == WEIR_ROLE_WRITER && !controls_take(socket))
        upstream->has_ended = 1;
    /* What has come whole is next's to deliver; until it has, nothing more is read, and another listener is not looked
     * for. */
    int is_pending =
        upstream->phase == WEIR_PHASE_READY && weir_stream_next(&upstream->in, &frame, NULL) != WEIR_EAGAIN;
    upstream->is_paused = is_pending && socket->pump.has_thread;
    if (upstream->has_ended && !is_pending)
        weir_upstream_lost(socket, 0);
    else
        weir_peer_watch(socket, upstream);
}

/* ---- timers ---- */

/* The listener has not answered in time. If we come to see it only now, we have been held up (a pipeline stopped from
 * the keyboard, a machine that was frozen), and so may he have been: he gets his time again. */
static void answer_is_late(struct weir_socket *socket, int64_t now) {
    struct weir_peer *upstream = &socket->upstream;
    if (now - upstream->deadline > WEIR_HELD_UP) {
        upstream->deadline = now + WEIR_HELLO_WAIT;
        return;
    }
    if (!upstream->is_underway) /* otherwise it is the same as nobody there */
        weir_stranger_silent(socket, WEIR_ETIMEOUT, &socket->failure);
    weir_upstream_lost(socket, WEIR_REFUSED_WAIT);
}

void weir_meet_timers(struct weir_socket *socket, int64_t now) {
    weir_error err;
    if (socket->mode == WEIR_MODE_CONNECTED && socket->upstream.phase == WEIR_PHASE_HELLO &&
        socket->upstream.deadline <= now) {
        answer_is_late(socket, now);
        return;
    }
    if (socket->mode != WEIR_MODE_SEEKING || socket->seek_at > now || socket->is_closing)
        return;
    int status = weir_meet_try(socket, &err);
    if (status == WEIR_OK || status == WEIR_EAGAIN)
        return;
    /* Somebody else's lock file or socket: not ours to listen at, but one day someone will. Anything else the owner is
     * told. */
    if (status != WEIR_EACCESS)
        socket->failure = err;
    socket->seek_at = now + WEIR_REFUSED_WAIT;
    socket->must_rest = 1;
}

int64_t weir_meet_next_timer(const struct weir_socket *socket) {
    if (socket->mode == WEIR_MODE_CONNECTED)
        return socket->upstream.phase == WEIR_PHASE_HELLO ? socket->upstream.deadline : INT64_MAX;
    return socket->is_closing ? INT64_MAX : socket->seek_at;
}
