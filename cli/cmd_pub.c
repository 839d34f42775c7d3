/* weir pub: send messages, from the command line or from standard input.
 *
 * A send that finds no room waits in slices of 100 ms, so that Ctrl-C ends it; nothing is sent unless the library says
 * so, so trying again never sends twice. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

enum { INPUT_WAIT_MS = 200 };

static struct {
    const char *op, *meta, *codec, *type, *source;
    uint64_t count;
    double rate;
    int is_json;
} args;

static const struct cli_option options[] = {
    {"op", CLI_TEXT, &args.op, "OP", "what the message is, or asks for"},
    {"meta", CLI_TEXT, &args.meta, "JSON", "metadata, a JSON object"},
    {"codec", CLI_TEXT, &args.codec, "C", "json, cbor, smile, or bson (default cbor)"},
    {"type", CLI_TEXT, &args.type, "T", "send raw data of this type: f64[3], u8[2,2], {t: i64, accel: f64[3]}"},
    {"stdin", CLI_TEXT, &args.source, "HOW", "lines: each line a text; json: each line a JSON value; raw: bytes"},
    {"n", CLI_COUNT, &args.count, "N", "send N messages (default: DATA once; --stdin: all; --rate: until Ctrl-C)"},
    {"rate", CLI_NUMBER, &args.rate, "HZ", "messages per second"},
    {"json", CLI_FLAG, &args.is_json, NULL, "print {\"v\":1,\"seq\":N} for each message sent"},
    {0},
};

/* What a run sends: the value, or with is_raw the bytes. */
struct publisher {
    weir_writer *writer;
    weir_doc *doc, *meta_doc;
    const weir_value *meta;
    const weir_value *value;
    weir_type *type; /* of raw data; NULL for bytes, or when values are sent as they are */
    weir_buffer *encoded;
    weir_view raw;
    int is_raw;
    uint64_t sent;
    int64_t started; /* monotonic ns, for the rate */
    int64_t timeout_ns;
};

static int interrupted(void) {
    return CLI_SIGNAL + cli_is_interrupted();
}

static void seq_print(uint64_t seq) {
    char text[64];
    int size = snprintf(text, sizeof(text), "{\"v\":1,\"seq\":%" PRIu64 "}\n", seq);
    cli_print(text, (size_t)size);
    cli_flush();
}

static int send(struct publisher *publisher) {
    weir_error err = {0};
    int64_t deadline = cli_deadline(publisher->timeout_ns);
    int status;
    if (args.rate > 0)
        cli_sleep_until(publisher->started + (int64_t)((double)publisher->sent * 1e9 / args.rate));
    if (cli_is_interrupted())
        return interrupted();
    do {
        weir_writer_set_timeout(publisher->writer, cli_slice(deadline));
        status = publisher->is_raw
                     ? weir_writer_send_bytes(publisher->writer, args.op, publisher->meta, WEIR_CODEC_RAW,
                                              publisher->type ? weir_type_text(publisher->type).data : NULL,
                                              publisher->raw.data, publisher->raw.size, &err)
                     : weir_writer_send(publisher->writer, args.op, publisher->meta, publisher->value, &err);
    } while (cli_keep_waiting(status, deadline));
    if (status == WEIR_ETIMEOUT && cli_is_interrupted())
        return interrupted();
    if (status)
        return cli_error(status, &err);
    publisher->sent++;
    if (args.is_json)
        seq_print(weir_writer_seq(publisher->writer));
    return CLI_OK;
}

static int is_enough(const struct publisher *publisher) {
    return args.count > 0 && publisher->sent >= args.count;
}

/* Send the value just decoded, as raw data of args.type where there is one. Numbers written in JSON may be rounded to
 * f32. */
