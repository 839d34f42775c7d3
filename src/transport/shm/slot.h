/* Reader slots: taking one, and what writers do with those of others. */
#ifndef WEIR_SHM_SLOT_H
#define WEIR_SHM_SLOT_H

#include "transport/shm/channel.h"

/* Take a free slot. With is_holding the reader from now on holds back every lane at its oldest frame, until it moves
 * its cursors.
 * Return: WEIR_OK, WEIR_EBUSY (all are taken), WEIR_ENOSPC (the store is full), others. */
int weir_slot_take(struct weir_shm_channel *channel, int is_holding, unsigned *ret, weir_error *err);
/* The reader has found where it begins: writers that wait for readers may send. */
int weir_slot_place(const struct weir_shm_channel *channel, unsigned slot, weir_error *err);
void weir_slot_drop(struct weir_shm_channel *channel, unsigned slot);

/* The position before which no holding reader needs anything of the lane; at most @head. @ret_slot: whose it is,
 * WEIR_SHM_SLOTS when nobody holds. Cursors are others' bytes: what is behind @freed or beyond @head counts as
 * these. */
uint64_t weir_slot_held(const struct weir_shm_channel *channel, unsigned lane, uint64_t freed, uint64_t head,
                        unsigned *ret_slot);
/* Give a slot free whose reader has died. Return: 1 when it was so. */
int weir_slot_reclaim(struct weir_shm_channel *channel, unsigned slot);
/* How many living readers hold and have found where they begin. */
uint32_t weir_slot_count(const struct weir_shm_channel *channel);

#endif
