/* Why a channel is as it is, in any backing. As in transport.h. */
#ifndef WEIR_SHM_INFO_H
#define WEIR_SHM_INFO_H

#include "transport/shm/backing.h"

int weir_backing_info(const struct weir_backing_ops *ops, const struct weir_place *place, weir_doc *doc,
                      weir_error *err);

#endif
