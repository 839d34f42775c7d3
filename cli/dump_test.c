/* The annotators of `weir dump` against the decoders: both must take and refuse the same bytes, and see the first
 * wrong byte in the same place. Vectors from the corpora when they are there, and many damaged messages from a fixed
 * seed.
 *
 * Whatever the bytes are, the tokens must cover all of them, once and in order, and the walk must end.
 *
 * The two may differ where decoders look ahead: at a size or count that is more than there is, which an annotator
 * notes and walks on from; so it may find something wrong earlier. And decoders refuse what is no mistake of form:
 * limits, and maps that look like wrappers ("$name") and are none. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <weir/weir.h>

#include "dump.h"
#include "frame/frame.h"

struct walk {
    size_t covered, tokens;
    int is_bad;
};
static struct walk walk;

static void token_check(struct dump *dump, const struct dump_token *token) {
    walk.tokens++;
    if (token->offset != walk.covered || token->size > dump->size - token->offset || !*token->what)
        walk.is_bad = 1;
    if (token->size == 0 && !token->is_wrong)
        walk.is_bad = 1;
    if (token->value.kind != DUMP_NONE && token->value.kind != DUMP_BYTES && token->value.size > 0 &&
        dump_utf8((const unsigned char *)token->value.data, token->value.size) != token->value.size)
        walk.is_bad = 1;
    walk.covered += token->size;
}

/* Explain @size bytes that lie at the end of a block. Return: dump.status, *ret_offset the first wrong byte. */
static int explain(const struct dump_format *format, const void *data, size_t size, int is_single, size_t *ret_offset) {
    unsigned char *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, data, size);
    struct dump dump = {.data = copy, .size = size, .end = size, .token = token_check, .is_single = is_single};
    walk = (struct walk){0};
    int status = format->run(&dump);
    if (status == WEIR_OK || status == WEIR_EPARSE)
        walk.is_bad |= walk.covered != size;
    *ret_offset = dump.wrong_offset;
    free(dump.levels);
    free(copy);
    return status;
}

static void print_case(const char *name, const unsigned char *data, size_t size) {
    print_message("%s: ", name);
    for (size_t i = 0; i < size && i < 200; i++)
        print_message("%02x", data[i]);
    print_message("\n");
}

/* Decode as a sequence. */
static int decode(weir_doc *doc, int codec, const unsigned char *data, size_t size, size_t *ret_offset,
                  weir_error *err) {
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    size_t used = 0;
    options.flags = WEIR_SEQUENCE;
    *err = (weir_error){0};
    weir_doc_clear(doc);
    *ret_offset = 0;
    do {
        int status = weir_decode(doc, codec, data + *ret_offset, size - *ret_offset, &options, &used, err);
        if (status != WEIR_OK) {
            *ret_offset += err->offset;
            return status;
        }
        *ret_offset += used;
    } while (*ret_offset < size);
    return WEIR_OK;
}

static int is_wrapper_trouble(const weir_error *err) {
    return strchr(err->text, '$') != NULL || strstr(err->text, "wrapper") != NULL;
}

/* Decode and explain, and compare. Return: 1 when the decoder took it. */
static int compare(weir_doc *doc, int codec, const char *name, const void *data, size_t size) {
    const struct dump_format *format = dump_format_find(weir_codec_name(codec));
    size_t decoded = 0, explained = 0;
    weir_error err;
    assert_non_null(format);
    int wanted = decode(doc, codec, data, size, &decoded, &err);
    int status = explain(format, data, size, 0, &explained);
    int is_same = status == wanted && (status == WEIR_OK || explained <= decoded);
    if (wanted == WEIR_ELIMIT || (wanted == WEIR_EPARSE && is_wrapper_trouble(&err)))
        is_same = status == WEIR_OK || status == WEIR_EPARSE || status == WEIR_ELIMIT;
    if (codec == WEIR_CODEC_SMILE && wanted == WEIR_EPARSE && decoded == size && status == WEIR_OK)
        is_same = 1; /* headers and end markers without a value */
    if (!is_same || walk.is_bad) {
        print_case(name, data, size);
        fail_msg("%s: decoder %s at %zu (%s), dump %s at %zu%s", name, weir_err_name(wanted), decoded, err.text,
                 weir_err_name(status), explained, walk.is_bad ? ", tokens that do not fit" : "");
    }
    return wanted == WEIR_OK;
}

