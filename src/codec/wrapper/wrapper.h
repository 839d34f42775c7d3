/* Wrappers: how a format says what it has no form for. A value of such a kind stands in a map with a single key
 * "$name", as MongoDB Extended JSON v2 has it where it has a name for the kind; docs/spec/mapping.md lists them all.
 * JSON, Smile and BSON share this layer: it knows cells, not bytes.
 *
 *     unwrap.c        reading: a finished {"$name": ...} becomes the kind that it stands for, in place
 *     unwrap_bson.c   the same for types that only BSON has
 *     depth.c         reading: how the containers of wrappers count as depth, and what to do when a container ends
 *     wrap.c          writing: the cells of the wrapper that stands for a value
 *     text.c          writing: floats and decimals as the texts of their wrappers
 *     plain.c         writing under WEIR_PLAIN: ndarrays as lists, keys as texts
 *     order.c         writing under WEIR_CANONICAL: keys in order
 *     base64.c        bytes as text, both ways
 *
 * A format with binary data of its own writes it under "data", one without under "base64"; both are read everywhere. */
#ifndef WEIR_CODEC_WRAPPER_H
#define WEIR_CODEC_WRAPPER_H

#include "codec/codec.h"

/* The bits of the NaN that is written as "NaN"; those of others are written with it. */
#define WEIR_WRAPPER_NAN64 UINT64_C(0x7FF8000000000000)
#define WEIR_WRAPPER_NAN32 UINT32_C(0x7FC00000)

/* Tags of the BSON space that most documents with any have: the element type of an ObjectId, and a binary of a
 * subtype. */
enum { WEIR_BSON_OBJECT_ID = 7, WEIR_BSON_OBJECT_ID_SIZE = 12, WEIR_BSON_DATETIME = 9, WEIR_BSON_BINARY = 0x500 };

/* ---- reading ---- */

/* How the containers of a wrapper count as depth. */
enum weir_wrapper {
    WEIR_WRAPPER_NONE, /* an ordinary map */
    WEIR_WRAPPER_LEAF, /* a scalar or an ndarray: neither the map nor what is in it */
    WEIR_WRAPPER_TAG,  /* one level, the tag: the map counts, the array in it does not */
    WEIR_WRAPPER_PAIRS /* one level, the map: the array counts, not the map around it nor the arrays of pairs in it */
};
/* What a map whose only key is @key may be. */
enum weir_wrapper weir_wrapper_of_key(const struct weir_value *key);

/* Whether a map that ends may be a wrapper: what a decoder asks before it calls weir_wrapper_close. */
static inline int weir_wrapper_is_likely(const struct weir_value *map) {
    return map->count - 1 < 2 && map->kind == WEIR_KIND_MAP && map[1].count > 0 && *map[1].as.data == '$';
}

enum weir_unwrapped {
    WEIR_UNWRAPPED_NOT, /* no wrapper has this name */
    WEIR_UNWRAPPED_BAD, /* a wrapper with contents that it cannot have; nothing was changed */
    WEIR_UNWRAPPED_DONE /* the cells from @map on are the value that was meant, doc->count is their end */
};
/* Turn the map at index @map, which has one or two keys, texts, and reaches to doc->count, into what it stands for.
 * The only wrapper of two keys is {"$code": ..., "$scope": ...}.
 * Return: enum weir_unwrapped; -1 when there is no memory. */
int weir_unwrap(struct weir_doc *doc, size_t map);

/* The next two are for decoders whose open containers lie in their cells like this: the low 32 bits of an open
 * container's span are the index of its parent plus one, 0 for none (limits keep it below), and its count is the items
 * or pairs before the one that is being read. Keys are texts. In BSON a map with a wrapper's key is a wrapper only when
 * its value is of the wrapper's kind.
 *
 * A container begins inside @open at @depth containers (its own included), beyond @depth_max. Whether no wrapper
 * explains that. @begins: 0; in BSON the kind of what begins. */
int weir_wrapper_is_too_deep(const struct weir_doc *doc, const struct weir_value *open, uint32_t depth,
                             uint32_t depth_max, int begins);
/* The container at index @open ends, which reaches to doc->count, at @depth, its own count set. Turn it into what it
 * stands for, or note its span; doc->count moves.
 * @is_deep: containers went deeper than depth_max, which only those of wrappers may. @by_kind: it is BSON.
 * Return: WEIR_OK, WEIR_EPARSE and WEIR_ELIMIT (*ret_problem says what is wrong), WEIR_ENOMEM. */
int weir_wrapper_close(struct weir_doc *doc, size_t open, uint32_t depth, const struct weir_codec_limits *limits,
                       int is_deep, int by_kind, const char **ret_problem);

/* Whether more than @most containers and tags are inside each other in the values from @at to @end.
 * Return: WEIR_OK, WEIR_ENOMEM. */
int weir_value_is_deeper(const struct weir_value *at, const struct weir_value *end, uint32_t most, int *ret);

/* ---- writing ---- */

