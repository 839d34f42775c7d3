/* CRC-32C. The register holds the polynomial reflected (bit 31 is x^0), as the processors' instructions have it; it
 * starts and ends inverted.
 *
 * The instruction takes 3 cycles but a new one can start in each, so long data is read as three lanes side by side, and
 * the three checksums are joined: moving one over the lanes behind it is a carry-less product with a power of x, done
 * with 16-entry tables and reduced by the instruction itself (V. Gopal and others, "Fast CRC computation for iSCSI
 * polynomial using CRC32 instruction", Intel, 2011). Other processors take eight bytes at a time through tables (M.
 * Kounavis and F. Berry, "A systematic approach to building high performance, software-based, CRC generators", ISCC
 * 2005). */
#include "base/crc32c.h"

#include <string.h>

#if defined(__SSE4_2__) && defined(__x86_64__)
#include <nmmintrin.h>
#define WEIR_CRC32C_INSTRUCTION
#elif defined(__ARM_FEATURE_CRC32) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#include <arm_acle.h>
#define WEIR_CRC32C_INSTRUCTION
#endif

#include "base/crc32c_tables.h"

#ifdef WEIR_CRC32C_INSTRUCTION

static inline uint32_t crc_byte(uint32_t crc, unsigned char byte) {
#ifdef __SSE4_2__
    return _mm_crc32_u8(crc, byte);
#else
    return __crc32cb(crc, byte);
#endif
}

static inline uint32_t crc_word(uint32_t crc, uint64_t word) {
#ifdef __SSE4_2__
    return (uint32_t)_mm_crc32_u64(crc, word);
#else
    return __crc32cd(crc, word);
#endif
}

static inline uint64_t word_at(const unsigned char *bytes) {
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    return word;
}

/* @crc moved over as many bytes as @table stands for. */
static uint32_t crc_moved(uint32_t crc, const uint64_t table[16]) {
    uint64_t product = 0;
    for (int shift = 0; shift < 32; shift += 4)
        product ^= table[crc >> shift & 15] << shift;
    return crc_word(0, product);
}

static uint32_t crc_three_lanes(uint32_t crc, const unsigned char *bytes) {
    uint32_t second = 0;
    uint32_t third = 0;
    for (const unsigned char *end = bytes + CRC_LANE_SIZE; bytes < end; bytes += 8) {
        crc = crc_word(crc, word_at(bytes));
        second = crc_word(second, word_at(bytes + CRC_LANE_SIZE));
        third = crc_word(third, word_at(bytes + 2 * CRC_LANE_SIZE));
    }
    return crc_moved(crc, crc_join[1]) ^ crc_moved(second, crc_join[0]) ^ third;
}

static uint32_t crc_update(uint32_t crc, const unsigned char *bytes, size_t size) {
    for (; size >= 3 * CRC_LANE_SIZE; bytes += 3 * CRC_LANE_SIZE, size -= 3 * CRC_LANE_SIZE)
        crc = crc_three_lanes(crc, bytes);
    for (; size >= 8; bytes += 8, size -= 8)
        crc = crc_word(crc, word_at(bytes));
    for (; size > 0; bytes++, size--)
        crc = crc_byte(crc, *bytes);
    return crc;
}

#else

static inline uint32_t half_at(const unsigned char *bytes) {
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static uint32_t crc_update(uint32_t crc, const unsigned char *bytes, size_t size) {
    for (; size >= 8; bytes += 8, size -= 8) {
        uint32_t low = crc ^ half_at(bytes);
        uint32_t high = half_at(bytes + 4);
        crc = crc_slices[7][low & 255] ^ crc_slices[6][low >> 8 & 255] ^ crc_slices[5][low >> 16 & 255] ^
              crc_slices[4][low >> 24] ^ crc_slices[3][high & 255] ^ crc_slices[2][high >> 8 & 255] ^
              crc_slices[1][high >> 16 & 255] ^ crc_slices[0][high >> 24];
    }
    for (; size > 0; bytes++, size--)
        crc = crc >> 8 ^ crc_slices[0][(crc ^ *bytes) & 255];
    return crc;
}

#endif

uint32_t weir_crc32c(uint32_t crc, const void *data, size_t size) {
    return ~crc_update(~crc, data, size);
}
