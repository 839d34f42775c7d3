/* info: what the files of a channel say, told to a person who asks why it is as it is.
 *
 * What must stay true: everything is read with pread into private memory and nothing is mapped, locked or written, so asking disturbs
 * nobody, and a file that shrinks or lies does not harm who asks. Numbers out of the files are compared, never used as sizes or
 * indexes unless bounded. Whether an end lives is the kernel's word (its lease) wherever the lock files may be opened; where they may
 * not, a process with the number and the start time of the writer counts as alive. The files change while they are read, so figures
 * of a busy channel are of slightly different moments: cursors first, then lanes, so that no reader seems to be ahead of its writer. */
#include "transport/shm/info.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/lock.h"
#include "os/process.h"
#include "transport/shm/allow.h"
#include "transport/shm/channel.h"
#include "transport/shm/peek.h"
#include "transport/shm/segment.h"
#include "transport/tell.h"

enum { PATH_SIZE = WEIR_STORE_PATH_MAX + WEIR_NAME_MAX + 2 };

/* A private copy of the words of page 1 that are told. */
struct page_words {
    uint32_t keep;
    uint64_t server_epoch;
    uint32_t server_pid;
    uint32_t server_uid;
};

struct survey {
    int directory;
    int writers_fd, readers_fd; /* -1: not ours to open */
    struct stat about;          /* of the file "channel", whose owner and mode are the channel's */
    struct weir_allow allow;    /* who else may read it */
    uint64_t created;
    struct page_words page;
    unsigned char *cursors; /* a copy of the whole file; NULL: not ours to read */
    uint32_t generation[WEIR_SHM_LANES];
    int lane_status[WEIR_SHM_LANES];
    uint8_t lane_held[WEIR_SHM_LANES];
    struct weir_peek_lane lane[WEIR_SHM_LANES];
};

/* ---- the copies ---- */

