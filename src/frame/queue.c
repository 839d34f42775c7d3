/* Queues of frames. The layout is in queue.h.
 *
 * What must stay true: runs[first].start lies in the frame that begins at or behind boundary; every other run begins
 * and ends between two frames; size is the sum of all (end - start). Frame sizes are read back from the frames
 * themselves, which were checked before they came here. */
#include "frame/queue.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <weir/error.h>

#include "frame/frame.h"

enum { RUNS_MIN = 16, SPARES = 4, SPARE_SIZE_MIN = 128 << 10, SPARE_SIZE_MAX = 4 << 20 };

/* ---- large chunks that nobody holds ---- */

/* The memory of a large message goes back to the system with it and comes page by page with the next, which costs more
 * than its copy. So a few such chunks stay with the process. */
static _Atomic(struct weir_chunk *) spares[SPARES];

/* Return: 1 when it was kept. */
static int spare_keep(struct weir_chunk *chunk) {
    if (chunk->capacity < SPARE_SIZE_MIN || chunk->capacity > SPARE_SIZE_MAX)
        return 0;
    for (size_t i = 0; i < SPARES && chunk; i++) {
        struct weir_chunk *none = NULL;
        if (atomic_compare_exchange_strong(&spares[i], &none, chunk))
            chunk = NULL;
    }
    return !chunk;
}

/* One that is not much larger than @capacity. */
static struct weir_chunk *spare_take(size_t capacity) {
    for (size_t i = 0; capacity >= SPARE_SIZE_MIN && i < SPARES; i++) {
        struct weir_chunk *chunk = atomic_exchange(&spares[i], NULL);
        if (chunk && chunk->capacity >= capacity && chunk->capacity / 2 <= capacity)
            return chunk;
        free(chunk); /* the messages have another size now */
    }
    return NULL;
}

__attribute__((destructor)) static void spares_free(void) {
    for (size_t i = 0; i < SPARES; i++)
        free(atomic_exchange(&spares[i], NULL));
}

/* ---- chunks ---- */

struct weir_chunk *weir_chunk_new(size_t size, enum weir_chunk_kind kind) {
    size_t head = (sizeof(struct weir_chunk) + WEIR_FRAME_ALIGNMENT - 1) & ~(size_t)(WEIR_FRAME_ALIGNMENT - 1);
    if (size > SIZE_MAX / 2)
        return NULL;
    size_t capacity = (size + WEIR_FRAME_ALIGNMENT - 1) & ~(size_t)(WEIR_FRAME_ALIGNMENT - 1);
    struct weir_chunk *chunk = spare_take(capacity);
    if (chunk)
        capacity = chunk->capacity;
    else
        chunk = aligned_alloc(WEIR_FRAME_ALIGNMENT, head + capacity);
    if (!chunk)
        return NULL;
    unsigned char *memory = (unsigned char *)chunk;
    *chunk = (struct weir_chunk){.refs = 1, .capacity = capacity, .kind = kind, .bytes = memory + head};
    return chunk;
}

struct weir_chunk *weir_chunk_ref(struct weir_chunk *chunk) {
    chunk->refs++;
    return chunk;
}

struct weir_chunk *weir_chunk_unref(struct weir_chunk *chunk) {
    if (chunk && --chunk->refs == 0 && !spare_keep(chunk))
        free(chunk);
    return NULL;
}

static size_t aligned_start(const struct weir_chunk *chunk, size_t alignment) {
    return (chunk->size + alignment - 1) & ~(alignment - 1);
}

int weir_chunk_room(struct weir_chunk **open, size_t size, size_t alignment, enum weir_chunk_kind kind,
                    size_t *ret_start) {
    struct weir_chunk *chunk = *open;
    if (chunk && chunk->refs == 1)
        chunk->size = 0; /* nobody holds anything of it any more: use its warm memory again */
    if (chunk) {
        size_t start = aligned_start(chunk, alignment);
        if (start <= chunk->capacity && chunk->capacity - start >= size) {
            *ret_start = start;
            return WEIR_OK;
        }
    }
    chunk = weir_chunk_new(size > WEIR_CHUNK_SIZE ? size : WEIR_CHUNK_SIZE, kind);
    if (!chunk)
        return WEIR_ENOMEM;
    weir_chunk_unref(*open);
    *open = chunk;
    *ret_start = 0;
    return WEIR_OK;
}

