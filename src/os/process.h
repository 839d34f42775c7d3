/* Who a process is: its user, program name, and a start time that tells it from a later process with the same number. */
#ifndef WEIR_OS_PROCESS_H
#define WEIR_OS_PROCESS_H

#include <stddef.h>
#include <stdint.h>

/* The program's name as `ps` shows it; "?" when it cannot be read. */
void weir_process_program(int64_t pid, char *name, size_t size);
/* The user's login name, or the number as text. */
void weir_process_user(uint32_t uid, char *name, size_t size);
/* Start time in clock ticks since boot (/proc/PID/stat); 0 when there is no such process. */
uint64_t weir_process_start(int64_t pid);
/* Fill with bytes nobody can guess (getrandom). */
void weir_random(void *data, size_t size);

#endif
