/* Memory that is given back all at once: what a document needs besides its cells. Blocks never move. */
#ifndef WEIR_BASE_ARENA_H
#define WEIR_BASE_ARENA_H

#include <stddef.h>

struct weir_arena_block;
struct weir_arena {                 /* {0} is an empty one */
    struct weir_arena_block *block; /* newest */
    size_t used;                    /* of the newest */
    size_t total;                   /* of all blocks */
};

/* @size bytes, aligned to 16; NULL when there is no memory. */
void *weir_arena_take(struct weir_arena *arena, size_t size);
/* Forget what was taken; keeps one block, big enough for what was used, so that a loop allocates nothing. */
void weir_arena_clear(struct weir_arena *arena);
void weir_arena_fini(struct weir_arena *arena);

#endif
