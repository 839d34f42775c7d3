/* What the files of the JSON codec share.
 *
 *     decode.c   bytes to cells: the grammar, containers, numbers, limits
 *     text.c     texts of the input: where they end, UTF-8, escapes
 *     unwrap.c   a finished {"$name": ...} becomes the kind that it stands for, in place
 *     encode.c   cells to bytes, one walk over containers
 *     write.c    single values to bytes: texts, numbers, wrappers, base64, ndarrays
 */
#ifndef WEIR_CODEC_JSON_H
#define WEIR_CODEC_JSON_H

#include "codec/codec.h"

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* The bits of the NaN that is written as "NaN"; those of others are written with it. */
#define WEIR_JSON_NAN64 UINT64_C(0x7FF8000000000000)
#define WEIR_JSON_NAN32 UINT32_C(0x7FC00000)

/* Tags of the BSON space that Extended JSON has a name for: the element type of an ObjectId, and a binary of a subtype. */
enum { WEIR_BSON_OBJECT_ID = 7, WEIR_BSON_OBJECT_ID_SIZE = 12, WEIR_BSON_BINARY = 0x500 };

/* ---- decoding ---- */

struct json_reader {
    struct weir_doc *doc;
    const unsigned char *begin;
    const unsigned char *end; /* nothing from here on is looked at */
    size_t input_size;
    struct weir_value
        *cell; /* the next to be written, and the innermost open container, while decode.c is outside its loop */
    struct weir_value *open;
    unsigned char *slab; /* where unescaped text goes next, in the document's arena */
    size_t slab_left;
    size_t cells_max;
    uint32_t depth_max;
    uint32_t flags;
    int is_wrapped; /* wrappers are recognised */
    int is_deep;    /* containers went deeper than depth_max, which only those of wrappers may */
    int status;
    weir_error *err;
};

/* Fail at @at, or because the input ends when that is the end. Return: NULL. */
const unsigned char *weir_json_bad(struct json_reader *reader, const unsigned char *at, const char *what);
const unsigned char *weir_json_out_of_memory(struct json_reader *reader);

/* Read the text that begins behind the quote at @p - 1 into @cell. Return: what follows its closing quote; NULL on failure. */
const unsigned char *weir_json_text(struct json_reader *reader, const unsigned char *p, struct weir_value *cell);

/* How the containers of a wrapper count as depth. */
enum json_wrapper {
    JSON_WRAPPER_NONE, /* an ordinary map */
    JSON_WRAPPER_LEAF, /* a scalar or an ndarray: neither the map nor what is in it */
    JSON_WRAPPER_TAG,  /* one level, the tag: the map counts, the array in it does not */
    JSON_WRAPPER_PAIRS /* one level, the map: the array counts, neither the map around it nor the arrays of pairs in it */
};
/* What a map whose only key is @key may be. */
enum json_wrapper weir_json_wrapper(const struct weir_value *key);

enum json_unwrapped {
    JSON_UNWRAPPED_NOT, /* no wrapper has this name */
    JSON_UNWRAPPED_BAD, /* a wrapper with contents that it cannot have; nothing was changed */
    JSON_UNWRAPPED_DONE /* the cells from @map on are the value that was meant, doc->count is their end */
};
/* Turn the map at index @map, which has one key and reaches to doc->count, into what it stands for.
 * Return: enum json_unwrapped; -1 when there is no memory. */
int weir_json_unwrap(struct weir_doc *doc, size_t map);

int weir_json_decode(struct weir_doc *doc, const unsigned char *data, size_t size,
                     const struct weir_codec_limits *limits, size_t *ret_used, weir_error *err);

/* ---- encoding ---- */

int weir_json_encode(const struct weir_value *value, const struct weir_codec_limits *limits, struct weir_buffer *out,
                     weir_error *err);

/* Append one value that holds no others: everything but ARRAY, MAP, TAGGED. Return: WEIR_OK, WEIR_ENOMEM, WEIR_ELIMIT. */
int weir_json_write(const struct weir_value *value, uint32_t flags, struct weir_buffer *out);
/* Append @size bytes of UTF-8 as a JSON text, quotes and escapes included. Return: WEIR_OK, WEIR_ENOMEM. */
int weir_json_write_text(const unsigned char *text, size_t size, struct weir_buffer *out);
/* Append {"$binary": ...} of a BYTES value with a subtype. Return: WEIR_OK, WEIR_ENOMEM. */
int weir_json_write_binary(const struct weir_value *bytes, unsigned subtype, struct weir_buffer *out);

/* Base64 (RFC 4648, section 4). encode: Return: bytes written, 4 for each 3 begun. decode: @text without blanks, padded;
 * Return: WEIR_OK with the bytes at @to (at most size / 4 * 3), WEIR_EINVAL. */
size_t weir_base64_encode(const unsigned char *data, size_t size, unsigned char *to);
int weir_base64_decode(const unsigned char *text, size_t size, unsigned char *to, size_t *ret_size);

#endif
