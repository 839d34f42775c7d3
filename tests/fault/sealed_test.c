/* Sealed channels under those whom they are made for: users who do not trust each other. What a reader can do to a
 * writer and to other readers, what a writer can do to its readers, who gets in, and what is left when somebody dies.
 * Built twice: as it is, and under the address sanitizer. */
#include "harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "os/testing.h"
#include "transport/shm/sealed.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

enum { MEMBER = 61002, STRANGER = 61003, NAMED = 61004, GROUP = 62000, MANY = 3000, SEGMENT_SIZE = 8192 + 65536 };

static char store[64];
static char directory[128]; /* of the channel "a" */
static int fds_before;

static int count_fds(void) {
    int count = 0;
    DIR *listing = opendir("/proc/self/fd");
    assert_non_null(listing);
    while (readdir(listing))
        count++;
    closedir(listing);
    return count;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk) {
    (void)info, (void)type, (void)walk;
    return remove(path);
}

static int set_up(void **state) {
    (void)state;
    strcpy(store, "/dev/shm/weir-sealed-XXXXXX");
    if (!mkdtemp(store) || chmod(store, 0755) != 0)
        return -1;
    setenv("WEIR_SHM_DIR", store, 1);
    snprintf(directory, sizeof(directory), "%s/weir-%d/a", store, (int)geteuid());
    fds_before = count_fds();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    int leaked = count_fds() - fds_before, children = testing_children_end();
    if (leaked)
        fprintf(stderr, "%d descriptors leaked\n", leaked);
    nftw(store, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    return leaked || children ? -1 : 0;
}

static int must_be_root(void) {
    if (geteuid() == 0)
        return 1;
    print_message("skip: only root can act as other users\n");
    return 0;
}

/* In a child of fork the thread sanitizer still counts the threads of the parent, and ends a child whose own one gets
 * the place of one of those. */
static int may_thread_in_children(void) {
#ifdef __SANITIZE_THREAD__
    print_message("skip: the thread sanitizer ends children of fork that start threads as their parent has\n");
    return 0;
#else
    return 1;
#endif
}

static void become(uid_t uid) {
    gid_t group = GROUP;
    CHECK(setgroups(uid == MEMBER, &group) == 0 && setgid(uid) == 0 && setuid(uid) == 0);
}

static void nap(void) {
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* ---- a peer made by hand ---- */

static struct sockaddr_un door_of(unsigned number) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%.90s/sock.%u", directory, number);
    return address;
}

static int door_connect(unsigned number) {
    struct sockaddr_un address = door_of(number);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Send a packet with @count copies of @passed along. */
static int packet_send(int fd, const void *packet, size_t size, int passed, size_t count) {
    static unsigned char control[CMSG_SPACE(250 * sizeof(int))];
    struct iovec part = {(void *)(size_t)packet, size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof(int));
        for (size_t i = 0; i < count; i++)
            memcpy(CMSG_DATA(header) + i * sizeof(int), &passed, sizeof(int));
    }
    return sendmsg(fd, &message, MSG_NOSIGNAL) == (ssize_t)size;
}

/* Receive a packet and what comes along. Return: the descriptor, -1 for none, -2 when the connection has ended. */
static int packet_receive(int fd, struct weir_sealed_packet *packet) {
    union {
        struct cmsghdr header;
        unsigned char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {packet, sizeof(*packet)};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    int passed = -1;
    if (recvmsg(fd, &message, MSG_CMSG_CLOEXEC) != sizeof(*packet))
        return -2;
    if (CMSG_FIRSTHDR(&message))
        memcpy(&passed, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(passed));
    return passed;
}

struct guest {
    int fd, page_fd, ring_fd;
};

/* Join as a reader does, without the library. */
static struct guest guest_join(void) {
    struct weir_sealed_packet packet = weir_sealed_packet(WEIR_SEALED_HELLO, WEIR_SEALED_HOLDS);
    struct guest guest = {.fd = door_connect(0)};
    CHECK(guest.fd >= 0 && packet_send(guest.fd, &packet, sizeof(packet), -1, 0));
    guest.page_fd = packet_receive(guest.fd, &packet);
    CHECK(guest.page_fd >= 0 && packet.kind == WEIR_SEALED_ANSWER && packet.count == 1);
    guest.ring_fd = packet_receive(guest.fd, &packet);
    CHECK(guest.ring_fd >= 0 && packet.kind == WEIR_SEALED_SEGMENT);
    return guest;
}

/* ---- who gets in ---- */

static int read_one(const char *address) {
    weir_reader *reader = NULL;
    weir_error err = {0};
    int status = weir_reader_open(address, &reader, &err);
    if (status == WEIR_OK && next_number(reader) != 7)
        status = 99;
    if (status == WEIR_EACCESS && !strstr(err.text, "allow="))
        status = 98;
    weir_reader_close(reader);
    return status;
}

static int read_as_member(const char *address) {
    become(MEMBER);
    return read_one(address);
}

static int read_as_named(const char *address) {
    become(NAMED);
    return read_one(address);
}

static int read_as_stranger(const char *address) {
    become(STRANGER);
    return read_one(address);
}

static uint64_t refused_count(void) {
    weir_doc *doc = NULL;
    uint64_t refused = 0;
    assert_int_equal(weir_doc_new(&doc), WEIR_OK);
    assert_int_equal(weir_directory_list(doc, NULL), WEIR_OK);
    assert_int_equal(weir_get_u64(weir_doc_root(doc), "0.ends.0.refused", &refused), WEIR_OK);
    weir_doc_free(doc);
    return refused;
}

static void test_three_users_and_a_stranger(void **state) {
    (void)state;
    if (!must_be_root() || !may_thread_in_children())
        skip();
    weir_writer *writer = open_writer("shm://a?sealed=1&allow=uid:61004,group:62000");
    assert_int_equal(send_number(writer, 7, 100), WEIR_OK);
    assert_int_equal(read_one("shm://a?sealed=1&from=oldest"), WEIR_OK);
    finish(start(read_as_member, "shm://~0/a?sealed=1&from=oldest"), 0);
    finish(start(read_as_named, "shm://~0/a?sealed=1&from=oldest"), 0);
    finish(start(read_as_named, "shm://~0/a?from=oldest&observe=1"), 0); /* what is there is found */
    finish(start(read_as_stranger, "shm://~0/a?sealed=1&from=oldest"), WEIR_EACCESS);
    finish(start(read_as_stranger, "shm://~0/a?observe=1&from=oldest"), WEIR_EACCESS);
    assert_int_equal(refused_count(), 0); /* they did not come so far */
    /* The directory was opened behind our back: the writer still asks the kernel who it is. */
    assert_int_equal(chmod(directory, 0755), 0);
    char lock[160];
    snprintf(lock, sizeof(lock), "%s/members.lock", directory);
    assert_int_equal(chmod(lock, 0644), 0);
    finish(start(read_as_stranger, "shm://~0/a?sealed=1&from=oldest"), WEIR_EACCESS);
    finish(start(read_as_named, "shm://~0/a?sealed=1&from=oldest"), 0);
    assert_int_equal(refused_count(), 1);
    weir_writer_close(writer);
}

static int write_as_named(const char *address) {
    weir_writer *writer = NULL;
    become(NAMED);
    return weir_writer_open(address, &writer, NULL);
}

static void test_only_the_owner_writes(void **state) {
    (void)state;
    if (!must_be_root())
        skip();
    weir_writer *writer = open_writer("shm://a?sealed=1&allow=uid:61004");
    finish(start(write_as_named, "shm://~0/a?sealed=1"), WEIR_EACCESS);
    weir_writer_close(writer);
}

static int many_as_named(const char *address) {
    weir_reader *readers[WEIR_SEALED_PER_USER + 1] = {0};
    weir_error err = {0};
    become(NAMED);
    for (int i = 0; i < WEIR_SEALED_PER_USER; i++)
        CHECK(weir_reader_open(address, &readers[i], &err) == WEIR_OK);
    CHECK(weir_reader_open(address, &readers[WEIR_SEALED_PER_USER], &err) == WEIR_EBUSY);
    CHECK(strstr(err.text, "as many as one user may") != NULL);
    readers[0] = weir_reader_close(readers[0]);
    int status;
    while ((status = weir_reader_open(address, &readers[0], &err)) == WEIR_EBUSY)
        nap(); /* until the writer has seen that the place is free */
    CHECK(status == WEIR_OK);
    for (int i = 0; i < WEIR_SEALED_PER_USER; i++)
        weir_reader_close(readers[i]);
    return 0;
}

static void test_one_user_cannot_take_all_places(void **state) {
    (void)state;
    if (!must_be_root() || !may_thread_in_children())
        skip();
    weir_writer *writer = open_writer("shm://a?sealed=1&allow=uid:61004");
    finish(start(many_as_named, "shm://~0/a?observe=1"), 0);
    weir_writer_close(writer);
}

static void test_sealed_and_plain_are_not_mixed(void **state) {
    (void)state;
    weir_error err = {0};
    weir_writer *writer = open_writer("shm://a"), *second = NULL;
    assert_int_equal(weir_writer_open("shm://a?sealed=1", &second, &err), WEIR_EBUSY);
    assert_non_null(strstr(err.text, "not sealed"));
    assert_int_equal(send_number(writer, 1, 10), WEIR_OK);
    weir_writer_close(writer);
    /* Idle, and kept: nothing of it is taken away. */
    assert_int_equal(weir_writer_open("shm://a?sealed=1", &second, &err), WEIR_EBUSY);
    weir_message *message = NULL;
    assert_int_equal(weir_latest("shm://a", &message, NULL), WEIR_OK);
    weir_message_free(message);
    weir_writer *sealed = open_writer("shm://b?sealed=1");
    weir_writer *other = open_writer("shm://b"); /* becomes a sealed one */
    weir_reader *reader = open_reader("shm://b");
    assert_int_equal(send_number(other, 3, 10), WEIR_OK);
    assert_int_equal(next_number(reader), 3);
    assert_int_equal(send_number(sealed, 4, 10), WEIR_OK);
    assert_int_equal(next_number(reader), 4);
    weir_client *client = NULL;
    assert_int_equal(weir_client_open("shm://b", &client, &err), WEIR_ENOTSUP);
    weir_reader_close(reader);
    weir_writer_close(other);
    weir_writer_close(sealed);
}

/* ---- what a reader can do ---- */

static int try_all(const char *address) {
    (void)address;
    char path[64];
    struct stat about;
    if (geteuid() == 0)
        become(NAMED);
    struct guest guest = guest_join();
    int both[] = {guest.ring_fd, guest.page_fd};
    CHECK(fstat(guest.ring_fd, &about) == 0 && about.st_size > 65536);
    for (int i = 0; i < 2; i++) {
        CHECK(ftruncate(both[i], 0) != 0);
        CHECK(ftruncate(both[i], about.st_size * 2) != 0);
        CHECK(fcntl(both[i], F_ADD_SEALS, F_SEAL_WRITE) != 0);
    }
    void *ring = mmap(NULL, 4096, PROT_READ, MAP_SHARED, guest.ring_fd, 0);
    CHECK(ring != MAP_FAILED);
    CHECK(mprotect(ring, 4096, PROT_READ | PROT_WRITE) != 0);
    CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, guest.ring_fd, 0) == MAP_FAILED);
    CHECK(pwrite(guest.ring_fd, "x", 1, 0) < 0);
    CHECK(fallocate(guest.ring_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) != 0);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", guest.ring_fd);
    int again = open(path, O_RDWR);
    CHECK(again < 0 || mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0) == MAP_FAILED);
    CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, guest.page_fd, 0) != MAP_FAILED);
    /* The page's memory may be taken away under the writer: what it reads then is zeros. */
    CHECK(fallocate(guest.page_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == 0);
    return 0;
}