static int value_send(struct publisher *publisher) {
    weir_error err = {0};
    if (!publisher->type)
        return send(publisher);
    weir_buffer_clear(publisher->encoded);
    int status = weir_type_encode(publisher->value, publisher->type, WEIR_ROUND, publisher->encoded, &err);
    if (status)
        return cli_fail(cli_exit_of(status), "%s does not fit --type %s: %s", args.source ? "a line" : "DATA",
                        args.type, err.text[0] ? err.text : weir_err_text(status));
    publisher->raw = weir_buffer_view(publisher->encoded);
    return send(publisher);
}

#define TEXT_WANTED CLI_TEXT_WANTED ", or pipe it with --stdin lines"

static int data_send(struct publisher *publisher, const char *data) {
    int exit = CLI_OK;
    int is_endless = args.rate > 0 && args.count == 0;
    uint64_t count = args.count ? args.count : 1;
    if (args.type && !data)
        return cli_fail(CLI_USAGE, "pub: --type needs DATA, or --stdin raw");
    if (data)
        exit = cli_json(data, strlen(data), "DATA", TEXT_WANTED, publisher->doc, &publisher->value);
    while (exit == CLI_OK && (is_endless || publisher->sent < count))
        exit = value_send(publisher);
    return exit;
}

/* ---- standard input ---- */

static int line_send(struct publisher *publisher, const char *line, size_t size, uint64_t number) {
    char what[64];
    weir_error err = {0};
    snprintf(what, sizeof(what), "line %" PRIu64 " of standard input", number);
    if (strcmp(args.source, "json") == 0) {
        int exit = cli_json(line, size, what, TEXT_WANTED, publisher->doc, &publisher->value);
        return exit ? exit : value_send(publisher);
    }
    weir_doc_clear(publisher->doc);
    weir_refer_text(publisher->doc, line, size);
    if (weir_doc_finish(publisher->doc, &publisher->value, &err))
        return cli_fail(CLI_ENCODING, "%s is no UTF-8 text; send bytes with --stdin raw", what);
    return send(publisher);
}

/* Send the whole lines of @input; at its end also one without a line end. *ret_used: bytes done with. */
static int lines_send(struct publisher *publisher, weir_view input, int is_end, uint64_t *number, size_t *ret_used) {
    size_t used = 0;
    int exit = CLI_OK;
    while (exit == CLI_OK && used < input.size && !is_enough(publisher)) {
        const char *end = memchr(input.data + used, '\n', input.size - used);
        size_t size = end ? (size_t)(end - input.data) - used : input.size - used;
        if (!end && !is_end)
            break;
        exit = line_send(publisher, input.data + used, size, ++*number);
        used += size + (end != NULL);
    }
    *ret_used = used;
    return exit;
}

/* Send whole pieces of args.type's size; without a type all of @input at its end. */
static int raw_send(struct publisher *publisher, weir_view input, int is_end, size_t *ret_used) {
    size_t used = 0;
    int exit = CLI_OK;
    if (!args.type) {
        if (!is_end)
            return CLI_OK;
        publisher->raw = input;
        *ret_used = input.size;
        return send(publisher);
    }
    size_t size = weir_type_size(publisher->type);
    for (; exit == CLI_OK && input.size - used >= size && !is_enough(publisher); used += size) {
        publisher->raw = (weir_view){input.data + used, size};
        exit = send(publisher);
    }
    *ret_used = used;
    if (exit == CLI_OK && is_end && used < input.size && !is_enough(publisher))
        return cli_fail(CLI_ENCODING, "standard input ends in the middle of a %s: %zu of %zu bytes", args.type,
                        input.size - used, size);
    return exit;
}

/* What one read has brought goes as a batch, which costs the readers one wake: a line that comes alone leaves at once,
 * a pipe full of lines moves fast. Not where each message has its moment or its number is wanted at once. */
