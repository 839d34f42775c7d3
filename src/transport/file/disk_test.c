/* Logs and the disk they lie on: when it is full, when it must have everything (sync=), and what a power cut may leave
 * of a log and of what was noted about it. */
#include "transport/file/testing.h"

#include <dirent.h>
#include <inttypes.h>

#include "base/clock.h"
#include "base/crc32c.h"

/* ---- full disks, and the disk itself ---- */

static void test_a_full_disk_takes_nothing(void **state) {
    (void)state;
    for (int e = 0; e < EXTENSION_COUNT; e++) {
        struct rlimit before, limit;
        char name[32];
        weir_error err;
        snprintf(name, sizeof(name), "full%s", extensions[e]);
        weir_writer *writer = writer_of(name, "?full=fail"), *newest = writer_of(name, "?full=drop-newest"),
                    *block = writer_of(name, "?timeout=30ms");
        weir_reader *reader = reader_of(name, "");
        assert_int_equal(send_number(writer, 1, 10, NULL), WEIR_OK);
        off_t size = file_size(name);
        getrlimit(RLIMIT_FSIZE, &before);
        limit = before;
        limit.rlim_cur = (rlim_t)size + 50;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        assert_int_equal(send_number(writer, 2, 100, &err), WEIR_ENOSPC);
        assert_non_null(strstr(err.text, "no room for "));
        assert_non_null(strstr(err.text, "(RLIMIT_FSIZE); raise the limit, or rotate= before it"));
        assert_int_equal(send_number(block, 2, 100, &err), WEIR_ETIMEOUT);
        assert_int_equal(err.sys_errno, EFBIG);
        assert_int_equal(send_number(newest, 2, 100, &err), WEIR_OK);
        assert_int_equal(weir_writer_dropped(newest), 1);
        assert_int_equal(file_size(name), size);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_int_equal(send_number(newest, 3, 100, NULL), WEIR_OK);
        assert_int_equal(next_number(reader), 1);
        assert_int_equal(next_number(reader), 3);
        assert_int_equal(weir_reader_gaps(reader), 1);
        weir_reader_close(reader);
        weir_writer_close(writer);
        weir_writer_close(newest);
        weir_writer_close(block);
    }
}

/* Where it is not the disk that is full, no file that was put aside goes. */
static void test_a_limit_takes_no_file(void **state) {
    (void)state;
    for (int e = 0; e < EXTENSION_COUNT; e++) {
        struct rlimit before;
        char name[32], aside[40];
        snprintf(name, sizeof(name), "limit%s", extensions[e]);
        snprintf(aside, sizeof(aside), "%s.1", name);
        weir_writer *writer = writer_of(name, "?rotate=64K&files=3&full=drop-oldest");
        for (int64_t i = 1; access(path_of(aside), F_OK) != 0; i++)
            assert_int_equal(send_number(writer, i, 1000, NULL), WEIR_OK);
        getrlimit(RLIMIT_FSIZE, &before);
        off_t size = file_size(name);
        for (rlim_t room = 20; room < 60; room += 20) {
            assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){(rlim_t)size + room, before.rlim_max}), 0);
            int status = send_number(writer, 0, 100, NULL);
            assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
            assert_int_equal(status, WEIR_ENOSPC);
            assert_int_equal(access(path_of(aside), F_OK), 0);
        }
        assert_int_equal(send_number(writer, 0, 100, NULL), WEIR_OK);
        weir_writer_close(writer);
    }
}

