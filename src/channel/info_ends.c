/* The ends of a channel, from their records: options, state, who is connected, and how far a reader is behind.
 *
 * What must stay true: what is not known is null, never a made-up 0. A record is of a slightly different moment than
 * what the transport has said, so a difference below 0 is 0. */
#include "channel/info.h"

#include <stdio.h>
#include <string.h>

#include "channel/address.h"
#include "codec/codec.h"
#include "os/process.h"
#include "transport/tell.h"
#include "transport/transport.h"

static const char *const full_words[] = {"block", "drop-oldest", "drop-newest", "fail"};
static const char *const from_words[] = {"now", "oldest", "last", "seq", "ago"};
static const char *const wait_words[] = {"futex", "spin", "poll", "sem"};
static const char *const sync_words[] = {"none", "interval", "always"};

/* Plain messages without a number of their own are counted from here on where those before them are not known. */
static const uint64_t UNNUMBERED = UINT64_C(1) << 62;

/* ---- options ---- */

static void file_options_tell(const struct weir_place *place, weir_doc *doc) {
    weir_tell_bool(doc, "state", place->is_state);
    weir_tell_text(doc, "sync", sync_words[place->sync]);
    weir_tell_time(doc, "sync_interval", place->sync == WEIR_SYNC_INTERVAL ? place->sync_ns : 0);
    if (place->rotate_size)
        weir_tell_number(doc, "rotate", place->rotate_size);
    else
        weir_tell_null(doc, "rotate");
    weir_tell_time(doc, "age", place->rotate_ns);
    weir_tell_number(doc, "files", place->files);
}

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
    weir_tell_text(doc, "wait", weir_info_wait_of(end));
    if (place.transport->options & WEIR_OPTION_FILE)
        file_options_tell(&place, doc);
    weir_end(doc);
}

const char *weir_info_wait_of(const struct weir_record *end) {
    struct weir_place place;
    return weir_address_parse(end->address, &place, NULL) == WEIR_OK && place.transport->options & WEIR_OPTION_WAIT
               ? wait_words[place.wait]
               : NULL;
}

const char *weir_info_full_of(const struct weir_ends *ends, uint64_t pid) {
    const char *found = NULL;
    for (size_t i = 0; i < ends->count; i++) {
        const struct weir_record *end = &ends->records[i];
        struct weir_place place;
        if (end->role != WEIR_ROLE_WRITER || (uint64_t)end->pid != pid ||
            weir_address_parse(end->address, &place, NULL) != WEIR_OK)
            continue;
        if (found && found != full_words[place.full])
            return NULL;
        found = full_words[place.full];
    }
    return found;
}

/* ---- how far a reader is behind ---- */

static int is_reader(const struct weir_record *end) {
    return end->role == WEIR_ROLE_READER || end->role == WEIR_RECORD_OBSERVER;
}

/* Of a log: by the number of its last message. Return: 1 when it is known. */
static int log_messages(const struct weir_record *end, const weir_value *told, uint64_t *ret) {
    uint64_t last, seq = WEIR_HEAR(end->told.seq[0]);
    if (weir_get_u64(told, "last_seq", &last) != WEIR_OK || last >= UNNUMBERED || seq >= UNNUMBERED ||
        WEIR_HEAR(end->told.inode) == 0)
        return 0;
    *ret = last > seq ? last - seq : 0;
    return 1;
}

/* From where the reader is to the end of its file, and all newer ones. @told lists them from the newest on. */
static int log_bytes(const struct weir_record *end, const weir_value *told, uint64_t *ret) {
    uint64_t inode = 0, size = 0, wanted = WEIR_HEAR(end->told.inode), position = WEIR_HEAR(end->told.position);
    uint64_t newer = 0;
    const weir_value *rotated = NULL;
    weir_iter it;
    if (wanted == 0 || weir_get_u64(told, "inode", &inode) != WEIR_OK || weir_get_u64(told, "size", &size) != WEIR_OK ||
        weir_get(told, "rotated", &rotated) != WEIR_OK)
        return 0;
    weir_iter_init(&it, rotated);
    while (inode != wanted) {
        newer += size;
        if (!weir_iter_next(&it) || weir_get_u64(it.value, "inode", &inode) != WEIR_OK ||
            weir_get_u64(it.value, "bytes", &size) != WEIR_OK)
            return 0; /* it reads a file that is gone */
    }
    *ret = newer + (size > position ? size - position : 0);
    return 1;
}

/* Elsewhere: by what the only writer has sent and the reader has had of one writer. */
static int sent_messages(const struct weir_ends *ends, const struct weir_record *end, uint64_t *ret) {
    const struct weir_record *writer = NULL;
    uint64_t had = 0;
    unsigned writers = 0, heard_of = 0;
    for (size_t i = 0; i < ends->count; i++) {
        writers += ends->records[i].role == WEIR_ROLE_WRITER;
        writer = ends->records[i].role == WEIR_ROLE_WRITER ? &ends->records[i] : writer;
    }
    for (unsigned i = 0; i < WEIR_TOLD_WRITERS; i++) {
        uint64_t seq = WEIR_HEAR(end->told.seq[i]);
        heard_of += seq > 0;
        had = seq > had ? seq : had;
    }
    if (writers != 1 || heard_of > 1 || (heard_of == 0 && writer->since < end->since))
        return 0;
    uint64_t sent = WEIR_HEAR(writer->told.seq[0]);
    *ret = sent > had ? sent - had : 0;
    return 1;
}

