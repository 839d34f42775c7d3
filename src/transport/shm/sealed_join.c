/* The reader's side of joins. Opening joins all writers that are there; a thread of ours joins those that come later,
 * so that a writer with readers=N finds a reader whose program does other things.
 *
 * What must stay true: of a writer only this is believed: that it is the channel's owner, which the kernel says, and
 * that the memory it gives us cannot shrink and is all there, which the kernel says too (os/memfd.h). Whatever else it
 * sends ends its connection, and nothing but its connection. Until a lane is joined it is the thread's (before there is
 * one, the opener's), from then on its owner's; the thread then only looks whether the connection has ended. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "os/event.h"
#include "os/futex.h"
#include "os/memfd.h"
#include "os/packet.h"
#include "transport/shm/sealed.h"

enum { RECEIVES_MAX = 64, POLLS_MAX = 2 + WEIR_SHM_LANES, EVENT_KEY = WEIR_SHM_LANES, RESCAN_NS = 50 * 1000 * 1000 };
static const int64_t JOIN_WAIT_MAX_NS = INT64_C(10000000000);
static const int64_t NS_PER_S = 1000000000;

static int state_of(const struct weir_sealed_lane *lane) {
    return atomic_load_explicit(&lane->state, memory_order_acquire);
}

static unsigned index_of(const struct weir_sealed *sealed, const struct weir_sealed_lane *lane) {
    return (unsigned)(lane - sealed->lanes);
}

/* ---- a connection ---- */

static void lane_clear(struct weir_sealed_lane *lane, enum weir_sealed_state state) {
    weir_connection_end(&lane->fd);
    weir_descriptor_close(&lane->page_fd);
    for (size_t i = 0; i < WEIR_SEALED_SEGMENTS; i++)
        weir_descriptor_close(&lane->segments[i].fd);
    lane->is_answered = lane->is_delayed = 0;
    atomic_store_explicit(&lane->is_final, 0, memory_order_relaxed);
    atomic_store_explicit(&lane->state, state, memory_order_release);
}

static int is_owner(const struct weir_sealed *sealed, int fd) {
    struct ucred peer;
    socklen_t size = sizeof(peer);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == sealed->uid;
}

enum seen { NONE, SEEN, UNSEEN /* that cannot be said now */ };

/* The socket that has the name sock.@number. */
static enum seen socket_of(const struct weir_sealed *sealed, unsigned number, struct weir_sealed_socket *ret) {
    struct statx about;
    char name[16];
    snprintf(name, sizeof(name), "sock.%u", number);
    if (statx(sealed->directory, name, AT_SYMLINK_NOFOLLOW, STATX_TYPE | STATX_INO | STATX_BTIME, &about) != 0)
        return errno == ENOENT ? NONE : UNSEEN;
    *ret = (struct weir_sealed_socket){.inode = about.stx_ino};
    if (about.stx_mask & STATX_BTIME)
        ret->born = about.stx_btime.tv_sec * NS_PER_S + about.stx_btime.tv_nsec;
    return S_ISSOCK(about.stx_mode) ? SEEN : NONE;
}

static int is_same(struct weir_sealed_socket a, struct weir_sealed_socket b) {
    return a.inode == b.inode && a.born == b.born;
}

