/* weir exec: a program that has never heard of weir as a node between two channels.
 *
 * Messages of -i go to the program's standard input, what it prints goes to -o as messages, in the form that it speaks.
 * One poll loop serves both, so that neither waits for the other for ever: while the program does not read, we take no
 * messages, and their writers are held up as full= says; while -o has no room, we do not read what it prints. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "cli.h"

enum { CHUNK = 64 * 1024, SLICE_MS = 100, ARGUMENTS_MAX = 4096, NOT_FOUND = 127 };

static struct {
    const char *from_address, *to_address, *feed, *take, *from, *op, *type;
    uint64_t count;
    int64_t timeout_ns;
} args = {.feed = "lines", .take = "lines", .timeout_ns = WEIR_FOREVER};

static const struct cli_option options[] = {
    {"i", CLI_TEXT, &args.from_address, "ADDR", "its standard input is the data of these messages"},
    {"o", CLI_TEXT, &args.to_address, "ADDR", "its standard output becomes messages there"},
    {"in", CLI_TEXT, &args.feed, "FORM", "lines (default: texts as they are, others as JSON), json, csv or raw"},
    {"out", CLI_TEXT, &args.take, "FORM", "lines (default: each line a text), json, csv, or raw with --type"},
    {"op", CLI_TEXT, &args.op, "OP", "what the messages are, or ask for"},
    {"type", CLI_TEXT, &args.type, "T", "cut raw output into pieces of this type, such as f64[3]"},
    {"from", CLI_TEXT, &args.from, "F", "begin at oldest, last, now, seq:N or a time ago, -10s (default now)"},
    {"n", CLI_COUNT, &args.count, "N", "end its input after N messages"},
    {"timeout", CLI_DURATION, &args.timeout_ns, "D", "end its input when no message comes for D (default forever)"},
    {0},
};

enum form { LINES, JSON, CSV, RAW, FORMS };
static const char *const form_names[FORMS] = {"lines", "json", "csv", "raw"};

struct node {
    const char *program;
    struct cli_child child;
    weir_reader *reader; /* NULL without -i, and once the input is over */
    weir_writer *writer; /* NULL without -o */
    enum form feed, take;
    weir_type *type;
    weir_buffer *in; /* for the program */
    size_t written;  /* of it */
    weir_buffer *out;
    weir_doc *doc;
    uint64_t fed, line;
    int64_t deadline; /* of the next message */
    int64_t send_timeout_ns;
};

/* ---- messages to input ---- */

/* Append a message's data as the program wants it. */
static int data_append(struct node *node, weir_message *message, weir_error *err) {
    weir_codec_options plain = WEIR_CODEC_OPTIONS_INIT;
    const weir_value *data = NULL;
    weir_view view = weir_message_bytes(message);
    if (node->feed == RAW)
        return weir_buffer_append(node->in, view.data, view.size);
    int status = weir_message_data(message, &data, err);
    if (status)
        return status;
    if (node->feed == CSV)
        return cli_csv_write(data, node->in, err);
    plain.flags = WEIR_PLAIN;
    if (node->feed == LINES && data && weir_get_text(data, NULL, &view) == WEIR_OK)
        status = weir_buffer_append(node->in, view.data, view.size);
    else
        status =
            data ? weir_encode(data, WEIR_CODEC_JSON, &plain, node->in, err) : weir_buffer_append(node->in, "null", 4);
    return status ? status : weir_buffer_append(node->in, "\n", 1);
}

static void input_end(struct node *node) {
    node->reader = weir_reader_close(node->reader);
}

