/* weir record: the messages of any channels, as they are, in one log that `weir play` sends again.
 *
 * Messages are taken from all channels that have some, the one that was sent first before the others, and brought to
 * the log in batches: what one batch holds is in the log once it is written, whoever is killed afterwards. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "recording.h"

enum { CHANNELS_MAX = 256, BATCH_COUNT = 256, BATCH_BYTES = 1 << 20 };

static struct {
    const char *log, *from, *sync, *rotate, *age, *files;
    uint64_t count;
    int64_t timeout_ns;
    int is_verbose;
} args = {.timeout_ns = WEIR_FOREVER};

static const struct cli_option options[] = {
    {"o", CLI_TEXT, &args.log, "LOG", "the log, which goes on if it is there (default weir-DATE.weir here)"},
    {"from", CLI_TEXT, &args.from, "F", "begin at oldest, last, now, seq:N or a time ago, -10s (default now)"},
    {"n", CLI_COUNT, &args.count, "N", "end after N messages"},
    {"timeout", CLI_DURATION, &args.timeout_ns, "D", "end with 4 when no message comes for D (default forever)"},
    {"sync", CLI_TEXT, &args.sync, "WHEN", "bring the log to the disk: none (default), interval:D or always"},
    {"rotate", CLI_TEXT, &args.rotate, "SIZE", "put the log aside as LOG.1 when it gets larger"},
    {"age", CLI_TEXT, &args.age, "D", "put the log aside when its first message is older"},
    {"files", CLI_TEXT, &args.files, "N", "how many put aside are kept (default 4)"},
    {"v", CLI_FLAG, &args.is_verbose, NULL, "say what is recorded where, and how much it was, also without a terminal"},
    {0},
};

/* A channel that is recorded. */
struct source {
    char *name;
    weir_reader *reader;   /* NULL: it has failed */
    weir_message *message; /* the next one, if it is there */
    int64_t time;          /* by which it is sorted among those of other channels */
    uint64_t taken;        /* messages that are in the log */
};

struct recorder {
    struct source sources[CHANNELS_MAX];
    int count, alive;
    char *log_address;
    weir_writer *log;
    weir_doc *doc;
    uint64_t taken;
    int failure;   /* exit code of the first channel that failed */
    int is_broken; /* the log takes no more */
};

/* ---- taking and writing ---- */

/* The channel's next message, if there is one now. A channel that fails is given up; the others go on. */
static void source_look(struct recorder *recorder, struct source *source) {
    weir_error err = {0};
    int status = weir_reader_next(source->reader, 0, &source->message, &err);
    while (status == WEIR_ECORRUPT) { /* one writer is given up, or damage was passed over */
        cli_error(status, &err);
        status = weir_reader_next(source->reader, 0, &source->message, &err);
    }
    if (status != WEIR_OK)
        source->message = NULL;
    if (status != WEIR_OK && status != WEIR_ETIMEOUT) {
        int exit = cli_error(status, &err);
        recorder->failure = recorder->failure ? recorder->failure : exit;
        source->reader = weir_reader_close(source->reader);
        recorder->alive--;
    }
    if (source->message) {
        source->time = weir_message_time(source->message);
        source->time = source->time ? source->time : cli_now();
    }
}

static struct source *source_earliest(struct recorder *recorder) {
    struct source *found = NULL;
    for (int i = 0; i < recorder->count; i++) {
        struct source *source = &recorder->sources[i];
        if (source->message && (!found || source->time < found->time))
            found = source;
    }
    return found;
}

static int message_record(struct recorder *recorder, struct source *source) {
    weir_message *message = source->message;
    struct recording_entry entry = {.from = {source->name, strlen(source->name)},
                                    .seq = weir_message_seq(message),
                                    .writer = weir_message_writer(message),
                                    .gap = weir_message_gap(message),
                                    .time = weir_message_time(message)};
    const weir_value *meta = NULL;
    weir_error err = {0};
    if (entry.gap)
        cli_say("%s: %" PRIu64 " message%s lost before seq %" PRIu64, source->name, entry.gap, CLI_S(entry.gap),
                entry.seq);
    int status = weir_message_meta(message, &entry.meta, &err);
    if (status == WEIR_OK)
        status = recording_meta_make(&entry, recorder->doc, &meta, &err);
    if (status == WEIR_OK)
        status = recording_forward(recorder->log, message, meta, &err);
    recorder->taken += status == WEIR_OK;
    source->taken += status == WEIR_OK;
    recorder->is_broken |= status && !recording_is_hopeless(status);
    if (!recording_is_hopeless(status))
        return status ? cli_error(status, &err) : CLI_OK;
    cli_say("%s: seq %" PRIu64 " cannot be recorded: %s", source->name, entry.seq,
            err.text[0] ? err.text : weir_err_text(status));
    return CLI_OK;
}

