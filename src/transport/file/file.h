/* What the files of the file transport share. docs/spec/file.md is the standard.
 *
 *     record.c   the records of a .weir log: blocks, fragments, checksums
 *     cursor.c   walking through a log forwards, message by message, of whatever framing
 *     tail.c     where a log ends, and finding a number or a time in it
 *     path.c     opening and making files, and the files that rotation has put aside
 *     lease.c    the lock file: who writes, and where the log ended when its lock was last given back
 *     append.c   writing: under the lock, in batches, rotating
 *     moved.c    whether the log still stands at its path
 *     build.c    the bytes of a batch
 *     sync.c     bringing it to the disk, as sync= says
 *     follow.c   reading: where to begin, what comes next, and from one file to its successor
 *     watch.c    waiting for a file to change (inotify)
 *     state.c    state=1: one value, replaced as a whole
 *     info.c     what a log tells of itself
 *     file.c     the ops table, open and close
 *
 * What must stay true: who appends holds the lock, and every byte in front of the place where he appends is part of a
 * good message or was garbage before; readers take nothing from a message that is not there as a whole, and hold no
 * lock that a writer waits for. */
#ifndef WEIR_TRANSPORT_FILE_H
#define WEIR_TRANSPORT_FILE_H

#include "base/buffer.h"
#include "frame/frame.h"
#include "frame/plain/plain.h"
#include "transport/transport.h"

enum {
    WEIR_LOG_HEADER_SIZE = 128,
    WEIR_LOG_BLOCK = 32768,
    WEIR_LOG_RECORD_HEADER = 32,
    WEIR_LOG_SHORT_HEADER = 16,
    WEIR_LOG_FRAGMENT_MIN = 40, /* less at the end of a block is left empty */
    WEIR_LOG_VERSION = 1,
    WEIR_FILE_PATH_MAX = WEIR_PLACE_TEXT_MAX + 16,
    WEIR_FILE_WRITERS_MAX = 1024,
    WEIR_FILE_POSTED = 8,        /* where frames that wait begin; zeros lead to the next */
    WEIR_FILE_BATCH = 256 << 10, /* bytes of corked messages that are written at once */
};

/* ---- record.c ---- */

enum weir_record_type {
    WEIR_RECORD_FULL = 1,
    WEIR_RECORD_FIRST = 2,
    WEIR_RECORD_MIDDLE = 3,
    WEIR_RECORD_LAST = 4,
    WEIR_RECORD_SHORT = 5
};

/* The first bytes of a .weir file. */
struct weir_log_header {
    uint64_t generation;
    uint64_t seq_before; /* of the message before the first one here */
    int64_t created;
    uint64_t previous; /* generation of the file before, 0: none */
};
void weir_log_header_write(const struct weir_log_header *header, unsigned char *to);
/* Return: WEIR_OK, WEIR_EVERSION, WEIR_ECORRUPT. */
int weir_log_header_read(const unsigned char *bytes, struct weir_log_header *ret);
/* May @size bytes, fewer than a header has, be what is there of one, or what a power cut has left of it? */
int weir_log_header_may_begin(const unsigned char *bytes, size_t size);

/* The header of a fragment, read. */
struct weir_log_record {
    uint32_t type; /* enum weir_record_type */
    uint32_t size; /* of the payload */
    uint32_t crc;  /* of the payload */
    uint32_t writer;
    uint64_t seq;
    int64_t time;
    uint32_t head; /* of a short one: bytes 4 to 7 of its frame */
};
/* Is there a record header at @bytes, which lie at @offset of the file? Return: 1, or 0. */
int weir_log_record_read(const unsigned char *bytes, uint64_t generation, uint64_t offset, struct weir_log_record *ret);
/* Append a frame as records to @out, whose end lies at @offset of the file. Return: WEIR_OK, WEIR_ENOMEM. */
int weir_log_record_append(struct weir_buffer *out, uint64_t offset, uint64_t generation, uint32_t writer, uint64_t seq,
                           int64_t time, const unsigned char *frame, size_t size);
/* The same for a frame of @size bytes that its place has room for in one fragment. begin says where to write it; end
 * then puts the header in front. Return: NULL: it has not, or there is no memory. */
unsigned char *weir_log_record_begin(struct weir_buffer *out, uint64_t offset, size_t size);
void weir_log_record_end(struct weir_buffer *out, uint64_t offset, uint64_t generation, uint32_t writer, uint64_t seq,
                         int64_t time, size_t size);
