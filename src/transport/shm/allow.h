/* allow= on a channel whose files have names: access lists that let others read. */
#ifndef WEIR_SHM_ALLOW_H
#define WEIR_SHM_ALLOW_H

#include "transport/transport.h"

/* Can what place->allow asks for be had together with its mode=? */
int weir_shm_allow_check(const struct weir_place *place, weir_error *err);
/* Let those on the list, and nobody who was on an earlier one, read the channel in the open directory, which is ours.
 * Lanes that are made later inherit it. */
int weir_shm_allow_give(int directory, const struct weir_place *place, weir_error *err);

#endif