/* ---- runs ---- */

static size_t frame_size(const struct weir_chunk *chunk, size_t start) {
    uint64_t word;
    memcpy(&word, chunk->bytes + start, sizeof(word));
    return weir_frame_word_size(word);
}

struct weir_run *weir_queue_run(const struct weir_queue *queue, size_t index) {
    return &queue->runs[(queue->first + index) & (queue->capacity - 1)];
}

static int runs_grow(struct weir_queue *queue) {
    size_t capacity = queue->capacity ? queue->capacity * 2 : RUNS_MIN;
    struct weir_run *runs = malloc(capacity * sizeof(*runs));
    if (!runs)
        return WEIR_ENOMEM;
    for (size_t i = 0; i < queue->count; i++)
        runs[i] = *weir_queue_run(queue, i);
    free(queue->runs);
    queue->runs = runs;
    queue->first = 0;
    queue->capacity = capacity;
    return WEIR_OK;
}

int weir_queue_push(struct weir_queue *queue, struct weir_chunk *chunk, size_t start, size_t end) {
    if (queue->count > 0) {
        struct weir_run *last = weir_queue_run(queue, queue->count - 1);
        if (last->chunk == chunk && last->end == start) {
            last->end = end;
            queue->size += end - start;
            return WEIR_OK;
        }
    }
    if (queue->count == queue->capacity && runs_grow(queue) != WEIR_OK)
        return WEIR_ENOMEM;
    if (queue->count == 0)
        queue->boundary = start;
    *weir_queue_run(queue, queue->count++) = (struct weir_run){weir_chunk_ref(chunk), start, end};
    queue->size += end - start;
    return WEIR_OK;
}

static void run_pop(struct weir_queue *queue) {
    weir_chunk_unref(weir_queue_run(queue, 0)->chunk);
    queue->first = (queue->first + 1) & (queue->capacity - 1);
    if (--queue->count > 0)
        queue->boundary = weir_queue_run(queue, 0)->start;
}

/* Take run @index out of the middle. */
static void run_remove(struct weir_queue *queue, size_t index) {
    weir_chunk_unref(weir_queue_run(queue, index)->chunk);
    for (size_t i = index; i + 1 < queue->count; i++)
        *weir_queue_run(queue, i) = *weir_queue_run(queue, i + 1);
    queue->count--;
}

size_t weir_queue_pieces(const struct weir_queue *queue, struct iovec *pieces, size_t count_max) {
    size_t count = queue->count < count_max ? queue->count : count_max;
    for (size_t i = 0; i < count; i++) {
        const struct weir_run *run = weir_queue_run(queue, i);
        pieces[i] = (struct iovec){run->chunk->bytes + run->start, run->end - run->start};
    }
    return count;
}

void weir_queue_sent(struct weir_queue *queue, size_t size) {
    queue->size -= size;
    while (size > 0) {
        struct weir_run *run = weir_queue_run(queue, 0);
        size_t step = run->end - run->start < size ? run->end - run->start : size;
        run->start += step;
        size -= step;
        if (run->start == run->end)
            run_pop(queue);
    }
}

void weir_queue_note(struct weir_queue *queue, size_t boundary) {
    if (queue->count > 0 && boundary > queue->boundary && boundary <= weir_queue_run(queue, 0)->start)
        queue->boundary = boundary;
}

const unsigned char *weir_queue_first(const struct weir_queue *queue, size_t *ret_size) {
    if (queue->count == 0)
        return NULL;
    const struct weir_run *run = weir_queue_run(queue, 0);
    *ret_size = frame_size(run->chunk, run->start);
    return run->chunk->bytes + run->start;
}

