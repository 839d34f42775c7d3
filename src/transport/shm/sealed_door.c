/* The writer's side of joins. A thread of ours answers them, so that a reader gets in while the program that writes
 * does other things.
 *
 * What must stay true: whether somebody may come in is decided by what the kernel says of him, before a byte of his is
 * read; what he says is one packet, of which a flag is looked at; who says anything else, or more, is put out. A guest
 * is counted in `joined` before he is told, with a slot that holds everything, so that from the moment when he sees the
 * ring nothing of it is overwritten. When he goes, the kernel ends his connection: that is the lease of his slot. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "os/access.h"
#include "os/futex.h"
#include "os/memfd.h"
#include "os/packet.h"
#include "transport/shm/sealed.h"

enum { ACCEPTS_MAX = 16 };
static const int64_t HELLO_NS = INT64_C(5000000000);
static const int64_t REST_NS = 100 * 1000 * 1000; /* when there is no descriptor left to accept with */

static uint64_t bit(unsigned slot) {
    return UINT64_C(1) << slot;
}

/* ---- who may ---- */

static int is_admitted(const struct weir_sealed *sealed, int fd, const struct ucred *peer) {
    const struct weir_place *place = &sealed->place;
    struct stat about;
    gid_t group;
    if (peer->uid == geteuid() || peer->uid == 0 || weir_allow_has_peer(&place->allow, fd, peer->uid, peer->gid))
        return 1;
    if (place->mode & 04)
        return 1;
    if (!(place->mode & 040))
        return 0;
    if (place->group[0])
        return weir_group_find(place->group, strlen(place->group), &group) == WEIR_OK &&
               weir_peer_in_group(fd, peer->gid, group);
    return fstat(sealed->directory, &about) == 0 && weir_peer_in_group(fd, peer->gid, about.st_gid);
}

static void refuse(int fd, uint32_t status, const char *text) {
    struct weir_sealed_packet answer = weir_sealed_packet(WEIR_SEALED_ANSWER, status);
    snprintf(answer.text, sizeof(answer.text), "%s", text);
    weir_packet_send(fd, &answer, sizeof(answer), -1);
}

static void pending_add(struct weir_sealed *sealed, int fd, uint32_t uid) {
    struct weir_sealed_guest *oldest = &sealed->pending[0];
    for (size_t i = 0; i < WEIR_SEALED_PENDING && oldest->fd >= 0; i++)
        if (sealed->pending[i].fd < 0 || sealed->pending[i].deadline < oldest->deadline)
            oldest = &sealed->pending[i];
    weir_descriptor_close(&oldest->fd);
    *oldest = (struct weir_sealed_guest){fd, uid, weir_clock_monotonic() + HELLO_NS};
}

static void knock(struct weir_sealed *sealed, int fd) {
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t size = sizeof(peer);
    char text[80];
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && is_admitted(sealed, fd, &peer)) {
        pending_add(sealed, fd, peer.uid);
        return;
    }
    snprintf(text, sizeof(text), "uid %u may not read it; its writer can let it in with allow=uid:%u",
             (unsigned)peer.uid, (unsigned)peer.uid);
    refuse(fd, WEIR_EACCESS, text);
    if (sealed->place.refused)
        atomic_fetch_add_explicit(sealed->place.refused, 1, memory_order_relaxed);
    close(fd);
}

/* Return: when to accept again; 0: when somebody comes. */
static int64_t accept_all(struct weir_sealed *sealed) {
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        int fd = accept4(sealed->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0)
            knock(sealed, fd);
        else if (errno == EAGAIN)
            break;
        else if (errno != EINTR && errno != ECONNABORTED)
            return weir_clock_monotonic() + REST_NS;
    }
    return 0;
}

/* ---- guests ---- */

static void guest_drop(struct weir_sealed *sealed, unsigned slot) {
    struct weir_reader_slot *place = weir_sealed_slot(sealed, slot);
    atomic_fetch_and(&sealed->cursors->joined, ~bit(slot));
    atomic_fetch_add(&place->space, 1); /* we may sleep because of him */
    weir_futex_wake(&place->space);
    weir_sealed_slot_map(sealed, slot, -1);
    atomic_store(&sealed->answered[slot], 0);
    weir_connection_end(&sealed->guests[slot].fd);
}

