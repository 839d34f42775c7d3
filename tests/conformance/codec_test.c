/* The codec contract (src/codec/codec.h) on every codec: the same tests, only the line in the table below differs.
 *
 * Documents are random from a printed seed; WEIR_SEED sets another. What each promise says about values, limits and
 * refusals is here; what it says about memory is in codec_memory.c; the files of vectors/ are read in
 * codec_vectors.c. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codecs.h"

enum {
    JSON_NATIVE = KIND(NULL) | KIND(BOOL) | KIND(INT64) | KIND(UINT64) | KIND(BIGINT) | KIND(TEXT) | KIND(ARRAY),
    JSON_FOREIGN =
        KIND(UNDEFINED) | KIND(FLOAT32) | KIND(DECIMAL) | KIND(BYTES) | KIND(TIME) | KIND(NDARRAY) | KIND(TAGGED),
    SMILE_FOREIGN = KIND(UNDEFINED) | KIND(TIME) | KIND(NDARRAY) | KIND(TAGGED),
    SMILE_NATIVE = KINDS_ALL & ~SMILE_FOREIGN & ~KIND(DECIMAL) & ~KIND(MAP),
    BSON_FOREIGN = KIND(UINT64) | KIND(BIGINT) | KIND(FLOAT32),
    BSON_NATIVE =
        KINDS_ALL & ~BSON_FOREIGN & ~KIND(DECIMAL) & ~KIND(TIME) & ~KIND(MAP) & ~KIND(NDARRAY) & ~KIND(TAGGED),
    RAW_KINDS = KIND(INT64) | KIND(UINT64) | KIND(FLOAT32) | KIND(FLOAT64) | KIND(NDARRAY),
};

/* A new codec adds one line: what it brings back, what WEIR_STRICT always and never encodes, how it is special, and its
 * memory: a cell takes 16 bytes, the smallest value one byte of CBOR and Smile, two of JSON, three of BSON. */
const struct codec_case codec_cases[] = {
    {WEIR_CODEC_JSON, KINDS_ALL, JSON_NATIVE, JSON_FOREIGN, 0, 8},
    {WEIR_CODEC_CBOR, KINDS_ALL, KINDS_ALL & ~KIND(TAGGED), 0, 0, 16},
    {WEIR_CODEC_SMILE, KINDS_ALL, SMILE_NATIVE, SMILE_FOREIGN, 0, 16},
    {WEIR_CODEC_BSON, KINDS_ALL, BSON_NATIVE, BSON_FOREIGN, CODEC_ROOT_IS_MAP, 8},
    {WEIR_CODEC_RAW, RAW_KINDS, RAW_KINDS | KIND(BYTES), KINDS_ALL & ~(RAW_KINDS | KIND(BYTES)), CODEC_IS_BARE, 8},
};
const size_t codec_case_count = COUNT(codec_cases);

enum { SEED = 20261127, DOCUMENTS = 400 };

static uint64_t seed(void) {
    const char *given = getenv("WEIR_SEED");
    return given ? strtoull(given, NULL, 10) : SEED;
}

static int setup(void **state) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    if (!fixture)
        return -1;
    fixture->codec = *state;
    fixture->random.state = seed();
    *state = fixture;
    return weir_doc_new(&fixture->doc) != WEIR_OK || weir_doc_new(&fixture->decoded) != WEIR_OK ||
           weir_doc_new(&fixture->other) != WEIR_OK || weir_buffer_new(&fixture->out) != WEIR_OK ||
           weir_buffer_new(&fixture->second) != WEIR_OK;
}

static int teardown(void **state) {
    struct fixture *fixture = *state;
    weir_doc_free(fixture->doc);
    weir_doc_free(fixture->decoded);
    weir_doc_free(fixture->other);
    weir_buffer_free(fixture->out);
    weir_buffer_free(fixture->second);
    free(fixture->input);
    free(fixture);
    return 0;
}

static int is_bare(const struct fixture *fixture) {
    return (fixture->codec->traits & CODEC_IS_BARE) != 0;
}

/* A random document whose root is a container, where the codec has any. */
static const weir_value *any_container(struct fixture *fixture) {
    struct document_shape shape = shape_of(fixture->codec);
    shape.root = shape.kinds & KINDS_CONTAINER;
    shape.is_short = 1;
    return document_build(fixture->doc, &fixture->random, &shape);
}

/* ---- 6: what is encoded comes back ---- */

