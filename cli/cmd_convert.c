/* weir convert: one codec to another, through the one document model. Items of a sequence go through one document,
 * which is how those of a Smile stream find the names of the ones before. Nothing is written before all of the input
 * has been read and understood, and OUT gets its name when it is whole, so bad input and a full disk leave it as it
 * was. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "dump.h"

static struct {
    const char *from, *to, *type;
    int is_canonical, is_strict, is_plain, is_sequence;
} args;

static const struct cli_option options[] = {
    {"from", CLI_TEXT, &args.from, "CODEC", "json, cbor, smile, bson, or raw"},
    {"to", CLI_TEXT, &args.to, "CODEC", "json, cbor, smile, bson, raw, or pretty (indented JSON)"},
    {"type", CLI_TEXT, &args.type, "T", "of raw data: f64[3], {t: i64, accel: f64[3]}"},
    {"canonical", CLI_FLAG, &args.is_canonical, NULL, "the one deterministic form"},
    {"strict", CLI_FLAG, &args.is_strict, NULL, "refuse what the codec cannot say, and repeated keys"},
    {"plain", CLI_FLAG, &args.is_plain, NULL, "the readable form people expect, which may lose types"},
    {"sequence", CLI_FLAG, &args.is_sequence, NULL, "any number of items after each other"},
    {0},
};

/* ---- progress: on a terminal, of large input, a few times a second ---- */

enum { PROGRESS_INPUT_MIN = 8 << 20, PROGRESS_ITEMS = 256, PROGRESS_STEP_MS = 100, PROGRESS_WIDTH = 48 };

static struct {
    int is_shown;
    int64_t next_ms;
} progress;

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* @done of @total bytes. */
static void progress_show(size_t done, size_t total) {
    char size[16], text[PROGRESS_WIDTH];
    if (total < PROGRESS_INPUT_MIN || !isatty(STDERR_FILENO) || now_ms() < progress.next_ms)
        return;
    snprintf(text, sizeof(text), "weir: %3d%% of %s", (int)(done / (total / 100)), cli_size(total, size));
    fprintf(stderr, "\r%-*s", PROGRESS_WIDTH - 1, text);
    fflush(stderr);
    progress.is_shown = 1;
    progress.next_ms = now_ms() + PROGRESS_STEP_MS;
}

/* Leave no trace of it, before anything else is said. */
static void progress_clear(void) {
    if (progress.is_shown)
        fprintf(stderr, "\r%*s\r", PROGRESS_WIDTH - 1, "");
    progress.is_shown = 0;
}

/* ---- conversion ---- */

struct conversion {
    int from, to;
    weir_type *type; /* of raw data; NULL: bytes, or an ndarray as it is */
    weir_codec_options decode, encode;
};

static int conversion_read(struct conversion *conversion, weir_error *err) {
    int is_pretty = args.to && strcmp(args.to, "pretty") == 0;
    conversion->decode = conversion->encode = (weir_codec_options)WEIR_CODEC_OPTIONS_INIT;
    conversion->decode.values_max = 1U << 31; /* files may be large; memory follows the input */
    conversion->decode.flags = (args.is_strict ? WEIR_STRICT : 0) | (args.is_sequence ? WEIR_SEQUENCE : 0);
    conversion->encode.flags = (args.is_strict ? WEIR_STRICT : 0) | (args.is_plain ? WEIR_PLAIN : 0) |
                               (args.is_canonical ? WEIR_CANONICAL : 0) | (is_pretty ? WEIR_PRETTY : 0);
    int status = weir_codec_find(args.from, &conversion->from, err);
    if (status)
        return status;
    return weir_codec_find(is_pretty ? "json" : args.to, &conversion->to, err);
}

/* White space between and behind the items of a JSON sequence. */
static size_t blanks(const struct conversion *conversion, weir_view input) {
    size_t size = 0;
    while (conversion->from == WEIR_CODEC_JSON && size < input.size && strchr(" \t\r\n", input.data[size]) &&
           input.data[size])
        size++;
    return size;
}

static int item_decode(const struct conversion *conversion, weir_view input, weir_doc *doc, size_t *ret_used,
                       weir_error *err) {
    size_t size = conversion->type ? weir_type_size(conversion->type) : 0;
    if (conversion->from != WEIR_CODEC_RAW || !conversion->type)
        return weir_decode(doc, conversion->from, input.data, input.size, &conversion->decode, ret_used, err);
    *ret_used = args.is_sequence && size < input.size ? size : input.size;
    return weir_type_decode(doc, conversion->type, input.data, *ret_used, &conversion->decode, err);
}