static void test_a_reader_by_hand_changes_nothing(void **state) {
    (void)state;
    weir_writer *writer = open_writer("shm://a?sealed=1&allow=uid:61004");
    weir_reader *reader = open_reader("shm://a");
    assert_int_equal(send_number(writer, 1, 100), WEIR_OK);
    finish(start(try_all, "a"), 0);
    for (int64_t i = 2; i < 100; i++)
        assert_int_equal(send_number(writer, i, 100), WEIR_OK);
    for (int64_t i = 1; i < 100; i++)
        assert_int_equal(next_number(reader), i);
    weir_reader_close(reader);
    weir_writer_close(writer);
}

/* Fills its page with anything, at full speed, until it is killed. */
static int scribble_page(const char *address) {
    (void)address;
    uint64_t seed = 42;
    struct guest guest = guest_join();
    struct weir_reader_slot *slot = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, guest.page_fd, 0);
    CHECK(slot != MAP_FAILED);
    volatile uint64_t *words = (volatile uint64_t *)slot;
    for (;;) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        words[seed >> 55] = seed & 4 ? seed : seed & 2 ? UINT64_MAX : seed >> 40;
        if (seed & 1) /* so that it does not hold the writer back for long */
            atomic_store(&slot->cursor[0], UINT64_MAX);
    }
    return 0;
}