static void test_values_of_each_kind_come_back(void **state) {
    struct fixture *fixture = *state;
    struct document_shape shape = shape_of(fixture->codec);
    for (int kind = KIND_FIRST; kind <= KIND_LAST; kind++) {
        shape.root = 1u << kind & shape.kinds;
        for (int i = 0; shape.root != 0 && i < 100; i++) {
            const weir_value *root = document_build(fixture->doc, &fixture->random, &shape);
            assert_int_equal(root->kind, kind);
            check_comes_back(fixture, root, encoded(fixture, root, 0), 0);
        }
    }
}

static void test_documents_come_back(void **state) {
    struct fixture *fixture = *state;
    struct document_shape shape = shape_of(fixture->codec);
    for (int i = 0; i < DOCUMENTS; i++) {
        const weir_value *root = document_build(fixture->doc, &fixture->random, &shape);
        check_comes_back(fixture, root, encoded(fixture, root, 0), 0);
        check_comes_back(fixture, root, encoded(fixture, root, WEIR_PRETTY), 0);
    }
}

/* To every other codec and back: A, B, A. */
static void test_documents_come_back_through_others(void **state) {
    struct fixture *fixture = *state;
    for (size_t i = 0; i < codec_case_count; i++) {
        const struct codec_case *other = &codec_cases[i];
        struct document_shape shape = shape_of(fixture->codec);
        shape.kinds &= other->carries;
        for (int j = 0; !is_bare(fixture) && !(other->traits & CODEC_IS_BARE) && j < DOCUMENTS; j++) {
            const weir_value *root = document_build(fixture->doc, &fixture->random, &shape);
            check_comes_back(fixture, root, encoded(fixture, root, 0), 0);
            const weir_value *first = weir_doc_root(fixture->decoded);
            weir_buffer_clear(fixture->second);
            if (weir_encode(first, other->codec, NULL, fixture->second, &fixture->err) != WEIR_OK)
                fail_document(fixture, root, fixture->err.text);
            weir_view bytes = weir_buffer_view(fixture->second);
            if (weir_decode(fixture->other, other->codec, bytes.data, bytes.size, NULL, NULL, &fixture->err) != WEIR_OK)
                fail_document(fixture, root, fixture->err.text);
            if (!weir_value_equal(root, weir_doc_root(fixture->other)))
                fail_document(fixture, root, weir_codec_name(other->codec));
            check_comes_back(fixture, root, encoded(fixture, weir_doc_root(fixture->other), 0), 0);
        }
    }
}

/* The canonical form of a document is the same after a round trip, in this form or the usual one. */
static void test_canonical_is_stable(void **state) {
    struct fixture *fixture = *state;
    struct document_shape shape = shape_of(fixture->codec);
    for (int i = 0; !is_bare(fixture) && i < DOCUMENTS; i++) {
        const weir_value *root = document_build(fixture->doc, &fixture->random, &shape);
        weir_view first = encoded(fixture, root, WEIR_CANONICAL);
        weir_buffer_clear(fixture->second);
        assert_int_equal(weir_buffer_append(fixture->second, first.data, first.size), WEIR_OK);
        assert_int_equal(decode_flags(fixture, first, 0), WEIR_OK);
        weir_view again = encoded(fixture, weir_doc_root(fixture->decoded), WEIR_CANONICAL);
        if (again.size != first.size || memcmp(again.data, weir_buffer_view(fixture->second).data, again.size) != 0)
            fail_document(fixture, root, "its canonical form is another after a round trip");
        check_comes_back(fixture, root, encoded(fixture, root, 0), 0);
        again = encoded(fixture, weir_doc_root(fixture->decoded), WEIR_CANONICAL);
        if (again.size != first.size || memcmp(again.data, weir_buffer_view(fixture->second).data, again.size) != 0)
            fail_document(fixture, root, "its canonical form is another after a round trip in the usual form");
    }
}

static void test_plain_is_readable(void **state) {
    struct fixture *fixture = *state;
    struct document_shape shape = shape_of(fixture->codec);
    for (int i = 0; i < DOCUMENTS; i++) {
        const weir_value *root = document_build(fixture->doc, &fixture->random, &shape);
        int status = encode_flags(fixture, root, WEIR_PLAIN);
        if (status == WEIR_OK)
            status = decode_flags(fixture, weir_buffer_view(fixture->out), 0);
        if (status != WEIR_OK && status != WEIR_ELIMIT)
            fail_document(fixture, root, fixture->err.text);
    }
}

/* ---- 5: encoding fails only where it may ---- */

/* The value as {"in": value}, in fixture->other. */
static const weir_value *in_a_map(struct fixture *fixture, const weir_value *value) {
    const weir_value *root = NULL;
    weir_doc_clear(fixture->other);
    weir_begin_map(fixture->other);
    weir_put_key(fixture->other, "in");
    weir_put_value(fixture->other, value);
    weir_end(fixture->other);
    assert_int_equal(weir_doc_finish(fixture->other, &root, NULL), WEIR_OK);
    return root;
}

