/* The sealed backing: parts, leases, and the ops table. It stands on the files backing, whose directory it uses for the
 * name of the channel, its members and the leases of writers; sealed memory has no name.
 *
 * What must stay true: a directory is either a sealed channel, then it has the mark, or a plain one; nobody treats the
 * one as the other. */
#include "transport/shm/sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "os/event.h"
#include "os/lock.h"
#include "os/mapping.h"
#include "os/memfd.h"
#include "transport/shm/end.h"
#include "transport/tell.h"

enum { STACK_SIZE = 256 << 10 };

/* ---- small things ---- */

struct weir_sealed_packet weir_sealed_packet(enum weir_sealed_kind kind, uint32_t value) {
    struct weir_sealed_packet packet = {.version = WEIR_SEALED_VERSION, .kind = kind, .value = value};
    memcpy(packet.magic, WEIR_SEALED_MAGIC, sizeof(packet.magic));
    return packet;
}

struct weir_sealed_segment *weir_sealed_segment_find(struct weir_sealed_segment *segments, uint32_t generation) {
    for (size_t i = 0; i < WEIR_SEALED_SEGMENTS; i++)
        if (segments[i].fd >= 0 && segments[i].generation == generation)
            return &segments[i];
    return NULL;
}

void weir_sealed_path(const struct weir_sealed *sealed, unsigned number, const char *suffix,
                      char path[WEIR_SEALED_PATH_SIZE]) {
    memset(path, 0, WEIR_SEALED_PATH_SIZE);
    snprintf(path, WEIR_SEALED_PATH_SIZE, "/proc/self/fd/%d/sock.%u%s", sealed->directory, number, suffix);
}

int weir_sealed_slot_map(const struct weir_sealed *sealed, unsigned index, int fd) {
    int how = MAP_FIXED | (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED);
    void *at = weir_sealed_slot(sealed, index);
    if (mmap(at, WEIR_SEALED_PAGE, PROT_READ | PROT_WRITE, how, fd, 0) == MAP_FAILED)
        return -1;
    madvise(at, WEIR_SEALED_PAGE, MADV_DONTFORK);
    return 0;
}

static int has_mark(const struct weir_files *files) {
    struct stat about;
    return fstatat(files->fd, WEIR_SEALED_MARK, &about, AT_SYMLINK_NOFOLLOW) == 0;
}

/* ---- the thread ---- */

int weir_sealed_thread_start(struct weir_sealed *sealed, void *(*run)(void *)) {
    sigset_t all, old;
    pthread_attr_t attributes;
    sealed->control_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (sealed->control_fd < 0)
        return errno;
    int failed = pthread_attr_init(&attributes);
    if (failed)
        return failed;
    sigfillset(&all);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    failed = pthread_create(&sealed->thread, &attributes, run, sealed);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attributes);
    sealed->has_thread = failed == 0;
    return failed;
}

void weir_sealed_thread_stop(struct weir_sealed *sealed) {
    if (sealed->has_thread) {
        atomic_store(&sealed->is_stopping, 1);
        weir_event_tell(sealed->control_fd);
        pthread_join(sealed->thread, NULL);
    }
    sealed->has_thread = 0;
    weir_descriptor_close(&sealed->control_fd);
}

int weir_sealed_poll(struct pollfd *polls, size_t count, int64_t timeout_ns) {
    enum { NS_PER_S = 1000000000, NAP_NS = 10 * 1000 * 1000 };
    struct pollfd used[WEIR_SEALED_POLLS_MAX];
    size_t used_count = 0;
    for (size_t i = 0; i < count; i++)
        if (polls[i].fd >= 0)
            used[used_count++] = polls[i];
    struct timespec timeout = {timeout_ns / NS_PER_S, timeout_ns % NS_PER_S};
    int status = ppoll(used, used_count, timeout_ns == INT64_MAX ? NULL : &timeout, NULL);
    if (status < 0 && errno != EINTR)
        nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
    for (size_t i = count; i-- > 0;)
        polls[i].revents = polls[i].fd >= 0 && status > 0 ? used[--used_count].revents : 0;
    return status;
}

