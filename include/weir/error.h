/* Errors: one number each, the same in every language, and one sentence that says what, who, and the way out. */
#ifndef WEIR_ERROR_H
#define WEIR_ERROR_H

#include <weir/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The numbers never change; new ones are added at the end. */
enum weir_err {
    WEIR_OK = 0,
    /* Outcomes a caller is expected to handle. */
    WEIR_EAGAIN = 1,   /* nothing there now, or no room now */
    WEIR_ETIMEOUT = 2, /* the deadline passed */
    WEIR_ECLOSED = 3,  /* the channel was taken away, or the other end has closed the connection */
    WEIR_ETOOBIG = 4,  /* a message beyond the channel's limit */
    WEIR_ENOENT = 5,   /* no such channel, no message in it yet, or no such value in a document */
    WEIR_ETYPE = 6,    /* a value of another type than asked for */
    WEIR_EREMOTE = 7,  /* the server answered with an error; the sentence is the server's */
    WEIR_EPEER = 8,    /* the other end died */
    WEIR_EBUSY = 9,    /* somebody else holds it: a second server, an exclusive channel, no free place */
    /* Failures, passed up unchanged. */
    WEIR_EINVAL = 10,   /* an argument that cannot be right */
    WEIR_EADDRESS = 11, /* an address with an unknown scheme or option, or a name that is not allowed */
    WEIR_EACCESS = 12,  /* the system refuses, or the owner is not who it should be */
    WEIR_EPARSE = 13,   /* bytes that are not what their codec says */
    WEIR_EENCODE = 14,  /* a value that the codec cannot say */
    WEIR_ELIMIT = 15,   /* a named limit was reached: depth, bytes, values */
    WEIR_ENOMEM = 16,   /* out of memory */
    WEIR_ENOSPC = 17,   /* the store (/dev/shm, a disk) is full */
    WEIR_ESYSTEM = 18,  /* a system call failed; see sys_errno */
    WEIR_ECORRUPT = 19, /* shared bytes that no writer of this library would have left */
    WEIR_EVERSION = 20, /* the other end speaks another version */
    WEIR_ENOTSUP = 21,  /* this transport or codec cannot do it */
    WEIR_EFORKED = 22,  /* used in the child of a fork; open it again there */
    WEIR_EFENCED = 23   /* stopped for so long that another took the place; open it again */
};

/* What went wrong. Caller's storage; every call that takes one fills it whenever it fails. */
typedef struct weir_error {
    int code;        /* enum weir_err */
    int sys_errno;   /* errno of the system call behind it, or 0 */
    uint64_t offset; /* bytes into the input, for WEIR_EPARSE */
    char text[488];  /* one English sentence, NUL-terminated */
} weir_error;

/* The name of a code, "WEIR_ETIMEOUT"; "WEIR_E?" for a number that is none. */
WEIR_API const char *weir_err_name(int code);
/* A short general sentence for a code, for when there is no weir_error. */
WEIR_API const char *weir_err_text(int code);

#ifdef __cplusplus
}
#endif

#endif