static void known_tell(weir_doc *doc, const char *key, int is_known, uint64_t number) {
    if (is_known)
        weir_tell_number(doc, key, number);
    else
        weir_tell_null(doc, key);
}

/* Null for what is no reader, and in shared memory, which tells it lane by lane. */
static void behind_tell(const struct weir_ends *ends, const struct weir_record *end, const weir_value *told,
                        weir_doc *doc) {
    const weir_value *lanes = NULL, *framing = NULL;
    uint64_t messages = 0, bytes = 0;
    int is_log = weir_get(told, "framing", &framing) == WEIR_OK;
    weir_put_key(doc, "behind");
    if (!is_reader(end) || weir_get(told, "lanes", &lanes) == WEIR_OK) {
        weir_put_null(doc);
        return;
    }
    int has_messages = is_log ? log_messages(end, told, &messages) : sent_messages(ends, end, &messages);
    int has_bytes = is_log && log_bytes(end, told, &bytes);
    weir_begin_map(doc);
    known_tell(doc, "messages", has_messages, messages);
    known_tell(doc, "bytes", has_bytes, bytes);
    weir_end(doc);
}

/* ---- ends and peers ---- */

void weir_info_ends_tell(const struct weir_ends *ends, const weir_value *told, weir_doc *doc) {
    weir_put_key(doc, "ends");
    weir_begin_array(doc);
    for (size_t i = 0; i < ends->count; i++) {
        const struct weir_record *end = &ends->records[i];
        weir_begin_map(doc);
        weir_record_tell_pairs(end, doc);
        weir_tell_time(doc, "last", atomic_load_explicit(&end->last_time, memory_order_relaxed));
        weir_tell_bool(doc, "is_stopped", weir_process_is_stopped(end->pid));
        weir_tell_bool(doc, "is_listening", WEIR_HEAR(end->told.listens) != 0);
        weir_tell_number(doc, "queued", WEIR_HEAR(end->told.queued));
        behind_tell(ends, end, told, doc);
        options_tell(end, doc);
        weir_end(doc);
    }
    weir_end(doc);
}

/* Who it is: as the kernel says at a path, where he may be gone while what he has sent still waits; at a port as he
 * says himself, if such a program runs on this machine. */
static void peer_who_tell(const struct weir_told_peer *peer, weir_doc *doc) {
    uint32_t uid = WEIR_HEAR(peer->uid), runs_as;
    int64_t pid = WEIR_HEAR(peer->pid);
    char program[sizeof(peer->program) + 1], runs[64], user[64];
    int is_local = uid != (uint32_t)WEIR_UID_UNKNOWN, is_running = weir_process_owner(pid, &runs_as) == WEIR_OK;
    snprintf(program, sizeof(program), "%.*s", (int)sizeof(peer->program), peer->program);
    weir_process_program(pid, runs, sizeof(runs));
    if (pid > 0 && is_running && (is_local || strcmp(program, runs) == 0)) {
        weir_tell_process(doc, pid, is_local ? uid : runs_as);
        weir_tell_bool(doc, "is_gone", 0);
        return;
    }
    weir_process_user(uid, user, sizeof(user));
    known_tell(doc, "pid", pid > 0, (uint64_t)pid);
    weir_tell_text(doc, "user", is_local ? user : NULL);
    weir_tell_text(doc, "program", program[0] ? program : NULL);
    weir_tell_null(doc, "is_stopped");
    if (is_local)
        weir_tell_bool(doc, "is_gone", 1);
    else
        weir_tell_null(doc, "is_gone");
}

static void peer_tell(const struct weir_told_peer *peer, uint64_t capacity, weir_doc *doc) {
    uint32_t role = WEIR_HEAR(peer->role);
    int is_observer = role == WEIR_ROLE_READER && peer->flags & WEIR_TOLD_OBSERVES;
    weir_begin_map(doc);
    weir_tell_text(doc, "role", weir_record_role(is_observer ? (uint32_t)WEIR_RECORD_OBSERVER : role));
    peer_who_tell(peer, doc);
    weir_tell_text(doc, "full",
                   role == WEIR_ROLE_WRITER && peer->full <= WEIR_FULL_FAIL ? full_words[peer->full] : NULL);
    weir_tell_bool(doc, "is_plain", (peer->flags & WEIR_TOLD_PLAIN) != 0);
    weir_tell_bool(doc, "is_paused", peer->is_paused != 0);
    weir_tell_number(doc, "queued", WEIR_HEAR(peer->queued));
    weir_tell_number(doc, "capacity", capacity);
    weir_end(doc);
}

void weir_info_peers_tell(const struct weir_ends *ends, weir_doc *doc) {
    const struct weir_record *listener = NULL;
    struct weir_place place;
    for (size_t i = 0; i < ends->count && !listener; i++)
        listener = WEIR_HEAR(ends->records[i].told.listens) ? &ends->records[i] : NULL;
    if (!listener || weir_address_parse(listener->address, &place, NULL) != WEIR_OK)
        return;
    weir_put_key(doc, "peers");
    weir_begin_array(doc);
    for (unsigned i = 0; i < WEIR_TOLD_PEERS; i++)
        if (WEIR_HEAR(listener->told.peers[i].role))
            peer_tell(&listener->told.peers[i], place.capacity, doc);
    weir_end(doc);
    weir_tell_number(doc, "peers_unseen", WEIR_HEAR(listener->told.unseen));
}
