/* What is queued goes into the pipe.
 *
 * What must stay true: a packet shorter than 4096 bytes is written in packet mode, so that a read ends with it; those
 * of exactly that size are written as bytes, as many as there are with one call, so that one read takes many. As reads
 * are multiples of 4096, both begin and end where packets do. Bytes leave the queue
 * when the kernel has taken them; a packet that it took in part (it does not do that) is sent again whole, and its
 * reader passes over the part.
 *
 * A plain message stands in the queue behind a header like a frame's, of which only the size means something and
 * which is not sent. */
#include "transport/fifo/outlet.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "os/short.h"
#include "transport/fifo/pipe.h"

enum {
    PACKETS_MAX = 32, /* with one call */
    PIECES_MAX = 256,
    PLAIN_HEAD = 16, /* bytes before a queued plain message */
    PIPE_SIZE_MIN = 4096
};

/* ---- preparing ---- */

static uint64_t pipe_size_max(void) {
    static _Atomic(uint64_t) known;
    unsigned long size = 0;
    if (known)
        return known;
    FILE *file = fopen("/proc/sys/fs/pipe-max-size", "re");
    if (!file || fscanf(file, "%lu", &size) != 1 || size < PIPE_SIZE_MIN)
        size = 1 << 20;
    if (file)
        fclose(file);
    known = size;
    return known;
}

int weir_outlet_prepare(struct weir_outlet *outlet, uint64_t capacity) {
    uint64_t size = capacity < pipe_size_max() ? capacity : pipe_size_max();
    int is_framed = outlet->framing == WEIR_FRAMING_FRAMES;
    /* Out of a queue of plain messages the oldest can be dropped, out of a pipe that somebody reads they cannot. */
    if (!is_framed && size > 2 * PIPE_SIZE_MIN)
        size /= 2;
    if (fcntl(outlet->fd, F_SETFL, O_NONBLOCK | (is_framed ? O_DIRECT : 0)) != 0)
        return errno;
    outlet->is_direct = is_framed;
    outlet->inside_most = UINT64_MAX / 2; /* not known yet */
    /* Refused when the user's pipes take too much memory already, or when it is smaller than what is inside: then it
     * stays. */
    (void)!fcntl(outlet->fd, F_SETPIPE_SZ, (int)size);
    return 0;
}

/* ---- queueing ---- */

static int plain_push(struct weir_outlet *outlet, const unsigned char *bytes, size_t size, weir_error *err) {
    struct weir_frame frame;
    uint64_t word;
    size_t start;
    memcpy(&word, bytes, sizeof(word));
    int status = weir_frame_parse(word, bytes, size, &frame);
    outlet->text.size = 0;
    if (status == WEIR_OK)
        status = weir_plain_write(&outlet->plain, outlet->framing, &frame, &outlet->text, err);
    if (status != WEIR_OK)
        return status;
    size_t whole = PLAIN_HEAD + outlet->text.size;
    if (whole > UINT32_MAX)
        return WEIR_ETOOBIG;
    status = weir_chunk_room(&outlet->open, whole, 1, WEIR_CHUNK_FIRM, &start);
    if (status != WEIR_OK)
        return status;
    unsigned char *to = outlet->open->bytes + start;
    word = whole;
    memset(to, 0, PLAIN_HEAD);
    memcpy(to, &word, sizeof(word));
    memcpy(to + PLAIN_HEAD, outlet->text.data, outlet->text.size);
    outlet->open->size = start + whole;
    return weir_queue_push(&outlet->queue, outlet->open, start, start + whole);
}

int weir_outlet_push(struct weir_outlet *outlet, struct weir_chunk *chunk, size_t start, size_t end, weir_error *err) {
    if (outlet->framing != WEIR_FRAMING_FRAMES)
        return plain_push(outlet, chunk->bytes + start, end - start, err);
    return weir_queue_push(&outlet->queue, chunk, start, end);
}

uint64_t weir_outlet_size(struct weir_outlet *outlet) {
    int inside = 0;
    if (outlet->fd < 0 || ioctl(outlet->fd, FIONREAD, &inside) != 0)
        inside = 0;
    outlet->inside_most = (uint64_t)inside;
    return outlet->queue.size + (uint64_t)inside;
}

