/* info: what the parts of a channel say, told to a person who asks why it is as it is.
 *
 * What must stay true: everything is copied into private memory by part_read, and nothing is locked or written, so
 * asking disturbs nobody, and a part that shrinks or lies does not harm who asks. Numbers out of the parts are
 * compared, never used as sizes or indexes unless bounded. Whether an end lives is the kernel's word (its lease)
 * wherever we may ask for it; where we may not, a process with the number and the start time of the writer counts as
 * alive. The parts change while they are read, so figures of a busy channel are of slightly different moments: cursors
 * first, then lanes, so that no reader seems to be ahead of its writer. */
#include "transport/shm/info.h"

#include <stdlib.h>
#include <string.h>

#include "os/process.h"
#include "transport/shm/peek.h"
#include "transport/tell.h"

/* A private copy of the words of page 1 that are told. */
struct page_words {
    uint32_t keep;
    uint64_t server_epoch;
    uint32_t server_pid;
    uint32_t server_uid;
};

struct survey {
    struct weir_backing backing; /* opened to look */
    struct weir_part about;      /* "channel", whose owner and mode are the channel's; closed */
    uint64_t created;
    struct page_words page;
    unsigned char *cursors; /* a copy of the whole part; NULL: not ours to read */
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
    const struct weir_backing *backing = &survey->backing;
    int status = backing->ops->part_open(backing, (struct weir_part_id){.kind = WEIR_PART_CHANNEL}, 0, &survey->about);
    if (status)
        return status == WEIR_ESYSTEM ? WEIR_ECORRUPT : status;
    status = backing->ops->part_read(&survey->about, 0, page, sizeof(page));
    backing->ops->part_close(&survey->about);
    if (status)
        return status;
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
    const struct weir_backing *backing = &survey->backing;
    struct weir_part part;
    if (backing->ops->part_open(backing, (struct weir_part_id){.kind = WEIR_PART_CURSORS}, 0, &part) != WEIR_OK)
        return WEIR_OK;
    unsigned char *copy = malloc(WEIR_SHM_CURSORS_SIZE);
    int status = copy ? backing->ops->part_read(&part, 0, copy, WEIR_SHM_CURSORS_SIZE) : WEIR_ENOMEM;
    backing->ops->part_close(&part);
    if (status == WEIR_OK && memcmp(copy, WEIR_SHM_CURSORS_MAGIC, sizeof(WEIR_SHM_CURSORS_MAGIC)) == 0) {
        survey->cursors = copy;
        return WEIR_OK;
    }
    free(copy);
    return status == WEIR_ENOMEM ? status : WEIR_OK;
}

static int lease_is_held(const struct survey *survey, unsigned lease) {
    return survey->backing.ops->lease_is_held(&survey->backing, lease);
}

/* Does the writer of a lane live? */
static int lane_is_held(const struct survey *survey, unsigned lane) {
    const struct weir_peek_lane *seen = &survey->lane[lane];
    int is_held = lease_is_held(survey, WEIR_LEASE_LANE + lane);
    return is_held >= 0 ? is_held : seen->pid != 0 && seen->start != 0 && weir_process_start(seen->pid) == seen->start;
}

static void lanes_take(struct survey *survey) {
    for (unsigned lane = 0; lane < WEIR_SHM_LANES; lane++) {
        if (survey->generation[lane] == 0)
            continue;
        survey->lane_status[lane] =
            weir_peek_lane(&survey->backing, lane, survey->generation[lane], &survey->lane[lane]);
        if (survey->lane_status[lane] == WEIR_OK)
            survey->lane_held[lane] = (uint8_t)lane_is_held(survey, lane);
    }
}

static int survey_take(struct survey *survey) {
    int status = weir_peek_lanes(&survey->backing, survey->generation);
    if (status == WEIR_OK)
        status = page_take(survey);
    if (status == WEIR_OK)
        status = cursors_take(survey);
    if (status == WEIR_OK)
        lanes_take(survey);
    return status;
}