static void test_a_reader_that_scribbles_its_page(void **state) {
    (void)state;
    weir_writer *writer = open_writer("shm://a?sealed=1&capacity=64K&timeout=20s");
    weir_reader *reader = open_reader("shm://a");
    pid_t hostile = start(scribble_page, "a");
    for (int64_t sent = 1, got = 1; got <= MANY; sent++) {
        assert_int_equal(send_number(writer, sent, (size_t)(sent % 900)), WEIR_OK);
        if (sent % 16 == 0)
            while (got <= sent)
                assert_int_equal(next_number(reader), got++);
    }
    assert_int_equal(weir_reader_gaps(reader), 0);
    kill(hostile, SIGKILL);
    finish(hostile, -SIGKILL);
    weir_reader_close(reader);
    weir_writer_close(writer);
}

/* Say everything but the right thing to the door. */
static void test_a_flood_of_nonsense_at_the_door(void **state) {
    (void)state;
    enum { SILENT = 3 * WEIR_SEALED_PENDING };
    int silent[SILENT], before, null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    struct weir_sealed_packet hello = weir_sealed_packet(WEIR_SEALED_HELLO, 0), packet;
    weir_writer *writer = open_writer("shm://a?sealed=1");
    before = count_fds();
    for (int i = 0; i < SILENT; i++) {
        silent[i] = door_connect(0);
        assert_true(silent[i] >= 0);
    }
    for (size_t round = 0; round < 60; round++) {
        int fd = door_connect(0);
        assert_true(fd >= 0);
        packet = hello;
        size_t passed = round % 6 == 1 ? 1 : round % 6 == 2 ? 200 : round % 6 == 3 ? 5 : 0;
        size_t size = round % 6 == 4 ? 3 : sizeof(packet);
        if (round % 6 == 0)
            memset(&packet, (int)round, sizeof(packet));
        if (round % 6 == 5)
            packet.version = 2;
        packet_send(fd, &packet, size, null, passed);
        int got = packet_receive(fd, &packet);
        if (round % 6 == 5)
            assert_true(got == -1 && packet.kind == WEIR_SEALED_ANSWER && packet.value == WEIR_EVERSION);
        else
            assert_int_equal(got, -2);
        close(fd);
    }
    /* One that has come in and then talks goes. */
    struct guest guest = guest_join();
    packet_send(guest.fd, &hello, sizeof(hello), null, 100);
    while (packet_receive(guest.fd, &packet) != -2)
        continue;
    close(guest.fd), close(guest.page_fd), close(guest.ring_fd);
    weir_reader *reader = open_reader("shm://a");
    assert_int_equal(send_number(writer, 5, 50), WEIR_OK);
    assert_int_equal(next_number(reader), 5);
    weir_reader_close(reader);
    for (int i = 0; i < SILENT; i++)
        close(silent[i]);
    for (int i = 0; count_fds() != before && i < 10000; i++)
        nap();
    assert_int_equal(count_fds(), before);
    close(null);
    weir_writer_close(writer);
}

