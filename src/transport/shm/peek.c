/* Lanes read through part_read, which never faults: a file that shrinks gives a short read where a mapping would give
 * SIGBUS, and a value that is wanted once is had for less than a mapping and its page faults cost.
 *
 * The rule that makes it safe is the observers': read the bytes, then read `oldest`; when it has not passed them, they
 * were whole. */
#include "transport/shm/peek.h"

#include <stdatomic.h>
#include <string.h>
#include <weir/error.h>

#include "frame/frame.h"
#include "transport/shm/segment.h"

enum { ATTEMPTS = 16, GLANCE_SIZE = 24, SEGMENTS_MAX = 64 };

/* Private copies of the shared structures, without atomics. */
struct page_copy {
    uint64_t tail;
    uint64_t last;
    uint64_t next_seq;
    uint64_t oldest;
    uint32_t forward;
    uint32_t pid;
    uint64_t start;
    uint64_t epoch;
};

int weir_peek_lanes(const struct weir_backing *backing, uint32_t generation[WEIR_SHM_LANES]) {
    struct weir_channel_header header;
    struct weir_part part;
    const size_t size = WEIR_SHM_LANES * sizeof(uint32_t);
    int status = backing->ops->part_open(backing, (struct weir_part_id){.kind = WEIR_PART_CHANNEL}, 0, &part);
    if (status)
        return status;
    status = backing->ops->part_read(&part, 0, &header, sizeof(header));
    if (status == WEIR_OK)
        status = backing->ops->part_read(&part, WEIR_SHM_PAGE + offsetof(struct weir_channel_page, generation),
                                         generation, size);
    backing->ops->part_close(&part);
    if (status == WEIR_OK && memcmp(header.magic, WEIR_SHM_CHANNEL_MAGIC, sizeof(header.magic)) == 0 &&
        header.version != WEIR_SHM_VERSION)
        return WEIR_EVERSION;
    if (status || memcmp(header.magic, WEIR_SHM_CHANNEL_MAGIC, sizeof(header.magic)) != 0)
        return WEIR_ECORRUPT;
    return header.version == WEIR_SHM_VERSION && header.lanes == WEIR_SHM_LANES ? WEIR_OK : WEIR_EVERSION;
}

static int part_read(const struct weir_peek *peek, uint64_t offset, void *to, size_t size) {
    return peek->backing->ops->part_read(&peek->part, offset, to, size);
}

static int page_read(const struct weir_peek *peek, struct page_copy *ret) {
    unsigned char bytes[sizeof(struct weir_lane_page)];
    atomic_thread_fence(memory_order_seq_cst);
    if (part_read(peek, WEIR_SHM_PAGE, bytes, sizeof(bytes)))
        return WEIR_ECORRUPT;
    memcpy(&ret->tail, bytes + offsetof(struct weir_lane_page, tail), 8);
    memcpy(&ret->last, bytes + offsetof(struct weir_lane_page, last), 8);
    memcpy(&ret->next_seq, bytes + offsetof(struct weir_lane_page, next_seq), 8);
    memcpy(&ret->oldest, bytes + offsetof(struct weir_lane_page, oldest), 8);
    memcpy(&ret->forward, bytes + offsetof(struct weir_lane_page, forward), 4);
    memcpy(&ret->pid, bytes + offsetof(struct weir_lane_page, pid), 4);
    memcpy(&ret->start, bytes + offsetof(struct weir_lane_page, start), 8);
    memcpy(&ret->epoch, bytes + offsetof(struct weir_lane_page, epoch), 8);
    return WEIR_OK;
}

/* Read @size ring bytes from @position on; they may run over the ring's end. */
static int ring_read(const struct weir_peek *peek, uint64_t position, void *to, size_t size) {
    uint64_t at = position & (peek->header.capacity - 1);
    size_t first = size < peek->header.capacity - at ? size : (size_t)(peek->header.capacity - at);
    int status = part_read(peek, peek->header.ring_offset + at, to, first);
    if (status == WEIR_OK && first < size)
        status = part_read(peek, peek->header.ring_offset, (char *)to + first, size - first);
    return status;
}

