/* The directory of live ends: who has which channel open on this machine, and which channels stand idle. */
#ifndef WEIR_DIRECTORY_H
#define WEIR_DIRECTORY_H

#include <weir/base.h>
#include <weir/error.h>
#include <weir/value.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Fill @doc with the channels this user can see, an array of
 *   {"address", "transport", "state": "live" | "idle" | "bad", "bytes", "messages", "last": ns since the epoch or null,
 *    "ends": [{"role", "pid", "user", "program", "address", "since", "messages", "bytes", "waits", "gaps",
 *    "refused"}]}.
 * "refused": how many others an end that listens on a socket has not let in. A channel is idle when it is there and no
 * living process has it open; bad when nobody can open it, and "problem" says why.
 * Return: WEIR_OK, WEIR_ENOMEM, WEIR_ESYSTEM. */
WEIR_API int weir_directory_list(weir_doc *doc, weir_error *err);

/* Say why one channel is as it is, as far as this user may know. Nothing is opened, locked, connected to or changed.
 * @doc gets
 *   {"address", "transport", "state": "live" | "idle", what its transport knows, "ends": as above, each with
 *    "last": ns or null, "is_stopped" (SIGSTOP, a debugger), "is_listening", "queued": bytes that wait in its memory to
 *    be sent, "behind": {"messages", "bytes"}, each null where it is not known, or null of what is no reader and in
 *    shared memory, whose readers have "lags"; "options": {"full", "capacity", "max", "keep", "readers", "exclusive",
 *    "allow": as below, "timeout": ns or null, "from", "codec", "wait"; of a log also "state", "sync",
 *    "sync_interval", "rotate", "age", "files"}}.
 * All tell "copies": how often the bytes of a message are copied on their way.
 * Shared memory tells "path", "owner", "group", "mode": "0640", "allow": ["uid:imu", "group:lab"] or null,
 *   "created", "keep": bool or null (no writer yet), "server": {"pid",
 *   "user", "program", "is_stopped"} or null, "lanes": [{"lane", "state": "held" | "free", "pid", "user", "program",
 *   "is_stopped", "uid", "segment", "segments", "capacity", "used", "unread": bytes or null, "messages", "seq",
 *   "oldest_seq", "oldest", "newest", "writers_so_far", "is_lossy", "is_blocked", "copied": why readers copy, or null,
 *   "error": sentence or null, "full": what its writer does when it is full, or null}], "readers": null (not yours to see) or [{"slot", "role", "state": "live" | "dead",
 *   "pid", "user", "program", "is_stopped", "is_holding": it makes some writer wait, fail or drop, "is_placed", "is_in_the_way", "sleeps_on": "futex" | "sem" |
 *   "descriptor" | null, "copied": why, or null, "lags": [{"lane", "bytes", "messages": those it can still get, "full",
 *   "lost": those that were overwritten before it read them, which it learns of when it goes on; null when it is not
 *   known}] or null, "wait", "messages", "gaps": what it has learned of; null when its end has no record that we may read}].
 * A sealed channel (sealed=1) tells of these "path", "owner", "group", "mode", "allow", "keep", and "sealed": true,
 *   "writers": [{"number", "state": "live" | "dead" | null (not ours to ask)}].
 * Sockets tell "path", "owner", "group", "mode", and "listener": {"pid", "user", "program", "is_stopped"}, their values
 *   null when it is another user's process; or null. When an end of this user listens, also "peers": [{"role", "pid",
 *   "user", "program", "is_stopped", "is_gone": what it has sent still waits, "full" of a writer, "is_plain": it speaks
 *   no frames, "is_paused": its next message waits for room with a reader, "queued": bytes that wait for it in the
 *   listener's memory, "capacity"}] and "peers_unseen": how many there are besides.
 * Pipes tell "path", "owner", "group", "mode", "writer", "reader" and "server" as "listener" above, "inside" and
 *   "pipe_size": bytes that are in the pipe and that it holds, null when no end has it open.
 * Logs tell "path", "owner", "group", "mode", "framing", "is_state", "inode", "size": of the file at the path, "bytes"
 *   and "disk_bytes": with those put aside, "problem", "first_seq", "first", "last_seq", "last", "torn_bytes", "rotated":
 *   [{"path", "bytes", "inode"}], "writers": [{"lane", "pid", "user", "program", "is_stopped"}] or null,
 *   "readers_holding", "observers".
 * Return: WEIR_OK, WEIR_ENOENT (no such channel), WEIR_EADDRESS, WEIR_EACCESS, WEIR_EVERSION, WEIR_ECORRUPT,
 * WEIR_ENOMEM, WEIR_ESYSTEM. */
WEIR_API int weir_channel_info(const char *address, weir_doc *doc, weir_error *err);

/* Take away what the dead left: records of ends, keep=0 channels without ends, half-made channels. @doc gets an array
 * of {"path", "what", "size"}; with @dry_run nothing is removed. Idle channels that are to be kept stay.
 * Return: WEIR_OK, WEIR_ENOMEM, WEIR_ESYSTEM. */
WEIR_API int weir_directory_clean(weir_doc *doc, int dry_run, weir_error *err);

/* Take one channel away with its messages, whatever keep= says of it, when nobody has it open: shared memory, System V
 * segments, or what a killed process that listened left of a socket. @doc and @dry_run as above.
 * Return: WEIR_OK, WEIR_EBUSY (the sentence says who has it open), WEIR_ENOENT, WEIR_EACCESS (another user's),
 * WEIR_EADDRESS, WEIR_ENOTSUP (a log or a pipe is a file: remove it as one), WEIR_ENOMEM, WEIR_ESYSTEM. */
WEIR_API int weir_channel_remove(const char *address, weir_doc *doc, int dry_run, weir_error *err);

#ifdef __cplusplus
}
#endif

#endif
