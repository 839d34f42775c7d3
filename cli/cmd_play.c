/* weir play: send what `weir record` has kept into its channels again, with the pauses that were between the messages.
 *
 * The moment of every message is counted from the first one's, so that being late once makes no later message late. A
 * channel is opened when its first message is due. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "recording.h"

static const int64_t PATIENCE_NS = INT64_C(2000000000); /* for messages that are in the log and do not come */

static struct {
    const char *speed, *from, *stamp;
    struct cli_list only, maps;
    uint64_t readers;
    int is_loop;
} args = {.speed = "1", .from = "oldest", .stamp = "now"};

static const struct cli_option options[] = {
    {"speed", CLI_TEXT, &args.speed, "X", "so many times as fast; max: without pauses (default 1)"},
    {"loop", CLI_FLAG, &args.is_loop, NULL, "from the beginning again, until Ctrl-C"},
    {"only", CLI_LIST, &args.only, "ADDR", "only what came from this channel; may be given more than once"},
    {"map", CLI_LIST, &args.maps, "FROM=TO",
     "send what came from FROM to TO, which may have options; may be given more than once"},
    {"from", CLI_TEXT, &args.from, "F", "begin at oldest (default), last, seq:N of the log or a time ago, -1h"},
    {"readers", CLI_COUNT, &args.readers, "N", "wait until each channel has N readers before its first message"},
    {"stamp", CLI_TEXT, &args.stamp, "WHICH", "their time: now (default), or original, that of the recorded message"},
    {0},
};

/* A channel of the recording. */
struct track {
    char *from; /* as the recording names it */
    size_t size;
    const char *to;
    weir_writer *writer; /* NULL: not wanted */
    int64_t timeout_ns;
};

struct player {
    const char *path;
    char *address; /* of the log */
    double speed;  /* 0: without pauses */
    struct track *tracks;
    size_t count;
    uint64_t last;   /* seq of the log's newest message when the round began */
    int64_t started; /* monotonic moment of the first message */
    int64_t first;   /* its time */
    int is_started;
    uint64_t sent, foreign;
    char only_used[CLI_LIST_MAX], map_used[CLI_LIST_MAX];
};

/* ---- channels ---- */

/* The length of the beginning of @text that names the channel @from, with or without shm://; 0: it names another. */
static size_t naming(const char *text, weir_view from) {
    static const char scheme[] = "shm://";
    size_t skip = sizeof(scheme) - 1;
    if (from.size > 0 && strncmp(text, from.data, from.size) == 0)
        return from.size;
    if (from.size <= skip || memcmp(from.data, scheme, skip) != 0 ||
        strncmp(text, from.data + skip, from.size - skip) != 0)
        return 0;
    return from.size - skip;
}

static int is_wanted(struct player *player, weir_view from) {
    for (size_t i = 0; i < args.only.count; i++) {
        size_t size = naming(args.only.items[i], from);
        if (size && (args.only.items[i][size] == '\0' || args.only.items[i][size] == '?'))
            return player->only_used[i] = 1;
    }
    return args.only.count == 0;
}

static const char *target_of(struct player *player, const struct track *track) {
    weir_view from = {track->from, track->size};
    for (size_t i = 0; i < args.maps.count; i++) {
        size_t size = naming(args.maps.items[i], from);
        if (!size || args.maps.items[i][size] != '=')
            continue;
        player->map_used[i] = 1;
        return args.maps.items[i] + size + 1;
    }
    return track->from;
}

static int readers_await(struct player *player, struct track *track) {
    weir_error err = {0};
    int64_t before = cli_clock();
    int status;
    do
        status = weir_writer_wait_readers(track->writer, (uint32_t)args.readers, cli_slice(INT64_MAX), &err);
    while (cli_keep_waiting(status, INT64_MAX));
    player->started += cli_clock() - before; /* the others' moments move with it */
    return status && status != WEIR_ETIMEOUT ? cli_error(status, &err) : CLI_OK;
}

/* What is played into the log that it comes from would be played again, and again. */
static int is_itself(const struct player *player, const char *to) {
    static const char scheme[] = "file://";
    char path[PATH_MAX];
    struct stat ours, theirs;
    if (strncmp(to, scheme, sizeof(scheme) - 1) != 0)
        return 0;
    to += sizeof(scheme) - 1;
    int size = snprintf(path, sizeof(path), "%.*s", (int)strcspn(to, "?"), to);
    return size < (int)sizeof(path) && stat(path, &theirs) == 0 && stat(player->path, &ours) == 0 &&
           theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
}