/* ---- coming and going ---- */

static struct weir_sealed *sealed_new(const struct weir_place *place) {
    struct weir_sealed *sealed = calloc(1, sizeof(*sealed));
    if (!sealed)
        return NULL;
    sealed->place = *place;
    sealed->directory = sealed->listen_fd = sealed->control_fd = sealed->number = -1;
    sealed->epoll_fd = sealed->event_fd = sealed->inotify_fd = -1;
    for (size_t i = 0; i < WEIR_SEALED_SEGMENTS; i++)
        sealed->segments[i].fd = -1;
    for (size_t i = 0; i < WEIR_SHM_SLOTS; i++)
        sealed->guests[i].fd = -1;
    for (size_t i = 0; i < WEIR_SEALED_PENDING; i++)
        sealed->pending[i].fd = -1;
    for (size_t i = 0; i < WEIR_SHM_LANES; i++) {
        struct weir_sealed_lane *lane = &sealed->lanes[i];
        lane->fd = lane->page_fd = -1;
        for (size_t j = 0; j < WEIR_SEALED_SEGMENTS; j++)
            lane->segments[j].fd = -1;
    }
    pthread_mutex_init(&sealed->lock, NULL);
    return sealed;
}

static int not_sealed(const struct weir_backing *backing, weir_error *err) {
    return weir_fail(err, WEIR_EBUSY, "%s is there and not sealed; remove %s, or leave out sealed=1", backing->text,
                     backing->path);
}

/* The members of the directory are those of the files backing. Readers of other users may not open its locks. */
static int sealed_join(struct weir_backing *backing, const struct weir_place *place, enum weir_channel_access access,
                       weir_error *err) {
    struct weir_sealed_backing *state = (struct weir_sealed_backing *)backing->state;
    int is_writer = access == WEIR_CHANNEL_WRITE;
    weir_files_begin(backing, place);
    state->sealed = sealed_new(place);
    if (!state->sealed)
        return weir_fail(err, WEIR_ENOMEM, "%s: out of memory", place->text);
    int status = weir_backing_files.join(backing, place, is_writer ? access : WEIR_CHANNEL_LOOK, err);
    state->sealed->directory = state->files.fd;
    state->sealed->uid = backing->uid;
    if (status == WEIR_OK && !has_mark(&state->files))
        status = not_sealed(backing, err);
    return status || is_writer ? status : weir_join_begin(state->sealed, err);
}

static int sealed_look(struct weir_backing *backing, const struct weir_place *place, weir_error *err) {
    int status = weir_backing_files.look(backing, place, err);
    if (status)
        return status;
    if (has_mark(weir_files_of(backing)))
        return WEIR_OK;
    weir_backing_files.abandon(backing);
    return not_sealed(backing, err);
}

/* In a forked child, whose parent goes on with all of it; and for what look has opened. */
static void sealed_abandon(struct weir_backing *backing) {
    struct weir_sealed *sealed = weir_sealed_of(backing);
    weir_backing_files.abandon(backing);
    if (!sealed)
        return;
    int *const fds[] = {&sealed->control_fd, &sealed->listen_fd, &sealed->epoll_fd, &sealed->event_fd,
                        &sealed->inotify_fd};
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        weir_descriptor_close(fds[i]);
    for (size_t i = 0; i < WEIR_SEALED_SEGMENTS; i++)
        weir_descriptor_close(&sealed->segments[i].fd);
    for (size_t i = 0; i < WEIR_SHM_SLOTS; i++)
        weir_descriptor_close(&sealed->guests[i].fd);
    for (size_t i = 0; i < WEIR_SEALED_PENDING; i++)
        weir_descriptor_close(&sealed->pending[i].fd);
    for (size_t i = 0; i < WEIR_SHM_LANES; i++) {
        weir_descriptor_close(&sealed->lanes[i].fd);
        weir_descriptor_close(&sealed->lanes[i].page_fd);
        for (size_t j = 0; j < WEIR_SEALED_SEGMENTS; j++)
            weir_descriptor_close(&sealed->lanes[i].segments[j].fd);
    }
    free(sealed);
    ((struct weir_sealed_backing *)backing->state)->sealed = NULL;
}