/* A free slot for a reader of @uid. Return: WEIR_SHM_SLOTS, with why. */
static unsigned slot_find(const struct weir_sealed *sealed, uint32_t uid, char *text, size_t size) {
    unsigned found = WEIR_SHM_SLOTS, same = 0;
    for (unsigned slot = WEIR_SHM_SLOTS; slot-- > 0;) {
        if (sealed->guests[slot].fd < 0)
            found = slot;
        else
            same += sealed->guests[slot].uid == uid;
    }
    if (uid != geteuid() && same >= WEIR_SEALED_PER_USER) {
        snprintf(text, size, "uid %u has %u readers there already, as many as one user may", (unsigned)uid, same);
        return WEIR_SHM_SLOTS;
    }
    if (found == WEIR_SHM_SLOTS)
        snprintf(text, size, "it has %d readers already, and no place for one more", WEIR_SHM_SLOTS);
    return found;
}

/* A page for a new reader, mapped at the place of his slot. Return: its descriptor, or -1. */
static int page_make(const struct weir_sealed *sealed, unsigned slot, uint32_t flags) {
    int fd = weir_memfd_new(WEIR_SEALED_PAGE);
    if (fd < 0)
        return -1;
    if (weir_memfd_seal(fd, WEIR_MEMFD_BOTH) != 0 || weir_sealed_slot_map(sealed, slot, fd) != 0) {
        close(fd);
        return -1;
    }
    struct weir_reader_slot *place = weir_sealed_slot(sealed, slot);
    atomic_store(&place->flags, flags & WEIR_SEALED_HOLDS ? WEIR_SLOT_HOLDING : 0); /* its cursor is 0: everything */
    return fd;
}

static int segment_send(int fd, const struct weir_sealed_segment *segment) {
    struct weir_sealed_packet packet = weir_sealed_packet(WEIR_SEALED_SEGMENT, segment->generation);
    int readable = weir_memfd_read_only(segment->fd);
    if (readable < 0)
        return WEIR_ESYSTEM;
    int status = weir_packet_send(fd, &packet, sizeof(packet), readable);
    close(readable);
    return status;
}

/* Oldest first. One that is not shown yet comes by weir_door_announce: who got it here would get it twice, or
 * unsealed. */
static int segments_send(const struct weir_sealed *sealed, int fd) {
    uint32_t sent = 0;
    for (;;) {
        const struct weir_sealed_segment *next = NULL;
        for (size_t i = 0; i < WEIR_SEALED_SEGMENTS; i++) {
            const struct weir_sealed_segment *segment = &sealed->segments[i];
            if (segment->fd >= 0 && segment->is_shown && segment->generation > sent &&
                (!next || segment->generation < next->generation))
                next = segment;
        }
        if (!next)
            return WEIR_OK;
        int status = segment_send(fd, next);
        if (status)
            return status;
        sent = next->generation;
    }
}

static uint32_t segments_count(const struct weir_sealed *sealed) {
    uint32_t count = 0;
    for (size_t i = 0; i < WEIR_SEALED_SEGMENTS; i++)
        count += sealed->segments[i].fd >= 0 && sealed->segments[i].is_shown;
    return count;
}

/* He has said hello. The connection is the guest's from here on, or closed. */
static void welcome(struct weir_sealed *sealed, int fd, uint32_t uid, uint32_t flags) {
    char text[sizeof(((struct weir_sealed_packet *)0)->text)];
    unsigned slot = slot_find(sealed, uid, text, sizeof(text));
    int page = slot < WEIR_SHM_SLOTS ? page_make(sealed, slot, flags) : -1;
    if (page < 0) {
        if (slot < WEIR_SHM_SLOTS)
            snprintf(text, sizeof(text), "its writer has no memory or descriptor left for one more reader");
        refuse(fd, slot < WEIR_SHM_SLOTS ? WEIR_ENOMEM : WEIR_EBUSY, text);
        close(fd);
        return;
    }
    sealed->guests[slot] = (struct weir_sealed_guest){fd, uid, 0};
    atomic_store(&sealed->answered[slot], 0);
    atomic_fetch_or(&sealed->cursors->joined, bit(slot));
    /* From here on a writer that wants room sees him, or has said in `oldest`, which he reads later, what it took
     * before. */
    atomic_thread_fence(memory_order_seq_cst);
    struct weir_sealed_packet answer = weir_sealed_packet(WEIR_SEALED_ANSWER, 0);
    answer.count = segments_count(sealed);
    int status = weir_packet_send(fd, &answer, sizeof(answer), page);
    close(page);
    if (status == WEIR_OK)
        status = segments_send(sealed, fd);
    if (status != WEIR_OK)
        guest_drop(sealed, slot);
}

