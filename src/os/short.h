/* Short reads and writes on purpose, for tests: what a kernel may do at any time and hardly ever does.
 *
 * Off in every process that has not opened an end with fault=short:P (transport/fault/); then all of its streams are
 * meant. */
#ifndef WEIR_OS_SHORT_H
#define WEIR_OS_SHORT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

extern _Atomic(uint64_t) weir_short_odds; /* of 2^32; 0: never */

/* From now on cut with this probability, as drawn from @seed. */
void weir_short_begin(double odds, uint64_t seed);
size_t weir_short_draw(size_t size, size_t least);
size_t weir_short_pieces_draw(struct iovec *pieces, size_t count, size_t least);

/* How many of @size bytes to read or write in one call: all, or between @least (not 0) and @size. */
static inline size_t weir_short(size_t size, size_t least) {
    int is_on = atomic_load_explicit(&weir_short_odds, memory_order_relaxed) != 0;
    return __builtin_expect(is_on, 0) ? weir_short_draw(size, least) : size;
}

/* The same for pieces, which are cut. Return: how many are left. */
static inline size_t weir_short_pieces(struct iovec *pieces, size_t count, size_t least) {
    int is_on = atomic_load_explicit(&weir_short_odds, memory_order_relaxed) != 0;
    return __builtin_expect(is_on, 0) ? weir_short_pieces_draw(pieces, count, least) : count;
}

#endif
