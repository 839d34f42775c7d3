/* Writers and readers: the ends of a channel.
 *
 * Ends come and go in any order. Messages of one writer arrive in order, whole or not at all, at most once per reader;
 * what a reader missed is counted. A pipe (fifo://) has one writer and one reader, and no history: from= means what of
 * that which is still in the pipe is passed over (default: nothing). Options stand in the address, as in
 * "shm://lab/imu?capacity=4M&full=drop-oldest":
 *
 *   capacity=SIZE      bytes a writer's lane or a peer's queue holds (default 1M); K, M, G
 *   max=SIZE           largest one message (default 16M); the lane grows as far as it must
 *   full=block|drop-oldest|drop-newest|fail    what a writer does that finds no room (default block)
 *   from=oldest|last|now|seq:N|-10s            where a reader begins in what is already there (default now)
 *   observe=1          a reader that never holds a writer back
 *   readers=N          the first send waits until N readers are there
 *   timeout=DURATION   how long a blocked send waits (default 10s); 1.5s, 200ms, forever
 *   codec=json|cbor|smile|bson    how a writer encodes values (default cbor)
 *   stamp=0            leave the time out of the messages
 *   keep=0             take the channel away with its last end (default 1: it outlives its ends, like a file)
 *   create=0           fail when the channel is not there yet
 *   exclusive=1        refuse a second writer
 *   mode=0640 group=G  who may open it (default 0600). They count when the channel, file, pipe or socket is made; one
 *                      that is there keeps what it has
 *   allow=uid:imu,uid:1000,group:lab           besides our own user. shm: who may read. unix: who may connect to the
 *                                              end that listens
 *   sealed=1           shm: for users who do not trust each other. Only the owner writes; his memory is handed to those
 *                      whom allow= (or mode= with r) lets in, and can be neither changed nor cut by either side. It
 *                      goes with its writer, and carries no calls
 *   wait=futex|spin|poll|sem                   shm, sysv: how a reader waits (default futex, after a short spin). sem:
 *                      a POSIX semaphore per reader, the classic way, for teaching and comparing; each sleeping reader
 *                      costs the writer a system call per wake, and it is refused (WEIR_ENOTSUP) where other users may
 *                      write the channel
 *   framing=weir|jsonl|cborseq|smile|bson      pipes: how a writer's messages lie in the pipe, and what a reader takes
 *                      other bytes for (default: frames, and what the bytes look like)
 *                      sockets: what others are taken for that say no hello; connecting, what the listener speaks
 *                      files: what is in them (default: what the name ends in)
 *   psk=FILE           tcp: TLS 1.3 between those who have this secret, 32 bytes or 64 hexadecimal digits
 *   cert=FILE key=FILE ca=FILE                 tcp: TLS 1.3 with certificates: our own, its key, who must have signed
 *                                              the others'
 *   insecure=1         tcp: beyond loopback without TLS
 *   burst=0            sockets, pipes: each message is in the kernel when send returns, as far as there is room.
 *                      Default 1: of who sends faster than the system calls go, many leave with one, within 100 us or
 *                      when he waits, closes or exits
 *   listen=1, connect=1                        sockets: only listen, or only connect (default: the first end listens)
 *   sync=none|interval:D|always                files: when what is written must be on the disk (default none: when the
 *                                              kernel likes; interval: D after it was written, by a thread of the
 *                                              writer; always: before the send returns)
 *   rotate=SIZE age=DURATION files=N           files: put the log aside as PATH.1 when it gets so large or old; keep N
 *                                              (default 4)
 *   state=1                                    files: one value, replaced as a whole; readers get it, and then each
 *                                              change
 *   anyfs=1                                    files: also on network file systems
 *
 * A log (file://) keeps everything: no reader holds its writers back, and full= says what happens when the disk is
 * full. Its messages are counted in one row, whoever sent them.
 */
#ifndef WEIR_CHANNEL_H
#define WEIR_CHANNEL_H

#include <weir/base.h>
#include <weir/error.h>
#include <weir/message.h>
#include <weir/value.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { WEIR_MANY_MAX = 256 }; /* messages that weir_reader_next_many gives at a time */

typedef struct weir_writer weir_writer;
typedef struct weir_reader weir_reader;

