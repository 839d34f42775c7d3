/* weir sub: print the messages of a channel as they come. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"

static struct {
    uint64_t count;
    int64_t timeout_ns;
    const char *from, *type;
    int is_json, is_raw, is_pretty, is_strict;
} args = {.timeout_ns = WEIR_FOREVER};

static const struct cli_option options[] = {
    {"n", CLI_COUNT, &args.count, "N", "end after N messages"},
    {"timeout", CLI_DURATION, &args.timeout_ns, "D", "end with 4 when no message comes for D (default forever)"},
    {"from", CLI_TEXT, &args.from, "F", "begin at oldest, last, now, seq:N or a time ago, -10s (default now)"},
    {"type", CLI_TEXT, &args.type, "T", "end with 5 at a message that is not raw data of this type"},
    {"json", CLI_FLAG, &args.is_json, NULL, "one JSON object per line (what is printed into a pipe anyway)"},
    {"raw", CLI_FLAG, &args.is_raw, NULL, "only the data's bytes, as the writer encoded them"},
    {"pretty", CLI_FLAG, &args.is_pretty, NULL, "indented JSON"},
    {"strict", CLI_FLAG, &args.is_strict, NULL, "end with 7 as soon as messages are lost"},
    {0},
};

/* `seq age op data`, for people. */
static int line_print(weir_message *message, weir_buffer *line, weir_error *err) {
    const weir_value *data = NULL;
    char text[96], age[16];
    int64_t time_ns = weir_message_time(message);
    int status = weir_message_data(message, &data, err);
    if (status)
        return status;
    int size = snprintf(text, sizeof(text), "%s%8" PRIu64 " %6s%s ", cli_style(CLI_DIM), weir_message_seq(message),
                        time_ns ? cli_age(cli_now() - time_ns, age) : "-", cli_style(CLI_PLAIN));
    weir_buffer_append(line, text, (size_t)size);
    size = snprintf(text, sizeof(text), "%s", cli_style(CLI_BOLD));
    weir_buffer_append(line, text, (size_t)size);
    cli_readable_text(weir_message_op(message), line);
    size = snprintf(text, sizeof(text), "%s ", cli_style(CLI_PLAIN));
    weir_buffer_append(line, text, (size_t)size);
    cli_readable(data, line);
    cli_print_line(line);
    return WEIR_OK;
}

static int pretty_print(weir_message *message, weir_buffer *line, weir_error *err) {
    weir_codec_options pretty = WEIR_CODEC_OPTIONS_INIT;
    weir_doc *doc = NULL;
    weir_buffer *out = NULL;
    pretty.flags = WEIR_PLAIN | WEIR_PRETTY;
    int status = weir_message_json(message, line, err);
    weir_view json = weir_buffer_view(line);
    if (status == WEIR_OK)
        status = weir_doc_new(&doc);
    if (status == WEIR_OK)
        status = weir_buffer_new(&out);
    if (status == WEIR_OK)
        status = weir_decode(doc, WEIR_CODEC_JSON, json.data, json.size, NULL, NULL, err);
    if (status == WEIR_OK)
        status = weir_encode(weir_doc_root(doc), WEIR_CODEC_JSON, &pretty, out, err);
    if (status == WEIR_OK)
        status = cli_print_json(out);
    weir_buffer_clear(line);
    weir_doc_free(doc);
    weir_buffer_free(out);
    return status;
}

static int message_print(weir_message *message, weir_buffer *line, weir_error *err) {
    if (args.is_raw) {
        weir_view bytes = weir_message_bytes(message);
        cli_print(bytes.data, bytes.size);
        return WEIR_OK;
    }
    if (args.is_pretty)
        return pretty_print(message, line, err);
    if (cli_is_terminal() && !args.is_json)
        return line_print(message, line, err);
    int status = weir_message_json(message, line, err);
    if (status == WEIR_OK)
        return cli_print_json(line);
    weir_buffer_clear(line);
    return status;
}

/* The next message. What is printed already leaves before we sleep, so that a fast stream is written in large
 * pieces. */
static int message_next(weir_reader *reader, weir_message **ret, weir_error *err) {
    int status = weir_reader_next(reader, 0, ret, err);
    if (status != WEIR_ETIMEOUT)
        return status;
    cli_flush();
    int64_t deadline = cli_deadline(args.timeout_ns);
    do
        status = weir_reader_next(reader, cli_slice(deadline), ret, err);
    while (cli_keep_waiting(status, deadline));
    return status;
}

static int nothing_came(const char *address, uint64_t count) {
    char age[16];
    if (cli_is_interrupted())
        return CLI_SIGNAL + cli_is_interrupted();
    return cli_fail(CLI_TIMEOUT, "%s: no message for %s, after %" PRIu64 " message%s; weir ls shows who is there",
                    address, cli_age(args.timeout_ns, age), count, count == 1 ? "" : "s");
}

static int messages_print(weir_reader *reader, const char *address, weir_buffer *line) {
    weir_message *message = NULL;
    weir_error err = {0};
    uint64_t count = 0;
    while ((!args.count || count < args.count) && !cli_is_over()) {
        if (cli_is_interrupted())
            return CLI_SIGNAL + cli_is_interrupted();
        int status = message_next(reader, &message, &err);
        if (status == WEIR_ECORRUPT) { /* one writer is given up, or one message; the others go on */
            cli_error(status, &err);
            continue;
        }
        if (status == WEIR_ETIMEOUT)
            return nothing_came(address, count);
        if (status == WEIR_OK)
            status = cli_type_check(message, args.type, &err);
        if (status == WEIR_OK)
            status = message_print(message, line, &err);
        if (status)
            return cli_error(status, &err);
        count++;
        uint64_t gap = weir_message_gap(message);
        if (gap)
            cli_say("%s: %" PRIu64 " message%s lost before seq %" PRIu64, address, gap, gap == 1 ? "" : "s",
                    weir_message_seq(message));
        if (gap && args.is_strict)
            return CLI_LOST;
    }
    return CLI_OK;
}

static int run(int argc, char **argv) {
    (void)argc;
    weir_reader *reader = NULL;
    weir_buffer *line = NULL;
    weir_error err = {0};
    if (args.is_json + args.is_raw + args.is_pretty > 1)
        return cli_fail(CLI_USAGE, "sub: --json, --raw and --pretty exclude each other");
    char *address = args.from ? cli_address(argv[0], "from", args.from) : NULL;
    int status = args.from && !address ? WEIR_ENOMEM : weir_buffer_new(&line);
    cli_signals_begin();
    if (status == WEIR_OK)
        status = weir_reader_open(address ? address : argv[0], &reader, &err);
    if (status == WEIR_OK)
        cli_company_of_reader(argv[0]);
    int exit = status ? cli_error(status, &err) : messages_print(reader, argv[0], line);
    weir_reader_close(reader);
    weir_buffer_free(line);
    free(address);
    return exit;
}

const struct cli_command cli_sub = {
    .name = "sub",
    .summary = "print messages as they come",
    .usage = "ADDR [-n N] [--timeout D] [--from F] [--type T] [--json|--raw|--pretty] [--strict]",
    .examples = "  weir sub lab/imu                          every message from now on\n"
                "  weir sub lab/imu -n 1 --from last         the newest one, waiting for it where there is none yet\n"
                "  weir sub lab/imu --json | jq .data.temp   one JSON object per line\n",
    .options = options,
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run,
};