/* Take what is there, up to a chunk. */
static int messages_take(struct node *node) {
    weir_message *message = NULL;
    weir_error err = {0};
    while (node->reader && weir_buffer_view(node->in).size < CHUNK) {
        int status = weir_reader_next(node->reader, 0, &message, &err);
        if (status == WEIR_ETIMEOUT)
            return CLI_OK;
        if (status == WEIR_ECORRUPT) { /* one writer is given up, the others go on */
            cli_error(status, &err);
            continue;
        }
        if (status == WEIR_OK)
            status = data_append(node, message, &err);
        if (status == WEIR_OK && weir_message_gap(message))
            cli_say("%s: %" PRIu64 " message%s lost before seq %" PRIu64, args.from_address, weir_message_gap(message),
                    CLI_S(weir_message_gap(message)), weir_message_seq(message));
        if (status)
            return cli_error(status, &err);
        node->deadline = cli_deadline(args.timeout_ns);
        if (++node->fed == args.count)
            input_end(node);
    }
    return CLI_OK;
}

static void input_write(struct node *node) {
    weir_view in = weir_buffer_view(node->in);
    ssize_t size = write(node->child.fds[CLI_CHILD_IN], in.data + node->written, in.size - node->written);
    if (size < 0 && errno != EAGAIN && errno != EINTR) { /* it reads no more, which is its affair */
        cli_child_close(&node->child, CLI_CHILD_IN);
        input_end(node);
    }
    node->written += size > 0 ? (size_t)size : 0;
    if (node->written == in.size) {
        weir_buffer_clear(node->in);
        node->written = 0;
    }
}

/* ---- output to messages ---- */

/* Send the value, or with @value NULL the raw piece. */
static int send(struct node *node, const weir_value *value, weir_view raw) {
    weir_error err = {0};
    int64_t deadline = cli_deadline(node->send_timeout_ns);
    int status;
    do {
        weir_writer_set_timeout(node->writer, cli_slice(deadline));
        status = value ? weir_writer_send(node->writer, args.op, NULL, value, &err)
                       : weir_writer_send_bytes(node->writer, args.op, NULL, WEIR_CODEC_RAW,
                                                weir_type_text(node->type).data, raw.data, raw.size, &err);
    } while (cli_keep_waiting(status, deadline));
    if (status == WEIR_ETIMEOUT && cli_is_interrupted())
        return CLI_OK; /* the loop sees it */
    return status ? cli_error(status, &err) : CLI_OK;
}

static int text_read(struct node *node, weir_view line, const weir_value **ret) {
    weir_doc_clear(node->doc);
    weir_refer_text(node->doc, line.data, line.size);
    if (weir_doc_finish(node->doc, ret, NULL) == WEIR_OK)
        return WEIR_OK;
    weir_doc_clear(node->doc); /* no UTF-8: bytes as they are */
    weir_refer_bytes(node->doc, line.data, line.size);
    return weir_doc_finish(node->doc, ret, NULL);
}

/* A line that is not what it should be is told and passed over: the next may be. */
static int line_send(struct node *node, weir_view line) {
    const weir_value *value = NULL;
    weir_error err = {0};
    int status;
    node->line++;
    if (node->take == LINES) {
        status = text_read(node, line, &value);
    } else if (node->take == CSV) {
        status = cli_csv_read(line, node->doc, &value, &err);
    } else {
        status = weir_decode(node->doc, WEIR_CODEC_JSON, line.data, line.size, NULL, NULL, &err);
        value = status == WEIR_OK ? weir_doc_root(node->doc) : NULL;
    }
    if (status == WEIR_OK)
        return send(node, value, line);
    if (status != WEIR_EPARSE)
        return cli_error(status, &err);
    cli_say("line %" PRIu64 " of %s is no %s and was passed over%s%s", node->line, node->program,
            form_names[node->take], err.text[0] ? ": " : "", err.text);
    return CLI_OK;
}

