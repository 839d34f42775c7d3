/* Messages whose data is raw: decoded, or handed out where it lies.
 *
 * The elements are read in place, so a frame that does not align them is refused. A struct's type is parsed once and
 * kept in the message for as long as the same one comes. Who writes is looked up only for a sentence: the kernel says
 * which user, the directory of live ends which process, where there is only one that it can be.
 */
#include <stdio.h>
#include <string.h>

#include <weir/raw.h>

#include "base/error.h"
#include "channel/message.h"
#include "channel/record.h"
#include "codec/codec.h"
#include "os/process.h"

static int is_struct(const struct weir_message *message) {
    return weir_raw_is_struct(weir_message_frame(message)->type.data, weir_message_frame(message)->type.size);
}

/* What a frame says against the bytes it has. */
static int check(const struct weir_frame *frame, size_t size, weir_error *err) {
    if (!(frame->flags & WEIR_FRAME_ALIGNED))
        return weir_fail(err, WEIR_EPARSE, "the message's raw data is not aligned; its writer must set flag 32");
    if (size != frame->data.size)
        return weir_fail(err, WEIR_EPARSE, "the message says %.*s, which is %zu byte%s, and has %zu",
                         (int)(frame->type.size < 160 ? frame->type.size : 160), frame->type.data, size, WEIR_S(size),
                         frame->data.size);
    return WEIR_OK;
}

int weir_message_raw_ndarray(const struct weir_message *message, weir_ndarray *ret, weir_error *err) {
    const struct weir_frame *frame = weir_message_frame(message);
    weir_ndarray array = {.size = frame->data.size};
    int status = weir_raw_type_parse(frame->type.data, frame->type.size, &array, err);
    if (status)
        return status == WEIR_EINVAL ? WEIR_EPARSE : status;
    status = check(frame, array.size, err);
    if (status)
        return status;
    array.data = frame->data.data;
    *ret = array;
    return WEIR_OK;
}

int weir_message_raw_struct(struct weir_message *message, weir_error *err) {
    const struct weir_frame *frame = weir_message_frame(message);
    int status = weir_raw_type_keep(&message->type, frame->type.data, frame->type.size, err);
    if (status)
        return status == WEIR_EINVAL ? WEIR_EPARSE : status;
    return check(frame, weir_type_size(message->type), err);
}

int weir_message_raw_decode(struct weir_message *message, weir_error *err) {
    weir_ndarray array;
    const weir_value *root;
    if (is_struct(message)) {
        int status = weir_message_raw_struct(message, err);
        return status ? status
                      : weir_type_decode(message->data_doc, message->type, weir_message_frame(message)->data.data,
                                         weir_message_frame(message)->data.size, NULL, err);
    }
    int status = weir_message_raw_ndarray(message, &array, err);
    if (status)
        return status;
    weir_doc_clear(message->data_doc);
    weir_refer_ndarray(message->data_doc, &array);
    return weir_doc_finish(message->data_doc, &root, err);
}

/* ---- who writes ---- */

struct search {
    const struct weir_message *message;
    uint32_t role;
    int64_t pid;  /* of the one found, 0 for none, -1 for several */
    uint32_t uid; /* of the one found */
};

/* TCP does not say. */
static const uint32_t UID_UNKNOWN = UINT32_MAX;

static int end_found(const struct weir_record *record, const char *path, void *user) {
    struct search *search = user;
    (void)path;
    uint32_t uid = search->message->uid;
    if (record->role != search->role || (record->uid != uid && uid != UID_UNKNOWN) ||
        strcmp(record->place, search->message->place) != 0 || record->pid == search->pid)
        return WEIR_OK;
    search->pid = search->pid == 0 ? record->pid : -1;
    search->uid = record->uid;
    return WEIR_OK;
}

/* "writer pid 812, user daq", as far as it is known. */
static void who(const struct weir_message *message, char *text, size_t size) {
    static const char *const names[] = {[WEIR_FRAME_MESSAGE] = "writer", [WEIR_FRAME_REQUEST] = "client"};
    char user[64] = "unknown";
    uint32_t kind = weir_message_frame(message)->kind;
    const char *name = kind == WEIR_FRAME_MESSAGE || kind == WEIR_FRAME_REQUEST ? names[kind] : "server";
    struct search search = {.message = message, .uid = message->uid};
    search.role = kind == WEIR_FRAME_MESSAGE   ? WEIR_ROLE_WRITER
                  : kind == WEIR_FRAME_REQUEST ? WEIR_ROLE_CLIENT
                                               : WEIR_ROLE_SERVER;
    if (message->place[0])
        weir_record_each(end_found, NULL, 1, &search);
    if (search.uid != UID_UNKNOWN)
        weir_process_user(search.uid, user, sizeof(user));
    if (search.pid > 0)
        snprintf(text, size, "%s pid %lld, user %s", name, (long long)search.pid, user);
    else
        snprintf(text, size, "%s %u%s, user %s", name, message->writer, search.pid < 0 ? " of several" : "", user);
}

/* ---- in place ---- */

/* What the message holds instead, as "f64[3]" or "cbor data". */
static void held(const struct weir_message *message, char *text, size_t size) {
    const struct weir_frame *frame = weir_message_frame(message);
    if (frame->codec == WEIR_CODEC_RAW)
        snprintf(text, size, "%.*s%s", (int)(frame->type.size < 100 ? frame->type.size : 100), frame->type.data,
                 frame->type.size > 100 ? "..." : "");
    else
        snprintf(text, size, frame->codec == 0 ? "no data" : "%s data", weir_codec_name(frame->codec));
}

static int fail_type(const struct weir_message *message, const char *type, weir_error *err) {
    char sends[112], by[128];
    size_t size = strlen(type);
    held(message, sends, sizeof(sends));
    who(message, by, sizeof(by));
    return weir_fail(err, WEIR_ETYPE, "%.160s%sthe writer sends %s, you asked for %.100s%s (%s)", message->place,
                     message->place[0] ? ": " : "", sends, type, size > 100 ? "..." : "", by);
}

/* WEIR_OK when the two texts, of which the first is good, mean one type. */
static int compare(const struct weir_message *message, const char *type, weir_error *err) {
    weir_type *asked = NULL, *sent = NULL;
    int status = weir_type_new(type, strlen(type), &asked, err);
    if (status == WEIR_OK)
        status =
            weir_type_new(weir_message_frame(message)->type.data, weir_message_frame(message)->type.size, &sent, err);
    if (status == WEIR_OK && strcmp(weir_type_text(asked).data, weir_type_text(sent).data) != 0)
        status = fail_type(message, type, err);
    weir_type_free(asked);
    weir_type_free(sent);
    return status;
}

int weir_message_raw(weir_message *message, const char *type, weir_view *ret, weir_error *err) {
    const struct weir_frame *frame = weir_message_frame(message);
    weir_ndarray array;
    if (frame->codec != WEIR_CODEC_RAW)
        return fail_type(message, type, err);
    int status =
        is_struct(message) ? weir_message_raw_struct(message, err) : weir_message_raw_ndarray(message, &array, err);
    if (status == WEIR_OK &&
        (strlen(type) != frame->type.size || memcmp(type, frame->type.data, frame->type.size) != 0))
        status = compare(message, type, err);
    if (status == WEIR_OK)
        *ret = frame->data;
    return status;
}
