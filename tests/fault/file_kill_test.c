/* Writers of one log are killed at random moments, over and over, while a reader follows it.
 *
 * Each writing process notes in memory that it shares with us which message it was told to have sent (WEIR_OK). The log
 * is then compared with these notes: what was acknowledged is there, once, in order, whole; a message on its way at the
 * kill is there whole or not at all; and since numbers are only given to what is written, no number is missing.
 * WEIR_KILLS says how many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <weir/weir.h>

#define SECOND INT64_C(1000000000)
enum { ALIVE = 3, PROCESSES_MAX = 4096, PADDING_MAX = 3000, BIG = 200000, KILLS = 150 };

static char directory[64];
static _Atomic uint64_t *acked; /* of each process */
static uint64_t last[PROCESSES_MAX];
static uint64_t random_state;

static uint32_t random_below(uint32_t limit) {
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((random_state >> 33) % limit);
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk) {
    (void)info, (void)type, (void)walk;
    return remove(path);
}

static int setup(void **state) {
    (void)state;
    strcpy(directory, "/dev/shm/weir-file-XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    setenv("WEIR_SHM_DIR", directory, 1);
    random_state = 20231127;
    memset(last, 0, sizeof(last));
    acked = mmap(NULL, PROCESSES_MAX * sizeof(*acked), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return acked == MAP_FAILED ? -1 : 0;
}

static int teardown(void **state) {
    (void)state;
    munmap(acked, PROCESSES_MAX * sizeof(*acked));
    return nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static unsigned char padding_at(uint64_t process, uint64_t number, size_t index) {
    return (unsigned char)(process * 31 + number * 7 + index);
}

static int send_one(weir_writer *writer, uint64_t process, uint64_t number, weir_error *err) {
    static unsigned char bytes[BIG];
    weir_doc *doc = NULL;
    const weir_value *root;
    size_t size = random_below(50) == 0 ? BIG : random_below(PADDING_MAX);
    for (size_t i = 0; i < size; i++)
        bytes[i] = padding_at(process, number, i);
    int status = weir_doc_new(&doc);
    if (status == WEIR_OK)
        status =
            weir_pack(doc, &root, NULL, "{s:i, s:i, s:y}", "p", (long)process, "n", (long)number, "pad", bytes, size);
    if (status == WEIR_OK)
        status = weir_writer_send(writer, NULL, NULL, root, err);
    weir_doc_free(doc);
    return status;
}

static pid_t writer_start(const char *address, uint64_t process) {
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child > 0)
        return child;
    weir_writer *writer = NULL;
    weir_error err = {0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(60);
    random_state += process;
    if (weir_writer_open(address, &writer, &err) != WEIR_OK) {
        fprintf(stderr, "writer: %s\n", err.text);
        _exit(1);
    }
    for (uint64_t number = 1;; number++) {
        if (send_one(writer, process, number, &err) != WEIR_OK) {
            fprintf(stderr, "writer: %s\n", err.text);
            _exit(2);
        }
        acked[process] = number;
        if (number % 16 == 0) /* so that we can follow */
            nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
    }
}

/* Read what is there, @count_max at most, and keep count. */
static void drain(weir_reader *reader, int64_t timeout_ns, uint64_t count_max) {
    weir_message *message = NULL;
    weir_error err = {0};
    int status = WEIR_ETIMEOUT, is_whole = 1;
    while (count_max-- > 0 && (status = weir_reader_next(reader, timeout_ns, &message, &err)) == WEIR_OK) {
        const weir_value *data = NULL;
        uint64_t process = 0, number = 0;
        weir_view bytes;
        assert_int_equal(weir_message_data(message, &data, NULL), WEIR_OK);
        assert_int_equal(weir_get_u64(data, "p", &process), WEIR_OK);
        assert_int_equal(weir_get_u64(data, "n", &number), WEIR_OK);
        assert_int_equal(weir_get_bytes(data, "pad", &bytes), WEIR_OK);
        for (size_t i = 0; i < bytes.size; i++)
            is_whole &= (unsigned char)bytes.data[i] == padding_at(process, number, i);
        assert_true(is_whole);
        assert_true(process < PROCESSES_MAX);
        assert_int_equal(number, last[process] + 1);
        assert_int_equal(weir_message_gap(message), 0);
        last[process] = number;
    }
    if (status != WEIR_ETIMEOUT && status != WEIR_OK)
        fail_msg("%s: %s", weir_err_name(status), err.text);
}

static void reaped(pid_t child) {
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void kills(const char *name, const char *options) {
    char address[256];
    pid_t children[ALIVE];
    uint64_t process = 0, total = 0;
    weir_reader *reader = NULL;
    const char *wanted = getenv("WEIR_KILLS");
    long count = wanted ? strtol(wanted, NULL, 10) : KILLS;
    assert_true(count + ALIVE < PROCESSES_MAX);
    snprintf(address, sizeof(address), "file://%s/%s%s", directory, name, options);
    assert_int_equal(weir_reader_open(address, &reader, NULL), WEIR_OK);
    for (int i = 0; i < ALIVE; i++)
        children[i] = writer_start(address, process++);
    for (long i = 0; i < count; i++) {
        uint32_t victim = random_below(ALIVE);
        nanosleep(&(struct timespec){.tv_nsec = random_below(4000000)}, NULL);
        kill(children[victim], SIGKILL);
        reaped(children[victim]);
        children[victim] = writer_start(address, process++);
        if (i % 8 == 0)
            drain(reader, 0, 1000);
    }
    for (int i = 0; i < ALIVE; i++) {
        kill(children[i], SIGKILL);
        reaped(children[i]);
    }
    drain(reader, SECOND / 10, UINT64_MAX);
    for (uint64_t i = 0; i < process; i++) {
        assert_in_range(last[i], acked[i], acked[i] + 1);
        total += last[i];
    }
    /* And once more by whoever comes later. */
    weir_reader *late = NULL;
    snprintf(address, sizeof(address), "file://%s/%s?from=oldest", directory, name);
    assert_int_equal(weir_reader_open(address, &late, NULL), WEIR_OK);
    memset(last, 0, sizeof(last));
    drain(late, SECOND / 10, UINT64_MAX);
    for (uint64_t i = 0; i < process; i++)
        assert_in_range(last[i], acked[i], acked[i] + 1);
    print_message("%ld kills, %llu messages\n", count, (unsigned long long)total);
    weir_reader_close(late);
    weir_reader_close(reader);
}

static void test_kills_of_frames(void **state) {
    (void)state;
    kills("log.weir", "");
}

static void test_kills_of_lines(void **state) {
    (void)state;
    kills("log.jsonl", "");
}

static void test_kills_of_bson(void **state) {
    (void)state;
    kills("log.bson", "");
}

/* So many files are kept that the reader, which falls behind, loses none: thousands of kills are gigabytes. */
static void test_kills_while_rotating(void **state) {
    (void)state;
    const char *wanted = getenv("WEIR_KILLS");
    kills("turn.weir",
          wanted && strtol(wanted, NULL, 10) > 4 * KILLS ? "?rotate=4M&files=1000" : "?rotate=256K&files=1000");
}

/* ---- what a repair looks like from a reader ---- */

enum { REPAIR_PADDING = 7000, REPAIR_BYTES = 30 << 20 };

static size_t line_write(char *line, uint32_t letter) {
    size_t size = (size_t)sprintf(line, "{\"data\":\""), padding = 100 + random_below(REPAIR_PADDING);
    memset(line + size, (int)letter, padding);
    size += padding;
    return size + (size_t)sprintf(line + size, "\"}\n");
}

/* Half a line in small letters, as a killed writer leaves it, is cut off again, and one in capitals stands in its
 * place, over and over. */
static void repair_for_ever(int fd) {
    static char line[REPAIR_PADDING + 200];
    for (off_t end = 0; end < REPAIR_BYTES;) {
        size_t size = line_write(line, 'a' + random_below(26));
        if (write(fd, line, size / 2) < 0 || ftruncate(fd, end) != 0)
            _exit(1);
        size = line_write(line, 'A' + random_below(26));
        if (write(fd, line, size) != (ssize_t)size)
            _exit(1);
        end += (off_t)size;
    }
    _exit(0);
}

static void test_half_a_line_and_the_one_in_its_place(void **state) {
    char path[128], address[160];
    weir_reader *reader = NULL;
    weir_message *message = NULL;
    (void)state;
    snprintf(path, sizeof(path), "%s/repaired.jsonl", directory);
    snprintf(address, sizeof(address), "file://%s?from=oldest", path);
    int fd = open(path, O_CREAT | O_RDWR | O_APPEND | O_CLOEXEC, 0600), status = -1, mixed = 0;
    assert_true(fd >= 0);
    assert_int_equal(weir_reader_open(address, &reader, NULL), WEIR_OK);
    fflush(NULL);
    pid_t writer = fork();
    if (writer == 0)
        repair_for_ever(fd);
    uint64_t lines = 0;
    for (int is_over = 0;;) {
        int got = weir_reader_next(reader, SECOND / 100, &message, NULL);
        if (got == WEIR_ETIMEOUT && is_over)
            break;
        is_over |= waitpid(writer, &status, WNOHANG) == writer;
        if (got == WEIR_ETIMEOUT)
            continue;
        assert_int_equal(got, WEIR_OK);
        weir_view bytes = weir_message_bytes(message);
        for (size_t i = 1; i + 1 < bytes.size; i++)
            mixed |= bytes.data[i] != bytes.data[1] || bytes.data[i] < 'A' || bytes.data[i] > 'Z';
        lines++;
    }
    assert_int_equal(status, 0);
    assert_int_equal(mixed, 0);
    assert_true(lines > REPAIR_BYTES / (REPAIR_PADDING + 200));
    weir_reader_close(reader);
    close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kills_of_frames, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kills_of_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kills_of_bson, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kills_while_rotating, setup, teardown),
        cmocka_unit_test_setup_teardown(test_half_a_line_and_the_one_in_its_place, setup, teardown),
    };
    return cmocka_run_group_tests_name("file_kill", tests, NULL, NULL);
}
