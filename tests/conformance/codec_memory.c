/* What the codec contract says about memory: it follows the input (promise 3), and of vectors it is at most 64 KiB and
 * 8 times the input, whatever the codec; what a document holds in the end are its cells and 64 KiB; a loop over a warm
 * document and buffer allocates nothing, and an allocation that fails is reported as such and leaves everything
 * usable. */
#include <stdlib.h>
#include <string.h>

#include "codecs.h"
#include "value/value.h"
#include "vectors.h"

enum { DOCUMENTS = 120, SLACK = 64 << 10, PER_BYTE_OF_VECTORS = 8 };

/* Decode with a new document and no allocation before it. */
static struct heap_report decode_watched(struct fixture *fixture, weir_view bytes, uint32_t flags, int *ret_status) {
    weir_codec_options options = options_of(flags);
    weir_doc_free(fixture->decoded);
    assert_int_equal(weir_doc_new(&fixture->decoded), WEIR_OK);
    heap_watch_begin();
    *ret_status = weir_decode(fixture->decoded, fixture->codec->codec, bytes.data, bytes.size, &options, NULL, NULL);
    return heap_watch_end();
}

static void check_memory(struct fixture *fixture, const weir_value *root, weir_view bytes, uint32_t flags) {
    int status;
    struct heap_report report = decode_watched(fixture, bytes, flags, &status);
    if (report.peak > SLACK + fixture->codec->memory * bytes.size) {
        print_message("%zu bytes of memory for %zu of input\n", report.peak, bytes.size);
        fail_document(fixture, root, "decoding takes more memory than 64 KiB and its codec's times the input");
    }
}

static void test_memory_follows_the_input(void **state) {
    struct fixture *fixture = *state;
    struct document_shape shape = shape_of(fixture->codec);
    for (int i = 0; i < DOCUMENTS; i++) {
        const weir_value *root = document_build(fixture->doc, &fixture->random, &shape);
        weir_view bytes = encoded(fixture, root, 0);
        check_memory(fixture, root, bytes, 0);
        check_memory(fixture, root, bytes, WEIR_STRICT);
    }
}

/* The values that are short for what they take in memory, many times: this is where 16 bytes for one are hardest to
 * keep. */
static void put_dense(weir_doc *doc, int which) {
    static const unsigned char element;
    weir_ndarray array = {.element = WEIR_U8, .rank = WEIR_RANK_MAX, .data = &element};
    switch (which) {
    case 0: weir_put_null(doc); break;
    case 1: weir_put_i64(doc, 7); break;
    case 2: weir_put_text(doc, "", 0); break;
    case 3: weir_put_text(doc, "\n", 1); break;
    case 4: weir_put_bytes(doc, "\xff", 1); break;
    case 5: weir_put_bigint(doc, "-9223372036854775809", 20); break;
    case 6: weir_put_bigint(doc, "18446744073709551616", 20); break;
    case 7: weir_put_decimal(doc, "0", 1, 0); break;
    case 8: weir_put_decimal(doc, "7", 1, -1); break;
    case 9: weir_put_decimal(doc, "300", 3, 0); break;
    case 10: weir_put_time(doc, 0); break;
    case 11: weir_put_ndarray(doc, &array); break;
    case 12:
        weir_put_tag(doc, WEIR_TAG_SIMPLE, 32); /* those of one byte are fewer, see cbor_test.c */
        weir_put_null(doc);
        break;
    case 13:
        weir_put_tag(doc, WEIR_TAG_CBOR, 6);
        weir_put_null(doc);
        break;
    case 14:
        weir_begin_array(doc);
        weir_end(doc);
        break;
    case 15:
        weir_begin_map(doc);
        weir_end(doc);
        break;
    case 16:
        weir_begin_map(doc);
        weir_put_i64(doc, 1);
        weir_put_decimal(doc, "1", 1, 0);
        weir_end(doc);
        break;
    case 17: weir_put_f32(doc, 1.5f); break;
    case 18: weir_put_f64(doc, 1.5); break;
    case 19: weir_put_undefined(doc); break;
    default: weir_put_bool(doc, 1);
    }
}

enum { DENSE_KINDS = 21 };

/* What a new document of @bytes takes beyond the slack, for each of them. */
static double factor_of(struct fixture *fixture, weir_view bytes) {
    int status;
    size_t peak = decode_watched(fixture, bytes, 0, &status).peak;
    assert_int_equal(status, WEIR_OK);
    return peak > SLACK ? (double)(peak - SLACK) / (double)bytes.size : 0;
}

