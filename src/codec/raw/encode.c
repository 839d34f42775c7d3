/* A document into raw data of a type: the mirror of decode.c, with the value beside the type.
 *
 * A map is walked along the fields of its struct. Its pairs usually stand in that order, so the next pair is tried
 * first and the map searched only when it is another. When all fields were found and the map has just so many pairs, no
 * other key is there. The stack is also what an error's path is read from.
 */
#include "codec/raw/raw.h"

#include <stdio.h>
#include <string.h>

struct frame {
    const struct weir_field *field;
    const struct weir_field *next; /* MAP: the field to come, NULL behind the last */
    const struct weir_value *value;
    unsigned char *at;
    uint64_t used; /* MAP: bytes written, so that what lies between fields is zeroed */
    weir_iter it;
    uint64_t index, stride; /* ARRAY: items so far, bytes from each to the next */
    uint32_t axis;          /* == rank: a map */
};

struct walk {
    uint32_t flags, depth;
    struct frame frames[WEIR_TYPE_DEPTH_MAX];
    weir_error *err;
};

/* ---- sentences ---- */

enum { PATH_MAX_SIZE = 200 };

/* Append to a path, which stays cut off where it is full. */
static void path_add(char *path, const char *text, size_t size) {
    size_t used = strlen(path);
    snprintf(path + used, PATH_MAX_SIZE - used, "%s%.*s", used > 0 ? "." : "", (int)size, text);
}

/* "raw: p.1.x: WHY". @field: below the innermost map; NULL when the problem is the map or array itself. */
static int fail(const struct walk *walk, const struct weir_field *field, const char *why) {
    char path[PATH_MAX_SIZE] = "", number[24];
    for (uint32_t i = 0; i < walk->depth; i++) {
        const struct frame *frame = &walk->frames[i];
        if (frame->axis == 0 && i > 0)
            path_add(path, frame->field->name.data, frame->field->name.size);
        if (frame->axis < frame->field->rank && frame->index > 0)
            path_add(path, number, (size_t)sprintf(number, "%llu", (unsigned long long)frame->index - 1));
    }
    if (field && field->name.size > 0)
        path_add(path, field->name.data, field->name.size);
    return weir_fail(walk->err, WEIR_EENCODE, "raw: %s%s%s", path, *path ? ": " : "", why);
}

static int fail_kind(const struct walk *walk, const struct weir_field *field, const struct weir_value *value,
                     uint32_t axis) {
    char why[WEIR_WHY_MAX], type[64], found[64];
    if (axis < field->rank && value->kind == WEIR_KIND_ARRAY) {
        snprintf(why, sizeof(why), "an array of %u structs where %llu are needed", value->count,
                 (unsigned long long)field->shape[axis]);
    } else {
        weir_field_type(field, type, sizeof(type));
        snprintf(why, sizeof(why), "%.63s where %s is needed for %.63s", weir_value_type(value, found, sizeof(found)),
                 axis < field->rank ? "an array of maps" : "a map", type);
    }
    return fail(walk, axis == 0 ? field : NULL, why);
}

/* Which key of a map with too many pairs is the one too many. */
static int fail_surplus(const struct walk *walk, const struct frame *frame) {
    char why[160], type[64];
    weir_iter it;
    const struct weir_value *repeated = NULL;
    weir_iter_init(&it, frame->value);
    while (weir_iter_next(&it)) {
        const struct weir_field *field = weir_field_first(frame->field);
        weir_view name = {0};
        int is_text = weir_get_text(it.key, NULL, &name) == WEIR_OK;
        while (field &&
               (!is_text || field->name.size != name.size || memcmp(field->name.data, name.data, name.size) != 0))
            field = weir_field_next(field);
        if (field)
            continue;
        if (is_text)
            snprintf(why, sizeof(why), "there is no field '%.*s' in the type", (int)(name.size < 64 ? name.size : 64),
                     name.data);
        else
            snprintf(why, sizeof(why), "a key of type %s, where names of fields are needed",
                     weir_value_type(it.key, type, sizeof(type)));
        return fail(walk, NULL, why);
    }
    weir_map_repeated_key(frame->value, &repeated);
    snprintf(why, sizeof(why), "the field '%.*s' is there twice",
             repeated ? (int)(repeated->count < 64 ? repeated->count : 64) : 0,
             repeated ? (const char *)repeated->as.data : "");
    return fail(walk, NULL, why);
}

