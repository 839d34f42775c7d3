/* Why a channel is as it is. As in transport.h. */
#ifndef WEIR_SHM_INFO_H
#define WEIR_SHM_INFO_H

#include "transport/transport.h"

int weir_shm_info(const struct weir_place *place, weir_doc *doc, weir_error *err);

#endif
