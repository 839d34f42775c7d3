/* CBOR: limits on both sides, sequences, what WEIR_STRICT refuses and where, what the encoder refuses, the plain
 * form. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/cbor/cbor_test.h"

/* ---- limits ---- */

static int decode_to_depth(struct fixture *fixture, const char *hex, uint32_t depth_max) {
    static unsigned char bytes[HEX_ROOM];
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    options.depth_max = depth_max;
    return decode_with(fixture, bytes, from_hex(hex, bytes), &options, NULL);
}

/* A tag is a level like a container, but where the two become a kind that holds nothing. */
static void test_depth(void **state) {
    static const struct {
        const char *hex;
        uint32_t depth;
    } cases[] = {
        {"8180", 2},
        {"81818100", 3},
        {"9f9fffff", 2},
        {"a100a10000", 2},
        {"a1a1000000", 2},
        {"bf00bf0000ffff", 2},
        {"d9010080", 2},
        {"d90100d9010000", 2},
        {"81d90100d9010080", 4},
        {"83818080 8100", 3},
        {"81c24101", 1},
        {"81c48221196ab3", 1},
        {"81c482 00 c249010000000000000000", 1},
        {"81d903e9a2011a6553f1002800", 1},
        {"81d82882820102d840420102", 1},
        {"81d84043010203", 1},
        {"81c100", 1},
        {"d90100c100", 1},
        {"81d9d9f700", 2},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (decode_to_depth(*state, cases[i].hex, cases[i].depth) != WEIR_OK)
            fail_msg("%s has not depth %u", cases[i].hex, (unsigned)cases[i].depth);
        if (cases[i].depth > 1)
            assert_int_equal(decode_to_depth(*state, cases[i].hex, cases[i].depth - 1), WEIR_ELIMIT);
    }
}

/* The inside of a kind may be deeper than the limit by what that kind needs, and no further whatever is written
 * there. */
static void test_depth_inside_kinds(void **state) {
    struct fixture *fixture = *state;
    enum { NESTS = 12 };
    static const char *const tags[] = {"c1", "c4", "d828", "d840", "d903e9"};
    for (size_t i = 0; i < COUNT(tags); i++) {
        unsigned char bytes[8 + 2 * NESTS];
        weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
        options.depth_max = 4;
        size_t size = from_hex(tags[i], bytes);
        memset(bytes + size, 0x81, NESTS);
        bytes[size + NESTS] = 0;
        assert_int_equal(decode_with(fixture, bytes, size + NESTS + 1, &options, NULL), WEIR_ELIMIT);
        memset(bytes, 0xc1, NESTS); /* tags that would fold, in each other */
        bytes[NESTS] = 0xf4;
        assert_int_equal(decode_with(fixture, bytes, NESTS + 1, &options, NULL), WEIR_ELIMIT);
    }
}

/* However many levels are allowed, those of tags are counted in full. */
static void test_depth_of_many_tags(void **state) {
    enum { MOST = 65532 };
    static unsigned char bytes[MOST + 16];
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    options.depth_max = UINT32_MAX;
    for (size_t tags = MOST - 2; tags < MOST + 8; tags++) {
        memset(bytes, 0xc6, tags + 1);
        bytes[0] = 0x81;
        memcpy(bytes + 1 + tags, "\xc4\x82\0\1", 4); /* a decimal: no level */
        assert_int_equal(decode_with(*state, bytes, tags + 5, &options, NULL), tags < MOST ? WEIR_OK : WEIR_ELIMIT);
        memcpy(bytes + 1 + tags, "\xc4\xc4\x82\0\1", 5); /* a tag around one */
        assert_int_equal(decode_with(*state, bytes, tags + 6, &options, NULL), tags + 1 < MOST ? WEIR_OK : WEIR_ELIMIT);
    }
}

/* Encode the root by every codec but raw, and read it again. */
static void check_all_codecs(struct fixture *fixture) {
    static const int codecs[] = {WEIR_CODEC_JSON, WEIR_CODEC_CBOR, WEIR_CODEC_SMILE, WEIR_CODEC_BSON};
    const weir_value *root = weir_doc_root(fixture->doc);
    for (size_t i = 0; i < COUNT(codecs); i++) {
        weir_buffer_clear(fixture->out);
        assert_int_equal(weir_encode(root, codecs[i], NULL, fixture->out, NULL), WEIR_OK);
        weir_view bytes = weir_buffer_view(fixture->out);
        assert_int_equal(weir_decode(fixture->other, codecs[i], bytes.data, bytes.size, NULL, NULL, NULL), WEIR_OK);
        assert_true(weir_value_equal(root, weir_doc_root(fixture->other)));
    }
}

