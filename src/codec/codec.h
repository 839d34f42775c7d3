/* The contract of a codec, and the table of them.
 *
 * A codec is one const ops table in its own folder, listed once in codec.c. tests/conformance/codec_test.c checks these
 * promises on every one of them:
 *   1. decode is one pass over the input, iterative, and never reads a byte outside it.
 *   2. It refuses everything that is not well-formed, with the offset of the first byte that cannot be right, and
 *      everything beyond the limits. After a failure the document is empty and reusable.
 *   3. It never reserves from a declared count: memory grows by what was really read, at most 64 KiB + 8 x input bytes
 *      in JSON, and in the others where values and keys take two bytes on average; else 16 x. A value is a cell of 16
 *      bytes, and the smallest takes two bytes of JSON with its comma, one of CBOR and Smile; in BSON a null and its
 *      name may take two or three. What would take more cells than bytes (CBOR's simple values without a kind, BSON's
 *      smallest and largest keys, two cells each) is WEIR_ELIMIT beyond 1000. In the end a document that has grown
 *      holds its cells and 36 KiB at most, besides its arena.
 *   4. Text and bytes point into the input where they can; the rest lies in the document's arena.
 *   5. encode walks the cells without recursion and never fails on a finished document unless flags ask for strictness,
 *      a limit is reached, or memory is out. What it wrote in vain is cut off the buffer again.
 *   6. decode(encode(x)) is x, types included, unless WEIR_PLAIN was asked for.
 */
#ifndef WEIR_CODEC_INTERNAL_H
#define WEIR_CODEC_INTERNAL_H

#include <weir/codec.h>
#include <weir/raw.h>

#include "base/buffer.h"
#include "base/error.h"
#include "value/value.h"

/* weir_codec_options with the defaults filled in. */
struct weir_codec_limits {
    uint32_t flags;
    uint32_t depth_max;
    uint64_t values_max;
};

struct weir_codec_ops {
    const char *name;       /* "json" */
    const char *media_type; /* "application/json" */
    int id;                 /* enum weir_codec */
    int cell_bytes; /* input that a cell takes at least, but for a few; growing ahead stops at what follows from it */
    /* @doc is empty, but under WEIR_SEQUENCE doc->sequel says that the codec may go on with what it kept there.
     * *ret_used is the end of the item; codec.c looks at what follows. */
    int (*decode)(struct weir_doc *doc, const unsigned char *data, size_t size, const struct weir_codec_limits *limits,
                  size_t *ret_used, weir_error *err);
    int (*encode)(const struct weir_value *value, const struct weir_codec_limits *limits, struct weir_buffer *out,
                  weir_error *err);
};

extern const struct weir_codec_ops weir_codec_json;  /* codec/json/json.c */
extern const struct weir_codec_ops weir_codec_cbor;  /* codec/cbor/cbor.c */
extern const struct weir_codec_ops weir_codec_smile; /* codec/smile/smile.c */
extern const struct weir_codec_ops weir_codec_bson;  /* codec/bson/bson.c */
extern const struct weir_codec_ops weir_codec_raw;   /* codec/raw/raw.c */

/* The ops of a codec; NULL for none. */
const struct weir_codec_ops *weir_codec_ops(int codec);
/* The i-th codec of the table, NULL behind the last. */
const struct weir_codec_ops *weir_codec_at(size_t index);

/* Raw data names its type beside it. Structs: weir/raw.h. Others are an element, then the shape, then ":col" when the
 * first index moves fastest.
 *     type = element [ "[" size { "," size } "]" ] [ ":col" ]         f64   u8[4096]   f64[4,256]   f32[3,3]:col
 * Fill all of @ret but data. Return: WEIR_OK, WEIR_EINVAL. */
int weir_raw_type_parse(const char *text, size_t size, struct weir_ndarray *ret, weir_error *err);
enum { WEIR_RAW_TYPE_MAX = WEIR_NDARRAY_TYPE_MAX }; /* bytes of the longest type, with the NUL */
/* Write the type of @array with a NUL. Return: its length. */
size_t weir_raw_type_write(const struct weir_ndarray *array, char *text);
/* Let *kept, NULL at first, be the type @text, parsed anew only when it is another one: for types that come again and
 * again.
 * Return: as weir_type_new; *kept stays what it was after a failure. */
int weir_raw_type_keep(weir_type **kept, const char *text, size_t size, weir_error *err);
/* Whether a raw type is a struct or an array of structs, and so needs a parsed type; others are ndarrays. */
static inline int weir_raw_is_struct(const char *text, size_t size) {
    return size > 0 && *text == '{';
}
/* What raw data says of @value: an ndarray is itself, bytes are u8[n], a number is rank 0. Its data is borrowed from
 * @value and its elements may still be big-endian; weir_encode writes them little-endian. Return: WEIR_OK,
 * WEIR_EENCODE. */
int weir_raw_describe(const struct weir_value *value, struct weir_ndarray *ret, weir_error *err);
/* Make the document of raw data of a parsed type: a number for rank 0, otherwise an ndarray whose elements are @data,
 * borrowed.
 * Return: WEIR_OK, WEIR_EPARSE (the sizes disagree), WEIR_ENOMEM. */
int weir_raw_document(struct weir_doc *doc, const struct weir_ndarray *type, const void *data, size_t size,
                      weir_error *err);

#endif