static void test_strictness_by_kind(void **state) {
    struct fixture *fixture = *state;
    const struct codec_case *codec = fixture->codec;
    struct document_shape shape = {.kinds = KINDS_ALL, .values = 1, .depth_max = 1};
    for (int kind = KIND_FIRST; kind <= KIND_LAST; kind++)
        for (int i = 0; i < 50; i++) {
            shape.root = 1u << kind;
            const weir_value *root = document_build(fixture->doc, &fixture->random, &shape);
            if (codec->traits & CODEC_ROOT_IS_MAP) {
                if (kind != WEIR_KIND_MAP)
                    assert_int_equal(encode_flags(fixture, root, WEIR_STRICT), WEIR_EENCODE);
                root = in_a_map(fixture, root);
            }
            int status = encode_flags(fixture, root, WEIR_STRICT);
            int is_scalar = kind != WEIR_KIND_ARRAY && kind != WEIR_KIND_MAP && kind != WEIR_KIND_TAGGED;
            if (status == WEIR_OK && codec->carries >> kind & 1)
                check_comes_back(fixture, root, weir_buffer_view(fixture->out), 0);
            if (status != WEIR_OK)
                assert_int_equal(status, WEIR_EENCODE);
            if ((status == WEIR_OK && codec->foreign >> kind & 1) ||
                (status != WEIR_OK && is_scalar && codec->native >> kind & 1))
                fail_document(fixture, root, status == WEIR_OK ? "encoded under WEIR_STRICT" : fixture->err.text);
        }
}

static void test_strict_documents_come_back(void **state) {
    struct fixture *fixture = *state;
    struct document_shape shape = shape_of(fixture->codec);
    shape.kinds &= fixture->codec->native | KIND(MAP) | KIND(FLOAT64) | KIND(TAGGED);
    if (fixture->codec->traits & CODEC_ROOT_IS_MAP)
        shape.root = KIND(MAP);
    int encodings = 0;
    for (int i = 0; i < DOCUMENTS; i++) {
        const weir_value *root = document_build(fixture->doc, &fixture->random, &shape);
        int status = encode_flags(fixture, root, WEIR_STRICT);
        if (status == WEIR_OK)
            check_comes_back(fixture, root, weir_buffer_view(fixture->out), 0);
        else
            assert_int_equal(status, WEIR_EENCODE);
        encodings += status == WEIR_OK;
    }
    assert_true(encodings > DOCUMENTS / 10);
}

static void test_strict_decoding(void **state) {
    struct fixture *fixture = *state;
    struct document_shape shape = shape_of(fixture->codec);
    shape.is_polite = 1;
    for (int i = 0; i < DOCUMENTS; i++) {
        const weir_value *root = document_build(fixture->doc, &fixture->random, &shape);
        check_comes_back(fixture, root, encoded(fixture, root, 0), WEIR_STRICT);
    }
    if (!(shape.kinds & KIND(MAP)))
        return;
    for (int pairs = 2; pairs < 200; pairs += 7) {
        weir_doc_clear(fixture->doc);
        weir_begin_map(fixture->doc);
        for (int i = 0; i < pairs; i++) {
            char key[16];
            sprintf(key, "k%d", i == pairs - 1 ? pairs / 2 - 1 : i);
            weir_put_key(fixture->doc, key);
            weir_put_i64(fixture->doc, i);
        }
        weir_end(fixture->doc);
        const weir_value *root = NULL;
        assert_int_equal(weir_doc_finish(fixture->doc, &root, NULL), WEIR_OK);
        check_comes_back(fixture, root, encoded(fixture, root, 0), 0);
        assert_int_equal(decode_flags(fixture, weir_buffer_view(fixture->out), WEIR_STRICT), WEIR_EPARSE);
    }
}

/* ---- limits, on both sides of each ---- */

/* A nest written as cells, because the builder has the default limit: @depth containers or tags around null. */
static const weir_value *nest(weir_doc *doc, int kind, size_t depth) {
    weir_doc_clear(doc);
    size_t each = kind == WEIR_KIND_MAP ? 2 : 1;
    for (size_t i = 0; i < depth; i++) {
        struct weir_value *cell = weir_doc_cell(doc);
        assert_non_null(cell);
        *cell = (struct weir_value){.kind = (uint8_t)kind, .count = 1, .as.span = (depth - i) * each + 1};
        if (kind == WEIR_KIND_TAGGED) {
            cell->count = WEIR_TAG_CBOR;
            cell->as.u64 = 1000000;
        } else if (kind == WEIR_KIND_MAP) {
            cell = weir_doc_cell(doc);
            assert_non_null(cell);
            *cell = (struct weir_value){.kind = WEIR_KIND_TEXT, .count = 1, .as.data = (const unsigned char *)"a"};
        }
    }
    struct weir_value *cell = weir_doc_cell(doc);
    assert_non_null(cell);
    *cell = (struct weir_value){.kind = WEIR_KIND_NULL};
    doc->is_finished = 1;
    return weir_doc_root(doc);
}

