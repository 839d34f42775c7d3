/* Recordings: the convention, and what writing and reading them share. */
#include "recording.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int recording_meta_make(const struct recording_entry *entry, weir_doc *doc, const weir_value **ret, weir_error *err) {
    weir_doc_clear(doc);
    weir_begin_map(doc);
    weir_put_key(doc, "from");
    weir_refer_text(doc, entry->from.data, entry->from.size);
    weir_put_key(doc, "seq");
    weir_put_u64(doc, entry->seq);
    if (entry->writer) {
        weir_put_key(doc, "writer");
        weir_put_u64(doc, entry->writer);
    }
    if (entry->time) {
        weir_put_key(doc, "time");
        weir_put_i64(doc, entry->time);
    }
    if (entry->gap) {
        weir_put_key(doc, "gap");
        weir_put_u64(doc, entry->gap);
    }
    if (entry->meta) {
        weir_put_key(doc, "meta");
        weir_put_value(doc, entry->meta);
    }
    weir_end(doc);
    return weir_doc_finish(doc, ret, err);
}

int recording_meta_read(const weir_value *meta, struct recording_entry *ret) {
    *ret = (struct recording_entry){0};
    if (!meta || weir_get_text(meta, "from", &ret->from) || ret->from.size == 0 || weir_get_u64(meta, "seq", &ret->seq))
        return WEIR_ETYPE;
    weir_get_i64(meta, "time", &ret->time);
    weir_get_u64(meta, "gap", &ret->gap);
    weir_get(meta, "meta", &ret->meta);
    return ret->meta && weir_value_kind(ret->meta) != WEIR_KIND_MAP ? WEIR_ETYPE : WEIR_OK;
}

int recording_is_hopeless(int status) {
    return status == WEIR_EINVAL || status == WEIR_ENOTSUP || status == WEIR_ETOOBIG || status == WEIR_EPARSE ||
           status == WEIR_ELIMIT || status == WEIR_EENCODE;
}

static int text_copy(weir_view view, char *text, size_t size, const char *what, weir_error *err) {
    if (view.size >= size || memchr(view.data ? view.data : "", '\0', view.size)) {
        err->code = WEIR_EINVAL;
        snprintf(err->text, sizeof(err->text), "its %s is no text that a message can have", what);
        return WEIR_EINVAL;
    }
    memcpy(text, view.size ? view.data : "", view.size);
    text[view.size] = '\0';
    return WEIR_OK;
}

int recording_forward(weir_writer *writer, weir_message *message, const weir_value *meta, weir_error *err) {
    char op[WEIR_OP_MAX + 1], type[WEIR_TYPE_TEXT_MAX + 1];
    weir_view bytes = weir_message_bytes(message);
    int codec = weir_message_codec(message), is_raw = codec == WEIR_CODEC_RAW;
    int status = text_copy(weir_message_op(message), op, sizeof(op), "op", err);
    if (status == WEIR_OK)
        status = text_copy(weir_message_type(message), type, sizeof(type), "type", err);
    if (status)
        return status;
    if (codec == 0)
        return weir_writer_send(writer, op[0] ? op : NULL, meta, NULL, err);
    return weir_writer_send_bytes(writer, op[0] ? op : NULL, meta, codec, is_raw ? type : NULL, bytes.data, bytes.size,
                                  err);
}

/* ---- addresses ---- */

int recording_address(const char *path, char **ret) {
    char *folder = path[0] == '/' ? NULL : getcwd(NULL, 0);
    const char *between = folder && folder[strlen(folder) - 1] != '/' ? "/" : "";
    if (strchr(path, '?')) {
        free(folder);
        return cli_fail(CLI_USAGE, "%s: a log's name has no question mark", path);
    }
    if (!folder && path[0] != '/')
        return cli_fail(CLI_FAILURE, "the folder that we are in: %s", strerror(errno));
    if (asprintf(ret, "file://%s%s%s?max=2G", folder ? folder : "", between, path) < 0)
        *ret = NULL;
    free(folder);
    return *ret ? CLI_OK : cli_fail(CLI_FAILURE, "out of memory");
}

char *recording_name(const char *address) {
    size_t size = strcspn(address, "?");
    const char *separator = strstr(address, "://");
    int has_scheme = separator && separator < address + size;
    char *name = NULL;
    return asprintf(&name, "%s%.*s", has_scheme ? "" : "shm://", (int)size, address) < 0 ? NULL : name;
}