/* The same as a short record, for a message that is not the first of its batch, and whose frame has no time of its own or
 * the record before says the same. @word is the frame's first; what stands behind its seq comes in two parts. Return:
 * WEIR_OK; WEIR_ENOTSUP: it has no room in one fragment there, or must be a record with everything; WEIR_ENOMEM. */
int weir_log_short_append(struct weir_buffer *out, uint64_t offset, uint64_t generation, uint32_t writer, uint64_t seq,
                          uint64_t word, weir_view first, weir_view rest);
/* Does a short record seem to begin here, of which WEIR_LOG_SHORT_HEADER bytes are there? @ret_size: all of it. */
int weir_log_short_seems(const unsigned char *bytes, uint64_t offset, size_t *ret_size);
/* Is it one, all of whose bytes are there, behind message @before? Return: 1, or 0. */
int weir_log_short_read(const unsigned char *bytes, uint64_t generation, uint64_t offset, uint64_t before,
                        struct weir_log_record *ret);
/* Bytes from @offset to the next place where a record may begin. */
size_t weir_log_padding(uint64_t offset);

/* ---- cursor.c ---- */

/* What is behind the last whole message. */
enum weir_tail {
    WEIR_TAIL_CLEAN = 0, /* nothing */
    WEIR_TAIL_SHORT = 1, /* the beginning of a message */
    WEIR_TAIL_BAD = 2    /* bytes that are no message, and enough of them */
};

/* A message that the cursor has passed. */
struct weir_passed {
    uint64_t pos, end; /* where it lies in the file */
    uint64_t seq;
    int64_t time; /* 0: none */
    uint32_t writer;
};

/* A place in a file. */
struct weir_cursor {
    int fd;
    int framing;
    uint64_t size_max;
    uint64_t generation; /* .weir; 0: not known yet */
    uint64_t pos;        /* where the next message begins */
    uint64_t seq;        /* of the message before it; 0: not known */
    int64_t time;        /* .weir: that the last record with a time said; 0: not known */
    uint64_t line;       /* newlines (JSON) or messages before pos; UINT64_MAX: not known */
    uint64_t told_at;    /* the damage at this place has been told of, + 1 */
    int is_joining;      /* .weir: pos may lie within a message, whose rest is to be passed over */
    int is_uncounted;    /* .weir: seq is not known, so no short record can be read */
    int is_lost;         /* plain: behind garbage */
    int is_skimming;     /* plain: only where messages end is looked at */
    int is_held;         /* the message in frame is the next one again */
    int has_ended;       /* what was read last ended where the file did then */
    enum weir_tail tail; /* after WEIR_EAGAIN */
    struct weir_buffer window;
    uint64_t window_at; /* where in the file the window begins */
    struct weir_buffer frame;
    struct weir_plain_reader reader;
    struct weir_passed held;
};

/* Numbers from here on are made up: of messages without one, where those before are not known. */
#define WEIR_CURSOR_UNNUMBERED (UINT64_C(1) << 62)

void weir_cursor_init(struct weir_cursor *cursor, int framing, uint64_t size_max);
/* Go to a place of an open file, which stays the caller's. */
void weir_cursor_move(struct weir_cursor *cursor, int fd, uint64_t pos, uint64_t seq, uint64_t line);
/* Let the message that was just passed come again. */
void weir_cursor_hold(struct weir_cursor *cursor, const struct weir_passed *passed);
/* The next message, whole, in cursor->frame (aligned). Return: WEIR_OK; WEIR_EAGAIN (cursor->tail says what is there),
 * WEIR_ECORRUPT (damage was passed over: what, in @err), WEIR_EVERSION, WEIR_ENOMEM, WEIR_ESYSTEM. */
int weir_cursor_next(struct weir_cursor *cursor, struct weir_passed *ret, weir_error *err);
/* What is at @pos in memory: up to @size bytes, fewer where the file ends. Return: WEIR_OK, WEIR_ENOMEM,
 * WEIR_ESYSTEM. */
int weir_cursor_window(struct weir_cursor *cursor, uint64_t pos, size_t size, const unsigned char **ret,
                       size_t *ret_size, weir_error *err);
void weir_cursor_fini(struct weir_cursor *cursor);

/* ---- tail.c ---- */