/* Send the whole pieces or lines of what has been read; at the end also a line without a line end. */
static int output_send(struct node *node, int is_end) {
    weir_view out = weir_buffer_view(node->out);
    size_t used = 0, size = node->type ? weir_type_size(node->type) : 0;
    int exit = CLI_OK;
    while (exit == CLI_OK && used < out.size && !cli_is_interrupted()) {
        const char *end = size ? NULL : memchr(out.data + used, '\n', out.size - used);
        size_t length = size ? size : end ? (size_t)(end - out.data) - used : out.size - used;
        if (size ? out.size - used < size : !end && !is_end)
            break;
        weir_view piece = {out.data + used, length};
        exit = size ? send(node, NULL, piece) : line_send(node, piece);
        used += length + (end != NULL);
    }
    if (exit == CLI_OK && is_end && used < out.size && !cli_is_interrupted())
        return cli_fail(CLI_ENCODING, "the output of %s ends in the middle of a %s: %zu of %zu bytes", node->program,
                        args.type, out.size - used, size);
    return exit ? exit : cli_buffer_cut(&node->out, used);
}

static int output_read(struct node *node) {
    static char chunk[CHUNK];
    ssize_t size = read(node->child.fds[CLI_CHILD_OUT], chunk, sizeof(chunk));
    if (size < 0 && (errno == EINTR || errno == EAGAIN))
        return CLI_OK;
    if (size <= 0)
        cli_child_close(&node->child, CLI_CHILD_OUT);
    else if (weir_buffer_append(node->out, chunk, (size_t)size))
        return cli_fail(CLI_FAILURE, "out of memory for what %s prints", node->program);
    return output_send(node, size <= 0);
}

/* ---- the loop ---- */

/* Wait until something can be done, and do it. */
static int turn(struct node *node) {
    int has_input = weir_buffer_view(node->in).size > 0;
    struct pollfd items[] = {{.fd = -1, .events = POLLIN},
                             {.fd = has_input ? node->child.fds[CLI_CHILD_IN] : -1, .events = POLLOUT},
                             {.fd = node->child.fds[CLI_CHILD_OUT], .events = POLLIN}};
    weir_error err = {0};
    if (!has_input && !node->reader)
        cli_child_close(&node->child, CLI_CHILD_IN);
    if (!has_input && node->reader) {
        int status = weir_reader_fd(node->reader, &items[0].fd, &err);
        int exit = status ? cli_error(status, &err) : messages_take(node); /* which arms the descriptor */
        if (exit || weir_buffer_view(node->in).size > 0 || !node->reader)
            return exit;
    }
    if (node->reader && cli_clock() >= node->deadline)
        input_end(node);
    if (poll(items, 3, SLICE_MS) <= 0)
        return CLI_OK;
    if (items[1].revents)
        input_write(node);
    return items[2].revents ? output_read(node) : CLI_OK;
}

static int is_running(const struct node *node) {
    return node->writer ? node->child.fds[CLI_CHILD_OUT] >= 0 : cli_child_is_there(&node->child);
}

static int node_run(struct node *node, char **argv) {
    unsigned pipes = (node->reader ? 1U << CLI_CHILD_IN : 0) | (node->writer ? 1U << CLI_CHILD_OUT : 0);
    int exit = cli_child_start(&node->child, (const char *const *)argv, NULL, pipes);
    if (exit)
        return exit;
    node->deadline = cli_deadline(args.timeout_ns);
    while (exit == CLI_OK && is_running(node) && !cli_is_interrupted())
        exit = turn(node);
    int ended = cli_child_finish(&node->child, exit != CLI_OK);
    if (exit || cli_is_interrupted())
        return exit ? exit : CLI_SIGNAL + cli_is_interrupted();
    return ended == NOT_FOUND
               ? cli_fail(NOT_FOUND, "%s ended with 127: it is not there, or cannot be executed", argv[0])
               : ended;
}

/* ---- setting up ---- */

static int form_read(const char *option, const char *text, enum form *ret) {
    for (int i = 0; i < FORMS; i++)
        if (strcmp(text, form_names[i]) == 0) {
            *ret = (enum form)i;
            return CLI_OK;
        }
    return cli_fail(CLI_USAGE, "exec: %s %s: there are lines, json, csv and raw", option, text);
}