/* What is read as an integer can be written by every codec, and read again; what has too many digits stays bytes in a
 * tag. */
static void test_long_integers(void **state) {
    struct fixture *fixture = *state;
    enum { SIZE = 2048 }; /* bytes of the longest; 10^4932 begins with d7 2c */
    static const unsigned char firsts[] = {0x01, 0x80, 0xd6, 0xd8, 0xff};
    static const unsigned char rests[] = {0x00, 0xff};
    unsigned char bytes[3 + 4 + SIZE] = {0xc4, 0x82, 0x00};
    for (size_t i = 0; i < 4 * COUNT(firsts); i++) {
        unsigned char *integer = bytes + 3;
        unsigned char first = firsts[i / 4];
        integer[0] = i & 1 ? 0xc3 : 0xc2;
        memcpy(integer + 1, "\x59\x08", 3);
        memset(integer + 4, rests[i / 2 % 2], SIZE);
        integer[4] = first;
        assert_int_equal(decode_with(fixture, integer, 4 + SIZE, NULL, NULL), WEIR_OK);
        assert_int_equal(weir_value_kind(weir_doc_root(fixture->doc)),
                         first < 0xd7 ? WEIR_KIND_BIGINT : WEIR_KIND_TAGGED);
        check_all_codecs(fixture);
        assert_int_equal(decode_with(fixture, bytes, sizeof(bytes), NULL, NULL), WEIR_OK);
        assert_int_equal(weir_value_kind(weir_doc_root(fixture->doc)),
                         first < 0xd7 ? WEIR_KIND_DECIMAL : WEIR_KIND_TAGGED);
        check_all_codecs(fixture);
    }
}

static int decode_to_values(struct fixture *fixture, const unsigned char *bytes, size_t size, uint32_t values_max) {
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    options.values_max = values_max;
    return decode_with(fixture, bytes, size, &options, NULL);
}

static void test_values(void **state) {
    struct fixture *fixture = *state;
    static unsigned char bytes[20000];
    enum { COUNT_OF_ZEROS = sizeof(bytes) - 2 };
    bytes[0] = 0x9f;
    bytes[sizeof(bytes) - 1] = 0xff;
    assert_int_equal(decode_to_values(fixture, bytes, sizeof(bytes), COUNT_OF_ZEROS + 1), WEIR_OK);
    assert_int_equal(decode_to_values(fixture, bytes, sizeof(bytes), COUNT_OF_ZEROS), WEIR_ELIMIT);
    assert_int_equal(fixture->err.offset, sizeof(bytes) - 2); /* the first that is too much */
    assert_int_equal(decode_to_values(fixture, (const unsigned char *)"\x9f\x9f\xff\xff", 4, 2), WEIR_OK);
    assert_int_equal(decode_to_values(fixture, (const unsigned char *)"\x81\xff\xff\xff", 4, 1), WEIR_EPARSE);
    assert_int_equal(decode_to_values(fixture, (const unsigned char *)"\0", 1, 1), WEIR_OK);
    assert_int_equal(decode_to_values(fixture, (const unsigned char *)"\x81\0", 2, 1), WEIR_ELIMIT);
    assert_int_equal(decode_to_values(fixture, (const unsigned char *)"\xe0", 1, 2), WEIR_OK);
}

/* Simple values of one byte take two cells: beyond the first thousand they are refused before they take more memory
 * than 16 bytes for each of the input. */
static void test_many_simple_values(void **state) {
    struct fixture *fixture = *state;
    static unsigned char bytes[60000];
    static const size_t counts[] = {1, 500, 1000, 5000, sizeof(bytes) - 2};
    for (size_t i = 0; i < COUNT(counts); i++) {
        size_t size = counts[i] + 2;
        memset(bytes, 0xe0, size);
        bytes[0] = 0x9f;
        bytes[size - 1] = 0xff;
        int status = decode_with(fixture, bytes, size, NULL, NULL);
        assert_int_equal(status, counts[i] <= 1000 ? WEIR_OK : WEIR_ELIMIT);
        assert_true(fixture->doc->capacity * sizeof(struct weir_value) <= 65536 + 16 * size);
    }
}