/* Where a file ends. */
struct weir_log_end {
    uint64_t end; /* behind the last whole message */
    uint64_t seq; /* its number, or what the header says of the one before */
    int has_last;
    struct weir_passed last;
    enum weir_tail tail;
    uint64_t size; /* of the file */
};
/* Return: WEIR_OK, WEIR_EVERSION, WEIR_ECORRUPT (a .weir file without a header), WEIR_ENOMEM, WEIR_ESYSTEM. @cursor is
 * moved about. */
int weir_log_end_find(struct weir_cursor *cursor, int fd, struct weir_log_end *ret, weir_error *err);
/* The same from @pos on, where message @seq is known to have ended. Return: as above; WEIR_ENOTSUP: it must be looked for
 * from the beginning, as @ret says nothing. */
int weir_log_end_from(struct weir_cursor *cursor, int fd, uint64_t pos, uint64_t seq, struct weir_log_end *ret,
                      weir_error *err);
/* Is nothing but whole messages in @bytes, which lie where a .weir log goes on at @offset, behind message *seq? Becomes
 * the number of the last one. Return: 1; 0 when there is anything else, or a message in pieces. */
int weir_log_walk(const unsigned char *bytes, size_t size, uint64_t generation, uint64_t offset, uint64_t *seq);
/* Put the cursor in front of the first message whose number (@is_time: time) is not below @wanted. Return: as above;
 * WEIR_EAGAIN: there is none, the cursor is at the end. */
int weir_log_seek(struct weir_cursor *cursor, int fd, int64_t wanted, int is_time, weir_error *err);
/* The first message of a file; the cursor is behind it then. Return: WEIR_OK, WEIR_EAGAIN (none), as above. */
int weir_log_first(struct weir_cursor *cursor, int fd, struct weir_passed *ret, weir_error *err);
/* Put the cursor in front of the last message that @end has found. */
int weir_log_last(struct weir_cursor *cursor, int fd, const struct weir_log_end *end, weir_error *err);
/* Put the cursor at the beginning. Return: WEIR_EAGAIN: the file is empty. */
int weir_log_rewind(struct weir_cursor *cursor, int fd, weir_error *err);

/* ---- path.c ---- */

int weir_file_check(const struct weir_place *place, weir_error *err);
/* Open the log, for writing too if @is_writing; make it, empty, if @may_make. Return: WEIR_OK, WEIR_ENOENT,
 * WEIR_EACCESS, WEIR_EADDRESS (no regular file), WEIR_ENOTSUP (the file system), WEIR_ENOSPC, WEIR_ESYSTEM. */
int weir_file_open(const struct weir_place *place, const char *path, int is_writing, int may_make, int *ret_fd,
                   int *ret_made, weir_error *err);
/* A new empty file under another name, to be renamed. */
int weir_file_make_aside(const struct weir_place *place, char *path, int *ret_fd, weir_error *err);
/* Give a file of ours the mode and group of the place. */
int weir_file_rights(const struct weir_place *place, int fd, uint32_t mode, weir_error *err);
/* Put the log's name in front of a sentence that has none, as those about the inside of a file. Return: @status. */
int weir_file_named(const struct weir_place *place, int status, weir_error *err);
/* PATH.N; PATH itself for 0. */
void weir_file_rotated(const struct weir_place *place, uint32_t number, char *path);
/* How many rotated files there are: the greatest N, holes of one passed over. */
uint32_t weir_file_rotated_count(const struct weir_place *place);
/* Is it on one of the file systems that need anyfs=1? */
int weir_file_is_remote(int fd);
/* Which file it is, and its size: @path, no link followed, or with NULL @fd. Times are not asked for, because after a
 * question for them the kernel marks the inode with the next write, which costs as much as the write. Return: 1, 0. */
struct weir_file_about {
    uint64_t dev, ino, size;
};
int weir_file_about(int fd, const char *path, struct weir_file_about *ret);
/* Is @fd the file at @path? Return: 1, 0. */
int weir_file_is_at(int fd, const char *path);
/* Make a rename or unlink in the log's directory last. */
int weir_file_sync_directory(const struct weir_place *place);

/* ---- lease.c ---- */

/* What the lock file says of the log, believed only by who holds the lock. */
struct weir_lease_note {
    uint64_t ino;   /* the log's */
    uint64_t end;   /* behind the last whole message */
    uint64_t seq;   /* its number */
    uint64_t look;  /* a random number, new with each look for the end in the log itself and each rotation */
    uint32_t flags; /* enum weir_lease_flags */
    uint32_t epoch; /* counts servers */
};
enum weir_lease_flags { WEIR_LEASE_KEEPS_NOT = 1 };

