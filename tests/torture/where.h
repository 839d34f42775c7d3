/* Where a process is that should have gone on: for reports of what hangs. */
#ifndef WEIR_TORTURE_WHERE_H
#define WEIR_TORTURE_WHERE_H

#include <sys/types.h>

/* Print, as a comment of TAP, @what, and of each thread of @process and its children: state, system call, what it waits
 * for in the kernel, how long it ran and how long it waited for a processor, and which of our functions its stack names.
 * Whoever may trace the process may ask. */
void where_print(pid_t process, const char *what);

#endif
