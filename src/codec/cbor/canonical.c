/* The core deterministic encoding, RFC 8949 section 4.2.1: the pairs of every map in the order of their keys' encoded
 * bytes.
 *
 * Cells are written in their own order; when a map ends, its pairs lie behind each other in the output, already
 * canonical inside, and are moved into order. Open maps and the places of their pairs are kept in two stacks, so
 * nothing recurses.
 */
#include <stdlib.h>
#include <string.h>

#include "codec/cbor/cbor.h"

struct open_map {
    const struct weir_value *end;  /* behind its last cell */
    const struct weir_value *next; /* where the next key or value begins */
    size_t first_pair;             /* its pairs are all from there on */
    int is_value_next;
};

struct pair { /* offsets into the output */
    size_t begin;
    size_t key_end;
    size_t end;
};

struct sorter {
    struct weir_buffer *out;
    struct weir_buffer maps;  /* of struct open_map */
    struct weir_buffer pairs; /* of struct pair */
    struct weir_buffer moved; /* the pairs of one map in their new order */
};

static struct open_map *innermost(const struct sorter *sorter) {
    return sorter->maps.size > 0 ? (struct open_map *)(sorter->maps.data + sorter->maps.size) - 1 : NULL;
}

static size_t pair_count(const struct sorter *sorter) {
    return sorter->pairs.size / sizeof(struct pair);
}

static int order_pairs(const void *a, const void *b, void *user) {
    const struct pair *left = a;
    const struct pair *right = b;
    const unsigned char *bytes = user;
    size_t left_size = left->key_end - left->begin;
    size_t right_size = right->key_end - right->begin;
    int order = memcmp(bytes + left->begin, bytes + right->begin, left_size < right_size ? left_size : right_size);
    if (order != 0) /* no key is the beginning of another: encoded items know their length */
        return order;
    return (left->begin > right->begin) - (left->begin < right->begin);
}

static int is_sorted(const struct pair *pairs, size_t count, unsigned char *bytes) {
    for (size_t i = 1; i < count; i++)
        if (order_pairs(&pairs[i - 1], &pairs[i], bytes) > 0)
            return 0;
    return 1;
}

/* The innermost map is written: put its pairs in order and forget it. */
static int close_map(struct sorter *sorter) {
    struct open_map *map = innermost(sorter);
    struct pair *pairs = (struct pair *)sorter->pairs.data + map->first_pair;
    size_t count = pair_count(sorter) - map->first_pair;
    unsigned char *bytes = sorter->out->data;
    for (size_t i = 0; i < count; i++)
        pairs[i].end = i + 1 < count ? pairs[i + 1].begin : sorter->out->size;
    sorter->maps.size -= sizeof(*map);
    sorter->pairs.size = map->first_pair * sizeof(*pairs);
    if (is_sorted(pairs, count, bytes))
        return WEIR_OK;
    size_t begin = pairs[0].begin;
    qsort_r(pairs, count, sizeof(*pairs), order_pairs, bytes);
    sorter->moved.size = 0;
    for (size_t i = 0; i < count; i++)
        if (weir_buffer_append(&sorter->moved, bytes + pairs[i].begin, pairs[i].end - pairs[i].begin) != WEIR_OK)
            return WEIR_ENOMEM;
    memcpy(bytes + begin, sorter->moved.data, sorter->moved.size);
    return WEIR_OK;
}

static int open_map(struct sorter *sorter, const struct weir_value *value) {
    struct open_map map = {.end = weir_value_after(value), .next = value + 1, .first_pair = pair_count(sorter)};
    return weir_buffer_append(&sorter->maps, &map, sizeof(map));
}

/* A key or a value of the innermost map begins. */
static int begin_part(struct sorter *sorter, const struct weir_value *value) {
    struct open_map *map = innermost(sorter);
    map->next = weir_value_after(value);
    map->is_value_next = !map->is_value_next;
    if (map->is_value_next) {
        struct pair pair = {.begin = sorter->out->size};
        return weir_buffer_append(&sorter->pairs, &pair, sizeof(pair));
    }
    ((struct pair *)sorter->pairs.data)[pair_count(sorter) - 1].key_end = sorter->out->size;
    return WEIR_OK;
}

/* The cells from @value that can be written in one go: up to the next map with pairs, or to where the innermost map
 * goes on. */
static const struct weir_value *run_end(const struct weir_value *value, const struct weir_value *stop) {
    while (value < stop && (value->kind != WEIR_KIND_MAP || value->count == 0))
        value = weir_value_next(value);
    return value;
}

static int write_sorted(struct sorter *sorter, const struct weir_value *value, const struct weir_codec_limits *limits,
                        weir_error *err) {
    const struct weir_value *end = weir_value_after(value);
    while (value < end || innermost(sorter)) {
        struct open_map *map = innermost(sorter);
        if (map && value == map->end) {
            if (close_map(sorter) != WEIR_OK)
                return weir_fail(err, WEIR_ENOMEM, "cbor: out of memory");
            continue;
        }
        if (map && value == map->next && begin_part(sorter, value) != WEIR_OK)
            return weir_fail(err, WEIR_ENOMEM, "cbor: out of memory");
        const struct weir_value *stop = run_end(value, map ? map->next : end);
        if (stop == value) { /* a map with pairs */
            stop = value + 1;
            if (open_map(sorter, value) != WEIR_OK)
                return weir_fail(err, WEIR_ENOMEM, "cbor: out of memory");
        }
        int status = weir_cbor_write(value, stop, limits, sorter->out, err);
        if (status != WEIR_OK)
            return status;
        value = stop;
    }
    return WEIR_OK;
}

int weir_cbor_write_canonical(const struct weir_value *value, const struct weir_codec_limits *limits,
                              struct weir_buffer *out, weir_error *err) {
    struct sorter sorter = {.out = out};
    int status = write_sorted(&sorter, value, limits, err);
    weir_buffer_fini(&sorter.maps);
    weir_buffer_fini(&sorter.pairs);
    weir_buffer_fini(&sorter.moved);
    return status;
}
