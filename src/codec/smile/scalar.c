/* Smile's longer values: numbers in groups of seven bits, integers and decimals of any length, binary data, texts up
 * to an end marker. A declared length is compared with the bytes that are left before anything is taken for it. */
#include "base/utf8.h"
#include "codec/smile/smile.h"

/* ---- numbers ---- */

/* The last byte of a number has its high bit set, the next one clear, and six bits; those before it seven. */
const unsigned char *weir_smile_vint(struct smile_reader *reader, const unsigned char *p, unsigned bits,
                                     uint64_t *ret) {
    uint64_t number = 0;
    const unsigned char *last = p + (bits + 7) / 7; /* 5 or 10 bytes */
    for (;; p++) {
        if (p == reader->end)
            return weir_smile_truncated(reader);
        if (p == last)
            return weir_smile_bad(reader, p, "a number of too many bytes");
        if (*p & 0x80)
            break;
        if (number >> (bits - 7) != 0)
            return weir_smile_bad(reader, p, bits == 64 ? "a number beyond 64 bits" : "a number beyond 32 bits");
        number = number << 7 | *p;
    }
    if (*p & 0x40)
        return weir_smile_bad(reader, p, "a number that ends in no byte that it can end in");
    if (number >> (bits - 6) != 0)
        return weir_smile_bad(reader, p, bits == 64 ? "a number beyond 64 bits" : "a number beyond 32 bits");
    *ret = number << 6 | (*p & 0x3f);
    return p + 1;
}

/* Unpack @size bytes. What fills up the last byte is not looked at. Return: what follows them; NULL, @ret_bad the byte
 * that is none of seven bits. */
static const unsigned char *unpack(const unsigned char *p, uint64_t size, unsigned char *to,
                                   const unsigned char **ret_bad) {
    static const uint64_t high_bits = UINT64_C(0x8080808080808080);
    const unsigned char *begin = p;
    uint64_t wrong = 0;
    for (; size >= 7; size -= 7, p += 8, to += 7) {
        uint64_t septets = weir_smile_load(p);
        unsigned char bytes[8];
        wrong |= septets;
        weir_smile_store(bytes, weir_smile_join(septets) << 8);
        memcpy(to, bytes, 7);
    }
    for (uint64_t i = 0; i < size; i++) {
        uint32_t next = p[i + 1];
        wrong |= p[i] | next;
        to[i] = (unsigned char)(i + 1 < size ? p[i] << (i + 1) | next >> (6 - i)
                                             : p[i] << size | (next & ((1u << size) - 1)));
    }
    p += size > 0 ? size + 1 : 0;
    if (LIKELY((wrong & high_bits) == 0))
        return p;
    while (!(*begin & 0x80))
        begin++;
    *ret_bad = begin;
    return NULL;
}

/* Read a length of bytes in septets that are all there. */
static const unsigned char *packed_length(struct smile_reader *reader, const unsigned char *p, uint64_t *ret) {
    p = weir_smile_vint(reader, p, 32, ret);
    if (p && weir_smile_packed_size(*ret) > (uint64_t)(reader->end - p))
        return weir_smile_truncated(reader);
    return p;
}

/* ---- integers of any length: two's complement, most significant byte first ---- */

static const char too_long[] = "an integer of more than 4932 digits; send it as text";
enum { SMALL_SIZE = 9 }; /* bytes of an integer that may fit a uint64 */

struct big {
    const unsigned char *bytes;
    size_t size; /* without bytes that repeat the sign, but for one */
    int is_negative;
    unsigned char small[SMALL_SIZE];
};

static const unsigned char *big_read(struct smile_reader *reader, const unsigned char *p, struct big *big) {
    const unsigned char *begin = p;
    uint64_t size;
    p = packed_length(reader, p, &size);
    if (!p)
        return NULL;
    if (size == 0)
        return weir_smile_bad(reader, begin, "an integer without bytes");
    if (size > WEIR_MAGNITUDE_MAX + 1) /* a byte for the sign */
        return weir_smile_beyond(reader, begin, too_long);
    unsigned char *bytes = size <= SMALL_SIZE ? big->small : weir_arena_take(&reader->doc->arena, size);
    if (!bytes)
        return weir_smile_out_of_memory(reader);
    p = unpack(p, size, bytes, &begin);
    if (!p)
        return weir_smile_bad(reader, begin, "a byte with its high bit set in packed bits");
    big->is_negative = bytes[0] >> 7;
    unsigned char sign = big->is_negative ? 0xff : 0;
    for (; size > 1 && bytes[0] == sign && bytes[1] >> 7 == big->is_negative; bytes++)
        size--;
    big->bytes = bytes;
    big->size = size;
    return p;
}

/* The magnitude of @big, which ends before @p, without leading zeros, in the arena: none for zero. Return: @p; NULL on
 * failure. */