/* Connect to sock.@number, which is @which now, and say hello. Return: 0 when it is worth trying again. */
static int lane_ask(struct weir_sealed *sealed, struct weir_sealed_lane *lane, unsigned number,
                    struct weir_sealed_socket which) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[WEIR_SEALED_PATH_SIZE];
    struct weir_sealed_packet hello = weir_sealed_packet(WEIR_SEALED_HELLO, 0);
    weir_sealed_path(sealed, number, "", path);
    memcpy(address.sun_path, path, sizeof(path));
    hello.value = sealed->place.is_observer ? 0 : WEIR_SEALED_HOLDS;
    lane->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    lane->number = number;
    lane->socket = which;
    if (lane->fd < 0 || connect(lane->fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        int is_dead = errno == ECONNREFUSED || errno == ENOENT; /* what has died never listens again */
        lane_clear(lane, WEIR_LANE_FREE);
        return is_dead;
    }
    /* Somebody may have taken the name between the look and the call: then we are connected to we do not know whom, and
     * would connect to him again when we see his socket. */
    struct weir_sealed_socket now;
    if (socket_of(sealed, number, &now) != SEEN || !is_same(now, which)) {
        lane_clear(lane, WEIR_LANE_FREE);
        return 0;
    }
    if (!is_owner(sealed, lane->fd)) {
        lane_clear(lane, WEIR_LANE_REFUSED);
        return 1;
    }
    /* A writer may refuse us and be gone before we have said anything; then what it said is still there to read. */
    weir_packet_send(lane->fd, &hello, sizeof(hello), -1);
    atomic_store_explicit(&lane->state, WEIR_LANE_ASKED, memory_order_release);
    return 1;
}

/* The lane for sock.@number, which is @which now; NULL when we know it, or there is no place. *ret_must_wait: it is to
 * be asked when the owner has read to its end what an earlier writer left: before, there is no place, or that one's
 * socket cannot be told from this one. */
static struct weir_sealed_lane *place_find(struct weir_sealed *sealed, unsigned number, struct weir_sealed_socket which,
                                           int *ret_must_wait) {
    struct weir_sealed_lane *place = NULL;
    *ret_must_wait = 0;
    for (size_t i = 0; i < WEIR_SHM_LANES; i++) {
        struct weir_sealed_lane *lane = &sealed->lanes[i];
        int state = state_of(lane);
        if (state != WEIR_LANE_FREE && lane->number == number && is_same(lane->socket, which)) {
            *ret_must_wait = state == WEIR_LANE_OVER && !atomic_load(&lane->is_final);
            return NULL;
        }
        if (state == WEIR_LANE_REFUSED && lane->number == number)
            place = lane; /* that one is no more */
        else if (state == WEIR_LANE_FREE && !place)
            place = lane;
    }
    *ret_must_wait = place == NULL;
    return place;
}

/* Ask each writer that is there and that we do not know. Return: 0 when one could not be asked at this moment. */
static int writers_ask(struct weir_sealed *sealed) {
    int all = 1;
    for (unsigned number = 0; number < WEIR_SHM_LANES; number++) {
        struct weir_sealed_socket which;
        enum seen seen = socket_of(sealed, number, &which);
        int must_wait = seen == UNSEEN;
        struct weir_sealed_lane *place = seen == SEEN ? place_find(sealed, number, which, &must_wait) : NULL;
        all &= !must_wait;
        if (place)
            all &= lane_ask(sealed, place, number, which);
    }
    return all;
}

/* ---- what comes on it ---- */

static struct weir_sealed_segment *segment_place(struct weir_sealed_lane *lane) {
    for (size_t i = 0; i < WEIR_SEALED_SEGMENTS; i++)
        if (lane->segments[i].fd < 0)
            return &lane->segments[i];
    return NULL;
}

/* Return: 1 when it is as it must be; @passed is then ours to keep, else the caller's to close. */
static int answer_take(struct weir_sealed *sealed, struct weir_sealed_lane *lane,
                       const struct weir_sealed_packet *packet, int passed) {
    uint64_t size;
    if (lane->is_answered)
        return 0;
    if (packet->value != 0) {
        lane->is_delayed = packet->value == WEIR_ENOMEM;
        sealed->refused_status =
            packet->value == WEIR_EBUSY || packet->value == WEIR_EVERSION || packet->value == WEIR_ENOMEM
                ? (int)packet->value
                : WEIR_EACCESS;
        for (size_t i = 0; i < sizeof(packet->text) - 1 && packet->text[i]; i++)
            sealed->refused_text[i] = packet->text[i] >= ' ' && packet->text[i] < 0x7F ? packet->text[i] : '?';
        return 0;
    }
    if (passed < 0 || !weir_memfd_check(passed, WEIR_MEMFD_BOTH, &size) || size != WEIR_SEALED_PAGE)
        return 0;
    lane->is_answered = 1;
    lane->page_fd = passed;
    lane->wanted = packet->count;
    return packet->count > 0 && packet->count <= WEIR_SEALED_SEGMENTS;
}

