/* Types as text, and the fields they are made of. docs/spec/raw.md has the grammar.
 *
 * The parser is one loop: an item (an element, or a struct's opening brace) is begun, and finished with its shape; a
 * finished item is laid behind its struct's other fields, and either another follows or the struct itself is finished.
 * The stack holds the structs that are open. While parsing, names point into the text that is read; afterwards into the
 * canonical text, which is written from the fields.
 */
#include <stdlib.h>
#include <string.h>

#include "codec/raw/raw.h"

/* ---- parts ---- */

static void skip_blanks(struct weir_type_cursor *cursor) {
    while (cursor->depth > 0 && cursor->at < cursor->end && *cursor->at && strchr(" \t\r\n", *cursor->at))
        cursor->at++;
}

int weir_type_take(struct weir_type_cursor *cursor, char wanted) {
    skip_blanks(cursor);
    if (cursor->at == cursor->end || *cursor->at != wanted)
        return 0;
    cursor->at++;
    return 1;
}

uint32_t weir_type_take_element(struct weir_type_cursor *cursor) {
    skip_blanks(cursor);
    size_t left = (size_t)(cursor->end - cursor->at);
    for (uint32_t element = WEIR_F64; element >= WEIR_U8; element--) {
        const char *name = weir_element_name(element);
        size_t size = strlen(name);
        if (size <= left && memcmp(cursor->at, name, size) == 0) {
            cursor->at += size;
            return element;
        }
    }
    return 0;
}

/* A size without leading zeros, so that a type has one spelling. */
static int take_size(struct weir_type_cursor *cursor, uint64_t *ret) {
    uint64_t size = 0;
    skip_blanks(cursor);
    const char *begin = cursor->at;
    for (; cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++)
        if (__builtin_mul_overflow(size, 10, &size) || __builtin_add_overflow(size, *cursor->at - '0', &size))
            return 0;
    *ret = size;
    return cursor->at - begin == 1 || (cursor->at > begin && *begin != '0');
}

int weir_type_take_array(struct weir_type_cursor *cursor, uint64_t *shape, uint32_t *rank, uint32_t *order) {
    *rank = 0;
    if (weir_type_take(cursor, '[')) {
        do {
            if (*rank == WEIR_RANK_MAX || !take_size(cursor, &shape[*rank]))
                return 0;
            ++*rank;
        } while (weir_type_take(cursor, ','));
        if (!weir_type_take(cursor, ']'))
            return 0;
    }
    *order = WEIR_ROW;
    if (!weir_type_take(cursor, ':'))
        return 1;
    if (cursor->end - cursor->at < 3 || memcmp(cursor->at, "col", 3) != 0)
        return 0;
    cursor->at += 3;
    *order = *rank > 1 ? WEIR_COLUMN : WEIR_ROW;
    return 1;
}

static int is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static int take_name(struct weir_type_cursor *cursor, weir_view *ret) {
    skip_blanks(cursor);
    const char *begin = cursor->at;
    while (cursor->at < cursor->end &&
           (is_letter(*cursor->at) || (cursor->at > begin && *cursor->at >= '0' && *cursor->at <= '9')))
        cursor->at++;
    *ret = (weir_view){begin, (size_t)(cursor->at - begin)};
    return ret->size > 0;
}

/* ---- the parser ---- */

struct parser {
    struct weir_type_cursor cursor;
    struct weir_type *type;
    uint32_t capacity;
    uint32_t open[WEIR_TYPE_STRUCTS_MAX]; /* structs that are not closed, by index */
    uint32_t open_count;
    weir_error *err;
};

static int fail(const struct parser *parser, int code, const char *what) {
    const struct weir_type_cursor *cursor = &parser->cursor;
    size_t size = (size_t)(cursor->end - cursor->begin);
    return weir_fail_at(parser->err, code, (uint64_t)(cursor->at - cursor->begin), "the type \"%.*s%s\": %s",
                        (int)(size < 120 ? size : 120), cursor->begin, size > 120 ? "..." : "", what);
}