/* ---- corpora ---- */

static char *path_of(const char *name) {
    const char *source = getenv("WEIR_SOURCE");
    static char path[4096];
    snprintf(path, sizeof(path), "%s/../shared/corpora/%s", source ? source : "..", name);
    return path;
}

static unsigned char *file_read(const char *path, size_t *ret_size) {
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    unsigned char *data = malloc(4 << 20);
    assert_non_null(data);
    *ret_size = fread(data, 1, 4 << 20, file);
    fclose(file);
    return data;
}

/* Compare every file of @folder whose name ends in @end. */
static int folder_compare(weir_doc *doc, int codec, const char *folder, const char *end) {
    DIR *directory = opendir(path_of(folder));
    int count = 0;
    if (!directory)
        return 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char path[8192];
        size_t size, length = strlen(entry->d_name);
        if (length < strlen(end) || strcmp(entry->d_name + length - strlen(end), end) != 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", path_of(folder), entry->d_name);
        unsigned char *data = file_read(path, &size);
        if (data && size > 0) {
            compare(doc, codec, entry->d_name, data, size);
            count++;
        }
        free(data);
    }
    closedir(directory);
    return count;
}

static size_t hex_read(weir_view text, unsigned char *to) {
    size_t size = text.size / 2;
    for (size_t i = 0; i < size; i++) {
        char digits[3] = {text.data[2 * i], text.data[2 * i + 1], 0};
        to[i] = (unsigned char)strtoul(digits, NULL, 16);
    }
    return size;
}

static int hex_compare(weir_doc *doc, int codec, const char *name, const weir_value *entry, const char *key) {
    weir_view hex;
    if (weir_get_text(entry, key, &hex) != WEIR_OK || hex.size < 2)
        return 0;
    unsigned char *data = malloc(hex.size);
    assert_non_null(data);
    compare(doc, codec, name, data, hex_read(hex, data));
    free(data);
    return 1;
}

/* Compare what stands in hexadecimal under @keys in the maps of a JSON file's arrays. */
static int json_compare(weir_doc *doc, int codec, const char *file, const char *const *arrays,
                        const char *const *keys) {
    weir_doc *cases = NULL;
    size_t size = 0;
    int count = 0;
    unsigned char *text = file_read(path_of(file), &size);
    if (!text)
        return 0;
    assert_int_equal(weir_doc_new(&cases), WEIR_OK);
    weir_codec_options plain = WEIR_CODEC_OPTIONS_INIT;
    plain.flags = WEIR_PLAIN;
    assert_int_equal(weir_decode(cases, WEIR_CODEC_JSON, text, size, &plain, NULL, NULL), WEIR_OK);
    for (; *arrays; arrays++) {
        const weir_value *array;
        weir_iter it;
        if (weir_get(weir_doc_root(cases), *arrays, &array) != WEIR_OK)
            continue;
        weir_iter_init(&it, array);
        while (weir_iter_next(&it))
            for (const char *const *key = keys; *key; key++)
                count += hex_compare(doc, codec, file, it.value, *key);
    }
    weir_doc_free(cases);
    free(text);
    return count;
}

static const char *const whole[] = {"", NULL};
static const char *const hex_key[] = {"hex", NULL};

/* Say how many there were, and fail or skip when there were none. */
static void corpus_end(weir_doc *doc, const char *what, int count) {
    weir_doc_free(doc);
    if (count > 0) {
        print_message("%s: %d inputs\n", what, count);
        return;
    }
    print_message("skip: no %s in ../shared/corpora, or no such codec\n", what);
    skip();
}