static const unsigned char *big_magnitude(struct smile_reader *reader, const unsigned char *p, const struct big *big,
                                          struct weir_value *ret) {
    unsigned char *bytes = weir_arena_take(&reader->doc->arena, big->size);
    if (!bytes)
        return weir_smile_out_of_memory(reader);
    unsigned carry = 1;
    for (size_t i = big->size; i-- > 0;) {
        unsigned byte = big->is_negative ? (unsigned char)~big->bytes[i] + carry : big->bytes[i];
        bytes[i] = (unsigned char)byte;
        carry = byte >> 8;
    }
    size_t size = big->size;
    for (; size > 0 && *bytes == 0; bytes++)
        size--;
    if (!weir_magnitude_is_within(bytes, size))
        return weir_smile_beyond(reader, p, too_long);
    ret->flags = big->is_negative ? WEIR_CELL_NEGATIVE : 0;
    ret->count = (uint32_t)size;
    ret->as.data = bytes;
    return p;
}

const unsigned char *weir_smile_bigint(struct smile_reader *reader, const unsigned char *p, struct weir_value *cell) {
    struct big big;
    p = big_read(reader, p, &big);
    if (!p)
        return NULL;
    if (big.size <= 8 || (big.size == 9 && !big.is_negative && big.bytes[0] == 0)) {
        uint64_t number = big.is_negative ? UINT64_MAX : 0;
        for (size_t i = 0; i < big.size; i++)
            number = number << 8 | big.bytes[i];
        weir_cell_set(cell, big.size == 9 ? WEIR_KIND_UINT64 : WEIR_KIND_INT64, 0, number);
        return p;
    }
    *cell = (struct weir_value){.kind = WEIR_KIND_BIGINT};
    return big_magnitude(reader, p, &big, cell);
}

const unsigned char *weir_smile_decimal(struct smile_reader *reader, const unsigned char *p, struct weir_value *cell) {
    struct big big;
    uint64_t scale;
    const unsigned char *begin = p;
    p = weir_smile_vint(reader, p, 32, &scale);
    if (p)
        p = big_read(reader, p, &big);
    if (!p)
        return NULL;
    int64_t exponent = -weir_smile_unzigzag(scale);
    if (exponent > INT32_MAX)
        return weir_smile_beyond(reader, begin, "a decimal with an exponent beyond 32 bits");
    cell[0] = (struct weir_value){.kind = WEIR_KIND_DECIMAL};
    weir_cell_set(&cell[1], WEIR_KIND_INT64, 0, (uint64_t)exponent);
    return big_magnitude(reader, p, &big, cell);
}

/* ---- bytes ---- */

const unsigned char *weir_smile_binary(struct smile_reader *reader, const unsigned char *p, struct weir_value *cell) {
    uint64_t size;
    const unsigned char *wrong;
    p = packed_length(reader, p, &size);
    if (!p)
        return NULL;
    unsigned char *bytes = weir_arena_take(&reader->doc->arena, size);
    if (!bytes)
        return weir_smile_out_of_memory(reader);
    p = size > 0 ? unpack(p, size, bytes, &wrong) : p;
    if (!p)
        return weir_smile_bad(reader, wrong, "a byte with its high bit set in packed bits");
    weir_cell_set(cell, WEIR_KIND_BYTES, (uint32_t)size, 0);
    cell->as.data = bytes;
    return p;
}

const unsigned char *weir_smile_raw(struct smile_reader *reader, const unsigned char *p, struct weir_value *cell) {
    uint64_t size;
    if (reader->limits->flags & WEIR_STRICT && !(reader->section->features & SMILE_HAS_RAW))
        return weir_smile_bad(reader, p - 1, "raw binary data, which the header says there is not");
    p = weir_smile_vint(reader, p, 32, &size);
    if (!p)
        return NULL;
    if (size > (uint64_t)(reader->end - p))
        return weir_smile_truncated(reader);
    weir_cell_set(cell, WEIR_KIND_BYTES, (uint32_t)size, 0);
    cell->as.data = p;
    return p + size;
}

/* ---- texts up to their end marker, which UTF-8 has no use for ---- */

const unsigned char *weir_smile_long_text(struct smile_reader *reader, const unsigned char *p, int is_ascii,
                                          struct weir_value *cell) {
    const unsigned char *text_end = memchr(p, SMILE_TEXT_END, (size_t)(reader->end - p));
    size_t size = (size_t)((text_end ? text_end : reader->end) - p);
    const unsigned char *wrong = NULL;
    if (is_ascii && !weir_is_ascii(p, size, reader->end))
        for (wrong = p; !(*wrong & 0x80);)
            wrong++;
    else if (!is_ascii)
        wrong = weir_utf8_bad(p, size, reader->end);
    if (wrong && (text_end || reader->end - wrong >= 4)) /* not for a character that the input ends in */
        return weir_smile_bad(reader, wrong, is_ascii ? "a text that is not ASCII" : "a text that is not UTF-8");
    if (!text_end)
        return weir_smile_truncated(reader);
    weir_cell_set(cell, WEIR_KIND_TEXT, (uint32_t)size, 0);
    cell->as.data = p;
    return text_end + 1;
}
