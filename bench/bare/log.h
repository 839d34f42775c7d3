/* The bare forms of a log: what programs that trust each other, never die, and agree on everything beforehand can do
 * with a file at best. A record is its length in 4 bytes and its bytes; nothing is checked, numbered, or taken back.
 *
 *     add        into a buffer of 64 KiB, written when it is full
 *     put        a write(2) each, at the end whoever else writes (O_APPEND)
 *     lock       an OFD lock of the whole file, which waits in the kernel
 *     tail       reads in pieces of 256 KiB; at the end it sleeps on inotify */
#ifndef BENCH_BARE_LOG_H
#define BENCH_BARE_LOG_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { BARE_LOG_BUFFER = 64 << 10, BARE_LOG_WINDOW = 256 << 10, BARE_LOG_LENGTH = 4 };

struct bare_log {
    int fd;
    size_t used;
    unsigned char buffer[BARE_LOG_BUFFER + BARE_LOG_LENGTH];
};

/* Return: 0, or -1 with errno, as all here that can fail. */
int bare_log_open(struct bare_log *log, const char *path);
int bare_log_flush(struct bare_log *log);
int bare_log_lock(const struct bare_log *log);
int bare_log_unlock(const struct bare_log *log);
void bare_log_close(struct bare_log *log);

/* @size is below the buffer's. */
static inline int bare_log_add(struct bare_log *log, const void *bytes, uint32_t size) {
    if (__builtin_expect(log->used + BARE_LOG_LENGTH + size > BARE_LOG_BUFFER, 0) && bare_log_flush(log) != 0)
        return -1;
    unsigned char *to = log->buffer + log->used;
    memcpy(to, &size, BARE_LOG_LENGTH);
    memcpy(to + BARE_LOG_LENGTH, bytes, size);
    log->used += BARE_LOG_LENGTH + size;
    return 0;
}

static inline int bare_log_put(struct bare_log *log, const void *bytes, uint32_t size) {
    return bare_log_add(log, bytes, size) != 0 ? -1 : bare_log_flush(log);
}

struct bare_tail {
    int fd, inotify_fd;
    size_t at, size;
    unsigned char window[BARE_LOG_WINDOW];
};

/* From the file's beginning. */
int bare_tail_open(struct bare_tail *tail, const char *path);
/* The next record, which stays until the next call. @must_wait: at the end sleep until there is one. Return: 1; 0 at
 * the end. */
int bare_tail_next(struct bare_tail *tail, int must_wait, const unsigned char **ret, uint32_t *ret_size);
void bare_tail_close(struct bare_tail *tail);

#endif
