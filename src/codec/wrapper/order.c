/* The order of keys under WEIR_CANONICAL, for formats whose keys are texts: texts by their bytes; behind them those of
 * other kinds, which stand in pairs or are written as text, by their canonical CBOR (RFC 8949 4.2.1) with times in ns.
 * What a round trip through a format may change, as the order of the keys inside a key and the unit of a time, leaves
 * no trace in that. */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "codec/wrapper/wrapper.h"

struct entry {
    const struct weir_value *key;
    const unsigned char *data; /* what is compared */
    uint64_t size;             /* while the data may move: where it begins */
};

/* The larger first: encoders count down. */
static int order_entries(const void *a, const void *b) {
    const struct entry *left = b, *right = a;
    int order = (left->key->kind != WEIR_KIND_TEXT) - (right->key->kind != WEIR_KIND_TEXT);
    size_t size = left->size < right->size ? left->size : right->size;
    if (order == 0 && size > 0)
        order = memcmp(left->data, right->data, size);
    if (order == 0)
        order = (left->size > right->size) - (left->size < right->size);
    return order != 0 ? order : (left->key > right->key) - (left->key < right->key);
}

/* Append the canonical CBOR of a key, through a copy of its cells. What CBOR has no form for takes no bytes.
 * Return: WEIR_OK, WEIR_ENOMEM. */
static int append_key(const struct weir_value *key, struct weir_buffer *copy, struct weir_buffer *out) {
    const struct weir_codec_limits limits = {WEIR_CANONICAL, UINT32_MAX, UINT64_MAX};
    size_t size = (size_t)(weir_value_after(key) - key) * sizeof(*key);
    copy->size = 0;
    if (weir_buffer_append(copy, key, size) != WEIR_OK)
        return WEIR_ENOMEM;
    struct weir_value *cells = (struct weir_value *)(void *)copy->data;
    const struct weir_value *end = cells + size / sizeof(*key);
    for (struct weir_value *cell = cells; cell < end; cell += weir_value_next(cell) - cell)
        if (cell->kind == WEIR_KIND_TIME)
            cell->aux = WEIR_TIME_NS;
    size_t begin = out->size;
    int status = weir_codec_cbor.encode(cells, &limits, out, NULL);
    if (status != WEIR_OK)
        out->size = begin;
    return status == WEIR_ENOMEM ? WEIR_ENOMEM : WEIR_OK;
}

static int entries_fill(const struct weir_value *map, struct entry *entries, struct weir_buffer *copy,
                        struct weir_buffer *bytes) {
    const struct weir_value *key = map + 1;
    for (uint32_t i = 0; i < map->count; i++) {
        entries[i] = (struct entry){key, key->as.data, key->kind == WEIR_KIND_TEXT ? key->count : bytes->size};
        if (key->kind != WEIR_KIND_TEXT && append_key(key, copy, bytes) != WEIR_OK)
            return WEIR_ENOMEM;
        key = weir_value_after(weir_value_after(key));
    }
    size_t end = bytes->size;
    for (uint32_t i = map->count; i-- > 0;) {
        if (entries[i].key->kind == WEIR_KIND_TEXT)
            continue;
        size_t begin = (size_t)entries[i].size;
        entries[i].data = bytes->data + begin;
        entries[i].size = end - begin;
        end = begin;
    }
    return WEIR_OK;
}

int weir_keys_sort(const struct weir_value *map, const struct weir_value ***ret) {
    struct weir_buffer copy = {0}, bytes = {0};
    *ret = NULL;
    if (map->count == 0)
        return WEIR_OK;
    struct entry *entries = malloc(map->count * sizeof(*entries));
    if (!entries)
        return WEIR_ENOMEM;
    int status = entries_fill(map, entries, &copy, &bytes);
    if (status == WEIR_OK) {
        qsort(entries, map->count, sizeof(*entries), order_entries);
        /* The keys move to the front of the same memory, whose entries are larger. */
        const struct weir_value **order = (const struct weir_value **)(void *)entries;
        for (uint32_t i = 0; i < map->count; i++) {
            const struct weir_value *key = entries[i].key;
            memcpy(&order[i], &key, sizeof(key));
        }
        *ret = order;
    } else {
        free(entries);
    }
    weir_buffer_fini(&copy);
    weir_buffer_fini(&bytes);
    return status;
}