static int block_send(struct publisher *publisher, weir_view input, int is_end, uint64_t *number, size_t *ret_used) {
    weir_error err = {0};
    int is_batch = args.rate == 0 && !args.is_json;
    if (is_batch)
        weir_writer_cork(publisher->writer);
    int exit = strcmp(args.source, "raw") == 0 ? raw_send(publisher, input, is_end, ret_used)
                                               : lines_send(publisher, input, is_end, number, ret_used);
    if (!is_batch)
        return exit;
    int64_t deadline = cli_deadline(publisher->timeout_ns);
    int status;
    do {
        weir_writer_set_timeout(publisher->writer, cli_slice(deadline));
        status = weir_writer_uncork(publisher->writer, &err);
    } while (cli_keep_waiting(status, deadline));
    return status && exit == CLI_OK ? cli_error(status, &err) : exit;
}

static int stdin_send(struct publisher *publisher) {
    weir_buffer *input = NULL;
    uint64_t number = 0;
    int is_end = 0;
    int exit = weir_buffer_new(&input) ? cli_fail(CLI_FAILURE, "out of memory") : CLI_OK;
    while (exit == CLI_OK && !is_end && !is_enough(publisher)) {
        size_t used = 0;
        int64_t size = cli_read(STDIN_FILENO, input, "standard input");
        if (size < 0)
            exit = CLI_FAILURE;
        else if (cli_is_interrupted())
            exit = interrupted();
        is_end = size == 0;
        if (exit == CLI_OK)
            exit = block_send(publisher, weir_buffer_view(input), is_end, &number, &used);
        if (exit == CLI_OK && !is_end)
            exit = cli_buffer_cut(&input, used);
    }
    weir_buffer_free(input);
    return exit;
}

/* ---- setting up ---- */

/* Whoever writes into our standard input wants it to be sent. What is written in the same pipeline comes within a
 * moment; a pipe into which nobody writes may be there too, under a supervisor or over ssh, as may none, or /dev/null. */
static int has_input(int wait_ms) {
    struct pollfd item = {.fd = STDIN_FILENO, .events = POLLIN};
    struct stat about;
    int count = 0;
    if (fstat(STDIN_FILENO, &about) != 0)
        return 0;
    if (S_ISREG(about.st_mode))
        return about.st_size > lseek(STDIN_FILENO, 0, SEEK_CUR);
    return (S_ISFIFO(about.st_mode) || S_ISSOCK(about.st_mode)) && poll(&item, 1, wait_ms) == 1 &&
           (item.revents & POLLIN) && ioctl(STDIN_FILENO, FIONREAD, &count) == 0 && count > 0;
}

/* A message with neither data nor anything else says nothing, so that cannot be meant when there is input. With an
 * operation or metadata it may be: in a loop of the shell the input is the loop's. */
static int input_check(void) {
    int says_something = args.op || args.meta;
    if (!has_input(says_something ? 0 : INPUT_WAIT_MS))
        return CLI_OK;
    if (!says_something)
        return cli_fail(CLI_USAGE,
                        "pub: standard input has data, and only --stdin lines, json or raw sends it; say one "
                        "of them, or DATA, or < /dev/null for a message without data");
    cli_say("pub: standard input is not sent, as there is no --stdin lines, json or raw");
    return CLI_OK;
}

static int arguments_check(const char *data) {
    static const char *const sources[] = {"lines", "json", "raw"};
    int is_known = !args.source;
    for (size_t i = 0; args.source && i < 3; i++)
        is_known |= strcmp(args.source, sources[i]) == 0;
    if (!is_known)
        return cli_fail(CLI_USAGE, "pub: --stdin %s: there are lines, json and raw", args.source);
    if (args.source && data)
        return cli_fail(CLI_USAGE, "pub: DATA and --stdin exclude each other");
    if (args.type && args.source && strcmp(args.source, "lines") == 0)
        return cli_fail(CLI_USAGE, "pub: --type goes with DATA, --stdin json or --stdin raw");
    return args.source || data ? CLI_OK : input_check();
}

