/* Telling about a channel: the pairs that listings and info documents are made of, in one form for all transports.
 *
 * What must stay true: a number that is not known is null, never a made-up 0; a time is ns since the epoch. */
#ifndef WEIR_TRANSPORT_TELL_H
#define WEIR_TRANSPORT_TELL_H

#include <stdint.h>
#include <weir/value.h>

#include "os/access.h"

/* Each appends one pair to the map that is open in @doc. A NULL text is null; so is a time of 0. */
void weir_tell_text(weir_doc *doc, const char *key, const char *text);
void weir_tell_number(weir_doc *doc, const char *key, uint64_t number);
void weir_tell_bool(weir_doc *doc, const char *key, int value);
void weir_tell_null(weir_doc *doc, const char *key);
void weir_tell_time(weir_doc *doc, const char *key, int64_t time);
/* "pid", "user", "program" and "is_stopped" of a process; with 0 or less for @pid all of them are null. */
void weir_tell_process(weir_doc *doc, int64_t pid, uint32_t uid);
/* "allow", an array of texts "uid:imu", "group:lab"; null for an empty list. */
void weir_tell_allow(weir_doc *doc, const struct weir_allow *allow);
/* "owner", "group", and "mode" as four octal digits in text. */
void weir_tell_rights(weir_doc *doc, uint32_t uid, uint32_t gid, uint32_t mode);

#endif
