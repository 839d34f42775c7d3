/* Published test data for CBOR, as ../shared/corpora/README.md beside the checkout describes it (WEIR_CORPORA names
 * another folder). Without the data these tests skip and say so; what matters of it stands in cbor_test.c too. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/cbor/cbor_test.h"

struct corpus {
    char *text;
    weir_doc *doc; /* an array of maps; points into the text */
    weir_iter it;
};

/* Read one file of the corpora; skips the test when it is not there. */
static void corpus_open(struct corpus *corpus, const char *name) {
    const char *given = getenv("WEIR_CORPORA");
    const char *source = getenv("WEIR_SOURCE");
    char path[4096];
    snprintf(path, sizeof(path), "%s%s/cbor/%s",
             given    ? given
             : source ? source
                      : ".",
             given ? "" : "/../shared/corpora", name);
    FILE *file = fopen(path, "rb");
    if (!file) {
        print_message("skip: no %s (set WEIR_CORPORA)\n", path);
        skip();
        return;
    }
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    size_t size = (size_t)ftell(file);
    rewind(file);
    weir_error err = {0};
    corpus->text = malloc(size + 1);
    assert_non_null(corpus->text);
    assert_int_equal(fread(corpus->text, 1, size, file), size);
    fclose(file);
    assert_int_equal(weir_doc_new(&corpus->doc), WEIR_OK);
    if (weir_decode(corpus->doc, WEIR_CODEC_JSON, corpus->text, size, NULL, NULL, &err) != WEIR_OK)
        fail_msg("%s: %s", path, err.text);
    weir_iter_init(&corpus->it, weir_doc_root(corpus->doc));
}

static void corpus_close(struct corpus *corpus) {
    weir_doc_free(corpus->doc);
    free(corpus->text);
}

/* A text of the entry at hand with a NUL, in one of two places; "" when there is none. */
static const char *entry_text(const struct corpus *corpus, const char *path) {
    static char texts[2][2 * HEX_ROOM + 1];
    static unsigned next;
    char *text = texts[next++ % 2];
    weir_view view = {"", 0};
    if (weir_get_text(corpus->it.value, path, &view) != WEIR_OK)
        view.size = 0;
    assert_true(view.size < sizeof(texts[0]));
    memcpy(text, view.data, view.size);
    text[view.size] = '\0';
    return text;
}

/* ---- appendix A ---- */

/* Whether a value decoded from CBOR is what a JSON reader made of the same: the kinds of numbers do not matter. */
static int is_like(const weir_value *value, const weir_value *json) {
    double a, b;
    weir_iter left, right;
    if (weir_value_kind(value) == WEIR_KIND_ARRAY || weir_value_kind(value) == WEIR_KIND_MAP) {
        if (weir_value_kind(json) != weir_value_kind(value) || weir_value_count(json) != weir_value_count(value))
            return 0;
        weir_iter_init(&left, value);
        weir_iter_init(&right, json);
        while (weir_iter_next(&left) && weir_iter_next(&right))
            if ((left.key && !is_like(left.key, right.key)) || !is_like(left.value, right.value))
                return 0;
        return 1;
    }
    if (weir_value_equal(value, json))
        return 1;
    return weir_get_f64(value, NULL, &a) == WEIR_OK && weir_get_f64(json, NULL, &b) == WEIR_OK && a == b;
}

static void test_appendix_a(void **state) {
    struct fixture *fixture = *state;
    struct corpus corpus = {0};
    int cases = 0, decoded = 0, same = 0;
    for (corpus_open(&corpus, "appendix_a.json"); weir_iter_next(&corpus.it); cases++) {
        const char *hex = entry_text(&corpus, "hex");
        const weir_value *expected;
        int is_malformed = strcmp(entry_text(&corpus, "rfc8949"), "malformed") == 0, roundtrip = 0;
        assert_int_equal(decode_hex(fixture, hex, 0), is_malformed ? WEIR_EPARSE : WEIR_OK);
        if (is_malformed)
            continue;
        assert_int_equal(decode_hex(fixture, hex, WEIR_STRICT), WEIR_OK);
        if (weir_get(corpus.it.value, "decoded", &expected) == WEIR_OK) {
            if (!is_like(weir_doc_root(fixture->doc), expected))
                fail_msg("%s is decoded to %s", hex, encode_json(fixture, 0));
            decoded++;
        }
        assert_int_equal(weir_get_bool(corpus.it.value, "roundtrip", &roundtrip), WEIR_OK);
        if (roundtrip)
            assert_string_equal(encode_hex(fixture, 0), hex);
        same += roundtrip;
    }
    print_message("appendix A: %d cases, %d compared, %d written back the same\n", cases, decoded, same);
    assert_true(cases > 80 && decoded > 50 && same > 50);
    corpus_close(&corpus);
}

