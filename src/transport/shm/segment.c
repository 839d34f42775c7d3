/* Segments. The header is read once, by pread, into a private copy and checked against the file's size; nobody looks at the mapped one
 * afterwards, so that its owner cannot change the geometry under a reader. */
#include "transport/shm/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/mapping.h"

enum { FILE_FLAGS = O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK };

static uint64_t page_size(void) {
    return (uint64_t)sysconf(_SC_PAGESIZE);
}

void weir_segment_name(char name[40], uint32_t lane, uint32_t generation) {
    snprintf(name, 40, "lane.%u.%u", lane, generation);
}

int weir_segment_exists(const struct weir_shm_channel *channel, uint32_t lane, uint32_t generation) {
    char name[40];
    struct stat about;
    weir_segment_name(name, lane, generation);
    return fstatat(channel->fd, name, &about, AT_SYMLINK_NOFOLLOW) == 0;
}

uint64_t weir_segment_capacity(uint64_t capacity) {
    uint64_t rounded = WEIR_SHM_CAPACITY_MIN;
    while (rounded < capacity && rounded < WEIR_SHM_CAPACITY_MAX)
        rounded *= 2;
    return rounded;
}

/* ---- making ---- */

static uint64_t ring_offset(void) {
    return page_size() > 2 * WEIR_SHM_PAGE ? page_size() : 2 * WEIR_SHM_PAGE;
}

static int content_write(int fd, const struct weir_segment_wish *wish, uint64_t capacity) {
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
    return pwrite(fd, &header, sizeof(header), 0) == sizeof(header) &&
                   pwrite(fd, &page, sizeof(page), WEIR_SHM_PAGE) == sizeof(page)
               ? WEIR_OK
               : WEIR_ESYSTEM;
}

/* The file gets the channel's group. Who is not in that group got here by the rights of others, and then others may read it too. */
static int group_give(const struct weir_shm_channel *channel, int fd) {
    return !(channel->mode & 077) || fchown(fd, (uid_t)-1, channel->gid) == 0 || (errno == EPERM && channel->mode & 04)
               ? WEIR_OK
               : WEIR_ESYSTEM;
}

int weir_segment_make(const struct weir_shm_channel *channel, const struct weir_segment_wish *wish, weir_error *err) {
    char name[40], hidden[48];
    weir_segment_name(name, wish->lane, wish->generation);
    snprintf(hidden, sizeof(hidden), ".%s", name);
    unlinkat(channel->fd, hidden, 0); /* we hold the lane's lease: whoever made it is dead */
    int fd = openat(channel->fd, hidden, O_RDWR | O_CREAT | O_EXCL | FILE_FLAGS, 0600);
    if (fd < 0)
        return weir_fail_errno(err, errno, "%s: a lane cannot be made", channel->text);
    uint64_t capacity = weir_segment_capacity(wish->capacity);
    int status = weir_store_allocate(fd, ring_offset() + capacity, channel->text, err);
    if (status == WEIR_OK &&
        (content_write(fd, wish, capacity) || group_give(channel, fd) ||
         fchmod(fd, 0600 | (channel->mode & 044)) != 0 || renameat(channel->fd, hidden, channel->fd, name) != 0))
        status = weir_fail_errno(err, errno, "%s: a lane cannot be made", channel->text);
    close(fd);
    if (status)
        unlinkat(channel->fd, hidden, 0);
    return status;
}

/* ---- opening ---- */

int weir_segment_header(int fd, uint32_t lane, uint32_t generation, struct weir_lane_header *ret) {
    struct weir_lane_header header;
    struct stat about;
    if (fstat(fd, &about) != 0 || pread(fd, &header, sizeof(header), 0) != sizeof(header))
        return WEIR_ECORRUPT;
    if (memcmp(header.magic, WEIR_SHM_LANE_MAGIC, sizeof(header.magic)) != 0 || header.version != WEIR_SHM_VERSION ||
        header.lane != lane || header.generation != generation)
        return WEIR_ECORRUPT;
    if (header.capacity < WEIR_SHM_CAPACITY_MIN || header.capacity > WEIR_SHM_CAPACITY_MAX ||
        (header.capacity & (header.capacity - 1)) != 0 || header.ring_offset < 2 * WEIR_SHM_PAGE ||
        header.ring_offset > (1 << 20) || header.ring_offset % WEIR_SHM_PAGE != 0 || header.base % WEIR_SHM_LINE != 0)
        return WEIR_ECORRUPT;
    if ((uint64_t)about.st_size != header.ring_offset + header.capacity)
        return WEIR_ECORRUPT;
    *ret = header;
    return WEIR_OK;
}

static int segment_map(int fd, const struct weir_lane_header *header, int is_writer, struct weir_segment *ret) {
    unsigned flags = (is_writer ? WEIR_MAPPING_WRITE : 0) | WEIR_MAPPING_POPULATE;
    if (header->ring_offset % page_size() != 0) {
        errno = EINVAL;
        return WEIR_ESYSTEM;
    }
    unsigned char *map = weir_mapping_new_ring(fd, header->ring_offset, header->capacity, flags);
    if (!map)
        return WEIR_ESYSTEM;
    ret->map = map;
    ret->map_size = header->ring_offset + 2 * header->capacity;
    ret->page = (struct weir_lane_page *)(map + WEIR_SHM_PAGE);
    ret->ring = map + header->ring_offset;
    return WEIR_OK;
}

int weir_segment_open(const struct weir_shm_channel *channel, uint32_t lane, uint32_t generation, int is_writer,
                      struct weir_segment *ret, weir_error *err) {
    char name[40];
    struct weir_lane_header header;
    struct stat about;
    weir_segment_name(name, lane, generation);
    int fd = weir_channel_file(channel->fd, name, is_writer ? O_RDWR : O_RDONLY, 2 * WEIR_SHM_PAGE);
    if (fd < 0 && errno == ENOENT)
        return WEIR_ENOENT;
    if (fd < 0 && errno != EBADF)
        return weir_fail_errno(err, errno, "%s: lane %u cannot be opened", channel->text, lane);
    if (fd < 0 || fstat(fd, &about) != 0 || weir_segment_header(fd, lane, generation, &header) != WEIR_OK) {
        if (fd >= 0)
            close(fd);
        return weir_fail(err, WEIR_ECORRUPT, "%s: the file \"%s\" of writer %u is damaged", channel->text, name,
                         lane + 1);
    }
    struct weir_segment segment = {
        .mask = header.capacity - 1,
        .span_max = weir_shm_span_max(header.capacity),
        .base = header.base,
        .capacity = header.capacity,
        .lane = lane,
        .generation = generation,
        .flags = header.flags,
        .uid = about.st_uid,
    };
    int status = WEIR_OK;
    if (segment_map(fd, &header, is_writer, &segment) != WEIR_OK)
        status = weir_fail_errno(err, errno, "%s: lane %u cannot be mapped", channel->text, lane);
    close(fd);
    if (status == WEIR_OK)
        *ret = segment;
    return status;
}

void weir_segment_close(struct weir_segment *segment) {
    weir_mapping_free(segment->map, segment->map_size);
    *segment = (struct weir_segment){0};
}
