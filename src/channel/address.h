/* Addresses: from a URI to a weir_place. */
#ifndef WEIR_CHANNEL_ADDRESS_H
#define WEIR_CHANNEL_ADDRESS_H

#include "transport/transport.h"

/* Parse scheme://name?option=value&...; a bare name means shm://name. Everything is checked: the scheme, the options
 * (unknown ones are refused with a list of the known), their values, the name.
 * Return: WEIR_OK, WEIR_EADDRESS. */
int weir_address_parse(const char *address, struct weir_place *ret, weir_error *err);

/* "1.5s", "200ms", "10us", "5ns", "2m", "1h", "forever"; a bare number is seconds. Return: WEIR_OK, WEIR_EINVAL. */
int weir_duration_parse(const char *text, size_t size, int64_t *ret_ns);
/* "4096", "64K", "1M", "2G" (powers of 1024). Return: WEIR_OK, WEIR_EINVAL. */
int weir_size_parse(const char *text, size_t size, uint64_t *ret);

#endif
