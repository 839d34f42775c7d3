/* weir: the command. A table of commands; everything else is in cmd_NAME.c. */
#include <stdio.h>
#include <string.h>

#include "cli.h"

static const struct cli_command *const commands[] = {
    &cli_pub,  &cli_sub,     &cli_get,  &cli_call,  &cli_serve, &cli_ls,     &cli_info,
    &cli_gc,   &cli_convert, &cli_dump, &cli_guess, &cli_exec,  &cli_record, &cli_play,
#ifdef WEIR_HAS_DEMO
    &cli_demo,
#endif
};
enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

static const struct cli_command *command_find(const char *name) {
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static int command_unknown(const char *name) {
    char known[256] = "";
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        snprintf(known + strlen(known), sizeof(known) - strlen(known), " %s", commands[i]->name);
    return cli_fail(CLI_USAGE, "there is no command \"%s\"; there are:%s (weir help)", name, known);
}

static void help_all(FILE *to) {
    fprintf(to, "usage: weir COMMAND ...\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(to, "  %-9s %s\n", commands[i]->name, commands[i]->summary);
    fprintf(to,
            "\nAn address is a name such as lab/imu (shared memory), or shm://lab/imu, sysv://0x5eed, unix:///run/imu.sock,\n"
            "tcp://127.0.0.1:5555, fifo:///run/imu.fifo, file:///var/log/imu.jsonl.\n"
            "weir help COMMAND   options and examples          weir --version\n"
            "Exit codes: 0 ok, 1 failure, 2 usage, 3 no such channel, 4 timeout, 5 type or encoding, 6 permission,\n"
            "7 data lost under --strict, 8 peer dead, 130 Ctrl-C.\n");
}

static void help_one(const struct cli_command *command) {
    printf("weir %s: %s\n\nusage: weir %s %s\n", command->name, command->summary, command->name, command->usage);
    if (command->options->name)
        printf("\n");
    for (const struct cli_option *option = command->options; option->name; option++) {
        char form[64];
        snprintf(form, sizeof(form), "%s%s %s", strlen(option->name) == 1 ? "-" : "--", option->name,
                 option->value ? option->value : "");
        printf("  %-20s %s\n", form, option->help);
    }
    printf("\nexamples:\n%s", command->examples);
}

static int help(int argc, char **argv) {
    const struct cli_command *command = argc > 0 ? command_find(argv[0]) : NULL;
    if (argc > 0 && !command)
        return command_unknown(argv[0]);
    if (command)
        help_one(command);
    else
        help_all(stdout);
    return CLI_OK;
}

static int wants_help(int argc, char **argv) {
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return 1;
    return 0;
}

static int command_run(const struct cli_command *command, int argc, char **argv) {
    if (wants_help(argc, argv)) {
        help_one(command);
        return CLI_OK;
    }
    int status = cli_options(command, argc, argv, &argc);
    return status ? status : command->run(argc, argv);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        help_all(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("weir %s\n", weir_version());
        return cli_finish(CLI_OK);
    }
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return cli_finish(help(argc - 2, argv + 2));
    const struct cli_command *command = command_find(argv[1]);
    if (!command)
        return command_unknown(argv[1]);
    return cli_finish(command_run(command, argc - 2, argv + 2));
}
