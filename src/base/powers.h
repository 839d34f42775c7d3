/* Powers of ten as binary floating point: 10^q = (high x 2^64 + low) x 2^e, high's top bit set, e following from q.
 *
 * One table serves reading and writing, which want the inexact ones rounded to different sides: the entries are exact
 * for 0 <= q <= 55, rounded up for -27 <= q < 0, and cut off elsewhere, where `low + 1` rounds them up (it never
 * carries). */
#ifndef WEIR_BASE_POWERS_H
#define WEIR_BASE_POWERS_H

#include <stdint.h>

enum { WEIR_POWER_MIN = -342, WEIR_POWER_MAX = 325 };

struct weir_power {
    uint64_t high;
    uint64_t low;
};

extern const struct weir_power weir_powers[WEIR_POWER_MAX - WEIR_POWER_MIN + 1]; /* powers.c, by tools/gen-powers */

static inline const struct weir_power *weir_power_of_ten(int q) {
    return &weir_powers[q - WEIR_POWER_MIN];
}

/* 10^q rounded up to 128 bits. */
static inline struct weir_power weir_power_rounded_up(int q) {
    struct weir_power power = *weir_power_of_ten(q);
    power.low += (unsigned)(q + 27) > 27 + 55;
    return power;
}

#endif
