/* CRC-32C. The register holds the polynomial reflected (bit 31 is x^0), as the processors' instructions have it; it
 * starts and ends inverted.
 *
 * The instruction takes 3 cycles but a new one can start in each, so long data is read as three lanes side by side, and
 * the three checksums are joined: moving one over the lanes behind it is a carry-less product with a power of x, done
 * with 16-entry tables and reduced by the instruction itself (V. Gopal and others, "Fast CRC computation for iSCSI
 * polynomial using CRC32 instruction", Intel, 2011). Where there are carry-less products of 64 bytes (AVX-512
 * VPCLMULQDQ), data of 256 bytes and more is folded: each 128 bits are moved on to where the next data lies and added
 * to it, until 16 bytes are left that have the checksum of all. Other processors take eight bytes at a time through
 * tables (M. Kounavis and F. Berry, "A systematic approach to building high performance, software-based, CRC
 * generators", ISCC 2005). */
#include "base/crc32c.h"

#include <string.h>

#if defined(__SSE4_2__) && defined(__x86_64__)
#include <immintrin.h>
#define WEIR_CRC32C_INSTRUCTION
#define WEIR_CRC32C_FOLDING __attribute__((target("avx512f,vpclmulqdq,sse4.2")))
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

static inline uint32_t crc_half(uint32_t crc, uint32_t half) {
#ifdef __SSE4_2__
    return _mm_crc32_u32(crc, half);
#else
    return __crc32cw(crc, half);
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

#ifdef WEIR_CRC32C_FOLDING

enum { FOLD_MIN = 256, FOLD_STEP = 64 };

static int may_fold(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("vpclmulqdq");
}

WEIR_CRC32C_FOLDING static inline __m512i folded(__m512i ahead, __m512i powers, __m512i next) {
    __m512i first = _mm512_clmulepi64_epi128(ahead, powers, 0x00);
    __m512i second = _mm512_clmulepi64_epi128(ahead, powers, 0x11);
    return _mm512_ternarylogic_epi64(first, second, next, 0x96); /* exclusive or of all three */
}

WEIR_CRC32C_FOLDING static inline __m512i powers_of(const uint64_t pair[2]) {
    return _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)pair));
}

/* All whole steps of @size bytes, of which there are FOLD_MIN or more. */
WEIR_CRC32C_FOLDING static uint32_t crc_folded(uint32_t crc, const unsigned char *bytes, size_t size) {
    __m512i far = powers_of(crc_fold[0]), near = powers_of(crc_fold[3]), none = _mm512_setzero_si512();
    __m512i at[4];
    for (int i = 0; i < 4; i++)
        at[i] = _mm512_loadu_si512(bytes + i * FOLD_STEP);
    at[0] = _mm512_xor_si512(at[0], _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)crc)));
    for (bytes += FOLD_MIN, size -= FOLD_MIN; size >= FOLD_MIN; bytes += FOLD_MIN, size -= FOLD_MIN)
        for (int i = 0; i < 4; i++)
            at[i] = folded(at[i], far, _mm512_loadu_si512(bytes + i * FOLD_STEP));
    __m512i first = folded(at[0], powers_of(crc_fold[1]), folded(at[1], powers_of(crc_fold[2]), none));
    at[3] = _mm512_xor_si512(first, folded(at[2], near, at[3]));
    for (; size >= FOLD_STEP; bytes += FOLD_STEP, size -= FOLD_STEP)
        at[3] = folded(at[3], near, _mm512_loadu_si512(bytes));
    __m512i moved = folded(at[3], _mm512_loadu_si512(crc_lanes), none);
    __m128i last =
        _mm_xor_si128(_mm_xor_si128(_mm512_extracti32x4_epi32(moved, 0), _mm512_extracti32x4_epi32(moved, 1)),
                      _mm_xor_si128(_mm512_extracti32x4_epi32(moved, 2), _mm512_extracti32x4_epi32(at[3], 3)));
    crc = crc_word(0, (uint64_t)_mm_cvtsi128_si64(last));
    return crc_word(crc, (uint64_t)_mm_extract_epi64(last, 1));
}

#endif

static uint32_t crc_update(uint32_t crc, const unsigned char *bytes, size_t size) {
#ifdef WEIR_CRC32C_FOLDING
    if (size >= FOLD_MIN && may_fold()) {
        crc = crc_folded(crc, bytes, size);
        bytes += size - size % FOLD_STEP;
        size %= FOLD_STEP;
    }
#endif
    for (; size >= 3 * CRC_LANE_SIZE; bytes += 3 * CRC_LANE_SIZE, size -= 3 * CRC_LANE_SIZE)
        crc = crc_three_lanes(crc, bytes);
    for (; size >= 8; bytes += 8, size -= 8)
        crc = crc_word(crc, word_at(bytes));
    if (size & 4) {
        uint32_t half;
        memcpy(&half, bytes, sizeof(half));
        crc = crc_half(crc, half);
        bytes += 4;
    }
    for (size &= 3; size > 0; bytes++, size--)
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