static void survey_drop(struct survey *survey) {
    survey->backing.ops->abandon(&survey->backing);
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
    if (survey->lane[lane].uid != survey->about.uid)
        return "the writer is another user";
    return survey->about.mode & 022 ? "other users may write this channel" : NULL;
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
        if (weir_peek_seq(&survey->backing, lane, cursor, &seq) == WEIR_OK && seq <= lane->next_seq)
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
    return uid != survey->about.uid ? "it is another user than the channel's" : NULL;
}

/* Is there a lane whose writer minds who has not read, or none yet? One that overwrites (full=drop-oldest) does not. */
static int holds_some(const struct survey *survey) {
    int has_lanes = 0;
    for (unsigned lane = 0; lane < WEIR_SHM_LANES; lane++) {
        if (has_lane(survey, lane) && !(survey->lane[lane].newest.flags & WEIR_LANE_LOSSY))
            return 1;
        has_lanes |= has_lane(survey, lane);
    }
    return !has_lanes;
}

static void reader_tell(const struct survey *survey, unsigned slot, weir_doc *doc) {
    uint32_t flags = flags_of(survey, slot);
    uint32_t pid = word32(slot_at(survey, slot) + offsetof(struct weir_reader_slot, pid));
    uint32_t uid = survey->about.uid;
    int is_alive = lease_is_held(survey, WEIR_LEASE_SLOT + slot) != 0;
    if (is_alive && weir_process_owner(pid, &uid) != WEIR_OK)
        uid = survey->about.uid;
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
    weir_tell_bool(doc, "is_holding", flags & WEIR_SLOT_HOLDING && holds_some(survey));
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
    int is_there = lease_is_held(survey, WEIR_LEASE_SERVER);
    if (is_there < 0)
        is_there = weir_process_start(survey->page.server_pid) != 0;
    weir_put_key(doc, "server");
    if (!is_there || !(survey->page.server_epoch & 1)) {
        weir_put_null(doc);
        return;
    }
    weir_begin_map(doc);
    weir_tell_process(doc, survey->page.server_pid, survey->page.server_uid);
    weir_end(doc);
}

static void survey_tell(const struct survey *survey, weir_doc *doc) {
    weir_tell_text(doc, "state", lease_is_held(survey, WEIR_LEASE_MEMBERS) == 1 ? "live" : "idle");
    weir_tell_text(doc, "path", survey->backing.path);
    weir_tell_rights(doc, survey->about.uid, survey->about.gid, survey->about.mode & 0777);
    if (survey->backing.ops->tell)
        survey->backing.ops->tell(&survey->backing, doc);
    weir_tell_time(doc, "created", (int64_t)survey->created);
    weir_tell_text(doc, "copies",
                   "1: what is sent is copied into the lane, and read where it lies; 0 when it is reserved there. Who "
                   "copies what he reads has a reason, told beside him or the lane");
    weir_put_key(doc, "keep");
    if (survey->page.keep == WEIR_CHANNEL_UNDECIDED)
        weir_put_null(doc); /* no writer has come yet to decide */
    else
        weir_put_bool(doc, survey->page.keep == WEIR_CHANNEL_KEEP);
    server_tell(survey, doc);
    lanes_tell(survey, doc);
    readers_tell(survey, doc);
}

int weir_backing_info(const struct weir_backing_ops *ops, const struct weir_place *place, weir_doc *doc,
                      weir_error *err) {
    struct survey *survey = calloc(1, sizeof(*survey));
    if (!survey)
        return weir_fail(err, WEIR_ENOMEM, "%s cannot be examined: out of memory", place->text);
    int status = weir_backing_look(&survey->backing, ops, place, err);
    if (status) {
        free(survey);
        return status;
    }
    status = survey_take(survey);
    if (status == WEIR_OK)
        survey_tell(survey, doc);
    else if (status != WEIR_ENOMEM)
        weir_backing_unseen(&survey->backing, status, err);
    else
        weir_fail(err, status, "%s cannot be examined: %s", place->text, weir_err_text(status));
    survey_drop(survey);
    return status;
}