static int segment_take(struct weir_sealed_lane *lane, const struct weir_sealed_packet *packet, int passed) {
    struct weir_sealed_segment *place = segment_place(lane);
    uint64_t size;
    if (!place || passed < 0 || packet->value == 0 || !weir_memfd_check(passed, WEIR_MEMFD_READERS, &size) ||
        weir_sealed_segment_find(lane->segments, packet->value))
        return 0;
    *place = (struct weir_sealed_segment){passed, packet->value, size, 1};
    lane->wanted -= lane->wanted > 0;
    return 1;
}

/* Take one packet. Return: WEIR_OK, WEIR_EAGAIN, others: the connection is of no use any more. */
static int packet_take(struct weir_sealed *sealed, struct weir_sealed_lane *lane) {
    struct weir_sealed_packet packet;
    int passed = -1, is_kept = 0, is_right = 0;
    int status = weir_packet_receive(lane->fd, &packet, sizeof(packet), &passed);
    if (status)
        return status;
    if (memcmp(packet.magic, WEIR_SEALED_MAGIC, sizeof(packet.magic)) != 0)
        is_right = 0;
    else if (packet.kind == WEIR_SEALED_ANSWER)
        is_kept = is_right = answer_take(sealed, lane, &packet, passed);
    else if (packet.kind == WEIR_SEALED_SEGMENT && lane->is_answered)
        is_kept = is_right = segment_take(lane, &packet, passed);
    else if (packet.kind == WEIR_SEALED_WAKE && lane->is_answered)
        is_right = passed < 0;
    if (!is_kept && passed >= 0 && passed != lane->page_fd)
        close(passed);
    return is_right ? WEIR_OK : WEIR_ECORRUPT;
}

void weir_join_receive(struct weir_sealed *sealed, struct weir_sealed_lane *lane) {
    int status = WEIR_OK;
    for (int i = 0; status == WEIR_OK && i < RECEIVES_MAX; i++)
        status = packet_take(sealed, lane);
    if (status == WEIR_OK || status == WEIR_EAGAIN)
        return;
    if (status != WEIR_ECLOSED)
        atomic_store(&lane->is_final, 1);
    epoll_ctl(sealed->epoll_fd, EPOLL_CTL_DEL, lane->fd, NULL); /* its end would make it readable for ever */
    shutdown(lane->fd, SHUT_RDWR);                              /* by which the thread sees that it is over */
}

/* ---- joined ---- */

/* The lane is complete: show it to the ring. */
static int lane_show(struct weir_sealed *sealed, struct weir_sealed_lane *lane) {
    unsigned index = index_of(sealed, lane);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
    uint32_t newest = 0;
    if (weir_sealed_slot_map(sealed, index, lane->page_fd) != 0 ||
        epoll_ctl(sealed->epoll_fd, EPOLL_CTL_ADD, lane->fd, &event) != 0)
        return -1;
    weir_descriptor_close(&lane->page_fd);
    for (size_t i = 0; i < WEIR_SEALED_SEGMENTS; i++)
        if (lane->segments[i].fd >= 0 && lane->segments[i].generation > newest)
            newest = lane->segments[i].generation;
    atomic_store(&weir_sealed_slot(sealed, index)->pid, (uint32_t)getpid());
    atomic_store(&lane->state, WEIR_LANE_JOINED);
    if (sealed->is_placed) /* it is read from its beginning: what is sent from now on will be seen */
        atomic_fetch_or(&weir_sealed_slot(sealed, index)->flags, WEIR_SLOT_PLACED);
    atomic_store(&sealed->page->generation[index], newest);
    atomic_fetch_add(&sealed->page->lanes_changed, 1);
    return 0;
}

