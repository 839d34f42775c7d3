/* What is rare about the table of names: long ones, and making room. */
#include "codec/smile/names.h"

/* Every bit of a word, in every bit of another. */
static inline uint64_t mixed(uint64_t word) {
    struct weir_product product = weir_multiply(word, UINT64_C(0x9E3779B97F4A7C15));
    return product.high ^ product.low;
}

/* All bytes, eight at a time; the last eight may overlap the ones before. */
struct smile_name_key weir_smile_name_long_key(const unsigned char *text, uint32_t size) {
    uint64_t hash = size;
    for (uint32_t i = 0; i + 8 < size; i += 8)
        hash = mixed(hash ^ weir_word_at(text + i));
    hash = mixed(hash ^ weir_word_at(text + size - 8));
    return (struct smile_name_key){hash, (uintptr_t)text, size};
}

__attribute__((noinline)) void weir_smile_names_make_room(struct smile_names *names) {
    if (names->count == SMILE_TABLE_MAX) {
        weir_smile_names_begin(names);
        return;
    }
    names->shift--;
    memset(names->slots, 0, (sizeof(names->slots[0])) << (64 - names->shift));
    for (uint32_t i = 0; i < names->count; i++) {
        if (!weir_smile_name_may_be_referred_to(i) || names->names[i].size == 0)
            continue;
        names->slots[weir_smile_names_free_slot(names, weir_smile_name_hash(&names->names[i]))] = (uint16_t)(i + 1);
    }
}
