/* Packets of a fixed size over a SOCK_SEQPACKET socket, with one descriptor at most. */
#ifndef WEIR_OS_PACKET_H
#define WEIR_OS_PACKET_H

#include <stddef.h>

/* @passed: a descriptor to send along, which stays ours; -1: none. Does not wait. Return: WEIR_OK, WEIR_EAGAIN,
 * WEIR_ECLOSED. */
int weir_packet_send(int fd, const void *packet, size_t size, int passed);
/* Receive a packet of @size bytes. Does not wait. @ret_passed: what came along, -1 for nothing. Return: WEIR_OK;
 * WEIR_EAGAIN; WEIR_ECLOSED; WEIR_ECORRUPT (another size, or more than one descriptor: all of them are closed). */
int weir_packet_receive(int fd, void *packet, size_t size, int *ret_passed);

#endif