/* Something has come from a writer that we have asked. Return: 0 when it is to be asked again, a moment later. */
static int asked_hear(struct weir_sealed *sealed, struct weir_sealed_lane *lane) {
    int status = WEIR_OK;
    while (status == WEIR_OK && !(lane->is_answered && lane->wanted == 0))
        status = packet_take(sealed, lane);
    if (status == WEIR_EAGAIN)
        return 1;
    if (status == WEIR_OK && (!sealed->cursors || lane_show(sealed, lane) == 0))
        return 1; /* without cursors: weir_join_map shows it */
    /* One of the two has no memory at this moment: it is worth asking again. */
    int is_later = status == WEIR_OK || status == WEIR_ENOMEM || lane->is_delayed;
    lane_clear(lane, is_later ? WEIR_LANE_FREE : WEIR_LANE_REFUSED);
    if (sealed->cursors)
        weir_sealed_slot_map(sealed, index_of(sealed, lane), -1);
    return !is_later;
}

/* ---- at open ---- */

static int asked_poll(const struct weir_sealed *sealed, struct pollfd polls[WEIR_SHM_LANES]) {
    int count = 0;
    for (size_t i = 0; i < WEIR_SHM_LANES; i++) {
        const struct weir_sealed_lane *lane = &sealed->lanes[i];
        int is_waited = state_of(lane) == WEIR_LANE_ASKED && !(lane->is_answered && lane->wanted == 0);
        polls[i] = (struct pollfd){.fd = is_waited ? lane->fd : -1, .events = POLLIN};
        count += is_waited;
    }
    return count;
}

static void answers_await(struct weir_sealed *sealed) {
    struct pollfd polls[WEIR_SHM_LANES];
    int64_t wait = sealed->place.timeout_ns;
    int64_t deadline = weir_deadline(wait < 0 || wait > JOIN_WAIT_MAX_NS ? JOIN_WAIT_MAX_NS : wait);
    while (asked_poll(sealed, polls) > 0) {
        int64_t left = weir_deadline_left(deadline);
        if (left == 0)
            return; /* stopped writers; the thread goes on waiting for them */
        if (weir_sealed_poll(polls, WEIR_SHM_LANES, left) <= 0)
            continue;
        for (size_t i = 0; i < WEIR_SHM_LANES; i++)
            if (polls[i].fd >= 0 && polls[i].revents)
                asked_hear(sealed, &sealed->lanes[i]);
    }
}

static int descriptors_open(struct weir_sealed *sealed) {
    char path[WEIR_SEALED_PATH_SIZE];
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = EVENT_KEY};
    snprintf(path, sizeof(path), "/proc/self/fd/%d", sealed->directory);
    sealed->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    sealed->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    sealed->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    /* Without a watch (a user has a limited number of them) the thread looks by itself. */
    if (sealed->inotify_fd >= 0 && inotify_add_watch(sealed->inotify_fd, path, IN_CREATE | IN_MOVED_TO) < 0)
        weir_descriptor_close(&sealed->inotify_fd);
    return sealed->epoll_fd >= 0 && sealed->event_fd >= 0 &&
                   epoll_ctl(sealed->epoll_fd, EPOLL_CTL_ADD, sealed->event_fd, &event) == 0
               ? 0
               : -1;
}

