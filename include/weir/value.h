/* Values and documents: the one data model behind every codec.
 *
 * A document owns a tree of values in one flat array. It is either decoded from bytes (codec.h) or built here:
 *
 *     weir_begin_map(doc);
 *     weir_put_key(doc, "temp");  weir_put_f64(doc, 21.5);
 *     weir_put_key(doc, "accel"); weir_put_ndarray(doc, &accel);
 *     weir_end(doc);
 *     status = weir_doc_finish(doc, &root, &err);
 *
 * or in one call: weir_pack(doc, &root, &err, "{s:f, s:[iii]}", "temp", 21.5, "pos", 1L, 2L, 3L).
 *
 * A builder's first failure sticks: later calls do nothing and weir_doc_finish reports it.
 * A weir_value is borrowed from its document: it lives until the document is cleared, decoded into again, or freed.
 */
#ifndef WEIR_VALUE_H
#define WEIR_VALUE_H

#include <weir/base.h>
#include <weir/error.h>

#ifdef __cplusplus
extern "C" {
#endif

enum weir_kind {
    WEIR_KIND_NULL = 1,
    WEIR_KIND_UNDEFINED = 2,
    WEIR_KIND_BOOL = 3,
    WEIR_KIND_INT64 = 4,
    WEIR_KIND_UINT64 = 5, /* only above 2^63 - 1; what fits int64 is INT64 */
    WEIR_KIND_BIGINT = 6, /* only beyond int64 and uint64 */
    WEIR_KIND_FLOAT32 = 7,
    WEIR_KIND_FLOAT64 = 8,
    WEIR_KIND_DECIMAL = 9, /* unscaled integer x 10^exponent */
    WEIR_KIND_TEXT = 10,   /* valid UTF-8 */
    WEIR_KIND_BYTES = 11,
    WEIR_KIND_TIME = 12, /* nanoseconds since 1970-01-01T00:00:00Z */
    WEIR_KIND_ARRAY = 13,
    WEIR_KIND_MAP = 14, /* ordered; keys may repeat and be of any kind */
    WEIR_KIND_NDARRAY = 15,
    WEIR_KIND_TAGGED = 16 /* a CBOR tag or BSON type without a kind of its own, and one value */
};

/* Element types of an ndarray. */
enum weir_element {
    WEIR_U8 = 1,
    WEIR_U16 = 2,
    WEIR_U32 = 3,
    WEIR_U64 = 4,
    WEIR_I8 = 5,
    WEIR_I16 = 6,
    WEIR_I32 = 7,
    WEIR_I64 = 8,
    WEIR_F32 = 9,
    WEIR_F64 = 10
};

/* Which index moves fastest in memory. */
enum weir_order {
    WEIR_ROW = 0,   /* the last: C, numpy */
    WEIR_COLUMN = 1 /* the first: Fortran */
};

/* Where a tag comes from. */
enum weir_tag_space {
    WEIR_TAG_CBOR = 0,   /* number: CBOR tag */
    WEIR_TAG_SIMPLE = 1, /* number: CBOR simple value, the value inside is null */
    WEIR_TAG_BSON = 2    /* number: BSON type byte, or 0x500 + subtype for binary */
};

/* How numbers may change on the way into another element type. */
enum weir_number_flags {
    WEIR_ROUND = 1 /* floats may be rounded to f32; otherwise only what loses nothing is converted */
};

enum { WEIR_RANK_MAX = 15 }; /* dimensions of an ndarray, as in Fortran 2018 */

/* A dense array of numbers: shape[0..rank-1] in the order that numpy's and Fortran's shape print, data borrowed. */
typedef struct weir_ndarray {
    uint32_t element;    /* enum weir_element */
    uint32_t order;      /* enum weir_order */
    uint32_t rank;       /* 1 .. WEIR_RANK_MAX; 0 is a single number */
    uint32_t big_endian; /* 1 when the elements' bytes are most significant first */
    uint64_t shape[WEIR_RANK_MAX];
    const void *data;
    size_t size; /* bytes: product of shape x element size */
} weir_ndarray;

typedef struct weir_doc weir_doc;
typedef struct weir_value weir_value;

/* ---- documents ---- */

/* Make an empty document.
 * Return: WEIR_OK, WEIR_ENOMEM. */
WEIR_API int weir_doc_new(weir_doc **ret);
WEIR_API weir_doc *weir_doc_free(weir_doc *doc);
/* Forget the values, keep the memory, so that a loop allocates nothing. */
WEIR_API void weir_doc_clear(weir_doc *doc);
/* The finished document's one root value, or NULL when there is none. */
WEIR_API const weir_value *weir_doc_root(const weir_doc *doc);
/* Copy a value with all it holds, texts and bytes included, into @doc, which is cleared first.
 * Return: WEIR_OK, WEIR_ENOMEM. */
WEIR_API int weir_doc_copy(weir_doc *doc, const weir_value *value);
/* Close the document: every begun container must be ended and exactly one root be there.
 * Return: WEIR_OK, WEIR_EINVAL (misuse), WEIR_ELIMIT, WEIR_ENOMEM. */
WEIR_API int weir_doc_finish(weir_doc *doc, const weir_value **ret, weir_error *err);

/* ---- building: each call appends one value ---- */

WEIR_API void weir_put_null(weir_doc *doc);
WEIR_API void weir_put_undefined(weir_doc *doc);
WEIR_API void weir_put_bool(weir_doc *doc, int value);
WEIR_API void weir_put_i64(weir_doc *doc, int64_t value);
WEIR_API void weir_put_u64(weir_doc *doc, uint64_t value);
/* @digits: decimal digits with an optional '-'; stored as int64 or uint64 where that fits. */
WEIR_API void weir_put_bigint(weir_doc *doc, const char *digits, size_t size);
WEIR_API void weir_put_f32(weir_doc *doc, float value);
WEIR_API void weir_put_f64(weir_doc *doc, double value);
/* @digits x 10^exponent; digits as for weir_put_bigint. */
WEIR_API void weir_put_decimal(weir_doc *doc, const char *digits, size_t size, int32_t exponent);
/* Text must be valid UTF-8. put copies; refer borrows for as long as the document is used. */
WEIR_API void weir_put_text(weir_doc *doc, const char *text, size_t size);
WEIR_API void weir_refer_text(weir_doc *doc, const char *text, size_t size);
WEIR_API void weir_put_bytes(weir_doc *doc, const void *data, size_t size);
WEIR_API void weir_refer_bytes(weir_doc *doc, const void *data, size_t size);
WEIR_API void weir_put_time(weir_doc *doc, int64_t ns_since_epoch);
/* put copies the elements; refer borrows them for as long as the document is used. */
WEIR_API void weir_put_ndarray(weir_doc *doc, const weir_ndarray *array);
WEIR_API void weir_refer_ndarray(weir_doc *doc, const weir_ndarray *array);
/* The next value put is the tag's content. @space: enum weir_tag_space. What a CBOR tag has a kind of its own for (a
 * time, a bigint, a decimal, an ndarray) is put as that kind: sent as a tag, it comes back as the kind. */
WEIR_API void weir_put_tag(weir_doc *doc, uint32_t space, uint64_t number);
/* A copy of a value of another document. */
WEIR_API void weir_put_value(weir_doc *doc, const weir_value *value);
WEIR_API void weir_begin_array(weir_doc *doc);
WEIR_API void weir_begin_map(weir_doc *doc);
/* A map's key, as NUL-terminated text; any other kind of key is put like a value. */
WEIR_API void weir_put_key(weir_doc *doc, const char *key);
/* End the container begun last. */
WEIR_API void weir_end(weir_doc *doc);

/* Build a whole document in one call, printf-like. Blanks, ',' and ':' are ignored.
 *   {} map   [] array   s text (const char *)   S text (const char *, size_t)   y bytes (const void *, size_t)
 *   i int64 (long)   u uint64 (unsigned long)   d int (int)   f float64 (double)   b bool (int)   n null
 *   t time (long, ns)   A ndarray (const weir_ndarray *)   v a value (const weir_value *)
 * Return: WEIR_OK, WEIR_EINVAL (the format), WEIR_ELIMIT, WEIR_ENOMEM. */
WEIR_API int weir_pack(weir_doc *doc, const weir_value **ret, weir_error *err, const char *format, ...);

/* ---- reading ---- */

/* enum weir_kind of a value; 0 for NULL. */
WEIR_API int weir_value_kind(const weir_value *value);
/* "int64", "map", "f64[4,256]": the type as errors name it. Writes at most @size bytes with the NUL. */
WEIR_API const char *weir_value_type(const weir_value *value, char *text, size_t size);
/* Items of an array, pairs of a map, bytes of text or bytes, elements of an ndarray; 0 otherwise. */
WEIR_API uint64_t weir_value_count(const weir_value *value);

/* The value at @path below @value: keys and 0-based indices joined by '.', as "accel.0"; a '.' in a key is written
 * "\.". NULL or "" is the value itself. The first of repeated keys is found.
 * Return: WEIR_OK, WEIR_ENOENT. */
WEIR_API int weir_get(const weir_value *value, const char *path, const weir_value **ret);

/* Typed reading by path. A number is converted only when nothing is lost (an integer to f64 within 2^53, 3.0 to i64).
 * Without a path, and of a value that has the kind asked for, this is a look into memory, inline in C and C++.
 * Return: WEIR_OK, WEIR_ENOENT, WEIR_ETYPE (another kind, or it does not fit). */
WEIR_API int weir_get_bool(const weir_value *value, const char *path, int *ret);
WEIR_API int weir_get_i64(const weir_value *value, const char *path, int64_t *ret);
WEIR_API int weir_get_u64(const weir_value *value, const char *path, uint64_t *ret);
WEIR_API int weir_get_f64(const weir_value *value, const char *path, double *ret);
WEIR_API int weir_get_text(const weir_value *value, const char *path, weir_view *ret);
WEIR_API int weir_get_bytes(const weir_value *value, const char *path, weir_view *ret);
WEIR_API int weir_get_time(const weir_value *value, const char *path, int64_t *ret_ns);
WEIR_API int weir_get_ndarray(const weir_value *value, const char *path, weir_ndarray *ret);
/* A bigint or any other integer as decimal digits. Writes a NUL; @size needs 21 bytes for int64 and uint64.
 * Return: WEIR_OK, WEIR_ENOENT, WEIR_ETYPE, WEIR_ETOOBIG (with *ret_size the bytes needed). */
WEIR_API int weir_get_digits(const weir_value *value, const char *path, char *text, size_t size, size_t *ret_size);
/* A decimal: its unscaled digits as above, and its exponent. */
WEIR_API int weir_get_decimal(const weir_value *value, const char *path, char *text, size_t size, size_t *ret_size,
                              int32_t *ret_exponent);
/* A tag and the value inside. */
WEIR_API int weir_get_tagged(const weir_value *value, const char *path, uint32_t *ret_space, uint64_t *ret_number,
                             const weir_value **ret);

/* Walk an array, or a map (then key is set):
 *     weir_iter it;
 *     weir_iter_init(&it, value);
 *     while (weir_iter_next(&it)) use(it.key, it.value);
 * A value that is neither gives no items. */
typedef struct weir_iter {
    const weir_value *key; /* NULL in an array */
    const weir_value *value;
    const weir_value *next_; /* the library's own */
    const weir_value *end_;
} weir_iter;
WEIR_API void weir_iter_init(weir_iter *it, const weir_value *value);
WEIR_API int weir_iter_next(weir_iter *it);

/* 1 when two values are the same, kinds, order of keys and bits of floats included; 0 otherwise. */
WEIR_API int weir_value_equal(const weir_value *a, const weir_value *b);

/* ---- ndarrays ---- */

/* Bytes of one element; 0 for no such type. */
WEIR_API size_t weir_element_size(uint32_t element);
/* "f64"; "?" for no such type. */
WEIR_API const char *weir_element_name(uint32_t element);
/* Product of the shape. */
WEIR_API uint64_t weir_ndarray_count(const weir_ndarray *array);

/* Arrays of numbers from any codec, read as ndarrays. A list of numbers, and lists of such lists, say nothing of an
 * element type: the caller does. Numbers change their type only without loss, see enum weir_number_flags.
 *
 * The shape that the value at @path has as an ndarray: an ndarray's own (with its element, order and size), u8[n] for
 * bytes, no dimension for a number, and for nested arrays the count of the first item of each. An array without items
 * ends it.
 * Return: WEIR_OK, WEIR_ENOENT, WEIR_ETYPE (no numbers). */
WEIR_API int weir_get_shape(const weir_value *value, const char *path, weir_ndarray *ret);
/* Write the numbers at @path into the caller's memory @to, which @target describes: element, order, byte order, shape
 * and size; its data is not looked at. After a failure @to may hold some of them.
 * @flags: enum weir_number_flags.
 * Return: WEIR_OK, WEIR_ENOENT, WEIR_ETYPE (the sentence says which number does not fit, or how the shape differs),
 * WEIR_EINVAL (@target disagrees with itself). */
WEIR_API int weir_get_numbers(const weir_value *value, const char *path, const weir_ndarray *target, uint32_t flags,
                              void *to, weir_error *err);
/* The numbers at @path as an ndarray of @element in the machine's byte order: the ndarray itself, where it lies, when
 * it is one; otherwise converted into @room, which is cleared first and must outlive the use of *ret.
 * Return: as weir_get_numbers, WEIR_ENOMEM. */
WEIR_API int weir_as_ndarray(const weir_value *value, const char *path, uint32_t element, uint32_t flags,
                             weir_buffer *room, weir_ndarray *ret, weir_error *err);

/* ---- inline ----
 *
 * What a walk over a document does for each value is here for the compiler to see, and in the library under the same
 * names for those who cannot include this file. Both read the cell that a value is: 16 bytes, one value behind the
 * other in depth-first order (docs/design/0005-cells-in-the-header.md). The layout is a part of the ABI; programs use
 * the functions. */
struct weir_value {
    uint8_t kind;   /* enum weir_kind */
    uint8_t flags;  /* the library's own */
    uint16_t aux;   /* the library's own */
    uint32_t count; /* TEXT, BYTES: bytes; ARRAY: items; MAP: pairs; others: the library's own */
    union {
        int64_t i64; /* INT64, TIME; BOOL: 0 or 1 */
        uint64_t u64;
        double f64;
        float f32;
        const unsigned char *data; /* TEXT, BYTES */
        uint64_t span;             /* ARRAY, MAP: cells including this one */
    } as;
};

/* For the inline functions, when a value takes more than a look: the cell behind a value and all it holds; and a value
 * by path as @kind, which is BOOL (ret: int *), INT64, TIME (int64_t *), FLOAT64 (double *), TEXT or BYTES
 * (weir_view *). Return: WEIR_OK, WEIR_ENOENT, WEIR_ETYPE. */
WEIR_API const weir_value *weir_iter_after(const weir_value *value);
WEIR_API int weir_get_as(const weir_value *value, const char *path, int kind, void *ret);

#if defined(WEIR_VALUE_DEFINE) /* the library's own, once */
#define WEIR_INLINE
#elif defined(__cplusplus)
#define WEIR_INLINE inline
#else
#define WEIR_INLINE extern __inline__ __attribute__((gnu_inline))
#endif
#define WEIR_IS_DIRECT(value, path, wanted) ((!(path) || *(path) == '\0') && (value) && (value)->kind == (wanted))

WEIR_INLINE int weir_value_kind(const weir_value *value) {
    return value ? value->kind : 0;
}

WEIR_INLINE int weir_get_bool(const weir_value *value, const char *path, int *ret) {
    if (!WEIR_IS_DIRECT(value, path, WEIR_KIND_BOOL))
        return weir_get_as(value, path, WEIR_KIND_BOOL, ret);
    *ret = (int)value->as.i64;
    return WEIR_OK;
}

WEIR_INLINE int weir_get_i64(const weir_value *value, const char *path, int64_t *ret) {
    if (!WEIR_IS_DIRECT(value, path, WEIR_KIND_INT64))
        return weir_get_as(value, path, WEIR_KIND_INT64, ret);
    *ret = value->as.i64;
    return WEIR_OK;
}

WEIR_INLINE int weir_get_f64(const weir_value *value, const char *path, double *ret) {
    if (!WEIR_IS_DIRECT(value, path, WEIR_KIND_FLOAT64))
        return weir_get_as(value, path, WEIR_KIND_FLOAT64, ret);
    *ret = value->as.f64;
    return WEIR_OK;
}

WEIR_INLINE int weir_get_text(const weir_value *value, const char *path, weir_view *ret) {
    if (!WEIR_IS_DIRECT(value, path, WEIR_KIND_TEXT))
        return weir_get_as(value, path, WEIR_KIND_TEXT, ret);
    ret->data = (const char *)value->as.data;
    ret->size = value->count;
    return WEIR_OK;
}

WEIR_INLINE int weir_get_bytes(const weir_value *value, const char *path, weir_view *ret) {
    if (!WEIR_IS_DIRECT(value, path, WEIR_KIND_BYTES))
        return weir_get_as(value, path, WEIR_KIND_BYTES, ret);
    ret->data = (const char *)value->as.data;
    ret->size = value->count;
    return WEIR_OK;
}

WEIR_INLINE int weir_get_time(const weir_value *value, const char *path, int64_t *ret_ns) {
    if (!WEIR_IS_DIRECT(value, path, WEIR_KIND_TIME))
        return weir_get_as(value, path, WEIR_KIND_TIME, ret_ns);
    *ret_ns = value->as.i64;
    return WEIR_OK;
}

/* In a map key is any key from the beginning, which tells next that there are keys. */
WEIR_INLINE void weir_iter_init(weir_iter *it, const weir_value *value) {
    int is_map = value && value->kind == WEIR_KIND_MAP;
    int is_container = is_map || (value && value->kind == WEIR_KIND_ARRAY);
    it->key = is_map ? value : NULL;
    it->value = NULL;
    it->next_ = is_container ? value + 1 : NULL;
    it->end_ = is_container ? value + value->as.span : NULL;
}

WEIR_INLINE int weir_iter_next(weir_iter *it) {
    const weir_value *at = it->next_;
    if (at == it->end_)
        return 0;
    if (it->key) {
        it->key = at;
        at = at->kind == WEIR_KIND_TEXT ? at + 1 : weir_iter_after(at);
    }
    it->value = at;
    if (at->kind <= WEIR_KIND_TIME && at->kind != WEIR_KIND_DECIMAL) /* nearly all: one cell */
        it->next_ = at + 1;
    else if (at->kind == WEIR_KIND_ARRAY || at->kind == WEIR_KIND_MAP)
        it->next_ = at + at->as.span;
    else
        it->next_ = weir_iter_after(at);
    return 1;
}

#undef WEIR_IS_DIRECT
#undef WEIR_INLINE

#ifdef __cplusplus
}
#endif

#endif