/* Do both addresses name one channel? A name with and without its scheme is one. */
static int is_loop(void) {
    static const char scheme[] = "shm://";
    const char *from = args.from_address, *to = args.to_address;
    if (!from || !to)
        return 0;
    from += strncmp(from, scheme, sizeof(scheme) - 1) == 0 ? sizeof(scheme) - 1 : 0;
    to += strncmp(to, scheme, sizeof(scheme) - 1) == 0 ? sizeof(scheme) - 1 : 0;
    size_t size = strcspn(from, "?");
    return size == strcspn(to, "?") && strncmp(from, to, size) == 0;
}

static int arguments_check(struct node *node) {
    if (!args.from_address && !args.to_address)
        return cli_fail(CLI_USAGE, "exec: say -i ADDR, -o ADDR, or both; usage: weir exec %s", cli_exec.usage);
    if (is_loop())
        return cli_fail(CLI_USAGE,
                        "exec: -i and -o are one channel, %s: what the program says would come back to it; "
                        "name another for -o",
                        args.to_address);
    int exit = form_read("--in", args.feed, &node->feed);
    if (exit == CLI_OK)
        exit = form_read("--out", args.take, &node->take);
    if (exit == CLI_OK && (node->take == RAW) != (args.type != NULL))
        exit = cli_fail(CLI_USAGE, "exec: --out raw and --type go together: the type says where a piece ends");
    if (exit == CLI_OK && args.type)
        exit = cli_type(args.type, &node->type);
    if (exit == CLI_OK && args.type && weir_type_size(node->type) == 0)
        exit = cli_fail(CLI_USAGE, "exec: output cannot be cut into pieces of %s, which has no bytes", args.type);
    return exit;
}

static int ends_open(struct node *node) {
    weir_error err = {0};
    char *address = args.from_address && args.from ? cli_address(args.from_address, "from", args.from) : NULL;
    int status =
        weir_doc_new(&node->doc) || weir_buffer_new(&node->in) || weir_buffer_new(&node->out) ? WEIR_ENOMEM : WEIR_OK;
    if (status == WEIR_OK && args.from_address)
        status = weir_reader_open(address ? address : args.from_address, &node->reader, &err);
    if (status == WEIR_OK && args.to_address)
        status = weir_writer_open(args.to_address, &node->writer, &err);
    if (status == WEIR_OK && node->writer)
        node->send_timeout_ns = weir_writer_timeout(node->writer);
    free(address);
    return status ? cli_error(status, &err) : CLI_OK;
}

static int run(int argc, char **argv) {
    struct node node = {.program = argv[0]};
    argv[argc] = NULL;
    int exit = arguments_check(&node);
    if (exit == CLI_OK)
        exit = ends_open(&node);
    cli_signals_begin();
    if (exit == CLI_OK)
        exit = node_run(&node, argv);
    weir_reader_close(node.reader);
    cli_writer_close(node.writer, node.send_timeout_ns);
    weir_type_free(node.type);
    weir_doc_free(node.doc);
    weir_buffer_free(node.in);
    weir_buffer_free(node.out);
    return exit;
}

const struct cli_command cli_exec = {
    .name = "exec",
    .summary = "make a program that knows nothing of weir a node between channels",
    .usage = "[-i ADDR] [-o ADDR] [--in FORM] [--out FORM] [--op OP] [--type T] [--from F] [-n N] [--timeout D] -- "
             "PROGRAM ...",
    .examples = "  weir exec -i lab/raw -o lab/mean --in csv --out json -- awk -F, '{print ($1+$2)/2; fflush()}'\n"
                "  weir exec -o lab/log -- journalctl -f\n"
                "  weir exec -i lab/samples --in raw -- aplay -f FLOAT_LE\n",
    .options = options,
    .arguments_min = 1,
    .arguments_max = ARGUMENTS_MAX,
    .run = run,
};
