/* Error names and sentences. The table is in the order of enum weir_err and must stay complete: base_test checks it. */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ERROR_COUNT (sizeof(errors) / sizeof(errors[0]))

static const struct {
    const char *name;
    const char *text;
} errors[] = {
    [WEIR_OK] = {"WEIR_OK", "no error"},
    [WEIR_EAGAIN] = {"WEIR_EAGAIN", "there is nothing, or no room, at the moment; try again later"},
    [WEIR_ETIMEOUT] = {"WEIR_ETIMEOUT", "the deadline passed"},
    [WEIR_ECLOSED] = {"WEIR_ECLOSED", "the channel is closed; open it again"},
    [WEIR_ETOOBIG] = {"WEIR_ETOOBIG", "the message is larger than the channel allows; raise max= in the address"},
    [WEIR_ENOENT] = {"WEIR_ENOENT", "there is no such channel, message or value"},
    [WEIR_ETYPE] = {"WEIR_ETYPE", "the value has another type"},
    [WEIR_EREMOTE] = {"WEIR_EREMOTE", "the server answered with an error"},
    [WEIR_EPEER] = {"WEIR_EPEER", "the other end died"},
    [WEIR_EBUSY] = {"WEIR_EBUSY", "somebody else holds it"},
    [WEIR_EINVAL] = {"WEIR_EINVAL", "an argument is not valid"},
    [WEIR_EADDRESS] = {"WEIR_EADDRESS", "the address is not valid"},
    [WEIR_EACCESS] = {"WEIR_EACCESS", "access is refused"},
    [WEIR_EPARSE] = {"WEIR_EPARSE", "the bytes are not well-formed"},
    [WEIR_EENCODE] = {"WEIR_EENCODE", "the codec cannot say this value"},
    [WEIR_ELIMIT] = {"WEIR_ELIMIT", "a limit on depth, bytes or values was reached"},
    [WEIR_ENOMEM] = {"WEIR_ENOMEM", "out of memory"},
    [WEIR_ENOSPC] = {"WEIR_ENOSPC", "the store is full; free some of it or choose another"},
    [WEIR_ESYSTEM] = {"WEIR_ESYSTEM", "a system call failed"},
    [WEIR_ECORRUPT] = {"WEIR_ECORRUPT", "shared bytes are damaged; that writer is given up"},
    [WEIR_EVERSION] = {"WEIR_EVERSION", "the other end speaks another version of weir; upgrade the older one"},
    [WEIR_ENOTSUP] = {"WEIR_ENOTSUP", "this transport or codec cannot do it"},
    [WEIR_EFORKED] = {"WEIR_EFORKED", "the object was opened before fork(); open it again in the child"},
    [WEIR_EFENCED] = {"WEIR_EFENCED", "this end was stopped for too long and its place was given away; open it again"},
};

const char *weir_err_name(int code) {
    return code >= 0 && (size_t)code < ERROR_COUNT ? errors[code].name : "WEIR_E?";
}

const char *weir_err_text(int code) {
    return code >= 0 && (size_t)code < ERROR_COUNT ? errors[code].text : "an unknown error";
}

static void error_begin(weir_error *err, int code, const char *format, va_list args) {
    *err = (weir_error){.code = code};
    if (vsnprintf(err->text, sizeof(err->text), format, args) < 0)
        snprintf(err->text, sizeof(err->text), "%s", weir_err_text(code));
}

static void error_append(weir_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void error_append(weir_error *err, const char *format, ...) {
    size_t used = strlen(err->text);
    va_list args;
    va_start(args, format);
    vsnprintf(err->text + used, sizeof(err->text) - used, format, args);
    va_end(args);
}

int weir_fail(weir_error *err, int code, const char *format, ...) {
    if (err) {
        va_list args;
        va_start(args, format);
        error_begin(err, code, format, args);
        va_end(args);
    }
    return code;
}

static int errno_code(int sys_errno) {
    switch (sys_errno) {
    case EACCES:
    case EPERM:
    case EROFS: return WEIR_EACCESS;
    case ENOENT: return WEIR_ENOENT;
    case ENOSPC:
    case EDQUOT: return WEIR_ENOSPC;
    case ENOMEM: return WEIR_ENOMEM;
    case ETIMEDOUT: return WEIR_ETIMEOUT;
    default: return WEIR_ESYSTEM;
    }
}

int weir_fail_errno(weir_error *err, int sys_errno, const char *format, ...) {
    int code = errno_code(sys_errno);
    if (err) {
        char words[80];
        va_list args;
        va_start(args, format);
        error_begin(err, code, format, args);
        va_end(args);
        err->sys_errno = sys_errno;
        error_append(err, ": %s", strerror_r(sys_errno, words, sizeof(words)));
    }
    return code;
}

int weir_fail_at(weir_error *err, int code, uint64_t offset, const char *format, ...) {
    if (err) {
        va_list args;
        va_start(args, format);
        error_begin(err, code, format, args);
        va_end(args);
        err->offset = offset;
        error_append(err, " at byte %llu", (unsigned long long)offset);
    }
    return code;
}
