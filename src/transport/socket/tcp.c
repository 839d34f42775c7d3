/* tcp://host:port: the ops table. */
#include "transport/socket/inet.h"
#include "transport/socket/socket.h"

static int inet_open(void *state, const struct weir_place *place, enum weir_role role, weir_error *err) {
    return weir_socket_open(state, place, &weir_socket_inet, role, err);
}

static int inet_latest(const struct weir_place *place, struct weir_buffer *out, struct weir_inbound *ret,
                       weir_error *err) {
    return weir_socket_latest(place, &weir_socket_inet, out, ret, err);
}

static int inet_remove(const struct weir_place *place, int is_dry_run, weir_clean_fn *clean_fn, void *user,
                       weir_error *err) {
    (void)is_dry_run, (void)clean_fn, (void)user;
    return weir_fail(err, WEIR_ENOENT, "%s: a port is gone with who listens there, and leaves nothing to remove",
                     place->text);
}

const struct weir_transport_ops weir_transport_tcp = {
    .scheme = "tcp",
    .options = WEIR_OPTION_BURST | WEIR_OPTION_LISTEN | WEIR_OPTION_FRAMING | WEIR_OPTION_TLS,
    .check = weir_inet_check,
    .open = inet_open,
    WEIR_SOCKET_END_OPS,
    .latest = inet_latest,
    .info = weir_inet_info,
    .remove = inet_remove,
};