static const int nesting_kinds[] = {WEIR_KIND_ARRAY, WEIR_KIND_MAP, WEIR_KIND_TAGGED};

static int decode_to_depth(struct fixture *fixture, uint32_t depth_max) {
    weir_codec_options options = options_of(0);
    options.depth_max = depth_max;
    weir_view bytes = weir_buffer_view(fixture->out);
    return decode_bytes(fixture, bytes.data, bytes.size, &options, NULL);
}

static void test_depth_limit(void **state) {
    struct fixture *fixture = *state;
    static const uint32_t depths[] = {1, 2, 3, 10, 63, 64, 65, 66, 300};
    for (size_t i = 0; i < COUNT(nesting_kinds) && !is_bare(fixture); i++)
        for (size_t j = 0; j < COUNT(depths); j++) {
            weir_codec_options options = options_of(0);
            options.depth_max = depths[j];
            const weir_value *root = nest(fixture->doc, nesting_kinds[i], depths[j]);
            assert_int_equal(encode_options(fixture, root, &options), WEIR_OK);
            assert_int_equal(decode_to_depth(fixture, depths[j]), WEIR_OK);
            assert_true(weir_value_equal(root, weir_doc_root(fixture->decoded)));
            assert_int_equal(decode_to_depth(fixture, depths[j] + 1), WEIR_OK);
            assert_int_equal(decode_to_depth(fixture, 0), depths[j] <= WEIR_DEPTH_MAX ? WEIR_OK : WEIR_ELIMIT);
            if (depths[j] > 1)
                assert_int_equal(decode_to_depth(fixture, depths[j] - 1), WEIR_ELIMIT);
            int status = encode_options(fixture, root, NULL);
            assert_true(status == WEIR_OK || (status == WEIR_ELIMIT && depths[j] > WEIR_DEPTH_MAX));
        }
}

/* Containers and tags inside each other. */
static uint32_t depth_of(const weir_value *value) {
    uint32_t deepest = 0;
    weir_iter it;
    if (value->kind == WEIR_KIND_TAGGED)
        return 1 + depth_of(value + 1);
    if (value->kind != WEIR_KIND_ARRAY && value->kind != WEIR_KIND_MAP)
        return 0;
    weir_iter_init(&it, value);
    while (weir_iter_next(&it)) {
        uint32_t depth = depth_of(it.value);
        deepest = depth > deepest ? depth : deepest;
        depth = it.key ? depth_of(it.key) : 0;
        deepest = depth > deepest ? depth : deepest;
    }
    return 1 + deepest;
}

/* The depth is that of the document, however many containers its wrappers take. */
static void test_depth_is_that_of_the_document(void **state) {
    struct fixture *fixture = *state;
    struct document_shape shape = shape_of(fixture->codec);
    for (int i = 0; i < DOCUMENTS && !is_bare(fixture); i++) {
        const weir_value *root = document_build(fixture->doc, &fixture->random, &shape);
        uint32_t depth = depth_of(root);
        weir_codec_options options = options_of(0);
        options.depth_max = depth > 0 ? depth : 1;
        if (encode_options(fixture, root, &options) != WEIR_OK ||
            decode_to_depth(fixture, options.depth_max) != WEIR_OK)
            fail_document(fixture, root, fixture->err.text);
    }
}

/* @depth arrays around a copy of @value. */
static const weir_value *nest_around(weir_doc *doc, const weir_value *value, size_t depth) {
    weir_doc_clear(doc);
    for (size_t i = 0; i < depth; i++) {
        struct weir_value *cell = weir_doc_cell(doc);
        assert_non_null(cell);
        *cell = (struct weir_value){.kind = WEIR_KIND_ARRAY, .count = 1};
    }
    assert_int_equal(weir_doc_append(doc, value), WEIR_OK);
    for (size_t i = 0; i < depth; i++)
        doc->cells[i].as.span = doc->count - i;
    doc->is_finished = 1;
    return weir_doc_root(doc);
}

/* On both sides of the limit every codec takes the same documents, whatever is at the bottom: kinds that it wraps or
 * folds, tags that it has a type for or could have folded. */
