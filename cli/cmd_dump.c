/* weir dump: every byte of a message explained. The input is read whole; tokens are written as they are found, so that
 * what was good is on stdout when something is wrong. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "dump_print.h"

static struct {
    const char *codec;
    int is_json;
} args;

static const struct cli_option options[] = {
    {"codec", CLI_TEXT, &args.codec, "CODEC", "json, cbor, smile, bson or frame; otherwise recognised"},
    {"json", CLI_FLAG, &args.is_json, NULL, "one JSON object per token"},
    {0},
};

static int input_read(const char *path, weir_buffer *input) {
    int is_stdin = !path || strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return cli_fail(errno == EACCES ? CLI_ACCESS : CLI_FAILURE, "%s: %s", path, strerror(errno));
    int exit = cli_read_all(fd, input, is_stdin ? "standard input" : path);
    if (!is_stdin)
        close(fd);
    return exit;
}

static void title_print(const struct dump_format *format, weir_view input, const char *why) {
    char title[256];
    const char *because = why ? ", " : "";
    int size = snprintf(title, sizeof(title), "%s%s, %zu byte%s%s%s%s\n", cli_style(CLI_DIM), format->name, input.size,
                        dump_s(input.size), because, why ? why : "", cli_style(CLI_PLAIN));
    cli_print(title, (size_t)size);
}

static int dump_all(const char *path, const struct dump_format *format, weir_view input) {
    const char *name = path && strcmp(path, "-") != 0 ? path : "standard input", *why = NULL;
    struct dump dump = {.data = (const unsigned char *)input.data, .size = input.size, .end = input.size};
    if (input.size == 0)
        return cli_fail(CLI_ENCODING, "%s is empty: there is no byte to explain", name);
    if (!format && dump_is_log(dump.data, dump.size))
        return cli_log_refuse(path);
    if (!format)
        format = dump_recognise(dump.data, dump.size, &why);
    dump_print(&dump, args.is_json);
    if (!args.is_json)
        title_print(format, input, why);
    int status = format->run(&dump);
    free(dump.levels);
    if (status == WEIR_OK)
        return CLI_OK;
    return cli_fail(cli_exit_of(status), "%s: byte %zu: %s: %s", name, dump.wrong_offset, dump.codec, dump.wrong);
}

static int run(int argc, char **argv) {
    const char *path = argc > 0 ? argv[0] : NULL;
    const struct dump_format *format = args.codec ? dump_format_find(args.codec) : NULL;
    weir_buffer *input = NULL;
    if (args.codec && !format)
        return cli_fail(CLI_USAGE, "dump: there is no codec \"%s\"; there are %s", args.codec, dump_format_names());
    if (weir_buffer_new(&input) != WEIR_OK)
        return cli_fail(CLI_FAILURE, "out of memory");
    int exit = input_read(path, input);
    if (exit == CLI_OK)
        exit = dump_all(path, format, weir_buffer_view(input));
    weir_buffer_free(input);
    return exit;
}

const struct cli_command cli_dump = {
    .name = "dump",
    .summary = "explain every byte of a message or file",
    .usage = "[--codec json|cbor|smile|bson|frame] [--json] [FILE]",
    .examples = "  weir dump reading.cbor\n"
                "  weir convert --from json --to cbor <<< '{\"celsius\": 21.5}' | weir dump\n"
                "  weir dump --codec frame --json captured | jq -r .what\n",
    .options = options,
    .arguments_max = 1,
    .run = run,
};
