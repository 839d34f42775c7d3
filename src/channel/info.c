/* info: what a transport says of a channel, joined with the records of the ends that have it open.
 *
 * What must stay true: a record is advice. It adds options and counters to what the transport found, and never
 * overrules it. */
#include <weir/directory.h>

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "channel/address.h"
#include "channel/record.h"
#include "codec/codec.h"
#include "transport/tell.h"
#include "transport/transport.h"

/* The live ends of one place. The array grows by doubling. */
struct ends {
    const char *place;
    struct weir_record *records;
    size_t count, capacity;
};

static int end_found(const struct weir_record *record, const char *path, void *user) {
    struct ends *ends = user;
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

/* ---- ends ---- */

static const char *const full_words[] = {"block", "drop-oldest", "drop-newest", "fail"};
static const char *const from_words[] = {"now", "oldest", "last", "seq", "ago"};
static const char *const wait_words[] = {"futex", "spin", "poll", "sem"};

/* What an end's address says, defaults included; null when it is not one that we understand. */
static void options_tell(const struct weir_record *end, weir_doc *doc) {
    struct weir_place place;
    weir_put_key(doc, "options");
    if (weir_address_parse(end->address, &place, NULL) != WEIR_OK) {
        weir_put_null(doc);
        return;
    }
    weir_begin_map(doc);
    weir_tell_text(doc, "full", full_words[place.full]);
    weir_tell_number(doc, "capacity", place.capacity);
    weir_tell_number(doc, "max", place.size_max);
    weir_tell_bool(doc, "keep", place.is_kept);
    weir_tell_number(doc, "readers", place.readers);
    weir_tell_bool(doc, "exclusive", place.is_exclusive);
    weir_tell_allow(doc, &place.allow);
    if (place.timeout_ns == WEIR_FOREVER)
        weir_tell_null(doc, "timeout");
    else
        weir_tell_number(doc, "timeout", (uint64_t)place.timeout_ns);
    weir_tell_text(doc, "from", from_words[place.from]);
    weir_tell_text(doc, "codec", weir_codec_name(place.codec));
    weir_tell_text(doc, "wait", place.transport->options & WEIR_OPTION_WAIT ? wait_words[place.wait] : NULL);
    weir_end(doc);
}

static void ends_tell(const struct ends *ends, weir_doc *doc) {
    weir_put_key(doc, "ends");
    weir_begin_array(doc);
    for (size_t i = 0; i < ends->count; i++) {
        const struct weir_record *end = &ends->records[i];
        weir_begin_map(doc);
        weir_record_tell_pairs(end, doc);
        weir_tell_time(doc, "last", atomic_load_explicit(&end->last_time, memory_order_relaxed));
        options_tell(end, doc);
        weir_end(doc);
    }
    weir_end(doc);
}

/* ---- readers, with what their records know ---- */

/* The record of the end that a reader of the transport's list is. A process with two readers of one channel has two
 * records and two places that nothing joins; the n-th is taken for the n-th. */
static const struct weir_record *record_of(const struct ends *ends, const weir_value *readers,
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

static void reader_copy(const struct ends *ends, const weir_value *readers, const weir_value *reader, weir_doc *doc) {
    const struct weir_record *record = record_of(ends, readers, reader);
    struct weir_place place;
    weir_iter it;
    weir_begin_map(doc);
    weir_iter_init(&it, reader);
    while (weir_iter_next(&it)) {
        weir_put_value(doc, it.key);
        weir_put_value(doc, it.value);
    }
    int is_known = record && weir_address_parse(record->address, &place, NULL) == WEIR_OK;
    weir_tell_text(doc, "wait", is_known ? wait_words[place.wait] : NULL);
    if (record) {
        weir_tell_number(doc, "messages", atomic_load_explicit(&record->messages, memory_order_relaxed));
        weir_tell_number(doc, "gaps", atomic_load_explicit(&record->gaps, memory_order_relaxed));
    } else {
        weir_tell_null(doc, "messages");
        weir_tell_null(doc, "gaps");
    }
    weir_end(doc);
}

/* Copy the pairs that the transport told. */
static void told_copy(const struct ends *ends, const weir_value *told, weir_doc *doc) {
    const weir_value *readers = NULL;
    weir_iter it, reader;
    weir_get(told, "readers", &readers);
    weir_iter_init(&it, told);
    while (weir_iter_next(&it)) {
        weir_put_value(doc, it.key);
        if (it.value != readers || weir_value_kind(readers) != WEIR_KIND_ARRAY) {
            weir_put_value(doc, it.value);
            continue;
        }
        weir_begin_array(doc);
        weir_iter_init(&reader, readers);
        while (weir_iter_next(&reader))
            reader_copy(ends, readers, reader.value, doc);
        weir_end(doc);
    }
}

/* ---- the channel ---- */

/* What the transport knows, as a map in @told. A place without anything of its own but with ends, as a socket that all
 * of them try to connect to, is live all the same. */
static int transport_ask(const struct weir_place *place, const struct ends *ends, weir_doc *told, weir_error *err) {
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
    struct ends ends = {.place = place.text};
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
        ends_tell(&ends, doc);
        weir_end(doc);
        status = weir_doc_finish(doc, &root, err);
    }
    weir_doc_free(told);
    free(ends.records);
    return status;
}