static int track_open(struct player *player, struct track *track) {
    weir_error err = {0};
    track->to = target_of(player, track);
    if (is_itself(player, track->to))
        return cli_fail(CLI_USAGE, "play: %s cannot be played into itself; send what came from %s elsewhere with --map",
                        player->path, track->from);
    int status = weir_writer_open(track->to, &track->writer, &err);
    if (status)
        return cli_error(status, &err);
    track->timeout_ns = weir_writer_timeout(track->writer);
    return args.readers ? readers_await(player, track) : CLI_OK;
}

/* The track of a channel, begun if it is new. Return: exit code (said why). */
static int track_find(struct player *player, weir_view from, struct track **ret) {
    for (size_t i = 0; i < player->count; i++) {
        *ret = &player->tracks[i];
        if ((*ret)->size == from.size && memcmp((*ret)->from, from.data, from.size) == 0)
            return CLI_OK;
    }
    struct track *tracks = realloc(player->tracks, (player->count + 1) * sizeof(*tracks));
    char *name = tracks ? strndup(from.data, from.size) : NULL;
    player->tracks = tracks ? tracks : player->tracks;
    if (!name)
        return cli_fail(CLI_FAILURE, "out of memory");
    *ret = &player->tracks[player->count++];
    **ret = (struct track){.from = name, .size = from.size};
    return is_wanted(player, from) ? track_open(player, *ret) : CLI_OK;
}

/* ---- sending ---- */

/* Wait for the moment of a message that was sent at @time. */
static void moment_await(struct player *player, int64_t time) {
    if (player->speed == 0)
        return;
    if (!player->is_started) {
        player->is_started = 1;
        player->started = cli_clock();
        player->first = time;
    }
    double since = (double)(int64_t)((uint64_t)time - (uint64_t)player->first) / player->speed;
    if (since > 0)
        cli_sleep_until(player->started + (since < 4e18 ? (int64_t)since : INT64_C(4000000000000000000)));
}

static int message_send(struct player *player, struct track *track, weir_message *message,
                        const struct recording_entry *entry) {
    weir_error err = {0};
    int64_t deadline = cli_deadline(track->timeout_ns);
    int status;
    if (strcmp(args.stamp, "original") == 0)
        weir_writer_set_time(track->writer, entry->time);
    do {
        weir_writer_set_timeout(track->writer, cli_slice(deadline));
        status = recording_forward(track->writer, message, entry->meta, &err);
    } while (cli_keep_waiting(status, deadline));
    player->sent += status == WEIR_OK;
    if (status == WEIR_ETIMEOUT && cli_is_interrupted())
        return CLI_OK; /* the loop sees it */
    if (!recording_is_hopeless(status))
        return status ? cli_error(status, &err) : CLI_OK;
    cli_say("%s: seq %" PRIu64 " of %s cannot be sent: %s", player->path, weir_message_seq(message), track->from,
            err.text[0] ? err.text : weir_err_text(status));
    return CLI_OK;
}

static int message_play(struct player *player, weir_message *message) {
    const weir_value *meta = NULL;
    struct recording_entry entry;
    struct track *track = NULL;
    if (weir_message_gap(message))
        cli_say("%s: %" PRIu64 " message%s lost before seq %" PRIu64, player->path, weir_message_gap(message),
                CLI_S(weir_message_gap(message)), weir_message_seq(message));
    if (weir_message_meta(message, &meta, NULL) || recording_meta_read(meta, &entry)) {
        player->foreign++;
        return CLI_OK;
    }
    int exit = track_find(player, entry.from, &track);
    if (exit || !track->writer || cli_is_interrupted())
        return exit;
    moment_await(player, entry.time ? entry.time : weir_message_time(message));
    return cli_is_interrupted() ? CLI_OK : message_send(player, track, message, &entry);
}

/* ---- the log ---- */

/* From the beginning to what is the end now. */
static int log_play(struct player *player, weir_reader *reader) {
    weir_message *message = NULL;
    weir_error err = {0};
    int exit = CLI_OK;
    while (exit == CLI_OK && !cli_is_interrupted()) {
        int64_t deadline = cli_deadline(PATIENCE_NS);
        int status;
        do
            status = weir_reader_next(reader, cli_slice(deadline), &message, &err);
        while (cli_keep_waiting(status, deadline));
        if (status == WEIR_ETIMEOUT)
            return CLI_OK;
        if (status == WEIR_ECORRUPT) { /* told; what is behind it may be whole */
            cli_error(status, &err);
            continue;
        }
        if (status)
            return cli_error(status, &err);
        uint64_t seq = weir_message_seq(message);
        exit = message_play(player, message);
        if (seq >= player->last)
            return exit;
    }
    return exit;
}

