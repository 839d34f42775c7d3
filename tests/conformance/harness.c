/* The harness: scratch places, children, checkable messages. */
#include "harness.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/testing.h"
#include "transport/transport.h"

/* The table: each transport, and the forms of its addresses that change how it works. */
static const struct form forms[] = {
    {"shm", "", "", NULL, NULL},
    {"shm", "wait=sem", "", NULL, NULL},
    {"shm", "sealed=1", "", "call", "a sealed channel carries no calls"},
    {"sysv", "", "", NULL, NULL},
    {"unix", "", ".sock", NULL, NULL},
    {"tcp", "", "", NULL, NULL},
    {"tcp", "psk=KEY", "", NULL, NULL},
    {"fifo", "", ".fifo", NULL, NULL},
    {"file", "", ".weir", NULL, NULL},
    {"file", "", ".jsonl", NULL, NULL},
    {"file", "", ".bson", NULL, NULL},
    {"fault+shm", "fault=seed:1,delay:0.01", "", NULL, NULL},
    {"fault+unix", "fault=seed:2,delay:0.01,short:0.3", ".sock", NULL, NULL},
    {"fault+fifo", "fault=seed:3,delay:0.01,short:0.3", ".fifo", NULL, NULL},
};
enum { FORM_COUNT = sizeof(forms) / sizeof(forms[0]), CASE_MAX = 512, ADDRESS_BUFFERS = 6 };

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

