/* fault+SCHEME://: a transport around any other, which does to its end what accidents do: errors, delays, lost
 * connections, short reads and writes. A tool for tests, there only when the environment says WEIR_FAULTS=1; HACKING.md
 * describes it. */
#ifndef WEIR_FAULT_H
#define WEIR_FAULT_H

#include "transport/transport.h"

/* The transport that wraps @inner; NULL when there is none, or WEIR_FAULTS does not say 1. */
const struct weir_transport_ops *weir_fault_find(const char *inner, size_t size);

#endif
