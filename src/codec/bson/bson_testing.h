/* What the tests of BSON share: documents as bytes in hexadecimal and as typed JSON, into BSON and back.
 *
 * Every input lies at the end of a block of its own, so that a sanitizer sees a byte read too many. */
#ifndef WEIR_BSON_TESTING_H
#define WEIR_BSON_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/bson/bson.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TEST(name)   cmocka_unit_test_setup_teardown(name, setup, teardown)

struct fixture {
    weir_doc *doc;
    weir_doc *other;
    weir_buffer *out;
    weir_error err;
    unsigned char *input; /* what the document points into */
    size_t input_size;
};

static inline int setup(void **state) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    *state = fixture;
    return !fixture || weir_doc_new(&fixture->doc) != WEIR_OK || weir_doc_new(&fixture->other) != WEIR_OK ||
           weir_buffer_new(&fixture->out) != WEIR_OK;
}

static inline int teardown(void **state) {
    struct fixture *fixture = *state;
    weir_doc_free(fixture->doc);
    weir_doc_free(fixture->other);
    weir_buffer_free(fixture->out);
    free(fixture->input);
    free(fixture);
    return 0;
}

/* ---- helpers ---- */

static inline void take(struct fixture *fixture, const void *data, size_t size) {
    unsigned char *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    if (size > 0)
        memcpy(copy, data, size);
    free(fixture->input);
    fixture->input = copy;
    fixture->input_size = size;
}

static inline void take_hex(struct fixture *fixture, const char *hex) {
    size_t size = strlen(hex) / 2;
    take(fixture, hex, size);
    for (size_t i = 0; i < size; i++) {
        unsigned byte;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        fixture->input[i] = (unsigned char)byte;
    }
}

/* Decode what was taken. */
static inline int decode_with(struct fixture *fixture, const weir_codec_options *options) {
    fixture->err = (weir_error){0};
    int status =
        weir_decode(fixture->doc, WEIR_CODEC_BSON, fixture->input, fixture->input_size, options, NULL, &fixture->err);
    assert_int_equal(status, fixture->err.code);
    assert_int_equal(status == WEIR_OK, weir_doc_root(fixture->doc) != NULL);
    return status;
}

static inline int decode(struct fixture *fixture, uint32_t flags) {
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    options.flags = flags;
    return decode_with(fixture, &options);
}

static inline weir_view encode(struct fixture *fixture, const weir_value *value, int codec, uint32_t flags) {
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    options.flags = flags;
    weir_buffer_clear(fixture->out);
    if (weir_encode(value, codec, &options, fixture->out, &fixture->err) != WEIR_OK)
        fail_msg("%s", fixture->err.text);
    return weir_buffer_view(fixture->out);
}

static inline const char *json_of(struct fixture *fixture, const weir_value *value, uint32_t flags) {
    encode(fixture, value, WEIR_CODEC_JSON, flags);
    assert_int_equal(weir_buffer_append(fixture->out, "", 1), WEIR_OK);
    return weir_buffer_view(fixture->out).data;
}

/* Read typed JSON into the other document. */
static inline const weir_value *read_json(struct fixture *fixture, const char *json) {
    if (weir_decode(fixture->other, WEIR_CODEC_JSON, json, strlen(json), NULL, NULL, &fixture->err) != WEIR_OK)
        fail_msg("%s: %s", json, fixture->err.text);
    return weir_doc_root(fixture->other);
}

static inline char *hex_of(weir_view view) {
    char *hex = malloc(view.size * 2 + 1);
    assert_non_null(hex);
    for (size_t i = 0; i < view.size; i++)
        sprintf(hex + 2 * i, "%02x", (unsigned char)view.data[i]);
    hex[view.size * 2] = '\0';
    return hex;
}

static inline void check_hex(struct fixture *fixture, const weir_value *value, uint32_t flags, const char *expected,
                             const char *name) {
    char *hex = hex_of(encode(fixture, value, WEIR_CODEC_BSON, flags));
    if (strcasecmp(hex, expected) != 0)
        fail_msg("%s: got %s, expected %s", name, hex, expected);
    free(hex);
}

/* @value comes back from @codec as it was. */
static inline void check_through(struct fixture *fixture, const weir_value *value, int codec, const char *name) {
    weir_view view = encode(fixture, value, codec, 0);
    char *copy = malloc(view.size + 1);
    weir_doc *doc = NULL;
    assert_non_null(copy);
    memcpy(copy, view.data, view.size);
    assert_int_equal(weir_doc_new(&doc), WEIR_OK);
    if (weir_decode(doc, codec, copy, view.size, NULL, NULL, &fixture->err) != WEIR_OK)
        fail_msg("%s through %s: %s", name, weir_codec_name(codec), fixture->err.text);
    if (!weir_value_equal(value, weir_doc_root(doc)))
        fail_msg("%s through %s: became %s", name, weir_codec_name(codec), json_of(fixture, weir_doc_root(doc), 0));
    weir_doc_free(doc);
    free(copy);
}

struct element {
    const char *json;
    const char *hex;
};

#endif
