/* The lease: who may listen at a path. An exclusive lock on PATH.lock, which dies with its holder. */
#ifndef WEIR_SOCKET_LEASE_H
#define WEIR_SOCKET_LEASE_H

#include <stddef.h>

#include "transport/transport.h"

enum { WEIR_LEASE_TEXT_MAX = 160 };

/* Take the lease of @path, and note in the lock file who we are: @what ("writer", "server"), our pid and program.
 * Return: WEIR_OK, WEIR_EBUSY (the sentence names who holds it), WEIR_EACCESS, WEIR_ENOENT (no such directory),
 * WEIR_ENOSPC, WEIR_ESYSTEM. */
int weir_lease_take(const char *path, const char *what, int *ret_fd, weir_error *err);
/* Give it back and remove the lock file. */
void weir_lease_drop(const char *path, int fd);
/* Does an end of weir listen at @path? Return: 1, 0, or -1: we may not ask. */
int weir_lease_is_taken(const char *path);
/* Remove what a listener that was killed left at place->name; as remove in transport.h. */
int weir_lease_clear(const struct weir_place *place, int is_dry_run, weir_clean_fn *clean_fn, void *user,
                     weir_error *err);

#endif