int weir_join_begin(struct weir_sealed *sealed, weir_error *err) {
    if (descriptors_open(sealed) != 0)
        return weir_fail_errno(err, errno, "%s: no descriptor is left to join it with", sealed->place.text);
    writers_ask(sealed);
    answers_await(sealed);
    int joined = 0;
    for (size_t i = 0; i < WEIR_SHM_LANES; i++)
        joined += state_of(&sealed->lanes[i]) == WEIR_LANE_ASKED;
    if (joined || !sealed->refused_status)
        return WEIR_OK;
    return weir_fail(err, sealed->refused_status, "%s: %s", sealed->place.text, sealed->refused_text);
}

int weir_join_map(struct weir_sealed *sealed) {
    for (size_t i = 0; i < WEIR_SHM_LANES; i++) {
        struct weir_sealed_lane *lane = &sealed->lanes[i];
        if (state_of(lane) == WEIR_LANE_ASKED && lane->is_answered && lane->wanted == 0 && lane_show(sealed, lane) != 0)
            return -1;
    }
    return 0;
}

/* ---- the thread ---- */

static void owner_tell(struct weir_sealed *sealed) {
    weir_event_tell(sealed->event_fd);
}

static void lanes_poll(struct weir_sealed *sealed, struct pollfd *polls) {
    for (size_t i = 0; i < WEIR_SHM_LANES; i++) {
        struct weir_sealed_lane *lane = &sealed->lanes[i];
        int state = state_of(lane);
        /* Of those we have joined only the end is of interest here. */
        polls[i] = (struct pollfd){
            .fd = state == WEIR_LANE_ASKED || state == WEIR_LANE_JOINED ? lane->fd : -1,
            .events = state == WEIR_LANE_ASKED ? POLLIN : 0,
        };
    }
}

/* Return: 0 when one of those we have asked is to be asked again. */
static int lanes_handle(struct weir_sealed *sealed, const struct pollfd *polls) {
    int all = 1;
    for (size_t i = 0; i < WEIR_SHM_LANES; i++) {
        struct weir_sealed_lane *lane = &sealed->lanes[i];
        if (polls[i].fd < 0 || !polls[i].revents)
            continue;
        if (state_of(lane) == WEIR_LANE_ASKED)
            all &= asked_hear(sealed, lane);
        else
            atomic_store_explicit(&lane->state, WEIR_LANE_OVER, memory_order_release);
        owner_tell(sealed);
    }
    return all;
}

static void watch_drain(const struct weir_sealed *sealed) {
    char events[4096];
    while (sealed->inotify_fd >= 0 && read(sealed->inotify_fd, events, sizeof(events)) > 0)
        continue;
}

static void *join_run(void *user) {
    struct weir_sealed *sealed = user;
    struct pollfd polls[POLLS_MAX];
    int may_ask = 1; /* not in the same moment again */
    while (!atomic_load(&sealed->is_stopping)) {
        watch_drain(sealed);
        int all = may_ask && writers_ask(sealed);
        polls[0] = (struct pollfd){.fd = sealed->control_fd, .events = POLLIN};
        polls[1] = (struct pollfd){.fd = sealed->inotify_fd, .events = POLLIN};
        lanes_poll(sealed, polls + 2);
        int some = weir_sealed_poll(polls, POLLS_MAX, all && sealed->inotify_fd >= 0 ? INT64_MAX : RESCAN_NS);
        may_ask = some <= 0 || lanes_handle(sealed, polls + 2);
    }
    return NULL;
}

void weir_join_end(struct weir_sealed *sealed) {
    weir_sealed_thread_stop(sealed);
    for (size_t i = 0; i < WEIR_SHM_LANES; i++)
        lane_clear(&sealed->lanes[i], WEIR_LANE_FREE);
    weir_descriptor_close(&sealed->epoll_fd);
    weir_descriptor_close(&sealed->event_fd);
    weir_descriptor_close(&sealed->inotify_fd);
}

/* ---- the owner ---- */

static int is_ours(const struct weir_sealed *sealed, size_t index) {
    int state = state_of(&sealed->lanes[index]);
    return state == WEIR_LANE_JOINED || state == WEIR_LANE_OVER;
}