static int is_enough(const struct recorder *recorder) {
    return args.count && recorder->taken >= args.count;
}

/* Write what is there, a batch at most. *ret_count: messages taken. */
static int batch_record(struct recorder *recorder, uint64_t *ret_count) {
    weir_error err = {0};
    struct source *source;
    uint64_t count = 0, bytes = 0;
    int exit = CLI_OK;
    for (int i = 0; i < recorder->count; i++)
        if (recorder->sources[i].reader && !recorder->sources[i].message)
            source_look(recorder, &recorder->sources[i]);
    weir_writer_cork(recorder->log);
    while (exit == CLI_OK && !is_enough(recorder) && count < BATCH_COUNT && bytes < BATCH_BYTES &&
           (source = source_earliest(recorder)) != NULL) {
        count++;
        bytes += weir_message_bytes(source->message).size;
        exit = message_record(recorder, source);
        source->message = NULL;
        if (!is_enough(recorder))
            source_look(recorder, source);
    }
    int status = weir_writer_uncork(recorder->log, &err);
    *ret_count = count;
    recorder->is_broken |= status != WEIR_OK;
    return exit ? exit : status ? cli_error(status, &err) : CLI_OK;
}

/* Wait a moment for a message of any channel. */
static int moment_wait(struct recorder *recorder, int64_t deadline) {
    weir_wait_item items[CHANNELS_MAX];
    weir_error err = {0};
    size_t count = 0;
    for (int i = 0; i < recorder->count; i++)
        if (recorder->sources[i].reader)
            items[count++] = (weir_wait_item){.reader = recorder->sources[i].reader};
    int status = weir_wait(items, count, cli_slice(deadline), &err);
    return status && status != WEIR_ETIMEOUT ? cli_error(status, &err) : CLI_OK;
}

/* ---- what is said ---- */

/* "lab/imu", "lab/imu and 2 more": the channels, as a sentence begins with them. */
static const char *sources_name(const struct recorder *recorder) {
    static char text[320];
    int others = recorder->count - 1;
    if (others > 0)
        snprintf(text, sizeof(text), "%.280s and %d more", recorder->sources[0].name, others);
    else
        snprintf(text, sizeof(text), "%s", recorder->sources[0].name);
    return text;
}

/* People are told; a program that reads stderr is not, unless it asks. */
static int is_talkative(void) {
    return args.is_verbose || isatty(STDERR_FILENO);
}

static void begin_tell(const struct recorder *recorder, const char *path) {
    if (!is_talkative()) {
        if (!args.log) /* else nobody knows the name */
            cli_say("recording to %s", path);
        return;
    }
    for (int i = 0; i < recorder->count; i++)
        cli_say("recording %s to %s%s", recorder->sources[i].name, path,
                i + 1 == recorder->count && !args.count ? " until Ctrl-C" : "");
}

static void end_tell(const struct recorder *recorder, const char *path) {
    if (!is_talkative())
        return;
    for (int i = 0; i < recorder->count; i++)
        cli_say("%s: %" PRIu64 " message%s of %s", path, recorder->sources[i].taken, CLI_S(recorder->sources[i].taken),
                recorder->sources[i].name);
}

/* The log has taken no more, and what of a batch it took only the log knows. The writer is closed. */
static void broken_tell(const struct recorder *recorder, const char *path) {
    weir_message *newest = NULL;
    if (weir_latest(recorder->log_address, &newest, NULL) == WEIR_OK)
        cli_say("%s: recording is over; the log ends with message %" PRIu64, path, weir_message_seq(newest));
    else
        cli_say("%s: recording is over; the log holds no message", path);
    weir_message_free(newest);
}

static int record(struct recorder *recorder) {
    int64_t deadline = cli_deadline(args.timeout_ns);
    int exit = CLI_OK;
    char age[16];
    while (exit == CLI_OK && recorder->alive > 0 && !is_enough(recorder)) {
        uint64_t count = 0;
        exit = batch_record(recorder, &count);
        if (cli_is_interrupted())
            return exit ? exit : CLI_SIGNAL + cli_is_interrupted();
        if (exit || is_enough(recorder))
            break;
        if (count > 0)
            deadline = cli_deadline(args.timeout_ns);
        else if (cli_clock() >= deadline)
            return cli_fail(
                CLI_TIMEOUT, "%s: no message for %s, after %" PRIu64 " message%s; weir ls shows who is there",
                sources_name(recorder), cli_age(args.timeout_ns, age), recorder->taken, CLI_S(recorder->taken));
        else if (recorder->alive > 0)
            exit = moment_wait(recorder, deadline);
    }
    return exit ? exit : recorder->failure;
}

/* ---- setting up ---- */