/* Strings in chunks take the arena's smallest piece each. */
static void test_memory_of_chunks(void **state) {
    struct fixture *fixture = *state;
    enum { ITEMS = 40000 };
    static const char *const items[] = {"7f6161ff",
                                        "5f4100ff",
                                        "c48200c24100",
                                        "c4820018ff",
                                        "c482001901ff",
                                        "c3488000000000000000",
                                        "c35f49ffffffffffffffffffff"};
    for (size_t i = 0; i < COUNT(items); i++) {
        unsigned char item[32];
        size_t item_size = from_hex(items[i], item), size = 1;
        unsigned char *bytes = malloc(ITEMS * item_size + 2);
        assert_non_null(bytes);
        bytes[0] = 0x9f;
        for (int j = 0; j < ITEMS; j++, size += item_size)
            memcpy(bytes + size, item, item_size);
        bytes[size++] = 0xff;
        weir_doc_free(fixture->doc);
        assert_int_equal(weir_doc_new(&fixture->doc), WEIR_OK);
        assert_int_equal(decode_with(fixture, bytes, size, NULL, NULL), WEIR_OK);
        assert_int_equal(weir_value_count(weir_doc_root(fixture->doc)), ITEMS);
        /* The arena's blocks double, so what was taken and as much again bounds them. */
        assert_true(fixture->doc->capacity * sizeof(struct weir_value) <= 65536 + 16 * size);
        free(bytes);
    }
}

static void test_bytes(void **state) {
    struct fixture *fixture = *state;
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    options.bytes_max = 4;
    assert_int_equal(decode_with(fixture, "\x83\0\0\0", 4, &options, NULL), WEIR_OK);
    weir_buffer_clear(fixture->out);
    assert_int_equal(weir_encode(weir_doc_root(fixture->doc), WEIR_CODEC_CBOR, &options, fixture->out, NULL), WEIR_OK);
    options.bytes_max = 3;
    assert_int_equal(weir_encode(weir_doc_root(fixture->doc), WEIR_CODEC_CBOR, &options, fixture->out, NULL),
                     WEIR_ELIMIT);
    assert_int_equal(weir_buffer_view(fixture->out).size, 4);
    assert_int_equal(decode_with(fixture, "\x83\0\0\0", 4, &options, NULL), WEIR_ELIMIT);
    options.flags = WEIR_SEQUENCE;
    assert_int_equal(decode_with(fixture, "\x81\0\0\0", 4, &options, NULL), WEIR_ELIMIT);
}

/* ---- sequences, RFC 8742 ---- */

static void test_sequence(void **state) {
    struct fixture *fixture = *state;
    static const char *const items[] = {"00",       "9fff", "83 01 02 03",        "d9d9f7 f6",
                                        "7f6161ff", "a0",   "fb3ff8000000000000", "c249010000000000000000"};
    unsigned char bytes[200];
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    options.flags = WEIR_SEQUENCE;
    size_t size = 0, at = 0;
    for (size_t i = 0; i < COUNT(items); i++)
        size += from_hex(items[i], bytes + size);
    for (size_t i = 0; i < COUNT(items); i++) {
        unsigned char item[32];
        size_t used = 0;
        assert_int_equal(decode_with(fixture, bytes + at, size - at, &options, &used), WEIR_OK);
        assert_int_equal(used, from_hex(items[i], item));
        at += used;
    }
    assert_int_equal(at, size);
    assert_int_equal(decode_with(fixture, bytes, size, NULL, NULL), WEIR_EPARSE);
    assert_int_equal(fixture->err.offset, 1);
    size_t used = 77;
    assert_int_equal(decode_with(fixture, "", 0, &options, &used), WEIR_EPARSE); /* no item is none */
    assert_int_equal(used, 77);
    assert_int_equal(decode_with(fixture, "\0\xff", 2, &options, &used), WEIR_OK);
    assert_int_equal(used, 1);
}

/* ---- strictness ---- */