/* ---- what a writer can do ---- */

struct area {
    unsigned char *bytes;
    size_t size;
};

/* The memory that the writer of this process has mapped for writing and shares. */
static size_t areas_find(struct area *areas, size_t room) {
    char line[512];
    size_t count = 0;
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps && count < room && fgets(line, sizeof(line), maps)) {
        unsigned long from, to;
        if (strstr(line, "/memfd:weir") && strstr(line, " rw-s ") && sscanf(line, "%lx-%lx", &from, &to) == 2)
            areas[count++] = (struct area){(unsigned char *)from, to - from};
    }
    if (maps)
        fclose(maps);
    return count;
}

/* Frames that look right all round the ring, numbers of the page that are nearly right, and noise. */
static int scribble_ring(const char *address) {
    struct area areas[8];
    uint64_t seed = 7;
    weir_writer *writer = open_writer(address);
    CHECK(send_number(writer, 1, 100) == WEIR_OK);
    size_t count = areas_find(areas, 8);
    CHECK(count >= 1);
    for (uint64_t turn = 0;; turn++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        struct area *area = &areas[(seed >> 33) % count];
        size_t at = seed & 64 ? 4096 + (seed >> 40) % 192 : (seed >> 20) % area->size;
        at &= ~(size_t)7;
        if (at + 8 > area->size)
            continue;
        volatile uint64_t *word = (volatile uint64_t *)(void *)(area->bytes + at);
        uint64_t near = UINT64_C(0x0100021100000000) | (16 + (seed >> 44) % 70000);
        *word = seed & 1 ? seed : seed & 2 ? near : seed & 4 ? *word + 64 : seed & 8 ? UINT64_MAX - (seed >> 60) : 0;
        if (turn % 64 == 0)
            for (size_t i = 8192; i + 8 < area->size; i += 64 * (1 + (seed >> 50) % 8))
                *(volatile uint64_t *)(void *)(area->bytes + i) = near;
    }
    return 0;
}