/* Of many messages with a large one behind small ones: what is said to have gone is in the log, and nothing else. */
static void test_many_on_a_full_disk(void **state) {
    (void)state;
    enum { LARGE = 400 << 10 };
    struct rlimit before;
    char *text = malloc(LARGE);
    weir_view data[] = {{"1", 1}, {"2", 1}, {text, LARGE - 1}, {"4", 1}};
    size_t sent = 9;
    int64_t number = 0;
    snprintf(text, LARGE, "%*d", LARGE - 1, 3);
    weir_writer *writer = writer_of("many.weir", "?full=fail");
    getrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){100 << 10, before.rlim_max}), 0);
    int status = weir_writer_send_many(writer, NULL, NULL, WEIR_CODEC_JSON, NULL, data, 4, &sent, NULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(status, WEIR_ENOSPC);
    assert_int_equal(sent, 2);
    assert_int_equal(
        weir_writer_send_many(writer, NULL, NULL, WEIR_CODEC_JSON, NULL, data + sent, 4 - sent, &sent, NULL), WEIR_OK);
    int fd = open(path_of("many.weir.lock"), O_RDWR);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    weir_writer_set_timeout(writer, SECOND / 50);
    status = weir_writer_send_many(writer, NULL, NULL, WEIR_CODEC_JSON, NULL, &(weir_view){"5", 1}, 1, &sent, NULL);
    assert_int_equal(status, WEIR_ETIMEOUT);
    assert_int_equal(sent, 1); /* it goes later */
    off_t size = file_size("many.weir");
    close(fd);
    assert_int_equal(weir_writer_send_many(writer, NULL, NULL, WEIR_CODEC_JSON, NULL, NULL, 0, &sent, NULL), WEIR_OK);
    assert_true(file_size("many.weir") > size);
    weir_writer_close(writer);
    free(text);
    weir_reader *reader = reader_of("many.weir", "?from=oldest");
    for (int64_t i = 1; i <= 5; i++) {
        const weir_value *value;
        weir_message *message;
        assert_int_equal(weir_reader_next(reader, SECOND, &message, NULL), WEIR_OK);
        assert_int_equal(weir_message_data(message, &value, NULL), WEIR_OK);
        assert_int_equal(weir_get_i64(value, NULL, &number), WEIR_OK);
        assert_int_equal(number, i);
    }
    weir_reader_close(reader);
}

/* full=block: when the time is over nothing is lost, neither what was held back nor what was filled in place, and the same
 * calls go once there is room. */
static void test_a_full_disk_is_waited_for(void **state) {
    (void)state;
    static const char *const options[] = {"?timeout=20ms", "?timeout=20ms&sync=always", "?timeout=20ms&state=1"};
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        struct rlimit before;
        weir_error err = {0};
        void *room = NULL;
        size_t size = 0;
        int is_state = strstr(options[i], "state") != NULL;
        weir_writer *writer = writer_of("late.weir", options[i]);
        weir_reader *reader = reader_of("late.weir", is_state ? "?state=1" : "");
        assert_int_equal(send_number(writer, 1, 10, NULL), WEIR_OK);
        assert_int_equal(next_number(reader), 1);
        getrlimit(RLIMIT_FSIZE, &before);
        off_t limit = file_size("late.weir") + 50;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){(rlim_t)limit, before.rlim_max}), 0);
        if (!is_state) {
            weir_writer_cork(writer);
            assert_int_equal(send_number(writer, 2, 100, NULL), WEIR_OK);
            assert_int_equal(weir_writer_uncork(writer, &err), WEIR_ETIMEOUT);
            assert_int_equal(send_number(writer, 9, 100, &err), WEIR_ETIMEOUT);
        }
        assert_int_equal(weir_writer_reserve(writer, NULL, NULL, "u8[500]", &room, &size, NULL), WEIR_OK);
        memset(room, 7, size);
        assert_int_equal(weir_writer_commit(writer, &err), WEIR_ETIMEOUT);
        assert_int_equal(weir_writer_commit(writer, &err), WEIR_ETIMEOUT);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_int_equal(weir_writer_commit(writer, &err), WEIR_OK);
        assert_int_equal(weir_writer_commit(writer, &err), WEIR_EINVAL);
        if (!is_state)
            assert_int_equal(next_number(reader), 2);
        weir_message *message;
        assert_int_equal(weir_reader_next(reader, SECOND, &message, NULL), WEIR_OK);
        weir_view data = weir_message_bytes(message);
        assert_int_equal(data.size, 500);
        assert_true(data.data[0] == 7 && memcmp(data.data, data.data + 1, 499) == 0);
        weir_reader_close(reader);
        weir_writer_close(writer);
        unlink(path_of("late.weir"));
    }
}

/* A message whose commit came too late is given up by whatever else is done. */
static void test_what_comes_too_late_is_given_up(void **state) {
    (void)state;
    struct rlimit before;
    void *room = NULL;
    size_t size = 0;
    weir_writer *writer = writer_of("late.weir", "?timeout=20ms");
    weir_reader *reader = reader_of("late.weir", "");
    assert_int_equal(send_number(writer, 1, 10, NULL), WEIR_OK);
    getrlimit(RLIMIT_FSIZE, &before);
    for (int64_t way = 0; way < 4; way++) {
        off_t limit = file_size("late.weir") + 50;
        assert_int_equal(weir_writer_reserve(writer, NULL, NULL, "u8[500]", &room, &size, NULL), WEIR_OK);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){(rlim_t)limit, before.rlim_max}), 0);
        assert_int_equal(weir_writer_commit(writer, NULL), WEIR_ETIMEOUT);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        if (way == 1)
            assert_int_equal(weir_writer_uncork(writer, NULL), WEIR_OK);
        if (way == 2)
            weir_writer_discard(writer);
        if (way == 3) {
            assert_int_equal(weir_writer_reserve(writer, NULL, NULL, "u8[5]", &room, &size, NULL), WEIR_OK);
            weir_writer_discard(writer);
        }
        assert_int_equal(send_number(writer, 2 + way, 10, NULL), WEIR_OK);
    }
    for (int64_t i = 1; i <= 5; i++)
        assert_int_equal(next_number(reader), i);
    assert_int_equal(weir_reader_gaps(reader), 0);
    weir_reader_close(reader);
    weir_writer_close(writer);
}

