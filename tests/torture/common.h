/* What the torture programs share: random numbers from a seed that is printed, ends of a channel opened through the
 * transport's table alone, and messages whose bytes can be told right from wrong.
 *
 * A message says which stream it belongs to (one per lane), its number there, and which life of the writer sent it. Its
 * payload looks like frames at every multiple of 64, so that whoever walks onto stale bytes takes them for a frame and
 * is caught. */
#ifndef WEIR_TORTURE_COMMON_H
#define WEIR_TORTURE_COMMON_H

#include <stddef.h>
#include <stdint.h>

#include "transport/transport.h"

enum { MESSAGE_HEAD = 56 };

/* ---- random numbers ---- */

struct dice {
    uint64_t state;
};
uint64_t dice_next(struct dice *dice);
/* 0 .. @sides - 1 */
uint32_t dice_roll(struct dice *dice, uint32_t sides);
uint64_t mix(uint64_t value);

/* ---- ends ---- */

struct end {
    void *state; /* NULL: closed */
};

struct wish {
    const char *name; /* "lab/imu" */
    uint64_t capacity;
    enum weir_full full;
    enum weir_from from;
    uint8_t is_observer;
    int8_t keep; /* -1: not said */
    uint8_t may_not_create;
    uint32_t mode; /* 0: 0600 */
    enum weir_wait_how wait;
};

static inline const struct weir_transport_ops *ops(void) {
    return &weir_transport_shm;
}
void place_fill(struct weir_place *place, const struct wish *wish);
int end_open(struct end *end, enum weir_role role, const struct wish *wish, weir_error *err);
void end_close(struct end *end);

/* ---- messages ---- */

struct message {
    uint32_t stream;
    uint32_t life;
    uint64_t index;
};

/* Fill a frame of @size bytes (64 or more, a multiple of 8) but for its commit word and seq. Return: the commit
 * word. */
uint64_t message_write(const struct message *message, uint32_t size, unsigned char *to);
/* Return: NULL when the frame is whole; else what is wrong. */
const char *message_read(const struct weir_inbound *inbound, struct message *ret);
uint64_t message_seq(const struct weir_inbound *inbound);

/* ---- files ---- */

/* A fresh directory under WEIR_SHM_DIR, or /dev/shm; the library's store is in it from now on. */
void scratch_make(char path[64], const char *what);
/* The library's store is below @path from now on. */
void scratch_use(const char *path);
/* Remove a tree. */
void tree_remove(const char *path);
/* Names below @path, directories included. */
int tree_count(const char *path);
/* Descriptors that are open. */
int descriptors_count(void);

/* Monotonic. */
double seconds(void);

/* ---- the command line ---- */

/* The number behind option @name. */
uint64_t argument(int argc, char **argv, const char *name, uint64_t fallback);

#endif
