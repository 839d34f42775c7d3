/* The table of codecs, and what all of them share: defaults, limits on bytes, what may follow a document, and leaving
 * nothing behind after a failure.
 */
#include "codec/codec.h"

#include <stdio.h>
#include <string.h>

/* A new codec adds one line, here and nowhere else. */
static const struct weir_codec_ops *const codecs[] = {
    &weir_codec_json, &weir_codec_cbor, &weir_codec_smile, &weir_codec_bson, &weir_codec_raw,
};
enum { CODEC_COUNT = sizeof(codecs) / sizeof(codecs[0]) };

const struct weir_codec_ops *weir_codec_at(size_t index) {
    return index < CODEC_COUNT ? codecs[index] : NULL;
}

const struct weir_codec_ops *weir_codec_ops(int codec) {
    for (size_t i = 0; i < CODEC_COUNT; i++)
        if (codecs[i]->id == codec)
            return codecs[i];
    return NULL;
}

const char *weir_codec_name(int codec) {
    const struct weir_codec_ops *ops = weir_codec_ops(codec);
    return ops ? ops->name : "?";
}

/* "json, cbor, raw", for sentences. */
static const char *known_codecs(char *text, size_t size) {
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < CODEC_COUNT && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i > 0 ? ", " : "", codecs[i]->name);
    return text;
}

enum { KNOWN_MAX = 80 };

int weir_codec_find(const char *name, int *ret_codec, weir_error *err) {
    char known[KNOWN_MAX];
    for (size_t i = 0; name && i < CODEC_COUNT; i++)
        if (strcmp(codecs[i]->name, name) == 0) {
            *ret_codec = codecs[i]->id;
            return WEIR_OK;
        }
    return weir_fail(err, WEIR_EINVAL, "there is no codec \"%s\"; the known ones are %s", name ? name : "",
                     known_codecs(known, sizeof(known)));
}

static int no_such_codec(int codec, weir_error *err) {
    char known[KNOWN_MAX];
    return weir_fail(err, WEIR_ENOTSUP, "there is no codec %d; the known ones are %s", codec,
                     known_codecs(known, sizeof(known)));
}

/* The options with the defaults filled in. An older caller's struct ends earlier: what it does not have is 0. */
static inline weir_codec_options options_complete(const weir_codec_options *options) {
    static const weir_codec_options defaults = {sizeof(defaults), 0, WEIR_DEPTH_MAX, WEIR_VALUES_MAX, UINT64_MAX};
    weir_codec_options complete = WEIR_CODEC_OPTIONS_INIT;
    if (!options)
        return defaults;
    if (options->struct_size >= sizeof(complete))
        complete = *options;
    else
        memcpy(&complete, options, options->struct_size);
    if (complete.depth_max == 0)
        complete.depth_max = defaults.depth_max;
    if (complete.values_max == 0)
        complete.values_max = defaults.values_max;
    if (complete.bytes_max == 0)
        complete.bytes_max = defaults.bytes_max;
    return complete;
}

static struct weir_codec_limits limits_of(const weir_codec_options *options) {
    return (struct weir_codec_limits){options->flags, options->depth_max, options->values_max};
}

/* Only JSON has bytes that mean nothing between its values. */
static size_t blanks(int codec, const unsigned char *data, size_t size) {
    size_t count = 0;
    if (codec == WEIR_CODEC_JSON)
        while (count < size && memchr(" \t\n\r", data[count], 4))
            count++;
    return count;
}

enum { CELLS_SPARE = 1024 }; /* room that small inputs may grow into at once: 16 KiB */

static int decode(const struct weir_codec_ops *ops, weir_doc *doc, const unsigned char *data, size_t size,
                  const weir_codec_options *options, size_t *used, weir_error *err) {
    if (size > options->bytes_max)
        return weir_fail(err, WEIR_ELIMIT, "%s: %zu bytes, the limit is %llu; raise bytes_max", ops->name, size,
                         (unsigned long long)options->bytes_max);
    struct weir_codec_limits limits = limits_of(options);
    size_t cells = size / (size_t)ops->cell_bytes;
    doc->ceiling = cells < SIZE_MAX - CELLS_SPARE ? cells + CELLS_SPARE : SIZE_MAX;
    int status = ops->decode(doc, data, size, &limits, used, err);
    if (status != WEIR_OK)
        return status;
    *used += blanks(ops->id, data + *used, size - *used);
    if (*used < size && !(options->flags & WEIR_SEQUENCE))
        return weir_fail_at(err, WEIR_EPARSE, *used, "%s: more bytes behind the document", ops->name);
    return WEIR_OK;
}

int weir_decode(weir_doc *doc, int codec, const void *data, size_t size, const weir_codec_options *options,
                size_t *ret_used, weir_error *err) {
    int sequel = doc->sequel;
    weir_doc_clear(doc);
    const struct weir_codec_ops *ops = weir_codec_ops(codec);
    if (!ops)
        return no_such_codec(codec, err);
    weir_codec_options complete = options_complete(options);
    size_t used = 0;
    if (complete.flags & WEIR_SEQUENCE && sequel == codec)
        doc->sequel = sequel;
    int status = decode(ops, doc, data ? data : (const unsigned char *)"", size, &complete, &used, err);
    if (status != WEIR_OK) {
        weir_doc_clear(doc);
        return status;
    }
    weir_doc_trim(doc);
    doc->is_finished = 1;
    doc->sequel = complete.flags & WEIR_SEQUENCE ? codec : 0;
    if (ret_used)
        *ret_used = used;
    return WEIR_OK;
}

int weir_encode(const weir_value *value, int codec, const weir_codec_options *options, weir_buffer *out,
                weir_error *err) {
    const struct weir_codec_ops *ops = weir_codec_ops(codec);
    if (!ops)
        return no_such_codec(codec, err);
    if (!value)
        return weir_fail(err, WEIR_EENCODE, "%s: there is no value to encode; build and finish a document first",
                         ops->name);
    weir_codec_options complete = options_complete(options);
    struct weir_codec_limits limits = limits_of(&complete);
    size_t start = out->size;
    int status = ops->encode(value, &limits, out, err);
    if (status == WEIR_OK && out->size - start > complete.bytes_max)
        status = weir_fail(err, WEIR_ELIMIT, "%s: the value takes %zu bytes, the limit is %llu; raise bytes_max",
                           ops->name, out->size - start, (unsigned long long)complete.bytes_max);
    if (status != WEIR_OK)
        out->size = start;
    return status;
}
