/* The directory: what is there, as one document. Channels come from the transports that can list theirs and from the
 * records of live ends, joined by their address without options. */
#include <weir/directory.h>

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "channel/address.h"
#include "channel/record.h"
#include "transport/tell.h"
#include "transport/transport.h"

/* Everything found, before it is grouped. Both arrays grow by doubling. */
struct found {
    struct weir_listing *channels;
    size_t channel_count, channel_capacity;
    struct weir_record *ends;
    size_t end_count, end_capacity;
};

static int array_grow(void **array, size_t count, size_t *capacity, size_t item_size) {
    if (count < *capacity)
        return WEIR_OK;
    size_t wanted = *capacity ? *capacity * 2 : 16;
    void *grown = realloc(*array, wanted * item_size);
    if (!grown)
        return WEIR_ENOMEM;
    *array = grown;
    *capacity = wanted;
    return WEIR_OK;
}

static int channel_found(const struct weir_listing *listing, void *user) {
    struct found *found = user;
    int status =
        array_grow((void **)&found->channels, found->channel_count, &found->channel_capacity, sizeof(*listing));
    if (status == WEIR_OK)
        found->channels[found->channel_count++] = *listing;
    return status;
}

static struct weir_listing *channel_of(const struct found *found, const char *place) {
    for (size_t i = 0; i < found->channel_count; i++)
        if (strcmp(found->channels[i].address, place) == 0)
            return &found->channels[i];
    return NULL;
}

/* A live end, and its channel where no transport has listed it (sockets). */
static int end_found(const struct weir_record *record, const char *path, void *user) {
    struct found *found = user;
    (void)path;
    int status = array_grow((void **)&found->ends, found->end_count, &found->end_capacity, sizeof(*record));
    if (status)
        return status;
    memcpy(&found->ends[found->end_count++], record, sizeof(*record));
    struct weir_listing *channel = channel_of(found, record->place);
    if (channel)
        return WEIR_OK;
    struct weir_listing listing = {.has_ends = 1};
    memcpy(listing.address, record->place, sizeof(listing.address));
    return channel_found(&listing, found);
}

/* A log holds what writers that are gone have left, which none of its ends counts. */
static void log_complete(struct weir_listing *channel) {
    struct weir_place place;
    weir_doc *told = NULL;
    const weir_value *root;
    if (weir_address_parse(channel->address, &place, NULL) != WEIR_OK || place.transport->traits & WEIR_TRAIT_BOUNDED ||
        weir_doc_new(&told) != WEIR_OK)
        return;
    weir_begin_map(told);
    int status = place.transport->info(&place, told, NULL);
    weir_end(told);
    if (status == WEIR_OK && weir_doc_finish(told, &root, NULL) == WEIR_OK) {
        weir_get_u64(root, "last_seq", &channel->messages);
        weir_get_u64(root, "disk_bytes", &channel->bytes);
        weir_get_i64(root, "last", &channel->last_time);
    }
    weir_doc_free(told);
}

/* What the ends of a channel know that its transport did not say. */
static void channel_complete(struct weir_listing *channel, const struct found *found) {
    uint64_t sent = 0, seen = 0;
    log_complete(channel);
    for (size_t i = 0; i < found->end_count; i++) {
        const struct weir_record *end = &found->ends[i];
        if (strcmp(end->place, channel->address) != 0)
            continue;
        int64_t last_time = atomic_load_explicit(&end->last_time, memory_order_relaxed);
        channel->has_ends = 1;
        if (last_time > channel->last_time)
            channel->last_time = last_time;
        uint64_t messages = atomic_load_explicit(&end->messages, memory_order_relaxed);
        sent += end->role == WEIR_ROLE_WRITER ? messages : 0;
        seen = messages > seen ? messages : seen;
    }
    if (channel->messages == 0) /* a socket counts nothing: what its ends know, also of writers that are gone */
        channel->messages = sent > seen ? sent : seen;
}

static void channel_put(weir_doc *doc, struct weir_listing *channel, const struct found *found) {
    char scheme[16] = "";
    const char *separator = strstr(channel->address, "://");
    if (separator && (size_t)(separator - channel->address) < sizeof(scheme))
        memcpy(scheme, channel->address, (size_t)(separator - channel->address));
    channel_complete(channel, found);
    weir_begin_map(doc);
    weir_tell_text(doc, "address", channel->address);
    weir_tell_text(doc, "transport", scheme);
    weir_tell_text(doc, "state", channel->problem ? "bad" : channel->has_ends ? "live" : "idle");
    if (channel->problem)
        weir_tell_text(doc, "problem", channel->problem);
    weir_tell_number(doc, "bytes", channel->bytes);
    weir_tell_number(doc, "messages", channel->messages);
    weir_tell_time(doc, "last", channel->last_time);
    weir_put_key(doc, "ends");
    weir_begin_array(doc);
    for (size_t i = 0; i < found->end_count; i++)
        if (strcmp(found->ends[i].place, channel->address) == 0)
            weir_record_tell(&found->ends[i], doc);
    weir_end(doc);
    weir_end(doc);
}

static int channel_order(const void *a, const void *b) {
    return strcmp(((const struct weir_listing *)a)->address, ((const struct weir_listing *)b)->address);
}

