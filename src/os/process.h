/* Who a process is: its user, program name, and a start time that tells it from a later process with the same
 * number. */
#ifndef WEIR_OS_PROCESS_H
#define WEIR_OS_PROCESS_H

#include <stddef.h>
#include <stdint.h>

/* The program's name as `ps` shows it; "?" when it cannot be read. */
void weir_process_program(int64_t pid, char *name, size_t size);
/* Our own. */
void weir_process_program_own(char *name, size_t size);
/* The user's login name, or the number as text. */
void weir_process_user(uint32_t uid, char *name, size_t size);
/* The other way round: a login name, or the number as text. Return: WEIR_OK, WEIR_ENOENT (no such user). */
int weir_process_uid(const char *user, uint32_t *ret);
/* The group's name, or the number as text. */
void weir_process_group(uint32_t gid, char *name, size_t size);
/* "python (pid 123)" for sentences, and whether it is stopped. */
void weir_process_text(int64_t pid, char *text, size_t size);
/* 1 when it is stopped (SIGSTOP, a debugger), so that it does nothing until somebody lets it go on. */
int weir_process_is_stopped(int64_t pid);
/* The user that a process runs as. Return: WEIR_OK, WEIR_ENOENT (no such process). */
int weir_process_owner(int64_t pid, uint32_t *ret_uid);
/* The process that listens at the socket which was bound as @path or @other, and its user, as far as /proc shows it to
 * us; nobody is connected to. Return: its pid; 0: nobody; -1: somebody whom we may not see. */
int64_t weir_process_listens(const char *path, const char *other, uint32_t *ret_uid);
/* The process that has the socket of that inode open, and its user. Return: its pid; -1: none that we may see. */
int64_t weir_process_of_socket(unsigned long inode, uint32_t *ret_uid);
/* Start time in clock ticks since boot (/proc/PID/stat); 0 when there is no such process. */
uint64_t weir_process_start(int64_t pid);
/* Of our own; it is asked for only once. */
uint64_t weir_process_start_own(void);
/* Fill with bytes nobody can guess (getrandom). */
void weir_random(void *data, size_t size);

#endif
