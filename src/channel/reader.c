/* Readers, and the latest value without one. */
#include <stdlib.h>
#include <string.h>

#include <weir/channel.h>

#include "channel/address.h"
#include "channel/end.h"
#include "transport/burst.h"

int weir_reader_open(const char *address, weir_reader **ret, weir_error *err) {
    weir_reader *reader = calloc(1, sizeof(*reader));
    if (!reader)
        return weir_fail(err, WEIR_ENOMEM, "out of memory for a reader");
    int status = weir_end_open(&reader->end, address, WEIR_ROLE_READER, err);
    if (status)
        free(reader);
    else
        *ret = reader;
    return status;
}

weir_reader *weir_reader_close(weir_reader *reader) {
    if (reader)
        weir_end_close(&reader->end);
    free(reader);
    return NULL;
}

int weir_reader_next(weir_reader *reader, int64_t timeout_ns, weir_message **ret, weir_error *err) {
    struct weir_end *end = &reader->end;
    int status = weir_end_next(end, WEIR_KINDS_MESSAGE, timeout_ns, err);
    if (status == WEIR_OK)
        *ret = &end->message;
    return status;
}

int weir_reader_next_many(weir_reader *reader, int64_t timeout_ns, weir_message **ret, size_t max, size_t *ret_count,
                          weir_error *err) {
    if (max == 0)
        return weir_fail(err, WEIR_EINVAL, "%s: no room for a message", reader->end.place.text);
    max = max < WEIR_MANY_MAX ? max : WEIR_MANY_MAX;
    return weir_end_next_many(&reader->end, WEIR_KINDS_MESSAGE, timeout_ns, ret, max, ret_count, err);
}

void weir_reader_release(weir_reader *reader) {
    if (weir_end_check(&reader->end, NULL) == WEIR_OK)
        weir_end_release(&reader->end);
}

int weir_reader_latest(weir_reader *reader, weir_message **ret, weir_error *err) {
    weir_burst_settle();
    int status = weir_end_check(&reader->end, err);
    if (status)
        return status;
    weir_end_release(&reader->end);
    status = reader->end.ops->seek(reader->end.state, WEIR_FROM_LAST, 0, err);
    if (status == WEIR_OK)
        status = weir_end_next(&reader->end, WEIR_KINDS_MESSAGE, 0, err);
    if (status == WEIR_EAGAIN || status == WEIR_ETIMEOUT)
        return weir_fail(err, WEIR_ENOENT, "%s: there is no message yet", reader->end.place.text);
    if (status == WEIR_OK)
        *ret = &reader->end.message;
    return status;
}

int weir_reader_fd(weir_reader *reader, int *ret_fd, weir_error *err) {
    return weir_end_fd(&reader->end, ret_fd, err);
}

uint64_t weir_reader_gaps(const weir_reader *reader) {
    return reader->end.gaps;
}

static int latest_message(const struct weir_place *place, weir_message *message, weir_error *err) {
    struct weir_inbound inbound = {0};
    int status = place->transport->latest(place, &message->copy, &inbound, err);
    if (status)
        return status;
    memcpy(message->place, place->text, sizeof(message->place));
    status = weir_message_set(message, &inbound);
    return status ? weir_fail(err, status, "%s: the newest frame is damaged or of another version of weir", place->text)
                  : WEIR_OK;
}

int weir_latest(const char *address, weir_message **ret, weir_error *err) {
    struct weir_place place;
    weir_burst_settle(); /* the newest may be our own */
    int status = weir_address_parse(address, &place, err);
    if (status)
        return status;
    weir_message *message = calloc(1, sizeof(*message));
    if (!message)
        return weir_fail(err, WEIR_ENOMEM, "%s: out of memory", place.text);
    message->is_owned = 1;
    status = latest_message(&place, message, err);
    if (status)
        weir_message_free(message);
    else
        *ret = message;
    return status;
}
