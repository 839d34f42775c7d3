/* No room on the disk: waiting for some, and the sentence.
 *
 * What must stay true: who waits does so without the lock, so that others can say why they do not get on, or free some
 * by rotating; and a wait that ends in vain is WEIR_ETIMEOUT, as it is for a slow reader elsewhere: nothing is lost by
 * it, and the same call may be made again. WEIR_ENOSPC is for who does not wait. */
#include <errno.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "os/limit.h"
#include "os/process.h"
#include "transport/file/file.h"

enum { NAP_NS = 5000000, WORDS_MAX = 160 };

/* ---- the sentence ---- */

/* What is full, and for whom. */
static void reason_say(int fd, int reason, char words[WORDS_MAX]) {
    char user[64];
    struct statvfs disk;
    weir_process_user((uint32_t)geteuid(), user, sizeof(user));
    if (reason == EDQUOT)
        snprintf(words, WORDS_MAX, "the quota of user %s is used up", user);
    else if (reason == EFBIG && weir_limit_file_size() < UINT64_MAX)
        snprintf(words, WORDS_MAX, "files of this process may have %llu bytes (RLIMIT_FSIZE)",
                 (unsigned long long)weir_limit_file_size());
    else if (reason == EFBIG)
        snprintf(words, WORDS_MAX, "the file is as large as its file system lets one be");
    else if (fstatvfs(fd, &disk) == 0)
        snprintf(words, WORDS_MAX, "the disk has %llu KB left for user %s",
                 (unsigned long long)disk.f_bavail * disk.f_frsize / 1024, user);
    else
        snprintf(words, WORDS_MAX, "the disk is full");
}

static const char *way_out(const struct weir_file *file, int reason) {
    const struct weir_place *place = &file->place;
    int may_rotate = !place->is_state && place->rotate_size == 0;
    if (reason == EFBIG)
        return may_rotate ? "raise the limit, or rotate= before it" : "raise the limit";
    if (place->full == WEIR_FULL_BLOCK)
        return may_rotate ? "free some there, keep the log small with rotate= and files=, or raise timeout="
                          : "free some there, or raise timeout=";
    return may_rotate ? "free some there, keep the log small with rotate= and files=, or wait for room with full=block"
                      : "free some there, or wait for room with full=block";
}

int weir_room_none(const struct weir_file *file, int fd, int reason, size_t size, weir_error *err) {
    char words[WORDS_MAX];
    if (err) {
        reason_say(fd, reason, words);
        weir_fail(err, WEIR_ENOSPC, "%s: no room for %zu bytes, and %s: %s; %s", file->place.text, size,
                  file->place.is_state ? "the old value stays" : "nothing of them is in the log", words,
                  way_out(file, reason));
        err->sys_errno = reason;
    }
    return WEIR_ENOSPC;
}

/* ---- waiting ---- */

int weir_room_wait(struct weir_file *file, int64_t *deadline, weir_error *err) {
    *deadline = *deadline ? *deadline : weir_deadline(file->place.timeout_ns);
    if (weir_deadline_left(*deadline) == 0) {
        if (err)
            err->code = WEIR_ETIMEOUT;
        return WEIR_ETIMEOUT;
    }
    weir_lease_unlock(&file->append.lease);
    nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
    return WEIR_OK;
}
