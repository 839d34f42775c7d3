/* The judgement of a crash image: all ends were killed at once, and nobody holds a lease.
 *
 * What must hold, whatever the instruction was:
 * - clean-up takes away what nobody keeps and what is half made or half removed, and nothing else;
 * - readers, in place and copying, read every acknowledged message whole, in order, once, and none that was never sent;
 * - the next writer of each lane follows on with the sequence that readers expect; dead readers do not hold it up;
 * - a writer whose lease was taken from it is fenced off by the next one;
 * - when the last end goes with keep=0, nothing is left. */
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger.h"
#include "os/lock.h"
#include "transport/shm/layout.h"

enum { LIFE_OF_CHECK = 1 << 20, ROUND_SIZE = 3000, FEW = 3, FULL_ROUND_EVERY = 4, FENCE_EVERY = 8, ABSENT = 99 };

struct check {
    const char *path;
    struct wish wish;
    uint64_t number;
    char *why;
    struct ledger ledger; /* what has to be there, and what the check itself sends */
};

static int fail(struct check *check, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int fail(struct check *check, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(check->why, 256, format, args);
    va_end(args);
    return -1;
}

/* ---- the store ---- */

/* What the channel says of keep; ABSENT: it is not there. */
static uint32_t keep_read(const struct check *check) {
    char path[200];
    uint32_t keep;
    snprintf(path, sizeof(path), "%s/weir-%u/%s/channel", check->path, geteuid(), check->wish.name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 ||
        pread(fd, &keep, sizeof(keep), WEIR_SHM_PAGE + offsetof(struct weir_channel_page, keep)) != sizeof(keep))
        keep = ABSENT;
    if (fd >= 0)
        close(fd);
    return keep;
}

static int hidden_count(const struct check *check) {
    char path[128];
    int count = 0;
    snprintf(path, sizeof(path), "%s/weir-%u", check->path, geteuid());
    DIR *listing = opendir(path);
    struct dirent *entry;
    while (listing && (entry = readdir(listing)) != NULL)
        count += strncmp(entry->d_name, ".new.", 5) == 0 || strncmp(entry->d_name, ".gone.", 6) == 0;
    if (listing)
        closedir(listing);
    return count;
}

static int clean_check(struct check *check) {
    weir_error err = {0};
    uint32_t keep = keep_read(check);
    int status = ops()->clean(0, NULL, NULL, &err);
    if (status)
        return fail(check, "clean: %d, %.200s", status, err.text);
    int is_there = keep_read(check) != ABSENT;
    if (keep == 1 && !is_there)
        return fail(check, "clean took away a channel that is kept");
    if (keep != 1 && is_there)
        return fail(check, "clean left a channel that nobody keeps (keep %u)", keep);
    int hidden = hidden_count(check);
    return hidden ? fail(check, "clean left %d half-made or half-removed channels", hidden) : 0;
}

/* ---- readers ---- */

static int reader_open(struct check *check, struct follower *reader, int is_observer) {
    weir_error err = {0};
    struct wish wish = check->wish;
    wish.from = WEIR_FROM_OLDEST;
    wish.is_observer = (uint8_t)is_observer;
    wish.keep = -1;
    int status = end_open(&reader->end, WEIR_ROLE_READER, &wish, &err);
    if (status)
        return fail(check, "a reader cannot open: %d, %.200s", status, err.text);
    const char *wrong = follower_drain(reader, &check->ledger);
    return wrong ? fail(check, "%s: %.240s", is_observer ? "observer" : "reader", wrong) : 0;
}

/* Older messages may only be gone if a ring of 64 KiB was too small for them. */
static int retention_check(struct check *check, uint32_t number, uint64_t first) {
    const struct stream *stream = &check->ledger.streams[number];
    uint64_t bytes = 0, largest = 0;
    if (first <= stream->floor)
        return 0;
    for (uint64_t i = first - 1; i < stream->begun; i++) {
        uint64_t span = weir_shm_span(stream->entries[i].size);
        bytes += span;
        largest = span > largest ? span : largest;
    }
    /* Two of the largest: for the frame that a kill stopped, and what the search for a boundary overshoots by. */
    uint64_t needed = bytes + 2 * (largest > 8192 ? largest : 8192) + 2 * WEIR_SHM_LINE + WEIR_SHM_CAPACITY_MIN / 16;
    return needed >= WEIR_SHM_CAPACITY_MIN ? 0
                                           : fail(check, "lane %u: messages before %llu are gone, with %llu bytes kept",
                                                  number, (unsigned long long)first, (unsigned long long)bytes);
}

static int streams_check(struct check *check, const struct follower *reader) {
    for (uint32_t i = 0; i < STREAMS; i++) {
        const struct stream *stream = &check->ledger.streams[i];
        uint64_t count = reader->streams[i].is_begun ? reader->streams[i].index + 1 : 0;
        if (count < stream->acked)
            return fail(check, "lane %u: %llu messages acknowledged, the newest read is %lld", i,
                        (unsigned long long)stream->acked, (long long)count - 1);
        if (count && retention_check(check, i, reader->streams[i].first))
            return -1;
    }
    return 0;
}

static int latest_check(struct check *check) {
    struct weir_place place;
    struct weir_buffer out = {0};
    struct weir_inbound inbound;
    struct message message = {0};
    weir_error err = {0};
    uint64_t told = check->ledger.streams[0].told + check->ledger.streams[1].told;
    place_fill(&place, &check->wish);
    int status = ops()->latest(&place, &out, &inbound, &err);
    const char *wrong = status ? NULL : message_read(&inbound, &message);
    weir_buffer_fini(&out);
    if (wrong)
        return fail(check, "latest: %s", wrong);
    if (status)
        return told == 0 && status == WEIR_ENOENT ? 0 : fail(check, "latest: %d, %.200s", status, err.text);
    const struct stream *stream = &check->ledger.streams[message.stream % STREAMS];
    return message.index < stream->begun && message.index + 1 >= stream->told
               ? 0
               : fail(check, "latest: message %llu of lane %u, acknowledged %llu", (unsigned long long)message.index,
                      message.stream, (unsigned long long)stream->told);
}

/* ---- writers ---- */

/* From here on the ledger speaks of what was found, and goes on from there. */
static void ledger_settle(struct check *check, const struct follower *reader, struct found *ret) {
    check->ledger.life = LIFE_OF_CHECK;
    for (uint32_t i = 0; i < STREAMS; i++) {
        struct stream *stream = &check->ledger.streams[i];
        uint64_t count = reader->streams[i].is_begun ? reader->streams[i].index + 1 : 0;
        uint64_t next = reader->streams[i].is_begun ? reader->streams[i].seq + 1 : 1;
        stream->acked = stream->begun = count;
        stream->seq = stream->seq > next ? stream->seq : next;
        if (ret)
            ret->count[i] = count;
    }
}

static int seq_check(struct check *check, uint32_t number, struct end *writer, struct found *ret) {
    struct stream *stream = &check->ledger.streams[number];
    struct weir_slot slot;
    weir_error err = {0};
    int status = ops()->reserve(writer->state, 0, 64, &slot, &err);
    if (status)
        return fail(check, "lane %u: the next writer cannot send: %d, %.200s", number, status, err.text);
    ops()->discard(writer->state);
    if (slot.seq != stream->seq && !(stream->is_skipping && slot.seq == stream->seq + 1))
        return fail(check, "lane %u: the next writer goes on with seq %llu, not %llu", number,
                    (unsigned long long)slot.seq, (unsigned long long)stream->seq);
    stream->seq = slot.seq;
    if (ret)
        ret->seq[number] = slot.seq;
    return 0;
}

static int readers_drain(struct check *check, struct follower readers[2]) {
    for (int i = 0; i < 2; i++) {
        const char *who = i ? "observer" : "reader";
        const char *wrong = follower_drain(&readers[i], &check->ledger);
        if (wrong)
            return fail(check, "%s, after the next writer has sent: %.200s", who, wrong);
        for (uint32_t k = 0; k < STREAMS; k++)
            if (check->ledger.streams[k].begun && readers[i].streams[k].index + 1 != check->ledger.streams[k].begun)
                return fail(check, "%s: message %llu of the next writer does not come (lane %u)", who,
                            (unsigned long long)check->ledger.streams[k].begun - 1, k);
    }
    return 0;
}

/* Sends a few messages, or more than the ring holds. */
static int stream_continue(struct check *check, uint32_t number, struct end *writer, struct follower readers[2],
                           struct found *ret) {
    struct stream *stream = &check->ledger.streams[number];
    struct dice dice = {check->number};
    uint64_t wanted = check->number % FULL_ROUND_EVERY ? 0 : WEIR_SHM_CAPACITY_MIN + ROUND_SIZE, sent = 0;
    if (seq_check(check, number, writer, ret))
        return -1;
    for (int count = 0; (count < FEW || sent < wanted) && stream->begun < STREAM_MESSAGES; count++) {
        uint32_t size = wanted && count >= FEW ? ROUND_SIZE : 64 + 8 * dice_roll(&dice, 20);
        int status = ledger_send(&check->ledger, number, writer, size, 0);
        if (status)
            return fail(check, "lane %u: the next writer is stuck after %llu bytes: %d", number,
                        (unsigned long long)sent, status);
        sent += size;
        if (readers_drain(check, readers))
            return -1;
    }
    return 0;
}

/* Let the lease on @byte of writers.lock go, whoever of us holds it: what no kernel does to a living process. */
static void lease_break(uint64_t byte) {
    DIR *listing = opendir("/proc/self/fd");
    struct dirent *entry;
    char link[64], target[300];
    while (listing && (entry = readdir(listing)) != NULL) {
        snprintf(link, sizeof(link), "/proc/self/fd/%.20s", entry->d_name);
        ssize_t size = readlink(link, target, sizeof(target) - 1);
        if (size > 12 && memcmp(target + size - 12, "writers.lock", 12) == 0)
            weir_lock_drop(atoi(entry->d_name), byte);
    }
    if (listing)
        closedir(listing);
}

static int fence_check(struct check *check, struct end *old) {
    struct end next;
    struct weir_slot slot;
    weir_error err = {0};
    lease_break(0);
    int status = end_open(&next, WEIR_ROLE_WRITER, &check->wish, &err);
    if (status)
        return fail(check, "a third writer cannot open: %d, %.200s", status, err.text);
    status = ops()->reserve(old->state, 0, 64, &slot, &err);
    end_close(&next);
    return status == WEIR_EFENCED ? 0 : fail(check, "a writer that lost its lane is not fenced off: %d", status);
}

static int writers_check(struct check *check, struct follower readers[2], struct found *ret) {
    struct end writers[STREAMS] = {{0}};
    weir_error err = {0};
    int status = 0;
    for (uint32_t i = 0; i < STREAMS && status == 0; i++) {
        status = end_open(&writers[i], WEIR_ROLE_WRITER, &check->wish, &err);
        if (status)
            status = fail(check, "the next writer cannot open: %d, %.200s", status, err.text);
    }
    for (uint32_t i = 0; i < STREAMS && status == 0; i++)
        status = stream_continue(check, i, &writers[i], readers, ret);
    if (status == 0 && check->number % FENCE_EVERY == 1)
        status = fence_check(check, &writers[0]);
    for (uint32_t i = 0; i < STREAMS; i++)
        end_close(&writers[i]);
    return status;
}

/* ---- all of it ---- */

static int ends_check(struct check *check, struct found *ret) {
    struct follower readers[2] = {0};
    int status = 0;
    for (int i = 0; i < 2 && status == 0; i++) {
        status = reader_open(check, &readers[i], i);
        if (status == 0)
            status = streams_check(check, &readers[i]);
    }
    for (uint32_t i = 0; i < STREAMS && status == 0; i++)
        if (readers[0].streams[i].index != readers[1].streams[i].index)
            status = fail(check, "reader and observer see different messages of lane %u", i);
    if (status == 0) {
        ledger_settle(check, &readers[0], ret);
        status = writers_check(check, readers, ret);
    }
    for (int i = 0; i < 2; i++)
        end_close(&readers[i].end);
    return status;
}

static int end_check(struct check *check) {
    struct end last;
    weir_error err = {0};
    struct wish wish = check->wish;
    wish.keep = 0;
    int status = end_open(&last, WEIR_ROLE_WRITER, &wish, &err);
    if (status)
        return fail(check, "a last writer cannot open: %d, %.200s", status, err.text);
    end_close(&last);
    ops()->clean(0, NULL, NULL, NULL);
    int left = tree_count(check->path);
    return left ? fail(check, "%d files are left behind the last end", left) : 0;
}

/* Nothing is kept: whoever comes next makes the channel anew. */
static void ledger_empty(struct check *check) {
    for (uint32_t i = 0; i < STREAMS; i++) {
        struct stream *stream = &check->ledger.streams[i];
        stream->acked = stream->told = stream->begun = stream->floor = stream->is_skipping = 0;
        stream->seq = 1;
    }
}

static int image_judge(struct check *check, struct found *ret) {
    int is_kept = keep_read(check) == 1;
    if (check->ledger.is_kept && !is_kept)
        return fail(check, "the channel is not kept (keep %u)", keep_read(check));
    if (check->number % 2 && clean_check(check))
        return -1;
    if (!is_kept)
        ledger_empty(check);
    else if (latest_check(check))
        return -1;
    check->wish.keep = is_kept ? 1 : -1;
    return ends_check(check, ret) || end_check(check) ? -1 : 0;
}

int image_check(const char *path, const struct ledger *ledger, const struct wish *options, uint64_t number,
                struct found *ret, char why[256]) {
    static struct check check;
    char saved[100];
    const char *before = getenv("WEIR_SHM_DIR");
    snprintf(saved, sizeof(saved), "%s", before ? before : "");
    check.path = path;
    check.wish = *options;
    check.number = number;
    check.why = why;
    memcpy(&check.ledger, ledger, sizeof(check.ledger));
    scratch_use(path);
    int status = image_judge(&check, ret);
    scratch_use(saved);
    return status;
}
