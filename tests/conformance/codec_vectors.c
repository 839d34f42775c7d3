/* The vectors of this project on every codec: what NAME.json means is what NAME.cbor, NAME.raw ... mean, and both
 * are written back byte for byte; other spellings are read, and what is listed as wrong is refused at its byte.
 * vectors/README.md describes the files. A codec without a file for a vector is not checked on it; how many were is
 * printed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codecs.h"
#include "vectors.h"

enum { HEX_ROOM = 4096 };

/* The meaning of a vector, in fixture->doc. The text must outlive it. */
static const weir_value *meaning_of(struct fixture *fixture, const unsigned char *json, size_t size) {
    if (weir_decode(fixture->doc, WEIR_CODEC_JSON, json, size, NULL, NULL, &fixture->err) != WEIR_OK)
        fail_msg("a vector in JSON: %s", fixture->err.text);
    return weir_doc_root(fixture->doc);
}

static void check_bytes(const char *name, weir_view is, const unsigned char *expected, size_t size) {
    size_t i = 0;
    while (i < is.size && i < size && (unsigned char)is.data[i] == expected[i])
        i++;
    if (i < is.size || i < size)
        fail_msg("%s: other bytes are written, from offset %zu on", name, i);
}

/* Raw data with its type beside it, in NAME.raw.type. */
static void check_bare_vector(struct fixture *fixture, const char *name, const weir_value *meaning,
                              const unsigned char *bytes, size_t size) {
    weir_ndarray type, is;
    char text[WEIR_RAW_TYPE_MAX];
    char ending[32];
    size_t type_size;
    snprintf(ending, sizeof(ending), "%s.type", weir_codec_name(fixture->codec->codec));
    char *wanted = (char *)vector_read(name, ending, &type_size);
    if (!wanted || type_size == 0 || wanted[type_size - 1] != '\n')
        fail_msg("%s.%s is not one line", name, ending);
    wanted[--type_size] = '\0';
    if (weir_raw_type_parse(wanted, type_size, &type, &fixture->err) != WEIR_OK ||
        weir_raw_document(fixture->decoded, &type, bytes, size, &fixture->err) != WEIR_OK ||
        weir_raw_describe(meaning, &is, &fixture->err) != WEIR_OK)
        fail_msg("%s: %s", name, fixture->err.text);
    weir_raw_type_write(&is, text);
    assert_string_equal(text, wanted);
    check_bytes(name, encoded(fixture, meaning, 0), bytes, size);
    check_bytes(name, encoded(fixture, weir_doc_root(fixture->decoded), 0), bytes, size);
    free(wanted);
}

static void check_vector(struct fixture *fixture, const char *name, const weir_value *meaning,
                         const unsigned char *bytes, size_t size) {
    if (fixture->codec->traits & CODEC_IS_BARE) {
        check_bare_vector(fixture, name, meaning, bytes, size);
        return;
    }
    if (decode_bytes(fixture, bytes, size, NULL, NULL) != WEIR_OK)
        fail_msg("%s: %s", name, fixture->err.text);
    if (!weir_value_equal(meaning, weir_doc_root(fixture->decoded))) {
        fail_document(fixture, weir_doc_root(fixture->decoded), name);
    }
    check_bytes(name, encoded(fixture, weir_doc_root(fixture->decoded), 0), bytes, size);
    check_comes_back(fixture, meaning, encoded(fixture, meaning, 0), 0);
}

static void test_vectors(void **state) {
    struct fixture *fixture = *state;
    static char names[VECTORS_MAX][VECTOR_NAME_MAX];
    const char *codec = weir_codec_name(fixture->codec->codec);
    size_t count = vectors_list(names), checked = 0;
    assert_true(count > 50);
    for (size_t i = 0; i < count; i++) {
        size_t json_size, size;
        unsigned char *json = vector_read(names[i], "json", &json_size);
        unsigned char *bytes = vector_read(names[i], codec, &size);
        assert_non_null(json);
        assert_int_equal(json[json_size - 1], '\n'); /* the file is a line, the value is not */
        const weir_value *meaning = meaning_of(fixture, json, json_size);
        if (bytes) {
            check_vector(fixture, names[i], meaning, bytes, fixture->codec->codec == WEIR_CODEC_JSON ? size - 1 : size);
            checked++;
        }
        free(bytes);
        free(json);
    }
    print_message("%s: %zu of %zu vectors\n", codec, checked, count);
}