/* Numbers may be rounded to f32, unless strictness is asked for. */
static int item_encode(const struct conversion *conversion, const weir_value *value, weir_buffer *output,
                       weir_error *err) {
    if (conversion->to != WEIR_CODEC_RAW || !conversion->type)
        return weir_encode(value, conversion->to, &conversion->encode, output, err);
    return weir_type_encode(value, conversion->type, args.is_strict ? 0 : WEIR_ROUND, output, err);
}

static int item_convert(const struct conversion *conversion, weir_view input, weir_doc *doc, weir_buffer *output,
                        size_t *ret_used, weir_error *err) {
    int status = item_decode(conversion, input, doc, ret_used, err);
    if (status == WEIR_OK)
        status = item_encode(conversion, weir_doc_root(doc), output, err);
    if (status == WEIR_OK && conversion->to == WEIR_CODEC_JSON)
        status = weir_buffer_append(output, "\n", 1);
    return status;
}

static int convert(const struct conversion *conversion, const char *name, weir_view input, weir_buffer *output) {
    weir_doc *doc = NULL;
    weir_error err = {0};
    size_t used = 0, offset = 0, number = 0;
    int status = weir_doc_new(&doc);
    progress_show(0, input.size);
    if (status == WEIR_OK && !args.is_sequence)
        status = item_convert(conversion, input, doc, output, &used, &err);
    while (status == WEIR_OK && args.is_sequence) {
        offset += blanks(conversion, (weir_view){input.data + offset, input.size - offset});
        if (offset == input.size)
            break;
        number++;
        status =
            item_convert(conversion, (weir_view){input.data + offset, input.size - offset}, doc, output, &used, &err);
        offset += status ? 0 : used;
        if (number % PROGRESS_ITEMS == 0)
            progress_show(offset, input.size);
    }
    weir_doc_free(doc);
    progress_clear();
    if (status && number > 0)
        return cli_fail(cli_exit_of(status), "%s: item %zu, which begins at byte %zu: %s", name, number, offset,
                        err.text);
    return status ? cli_fail(cli_exit_of(status), "%s: %s", name, err.text[0] ? err.text : weir_err_text(status))
                  : CLI_OK;
}

/* Whether a path means standard input or output. */
static int is_standard(const char *path) {
    return !path || strcmp(path, "-") == 0;
}

static int input_read(const char *path, weir_buffer *input) {
    int is_stdin = is_standard(path);
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return cli_fail(errno == EACCES ? CLI_ACCESS : CLI_FAILURE, "%s: %s", path, strerror(errno));
    int exit = cli_read_all(fd, input, is_stdin ? "standard input" : path);
    if (!is_stdin)
        close(fd);
    return exit;
}

/* Show JSON on a terminal, which no text in it shall command. */
static int output_show(weir_view output) {
    weir_buffer *guarded = NULL;
    int status = weir_buffer_new(&guarded);
    if (status == WEIR_OK)
        status = cli_json_guard(output, guarded);
    if (status == WEIR_OK)
        cli_print(weir_buffer_view(guarded).data, weir_buffer_view(guarded).size);
    weir_buffer_free(guarded);
    return status == WEIR_OK ? CLI_OK : cli_fail(CLI_FAILURE, "out of memory");
}

/* Write all of it to @fd, and close that. Return: 0, or what went wrong. */
static int bytes_write(int fd, weir_view output) {
    size_t done = 0;
    int reason = 0;
    while (!reason && done < output.size) {
        ssize_t size = write(fd, output.data + done, output.size - done);
        if (size < 0 && errno != EINTR)
            reason = errno;
        done += size > 0 ? (size_t)size : 0;
    }
    return close(fd) != 0 && !reason ? errno : reason;
}

/* Write to a name beside @path, and rename when all is there. @like: the file that is there now, NULL for none. Return:
 * 0, or what went wrong; EACCES: in this directory nothing can be made. */
static int file_replace(const char *path, const struct stat *like, weir_view output) {
    char aside[PATH_MAX];
    if (snprintf(aside, sizeof(aside), "%s.%ld.new", path, (long)getpid()) >= (int)sizeof(aside))
        return ENAMETOOLONG;
    int fd = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, like ? 0600 : 0666);
    if (fd < 0)
        return errno;
    if (like && (fchown(fd, (uid_t)-1, like->st_gid) != 0 || fchmod(fd, like->st_mode & 0777) != 0))
        (void)!fchmod(fd, like->st_mode & 0700); /* not ours to give: then to nobody else */
    int reason = bytes_write(fd, output);
    if (!reason && rename(aside, path) != 0)
        reason = errno;
    if (reason)
        unlink(aside);
    return reason;
}

/* Where a link leads, so that it stays one; what is not a file (a device, a pipe) or belongs to somebody else is
 * written in place. */
