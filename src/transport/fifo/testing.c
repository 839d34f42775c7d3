/* What the tests of named pipes share: a scratch folder for each, ends that must open, and messages that can be
 * checked. */
#include "transport/fifo/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char folder[64], path[96];
static char plain_address[128];

int setup(void **state) {
    (void)state;
    strcpy(folder, "/tmp/weir-fifo-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    setenv("WEIR_SHM_DIR", folder, 1);
    snprintf(path, sizeof(path), "%s/p", folder);
    snprintf(plain_address, sizeof(plain_address), "fifo://%s", path);
    return 0;
}

int teardown(void **state) {
    char command[128];
    (void)state;
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

const char *with(const char *options) {
    static char texts[4][256];
    static unsigned turn;
    char *text = texts[turn++ % 4];
    snprintf(text, sizeof(texts[0]), "%s%s", plain_address, options);
    return text;
}

weir_writer *writer_open(const char *options) {
    weir_writer *writer = NULL;
    weir_error err = {0};
    if (weir_writer_open(with(options), &writer, &err))
        fail_msg("%s", err.text);
    return writer;
}

weir_reader *reader_open(const char *options) {
    weir_reader *reader = NULL;
    weir_error err = {0};
    if (weir_reader_open(with(options), &reader, &err))
        fail_msg("%s", err.text);
    return reader;
}

unsigned char byte_at(uint64_t number, size_t index) {
    return (unsigned char)(number * 31 + index * 7);
}

int send_bytes(weir_writer *writer, uint64_t number, size_t size) {
    unsigned char *bytes = malloc(size + 8);
    memcpy(bytes, &number, 8);
    for (size_t i = 8; i < size + 8; i++)
        bytes[i] = byte_at(number, i);
    int status = weir_writer_send_bytes(writer, "n", NULL, WEIR_CODEC_RAW, NULL, bytes, size + 8, NULL);
    free(bytes);
    return status;
}

uint64_t number_of(const weir_message *message) {
    uint64_t number;
    weir_view bytes = weir_message_bytes(message);
    if (bytes.size < 8)
        return 0;
    memcpy(&number, bytes.data, 8);
    for (size_t i = 8; i < bytes.size; i++)
        if ((unsigned char)bytes.data[i] != byte_at(number, i))
            return 0;
    return number;
}

uint64_t receive(weir_reader *reader, uint64_t *ret_gap) {
    weir_message *message = NULL;
    if (weir_reader_next(reader, 10 * SECOND, &message, NULL) != WEIR_OK)
        return 0;
    if (ret_gap)
        *ret_gap = weir_message_gap(message);
    return number_of(message);
}
