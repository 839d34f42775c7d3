/* file:///path: the ops table, open and close. How the files divide the work stands in file.h.
 *
 * Writers append; readers read and hold nothing; clients and servers do both: requests and replies stand in the log
 * like all messages.
 *
 * What must stay true: whatever open has begun, close ends; in a forked child close gives back memory and descriptors,
 * and touches neither locks nor files, which are the parent's. */
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "os/fork.h"
#include "transport/file/file.h"

/* ---- open and close ---- */

static void memory_free(struct weir_file *file) {
    weir_buffer_fini(&file->append.pending);
    weir_buffer_fini(&file->append.out);
    weir_plain_writer_fini(&file->append.writer);
    weir_cursor_fini(&file->append.cursor);
    weir_cursor_fini(&file->cursor);
}

static void child_close(struct weir_file *file) {
    weir_watch_close(&file->watch);
    weir_state_forget(file);
    weir_sync_close(file, 1);
    if (file->fd >= 0)
        close(file->fd);
    if (file->append.fd >= 0)
        close(file->append.fd);
    weir_lease_abandon(&file->append.lease);
}

static void file_close(void *state) {
    struct weir_file *file = state;
    if (file->fork_generation != weir_fork_generation()) {
        child_close(file);
        memory_free(file);
        return;
    }
    int log_fd = file->fd >= 0 ? dup(file->fd) : -1; /* to ask who else is there when our own presence has ended */
    weir_follow_close(file);
    if (file->writes) {
        if (log_fd >= 0)
            close(log_fd);
        weir_append_close(file);
    } else {
        weir_lease_reader_closes(&file->place, log_fd);
        if (log_fd >= 0)
            close(log_fd);
    }
    memory_free(file);
}

static int file_open(void *state, const struct weir_place *place, enum weir_role role, weir_error *err) {
    struct weir_file *file = state;
    *file = (struct weir_file){.place = *place,
                               .role = role,
                               .fork_generation = weir_fork_generation(),
                               .reads = role != WEIR_ROLE_WRITER,
                               .writes = role != WEIR_ROLE_READER,
                               .append = {.fd = -1, .lease = {.fd = -1}},
                               .fd = -1,
                               .state_fd = -1};
    weir_watch_init(&file->watch);
    if (place->is_state && role != WEIR_ROLE_WRITER && role != WEIR_ROLE_READER)
        return weir_fail(err, WEIR_ENOTSUP, "%s: state=1 keeps one value; calls need a log, or another transport",
                         place->text);
    if (!place->is_from_given && place->is_state)
        file->place.from = WEIR_FROM_LAST; /* a configuration is wanted as it is, and then its changes */
    int status = WEIR_OK;
    if (file->reads && place->is_state) {
        weir_cursor_init(&file->cursor, place->framing, place->size_max);
        status = weir_state_seek(file, file->place.from, err);
        status = status == WEIR_EAGAIN ? WEIR_OK : status;
    } else if (file->reads) {
        status = weir_follow_open(file, err);
    }
    /* A server has its place in the log before it is seen to be there, so it misses no request. */
    if (status == WEIR_OK && file->writes)
        status = weir_append_open(file, err);
    if (status != WEIR_OK)
        file_close(file);
    return status;
}

/* ---- sending ---- */

static int file_reserve(void *state, uint64_t peer, size_t size, struct weir_slot *ret, weir_error *err) {
    (void)peer; /* everybody reads everything */
    return weir_append_reserve(state, size, ret, err);
}

static int file_commit(void *state, uint64_t word, uint32_t flags, weir_error *err) {
    struct weir_file *file = state;
    if (file->role == WEIR_ROLE_CLIENT)
        file->append.has_request = weir_lease_has_server(&file->append.lease, &file->append.request_epoch);
    return weir_append_commit(file, word, flags, err);
}

static uint64_t file_post(void *state, uint64_t word, const void *data, size_t size, int64_t time, uint32_t flags) {
    return weir_append_post(state, word, data, size, time, flags);
}

static size_t file_post_many(void *state, uint64_t word, const weir_view *data, size_t count, int64_t time,
                             uint32_t flags, uint64_t *ret_seq) {
    return weir_append_post_many(state, word, data, count, time, flags, ret_seq);
}

static void file_discard(void *state) {
    struct weir_file *file = state;
    file->append.reserved = 0;
}

static void file_skip(void *state) {
    struct weir_file *file = state;
    file->append.skipped++;
}

static int file_flush(void *state, weir_error *err) {
    return weir_append_flush(state, err);
}

static int file_readers(void *state, uint32_t *ret) {
    struct weir_file *file = state;
    *ret = file->append.fd >= 0 ? weir_presence_count(file->append.fd, 1) : 0;
    return WEIR_OK;
}

/* ---- receiving ---- */

static int file_next(void *state, struct weir_inbound *ret, weir_error *err) {
    struct weir_file *file = state;
    return file->place.is_state ? weir_state_next(file, ret, err) : weir_follow_next(file, ret, err);
}

static void file_release(void *state) {
    (void)state;
}

static int file_seek(void *state, enum weir_from from, int64_t value, weir_error *err) {
    struct weir_file *file = state;
    return file->place.is_state ? weir_state_seek(file, from, err) : weir_follow_seek(file, from, value, err);
}

static int file_wait(void *state, uint32_t what, int64_t deadline, weir_error *err) {
    struct weir_file *file = state;
    (void)what;
    return weir_watch_wait(&file->watch, &file->place, file->fd, deadline, err);
}

static int file_fd(void *state, int *ret, weir_error *err) {
    struct weir_file *file = state;
    return weir_watch_fd(&file->watch, &file->place, file->fd, ret, err);
}

static int file_peer_state(void *state, weir_error *err) {
    struct weir_file *file = state;
    (void)err; /* who serves here and who does not may share a log */
    struct weir_append *append = &file->append;
    uint32_t epoch = 0;
    if (file->role != WEIR_ROLE_CLIENT)
        return WEIR_OK;
    int has_server = weir_lease_has_server(&append->lease, &epoch);
    if (append->has_request && (!has_server || epoch != append->request_epoch)) {
        append->has_request = 0;
        return WEIR_EPEER;
    }
    return has_server ? WEIR_OK : WEIR_ENOENT;
}

/* A log does not say who of its writers is a client. */
static int file_has_client(void *state, uint64_t peer) {
    (void)state, (void)peer;
    return 1;
}

static void file_set_timeout(void *state, int64_t timeout_ns) {
    struct weir_file *file = state;
    file->place.timeout_ns = timeout_ns;
}

const struct weir_transport_ops weir_transport_file = {
    .scheme = "file",
    .options = WEIR_OPTION_FRAMING | WEIR_OPTION_FILE,
    .traits = 0,
    .state_size = sizeof(struct weir_file),
    .check = weir_file_check,
    .open = file_open,
    .close = file_close,
    .reserve = file_reserve,
    .commit = file_commit,
    .post = file_post,
    .set_timeout = file_set_timeout,
    .post_many = file_post_many,
    .discard = file_discard,
    .skip = file_skip,
    .flush = file_flush,
    .in_the_way = weir_transport_no_in_the_way,
    .readers = file_readers,
    .next = file_next,
    .follow = weir_transport_no_follow,
    .release = file_release,
    .seek = file_seek,
    .wait = file_wait,
    .fd = file_fd,
    .peer_state = file_peer_state,
    .has_client = file_has_client,
    .latest = weir_file_latest,
    .info = weir_file_info,
    .list = weir_transport_no_list,
    .clean = weir_transport_no_clean,
    .remove = weir_transport_no_remove,
};
