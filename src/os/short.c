/* Short reads and writes on purpose. One stream of random numbers for the process, as its threads share the
 * connections. */
#include "os/short.h"

_Atomic(uint64_t) weir_short_odds;
static _Atomic(uint64_t) state;

void weir_short_begin(double odds, uint64_t seed) {
    atomic_store_explicit(&state, seed, memory_order_relaxed);
    atomic_store_explicit(&weir_short_odds, (uint64_t)(odds * 4294967296.0), memory_order_relaxed);
}

/* splitmix64 */
static uint64_t draw(void) {
    uint64_t z = atomic_fetch_add_explicit(&state, UINT64_C(0x9E3779B97F4A7C15), memory_order_relaxed);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

size_t weir_short_draw(size_t size, size_t least) {
    if (size <= least || (draw() & 0xFFFFFFFF) >= atomic_load_explicit(&weir_short_odds, memory_order_relaxed))
        return size;
    return least + draw() % (size - least);
}

size_t weir_short_pieces_draw(struct iovec *pieces, size_t count, size_t least) {
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += pieces[i].iov_len;
    size_t left = weir_short_draw(size, least);
    for (size_t i = 0; i < count; i++) {
        if (left <= pieces[i].iov_len) {
            pieces[i].iov_len = left;
            return i + 1;
        }
        left -= pieces[i].iov_len;
    }
    return count;
}
