/* Running a shell command: bytes in, bytes out. */
#ifndef WEIR_CLI_CHILD_H
#define WEIR_CLI_CHILD_H

#include <weir/weir.h>

/* Run `sh -c command` with @input on its stdin; append its stdout to @out and its stderr to @talk.
 * @ret_status: its exit code, 128 + the signal's number when one ended it. An interruption of ours, or our end by
 * whatever means, ends it and all that it has started.
 * Return: exit code (said why): CLI_FAILURE when it could not be run. */
int cli_child_run(const char *command, weir_view input, weir_buffer *out, weir_buffer *talk, int *ret_status);

#endif