static int has_codec(const char *name) {
    int codec;
    return weir_codec_find(name, &codec, NULL) == WEIR_OK;
}

static weir_doc *doc_new(void) {
    weir_doc *doc = NULL;
    assert_int_equal(weir_doc_new(&doc), WEIR_OK);
    return doc;
}

static void test_json_corpus(void **state) {
    (void)state;
    weir_doc *doc = doc_new();
    int count = folder_compare(doc, WEIR_CODEC_JSON, "json/test_parsing", ".json") +
                folder_compare(doc, WEIR_CODEC_JSON, "json/test_transform", ".json") +
                folder_compare(doc, WEIR_CODEC_JSON, "json/roundtrip", ".json");
    corpus_end(doc, "JSON corpus", count);
}

static void test_cbor_corpus(void **state) {
    (void)state;
    static const char *const files[] = {"cbor/appendix_a.json",
                                        "cbor/malformed.json",
                                        "cbor/invalid.json",
                                        "cbor/deterministic.json",
                                        "cbor/typed_arrays.json",
                                        "cbor/trailing_sequence.json",
                                        NULL};
    weir_doc *doc = doc_new();
    int count = 0;
    for (const char *const *file = files; *file; file++)
        count += json_compare(doc, WEIR_CODEC_CBOR, *file, whole, hex_key);
    corpus_end(doc, "CBOR corpus", count);
}

static void test_smile_corpus(void **state) {
    (void)state;
    weir_doc *doc = doc_new();
    int count = 0;
    if (has_codec("smile"))
        count = folder_compare(doc, WEIR_CODEC_SMILE, "smile", ".smile") +
                json_compare(doc, WEIR_CODEC_SMILE, "smile/bad.json", whole, hex_key);
    corpus_end(doc, "Smile corpus", count);
}

static void test_bson_corpus(void **state) {
    (void)state;
    static const char *const arrays[] = {"valid", "decodeErrors", "tests", NULL};
    static const char *const keys[] = {"canonical_bson", "degenerate_bson", "bson", NULL};
    weir_doc *doc = doc_new();
    int count = 0;
    if (has_codec("bson")) {
        count = folder_compare(doc, WEIR_CODEC_BSON, "bson/libbson_binary", ".bson");
        static const char *const folders[] = {"bson/bson_corpus", "bson/bson_binary_vector"};
        for (int i = 0; i < 2; i++) {
            DIR *directory = opendir(path_of(folders[i]));
            for (struct dirent *entry; directory && (entry = readdir(directory)) != NULL;) {
                char name[512];
                snprintf(name, sizeof(name), "%s/%s", folders[i], entry->d_name);
                if (strstr(name, ".json"))
                    count += json_compare(doc, WEIR_CODEC_BSON, name, arrays, keys);
            }
            if (directory)
                closedir(directory);
        }
    }
    corpus_end(doc, "BSON corpus", count);
}

/* ---- damage ---- */

static uint64_t seed = 20261124;
static uint32_t random_below(uint32_t limit) {
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33) % limit;
}

/* A document with something of everything, in @codec. */
static weir_buffer *sample(int codec) {
    static const double numbers[] = {1, 2.5, -3};
    weir_ndarray array = {.element = WEIR_F64, .rank = 1, .shape = {3}, .data = numbers, .size = sizeof(numbers)};
    static const unsigned char bytes[] = "some bytes, 21 or so";
    weir_doc *doc = doc_new();
    weir_buffer *buffer = NULL;
    const weir_value *root;
    weir_error err = {0};
    int status =
        weir_pack(doc, &root, &err, "{s:s, s:[iiifbn], s:{s:y, s:t}, s:A, s:u, s:[{s:s},{s:s},[],{}]}", "op", "grün",
                  "list", 1L, -300L, 70000L, 21.5, 1, "nested", "bytes", bytes, sizeof(bytes), "when",
                  1700000000123456789L, "array", &array, "big", 18446744073709551615UL, "maps", "a", "op", "a", "b");
    assert_int_equal(status, WEIR_OK);
    assert_int_equal(weir_buffer_new(&buffer), WEIR_OK);
    assert_int_equal(weir_encode(root, codec, NULL, buffer, &err), WEIR_OK);
    weir_doc_free(doc);
    return buffer;
}