static void test_repeated_keys(void **state) {
    struct fixture *fixture = *state;
    static const struct {
        const char *hex;
        int offset; /* of the second key; -1: none is repeated */
    } cases[] = {
        {"a2 00 00 00 00", 3},
        {"a2 00 00 01 00", -1},
        {"a3 6161 00 6162 00 6161 00", 7},
        {"a2 00 00 f90000 00", -1},
        {"a2 f90000 00 f98000 00", -1},
        {"a2 f90000 00 fb0000000000000000 00", -1}, /* kinds of floats are kept apart */
        {"a2 f93c00 00 fa3f800000 00", 5},
        {"a2 f6 00 f7 00", -1},
        {"a2 4161 00 6161 00", -1},
        {"a2 8101 00 8101 00", 4},
        {"a2 8101 00 9f01ff 00", 4},
        {"a2 a10001 00 a10001 00", 5},
        {"a2 c100 00 c100 00", 4},
        {"a2 20 00 c340 00", 3},
        {"81 a2 60 00 60 00", 4},
        {"a1 00 a2 00 00 00 00", 5},
        {"a1 a2 01 00 01 00 00", 4},
        {"a2 00 a1 00 00 01 a1 00 00", -1},
        {"bf 00 00 00 00 ff", 3},
        {"d9d9f7 a2 00 00 00 00", 6},
        {"c1 a2 00 00 00 00", 0}, /* the tag is wrong too, and comes first */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(decode_hex(fixture, cases[i].hex, 0), WEIR_OK);
        int status = decode_hex(fixture, cases[i].hex, WEIR_STRICT);
        if (status != (cases[i].offset < 0 ? WEIR_OK : WEIR_EPARSE) ||
            (status != WEIR_OK && fixture->err.offset != (uint64_t)cases[i].offset))
            fail_msg("%s: %s at %d", cases[i].hex, weir_err_name(status), (int)fixture->err.offset);
    }
}

/* Contents that a tag allows under WEIR_STRICT, and ones that it does not; a document is made of them without
 * strictness. */
static void test_contents_of_tags(void **state) {
    struct fixture *fixture = *state;
    static const char *const allowed[] = {
        "c074323031332d30332d32315432303a30343a30305a",
        "c0 7819 323031332d30332d32315432303a30343a30302b30313a3030",
        "c074323031362d31322d33315432333a35393a36305a", /* a leap second */
        "c074323031362d30322d32395432333a35393a35395a",
        "c100",
        "c120",
        "c1f93e00",
        "c1f97e00",
        "c1c249010000000000000000",
        "c240",
        "c3420000",
        "c482 00 00",
        "c482 20 c249010000000000000000",
        "c5822003",
        "d5 40",
        "d6 8140",
        "d7 a1 00 40",
        "d81841 00",
        "d818 43 820102",
        "d82060",
        "d82160",
        "d82260",
        "d82360",
        "d82460",
        "d82550 00000000000000000000000000000000",
        "d903ec60",
        "d864 00",
        "d864 20",
        "d90102 80",
        "d829 80",
        "d84040",
        "d841420000",
        "d844 43010203",
        "d850 420000",
        "d853 50 00000000000000000000000000000000",
        "d82882820102820304",
        "d828 82 8101 d84142 0000",
        "d903e9 a1 01 00",
        "d9fffe 00",
        "d9d9f7 80",
    };
    static const char *const refused[] = {
        "c000",
        "c060",
        "c040",
        "c06a323031332d30332d3231",
        "c074323031332d30322d33305432303a30343a30305a",
        "c074323031332d30332d32315432343a30343a30305a",
        "c073323031332d30332d32315432303a30343a3030",
        "c160",
        "c140",
        "c180",
        "c1f4",
        "c1f6",
        "c1a0",
        "c260",
        "c200",
        "c280",
        "c360",
        "c400",
        "c480",
        "c48100",
        "c483000000",
        "c482 f93c00 00",
        "c482 00 60",
        "c582 00 40",
        "d560",
        "d600",
        "d7f4",
        "d81800",
        "d81860",
        "d81841ff",
        "d81842 0000",
        "d82000",
        "d82040",
        "d82540",
        "d825 4f 000000000000000000000000000000",
        "d90102 a0",
        "d82900",
        "d84000",
        "d84060",
        "d840 80",
        "d84141 00",
        "d84243 000000",
        "d84344 00000000",
        "d853 4f 000000000000000000000000000000",
        "d850 4100",
        "d82880",
        "d828 8200 00",
        "d828828103d84040",
        "d828 82 8102 d84142 0000",
        "d903e900",
        "d903e980",
        "d864 60",
        "d86460",
    };
    for (size_t i = 0; i < COUNT(allowed); i++)
        if (decode_hex(fixture, allowed[i], WEIR_STRICT) != WEIR_OK)
            fail_msg("%s: %s", allowed[i], fixture->err.text);
    for (size_t i = 0; i < COUNT(refused); i++) {
        char inside[200];
        if (decode_hex(fixture, refused[i], 0) != WEIR_OK)
            fail_msg("%s: %s", refused[i], fixture->err.text);
        assert_int_equal(weir_doc_root(fixture->doc)->kind, WEIR_KIND_TAGGED);
        if (decode_hex(fixture, refused[i], WEIR_STRICT) != WEIR_EPARSE || fixture->err.offset != 0)
            fail_msg("%s is not refused at 0", refused[i]);
        snprintf(inside, sizeof(inside), "83 6161 %s 00", refused[i]);
        assert_int_equal(decode_hex(fixture, inside, WEIR_STRICT), WEIR_EPARSE);
        assert_int_equal(fixture->err.offset, 3);
    }
    print_message("contents of tags: %d allowed, %d refused\n", (int)COUNT(allowed), (int)COUNT(refused));
}