void weir_peek_close(struct weir_peek *peek) {
    if (peek->backing)
        peek->backing->ops->part_close(&peek->part);
    peek->backing = NULL;
}

/* Open segment @generation in place of the one that is open. */
static int segment_open(const struct weir_backing *backing, unsigned lane, uint32_t generation,
                        struct weir_peek *peek) {
    weir_peek_close(peek);
    int status = backing->ops->part_open(backing, weir_part_lane(lane, generation), 0, &peek->part);
    if (status)
        return status;
    peek->backing = backing;
    status = weir_segment_header(backing, &peek->part, lane, generation, &peek->header);
    if (status)
        weir_peek_close(peek);
    return status;
}

/* Look at the frame at @position. Return: WEIR_OK, WEIR_EAGAIN (overwritten meanwhile), WEIR_ECORRUPT. */
static int glance_at(struct weir_peek *peek, uint64_t position) {
    uint64_t head[GLANCE_SIZE / 8];
    struct page_copy after;
    peek->position = position & ~(uint64_t)(WEIR_SHM_LINE - 1);
    int status = ring_read(peek, peek->position, head, sizeof(head));
    if (status == WEIR_OK)
        status = page_read(peek, &after);
    if (status == WEIR_OK && after.oldest > peek->position)
        return WEIR_EAGAIN;
    peek->word = head[0];
    peek->seq = head[1];
    peek->time = head[0] >> 56 & WEIR_FRAME_TIME ? (int64_t)head[2] : 0;
    uint32_t size = weir_frame_word_size(peek->word);
    if (status == WEIR_OK &&
        (size < WEIR_FRAME_HEADER_SIZE || weir_shm_span(size) > weir_shm_span_max(peek->header.capacity)))
        status = WEIR_ECORRUPT;
    return status;
}

/* Look at the frame that the page calls the newest. Return: WEIR_OK, WEIR_EAGAIN (overwritten meanwhile, or none),
 * WEIR_ECORRUPT. */
static int glance(struct weir_peek *peek, struct page_copy *page) {
    int status = page_read(peek, page);
    if (status || page->last == WEIR_SHM_NO_FRAME)
        return status ? status : WEIR_EAGAIN;
    return glance_at(peek, page->last);
}

int weir_peek_newest(const struct weir_backing *backing, unsigned lane, uint32_t generation, struct weir_peek *ret) {
    struct weir_peek peek = {0};
    struct page_copy page = {0};
    int is_older = 0; /* we have gone back to the segment before an empty one */
    int is_over = 0;  /* what glance said last is the answer */
    int status = segment_open(backing, lane, generation, &peek);
    for (int attempts = 0; status == WEIR_OK && attempts < ATTEMPTS; attempts++) {
        status = glance(&peek, &page);
        peek.sent = page.next_seq > peek.sent + 1 ? page.next_seq - 1 : peek.sent;
        is_over = status != WEIR_EAGAIN && !(page.forward && !is_older && status == WEIR_OK);
        if (is_over)
            break;
        status = WEIR_OK;
        uint32_t other = 0;
        if (page.forward && !is_older)
            other = page.forward;
        else if (page.last == WEIR_SHM_NO_FRAME && peek.header.generation > 1)
            other = peek.header.generation - 1, is_older = 1;
        else if (page.last == WEIR_SHM_NO_FRAME)
            status = WEIR_EAGAIN;
        if (other)
            status = segment_open(backing, lane, other, &peek);
    }
    ret->sent = peek.sent;
    if (status == WEIR_OK && !is_over)
        status = WEIR_EAGAIN; /* overtaken every time */
    if (status == WEIR_OK)
        *ret = peek;
    else
        weir_peek_close(&peek);
    return status;
}

