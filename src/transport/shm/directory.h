/* Looking at channels from outside, without being an end of them, in any backing. As in transport.h. */
#ifndef WEIR_SHM_DIRECTORY_H
#define WEIR_SHM_DIRECTORY_H

#include "transport/shm/backing.h"

int weir_backing_latest(const struct weir_backing_ops *ops, const struct weir_place *place, struct weir_buffer *out,
                        struct weir_inbound *ret, weir_error *err);
int weir_backing_list(const struct weir_backing_ops *ops, weir_listing_fn *listing_fn, void *user, weir_error *err);

#endif
