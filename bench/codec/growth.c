/* Time for each byte as inputs grow, in every codec: it must stay what it is, however deep, wide or long they are.
 *
 *     bench_growth [SHAPE...]
 *
 * Each shape is made as typed JSON in four sizes, each four times the one before, and taken to the other codecs through
 * the document. A figure is the least of several runs in the thread's own time on the processor, divided by the bytes.
 * What grows with the square of its input would be 64 times slower for each byte in the last column; the limit leaves
 * room for caches and for the logarithm of sorting. Exit code: 1 when something is beyond it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/weir.h>

enum {
    SIZES = 4,
    STEP = 4,
    RUNS = 7,
    FIRST = 16 << 10,
    DEEP = 1 << 30,
    NEST = 20,
    LEVELS_MAX = 60000 /* CBOR takes 65535 */,
    DIGITS = 4900
};
static const double limit = 8;

struct text {
    char *data;
    size_t size, room;
};

static void out_of_memory(void) {
    fprintf(stderr, "bench_growth: out of memory\n");
    exit(1);
}

static void add(struct text *text, const char *piece) {
    size_t size = strlen(piece);
    if (text->room - text->size < size) {
        text->room = text->room * 2 + size + FIRST;
        text->data = realloc(text->data, text->room);
        if (!text->data)
            out_of_memory();
    }
    memcpy(text->data + text->size, piece, size);
    text->size += size;
}

static void add_times(struct text *text, const char *piece, size_t times) {
    while (times-- > 0)
        add(text, piece);
}

/* ---- shapes: about @size bytes of JSON ---- */

/* Nests of @levels, as many as it takes. */
static void items(struct text *text, size_t size, size_t levels, const char *open, const char *close) {
    add(text, "[");
    while (text->size < size) {
        add(text, text->size > 1 ? "," : "");
        add_times(text, open, levels);
        add(text, "null");
        add_times(text, close, levels);
    }
    add(text, "]");
}

static size_t levels_of(size_t size, size_t each) {
    return size / each < LEVELS_MAX ? size / each : LEVELS_MAX;
}

static void deep_arrays(struct text *text, size_t size) {
    items(text, size, levels_of(size, 2), "[", "]");
}

static void deep_maps(struct text *text, size_t size) {
    items(text, size, levels_of(size, 6), "{\"a\":", "}");
}

static void tags(struct text *text, size_t size) {
    items(text, size, NEST, "{\"$tag\":[1000,", "]}");
}

static void pairs(struct text *text, size_t size) {
    items(text, size, NEST, "{\"$map\":[[1,", "]]}");
}

static void keys(struct text *text, size_t size) {
    char pair[40];
    add(text, "{");
    for (unsigned i = 0; text->size < size; i++) {
        sprintf(pair, "%s\"key%u\":%u", i > 0 ? "," : "", i, i);
        add(text, pair);
    }
    add(text, "}");
}

static void same_keys(struct text *text, size_t size) {
    add(text, "[");
    while (text->size < size)
        add(text, text->size > 1 ? ",{\"first\":1,\"second\":2}" : "{\"first\":1,\"second\":2}");
    add(text, "]");
}

static void long_numbers(struct text *text, size_t size) {
    add(text, "[");
    for (int i = 0; text->size < size; i++) {
        add(text, i > 0 ? ",-1" : "1");
        add_times(text, "1234567890", DIGITS / 10);
    }
    add(text, "]");
}

static void long_floats(struct text *text, size_t size) {
    add(text, "[");
    for (int i = 0; text->size < size; i++) {
        add(text, i > 0 ? ",0." : "0.");
        add_times(text, "1234567890", DIGITS / 10);
    }
    add(text, "]");
}

static void escapes(struct text *text, size_t size) {
    add(text, "\"");
    add_times(text, "\\n\\u00e9", size / 8);
    add(text, "\"");
}

static const struct shape {
    const char *name;
    void (*make)(struct text *text, size_t size);
} shapes[] = {
    {"deep arrays", deep_arrays},
    {"deep maps", deep_maps},
    {"tags", tags},
    {"pairs", pairs},
    {"keys", keys},
    {"same keys", same_keys},
    {"long numbers", long_numbers},
    {"long floats", long_floats},
    {"escapes", escapes},
};

/* ---- measuring ---- */

struct work {
    weir_doc *doc, *other;
    weir_buffer *bytes, *out;
};

