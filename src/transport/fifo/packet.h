/* Packets: how frames lie in a pipe. docs/spec/fifo.md is the standard.
 *
 * A framed pipe is written in packet mode (O_DIRECT): each write of at most 4096 bytes goes in whole or not at all,
 * and each read takes one such piece out. A packet begins with a header that says which stream of frames goes on in
 * it and where in it the first frame begins. So whoever begins to read in the middle of a frame finds the next one
 * without guessing, packets of many clients may mix, and a writer may take the oldest packet out of a full pipe: its
 * reader sees that one is missing.
 *
 *      0  4 bytes  magic     FE 57 50 F1
 *      4  u16      size      of the packet, header included
 *      6  u16      first     where in it the first frame begins; 0: none does
 *      8  u32      session   a random number of the open end that sends, never 0
 *     12  u32      count     of the session's packets before this one
 *     16  bytes    of the frames, as they follow each other
 */
#ifndef WEIR_FIFO_PACKET_H
#define WEIR_FIFO_PACKET_H

#include <stddef.h>
#include <stdint.h>

/* No text, CBOR item, Smile stream or BSON document begins like this. */
#define WEIR_PACKET_MAGIC UINT32_C(0xF15057FE)

enum { WEIR_PACKET_HEAD = 16, WEIR_PACKET_SIZE = 4096, WEIR_PACKET_ROOM = WEIR_PACKET_SIZE - WEIR_PACKET_HEAD };

struct weir_packet {
    uint32_t magic;
    uint16_t size;
    uint16_t first;
    uint32_t session;
    uint32_t count;
};

/* What the bytes begin with. */
enum weir_packet_is {
    WEIR_PACKET_WHOLE = 0,
    WEIR_PACKET_CUT = 1,  /* the beginning of a packet; more is needed */
    WEIR_PACKET_OTHER = 2 /* no packet */
};
/* @ret: a copy of the header, when the packet is whole. */
enum weir_packet_is weir_packet_read(const unsigned char *bytes, size_t size, struct weir_packet *ret);

#endif