struct weir_lease {
    struct weir_lease *next; /* of all that this process has open */
    int fd;                  /* -1: not open */
    int is_locked;
    int is_by_byte;   /* the lock is one of a byte */
    int is_exclusive; /* nobody else may write, so the lock is kept */
    int is_guest;     /* a client that made the log */
    int is_first;     /* nobody else wrote when it was opened */
    uint32_t lane;    /* our number among the writers */
    void *turns;      /* the page with the word that those sleep on who wait for the disk; NULL: none */
};

/* How much of the log is on the disk, as who synced it has noted. */
struct weir_lease_disk {
    uint32_t turn; /* counts syncs; those who wait sleep on it */
    uint32_t most; /* messages of the last sync, and those that came during it */
    uint64_t ino, look;
    uint64_t synced; /* bytes */
    uint64_t seq;    /* of the last message among them */
};
/* The lock file's mode: who may write the log. */
uint32_t weir_lease_mode(uint32_t mode);
/* Open the lock file, made if need be, and take a lane. The lock is held afterwards. Return: WEIR_OK, WEIR_EBUSY,
 * WEIR_EACCESS, WEIR_ETIMEOUT... */
int weir_lease_open(struct weir_lease *lease, const struct weir_place *place, enum weir_role role, weir_error *err);
/* Take the lock, @timeout_ns at most. Return: WEIR_OK, WEIR_ETIMEOUT, WEIR_ESYSTEM. */
int weir_lease_lock(struct weir_lease *lease, const struct weir_place *place, int64_t timeout_ns, weir_error *err);
void weir_lease_unlock(struct weir_lease *lease);
/* Return: 1 with the note, 0 when there is none that can be believed. */
int weir_lease_read(const struct weir_lease *lease, struct weir_lease_note *ret);
/* The same of a lease that is not open, to be told and not relied on. */
int weir_lease_note_look(const struct weir_place *place, struct weir_lease_note *ret);
void weir_lease_write(const struct weir_lease *lease, const struct weir_lease_note *note);
/* May this process still write the note? It could when the lease was opened; asked again by those who have not just
 * written something else. Return: WEIR_OK, WEIR_ENOSPC. */
int weir_lease_may_note(const struct weir_place *place, weir_error *err);
/* How large the lock file is: as large as before when nobody has looked for the end in the log itself meanwhile. */
uint64_t weir_lease_size(const struct weir_lease *lease);
/* Who holds the lock is about to: it grows. Said before it is done, as he may be killed meanwhile. Return: WEIR_OK,
 * WEIR_ENOSPC or WEIR_ESYSTEM: then he must not. */
int weir_lease_look(const struct weir_lease *lease, const struct weir_place *place, weir_error *err);
/* The lock of who syncs. Return: WEIR_OK, WEIR_EBUSY, WEIR_ESYSTEM. */
int weir_lease_sync_take(const struct weir_lease *lease);
void weir_lease_sync_drop(const struct weir_lease *lease);
/* Return: 1, or 0 when it cannot be believed; the turn is read in any case. */
int weir_lease_disk_read(const struct weir_lease *lease, struct weir_lease_disk *ret);
/* The lock of who syncs is held. */
void weir_lease_disk_write(const struct weir_lease *lease, const struct weir_lease_disk *disk);
/* Sleep until somebody else has synced, @timeout_ns at most; returns early for no reason. */
void weir_lease_disk_wait(const struct weir_lease *lease, uint32_t turn, int64_t timeout_ns);
void weir_lease_disk_wake(const struct weir_lease *lease);
/* Is a server there? @ret_epoch: which. */
int weir_lease_has_server(const struct weir_lease *lease, uint32_t *ret_epoch);
/* For those without a lease of their own: does anybody hold the lock, does anybody write? -1: it cannot be told. */
int weir_lease_is_locked(const struct weir_place *place);
int weir_lease_has_writers(const struct weir_place *place, weir_doc *doc);
/* Give the lane back; the last end of a keep=0 log takes it away, the last writer only the lock file. @log_fd: for who
 * else is there. */
