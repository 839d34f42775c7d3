/* Who sends: a table from the writers' random 64-bit numbers to small ones, with the seq seen last. Bounded: when it is
 * full, the writer not heard of for longest makes room. */
#ifndef WEIR_SOCKET_ORIGINS_H
#define WEIR_SOCKET_ORIGINS_H

#include <stddef.h>
#include <stdint.h>

#include "transport/transport.h"

enum { WEIR_ORIGINS_MAX = 4096 };

struct weir_origin {
    uint64_t writer;
    uint64_t seq;   /* of its last frame */
    uint64_t mark;  /* for one walk over all frames */
    uint64_t stamp; /* when it was last looked up */
    uint32_t uid;
    uint32_t is_fresh; /* seq is not known: the next frame begins the count */
};

struct weir_origins {
    struct weir_origin *items; /* the index is the small number */
    uint32_t *slots;           /* item index + 1, hashed; as many as 2 x capacity */
    size_t count;
    size_t capacity; /* a power of two */
    size_t last;     /* index found last */
    uint64_t clock;
};

/* NULL when it is not there. */
struct weir_origin *weir_origins_find(struct weir_origins *origins, uint64_t writer);
/* Find, or add with is_fresh set. Return: NULL when there is no memory. */
struct weir_origin *weir_origins_get(struct weir_origins *origins, uint64_t writer);
uint32_t weir_origins_number(const struct weir_origins *origins, const struct weir_origin *origin);
void weir_origins_fini(struct weir_origins *origins);

#endif