/* Change, cut, insert or repeat a few bytes. */
static size_t damage(unsigned char *data, size_t size) {
    static const unsigned char often[] = {0x00, 0xff, 0xfb, 0xf9, 0xfc, 0x3a, 0x22, 0x7b, 0x5b, 0x2c, 0x1b, 0x5f,
                                          0x7f, 0x9f, 0x80, 0x01, 0x40, 0x5c, 0x75, 0xf8, 0xfa, 0xe0, 0xc3, 0xed};
    for (uint32_t times = 1 + random_below(3); times > 0 && size > 1; times--) {
        size_t at = random_below((uint32_t)size);
        switch (random_below(6)) {
        case 0: size = at + 1; break;
        case 1: memmove(data + at, data + at + 1, --size - at); break;
        case 2:
            memmove(data + at + 1, data + at, size++ - at);
            data[at] = often[random_below(sizeof(often))];
            break;
        case 3: data[at] ^= (unsigned char)(1 << random_below(8)); break;
        case 4: data[at] = often[random_below(sizeof(often))]; break;
        default: data[at] = (unsigned char)random_below(256);
        }
    }
    return size;
}

static void damage_compare(const char *name) {
    enum { TIMES = 60000, SPARE = 64 };
    int codec, taken = 0;
    if (!has_codec(name)) {
        print_message("skip: the codec %s is not built in\n", name);
        skip();
    }
    assert_int_equal(weir_codec_find(name, &codec, NULL), WEIR_OK);
    weir_doc *doc = doc_new();
    weir_buffer *buffer = sample(codec);
    weir_view view = weir_buffer_view(buffer);
    unsigned char *data = malloc(view.size + SPARE);
    assert_non_null(data);
    assert_int_equal(compare(doc, codec, name, view.data, view.size), 1);
    for (int i = 0; i < TIMES; i++) {
        memcpy(data, view.data, view.size);
        taken += compare(doc, codec, name, data, damage(data, view.size));
    }
    print_message("%s: of %d damaged inputs %d were taken\n", name, TIMES, taken);
    assert_true(taken > TIMES / 100 && taken < TIMES);
    free(data);
    weir_buffer_free(buffer);
    weir_doc_free(doc);
}

static void test_json_damage(void **state) {
    (void)state;
    damage_compare("json");
}

static void test_cbor_damage(void **state) {
    (void)state;
    damage_compare("cbor");
}

static void test_smile_damage(void **state) {
    (void)state;
    damage_compare("smile");
}

static void test_bson_damage(void **state) {
    (void)state;
    damage_compare("bson");
}

/* Bytes without any sense, and every input of up to two bytes. */
static void test_noise(void **state) {
    (void)state;
    static const char *const names[] = {"json", "cbor", "smile", "bson"};
    unsigned char data[64];
    weir_doc *doc = doc_new();
    for (int i = 0; i < 4; i++) {
        int codec;
        if (!has_codec(names[i]))
            continue;
        assert_int_equal(weir_codec_find(names[i], &codec, NULL), WEIR_OK);
        for (unsigned pair = 0; pair < 0x10000; pair++) {
            data[0] = (unsigned char)(pair >> 8);
            data[1] = (unsigned char)pair;
            compare(doc, codec, names[i], data, pair < 256 ? 1 : 2);
        }
        for (int times = 0; times < 40000; times++) {
            size_t size = 1 + random_below(sizeof(data));
            for (size_t k = 0; k < size; k++)
                data[k] = (unsigned char)random_below(256);
            compare(doc, codec, names[i], data, size);
        }
    }
    weir_doc_free(doc);
}

