/* How large a file this process may make (RLIMIT_FSIZE). The kernel kills who makes one larger, in memory too, instead
 * of failing the call. So who is about to asks first, and fails by himself. */
#ifndef WEIR_OS_LIMIT_H
#define WEIR_OS_LIMIT_H

#include <stdint.h>
#include <sys/resource.h>

/* In bytes; UINT64_MAX: as large as it likes. */
static inline uint64_t weir_limit_file_size(void) {
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
}

#endif
