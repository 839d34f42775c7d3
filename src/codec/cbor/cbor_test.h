/* What cbor_test.c, cbor_rules.c and cbor_corpora.c share. */
#ifndef WEIR_CBOR_TEST_H
#define WEIR_CBOR_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/cbor/cbor.h"
#include "codec/codec.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct fixture {
    weir_doc *doc;
    weir_doc *other;
    weir_buffer *out;
    weir_buffer *text;
    weir_error err;
    unsigned char *input; /* what @doc points into, a block of exactly its size */
};

int setup(void **state);
int teardown(void **state);

enum { HEX_ROOM = 1 << 16 };
/* Hexadecimal digits, with blanks between, to at most HEX_ROOM bytes. Return: how many. */
size_t from_hex(const char *hex, unsigned char *bytes);
/* Decode a copy at the end of a block of its own, and check what holds after every decoding. */
int decode_with(struct fixture *fixture, const void *data, size_t size, const weir_codec_options *options,
                size_t *ret_used);
int decode_hex(struct fixture *fixture, const char *hex, uint32_t flags);
/* Encode the root of fixture->doc as hexadecimal digits, in fixture->text; must succeed. */
const char *encode_hex(struct fixture *fixture, uint32_t flags);
/* The same as JSON, which fixture->text then holds. */
const char *encode_json(struct fixture *fixture, uint32_t flags);

extern const struct CMUnitTest rules_tests[];
extern const size_t rules_test_count;
extern const struct CMUnitTest corpora_tests[];
extern const size_t corpora_test_count;

#endif
