/* What the files of the JSON codec share.
 *
 *     decode.c   bytes to cells: the grammar, containers, numbers, limits
 *     text.c     texts of the input: where they end, UTF-8, escapes
 *     encode.c   cells to bytes, one walk over containers
 *     write.c    single values to bytes: texts, numbers, wrappers, base64, ndarrays
 *
 * What is wrapped, and how, is codec/wrapper/'s. JSON writes those texts itself, in the same shapes as wrap.c's cells.
 */
#ifndef WEIR_CODEC_JSON_H
#define WEIR_CODEC_JSON_H

#include "codec/codec.h"
#include "codec/wrapper/wrapper.h"

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

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
    const struct weir_codec_limits *limits;
    int is_deep; /* containers went deeper than depth_max, which only those of wrappers may */
    int status;
    weir_error *err;
};

/* Fail at @at, or because the input ends when that is the end. Return: NULL. */
const unsigned char *weir_json_bad(struct json_reader *reader, const unsigned char *at, const char *what);
const unsigned char *weir_json_out_of_memory(struct json_reader *reader);

/* Read the text that begins behind the quote at @p - 1 into @cell. Return: what follows its closing quote; NULL on
 * failure. */
const unsigned char *weir_json_text(struct json_reader *reader, const unsigned char *p, struct weir_value *cell);

int weir_json_decode(struct weir_doc *doc, const unsigned char *data, size_t size,
                     const struct weir_codec_limits *limits, size_t *ret_used, weir_error *err);

/* ---- encoding ---- */

int weir_json_encode(const struct weir_value *value, const struct weir_codec_limits *limits, struct weir_buffer *out,
                     weir_error *err);

/* Append one value that holds no others: all but ARRAY, MAP, TAGGED. Return: WEIR_OK, WEIR_ENOMEM, WEIR_ELIMIT. */
int weir_json_write(const struct weir_value *value, uint32_t flags, struct weir_buffer *out);
/* Append @size bytes of UTF-8 as a JSON text, quotes and escapes included. Return: WEIR_OK, WEIR_ENOMEM. */
int weir_json_write_text(const unsigned char *text, size_t size, struct weir_buffer *out);
/* Append {"$binary": ...} of a BYTES value with a subtype. Return: WEIR_OK, WEIR_ENOMEM. */
int weir_json_write_binary(const struct weir_value *bytes, unsigned subtype, struct weir_buffer *out);

#endif
