/* The table of codecs that the contract is checked on, and what the tests of it share. */
#ifndef WEIR_CONFORMANCE_CODECS_H
#define WEIR_CONFORMANCE_CODECS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/codec.h"
#include "documents.h"
#include "heap.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum codec_trait {
    /* The bytes say nothing about themselves: every input is a document, and their type travels beside them. */
    CODEC_IS_BARE = 1,
    /* Under WEIR_STRICT the root must be a map: `native` and `foreign` speak of values inside it. */
    CODEC_ROOT_IS_MAP = 2
};

struct codec_case {
    int codec;
    uint32_t carries; /* kinds that come back as they were: KIND(...) | ... */
    uint32_t native;  /* those that WEIR_STRICT always encodes */
    uint32_t foreign; /* those that WEIR_STRICT never encodes; in neither: it depends on the value */
    uint32_t traits;  /* enum codec_trait */
    size_t memory;    /* decoding takes at most 64 KiB and this many times the input */
};
extern const struct codec_case codec_cases[];
extern const size_t codec_case_count;

struct fixture {
    const struct codec_case *codec;
    struct random random;
    weir_doc *doc;     /* the original */
    weir_doc *decoded; /* what came back */
    weir_doc *other;
    weir_buffer *out;
    weir_buffer *second;
    weir_error err;
    unsigned char *input; /* what @decoded points into: a block of exactly its size, for the sanitizer */
};

/* The shape of this codec's documents. */
struct document_shape shape_of(const struct codec_case *codec);

/* What is decoded is copied to a block of its own first. Checks what holds after every decoding. */
int decode_bytes(struct fixture *fixture, const void *data, size_t size, const weir_codec_options *options,
                 size_t *ret_used);
int decode_flags(struct fixture *fixture, weir_view bytes, uint32_t flags);
/* Encode into fixture->out, which keeps what it had before when that fails. */
int encode_options(struct fixture *fixture, const weir_value *value, const weir_codec_options *options);
int encode_flags(struct fixture *fixture, const weir_value *value, uint32_t flags);
/* The same, must succeed. Return: the bytes, in fixture->out. */
weir_view encoded(struct fixture *fixture, const weir_value *value, uint32_t flags);
/* Decode the bytes as they came from @original, with its type where the codec needs it; must succeed and be equal. */
void check_comes_back(struct fixture *fixture, const weir_value *original, weir_view bytes, uint32_t flags);
/* Print a document and fail. */
void fail_document(struct fixture *fixture, const weir_value *value, const char *what);
static inline weir_codec_options options_of(uint32_t flags) {
    return (weir_codec_options){.struct_size = sizeof(weir_codec_options), .flags = flags};
}

/* ---- tests, one file for each group; run on every codec ---- */

struct contract_test {
    const char *name;
    void (*run)(void **state);
};
extern const struct contract_test codec_memory_tests[];
extern const size_t codec_memory_test_count;
extern const struct contract_test codec_vector_tests[];
extern const size_t codec_vector_test_count;

#endif
