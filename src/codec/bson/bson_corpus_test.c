/* BSON: the corpora of MongoDB, when they are there. */
#include <dirent.h>

#include "codec/bson/bson_testing.h"

/* What a directory of the corpora holds, one file after the other; NULL behind the last. */
struct corpus {
    DIR *dir;
    char path[4000];
    char name[256];
    char *data;
    size_t size;
};

static int corpus_open(struct corpus *corpus, const char *folder) {
    const char *source = getenv("WEIR_SOURCE");
    *corpus = (struct corpus){0};
    snprintf(corpus->path, sizeof(corpus->path), "%s/../shared/corpora/bson/%s", source ? source : ".", folder);
    corpus->dir = opendir(corpus->path);
    if (!corpus->dir)
        print_message("skip: there is no %s\n", corpus->path);
    return corpus->dir != NULL;
}

static int corpus_next(struct corpus *corpus, const char *ending) {
    struct dirent *entry;
    char path[sizeof(corpus->path) + sizeof(corpus->name) + 2];
    free(corpus->data);
    corpus->data = NULL;
    while ((entry = readdir(corpus->dir)) != NULL) {
        const char *dot = strrchr(entry->d_name, '.');
        if (dot && strcmp(dot, ending) == 0)
            break;
    }
    if (!entry) {
        closedir(corpus->dir);
        return 0;
    }
    snprintf(corpus->name, sizeof(corpus->name), "%s", entry->d_name);
    snprintf(path, sizeof(path), "%s/%s", corpus->path, entry->d_name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    corpus->size = (size_t)ftell(file);
    rewind(file);
    corpus->data = malloc(corpus->size + 1);
    assert_non_null(corpus->data);
    assert_int_equal(fread(corpus->data, 1, corpus->size, file), corpus->size);
    fclose(file);
    return 1;
}

/* The text at @path of a case; "" when it has none. */
static char *text_of(const weir_value *value, const char *path) {
    weir_view view = {"", 0};
    if (weir_get_text(value, path, &view) != WEIR_OK)
        view = (weir_view){"", 0};
    return strndup(view.data, view.size);
}

struct counts {
    int valid, degenerate, refused, json, json_other;
};

static int is_lossy(const weir_value *test) {
    int lossy = 0;
    return weir_get_bool(test, "lossy", &lossy) == WEIR_OK && lossy;
}

/* Its extended JSON is the same value, but where the corpus itself says that it loses something. */
static void check_extended_json(struct fixture *fixture, const weir_value *test, const char *name,
                                struct counts *counts) {
    char *json = text_of(test, "canonical_extjson");
    const weir_value *value = read_json(fixture, json);
    if (weir_value_equal(value, weir_doc_root(fixture->doc))) {
        counts->json++;
    } else {
        if (!is_lossy(test))
            fail_msg("%s: %s is another value: %s", name, json, json_of(fixture, weir_doc_root(fixture->doc), 0));
        counts->json_other++;
    }
    free(json);
}

static void check_valid(struct fixture *fixture, const weir_value *test, struct counts *counts) {
    char *name = text_of(test, "description");
    char *hex = text_of(test, "canonical_bson");
    char *degenerate = text_of(test, "degenerate_bson");
    take_hex(fixture, hex);
    if (decode(fixture, 0) != WEIR_OK)
        fail_msg("%s: %s: %s", name, hex, fixture->err.text);
    check_hex(fixture, weir_doc_root(fixture->doc), 0, hex, name);
    for (int codec = WEIR_CODEC_JSON; codec <= WEIR_CODEC_BSON; codec++)
        check_through(fixture, weir_doc_root(fixture->doc), codec, name);
    counts->valid++;
    check_extended_json(fixture, test, name, counts);
    if (*degenerate) {
        /* Of a decimal whose coefficient is too great the case wants a number that it is not (it means 0); its bytes
         * are kept. */
        const char *same = strcmp(name, "Scientific - Longest") == 0 ? degenerate : hex;
        take_hex(fixture, degenerate);
        if (decode(fixture, 0) != WEIR_OK)
            fail_msg("%s: %s: %s", name, degenerate, fixture->err.text);
        check_hex(fixture, weir_doc_root(fixture->doc), WEIR_CANONICAL, same, name);
        counts->degenerate++;
    }
    free(name);
    free(hex);
    free(degenerate);
}

static void check_refused(struct fixture *fixture, const weir_value *test, struct counts *counts) {
    char *name = text_of(test, "description");
    char *hex = text_of(test, "bson");
    take_hex(fixture, hex);
    if (decode(fixture, 0) != WEIR_EPARSE)
        fail_msg("%s: %s was not refused", name, hex);
    counts->refused++;
    free(name);
    free(hex);
}

static void test_bson_corpus(void **state) {
    struct fixture *fixture = *state;
    struct corpus corpus;
    struct counts counts = {0};
    int files = 0;
    weir_doc *doc = NULL;
    if (!corpus_open(&corpus, "bson_corpus"))
        skip();
    assert_int_equal(weir_doc_new(&doc), WEIR_OK);
    for (; corpus_next(&corpus, ".json"); files++) {
        weir_iter it;
        const weir_value *list = NULL;
        assert_int_equal(weir_decode(doc, WEIR_CODEC_JSON, corpus.data, corpus.size, NULL, NULL, NULL), WEIR_OK);
        weir_get(weir_doc_root(doc), "valid", &list);
        for (weir_iter_init(&it, list); weir_iter_next(&it);)
            check_valid(fixture, it.value, &counts);
        list = NULL;
        weir_get(weir_doc_root(doc), "decodeErrors", &list);
        for (weir_iter_init(&it, list); weir_iter_next(&it);)
            check_refused(fixture, it.value, &counts);
    }
    print_message("bson-corpus: %d files, %d valid, %d degenerate, %d refused; extended JSON: %d the same, %d lossy\n",
                  files, counts.valid, counts.degenerate, counts.refused, counts.json, counts.json_other);
    assert_int_equal(counts.json + counts.json_other, counts.valid);
    weir_doc_free(doc);
}

/* Vectors of int8 and float32 are ndarrays; others, and wrong ones, stay bytes of subtype 9. All are written as they
 * were. */
static void check_vector(struct fixture *fixture, const weir_value *test, const char *hex) {
    weir_ndarray array;
    weir_iter it;
    const weir_value *expected = NULL, *vector = NULL;
    int is_valid = 0;
    char *type = text_of(test, "dtype_alias");
    take_hex(fixture, hex);
    assert_int_equal(decode(fixture, 0), WEIR_OK);
    check_hex(fixture, weir_doc_root(fixture->doc), 0, hex, hex);
    assert_int_equal(weir_get(weir_doc_root(fixture->doc), "vector", &vector), WEIR_OK);
    assert_int_equal(weir_get_bool(test, "valid", &is_valid), WEIR_OK);
    int is_array = is_valid && strcmp(type, "PACKED_BIT") != 0;
    assert_int_equal(weir_value_kind(vector), is_array ? WEIR_KIND_NDARRAY : WEIR_KIND_TAGGED);
    if (is_array) {
        assert_int_equal(weir_get_ndarray(vector, NULL, &array), WEIR_OK);
        assert_int_equal(weir_get(test, "vector", &expected), WEIR_OK);
        assert_int_equal(array.shape[0], weir_value_count(expected));
        weir_iter_init(&it, expected);
        for (uint64_t i = 0; weir_iter_next(&it); i++) {
            struct weir_value element;
            double number = 0;
            weir_ndarray_element(&array, i, &element);
            assert_int_equal(weir_get_f64(it.value, NULL, &number), WEIR_OK);
            assert_true(element.kind == WEIR_KIND_FLOAT32 ? element.as.f32 == (float)number
                                                          : (double)element.as.i64 == number);
        }
    }
    free(type);
}

static void test_vector_corpus(void **state) {
    struct fixture *fixture = *state;
    struct corpus corpus;
    weir_doc *doc = NULL;
    int checked = 0, others = 0;
    if (!corpus_open(&corpus, "bson_binary_vector"))
        skip();
    assert_int_equal(weir_doc_new(&doc), WEIR_OK);
    while (corpus_next(&corpus, ".json")) {
        weir_iter it;
        const weir_value *list = NULL;
        assert_int_equal(weir_decode(doc, WEIR_CODEC_JSON, corpus.data, corpus.size, NULL, NULL, NULL), WEIR_OK);
        assert_int_equal(weir_get(weir_doc_root(doc), "tests", &list), WEIR_OK);
        for (weir_iter_init(&it, list); weir_iter_next(&it);) {
            char *hex = text_of(it.value, "canonical_bson");
            if (*hex) {
                check_vector(fixture, it.value, hex);
                checked++;
            } else {
                others++;
            }
            free(hex);
        }
    }
    print_message("bson-binary-vector: %d checked; %d are about numbers that fit no vector, and have no bytes\n",
                  checked, others);
    weir_doc_free(doc);
}

/* Files of all kinds, some broken on purpose: no crash; what is accepted says so in the same bytes, or names in
 * arrays differ. */
static void test_libbson_corpus(void **state) {
    struct fixture *fixture = *state;
    struct corpus corpus;
    int accepted = 0, refused = 0, same = 0;
    if (!corpus_open(&corpus, "libbson_binary"))
        skip();
    while (corpus_next(&corpus, ".bson")) {
        weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
        options.depth_max = 200; /* test39.bson is a nest of 100 documents */
        take(fixture, corpus.data, corpus.size);
        if (decode_with(fixture, &options) != WEIR_OK) {
            print_message("%s: %s\n", corpus.name, fixture->err.text);
            assert_int_equal(fixture->err.code, WEIR_EPARSE);
            assert_true(fixture->err.offset <= corpus.size);
            refused++;
            continue;
        }
        accepted++;
        assert_int_equal(weir_bson_load32(fixture->input), corpus.size);
        weir_buffer_clear(fixture->out);
        assert_int_equal(weir_encode(weir_doc_root(fixture->doc), WEIR_CODEC_BSON, &options, fixture->out, NULL),
                         WEIR_OK);
        weir_view view = weir_buffer_view(fixture->out);
        same += view.size == corpus.size && memcmp(view.data, corpus.data, view.size) == 0;
        if (decode(fixture, 0) != WEIR_OK)
            continue;
        for (int codec = WEIR_CODEC_JSON; codec <= WEIR_CODEC_BSON; codec++)
            check_through(fixture, weir_doc_root(fixture->doc), codec, corpus.name);
    }
    print_message("libbson: %d accepted, %d of them written as the same bytes, %d refused\n", accepted, same, refused);
    assert_true(accepted > 0 && refused > 0);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        TEST(test_bson_corpus),
        TEST(test_vector_corpus),
        TEST(test_libbson_corpus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
