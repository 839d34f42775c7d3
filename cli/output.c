/* Stdout: data only. A reader that goes away (`weir sub x | head -1`) is the normal end of a pipe and makes no noise;
 * any other failure to write is told once, at the end. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

static int write_errno; /* the first failure; nothing is written after it */

static void note_failure(void) {
    if (!write_errno)
        write_errno = errno ? errno : EIO;
}

void cli_print(const char *data, size_t size) {
    if (size > 0 && !write_errno && fwrite(data, 1, size, stdout) != size)
        note_failure();
}

void cli_print_line(weir_buffer *buffer) {
    weir_view view = weir_buffer_view(buffer);
    cli_print(view.data, view.size);
    cli_print("\n", 1);
    weir_buffer_clear(buffer);
}

void cli_flush(void) {
    if (!write_errno && fflush(stdout) != 0)
        note_failure();
}

int cli_is_over(void) {
    return write_errno != 0;
}

int cli_finish(int exit) {
    cli_flush();
    if (!write_errno || write_errno == EPIPE)
        return exit;
    return cli_fail(CLI_FAILURE, "standard output: %s", strerror(write_errno));
}

int cli_is_terminal(void) {
    static int answer = -1;
    if (answer < 0)
        answer = isatty(STDOUT_FILENO);
    return answer;
}

const char *cli_style(const char *style) {
    static int has_colour = -1;
    if (has_colour < 0) {
        const char *never = getenv("NO_COLOR"), *term = getenv("TERM");
        has_colour = cli_is_terminal() && !(never && *never) && term && strcmp(term, "dumb") != 0;
    }
    return has_colour ? style : "";
}

const char *cli_age(int64_t ns, char *text) {
    double seconds = (double)(ns < 0 ? 0 : ns) / 1e9;
    if (seconds < 1)
        snprintf(text, 16, "%.0fms", seconds * 1e3);
    else if (seconds < 120)
        snprintf(text, 16, "%.1fs", seconds);
    else if (seconds < 7200)
        snprintf(text, 16, "%.0fm", seconds / 60);
    else if (seconds < 2 * 86400)
        snprintf(text, 16, "%.0fh", seconds / 3600);
    else
        snprintf(text, 16, "%.0fd", seconds / 86400);
    return text;
}

const char *cli_size(uint64_t bytes, char *text) {
    static const char units[] = "KMGT";
    double value = (double)bytes;
    int unit = -1;
    while (value >= 1024 && unit < 3) {
        value /= 1024;
        unit++;
    }
    if (unit < 0)
        snprintf(text, 16, "%" PRIu64, bytes);
    else
        snprintf(text, 16, value < 10 && value != (int)value ? "%.1f%c" : "%.0f%c", value, units[unit]);
    return text;
}

int cli_json_guard(weir_view json, weir_buffer *out) {
    int status = WEIR_OK;
    size_t begin = 0;
    char escape[8];
    for (size_t i = 0; i < json.size && status == WEIR_OK; i++) {
        const unsigned char *c = (const unsigned char *)json.data + i;
        int is_c1 = i + 1 < json.size && c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0;
        if (!is_c1 && *c != 0x7f)
            continue;
        snprintf(escape, sizeof(escape), "\\u%04x", is_c1 ? c[1] : *c);
        status = weir_buffer_append(out, json.data + begin, i - begin);
        if (status == WEIR_OK)
            status = weir_buffer_append(out, escape, 6);
        i += (size_t)is_c1;
        begin = i + 1;
    }
    return status ? status : weir_buffer_append(out, json.data + begin, json.size - begin);
}

int cli_print_json(weir_buffer *json) {
    weir_buffer *guarded = NULL;
    int status = WEIR_OK;
    if (cli_is_terminal()) {
        status = weir_buffer_new(&guarded);
        if (status == WEIR_OK)
            status = cli_json_guard(weir_buffer_view(json), guarded);
    }
    if (status == WEIR_OK)
        cli_print_line(guarded ? guarded : json);
    weir_buffer_clear(json);
    weir_buffer_free(guarded);
    return status;
}

int cli_print_message(weir_message *message) {
    weir_buffer *line = NULL;
    weir_error err = {0};
    int status = weir_buffer_new(&line);
    if (status == WEIR_OK)
        status = weir_message_json(message, line, &err);
    if (status == WEIR_OK)
        status = cli_print_json(line);
    weir_buffer_free(line);
    return status ? cli_error(status, &err) : CLI_OK;
}

int cli_view_is(weir_view view, const char *text) {
    return view.size == strlen(text) && memcmp(view.data, text, view.size) == 0;
}

int cli_print_value(const weir_value *value, uint32_t flags) {
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    weir_buffer *buffer = NULL;
    weir_error err = {0};
    if (!value) {
        cli_print("null\n", 5);
        return CLI_OK;
    }
    options.flags = flags;
    int status = weir_buffer_new(&buffer);
    if (status == WEIR_OK)
        status = weir_encode(value, WEIR_CODEC_JSON, &options, buffer, &err);
    if (status == WEIR_OK)
        status = cli_print_json(buffer);
    weir_buffer_free(buffer);
    return status ? cli_error(status, &err) : CLI_OK;
}