/* Open a writer.
 * Return: WEIR_OK, WEIR_EADDRESS, WEIR_EACCESS, WEIR_EBUSY, WEIR_ENOENT (create=0), WEIR_ENOSPC, WEIR_EVERSION,
 * WEIR_ENOMEM, WEIR_ESYSTEM. */
WEIR_API int weir_writer_open(const char *address, weir_writer **ret, weir_error *err);
WEIR_API weir_writer *weir_writer_close(weir_writer *writer);

/* Send a message.
 * @op: NUL-terminated, at most WEIR_OP_MAX bytes; NULL for none.
 * @meta: a map, or NULL. @data: any value, or NULL. An ndarray as data is sent raw, others in the channel's codec=.
 * Return: WEIR_OK, WEIR_EAGAIN (full=fail), WEIR_ETIMEOUT (full=block), WEIR_ETOOBIG, WEIR_ECLOSED, WEIR_EENCODE,
 * WEIR_ENOMEM, WEIR_ENOSPC (no memory for the lane to grow or to go on in its first lap; the disk is full and full= is
 * not block, which waits for room there as for a reader: then WEIR_ETIMEOUT with sys_errno ENOSPC), WEIR_EPARSE
 * (data that is not what its codec says, in a plain log), WEIR_ESYSTEM (a log that cannot be written, or was not
 * brought to the disk), WEIR_EFENCED, WEIR_EFORKED. Nothing is sent unless WEIR_OK. */
WEIR_API int weir_writer_send(weir_writer *writer, const char *op, const weir_value *meta, const weir_value *data,
                              weir_error *err);
/* Send an array as it lies in memory. Return: as weir_writer_send, WEIR_EINVAL (shape and size disagree). */
WEIR_API int weir_writer_send_ndarray(weir_writer *writer, const char *op, const weir_value *meta,
                                      const weir_ndarray *array, weir_error *err);
/* Send data that is already encoded; its bytes are checked by whoever reads them.
 * @codec: enum weir_codec; @type: for raw only, as "f64[4,256]" or "{t: i64, accel: f64[3]}" (raw.h); "u8[N]" when
 * NULL.
 * Return: as weir_writer_send, WEIR_EINVAL (the type, or it has another size). */
WEIR_API int weir_writer_send_bytes(weir_writer *writer, const char *op, const weir_value *meta, int codec,
                                    const char *type, const void *data, size_t size, weir_error *err);

/* Send without a copy: reserve room for a raw message of @type in the channel itself, write the elements at *ret_data
 * (aligned to 64 bytes, *ret_size bytes), then commit or discard. No other send may stand between.
 * Return: as weir_writer_send, WEIR_EINVAL (the type). */
WEIR_API int weir_writer_reserve(weir_writer *writer, const char *op, const weir_value *meta, const char *type,
                                 void **ret_data, size_t *ret_size, weir_error *err);
/* Where it has to wait and the time is over (WEIR_ETIMEOUT: a log, for its lock or the disk), the message stays reserved:
 * commit again, or do anything else, which discards it. */
WEIR_API int weir_writer_commit(weir_writer *writer, weir_error *err);
WEIR_API void weir_writer_discard(weir_writer *writer);

/* Between cork and uncork messages may be held back, so that many are published, and readers woken, at once.
 * Uncork publishes. Return: as weir_writer_send. After WEIR_ETIMEOUT (a log whose lock another writer has, or whose disk
 * is full) nothing of them is lost: they go with the next send or uncork, or with close. */
WEIR_API void weir_writer_cork(weir_writer *writer);
WEIR_API int weir_writer_uncork(weir_writer *writer, weir_error *err);

/* Send many messages in one call: data[0] to data[count - 1], with the same op, metadata, codec and type, and one time.
 * They are published, and readers woken, at once (or held back, if the writer is corked); in shared memory, without op,
 * metadata and raw data, at a fraction of what so many calls cost. When there is no room for one, what went before it
 * is published, and it waits, fails or is thrown away as full= says.
 * @codec, @type: as in weir_writer_send_bytes; a @type is that of each.
 * @ret_sent: nullable, written also after a failure: data[*ret_sent] is the first that did not go. (After WEIR_ETIMEOUT
 * of a log whose lock another writer has or whose disk is full, those before it go later, as after uncork; with @count 0 they go now.)
 * Return: as weir_writer_send_bytes. */