int weir_peek_copy(const struct weir_peek *peek, struct weir_buffer *to) {
    size_t size = weir_frame_word_size(peek->word);
    struct page_copy page;
    to->size = 0;
    unsigned char *room = weir_buffer_room(to, size);
    if (!room)
        return WEIR_ENOMEM;
    int status = ring_read(peek, peek->position, room, size);
    if (status == WEIR_OK)
        status = page_read(peek, &page);
    if (status)
        return status;
    if (page.oldest > peek->position)
        return WEIR_EAGAIN;
    memcpy(room, &peek->word, sizeof(peek->word)); /* the same word that its size was checked by */
    to->size = size;
    return WEIR_OK;
}

/* ---- a whole lane ---- */

/* Open the newest segment, beginning at @generation, and read its page. */
static int newest_open(const struct weir_backing *backing, unsigned lane, uint32_t generation, struct weir_peek *peek,
                       struct page_copy *page) {
    for (int attempts = 0; attempts < SEGMENTS_MAX; attempts++) {
        int status = segment_open(backing, lane, generation, peek);
        if (status == WEIR_OK)
            status = page_read(peek, page);
        if (status || page->forward <= generation)
            return status;
        generation = page->forward;
    }
    return WEIR_ECORRUPT; /* nobody grows that often while we look */
}

static void frames_note(const struct weir_backing *backing, struct weir_peek_lane *lane, uint32_t generation,
                        struct weir_peek *oldest) {
    struct weir_peek newest = {0};
    if (weir_peek_newest(backing, lane->newest.lane, generation, &newest) != WEIR_OK)
        return;
    weir_peek_close(&newest);
    lane->newest_seq = newest.seq;
    lane->newest_time = newest.time;
    if (glance_at(oldest, lane->oldest) != WEIR_OK)
        return;
    lane->oldest_seq = oldest->seq;
    lane->oldest_time = oldest->time;
}

int weir_peek_lane(const struct weir_backing *backing, unsigned lane, uint32_t generation, struct weir_peek_lane *ret) {
    struct weir_peek peek = {0};
    struct page_copy page = {0};
    int status = newest_open(backing, lane, generation, &peek, &page);
    if (status == WEIR_OK) {
        *ret = (struct weir_peek_lane){
            .newest = peek.header,
            .oldest_generation = peek.header.generation,
            .uid = peek.part.uid,
            .pid = page.pid,
            .start = page.start,
            .epoch = page.epoch,
            .tail = page.tail,
            .next_seq = page.next_seq,
            .oldest = page.oldest,
        };
        for (int i = 0; i < SEGMENTS_MAX && ret->oldest_generation > 1; i++) {
            struct page_copy before;
            struct weir_peek older = {0};
            if (segment_open(backing, lane, ret->oldest_generation - 1, &older) != WEIR_OK)
                break;
            weir_peek_close(&peek);
            peek = older;
            ret->oldest_generation--;
            if (page_read(&peek, &before) == WEIR_OK)
                ret->oldest = before.oldest;
        }
        frames_note(backing, ret, ret->newest.generation, &peek);
    }
    weir_peek_close(&peek);
    return status;
}

int weir_peek_seq(const struct weir_backing *backing, const struct weir_peek_lane *lane, uint64_t position,
                  uint64_t *ret) {
    struct weir_peek peek = {0};
    uint32_t generation = lane->newest.generation;
    if (position >= lane->tail) {
        *ret = lane->next_seq;
        return WEIR_OK;
    }
    int status = segment_open(backing, lane->newest.lane, generation, &peek);
    while (status == WEIR_OK && peek.header.base > position && generation > lane->oldest_generation)
        status = segment_open(backing, lane->newest.lane, --generation, &peek);
    if (status == WEIR_OK)
        status = glance_at(&peek, position < lane->oldest ? lane->oldest : position);
    if (status == WEIR_OK)
        *ret = peek.seq;
    weir_peek_close(&peek);
    return status;
}
