/* Documents of the character of the classic benchmark files, written by weir's builder from a fixed seed:
 *
 *     tweets    like twitter.json: deep, much text in several scripts, many short keys; indented, about 600 KB
 *     shapes    like canada.json: rings of pairs of coordinates with all their digits, about 2 MB
 *     catalog   like citm_catalog.json: integers as keys, the same small maps over and over; indented, about 1.7 MB
 *     doubles   100 000 numbers in one array
 *     message   what a sensor sends: some 130 bytes
 *
 * Every root is a map, as BSON wants it. Each is encoded once in every codec that the library has. */
#include "inputs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    STATUS_COUNT = 165,
    RING_COUNT = 480,
    RING_POINTS = 116,
    EVENT_COUNT = 300,
    PERFORMANCE_COUNT = 450,
    DOUBLE_COUNT = 100000
};

void bench_must(int holds, const char *what) {
    if (holds)
        return;
    fprintf(stderr, "bench: %s failed\n", what);
    exit(1);
}

/* ---- numbers that look random and never change ---- */

static uint64_t seed = 20240229;

static uint64_t any(void) {
    uint64_t x = seed += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static uint64_t below(uint64_t limit) {
    return any() % limit;
}

static double fraction(void) {
    return (double)(any() >> 11) * 0x1p-53;
}

/* ---- pieces ---- */

static void text(weir_doc *doc, const char *key, const char *value) {
    weir_put_key(doc, key);
    weir_put_text(doc, value, strlen(value));
}

static void number(weir_doc *doc, const char *key, int64_t value) {
    weir_put_key(doc, key);
    weir_put_i64(doc, value);
}

static void truth(weir_doc *doc, const char *key, int value) {
    weir_put_key(doc, key);
    weir_put_bool(doc, value);
}

static void nothing(weir_doc *doc, const char *key) {
    weir_put_key(doc, key);
    weir_put_null(doc);
}

static const char *const words[] = {
    "雨が降る", "おはよう",   "港",        "明日の列車は", "静かな",      "星を見た",    "窓",      "海辺で",
    "「はい」", "ありがとう", "measuring", "the",          "tide",        "over",        "harbour", "größer",
    "été",      "мост",       "река",      "καλημέρα",     "a \"quote\"", "line\nbreak", "🌊",       "🚲☀️",
    "and",      "so",         "on",        "12:30",        "→",           "…",
};
enum { WORD_COUNT = sizeof(words) / sizeof(words[0]) };

/* A sentence of up to @count words. Japanese ones, the first ten, come more often and without blanks between them. */
static void sentence(weir_doc *doc, const char *key, unsigned count) {
    char line[512];
    size_t used = 0;
    for (unsigned i = 0; i < count; i++) {
        const char *word = words[below(3) > 0 ? below(10) : below(WORD_COUNT)];
        used +=
            (size_t)snprintf(line + used, sizeof(line) - used, "%s%s", word, (unsigned char)word[0] < 0x80 ? " " : "");
        bench_must(used < sizeof(line), "a sentence");
    }
    weir_put_key(doc, key);
    weir_put_text(doc, line, used);
}

static void identity(weir_doc *doc, const char *key, const char *key_text) {
    char digits[24];
    int64_t id = (int64_t)(UINT64_C(505874800000000000) + below(UINT64_C(100000000000)));
    snprintf(digits, sizeof(digits), "%lld", (long long)id);
    number(doc, key, id);
    text(doc, key_text, digits);
}

static void address(weir_doc *doc, const char *key) {
    char line[96];
    snprintf(line, sizeof(line), "http://images.example.org/profile/%llu/%08llx_normal.jpeg",
             (unsigned long long)below(1000000000), (unsigned long long)below(UINT64_C(1) << 32));
    text(doc, key, line);
}

/* ---- tweets ---- */

static void user(weir_doc *doc) {
    weir_put_key(doc, "user");
    weir_begin_map(doc);
    identity(doc, "id", "id_str");
    sentence(doc, "name", 2);
    text(doc, "screen_name", "quiet_harbour");
    sentence(doc, "location", 1);
    sentence(doc, "description", 14);
    nothing(doc, "url");
    truth(doc, "protected", 0);
    number(doc, "followers_count", (int64_t)below(20000));
    number(doc, "friends_count", (int64_t)below(2000));
    number(doc, "listed_count", (int64_t)below(50));
    text(doc, "created_at", "Sat Feb 11 09:38:34 +0000 2012");
    number(doc, "favourites_count", (int64_t)below(5000));
    nothing(doc, "utc_offset");
    nothing(doc, "time_zone");
    truth(doc, "geo_enabled", (int)below(2));
    truth(doc, "verified", 0);
    number(doc, "statuses_count", (int64_t)below(30000));
    text(doc, "lang", "ja");
    text(doc, "profile_background_color", "C0DEED");
    address(doc, "profile_background_image_url");
    address(doc, "profile_image_url");
    text(doc, "profile_link_color", "0084B4");
    truth(doc, "profile_use_background_image", 1);
    truth(doc, "default_profile", 1);
    truth(doc, "following", 0);
    weir_end(doc);
}

static void indices(weir_doc *doc) {
    int64_t from = (int64_t)below(100);
    weir_put_key(doc, "indices");
    weir_begin_array(doc);
    weir_put_i64(doc, from);
    weir_put_i64(doc, from + 3 + (int64_t)below(20));
    weir_end(doc);
}

static void entities(weir_doc *doc) {
    weir_put_key(doc, "entities");
    weir_begin_map(doc);
    weir_put_key(doc, "hashtags");
    weir_begin_array(doc);
    weir_end(doc);
    weir_put_key(doc, "urls");
    weir_begin_array(doc);
    for (uint64_t i = below(2); i > 0; i--) {
        weir_begin_map(doc);
        address(doc, "url");
        address(doc, "expanded_url");
        indices(doc);
        weir_end(doc);
    }
    weir_end(doc);
    weir_put_key(doc, "user_mentions");
    weir_begin_array(doc);
    for (uint64_t i = below(3); i > 0; i--) {
        weir_begin_map(doc);
        text(doc, "screen_name", "tide_table");
        sentence(doc, "name", 2);
        identity(doc, "id", "id_str");
        indices(doc);
        weir_end(doc);
    }
    weir_end(doc);
    weir_end(doc);
}

static void status(weir_doc *doc, int depth) {
    weir_begin_map(doc);
    weir_put_key(doc, "metadata");
    weir_begin_map(doc);
    text(doc, "result_type", "recent");
    text(doc, "iso_language_code", "ja");
    weir_end(doc);
    text(doc, "created_at", "Sun Aug 31 00:29:15 +0000 2014");
    identity(doc, "id", "id_str");
    sentence(doc, "text", 18);
    text(doc, "source", "<a href=\"http://example.org/download\" rel=\"nofollow\">a client</a>");
    truth(doc, "truncated", 0);
    nothing(doc, "in_reply_to_status_id");
    nothing(doc, "in_reply_to_user_id");
    user(doc);
    nothing(doc, "geo");
    nothing(doc, "coordinates");
    nothing(doc, "place");
    if (depth == 0 && below(2)) {
        weir_put_key(doc, "retweeted_status");
        status(doc, 1);
    }
    number(doc, "retweet_count", (int64_t)below(900));
    number(doc, "favorite_count", (int64_t)below(900));
    entities(doc);
    truth(doc, "favorited", 0);
    truth(doc, "retweeted", 0);
    text(doc, "lang", "ja");
    weir_end(doc);
}

static void tweets(weir_doc *doc) {
    weir_begin_map(doc);
    weir_put_key(doc, "statuses");
    weir_begin_array(doc);
    for (int i = 0; i < STATUS_COUNT; i++)
        status(doc, 0);
    weir_end(doc);
    weir_put_key(doc, "search_metadata");
    weir_begin_map(doc);
    weir_put_key(doc, "completed_in");
    weir_put_f64(doc, 0.087);
    identity(doc, "max_id", "max_id_str");
    number(doc, "count", STATUS_COUNT);
    weir_end(doc);
    weir_end(doc);
}

/* ---- shapes ---- */

static void shapes(weir_doc *doc) {
    weir_begin_map(doc);
    text(doc, "type", "FeatureCollection");
    weir_put_key(doc, "features");
    weir_begin_array(doc);
    weir_begin_map(doc);
    text(doc, "type", "Feature");
    weir_put_key(doc, "properties");
    weir_begin_map(doc);
    text(doc, "name", "Coast");
    weir_end(doc);
    weir_put_key(doc, "geometry");
    weir_begin_map(doc);
    text(doc, "type", "Polygon");
    weir_put_key(doc, "coordinates");
    weir_begin_array(doc);
    for (int ring = 0; ring < RING_COUNT; ring++) {
        weir_begin_array(doc);
        double east = -141 + 80 * fraction(), north = 42 + 40 * fraction();
        for (int point = 0; point < RING_POINTS; point++) {
            weir_begin_array(doc);
            weir_put_f64(doc, east += (fraction() - 0.5) / 64);
            weir_put_f64(doc, north += (fraction() - 0.5) / 64);
            weir_end(doc);
        }
        weir_end(doc);
    }
    for (int i = 0; i < 5; i++)
        weir_end(doc);
}

/* ---- catalog ---- */

static void integer_key(weir_doc *doc, int64_t value) {
    char digits[24];
    snprintf(digits, sizeof(digits), "%lld", (long long)value);
    weir_put_key(doc, digits);
}

static void names(weir_doc *doc, const char *key, int64_t first, int count, const char *name) {
    weir_put_key(doc, key);
    weir_begin_map(doc);
    for (int i = 0; i < count; i++) {
        integer_key(doc, first + i * 7);
        weir_put_text(doc, name, strlen(name));
    }
    weir_end(doc);
}

static void topic_event(weir_doc *doc, int index) {
    integer_key(doc, 138586341 + index * 4);
    weir_begin_map(doc);
    nothing(doc, "description");
    number(doc, "id", 138586341 + index * 4);
    if (below(4) == 0)
        address(doc, "logo");
    else
        nothing(doc, "logo");
    text(doc, "name", "30e Anniversaire du chœur de la marée");
    weir_put_key(doc, "subTopicIds");
    weir_begin_array(doc);
    for (int i = 0; i < 3; i++)
        weir_put_i64(doc, 337184200 + (int64_t)below(100));
    weir_end(doc);
    nothing(doc, "subjectCode");
    nothing(doc, "subtitle");
    weir_put_key(doc, "topicIds");
    weir_begin_array(doc);
    weir_put_i64(doc, 324846099);
    weir_put_i64(doc, 107888604);
    weir_end(doc);
    weir_end(doc);
}

static void price(weir_doc *doc, int64_t category) {
    weir_begin_map(doc);
    number(doc, "amount", 1000 + 250 * (int64_t)below(400));
    number(doc, "audienceSubCategoryId", 337100890);
    number(doc, "seatCategoryId", category);
    weir_end(doc);
}

static void seats(weir_doc *doc, int64_t category) {
    weir_begin_map(doc);
    weir_put_key(doc, "areas");
    weir_begin_array(doc);
    for (uint64_t i = 4 + below(12); i > 0; i--) {
        weir_begin_map(doc);
        number(doc, "areaId", 205705990 + (int64_t)below(20));
        weir_put_key(doc, "blockIds");
        weir_begin_array(doc);
        weir_end(doc);
        weir_end(doc);
    }
    weir_end(doc);
    number(doc, "seatCategoryId", category);
    weir_end(doc);
}

static void performance(weir_doc *doc) {
    int64_t category = 338937235 + (int64_t)below(60);
    weir_begin_map(doc);
    number(doc, "eventId", 138586341 + 4 * (int64_t)below(EVENT_COUNT));
    number(doc, "id", 339887544 + (int64_t)below(100000));
    nothing(doc, "logo");
    nothing(doc, "name");
    weir_put_key(doc, "prices");
    weir_begin_array(doc);
    for (int i = 0; i < 3; i++)
        price(doc, category + i);
    weir_end(doc);
    weir_put_key(doc, "seatCategories");
    weir_begin_array(doc);
    for (int i = 0; i < 3; i++)
        seats(doc, category + i);
    weir_end(doc);
    nothing(doc, "seatMapImage");
    number(doc, "start", INT64_C(1372701600000) + (int64_t)below(1000) * 86400000);
    text(doc, "venueCode", "PLEYEL_PLEYEL");
    weir_end(doc);
}

static void catalog(weir_doc *doc) {
    weir_begin_map(doc);
    names(doc, "areaNames", 205705993, 17, "Arrière-scène central");
    names(doc, "audienceSubCategoryNames", 337100890, 1, "Abonné");
    weir_put_key(doc, "events");
    weir_begin_map(doc);
    for (int i = 0; i < EVENT_COUNT; i++)
        topic_event(doc, i);
    weir_end(doc);
    weir_put_key(doc, "performances");
    weir_begin_array(doc);
    for (int i = 0; i < PERFORMANCE_COUNT; i++)
        performance(doc);
    weir_end(doc);
    names(doc, "seatCategoryNames", 338937235, 64, "1ère catégorie");
    names(doc, "topicNames", 107888604, 40, "Genre");
    weir_end(doc);
}

/* ---- doubles, message ---- */

static void doubles(weir_doc *doc) {
    weir_begin_map(doc);
    weir_put_key(doc, "values");
    weir_begin_array(doc);
    for (int i = 0; i < DOUBLE_COUNT; i++)
        weir_put_f64(doc, (fraction() - 0.5) * 2000);
    weir_end(doc);
    weir_end(doc);
}

static void message(weir_doc *doc) {
    bench_must(weir_pack(doc, NULL, NULL, "{s:s, s:i, s:f, s:f, s:f, s:b, s:[fff], s:s, s:n}", "id", "roof-north-3",
                         "seq", 1234567L, "time", 1764213900.125, "temp", 21.53, "humidity", 48.25, "ok", 1, "pos",
                         12.5, -3.25, 7.75, "unit", "degC", "note") == WEIR_OK,
               "packing the message");
}

/* ---- events ---- */

static uint32_t event_kind(const weir_value *value) {
    switch (weir_value_kind(value)) {
    case WEIR_KIND_NULL: return BENCH_NULL;
    case WEIR_KIND_BOOL: return BENCH_BOOL;
    case WEIR_KIND_INT64: return BENCH_I64;
    case WEIR_KIND_FLOAT64: return BENCH_F64;
    case WEIR_KIND_TEXT: return BENCH_TEXT;
    case WEIR_KIND_ARRAY: return BENCH_ARRAY;
    case WEIR_KIND_MAP: return BENCH_MAP;
    default: bench_must(0, "an input of plain kinds"); return BENCH_END;
    }
}

struct events {
    struct bench_event *all;
    size_t count, capacity, values;
};

static struct bench_event *event_next(struct events *events) {
    if (events->count == events->capacity) {
        events->capacity = events->capacity ? events->capacity * 2 : 64;
        events->all = realloc(events->all, events->capacity * sizeof(*events->all));
        bench_must(events->all != NULL, "memory for events");
    }
    struct bench_event *event = &events->all[events->count++];
    memset(event, 0, sizeof(*event));
    return event;
}

static void events_of(struct events *events, const weir_value *key, const weir_value *value) {
    struct bench_event *event = event_next(events);
    weir_view view = {NULL, 0};
    int is_true = 0;
    events->values++;
    event->kind = event_kind(value);
    if (key) {
        bench_must(weir_get_text(key, NULL, &view) == WEIR_OK, "a key");
        event->key = view.data;
        event->key_size = (uint32_t)view.size;
    }
    switch (event->kind) {
    case BENCH_BOOL:
        weir_get_bool(value, NULL, &is_true);
        event->as.i64 = is_true;
        return;
    case BENCH_I64: weir_get_i64(value, NULL, &event->as.i64); return;
    case BENCH_F64: weir_get_f64(value, NULL, &event->as.f64); return;
    case BENCH_TEXT:
        weir_get_text(value, NULL, &view);
        event->as.text.data = view.data;
        event->as.text.size = view.size;
        return;
    case BENCH_ARRAY:
    case BENCH_MAP: break;
    default: return;
    }
    event->as.count = weir_value_count(value);
    weir_iter it;
    weir_iter_init(&it, value);
    while (weir_iter_next(&it))
        events_of(events, it.key, it.value);
    event_next(events)->kind = BENCH_END;
}

/* ---- all of them ---- */

static const char *const codec_names[BENCH_CODEC_COUNT] = {"json", "cbor", "bson", "smile"};

const char *bench_codec_name(enum bench_codec codec) {
    return codec_names[codec];
}

int bench_weir_codec(enum bench_codec codec) {
    int number = 0;
    return weir_codec_find(codec_names[codec], &number, NULL) == WEIR_OK ? number : 0;
}

static void encode(struct bench_bytes *bytes, const weir_value *root, enum bench_codec codec, uint32_t flags) {
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    weir_buffer *buffer = NULL;
    weir_error err = {0};
    int number = bench_weir_codec(codec);
    if (number == 0)
        return;
    options.flags = codec == BENCH_JSON ? flags : 0;
    bench_must(weir_buffer_new(&buffer) == WEIR_OK, "memory");
    if (weir_encode(root, number, &options, buffer, &err) != WEIR_OK)
        bench_must(0, err.text);
    weir_view view = weir_buffer_view(buffer);
    bytes->size = view.size;
    bytes->data = calloc(1, view.size + BENCH_PADDING);
    bench_must(bytes->data != NULL, "memory");
    memcpy(bytes->data, view.data, view.size);
    weir_buffer_free(buffer);
}

static const struct {
    const char *name;
    void (*build)(weir_doc *doc);
    uint32_t flags; /* of its JSON form */
} makers[BENCH_INPUT_COUNT] = {
    [BENCH_TWEETS] = {"tweets", tweets, WEIR_PRETTY},    [BENCH_SHAPES] = {"shapes", shapes, 0},
    [BENCH_CATALOG] = {"catalog", catalog, WEIR_PRETTY}, [BENCH_DOUBLES] = {"doubles", doubles, 0},
    [BENCH_MESSAGE] = {"message", message, 0},
};

void bench_inputs_new(struct bench_made made[BENCH_INPUT_COUNT]) {
    for (int i = 0; i < BENCH_INPUT_COUNT; i++) {
        struct bench_input *input = &made[i].input;
        const weir_value *root = NULL;
        struct events events = {0};
        weir_error err = {0};
        memset(&made[i], 0, sizeof(made[i]));
        input->name = makers[i].name;
        bench_must(weir_doc_new(&made[i].doc) == WEIR_OK, "memory");
        makers[i].build(made[i].doc);
        if (weir_doc_finish(made[i].doc, &root, &err) != WEIR_OK)
            bench_must(0, err.text);
        for (int codec = 0; codec < BENCH_CODEC_COUNT; codec++)
            encode(&input->bytes[codec], root, codec, makers[i].flags);
        events_of(&events, NULL, root);
        input->events = events.all;
        input->event_count = events.count;
        input->value_count = events.values;
        input->size_max = 2 * input->bytes[BENCH_JSON].size + 16 * events.count + 4096;
    }
}

void bench_inputs_free(struct bench_made made[BENCH_INPUT_COUNT]) {
    for (int i = 0; i < BENCH_INPUT_COUNT; i++) {
        for (int codec = 0; codec < BENCH_CODEC_COUNT; codec++)
            free(made[i].input.bytes[codec].data);
        free((void *)(uintptr_t)made[i].input.events);
        weir_doc_free(made[i].doc);
    }
}
