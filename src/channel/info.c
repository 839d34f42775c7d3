/* info: what a transport says of a channel, joined with the records of the ends that have it open.
 *
 * What must stay true: a record is advice. It adds options and counters to what the transport found, and never
 * overrules it. */
#include <weir/directory.h>

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "channel/address.h"
#include "channel/info.h"
#include "channel/record.h"
#include "transport/tell.h"
#include "transport/transport.h"

static int end_found(const struct weir_record *record, const char *path, void *user) {
    struct weir_ends *ends = user;
    (void)path;
    if (strcmp(record->place, ends->place) != 0)
        return WEIR_OK;
    if (ends->count == ends->capacity) {
        size_t wanted = ends->capacity ? ends->capacity * 2 : 8;
        struct weir_record *grown = realloc(ends->records, wanted * sizeof(*grown));
        if (!grown)
            return WEIR_ENOMEM;
        ends->records = grown;
        ends->capacity = wanted;
    }
    memcpy(&ends->records[ends->count++], record, sizeof(*record));
    return WEIR_OK;
}

/* ---- readers, with what their records know ---- */

/* The record of the end that a reader of the transport's list is. A process with two readers of one channel has two
 * records and two places that nothing joins; the n-th is taken for the n-th. */
static const struct weir_record *record_of(const struct weir_ends *ends, const weir_value *readers,
                                           const weir_value *reader) {
    uint64_t pid, other_pid;
    weir_view role, other_role;
    size_t before = 0;
    weir_iter it;
    if (weir_get_u64(reader, "pid", &pid) != WEIR_OK || weir_get_text(reader, "role", &role) != WEIR_OK)
        return NULL;
    weir_iter_init(&it, readers);
    while (weir_iter_next(&it) && it.value != reader)
        before += weir_get_u64(it.value, "pid", &other_pid) == WEIR_OK && other_pid == pid &&
                  weir_get_text(it.value, "role", &other_role) == WEIR_OK && other_role.size == role.size &&
                  memcmp(other_role.data, role.data, role.size) == 0;
    for (size_t i = 0; i < ends->count; i++) {
        const char *name = weir_record_role(ends->records[i].role);
        if ((uint64_t)ends->records[i].pid == pid && strlen(name) == role.size &&
            memcmp(name, role.data, role.size) == 0 && before-- == 0)
            return &ends->records[i];
    }
    return NULL;
}

/* ---- lanes and lags, with what records know ---- */

static const weir_value *lane_of(const weir_value *lanes, uint64_t number) {
    uint64_t other;
    weir_iter it;
    weir_iter_init(&it, lanes);
    while (weir_iter_next(&it))
        if (weir_get_u64(it.value, "lane", &other) == WEIR_OK && other == number)
            return it.value;
    return NULL;
}

/* What the writer of a lane does when it is full; NULL: it does not overwrite, and no record says more. */
static const char *full_of(const struct weir_ends *ends, const weir_value *lane) {
    uint64_t pid;
    int is_lossy = 0;
    if (weir_get_bool(lane, "is_lossy", &is_lossy) == WEIR_OK && is_lossy)
        return "drop-oldest";
    return weir_get_u64(lane, "pid", &pid) == WEIR_OK ? weir_info_full_of(ends, pid) : NULL;
}

/* How many messages of a lane the reader has not had and cannot get any more, as they are overwritten. Return: 1 when
 * it is known. */
static int lost_count(const struct weir_record *record, const weir_value *lane, uint64_t number, uint64_t *ret) {
    uint64_t oldest = 0, last = 0;
    if (!record || weir_get_u64(lane, "oldest_seq", &oldest) != WEIR_OK || weir_get_u64(lane, "seq", &last) != WEIR_OK)
        return 0;
    uint64_t had = WEIR_HEAR(record->told.seq[(number + 1) % WEIR_TOLD_WRITERS]);
    *ret = last > 0 && oldest > had + 1 ? oldest - had - 1 : 0;
    return 1;
}

static void lag_add(const struct weir_ends *ends, const struct weir_record *record, const weir_value *lane,
                    uint64_t number, weir_doc *doc) {
    uint64_t lost = 0;
    weir_tell_text(doc, "full", lane ? full_of(ends, lane) : NULL);
    if (lane && lost_count(record, lane, number, &lost))
        weir_tell_number(doc, "lost", lost);
    else
        weir_tell_null(doc, "lost");
}

/* The transport's lags, each with what more is known. */
static void lags_copy(const struct weir_ends *ends, const struct weir_record *record, const weir_value *lanes,
                      const weir_value *lags, weir_doc *doc) {
    weir_iter it, pair;
    uint64_t number;
    weir_begin_array(doc);
    weir_iter_init(&it, lags);
    while (weir_iter_next(&it)) {
        weir_begin_map(doc);
        weir_iter_init(&pair, it.value);
        while (weir_iter_next(&pair)) {
            weir_put_value(doc, pair.key);
            weir_put_value(doc, pair.value);
        }
        if (weir_get_u64(it.value, "lane", &number) == WEIR_OK)
            lag_add(ends, record, lane_of(lanes, number), number, doc);
        weir_end(doc);
    }
    weir_end(doc);
}

