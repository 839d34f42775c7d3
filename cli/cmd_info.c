/* weir info: why one channel is as it is. Tables on a terminal, lines of tab-separated fields into a pipe, one object
 * with --json.
 *
 * The pipe's form is for scripts: the first field of a line says what the line is (channel, lane, reader, lag, end),
 * the others stand in a fixed order, and "-" is what is not known. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli.h"

static struct { int is_json; } args;

static const struct cli_option options[] = {
    {"json", CLI_FLAG, &args.is_json, NULL, "one JSON object"},
    {0},
};

enum { FIELD_SIZE = 40 };

/* ---- fields ---- */

static void append(weir_buffer *line, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void append(weir_buffer *line, const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (length > 0)
        weir_buffer_append(line, text, (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1);
}

static int is_true(const weir_value *map, const char *key) {
    int value = 0;
    return weir_get_bool(map, key, &value) == WEIR_OK && value;
}

static int text_is(const weir_value *map, const char *key, const char *text) {
    weir_view view;
    return weir_get_text(map, key, &view) == WEIR_OK && view.size == strlen(text) &&
           memcmp(view.data, text, view.size) == 0;
}

/* What a field says: text as it is, numbers in decimal, "-" for null or nothing. */
static void field(const weir_value *map, const char *key, weir_buffer *line) {
    const weir_value *value = NULL;
    weir_view text;
    weir_get(map, key, &value);
    if (!value || weir_value_kind(value) == WEIR_KIND_NULL)
        weir_buffer_append(line, "-", 1);
    else if (weir_get_text(value, NULL, &text) == WEIR_OK)
        cli_readable_text(text, line);
    else
        cli_readable(value, line);
}

static const char *size_field(const weir_value *map, const char *key, char *text) {
    uint64_t bytes;
    return weir_get_u64(map, key, &bytes) == WEIR_OK ? cli_size(bytes, text) : "-";
}

static const char *age_field(const weir_value *map, const char *key, char *text) {
    int64_t time;
    return weir_get_i64(map, key, &time) == WEIR_OK ? cli_age(cli_now() - time, text) : "-";
}

static const char *number_field(const weir_value *map, const char *key, char *text) {
    uint64_t number;
    if (weir_get_u64(map, key, &number) != WEIR_OK)
        return "-";
    snprintf(text, FIELD_SIZE, "%" PRIu64, number);
    return text;
}

/* "1 message", "- messages" */
static const char *count_field(const weir_value *map, const char *key, const char *noun, char *text) {
    uint64_t number = 0;
    int is_known = weir_get_u64(map, key, &number) == WEIR_OK;
    if (is_known)
        snprintf(text, FIELD_SIZE, "%" PRIu64 " %s%s", number, noun, CLI_S(number));
    else
        snprintf(text, FIELD_SIZE, "- %ss", noun);
    return text;
}

/* "weir (812 daq)" */
static void process_field(const weir_value *map, weir_buffer *line) {
    field(map, "program", line);
    append(line, " (pid ");
    field(map, "pid", line);
    append(line, ", user ");
    field(map, "user", line);
    append(line, is_true(map, "is_stopped") ? ", stopped)" : is_true(map, "is_gone") ? ", gone)" : ")");
}

/* ---- lines for scripts ---- */

static void tabs(const char *what, const weir_value *map, const char *const *keys, weir_buffer *line) {
    append(line, "%s", what);
    for (; *keys; keys++) {
        append(line, "\t");
        field(map, *keys, line);
    }
    cli_print_line(line);
}

static const char *const channel_keys[] = {"address", "transport", "state", "path", "owner",
                                           "group",   "mode",      "keep",  NULL};
static const char *const lane_keys[] = {"lane",     "state",      "pid",    "user",  "program", "segment",
                                        "capacity", "used",       "unread", "seq",   "oldest",  "newest",
                                        "is_lossy", "is_blocked", "copied", "error", NULL};
static const char *const reader_keys[] = {"slot",    "role",       "state",         "pid",        "user",
                                          "program", "is_holding", "is_in_the_way", "is_stopped", "sleeps_on",
                                          "wait",    "gaps",       "copied",        NULL};
static const char *const lag_keys[] = {"lane", "messages", "bytes", "lost", "full", NULL};
static const char *const end_keys[] = {"role",
                                       "pid",
                                       "user",
                                       "program",
                                       "messages",
                                       "bytes",
                                       "waits",
                                       "gaps",
                                       "last",
                                       "options.full",
                                       "options.capacity",
                                       "options.max",
                                       "options.keep",
                                       "options.readers",
                                       "options.wait",
                                       "address",
                                       NULL};
static const char *const log_keys[] = {"framing",   "bytes",   "last_seq",  "last",  "torn_bytes", "readers_holding",
                                       "observers", "problem", "first_seq", "first", "disk_bytes", NULL};
static const char *const peer_keys[] = {"role",     "pid",       "user",   "program",  "is_stopped", "full",
                                        "is_plain", "is_paused", "queued", "capacity", NULL};
static const char *const behind_keys[] = {"role",         "pid",    "is_stopped", "behind.messages",
                                          "behind.bytes", "queued", NULL};
static const char *const pipe_keys[] = {"inside", "pipe_size", NULL};
static const char *const copies_keys[] = {"copies", NULL};
static const char *const writer_keys[] = {"lane", "pid", "user", "program", "is_stopped", NULL};
static const char *const rotated_keys[] = {"path", "bytes", NULL};
static const char *const process_keys[] = {"pid", "user", "program", "is_stopped", NULL};

static void each_tabs(const char *what, const weir_value *info, const char *key, const char *const *keys,
                      weir_buffer *line) {
    const weir_value *list = NULL, *lags = NULL;
    weir_iter it, lag;
    if (weir_get(info, key, &list) != WEIR_OK || weir_value_kind(list) != WEIR_KIND_ARRAY)
        return;
    weir_iter_init(&it, list);
    while (weir_iter_next(&it)) {
        tabs(what, it.value, keys, line);
        if (weir_get(it.value, "lags", &lags) != WEIR_OK || weir_value_kind(lags) != WEIR_KIND_ARRAY)
            continue;
        weir_iter_init(&lag, lags);
        while (weir_iter_next(&lag)) {
            append(line, "lag\t");
            field(it.value, "slot", line);
            append(line, "\t");
            field(lag.value, "lane", line);
            for (const char *const *next = lag_keys + 1; *next; next++) {
                append(line, "\t");
                field(lag.value, *next, line);
            }
            cli_print_line(line);
        }
    }
}

static void info_tabs(const weir_value *info, weir_buffer *line) {
    const weir_value *process = NULL;
    tabs("channel", info, channel_keys, line);
    if (weir_get(info, "server", &process) == WEIR_OK && weir_value_kind(process) == WEIR_KIND_MAP)
        tabs("server", process, process_keys, line);
    if (weir_get(info, "listener", &process) == WEIR_OK && weir_value_kind(process) == WEIR_KIND_MAP)
        tabs("listener", process, process_keys, line);
    if (weir_get(info, "writer", &process) == WEIR_OK && weir_value_kind(process) == WEIR_KIND_MAP)
        tabs("writer", process, process_keys, line);
    if (weir_get(info, "reader", &process) == WEIR_OK && weir_value_kind(process) == WEIR_KIND_MAP)
        tabs("reader", process, process_keys, line);
    if (weir_get(info, "framing", &process) == WEIR_OK)
        tabs("log", info, log_keys, line);
    if (weir_get(info, "inside", &process) == WEIR_OK)
        tabs("pipe", info, pipe_keys, line);
    if (weir_get(info, "copies", &process) == WEIR_OK)
        tabs("copies", info, copies_keys, line);
    each_tabs("peer", info, "peers", peer_keys, line);
    each_tabs("writer", info, "writers", writer_keys, line);
    each_tabs("rotated", info, "rotated", rotated_keys, line);
    each_tabs("lane", info, "lanes", lane_keys, line);
    each_tabs("reader", info, "readers", reader_keys, line);
    each_tabs("end", info, "ends", end_keys, line);
    each_tabs("behind", info, "ends", behind_keys, line);
}

/* ---- tables for people ---- */

static void label(weir_buffer *line, const char *name) {
    append(line, "%s%-10s%s ", cli_style(CLI_DIM), name, cli_style(CLI_PLAIN));
}

static void pair_print(const weir_value *info, const char *key, weir_buffer *line) {
    const weir_value *value = NULL;
    if (weir_get(info, key, &value) != WEIR_OK || weir_value_kind(value) == WEIR_KIND_NULL)
        return;
    label(line, key);
    if (weir_value_kind(value) == WEIR_KIND_MAP)
        process_field(value, line);
    else
        field(info, key, line);
    cli_print_line(line);
}

/* Whom allow= names, with blanks between. */
static void allow_print(const weir_value *info, weir_buffer *line) {
    const weir_value *allow = NULL;
    weir_iter it;
    if (weir_get(info, "allow", &allow) != WEIR_OK || weir_value_kind(allow) != WEIR_KIND_ARRAY)
        return;
    label(line, "allow");
    weir_iter_init(&it, allow);
    for (const char *between = ""; weir_iter_next(&it); between = " ") {
        append(line, "%s", between);
        field(it.value, NULL, line);
    }
    cli_print_line(line);
}

/* Which writers of a sealed channel are there. */
static void writers_print(const weir_value *info, weir_buffer *line) {
    const weir_value *writers = NULL, *sealed = NULL;
    weir_iter it;
    if (weir_get(info, "sealed", &sealed) != WEIR_OK || weir_get(info, "writers", &writers) != WEIR_OK)
        return;
    label(line, "sealed");
    append(line, weir_value_count(writers) ? "writers:" : "no writer is there");
    weir_iter_init(&it, writers);
    while (weir_iter_next(&it)) {
        append(line, " ");
        field(it.value, "number", line);
        if (text_is(it.value, "state", "dead"))
            append(line, " (dead)");
    }
    cli_print_line(line);
}

static void head_print(const weir_value *info, weir_buffer *line) {
    const weir_value *value = NULL;
    append(line, "%s", cli_style(CLI_BOLD));
    field(info, "address", line);
    append(line, "%s  ", cli_style(CLI_PLAIN));
    field(info, "state", line);
    cli_print_line(line);
    pair_print(info, "path", line);
    if (weir_get(info, "owner", &value) == WEIR_OK) {
        label(line, "owner");
        field(info, "owner", line);
        append(line, ", group ");
        field(info, "group", line);
        append(line, ", mode ");
        field(info, "mode", line);
        cli_print_line(line);
    }
    allow_print(info, line);
    if (weir_get(info, "keep", &value) == WEIR_OK) {
        label(line, "keep");
        append(line, "%s",
               weir_value_kind(value) == WEIR_KIND_NULL ? "no writer has decided yet"
               : is_true(info, "keep")                  ? "it outlives its ends"
                                                        : "it goes with its last end");
        cli_print_line(line);
    }
    writers_print(info, line);
    pair_print(info, "copies", line);
    pair_print(info, "server", line);
    pair_print(info, "listener", line);
    pair_print(info, "writer", line);
    pair_print(info, "reader", line);
    if (weir_get(info, "inside", &value) == WEIR_OK && weir_value_kind(value) != WEIR_KIND_NULL) {
        char size[2][16];
        label(line, "pipe");
        append(line, "%s of %s inside", size_field(info, "inside", size[0]), size_field(info, "pipe_size", size[1]));
        cli_print_line(line);
    }
}

static void title_print(const char *title, weir_buffer *line) {
    append(line, "%s%s%s", cli_style(CLI_DIM), title, cli_style(CLI_PLAIN));
    cli_print_line(line);
}

/* A second line that says why, where there is something to say. */
static void because_print(const char *before, const weir_value *map, const char *key, weir_buffer *line) {
    const weir_value *value = NULL;
    if (weir_get(map, key, &value) != WEIR_OK || weir_value_kind(value) == WEIR_KIND_NULL)
        return;
    append(line, "      %s", before);
    field(map, key, line);
    cli_print_line(line);
}

static void lane_print(const weir_value *lane, weir_buffer *line) {
    char number[4][FIELD_SIZE], size[3][16], age[2][16];
    if (!text_is(lane, "state", "held") && !text_is(lane, "state", "free")) {
        append(line, "%4s  ", number_field(lane, "lane", number[0]));
        field(lane, "error", line);
        cli_print_line(line);
        return;
    }
    append(line, "%4s %s%-5s%s %7s %7s %7s %12s %8s %8s  ", number_field(lane, "lane", number[0]),
           cli_style(text_is(lane, "state", "held") ? CLI_BOLD : CLI_DIM),
           text_is(lane, "state", "held") ? "held" : "free", cli_style(CLI_PLAIN),
           size_field(lane, "capacity", size[0]), size_field(lane, "used", size[1]),
           size_field(lane, "unread", size[2]), number_field(lane, "seq", number[1]), age_field(lane, "oldest", age[0]),
           age_field(lane, "newest", age[1]));
    if (text_is(lane, "state", "held"))
        process_field(lane, line);
    else
        append(line, "no writer");
    cli_print_line(line);
    because_print("readers copy: ", lane, "copied", line);
    if (is_true(lane, "is_blocked")) {
        append(line, "      its writer waits for room");
        cli_print_line(line);
    }
}

/* What its being behind does to writers. */
static const char *holding_of(const weir_value *reader) {
    const weir_value *lags = NULL;
    int waits = 0, fails = 0, drops = 0;
    weir_iter it;
    if (text_is(reader, "role", "observer") || text_is(reader, "role", "client"))
        return "holds nothing back";
    if (!is_true(reader, "is_holding"))
        return "holds nothing back (full=drop-oldest overwrites what it has not read)";
    if (weir_get(reader, "lags", &lags) != WEIR_OK || weir_value_count(lags) == 0)
        return "holds writers back";
    weir_iter_init(&it, lags);
    while (weir_iter_next(&it)) {
        fails |= text_is(it.value, "full", "fail");
        drops |= text_is(it.value, "full", "drop-newest");
        waits |= !text_is(it.value, "full", "fail") && !text_is(it.value, "full", "drop-newest") &&
                 !text_is(it.value, "full", "drop-oldest");
    }
    return waits   ? "holds writers back"
           : fails ? "makes sends fail once it is a lane behind (full=fail)"
           : drops ? "makes writers drop what is new once it is a lane behind (full=drop-newest)"
                   : "holds nothing back (full=drop-oldest overwrites what it has not read)";
}

static void lag_print(const weir_value *lag, weir_buffer *line) {
    char number[2][FIELD_SIZE], size[16];
    uint64_t lost = 0, bytes;
    append(line, "      %s ", count_field(lag, "messages", "message", number[0]));
    if (weir_get_u64(lag, "bytes", &bytes) == WEIR_OK)
        append(line, "(%s) ", cli_size(bytes, size));
    append(line, "behind lane %s", number_field(lag, "lane", number[1]));
    if (weir_get_u64(lag, "lost", &lost) == WEIR_OK && lost > 0)
        append(line, ", and %" PRIu64 " more that it cannot get any more: overwritten before it read them", lost);
    cli_print_line(line);
}

static void reader_print(const weir_value *reader, weir_buffer *line) {
    char number[2][FIELD_SIZE];
    const weir_value *lags = NULL;
    weir_iter it;
    append(line, "%4s ", number_field(reader, "slot", number[0]));
    append(line, "%s", cli_style(text_is(reader, "state", "live") ? CLI_BOLD : CLI_DIM));
    field(reader, "role", line);
    append(line, "%s ", cli_style(CLI_PLAIN));
    process_field(reader, line);
    append(line, ", %s, wait=", holding_of(reader));
    field(reader, "wait", line);
    append(line, ", told of %s missed", number_field(reader, "gaps", number[1]));
    if (text_is(reader, "state", "dead"))
        append(line, "; dead, its place is given away when somebody needs it");
    cli_print_line(line);
    because_print("asleep on its ", reader, "sleeps_on", line);
    because_print("it copies: ", reader, "copied", line);
    if (is_true(reader, "is_in_the_way")) {
        append(line, "      a writer waits for it");
        cli_print_line(line);
    }
    if (weir_get(reader, "lags", &lags) != WEIR_OK || weir_value_kind(lags) != WEIR_KIND_ARRAY)
        return;
    weir_iter_init(&it, lags);
    while (weir_iter_next(&it))
        lag_print(it.value, line);
}

/* What an end of a log adds to its options. */
static void file_options_print(const weir_value *end, weir_buffer *line) {
    const weir_value *sync = NULL;
    char size[16], number[FIELD_SIZE], age[16];
    int64_t ns = 0;
    if (weir_get(end, "options.sync", &sync) != WEIR_OK)
        return;
    append(line, " sync=");
    field(end, "options.sync", line);
    if (weir_get_i64(end, "options.sync_interval", &ns) == WEIR_OK)
        append(line, ":%s", cli_age(ns, age));
    if (weir_get_u64(end, "options.rotate", &(uint64_t){0}) == WEIR_OK)
        append(line, " rotate=%s", size_field(end, "options.rotate", size));
    if (weir_get_i64(end, "options.age", &ns) == WEIR_OK)
        append(line, " age=%s", cli_age(ns, age));
    append(line, " files=%s", number_field(end, "options.files", number));
}

static void behind_print(const weir_value *end, weir_buffer *line) {
    char number[FIELD_SIZE], size[16];
    uint64_t queued = 0, value;
    if (weir_get_u64(end, "behind.messages", &value) == WEIR_OK)
        append(line, "; %s behind", count_field(end, "behind.messages", "message", number));
    if (weir_get_u64(end, "behind.bytes", &value) == WEIR_OK)
        append(line, " (%s)", cli_size(value, size));
    if (weir_get_u64(end, "queued", &queued) == WEIR_OK && queued > 0)
        append(line, "; %s wait in its memory to be sent", cli_size(queued, size));
}

static void peer_print(const weir_value *peer, weir_buffer *line) {
    const weir_value *full = NULL;
    char size[2][16];
    append(line, "     %s", cli_style(CLI_BOLD));
    field(peer, "role", line);
    append(line, "%s ", cli_style(CLI_PLAIN));
    process_field(peer, line);
    append(line, ": %s of %s wait for it%s", size_field(peer, "queued", size[0]), size_field(peer, "capacity", size[1]),
           is_true(peer, "is_plain") ? ", speaks no frames" : "");
    if (weir_get(peer, "full", &full) == WEIR_OK && weir_value_kind(full) != WEIR_KIND_NULL) {
        append(line, ", full=");
        field(peer, "full", line);
    }
    if (is_true(peer, "is_paused"))
        append(line, "; its next message waits for room with a reader");
    cli_print_line(line);
}

static void end_print(const weir_value *end, weir_buffer *line) {
    char number[4][FIELD_SIZE], size[2][16], age[2][16];
    append(line, "     %s", cli_style(CLI_BOLD));
    field(end, "role", line);
    append(line, "%s ", cli_style(CLI_PLAIN));
    process_field(end, line);
    append(line, " for %s: %s, %s, %s missed, last %s", age_field(end, "since", age[0]),
           count_field(end, "messages", "message", number[0]), count_field(end, "waits", "wait", number[1]),
           number_field(end, "gaps", number[2]), age_field(end, "last", age[1]));
    behind_print(end, line);
    cli_print_line(line);
    append(line, "      full=");
    field(end, "options.full", line);
    append(line, " capacity=%s max=%s keep=%d readers=%s wait=", size_field(end, "options.capacity", size[0]),
           size_field(end, "options.max", size[1]), is_true(end, "options.keep"),
           number_field(end, "options.readers", number[3]));
    field(end, "options.wait", line);
    file_options_print(end, line);
    cli_print_line(line);
}

static void each_print(const weir_value *info, const char *key, const char *title,
                       void (*print)(const weir_value *item, weir_buffer *line), weir_buffer *line) {
    const weir_value *list = NULL;
    weir_iter it;
    if (weir_get(info, key, &list) != WEIR_OK)
        return;
    if (weir_value_kind(list) != WEIR_KIND_ARRAY) {
        label(line, key);
        append(line, "not yours to see");
        cli_print_line(line);
        return;
    }
    if (weir_value_count(list) > 0)
        title_print(title, line);
    weir_iter_init(&it, list);
    while (weir_iter_next(&it))
        print(it.value, line);
}

/* Which messages there are, and how old they are. */
static void messages_print(const weir_value *info, weir_buffer *line) {
    char number[2][FIELD_SIZE], age[16];
    uint64_t last;
    if (is_true(info, "is_state")) {
        append(line, "; one value, put there %s ago", age_field(info, "last", age));
        return;
    }
    if (weir_get_u64(info, "last_seq", &last) != WEIR_OK)
        return;
    if (last == 0) {
        append(line, "; no message yet");
        return;
    }
    append(line, "; messages %s to %s", number_field(info, "first_seq", number[0]),
           number_field(info, "last_seq", number[1]));
    append(line, ", the first %s old", age_field(info, "first", age));
    append(line, ", the last %s", age_field(info, "last", age));
}

/* What a log says that other channels do not. */
static void log_print(const weir_value *info, weir_buffer *line) {
    char number[2][FIELD_SIZE], size[16];
    const weir_value *value = NULL;
    uint64_t torn = 0;
    if (weir_get(info, "framing", &value) != WEIR_OK)
        return;
    pair_print(info, "framing", line);
    pair_print(info, "problem", line);
    label(line, "holds");
    append(line, "%s, ", size_field(info, "bytes", size));
    append(line, "%s on the disk", size_field(info, "disk_bytes", size));
    messages_print(info, line);
    if (weir_get_u64(info, "torn_bytes", &torn) == WEIR_OK && torn > 0)
        append(line, "; %s that a killed writer left, which the next one cuts off",
               count_field(info, "torn_bytes", "byte", number[0]));
    cli_print_line(line);
    if (is_true(info, "is_state")) /* its readers take no lock */
        return;
    label(line, "read by");
    append(line, "%s, %s", count_field(info, "readers_holding", "reader", number[0]),
           count_field(info, "observers", "observer", number[1]));
    cli_print_line(line);
}

static void writer_print(const weir_value *writer, weir_buffer *line) {
    char number[FIELD_SIZE];
    append(line, "%4s  ", number_field(writer, "lane", number));
    process_field(writer, line);
    cli_print_line(line);
}

static void rotated_print(const weir_value *rotated, weir_buffer *line) {
    char size[16];
    append(line, "%7s  ", size_field(rotated, "bytes", size));
    field(rotated, "path", line);
    cli_print_line(line);
}

/* A listener tells of its first connections only. */
static void unseen_print(const weir_value *info, weir_buffer *line) {
    uint64_t unseen = 0;
    if (weir_get_u64(info, "peers_unseen", &unseen) != WEIR_OK || unseen == 0)
        return;
    append(line, "     and %" PRIu64 " more", unseen);
    cli_print_line(line);
}

static void info_print(const weir_value *info, weir_buffer *line) {
    const weir_value *sealed = NULL;
    head_print(info, line);
    log_print(info, line);
    each_print(info, "peers", "     CONNECTED TO WHO LISTENS", peer_print, line);
    unseen_print(info, line);
    if (weir_get(info, "sealed", &sealed) != WEIR_OK)
        each_print(info, "writers", "WRITERS", writer_print, line);
    each_print(info, "rotated", "PUT ASIDE", rotated_print, line);
    each_print(info, "lanes", "LANE STATE    SIZE    USED  UNREAD          SEQ   OLDEST   NEWEST  WRITER", lane_print,
               line);
    each_print(info, "readers", "SLOT READER", reader_print, line);
    each_print(info, "ends", "     OPEN ENDS OF YOURS", end_print, line);
}

/* ---- the command ---- */

/* The object behind a "v" of 1. */
static int info_json(const weir_value *info, weir_buffer *line, weir_error *err) {
    weir_codec_options plain = WEIR_CODEC_OPTIONS_INIT;
    weir_doc *doc = NULL;
    const weir_value *root = NULL;
    weir_iter it;
    plain.flags = WEIR_PLAIN;
    int status = weir_doc_new(&doc);
    if (status)
        return status;
    weir_begin_map(doc);
    weir_put_key(doc, "v");
    weir_put_i64(doc, 1);
    weir_iter_init(&it, info);
    while (weir_iter_next(&it)) {
        weir_put_value(doc, it.key);
        weir_put_value(doc, it.value);
    }
    weir_end(doc);
    status = weir_doc_finish(doc, &root, err);
    if (status == WEIR_OK)
        status = weir_encode(root, WEIR_CODEC_JSON, &plain, line, err);
    if (status == WEIR_OK)
        cli_print_line(line);
    weir_doc_free(doc);
    return status;
}

static int run(int argc, char **argv) {
    (void)argc;
    weir_doc *doc = NULL;
    weir_buffer *line = NULL;
    weir_error err = {0};
    int status = weir_doc_new(&doc) || weir_buffer_new(&line) ? WEIR_ENOMEM : WEIR_OK;
    if (status == WEIR_OK)
        status = weir_channel_info(argv[0], doc, &err);
    if (status == WEIR_OK && args.is_json)
        status = info_json(weir_doc_root(doc), line, &err);
    else if (status == WEIR_OK && cli_is_terminal())
        info_print(weir_doc_root(doc), line);
    else if (status == WEIR_OK)
        info_tabs(weir_doc_root(doc), line);
    weir_buffer_free(line);
    weir_doc_free(doc);
    return status ? cli_error(status, &err) : CLI_OK;
}

const struct cli_command cli_info = {
    .name = "info",
    .summary = "say why a channel is as it is: who waits for whom, what is copied and why",
    .usage = "ADDR [--json]",
    .examples = "  weir info lab/imu\n"
                "  weir info lab/imu | grep ^lag\n"
                "  weir info lab/imu --json | jq '.readers[] | select(.is_in_the_way).pid'\n",
    .options = options,
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run,
};