/* A secret for psk=; not among the files that count_files counts. */
static int key_make(struct scratch *scratch) {
    static const char digits[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n";
    char path[80];
    snprintf(path, sizeof(path), "%s/.key", scratch->directory);
    snprintf(scratch->keyed, sizeof(scratch->keyed), "psk=%s", path);
    scratch->options = scratch->keyed;
    FILE *file = fopen(path, "w");
    if (!file || chmod(path, 0600) != 0)
        return -1;
    fputs(digits, file);
    return fclose(file);
}

/* A place at a port: no two scratch places have the same, as all of 127.0.0.0/8 is loopback. */
static void port_write(const struct scratch *scratch, const char *name, char *text, size_t size) {
    uint64_t hash = UINT64_C(1469598103934665603);
    for (const char *parts[] = {scratch->directory, name, NULL}, **part = parts; *part; part++)
        for (const char *at = *part; *at; at++)
            hash = (hash ^ (unsigned char)*at) * UINT64_C(1099511628211);
    hash ^= hash >> 29;
    snprintf(text, size, "127.%u.%u.%u:%u", 1 + (unsigned)(hash % 250), (unsigned)(hash >> 8) % 250,
             1 + (unsigned)(hash >> 16) % 250, 10000 + (unsigned)(hash >> 32) % 20000);
}

/* The keys of a test: KEYS from key_base on. Parts of channels have random keys, and tell the channel's at byte 56. */
enum { KEYS = 256, PART_TAIL = 1021, PART_KEY = 56 };

static int is_key_ours(const struct scratch *scratch, uint32_t key) {
    return key - scratch->key_base < KEYS;
}

static int is_segment_ours(const struct scratch *scratch, int id, const struct shmid_ds *about) {
    if (about->shm_perm.__key == IPC_PRIVATE || about->shm_segsz % 4096 != PART_TAIL ||
        about->shm_perm.uid != geteuid())
        return 0;
    if (is_key_ours(scratch, (uint32_t)about->shm_perm.__key))
        return 1;
    uint32_t key = 0;
    char *bytes = shmat(id, NULL, SHM_RDONLY);
    if (bytes == (void *)-1)
        return 0;
    memcpy(&key, bytes + PART_KEY, sizeof(key));
    shmdt(bytes);
    return is_key_ours(scratch, key);
}

/* Segments and sets of semaphores of the test's channels; with @must_remove they are taken away. */
static int count_ipc(const struct scratch *scratch, int must_remove) {
    struct shm_info info;
    int last = shmctl(0, SHM_INFO, (struct shmid_ds *)&info), count = 0;
    for (int i = 0; i <= last; i++) {
        struct shmid_ds about;
        int id = shmctl(i, SHM_STAT, &about);
        if (id < 0 || !is_segment_ours(scratch, id, &about))
            continue;
        count++;
        if (must_remove)
            shmctl(id, IPC_RMID, NULL);
    }
    for (uint32_t i = 0; i < KEYS; i++) {
        int id = semget((key_t)(scratch->key_base + i), 0, 0);
        count += id >= 0;
        if (id >= 0 && must_remove)
            semctl(id, 0, IPC_RMID);
    }
    return count;
}

/* System V names are the whole machine's: where we may, have some of our own, so that nobody's weir ls or gc is
 * disturbed, nor ours. */
static void namespace_take(void) {
    static int is_done;
    if (!is_done && unshare(CLONE_NEWIPC) != 0)
        print_message("no namespace for System V (%s): the machine's is used\n", strerror(errno));
    is_done = 1;
}

static int setup(void **state) {
    struct scratch *scratch = calloc(1, sizeof(*scratch));
    const struct form *form = *state;
    scratch->scheme = form->scheme;
    scratch->options = form->options;
    scratch->extension = form->extension;
    strcpy(scratch->directory, "/dev/shm/weir-test-XXXXXX");
    if (!mkdtemp(scratch->directory))
        return -1;
    setenv("WEIR_SHM_DIR", scratch->directory, 1);
    if (strstr(form->options, "psk=") && key_make(scratch) != 0)
        return -1;
    if (getrandom(&scratch->key_base, sizeof(scratch->key_base), 0) != sizeof(scratch->key_base))
        return -1;
    scratch->key_base = (scratch->key_base & 0x7fffff00) | 0x1000;
    namespace_take();
    scratch->fd_count = count_fds();
    *state = scratch;
    return 0;
}

static int teardown(void **state) {
    struct scratch *scratch = *state;
    int leaked = count_fds() - scratch->fd_count;
    int children = testing_children_end();
    if (leaked)
        fprintf(stderr, "%d descriptors leaked\n", leaked);
    nftw(scratch->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    if (strcmp(scratch->scheme, "sysv") == 0)
        count_ipc(scratch, 1);
    free(scratch);
    return leaked || children ? -1 : 0;
}

int conformance_run(const char *suite, const struct conformance_case *cases, size_t count) {
    static struct CMUnitTest tests[CASE_MAX];
    static char names[CASE_MAX][96];
    size_t used = 0;
    const char *only = getenv("WEIR_TEST_SCHEME");
    setenv("WEIR_FAULTS", "1", 1);
    for (size_t i = 0; i < FORM_COUNT; i++) {
        if (only && strcmp(only, forms[i].scheme) != 0)
            continue;
        if (forms[i].lacks && strcmp(forms[i].lacks, suite) == 0) {
            printf("skip: %s?%s: %s\n", forms[i].scheme, forms[i].options, forms[i].why);
            continue;
        }
        uint32_t traits = weir_transport_find(forms[i].scheme, strlen(forms[i].scheme))->traits;
        for (size_t j = 0; j < count && used < CASE_MAX; j++) {
            if ((cases[j].needs & ~traits) || (cases[j].lacks & traits))
                continue;
            snprintf(names[used], sizeof(names[used]), "%s%s%s%s: %s", forms[i].scheme, forms[i].extension,
                     *forms[i].options ? "?" : "", forms[i].options, cases[j].name);
            tests[used] = (struct CMUnitTest){names[used], cases[j].run, setup, teardown, (void *)&forms[i]};
            used++;
        }
    }
    const char *pattern = getenv("WEIR_TEST_FILTER");
    if (pattern)
        cmocka_set_test_filter(pattern);
    return _cmocka_run_group_tests(suite, tests, used, NULL, NULL);
}

int has_trait(const struct scratch *scratch, uint32_t trait) {
    return (weir_transport_find(scratch->scheme, strlen(scratch->scheme))->traits & trait) != 0;
}

const char *address(const struct scratch *scratch, const char *name, const char *options) {
    static char buffers[ADDRESS_BUFFERS][256];
    static unsigned next;
    char *text = buffers[next++ % ADDRESS_BUFFERS];
    const char *more = *options ? options + 1 : ""; /* behind the '?' */
    const char *question = *more || *scratch->options ? "?" : "", *and = *more && *scratch->options ? "&" : "";
    if (strcmp(scratch->scheme + strlen(scratch->scheme) - 3, "shm") == 0) {
        snprintf(text, sizeof(buffers[0]), "%s://%s%s%s%s%s", scratch->scheme, name, question, scratch->options, and,
                 more);
    } else if (strcmp(scratch->scheme, "tcp") == 0) {
        char port[64];
        port_write(scratch, name, port, sizeof(port));
        snprintf(text, sizeof(buffers[0]), "tcp://%s%s%s%s%s", port, question, scratch->options, and, more);
    } else if (strcmp(scratch->scheme, "sysv") == 0) {
        snprintf(text, sizeof(buffers[0]), "sysv://%u%s%s%s%s", scratch->key_base + (unsigned char)*name, question,
                 scratch->options, and, more);
    } else {
        snprintf(text, sizeof(buffers[0]), "%s://%s/%s%s%s%s%s%s", scratch->scheme, scratch->directory, name,
                 scratch->extension, question, scratch->options, and, more);
    }
    return text;
}

weir_writer *open_writer(const char *address) {
    weir_writer *writer = NULL;
    weir_error err = {0};
    if (weir_writer_open(address, &writer, &err) != WEIR_OK)
        fail_msg("%s: %s", weir_err_name(err.code), err.text);
    return writer;
}

weir_reader *open_reader(const char *address) {
    weir_reader *reader = NULL;
    weir_error err = {0};
    if (weir_reader_open(address, &reader, &err) != WEIR_OK)
        fail_msg("%s: %s", weir_err_name(err.code), err.text);
    return reader;
}

/* Padding that depends on the number, so that a torn or mixed message shows. */
static unsigned char padding_byte(int64_t number, size_t index) {
    return (unsigned char)((uint64_t)number * 31 + index * 7);
}

/* The value of @number in a new document. */
static int number_pack(int64_t number, size_t padding, weir_doc **doc, const weir_value **root) {
    unsigned char *bytes = malloc(padding + 1);
    for (size_t i = 0; i < padding; i++)
        bytes[i] = padding_byte(number, i);
    int status = weir_doc_new(doc);
    if (status == WEIR_OK)
        status = weir_pack(*doc, root, NULL, "{s:i, s:y}", "n", (long)number, "pad", bytes, padding);
    free(bytes);
    return status;
}

int send_number(weir_writer *writer, int64_t number, size_t padding) {
    weir_doc *doc = NULL;
    const weir_value *root;
    int status = number_pack(number, padding, &doc, &root);
    if (status == WEIR_OK)
        status = weir_writer_send(writer, "number", NULL, root, NULL);
    weir_doc_free(doc);
    return status;
}

int number_encode(int64_t number, size_t padding, weir_buffer *out) {
    weir_doc *doc = NULL;
    const weir_value *root;
    int status = number_pack(number, padding, &doc, &root);
    if (status == WEIR_OK)
        status = weir_encode(root, WEIR_CODEC_CBOR, NULL, out, NULL);
    weir_doc_free(doc);
    return status;
}

int64_t message_number(weir_message *message) {
    const weir_value *data = NULL;
    int64_t number = -1;
    weir_view bytes;
    weir_error err = {0};
    if (weir_message_data(message, &data, &err) || weir_get_i64(data, "n", &number) ||
        weir_get_bytes(data, "pad", &bytes)) {
        fprintf(stderr, "a message of %zu bytes cannot be read: %s\n", weir_message_bytes(message).size, err.text);
        return -1;
    }
    for (size_t i = 0; i < bytes.size; i++) {
        if ((unsigned char)bytes.data[i] == padding_byte(number, i))
            continue;
        fprintf(stderr, "message %lld is torn at byte %zu\n", (long long)number, i);
        return -1;
    }
    return number;
}

int64_t next_number(weir_reader *reader) {
    weir_message *message = NULL;
    weir_error err = {0};
    int status = weir_reader_next(reader, 10 * SECOND, &message, &err);
    if (status != WEIR_OK) {
        fprintf(stderr, "next: %s: %s\n", weir_err_name(status), err.text);
        return -1;
    }
    return message_number(message);
}

pid_t start(int (*run)(const char *address), const char *address) {
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm(60);
        _exit(run(address));
    }
    return child;
}

void finish(pid_t child, int status) {
    int got = 0;
    while (waitpid(child, &got, 0) < 0)
        assert_int_equal(errno, EINTR);
    if (status < 0)
        assert_true(WIFSIGNALED(got) && WTERMSIG(got) == -status);
    else
        assert_true(WIFEXITED(got) && WEXITSTATUS(got) == status);
}

void check_in_child(int holds, const char *condition, const char *file, int line) {
    if (holds)
        return;
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
    _exit(99);
}

static int file_count;
static int count_entry(const char *path, const struct stat *info, int type, struct FTW *walk) {
    (void)info, (void)type;
    file_count += walk->level > 0 && path[walk->base] != '.';
    return 0;
}

int count_things(const struct scratch *scratch) {
    file_count = 0;
    nftw(scratch->directory, count_entry, 16, FTW_PHYS);
    return file_count + (strcmp(scratch->scheme, "sysv") == 0 ? count_ipc(scratch, 0) : 0);
}