static void sealed_leave(struct weir_backing *backing, int must_go) {
    struct weir_files *files = weir_files_of(backing);
    (void)must_go; /* without its ends nothing of it is left */
    if (files->members_fd >= 0 && backing->uid == geteuid() && has_mark(files))
        weir_files_go(backing);
    weir_files_give_back(files);
    sealed_abandon(backing);
}

/* ---- leases ---- */

/* A writer has lane 0 of its own world, and one of the numbers that all writers of the channel share. */
static int number_take(struct weir_sealed *sealed, const struct weir_files *files) {
    for (int number = 0; number < WEIR_SHM_LANES; number++) {
        int status = weir_lock_take(files->writers_fd, (uint64_t)number, 1);
        if (status == WEIR_OK)
            sealed->number = number;
        if (status != WEIR_EBUSY)
            return status;
    }
    return WEIR_EBUSY;
}

static int is_of_files(unsigned lease) {
    return lease == WEIR_LEASE_MEMBERS || (lease >= WEIR_LEASE_SERVER && lease < WEIR_LEASE_SLOT);
}

static int is_writer(const struct weir_sealed *sealed) {
    return sealed->epoll_fd < 0;
}

static int sealed_lease_take(struct weir_backing *backing, unsigned lease, int is_exclusive) {
    struct weir_sealed *sealed = weir_sealed_of(backing);
    if (is_of_files(lease))
        return weir_backing_files.lease_take(backing, lease, is_exclusive);
    if (lease == WEIR_LEASE_LANE)
        return number_take(sealed, weir_files_of(backing));
    if (lease == WEIR_LEASE_SLOT && !is_writer(sealed))
        return WEIR_OK;
    if (lease >= WEIR_LEASE_SLOT && is_writer(sealed))
        return atomic_load(&sealed->cursors->joined) >> (lease - WEIR_LEASE_SLOT) & 1 ? WEIR_EBUSY : WEIR_OK;
    return WEIR_EBUSY;
}

static void sealed_lease_drop(struct weir_backing *backing, unsigned lease) {
    struct weir_sealed *sealed = weir_sealed_of(backing);
    if (is_of_files(lease)) {
        weir_backing_files.lease_drop(backing, lease);
    } else if (lease == WEIR_LEASE_LANE && sealed->number >= 0) {
        weir_door_close(sealed);
        weir_lock_drop(weir_files_of(backing)->writers_fd, (uint64_t)sealed->number);
        sealed->number = -1;
    } else if (lease == WEIR_LEASE_SLOT && !is_writer(sealed)) {
        weir_join_end(sealed);
    }
}

static int sealed_lease_is_held(const struct weir_backing *backing, unsigned lease) {
    const struct weir_sealed *sealed = weir_sealed_of(backing);
    if (is_of_files(lease) || !sealed)
        return weir_backing_files.lease_is_held(backing, lease);
    if (lease >= WEIR_LEASE_SLOT && is_writer(sealed))
        return (int)(atomic_load(&sealed->cursors->joined) >> (lease - WEIR_LEASE_SLOT) & 1);
    return lease == WEIR_LEASE_LANE ? sealed->number >= 0 : 0;
}

/* ---- parts ---- */

static int sealed_part_open(const struct weir_backing *backing, struct weir_part_id id, int may_write,
                            struct weir_part *ret) {
    struct weir_sealed *sealed = weir_sealed_of(backing);
    struct weir_part part = {.owner = sealed, .id = -1, .uid = backing->uid, .gid = getegid(), .mode = 0600};
    errno = ENOENT;
    if (id.kind != WEIR_PART_LANE && !has_mark(weir_files_of(backing)))
        return WEIR_ENOENT;
    if (id.kind == WEIR_PART_LANE) {
        struct weir_sealed_lane *lane = may_write || is_writer(sealed) ? NULL : &sealed->lanes[id.lane];
        if (lane)
            weir_join_receive(sealed, lane); /* a new one may just have come */
        const struct weir_sealed_segment *segment =
            weir_sealed_segment_find(lane ? lane->segments : sealed->segments, id.generation);
        if (!segment)
            return WEIR_ENOENT;
        part.id = segment->fd;
        part.size = segment->size;
        part.tag = id.lane;
    } else {
        part.size = id.kind == WEIR_PART_CHANNEL ? (uint64_t)WEIR_SHM_CHANNEL_SIZE : (uint64_t)WEIR_SEALED_CURSORS_SIZE;
        part.tag = id.kind;
    }
    *ret = part;
    return WEIR_OK;
}

