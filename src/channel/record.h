/* Records of live ends: one small file per open end, in a directory per user, whose lock says whether its owner lives.
 *
 *     STORE/weir-UID/~ends/PID-NUMBER        STORE: $WEIR_SHM_DIR or /dev/shm
 *
 * The file is mapped by its owner, who counts in it as it works; others read it with pread. A record is advice: an end
 * works without one (a full store), and its counters are not part of any promise. */
#ifndef WEIR_CHANNEL_RECORD_H
#define WEIR_CHANNEL_RECORD_H

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/value.h>

#include "transport/told.h"

enum { WEIR_RECORD_ADDRESS_SIZE = 512, WEIR_RECORD_PROGRAM_SIZE = 64, WEIR_RECORD_VERSION = 1 };

/* The file's content. Fixed-width fields, little-endian, all but the counters written once. */
struct weir_record {
    uint64_t magic;
    uint32_t version;
    uint32_t role; /* enum weir_role; WEIR_RECORD_OBSERVER for an observing reader */
    int64_t pid;
    uint64_t start; /* weir_process_start, so that a later process with that pid is not taken for this one */
    int64_t since;  /* ns since the epoch */
    uint32_t uid;
    _Atomic uint32_t refused; /* others who were not let in by this end, which listens */
    char place[256];          /* the address without options, by which ends are grouped */
    char address[WEIR_RECORD_ADDRESS_SIZE];
    char program[WEIR_RECORD_PROGRAM_SIZE];
    _Atomic uint64_t messages;
    _Atomic uint64_t bytes;
    _Atomic uint64_t waits;
    _Atomic uint64_t gaps;
    _Atomic int64_t last_time; /* ns since the epoch of the newest message seen or sent; 0 for none */
    struct weir_told told;     /* an older end has none of it */
};
static_assert(sizeof(struct weir_record) <= 4096, "a record is one page");

enum { WEIR_RECORD_OBSERVER = 16 };

/* An end's own record; {0} has none. shown points at memory that can be counted in either way. */
struct weir_record_file {
    struct weir_record *shown;
    struct weir_record *mapped;
    struct weir_record private_; /* counted in when there is no file */
    int fd;
    uint64_t generation; /* of the process that made it (os/fork.h) */
    char path[320];
};

/* Make the record of an end that is about to be opened. Never fails: without a file it counts privately. */
void weir_record_open(struct weir_record_file *file, uint32_t role, const char *place, const char *address);
/* The end is open: let others see it. */
void weir_record_show(struct weir_record_file *file);
void weir_record_close(struct weir_record_file *file);

/* Call @fn for every record of this user whose owner lives; records of the dead are first shown to @dead_fn, where it
 * is not NULL, and removed (unless @is_dry_run, or it returned WEIR_EBUSY). Return: WEIR_OK, WEIR_ESYSTEM; or what a
 * function returned that was not WEIR_OK. */
typedef int weir_record_fn(const struct weir_record *record, const char *path, void *user);
int weir_record_each(weir_record_fn *fn, weir_record_fn *dead_fn, int is_dry_run, void *user);

/* Append the pairs that tell of a live end to a new map in @doc, as weir_directory_list promises them. */
void weir_record_tell(const struct weir_record *record, weir_doc *doc);
/* The same without the map around them. */
void weir_record_tell_pairs(const struct weir_record *record, weir_doc *doc);
const char *weir_record_role(uint32_t role);

/* Add to a counter of the one thread that writes it. */
static inline void weir_record_count(_Atomic uint64_t *counter, uint64_t more) {
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + more, memory_order_relaxed);
}

#endif
