/* What the tests of named pipes share: a scratch folder for each, ends that must open, and messages that can be
 * checked. */
#ifndef WEIR_FIFO_TESTING_H
#define WEIR_FIFO_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <weir/weir.h>

#define SECOND INT64_C(1000000000)

extern char folder[64], path[96]; /* path: of the pipe, FOLDER/p */

int setup(void **state);
int teardown(void **state);
#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

/* The pipe's address with @options ("" or "?a=b&..."). One of a few static buffers. */
const char *with(const char *options);
/* Ends of it; the test fails when they cannot be opened. */
weir_writer *writer_open(const char *options);
weir_reader *reader_open(const char *options);

/* Byte @index of message @number, behind the number itself. */
unsigned char byte_at(uint64_t number, size_t index);
/* Send the number as 8 bytes, then @size bytes that follow from it. Return: what weir_writer_send_bytes returns. */
int send_bytes(weir_writer *writer, uint64_t number, size_t size);
/* Return: the message's number; 0 for one that is not whole. */
uint64_t number_of(const weir_message *message);
/* The next message within ten seconds. Return: its number; 0 for none. @ret_gap may be NULL. */
uint64_t receive(weir_reader *reader, uint64_t *ret_gap);

#endif
