/* The store: BASE/weir-UID, one directory per user that holds the user's channels.
 *
 * BASE is $WEIR_SHM_DIR or /dev/shm. A name is looked up in the caller's own directory; "~user/lab/imu" names a channel
 * of another user, so that nobody can slip somebody a channel of his by being there first. */
#ifndef WEIR_SHM_STORE_H
#define WEIR_SHM_STORE_H

#include <sys/types.h>

#include "transport/transport.h"

enum { WEIR_STORE_PATH_MAX = 160 };

struct weir_store {
    int base_fd; /* BASE */
    int fd;      /* BASE/weir-UID */
    uid_t uid;
    char directory[24];             /* "weir-1000" */
    char path[WEIR_STORE_PATH_MAX]; /* "/dev/shm/weir-1000", for sentences only: may be cut */
};

/* Is @name one that a channel can have? */
int weir_store_check(const char *name, weir_error *err);
/* The file name of the channel, "lab~imu": without "~user/", '/' written as '~'. */
void weir_store_entry(const char *name, char entry[WEIR_NAME_MAX + 1]);
/* The name of the channel that has file name @entry. */
void weir_store_name(const char *entry, char *name, size_t size);

/* Open the directory that place->name stands in, making it when it is the caller's and @may_create. WEIR_ENOENT without
 * a sentence when it is not there. With NULL for @place: the caller's own. */
int weir_store_open(struct weir_store *store, const struct weir_place *place, int may_create, weir_error *err);
/* The same for the directory of @uid, in which a channel with @mode is to be. */
int weir_store_open_user(struct weir_store *store, uid_t uid, int may_create, uint32_t mode, weir_error *err);
/* Take the directory away when it is empty. */
void weir_store_tidy(const struct weir_store *store);
void weir_store_close(struct weir_store *store);

/* Remove a directory that holds only files. Return: WEIR_OK, WEIR_ESYSTEM with errno. */
int weir_store_remove(int at, const char *entry);
/* A fresh name, ".KIND.RANDOM". */
void weir_store_dot_name(const char *kind, char name[40]);

/* Give a new file its bytes, so that no access to a mapping of it can fail later. Sentences name the store, the bytes
 * needed and those that are free. */
int weir_store_allocate(int fd, uint64_t offset, uint64_t size, const char *path, weir_error *err);

#endif