/* Look at all of a message. */
static void message_touch(weir_message *message) {
    const weir_value *data = NULL;
    weir_view bytes = weir_message_bytes(message);
    volatile unsigned char sum = 0;
    int64_t number;
    for (size_t i = 0; i < bytes.size; i += 61)
        sum = (unsigned char)(sum + (unsigned char)bytes.data[i]);
    if (weir_message_data(message, &data, NULL) == WEIR_OK)
        weir_get_i64(data, "n", &number);
}

static void read_a_while(const char *address) {
    weir_reader *reader = open_reader(address);
    weir_message *message = NULL;
    for (int i = 0; i < 200; i++)
        if (weir_reader_next(reader, 0, &message, NULL) == WEIR_OK)
            message_touch(message);
    if (weir_reader_latest(reader, &message, NULL) == WEIR_OK)
        message_touch(message);
    weir_reader_close(reader);
}

/* Of two writers the first is honest: its messages must come whole, in order, none missing. */
static int read_beside_a_scribbler(const char *address) {
    char other[128];
    int64_t got = 0, damaged = 0, touched = 0;
    if (geteuid() == 0)
        become(NAMED);
    weir_reader *steady = open_reader(address);
    while (got < MANY) {
        weir_message *message = NULL;
        int status = weir_reader_next(steady, 20 * SECOND, &message, NULL);
        CHECK(status != WEIR_ETIMEOUT);
        damaged += status == WEIR_ECORRUPT;
        if (status != WEIR_OK)
            continue;
        message_touch(message);
        touched++;
        if (weir_message_writer(message) != 1)
            continue;
        CHECK(message_number(message) == ++got && weir_message_gap(message) == 0);
        snprintf(other, sizeof(other), "%s&%s", address, got & 128 ? "from=oldest" : "from=last&observe=1");
        if (got % 128 == 0)
            read_a_while(other);
    }
    printf("%lld messages, %lld times told of damage\n", (long long)touched, (long long)damaged);
    weir_reader_close(steady);
    return 0;
}