/* Move boundary up to the beginning of the frame that start lies in. Return: that frame's end, or start between two
 * frames. */
static size_t boundary_advance(struct weir_queue *queue) {
    const struct weir_run *run = weir_queue_run(queue, 0);
    while (queue->boundary < run->start) {
        size_t end = queue->boundary + frame_size(run->chunk, queue->boundary);
        if (end > run->start)
            return end;
        queue->boundary = end;
    }
    return run->start;
}

void weir_queue_rewind(struct weir_queue *queue) {
    if (queue->count == 0)
        return;
    boundary_advance(queue);
    struct weir_run *run = weir_queue_run(queue, 0);
    queue->size += run->start - queue->boundary;
    run->start = queue->boundary;
}

/* Make what is left of a frame sent in part a run of its own, so that all others hold whole frames.
 * Return: how many runs at the front must stay. */
static size_t partial_split(struct weir_queue *queue) {
    size_t end = boundary_advance(queue);
    struct weir_run front = *weir_queue_run(queue, 0);
    if (end == front.start)
        return 0;
    if (end == front.end)
        return 1;
    if (queue->count == queue->capacity && runs_grow(queue) != WEIR_OK)
        return queue->count; /* no memory to split: drop nothing */
    queue->first = (queue->first - 1) & (queue->capacity - 1);
    queue->count++;
    *weir_queue_run(queue, 0) = (struct weir_run){weir_chunk_ref(front.chunk), front.start, end};
    weir_queue_run(queue, 1)->start = end;
    return 1;
}

/* Drop the first frame of run @index, which begins with a whole one. */
static void frame_drop(struct weir_queue *queue, size_t index) {
    struct weir_run *run = weir_queue_run(queue, index);
    size_t size = frame_size(run->chunk, run->start);
    run->start += size;
    queue->size -= size;
    if (index == 0)
        queue->boundary = run->start;
    if (run->start < run->end)
        return;
    if (index == 0)
        run_pop(queue);
    else
        run_remove(queue, index);
}

int weir_queue_make_room(struct weir_queue *queue, size_t size, uint64_t capacity, unsigned kinds) {
    if (queue->size == 0 || (size <= capacity && queue->size <= capacity - size))
        return 1;
    size_t index = partial_split(queue);
    while (index < queue->count) {
        if (!(weir_queue_run(queue, index)->chunk->kind & kinds)) {
            index++;
            continue;
        }
        frame_drop(queue, index);
        if (queue->size == 0 || (size <= capacity && queue->size <= capacity - size))
            return 1;
    }
    return 0;
}

void weir_queue_trim_runs(struct weir_queue *queue, uint64_t capacity) {
    while (queue->size > capacity && queue->count > 1) {
        const struct weir_run *run = weir_queue_run(queue, 0);
        if (run->end - run->start > queue->size - capacity)
            return;
        queue->size -= run->end - run->start;
        run_pop(queue);
    }
}

void weir_queue_trim(struct weir_queue *queue, uint64_t capacity) {
    weir_queue_trim_runs(queue, capacity);
    while (queue->size > capacity) {
        struct weir_run *run = weir_queue_run(queue, 0);
        size_t start = run->start, excess = (size_t)(queue->size - capacity);
        while (start - run->start < excess && start + frame_size(run->chunk, start) < run->end)
            start += frame_size(run->chunk, start);
        size_t dropped = start - run->start;
        if (dropped == 0 && queue->count == 1)
            return;
        if (dropped < excess && queue->count > 1) { /* the last of this run goes, too */
            queue->size -= run->end - run->start;
            run_pop(queue);
            continue;
        }
        run->start = queue->boundary = start;
        queue->size -= dropped;
        if (dropped < excess)
            return;
    }
}

void weir_queue_clear(struct weir_queue *queue) {
    while (queue->count > 0)
        run_pop(queue);
    queue->size = 0;
}

void weir_queue_fini(struct weir_queue *queue) {
    weir_queue_clear(queue);
    free(queue->runs);
    *queue = (struct weir_queue){0};
}