static void test_depth_is_the_same_in_all_codecs(void **state) {
    static const char *const bottoms[] = {
        "1",
        "[]",
        "{}",
        "{\"$oid\":\"0102030405060708090a0b0c\"}",
        "{\"$symbol\":\"s\"}",
        "{\"$minKey\":1}",
        "{\"$regularExpression\":{\"pattern\":\"a\",\"options\":\"\"}}",
        "{\"$timestamp\":{\"t\":1,\"i\":2}}",
        "{\"$code\":\"f\",\"$scope\":{}}",
        "{\"$code\":\"f\",\"$scope\":{\"x\":{\"$code\":\"g\",\"$scope\":{\"y\":[]}}}}",
        "{\"$scope\":{\"x\":[[]]},\"$code\":\"f\"}",
        "{\"$binary\":{\"base64\":\"AQID\",\"subType\":\"80\"}}",
        "{\"$dbPointer\":{\"$ref\":\"c\",\"$id\":{\"$oid\":\"0102030405060708090a0b0c\"}}}",
        "{\"$numberDecimal\":\"NaN\"}",
        "{\"$numberDecimal\":\"1.5\"}",
        "{\"$time\":\"2023-11-14T22:13:20.5Z\"}",
        "{\"$f32\":\"0.1\"}",
        "{\"$array\":{\"dtype\":\"u8\",\"dims\":[1,1],\"order\":\"row\",\"base64\":\"AQ==\"}}",
        "{\"$simple\":[16,null]}",
        "{\"$tag\":[0,\"x\"]}",
        "{\"$tag\":[4,\"x\"]}",
        "{\"$tag\":[4,[1,\"x\"]]}",
        "{\"$tag\":[4,[[],{\"$tag\":[2,1]}]]}",
        "{\"$tag\":[40,[[1],{\"$tag\":[64,1]}]]}",
        "{\"$tag\":[1001,{\"a\":[]}]}",
        "{\"$tag\":[9,{\"$tag\":[9,1]}]}",
        "{\"$bson\":[7,[]]}",
        "{\"$map\":[[[1],2]]}",
        "{\"$map\":[[1,[[]]]]}",
        "{\"$obj\":[[\"$oid\",[1]]]}",
    };
    static const uint32_t limits[] = {4, 10, WEIR_DEPTH_MAX};
    struct fixture *fixture = *state;
    weir_doc *bottom = NULL;
    assert_int_equal(weir_doc_new(&bottom), WEIR_OK);
    for (size_t i = 0; i < COUNT(bottoms) && !is_bare(fixture); i++)
        for (size_t j = 0; j < COUNT(limits); j++) {
            weir_codec_options roomy = options_of(0);
            roomy.depth_max = 1000;
            assert_int_equal(weir_decode(bottom, WEIR_CODEC_JSON, bottoms[i], strlen(bottoms[i]), &roomy, NULL, NULL),
                             WEIR_OK);
            for (uint32_t around = 0; around <= limits[j] + 1; around++) {
                const weir_value *root = nest_around(fixture->doc, weir_doc_root(bottom), around);
                int expected = depth_of(root) <= limits[j] ? WEIR_OK : WEIR_ELIMIT;
                assert_int_equal(encode_options(fixture, root, &roomy), WEIR_OK);
                if (decode_to_depth(fixture, limits[j]) != expected)
                    fail_msg("%s: %s in %u arrays, %u levels, limit %u: %s", weir_codec_name(fixture->codec->codec),
                             bottoms[i], around, depth_of(root), limits[j], fixture->err.text);
            }
        }
    weir_doc_free(bottom);
}

static void test_values_limit(void **state) {
    struct fixture *fixture = *state;
    static const uint32_t counts[] = {1, 2, 3, 60, 63, 64, 65, 1000, 1023, 1024, 5000};
    for (size_t i = 0; i < 2 * COUNT(counts) && !is_bare(fixture); i++) {
        uint32_t count = counts[i / 2];
        int is_map = i % 2;
        weir_doc_clear(fixture->doc);
        if (is_map)
            weir_begin_map(fixture->doc);
        else
            weir_begin_array(fixture->doc);
        for (uint32_t j = 0; j < count; j++) {
            if (is_map)
                weir_put_key(fixture->doc, "k");
            weir_put_null(fixture->doc);
        }
        weir_end(fixture->doc);
        const weir_value *root = NULL;
        assert_int_equal(weir_doc_finish(fixture->doc, &root, NULL), WEIR_OK);
        weir_view bytes = encoded(fixture, root, 0);
        weir_codec_options options = options_of(0);
        options.values_max = 1 + (is_map ? 2 : 1) * count;
        assert_int_equal(decode_bytes(fixture, bytes.data, bytes.size, &options, NULL), WEIR_OK);
        assert_true(weir_value_equal(root, weir_doc_root(fixture->decoded)));
        options.values_max--;
        assert_int_equal(decode_bytes(fixture, bytes.data, bytes.size, &options, NULL), WEIR_ELIMIT);
    }
}

