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
 *   {"address", "transport", "state": "live" | "idle", "bytes", "messages", "last": ns since the epoch or null,
 *    "ends": [{"role", "pid", "user", "program", "address", "since", "messages", "bytes", "waits", "gaps"}]}.
 * A channel is idle when it is there and no living process has it open.
 * Return: WEIR_OK, WEIR_ENOMEM, WEIR_ESYSTEM. */
WEIR_API int weir_directory_list(weir_doc *doc, weir_error *err);

/* Take away what the dead left: records of ends, keep=0 channels without ends, half-made channels. @doc gets an array of
 * {"path", "what", "size"}; with @dry_run nothing is removed. Idle channels that are to be kept stay.
 * Return: WEIR_OK, WEIR_ENOMEM, WEIR_ESYSTEM. */
WEIR_API int weir_directory_clean(weir_doc *doc, int dry_run, weir_error *err);

#ifdef __cplusplus
}
#endif

#endif
