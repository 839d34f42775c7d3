/* The table of transports: one line each. */
#include "transport/transport.h"

#include <string.h>

#include "transport/fault/fault.h"

static const struct weir_transport_ops *const transports[] = {
    &weir_transport_shm, &weir_transport_sysv, &weir_transport_unix,
    &weir_transport_tcp, &weir_transport_fifo, &weir_transport_file,
};

enum { TRANSPORT_COUNT = sizeof(transports) / sizeof(transports[0]) };

const struct weir_transport_ops *weir_transport_at(size_t index) {
    return index < TRANSPORT_COUNT ? transports[index] : NULL;
}

const struct weir_transport_ops *weir_transport_find(const char *scheme, size_t size) {
    for (size_t i = 0; i < TRANSPORT_COUNT; i++)
        if (strlen(transports[i]->scheme) == size && memcmp(transports[i]->scheme, scheme, size) == 0)
            return transports[i];
    return size > 6 && memcmp(scheme, "fault+", 6) == 0 ? weir_fault_find(scheme + 6, size - 6) : NULL;
}

uint64_t weir_transport_no_post(void *state, uint64_t word, const void *data, size_t size, int64_t time,
                                uint32_t flags) {
    (void)state, (void)word, (void)data, (void)size, (void)time, (void)flags;
    return 0;
}

size_t weir_transport_no_post_many(void *state, uint64_t word, const weir_view *data, size_t count, int64_t time,
                                   uint32_t flags, uint64_t *ret_seq) {
    (void)state, (void)word, (void)data, (void)count, (void)time, (void)flags, (void)ret_seq;
    return 0;
}

size_t weir_transport_no_follow(void *state, struct weir_following *ret, size_t max) {
    (void)state, (void)ret, (void)max;
    return 0;
}

void weir_transport_no_in_the_way(void *state, char *text, size_t size) {
    (void)state;
    if (size > 0)
        text[0] = '\0';
}

void weir_transport_no_set_timeout(void *state, int64_t timeout_ns) {
    (void)state, (void)timeout_ns;
}

int weir_transport_no_list(weir_listing_fn *listing_fn, void *user, weir_error *err) {
    (void)listing_fn, (void)user, (void)err;
    return WEIR_OK;
}

int weir_transport_no_info(const struct weir_place *place, weir_doc *doc, weir_error *err) {
    (void)doc;
    return weir_fail(err, WEIR_ENOTSUP, "%s: %s:// has nothing to tell of a channel", place->text,
                     place->transport->scheme);
}

int weir_transport_no_clean(int is_dry_run, weir_clean_fn *clean_fn, void *user, weir_error *err) {
    (void)is_dry_run, (void)clean_fn, (void)user, (void)err;
    return WEIR_OK;
}

int weir_transport_no_remove(const struct weir_place *place, int is_dry_run, weir_clean_fn *clean_fn, void *user,
                             weir_error *err) {
    (void)is_dry_run, (void)clean_fn, (void)user;
    return weir_fail(err, WEIR_ENOTSUP, "%s is a file like any other; remove it with rm", place->text);
}