/* The kernel ends who makes a file larger than he may. Return: the exit code of a child that may have files of @limit
 * bytes: 0 when all went as it must. */
static int limited(const char *options, rlim_t limit, int status_wanted) {
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        weir_writer *writer = NULL;
        struct rlimit both = {limit, limit};
        if (setrlimit(RLIMIT_FSIZE, &both) != 0)
            _exit(1);
        int opened = weir_writer_open(address_of("few.weir", options), &writer, NULL);
        for (int64_t i = 1; opened == WEIR_OK && i <= 5; i++)
            if (send_number(writer, i, 100, NULL) != WEIR_OK)
                _exit(2);
        if (opened == WEIR_OK && send_number(writer, 6, 5000, NULL) != WEIR_ENOSPC)
            _exit(3);
        weir_writer_close(writer);
        _exit(opened == status_wanted ? 0 : 4);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

/* As large as the log may be is not as large as its lock file would like to be. */
static void test_files_that_must_be_small(void **state) {
    (void)state;
    static const char *const options[] = {"?full=fail", "?full=fail&sync=always", "?full=fail&state=1"};
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        assert_int_equal(limited(options[i], 4096, WEIR_OK), 0);
        assert_int_equal(limited(options[i], 100, WEIR_ENOSPC), 0);
        assert_int_equal(limited(options[i], 0, WEIR_ENOSPC), 0);
        unlink(path_of("few.weir"));
    }
}

/* ---- a limit that comes after open, or in the middle of it ---- */

static int limit_set(rlim_t limit) {
    return setrlimit(RLIMIT_FSIZE, &(struct rlimit){limit, limit}) == 0;
}

/* Send @first bytes, then with a limit of nothing @second, which are refused, and close. Return: 1 when it went so. */
static int limited_late(const char *name, const char *options, size_t first, size_t second) {
    weir_writer *writer = writer_of(name, options);
    int went = send_number(writer, 1, first, NULL) == WEIR_OK && limit_set(0);
    for (int64_t now = weir_clock_coarse(); weir_clock_coarse() == now;) /* it is asked for once a tick */
        usleep(1000);
    went = went && send_number(writer, 2, second, NULL) == WEIR_ENOSPC;
    weir_writer_close(writer);
    return went;
}

static int limited_plain(void) {
    return limited_late("plain.weir", "?full=fail", 10, 10);
}

static int limited_exclusive(void) {
    return limited_late("exclusive.weir", "?full=fail&exclusive=1", 10, 10);
}

static int limited_at_rotation(void) {
    return limited_late("rotation.weir", "?full=fail&rotate=64K", 60000, 10000);
}

/* The log, removed by somebody else, is begun anew, and would be noted as one that goes with its last end. */
static int limited_anew(void) {
    weir_writer *writer = writer_of("anew.weir", "?full=fail&keep=0");
    int went = limit_set(0) && unlink(path_of("anew.weir")) == 0;
    went = went && send_number(writer, 2, 10, NULL) == WEIR_ENOSPC;
    weir_writer_close(writer);
    return went;
}

static int limited_reader(void) {
    weir_reader *reader = NULL;
    return limit_set(0) && weir_reader_open(address_of("reader.weir", "?keep=0"), &reader, NULL) == WEIR_ENOSPC;
}

/* A last line without its newline gets it from the next writer, if there is room for it. */
static int limited_in_a_line(void) {
    weir_writer *writer = NULL;
    weir_error err = {0};
    char text[WEIR_LOG_HEADER_SIZE + 1];
    snprintf(text, sizeof(text), "{\"text\":\"%0*d\"}", WEIR_LOG_HEADER_SIZE - 11, 1);
    file_write("line.jsonl", text, O_TRUNC);
    return file_size("line.jsonl") == WEIR_LOG_HEADER_SIZE && limit_set(WEIR_LOG_HEADER_SIZE) &&
           weir_writer_open(address_of("line.jsonl", ""), &writer, &err) == WEIR_ENOSPC &&
           strstr(err.text, "last line") && file_size("line.jsonl") == WEIR_LOG_HEADER_SIZE;
}

