/* Messages: an operation, metadata, data, and what the library stamps. Decoded only when asked for.
 *
 * A message handed out by a reader, client or server is borrowed: it, and every value, view and array got from it,
 * lives until that reader's, client's or server's next call. weir_message_copy makes one that lives until it is freed.
 */
#ifndef WEIR_MESSAGE_H
#define WEIR_MESSAGE_H

#include <weir/base.h>
#include <weir/error.h>
#include <weir/value.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { WEIR_OP_MAX = 255 }; /* bytes of an operation's name */

typedef struct weir_message weir_message;

/* What this is or asks for; empty when the writer gave none. */
WEIR_API weir_view weir_message_op(const weir_message *message);
/* The writer's count of its messages, from 1. */
WEIR_API uint64_t weir_message_seq(const weir_message *message);
/* When it was sent, ns since the epoch; 0 when the writer did not stamp it (option stamp=0). */
WEIR_API int64_t weir_message_time(const weir_message *message);
/* The call it belongs to; 0 outside calls. */
WEIR_API uint64_t weir_message_id(const weir_message *message);
/* Which of the channel's writers sent it: a small number, stable while that writer is open. */
WEIR_API uint32_t weir_message_writer(const weir_message *message);
/* Messages of that writer that this reader missed just before this one. */
WEIR_API uint64_t weir_message_gap(const weir_message *message);
/* enum weir_codec of the data. */
WEIR_API int weir_message_codec(const weir_message *message);
/* The data as the writer encoded it. */
WEIR_API weir_view weir_message_bytes(const weir_message *message);
/* The type of raw data, "f64[4,256]" or "{t: i64, accel: f64[3]}"; empty for other codecs. */
WEIR_API weir_view weir_message_type(const weir_message *message);

/* The metadata, a map; NULL in *ret when there is none.
 * Return: WEIR_OK, WEIR_EPARSE, WEIR_ELIMIT, WEIR_ENOMEM. */
WEIR_API int weir_message_meta(weir_message *message, const weir_value **ret, weir_error *err);
/* The data; NULL in *ret when there is none.
 * Return: WEIR_OK, WEIR_EPARSE, WEIR_ELIMIT, WEIR_ENOMEM, WEIR_ENOTSUP. */
WEIR_API int weir_message_data(weir_message *message, const weir_value **ret, weir_error *err);
/* The data when it is an ndarray: raw data is not copied, it is handed out where it lies, aligned to 64 bytes.
 * Return: WEIR_OK, WEIR_ETYPE (the sentence shows what it is), WEIR_EPARSE, WEIR_ELIMIT, WEIR_ENOMEM. */
WEIR_API int weir_message_ndarray(weir_message *message, weir_ndarray *ret, weir_error *err);

/* Raw data where it lies, aligned to 64 bytes, when its writer sends just this type (raw.h): what a program in C casts
 * to its struct.
 * Return: WEIR_OK, WEIR_ETYPE (the sentence shows both types and who writes), WEIR_EINVAL (@type), WEIR_EPARSE,
 * WEIR_ELIMIT, WEIR_ENOMEM. */
WEIR_API int weir_message_raw(weir_message *message, const char *type, weir_view *ret, weir_error *err);

/* The message as one JSON object without a line end, {"v":1,"seq":…,"time":…,"op":…,"meta":…,"data":…}, appended to
 * @out: the plain form for people and web pages. "gap" stands there when it is not 0; absent op, meta and data are
 * null.
 * Return: WEIR_OK, WEIR_EPARSE, WEIR_ELIMIT, WEIR_ENOMEM. */
WEIR_API int weir_message_json(weir_message *message, weir_buffer *out, weir_error *err);

/* A copy that owns everything.
 * Return: WEIR_OK, WEIR_ENOMEM. */
WEIR_API int weir_message_copy(const weir_message *message, weir_message **ret);
/* Free a copy; a borrowed message is left alone. */
WEIR_API weir_message *weir_message_free(weir_message *message);

#ifdef __cplusplus
}
#endif

#endif
