/* The hello: the first bytes of a connection, in both directions. docs/spec/socket.md is the standard.
 *
 * Little-endian, always WEIR_HELLO_SIZE bytes, in every version; magic, version, status, pid, program and text stay
 * where they are in all versions, so that two that do not understand each other can still say so.
 *
 *      0  4   "WEIR"
 *      4  u16 version     1
 *      6  u16 status      0; in an answer enum weir_err when the connection is refused
 *      8  u8  role        enum weir_role; of a listener: the role of the end that listens
 *      9  u8  flags       enum weir_hello_flags
 *     10  u8  full        enum weir_full of a writer
 *     11  u8  from        enum weir_from of a reader
 *     12  u32 pid         as the sender says; for sentences only
 *     16  u64 writer      a random number for this end; that of its frames
 *     24  u64 seq         of the last frame before those that this end will send on this connection
 *     32  i64 from_value
 *     40  u64 size_max    largest frame it takes
 *     48  u32 readers     how many holding readers it knows of
 *     52  12  zeros
 *     64  64  program     name, NUL-terminated
 *    128  128 text        the sentence of a refusal, NUL-terminated
 */
#ifndef WEIR_SOCKET_HELLO_H
#define WEIR_SOCKET_HELLO_H

#include <stddef.h>
#include <stdint.h>

enum { WEIR_HELLO_SIZE = 256, WEIR_HELLO_VERSION = 1 };

enum weir_hello_flags {
    WEIR_HELLO_OBSERVES = 1,  /* a reader that holds nobody back */
    WEIR_HELLO_EXCLUSIVE = 2, /* a writer that wants no other */
    WEIR_HELLO_RESUMES = 4,   /* was connected to an earlier listener of this channel */
    WEIR_HELLO_HAS_LAST = 8   /* answer: there is a newest frame */
};

struct weir_hello {
    uint16_t version;
    uint16_t status;
    uint8_t role;
    uint8_t flags;
    uint8_t full;
    uint8_t from;
    uint32_t pid;
    uint64_t writer;
    uint64_t seq;
    int64_t from_value;
    uint64_t size_max;
    uint32_t readers;
    char program[64];
    char text[128];
};

/* What the first bytes of a connection are. This is the one place that decides: plain framings are told apart here.
 *
 *     57 45 49 52              "WEIR", a hello
 *     3a 29 0a xx              Smile
 *     xx xx xx 00              BSON: a size below 16 MiB. Text never holds a zero
 *     { [ blank, ef bb bf      JSON lines
 *     80 to db                 CBOR: an array, a map, or a tag
 */
enum weir_opening {
    WEIR_OPENING_UNDECIDED = 0, /* more bytes are needed */
    WEIR_OPENING_HELLO = 1,     /* a whole hello, of any version */
    WEIR_OPENING_FOREIGN = 2,   /* something else */
    WEIR_OPENING_PLAIN = 3      /* a plain framing: *ret_framing */
};
/* @is_all: nothing has followed for a while, so that less than four bytes must do. */
enum weir_opening weir_opening_judge(const unsigned char *bytes, size_t size, int is_all, int *ret_framing);

void weir_hello_write(const struct weir_hello *hello, unsigned char *to);
/* @bytes: WEIR_HELLO_SIZE of them. Fields of versions other than ours, but for those that never move, are 0.
 * Return: WEIR_OK, WEIR_EVERSION, WEIR_ECORRUPT (a field that no end would send). */
int weir_hello_read(const unsigned char *bytes, struct weir_hello *ret);

#endif