static void test_nobody_dies_of_a_later_limit(void **state) {
    (void)state;
    static int (*const all[])(void) = {limited_plain, limited_exclusive, limited_at_rotation,
                                       limited_anew,  limited_reader,    limited_in_a_line};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        int ended = -1;
        pid_t child = fork();
        if (child == 0)
            _exit(all[i]() ? 0 : 1);
        assert_int_equal(waitpid(child, &ended, 0), child);
        assert_int_equal(ended, 0);
    }
}

/* Another writer has the lock for longer than we may wait: what was corked is written later, once, and what was refused
 * is not. */
static void test_a_batch_outlasts_a_lock(void **state) {
    (void)state;
    for (int e = 0; e < EXTENSION_COUNT; e++) {
        char name[32], lock[64];
        weir_error err;
        snprintf(name, sizeof(name), "held%s", extensions[e]);
        snprintf(lock, sizeof(lock), "%s.lock", name);
        weir_writer *writer = writer_of(name, "?timeout=1h");
        weir_reader *reader = reader_of(name, "");
        weir_writer_set_timeout(writer, SECOND / 50); /* else this test does not end */
        weir_writer_cork(writer);
        for (int64_t i = 1; i <= 3; i++)
            assert_int_equal(send_number(writer, i, 10, NULL), WEIR_OK);
        int fd = open(path_of(lock), O_RDWR);
        assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
        assert_int_equal(send_number(writer, 4, 1 << 20, &err), WEIR_ETIMEOUT);
        assert_int_equal(weir_writer_uncork(writer, &err), WEIR_ETIMEOUT);
        assert_non_null(strstr(err.text, "held the lock"));
        assert_int_equal(send_number(writer, 5, 10, &err), WEIR_ETIMEOUT);
        close(fd);
        assert_int_equal(send_number(writer, 6, 10, NULL), WEIR_OK);
        for (int64_t i = 1; i <= 3; i++)
            assert_int_equal(next_number(reader), i);
        assert_int_equal(next_number(reader), 6);
        assert_int_equal(weir_writer_seq(writer), 4);
        assert_int_equal(weir_reader_gaps(reader), 0);
        weir_writer_close(writer);
        weir_reader_close(reader);
    }
}

static void test_sync(void **state) {
    (void)state;
    weir_writer *always = writer_of("sync.weir", "?sync=always"), *other = writer_of("sync.weir", "?sync=always"),
                *interval = writer_of("sync.weir", "?sync=interval:1ms");
    weir_reader *reader = reader_of("sync.weir", "");
    for (int64_t i = 1; i <= 30; i++)
        assert_int_equal(send_number(i % 3 == 0 ? always : i % 3 == 1 ? other : interval, i, 10, NULL), WEIR_OK);
    for (int64_t i = 1; i <= 30; i++)
        assert_int_equal(next_number(reader), i);
    weir_reader_close(reader);
    weir_writer_close(always);
    weir_writer_close(other);
    weir_writer_close(interval);
}

/* What /proc says of the signals that a thread blocks, and how many threads there are besides this one. */
static int threads_look(uint64_t *ret_blocked) {
    char path[64], line[256];
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (struct dirent *entry; (entry = readdir(tasks));) {
        if (entry->d_name[0] == '.' || atoi(entry->d_name) == getpid())
            continue;
        snprintf(path, sizeof(path), "/proc/self/task/%.20s/status", entry->d_name);
        FILE *status = fopen(path, "r");
        while (status && fgets(line, sizeof(line), status))
            if (sscanf(line, "SigBlk: %" SCNx64, ret_blocked) == 1)
                count++;
        if (status)
            fclose(status);
    }
    closedir(tasks);
    return count;
}

