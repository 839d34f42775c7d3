/* Segments. The header is read once into a private copy and checked against the part's size; nobody looks at the mapped
 * one afterwards, so that its owner cannot change the geometry under a reader.
 *
 * What must stay true: memory is taken step by step, as the writer first comes there, but always before anybody comes
 * there. So at every moment the ring has its memory from base up to the word behind the newest frame, which is as far
 * as a reader or the next holder looks: to touch what has none would take memory by a fault, and end in SIGBUS in a
 * full store. */
#include "transport/shm/segment.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "os/mapping.h"

static uint64_t page_size(void) {
    return (uint64_t)sysconf(_SC_PAGESIZE);
}

int weir_segment_exists(const struct weir_shm_channel *channel, uint32_t lane, uint32_t generation) {
    return channel->backing.ops->part_exists(&channel->backing, weir_part_lane(lane, generation));
}

uint64_t weir_segment_capacity(uint64_t capacity) {
    uint64_t rounded = WEIR_SHM_CAPACITY_MIN;
    while (rounded < capacity && rounded < WEIR_SHM_CAPACITY_MAX)
        rounded *= 2;
    return rounded;
}

static uint64_t ring_offset(void) {
    return page_size() > 2 * WEIR_SHM_PAGE ? page_size() : 2 * WEIR_SHM_PAGE;
}

enum { HEAD_SIZE = WEIR_SHM_PAGE + sizeof(struct weir_lane_page) };

/* ---- memory of the ring ----
 *
 * 1 MiB at once is a millisecond, which each opening would pay, most of them for memory that is never used. */

enum { STEP_FIRST = 4 * WEIR_SHM_PAGE, STEP_MAX = 64 * WEIR_SHM_PAGE, STEP_PARTS = 16 };

static uint64_t page_up(uint64_t position) {
    return (position + page_size() - 1) & ~(page_size() - 1);
}

/* The bytes of a part between two positions of its ring. Return: how many ranges. */
static unsigned ring_ranges(uint64_t offset, uint64_t capacity, uint64_t from, uint64_t to,
                            struct weir_part_range ranges[2]) {
    uint64_t begin = from & (capacity - 1), size = to - from;
    if (begin + size <= capacity) {
        ranges[0] = (struct weir_part_range){offset + begin, size};
        return 1;
    }
    ranges[0] = (struct weir_part_range){offset + begin, capacity - begin};
    ranges[1] = (struct weir_part_range){offset, begin + size - capacity};
    return 2;
}

static uint64_t first_step(uint64_t room, uint64_t capacity) {
    room = room > STEP_FIRST ? room : (uint64_t)STEP_FIRST;
    return room < capacity ? room : capacity;
}

void weir_segment_know(struct weir_segment *segment, uint64_t position) {
    uint64_t end = page_up(position);
    if (end > segment->backed)
        segment->backed = end;
    if (segment->backed >= segment->base + segment->capacity)
        segment->backed = UINT64_MAX;
}

int weir_segment_extend(const struct weir_shm_channel *channel, struct weir_segment *segment, uint64_t needed,
                        weir_error *err) {
    const struct weir_backing *backing = &channel->backing;
    struct weir_part_id id = weir_part_lane(segment->lane, segment->generation);
    struct weir_part_range ranges[2];
    uint64_t offset = (uint64_t)(segment->ring - segment->map), end = segment->base + segment->capacity;
    uint64_t step = segment->capacity / STEP_PARTS;
    step = step < STEP_FIRST ? STEP_FIRST : step > STEP_MAX ? (uint64_t)STEP_MAX : step;
    uint64_t least = page_up(needed) < end ? page_up(needed) : end;
    uint64_t to = least < segment->backed + step ? segment->backed + step : least;
    to = to < end ? to : end;
    unsigned count = ring_ranges(offset, segment->capacity, segment->backed, to, ranges);
    int status = backing->ops->part_allocate(backing, id, ranges, count, err);
    if (status == WEIR_ENOSPC && least < to) {
        to = least;
        count = ring_ranges(offset, segment->capacity, segment->backed, to, ranges);
        status = backing->ops->part_allocate(backing, id, ranges, count, err);
    }
    if (status)
        return status;
    for (unsigned i = 0; i < count; i++)
        weir_mapping_populate(segment->map + ranges[i].offset, ranges[i].size, WEIR_MAPPING_WRITE);
    weir_segment_know(segment, to);
    return WEIR_OK;
}

/* ---- making ---- */

/* The header and the writer's page. */
static void head_fill(const struct weir_segment_wish *wish, uint64_t capacity, unsigned char head[HEAD_SIZE]) {
    struct weir_lane_header header = {
        .version = WEIR_SHM_VERSION,
        .lane = wish->lane,
        .generation = wish->generation,
        .flags = wish->flags,
        .capacity = capacity,
        .ring_offset = ring_offset(),
        .base = wish->base,
    };
    memcpy(header.magic, WEIR_SHM_LANE_MAGIC, sizeof(header.magic));
    struct weir_lane_page page = {
        .tail = wish->base, .last = WEIR_SHM_NO_FRAME, .next_seq = wish->next_seq, .oldest = wish->base};
    memset(head, 0, HEAD_SIZE);
    memcpy(head, &header, sizeof(header));
    memcpy(head + WEIR_SHM_PAGE, &page, sizeof(page));
}

