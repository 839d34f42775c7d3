/* What waits to be sent, to be read, or is kept: whole frames in chunks of memory that several queues share.
 *
 * A frame is stored once, in a chunk; a queue holds runs of such frames. Chunks are counted by the runs (and open ends)
 * that hold them, under the end's lock. The bytes of a chunk below its size never change while anything but its writer
 * holds it. */
#ifndef WEIR_FRAME_QUEUE_H
#define WEIR_FRAME_QUEUE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum { WEIR_CHUNK_SIZE = 64 << 10 };

/* What may be dropped to make room in a queue. */
enum weir_chunk_kind {
    WEIR_CHUNK_FIRM = 1,      /* frames that a reader who holds writers back must get */
    WEIR_CHUNK_DROPPABLE = 2, /* frames of writers with full=drop-oldest */
    WEIR_CHUNK_CONTROL = 4    /* control frames: never, but by a seek */
};

struct weir_chunk {
    size_t refs;
    size_t size;
    size_t capacity;
    enum weir_chunk_kind kind;
    unsigned char *bytes; /* aligned to 64 */
};

/* Room for @size bytes. Return: NULL when there is no memory. */
struct weir_chunk *weir_chunk_new(size_t size, enum weir_chunk_kind kind);
struct weir_chunk *weir_chunk_ref(struct weir_chunk *chunk);
/* NULL is fine. Return: NULL. */
struct weir_chunk *weir_chunk_unref(struct weir_chunk *chunk);
/* Where the next @size bytes go, at a multiple of @alignment: in the chunk that is open, or in a new one put in its
 * place. They become part of it when the caller sets the chunk's size. Return: WEIR_OK, WEIR_ENOMEM. */
int weir_chunk_room(struct weir_chunk **open, size_t size, size_t alignment, enum weir_chunk_kind kind,
                    size_t *ret_start);

/* Whole frames, but that the first may be sent in part: run.start is what comes next. */
struct weir_run {
    struct weir_chunk *chunk;
    size_t start;
    size_t end;
};

struct weir_queue {
    struct weir_run *runs; /* a ring */
    size_t first;
    size_t count;
    size_t capacity; /* a power of two */
    size_t boundary; /* where the first run's frames begin: at or before its start */
    uint64_t size;   /* bytes not sent yet */
};

/* Append frames [start, end) of a chunk. Return: WEIR_OK, WEIR_ENOMEM. */
int weir_queue_push(struct weir_queue *queue, struct weir_chunk *chunk, size_t start, size_t end);
/* The i-th run. */
struct weir_run *weir_queue_run(const struct weir_queue *queue, size_t index);
/* Point at the first bytes. Return: how many pieces were filled. */
size_t weir_queue_pieces(const struct weir_queue *queue, struct iovec *pieces, size_t count_max);
/* The first @size bytes are gone. */
void weir_queue_sent(struct weir_queue *queue, size_t size);
/* What comes next lies in the frame that begins at @boundary of its chunk: so nobody looks for it from further off. */
void weir_queue_note(struct weir_queue *queue, size_t boundary);
/* The first frame, whole (nothing of this queue was sent in part). Return: its bytes; NULL when the queue is empty. */
const unsigned char *weir_queue_first(const struct weir_queue *queue, size_t *ret_size);
/* A frame sent in part is to be sent again from its beginning. */
void weir_queue_rewind(struct weir_queue *queue);
/* Drop oldest whole frames of @kinds (or-ed) until @size bytes fit in @capacity. Return: 1 when they fit now. */
int weir_queue_make_room(struct weir_queue *queue, size_t size, uint64_t capacity, unsigned kinds);
/* Drop oldest whole frames of any kind until at most @capacity bytes are left, but not the newest. Nothing of this
 * queue was sent in part. */
void weir_queue_trim(struct weir_queue *queue, uint64_t capacity);
/* The same without looking at frames: runs that go whole, so that as much as one run may be too much. */
void weir_queue_trim_runs(struct weir_queue *queue, uint64_t capacity);
void weir_queue_clear(struct weir_queue *queue);
void weir_queue_fini(struct weir_queue *queue);

#endif
