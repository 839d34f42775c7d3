/* The arena: a list of blocks, each twice the one before, and once there is much, a quarter of all. clear keeps one
 * block as big as all of them were together. */
#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>

enum { ARENA_ALIGNMENT = 16, ARENA_BLOCK_MIN = 1024, ARENA_MUCH = 16 << 10 };

struct weir_arena_block {
    struct weir_arena_block *older;
    size_t size; /* of bytes */
    _Alignas(ARENA_ALIGNMENT) unsigned char bytes[];
};

static struct weir_arena_block *block_new(struct weir_arena_block *older, size_t size) {
    if (size > SIZE_MAX - sizeof(struct weir_arena_block))
        return NULL;
    struct weir_arena_block *block = malloc(sizeof(*block) + size);
    if (block) {
        block->older = older;
        block->size = size;
    }
    return block;
}

/* Of the next block, in which @size bytes must have room. */
static size_t block_size(const struct weir_arena *arena, size_t size) {
    size_t wanted = arena->block ? arena->block->size * 2 : ARENA_BLOCK_MIN;
    if (arena->total > ARENA_MUCH)
        wanted = arena->total / 4;
    return wanted > size ? wanted : size;
}

void *weir_arena_take(struct weir_arena *arena, size_t size) {
    if (size > SIZE_MAX - ARENA_ALIGNMENT)
        return NULL;
    size = (size + ARENA_ALIGNMENT - 1) & ~(size_t)(ARENA_ALIGNMENT - 1);
    if (!arena->block || arena->block->size - arena->used < size) {
        struct weir_arena_block *block = block_new(arena->block, block_size(arena, size));
        if (!block)
            return NULL;
        arena->block = block;
        arena->used = 0;
        arena->total += block->size;
    }
    void *bytes = arena->block->bytes + arena->used;
    arena->used += size;
    return bytes;
}

static void blocks_free(struct weir_arena_block *block) {
    while (block) {
        struct weir_arena_block *older = block->older;
        free(block);
        block = older;
    }
}

void weir_arena_clear(struct weir_arena *arena) {
    if (arena->block && arena->block->older) {
        blocks_free(arena->block);
        arena->block = block_new(NULL, arena->total);
        arena->total = arena->block ? arena->total : 0;
    }
    arena->used = 0;
}

void weir_arena_fini(struct weir_arena *arena) {
    blocks_free(arena->block);
    *arena = (struct weir_arena){0};
}
