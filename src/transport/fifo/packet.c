/* Reading a packet's header: a private copy, every field checked before it is used. */
#include "transport/fifo/packet.h"

#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "packets are little-endian; this machine needs byte swapping here and in outlet.c"
#endif

_Static_assert(sizeof(struct weir_packet) == WEIR_PACKET_HEAD, "the header has no padding");

enum weir_packet_is weir_packet_read(const unsigned char *bytes, size_t size, struct weir_packet *ret) {
    static const uint32_t magic = WEIR_PACKET_MAGIC;
    struct weir_packet packet;
    if (memcmp(bytes, &magic, size < sizeof(magic) ? size : sizeof(magic)) != 0)
        return WEIR_PACKET_OTHER;
    if (size < sizeof(packet))
        return WEIR_PACKET_CUT;
    memcpy(&packet, bytes, sizeof(packet));
    if (packet.size < WEIR_PACKET_HEAD || packet.size > WEIR_PACKET_SIZE || packet.session == 0 ||
        (packet.first != 0 && (packet.first < WEIR_PACKET_HEAD || packet.first >= packet.size)))
        return WEIR_PACKET_OTHER;
    if (size < packet.size)
        return WEIR_PACKET_CUT;
    *ret = packet;
    return WEIR_PACKET_WHOLE;
}