void weir_lease_close(struct weir_lease *lease, const struct weir_place *place, int log_fd);
/* A reader that has closed its log: the last end of a keep=0 log takes it away. */
void weir_lease_reader_closes(const struct weir_place *place, int log_fd);
/* Note that the log goes with its last end. Return: as weir_lease_open. */
int weir_lease_keep_not(const struct weir_place *place, weir_error *err);
/* Forget it in a forked child. */
void weir_lease_abandon(struct weir_lease *lease);

/* Presence: read locks on bytes of the log far behind its end, which who may read it may take. */
int weir_presence_take(int log_fd, int is_reader);
uint32_t weir_presence_count(int log_fd, int is_reader);

/* ---- moved.c ---- */

struct weir_moved {
    struct weir_moved *next; /* of all in this process that are told, or were */
    int is_user;             /* is among them */
    int watch;               /* 0: nobody tells */
    int has_asked;
    uint64_t turn; /* when last asked */
};
/* Have it told from now on what becomes of the file @fd. Return: 1; 0 where that cannot be had: then each question says
 * to look. */
int weir_moved_watch(struct weir_moved *moved, int fd);
/* No more of this file. */
void weir_moved_forget(struct weir_moved *moved);
/* Nor of any other. */
void weir_moved_close(struct weir_moved *moved);
/* Must the path be looked at? It is 1 for the first time, and whenever something may have happened since. */
int weir_moved_ask(struct weir_moved *moved);

/* ---- append.c ---- */

struct weir_append {
    int fd;
    uint64_t dev, ino; /* of that file */
    struct weir_lease lease;
    uint64_t generation;
    uint64_t look;              /* that the note told of when the generation was read */
    uint64_t end;               /* of the log, when we last looked */
    uint64_t seq;               /* of its last message */
    uint64_t begun;             /* rotation by age: time of the file's first message, 0: none yet */
    struct weir_buffer pending; /* frames, each at a multiple of 8; reserved ones of 64, zeros before */
    size_t reserved;            /* bytes of the one that is reserved behind them */
    uint64_t count;             /* of pending frames */
    uint64_t skipped;           /* numbers used up by messages that were dropped */
    struct weir_lease_note note;
    int is_noted;       /* note was read under this lock */
    int is_note_good;   /* and can be believed */
    uint64_t lock_size; /* of the lock file, when the note was last read or the end was found */
    struct weir_moved moved;
    int64_t looked_at;  /* when we last looked at the path, by the kernel's tick */
    int64_t looks_from; /* looks are counted from here on */
    uint32_t looks;
    int must_look;       /* at the log itself: who wrote before us may not have been of this boot */
    uint64_t noted_end;  /* where the log ended in the note that we last read or wrote */
    uint64_t size_limit; /* RLIMIT_FSIZE, as asked at limit_asked */
    int64_t limit_asked;
    struct weir_buffer out; /* what is written */
    struct weir_slot *slot; /* of the last reservation */
    struct weir_plain_writer writer;
    struct weir_cursor cursor;     /* for looking at the end */
    struct weir_sync_thread *sync; /* of sync=interval; NULL: none */
    int64_t sync_took;             /* ns of the last sync */
    int is_dirty;                  /* not synced since something was written */
    int is_poisoned;               /* a sync has failed */
    uint32_t request_epoch;        /* client: the server of the last request */
    int has_request;
};
struct weir_file;
int weir_append_open(struct weir_file *file, weir_error *err);
int weir_append_reserve(struct weir_file *file, size_t size, struct weir_slot *ret, weir_error *err);
int weir_append_commit(struct weir_file *file, uint64_t word, uint32_t flags, weir_error *err);
uint64_t weir_append_post(struct weir_file *file, uint64_t word, const void *data, size_t size, int64_t time,
                          uint32_t flags);
size_t weir_append_post_many(struct weir_file *file, uint64_t word, const weir_view *data, size_t count, int64_t time,
                             uint32_t flags, uint64_t *ret_seq);
int weir_append_flush(struct weir_file *file, weir_error *err);
void weir_append_close(struct weir_file *file);

/* ---- build.c ---- */

/* What the messages of a call have in common. */
struct weir_append_many {
    uint64_t word; /* of a frame without data */
    int64_t time;
};
/* The bytes of all pending frames in append->out, numbered from append->seq on. Return: WEIR_OK, WEIR_ENOMEM, or what a
 * plain message cannot be. */
int weir_append_build(struct weir_file *file, weir_error *err);
/* The same of @count messages that are given. */
int weir_append_build_many(struct weir_append *append, const struct weir_append_many *many, const weir_view *data,
                           size_t count);