int weir_segment_make(struct weir_shm_channel *channel, struct weir_segment_wish *wish, weir_error *err) {
    unsigned char head[HEAD_SIZE];
    uint64_t capacity = weir_segment_capacity(wish->capacity);
    head_fill(wish, capacity, head);
    wish->room = first_step(wish->room, capacity);
    struct weir_part_wish part = {
        .id = weir_part_lane(wish->lane, wish->generation),
        .size = ring_offset() + capacity,
        .head = head,
        .head_size = sizeof(head),
        .mode = 0600 | (channel->mode & 044),
        .gid = channel->gid,
    };
    part.needed[0] = (struct weir_part_range){0, ring_offset()};
    part.needed_count = 1 + ring_ranges(ring_offset(), capacity, wish->base, wish->base + wish->room, part.needed + 1);
    return channel->backing.ops->part_make(&channel->backing, &part, err);
}

/* ---- opening ---- */

int weir_segment_header(const struct weir_backing *backing, const struct weir_part *part, uint32_t lane,
                        uint32_t generation, struct weir_lane_header *ret) {
    struct weir_lane_header header;
    if (part->size < 2 * WEIR_SHM_PAGE || backing->ops->part_read(part, 0, &header, sizeof(header)) != WEIR_OK)
        return WEIR_ECORRUPT;
    if (memcmp(header.magic, WEIR_SHM_LANE_MAGIC, sizeof(header.magic)) != 0 || header.version != WEIR_SHM_VERSION ||
        header.lane != lane || header.generation != generation)
        return WEIR_ECORRUPT;
    if (header.capacity < WEIR_SHM_CAPACITY_MIN || header.capacity > WEIR_SHM_CAPACITY_MAX ||
        (header.capacity & (header.capacity - 1)) != 0 || header.ring_offset < 2 * WEIR_SHM_PAGE ||
        header.ring_offset > (1 << 20) || header.ring_offset % WEIR_SHM_PAGE != 0 || header.base % WEIR_SHM_LINE != 0)
        return WEIR_ECORRUPT;
    if (part->size != header.ring_offset + header.capacity)
        return WEIR_ECORRUPT;
    *ret = header;
    return WEIR_OK;
}

static int segment_map(const struct weir_backing *backing, const struct weir_part *part,
                       const struct weir_lane_header *header, int is_writer, struct weir_segment *ret) {
    /* What has no memory yet must not be touched. */
    unsigned flags = (is_writer ? WEIR_MAPPING_WRITE : 0) | (backing->ops->part_allocate ? 0 : WEIR_MAPPING_POPULATE);
    if (header->ring_offset % page_size() != 0) {
        errno = EINVAL;
        return WEIR_ESYSTEM;
    }
    unsigned char *map = backing->ops->part_map_ring(part, header->ring_offset, header->capacity, flags);
    if (!map)
        return WEIR_ESYSTEM;
    ret->map = map;
    ret->map_size = header->ring_offset + 2 * header->capacity;
    ret->page = (struct weir_lane_page *)(map + WEIR_SHM_PAGE);
    ret->ring = map + header->ring_offset;
    return WEIR_OK;
}

static int damaged(const struct weir_shm_channel *channel, uint32_t lane, uint32_t generation, weir_error *err) {
    return weir_fail(err, WEIR_ECORRUPT, "%s: segment %u of lane %u, of writer %u, is damaged",
                     weir_channel_text(channel), generation, lane, lane + 1);
}

int weir_segment_open(const struct weir_shm_channel *channel, uint32_t lane, uint32_t generation, int is_writer,
                      struct weir_segment *ret, weir_error *err) {
    const struct weir_backing *backing = &channel->backing;
    struct weir_lane_header header;
    struct weir_part part;
    int status = backing->ops->part_open(backing, weir_part_lane(lane, generation), is_writer, &part);
    if (status == WEIR_ENOENT)
        return status;
    if (status == WEIR_ECORRUPT)
        return damaged(channel, lane, generation, err);
    if (status)
        return weir_fail_errno(err, errno, "%s: lane %u cannot be opened", weir_channel_text(channel), lane);
    if (weir_segment_header(backing, &part, lane, generation, &header) != WEIR_OK) {
        backing->ops->part_close(&part);
        return damaged(channel, lane, generation, err);
    }
    struct weir_segment segment = {
        .mask = header.capacity - 1,
        .span_max = weir_shm_span_max(header.capacity),
        .base = header.base,
        .capacity = header.capacity,
        .backed = backing->ops->part_allocate ? header.base : UINT64_MAX,
        .lane = lane,
        .generation = generation,
        .flags = header.flags,
        .uid = part.uid,
    };
    if (segment_map(backing, &part, &header, is_writer, &segment) != WEIR_OK)
        /* A stranger may claim more than there are addresses for: that is a defect of his lane, not a lack of ours. */
        status = errno == ENOMEM && part.uid != geteuid()
                     ? weir_fail(err, WEIR_ECORRUPT, "%s: lane %u, of user %u, is too large to be mapped",
                                 weir_channel_text(channel), lane, part.uid)
                     : weir_fail_errno(err, errno, "%s: lane %u cannot be mapped", weir_channel_text(channel), lane);
    backing->ops->part_close(&part);
    if (status == WEIR_OK)
        *ret = segment;
    return status;
}

void weir_segment_close(struct weir_segment *segment) {
    weir_mapping_free(segment->map, segment->map_size);
    *segment = (struct weir_segment){0};
}
