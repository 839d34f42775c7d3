/* latest and list, in any backing. */
#include "transport/shm/directory.h"

#include <stdio.h>
#include <string.h>

#include "transport/shm/peek.h"

enum { ATTEMPTS = 16 };

/* ---- latest ---- */

/* The lane with the newest frame, by time. Return: WEIR_OK, WEIR_ENOENT (no frame), failures. *ret_is_stale: a lane has
 * grown and taken old segments away while we looked, and the newest frame may be in its new one. */
static int newest_find(const struct weir_backing *backing, struct weir_peek *ret, int *ret_is_stale) {
    uint32_t generation[WEIR_SHM_LANES];
    int status = weir_peek_lanes(backing, generation);
    int worst = WEIR_ENOENT;
    struct weir_peek best = {0};
    *ret_is_stale = 0;
    if (status)
        return status;
    for (unsigned lane = 0; lane < WEIR_SHM_LANES; lane++) {
        struct weir_peek peek;
        status = generation[lane] ? weir_peek_newest(backing, lane, generation[lane], &peek) : WEIR_EAGAIN;
        if (status == WEIR_OK && (!best.backing || peek.time >= best.time)) {
            weir_peek_close(&best);
            best = peek;
        } else if (status == WEIR_OK) {
            weir_peek_close(&peek);
        } else if (status == WEIR_ENOENT) {
            *ret_is_stale = 1;
        } else if (status != WEIR_EAGAIN) {
            worst = status;
        }
    }
    if (!best.backing)
        return worst;
    *ret = best;
    return WEIR_OK;
}

static int newest_copy(const struct weir_backing *backing, struct weir_buffer *out, struct weir_inbound *ret) {
    int status = WEIR_EAGAIN;
    for (int attempts = 0; status == WEIR_EAGAIN && attempts < ATTEMPTS; attempts++) {
        struct weir_peek peek;
        int is_stale;
        status = newest_find(backing, &peek, &is_stale);
        if (is_stale && attempts + 1 < ATTEMPTS) {
            if (status == WEIR_OK)
                weir_peek_close(&peek);
            status = WEIR_EAGAIN;
            continue;
        }
        if (status)
            return status;
        status = weir_peek_copy(&peek, out);
        weir_peek_close(&peek);
        *ret = (struct weir_inbound){
            .bytes = out->data,
            .word = peek.word,
            .size = out->size,
            .writer = peek.header.lane + 1,
            .peer = peek.header.lane + 1,
            .uid = peek.part.uid,
        };
    }
    return status;
}

int weir_backing_latest(const struct weir_backing_ops *ops, const struct weir_place *place, struct weir_buffer *out,
                        struct weir_inbound *ret, weir_error *err) {
    struct weir_backing backing;
    int status = weir_backing_look(&backing, ops, place, err);
    if (status)
        return status;
    status = newest_copy(&backing, out, ret);
    ops->abandon(&backing);
    if (status == WEIR_ENOENT)
        return weir_fail(err, status, "%s: there is no message yet", place->text);
    if (status == WEIR_EACCESS || status == WEIR_EVERSION)
        return weir_backing_unseen(&backing, status, err);
    return status
               ? weir_fail(err, status, "%s: its newest message cannot be read: %s", place->text, weir_err_text(status))
               : WEIR_OK;
}

/* ---- list ---- */

struct listing_user {
    weir_listing_fn *fn;
    void *user;
};

static int channel_list(const struct weir_backing *backing, const char *name, void *user) {
    const struct listing_user *to = user;
    uint32_t generation[WEIR_SHM_LANES];
    struct weir_listing listing = {0};
    int status = weir_peek_lanes(backing, generation);
    if (status == WEIR_ECORRUPT || status == WEIR_EVERSION)
        listing.problem = status == WEIR_ECORRUPT ? "it is damaged" : "another version of weir made it";
    else if (status)
        return WEIR_OK; /* gone meanwhile, or no channel */
    for (unsigned lane = 0; status == WEIR_OK && lane < WEIR_SHM_LANES; lane++) {
        struct weir_peek peek = {0};
        int found = generation[lane] ? weir_peek_newest(backing, lane, generation[lane], &peek) : WEIR_ENOENT;
        listing.messages += peek.sent;
        if (found != WEIR_OK)
            continue;
        listing.last_time = peek.time > listing.last_time ? peek.time : listing.last_time;
        weir_peek_close(&peek);
    }
    listing.bytes = backing->ops->used(backing);
    listing.has_ends = backing->ops->lease_is_held(backing, WEIR_LEASE_MEMBERS) == 1;
    snprintf(listing.address, sizeof(listing.address), "%s://%s", backing->ops->scheme, name);
    return to->fn(&listing, to->user);
}

int weir_backing_list(const struct weir_backing_ops *ops, weir_listing_fn *listing_fn, void *user, weir_error *err) {
    struct listing_user to = {listing_fn, user};
    return ops->each(channel_list, &to, err);
}