uint64_t weir_outlet_room(struct weir_outlet *outlet, uint64_t capacity, uint64_t wanted) {
    uint64_t size = outlet->queue.size + outlet->inside_most;
    if (size > capacity || capacity - size < wanted)
        size = weir_outlet_size(outlet);
    return size < capacity ? capacity - size : 0;
}

/* ---- walking over the queue ---- */

/* A place in the queue, and where the frame after it begins. */
struct walk {
    const struct weir_queue *queue;
    size_t run;
    size_t at;
    size_t next;  /* at or behind at: a frame begins here */
    size_t begin; /* of the frame before that one, or at */
    size_t span;  /* of a frame */
};

static size_t frame_size(const struct weir_run *run, size_t start) {
    uint64_t word;
    memcpy(&word, run->chunk->bytes + start, sizeof(word));
    return weir_frame_word_size(word);
}

/* Frames mostly have the size of the one before: with that as a guess, the processor need not wait for each size to
 * know where the next one stands. */
static void walk_next(struct walk *walk, const struct weir_run *run) {
    while (walk->next < walk->at) {
        size_t size = frame_size(run, walk->next), guess = walk->span;
        __asm__("" : "+r"(guess));
        walk->begin = walk->next;
        if (__builtin_expect(size == walk->span, 1)) {
            walk->next += guess;
        } else {
            walk->span = size;
            walk->next += size;
        }
    }
}

static struct walk walk_begin(const struct weir_queue *queue) {
    struct walk walk = {.queue = queue};
    if (queue->count > 0) {
        walk.at = weir_queue_run(queue, 0)->start;
        walk.next = walk.begin = queue->boundary;
        walk_next(&walk, weir_queue_run(queue, 0));
    }
    return walk;
}

static int walk_is_over(const struct walk *walk) {
    return walk->run >= walk->queue->count;
}

/* Go @size bytes on, within the run. */
static void walk_on(struct walk *walk, size_t size) {
    const struct weir_run *run = weir_queue_run(walk->queue, walk->run);
    walk->at += size;
    if (walk->at < run->end) {
        walk_next(walk, run);
        return;
    }
    if (++walk->run < walk->queue->count)
        walk->at = walk->next = walk->begin = weir_queue_run(walk->queue, walk->run)->start;
}

/* ---- writing ---- */

static int write_once(int fd, const struct iovec *pieces, size_t count, ssize_t *ret) {
    do
        *ret = writev(fd, pieces, (int)count);
    while (*ret < 0 && errno == EINTR);
    return *ret < 0 ? errno : 0;
}

/* Write without a signal when nobody reads: it is blocked meanwhile, and taken back if it came. */
static int write_quietly(int fd, const struct iovec *pieces, size_t count, ssize_t *ret) {
    sigset_t sigpipe, pending, old;
    sigemptyset(&sigpipe);
    sigaddset(&sigpipe, SIGPIPE);
    sigpending(&pending);
    int was_pending = sigismember(&pending, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &sigpipe, &old);
    int sys_errno = write_once(fd, pieces, count, ret);
    if (sys_errno == EPIPE && !was_pending)
        while (sigtimedwait(&sigpipe, NULL, &(struct timespec){0}) < 0 && errno == EINTR)
            continue;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return sys_errno;
}

static int pieces_write(const struct weir_outlet *outlet, const struct iovec *pieces, size_t count, ssize_t *ret) {
    int sys_errno = outlet->hold_fd >= 0 ? write_once(outlet->fd, pieces, count, ret)
                                         : write_quietly(outlet->fd, pieces, count, ret);
    if (sys_errno == 0)
        return WEIR_OK;
    errno = sys_errno;
    return sys_errno == EAGAIN ? WEIR_EAGAIN : sys_errno == EPIPE ? WEIR_ECLOSED : WEIR_ESYSTEM;
}

/* ---- packets ---- */

struct batch {
    struct weir_packet heads[PACKETS_MAX];
    struct iovec pieces[PIECES_MAX];
    size_t packet_count;
    size_t piece_count;
    size_t size;     /* headers included */
    size_t boundary; /* what follows these packets lies in the frame that begins here; 0: not known */
};