static int publisher_init(struct publisher *publisher) {
    if (weir_doc_new(&publisher->doc) || weir_doc_new(&publisher->meta_doc) || weir_buffer_new(&publisher->encoded))
        return cli_fail(CLI_FAILURE, "out of memory");
    int is_raw = args.source && strcmp(args.source, "raw") == 0;
    int exit = args.type ? cli_type(args.type, &publisher->type) : CLI_OK;
    publisher->is_raw = args.type || is_raw;
    if (exit == CLI_OK && args.type && is_raw && weir_type_size(publisher->type) == 0)
        exit = cli_fail(CLI_USAGE, "pub: --stdin raw cannot be cut into pieces of %s, which has no bytes", args.type);
    if (exit == CLI_OK && args.meta)
        exit =
            cli_json(args.meta, strlen(args.meta), "--meta", CLI_OBJECT_WANTED, publisher->meta_doc, &publisher->meta);
    if (exit == CLI_OK && args.meta && weir_value_kind(publisher->meta) != WEIR_KIND_MAP)
        exit = cli_fail(CLI_ENCODING, "--meta must be a JSON object such as {\"unit\":\"V\"}");
    return exit;
}

/* The address with what the command adds to it. A pipe keeps nothing for who comes later, so there the first message
 * waits for its reader, as the shell's > does. Return: NULL when there is no memory. */
static char *address_complete(const char *address) {
    char *complete = args.codec ? cli_address(address, "codec", args.codec) : strdup(address);
    const char *question = strchr(address, '?');
    if (!complete || strncmp(address, "fifo://", 7) != 0 || (question && strstr(question, "readers=")))
        return complete;
    char *waiting = cli_address(complete, "readers", "1");
    free(complete);
    return waiting;
}

static int writer_open(struct publisher *publisher, const char *address) {
    weir_error err = {0};
    char *complete = address_complete(address);
    if (!complete)
        return cli_fail(CLI_FAILURE, "out of memory");
    int status = weir_writer_open(complete, &publisher->writer, &err);
    free(complete);
    if (status)
        return cli_error(status, &err);
    publisher->timeout_ns = weir_writer_timeout(publisher->writer);
    publisher->started = cli_clock();
    return CLI_OK;
}

static int run(int argc, char **argv) {
    struct publisher publisher = {0};
    const char *data = argc > 1 ? argv[1] : NULL;
    int exit = arguments_check(data);
    if (exit)
        return exit;
    exit = publisher_init(&publisher);
    if (exit == CLI_OK)
        exit = writer_open(&publisher, argv[0]);
    cli_signals_begin();
    int is_single = !args.source && args.count <= 1 && args.rate == 0, is_alone = 0;
    if (exit == CLI_OK && is_single) {
        cli_company_of_message(argv[0]);
        is_alone = cli_company_is_none(argv[0]);
    }
    if (exit == CLI_OK)
        exit = args.source ? stdin_send(&publisher) : data_send(&publisher, data);
    if (exit == CLI_OK && is_alone && cli_company_is_none(argv[0]))
        cli_say(
            "%s: nobody was there, and a socket keeps nothing; start who reads first, or wait for one with readers=1",
            argv[0]);
    cli_writer_close(publisher.writer, publisher.timeout_ns);
    weir_doc_free(publisher.doc);
    weir_doc_free(publisher.meta_doc);
    weir_type_free(publisher.type);
    weir_buffer_free(publisher.encoded);
    return exit;
}

const struct cli_command cli_pub = {
    .name = "pub",
    .summary = "send messages",
    .usage = "ADDR [DATA] [--op OP] [--meta JSON] [--codec C] [--type T] [--stdin lines|json|raw] [-n N] [--rate HZ] "
             "[--json]",
    .examples = "  weir pub lab/temp 21.5\n"
                "  weir pub lab/temp '{\"celsius\":21.5}' --op reading --meta '{\"sensor\":\"t1\"}'\n"
                "  weir pub lab/accel '[0.1,0.2,9.8]' --type 'f64[3]' --rate 100\n"
                "  weir pub lab/imu '{\"t\":1,\"accel\":[1,2,3]}' --type '{t: i64, accel: f64[3]}'\n"
                "  journalctl -f | weir pub lab/log --stdin lines\n",
    .options = options,
    .arguments_min = 1,
    .arguments_max = 2,
    .run = run,
};