/* One that has not said hello has said something, or gone. */
static void pending_hear(struct weir_sealed *sealed, struct weir_sealed_guest *pending) {
    struct weir_sealed_packet hello;
    int passed = -1, fd = pending->fd;
    int status = weir_packet_receive(fd, &hello, sizeof(hello), &passed);
    if (status == WEIR_EAGAIN)
        return;
    pending->fd = -1;
    if (passed >= 0) {
        close(passed); /* nobody has asked for it */
        status = WEIR_ECORRUPT;
    }
    if (status || memcmp(hello.magic, WEIR_SEALED_MAGIC, sizeof(hello.magic)) != 0 || hello.kind != WEIR_SEALED_HELLO) {
        close(fd);
    } else if (hello.version != WEIR_SEALED_VERSION) {
        refuse(fd, WEIR_EVERSION, "its writer speaks another version of weir; upgrade the older one");
        close(fd);
    } else {
        welcome(sealed, fd, pending->uid, hello.value);
    }
}

/* ---- the thread ---- */

/* What to poll: control, listener, those who have not said hello, guests. Return: when something is due. */
static int64_t polls_fill(const struct weir_sealed *sealed, struct pollfd polls[WEIR_SEALED_POLLS_MAX],
                          int64_t accept_at) {
    int64_t due = accept_at ? accept_at : INT64_MAX;
    polls[0] = (struct pollfd){.fd = sealed->control_fd, .events = POLLIN};
    polls[1] = (struct pollfd){.fd = accept_at ? -1 : sealed->listen_fd, .events = POLLIN};
    for (size_t i = 0; i < WEIR_SEALED_PENDING; i++) {
        polls[2 + i] = (struct pollfd){.fd = sealed->pending[i].fd, .events = POLLIN};
        if (sealed->pending[i].fd >= 0 && sealed->pending[i].deadline < due)
            due = sealed->pending[i].deadline;
    }
    for (size_t i = 0; i < WEIR_SHM_SLOTS; i++)
        polls[2 + WEIR_SEALED_PENDING + i] = (struct pollfd){.fd = sealed->guests[i].fd, .events = POLLIN};
    return due;
}

static void polls_handle(struct weir_sealed *sealed, const struct pollfd polls[WEIR_SEALED_POLLS_MAX]) {
    int64_t now = weir_clock_monotonic();
    /* Guests have nothing to say: whatever comes is their end, or makes it. */
    for (unsigned slot = 0; slot < WEIR_SHM_SLOTS; slot++)
        if (sealed->guests[slot].fd >= 0 && polls[2 + WEIR_SEALED_PENDING + slot].revents)
            guest_drop(sealed, slot);
    for (size_t i = 0; i < WEIR_SEALED_PENDING; i++) {
        struct weir_sealed_guest *pending = &sealed->pending[i];
        if (pending->fd >= 0 && polls[2 + i].revents)
            pending_hear(sealed, pending);
        if (pending->fd >= 0 && pending->deadline <= now)
            weir_descriptor_close(&pending->fd);
    }
}

static void *door_run(void *user) {
    struct weir_sealed *sealed = user;
    struct pollfd polls[WEIR_SEALED_POLLS_MAX];
    int64_t accept_at = 0;
    while (!atomic_load(&sealed->is_stopping)) {
        pthread_mutex_lock(&sealed->lock);
        int64_t due = polls_fill(sealed, polls, accept_at);
        pthread_mutex_unlock(&sealed->lock);
        if (weir_sealed_poll(polls, WEIR_SEALED_POLLS_MAX, weir_deadline_left(due)) < 0)
            continue;
        pthread_mutex_lock(&sealed->lock);
        polls_handle(sealed, polls);
        if (polls[1].revents || (accept_at && accept_at <= weir_clock_monotonic()))
            accept_at = accept_all(sealed);
        pthread_mutex_unlock(&sealed->lock);
    }
    return NULL;
}

/* ---- open and close ---- */

static struct sockaddr_un address_of(const struct weir_sealed *sealed, const char *suffix) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[WEIR_SEALED_PATH_SIZE];
    weir_sealed_path(sealed, (unsigned)sealed->number, suffix, path);
    memcpy(address.sun_path, path, sizeof(path));
    return address;
}

/* The socket gets its name when it listens. Who may pass the directory may knock; who may come in is asked there. */
static int socket_make(struct weir_sealed *sealed) {
    struct sockaddr_un made = address_of(sealed, ".new"), there = address_of(sealed, "");
    unlink(made.sun_path); /* the number is ours: whoever made it is dead */
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    int failed = bind(fd, (struct sockaddr *)&made, sizeof(made));
    weir_access_clear(made.sun_path);
    if (failed || chmod(made.sun_path, 0666) != 0 || listen(fd, SOMAXCONN) != 0 ||
        rename(made.sun_path, there.sun_path) != 0) {
        int saved = errno;
        close(fd);
        unlink(made.sun_path);
        errno = saved;
        return -1;
    }
    sealed->listen_fd = fd;
    return 0;
}