static void test_dense_values(void **state) {
    struct fixture *fixture = *state;
    double most = 0;
    static const size_t counts[] = {1025, 20000, 33000, 60000};
    for (int which = 0; which < DENSE_KINDS && fixture->codec->carries & KIND(ARRAY); which++)
        for (size_t i = 0; i < COUNT(counts); i++) {
            const weir_value *root = NULL;
            weir_doc_clear(fixture->doc);
            weir_begin_array(fixture->doc);
            for (size_t j = 0; j < counts[i]; j++)
                put_dense(fixture->doc, which);
            weir_end(fixture->doc);
            assert_int_equal(weir_doc_finish(fixture->doc, &root, NULL), WEIR_OK);
            weir_view bytes = encoded(fixture, root, 0);
            check_memory(fixture, root, bytes, 0);
            if (!weir_value_equal(root, weir_doc_root(fixture->decoded)))
                fail_document(fixture, root, "another value came back");
            check_memory(fixture, root, bytes, WEIR_STRICT);
            double factor = factor_of(fixture, bytes);
            most = factor > most ? factor : most;
        }
    print_message("%s: at most %.1f bytes of memory for each of input\n", weir_codec_name(fixture->codec->codec), most);
}

/* ---- vectors and corpora ---- */

static void check_file(struct fixture *fixture, const char *name, weir_view bytes, size_t per_byte) {
    int status;
    struct heap_report report = decode_watched(fixture, bytes, 0, &status);
    if (report.peak > SLACK + per_byte * bytes.size)
        fail_msg("%s takes %zu bytes of memory for %zu of input", name, report.peak, bytes.size);
    if (report.peak > SLACK + PER_BYTE_OF_VECTORS * bytes.size)
        print_message("%s: %zu bytes of memory, 64 KiB and %.1f times the input\n", name, report.peak,
                      (double)(report.peak - SLACK) / (double)bytes.size);
}

static void test_vectors_take_little(void **state) {
    struct fixture *fixture = *state;
    static char names[VECTORS_MAX][VECTOR_NAME_MAX];
    size_t count = vectors_list(names), checked = 0;
    for (size_t i = 0; i < count; i++) {
        size_t size;
        char *bytes = (char *)vector_read(names[i], weir_codec_name(fixture->codec->codec), &size);
        if (bytes)
            check_file(fixture, names[i], (weir_view){bytes, size}, PER_BYTE_OF_VECTORS);
        checked += bytes != NULL;
        free(bytes);
    }
    print_message("%s: %zu vectors\n", weir_codec_name(fixture->codec->codec), checked);
    assert_true(checked > 50);
}

static void check_file_of_corpus(void *state, const char *path, const unsigned char *bytes, size_t size) {
    const struct fixture *fixture = state;
    check_file(state, path, (weir_view){(const char *)bytes, size}, fixture->codec->memory);
}

static void test_corpora_take_little(void **state) {
    struct fixture *fixture = *state;
    static const struct {
        int codec;
        const char *folder;
    } folders[] = {{WEIR_CODEC_JSON, "json/test_parsing"},
                   {WEIR_CODEC_JSON, "json/test_transform"},
                   {WEIR_CODEC_JSON, "json/roundtrip"},
                   {WEIR_CODEC_SMILE, "smile"},
                   {WEIR_CODEC_BSON, "bson/libbson_binary"}};
    size_t checked = 0;
    int is_known = 0;
    for (size_t i = 0; i < COUNT(folders); i++) {
        if (folders[i].codec != fixture->codec->codec)
            continue;
        is_known = 1;
        checked += corpus_each(folders[i].folder, weir_codec_name(folders[i].codec), check_file_of_corpus, fixture);
    }
    if (checked == 0) {
        print_message(is_known ? "skip: no corpora; set WEIR_CORPORA to their folder\n"
                               : "skip: the corpora have no files of this codec, only lists\n");
        skip();
    }
    print_message("%s: %zu files\n", weir_codec_name(fixture->codec->codec), checked);
}

/* Bytes that declare much and hold little: a declared size or count reserves nothing. */
static void test_damaged_input_reserves_nothing(void **state) {
    struct fixture *fixture = *state;
    struct document_shape shape = shape_of(fixture->codec);
    shape.is_short = 1;
    for (int i = 0; i < DOCUMENTS; i++) {
        const weir_value *root = document_build(fixture->doc, &fixture->random, &shape);
        weir_view bytes = encoded(fixture, root, 0);
        for (int j = 0; j < 50 && bytes.size > 0; j++) {
            fixture->out->data[random_below(&fixture->random, bytes.size)] =
                (unsigned char)random_next(&fixture->random);
            check_memory(fixture, root, bytes, 0);
            check_memory(fixture, root, bytes, WEIR_SEQUENCE);
        }
    }
}

