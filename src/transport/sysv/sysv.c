/* sysv://: channels that lie in System V shared memory, the same ring as shm://. */
#include "transport/sysv/sysv.h"

#include "transport/shm/directory.h"
#include "transport/shm/end.h"
#include "transport/shm/info.h"

static int sysv_check(const struct weir_place *place, weir_error *err) {
    uint32_t key, uid;
    return weir_sysv_name(place, &key, &uid, err);
}

static int sysv_open(void *state, const struct weir_place *place, enum weir_role role, weir_error *err) {
    return weir_shm_open(state, &weir_backing_sysv, place, role, err);
}

static int sysv_latest(const struct weir_place *place, struct weir_buffer *out, struct weir_inbound *ret,
                       weir_error *err) {
    return weir_backing_latest(&weir_backing_sysv, place, out, ret, err);
}

static int sysv_info(const struct weir_place *place, weir_doc *doc, weir_error *err) {
    return weir_backing_info(&weir_backing_sysv, place, doc, err);
}

static int sysv_list(weir_listing_fn *listing_fn, void *user, weir_error *err) {
    return weir_backing_list(&weir_backing_sysv, listing_fn, user, err);
}

const struct weir_transport_ops weir_transport_sysv = {
    .scheme = "sysv",
    .options = WEIR_OPTION_WAIT | WEIR_OPTION_KEY,
    .traits = WEIR_TRAIT_BOUNDED,
    .check = sysv_check,
    .open = sysv_open,
    WEIR_SHM_END_OPS,
    .latest = sysv_latest,
    .info = sysv_info,
    .list = sysv_list,
    .clean = weir_sysv_clean,
    .remove = weir_sysv_take_away,
};