/* ---- encoding ---- */

static int encode_with(struct fixture *fixture, uint32_t flags) {
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    options.flags = flags;
    weir_buffer_clear(fixture->out);
    int status = weir_encode(weir_doc_root(fixture->doc), WEIR_CODEC_CBOR, &options, fixture->out, &fixture->err);
    assert_true(status == WEIR_OK || weir_buffer_view(fixture->out).size == 0);
    return status;
}

/* Only what is BSON's own has no form that another CBOR reader would know. */
static void test_strict_encoding(void **state) {
    struct fixture *fixture = *state;
    static const char *const has_form[] = {
        "e0", "f8ff", "c100", "d9fffe00", "a2 00 00 00 00", "d84040", "f7", "c249010000000000000000"};
    for (size_t i = 0; i < COUNT(has_form); i++) {
        assert_int_equal(decode_hex(fixture, has_form[i], 0), WEIR_OK);
        assert_int_equal(encode_with(fixture, WEIR_STRICT), WEIR_OK);
    }
    assert_int_equal(decode_hex(fixture, "82 00 db7765697200000007 4c000102030405060708090a0b", 0), WEIR_OK);
    assert_int_equal(encode_with(fixture, WEIR_STRICT), WEIR_EENCODE);
    assert_int_equal(encode_with(fixture, WEIR_STRICT | WEIR_CANONICAL), WEIR_EENCODE);
    assert_int_equal(encode_with(fixture, 0), WEIR_OK);
}

static void test_plain(void **state) {
    struct fixture *fixture = *state;
    static const char *const cases[][2] = {
        {"fb3ff8000000000000", "f93e00"},
        {"d84043010203", "83010203"},
        {"d84544 0100ffff", "820119ffff"},
        {"d852 48 3ff8000000000000", "81f93e00"},
        {"d84a 44 fffffffe", "8121"},
        {"d82882820203d84046010203040506", "828301020383040506"},
        {"d9041082820203d84046010203040506", "828301030583020406"},
        {"d8288280d8404107", "07"},
        {"d828828200 02d84040", "80"},
        {"d8288282 0200 d84040", "828080"},
        {"db7765697200000007 4101", "4101"},
        {"d9fffe00", "d9fffe00"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(decode_hex(fixture, cases[i][0], 0), WEIR_OK);
        assert_string_equal(encode_hex(fixture, WEIR_PLAIN), cases[i][1]);
    }
    /* Rows without end of an empty array are counted against the limit on values. */
    assert_int_equal(decode_hex(fixture, "d82882821bffffffffffffffff00d84040", 0), WEIR_OK);
    assert_int_equal(encode_with(fixture, WEIR_PLAIN), WEIR_ELIMIT);
    assert_int_equal(encode_with(fixture, 0), WEIR_OK);
}

const struct CMUnitTest rules_tests[] = {
    cmocka_unit_test_setup_teardown(test_depth, setup, teardown),
    cmocka_unit_test_setup_teardown(test_depth_inside_kinds, setup, teardown),
    cmocka_unit_test_setup_teardown(test_depth_of_many_tags, setup, teardown),
    cmocka_unit_test_setup_teardown(test_long_integers, setup, teardown),
    cmocka_unit_test_setup_teardown(test_values, setup, teardown),
    cmocka_unit_test_setup_teardown(test_many_simple_values, setup, teardown),
    cmocka_unit_test_setup_teardown(test_memory_of_chunks, setup, teardown),
    cmocka_unit_test_setup_teardown(test_bytes, setup, teardown),
    cmocka_unit_test_setup_teardown(test_sequence, setup, teardown),
    cmocka_unit_test_setup_teardown(test_repeated_keys, setup, teardown),
    cmocka_unit_test_setup_teardown(test_contents_of_tags, setup, teardown),
    cmocka_unit_test_setup_teardown(test_strict_encoding, setup, teardown),
    cmocka_unit_test_setup_teardown(test_plain, setup, teardown),
};
const size_t rules_test_count = COUNT(rules_tests);
