/* CRC-32C (Castagnoli), RFC 3720 appendix B.4: the processor's instruction where it has one. */
#ifndef WEIR_BASE_CRC32C_H
#define WEIR_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of what @crc covers followed by @data; begin with 0. */
uint32_t weir_crc32c(uint32_t crc, const void *data, size_t size);

#endif