/* ---- what must be refused ---- */

static void test_malformed(void **state) {
    struct fixture *fixture = *state;
    static const uint32_t flags[] = {0, WEIR_STRICT, WEIR_SEQUENCE};
    struct corpus corpus = {0};
    int cases = 0;
    for (corpus_open(&corpus, "malformed.json"); weir_iter_next(&corpus.it); cases++) {
        const char *hex = entry_text(&corpus, "hex");
        weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
        static unsigned char bytes[HEX_ROOM];
        size_t size = from_hex(hex, bytes);
        for (size_t i = 0; i < COUNT(flags); i++) {
            options.flags = flags[i];
            options.depth_max = 60000; /* so that it is the bytes that are refused, and not their depth */
            if (decode_with(fixture, bytes, size, &options, NULL) != WEIR_EPARSE)
                fail_msg("%s (%s): %s %s", entry_text(&corpus, "name"), entry_text(&corpus, "why"),
                         weir_err_name(fixture->err.code), fixture->err.text);
        }
        int status = decode_with(fixture, bytes, size, NULL, NULL);
        assert_true(status == WEIR_EPARSE || status == WEIR_ELIMIT);
    }
    print_message("malformed: %d cases\n", cases);
    assert_true(cases > 280);
    corpus_close(&corpus);
}

static void test_invalid(void **state) {
    struct fixture *fixture = *state;
    struct corpus corpus = {0};
    int cases = 0;
    for (corpus_open(&corpus, "invalid.json"); weir_iter_next(&corpus.it); cases++) {
        int is_utf8 = strcmp(entry_text(&corpus, "why"), "utf8") == 0;
        int status = decode_hex(fixture, entry_text(&corpus, "hex"), 0);
        if (status != (is_utf8 ? WEIR_EPARSE : WEIR_OK) ||
            decode_hex(fixture, entry_text(&corpus, "hex"), WEIR_STRICT) != WEIR_EPARSE)
            fail_msg("%s: %s, and strictly %s", entry_text(&corpus, "name"), weir_err_name(status),
                     weir_err_name(fixture->err.code));
    }
    print_message("invalid: %d cases\n", cases);
    assert_true(cases > 40);
    corpus_close(&corpus);
}

/* ---- deterministic encoding ---- */

/* What is deterministic comes back the same under WEIR_CANONICAL, what is not comes back in other bytes. */
static void test_deterministic(void **state) {
    struct fixture *fixture = *state;
    struct corpus corpus = {0};
    int cases = 0;
    for (corpus_open(&corpus, "deterministic.json"); weir_iter_next(&corpus.it); cases++) {
        const char *hex = entry_text(&corpus, "hex");
        int is_deterministic = strcmp(entry_text(&corpus, "expect"), "deterministic") == 0;
        assert_int_equal(decode_hex(fixture, hex, 0), WEIR_OK);
        int is_same = strcmp(encode_hex(fixture, WEIR_CANONICAL), hex) == 0;
        if (is_same != is_deterministic)
            fail_msg("%s: %s becomes %s", entry_text(&corpus, "name"), entry_text(&corpus, "hex"),
                     encode_hex(fixture, WEIR_CANONICAL));
    }
    print_message("deterministic: %d cases\n", cases);
    assert_true(cases > 75);
    corpus_close(&corpus);
}

/* ---- sequences ---- */