/* ---- the walk ---- */

static int key_is(const struct weir_value *key, weir_view name) {
    return key->kind == WEIR_KIND_TEXT && key->count == name.size && memcmp(key->as.data, name.data, name.size) == 0;
}

/* The value of a field: the next pair's, or that of any pair. NULL when it is not there. */
static const struct weir_value *field_value(struct frame *frame, weir_view name) {
    weir_iter it;
    if (weir_iter_next(&frame->it) && key_is(frame->it.key, name))
        return frame->it.value;
    weir_iter_init(&it, frame->value);
    while (weir_iter_next(&it))
        if (key_is(it.key, name)) {
            frame->it = it; /* the fields behind it may follow here */
            return it.value;
        }
    return NULL;
}

/* Write @value as @field at @at, an array of structs from dimension @axis on: all of numbers, the beginning of others.
 * */
static int value_begin(struct walk *walk, const struct weir_field *field, const struct weir_value *value,
                       unsigned char *at, uint32_t axis) {
    char why[WEIR_WHY_MAX];
    weir_ndarray target;
    while (value->kind == WEIR_KIND_TAGGED)
        value++; /* a tag says what a value means, not what it is */
    if (field->element) {
        weir_field_ndarray(field, NULL, &target);
        return weir_numbers_fill(value, &target, walk->flags, at, why) == WEIR_OK ? WEIR_OK : fail(walk, field, why);
    }
    int is_map = axis == field->rank;
    if (value->kind != (is_map ? WEIR_KIND_MAP : WEIR_KIND_ARRAY) || (!is_map && value->count != field->shape[axis]))
        return fail_kind(walk, field, value, axis);
    struct frame *frame = &walk->frames[walk->depth++];
    *frame = (struct frame){.field = field, .value = value, .at = at, .axis = axis};
    weir_iter_init(&frame->it, value);
    if (is_map)
        frame->next = weir_field_first(field);
    else
        frame->stride = weir_layout_stride(field, axis);
    return WEIR_OK;
}

/* The next field of the innermost map. */
static int field_step(struct walk *walk, struct frame *frame) {
    const struct weir_field *field = frame->next;
    const struct weir_value *value = field_value(frame, field->name);
    if (!value) {
        char why[WEIR_WHY_MAX];
        snprintf(why, sizeof(why), "the field is missing in the value");
        return fail(walk, field, why);
    }
    memset(frame->at + frame->used, 0, (size_t)(field->offset - frame->used));
    frame->used = field->offset + field->size;
    frame->next = weir_field_next(field);
    return value_begin(walk, field, value, frame->at + field->offset, 0);
}

/* The next item of the innermost map or array, or its end. */
static int step(struct walk *walk) {
    struct frame *frame = &walk->frames[walk->depth - 1];
    if (frame->next)
        return field_step(walk, frame);
    if (frame->axis < frame->field->rank && weir_iter_next(&frame->it))
        return value_begin(walk, frame->field, frame->it.value, frame->at + frame->stride * frame->index++,
                           frame->axis + 1);
    if (frame->axis == frame->field->rank) {
        memset(frame->at + frame->used, 0, (size_t)(frame->field->item_size - frame->used));
        if (frame->value->count > frame->field->field_count)
            return fail_surplus(walk, frame);
    }
    walk->depth--;
    return WEIR_OK;
}

int weir_type_encode(const weir_value *value, const weir_type *type, uint32_t flags, weir_buffer *out,
                     weir_error *err) {
    struct walk walk;
    const struct weir_field *whole = type->fields;
    walk.flags = flags;
    walk.depth = 0;
    walk.err = err;
    if (!value)
        return weir_fail(err, WEIR_EENCODE, "raw: no value where %.160s is needed", type->text);
    /* An empty array has an address too. */
    unsigned char *room = whole->size < SIZE_MAX / 4 ? weir_buffer_room(out, (size_t)whole->size + 1) : NULL;
    if (!room)
        return weir_fail(err, WEIR_ENOMEM, "raw: out of memory for %.160s", type->text);
    int status = value_begin(&walk, whole, value, room, 0);
    while (status == WEIR_OK && walk.depth > 0)
        status = step(&walk);
    if (status == WEIR_OK)
        out->size += (size_t)whole->size;
    return status;
}
