/* The named pipe itself: making it, opening its ends, and who holds which.
 *
 * The FIFO is the only file there is. Locks on its inode say who is there; the kernel drops them when their holder
 * dies:
 *
 *     flock LOCK_EX         the one end of ours that reads (a reader, an observer, a server); needs no right but to
 * read
 *     OFD lock on byte 0    the one writer
 *     OFD lock, a note      one byte at role << 60 | pid << 32 | session: what the holder is and who. Notes never
 * conflict; they
 *                           are there to be asked for (F_OFD_GETLK), and /proc/locks shows them to who has not opened
 * the pipe
 */
#ifndef WEIR_FIFO_PIPE_H
#define WEIR_FIFO_PIPE_H

#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "transport/transport.h"

/* What a note says. */
enum weir_note {
    WEIR_NOTE_WRITER = 1,
    WEIR_NOTE_READER = 2,
    WEIR_NOTE_OBSERVER = 3,
    WEIR_NOTE_SERVER = 4,
    WEIR_NOTE_LAST = 4
};

/* Is the path one for a FIFO? */
int weir_pipe_check(const struct weir_place *place, weir_error *err);
/* Make the FIFO at place->name if nothing is there and place->may_create. Return: WEIR_OK, WEIR_ENOENT, WEIR_EADDRESS
 * (something else is there), WEIR_EACCESS, others. */
int weir_pipe_make(const struct weir_place *place, weir_error *err);
/* The sentence for a path that could not be looked at, as errno says. Return: WEIR_ENOENT, others. */
int weir_pipe_absent(const struct weir_place *place, weir_error *err);
/* Make a FIFO of mode 0600 at @path, which must not be there. Return: 0, or errno. */
int weir_pipe_make_private(const char *path);

/* Open an end of it without waiting. @flags: O_RDONLY, O_WRONLY or O_RDWR. What is there must be a FIFO of an owner
 * who is to be trusted at that place. Return: a descriptor, or -1 with errno and a sentence: ENXIO when there is
 * nobody to write to. */
int weir_pipe_open(const struct weir_place *place, int flags, struct stat *ret, weir_error *err);
/* Another end of the same pipe, whatever stands at its path now. Return: a descriptor, or -1 with errno. */
int weir_pipe_open_again(const struct weir_place *place, int fd, int flags);
/* Is it the one that stands at the path? */
int weir_pipe_is_current(const struct weir_place *place, int fd);

/* Become the one writer (or reader) of the pipe and leave a note. @lock_fd: open for writing (reading).
 * Return: WEIR_OK, WEIR_EBUSY (the sentence names who it is), WEIR_EAGAIN (the pipe at the path is another one by
 * now: open again), WEIR_ESYSTEM. */
int weir_pipe_claim(const struct weir_place *place, int lock_fd, enum weir_note note, uint32_t session,
                    weir_error *err);
/* Give that up, before closing: a child that was forked this moment may still have the descriptor, too. -1: nothing. */
void weir_pipe_unclaim(int lock_fd);
/* A note of that role. Return: where it lies (says who and which one), 0 for none. */
uint64_t weir_pipe_note(int fd, enum weir_note note);
/* The sentence for a place that is taken: who is there and as what. Return: WEIR_EBUSY. */
int weir_pipe_busy(const struct weir_place *place, uint64_t note, weir_error *err);
/* Take the pipe away if nobody has it. The caller has given up his claim before: of two that go at the same time,
 * each with a claim, neither would be the last. */
void weir_pipe_remove_last(const struct weir_place *place);

/* Notes of the pipe at the path, found without opening it. ret[0] says whether any was found. */
void weir_pipe_look(const struct stat *about, uint64_t ret[WEIR_NOTE_LAST + 1]);

static inline int64_t weir_note_pid(uint64_t note) {
    return (int64_t)(note >> 32 & 0x0FFFFFFF);
}
static inline uint32_t weir_note_session(uint64_t note) {
    return (uint32_t)note;
}
static inline enum weir_note weir_note_role(uint64_t note) {
    return (enum weir_note)(note >> 60);
}

#endif