/* CODEC.accept: "HEX NAME why": other bytes that mean the same. */
static void test_other_spellings(void **state) {
    struct fixture *fixture = *state;
    const char *codec = weir_codec_name(fixture->codec->codec);
    unsigned char bytes[HEX_ROOM];
    struct vector_line line = {0};
    size_t size, checked = 0;
    char *list = (char *)vector_read(codec, "accept", &size);
    for (char *at = list; list && vector_line_next(&at, 3, &line); checked++) {
        size_t json_size;
        unsigned char *json = vector_read(line.fields[1], "json", &json_size);
        size = vector_hex(line.fields[0], bytes, sizeof(bytes));
        if (!json || size == SIZE_MAX)
            fail_msg("%s.accept:%d: no such vector, or not hexadecimal", codec, line.number);
        const weir_value *meaning = meaning_of(fixture, json, json_size);
        if (decode_bytes(fixture, bytes, size, NULL, NULL) != WEIR_OK)
            fail_msg("%s.accept:%d: %s", codec, line.number, fixture->err.text);
        if (!weir_value_equal(meaning, weir_doc_root(fixture->decoded)))
            fail_document(fixture, weir_doc_root(fixture->decoded), line.fields[0]);
        free(json);
    }
    free(list);
    print_message("%s: %zu other spellings\n", codec, checked);
}

/* CODEC.reject: "HEX MODE OFFSET why", where MODE is always or strict; what is refused under strict only is else
 * accepted. */
static void check_refusal(struct fixture *fixture, const struct vector_line *line) {
    const char *codec = weir_codec_name(fixture->codec->codec);
    unsigned char bytes[HEX_ROOM];
    size_t size = vector_hex(line->fields[0], bytes, sizeof(bytes));
    int is_strict = strcmp(line->fields[1], "strict") == 0;
    if (size == SIZE_MAX || (!is_strict && strcmp(line->fields[1], "always") != 0))
        fail_msg("%s.reject:%d is not \"HEX always|strict OFFSET why\"", codec, line->number);
    weir_view view = {(const char *)bytes, size};
    int status = decode_flags(fixture, view, is_strict ? WEIR_STRICT : 0);
    int is_anywhere = strcmp(line->fields[2], "-") == 0;
    if (status != WEIR_EPARSE || (!is_anywhere && fixture->err.offset != strtoull(line->fields[2], NULL, 10)))
        fail_msg("%s.reject:%d (%s): %s at byte %d: %s", codec, line->number, line->fields[3], weir_err_name(status),
                 (int)fixture->err.offset, fixture->err.text);
    assert_int_equal(decode_flags(fixture, view, is_strict ? 0 : WEIR_STRICT), is_strict ? WEIR_OK : WEIR_EPARSE);
}

/* raw.reject: "TYPE HEX why". */
static void check_bare_refusal(struct fixture *fixture, const struct vector_line *line) {
    unsigned char bytes[HEX_ROOM];
    weir_ndarray type;
    size_t size = vector_hex(line->fields[1], bytes, sizeof(bytes));
    assert_true(size != SIZE_MAX);
    int status = weir_raw_type_parse(line->fields[0], strlen(line->fields[0]), &type, &fixture->err);
    if (status == WEIR_OK)
        status = weir_raw_document(fixture->decoded, &type, bytes, size, &fixture->err);
    assert_int_equal(status, fixture->err.code);
    if (status != WEIR_EINVAL && status != WEIR_EPARSE)
        fail_msg("line %d (%s): %s", line->number, line->fields[2], weir_err_name(status));
    assert_null(weir_doc_root(fixture->decoded));
}

static void test_refusals(void **state) {
    struct fixture *fixture = *state;
    const char *codec = weir_codec_name(fixture->codec->codec);
    int is_bare = (fixture->codec->traits & CODEC_IS_BARE) != 0;
    struct vector_line line = {0};
    size_t size, checked = 0;
    char *list = (char *)vector_read(codec, "reject", &size);
    for (char *at = list; list && vector_line_next(&at, is_bare ? 3 : 4, &line); checked++) {
        fixture->err = (weir_error){0};
        if (is_bare)
            check_bare_refusal(fixture, &line);
        else
            check_refusal(fixture, &line);
    }
    free(list);
    print_message("%s: %zu refusals\n", codec, checked);
}

/* CODEC.canonical: "HEX NAME why": the deterministic form of a vector. */
static void test_canonical_forms(void **state) {
    struct fixture *fixture = *state;
    const char *codec = weir_codec_name(fixture->codec->codec);
    unsigned char bytes[HEX_ROOM];
    struct vector_line line = {0};
    size_t size, checked = 0;
    char *list = (char *)vector_read(codec, "canonical", &size);
    for (char *at = list; list && vector_line_next(&at, 3, &line); checked++) {
        size_t json_size;
        unsigned char *json = vector_read(line.fields[1], "json", &json_size);
        size = vector_hex(line.fields[0], bytes, sizeof(bytes));
        if (!json || size == SIZE_MAX)
            fail_msg("%s.canonical:%d: no such vector, or not hexadecimal", codec, line.number);
        const weir_value *meaning = meaning_of(fixture, json, json_size);
        check_bytes(line.fields[1], encoded(fixture, meaning, WEIR_CANONICAL), bytes, size);
        free(json);
    }
    free(list);
    print_message("%s: %zu canonical forms\n", codec, checked);
}

const struct contract_test codec_vector_tests[] = {
    {"vectors", test_vectors},
    {"other spellings", test_other_spellings},
    {"refusals", test_refusals},
    {"canonical forms", test_canonical_forms},
};
const size_t codec_vector_test_count = COUNT(codec_vector_tests);