static void sealed_part_close(struct weir_part *part) {
    part->id = -1; /* segments stay open as long as the lane */
}

static void head_of(const struct weir_sealed *sealed, unsigned char head[WEIR_SHM_CHANNEL_SIZE]) {
    struct weir_place place = sealed->place;
    place.is_kept = 0;
    place.is_kept_given = 1;
    weir_channel_head(&place, WEIR_CHANNEL_READ, head);
}

static int sealed_part_read(const struct weir_part *part, uint64_t offset, void *to, size_t size) {
    unsigned char head[WEIR_SHM_CHANNEL_SIZE];
    if (part->id < 0) {
        if (part->tag != WEIR_PART_CHANNEL || offset > sizeof(head) || size > sizeof(head) - offset)
            return WEIR_ECORRUPT;
        head_of(part->owner, head);
        memcpy(to, head + offset, size);
        return WEIR_OK;
    }
    if (pread(part->id, to, size, (off_t)offset) != (ssize_t)size)
        return WEIR_ECORRUPT;
    /* Every writer calls its lane 0; here it has the number of its place. */
    const size_t at = offsetof(struct weir_lane_header, lane);
    if (offset == 0 && size >= at + sizeof(part->tag))
        memcpy((unsigned char *)to + at, &part->tag, sizeof(part->tag));
    return WEIR_OK;
}

static void *memory_new(size_t size, const void *head, size_t head_size) {
    void *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED)
        return NULL;
    madvise(data, size, MADV_DONTFORK);
    memcpy(data, head, head_size);
    return data;
}

/* The channel's page and the cursors: private memory, into which pages of slots are mapped. */
static void *sealed_part_map(const struct weir_part *part, unsigned flags) {
    struct weir_sealed *sealed = part->owner;
    unsigned char head[WEIR_SHM_CHANNEL_SIZE];
    (void)flags;
    if (part->tag == WEIR_PART_CHANNEL) {
        head_of(sealed, head);
        unsigned char *page = memory_new(part->size, head, sizeof(head));
        sealed->page = page ? (struct weir_channel_page *)(page + WEIR_SHM_PAGE) : NULL;
        return page;
    }
    weir_cursors_head(head);
    sealed->cursors = memory_new(part->size, head, sizeof(struct weir_cursors_head));
    if (sealed->cursors && !is_writer(sealed) && weir_join_map(sealed) != 0) {
        weir_mapping_free(sealed->cursors, part->size);
        sealed->cursors = NULL;
    }
    return sealed->cursors;
}

/* Our own segment is sealed when we have it mapped, and then shown; with the first one readers are let in. */
static int segment_show(struct weir_sealed *sealed, const struct weir_part *part) {
    if (weir_memfd_seal(part->id, WEIR_MEMFD_READERS) != 0)
        return -1;
    pthread_mutex_lock(&sealed->lock);
    for (size_t i = 0; i < WEIR_SEALED_SEGMENTS; i++)
        if (sealed->segments[i].fd == part->id) {
            sealed->segments[i].is_shown = 1;
            weir_door_announce(sealed, &sealed->segments[i]);
        }
    pthread_mutex_unlock(&sealed->lock);
    return sealed->listen_fd < 0 ? weir_door_open(sealed) : 0;
}

static void *sealed_part_map_ring(const struct weir_part *part, size_t head_size, size_t ring_size, unsigned flags) {
    void *map = weir_mapping_new_ring(part->id, head_size, ring_size, flags);
    if (map && flags & WEIR_MAPPING_WRITE && segment_show(part->owner, part) != 0) {
        int saved = errno;
        weir_mapping_free(map, head_size + 2 * ring_size);
        errno = saved;
        return NULL;
    }
    return map;
}