static int source_check(const struct recorder *recorder, const struct source *source) {
    size_t size = strcspn(recorder->log_address, "?");
    if (strlen(source->name) == size && strncmp(source->name, recorder->log_address, size) == 0)
        return cli_fail(CLI_USAGE, "record: %s cannot be recorded in itself", source->name);
    for (const struct source *other = recorder->sources; other < source; other++)
        if (strcmp(other->name, source->name) == 0)
            return cli_fail(CLI_USAGE, "record: %s is named twice", source->name);
    return CLI_OK;
}

static int source_open(struct recorder *recorder, const char *address) {
    struct source *source = &recorder->sources[recorder->count];
    weir_error err = {0};
    source->name = recording_name(address);
    char *with_from = args.from ? cli_address(address, "from", args.from) : NULL;
    if (!source->name || (args.from && !with_from)) {
        free(source->name);
        return cli_fail(CLI_FAILURE, "out of memory");
    }
    recorder->count++;
    int exit = source_check(recorder, source);
    int status = exit ? WEIR_OK : weir_reader_open(with_from ? with_from : address, &source->reader, &err);
    free(with_from);
    recorder->alive += source->reader != NULL;
    return status ? cli_error(status, &err) : exit;
}

/* Add an option to an address in *text, if there is one. Return: 0, or -1 without memory. */
static int option_add(char **text, const char *option, const char *value) {
    char *longer = value ? cli_address(*text, option, value) : NULL;
    if (value && !longer)
        return -1;
    if (longer) {
        free(*text);
        *text = longer;
    }
    return 0;
}

static const char *log_name(void) {
    static char name[64];
    time_t now = time(NULL);
    struct tm local;
    localtime_r(&now, &local);
    strftime(name, sizeof(name), "weir-%Y-%m-%dT%H-%M-%S.weir", &local);
    return name;
}

/* The log's address, with what the options say of it. */
static int log_prepare(struct recorder *recorder, const char *path) {
    int exit = recording_address(path, &recorder->log_address);
    if (exit == CLI_OK && (option_add(&recorder->log_address, "sync", args.sync) ||
                           option_add(&recorder->log_address, "rotate", args.rotate) ||
                           option_add(&recorder->log_address, "age", args.age) ||
                           option_add(&recorder->log_address, "files", args.files)))
        exit = cli_fail(CLI_FAILURE, "out of memory");
    return exit;
}

static int log_open(struct recorder *recorder) {
    weir_error err = {0};
    int status = weir_writer_open(recorder->log_address, &recorder->log, &err);
    return status ? cli_error(status, &err) : CLI_OK;
}

static int path_check(void) {
    size_t size = args.log ? strlen(args.log) : 0;
    if (!args.log || (size > 5 && strcmp(args.log + size - 5, ".weir") == 0))
        return CLI_OK;
    return cli_fail(CLI_USAGE, "record: -o %s: a recording is a binary log, and its name ends in .weir", args.log);
}

static int run(int argc, char **argv) {
    static struct recorder recorder;
    const char *path = args.log ? args.log : log_name();
    int exit = path_check();
    if (exit == CLI_OK && weir_doc_new(&recorder.doc))
        exit = cli_fail(CLI_FAILURE, "out of memory");
    cli_signals_begin();
    if (exit == CLI_OK)
        exit = log_prepare(&recorder, path);
    for (int i = 0; i < argc && exit == CLI_OK; i++)
        exit = source_open(&recorder, argv[i]);
    if (exit == CLI_OK) /* last, so that nothing is left when a channel cannot be opened */
        exit = log_open(&recorder);
    if (exit == CLI_OK) {
        begin_tell(&recorder, path);
        exit = record(&recorder);
        end_tell(&recorder, path);
    }
    for (int i = 0; i < recorder.count; i++) {
        weir_reader_close(recorder.sources[i].reader);
        free(recorder.sources[i].name);
    }
    if (recorder.is_broken) /* it has waited for room long enough */
        weir_writer_set_timeout(recorder.log, 0);
    weir_writer_close(recorder.log);
    if (recorder.is_broken)
        broken_tell(&recorder, path);
    weir_doc_free(recorder.doc);
    free(recorder.log_address);
    return exit;
}

const struct cli_command cli_record = {
    .name = "record",
    .summary = "keep the messages of channels in a log, to be played again",
    .usage = "[-o LOG.weir] [--from F] [-n N] [--timeout D] [--sync WHEN] [--rotate SIZE] [--age D] [--files N] [-v] "
             "ADDR ...",
    .examples = "  weir record lab/imu lab/gps                        both, until Ctrl-C, in weir-DATE.weir\n"
                "  weir record -o flight.weir --sync interval:1s lab/imu\n"
                "  weir sub file://$PWD/flight.weir --from oldest | jq '[.meta.from, .data]'\n",
    .options = options,
    .arguments_min = 1,
    .arguments_max = CHANNELS_MAX,
    .run = run,
};