void weir_join_arm(const struct weir_backing *backing) {
    struct weir_sealed *sealed = weir_sealed_of(backing);
    for (unsigned i = 0; i < WEIR_SHM_LANES; i++)
        if (is_ours(sealed, i))
            atomic_fetch_add(&weir_sealed_slot(sealed, i)->arming, 1);
}

void weir_join_sleep(const struct weir_backing *backing, int64_t left_ns) {
    struct pollfd poll = {.fd = weir_sealed_of(backing)->epoll_fd, .events = POLLIN};
    struct timespec timeout = {.tv_sec = left_ns / 1000000000, .tv_nsec = left_ns % 1000000000};
    ppoll(&poll, 1, &timeout, NULL);
}

int weir_join_drain(const struct weir_backing *backing) {
    struct weir_sealed *sealed = weir_sealed_of(backing);
    struct epoll_event events[WEIR_SHM_LANES + 1];
    uint64_t ticks;
    int count = epoll_wait(sealed->epoll_fd, events, WEIR_SHM_LANES + 1, 0);
    for (int i = 0; i < count; i++) {
        if (events[i].data.u32 == EVENT_KEY)
            (void)!read(sealed->event_fd, &ticks, sizeof(ticks));
        else if (is_ours(sealed, events[i].data.u32))
            weir_join_receive(sealed, &sealed->lanes[events[i].data.u32]);
    }
    return count > 0;
}

int weir_join_fd(const struct weir_backing *backing) {
    struct weir_sealed *sealed = weir_sealed_of(backing);
    owner_tell(sealed); /* readable until next has looked, as nobody knows yet whether there is something */
    return fcntl(sealed->epoll_fd, F_DUPFD_CLOEXEC, 0);
}

int weir_join_place(const struct weir_backing *backing, weir_error *err) {
    struct weir_sealed *sealed = weir_sealed_of(backing);
    sealed->is_placed = 1;
    for (unsigned i = 0; i < WEIR_SHM_LANES; i++)
        if (is_ours(sealed, i))
            atomic_fetch_or(&weir_sealed_slot(sealed, i)->flags, WEIR_SLOT_PLACED);
    int failed = weir_sealed_thread_start(sealed, join_run);
    return failed ? weir_fail_errno(err, failed, "%s: it cannot watch for writers that come later", sealed->place.text)
                  : WEIR_OK;
}

void weir_join_space_tell(const struct weir_backing *backing) {
    struct weir_sealed *sealed = weir_sealed_of(backing);
    atomic_thread_fence(
        memory_order_seq_cst); /* our cursors first, then the question whether somebody waits for them */
    for (unsigned i = 0; i < WEIR_SHM_LANES; i++) {
        struct weir_reader_slot *place = weir_sealed_slot(sealed, i);
        if (!is_ours(sealed, i) || !atomic_load_explicit(&place->blocked, memory_order_relaxed))
            continue;
        atomic_store(&place->blocked, 0);
        atomic_fetch_add(&place->space, 1);
        weir_futex_wake(&place->space);
    }
}

int weir_join_is_over(const struct weir_backing *backing, unsigned lane) {
    return state_of(&weir_sealed_of(backing)->lanes[lane]) == WEIR_LANE_OVER;
}

void weir_join_lane_free(const struct weir_backing *backing, unsigned lane) {
    struct weir_sealed *sealed = weir_sealed_of(backing);
    epoll_ctl(sealed->epoll_fd, EPOLL_CTL_DEL, sealed->lanes[lane].fd, NULL);
    atomic_store(&sealed->page->generation[lane], 0);
    weir_sealed_slot_map(sealed, lane, -1);
    lane_clear(&sealed->lanes[lane], atomic_load(&sealed->lanes[lane].is_final) ? WEIR_LANE_REFUSED : WEIR_LANE_FREE);
}