/* Play the log once. Return: exit code. */
static int round_play(struct player *player) {
    weir_message *newest = NULL;
    weir_reader *reader = NULL;
    weir_error err = {0};
    int status = weir_latest(player->address, &newest, &err);
    if (status == WEIR_OK) {
        player->last = weir_message_seq(newest);
        weir_message_free(newest);
        status = weir_reader_open(player->address, &reader, &err);
    }
    if (status)
        return cli_error(status, &err);
    player->is_started = 0;
    int exit = log_play(player, reader);
    weir_reader_close(reader);
    return exit;
}

static void unused_tell(const struct player *player) {
    for (size_t i = 0; i < args.only.count; i++)
        if (!player->only_used[i])
            cli_say("%s: --only %s: there is nothing from there", player->path, args.only.items[i]);
    for (size_t i = 0; i < args.maps.count; i++)
        if (!player->map_used[i])
            cli_say("%s: --map %s: there is nothing from there to play", player->path, args.maps.items[i]);
}

static int play(struct player *player) {
    uint64_t before;
    int exit;
    do {
        before = player->sent;
        player->foreign = 0;
        exit = round_play(player);
    } while (exit == CLI_OK && args.is_loop && player->sent > before && !cli_is_interrupted());
    if (cli_is_interrupted())
        return exit ? exit : CLI_SIGNAL + cli_is_interrupted();
    if (player->foreign)
        cli_say("%s: %" PRIu64 " message%s that weir record has not made: passed over", player->path, player->foreign,
                CLI_S(player->foreign));
    if (exit == CLI_OK)
        unused_tell(player);
    return exit == CLI_OK && player->sent == 0 ? cli_fail(CLI_ABSENT, "%s: there was nothing to play", player->path)
                                               : exit;
}

/* ---- setting up ---- */

/* Where nothing is, whoever sends to a log makes it; a recording comes from weir record. */
static int log_check(const struct player *player) {
    if (access(player->path, F_OK) == 0 || errno != ENOENT)
        return CLI_OK; /* the transport knows more */
    return cli_fail(CLI_ABSENT, "%s: there is no such recording; weir record -o %s CHANNEL makes it", player->path,
                    player->path);
}

static int arguments_check(struct player *player) {
    char *end;
    size_t size = strlen(player->path);
    if (strchr(player->path, '?')) /* recording_address says why not */
        return recording_address(player->path, &player->address);
    if (size <= 5 || strcmp(player->path + size - 5, ".weir") != 0)
        return cli_fail(CLI_USAGE, "play: %s: a recording is a binary log, and its name ends in .weir", player->path);
    if (strcmp(args.stamp, "now") != 0 && strcmp(args.stamp, "original") != 0)
        return cli_fail(CLI_USAGE, "play: --stamp %s: there are now and original", args.stamp);
    for (size_t i = 0; i < args.maps.count; i++)
        if (!strchr(args.maps.items[i], '='))
            return cli_fail(CLI_USAGE, "play: --map %s: write FROM=TO, two addresses", args.maps.items[i]);
    if (strcmp(args.speed, "max") == 0)
        return CLI_OK;
    player->speed = strtod(args.speed, &end);
    if (end == args.speed || *end || !isfinite(player->speed) || player->speed <= 0)
        return cli_fail(CLI_USAGE, "play: --speed %s is neither a number above 0 nor max", args.speed);
    return CLI_OK;
}

static int address_make(struct player *player) {
    char *plain = NULL, *options_text = NULL;
    int exit = recording_address(player->path, &plain);
    if (exit == CLI_OK && (asprintf(&options_text, "%s&create=0", args.from) < 0 ||
                           !(player->address = cli_address(plain, "from", options_text))))
        exit = cli_fail(CLI_FAILURE, "out of memory");
    free(plain);
    free(options_text);
    return exit;
}

static int run(int argc, char **argv) {
    static struct player player;
    (void)argc;
    player.path = argv[0];
    int exit = arguments_check(&player);
    if (exit == CLI_OK)
        exit = address_make(&player);
    if (exit == CLI_OK)
        exit = log_check(&player);
    cli_signals_begin();
    if (exit == CLI_OK)
        exit = play(&player);
    for (size_t i = 0; i < player.count; i++) {
        cli_writer_close(player.tracks[i].writer, player.tracks[i].timeout_ns);
        free(player.tracks[i].from);
    }
    free(player.tracks);
    free(player.address);
    return exit;
}

const struct cli_command cli_play = {
    .name = "play",
    .summary = "send what weir record has kept into its channels again",
    .usage =
        "LOG [--speed X|max] [--loop] [--only ADDR] [--map FROM=TO] [--from F] [--readers N] [--stamp now|original]",
    .examples = "  weir play flight.weir                              as it was, with the same pauses\n"
                "  weir play flight.weir --speed 10 --loop --only lab/imu\n"
                "  weir play flight.weir --map lab/imu=unix:///tmp/imu.sock --readers 1\n",
    .options = options,
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run,
};