static void test_a_writer_that_scribbles_its_ring(void **state) {
    (void)state;
    if (!may_thread_in_children())
        skip();
    char reading[128];
    weir_writer *honest = open_writer("shm://a?sealed=1&capacity=256K&readers=1&timeout=30s&allow=uid:61004");
    pid_t hostile = start(scribble_ring, "shm://a?sealed=1&capacity=64K&allow=uid:61004");
    while (access(door_of(1).sun_path, F_OK) != 0)
        nap();
    snprintf(reading, sizeof(reading), "shm://~%d/a?timeout=1s", (int)geteuid());
    pid_t reader = start(read_beside_a_scribbler, reading);
    for (int64_t i = 1; i <= MANY; i++)
        assert_int_equal(send_number(honest, i, 500), WEIR_OK);
    finish(reader, 0);
    kill(hostile, SIGKILL);
    finish(hostile, -SIGKILL);
    weir_writer_close(honest);
}

/* A writer's own attempts at what would end its readers by SIGBUS. */
static int cut_own_ring(const char *address) {
    weir_writer *writer = open_writer(address);
    CHECK(send_number(writer, 1, 100) == WEIR_OK);
    int tried = 0;
    for (int i = 3; i < 200; i++) {
        struct stat about;
        int fd = dup(i); /* the thread may close its own at any moment, and another file get its number */
        int seals = fd < 0 ? -1 : fcntl(fd, F_GET_SEALS);
        if (seals >= 0 && fstat(fd, &about) == 0 && about.st_size >= 65536) {
            tried++;
            CHECK((seals & (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL | F_SEAL_FUTURE_WRITE)) ==
                  (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL | F_SEAL_FUTURE_WRITE));
            CHECK(ftruncate(fd, 0) != 0 && errno == EPERM);
            CHECK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, about.st_size) != 0 && errno == EPERM);
        }
        if (fd >= 0)
            close(fd);
    }
    CHECK(tried >= 1); /* the thread may just be handing it over */
    weir_writer_close(writer);
    return 0;
}

static void test_a_writer_cannot_cut_its_ring(void **state) {
    (void)state;
    if (!may_thread_in_children())
        skip();
    weir_reader *reader = open_reader("shm://a?sealed=1");
    finish(start(cut_own_ring, "shm://a?sealed=1&readers=1"), 0);
    assert_int_equal(next_number(reader), 1);
    weir_reader_close(reader);
}

/* What a door made by hand gives to a reader that knocks. */
enum lie {
    LIE_GARBAGE,
    LIE_NO_PAGE,
    LIE_MANY_PAGES,
    LIE_PAGE_UNSEALED,
    LIE_PAGE_IS_A_PIPE,
    LIE_PAGE_TOO_LARGE,
    LIE_NO_SEGMENTS,
    LIE_SEGMENT_UNSEALED,
    LIE_SEGMENT_WITH_HOLES,
    LIE_SEGMENT_TOO_SHORT,
    LIE_SEGMENT_OF_NOISE,
    LIE_SEGMENT_TWICE,
    LIE_FLOOD,
    LIE_SILENCE,
    LIES
};