static uint32_t word32(const unsigned char *at) {
    uint32_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

static uint64_t word64(const unsigned char *at) {
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

static uint64_t cursors_word(const struct survey *survey, size_t offset) {
    return survey->cursors ? word64(survey->cursors + offset) : 0;
}

static const unsigned char *slot_at(const struct survey *survey, unsigned slot) {
    return survey->cursors + WEIR_SHM_PAGE + (size_t)slot * WEIR_SHM_SLOT_SIZE;
}

static uint64_t cursor_of(const struct survey *survey, unsigned slot, unsigned lane) {
    return word64(slot_at(survey, slot) + offsetof(struct weir_reader_slot, cursor) + 8 * (size_t)lane);
}

static int is_joined(const struct survey *survey, unsigned slot) {
    return (int)(cursors_word(survey, offsetof(struct weir_cursors_head, joined)) >> slot & 1);
}

static uint32_t flags_of(const struct survey *survey, unsigned slot) {
    return word32(slot_at(survey, slot) + offsetof(struct weir_reader_slot, flags));
}

static int page_take(struct survey *survey) {
    unsigned char page[2 * WEIR_SHM_PAGE];
    int fd = weir_channel_file(survey->directory, "channel", O_RDONLY, WEIR_SHM_CHANNEL_SIZE);
    if (fd < 0)
        return errno == EACCES ? WEIR_EACCESS : errno == ENOENT ? WEIR_ENOENT : WEIR_ECORRUPT;
    int is_read = fstat(fd, &survey->about) == 0 && pread(fd, page, sizeof(page), 0) == sizeof(page);
    weir_access_read(fd, &survey->allow);
    close(fd);
    if (!is_read)
        return WEIR_ECORRUPT;
    const unsigned char *words = page + WEIR_SHM_PAGE;
    survey->created = word64(page + offsetof(struct weir_channel_header, created));
    survey->page = (struct page_words){
        .keep = word32(words + offsetof(struct weir_channel_page, keep)),
        .server_epoch = word64(words + offsetof(struct weir_channel_page, server_epoch)),
        .server_pid = word32(words + offsetof(struct weir_channel_page, server_pid)),
        .server_uid = word32(words + offsetof(struct weir_channel_page, server_uid)),
    };
    return WEIR_OK;
}

/* Return: WEIR_OK (also when they may not be read), WEIR_ENOMEM. */
static int cursors_take(struct survey *survey) {
    int fd = weir_channel_file(survey->directory, "cursors", O_RDONLY, WEIR_SHM_CURSORS_SIZE);
    if (fd < 0)
        return WEIR_OK;
    unsigned char *copy = malloc(WEIR_SHM_CURSORS_SIZE);
    if (copy && (pread(fd, copy, WEIR_SHM_CURSORS_SIZE, 0) != WEIR_SHM_CURSORS_SIZE ||
                 memcmp(copy, WEIR_SHM_CURSORS_MAGIC, sizeof(WEIR_SHM_CURSORS_MAGIC)) != 0)) {
        free(copy);
        close(fd);
        return WEIR_OK;
    }
    close(fd);
    survey->cursors = copy;
    return copy ? WEIR_OK : WEIR_ENOMEM;
}

/* Does the writer of a lane live? */
static int lane_is_held(const struct survey *survey, unsigned lane) {
    const struct weir_peek_lane *seen = &survey->lane[lane];
    if (survey->writers_fd >= 0)
        return weir_lock_is_held(survey->writers_fd, lane);
    return seen->pid != 0 && seen->start != 0 && weir_process_start(seen->pid) == seen->start;
}

static void lanes_take(struct survey *survey) {
    for (unsigned lane = 0; lane < WEIR_SHM_LANES; lane++) {
        if (survey->generation[lane] == 0)
            continue;
        survey->lane_status[lane] =
            weir_peek_lane(survey->directory, lane, survey->generation[lane], &survey->lane[lane]);
        if (survey->lane_status[lane] == WEIR_OK)
            survey->lane_held[lane] = (uint8_t)lane_is_held(survey, lane);
    }
}

static int survey_take(struct survey *survey) {
    int status = weir_peek_lanes(survey->directory, survey->generation);
    if (status == WEIR_OK)
        status = page_take(survey);
    if (status == WEIR_OK)
        status = cursors_take(survey);
    if (status)
        return status;
    survey->writers_fd = weir_channel_file(survey->directory, "writers.lock", O_RDONLY, 0);
    survey->readers_fd = weir_channel_file(survey->directory, "readers.lock", O_RDONLY, 0);
    lanes_take(survey);
    return WEIR_OK;
}

static void survey_drop(struct survey *survey) {
    int fds[] = {survey->directory, survey->writers_fd, survey->readers_fd};
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    free(survey->cursors);
    free(survey);
}

/* ---- lanes ---- */

static int has_lane(const struct survey *survey, unsigned lane) {
    return survey->generation[lane] != 0 && survey->lane_status[lane] == WEIR_OK;
}

/* The slowest reader that holds the lane; WEIR_SHM_SLOTS for none. */
static unsigned slowest_of(const struct survey *survey, unsigned lane) {
    unsigned slowest = WEIR_SHM_SLOTS;
    uint64_t least = UINT64_MAX;
    for (unsigned slot = 0; survey->cursors && slot < WEIR_SHM_SLOTS; slot++) {
        if (!is_joined(survey, slot) || !(flags_of(survey, slot) & WEIR_SLOT_HOLDING))
            continue;
        uint64_t cursor = cursor_of(survey, slot, lane);
        if (cursor >= least)
            continue;
        least = cursor;
        slowest = slot;
    }
    return slowest;
}

/* Bytes of the lane that a reader with @cursor has not read and that are still there. */
static uint64_t behind(const struct weir_peek_lane *lane, uint64_t cursor) {
    uint64_t from = cursor > lane->oldest ? cursor : lane->oldest;
    return lane->tail > from ? lane->tail - from : 0;
}

static int is_blocked(const struct survey *survey, unsigned lane) {
    return survey->lane_held[lane] && cursors_word(survey, offsetof(struct weir_cursors_head, blocked)) >> lane & 1;
}

/* Why readers copy what they take from this lane; NULL: they may have it in place. */
static const char *lane_copied(const struct survey *survey, unsigned lane) {
    if (survey->lane[lane].newest.flags & WEIR_LANE_LOSSY)
        return "the writer overwrites what is not read yet (full=drop-oldest)";
    if (survey->lane[lane].uid != survey->about.st_uid)
        return "the writer is another user";
    return survey->about.st_mode & 022 ? "other users may write this channel" : NULL;
}

static void lane_tell(const struct survey *survey, unsigned index, weir_doc *doc) {
    const struct weir_peek_lane *lane = &survey->lane[index];
    unsigned slowest = slowest_of(survey, index);
    int is_lossy = (lane->newest.flags & WEIR_LANE_LOSSY) != 0;
    weir_tell_text(doc, "state", survey->lane_held[index] ? "held" : "free");
    weir_tell_process(doc, survey->lane_held[index] ? lane->pid : 0, lane->uid);
    weir_tell_number(doc, "uid", lane->uid);
    weir_tell_number(doc, "segment", lane->newest.generation);
    weir_tell_number(doc, "segments", lane->newest.generation - lane->oldest_generation + 1);
    weir_tell_number(doc, "capacity", lane->newest.capacity);
    weir_tell_number(doc, "used", behind(lane, 0));
    if (slowest < WEIR_SHM_SLOTS && !is_lossy)
        weir_tell_number(doc, "unread", behind(lane, cursor_of(survey, slowest, index)));
    else
        weir_tell_null(doc, "unread");
    weir_tell_number(doc, "messages", lane->next_seq ? lane->next_seq - 1 : 0);
    weir_tell_number(doc, "seq", lane->newest_seq);
    weir_tell_number(doc, "oldest_seq", lane->oldest_seq);
    weir_tell_time(doc, "oldest", lane->oldest_time);
    weir_tell_time(doc, "newest", lane->newest_time);
    weir_tell_number(doc, "writers_so_far", lane->epoch);
    weir_tell_bool(doc, "is_lossy", is_lossy);
    weir_tell_bool(doc, "is_blocked", is_blocked(survey, index));
    weir_tell_text(doc, "copied", lane_copied(survey, index));
}

static void lanes_tell(const struct survey *survey, weir_doc *doc) {
    weir_put_key(doc, "lanes");
    weir_begin_array(doc);
    for (unsigned lane = 0; lane < WEIR_SHM_LANES; lane++) {
        if (survey->generation[lane] == 0)
            continue;
        weir_begin_map(doc);
        weir_tell_number(doc, "lane", lane);
        if (survey->lane_status[lane] == WEIR_OK)
            lane_tell(survey, lane, doc);
        weir_tell_text(doc, "error", survey->lane_status[lane] ? weir_err_text(survey->lane_status[lane]) : NULL);
        weir_end(doc);
    }
    weir_end(doc);
}

/* ---- readers ---- */

static const char *role_of(const struct survey *survey, unsigned slot, uint32_t pid) {
    int is_holding = (flags_of(survey, slot) & WEIR_SLOT_HOLDING) != 0;
    if (is_holding && survey->page.server_epoch & 1 && pid == survey->page.server_pid)
        return "server";
    if (is_holding)
        return "reader";
    /* A client has a lane and a slot that holds nothing. */
    for (unsigned lane = 0; lane < WEIR_SHM_LANES; lane++)
        if (has_lane(survey, lane) && survey->lane_held[lane] && survey->lane[lane].pid == pid)
            return "client";
    return "observer";
}

/* How far a holding reader is behind each lane that it reads. */
static void lags_tell(const struct survey *survey, unsigned slot, weir_doc *doc) {
    weir_put_key(doc, "lags");
    if (!(flags_of(survey, slot) & WEIR_SLOT_HOLDING)) {
        weir_put_null(doc); /* an observer tells nobody where it is */
        return;
    }
    weir_begin_array(doc);
    for (unsigned index = 0; index < WEIR_SHM_LANES; index++) {
        const struct weir_peek_lane *lane = &survey->lane[index];
        uint64_t cursor = cursor_of(survey, slot, index), seq;
        if (!has_lane(survey, index) || cursor == UINT64_MAX)
            continue;
        weir_begin_map(doc);
        weir_tell_number(doc, "lane", index);
        weir_tell_number(doc, "bytes", behind(lane, cursor));
        if (weir_peek_seq(survey->directory, lane, cursor, &seq) == WEIR_OK && seq <= lane->next_seq)
            weir_tell_number(doc, "messages", lane->next_seq - seq);
        else
            weir_tell_null(doc, "messages");
        weir_end(doc);
    }
    weir_end(doc);
}

/* Is some writer asleep because of this reader? */
static int is_in_the_way(const struct survey *survey, unsigned slot) {
    for (unsigned lane = 0; lane < WEIR_SHM_LANES; lane++)
        if (has_lane(survey, lane) && is_blocked(survey, lane) && slowest_of(survey, lane) == slot)
            return 1;
    return 0;
}

static const char *sleeping_on(const struct survey *survey, unsigned slot) {
    if (cursors_word(survey, offsetof(struct weir_cursors_head, waiting)) >> slot & 1)
        return "futex";
    if (cursors_word(survey, offsetof(struct weir_cursors_head, posting)) >> slot & 1)
        return "sem";
    return cursors_word(survey, offsetof(struct weir_cursors_head, armed)) >> slot & 1 ? "descriptor" : NULL;
}

static const char *reader_copied(const struct survey *survey, unsigned slot, uint32_t uid) {
    if (!(flags_of(survey, slot) & WEIR_SLOT_HOLDING))
        return "it holds no writer back, so its messages may be overwritten while it reads";
    return uid != survey->about.st_uid ? "it is another user than the channel's" : NULL;
}

static void reader_tell(const struct survey *survey, unsigned slot, weir_doc *doc) {
    uint32_t flags = flags_of(survey, slot);
    uint32_t pid = word32(slot_at(survey, slot) + offsetof(struct weir_reader_slot, pid));
    uint32_t uid = survey->about.st_uid;
    int is_alive = survey->readers_fd < 0 || weir_lock_is_held(survey->readers_fd, slot);
    if (is_alive && weir_process_owner(pid, &uid) != WEIR_OK)
        uid = survey->about.st_uid;
    weir_begin_map(doc);
    weir_tell_number(doc, "slot", slot);
    weir_tell_text(doc, "role", role_of(survey, slot, pid));
    weir_tell_text(doc, "state", is_alive ? "live" : "dead");
    if (is_alive) {
        weir_tell_process(doc, pid, uid);
    } else {
        weir_tell_number(doc, "pid", pid); /* whose place it was */
        weir_tell_null(doc, "user");
        weir_tell_null(doc, "program");
        weir_tell_null(doc, "is_stopped");
    }
    weir_tell_bool(doc, "is_holding", (flags & WEIR_SLOT_HOLDING) != 0);
    weir_tell_bool(doc, "is_placed", (flags & WEIR_SLOT_PLACED) != 0);
    weir_tell_bool(doc, "is_in_the_way", is_in_the_way(survey, slot));
    weir_tell_text(doc, "sleeps_on", is_alive ? sleeping_on(survey, slot) : NULL);
    weir_tell_text(doc, "copied", reader_copied(survey, slot, uid));
    lags_tell(survey, slot, doc);
    weir_end(doc);
}

static void readers_tell(const struct survey *survey, weir_doc *doc) {
    weir_put_key(doc, "readers");
    if (!survey->cursors) {
        weir_put_null(doc); /* who may only observe does not see them */
        return;
    }
    weir_begin_array(doc);
    for (unsigned slot = 0; slot < WEIR_SHM_SLOTS; slot++)
        if (is_joined(survey, slot))
            reader_tell(survey, slot, doc);
    weir_end(doc);
}

/* ---- the channel ---- */

static void server_tell(const struct survey *survey, weir_doc *doc) {
    int is_there = survey->page.server_epoch & 1 &&
                   (survey->writers_fd >= 0 ? weir_lock_is_held(survey->writers_fd, WEIR_SHM_LOCK_SERVER)
                                            : weir_process_start(survey->page.server_pid) != 0);
    weir_put_key(doc, "server");
    if (!is_there) {
        weir_put_null(doc);
        return;
    }
    weir_begin_map(doc);
    weir_tell_process(doc, survey->page.server_pid, survey->page.server_uid);
    weir_end(doc);
}

static int has_members(int directory) {
    int fd = weir_channel_file(directory, "members.lock", O_RDONLY, 0);
    int is_held = fd >= 0 && weir_lock_is_held(fd, WEIR_SHM_LOCK_MEMBERS);
    if (fd >= 0)
        close(fd);
    return is_held;
}

static void survey_tell(const struct survey *survey, const char *path, weir_doc *doc) {
    weir_tell_text(doc, "state", has_members(survey->directory) ? "live" : "idle");
    weir_tell_text(doc, "path", path);
    weir_tell_rights(doc, survey->about.st_uid, survey->about.st_gid, survey->about.st_mode & 0777);
    weir_tell_allow(doc, &survey->allow);
    weir_tell_time(doc, "created", (int64_t)survey->created);
    weir_put_key(doc, "keep");
    if (survey->page.keep == WEIR_CHANNEL_UNDECIDED)
        weir_put_null(doc); /* no writer has come yet to decide */
    else
        weir_put_bool(doc, survey->page.keep == WEIR_CHANNEL_KEEP);
    server_tell(survey, doc);
    lanes_tell(survey, doc);
    readers_tell(survey, doc);
}

static int survey_failed(const struct weir_place *place, int status, weir_error *err) {
    switch (status) {
    case WEIR_ENOENT:
        return weir_fail(err, status, "%s: there is no such channel; start its writer first", place->text);
    case WEIR_EACCESS: return weir_shm_closed(place, err);
    default: return weir_fail(err, status, "%s cannot be examined: %s", place->text, weir_err_text(status));
    }
}

int weir_shm_info(const struct weir_place *place, weir_doc *doc, weir_error *err) {
    struct weir_store store;
    char entry[WEIR_NAME_MAX + 1], path[PATH_SIZE];
    int status = weir_store_open(&store, place, 0, err);
    if (status)
        return status == WEIR_ENOENT ? survey_failed(place, status, err) : status;
    struct survey *survey = calloc(1, sizeof(*survey));
    weir_store_entry(place->name, entry);
    snprintf(path, sizeof(path), "%s/%s", store.path, entry);
    if (!survey) {
        weir_store_close(&store);
        return survey_failed(place, WEIR_ENOMEM, err);
    }
    survey->writers_fd = survey->readers_fd = -1;
    survey->directory = openat(store.fd, entry, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (survey->directory < 0)
        status = errno == ENOENT ? WEIR_ENOENT : errno == EACCES ? WEIR_EACCESS : WEIR_ESYSTEM;
    else
        status = survey_take(survey);
    if (status == WEIR_OK)
        survey_tell(survey, path, doc);
    else
        survey_failed(place, status, err);
    survey_drop(survey);
    weir_store_close(&store);
    return status;
}