static void test_a_loop_allocates_nothing(void **state) {
    struct fixture *fixture = *state;
    struct document_shape shape = shape_of(fixture->codec);
    enum { WARM = 3, ROUNDS = 5 };
    for (int i = 0; i < DOCUMENTS; i++) {
        const weir_value *root = document_build(fixture->doc, &fixture->random, &shape);
        weir_view bytes = encoded(fixture, root, 0);
        int codec = fixture->codec->codec;
        for (int round = 0; round < ROUNDS; round++) {
            heap_watch_begin();
            int decoding = weir_decode(fixture->decoded, codec, bytes.data, bytes.size, NULL, NULL, NULL);
            weir_buffer_clear(fixture->second);
            int encoding = weir_encode(root, codec, NULL, fixture->second, NULL);
            struct heap_report report = heap_watch_end();
            assert_int_equal(decoding, WEIR_OK);
            assert_int_equal(encoding, WEIR_OK);
            if (round >= WARM && report.calls > 0)
                fail_document(fixture, root, "a loop over it still allocates");
        }
    }
}

/* A document that is dense in its second half only, so that what the first half promises is too little; or in its
 * first half. */
static const weir_value *big_document(struct fixture *fixture, int is_dense_first) {
    enum { ITEMS = 30000 };
    static const char sparse[] = "a text that takes more bytes than the cell it takes when it is read";
    const weir_value *root = NULL;
    weir_doc_clear(fixture->doc);
    weir_begin_array(fixture->doc);
    for (int i = 0; i < ITEMS; i++) {
        if ((i < ITEMS / 2) == is_dense_first)
            weir_put_i64(fixture->doc, i % 10);
        else
            weir_put_text(fixture->doc, sparse, sizeof(sparse) - 1);
        if (i % 100 == 0)
            weir_put_time(fixture->doc, i);
    }
    weir_end(fixture->doc);
    assert_int_equal(weir_doc_finish(fixture->doc, &root, NULL), WEIR_OK);
    return root;
}

static void test_a_big_document_takes_its_cells(void **state) {
    struct fixture *fixture = *state;
    if (!(fixture->codec->carries & KIND(ARRAY))) {
        print_message("skip: it has no documents of many values\n");
        skip();
    }
    for (int is_dense_first = 0; is_dense_first < 2; is_dense_first++) {
        const weir_value *root = big_document(fixture, is_dense_first);
        weir_view bytes = encoded(fixture, root, 0);
        int status;
        struct heap_report report = decode_watched(fixture, bytes, 0, &status);
        size_t cells = fixture->decoded->count * sizeof(struct weir_value);
        assert_int_equal(status, WEIR_OK);
        assert_true(weir_value_equal(root, weir_doc_root(fixture->decoded)));
        if (report.left > (long long)(cells + SLACK))
            fail_msg("%lld bytes are held for %zu of cells", report.left, cells);
        heap_watch_begin(); /* and it does not grow again */
        status = weir_decode(fixture->decoded, fixture->codec->codec, bytes.data, bytes.size, NULL, NULL, NULL);
        report = heap_watch_end();
        assert_int_equal(status, WEIR_OK);
        assert_int_equal(report.calls, 0);
    }
}

/* ---- allocations that fail ---- */

/* Decode while the @fail_at-th allocation fails, then once more without. Nothing is left when the document is freed.
 * Return: how many failed. */
static size_t decode_failing(struct fixture *fixture, const weir_value *root, weir_view bytes, uint32_t flags,
                             size_t fail_at, enum heap_failure failure) {
    weir_codec_options options = options_of(flags);
    weir_error err = {0};
    weir_doc *doc = NULL;
    int codec = fixture->codec->codec;
    heap_watch_begin();
    assert_int_equal(weir_doc_new(&doc), WEIR_OK);
    heap_watch_fail(fail_at, failure);
    int status = weir_decode(doc, codec, bytes.data, bytes.size, &options, NULL, &err);
    heap_watch_fail(0, failure);
    int is_empty = weir_doc_root(doc) == NULL;
    int again = weir_decode(doc, codec, bytes.data, bytes.size, &options, NULL, NULL);
    int is_equal = weir_value_equal(root, weir_doc_root(doc)) || fixture->codec->traits & CODEC_IS_BARE;
    weir_doc_free(doc);
    struct heap_report report = heap_watch_end();
    if (status != WEIR_OK && (status != WEIR_ENOMEM || err.code != WEIR_ENOMEM || report.failures == 0))
        fail_document(fixture, root, err.text);
    if (is_empty != (status != WEIR_OK) || again != WEIR_OK || !is_equal)
        fail_document(fixture, root, "the document cannot be used after memory was out");
    if (report.left != 0)
        fail_document(fixture, root, "decoding without memory leaves memory behind");
    return report.failures;
}