static int memory(size_t size, int is_whole, int seals) {
    int fd = memfd_create("lie", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    CHECK(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
    CHECK(!is_whole || posix_fallocate(fd, 0, (off_t)size) == 0);
    CHECK(fcntl(fd, F_ADD_SEALS, seals) == 0);
    return fd;
}

static void lie_tell(int fd, enum lie lie) {
    struct weir_sealed_packet answer = weir_sealed_packet(WEIR_SEALED_ANSWER, 0), segment;
    int whole = F_SEAL_SHRINK | F_SEAL_GROW, ring = whole | F_SEAL_FUTURE_WRITE;
    int page = memory(lie == LIE_PAGE_TOO_LARGE ? 8192 : 4096, 1, lie == LIE_PAGE_UNSEALED ? 0 : whole), pipe_fds[2];
    answer.count = lie == LIE_NO_SEGMENTS ? 0 : lie == LIE_SEGMENT_TWICE ? 2 : 1;
    segment = weir_sealed_packet(WEIR_SEALED_SEGMENT, 1);
    CHECK(pipe(pipe_fds) == 0);
    if (lie == LIE_GARBAGE)
        memset(&answer, 0xA5, sizeof(answer));
    if (lie == LIE_SILENCE)
        return;
    packet_send(fd, &answer, sizeof(answer), lie == LIE_PAGE_IS_A_PIPE ? pipe_fds[0] : page,
                lie == LIE_NO_PAGE      ? 0
                : lie == LIE_MANY_PAGES ? 100
                                        : 1);
    int memory_fd = lie == LIE_SEGMENT_UNSEALED     ? memory(SEGMENT_SIZE, 1, whole)
                    : lie == LIE_SEGMENT_WITH_HOLES ? memory(SEGMENT_SIZE, 0, ring)
                    : lie == LIE_SEGMENT_TOO_SHORT  ? memory(100, 1, ring)
                                                    : memory(SEGMENT_SIZE, 1, ring);
    packet_send(fd, &segment, sizeof(segment), memory_fd, 1);
    if (lie == LIE_SEGMENT_TWICE)
        packet_send(fd, &segment, sizeof(segment), memory_fd, 1);
    for (int i = 0; lie == LIE_FLOOD && i < 100; i++)
        packet_send(fd, &segment, sizeof(segment), memory_fd, 50);
}

/* Is at sock.9 and tells each who knocks the lie in @address, for ever. */
static int lying_door(const char *address) {
    struct sockaddr_un there = door_of(9), made = door_of(9);
    strcat(made.sun_path, ".new");
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    signal(SIGPIPE, SIG_IGN);
    CHECK(bind(fd, (struct sockaddr *)&made, sizeof(made)) == 0 && listen(fd, 8) == 0);
    CHECK(rename(made.sun_path, there.sun_path) == 0);
    for (;;) {
        int guest = accept(fd, NULL, NULL);
        if (guest >= 0)
            lie_tell(guest, (enum lie)atoi(address));
    }
    return 0;
}

/* The next honest number; the lanes of liars are given up. */
static int64_t number_beside_liars(weir_reader *reader) {
    weir_message *message = NULL;
    int status;
    while ((status = weir_reader_next(reader, 10 * SECOND, &message, NULL)) == WEIR_ECORRUPT)
        continue;
    assert_int_equal(status, WEIR_OK);
    return message_number(message);
}

static void test_doors_that_lie(void **state) {
    (void)state;
    weir_writer *writer = open_writer("shm://a?sealed=1");
    weir_reader *early = open_reader("shm://a?sealed=1");
    int64_t sent = 0;
    for (int lie = 0; lie < LIES; lie++) {
        char number[16];
        snprintf(number, sizeof(number), "%d", lie);
        pid_t liar = start(lying_door, number);
        while (access(door_of(9).sun_path, F_OK) != 0)
            nap();
        int before = count_fds();
        for (int i = 0; i < 5; i++) {
            weir_reader *reader = open_reader(lie == LIE_SILENCE ? "shm://a?timeout=20ms" : "shm://a");
            assert_int_equal(send_number(writer, ++sent, 100), WEIR_OK);
            /* To one who does not wait for long an honest writer may come late, and then he reads it from its
             * beginning. */
            int64_t number = number_beside_liars(reader);
            while (lie == LIE_SILENCE && number < sent)
                number = number_beside_liars(reader);
            assert_int_equal(number, sent);
            assert_int_equal(number_beside_liars(early), sent);
            weir_reader_close(reader);
        }
        for (int i = 0; count_fds() > before + 4 && i < 10000; i++)
            nap(); /* the early reader may be joined to one that has told it half the truth */
        assert_true(count_fds() <= before + 4);
        kill(liar, SIGKILL);
        finish(liar, -SIGKILL);
        unlink(door_of(9).sun_path);
    }
    weir_reader_close(early);
    weir_writer_close(writer);
}

/* ---- death ---- */

static int rest(const char *address) {
    weir_writer *writer = open_writer(address);
    CHECK(send_number(writer, 1, 10) == WEIR_OK);
    pause();
    return 0;
}

static void test_a_stopped_writer_holds_up_opening_only_so_long(void **state) {
    (void)state;
    pid_t stopped = start(rest, "shm://a?sealed=1");
    while (access(door_of(0).sun_path, F_OK) != 0)
        nap();
    weir_message *message = NULL;
    while (weir_latest("shm://a?sealed=1", &message, NULL) != WEIR_OK)
        nap();
    weir_message_free(message);
    int status = 0;
    kill(stopped, SIGSTOP);
    /* Until all its threads have stopped, one of them may let the reader in, who then begins behind message 1. */
    assert_int_equal(waitpid(stopped, &status, WUNTRACED), stopped);
    assert_true(WIFSTOPPED(status));
    weir_reader *reader = open_reader("shm://a?sealed=1&timeout=50ms");
    assert_int_equal(weir_reader_next(reader, SECOND / 20, &message, NULL), WEIR_ETIMEOUT);
    kill(stopped, SIGCONT);
    assert_int_equal(next_number(reader), 1); /* its lane has come after us: nothing of it is missed */
    kill(stopped, SIGKILL);
    finish(stopped, -SIGKILL);
    weir_reader_close(reader);
}

static void test_many_writers_one_after_the_other(void **state) {
    (void)state;
    weir_reader *reader = open_reader("shm://a?sealed=1");
    for (int round = 0; round < 200; round++) { /* more than there are lanes */
        weir_writer *writer = open_writer("shm://a?sealed=1&readers=1&capacity=64K");
        assert_int_equal(send_number(writer, round, 10), WEIR_OK);
        weir_writer_close(writer);
        assert_int_equal(next_number(reader), round);
    }
    assert_int_equal(weir_reader_gaps(reader), 0);
    weir_reader_close(reader);
}

static void test_what_is_left_by_the_killed(void **state) {
    (void)state;
    char sock[160];
    pid_t writer = start(rest, "shm://a?sealed=1");
    snprintf(sock, sizeof(sock), "%s/sock.0", directory);
    weir_message *message = NULL;
    while (weir_latest("shm://a?sealed=1", &message, NULL) != WEIR_OK)
        nap();
    weir_message_free(message);
    kill(writer, SIGKILL);
    finish(writer, -SIGKILL);
    assert_int_equal(access(sock, F_OK), 0);
    /* The next end, if it finds nobody, makes the channel anew; what it was is gone with its writer. */
    assert_int_equal(weir_latest("shm://a?sealed=1", &message, NULL), WEIR_ENOENT);
    weir_doc *doc = NULL;
    assert_int_equal(weir_doc_new(&doc), WEIR_OK);
    assert_int_equal(weir_directory_clean(doc, 0, NULL), WEIR_OK);
    weir_doc_free(doc);
    assert_int_not_equal(access(directory, F_OK), 0);
}

int main(void) {
#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        CASE(test_three_users_and_a_stranger),
        CASE(test_only_the_owner_writes),
        CASE(test_one_user_cannot_take_all_places),
        CASE(test_sealed_and_plain_are_not_mixed),
        CASE(test_a_reader_by_hand_changes_nothing),
        CASE(test_a_reader_that_scribbles_its_page),
        CASE(test_a_flood_of_nonsense_at_the_door),
        CASE(test_a_writer_that_scribbles_its_ring),
        CASE(test_a_writer_cannot_cut_its_ring),
        CASE(test_doors_that_lie),
        CASE(test_a_stopped_writer_holds_up_opening_only_so_long),
        CASE(test_many_writers_one_after_the_other),
        CASE(test_what_is_left_by_the_killed),
    };
    if (getenv("WEIR_TEST_FILTER"))
        cmocka_set_test_filter(getenv("WEIR_TEST_FILTER"));
    return cmocka_run_group_tests_name("sealed", tests, NULL, NULL);
}
