/* The files backing: a directory per channel in the store of its user. What files.c and files_clean.c share. */
#ifndef WEIR_SHM_FILES_H
#define WEIR_SHM_FILES_H

#include <assert.h>

#include "transport/shm/backing.h"
#include "transport/shm/store.h"

/* The state of a backing. */
struct weir_files {
    struct weir_store store;
    int fd;         /* the directory */
    int members_fd; /* members.lock, held shared */
    int writers_fd; /* writers.lock, -1 below WEIR_CHANNEL_WRITE */
    int readers_fd; /* readers.lock, -1 below WEIR_CHANNEL_READ */
    char entry[WEIR_NAME_MAX + 1];
};
static_assert(sizeof(struct weir_files) <= WEIR_BACKING_STATE_SIZE, "it fits");

static inline struct weir_files *weir_files_of(const struct weir_backing *backing) {
    return (struct weir_files *)(uintptr_t)backing->state;
}

/* Open a regular file of the channel, refusing links. Return: -1 with errno. */
int weir_files_open(int directory, const char *name, int flags);
/* Fill in backing->path. */
void weir_files_path(struct weir_backing *backing);
/* Take away the channel @entry, open as @directory, whose membership the caller holds exclusively. */
int weir_files_remove(const struct weir_store *store, const char *entry, int directory);

/* Nothing is open. */
void weir_files_begin(struct weir_backing *backing, const struct weir_place *place);
/* Take the channel away if we are its last member and nobody keeps it. */
void weir_files_go(struct weir_backing *backing);
/* Give back every lease. To close is not enough: a forked child may have the files open as well. */
void weir_files_give_back(const struct weir_files *files);

/* As in backing.h and transport.h. */
uint64_t weir_files_used(const struct weir_backing *backing);
int weir_files_each(weir_backing_fn *fn, void *user, weir_error *err);
int weir_files_clean(int is_dry_run, weir_clean_fn *clean_fn, void *user, weir_error *err);
int weir_files_take_away(const struct weir_place *place, int is_dry_run, weir_clean_fn *clean_fn, void *user,
                         weir_error *err);

#endif
