/* Codecs: bytes to document and back.
 *
 * Every codec decodes in one pass without recursion, into the same document model, and refuses bytes that are not
 * well-formed with their byte offset. Limits hold for the whole message, however it is nested.
 */
#ifndef WEIR_CODEC_H
#define WEIR_CODEC_H

#include <weir/base.h>
#include <weir/error.h>
#include <weir/value.h>

#ifdef __cplusplus
extern "C" {
#endif

enum weir_codec {
    WEIR_CODEC_JSON = 1,  /* RFC 8259 */
    WEIR_CODEC_CBOR = 2,  /* RFC 8949, typed arrays of RFC 8746 */
    WEIR_CODEC_SMILE = 3, /* Smile 1.0.7, as Jackson writes it */
    WEIR_CODEC_BSON = 4,  /* BSON 1.1, as MongoDB has it */
    WEIR_CODEC_RAW = 5    /* numbers, arrays and structs as they lie in memory; the type is named beside (raw.h) */
};

enum weir_codec_flags {
    WEIR_PLAIN = 1,     /* encode: the readable, lossy form people expect (arrays of numbers, base64 text, ...) */
    WEIR_STRICT = 2,    /* encode: refuse what the codec cannot say; decode: repeated keys and wrong contents of tags */
    WEIR_CANONICAL = 4, /* encode: the one deterministic form (CBOR: RFC 8949 4.2.1; others: keys sorted) */
    WEIR_PRETTY = 8,    /* encode, JSON only: indented, for people */
    WEIR_SEQUENCE = 16  /* decode: other items may follow; ret_used says where the first ended */
};

enum {
    WEIR_DEPTH_MAX = 64,       /* default: containers and tags inside each other */
    WEIR_BYTES_MAX = 16 << 20, /* default: bytes of one encoded message */
    WEIR_VALUES_MAX = 16 << 20 /* default: values in one document; 16 bytes each */
};

typedef struct weir_codec_options {
    uint32_t struct_size;
    uint32_t flags;      /* enum weir_codec_flags */
    uint32_t depth_max;  /* 0: WEIR_DEPTH_MAX */
    uint32_t values_max; /* 0: WEIR_VALUES_MAX */
    uint64_t bytes_max;  /* 0: no limit but the input's size; a channel sets its own */
} weir_codec_options;
#define WEIR_CODEC_OPTIONS_INIT                                                                                        \
    { sizeof(weir_codec_options), 0, 0, 0, 0 }

/* The codec called "json", "cbor", ...
 * Return: WEIR_OK, WEIR_EINVAL (the sentence lists the known ones). */
WEIR_API int weir_codec_find(const char *name, int *ret_codec, weir_error *err);
/* "json"; "?" for no such codec. */
WEIR_API const char *weir_codec_name(int codec);

/* Decode one document.
 * @doc: cleared first. Texts and bytes may point into @data, which must then outlive the document's use.
 * @options: NULL for the defaults.
 * With WEIR_SEQUENCE decode the next item into the same document: what a codec must remember of those before (the names
 * of a Smile stream) stays there until the document is cleared.
 * @ret_used: nullable; bytes consumed. Without WEIR_SEQUENCE anything but white space behind the document is an error.
 * Return: WEIR_OK, WEIR_EPARSE (with err->offset), WEIR_ELIMIT, WEIR_ENOMEM, WEIR_ENOTSUP (codec not built in). */
WEIR_API int weir_decode(weir_doc *doc, int codec, const void *data, size_t size, const weir_codec_options *options,
                         size_t *ret_used, weir_error *err);

/* Encode one value, appended to @out.
 * Return: WEIR_OK, WEIR_EENCODE (WEIR_STRICT, or no form at all), WEIR_ELIMIT, WEIR_ENOMEM, WEIR_ENOTSUP. */
WEIR_API int weir_encode(const weir_value *value, int codec, const weir_codec_options *options, weir_buffer *out,
                         weir_error *err);

#ifdef __cplusplus
}
#endif

#endif