/* A new field at the end, named @name. */
static int field_begin(struct parser *parser, weir_view name, uint32_t *ret) {
    struct weir_type *type = parser->type;
    if (type->field_count > WEIR_TYPE_FIELDS_MAX)
        return fail(parser, WEIR_ELIMIT, "more than 1024 fields");
    if (type->field_count == parser->capacity) {
        uint32_t capacity = parser->capacity ? parser->capacity * 2 : 8;
        struct weir_field *fields = realloc(type->fields, capacity * sizeof(*fields));
        if (!fields)
            return fail(parser, WEIR_ENOMEM, "out of memory");
        type->fields = fields;
        parser->capacity = capacity;
    }
    *ret = type->field_count++;
    type->fields[*ret] = (struct weir_field){.name = name, .is_last_ = 1};
    return WEIR_OK;
}

/* The cells of a document with this field's value. Too many to count are UINT64_MAX. */
static uint64_t cells_of(const struct weir_field *field) {
    if (field->element)
        return field->rank == 0 ? 1 : 1 + (field->rank + 1) / 2;
    uint64_t cells = field->cells_;
    for (uint32_t i = field->rank; i-- > 0;)
        if (__builtin_mul_overflow(cells, field->shape[i], &cells) || __builtin_add_overflow(cells, 1, &cells))
            cells = UINT64_MAX;
    return cells;
}

/* A finished field becomes the last of the struct around it. */
static int field_place(struct parser *parser, uint32_t index) {
    struct weir_field *fields = parser->type->fields;
    struct weir_field *parent = &fields[parser->open[parser->open_count - 1]], *field = &fields[index], *sibling;
    for (sibling = parent + 1; sibling < field; sibling += sibling->span_) {
        if (sibling->name.size == field->name.size &&
            memcmp(sibling->name.data, field->name.data, field->name.size) == 0)
            return fail(parser, WEIR_EINVAL, "two fields of one struct have the same name");
        sibling->is_last_ = 0;
    }
    if (field->size == 0)
        return fail(parser, WEIR_EINVAL, "a field of a struct has at least one item; C has no empty arrays");
    if (!weir_layout_place(parent, field))
        return fail(parser, WEIR_EINVAL, "the struct is larger than any memory");
    parent->field_count++;
    if (__builtin_add_overflow(parent->cells_, 1, &parent->cells_) ||
        __builtin_add_overflow(parent->cells_, field->cells_, &parent->cells_))
        parent->cells_ = UINT64_MAX;
    return WEIR_OK;
}

/* Read what may follow an element or a brace, and give the field its size. */
static int field_end(struct parser *parser, uint32_t index) {
    struct weir_field *field = &parser->type->fields[index];
    field->span_ = parser->type->field_count - index;
    if (!weir_type_take_array(&parser->cursor, field->shape, &field->rank, &field->order))
        return fail(parser, WEIR_EINVAL, "a shape is like [3], [4,256] or [3,3]:col, with at most 15 sizes");
    if (!weir_layout_array(field))
        return fail(parser, WEIR_EINVAL, "the array is larger than any memory");
    field->cells_ = cells_of(field);
    return parser->open_count > 0 ? field_place(parser, index) : WEIR_OK;
}

/* An element, or a struct's brace and the name of its first field. */
static int item_begin(struct parser *parser, uint32_t index) {
    struct weir_field *field = &parser->type->fields[index];
    if (weir_type_take(&parser->cursor, '{')) {
        if (parser->open_count == WEIR_TYPE_STRUCTS_MAX)
            return fail(parser, WEIR_ELIMIT, "more than 16 structs inside each other");
        field->alignment = 1;
        field->cells_ = 1;
        parser->open[parser->open_count++] = index;
        parser->cursor.depth++;
        return WEIR_OK;
    }
    field->element = weir_type_take_element(&parser->cursor);
    field->item_size = field->alignment = weir_element_size(field->element);
    return field->element
               ? WEIR_OK
               : fail(parser, WEIR_EINVAL,
                      "here must stand an element, u8 u16 u32 u64 i8 i16 i32 i64 f32 f64, or a struct in {}");
}

