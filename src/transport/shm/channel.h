/* A channel's directory: joining it, making it when it is not there, and taking it away behind the last end. */
#ifndef WEIR_SHM_CHANNEL_H
#define WEIR_SHM_CHANNEL_H

#include <sys/types.h>

#include "transport/shm/layout.h"
#include "transport/shm/store.h"
#include "transport/transport.h"

/* What an end needs to do with the channel; each includes those above it. */
enum weir_channel_access {
    WEIR_CHANNEL_LOOK = 0,  /* observe without a slot: read permission is enough */
    WEIR_CHANNEL_READ = 1,  /* have a reader slot */
    WEIR_CHANNEL_WRITE = 2, /* have a lane */
};

struct weir_shm_channel {
    struct weir_store store;
    int fd;         /* the directory */
    int members_fd; /* members.lock, held shared */
    int writers_fd; /* writers.lock, -1 below WEIR_CHANNEL_WRITE */
    int readers_fd; /* readers.lock, -1 below WEIR_CHANNEL_READ */
    enum weir_channel_access access;
    struct weir_channel_page *page;    /* read-only below WEIR_CHANNEL_WRITE */
    struct weir_cursors_head *cursors; /* NULL below WEIR_CHANNEL_READ */
    mode_t mode;                       /* of what the channel's data is in: who may read and write it */
    gid_t gid;
    uint8_t is_private; /* only our own user can write here */
    char entry[WEIR_NAME_MAX + 1];
    char text[WEIR_PLACE_TEXT_MAX]; /* "shm://lab/imu" */
};

static inline struct weir_reader_slot *weir_channel_slot(const struct weir_shm_channel *channel, unsigned index) {
    return (struct weir_reader_slot *)((unsigned char *)channel->cursors + WEIR_SHM_PAGE + index * WEIR_SHM_SLOT_SIZE);
}

/* Join the channel of @place, made when it is absent and place->may_create. A channel that nobody keeps and whose ends all died
 * is made anew. The channel's storage is the caller's and must stay where it is. */
int weir_channel_join(struct weir_shm_channel *channel, const struct weir_place *place, enum weir_channel_access access,
                      weir_error *err);
/* A writer that has its lane says what shall become of the channel behind the last end. */
void weir_channel_settle(struct weir_shm_channel *channel, const struct weir_place *place);
/* Leave; when nobody keeps the channel and we are the last, it goes. */
void weir_channel_leave(struct weir_shm_channel *channel);
/* The same in a forked child: gives back descriptors, touches nothing that the parent owns. */
void weir_channel_abandon(struct weir_shm_channel *channel);

/* Open a regular file of the channel, refusing links and what is shorter than @size_min. Return: -1 with errno. */
int weir_channel_file(int directory, const char *name, int flags, uint64_t size_min);

/* Take away the channel @entry, open as @directory, whose membership the caller holds exclusively. */
int weir_channel_remove(const struct weir_store *store, const char *entry, int directory);
/* What page 1 of a channel that we have not joined says of keep; WEIR_CHANNEL_KEEP when it cannot be read. */
uint32_t weir_channel_kept(int directory);

#endif
