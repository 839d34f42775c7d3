/* What the tests of logs share: a scratch folder for each, ends that must open, and messages that can be checked. */
#include "transport/file/testing.h"

#include <ftw.h>

char directory[64];
const char *const extensions[] = {".weir", ".jsonl", ".cborseq", ".smile", ".bson"};

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk) {
    (void)info, (void)type, (void)walk;
    return remove(path);
}

int setup(void **state) {
    (void)state;
    strcpy(directory, "/dev/shm/weir-file-XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    return setenv("WEIR_SHM_DIR", directory, 1);
}

int teardown(void **state) {
    (void)state;
    return nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *path_of(const char *name) {
    static _Thread_local char buffers[8][128]; /* tests open ends in several threads */
    static _Thread_local unsigned next;
    char *text = buffers[next++ % 8];
    snprintf(text, sizeof(buffers[0]), "%s/%s", directory, name);
    return text;
}

const char *address_of(const char *name, const char *options) {
    static _Thread_local char buffers[8][256];
    static _Thread_local unsigned next;
    char *text = buffers[next++ % 8];
    snprintf(text, sizeof(buffers[0]), "file://%s/%s%s", directory, name, options);
    return text;
}

weir_writer *writer_of(const char *name, const char *options) {
    weir_writer *writer = NULL;
    weir_error err = {0};
    if (weir_writer_open(address_of(name, options), &writer, &err) != WEIR_OK)
        fail_msg("%s: %s", weir_err_name(err.code), err.text);
    return writer;
}

weir_reader *reader_of(const char *name, const char *options) {
    weir_reader *reader = NULL;
    weir_error err = {0};
    if (weir_reader_open(address_of(name, options), &reader, &err) != WEIR_OK)
        fail_msg("%s: %s", weir_err_name(err.code), err.text);
    return reader;
}

int send_number(weir_writer *writer, int64_t number, size_t padding, weir_error *err) {
    weir_doc *doc = NULL;
    const weir_value *root;
    char *text = malloc(padding + 1);
    for (size_t i = 0; i < padding; i++)
        text[i] = (char)('a' + (number + (int64_t)i) % 26);
    text[padding] = '\0';
    int status = weir_doc_new(&doc);
    if (status == WEIR_OK)
        status = weir_pack(doc, &root, NULL, "{s:i, s:s}", "n", (long)number, "pad", text);
    if (status == WEIR_OK)
        status = weir_writer_send(writer, "number", NULL, root, err);
    weir_doc_free(doc);
    free(text);
    return status;
}

int64_t number_in(weir_message *message) {
    const weir_value *data = NULL;
    int64_t number = -1;
    weir_view text;
    assert_int_equal(weir_message_data(message, &data, NULL), WEIR_OK);
    assert_int_equal(weir_get_i64(data, "n", &number), WEIR_OK);
    assert_int_equal(weir_get_text(data, "pad", &text), WEIR_OK);
    for (size_t i = 0; i < text.size; i++)
        assert_int_equal(text.data[i], 'a' + (number + (int64_t)i) % 26);
    return number;
}

int64_t next_number(weir_reader *reader) {
    weir_message *message = NULL;
    weir_error err = {0};
    if (weir_reader_next(reader, 10 * SECOND, &message, &err) != WEIR_OK)
        fail_msg("%s: %s", weir_err_name(err.code), err.text);
    return number_in(message);
}

void file_write(const char *name, const char *text, int flags) {
    int fd = open(path_of(name), O_WRONLY | O_CREAT | flags, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

off_t file_size(const char *name) {
    struct stat about;
    return stat(path_of(name), &about) == 0 ? about.st_size : -1;
}

void expect(weir_reader *reader, int status, const char *what, uint64_t seq) {
    weir_message *message = NULL;
    weir_error err = {0};
    assert_int_equal(weir_reader_next(reader, 5 * SECOND, &message, &err), status);
    if (status != WEIR_OK) {
        if (!strstr(err.text, what))
            fail_msg("%s does not say \"%s\"", err.text, what);
        return;
    }
    weir_view data = weir_message_bytes(message);
    assert_int_equal(data.size, strlen(what));
    assert_memory_equal(data.data, what, data.size);
    assert_int_equal(weir_message_seq(message), seq);
}
