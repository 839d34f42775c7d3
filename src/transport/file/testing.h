/* What the tests of logs share: a scratch folder for each, ends that must open, and messages that can be checked. */
#ifndef WEIR_FILE_TESTING_H
#define WEIR_FILE_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <weir/weir.h>

#include "os/lock.h"
#include "transport/file/file.h"

#define SECOND INT64_C(1000000000)

extern char directory[64];
extern const char *const extensions[];
enum { EXTENSION_COUNT = 5 };

int setup(void **state);
int teardown(void **state);
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

/* Paths and addresses in the folder; each one of a few static buffers. */
const char *path_of(const char *name);
const char *address_of(const char *name, const char *options);
weir_writer *writer_of(const char *name, const char *options);
weir_reader *reader_of(const char *name, const char *options);
/* Send {"n": number} and @padding bytes that depend on it. */
int send_number(weir_writer *writer, int64_t number, size_t padding, weir_error *err);
/* The number in a message, whose padding must be right. */
int64_t number_in(weir_message *message);
int64_t next_number(weir_reader *reader);
void file_write(const char *name, const char *text, int flags);
off_t file_size(const char *name);
/* The next message must be data of these bytes with that seq, or a failure whose sentence says so. */
void expect(weir_reader *reader, int status, const char *what, uint64_t seq);

#endif