static void test_bytes_limit(void **state) {
    struct fixture *fixture = *state;
    struct document_shape shape = shape_of(fixture->codec);
    for (int i = 0; i < DOCUMENTS; i++) {
        const weir_value *root = document_build(fixture->doc, &fixture->random, &shape);
        weir_view bytes = encoded(fixture, root, 0);
        weir_codec_options options = options_of(0);
        options.bytes_max = bytes.size;
        if (bytes.size < 2) /* 0 would mean no limit */
            continue;
        assert_int_equal(decode_bytes(fixture, bytes.data, bytes.size, &options, NULL), WEIR_OK);
        options.bytes_max--;
        assert_int_equal(decode_bytes(fixture, bytes.data, bytes.size, &options, NULL), WEIR_ELIMIT);
        assert_int_equal(encode_options(fixture, root, &options), WEIR_ELIMIT);
        options.bytes_max++;
        assert_int_equal(encode_options(fixture, root, &options), WEIR_OK);
    }
}

/* ---- 2: refusals ---- */

/* After a refusal the document takes the next input as if nothing had been. */
static void check_is_refused(struct fixture *fixture, weir_view bytes, size_t size, uint32_t flags) {
    weir_codec_options options = options_of(flags);
    if (decode_bytes(fixture, bytes.data, size, &options, NULL) != WEIR_EPARSE)
        fail_document(fixture, weir_doc_root(fixture->doc), "its encoding is accepted without its end");
}

static void test_every_beginning_is_refused(void **state) {
    struct fixture *fixture = *state;
    enum { ALL_UP_TO = 700 };
    for (int i = 0; i < DOCUMENTS && !is_bare(fixture); i++) {
        const weir_value *root = any_container(fixture);
        weir_view bytes = encoded(fixture, root, 0);
        size_t step = 1 + bytes.size / ALL_UP_TO;
        for (size_t size = 0; size < bytes.size; size += step)
            check_is_refused(fixture, bytes, size, size % 2 ? WEIR_SEQUENCE : 0);
        check_is_refused(fixture, bytes, bytes.size - 1, WEIR_STRICT);
        check_comes_back(fixture, root, bytes, 0);
    }
}

static void test_sequences(void **state) {
    struct fixture *fixture = *state;
    enum { ITEMS = 5 };
    weir_codec_options options = options_of(WEIR_SEQUENCE);
    for (int i = 0; i < DOCUMENTS / 4 && !is_bare(fixture); i++) {
        weir_doc *items[ITEMS] = {NULL};
        size_t ends[ITEMS];
        weir_buffer_clear(fixture->second);
        for (int j = 0; j < ITEMS; j++) {
            assert_int_equal(weir_doc_new(&items[j]), WEIR_OK);
            assert_int_equal(weir_doc_copy(items[j], any_container(fixture)), WEIR_OK);
            assert_int_equal(weir_encode(weir_doc_root(items[j]), fixture->codec->codec, NULL, fixture->second, NULL),
                             WEIR_OK);
            ends[j] = weir_buffer_view(fixture->second).size;
        }
        weir_view bytes = weir_buffer_view(fixture->second);
        size_t at = 0;
        for (int j = 0; j < ITEMS; j++) {
            size_t used = 0;
            assert_int_equal(decode_bytes(fixture, bytes.data + at, bytes.size - at, &options, &used), WEIR_OK);
            assert_true(weir_value_equal(weir_doc_root(items[j]), weir_doc_root(fixture->decoded)));
            at += used;
            assert_int_equal(at, ends[j]);
        }
        assert_int_equal(decode_flags(fixture, bytes, 0), WEIR_EPARSE);
        assert_int_equal(fixture->err.offset, ends[0]);
        for (int j = 0; j < ITEMS; j++)
            weir_doc_free(items[j]);
    }
}

/* ---- 1: any bytes at all ---- */

static size_t damage(struct random *random, unsigned char *bytes, size_t size) {
    for (uint64_t count = 1 + random_below(random, 3); count > 0 && size > 0; count--) {
        size_t at = random_below(random, size);
        size_t length = 1 + random_below(random, size - at < 9 ? size - at : 9);
        switch (random_below(random, 5)) {
        case 0: bytes[at] ^= (unsigned char)(1 << random_below(random, 8)); break;
        case 1: bytes[at] = (unsigned char)random_next(random); break;
        case 2: bytes[at] = bytes[random_below(random, size)]; break;
        case 3: /* cut out */
            memmove(bytes + at, bytes + at + length, size - at - length);
            size -= length;
            break;
        default: /* repeat */ memmove(bytes + at + length, bytes + at, size - at); size += length;
        }
    }
    return size;
}

