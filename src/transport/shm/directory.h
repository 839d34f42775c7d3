/* Looking at channels from outside, without being an end of them. As in transport.h. */
#ifndef WEIR_SHM_DIRECTORY_H
#define WEIR_SHM_DIRECTORY_H

#include "transport/transport.h"

int weir_shm_latest(const struct weir_place *place, struct weir_buffer *out, struct weir_inbound *ret, weir_error *err);
int weir_shm_list(weir_listing_fn *listing_fn, void *user, weir_error *err);
int weir_shm_clean(int is_dry_run, weir_clean_fn *clean_fn, void *user, weir_error *err);

#endif
