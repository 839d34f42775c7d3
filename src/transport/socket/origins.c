/* The table of writers: items in the order they came, found through a hashed index with linear probing.
 *
 * What must stay true: an item keeps its index, which is the writer's small number, until the table is full and
 * somebody newer takes its place. The numbers are random, so their low bits are hash enough; who makes them collide
 * slows himself down. */
#include "transport/socket/origins.h"

#include <stdlib.h>
#include <string.h>

enum { ORIGINS_MIN = 16 };

static size_t slot_of(const struct weir_origins *origins, uint64_t writer) {
    size_t mask = origins->capacity * 2 - 1;
    size_t slot = (size_t)(writer ^ writer >> 32) & mask;
    while (origins->slots[slot] != 0 && origins->items[origins->slots[slot] - 1].writer != writer)
        slot = (slot + 1) & mask;
    return slot;
}

static void index_rebuild(struct weir_origins *origins) {
    memset(origins->slots, 0, origins->capacity * 2 * sizeof(*origins->slots));
    for (size_t i = 0; i < origins->count; i++)
        origins->slots[slot_of(origins, origins->items[i].writer)] = (uint32_t)i + 1;
}

static int table_grow(struct weir_origins *origins) {
    size_t capacity = origins->capacity ? origins->capacity * 2 : ORIGINS_MIN;
    struct weir_origin *items = realloc(origins->items, capacity * sizeof(*items));
    if (!items)
        return 0;
    origins->items = items;
    uint32_t *slots = calloc(capacity * 2, sizeof(*slots));
    if (!slots)
        return 0;
    free(origins->slots);
    origins->slots = slots;
    origins->capacity = capacity;
    index_rebuild(origins);
    return 1;
}

static struct weir_origin *found(struct weir_origins *origins, size_t index) {
    origins->last = index;
    origins->items[index].stamp = ++origins->clock;
    return &origins->items[index];
}

struct weir_origin *weir_origins_find(struct weir_origins *origins, uint64_t writer) {
    if (origins->count == 0)
        return NULL;
    if (origins->items[origins->last].writer == writer)
        return found(origins, origins->last);
    uint32_t item = origins->slots[slot_of(origins, writer)];
    return item ? found(origins, item - 1) : NULL;
}

static size_t oldest(const struct weir_origins *origins) {
    size_t best = 0;
    for (size_t i = 1; i < origins->count; i++)
        if (origins->items[i].stamp < origins->items[best].stamp)
            best = i;
    return best;
}

struct weir_origin *weir_origins_get(struct weir_origins *origins, uint64_t writer) {
    struct weir_origin *origin = weir_origins_find(origins, writer);
    if (origin)
        return origin;
    size_t index = origins->count;
    int is_full = index == WEIR_ORIGINS_MAX;
    if (is_full)
        index = oldest(origins);
    else if (index == origins->capacity && !table_grow(origins))
        return NULL;
    origins->items[index] = (struct weir_origin){.writer = writer, .uid = WEIR_UID_UNKNOWN, .is_fresh = 1};
    if (is_full) {
        index_rebuild(origins);
    } else {
        origins->slots[slot_of(origins, writer)] = (uint32_t)index + 1;
        origins->count++;
    }
    return found(origins, index);
}

uint32_t weir_origins_number(const struct weir_origins *origins, const struct weir_origin *origin) {
    return (uint32_t)(origin - origins->items);
}

void weir_origins_fini(struct weir_origins *origins) {
    free(origins->items);
    free(origins->slots);
    *origins = (struct weir_origins){0};
}