static void check_sequence(struct fixture *fixture, const struct corpus *corpus) {
    static unsigned char bytes[HEX_ROOM];
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    options.flags = WEIR_SEQUENCE;
    size_t size = from_hex(entry_text(corpus, "hex"), bytes), at = 0;
    int64_t items = 0, expected = -1, first = 0;
    int status = WEIR_OK;
    assert_int_equal(weir_get_i64(corpus->it.value, "item_len", &first), WEIR_OK);
    while (status == WEIR_OK && at < size) {
        size_t used = 0;
        status = decode_with(fixture, bytes + at, size - at, &options, &used);
        at += used;
        items += status == WEIR_OK;
        if (items == 1 && status == WEIR_OK)
            assert_int_equal(used, first);
    }
    assert_int_equal(status, strcmp(entry_text(corpus, "rest"), "ok") == 0 ? WEIR_OK : WEIR_EPARSE);
    if (weir_get_i64(corpus->it.value, "items", &expected) == WEIR_OK)
        assert_int_equal(items, expected);
    assert_int_equal(decode_with(fixture, bytes, size, NULL, NULL), WEIR_EPARSE); /* none of them is one item */
}

static void test_trailing_sequence(void **state) {
    struct corpus corpus = {0};
    int cases = 0;
    for (corpus_open(&corpus, "trailing_sequence.json"); weir_iter_next(&corpus.it); cases++)
        check_sequence(*state, &corpus);
    print_message("sequences: %d cases\n", cases);
    assert_true(cases >= 7);
    corpus_close(&corpus);
}

/* ---- typed arrays ---- */

/* The elements in the order of the indices against nested lists of numbers. */
static int is_elements(const weir_ndarray *array, uint64_t *position, const weir_value *values) {
    weir_iter it;
    struct weir_value element;
    double a, b;
    if (weir_value_kind(values) == WEIR_KIND_ARRAY) {
        weir_iter_init(&it, values);
        while (weir_iter_next(&it))
            if (!is_elements(array, position, it.value))
                return 0;
        return 1;
    }
    if (*position >= weir_ndarray_count(array))
        return 0;
    weir_ndarray_element(array, (*position)++, &element);
    return weir_get_f64(&element, NULL, &a) == WEIR_OK && weir_get_f64(values, NULL, &b) == WEIR_OK && a == b;
}

/* Whether this library has an element type for a tag: none for clamped bytes, halves and quadruples. */
static int has_element(int64_t tag) {
    return tag != 68 && tag != 80 && tag != 83 && tag != 84 && tag != 87;
}

static void test_typed_arrays(void **state) {
    struct fixture *fixture = *state;
    struct corpus corpus = {0};
    int cases = 0, arrays = 0;
    for (corpus_open(&corpus, "typed_arrays.json"); weir_iter_next(&corpus.it); cases++) {
        const char *hex = entry_text(&corpus, "hex");
        const weir_value *values = NULL;
        weir_ndarray array;
        uint64_t position = 0;
        int64_t tag = 0;
        assert_int_equal(decode_hex(fixture, hex, 0), WEIR_OK);
        assert_int_equal(decode_hex(fixture, hex, WEIR_STRICT), WEIR_OK);
        assert_string_equal(encode_hex(fixture, 0), hex);
        assert_int_equal(weir_get_i64(corpus.it.value, "tag", &tag), WEIR_OK);
        assert_int_equal(weir_get(corpus.it.value, "values", &values), WEIR_OK);
        if (!has_element(tag)) {
            assert_int_equal(weir_value_kind(weir_doc_root(fixture->doc)), WEIR_KIND_TAGGED);
            continue;
        }
        assert_int_equal(weir_get_ndarray(weir_doc_root(fixture->doc), NULL, &array), WEIR_OK);
        if (!is_elements(&array, &position, values) || position != weir_ndarray_count(&array))
            fail_msg("%s has other elements", hex);
        arrays++;
    }
    print_message("typed arrays: %d cases, %d with an element type here\n", cases, arrays);
    assert_true(cases >= 25 && arrays >= 20);
    corpus_close(&corpus);
}

const struct CMUnitTest corpora_tests[] = {
    cmocka_unit_test_setup_teardown(test_appendix_a, setup, teardown),
    cmocka_unit_test_setup_teardown(test_malformed, setup, teardown),
    cmocka_unit_test_setup_teardown(test_invalid, setup, teardown),
    cmocka_unit_test_setup_teardown(test_deterministic, setup, teardown),
    cmocka_unit_test_setup_teardown(test_trailing_sequence, setup, teardown),
    cmocka_unit_test_setup_teardown(test_typed_arrays, setup, teardown),
};
const size_t corpora_test_count = COUNT(corpora_tests);