int weir_door_open(struct weir_sealed *sealed) {
    if (socket_make(sealed) != 0)
        return -1;
    int failed = weir_sealed_thread_start(sealed, door_run);
    if (failed == 0)
        return 0;
    weir_door_close(sealed);
    errno = failed;
    return -1;
}

void weir_door_close(struct weir_sealed *sealed) {
    weir_sealed_thread_stop(sealed);
    if (sealed->listen_fd >= 0) {
        struct sockaddr_un there = address_of(sealed, "");
        unlink(there.sun_path);
    }
    weir_descriptor_close(&sealed->listen_fd);
    for (unsigned slot = 0; slot < WEIR_SHM_SLOTS; slot++)
        if (sealed->guests[slot].fd >= 0)
            guest_drop(sealed, slot);
    for (size_t i = 0; i < WEIR_SEALED_PENDING; i++)
        weir_connection_end(&sealed->pending[i].fd);
}

/* ---- the owner ---- */

void weir_door_announce(struct weir_sealed *sealed, const struct weir_sealed_segment *segment) {
    for (unsigned slot = 0; slot < WEIR_SHM_SLOTS; slot++)
        /* Who lets so much pile up that there is no room for this one cannot go on: the thread will see him leave. */
        if (sealed->guests[slot].fd >= 0 && segment_send(sealed->guests[slot].fd, segment) != WEIR_OK)
            shutdown(sealed->guests[slot].fd, SHUT_RDWR);
}

static void guest_wake(struct weir_sealed *sealed, unsigned slot, uint32_t arming) {
    struct weir_sealed_packet packet = weir_sealed_packet(WEIR_SEALED_WAKE, 0);
    pthread_mutex_lock(&sealed->lock);
    atomic_store(&sealed->answered[slot], arming);
    if (sealed->guests[slot].fd >= 0)
        weir_packet_send(sealed->guests[slot].fd, &packet, sizeof(packet),
                         -1); /* full: then he has enough to wake him */
    pthread_mutex_unlock(&sealed->lock);
}

void weir_door_wake(const struct weir_backing *backing) {
    struct weir_sealed *sealed = weir_sealed_of(backing);
    /* Acquire: the page of a slot was mapped before its bit. */
    uint64_t joined = atomic_load_explicit(&sealed->cursors->joined, memory_order_acquire);
    for (; joined; joined &= joined - 1) {
        unsigned slot = (unsigned)__builtin_ctzll(joined);
        uint32_t arming = atomic_load_explicit(&weir_sealed_slot(sealed, slot)->arming, memory_order_relaxed);
        if (__builtin_expect(arming != atomic_load_explicit(&sealed->answered[slot], memory_order_relaxed), 0))
            guest_wake(sealed, slot, arming);
    }
}

uint32_t weir_door_space_begin(const struct weir_backing *backing) {
    struct weir_sealed *sealed = weir_sealed_of(backing);
    uint64_t joined = atomic_load(&sealed->cursors->joined), least = UINT64_MAX;
    sealed->slowest = WEIR_SHM_SLOTS;
    for (; joined; joined &= joined - 1) {
        unsigned slot = (unsigned)__builtin_ctzll(joined);
        const struct weir_reader_slot *place = weir_sealed_slot(sealed, slot);
        uint64_t cursor = atomic_load(&place->cursor[0]);
        if (!(atomic_load(&place->flags) & WEIR_SLOT_HOLDING) || cursor >= least)
            continue;
        least = cursor;
        sealed->slowest = slot;
    }
    if (sealed->slowest == WEIR_SHM_SLOTS)
        return 0;
    struct weir_reader_slot *place = weir_sealed_slot(sealed, sealed->slowest);
    uint32_t word = atomic_load(&place->space);
    atomic_store(&place->blocked, 1);
    atomic_thread_fence(memory_order_seq_cst);
    return word;
}

void weir_door_space_sleep(const struct weir_backing *backing, uint32_t word, int64_t left_ns) {
    struct weir_sealed *sealed = weir_sealed_of(backing);
    if (sealed->slowest < WEIR_SHM_SLOTS)
        weir_futex_wait(&weir_sealed_slot(sealed, sealed->slowest)->space, word, left_ns);
}