/* ---- frames ---- */

/* A frame made by hand: time, id, meta, a type when @type, aligned data, no checksum. */
static size_t frame_make(unsigned char *to, int codec, const char *type, const void *data, size_t size) {
    static const unsigned char meta[] = {0xa1, 0x61, 'u', 0x61, 'V'};
    size_t at = 16, type_size = strlen(type);
    memset(to, 0, 128 + size);
    memcpy(to + at, "\x15\xcd\x5b\x07\x00\x00\x00\x17", 8);
    memcpy(to + at + 8, "\x2a\0\0\0\0\0\0\0", 8);
    at += 16;
    to[at] = sizeof(meta);
    at += 4;
    if (type_size > 0) {
        to[at] = (unsigned char)type_size;
        at += 2;
    }
    memcpy(to + at, "op", 2);
    memcpy(to + at + 2, type, type_size);
    memcpy(to + at + 2 + type_size, meta, sizeof(meta));
    at = (at + 2 + type_size + sizeof(meta) + 63) / 64 * 64;
    memcpy(to + at, data, size);
    at += size;
    to[0] = (unsigned char)at;
    to[1] = (unsigned char)(at >> 8);
    to[4] = 0x11;
    to[5] = (unsigned char)codec;
    to[6] = 2;
    to[7] = 1 | 2 | 8 | 32 | (type_size > 0 ? 16 : 0);
    to[8] = 7;
    return at;
}

static void test_frames(void **state) {
    (void)state;
    static const double numbers[4] = {1, 2, 3, 4};
    unsigned char data[1024];
    size_t offset, size = frame_make(data, WEIR_CODEC_RAW, "f64[4]", numbers, sizeof(numbers));
    size += frame_make(data + size, WEIR_CODEC_JSON, "", "{\"a\": 1}\n", 9);
    assert_int_equal(explain(&dump_frame, data, size, 0, &offset), WEIR_OK);
    assert_false(walk.is_bad);
    assert_true(dump_is_frame(data, size));
    for (size_t cut = 1; cut < size; cut++) {
        int status = explain(&dump_frame, data, cut, 0, &offset);
        assert_false(walk.is_bad);
        assert_true(status == WEIR_OK ? cut == dump_load(data, 4, 0) : offset == cut);
    }
    for (int i = 0; i < 60000; i++) {
        unsigned char copy[1024 + 64];
        memcpy(copy, data, size);
        explain(&dump_frame, copy, damage(copy, size), 0, &offset);
        if (walk.is_bad)
            print_case("frame", copy, size);
        assert_false(walk.is_bad);
    }
}

/* A frame as the library writes it, with all there is, and every byte of it changed. */
static void test_frames_of_the_library(void **state) {
    (void)state;
    static const double numbers[4] = {1, 2, 3, 4};
    struct weir_frame frame = {.kind = WEIR_FRAME_REPLY,
                               .codec = WEIR_CODEC_RAW,
                               .flags = WEIR_FRAME_TIME | WEIR_FRAME_ID | WEIR_FRAME_WRITER | WEIR_FRAME_ALIGNED |
                                        WEIR_FRAME_CRC,
                               .seq = 7,
                               .time = 1700000000123456789,
                               .id = 42,
                               .writer = UINT64_C(0x1122334455667788),
                               .op = {"spectrum", 8},
                               .type = {"f64[4]", 6},
                               .meta = {"\xa1\x64unit\x61V", 8},
                               .data = {(const char *)numbers, sizeof(numbers)}};
    unsigned char bytes[512];
    size_t offset;
    assert_int_equal(weir_frame_layout(&frame), WEIR_OK);
    assert_true(frame.size <= sizeof(bytes));
    weir_frame_write_whole(&frame, bytes);
    assert_int_equal(explain(&dump_frame, bytes, frame.size, 0, &offset), WEIR_OK);
    assert_false(walk.is_bad);
    for (size_t i = 0; i < frame.size; i++) {
        struct weir_frame parsed;
        uint64_t word;
        bytes[i] ^= 1;
        memcpy(&word, bytes, sizeof(word));
        int wanted = weir_frame_parse(word, bytes, frame.size, &parsed);
        int status = explain(&dump_frame, bytes, frame.size, 0, &offset);
        assert_false(walk.is_bad);
        assert_int_not_equal(wanted, WEIR_OK);
        assert_int_equal(status, WEIR_EPARSE);
        bytes[i] ^= 1;
    }
}

