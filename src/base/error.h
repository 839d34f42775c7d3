/* Filling in a weir_error: one sentence that says what, who, and the way out. */
#ifndef WEIR_BASE_ERROR_INTERNAL_H
#define WEIR_BASE_ERROR_INTERNAL_H

#include <weir/error.h>

/* Fill @err, when there is one, and return @code, so that a failing function ends in `return weir_fail(err, ...)`. */
int weir_fail(weir_error *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same for a failed system call: picks the code that fits @sys_errno (EACCES, EPERM: WEIR_EACCESS; ENOENT:
 * WEIR_ENOENT; ENOSPC, EDQUOT: WEIR_ENOSPC; ENOMEM: WEIR_ENOMEM; ETIMEDOUT: WEIR_ETIMEOUT; others: WEIR_ESYSTEM) and
 * ends the sentence with ": " and the system's words. */
int weir_fail_errno(weir_error *err, int sys_errno, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same for bytes that cannot be read: notes the offset, and ends the sentence with " at byte N". */
int weir_fail_at(weir_error *err, int code, uint64_t offset, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* What follows a noun behind a number: "1 byte", "2 bytes". */
#define WEIR_S(count) ((count) == 1 ? "" : "s")

#endif
