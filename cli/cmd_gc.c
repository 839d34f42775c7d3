/* weir gc: take away what the dead left, or one idle channel, and say what it was. */
#include <inttypes.h>
#include <stdio.h>

#include "cli.h"

static struct { int is_dry_run, is_json; } args;

static const struct cli_option options[] = {
    {"dry-run", CLI_FLAG, &args.is_dry_run, NULL, "only say what would be removed"},
    {"json", CLI_FLAG, &args.is_json, NULL, "one JSON object per line"},
    {0},
};

static int item_json(const weir_value *item, weir_buffer *line, weir_error *err) {
    weir_doc *doc = NULL;
    const weir_value *root = NULL;
    weir_view path = {0}, what = {0};
    uint64_t size = 0;
    weir_codec_options plain = WEIR_CODEC_OPTIONS_INIT;
    plain.flags = WEIR_PLAIN;
    weir_get_text(item, "path", &path);
    weir_get_text(item, "what", &what);
    weir_get_u64(item, "size", &size);
    int status = weir_doc_new(&doc);
    if (status == WEIR_OK)
        status = weir_pack(doc, &root, err, "{s:i s:S s:S s:u s:b}", "v", 1L, "path", path.data, path.size, "what",
                           what.data, what.size, "size", (unsigned long)size, "removed", !args.is_dry_run);
    if (status == WEIR_OK)
        status = weir_encode(root, WEIR_CODEC_JSON, &plain, line, err);
    weir_doc_free(doc);
    return status;
}

static void item_line(const weir_value *item, weir_buffer *line) {
    weir_view path = {0}, what = {0};
    uint64_t size = 0;
    char text[16], bytes[32];
    weir_get_text(item, "path", &path);
    weir_get_text(item, "what", &what);
    weir_get_u64(item, "size", &size);
    int length = snprintf(bytes, sizeof(bytes), "%8s  ", cli_size(size, text));
    weir_buffer_append(line, bytes, (size_t)length);
    cli_readable_text(path, line);
    weir_buffer_append(line, "  ", 2);
    cli_readable_text(what, line);
}

static int items_print(const weir_value *items) {
    weir_buffer *line = NULL;
    weir_error err = {0};
    weir_iter it;
    int status = weir_buffer_new(&line);
    weir_iter_init(&it, items);
    while (status == WEIR_OK && weir_iter_next(&it)) {
        if (args.is_json)
            status = item_json(it.value, line, &err);
        else
            item_line(it.value, line);
        if (status == WEIR_OK)
            cli_print_line(line);
    }
    weir_buffer_free(line);
    return status ? cli_error(status, &err) : CLI_OK;
}

static int run(int argc, char **argv) {
    weir_doc *doc = NULL;
    weir_error err = {0};
    int status = weir_doc_new(&doc);
    if (status == WEIR_OK)
        status = argc > 0 ? weir_channel_remove(argv[0], doc, args.is_dry_run, &err)
                          : weir_directory_clean(doc, args.is_dry_run, &err);
    int exit = status ? cli_error(status, &err) : items_print(weir_doc_root(doc));
    if (exit == CLI_OK && cli_is_terminal() && weir_value_count(weir_doc_root(doc)) == 0)
        cli_say("nothing to remove");
    weir_doc_free(doc);
    return exit;
}

const struct cli_command cli_gc = {
    .name = "gc",
    .summary = "remove what dead programs left behind",
    .usage = "[ADDRESS] [--dry-run] [--json]",
    .examples = "  weir gc --dry-run    what would go\n"
                "  weir gc              idle channels that are to be kept stay\n"
                "  weir gc lab/imu      take this one away, with its messages, when nobody has it open\n",
    .options = options,
    .arguments_max = 1,
    .run = run,
};