static void test_frame_mistakes(void **state) {
    (void)state;
    unsigned char data[512];
    size_t offset, size = frame_make(data, WEIR_CODEC_JSON, "", "[1,]", 4), begin = size - 4;
    static const struct {
        size_t at;
        unsigned char byte;
        size_t offset;
    } mistakes[] = {{4, 0x21, 4}, {4, 0x10, 4}, {4, 0x16, 4}, {7, 0xab, 7}};
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        unsigned char was = data[mistakes[i].at];
        data[mistakes[i].at] = mistakes[i].byte;
        assert_int_equal(explain(&dump_frame, data, size, 0, &offset), WEIR_EPARSE);
        assert_int_equal(offset, mistakes[i].offset);
        data[mistakes[i].at] = was;
    }
    assert_int_equal(explain(&dump_frame, data, size, 0, &offset), WEIR_EPARSE);
    assert_int_equal(offset, begin + 3);
}

/* ---- depth ---- */

static void test_depth(void **state) {
    (void)state;
    enum { DEPTH = 200000 };
    static const struct {
        const struct dump_format *format;
        unsigned char byte;
    } nests[] = {{&dump_json, '['}, {&dump_cbor, 0x81}, {&dump_cbor, 0xc6}, {&dump_cbor, 0x9f}, {&dump_smile, 0xf8}};
    unsigned char *data = malloc(DEPTH);
    assert_non_null(data);
    for (size_t i = 0; i < sizeof(nests) / sizeof(nests[0]); i++) {
        size_t offset;
        memset(data, nests[i].byte, DEPTH);
        assert_int_equal(explain(nests[i].format, data, DEPTH, 0, &offset), WEIR_ELIMIT);
        assert_int_equal(explain(nests[i].format, data, 1000, 0, &offset), WEIR_EPARSE);
        assert_int_equal(offset, 1000);
        assert_false(walk.is_bad);
    }
    free(data);
}

static void test_recognise(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *name;
    } cases[] = {
        {"\x05\0\0\0\0", 5, "bson"},
        {"\x05\0\0\0\0\x05\0\0\0\0", 10, "bson"},
        {":)\n\x01\x21", 5, "smile"},
        {"\xd9\xd9\xf7\x01", 4, "cbor"},
        {" \n{}", 4, "json"},
        {"\xEF\xBB\xBF[]", 5, "json"},
        {"7", 1, "json"},
        {"true", 4, "json"},
        {"foobar!", 7, "cbor"},
        {"\xa1\x61\x61\x01", 4, "cbor"},
        {"\x10\0\0\0\x11\0\0\0\x01\0\0\0\0\0\0\0", 16, "frame"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *why;
        const struct dump_format *format = dump_recognise((const unsigned char *)cases[i].bytes, cases[i].size, &why);
        assert_string_equal(format->name, cases[i].name);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_corpus),
        cmocka_unit_test(test_cbor_corpus),
        cmocka_unit_test(test_smile_corpus),
        cmocka_unit_test(test_bson_corpus),
        cmocka_unit_test(test_json_damage),
        cmocka_unit_test(test_cbor_damage),
        cmocka_unit_test(test_smile_damage),
        cmocka_unit_test(test_bson_damage),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_frames_of_the_library),
        cmocka_unit_test(test_frame_mistakes),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_recognise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