static inline size_t weir_align_up(size_t size, size_t alignment) {
    return (size + alignment - 1) & ~(alignment - 1);
}

/* ---- sync.c ---- */

/* Start what sync= needs. Return: WEIR_OK, WEIR_ENOMEM, WEIR_ESYSTEM. */
int weir_sync_open(struct weir_file *file, weir_error *err);
/* A batch was written, and the lock given back: bring it to the disk, now or later. Return: WEIR_OK, WEIR_ESYSTEM. */
int weir_sync_written(struct weir_file *file, weir_error *err);
/* Has a sync failed? Then nothing may be written any more. */
int weir_sync_check(struct weir_file *file, weir_error *err);
void weir_sync_close(struct weir_file *file, int is_child);

/* ---- watch.c ---- */

struct weir_watch {
    int inotify_fd, file_watch, directory_watch;
    int poll_fd;   /* epoll of both, for event loops; -1: nobody asked */
    int ready_fd;  /* readable until something was looked for in vain */
    int is_ready;  /* ready_fd is readable */
    uint32_t mask; /* of the directory */
};
void weir_watch_init(struct weir_watch *watch);
/* From now on watch the file @fd (-1: none) instead of the one before. */
void weir_watch_file(struct weir_watch *watch, int fd);
/* Forget what has happened so far: it is about to be looked at. Return: 1 if anything had. */
int weir_watch_drain(struct weir_watch *watch);
/* Should the descriptor be readable? After looking in vain it need not be; when something was found, there may be
 * more. */
void weir_watch_ready(struct weir_watch *watch, int is_ready);
/* @fd: the file that is read. Return: WEIR_OK (spurious returns are fine), WEIR_ETIMEOUT, WEIR_ESYSTEM. */
int weir_watch_wait(struct weir_watch *watch, const struct weir_place *place, int fd, int64_t deadline,
                    weir_error *err);
int weir_watch_fd(struct weir_watch *watch, const struct weir_place *place, int fd, int *ret, weir_error *err);
void weir_watch_close(struct weir_watch *watch);

/* ---- the end ---- */

struct weir_file {
    struct weir_place place;
    enum weir_role role;
    uint64_t fork_generation;
    int reads, writes;
    struct weir_append append;

    /* follow.c, state.c */
    int fd; /* the file that is read; -1: there is none yet */
    uint32_t uid;
    int is_announced; /* others may know that we are there */
    int made_log;     /* there was none when we came */
    struct weir_cursor cursor;
    uint64_t seq; /* of the message delivered last, or of the one before where we began */
    int is_seq_known;
    struct weir_watch watch;
    int64_t state_mtime; /* state.c: the version delivered last */
    int state_fd;        /* which is open; -1: none */
    uint64_t state_ino, state_size;
    int state_told; /* that it cannot be read */
};

int weir_follow_open(struct weir_file *file, weir_error *err);
int weir_follow_seek(struct weir_file *file, enum weir_from from, int64_t value, weir_error *err);
int weir_follow_next(struct weir_file *file, struct weir_inbound *ret, weir_error *err);
void weir_follow_close(struct weir_file *file);

/* WEIR_ETIMEOUT: as for weir_append_commit. */
int weir_state_commit(struct weir_file *file, weir_error *err);

/* ---- room.c ---- */

/* @size bytes do not go into the file @fd, for @reason (an errno). Return: WEIR_ENOSPC, with the reason in @err. */
int weir_room_none(const struct weir_file *file, int fd, int reason, size_t size, weir_error *err);
/* full=block after that: let go of the lock, and rest. *deadline begins as 0. Return: WEIR_OK, to try again;
 * WEIR_ETIMEOUT, with the sentence that stood in @err. */
int weir_room_wait(struct weir_file *file, int64_t *deadline, weir_error *err);
int weir_state_next(struct weir_file *file, struct weir_inbound *ret, weir_error *err);
int weir_state_seek(struct weir_file *file, enum weir_from from, weir_error *err);
/* Any version is new again. */
void weir_state_forget(struct weir_file *file);
int weir_state_latest(const struct weir_place *place, struct weir_buffer *out, struct weir_inbound *ret,
                      weir_error *err);

int weir_file_latest(const struct weir_place *place, struct weir_buffer *out, struct weir_inbound *ret,
                     weir_error *err);
int weir_file_info(const struct weir_place *place, weir_doc *doc, weir_error *err);

#endif
