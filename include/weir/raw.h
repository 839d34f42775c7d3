/* Types of raw data: numbers, arrays and structs as they lie in memory.
 *
 *     f64   u8[4096]   f64[4,256]   f32[3,3]:col
 *     {t: i64, accel: f64[3], temp: f32}   {n: u16, p: {x: f32, y: f32}[2]}[100]
 *
 * A struct lies as a C compiler lays it out: each field at a multiple of its alignment, the size a multiple of the
 * largest. Numbers are least significant byte first. So a program in C sends and receives its own struct:
 *
 *     struct reading { int64_t t; double accel[3]; float temp; } reading;
 *     weir_writer_send_bytes(writer, op, NULL, WEIR_CODEC_RAW, "{t: i64, accel: f64[3], temp: f32}",
 *                            &reading, sizeof(reading), err);
 *
 *     status = weir_message_raw(message, "{t: i64, accel: f64[3], temp: f32}", &bytes, err);
 *     const struct reading *seen = (const struct reading *)bytes.data;
 *
 * Everybody else sees a map {"t": …, "accel": …, "temp": …} (weir_message_data).
 */
#ifndef WEIR_RAW_H
#define WEIR_RAW_H

#include <weir/base.h>
#include <weir/codec.h>
#include <weir/error.h>
#include <weir/value.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    WEIR_TYPE_TEXT_MAX = 4096,  /* bytes of a type's canonical text, with its NUL */
    WEIR_TYPE_STRUCTS_MAX = 16, /* structs inside each other */
    WEIR_TYPE_FIELDS_MAX = 1024 /* fields of a type, those of inner structs included */
};

/* A parsed type. */
typedef struct weir_type weir_type;

/* One field of a struct, or the whole of a type: a number, an array of numbers, a struct, or an array of structs. */
typedef struct weir_field {
    weir_view name;       /* empty for the whole */
    uint32_t element;     /* enum weir_element; 0 for a struct */
    uint32_t order;       /* enum weir_order */
    uint32_t rank;        /* 0 is one number or struct */
    uint32_t field_count; /* of a struct */
    uint64_t shape[WEIR_RANK_MAX];
    uint64_t offset;    /* bytes from the beginning of the struct around it */
    uint64_t size;      /* bytes of all its items */
    uint64_t item_size; /* bytes of one number or struct, from each to the next */
    uint64_t alignment;
    uint64_t cells_; /* the library's own */
    uint32_t span_;
    uint32_t is_last_;
} weir_field;

/* Parse a type. Blanks may stand between the parts of a struct.
 * Return: WEIR_OK, WEIR_EINVAL (the sentence says where it ends to be one), WEIR_ELIMIT, WEIR_ENOMEM. */
WEIR_API int weir_type_new(const char *text, size_t size, weir_type **ret, weir_error *err);
WEIR_API weir_type *weir_type_free(weir_type *type);
/* The one canonical spelling, with a NUL behind it: two types are the same when their texts are. Lives as long as the
 * type. */
WEIR_API weir_view weir_type_text(const weir_type *type);
/* Bytes of one value of the type: sizeof the C struct. */
WEIR_API size_t weir_type_size(const weir_type *type);

/* Walk a type:
 *     for (field = weir_field_first(weir_type_whole(type)); field; field = weir_field_next(field))
 *         use(field->name, field->offset);
 * Fields live as long as their type. first gives NULL where there is no struct, next behind the last field. */
WEIR_API const weir_field *weir_type_whole(const weir_type *type);
WEIR_API const weir_field *weir_field_first(const weir_field *field);
WEIR_API const weir_field *weir_field_next(const weir_field *field);
/* The field at @path of names joined by '.', as "p.x"; arrays of structs are passed through. @ret_offset: nullable;
 * bytes from the beginning of @field's first item to that of the field found, in the first item of each array.
 * Return: WEIR_OK, WEIR_ENOENT. */
WEIR_API int weir_field_find(const weir_field *field, const char *path, const weir_field **ret, uint64_t *ret_offset);
/* The type of a field as text, at most @size bytes with the NUL. Return: the length of the whole text. */
WEIR_API size_t weir_field_type(const weir_field *field, char *text, size_t size);

/* Read raw data of @type into @doc, cleared first: a number; an ndarray of @data, where it lies; for a struct a map in
 * the order of its fields, whose arrays of numbers are ndarrays of @data; for structs in arrays, arrays of maps.
 * @data, @type: must outlive the document's use.
 * @options: NULL for the defaults; values_max counts 16-byte cells: keys, values, and the shapes of ndarrays.
 * Return: WEIR_OK, WEIR_EPARSE (the sizes disagree), WEIR_ELIMIT, WEIR_ENOMEM. */
WEIR_API int weir_type_decode(weir_doc *doc, const weir_type *type, const void *data, size_t size,
                              const weir_codec_options *options, weir_error *err);
/* Write @value as raw data of @type, appended to @out. A struct is a map with all its fields, in any order, and no
 * other key; what is an array in the type is an ndarray of that shape or nested arrays. Bytes between fields are 0.
 * @flags: enum weir_number_flags.
 * Return: WEIR_OK, WEIR_EENCODE (the sentence names the field), WEIR_ENOMEM. */
WEIR_API int weir_type_encode(const weir_value *value, const weir_type *type, uint32_t flags, weir_buffer *out,
                              weir_error *err);

#ifdef __cplusplus
}
#endif

#endif
