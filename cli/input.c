/* Input: descriptors read in slices, so that Ctrl-C ends a wait for a silent pipe, and JSON given by the user. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

enum { CHUNK = 64 * 1024, SLICE_MS = 100 };

int64_t cli_read(int fd, weir_buffer *buffer, const char *name) {
    static char chunk[CHUNK];
    struct pollfd item = {.fd = fd, .events = POLLIN};
    while (!cli_is_interrupted()) {
        int ready = poll(&item, 1, SLICE_MS);
        if (ready == 0 || (ready < 0 && errno == EINTR))
            continue;
        ssize_t size = read(fd, chunk, sizeof(chunk));
        if (size < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (size < 0) {
            cli_say("%s: %s", name, strerror(errno));
            return -1;
        }
        if (weir_buffer_append(buffer, chunk, (size_t)size) != WEIR_OK) {
            cli_say("%s: out of memory", name);
            return -1;
        }
        return size;
    }
    return 0;
}

int cli_read_all(int fd, weir_buffer *buffer, const char *name) {
    int64_t size;
    do
        size = cli_read(fd, buffer, name);
    while (size > 0);
    if (size < 0)
        return CLI_FAILURE;
    return cli_is_interrupted() ? CLI_SIGNAL + cli_is_interrupted() : CLI_OK;
}

int cli_log_refuse(const char *path) {
    char real[PATH_MAX];
    if (!path || strcmp(path, "-") == 0 || !realpath(path, real))
        return cli_fail(CLI_ENCODING, "standard input is a weir log; keep it as a file NAME.weir, which weir sub "
                                      "file:///FOLDER/NAME.weir --from oldest reads");
    size_t size = strlen(real);
    int is_named = size > 5 && strcmp(real + size - 5, ".weir") == 0;
    return cli_fail(CLI_ENCODING, "%s is a weir log; weir sub %sfile://%s%s --from oldest reads it", path,
                    is_named ? "" : "'", real, is_named ? "" : "?framing=weir'");
}

int cli_json(const char *text, size_t size, const char *what, const char *way_out, weir_doc *doc,
             const weir_value **ret) {
    weir_error err = {0};
    int status = weir_decode(doc, WEIR_CODEC_JSON, text, size, NULL, NULL, &err);
    if (status == WEIR_EPARSE)
        return cli_fail(CLI_ENCODING, "%s is no JSON: %s; %s", what, err.text, way_out);
    if (status)
        return cli_error(status, &err);
    *ret = weir_doc_root(doc);
    return CLI_OK;
}

int cli_buffer_cut(weir_buffer **buffer, size_t used) {
    weir_buffer *rest = NULL;
    weir_view view = weir_buffer_view(*buffer);
    if (used == 0)
        return CLI_OK;
    if (weir_buffer_new(&rest) || weir_buffer_append(rest, view.data + used, view.size - used)) {
        weir_buffer_free(rest);
        return cli_fail(CLI_FAILURE, "out of memory");
    }
    weir_buffer_free(*buffer);
    *buffer = rest;
    return CLI_OK;
}