static int struct_end(struct parser *parser, uint32_t *ret) {
    uint32_t index = parser->open[--parser->open_count];
    parser->cursor.depth--;
    *ret = index;
    return weir_layout_close(&parser->type->fields[index]) ? WEIR_OK
                                                           : fail(parser, WEIR_EINVAL, "the struct is too large");
}

static int parse(struct parser *parser) {
    weir_view name = {"", 0};
    uint32_t index = 0;
    for (;;) {
        uint32_t depth = parser->open_count;
        int status = field_begin(parser, name, &index);
        if (status == WEIR_OK)
            status = item_begin(parser, index);
        if (status == WEIR_OK && parser->open_count == depth)
            status = field_end(parser, index);
        while (status == WEIR_OK && parser->open_count > 0 && parser->open_count <= depth &&
               weir_type_take(&parser->cursor, '}')) {
            status = struct_end(parser, &index);
            if (status == WEIR_OK)
                status = field_end(parser, index);
        }
        if (status != WEIR_OK)
            return status;
        if (parser->open_count == 0)
            break;
        if (parser->open_count <= depth && !weir_type_take(&parser->cursor, ','))
            return fail(parser, WEIR_EINVAL, "behind a field must stand , or }");
        if (!take_name(&parser->cursor, &name) || !weir_type_take(&parser->cursor, ':'))
            return fail(parser, WEIR_EINVAL, "a field is written name: type, as in {t: i64, accel: f64[3]}");
    }
    return parser->cursor.at == parser->cursor.end ? WEIR_OK
                                                   : fail(parser, WEIR_EINVAL, "something stands behind the type");
}

/* ---- the text ---- */

struct text_out {
    char *to;
    size_t size; /* room, with the NUL */
    size_t used;
};

static void put(struct text_out *out, const char *text, size_t size) {
    for (size_t i = 0; i < size; i++, out->used++)
        if (out->used + 1 < out->size)
            out->to[out->used] = text[i];
}

static void put_size(struct text_out *out, uint64_t size) {
    char digits[20];
    size_t at = sizeof(digits);
    do
        digits[--at] = (char)('0' + size % 10);
    while ((size /= 10) > 0);
    put(out, digits + at, sizeof(digits) - at);
}

static void put_shape(struct text_out *out, const struct weir_field *field) {
    for (uint32_t i = 0; i < field->rank; i++) {
        put(out, i == 0 ? "[" : ",", 1);
        put_size(out, field->shape[i]);
    }
    if (field->rank > 0)
        put(out, "]", 1);
    if (field->order == WEIR_COLUMN && field->rank > 1)
        put(out, ":col", 4);
}

/* Write the type of @whole. @named: NULL, or the fields of which @whole is the first, whose names are moved to where
 * they stand in the text now. */
static void type_write(const struct weir_field *whole, struct text_out *out, struct weir_field *named) {
    const struct weir_field *open[WEIR_TYPE_STRUCTS_MAX];
    uint32_t open_count = 0;
    for (const struct weir_field *field = whole;; field++) {
        if (!field->element) {
            put(out, "{", 1);
            open[open_count++] = field;
        } else {
            const struct weir_field *ended = field;
            put(out, weir_element_name(field->element), strlen(weir_element_name(field->element)));
            put_shape(out, field);
            for (; open_count > 0 && ended->is_last_; put_shape(out, ended)) {
                put(out, "}", 1);
                ended = open[--open_count];
            }
            if (open_count == 0)
                return;
            put(out, ", ", 2);
        }
        const char *name = named ? out->to + out->used : NULL;
        put(out, field[1].name.data, field[1].name.size);
        put(out, ": ", 2);
        if (named)
            named[field + 1 - whole].name.data = name;
    }
}