enum {
    WEIR_WRAP_CELLS_MAX = 11 + WEIR_RANK_MAX,                   /* what an ndarray takes */
    WEIR_DECIMAL_TEXT_MAX = WEIR_MAGNITUDE_MAX * 5 / 2 + 1 + 32 /* digits, a point, zeros, an exponent */
};

/* A wrapper as cells: a whole map, of kinds that every format has, bytes included. It borrows from the value and from
 * itself, so it may not be moved. */
struct weir_wrap {
    struct weir_value cells[WEIR_WRAP_CELLS_MAX];
    uint32_t count; /* cells used */
    char text[WEIR_DECIMAL_TEXT_MAX];
};

/* Fill @ret with the wrapper for an UNDEFINED, UINT64, BIGINT, FLOAT32, DECIMAL, TIME, or NDARRAY, or for a TAGGED that
 * weir_wrap_is_whole says is one.
 * Return: WEIR_OK, WEIR_ELIMIT (too long a number, or more than 4 GiB of elements). */
int weir_wrap(const struct weir_value *value, struct weir_wrap *ret);
/* Whether a TAGGED has a wrapper of its own, with all it contains: most of BSON's types. */
int weir_wrap_is_whole(const struct weir_value *tagged);
/* Whether a TAGGED may be written as {"$code": text, "$scope": map}, by encoders that walk the map themselves. Others
 * write it as any tag. */
int weir_wrap_is_code_with_scope(const struct weir_value *tagged);

/* Other tags, and maps, hold values. The encoder walks those itself, inside {"$name": [number, content]} for a tag and
 * {"$name": [[key, value], ...]} for a map. */
const char *weir_wrap_tag_name(const struct weir_value *tagged);
static inline const char *weir_wrap_map_name(int has_other_keys) {
    return has_other_keys ? "$map" : "$obj";
}
/* Whether a map of two keys has those of a code with scope. */
int weir_wrap_is_like_code(const struct weir_value *map);
/* Whether a map could be read back as a wrapper, so that it must be written as "$obj". */
static inline int weir_wrap_is_ambiguous(const struct weir_value *map) {
    return map->count - 1 < 2 && map[1].kind == WEIR_KIND_TEXT && map[1].count > 0 && *map[1].as.data == '$' &&
           (map->count == 1 || weir_wrap_is_like_code(map));
}
/* Whether a map has a key that is no text, so that it must be written as "$map". */
int weir_wrap_has_other_keys(const struct weir_value *map);

/* The text of {"$f32": text}, a number, "NaN", "NaN(7fc00001)", or "Infinity"; and of {"$numberDouble": text} for what
 * is no number. At most WEIR_FLOAT_TEXT_MAX bytes, with a NUL. Return: its length. */
enum { WEIR_FLOAT_TEXT_MAX = 40 };
size_t weir_wrap_f32_text(float value, char *text);
size_t weir_wrap_special_text(double value, char *text);
/* The text of {"$numberDecimal": text}. @to: room for weir_wrap_decimal_max(value) bytes. Return: WEIR_OK,
 * WEIR_ELIMIT. */
size_t weir_wrap_decimal_max(const struct weir_value *value);
int weir_wrap_decimal_text(const struct weir_value *value, char *to, size_t *ret_size);

/* ---- writing under WEIR_CANONICAL ---- */

/* The keys of a map in their order, the last first, as encoders count down; NULL when it has none. Equal ones stand as
 * they do in the map. The caller frees them. Return: WEIR_OK, WEIR_ENOMEM. */
int weir_keys_sort(const struct weir_value *map, const struct weir_value ***ret);

/* ---- writing under WEIR_PLAIN ---- */

/* A walk over all elements of an ndarray, the last index moving fastest, whatever the order in memory. It writes
 * nested lists: the outermost over the first index. An ndarray without elements has no walk, and is an empty list. */
struct weir_walk {
    const weir_ndarray *array;
    uint64_t index[WEIR_RANK_MAX];
    uint64_t stride[WEIR_RANK_MAX]; /* in elements */
    uint64_t position;              /* of the element, in elements */
};
void weir_walk_begin(struct weir_walk *walk, const weir_ndarray *array);
/* To the next element. Return: how many lists end behind the one before and begin before this one; the rank at the
 * end. */
uint32_t weir_walk_next(struct weir_walk *walk);

/* Append a key that is no text as one, without quotes: bytes in base64, times as written, everything else as its plain
 * JSON.
 * Return: WEIR_OK, WEIR_ENOMEM, WEIR_ELIMIT. */
int weir_plain_key(const struct weir_value *key, const struct weir_codec_limits *limits, struct weir_buffer *out,
                   weir_error *err);

/* ---- base64, RFC 4648 section 4 ---- */

/* encode: Return: bytes written, 4 for each 3 begun. decode: @text without blanks, padded;
 * Return: WEIR_OK with the bytes at @to (at most size / 4 * 3), WEIR_EINVAL. */
size_t weir_base64_encode(const unsigned char *data, size_t size, unsigned char *to);
int weir_base64_decode(const unsigned char *text, size_t size, unsigned char *to, size_t *ret_size);

#endif
