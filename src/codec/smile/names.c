/* The names that an encoder may refer back to: a hash table with open addressing that begins small and doubles. It
 * lies in the caller's frame and allocates nothing; only the slots in use are ever cleared.
 *
 * An index whose low byte would be FE or FF is counted like any other, but never referred to, as these bytes may not
 * occur: such a name is not entered, so it is written out again when it comes again, and takes one more index. */
#include "codec/smile/smile.h"

/* Every bit of a word, in every bit of another. */
static inline uint64_t mixed(uint64_t word) {
    struct weir_product product = weir_multiply(word, UINT64_C(0x9E3779B97F4A7C15));
    return product.high ^ product.low;
}

/* Mix all bytes, eight at a time; the last eight may overlap the ones before. */
static inline uint32_t hash_of(const unsigned char *text, uint32_t size) {
    uint64_t hash = size;
    if (size >= 8) {
        for (uint32_t i = 0; i + 8 < size; i += 8)
            hash = mixed(hash ^ weir_word_at(text + i));
        hash ^= weir_word_at(text + size - 8);
    } else if (size >= 4) {
        uint32_t first, last;
        memcpy(&first, text, 4);
        memcpy(&last, text + size - 4, 4);
        hash ^= (uint64_t)first << 32 ^ (uint64_t)last << 3;
    } else {
        hash ^= (uint64_t)text[0] << 8 | (uint64_t)text[size / 2] << 16 | (uint64_t)text[size - 1] << 24;
    }
    return (uint32_t)mixed(hash);
}

/* Whether two texts of one size are the same. */
static inline int is_same(const unsigned char *a, const unsigned char *b, uint32_t size) {
    if (size > 16)
        return memcmp(a, b, size) == 0;
    if (size >= 8)
        return ((weir_word_at(a) ^ weir_word_at(b)) | (weir_word_at(a + size - 8) ^ weir_word_at(b + size - 8))) == 0;
    if (size >= 4) {
        uint32_t words[4];
        memcpy(&words[0], a, 4);
        memcpy(&words[1], b, 4);
        memcpy(&words[2], a + size - 4, 4);
        memcpy(&words[3], b + size - 4, 4);
        return ((words[0] ^ words[1]) | (words[2] ^ words[3])) == 0;
    }
    return a[0] == b[0] && a[size / 2] == b[size / 2] && a[size - 1] == b[size - 1];
}

/* The slot of a text: where it is, or the free one where it may go. */
static inline uint32_t slot_of(const struct smile_names *names, const unsigned char *text, uint32_t size,
                               uint32_t hash) {
    uint32_t slot = hash & names->slots_mask;
    for (; names->slots[slot] != 0; slot = (slot + 1) & names->slots_mask) {
        uint32_t index = names->slots[slot] - 1u;
        if (names->names[index].hash == hash && names->names[index].size == size &&
            is_same(names->names[index].text, text, size))
            break;
    }
    return slot;
}

static int may_be_referred_to(uint32_t index) {
    return (index & 0xff) < 0xfe;
}

/* Make room for one more name; slots move. */
static __attribute__((noinline)) void make_room(struct smile_names *names) {
    if (names->count == SMILE_TABLE_MAX) {
        weir_smile_names_begin(names);
        return;
    }
    names->slots_mask = 2 * names->slots_mask + 1;
    memset(names->slots, 0, (names->slots_mask + 1) * sizeof(names->slots[0]));
    for (uint32_t i = 0; i < names->count; i++) {
        if (!may_be_referred_to(i) || !names->names[i].text)
            continue;
        uint32_t slot = names->names[i].hash & names->slots_mask;
        while (names->slots[slot] != 0)
            slot = (slot + 1) & names->slots_mask;
        names->slots[slot] = (uint16_t)(i + 1);
    }
}

/* At most half of the slots are in use, and at most as many names as a table holds. */
static inline int is_full(const struct smile_names *names) {
    return names->count * 2 > names->slots_mask &&
           (names->count == SMILE_TABLE_MAX || names->slots_mask + 1 < SMILE_SLOTS_MAX);
}

void weir_smile_names_skip(struct smile_names *names) {
    if (is_full(names))
        make_room(names);
    names->names[names->count++].text = NULL;
}

int weir_smile_names_find(struct smile_names *names, const unsigned char *text, uint32_t size) {
    uint32_t hash = hash_of(text, size);
    uint32_t slot = slot_of(names, text, size, hash);
    if (names->slots[slot] != 0)
        return names->slots[slot] - 1;
    if (UNLIKELY(is_full(names))) {
        make_room(names);
        slot = slot_of(names, text, size, hash);
    }
    uint32_t index = names->count++;
    names->names[index].text = text;
    names->names[index].size = size;
    names->names[index].hash = hash;
    if (LIKELY(may_be_referred_to(index)))
        names->slots[slot] = (uint16_t)(index + 1);
    return -1;
}