static void check_any_bytes(struct fixture *fixture, const unsigned char *bytes, size_t size) {
    static const uint32_t all_flags[] = {WEIR_STRICT, WEIR_SEQUENCE, 0};
    int status = WEIR_OK;
    for (size_t i = 0; i < COUNT(all_flags); i++) {
        weir_codec_options options = options_of(all_flags[i]);
        status = decode_bytes(fixture, bytes, size, &options, NULL);
        assert_true(status == WEIR_OK || status == WEIR_EPARSE || status == WEIR_ELIMIT);
    }
    if (status != WEIR_OK)
        return;
    assert_int_equal(weir_doc_copy(fixture->other, weir_doc_root(fixture->decoded)), WEIR_OK);
    const weir_value *root = weir_doc_root(fixture->other);
    int encoding = encode_flags(fixture, root, 0);
    if (encoding == WEIR_OK)
        check_comes_back(fixture, root, weir_buffer_view(fixture->out), 0);
    else if (encoding != WEIR_ELIMIT)
        fail_document(fixture, root, fixture->err.text);
}

static void test_damage(void **state) {
    struct fixture *fixture = *state;
    enum { TIMES = 60 };
    struct document_shape shape = shape_of(fixture->codec);
    shape.is_short = 1;
    shape.values = 25;
    for (int i = 0; i < DOCUMENTS; i++) {
        const weir_value *root = document_build(fixture->doc, &fixture->random, &shape);
        weir_view bytes = encoded(fixture, root, 0);
        weir_buffer_clear(fixture->second);
        assert_int_equal(weir_buffer_append(fixture->second, bytes.data, bytes.size), WEIR_OK);
        bytes = weir_buffer_view(fixture->second);
        unsigned char *copy = malloc(bytes.size + 64);
        assert_non_null(copy);
        for (int j = 0; j < TIMES; j++) {
            if (bytes.size > 0)
                memcpy(copy, bytes.data, bytes.size);
            check_any_bytes(fixture, copy, damage(&fixture->random, copy, bytes.size));
        }
        free(copy);
        check_comes_back(fixture, root, bytes, 0);
    }
}

static void test_noise(void **state) {
    struct fixture *fixture = *state;
    unsigned char bytes[64];
    for (int i = 0; i < 50 * DOCUMENTS; i++) {
        size_t size = random_below(&fixture->random, sizeof(bytes));
        for (size_t j = 0; j < size; j++)
            bytes[j] = (unsigned char)random_next(&fixture->random);
        check_any_bytes(fixture, bytes, size);
    }
}

/* ---- 1 and 5: no recursion ---- */

enum { SMALL_STACK = 64 << 10, DEEP = 30000, DEEP_TAGS = 3000 };

struct deep_run {
    struct fixture *fixture;
    const weir_value *root;
    weir_codec_options options;
    int status;
};

static void *run_deep(void *argument) {
    struct deep_run *run = argument;
    struct fixture *fixture = run->fixture;
    int codec = fixture->codec->codec;
    weir_view bytes;
    run->status = weir_encode(run->root, codec, &run->options, fixture->out, &fixture->err);
    bytes = weir_buffer_view(fixture->out);
    if (run->status == WEIR_OK)
        run->status = weir_decode(fixture->decoded, codec, bytes.data, bytes.size, &run->options, NULL, &fixture->err);
    if (run->status == WEIR_OK && !weir_value_equal(run->root, weir_doc_root(fixture->decoded)))
        run->status = WEIR_ECORRUPT;
    return NULL;
}

static void check_deep(struct fixture *fixture, int kind, uint32_t flags) {
    size_t depth = kind == WEIR_KIND_TAGGED ? DEEP_TAGS : DEEP;
    pthread_attr_t attributes;
    pthread_t thread;
    struct deep_run run = {.fixture = fixture, .root = nest(fixture->doc, kind, depth), .options = options_of(flags)};
    run.options.depth_max = DEEP;
    weir_buffer_clear(fixture->out);
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstacksize(&attributes, SMALL_STACK), 0);
    assert_int_equal(pthread_create(&thread, &attributes, run_deep, &run), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    pthread_attr_destroy(&attributes);
    if (run.status != WEIR_OK)
        fail_msg("%s: %d levels: %s %s", weir_codec_name(fixture->codec->codec), (int)depth, weir_err_name(run.status),
                 fixture->err.text);
}

