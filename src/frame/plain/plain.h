/* Plain framings: messages as ordinary values of a codec, one after another, for programs that know nothing of frames.
 * docs/spec/plain.md is the standard.
 *
 *     {"seq":7,"time":1764230000000000000,"op":"reading","data":21.5}          one per line: JSON lines
 *     the same map as CBOR items (RFC 8742), Smile values, or BSON documents, one behind the other
 *
 * Three parts, which share nothing but the number of the framing: a splitter says where the next message ends, a reader
 * makes a frame of a message, a writer makes a message of a frame.
 *
 * What must stay true: the splitter looks at each byte once, however the bytes come in pieces, and takes no memory that
 * grows with them; a reader loses nothing of what it was given: a value that is not a message map is the data of a
 * message without an op.
 */
#ifndef WEIR_FRAME_PLAIN_H
#define WEIR_FRAME_PLAIN_H

#include <stddef.h>
#include <stdint.h>
#include <weir/codec.h>
#include <weir/error.h>
#include <weir/raw.h>
#include <weir/value.h>

#include "base/buffer.h"
#include "frame/frame.h"

/* How messages follow one another. Those that are plain have the number of their codec. */
enum weir_framing {
    WEIR_FRAMING_FRAMES = 0, /* weir's own frames */
    WEIR_FRAMING_JSON = WEIR_CODEC_JSON,
    WEIR_FRAMING_CBOR = WEIR_CODEC_CBOR,
    WEIR_FRAMING_SMILE = WEIR_CODEC_SMILE,
    WEIR_FRAMING_BSON = WEIR_CODEC_BSON
};

/* "weir", "jsonl", "cborseq", "smile", "bson". Return: the framing; -1 for no such name. */
int weir_framing_find(const char *name, size_t size);
/* "?" for no such framing. */
const char *weir_framing_name(int framing);
/* What the extension of a file's name says: .weir; .jsonl .ndjson; .cborseq .cbor; .smile; .bson; and .json, but only
 * of a file that holds one value (@is_value), as it says nothing of a log. Return: the framing; -1. */
int weir_framing_of_path(const char *path, int is_value);

/* ---- splitting ---- */

enum { WEIR_PLAIN_DEPTH_MAX = WEIR_DEPTH_MAX + 2 }; /* what is deeper, no decoder of ours takes */

/* Set up by weir_plain_splitter_init; only number is for the caller to look at. */
struct weir_plain_splitter {
    int framing;
    int is_lost;     /* after garbage: looking for the next message */
    size_t size_max; /* of one message */
    uint64_t number; /* JSON: the line of the message or garbage just told of; others: which message, from 1 */
    uint64_t lines;  /* ended before the first byte given */
    size_t scanned;  /* bytes of the message that were looked at */
    uint32_t depth;
    uint64_t
        left[WEIR_PLAIN_DEPTH_MAX]; /* CBOR: items that the containers still need, or what kind of endless one it is */
    uint64_t maps[2];               /* Smile: which containers are maps, a bit each */
    int wants_name;                 /* Smile */
};

/* A message among the bytes given: @skip bytes before it mean nothing, it has @size, and @used are done with when it
 * has been read. */
struct weir_plain_piece {
    size_t skip;
    size_t size;
    size_t used;
};

void weir_plain_splitter_init(struct weir_plain_splitter *splitter, int framing, size_t size_max);
/* The bytes of the message that has begun may have changed: they are looked at again, and given from its first on. */
void weir_plain_splitter_again(struct weir_plain_splitter *splitter);
/* Where is the next message? @bytes begin behind the ret->used bytes of the call before; what was not used is given
 * again, with more behind it. @is_end: nothing will follow, so that a last line needs no newline and half a message is
 * garbage.
 * Return: WEIR_OK; WEIR_EAGAIN (more is needed; ret->used bytes need not be kept), WEIR_ECORRUPT (@why says what is
 * wrong; ret->used bytes are given up, and the next call goes on with the next message: JSON at the next line, others
 * where a message as the library writes it begins), WEIR_ETOOBIG (the same, for a message of more than size_max
 * bytes). */