static void test_the_thread_of_interval(void **state) {
    (void)state;
    uint64_t blocked = 0;
    int before = threads_look(&blocked), status = 0; /* a sanitizer may have some */
    weir_writer *writer = writer_of("thread.weir", "?sync=interval:20ms&rotate=64K");
    assert_int_equal(threads_look(&blocked), before + 1);
    if (before == 0)
        assert_int_equal(blocked & 0x7FFFFFFF & ~(UINT64_C(1) << (SIGKILL - 1) | UINT64_C(1) << (SIGSTOP - 1)),
                         0x7FFFFFFF & ~(UINT64_C(1) << (SIGKILL - 1) | UINT64_C(1) << (SIGSTOP - 1)));
    for (int64_t i = 1; i <= 300; i++)
        assert_int_equal(send_number(writer, i, 1000, NULL), WEIR_OK);
    pid_t child = fork();
    if (child == 0) { /* has the memory of the writer, and not its thread */
        weir_writer_close(writer);
        _exit(threads_look(&blocked));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(send_number(writer, 301, 10, NULL), WEIR_OK);
    weir_writer_close(writer);
    assert_int_equal(threads_look(&blocked), before);
}

/* A note that a power cut has left says what is not there: who comes first looks at the log. */
static void test_a_note_of_before_is_not_believed(void **state) {
    (void)state;
    pid_t child = fork();
    if (child == 0) { /* dies with the log open, so the lock file stays */
        weir_writer *writer = writer_of("cut.weir", "?sync=always");
        for (int64_t i = 1; i <= 5; i++)
            if (send_number(writer, i, 100, NULL) != WEIR_OK)
                _exit(1);
        kill(getpid(), SIGKILL);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    int fd = open(path_of("cut.weir"), O_RDWR | O_CLOEXEC);
    off_t size = file_size("cut.weir");
    unsigned char zeros[64] = {0};
    assert_int_equal(pwrite(fd, zeros, sizeof(zeros), size - (off_t)sizeof(zeros)), sizeof(zeros));
    close(fd);
    weir_writer *writer = writer_of("cut.weir", "");
    assert_int_equal(send_number(writer, 6, 10, NULL), WEIR_OK);
    weir_reader *reader = reader_of("cut.weir", "?from=oldest");
    for (int64_t i = 1; i <= 4; i++)
        assert_int_equal(next_number(reader), i);
    assert_int_equal(next_number(reader), 6);
    assert_int_equal(weir_reader_gaps(reader), 0);
    weir_reader_close(reader);
    weir_writer_close(writer);
}

/* Whoever has byte 1 of the lock file and does nothing holds nobody up for ever, and vouches for nothing. */
static void test_a_syncer_that_is_stopped(void **state) {
    (void)state;
    char path[200];
    weir_writer *one = writer_of("stopped.weir", "?sync=always"), *other = writer_of("stopped.weir", "?sync=always");
    snprintf(path, sizeof(path), "%s.lock", path_of("stopped.weir"));
    int fd = open(path, O_RDWR | O_CLOEXEC);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1, .l_len = 1};
    assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
    assert_int_equal(send_number(one, 1, 10, NULL), WEIR_OK);
    assert_int_equal(send_number(other, 2, 10, NULL), WEIR_OK);
    /* A file that was cut under those who sleep in it does no harm either. */
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(send_number(one, 3, 10, NULL), WEIR_OK);
    close(fd);
    assert_int_equal(send_number(other, 4, 10, NULL), WEIR_OK);
    weir_reader *reader = reader_of("stopped.weir", "?from=oldest");
    for (int64_t i = 1; i <= 4; i++)
        assert_int_equal(next_number(reader), i);
    assert_int_equal(weir_reader_gaps(reader), 0);
    weir_reader_close(reader);
    weir_writer_close(one);
    weir_writer_close(other);
}

/* ---- an inode that was another file's ---- */

enum { DISK_AT = 8256, DISK_SIZE = 48 };

/* What is noted of syncs of @name's log, its turn. @ino: 0, or have it be of that inode, and of more than there is. */
static uint32_t disk_note(const char *name, uint64_t ino) {
    unsigned char bytes[DISK_SIZE];
    uint64_t synced = UINT64_C(1) << 40;
    uint32_t turn, crc;
    char path[200];
    snprintf(path, sizeof(path), "%s.lock", path_of(name));
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(pread(fd, bytes, sizeof(bytes), DISK_AT), sizeof(bytes));
    memcpy(&turn, bytes, sizeof(turn));
    memcpy(bytes + 8, &ino, sizeof(ino));
    memcpy(bytes + 24, &synced, sizeof(synced));
    crc = weir_crc32c(0, bytes + 8, DISK_SIZE - 8);
    memcpy(bytes + 4, &crc, sizeof(crc));
    if (ino)
        assert_int_equal(pwrite(fd, bytes, sizeof(bytes), DISK_AT), sizeof(bytes));
    close(fd);
    return turn;
}

static uint64_t file_ino(const char *name) {
    struct stat about;
    assert_int_equal(stat(path_of(name), &about), 0);
    return about.st_ino;
}

/* File systems give a new file the inode of one that is gone. What was synced of that one says nothing of this one. */
static void test_an_inode_that_comes_again(void **state) {
    (void)state;
    for (int e = 0; e < EXTENSION_COUNT; e++) {
        char name[32];
        snprintf(name, sizeof(name), "again%s", extensions[e]);
        weir_writer *writer = writer_of(name, "?rotate=64K&files=1"), *always = writer_of(name, "?sync=always");
        assert_int_equal(send_number(always, 1, 10, NULL), WEIR_OK);
        weir_writer_close(always);
        uint64_t ino = file_ino(name);
        for (int64_t i = 2; file_ino(name) == ino; i++)
            assert_int_equal(send_number(writer, i, 1000, NULL), WEIR_OK);
        uint32_t turn = disk_note(name, file_ino(name));
        always = writer_of(name, "?sync=always");
        assert_int_equal(send_number(always, 1000, 10, NULL), WEIR_OK);
        assert_int_not_equal(disk_note(name, 0), turn);
        turn = disk_note(name, file_ino(name)); /* and what is said of this one is believed */
        assert_int_equal(send_number(always, 1001, 10, NULL), WEIR_OK);
        assert_int_equal(disk_note(name, 0), turn);
        weir_writer_close(always);
        weir_writer_close(writer);
    }
}

/* Of a new log a power cut may leave the size alone. */
static void test_a_log_of_zeros_begins_anew(void **state) {
    (void)state;
    int fd = open(path_of("zeros.weir"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(ftruncate(fd, 5000), 0);
    weir_writer *writer = writer_of("zeros.weir", "");
    assert_int_equal(send_number(writer, 1, 10, NULL), WEIR_OK);
    weir_reader *reader = reader_of("zeros.weir", "?from=oldest");
    assert_int_equal(next_number(reader), 1);
    weir_reader_close(reader);
    weir_writer_close(writer);
    /* With anything else in it, it is somebody's. */
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(pwrite(fd, "x", 1, 4999), 1);
    assert_int_equal(weir_writer_open(address_of("zeros.weir", ""), &writer, NULL), WEIR_ECORRUPT);
    close(fd);
}

/* Writers of one log that take turns, and wait for the disk or not: each finds where the others have left it. */
static void test_turns(void **state) {
    (void)state;
    enum { COUNT = 3000 };
    static const char *const options[] = {"", "?sync=always", "?sync=interval:1ms", "?rotate=64K&files=100"};
    weir_writer *writers[4];
    for (int i = 0; i < 4; i++)
        writers[i] = writer_of("turns.weir", options[i]);
    weir_reader *reader = reader_of("turns.weir", "");
    for (int64_t i = 1; i <= COUNT; i++) {
        weir_writer *writer = writers[(i / 7 * 5 + i % 3) % 4];
        if (i % 50 == 0)
            weir_writer_cork(writer);
        assert_int_equal(send_number(writer, i, (size_t)(i * 37 % (i % 100 ? 300 : 9000)), NULL), WEIR_OK);
        if (i % 50 == 0)
            assert_int_equal(weir_writer_uncork(writer, NULL), WEIR_OK);
        assert_int_equal(weir_writer_seq(writer), i);
    }
    for (int64_t i = 1; i <= COUNT; i++)
        assert_int_equal(next_number(reader), i);
    assert_int_equal(weir_reader_gaps(reader), 0);
    weir_reader_close(reader);
    for (int i = 0; i < 4; i++)
        weir_writer_close(writers[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_a_full_disk_takes_nothing),
        TEST(test_a_limit_takes_no_file),
        TEST(test_many_on_a_full_disk),
        TEST(test_a_full_disk_is_waited_for),
        TEST(test_what_comes_too_late_is_given_up),
        TEST(test_files_that_must_be_small),
        TEST(test_nobody_dies_of_a_later_limit),
        TEST(test_a_batch_outlasts_a_lock),
        TEST(test_sync),
        TEST(test_the_thread_of_interval),
        TEST(test_a_note_of_before_is_not_believed),
        TEST(test_a_syncer_that_is_stopped),
        TEST(test_an_inode_that_comes_again),
        TEST(test_a_log_of_zeros_begins_anew),
        TEST(test_turns),
    };
    return cmocka_run_group_tests_name("disk", tests, NULL, NULL);
}