static void test_deep_nests_on_a_small_stack(void **state) {
    struct fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(nesting_kinds) && !is_bare(fixture); i++) {
        check_deep(fixture, nesting_kinds[i], 0);
        check_deep(fixture, nesting_kinds[i], WEIR_CANONICAL);
    }
}

/* ---- 4: texts and bytes stay where they are ---- */

static void test_text_points_into_the_input(void **state) {
    struct fixture *fixture = *state;
    static const size_t sizes[] = {1, 20, 60, 300, 70000};
    for (size_t i = 0; i < COUNT(sizes) && fixture->codec->carries & KIND(TEXT); i++) {
        char *text = malloc(sizes[i]);
        assert_non_null(text);
        memset(text, 'x', sizes[i]);
        weir_doc_clear(fixture->doc);
        weir_begin_array(fixture->doc);
        weir_refer_text(fixture->doc, text, sizes[i]);
        weir_end(fixture->doc);
        const weir_value *root = NULL;
        assert_int_equal(weir_doc_finish(fixture->doc, &root, NULL), WEIR_OK);
        weir_view bytes = encoded(fixture, root, 0), found;
        check_comes_back(fixture, root, bytes, 0);
        assert_int_equal(weir_get_text(weir_doc_root(fixture->decoded), "0", &found), WEIR_OK);
        const char *input = (const char *)fixture->input;
        assert_true(found.data >= input && found.data + found.size <= input + bytes.size);
        free(text);
    }
}

/* ---- the table ---- */

static void test_every_codec_is_in_the_table(void **state) {
    (void)state;
    const struct weir_codec_ops *ops;
    for (size_t i = 0; (ops = weir_codec_at(i)) != NULL; i++) {
        int found = 0;
        for (size_t j = 0; j < codec_case_count; j++)
            found += codec_cases[j].codec == ops->id;
        if (found != 1)
            fail_msg("the codec %s stands %d times in the table of codec_test.c", ops->name, found);
        int codec = 0;
        assert_int_equal(weir_codec_find(ops->name, &codec, NULL), WEIR_OK);
        assert_int_equal(codec, ops->id);
        assert_string_equal(weir_codec_name(codec), ops->name);
        assert_non_null(strchr(ops->media_type, '/'));
    }
}

static const struct contract_test tests[] = {
    {"values of each kind come back", test_values_of_each_kind_come_back},
    {"documents come back", test_documents_come_back},
    {"documents come back through other codecs", test_documents_come_back_through_others},
    {"the canonical form is stable", test_canonical_is_stable},
    {"the plain form is readable", test_plain_is_readable},
    {"strictness by kind", test_strictness_by_kind},
    {"strict documents come back", test_strict_documents_come_back},
    {"strict decoding", test_strict_decoding},
    {"the limit on depth", test_depth_limit},
    {"depth is that of the document", test_depth_is_that_of_the_document},
    {"depth is the same in all codecs", test_depth_is_the_same_in_all_codecs},
    {"the limit on values", test_values_limit},
    {"the limit on bytes", test_bytes_limit},
    {"every beginning is refused", test_every_beginning_is_refused},
    {"sequences", test_sequences},
    {"damage", test_damage},
    {"noise", test_noise},
    {"deep nests on a small stack", test_deep_nests_on_a_small_stack},
    {"text points into the input", test_text_points_into_the_input},
};

enum { TESTS_MAX = 300 };
static struct CMUnitTest list[TESTS_MAX];
static char names[TESTS_MAX][96];
static size_t listed;

static void add(const struct codec_case *codec, const struct contract_test *from, size_t count) {
    for (size_t i = 0; i < count && listed < TESTS_MAX; i++, listed++) {
        snprintf(names[listed], sizeof(names[0]), "%s: %s", weir_codec_name(codec->codec), from[i].name);
        list[listed] = (struct CMUnitTest){names[listed], from[i].run, setup, teardown, (void *)codec};
    }
}

int main(void) {
    const char *pattern = getenv("WEIR_TEST_FILTER");
    print_message("documents from seed %llu (set WEIR_SEED)\n", (unsigned long long)seed());
    list[listed++] = (struct CMUnitTest)cmocka_unit_test(test_every_codec_is_in_the_table);
    for (size_t i = 0; i < codec_case_count; i++) {
        add(&codec_cases[i], tests, COUNT(tests));
        add(&codec_cases[i], codec_memory_tests, codec_memory_test_count);
        add(&codec_cases[i], codec_vector_tests, codec_vector_test_count);
    }
    if (pattern)
        cmocka_set_test_filter(pattern);
    return _cmocka_run_group_tests("codecs", list, listed, NULL, NULL);
}