/* Who listened on a socket leaves it at its path, where only the record leads to. */
static void socket_look(const char *address, int is_dry_run, weir_clean_fn *fn, void *user) {
    struct weir_place place;
    if (strncmp(address, "unix://", 7) == 0 && weir_address_parse(address, &place, NULL) == WEIR_OK)
        (void)place.transport->remove(&place, is_dry_run, fn, user, NULL);
}

static int left_count(const char *path, const char *what, uint64_t size, void *user) {
    (void)path, (void)what, (void)size;
    ++*(unsigned *)user;
    return WEIR_OK;
}

/* A record of the dead goes, unless it is what leads weir_directory_clean to the socket that its owner has left. */
static int dead_passed(const struct weir_record *record, const char *path, void *user) {
    unsigned left = 0;
    (void)path, (void)user;
    if (record)
        socket_look(record->place, 1, left_count, &left);
    return left ? WEIR_EBUSY : WEIR_OK;
}

static int find_all(struct found *found, weir_error *err) {
    const struct weir_transport_ops *transport;
    int status = WEIR_OK;
    for (size_t i = 0; status == WEIR_OK && (transport = weir_transport_at(i)) != NULL; i++)
        status = transport->list(channel_found, found, err);
    if (status == WEIR_OK && weir_record_each(end_found, dead_passed, 0, found) != WEIR_OK)
        status = weir_fail(err, WEIR_ESYSTEM, "the directory of live ends cannot be read");
    return status;
}

int weir_directory_list(weir_doc *doc, weir_error *err) {
    struct found found = {0};
    const weir_value *root;
    int status = find_all(&found, err);
    if (found.channel_count > 1)
        qsort(found.channels, found.channel_count, sizeof(*found.channels), channel_order);
    weir_doc_clear(doc);
    weir_begin_array(doc);
    for (size_t i = 0; status == WEIR_OK && i < found.channel_count; i++)
        channel_put(doc, &found.channels[i], &found);
    weir_end(doc);
    if (status == WEIR_OK)
        status = weir_doc_finish(doc, &root, err);
    free(found.channels);
    free(found.ends);
    return status;
}

/* ---- cleaning ---- */

static void removed_put(const char *path, const char *what, uint64_t size, void *user) {
    weir_doc *doc = user;
    weir_begin_map(doc);
    weir_tell_text(doc, "path", path);
    weir_tell_text(doc, "what", what);
    weir_tell_number(doc, "size", size);
    weir_end(doc);
}

static int thing_removed(const char *path, const char *what, uint64_t size, void *user) {
    removed_put(path, what, size, user);
    return WEIR_OK;
}

struct cleaning {
    weir_doc *doc;
    int is_dry_run;
};

static int dead_found(const struct weir_record *record, const char *path, void *user) {
    const struct cleaning *cleaning = user;
    removed_put(path, record ? "record of a dead end" : "damaged record of an end", sizeof(*record), cleaning->doc);
    if (record)
        socket_look(record->place, cleaning->is_dry_run, thing_removed, cleaning->doc);
    return WEIR_OK;
}

int weir_directory_clean(weir_doc *doc, int dry_run, weir_error *err) {
    const struct weir_transport_ops *transport;
    const weir_value *root;
    struct cleaning cleaning = {doc, dry_run};
    int status = WEIR_OK;
    weir_doc_clear(doc);
    weir_begin_array(doc);
    for (size_t i = 0; status == WEIR_OK && (transport = weir_transport_at(i)) != NULL; i++)
        status = transport->clean(dry_run, thing_removed, doc, err);
    if (status == WEIR_OK && weir_record_each(NULL, dead_found, dry_run, &cleaning) != WEIR_OK)
        status = weir_fail(err, WEIR_ESYSTEM, "the directory of live ends cannot be read");
    weir_end(doc);
    return status ? status : weir_doc_finish(doc, &root, err);
}

/* ---- one channel ---- */

struct user_of {
    const char *place;
    struct weir_record record; /* pid 0: nobody */
};

static int user_found(const struct weir_record *record, const char *path, void *user) {
    struct user_of *found = user;
    (void)path;
    if (strcmp(record->place, found->place) == 0)
        memcpy(&found->record, record, sizeof(*record));
    return WEIR_OK;
}

/* Refused, as somebody has it open: who? Other users' ends are theirs to see. */
static void user_tell(const struct weir_place *place, weir_error *err) {
    struct user_of *found = calloc(1, sizeof(*found));
    if (found) {
        found->place = place->text;
        weir_record_each(user_found, NULL, 1, found);
        if (found->record.pid)
            weir_fail(err, WEIR_EBUSY, "%s is in use: the %s %s (pid %lld) has it open; end it first", place->text,
                      weir_record_role(found->record.role), found->record.program, (long long)found->record.pid);
    }
    free(found);
}

int weir_channel_remove(const char *address, weir_doc *doc, int dry_run, weir_error *err) {
    struct weir_place place;
    const weir_value *root;
    int status = weir_address_parse(address, &place, err);
    if (status)
        return status;
    weir_doc_clear(doc);
    weir_begin_array(doc);
    status = place.transport->remove(&place, dry_run, thing_removed, doc, err);
    weir_end(doc);
    if (status == WEIR_EBUSY)
        user_tell(&place, err);
    return status ? status : weir_doc_finish(doc, &root, err);
}