static int sealed_part_make(struct weir_backing *backing, const struct weir_part_wish *wish, weir_error *err) {
    struct weir_sealed *sealed = weir_sealed_of(backing);
    int fd = weir_memfd_new(wish->size);
    if (fd < 0)
        return weir_fail_errno(err, errno, "%s: %" PRIu64 " bytes of sealed memory cannot be had", backing->text,
                               wish->size);
    if (pwrite(fd, wish->head, wish->head_size, 0) != (ssize_t)wish->head_size) {
        close(fd);
        return weir_fail_errno(err, errno, "%s: a lane cannot be made", backing->text);
    }
    pthread_mutex_lock(&sealed->lock);
    struct weir_sealed_segment *place = weir_sealed_segment_find(sealed->segments, wish->id.generation);
    for (size_t i = 0; !place && i < WEIR_SEALED_SEGMENTS; i++)
        if (sealed->segments[i].fd < 0)
            place = &sealed->segments[i];
    if (place) {
        weir_descriptor_close(&place->fd); /* of an attempt that failed */
        *place = (struct weir_sealed_segment){fd, wish->id.generation, wish->size, 0};
    }
    pthread_mutex_unlock(&sealed->lock);
    if (place)
        return WEIR_OK;
    close(fd);
    return weir_fail(err, WEIR_ETOOBIG, "%s: the lane cannot grow any more", backing->text);
}

static int sealed_part_remove(struct weir_backing *backing, struct weir_part_id id) {
    struct weir_sealed *sealed = weir_sealed_of(backing);
    pthread_mutex_lock(&sealed->lock);
    struct weir_sealed_segment *segment = weir_sealed_segment_find(sealed->segments, id.generation);
    if (segment)
        weir_descriptor_close(&segment->fd);
    pthread_mutex_unlock(&sealed->lock);
    return segment != NULL;
}

static int sealed_part_exists(const struct weir_backing *backing, struct weir_part_id id) {
    struct weir_sealed *sealed = weir_sealed_of(backing);
    return weir_sealed_segment_find(is_writer(sealed) ? sealed->segments : sealed->lanes[id.lane].segments,
                                    id.generation) != NULL;
}

static int sealed_wake_open(const struct weir_backing *backing, unsigned slot, int must_make, uint32_t mode) {
    (void)backing, (void)slot, (void)must_make, (void)mode;
    return -1; /* readers are woken by wakes */
}

static const struct weir_backing_wakes wakes = {
    .slot_stride = WEIR_SEALED_PAGE,
    .wake = weir_door_wake,
    .space_begin = weir_door_space_begin,
    .space_sleep = weir_door_space_sleep,
    .arm = weir_join_arm,
    .sleep = weir_join_sleep,
    .drain = weir_join_drain,
    .fd = weir_join_fd,
    .place = weir_join_place,
    .space_tell = weir_join_space_tell,
    .is_over = weir_join_is_over,
    .lane_free = weir_join_lane_free,
};

const struct weir_backing_ops weir_backing_sealed = {
    .wakes = &wakes,
    .scheme = "shm",
    .way_in = "let you in with allow=, or with mode= and group= when it is made anew",
    .join = sealed_join,
    .look = sealed_look,
    .leave = sealed_leave,
    .abandon = sealed_abandon,
    .lease_take = sealed_lease_take,
    .lease_drop = sealed_lease_drop,
    .lease_is_held = sealed_lease_is_held,
    .part_open = sealed_part_open,
    .part_close = sealed_part_close,
    .part_read = sealed_part_read,
    .part_map = sealed_part_map,
    .part_map_ring = sealed_part_map_ring,
    .part_make = sealed_part_make,
    .part_remove = sealed_part_remove,
    .part_exists = sealed_part_exists,
    .wake_open = sealed_wake_open,
    .used = weir_files_used,
    .each = weir_files_each,
};