static weir_codec_options options_of(uint32_t flags) {
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    options.flags = flags;
    options.depth_max = DEEP;
    options.values_max = DEEP;
    return options;
}

static double now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Decode or encode once. Return: nanoseconds; below 0 when it fails. */
static double once(struct work *work, int codec, int is_decoding, uint32_t flags) {
    weir_codec_options options = options_of(flags);
    weir_view view = weir_buffer_view(work->bytes);
    weir_error err = {0};
    weir_buffer_clear(work->out);
    double begin = now_ns();
    int status = is_decoding ? weir_decode(work->other, codec, view.data, view.size, &options, NULL, &err)
                             : weir_encode(weir_doc_root(work->doc), codec, &options, work->out, &err);
    double spent = now_ns() - begin;
    if (status != WEIR_OK)
        fprintf(stderr, "bench_growth: %s\n", err.text);
    return status == WEIR_OK ? spent : -1;
}

static double per_byte(struct work *work, int codec, int is_decoding, uint32_t flags) {
    double least = -1;
    for (int i = 0; i < RUNS; i++) {
        double spent = once(work, codec, is_decoding, flags);
        if (spent < 0)
            return -1;
        least = least < 0 || spent < least ? spent : least;
    }
    return least / (double)weir_buffer_view(work->bytes).size;
}

/* The shape in @codec, in work->doc and work->bytes. */
static int prepare(struct work *work, const struct shape *shape, int codec, size_t size, struct text *text) {
    weir_codec_options options = options_of(0);
    text->size = 0;
    shape->make(text, size);
    weir_buffer_clear(work->bytes);
    return weir_decode(work->doc, WEIR_CODEC_JSON, text->data, text->size, &options, NULL, NULL) == WEIR_OK &&
           weir_encode(weir_doc_root(work->doc), codec, &options, work->bytes, NULL) == WEIR_OK;
}

static int measure(struct work *work, const struct shape *shape, int codec) {
    static const struct {
        const char *name;
        int is_decoding;
        uint32_t flags;
    } operations[] = {
        {"decode", 1, 0}, {"decode strict", 1, WEIR_STRICT}, {"encode", 0, 0}, {"encode canonical", 0, WEIR_CANONICAL}};
    enum { OPERATIONS = sizeof(operations) / sizeof(operations[0]) };
    double ns[OPERATIONS][SIZES];
    struct text text = {0};
    size_t size = FIRST;
    int failures = 0;
    for (int i = 0; i < SIZES; i++, size *= STEP) {
        if (!prepare(work, shape, codec, size, &text))
            return fprintf(stderr, "bench_growth: %s cannot be %s\n", shape->name, weir_codec_name(codec)), 1;
        for (int j = 0; j < OPERATIONS; j++)
            ns[j][i] = per_byte(work, codec, operations[j].is_decoding, operations[j].flags);
    }
    free(text.data);
    for (int j = 0; j < OPERATIONS; j++) {
        double growth = ns[j][SIZES - 1] / ns[j][0];
        int is_bad = ns[j][0] <= 0 || ns[j][SIZES - 1] <= 0 || growth > limit;
        printf("%-13s %-6s %-17s", shape->name, weir_codec_name(codec), operations[j].name);
        for (int i = 0; i < SIZES; i++)
            printf(" %8.3f", ns[j][i]);
        printf("  x %.2f%s\n", growth, is_bad ? "  GROWS" : "");
        failures += is_bad;
    }
    return failures;
}

static int is_wanted(const char *name, int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        if (strcmp(name, argv[i]) == 0)
            return 1;
    return argc < 2;
}

int main(int argc, char **argv) {
    struct work work = {0};
    int failures = 0;
    if (weir_doc_new(&work.doc) || weir_doc_new(&work.other) || weir_buffer_new(&work.bytes) ||
        weir_buffer_new(&work.out))
        out_of_memory();
    printf("ns for each byte in encodings of 16 KiB, 64 KiB, 256 KiB and 1 MiB of JSON\n");
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
        for (int codec = WEIR_CODEC_JSON; codec <= WEIR_CODEC_BSON; codec++)
            if (is_wanted(shapes[i].name, argc, argv))
                failures += measure(&work, &shapes[i], codec);
    printf("%d beyond x %.0f\n", failures, limit);
    weir_doc_free(work.doc);
    weir_doc_free(work.other);
    weir_buffer_free(work.bytes);
    weir_buffer_free(work.out);
    return failures > 0;
}
