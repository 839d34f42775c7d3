/* Options: one loop over argv, driven by the command's table.
 *
 * Options and positional arguments may stand in any order. What begins with '-' and a digit, or is just "-", is
 * positional, so that `weir pub lab/x -5` sends a number. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

int cli_duration(const char *text, int64_t *ret_ns) {
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}, {"", 1e9}};
    char *end;
    if (strcmp(text, "forever") == 0) {
        *ret_ns = WEIR_FOREVER;
        return 0;
    }
    if (!isdigit((unsigned char)text[0]) || strspn(text, "0123456789.") != strcspn(text, "numsh"))
        return -1;
    double value = strtod(text, &end);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(end, units[i].name) != 0)
            continue;
        if (value * units[i].ns > 9.2e18)
            return -1;
        *ret_ns = (int64_t)(value * units[i].ns + 0.5);
        return 0;
    }
    return -1;
}

char *cli_address(const char *address, const char *option, const char *value) {
    size_t size = strlen(address) + strlen(option) + strlen(value) + 3;
    char *text = malloc(size);
    if (!text)
        return NULL;
    strcpy(text, address);
    strcat(text, strchr(address, '?') ? "&" : "?");
    strcat(text, option);
    strcat(text, "=");
    return strcat(text, value);
}

static int whole_read(const char *text, uint64_t *ret) {
    char *end;
    errno = 0;
    if (!isdigit((unsigned char)text[0]))
        return -1;
    *ret = strtoull(text, &end, 10);
    return errno || *end ? -1 : 0;
}

static int count_read(const char *text, uint64_t *ret) {
    return whole_read(text, ret) || *ret == 0 ? -1 : 0;
}

static int number_read(const char *text, double *ret) {
    char *end;
    *ret = strtod(text, &end);
    return end == text || *end || !isfinite(*ret) || *ret <= 0 ? -1 : 0;
}

static int list_add(const struct cli_command *command, const struct cli_option *option, const char *text) {
    struct cli_list *list = option->target;
    if (list->count == CLI_LIST_MAX)
        return cli_fail(CLI_USAGE, "%s: --%s at most %d times", command->name, option->name, CLI_LIST_MAX);
    list->items[list->count++] = text;
    return CLI_OK;
}

static int value_store(const struct cli_command *command, const struct cli_option *option, const char *text) {
    const char *dashes = strlen(option->name) == 1 ? "-" : "--";
    switch (option->kind) {
    case CLI_FLAG: *(int *)option->target = 1; return CLI_OK;
    case CLI_TEXT: *(const char **)option->target = text; return CLI_OK;
    case CLI_COUNT:
        if (count_read(text, option->target) == 0)
            return CLI_OK;
        return cli_fail(CLI_USAGE, "%s: %s%s %s is no whole number from 1 on", command->name, dashes, option->name,
                        text);
    case CLI_PORT:
        if (whole_read(text, option->target) == 0 && *(uint64_t *)option->target <= UINT16_MAX)
            return CLI_OK;
        return cli_fail(CLI_USAGE, "%s: %s%s %s is no port; ports are 1 to 65535, 0 takes any that is free",
                        command->name, dashes, option->name, text);
    case CLI_DURATION:
        if (cli_duration(text, option->target) == 0)
            return CLI_OK;
        return cli_fail(CLI_USAGE, "%s: %s%s %s is no duration; write 1.5s, 200ms, 5m or forever", command->name,
                        dashes, option->name, text);
    case CLI_NUMBER:
        if (number_read(text, option->target) == 0)
            return CLI_OK;
        return cli_fail(CLI_USAGE, "%s: %s%s %s is no number above 0", command->name, dashes, option->name, text);
    case CLI_LIST: return list_add(command, option, text);
    }
    return CLI_USAGE;
}

static int unknown_option(const struct cli_command *command, const char *name, size_t size) {
    char known[256] = "";
    for (const struct cli_option *option = command->options; option->name; option++) {
        if (strlen(known) + strlen(option->name) + 5 > sizeof(known))
            break;
        strcat(known, strlen(option->name) == 1 ? " -" : " --");
        strcat(known, option->name);
    }
    return cli_fail(CLI_USAGE, "%s: there is no option %.*s; there are:%s (weir help %s)", command->name, (int)size,
                    name, *known ? known : " none", command->name);
}

/* The option that @argument names, and the value glued to it ("--op=x", "-n5") or NULL. */
static const struct cli_option *option_find(const struct cli_command *command, const char *argument,
                                            const char **ret_value) {
    int is_long = argument[1] == '-';
    const char *name = argument + 1 + is_long;
    size_t size = is_long ? strcspn(name, "=") : 1;
    for (const struct cli_option *option = command->options; option->name; option++) {
        if (strlen(option->name) != size || strncmp(option->name, name, size) != 0 || (size == 1) != !is_long)
            continue;
        *ret_value = name[size] == '\0' ? NULL : name + size + (is_long || name[size] == '=');
        return option;
    }
    return NULL;
}

static int is_option(const char *argument) {
    return argument[0] == '-' && argument[1] != '\0' && !isdigit((unsigned char)argument[1]) && argument[1] != '.';
}

/* How the usage calls the argument with this number: a word outside of brackets that is no option. @name: 16 bytes. */
static const char *argument_name(const struct cli_command *command, int number, char *name) {
    int depth = 0;
    const char *at = command->usage;
    snprintf(name, 16, "an argument");
    while (*at) {
        size_t size = strcspn(at, " ");
        for (size_t i = 0; i < size; i++)
            depth += (at[i] == '[') - (at[i] == ']');
        if (depth == 0 && at[size - (size > 0)] != ']' && isupper((unsigned char)*at) && number-- == 0) {
            snprintf(name, 16, "%.*s", (int)strcspn(at, " ."), at);
            break;
        }
        at += size + (at[size] != '\0');
    }
    return name;
}

static int arguments_check(const struct cli_command *command, int count, char **argv) {
    char name[16];
    if (count < command->arguments_min)
        return cli_fail(CLI_USAGE, "%s: %s is missing; usage: weir %s %s", command->name,
                        argument_name(command, count, name), command->name, command->usage);
    if (count > command->arguments_max)
        return cli_fail(CLI_USAGE, "%s: \"%s\" is one argument too many; usage: weir %s %s", command->name,
                        argv[command->arguments_max], command->name, command->usage);
    return CLI_OK;
}

int cli_options(const struct cli_command *command, int argc, char **argv, int *ret_argc) {
    int count = 0, is_over = 0;
    for (int i = 0; i < argc; i++) {
        if (is_over || !is_option(argv[i])) {
            argv[count++] = argv[i];
            continue;
        }
        if (strcmp(argv[i], "--") == 0) {
            is_over = 1;
            continue;
        }
        const char *argument = argv[i], *value = NULL;
        const struct cli_option *option = option_find(command, argument, &value);
        if (!option)
            return unknown_option(command, argument, strcspn(argument, "="));
        if (option->kind == CLI_FLAG && value)
            return cli_fail(CLI_USAGE, "%s: %s takes no value", command->name, argument);
        if (option->kind != CLI_FLAG && !value && ++i == argc)
            return cli_fail(CLI_USAGE, "%s: %s needs a value: %s", command->name, argument, option->value);
        int status = value_store(command, option, value ? value : argv[i]);
        if (status)
            return status;
    }
    *ret_argc = count;
    return arguments_check(command, count, argv);
}