static int file_write(const char *path, weir_view output) {
    char real[PATH_MAX];
    struct stat there;
    int is_there = stat(path, &there) == 0, reason = EACCES;
    if (is_there && S_ISREG(there.st_mode) && there.st_uid == geteuid() && access(path, W_OK) == 0 &&
        realpath(path, real))
        reason = file_replace(real, &there, output);
    else if (!is_there && lstat(path, &there) != 0)
        reason = file_replace(path, NULL, output);
    if (reason != EACCES && reason != EROFS && reason != ENAMETOOLONG)
        return reason;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return fd < 0 ? errno : bytes_write(fd, output);
}

static int output_write(const char *path, weir_view output) {
    if (is_standard(path) && cli_is_terminal())
        return output_show(output);
    if (is_standard(path)) {
        cli_print(output.data, output.size);
        return CLI_OK;
    }
    int reason = file_write(path, output);
    return reason ? cli_fail(reason == EACCES ? CLI_ACCESS : CLI_FAILURE, "%s: %s", path, strerror(reason)) : CLI_OK;
}

/* Bytes that are no text may command a terminal, and say nothing to a person. */
static int output_check(const struct conversion *conversion, const char *path) {
    if (conversion->to == WEIR_CODEC_JSON || !is_standard(path) || !cli_is_terminal())
        return CLI_OK;
    return cli_fail(CLI_USAGE, "convert: %s is nothing for a terminal; name a file, or pipe it into weir dump",
                    weir_codec_name(conversion->to));
}

/* The type, where one is given, and whether it makes sense. */
static int type_read(struct conversion *conversion) {
    int is_raw = conversion->from == WEIR_CODEC_RAW || conversion->to == WEIR_CODEC_RAW;
    if (args.type && !is_raw)
        return cli_fail(CLI_USAGE, "convert: --type goes with --from raw or --to raw");
    int exit = args.type ? cli_type(args.type, &conversion->type) : CLI_OK;
    if (exit == CLI_OK && args.is_sequence && conversion->from == WEIR_CODEC_RAW &&
        (!conversion->type || weir_type_size(conversion->type) == 0))
        return cli_fail(CLI_USAGE,
                        "convert: a --sequence of raw data needs a --type, which says how large each item is");
    return exit;
}

static int run(int argc, char **argv) {
    struct conversion conversion = {0};
    weir_buffer *input = NULL, *output = NULL;
    weir_error err = {0};
    if (!args.from || !args.to)
        return cli_fail(CLI_USAGE, "convert: say --from and --to; usage: weir convert %s", cli_convert.usage);
    int status = conversion_read(&conversion, &err);
    if (status)
        return cli_error(status, &err);
    int exit = output_check(&conversion, argc > 1 ? argv[1] : NULL);
    if (exit == CLI_OK)
        exit = type_read(&conversion);
    if (exit == CLI_OK && (weir_buffer_new(&input) || weir_buffer_new(&output)))
        exit = cli_fail(CLI_FAILURE, "out of memory");
    if (exit == CLI_OK)
        exit = input_read(argc > 0 ? argv[0] : NULL, input);
    if (exit == CLI_OK && conversion.from != WEIR_CODEC_RAW &&
        dump_is_log((const unsigned char *)weir_buffer_view(input).data, weir_buffer_view(input).size))
        exit = cli_log_refuse(argc > 0 ? argv[0] : NULL);
    if (exit == CLI_OK)
        exit = convert(&conversion, argc > 0 && !is_standard(argv[0]) ? argv[0] : "standard input",
                       weir_buffer_view(input), output);
    if (exit == CLI_OK)
        exit = output_write(argc > 1 ? argv[1] : NULL, weir_buffer_view(output));
    weir_buffer_free(input);
    weir_buffer_free(output);
    weir_type_free(conversion.type);
    return exit;
}

const struct cli_command cli_convert = {
    .name = "convert",
    .summary = "convert between JSON, CBOR, Smile, BSON and raw data",
    .usage = "--from json|cbor|smile|bson|raw --to json|cbor|smile|bson|raw|pretty [--type T] [--canonical] [--strict] "
             "[--plain] [--sequence] [IN [OUT]]",
    .examples = "  weir convert --from cbor --to pretty reading.cbor\n"
                "  weir convert --from json --to cbor --canonical < a.json > a.cbor\n"
                "  weir convert --from json --to cbor --sequence log.jsonl log.cborseq\n"
                "  weir convert --from smile --to json --sequence jackson.smile\n"
                "  weir convert --from raw --type '{t: i64, accel: f64[3]}' --to json --sequence log.bin\n",
    .options = options,
    .arguments_max = 2,
    .run = run,
};