/* The same for encoding, behind what the buffer holds already. */
static size_t encode_failing(struct fixture *fixture, const weir_value *root, uint32_t flags, size_t fail_at,
                             enum heap_failure failure) {
    weir_codec_options options = options_of(flags);
    weir_error err = {0};
    weir_buffer *out = NULL;
    int codec = fixture->codec->codec;
    heap_watch_begin();
    assert_int_equal(weir_buffer_new(&out), WEIR_OK);
    assert_int_equal(weir_buffer_append(out, "kept", 4), WEIR_OK);
    heap_watch_fail(fail_at, failure);
    int status = weir_encode(root, codec, &options, out, &err);
    heap_watch_fail(0, failure);
    weir_view kept = weir_buffer_view(out);
    int is_kept = memcmp(kept.data, "kept", 4) == 0 && (status == WEIR_OK || kept.size == 4);
    int again = weir_encode(root, codec, &options, out, NULL);
    weir_buffer_free(out);
    struct heap_report report = heap_watch_end();
    if (report.failures > 0 && status != WEIR_OK && status != WEIR_ENOMEM && status != again)
        fail_document(fixture, root, err.text);
    if (status == WEIR_ENOMEM && err.code != WEIR_ENOMEM)
        fail_document(fixture, root, "no sentence says that memory is out");
    if (!is_kept || again == WEIR_ENOMEM || (flags == 0 && again != WEIR_OK))
        fail_document(fixture, root, "the buffer cannot be used after memory was out");
    if (report.left != 0)
        fail_document(fixture, root, "encoding without memory leaves memory behind");
    return report.failures;
}

static void test_allocations_that_fail(void **state) {
    struct fixture *fixture = *state;
    static const uint32_t encodings[] = {0, WEIR_CANONICAL, WEIR_PLAIN, WEIR_PRETTY, WEIR_STRICT};
    struct document_shape shape = shape_of(fixture->codec);
    int failures = 0;
    shape.is_polite = 1;
    shape.values = 150;
    for (int i = 0; i < DOCUMENTS; i++) {
        enum heap_failure failure = i % 2 ? HEAP_FAILS_ON : HEAP_FAILS_ONCE;
        const weir_value *root = document_build(fixture->doc, &fixture->random, &shape);
        for (size_t j = 0; j < COUNT(encodings); j++)
            for (size_t at = 1; encode_failing(fixture, root, encodings[j], at, failure) > 0; at++)
                failures++;
        weir_view bytes = encoded(fixture, root, 0);
        for (uint32_t flags = 0; flags <= WEIR_STRICT; flags += WEIR_STRICT)
            for (size_t at = 1; decode_failing(fixture, root, bytes, flags, at, failure) > 0; at++)
                failures++;
    }
    print_message("%s: %d allocations failed\n", weir_codec_name(fixture->codec->codec), failures);
    assert_true(failures > DOCUMENTS);
}

/* A warm document whose arena must be merged, and cannot, still decodes. */
static void test_clearing_without_memory(void **state) {
    struct fixture *fixture = *state;
    struct document_shape shape = shape_of(fixture->codec);
    for (int i = 0; i < DOCUMENTS; i++) {
        const weir_value *root = document_build(fixture->doc, &fixture->random, &shape);
        weir_view bytes = encoded(fixture, root, 0);
        check_comes_back(fixture, root, bytes, 0);
        heap_watch_begin();
        heap_watch_fail(1, HEAP_FAILS_ON);
        weir_doc_clear(fixture->decoded);
        heap_watch_end();
        assert_null(weir_doc_root(fixture->decoded));
        check_comes_back(fixture, root, bytes, 0);
    }
}

const struct contract_test codec_memory_tests[] = {
    {"memory follows the input", test_memory_follows_the_input},
    {"dense values", test_dense_values},
    {"vectors take little memory", test_vectors_take_little},
    {"corpora take little memory", test_corpora_take_little},
    {"damaged input reserves nothing", test_damaged_input_reserves_nothing},
    {"a loop allocates nothing", test_a_loop_allocates_nothing},
    {"a big document takes its cells", test_a_big_document_takes_its_cells},
    {"allocations that fail", test_allocations_that_fail},
    {"clearing without memory", test_clearing_without_memory},
};
const size_t codec_memory_test_count = COUNT(codec_memory_tests);
