/* weir get: the newest message of a channel, without waiting. */
#include <stdio.h>
#include <unistd.h>

#include "cli.h"

static struct {
    int64_t age_max_ns;
    const char *type;
    int is_json;
} args = {.age_max_ns = WEIR_FOREVER};

static const struct cli_option options[] = {
    {"json", CLI_FLAG, &args.is_json, NULL, "the whole message as one JSON object"},
    {"type", CLI_TEXT, &args.type, "T", "end with 5 when it is not raw data of this type"},
    {"max-age", CLI_DURATION, &args.age_max_ns, "D", "end with 4 when it is older than D"},
    {0},
};

static int64_t age_of(const weir_message *message) {
    int64_t age = cli_now() - weir_message_time(message);
    return age < 0 ? 0 : age;
}

static int age_check(const char *address, const weir_message *message) {
    char age[16], age_max[16];
    if (args.age_max_ns < 0)
        return CLI_OK;
    if (weir_message_time(message) == 0)
        return cli_fail(CLI_TIMEOUT, "%s: the message carries no time (stamp=0), so its age is unknown", address);
    if (age_of(message) > args.age_max_ns)
        return cli_fail(CLI_TIMEOUT, "%s: the newest message is %s old, %s are allowed", address,
                        cli_age(age_of(message), age), cli_age(args.age_max_ns, age_max));
    return CLI_OK;
}

static int data_print(weir_message *message) {
    const weir_value *data = NULL;
    weir_error err = {0};
    char age[16];
    int status = weir_message_data(message, &data, &err);
    if (status)
        return cli_error(status, &err);
    if (cli_is_terminal() && isatty(STDERR_FILENO) && weir_message_time(message))
        cli_say("seq %llu, %s ago", (unsigned long long)weir_message_seq(message), cli_age(age_of(message), age));
    return cli_print_value(data, WEIR_PLAIN);
}

static int run(int argc, char **argv) {
    (void)argc;
    weir_message *message = NULL;
    weir_error err = {0};
    int status = weir_latest(argv[0], &message, &err);
    if (status)
        return cli_error(status, &err);
    status = cli_type_check(message, args.type, &err);
    int exit = status ? cli_error(status, &err) : age_check(argv[0], message);
    if (exit == CLI_OK)
        exit = args.is_json ? cli_print_message(message) : data_print(message);
    weir_message_free(message);
    return exit;
}

const struct cli_command cli_get = {
    .name = "get",
    .summary = "print the newest message's data, without waiting",
    .usage = "ADDR [--json] [--max-age D] [--type T]",
    .examples = "  weir get lab/temp                 the data as JSON: 21.5\n"
                "  weir get lab/temp --max-age 2s    fail with 4 when nobody has measured for 2 s\n"
                "  weir get lab/temp --json          with seq, time, op and meta\n",
    .options = options,
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run,
};