/* Put one packet together. Return: 1 when it is full, so that another may follow. */
static int packet_add(struct batch *batch, struct walk *walk, const struct weir_outlet *outlet) {
    struct weir_packet *head = &batch->heads[batch->packet_count];
    size_t used = WEIR_PACKET_HEAD;
    *head = (struct weir_packet){
        .magic = WEIR_PACKET_MAGIC, .session = outlet->session, .count = outlet->count + (uint32_t)batch->packet_count};
    batch->pieces[batch->piece_count++] = (struct iovec){head, WEIR_PACKET_HEAD};
    while (used < WEIR_PACKET_SIZE && !walk_is_over(walk) && batch->piece_count < PIECES_MAX) {
        const struct weir_run *run = weir_queue_run(walk->queue, walk->run);
        size_t size = run->end - walk->at;
        if (size > WEIR_PACKET_SIZE - used)
            size = WEIR_PACKET_SIZE - used;
        if (head->first == 0 && walk->next < walk->at + size)
            head->first = (uint16_t)(used + walk->next - walk->at);
        batch->pieces[batch->piece_count++] = (struct iovec){run->chunk->bytes + walk->at, size};
        used += size;
        walk_on(walk, size);
    }
    head->size = (uint16_t)used;
    batch->packet_count++;
    batch->size += used;
    return used == WEIR_PACKET_SIZE;
}

/* A packet that is not full goes alone: behind others the kernel would cut in the wrong place; or, for who wants only
 * @full ones, not at all. */
static void batch_fill(struct batch *batch, const struct weir_outlet *outlet, int full) {
    struct walk walk = walk_begin(&outlet->queue);
    batch->packet_count = batch->piece_count = batch->size = 0;
    while (!walk_is_over(&walk) && batch->packet_count < PACKETS_MAX && batch->piece_count + 1 < PIECES_MAX) {
        size_t pieces = batch->piece_count, size = batch->size;
        struct walk before = walk;
        if (packet_add(batch, &walk, outlet))
            continue;
        if (full || batch->packet_count > 1) {
            batch->packet_count--;
            batch->piece_count = pieces;
            batch->size = size;
            walk = before;
        }
        break;
    }
    batch->boundary = walk_is_over(&walk) ? 0 : walk.next == walk.at ? walk.at : walk.begin;
}

/* Leave out packets at the end, as a kernel with less room would. */
static void batch_shorten(struct batch *batch) {
    size_t count = weir_short(batch->packet_count, 1), pieces = 0;
    if (count == batch->packet_count)
        return;
    while (batch->pieces[pieces].iov_base != &batch->heads[count])
        pieces++;
    batch->piece_count = pieces;
    batch->packet_count = count;
    batch->size = count * WEIR_PACKET_SIZE;
    batch->boundary = 0;
}

/* Return: WEIR_OK, WEIR_ESYSTEM. */
static int mode_set(struct weir_outlet *outlet, int is_direct) {
    if (outlet->is_direct == is_direct)
        return WEIR_OK;
    if (fcntl(outlet->fd, F_SETFL, O_NONBLOCK | (is_direct ? O_DIRECT : 0)) != 0)
        return WEIR_ESYSTEM;
    outlet->is_direct = is_direct;
    return WEIR_OK;
}

/* Write the queue; @full: but not what makes no full packet. */
static int packets_flush(struct weir_outlet *outlet, int full) {
    struct batch batch;
    ssize_t written;
    while (outlet->queue.count > 0) {
        batch_fill(&batch, outlet, full);
        if (batch.packet_count == 0)
            return WEIR_OK;
        batch_shorten(&batch);
        int status = mode_set(outlet, batch.size % WEIR_PACKET_SIZE != 0);
        if (status == WEIR_OK)
            status = pieces_write(outlet, batch.pieces, batch.piece_count, &written);
        if (status != WEIR_OK)
            return status;
        int is_all = (size_t)written == batch.size;
        size_t packets = is_all ? batch.packet_count : (size_t)written / WEIR_PACKET_SIZE;
        size_t taken = (is_all ? batch.size : packets * WEIR_PACKET_SIZE) - packets * WEIR_PACKET_HEAD;
        weir_queue_sent(&outlet->queue, taken);
        if (is_all)
            weir_queue_note(&outlet->queue, batch.boundary);
        outlet->count += (uint32_t)packets;
        outlet->inside_most += (uint64_t)written;
    }
    return WEIR_OK;
}

/* ---- plain ---- */

