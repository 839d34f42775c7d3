/* What the conformance tests share: a scratch place per test, child processes, and messages that can be checked.
 *
 * Every test runs once per transport of the table (a new transport adds a line in harness.c), in its own scratch
 * directory, and fails when it leaves descriptors, files or processes behind. */
#ifndef WEIR_TESTS_HARNESS_H
#define WEIR_TESTS_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>
#include <weir/weir.h>

#define SECOND INT64_C(1000000000)

/* A line of the table: a scheme, and options that stand in every address. */
struct form {
    const char *scheme;
    const char *options;   /* "wait=sem", or "" */
    const char *extension; /* of the name, where it is a path */
    const char *lacks;     /* the suite whose promises it does not make, or NULL */
    const char *why;
};

/* One test's place. */
struct scratch {
    const char *scheme;
    const char *options;
    const char *extension;
    char directory[64];
    char keyed[96]; /* options with a secret of this place */
    int fd_count;      /* open before the test */
    uint32_t key_base; /* sysv://: names are keys, this one plus a number of the name */
};

/* The tests of a suite, each once per transport, as cmocka wants them. */
struct conformance_case {
    const char *name;
    CMUnitTestFunction run;
    uint32_t needs; /* enum weir_trait: only for transports that have these */
    uint32_t lacks; /* only for those that have none of these */
};
/* clang-format off */
#define CONFORMANCE_OF(function, needs, lacks) {#function, function, needs, lacks}
#define CONFORMANCE(function) CONFORMANCE_OF(function, 0, 0)
/* clang-format on */
int conformance_run(const char *suite, const struct conformance_case *cases, size_t count);

/* The address of channel @name in the scratch place, with @options ("" or "?a=b&..."). One of a few static buffers. */
const char *address(const struct scratch *scratch, const char *name, const char *options);

/* Has the transport that trait (enum weir_trait)? */
int has_trait(const struct scratch *scratch, uint32_t trait);

weir_writer *open_writer(const char *address);
weir_reader *open_reader(const char *address);

/* Send {"n": number} padded with @padding bytes. Return: what weir_writer_send returns. */
int send_number(weir_writer *writer, int64_t number, size_t padding);
/* What it sends, as CBOR, appended to @out. */
int number_encode(int64_t number, size_t padding, weir_buffer *out);
/* Read the next message, which must come within 10 s. Return: its number. */
int64_t next_number(weir_reader *reader);
/* The number in a message; fails the test when its padding is not what was sent. */
int64_t message_number(weir_message *message);

/* Run @run in a child process that exits with what it returns. */
pid_t start(int (*run)(const char *address), const char *address);
/* Wait for a child; it must have exited with @status (or, when negative, been killed by that signal). */
void finish(pid_t child, int status);
/* In children: leave with a line on stderr unless it holds. */
#define CHECK(condition) check_in_child((condition), #condition, __FILE__, __LINE__)
void check_in_child(int holds, const char *condition, const char *file, int line);
/* What there is of channels in the scratch place: names of files that do not begin with '.', and what System V holds
 * for our user. */
int count_things(const struct scratch *scratch);

#endif
