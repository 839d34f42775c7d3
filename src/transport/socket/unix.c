/* unix:///path.sock: the ops table. */
#include "transport/socket/lease.h"
#include "transport/socket/local.h"
#include "transport/socket/socket.h"

static int local_open(void *state, const struct weir_place *place, enum weir_role role, weir_error *err) {
    return weir_socket_open(state, place, &weir_socket_local, role, err);
}

static int local_latest(const struct weir_place *place, struct weir_buffer *out, struct weir_inbound *ret,
                        weir_error *err) {
    return weir_socket_latest(place, &weir_socket_local, out, ret, err);
}

const struct weir_transport_ops weir_transport_unix = {
    .scheme = "unix",
    .options = WEIR_OPTION_BURST | WEIR_OPTION_LISTEN | WEIR_OPTION_ALLOW | WEIR_OPTION_FRAMING,
    .check = weir_socket_local_check,
    .open = local_open,
    WEIR_SOCKET_END_OPS,
    .latest = local_latest,
    .info = weir_socket_local_info,
    .remove = weir_lease_clear,
};