/* An observer tells the channel nothing; its record says what it has had. */
static void observer_lags(const struct weir_ends *ends, const struct weir_record *record, const weir_value *lanes,
                          weir_doc *doc) {
    uint64_t number, last, oldest;
    weir_iter it;
    weir_begin_array(doc);
    weir_iter_init(&it, lanes);
    while (weir_iter_next(&it)) {
        if (weir_get_u64(it.value, "lane", &number) != WEIR_OK || weir_get_u64(it.value, "seq", &last) != WEIR_OK ||
            weir_get_u64(it.value, "oldest_seq", &oldest) != WEIR_OK)
            continue;
        uint64_t had = WEIR_HEAR(record->told.seq[(number + 1) % WEIR_TOLD_WRITERS]);
        uint64_t first = had + 1 > oldest ? had + 1 : oldest;
        weir_begin_map(doc);
        weir_tell_number(doc, "lane", number);
        weir_tell_null(doc, "bytes");
        weir_tell_number(doc, "messages", last > 0 && last >= first ? last - first + 1 : 0);
        lag_add(ends, record, it.value, number, doc);
        weir_end(doc);
    }
    weir_end(doc);
}

static int is_key(const weir_value *key, const char *text) {
    weir_view view;
    return weir_get_text(key, NULL, &view) == WEIR_OK && view.size == strlen(text) &&
           memcmp(view.data, text, view.size) == 0;
}

static int role_is(const weir_value *reader, const char *text) {
    const weir_value *role = NULL;
    return weir_get(reader, "role", &role) == WEIR_OK && is_key(role, text);
}

static void reader_copy(const struct weir_ends *ends, const weir_value *told, const weir_value *readers,
                        const weir_value *reader, weir_doc *doc) {
    const struct weir_record *record = record_of(ends, readers, reader);
    const weir_value *lanes = NULL;
    weir_iter it;
    weir_get(told, "lanes", &lanes);
    weir_begin_map(doc);
    weir_iter_init(&it, reader);
    while (weir_iter_next(&it)) {
        weir_put_value(doc, it.key);
        if (is_key(it.key, "lags") && weir_value_kind(it.value) == WEIR_KIND_ARRAY)
            lags_copy(ends, record, lanes, it.value, doc);
        else if (is_key(it.key, "lags") && record && role_is(reader, "observer"))
            observer_lags(ends, record, lanes, doc);
        else
            weir_put_value(doc, it.value);
    }
    weir_tell_text(doc, "wait", record ? weir_info_wait_of(record) : NULL);
    if (record) {
        weir_tell_number(doc, "messages", atomic_load_explicit(&record->messages, memory_order_relaxed));
        weir_tell_number(doc, "gaps", atomic_load_explicit(&record->gaps, memory_order_relaxed));
    } else {
        weir_tell_null(doc, "messages");
        weir_tell_null(doc, "gaps");
    }
    weir_end(doc);
}

static void lane_copy(const struct weir_ends *ends, const weir_value *lane, weir_doc *doc) {
    weir_iter it;
    weir_begin_map(doc);
    weir_iter_init(&it, lane);
    while (weir_iter_next(&it)) {
        weir_put_value(doc, it.key);
        weir_put_value(doc, it.value);
    }
    weir_tell_text(doc, "full", full_of(ends, lane));
    weir_end(doc);
}

/* A list of readers or lanes, each with what records know. */
static void list_copy(const struct weir_ends *ends, const weir_value *told, const weir_value *list, int is_readers,
                      weir_doc *doc) {
    weir_iter it;
    weir_begin_array(doc);
    weir_iter_init(&it, list);
    while (weir_iter_next(&it))
        if (is_readers)
            reader_copy(ends, told, list, it.value, doc);
        else
            lane_copy(ends, it.value, doc);
    weir_end(doc);
}

/* Copy the pairs that the transport told. */
static void told_copy(const struct weir_ends *ends, const weir_value *told, weir_doc *doc) {
    weir_iter it;
    weir_iter_init(&it, told);
    while (weir_iter_next(&it)) {
        int is_readers = is_key(it.key, "readers"), is_lanes = is_key(it.key, "lanes");
        weir_put_value(doc, it.key);
        if ((is_readers || is_lanes) && weir_value_kind(it.value) == WEIR_KIND_ARRAY)
            list_copy(ends, told, it.value, is_readers, doc);
        else
            weir_put_value(doc, it.value);
    }
}

/* ---- the channel ---- */

/* What the transport knows, as a map in @told. A place without anything of its own but with ends, as a socket that all
 * of them try to connect to, is live all the same. */
static int transport_ask(const struct weir_place *place, const struct weir_ends *ends, weir_doc *told,
                         weir_error *err) {
    const weir_value *root;
    weir_doc_clear(told);
    weir_begin_map(told);
    int status = place->transport->info(place, told, err);
    if (status == WEIR_ENOENT && ends->count > 0) {
        weir_tell_text(told, "state", "live");
        status = WEIR_OK;
    }
    weir_end(told);
    return status ? status : weir_doc_finish(told, &root, err);
}

int weir_channel_info(const char *address, weir_doc *doc, weir_error *err) {
    struct weir_place place;
    const weir_value *root;
    weir_doc *told = NULL;
    int status = weir_address_parse(address, &place, err);
    if (status)
        return status;
    struct weir_ends ends = {.place = place.text};
    status = weir_record_each(end_found, NULL, 1, &ends);
    if (status == WEIR_OK)
        status = weir_doc_new(&told);
    if (status)
        weir_fail(err, status, "%s: its ends cannot be listed", place.text);
    else
        status = transport_ask(&place, &ends, told, err);
    if (status == WEIR_OK) {
        weir_doc_clear(doc);
        weir_begin_map(doc);
        weir_tell_text(doc, "address", place.text);
        weir_tell_text(doc, "transport", place.transport->scheme);
        told_copy(&ends, weir_doc_root(told), doc);
        weir_info_peers_tell(&ends, doc);
        weir_info_ends_tell(&ends, weir_doc_root(told), doc);
        weir_end(doc);
        status = weir_doc_finish(doc, &root, err);
    }
    weir_doc_free(told);
    free(ends.records);
    return status;
}
