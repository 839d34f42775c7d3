/* Talk: one line on stderr for each thing to say, and the exit code that fits a library's error. */
#include <stdarg.h>
#include <stdio.h>

#include "cli.h"

static void say(const char *format, va_list arguments) {
    char text[1024];
    vsnprintf(text, sizeof(text), format, arguments);
    for (unsigned char *c = (unsigned char *)text; *c; c++) {
        int is_c1 = c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0; /* U+0080 to U+009F, two bytes */
        if (is_c1)
            *c++ = '?';
        if (is_c1 || *c < 0x20 || *c == 0x7f)
            *c = '?';
    }
    fflush(stdout);
    fprintf(stderr, "weir: %s\n", text);
}

void cli_say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
}

int cli_fail(int exit, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
    return exit;
}

int cli_exit_of(int status) {
    switch (status) {
    case WEIR_OK: return CLI_OK;
    case WEIR_EADDRESS:
    case WEIR_EINVAL: return CLI_USAGE;
    case WEIR_ENOENT: return CLI_ABSENT;
    case WEIR_ETIMEOUT: return CLI_TIMEOUT;
    case WEIR_ETYPE:
    case WEIR_EPARSE:
    case WEIR_EENCODE: return CLI_ENCODING;
    case WEIR_EACCESS: return CLI_ACCESS;
    case WEIR_EPEER: return CLI_PEER;
    default: return CLI_FAILURE;
    }
}

int cli_error(int status, const weir_error *err) {
    return cli_fail(cli_exit_of(status), "%s", err->code && err->text[0] ? err->text : weir_err_text(status));
}