int weir_plain_split(struct weir_plain_splitter *splitter, const unsigned char *bytes, size_t size, int is_end,
                     struct weir_plain_piece *ret, weir_error *why);

/* ---- reading ---- */

/* {0} is one without memory; fini gives the memory back. */
struct weir_plain_reader {
    weir_doc *doc;
    struct weir_buffer meta, data;
    int takes_any_id; /* also a request with an op whose id is none of a frame's: a request with id 0 */
};

/* Make a frame of the message @bytes, as the splitter cut it out: not laid out yet (weir_frame_layout,
 * weir_frame_write_whole), its views point into @bytes and the reader, until the next call. Without a seq in the
 * message seq is 0, without a time the flag is not set. Numbers in arrays of a type (ndarrays) become raw data; other
 * data stays in the framing's codec. Smile values are read as one stream: one without a header goes on with the names
 * of the one before.
 * Return: WEIR_OK, WEIR_EPARSE (not a value of the codec), WEIR_ELIMIT, WEIR_ENOMEM. */
int weir_plain_read(struct weir_plain_reader *reader, int framing, const unsigned char *bytes, size_t size,
                    struct weir_frame *ret, weir_error *err);
/* The same, and the frame written whole to @out, which is emptied first and whose memory is aligned to 64. @seq
 * replaces a seq of 0. */
int weir_plain_read_whole(struct weir_plain_reader *reader, int framing, const unsigned char *bytes, size_t size,
                          uint64_t seq, struct weir_buffer *out, struct weir_frame *ret, weir_error *err);
void weir_plain_reader_fini(struct weir_plain_reader *reader);

/* ---- writing ---- */

/* {0} is one without memory; fini gives the memory back. */
struct weir_plain_writer {
    weir_doc *doc;  /* the map */
    weir_doc *meta; /* what the frame holds, decoded */
    weir_doc *data;
    weir_type *type;
};

/* Append the frame as a message: with JSON a line and its newline. Data must be what its codec says. Control frames
 * have no plain form.
 * Return: WEIR_OK, WEIR_EPARSE, WEIR_EENCODE, WEIR_ELIMIT, WEIR_ENOTSUP (a control frame), WEIR_ENOMEM. */
int weir_plain_write(struct weir_plain_writer *writer, int framing, const struct weir_frame *frame,
                     struct weir_buffer *out, weir_error *err);
/* The data of a frame as a value, in the writer's memory; NULL when there is none. Return: as weir_plain_write. */
int weir_plain_data(struct weir_plain_writer *writer, const struct weir_frame *frame, const weir_value **ret,
                    weir_error *err);
/* Append a value alone, as a message that is nothing but data: for state files. @is_pretty: JSON for people, over
 * several lines. */
int weir_plain_write_value(const weir_value *value, int framing, int is_pretty, struct weir_buffer *out,
                           weir_error *err);
void weir_plain_writer_fini(struct weir_plain_writer *writer);

/* Ids of calls as plain peers see them: numbers up to 2^53, which every language keeps, and texts of 16 hexadecimal
 * digits beyond. */
enum { WEIR_PLAIN_ID_SIZE = 16 };
#define WEIR_PLAIN_ID_NUMBER_MAX (UINT64_C(1) << 53)

/* ---- for the files of this folder ---- */

/* Go on behind splitter->scanned. Return: WEIR_OK (the message ends at scanned), WEIR_EAGAIN, WEIR_ECORRUPT,
 * WEIR_ETOOBIG. */
int weir_plain_scan_cbor(struct weir_plain_splitter *splitter, const unsigned char *bytes, size_t size,
                         const char **why);
int weir_plain_scan_smile(struct weir_plain_splitter *splitter, const unsigned char *bytes, size_t size,
                          const char **why);

#endif
