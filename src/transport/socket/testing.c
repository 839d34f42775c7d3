/* Scratch directories, ends, and raw connections for the tests of sockets. */
#include "transport/socket/testing.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "os/testing.h"

enum { ANSWER_MS = 10000, FRAME_BUFFERS = 8, FRAME_MAX = 4096 };

/* ---- scratch ---- */

static int count_fds(void) {
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk) {
    (void)info, (void)type, (void)walk;
    return remove(path);
}

int testing_setup(void **state) {
    struct testing *testing = calloc(1, sizeof(*testing));
    strcpy(testing->directory, "/tmp/weir-test-XXXXXX");
    if (!mkdtemp(testing->directory))
        return -1;
    snprintf(testing->path, sizeof(testing->path), "%s/s", testing->directory);
    testing->fd_count = count_fds();
    *state = testing;
    return 0;
}

int testing_teardown(void **state) {
    struct testing *testing = *state;
    int leaked = count_fds() - testing->fd_count, children = testing_children_end();
    if (leaked)
        fprintf(stderr, "%d descriptors leaked\n", leaked);
    nftw(testing->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(testing);
    return leaked || children ? -1 : 0;
}

/* ---- ends ---- */

struct weir_place testing_place(const struct testing *testing) {
    struct weir_place place = {.may_keep = 1,
                               .transport = &weir_transport_unix,
                               .capacity = 1 << 20,
                               .size_max = 16 << 20,
                               .timeout_ns = TESTING_SECOND,
                               .mode = 0600,
                               .may_create = 1,
                               .is_stamped = 1,
                               .framing = -1};
    snprintf(place.name, sizeof(place.name), "%s", testing->path);
    snprintf(place.text, sizeof(place.text), "unix://%s", testing->path);
    return place;
}

struct weir_socket *testing_open(const struct weir_place *place, enum weir_role role) {
    size_t size = (sizeof(struct weir_socket) + 63) & ~(size_t)63;
    struct weir_socket *socket = aligned_alloc(64, size);
    weir_error err = {0};
    assert_non_null(socket);
    memset(socket, 0, size);
    if (weir_transport_unix.open(socket, place, role, &err) != WEIR_OK)
        fail_msg("open: %s", err.text);
    return socket;
}

struct weir_socket *testing_close(struct weir_socket *socket) {
    weir_transport_unix.close(socket);
    free(socket);
    return NULL;
}

static unsigned char byte_at(size_t size, uint64_t seq, size_t index) {
    return (unsigned char)(size * 3 + seq * 31 + index * 7);
}

int testing_send(struct weir_socket *socket, uint64_t peer, enum weir_frame_kind kind, size_t size) {
    struct weir_frame frame = {.kind = (uint8_t)kind, .flags = WEIR_FRAME_ID, .id = 1, .data = {NULL, size}};
    struct weir_slot slot;
    weir_frame_layout(&frame);
    int status = weir_socket_reserve(socket, peer, frame.size, &slot, NULL);
    if (status != WEIR_OK)
        return status;
    frame.seq = slot.seq;
    for (size_t i = 0; i < size; i++)
        slot.bytes[frame.data_offset + i] = byte_at(size, slot.seq, i);
    return weir_socket_commit(socket, weir_frame_write(&frame, slot.bytes), 0, NULL);
}

int testing_is_whole(const struct weir_inbound *inbound) {
    struct weir_frame frame;
    if (weir_frame_parse(inbound->word, inbound->bytes, inbound->size, &frame) != WEIR_OK)
        return 0;
    for (size_t i = 0; i < frame.data.size; i++)
        if ((unsigned char)frame.data.data[i] != byte_at(frame.data.size, frame.seq, i))
            return 0;
    return 1;
}

uint64_t testing_next(struct weir_socket *socket, int64_t timeout_ns, struct weir_inbound *ret) {
    struct weir_inbound inbound;
    uint64_t seq;
    int64_t deadline = weir_deadline(timeout_ns);
    int status;
    while ((status = weir_socket_next(socket, &inbound, NULL)) == WEIR_EAGAIN)
        if (weir_socket_wait(socket, WEIR_READY_TO_READ, deadline, NULL) != WEIR_OK)
            return 0;
    assert_int_equal(status, WEIR_OK);
    assert_true(testing_is_whole(&inbound));
    memcpy(&seq, inbound.bytes + 8, sizeof(seq));
    if (ret)
        *ret = inbound;
    return seq;
}

/* ---- raw connections ---- */

static struct sockaddr_un address_of(const struct testing *testing) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, testing->path);
    return address;
}

int testing_connect(const struct testing *testing) {
    struct sockaddr_un address = address_of(testing);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

int testing_listen(const struct testing *testing) {
    struct sockaddr_un address = address_of(testing);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 64), 0);
    return fd;
}

struct weir_hello testing_hello(enum weir_role role) {
    static uint64_t numbers = UINT64_C(0x1234567800000000);
    return (struct weir_hello){.version = WEIR_HELLO_VERSION,
                               .role = (uint8_t)role,
                               .pid = (uint32_t)getpid(),
                               .writer = ++numbers,
                               .size_max = 16 << 20,
                               .program = "raw"};
}

void testing_say(int fd, const struct weir_hello *hello) {
    unsigned char bytes[WEIR_HELLO_SIZE];
    weir_hello_write(hello, bytes);
    assert_int_equal(send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL), sizeof(bytes));
}

int testing_hear(int fd, struct weir_hello *ret) {
    unsigned char bytes[WEIR_HELLO_SIZE];
    size_t size = 0;
    while (size < sizeof(bytes)) {
        struct pollfd item = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&item, 1, ANSWER_MS), 1);
        ssize_t got = recv(fd, bytes + size, sizeof(bytes) - size, 0);
        if (got <= 0)
            return WEIR_ECLOSED;
        size += (size_t)got;
    }
    return weir_hello_read(bytes, ret);
}

int testing_ends(int fd) {
    char bytes[4096];
    for (;;) {
        struct pollfd item = {.fd = fd, .events = POLLIN};
        if (poll(&item, 1, ANSWER_MS) != 1)
            return 0;
        if (recv(fd, bytes, sizeof(bytes), 0) <= 0)
            return 1;
    }
}

struct testing_bytes testing_frame(enum weir_frame_kind kind, const char *op, uint64_t seq, uint64_t id,
                                   size_t data_size) {
    static unsigned char buffers[FRAME_BUFFERS][FRAME_MAX];
    static unsigned next;
    unsigned char *bytes = buffers[next++ % FRAME_BUFFERS];
    unsigned char data[FRAME_MAX];
    for (size_t i = 0; i < data_size; i++)
        data[i] = byte_at(data_size, seq, i);
    struct weir_frame frame = {.kind = (uint8_t)kind,
                               .flags = id ? WEIR_FRAME_ID : 0,
                               .seq = seq,
                               .id = id,
                               .op = {op, op ? strlen(op) : 0},
                               .data = {(const char *)data, data_size}};
    assert_int_equal(weir_frame_layout(&frame), WEIR_OK);
    assert_true(frame.size <= FRAME_MAX);
    weir_frame_write_whole(&frame, bytes);
    return (struct testing_bytes){bytes, frame.size};
}

/* ---- children ---- */

pid_t testing_fork(int (*run)(void *user), void *user) {
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm(60);
        _exit(run(user));
    }
    return child;
}

int testing_wait(pid_t child) {
    int got = 0;
    while (waitpid(child, &got, 0) < 0)
        assert_int_equal(errno, EINTR);
    return WIFSIGNALED(got) ? 1000 + WTERMSIG(got) : WEXITSTATUS(got);
}