size_t weir_field_type(const weir_field *field, char *text, size_t size) {
    struct text_out out = {text, size, 0};
    type_write(field, &out, NULL);
    if (size > 0)
        text[out.used < size ? out.used : size - 1] = '\0';
    return out.used;
}

static int text_make(struct parser *parser) {
    struct weir_type *type = parser->type;
    size_t size = weir_field_type(type->fields, NULL, 0);
    if (size >= WEIR_TYPE_TEXT_MAX)
        return fail(parser, WEIR_ELIMIT, "longer than 4095 bytes");
    type->text = malloc(size + 1);
    if (!type->text)
        return fail(parser, WEIR_ENOMEM, "out of memory");
    type_write(type->fields, &(struct text_out){type->text, size + 1, 0}, type->fields);
    type->text[size] = '\0';
    type->text_size = size;
    return WEIR_OK;
}

/* Maps and arrays inside each other, where they are deepest. */
static uint32_t depth_of(const struct weir_type *type) {
    const struct weir_field *open[WEIR_TYPE_STRUCTS_MAX];
    uint32_t open_count = 0, depth = 0, deepest = 0;
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct weir_field *ended = &type->fields[i];
        if (!ended->element) {
            open[open_count++] = ended;
            depth += 1 + ended->rank;
            deepest = depth > deepest ? depth : deepest;
            continue;
        }
        while (open_count > 0 && ended->is_last_) {
            ended = open[--open_count];
            depth -= 1 + ended->rank;
        }
    }
    return deepest;
}

/* ---- what programs call ---- */

int weir_raw_type_keep(weir_type **kept, const char *text, size_t size, weir_error *err) {
    weir_type *type;
    if (*kept && (*kept)->text_size == size && memcmp((*kept)->text, text, size) == 0)
        return WEIR_OK;
    int status = weir_type_new(text, size, &type, err);
    if (status != WEIR_OK)
        return status;
    weir_type_free(*kept);
    *kept = type;
    return WEIR_OK;
}

int weir_type_new(const char *text, size_t size, weir_type **ret, weir_error *err) {
    struct weir_type *type = calloc(1, sizeof(*type));
    struct parser parser = {.cursor = {text, text, text + size, 0}, .type = type, .err = err};
    int status = type ? parse(&parser) : weir_fail(err, WEIR_ENOMEM, "out of memory for a type");
    if (status == WEIR_OK)
        status = text_make(&parser);
    if (status != WEIR_OK) {
        weir_type_free(type);
        return status;
    }
    type->depth = depth_of(type);
    *ret = type;
    return WEIR_OK;
}

weir_type *weir_type_free(weir_type *type) {
    if (type) {
        free(type->fields);
        free(type->text);
        free(type);
    }
    return NULL;
}

weir_view weir_type_text(const weir_type *type) {
    return (weir_view){type->text, type->text_size};
}

size_t weir_type_size(const weir_type *type) {
    return (size_t)type->fields->size;
}

const weir_field *weir_type_whole(const weir_type *type) {
    return type->fields;
}

const weir_field *weir_field_first(const weir_field *field) {
    return field->element ? NULL : field + 1;
}

const weir_field *weir_field_next(const weir_field *field) {
    return field->is_last_ ? NULL : field + field->span_;
}

int weir_field_find(const weir_field *field, const char *path, const weir_field **ret, uint64_t *ret_offset) {
    uint64_t offset = 0;
    while (path && *path) {
        size_t size = strcspn(path, ".");
        for (field = weir_field_first(field); field; field = weir_field_next(field))
            if (field->name.size == size && memcmp(field->name.data, path, size) == 0)
                break;
        if (!field)
            return WEIR_ENOENT;
        offset += field->offset;
        path += size + (path[size] == '.');
    }
    *ret = field;
    if (ret_offset)
        *ret_offset = offset;
    return WEIR_OK;
}
