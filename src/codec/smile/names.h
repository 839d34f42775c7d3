/* The names that an encoder may refer back to, in the order in which they came: a hash table with open addressing that
 * begins small, so that a small message does not pay for clearing a big table, and doubles. It lies in the caller's
 * frame and allocates nothing.
 *
 * A name of up to 16 bytes is held as its bytes in two words, which finding compares and writing stores; of a longer
 * one the first word is a hash, and the second where it lies.
 *
 * An index whose low byte would be FE or FF is counted like any other, but never referred to, as these bytes may not
 * occur: such a name is not entered, so it is written out again when it comes again, and takes one more index. */
#ifndef WEIR_CODEC_SMILE_NAMES_H
#define WEIR_CODEC_SMILE_NAMES_H

#include "codec/smile/smile.h"

enum {
    SMILE_SLOT_BITS_MIN = 5,
    SMILE_SLOTS_MIN = 1 << SMILE_SLOT_BITS_MIN,
    SMILE_SLOTS_MAX = 2 * SMILE_TABLE_MAX,
    SMILE_NAME_WORDS_MAX = 16 /* bytes of a name in two words */
};

struct smile_name_key {
    uint64_t first; /* up to 8 bytes: all, 0 behind them; up to 16: the first 8 */
    uint64_t last;  /* up to 8 bytes: 0; up to 16: the last 8 */
    uint32_t size;
};

struct smile_names {
    uint32_t count;
    uint32_t shift; /* of a hash, so that its highest bits are a slot */
    struct smile_name_key names[SMILE_TABLE_MAX];
    uint16_t slots[SMILE_SLOTS_MAX]; /* index + 1 of a name, 0 for none */
};

static inline void weir_smile_names_begin(struct smile_names *names) {
    names->count = 0;
    names->shift = 64 - SMILE_SLOT_BITS_MIN;
    memset(names->slots, 0, SMILE_SLOTS_MIN * sizeof(names->slots[0]));
}

/* The key of a name of up to 16 bytes, not empty. */
ALWAYS_INLINE struct smile_name_key weir_smile_name_key(const unsigned char *text, uint32_t size) {
    if (size > 8)
        return (struct smile_name_key){weir_word_at(text), weir_word_at(text + size - 8), size};
    if (size == 8)
        return (struct smile_name_key){weir_word_at(text), 0, size};
    if (size >= 4) { /* the middle twice, the same bits */
        uint64_t end = (uint64_t)weir_word32_at(text + size - 4) << (8 * size - 32);
        return (struct smile_name_key){weir_word32_at(text) | end, 0, size};
    }
    uint64_t word = text[0] | (uint64_t)text[size / 2] << 8 * (size / 2) | (uint64_t)text[size - 1] << 8 * (size - 1);
    return (struct smile_name_key){word, 0, size};
}

/* Of a longer one. */
struct smile_name_key weir_smile_name_long_key(const unsigned char *text, uint32_t size);

ALWAYS_INLINE uint64_t weir_smile_name_hash(const struct smile_name_key *key) {
    uint64_t last = key->size > SMILE_NAME_WORDS_MAX ? 0 : key->last;
    return key->first * UINT64_C(0x9E3779B97F4A7C15) + last * UINT64_C(0xC2B2AE3D27D4EB4F);
}

ALWAYS_INLINE int weir_smile_name_is(const struct smile_name_key *a, const struct smile_name_key *b) {
    if (a->first != b->first || a->size != b->size)
        return 0;
    return a->last == b->last ||
           (a->size > SMILE_NAME_WORDS_MAX &&
            memcmp((const void *)(uintptr_t)a->last, (const void *)(uintptr_t)b->last, a->size) == 0);
}

ALWAYS_INLINE int weir_smile_name_may_be_referred_to(uint32_t index) {
    return (index & 0xff) < 0xfe;
}

/* At most half of the slots are in use, and at most as many names as a table holds. */
ALWAYS_INLINE int weir_smile_names_are_full(const struct smile_names *names) {
    uint32_t slots = UINT32_C(1) << (64 - names->shift);
    return UNLIKELY(2 * names->count >= slots) && (names->count == SMILE_TABLE_MAX || slots < SMILE_SLOTS_MAX);
}

static inline uint32_t weir_smile_names_free_slot(const struct smile_names *names, uint64_t hash) {
    uint32_t slot = (uint32_t)(hash >> names->shift);
    while (names->slots[slot] != 0)
        slot = (slot + 1) & ((UINT32_C(1) << (64 - names->shift)) - 1);
    return slot;
}

/* Make room for one more name; slots move, or all names are forgotten. */
void weir_smile_names_make_room(struct smile_names *names);

/* The index of a name that came before and may be referred to; otherwise -1, and it is noted as the next. */
ALWAYS_INLINE int weir_smile_names_find(struct smile_names *names, const struct smile_name_key *key) {
    uint64_t hash = weir_smile_name_hash(key);
    uint32_t slot = (uint32_t)(hash >> names->shift);
    uint32_t mask = (UINT32_C(1) << (64 - names->shift)) - 1;
    for (; names->slots[slot] != 0; slot = (slot + 1) & mask)
        if (LIKELY(weir_smile_name_is(&names->names[names->slots[slot] - 1], key)))
            return names->slots[slot] - 1;
    if (weir_smile_names_are_full(names)) {
        weir_smile_names_make_room(names);
        slot = weir_smile_names_free_slot(names, hash);
    }
    uint32_t index = names->count++;
    names->names[index] = *key;
    if (LIKELY(weir_smile_name_may_be_referred_to(index)))
        names->slots[slot] = (uint16_t)(index + 1);
    return -1;
}

/* Note a name that will not be found: its text does not last. */
static inline void weir_smile_names_skip(struct smile_names *names) {
    if (weir_smile_names_are_full(names))
        weir_smile_names_make_room(names);
    names->names[names->count++].size = 0;
}

#endif
