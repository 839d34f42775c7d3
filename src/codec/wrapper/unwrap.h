/* What the files share that read wrappers: unwrap.c, and unwrap_bson.c for BSON's own types. */
#ifndef WEIR_CODEC_UNWRAP_H
#define WEIR_CODEC_UNWRAP_H

#include "codec/bson/bson.h"
#include "codec/wrapper/wrapper.h"

/* The map that may be a wrapper: its one value, and the document that it is the end of. */
struct wrapped {
    struct weir_doc *doc;
    struct weir_value *map;
    const struct weir_value *content;
};

int weir_text_is(const struct weir_value *value, const char *text);
/* Lower-case hexadecimal, two digits a byte. Return: 0 when it is none. */
int weir_hex_bytes(const unsigned char *text, size_t size, unsigned char *to);
/* The value of @key in a map of texts; NULL when it is not there exactly once. *left counts keys that are not asked
 * for. */
const struct weir_value *weir_wrapped_member(const struct weir_value *map, const char *key, uint32_t *left);

/* Replace the map by one cell; by a tag and its content, which is the last that was read, and may be where the map was.
 * Return: WEIR_UNWRAPPED_DONE. */
int weir_wrapped_becomes(const struct wrapped *wrapped, struct weir_value value);
int weir_wrapped_becomes_tagged(const struct wrapped *wrapped, uint32_t space, uint64_t number,
                                const struct weir_value *content);

/* The map {"$code": text, "$scope": map}, in either order. */
int weir_unwrap_code_with_scope(const struct wrapped *wrapped);
int weir_unwrap_uuid(const struct wrapped *wrapped);
int weir_unwrap_symbol(const struct wrapped *wrapped);
int weir_unwrap_code(const struct wrapped *wrapped);
int weir_unwrap_timestamp(const struct wrapped *wrapped);
int weir_unwrap_regex(const struct wrapped *wrapped);
int weir_unwrap_db_pointer(const struct wrapped *wrapped);
int weir_unwrap_min_key(const struct wrapped *wrapped);
int weir_unwrap_max_key(const struct wrapped *wrapped);
/* A binary of a subtype: the bytes, a vector, or bytes with a tag. */
int weir_unwrap_subtype(const struct wrapped *wrapped, unsigned subtype, const struct weir_value *bytes);
/* "NaN" and infinities; -0 with an exponent: decimals that only BSON has. */
int weir_unwrap_special_decimal(const struct wrapped *wrapped);
int weir_unwrap_negative_zero(const struct wrapped *wrapped, int64_t exponent);

#endif
