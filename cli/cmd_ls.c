/* weir ls: the channels of this machine that this user can see. A table on a terminal, tab-separated into a pipe. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

static struct { int is_json; } args;

static const struct cli_option options[] = {
    {"json", CLI_FLAG, &args.is_json, NULL, "one JSON object per channel, with its ends"},
    {0},
};

struct row {
    weir_view address, state;
    uint64_t messages, bytes;
    int64_t last;
    unsigned writers, readers, servers, clients;
};

static void row_read(const weir_value *channel, struct row *row) {
    const weir_value *ends = NULL;
    weir_view role;
    weir_iter it;
    *row = (struct row){.last = 0};
    weir_get_text(channel, "address", &row->address);
    weir_get_text(channel, "state", &row->state);
    weir_get_u64(channel, "messages", &row->messages);
    weir_get_u64(channel, "bytes", &row->bytes);
    weir_get_i64(channel, "last", &row->last);
    weir_get(channel, "ends", &ends);
    weir_iter_init(&it, ends);
    while (weir_iter_next(&it)) {
        if (weir_get_text(it.value, "role", &role) != WEIR_OK)
            continue;
        row->writers += cli_view_is(role, "writer");
        row->readers += cli_view_is(role, "reader") || cli_view_is(role, "observer");
        row->servers += cli_view_is(role, "server");
        row->clients += cli_view_is(role, "client");
    }
}

static void ends_text(const struct row *row, char *text, size_t size) {
    snprintf(text, size, "%uw %ur", row->writers, row->readers);
    if (row->servers || row->clients)
        snprintf(text + strlen(text), size - strlen(text), " %us %uc", row->servers, row->clients);
}

static void header_print(weir_buffer *line) {
    char text[96];
    int length = snprintf(text, sizeof(text), "%-5s %12s %8s %7s  %-12s %s", "STATE", "MESSAGES", "LAST", "SIZE",
                          "ENDS", "ADDRESS");
    weir_buffer_append(line, text, (size_t)length);
    cli_print_line(line);
}

static void row_table(const weir_value *channel, weir_buffer *line) {
    struct row row;
    char text[160], ends[64], age[16], size[16];
    row_read(channel, &row);
    ends_text(&row, ends, sizeof(ends));
    int length = snprintf(text, sizeof(text), "%s%-5.*s%s %12" PRIu64 " %8s %7s  %-12s ",
                          cli_style(cli_view_is(row.state, "live") ? CLI_BOLD : CLI_DIM), (int)row.state.size,
                          row.state.data, cli_style(CLI_PLAIN), row.messages,
                          row.last ? cli_age(cli_now() - row.last, age) : "-", cli_size(row.bytes, size), ends);
    weir_buffer_append(line, text, (size_t)length);
    cli_readable_text(row.address, line);
}

static void row_tabs(const weir_value *channel, weir_buffer *line) {
    struct row row;
    char text[160];
    row_read(channel, &row);
    cli_readable_text(row.address, line);
    int length = snprintf(text, sizeof(text), "\t%.*s\t%" PRIu64 "\t%" PRIu64 "\t%" PRId64 "\t%u\t%u\t%u\t%u",
                          (int)row.state.size, row.state.data, row.messages, row.bytes, row.last, row.writers,
                          row.readers, row.servers, row.clients);
    weir_buffer_append(line, text, (size_t)length);
}

/* The channel's own object behind a "v" of 1. */
static int row_json(const weir_value *channel, weir_doc *doc, weir_buffer *line, weir_error *err) {
    weir_codec_options plain = WEIR_CODEC_OPTIONS_INIT;
    const weir_value *root = NULL;
    weir_iter it;
    plain.flags = WEIR_PLAIN;
    weir_doc_clear(doc);
    weir_begin_map(doc);
    weir_put_key(doc, "v");
    weir_put_i64(doc, 1);
    weir_iter_init(&it, channel);
    while (weir_iter_next(&it)) {
        weir_put_value(doc, it.key);
        weir_put_value(doc, it.value);
    }
    weir_end(doc);
    int status = weir_doc_finish(doc, &root, err);
    return status ? status : weir_encode(root, WEIR_CODEC_JSON, &plain, line, err);
}

static int rows_print(const weir_value *channels, weir_doc *scratch, weir_buffer *line, weir_error *err) {
    int status = WEIR_OK;
    weir_iter it;
    if (cli_is_terminal() && !args.is_json && weir_value_count(channels) > 0)
        header_print(line);
    weir_iter_init(&it, channels);
    while (status == WEIR_OK && weir_iter_next(&it)) {
        if (args.is_json)
            status = row_json(it.value, scratch, line, err);
        else if (cli_is_terminal())
            row_table(it.value, line);
        else
            row_tabs(it.value, line);
        if (status == WEIR_OK)
            cli_print_line(line);
    }
    return status;
}

static int run(int argc, char **argv) {
    (void)argc, (void)argv;
    weir_doc *doc = NULL, *scratch = NULL;
    weir_buffer *line = NULL;
    weir_error err = {0};
    int status = weir_doc_new(&doc) || weir_doc_new(&scratch) || weir_buffer_new(&line) ? WEIR_ENOMEM : WEIR_OK;
    if (status == WEIR_OK)
        status = weir_directory_list(doc, &err);
    if (status == WEIR_OK)
        status = rows_print(weir_doc_root(doc), scratch, line, &err);
    if (status == WEIR_OK && cli_is_terminal() && !args.is_json && weir_value_count(weir_doc_root(doc)) == 0)
        cli_say("no channels; weir pub lab/hello '\"world\"' makes one");
    weir_buffer_free(line);
    weir_doc_free(scratch);
    weir_doc_free(doc);
    return status ? cli_error(status, &err) : CLI_OK;
}

const struct cli_command cli_ls = {
    .name = "ls",
    .summary = "list the channels of this machine",
    .usage = "[--json]",
    .examples = "  weir ls\n"
                "  weir ls --json | jq -r 'select(.state==\"live\").address'\n",
    .options = options,
    .arguments_max = 0,
    .run = run,
};