/* The next bytes to send, without the headers; at most what one call should take. */
static size_t plain_pieces(const struct weir_outlet *outlet, struct iovec *pieces, size_t count_max) {
    struct walk walk = walk_begin(&outlet->queue);
    size_t count = 0;
    while (!walk_is_over(&walk) && count < count_max) {
        const struct weir_run *run = weir_queue_run(walk.queue, walk.run);
        if (walk.at == walk.next) {
            walk.next += frame_size(run, walk.at);
            walk.at += PLAIN_HEAD;
        }
        size_t size = walk.next - walk.at;
        if (size > 0)
            pieces[count++] = (struct iovec){run->chunk->bytes + walk.at, size};
        walk_on(&walk, size);
    }
    return count;
}

/* @size bytes of messages were sent: the queue holds the headers too. */
static void plain_sent(struct weir_outlet *outlet, size_t size) {
    while (outlet->queue.count > 0) {
        struct walk walk = walk_begin(&outlet->queue);
        const struct weir_run *run = weir_queue_run(&outlet->queue, 0);
        size_t head = walk.at == walk.next ? PLAIN_HEAD : 0;
        size_t left = (head ? walk.next + frame_size(run, walk.next) : walk.next) - walk.at - head;
        size_t step = size < left ? size : left;
        if (size == 0 && left > 0)
            return; /* a message not begun keeps its header */
        weir_queue_sent(&outlet->queue, head + step);
        size -= step;
        if (step < left)
            return;
    }
}

static int plain_flush(struct weir_outlet *outlet) {
    struct iovec pieces[PIECES_MAX];
    ssize_t written;
    while (outlet->queue.count > 0) {
        size_t count = weir_short_pieces(pieces, plain_pieces(outlet, pieces, PIECES_MAX), 1);
        int status = pieces_write(outlet, pieces, count, &written);
        if (status != WEIR_OK)
            return status;
        plain_sent(outlet, (size_t)written);
    }
    return WEIR_OK;
}

int weir_outlet_flush(struct weir_outlet *outlet) {
    if (outlet->fd < 0)
        return WEIR_ECLOSED;
    int status = outlet->framing == WEIR_FRAMING_FRAMES ? packets_flush(outlet, 0) : plain_flush(outlet);
    outlet->is_full = status != WEIR_OK;
    return status;
}

int weir_outlet_flush_full(struct weir_outlet *outlet) {
    if (outlet->fd < 0)
        return WEIR_ECLOSED;
    int status = packets_flush(outlet, 1);
    outlet->is_full = status != WEIR_OK;
    return status;
}

/* ---- who reads ---- */

int weir_outlet_drop(struct weir_outlet *outlet) {
    char bytes[WEIR_PACKET_SIZE];
    ssize_t got, all = 0;
    if (outlet->hold_fd < 0)
        return 0;
    do {
        got = read(outlet->hold_fd, bytes, sizeof(bytes));
        all += got > 0;
    } while ((got < 0 && errno == EINTR) || (got > 0 && outlet->framing != WEIR_FRAMING_FRAMES));
    if (outlet->framing != WEIR_FRAMING_FRAMES)
        weir_queue_rewind(&outlet->queue);
    return all > 0;
}

int weir_outlet_is_read(struct weir_outlet *outlet, const struct weir_place *place) {
    int had_hold = outlet->hold_fd >= 0;
    struct pollfd item = {.fd = outlet->fd, .events = POLLOUT};
    if (outlet->fd < 0)
        return 0;
    /* The kernel says whether anybody has it open for reading, ourselves included, so we let go for a moment. What is
     * inside stays: it is open for writing. */
    if (had_hold)
        close(outlet->hold_fd);
    outlet->hold_fd = -1;
    int count;
    do
        count = poll(&item, 1, 0);
    while (count < 0 && errno == EINTR);
    int is_read = !(item.revents & POLLERR);
    if (had_hold)
        outlet->hold_fd = weir_pipe_open_again(place, outlet->fd, O_RDONLY); /* without it, writes are made quietly */
    return is_read;
}

void weir_outlet_fini(struct weir_outlet *outlet) {
    weir_queue_fini(&outlet->queue);
    weir_chunk_unref(outlet->open);
    weir_plain_writer_fini(&outlet->plain);
    weir_buffer_fini(&outlet->text);
}
