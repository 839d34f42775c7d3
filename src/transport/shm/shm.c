/* shm://: channels that lie in files. */
#include <string.h>

#include "transport/shm/allow.h"
#include "transport/shm/directory.h"
#include "transport/shm/end.h"
#include "transport/shm/files.h"
#include "transport/shm/info.h"
#include "transport/shm/sealed.h"

static int shm_check(const struct weir_place *place, weir_error *err) {
    int status = weir_store_check(place->name, err);
    if (status == WEIR_OK)
        status = weir_shm_allow_check(place, err);
    return status || !place->is_sealed ? status : weir_sealed_check(place, err);
}

/* Who does not say sealed=1 gets what is there: when no plain channel could be opened, a sealed one may be there. */
static int shm_open(void *state, const struct weir_place *place, enum weir_role role, weir_error *err) {
    if (place->is_sealed)
        return weir_sealed_open(state, place, role, err);
    int status = weir_shm_open(state, &weir_backing_files, place, role, err);
    if (status == WEIR_OK || !weir_sealed_is_there(place))
        return status;
    memset(state, 0, sizeof(struct shm));
    return weir_sealed_open(state, place, role, err);
}

static int shm_latest(const struct weir_place *place, struct weir_buffer *out, struct weir_inbound *ret,
                      weir_error *err) {
    if (place->is_sealed || weir_sealed_is_there(place))
        return weir_sealed_latest(place, out, ret, err);
    return weir_backing_latest(&weir_backing_files, place, out, ret, err);
}

static int shm_info(const struct weir_place *place, weir_doc *doc, weir_error *err) {
    if (place->is_sealed || weir_sealed_is_there(place))
        return weir_sealed_info(place, doc, err);
    return weir_backing_info(&weir_backing_files, place, doc, err);
}

static int shm_list(weir_listing_fn *listing_fn, void *user, weir_error *err) {
    return weir_backing_list(&weir_backing_files, listing_fn, user, err);
}

const struct weir_transport_ops weir_transport_shm = {
    .scheme = "shm",
    .options = WEIR_OPTION_WAIT | WEIR_OPTION_ALLOW | WEIR_OPTION_SEALED,
    .traits = WEIR_TRAIT_BOUNDED,
    .check = shm_check,
    .open = shm_open,
    WEIR_SHM_END_OPS,
    .latest = shm_latest,
    .info = shm_info,
    .list = shm_list,
    .clean = weir_files_clean,
    .remove = weir_files_take_away,
};