WEIR_API int weir_writer_send_many(weir_writer *writer, const char *op, const weir_value *meta, int codec,
                                   const char *type, const weir_view *data, size_t count, size_t *ret_sent,
                                   weir_error *err);

/* How long a send may wait under full=block, from now on; replaces the address's timeout=. */
WEIR_API void weir_writer_set_timeout(weir_writer *writer, int64_t timeout_ns);
/* What it is now: what the address said, or what was set; WEIR_FOREVER for no end. */
WEIR_API int64_t weir_writer_timeout(const weir_writer *writer);
/* The time of the messages from the next one on, ns since the epoch, in place of the clock's: for who sends what was
 * measured, or sent by somebody else, before. 0: they have none. WEIR_TIME_NOW: the clock's again. */
#define WEIR_TIME_NOW INT64_MIN
WEIR_API void weir_writer_set_time(weir_writer *writer, int64_t time_ns);
/* Wait until @count readers are there. Return: WEIR_OK, WEIR_ETIMEOUT, WEIR_EFORKED. */
WEIR_API int weir_writer_wait_readers(weir_writer *writer, uint32_t count, int64_t timeout_ns, weir_error *err);
/* seq of the message sent last; 0 before the first. In a log that others write too, that of a corked message is known
 * when it is uncorked. */
WEIR_API uint64_t weir_writer_seq(const weir_writer *writer);
/* Messages that full=drop-newest threw away. */
WEIR_API uint64_t weir_writer_dropped(const weir_writer *writer);

/* Open a reader. The channel need not be there yet.
 * Return: as weir_writer_open. */
WEIR_API int weir_reader_open(const char *address, weir_reader **ret, weir_error *err);
WEIR_API weir_reader *weir_reader_close(weir_reader *reader);

/* The next message, borrowed until the reader's next call.
 * Return: WEIR_OK, WEIR_ETIMEOUT (WEIR_EAGAIN is never returned), WEIR_ECLOSED, WEIR_ECORRUPT (one writer's lane is
 * given up, or damage in a log was passed over: call again for the others), WEIR_ENOMEM, WEIR_EFENCED, WEIR_EFORKED. */
WEIR_API int weir_reader_next(weir_reader *reader, int64_t timeout_ns, weir_message **ret, weir_error *err);
/* The next messages: waits for the first, and takes those that are there with it, at most @max and at most
 * WEIR_MANY_MAX. They are borrowed together until the reader's next call. What goes wrong behind one of them is told by
 * the next call.
 * @ret: room for @max pointers; the first *ret_count of them are written.
 * Return: as weir_reader_next, WEIR_EINVAL (@max is 0). */
WEIR_API int weir_reader_next_many(weir_reader *reader, int64_t timeout_ns, weir_message **ret, size_t max,
                                   size_t *ret_count, weir_error *err);
/* Give the message back before the next call, so that the writer may use its room. */
WEIR_API void weir_reader_release(weir_reader *reader);
/* Skip to the newest message, also when it was read before. Return: WEIR_OK, WEIR_ENOENT (none yet), as
 * weir_reader_next. */
WEIR_API int weir_reader_latest(weir_reader *reader, weir_message **ret, weir_error *err);
/* A file descriptor for poll, epoll and event loops: readable while weir_reader_next has something to do. Call
 * weir_reader_next with timeout 0 until WEIR_ETIMEOUT, then poll. Owned by the reader; never read or close it.
 * Return: WEIR_OK, WEIR_ENOTSUP, WEIR_ESYSTEM. */
WEIR_API int weir_reader_fd(weir_reader *reader, int *ret_fd, weir_error *err);
/* Messages this reader has missed in all. */
WEIR_API uint64_t weir_reader_gaps(const weir_reader *reader);

/* The latest message of a channel without opening a reader: what a web page wants. The copy in *ret is the caller's,
 * freed with weir_message_free.
 * Return: WEIR_OK, WEIR_ENOENT (no such channel, or no message in it yet), WEIR_EADDRESS, WEIR_EACCESS, WEIR_EVERSION,
 * WEIR_ECORRUPT, WEIR_ENOMEM, WEIR_ESYSTEM. */
WEIR_API int weir_latest(const char *address, weir_message **ret, weir_error *err);

#ifdef __cplusplus
}
#endif

#endif
